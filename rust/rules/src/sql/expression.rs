//! Expressions, by how closely their operators bind.

use super::KEYWORDS;
use super::ast::{Call, Expr, Kind, Operator, Span};
use super::lexer::{Spanned, Token};
use crate::error::RuleError;
use crate::value::Value;

/// How deep expressions may nest, and how high what they give may be: `1 + 1 + 1 …` is one in another without any
/// parenthesis.
const DEEPEST: usize = 48;
const HIGHEST: usize = 400;

pub(crate) type Parsed<T> = Result<T, RuleError>;

/// Reads words one after the other.
pub(crate) struct Parser {
    words: Vec<Spanned>,
    at: usize,
    depth: usize,
}

/// How closely an operator binds.
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARISON: u8 = 4;
const CONCAT: u8 = 5;
const SUM: u8 = 6;
const PRODUCT: u8 = 7;

impl Parser {
    pub(crate) fn new(words: Vec<Spanned>) -> Self {
        Self { words, at: 0, depth: 0 }
    }

    /// The words of a part, one behind the other.
    pub(crate) fn written(&self, span: Span) -> String {
        let inside =
            self.words.iter().filter(|word| span.start <= word.span.start && word.span.end <= span.end);
        let word = |word: &Spanned| match &word.token {
            Token::Word(text) | Token::Name(text) => text.clone(),
            Token::Sign(sign) => (*sign).to_owned(),
            _ => String::new(),
        };
        inside.map(word).collect()
    }

    pub(crate) fn peek(&self) -> &Token {
        &self.words[self.at].token
    }

    pub(crate) fn span(&self) -> Span {
        self.words[self.at].span.clone()
    }

    /// Where the word ends that was read last.
    pub(crate) fn end(&self) -> usize {
        self.words[self.at.saturating_sub(1)].span.end
    }

    pub(crate) fn advance(&mut self) -> Spanned {
        let word = self.words[self.at].clone();
        if self.at + 1 < self.words.len() {
            self.at += 1;
        }
        word
    }

