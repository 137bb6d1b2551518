//! From what is written to what runs: names are resolved, fields of the payload gathered.

use super::names::{unknown_function, unknown_name, wrong_count};
use super::node::{Node, NodeKind, WindowField};
use super::special::{AggregateKind, SPECIAL};
use crate::error::RuleError;
use crate::fields::Fields;
use crate::functions;
use crate::occasion::Attribute;
use crate::path::{Path, Step};
use crate::sql::{Call, Expr, Kind, Operator, Span};
use crate::state::StateKind;
use crate::value::Value;

/// When an expression runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// For each message.
    Message,
    /// For each group, when its window has closed or its silence has lasted: what it wants of messages is kept of the
    /// group's last one.
    Group,
}

/// An aggregate: what it gathers, and of what.
#[derive(Debug, Clone)]
pub(crate) struct Aggregate {
    pub(crate) kind: AggregateKind,
    /// `None` counts messages.
    pub(crate) argument: Option<Node>,
}

/// Makes nodes, and gathers what they need.
#[derive(Debug)]
pub(crate) struct Compiler<'s> {
    pub(crate) mode: Mode,
    /// What is read of payloads.
    pub(crate) fields: Fields,
    /// Memories that functions of what was before need.
    pub(crate) memories: usize,
    pub(crate) aggregates: Vec<Aggregate>,
    /// What is kept of a group's last message.
    pub(crate) kept: Vec<Node>,
    /// Names of functions that are not ours.
    externs: &'s [String],
    /// Which of them are called.
    pub(crate) called: Vec<usize>,
    /// The name of `FOREACH`'s item.
    pub(crate) item: Option<String>,
    /// Names of columns and what they are made of: conditions may use them.
    pub(crate) columns: Vec<(String, &'s Expr)>,
    /// Columns that remember something, and for which mode they were made.
    shared: Vec<(String, Mode, Node)>,
    /// Columns that are being looked into, so that none is made of itself.
    open: Vec<String>,
    /// Whether windows, silences and the like are there, and so their fields.
    pub(crate) windowed: bool,
    /// Whether there is a window, and not only a silence.
    pub(crate) has_window: bool,
    /// The name of `FOREACH`'s item, also where it is not known yet.
    pub(crate) each: Option<String>,
    /// What is asked of occasions, and where.
    pub(crate) attributes: Vec<(Attribute, Span)>,
    /// Whether something of the item was used.
    pub(crate) uses_item: bool,
    /// Inside the argument of an aggregate.
    in_aggregate: bool,
    /// Nodes made so far, and how deep the next is inside others.
    nodes: usize,
    depth: usize,
}

/// Nodes of one rule, and how deep they may be: columns that are named in others are put into them, which twice in each of
/// forty would make a thousand billion.
const MOST_NODES: usize = 20_000;
const MOST_OPEN: usize = 16;
const DEEPEST: usize = 500;

type Compiled<T = Node> = Result<T, RuleError>;

impl<'s> Compiler<'s> {
    pub(crate) fn new(externs: &'s [String]) -> Self {
        Self {
            mode: Mode::Message,
            fields: Fields::whole(),
            memories: 0,
            aggregates: Vec::new(),
            kept: Vec::new(),
            externs,
            called: Vec::new(),
            item: None,
            columns: Vec::new(),
            shared: Vec::new(),
            open: Vec::new(),
            windowed: false,
            has_window: false,
            each: None,
            attributes: Vec::new(),
            uses_item: false,
            in_aggregate: false,
            nodes: 0,
            depth: 0,
        }
    }

    /// Makes a node of an expression.
    pub(crate) fn compile(&mut self, expr: &Expr) -> Compiled {
        self.nodes += 1;
        self.depth += 1;
        if self.nodes > MOST_NODES || self.depth > DEEPEST {
            let error = RuleError::new("the rule becomes too long with this", expr.span.clone());
            return Err(
                error.hint("names of columns stand for what they are made of; use fewer in one another")
            );
        }
        let node = self.node(expr);
        self.depth -= 1;
        node
    }

