//! Conditions on JSON fields: `level < 20 and status in ('open', 'stuck')`.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::str::FromStr;
use std::vec::IntoIter;

use crate::SyntaxError;
use crate::fields::Fields;
use crate::token::{Comparison, Token, split};
use crate::value::Value;

/// How deep parentheses and `not` may nest.
const DEEPEST: usize = 64;

/// A condition on the JSON fields of a payload.
///
/// A field that is not there, or is of another kind than what it is compared with, fulfils no comparison but
/// `!=`; one that is missing fulfils none at all, only `is null`.
///
/// ```
/// let condition: hookmq_rules::Condition = "level < 20 and not paused".parse().unwrap();
/// assert!(condition.holds(br#"{"level": 12.5, "paused": false}"#));
/// assert!(!condition.holds(b"no JSON"));
/// ```
#[derive(Debug, Clone)]
pub struct Condition {
    fields: Fields,
    root: Node,
}

#[derive(Debug, Clone)]
enum Node {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Compare(Operand, Comparison, Operand),
    In(Operand, Vec<Operand>),
    IsNull(Operand),
    /// The field is `true`.
    Is(Operand),
}

#[derive(Debug, Clone)]
enum Operand {
    Field(usize),
    Constant(Value<'static>),
}

impl Condition {
    /// Whether it holds for a payload. One that is not JSON fulfils no condition.
    pub fn holds(&self, payload: &[u8]) -> bool {
        let mut values = Vec::with_capacity(self.fields.len());
        self.fields.read(payload, &mut values) && self.root.holds(&values)
    }
}

impl FromStr for Condition {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        let tokens = split(text)?;
        let end = text.chars().count() + 1;
        let mut parser =
            Parser { tokens: tokens.into_iter().peekable(), end, fields: Fields::default(), depth: 0 };
        let root = parser.any()?;
        match parser.tokens.peek() {
            None => Ok(Self { fields: parser.fields, root }),
            Some(_) => parser.wrong("`and`, `or` or the end was expected"),
        }
    }
}

impl Node {
    fn holds(&self, values: &[Value<'_>]) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.holds(values)),
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(values)),
            Self::Not(node) => !node.holds(values),
            Self::Compare(left, comparison, right) => {
                compares(left.value(values), *comparison, right.value(values))
            }
            Self::In(operand, all) => {
                let value = operand.value(values);
                all.iter().any(|one| compares(value, Comparison::Equal, one.value(values)))
            }
            Self::IsNull(operand) => matches!(operand.value(values), Value::Missing | Value::Null),
            Self::Is(operand) => matches!(operand.value(values), Value::Bool(true)),
        }
    }
}

impl Operand {
    fn value<'a, 'de>(&'a self, values: &'a [Value<'de>]) -> &'a Value<'de>
    where
        'static: 'de,
    {
        match self {
            Self::Field(index) => &values[*index],
            Self::Constant(value) => value,
        }
    }
}

fn compares(left: &Value<'_>, comparison: Comparison, right: &Value<'_>) -> bool {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, Unequal};
    if matches!((left, right), (Value::Missing, _) | (_, Value::Missing)) {
        return false;
    }
    match order(left, right) {
        None => comparison == Unequal,
        Some(order) => match comparison {
            Equal => order.is_eq(),
            Unequal => order.is_ne(),
            Less => order.is_lt(),
            LessOrEqual => order.is_le(),
            Greater => order.is_gt(),
            GreaterOrEqual => order.is_ge(),
        },
    }
}

/// The order of two values of one kind.
fn order(left: &Value<'_>, right: &Value<'_>) -> Option<Ordering> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        (Value::Int(left), Value::Float(right)) => (*left as f64).partial_cmp(right),
        (Value::Float(left), Value::Int(right)) => left.partial_cmp(&(*right as f64)),
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(right),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        _ => None,
    }
}

struct Parser {
    tokens: Peekable<IntoIter<(Token, usize)>>,
    end: usize,
    fields: Fields,
    depth: usize,
}

type Parsed<T> = Result<T, SyntaxError>;

