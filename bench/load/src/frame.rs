//! Packets as bytes, written from the specification: nothing here is the broker's own.

/// The protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// MQTT 3.1.1.
    V311,
    /// MQTT 5.0.
    V5,
}

pub const CONNACK: u8 = 2;
pub const PUBLISH: u8 = 3;
pub const PUBACK: u8 = 4;
pub const PUBREC: u8 = 5;
pub const PUBREL: u8 = 6;
pub const PUBCOMP: u8 = 7;
pub const SUBACK: u8 = 9;
pub const PINGRESP: u8 = 13;

/// The packet that ends a connection well.
pub const DISCONNECT: [u8; 2] = [0xe0, 0];

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut rest = body.len();
    loop {
        let digit = (rest % 128) as u8;
        rest /= 128;
        packet.push(digit | if rest > 0 { 128 } else { 0 });
        if rest == 0 {
            break;
        }
    }
    packet.extend_from_slice(body);
    packet
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// No properties.
fn properties(out: &mut Vec<u8>, version: Version) {
    if version == Version::V5 {
        out.push(0);
    }
}

/// A user name and a password.
pub type Login = (String, String);

/// CONNECT with a clean session and the longest Keep Alive: not every broker takes one without.
pub fn connect(version: Version, client_id: &str, login: Option<&Login>) -> Vec<u8> {
    let mut body = Vec::new();
    text(&mut body, "MQTT");
    let level = if version == Version::V5 { 5 } else { 4 };
    let flags = if login.is_some() { 0xc2 } else { 2 };
    body.extend_from_slice(&[level, flags, 0xff, 0xff]);
    properties(&mut body, version);
    text(&mut body, client_id);
    if let Some((username, password)) = login {
        text(&mut body, username);
        text(&mut body, password);
    }
    packet(0x10, &body)
}

/// SUBSCRIBE to all of these.
pub fn subscribe(version: Version, filters: &[String], qos: u8) -> Vec<u8> {
    let mut body = vec![0, 1];
    properties(&mut body, version);
    for filter in filters {
        text(&mut body, filter);
        body.push(qos);
    }
    packet(0x82, &body)
}

/// A PUBLISH, where its payload begins, and where its Packet Identifier is.
pub fn publish(version: Version, topic: &str, size: usize, qos: u8, packet_id: u16) -> (Vec<u8>, usize) {
    let mut body = Vec::with_capacity(size + topic.len() + 8);
    text(&mut body, topic);
    if qos > 0 {
        body.extend_from_slice(&packet_id.to_be_bytes());
    }
    properties(&mut body, version);
    body.resize(body.len() + size, b'x');
    let packet = packet(0x30 | qos << 1, &body);
    let payload = packet.len() - size;
    (packet, payload)
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP.
pub fn ack(kind: u8, packet_id: u16) -> [u8; 4] {
    let [high, low] = packet_id.to_be_bytes();
    [kind << 4 | if kind == PUBREL { 2 } else { 0 }, 2, high, low]
}

/// The first packet of some bytes: its header's length and the length of all of it, if it is whole.
pub fn first(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut length = 0usize;
    for (index, digit) in bytes.iter().skip(1).take(4).enumerate() {
        length |= usize::from(digit & 127) << (7 * index);
        if digit & 128 == 0 {
            let header = index + 2;
            return (bytes.len() >= header + length).then_some((header, header + length));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets() {
        assert_eq!(connect(Version::V311, "a"), b"\x10\x0d\0\x04MQTT\x04\x02\xff\xff\0\x01a");
        assert_eq!(subscribe(Version::V5, &["a".into()], 1), b"\x82\x07\0\x01\0\0\x01a\x01");
        let (packet, payload) = publish(Version::V311, "t", 200, 1, 258);
        assert_eq!((&packet[..8], payload, packet.len()), (&b"\x32\xcd\x01\0\x01t\x01\x02"[..], 8, 208));
        assert_eq!(first(&packet), Some((3, 208)));
        assert_eq!((first(&packet[..207]), first(&packet[..2]), first(b"")), (None, None, None));
        assert_eq!(ack(PUBREL, 1), *b"\x62\x02\0\x01");
    }
}
