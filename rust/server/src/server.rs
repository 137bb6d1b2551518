//! Starting and stopping it all.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hookmq_codec::ReasonCode;
use hookmq_engine::Broker;
use tokio::runtime::Builder;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::deciders::Deciders;
use crate::http::{self, Pages};
use crate::listener::{self, BindError};
use crate::settings::Settings;
use crate::worker::Worker;

/// How often delayed wills, expired sessions and the like are looked after.
const TICK: Duration = Duration::from_millis(200);

/// What every connection needs to know.
pub(crate) struct Context {
    pub(crate) broker: Arc<Broker>,
    pub(crate) deciders: Arc<dyn Deciders>,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system gave no thread or no runtime.
    #[error("cannot start a thread: {0}")]
    System(#[from] io::Error),
}

/// A server that runs.
pub struct Server {
    context: Arc<Context>,
    workers: Arc<[Worker]>,
    http: Option<(Arc<Notify>, JoinHandle<()>)>,
    /// Where MQTT is served.
    pub address: SocketAddr,
    /// Where HTTP is served.
    pub http_address: Option<SocketAddr>,
}

impl Server {
    /// Binds every address, then starts the threads; nothing is left behind when it fails.
    pub fn start(
        settings: Settings,
        broker: Arc<Broker>,
        deciders: Arc<dyn Deciders>,
        pages: Arc<dyn Pages>,
        clock: Clock,
    ) -> Result<Self, StartError> {
        let mqtt = listener::bind("mqtt", &settings.host, settings.port)?;
        let web = settings.http_port.map(|port| listener::bind("http", &settings.host, port)).transpose()?;
        let address = mqtt.local_addr()?;
        let http_address = web.as_ref().map(|listener| listener.local_addr()).transpose()?;

        let count = match settings.workers {
            0 => std::thread::available_parallelism().map_or(1, |cores| cores.get()),
            count => count,
        };
        let context = Arc::new(Context { broker, deciders, settings, clock });
        let mut workers = Vec::with_capacity(count);
        let started = (0..count).try_for_each(|index| {
            workers.push(Worker::start(index, &context.broker)?);
            Ok(())
        });
        let http = started.and_then(|()| web.map(|listener| serve_http(listener, pages)).transpose());
        let http = http.inspect_err(|_: &io::Error| workers.iter().for_each(Worker::stop))?;
        let workers: Arc<[Worker]> = workers.into();
        let first = &workers[0];
        first.handle.spawn(listener::accept(mqtt, Arc::clone(&context), Arc::clone(&workers)));
        first.handle.spawn(tick(Arc::clone(&context), Arc::clone(&first.turn)));
        Ok(Self { context, workers, http, address, http_address })
    }

    /// Tells every client that the server goes down, waits for them to be gone, and ends the threads.
    pub fn stop(self) {
        let Self { context, workers, http, .. } = self;
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
        workers.iter().for_each(Worker::stop);
    }
}

fn serve_http(
    listener: std::net::TcpListener,
    pages: Arc<dyn Pages>,
) -> io::Result<(Arc<Notify>, JoinHandle<()>)> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    let thread = std::thread::Builder::new().name("hookmq-http".to_owned()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                () = http::serve(listener, pages) => {}
                () = stopped.notified() => {}
            }
        });
        runtime.shutdown_timeout(Duration::from_millis(100));
    })?;
    Ok((stop, thread))
}

async fn tick(context: Arc<Context>, turn: Arc<parking_lot::Mutex<crate::worker::Turn>>) {
    let mut interval = tokio::time::interval(TICK);
    loop {
        interval.tick().await;
        let turn = &mut *turn.lock();
        turn.batch.begin(context.clock.now());
        context.broker.tick(&mut turn.batch);
        context.broker.finish(&mut turn.batch);
    }
}
