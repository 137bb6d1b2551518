//! Who a client is: what its certificate, an enhanced authentication, the users file and the hooks say.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::{Bytes, BytesMut};
use hookmq_auth::Verdict as Password;
use hookmq_codec::{Connect, Packet, Properties, PropertyId, ReasonCode, Version};
use hookmq_engine::Client;
use tokio::time::{Instant, timeout_at};

use crate::deciders::{Step, Terms, Verdict};
use crate::enhanced;
use crate::handshake::{Arrival, Denial};
use crate::settings::Identity;

/// A client that may connect.
pub(crate) struct Authenticated {
    pub(crate) client: Client,
    /// Properties for CONNACK.
    pub(crate) extra: Properties,
    /// The method by which it authenticated itself and may do so again.
    pub(crate) method: Option<Arc<str>>,
}

impl Arrival<'_> {
    /// Finds out who the client is. Each that knows it vouches for it or refuses it; a client that nobody
    /// vouches for is refused, unless nobody was asked to look.
    pub(crate) async fn authenticate(
        &mut self,
        connect: &Connect,
        mut client: Client,
    ) -> Result<Authenticated, Denial> {
        let mut vouched = self.take_name_of_certificate(&mut client);
        let (mut extra, mut method) = (Properties::new(), None);
        if let Some(name) = connect.properties.text(PropertyId::AuthenticationMethod) {
            let data = connect.properties.binary(PropertyId::AuthenticationData).cloned().unwrap_or_default();
            let largest = connect.properties.number(PropertyId::MaximumPacketSize);
            let largest = largest.map_or(usize::MAX, |bytes| bytes as usize);
            extra = self.exchange(name, data, &mut client, largest).await?;
            method = Some(Arc::from(&**name));
            vouched = true;
        } else if let (Some(users), Some(name), false) = (&self.listener.users, &client.username, vouched) {
            let password = client.password.clone().unwrap_or_default();
            match users.verify(name, &password).await {
                Password::Right => vouched = true,
                Password::Wrong => {
                    return Err(Denial::new(ReasonCode::BadUserNameOrPassword, "the password is wrong"));
                }
                Password::Unknown => {} // somebody else may know it
            }
        }
        let deciders = &self.context.deciders;
        let anonymous = client.username.is_none() && self.listener.settings.allow_anonymous;
        let open = !self.listener.authenticates() && !deciders.authenticates() && !deciders.has_methods();
        if deciders.authenticates() {
            client.principal = client.username.clone().filter(|_| vouched);
            let asked = Arc::new(client.clone());
            let answer = deciders.authenticate(&asked, vouched || anonymous).wait().await;
            match answer {
                Verdict::Deny { reason, text } => {
                    let what = text.unwrap_or_else(|| "authentication was refused".to_owned());
                    return Err(Denial { reason, what });
                }
                Verdict::Allow(Terms { user: Some(user), .. }) => client.username = Some(user.into()),
                Verdict::Allow(_) => {}
            }
        } else if !(vouched || anonymous || open) {
            return Err(match client.username {
                Some(_) => Denial::new(ReasonCode::BadUserNameOrPassword, "nobody knows this user"),
                None => Denial::new(ReasonCode::NotAuthorized, "a user name is needed"),
            });
        }
        client.principal = client.username.clone().filter(|_| !open);
        client.password = None; // from here on it is not needed, and what is not kept cannot leak
        Ok(Authenticated { client, extra, method })
    }

    /// Takes the user name from the certificate, where that is what it is for. Says whether there was one.
    fn take_name_of_certificate(&self, client: &mut Client) -> bool {
        let subject = self.visitor.certificate.as_ref();
        let name = match self.listener.settings.identity {
            Identity::Username => return false,
            Identity::CommonName => subject.and_then(|subject| subject.common_name.clone()),
            Identity::DistinguishedName => subject.map(|subject| Arc::clone(&subject.distinguished_name)),
        };
        let found = name.is_some();
        if found {
            client.username = name;
        }
        found
    }

    /// Goes through the steps of an enhanced authentication, and gives what CONNACK says of it.
    async fn exchange(
        &mut self,
        method: &str,
        mut data: Bytes,
        client: &mut Client,
        max_packet_size: usize,
    ) -> Result<Properties, Denial> {
        let asked = Arc::new(client.clone());
        let begun = enhanced::begin(method, &asked, self.listener, &*self.context.deciders);
        let mut exchange = begun.ok_or_else(|| {
            // [MQTT-4.12.0-1]
            Denial::new(ReasonCode::BadAuthenticationMethod, "this authentication method is not known")
        })?;
        let deadline = Instant::now() + self.listener.settings.connect_timeout;
        loop {
            match exchange.step(data).await {
                Step::Continue(challenge) => {
                    let packet = enhanced::auth(ReasonCode::ContinueAuthentication, method, challenge);
                    let mut out = BytesMut::new();
                    Packet::Auth(packet).encode(Version::V5, &mut out); // [MQTT-4.12.0-2] [MQTT-4.12.0-3]
                    if out.len() > max_packet_size {
                        // [MQTT-3.1.2-24] what it cannot take is not sent, and without it there is no way on
                        let what = "a step of the authentication is larger than the client takes";
                        return Err(Denial::new(ReasonCode::PacketTooLarge, what));
                    }
                    let gone = |_| Denial::new(ReasonCode::UnspecifiedError, "the connection was lost");
                    self.socket.write_first(self.output, &out).await.map_err(gone)?;
                    let answer = timeout_at(deadline, self.read_packet()).await;
                    data = self.answer(answer.ok().flatten(), method)?;
                }
                Step::Success { data, user } => {
                    if let Some(user) = user {
                        client.username = Some(user.into());
                    }
                    return Ok(enhanced::with_method(Properties::new(), method, data));
                }
                Step::Deny { reason, text } => {
                    let what = text.unwrap_or_else(|| "authentication was refused".to_owned());
                    return Err(Denial { reason, what });
                }
            }
        }
    }

    /// The data of a client's next AUTH. `None` is a client that is gone or silent.
    fn answer(
        &self,
        packet: Option<Result<Packet, hookmq_codec::DecodeError>>,
        method: &str,
    ) -> Result<Bytes, Denial> {
        let auth = match packet {
            Some(Ok(Packet::Auth(auth))) if auth.reason == ReasonCode::ContinueAuthentication => auth,
            // [MQTT-3.1.2-30] nothing but AUTH and DISCONNECT comes before CONNACK
            Some(Ok(Packet::Disconnect(_))) | None => {
                self.context.broker.statistics.limit_connect_timeout.fetch_add(1, Relaxed);
                return Err(Denial::silent());
            }
            Some(Ok(_)) => return Err(Denial::new(ReasonCode::ProtocolError, "AUTH was expected")),
            Some(Err(error)) => return Err(Denial::new(error.reason, error.what)),
        };
        if auth.properties.text(PropertyId::AuthenticationMethod).is_none_or(|named| **named != *method) {
            return Err(Denial::new(ReasonCode::ProtocolError, "the Authentication Method changed"));
        }
        Ok(auth.properties.binary(PropertyId::AuthenticationData).cloned().unwrap_or_default())
    }
}
