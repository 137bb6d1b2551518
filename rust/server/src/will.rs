//! The Will of a client that connects: whether it may leave it, and what becomes of it.

use std::sync::Arc;

use bytes::Bytes;
use hookmq_codec::{Properties, Publish, ReasonCode, Will};
use hookmq_engine::{Client, Message, Right};
use parking_lot::Mutex;

use crate::deciders::{Action, Asked, Transformed};
use crate::handshake::Denial;
use crate::server::Context;
use crate::worker::Turn;

/// The Will that is kept for a client: its own, or what a hook made of it; `None` if that was nothing.
///
/// Whoever decides about publishes decides about it now, for there is nobody to ask when it is published.
pub(crate) async fn admit(
    will: Will,
    client: &Arc<Client>,
    context: &Context,
    turn: &Mutex<Turn>,
) -> Result<Option<Will>, Denial> {
    let not_allowed = || Denial::new(ReasonCode::NotAuthorized, "the Will Topic is not allowed");
    let topic = &will.topic;
    let too_deep = topic.split('/').nth(context.settings.limits.max_topic_levels).is_some();
    if topic.starts_with("$SYS/") || too_deep || !client.may(Right::Publish, topic) {
        return Err(not_allowed());
    }
    let deciders = &context.deciders;
    if deciders.authorizes(Action::Publish) {
        let answer = deciders.authorize(client, Action::Publish, topic, will.qos, will.retain);
        answer.wait().await.into_result().map_err(|_| not_allowed())?;
    }
    let asked = {
        let turn = &mut *turn.lock();
        turn.batch.begin(context.clock.now());
        let taps = context.broker.transforms(topic, &mut turn.batch);
        turn.finish(&context.broker);
        taps
    };
    let Some(taps) = asked else { return Ok(Some(will)) };
    let publish = Publish {
        topic: will.topic.clone(),
        qos: will.qos,
        retain: will.retain,
        payload: will.payload.clone(),
        properties: will.properties.clone(),
        ..Publish::default()
    };
    let answers = deciders.transform(client, &Arc::new(vec![Asked { publish, taps }])).await;
    match answers.into_iter().next().unwrap_or(Transformed::Failed) {
        Transformed::Keep => Ok(Some(will)),
        // A client leaves one Will: of several messages the first counts.
        Transformed::Instead(messages) => {
            Ok(messages.into_iter().next().map(|message| replaced(will, message)))
        }
        Transformed::Refuse(denied) => {
            let text = denied.text.map_or_else(|| "the Will was refused".to_owned(), |text| text.to_string());
            Err(Denial { reason: denied.reason, what: text })
        }
        Transformed::Failed => {
            let what = "it could not be decided what becomes of the Will";
            Err(Denial::new(ReasonCode::ImplementationSpecificError, what))
        }
    }
}

/// A Will with the content of a message. Its delay is the client's.
fn replaced(will: Will, message: Message) -> Will {
    use hookmq_codec::PropertyId::{MessageExpiryInterval, WillDelayInterval};
    let mut properties: Properties = message.properties;
    for id in [WillDelayInterval, MessageExpiryInterval] {
        if let Some(seconds) = will.properties.number(id) {
            properties = properties.with(id, seconds);
        }
    }
    let payload = Bytes::copy_from_slice(&message.payload);
    Will { topic: message.topic, payload, qos: message.qos, retain: message.retain, properties }
}
