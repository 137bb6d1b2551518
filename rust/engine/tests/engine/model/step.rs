//! What may happen in a sequence. A step means something in any state, so that steps can be left out when a
//! failing sequence is made shorter.

use hookmq_codec::{QoS, Version};

/// SplitMix64: small, fast, and the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        ((u64::from(end) * (self.next() >> 32)) >> 32) as u32
    }

    fn one_in(&mut self, count: u32) -> bool {
        self.below(count) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u32) as usize]
    }
}

pub(crate) const TOPICS: [&str; 3] = ["t/0", "t/1", "t/2"];
pub(crate) const FILTERS: [&str; 4] = ["t/0", "t/1", "t/+", "t/#"];
const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
const FOR_EVER: u32 = u32::MAX;

/// How the shared client connects.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Connecting {
    pub(crate) version: Version,
    pub(crate) clean: bool,
    /// Session Expiry Interval in seconds, 5.0 only.
    pub(crate) expiry: u32,
    /// Receive Maximum, 5.0 only.
    pub(crate) receive_maximum: Option<u16>,
    /// The Will Delay Interval in seconds, if there is a will; only 5.0 may delay one.
    pub(crate) will: Option<u32>,
}

/// What the receiver says to a message.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// The packet that is due.
    Due,
    /// PUBACK, PUBREC or PUBCOMP, whether it is due or not.
    PubAck,
    PubRec,
    PubComp,
    /// PUBREC with an error, 5.0 only.
    Refusal,
}

/// One thing that happens.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// One of the two clients that share an identifier connects; who has a connection loses it.
    Connect(Connecting),
    /// DISCONNECT, in 5.0 perhaps with the will or with another Session Expiry Interval.
    Disconnect {
        with_will: bool,
        expiry: Option<u32>,
    },
    /// The network connection is lost.
    Lose,
    /// The other client publishes. QoS 2 stays open until it is released.
    Publish {
        topic: u8,
        qos: QoS,
    },
    /// It repeats a PUBLISH of QoS 2 that it has not released.
    Repeat {
        which: u8,
    },
    /// It releases one, perhaps twice.
    Release {
        which: u8,
        twice: bool,
    },
    /// It loses its connection and comes back to its session.
    PublisherReturns,
    /// The broker is killed and starts again.
    Crash,
    Subscribe {
        filter: u8,
        qos: QoS,
    },
    Unsubscribe {
        filter: u8,
    },
    /// The receiver answers one of the messages it knows of, the oldest being 0.
    Answer {
        which: u8,
        answer: Answer,
    },
    /// The receiver answers a message that never was.
    AnswerNothing(Answer),
    /// The receiver reads nothing until it goes on.
    Block,
    Unblock,
    /// A connection that was taken over, whose task did not notice yet, subscribes and acknowledges.
    StaleActs {
        which: u8,
    },
    /// It notices.
    StaleEnds,
    Wait {
        seconds: u32,
    },
}

impl Step {
    /// A step at random; what keeps a conversation going is more frequent.
    pub(crate) fn random(random: &mut Random) -> Self {
        match random.below(40) {
            0..=4 => Self::Connect(Connecting::random(random)),
            5 => Self::Disconnect {
                with_will: random.one_in(3),
                expiry: random.one_in(2).then(|| random.pick(&[0, 3, 20, FOR_EVER])),
            },
            6 | 7 => Self::Lose,
            8..=17 => Self::Publish { topic: random.below(3) as u8, qos: random.pick(&QOS) },
            18 => Self::Repeat { which: random.below(4) as u8 },
            19 | 20 => Self::Release { which: random.below(4) as u8, twice: random.one_in(3) },
            21 => Self::PublisherReturns,
            22..=24 => Self::Subscribe { filter: random.below(4) as u8, qos: random.pick(&QOS) },
            25 => Self::Unsubscribe { filter: random.below(4) as u8 },
            26..=33 => {
                let which = if random.one_in(3) { random.below(6) as u8 } else { 0 };
                let wrong = [Answer::PubAck, Answer::PubRec, Answer::PubComp, Answer::Refusal];
                let answer = if random.one_in(6) { random.pick(&wrong) } else { Answer::Due };
                Self::Answer { which, answer }
            }
            34 => Self::AnswerNothing(random.pick(&[Answer::PubAck, Answer::PubRec, Answer::PubComp])),
            35 => Self::Block,
            36 => Self::Unblock,
            37 => match random.one_in(2) {
                true => Self::StaleActs { which: random.below(6) as u8 },
                false => Self::StaleEnds,
            },
            _ => Self::Wait { seconds: random.pick(&[1, 2, 5, 30]) },
        }
    }

    /// A whole sequence: most often somebody connects and subscribes first. Only a durable broker may be killed.
    pub(crate) fn sequence(random: &mut Random, durable: bool) -> Vec<Self> {
        let mut steps = Vec::new();
        if !random.one_in(8) {
            steps.push(Self::Connect(Connecting::random(random)));
            steps.push(Self::Subscribe { filter: random.below(4) as u8, qos: random.pick(&QOS) });
        }
        steps.extend((0..10 + random.below(50)).map(|_| match durable && random.one_in(12) {
            true => Self::Crash,
            false => Self::random(random),
        }));
        steps
    }
}

impl Connecting {
    fn random(random: &mut Random) -> Self {
        let version = if random.one_in(3) { Version::V311 } else { Version::V5 };
        let v5 = version.is_v5();
        Self {
            version,
            clean: random.one_in(5),
            expiry: if v5 { random.pick(&[0, 3, 20, 20, FOR_EVER, FOR_EVER]) } else { 0 },
            receive_maximum: (v5 && random.one_in(2)).then(|| 1 + random.below(3) as u16),
            will: random.one_in(2).then(|| if v5 { random.pick(&[0, 2, 10, 60]) } else { 0 }),
        }
    }

    /// How the last connection of a sequence is made: it takes whatever the session still owes.
    pub(crate) const fn last() -> Self {
        Self { version: Version::V5, clean: false, expiry: 0, receive_maximum: None, will: None }
    }

    /// The Session Expiry Interval this amounts to. Before 5.0 a session lasts for ever or not at all.
    pub(crate) const fn lasts(&self) -> u32 {
        match (self.version, self.clean) {
            (Version::V5, _) => self.expiry,
            (_, true) => 0,
            (_, false) => FOR_EVER,
        }
    }
}
