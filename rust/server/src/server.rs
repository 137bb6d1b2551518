//! Starting and stopping it all.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hookmq_codec::{Publish, ReasonCode};
use hookmq_engine::{Broker, Event};
use parking_lot::Mutex;
use tokio::runtime::Builder;
use tokio::sync::{Notify, watch};

use crate::accept;
use crate::bind::{self, BindError, Bound};
use crate::bridge::status::Figures;
use crate::bridge::{self, Bridges};
use crate::clock::Clock;
use crate::deciders::Deciders;
use crate::files::{FileError, Files};
use crate::http::{self, Pages, Site};
use crate::listener::{Listener, OpenedFiles};
use crate::numbers::{Latency, Metrics, Series};
use crate::settings::{BoundAddress, HttpSettings, Place, Protocol, Settings};
use crate::ticker::Ticker;
use crate::tls::Tls;
use crate::worker::{Turn, Worker, write_left};

/// How often files are looked at for changes.
const LOOK: Duration = Duration::from_secs(1);

/// What every connection needs to know.
pub(crate) struct Context {
    pub(crate) broker: Arc<Broker>,
    pub(crate) deciders: Arc<dyn Deciders>,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    /// Where HTTP is served: pages of there may open WebSockets everywhere.
    pub(crate) http_ports: Vec<u16>,
    /// Whether messages leave by bridges, so that those of others may bring them back.
    pub(crate) bridged: bool,
    /// What happened over time, written by the ticker.
    pub(crate) series: Mutex<Series>,
    pub(crate) latency: Arc<Latency>,
}

impl Context {
    /// Whether a message that the bridge of another broker brings has been here before.
    pub(crate) fn returns(&self, publish: &Publish) -> bool {
        self.bridged && !publish.properties.is_empty() && bridge::returns(self, publish)
    }
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A file could not be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The system gave no thread or no runtime.
    #[error("cannot start a thread: {0}")]
    System(#[from] io::Error),
}

/// A server whose addresses are bound, and that lets clients in from [`Server::serve`] on.
pub struct Server {
    context: Arc<Context>,
    /// Whether clients are let in.
    serving: watch::Sender<bool>,
    ticker: Ticker,
    workers: Arc<[Worker]>,
    http: Option<(Arc<Notify>, JoinHandle<()>)>,
    bridges: Option<Bridges>,
    files: Arc<Mutex<Files>>,
    /// Where MQTT is served, in the order of [`Settings::listeners`].
    pub addresses: Vec<BoundAddress>,
    /// Where HTTP is served: the port, and then the further ones.
    pub http_addresses: Vec<SocketAddr>,
    /// Where clients come in, for as many of the first of these.
    pub urls: Vec<String>,
    /// What the engine knows of everything by which clients come in.
    pub listeners: Vec<Arc<hookmq_engine::Listener>>,
}

/// A listener whose files were read and whose addresses are bound.
struct Opened {
    listener: Arc<Listener>,
    doors: Vec<Bound>,
    address: BoundAddress,
}

impl Server {
    /// Reads every file and binds every address, then starts the threads; nothing is left behind when it
    /// fails. Who connects waits for [`Server::serve`].
    pub fn start(
        settings: Settings,
        broker: Arc<Broker>,
        deciders: Arc<dyn Deciders>,
        pages: Arc<dyn Pages>,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let mut files = OpenedFiles::new(Arc::clone(&broker));
        let listeners = settings.listeners.iter().map(|one| {
            let listener = Listener::open(one.clone(), &mut files)?;
            let (doors, address) = open(&listener, listener.settings.scheme())?;
            Ok(Opened { listener, doors, address })
        });
        let listeners = listeners.collect::<Result<Vec<_>, StartError>>()?;
        let mut http_addresses = Vec::new();
        let web = match &settings.http {
            Some(HttpSettings { listener, further_ports }) => {
                let listener = Listener::open(listener.clone(), &mut files)?;
                let purpose = if listener.tls.is_some() { "https" } else { "http" };
                let (mut doors, address) = open(&listener, purpose)?;
                http_addresses.extend(address.address);
                for port in further_ports {
                    let further = bind::bind(purpose, &listener.settings.place.at(*port))?;
                    if let Some(Bound::Tcp(door)) = further.first() {
                        http_addresses.push(door.local_addr()?);
                    }
                    doors.extend(further);
                }
                Some(Opened { listener, doors, address })
            }
            None => None,
        };
        let engine = |opened: &Opened| Arc::clone(&opened.listener.engine);
        let urls = listeners.iter().chain(&web).map(|opened| opened.address.url.clone()).collect();
        let mut engines: Vec<_> = listeners.iter().chain(&web).map(engine).collect();

        let count = match settings.workers {
            0 => std::thread::available_parallelism().map_or(1, |cores| cores.get()),
            count => count,
        };
        let http_ports = http_addresses.iter().map(SocketAddr::port).collect();
        let bridged = !settings.bridges.is_empty();
        let (series, latency) = (Mutex::default(), Arc::default());
        let context =
            Arc::new(Context { broker, deciders, settings, clock, http_ports, bridged, series, latency });
        let mut workers = Vec::with_capacity(count);
        let started = (0..count).try_for_each(|index| {
            workers.push(Worker::start(index, &context.broker, &context.latency, clock)?);
            Ok(())
        });
        let serving = watch::Sender::new(false);
        let http = started
            .and_then(|()| web.map(|web| serve_http(web, &context, pages, serving.subscribe())).transpose());
        let started = http.and_then(|http| {
            let ticker = Ticker::start(Arc::clone(&context))?;
            Ok((http, ticker, Bridges::start(&context)?))
        });
        let started = started.inspect_err(|_: &io::Error| workers.iter().for_each(Worker::stop));
        let (http, ticker, bridges) = started?;
        engines.extend(bridges.iter().flat_map(Bridges::listeners));
        let workers: Arc<[Worker]> = workers.into();
        let first = &workers[0];
        let mut addresses = Vec::with_capacity(listeners.len());
        for Opened { listener, doors, address } in listeners {
            addresses.push(address);
            for door in doors {
                let task =
                    accept::accept(door, Arc::clone(&listener), Arc::clone(&context), Arc::clone(&workers));
                first.handle.spawn(once_serving(serving.subscribe(), task));
            }
        }
        let (files, tls) = files.into_parts();
        let files = Arc::new(Mutex::new(files));
        if !files.lock().is_empty() {
            let watching =
                watch_files(Arc::clone(&files), tls, Arc::clone(&context), Arc::clone(&first.turn));
            first.handle.spawn(watching);
        }
        Ok(Self {
            context,
            serving,
            ticker,
            workers,
            http,
            bridges,
            files,
            addresses,
            http_addresses,
            urls,
            listeners: engines,
        })
    }

