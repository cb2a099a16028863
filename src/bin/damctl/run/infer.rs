//! `damctl infer`: the child process that learns. It lives as long as somebody asks.

use std::io::{BufRead, Read, Write};

use anyhow::Result;
use damctl::{
    enrich::{Answer, Question, Scholar, Setup},
    error::{Doing, Error},
    model::job::Failure,
    stop::Stop,
};

use super::Verdict;

/// Longest line that is read: the texts of a day's recording.
const LONGEST: u64 = 256 << 20;

pub fn run(stop: &Stop) -> Result<Verdict> {
    let mut input = std::io::BufReader::new(std::io::stdin());
    let mut next = move || -> Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        input.by_ref().take(LONGEST).read_until(b'\n', &mut line).doing(|| "cannot read what is asked")?;
        Ok(Some(line).filter(|l| !l.is_empty()))
    };
    let tell = |answer: &Answer| {
        let mut line = serde_json::to_vec(answer).unwrap_or_default();
        line.push(b'\n');
        let mut out = std::io::stdout().lock();
        // Whoever asked is gone: so are we.
        if out.write_all(&line).and_then(|()| out.flush()).is_err() {
            stop.trip();
        }
    };
    let unclear = |e: serde_json::Error| Error::invalid("standard input holds nothing that was to be asked").because(e);
    let Some(line) = next()? else { return Ok(Verdict::Done) };
    let setup: Setup = serde_json::from_slice(&line).map_err(unclear)?;
    let mut scholar = match Scholar::new(setup) {
        Ok(scholar) => scholar,
        Err(e) => {
            tell(&Answer::Failed { failure: Failure::from(&e) });
            return Err(e.into());
        }
    };
    tell(&Answer::Ready);
    while let Some(line) = next()? {
        let question: Question = serde_json::from_slice(&line).map_err(unclear)?;
        let answer = scholar.answer(&question, stop, &mut |answer| tell(&answer));
        tell(&answer);
        if stop.is_tripped() {
            return Ok(Verdict::Stopped);
        }
    }
    Ok(Verdict::Done)
}
