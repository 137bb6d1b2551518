//! Binding addresses.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::settings::Place;

/// Connections the kernel keeps for us to accept.
const BACKLOG: i32 = 4096;

/// An address could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot bind {host}:{port} for {purpose}: {source}")]
pub struct BindError {
    /// `mqtt`, `mqtts`, `ws`, `wss`, `unix`, `http` or `https`.
    pub purpose: &'static str,
    /// The host that was asked for, or the path of a Unix socket.
    pub host: String,
    /// The port that was asked for.
    pub port: u16,
    /// What the system said.
    pub source: io::Error,
}

/// A socket that is bound.
pub(crate) enum Bound {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// The file of a Unix socket; it goes with the listener.
pub(crate) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Binds a place; its errors name what it was for. A host name is bound at each of its addresses.
pub(crate) fn bind(purpose: &'static str, place: &Place) -> Result<Vec<Bound>, BindError> {
    let (result, host, port) = match place {
        Place::Tcp { host, port } => (bind_tcp(host, *port), host.clone(), *port),
        Place::Unix { path, mode } => (bind_unix(path, *mode), path.display().to_string(), 0),
    };
    result.map_err(|source| BindError { purpose, host, port, source })
}

fn bind_tcp(host: &str, port: u16) -> io::Result<Vec<Bound>> {
    let mut bound = Vec::new();
    let (mut port, mut missing) = (port, None);
    for address in (host, port).to_socket_addrs()? {
        match listen(SocketAddr::new(address.ip(), port)) {
            Ok(listener) => {
                port = listener.local_addr()?.port();
                bound.push(Bound::Tcp(listener));
            }
            // `localhost` has an IPv6 address in many places that have no IPv6.
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => missing = Some(error),
            Err(error) => return Err(error),
        }
    }
    let unknown = || io::Error::new(io::ErrorKind::AddrNotAvailable, "the host has no address");
    if bound.is_empty() { Err(missing.unwrap_or_else(unknown)) } else { Ok(bound) }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?; // connections of a broker that just ended do not hold the port
    if address.is_ipv6() && !address.ip().is_unspecified() {
        socket.set_only_v6(true)?; // `::` takes IPv4 as well
    }
    // The batching is ours: without this a small packet waits for the acknowledgement of the last. Connections have it
    // from the socket that accepts them, so that none pays a system call for it.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn bind_unix(path: &Path, mode: u32) -> io::Result<Vec<Bound>> {
    remove_stale(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile(path.to_owned());
    // Before it listens, so that nobody slips in whom the permissions keep out.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(vec![Bound::Unix(socket.into(), file)])
}

/// Removes the file of a socket on which nobody listens any more. Any other file stays.
fn remove_stale(path: &Path) -> io::Result<()> {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is no socket is in the way"));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}
