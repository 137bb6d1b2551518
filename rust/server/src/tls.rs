//! TLS: the server's certificates, which clients are let in, and how both are read again.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use arc_swap::ArcSwapOption;
use hookmq_engine::Broker;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::failed_handshakes::FailedHandshakes;
use crate::files::FileError;
use crate::settings::TlsSettings;

/// The TLS configuration of a listener. Connections that are open keep the one they began with.
pub(crate) struct Tls {
    settings: TlsSettings,
    /// The protocols that are offered inside TLS.
    protocols: Vec<Vec<u8>>,
    /// None while a file cannot be read: nobody gets in then.
    config: ArcSwapOption<ServerConfig>,
    failed: FailedHandshakes,
}

impl Tls {
    /// Reads the files.
    pub(crate) fn open(settings: TlsSettings, protocols: &[&str]) -> Result<Self, FileError> {
        let protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let tls =
            Self { settings, protocols, config: ArcSwapOption::empty(), failed: FailedHandshakes::default() };
        tls.reload()?;
        Ok(tls)
    }

    /// Reads the files again.
    pub(crate) fn reload(&self) -> Result<(), FileError> {
        let config = self.read();
        match config {
            Ok(config) => self.config.store(Some(Arc::new(config))),
            Err(error) => {
                self.config.store(None);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Makes the handshake of a connection; `None` if it fails, which is counted.
    pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        address: Option<SocketAddr>,
        broker: &Broker,
    ) -> Option<TlsStream<S>> {
        let accepted = match self.config.load_full() {
            Some(config) => {
                let accepted = TlsAcceptor::from(config).accept(stream).await;
                accepted.inspect_err(|error| self.failed.add(address, error)).ok()
            }
            None => None,
        };
        if accepted.is_none() {
            broker.statistics.tls_failures.fetch_add(1, Relaxed);
        }
        accepted
    }

    /// What is to be told of handshakes that failed.
    pub(crate) fn take_failed(&self) -> Option<String> {
        self.failed.take(Instant::now())
    }

    /// Every file it is made of.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let TlsSettings { cert, key, client_ca, crl, sni, .. } = &self.settings;
        let mut files = vec![cert.clone(), key.clone()];
        files.extend(client_ca.iter().chain(crl).cloned());
        files.extend(sni.iter().flat_map(|name| [name.cert.clone(), name.key.clone()]));
        files
    }

    fn read(&self) -> Result<ServerConfig, FileError> {
        let settings = &self.settings;
        let provider = Arc::new(ring::default_provider());
        let versions: &[_] = match settings.only_1_3 {
            true => &[&rustls::version::TLS13],
            false => &[&rustls::version::TLS13, &rustls::version::TLS12],
        };
        let wrong = |path: &Path, error: &dyn fmt::Display| FileError::new(path, error.to_string());
        let certificates = Certificates::read(settings)?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(|error| wrong(&settings.cert, &error))?;
        let builder = match &settings.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in read_certificates(path)? {
                    roots.add(certificate).map_err(|error| wrong(path, &error))?;
                }
                let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                if let Some(path) = &settings.crl {
                    // Of the whole chain, and a list that is out of date says nothing: who cannot be looked up
                    // is not let in.
                    verifier = verifier.with_crls(read_crls(path)?).enforce_revocation_expiration();
                }
                if settings.client_cert_optional {
                    verifier = verifier.allow_unauthenticated();
                }
                let named = settings.crl.as_ref().unwrap_or(path);
                builder.with_client_cert_verifier(verifier.build().map_err(|error| wrong(named, &error))?)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(certificates));
        config.alpn_protocols.clone_from(&self.protocols);
        Ok(config)
    }
}

/// The certificates of a listener: one for each server name, and one for everybody else.
#[derive(Debug)]
struct Certificates {
    default: Arc<CertifiedKey>,
    by_name: Vec<(String, Arc<CertifiedKey>)>,
}

impl Certificates {
    fn read(settings: &TlsSettings) -> Result<Self, FileError> {
        let default = read_key(&settings.cert, &settings.key)?;
        let by_name = settings
            .sni
            .iter()
            .map(|server| Ok((server.name.to_ascii_lowercase(), read_key(&server.cert, &server.key)?)));
        Ok(Self { default, by_name: by_name.collect::<Result<_, FileError>>()? })
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let asked = hello.server_name().unwrap_or_default();
        let named = self.by_name.iter().find(|(name, _)| name.eq_ignore_ascii_case(asked));
        Some(Arc::clone(named.map_or(&self.default, |(_, key)| key)))
    }
}

fn read_key(cert: &Path, key: &Path) -> Result<Arc<CertifiedKey>, FileError> {
    let chain = read_certificates(cert)?;
    let private = PrivateKeyDer::from_pem_slice(&read_file(key)?)
        .map_err(|error| FileError::new(key, format!("no private key in PEM: {error}")))?;
    let certified = CertifiedKey::from_der(chain, private, &ring::default_provider());
    let certified = certified.map_err(|error| FileError::new(key, error.to_string()))?;
    Ok(Arc::new(certified))
}

pub(crate) fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let found = CertificateDer::pem_slice_iter(&read_file(path)?).collect::<Result<Vec<_>, _>>();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(FileError::new(path, "no certificate in PEM".to_owned())),
        Err(error) => Err(FileError::new(path, format!("no certificate in PEM: {error}"))),
    }
}

fn read_crls(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, FileError> {
    let found =
        CertificateRevocationListDer::pem_slice_iter(&read_file(path)?).collect::<Result<Vec<_>, _>>();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(FileError::new(path, "no certificate revocation list in PEM".to_owned())),
    }
}

pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, FileError> {
    fs::read(path).map_err(|error: io::Error| FileError::new(path, error.to_string()))
}