    fn node(&mut self, expr: &Expr) -> Compiled {
        let span = expr.span.clone();
        let node = |kind| Ok(Node { kind, span: span.clone() });
        if let Some(path) = payload_path(expr) {
            self.attributes.push((Attribute::Payload, span.clone()));
            let kind = NodeKind::Payload(self.fields.add(&path));
            return Ok(self.of_message(Node { kind, span }));
        }
        match &expr.kind {
            Kind::Literal(value) => node(NodeKind::Constant(value.clone())),
            Kind::Name(name) => self.name(name, &span),
            Kind::Member(inner, key) => match &inner.kind {
                // As EMQX has it.
                Kind::Name(name) if name == "flags" && key == "retain" => {
                    self.attribute(Attribute::Retain, &span)
                }
                _ => node(NodeKind::Member(self.container(inner)?, key.as_str().into())),
            },
            Kind::Index(inner, index) => node(NodeKind::Index(self.container(inner)?, self.boxed(index)?)),
            Kind::Array(items) => node(NodeKind::Array(self.all(items)?)),
            Kind::Object(entries) => {
                let entry = |(key, value): &(String, Expr)| Ok((key.as_str().into(), self.compile(value)?));
                node(NodeKind::Object(entries.iter().map(entry).collect::<Compiled<_>>()?))
            }
            Kind::Negative(inner) => node(NodeKind::Negative(self.boxed(inner)?)),
            Kind::Not(inner) => node(NodeKind::Not(self.condition(inner)?)),
            Kind::Binary(left, Operator::And, right) => {
                let all = vec![*self.condition(left)?, *self.condition(right)?];
                node(flat_and(all))
            }
            Kind::Binary(left, Operator::Or, right) => {
                let memories = self.memories;
                let left = *self.condition(left)?;
                let between = self.memories;
                let right = *self.condition(right)?;
                let remember = (between > memories, self.memories > between);
                node(flat_or((left, remember.0), (right, remember.1)))
            }
            Kind::Binary(left, operator, right) => {
                node(NodeKind::Binary(self.boxed(left)?, *operator, self.boxed(right)?))
            }
            Kind::IsNull(inner) => node(NodeKind::IsNull(self.boxed(inner)?)),
            Kind::In(inner, all) => node(NodeKind::In(self.boxed(inner)?, self.all(all)?)),
            Kind::InArray(inner, array) => node(NodeKind::InArray(self.boxed(inner)?, self.boxed(array)?)),
            Kind::Between(inner, low, high) => {
                node(NodeKind::Between(self.boxed(inner)?, self.boxed(low)?, self.boxed(high)?))
            }
            Kind::Like(inner, pattern) => node(NodeKind::Like(self.boxed(inner)?, self.boxed(pattern)?)),
            Kind::Case(subject, branches, otherwise) => {
                let searched = subject.is_none();
                let subject = subject.as_deref().map(|one| self.boxed(one)).transpose()?;
                let mut compiled = Vec::with_capacity(branches.len());
                for (when, then) in branches {
                    let when = if searched { *self.condition(when)? } else { self.compile(when)? };
                    compiled.push((when, self.compile(then)?));
                }
                let otherwise = otherwise.as_deref().map(|one| self.boxed(one)).transpose()?;
                node(NodeKind::Case(subject, compiled, otherwise))
            }
            Kind::Call(call) => self.call(call, &span),
        }
    }

    /// Makes a node of a condition: what can never be one is found here.
    pub(crate) fn condition(&mut self, expr: &Expr) -> Compiled<Box<Node>> {
        let node = self.compile(expr)?;
        let what = match &node.kind {
            NodeKind::Constant(Value::Bool(_) | Value::Null) => None,
            NodeKind::Constant(value @ Value::Text(text)) => {
                let what = format!("this is {}, a condition was expected", value.kind());
                return Err(
                    RuleError::new(what, expr.span.clone()).hint(format!("compare it: payload = '{text}'"))
                );
            }
            NodeKind::Constant(value) => Some(value.kind()),
            NodeKind::Binary(_, operator, _) if operator.is_arithmetic() => Some("a number"),
            NodeKind::Negative(_) => Some("a number"),
            NodeKind::Array(_) => Some("an array"),
            NodeKind::Object(_) => Some("an object"),
            _ => None,
        };
        match what {
            Some(what) => {
                let error =
                    RuleError::new(format!("this is {what}, a condition was expected"), expr.span.clone());
                Err(error.hint("compare it: … > 0"))
            }
            None => Ok(Box::new(node)),
        }
    }

