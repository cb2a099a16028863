//! Does the jobs: the account's turn, the place asked what became of an earlier attempt, the sending, its end.

use std::sync::PoisonError;

use serde_json::Value;

use super::{
    Publish, Task, What,
    package::{Bytes, content_of},
    preflight::{Allowed, rights},
    words::Filled,
};
use crate::{
    catalog::{Facts, Fares, Lease, Step, Turn},
    channel::{self, Channel, DeliveryChannel, Fate, Package, Retracted, Sent, Standing, Way},
    error::{Error, Kind, Result},
    model::{Publication, PublicationId, PublicationState, Receipt, Stage, job::Failure},
    profile::channels::{Outlet, Place},
    stop::Stop,
    work::{Amount, Attempt, Done, StageRun},
};

/// Bytes after which progress is written down without the connector asking for it.
const NOTED: u64 = 64 << 20;

impl StageRun for Publish<'_> {
    fn stage(&self) -> Stage {
        Stage::Publish
    }

    /// A place may be away for hours: how long that is borne, the stage itself says.
    fn is_patient(&self) -> bool {
        true
    }

    fn run(&self, attempt: &Attempt<'_>) -> Result<Done> {
        let task: Task = attempt.task()?;
        match task.what {
            What::Send => self.send(attempt, task.publication),
            What::Retract => self.retract(attempt, task.publication),
        }
    }
}

/// What a connector tells, on its way to the catalog.
struct Ledger<'a, 'b> {
    publish: &'a Publish<'a>,
    attempt: &'a Attempt<'b>,
    lease: Lease,
    id: PublicationId,
    session: Value,
    is_posting: bool,
    sent: u64,
    bytes: u64,
    noted: u64,
}

impl Ledger<'_, '_> {
    fn write(&mut self, is_posting: bool) -> Result<()> {
        self.noted = self.sent;
        self.is_posting |= is_posting;
        let catalog = self.publish.catalog;
        catalog.keep_session(&self.lease, self.id, &self.session, is_posting, self.sent as i64)
    }
}

impl Way for Ledger<'_, '_> {
    fn keep(&mut self, session: &Value) -> Result<()> {
        self.session = session.clone();
        self.write(false)?;
        crate::crash::point("publish.kept");
        Ok(())
    }

    fn posting(&mut self, session: &Value) -> Result<()> {
        self.session = session.clone();
        self.write(true)?;
        crate::crash::point("publish.posting");
        Ok(())
    }

    fn moved(&mut self, bytes: u64) -> Result<()> {
        self.attempt.stop.check()?;
        self.sent += bytes;
        self.attempt.read(bytes)?;
        if self.bytes > 0 {
            self.attempt.tick(Amount::Share((self.sent as f64 / self.bytes as f64).min(1.0)));
        }
        if self.sent - self.noted >= NOTED && !self.session.is_null() {
            self.write(false)?;
        }
        Ok(())
    }
}

