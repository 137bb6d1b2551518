//! Sequences at random against a simple model of sessions and QoS: two clients share a Client Identifier and take
//! it over from each other, a third publishes, connections break, time passes.
//!
//! `HOOKMQ_TEST_SEED` repeats a run, `HOOKMQ_MODEL_SEQUENCES` says how many sequences there are. The figures
//! stand in the output of `cargo test`. A sequence that fails is made as short as it can be.

mod expected;
mod play;
mod step;

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use step::{Random, Step};

const SEQUENCES: u64 = 100_000;

/// What the sequences came to.
#[derive(Default)]
struct Figures {
    played: AtomicU64,
    steps: AtomicU64,
    /// The first failure: its number, its steps and what was wrong.
    failed: Mutex<Option<(u64, Vec<Step>, String)>>,
}

/// Plays a sequence; a panic of the engine is a mismatch as well.
fn play(steps: &[Step], durable: bool) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| play::play(steps, durable))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        Err(format!("panicked: {}", text.or(panic.downcast_ref().copied()).unwrap_or("")))
    })
}

/// Leaves out steps as long as the sequence still fails: halves first, then smaller and smaller parts.
fn shortened(mut steps: Vec<Step>, mut mismatch: String, durable: bool) -> (Vec<Step>, String) {
    let mut part = steps.len().div_ceil(2);
    loop {
        let mut start = 0;
        while start < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(start..(start + part).min(steps.len()));
            match play(&fewer, durable) {
                Err(other) => (steps, mismatch) = (fewer, other),
                Ok(()) => start += part,
            }
        }
        if part <= 1 {
            return (steps, mismatch);
        }
        part /= 2;
    }
}

fn sequence(seed: u64, number: u64, durable: bool) -> Vec<Step> {
    Step::sequence(&mut Random(seed.wrapping_add(number.wrapping_mul(0xd134_2543_de82_ef95))), durable)
}

fn run(seed: u64, sequences: u64, durable: bool, next: &AtomicU64, figures: &Figures) {
    while let number = next.fetch_add(1, Relaxed)
        && number < sequences
        && figures.failed.lock().is_none()
    {
        let steps = sequence(seed, number, durable);
        figures.steps.fetch_add(steps.len() as u64, Relaxed);
        match play(&steps, durable) {
            Ok(()) => drop(figures.played.fetch_add(1, Relaxed)),
            Err(mismatch) => {
                let first = &mut *figures.failed.lock();
                if first.as_ref().is_none_or(|(other, ..)| number < *other) {
                    *first = Some((number, steps, mismatch));
                }
            }
        }
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect(name))
}

/// Writes a line for the record.
#[allow(clippy::explicit_write)] // the test harness would swallow `eprintln!`
fn say(line: std::fmt::Arguments<'_>) {
    writeln!(std::io::stderr(), "{line}").unwrap();
}

#[test]
fn two_clients_with_one_identifier_get_what_the_model_says() {
    compare("model of sessions", SEQUENCES, false);
}

#[test]
fn they_get_it_also_when_the_broker_is_killed_and_starts_again() {
    compare("model of sessions and kills", SEQUENCES / 5, true);
}

fn compare(name: &str, sequences: u64, durable: bool) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = variable("HOOKMQ_TEST_SEED").unwrap_or(now.as_nanos() as u64);
    let sequences = variable("HOOKMQ_MODEL_SEQUENCES").unwrap_or(sequences);
    let (figures, next, started) = (Figures::default(), AtomicU64::new(0), Instant::now());
    say(format_args!("{name}: HOOKMQ_TEST_SEED={seed}"));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| run(seed, sequences, durable, &next, &figures));
        }
    });
    let failed = figures.failed.lock().take();
    say(format_args!(
        "{name}: {} sequences of {} steps in all in {:.1} s, {} mismatches",
        figures.played.load(Relaxed),
        figures.steps.load(Relaxed),
        started.elapsed().as_secs_f64(),
        u8::from(failed.is_some()),
    ));
    if let Some((number, steps, mismatch)) = failed {
        let (steps, mismatch) = shortened(steps, mismatch, durable);
        let steps: String = steps.iter().map(|step| format!("\n  {step:?}")).collect();
        panic!("HOOKMQ_TEST_SEED={seed}, sequence {number}, shortened: {mismatch}{steps}");
    }
}
