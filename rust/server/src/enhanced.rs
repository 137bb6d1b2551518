//! Enhanced authentication: a method's steps in AUTH packets, at CONNECT and later again.

use std::sync::Arc;

use bytes::Bytes;
use hookmq_auth::scram;
use hookmq_codec::{Auth, Properties, PropertyId, ReasonCode, Value};
use hookmq_engine::Client;

use crate::deciders::{Deciders, Exchange, Later, Step};
use crate::listener::Listener;
use crate::users::UserFile;

/// The method that the broker knows itself.
pub(crate) const SCRAM_SHA_256: &str = "SCRAM-SHA-256";

/// Begins an exchange by a method; `None` if nobody knows it.
pub(crate) fn begin(
    method: &str,
    client: &Arc<Client>,
    listener: &Listener,
    deciders: &dyn Deciders,
) -> Option<Box<dyn Exchange>> {
    // A hook of that name comes first: who registers one knows why.
    if let Some(exchange) = deciders.exchange(client, method) {
        return Some(exchange);
    }
    let users = listener.users.as_ref().filter(|_| method == SCRAM_SHA_256)?;
    Some(Box::new(Scram::Waiting(Arc::clone(users))))
}

/// An AUTH packet of a method.
pub(crate) fn auth(reason: ReasonCode, method: &str, data: Bytes) -> Auth {
    let properties = with_method(Properties::new(), method, data);
    Auth { reason, properties }
}

/// Adds the method and its data.
pub(crate) fn with_method(mut properties: Properties, method: &str, data: Bytes) -> Properties {
    properties.push(PropertyId::AuthenticationMethod, Value::Text(method.into())); // [MQTT-4.12.0-5]
    if !data.is_empty() {
        properties.push(PropertyId::AuthenticationData, Value::Binary(data));
    }
    properties
}

/// The broker's side of SCRAM-SHA-256.
enum Scram {
    /// For the client's first message.
    Waiting(Arc<UserFile>),
    /// For its proof.
    Challenged(Box<scram::Exchange>),
    Over,
}

impl Exchange for Scram {
    fn step(&mut self, data: Bytes) -> Later<Step> {
        let refuse = |error: scram::ScramError| Step::Deny {
            reason: ReasonCode::NotAuthorized,
            text: Some(error.to_string()),
        };
        let step = match std::mem::replace(self, Self::Over) {
            Self::Waiting(users) => match users.scram(&data) {
                Ok((exchange, challenge)) => {
                    *self = Self::Challenged(Box::new(exchange));
                    Step::Continue(challenge.into())
                }
                Err(error) => refuse(error),
            },
            Self::Challenged(exchange) => match exchange.finish(&data) {
                Ok((user, last)) => Step::Success { data: last.into(), user: Some(user) },
                Err(error) => refuse(error),
            },
            Self::Over => Step::Deny { reason: ReasonCode::NotAuthorized, text: None },
        };
        Box::pin(std::future::ready(step))
    }
}
