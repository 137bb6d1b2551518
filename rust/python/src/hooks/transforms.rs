//! What becomes of publishes, asked of `transform` hooks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use hookmq_codec::ReasonCode;
use hookmq_engine::{Client as EngineClient, Denied, Message as EngineMessage};
use hookmq_server::{Asked, Transformed};
use pyo3::prelude::*;

use super::forked;
use super::hook::Hook;
use super::outcome::Outcomes;
use super::runtime::Runtime;
use crate::client::Client;
use crate::message::Message;

/// What a chain of hooks made of a message.
enum Made {
    Kept,
    Instead(Vec<Arc<EngineMessage>>),
    Refused(Denied),
    Failed,
}

/// Asks the hooks about every publish, in order. Each is asked about what the one before it left.
pub(crate) fn ask(
    py: Python<'_>,
    runtime: &Runtime,
    outcomes: &Outcomes,
    (client, asked, at, progress): (&Arc<EngineClient>, &[Asked], Instant, &AtomicUsize),
) -> PyResult<Vec<Transformed>> {
    let mut answers = Vec::with_capacity(asked.len());
    for Asked { publish, taps } in asked {
        let message = EngineMessage::from_publish(publish.clone(), Arc::clone(&client.id), runtime.now());
        let mut messages = vec![Arc::new(message.detached())];
        let mut kept = true;
        let mut ended = None;
        'hooks: for hook in runtime.transforms(taps, &publish.topic) {
            let mut next = Vec::with_capacity(messages.len());
            for message in std::mem::take(&mut messages) {
                match one(py, &hook, outcomes, client, &message, at)? {
                    Made::Kept => next.push(message),
                    Made::Instead(instead) => {
                        kept = false;
                        next.extend(instead);
                    }
                    Made::Refused(denied) => {
                        ended = Some(Transformed::Refuse(denied));
                        break 'hooks;
                    }
                    Made::Failed => {
                        ended = Some(Transformed::Failed);
                        break 'hooks;
                    }
                }
            }
            messages = next;
            if messages.is_empty() {
                break;
            }
        }
        progress.fetch_add(1, Relaxed);
        answers.push(match ended {
            Some(ended) => ended,
            None if kept => Transformed::Keep,
            None => Transformed::Instead(messages.iter().map(|one| owned(one, client)).collect()),
        });
    }
    Ok(answers)
}

/// A message as the client's own, whoever made it.
pub(crate) fn owned(message: &EngineMessage, client: &EngineClient) -> EngineMessage {
    EngineMessage { publisher: Arc::clone(&client.id), ..message.clone() }
}

fn one(
    py: Python<'_>,
    hook: &Hook,
    outcomes: &Outcomes,
    client: &Arc<EngineClient>,
    message: &Arc<EngineMessage>,
    at: Instant,
) -> PyResult<Made> {
    if hook.paused.load(Relaxed) {
        let text = Some("the hook that decides about publishes is paused".into());
        return Ok(Made::Refused(Denied { reason: ReasonCode::ImplementationSpecificError, text }));
    }
    let given = Py::new(py, Message::received(Arc::clone(message)))?;
    let began = Instant::now();
    hook.counters.begin(began, at, 1);
    let answer = match hook.positional {
        0 | 1 => hook.call(py, &[given.clone_ref(py).into_any()], &message.topic),
        _ => {
            let client = Py::new(py, Client { client: Arc::clone(client) })?.into_any();
            hook.call(py, &[given.clone_ref(py).into_any(), client], &message.topic)
        }
    };
    forked::end_if_child(py)?;
    hook.counters.end(Instant::now(), began);
    Ok(match answer {
        Ok(answer) if answer.is_none() => Made::Kept,
        Ok(answer) => match outcomes.messages(py, hook, &given, &answer)? {
            Ok(messages) => Made::Instead(messages),
            Err(Some(denied)) => Made::Refused(denied),
            Err(None) => Made::Failed,
        },
        Err(error) => match outcomes.denial(py, hook, error)? {
            Some(denied) => Made::Refused(denied),
            None => Made::Failed,
        },
    })
}
