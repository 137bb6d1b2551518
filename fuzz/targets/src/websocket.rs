//! From the frames of a WebSocket to the bytes of MQTT, and back: the server's own stream, on a connection in
//! memory.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};
use tokio::sync::oneshot;

use crate::frame;

// The server keeps it to itself.
#[path = "../../../rust/server/src/websocket.rs"]
#[expect(dead_code, reason = "not all of it is needed here")]
mod stream;

use stream::{Allowance, Metered, PROTOCOLS, WebSocketStream};

/// The largest frame and the largest message that are taken.
const LARGEST: usize = 4096;

/// A connection in memory takes no time at all; if it takes this long, it hangs.
const HANGS: Duration = Duration::from_secs(20);

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: mqtt\r\n\r\n";

thread_local! {
    static RUNTIME: tokio::runtime::Runtime = runtime();
}

fn runtime() -> tokio::runtime::Runtime {
    match tokio::runtime::Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => unreachable!("a runtime without I/O: {error}"),
    }
}

/// The first byte says how the frames are cut, the second how many bytes may come before CONNECT; the rest
/// are a client's frames.
pub fn run(data: &[u8]) {
    let [cut, allowance, frames @ ..] = data else { return };
    // Many frames are cut into some hundred pieces at most, for the time it takes.
    let piece = (usize::from(*cut) + 1).max(frames.len() / 256);
    let allowance = (*allowance >= 0x80).then(|| usize::from(allowance - 0x80) * 8);
    let outcome = RUNTIME.with(|runtime| {
        runtime.block_on(async { tokio::time::timeout(HANGS, exchange(frames, piece, allowance)).await })
    });
    let Ok((read, sent)) = outcome else { unreachable!("the connection hangs") };

    let expected = frame::binary(frames, true, LARGEST);
    match allowance {
        Some(bytes) if frames.len() > bytes => assert!(expected.starts_with(&read) && read.len() <= bytes),
        _ => assert_eq!(read, expected),
    }
    // What was read was sent back, and nothing of it in a frame that a client must refuse.
    assert_eq!(frame::binary(&sent, false, usize::MAX), read);
    let mut rest = &sent[..];
    while let Some(frame) = frame::next(&mut rest, false, usize::MAX) {
        assert!(frame.fin && frame.opcode != frame::TEXT, "{frame:?}");
    }
    // An answer to a client that hung up in the middle may be cut, a message may not.
    assert!(rest.first().is_none_or(|first| first & 0x0f >= frame::CLOSE), "half a message: {rest:?}");
}

/// Sends frames to a server: the bytes it read, and what it sent.
async fn exchange(frames: &[u8], piece: usize, allowance: Option<usize>) -> (Vec<u8>, Vec<u8>) {
    let (mut client, server) = duplex(piece);
    let (done, result) = oneshot::channel();
    let serving = tokio::spawn(serve(server, piece, allowance, done));
    assert!(client.write_all(REQUEST).await.is_ok());
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let byte = client.read_u8().await;
        assert!(byte.is_ok(), "the answer ends early: {answer:?}");
        answer.extend(byte);
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "), "{answer:?}");

    let (mut from_server, mut to_server) = split(client);
    let reading = tokio::spawn(async move {
        let mut sent = Vec::new();
        // What came before an error is what was sent.
        let _ = from_server.read_to_end(&mut sent).await;
        sent
    });
    for part in frames.chunks(piece) {
        // A server that has seen enough hangs up.
        if to_server.write_all(part).await.is_err() {
            break;
        }
    }
    let _ = to_server.shutdown().await;
    let (Ok(read), Ok(sent), Ok(())) = (result.await, reading.await, serving.await) else {
        unreachable!("a task of the connection did not end well")
    };
    (read, sent)
}

type Done = oneshot::Sender<Vec<u8>>;

/// Serves one connection as the HTTP port does, with a stream that is sent back.
async fn serve(server: DuplexStream, piece: usize, bytes: Option<usize>, done: Done) {
    let allowance = Allowance::unbounded();
    let metered = Metered::new(server, allowance.clone());
    let done = Arc::new(Mutex::new(Some(done)));
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let (allowance, done) = (allowance.clone(), Arc::clone(&done));
        async move { Ok::<_, Infallible>(upgrade(request, piece, bytes, allowance, done).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new();
    let _ = connection.serve_connection(TokioIo::new(metered), service).with_upgrades().await;
}

async fn upgrade(
    request: hyper::Request<Incoming>,
    piece: usize,
    bytes: Option<usize>,
    allowance: Allowance,
    done: Arc<Mutex<Option<Done>>>,
) -> Response {
    let (mut parts, _) = request.map(Body::new).into_parts();
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(refusal) => return refusal.into_response(),
    };
    let upgrade = upgrade.protocols(PROTOCOLS).read_buffer_size(4096).write_buffer_size(0);
    let upgrade = upgrade.max_frame_size(LARGEST).max_message_size(LARGEST);
    if let Some(bytes) = bytes {
        allowance.set(bytes);
    }
    upgrade.on_upgrade(move |socket: WebSocket| async move {
        let read = echo(WebSocketStream::new(socket), piece).await;
        let done = done.lock().take();
        let sent = done.is_some_and(|done| done.send(read).is_ok());
        assert!(sent, "the connection was upgraded twice");
    })
}

/// Sends back what comes until it ends; what came.
async fn echo(mut stream: WebSocketStream, piece: usize) -> Vec<u8> {
    let mut read = Vec::new();
    let mut buffer = vec![0; piece];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        read.extend_from_slice(&buffer[..count]);
        assert!(stream.write_all(&buffer[..count]).await.is_ok() && stream.flush().await.is_ok());
    }
    let _ = stream.shutdown().await;
    read
}
