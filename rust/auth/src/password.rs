//! A password's hash: reading it, checking a password against it, making one.

use argon2::{Algorithm, Argon2, Params, Version};
use base64ct::{Base64, Base64Unpadded, Encoding};
use ctutils::CtEq;
use sha2::{Digest, Sha512};

use crate::HashError;
use crate::error::number;

/// Bytes of the salt that a new hash is made with.
pub const SALT_LENGTH: usize = 16;

/// The most memory one check may take, in KiB: 1 GiB.
const MAX_MEMORY: u32 = 1 << 20;
/// The most passes over that memory.
const MAX_PASSES: u32 = 100;
/// The most lanes.
const MAX_LANES: u32 = 64;
/// The most KiB written by one check, over all passes: 16 GiB, which takes some ten seconds. Memory and
/// passes could each be within their bounds and take minutes together.
const MAX_WORK: u64 = 16 << 20;
/// The most iterations of PBKDF2, which take some seconds.
const MAX_ITERATIONS: u32 = 10_000_000;

/// The longest salt that is read.
const MAX_SALT: usize = 128;
/// Bytes of the hash in new hashes.
const HASH_LENGTH: usize = 32;
/// The lengths of an argon2id hash that are read: shorter ones are guessed too easily.
const HASH_LENGTHS: std::ops::RangeInclusive<usize> = 12..=64;

/// What SHA-512 gives.
type Sha512Hash = [u8; 64];

/// A password's hash in a form that can be checked.
#[derive(Clone)]
pub struct PasswordHash {
    /// As it was read or made.
    text: String,
    salt: Vec<u8>,
    scheme: Scheme,
}

#[derive(Clone)]
enum Scheme {
    /// `$argon2id$`, the one that new hashes are made with.
    Argon2id { argon2: Argon2<'static>, hash: Vec<u8> },
    /// mosquitto's `$7$`: PBKDF2 with HMAC-SHA-512.
    Pbkdf2 { iterations: u32, hash: Sha512Hash },
    /// mosquitto's `$6$`: SHA-512 over password and salt.
    Sha512 { hash: Sha512Hash },
}

impl PasswordHash {
    /// Reads a hash: `$argon2id$…` as a PHC string, or mosquitto's `$7$…` and `$6$…`.
    ///
    /// Whatever is read here can be checked in bounded time and memory.
    ///
    /// ```
    /// # use hookmq_auth::PasswordHash;
    /// let hash = PasswordHash::parse("$6$//79$ocxJJ+XJK4GfLUxo/jR87xVI2R4WkZLI6UdF6H10dXSdXdC0DOY2ikqNAvt+BLAvC+q6msfA0UHdZTHThHLYaQ==").unwrap();
    /// assert!(hash.verify("pässwörd".as_bytes()));
    /// assert!(!hash.verify(b"password"));
    /// ```
    pub fn parse(text: &str) -> Result<Self, HashError> {
        if let Some(fields) = text.strip_prefix("$argon2id$") {
            return Self::parse_argon2id(text, fields);
        }
        if let Some(fields) = text.strip_prefix("$7$") {
            let (iterations, fields) = fields.split_once('$').ok_or(FIELDS)?;
            let iterations = match number(iterations)? {
                0 => return Err(HashError::Malformed("no iterations")),
                iterations @ 1..=MAX_ITERATIONS => iterations,
                _ => return Err(HashError::TooCostly("more than 10,000,000 iterations")),
            };
            let (salt, hash) = mosquitto_fields(fields)?;
            return Ok(Self { text: text.to_owned(), salt, scheme: Scheme::Pbkdf2 { iterations, hash } });
        }
        if let Some(fields) = text.strip_prefix("$6$") {
            let (salt, hash) = mosquitto_fields(fields)?;
            return Ok(Self { text: text.to_owned(), salt, scheme: Scheme::Sha512 { hash } });
        }
        Err(HashError::Unknown("$argon2id$, $7$ and $6$"))
    }

