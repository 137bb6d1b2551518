//! One client's task: reads its packets, hands them to the engine, looks after its socket.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};
use std::time::Duration;

use hookmq_codec::{Packet, Publish, ReasonCode, Subscribe};
use hookmq_engine::{Batch, Close, Connection, End, Event, Gate};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::accept::HalfOpen;
use crate::authorized::Authorized;
use crate::certificate::Subject;
use crate::deciders::{Action, Asked, Later, Transformed, Verdict};
use crate::handshake::{self, Arrival, Welcomed};
use crate::incoming::Incoming;
use crate::listener::{Listener, SharedPace};
use crate::reauthentication::{Answered, Reauthentication};
use crate::server::Context;
use crate::socket::Socket;
use crate::stream::{Output, Stream};
use crate::transforming::Transforming;
use crate::worker::Turn;

/// A turn that read less leaves what it has to write to those behind it.
const LITTLE: usize = 16 << 10;

/// After so many turns in a row a connection lets the others of its thread have theirs.
const TURNS: u32 = 8;

/// A deadline for connections without Keep Alive: far enough never to matter.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// How long nothing is read from a client while the disk does not keep up.
const STORE_REST: Duration = Duration::from_millis(2);

/// How long a publisher that is held waits before it looks for room again.
const LOOK: Duration = Duration::from_millis(20);

/// A connection before it says who it is.
pub(crate) struct Visitor {
    /// Where it comes from: what the socket says, or a trusted proxy.
    pub(crate) address: Option<SocketAddr>,
    /// Whose certificate it showed.
    pub(crate) certificate: Option<Subject>,
    /// Until when CONNECT must have come.
    pub(crate) deadline: Instant,
    pub(crate) half_open: Option<HalfOpen>,
}

/// Serves a connection from its first byte of MQTT until its client is let in. `None` means that it is over.
///
/// What a connection needs until then is much more than what it needs afterwards: whoever calls this should let go of
/// that before [`ClientTask::serve`] begins.
pub(crate) async fn arrive(
    stream: Stream,
    visitor: Visitor,
    listener: &Arc<Listener>,
    context: &Arc<Context>,
    turn: Arc<Mutex<Turn>>,
) -> Option<Box<ClientTask>> {
    let Stream { mut reader, writer, allowance } = stream;
    let (socket, mut output) = Socket::new(writer);
    let socket = Arc::new(socket);
    let arrival = Arrival::new((&mut reader, &socket, &mut output), visitor, listener, context, &turn);
    let Some(Welcomed { connection, decoder, buffer, method }) = arrival.welcome().await else {
        if output.is_some() {
            // TLS and WebSocket have words of their own for the end.
            handshake::drain(&mut reader, &socket, &mut output).await;
        }
        return None;
    };
    if let Some(allowance) = allowance {
        allowance.set(usize::MAX);
    }
    let pace = listener.pace_of(&connection.client().id);
    Some(Box::new(ClientTask {
        incoming: Incoming::new(reader, decoder, buffer),
        socket,
        output,
        context: Arc::clone(context),
        turn,
        connection,
        asking: None,
        pending: None,
        held: None,
        pace,
        authorized: Authorized::default(),
        transforming: Transforming::default(),
        gates: Vec::new(),
        opening: None,
        again: method.map(|method| Box::new(Reauthentication::new(method, Arc::clone(listener)))),
        last_packet: Instant::now(),
    }))
}

fn end_connection(connection: Connection, end: &End, context: &Context, turn: &Mutex<Turn>) {
    let turn = &mut *turn.lock();
    turn.batch.begin(context.clock.now());
    if end.reason.is_error()
        && !matches!(end.reason, ReasonCode::UnspecifiedError | ReasonCode::SessionTakenOver)
    {
        let text = format!("disconnected: {} ({})", end.detail, end.reason);
        turn.batch.note(Event::Notice { client_id: Arc::clone(&connection.client().id), text });
    }
    connection.end(end, &mut turn.batch);
    turn.finish(&context.broker);
}

