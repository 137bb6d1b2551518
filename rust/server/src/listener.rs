//! A listener: how its clients come in, and the files it is made of.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookmq_engine::{AccessRules, Acl, Broker};
use parking_lot::Mutex;

use crate::bucket::Bucket;
use crate::files::{FileError, Files};
use crate::pace::Pace;
use crate::settings::{Identity, ListenerSettings, Place, Protocol};
use crate::tls::Tls;
use crate::users::UserFile;

/// A listener as its connections share it.
pub(crate) struct Listener {
    pub(crate) settings: ListenerSettings,
    /// What the engine knows of it.
    pub(crate) engine: Arc<hookmq_engine::Listener>,
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) users: Option<Arc<UserFile>>,
    /// Whether it is that of a bridge, and nobody else comes by it.
    pub(crate) is_bridge: bool,
    connects: Option<Mutex<Bucket>>,
    /// Of clients that are connected, or were not long ago.
    paces: Mutex<Paces>,
}

/// How fast a client may send, shared by its connections: a new one and the one it takes over from.
pub(crate) type SharedPace = Arc<Mutex<Pace>>;

/// Paces by Client Identifier, and when each was asked for last.
type Paces = HashMap<Arc<str>, (SharedPace, Instant)>;

/// From so many on, those are forgotten that nobody uses, but not before this time.
const PACES: usize = 100_000;
const REFILL: Duration = Duration::from_secs(60);

impl Listener {
    /// Opens the files of a listener.
    pub(crate) fn open(settings: ListenerSettings, opened: &mut OpenedFiles) -> Result<Arc<Self>, FileError> {
        let protocols: &[&str] = match settings.protocol {
            Protocol::Mqtt => &[],
            Protocol::WebSocket => &["http/1.1"],
        };
        let tls = match &settings.tls {
            Some(tls) => Some(opened.tls(Tls::open(tls.clone(), protocols)?)),
            None => None,
        };
        let users = settings.users_file.as_deref().map(|path| opened.users(path)).transpose()?;
        let access = settings.acl_file.as_deref().map(|path| opened.rules(path)).transpose()?;
        let connects = Bucket::new(settings.connect_rate, Instant::now()).map(Mutex::new);
        let engine = hookmq_engine::Listener::new(
            settings.name().into(),
            access,
            settings.max_clients,
            settings.max_packet_size,
            settings.users_file.as_deref().map(|path| path.to_string_lossy().into()),
        );
        let paces = Mutex::default();
        Ok(Arc::new(Self { settings, engine, tls, users, is_bridge: false, connects, paces }))
    }

    /// The listener of a bridge: it is bound nowhere, and has no rules and no bounds of its own.
    pub(crate) fn of_bridge(name: &str) -> Arc<Self> {
        let settings = ListenerSettings {
            place: Place::Tcp { host: String::new(), port: 0 },
            protocol: Protocol::Mqtt,
            tls: None,
            identity: Identity::Username,
            proxies: None,
            users_file: None,
            acl_file: None,
            allow_anonymous: true,
            connect_timeout: Duration::MAX,
            max_clients: usize::MAX,
            max_packet_size: usize::MAX,
            connect_rate: 0.0,
            message_rate: 0.0,
            byte_rate: 0.0,
        };
        let engine = hookmq_engine::Listener::own(format!("bridge://{name}").into());
        let (tls, users, connects, paces) = (None, None, None, Mutex::default());
        Arc::new(Self { settings, engine, tls, users, is_bridge: true, connects, paces })
    }

    /// The pace of a client, which all its connections have in common: it must not get a new allowance by coming
    /// again. `None` if clients have no bound.
    pub(crate) fn pace_of(&self, client_id: &Arc<str>) -> Option<SharedPace> {
        let fresh = Pace::new(&self.settings)?;
        let now = Instant::now();
        let mut paces = self.paces.lock();
        if paces.len() >= PACES {
            // After so long every allowance is full again.
            paces.retain(|_, (pace, used)| Arc::strong_count(pace) > 1 || now.duration_since(*used) < REFILL);
        }
        let (pace, used) =
            paces.entry(Arc::clone(client_id)).or_insert_with(|| (Arc::new(Mutex::new(fresh)), now));
        *used = now;
        Some(Arc::clone(pace))
    }

