//! Publications and seals: the same on both databases.

use damctl::{
    catalog::{Catalog, Facts, Fares, Lease, NewPublication, Step, Turn, Wanted},
    digest::Digest,
    error::Kind,
    model::{Approval, AssetId, Per, Publication, PublicationState, Rate, Receipt, Stage, Words, job::Failure},
};
use serde_json::json;

struct Fixture {
    catalog: Catalog,
    clock: std::sync::Arc<damctl::catalog::FakeClock>,
    _own: super::super::Own,
}

const NOW: i64 = 1_000_000;

fn fixture() -> Option<Fixture> {
    let own = super::own()?;
    let (catalog, clock) = own.at(NOW);
    Some(Fixture { catalog, clock, _own: own })
}

fn new(n: u8) -> NewPublication {
    NewPublication {
        asset: AssetId(uuid::Uuid::from_u128(u128::from(n))),
        generation: 1,
        entry: "web".to_owned(),
        channel: "tube".to_owned(),
        outlet: "youtube/main".to_owned(),
        again: 0,
        not_before: 0,
        needs_approval: false,
        content: Digest::of("film"),
        words: Words::default(),
        actor: "Ana".to_owned(),
    }
}

impl Fixture {
    fn plan(&self, new: &NewPublication) -> (Publication, bool) {
        self.catalog.plan_publications(std::slice::from_ref(new), &|_| Vec::new()).unwrap().remove(0)
    }

    /// A job for a publication, claimed.
    fn lease(&self, p: &Publication) -> Lease {
        let wanted = Wanted {
            stage: Stage::Publish,
            scope: "p".to_owned(),
            subject: p.id.to_string(),
            recipe: "send".to_owned(),
            task: json!({}),
            priority: 0,
        };
        self.catalog.enqueue(&[wanted]).unwrap();
        self.catalog.claim(Stage::Publish, "p", "w", 60_000).unwrap().unwrap()
    }

    fn begin(&self, lease: &Lease, p: &Publication) -> Turn {
        self.catalog.begin_publication(lease, p.id, 3, &[]).unwrap()
    }

    fn settle(&self, lease: &Lease, step: Step, resume_at: Option<i64>) {
        let facts = Facts { publications: vec![step], resume_at, ..Facts::default() };
        self.catalog.settle(lease, &facts, None).unwrap();
    }

    fn state(&self, p: &Publication) -> PublicationState {
        self.catalog.publication(p.id).unwrap().state
    }
}

#[test]
fn wanted_twice_it_is_one_and_published_it_stays_so() {
    let Some(it) = fixture() else { return };
    let (p, is_new) = it.plan(&new(1));
    let (again, is_new_again) = it.plan(&new(1));
    assert_eq!((is_new, is_new_again, p.id), (true, false, again.id));
    let lease = it.lease(&p);
    let Turn::Now(begun) = it.begin(&lease, &p) else { panic!("it is free") };
    assert_eq!((begun.state, begun.tried_at), (PublicationState::Sending, Some(NOW)));
    it.catalog.keep_session(&lease, p.id, &json!({"at": 7}), true, 7).unwrap();
    let known = it.catalog.publication(p.id).unwrap();
    assert_eq!((known.session, known.is_posting, known.sent), (Some(json!({"at": 7})), true, 7));
    let mut step = Step::to(p.id, PublicationState::Published);
    step.receipt = Some(Receipt { id: "v1".to_owned(), url: None, proof: json!(1) });
    step.outlet = Fares::Well;
    it.settle(&lease, step, None);
    let known = it.catalog.publication(p.id).unwrap();
    // What opened the upload is forgotten with its end.
    assert_eq!(
        (known.state, known.session, known.receipt.unwrap().id.as_str()),
        (PublicationState::Published, None, "v1")
    );
    assert_eq!(it.plan(&new(1)).0.state, PublicationState::Published);
    assert_eq!(it.catalog.publications_of(p.asset).unwrap().len(), 1);
    assert_eq!(it.catalog.publications_page(Some(PublicationState::Published), None, 10).unwrap().len(), 1);
    assert_eq!(it.catalog.publication_like(&p.id.to_string()[..8]).unwrap().id, p.id);
    assert!(it.catalog.due_publications(i64::MAX).unwrap().is_empty());
}

#[test]
fn whoever_was_overtaken_writes_nothing() {
    let Some(it) = fixture() else { return };
    let (p, _) = it.plan(&new(1));
    let lease = it.lease(&p);
    it.begin(&lease, &p);
    it.clock.advance(61_000);
    let later = it.catalog.claim(Stage::Publish, "p", "other", 60_000).unwrap().unwrap();
    assert!(matches!(it.begin(&later, &p), Turn::Now(_)));
    let lost = it.catalog.keep_session(&lease, p.id, &json!(1), true, 0).unwrap_err();
    assert_eq!(lost.kind(), Kind::LeaseLost);
    assert_eq!(it.catalog.begin_publication(&lease, p.id, 3, &[]).unwrap_err().kind(), Kind::LeaseLost);
    let facts = Facts { publications: vec![Step::to(p.id, PublicationState::Published)], ..Facts::default() };
    assert_eq!(it.catalog.settle(&lease, &facts, None).unwrap_err().kind(), Kind::LeaseLost);
    assert_eq!(it.state(&p), PublicationState::Sending);
}

