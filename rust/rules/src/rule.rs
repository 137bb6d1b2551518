//! A rule that runs.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use smallvec::SmallVec;

use crate::fields::Fields;
use crate::occasion::{ATTRIBUTES, Event, Occasion};
use crate::program::{
    Aggregate, AggregateKind, Environment, Externs, Failure, Group, Node, Step, Template, get,
};
use crate::source::Source;
use crate::state::{Memory, remembered};
use crate::value::{Object, Value};
use crate::windows::{Gathered, Keyed, Window, WindowState};

/// The longest key of a group, in bytes; of a longer one this and its hash.
const LONGEST_KEY: usize = 512;

/// What the groups of a rule may hold in memory, in bytes, roughly; and how often it is counted when that seems to be
/// reached, in milliseconds.
const MOST_BYTES: usize = 128 << 20;
const WEIGH: u64 = 1000;

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

/// What a rule remembers.
#[derive(Debug)]
pub(crate) struct State {
    groups: Keyed<Entry>,
    key: String,
    /// Nothing is due before.
    due: u64,
    /// About how much the groups hold, in bytes, and when that was counted.
    bytes: usize,
    weighed: u64,
    /// It was little.
    light: bool,
}

/// What goes from one item of a message to the next: to read it for each would take the square of their number.
#[derive(Default)]
struct Carried<'a> {
    fields: Option<Vec<Value<'a>>>,
    copied: usize,
    shared: SmallVec<[Option<Value<'a>>; 2]>,
}

impl<'a> Carried<'a> {
    fn take(&mut self, env: &mut Environment<'a, '_>) {
        (self.fields, self.copied) = (env.fields.take(), env.copied);
        self.shared = std::mem::take(&mut env.shared);
    }

    fn give(&mut self, env: &mut Environment<'a, '_>) {
        (env.fields, env.copied) = (self.fields.take(), self.copied);
    }
}

/// What is remembered of one group.
#[derive(Debug)]
struct Entry {
    memories: Vec<Memory>,
    window: Option<WindowState>,
    kept: Vec<Value<'static>>,
    last_seen: u64,
    /// Through how many rules the last message had come.
    hops: u8,
    /// Its silence was told.
    silent: bool,
    /// From when on another result may come.
    next: u64,
}

/// A result, and what it was made of: for whoever acts on it.
pub struct Fired<'f, 'a, 'e> {
    /// The columns.
    pub row: &'f Object<'a>,
    env: &'f mut Environment<'a, 'e>,
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

impl Entry {
    /// Roughly the memory that its window takes, in bytes.
    fn weight(&self) -> usize {
        self.window.as_ref().map_or(0, WindowState::weight)
    }
}

