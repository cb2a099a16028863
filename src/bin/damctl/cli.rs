//! The command line. Its help text is the manual: the man pages are generated from it.

use std::{ffi::OsString, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use damctl::{
    digest::Digest,
    model::{AssetId, JobState, Queue, Stage},
};

mod enrich;
mod export;
mod fanout;
mod history;
mod keep;
mod publish;
mod search;
mod secret;
mod values;
mod verify;

pub use enrich::{EnrichArgs, ModelsCommand, Weights};
pub use export::{BagAlgorithm, BagitArgs, ExportCommand, TableForm};
pub use fanout::{FanoutCommand, K8sArgs, SlurmArgs, WantedArgs};
pub use history::HistoryArgs;
pub use keep::{
    ArchiveArgs, CollectionCommand, CollectionSetArgs, ReplaceArgs, ReplicateArgs, RestoreArgs, RollbackArgs,
    StoreCommand,
};
pub use publish::{ChannelCommand, PublishArgs, PublishCommand};
#[cfg(feature = "serve")]
pub use search::ServeArgs;
pub use search::{Export, IndexArgs, SearchArgs, TokenCommand, TokenCreateArgs, TranscriptCommand, TranscriptForm};
pub use secret::SecretCommand;
use values::{rate, time};
pub use verify::{VerifyArgs, VerifyLevel};

/// Turns shelves of backlog drives into a searchable, published media archive.
///
/// `damctl init DIR` makes an archive; inside of it, `damctl ingest PATH` takes a drive in, `damctl transcode` makes
/// what the profile wants of it, `damctl index` makes it searchable, and `damctl search WORDS` finds it. Every command
/// can be run again: it does what is left, and says so when nothing is.
///
/// Results go to standard output, everything else to standard error.
///
/// Exit codes: 0 all done; 1 some items failed (each named, with its reason); 2 usage or configuration; 3 paused: the
/// disk is full, a drive, the store or the catalog went away, or another damctl is at work on the same plan (run again
/// to go on); 130 or 143 stopped by a signal.
#[derive(Debug, Parser)]
#[command(name = "damctl", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// The archive's folder. Default: the one with a damctl.yaml, from the working folder upward.
    #[arg(long, short = 'C', global = true, value_name = "DIR", env = "DAMCTL_ARCHIVE")]
    pub archive: Option<PathBuf>,

    /// How progress is shown on standard error.
    #[arg(long, global = true, value_name = "FORMAT", default_value = "auto", env = "DAMCTL_LOG_FORMAT")]
    pub log_format: LogFormat,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Forms of progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Bars on a terminal, plain lines elsewhere.
    Auto,
    /// A line for what matters.
    Plain,
    /// A JSON object a line, for machines.
    Json,
    /// Nothing but errors.
    Quiet,
}

