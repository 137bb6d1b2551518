//! Texts with `${…}`: topics, payloads, addresses.

use std::borrow::Cow;
use std::io::Write as _;

use base64ct::{Base64, Encoding as _};

use super::compile::Compiler;
use super::environment::{Environment, Failure};
use super::node::Node;
use crate::error::RuleError;
use crate::format::to_json;
use crate::occasion::{Attribute, Event};
use crate::path::{Path, Step};
use crate::sample::Sample;
use crate::sql::parse_expression;
use crate::value::{Object, Value};

/// The longest rendered text, in bytes.
const LONGEST: usize = 16 << 20;

/// A text in which `${…}` stands for a column of the result, a field of the message, or any expression. `${.}` is the
/// whole result as JSON, `${$}` a dollar sign.
///
/// If the text is JSON, what is put into it is as well: behind a quote it is escaped, elsewhere it is a value of its own.
#[derive(Debug, Clone)]
pub struct Template {
    parts: Vec<Part>,
    json: bool,
}

#[derive(Debug, Clone)]
enum Part {
    Text(Box<str>),
    /// The whole result; whether it stands in quotes.
    Row(bool),
    /// A column, and the way into it; whether it stands in quotes.
    Column(Path, bool),
    Expression(Box<Node>, bool),
}

/// A text cut at its `${…}`, and where each is.
pub(crate) enum Piece<'t> {
    Text(&'t str),
    Hole(&'t str, usize),
}

/// Cuts a text.
pub(crate) fn cut(text: &str) -> Result<Vec<Piece<'_>>, RuleError> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find("${") {
        let start = at + start;
        if start > at {
            pieces.push(Piece::Text(&text[at..start]));
        }
        let Some(length) = closing(&text[start + 2..]) else {
            return Err(RuleError::new("a ${ is not closed", start..text.len()).hint("close it with }"));
        };
        let inner = &text[start + 2..start + 2 + length];
        pieces.push(Piece::Hole(inner, start + 2));
        at = start + length + 3;
    }
    if at < text.len() {
        pieces.push(Piece::Text(&text[at..]));
    }
    Ok(pieces)
}

/// Where the brace closes that was opened before this text.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0, None);
    for (at, one) in text.char_indices() {
        match (quote, one) {
            (Some(open), _) if open == one => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(one),
            (None, '{') => depth += 1,
            (None, '}') if depth == 0 => return Some(at),
            (None, '}') => depth -= 1,
            _ => {}
        }
    }
    None
}

impl Template {
    /// Reads a text. `columns` are the names of the result; what is none of them is an expression.
    pub(crate) fn compile(
        text: &str,
        columns: &[String],
        compiler: &mut Compiler<'_>,
    ) -> Result<Self, RuleError> {
        let json = text.trim_start().starts_with(['{', '[']) && !text.trim_start().starts_with("${");
        let mut parts = Vec::new();
        let mut quoted = false;
        for piece in cut(text)? {
            match piece {
                Piece::Text(text) => {
                    quoted = in_quotes(quoted, text);
                    parts.push(Part::Text(text.into()));
                }
                Piece::Hole(hole, at) => {
                    parts.push(hole_part(hole, at, columns, compiler, quoted)?);
                }
            }
        }
        Ok(Self { parts, json })
    }

    /// The names that a text with `${…}` is made of: the first of each path, in their order. Of other expressions none.
    pub fn names(text: &str) -> Result<Vec<String>, RuleError> {
        let mut names: Vec<String> = Vec::new();
        for piece in cut(text)? {
            if let Piece::Hole(hole, at) = piece
                && !matches!(hole.trim(), "." | "*" | "$")
            {
                match hole.trim().parse::<Path>() {
                    Ok(path) => names.extend(first(&path).map(str::to_owned)),
                    Err(_) => {
                        parse_expression(hole).map_err(|error| moved(error, at))?;
                    }
                }
            }
        }
        Ok(names)
    }

    /// Writes a text with `${…}` for a result and what it was made of, of which the result comes first.
    pub fn render_once(
        text: &str,
        row: &Object<'static>,
        source: &Object<'static>,
    ) -> Result<Vec<u8>, RuleError> {
        let mut all = row.clone();
        for (key, value) in &source.0 {
            if row.get(key).is_none() {
                all.0.push((key.clone(), value.clone()));
            }
        }
        // What is nowhere is nothing, so that whoever leaves out a column gets an empty text.
        let mut names = Self::names(text)?;
        names.retain(|name| row.get(name).is_some() || Attribute::named(name).is_none());
        let mut compiler = Compiler::new(&[]);
        let template = Self::compile(text, &names, &mut compiler)?;
        // Connectors have names of their own for what happens.
        let of_rules = |(key, value): &&(Cow<'_, str>, Value<'_>)| match Attribute::named(key) {
            Some(Attribute::Event) => matches!(value, Value::Text(name) if Event::named(name).is_some()),
            known => known.is_some(),
        };
        let sample = Sample::new(Object(source.0.iter().filter(of_rules).cloned().collect()));
        let sample = sample.unwrap_or_else(|_| Sample::timer());
        let mut env = Environment::new(0, Some(&sample), &compiler.fields);
        let mut out = Vec::new();
        let failed = |failure: Failure| RuleError::new(failure.what, failure.span);
        for part in &template.parts {
            match part {
                Part::Row(quoted) => write_row(row, *quoted && template.json, &mut out),
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Column(path, quoted) => template.write(find(&all, path), *quoted, &mut out),
                Part::Expression(node, quoted) => {
                    template.write(&node.evaluate(&mut env).map_err(failed)?, *quoted, &mut out);
                }
            }
        }
        Ok(out)
    }

