//! The two directions of one side of a bridge: bytes that become packets, and packets that become bytes.

use std::io;

use bytes::BytesMut;
use hookmq_codec::{DecodeError, Decoder, Packet, Version};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::Instant;

use crate::worker::READ_SIZE;

/// Memory that is kept for the next bytes when all were written.
const KEPT: usize = 256 << 10;

/// Whatever carries the bytes of one side.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// What comes from one side.
pub(crate) struct Source {
    reader: ReadHalf<Box<dyn Duplex>>,
    decoder: Decoder,
    version: Version,
    unread: BytesMut,
    /// When something came last.
    pub(crate) heard: Instant,
}

/// Packets for one side as bytes.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) version: Version,
    pub(crate) bytes: BytesMut,
}

/// What goes to one side.
pub(crate) struct Sink {
    writer: WriteHalf<Box<dyn Duplex>>,
    pub(crate) wire: Wire,
    /// Something was written that may still be in a buffer of the way.
    unflushed: bool,
    /// When something was written last.
    pub(crate) wrote: Instant,
}

/// Both directions of a stream, in a version of MQTT, with packets of at most so many bytes coming.
pub(crate) fn open(stream: Box<dyn Duplex>, version: Version, largest: usize) -> (Source, Sink) {
    let (reader, writer) = tokio::io::split(stream);
    let (now, unread) = (Instant::now(), BytesMut::new());
    let source = Source { reader, decoder: Decoder::new(version, largest), version, unread, heard: now };
    let wire = Wire { version, bytes: BytesMut::new() };
    (source, Sink { writer, wire, unflushed: false, wrote: now })
}

impl Source {
    /// Reads what is there. Nothing is lost if this is dropped before.
    pub(crate) async fn read(&mut self) -> io::Result<()> {
        self.unread.reserve(READ_SIZE);
        match self.reader.read_buf(&mut self.unread).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => {
                self.heard = Instant::now();
                Ok(())
            }
        }
    }

    /// The next whole packet of what was read.
    pub(crate) fn next(&mut self) -> Result<Option<Packet>, DecodeError> {
        self.decoder.next(&mut self.unread)
    }

    /// Whether 5.0 is answered in the words of 3.1.1, as a broker does that does not know it: two bytes, which no CONNACK of
    /// 5.0 is as short as.
    pub(crate) fn answers_as_older(&self) -> bool {
        self.version.is_v5() && matches!(self.unread[..], [0x20, 2, ..])
    }

    /// The first packet of what was read.
    pub(crate) fn first(&mut self) -> Result<Option<Packet>, DecodeError> {
        match self.answers_as_older() {
            true => Decoder::new(Version::V311, 4).next(&mut self.unread),
            false => self.next(),
        }
    }
}

impl Wire {
    /// Adds a packet.
    pub(crate) fn put(&mut self, packet: &Packet) {
        packet.encode(self.version, &mut self.bytes);
    }

    /// Adds a packet, unless it has more bytes than this. Says whether it was added.
    pub(crate) fn put_within(&mut self, packet: &Packet, largest: usize) -> bool {
        let before = self.bytes.len();
        self.put(packet);
        let fits = self.bytes.len() - before <= largest;
        if !fits {
            self.bytes.truncate(before);
        }
        fits
    }
}

impl Sink {
    /// Whether there is anything to write.
    pub(crate) fn has_work(&self) -> bool {
        self.unflushed || !self.wire.bytes.is_empty()
    }

    /// Writes some of what there is. Nothing is lost, and nothing written twice, if this is dropped before.
    pub(crate) async fn write(&mut self) -> io::Result<()> {
        if self.wire.bytes.is_empty() {
            self.writer.flush().await?;
            self.unflushed = false;
            return Ok(());
        }
        self.unflushed = true;
        if self.writer.write_buf(&mut self.wire.bytes).await? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.wrote = Instant::now();
        if self.wire.bytes.is_empty() && self.wire.bytes.capacity() > KEPT {
            self.wire.bytes = BytesMut::new();
        }
        Ok(())
    }

    /// Writes all there is.
    pub(crate) async fn write_all(&mut self) -> io::Result<()> {
        while self.has_work() {
            self.write().await?;
        }
        Ok(())
    }

    /// Says that nothing more comes.
    pub(crate) async fn close(&mut self) -> io::Result<()> {
        self.write_all().await?;
        self.writer.shutdown().await
    }
}
