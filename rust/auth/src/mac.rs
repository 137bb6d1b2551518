//! HMAC-SHA-256 with keys of 32 bytes, which cannot fail.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What SHA-256 and HMAC-SHA-256 give.
pub(crate) type Digest = [u8; 32];

/// HMAC-SHA-256 over the parts, one behind the other.
pub(crate) fn hmac(key: &Digest, parts: &[&[u8]]) -> Digest {
    // HMAC fills a short key up with zeros; done here, because a key of a whole block is never refused.
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::hmac;

    #[test]
    fn it_is_hmac_sha_256() {
        // Python: hmac.digest(b"\x01" * 32, b"what do ya want", "sha256").hex()
        let hex: String =
            hmac(&[1; 32], &[b"what do", b" ya want"]).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "18ef4f5b4ca4d8610008f7cf9bf6e9ce2834b4195cb6d4ba272915f865e7bcea");
    }
}
