//! Connections that come and go, and connections that only stay.

use std::io::Write as _;
use std::time::Instant;

use crate::frame::DISCONNECT;
use crate::line;
use crate::plan::Plan;
use crate::{Failure, rendezvous};

/// Connects, is welcomed, and leaves, one client after the other.
pub fn connects(plan: &Plan) -> Result<String, Failure> {
    for number in 0..plan.warm_up {
        come_and_go(plan, number)?;
    }
    rendezvous("ready")?;
    let began = Instant::now();
    for number in 0..plan.count {
        come_and_go(plan, number)?;
    }
    let took = began.elapsed().as_secs_f64();
    rendezvous(&format!(r#"{{"messages": {}, "seconds": {took}}}"#, plan.count))?;
    Ok("{}".to_owned())
}

fn come_and_go(plan: &Plan, number: u64) -> Result<(), Failure> {
    let mut socket = line::dial(plan.port, plan.version, &format!("c{number}"))?;
    socket.write_all(&DISCONNECT)?;
    Ok(())
}

/// Connects so many, which say nothing more.
pub fn idle(plan: &Plan) -> Result<String, Failure> {
    let dial = |number| line::dial(plan.port, plan.version, &format!("i{number}"));
    let few: Vec<_> = (0..10).map(dial).collect::<Result<_, _>>()?;
    rendezvous("ready")?;
    let rest: Vec<_> = (10..10 + plan.publishers).map(dial).collect::<Result<_, _>>()?;
    rendezvous(&format!(r#"{{"messages": {}, "seconds": 0}}"#, rest.len()))?;
    drop((few, rest));
    Ok("{}".to_owned())
}
