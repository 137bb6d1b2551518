//! Hashes, checksums and identifiers.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::digest::Digest;
use sha2::{Sha224, Sha256, Sha384, Sha512};

use super::encode::hex;
use super::results::wrong;
use super::{Arguments, Function, Outcome, Surroundings, Wrong};
use crate::value::Value;

const GROUP: &str = "Hashes and identifiers";

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        usage: "md5(x)",
        what: "The MD5 hash of a text or bytes, in hexadecimal digits. It protects against nothing but accidents.",
        examples: &[
            ("md5('some val')", "\"1b68352b3e9c2de52ffd322e30bffcc4\""),
            ("md5('')", "\"d41d8cd98f00b204e9800998ecf8427e\""),
        ],
        ..Function::new("md5", GROUP, digest::<Md5>)
    },
    Function {
        aliases: &["sha"],
        usage: "sha1(x)",
        what: "The SHA-1 hash of a text or bytes, in hexadecimal digits.",
        examples: &[
            ("sha1('some val')", "\"f85ba28ff5ea84a0cbfa118319acb0c5e58ee2b9\""),
            ("sha1('abc')", "\"a9993e364706816aba3e25717850c26c9cd0d89d\""),
        ],
        ..Function::new("sha1", GROUP, digest::<Sha1>)
    },
    Function {
        usage: "sha224(x)",
        what: "The SHA-224 hash of a text or bytes, in hexadecimal digits.",
        examples: &[
            ("sha224('abc')", "\"23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7\""),
            ("strlen(sha224(''))", "56"),
        ],
        ..Function::new("sha224", GROUP, digest::<Sha224>)
    },
    Function {
        usage: "sha256(x)",
        what: "The SHA-256 hash of a text or bytes, in hexadecimal digits.",
        examples: &[
            ("sha256('some val')", "\"67f97635d8a0e064f60ba6e8846a0ac0be664f18f0c1dc6445cd3542d2b71993\""),
            ("strlen(sha256(''))", "64"),
        ],
        ..Function::new("sha256", GROUP, digest::<Sha256>)
    },
    Function {
        usage: "sha384(x)",
        what: "The SHA-384 hash of a text or bytes, in hexadecimal digits.",
        examples: &[("left(sha384('abc'), 16)", "\"cb00753f45a35e8b\""), ("strlen(sha384(''))", "96")],
        ..Function::new("sha384", GROUP, digest::<Sha384>)
    },
    Function {
        usage: "sha512(x)",
        what: "The SHA-512 hash of a text or bytes, in hexadecimal digits.",
        examples: &[("left(sha512('abc'), 16)", "\"ddaf35a193617aba\""), ("strlen(sha512(''))", "128")],
        ..Function::new("sha512", GROUP, digest::<Sha512>)
    },
    Function {
        usage: "hmac_sha1(key, x)",
        what: "The HMAC of a text or bytes with SHA-1 and a key, in hexadecimal digits.",
        examples: &[
            (
                "hmac_sha1('key', 'The quick brown fox jumps over the lazy dog')",
                "\"de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9\"",
            ),
            ("strlen(hmac_sha1('', ''))", "40"),
        ],
        least: 2,
        most: 2,
        ..Function::new("hmac_sha1", GROUP, |_, args| hmac::<Hmac<Sha1>>(args))
    },
    Function {
        usage: "hmac_sha256(key, x)",
        what: "The HMAC of a text or bytes with SHA-256 and a key, in hexadecimal digits.",
        examples: &[
            (
                "hmac_sha256('key', 'The quick brown fox jumps over the lazy dog')",
                "\"f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8\"",
            ),
            ("strlen(hmac_sha256('', ''))", "64"),
        ],
        least: 2,
        most: 2,
        ..Function::new("hmac_sha256", GROUP, |_, args| hmac::<Hmac<Sha256>>(args))
    },
    Function {
        usage: "hmac_sha512(key, x)",
        what: "The HMAC of a text or bytes with SHA-512 and a key, in hexadecimal digits.",
        examples: &[
            (
                "left(hmac_sha512('key', 'The quick brown fox jumps over the lazy dog'), 16)",
                "\"b42af09057bac1e2\"",
            ),
            ("strlen(hmac_sha512('', ''))", "128"),
        ],
        least: 2,
        most: 2,
        ..Function::new("hmac_sha512", GROUP, |_, args| hmac::<Hmac<Sha512>>(args))
    },
    Function {
        usage: "crc32(x)",
        what: "The checksum CRC-32 (that of zip and Ethernet) of a text or bytes, as a number.",
        examples: &[("crc32('123456789')", "3421780262"), ("crc32('')", "0")],
        ..Function::new("crc32", GROUP, |_, args| Ok(Value::Int(i64::from(crc32fast::hash(&args.bytes(0)?)))))
    },
    Function {
        usage: "crc16_modbus(x)",
        what: "The checksum CRC-16 of Modbus of a text or bytes, as a number.",
        examples: &[("crc16_modbus('123456789')", "19255"), ("crc16_modbus('')", "65535")],
        ..Function::new("crc16_modbus", GROUP, crc16_modbus)
    },
    Function {
        usage: "hash_bucket(x, buckets)",
        what: "A number from 0 up to, but without, the second argument, always the same for the same text or bytes: to \
               share work out, or to take a sample of devices.",
        examples: &[("hash_bucket('dev-17', 1)", "0"), ("hash_bucket('123456789', 10)", "2")],
        least: 2,
        most: 2,
        ..Function::new("hash_bucket", GROUP, hash_bucket)
    },
    Function {
        aliases: &["uuid", "newuuid"],
        usage: "uuid_v4()",
        what: "A new random UUID.",
        examples: &[("strlen(uuid_v4())", "36"), ("substr(uuid_v4(), 14, 1)", "\"4\"")],
        least: 0,
        most: 0,
        ..Function::new("uuid_v4", GROUP, |_, _| Ok(Value::text(hyphenated(&hex(&uuid_v4()?)))))
    },
    Function {
        usage: "uuid_v4_no_hyphen()",
        what: "A new random UUID without hyphens.",
        examples: &[("strlen(uuid_v4_no_hyphen())", "32"), ("indexof(uuid_v4_no_hyphen(), '-')", "-1")],
        least: 0,
        most: 0,
        ..Function::new("uuid_v4_no_hyphen", GROUP, |_, _| Ok(Value::text(hex(&uuid_v4()?))))
    },
    Function {
        usage: "uuid_v7()",
        what: "A new UUID that begins with the time, so that later ones sort behind earlier ones.",
        examples: &[("strlen(uuid_v7())", "36"), ("left(uuid_v7(), 13)", "\"019b76da-a800\"")],
        least: 0,
        most: 0,
        ..Function::new("uuid_v7", GROUP, uuid_v7)
    },
];

