//! Writes the files that are made from the code: man pages, completions, JSON schemas. They are committed; a test
//! compares them.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;
use damctl::{
    compose::{Job, Template},
    media::Order,
    profile::{Brand, Profile, channels::Channels},
};

use crate::cli::Cli;

/// Writes everything below `dir`.
pub fn generate(dir: &Path) -> Result<()> {
    let (man, completions, schema) = (dir.join("man"), dir.join("completions"), dir.join("schema"));
    for folder in [&man, &completions, &schema] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    clap_mangen::generate_to(Cli::command(), &man).context("cannot write the man pages")?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut Cli::command(), "damctl", &completions)
            .context("cannot write the completions")?;
    }
    let write = |name: &str, value: serde_json::Value| -> Result<()> {
        let text = serde_json::to_string_pretty(&value)? + "\n";
        fs::write(schema.join(name), text).with_context(|| format!("cannot write {name}"))
    };
    write("profile.json", Profile::json_schema())?;
    write("brand.json", Brand::json_schema())?;
    write("channels.json", Channels::json_schema())?;
    write("render-order.json", Order::json_schema())?;
    #[cfg(feature = "serve")]
    write("openapi.json", damctl::serve::openapi())?;
    write("render-job.json", Job::json_schema())?;
    write("render-template.json", Template::json_schema())?;
    Ok(())
}
