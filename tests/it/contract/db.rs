//! What every database under the catalog keeps its word on: the job model, seen through [`Catalog`].

use std::sync::Arc;

use damctl::{
    catalog::{Catalog, Facts, FakeClock, JobFilter, Lease, TRIES, Then, Wanted},
    digest::Digest,
    error::{Error, Kind},
    model::{
        Asset, Drive, DriveId, JobState, Master, MediaFacts, MediaKind, Outcome, RawPath, Rendition, Role, Sighting,
        Stage, job::Failure,
    },
};

use super::super::asset_of;

struct Fixture {
    catalog: Catalog,
    clock: Arc<FakeClock>,
    own: super::super::Own,
}

const LEASE: i64 = 60_000;

fn fixture() -> Option<Fixture> {
    let own = super::own()?;
    let (catalog, clock) = own.at(1_000_000);
    Some(Fixture { catalog, clock, own })
}

fn wanted(subject: &str) -> Wanted {
    Wanted {
        stage: Stage::Transcode,
        scope: String::new(),
        subject: subject.to_owned(),
        recipe: "r".to_owned(),
        task: serde_json::json!({"n": subject}),
        priority: 0,
    }
}

impl Fixture {
    fn want(&self, subjects: &[&str]) {
        self.catalog.enqueue(&subjects.iter().map(|s| wanted(s)).collect::<Vec<_>>()).unwrap();
    }

    fn claim(&self, worker: &str) -> Option<Lease> {
        self.catalog.claim(Stage::Transcode, "", worker, LEASE).unwrap()
    }

    fn done(&self, lease: &Lease) -> Result<(), Error> {
        self.catalog.settle(lease, &Facts::default(), None).map(drop)
    }

    fn state(&self, subject: &str) -> JobState {
        self.catalog.job(wanted(subject).id()).unwrap().state
    }
}

fn failure(kind: Kind) -> Failure {
    Failure { kind, message: "it broke".to_owned(), hint: None, code: None }
}

#[test]
fn wanting_the_same_work_twice_is_one_job() {
    let Some(f) = fixture() else { return };
    f.want(&["a", "b"]);
    f.want(&["a"]);
    assert_eq!(f.catalog.jobs(&JobFilter::default()).unwrap().len(), 2);
    f.done(&f.claim("w").unwrap()).unwrap();
    f.done(&f.claim("w").unwrap()).unwrap();
    assert!(f.claim("w").is_none());
    // Wanted again, because its result is gone: it is opened again.
    f.want(&["a"]);
    let again = f.claim("w").unwrap();
    assert_eq!((again.job.subject.as_str(), again.attempt), ("a", 2));
}

#[test]
fn what_others_have_done_since_a_plan_began_stays_done() {
    let Some(f) = fixture() else { return };
    f.want(&["a"]);
    let planned_at = f.catalog.now().unwrap();
    f.clock.advance(5);
    f.done(&f.claim("other").unwrap()).unwrap();
    f.catalog.enqueue_planned(&[wanted("a")], planned_at).unwrap();
    assert!(f.claim("w").is_none(), "it was done twice");
    f.clock.advance(5);
    f.catalog.enqueue_planned(&[wanted("a")], f.catalog.now().unwrap()).unwrap();
    assert_eq!(f.claim("w").unwrap().attempt, 2);
}

#[test]
fn a_claim_is_exclusive_until_its_lease_runs_out() {
    let Some(f) = fixture() else { return };
    f.want(&["a"]);
    let first = f.claim("one").unwrap();
    assert!(f.claim("two").is_none());
    f.clock.advance(LEASE + 1);
    let second = f.claim("two").unwrap();
    assert_eq!((first.attempt, second.attempt), (1, 2));
}

