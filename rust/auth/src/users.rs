//! The users file: who may log in.

use std::collections::HashMap;

use crate::user::BYTE_ORDER_MARK;
use crate::{Decoy, User, UserError, password};

/// The first line of a users file that is wrong. A file is read as a whole or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct UsersError {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: UserError,
}

/// What a name and a password together are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The user is known, and it is the password.
    Right,
    /// The user is known, and it is not the password.
    Wrong,
    /// There is no such user.
    Unknown,
}

/// Users in the order of their file.
#[derive(Debug, Clone, Default)]
pub struct Users {
    list: Vec<User>,
    /// Where in `list` a name is.
    places: HashMap<String, usize>,
}

impl Users {
    /// Reads a users file: one user a line ([`User::parse`]), comments that begin with `#`, blank lines.
    ///
    /// ```
    /// # use hookmq_auth::{Users, Verdict};
    /// let users = Users::parse("# pumps\npump:$7$1$dHdlbHZlIGJ5dGVz$7rC19N5UIIzeVW9MH2O5080hiYqS+jjC/NrDwGQitbE/7f9/wXoX0AsLC13w7admV6WfWtgVH2GHjCXFqsbQQw==").unwrap();
    /// assert_eq!(users.verify("pump", b"bin\x00\xff"), Verdict::Right);
    /// assert_eq!(users.verify("pump", b"guess"), Verdict::Wrong);
    /// assert_eq!(users.verify("tank", b"guess"), Verdict::Unknown);
    /// ```
    pub fn parse(text: &str) -> Result<Self, UsersError> {
        let mut users = Self::default();
        // Line numbers of the users, for the report of a duplicate.
        let mut numbers = Vec::new();
        for (number, line) in (1..).zip(without_mark(text).lines()) {
            if is_comment(line) {
                continue;
            }
            let wrong = |what| UsersError { line: number, what };
            let user = User::parse(line).map_err(wrong)?;
            if let Some(place) = users.places.insert(user.name().to_owned(), users.list.len()) {
                return Err(wrong(UserError::Duplicate(numbers[place])));
            }
            users.list.push(user);
            numbers.push(number);
        }
        Ok(users)
    }

    /// The user with this name.
    pub fn get(&self, name: &str) -> Option<&User> {
        self.places.get(name).map(|place| &self.list[*place])
    }

    /// The users in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, User> {
        self.list.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether this is the password of the user with this name. It takes what the hash costs, and nothing
    /// for an unknown name ([`Self::dummy_verify`]).
    pub fn verify(&self, name: &str, password: &[u8]) -> Verdict {
        match self.get(name) {
            Some(user) if user.hash().verify(password) => Verdict::Right,
            Some(_) => Verdict::Wrong,
            None => Verdict::Unknown,
        }
    }

    /// Costs what [`Self::verify`] costs for a known name, the first one, and says nothing. Done for unknown
    /// names, it hides by the time which names are known, in a file whose hashes are all of one kind.
    pub fn dummy_verify(&self, password: &[u8]) {
        match self.list.first() {
            Some(user) => {
                // Whatever comes of it, the work must not be optimised away.
                std::hint::black_box(user.hash().verify(password));
            }
            None => password::dummy_verify(password),
        }
    }

    /// A decoy for SCRAM whose credentials look like those of the first user that has some. The secret must be
    /// random, and the same when the file is read again.
    pub fn decoy(&self, secret: [u8; 32]) -> Decoy {
        let decoy = Decoy::new(secret);
        match self.iter().find_map(User::scram) {
            Some(credentials) => decoy.like(credentials),
            None => decoy,
        }
    }
}

impl<'a> IntoIterator for &'a Users {
    type Item = &'a User;
    type IntoIter = std::slice::Iter<'a, User>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The text without the mark that some editors put before it.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)
}

