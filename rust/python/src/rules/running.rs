//! From what happens to rules, and from their results to hooks.

use std::cell::RefCell;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};

use hookmq_engine::{Broker, Gate, Millis, Passing};
use hookmq_rules::Event;
use hookmq_server::rules::{ActiveRule, Elsewhere, Happened, Happening, Outputs, Rest, ResultRow};

use super::call::RuleInput;
use crate::hooks::desk::Desk;
use crate::hooks::hook::Hook;
use crate::hooks::lane;
use crate::hooks::runtime::Runtime;

thread_local! {
    /// What rules have asked for on this thread, until the engine lets it be done.
    static PENDING: RefCell<Outputs> = RefCell::new(Outputs::default());
}

/// Rules while a batch is looked through.
pub(crate) struct RuleRun<'r> {
    runtime: &'r Runtime,
    /// Once it was needed.
    broker: Option<Arc<Broker>>,
    outputs: Outputs,
}

impl<'r> RuleRun<'r> {
    pub(crate) fn new(runtime: &'r Runtime) -> Self {
        Self { runtime, broker: None, outputs: Outputs::default() }
    }

    fn broker(&mut self) -> Option<Arc<Broker>> {
        if self.broker.is_none() {
            self.broker = self.runtime.engine();
        }
        self.broker.clone()
    }

    /// Runs a rule on a message that was published.
    pub(crate) fn published(&mut self, rule: &Arc<ActiveRule>, message: &Passing) {
        let Some(broker) = self.broker() else { return };
        rule.run(&Happened::published(message, &broker), None, &mut self.outputs);
    }

    /// Runs a rule on anything else.
    pub(crate) fn happened(&mut self, rule: &Arc<ActiveRule>, happening: &Happening) {
        let Some(broker) = self.broker() else { return };
        rule.run(&happening.as_happened(&broker), None, &mut self.outputs);
    }

    /// Puts what was asked for where [`Runtime::settle_rules`] finds it.
    pub(crate) fn close(self) {
        if !self.outputs.is_empty() {
            PENDING.with_borrow_mut(|pending| pending.append(self.outputs));
        }
    }
}

impl Runtime {
    /// The broker whose hooks these are, as long as there is one.
    pub(crate) fn engine(&self) -> Option<Arc<Broker>> {
        self.broker.get().and_then(Weak::upgrade)
    }

    /// Does what rules have asked for on this thread.
    pub(crate) fn settle_rules(&self, gates: &mut Vec<Arc<dyn Gate>>) {
        let outputs = PENDING.with_borrow_mut(|pending| match pending.is_empty() {
            true => None,
            false => Some(std::mem::take(pending)),
        });
        if let (Some(outputs), Some(broker)) = (outputs, self.engine()) {
            self.act(outputs, &broker, self.now(), gates);
        }
    }

    /// Does what rules have asked for.
    pub(crate) fn act(
        &self,
        outputs: Outputs,
        broker: &Arc<Broker>,
        now: Millis,
        gates: &mut Vec<Arc<dyn Gate>>,
    ) {
        let mut rest = Rest { results: Vec::new(), refused: Vec::new(), gates };
        outputs.act(broker, now, &mut rest);
        let Rest { mut results, refused, .. } = rest;
        for publish in refused.into_iter().map(Box::new) {
            let again = match self.elsewhere() {
                Some(elsewhere) => self.rules.retry(publish, broker, &elsewhere),
                None => Err(publish),
            };
            results.extend(again.err().and_then(|publish| publish.give_up()));
        }
        self.hand_out(results, gates);
    }

    /// Calls hooks with results.
    fn hand_out(&self, rows: Vec<ResultRow>, gates: &mut Vec<Arc<dyn Gate>>) {
        if rows.is_empty() {
            return;
        }
        let hook = |row: ResultRow| Some((self.hooks.get(row.hook)?, row));
        let due: Vec<(Arc<Hook>, ResultRow)> = rows.into_iter().filter_map(hook).collect();
        let (hooks, rows): (Vec<_>, Vec<_>) = due.into_iter().unzip();
        let mut desk = Desk::new(rows.len(), &self.hooks, gates);
        for (hook, row) in hooks.iter().zip(rows) {
            if hook.wants(b"") {
                desk.put(hook, lane::Happening::Result(Box::new(row)));
            }
        }
        desk.close(&self.deliveries);
    }

    /// Gives a rule that calls functions of Python's to the hook that runs it.
    pub(crate) fn put_rule<'a>(
        &self,
        desk: &mut Desk<'a, '_>,
        hook: &'a Hook,
        rule: &Arc<ActiveRule>,
        happening: Option<Happening>,
    ) {
        if hook.wants(b"") {
            let at = happening.as_ref().map_or_else(|| self.now(), |happening| happening.at);
            let input = RuleInput::new(Arc::clone(rule), happening, at);
            desk.put(hook, lane::Happening::Rule(Box::new(input)));
        }
    }

    /// Rules that run on something other than messages.
    pub(crate) fn rules_of(&self, event: Event) -> Vec<Arc<ActiveRule>> {
        match self.rules_on_clients.load(Relaxed) {
            true => self.rules.of_event(event),
            false => Vec::new(),
        }
    }
}

impl Elsewhere for Runtime {
    fn results(&self, rows: Vec<ResultRow>, gates: &mut Vec<Arc<dyn Gate>>) {
        self.hand_out(rows, gates);
    }

    fn run(&self, rule: &Arc<ActiveRule>, happening: Option<Happening>) -> bool {
        let hook = self.rule_hooks.read().get(&rule.number).cloned();
        let Some(hook) = hook else { return false };
        if happening.is_none() && rule.told_due.swap(true, Relaxed) {
            return true; // it has not come to that yet
        }
        let mut gates = Vec::new();
        let mut desk = Desk::new(1, &self.hooks, &mut gates);
        self.put_rule(&mut desk, &hook, rule, happening);
        desk.close(&self.deliveries);
        true
    }
}
