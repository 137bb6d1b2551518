//! A rule that runs.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use crate::fields::Fields;
use crate::groups::State;
use crate::occasion::{ATTRIBUTES, Event, Occasion};
use crate::program::{Aggregate, AggregateKind, Environment, Externs, Failure, Node, Step, Template, get};
use crate::source::Source;
use crate::value::{Object, Value};
use crate::windows::Window;

/// What a rule selects.
#[derive(Debug, Clone)]
pub(crate) enum Selected {
    /// Everything that is known.
    All,
    /// What an object has in it.
    Spread(Node),
    /// A value under a name, or inside objects.
    Column(Vec<Box<str>>, Node),
}

/// One result for each item of an array.
#[derive(Debug, Clone)]
pub(crate) struct EachItem {
    pub(crate) array: Node,
    pub(crate) condition: Option<Node>,
}

/// A rule, ready to run. What it remembers is bounded: so many groups, and in each so much.
#[derive(Debug)]
pub struct Rule {
    pub(crate) sources: Vec<Source>,
    pub(crate) selected: Vec<Selected>,
    /// No two columns have one name, so each may be put behind the others.
    pub(crate) simple: bool,
    pub(crate) fields: Fields,
    pub(crate) condition: Option<Node>,
    /// The condition looks at what was before.
    pub(crate) condition_remembers: bool,
    pub(crate) each: Option<EachItem>,
    pub(crate) group: Vec<Node>,
    pub(crate) having: Option<Node>,
    pub(crate) window: Option<Window>,
    pub(crate) absent: Option<u64>,
    pub(crate) throttle: Option<u64>,
    pub(crate) memories: usize,
    pub(crate) aggregates: Vec<Aggregate>,
    pub(crate) kinds: Vec<AggregateKind>,
    pub(crate) kept: Vec<Node>,
    pub(crate) names: Vec<String>,
    pub(crate) called: Vec<String>,
    pub(crate) state: Mutex<State>,
    pub(crate) remembered: AtomicUsize,
    pub(crate) forgotten: AtomicU64,
}

/// A result, and what it was made of: for whoever acts on it.
pub struct Fired<'f, 'a, 'e> {
    /// The columns.
    pub row: &'f Object<'a>,
    pub(crate) env: &'f mut Environment<'a, 'e>,
}

impl<'a> Fired<'_, 'a, '_> {
    /// Writes a template of this rule.
    pub fn render(&mut self, template: &'a Template, out: &mut Vec<u8>) -> Result<(), Failure> {
        // The places of a template are not those of the rule.
        let trace = self.env.trace.take();
        let rendered = template.render(self.row, self.env, out);
        self.env.trace = trace;
        rendered.map_err(|failure| Failure { span: 0..0, ..failure })
    }

    /// Through how many rules came what it was made of.
    pub fn hops(&self) -> u8 {
        let occasion = self.env.occasion.map(|occasion| occasion.hops());
        occasion.or(self.env.group.map(|group| group.hops)).unwrap_or(0)
    }

    /// The message or the event, unless a window has closed or a silence was found.
    pub fn occasion(&self) -> Option<&'a dyn Occasion> {
        self.env.occasion
    }
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Ran {
    /// Whether the condition held.
    pub passed: bool,
    /// Results.
    pub results: u64,
    /// Messages that a window had to let go.
    pub evicted: u64,
    /// Why there is none, or not all.
    pub failure: Option<Failure>,
}

impl Rule {
    /// Where its messages come from.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The names of its columns; `*` for all there are.
    pub fn columns(&self) -> &[String] {
        &self.names
    }

    /// The functions it calls that are not ours.
    pub fn called(&self) -> &[String] {
        &self.called
    }

    /// Whether something happens with time alone: [`Rule::tick`] is to be called.
    pub fn is_timed(&self) -> bool {
        self.absent.is_some() || matches!(self.window, Some(Window::Hopping { .. }))
    }

    /// How many groups it remembers, and how many it had to forget. It may be asked while the rule runs, also by a function
    /// that the rule calls.
    pub fn groups(&self) -> (usize, u64) {
        (self.remembered.load(Relaxed), self.forgotten.load(Relaxed))
    }

    /// Whether nothing is remembered from one message to the next.
    fn is_plain(&self) -> bool {
        self.memories == 0 && self.window.is_none() && self.absent.is_none() && self.throttle.is_none()
    }

