//! What a rule remembers from one message to the next: groups, their windows and silences.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{MutexGuard, PoisonError};

use smallvec::SmallVec;

use crate::occasion::{Attribute, Event, Occasion};
use crate::program::{Aggregate, Environment, Externs, Failure, Group, Node, Step};
use crate::rule::{Fired, Ran, Rule, array};
use crate::source::Source;
use crate::state::{Memory, remembered};
use crate::value::{Object, Value};
use crate::windows::{Gathered, Keyed, WindowState};

/// The longest key of a group, in bytes; of a longer one this and its hash.
const LONGEST_KEY: usize = 512;

/// What the groups of a rule may hold in memory, in bytes, roughly; and how often it is counted when that seems to be
/// reached, in milliseconds.
const MOST_BYTES: usize = 128 << 20;
const WEIGH: u64 = 1000;

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

    pub(crate) fn run_grouped<'a>(
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

    fn get(&self, attribute: Attribute) -> Value<'_> {
        match attribute {
            Attribute::Topic => Value::Text(self.0.into()),
            _ => Value::Missing,
        }
    }
}
