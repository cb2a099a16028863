//! When a failed job is tried again. The error's kind alone decides whether; this file says when.

use crate::{
    digest::Digest,
    error::Kind,
    model::{Job, job::Failure},
};

const FIRST_MS: u64 = 1_000;
const CAP_MS: u64 = 300_000;

/// How many milliseconds to wait before the next try: 1 s, doubled with each try, 5 minutes at most, spread by up to a
/// half so that what failed together is not tried together. `None`: no more tries, which a patient stage does not run
/// out of.
pub(super) fn retry_after(job: &Job, attempt: i64, failure: &Failure, is_patient: bool) -> Option<i64> {
    if !failure.kind.is_retryable() || (attempt >= job.max_attempt && !is_patient) {
        return None;
    }
    // The tries used so far under the present allowance, so that a job opened again begins gently.
    let used = (attempt - (job.max_attempt - crate::catalog::TRIES)).clamp(1, 20) as u32;
    let base = (FIRST_MS << (used - 1).min(16)).min(CAP_MS);
    let noise = Digest::of_fields(&[job.id.to_string(), attempt.to_string()]);
    let spread = u64::from(noise.as_bytes()[0]) * base / 512;
    Some((base - spread) as i64)
}

/// Whether this kind of end keeps the job's try: it was not the job's fault.
pub(super) fn keeps_try(kind: Kind) -> bool {
    matches!(kind, Kind::Stopped | Kind::Paused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{JobId, JobState, Stage};

    fn job(max_attempt: i64) -> Job {
        Job {
            id: JobId::new(Stage::Ingest, "x", "y"),
            stage: Stage::Ingest,
            subject: "x".to_owned(),
            task: serde_json::Value::Null,
            state: JobState::Leased,
            attempt: 1,
            max_attempt,
            not_before: 0,
            lease_until: None,
            worker: None,
            error: None,
        }
    }

    fn failure(kind: Kind) -> Failure {
        Failure { kind, message: "x".to_owned(), hint: None, code: None }
    }

    #[test]
    fn waits_grow_from_one_second_and_end_after_five_tries() {
        let wait = |attempt| retry_after(&job(5), attempt, &failure(Kind::Unavailable), false);
        for (attempt, base) in [(1, 1_000), (2, 2_000), (3, 4_000), (4, 8_000)] {
            let ms = wait(attempt).unwrap();
            assert!(ms > base / 2 && ms <= base, "{attempt}: {ms}");
        }
        assert_eq!(wait(5), None);
    }

    #[test]
    fn permanent_kinds_are_never_tried_again() {
        for kind in [
            Kind::Invalid,
            Kind::Corrupt,
            Kind::Unsupported,
            Kind::NotFound,
            Kind::Conflict,
            Kind::Internal,
            Kind::OutOfMemory,
        ] {
            assert_eq!(retry_after(&job(5), 1, &failure(kind), false), None, "{kind}");
        }
    }
}
