//! What is said to what learns, and to the models that it learns with.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use damctl::{enrich::Learned, model::AssetId, models::Use};

use super::{ShiftArgs, WorkArgs};

#[derive(Debug, Args)]
pub struct EnrichArgs {
    /// Looks for nothing but this: speech, text, objects, names, topics, meaning, looks. Names, topics and meaning are looked for
    /// in the words that are there. A kind of findings, such as person, stands for what finds it.
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub only: Vec<Learned>,
    /// Just these assets.
    #[arg(long, value_name = "ASSET", value_delimiter = ',')]
    pub asset: Vec<AssetId>,
    /// A profile instead of the archive's; its section `enrich` says what is wanted.
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Listens again, with the model of --with, to just that of what is said that is to be doubted. What is trusted more takes
    /// its place; what a person brought stays as it is.
    #[arg(long, value_enum, value_name = "WHAT", requires = "with", conflicts_with_all = ["only", "drain"])]
    pub again: Option<AgainWhat>,
    /// The model for --again: one that is here, for speech.
    #[arg(long, value_name = "MODEL", requires = "again")]
    pub with: Option<String>,
    /// Prints what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// Plans and writes the jobs down, for others to do.
    #[arg(long, conflicts_with_all = ["dry_run", "drain"])]
    pub enqueue: bool,
    #[command(flatten)]
    pub shift: ShiftArgs,
    #[command(flatten)]
    pub work: WorkArgs,
}

/// What is listened to again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AgainWhat {
    /// What has doubts.
    Doubtful,
}

#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Lists the models that are known or here: what each is for, in which languages, under which license.
    List {
        /// Prints a JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Gets models by name, with what they need, and compares them with known digests. What broke off is gone on with.
    Pull {
        /// Their names.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Takes a model of one's own: a folder of CTranslate2 (faster-whisper), which is converted; one of spaCy; one of E5 (model.onnx and
    /// tokenizer.json); or a file.
    Import {
        /// The folder or file.
        #[arg(value_name = "PATH")]
        path: PathBuf,
        /// What it is called from now on.
        #[arg(long = "as", value_name = "NAME")]
        name: String,
        /// What it is for: speech, voice, text, objects, names, meaning or runtime.
        #[arg(long = "for", value_name = "USE", default_value = "speech")]
        purpose: Use,
        /// How the weights of what is converted are kept.
        #[arg(long, value_enum, default_value_t = Weights::F16)]
        weights: Weights,
    },
    /// Reads models from end to end and compares them with what came. The exit code is 1 if one is damaged.
    Verify {
        /// Their names; none: all that are here.
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Weights {
    /// 16 bits a weight, as they were trained.
    F16,
    /// 8 bits a weight: half as large.
    #[value(name = "q8_0")]
    Q8,
}
