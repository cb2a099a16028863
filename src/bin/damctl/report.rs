//! Shows what happens: bars on a terminal, plain lines when piped, JSON lines for machines. Always on standard error.

use std::{
    collections::HashMap,
    io::{IsTerminal, Write},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use damctl::{
    model::JobId,
    work::{Amount, Event, Reporter},
};
use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressStyle};

use crate::cli::LogFormat;

/// The reporter for this run.
pub fn reporter(format: LogFormat) -> Box<dyn Reporter> {
    match format {
        LogFormat::Auto if std::io::stderr().is_terminal() => Box::new(Bars::default()),
        LogFormat::Auto | LogFormat::Plain => Box::new(Plain::default()),
        LogFormat::Json => Box::new(Json),
        LogFormat::Quiet => Box::new(damctl::work::Silent),
    }
}

/// Writes a line to standard error. That nobody reads it is no reason to fail.
fn say(line: std::fmt::Arguments<'_>) {
    let mut err = std::io::stderr().lock();
    err.write_fmt(line).and_then(|()| err.write_all(b"\n")).ok();
}

/// How far all jobs together are.
#[derive(Default)]
struct Tally {
    jobs: usize,
    ended: usize,
    bytes: Option<u64>,
    read: u64,
    shares: HashMap<JobId, f64>,
}

impl Tally {
    fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Planned { jobs, bytes, .. } => *self = Self { jobs: *jobs, bytes: *bytes, ..Self::default() },
            Event::Ticked { amount: Amount::Bytes(n), .. } => self.read += n,
            Event::Ticked { job, amount: Amount::Share(share) } => {
                self.shares.insert(job.id, *share);
            }
            Event::Ended { job, result, .. } => {
                self.shares.remove(&job.id);
                self.ended += usize::from(matches!(*result, "done" | "failed"));
            }
            _ => {}
        }
    }

    /// Position and length of the bar.
    fn place(&self) -> (u64, u64) {
        match self.bytes {
            Some(total) => (self.read.min(total), total),
            None => {
                let done = self.ended as f64 + self.shares.values().sum::<f64>();
                // A job that another command has planned as well may end here without being of this plan.
                let jobs = (self.jobs as f64).max(1.0);
                ((done.min(jobs) * 1000.0) as u64, (jobs * 1000.0) as u64)
            }
        }
    }
}

fn is_trouble(outcome: &str) -> bool {
    matches!(outcome, "failed" | "unreadable" | "missing" | "damaged" | "not ingested" | "archive")
}

#[derive(Default)]
struct Bars(Mutex<(Tally, Option<ProgressBar>)>);

impl Reporter for Bars {
    fn report(&self, event: &Event<'_>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (tally, bar) = &mut *state;
        tally.take(event);
        let line = |bar: &Option<ProgressBar>, text: String| match bar {
            Some(bar) => bar.suspend(|| say(format_args!("{text}"))),
            None => say(format_args!("{text}")),
        };
        match event {
            Event::Planned { stage, jobs, bytes } if *jobs > 0 => {
                let template = match bytes {
                    Some(_) => "{prefix:>9} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} ETA {eta} {wide_msg}",
                    None => "{prefix:>9} {bar:30} {percent}% ETA {eta} {wide_msg}",
                };
                let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
                let new = ProgressBar::new(tally.place().1)
                    .with_style(style.progress_chars("█▉▊▋▌▍▎▏ "))
                    .with_prefix(stage.to_string());
                new.enable_steady_tick(Duration::from_millis(200));
                *bar = Some(new);
            }
            Event::Item { what, outcome, detail } if is_trouble(outcome) => {
                line(bar, format!("{outcome}: {what}{}", detail.map(|d| format!(": {d}")).unwrap_or_default()));
            }
            Event::Ended { job, result: "retry", failure: Some(f) } => {
                line(bar, format!("will retry: {}: {}", job.subject, f.message))
            }
            Event::Note { text } => line(bar, (*text).to_owned()),
            _ => {}
        }
        if let Some(bar) = bar {
            match event {
                Event::Started { job } => bar.set_message(job.subject.clone()),
                Event::Ticked { .. } | Event::Ended { .. } => bar.set_position(tally.place().0),
                _ => {}
            }
            if tally.ended >= tally.jobs {
                bar.finish_and_clear();
            }
        }
    }
}

#[derive(Default)]
struct Plain(Mutex<(Tally, Option<(Instant, Instant)>)>);

/// Between two lines of progress.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

impl Reporter for Plain {
    fn report(&self, event: &Event<'_>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (tally, clock) = &mut *state;
        tally.take(event);
        match event {
            Event::Planned { stage, jobs, bytes } if *jobs > 0 => {
                *clock = Some((Instant::now(), Instant::now()));
                match bytes {
                    Some(bytes) => say(format_args!("{stage}: {jobs} job(s), {}", HumanBytes(*bytes))),
                    None => say(format_args!("{stage}: {jobs} job(s)")),
                }
            }
            Event::Item { what, outcome, detail } if is_trouble(outcome) => match detail {
                Some(detail) => say(format_args!("{outcome}: {what}: {detail}")),
                None => say(format_args!("{outcome}: {what}")),
            },
            Event::Item { what, outcome: outcome @ "rendered", .. } => say(format_args!("{outcome}: {what}")),
            Event::Ended { job, result: "retry", failure: Some(f) } => {
                say(format_args!("will retry: {}: {}", job.subject, f.message))
            }
            Event::Note { text } => say(format_args!("{text}")),
            Event::Ticked { .. } => {
                let Some((began, last)) = clock else { return };
                if last.elapsed() < PLAIN_EVERY {
                    return;
                }
                *last = Instant::now();
                let (at, of) = tally.place();
                let share = if of > 0 { (at as f64 / of as f64).clamp(0.0, 1.0) } else { 0.0 };
                let spent = began.elapsed();
                let left = if share > 0.0 {
                    HumanDuration(spent.mul_f64((1.0 - share) / share)).to_string()
                } else {
                    "?".to_owned()
                };
                match tally.bytes {
                    Some(_) => {
                        let rate = at as f64 / spent.as_secs_f64().max(0.001);
                        say(format_args!(
                            "{:.0}% ({} of {}, {}/s), about {left} left",
                            share * 100.0,
                            HumanBytes(at),
                            HumanBytes(of),
                            HumanBytes(rate as u64)
                        ));
                    }
                    None => say(format_args!("{:.0}%, about {left} left", share * 100.0)),
                }
            }
            _ => {}
        }
    }
}

struct Json;

impl Reporter for Json {
    fn report(&self, event: &Event<'_>) {
        if let Ok(line) = serde_json::to_string(event) {
            say(format_args!("{line}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_beyond_the_plan_never_bring_the_bar_past_its_end() {
        for (jobs, ended) in [(1, 3), (0, 1), (2, 2)] {
            let (at, of) = Tally { jobs, ended, ..Tally::default() }.place();
            assert!(at <= of, "{at} of {of}");
        }
        let (at, of) = Tally { bytes: Some(10), read: 25, ..Tally::default() }.place();
        assert!(at <= of, "{at} of {of}");
    }
}
