//! From the first byte of a connection to its CONNACK.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use hookmq_codec::{
    ConnAck, Connect, DecodeError, Decoder, Packet, Properties, PropertyId, QoS, ReasonCode, Value, Version,
};
use hookmq_engine::{Client, Connection, Event};
use parking_lot::Mutex;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;

use crate::deciders::{Action, Verdict};
use crate::server::Context;
use crate::socket::Socket;
use crate::worker::Turn;

/// Random bytes of an assigned Client Identifier; nobody guesses it to take a session over.
const ASSIGNED_ID_BYTES: usize = 12;

/// The longest reason string, in bytes.
const MAX_REASON: usize = 1024;

/// How long a peer may go on sending to a connection that was refused.
const DRAIN: Duration = Duration::from_millis(500);

/// A connection whose CONNECT was taken, with what was read behind it.
pub(crate) struct Welcomed {
    pub(crate) connection: Connection,
    pub(crate) decoder: Decoder,
    pub(crate) buffer: BytesMut,
}

/// A CONNECT that is not taken: how to say so.
struct Refusal {
    version: Version,
    reason: ReasonCode,
    what: String,
    client_id: Arc<str>,
    /// The largest packet the client takes, in bytes.
    max_packet_size: usize,
}

/// Reads CONNECT, asks who decides, and lets the client in. `None` means that the connection is over.
pub(crate) async fn welcome(
    reader: &mut OwnedReadHalf,
    socket: &Arc<Socket>,
    address: SocketAddr,
    context: &Arc<Context>,
    turn: &Mutex<Turn>,
) -> Option<Welcomed> {
    let mut buffer = BytesMut::new();
    let mut decoder = Decoder::new(Version::default(), context.settings.max_connect_size);
    let reading = read_connect(reader, &mut buffer, &mut decoder);
    let connect = match tokio::time::timeout(context.settings.connect_timeout, reading).await {
        Ok(Some(Ok(connect))) => connect,
        Ok(Some(Err(error))) => {
            let refusal = Refusal {
                version: decoder.version(),
                reason: error.reason,
                what: error.what.to_owned(),
                client_id: "".into(),
                max_packet_size: usize::MAX,
            };
            refuse(refusal, address, socket, context, turn);
            drain(reader, socket).await;
            return None;
        }
        // Gone, silent for too long, or something other than MQTT: no answer is due. [MQTT-3.1.0-1]
        Ok(None) | Err(_) => return None,
    };
    match admit(*connect, address, socket, context, turn).await {
        Ok(connection) => {
            decoder.set_max_packet_size(context.settings.limits.max_packet_size);
            Some(Welcomed { connection, decoder, buffer })
        }
        Err(refusal) => {
            refuse(refusal, address, socket, context, turn);
            drain(reader, socket).await;
            None
        }
    }
}

/// The first packet, if it is a CONNECT. `None`: the peer closed, or sent another packet.
async fn read_connect(
    reader: &mut OwnedReadHalf,
    buffer: &mut BytesMut,
    decoder: &mut Decoder,
) -> Option<Result<Box<Connect>, DecodeError>> {
    loop {
        // Told by the first byte, so that other protocols are not waited for.
        if buffer.first().is_some_and(|byte| byte >> 4 != 1) {
            return None;
        }
        match decoder.next(buffer) {
            Ok(Some(Packet::Connect(connect))) => return Some(Ok(connect)),
            Ok(Some(_)) => return None,
            Ok(None) => {}
            Err(error) => return Some(Err(error)),
        }
        buffer.reserve(1024);
        let read =
            std::future::poll_fn(|cx| tokio_util::io::poll_read_buf(Pin::new(&mut *reader), cx, buffer));
        if read.await.ok()? == 0 {
            return None;
        }
    }
}