    /// Whether a keyword comes next.
    pub(crate) fn is_at(&self, keyword: &str) -> bool {
        matches!(self.peek(), Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    fn is_behind(&self, keyword: &str) -> bool {
        let next = self.words.get(self.at + 1).map(|word| &word.token);
        matches!(next, Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword))
    }

    pub(crate) fn takes(&mut self, keyword: &str) -> bool {
        let found = self.is_at(keyword);
        if found {
            self.advance();
        }
        found
    }

    pub(crate) fn takes_sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Token::Sign(next) if *next == sign);
        if found {
            self.advance();
        }
        found
    }

    /// An error at the next word.
    pub(crate) fn wrong<T>(&self, what: impl Into<String>) -> Parsed<T> {
        Err(self.error(what))
    }

    pub(crate) fn error(&self, what: impl Into<String>) -> RuleError {
        RuleError::new(what, self.span())
    }

    pub(crate) fn expects(&mut self, keyword: &str) -> Parsed<()> {
        if self.takes(keyword) {
            return Ok(());
        }
        let keyword = keyword.to_ascii_uppercase();
        let error = self.error(format!("{keyword} was expected"));
        Err(match self.peek() {
            Token::Word(word) => error.did_you_mean(word, [keyword.as_str()]),
            _ => error,
        })
    }

    pub(crate) fn expects_sign(&mut self, sign: &'static str, why: &str) -> Parsed<()> {
        match self.takes_sign(sign) {
            true => Ok(()),
            false => self.wrong(format!("{sign} was expected {why}")),
        }
    }

    /// A name that is no keyword.
    pub(crate) fn name(&mut self, what: &str) -> Parsed<String> {
        match self.peek() {
            Token::Word(word) if !is_keyword(word) => {
                let name = word.clone();
                self.advance();
                Ok(name)
            }
            Token::Name(name) => {
                let name = name.clone();
                self.advance();
                Ok(name)
            }
            Token::Word(word) => {
                let hint = format!("`{word}` is a keyword; write it in backquotes");
                Err(self.error(format!("{what} was expected")).hint(hint))
            }
            _ => self.wrong(format!("{what} was expected")),
        }
    }

    pub(crate) fn expression(&mut self) -> Parsed<Expr> {
        self.binding(OR)
    }

    /// An expression whose operators bind at least as closely as `least`.
    fn binding(&mut self, least: u8) -> Parsed<Expr> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.wrong(format!("the expression is nested more than {DEEPEST} levels deep"));
        }
        let start = self.span().start;
        let mut left = match least <= NOT && self.is_at("not") {
            true => {
                self.advance();
                let inner = self.binding(NOT)?;
                Expr::new(Kind::Not(Box::new(inner)), start..self.end())
            }
            false => self.unary()?,
        };
        while let Some((operator, strength)) = self.operator() {
            if strength < least {
                break;
            }
            left = match operator {
                Infix::Binary(operator) => {
                    self.advance();
                    self.no_null(operator)?;
                    let right = self.binding(strength + 1)?;
                    Expr::new(Kind::Binary(Box::new(left), operator, Box::new(right)), start..self.end())
                }
                Infix::Test => self.test(left, start)?,
            };
            self.bounded(&left)?;
            if strength == COMPARISON && matches!(self.operator(), Some((_, COMPARISON))) {
                return Err(self
                    .error("comparisons do not follow one another")
                    .hint("join them with AND: a < b AND b < c"));
            }
        }
        self.depth -= 1;
        Ok(left)
    }

    /// Nothing equals NULL, so who compares with it means something else.
    fn no_null(&self, operator: Operator) -> Parsed<()> {
        let test = match operator {
            Operator::Equal => "IS NULL",
            Operator::Unequal => "IS NOT NULL",
            _ => return Ok(()),
        };
        match self.is_at("null") {
            true => Err(self.error("nothing is equal to NULL").hint(format!("write {test}"))),
            false => Ok(()),
        }
    }

    fn operator(&self) -> Option<(Infix, u8)> {
        use Operator::*;
        let binary = |operator, strength| Some((Infix::Binary(operator), strength));
        match self.peek() {
            Token::Sign(sign) => match *sign {
                "=" | "==" => binary(Equal, COMPARISON),
                "!=" | "<>" => binary(Unequal, COMPARISON),
                "<" => binary(Less, COMPARISON),
                "<=" => binary(LessOrEqual, COMPARISON),
                ">" => binary(Greater, COMPARISON),
                ">=" => binary(GreaterOrEqual, COMPARISON),
                "=~" => binary(Matches, COMPARISON),
                "||" => binary(Concat, CONCAT),
                "+" => binary(Add, SUM),
                "-" => binary(Subtract, SUM),
                "*" => binary(Multiply, PRODUCT),
                "/" => binary(Divide, PRODUCT),
                "%" => binary(Modulo, PRODUCT),
                _ => None,
            },
            Token::Word(word) => match word.to_ascii_lowercase().as_str() {
                "or" => binary(Or, OR),
                "and" => binary(And, AND),
                "div" => binary(DivideWhole, PRODUCT),
                "mod" => binary(Modulo, PRODUCT),
                "is" | "in" | "between" | "like" => Some((Infix::Test, COMPARISON)),
                "not" if ["in", "between", "like"].iter().any(|word| self.is_behind(word)) => {
                    Some((Infix::Test, COMPARISON))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// `IS NULL`, `IN`, `BETWEEN` and `LIKE`, each with or without `NOT`.
    fn test(&mut self, left: Expr, start: usize) -> Parsed<Expr> {
        let left = Box::new(left);
        let (kind, negated) = if self.takes("is") {
            let negated = self.takes("not");
            if !self.takes("null") {
                return Err(self.error("NULL was expected").hint("other values are compared with ="));
            }
            (Kind::IsNull(left), negated)
        } else {
            let negated = self.takes("not");
            if self.takes("between") {
                let low = self.binding(CONCAT)?;
                self.expects("and")?;
                let high = self.binding(CONCAT)?;
                (Kind::Between(left, Box::new(low), Box::new(high)), negated)
            } else if self.takes("like") {
                (Kind::Like(left, Box::new(self.binding(CONCAT)?)), negated)
            } else {
                self.expects("in")?;
                (self.list(left)?, negated)
            }
        };
        let span = start..self.end();
        let test = Expr::new(kind, span.clone());
        Ok(if negated { Expr::new(Kind::Not(Box::new(test)), span) } else { test })
    }

    fn list(&mut self, left: Box<Expr>) -> Parsed<Kind> {
        if !self.takes_sign("(") {
            return Ok(Kind::InArray(left, Box::new(self.binding(CONCAT)?)));
        }
        if matches!(self.peek(), Token::Sign(")")) {
            return self.wrong("the list is empty");
        }
        let mut all = vec![self.expression()?];
        while self.takes_sign(",") {
            all.push(self.expression()?);
        }
        self.expects_sign(")", "after the list")?;
        Ok(Kind::In(left, all))
    }

    fn unary(&mut self) -> Parsed<Expr> {
        let start = self.span().start;
        if self.takes_sign("-") {
            if let Token::Int(whole) = *self.peek() {
                self.advance();
                return Ok(Expr::new(Kind::Literal(Value::Int(-whole)), start..self.end()));
            }
            self.deeper()?;
            let inner = self.unary()?;
            self.depth -= 1;
            return Ok(Expr::new(Kind::Negative(Box::new(inner)), start..self.end()));
        }
        if self.takes_sign("+") {
            self.deeper()?;
            let inner = self.unary()?;
            self.depth -= 1;
            return Ok(inner);
        }
        self.postfix()
    }

    fn bounded(&self, expr: &Expr) -> Parsed<()> {
        match expr.height > HIGHEST {
            true => self.wrong(format!("the expression has more than {HIGHEST} parts one behind the other")),
            false => Ok(()),
        }
    }

    fn deeper(&mut self) -> Parsed<()> {
        self.depth += 1;
        match self.depth > DEEPEST {
            true => self.wrong(format!("the expression is nested more than {DEEPEST} levels deep")),
            false => Ok(()),
        }
    }

    /// What follows a value: `.key` and `[index]`.
    fn postfix(&mut self) -> Parsed<Expr> {
        let start = self.span().start;
        let mut expr = self.primary()?;
        loop {
            if matches!(self.peek(), Token::Sign(".")) && !self.is_spread() {
                self.advance();
                let key = self.key()?;
                expr = Expr::new(Kind::Member(Box::new(expr), key), start..self.end());
            } else if self.takes_sign("[") {
                let index = self.expression()?;
                self.expects_sign("]", "after the index")?;
                expr = Expr::new(Kind::Index(Box::new(expr), Box::new(index)), start..self.end());
            } else {
                return Ok(expr);
            }
            self.bounded(&expr)?;
        }
    }

    /// Whether a parenthesis follows the next word.
    fn is_call(&self) -> bool {
        matches!(self.words.get(self.at + 1).map(|word| &word.token), Some(Token::Sign("(")))
    }

    /// Whether `.*` comes next.
    pub(crate) fn is_spread(&self) -> bool {
        let next = self.words.get(self.at + 1).map(|word| &word.token);
        matches!((self.peek(), next), (Token::Sign("."), Some(Token::Sign("*"))))
    }

    /// A key behind a dot: any word, or one in quotes.
    pub(crate) fn key(&mut self) -> Parsed<String> {
        let key = match self.peek() {
            Token::Word(key) | Token::Name(key) | Token::Text(key, _) => key.clone(),
            Token::Int(_) => {
                return Err(self
                    .error("a key was expected")
                    .hint("an item is a[0], a key that is a number a['0']"));
            }
            _ => return self.wrong("a key was expected behind the dot"),
        };
        self.advance();
        Ok(key)
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let span = self.span();
        let literal = |value| Ok(Expr::new(Kind::Literal(value), span.clone()));
        match self.peek().clone() {
            Token::Int(whole) => {
                self.advance();
                literal(Value::Int(whole))
            }
            Token::Float(number) => {
                self.advance();
                literal(Value::Float(number))
            }
            Token::Text(text, _) => {
                self.advance();
                literal(Value::text(text))
            }
            Token::Name(name) => {
                self.advance();
                Ok(Expr::new(Kind::Name(name), span))
            }
            Token::Sign("(") => {
                self.advance();
                let inner = self.expression()?;
                self.expects_sign(")", "to close the parenthesis")?;
                Ok(Expr { span: span.start..self.end(), ..inner })
            }
            Token::Sign("[") => {
                self.advance();
                let items = self.until("]", Self::expression)?;
                Ok(Expr::new(Kind::Array(items), span.start..self.end()))
            }
            Token::Sign("{") => {
                self.advance();
                let entries = self.until("}", |parser| {
                    let key = parser.key()?;
                    parser.expects_sign(":", "behind the key")?;
                    Ok((key, parser.expression()?))
                })?;
                Ok(Expr::new(Kind::Object(entries), span.start..self.end()))
            }
            Token::Word(word) => match word.to_ascii_lowercase().as_str() {
                "true" | "false" => {
                    self.advance();
                    literal(Value::Bool(word.eq_ignore_ascii_case("true")))
                }
                "null" => {
                    self.advance();
                    literal(Value::Null)
                }
                "case" => self.case(),
                // Keywords that are functions as well.
                _ if self.is_call() && crate::functions::find(&word).is_some() => {
                    self.advance();
                    self.call(word, span)
                }
                _ if is_keyword(&word) => {
                    let error = self.error("an expression was expected");
                    Err(error
                        .hint(format!("`{word}` is a keyword; a field of that name stands in backquotes")))
                }
                _ => {
                    self.advance();
                    match self.peek() {
                        Token::Sign("(") => self.call(word, span),
                        _ => Ok(Expr::new(Kind::Name(word), span)),
                    }
                }
            },
            Token::End => self.wrong("the rule ends here, but an expression was expected"),
            Token::Sign("*") => {
                Err(self.error("an expression was expected").hint("* stands alone: SELECT * FROM …"))
            }
            Token::Sign("$") => Err(self
                .error("an expression was expected")
                .hint("${…} is for templates; here write the name alone")),
            Token::Sign(sign) => self.wrong(format!("an expression was expected, not {sign}")),
        }
    }

    /// Items between commas until a sign.
    fn until<T>(
        &mut self,
        close: &'static str,
        mut item: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        let mut items = Vec::new();
        if self.takes_sign(close) {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            if !self.takes_sign(",") {
                break;
            }
        }
        self.expects_sign(close, "at the end")?;
        Ok(items)
    }

    fn call(&mut self, name: String, name_span: Span) -> Parsed<Expr> {
        let start = name_span.start;
        self.expects_sign("(", "behind the name of a function")?;
        let distinct = self.takes("distinct");
        let star = self.takes_sign("*");
        let args = match star {
            true => {
                self.expects_sign(")", "behind *")?;
                Vec::new()
            }
            false => self.until(")", Self::expression)?,
        };
        let call = Call { name, name_span, args, star, distinct };
        Ok(Expr::new(Kind::Call(call), start..self.end()))
    }

    fn case(&mut self) -> Parsed<Expr> {
        let start = self.span().start;
        self.expects("case")?;
        let subject = match self.is_at("when") {
            true => None,
            false => Some(Box::new(self.expression()?)),
        };
        let mut branches = Vec::new();
        while self.takes("when") {
            let when = self.expression()?;
            self.expects("then")?;
            branches.push((when, self.expression()?));
        }
        if branches.is_empty() {
            return self.wrong("WHEN was expected");
        }
        let otherwise = match self.takes("else") {
            true => Some(Box::new(self.expression()?)),
            false => None,
        };
        self.expects("end")?;
        Ok(Expr::new(Kind::Case(subject, branches, otherwise), start..self.end()))
    }
}

enum Infix {
    Binary(Operator),
    /// A test with a word: see [`Parser::test`].
    Test,
}

pub(crate) fn is_keyword(word: &str) -> bool {
    KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(word))
}
