//! One short file a subcommand. Each gets what it needs, already resolved.

use std::{
    io::Write,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Result;
use damctl::{
    catalog::Catalog,
    enrich::{Crew, Sense},
    error::{Doing, Error},
    media::{Limits, child::ChildProcess},
    model::{Queue, Stage, job::Failure},
    models::Shelf,
    profile::{DEFAULT, Profile},
    spool::{Spool, Swept},
    stop::Stop,
    store::{FsStore, Store},
    work::{Drain, Reporter, Summary, Until},
};

use crate::{
    cli::{Cli, Command, WorkArgs},
    report,
    settings::{self, Settings},
};

mod bag;
#[cfg(feature = "webhook")]
mod bulk;
mod catalog;
mod certificate;
mod collect;
mod collection;
mod compose;
mod config;
mod doctor;
mod drives;
mod enrich;
mod events;
mod export;
mod fanout;
mod history;
mod index;
mod infer;
mod ingest;
mod init;
mod jobs;
#[cfg(feature = "publish")]
mod login;
mod models;
mod presign;
mod profile;
mod publish;
mod receive;
mod render;
mod replace;
mod replicate;
mod search;
mod secret;
#[cfg(feature = "serve")]
mod serve;
mod shelve;
mod status;
mod store;
mod token;
mod transcode;
mod transcript;
mod verify;

/// How a command ended.
pub enum Verdict {
    /// Everything is done.
    Done,
    /// Some items failed, and were named.
    SomeFailed,
    /// Nothing more can be done until a person acts.
    Paused(Error),
    /// A signal ended it.
    Stopped,
}

impl Verdict {
    /// All done is not said while planned work has not ended: another command has it, or has taken it back.
    fn unless_left(self, left: usize, what: &str) -> Self {
        match self {
            Verdict::Done | Verdict::SomeFailed if left > 0 => {
                let message = format!("{left} {what} of this plan are not done: another damctl is at work on them");
                Verdict::Paused(Error::paused(message).hint("run the same command again when it has ended"))
            }
            other => other,
        }
    }

    /// Nor while the time that was given has run out before the work has.
    fn unless_time_is_up(self, catalog: &Catalog, deadline: Option<i64>, left: usize) -> Result<Self> {
        Ok(match (self, deadline) {
            (Verdict::Done | Verdict::SomeFailed, Some(at)) if left > 0 && catalog.now()? >= at => {
                let message = format!("the time is up: {left} job(s) are left");
                Verdict::Paused(Error::paused(message).hint("run the same command again to go on"))
            }
            (other, _) => other,
        })
    }
}

/// When a time that begins now ends, by the catalog's clock.
fn deadline(catalog: &Catalog, time: Option<jiff::SignedDuration>) -> Result<Option<i64>> {
    let end = |time: jiff::SignedDuration| -> Result<i64> {
        Ok(catalog.now()?.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
    };
    time.map(end).transpose()
}

/// Runs the command.
pub fn run(cli: Cli, stop: &Stop) -> Result<Verdict> {
    let reporter = report::reporter(cli.log_format);
    let archive = cli.archive.as_deref();
    let open = |flags: &[(&'static str, Option<String>)]| -> Result<Archive> {
        Ok(Archive::new(Settings::resolve(archive, flags)?, stop))
    };
    let workers = |work: &WorkArgs| [("workers", work.workers.map(|n| n.to_string()))];
    match cli.command {
        Command::Init(args) => init::run(&args.dir),
        Command::Config { command } => config::run(command, &open(&[])?.settings),
        Command::Doctor(args) => doctor::run(&args, archive),
        Command::Ingest(args) => ingest::run(&args, &open(&workers(&args.work))?, &*reporter, stop),
        Command::Drives(args) => drives::run(&args, &open(&[])?),
        Command::Certificate(args) => certificate::run(&args, &|| open(&[]), &*reporter, stop),
        Command::Presign(args) => presign::run(&args, &open(&[])?),
        Command::Receive(args) => receive::run(&args, &open(&workers(&args.work))?, &*reporter, stop),
        Command::Transcode(args) => {
            let profile = ("profile", args.profile.as_ref().map(|p| p.display().to_string()));
            let [workers] = workers(&args.work);
            transcode::run(&args, &open(&[workers, profile])?, &*reporter, stop)
        }
        Command::Enrich(args) => {
            let profile = ("profile", args.profile.as_ref().map(|p| p.display().to_string()));
            let [workers] = workers(&args.work);
            enrich::run(&args, &open(&[workers, profile])?, &*reporter, stop)
        }
        Command::Models { command } => models::run(&command, &open(&[])?, &*reporter, stop),
        Command::Infer => infer::run(stop),
        Command::Index(args) => index::run(&args, &open(&[])?, &*reporter, stop),
        Command::Publish(args) => {
            let work = match &args.command {
                Some(
                    crate::cli::PublishCommand::Retract { work, .. }
                    | crate::cli::PublishCommand::Reconcile { work, .. },
                ) => work,
                _ => &args.work,
            };
            publish::run(&args, &open(&workers(work))?, &*reporter, stop)
        }
        Command::Channel { command } => publish::channels(&command, &open(&[])?, stop),
        Command::Fanout { command } => fanout::run(&command, &open(&[])?),
        Command::Search(args) => search::run(&args, &open(&[])?),
        Command::Transcript { command } => transcript::run(&command, &open(&[])?),
        Command::Secret { command } => secret::run(&command, &open(&[])?),
        Command::Token { command } => token::run(&command, &open(&[])?),
        #[cfg(feature = "serve")]
        Command::ServeSearch(args) => {
            serve::run(&open(&[("listen", args.listen.map(|a| a.to_string()))])?, &*reporter, stop)
        }
        Command::Replace(args) => replace::run(&args, &open(&workers(&args.work))?, &*reporter, stop),
        Command::Rollback(args) => replace::back(&args, &open(&[])?, stop),
        Command::Replicate(args) => replicate::run(&args, &open(&[])?, stop),
        Command::Archive(args) => shelve::archive(&args, &open(&[])?, &*reporter, stop),
        Command::Restore(args) => shelve::restore(&args, &open(&[])?, &*reporter, stop),
        Command::Collection(command) => collection::run(&command, &open(&[])?, &*reporter, stop),
        Command::Store { command } => store::run(&command, &open(&[])?),
        Command::Status(args) => status::run(&args, &open(&[])?, stop),
        Command::History(args) => history::run(&args, &open(&[])?),
        Command::Events(args) => events::run(&args, &open(&[])?, &*reporter, stop),
        Command::Catalog { command } => catalog::run(&command, &open(&[])?, stop),
        Command::Jobs { command } => jobs::run(command, &open(&[])?),
        Command::Verify(args) => verify::run(&args, &open(&[])?, &*reporter, stop),
        Command::Collect(args) => collect::run(&args, &open(&[])?, &*reporter, stop),
        Command::Export { command } => export::run(&command, &|| open(&[]), stop),
        // A profile is checked where there is no archive, too.
        Command::Profile { command } => {
            let there = || Settings::is_there(archive).then(|| open(&[])).transpose();
            profile::run(command, &there, stop)
        }
        Command::Render(args) => match &args.job {
            None if args.warm => render::warm(),
            None if args.zygote => render::serve(stop),
            None => render::run(stop),
            Some(job) => compose::run(job, &args, &|| open(&[]), &*reporter, stop),
        },
        Command::Generate { dir } => crate::generate::generate(&dir).map(|()| Verdict::Done),
    }
}

/// The archive that a command works on; its parts are opened when they are needed.
pub struct Archive {
    settings: Settings,
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "only a server is waited for"))]
    stop: Stop,
}

