//! SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's side, as a machine that is fed messages.

use base64ct::{Base64, Encoding};
use ctutils::CtEq;
use sha2::{Digest as _, Sha256};

use crate::credentials::{Credentials, prepare};
use crate::decoy::Decoy;
use crate::mac::{Digest, hmac};

/// The name of the method, as clients give it.
pub const METHOD: &str = "SCRAM-SHA-256";

/// The longest message of a client that is read.
const MAX_MESSAGE: usize = 4096;

/// Why an exchange ended without success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// The password is wrong, or there is no such user: which of both is not said.
    #[error("the user or the password is wrong")]
    Refused,
    /// The message does not follow the format.
    #[error("malformed message: {0}")]
    Malformed(&'static str),
    /// The message has more than 4 KiB.
    #[error("a message of more than 4096 bytes")]
    TooLong,
    /// Channel binding is asked for, or the client saw another offer than there was.
    #[error("channel binding is not supported, or does not match")]
    ChannelBinding,
    /// An extension is mandatory, and none is known.
    #[error("a mandatory extension is not supported")]
    Extension,
    /// The user name is badly escaped, empty or forbidden by SASLprep.
    #[error("the user name is malformed")]
    UserName,
    /// The client wants to act for another user.
    #[error("acting for another user is not supported")]
    OtherUser,
    /// The answer is not to the nonce of this exchange.
    #[error("the nonce does not match")]
    Nonce,
}

/// An exchange that waits for the client's proof.
///
/// ```
/// # use hookmq_auth::{Credentials, Decoy, Exchange, ScramError};
/// let lookup = |name: &str| match name {
///     "user" => Credentials::derive("pencil", b"0123456789abcdef", 4096).ok(),
///     _ => None,
/// };
/// let (exchange, challenge) =
///     Exchange::start(b"n,,n=user,r=fyko", "3rfcNHYJ", &Decoy::new([7; 32]), lookup).unwrap();
/// assert_eq!(challenge, b"r=fyko3rfcNHYJ,s=MDEyMzQ1Njc4OWFiY2RlZg==,i=4096");
/// let proof = b"c=biws,r=fyko3rfcNHYJ,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
/// assert_eq!(exchange.finish(proof), Err(ScramError::Refused));
/// ```
pub struct Exchange {
    user: String,
    credentials: Credentials,
    /// Whether the user exists and has credentials; those of others are made up.
    known: bool,
    /// What the client must say in `c=`: its own GS2 header in base64.
    binding: String,
    /// The client's nonce and ours.
    nonce: String,
    /// What the proof is about, as far as it is known: client-first without its GS2 header, and
    /// server-first.
    messages: String,
}

impl Exchange {
    /// Reads the first message of a client and makes the challenge.
    ///
    /// The nonce must be fresh and random ([`nonce`]). `lookup` is asked for the credentials of a user by
    /// the name as SASLprep prepares it, once; for a user that it does not know, `decoy` makes up some, and
    /// only [`Self::finish`] fails.
    pub fn start(
        client_first: &[u8],
        nonce: &str,
        decoy: &Decoy,
        lookup: impl FnOnce(&str) -> Option<Credentials>,
    ) -> Result<(Self, Vec<u8>), ScramError> {
        let message = text(client_first)?;
        let (header, bare) = split_header(message)?;
        let mut fields = bare.split(',');
        let name = match fields.next() {
            Some(field) if field.starts_with("m=") => return Err(ScramError::Extension),
            field => field.and_then(|field| field.strip_prefix("n=")),
        };
        let user = user_name(name.ok_or(ScramError::Malformed("no user name"))?)?;
        if let Some(name) = header.authorize_as
            && user_name(name)? != user
        {
            return Err(ScramError::OtherUser);
        }
        let client_nonce = fields.next().and_then(|field| field.strip_prefix("r="));
        let client_nonce = client_nonce.ok_or(ScramError::Malformed("no nonce"))?;
        if ![client_nonce, nonce].into_iter().all(is_nonce) {
            return Err(ScramError::Malformed("a nonce is empty or not printable"));
        }
        fields.try_for_each(check_extension)?;

        // Made up for every name, so that known and unknown ones take the same time.
        let made_up = decoy.credentials(&user);
        let (credentials, known) = match lookup(&user) {
            Some(credentials) => (credentials, true),
            None => (made_up, false),
        };
        let nonce = format!("{client_nonce}{nonce}");
        let salt = Base64::encode_string(&credentials.salt);
        let challenge = format!("r={nonce},s={salt},i={}", credentials.iterations);
        let messages = format!("{bare},{challenge}");
        let binding = Base64::encode_string(header.bytes);
        Ok((Self { user, credentials, known, binding, nonce, messages }, challenge.into_bytes()))
    }