impl Parser {
    fn wrong<T>(&mut self, what: &str) -> Parsed<T> {
        let at = self.tokens.peek().map_or(self.end, |(_, at)| *at);
        Err(SyntaxError { what: what.to_owned(), at })
    }

    fn takes(&mut self, token: &Token) -> bool {
        self.tokens.next_if(|(next, _)| next == token).is_some()
    }

    fn any(&mut self) -> Parsed<Node> {
        let mut nodes = vec![self.all()?];
        while self.takes(&Token::Or) {
            nodes.push(self.all()?);
        }
        Ok(single(nodes, Node::Any))
    }

    fn all(&mut self) -> Parsed<Node> {
        let mut nodes = vec![self.negated()?];
        while self.takes(&Token::And) {
            nodes.push(self.negated()?);
        }
        Ok(single(nodes, Node::All))
    }

    fn negated(&mut self) -> Parsed<Node> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.wrong("the condition nests too deeply");
        }
        let node = match self.takes(&Token::Not) {
            true => Node::Not(Box::new(self.negated()?)),
            false => self.test()?,
        };
        self.depth -= 1;
        Ok(node)
    }

    fn test(&mut self) -> Parsed<Node> {
        if self.takes(&Token::Open) {
            let node = self.any()?;
            return match self.takes(&Token::Close) {
                true => Ok(node),
                false => self.wrong("a parenthesis is not closed"),
            };
        }
        let left = self.operand()?;
        if let Some((Token::Compare(comparison), _)) =
            self.tokens.next_if(|(token, _)| matches!(token, Token::Compare(_)))
        {
            return Ok(Node::Compare(left, comparison, self.operand()?));
        }
        if self.takes(&Token::Is) {
            let negated = self.takes(&Token::Not);
            if !self.takes(&Token::Null) {
                return self.wrong("`null` was expected; other values are compared with ==");
            }
            let node = Node::IsNull(left);
            return Ok(if negated { Node::Not(Box::new(node)) } else { node });
        }
        let negated = self.takes(&Token::Not);
        if self.takes(&Token::In) {
            let node = Node::In(left, self.list()?);
            return Ok(if negated { Node::Not(Box::new(node)) } else { node });
        }
        match left {
            Operand::Field(_) if !negated => Ok(Node::Is(left)),
            _ => self.wrong("a comparison was expected, such as level < 20"),
        }
    }

    fn list(&mut self) -> Parsed<Vec<Operand>> {
        if !self.takes(&Token::Open) {
            return self.wrong("a list in parentheses was expected");
        }
        let mut all = vec![self.operand()?];
        while self.takes(&Token::Comma) {
            all.push(self.operand()?);
        }
        match self.takes(&Token::Close) {
            true => Ok(all),
            false => self.wrong("a parenthesis is not closed"),
        }
    }

    fn operand(&mut self) -> Parsed<Operand> {
        const WHAT: &str = "a field, a number or a text was expected";
        let minus = self.takes(&Token::Minus);
        let value = match self.tokens.peek().map(|(token, _)| token) {
            Some(Token::Number(number)) => number_value(if minus { -number } else { *number }),
            Some(_) if minus => return self.wrong("a number was expected"),
            Some(Token::Text(text)) => Value::Text(text.clone().into()),
            Some(Token::True) => Value::Bool(true),
            Some(Token::False) => Value::Bool(false),
            Some(Token::Null) => Value::Null,
            Some(Token::Path(_)) => {
                let Some((Token::Path(path), _)) = self.tokens.next() else { return self.wrong(WHAT) };
                return Ok(Operand::Field(self.fields.add(&path)));
            }
            _ => return self.wrong(WHAT),
        };
        self.tokens.next();
        Ok(Operand::Constant(value))
    }
}

/// Whole numbers are compared as such as far as they can be.
fn number_value(number: f64) -> Value<'static> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
    match number.fract() == 0.0 && number.abs() <= EXACT {
        true => Value::Int(number as i64),
        false => Value::Float(number),
    }
}

fn single(mut nodes: Vec<Node>, several: impl FnOnce(Vec<Node>) -> Node) -> Node {
    match (nodes.len(), nodes.pop()) {
        (1, Some(node)) => node,
        (_, last) => {
            nodes.extend(last);
            several(nodes)
        }
    }
}
