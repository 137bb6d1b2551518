//! SCRAM credentials: what the server keeps of a password so that a client can prove that it knows it.

use std::borrow::Cow;

use base64ct::{Base64, Encoding};
use sha2::{Digest as _, Sha256};

use crate::HashError;
use crate::error::number;
use crate::mac::{Digest, hmac};

/// Iterations for new credentials. A client needs 10 to 50 ms for them, a small device some seconds. A line
/// of the users file is no stronger than the cheaper of its two hashes, so fewer are for those who must.
pub const ITERATIONS: u32 = 100_000;

/// RFC 7677 section 4: no fewer than these.
const MIN_ITERATIONS: u32 = 4096;
/// More would keep a client busy for longer than it waits.
const MAX_ITERATIONS: u32 = 10_000_000;
/// The salts that are read and made.
const SALT_LENGTHS: std::ops::RangeInclusive<usize> = 8..=64;

const PREFIX: &str = "SCRAM-SHA-256$";

/// What the server keeps for a user of SCRAM-SHA-256. Whoever reads it can pose as the server, and guess
/// passwords, but not log in.
#[derive(Clone)]
pub struct Credentials {
    pub(crate) iterations: u32,
    pub(crate) salt: Vec<u8>,
    pub(crate) stored_key: Digest,
    pub(crate) server_key: Digest,
}

impl Credentials {
    /// Reads `SCRAM-SHA-256$iterations$salt$StoredKey$ServerKey`, the last three in base64.
    pub fn parse(text: &str) -> Result<Self, HashError> {
        let fields = text.strip_prefix(PREFIX).ok_or(HashError::Unknown("SCRAM-SHA-256$"))?;
        let mut fields = fields.split('$');
        let (Some(iterations), Some(salt), Some(stored_key), Some(server_key), None) =
            (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(HashError::Malformed("it has too few or too many fields"));
        };
        let iterations = check_iterations(number(iterations)?)?;
        let salt = Base64::decode_vec(salt).map_err(|_| HashError::Malformed("the salt is not base64"))?;
        check_salt(&salt)?;
        Ok(Self { iterations, salt, stored_key: key(stored_key)?, server_key: key(server_key)? })
    }

    /// Makes the credentials for a password. The salt must be random, and no other credentials may have it.
    ///
    /// The password is text here, because clients prepare it with SASLprep; one that SASLprep forbids is
    /// refused.
    pub fn derive(password: &str, salt: &[u8], iterations: u32) -> Result<Self, HashError> {
        let iterations = check_iterations(iterations)?;
        check_salt(salt)?;
        let password =
            prepare(password).ok_or(HashError::Password("SASLprep (RFC 4013) forbids the password"))?;
        let mut salted: Digest = [0; 32];
        pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), salt, iterations, &mut salted);
        let client_key = hmac(&salted, &[b"Client Key"]);
        Ok(Self {
            iterations,
            salt: salt.to_vec(),
            stored_key: Sha256::digest(client_key).into(),
            server_key: hmac(&salted, &[b"Server Key"]),
        })
    }

    /// The credentials as text, as they stand in a file.
    pub fn text(&self) -> String {
        let [salt, stored, server] =
            [self.salt.as_slice(), &self.stored_key, &self.server_key].map(Base64::encode_string);
        format!("{PREFIX}{}${salt}${stored}${server}", self.iterations)
    }
}

