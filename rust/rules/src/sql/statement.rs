//! Whole rules.

use super::ast::{Each, Expr, Item, Kind, Source, Span, Statement};
use super::expression::{Parsed, Parser, is_keyword};
use super::lexer::{Token, split};
use super::{LONGEST_RULE, nearest};
use crate::duration::parse_duration;
use crate::error::RuleError;

/// How deep a column may be inside others: `AS a.b.c`.
const MOST_NAMES: usize = 16;

/// The clauses in their order, for suggestions.
const CLAUSES: [&str; 9] =
    ["FROM", "WHERE", "GROUP", "HAVING", "ABSENT", "THROTTLE", "SELECT", "FOREACH", "DO"];

/// Reads an expression that stands alone.
pub(crate) fn parse_expression(text: &str) -> Parsed<Expr> {
    let mut parser = Parser::new(split(bounded(text)?)?);
    let expr = parser.expression()?;
    match parser.peek() {
        Token::End => Ok(expr),
        _ => parser.wrong("the expression should end here"),
    }
}

/// Reads a rule.
pub(crate) fn parse_statement(text: &str) -> Parsed<Statement> {
    let mut parser = Parser::new(split(bounded(text)?)?);
    let statement = parser.statement()?;
    let ended = parser.takes_sign(";");
    match parser.peek() {
        Token::End => Ok(statement),
        _ if ended => Err(parser.error("there is something behind the rule").hint("one rule at a time")),
        Token::Sign(")") => Err(parser.error("there is a ) too many")),
        Token::Word(word)
            if ["order", "limit", "join", "union"].iter().any(|one| one.eq_ignore_ascii_case(word)) =>
        {
            let word = word.to_ascii_uppercase();
            Err(parser.error(format!("rules have no {word}")).or_order())
        }
        Token::Word(word) if CLAUSES.iter().any(|clause| clause.eq_ignore_ascii_case(word)) => {
            let word = word.to_ascii_uppercase();
            Err(parser.error(format!("{word} stands further ahead")).or_order())
        }
        Token::Word(word) if nearest(word, CLAUSES).is_some() => {
            Err(parser.error("this clause does not belong here").did_you_mean(word, CLAUSES).or_order())
        }
        _ => Err(parser.error("the rule should end here").or_order()),
    }
}

impl RuleError {
    /// The order of the clauses, if nothing better is known.
    fn or_order(self) -> Self {
        match self.hint {
            Some(_) => self,
            None => self.hint("clauses are: SELECT FROM WHERE GROUP BY HAVING ABSENT FOR THROTTLE"),
        }
    }
}

fn bounded(text: &str) -> Parsed<&str> {
    match text.len() <= LONGEST_RULE {
        true => Ok(text),
        false => Err(RuleError::new(format!("a rule has at most {LONGEST_RULE} bytes"), 0..0)),
    }
}

impl Parser {
    fn statement(&mut self) -> Parsed<Statement> {
        let mut each = None;
        let items = if self.takes("foreach") {
            let array = self.expression()?;
            let name = match self.takes("as") {
                true => self.name("a name for the item")?,
                false => "item".to_owned(),
            };
            let items = match self.takes("do") {
                true => self.items()?,
                false => vec![self.item_itself(&name)],
            };
            let condition = if self.takes("incase") { Some(self.expression()?) } else { None };
            each = Some(Each { array, name, condition });
            items
        } else {
            if matches!(self.peek(), Token::End) {
                return Err(self
                    .error("the rule is empty")
                    .hint("for instance: SELECT * FROM \"sensors/#\""));
            }
            self.expects("select")?;
            self.items()?
        };
        if matches!(self.peek(), Token::Word(word) if !is_keyword(word) && nearest(word, ["FROM"]).is_none())
        {
            return Err(self.error("FROM was expected").hint("columns stand between commas"));
        }
        if matches!(self.peek(), Token::End) {
            return Err(self.error("FROM is missing").hint("for instance: FROM \"sensors/+/temp\""));
        }
        self.expects("from")?;
        let mut sources = vec![self.source()?];
        while self.takes_sign(",") {
            sources.push(self.source()?);
        }
        let condition = if self.takes("where") { Some(self.expression()?) } else { None };
        let mut group = Vec::new();
        if self.takes("group") {
            self.expects("by")?;
            group.push(self.expression()?);
            while self.takes_sign(",") {
                group.push(self.expression()?);
            }
        }
        let having = if self.takes("having") { Some(self.expression()?) } else { None };
        let absent = match self.is_at("absent") {
            true => {
                self.advance();
                self.takes("for");
                Some(self.duration()?)
            }
            false => None,
        };
        let throttle = if self.takes("throttle") { Some(self.duration()?) } else { None };
        Ok(Statement { each, items, sources, condition, group, having, absent, throttle })
    }

