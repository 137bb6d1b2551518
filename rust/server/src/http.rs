//! HTTP: pages, and MQTT over WebSocket beside them.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use axum::Router;
use axum::extract::{Extension, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::routing::any;
use bytes::Bytes;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};
use tower_service::Service;

use crate::accept::{self, Door, HalfOpen};
use crate::bind::Bound;
use crate::body::Body;
use crate::connection::{self, Visitor};
use crate::deciders::Later;
use crate::hub::Hub;
use crate::listener::Listener;
use crate::request_body;
use crate::server::Context;
use crate::settings::WebSocketSettings;
use crate::stream::Stream;
use crate::websocket::handshake::{self, Handshake, Origins, Refusal};
use crate::websocket::{Allowance, Metered, PROTOCOLS, WebSocketStream};
use crate::worker::Turn;

/// How long a connection may take to send the head of a request, and to begin TLS.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// A WebSocket message may be as large as a packet, and at least this large, for those who send several in one.
const MESSAGE: usize = 256 << 10;

/// What frames may add to a CONNECT before it is taken, in bytes.
const FRAMES: usize = 4 << 10;

/// How long nothing is accepted after it failed.
const PAUSE: Duration = Duration::from_millis(50);

/// An HTTP request, read whole.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path, still percent-encoded.
    pub path: String,
    /// What follows `?`, still percent-encoded; empty if nothing does.
    pub query: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, Bytes)>,
    /// The body.
    pub body: Bytes,
    /// Where it comes from.
    pub address: SocketAddr,
}

/// An HTTP response.
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
}

impl Response {
    /// A response of plain text.
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        let headers = vec![("content-type".to_owned(), "text/plain; charset=utf-8".to_owned())];
        Self { status, headers, body: Bytes::from(text.into()).into() }
    }
}

/// Who answers requests.
pub trait Pages: Send + Sync + 'static {
    /// The answer to a request; also to one for which there is no page.
    fn answer(&self, request: Request) -> Later<Response>;

    /// The place for WebSockets of this path, if there is one.
    fn hub(&self, path: &str) -> Option<Arc<Hub>>;
}

/// What is served on one thread: MQTT over WebSocket, and pages if there are any.
#[derive(Clone)]
pub(crate) struct Site(Router);

/// What a WebSocket is served with.
#[derive(Clone)]
struct Entry {
    context: Arc<Context>,
    listener: Arc<Listener>,
    turn: Arc<Mutex<Turn>>,
    origins: Arc<Origins>,
}

/// The pages, and whose pages may open WebSockets.
#[derive(Clone)]
struct PageSite {
    pages: Arc<dyn Pages>,
    origins: Arc<Origins>,
    /// What a proxy may leave before the paths.
    base: Arc<str>,
}

/// A connection as its requests see it.
#[derive(Clone)]
struct Visit {
    visitor: Arc<Mutex<Option<Visitor>>>,
    address: Option<SocketAddr>,
    allowance: Allowance,
    /// Its place among the connections of the HTTP port.
    counted: Option<Arc<Counted>>,
}

impl Visit {
    fn address(&self) -> SocketAddr {
        self.address.unwrap_or_else(|| (Ipv4Addr::UNSPECIFIED, 0).into())
    }
}

impl Site {
    /// A site on the thread whose turn this is.
    pub(crate) fn new(
        context: Arc<Context>,
        listener: Arc<Listener>,
        turn: Arc<Mutex<Turn>>,
        pages: Option<Arc<dyn Pages>>,
    ) -> Self {
        let WebSocketSettings { path, origins: named, hosts, base } = context.settings.websocket.clone();
        let origins = Arc::new(Origins { named, ports: context.http_ports.clone(), hosts });
        let entry = Entry { context, listener, turn, origins: Arc::clone(&origins) };
        let mut mqtt_at = Router::new().route(&path, any(mqtt));
        if !base.is_empty() {
            mqtt_at = mqtt_at.route(&format!("{base}{path}"), any(mqtt));
        }
        let mqtt = mqtt_at.with_state(entry);
        Self(match pages {
            Some(pages) => {
                let site = PageSite { pages, origins, base: base.into() };
                mqtt.fallback_service(Router::new().fallback(answer).with_state(site))
            }
            None => mqtt,
        })
    }
}

