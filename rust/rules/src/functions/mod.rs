//! The functions of the rule language: one table, from which the documentation is made and whose examples are tests.
//!
//! # Layout
//! - [`Function`]: an entry; [`find`], [`all`], [`suggest`]: the table
//! - `arguments`: what functions take out of values
//! - `results`: what they give and say in the end; `order`: an order of all values
//! - `math`, `trigonometry`, `statistics`, `bits`, `bytes`, `text`, `parts`, `format`, `pattern`, `topic`, `hash`,
//!   `encode`, `codec`, `convert`, `array`, `object`, `date`, `calendar`, `logic`, `geo`: the entries by what they are about
//! - `moment`: moments and time zones as arguments; `joda`: Java's patterns of dates

mod arguments;
mod array;
mod bits;
mod bytes;
mod calendar;
mod codec;
mod convert;
mod date;
mod encode;
mod format;
mod geo;
mod hash;
mod joda;
mod logic;
mod math;
mod moment;
mod object;
mod order;
mod parts;
mod pattern;
mod results;
mod statistics;
mod text;
mod topic;
mod trigonometry;

#[cfg(test)]
mod tests;

use crate::value::Value;

pub use arguments::Arguments;

/// What a function may know of where it is called.
#[derive(Debug, Clone, Copy, Default)]
pub struct Surroundings<'a> {
    /// The time, in milliseconds since the Unix epoch.
    pub now: u64,
    /// The topic of the message, or of what happened.
    pub topic: &'a str,
}

/// What is wrong with a call, in words for who wrote the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong(pub String);

/// What a call gives.
pub type Outcome<'a> = Result<Value<'a>, Wrong>;

/// How a function is called. It may take its arguments out of the slice.
pub type Body = for<'v, 'a> fn(&Surroundings<'_>, &'v mut [Value<'a>]) -> Outcome<'a>;

/// One function.
#[derive(Debug)]
pub struct Function {
    /// Its name, in small letters; calls may write it in any.
    pub name: &'static str,
    /// Other names of it: EMQX's, AWS IoT's or SQL's.
    pub aliases: &'static [&'static str],
    /// What it is about: the heading in the documentation.
    pub group: &'static str,
    /// How it is written: `round(x, digits = 0)`.
    pub usage: &'static str,
    /// What it gives, in one or two sentences.
    pub what: &'static str,
    /// Expressions and what they give, as JSON; each is a test.
    pub examples: &'static [(&'static str, &'static str)],
    /// How many arguments it takes at least.
    pub least: usize,
    /// How many it takes at most.
    pub most: usize,
    /// Whether it is called with arguments that are `null` or not there. Otherwise it gives `null` for them.
    pub takes_null: bool,
    /// What it does.
    pub body: Body,
}

impl Function {
    /// What an entry says if nothing else is said.
    pub(crate) const fn new(name: &'static str, group: &'static str, body: Body) -> Self {
        Self {
            name,
            aliases: &[],
            group,
            usage: "",
            what: "",
            examples: &[],
            least: 1,
            most: 1,
            takes_null: false,
            body,
        }
    }
}

/// The entries, group by group.
const GROUPS: &[&[Function]] = &[
    math::FUNCTIONS,
    trigonometry::FUNCTIONS,
    bits::FUNCTIONS,
    bytes::FUNCTIONS,
    text::FUNCTIONS,
    parts::FUNCTIONS,
    format::FUNCTIONS,
    pattern::FUNCTIONS,
    topic::FUNCTIONS,
    hash::FUNCTIONS,
    encode::FUNCTIONS,
    codec::FUNCTIONS,
    convert::FUNCTIONS,
    array::FUNCTIONS,
    statistics::FUNCTIONS,
    object::FUNCTIONS,
    date::FUNCTIONS,
    calendar::FUNCTIONS,
    logic::FUNCTIONS,
    geo::FUNCTIONS,
];

/// Every function, in the order of the documentation.
pub fn all() -> impl Iterator<Item = &'static Function> {
    GROUPS.iter().flat_map(|group| group.iter())
}

/// The function of this name, in whatever letters.
pub fn find(name: &str) -> Option<&'static Function> {
    let is_it = |known: &str| known.eq_ignore_ascii_case(name);
    all().find(|function| is_it(function.name) || function.aliases.iter().any(|alias| is_it(alias)))
}