    /// Lets clients in: what they may ask for has its place by now.
    pub fn serve(&self) {
        self.forget_bridges();
        if let Some(bridges) = &self.bridges {
            bridges.begin(); // before anybody publishes what they are to carry
        }
        self.serving.send_replace(true);
        self.ticker.begin();
    }

    /// Ends sessions of bridges that there are no more: nobody would ever take what waits in them.
    fn forget_bridges(&self) {
        let Context { broker, settings, clock, .. } = &*self.context;
        let is_bridge =
            |id: &str| settings.bridges.iter().any(|bridge| id == bridge::client_id(&bridge.name));
        broker.with_batch(clock.now(), |batch| {
            let gone = |id: &str| id.starts_with(bridge::CLIENT_ID) && !is_bridge(id);
            for (id, waiting) in broker.end_sessions(gone, batch) {
                let text = format!(
                    "{id} is in the settings no more: {waiting} messages that waited for it are given up"
                );
                batch.note(Event::Log { warning: waiting > 0, text });
            }
        });
    }

    /// Reads certificates, users and access rules again. Connections that are open stay. What cannot be read
    /// lets nobody in, and is tried again until it can.
    pub fn reload(&self) -> Result<(), Vec<FileError>> {
        let (_, errors) = self.files.lock().look(true);
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// What is to be told of each bridge, in the order of the settings.
    pub fn bridges(&self) -> Vec<Figures> {
        self.bridges.as_ref().map(Bridges::figures).unwrap_or_default()
    }

    /// Takes the link of a bridge down, or lets it come up again. Says whether there is a bridge of this name.
    pub fn pause_bridge(&self, name: &str, paused: bool) -> bool {
        self.bridges.as_ref().is_some_and(|bridges| bridges.pause(name, paused))
    }

    /// The URL of a listener, with the port that it got.
    pub fn url<'a>(&'a self, listener: &'a Arc<hookmq_engine::Listener>) -> &'a str {
        let place = self.listeners.iter().position(|one| Arc::ptr_eq(one, listener));
        place.and_then(|place| self.urls.get(place)).map_or(&*listener.name, |url| url)
    }

    /// What happened over time.
    pub fn with_series<T>(&self, look: impl FnOnce(&Series) -> T) -> T {
        look(&self.context.series.lock())
    }

    /// How long messages took.
    pub fn latency(&self) -> &Latency {
        &self.context.latency
    }

    /// Everything that is counted, as text for Prometheus.
    pub fn metrics(&self) -> String {
        Metrics::of(&self.context.broker, &self.context.latency, &self.bridges())
    }

    /// Says goodbye to other brokers, tells every client that the server goes down, waits for them to be gone, and ends the threads.
    pub fn stop(self) {
        let Self { context, ticker, workers, http, bridges, .. } = self;
        if let Some(bridges) = bridges {
            bridges.stop();
        }
        let deadline = Instant::now() + context.settings.stop_grace;
        // Repeated, because a connection may be let in while others are told to go.
        while context.broker.statistics.clients_connected.load(std::sync::atomic::Ordering::Relaxed) > 0
            && Instant::now() < deadline
        {
            context.broker.disconnect_all(ReasonCode::ServerShuttingDown);
            std::thread::sleep(Duration::from_millis(2));
        }
        if let Some((stop, thread)) = http {
            stop.notify_one();
            let _ = thread.join();
        }
        ticker.stop();
        workers.iter().for_each(Worker::stop);
    }
}

fn open(listener: &Listener, purpose: &'static str) -> Result<(Vec<Bound>, BoundAddress), StartError> {
    let doors = bind::bind(purpose, &listener.settings.place)?;
    let address = match doors.first() {
        Some(Bound::Tcp(door)) => Some(door.local_addr()?),
        _ => None,
    };
    let url = match (&listener.settings.place, address) {
        (Place::Tcp { host, .. }, Some(address)) => {
            let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
            format!("{}://{host}:{}", listener.settings.scheme(), address.port())
        }
        _ => listener.settings.name(),
    };
    Ok((doors, BoundAddress { url, address }))
}

fn serve_http(
    web: Opened,
    context: &Arc<Context>,
    pages: Arc<dyn Pages>,
    serving: watch::Receiver<bool>,
) -> io::Result<(Arc<Notify>, JoinHandle<()>)> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    // Its WebSocket clients live on this thread, with a turn of its own.
    let turn = Arc::new(Mutex::new(Turn::new(&context.broker, &context.latency)));
    let writing = write_left(Arc::clone(&turn), Arc::clone(&context.broker), context.clock);
    let site = Site::new(Arc::clone(context), Arc::clone(&web.listener), turn, Some(pages));
    let context = Arc::clone(context);
    let thread = std::thread::Builder::new().name("hookmq-http".to_owned()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                () = once_serving(serving, http::serve(web.doors, web.listener, site, context)) => {}
                () = writing => {}
                () = stopped.notified() => {}
            }
        });
        runtime.shutdown_timeout(Duration::from_millis(100));
    })?;
    Ok((stop, thread))
}