/// Serves the HTTP port until the future is dropped.
pub(crate) async fn serve(doors: Vec<Bound>, listener: Arc<Listener>, site: Site, context: Arc<Context>) {
    let open = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for bound in doors {
        let Ok(door) = Door::open(bound) else { continue };
        let (listener, context) = (Arc::clone(&listener), Arc::clone(&context));
        tasks.spawn(accept_all(door, listener, site.clone(), context, Arc::clone(&open)));
    }
    while tasks.join_next().await.is_some() {}
}

async fn accept_all(
    door: Door,
    listener: Arc<Listener>,
    site: Site,
    context: Arc<Context>,
    open: Arc<AtomicUsize>,
) {
    loop {
        let Ok(accepted) = door.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let Ok((plain, address)) = accepted.into_plain() else { continue };
        // Pages never take the descriptors that devices need.
        if open.load(Relaxed) >= context.settings.max_http_connections {
            context.broker.statistics.limit_max_http_connections.fetch_add(1, Relaxed);
            continue;
        }
        let counted = Arc::new(Counted::new(&open));
        let (listener, site, context) = (Arc::clone(&listener), site.clone(), Arc::clone(&context));
        tokio::spawn(async move {
            let deadline = Instant::now() + listener.settings.connect_timeout;
            let visitor = Visitor { address, certificate: None, deadline, half_open: None };
            match &listener.tls {
                None => serve_connection(plain, visitor, site, Some(counted)).await,
                Some(tls) => {
                    let handshake = tls.accept(plain, address, &context.broker);
                    if let Ok(Some(stream)) = timeout(HEAD_TIMEOUT, handshake).await {
                        let visitor = Visitor { certificate: accept::subject(&stream), ..visitor };
                        serve_connection(stream, visitor, site, Some(counted)).await;
                    }
                }
            }
        });
    }
}