/// Subcommands, in the order in which they are used.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes an archive in a folder: its configuration, catalog and store. Done again, it changes nothing.
    Init(InitArgs),
    /// Tells about the configuration.
    Config {
        /// What to do.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Tells which codecs, plugins and tools are here, what each missing one costs, and how to get it.
    ///
    /// Of an archive whose store is a bucket it also tells what the endpoint was found to verify.
    Doctor(DoctorArgs),
    /// Takes drives, folders or files in: reads each byte once, keeps it, and accounts for every path.
    ///
    /// Files are told by their content, not their names. Bytes that are in the archive already become a sighting of
    /// what is there. What systems leave behind (.DS_Store, Thumbs.db, ._files) is listed as junk and not kept. Links
    /// are never followed, other file systems never entered, and nothing is ever written to a drive.
    ///
    /// A clip of a camera card (P2, AVCHD, XDCAM, XAVC) with all that belongs to it, the chapters of one GoPro recording,
    /// the frames of a sequence, and a file with its sidecars become one asset each.
    ///
    /// A drive is told by its file system and not by where it is plugged in. If it goes away, the run pauses (exit code
    /// 3) and goes on only with the same one. What cannot be read is tried again when all else is done, then listed.
    Ingest(IngestArgs),
    /// Lists the drives that were taken in: what each is, where, when it was last looked at, and what it gave.
    Drives(DrivesArgs),
    /// Certifies what became of every path on a drive, so that it may be wiped, or not.
    ///
    /// When the drive is here, it is walked again: what is on it and not in the archive is named, and the exit code is 1.
    /// When it is not, the certificate is by the catalog alone, and says so. The JSON certificate is the record; text
    /// and HTML are views of it, and `--from` makes them of one that was issued earlier.
    ///
    /// Signatures are Ed25519 over the bytes of the file, raw in FILE.sig, and need nothing but openssl:
    ///
    ///   openssl genpkey -algorithm ed25519 -out key.pem && chmod 600 key.pem
    ///   openssl pkey -in key.pem -pubout -out pub.pem
    ///   openssl pkeyutl -verify -pubin -inkey pub.pem -rawin -in FILE -sigfile FILE.sig
    #[command(verbatim_doc_comment)]
    Certificate(CertificateArgs),
    /// Announces a file that somebody else will send, and gives the addresses to send it to.
    ///
    /// The archive's store has to be a bucket. Each part goes to its address with a plain PUT; parts may be sent in any
    /// order, several at a time, and again. `damctl receive` then takes in what has arrived. When the archive has the
    /// bytes already, it says which asset they are, and nothing is to be sent. The addresses are secrets: whoever has
    /// them can send.
    Presign(PresignArgs),
    /// Takes in what has arrived of the files that were announced.
    ///
    /// Each is read once, and becomes an asset when its size and SHA-256 are as announced; else it failed, and what was
    /// sent is removed. What does not arrive while its addresses are good has failed, too.
    Receive(ReceiveArgs),
    /// Makes the renditions that the profile wants and the archive lacks.
    Transcode(TranscodeArgs),
    /// Learns what is said, shown, seen and named in what the archive has.
    Enrich(EnrichArgs),
    /// Gets, lists and verifies the models that learning needs.
    Models {
        /// What to do.
        #[command(subcommand)]
        command: ModelsCommand,
    },
    /// Answers one question after the other about sound and pictures, with models that stay loaded: the process that
    /// `damctl enrich` starts.
    #[command(hide = true)]
    Infer,
    /// Puts another file in the place of an asset's main file.
    ///
    /// It becomes the asset's next generation. The old one stays what is found, shown and served until all renditions that it
    /// has and the profile wants are made of the new one and have passed the gate; then the new one takes its place in one step.
    /// If they cannot be made, the old one stays, and the exit code is 1. Bytes that the asset has already change nothing;
    /// those of another asset are refused. Earlier generations stay in the store.
    Replace(ReplaceArgs),
    /// Brings an earlier generation of an asset back, at once; gives up one that waits.
    Rollback(RollbackArgs),
    /// Copies into each of the setting `replicas` what it lacks of the masters, and reads there what was copied.
    ///
    /// It goes on wherever it was stopped. What is damaged here is named and not copied. Renditions are not copied: they can be
    /// made again.
    Replicate(ReplicateArgs),
    Archive(ArchiveArgs),
    Restore(RestoreArgs),
    #[command(subcommand)]
    Collection(CollectionCommand),
    /// Brings the search index up to date.
    Index(IndexArgs),
    /// Sends renditions to channels: each once, with the place's confirmation.
    ///
    /// Channels stand in channels.yaml. What is sent comes straight from the store. Before a byte is sent it is held against
    /// what the place takes and what the asset's rights allow. A publication is known by asset, generation, entry, channel
    /// and account: wanted twice, it is one; killed in the middle, the next run asks the place what is there and sends the
    /// rest. docs/publish.md has all of it.
    Publish(PublishArgs),
    /// Lists and checks the channels of channels.yaml.
    Channel {
        /// What to do.
        #[command(subcommand)]
        command: ChannelCommand,
    },
    /// Has the jobs of a stage done by many machines: as an array of Slurm, or as an Indexed Job of Kubernetes.
    ///
    /// Plans as the stage's own command does and writes the jobs down, then prints what starts the workers, or submits it.
    /// Each worker claims one job after another by lease, so a slow or dead machine costs nothing but its own work; none has
    /// a part of its own. When nothing is wanted, it says so and starts nothing.
    Fanout {
        /// Where to.
        #[command(subcommand)]
        command: FanoutCommand,
    },
    /// Finds assets.
    ///
    /// Words are found in titles, names of files, paths, tags, descriptions, and in what was said or shown, whatever their
    /// case, accents and form; all of them must match. "Words side by side" stand between quotation marks; begin*, *part*,
    /// AND, OR, NOT and ( ) are understood, and fields: said:inflación, person:"Juan Pérez", kind:video, duration:>90s,
    /// date:2023..2024, before:2024-12, height:>=1080, has:speech. 'docs/search.md' has all of it.
    Search(SearchArgs),
    /// Brings what is said in an asset from a file of subtitles, or writes it into one.
    Transcript {
        /// What to do.
        #[command(subcommand)]
        command: TranscriptCommand,
    },
    /// Makes, lists and takes back the tokens by which people and programs ask over HTTP.
    Token {
        /// What to do.
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Keeps, lists and forgets what opens the accounts that are published to: passwords, keys, tokens.
    ///
    /// The setting 'secrets' says where they are kept: in the environment, in an encrypted file, or in HashiCorp Vault.
    /// docs/publish.md has all of it.
    Secret {
        /// What to do.
        #[command(subcommand)]
        command: SecretCommand,
    },
    /// Answers searches, shows a page for them and plays renditions over HTTP.
    ///
    /// The page is at /; /api/v1/openapi.json describes everything else. From this machine nobody needs a token; from others
    /// everybody does ('damctl token create'), unless the setting 'anonymous' says otherwise. docs/serve.md has all of it.
    #[cfg(feature = "serve")]
    ServeSearch(ServeArgs),
    /// Shows what the archive holds and what is being done.
    Status(StatusArgs),
    /// Prints every change of state as a JSON line: when, what, of which asset or job.
    ///
    /// Numbers grow without gaps, in the order in which changes became true: whoever goes on after the last number that
    /// was dealt with misses none, and may see some twice.
    Events(EventsArgs),
    /// Shows what became of an asset, the newest first; or looks whether the record of events is whole.
    ///
    /// Every change is an event, and events are sealed: each seal is a digest over all events up to one, so that one that was
    /// changed or removed shows. Whoever can write to the catalog could write the seals anew; so keep the seal that is
    /// printed elsewhere, and give it again with --seal.
    History(HistoryArgs),
    /// Moves, backs up, restores and rebuilds the catalog.
    Catalog {
        /// What to do.
        #[command(subcommand)]
        command: CatalogCommand,
    },
    /// Lists, shows and retries jobs.
    Jobs {
        /// What to do.
        #[command(subcommand)]
        command: JobsCommand,
    },
    /// Looks at stored objects again and compares them with the catalog.
    ///
    /// Of each object the catalog notes when it was looked at, how closely, and what came of it; --older-than, --share and
    /// --budget take those first that were looked at longest ago. A damaged rendition is handed out no more. A damaged master
    /// is repaired from the first of the setting `replicas` that has its bytes.
    Verify(VerifyArgs),
    /// Shows what is there and not wanted any more; with --yes, takes it away. Masters are never among it.
    ///
    /// That is: uploads that were cut off and that nobody has gone on with, whose parts take room and are in no listing; segments
    /// of films that are joined; renditions of replaced generations and of recipes that others took the place of; those that
    /// are older than the setting `keep` says; outputs that the gate has refused; and objects that the catalog does not know,
    /// left by a run that was killed. Of these, only what lies where damctl puts its own is looked at, and nothing that
    /// somebody is at work on. A complete master that the catalog does not know is removed only if the archive has its bytes
    /// elsewhere; one that it has nowhere else is named, and stays.
    ///
    /// Renditions go in two steps, so that who reads one reads it to its end: they are marked and handed out no more, and
    /// removed by a run an hour later. It also tells what waits in vain.
    Collect(CollectArgs),
    /// Sets what is asked of the buckets, and shows what the archive takes.
    Store {
        /// What to do.
        #[command(subcommand)]
        command: StoreCommand,
    },
    /// Hands out what the archive has in the forms of others: bags, PREMIS, ASC MHL, lists. docs/export.md has all of it.
    Export {
        /// What.
        #[command(subcommand)]
        command: ExportCommand,
    },
    /// Works with profiles.
    Profile {
        /// What to do.
        #[command(subcommand)]
        command: ProfileCommand,
    },
    /// Makes a clip by a template: scenes of films, pictures and words, a spoken text, its captions, music, a brand.
    ///
    /// JOB is a file in YAML or JSON that names a template and gives it parameters and inputs; schema/render-job.json and
    /// docs/render.md tell what stands in both. NAME.mp4, NAME.jpg, and of spoken words NAME.vtt and NAME.srt appear in the
    /// job's folder once all are complete; standard output tells about them as JSON. It needs no archive, unless an input is
    /// `asset:ID`.
    ///
    /// Without JOB it is the child process that `transcode` and `ingest` start: it decodes and encodes one file, by an order in
    /// JSON on standard input, and reports as JSON lines on standard output. `damctl profile order-schema` prints the
    /// order's JSON schema.
    Render(RenderArgs),
    /// Writes man pages, completions and JSON schemas.
    #[command(hide = true)]
    Generate {
        /// Where to.
        dir: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct InitArgs {
    /// The folder; made when missing.
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}

#[derive(Debug, Args)]
pub struct RenderArgs {
    /// The job's file. Left out: an order on standard input.
    #[arg(value_name = "JOB")]
    pub job: Option<PathBuf>,
    /// The folder for what is made, in place of the job's.
    #[arg(long, value_name = "DIR", requires = "job")]
    pub out: Option<PathBuf>,
    /// Tells what would be made, as JSON; nothing is spoken or rendered.
    #[arg(long, requires = "job")]
    pub dry_run: bool,
    /// Brings GStreamer's list of plugins up to date, and does nothing else.
    #[arg(long, hide = true, conflicts_with = "job")]
    pub warm: bool,
    /// Forks into one that carries out an order, as often as it is asked to on its standard input.
    #[arg(long, hide = true, conflicts_with_all = ["job", "warm"])]
    pub zygote: bool,
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Finds out again what the bucket's endpoint does: after an upgrade of the server.
    #[arg(long)]
    pub probe: bool,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Shows each setting and where it came from.
    Show,
}

#[derive(Debug, Args)]
pub struct IngestArgs {
    /// Drives, folders or files.
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// Each PATH is a bag by BagIt (RFC 8493): one that is not valid is refused, else its payload is taken in, held against
    /// its manifests, with what the bag says of it.
    #[arg(long)]
    pub bag: bool,
    /// The collection that new assets belong to.
    #[arg(long, value_name = "NAME")]
    pub collection: Option<String>,
    /// Leaves out what matches, in the syntax of .gitignore; can be given again. It is listed as skipped.
    #[arg(long, value_name = "PATTERN")]
    pub exclude: Vec<String>,
    /// Takes only what matches, in the syntax of .gitignore; can be given again.
    #[arg(long, value_name = "PATTERN")]
    pub include: Vec<String>,
    /// Takes only what a file lists: a path below PATH on each line, as it is or as damctl prints it; '-' reads
    /// standard input.
    #[arg(long, value_name = "FILE")]
    pub files_from: Option<PathBuf>,
    /// Reads everything again, also what is as it was by size and times, and names each file whose bytes differ from what
    /// is recorded. They are taken in; the exit code is then 1.
    #[arg(long)]
    pub reread: bool,
    /// Reads no faster than so many bytes a second: 80M, 500K (thousands), or 1G.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub max_rate: Option<u64>,
    /// Begins nothing new after this time (50m, 8h); what is under way is finished. The exit code is 3 if paths are left.
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub for_time: Option<jiff::SignedDuration>,
    /// Shows what would be done, and does nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Writes what became of each path to a file, a JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    #[command(flatten)]
    pub work: WorkArgs,
}

#[derive(Debug, Args)]
pub struct DrivesArgs {
    /// Prints a JSON object a line.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct CertificateArgs {
    /// The drive: its id or the first digits of it, its label, or a path on it.
    #[arg(value_name = "DRIVE", required_unless_present_any = ["from", "compare", "verify"])]
    pub drive: Option<OsString>,
    /// Asks the store for each object first, and confirms what it has.
    #[arg(long, requires = "drive")]
    pub check: bool,
    /// Signs the file, with an Ed25519 key (PEM, PKCS#8) that only its owner can read.
    #[arg(long, value_name = "KEY", requires = "output")]
    pub sign: Option<PathBuf>,
    /// The form. Default: by the ending of the output's name, else text.
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Writes to a new file; one that is there is never replaced.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Shows this JSON certificate, instead of issuing one.
    #[arg(long, value_name = "FILE", conflicts_with = "drive")]
    pub from: Option<PathBuf>,
    /// Compares two JSON certificates, path by path: = the same, + appeared, - vanished, * other bytes, ! another
    /// outcome. Exit code 0 when NEW accounts for everything that OLD did.
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"], conflicts_with_all = ["drive", "from", "sign", "output"])]
    pub compare: Option<Vec<PathBuf>>,
    /// Checks the signature of a file, FILE.sig, with a public key.
    #[arg(long, value_name = "FILE", requires = "key",
          conflicts_with_all = ["drive", "from", "compare", "sign", "output", "format"])]
    pub verify: Option<PathBuf>,
    /// The public key (PEM).
    #[arg(long, value_name = "PUB", requires = "verify")]
    pub key: Option<PathBuf>,
}

/// Forms of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For reading on a terminal.
    Text,
    /// The record.
    Json,
    /// One page, for reading and printing.
    Html,
}

