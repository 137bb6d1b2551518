//! A client that came by an enhanced authentication proves again who it is, while its connection goes on.

use std::sync::Arc;

use hookmq_codec::{Auth, Packet, PropertyId, ReasonCode};
use hookmq_engine::{Client, Close};

use crate::deciders::{Deciders, Exchange, Later, Step};
use crate::enhanced;
use crate::listener::Listener;

/// A step that was answered, and the exchange it belongs to.
pub(crate) type Answered = (Step, Box<dyn Exchange>);

/// The method of a client and the exchange that is under way.
pub(crate) struct Reauthentication {
    method: Arc<str>,
    listener: Arc<Listener>,
    exchange: Option<Box<dyn Exchange>>,
}

const WRONG_STEP: Close = Close::new(ReasonCode::ProtocolError, "AUTH does not fit what came before");
const REFUSED: Close = Close::new(ReasonCode::NotAuthorized, "re-authentication was refused");

impl Reauthentication {
    pub(crate) fn new(method: Arc<str>, listener: Arc<Listener>) -> Self {
        Self { method, listener, exchange: None }
    }

    /// AUTH came.
    pub(crate) fn step(
        &mut self,
        auth: &Auth,
        client: &Arc<Client>,
        deciders: &dyn Deciders,
    ) -> Result<Later<Answered>, Close> {
        let method = auth.properties.text(PropertyId::AuthenticationMethod);
        if method.is_none_or(|method| **method != *self.method) {
            // [MQTT-4.12.1-1]
            return Err(Close::new(ReasonCode::ProtocolError, "the Authentication Method changed"));
        }
        let exchange = match (auth.reason, self.exchange.take()) {
            (ReasonCode::ReAuthenticate, None) => {
                enhanced::begin(&self.method, client, &self.listener, deciders).ok_or(REFUSED)?
            }
            (ReasonCode::ContinueAuthentication, Some(exchange)) => exchange,
            _ => return Err(WRONG_STEP),
        };
        let data = auth.properties.binary(PropertyId::AuthenticationData).cloned().unwrap_or_default();
        let mut exchange = exchange;
        let step = exchange.step(data);
        Ok(Box::pin(async move { (step.await, exchange) }))
    }

    /// What to tell the client. [MQTT-4.12.1-2] an end of the connection if it was refused
    pub(crate) fn go_on(&mut self, answered: Answered, client: &Client) -> Result<Packet, Close> {
        let (step, exchange) = answered;
        match step {
            Step::Continue(data) => {
                self.exchange = Some(exchange);
                let reason = ReasonCode::ContinueAuthentication;
                Ok(Packet::Auth(enhanced::auth(reason, &self.method, data)))
            }
            // Another user does not get the session of the first.
            Step::Success { user: Some(user), .. } if client.username.as_deref() != Some(&user) => {
                Err(REFUSED)
            }
            Step::Success { data, .. } => {
                Ok(Packet::Auth(enhanced::auth(ReasonCode::Success, &self.method, data)))
            }
            Step::Deny { .. } => Err(REFUSED),
        }
    }
}
