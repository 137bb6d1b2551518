//! Messages that this broker could not take, and how often each was tried.

use std::hash::BuildHasher as _;

use bytestring::ByteString;
use hashbrown::{DefaultHashBuilder, HashMap};
use hookmq_codec::Publish;

/// How often a message is tried: then it is what is wrong, and not the moment.
pub(crate) const MOST: u8 = 5;

/// Messages that are remembered; with more, all have their tries again.
const REMEMBERED: usize = 10_000;

/// From one link to the next: a message that was not acknowledged comes again by the next one.
#[derive(Default)]
pub(crate) struct Tries {
    hasher: DefaultHashBuilder,
    /// What waits for an answer, by its Packet Identifier: a number that tells messages apart, and the topic.
    under_way: HashMap<u16, (u64, ByteString)>,
    failed: HashMap<u64, u8>,
}

impl Tries {
    /// A new link: whatever was under way comes again.
    pub(crate) fn begin(&mut self) {
        self.under_way.clear();
    }

    /// A message is handed to this broker.
    pub(crate) fn come(&mut self, publish: &Publish) {
        let number = self.hasher.hash_one((&*publish.topic, publish.packet_id, &*publish.payload));
        self.under_way.insert(publish.packet_id, (number, ByteString::from(&*publish.topic)));
    }

    /// It is over, one way or the other. Says what it was about.
    pub(crate) fn settle(&mut self, packet_id: u16) -> ByteString {
        let (number, topic) = self.under_way.remove(&packet_id).unwrap_or_default();
        if !self.failed.is_empty() {
            self.failed.remove(&number);
        }
        topic
    }

    /// It could not be taken. Says whether it is to come again.
    pub(crate) fn fail(&mut self, packet_id: u16) -> bool {
        let Some((number, _)) = self.under_way.get(&packet_id) else { return true };
        if self.failed.len() >= REMEMBERED {
            self.failed.clear();
        }
        let times = self.failed.entry(*number).or_default();
        *times += 1;
        *times < MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(packet_id: u16, payload: &'static [u8]) -> Publish {
        Publish { topic: "a".into(), packet_id, payload: payload.into(), ..Publish::default() }
    }

    #[test]
    fn a_message_has_its_tries_over_several_links() {
        let mut tries = Tries::default();
        for number in 1..=MOST {
            tries.begin();
            tries.come(&message(1, b"bad"));
            tries.come(&message(2, b"good"));
            tries.settle(2);
            assert_eq!(tries.fail(1), number < MOST);
        }
        assert_eq!(tries.settle(1), "a");
        assert!(tries.failed.is_empty() && tries.under_way.is_empty());
        tries.come(&message(1, b"bad"));
        assert!(tries.fail(1), "it begins anew");
    }

    #[test]
    fn another_message_with_the_same_identifier_has_its_own() {
        let mut tries = Tries::default();
        for payload in [&b"1"[..], b"2", b"3", b"4", b"5", b"6"] {
            tries.begin();
            tries.come(&message(1, payload));
            assert!(tries.fail(1));
        }
    }

    #[test]
    fn they_are_bounded() {
        let mut tries = Tries::default();
        for id in 0..REMEMBERED + 10 {
            tries.come(&message(id as u16, b""));
            tries.fail(id as u16);
        }
        assert!(tries.failed.len() <= REMEMBERED);
    }
}
