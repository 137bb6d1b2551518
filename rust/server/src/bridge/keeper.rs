//! Keeps the link of one bridge up: connects, joins, waits, and connects again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use hookmq_codec::{Publish, QoS, RetainHandling};
use hookmq_engine::{Event, Message, Origin};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::bridge::backoff::Backoff;
use crate::bridge::echoes::Echoes;
use crate::bridge::greeting::NoConnection;
use crate::bridge::link::{Link, News};
use crate::bridge::local::Prepared;
use crate::bridge::passing::Passing;
use crate::bridge::remote::{self, Dialect, Remote};
use crate::bridge::settings::BridgeSettings;
use crate::bridge::status::{Figures, Status};
use crate::bridge::tries::Tries;
use crate::bridge::{self, local};
use crate::listener::Listener;
use crate::server::Context;
use crate::worker::Turn;

/// A link that was up for so long was a good one: the next try is soon.
const GOOD: Duration = Duration::from_secs(30);

/// Packet Identifiers that a session uses in any case: it counts from 1, and goes beyond the messages that may be under
/// way before it begins anew.
const FIRST_IDS: u16 = 64;

/// After so many connections that are closed instead of an answer to CONNECT an older version of the protocol is tried.
const CLOSED: u8 = 3;

/// One bridge.
pub(crate) struct Bridge {
    settings: BridgeSettings,
    context: Arc<Context>,
    turn: Arc<Mutex<Turn>>,
    /// By which it comes into this broker.
    listener: Arc<Listener>,
    status: Arc<Status>,
    prepared: Mutex<Prepared>,
    /// Whether its link is to stay down.
    paused: watch::Sender<bool>,
}

/// What is known of the other broker from one link to the next.
struct Acquaintance {
    dialect: Dialect,
    /// How often in a row it closed the connection instead of answering CONNECT.
    closed: u8,
    /// Where the last link went to.
    address: Option<(String, u16)>,
    /// Whether identifiers of messages from there are those of a broker at another address.
    strange: bool,
    /// Whether its session has the subscriptions of these settings.
    subscribed: bool,
    /// What was made of the session here since the last link that there was.
    prepared: Prepared,
    echoes: Echoes,
    tries: Tries,
}

