//! One user: a line of the users file.

use crate::{Credentials, HashError, PasswordHash};

/// What Windows editors put before a text.
pub(crate) const BYTE_ORDER_MARK: char = '\u{feff}';

/// What is wrong with a user. The text never quotes a hash: it goes to logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// The line is a name, or text, and nothing else.
    #[error("there is no ':' between a name and a password hash")]
    NoHash,
    /// The name cannot stand in a file, or in CONNECT.
    #[error("the name {0}")]
    Name(&'static str),
    /// The password hash was refused.
    #[error("the password hash {0}")]
    Hash(#[source] HashError),
    /// The SCRAM credentials were refused.
    #[error("the SCRAM credentials {0}")]
    Scram(#[source] HashError),
    /// Another line has the same name; which of them counts would be a guess.
    #[error("the name is that of line {0} too")]
    Duplicate(usize),
}

/// A user: a name, the hash of the password, and what SCRAM needs if the user may log in by it.
#[derive(Debug, Clone)]
pub struct User {
    name: String,
    hash: PasswordHash,
    scram: Option<Credentials>,
}

impl User {
    /// A user with a name that a line can hold.
    pub fn new(name: &str, hash: PasswordHash, scram: Option<Credentials>) -> Result<Self, UserError> {
        check_name(name)?;
        Ok(Self { name: name.to_owned(), hash, scram })
    }

    /// Reads a line: `name:HASH` or `name:HASH:SCRAM`. Blanks around them are nothing, as in mosquitto.
    pub fn parse(line: &str) -> Result<Self, UserError> {
        let (name, rest) = line.split_once(':').ok_or(UserError::NoHash)?;
        let (hash, scram) = match rest.split_once(':') {
            Some((hash, scram)) => (hash, Some(scram)),
            None => (rest, None),
        };
        let name = name.trim();
        check_name(name)?;
        let hash = PasswordHash::parse(hash.trim()).map_err(UserError::Hash)?;
        let scram =
            scram.map(|text| Credentials::parse(text.trim())).transpose().map_err(UserError::Scram)?;
        Ok(Self { name: name.to_owned(), hash, scram })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The hash of the password.
    pub const fn hash(&self) -> &PasswordHash {
        &self.hash
    }

    /// What SCRAM needs.
    pub const fn scram(&self) -> Option<&Credentials> {
        self.scram.as_ref()
    }

    /// The user as a line, without its end.
    pub fn line(&self) -> String {
        let (name, hash) = (&self.name, self.hash.as_str());
        match &self.scram {
            Some(scram) => format!("{name}:{hash}:{}", scram.text()),
            None => format!("{name}:{hash}"),
        }
    }
}

fn check_name(name: &str) -> Result<(), UserError> {
    let wrong = match name {
        "" => "is empty",
        // CONNECT has two bytes for its length.
        _ if name.len() > 65_535 => "is longer than 65,535 bytes",
        _ if name.contains(':') => "contains ':'",
        _ if name.contains(char::is_control) => "contains a control character",
        _ if name.trim() != name => "begins or ends with a blank",
        _ if name.starts_with(['#', BYTE_ORDER_MARK]) => "begins like a comment",
        _ => return Ok(()),
    };
    Err(UserError::Name(wrong))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HASH: &str = "$6$dHdlbHZlIGJ5dGVz$YYM06ssfmQH9NV69YjPqpNXGPKzgBzqazj7DavYb1aEG8UUkAToyJ8azRLUtfRmNtHCy4Ojw0B8kg4wPIp/p0Q==";
    const SCRAM: &str = "SCRAM-SHA-256$4096$W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=$wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

    #[test]
    fn a_line_reads_back() {
        for line in [format!("tank:{HASH}"), format!("sensor 7:{HASH}:{SCRAM}"), format!("a#b=,ü$:{HASH}")] {
            let user = User::parse(&line).unwrap();
            assert_eq!(user.line(), line);
            assert_eq!(user.scram().is_some(), line.contains("SCRAM"));
            assert!(user.hash().verify(b"correct horse"));
        }
        assert_eq!(
            User::parse(&format!(" tank\t: {HASH} : {SCRAM} ")).unwrap().line(),
            format!("tank:{HASH}:{SCRAM}")
        );
    }

    #[test]
    fn wrong_lines_are_refused() {
        use UserError::{Hash, Name, NoHash, Scram};
        let malformed = HashError::Malformed("a key is not 32 bytes in base64");
        let cases = [
            ("".to_owned(), NoHash),
            ("tank".to_owned(), NoHash),
            (format!(":{HASH}"), Name("is empty")),
            (format!("  :{HASH}"), Name("is empty")),
            (format!("a\0b:{HASH}"), Name("contains a control character")),
            (format!("a\rb:{HASH}"), Name("contains a control character")),
            (format!("#a:{HASH}"), Name("begins like a comment")),
            (format!("{}:{HASH}", "a".repeat(65_536)), Name("is longer than 65,535 bytes")),
            ("tank:".to_owned(), Hash(HashError::Unknown("$argon2id$, $7$ and $6$"))),
            ("tank:secret".to_owned(), Hash(HashError::Unknown("$argon2id$, $7$ and $6$"))),
            (format!("tank:{SCRAM}"), Hash(HashError::Unknown("$argon2id$, $7$ and $6$"))),
            (format!("tank:{HASH}:"), Scram(HashError::Unknown("SCRAM-SHA-256$"))),
            (format!("tank:{HASH}:{HASH}"), Scram(HashError::Unknown("SCRAM-SHA-256$"))),
            (format!("tank:{HASH}:{SCRAM}:"), Scram(malformed)),
        ];
        for (line, expected) in cases {
            assert_eq!(User::parse(&line).unwrap_err(), expected, "{line}");
        }
    }

    #[test]
    fn a_user_that_no_line_could_hold_is_refused() {
        let hash = PasswordHash::parse(HASH).unwrap();
        for name in ["", " a", "a ", "a:b", "#a", "a\nb:x", "\u{feff}a", "a\u{85}", "\u{a0}a"] {
            assert!(User::new(name, hash.clone(), None).is_err(), "{name:?}");
        }
    }

    #[test]
    fn no_hash_reaches_a_log() {
        let user = User::parse(&format!("tank:{HASH}:{SCRAM}")).unwrap();
        let shown = format!("{user:?}");
        assert!(shown.len() < 150 && !shown.contains("YYM06"), "{shown}");
        let error = User::parse("tank:secret").unwrap_err().to_string();
        assert_eq!(error, "the password hash begins with none of $argon2id$, $7$ and $6$");
    }

    proptest! {
        #[test]
        fn what_is_made_reads_back(name in "\\PC{0,12}", with_scram in any::<bool>()) {
            let scram = with_scram.then(|| Credentials::parse(SCRAM).unwrap());
            if let Ok(user) = User::new(&name, PasswordHash::parse(HASH).unwrap(), scram) {
                let again = User::parse(&user.line()).unwrap();
                prop_assert_eq!(again.name(), name);
                prop_assert_eq!(again.line(), user.line());
            }
        }
    }
}
