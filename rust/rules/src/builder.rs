//! From the text of a rule to one that runs.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize};

use crate::duration::parse_duration;
use crate::error::RuleError;
use crate::groups::State;
use crate::occasion::{Attribute, Event};
use crate::program::{Compiler, Mode, Node, NodeKind, Template};
use crate::rule::{EachItem, Rule, Selected};
use crate::source::Source;
use crate::sql::{Call, Expr, Item, Kind, Span, Statement, parse_statement};
use crate::value::Value;
use crate::windows::{MOST_HOPS, Window};

/// Units of other dialects' windows: `TUMBLINGWINDOW(ss, 10)`.
const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("ss", 1000), ("mi", 60_000), ("hh", 3_600_000), ("dd", 86_400_000)];

/// A rule that was read; templates are added to it before it runs.
#[derive(Debug)]
pub struct RuleBuilder {
    statement: Statement,
    externs: Vec<String>,
    templates: Vec<String>,
    text: String,
}

impl RuleBuilder {
    /// Reads the text of a rule. `externs` are the names of functions that are not ours.
    pub fn parse(text: &str, externs: &[String]) -> Result<Self, RuleError> {
        let statement = parse_statement(text)?;
        let builder =
            Self { statement, externs: externs.to_vec(), templates: Vec::new(), text: text.to_owned() };
        // What is wrong is found now, not when it is to run.
        builder.make(1)?;
        Ok(builder)
    }

    /// Adds a text with `${…}` for the actions of the rule; which of the templates it will be. The places of an error are
    /// those of the template.
    pub fn template(&mut self, text: &str) -> Result<usize, RuleError> {
        self.templates.push(text.to_owned());
        match self.make(1) {
            Ok(_) => Ok(self.templates.len() - 1),
            Err(error) => {
                self.templates.pop();
                Err(error)
            }
        }
    }

    /// The clauses, and where each stands.
    pub fn clauses(&self) -> Vec<(&'static str, Span)> {
        let statement = &self.statement;
        let mut all = Vec::new();
        let mut add = |name, expr: &Expr| all.push((name, expr.span.clone()));
        if let Some(each) = &statement.each {
            add("FOREACH", &each.array);
            each.condition.iter().for_each(|condition| add("INCASE", condition));
        }
        for item in &statement.items {
            match item {
                Item::Column(expr, _) | Item::Spread(expr) => add("SELECT", expr),
                Item::All(_) => {}
            }
        }
        statement.condition.iter().for_each(|condition| add("WHERE", condition));
        statement.group.iter().for_each(|key| add("GROUP BY", key));
        statement.having.iter().for_each(|condition| add("HAVING", condition));
        all
    }

    /// Where its sources stand.
    pub fn source_spans(&self) -> Vec<Span> {
        let span = |source: &crate::sql::Source| match source {
            crate::sql::Source::Named(_, span) | crate::sql::Source::Timer(_, span) => span.clone(),
        };
        self.statement.sources.iter().map(span).collect()
    }

    /// The rule, which remembers at most so many groups, and its templates.
    pub fn build(&self, groups: usize) -> Result<(Rule, Vec<Template>), RuleError> {
        self.make(groups)
    }

