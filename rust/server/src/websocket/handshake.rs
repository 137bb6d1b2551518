//! The opening handshake of WebSocket: an HTTP request that asks for an upgrade, and its answer.

use std::net::IpAddr;

use axum::body::Body;
use axum::http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version, header,
};
use base64ct::{Base64, Encoding as _};
use hyper::upgrade::OnUpgrade;
use sha1::{Digest as _, Sha1};

/// What a server adds to a client's key to show that it understood. (RFC 6455, section 1.3)
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The version of the protocol that RFC 6455 describes.
const VERSION: &str = "13";

/// The length of a client's key, in bytes.
const KEY: usize = 16;

/// Why a request cannot become a WebSocket: a status code and words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) text: &'static str,
}

/// A request that asks for an upgrade in the right words.
pub(crate) struct Handshake {
    /// Gives the connection when the answer was sent.
    pub(crate) upgrade: OnUpgrade,
    accept: HeaderValue,
}

impl Handshake {
    /// Reads a request.
    pub(crate) fn read(request: &mut Request<Body>) -> Result<Self, Refusal> {
        let headers = request.headers();
        if !lists(headers, &header::UPGRADE, "websocket") || !lists(headers, &header::CONNECTION, "upgrade") {
            return Err(Refusal { status: 426, text: "this is for WebSockets\n" });
        }
        if request.method() != Method::GET || request.version() != Version::HTTP_11 {
            return Err(Refusal { status: 405, text: "a WebSocket begins with GET in HTTP/1.1\n" });
        }
        if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != VERSION) {
            return Err(Refusal { status: 426, text: "the WebSocket must be of version 13\n" });
        }
        let mut bytes = [0; KEY];
        let key = headers.get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).filter(|key| {
            Base64::decode(key, &mut bytes).is_ok_and(|key| key.len() == KEY) // what it says does not matter
        });
        let key = key.ok_or(Refusal { status: 400, text: "the WebSocket's key is not one\n" })?;
        let digest = Sha1::new_with_prefix(key).chain_update(GUID).finalize();
        let accept = HeaderValue::from_str(&Base64::encode_string(&digest))
            .map_err(|_| Refusal { status: 500, text: "the WebSocket's key has no answer\n" })?;
        let upgrade = request.extensions_mut().remove::<OnUpgrade>();
        let upgrade = upgrade.ok_or(Refusal { status: 426, text: "this connection cannot be upgraded\n" })?;
        Ok(Self { upgrade, accept })
    }

    /// The answer that makes the connection a WebSocket.
    pub(crate) fn answer(&self, protocol: Option<&'static str>) -> Response<Body> {
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = answer.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept.clone());
        if let Some(protocol) = protocol {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
        }
        answer
    }
}

/// The first of these subprotocols that the client offers too.
pub(crate) fn agree(headers: &HeaderMap, ours: &[&'static str]) -> Option<&'static str> {
    let offered: Vec<&str> = words(headers, &header::SEC_WEBSOCKET_PROTOCOL).collect();
    ours.iter().copied().find(|name| offered.contains(name))
}

/// Whose pages may connect.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    /// Origins that were named; `*` is any.
    pub(crate) named: Vec<String>,
    /// Ports that serve pages of ours: those of the same host may connect.
    pub(crate) ports: Vec<u16>,
    /// Names of this machine, and those by which a proxy is called, in lower case; `*` is any. A page of somebody else's
    /// can have a name of its own lead here, and then its origin is the host that it asks (DNS rebinding).
    pub(crate) hosts: Vec<String>,
}

impl Origins {
    /// Whether a page of this origin may connect. A client that is no browser names none.
    pub(crate) fn allow(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else { return true };
        let Ok(origin) = origin.to_str() else { return false };
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        host.is_some_and(|host| self.is_ours(origin, host, is_of_browser(headers)))
            || self
                .named
                .iter()
                .any(|one| one == "*" || one.trim_end_matches('/').eq_ignore_ascii_case(origin))
    }

    fn is_ours(&self, origin: &str, host: &str, browser: bool) -> bool {
        let Some((scheme, authority)) = origin.split_once("://") else { return false };
        let standard = match scheme.to_ascii_lowercase().as_str() {
            "http" => 80,
            "https" => 443,
            _ => return false,
        };
        let (name, port) = split_port(authority);
        let (asked, asked_port) = split_port(host);
        let port = port.unwrap_or(standard);
        let same = port == asked_port.unwrap_or(standard) || self.ports.contains(&port);
        if name == asked && same {
            return !browser || self.knows(&asked, asked_port);
        }
        // A proxy that does not hand the browser's Host on.
        self.is_named(&name, Some(port)) || (port == standard && self.is_named(&name, None))
    }

    /// Whether a host is this machine, by a name that nobody else can give away.
    fn knows(&self, name: &str, port: Option<u16>) -> bool {
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        name == "localhost"
            || name.ends_with(".localhost")
            || address.parse::<IpAddr>().is_ok()
            || self.hosts.iter().any(|one| one == "*")
            || self.is_named(name, None)
            || port.is_some() && self.is_named(name, port)
    }

    /// Whether a name is among the hosts, as it is or with a port.
    fn is_named(&self, name: &str, port: Option<u16>) -> bool {
        self.hosts.iter().any(|one| match port {
            None => one == name,
            Some(port) => split_port(one) == (name.to_owned(), Some(port)),
        })
    }
}

/// Whether a browser asks, none of which leaves all of these out and no page can. Programs name an origin too: paho's is
/// whatever host it was told to connect to.
fn is_of_browser(headers: &HeaderMap) -> bool {
    const SIGNS: [HeaderName; 4] =
        [header::USER_AGENT, header::ACCEPT_LANGUAGE, header::ACCEPT_ENCODING, header::COOKIE];
    SIGNS.iter().any(|name| headers.contains_key(name)) || headers.contains_key("sec-fetch-site")
}

/// A name or an address in lower case, and its port if it says one. An IPv6 address is in brackets.
fn split_port(authority: &str) -> (String, Option<u16>) {
    let (name, port) = match authority.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (authority, None),
        },
        _ => (authority, None),
    };
    (name.trim_end_matches('.').to_ascii_lowercase(), port)
}

fn lists(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    words(headers, name).any(|word| word.eq_ignore_ascii_case(wanted))
}

/// The words of a header that is a list, in however many lines.
fn words<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',').map(str::trim))
}
