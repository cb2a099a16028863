//! `damctl render`: the child process that decodes and encodes.

use std::{
    io::{Read, Write},
    time::Duration,
};

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

/// How long it may take to end after it was asked to: its tools are gone by then.
const GRACE: Duration = Duration::from_millis(800);

/// Brings GStreamer's list of plugins up to date, as far as it is not.
pub fn warm() -> Result<Verdict> {
    #[cfg(feature = "gst")]
    media::gst::warm()?;
    Ok(Verdict::Done)
}

/// Forks a process for each order, with all loaded that most need.
pub fn serve(stop: &Stop) -> Result<Verdict> {
    #[cfg(feature = "gst")]
    media::gst::load();
    match media::zygote::serve(stop)? {
        true => run(stop),
        false => Ok(Verdict::Done),
    }
}

pub fn run(stop: &Stop) -> Result<Verdict> {
    let asked = stop.clone();
    std::thread::spawn(move || end_at_last(&asked));
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

/// Ends this process at once, a while after a stop. An encoder that shuts down encodes what
/// it holds first, which may take a minute, and a pipeline that hangs never shuts down.
fn end_at_last(stop: &Stop) {
    while !stop.is_tripped() {
        std::thread::sleep(Duration::from_millis(50));
    }
    std::thread::sleep(GRACE);
    signal_hook::low_level::exit(143);
}