impl Publish<'_> {
    fn send(&self, attempt: &Attempt<'_>, id: PublicationId) -> Result<Done> {
        let known = self.catalog.publication(id)?;
        let rates = self.channels.get(&known.channel).and_then(super::rates).unwrap_or_default();
        let lease = attempt.lease();
        let p = match self.catalog.begin_publication(&lease, id, self.at_once, &rates)? {
            Turn::Now(p) => *p,
            Turn::At(at) => return Ok(later(at)),
            Turn::Never => return Ok(Done::default()),
        };
        let now = self.catalog.now()?;
        let source = Bytes::of(self.store);
        let outlet = match self.channels.get(&p.channel) {
            Ok(outlet) => outlet,
            Err(e) => return self.ends(attempt, &p, p.is_posting, e),
        };
        if p.state == PublicationState::Unknown && p.session.is_none() {
            return Ok(unknown(&p, "nothing is written down of how it was sent"));
        }
        // What is on its way or may be there is asked for whatever its rights have become.
        let is_new = p.session.is_none();
        let (package, channel) = match self.ready(&p, outlet, &source, (is_new, &attempt.stop)) {
            Ok(ready) => ready,
            Err(Halt::Later(at)) => return Ok(put_off(&p, at)),
            Err(Halt::Changed(e)) if is_new => return Ok(failed(&p, e, Fares::Unsaid)),
            Err(Halt::Changed(e)) => return self.ends(attempt, &p, p.is_posting, e),
            Err(Halt::Error(e)) => return self.ends(attempt, &p, p.is_posting, e),
        };
        let mut ledger = Ledger {
            publish: self,
            attempt,
            lease,
            id,
            session: p.session.clone().unwrap_or(Value::Null),
            is_posting: p.is_posting,
            sent: 0,
            bytes: package.bytes(),
            noted: 0,
        };
        let session = match &p.session {
            None => None,
            Some(session) => match channel.find(&package, session) {
                Ok(Fate::Published(receipt)) => return Ok(published(&p, receipt)),
                Ok(Fate::Processing(session, wait)) => return Ok(processing(&p, session, now, wait)),
                Ok(Fate::Resumable(session)) => Some(session),
                Ok(Fate::Absent) => None,
                Ok(Fate::Failed(failure)) => return Ok(came_to_nothing(&p, Error::from(failure))),
                Ok(Fate::Unknown(why)) => return Ok(unknown(&p, &why)),
                Err(e) => return self.ends(attempt, &p, p.is_posting, e),
            },
        };
        if session.is_none() {
            ledger.is_posting = false;
        }
        if content_of(&package) != p.content {
            // What was begun with other bytes is not gone on with.
            return Ok(came_to_nothing(&p, changed()));
        }
        // It is not there yet: what was begun goes on only if it may still be shown.
        if !is_new {
            match self.allowed(&p, outlet) {
                Ok(()) => {}
                Err(Halt::Later(at)) => return Ok(put_off(&p, at)),
                Err(Halt::Changed(e) | Halt::Error(e)) => return Ok(came_to_nothing(&p, e)),
            }
        }
        match channel.send(&package, session.as_ref(), &mut ledger) {
            Ok(Sent::Published(receipt)) => {
                crate::crash::point("publish.answered");
                Ok(published(&p, receipt))
            }
            Ok(Sent::Processing(session, wait)) => Ok(processing(&p, session, self.catalog.now()?, wait)),
            Err(e) => {
                let is_posting = ledger.is_posting;
                self.ends(attempt, &p, is_posting, e)
            }
        }
    }

    /// Whether its rights allow it now.
    fn allowed(&self, p: &Publication, outlet: &Outlet) -> std::result::Result<(), Halt> {
        let held = self.catalog.rights_of(p.asset)?.map(|(_, rights)| rights).unwrap_or_default();
        match rights(&held, outlet, self.catalog.now()?)? {
            Allowed::Now => Ok(()),
            Allowed::From(at) => Err(Halt::Later(at)),
            Allowed::No(reasons) => Err(Error::invalid(reasons.join("; ")).into()),
        }
    }

    /// The package and the connector, once nothing stands in the way any more.
    fn ready<'p>(
        &'p self,
        p: &Publication,
        outlet: &Outlet,
        source: &'p Bytes<'p>,
        (is_new, stop): (bool, &Stop),
    ) -> std::result::Result<(Package<'p>, Box<dyn Channel + 'p>), Halt> {
        let (package, filled, _) = self.package(p, outlet, source)?;
        if is_new {
            if content_of(&package) != p.content {
                return Err(Halt::Changed(changed()));
            }
            self.allowed(p, outlet)?;
            let limits = channel::limits(&outlet.to)?;
            let bytes = package.media.iter().map(|item| item.bytes).sum();
            let mut against = limits.against_media(outlet.limits.as_ref(), &package.facts, package.media.len(), bytes);
            against.extend(limits.against_words(&package.words));
            if !against.is_empty() {
                return Err(Error::invalid(against.join("; ")).into());
            }
        }
        let channel = self.open(&p.channel, outlet, &filled, stop)?;
        if is_new {
            let standing = self.standing(p, &*channel)?;
            if let (Some(ms), Some(most)) = (package.facts.duration_ms, standing.longest_ms)
                && ms > most
            {
                let (is, most) = (ms as f64 / 1000.0, most / 1000);
                return Err(Error::invalid(format!("{is:.1} s long: this account may publish {most} s at most")).into());
            }
            if let Some(privacy) = &package.words.privacy
                && !standing.privacy.is_empty()
                && !standing.privacy.contains(privacy)
            {
                let may = standing.privacy.join(", ");
                return Err(Error::invalid(format!("privacy '{privacy}': this account may use {may}")).into());
            }
        }
        Ok((package, channel))
    }

    /// Asks a channel's place whether its account is well.
    pub fn check(&self, name: &str, stop: &Stop) -> Result<Standing> {
        let outlet = self.channels.get(name)?;
        let fill = |template: &str| match template.contains("{{") {
            true => Ok(String::new()),
            false => Ok(template.to_owned()),
        };
        if let Place::Delivery(place) = &outlet.to {
            return DeliveryChannel::new(place, self.store, "check")?.standing();
        }
        channel::open(name, outlet, self.account(name, outlet, stop), self.dir, &fill)?.standing()
    }

    /// Opens a channel's connector.
    fn open(&self, name: &str, outlet: &Outlet, filled: &Filled, stop: &Stop) -> Result<Box<dyn Channel + '_>> {
        if let Place::Delivery(place) = &outlet.to {
            let path = filled.path("{{ id }}/{{ generation }}/{{ marker }}")?;
            return Ok(Box::new(DeliveryChannel::new(place, self.store, &path)?));
        }
        channel::open(name, outlet, self.account(name, outlet, stop), self.dir, &|template| filled.path(template))
    }

    /// What the account may do; asked once for each.
    fn standing(&self, p: &Publication, channel: &dyn Channel) -> Result<Standing> {
        let lock = || self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&p.channel) {
            return Ok(known.clone());
        }
        let standing = channel.standing()?;
        lock().insert(p.channel.clone(), standing.clone());
        Ok(standing)
    }

    /// How an error leaves a publication.
    fn ends(&self, attempt: &Attempt<'_>, p: &Publication, is_posting: bool, e: Error) -> Result<Done> {
        match e.kind() {
            // Given back as it is; what was sent is written down.
            Kind::Stopped | Kind::LeaseLost | Kind::Paused => Err(e),
            Kind::Unavailable => {
                let since = p.tried_at.unwrap_or(attempt.began);
                let is_over = attempt.began - since > self.patience;
                let state = match (is_posting, is_over) {
                    (true, _) => PublicationState::Unknown,
                    (false, true) => PublicationState::Failed,
                    (false, false) => PublicationState::Sending,
                };
                let fares = Fares::Badly(e.wait().map(|wait| wait.as_millis() as i64));
                let mut done = ended(p, state, &e, fares);
                done.failure = Some(match is_over {
                    false => e,
                    // Of a kind that is not tried again.
                    true => Error::invalid(format!("given up after {} h: {}", self.patience / 3_600_000, e.one_line()))
                        .hint("give the same command again when the place is well"),
                });
                Ok(done)
            }
            // Whether it is there is still not known: that does not end with an error that has nothing to do with it.
            _ if p.state == PublicationState::Unknown && is_posting => {
                let mut done = ended(p, PublicationState::Unknown, &e, Fares::Unsaid);
                done.failure = Some(e);
                Ok(done)
            }
            _ => Ok(failed(p, e, Fares::Unsaid)),
        }
    }

    fn retract(&self, attempt: &Attempt<'_>, id: PublicationId) -> Result<Done> {
        let p = self.catalog.publication(id)?;
        let (PublicationState::Published, Some(receipt)) = (p.state, &p.receipt) else { return Ok(Done::default()) };
        let outlet = self.channels.get(&p.channel)?;
        let row = self.catalog.asset(p.asset)?;
        let said = self.catalog.described(p.asset)?.description;
        let held = self.catalog.rights_of(p.asset)?.map(|(_, rights)| rights).unwrap_or_default();
        let filled = Filled::new(&p, &row.asset, &said, &held, Value::Null);
        attempt.stop.check()?;
        // Of the account's limits it takes nothing; its rest after a failure it keeps.
        let (now, rest) = (self.catalog.now()?, self.catalog.rest_of(&p.outlet)?);
        if rest > now {
            return Ok(later(rest));
        }
        let channel = self.open(&p.channel, outlet, &filled, &attempt.stop)?;
        let proof = match channel.retract(receipt) {
            Ok(Retracted::Gone(proof)) => proof,
            Ok(Retracted::Absent) => serde_json::json!("it was gone before"),
            Err(e) if e.kind() == Kind::Unavailable => {
                let mut step = Step::to(id, PublicationState::Published);
                step.outlet = Fares::Badly(e.wait().map(|wait| wait.as_millis() as i64));
                let facts = Facts { publications: vec![step], ..Facts::default() };
                return Ok(Done { facts, failure: Some(e) });
            }
            Err(e) => return Err(e),
        };
        let mut step = Step::to(id, PublicationState::Retracted);
        let mut kept = receipt.clone();
        kept.proof = serde_json::json!({"published": receipt.proof, "retracted": proof});
        (step.receipt, step.outlet) = (Some(kept), Fares::Well);
        Ok(Facts { publications: vec![step], ..Facts::default() }.into())
    }
}