    /// The text as it stands, if nothing is put into it.
    pub fn constant(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Writes the text for a result.
    pub(crate) fn render<'a>(
        &'a self,
        row: &Object<'a>,
        env: &mut Environment<'a, '_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Failure> {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Row(quoted) => write_row(row, *quoted && self.json, out),
                Part::Column(path, quoted) => self.write(find(row, path), *quoted, out),
                Part::Expression(node, quoted) => {
                    let value = node.evaluate(env)?;
                    self.write(&value, *quoted, out);
                }
            }
            if out.len() > LONGEST {
                return Err(Failure {
                    what: "the text of a template becomes too long".to_owned(),
                    span: 0..0,
                });
            }
        }
        Ok(())
    }

    fn write(&self, value: &Value<'_>, quoted: bool, out: &mut Vec<u8>) {
        if !self.json {
            return write_plain(value, out);
        }
        match value {
            _ if !quoted => write_json(value, out),
            Value::Missing | Value::Null => {}
            Value::Text(text) => write_inside(text, out),
            Value::Bytes(bytes) => write_inside(&Base64::encode_string(bytes), out),
            other => write_inside(&to_json(other), out),
        }
    }
}

/// What stands between the braces that begin before `at`; places are those of the whole text.
fn hole_part(
    hole: &str,
    at: usize,
    columns: &[String],
    compiler: &mut Compiler<'_>,
    quoted: bool,
) -> Result<Part, RuleError> {
    let at = at + hole.len() - hole.trim_start().len();
    let asked = compiler.attributes.len();
    let made = part(hole.trim(), columns, compiler, quoted).map_err(|error| moved(error, at))?;
    for (_, span) in &mut compiler.attributes[asked..] {
        *span = span.start + at..span.end + at;
    }
    Ok(made)
}

fn part(
    hole: &str,
    columns: &[String],
    compiler: &mut Compiler<'_>,
    quoted: bool,
) -> Result<Part, RuleError> {
    match hole {
        "." | "*" => return Ok(Part::Row(quoted)),
        "$" => return Ok(Part::Text("$".into())),
        "" => return Err(RuleError::new("${} names nothing", 0..0).hint("for instance ${clientid}")),
        _ => {}
    }
    if let Ok(path) = hole.parse::<Path>()
        && first(&path).is_some_and(|first| is_column(first, columns))
    {
        return Ok(Part::Column(path, quoted));
    }
    let expr = parse_expression(hole)?;
    Ok(Part::Expression(Box::new(compiler.compile(&expr)?), quoted))
}

/// Whether a result has a column of this name. With `*` among them they are not all known.
fn is_column(name: &str, columns: &[String]) -> bool {
    columns.iter().any(|column| column == name)
        || columns.iter().any(|column| column == "*") && Attribute::named(name).is_none()
}

/// The name that a path begins with.
fn first(path: &Path) -> Option<&str> {
    match path.0.first() {
        Some(Step::Key(key)) => Some(key),
        _ => None,
    }
}

/// An error whose text begins here.
fn moved(error: RuleError, at: usize) -> RuleError {
    RuleError { span: error.span.start + at..error.span.end + at, ..error }
}

/// Whether JSON stands in quotes behind this text.
fn in_quotes(mut quoted: bool, text: &str) -> bool {
    let mut escaped = false;
    for one in text.bytes() {
        match one {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            _ => {}
        }
    }
    quoted
}

/// What a path leads to in a result.
pub(crate) fn find<'r, 'a>(row: &'r Object<'a>, path: &Path) -> &'r Value<'a> {
    const NOTHING: &Value<'static> = &Value::Missing;
    let mut steps = path.0.iter();
    let mut value = match steps.next() {
        Some(Step::Key(key)) => row.get(key),
        _ => None,
    };
    for step in steps {
        value = match (value, step) {
            (Some(Value::Object(object)), Step::Key(key)) => object.get(key),
            (Some(Value::Array(items)), Step::Item(index)) => items.get(*index),
            _ => None,
        };
    }
    value.unwrap_or(NOTHING)
}

/// A value as it is read: texts and bytes as they are, nothing for what is not there, anything else as JSON.
pub(crate) fn write_plain(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Missing | Value::Null => {}
        Value::Text(text) => out.extend_from_slice(text.as_bytes()),
        Value::Bytes(bytes) => out.extend_from_slice(bytes),
        Value::Int(number) => {
            // Writing into a vector cannot fail.
            let _ = write!(out, "{number}");
        }
        other => write_json(other, out),
    }
}

fn write_row(row: &Object<'_>, quoted: bool, out: &mut Vec<u8>) {
    match quoted {
        true => write_inside(&serde_json::to_string(row).unwrap_or_default(), out),
        false => write_json(row, out),
    }
}

fn write_json(value: &impl serde::Serialize, out: &mut Vec<u8>) {
    // Neither a value nor a vector can fail.
    let _ = serde_json::to_writer(out, value);
}

/// A text inside the quotes of a JSON text.
fn write_inside(text: &str, out: &mut Vec<u8>) {
    let start = out.len();
    write_json(&text, out);
    out.pop();
    out.remove(start);
}
