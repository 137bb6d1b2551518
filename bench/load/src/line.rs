//! A connection that never blocks.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::AsRawFd as _;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use crate::Failure;
use crate::carrier::{Carrier, Channel};
use crate::frame::{self, CONNACK, Login, PINGRESP, SUBACK, Version};

/// Bytes that are read at a time.
const READ: usize = 256 << 10;

/// A connection.
pub struct Line {
    channel: Channel,
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
pub fn dial(carrier: &Carrier, port: u16, version: Version, client_id: &str) -> Result<Channel, Failure> {
    dial_as(None, carrier, port, version, client_id)
}

/// Connects as a user, blocking.
pub fn dial_as(
    login: Option<&Login>,
    carrier: &Carrier,
    port: u16,
    version: Version,
    client_id: &str,
) -> Result<Channel, Failure> {
    let mut channel = carrier.dial(port)?;
    channel.write_all(&frame::connect(version, client_id, login))?;
    expect(&mut channel, CONNACK, |body| body.get(1) == Some(&0))?;
    Ok(channel)
}

/// Subscribes, blocking.
pub fn subscribe(
    channel: &mut Channel,
    version: Version,
    filters: &[String],
    qos: u8,
) -> Result<(), Failure> {
    // Some brokers take only so many filters in a packet.
    for some in filters.chunks(100) {
        channel.write_all(&frame::subscribe(version, some, qos))?;
        expect(channel, SUBACK, |body| body.last() == Some(&qos))?;
    }
    Ok(())
}

/// Waits until the broker has read everything.
pub fn ping(channel: &mut Channel) -> Result<(), Failure> {
    channel.write_all(&[0xc0, 0])?;
    expect(channel, PINGRESP, |_| true)
}

/// Reads one packet, which must be of this type and as it should be.
fn expect(channel: &mut Channel, kind: u8, good: impl Fn(&[u8]) -> bool) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    loop {
        let mut one = [0];
        channel.read_exact(&mut one)?;
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
    pub fn new(channel: Channel, token: usize, registry: &Registry) -> io::Result<Self> {
        channel.socket().set_nonblocking(true)?;
        let token = Token(token);
        registry.register(&mut SourceFd(&channel.socket().as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { channel, token, rest: Vec::new(), waiting: Vec::new(), watched: false })
    }

    /// Reads what is there, and hands every whole packet over.
    pub fn read(&mut self, buffer: &mut Buffer, mut each: impl FnMut(Packet<'_>)) -> Result<(), Failure> {
        loop {
            let held = self.rest.len();
            if buffer.0.len() < held + READ {
                buffer.0.resize(2 * held + READ, 0); // for a packet that is larger than what is read at a time
            }
            buffer.0[..held].copy_from_slice(&self.rest);
            let read = match self.channel.read(&mut buffer.0[held..]) {
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
            if held + read < buffer.0.len() && !self.channel.reads_in_pieces() {
                return Ok(()); // the socket is empty, or will say that it is not
            }
        }
    }

    /// Writes bytes, or keeps what the socket does not take.
    pub fn write(&mut self, bytes: &[u8], registry: &Registry) -> Result<(), Failure> {
        let mut written = 0;
        if self.waiting.is_empty() {
            while written < bytes.len() {
                match self.channel.write(&bytes[written..]) {
                    Ok(some) => written += some,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        if written < bytes.len() {
            self.waiting.extend_from_slice(&bytes[written..]);
        }
        if self.is_blocked() {
            self.watch(true, registry)?;
        }
        Ok(())
    }

    /// The socket takes more.
    pub fn write_on(&mut self, registry: &Registry) -> Result<(), Failure> {
        match self.channel.flush() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            flushed => flushed?,
        }
        let waiting = std::mem::take(&mut self.waiting);
        self.write(&waiting, registry)?;
        if !self.is_blocked() {
            self.watch(false, registry)?;
        }
        Ok(())
    }

    /// Whether the socket has not taken everything.
    pub fn is_blocked(&self) -> bool {
        !self.waiting.is_empty() || self.channel.wants_flush()
    }

    fn watch(&mut self, writable: bool, registry: &Registry) -> io::Result<()> {
        if self.watched != writable {
            self.watched = writable;
            let interest = Interest::READABLE;
            let interest = if writable { interest | Interest::WRITABLE } else { interest };
            registry.reregister(&mut SourceFd(&self.channel.socket().as_raw_fd()), self.token, interest)?;
        }
        Ok(())
    }
}
