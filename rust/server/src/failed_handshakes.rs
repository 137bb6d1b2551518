//! TLS handshakes that fail, told now and then: a certificate nobody takes is to be found in the log, and who
//! scans ports must not fill it.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustls::InvalidMessage;

/// How long nothing more is told after something was.
const QUIET: Duration = Duration::from_secs(60);

/// What has failed since it was told last.
#[derive(Default)]
pub(crate) struct FailedHandshakes(Mutex<Failed>);

#[derive(Default)]
struct Failed {
    count: u64,
    last: Option<(Option<SocketAddr>, String)>,
    told: Option<Instant>,
}

impl FailedHandshakes {
    /// Remembers a failure. One that is no matter of TLS, such as a connection that ends, is none.
    pub(crate) fn add(&self, address: Option<SocketAddr>, error: &io::Error) {
        let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
            return;
        };
        let mut failed = self.0.lock();
        failed.count += 1;
        failed.last = Some((address, reason(error)));
    }

    /// What is to be told at this moment: how many there were, and about the last one why.
    pub(crate) fn take(&self, now: Instant) -> Option<String> {
        let mut failed = self.0.lock();
        if failed.told.is_some_and(|told| now.duration_since(told) < QUIET) {
            return None;
        }
        let (address, reason) = failed.last.take()?;
        failed.told = Some(now);
        let count = std::mem::take(&mut failed.count);
        let whom = address.map_or_else(|| "a local client".to_owned(), |address| address.to_string());
        Some(match count {
            1 => format!("the TLS handshake of {whom} failed: {reason}"),
            _ => format!("{count} TLS handshakes failed, the last of {whom}: {reason}"),
        })
    }
}

fn reason(error: &rustls::Error) -> String {
    let hint = match error {
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => "; it may not speak TLS",
        rustls::Error::AlertReceived(_) => "; it may not trust the certificate of this broker",
        rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownRevocationStatus) => {
            "; tls.crl needs a list of every authority in its chain"
        }
        rustls::Error::InvalidCertificate(
            rustls::CertificateError::ExpiredRevocationList
            | rustls::CertificateError::ExpiredRevocationListContext { .. },
        ) => "; tls.crl needs a newer list",
        _ => "",
    };
    format!("{error}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(error: rustls::Error) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }

    #[test]
    fn the_first_is_told_at_once_and_the_others_together_a_minute_later() {
        let failed = FailedHandshakes::default();
        let start = Instant::now();
        let address = Some(SocketAddr::from(([10, 0, 0, 1], 4711)));
        assert_eq!(failed.take(start), None);
        failed.add(address, &refused(rustls::Error::NoCertificatesPresented));
        let text = "the TLS handshake of 10.0.0.1:4711 failed: peer sent no certificates";
        assert_eq!(failed.take(start).as_deref(), Some(text));
        for _ in 0..3 {
            failed.add(None, &refused(rustls::Error::AlertReceived(rustls::AlertDescription::UnknownCA)));
        }
        assert_eq!(failed.take(start + QUIET / 2), None);
        let text = failed.take(start + QUIET).unwrap();
        assert!(text.starts_with("3 TLS handshakes failed, the last of a local client: "), "{text}");
        assert!(text.ends_with("; it may not trust the certificate of this broker"), "{text}");
        assert_eq!(failed.take(start + 3 * QUIET), None);
    }

    #[test]
    fn a_connection_that_ends_is_not_told() {
        let failed = FailedHandshakes::default();
        failed.add(None, &io::Error::from(io::ErrorKind::UnexpectedEof));
        failed.add(None, &io::Error::from(io::ErrorKind::ConnectionReset));
        assert_eq!(failed.take(Instant::now()), None);
    }
}