/// What was waited for.
pub(crate) enum Awaited {
    /// Whether a publish is allowed; who was asked.
    Publish(Publish, Verdict, u64),
    /// Whether the subscriptions are allowed, in their order; who was asked.
    Subscribe(Subscribe, Vec<Verdict>, u64),
    /// What becomes of publishes.
    Transformed(Arc<Vec<Asked>>, Vec<Transformed>),
    /// A step of a re-authentication was answered.
    Authenticated(Answered),
}

type Asking = Later<Awaited>;

/// Gates that open.
type Opening = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a turn came to.
pub(crate) enum Outcome {
    /// All that was read was handled.
    Done,
    /// There is more to do, but others of the thread have their turn first.
    Yield,
    /// The connection is over.
    Ended(End),
    /// Somebody has to be asked before it goes on.
    Ask(Asking),
    /// A subscriber's queue is full: the publisher waits for room.
    Hold(Publish),
    /// The client sent more than it may in a second: nothing is read from it for this long.
    Pause(Duration),
}

/// Why no packet is taken.
enum Stop {
    Pause(Duration),
    Close(Close),
}

/// One client's task. What is asked before its packets are handled is in `deciding`.
pub(crate) struct ClientTask {
    incoming: Incoming,
    socket: Arc<Socket>,
    /// What is written to where not every thread may write.
    output: Option<Output>,
    pub(crate) context: Arc<Context>,
    turn: Arc<Mutex<Turn>>,
    pub(crate) connection: Connection,
    /// What is waited for. As long as it is, nothing is read.
    asking: Option<Asking>,
    /// What was waited for, to go on with.
    pending: Option<Box<Awaited>>,
    /// A publish that waits for room, and until when.
    held: Option<Box<(Publish, Instant)>>,
    pace: Option<SharedPace>,
    pub(crate) authorized: Authorized,
    pub(crate) transforming: Transforming,
    /// What a turn found closed.
    gates: Vec<Arc<dyn Gate>>,
    /// What opens when all of them are open. As long as it is there, nothing is read.
    opening: Option<Opening>,
    /// Of a client that came by an enhanced authentication and may do it again.
    pub(crate) again: Option<Box<Reauthentication>>,
    last_packet: Instant,
}

/// What a client's task was woken for.
enum Woken {
    /// More bytes may be written.
    Way(io::Result<()>),
    /// What was asked for came.
    Asked(Awaited),
    /// Whoever had too much has room again.
    Opened,
    /// Something was read.
    Turn(Outcome),
}

impl ClientTask {
    /// Serves the client until its connection is over.
    pub(crate) async fn serve(mut self: Box<Self>) {
        let end = self.run().await;
        if let Some(rest) = self.end(&end) {
            rest.await;
        }
    }

