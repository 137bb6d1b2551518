//! Changing the text of a users file: comments, order and line ends stay as they are.

use crate::User;
use crate::user::BYTE_ORDER_MARK;
use crate::users::{is_comment, without_mark};

/// The text with this user: in the place of the user with the same name, or at the end.
///
/// It takes a text that [`crate::Users::parse`] refuses as well, and leaves the wrong lines in it.
///
/// ```
/// # use hookmq_auth::{User, edit};
/// # let hash = hookmq_auth::PasswordHash::parse("$7$1$dHdlbHZlIGJ5dGVz$7rC19N5UIIzeVW9MH2O5080hiYqS+jjC/NrDwGQitbE/7f9/wXoX0AsLC13w7admV6WfWtgVH2GHjCXFqsbQQw==").unwrap();
/// let pump = User::new("pump", hash, None).unwrap();
/// let text = edit::set("# who may log in\n", &pump);
/// assert_eq!(text, format!("# who may log in\n{}\n", pump.line()));
/// assert_eq!(edit::remove(&text, "pump").as_deref(), Some("# who may log in\n"));
/// assert_eq!(edit::remove(&text, "tank"), None);
/// ```
pub fn set(text: &str, user: &User) -> String {
    let mut line = Some(user.line());
    let mut edited = replace(text, user.name(), &mut line);
    let Some(line) = line else {
        return edited;
    };
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    if !without_mark(&edited).is_empty() && !edited.ends_with('\n') {
        edited.push_str(end);
    }
    edited + &line + end
}

/// The text without the user with this name; `None` if there is none.
pub fn remove(text: &str, name: &str) -> Option<String> {
    let edited = replace(text, name, &mut None);
    (edited.len() != text.len()).then_some(edited)
}

/// Puts `line` in the place of the first line with this name, and takes it; further ones, which a file must
/// not have, go.
fn replace(text: &str, name: &str, line: &mut Option<String>) -> String {
    let body = without_mark(text);
    let mut edited = String::with_capacity(text.len());
    if body.len() < text.len() {
        edited.push(BYTE_ORDER_MARK);
    }
    for old in body.split_inclusive('\n') {
        if name_of(old) != Some(name) {
            edited.push_str(old);
        } else if let Some(new) = line.take() {
            edited.push_str(&new);
            edited.push_str(&old[old.trim_end_matches(['\r', '\n']).len()..]);
        }
    }
    edited
}

/// Whose line it is.
fn name_of(line: &str) -> Option<&str> {
    if is_comment(line) {
        return None;
    }
    line.split_once(':').map(|(name, _)| name.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Users;
    use proptest::prelude::*;

    const HASH: &str = "$6$8IhowEGWZVyEmzkO$jcDVpjUKBBjK2onMsmiwPC5SxcCQOcJWodSjG9o+ZmmFxDPKgo+KPj+bhwCvcTaTzMUl6fh2Qe+pUovt0nKR8Q==";

    fn user(name: &str) -> User {
        User::parse(&format!("{name}:{HASH}")).unwrap()
    }

    #[test]
    fn a_user_is_set_in_place_or_at_the_end() {
        let line = user("b").line();
        let cases = [
            ("", format!("{line}\n")),
            ("\u{feff}", format!("\u{feff}{line}\n")),
            ("a:x", format!("a:x\n{line}\n")),
            ("a:x\n", format!("a:x\n{line}\n")),
            ("a:x\r\n", format!("a:x\r\n{line}\r\n")),
            ("a:x\r\n#", format!("a:x\r\n#\r\n{line}\r\n")),
            ("#b:x\nB:x\nbb:x\nb\n", format!("#b:x\nB:x\nbb:x\nb\n{line}\n")),
            ("a:x\n# b:\n\n  b : y:z \n# c\nc:x\n", format!("a:x\n# b:\n\n{line}\n# c\nc:x\n")),
            ("\u{feff}b:y\r\nc:x\r\n", format!("\u{feff}{line}\r\nc:x\r\n")),
            ("a:x\nb:y", format!("a:x\n{line}")),
            ("b:x\na:x\nb:y\n", format!("{line}\na:x\n")),
        ];
        for (text, expected) in cases {
            assert_eq!(set(text, &user("b")), expected, "{text:?}");
        }
    }

    #[test]
    fn a_user_is_removed_with_the_line() {
        let cases = [
            ("", None),
            ("a:x\n# b:x\nb\n", None),
            ("a:x\n\n#\nb:x\nc:x", Some("a:x\n\n#\nc:x")),
            ("\u{feff}b:x\r\nc:x\r\n", Some("\u{feff}c:x\r\n")),
            ("a:x\nb:x", Some("a:x\n")),
            ("b:x\na:x\n b :x\n", Some("a:x\n")),
        ];
        for (text, expected) in cases {
            assert_eq!(remove(text, "b").as_deref(), expected, "{text:?}");
        }
        assert_eq!(remove("# comment\n\n", ""), None);
    }

    fn file() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            Just(format!("a:{HASH}")),
            Just(format!(" b :{HASH}")),
            Just(format!("c:{HASH} ")),
            Just(String::new()),
            "# ?[a-c:]{0,6}",
        ];
        let end = prop_oneof![Just("\n"), Just("\r\n")];
        (prop::collection::vec((line, end), 0..8), any::<bool>(), any::<bool>()).prop_map(
            |(lines, mark, cut)| {
                let text: String = lines.into_iter().map(|(line, end)| line + end).collect();
                let text = if cut { text.trim_end_matches(['\r', '\n']) } else { &text };
                format!("{}{text}", if mark { "\u{feff}" } else { "" })
            },
        )
    }

    /// The lines that are not of this user, without the carriage returns behind them: one that ends a text
    /// becomes part of a line end.
    fn others<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
        let lines = without_mark(text).lines().map(|line| line.trim_end_matches('\r'));
        lines.filter(|line| name_of(line) != Some(name)).collect()
    }

    proptest! {
        #[test]
        fn the_rest_of_a_file_stays(text in file(), name in "[a-d]") {
            let (before, new) = (Users::parse(&text), user(&name));
            let edited = set(&text, &new);
            prop_assert_eq!(others(&edited, &name), others(&text, &name));
            prop_assert_eq!(edited.starts_with(BYTE_ORDER_MARK), text.starts_with(BYTE_ORDER_MARK));
            let again = set(&edited, &new);
            prop_assert_eq!(&again, &edited);
            if let Ok(before) = before {
                let after = Users::parse(&edited).unwrap();
                prop_assert_eq!(after.get(&name).map(User::line), Some(new.line()));
                let more = usize::from(before.get(&name).is_none());
                prop_assert_eq!(after.len(), before.len() + more);
                let removed = remove(&text, &name);
                prop_assert_eq!(removed.is_some(), more == 0);
                let removed = Users::parse(&remove(&edited, &name).unwrap()).unwrap();
                prop_assert!(removed.get(&name).is_none());
                prop_assert_eq!(removed.len() + 1, after.len());
            }
        }

        #[test]
        fn no_text_does_harm(text in "\u{feff}?(\\PC{0,3}|a|:|#|\r|\n){0,20}", name in "\\PC{0,3}") {
            let edited = set(&text, &user("a"));
            prop_assert_eq!(others(&edited, "a"), others(&text, "a"));
            prop_assert!(remove(&edited, "a").is_some());
            if let Some(removed) = remove(&text, &name) {
                prop_assert_eq!(others(&removed, &name), others(&text, &name));
            }
        }
    }
}
