//! What is being done now: by whom, how fast, and what went wrong. For people who watch, and programs that graph it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Catalog, Feed, db::values};
use crate::{
    error::Result,
    model::{JobState, Stage, job::Failure},
};

/// A worker and what it holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AtWork {
    /// Its name: host, process, start.
    pub worker: String,
    /// What it works on.
    pub stage: Stage,
    /// Jobs it holds.
    pub jobs: i64,
    /// Milliseconds since it was last heard of.
    pub heard_ms: i64,
    /// Whether its leases have run out.
    pub is_lost: bool,
}

/// How fast a stage goes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Throughput {
    /// The stage.
    pub stage: Stage,
    /// Attempts that ended lately, by result.
    pub results: BTreeMap<String, i64>,
    /// How long they took together (ms).
    pub took_ms: i64,
}

/// Why jobs failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reason {
    /// Their stage.
    pub stage: Stage,
    /// What they said, without what is about one job only.
    pub why: String,
    /// How many.
    pub jobs: i64,
}

/// What is being done, at a moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Census {
    /// When (ms).
    pub at: i64,
    /// Jobs by stage and state.
    pub jobs: Vec<(Stage, JobState, i64)>,
    /// How long the job that is due for longest has waited, by stage (ms).
    pub oldest_due_ms: Vec<(Stage, i64)>,
    /// Who is at work.
    pub workers: Vec<AtWork>,
    /// How many milliseconds `paces` looks back.
    pub lately_ms: i64,
    /// What was ended in that time.
    pub paces: Vec<Throughput>,
    /// Why jobs failed, the most frequent first.
    pub reasons: Vec<Reason>,
    /// The number of the last event.
    pub last_event: i64,
    /// How far subscribers have heard.
    pub feeds: Vec<Feed>,
}

/// What a message has in common with those of other jobs that failed for the same reason. What follows a colon tells one
/// file from another, and so do numbers and digests; of several renditions, the first tells why.
fn in_common(message: &str) -> String {
    let of_renditions = message.split_once(" renditions failed: ").map(|(_, list)| list);
    let why = match of_renditions.and_then(|list| Some((list, list.split_once(": ")?))) {
        // An entry's name is one word.
        Some((_, (name, why))) if !name.contains(' ') => why,
        Some((list, _)) => list,
        None => of_renditions.unwrap_or(message),
    };
    // What the gate found is said after that it did.
    let why = why.strip_prefix("the gate refused it: ").unwrap_or(why);
    let why = why.split([':', ';']).next().unwrap_or_default();
    let told = |word: &str| {
        let bare = word.trim_start_matches(['(', '\'', '"']);
        let is_digest = bare.len() >= 16 && bare.bytes().all(|b| b.is_ascii_hexdigit());
        match bare.starts_with(|c: char| c.is_ascii_digit() || c == '/') || is_digest {
            true => format!("{}…", &word[..word.len() - bare.len()]),
            false => word.to_owned(),
        }
    };
    let words: Vec<String> = why.split_whitespace().map(told).collect();
    words.join(" ")
}

impl Census {
    /// Jobs of a stage that are open: waiting or being done.
    pub fn open(&self, stage: Stage) -> i64 {
        let is_open = |state| matches!(state, JobState::Ready | JobState::Leased);
        self.jobs.iter().filter(|(s, state, _)| *s == stage && is_open(*state)).map(|(_, _, n)| n).sum()
    }

    /// Milliseconds until a stage's open jobs are done, if it goes on as lately.
    pub fn left_ms(&self, stage: Stage) -> Option<i64> {
        let pace = self.paces.iter().find(|p| p.stage == stage)?;
        let done = *pace.results.get("done").filter(|n| **n > 0)?;
        Some(self.open(stage).saturating_mul(self.lately_ms) / done)
    }
}

