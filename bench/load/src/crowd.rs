//! Connections that come and go, and connections that only stay.

use std::io::Write as _;
use std::time::Instant;

use crate::carrier::Channel;
use crate::frame::{self, DISCONNECT};
use crate::line;
use crate::plan::Plan;
use crate::{Failure, rendezvous};

/// Connects, is welcomed, and leaves, one client after the other; as many at a time as there are publishers.
pub fn connects(plan: &Plan) -> Result<String, Failure> {
    for number in 0..plan.warm_up {
        come_and_go(plan, 0, number)?;
    }
    rendezvous("ready")?;
    let began = Instant::now();
    let each = plan.count / plan.publishers as u64;
    let run = |line| {
        (0..each).try_for_each(|number| come_and_go(plan, line, number)).map_err(|why| why.to_string())
    };
    std::thread::scope(|scope| {
        let lines: Vec<_> = (0..plan.publishers).map(|line| scope.spawn(move || run(line))).collect();
        lines
            .into_iter()
            .try_for_each(|line| line.join().unwrap_or_else(|_| Err("a thread panicked".to_owned())))
    })?;
    let took = began.elapsed().as_secs_f64();
    rendezvous(&format!(r#"{{"messages": {}, "seconds": {took}}}"#, plan.count))?;
    Ok("{}".to_owned())
}

fn come_and_go(plan: &Plan, line: usize, number: u64) -> Result<(), Failure> {
    let name = format!("c{line}-{number}");
    let mut socket = line::dial_as(plan.login.as_ref(), &plan.carrier, plan.port, plan.version, &name)?;
    socket.write_all(&DISCONNECT)?;
    Ok(())
}

/// Clients of a hundred, each with its share of subscriptions.
const OTHERS: usize = 100;

/// What is there besides: connections that do nothing, subscriptions that match nothing, retained messages.
pub fn beside(plan: &Plan) -> Result<Vec<Channel>, Failure> {
    let dial = |name: String| line::dial(&plan.carrier, plan.port, plan.version, &name);
    let mut channels = Vec::new();
    for number in 0..plan.idle {
        channels.push(dial(format!("i{number}"))?);
    }
    for number in 0..OTHERS.min(plan.others) {
        let filters: Vec<_> = (number..plan.others)
            .step_by(OTHERS)
            .map(|filter| match filter % 4 {
                0 => format!("other/{filter}/+/value"),
                1 => format!("other/{}/room/{filter}/#", filter % 1000),
                _ => format!("other/{}/device/{filter}/value", filter % 1000),
            })
            .collect();
        let mut channel = dial(format!("o{number}"))?;
        line::subscribe(&mut channel, plan.version, &filters, plan.qos)?;
        channels.push(channel);
    }
    if plan.retained > 0 {
        let mut channel = dial("retained".into())?;
        for number in 0..plan.retained {
            let topic = format!("kept/{}/{number}", number % 1000);
            let (frame, _) = frame::publish(plan.version, &topic, plan.size, 0, 0);
            channel.write_all(&[&[frame[0] | 1], &frame[1..]].concat())?;
        }
        line::ping(&mut channel)?;
        channels.push(channel);
    }
    Ok(channels)
}

/// Connects so many, which say nothing more.
pub fn idle(plan: &Plan) -> Result<String, Failure> {
    let dial = |number| line::dial(&plan.carrier, plan.port, plan.version, &format!("i{number}"));
    let few: Vec<_> = (0..10).map(dial).collect::<Result<_, _>>()?;
    rendezvous("ready")?;
    let rest: Vec<_> = (10..10 + plan.publishers).map(dial).collect::<Result<_, _>>()?;
    rendezvous(&format!(r#"{{"messages": {}, "seconds": 0}}"#, rest.len()))?;
    drop((few, rest));
    Ok("{}".to_owned())
}
