//! Who decides about a bridge's own connection: nobody, for it is the broker's.

use std::sync::Arc;

use hookmq_codec::QoS;
use hookmq_engine::Client;

use crate::deciders::{Action, Answer, Asked, Deciders, Exchange, Later, Transformed, Verdict};

/// Lets everything through but what changes messages.
pub(crate) struct Trusting(pub(crate) Arc<dyn Deciders>);

impl Deciders for Trusting {
    fn authenticates(&self) -> bool {
        false
    }

    fn authenticate(&self, _: &Arc<Client>, _: bool) -> Answer {
        Answer::Now(Verdict::allow())
    }

    fn has_methods(&self) -> bool {
        false
    }

    fn exchange(&self, _: &Arc<Client>, _: &str) -> Option<Box<dyn Exchange>> {
        None
    }

    fn greets(&self) -> bool {
        false
    }

    fn greet(&self, _: &Arc<Client>) -> Answer {
        Answer::Now(Verdict::allow())
    }

    fn authorizes(&self, _: Action) -> bool {
        false
    }

    fn generation(&self) -> u64 {
        self.0.generation()
    }

    fn authorize(&self, _: &Arc<Client>, _: Action, _: &str, _: QoS, _: bool) -> Answer {
        Answer::Now(Verdict::allow())
    }

    fn transform(&self, client: &Arc<Client>, asked: &Arc<Vec<Asked>>) -> Later<Vec<Transformed>> {
        self.0.transform(client, asked)
    }
}
