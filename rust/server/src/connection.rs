//! One client's task: reads its packets, hands them to the engine, looks after its socket.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use bytes::BytesMut;
use hookmq_codec::{Decoder, Packet, ReasonCode};
use hookmq_engine::{Batch, Close, Connection, End, Event};
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::{Instant, sleep_until};

use crate::deciders::{Action, Answer, Later};
use crate::handshake::{self, Welcomed};
use crate::server::Context;
use crate::socket::Socket;
use crate::worker::{READ_SIZE, Turn};

/// From this size on, an incomplete packet keeps the buffer it is in; below, it is copied out of it.
const KEEP_BUFFER: usize = 4096;

/// A deadline for connections without Keep Alive: far enough never to matter.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Serves a connection from its first byte to its last.
pub(crate) async fn serve(
    stream: TcpStream,
    address: SocketAddr,
    context: Arc<Context>,
    turn: Arc<Mutex<Turn>>,
) {
    let (mut reader, writer) = stream.into_split();
    let socket = Arc::new(Socket::new(writer));
    let welcomed = handshake::welcome(&mut reader, &socket, address, &context, &turn).await;
    let Some(Welcomed { connection, decoder, buffer }) = welcomed else { return };
    let mut task = ClientTask {
        reader,
        socket,
        context: Arc::clone(&context),
        turn: Arc::clone(&turn),
        connection,
        decoder,
        buffer,
        pending: None,
        last_packet: Instant::now(),
    };
    let end = task.run().await;
    let ClientTask { connection, mut reader, socket, .. } = task;
    end_connection(connection, &end, &context, &turn);
    if end.reason.is_error() {
        handshake::drain(&mut reader, &socket).await;
    }
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
    context.broker.finish(&mut turn.batch);
}

/// A packet that cannot go on before somebody was asked about it.
enum Question {
    /// A PUBLISH and whether it may.
    Publish(hookmq_codec::Publish, Later<crate::Verdict>),
    /// A SUBSCRIBE and whether it may, filter by filter.
    Subscribe(hookmq_codec::Subscribe, Vec<Answer>),
}

/// What a turn came to.
enum Outcome {
    /// All that was read was handled.
    Done,
    /// The connection is over.
    Ended(End),
    /// Somebody has to be asked before it goes on.
    Ask(Question),
}

struct ClientTask {
    reader: OwnedReadHalf,
    socket: Arc<Socket>,
    context: Arc<Context>,
    turn: Arc<Mutex<Turn>>,
    connection: Connection,
    decoder: Decoder,
    /// Bytes of a packet that is not complete; empty, and without memory, most of the time.
    buffer: BytesMut,
    /// A packet that somebody was asked about, with the answers.
    pending: Option<(Packet, Vec<bool>)>,
    last_packet: Instant,
}

impl ClientTask {
    async fn run(&mut self) -> End {
        let socket = Arc::clone(&self.socket);
        let keep_alive = match self.connection.client().keep_alive {
            0 => NEVER,
            seconds => Duration::from_millis(u64::from(seconds) * 1500), // [MQTT-3.1.2-22] of 5.0
        };
        let deadline = sleep_until(self.last_packet + keep_alive);
        tokio::pin!(deadline);
        let mut blocked = self.connection.is_blocked();
        // Packets may have come together with CONNECT.
        let mut unread = !self.buffer.is_empty();
        loop {
            if let Some((reason, farewell)) = socket.take_farewell() {
                socket.write_last(&farewell);
                return End::abnormal(reason, "the broker closed the connection");
            }
            let congested = blocked && self.connection.is_congested();
            let outcome = tokio::select! {
                biased;
                outcome = std::future::poll_fn(|cx| self.poll_turn(cx, unread)), if !congested => outcome,
                () = socket.attention.notified() => {
                    blocked = self.connection.is_blocked();
                    continue;
                }
                () = socket.writable(), if blocked => {
                    blocked = false;
                    let turn = &mut *self.turn.lock();
                    turn.batch.begin(self.context.clock.now());
                    self.connection.unblock(&mut turn.batch);
                    self.context.broker.finish(&mut turn.batch);
                    continue;
                }
                () = &mut deadline => {
                    // Re-armed here instead of at every packet, which would cost each a timer.
                    let due = self.last_packet + keep_alive;
                    if due <= Instant::now() {
                        let close = Close::new(ReasonCode::KeepAliveTimeout, "nothing came for 1.5 times the Keep Alive");
                        self.refuse(&close);
                        return End::abnormal(close.reason, close.what);
                    }
                    deadline.as_mut().reset(due);
                    continue;
                }
            };
            unread = false;
            match outcome {
                Outcome::Done => {}
                Outcome::Ended(end) => {
                    if let Some((_, farewell)) = socket.take_farewell() {
                        socket.write_last(&farewell);
                    }
                    return end;
                }
                Outcome::Ask(question) => {
                    self.pending = Some(ask(question).await);
                    unread = true;
                }
            }
        }
    }