    fn parse_argon2id(text: &str, fields: &str) -> Result<Self, HashError> {
        // A string without a version is of the first one, as in its reference implementation.
        let (version, fields) = match fields.strip_prefix("v=") {
            Some(rest) => rest.split_once('$').ok_or(FIELDS)?,
            None => ("16", fields),
        };
        let version = match version {
            "16" => Version::V0x10,
            "19" => Version::V0x13,
            _ => return Err(HashError::Malformed("the version is neither 16 nor 19")),
        };
        let mut fields = fields.split('$');
        let (Some(parameters), Some(salt), Some(hash), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(FIELDS);
        };
        let salt = Base64Unpadded::decode_vec(salt).map_err(|_| BASE64)?;
        if !(argon2::MIN_SALT_LEN..=MAX_SALT).contains(&salt.len()) {
            return Err(SALT);
        }
        let hash = Base64Unpadded::decode_vec(hash).map_err(|_| BASE64)?;
        if !HASH_LENGTHS.contains(&hash.len()) {
            return Err(HashError::Malformed("the hash has fewer than 12 or more than 64 bytes"));
        }
        let parameters = parse_parameters(parameters, hash.len())?;
        let argon2 = Argon2::new(Algorithm::Argon2id, version, parameters);
        Ok(Self { text: text.to_owned(), salt, scheme: Scheme::Argon2id { argon2, hash } })
    }

    /// Whether this is the password. It takes what the hash costs, some 20 ms for ours: not for a
    /// thread that others wait for.
    pub fn verify(&self, password: &[u8]) -> bool {
        match &self.scheme {
            Scheme::Argon2id { argon2, hash } => {
                let mut found = vec![0; hash.len()];
                // It fails for want of memory, which lets nobody in.
                argon2.hash_password_into(password, &self.salt, &mut found).is_ok()
                    && found.ct_eq(hash).to_bool()
            }
            Scheme::Pbkdf2 { iterations, hash } => {
                let mut found: Sha512Hash = [0; 64];
                pbkdf2::pbkdf2_hmac::<Sha512>(password, &self.salt, *iterations, &mut found);
                found.ct_eq(hash).to_bool()
            }
            Scheme::Sha512 { hash } => {
                let found: Sha512Hash =
                    Sha512::new().chain_update(password).chain_update(&self.salt).finalize().into();
                found.ct_eq(hash).to_bool()
            }
        }
    }

    /// The hash as text, as it stands in a file.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl std::fmt::Debug for PasswordHash {
    /// The scheme alone: a hash that reaches a log can be guessed at.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = match &self.scheme {
            Scheme::Argon2id { .. } => "$argon2id$",
            Scheme::Pbkdf2 { .. } => "$7$",
            Scheme::Sha512 { .. } => "$6$",
        };
        f.debug_tuple("PasswordHash").field(&format_args!("{scheme}…")).finish()
    }
}

const FIELDS: HashError = HashError::Malformed("it has too few or too many fields");
const BASE64: HashError = HashError::Malformed("a field is not base64");
const SALT: HashError = HashError::Malformed("the salt is too short or too long");

/// `m=…,t=…,p=…`, in this order.
fn parse_parameters(text: &str, hash_length: usize) -> Result<Params, HashError> {
    let mut fields = text.split(',');
    let mut next = |name| match fields.next().and_then(|field| field.strip_prefix(name)) {
        Some(value) => number(value),
        None => Err(HashError::Malformed("the parameters are not m=…,t=…,p=…")),
    };
    let (memory, passes, lanes) = (next("m=")?, next("t=")?, next("p=")?);
    if fields.next().is_some() {
        return Err(HashError::Malformed("there are parameters other than m, t and p"));
    }
    if memory > MAX_MEMORY {
        return Err(HashError::TooCostly("more than 1 GiB of memory"));
    }
    if passes > MAX_PASSES {
        return Err(HashError::TooCostly("more than 100 passes"));
    }
    if lanes > MAX_LANES {
        return Err(HashError::TooCostly("more than 64 lanes"));
    }
    if u64::from(memory) * u64::from(passes) > MAX_WORK {
        return Err(HashError::TooCostly("more than 16 GiB over all passes"));
    }
    Params::new(memory, passes, lanes, Some(hash_length))
        .map_err(|_| HashError::Malformed("argon2 has no such parameters"))
}

