//! By which brokers a message came: what ends it going round.

use bytestring::ByteString;
use hookmq_codec::{Properties, PropertyId, Value};

/// The User Property in which each broker that a message leaves by a bridge puts its identifier.
const NAME: &str = "hookmq-bridge";

/// Brokers by which a message may come.
const MOST: usize = 16;

/// Whether a message has been at this broker before, or at more than any sensible number of brokers.
pub(crate) fn is_loop(properties: &Properties, own: &str) -> bool {
    let mut passed = 0;
    properties.iter().any(|(_, value)| match value {
        Value::Pair(name, broker) if name == NAME => {
            passed += 1;
            broker == own || passed >= MOST
        }
        _ => false,
    })
}

/// Notes that a message leaves this broker.
pub(crate) fn note(properties: &mut Properties, own: &ByteString) {
    properties.push(PropertyId::UserProperty, Value::Pair(NAME.into(), own.clone()));
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
            assert!(!is_loop(&properties, "me"), "{number}");
            note(&mut properties, &number.to_string().into());
            assert!(is_loop(&properties, &number.to_string()));
        }
        assert!(is_loop(&properties, "me"));
    }
}