    /// Reads what is there and handles every whole packet of it. With `unread` it starts with what was read
    /// before.
    fn poll_turn(&mut self, cx: &mut Task<'_>, unread: bool) -> Poll<Outcome> {
        let shared = Arc::clone(&self.turn);
        let turn = &mut *shared.lock();
        if !unread {
            self.borrow_buffer(turn);
            let read = tokio_util::io::poll_read_buf(Pin::new(&mut self.reader), cx, &mut self.buffer);
            let read = match read {
                Poll::Pending => {
                    self.put_back(turn);
                    return Poll::Pending;
                }
                Poll::Ready(read) => read,
            };
            if !matches!(read, Ok(1..)) {
                self.put_back(turn);
                let end = End::abnormal(ReasonCode::UnspecifiedError, "the connection was lost");
                return Poll::Ready(Outcome::Ended(end));
            }
        }
        turn.batch.begin(self.context.clock.now());
        let outcome = self.handle_all(&mut turn.batch);
        self.put_back(turn);
        self.context.broker.finish(&mut turn.batch);
        Poll::Ready(outcome)
    }

    /// Takes the thread's read buffer, with what is not a whole packet yet in front. Only an incomplete packet
    /// that is large has a buffer of its own: ten thousand clients that stop in the middle of a small one
    /// hold no more than they sent.
    fn borrow_buffer(&mut self, turn: &mut Turn) {
        if self.buffer.len() < KEEP_BUFFER {
            let rest = std::mem::replace(&mut self.buffer, std::mem::take(&mut turn.buffer));
            self.buffer.clear();
            self.buffer.reserve(READ_SIZE);
            self.buffer.extend_from_slice(&rest);
        } else {
            self.buffer.reserve(READ_SIZE);
        }
    }

    /// Gives the thread its read buffer back, keeping what is not a whole packet yet.
    fn put_back(&mut self, turn: &mut Turn) {
        if turn.buffer.capacity() == 0 && self.buffer.len() < KEEP_BUFFER {
            let rest = BytesMut::from(&self.buffer[..]);
            turn.buffer = std::mem::replace(&mut self.buffer, rest);
        }
    }

    fn handle_all(&mut self, batch: &mut Batch) -> Outcome {
        if let Some((packet, answers)) = self.pending.take()
            && let Err(close) = self.go_on(packet, &answers, batch)
        {
            return self.closed(&close, batch);
        }
        loop {
            let packet = match self.decoder.next(&mut self.buffer) {
                Ok(Some(packet)) => packet,
                Ok(None) => return Outcome::Done,
                Err(error) => return self.closed(&error.into(), batch),
            };
            self.last_packet = Instant::now();
            match self.handle(packet, batch) {
                Ok(None) => {}
                Ok(Some(outcome)) => return outcome,
                Err(close) => return self.closed(&close, batch),
            }
        }
    }

    fn handle(&mut self, packet: Packet, batch: &mut Batch) -> Result<Option<Outcome>, Close> {
        let deciders = &self.context.deciders;
        match packet {
            Packet::Publish(mut publish) => {
                self.connection.resolve_alias(&mut publish)?;
                let mut allowed = true;
                if deciders.authorizes() {
                    let client = self.connection.client();
                    let (qos, retain) = (publish.qos, publish.retain);
                    match deciders.authorize(client, Action::Publish, &publish.topic, qos, retain) {
                        Answer::Now(verdict) => allowed = verdict.is_allow(),
                        Answer::Later(answer) => {
                            return Ok(Some(Outcome::Ask(Question::Publish(publish, answer))));
                        }
                    }
                }
                self.connection.publish(publish, allowed, batch)?;
            }
            Packet::Subscribe(subscribe) if deciders.authorizes() => {
                let client = self.connection.client();
                let ask = |wanted: &hookmq_codec::SubscribeFilter| {
                    // A shared subscription is asked about as the filter it reads.
                    let filter = hookmq_codec::TopicFilter::parse(wanted.filter.clone());
                    let filter = filter.as_ref().map_or(&*wanted.filter, |filter| filter.filter());
                    deciders.authorize(client, Action::Subscribe, filter, wanted.options.qos, false)
                };
                let answers = subscribe.filters.iter().map(ask).collect();
                return Ok(Some(Outcome::Ask(Question::Subscribe(subscribe, answers))));
            }
            Packet::Subscribe(subscribe) => self.connection.subscribe(subscribe, &[], batch)?,
            Packet::Unsubscribe(unsubscribe) => self.connection.unsubscribe(unsubscribe, batch),
            Packet::Disconnect(disconnect) => {
                return self.connection.on_disconnect(&disconnect).map(|end| Some(Outcome::Ended(end)));
            }
            other => self.connection.handle(other, batch)?,
        }
        Ok(None)
    }

    /// Goes on with a packet that was asked about.
    fn go_on(&mut self, packet: Packet, answers: &[bool], batch: &mut Batch) -> Result<(), Close> {
        match packet {
            Packet::Publish(publish) => self.connection.publish(publish, answers == [true], batch),
            Packet::Subscribe(subscribe) => self.connection.subscribe(subscribe, answers, batch),
            other => self.connection.handle(other, batch),
        }
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
        self.context.broker.finish(&mut turn.batch);
        if let Some((_, farewell)) = self.socket.take_farewell() {
            self.socket.write_last(&farewell);
        }
    }
}

/// Waits for the answers to a question.
async fn ask(question: Question) -> (Packet, Vec<bool>) {
    match question {
        Question::Publish(publish, answer) => (Packet::Publish(publish), vec![answer.await.is_allow()]),
        Question::Subscribe(subscribe, answers) => {
            let mut allowed = Vec::with_capacity(answers.len());
            for answer in answers {
                allowed.push(answer.wait().await.is_allow());
            }
            (Packet::Subscribe(subscribe), allowed)
        }
    }
}