#[test]
fn every_change_of_a_job_is_one_event_in_order() {
    let Some(f) = fixture() else { return };
    let subject = "Ana \"la jefa\" \\ ñ\n.mov";
    f.want(&[subject]);
    f.want(&[subject]);
    f.claim("one").unwrap();
    f.clock.advance(LEASE + 1);
    f.catalog.fail(&f.claim("two").unwrap(), &failure(Kind::Unavailable), Some(0)).unwrap();
    f.catalog.fail(&f.claim("two").unwrap(), &failure(Kind::Corrupt), None).unwrap();
    f.catalog.retry(&[wanted(subject).id()]).unwrap();
    for _ in 0..TRIES {
        f.claim("doomed").unwrap();
        f.clock.advance(LEASE + 1);
    }
    assert!(f.claim("three").is_none());
    let id = wanted(subject).id().to_string();
    // Also of what nobody has read yet.
    assert_eq!(f.catalog.last_event().unwrap(), 19);
    let events = f.catalog.events_after(0, 100).unwrap();
    assert!(
        events.iter().all(|e| e.subject == id && e.detail["subject"] == subject && e.detail["stage"] == "transcode")
    );
    let told: Vec<String> = events
        .iter()
        .map(|e| match (&e.detail["attempt"], &e.detail["worker"]) {
            (serde_json::Value::Null, _) => e.kind.clone(),
            (attempt, serde_json::Value::String(worker)) => format!("{} {attempt} {worker}", e.kind),
            (attempt, _) => format!("{} {attempt}", e.kind),
        })
        .collect();
    let expected = [
        "job.ready",
        "job.started 1 one",
        "job.lost 1 one",
        "job.started 2 two",
        "job.retried 2",
        "job.started 3 two",
        "job.failed 3",
        "job.ready",
        "job.started 4 doomed",
        "job.lost 4 doomed",
        "job.started 5 doomed",
        "job.lost 5 doomed",
        // Twice in a row: it waits for those with more memory.
        "job.ready",
        "job.started 6 doomed",
        "job.lost 6 doomed",
        "job.started 7 doomed",
        "job.lost 7 doomed",
        "job.started 8 doomed",
        "job.failed 8",
    ];
    assert_eq!(told, expected);
    let last = events.last().unwrap();
    assert_eq!((&last.detail["message"], &last.detail["kind"]), (&"worker lost".into(), &"unavailable".into()));
}

#[test]
fn a_late_worker_cannot_end_what_another_has_taken_over() {
    let Some(f) = fixture() else { return };
    f.want(&["a"]);
    let late = f.claim("late").unwrap();
    f.clock.advance(LEASE + 1);
    let owner = f.claim("owner").unwrap();
    let asset = asset_of("late", "late bytes");
    let facts = Facts { assets: vec![(asset.0.clone(), vec![asset.1.clone()])], ..Facts::default() };
    for outcome in [
        f.catalog.settle(&late, &facts, None).map(drop),
        f.catalog.release(&late),
        f.catalog.fail(&late, &failure(Kind::Corrupt), None),
    ] {
        assert_eq!(outcome.unwrap_err().kind(), Kind::LeaseLost);
    }
    assert_eq!(f.catalog.heartbeat(&[&late, &owner], LEASE).unwrap(), [late.job.id]);
    assert!(!f.catalog.has_asset(asset.0.id).unwrap(), "the late worker's facts were written");
    f.done(&owner).unwrap();
    assert_eq!(f.state("a"), JobState::Done);
    // When the answer was lost it is said again; nothing happens twice.
    let events = f.catalog.events_after(0, 100).unwrap();
    f.done(&owner).unwrap();
    assert_eq!(f.catalog.events_after(0, 100).unwrap(), events);
    let other = f.catalog.fail(&owner, &failure(Kind::Corrupt), None);
    assert_eq!(other.unwrap_err().kind(), Kind::LeaseLost, "it ended otherwise");
}

#[test]
fn a_heartbeat_keeps_a_lease() {
    let Some(f) = fixture() else { return };
    f.want(&["a"]);
    let lease = f.claim("w").unwrap();
    for _ in 0..5 {
        f.clock.advance(LEASE - 1);
        assert!(f.catalog.heartbeat(&[&lease], LEASE).unwrap().is_empty());
    }
    assert!(f.claim("other").is_none());
    f.done(&lease).unwrap();
}

