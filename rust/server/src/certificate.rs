//! Who a client's certificate says it is.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use x509_parser::objects::oid2abbrev;
use x509_parser::oid_registry::OidRegistry;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::X509Name;

/// The subject of a certificate whose signature was checked.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// The Common Name, if there is one that is text.
    pub(crate) common_name: Option<Arc<str>>,
    /// All of it, the most specific part first: `CN=tank,O=Water`, as RFC 4514 writes it.
    pub(crate) distinguished_name: Arc<str>,
}

impl Subject {
    /// Reads the subject; `None` if it cannot be read.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let name = certificate.subject();
        let common_name = name.iter_common_name().next().and_then(|part| part.as_str().ok());
        let common_name = common_name.filter(|text| !text.is_empty() && !text.contains('\0'));
        Some(Self {
            common_name: common_name.map(Arc::from),
            distinguished_name: distinguished_name(name)?.into(),
        })
    }
}

fn distinguished_name(name: &X509Name<'_>) -> Option<String> {
    let registry = OidRegistry::default().with_x509();
    let mut parts = Vec::new();
    for sequence in name.iter_rdn() {
        let mut attributes = Vec::new();
        for attribute in sequence.iter() {
            let kind = oid2abbrev(attribute.attr_type(), &registry)
                .map_or_else(|_| attribute.attr_type().to_id_string(), str::to_owned);
            attributes.push(format!("{kind}={}", escaped(attribute.as_str().ok()?)));
        }
        parts.push(attributes.join("+"));
    }
    parts.reverse();
    Some(parts.join(","))
}

/// A value in which nothing can be taken for the next part.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (index, character) in value.chars().enumerate() {
        let special = matches!(character, ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=');
        let edge = index == 0 && matches!(character, ' ' | '#') || index == last && character == ' ';
        if special || edge {
            out.push('\\');
        }
        match character {
            '\0' => out.push_str("\\00"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn values_are_escaped() {
        assert_eq!(escaped("tank"), "tank");
        assert_eq!(escaped("a,CN=b"), "a\\,CN\\=b");
        assert_eq!(escaped(" #x "), "\\ #x\\ ");
    }
}
