//! A connection's bytes, whatever carries them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream, tcp, unix};

use crate::websocket::Allowance;

/// Where a client's bytes come from.
pub(crate) enum Reader {
    Tcp(tcp::OwnedReadHalf),
    Unix(unix::OwnedReadHalf),
    /// TLS or WebSocket.
    Other(Box<dyn AsyncRead + Send + Unpin>),
}

/// A way out that only the task which owns the connection may use.
pub(crate) type Output = Box<dyn AsyncWrite + Send + Unpin>;

/// Where bytes for a client go.
pub(crate) enum Writer {
    /// Any thread may write to it.
    Tcp(tcp::OwnedWriteHalf),
    /// Any thread may write to it.
    Unix(unix::OwnedWriteHalf),
    /// TLS or WebSocket, whose state belongs to the task of the connection.
    Owned(Output),
}

/// Both directions of a connection.
pub(crate) struct Stream {
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
    /// What it may send before its CONNECT was taken, where that is counted below the stream.
    pub(crate) allowance: Option<Allowance>,
}

impl Stream {
    /// A stream whose state belongs to one task.
    pub(crate) fn owned(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        let (reader, writer) = tokio::io::split(Box::pin(stream));
        let (reader, writer) = (Reader::Other(Box::new(reader)), Writer::Owned(Box::new(writer)));
        Self { reader, writer, allowance: None }
    }

    /// The same with an allowance that ends with CONNECT.
    pub(crate) fn with_allowance(self, allowance: Allowance) -> Self {
        Self { allowance: Some(allowance), ..self }
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self { reader: Reader::Tcp(reader), writer: Writer::Tcp(writer), allowance: None }
    }
}

impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self { reader: Reader::Unix(reader), writer: Writer::Unix(writer), allowance: None }
    }
}

impl AsyncRead for Reader {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(reader) => Pin::new(reader).poll_read(cx, buffer),
            Self::Unix(reader) => Pin::new(reader).poll_read(cx, buffer),
            Self::Other(reader) => Pin::new(reader).poll_read(cx, buffer),
        }
    }
}
