//! What carries the bytes of MQTT: TCP, TLS or WebSocket.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::Failure;

/// What carries the bytes.
#[derive(Debug, Clone)]
pub enum Carrier {
    /// Nothing else.
    Tcp,
    /// TLS, whose server has a certificate of this authority.
    Tls(Arc<ClientConfig>),
    /// WebSocket, at this path.
    WebSocket(String),
}

impl Carrier {
    /// TLS with the authority of a PEM file.
    pub fn tls(authority: &Path) -> Result<Self, Failure> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&fs::read(authority)?)?)?;
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(Self::Tls(Arc::new(config)))
    }

    /// Connects, blocking.
    pub fn dial(&self, port: u16) -> Result<Channel, Failure> {
        let socket = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)))?;
        socket.set_nodelay(true)?;
        Ok(match self {
            Self::Tcp => Channel::Tcp(socket),
            Self::Tls(config) => {
                let name = ServerName::try_from("localhost")?;
                let session = ClientConnection::new(Arc::clone(config), name)?;
                Channel::Tls(Box::new(StreamOwned::new(session, socket)))
            }
            Self::WebSocket(path) => Channel::WebSocket(Box::new(WebSocket::open(socket, path)?)),
        })
    }
}

/// A connection. What it takes it takes whole; what the socket did not take of it is still to be flushed.
pub enum Channel {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    WebSocket(Box<WebSocket>),
}

impl Channel {
    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Tcp(socket) => socket,
            Self::Tls(stream) => &stream.sock,
            Self::WebSocket(stream) => &stream.socket,
        }
    }

    /// Whether something is to be flushed.
    pub fn wants_flush(&self) -> bool {
        match self {
            Self::Tcp(_) => false,
            Self::Tls(stream) => stream.conn.wants_write(),
            Self::WebSocket(stream) => !stream.unsent.is_empty(),
        }
    }

    /// Whether a read may give less than asked for although there is more.
    pub fn reads_in_pieces(&self) -> bool {
        !matches!(self, Self::Tcp(_))
    }
}

impl Read for Channel {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
            Self::WebSocket(stream) => stream.read(buffer),
        }
    }
}

impl Write for Channel {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
            Self::WebSocket(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(_) => Ok(()),
            Self::Tls(stream) => stream.flush(),
            Self::WebSocket(stream) => stream.flush(),
        }
    }
}

/// The client's side of RFC 6455, as far as brokers go: binary frames, whose mask is 0, so that it costs nothing here.
pub struct WebSocket {
    socket: TcpStream,
    /// Bytes of frames that the socket did not take.
    unsent: Vec<u8>,
    /// What was read, and how far it was used.
    raw: Vec<u8>,
    used: usize,
    /// Bytes of the current frame's payload that are still to come.
    left: usize,
}

/// Bytes that are read at a time.
const RAW: usize = 64 << 10;

const BINARY_AND_FINAL: u8 = 0x82;
const MASKED: u8 = 0x80;

impl WebSocket {
    fn open(mut socket: TcpStream, path: &str) -> Result<Self, Failure> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Protocol: mqtt\r\n\r\n"
        );
        socket.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut one = [0];
            socket.read_exact(&mut one)?;
            answer.push(one[0]);
        }
        if !answer.starts_with(b"HTTP/1.1 101") {
            return Err(format!("no WebSocket: {}", String::from_utf8_lossy(&answer)).into());
        }
        Ok(Self { socket, unsent: Vec::new(), raw: Vec::with_capacity(RAW), used: 0, left: 0 })
    }

    /// Takes payload out of what was read, behind heads of frames.
    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let mut taken = 0;
        while taken < buffer.len() {
            let there = &self.raw[self.used..];
            if self.left > 0 {
                let some = self.left.min(there.len()).min(buffer.len() - taken);
                buffer[taken..taken + some].copy_from_slice(&there[..some]);
                taken += some;
                self.used += some;
                self.left -= some;
                if self.left > 0 {
                    break;
                }
            } else if let Some((head, length)) = head(there) {
                self.used += head;
                self.left = length;
            } else {
                break;
            }
        }
        taken
    }
}

/// The length of a frame's head and of its payload, if the head is whole.
fn head(bytes: &[u8]) -> Option<(usize, usize)> {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
    match bytes.get(1)? & !MASKED {
        126 => Some((4, number(bytes.get(2..4)?))),
        127 => Some((10, number(bytes.get(2..10)?))),
        length => Some((2, usize::from(length))),
    }
}

impl Read for WebSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let taken = self.take(buffer);
            if taken > 0 {
                return Ok(taken);
            }
            self.raw.drain(..self.used);
            self.used = 0;
            let held = self.raw.len();
            self.raw.resize(held + RAW, 0);
            let read = self.socket.read(&mut self.raw[held..]);
            self.raw.truncate(held + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                return Ok(0);
            }
        }
    }
}

impl Write for WebSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush()?;
        self.unsent.push(BINARY_AND_FINAL);
        match bytes.len() {
            length @ 0..126 => self.unsent.push(MASKED | length as u8),
            length @ 126..65_536 => {
                self.unsent.push(MASKED | 126);
                self.unsent.extend_from_slice(&(length as u16).to_be_bytes());
            }
            length => {
                self.unsent.push(MASKED | 127);
                self.unsent.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        self.unsent.extend_from_slice(&[0; 4]);
        self.unsent.extend_from_slice(bytes);
        match self.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(bytes.len()),
        }
    }

    /// All of it, or `WouldBlock`.
    fn flush(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            let written = self.socket.write(&self.unsent)?;
            self.unsent.drain(..written);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::head;

    #[test]
    fn heads() {
        assert_eq!(head(b"\x82\x7d"), Some((2, 125)));
        assert_eq!(head(b"\x82\x7e\x01\x00"), Some((4, 256)));
        assert_eq!(head(b"\x82\x7f\0\0\0\0\0\x01\0\0"), Some((10, 65_536)));
        assert_eq!((head(b"\x82"), head(b"\x82\x7e\x01")), (None, None));
    }
}
