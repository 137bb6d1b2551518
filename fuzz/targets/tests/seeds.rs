//! Every target with every seed in `fuzz/corpus` and mutations of it: what the stable compiler can do in
//! seconds of what `make fuzz` does for longer.

// In a test a panic is the report.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod mutation;

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use hookmq_fuzz_targets::TARGETS;
use mutation::Mutation;

/// Inputs made of each seed.
const MUTATIONS: usize = 500;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn names(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(directory)).unwrap();
    let mut names: Vec<_> = entries.map(|one| one.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The seeds of a target by name.
fn seeds(target: &str) -> BTreeMap<String, Vec<u8>> {
    let directory = format!("corpus/{target}");
    names(&directory)
        .into_iter()
        .map(|name| {
            let data = fs::read(root().join(&directory).join(&name)).unwrap();
            (name, data)
        })
        .collect()
}

fn check(target: &str, seed: &str, run: fn(&[u8]), input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| run(input))).is_err() {
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        panic!("{target}, from seed {seed}: {hex} ({:?})", String::from_utf8_lossy(input));
    }
}

#[test]
fn no_seed_and_no_mutation_of_it_breaks_a_target() {
    for (target, run) in TARGETS {
        let seeds = seeds(target);
        let all: Vec<&[u8]> = seeds.values().map(Vec::as_slice).collect();
        let mut mutation = Mutation::new(1);
        for (name, seed) in &seeds {
            check(target, name, *run, seed);
            for _ in 0..MUTATIONS {
                check(target, name, *run, &mutation.of(seed, &all));
            }
        }
        println!("{target}: {} seeds, {} inputs", seeds.len(), seeds.len() * (MUTATIONS + 1));
    }
}

#[test]
fn every_target_has_a_program_and_seeds() {
    let targets: Vec<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let programs: Vec<String> = targets.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names("corpus"), targets);
    assert_eq!(names("fuzz_targets"), programs);
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for target in &targets {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")), "{target}");
        assert!(seeds(target).len() >= 10, "{target}");
    }
}
