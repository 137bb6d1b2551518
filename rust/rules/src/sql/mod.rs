//! From the text of a rule to what it says.
//!
//! # Layout
//! - `lexer`: words; `expression`: expressions; `statement`: whole rules; `ast`: what they give

mod ast;
mod expression;
mod lexer;
mod nearest;
mod statement;

pub(crate) use ast::{Call, Expr, Item, Kind, Operator, Source, Span, Statement};
pub(crate) use nearest::nearest;
pub(crate) use statement::{parse_expression, parse_statement};

/// The longest text of a rule, in bytes.
pub(crate) const LONGEST_RULE: usize = 64 << 10;

/// Words that are no names.
pub(crate) const KEYWORDS: [&str; 32] = [
    "select", "foreach", "do", "incase", "from", "where", "group", "by", "having", "absent", "for",
    "throttle", "as", "and", "or", "not", "in", "is", "null", "true", "false", "between", "like", "case",
    "when", "then", "else", "end", "div", "mod", "distinct", "timer",
];