    /// What is looked into: of the payload what it says, not its text.
    fn container(&mut self, expr: &Expr) -> Compiled<Box<Node>> {
        match &expr.kind {
            Kind::Name(name) if name == "payload" => self.whole_payload(&expr.span).map(Box::new),
            _ => self.boxed(expr),
        }
    }

    fn boxed(&mut self, expr: &Expr) -> Compiled<Box<Node>> {
        self.compile(expr).map(Box::new)
    }

    fn all(&mut self, exprs: &[Expr]) -> Compiled<Vec<Node>> {
        exprs.iter().map(|expr| self.compile(expr)).collect()
    }

    /// What is asked of a message is kept, where there is a group instead of one.
    fn of_message(&mut self, node: Node) -> Node {
        if self.mode == Mode::Message {
            return node;
        }
        let span = node.span.clone();
        self.kept.push(node);
        Node { kind: NodeKind::Kept(self.kept.len() - 1), span }
    }

    /// The payload as what it says.
    pub(crate) fn whole_payload(&mut self, span: &Span) -> Compiled {
        self.attributes.push((Attribute::Payload, span.clone()));
        let kind = NodeKind::Payload(self.fields.add(&Path(Vec::new())));
        Ok(self.of_message(Node { kind, span: span.clone() }))
    }

    pub(crate) fn attribute(&mut self, attribute: Attribute, span: &Span) -> Compiled {
        self.attributes.push((attribute, span.clone()));
        Ok(self.of_message(Node { kind: NodeKind::Attribute(attribute), span: span.clone() }))
    }

    fn name(&mut self, name: &str, span: &Span) -> Compiled {
        if self.item.as_deref() == Some(name) {
            self.uses_item = true;
            return Ok(self.of_message(Node { kind: NodeKind::Item, span: span.clone() }));
        }
        if let Some(attribute) = Attribute::named(name) {
            return self.attribute(attribute, span);
        }
        if self.windowed
            && self.mode == Mode::Group
            && let Some((_, field)) = WindowField::ALL.iter().find(|(known, _)| *known == name)
        {
            return Ok(Node { kind: NodeKind::Window(*field), span: span.clone() });
        }
        let column = self.columns.iter().find(|(known, _)| known == name).map(|(_, expr)| *expr);
        if let Some(expr) = column.filter(|_| !self.open.iter().any(|open| open == name)) {
            return self.column(name, expr).map(|node| Node { span: span.clone(), ..node });
        }
        if self.each.as_deref() == Some(name) {
            let error =
                RuleError::new(format!("`{name}` is an item, and this is about the message"), span.clone());
            return Err(error.hint("conditions on items stand behind INCASE"));
        }
        if WindowField::ALL.iter().any(|(known, _)| *known == name) {
            let error =
                RuleError::new(format!("`{name}` is known of windows and silences only"), span.clone());
            return Err(error.hint("add: GROUP BY topic, tumbling('10s')"));
        }
        if self.open.iter().any(|open| open == name) {
            let error = RuleError::new(format!("the column `{name}` is not made of itself"), span.clone());
            return Err(error.hint(format!("a field of the payload is `payload.{name}`")));
        }
        let mut others: Vec<String> = self.columns.iter().map(|(name, _)| name.clone()).collect();
        others.extend(self.item.clone());
        Err(unknown_name(name, span.clone(), &others))
    }

    /// Makes a node of a column, wherever it is named. One that remembers something has one memory, and runs once.
    pub(crate) fn column(&mut self, name: &str, expr: &Expr) -> Compiled {
        let known = |(known, mode, _): &&(String, Mode, Node)| known == name && *mode == self.mode;
        if let Some((_, _, node)) = self.shared.iter().find(known) {
            return Ok(node.clone());
        }
        if self.open.len() >= MOST_OPEN {
            let error = RuleError::new("columns stand in one another too deeply", expr.span.clone());
            return Err(error.hint(format!("at most {MOST_OPEN} deep")));
        }
        let memories = self.memories;
        self.open.push(name.to_owned());
        let node = self.compile(expr);
        self.open.pop();
        let node = node?;
        if self.memories == memories {
            return Ok(node);
        }
        let span = node.span.clone();
        let shared = Node { kind: NodeKind::Shared(self.shared.len(), Box::new(node)), span };
        self.shared.push((name.to_owned(), self.mode, shared.clone()));
        Ok(shared)
    }

