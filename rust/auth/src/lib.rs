//! Users and passwords: what proves that a client is who it says.
//!
//! There are no sockets, clocks, threads and files in here: the text of files, salts, nonces and keys are
//! arguments. Nothing panics, whatever a client or a file says, and nothing that is read can be made to
//! cost more than a bound. Checking a password takes some 20 ms on purpose, so it is nothing for a thread
//! that others wait for.
//!
//! # Layout
//! - [`password`]: a password's hash: `$argon2id$`, and mosquitto's `$7$` and `$6$`
//! - [`credentials`]: what the server keeps for SCRAM; [`decoy`]: the same for names that do not exist
//! - [`scram`]: the server's side of SCRAM-SHA-256
//! - [`user`], [`users`]: a line of the users file, and the file
//! - [`edit`]: changing the text of that file
//! - [`remembered`]: passwords that were right lately
//! - [`error`]: why a hash or credentials were refused
//! - `mac`: HMAC-SHA-256

#![forbid(unsafe_code)]

pub mod credentials;
pub mod decoy;
pub mod edit;
pub mod error;
mod mac;
pub mod password;
pub mod remembered;
pub mod scram;
pub mod user;
pub mod users;

pub use credentials::Credentials;
pub use decoy::Decoy;
pub use error::HashError;
pub use password::{PasswordHash, dummy_verify, hash_password};
pub use remembered::Remembered;
pub use scram::{Exchange, ScramError};
pub use user::{User, UserError};
pub use users::{Users, UsersError, Verdict};
