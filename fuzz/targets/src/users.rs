//! The users file: reading it, and changing it.

use hookmq_auth::{User, Users, Verdict, edit};

/// SHA-512 over `x`, which is no password of any seed, because it takes no time.
const HASH: &str = "$6$8IhowEGWZVyEmzkO$jcDVpjUKBBjK2onMsmiwPC5SxcCQOcJWodSjG9o+ZmmFxDPKgo+KPj+bhwCvcTaTzMUl6fh2Qe+pUovt0nKR8Q==";

/// The first line is a name, the rest a users file.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (name, file) = text.split_once('\n').unwrap_or_default();
    let users = Users::parse(file);
    match &users {
        Ok(users) => reads_back(users),
        Err(error) => assert!((1..=file.lines().count()).contains(&error.line), "line {}", error.line),
    }
    let Ok(user) = User::parse(&format!("{name}:{HASH}")) else { return };
    changes(file, &user, users.ok());
}

/// Each user can be written, found by name, and is not let in by any password at all.
fn reads_back(users: &Users) {
    assert_eq!(users.is_empty(), users.iter().next().is_none());
    let mut lines = String::new();
    for user in users {
        let line = user.line();
        let again = User::parse(&line);
        assert_eq!(again.map(|user| user.line()).as_deref(), Ok(&*line));
        assert_eq!(users.get(user.name()).map(User::line).as_deref(), Some(&*line));
        let hash = user.hash().as_str();
        let secret = hash.rsplit('$').next().unwrap_or_default();
        let logged = format!("{:?} {:?}", user.hash(), user.scram());
        assert!(!logged.contains(secret), "what goes to a log holds a hash");
        // Those that are slow on purpose are checked elsewhere.
        if hash.starts_with("$6$") {
            assert_eq!(users.verify(user.name(), &[0xff; 40]), Verdict::Wrong);
        }
        lines += &line;
        lines.push('\n');
    }
    let again = Users::parse(&lines);
    assert_eq!(again.map(|again| again.len()).ok(), Some(users.len()), "{lines}");
}

/// A user that is added is in the file and can be taken out again, and nobody else changes.
fn changes(file: &str, user: &User, before: Option<Users>) {
    let edited = edit::set(file, user);
    assert_eq!(edit::set(&edited, user), edited, "setting it twice makes a difference");
    let removed = edit::remove(&edited, user.name());
    assert!(removed.is_some(), "it cannot be removed");
    let Some(before) = before else { return };
    let (Ok(after), Ok(without)) = (Users::parse(&edited), Users::parse(&removed.unwrap_or_default())) else {
        unreachable!("a change broke the file: {edited:?}")
    };
    assert_eq!(after.get(user.name()).map(User::line), Some(user.line()));
    assert!(without.get(user.name()).is_none());
    let others = |users: &Users| -> Vec<String> {
        users.iter().filter(|other| other.name() != user.name()).map(User::line).collect()
    };
    assert_eq!(others(&after), others(&before));
    assert_eq!(others(&without), others(&before));
}