/// Begins with a task when clients are let in, and not at all if the server stops before.
async fn once_serving(mut serving: watch::Receiver<bool>, task: impl Future<Output = ()>) {
    if serving.wait_for(|serving| *serving).await.is_ok() {
        task.await;
    }
}

/// Reads files again when they change, and says so in the log, as it says which handshakes fail.
async fn watch_files(
    files: Arc<Mutex<Files>>,
    tls: Vec<Arc<Tls>>,
    context: Arc<Context>,
    turn: Arc<Mutex<Turn>>,
) {
    let mut interval = tokio::time::interval(LOOK);
    loop {
        interval.tick().await;
        let looked = tokio::task::spawn_blocking({
            let files = Arc::clone(&files);
            move || files.lock().look(false)
        });
        let Ok((read, errors)) = looked.await else { continue };
        let turn = &mut *turn.lock();
        turn.batch.begin(context.clock.now());
        for path in read {
            let text = format!("{} was read again", path.display());
            turn.batch.note(Event::Log { warning: false, text });
        }
        for error in errors {
            let text = format!("{error}; until it can be read, it lets nobody in");
            turn.batch.note(Event::Log { warning: true, text });
        }
        for text in tls.iter().filter_map(|tls| tls.take_failed()) {
            turn.batch.note(Event::Log { warning: true, text });
        }
        turn.finish(&context.broker);
    }
}

impl Protocol {
    /// Whether its connections begin as HTTP.
    pub(crate) const fn is_http(self) -> bool {
        matches!(self, Self::WebSocket)
    }
}
