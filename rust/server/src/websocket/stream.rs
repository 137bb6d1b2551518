//! The bytes inside a WebSocket's binary messages, as one stream.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::{self, BINARY, CLOSE, Ended, Frames, Taken, status};

/// The longest message that is sent, in bytes: large enough to cost nothing, small enough for any client.
const LONGEST: usize = 64 << 10;

/// The stream of bytes in a WebSocket's binary messages. Packets and messages have nothing to do with each
/// other: a message may hold several packets, and a packet may take several messages. [MQTT-6.0.0-2]
///
/// It holds no buffer while nothing is under way.
pub(crate) struct WebSocketStream<S> {
    socket: S,
    frames: Frames,
    /// Whole frames that wait for the socket.
    out: BytesMut,
    /// Whether answers to pings are among them. Nothing is read then: who asks without end and reads no
    /// answer waits.
    answering: bool,
    /// How the client's frames ended.
    ended: Option<Ended>,
    /// Whether the closing frame was sent.
    closed: bool,
}

impl<S> WebSocketStream<S> {
    /// A stream on a socket after the handshake that refuses messages of more than `longest` bytes.
    pub(crate) fn new(socket: S, longest: usize) -> Self {
        let frames = Frames::new(longest);
        Self { socket, frames, out: BytesMut::new(), answering: false, ended: None, closed: false }
    }
}

impl<S: AsyncWrite + Unpin> WebSocketStream<S> {
    /// Hands all that waits to the socket.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_write(cx, &self.out))? {
                0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                written => self.out.advance(written),
            }
        }
        self.out = BytesMut::new();
        self.answering = false;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocketStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        while buffer.remaining() > 0 {
            if let Some(ended) = this.ended {
                return Poll::Ready(match ended.fault {
                    Some(what) => Err(io::Error::new(ErrorKind::InvalidData, what)),
                    None => Ok(()),
                });
            }
            if this.answering {
                ready!(this.poll_out(cx))?;
                ready!(Pin::new(&mut this.socket).poll_flush(cx))?;
            }
            ready!(Pin::new(&mut this.socket).poll_read(cx, buffer))?;
            let read = &mut buffer.filled_mut()[before..];
            if read.is_empty() {
                break; // cut without a closing frame
            }
            let waiting = this.out.len();
            let Taken { data, ended, .. } = this.frames.read(read, &mut this.out);
            this.ended = ended;
            buffer.set_filled(before + data);
            this.answering |= this.out.len() > waiting;
            if this.answering {
                // Now rather than when the client says something again.
                if let Poll::Ready(sent) = this.poll_out(cx) {
                    sent?;
                    let _ = Pin::new(&mut this.socket).poll_flush(cx)?;
                }
            }
            if data > 0 {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WebSocketStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_out(cx))?;
        let count = slices.iter().map(|slice| slice.len()).sum::<usize>().min(LONGEST);
        frames::put_head(&mut this.out, BINARY, count);
        this.out.reserve(count);
        let mut left = count;
        for slice in slices {
            let part = &slice[..slice.len().min(left)];
            this.out.extend_from_slice(part);
            left -= part.len();
        }
        // What the socket does not take now is written by the next call, or by the flush that follows.
        match this.poll_out(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(count)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_out(cx))?;
        Pin::new(&mut this.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.closed {
            self.closed = true;
            // A closing frame is answered with its own code, none with none.
            let code = self.ended.map_or(Some(status::NORMAL), |ended| ended.code);
            let code = code.map(u16::to_be_bytes);
            frames::put_frame(&mut self.out, CLOSE, code.as_ref().map_or(&[], |code| &code[..]));
        }
        self.poll_flush(cx)
    }
}
