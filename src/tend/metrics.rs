//! What Prometheus graphs of an archive, in its text format (prometheus.io/docs/instrumenting/exposition_formats).

use std::fmt::Write;

use crate::{catalog::Catalog, error::Result};

/// How far back attempts are counted (ms).
const LATELY_MS: i64 = 300_000;

/// The archive's metrics now. Labels are stages, states and results: words of ours, never names from a drive.
pub fn metrics(catalog: &Catalog) -> Result<String> {
    let census = catalog.census(LATELY_MS)?;
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, samples: Vec<(String, f64)>| {
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge").ok();
        for (labels, value) in samples {
            let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
            writeln!(text, "{name}{labels} {value}").ok();
        }
    };
    let jobs = census
        .jobs
        .iter()
        .map(|(stage, state, n)| (format!("stage=\"{stage}\",state=\"{}\"", state.as_str()), *n as f64));
    gauge("damctl_jobs", "Jobs by stage and state.", jobs.collect());
    let age = census.oldest_due_ms.iter().map(|(stage, ms)| (format!("stage=\"{stage}\""), *ms as f64 / 1000.0));
    gauge("damctl_queue_age_seconds", "How long the oldest job that is due has waited.", age.collect());
    let workers = |is_lost: bool| {
        let names: std::collections::BTreeSet<&str> =
            census.workers.iter().filter(|w| w.is_lost == is_lost).map(|w| w.worker.as_str()).collect();
        names.len() as f64
    };
    let by_word = [("state=\"alive\"", false), ("state=\"lost\"", true)].map(|(l, lost)| (l.to_owned(), workers(lost)));
    gauge("damctl_workers", "Workers that hold jobs.", by_word.into());
    let results = census.paces.iter().flat_map(|p| {
        p.results.iter().map(|(result, n)| (format!("stage=\"{}\",result=\"{result}\"", p.stage), *n as f64))
    });
    gauge("damctl_attempts", "Attempts that ended in the last five minutes.", results.collect());
    let took = census.paces.iter().map(|p| {
        let all: i64 = p.results.values().sum();
        (format!("stage=\"{}\"", p.stage), p.took_ms as f64 / 1000.0 / all.max(1) as f64)
    });
    gauge("damctl_attempt_seconds", "Mean duration of these attempts.", took.collect());
    let behind = census
        .feeds
        .iter()
        .map(|feed| (format!("subscriber={:?}", feed.name), (census.last_event - feed.seq).max(0) as f64));
    gauge("damctl_events_behind", "Events that a subscriber has not confirmed.", behind.collect());
    let bytes = catalog.master_bytes()? as f64;
    gauge("damctl_master_bytes", "Bytes of all masters.", vec![(String::new(), bytes)]);
    Ok(text)
}
