//! What an HTTP response carries: bytes, a stream that somebody writes, or a file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::HttpBody;
use bytes::Bytes;
use hyper::body::Frame;
use tokio::sync::mpsc;

/// Pieces that may wait for the browser.
const PIECES: usize = 16;

/// Bytes of a piece.
pub const PIECE: usize = 64 << 10;

/// What a response carries.
pub enum Body {
    /// These bytes.
    Whole(Bytes),
    /// What comes from a [`BodySink`].
    Stream(BodyStream),
    /// A part of a file: what follows the place it stands at, so many bytes of it.
    File(File, u64),
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

impl Body {
    /// A stream and where it is written to.
    pub fn stream() -> (BodySink, Self) {
        let (sender, receiver) = mpsc::channel(PIECES);
        (BodySink(sender), Self::Stream(BodyStream { receiver, over: false, left: false }))
    }

    /// A part of a file.
    pub fn file(path: &str, start: u64, length: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(start))?;
        Ok(Self::File(file, length))
    }

    /// The body as axum wants it. Files are read on threads that may wait.
    pub(crate) fn into_axum(self) -> axum::body::Body {
        match self {
            Self::Whole(bytes) => axum::body::Body::from(bytes),
            Self::Stream(stream) => axum::body::Body::new(stream),
            Self::File(file, length) => {
                let (sink, body) = Self::stream();
                tokio::task::spawn_blocking(move || copy(file, length, &sink));
                body.into_axum()
            }
        }
    }
}

/// Sends a file. One that ends early or cannot be read breaks the response off.
fn copy(mut file: File, mut length: u64, sink: &BodySink) {
    while length > 0 {
        let mut piece = vec![0; length.min(PIECE as u64) as usize];
        match file.read(&mut piece) {
            Ok(read @ 1..) => {
                piece.truncate(read);
                length -= read as u64;
                if sink.0.blocking_send(Piece::Data(piece.into())).is_err() {
                    return; // the browser is gone
                }
            }
            _ => return,
        }
    }
    let _ = sink.0.blocking_send(Piece::End);
}

/// A piece of a body.
enum Piece {
    Data(Bytes),
    End,
}

/// Where a body is written to. One that is dropped before [`BodySink::end`] breaks the response off.
pub struct BodySink(mpsc::Sender<Piece>);

/// Why a piece was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// There is no room now.
    Full,
    /// The browser is gone.
    Gone,
}

impl BodySink {
    /// Adds a piece if there is room for it.
    pub fn offer(&self, data: Bytes) -> Result<(), NotTaken> {
        self.try_send(Piece::Data(data))
    }

    /// Says that the body is complete, if there is room to say so.
    pub fn end(&self) -> Result<(), NotTaken> {
        self.try_send(Piece::End)
    }

    /// Whether the browser is gone.
    pub fn is_gone(&self) -> bool {
        self.0.is_closed()
    }

    fn try_send(&self, piece: Piece) -> Result<(), NotTaken> {
        self.0.try_send(piece).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotTaken::Full,
            mpsc::error::TrySendError::Closed(_) => NotTaken::Gone,
        })
    }
}

/// A body that somebody writes.
pub struct BodyStream {
    receiver: mpsc::Receiver<Piece>,
    over: bool,
    /// What was sent has had a moment to leave.
    left: bool,
}

impl HttpBody for BodyStream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.over {
            return Poll::Ready(None);
        }
        match ready!(self.receiver.poll_recv(cx)) {
            Some(Piece::Data(data)) => Poll::Ready(Some(Ok(Frame::data(data)))),
            Some(Piece::End) => {
                self.over = true;
                Poll::Ready(None)
            }
            // Before an error the server takes its chance to write what it has, such as the head; with it, not.
            None if !self.left => {
                self.left = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            None => {
                self.over = true;
                let what = "the response was broken off";
                Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::UnexpectedEof, what))))
            }
        }
    }
}
