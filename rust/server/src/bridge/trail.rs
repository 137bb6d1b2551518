//! By which brokers a message came: what ends it going round.

use bytestring::ByteString;
use hookmq_codec::{Properties, PropertyId, Publish, Value};

/// The User Property in which each broker that passes a message on by a bridge notes that, whichever way. In CONNECT it
/// says that a client is such a bridge.
const NAME: &str = "hookmq-bridge";

/// Notes that a message may have: two for each broker by which it came and went.
const MOST: usize = 32;

/// Bytes of a note behind the identifier of the broker: the way, and a checksum.
const REST: usize = 9;

/// Which way a message passes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// From another broker.
    In,
    /// To another broker.
    Out,
}

/// A note holds for one payload: who answers a message often copies its User Properties, and the answer has been nowhere.
fn written(own: &str, way: Way, payload: &[u8]) -> String {
    let sign = if way == Way::In { '<' } else { '>' };
    format!("{own}{sign}{:08x}", crc32fast::hash(payload))
}

fn notes(properties: &Properties) -> impl Iterator<Item = &ByteString> {
    properties.iter().filter_map(|(_, value)| match value {
        Value::Pair(name, note) if name == NAME => Some(note),
        _ => None,
    })
}

fn has_passed(publish: &Publish, own: &str, way: Way) -> bool {
    let mut own_notes = notes(&publish.properties).filter(|note| note.starts_with(own)).peekable();
    own_notes.peek().is_some() && {
        let written = written(own, way, &publish.payload);
        own_notes.any(|note| *note == written)
    }
}

/// Whether a message has been at more than any sensible number of brokers.
fn is_too_long(properties: &Properties) -> bool {
    notes(properties).nth(MOST - 1).is_some()
}

/// Whether a message that a bridge brings has been at this broker before.
pub(crate) fn has_returned(publish: &Publish, own: &str) -> bool {
    has_passed(publish, own, Way::Out)
        || has_passed(publish, own, Way::In)
        || is_too_long(&publish.properties)
}

/// Whether a message that is to leave has left this broker before; it may have come by another bridge of the same.
pub(crate) fn has_left(publish: &Publish, own: &str) -> bool {
    has_passed(publish, own, Way::Out) || is_too_long(&publish.properties)
}

/// Notes that a message passes this broker.
pub(crate) fn note(publish: &mut Publish, own: &str, way: Way) {
    let note = written(own, way, &publish.payload);
    publish.properties.push(PropertyId::UserProperty, Value::Pair(NAME.into(), note.into()));
}

/// Bytes that [`note`] adds at most, with those of a longer Property Length.
pub(crate) fn growth(own: &str) -> usize {
    5 + NAME.len() + own.len() + REST + 3
}

/// Says in CONNECT that a bridge comes.
pub(crate) fn declare(properties: &mut Properties, own: &str) {
    properties.push(PropertyId::UserProperty, Value::Pair(NAME.into(), own.into()));
}

/// Whether who connects says that it is a bridge.
pub(crate) fn is_declared(properties: &Properties) -> bool {
    notes(properties).next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Publish {
        Publish { payload: (&b"x"[..]).into(), ..Publish::default() }
    }

    #[test]
    fn what_came_may_leave_once_and_comes_once() {
        let mut publish = message();
        assert!(!has_returned(&publish, "me") && !has_left(&publish, "me"));
        note(&mut publish, "me", Way::In);
        assert!(has_returned(&publish, "me") && !has_left(&publish, "me"));
        note(&mut publish, "me", Way::Out);
        assert!(has_returned(&publish, "me") && has_left(&publish, "me"));
        assert!(!has_returned(&publish, "other") && !has_left(&publish, "other"));
    }

    #[test]
    fn an_answer_with_copied_properties_has_been_nowhere() {
        let mut publish = message();
        note(&mut publish, "me", Way::In);
        note(&mut publish, "me", Way::Out);
        publish.payload = (&b"answer"[..]).into();
        assert!(!has_returned(&publish, "me") && !has_left(&publish, "me"));
    }

    #[test]
    fn what_was_everywhere_goes_round() {
        let mut publish = message();
        for number in 0..MOST {
            assert!(!has_returned(&publish, "me") && !has_left(&publish, "me"), "{number}");
            let before = publish.properties.encoded_len();
            note(&mut publish, &number.to_string(), Way::Out);
            assert!(publish.properties.encoded_len() - before <= growth(&number.to_string()));
        }
        assert!(has_returned(&publish, "me") && has_left(&publish, "me"));
    }
}
