//! Queues: what waits for whom, by the priority of each job.

use damctl::{
    catalog::{Catalog, Claim, Lease, Wanted},
    error::Kind,
    model::{JobState, Queue, Stage, job::Failure},
};

struct Fixture {
    catalog: Catalog,
    clock: std::sync::Arc<damctl::catalog::FakeClock>,
    _own: super::super::Own,
}

fn fixture() -> Option<Fixture> {
    let own = super::own()?;
    let (catalog, clock) = own.at(1_000_000);
    Some(Fixture { catalog, clock, _own: own })
}

fn wanted(subject: &str, scope: &str, priority: i64) -> Wanted {
    Wanted {
        stage: Stage::Transcode,
        scope: scope.to_owned(),
        subject: subject.to_owned(),
        recipe: "r".to_owned(),
        task: serde_json::json!({}),
        priority,
    }
}

fn any(queue: Queue) -> Claim<'static> {
    Claim { stage: Stage::Transcode, scope: None, queue }
}

impl Fixture {
    fn want(&self, wanted: &[Wanted]) {
        self.catalog.enqueue(wanted).unwrap();
    }

    fn claim(&self, queue: Queue) -> Option<Lease> {
        self.catalog.claim_from(&any(queue), "w", 60_000).unwrap()
    }

    fn subject(&self, queue: Queue) -> Option<String> {
        self.claim(queue).map(|lease| lease.job.subject)
    }

    fn fail(&self, lease: &Lease, kind: Kind, again: Option<i64>) {
        let failure = Failure { kind, message: "it broke".to_owned(), hint: None, code: None };
        self.catalog.fail(lease, &failure, again).unwrap();
    }
}

#[test]
fn queues_share_no_job_and_together_have_them_all() {
    for priority in [i64::MIN, -101, -100, -99, -1, 0, 99, 100, i64::MAX] {
        let within = |queue: &Queue| {
            let (low, high) = queue.priorities();
            (low..=high).contains(&priority)
        };
        let some = [Queue::Interactive, Queue::Batch, Queue::Large];
        assert_eq!(some.iter().filter(|q| within(q)).count(), 1, "{priority}");
        assert!(within(&Queue::All));
    }
    for queue in Queue::ALL {
        assert_eq!(queue.as_str().parse::<Queue>().unwrap(), queue);
    }
}

#[test]
fn a_worker_takes_from_every_plan_but_from_its_queue_alone() {
    let Some(f) = fixture() else { return };
    f.want(&[wanted("a", "one", 0), wanted("b", "two", 0), wanted("now", "three", Queue::INTERACTIVE)]);
    assert_eq!(f.catalog.due_among(&any(Queue::All)).unwrap(), 3);
    assert_eq!(f.catalog.due_among(&any(Queue::Batch)).unwrap(), 2);
    assert_eq!(f.subject(Queue::Interactive).as_deref(), Some("now"));
    assert_eq!(f.subject(Queue::Interactive), None);
    assert_eq!(f.subject(Queue::Large), None);
    assert_eq!(f.catalog.open_among(&any(Queue::All)).unwrap().0, 3);
    assert_eq!(f.catalog.due_among(&any(Queue::All)).unwrap(), 2);
    assert!(f.subject(Queue::All).is_some() && f.subject(Queue::Batch).is_some());
    assert_eq!(f.subject(Queue::All), None);
}

#[test]
fn what_somebody_waits_for_moves_up_and_stays_there() {
    let Some(f) = fixture() else { return };
    f.want(&[wanted("a", "all", 0), wanted("b", "all", 0)]);
    f.want(&[wanted("b", "some", Queue::INTERACTIVE)]);
    // The backlog planned again, and another plan that takes back what nobody works on.
    f.want(&[wanted("a", "all", 0), wanted("b", "all", 0)]);
    f.want(&[wanted("b", "some", 0)]);
    f.clock.advance(86_400_001);
    assert_eq!(f.catalog.withdraw_idle_scopes(Stage::Transcode, "other").unwrap(), 1);
    let lease = f.claim(Queue::Interactive).unwrap();
    assert_eq!(lease.job.subject, "b");
    // Tried again, it is still waited for.
    f.fail(&lease, Kind::Unavailable, Some(0));
    let lease = f.claim(Queue::Interactive).unwrap();
    f.fail(&lease, Kind::Corrupt, None);
    assert_eq!(f.subject(Queue::All), None);
}

#[test]
fn what_two_workers_in_a_row_died_of_waits_for_those_with_more_memory() {
    let Some(f) = fixture() else { return };
    f.want(&[wanted("a", "all", 0)]);
    let lost = || {
        let lease = f.claim(Queue::Batch).unwrap();
        f.clock.advance(60_001);
        lease
    };
    lost();
    // One that ends between them with a word tells of something else.
    f.fail(&f.claim(Queue::Batch).unwrap(), Kind::Unavailable, Some(0));
    lost();
    assert_eq!(lost().attempt, 4);
    assert_eq!(f.subject(Queue::Batch), None);
    assert_eq!(f.catalog.due_among(&any(Queue::Large)).unwrap(), 1);
    let large = f.claim(Queue::Large).unwrap();
    assert_eq!((large.attempt, large.job.max_attempt), (5, 5));
    let told: Vec<String> = f.catalog.attempts(large.job.id).unwrap().into_iter().filter_map(|a| a.result).collect();
    assert_eq!(told, ["lost", "retry", "lost", "lost"]);
}

#[test]
fn what_ran_out_of_memory_waits_for_those_with_more() {
    let Some(f) = fixture() else { return };
    f.want(&[wanted("a", "all", 0), wanted("b", "all", 0), wanted("c", "all", 0)]);
    let (a, b, c) = (f.claim(Queue::Batch).unwrap(), f.claim(Queue::Batch).unwrap(), f.claim(Queue::Batch).unwrap());
    f.fail(&a, Kind::OutOfMemory, None);
    f.fail(&b, Kind::Corrupt, None);
    assert_eq!(f.catalog.short_of_memory(Stage::Transcode).unwrap(), [(a.job.id, 1)]);
    assert_eq!(f.catalog.enlarge(&[(a.job.id, 2)]).unwrap(), 0, "another has taken it up");
    assert_eq!(f.catalog.enlarge(&[(a.job.id, 1)]).unwrap(), 1);
    assert!(f.catalog.short_of_memory(Stage::Transcode).unwrap().is_empty());
    // One whose worker is known to be dead, too: it hears so, if it is not.
    assert_eq!(f.catalog.left_by(Stage::Transcode, &|worker| worker == "w").unwrap(), [(c.job.id, 1)]);
    assert!(f.catalog.left_by(Stage::Transcode, &|worker| worker == "v").unwrap().is_empty());
    assert_eq!(f.catalog.enlarge(&[(c.job.id, 1)]).unwrap(), 1);
    assert_eq!(f.catalog.heartbeat(&[&c], 60_000).unwrap(), [c.job.id]);
    assert_eq!(f.subject(Queue::Batch), None);
    let again = f.claim(Queue::Large).unwrap();
    assert_eq!((again.attempt, again.job.max_attempt), (2, 6));
    // What is tried again there stays there.
    f.fail(&again, Kind::Unavailable, Some(0));
    assert!(f.claim(Queue::Large).is_some() && f.claim(Queue::Large).is_some());
    assert_eq!(f.catalog.job(b.job.id).unwrap().state, JobState::Failed);
}
