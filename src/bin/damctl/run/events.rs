//! `damctl events`: every change of state, as JSON lines or to subscribers.

use std::{io::Write, time::Duration};

use anyhow::Result;
use damctl::{error::Doing, stop::Stop, work::Reporter};

use super::{Archive, Verdict};
use crate::cli::EventsArgs;

/// Events that are read at a time.
const PAGE: i64 = 500;

pub fn run(args: &EventsArgs, archive: &Archive, reporter: &dyn Reporter, stop: &Stop) -> Result<Verdict> {
    if args.deliver {
        return deliver(args, archive, reporter, stop);
    }
    let catalog = archive.catalog()?;
    if let Some(name) = &args.forget {
        catalog.forget_feed(name)?;
        return Ok(Verdict::Done);
    }
    let mut after = args.after;
    let mut out = std::io::stdout().lock();
    while !stop.is_tripped() {
        let page = catalog.events_after(after, PAGE)?;
        for event in &page {
            let line = serde_json::to_string(event)?;
            match writeln!(out, "{line}") {
                Ok(()) => after = event.seq,
                // A reader that went away has had enough.
                Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => return Ok(Verdict::Done),
                Err(e) => Err(e).doing(|| "cannot write all of the output")?,
            }
        }
        out.flush().ok();
        if page.is_empty() {
            if !args.follow {
                return Ok(Verdict::Done);
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }
    Ok(Verdict::Stopped)
}

#[cfg(not(any(feature = "webhook", feature = "nats")))]
fn deliver(_: &EventsArgs, _: &Archive, _: &dyn Reporter, _: &Stop) -> Result<Verdict> {
    Err(damctl::error::Error::unsupported("this build of damctl tells nobody: it has neither webhook nor nats").into())
}

#[cfg(any(feature = "webhook", feature = "nats"))]
fn deliver(args: &EventsArgs, archive: &Archive, reporter: &dyn Reporter, stop: &Stop) -> Result<Verdict> {
    let subscribers = archive.settings.subscribers()?;
    if subscribers.is_empty() {
        let e = damctl::error::Error::invalid("nobody subscribes to the events");
        return Err(e.hint("set 'webhook' or 'nats' in damctl.yaml").into());
    }
    let catalog = archive.catalog()?;
    let told = tell_all(&catalog, &subscribers, (args.after, args.follow), reporter, stop);
    let mut paused = None;
    for (subscriber, told) in subscribers.iter().zip(told) {
        match told {
            Ok(count) => super::print(format_args!("{}: {count} event(s) delivered", subscriber.name())),
            // The others have heard what there is.
            Err(e) => paused = Some(paused.unwrap_or(e)),
        }
    }
    Ok(match paused {
        Some(e) if e.kind().is_retryable() => Verdict::Paused(e),
        Some(e) => return Err(e.into()),
        None if stop.is_tripped() => Verdict::Stopped,
        None => Verdict::Done,
    })
}

/// Tells each subscriber what it has not heard, all of them at once.
#[cfg(any(feature = "webhook", feature = "nats"))]
pub fn tell_all(
    catalog: &damctl::catalog::Catalog,
    subscribers: &[Box<dyn damctl::feed::Subscriber>],
    (after, follow): (i64, bool),
    reporter: &dyn Reporter,
    stop: &Stop,
) -> Vec<damctl::error::Result<usize>> {
    use damctl::{feed::Progress, work::Event};
    let tell = |subscriber: &dyn damctl::feed::Subscriber| {
        let name = subscriber.name();
        let mut is_said = false;
        damctl::feed::tell(catalog, subscriber, (after, follow), stop, &mut |progress| {
            let text = match progress {
                Progress::Delivered(_) if !is_said => return,
                Progress::Delivered(_) => format!("{name}: it hears again"),
                Progress::Waiting(e, wait) => {
                    format!("warning: {name}: {} (again in {} s)", e.one_line(), wait.as_secs())
                }
                Progress::Elsewhere => format!("{name}: another damctl tells it"),
            };
            // Once, not each time.
            let is_trouble = !matches!(progress, Progress::Delivered(_));
            if is_trouble != is_said {
                reporter.report(&Event::Note { text: &text });
            }
            is_said = is_trouble;
        })
    };
    std::thread::scope(|scope| {
        let each: Vec<_> = subscribers.iter().map(|s| scope.spawn(|| tell(&**s))).collect();
        let panicked = || Err(damctl::error::Error::internal("a subscriber's thread panicked"));
        each.into_iter().map(|thread| thread.join().unwrap_or_else(|_| panicked())).collect()
    })
}
