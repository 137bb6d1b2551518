"""OpenLDAP's server, as Debian has it, with its own directory and configuration."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

from ..servers.process import Process, free_port

PROGRAM = shutil.which("slapd", path="/usr/sbin:/usr/local/sbin:/usr/bin")

CONFIGURATION = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile {place}/slapd.pid
argsfile {place}/slapd.args
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCACertificateFile {ca}
TLSCertificateFile {cert}
TLSCertificateKeyFile {key}
database mdb
maxsize 16777216
suffix "dc=example"
rootdn "cn=admin,dc=example"
rootpw admin
directory {place}/data
dbnosync
index uid,cn,member eq
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="ou=open,dc=example" by * read
access to dn.subtree="ou=hidden,dc=example" by anonymous auth by * none
access to dn.subtree="ou=groups,dc=example" by dn.exact="cn=reader,dc=example" read by users read by * none
access to * by self read by dn.exact="cn=reader,dc=example" read by anonymous auth by * none
"""

USERS = {
    "tank": "water",
    "pump": "steam",
    "a,b=c+d": "odd",
    "st*r (old) \\": "stars",
    "#valve": "sharp",
    "水位": "level",
}
"""User names and passwords; the first is in the group `mqtt`."""


class Slapd:
    """A server with `USERS` below `ou=people,dc=example`; `cn=reader` (password `read`) may search."""

    def __init__(self, place: Path, ca: Path, cert: Path, key: Path) -> None:
        place.mkdir(parents=True, exist_ok=True)
        (place / "data").mkdir()
        self.ca = str(ca)
        self.plain_port, self.tls_port = free_port(), free_port()
        self.url = f"ldap://127.0.0.1:{self.plain_port}"
        self.tls_url = f"ldaps://127.0.0.1:{self.tls_port}"
        # The same under an address that the certificate does not name.
        self.strange_url = f"ldap://127.0.0.2:{self.plain_port}"
        self.strange_tls_url = f"ldaps://127.0.0.2:{self.tls_port}"
        configuration = place / "slapd.conf"
        configuration.write_text(CONFIGURATION.format(place=place, ca=ca, cert=cert, key=key))
        entries = place / "entries.ldif"
        entries.write_text(_ldif(), encoding="utf-8")
        load = [str(PROGRAM), "-T", "add", "-f", str(configuration), "-l", str(entries)]
        subprocess.run(load, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=30)
        urls = f"{self.url} {self.tls_url} {self.strange_url} {self.strange_tls_url}"
        arguments = [str(PROGRAM), "-f", str(configuration), "-h", urls, "-d", "0"]
        self.process = Process(arguments, place / "slapd.log")
        self.start()

    def start(self) -> None:
        """Serve, on the ports that it had."""
        self.process.start(lambda: socket.create_connection(("127.0.0.1", self.tls_port), 1).close())

    def stop(self) -> None:
        """Be away."""
        self.process.stop()

    def freeze(self) -> None:
        """Hang: connections are taken, and nothing is answered."""
        self.process.freeze()

    def thaw(self) -> None:
        """Go on."""
        self.process.thaw()


def dn_of(username: str, unit: str = "people") -> str:
    """The DN of a user, escaped as RFC 4514 asks for: each special character as its code."""
    escaped = "".join(f"\\{ord(one):02x}" if one in ',+"\\<>;=#*() ' else one for one in username)
    return f"uid={escaped},ou={unit},dc=example"


def _ldif() -> str:
    entries = ["dn: dc=example\nobjectClass: domain\ndc: example"]
    entries += [
        f"dn: ou={unit},dc=example\nobjectClass: organizationalUnit\nou: {unit}"
        for unit in ("people", "groups", "hidden", "open", "twins")
    ]
    entries.append(
        "dn: cn=reader,dc=example\nobjectClass: person\ncn: reader\nsn: reader\nuserPassword: read"
    )
    entries += [_person(name, password) for name, password in USERS.items()]
    entries.append(_person("ghost", "boo", unit="hidden"))
    entries.append(_person("guest", "welcome", unit="open"))
    # Two entries of one name, in different places.
    entries.append(_person("twin", "one", unit="people"))
    entries.append(_person("twin", "two", unit="twins"))
    member = _encoded("member", dn_of("tank"))
    entries.append(f"dn: cn=mqtt,ou=groups,dc=example\nobjectClass: groupOfNames\ncn: mqtt\n{member}")
    return "\n\n".join(entries) + "\n"


def _person(name: str, password: str, unit: str = "people") -> str:
    lines = [
        _encoded("dn", dn_of(name, unit)),
        "objectClass: inetOrgPerson",
        _encoded("uid", name),
        _encoded("cn", name),
        "sn: x",
        _encoded("userPassword", password),
    ]
    return "\n".join(lines)


def _encoded(attribute: str, value: str) -> str:
    from base64 import b64encode

    return f"{attribute}:: {b64encode(value.encode()).decode()}"