fn digest<'a, D: Digest>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    Ok(Value::text(hex(&D::digest(args.bytes(0)?))))
}

fn hmac<'a, M: Mac + KeyInit>(args: &mut [Value<'a>]) -> Outcome<'a> {
    let (key, data) = (args.bytes(0)?, args.bytes(1)?);
    match <M as KeyInit>::new_from_slice(&key) {
        Ok(mac) => Ok(Value::text(hex(&mac.chain_update(data).finalize().into_bytes()))),
        Err(_) => wrong("this is no key"),
    }
}

fn crc16_modbus<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let mut sum = 0xffff_u16;
    for byte in &*args.bytes(0)? {
        sum ^= u16::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xa001 } else { sum >> 1 };
        }
    }
    Ok(Value::Int(i64::from(sum)))
}

fn hash_bucket<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    match args.int(1)? {
        buckets @ 1.. => Ok(Value::Int(i64::from(crc32fast::hash(&args.bytes(0)?)) % buckets)),
        _ => wrong("argument 2 is below 1, at least one bucket was expected"),
    }
}

fn random_bytes() -> Result<[u8; 16], Wrong> {
    let mut bytes = [0; 16];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => wrong(format!("the system gives no random numbers: {error}")),
    }
}

/// Sets what RFC 9562 wants: the version, and the variant.
fn marked(mut bytes: [u8; 16], version: u8) -> [u8; 16] {
    bytes[6] = bytes[6] & 0x0f | version << 4;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}

fn uuid_v4() -> Result<[u8; 16], Wrong> {
    Ok(marked(random_bytes()?, 4))
}

fn uuid_v7<'a>(surroundings: &Surroundings<'_>, _: &mut [Value<'a>]) -> Outcome<'a> {
    let mut bytes = random_bytes()?;
    bytes[..6].copy_from_slice(&surroundings.now.to_be_bytes()[2..]);
    Ok(Value::text(hyphenated(&hex(&marked(bytes, 7)))))
}

fn hyphenated(hex: &str) -> String {
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