impl Archive {
    fn new(settings: Settings, stop: &Stop) -> Self {
        Self { settings, stop: stop.clone() }
    }

    fn catalog(&self) -> Result<Catalog> {
        self.catalog_within(Duration::from_secs(30))
    }

    /// The catalog; a server that is away is waited for so long.
    #[cfg_attr(not(feature = "postgres"), expect(unused_variables, reason = "only a server is waited for"))]
    fn catalog_within(&self, patience: Duration) -> Result<Catalog> {
        match self.settings.catalog_server() {
            #[cfg(feature = "postgres")]
            Some(url) => {
                let (patience, stop) = (patience, self.stop.clone());
                let config = damctl::catalog::PostgresConfig { patience, stop, ..self.settings.postgres(url)? };
                Ok(Catalog::open_postgres(&config)?)
            }
            #[cfg(not(feature = "postgres"))]
            Some(_) => Err(Error::unsupported("this program was built without PostgreSQL ('postgres')").into()),
            None => {
                let path = self.settings.path("catalog");
                Ok(Catalog::open_sqlite(&path)?)
            }
        }
    }

    /// Whether the catalog is a server, which other machines reach.
    fn has_server(&self) -> bool {
        self.settings.catalog_server().is_some()
    }

    fn store(&self) -> Result<Arc<dyn Store>> {
        Ok(match self.settings.bucket("store")? {
            #[cfg(feature = "s3")]
            Some(_) => Arc::new(self.buckets()?),
            #[cfg(not(feature = "s3"))]
            Some(_) => return Err(Error::unsupported("this program was built without S3 ('s3')").into()),
            None => {
                let store = FsStore::open(&self.settings.path("store"))?;
                match self.settings.archive_folder() {
                    Some(folder) => Arc::new(store.with_archive(folder)),
                    None => Arc::new(store),
                }
            }
        })
    }