async fn admit(
    connect: Connect,
    address: SocketAddr,
    socket: &Arc<Socket>,
    context: &Arc<Context>,
    turn: &Mutex<Turn>,
) -> Result<Connection, Refusal> {
    let version = connect.version;
    let max_packet_size =
        connect.properties.number(PropertyId::MaximumPacketSize).map_or(usize::MAX, |bytes| bytes as usize);
    let refusal = |reason, what: &str, client_id: &str| Refusal {
        version,
        reason,
        what: what.to_owned(),
        client_id: client_id.into(),
        max_packet_size,
    };
    let assigned = connect.client_id.is_empty();
    // [MQTT-3.1.3-8] of 3.1.1; 3.1 has no empty identifiers, 5.0 assigns one in any case
    if assigned && (version == Version::V31 || version == Version::V311 && !connect.clean_start) {
        let what = "an empty client identifier needs MQTT 5, or 3.1.1 with a clean session";
        return Err(refusal(ReasonCode::ClientIdentifierNotValid, what, ""));
    }
    if connect.properties.text(PropertyId::AuthenticationMethod).is_some() {
        // [MQTT-4.12.0-1]
        return Err(refusal(
            ReasonCode::BadAuthenticationMethod,
            "no enhanced authentication is configured",
            &connect.client_id,
        ));
    }
    let id = match assigned {
        true => assigned_id().ok_or_else(|| refusal(ReasonCode::ServerUnavailable, "no randomness", ""))?,
        false => Arc::from(&*connect.client_id),
    };
    let client = Arc::new(Client {
        id,
        username: connect.username.as_deref().map(Arc::from),
        password: connect.password.clone(),
        address: Some(address),
        version,
        clean_start: connect.clean_start,
        keep_alive: match connect.keep_alive {
            0 => context.settings.limits.default_keep_alive,
            seconds => seconds,
        },
        connected_at: context.clock.now(),
    });
    if let Verdict::Deny { reason, text } = context.deciders.authenticate(&client).wait().await {
        return Err(refusal(reason, text.as_deref().unwrap_or("authentication was refused"), &client.id));
    }
    if let Some(will) = &connect.will
        && !may_leave_will(&client, will.topic.as_ref(), will.qos, will.retain, context).await
    {
        return Err(refusal(ReasonCode::NotAuthorized, "the Will Topic is not allowed", &client.id));
    }
    // From here on the password is not needed, and what is not kept cannot leak.
    let client = Arc::new(Client { password: None, ..(*client).clone() });
    let turn = &mut *turn.lock();
    turn.batch.begin(context.clock.now());
    let transport: Arc<dyn hookmq_engine::Transport> = Arc::<Socket>::clone(socket);
    let connection =
        context.broker.connect(connect, Arc::clone(&client), assigned, transport, &mut turn.batch);
    context.broker.finish(&mut turn.batch);
    connection.map_err(|reason| refusal(reason, "too many clients are connected", &client.id))
}

async fn may_leave_will(
    client: &Arc<Client>,
    topic: &str,
    qos: QoS,
    retain: bool,
    context: &Context,
) -> bool {
    if topic.starts_with("$SYS/") || topic.split('/').nth(context.settings.limits.max_topic_levels).is_some()
    {
        return false;
    }
    !context.deciders.authorizes()
        || context
            .deciders
            .authorize(client, Action::Publish, topic, qos, retain)
            .wait()
            .await
            .as_result()
            .is_ok()
}

fn assigned_id() -> Option<Arc<str>> {
    let mut random = [0u8; ASSIGNED_ID_BYTES];
    getrandom::fill(&mut random).ok()?;
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("auto-{hex}").into())
}

/// Answers a CONNECT that is not taken, counts it and leaves a word in the log.
fn refuse(refusal: Refusal, address: SocketAddr, socket: &Socket, context: &Context, turn: &Mutex<Turn>) {
    let Refusal { version, reason, what, client_id, max_packet_size } = refusal;
    let mut out = BytesMut::new();
    // Before 5.0 a malformed CONNECT gets no answer, for there is no return code that says so.
    let answered = version.is_v5()
        || matches!(
            reason,
            ReasonCode::UnsupportedProtocolVersion
                | ReasonCode::ClientIdentifierNotValid
                | ReasonCode::BadUserNameOrPassword
                | ReasonCode::NotAuthorized
                | ReasonCode::Banned
                | ReasonCode::ServerUnavailable
                | ReasonCode::ServerBusy
        );
    if answered {
        let mut connack = ConnAck { session_present: false, reason, properties: Properties::new() }; // [MQTT-3.2.2-6]
        if version.is_v5() {
            connack.properties.push(PropertyId::ReasonString, Value::Text(shortened(&what).into()));
        }
        Packet::ConnAck(connack.clone()).encode(version, &mut out);
        if out.len() > max_packet_size {
            out.clear(); // [MQTT-3.2.2-19]
            connack.properties = Properties::new();
            Packet::ConnAck(connack).encode(version, &mut out);
        }
    }
    socket.write_last(&out); // [MQTT-3.2.2-7] the connection is closed next
    let turn = &mut *turn.lock();
    turn.batch.counts().connects_refused += 1;
    turn.batch.note(Event::Notice { client_id, text: format!("refused {address}: {what} ({reason})") });
    context.broker.finish(&mut turn.batch);
}

/// A reason string of bearable length: deciders may put a client's own words into it.
fn shortened(text: &str) -> &str {
    let end = (0..=MAX_REASON.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// Ends a connection so that the peer can read the last bytes: says that nothing more comes, then discards
/// what the peer still sends, for a moment.
pub(crate) async fn drain(reader: &mut OwnedReadHalf, socket: &Socket) {
    socket.finish();
    let discard = async {
        let mut discarded = [0u8; 4096];
        while reader.read(&mut discarded).await.is_ok_and(|read| read > 0) {}
    };
    let _ = tokio::time::timeout(DRAIN, discard).await;
}
