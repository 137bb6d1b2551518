//! What names mean, and what might have been meant.

use super::node::WindowField;
use super::special::{AggregateKind, SPECIAL};
use crate::error::RuleError;
use crate::functions;
use crate::occasion::ATTRIBUTES;
use crate::sql::Span;
use crate::state::StateKind;

/// An error for a name that means nothing.
pub(super) fn unknown_name(name: &str, span: Span, others: &[String]) -> RuleError {
    let error = RuleError::new(format!("there is no field `{name}`"), span);
    let known = ATTRIBUTES.iter().map(|one| one.name).chain(others.iter().map(String::as_str));
    let known = known.chain(WindowField::ALL.map(|(name, _)| name));
    let error = error.did_you_mean(name, known);
    match error.hint {
        Some(_) => error,
        None => error.hint(format!("a field of the payload is `payload.{name}`; a text stands in '…'")),
    }
}

/// An error for a function that there is not.
pub(super) fn unknown_function(name: &str, span: Span, externs: &[String]) -> RuleError {
    let named = functions::all()
        .flat_map(|function| std::iter::once(function.name).chain(function.aliases.iter().copied()));
    let special = SPECIAL.iter().flat_map(|one| std::iter::once(one.name).chain(one.aliases.iter().copied()));
    let windows = ["tumbling", "sliding", "hopping"];
    let known = named.chain(special).chain(externs.iter().map(String::as_str)).chain(windows);
    let error = RuleError::new(format!("there is no function `{name}`"), span).did_you_mean(name, known);
    match error.hint {
        Some(_) => error,
        None => error.hint("`hookmq rules functions` lists all"),
    }
}

/// Whether this is the name of a function of the language.
pub fn is_function(name: &str) -> bool {
    let special = |one: &super::special::Special| {
        one.name.eq_ignore_ascii_case(name)
            || one.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
    };
    functions::find(name).is_some()
        || StateKind::named(name).is_some()
        || AggregateKind::named(name).is_some()
        || SPECIAL.iter().any(special)
        || ["tumbling", "sliding", "hopping"].iter().any(|window| window.eq_ignore_ascii_case(name))
}

/// What is said of a call with another number of arguments than the function takes.
pub(super) fn wrong_count(name: &str, usage: &str, given: usize, span: Span) -> RuleError {
    let given = match given {
        1 => "1 argument".to_owned(),
        count => format!("{count} arguments"),
    };
    RuleError::new(format!("`{name}` does not take {given}"), span).hint(format!("write {usage}"))
}
