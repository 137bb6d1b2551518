//! The frames of WebSocket (RFC 6455), read one by one and without any cleverness.

/// One frame.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) fin: bool,
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// The next frame off the front of `bytes`; `None` if there is no whole one, or none that the other side must
/// take.
pub(crate) fn next(bytes: &mut &[u8], masked: bool, longest: usize) -> Option<Frame> {
    let [first, second, rest @ ..] = *bytes else { return None };
    let (fin, reserved, opcode) = (first & 0x80 != 0, first & 0x70, first & 0x0f);
    let (length, rest) = match second & 0x7f {
        126 => {
            let (length, rest) = rest.split_first_chunk()?;
            (u64::from(u16::from_be_bytes(*length)), rest)
        }
        127 => {
            let (length, rest) = rest.split_first_chunk()?;
            (u64::from_be_bytes(*length), rest)
        }
        length => (u64::from(length), rest),
    };
    let is_control = opcode >= CLOSE;
    let known = matches!(opcode, CONTINUATION..=BINARY | CLOSE..=PONG);
    let allowed = known && reserved == 0 && (second & 0x80 != 0) == masked;
    if !allowed || length > longest as u64 || (is_control && (!fin || length > 125)) {
        return None;
    }
    let (mask, rest) = match masked {
        true => rest.split_first_chunk().map(|(mask, rest)| (*mask, rest))?,
        false => ([0; 4], rest),
    };
    let (payload, rest) = rest.split_at_checked(length as usize)?;
    let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    *bytes = rest;
    Some(Frame { fin, opcode, payload })
}

/// The bytes in the binary messages of a stream, up to the first thing that ends it.
pub(crate) fn binary(mut bytes: &[u8], masked: bool, longest: usize) -> Vec<u8> {
    let mut whole = Vec::new();
    let mut message: Option<Vec<u8>> = None;
    while let Some(frame) = next(&mut bytes, masked, longest) {
        match (frame.opcode, &mut message) {
            (PING | PONG, _) => continue,
            (BINARY, None) => message = Some(frame.payload),
            (CONTINUATION, Some(message)) => message.extend(frame.payload),
            // Text, an end, a part of nothing, a message inside another.
            _ => break,
        }
        if message.as_ref().is_some_and(|message| message.len() > longest) {
            break;
        }
        if frame.fin {
            whole.extend(message.take().unwrap_or_default());
        }
    }
    whole
}
