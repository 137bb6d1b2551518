//! Binding and accepting.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::connection;
use crate::server::Context;
use crate::worker::Worker;

/// Connections the kernel keeps for us to accept.
const BACKLOG: i32 = 4096;

/// An address could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot bind {host}:{port} for {purpose}: {source}")]
pub struct BindError {
    /// `mqtt` or `http`.
    pub purpose: &'static str,
    /// The host that was asked for.
    pub host: String,
    /// The port that was asked for.
    pub port: u16,
    /// What the system said.
    pub source: io::Error,
}

/// Binds a listener; its errors name what it was for.
pub(crate) fn bind(purpose: &'static str, host: &str, port: u16) -> Result<StdListener, BindError> {
    try_bind(host, port).map_err(|source| BindError { purpose, host: host.to_owned(), port, source })
}

fn try_bind(host: &str, port: u16) -> io::Result<StdListener> {
    let unknown = || io::Error::new(io::ErrorKind::AddrNotAvailable, "the host has no address");
    let address: SocketAddr = (host, port).to_socket_addrs()?.next().ok_or_else(unknown)?;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?; // connections of a broker that just ended do not hold the port
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Accepts MQTT connections and hands them to the workers in turn.
pub(crate) async fn accept(listener: StdListener, context: Arc<Context>, workers: Arc<[Worker]>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    let turn = AtomicUsize::new(0);
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(_) => {
                // Out of descriptors, or a connection that ended before it was accepted. Trying again at
                // once would spin until somebody closes.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let worker = &workers[turn.fetch_add(1, Relaxed) % workers.len()];
        let Ok(stream) = stream.into_std() else { continue };
        let context = Arc::clone(&context);
        let turn = Arc::clone(&worker.turn);
        worker.handle.spawn(async move {
            let Ok(stream) = TcpStream::from_std(stream) else { return };
            // The batching is ours: without this a small packet waits for the acknowledgement of the last.
            let _ = stream.set_nodelay(true);
            connection::serve(stream, address, context, turn).await;
        });
    }
}