    fn call(&mut self, call: &Call, span: &Span) -> Compiled {
        let name = call.name.to_ascii_lowercase();
        let node = |kind| Ok(Node { kind, span: span.clone() });
        let usage = |name: &str| {
            let is_it = |one: &&super::special::Special| one.name == name || one.aliases.contains(&name);
            SPECIAL.iter().find(is_it).map_or("", |one| one.usage)
        };
        let wrong = |usage: &str| Err(wrong_count(&name, usage, call.args.len(), span.clone()));
        if let Some(kind) = self.aggregate_named(&name, call) {
            return self.aggregate(kind, call, span);
        }
        let is_known = functions::find(&name).is_some() || StateKind::named(&name).is_some();
        if AggregateKind::named(&name).is_some() && !is_known {
            return Err(self.no_aggregate(call, span));
        }
        if call.star || call.distinct {
            let error =
                RuleError::new(format!("only count() takes * or DISTINCT, not `{name}`"), span.clone());
            return Err(error);
        }
        if let Some(known) = message_function(&name, &call.args) {
            return match known {
                MessageFunction::Attribute(attribute) if call.args.is_empty() => {
                    self.attribute(attribute, span)
                }
                MessageFunction::Level if call.args.len() == 1 => {
                    let mode = std::mem::replace(&mut self.mode, Mode::Message);
                    let level = self.boxed(&call.args[0]);
                    self.mode = mode;
                    Ok(self.of_message(Node { kind: NodeKind::TopicLevel(level?), span: span.clone() }))
                }
                MessageFunction::Path(path) => {
                    let kind = NodeKind::Payload(self.fields.add(&path));
                    Ok(self.of_message(Node { kind, span: span.clone() }))
                }
                MessageFunction::NoPath(why) => {
                    let error = RuleError::new(format!("this is no path: {why}"), call.args[0].span.clone());
                    Err(error.hint("for instance payload('a.b[0]')"))
                }
                _ => wrong(usage(&name)),
            };
        }
        if let Some((kind, least, most)) = StateKind::named(&name) {
            if !(least..=most).contains(&call.args.len()) {
                return wrong(usage(match name.as_str() {
                    "lag" => "previous",
                    other => other,
                }));
            }
            if self.in_aggregate {
                let error =
                    RuleError::new(format!("`{name}` cannot stand inside an aggregate"), span.clone());
                return Err(
                    error.hint("it remembers what was before in the group; put it into WHERE or HAVING")
                );
            }
            let arguments = self.all(&call.args)?;
            self.memories += 1;
            return node(NodeKind::State(self.memories - 1, kind, arguments));
        }
        if let Some(function) = functions::find(&name) {
            if !(function.least..=function.most).contains(&call.args.len()) {
                return wrong(function.usage);
            }
            return node(NodeKind::Call(function, self.all(&call.args)?));
        }
        if let Some(number) = self.externs.iter().position(|one| *one == call.name) {
            if !self.called.contains(&number) {
                self.called.push(number);
            }
            return node(NodeKind::Extern(number, self.all(&call.args)?));
        }
        if ["tumbling", "sliding", "hopping"].contains(&name.as_str()) {
            return Err(RuleError::new("a window stands in GROUP BY", span.clone()));
        }
        Err(unknown_function(&call.name, call.name_span.clone(), self.externs))
    }

    /// Names such as `first` are functions of arrays where there is no window.
    fn aggregate_named(&self, name: &str, call: &Call) -> Option<AggregateKind> {
        let kind = AggregateKind::named(name)?;
        let grouped = self.mode == Mode::Group && self.has_window && call.args.len() <= 1;
        grouped.then_some(match kind {
            AggregateKind::Count if call.distinct => AggregateKind::CountDistinct,
            kind => kind,
        })
    }

    /// Why an aggregate cannot stand here.
    fn no_aggregate(&self, call: &Call, span: &Span) -> RuleError {
        let name = &call.name;
        let error = |what: String| RuleError::new(what, span.clone());
        if self.in_aggregate {
            return error("an aggregate cannot stand inside another".to_owned());
        }
        if self.mode == Mode::Group && self.has_window {
            return wrong_count(name, &format!("{name}(x)"), call.args.len(), span.clone());
        }
        if self.has_window {
            return error(format!("`{name}` is about all messages of the window")).hint("write it in HAVING");
        }
        error(format!("`{name}` is about many messages, and there is no window"))
            .hint("add: GROUP BY topic, tumbling('10s')")
    }

