//! The frames of WebSocket (RFC 6455), taken out of a stream of bytes where it lies.
//!
//! A library would be preferred here. The one that axum brings reserves as much memory as a frame declares, and
//! queues the answers to pings without a bound: a client could have both by its own say. This reader keeps a
//! frame's head and nothing else; data are unmasked in the buffer they were read into.

use bytes::{BufMut, BytesMut};

/// Status codes of the closing frame.
pub(crate) mod status {
    pub(crate) const NORMAL: u16 = 1000;
    pub(crate) const PROTOCOL: u16 = 1002;
    pub(crate) const UNSUPPORTED: u16 = 1003;
    pub(crate) const NOT_TEXT: u16 = 1007;
    pub(crate) const TOO_LARGE: u16 = 1009;
}

const CONTINUATION: u8 = 0;
/// The kind of frame that carries text.
pub(crate) const TEXT: u8 = 1;
/// The kind of frame that carries MQTT.
pub(crate) const BINARY: u8 = 2;
/// The kind of frame that ends a connection, with a status code.
pub(crate) const CLOSE: u8 = 8;
/// The kind of frame that is to be answered.
pub(crate) const PING: u8 = 9;
const PONG: u8 = 10;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;

/// The most a control frame carries, in bytes.
const CONTROL: usize = 125;

/// The longest head: two bytes, a length, a mask.
const HEAD: usize = 14;

/// How a client's frames ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    /// The status code to answer with; `None` where the client gave none.
    pub(crate) code: Option<u16>,
    /// What was wrong; `None` when the client closed the connection.
    pub(crate) fault: Option<&'static str>,
}

impl Ended {
    const fn fault(code: u16, what: &'static str) -> Self {
        Self { code: Some(code), fault: Some(what) }
    }
}

/// What was taken out of some bytes.
#[derive(Debug)]
pub(crate) struct Taken {
    /// Bytes of data, which stand at the front.
    pub(crate) data: usize,
    /// Bytes that were read; fewer than there are only where a message ended or all did.
    pub(crate) used: usize,
    /// The kind of message that ended there, for those who read message by message.
    pub(crate) message: Option<u8>,
    pub(crate) ended: Option<Ended>,
}

/// Reads a client's frames, whatever pieces they come in.
pub(crate) struct Frames {
    /// The longest message, in bytes.
    longest: u64,
    head: [u8; HEAD],
    head_len: usize,
    /// The mask, turned to where the next byte of the payload stands.
    mask: [u8; 4],
    /// Bytes of the current frame's payload that are still to come; `None` between two frames.
    left: Option<u64>,
    /// Bytes of the message so far whose last frame has not come.
    message: Option<u64>,
    /// The payload of a control frame.
    control: Vec<u8>,
    /// Whether messages are told apart, and may be text.
    by_message: bool,
    /// The kind of the message so far.
    kind: u8,
}

impl Frames {
    /// Refuses messages of more than `longest` bytes.
    pub(crate) const fn new(longest: usize) -> Self {
        Self {
            longest: longest as u64,
            head: [0; HEAD],
            head_len: 0,
            mask: [0; 4],
            left: None,
            message: None,
            control: Vec::new(),
            by_message: false,
            kind: BINARY,
        }
    }

    /// The same for messages that are told apart, and may be text.
    pub(crate) fn of_messages(longest: usize) -> Self {
        Self { by_message: true, ..Self::new(longest) }
    }

    /// Replaces the frames in `bytes` by the data they carry. Answers to pings are appended to `answers`; they
    /// are never longer than what asked for them.
    pub(crate) fn read(&mut self, bytes: &mut [u8], answers: &mut BytesMut) -> Taken {
        let (mut from, mut to) = (0, 0);
        let mut message = None;
        let ended = loop {
            let left = match self.left {
                Some(left) => left,
                None => match bytes.get(from) {
                    None => break None,
                    Some(&byte) => {
                        from += 1;
                        if let Err(ended) = self.take_head(byte) {
                            break Some(ended);
                        }
                        continue;
                    }
                },
            };
            let count = left.min((bytes.len() - from) as u64) as usize;
            let payload = from..from + count;
            from += count;
            if self.head[0] & 0x0f < CLOSE {
                bytes.copy_within(payload, to);
                unmask(&mut bytes[to..to + count], &mut self.mask);
                to += count;
            } else {
                unmask(&mut bytes[payload.clone()], &mut self.mask);
                self.control.extend_from_slice(&bytes[payload]);
            }
            self.left = Some(left - count as u64);
            if left > count as u64 {
                break None;
            }
            if let Some(ended) = self.finish_frame(answers) {
                break Some(ended);
            }
            if self.by_message && self.message.is_none() && self.head[0] & 0x0f < CLOSE {
                message = Some(self.kind);
                break None;
            }
        };
        Taken { data: to, used: from, message, ended }
    }