    /// The copies of the masters, each by its name.
    fn replicas(&self) -> Result<Vec<(String, Arc<dyn Store>)>> {
        let mut all: Vec<(String, Arc<dyn Store>)> = Vec::new();
        for place in self.settings.replicas() {
            let store: Arc<dyn Store> = match place.starts_with("s3://") {
                #[cfg(feature = "s3")]
                true => Arc::new(damctl::store::S3Store::open(self.settings.s3_at(&place)?)?),
                #[cfg(not(feature = "s3"))]
                true => return Err(Error::unsupported("this program was built without S3 ('s3')").into()),
                false => {
                    let path = self.settings.root.join(&place);
                    // A disk that is not plugged in is no new, empty copy.
                    if !path.is_dir() {
                        let message = format!("the replica {} is not there", path.display());
                        return Err(Error::paused(message).hint("plug it in, or make the folder once").into());
                    }
                    Arc::new(FsStore::open(&path)?)
                }
            };
            all.push((place, store));
        }
        Ok(all)
    }

    /// The buckets, as a store that makes use of what they were found to do; that is found out once.
    #[cfg(feature = "s3")]
    fn buckets(&self) -> Result<damctl::store::S3Store> {
        let store = damctl::store::S3Store::open(self.settings.s3()?)?;
        let (catalog, place) = (self.catalog()?, store.place());
        if let Some((abilities, _)) = catalog.abilities(&place)? {
            return Ok(store.with_abilities(abilities));
        }
        match store.probe() {
            Ok(abilities) => {
                catalog.keep_abilities(&place, &abilities)?;
                Ok(store.with_abilities(abilities))
            }
            // Who may only read finds nothing out, and does without.
            Err(e) if e.kind() == damctl::error::Kind::Paused => Ok(store),
            Err(e) => Err(e.into()),
        }
    }

    /// Where the archive itself lies: what must not be taken into it.
    fn own_places(&self) -> Result<Vec<std::path::PathBuf>> {
        let mut places = Vec::new();
        places.extend(self.settings.archive_folder().and_then(|folder| std::fs::canonicalize(folder).ok()));
        for key in ["store", "index", "scratch", "quarantine", "catalog"] {
            if key == "store" && self.settings.bucket(key)?.is_some() || key == "catalog" && self.has_server() {
                continue;
            }
            let Ok(path) = std::fs::canonicalize(self.settings.path(key)) else { continue };
            if key == "catalog" {
                // SQLite's companions of the file.
                let beside = |end: &str| std::path::PathBuf::from(format!("{}{end}", path.display()));
                places.extend([beside("-wal"), beside("-shm")]);
            }
            places.push(path);
        }
        Ok(places)
    }

    /// The models.
    fn shelf(&self) -> Shelf {
        Shelf::new(&self.settings.path("models"))
    }

    fn spool(&self) -> Result<Spool> {
        Ok(Spool::open(&self.settings.path("scratch"))?)
    }

    /// This program, as the child process for hostile bytes.
    fn child(&self) -> Result<ChildProcess> {
        child(&self.settings.path("scratch"))
    }

    /// Child processes that learn, none of them started yet.
    fn crew(&self, child: ChildProcess, spool: Arc<Spool>) -> Result<Crew> {
        let settings = &self.settings;
        let limits = Limits { stall_seconds: settings.stall()?, memory_bytes: settings.memory()?, ..Limits::default() };
        let mut reads = vec![settings.path("models")];
        // A model may lie on another disk.
        let models = std::fs::read_dir(settings.path("models")).into_iter().flatten().flatten();
        reads.extend(models.filter_map(|e| std::fs::canonicalize(e.path()).ok()));
        if settings.bucket("store")?.is_none() {
            reads.push(settings.path("store"));
        }
        Ok(Crew::new(child, spool, reads, limits))
    }

    /// What tells what questions mean.
    fn sense(&self) -> Result<Sense> {
        let wanted = match self.profile()?.learning.meaning {
            Some(wanted) => Some((wanted, self.crew(self.child()?, Arc::new(self.spool()?))?)),
            None => None,
        };
        Ok(Sense::new(wanted, self.shelf()))
    }

    /// What is wanted of masters.
    fn profile(&self) -> Result<Profile> {
        Ok(match self.settings.profile() {
            Some(file) => Profile::load(&file)?,
            None => Profile::parse(DEFAULT, "the built-in profile")?,
        })
    }

    fn drain(&self, scope: String) -> Result<Drain> {
        let (workers, lease) = (self.settings.workers()?, self.settings.lease()?);
        Ok(Drain { scope, workers, lease, ..Drain::default() })
    }