    /// Runs it on what has happened, and gives each result to `each`.
    pub fn run<'a>(
        &'a self,
        occasion: &'a dyn Occasion,
        now: u64,
        externs: Option<&dyn Externs>,
        each: &mut dyn FnMut(&mut Fired<'_, 'a, '_>),
    ) -> Ran {
        self.run_traced(occasion, now, externs, None, each)
    }

    pub(crate) fn run_traced<'a>(
        &'a self,
        occasion: &'a dyn Occasion,
        now: u64,
        externs: Option<&dyn Externs>,
        trace: Option<&mut Vec<Step>>,
        each: &mut dyn FnMut(&mut Fired<'_, 'a, '_>),
    ) -> Ran {
        let mut ran = Ran::default();
        let result = match self.is_plain() {
            true => self.run_plain(occasion, now, externs, trace, each, &mut ran),
            false => self.run_grouped(occasion, now, externs, trace, each, &mut ran),
        };
        ran.failure = result.err();
        ran
    }

    fn run_plain<'a>(
        &'a self,
        occasion: &'a dyn Occasion,
        now: u64,
        externs: Option<&dyn Externs>,
        trace: Option<&mut Vec<Step>>,
        each: &mut dyn FnMut(&mut Fired<'_, 'a, '_>),
        ran: &mut Ran,
    ) -> Result<(), Failure> {
        let mut env = Environment::new(now, Some(occasion), &self.fields);
        (env.externs, env.trace) = (externs, trace);
        if let Some(condition) = &self.condition
            && !condition.holds(&mut env)?
        {
            return Ok(());
        }
        ran.passed = true;
        let Some(items) = &self.each else {
            let row = self.row(&mut env)?;
            ran.results += 1;
            each(&mut Fired { row: &row, env: &mut env });
            return Ok(());
        };
        for item in array(&items.array, &mut env)? {
            env.item = item;
            if let Some(condition) = &items.condition
                && !condition.holds(&mut env)?
            {
                continue;
            }
            let row = self.row(&mut env)?;
            ran.results += 1;
            each(&mut Fired { row: &row, env: &mut env });
        }
        Ok(())
    }

    /// The columns of a result.
    pub(crate) fn row<'a>(&'a self, env: &mut Environment<'a, '_>) -> Result<Object<'a>, Failure> {
        let mut row = Object(Vec::with_capacity(self.selected.len()));
        for one in &self.selected {
            match one {
                Selected::All => {
                    let event = env.occasion.map_or(Event::Timer, |occasion| occasion.event());
                    for known in ATTRIBUTES.iter().filter(|known| known.attribute.belongs_to(event)) {
                        let value = get(env, known.attribute);
                        row.set(known.name.into(), if value.is_null() { Value::Null } else { value });
                    }
                }
                Selected::Spread(node) => match node.evaluate(env)? {
                    Value::Object(object) => {
                        row.0.extend(object.0);
                        row.dedup();
                    }
                    Value::Missing | Value::Null => {}
                    other => {
                        let what = format!("{} has no fields for .*", other.kind());
                        return Err(Failure { what, span: node.span.clone() });
                    }
                },
                Selected::Column(path, node) => {
                    let value = match node.evaluate(env)? {
                        Value::Missing => Value::Null,
                        value => value,
                    };
                    match path.as_slice() {
                        [name] if self.simple => row.0.push((std::borrow::Cow::Borrowed(name), value)),
                        path => put(&mut row, path, value),
                    }
                }
            }
        }
        Ok(row)
    }
}

/// Puts a value into a row, or into objects in it.
fn put<'a>(row: &mut Object<'a>, path: &'a [Box<str>], value: Value<'a>) {
    match path {
        [] => {}
        [name] => row.set(std::borrow::Cow::Borrowed(name), value),
        [name, rest @ ..] => {
            if !matches!(row.get(name), Some(Value::Object(_))) {
                row.set(std::borrow::Cow::Borrowed(name), Value::Object(Object::default()));
            }
            let inner = row.0.iter_mut().rev().find(|(key, _)| *key == **name);
            if let Some((_, Value::Object(object))) = inner {
                put(object, rest, value);
            }
        }
    }
}

/// The items of `FOREACH`. Nothing has none.
pub(crate) fn array<'a>(node: &'a Node, env: &mut Environment<'a, '_>) -> Result<Vec<Value<'a>>, Failure> {
    match node.evaluate(env)? {
        Value::Array(items) => Ok(items),
        Value::Missing | Value::Null => Ok(Vec::new()),
        other => {
            let what = format!("FOREACH needs an array, not {}", other.kind());
            Err(Failure { what, span: node.span.clone() })
        }
    }
}
