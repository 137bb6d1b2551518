//! What is asked about a client's packets before they are handled, and how it goes on.

use hookmq_codec::{Packet, Publish, QoS, ReasonCode, Subscribe, SubscribeFilter, TopicFilter};
use hookmq_engine::{Batch, Close, Denied, QueuePolicy, Right};

use crate::connection::{Awaited, ClientTask, Outcome};
use crate::deciders::{Action, Answer, Terms, Transformed, Verdict};

impl ClientTask {
    /// Asks whether a publish is allowed, if anyone is to be asked.
    pub(crate) fn authorize_publish(
        &mut self,
        publish: Publish,
        batch: &mut Batch,
    ) -> Result<Option<Outcome>, Close> {
        let deciders = &self.context.deciders;
        let client = self.connection.client();
        let question = (Action::Publish, &publish.topic, publish.qos, publish.retain);
        if !deciders.authorizes(Action::Publish)
            || !client.may(Right::Publish, &publish.topic) // the engine denies it
            || self.authorized.recall(&**deciders, question).is_some()
        {
            return self.publish(publish, Ok(()), batch);
        }
        if self.transforming.is_gathering() {
            self.transforming.put_behind(Packet::Publish(publish));
            return Ok(Some(self.ask_transforms()));
        }
        let generation = deciders.generation();
        match deciders.authorize(client, Action::Publish, &publish.topic, publish.qos, publish.retain) {
            Answer::Now(verdict) => {
                let allowed = self.remember(&publish, verdict, generation);
                self.publish(publish, allowed, batch)
            }
            Answer::Later(later) => {
                Ok(Some(Outcome::Ask(Box::pin(
                    async move { Awaited::Publish(publish, later.await, generation) },
                ))))
            }
        }
    }

    pub(crate) fn remember(
        &mut self,
        publish: &Publish,
        verdict: Verdict,
        generation: u64,
    ) -> Result<(), Denied> {
        let terms = verdict.into_result()?;
        let question = (Action::Publish, publish.topic.clone(), publish.qos, publish.retain);
        self.authorized.remember(generation, question, &terms);
        Ok(())
    }

    /// Asks whether subscriptions are allowed. All are asked about at once, so that one time-out covers them.
    pub(crate) fn authorize_subscribe(&mut self, subscribe: Subscribe) -> Outcome {
        let (client, deciders) = (self.connection.client(), &self.context.deciders);
        let generation = deciders.generation();
        let authorized = &mut self.authorized;
        let ask = |wanted: &SubscribeFilter| {
            let question = (Action::Subscribe, &wanted.filter, wanted.options.qos, false);
            if let Some(qos) = authorized.recall(&**deciders, question) {
                return Answer::Now(Verdict::Allow(Terms { qos, ..Terms::default() }));
            }
            // A shared subscription is asked about as the filter it reads.
            let filter = TopicFilter::parse(wanted.filter.clone());
            let filter = filter.as_ref().map_or(&*wanted.filter, |filter| filter.filter());
            if !client.may(Right::Subscribe, filter) {
                return Answer::Now(Verdict::allow()); // the engine denies it
            }
            deciders.authorize(client, Action::Subscribe, filter, wanted.options.qos, false)
        };
        let answers: Vec<_> = subscribe.filters.iter().map(ask).collect();
        Outcome::Ask(Box::pin(async move {
            let mut verdicts = Vec::with_capacity(answers.len());
            for answer in answers {
                verdicts.push(answer.wait().await);
            }
            Awaited::Subscribe(subscribe, verdicts, generation)
        }))
    }

    /// Publishes, unless somebody is to decide about it first, or the publisher is to wait for room.
    pub(crate) fn publish(
        &mut self,
        publish: Publish,
        allowed: Result<(), Denied>,
        batch: &mut Batch,
    ) -> Result<Option<Outcome>, Close> {
        if allowed.is_ok()
            && let Some(taps) = self.connection.transforms(&publish.topic, batch)
            && self.connection.may_publish(&publish.topic).is_ok()
            && !self.connection.has_received(&publish)
        {
            if self.transforming.is_gathering_again(&publish) {
                // It came twice: the second time there is nothing to ask.
                self.transforming.put_behind(Packet::Publish(publish));
                return Ok(Some(self.ask_transforms()));
            }
            let now = self.transforming.gather(publish, taps);
            return Ok(now.then(|| self.ask_transforms()));
        }
        if self.transforming.is_gathering() {
            self.transforming.put_behind(Packet::Publish(publish));
            return Ok(Some(self.ask_transforms()));
        }
        self.publish_now(publish, allowed, batch)
    }