impl Bridge {
    pub(crate) fn new(settings: &BridgeSettings, context: &Arc<Context>, turn: &Arc<Mutex<Turn>>) -> Self {
        let status = Arc::<Status>::default();
        status.paused();
        Self {
            settings: settings.clone(),
            context: Arc::clone(context),
            turn: Arc::clone(turn),
            listener: Listener::of_bridge(&settings.name),
            status,
            prepared: Mutex::default(),
            paused: watch::Sender::new(!settings.enabled),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.settings.name
    }

    /// What the engine knows of the listener by which it comes.
    pub(crate) fn listener(&self) -> Arc<hookmq_engine::Listener> {
        Arc::clone(&self.listener.engine)
    }

    pub(crate) fn figures(&self) -> Figures {
        let waiting = self.context.broker.waiting(&bridge::client_id(self.name()));
        self.status.figures(self.name(), waiting)
    }

    /// Takes the link down and leaves it there, or lets it come up again.
    pub(crate) fn pause(&self, paused: bool) {
        self.paused.send_replace(paused);
    }

    /// Makes the session here, with the subscriptions of these settings: from then on messages wait in it, whether there
    /// is a link or not.
    pub(crate) async fn prepare(&self) {
        let Self { settings, context, listener, turn, .. } = self;
        match local::prepare(settings, listener, context, turn).await {
            Ok(prepared) => *self.prepared.lock() = prepared,
            Err(error) => self.log(true, &format!("has no session yet: {error}")),
        }
    }

    /// Keeps the link up until the server stops.
    pub(crate) async fn keep(self: Arc<Self>, stop: watch::Receiver<bool>) {
        let mut backoff = Backoff::new(self.settings.backoff);
        let dialect = Dialect::of(&self.settings);
        let mut known = Acquaintance {
            dialect,
            closed: 0,
            address: None,
            strange: false,
            subscribed: false,
            prepared: *self.prepared.lock(),
            echoes: Echoes::default(),
            tries: Tries::default(),
        };
        let paused = self.paused.subscribe();
        self.publish_state(false);
        if self.settings.tls.as_ref().is_some_and(|tls| tls.insecure) {
            self.log(true, "takes any certificate of the other broker, because insecure is set");
        }
        while !is_set(&stop) {
            if is_set(&paused) {
                self.status.paused();
                becomes(&stop, &paused, false).await;
                continue;
            }
            let began = Instant::now();
            let over = becomes(&stop, &paused, true);
            let Err(error) = self.link(&mut known, over).await else { continue };
            if began.elapsed() >= GOOD {
                backoff.reset();
            }
            let wait = backoff.next(getrandom::u32().unwrap_or(u32::MAX));
            if self.status.failed(&error) {
                self.log(true, &format!("{error}; the next try is in {:.1} s", wait.as_secs_f64()));
            }
            tokio::select! {
                () = sleep(wait) => {}
                () = becomes(&stop, &paused, true) => {}
            }
        }
        self.status.paused();
    }

    /// One link from the first connection to the end of it, which is an error unless `over` came.
    async fn link(&self, known: &mut Acquaintance, over: impl Future<Output = ()>) -> Result<(), String> {
        tokio::pin!(over);
        let mut joined = tokio::select! {
            joined = self.join(known) => joined?,
            () = &mut over => return Ok(()),
        };
        let (version, ready) = (known.dialect.version, &mut false);
        let ended = joined.run(over, |news| match news {
            News::Notice(text) => self.log(true, &text),
            News::Ready => {
                *ready = true;
                self.status.connected(version);
                self.publish_state(true);
                let address = self.status.figures("", 0).address.unwrap_or_default();
                self.log(false, &format!("connected to {address} by MQTT {}", version.name()));
            }
        });
        let ended = ended.await;
        let Passing { refused_there, echoes, tries, .. } = joined.passing;
        known.subscribed |= *ready && !refused_there;
        (known.echoes, known.tries) = (echoes.unwrap_or_default(), tries);
        if *ready {
            known.prepared = Prepared::default();
        }
        self.publish_state(false);
        ended
    }

    /// Connects to the other broker and then to this one.
    async fn join(&self, known: &mut Acquaintance) -> Result<Link, String> {
        let Self { settings, context, listener, turn, .. } = self;
        let limits = &context.settings.limits;
        let id = bridge::client_id(&settings.name);
        if context.broker.filters(&id).is_none() {
            known.prepared = Prepared { anew: true, subscribed: true }; // somebody has ended it
        }
        // Of two sessions that belong together only one may be there: a broker kept everything in memory and was started
        // anew, or it is another one. What the other remembers are identifiers of messages that nobody knows any more.
        let remote = loop {
            let (remote, address) = self.reach(known).await?;
            if known.address.replace(address.clone()).is_some_and(|last| last != address) {
                (known.prepared.anew, known.strange, known.subscribed) = (true, true, false);
            }
            let has_old = known.prepared.anew && remote.session_present;
            // Who takes no QoS 2 has nothing to be released.
            if !has_old || remote.terms.max_qos < QoS::ExactlyOnce {
                break remote;
            }
            let last = limits.max_inflight.max(FIRST_IDS);
            let released = remote::release(remote, last, settings.connect_timeout).await;
            released.map_err(|error| error.to_string())?;
            known.prepared.anew = false;
        };
        known.prepared.anew = false;
        let Remote { source, mut sink, terms, session_present } = remote;
        let mut passing = Passing::new(
            settings.topics.clone(),
            ByteString::from(context.settings.identity.as_str()),
            Arc::clone(&self.status),
        );
        passing.largest_here = limits.max_packet_size;
        passing.largest_there = terms.max_packet_size;
        passing.max_qos = terms.max_qos;
        passing.retains = terms.retains;
        let local = local::connect(settings, terms, listener, context, turn).await;
        let (here, mut to_here) = local.map_err(|error| format!("this broker: {error}"))?;
        let stranger = !session_present || std::mem::take(&mut known.strange);
        if stranger {
            known.subscribed = false;
            context
                .broker
                .with_batch(context.clock.now(), |batch| context.broker.forget_received(&id, batch));
        }
        // Who has forgotten everything, or is subscribed to for the first time, gets all retained messages; in between they
        // would come to everybody once more with each link.
        let retained = match known.prepared.subscribed || stranger {
            true => RetainHandling::Send,
            false => RetainHandling::SendIfNew,
        };
        let options = local::options(terms, retained);
        let subscribed = local::subscribe(settings, options, context, &mut to_here);
        passing.unsubscribed += u8::from(subscribed);
        // Before 5.0 every SUBSCRIBE makes all retained messages come again.
        if known.dialect.version.is_v5() || !known.subscribed {
            let wanted = settings.topics.subscribed_there();
            passing.unsubscribed += u8::from(local::put_subscribe(wanted, options, &mut sink));
        }
        let echoes = std::mem::take(&mut known.echoes);
        passing.echoes = (!known.dialect.has_no_local()).then_some(echoes);
        passing.tries = std::mem::take(&mut known.tries);
        passing.tries.begin();
        let (here, there, patience) = ((here, to_here), (source, sink), settings.connect_timeout);
        Ok(Link { here, there, passing, terms, notify_topic: settings.notify_topic.clone(), patience })
    }

    /// Connects to the first address that lets the bridge in, in the newest dialect that it knows.
    async fn reach(&self, known: &mut Acquaintance) -> Result<(Remote, (String, u16)), String> {
        let settings = &self.settings;
        let mut errors = Vec::new();
        for address in &settings.addresses {
            let name = format!("{}:{}", address.0, address.1);
            self.status.connecting(name.clone());
            loop {
                let connected = remote::connect(settings, address, known.dialect, &self.context).await;
                known.closed = match connected {
                    Err(NoConnection::Closed) => known.closed.saturating_add(1),
                    _ => 0,
                };
                match connected {
                    Ok(remote) => return Ok((remote, address.clone())),
                    Err(NoConnection::Closed) if known.closed < CLOSED => {
                        errors.push(format!("{name}: {}", NoConnection::Closed));
                    }
                    Err(NoConnection::Failed(text)) => errors.push(format!("{name}: {text}")),
                    // Some brokers close the connection of who speaks a version that they do not know.
                    Err(NoConnection::OtherVersion | NoConnection::Closed) => {
                        if let Some(older) = known.dialect.older(settings) {
                            let before = known.dialect.version.name();
                            if older.version != known.dialect.version {
                                let now = older.version.name();
                                self.log(
                                    false,
                                    &format!("{name} does not know MQTT {before}: {now} is tried"),
                                );
                            }
                            known.dialect = older;
                            continue;
                        }
                        errors.push(match std::mem::take(&mut known.closed) {
                            0 => format!("{name}: the broker knows no version of MQTT that the bridge does"),
                            _ => format!("{name}: {}", NoConnection::Closed),
                        });
                    }
                }
                break;
            }
        }
        known.dialect = Dialect::of(settings); // it may be another broker the next time
        Err(errors.join("; "))
    }

    fn log(&self, warning: bool, text: &str) {
        let turn = &mut *self.turn.lock();
        turn.batch.begin(self.context.clock.now());
        turn.batch.note(Event::Log { warning, text: format!("bridge {}: {text}", self.settings.name) });
        turn.finish(&self.context.broker);
    }

    /// Publishes whether the link is up, where Mosquitto does.
    fn publish_state(&self, up: bool) {
        if self.context.settings.sys_interval.is_zero() {
            return;
        }
        let publish = Publish {
            topic: format!("$SYS/broker/connection/{}/state", self.settings.name).into(),
            payload: Bytes::from_static(if up { b"1" } else { b"0" }),
            qos: QoS::AtMostOnce,
            retain: true,
            ..Publish::default()
        };
        let turn = &mut *self.turn.lock();
        turn.batch.begin(self.context.clock.now());
        let message = Message::from_publish(publish, "".into(), self.context.clock.now());
        let _ = self.context.broker.publish(message, Origin::broker(), &mut turn.batch); // QoS 0: never refused
        turn.finish(&self.context.broker);
    }
}

fn is_set(flag: &watch::Receiver<bool>) -> bool {
    *flag.borrow()
}

/// Waits until the server stops, or until the bridge is paused, or is not any more.
async fn becomes(stop: &watch::Receiver<bool>, paused: &watch::Receiver<bool>, wanted: bool) {
    let (mut stop, mut paused) = (stop.clone(), paused.clone());
    // Neither has an end before the bridge.
    tokio::select! {
        _ = stop.wait_for(|stopped| *stopped) => {}
        _ = paused.wait_for(|paused| *paused == wanted) => {}
    }
}