    /// A worker's shift. What a lost worker has left is claimable after the time of a lease: it waits for that, and then
    /// leaves the rest to those who hold it.
    fn shift(&self, queue: Queue, deadline: Option<i64>) -> Result<Drain> {
        let until = deadline.map_or(Until::Empty, Until::Deadline);
        let patience = Some(self.settings.lease()? + std::time::Duration::from_secs(5));
        Ok(Drain { any_scope: true, queue, until, patience, ..self.drain(String::new())? })
    }
}

/// Writes records of what has changed into the store. That it fails is no failure of what was done: the next command does it.
fn record(catalog: &Catalog, store: &dyn Store, reporter: &dyn Reporter, stop: &Stop) {
    if let (false, Err(e)) = (stop.is_tripped(), damctl::keep::record(catalog, store, stop)) {
        let text = format!("records of what is new could not be written: {}", e.one_line());
        reporter.report(&damctl::work::Event::Note { text: &text });
    }
}

/// Tells what killed runs had left in the scratch folder.
fn tell_swept(spool: &Spool, reporter: &dyn Reporter) {
    let Swept { removed, left } = spool.swept();
    let told = [(removed, "is removed"), (left, "cannot be removed, which the next run tries again")];
    for (runs, what) in told.into_iter().filter(|(runs, _)| *runs > 0) {
        let text = format!("the scratch folder of {runs} earlier run(s) that were killed {what}");
        reporter.report(&damctl::work::Event::Note { text: &text });
    }
}

/// Scratch of what has no archive, below the system's folder of such.
const SCRATCH: &str = "damctl-scratch";

/// This program, as the child process for hostile bytes, by this scratch folder.
fn child(scratch: &std::path::Path) -> Result<ChildProcess> {
    let exe = std::env::current_exe().doing(|| "cannot find this program's own file")?;
    // What plugins there are is a fact of this machine, not of the archive.
    let cache = settings::cache_folder().filter(|dir| std::fs::create_dir_all(dir).is_ok());
    let dir = cache.unwrap_or_else(|| scratch.to_owned());
    Ok(ChildProcess::new(exe, Some(dir.join("gstreamer-registry.bin"))))
}

/// Prints a result line. A reader that went away (`| head`) is no failure.
fn print(line: impl std::fmt::Display) {
    let text = line.to_string();
    // What files say of themselves must not speak to the terminal.
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t') || turns(c);
    let clean = |c: char| if is_odd(c) { '\u{fffd}' } else { c };
    let text: String = text.chars().map(clean).collect();
    match writeln!(std::io::stdout(), "{text}") {
        // Whoever reads has seen enough.
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            LOST.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(e);
        }
        _ => {}
    }
}

/// Why something that was to be printed was not, the first time.
static LOST: Mutex<Option<std::io::Error>> = Mutex::new(None);

/// Whether all that was to be printed was: a list that is cut off is not to be taken for a whole one.
pub fn printed() -> damctl::error::Result<()> {
    let lost = LOST.lock().unwrap_or_else(PoisonError::into_inner).take();
    lost.map_or(Ok(()), Err).doing(|| "cannot write all of the output")
}

/// Names what failed, now and earlier, and turns a drain's summary into the command's verdict.
fn verdict(
    stage: Stage,
    summary: Summary,
    earlier: &[damctl::model::Job],
    reporter: &dyn Reporter,
    stop: &Stop,
) -> Verdict {
    let failures = summary.failed.iter().map(|(job, failure)| (job, Some(failure)));
    let earlier_failures = earlier.iter().map(|job| (job, job.error.as_ref()));
    let mut any = false;
    for (job, failure) in failures.chain(earlier_failures) {
        any = true;
        let unknown =
            Failure { kind: damctl::error::Kind::Internal, message: "unknown".to_owned(), hint: None, code: None };
        let failure = failure.unwrap_or(&unknown);
        print(format_args!("failed: {} [{}]: {}", job.subject, &job.id.to_string()[..8], failure.message));
        if let Some(hint) = &failure.hint {
            print(format_args!("        hint: {hint}"));
        }
    }
    if any {
        let text =
            format!("'damctl jobs show ID' tells more; 'damctl jobs retry ID', then 'damctl {stage}' tries again");
        reporter.report(&damctl::work::Event::Note { text: &text });
    }
    match summary.paused {
        Some(e) => Verdict::Paused(e),
        None if stop.is_tripped() => Verdict::Stopped,
        None if any => Verdict::SomeFailed,
        None => Verdict::Done,
    }
}

/// Who gives commands here.
fn actor() -> String {
    let name = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).unwrap_or_default();
    match name.is_empty() {
        true => format!("user {}", rustix::process::geteuid().as_raw()),
        false => name,
    }
}