#[test]
fn a_retry_waits_for_its_time() {
    let Some(f) = fixture() else { return };
    f.want(&["a"]);
    let lease = f.claim("w").unwrap();
    f.catalog.fail(&lease, &failure(Kind::Unavailable), Some(5_000)).unwrap();
    assert!(f.claim("w").is_none());
    f.clock.advance(4_999);
    assert!(f.claim("w").is_none());
    f.clock.advance(1);
    assert_eq!(f.claim("w").unwrap().attempt, 2);
}

#[test]
fn a_worker_lost_on_its_last_try_is_a_failure_with_a_name() {
    let Some(f) = fixture() else { return };
    f.want(&["a"]);
    for _ in 0..TRIES {
        f.claim("doomed").unwrap();
        f.clock.advance(LEASE + 1);
    }
    assert!(f.claim("w").is_none());
    let job = f.catalog.job(wanted("a").id()).unwrap();
    assert_eq!(job.state, JobState::Failed);
    assert_eq!(job.error.unwrap().message, "worker lost");
    assert_eq!(f.catalog.attempts(job.id).unwrap().len() as i64, TRIES);
}

#[test]
fn a_released_job_keeps_its_tries() {
    let Some(f) = fixture() else { return };
    f.want(&["a"]);
    for _ in 0..TRIES * 3 {
        f.catalog.release(&f.claim("preempted").unwrap()).unwrap();
    }
    let job = f.catalog.job(wanted("a").id()).unwrap();
    assert_eq!((job.state, job.max_attempt - job.attempt), (JobState::Ready, TRIES));
}

#[test]
fn a_failed_job_is_left_alone_until_somebody_retries_it_and_its_fence_goes_on_counting() {
    let Some(f) = fixture() else { return };
    f.want(&["a"]);
    f.catalog.fail(&f.claim("w").unwrap(), &failure(Kind::Corrupt), None).unwrap();
    let again = f.catalog.enqueue(&[wanted("a")]).unwrap();
    assert_eq!((again.open.len(), again.failed.len()), (0, 1));
    assert!(f.claim("w").is_none());
    assert_eq!(f.catalog.retry(&[wanted("a").id()]).unwrap(), 1);
    let lease = f.claim("w").unwrap();
    assert_eq!((lease.attempt, lease.job.max_attempt), (2, 1 + TRIES));
}

#[test]
fn what_is_not_wanted_any_more_is_taken_back_unless_somebody_does_it() {
    let Some(f) = fixture() else { return };
    f.want(&["a", "b", "c"]);
    let busy = f.claim("w").unwrap();
    let keep = ["a", "b", "c"].into_iter().map(|s| wanted(s).id()).find(|id| *id != busy.job.id).unwrap();
    assert_eq!(f.catalog.withdraw_others(Stage::Transcode, "", &[keep], i64::MAX).unwrap(), 1);
    f.done(&busy).unwrap();
    assert_eq!(f.claim("w").unwrap().job.id, keep);
}

#[test]
fn higher_priority_goes_first_and_scopes_do_not_mix() {
    let Some(f) = fixture() else { return };
    let mut urgent = wanted("urgent");
    urgent.priority = 5;
    let mut elsewhere = wanted("elsewhere");
    elsewhere.scope = "other".to_owned();
    f.catalog.enqueue(&[wanted("a"), urgent, elsewhere]).unwrap();
    assert_eq!(f.claim("w").unwrap().job.subject, "urgent");
    assert_eq!(f.claim("w").unwrap().job.subject, "a");
    assert!(f.claim("w").is_none());
}