/// `salt$hash` at the end of mosquitto's hashes.
fn mosquitto_fields(fields: &str) -> Result<(Vec<u8>, Sha512Hash), HashError> {
    let (salt, hash) = fields.split_once('$').ok_or(FIELDS)?;
    let salt = Base64::decode_vec(salt).map_err(|_| BASE64)?;
    if !(1..=MAX_SALT).contains(&salt.len()) {
        return Err(SALT);
    }
    let hash = Base64::decode_vec(hash).map_err(|_| BASE64)?;
    let hash = hash.try_into().map_err(|_| HashError::Malformed("the hash does not have 64 bytes"))?;
    Ok((salt, hash))
}

/// Makes a hash: argon2id with 19 MiB, two passes and one lane, which OWASP recommends. The salt must be
/// random, and no other hash may have it.
///
/// It fails when the memory cannot be had.
pub fn hash_password(password: &[u8], salt: &[u8; SALT_LENGTH]) -> Result<PasswordHash, HashError> {
    let parameters = Params::DEFAULT;
    let (m, t, p) = (parameters.m_cost(), parameters.t_cost(), parameters.p_cost());
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters);
    let mut hash = vec![0; HASH_LENGTH];
    argon2
        .hash_password_into(password, salt, &mut hash)
        .map_err(|_| HashError::Password("there is no memory for it"))?;
    let text = format!(
        "$argon2id$v=19$m={m},t={t},p={p}${}${}",
        Base64Unpadded::encode_string(salt),
        Base64Unpadded::encode_string(&hash)
    );
    Ok(PasswordHash { text, salt: salt.to_vec(), scheme: Scheme::Argon2id { argon2, hash } })
}