    fn make(&self, groups: usize) -> Result<(Rule, Vec<Template>), RuleError> {
        let statement = &self.statement;
        let sources = statement.sources.iter().map(Source::of).collect::<Result<Vec<_>, _>>()?;
        let (window, keys) = split_group(&statement.group)?;
        let grouped = window.is_some() || statement.absent.is_some();
        if let (Some(_), Some((_, span))) = (&window, &statement.absent) {
            let error = RuleError::new("a window and ABSENT do not go together", span.clone());
            return Err(error.hint("make two rules of it"));
        }
        let mut compiler = Compiler::new(&self.externs);
        compiler.windowed = grouped;
        compiler.has_window = window.is_some();
        compiler.each = statement.each.as_ref().map(|each| each.name.clone());
        compiler.columns = aliases(&statement.items);
        let condition = statement.condition.as_ref().map(|one| compiler.condition(one)).transpose()?;
        let condition_remembers = compiler.memories > 0;
        let array = statement.each.as_ref().map(|each| compiler.compile(&each.array)).transpose()?;
        compiler.item = statement.each.as_ref().map(|each| each.name.clone());
        let mut group = keys.iter().map(|key| compiler.compile(key)).collect::<Result<Vec<_>, _>>()?;
        if compiler.uses_item && condition_remembers {
            let span = keys.first().map_or(0..0, |key| key.span.clone());
            let error =
                RuleError::new("the group is that of an item, but WHERE looks at what was before", span);
            return Err(error.hint("move that condition behind INCASE"));
        }
        let each = match (&statement.each, array) {
            (Some(each), Some(array)) => {
                let condition = each.condition.as_ref().map(|one| compiler.condition(one)).transpose()?;
                Some(EachItem { array, condition: condition.map(|one| *one) })
            }
            _ => None,
        };
        compiler.mode = if grouped { Mode::Group } else { Mode::Message };
        let having = statement.having.as_ref().map(|one| compiler.condition(one)).transpose()?;
        if let (Some(having), false) = (&having, grouped) {
            let error = RuleError::new(
                "HAVING is about the result of a window, and there is none",
                having.span.clone(),
            );
            return Err(error.hint("write AND … in WHERE, or add: GROUP BY topic, tumbling('10s')"));
        }
        let mut names = Vec::new();
        let selected = self.select(&mut compiler, grouped, &mut names)?;
        let simple = no_name_twice(&selected, &statement.items, &names)?;
        let mut templates = Vec::with_capacity(self.templates.len());
        all_belong(&compiler.attributes, &sources)?;
        for text in &self.templates {
            let asked = compiler.attributes.len();
            templates.push(Template::compile(text, &names, &mut compiler)?);
            all_belong(&compiler.attributes[asked..], &sources)?;
        }
        if group.is_empty() && window.is_none() {
            group = default_group(&sources);
        }
        let rule = Rule {
            selected,
            simple,
            condition: condition.map(|one| *one),
            condition_remembers,
            each,
            group,
            having: having.map(|one| *one),
            window,
            absent: statement.absent.as_ref().map(|(millis, _)| *millis),
            throttle: statement.throttle.as_ref().map(|(millis, _)| *millis),
            memories: compiler.memories,
            kinds: compiler.aggregates.iter().map(|one| one.kind).collect(),
            aggregates: compiler.aggregates,
            kept: compiler.kept,
            called: compiler.called.iter().map(|number| self.externs[*number].clone()).collect(),
            names,
            state: Mutex::new(State::new(groups)),
            remembered: AtomicUsize::new(0),
            forgotten: AtomicU64::new(0),
            fields: compiler.fields,
            sources,
        };
        Ok((rule, templates))
    }

    fn select(
        &self,
        compiler: &mut Compiler<'_>,
        grouped: bool,
        names: &mut Vec<String>,
    ) -> Result<Vec<Selected>, RuleError> {
        let mut selected = Vec::new();
        for item in &self.statement.items {
            selected.push(match item {
                Item::All(span) if grouped => {
                    let (what, hint) = match self.statement.absent {
                        Some(_) => (
                            "* is one message, and this is about none",
                            "name the columns: SELECT topic, silent_for",
                        ),
                        None => (
                            "* is one message, and this is about many",
                            "name the columns: SELECT topic, count(*) AS n",
                        ),
                    };
                    return Err(RuleError::new(what, span.clone()).hint(hint));
                }
                Item::All(_) => {
                    names.push("*".to_owned());
                    Selected::All
                }
                Item::Spread(expr) => {
                    names.push("*".to_owned());
                    Selected::Spread(spread(compiler, expr)?)
                }
                Item::Column(expr, name) => {
                    let path = match name {
                        Some(path) => path.clone(),
                        None => vec![self.name_of(expr)],
                    };
                    names.push(path[0].clone());
                    let node = match path.as_slice() {
                        [alias] if name.is_some() => compiler.column(alias, expr)?,
                        _ => compiler.compile(expr)?,
                    };
                    Selected::Column(path.into_iter().map(String::into_boxed_str).collect(), node)
                }
            });
        }
        Ok(selected)
    }

    /// What a column is called that was given no name: the last key of a path, the name of a function, else as it stands.
    fn name_of(&self, expr: &Expr) -> String {
        match &expr.kind {
            Kind::Name(name) | Kind::Member(_, name) => name.clone(),
            Kind::Call(call) => call.name.to_ascii_lowercase(),
            _ => self.text[expr.span.clone()].split_whitespace().collect::<Vec<_>>().join(" "),
        }
    }
}

/// `payload.*` is the whole payload.
fn spread(compiler: &mut Compiler<'_>, expr: &Expr) -> Result<Node, RuleError> {
    match &expr.kind {
        Kind::Name(name) if name == "payload" => compiler.whole_payload(&expr.span),
        _ => compiler.compile(expr),
    }
}

/// Names of columns that conditions may use, and what they stand for.
fn aliases(items: &[Item]) -> Vec<(String, &Expr)> {
    let alias = |item| match item {
        &Item::Column(ref expr, Some(ref name)) if name.len() == 1 => Some((name[0].clone(), expr)),
        _ => None,
    };
    items.iter().filter_map(alias).collect()
}

