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

/// The next frame off the front of `bytes`, and whether all of it is there; `None` if there is no whole head, or
/// none that the other side must take.
pub(crate) fn next(bytes: &mut &[u8], masked: bool, longest: usize) -> Option<(Frame, bool)> {
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
    let there = rest.len().min(length as usize);
    let (payload, rest) = rest.split_at(there);
    let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    *bytes = rest;
    Some((Frame { fin, opcode, payload }, there as u64 == length))
}

/// The bytes that a stream's binary messages carry, up to the first thing that ends it.
pub(crate) fn binary(mut bytes: &[u8], masked: bool, longest: usize) -> Vec<u8> {
    let mut carried = Vec::new();
    let mut message: Option<usize> = None;
    // A frame's head says how long the message will be, so too long a one ends it before its first byte.
    while let Some((frame, whole)) = next(&mut bytes, masked, longest - message.unwrap_or(0)) {
        match (frame.opcode, message) {
            (PING | PONG, _) => continue,
            (BINARY, None) => message = Some(frame.payload.len()),
            (CONTINUATION, Some(before)) => message = Some(before + frame.payload.len()),
            // Text, an end, a part of nothing, a message inside another.
            _ => break,
        }
        carried.extend(frame.payload);
        if !whole {
            break;
        }
        if frame.fin {
            message = None;
        }
    }
    carried
}