    /// Whether one more CONNECT may come at this moment.
    pub(crate) fn takes_connect(&self) -> bool {
        self.connects.as_ref().is_none_or(|bucket| bucket.lock().try_take(Instant::now()))
    }

    /// Whether anyone but hooks can vouch for its clients.
    pub(crate) fn authenticates(&self) -> bool {
        self.users.is_some() || self.settings.identity != Identity::Username
    }
}

impl ListenerSettings {
    /// The scheme of its URL.
    pub fn scheme(&self) -> &'static str {
        match (self.protocol, &self.place, &self.tls) {
            (Protocol::Mqtt, Place::Unix { .. }, _) => "unix",
            (Protocol::Mqtt, _, None) => "mqtt",
            (Protocol::Mqtt, _, Some(_)) => "mqtts",
            (Protocol::WebSocket, _, None) => "ws",
            (Protocol::WebSocket, _, Some(_)) => "wss",
        }
    }

    /// Its URL as it was asked for.
    pub(crate) fn name(&self) -> String {
        let scheme = self.scheme();
        match &self.place {
            Place::Tcp { host, port } => format!("{scheme}://{host}:{port}"),
            Place::Unix { path, .. } => format!("{scheme}://{}", path.display()),
        }
    }
}

/// The files that listeners opened: those that several use are read once.
pub(crate) struct OpenedFiles {
    broker: Arc<Broker>,
    files: Files,
    tls: Vec<Arc<Tls>>,
    users: HashMap<PathBuf, Arc<UserFile>>,
    rules: HashMap<PathBuf, Arc<AccessRules>>,
}

impl OpenedFiles {
    pub(crate) fn new(broker: Arc<Broker>) -> Self {
        Self {
            broker,
            files: Files::default(),
            tls: Vec::new(),
            users: HashMap::new(),
            rules: HashMap::new(),
        }
    }

    /// All of them, to be watched, and what of them is TLS.
    pub(crate) fn into_parts(self) -> (Files, Vec<Arc<Tls>>) {
        (self.files, self.tls)
    }

    fn tls(&mut self, tls: Tls) -> Arc<Tls> {
        let tls = Arc::new(tls);
        let reloaded = Arc::clone(&tls);
        self.files.watch(tls.files(), move || reloaded.reload());
        self.tls.push(Arc::clone(&tls));
        tls
    }

    fn users(&mut self, path: &Path) -> Result<Arc<UserFile>, FileError> {
        if let Some(users) = self.users.get(path) {
            return Ok(Arc::clone(users));
        }
        let users = UserFile::open(path)?;
        let reloaded = Arc::clone(&users);
        self.files.watch(vec![path.to_owned()], move || reloaded.reload());
        self.users.insert(path.to_owned(), Arc::clone(&users));
        Ok(users)
    }

    fn rules(&mut self, path: &Path) -> Result<Arc<AccessRules>, FileError> {
        if let Some(rules) = self.rules.get(path) {
            return Ok(Arc::clone(rules));
        }
        let rules = AccessRules::new(read_acl(path)?);
        let (reloaded, file, broker) = (Arc::clone(&rules), path.to_owned(), Arc::clone(&self.broker));
        self.files.watch(vec![path.to_owned()], move || {
            let acl = read_acl(&file);
            // What cannot be read allows nothing.
            reloaded.replace(acl.as_ref().map_or_else(|_| Acl::deny_all(), Acl::clone));
            broker.access_changed();
            acl.map(|_| ())
        });
        self.rules.insert(path.to_owned(), Arc::clone(&rules));
        Ok(rules)
    }
}

fn read_acl(path: &Path) -> Result<Acl, FileError> {
    let text = std::fs::read_to_string(path).map_err(|error| FileError::new(path, error.to_string()))?;
    Acl::parse(&text).map_err(|error| FileError::new(path, error.to_string()))
}
