//! A memory of passwords that were right, so that a storm of reconnects does not pay for each of them again.

use std::collections::{HashSet, VecDeque};

use crate::PasswordHash;
use crate::mac::{Digest, hmac};

/// Which passwords were found right lately. No passwords are in it, but what HMAC-SHA-256 makes of name,
/// password and hash with the key; so a hash that was changed is not remembered, and without the key
/// nothing can be guessed.
pub struct Remembered {
    key: Digest,
    capacity: usize,
    tags: HashSet<Digest>,
    /// The tags as they came, the oldest first.
    order: VecDeque<Digest>,
}

impl Remembered {
    /// An empty memory for at most `capacity` passwords, some 100 bytes each. The key must be random, and
    /// stay in this process.
    pub fn new(key: [u8; 32], capacity: usize) -> Self {
        Self { key, capacity, tags: HashSet::new(), order: VecDeque::new() }
    }

    /// Whether this password of this user was found right, against this hash.
    pub fn contains(&self, name: &str, password: &[u8], hash: &PasswordHash) -> bool {
        self.tags.contains(&self.tag(name, password, hash))
    }

    /// Remembers that this password of this user is right, and forgets the oldest one if there are too many.
    pub fn insert(&mut self, name: &str, password: &[u8], hash: &PasswordHash) {
        let tag = self.tag(name, password, hash);
        if self.capacity == 0 || !self.tags.insert(tag) {
            return;
        }
        self.order.push_back(tag);
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.tags.remove(&oldest);
        }
    }

    fn tag(&self, name: &str, password: &[u8], hash: &PasswordHash) -> Digest {
        let hash = hash.as_str();
        // With both lengths before them, no other three can read the same.
        let lengths = [name.len(), hash.len()].map(|length| (length as u64).to_be_bytes());
        hmac(&self.key, &[&lengths.concat(), name.as_bytes(), hash.as_bytes(), password])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$6$8IhowEGWZVyEmzkO$jcDVpjUKBBjK2onMsmiwPC5SxcCQOcJWodSjG9o+ZmmFxDPKgo+KPj+bhwCvcTaTzMUl6fh2Qe+pUovt0nKR8Q==";

    fn hash() -> PasswordHash {
        PasswordHash::parse(HASH).unwrap()
    }

    #[test]
    fn only_what_was_right_is_remembered() {
        let mut remembered = Remembered::new([7; 32], 10);
        assert!(!remembered.contains("tank", b"secret", &hash()));
        remembered.insert("tank", b"secret", &hash());
        assert!(remembered.contains("tank", b"secret", &hash()));
        for (name, password) in
            [("tank", "secre"), ("tank", ""), ("tan", "ksecret"), ("tanks", "ecret"), ("", "")]
        {
            assert!(!remembered.contains(name, password.as_bytes(), &hash()), "{name} {password}");
        }
    }

    #[test]
    fn a_changed_hash_forgets() {
        let mut remembered = Remembered::new([7; 32], 10);
        remembered.insert("tank", b"secret", &hash());
        let changed = PasswordHash::parse(&HASH.replace("8Iho", "8Ihp")).unwrap();
        assert!(!remembered.contains("tank", b"secret", &changed));
        assert!(remembered.contains("tank", b"secret", &hash()));
    }

    #[test]
    fn the_oldest_goes() {
        let mut remembered = Remembered::new([7; 32], 3);
        for name in ["a", "b", "a", "c", "b", "d"] {
            remembered.insert(name, b"secret", &hash());
            assert!(remembered.contains(name, b"secret", &hash()));
        }
        let known = ["a", "b", "c", "d"].map(|name| remembered.contains(name, b"secret", &hash()));
        assert_eq!(known, [false, true, true, true]);
        (0..1000).for_each(|number| remembered.insert(&number.to_string(), b"", &hash()));
        assert_eq!((remembered.tags.len(), remembered.order.len()), (3, 3));
    }

    #[test]
    fn a_memory_for_none_remembers_none() {
        let mut remembered = Remembered::new([7; 32], 0);
        remembered.insert("tank", b"secret", &hash());
        assert!(!remembered.contains("tank", b"secret", &hash()));
    }
}
