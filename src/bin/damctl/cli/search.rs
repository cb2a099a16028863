//! What is said to the index, to searches and to the endpoint.

#[cfg(feature = "serve")]
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use damctl::model::{AssetId, MediaKind};

use super::time;

#[derive(Debug, Args)]
pub struct IndexArgs {
    /// Makes a new index from nothing, then takes it in place of the old one.
    #[arg(long)]
    pub rebuild: bool,
    /// Number of shards. Each is written by one worker at a time, so that several can build an index together; all are
    /// asked together. Another number than the current index has makes a new one.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub shards: Option<u32>,
    /// Goes on with what changes, until ^C. A change can be found about a second later.
    #[arg(long)]
    pub follow: bool,
    /// Compares the index with the catalog, document by document, and changes nothing. The exit code is 1 if they differ.
    #[arg(long, conflicts_with_all = ["rebuild", "shards", "follow", "for_time"])]
    pub check: bool,
    /// Brings the index of a server up to date that speaks OpenSearch's API, such as https://search.example:9200; who asks
    /// there is said by DAMCTL_BULK_USER and DAMCTL_BULK_PASSWORD.
    #[arg(long, value_name = "URL", conflicts_with_all = ["rebuild", "shards", "check"])]
    pub bulk: Option<String>,
    /// Begins nothing new after this time (50m, 8h). The exit code is 3 if something is left.
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub for_time: Option<jiff::SignedDuration>,
}

#[derive(Debug, Args)]
pub struct SearchArgs {
    /// What to look for. Without words: everything, what came last first.
    #[arg(value_name = "QUERY", num_args = 0.., allow_hyphen_values = false)]
    pub query: Vec<String>,
    /// One of the words is enough; more are better.
    #[arg(long)]
    pub any: bool,
    /// Looks for what words mean as well, whatever the language: the profile's section `enrich` asks for `meaning`.
    #[arg(long)]
    pub meaning: bool,
    /// Only assets of this kind.
    #[arg(long, value_name = "KIND")]
    pub kind: Option<MediaKind>,
    /// Number of hits, 10000 at most.
    #[arg(long, value_name = "N", default_value_t = 20,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=10_000))]
    pub limit: usize,
    /// Number of moments of each hit.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub moments: usize,
    /// In which order.
    #[arg(long, value_enum, default_value_t = Order::Relevance)]
    pub sort: Order,
    /// Counts the values of these fields: kind, collection, program, category, people, places, organizations, objects, topics,
    /// tags, codec.
    #[arg(long, value_name = "FIELD", value_delimiter = ',')]
    pub facets: Vec<String>,
    /// Goes on where an earlier answer ended.
    #[arg(long, value_name = "CURSOR")]
    pub cursor: Option<String>,
    #[command(flatten)]
    pub export: ExportArgs,
    /// Prints a JSON object.
    #[arg(long)]
    pub json: bool,
}

/// In which order hits come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Order {
    /// The best first.
    Relevance,
    /// What was recorded last first.
    Newest,
    /// What was recorded first first.
    Oldest,
    /// The longest first.
    Longest,
    /// The shortest first.
    Shortest,
}

impl From<Order> for damctl::search::Sort {
    fn from(order: Order) -> Self {
        match order {
            Order::Relevance => Self::Relevance,
            Order::Newest => Self::Newest,
            Order::Oldest => Self::Oldest,
            Order::Longest => Self::Longest,
            Order::Shortest => Self::Shortest,
        }
    }
}

/// Moments for an editing suite.
#[derive(Debug, Args)]
#[group(multiple = false, conflicts_with = "json")]
pub struct ExportArgs {
    /// Prints the moments as a cut list by CMX 3600, with source timecodes.
    #[arg(long)]
    pub edl: bool,
    /// Prints the moments as an OpenTimelineIO timeline.
    #[arg(long)]
    pub otio: bool,
    /// Prints the moments as a table.
    #[arg(long)]
    pub csv: bool,
    /// Prints the moments as a playlist.
    #[arg(long)]
    pub m3u: bool,
}

/// What moments are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    Edl,
    Otio,
    Csv,
    M3u,
}

impl ExportArgs {
    /// The one that was asked for.
    pub fn chosen(&self) -> Option<Export> {
        let all =
            [(self.edl, Export::Edl), (self.otio, Export::Otio), (self.csv, Export::Csv), (self.m3u, Export::M3u)];
        all.into_iter().find_map(|(is, export)| is.then_some(export))
    }
}

#[derive(Debug, Subcommand)]
pub enum TranscriptCommand {
    /// Takes a file of subtitles (WebVTT or SubRip) as what is said in an asset. No model takes its place.
    Import {
        /// The file.
        file: PathBuf,
        /// The asset.
        #[arg(long, value_name = "ID")]
        asset: AssetId,
        /// The language of its words, such as es or en.
        #[arg(long, value_name = "TAG")]
        language: Option<String>,
        /// The sound track that it is of, counted from 1.
        #[arg(long, value_name = "N", default_value_t = 1)]
        track: u32,
    },
    /// Takes away what was imported as what is said in an asset. What a model heard counts again, where one has.
    Remove {
        /// The asset.
        asset: AssetId,
        /// The sound track, counted from 1.
        #[arg(long, value_name = "N", default_value_t = 1)]
        track: u32,
    },
    /// Prints what is said in an asset.
    Export {
        /// The asset.
        asset: AssetId,
        /// How.
        #[arg(long, value_enum, default_value_t = TranscriptForm::Vtt)]
        form: TranscriptForm,
        /// The sound track, counted from 1. Default: the first that has words.
        #[arg(long, value_name = "N")]
        track: Option<u32>,
        /// Its translation to English instead, where the profile had one made.
        #[arg(long)]
        translation: bool,
    },
}

/// How a transcript is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TranscriptForm {
    /// WebVTT.
    Vtt,
    /// SubRip.
    Srt,
    /// With all that is known of each line.
    Json,
}

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Makes a token and prints it, once: only its digest is kept.
    Create(TokenCreateArgs),
    /// Lists tokens: whose, what they may do, until when.
    List {
        /// Prints a JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Takes a token back.
    Revoke {
        /// By which the list names it.
        id: String,
    },
}

#[derive(Debug, Args)]
pub struct TokenCreateArgs {
    /// Whose it is, for the record.
    pub name: String,
    /// What its bearer may do: viewer (search and play), editor (embargoed assets too, and changes), operator (jobs and
    /// metrics too), admin.
    #[arg(long, value_name = "ROLE", default_value = "viewer")]
    pub role: damctl::model::Grade,
    /// Only these collections. Default: all.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub collection: Vec<String>,
    /// The country (ISO 3166-1) from which its bearer looks: a viewer does not see what may not be shown there.
    #[arg(long, value_name = "COUNTRY")]
    pub territory: Option<String>,
    /// Until when it is good: 90d, 12h, a day (2027-01-31) or never.
    #[arg(long, value_name = "WHEN", default_value = "90d")]
    pub expires: Option<String>,
    /// Prints a JSON object.
    #[arg(long)]
    pub json: bool,
}

#[cfg(feature = "serve")]
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address and port. Default: the setting `listen`, 127.0.0.1:7878.
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
}
