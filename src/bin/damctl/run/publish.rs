//! `damctl publish` and `damctl channel`: to every channel, once.

use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;
use damctl::{
    catalog::{Catalog, Wanted},
    channel,
    error::Error,
    model::{
        Approval, AssetId, JobState, Publication, PublicationId, PublicationState, Rate, Stage, Words, description,
    },
    profile::channels::{Bounds, Channels},
    publish::{self, Proposed, Publish, Refused, Request},
    secret::Secrets,
    stop::Stop,
    work::{self, Drain, Event, Reporter, Until},
};
use serde_json::json;

use super::{Archive, Verdict, actor, print, verdict};
use crate::cli::{ChannelCommand, PublishArgs, PublishCommand};

/// How often what has become due is looked for.
const LOOK: Duration = Duration::from_secs(5);
/// How often it is looked whether rights have ended.
const ENDS: Duration = Duration::from_secs(60);
/// How long places are waited for, where nothing else is said.
const WAIT: Duration = Duration::from_secs(600);
/// Events that are read at a time.
const EVENTS: i64 = 1000;
/// Publications that are worked on at a time, where nothing else is said: they wait more than they work.
const AT_A_TIME: usize = 8;

pub fn run(args: &PublishArgs, archive: &Archive, reporter: &dyn Reporter, stop: &Stop) -> Result<Verdict> {
    let desk = Desk::open(archive)?;
    let doing = Doing { desk: &desk, archive, reporter, stop };
    match &args.command {
        None => doing.publish(args),
        Some(PublishCommand::Status { asset, state, json }) => {
            let shown = |p: &Publication| state.is_none_or(|state| p.state == state);
            if asset.is_empty() {
                desk.each(*state, &mut |p| desk.show(&p, *json))?;
            }
            for id in asset {
                desk.catalog.publications_of(*id)?.iter().filter(|p| shown(p)).try_for_each(|p| desk.show(p, *json))?;
            }
            Ok(Verdict::Done)
        }
        Some(PublishCommand::Approve { id }) => desk
            .amend(id, "approved", "waits for nobody's approval", &|id| desk.catalog.approve_publication(id, &actor())),
        Some(PublishCommand::Cancel { id }) => desk.amend(id, "given up", "is not waiting any more", &|id| {
            let rates = desk.rates(&desk.catalog.publication(id)?.channel);
            desk.catalog.cancel_publication(id, &rates, &actor())
        }),
        Some(PublishCommand::Retract { id, work: _ }) => {
            let all = desk.named(id)?;
            let jobs = all.iter().map(publish::retract).collect::<Result<Vec<_>, _>>()?;
            let (ended, left) = doing.drain(&jobs, Until::Empty, WAIT, "taken back", Tried::ByCommand)?;
            Ok(unless_left(ended, left))
        }
        Some(PublishCommand::Reconcile { id, work: _ }) => {
            let mut all = desk.named(id)?;
            if id.is_empty() {
                desk.each(Some(PublicationState::Unknown), &mut |p| {
                    all.push(p);
                    Ok(())
                })?;
            }
            let jobs = all.iter().map(publish::reconcile).collect::<Result<Vec<_>, _>>()?;
            let (ended, left) = doing.drain(&jobs, Until::Empty, WAIT, "settled", Tried::ByCommand)?;
            Ok(unless_left(ended, left))
        }
        Some(PublishCommand::Settle { id, published, absent: _ }) => {
            let p = desk.catalog.publication_like(id)?;
            if !desk.catalog.declare_publication(p.id, published.as_deref(), &actor())? {
                return Err(Error::invalid(format!(
                    "publication {} is {}: nothing is to be settled",
                    short(&p),
                    p.state
                ))
                .into());
            }
            print(format_args!("{} is {}", short(&p), desk.catalog.publication(p.id)?.state));
            Ok(Verdict::Done)
        }
    }
}