impl Catalog {
    /// Who is at work on what, and how it went in the last `lately_ms`.
    pub fn census(&self, lately_ms: i64) -> Result<Census> {
        let at = self.now()?;
        // Named, so that the index of stage and state is of use.
        let of_stages = format!("stage IN ({})", Stage::ALL.map(|s| format!("'{s}'")).join(", "));
        let sql = format!(
            "SELECT worker, stage, COUNT(*), MAX(updated_at), MIN(CASE WHEN lease_until < ?1 THEN 1 ELSE 0 END)
             FROM jobs WHERE {of_stages} AND state = 'leased' GROUP BY worker, stage ORDER BY worker, stage"
        );
        let workers = self.db.query(&sql, values![at])?;
        let workers = workers.iter().map(|r| {
            Ok(AtWork {
                worker: r.text(0)?.to_owned(),
                stage: r.parse(1)?,
                jobs: r.int(2)?,
                heard_ms: (at - r.int(3)?).max(0),
                is_lost: r.int(4)? == 1,
            })
        });
        let sql = "SELECT j.stage, a.result, COUNT(*), CAST(SUM(a.ended - a.began) AS BIGINT)
                   FROM attempts a JOIN jobs j ON j.id = a.job WHERE a.ended > ?1 AND a.result IS NOT NULL
                   GROUP BY j.stage, a.result ORDER BY j.stage, a.result";
        let mut paces: Vec<Throughput> = Vec::new();
        for r in self.db.query(sql, values![at - lately_ms])? {
            let stage = r.parse(0)?;
            if paces.last().is_none_or(|p| p.stage != stage) {
                paces.push(Throughput { stage, results: BTreeMap::new(), took_ms: 0 });
            }
            if let Some(pace) = paces.last_mut() {
                pace.results.insert(r.text(1)?.to_owned(), r.int(2)?);
                pace.took_ms += r.int(3)?;
            }
        }
        let sql = "SELECT stage, MIN(CASE WHEN not_before > created_at THEN not_before ELSE created_at END)
                   FROM jobs WHERE state = 'ready' AND not_before <= ?1 GROUP BY stage ORDER BY stage";
        let oldest = self.db.query(sql, values![at])?;
        let oldest = oldest.iter().map(|r| Ok((r.parse(0)?, (at - r.int(1)?).max(0))));
        let sql = format!(
            "SELECT stage, error, COUNT(*) FROM jobs WHERE {of_stages} AND state = 'failed' AND error IS NOT NULL
             GROUP BY stage, error"
        );
        let mut reasons: BTreeMap<(Stage, String), i64> = BTreeMap::new();
        for r in self.db.query(&sql, &[])? {
            let failure: Failure = r.json(1)?;
            let why = format!("{}: {}", failure.kind, in_common(&failure.message));
            *reasons.entry((r.parse(0)?, why)).or_default() += r.int(2)?;
        }
        let mut reasons: Vec<Reason> =
            reasons.into_iter().map(|((stage, why), jobs)| Reason { stage, why, jobs }).collect();
        reasons.sort_by_key(|r| -r.jobs);
        Ok(Census {
            at,
            last_event: self.last_event()?,
            feeds: self.feeds()?,
            jobs: self.job_counts()?,
            oldest_due_ms: oldest.collect::<Result<_>>()?,
            workers: workers.collect::<Result<_>>()?,
            lately_ms,
            paces,
            reasons,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_what_jobs_have_in_common_and_tell_them_apart() {
        for (message, why) in [
            ("1 of 1 renditions failed: thumb: it cannot be decoded: pngdec: chunk 17", "it cannot be decoded"),
            ("2 of 3 renditions failed: a: it is encrypted; b: it cannot be read: x", "it is encrypted"),
            (
                "2 of 2 renditions failed: it takes more memory than there was (300 MB at most): x",
                "it takes more memory than there was (… MB at most)",
            ),
            (
                "1 of 2 renditions failed: proxy: there is no decoder for H.264 here",
                "there is no decoder for H.264 here",
            ),
            ("cannot open /drive/a.mov: No such file", "cannot open …"),
            ("1 of 2 renditions failed: a: the gate refused it: the width is 320, not 640", "the width is … not …"),
            ("worker lost", "worker lost"),
        ] {
            assert_eq!(in_common(message), why, "{message}");
        }
    }
}
