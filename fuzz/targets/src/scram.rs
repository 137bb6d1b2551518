//! Logging in by SCRAM-SHA-256: nobody gets in without the proof, whatever the messages say.

use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use hookmq_auth::{Credentials, Decoy, Exchange};
use sha2::{Digest, Sha256};

/// The exchange of RFC 7677: the password is `pencil`.
const USER: &str = "user";
const CREDENTIALS: &str = "SCRAM-SHA-256$4096$W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=$wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
/// PBKDF2 of the password.
const SALTED: &str = "xKSVEDI6tPlSysH6mUQZOeeOp01r6B3fcJbodRPcYV0=";
const NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

/// Three lines: how the client is, its first message, and its last. Who is `honest` knows the password; the
/// third line is extensions of its last message. Who is `sly` knows it as well; the line is the message
/// without the proof. Who is neither says it all.
pub fn run(data: &[u8]) {
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let (Some(mode), Some(first), Some(last)) = (lines.next(), lines.next(), lines.next()) else { return };
    let mut asked = None;
    let lookup = |name: &str| {
        asked = Some(name.to_owned());
        if name == USER { Credentials::parse(CREDENTIALS).ok() } else { None }
    };
    let Ok((exchange, challenge)) = Exchange::start(first, NONCE, &Decoy::new([7; 32]), lookup) else {
        return;
    };
    let (Ok(first), Ok(challenge), Some(asked)) =
        (std::str::from_utf8(first), String::from_utf8(challenge), asked)
    else {
        unreachable!("an exchange began with what is no text, or without a user")
    };
    let Some((header, bare)) = split(first) else { unreachable!("{first:?} has no header") };
    let client = Client { bare, challenge: &challenge };
    let binding = format!("c={},{}", Base64::encode_string(header.as_bytes()), client.nonce());
    let plain = mode == b"honest" && last.is_empty();
    let last = match (mode, std::str::from_utf8(last)) {
        (b"honest", Ok(extensions)) => client.proved(&format!("{binding}{extensions}")).into_bytes(),
        (b"sly", Ok(unproved)) => client.proved(unproved).into_bytes(),
        _ => last.to_vec(),
    };

    match exchange.finish(&last) {
        Ok((user, answer)) => {
            assert_eq!((user.as_str(), asked.as_str()), (USER, USER), "somebody else got in");
            let Some(last) = std::str::from_utf8(&last).ok() else { unreachable!("{last:?} is no text") };
            let Some((unproved, _)) = last.rsplit_once(",p=") else { unreachable!("{last:?} has no proof") };
            assert_eq!(last, client.proved(unproved), "somebody got in without the proof");
            assert!(unproved == binding || unproved.starts_with(&format!("{binding},")), "{last:?}");
            assert_eq!(answer, client.signature(unproved).into_bytes());
        }
        Err(error) => assert!(!plain || asked != USER, "who knows the password was refused: {error}"),
    }
}

/// The GS2 header with its commas, and what is behind it.
fn split(first: &str) -> Option<(&str, &str)> {
    let (at, _) = first.match_indices(',').nth(1)?;
    Some(first.split_at(at + 1))
}

/// Somebody who knows the password.
struct Client<'a> {
    bare: &'a str,
    challenge: &'a str,
}

impl Client<'_> {
    /// The nonce as both messages say it: `r=` and the text.
    fn nonce(&self) -> &str {
        self.challenge.split(',').next().unwrap_or_default()
    }

    fn salted() -> Vec<u8> {
        Base64::decode_vec(SALTED).unwrap_or_default()
    }

    fn messages(&self, unproved: &str) -> String {
        format!("{},{},{unproved}", self.bare, self.challenge)
    }

    /// The last message: `unproved` with its proof.
    fn proved(&self, unproved: &str) -> String {
        let client_key = hmac(&Self::salted(), b"Client Key");
        let stored_key = Sha256::digest(&client_key);
        let signature = hmac(&stored_key, self.messages(unproved).as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(signature).map(|(one, other)| one ^ other).collect();
        format!("{unproved},p={}", Base64::encode_string(&proof))
    }

    /// What the server proves to the client.
    fn signature(&self, unproved: &str) -> String {
        let server_key = hmac(&Self::salted(), b"Server Key");
        let signature = hmac(&server_key, self.messages(unproved).as_bytes());
        format!("v={}", Base64::encode_string(&signature))
    }
}

fn hmac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { unreachable!("any key will do") };
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}
