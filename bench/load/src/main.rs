//! The load of the benchmarks. One thread, one poll: what it costs is a few nanoseconds a message, so that on two
//! cores the broker is what is measured.
//!
//! It connects, says `ready` on a line of its own, and waits for a line; works; says what it measured as JSON, and waits
//! again before it lets its connections go. Whoever started it looks at the broker's clock in between.
//!
//! # Layout
//! - [`plan`]: what is asked for; [`frame`]: packets as bytes
//! - [`carrier`]: what carries them; [`line`]: a connection; [`flow`]: messages from publishers to subscribers
//! - [`crowd`]: connections that come and go, or only stay

mod carrier;
mod crowd;
mod flow;
mod frame;
mod line;
mod plan;

use std::io::{self, BufRead as _, Write as _};

use plan::{Kind, Plan};

/// Why something did not work, in words.
type Failure = Box<dyn std::error::Error>;

fn main() {
    if let Err(failure) = run() {
        eprintln!("hookmq-load: {failure}");
        std::process::exit(1);
    }
}

fn run() -> Result<(), Failure> {
    let plan = Plan::from_arguments()?;
    let report = match plan.kind {
        Kind::Flow => flow::run(&plan)?,
        Kind::Connects => crowd::connects(&plan)?,
        Kind::Idle => crowd::idle(&plan)?,
    };
    println!("{report}");
    Ok(())
}

/// Says a line, and waits for one.
fn rendezvous(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    match io::stdin().lock().read_line(&mut String::new())? {
        0 => Err("nobody waits for this any more".into()),
        _ => Ok(()),
    }
}
