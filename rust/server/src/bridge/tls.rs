//! TLS to another broker: whose certificates are believed, and which is shown.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::bridge::settings::ClientTls;
use crate::files::FileError;
use crate::tls::{read_certificates, read_file};

/// How one connection begins with TLS.
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    server_name: Option<String>,
}

/// Reads the files, for each connection anew: what was renewed holds from the next one on.
pub(crate) fn read(settings: &ClientTls) -> Result<Tls, FileError> {
    let provider = Arc::new(ring::default_provider());
    let nowhere = settings.ca_file.as_deref().unwrap_or(Path::new("the system's certificates"));
    let wrong = |path: &Path, error: &dyn std::fmt::Display| FileError::new(path, error.to_string());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(nowhere, &error))?;
    let builder = match settings.insecure {
        true => builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))),
        false => {
            let mut roots = RootCertStore::empty();
            match &settings.ca_file {
                Some(path) => {
                    for certificate in read_certificates(path)? {
                        roots.add(certificate).map_err(|error| wrong(path, &error))?;
                    }
                }
                None => {
                    // Single ones that are of no use are nothing to stop for.
                    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                    if roots.is_empty() {
                        return Err(wrong(nowhere, &"there are none; ca_file names a file with some"));
                    }
                }
            }
            builder.with_root_certificates(roots)
        }
    };
    let config = match (&settings.cert_file, &settings.key_file) {
        (Some(cert), Some(key)) => {
            let private = PrivateKeyDer::from_pem_slice(&read_file(key)?)
                .map_err(|error| FileError::new(key, format!("no private key in PEM: {error}")))?;
            builder
                .with_client_auth_cert(read_certificates(cert)?, private)
                .map_err(|error| wrong(key, &error))?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(Tls { config: Arc::new(config), server_name: settings.server_name.clone() })
}

impl Tls {
    /// Makes the handshake.
    pub(crate) async fn connect(self, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = self.server_name.unwrap_or_else(|| host.to_owned());
        let name = ServerName::try_from(name)
            .map_err(|error| io::Error::other(format!("the broker's name is none for TLS: {error}")))?;
        TlsConnector::from(self.config).connect(name, stream).await
    }
}

/// Takes any certificate, for those who asked for that. What it signs is checked all the same.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
