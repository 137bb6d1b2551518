//! Runs a target on changed copies of its seeds, without coverage but with the stable compiler:
//! `cargo run --release -p hookmq-fuzz-targets --example mutate -- rules 10000000 [SEED]`.
//!
//! What breaks the target is shown; the input that it is at stands in a file, for what ends the process or never ends.

// It is a program for the terminal, and what it cannot do ends it.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../tests/mutation/mod.rs"]
mod mutation;

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::path::Path;
use std::time::{Duration, Instant};

use hookmq_fuzz_targets::TARGETS;
use mutation::Mutation;

/// Inputs that broke the target: so many are shown.
const SHOWN: u64 = 20;

/// What takes longer is shown.
const LONG: Duration = Duration::from_millis(50);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "rules".to_owned());
    let count: u64 = arguments.next().map_or(1_000_000, |count| count.parse().unwrap());
    let seed: u64 = arguments.next().map_or(1, |seed| seed.parse().unwrap());
    let (_, run) = TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(&name);
    let seeds: Vec<Vec<u8>> =
        fs::read_dir(corpus).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect();
    // A thread has the stack that those of the broker have.
    std::thread::spawn(move || mutate(&name, *run, &seeds, count, seed)).join().unwrap();
}

fn mutate(name: &str, run: fn(&[u8]), seeds: &[Vec<u8>], count: u64, seed: u64) {
    let all: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    let mut mutation = Mutation::new(seed);
    let path = std::env::temp_dir().join(format!("hookmq-fuzz-{name}-{seed}"));
    let now_at = File::create(&path).unwrap();
    println!("{} seeds; the input that it is at: {}", seeds.len(), path.display());
    let (mut panics, mut slowest) = (0, (Duration::ZERO, Vec::new()));
    set_hook(Box::new(|info| println!("{info}")));
    let begun = Instant::now();
    for number in 0..count {
        let mut input = all[number as usize % all.len()].to_vec();
        // Each time some changes more.
        for _ in 0..=number / all.len() as u64 % 3 {
            input = mutation.of(&input, &all);
        }
        now_at.set_len(input.len() as u64).unwrap();
        now_at.write_all_at(&input, 0).unwrap();
        let at = Instant::now();
        if catch_unwind(AssertUnwindSafe(|| run(&input))).is_err() {
            panics += 1;
            if panics <= SHOWN {
                println!("input {number}: {:?}", String::from_utf8_lossy(&input));
            }
        }
        let mut taken = at.elapsed();
        // Others have the processor as well, so what takes long is asked twice.
        if taken > LONG {
            let again = Instant::now();
            let _ = catch_unwind(AssertUnwindSafe(|| run(&input)));
            taken = taken.min(again.elapsed());
        }
        if taken > slowest.0 {
            slowest = (taken, input);
            if taken > LONG {
                println!("input {number} takes {taken:?}: {:?}", String::from_utf8_lossy(&slowest.1));
            }
        }
        if (number + 1).is_multiple_of(1_000_000) {
            println!("{} inputs in {:?}", number + 1, begun.elapsed());
        }
    }
    println!("{count} inputs in {:?}, {panics} panics, {} kB at most", begun.elapsed(), memory());
    println!("the slowest took {:?}: {:?}", slowest.0, String::from_utf8_lossy(&slowest.1));
}

/// The most memory that the process has had, in kB.
fn memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("?");
    most.trim().trim_end_matches(" kB").to_owned()
}