    fn aggregate(&mut self, kind: AggregateKind, call: &Call, span: &Span) -> Compiled {
        let name = &call.name;
        if self.in_aggregate {
            return Err(RuleError::new("an aggregate cannot stand inside another", span.clone()));
        }
        let counts = matches!(kind, AggregateKind::Count | AggregateKind::CountDistinct);
        if (call.star || call.distinct) && !counts {
            return Err(RuleError::new(
                format!("only count() takes * or DISTINCT, not `{name}`"),
                span.clone(),
            ));
        }
        let argument = match call.args.as_slice() {
            [] if kind == AggregateKind::Count => None,
            [one] => {
                self.mode = Mode::Message;
                self.in_aggregate = true;
                let argument = self.compile(one);
                self.in_aggregate = false;
                self.mode = Mode::Group;
                Some(argument?)
            }
            all => return Err(wrong_count(name, &format!("{name}(x)"), all.len(), span.clone())),
        };
        self.aggregates.push(Aggregate { kind, argument });
        Ok(Node { kind: NodeKind::Aggregate(self.aggregates.len() - 1), span: span.clone() })
    }
}

impl Operator {
    fn is_arithmetic(self) -> bool {
        use Operator::*;
        matches!(self, Add | Subtract | Multiply | Divide | DivideWhole | Modulo)
    }
}

fn flat_and(all: Vec<Node>) -> NodeKind {
    let mut flat = Vec::with_capacity(all.len());
    for one in all {
        match one.kind {
            NodeKind::And(inner) => flat.extend(inner),
            kind => flat.push(Node { kind, span: one.span }),
        }
    }
    NodeKind::And(flat)
}

/// With each whether it remembers something.
fn flat_or(left: (Node, bool), right: (Node, bool)) -> NodeKind {
    let mut flat = Vec::new();
    for (one, remembers) in [left, right] {
        match one.kind {
            NodeKind::Or(inner) => flat.extend(inner),
            kind => flat.push((Node { kind, span: one.span }, remembers)),
        }
    }
    NodeKind::Or(flat)
}

/// The path of an expression such as `payload.a[0]`, if its steps are known.
pub(crate) fn payload_path(expr: &Expr) -> Option<Path> {
    let mut steps = Vec::new();
    let mut at = expr;
    loop {
        match &at.kind {
            Kind::Member(inner, key) => {
                steps.push(Step::Key(key.as_str().into()));
                at = inner;
            }
            Kind::Index(inner, index) => {
                steps.push(match &index.kind {
                    Kind::Literal(Value::Int(index)) => Step::Item(usize::try_from(*index).ok()?),
                    Kind::Literal(Value::Text(key)) => Step::Key(key.as_ref().into()),
                    _ => return None,
                });
                at = inner;
            }
            Kind::Name(name) if name == "payload" && !steps.is_empty() => {
                steps.reverse();
                return Some(Path(steps));
            }
            _ => return None,
        }
    }
}

enum MessageFunction {
    Attribute(Attribute),
    Level,
    Path(Path),
    /// A text that should be one, and why it is none.
    NoPath(String),
}

fn message_function(name: &str, args: &[Expr]) -> Option<MessageFunction> {
    use MessageFunction::{Level, Path};
    Some(match name {
        "topic" | "topic_level" if !args.is_empty() => Level,
        "topic_level" => Level,
        "topic" => MessageFunction::Attribute(Attribute::Topic),
        "payload" => match args {
            [Expr { kind: Kind::Literal(Value::Text(path)), .. }] => match path.parse() {
                Ok(path) => Path(path),
                Err(error) => MessageFunction::NoPath(error.to_string()),
            },
            _ => MessageFunction::Attribute(Attribute::Payload),
        },
        "clientid" | "client_id" => MessageFunction::Attribute(Attribute::ClientId),
        "username" | "principal" => MessageFunction::Attribute(Attribute::Username),
        "qos" => MessageFunction::Attribute(Attribute::Qos),
        "clientip" | "peerhost" | "sourceip" => MessageFunction::Attribute(Attribute::PeerHost),
        _ => return None,
    })
}