#[test]
fn three_of_an_account_are_on_their_way_and_a_failure_leaves_it_in_peace() {
    let Some(it) = fixture() else { return };
    let all: Vec<(Publication, Lease)> = (1..=4)
        .map(|n| {
            let (p, _) = it.plan(&new(n));
            let lease = it.lease(&p);
            (p, lease)
        })
        .collect();
    for (p, lease) in &all[..3] {
        assert!(matches!(it.begin(lease, p), Turn::Now(_)));
    }
    let (fourth, lease) = &all[3];
    assert!(matches!(it.begin(lease, fourth), Turn::At(at) if at > NOW));
    let failure = Failure { kind: Kind::Unavailable, message: "503".to_owned(), hint: None, code: None };
    for (failures, (p, lease)) in all[..2].iter().enumerate() {
        let mut step = Step::to(p.id, PublicationState::Sending);
        (step.error, step.outlet) = (Some(failure.clone()), Fares::Badly(None));
        let facts = Facts { publications: vec![step], ..Facts::default() };
        it.catalog.settle(lease, &facts, Some((&failure, Some(1_000)))).unwrap();
        let rest = NOW + (2_000 << failures);
        assert!(matches!(it.begin(&all[3].1, fourth), Turn::At(at) if at == rest), "{failures}");
    }
    it.clock.advance(4_000);
    assert!(matches!(it.begin(lease, fourth), Turn::Now(_)));
    let mut step = Step::to(fourth.id, PublicationState::Published);
    step.outlet = Fares::Well;
    it.settle(lease, step, None);
    // The first success wipes it out.
    let mut step = Step::to(all[2].0.id, PublicationState::Sending);
    (step.error, step.outlet) = (Some(failure.clone()), Fares::Badly(Some(90_000)));
    let facts = Facts { publications: vec![step], ..Facts::default() };
    it.catalog.settle(&all[2].1, &facts, Some((&failure, Some(1_000)))).unwrap();
    let (fifth, _) = it.plan(&new(5));
    let lease = it.lease(&fifth);
    assert!(matches!(it.begin(&lease, &fifth), Turn::At(at) if at == NOW + 4_000 + 90_000));
}

#[test]
fn limits_give_each_its_time_and_a_job_is_deferred_without_losing_a_try() {
    let Some(it) = fixture() else { return };
    let rate = Rate { name: "posts".to_owned(), cost: 1, per: Per::Seconds { most: 2, seconds: 2.0 } };
    let mut times = Vec::new();
    for n in 1..=5 {
        let planned = it.catalog.plan_publications(&[new(n)], &|_| vec![rate.clone()]).unwrap().remove(0).0;
        times.push(planned.not_before - NOW);
    }
    assert_eq!(times, [0, 0, 1_000, 2_000, 3_000]);
    assert_eq!(it.catalog.due_publications(NOW + 1_500).unwrap().len(), 3);
    let (p, _) = it.plan(&new(1));
    for _ in 0..20 {
        let lease = it.lease(&p);
        it.settle(&lease, Step::to(p.id, PublicationState::Sending), Some(0));
    }
    let lease = it.lease(&p);
    assert!(lease.job.max_attempt > lease.job.attempt, "{:?}", lease.job);
}

#[test]
fn approval_canceling_and_what_a_person_says_hold_where_they_may() {
    let Some(it) = fixture() else { return };
    let (p, _) = it.plan(&NewPublication { needs_approval: true, ..new(1) });
    assert_eq!(p.approval, Approval::Wanted);
    assert!(it.catalog.due_publications(i64::MAX).unwrap().is_empty());
    assert!(
        it.catalog.approve_publication(p.id, "Eva").unwrap() && !it.catalog.approve_publication(p.id, "Eva").unwrap()
    );
    assert_eq!(it.catalog.due_publications(i64::MAX).unwrap()[0].approval, Approval::Given("Eva".to_owned()));
    assert!(!it.catalog.declare_publication(p.id, Some("https://x/1"), "Eva").unwrap());
    let lease = it.lease(&p);
    it.begin(&lease, &p);
    assert!(!it.catalog.cancel_publication(p.id, &[], "Eva").unwrap());
    it.settle(&lease, Step::to(p.id, PublicationState::Unknown), None);
    assert!(it.catalog.declare_publication(p.id, Some("https://x/1"), "Eva").unwrap());
    let known = it.catalog.publication(p.id).unwrap();
    assert_eq!(
        (known.state, known.receipt.unwrap().url.as_deref()),
        (PublicationState::Published, Some("https://x/1"))
    );
    let (q, _) = it.plan(&new(2));
    assert!(it.catalog.cancel_publication(q.id, &[], "Eva").unwrap());
    assert_eq!(it.state(&q), PublicationState::Retracted);
}

