//! Expressions, and how they are written: with parentheses where they must be, and elsewhere as it comes.

use serde_json::Value as Json;

/// An expression.
#[derive(Debug, Clone)]
pub(crate) enum Expr {
    /// A value that is no array, no object and not below zero.
    Literal(Json),
    /// A field of the payload.
    Field(&'static str),
    Member(Box<Self>, &'static str),
    Index(Box<Self>, Box<Self>),
    Array(Vec<Self>),
    Object(Vec<(&'static str, Self)>),
    Negative(Box<Self>),
    Not(Box<Self>),
    Binary(Box<Self>, &'static str, Box<Self>),
    /// And whether it is `NOT`.
    IsNull(Box<Self>, bool),
    In(Box<Self>, Vec<Self>, bool),
    InArray(Box<Self>, Box<Self>, bool),
    Between(Box<[Self; 3]>, bool),
    Like(Box<Self>, Box<Self>, bool),
    Case(Option<Box<Self>>, Vec<(Self, Self)>, Option<Box<Self>>),
    Call(&'static str, Vec<Self>),
}

/// How closely it binds.
const ANY: u8 = 1;
const NOT: u8 = 3;
const TEST: u8 = 4;
const OPERAND: u8 = 5;
const UNARY: u8 = 8;
const POSTFIX: u8 = 9;
const PRIMARY: u8 = 10;

/// How closely an operator binds.
fn strength(operator: &str) -> u8 {
    match operator {
        "OR" => 1,
        "AND" => 2,
        "=" | "<>" | "<" | "<=" | ">" | ">=" => TEST,
        "||" => OPERAND,
        "+" | "-" => 6,
        _ => 7,
    }
}

impl Expr {
    fn strength(&self) -> u8 {
        match self {
            Self::Binary(_, operator, _) => strength(operator),
            Self::Not(_) => NOT,
            Self::IsNull(..) | Self::In(..) | Self::InArray(..) | Self::Between(..) | Self::Like(..) => TEST,
            Self::Negative(_) => UNARY,
            Self::Member(..) | Self::Index(..) => POSTFIX,
            _ => PRIMARY,
        }
    }

    /// Whether it can be seen to be no condition, which rules refuse where one is expected.
    pub(crate) fn is_no_condition(&self) -> bool {
        match self {
            Self::Literal(value) => !value.is_boolean() && !value.is_null(),
            Self::Binary(_, operator, _) => strength(operator) > OPERAND,
            Self::Array(_) | Self::Object(_) | Self::Negative(_) => true,
            _ => false,
        }
    }
}

/// The text of an expression. The numbers say how it looks: where more parentheses and spaces are, and capital letters.
pub(crate) fn written(expr: &Expr, looks: &[u8]) -> String {
    let mut pen = Pen { looks, at: 0, text: String::new() };
    pen.expr(expr, ANY);
    pen.text
}

struct Pen<'l> {
    looks: &'l [u8],
    at: usize,
    text: String,
}

impl Pen<'_> {
    fn chance(&mut self) -> u8 {
        self.at += 1;
        self.looks.get(self.at % self.looks.len().max(1)).copied().unwrap_or(0)
    }

    /// Writes a word or a sign.
    fn put(&mut self, word: &str) {
        let joins = |one: Option<char>| one.is_none_or(|one| "()[]{},:.".contains(one));
        let may_touch = joins(self.text.chars().next_back()) || joins(word.chars().next());
        let space = match self.chance() % 16 {
            0..10 if may_touch => "",
            10 => "\n",
            11 => " /* it's */ ",
            12 => "\t-- \"\n",
            _ => " ",
        };
        self.text.push_str(space);
        self.text.push_str(word);
    }

    /// Writes a keyword or the name of a function.
    fn keyword(&mut self, word: &str) {
        let word = match self.chance() % 3 {
            0 => word.to_lowercase(),
            1 => word.to_uppercase(),
            _ => word.to_owned(),
        };
        self.put(&word);
    }

    fn expr(&mut self, expr: &Expr, least: u8) {
        if expr.strength() < least || self.chance().is_multiple_of(8) {
            self.put("(");
            self.bare(expr);
            self.put(")");
        } else {
            self.bare(expr);
        }
    }

    fn all<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) {
        for (index, expr) in exprs.into_iter().enumerate() {
            if index > 0 {
                self.put(",");
            }
            self.expr(expr, ANY);
        }
    }

    fn not(&mut self, negated: bool) {
        if negated {
            self.keyword("not");
        }
    }

    /// What a key or an index follows: a number in parentheses.
    fn inner(&mut self, inner: &Expr) {
        let is_number = matches!(inner, Expr::Literal(Json::Number(_)));
        self.expr(inner, if is_number { PRIMARY + 1 } else { POSTFIX });
    }

    fn bare(&mut self, expr: &Expr) {
        match expr {
            Expr::Literal(Json::String(text)) => self.quoted(text),
            Expr::Literal(value @ Json::Number(_)) => self.put(&value.to_string()),
            Expr::Literal(value) => self.keyword(&value.to_string()),
            Expr::Field(key) => {
                self.put("payload");
                self.key(key);
            }
            Expr::Member(inner, key) => {
                self.inner(inner);
                self.key(key);
            }
            Expr::Index(inner, index) => {
                self.inner(inner);
                self.put("[");
                self.expr(index, ANY);
                self.put("]");
            }
            Expr::Array(items) => {
                self.put("[");
                self.all(items);
                self.put("]");
            }
            Expr::Object(entries) => {
                self.put("{");
                for (index, (key, value)) in entries.iter().enumerate() {
                    if index > 0 {
                        self.put(",");
                    }
                    self.quoted(key);
                    self.put(":");
                    self.expr(value, ANY);
                }
                self.put("}");
            }
            Expr::Negative(inner) => {
                self.put("-");
                self.expr(inner, UNARY);
            }
            Expr::Not(inner) => {
                self.keyword("not");
                self.expr(inner, NOT);
            }
            Expr::Binary(left, operator, right) => self.binary(left, operator, right),
            Expr::IsNull(inner, negated) => {
                self.expr(inner, OPERAND);
                self.keyword("is");
                self.not(*negated);
                self.keyword("null");
            }
            Expr::In(inner, all, negated) => {
                self.expr(inner, OPERAND);
                self.not(*negated);
                self.keyword("in");
                self.put("(");
                self.all(all);
                self.put(")");
            }
            Expr::InArray(inner, array, negated) => {
                self.expr(inner, OPERAND);
                self.not(*negated);
                self.keyword("in");
                // In parentheses it would be a list of one.
                self.bare(array);
            }
            Expr::Between(parts, negated) => {
                let [inner, low, high] = &**parts;
                self.expr(inner, OPERAND);
                self.not(*negated);
                self.keyword("between");
                self.expr(low, OPERAND);
                self.keyword("and");
                self.expr(high, OPERAND);
            }
            Expr::Like(inner, pattern, negated) => {
                self.expr(inner, OPERAND);
                self.not(*negated);
                self.keyword("like");
                self.expr(pattern, OPERAND);
            }
            Expr::Case(subject, branches, otherwise) => {
                self.case(subject.as_deref(), branches, otherwise.as_deref())
            }
            Expr::Call(name, arguments) => {
                self.keyword(name);
                self.put("(");
                self.all(arguments);
                self.put(")");
            }
        }
    }

    fn binary(&mut self, left: &Expr, operator: &str, right: &Expr) {
        let own = strength(operator);
        // Comparisons do not follow one another, the others are read from the left.
        self.expr(left, if own == TEST { OPERAND } else { own });
        let other = match (operator, self.chance() % 2) {
            ("=", 0) => "==",
            ("<>", 0) => "!=",
            ("%", 0) => "mod",
            _ => operator,
        };
        self.keyword(other);
        // Who compares with NULL is told so, unless it is in parentheses.
        let null = matches!(operator, "=" | "<>") && begins_with_null(right);
        self.expr(right, if null { PRIMARY + 1 } else { own + 1 });
    }

    fn case(&mut self, subject: Option<&Expr>, branches: &[(Expr, Expr)], otherwise: Option<&Expr>) {
        self.keyword("case");
        if let Some(subject) = subject {
            self.expr(subject, ANY);
        }
        for (when, then) in branches {
            self.keyword("when");
            self.expr(when, ANY);
            self.keyword("then");
            self.expr(then, ANY);
        }
        if let Some(otherwise) = otherwise {
            self.keyword("else");
            self.expr(otherwise, ANY);
        }
        self.keyword("end");
    }

    fn key(&mut self, key: &str) {
        match self.chance() % 4 {
            0 => {
                self.put("[");
                self.quoted(key);
                self.put("]");
            }
            _ if key.chars().all(char::is_alphanumeric) => {
                self.put(".");
                self.put(key);
            }
            _ => {
                self.put(".");
                self.quoted(key);
            }
        }
    }

    fn quoted(&mut self, text: &str) {
        let quote = if self.chance().is_multiple_of(2) { '\'' } else { '"' };
        let mut literal = String::from(quote);
        for one in text.chars() {
            match one {
                '\\' => literal.push_str("\\\\"),
                _ if one == quote => {
                    literal.extend([if self.chance().is_multiple_of(2) { '\\' } else { quote }, quote])
                }
                _ => literal.push(one),
            }
        }
        literal.push(quote);
        self.put(&literal);
    }
}

/// Whether the first word of it may be NULL.
fn begins_with_null(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(value) => value.is_null(),
        Expr::Binary(inner, ..) | Expr::Member(inner, _) | Expr::Index(inner, _) => begins_with_null(inner),
        _ => false,
    }
}
