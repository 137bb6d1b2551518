//! Credentials for names that do not exist, so that nobody learns by SCRAM which names do.

use crate::credentials::{Credentials, ITERATIONS};
use crate::mac::{Digest, hmac};

/// Makes up credentials for unknown names: the same for the same name, of the same form as the real ones, and
/// fulfilled by no password.
pub struct Decoy {
    secret: Digest,
    iterations: u32,
    salt_length: usize,
}

impl Decoy {
    /// A decoy whose credentials look like new ones. The secret must be random. Made-up salts change with
    /// it, and real ones do not, so it is best kept for as long as the users are.
    pub const fn new(secret: [u8; 32]) -> Self {
        Self { secret, iterations: ITERATIONS, salt_length: 16 }
    }

    /// The same with as many iterations, and a salt as long, as these credentials have.
    #[must_use]
    pub fn like(self, credentials: &Credentials) -> Self {
        Self { secret: self.secret, iterations: credentials.iterations, salt_length: credentials.salt.len() }
    }

    pub(crate) fn credentials(&self, name: &str) -> Credentials {
        let part = |label: &[u8]| hmac(&self.secret, &[label, name.as_bytes()]);
        // A salt has at most 64 bytes.
        let mut salt = [part(b"salt 1 "), part(b"salt 2 ")].concat();
        salt.truncate(self.salt_length);
        Credentials {
            iterations: self.iterations,
            salt,
            stored_key: part(b"stored "),
            server_key: part(b"server "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_always_gets_the_same_and_each_name_its_own() {
        let decoy = Decoy::new([7; 32]);
        let text = decoy.credentials("tank").text();
        assert_eq!(decoy.credentials("tank").text(), text);
        assert_ne!(decoy.credentials("tank ").text(), text);
        assert_ne!(Decoy::new([8; 32]).credentials("tank").text(), text);
        assert_eq!(decoy.credentials("tank").iterations, ITERATIONS);
    }

    #[test]
    fn it_looks_like_what_it_stands_beside() {
        for length in [8, 16, 33, 64] {
            let real = Credentials::derive("pencil", &vec![1; length], 5000).unwrap();
            let made_up = Decoy::new([7; 32]).like(&real).credentials("tank");
            assert_eq!((made_up.iterations, made_up.salt.len()), (5000, length));
            // It is within what a file may hold.
            assert!(Credentials::parse(&made_up.text()).is_ok());
        }
    }
}