/// Counts a connection while it is open.
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Serves one connection until it ends, or becomes a WebSocket.
pub(crate) async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    visitor: Visitor,
    site: Site,
    counted: Option<Arc<Counted>>,
) {
    let allowance = Allowance::unbounded();
    let head_timeout = HEAD_TIMEOUT.min(visitor.deadline.saturating_duration_since(Instant::now()));
    let visit = Visit {
        address: visitor.address,
        visitor: Arc::new(Mutex::new(Some(visitor))),
        allowance: allowance.clone(),
        counted,
    };
    let waiting = Arc::clone(&visit.visitor);
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(visit.clone());
        let mut router = site.0.clone();
        async move { Ok::<_, Infallible>(router.call(request).await.unwrap_or_else(|never| match never {})) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .serve_connection(TokioIo::new(Metered::new(stream, allowance)), service)
        .with_upgrades();
    let ended = connection.await; // whatever went wrong was its own
    let visitor = waiting.lock().take();
    if let (Err(error), Some(Visitor { half_open: Some(half_open), .. })) = (ended, visitor)
        && error.is_timeout()
    {
        half_open.count_timeout();
    }
}

/// Makes a connection one for MQTT.
async fn mqtt(
    State(entry): State<Entry>,
    Extension(visit): Extension<Visit>,
    mut request: axum::extract::Request,
) -> axum::response::Response {
    let settings = &entry.context.settings;
    let handshake = match Handshake::read(&mut request) {
        Ok(handshake) => handshake,
        Err(Refusal { status, text }) => return respond(Response::text(status, text)),
    };
    if !entry.origins.allow(request.headers()) {
        let text = "pages of this origin may not connect; websocket.origins says which may\n";
        return respond(Response::text(403, text));
    }
    let Some(protocol) = handshake::agree(request.headers(), &PROTOCOLS) else {
        let text = "the WebSocket must offer the subprotocol mqtt\n"; // [MQTT-6.0.0-3]
        return respond(Response::text(400, text));
    };
    let Some(mut visitor) = visit.visitor.lock().take() else {
        return respond(Response::text(400, "this connection was upgraded before\n"));
    };
    if visitor.half_open.is_none() {
        // The HTTP port: from here on it is one that has to send CONNECT.
        visitor.half_open = HalfOpen::new(&entry.context);
        visitor.deadline = Instant::now() + entry.listener.settings.connect_timeout;
        if visitor.half_open.is_none() {
            return respond(Response::text(503, "too many connections have not sent CONNECT\n"));
        }
    }
    visit.allowance.set(settings.max_connect_size + FRAMES);
    let answer = handshake.answer(Some(protocol));
    let longest = settings.limits.max_packet_size.max(MESSAGE);
    tokio::spawn(async move {
        let Ok(upgraded) = handshake.upgrade.await else { return };
        let stream = WebSocketStream::new(TokioIo::new(upgraded), longest);
        let stream = Stream::owned(stream).with_allowance(visit.allowance);
        let Entry { listener, context, turn, .. } = entry;
        let client =
            Box::pin(async move { connection::arrive(stream, visitor, &listener, &context, turn).await });
        let client = client.await;
        if let Some(client) = client {
            client.serve().await;
        }
    });
    answer
}

/// Answers a request for a page, or makes its connection a WebSocket of one.
async fn answer(
    State(site): State<PageSite>,
    Extension(visit): Extension<Visit>,
    mut request: axum::extract::Request,
) -> axum::response::Response {
    let address = visit.address();
    if let Some(hub) = site.pages.hub(without_base(request.uri().path(), &site.base)) {
        match Handshake::read(&mut request) {
            Ok(handshake) => return open_page_socket(&site, hub, handshake, request, visit),
            // A page may stand at the same path.
            Err(Refusal { status: 426, .. }) => {}
            Err(Refusal { status, text }) => return respond(Response::text(status, text)),
        }
    }
    let (parts, body) = request.into_parts();
    let body = match request_body::read(body, address.ip()).await {
        Ok(body) => body,
        Err(response) => return respond(response),
    };
    respond(site.pages.answer(request_of(&parts, body, address)).await)
}

fn open_page_socket(
    site: &PageSite,
    hub: Arc<Hub>,
    handshake: Handshake,
    request: axum::extract::Request,
    visit: Visit,
) -> axum::response::Response {
    if !site.origins.allow(request.headers()) {
        let text = "pages of this origin may not connect; websocket.origins says which may\n";
        return respond(Response::text(403, text));
    }
    let (parts, _) = request.into_parts();
    let mut request = request_of(&parts, Bytes::new(), visit.address());
    request.path = without_base(&request.path, &site.base).to_owned();
    let answer = handshake.answer(None);
    tokio::spawn(async move {
        let _counted = visit.counted; // it stays a connection of the HTTP port
        let Ok(upgraded) = handshake.upgrade.await else { return };
        hub.serve(TokioIo::new(upgraded), request).await;
    });
    answer
}

/// A path as it is without the proxy.
fn without_base<'a>(path: &'a str, base: &str) -> &'a str {
    path.strip_prefix(base).filter(|rest| rest.starts_with('/')).unwrap_or(path)
}

fn request_of(parts: &axum::http::request::Parts, body: Bytes, address: SocketAddr) -> Request {
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), Bytes::copy_from_slice(value.as_bytes()))
    };
    Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers.iter().map(header).collect(),
        body,
        address,
    }
}

fn respond(response: Response) -> axum::response::Response {
    let mut answer = axum::response::Response::new(response.body.into_axum());
    *answer.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    for (name, value) in response.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    answer
}
