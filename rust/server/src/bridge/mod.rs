//! Bridges: the same messages here and at other brokers.
//!
//! A bridge is two MQTT connections that are joined: a *remote* one to the other broker, and a *local* one into this
//! broker, which comes in by a listener of its own. The local session is the queue: what was acknowledged to
//! publishers waits in it while the link is down, and with a data directory it is on disk. Packets pass through with
//! their Packet Identifiers unchanged, and no acknowledgement is made up: each goes to one side when it came from the other.
//! So both ends resend what was under way when anything in between was killed, by the same identifiers.
//!
//! # Layout
//! - [`settings`]: what a bridge is told; [`topics`]: which topics it carries, and their names at either side
//! - `remote`: the way to the other broker, through `tls`; `local`: the way into this one; `trusting`: who decides about
//!   a bridge's own connection, which is nobody
//! - `greeting`: from CONNECT to CONNACK, at either side
//! - `link`: one link from its first byte to its last; `pipe`: bytes and packets of one side
//! - `passing`: what becomes of each packet; `echoes`: messages that come back; `trail`: brokers a message came by;
//!   `tries`: messages that could not be taken here
//! - `keeper`: keeps the link of one bridge up, with `backoff`; [`status`]: what is told of it

mod backoff;
mod echoes;
mod greeting;
mod keeper;
mod link;
mod local;
mod passing;
mod pipe;
mod remote;
pub mod settings;
pub mod status;
mod tls;
pub mod topics;
mod trail;
mod tries;
mod trusting;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use hookmq_codec::{Properties, Publish};
use parking_lot::Mutex;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::bridge::keeper::Bridge;
use crate::bridge::status::Figures;
use crate::bridge::trusting::Trusting;
use crate::server::Context;
use crate::worker::{Turn, write_left};

/// What Client Identifiers of local connections begin with. Nobody else may have one.
pub const CLIENT_ID: &str = "$bridge/";

/// The Client Identifier by which a bridge comes into this broker.
pub(crate) fn client_id(name: &str) -> String {
    format!("{CLIENT_ID}{name}")
}

/// Whether who connects says that it is a bridge of another broker.
pub(crate) fn is_declared(properties: &Properties) -> bool {
    trail::is_declared(properties)
}

/// Whether a message that a bridge brings has been at this broker before.
pub(crate) fn returns(context: &Context, publish: &Publish) -> bool {
    trail::has_returned(publish, &context.settings.identity)
}

/// How long a server waits until the sessions of its bridges are there.
const PREPARING: Duration = Duration::from_secs(5);

/// How long bridges may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(1);

/// All bridges of a server, on a thread of their own: what they carry delays nobody's packets.
pub(crate) struct Bridges {
    all: Vec<Arc<Bridge>>,
    begin: watch::Sender<bool>,
    /// Says when the session of each is there.
    prepared: Mutex<Receiver<()>>,
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Bridges {
    /// Makes the thread, which waits for [`Bridges::begin`]. `None` without bridges.
    pub(crate) fn start(context: &Context) -> io::Result<Option<Self>> {
        if context.settings.bridges.is_empty() {
            return Ok(None);
        }
        // Nobody is asked about the bridges themselves; what they bring is transformed and observed as any.
        let context = Arc::new(Context {
            broker: Arc::clone(&context.broker),
            deciders: Arc::new(Trusting(Arc::clone(&context.deciders))),
            settings: context.settings.clone(),
            clock: context.clock,
            http_ports: Vec::new(),
            bridged: false, // they look at what they bring themselves
            series: Mutex::default(),
            latency: Arc::clone(&context.latency),
        });
        let turn = Arc::new(Mutex::new(Turn::new(&context.broker, &context.latency)));
        let make = |settings: &settings::BridgeSettings| Arc::new(Bridge::new(settings, &context, &turn));
        let all: Vec<_> = context.settings.bridges.iter().map(make).collect();
        let (stop, begin) = (watch::Sender::new(false), watch::Sender::new(false));
        let (done, prepared) = channel();
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let (bridges, mut begun, mut stopped) = (all.clone(), begin.subscribe(), stop.subscribe());
        let writing = write_left(turn, Arc::clone(&context.broker), context.clock);
        let work = async move {
            // An error is a server that ends before it served anybody.
            if begun.wait_for(|begun| *begun).await.is_err() {
                return;
            }
            tokio::spawn(writing);
            for bridge in &bridges {
                bridge.prepare().await;
            }
            let _ = done.send(()); // nobody may wait any more
            let mut running: JoinSet<()> =
                bridges.iter().map(|bridge| Arc::clone(bridge).keep(stopped.clone())).collect();
            let _ = stopped.wait_for(|stopped| *stopped).await;
            let farewells = async {
                while running.join_next().await.is_some() {}
                // Connections that had broken before: this broker may not have noted their end yet.
                while bridges.iter().any(|bridge| bridge.listener().connected() > 0) {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            let _ = tokio::time::timeout(FAREWELL, farewells).await;
        };
        let thread = std::thread::Builder::new().name("hookmq-bridge".to_owned()).spawn(move || {
            runtime.block_on(work);
            runtime.shutdown_timeout(Duration::from_millis(100)); // names may still be looked up
        })?;
        Ok(Some(Self { all, begin, prepared: Mutex::new(prepared), stop, thread }))
    }

    /// Lets them begin, and waits until the session of each is there: what is published from then on waits in it.
    pub(crate) fn begin(&self) {
        self.begin.send_replace(true);
        let _ = self.prepared.lock().recv_timeout(PREPARING); // it has the second time already
    }

    /// What the engine knows of their listeners.
    pub(crate) fn listeners(&self) -> impl Iterator<Item = Arc<hookmq_engine::Listener>> {
        self.all.iter().map(|bridge| bridge.listener())
    }

    /// What is to be told of each.
    pub(crate) fn figures(&self) -> Vec<Figures> {
        self.all.iter().map(|bridge| bridge.figures()).collect()
    }

    /// Takes the link of a bridge down, or lets it come up again. Says whether there is a bridge of this name.
    pub(crate) fn pause(&self, name: &str, paused: bool) -> bool {
        let bridge = self.all.iter().find(|bridge| bridge.name() == name);
        bridge.map(|bridge| bridge.pause(paused)).is_some()
    }

    /// Says goodbye to both sides of each and ends the thread. Sessions stay.
    pub(crate) fn stop(self) {
        let Self { begin, stop, thread, .. } = self;
        stop.send_replace(true);
        drop(begin); // it may never have begun
        let _ = thread.join(); // a panic in a task was caught by the runtime
    }
}