#[test]
fn what_was_canceled_or_has_failed_is_planned_anew_and_what_was_begun_is_still_known() {
    let Some(it) = fixture() else { return };
    let (p, _) = it.plan(&new(1));
    assert!(it.catalog.cancel_publication(p.id, &[], "Eva").unwrap());
    let lease = it.lease(&p);
    // Whoever had its job by then does not send it.
    assert_eq!(it.begin(&lease, &p), Turn::Never);
    it.catalog.release(&lease).unwrap();
    let later = NewPublication { not_before: NOW + 5_000, needs_approval: true, ..new(1) };
    assert!(it.catalog.plan_again(&later, &[]).unwrap());
    let known = it.catalog.publication(p.id).unwrap();
    assert_eq!(
        (known.state, known.not_before, known.approval),
        (PublicationState::Planned, NOW + 5_000, Approval::Wanted)
    );
    it.catalog.approve_publication(p.id, "Eva").unwrap();
    let lease = it.lease(&p);
    assert!(matches!(it.begin(&lease, &p), Turn::At(at) if at == NOW + 5_000));
    it.clock.advance(5_000);
    // One that was planned for later takes its turn among the others now.
    let rate = Rate { name: "posts".to_owned(), cost: 1, per: Per::Seconds { most: 1, seconds: 10.0 } };
    let other = it.catalog.plan_publications(&[new(2)], &|_| vec![rate.clone()]).unwrap().remove(0).0;
    assert_eq!(other.not_before, NOW + 5_000);
    let turn = it.catalog.begin_publication(&lease, p.id, 3, std::slice::from_ref(&rate)).unwrap();
    assert!(matches!(turn, Turn::At(at) if at == NOW + 15_000), "{turn:?}");
    it.clock.advance(10_000);
    assert!(matches!(it.begin(&lease, &p), Turn::Now(_)));
    it.catalog.keep_session(&lease, p.id, &json!("begun"), true, 1).unwrap();
    it.settle(&lease, Step::to(p.id, PublicationState::Failed), None);
    assert!(it.catalog.plan_again(&new(1), &[]).unwrap());
    let known = it.catalog.publication(p.id).unwrap();
    assert_eq!((known.session, known.is_posting), (Some(json!("begun")), true));
}

#[test]
fn one_at_a_time_refreshes_an_accounts_token() {
    let Some(it) = fixture() else { return };
    assert!(it.catalog.take_refresh("youtube/main", "a").unwrap());
    assert!(!it.catalog.take_refresh("youtube/main", "b").unwrap());
    assert!(it.catalog.take_refresh("x/main", "b").unwrap());
    it.catalog.end_refresh("youtube/main", "b").unwrap();
    assert!(!it.catalog.take_refresh("youtube/main", "b").unwrap());
    it.catalog.end_refresh("youtube/main", "a").unwrap();
    assert!(it.catalog.take_refresh("youtube/main", "b").unwrap());
    // Whoever died with it does not have it for ever.
    it.clock.advance(200_000);
    assert!(it.catalog.take_refresh("youtube/main", "c").unwrap());
}

#[test]
fn seals_hold_what_is_before_them() {
    let Some(it) = fixture() else { return };
    assert_eq!(it.catalog.seal_events().unwrap(), None);
    it.plan(&new(1));
    let first = it.catalog.seal_events().unwrap().unwrap();
    assert_eq!(it.catalog.seal_events().unwrap().unwrap(), first);
    it.plan(&new(2));
    let second = it.catalog.seal_events().unwrap().unwrap();
    assert!(second.seq > first.seq && second.digest != first.digest);
    for known in [None, Some(&first), Some(&second)] {
        let proof = it.catalog.prove_events(known).unwrap();
        assert!(proof.findings.is_empty() && proof.last.as_ref() == Some(&second), "{proof:?}");
    }
    let other = damctl::catalog::Seal { seq: first.seq, digest: second.digest };
    assert_eq!(it.catalog.prove_events(Some(&other)).unwrap().findings.len(), 1);
    assert_eq!(first.to_string().parse::<damctl::catalog::Seal>().unwrap(), first);
}

#[test]
fn what_is_canceled_or_planned_for_another_time_gives_its_accounts_limits_back() {
    let Some(it) = fixture() else { return };
    let rate = Rate { name: "posts".to_owned(), cost: 1, per: Per::Seconds { most: 1, seconds: 10.0 } };
    let rates = std::slice::from_ref(&rate);
    let plan = |n: u8| it.catalog.plan_publications(&[new(n)], &|_| vec![rate.clone()]).unwrap().remove(0).0;
    assert_eq!(plan(1).not_before, NOW);
    let (second, third) = (plan(2), plan(3));
    assert_eq!((second.not_before, third.not_before), (NOW + 10_000, NOW + 20_000));
    assert!(it.catalog.cancel_publication(third.id, rates, "Eva").unwrap());
    assert!(!it.catalog.cancel_publication(third.id, rates, "Eva").unwrap());
    assert_eq!(plan(4).not_before, NOW + 20_000);
    let later = NewPublication { not_before: NOW + 500_000, ..new(4) };
    assert!(it.catalog.plan_again(&later, rates).unwrap());
    assert_eq!(plan(5).not_before, NOW + 20_000);
}
