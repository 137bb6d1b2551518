//! A thread that asks hooks which messages each receiver is to get.
//!
//! There is one, so that every receiver gets its messages in order. A message that waited too long for it is not
//! delivered: what cannot be decided is denied.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hookmq_engine::{Broker, Client as EngineClient, Message as EngineMessage, Receipt, Receiver, TapId};
use hookmq_server::Clock;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyBool;

use super::forked;
use super::lane::name_thread;
use super::line::Weigh;
use super::outcome::Outcomes;
use super::queue::Queue;
use super::runtime::Runtime;
use crate::client::Client;
use crate::message::Message;
use crate::settings;

/// Roughly what a delivery takes besides its message.
const OVERHEAD: usize = 128;

/// Why a message was withheld.
pub(crate) const TOO_LATE: &str = "the decision took too long";
const DENIED: &str = "a hook decided so";
const FAILED: &str = "a hook failed";

/// A message for some receivers, about whom hooks decide.
pub(crate) struct Delivery {
    pub(crate) message: Arc<EngineMessage>,
    pub(crate) receivers: Vec<Receiver>,
    pub(crate) taps: Arc<[TapId]>,
    pub(crate) receipt: Option<Receipt>,
    pub(crate) at: Instant,
}

impl Weigh for Delivery {
    type Run = std::iter::Empty<Self>;

    fn weight(&self) -> usize {
        OVERHEAD * (1 + self.receivers.len()) + self.message.size()
    }
}

impl Delivery {
    /// Whether it is what its receivers are to get still.
    fn is_due(&self, broker: &Broker) -> bool {
        self.receivers.iter().any(|receiver| !receiver.is_replay()) || broker.retains(&self.message)
    }

    /// Gives it up for all receivers.
    pub(crate) fn withhold(&mut self, broker: &Broker, now: u64, why: &'static str) {
        broker.with_batch(now, |batch| {
            for receiver in self.receivers.drain(..) {
                broker.withhold(&receiver, &self.message, why, batch);
            }
        });
        // It was decided, if not for the best: the publisher need not send it again.
        self.receipt.take().into_iter().for_each(Receipt::keep);
    }
}

/// The loop of the thread that decides about deliveries.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct DeliveryLane {
    pub(crate) queue: Arc<Queue<Delivery>>,
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) broker: Arc<Broker>,
    pub(crate) clock: Clock,
    pub(crate) timeout: Duration,
    pub(crate) outcomes: Outcomes,
    /// Changes when another thread takes over.
    pub(crate) generation: AtomicU64,
}

/// The deliveries that are being decided about.
#[derive(Default)]
pub(crate) struct Deciding {
    deliveries: Mutex<Vec<(u64, Delivery)>>,
    next: AtomicU64,
}

impl Deciding {
    fn put(&self, delivery: Delivery) -> u64 {
        let number = self.next.fetch_add(1, Relaxed);
        self.deliveries.lock().push((number, delivery));
        number
    }

    fn take(&self, number: u64) -> Option<Delivery> {
        let mut deliveries = self.deliveries.lock();
        let place = deliveries.iter().position(|(known, _)| *known == number)?;
        Some(deliveries.swap_remove(place).1)
    }

    /// Takes those that have gone on for too long.
    pub(crate) fn take_late(&self, timeout: Duration) -> Vec<Delivery> {
        let late = |entry: &mut (u64, Delivery)| entry.1.at.elapsed() > timeout;
        self.deliveries.lock().extract_if(.., late).map(|(_, delivery)| delivery).collect()
    }
}

