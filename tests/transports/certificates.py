"""Authorities, certificates and revocation lists for the tests, made anew for each run."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)
OIDS = {
    "CN": NameOID.COMMON_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "C": NameOID.COUNTRY_NAME,
}


def subject(**parts: str) -> x509.Name:
    """A distinguished name, in the order given."""
    return x509.Name([x509.NameAttribute(OIDS[key], value) for key, value in parts.items()])


class Pair(NamedTuple):
    """The files of a certificate and its key."""

    cert: Path
    key: Path
    serial: int

    @property
    def files(self) -> dict[str, str]:
        """As the broker's settings name them."""
        return {"cert": str(self.cert), "key": str(self.key)}

    def replace(self, other: Pair) -> None:
        """Puts the other certificate and key into these files."""
        self.key.write_bytes(other.key.read_bytes())
        self.cert.write_bytes(other.cert.read_bytes())


class Authority:
    """A certificate authority that keeps its files in a folder; below another, if one is given."""

    def __init__(self, folder: Path, name: str = "authority", *, above: Authority | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.name = subject(O="HookMQ tests", CN=name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        signer, self.serial = above or self, x509.random_serial_number()
        made = (
            x509.CertificateBuilder(signer.name, self.name, self._key.public_key(), self.serial)
            .not_valid_before(now - 30 * DAY)
            .not_valid_after(now + 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(signer._key, hashes.SHA256())
        )
        self.cert = folder / f"{name}.pem"
        self.cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def issue(
        self, file: str, *names: str, client: bool = False, days: tuple[int, int] = (-1, 10), **parts: str
    ) -> Pair:
        """A certificate for names and addresses, or for a client whose subject has these parts."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        serial = x509.random_serial_number()
        builder = (
            x509.CertificateBuilder(self.name, subject(**(parts or {"CN": file})), key.public_key(), serial)
            .not_valid_before(now + days[0] * DAY)
            .not_valid_after(now + days[1] * DAY)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if names:
            alternatives = x509.SubjectAlternativeName([_name(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        pair = Pair(self.folder / f"{file}.pem", self.folder / f"{file}.key", serial)
        made = builder.sign(self._key, hashes.SHA256())
        pair.cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        pair.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return pair

    def server(self, file: str = "server", *names: str) -> Pair:
        """A certificate for this machine."""
        return self.issue(file, *(names or ("localhost", "127.0.0.1", "::1")))

    def client(self, file: str = "client", **parts: str) -> Pair:
        """A certificate of a client."""
        return self.issue(file, client=True, **(parts or {"CN": file}))

    def revoke(self, *pairs: Pair | Authority, file: str = "crl", days: tuple[int, int] = (-1, 1)) -> Path:
        """A list of revoked certificates."""
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateRevocationListBuilder(self.name, now + days[0] * DAY, now + days[1] * DAY)
        for pair in pairs:
            entry = x509.RevokedCertificateBuilder(pair.serial, now - DAY).build()
            builder = builder.add_revoked_certificate(entry)
        builder = builder.add_extension(x509.CRLNumber(1), critical=False)
        path = self.folder / f"{file}.pem"
        path.write_bytes(builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return path

    def trusting(
        self,
        client: Pair | None = None,
        *,
        version: ssl.TLSVersion | None = None,
    ) -> ssl.SSLContext:
        """What a client needs that trusts this authority; with one version, it speaks that alone."""
        context = ssl.create_default_context(cafile=str(self.cert))
        if version is not None:
            context.minimum_version = context.maximum_version = version
        if client is not None:
            context.load_cert_chain(client.cert, client.key)
        return context


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