pub fn channels(command: &ChannelCommand, archive: &Archive, stop: &Stop) -> Result<Verdict> {
    match command {
        #[cfg(feature = "publish")]
        ChannelCommand::Login { name, device, port } => super::login::run(name, *device, *port, archive, stop),
        ChannelCommand::Validate { file } => {
            let channels = Channels::read(file)?;
            publish::check(&channels, file.parent().unwrap_or(Path::new(".")))?;
            print(format_args!(
                "{}: {} channel(s), {} rule(s)",
                file.display(),
                channels.channels.len(),
                channels.rules.len()
            ));
            Ok(Verdict::Done)
        }
        ChannelCommand::List { json } => {
            let desk = Desk::open(archive)?;
            for (name, outlet) in &desk.channels.channels {
                let (limits, rates) = (channel::limits(&outlet.to)?, publish::rates(outlet)?);
                if *json {
                    let it = json!({"name": name, "kind": outlet.to.kind(), "account": outlet.account(name),
                        "send": outlet.send, "limits": limits, "rates": rates, "as_of": channel::as_of()?});
                    print(format_args!("{it}"));
                } else {
                    let (kind, account, send) = (outlet.to.kind(), outlet.account(name), outlet.send.join(", "));
                    print(format_args!("{name}: {kind}, account '{account}', sends {send}"));
                    print(format_args!("  needs: {}", limits.needs));
                    limits.media.iter().for_each(|(kind, bounds)| {
                        let all = [bounds.as_ref(), outlet.limits.as_ref()];
                        let words: Vec<String> = all.into_iter().flatten().flat_map(Bounds::words).collect();
                        let words = if words.is_empty() { "of any kind".to_owned() } else { words.join(", ") };
                        print(format_args!("  takes: {kind}, {words}"));
                    });
                    rates.iter().for_each(|rate| print(format_args!("  rate:  {rate}")));
                    print(format_args!("  docs:  {} (limits as of {})", limits.docs, channel::as_of()?));
                }
            }
            Ok(Verdict::Done)
        }
        ChannelCommand::Check { names } => {
            let desk = Desk::open(archive)?;
            let store = archive.store()?;
            let stage = Publish::new(&desk.catalog, &*store, &desk.channels, &desk.dir, desk.secrets.clone());
            let all: Vec<&String> =
                if names.is_empty() { desk.channels.channels.keys().collect() } else { names.iter().collect() };
            let mut is_well = true;
            for name in all {
                match stage.check(name, stop) {
                    Ok(standing) => {
                        let who = standing.name.map(|n| format!(" as {n}")).unwrap_or_default();
                        let longest =
                            standing.longest_ms.map(|ms| format!(", {} s at most", ms / 1000)).unwrap_or_default();
                        print(format_args!("{name}: well{who}{longest}"));
                    }
                    Err(e) => {
                        is_well = false;
                        print(format_args!("{name}: {}", e.one_line()));
                        if let Some(hint) = e.hint_text() {
                            print(format_args!("  hint: {hint}"));
                        }
                    }
                }
            }
            Ok(if is_well { Verdict::Done } else { Verdict::SomeFailed })
        }
    }
}

fn short(p: &Publication) -> String {
    p.id.to_string()[..12].to_owned()
}

