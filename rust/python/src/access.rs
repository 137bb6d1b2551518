//! Users and access rules as text, for the command line.

use hookmq_auth::{Credentials, User, Users, Verdict, credentials, edit, hash_password, password};
use hookmq_engine::Acl;
use hookmq_engine::acl::{Right, Who};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

fn wrong(error: impl ToString) -> PyErr {
    PyValueError::new_err(error.to_string())
}

fn users(text: &str) -> PyResult<Users> {
    Users::parse(text).map_err(|error| wrong(format!("line {}: {}", error.line, error.what)))
}

fn random<const N: usize>() -> PyResult<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| PyOSError::new_err(error.to_string()))?;
    Ok(bytes)
}

/// The line of a user in the users file: its name, the argon2id hash of its password, and with `scram` what
/// SCRAM-SHA-256 needs. Raises `ValueError` for a name or a password that cannot be.
#[pyfunction]
#[pyo3(signature = (name, password, scram = true))]
pub(crate) fn hash_user(py: Python<'_>, name: &str, password: &[u8], scram: bool) -> PyResult<String> {
    let salts = (random::<{ password::SALT_LENGTH }>()?, random::<16>()?);
    py.detach(|| {
        let hash = hash_password(password, &salts.0).map_err(wrong)?;
        let text = std::str::from_utf8(password).ok().filter(|_| scram);
        let derive = |text| Credentials::derive(text, &salts.1, credentials::ITERATIONS);
        let scram = text.map(derive).transpose().map_err(wrong)?;
        Ok(User::new(name, hash, scram).map_err(wrong)?.line())
    })
}

/// The names in a users file, in order. Raises `ValueError` with the line that is wrong.
#[pyfunction]
pub(crate) fn check_users(text: &str) -> PyResult<Vec<String>> {
    Ok(users(text)?.iter().map(|user| user.name().to_owned()).collect())
}

/// Whether this is the user's password; `None` if there is no such user.
#[pyfunction]
pub(crate) fn verify_user(py: Python<'_>, text: &str, name: &str, password: &[u8]) -> PyResult<Option<bool>> {
    let users = users(text)?;
    Ok(py.detach(|| match users.verify(name, password) {
        Verdict::Right => Some(true),
        Verdict::Wrong => Some(false),
        Verdict::Unknown => None,
    }))
}

/// The text of a users file with this line in the place of the user's, or at its end.
#[pyfunction]
pub(crate) fn set_user(text: &str, name: &str, line: &str) -> PyResult<String> {
    let user = User::parse(line).map_err(wrong)?;
    if user.name() != name {
        return Err(wrong(format!("the line is about {:?}, not {name:?}", user.name())));
    }
    Ok(edit::set(text, &user))
}

/// The text of a users file without this user; `None` if there is no such user.
#[pyfunction]
pub(crate) fn remove_user(text: &str, name: &str) -> Option<String> {
    edit::remove(text, name)
}

fn acl(text: &str) -> PyResult<Acl> {
    Acl::parse(text).map_err(wrong)
}

/// How many access rules a text has. Raises `ValueError` with the line that is wrong.
#[pyfunction]
pub(crate) fn check_acl(text: &str) -> PyResult<usize> {
    Ok(acl(text)?.len())
}

/// Whether access rules let a client do something (`publish`, `subscribe` or `receive`) with a topic, and the
/// line of the rule that decided; `None` if no rule matched.
#[pyfunction]
pub(crate) fn explain_acl(
    text: &str,
    user: Option<&str>,
    client: &str,
    address: Option<&str>,
    action: &str,
    topic: &str,
) -> PyResult<(bool, Option<usize>)> {
    let right = match action {
        "publish" => Right::Publish,
        "subscribe" => Right::Subscribe,
        "receive" => Right::Receive,
        _ => return Err(wrong(format!("there is no action {action:?}"))),
    };
    let address = address.map(|text| text.parse().map_err(|_| wrong(format!("{text:?} is no IP address"))));
    let who = Who { user, client, address: address.transpose()? };
    let decision = acl(text)?.decide(&who, right, topic);
    Ok((decision.allowed, decision.line))
}