    /// Reads the client's proof. If it is right, gives the user's name and the last message for the client.
    pub fn finish(self, client_final: &[u8]) -> Result<(String, Vec<u8>), ScramError> {
        let message = text(client_final)?;
        let (unproved, proof) =
            message.rsplit_once(",p=").ok_or(ScramError::Malformed("the proof is not last"))?;
        let proof = read_proof(proof)?;
        let mut fields = unproved.split(',');
        let binding = fields.next().and_then(|field| field.strip_prefix("c="));
        if binding.ok_or(ScramError::Malformed("no channel binding"))? != self.binding {
            return Err(ScramError::ChannelBinding);
        }
        let nonce = fields.next().and_then(|field| field.strip_prefix("r="));
        if nonce.ok_or(ScramError::Malformed("no nonce"))? != self.nonce {
            return Err(ScramError::Nonce);
        }
        fields.try_for_each(check_extension)?;

        let signed: [&[u8]; 3] = [self.messages.as_bytes(), b",", unproved.as_bytes()];
        let mut client_key = hmac(&self.credentials.stored_key, &signed);
        client_key.iter_mut().zip(proof).for_each(|(byte, other)| *byte ^= other);
        let stored_key: Digest = Sha256::digest(client_key).into();
        let proved = stored_key.ct_eq(&self.credentials.stored_key).to_bool();
        let signature = hmac(&self.credentials.server_key, &signed);
        if !proved || !self.known {
            return Err(ScramError::Refused);
        }
        Ok((self.user, format!("v={}", Base64::encode_string(&signature)).into_bytes()))
    }
}

/// A nonce for [`Exchange::start`] from 18 random bytes.
pub fn nonce(random: &[u8; 18]) -> String {
    Base64::encode_string(random)
}

/// The GS2 header: what the client says about channel binding and for whom it acts.
struct Header<'a> {
    /// The whole header, with both commas.
    bytes: &'a [u8],
    /// The name of the user it wants to act for, still escaped.
    authorize_as: Option<&'a str>,
}

/// The GS2 header and the message behind it.
fn split_header(message: &str) -> Result<(Header<'_>, &str), ScramError> {
    let mut parts = message.splitn(3, ',');
    let (Some(flag), Some(authorize_as), Some(bare)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(ScramError::Malformed("no GS2 header"));
    };
    match flag {
        // "y": the client could, and believes that the server cannot, which is true.
        "n" | "y" => {}
        _ if flag.starts_with("p=") => return Err(ScramError::ChannelBinding),
        _ => return Err(ScramError::Malformed("no GS2 header")),
    }
    let authorize_as = match authorize_as {
        "" => None,
        field => Some(field.strip_prefix("a=").ok_or(ScramError::Malformed("no GS2 header"))?),
    };
    let bytes = &message.as_bytes()[..message.len() - bare.len()];
    Ok((Header { bytes, authorize_as }, bare))
}

fn text(message: &[u8]) -> Result<&str, ScramError> {
    if message.len() > MAX_MESSAGE {
        return Err(ScramError::TooLong);
    }
    let text = std::str::from_utf8(message).map_err(|_| ScramError::Malformed("it is not UTF-8"))?;
    match text.contains('\0') {
        true => Err(ScramError::Malformed("it contains the null character")),
        false => Ok(text),
    }
}

/// Undoes the escapes of a user name, which are `=2C` and `=3D` and no others, and prepares it.
fn user_name(escaped: &str) -> Result<String, ScramError> {
    let mut parts = escaped.split('=');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (character, rest) = match (part.strip_prefix("2C"), part.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            _ => return Err(ScramError::UserName),
        };
        name.push(character);
        name.push_str(rest);
    }
    prepare(&name).map(Into::into).ok_or(ScramError::UserName)
}

/// Printable ASCII but the comma, and at least one of it.
fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

