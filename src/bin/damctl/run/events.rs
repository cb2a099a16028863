//! `damctl events`: every change of state, as JSON lines.

use std::{io::Write, time::Duration};

use anyhow::Result;
use damctl::stop::Stop;

use super::{Archive, Verdict};
use crate::cli::EventsArgs;

/// Events that are read at a time.
const PAGE: i64 = 500;

pub fn run(args: &EventsArgs, archive: &Archive, stop: &Stop) -> Result<Verdict> {
    let catalog = archive.catalog()?;
    let mut after = args.after;
    let mut out = std::io::stdout().lock();
    while !stop.is_tripped() {
        let page = catalog.events_after(after, PAGE)?;
        for event in &page {
            let line = serde_json::to_string(event)?;
            // A reader that went away has had enough.
            if writeln!(out, "{line}").is_err() {
                return Ok(Verdict::Done);
            }
            after = event.seq;
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