/// Whether a line says nothing.
pub(crate) fn is_comment(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HashError;
    use proptest::prelude::*;

    // Both are of mosquitto_passwd 2.0.11.
    const TANK: &str = "tank:$7$101$G9uGqmYiEC45JFvT$LT+hSEF7QbAq491hDRHsIbZGSVH8jM2aParahcn+4Euh+EKZc1LGV16Dfd+oX/3wKpIoVvTKf68wO7eElTdi/g==";
    const PUMP: &str = "pump:$6$8IhowEGWZVyEmzkO$jcDVpjUKBBjK2onMsmiwPC5SxcCQOcJWodSjG9o+ZmmFxDPKgo+KPj+bhwCvcTaTzMUl6fh2Qe+pUovt0nKR8Q==";
    const SCRAM: &str = "SCRAM-SHA-256$5000$W22ZaJ0SNY7soEsU$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=$wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

    #[test]
    fn a_file_of_mosquitto_is_read() {
        let users = Users::parse(&format!("{TANK}\n{PUMP}\n")).unwrap();
        let names: Vec<_> = users.iter().map(User::name).collect();
        assert_eq!(names, ["tank", "pump"]);
        assert_eq!(users.verify("tank", b"correct horse"), Verdict::Right);
        assert_eq!(users.verify("tank", "pässwörd".as_bytes()), Verdict::Wrong);
        assert_eq!(users.verify("pump", "pässwörd".as_bytes()), Verdict::Right);
        assert_eq!(users.verify("pump", b""), Verdict::Wrong);
        assert_eq!(users.verify("Tank", b"correct horse"), Verdict::Unknown);
        assert_eq!(users.verify("", b""), Verdict::Unknown);
        users.dummy_verify(b"correct horse");
    }

    #[test]
    fn comments_blank_lines_and_foreign_line_ends_are_nothing() {
        let text = format!("\u{feff}# who\r\n\r\n   \t\r\n  # {PUMP}\r\n {TANK} \r\n{PUMP}:{SCRAM}");
        let users = Users::parse(&text).unwrap();
        assert_eq!(users.len(), 2);
        let lines: Vec<_> = (&users).into_iter().map(User::line).collect();
        assert_eq!(lines, [TANK.to_owned(), format!("{PUMP}:{SCRAM}")]);
        assert!(Users::parse(&format!("\u{feff}{TANK}")).unwrap().get("tank").is_some());
        for text in ["", "\n", "\u{feff}", "# nobody"] {
            assert!(Users::parse(text).unwrap().is_empty());
        }
    }

    #[test]
    fn the_first_wrong_line_is_named() {
        let cases = [
            (format!("{TANK}\n\n# tank\n{PUMP}\n{TANK}\n"), 5, UserError::Duplicate(1)),
            (format!("#\n{TANK}\n{TANK}\n:\n"), 3, UserError::Duplicate(2)),
            (format!("{TANK}\npump\n"), 2, UserError::NoHash),
            (format!("{TANK}\r\npump\r\n"), 2, UserError::NoHash),
            (format!("{TANK}\n{}\n", &PUMP[4..]), 2, UserError::Name("is empty")),
            (format!("{TANK}\n\u{feff}{PUMP}\n"), 2, UserError::Name("begins like a comment")),
            ("a:b".to_owned(), 1, UserError::Hash(HashError::Unknown("$argon2id$, $7$ and $6$"))),
            (format!("{TANK}:x"), 1, UserError::Scram(HashError::Unknown("SCRAM-SHA-256$"))),
        ];
        for (text, line, what) in cases {
            assert_eq!(Users::parse(&text).unwrap_err(), UsersError { line, what }, "{text}");
        }
        let error = Users::parse(&format!("{TANK}\n{TANK}")).unwrap_err();
        assert_eq!(error.to_string(), "line 2: the name is that of line 1 too");
    }

    #[test]
    fn the_decoy_looks_like_the_users() {
        let secret = [7; 32];
        let made_up = |text: &str| Users::parse(text).unwrap().decoy(secret).credentials("x");
        let like = made_up(&format!("{TANK}\n{PUMP}:{SCRAM}\n"));
        assert_eq!((like.iterations, like.salt.len()), (5000, 12));
        assert_eq!(made_up(TANK).text(), Decoy::new(secret).credentials("x").text());
    }

    proptest! {
        #[test]
        fn no_text_does_harm(text in "((\\PC{0,6}|:|\\$6\\$AAAA\\$A|#|\r|\n|\u{feff}){0,20})") {
            let _ = Users::parse(&text);
        }

        #[test]
        fn no_bytes_of_a_file_do_harm(at in any::<prop::sample::Index>(), byte in 0..128u8) {
            let mut text = format!("{TANK}\n{PUMP}:{SCRAM}\n").into_bytes();
            let at = at.index(text.len());
            text[at] = byte;
            if let Ok(users) = Users::parse(&String::from_utf8(text).unwrap()) {
                prop_assert!(users.len() <= 2);
            }
        }
    }
}