/// Whether rows can be made without looking for names; two columns of one name are wrong unless `*` brings one.
fn no_name_twice(selected: &[Selected], items: &[Item], names: &[String]) -> Result<bool, RuleError> {
    let mut simple = true;
    let mut taken: HashMap<&[Box<str>], bool> = HashMap::new();
    for (index, one) in selected.iter().enumerate() {
        let Selected::Column(path, _) = one else {
            simple = false;
            continue;
        };
        simple &= path.len() == 1;
        // Whether this is a value already, or has values in it.
        let mut twice = taken.insert(path, true).is_some();
        for length in 1..path.len() {
            twice |= *taken.entry(&path[..length]).or_insert(false);
        }
        if twice {
            let span = match &items[index] {
                Item::Column(expr, _) | Item::Spread(expr) => expr.span.clone(),
                Item::All(span) => span.clone(),
            };
            let error = RuleError::new(format!("two columns are called `{}`", names[index]), span);
            return Err(error.hint("give this one another name: AS …"));
        }
    }
    Ok(simple)
}

/// What a group is if nothing is said: the topic, or the client.
fn default_group(sources: &[Source]) -> Vec<Node> {
    let has_topic = sources.iter().any(|source| Attribute::Topic.belongs_to(source.event()));
    let attribute = if has_topic { Attribute::Topic } else { Attribute::ClientId };
    vec![Node { kind: NodeKind::Attribute(attribute), span: 0..0 }]
}

/// What is asked for must be there on at least one of the occasions.
fn all_belong(attributes: &[(Attribute, Span)], sources: &[Source]) -> Result<(), RuleError> {
    let events: Vec<Event> = sources.iter().map(Source::event).collect();
    for (attribute, span) in attributes {
        if !events.iter().any(|event| attribute.belongs_to(*event)) {
            let name = crate::occasion::ATTRIBUTES.iter().find(|one| one.attribute == *attribute);
            let name = name.map_or("", |one| one.name);
            let has: Vec<_> = crate::occasion::ATTRIBUTES
                .iter()
                .filter(|one| events.iter().any(|event| one.attribute.belongs_to(*event)))
                .map(|one| one.name)
                .collect();
            let error = RuleError::new(format!("{} has no `{name}`", events[0].name()), span.clone());
            return Err(error.hint(format!("it has {}", has.join(", "))));
        }
    }
    Ok(())
}

/// The window among what is grouped by, and the rest.
fn split_group(group: &[Expr]) -> Result<(Option<Window>, Vec<&Expr>), RuleError> {
    let (mut window, mut keys) = (None, Vec::new());
    for expr in group {
        let call = match &expr.kind {
            Kind::Call(call) => window_of(call, &expr.span)?,
            _ => None,
        };
        match call {
            None => keys.push(expr),
            Some(_) if window.is_some() => {
                return Err(RuleError::new("there is a window already", expr.span.clone()));
            }
            Some(call) => window = Some(call),
        }
    }
    Ok((window, keys))
}

fn window_of(call: &Call, span: &Span) -> Result<Option<Window>, RuleError> {
    let name = call.name.to_ascii_lowercase();
    let short = name.strip_suffix("window").unwrap_or(&name);
    let (least, most) = match short {
        "tumbling" | "sliding" => (1, 1),
        "hopping" => (2, 2),
        _ => return Ok(None),
    };
    let hint = match short {
        "hopping" => "for instance hopping('1m', '10s'): the last minute, every ten seconds".to_owned(),
        _ => format!("for instance {short}('10s')"),
    };
    let wrong = |what: &str, span: &Span| RuleError::new(what, span.clone()).hint(hint.clone());
    let mut times = Vec::new();
    let mut unit = None;
    for arg in &call.args {
        times.push(match (&arg.kind, unit) {
            (Kind::Literal(Value::Text(text)), _) => parse_duration(text),
            // As other dialects have it: TUMBLINGWINDOW(ss, 10)
            (Kind::Name(name), None) if times.is_empty() => {
                unit = UNITS
                    .iter()
                    .find(|(known, _)| known.eq_ignore_ascii_case(name))
                    .map(|(_, millis)| *millis);
                match unit {
                    Some(_) => continue,
                    None => None,
                }
            }
            (Kind::Literal(Value::Int(count)), Some(unit)) => {
                u64::try_from(*count).ok().and_then(|one| one.checked_mul(unit))
            }
            _ => None,
        });
        if matches!(times.last(), Some(None | Some(0))) {
            return Err(wrong("a time was expected", &arg.span));
        }
    }
    let times: Vec<u64> = times.into_iter().flatten().collect();
    if !(least..=most).contains(&times.len()) {
        return Err(wrong("a window has another number of times", span));
    }
    Ok(Some(match short {
        "tumbling" => Window::Hopping { size: times[0], hop: times[0] },
        "sliding" => Window::Sliding(times[0]),
        _ => {
            let (size, hop) = (times[0], times[1]);
            if size % hop != 0 || size / hop > MOST_HOPS {
                let what =
                    format!("the window must be a multiple of its hop, at most {MOST_HOPS} times as long");
                return Err(wrong(&what, span));
            }
            Window::Hopping { size, hop }
        }
    }))
}
