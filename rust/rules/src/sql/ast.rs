//! A rule as it is written.

use std::ops::Range;

use crate::value::Value;

/// A part of the text.
pub(crate) type Span = Range<usize>;

/// An expression and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Expr {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
    /// How many expressions are inside one another, itself included: what walks through it does not go deeper.
    pub(crate) height: usize,
}

/// What an expression is.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Literal(Value<'static>),
    /// A name: a field, a variable or a column.
    Name(String),
    /// A key of an object: `a.b`.
    Member(Box<Expr>, String),
    /// An item: `a[1]`, `a['b']`.
    Index(Box<Expr>, Box<Expr>),
    Array(Vec<Expr>),
    Object(Vec<(String, Expr)>),
    Negative(Box<Expr>),
    Not(Box<Expr>),
    Binary(Box<Expr>, Operator, Box<Expr>),
    IsNull(Box<Expr>),
    /// Whether one of these equals it.
    In(Box<Expr>, Vec<Expr>),
    /// Whether it is an item of what this gives.
    InArray(Box<Expr>, Box<Expr>),
    Between(Box<Expr>, Box<Expr>, Box<Expr>),
    Like(Box<Expr>, Box<Expr>),
    /// `CASE x WHEN y THEN z … ELSE w END`
    Case(Option<Box<Expr>>, Vec<(Expr, Expr)>, Option<Box<Expr>>),
    Call(Call),
}

/// A call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) name_span: Span,
    pub(crate) args: Vec<Expr>,
    /// `count(*)`
    pub(crate) star: bool,
    /// `count(DISTINCT x)`
    pub(crate) distinct: bool,
}

/// What stands between two expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// `=~`: a topic matches a filter.
    Matches,
    Add,
    Subtract,
    Multiply,
    Divide,
    /// `DIV`: whole numbers.
    DivideWhole,
    Modulo,
    /// `||`
    Concat,
}

/// One item of `SELECT`.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    /// `*`, and where it stands.
    All(Span),
    /// `payload.*`
    Spread(Expr),
    /// An expression, and the name of the column as a path.
    Column(Expr, Option<Vec<String>>),
}

/// Where messages come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    /// A topic filter, or an event that is named like one.
    Named(String, Span),
    Timer(String, Span),
}

/// A whole rule.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) each: Option<Each>,
    pub(crate) items: Vec<Item>,
    pub(crate) sources: Vec<Source>,
    pub(crate) condition: Option<Expr>,
    pub(crate) group: Vec<Expr>,
    pub(crate) having: Option<Expr>,
    /// `ABSENT FOR`, in milliseconds.
    pub(crate) absent: Option<(u64, Span)>,
    /// `THROTTLE`, in milliseconds.
    pub(crate) throttle: Option<(u64, Span)>,
}

/// `FOREACH`: one result for each item.
#[derive(Debug, Clone)]
pub(crate) struct Each {
    pub(crate) array: Expr,
    pub(crate) name: String,
    pub(crate) condition: Option<Expr>,
}

impl Expr {
    pub(crate) fn new(kind: Kind, span: Span) -> Self {
        let height = 1 + kind.parts().map(|part| part.height).max().unwrap_or(0);
        Self { kind, span, height }
    }
}

impl Kind {
    /// The expressions it is made of.
    pub(crate) fn parts(&self) -> Box<dyn Iterator<Item = &Expr> + '_> {
        use std::iter::{empty, once};
        match self {
            Self::Literal(_) | Self::Name(_) => Box::new(empty()),
            Self::Member(one, _) | Self::Negative(one) | Self::Not(one) | Self::IsNull(one) => {
                Box::new(once(&**one))
            }
            Self::Index(one, other)
            | Self::Binary(one, _, other)
            | Self::InArray(one, other)
            | Self::Like(one, other) => Box::new([&**one, &**other].into_iter()),
            Self::Between(one, low, high) => Box::new([&**one, &**low, &**high].into_iter()),
            Self::Array(all) => Box::new(all.iter()),
            Self::Object(entries) => Box::new(entries.iter().map(|(_, one)| one)),
            Self::In(one, all) => Box::new(once(&**one).chain(all)),
            Self::Case(subject, branches, otherwise) => {
                let branches = branches.iter().flat_map(|(when, then)| [when, then]);
                Box::new(subject.as_deref().into_iter().chain(branches).chain(otherwise.as_deref()))
            }
            Self::Call(call) => Box::new(call.args.iter()),
        }
    }
}