#[test]
fn the_history_of_a_job_is_kept() {
    let Some(f) = fixture() else { return };
    f.want(&["a"]);
    f.catalog.fail(&f.claim("one").unwrap(), &failure(Kind::Unavailable), Some(0)).unwrap();
    f.clock.advance(10);
    f.claim("two").unwrap();
    f.clock.advance(LEASE + 1);
    f.done(&f.claim("three").unwrap()).unwrap();
    let history: Vec<_> =
        f.catalog.attempts(wanted("a").id()).unwrap().into_iter().map(|a| (a.worker, a.result.unwrap())).collect();
    let expected = [("one", "retry"), ("two", "lost"), ("three", "done")].map(|(w, r)| (w.to_owned(), r.to_owned()));
    assert_eq!(history, expected);
}

#[test]
fn bytes_that_two_workers_store_at_once_become_one_asset_and_two_sightings() {
    let Some(f) = fixture() else { return };
    f.want(&["a", "b"]);
    let drive = DriveId::derived(&["d"]);
    let root = RawPath::new("mnt");
    let drive =
        Drive { id: drive, identity: "d".into(), label: "d".into(), root, fs_uuid: None, serial: None, bytes: None };
    f.catalog.see_drive(&drive).unwrap();
    let sighting = |asset: &(Asset, Master)| Sighting {
        drive: drive.id,
        path: RawPath::new(&asset.0.title),
        bytes: asset.1.bytes,
        mtime_ns: 1,
        inode: 1,
        ctime_ns: None,
        outcome: Outcome::Stored,
        detail: None,
        digest: Some(asset.1.digest),
        asset: Some(asset.0.id),
    };
    let (first, second) = (asset_of("first", "same"), asset_of("second", "same"));
    let facts = |a: &(Asset, Master)| Facts {
        assets: vec![(a.0.clone(), vec![a.1.clone()])],
        sightings: vec![sighting(a)],
        ..Facts::default()
    };
    let (one, two) = (f.claim("one").unwrap(), f.claim("two").unwrap());
    assert!(f.catalog.settle(&one, &facts(&first), None).unwrap().superseded.is_empty());
    let settled = f.catalog.settle(&two, &facts(&second), None).unwrap();
    assert_eq!(settled.superseded, [(second.0.id, second.1.key.clone())]);
    let known = f.catalog.known_sightings(drive.id).unwrap();
    let second_path = &known[&RawPath::new("second")];
    assert_eq!((second_path.outcome, second_path.asset), (Outcome::Duplicate, Some(first.0.id)));
    assert!(!f.catalog.has_asset(second.0.id).unwrap());
}

