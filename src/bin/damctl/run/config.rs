//! `damctl config`: each setting and where it came from.

use anyhow::Result;

use super::{Verdict, print};
use crate::{cli::ConfigCommand, settings::Settings};

pub fn run(command: ConfigCommand, settings: &Settings) -> Result<Verdict> {
    let ConfigCommand::Show = command;
    print(format_args!("{:<11} {:<32} (found)", "archive", settings.root.display().to_string()));
    for (key, setting) in settings.each() {
        let value = if setting.value.is_empty() { "\"\"" } else { &setting.value };
        #[cfg(feature = "postgres")]
        let value = if key == "catalog" { &damctl::catalog::PostgresConfig::shown(value) } else { value };
        #[cfg(feature = "webhook")]
        let value = if key == "webhook" { &damctl::feed::WebhookConfig::shown(value) } else { value };
        print(format_args!("{key:<11} {value:<32} ({})", setting.origin));
    }
    Ok(Verdict::Done)
}