/// An optional extension is a letter, `=` and a value, and is ignored.
fn check_extension(field: &str) -> Result<(), ScramError> {
    match field.as_bytes() {
        [b'm', b'=', ..] => Err(ScramError::Extension),
        [letter, b'=', _, ..] if letter.is_ascii_alphabetic() => Ok(()),
        _ => Err(ScramError::Malformed("an extension is malformed")),
    }
}

fn read_proof(text: &str) -> Result<Digest, ScramError> {
    let mut proof = [0; 32];
    match Base64::decode(text, &mut proof) {
        Ok(bytes) if bytes.len() == 32 => Ok(proof),
        _ => Err(ScramError::Malformed("the proof is not 32 bytes in base64")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // The exchange of RFC 7677 section 3.
    const PENCIL: &str = "SCRAM-SHA-256$4096$W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=$wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
    const FIRST: &[u8] = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const CHALLENGE: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    const LAST: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
    /// PBKDF2 of the password, salt and iterations above.
    const SALTED: &str = "xKSVEDI6tPlSysH6mUQZOeeOp01r6B3fcJbodRPcYV0=";

    fn decoy() -> Decoy {
        Decoy::new([7; 32])
    }

    fn pencil() -> Credentials {
        Credentials::parse(PENCIL).unwrap()
    }

    fn start(message: &[u8]) -> Result<(Exchange, String), ScramError> {
        let (exchange, challenge) = Exchange::start(message, NONCE, &decoy(), |_| Some(pencil()))?;
        Ok((exchange, String::from_utf8(challenge).unwrap()))
    }

    /// What a client that knows the password answers: `unproved` with its proof.
    fn proved(bare: &str, challenge: &str, unproved: &str) -> String {
        let salted: Digest = Base64::decode_vec(SALTED).unwrap().try_into().unwrap();
        let client_key = hmac(&salted, &[b"Client Key"]);
        let stored_key: Digest = Sha256::digest(client_key).into();
        let messages = format!("{bare},{challenge},{unproved}");
        let signature = hmac(&stored_key, &[messages.as_bytes()]);
        let proof: Vec<u8> = client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        format!("{unproved},p={}", Base64::encode_string(&proof))
    }

    /// A whole exchange of a client that knows the password.
    fn log_in(header: &str, bare: &str, extensions: &str) -> Result<String, ScramError> {
        let (exchange, challenge) = start(format!("{header}{bare}").as_bytes())?;
        let nonce = challenge.split(',').next().unwrap();
        let binding = Base64::encode_string(header.as_bytes());
        let answer = proved(bare, &challenge, &format!("c={binding},{nonce}{extensions}"));
        exchange.finish(answer.as_bytes()).map(|(user, _)| user)
    }

    #[test]
    fn the_exchange_of_the_rfc_succeeds() {
        let lookup = |name: &str| (name == "user").then(pencil);
        let (exchange, challenge) = Exchange::start(FIRST, NONCE, &decoy(), lookup).unwrap();
        assert_eq!(challenge, CHALLENGE.as_bytes());
        assert_eq!(exchange.finish(FINAL.as_bytes()), Ok(("user".to_owned(), LAST.into())));
        let unproved = FINAL.rsplit_once(",p=").unwrap().0;
        assert_eq!(proved("n=user,r=rOprNGfwEbeRWgbNEkqO", CHALLENGE, unproved), FINAL);
    }

    #[test]
    fn a_client_that_knows_the_password_gets_in() {
        let cases = [
            ("n,,", "n=user,r=x", "", "user"),
            ("y,,", "n=user,r=x", "", "user"),
            ("n,a=user,", "n=user,r=x", "", "user"),
            ("n,a=a=2Cb=3Dc,", "n=a=2Cb=3Dc,r=x", "", "a,b=c"),
            ("n,,", "n==3D2C,r=x", "", "=2C"),
            ("n,,", "n=us er,r=x=y", "", "us er"),
            ("n,,", "n=\u{2168},r=x", "", "IX"),
            ("n,a=IX,", "n=\u{2168},r=x", "", "IX"),
            ("n,,", "n=user,r=x,a=b,z=y=", ",x=y,q=r=s", "user"),
        ];
        for (header, bare, extensions, user) in cases {
            assert_eq!(log_in(header, bare, extensions).as_deref(), Ok(user), "{header}{bare}");
        }
    }

    fn malformed(what: &'static str) -> ScramError {
        ScramError::Malformed(what)
    }

    #[test]
    fn a_wrong_first_message_is_refused() {
        use ScramError::{ChannelBinding, Extension, OtherUser, TooLong, UserName};
        let long = format!("n,,n=user,r={}", "x".repeat(MAX_MESSAGE - 11));
        let cases: [(&[u8], ScramError); 36] = [
            (b"", malformed("no GS2 header")),
            (b"n,,", malformed("no user name")),
            (b"n,", malformed("no GS2 header")),
            (b"n=user,r=x", malformed("no GS2 header")),
            (b"x,,n=user,r=x", malformed("no GS2 header")),
            (b",,n=user,r=x", malformed("no GS2 header")),
            (b"N,,n=user,r=x", malformed("no GS2 header")),
            (b"n,user,n=user,r=x", malformed("no GS2 header")),
            (b"p=tls-unique,,n=user,r=x", ChannelBinding),
            (b"p=tls-exporter,,n=user,r=x", ChannelBinding),
            (b"n,,m=x,n=user,r=x", Extension),
            (b"n,,n=user,r=x,m=x", Extension),
            (b"n,a=other,n=user,r=x", OtherUser),
            (b"n,a=User,n=user,r=x", OtherUser),
            (b"n,a=,n=user,r=x", UserName),
            (b"n,a=us=er,n=user,r=x", UserName),
            (b"n,,n=,r=x", UserName),
            (b"n,,n=us=er,r=x", UserName),
            (b"n,,n=us=2cer,r=x", UserName),
            (b"n,,n=us=3der,r=x", UserName),
            (b"n,,n=us=41er,r=x", UserName),
            (b"n,,n=user=,r=x", UserName),
            (b"n,,n=user=2,r=x", UserName),
            (b"n,,n=us\x07er,r=x", UserName),
            (b"n,,n=us\0er,r=x", malformed("it contains the null character")),
            (b"n,,n=us\xff,r=x", malformed("it is not UTF-8")),
            (b"n,,r=x,n=user", malformed("no user name")),
            (b"n,,n=user", malformed("no nonce")),
            (b"n,,n=user,x=y,r=x", malformed("no nonce")),
            (b"n,,n=user,r=", malformed("a nonce is empty or not printable")),
            (b"n,,n=user,r=a b", malformed("a nonce is empty or not printable")),
            (b"n,,n=user,r=\xc3\xa4", malformed("a nonce is empty or not printable")),
            (b"n,,n=user,r=x,", malformed("an extension is malformed")),
            (b"n,,n=user,r=x,=", malformed("an extension is malformed")),
            (b"n,,n=user,r=x,a=", malformed("an extension is malformed")),
            (long.as_bytes(), TooLong),
        ];
        for (message, expected) in cases {
            let error = start(message).err();
            assert_eq!(error, Some(expected), "{}", String::from_utf8_lossy(message));
        }
        start(&long.as_bytes()[..MAX_MESSAGE]).ok().unwrap();
        for nonce in ["", "a,b", "a b", "ä"] {
            let result = Exchange::start(FIRST, nonce, &decoy(), |_| None);
            assert_eq!(result.err(), Some(malformed("a nonce is empty or not printable")), "{nonce}");
        }
    }

    #[test]
    fn a_wrong_last_message_is_refused() {
        use ScramError::{ChannelBinding, Extension, Nonce, Refused, TooLong};
        let proof = &FINAL[FINAL.len() - 44..];
        let nonce = CHALLENGE.split(',').next().unwrap();
        let cases = [
            (String::new(), malformed("the proof is not last")),
            (FINAL.replace(",p=", ",P="), malformed("the proof is not last")),
            (format!("p={proof}"), malformed("the proof is not last")),
            (format!("{FINAL},x=y"), malformed("the proof is not 32 bytes in base64")),
            (format!("{nonce},p={proof}"), malformed("no channel binding")),
            (format!("c=biws,p={proof}"), malformed("no nonce")),
            (format!("c=biws,x=y,{nonce},p={proof}"), malformed("no nonce")),
            (FINAL.replace("biws", "eSws"), ChannelBinding),
            (FINAL.replace("biws", "biw"), ChannelBinding),
            (FINAL.replace("biws", ""), ChannelBinding),
            (FINAL.replace("k0,", "k0x,"), Nonce),
            (FINAL.replace("k0,", "k,"), Nonce),
            (FINAL.replace("rOpr", "rOpR"), Nonce),
            (FINAL.replace(NONCE, ""), Nonce),
            (FINAL.replace(",p=", ",m=x,p="), Extension),
            (FINAL.replace(",p=", ",,p="), malformed("an extension is malformed")),
            (FINAL.replace(",p=", ",x=,p="), malformed("an extension is malformed")),
            (FINAL.replace(",p=", ",1=x,p="), malformed("an extension is malformed")),
            // The proof covers the extensions.
            (FINAL.replace(",p=", ",x=y,p="), Refused),
            (FINAL.replace(",p=d", ",p=e"), Refused),
            (FINAL.replace("VQ=", "VQ"), malformed("the proof is not 32 bytes in base64")),
            (format!("c=biws,{nonce},p="), malformed("the proof is not 32 bytes in base64")),
            (format!("c=biws,{nonce},p=AAAA"), malformed("the proof is not 32 bytes in base64")),
            (format!("{nonce},p={}", "A".repeat(MAX_MESSAGE)), TooLong),
        ];
        for (message, expected) in cases {
            let (exchange, _) = start(FIRST).unwrap();
            assert_eq!(exchange.finish(message.as_bytes()), Err(expected), "{message}");
        }
        let (exchange, _) = start(FIRST).unwrap();
        assert_eq!(exchange.finish(b"c=biws,r=\xff"), Err(malformed("it is not UTF-8")));
    }

    #[test]
    fn an_unknown_user_fails_only_at_the_end_and_looks_like_a_known_one() {
        let begin = |message: &[u8], decoy: &Decoy| {
            let (exchange, challenge) = Exchange::start(message, NONCE, decoy, |_| None).ok().unwrap();
            (exchange, String::from_utf8(challenge).unwrap())
        };
        let decoy = decoy().like(&pencil());
        let (exchange, challenge) = begin(FIRST, &decoy);
        assert_eq!(exchange.finish(FINAL.as_bytes()), Err(ScramError::Refused));
        assert_eq!(challenge.len(), CHALLENGE.len());
        assert!(challenge.ends_with(",i=4096"));
        assert_eq!(begin(FIRST, &decoy).1, challenge);
        assert_ne!(begin(b"n,,n=usor,r=rOprNGfwEbeRWgbNEkqO", &decoy).1, challenge);
    }

    #[test]
    fn even_the_proof_for_made_up_credentials_is_refused() {
        let (mut exchange, challenge) = start(FIRST).unwrap();
        exchange.known = false;
        assert_eq!(challenge, CHALLENGE);
        assert_eq!(exchange.finish(FINAL.as_bytes()), Err(ScramError::Refused));
    }

    #[test]
    fn the_name_is_looked_up_as_it_is_prepared() {
        let mut asked = Vec::new();
        let _ = Exchange::start("n,,n=I\u{ad}X=2C,r=x".as_bytes(), NONCE, &decoy(), |name| {
            asked.push(name.to_owned());
            None
        });
        assert_eq!(asked, ["IX,"]);
    }

    #[test]
    fn a_nonce_is_one() {
        assert!(is_nonce(&nonce(&[0xff; 18])));
        assert_eq!(nonce(&[0; 18]).len(), 24);
    }

    proptest! {
        #[test]
        fn no_first_message_does_harm(message in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = start(&message);
        }

        #[test]
        fn no_text_does_harm(first in "([nyp]?,(a=\\PC{0,4})?,)?([nrmx]?=?(=2C|=3D|=|\\PC){0,8},?){0,5}", last in "(c=biws)?(,?[cprmx]=?\\PC{0,8}){0,4}") {
            let _ = start(first.as_bytes());
            let (exchange, _) = start(FIRST).unwrap();
            prop_assert!(exchange.finish(last.as_bytes()).is_err());
        }

        #[test]
        fn no_byte_of_the_proof_can_be_changed(at in 0..FINAL.len(), byte in any::<u8>()) {
            let mut message = FINAL.as_bytes().to_vec();
            prop_assume!(message[at] != byte);
            message[at] = byte;
            let (exchange, _) = start(FIRST).unwrap();
            prop_assert!(exchange.finish(&message).is_err());
        }

        #[test]
        fn every_name_gets_in_as_itself(name in "[ -~]{1,40}") {
            let escaped = name.replace('=', "=3D").replace(',', "=2C");
            let user = log_in(&format!("n,a={escaped},"), &format!("n={escaped},r=x"), "");
            prop_assert_eq!(user, Ok(name));
        }
    }
}
