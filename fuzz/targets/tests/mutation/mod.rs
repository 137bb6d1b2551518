//! Changed copies of a seed, the same ones in every run.

/// Bytes that mean something somewhere: lengths at their ends, packet types, what separates and what matches.
const TELLING: &[u8] = b"\x00\x01\x02\x7f\x80\xff\x10\x30\x32\x34\x62\x82\xc0\xe0\xf0\n/+#$% \",:=";

/// A source of mutations.
pub(crate) struct Mutation {
    state: u64,
}

impl Mutation {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A number below `end`, by splitmix64.
    fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end.max(1) as u64) as usize
    }

    /// A part of some bytes.
    fn part<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let start = self.below(bytes.len() + 1);
        let length = self.below(bytes.len() - start + 1).min(64);
        &bytes[start..start + length]
    }

    /// A changed copy of a seed, with parts of others.
    pub(crate) fn of(&mut self, seed: &[u8], all: &[&[u8]]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            self.change(&mut bytes, all);
        }
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, all: &[&[u8]]) {
        let at = self.below(bytes.len() + 1);
        match (self.below(8), bytes.get_mut(at)) {
            (0, Some(byte)) => *byte ^= 1 << self.below(8),
            (1, Some(byte)) => *byte = TELLING[self.below(TELLING.len())],
            (2, Some(byte)) => *byte = byte.wrapping_add(self.below(3) as u8).wrapping_sub(1),
            (3, Some(_)) => {
                let end = at + self.part(&bytes[at..]).len();
                bytes.drain(at..end);
            }
            (4, _) => bytes.truncate(at),
            (5, _) => bytes.insert(at, TELLING[self.below(TELLING.len())]),
            (6, _) => {
                let other = all[self.below(all.len())];
                let part = self.part(other).to_vec();
                bytes.splice(at..at, part);
            }
            _ => {
                let part = self.part(bytes).to_vec();
                bytes.splice(at..at, part);
            }
        }
    }
}
