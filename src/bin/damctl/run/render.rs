//! `damctl render`: the child process that decodes and encodes.

use std::io::{Read, Write};

use anyhow::Result;
use damctl::{
    error::{Doing, Error, Kind},
    media::{self, Order, Report},
    model::job::Failure,
    stop::Stop,
};

use super::Verdict;

/// An order is small; this is a thousand times what one needs.
const LONGEST: u64 = 16 << 20;

pub fn run(stop: &Stop) -> Result<Verdict> {
    let mut text = Vec::new();
    std::io::stdin().take(LONGEST).read_to_end(&mut text).doing(|| "cannot read the order")?;
    let order: Order = serde_json::from_slice(&text).map_err(|e| {
        Error::invalid("standard input holds no order")
            .because(e)
            .hint("'damctl profile order-schema' tells what one looks like")
    })?;
    media::sandbox::enter(&order)?;
    let mut all_well = true;
    let mut out = std::io::stdout().lock();
    let mut tell = |report: Report| {
        all_well &= !matches!(report, Report::Failed { .. });
        // Whoever ordered is gone: the next progress ends us.
        let told = serde_json::to_vec(&report).map(|mut line| {
            line.push(b'\n');
            out.write_all(&line).and_then(|()| out.flush())
        });
        if !matches!(told, Ok(Ok(()))) {
            stop.trip();
        }
    };
    let outcome = media::render::carry_out(&order, stop, &mut tell);
    match outcome {
        Err(e) if e.kind() == Kind::Stopped => Ok(Verdict::Stopped),
        Err(e) => {
            // In full for whoever ordered, and in words for whoever looks.
            tell(Report::Failed { output: None, failure: Failure::from(&e) });
            Err(e.into())
        }
        Ok(()) if all_well => Ok(Verdict::Done),
        Ok(()) => Ok(Verdict::SomeFailed),
    }
}
