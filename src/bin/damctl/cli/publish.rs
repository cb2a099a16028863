//! What is said to what publishes.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use damctl::model::{AssetId, PublicationState};

use super::{WorkArgs, values::wait};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct PublishArgs {
    /// These assets; none: what is planned already, and what the rules of channels.yaml want.
    #[arg(value_name = "ASSET")]
    pub asset: Vec<AssetId>,
    /// To these channels.
    #[arg(long, value_name = "CHANNEL", value_delimiter = ',', requires = "asset")]
    pub to: Vec<String>,
    /// Not before this time: 2026-12-01T18:00+01:00, or a day, whose beginning in UTC is meant.
    #[arg(long, value_name = "TIME", requires = "asset")]
    pub at: Option<String>,
    /// Of this profile entry, in place of those that the channel names; 'master' is the original.
    #[arg(long, value_name = "ENTRY", requires = "asset")]
    pub entry: Option<String>,
    /// Waits until somebody has agreed ('damctl publish approve').
    #[arg(long, requires = "asset")]
    pub needs_approval: bool,
    /// A title in place of the channel's template.
    #[arg(long, value_name = "TEXT", requires = "asset")]
    pub title: Option<String>,
    /// A text in place of the channel's template.
    #[arg(long, value_name = "TEXT", requires = "asset")]
    pub description: Option<String>,
    /// Who can see it, in the place's own word.
    #[arg(long, value_name = "WORD", requires = "asset")]
    pub privacy: Option<String>,
    /// Publishes once more what was published before: people see it twice. Asks first.
    #[arg(long, requires = "asset")]
    pub force: bool,
    /// Takes the answer to be yes.
    #[arg(long, requires = "force")]
    pub yes: bool,
    /// Shows what would be published and what stands in its way, and does nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Plans, for others to do.
    #[arg(long, conflicts_with = "dry_run")]
    pub enqueue: bool,
    /// Goes on until it is stopped: publishes what becomes due, and what the rules want.
    #[arg(long, conflicts_with_all = ["dry_run", "enqueue", "asset"])]
    pub watch: bool,
    /// Waits at most so long for accounts that are left in peace and for places that are at work; 0s: not at all.
    #[arg(long, value_name = "TIME", value_parser = wait, default_value = "10m")]
    pub wait: jiff::SignedDuration,
    #[command(flatten)]
    pub work: WorkArgs,
    /// What else to do.
    #[command(subcommand)]
    pub command: Option<PublishCommand>,
}

#[derive(Debug, Subcommand)]
pub enum PublishCommand {
    /// Lists publications: where, what of, how far, why not further.
    Status {
        /// Of these assets; none: all.
        #[arg(value_name = "ASSET")]
        asset: Vec<AssetId>,
        /// In this state: planned, sending, published, unknown, failed or retracted.
        #[arg(long, value_name = "STATE")]
        state: Option<PublicationState>,
        /// Prints a JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Agrees to publications that wait for it.
    Approve {
        /// The beginnings of their ids.
        #[arg(required = true, value_name = "PUBLICATION")]
        id: Vec<String>,
    },
    /// Gives up publications that are planned and not begun.
    Cancel {
        /// The beginnings of their ids.
        #[arg(required = true, value_name = "PUBLICATION")]
        id: Vec<String>,
    },
    /// Takes publications back: asks their places to remove what is there, and keeps what they confirm.
    Retract {
        /// The beginnings of their ids.
        #[arg(required = true, value_name = "PUBLICATION")]
        id: Vec<String>,
        #[command(flatten)]
        work: WorkArgs,
    },
    /// Asks places what became of publications of which a reply was lost.
    Reconcile {
        /// The beginnings of their ids; none: all that are unknown.
        #[arg(value_name = "PUBLICATION")]
        id: Vec<String>,
        #[command(flatten)]
        work: WorkArgs,
    },
    /// Says of a publication, which its place cannot tell about, how it is; somebody has looked.
    Settle {
        /// The beginning of its id.
        #[arg(value_name = "PUBLICATION")]
        id: String,
        /// It is there, and this is its address or its name there.
        #[arg(long, value_name = "ADDRESS", conflicts_with = "absent", required_unless_present = "absent")]
        published: Option<String>,
        /// It is not there: it is sent again.
        #[arg(long)]
        absent: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum ChannelCommand {
    /// Lists the channels: where to, what is sent, what they take, how often.
    List {
        /// Prints a JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Asks places whether the credentials are good and what the account may do. The exit code is 1 if one is not well.
    Check {
        /// Their names; none: all.
        #[arg(value_name = "CHANNEL")]
        names: Vec<String>,
    },
    /// Lets damctl into an account in a browser, and keeps the tokens where the setting 'secrets' says.
    ///
    /// Prints an address; whoever opens it on this machine and agrees comes back to it here. The account's client_id (and
    /// client_secret) are those of an app that you have registered at the platform: 'damctl secret set'.
    #[cfg(feature = "publish")]
    Login {
        /// The channel.
        #[arg(value_name = "CHANNEL")]
        name: String,
        /// Prints an address and a code to type on another machine instead, where the platform has that.
        #[arg(long, conflicts_with = "port")]
        device: bool,
        /// The port of the address on 127.0.0.1 that the browser comes back to, where the app has to name it. 0: any.
        #[arg(long, value_name = "PORT", default_value_t = 0)]
        port: u16,
    },
    /// Reads a file of channels and says what is wrong with it.
    Validate {
        /// The file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}
