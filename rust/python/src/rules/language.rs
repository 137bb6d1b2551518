//! Reading, describing and trying rules, without a broker.

use hookmq_rules::sample::Sample;
use hookmq_rules::trial::{Trial, try_rule as trial, try_tick};
use hookmq_rules::{Failure, RuleBuilder, RuleError as Wrong, SPECIAL, Source, Template, Value, functions};
use pyo3::create_exception;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::functions::Functions;
use super::values::{from_python, row_to_dict, to_python};

create_exception!(
    _hookmq,
    RuleError,
    PyValueError,
    "The text of a rule is wrong; its arguments are what, from and to which character, and a suggestion or None."
);

/// Groups that a rule on trial remembers.
const GROUPS: usize = 1000;

/// Bytes of a text as characters.
fn characters(text: &str, at: usize) -> usize {
    text.char_indices().take_while(|(index, _)| *index < at).count()
}

/// What is wrong with a text, as Python is told.
pub(super) fn wrong(text: &str, error: Wrong) -> PyErr {
    let (start, end) = (characters(text, error.span.start), characters(text, error.span.end));
    RuleError::new_err((error.what, start, end, error.hint))
}

/// Why a rule failed, as Python is told: what, from and to which character, and no suggestion.
pub(super) fn failure(text: &str, failure: &Failure) -> (String, usize, usize, Option<String>) {
    let span = &failure.span;
    (failure.what.clone(), characters(text, span.start), characters(text, span.end), None)
}

/// What a rule says: its sources, columns, and the functions of Python's that it calls. Raises `RuleError`.
#[pyfunction]
#[pyo3(signature = (sql, functions = vec![]))]
pub(crate) fn describe_rule<'py>(
    py: Python<'py>,
    sql: &str,
    functions: Vec<String>,
) -> PyResult<Bound<'py, PyDict>> {
    let builder = RuleBuilder::parse(sql, &functions).map_err(|error| wrong(sql, error))?;
    let (rule, _) = builder.build(1).map_err(|error| wrong(sql, error))?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_millis() as u64);
    let sources = PyList::empty(py);
    for source in rule.sources() {
        let dict = PyDict::new(py);
        match source {
            Source::Topic(filter) => dict.set_item("topic", filter)?,
            Source::Event(event) => dict.set_item("event", event.name())?,
            Source::Timer(timer) => {
                dict.set_item("timer", timer.to_string())?;
                let mut at = now;
                let next = std::iter::from_fn(|| {
                    at = timer.next_after(at)?;
                    Some(at)
                });
                dict.set_item("next", next.take(5).collect::<Vec<_>>())?;
            }
        }
        sources.append(dict)?;
    }
    let dict = PyDict::new(py);
    dict.set_item("sources", sources)?;
    dict.set_item("columns", rule.columns())?;
    dict.set_item("functions", rule.called())?;
    dict.set_item("timed", rule.is_timed())?;
    Ok(dict)
}

/// Every function of the language: name, aliases, group, usage, what it gives, examples.
#[pyfunction]
pub(crate) fn rule_functions(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyDict>>> {
    type Entry = (&'static str, &'static [&'static str], &'static str, &'static str, &'static str);
    let entry = |(name, aliases, group, usage, what): Entry, examples: Vec<(String, String)>| {
        let dict = PyDict::new(py);
        dict.set_item("name", name)?;
        dict.set_item("aliases", aliases)?;
        dict.set_item("group", group)?;
        dict.set_item("usage", usage)?;
        dict.set_item("what", what)?;
        dict.set_item("examples", examples)?;
        Ok::<_, PyErr>(dict)
    };
    let mut all = Vec::new();
    for one in SPECIAL {
        let example = |(expression, payloads, result): &(&str, &[&str], &str)| {
            let shown = match *payloads {
                ["0"] => expression.to_string(),
                payloads => format!("{expression} for {}", payloads.join(", ")),
            };
            // One result for each message, but of an aggregate.
            let result = match one.group {
                "Aggregates" => result,
                _ => result.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(result),
            };
            (shown, result.to_owned())
        };
        let examples = one.examples.iter().map(example).collect();
        all.push(entry((one.name, one.aliases, one.group, one.usage, one.what), examples)?);
    }
    for one in functions::all() {
        let examples = one
            .examples
            .iter()
            .map(|(expression, result)| (expression.to_string(), result.to_string()))
            .collect();
        all.push(entry((one.name, one.aliases, one.group, one.usage, one.what), examples)?);
    }
    Ok(all)
}

/// Whether this is the name of a function of the language.
#[pyfunction]
pub(crate) fn is_rule_function(name: &str) -> bool {
    hookmq_rules::is_function(name)
}

/// Runs a rule on samples, one after the other, and tells each step. `templates` are texts with `${…}` that are written
/// for each result. Raises `RuleError`, and `ValueError` for a sample that cannot be.
#[pyfunction]
#[pyo3(signature = (sql, samples, functions = None, templates = vec![]))]
pub(crate) fn try_rule<'py>(
    py: Python<'py>,
    sql: &str,
    samples: Vec<Bound<'py, PyDict>>,
    functions: Option<&Bound<'py, PyDict>>,
    templates: Vec<String>,
) -> PyResult<Vec<Bound<'py, PyDict>>> {
    let functions = Functions::of(functions, None)?;
    let mut builder = RuleBuilder::parse(sql, &functions.names).map_err(|error| wrong(sql, error))?;
    for template in &templates {
        builder.template(template).map_err(|error| wrong(template, error))?;
    }
    let (rule, compiled) = builder.build(GROUPS).map_err(|error| wrong(sql, error))?;
    let externs = functions.attached(py);
    let mut now = 0;
    let mut answers = Vec::with_capacity(samples.len());
    for (index, sample) in samples.iter().enumerate() {
        let (at, attributes) = split_now(sample)?;
        now = match at {
            Some(at) => at,
            None if index == 0 => std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |since| since.as_millis() as u64),
            None => now,
        };
        if index == 0 {
            rule.begin(now);
        }
        let mut due = try_tick(&rule, now, Some(&externs));
        let answer = match attributes {
            None => answer(py, sql, &builder, due, &[])?,
            Some(attributes) => {
                let sample = Sample::new(attributes).map_err(PyValueError::new_err)?;
                let matches = rule.sources().iter().any(|source| source.has(&sample));
                let mut done = match matches {
                    true => trial(&rule, &compiled, &sample, now, Some(&externs)),
                    false => Trial::default(),
                };
                // What was due by then came before.
                due.results.append(&mut done.results);
                done.results = due.results;
                done.failure = done.failure.or(due.failure);
                let from = builder.source_spans().into_iter().zip(rule.sources());
                let from: Vec<_> = from.map(|(span, source)| (span, source.has(&sample))).collect();
                answer(py, sql, &builder, done, &from)?
            }
        };
        answers.push(answer);
    }
    Ok(answers)
}