impl State {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            groups: Keyed::new(most),
            key: String::new(),
            due: u64::MAX,
            bytes: 0,
            weighed: 0,
            light: true,
        }
    }
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

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while it was held can only have left a group half counted.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins: a silence of a topic that is named is counted from now on, although nothing has come yet.
    pub fn begin(&self, now: u64) {
        let Some(absent) = self.absent else { return };
        // Of a group that is not told by the topic alone nobody knows before something has come.
        if !self.group.iter().all(Node::is_of_topic) {
            return;
        }
        let mut state = self.lock();
        for topic in self.sources.iter().filter_map(Source::single_topic) {
            let occasion = Silence(topic);
            let mut env = Environment::new(now, Some(&occasion), &self.fields);
            let mut key = String::new();
            let Ok(()) = self.key(&mut env, &mut key) else { continue };
            let kept = self
                .kept
                .iter()
                .map(|node| node.evaluate(&mut env).map(remembered).unwrap_or_default())
                .collect();
            let entry = state.groups.entry(&key, || self.entry(now));
            (entry.kept, entry.last_seen, entry.silent) = (kept, now, false);
        }
        self.count_groups(&state.groups);
        state.due = state.due.min(now.saturating_add(absent));
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

    /// Goes on at this time after it was switched off: what came meanwhile is not known, so silences are counted from here
    /// on, and windows and what was before are forgotten.
    pub fn resume(&self, now: u64) {
        {
            let mut state = self.lock();
            state.due = u64::MAX;
            let mut due = u64::MAX;
            for entry in state.groups.iter_mut() {
                let (kept, hops, silent) = (std::mem::take(&mut entry.kept), entry.hops, entry.silent);
                *entry = Entry { kept, hops, silent, ..self.entry(now) };
                due = due.min(self.due(entry));
            }
            (state.due, state.bytes) = (due, 0);
        }
        self.begin(now);
    }

    fn count_groups(&self, groups: &Keyed<Entry>) {
        self.remembered.store(groups.len(), Relaxed);
        self.forgotten.store(groups.evicted, Relaxed);
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

    fn run_grouped<'a>(
        &'a self,
        occasion: &'a dyn Occasion,
        now: u64,
        externs: Option<&dyn Externs>,
        mut trace: Option<&mut Vec<Step>>,
        each: &mut dyn FnMut(&mut Fired<'_, 'a, '_>),
        ran: &mut Ran,
    ) -> Result<(), Failure> {
        let mut state = self.lock();
        let State { groups, key, due, bytes, weighed, light } = &mut *state;
        let mut kept = Carried::default();
        let items = {
            let mut env = Environment::new(now, Some(occasion), &self.fields);
            (env.externs, env.trace) = (externs, trace.as_deref_mut());
            if self.condition_remembers {
                self.key(&mut env, key)?;
                groups.entry(key, || self.entry(now));
                self.count_groups(groups);
                env.memory = Some(&mut groups.entry(key, || self.entry(now)).memories);
            }
            if let Some(condition) = &self.condition
                && !condition.holds(&mut env)?
            {
                return Ok(());
            }
            ran.passed = true;
            let items = match &self.each {
                Some(items) => array(&items.array, &mut env)?,
                None => vec![Value::Missing],
            };
            kept.take(&mut env);
            items
        };
        let shared = kept.shared.clone();
        for item in items {
            let mut env = Environment::new(now, Some(occasion), &self.fields);
            (env.externs, env.trace, env.item) = (externs, trace.as_deref_mut(), item);
            kept.give(&mut env);
            // What an item has asked for is not for the next.
            env.shared.clone_from(&shared);
            self.key(&mut env, key)?;
            // What has gone again was not counted: all is weighed anew, but not for each message if it is much.
            if *bytes > MOST_BYTES && (*light || now.saturating_sub(*weighed) >= WEIGH) {
                *bytes = groups.iter_mut().map(|entry| entry.weight()).sum();
                (*weighed, *light) = (now, *bytes < MOST_BYTES / 2);
            }
            if *bytes > MOST_BYTES {
                ran.evicted += 1;
                kept.take(&mut env);
                continue;
            }
            let entry = groups.entry(key, || self.entry(now));
            let fed = self.feed(env, entry, now, each, ran, &mut kept);
            *due = (*due).min(self.due(entry));
            self.count_groups(groups);
            *bytes += fed?;
        }
        Ok(())
    }

    /// One item of a message, or the message, into its group; how much memory that takes, in bytes.
    fn feed<'a, 'e>(
        &'a self,
        env: Environment<'a, 'e>,
        entry: &'e mut Entry,
        now: u64,
        each: &mut dyn FnMut(&mut Fired<'_, 'a, '_>),
        ran: &mut Ran,
        carried: &mut Carried<'a>,
    ) -> Result<usize, Failure> {
        // What has closed goes out before anything is added; if that fails, the message is added all the same.
        let closed = self.close(entry, now, env.externs, each, ran);
        let fed = self.add(env, entry, now, each, ran, carried);
        closed.and(fed)
    }

    fn add<'a, 'e>(
        &'a self,
        mut env: Environment<'a, 'e>,
        entry: &'e mut Entry,
        now: u64,
        each: &mut dyn FnMut(&mut Fired<'_, 'a, '_>),
        ran: &mut Ran,
        carried: &mut Carried<'a>,
    ) -> Result<usize, Failure> {
        let Entry { memories, window, kept, last_seen, hops, silent, next } = entry;
        env.memory = Some(memories);
        if let Some(condition) = self.each.as_ref().and_then(|items| items.condition.as_ref())
            && !condition.holds(&mut env)?
        {
            carried.take(&mut env);
            return Ok(0);
        }
        if self.window.is_none() && self.absent.is_none() {
            let row = self.row(&mut env)?;
            self.pass(&row, &mut env, next, each, ran);
            carried.take(&mut env);
            return Ok(0);
        }
        *kept = self.keep(&mut env)?;
        (*last_seen, *silent) = (now, false);
        *hops = env.occasion.map_or(0, |occasion| occasion.hops());
        let (Some(window), Some(kind)) = (window, self.window) else { return Ok(0) };
        let values = self.gather(&mut env)?;
        carried.take(&mut env);
        let weight = kind.weight_of(&values);
        let (closed, full) = window.add(kind, &self.kinds, values, now);
        ran.evicted += u64::from(full);
        let Some(closed) = closed else { return Ok(weight) };
        let times = (closed.start, closed.end, *last_seen);
        let group = self.grouped(&closed.all, kept.clone(), times, *hops);
        let mut inner = Environment::new(now, None, &self.fields);
        (inner.externs, inner.memory, inner.group) = (env.externs, env.memory.take(), Some(&group));
        inner.trace = env.trace.take();
        self.conclude(&mut inner, next, each, ran)?;
        Ok(weight)
    }

    /// Results of the windows of a group that have closed.
    fn close<'a>(
        &'a self,
        entry: &mut Entry,
        now: u64,
        externs: Option<&dyn Externs>,
        each: &mut dyn FnMut(&mut Fired<'_, 'a, '_>),
        ran: &mut Ran,
    ) -> Result<(), Failure> {
        let (Some(window), Some(kind)) = (&mut entry.window, self.window) else { return Ok(()) };
        let mut result = Ok(());
        while let Some(closed) = window.close(kind, &self.kinds, now) {
            let times = (closed.start, closed.end, entry.last_seen);
            let group = self.grouped(&closed.all, entry.kept.clone(), times, entry.hops);
            let mut env = Environment::new(now, None, &self.fields);
            (env.externs, env.memory, env.group) = (externs, Some(&mut entry.memories), Some(&group));
            let concluded = self.conclude(&mut env, &mut entry.next, each, ran);
            result = result.and(concluded);
        }
        result
    }

    /// The result of a group, if it fulfils `HAVING`.
    fn conclude<'a>(
        &'a self,
        env: &mut Environment<'a, '_>,
        next: &mut u64,
        each: &mut dyn FnMut(&mut Fired<'_, 'a, '_>),
        ran: &mut Ran,
    ) -> Result<(), Failure> {
        if let Some(having) = &self.having
            && !having.holds(env)?
        {
            return Ok(());
        }
        let row = self.row(env)?;
        self.pass(&row, env, next, each, ran);
        Ok(())
    }

    /// Gives a result on, unless another came too short a time ago.
    fn pass<'a>(
        &self,
        row: &Object<'a>,
        env: &mut Environment<'a, '_>,
        next: &mut u64,
        each: &mut dyn FnMut(&mut Fired<'_, 'a, '_>),
        ran: &mut Ran,
    ) {
        if let Some(throttle) = self.throttle {
            if env.now < *next {
                return;
            }
            *next = env.now.saturating_add(throttle);
        }
        ran.results += 1;
        each(&mut Fired { row, env });
    }

    /// Does what is due at this time; when the next may be.
    pub fn tick<'a>(
        &'a self,
        now: u64,
        externs: Option<&dyn Externs>,
        each: &mut dyn FnMut(&mut Fired<'_, 'a, '_>),
    ) -> (Ran, u64) {
        let mut ran = Ran::default();
        if !self.is_timed() {
            return (ran, u64::MAX);
        }
        let mut state = self.lock();
        if state.due > now {
            return (ran, state.due);
        }
        let mut due = u64::MAX;
        for entry in state.groups.iter_mut() {
            let done = match self.absent {
                Some(absent) => self.silence(entry, absent, now, externs, each, &mut ran),
                None => self.close(entry, now, externs, each, &mut ran),
            };
            if let Err(failure) = done {
                ran.failure = Some(failure);
            }
            due = due.min(self.due(entry));
        }
        state.due = due;
        (ran, due)
    }

    fn silence<'a>(
        &'a self,
        entry: &mut Entry,
        absent: u64,
        now: u64,
        externs: Option<&dyn Externs>,
        each: &mut dyn FnMut(&mut Fired<'_, 'a, '_>),
        ran: &mut Ran,
    ) -> Result<(), Failure> {
        if entry.silent || now.saturating_sub(entry.last_seen) < absent {
            return Ok(());
        }
        entry.silent = true;
        let group =
            self.grouped(&[], entry.kept.clone(), (entry.last_seen, now, entry.last_seen), entry.hops);
        let mut env = Environment::new(now, None, &self.fields);
        (env.externs, env.memory, env.group) = (externs, Some(&mut entry.memories), Some(&group));
        self.conclude(&mut env, &mut entry.next, each, ran)
    }

    /// When something is due of a group.
    fn due(&self, entry: &Entry) -> u64 {
        match (self.absent, &entry.window) {
            (Some(absent), _) if !entry.silent => entry.last_seen.saturating_add(absent),
            (None, Some(window)) => window.due().unwrap_or(u64::MAX),
            _ => u64::MAX,
        }
    }

    fn entry(&self, now: u64) -> Entry {
        Entry {
            memories: vec![Memory::default(); self.memories],
            window: self.window.map(|window| window.state(&self.kinds, now)),
            kept: Vec::new(),
            last_seen: now,
            hops: 0,
            // Nothing of it has come yet: its silence is no news.
            silent: true,
            next: 0,
        }
    }

    /// The key of the group that this belongs to.
    fn key<'a>(&'a self, env: &mut Environment<'a, '_>, key: &mut String) -> Result<(), Failure> {
        key.clear();
        for (index, node) in self.group.iter().enumerate() {
            match node.evaluate(env)? {
                Value::Text(text) if self.group.len() == 1 => key.push_str(&text),
                value => {
                    if index > 0 {
                        key.push('\n');
                    }
                    key.push_str(&value.canonical());
                }
            }
        }
        if key.len() > LONGEST_KEY {
            let hash = crc32fast::hash(key.as_bytes());
            let mut end = LONGEST_KEY;
            while !key.is_char_boundary(end) {
                end -= 1;
            }
            key.truncate(end);
            key.push_str(&format!("#{hash:08x}"));
        }
        Ok(())
    }

    fn keep<'a>(&'a self, env: &mut Environment<'a, '_>) -> Result<Vec<Value<'static>>, Failure> {
        self.kept.iter().map(|node| node.evaluate(env).map(remembered)).collect()
    }

    fn gather<'a>(&'a self, env: &mut Environment<'a, '_>) -> Result<Vec<Gathered>, Failure> {
        let gather = |aggregate: &'a Aggregate| match &aggregate.argument {
            None => Ok(Gathered::Count(1)),
            Some(argument) => {
                let value = argument.evaluate(env)?;
                let wrong =
                    |wrong: crate::functions::Wrong| Failure { what: wrong.0, span: argument.span.clone() };
                aggregate.kind.of(value).map_err(wrong)
            }
        };
        self.aggregates.iter().map(gather).collect()
    }

    fn grouped(
        &self,
        all: &[Gathered],
        kept: Vec<Value<'static>>,
        (start, end, last_seen): (u64, u64, u64),
        hops: u8,
    ) -> Group {
        let aggregates = self.kinds.iter().zip(all).map(|(kind, gathered)| kind.result(gathered)).collect();
        Group { aggregates, kept, start, end, last_seen, hops }
    }

    /// The columns of a result.
    fn row<'a>(&'a self, env: &mut Environment<'a, '_>) -> Result<Object<'a>, Failure> {
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
fn array<'a>(node: &'a Node, env: &mut Environment<'a, '_>) -> Result<Vec<Value<'a>>, Failure> {
    match node.evaluate(env)? {
        Value::Array(items) => Ok(items),
        Value::Missing | Value::Null => Ok(Vec::new()),
        other => {
            let what = format!("FOREACH needs an array, not {}", other.kind());
            Err(Failure { what, span: node.span.clone() })
        }
    }
}

/// A topic of which nothing has come.
struct Silence<'t>(&'t str);

impl Occasion for Silence<'_> {
    fn event(&self) -> Event {
        Event::MessagePublished
    }

    fn topic(&self) -> &str {
        self.0
    }

    fn payload(&self) -> &[u8] {
        b""
    }

    fn content_type(&self) -> Option<&str> {
        None
    }

    fn get(&self, attribute: crate::occasion::Attribute) -> Value<'_> {
        match attribute {
            crate::occasion::Attribute::Topic => Value::Text(self.0.into()),
            _ => Value::Missing,
        }
    }
}