    pub(crate) fn publish_now(
        &mut self,
        publish: Publish,
        allowed: Result<(), Denied>,
        batch: &mut Batch,
    ) -> Result<Option<Outcome>, Close> {
        if allowed.is_ok()
            && self.context.settings.limits.queue_policy == QueuePolicy::Hold
            && !self.connection.has_room(&publish, batch)
        {
            // What would make room in its own queue is not read while it is held.
            if self.connection.is_full() {
                let full = Err(ReasonCode::QuotaExceeded.into());
                return self.connection.publish(publish, full, batch).map(|()| None);
            }
            batch.counts().limit_hold += 1;
            return Ok(Some(Outcome::Hold(publish)));
        }
        self.connection.publish(publish, allowed, batch).map(|()| None)
    }

    /// Acknowledges a publish that has been here before, in its place among the others; nobody gets it.
    pub(crate) fn drop_returned(
        &mut self,
        publish: Publish,
        batch: &mut Batch,
    ) -> Result<Option<Outcome>, Close> {
        if self.transforming.is_gathering() {
            self.transforming.put_behind(Packet::Publish(publish));
            return Ok(Some(self.ask_transforms()));
        }
        batch.counts().bridge_loops += 1;
        self.connection.publish_instead(&publish, Vec::new(), batch).map(|()| None)
    }

    /// Asks what becomes of the publishes that were gathered.
    pub(crate) fn ask_transforms(&mut self) -> Outcome {
        let asked = self.transforming.take_gathered();
        let answers = self.context.deciders.transform(self.connection.client(), &asked);
        Outcome::Ask(Box::pin(async move { Awaited::Transformed(asked, answers.await) }))
    }

    /// Publishes what was made of a publish.
    pub(crate) fn publish_transformed(
        &mut self,
        publish: Publish,
        transformed: Transformed,
        batch: &mut Batch,
    ) -> Result<Option<Outcome>, Close> {
        match transformed {
            Transformed::Keep => self.publish_now(publish, Ok(()), batch),
            Transformed::Instead(messages) => {
                self.connection.publish_instead(&publish, messages, batch).map(|()| None)
            }
            Transformed::Refuse(denied) => {
                self.connection.publish(publish, Err(denied), batch).map(|()| None)
            }
            Transformed::Failed => {
                let reason = ReasonCode::ImplementationSpecificError;
                let what = "it could not be decided what becomes of a publish";
                // Before 5.0 there is no way to say no; it must come again.
                if publish.qos > QoS::AtMostOnce && !self.connection.client().version.is_v5() {
                    return Err(Close::new(reason, what));
                }
                let denied = Denied { reason, text: Some(what.into()) };
                self.connection.publish(publish, Err(denied), batch).map(|()| None)
            }
        }
    }

    /// Goes on with what was waited for.
    pub(crate) fn go_on(&mut self, awaited: Awaited, batch: &mut Batch) -> Result<Option<Outcome>, Close> {
        match awaited {
            Awaited::Publish(publish, verdict, generation) => {
                let allowed = self.remember(&publish, verdict, generation);
                return self.publish(publish, allowed, batch);
            }
            Awaited::Subscribe(subscribe, verdicts, generation) => {
                let mut granted = Vec::with_capacity(verdicts.len());
                for (wanted, verdict) in subscribe.filters.iter().zip(verdicts) {
                    granted.push(verdict.into_result().map(|terms| {
                        let question = (Action::Subscribe, wanted.filter.clone(), wanted.options.qos, false);
                        self.authorized.remember(generation, question, &terms);
                        terms.qos
                    }));
                }
                self.connection.subscribe(subscribe, &granted, batch)?;
            }
            Awaited::Transformed(asked, answers) => self.transforming.decide(asked, answers),
            Awaited::Authenticated(answered) => {
                let Some(again) = &mut self.again else { return Ok(None) };
                let packet = again.go_on(answered, self.connection.client())?;
                self.connection.send(packet, batch);
            }
        }
        Ok(None)
    }
}