impl DeliveryLane {
    fn decide(&self, py: Python<'_>, mut delivery: Delivery) -> PyResult<()> {
        if delivery.at.elapsed() > self.timeout {
            py.detach(|| delivery.withhold(&self.broker, self.clock.now(), TOO_LATE));
            return Ok(());
        }
        if !delivery.is_due(&self.broker) {
            return Ok(()); // a retained message that was replaced since: the newer one comes live
        }
        let (message, taps, at) = (Arc::clone(&delivery.message), Arc::clone(&delivery.taps), delivery.at);
        let clients: Vec<_> = delivery.receivers.iter().map(Receiver::client).collect();
        // Where whoever looks after hooks finds it: one that does not come back holds nobody up.
        let number = self.runtime.deciding.put(delivery);
        let mut decisions = Vec::with_capacity(clients.len());
        for client in clients {
            decisions.push(self.decide_one(py, &message, client, &taps, at)?);
        }
        py.detach(|| {
            let Some(delivery) = self.runtime.deciding.take(number) else { return }; // it was given up
            let Delivery { receivers, receipt, .. } = delivery;
            let decided: Vec<_> = receivers.iter().zip(decisions).collect();
            let kept = self.broker.with_batch(self.clock.now(), |batch| {
                self.broker.deliver_decided(&message, &decided, receipt.as_ref(), batch)
            });
            receipt.filter(|_| kept).into_iter().for_each(Receipt::keep);
        });
        Ok(())
    }

    /// What one receiver gets.
    fn decide_one(
        &self,
        py: Python<'_>,
        message: &Arc<EngineMessage>,
        client: Arc<EngineClient>,
        taps: &[TapId],
        at: Instant,
    ) -> PyResult<Result<Arc<EngineMessage>, &'static str>> {
        let mut message = Arc::clone(message);
        for hook in self.runtime.delivers(taps, &message.topic) {
            if hook.paused.load(Relaxed) {
                return Ok(Err("the hook that decides about it is paused"));
            }
            let client = Py::new(py, Client { client: Arc::clone(&client) })?.into_any();
            let given = Py::new(py, Message::received(Arc::clone(&message)))?;
            let arguments = [given.clone_ref(py).into_any(), client];
            let began = Instant::now();
            hook.counters.begin(began, at, 1);
            let answer = hook.call(py, &arguments, &message.topic);
            forked::end_if_child(py)?;
            hook.counters.end(Instant::now(), began);
            let answer = match answer {
                Ok(answer) => answer,
                Err(error) => {
                    return Ok(Err(match self.outcomes.denial(py, &hook, error)? {
                        Some(_) => DENIED,
                        None if at.elapsed() > self.timeout => TOO_LATE, // a coroutine was cancelled
                        None => FAILED,
                    }));
                }
            };
            if answer.is_none() {
                continue;
            }
            if let Ok(answer) = answer.cast::<PyBool>() {
                match answer.is_true() {
                    true => continue,
                    false => return Ok(Err(DENIED)),
                }
            }
            match self.outcomes.messages(py, &hook, &given, &answer)? {
                // A receiver gets one message or none.
                Ok(instead) => match instead.into_iter().next() {
                    Some(instead) => message = instead,
                    None => return Ok(Err(DENIED)),
                },
                Err(Some(_)) => return Ok(Err(DENIED)),
                Err(None) => return Ok(Err(FAILED)),
            }
        }
        Ok(Ok(message))
    }
}

#[pymethods]
impl DeliveryLane {
    /// Decides about deliveries until `close()` and nothing waits any more.
    fn run(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        name_thread(name);
        let generation = self.generation.load(Relaxed);
        let mut taken = Vec::with_capacity(1);
        while self.queue.take_now(&mut taken, 1) || py.detach(|| self.queue.take(&mut taken, 1, None)) {
            for delivery in taken.drain(..) {
                self.decide(py, delivery)?;
            }
            self.queue.done(1);
            if self.generation.load(Relaxed) != generation {
                break; // it was given up, and another thread goes on
            }
        }
        Ok(())
    }

    /// Lets another thread take over from one that does not come back: it is to call `run()` next.
    fn take_over(&self) {
        self.generation.fetch_add(1, Relaxed);
    }

    /// Lets the loop end.
    fn close(&self) {
        self.queue.close();
    }

    /// Gives up what waits.
    fn clear(&self, py: Python<'_>) {
        py.detach(|| {
            for mut delivery in self.queue.take_where(|_| true) {
                delivery.withhold(&self.broker, self.clock.now(), "the broker stops");
            }
        });
    }

    /// Waits until everything that was published before was decided, at most `timeout` seconds.
    fn wait(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let timeout = settings::timeout(timeout)?;
        Ok(py.detach(|| self.queue.wait_done(timeout)))
    }
}