    /// What is left to do when the connection is over. Boxed, for most connections never come to it.
    fn end(self, end: &End) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        let Self { connection, incoming, socket, mut output, context, turn, .. } = self;
        end_connection(connection, end, &context, &turn);
        if !end.reason.is_error() && output.is_none() {
            return None;
        }
        let mut reader = incoming.into_reader();
        Some(Box::pin(async move { handshake::drain(&mut reader, &socket, &mut output).await }))
    }

    async fn run(&mut self) -> End {
        let socket = Arc::clone(&self.socket);
        let keep_alive = match self.connection.client().keep_alive {
            0 => NEVER,
            seconds => Duration::from_millis(u64::from(seconds) * 1500), // [MQTT-3.1.2-22] of 5.0
        };
        // One timer for both: while the broker rests it does not count the client's silence.
        let timer = sleep_until(self.last_packet + keep_alive);
        tokio::pin!(timer);
        let mut blocked = self.connection.is_blocked();
        // Packets may have come together with CONNECT.
        let mut unread = self.incoming.len() > 0;
        let mut turns = 0u32;
        // Until when nothing is read: a client that sent too much, or a publisher that is held.
        let mut rest: Option<Instant> = None;
        loop {
            if let Some((reason, farewell)) = socket.take_farewell() {
                self.settle();
                socket.write_last(&farewell);
                return End::abnormal(reason, "the broker closed the connection");
            }
            if !self.gates.is_empty() {
                self.opening = Some(Box::pin(opened(std::mem::take(&mut self.gates), self.opening.take())));
            }
            if rest.is_none() && self.connection.waits_for_store() {
                let until = Instant::now() + STORE_REST;
                rest = Some(until);
                timer.as_mut().reset(until);
                self.last_packet = Instant::now(); // the silence is ours
            }
            let congested = blocked && self.connection.is_congested();
            let reads = self.asking.is_none() && rest.is_none() && !congested && self.opening.is_none();
            // Reading comes last but for the timer: a client that never pauses would keep the others from
            // their turn.
            let woken = tokio::select! {
                biased;
                () = socket.attention.notified() => {
                    blocked = self.connection.is_blocked();
                    continue;
                }
                woken = std::future::poll_fn(|cx| self.poll(cx, blocked, reads, unread)) => woken,
                () = &mut timer => {
                    let now = Instant::now();
                    if rest.take_if(|until| *until <= now).is_some() {
                        unread = true;
                        timer.as_mut().reset(self.last_packet + keep_alive);
                        continue;
                    }
                    // Re-armed here instead of at every packet, which would cost each a timer.
                    // While the broker itself does not read, silence is no sign of anything.
                    let due = match self.opening.is_none() && self.asking.is_none() {
                        true => self.last_packet + keep_alive,
                        false => now + keep_alive,
                    };
                    if due <= now {
                        let close = Close::new(
                            ReasonCode::KeepAliveTimeout,
                            "nothing came for 1.5 times the Keep Alive",
                        );
                        self.refuse(&close);
                        return End::abnormal(close.reason, close.what);
                    }
                    timer.as_mut().reset(due);
                    continue;
                }
            };
            let outcome = match woken {
                Woken::Turn(outcome) => outcome,
                Woken::Way(Err(_)) => {
                    return End::abnormal(ReasonCode::UnspecifiedError, "the connection was lost");
                }
                Woken::Way(Ok(())) => {
                    let turn = &mut *self.turn.lock();
                    turn.batch.begin(self.context.clock.now());
                    self.connection.unblock(&mut turn.batch);
                    turn.finish(&self.context.broker);
                    blocked = self.connection.is_blocked();
                    continue;
                }
                Woken::Asked(asked) => {
                    self.last_packet = Instant::now(); // the silence was ours
                    self.pending = Some(Box::new(asked));
                    unread = true;
                    continue;
                }
                Woken::Opened => {
                    self.last_packet = Instant::now(); // the silence was ours
                    continue;
                }
            };
            unread = false;
            turns = turns.wrapping_add(1);
            let mut yields = turns.is_multiple_of(TURNS); // other connections of this thread
            match outcome {
                Outcome::Done => {}
                Outcome::Ended(end) => {
                    self.settle();
                    if let Some((_, farewell)) = socket.take_farewell() {
                        socket.write_last(&farewell);
                    }
                    return end;
                }
                Outcome::Yield => {
                    unread = true;
                    yields = true;
                }
                Outcome::Ask(question) => self.asking = Some(question),
                Outcome::Hold(publish) => {
                    let limit = self.context.settings.hold_timeout;
                    self.held = Some(Box::new((publish, Instant::now() + limit)));
                    rest = Some(Instant::now() + LOOK);
                }
                Outcome::Pause(time) => {
                    rest = Some(Instant::now() + time);
                    self.last_packet = Instant::now() + time; // the silence is ours
                }
            }
            if let Some(until) = rest {
                timer.as_mut().reset(until);
            }
            if yields {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Waits for whatever can be gone on with. One function instead of a future for each: a client that does nothing
    /// holds no more than it needs for that.
    fn poll(&mut self, cx: &mut Task<'_>, blocked: bool, reads: bool, unread: bool) -> Poll<Woken> {
        if blocked && let Poll::Ready(way) = self.socket.poll_way(cx, &mut self.output) {
            return Poll::Ready(Woken::Way(way));
        }
        if let Some(asking) = &mut self.asking
            && let Poll::Ready(asked) = asking.as_mut().poll(cx)
        {
            self.asking = None;
            return Poll::Ready(Woken::Asked(asked));
        }
        if let Some(opening) = &mut self.opening
            && opening.as_mut().poll(cx).is_ready()
        {
            self.opening = None;
            return Poll::Ready(Woken::Opened);
        }
        if reads { self.poll_turn(cx, unread).map(Woken::Turn) } else { Poll::Pending }
    }

    /// Reads what is there and handles every whole packet of it. With `unread` it starts with what was read
    /// before.
    fn poll_turn(&mut self, cx: &mut Task<'_>, unread: bool) -> Poll<Outcome> {
        let shared = Arc::clone(&self.turn);
        let turn = &mut *shared.lock();
        let mut received = 0;
        if !unread {
            received = ready!(self.incoming.poll_read(cx, &mut turn.buffer));
            if received == 0 {
                self.incoming.put_back(&mut turn.buffer);
                let end = End::abnormal(ReasonCode::UnspecifiedError, "the connection was lost");
                return Poll::Ready(Outcome::Ended(end));
            }
        }
        let now = self.context.clock.now();
        turn.batch.begin(now);
        turn.read(now);
        turn.batch.counts().network_bytes_received += received as u64;
        let before = self.incoming.len();
        let outcome = self.handle_all(&mut turn.batch);
        turn.handled();
        if self.incoming.len() < before {
            self.last_packet = Instant::now(); // [MQTT-3.1.2-22] only whole packets count
        }
        self.incoming.put_back(&mut turn.buffer);
        match outcome {
            // What was much is written at once: the answers to it would pile up.
            Outcome::Done if received < LITTLE => turn.finish_later(&self.context.broker),
            _ => turn.finish(&self.context.broker),
        }
        self.gates.append(&mut turn.batch.take_gates());
        Poll::Ready(outcome)
    }

    fn handle_all(&mut self, batch: &mut Batch) -> Outcome {
        if let Some(awaited) = self.pending.take() {
            match self.go_on(*awaited, batch) {
                Ok(None) => {}
                Ok(Some(outcome)) => return outcome,
                Err(close) => return self.closed(&close, batch),
            }
        }
        if let Some(held) = self.held.take() {
            let (publish, until) = *held;
            let allowed = match self.connection.has_room(&publish, batch) {
                true => Ok(()),
                false if Instant::now() < until => {
                    self.held = Some(Box::new((publish, until)));
                    return Outcome::Pause(LOOK);
                }
                false => Err(ReasonCode::QuotaExceeded.into()),
            };
            if let Err(close) = self.connection.publish(publish, allowed, batch) {
                return self.closed(&close, batch);
            }
        }
        self.connection.replay(batch);
        loop {
            if self.connection.is_replaying() {
                return Outcome::Yield;
            }
            let handled = match self.transforming.next_decided() {
                Some((publish, transformed)) => self.publish_transformed(publish, transformed, batch),
                None => match self.next_packet(batch) {
                    Ok(Some(packet)) => self.handle(packet, batch),
                    Ok(None) if self.transforming.is_gathering() => Ok(Some(self.ask_transforms())),
                    Ok(None) => return Outcome::Done,
                    Err(Stop::Pause(time)) => return Outcome::Pause(time),
                    Err(Stop::Close(close)) => return self.closed(&close, batch),
                },
            };
            match handled {
                Ok(None) => {}
                Ok(Some(outcome)) => return outcome,
                Err(close) => return self.closed(&close, batch),
            }
        }
    }

    /// The next whole packet that was read, unless the client is to pause before.
    fn next_packet(&mut self, batch: &mut Batch) -> Result<Option<Packet>, Stop> {
        if let Some(packet) = self.transforming.take_behind() {
            return Ok(Some(packet));
        }
        if let Some(time) = self.pace.as_ref().and_then(|pace| pace.lock().rest(batch)) {
            return Err(Stop::Pause(time));
        }
        let (packet, size) = match self.incoming.next() {
            Ok(Some(next)) => next,
            Ok(None) => return Ok(None),
            Err(error) => {
                batch.counts().limit_max_user_property_bytes +=
                    u64::from(error.reason == ReasonCode::QuotaExceeded);
                return Err(Stop::Close(error.into()));
            }
        };
        batch.counts().packets_received += 1;
        if let Some(pace) = &self.pace {
            pace.lock().count(&packet, size);
        }
        Ok(Some(packet))
    }

    fn handle(&mut self, packet: Packet, batch: &mut Batch) -> Result<Option<Outcome>, Close> {
        // What comes behind a publish that is not decided yet waits for it. Publishes see to it themselves.
        if self.transforming.is_gathering() && !matches!(packet, Packet::Publish(_)) {
            self.transforming.put_behind(packet);
            return Ok(Some(self.ask_transforms()));
        }
        match packet {
            Packet::Publish(mut publish) => {
                self.connection.resolve_alias(&mut publish)?;
                if self.connection.client().bridge && self.context.returns(&publish) {
                    return self.drop_returned(publish, batch);
                }
                return self.authorize_publish(publish, batch);
            }
            Packet::Subscribe(subscribe) if self.context.deciders.authorizes(Action::Subscribe) => {
                return Ok(Some(self.authorize_subscribe(subscribe)));
            }
            Packet::Subscribe(subscribe) => self.connection.subscribe(subscribe, &[], batch)?,
            Packet::Unsubscribe(unsubscribe) => self.connection.unsubscribe(unsubscribe, batch),
            Packet::Disconnect(disconnect) => {
                return self.connection.on_disconnect(&disconnect).map(|end| Some(Outcome::Ended(end)));
            }
            Packet::Auth(auth) if self.again.is_some() => {
                let Some(again) = &mut self.again else { return Ok(None) };
                let step = again.step(&auth, self.connection.client(), &*self.context.deciders)?;
                return Ok(Some(Outcome::Ask(Box::pin(async move { Awaited::Authenticated(step.await) }))));
            }
            other => self.connection.handle(other, batch)?,
        }
        Ok(None)
    }

    /// Writes out what turns of this thread have left, also for this client: it may read on although it has said all.
    fn settle(&self) {
        self.turn.lock().settle(&self.context.broker, self.context.clock);
    }

    fn closed(&self, close: &Close, batch: &mut Batch) -> Outcome {
        self.connection.refuse(close, batch);
        // What was answered before the mistake is sent before the farewell.
        self.context.broker.finish(batch);
        Outcome::Ended(End::abnormal(close.reason, close.what))
    }

    fn refuse(&self, close: &Close) {
        let turn = &mut *self.turn.lock();
        turn.batch.begin(self.context.clock.now());
        self.connection.refuse(close, &mut turn.batch);
        turn.finish(&self.context.broker);
        if let Some((_, farewell)) = self.socket.take_farewell() {
            self.socket.write_last(&farewell);
        }
    }
}

/// Waits until every gate was open, and what was waited for before.
async fn opened(gates: Vec<Arc<dyn Gate>>, before: Option<Opening>) {
    if let Some(before) = before {
        before.await;
    }
    for gate in gates {
        gate.opened().await;
    }
}
