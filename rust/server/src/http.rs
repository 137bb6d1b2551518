//! The HTTP port: an axum server on a thread of its own that hands requests to whoever has pages.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use bytes::Bytes;
use tokio::net::TcpListener;

use crate::deciders::Later;

/// The largest request body, in bytes.
const MAX_BODY: usize = 16 << 20;

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

/// An HTTP response, sent whole.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// A response of plain text.
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        let headers = vec![("content-type".to_owned(), "text/plain; charset=utf-8".to_owned())];
        Self { status, headers, body: Bytes::from(text.into()) }
    }
}

/// Who answers requests.
pub trait Pages: Send + Sync + 'static {
    /// The answer to a request; also to one for which there is no page.
    fn answer(&self, request: Request) -> Later<Response>;
}

/// Serves until the future is dropped.
pub(crate) async fn serve(listener: StdListener, pages: Arc<dyn Pages>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let app = Router::new().fallback(answer).with_state(pages);
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    // It ends only with an error of the listener, and accept errors are retried inside.
    let _ = axum::serve(listener, app).await;
}

async fn answer(
    State(pages): State<Arc<dyn Pages>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    request: axum::extract::Request,
) -> axum::response::Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return respond(Response::text(413, "the request's body is larger than 16 MiB or was cut off\n"));
    };
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), Bytes::copy_from_slice(value.as_bytes()))
    };
    let request = Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers.iter().map(header).collect(),
        body,
        address,
    };
    respond(pages.answer(request).await)
}

fn respond(response: Response) -> axum::response::Response {
    let mut answer = axum::response::Response::new(Body::from(response.body));
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
