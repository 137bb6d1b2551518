//! A connection that never blocks.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream as Blocking};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::Failure;
use crate::frame::{self, CONNACK, SUBACK, Version};

/// Bytes that are read at a time.
const READ: usize = 256 << 10;

/// A connection.
pub struct Line {
    socket: TcpStream,
    token: Token,
    /// What was read and is no whole packet yet.
    rest: Vec<u8>,
    /// What the socket did not take.
    waiting: Vec<u8>,
    /// Whether it is told when the socket takes more.
    watched: bool,
}

/// What all connections read into.
pub struct Buffer(Vec<u8>);

impl Default for Buffer {
    fn default() -> Self {
        Self(vec![0; READ])
    }
}

/// A packet that was read: its type, its flags, and what comes behind the fixed header.
pub struct Packet<'a> {
    pub kind: u8,
    pub flags: u8,
    pub body: &'a [u8],
}

/// Connects, blocking.
pub fn dial(port: u16, version: Version, client_id: &str) -> Result<Blocking, Failure> {
    let mut socket = Blocking::connect(SocketAddr::from(([127, 0, 0, 1], port)))?;
    socket.set_nodelay(true)?;
    socket.write_all(&frame::connect(version, client_id))?;
    expect(&mut socket, CONNACK, |body| body.get(1) == Some(&0))?;
    Ok(socket)
}

/// Subscribes, blocking.
pub fn subscribe(
    socket: &mut Blocking,
    version: Version,
    filters: &[String],
    qos: u8,
) -> Result<(), Failure> {
    // Some brokers take only so many filters in a packet.
    for some in filters.chunks(100) {
        socket.write_all(&frame::subscribe(version, some, qos))?;
        expect(socket, SUBACK, |body| body.last() == Some(&qos))?;
    }
    Ok(())
}

/// Reads one packet, which must be of this type and as it should be.
fn expect(socket: &mut Blocking, kind: u8, good: impl Fn(&[u8]) -> bool) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    loop {
        let mut one = [0];
        socket.read_exact(&mut one)?;
        bytes.push(one[0]);
        if let Some((header, end)) = frame::first(&bytes) {
            return match bytes[0] >> 4 == kind && good(&bytes[header..end]) {
                true => Ok(()),
                false => Err(format!("the broker answered {bytes:?}").into()),
            };
        }
    }
}

impl Line {
    /// Goes on with a connection that blocked until now.
    pub fn new(socket: Blocking, token: usize, registry: &Registry) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let mut socket = TcpStream::from_std(socket);
        let token = Token(token);
        registry.register(&mut socket, token, Interest::READABLE)?;
        Ok(Self { socket, token, rest: Vec::new(), waiting: Vec::new(), watched: false })
    }

    /// Reads what is there, and hands every whole packet over.
    pub fn read(&mut self, buffer: &mut Buffer, mut each: impl FnMut(Packet<'_>)) -> Result<(), Failure> {
        loop {
            let held = self.rest.len();
            buffer.0[..held].copy_from_slice(&self.rest);
            let read = match self.socket.read(&mut buffer.0[held..]) {
                Ok(0) => return Err("the broker closed a connection".into()),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let bytes = &buffer.0[..held + read];
            let mut at = 0;
            while let Some((header, end)) = frame::first(&bytes[at..]) {
                let first = bytes[at];
                each(Packet { kind: first >> 4, flags: first & 15, body: &bytes[at + header..at + end] });
                at += end;
            }
            self.rest.clear();
            self.rest.extend_from_slice(&bytes[at..]);
            if held + read < buffer.0.len() {
                return Ok(()); // the socket is empty, or will say that it is not
            }
        }
    }

    /// Writes bytes, or keeps what the socket does not take.
    pub fn write(&mut self, bytes: &[u8], registry: &Registry) -> Result<(), Failure> {
        let mut written = 0;
        if self.waiting.is_empty() {
            while written < bytes.len() {
                match self.socket.write(&bytes[written..]) {
                    Ok(some) => written += some,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        if written < bytes.len() {
            self.waiting.extend_from_slice(&bytes[written..]);
            self.watch(true, registry)?;
        }
        Ok(())
    }

    /// The socket takes more.
    pub fn write_on(&mut self, registry: &Registry) -> Result<(), Failure> {
        let waiting = std::mem::take(&mut self.waiting);
        self.write(&waiting, registry)?;
        if self.waiting.is_empty() {
            self.watch(false, registry)?;
        }
        Ok(())
    }

    /// Whether the socket has not taken everything.
    pub fn is_blocked(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn watch(&mut self, writable: bool, registry: &Registry) -> io::Result<()> {
        if self.watched != writable {
            self.watched = writable;
            let interest = Interest::READABLE;
            let interest = if writable { interest | Interest::WRITABLE } else { interest };
            registry.reregister(&mut self.socket, self.token, interest)?;
        }
        Ok(())
    }
}