#[derive(Debug, Args)]
pub struct PresignArgs {
    /// What the file is called.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Its size.
    #[arg(long, value_name = "BYTES")]
    pub size: u64,
    /// Its SHA-256.
    #[arg(long, value_name = "HEX")]
    pub sha256: Digest,
    /// The collection that it will belong to.
    #[arg(long, value_name = "NAME")]
    pub collection: Option<String>,
    /// For how long the addresses are good.
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=168))]
    pub valid: u32,
    /// Prints a JSON object.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ReceiveArgs {
    /// Waits for what has not arrived, and for what is announced meanwhile, until it is stopped.
    #[arg(long)]
    pub watch: bool,
    #[command(flatten)]
    pub work: WorkArgs,
}

#[derive(Debug, Args)]
pub struct TranscodeArgs {
    /// The profile. Default: the setting `profile`, else the built-in newsroom matrix.
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Only these assets.
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub asset: Vec<AssetId>,
    /// Shows what would be made, and makes nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Goes before the backlog: somebody waits for it. Of what waits already, its place is changed.
    #[arg(long, conflicts_with = "drain")]
    pub interactive: bool,
    /// Only writes down what is to be made, for the workers of a fan-out.
    #[arg(long, conflicts_with_all = ["drain", "for_time", "dry_run"])]
    pub enqueue: bool,
    #[command(flatten)]
    pub shift: ShiftArgs,
    #[command(flatten)]
    pub work: WorkArgs,
}