/// Costs what checking a password against one of our hashes costs, and says nothing: done for a name that
/// does not exist, so that nobody can tell by the time which names do.
pub fn dummy_verify(password: &[u8]) {
    // Whatever comes of it, the work must not be optimised away.
    let _ = std::hint::black_box(hash_password(password, &[0; SALT_LENGTH]));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Made by argon2-cffi 25.1, hashlib of Python 3.11 and mosquitto_passwd 2.0.11.
    const RIGHT: [(&[u8], &str); 11] = [
        (
            b"correct horse",
            "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$rk2Mi3E4dgRMg0fHaYaptWVZRKqs//6b6k3/nntqGJk",
        ),
        ("pässwörd".as_bytes(), "$argon2id$v=19$m=64,t=3,p=4$c2FsdHNhbHQ$zSSGYcaY07RRh0XGkYn5nw"),
        (
            b"",
            "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$Y2SirYtJlzfgi54soc2ky6url17YL7WG7nuOSt76GuT0I3kfCV5chfpxUb7AfX2qGNwKCR6Ndi8CpPFI7UBDsw",
        ),
        (b"old", "$argon2id$v=16$m=32,t=1,p=2$MDEyMzQ1Njc4OWFiY2RlZg$5yaaMGIDCTXpcszdIFS+1td043Kl3pbZ"),
        (b"old", "$argon2id$m=32,t=1,p=2$MDEyMzQ1Njc4OWFiY2RlZg$5yaaMGIDCTXpcszdIFS+1td043Kl3pbZ"),
        (
            b"bin\x00\xff",
            "$argon2id$v=19$m=32,t=1,p=2$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZg$nCXrjzWL4dTGIEKrtvG9y5gWuZVs6HC4",
        ),
        (
            b"correct horse",
            "$7$101$G9uGqmYiEC45JFvT$LT+hSEF7QbAq491hDRHsIbZGSVH8jM2aParahcn+4Euh+EKZc1LGV16Dfd+oX/3wKpIoVvTKf68wO7eElTdi/g==",
        ),
        (
            b"",
            "$7$1000$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==$5AKlic3Ojhf10HdjyRqAzrNSYbaxFUd7sa6J4ORJrzNs2wP6mT0ZUHU4iCtDTpU6SvYoW4XBAmjhaAT9F/xrcg==",
        ),
        (
            b"bin\x00\xff",
            "$7$1$dHdlbHZlIGJ5dGVz$7rC19N5UIIzeVW9MH2O5080hiYqS+jjC/NrDwGQitbE/7f9/wXoX0AsLC13w7admV6WfWtgVH2GHjCXFqsbQQw==",
        ),
        (
            b"correct horse",
            "$6$dHdlbHZlIGJ5dGVz$YYM06ssfmQH9NV69YjPqpNXGPKzgBzqazj7DavYb1aEG8UUkAToyJ8azRLUtfRmNtHCy4Ojw0B8kg4wPIp/p0Q==",
        ),
        (
            "pässwörd".as_bytes(),
            "$6$8IhowEGWZVyEmzkO$jcDVpjUKBBjK2onMsmiwPC5SxcCQOcJWodSjG9o+ZmmFxDPKgo+KPj+bhwCvcTaTzMUl6fh2Qe+pUovt0nKR8Q==",
        ),
    ];

    #[test]
    fn hashes_of_other_programs_are_checked() {
        for (password, text) in RIGHT {
            let hash = PasswordHash::parse(text).unwrap();
            assert!(hash.verify(password), "{text}");
            assert_eq!(hash.as_str(), text);
            for wrong in [b"Correct horse".as_slice(), b"correct horse ", b"o", b"bin"] {
                assert!(!hash.verify(wrong), "{text}");
            }
        }
    }

    #[test]
    fn a_hash_of_our_own_reads_back() {
        let hash = hash_password(b"correct horse", b"0123456789abcdef").unwrap();
        assert_eq!(hash.as_str(), RIGHT[0].1);
        assert!(hash.verify(b"correct horse"));
        let again = PasswordHash::parse(hash.as_str()).unwrap();
        assert!(again.verify(b"correct horse"));
        assert!(!again.verify(b"wrong"));
        dummy_verify(b"correct horse");
    }

    const S: &str = "MDEyMzQ1Njc4OWFiY2RlZg";
    const H: &str = "rk2Mi3E4dgRMg0fHaYaptWVZRKqs//6b6k3/nntqGJk";

    #[test]
    fn what_would_hang_the_broker_is_refused() {
        let cases = [
            "m=1048577,t=1,p=1",
            "m=4294967295,t=1,p=1",
            "m=99999999999999999999,t=1,p=1",
            "m=8,t=101,p=1",
            "m=8,t=4294967295,p=1",
            "m=19456,t=2,p=65",
            "m=19456,t=2,p=4294967295",
            "m=1048576,t=17,p=1",
        ];
        for parameters in cases {
            let error = PasswordHash::parse(&format!("$argon2id$v=19${parameters}${S}${H}")).unwrap_err();
            assert!(matches!(error, HashError::TooCostly(_)), "{parameters}");
        }
        for iterations in ["10000001", "4294967295", "99999999999999999999"] {
            let error = PasswordHash::parse(&RIGHT[6].1.replace("101", iterations)).unwrap_err();
            assert!(matches!(error, HashError::TooCostly(_)), "{iterations}");
        }
        // The bounds themselves are within.
        for parameters in ["m=1048576,t=16,p=64", "m=167772,t=100,p=1"] {
            PasswordHash::parse(&format!("$argon2id$v=19${parameters}${S}${H}")).unwrap();
        }
    }

    #[test]
    fn malformed_hashes_are_refused() {
        let long = "A".repeat(172);
        let cases = [
            format!("$argon2id$v=18$m=8,t=1,p=1${S}${H}"),
            format!("$argon2id$v=$m=8,t=1,p=1${S}${H}"),
            "$argon2id$v=19".to_owned(),
            "$argon2id$v=19$m=8,t=1,p=1".to_owned(),
            format!("$argon2id$v=19$m=8,t=1,p=1${S}"),
            format!("$argon2id$v=19$m=8,t=1,p=1${S}${H}$"),
            format!("$argon2id$v=19$m=8,t=1${S}${H}"),
            format!("$argon2id$v=19$t=1,m=8,p=1${S}${H}"),
            format!("$argon2id$v=19$m=8,t=1,p=1,keyid=AAAA${S}${H}"),
            format!("$argon2id$v=19$m=7,t=1,p=1${S}${H}"),
            format!("$argon2id$v=19$m=8,t=0,p=1${S}${H}"),
            format!("$argon2id$v=19$m=8,t=1,p=0${S}${H}"),
            format!("$argon2id$v=19$m=8,t=1,p=2${S}${H}"),
            format!("$argon2id$v=19$m=08,t=1,p=1${S}${H}"),
            format!("$argon2id$v=19$m=8,t=1,p=1${S}==${H}"),
            format!("$argon2id$v=19$m=8,t=1,p=1$c2hvcnQ${H}"),
            format!("$argon2id$v=19$m=8,t=1,p=1${long}${H}"),
            format!("$argon2id$v=19$m=8,t=1,p=1${S}$"),
            format!("$argon2id$v=19$m=8,t=1,p=1${S}$AAAAAAAAAAAAAA"),
            format!("$argon2id$v=19$m=8,t=1,p=1${S}${H}\n"),
            "$7$".to_owned(),
            "$7$0$AAAA$AAAA".to_owned(),
            "$7$101$AAAA".to_owned(),
            "$7$101$AAAA$AAAA".to_owned(),
            RIGHT[6].1.replace("101", "-1"),
            RIGHT[6].1.replace("101", ""),
            RIGHT[6].1.replace("==", ""),
            RIGHT[6].1.replace("==", "==$"),
            RIGHT[6].1.replace("G9uGqmYiEC45JFvT", ""),
            RIGHT[9].1.replace("==", "== "),
            RIGHT[9].1.replace("dHdlbHZlIGJ5dGVz", ""),
            RIGHT[9].1.replace("dHdlbHZlIGJ5dGVz$", ""),
        ];
        for text in cases {
            let error = PasswordHash::parse(&text).unwrap_err();
            assert!(matches!(error, HashError::Malformed(_)), "{text}: {error}");
        }
    }

    #[test]
    fn other_schemes_are_refused() {
        let cases = [
            "",
            "secret",
            "$",
            "$5$AAAA$AAAA",
            "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
            "$argon2i$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$k3A0Ke+5sl7ZwafSXeKqxs+yQZnuzL2o0YbQttdD+7g",
            " $6$AAAA$AAAA",
        ];
        for text in cases {
            assert!(matches!(PasswordHash::parse(text), Err(HashError::Unknown(_))), "{text}");
        }
    }

    #[test]
    fn no_hash_reaches_a_log() {
        for (_, text) in RIGHT {
            let hash = PasswordHash::parse(text).unwrap();
            let shown = format!("{hash:?}");
            assert!(shown.len() < 40 && !text.contains(&shown), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn no_text_does_harm(text in "(\\$(argon2id|7|6|v=19|m=[0-9]{1,12},t=[0-9]{1,4},p=[0-9]{1,3}|[A-Za-z0-9+/]{0,90}|\\PC{0,8})){0,7}") {
            if let Ok(hash) = PasswordHash::parse(&text) {
                prop_assert_eq!(hash.as_str(), &text);
            }
        }

        #[test]
        fn a_changed_hash_is_another_or_none(
            at in 0..RIGHT.len(), place in any::<prop::sample::Index>(), byte in 32..127u8,
        ) {
            // Not the costly one, whose memory a changed digit would only enlarge.
            let (password, text) = RIGHT[1.max(at)];
            let place = place.index(text.len());
            let mut changed = text.as_bytes().to_vec();
            changed[place] = byte;
            let changed = String::from_utf8(changed).unwrap();
            prop_assume!(changed != text && changed.len() < 4096);
            if let Ok(hash) = PasswordHash::parse(&changed) {
                prop_assume!(!costs_more(&changed));
                prop_assert!(!hash.verify(password), "{}", changed);
            }
        }
    }

    /// Whether a check takes more than a moment, so that properties leave it out.
    fn costs_more(text: &str) -> bool {
        text.split(['$', ',', '=']).filter_map(|field| field.parse::<u64>().ok()).any(|number| number > 2000)
    }
}
