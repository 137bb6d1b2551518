//! By which brokers a message came: what ends it going round.

use bytestring::ByteString;
use hookmq_codec::{Properties, PropertyId, Value};

/// The User Property in which each broker that passes a message on by a bridge puts its identifier, whichever way.
const NAME: &str = "hookmq-bridge";

/// Brokers by which a message may come.
const MOST: usize = 16;

fn brokers(properties: &Properties) -> impl Iterator<Item = &ByteString> {
    properties.iter().filter_map(|(_, value)| match value {
        Value::Pair(name, broker) if name == NAME => Some(broker),
        _ => None,
    })
}

/// Whether a message that comes has been at this broker before, or at more than any sensible number of them.
pub(crate) fn has_returned(properties: &Properties, own: &str) -> bool {
    brokers(properties).any(|broker| broker == own) || is_too_long(properties)
}

/// Whether a message has been at more than any sensible number of brokers.
pub(crate) fn is_too_long(properties: &Properties) -> bool {
    brokers(properties).nth(MOST - 1).is_some()
}

/// Notes that a message passes this broker, if it is not noted yet.
pub(crate) fn note(properties: &mut Properties, own: &ByteString) {
    if brokers(properties).all(|broker| broker != own) {
        properties.push(PropertyId::UserProperty, Value::Pair(NAME.into(), own.clone()));
    }
}

/// Bytes that [`note`] adds at most, with those of a longer Property Length.
pub(crate) fn growth(own: &str) -> usize {
    5 + NAME.len() + own.len() + 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_was_here_or_everywhere_goes_round() {
        let mut properties = Properties::new();
        properties.push(PropertyId::UserProperty, Value::Pair("other".into(), "me".into()));
        for number in 0..MOST {
            assert!(!has_returned(&properties, "me"), "{number}");
            let broker = number.to_string().into();
            note(&mut properties, &broker);
            note(&mut properties, &broker);
            assert!(has_returned(&properties, &broker));
        }
        assert!(has_returned(&properties, "me") && is_too_long(&properties));
    }
}
