//! From the first byte of a connection to its CONNACK.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::BytesMut;
use hookmq_codec::{
    ConnAck, Connect, DecodeError, Decoder, Packet, Properties, PropertyId, ReasonCode, Value, Version,
};
use hookmq_engine::{Client, Connection, Event};
use parking_lot::Mutex;
use tokio::io::AsyncReadExt;
use tokio::time::timeout_at;

use crate::authentication::Authenticated;
use crate::bridge::{self, CLIENT_ID};
use crate::connection::Visitor;
use crate::deciders::Verdict;
use crate::listener::Listener;
use crate::server::Context;
use crate::socket::Socket;
use crate::stream::{Output, Reader};
use crate::will;
use crate::worker::Turn;

/// Random bytes of an assigned Client Identifier; nobody guesses it to take a session over.
const ASSIGNED_ID_BYTES: usize = 12;

/// The longest reason string, in bytes.
const MAX_REASON: usize = 1024;

/// How long a peer may go on sending to a connection that was refused.
const DRAIN: Duration = Duration::from_millis(500);

/// A connection that has not sent CONNECT.
pub(crate) struct Arrival<'a> {
    pub(crate) reader: &'a mut Reader,
    pub(crate) socket: &'a Arc<Socket>,
    pub(crate) output: &'a mut Option<Output>,
    pub(crate) visitor: Visitor,
    pub(crate) listener: &'a Arc<Listener>,
    pub(crate) context: &'a Arc<Context>,
    pub(crate) turn: &'a Mutex<Turn>,
    buffer: BytesMut,
    decoder: Decoder,
    /// Whether no packet has come yet.
    first: bool,
}

/// A connection whose CONNECT was taken, with what was read behind it.
pub(crate) struct Welcomed {
    pub(crate) connection: Connection,
    pub(crate) decoder: Decoder,
    pub(crate) buffer: BytesMut,
    /// The method of its enhanced authentication.
    pub(crate) method: Option<Arc<str>>,
}

/// Why a CONNECT is not taken.
pub(crate) struct Denial {
    pub(crate) reason: ReasonCode,
    pub(crate) what: String,
}

impl Denial {
    pub(crate) fn new(reason: ReasonCode, what: &str) -> Self {
        Self { reason, what: what.to_owned() }
    }

    /// The client is gone: there is nobody to answer.
    pub(crate) fn silent() -> Self {
        Self::new(ReasonCode::Success, "it went away")
    }
}

/// A CONNECT that is not taken: how to say so.
struct Refusal {
    denial: Denial,
    version: Version,
    client_id: Arc<str>,
    /// The largest packet the client takes, in bytes.
    max_packet_size: usize,
}

