//! The users file of a listener: who may log in with which password.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use hookmq_auth::{Decoy, Exchange, Remembered, ScramError, Users, Verdict, scram};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::files::FileError;

/// Passwords that were right and are remembered, so that a reconnect does not cost a hash.
const REMEMBERED: usize = 100_000;

/// A users file that is in use.
pub(crate) struct UserFile {
    path: PathBuf,
    /// None while the file cannot be read: nobody logs in then.
    users: ArcSwapOption<Users>,
    remembered: Mutex<Remembered>,
    /// For made-up credentials of names that do not exist.
    secret: [u8; 32],
    /// One hash takes 20 ms and 19 MiB: no more at a time than there are cores.
    turns: Semaphore,
}

impl UserFile {
    /// Reads the file.
    pub(crate) fn open(path: &Path) -> Result<Arc<Self>, FileError> {
        let random = || random::<32>().map_err(|_| FileError::new(path, "no randomness".to_owned()));
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let file = Self {
            path: path.to_owned(),
            users: ArcSwapOption::empty(),
            remembered: Mutex::new(Remembered::new(random()?, REMEMBERED)),
            secret: random()?,
            turns: Semaphore::new(cores),
        };
        file.reload()?;
        Ok(Arc::new(file))
    }

    /// Reads the file again.
    pub(crate) fn reload(&self) -> Result<(), FileError> {
        let text = std::fs::read_to_string(&self.path);
        let users = text.map_err(|error| error.to_string()).and_then(|text| {
            Users::parse(&text).map_err(|error| format!("line {}: {}", error.line, error.what))
        });
        match users {
            Ok(users) => self.users.store(Some(Arc::new(users))),
            Err(reason) => {
                self.users.store(None);
                return Err(FileError::new(&self.path, reason));
            }
        }
        Ok(())
    }

    /// Whether this is the user's password. While the file cannot be read, no password is right.
    pub(crate) async fn verify(self: &Arc<Self>, name: &str, password: &Bytes) -> Verdict {
        let Some(users) = self.users.load_full() else { return Verdict::Wrong };
        if let Some(user) = users.get(name)
            && self.remembered.lock().contains(name, password, user.hash())
        {
            return Verdict::Right;
        }
        let Ok(turn) = self.turns.acquire().await else { return Verdict::Wrong };
        let (name, password) = (name.to_owned(), password.clone());
        let file = Arc::clone(self);
        let verified = tokio::task::spawn_blocking(move || {
            let verdict = users.verify(&name, &password);
            match (verdict, users.get(&name)) {
                (Verdict::Right, Some(user)) => {
                    file.remembered.lock().insert(&name, &password, user.hash());
                }
                // As slow as a name that exists, so that names cannot be found by the time an answer takes.
                (Verdict::Unknown, _) => users.dummy_verify(&password),
                _ => {}
            }
            verdict
        });
        let verdict = verified.await.unwrap_or(Verdict::Wrong);
        drop(turn);
        verdict
    }

    /// Begins a SCRAM exchange with the client's first message.
    pub(crate) fn scram(&self, client_first: &[u8]) -> Result<(Exchange, Vec<u8>), ScramError> {
        let users = self.users.load_full().ok_or(ScramError::Refused)?;
        let nonce = scram::nonce(&random().map_err(|_| ScramError::Refused)?);
        let decoy: Decoy = users.decoy(self.secret);
        Exchange::start(client_first, &nonce, &decoy, |name| users.get(name)?.scram().cloned())
    }
}

fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