impl std::fmt::Debug for Credentials {
    /// Without salt and keys: what reaches a log can be guessed at.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

fn check_iterations(iterations: u32) -> Result<u32, HashError> {
    match iterations {
        ..MIN_ITERATIONS => Err(HashError::TooWeak("fewer than 4096 iterations")),
        MIN_ITERATIONS..=MAX_ITERATIONS => Ok(iterations),
        _ => Err(HashError::TooCostly("more than 10,000,000 iterations")),
    }
}

fn check_salt(salt: &[u8]) -> Result<(), HashError> {
    match SALT_LENGTHS.contains(&salt.len()) {
        true => Ok(()),
        false => Err(HashError::Malformed("the salt has fewer than 8 or more than 64 bytes")),
    }
}

fn key(text: &str) -> Result<Digest, HashError> {
    let mut key = [0; 32];
    match Base64::decode(text, &mut key) {
        Ok(bytes) if bytes.len() == 32 => Ok(key),
        _ => Err(HashError::Malformed("a key is not 32 bytes in base64")),
    }
}

/// Prepares a name or a password with SASLprep (RFC 4013); `None` if that forbids it or leaves nothing.
pub(crate) fn prepare(text: &str) -> Option<Cow<'_, str>> {
    stringprep::saslprep(text).ok().filter(|prepared| !prepared.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Made by hashlib of Python 3.11; the first are those of RFC 7677 section 3.
    const PENCIL: &str = "SCRAM-SHA-256$4096$W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=$wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
    const IX: &str = "SCRAM-SHA-256$4096$MDEyMzQ1Njc4OWFiY2RlZg==$w8BKFJL+iPDCA6QJz7ppAW4jPKiyJ62aIffAhgWQ2KU=$2iwiFsNsJUOcxyRv8AAXWij6Fkx6Dme2WsTE+/SN7BQ=";

    #[test]
    fn credentials_are_derived_as_others_do() {
        let salt = Base64::decode_vec("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        assert_eq!(Credentials::derive("pencil", &salt, 4096).unwrap().text(), PENCIL);
        for text in [PENCIL, IX] {
            assert_eq!(Credentials::parse(text).unwrap().text(), text);
        }
    }

    #[test]
    fn passwords_are_prepared() {
        // The examples of RFC 4013 section 3: soft hyphen, Roman numeral nine.
        for password in ["IX", "I\u{ad}X", "\u{2168}"] {
            let credentials = Credentials::derive(password, b"0123456789abcdef", 4096).unwrap();
            assert_eq!(credentials.text(), IX);
        }
        assert_eq!(prepare("user").as_deref(), Some("user"));
        assert_eq!(prepare("USER").as_deref(), Some("USER"));
        assert_eq!(prepare("\u{aa}").as_deref(), Some("a"));
        for text in ["", "\u{ad}", "\u{7}", "\0", "\u{627}1", "\u{221}"] {
            assert_eq!(prepare(text), None, "{text:?}");
            let error = Credentials::derive(text, b"0123456789abcdef", 4096).unwrap_err();
            assert!(matches!(error, HashError::Password(_)), "{text:?}");
        }
    }

    #[test]
    fn bad_credentials_are_refused() {
        use HashError::{Malformed, TooCostly, TooWeak, Unknown};
        let cases = [
            ("".to_owned(), Unknown("SCRAM-SHA-256$")),
            (PENCIL.replace("256", "1"), Unknown("SCRAM-SHA-256$")),
            (PENCIL.replace("4096", "4095"), TooWeak("fewer than 4096 iterations")),
            (PENCIL.replace("4096", "0"), TooWeak("fewer than 4096 iterations")),
            (PENCIL.replace("4096", "10000001"), TooCostly("more than 10,000,000 iterations")),
            (PENCIL.replace("4096", "99999999999"), TooCostly("more than 10,000,000 iterations")),
            (PENCIL.replace("4096", "04096"), Malformed("a number is not one")),
            (PENCIL.replace("gQ==", "gQ"), Malformed("the salt is not base64")),
            (
                PENCIL.replace("W22ZaJ0SNY7soEsUEjb6gQ==", "AAAA"),
                Malformed("the salt has fewer than 8 or more than 64 bytes"),
            ),
            (PENCIL.replace("4qY=", "4qY"), Malformed("a key is not 32 bytes in base64")),
            (PENCIL.replace("4qY=", ""), Malformed("a key is not 32 bytes in base64")),
            (format!("{PENCIL}A"), Malformed("a key is not 32 bytes in base64")),
            (format!("{PENCIL}$"), Malformed("it has too few or too many fields")),
            (PENCIL[..PENCIL.len() - 45].to_owned(), Malformed("it has too few or too many fields")),
        ];
        for (text, expected) in cases {
            assert_eq!(Credentials::parse(&text).unwrap_err(), expected, "{text}");
        }
        assert!(Credentials::derive("pencil", b"0123456", 4096).is_err());
        assert!(Credentials::derive("pencil", &[0; 65], 4096).is_err());
        assert!(Credentials::derive("pencil", &[0; 16], 4095).is_err());
    }

    #[test]
    fn no_keys_reach_a_log() {
        assert_eq!(
            format!("{:?}", Credentials::parse(PENCIL).unwrap()),
            "Credentials { iterations: 4096, .. }"
        );
    }

    proptest! {
        #[test]
        fn no_text_does_harm(text in "(SCRAM-SHA-256)?(\\$([0-9]{1,11}|[A-Za-z0-9+/]{0,44}=?|\\PC{0,8})){0,6}") {
            if let Ok(credentials) = Credentials::parse(&text) {
                prop_assert_eq!(credentials.text(), text);
            }
        }

        #[test]
        fn credentials_read_back(
            iterations in MIN_ITERATIONS..=MAX_ITERATIONS,
            salt in prop::collection::vec(any::<u8>(), SALT_LENGTHS),
            stored_key in any::<Digest>(),
            server_key in any::<Digest>(),
        ) {
            let text = Credentials { iterations, salt, stored_key, server_key }.text();
            prop_assert_eq!(Credentials::parse(&text).unwrap().text(), text);
        }
    }
}
