//! A rule on a sample, step by step: for whoever writes one.

use crate::program::{Externs, Failure};
use crate::rule::Rule;
use crate::value::{Object, Value};
use crate::{Occasion, Template};

/// A step: which part of the rule gave what.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// Where the part stands, in bytes of the rule's text.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// What it gave.
    pub value: Value<'static>,
}

/// What came of a trial.
#[derive(Debug, Default)]
pub struct Trial {
    /// The steps, in the order in which they were done.
    pub steps: Vec<Tried>,
    /// Whether the condition held.
    pub passed: bool,
    /// The results.
    pub results: Vec<Object<'static>>,
    /// For each result what each of the templates gives.
    pub rendered: Vec<Vec<Result<Vec<u8>, Failure>>>,
    /// Why there are none, or not all.
    pub failure: Option<Failure>,
}

/// Runs a rule on a sample.
pub fn try_rule(
    rule: &Rule,
    templates: &[Template],
    occasion: &dyn Occasion,
    now: u64,
    externs: Option<&dyn Externs>,
) -> Trial {
    let mut trial = Trial::default();
    let mut steps = Vec::new();
    let ran = rule.run_traced(occasion, now, externs, Some(&mut steps), &mut |fired| {
        trial.results.push(owned(fired.row));
        let mut render = |template| {
            let mut text = Vec::new();
            fired.render(template, &mut text).map(|()| text)
        };
        trial.rendered.push(templates.iter().map(&mut render).collect());
    });
    trial.passed = ran.passed;
    trial.failure = ran.failure;
    trial.steps = steps
        .into_iter()
        .map(|step| Tried { start: step.span.start, end: step.span.end, value: step.value })
        .collect();
    trial
}

/// Lets a rule do what is due at a time.
pub fn try_tick(rule: &Rule, now: u64, externs: Option<&dyn Externs>) -> Trial {
    let mut trial = Trial::default();
    let (ran, _) = rule.tick(now, externs, &mut |fired| trial.results.push(owned(fired.row)));
    trial.passed = ran.results > 0;
    trial.failure = ran.failure;
    trial
}

fn owned(row: &Object<'_>) -> Object<'static> {
    match Value::Object(row.clone()).into_owned() {
        Value::Object(object) => object,
        _ => Object::default(),
    }
}