impl<'a> Arrival<'a> {
    pub(crate) fn new(
        (reader, socket, output): (&'a mut Reader, &'a Arc<Socket>, &'a mut Option<Output>),
        visitor: Visitor,
        listener: &'a Arc<Listener>,
        context: &'a Arc<Context>,
        turn: &'a Mutex<Turn>,
    ) -> Self {
        let settings = &context.settings;
        let largest = settings.max_connect_size.min(listener.settings.max_packet_size);
        let decoder = Decoder::new(Version::default(), largest)
            .with_user_properties(settings.limits.max_user_property_bytes);
        Self {
            reader,
            socket,
            output,
            visitor,
            listener,
            context,
            turn,
            buffer: BytesMut::new(),
            decoder,
            first: true,
        }
    }

    /// Reads CONNECT, asks who decides, and lets the client in. `None` means that the connection is over.
    pub(crate) async fn welcome(mut self) -> Option<Welcomed> {
        let first = timeout_at(self.visitor.deadline, self.read_packet()).await;
        self.first = false;
        let connect = match first {
            Ok(Some(Ok(Packet::Connect(connect)))) => connect,
            Ok(Some(Err(error))) => {
                self.count(&error);
                let denial = Denial::new(error.reason, error.what);
                let version = self.decoder.version();
                let refusal = Refusal { denial, version, client_id: "".into(), max_packet_size: usize::MAX };
                self.refuse(refusal).await;
                return None;
            }
            // Gone, or something other than MQTT: no answer is due. [MQTT-3.1.0-1]
            Ok(_) => return None,
            Err(_) => {
                self.context.broker.statistics.limit_connect_timeout.fetch_add(1, Relaxed);
                return None;
            }
        };
        let version = connect.version;
        let largest = connect.properties.number(PropertyId::MaximumPacketSize);
        let max_packet_size = largest.map_or(usize::MAX, |bytes| bytes as usize);
        let client_id: Arc<str> = (*connect.client_id).into();
        let admitted = self.admit(*connect).await;
        // Until here it is one of those that are bounded: who it is takes time to find out.
        drop(self.visitor.half_open.take());
        match admitted {
            Ok((connection, method)) => {
                let limits = &self.context.settings.limits;
                let largest = limits.max_packet_size.min(self.listener.settings.max_packet_size);
                self.decoder.connected(largest);
                Some(Welcomed { connection, decoder: self.decoder, buffer: self.buffer, method })
            }
            Err(denial) => {
                self.refuse(Refusal { denial, version, client_id, max_packet_size }).await;
                None
            }
        }
    }

    /// The next packet. `None`: the peer closed, or its first packet is no CONNECT.
    pub(crate) async fn read_packet(&mut self) -> Option<Result<Packet, DecodeError>> {
        let first = self.first;
        loop {
            // Told by the first byte, so that other protocols are not waited for.
            if first && self.buffer.first().is_some_and(|byte| byte >> 4 != 1) {
                return None;
            }
            match self.decoder.next(&mut self.buffer) {
                Ok(Some(packet)) => return Some(Ok(packet)),
                Ok(None) => {}
                Err(error) => return Some(Err(error)),
            }
            self.buffer.reserve(1024);
            let read = std::future::poll_fn(|cx| {
                tokio_util::io::poll_read_buf(Pin::new(&mut *self.reader), cx, &mut self.buffer)
            });
            if read.await.ok()? == 0 {
                return None;
            }
        }
    }

    fn count(&self, error: &DecodeError) {
        let statistics = &self.context.broker.statistics;
        match error.reason {
            ReasonCode::PacketTooLarge => statistics.limit_max_connect_size.fetch_add(1, Relaxed),
            ReasonCode::QuotaExceeded => statistics.limit_max_user_property_bytes.fetch_add(1, Relaxed),
            _ => 0,
        };
    }

    async fn admit(&mut self, mut connect: Connect) -> Result<(Connection, Option<Arc<str>>), Denial> {
        let version = connect.version;
        if !self.listener.takes_connect() {
            self.context.broker.statistics.limit_connect_rate.fetch_add(1, Relaxed);
            return Err(Denial::new(ReasonCode::ConnectionRateExceeded, "too many connect at a time"));
        }
        if connect.client_id.starts_with(CLIENT_ID) != self.listener.is_bridge {
            let what = "client identifiers that begin with $bridge/ are those of bridges";
            return Err(Denial::new(ReasonCode::ClientIdentifierNotValid, what));
        }
        let assigned = connect.client_id.is_empty();
        // [MQTT-3.1.3-8] of 3.1.1; 3.1 has no empty identifiers, 5.0 assigns one in any case
        if assigned && (version == Version::V31 || version == Version::V311 && !connect.clean_start) {
            let what = "an empty client identifier needs MQTT 5, or 3.1.1 with a clean session";
            return Err(Denial::new(ReasonCode::ClientIdentifierNotValid, what));
        }
        let no_randomness = || Denial::new(ReasonCode::ServerUnavailable, "no randomness");
        let id = match assigned {
            true => assigned_id().ok_or_else(no_randomness)?,
            false => Arc::from(&*connect.client_id),
        };
        let client = Client {
            id,
            username: connect.username.as_deref().map(Arc::from),
            password: connect.password.clone(),
            address: self.visitor.address,
            version,
            bridge: connect.bridge || self.listener.is_bridge || bridge::is_declared(&connect.properties),
            clean_start: connect.clean_start,
            keep_alive: self.keep_alive(&connect),
            connected_at: self.context.clock.now(),
            principal: None,
            certificate: self.visitor.certificate.as_ref().map(|one| Arc::clone(&one.distinguished_name)),
            listener: Arc::clone(&self.listener.engine),
        };
        // Before anybody is asked who it is, which may cost much.
        let banned = self.context.broker.check_ban(&client, client.connected_at);
        banned.map_err(|close| Denial::new(close.reason, close.what))?;
        let authenticated = self.authenticate(&connect, client).await.inspect_err(|_| {
            self.context.broker.statistics.auth_failures.fetch_add(1, Relaxed);
        })?;
        let Authenticated { client, mut extra, method } = authenticated;
        let client = Arc::new(client);
        let deciders = &self.context.deciders;
        if deciders.greets()
            && let Verdict::Deny { reason, text } = deciders.greet(&client).wait().await
        {
            let what = text.unwrap_or_else(|| "the connection was refused".to_owned());
            return Err(Denial { reason, what });
        }
        if let Some(will) = connect.will.take() {
            connect.will = will::admit(will, &client, self.context, self.turn).await?;
        }
        if assigned {
            // [MQTT-3.1.3-7] of 5.0
            extra = extra.with_text(PropertyId::AssignedClientIdentifier, &*client.id);
        }
        let turn = &mut *self.turn.lock();
        turn.batch.begin(self.context.clock.now());
        let transport: Arc<dyn hookmq_engine::Transport> = Arc::<Socket>::clone(self.socket);
        let connection = self.context.broker.connect(connect, client, extra, transport, &mut turn.batch);
        turn.finish(&self.context.broker);
        let connection = connection.map_err(|close| Denial::new(close.reason, close.what))?;
        Ok((connection, method))
    }

    /// The Keep Alive in seconds that holds for a client. [MQTT-3.2.2-21]
    fn keep_alive(&self, connect: &Connect) -> u16 {
        if self.listener.is_bridge {
            return 0; // nothing between it and the broker can fall silent
        }
        let limits = &self.context.settings.limits;
        let asked = if connect.keep_alive == 0 { limits.default_keep_alive } else { connect.keep_alive };
        let longest = limits.max_keep_alive;
        // Without one it is endless. A client before 5.0 would not know, and be taken for dead.
        if longest == u16::MAX || !connect.version.is_v5() || (1..=longest).contains(&asked) {
            return asked;
        }
        self.context.broker.statistics.limit_max_keep_alive.fetch_add(1, Relaxed);
        longest
    }

    /// Answers a CONNECT that is not taken, counts it, leaves a word in the log, and closes.
    async fn refuse(&mut self, refusal: Refusal) {
        let Refusal { denial: Denial { reason, what }, version, client_id, max_packet_size } = refusal;
        self.socket.write_last(&answer(reason, &what, version, max_packet_size)); // [MQTT-3.2.2-7]
        {
            let turn = &mut *self.turn.lock();
            turn.batch.begin(self.context.clock.now());
            turn.batch.counts().connects_refused += 1;
            let address =
                self.visitor.address.map_or_else(|| "a Unix socket".to_owned(), |ip| ip.to_string());
            turn.batch
                .note(Event::Notice { client_id, text: format!("refused {address}: {what} ({reason})") });
            turn.finish(&self.context.broker);
        }
        drain(self.reader, self.socket, self.output).await;
    }
}

/// The CONNACK that refuses; nothing where there is no return code that says so.
fn answer(reason: ReasonCode, what: &str, version: Version, max_packet_size: usize) -> BytesMut {
    use ReasonCode::*;
    let mut out = BytesMut::new();
    let said_by_3_x = matches!(
        reason,
        UnsupportedProtocolVersion
            | ClientIdentifierNotValid
            | BadUserNameOrPassword
            | NotAuthorized
            | Banned
            | ServerUnavailable
            | ServerBusy
            | QuotaExceeded
            | ConnectionRateExceeded
    );
    // Before 5.0 a malformed CONNECT gets no answer.
    if !reason.is_error() || !(version.is_v5() || said_by_3_x) {
        return out;
    }
    let mut connack = ConnAck { session_present: false, reason, properties: Properties::new() }; // [MQTT-3.2.2-6]
    if version.is_v5() {
        connack.properties.push(PropertyId::ReasonString, Value::Text(shortened(what).into()));
    }
    Packet::ConnAck(connack.clone()).encode(version, &mut out);
    if out.len() > max_packet_size {
        out.clear(); // [MQTT-3.2.2-19]
        connack.properties = Properties::new();
        Packet::ConnAck(connack).encode(version, &mut out);
    }
    out
}

fn assigned_id() -> Option<Arc<str>> {
    let mut random = [0u8; ASSIGNED_ID_BYTES];
    getrandom::fill(&mut random).ok()?;
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("auto-{hex}").into())
}

/// A reason string of bearable length: deciders may put a client's own words into it.
fn shortened(text: &str) -> &str {
    let end = (0..=MAX_REASON.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// Ends a connection so that the peer can read the last bytes: says that nothing more comes, then discards
/// what the peer still sends, for a moment.
pub(crate) async fn drain(reader: &mut Reader, socket: &Socket, output: &mut Option<Output>) {
    let ending = async {
        socket.finish(output).await;
        let mut discarded = vec![0u8; 4096]; // not in the future, which every connection has
        while reader.read(&mut discarded).await.is_ok_and(|read| read > 0) {}
    };
    let _ = tokio::time::timeout(DRAIN, ending).await;
}
