//! The way into this broker: a connection like any client's, which comes in by a listener of its own.

use std::sync::Arc;
use std::time::Duration;

use hookmq_codec::{
    ByteString, Connect, Disconnect, Packet, Properties, PropertyId, QoS, ReasonCode, RetainHandling,
    Subscribe, SubscribeFilter, SubscriptionOptions, Unsubscribe, Version,
};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::bridge::greeting::{self, NoConnection};
use crate::bridge::pipe::{self, Sink, Source};
use crate::bridge::remote::Terms;
use crate::bridge::settings::BridgeSettings;
use crate::bridge::{self, trail};
use crate::connection::{self, Visitor};
use crate::listener::Listener;
use crate::server::Context;
use crate::stream::Stream;
use crate::worker::Turn;

/// Bytes between the bridge and the broker.
const PIPE: usize = 64 << 10;

/// How long the broker may take to let the bridge in.
const PATIENCE: Duration = Duration::from_secs(10);

/// Packet Identifiers of the bridge's own packets, far from those of messages, which are counted from 1.
pub(crate) const SUBSCRIBE: u16 = u16::MAX;
pub(crate) const UNSUBSCRIBE: u16 = u16::MAX - 1;

/// Connects to this broker, on the terms of the other.
pub(crate) async fn connect(
    settings: &BridgeSettings,
    terms: Terms,
    listener: &Arc<Listener>,
    context: &Arc<Context>,
    turn: &Arc<Mutex<Turn>>,
) -> Result<(Source, Sink), NoConnection> {
    let (ours, theirs) = tokio::io::duplex(PIPE);
    let visitor =
        Visitor { address: None, certificate: None, deadline: Instant::now() + PATIENCE, half_open: None };
    let (listener, context, turn) = (Arc::clone(listener), Arc::clone(context), Arc::clone(turn));
    let largest = context.settings.limits.max_packet_size;
    let growth = 2 * settings.topics.growth().0 + trail::growth(&context.settings.identity);
    tokio::spawn(async move {
        let arriving =
            Box::pin(connection::arrive(Stream::owned(theirs), visitor, &listener, &context, turn));
        let client = arriving.await;
        if let Some(client) = client {
            client.serve().await;
        }
    });
    // What was taken may have got longer on its way through here, by properties that hooks gave it.
    let (mut source, mut sink) = pipe::open(Box::new(ours), Version::V5, largest.saturating_mul(2));
    let mut properties = Properties::new()
        .with(PropertyId::SessionExpiryInterval, u32::MAX)
        .with(PropertyId::ReceiveMaximum, u32::from(terms.receive_maximum));
    if let Ok(size) = u32::try_from(terms.max_packet_size.saturating_sub(growth).max(1)) {
        properties = properties.with(PropertyId::MaximumPacketSize, size);
    }
    let connect = Connect {
        version: Version::V5,
        client_id: bridge::client_id(&settings.name).into(),
        properties,
        ..Connect::default()
    };
    greeting::greet((&mut source, &mut sink), connect).await?;
    Ok((source, sink))
}

/// What was made of the session here before there was a link.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Prepared {
    /// It is a new one.
    pub(crate) anew: bool,
    /// It has new subscriptions.
    pub(crate) subscribed: bool,
}

/// Makes the session here and subscribes, unless both is so already, and leaves: it is there before the first link is.
pub(crate) async fn prepare(
    settings: &BridgeSettings,
    listener: &Arc<Listener>,
    context: &Arc<Context>,
    turn: &Arc<Mutex<Turn>>,
) -> Result<Prepared, NoConnection> {
    let known = context.broker.filters(&bridge::client_id(&settings.name));
    let wanted = settings.topics.subscribed_here();
    let anew = known.is_none();
    let known = known.unwrap_or_default();
    let subscribed = wanted.iter().any(|(filter, _)| !known.contains(filter));
    if !anew && !subscribed && known.len() == wanted.len() {
        return Ok(Prepared::default());
    }
    let terms = Terms::default();
    let (mut source, mut sink) = connect(settings, terms, listener, context, turn).await?;
    // Retained messages are for the link, which asks for them.
    let options = options(terms, RetainHandling::DoNotSend);
    let mut waits = subscribe(settings, options, context, &mut sink);
    sink.write_all().await?;
    while waits {
        match source.next()? {
            Some(Packet::SubAck(_)) => waits = false,
            Some(_) => {} // what waits in it comes again when there is a link
            None => source.read().await?,
        }
    }
    sink.wire.put(&Packet::Disconnect(Disconnect::new(ReasonCode::Success)));
    sink.close().await?;
    while source.read().await.is_ok() {}
    Ok(Prepared { anew, subscribed })
}

/// How a bridge subscribes at either side.
pub(crate) fn options(terms: Terms, retain_handling: RetainHandling) -> SubscriptionOptions {
    SubscriptionOptions { qos: terms.max_qos, no_local: true, retain_as_published: true, retain_handling }
}

/// Subscribes to what goes out, and gives up what does not any more: the session may know other settings. Says whether
/// there is anything.
pub(crate) fn subscribe(
    settings: &BridgeSettings,
    options: SubscriptionOptions,
    context: &Context,
    sink: &mut Sink,
) -> bool {
    let wanted = settings.topics.subscribed_here();
    let known = context.broker.filters(&bridge::client_id(&settings.name)).unwrap_or_default();
    let given_up: Vec<_> =
        known.into_iter().filter(|filter| wanted.iter().all(|(other, _)| other != filter)).collect();
    if !given_up.is_empty() {
        let packet = Unsubscribe { packet_id: UNSUBSCRIBE, filters: given_up, ..Unsubscribe::default() };
        sink.wire.put(&Packet::Unsubscribe(packet));
    }
    put_subscribe(wanted, options, sink)
}

/// Subscribes to filters, each with its QoS at most, if there are any, which it says.
pub(crate) fn put_subscribe(
    filters: Vec<(ByteString, QoS)>,
    options: SubscriptionOptions,
    sink: &mut Sink,
) -> bool {
    let filter = |(filter, qos): (_, QoS)| {
        let options = SubscriptionOptions { qos: qos.min(options.qos), ..options };
        SubscribeFilter { filter, options }
    };
    let filters: Vec<_> = filters.into_iter().map(filter).collect();
    let any = !filters.is_empty();
    if any {
        let packet = Subscribe { packet_id: SUBSCRIBE, filters, ..Subscribe::default() };
        sink.wire.put(&Packet::Subscribe(packet));
    }
    any
}