/// Why something is not sent now.
enum Halt {
    /// Its time has not come (ms).
    Later(i64),
    /// It is not what was planned any more.
    Changed(Error),
    Error(Error),
}

fn changed() -> Error {
    Error::new(
        Kind::Conflict,
        "what was to be sent is not there any more: it was made anew, or another file took its place",
    )
    .hint("give the same command again: it then publishes what is there now")
}

impl From<Error> for Halt {
    fn from(e: Error) -> Self {
        Halt::Error(e)
    }
}

/// The job is gone on with at a time (ms).
fn later(at: i64) -> Done {
    Facts { resume_at: Some(at), ..Facts::default() }.into()
}

/// The publication waits for a time (ms), and the job ends: a later plan takes it up.
fn put_off(p: &Publication, at: i64) -> Done {
    let mut step = Step::to(p.id, PublicationState::Planned);
    step.not_before = Some(at);
    Facts { publications: vec![step], ..Facts::default() }.into()
}

fn published(p: &Publication, receipt: Receipt) -> Done {
    let mut step = Step::to(p.id, PublicationState::Published);
    (step.receipt, step.outlet) = (Some(receipt), Fares::Well);
    Facts { publications: vec![step], ..Facts::default() }.into()
}

fn processing(p: &Publication, session: Value, now: i64, wait: std::time::Duration) -> Done {
    let state = if p.state == PublicationState::Unknown { p.state } else { PublicationState::Sending };
    let mut step = Step::to(p.id, state);
    (step.session, step.outlet) = (Some(session), Fares::Well);
    let resume_at = Some(now + wait.as_millis() as i64);
    Facts { publications: vec![step], resume_at, ..Facts::default() }.into()
}

fn unknown(p: &Publication, why: &str) -> Done {
    let e = Error::new(Kind::Conflict, format!("whether it is published cannot be found out: {why}"))
        .hint("look there, then 'damctl publish settle' says how it is; 'damctl publish reconcile' asks again");
    let mut done = ended(p, PublicationState::Unknown, &e, Fares::Unsaid);
    done.failure = Some(e);
    done
}

/// Nothing of it is there: the next try begins from the beginning.
fn came_to_nothing(p: &Publication, e: Error) -> Done {
    let mut done = failed(p, e, Fares::Unsaid);
    done.facts.publications.iter_mut().for_each(|step| step.is_settled = true);
    done
}

fn failed(p: &Publication, e: Error, fares: Fares) -> Done {
    let mut done = ended(p, PublicationState::Failed, &e, fares);
    done.failure = Some(e);
    done
}

fn ended(p: &Publication, state: PublicationState, e: &Error, fares: Fares) -> Done {
    let mut step = Step::to(p.id, state);
    (step.error, step.outlet) = (Some(Failure::from(e)), fares);
    Done { facts: Facts { publications: vec![step], ..Facts::default() }, failure: None }
}