#[test]
fn events_are_in_order_and_without_gaps() {
    let Some(f) = fixture() else { return };
    f.want(&["a", "b", "c"]);
    for name in ["x", "y", "z"] {
        let (asset, master) = asset_of(name, name);
        let facts = Facts { assets: vec![(asset, vec![master])], ..Facts::default() };
        f.catalog.settle(&f.claim("w").unwrap(), &facts, None).unwrap();
    }
    let events = f.catalog.events_after(0, 100).unwrap();
    assert_eq!(events.iter().map(|e| e.seq).collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
    let kinds: Vec<&str> = events.iter().map(|e| e.kind.as_str()).collect();
    assert_eq!(kinds, [["job.ready"; 3].to_vec(), ["job.started", "asset.stored", "job.done"].repeat(3)].concat());
    assert_eq!(f.catalog.events_after(11, 10).unwrap().len(), 1);
}

#[test]
fn eight_claimers_in_as_many_connections_never_share_a_job() {
    let Some(f) = fixture() else { return };
    let open = || f.own.at(1).0;
    let jobs: Vec<Wanted> = (0..200).map(|i| wanted(&i.to_string())).collect();
    open().enqueue(&jobs).unwrap();
    let mut claimed: Vec<String> = std::thread::scope(|scope| {
        let work = || {
            let catalog = open();
            let mut mine = Vec::new();
            while let Some(lease) = catalog.claim(Stage::Transcode, "", "w", LEASE).unwrap() {
                catalog.settle(&lease, &Facts::default(), None).unwrap();
                mine.push(lease.job.subject);
            }
            mine
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    });
    claimed.sort_by_key(|s| s.parse::<u32>().unwrap());
    let expected: Vec<String> = (0..200).map(|i| i.to_string()).collect();
    assert_eq!(claimed, expected);
}

#[test]
fn a_job_that_was_taken_back_and_is_wanted_again_goes_on_counting_its_attempts() {
    let Some(f) = fixture() else { return };
    f.want(&["a"]);
    let first = f.claim("w").unwrap();
    f.catalog.release(&first).unwrap();
    assert_eq!(f.catalog.withdraw_others(Stage::Transcode, "", &[], i64::MAX).unwrap(), 1);
    f.want(&["a"]);
    let second = f.claim("w").unwrap();
    assert_eq!((first.attempt, second.attempt), (1, 2));
    f.done(&second).unwrap();
    assert_eq!(f.catalog.attempts(wanted("a").id()).unwrap().len(), 2);
}

#[test]
fn a_waiting_job_is_done_by_whoever_wants_it_last_and_plans_do_not_take_back_those_of_others() {
    let Some(f) = fixture() else { return };
    let of = |scope: &str, subject: &str| Wanted { scope: scope.to_owned(), ..wanted(subject) };
    f.catalog.enqueue(&[of("one", "a"), of("one", "b")]).unwrap();
    f.catalog.enqueue(&[of("two", "b"), of("two", "c")]).unwrap();
    let claim = |scope: &str| f.catalog.claim(Stage::Transcode, scope, "w", LEASE).unwrap();
    assert_eq!(
        f.catalog.withdraw_others(Stage::Transcode, "two", &[wanted("b").id(), wanted("c").id()], i64::MAX).unwrap(),
        0
    );
    let held = claim("one").unwrap();
    assert_eq!(held.job.subject, "a");
    assert!(claim("one").is_none());
    // Somebody works in scope one: it is left alone; when nobody does, what waits there was given up.
    f.catalog.enqueue(&[of("one", "d")]).unwrap();
    assert_eq!(f.catalog.withdraw_idle_scopes(Stage::Transcode, "two").unwrap(), 0);
    f.done(&held).unwrap();
    f.clock.advance(86_400_001);
    assert_eq!(f.catalog.withdraw_idle_scopes(Stage::Transcode, "two").unwrap(), 1);
    let ids = ["a", "b", "c", "d"].map(|s| wanted(s).id());
    assert_eq!(f.catalog.not_ended(&ids).unwrap(), 3);
}

#[test]
fn what_joins_an_asset_that_was_superseded_joins_the_one_that_was_first() {
    let Some(f) = fixture() else { return };
    f.want(&["a", "b"]);
    let (first, second) = (asset_of("first", "same"), asset_of("second", "same"));
    let (_, mut sidecar) = asset_of("second", "of its own");
    (sidecar.role, sidecar.key) = (Role::Sidecar, "masters/second/y".parse().unwrap());
    let (one, two) = (f.claim("one").unwrap(), f.claim("two").unwrap());
    let facts = |a: &(Asset, Master)| Facts { assets: vec![(a.0.clone(), vec![a.1.clone()])], ..Facts::default() };
    f.catalog.settle(&one, &facts(&first), None).unwrap();
    let both = Facts { joined: vec![sidecar.clone()], ..facts(&second) };
    f.catalog.settle(&two, &both, None).unwrap();
    let masters = f.catalog.asset(first.0.id).unwrap().masters;
    assert_eq!(masters.iter().map(|m| m.digest).collect::<Vec<_>>(), [first.1.digest, sidecar.digest]);
}

#[test]
fn an_old_plan_takes_back_nothing_that_others_have_wanted_since_or_that_somebody_waits_for() {
    let Some(f) = fixture() else { return };
    f.want(&["old", "wanted again"]);
    f.catalog.enqueue(&[Wanted { priority: 100, ..wanted("urgent") }]).unwrap();
    f.clock.advance(10);
    let planned_at = f.catalog.now().unwrap();
    // While that plan is made, another host plans too: for the same scope, something new and something that waits.
    f.clock.advance(10);
    f.want(&["new"]);
    f.want(&["wanted again"]);
    assert_eq!(f.catalog.withdraw_others(Stage::Transcode, "", &[], planned_at).unwrap(), 1);
    let left: Vec<String> = f.catalog.jobs(&JobFilter::default()).unwrap().into_iter().map(|j| j.subject).collect();
    assert!(["urgent", "new", "wanted again"].iter().all(|s| left.iter().any(|l| l == s)), "{left:?}");
    let events = f.catalog.events_after(0, 100).unwrap();
    assert!(events.iter().any(|e| e.kind == "job.withdrawn" && e.detail["subject"] == "old"), "{events:?}");
}

#[test]
fn what_follows_several_jobs_is_enqueued_by_the_last_of_them_and_once() {
    let Some(f) = fixture() else { return };
    let (asset, master) = asset_of("film", "film");
    let recipe = Digest::of("recipe");
    let segment = |name: &str| Rendition {
        asset: asset.id,
        master: master.digest,
        entry: format!("proxy@segment-{name}"),
        recipe,
        prefix: format!("renditions/video/{name}/x@1").parse().unwrap(),
        files: Vec::new(),
        facts: MediaFacts::bare(MediaKind::Video, "video/h264"),
    };
    let names = ["a", "b", "c", "d"];
    let join = Wanted { scope: "another".to_owned(), ..wanted("join") };
    let then = || Then {
        once: names.iter().map(|n| (master.digest, segment(n).entry, recipe)).collect(),
        wanted: join.clone(),
    };
    let facts = |name: &str| Facts { segments: vec![segment(name)], then: vec![then()], ..Facts::default() };
    f.want(&names);
    let leases: Vec<Lease> = names.iter().map(|name| f.claim(name).unwrap()).collect();
    let told = |lease: &Lease| lease.job.subject.clone();
    // One fails and is tried again: the others do not wait for it, nor does what follows come before it.
    f.catalog.fail(&leases[0], &failure(Kind::Unavailable), Some(0)).unwrap();
    std::thread::scope(|scope| {
        for lease in &leases[1..] {
            scope.spawn(|| f.catalog.settle(lease, &facts(&told(lease)), None).unwrap());
        }
    });
    assert_eq!(f.catalog.job(join.id()).unwrap_err().kind(), Kind::NotFound);
    let again = f.claim("again").unwrap();
    f.catalog.settle(&again, &facts(&told(&again)), None).unwrap();
    // The answer may have been lost.
    f.catalog.settle(&again, &facts(&told(&again)), None).unwrap();
    let follows = f.claim("whoever").expect("what follows is in the plan of what it follows");
    assert_eq!((follows.job.subject.as_str(), follows.job.task.clone()), ("join", join.task.clone()));
    assert!(f.claim("other").is_none());
    assert!(f.catalog.renditions_of(asset.id).unwrap().is_empty(), "a segment is shown as a rendition");

    // All at once: one of them is the last.
    let (film, names) = (Digest::of("another film"), ["e", "f", "g", "h", "i", "j"]);
    let of = |name: &str| Rendition { master: film, ..segment(name) };
    let once: Vec<_> = names.iter().map(|n| (film, of(n).entry, recipe)).collect();
    let then = || Then { once: once.clone(), wanted: wanted("second join") };
    f.want(&names);
    let leases: Vec<Lease> = names.iter().map(|name| f.claim(name).unwrap()).collect();
    std::thread::scope(|scope| {
        for lease in &leases {
            let facts = Facts { segments: vec![of(&told(lease))], then: vec![then()], ..Facts::default() };
            let catalog = &f.catalog;
            scope.spawn(move || catalog.settle(lease, &facts, None).unwrap());
        }
    });
    assert_eq!(f.state("second join"), JobState::Ready);
    let events = f.catalog.events_after(0, 1000).unwrap();
    let begun = |e: &&damctl::catalog::Event| e.kind == "job.ready" && e.detail["subject"] == "second join";
    assert_eq!(events.iter().filter(begun).count(), 1);
}