    /// What `FOREACH` without `DO` selects: the item.
    fn item_itself(&self, name: &str) -> Item {
        let at = self.span().start;
        Item::Column(Expr::new(Kind::Name(name.to_owned()), at..at), None)
    }

    fn items(&mut self) -> Parsed<Vec<Item>> {
        let mut items = vec![self.item()?];
        while self.takes_sign(",") {
            if self.is_at("from") {
                return Err(self
                    .error("a column was expected")
                    .hint("there is a comma too many before FROM"));
            }
            items.push(self.item()?);
        }
        Ok(items)
    }

    fn item(&mut self) -> Parsed<Item> {
        let span = self.span();
        if self.takes_sign("*") {
            return Ok(Item::All(span));
        }
        let expr = self.expression()?;
        if self.is_spread() {
            self.advance();
            self.advance();
            return Ok(Item::Spread(expr));
        }
        if !self.takes("as") {
            return Ok(Item::Column(expr, None));
        }
        let mut name = vec![match self.peek() {
            Token::Text(text, _) => {
                let name = text.clone();
                self.advance();
                name
            }
            _ => self.name("the name of the column")?,
        }];
        while self.takes_sign(".") {
            name.push(self.key()?);
            if name.len() > MOST_NAMES {
                return self.wrong(format!("a column is inside at most {MOST_NAMES} others"));
            }
        }
        Ok(Item::Column(expr, Some(name)))
    }

    fn source(&mut self) -> Parsed<Source> {
        let span = self.span();
        if self.takes("timer") {
            let span = self.span();
            return match self.advance().token {
                Token::Text(text, _) => Ok(Source::Timer(text, span)),
                _ => {
                    Err(RuleError::new("the times were expected", span)
                        .hint("for instance: TIMER 'every 10m'"))
                }
            };
        }
        match self.peek().clone() {
            Token::Text(name, _) => {
                self.advance();
                Ok(Source::Named(name, span))
            }
            Token::Word(_) | Token::Name(_) => {
                let mut end = span.end;
                while matches!(
                    self.peek(),
                    Token::Word(_) | Token::Name(_) | Token::Sign("/" | "+" | "-" | "$" | ".")
                ) {
                    end = self.advance().span.end;
                }
                let written = self.written(span.start..end);
                Err(RuleError::new("a topic filter was expected", span.start..end)
                    .hint(format!("it stands in double quotes: FROM \"{written}\"")))
            }
            _ => Err(self
                .error("a topic filter, an event or TIMER was expected")
                .hint("for instance: FROM \"sensors/+/temp\"")),
        }
    }

    /// A time such as `'5m'`, in milliseconds.
    fn duration(&mut self) -> Parsed<(u64, Span)> {
        let span = self.span();
        match self.peek().clone() {
            Token::Text(text, _) => {
                self.advance();
                match parse_duration(&text) {
                    Some(0) | None => Err(no_duration(span)),
                    Some(millis) => Ok((millis, span)),
                }
            }
            _ => Err(no_duration(span)),
        }
    }
}

/// What is said of a text that is no time.
pub(crate) fn no_duration(span: Span) -> RuleError {
    RuleError::new("a time was expected", span).hint("write it like '500ms', '10s', '5m', '1h30m' or '2d'")
}