fn when(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map_or_else(|_| "?".to_owned(), |t| t.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// What a command on publications needs.
struct Desk {
    catalog: Catalog,
    channels: Channels,
    dir: PathBuf,
    secrets: Arc<dyn Secrets>,
}

impl Desk {
    fn open(archive: &Archive) -> Result<Self> {
        let path = archive.settings.path("channels");
        let channels = match path.exists() {
            true => Channels::read(&path)?,
            false => Channels::default(),
        };
        let dir = path.parent().unwrap_or(Path::new(".")).to_owned();
        Ok(Self { catalog: archive.catalog()?, channels, dir, secrets: archive.settings.secrets()? })
    }

    /// What a channel's account may do how often; of a channel that is not there any more, nothing is known.
    fn rates(&self, channel: &str) -> Vec<Rate> {
        self.channels.get(channel).and_then(publish::rates).unwrap_or_default()
    }

    fn each(&self, state: Option<PublicationState>, each: &mut dyn FnMut(Publication) -> Result<()>) -> Result<()> {
        let mut after: Option<PublicationId> = None;
        loop {
            let page = self.catalog.publications_page(state, after, 500)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            page.into_iter().try_for_each(&mut *each)?;
        }
    }

    fn named(&self, ids: &[String]) -> Result<Vec<Publication>> {
        Ok(ids.iter().map(|id| self.catalog.publication_like(id)).collect::<Result<_, _>>()?)
    }

    fn amend(
        &self,
        ids: &[String],
        done: &str,
        not: &str,
        work: &dyn Fn(PublicationId) -> damctl::error::Result<bool>,
    ) -> Result<Verdict> {
        let mut is_all = true;
        for p in self.named(ids)? {
            let is_done = work(p.id)?;
            is_all &= is_done;
            match is_done {
                true => print(format_args!("{} to {}: {done}", short(&p), p.channel)),
                false => print(format_args!("{} to {}: {not}: it is {}", short(&p), p.channel, p.state)),
            }
        }
        Ok(if is_all { Verdict::Done } else { Verdict::SomeFailed })
    }

    fn show(&self, p: &Publication, is_json: bool) -> Result<()> {
        if is_json {
            print(format_args!("{}", serde_json::to_string(p)?));
            return Ok(());
        }
        let now = self.catalog.now()?;
        let more = match (&p.state, &p.approval) {
            (PublicationState::Planned, Approval::Wanted) => " (waits for approval)".to_owned(),
            (PublicationState::Planned, _) if p.not_before > now => format!(" (for {})", when(p.not_before)),
            _ => String::new(),
        };
        let at = p.receipt.as_ref().map(|r| format!("  {}", r.url.as_deref().unwrap_or(&r.id))).unwrap_or_default();
        print(format_args!("{}  {:<9}{more}  {}  {} of {}{at}", short(p), p.state, p.channel, p.entry, p.asset));
        if let Some(error) = &p.error {
            print(format_args!("              {}", error.message));
            if let Some(hint) = &error.hint {
                print(format_args!("              hint: {hint}"));
            }
        }
        Ok(())
    }
}

struct Doing<'a> {
    desk: &'a Desk,
    archive: &'a Archive,
    reporter: &'a dyn Reporter,
    stop: &'a Stop,
}

impl Doing<'_> {
    fn publish(&self, args: &PublishArgs) -> Result<Verdict> {
        if !args.asset.is_empty() && args.to.is_empty() {
            return Err(Error::invalid("to which channels? --to names them")
                .hint("'damctl channel list' lists them")
                .into());
        }
        if args.watch {
            return self.watch(args);
        }
        let patience = Duration::try_from(args.wait)?;
        let proposed = self.proposed(args, None)?;
        let is_any_refused = proposed.iter().any(|p| matches!(p, Proposed::Refused(_))) && !args.asset.is_empty();
        if args.force && !args.dry_run && !args.yes {
            self.ask(&proposed)?;
        }
        let plan = self.plan(args, &proposed)?;
        let ended = match args.dry_run || args.enqueue {
            true => Verdict::Done,
            false if args.asset.is_empty() => {
                let expired = self.expired(Tried::ByCommand)?;
                let (ended, left) =
                    self.drain(&self.due(patience)?, Until::Empty, patience, "published", Tried::ByCommand)?;
                let taken_back = self.take_back(&expired, patience)?;
                unless_left(worse(ended, taken_back), left)
            }
            false => {
                // What others have planned is theirs.
                let mine: Vec<String> = plan.iter().map(|id| format!("{id} send")).collect();
                let mut jobs = self.due(patience)?;
                jobs.retain(|job| mine.contains(&job.recipe));
                let (ended, left) = self.drain(&jobs, Until::Empty, patience, "published", Tried::ByCommand)?;
                for job in &jobs {
                    let p = self.desk.catalog.publication(job.recipe.trim_end_matches(" send").parse()?)?;
                    if let (PublicationState::Published, Some(receipt)) = (p.state, &p.receipt) {
                        let at = receipt.url.as_deref().unwrap_or(&receipt.id);
                        print(format_args!("{} to {}: {at}", short(&p), p.channel));
                    }
                }
                unless_left(ended, left)
            }
        };
        Ok(match ended {
            Verdict::Done if is_any_refused => Verdict::SomeFailed,
            other => other,
        })
    }

    /// Publishes what becomes due and what the rules want of what changes, and takes back what ends, until it is stopped.
    fn watch(&self, args: &PublishArgs) -> Result<Verdict> {
        let catalog = &self.desk.catalog;
        let (mut seen, mut changed) = (catalog.last_event()?, None);
        let mut looked: Option<Instant> = None;
        loop {
            let proposed = self.proposed(args, changed.as_deref())?;
            self.plan(args, &proposed)?;
            let (ended, _) = self.drain(&self.due(LOOK)?, Until::Empty, LOOK, "published", Tried::ByItself)?;
            if looked.is_none_or(|then| then.elapsed() > ENDS) {
                looked = Some(Instant::now());
                self.take_back(&self.expired(Tried::ByItself)?, LOOK)?;
            }
            if !matches!(ended, Verdict::Done | Verdict::SomeFailed) {
                return Ok(ended);
            }
            let begin = Instant::now();
            while begin.elapsed() < LOOK {
                if self.stop.is_tripped() {
                    return Ok(Verdict::Stopped);
                }
                std::thread::sleep(Duration::from_millis(100));
            }
            let mut assets = std::collections::BTreeSet::new();
            loop {
                let page = catalog.events_after(seen, EVENTS)?;
                let Some(last) = page.last() else { break };
                seen = last.seq;
                assets.extend(page.iter().filter_map(|event| event.subject.parse::<AssetId>().ok()));
            }
            changed = Some(assets.into_iter().collect::<Vec<_>>());
        }
    }

    fn due(&self, within: Duration) -> Result<Vec<Wanted>> {
        let horizon = self.desk.catalog.now()? + i64::try_from(within.as_millis())?;
        Ok(publish::wanted(&self.desk.catalog, horizon)?)
    }

    /// The jobs that take back what may not be shown any more. What a place does not allow is asked of it once.
    fn expired(&self, tried: Tried) -> Result<Vec<Wanted>> {
        let jobs = publish::expired(&self.desk.catalog)?.iter().map(publish::retract).collect::<Result<Vec<_>, _>>()?;
        if tried == Tried::ByItself {
            return Ok(jobs);
        }
        for job in &jobs {
            if let Ok(known) = self.desk.catalog.job(job.id())
                && known.state == JobState::Failed
            {
                print(format_args!("cannot be taken back: {}; 'damctl publish retract' tries again", job.subject));
            }
        }
        Ok(jobs)
    }

    fn take_back(&self, jobs: &[Wanted], patience: Duration) -> Result<Verdict> {
        if jobs.is_empty() {
            return Ok(Verdict::Done);
        }
        let (ended, left) = self.drain(jobs, Until::Empty, patience, "taken back", Tried::ByItself)?;
        Ok(unless_left(ended, left))
    }

    fn proposed(&self, args: &PublishArgs, changed: Option<&[AssetId]>) -> Result<Vec<Proposed>> {
        let (catalog, channels) = (&self.desk.catalog, &self.desk.channels);
        if args.asset.is_empty() {
            return Ok(publish::by_rules(catalog, channels, changed)?);
        }
        let request = Request {
            assets: args.asset.clone(),
            to: args.to.clone(),
            at: args.at.as_deref().map(description::moment).transpose()?,
            entry: args.entry.clone(),
            needs_approval: args.needs_approval,
            words: Words {
                title: args.title.clone().unwrap_or_default(),
                description: args.description.clone().unwrap_or_default(),
                privacy: args.privacy.clone(),
                ..Words::default()
            },
            again: args.force,
            actor: actor(),
        };
        Ok(publish::propose(catalog, channels, &request)?)
    }

    /// Has a person confirm what people would see twice.
    fn ask(&self, proposed: &[Proposed]) -> Result<()> {
        let again: Vec<_> = proposed
            .iter()
            .filter_map(|p| match p {
                Proposed::Wanted(new) if new.again > 0 => Some(format!("{} to {}", new.asset, new.channel)),
                _ => None,
            })
            .collect();
        if again.is_empty() {
            return Ok(());
        }
        let what = format!("{} would be published once more: people see it twice", again.join(", "));
        if !std::io::stdin().is_terminal() {
            return Err(Error::invalid(what).hint("say --yes if that is what you want").into());
        }
        let mut screen = std::io::stderr();
        write!(screen, "{what}. Go on? [y/N] ").and_then(|()| screen.flush()).ok();
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(Error::invalid("not confirmed: nothing is published").into()),
        }
    }

    /// Writes down what is wanted, and says what becomes of each.
    fn plan(&self, args: &PublishArgs, proposed: &[Proposed]) -> Result<Vec<PublicationId>> {
        let catalog = &self.desk.catalog;
        let mut ids = Vec::new();
        for one in proposed {
            let new = match one {
                Proposed::Wanted(new) => new,
                Proposed::Refused(refused) => {
                    if !args.asset.is_empty() || !args.watch {
                        refuse(refused);
                    }
                    continue;
                }
            };
            if args.dry_run {
                let (asset, channel) = (new.asset, &new.channel);
                match catalog.publication(new.id()) {
                    Ok(p) => print(format_args!("{} of {asset} to {channel}: it is {} already", new.entry, p.state)),
                    Err(_) => print(format_args!("{} of {asset} to {channel}: would be published", new.entry)),
                }
                continue;
            }
            let p = match args.asset.is_empty() {
                true => {
                    let rates = |new: &damctl::catalog::NewPublication| self.desk.rates(&new.channel);
                    let planned = catalog.plan_publications(std::slice::from_ref(&**new), &rates)?.pop();
                    let Some((p, _)) = planned else { continue };
                    p
                }
                // Asked for again, what failed is tried again, and what is planned gets its new time and words.
                false => {
                    let is_other = args.at.is_some()
                        || args.needs_approval
                        || [&args.title, &args.description, &args.privacy].iter().any(|said| said.is_some());
                    publish::order(catalog, &self.desk.channels, new, is_other)?
                }
            };
            ids.push(p.id);
            let (short, channel) = (short(&p), &p.channel);
            let at = when(p.not_before);
            match (&p.approval, p.state) {
                (Approval::Wanted, PublicationState::Planned) => {
                    print(format_args!("{short} to {channel}: waits for approval: damctl publish approve {short}"))
                }
                (_, PublicationState::Planned) if p.not_before > catalog.now()? + 1000 => {
                    print(format_args!("{short} to {channel}: scheduled for {at}"));
                }
                (_, PublicationState::Planned | PublicationState::Sending) => {}
                (_, PublicationState::Published) => {
                    let url = p.receipt.and_then(|r| r.url).map(|u| format!(": {u}")).unwrap_or_default();
                    print(format_args!("{short} to {channel}: published already{url}"));
                }
                (_, PublicationState::Unknown) => print(format_args!(
                    "{short} to {channel}: a reply was lost, and it may be there: damctl publish reconcile {short}"
                )),
                (_, PublicationState::Retracted) => {
                    print(format_args!("{short} to {channel}: was taken back; --force publishes it once more"))
                }
                (_, PublicationState::Failed) => {}
            }
        }
        Ok(ids)
    }

    fn drain(
        &self,
        wanted: &[Wanted],
        until: Until,
        patience: Duration,
        done: &str,
        tried: Tried,
    ) -> Result<(Verdict, usize)> {
        let Self { desk, archive, reporter, stop } = *self;
        let catalog = &desk.catalog;
        let mut enqueued = catalog.enqueue(wanted)?;
        if tried == Tried::ByCommand && catalog.retry(&enqueued.failed)? > 0 {
            enqueued = catalog.enqueue(wanted)?;
        }
        if enqueued.open.is_empty() {
            return Ok((Verdict::Done, 0));
        }
        reporter.report(&Event::Planned { stage: Stage::Publish, jobs: enqueued.open.len(), bytes: None });
        let workers = archive.settings.workers_or(AT_A_TIME)?;
        let store = archive.store()?;
        let stage = Publish::new(catalog, &*store, &desk.channels, &desk.dir, desk.secrets.clone());
        let mine = enqueued.open.clone();
        let how = Drain { until, workers, mine, patience: Some(patience), ..archive.drain(publish::SCOPE.to_owned())? };
        // A catalog that is made of the store again must know of what may have been sent.
        super::record(catalog, &*store, reporter, stop);
        let summary = work::drain(catalog, &stage, &how, reporter, stop)?;
        super::record(catalog, &*store, reporter, stop);
        let left = catalog.not_ended(&enqueued.open)?;
        let (of, failed) = (enqueued.open.len(), summary.failed.len());
        print(format_args!("{} of {of} {done}", of.saturating_sub(failed + left)));
        Ok((verdict(Stage::Publish, summary, &[], reporter, stop), left))
    }
}

/// Who has something tried again that has failed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tried {
    ByCommand,
    ByItself,
}

fn unless_left(verdict: Verdict, left: usize) -> Verdict {
    match verdict {
        Verdict::Done | Verdict::SomeFailed if left > 0 => {
            let message = format!("{left} publication(s) wait for their account's next try, or for their place");
            Verdict::Paused(Error::paused(message).hint("'damctl publish' goes on; 'damctl publish status' lists them"))
        }
        other => other,
    }
}

fn worse(one: Verdict, other: Verdict) -> Verdict {
    if matches!(one, Verdict::Done) { other } else { one }
}

fn refuse(refused: &Refused) {
    let Refused { asset, title, channel, reasons, hint } = refused;
    print(format_args!("refused: {title} ({asset}) to {channel}: {}", reasons.join("; ")));
    if let Some(hint) = hint {
        print(format_args!("        hint: {hint}"));
    }
}