/// When a sample comes, and what it is; nothing if it is only time.
fn split_now(sample: &Bound<'_, PyDict>) -> PyResult<(Option<u64>, Option<hookmq_rules::Object<'static>>)> {
    let Value::Object(mut attributes) = from_python(sample.as_any())? else { return Ok((None, None)) };
    let at = attributes.0.iter().position(|(key, _)| key == "now").map(|index| attributes.0.remove(index).1);
    let at = match at {
        None => None,
        Some(value) => match value.as_number() {
            Some(millis) if millis >= 0.0 => Some(millis as u64),
            _ => return Err(PyValueError::new_err("`now` is a time in milliseconds since the Unix epoch")),
        },
    };
    Ok((at, (!attributes.0.is_empty()).then_some(attributes)))
}

fn answer<'py>(
    py: Python<'py>,
    sql: &str,
    builder: &RuleBuilder,
    trial: Trial,
    from: &[(std::ops::Range<usize>, bool)],
) -> PyResult<Bound<'py, PyDict>> {
    let clauses = builder.clauses();
    let steps = PyList::empty(py);
    let add = |name: &str, start: usize, end: usize, value: Bound<'py, PyAny>| -> PyResult<()> {
        let step = PyDict::new(py);
        step.set_item("step", name)?;
        step.set_item("text", sql.get(start..end))?;
        step.set_item("start", characters(sql, start))?;
        step.set_item("end", characters(sql, end))?;
        step.set_item("value", value)?;
        step.set_item("note", py.None())?;
        steps.append(step)
    };
    for (span, matches) in from {
        add("FROM", span.start, span.end, to_python(py, &Value::Bool(*matches))?)?;
    }
    for step in &trial.steps {
        // What stands nowhere was not written: the group that is taken if none is named.
        let within =
            |(_, span): &&(&str, std::ops::Range<usize>)| span.start <= step.start && step.end <= span.end;
        if let Some((name, _)) = clauses.iter().find(within).filter(|_| step.end > step.start) {
            add(name, step.start, step.end, to_python(py, &step.value)?)?;
        }
    }
    let results = trial.results.iter().map(|row| row_to_dict(py, row)).collect::<PyResult<Vec<_>>>()?;
    let rendered: Vec<Vec<String>> = trial
        .rendered
        .iter()
        .map(|texts| {
            let text = |text: &Result<Vec<u8>, Failure>| match text {
                Ok(text) => String::from_utf8_lossy(text).into_owned(),
                Err(failure) => failure.what.clone(),
            };
            texts.iter().map(text).collect()
        })
        .collect();
    let dict = PyDict::new(py);
    dict.set_item("steps", steps)?;
    dict.set_item("passed", trial.passed)?;
    dict.set_item("results", results)?;
    dict.set_item("rendered", rendered)?;
    dict.set_item("error", trial.failure.as_ref().map(|one| failure(sql, one)))?;
    Ok(dict)
}

/// A text with `${…}` written for a result and what it was made of. Raises `RuleError`.
#[pyfunction]
#[pyo3(signature = (template, row, source = None))]
pub(crate) fn render_template(
    template: &str,
    row: &Bound<'_, PyDict>,
    source: Option<&Bound<'_, PyDict>>,
) -> PyResult<String> {
    let object = |dict: &Bound<'_, PyDict>| match from_python(dict.as_any())? {
        Value::Object(object) => Ok::<_, PyErr>(object),
        _ => Ok(hookmq_rules::Object::default()),
    };
    let source = source.map(object).transpose()?.unwrap_or_default();
    let rendered =
        Template::render_once(template, &object(row)?, &source).map_err(|error| wrong(template, error))?;
    Ok(String::from_utf8_lossy(&rendered).into_owned())
}

/// The names that a text with `${…}` is made of. Raises `RuleError`.
#[pyfunction]
pub(crate) fn check_template(template: &str) -> PyResult<Vec<String>> {
    Template::names(template).map_err(|error| wrong(template, error))
}