    /// Takes a byte of a frame's head. What is wrong is said as early as it is known.
    fn take_head(&mut self, byte: u8) -> Result<(), Ended> {
        self.head[self.head_len] = byte;
        self.head_len += 1;
        if self.head_len < 2 {
            return Ok(());
        }
        if self.head_len == 2 {
            self.check_kind()?;
        }
        let extra = match self.head[1] & !MASKED {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let complete = 2 + extra + self.mask.len();
        if self.head_len < complete {
            return Ok(());
        }
        let length = match extra {
            0 => u64::from(self.head[1] & !MASKED),
            _ => self.head[2..2 + extra].iter().fold(0, |length, &byte| length << 8 | u64::from(byte)),
        };
        self.mask.copy_from_slice(&self.head[2 + extra..complete]);
        self.head_len = 0;
        if self.head[0] & 0x0f < CLOSE {
            if self.head[0] & 0x0f != CONTINUATION {
                self.kind = self.head[0] & 0x0f;
            }
            let message = self.message.unwrap_or(0).saturating_add(length);
            if message > self.longest {
                return Err(Ended::fault(status::TOO_LARGE, "a WebSocket message is too large"));
            }
            self.message = Some(message);
        }
        self.left = Some(length);
        Ok(())
    }

    /// Whether a frame of this kind may come now.
    fn check_kind(&self) -> Result<(), Ended> {
        let [first, second, ..] = self.head;
        let wrong = |what| Err(Ended::fault(status::PROTOCOL, what));
        if first & RESERVED != 0 {
            return wrong("a WebSocket frame has reserved bits set");
        }
        if second & MASKED == 0 {
            return wrong("a WebSocket frame is not masked");
        }
        match (first & 0x0f, self.message) {
            (CONTINUATION, None) => wrong("a WebSocket frame continues nothing"),
            (TEXT | BINARY, Some(_)) => wrong("a WebSocket message begins within another"),
            // [MQTT-6.0.0-1] anything but binary data ends the connection
            (TEXT, None) if !self.by_message => {
                Err(Ended::fault(status::UNSUPPORTED, "a WebSocket message is text"))
            }
            (CONTINUATION | TEXT | BINARY, _) => Ok(()),
            (CLOSE | PING | PONG, _) => match first & FIN != 0 && usize::from(second & !MASKED) <= CONTROL {
                true => Ok(()),
                false => wrong("a WebSocket control frame is too long or in parts"),
            },
            _ => wrong("a WebSocket frame is of no known kind"),
        }
    }

    fn finish_frame(&mut self, answers: &mut BytesMut) -> Option<Ended> {
        self.left = None;
        match self.head[0] & 0x0f {
            CLOSE => return Some(closed(&self.control)),
            PING => put_frame(answers, PONG, &self.control),
            PONG => {}
            _ if self.head[0] & FIN != 0 => self.message = None,
            _ => {}
        }
        self.control.clear();
        None
    }
}

/// What a client's closing frame says.
fn closed(body: &[u8]) -> Ended {
    let Some((code, reason)) = body.split_first_chunk() else {
        return match body.is_empty() {
            true => Ended { code: None, fault: None },
            false => Ended::fault(status::PROTOCOL, "a WebSocket closing frame has half a status code"),
        };
    };
    match u16::from_be_bytes(*code) {
        1000..=1003 | 1007..=1014 | 3000..=4999 if std::str::from_utf8(reason).is_err() => {
            Ended::fault(status::NOT_TEXT, "the reason in a WebSocket closing frame is no text")
        }
        code @ (1000..=1003 | 1007..=1014 | 3000..=4999) => Ended { code: Some(code), fault: None },
        _ => Ended::fault(status::PROTOCOL, "a WebSocket closing frame has a wrong status code"),
    }
}

/// Unmasks, or masks, bytes and turns the mask behind them.
fn unmask(bytes: &mut [u8], mask: &mut [u8; 4]) {
    let word = u32::from_ne_bytes(*mask);
    let wide = u64::from(word) << 32 | u64::from(word);
    let turn = bytes.len() % mask.len();
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    mask.rotate_left(turn);
}

/// Writes the head of a server's frame, which is a whole message.
pub(crate) fn put_head(out: &mut BytesMut, kind: u8, length: usize) {
    out.put_u8(FIN | kind);
    match length {
        0..=125 => out.put_u8(length as u8),
        126..=0xffff => {
            out.put_u8(126);
            out.put_u16(length as u16);
        }
        _ => {
            out.put_u8(127);
            out.put_u64(length as u64);
        }
    }
}

/// Writes a server's frame.
pub(crate) fn put_frame(out: &mut BytesMut, kind: u8, payload: &[u8]) {
    out.reserve(HEAD + payload.len());
    put_head(out, kind, payload.len());
    out.put_slice(payload);
}
