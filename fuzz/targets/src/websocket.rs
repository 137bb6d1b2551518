//! From the frames of a WebSocket to the bytes of MQTT, and back: the server's own stream, on a connection in
//! memory.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};

use crate::frame;

// The server keeps it to itself.
#[allow(dead_code)] // and not all of it is needed here
#[path = "../../../rust/server/src/websocket"]
mod server {
    pub(crate) mod frames;
    pub(crate) mod metered;
    pub(crate) mod stream;
}

use server::metered::{Allowance, Metered};
use server::stream::WebSocketStream;

/// The largest frame and the largest message that are taken.
const LARGEST: usize = 4096;

/// A connection in memory takes no time at all; if it takes this long, it hangs.
const HANGS: Duration = Duration::from_secs(20);

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
    while let Some((frame, whole)) = frame::next(&mut rest, false, usize::MAX) {
        assert!(frame.fin && frame.opcode != frame::TEXT, "{frame:?}");
        // An answer to a client that hung up in the middle may be cut, a message may not.
        assert!(whole || frame.opcode >= frame::CLOSE, "half a message: {frame:?}");
    }
    assert!(rest.first().is_none_or(|first| first & 0x0f >= frame::CLOSE), "half a message: {rest:?}");
}

/// Sends frames to a server: the bytes it read, and what it sent.
async fn exchange(frames: &[u8], piece: usize, allowance: Option<usize>) -> (Vec<u8>, Vec<u8>) {
    let (client, server) = duplex(piece);
    let serving = tokio::spawn(serve(server, piece, allowance));
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
    let (Ok(sent), Ok(read)) = (reading.await, serving.await) else {
        unreachable!("a task of the connection did not end well")
    };
    (read, sent)
}

/// Serves one connection with a stream that is sent back; what came.
async fn serve(server: DuplexStream, piece: usize, bytes: Option<usize>) -> Vec<u8> {
    let allowance = Allowance::unbounded();
    if let Some(bytes) = bytes {
        allowance.set(bytes);
    }
    echo(WebSocketStream::new(Metered::new(server, allowance), LARGEST), piece).await
}

/// Sends back what comes until it ends; what came.
async fn echo(mut stream: WebSocketStream<Metered<DuplexStream>>, piece: usize) -> Vec<u8> {
    let mut read = Vec::new();
    let mut buffer = vec![0; piece];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        read.extend_from_slice(&buffer[..count]);
        assert!(stream.write_all(&buffer[..count]).await.is_ok() && stream.flush().await.is_ok());
    }
    let _ = stream.shutdown().await;
    read
}