/// How a worker of a fan-out does its shift.
#[derive(Debug, Args)]
pub struct ShiftArgs {
    /// Plans nothing: does what waits, whosever plan it is, and leaves when there has been nothing to do for the time of a
    /// lease. Any number of these can work at once, on any machines that reach catalog and store.
    #[arg(long, conflicts_with_all = ["asset", "dry_run", "profile"])]
    pub drain: bool,
    /// Which jobs: all; interactive (somebody waits); batch (the backlog); large (those that ran out of memory).
    #[arg(long, value_name = "QUEUE", default_value = "all", requires = "drain")]
    pub queue: Queue,
    /// Begins nothing new after this time (50m, 8h); what is under way is finished. The exit code is 3 if jobs are left.
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub for_time: Option<jiff::SignedDuration>,
}

#[derive(Debug, Args)]
pub struct WorkArgs {
    /// Number of jobs at a time. Default: one a core.
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
}

#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Prints a JSON object.
    #[arg(long)]
    pub json: bool,
    /// Shows what is being done, by whom and how fast, again every so many seconds, until ^C.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub watch: Option<u64>,
    /// Writes metrics for the textfile collector of Prometheus' node exporter into this file, at once as a whole.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "watch"])]
    pub textfile: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct EventsArgs {
    /// Only those after this number.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub after: i64,
    /// Goes on with those that come, until ^C.
    #[arg(long, short)]
    pub follow: bool,
    /// Instead of printing them, sends them to the webhook and the NATS server of the settings, from where each has
    /// heard. 'serve-search' does so by itself. Where a new one begins is said by --after.
    #[arg(long)]
    pub deliver: bool,
    /// Forgets how far a subscriber has heard, by its name in 'damctl status': one that is gone, or is to hear anew.
    #[arg(long, value_name = "NAME", conflicts_with = "deliver")]
    pub forget: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum CatalogCommand {
    /// Copies a catalog into another, new one, and compares both row by row.
    ///
    /// Each is a SQLite file or postgres://USER@HOST/DATABASE. A copy that was cut off goes on when it is run again.
    Copy {
        /// The catalog to copy.
        from: String,
        /// Where to; made as needed.
        to: String,
    },
    /// Writes a backup: one SQLite file, of the catalog as it is at one moment, whoever works on it meanwhile.
    ///
    /// The file is new, complete and compared when it appears. It holds no passwords and no bytes of media.
    Backup {
        /// The new file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Takes a backup in, into a catalog that has nothing in it, in SQLite or PostgreSQL.
    ///
    /// What happened after it was made is not in it: `damctl ingest` sees what it took in since as new and finds the bytes in
    /// the store, `damctl verify` compares, and `damctl collect` shows what the store holds beside it.
    Restore {
        /// The backup.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Makes the catalog anew from what the store holds: into an empty one alone.
    ///
    /// Assets, generations, sightings and what people say come from the records that lie beside the masters; what no record
    /// tells of is read and measured again. Renditions of which files are missing are left to `transcode`, findings of models
    /// to `enrich`, paths that led to no asset to `ingest`. Whatever is damaged, missing or unknown is named, and the exit code
    /// is then 1.
    Rebuild {
        /// Says that it is to be made of the store alone.
        #[arg(long, required = true)]
        from_store: bool,
    },
    /// Writes into the store what only the catalog knows of assets, so that it can be rebuilt. Other commands do so at their
    /// end.
    Record,
}

#[derive(Debug, Subcommand)]
pub enum JobsCommand {
    /// Lists jobs, those changed last first.
    List {
        /// Only of this stage.
        #[arg(long, value_name = "STAGE")]
        stage: Option<Stage>,
        /// Only in this state: ready, leased, done or failed.
        #[arg(long, value_name = "STATE")]
        state: Option<JobState>,
        /// Number of jobs.
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: i64,
        /// Prints a JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Shows a job and all its attempts.
    Show {
        /// The job's id, or its first digits.
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Opens failed jobs again; their stage's command then does them.
    Retry {
        /// Jobs, by id or its first digits.
        #[arg(value_name = "ID", required_unless_present = "all")]
        ids: Vec<String>,
        /// All failed jobs (of the stage, when one is given).
        #[arg(long, conflicts_with = "ids")]
        all: bool,
        /// Only of this stage.
        #[arg(long, value_name = "STAGE", requires = "all")]
        stage: Option<Stage>,
    },
}

#[derive(Debug, Args)]
pub struct CollectArgs {
    /// Only what began, or was written, so many days ago or earlier.
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub days: u32,
    /// Acts. Without it, what would be done is shown, and nothing is.
    #[arg(long)]
    pub yes: bool,
    /// Only shows, as it does without --yes.
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Removes what is marked at once, and not after an hour: refused while another damctl is at work.
    #[arg(long, requires = "yes")]
    pub now: bool,
}

#[derive(Debug, Subcommand)]
pub enum ProfileCommand {
    /// Checks a profile and shows what it asks for.
    ///
    /// The files of its brands are tried: logos are decoded, tables of colors and words read, music is listened to.
    Check {
        /// The profile.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Prints the JSON schema of profiles.
    Schema,
    /// Prints the JSON schema of brands.
    BrandSchema,
    /// Prints the JSON schema of `damctl render`'s orders.
    OrderSchema,
    /// Prints the built-in profile.
    Default,
}
