//! `damctl models`: what learns, by name.

use damctl::{
    error::{Error, Kind},
    models::{Known, Model, Shelf, Weights},
    stop::Stop,
    work::{Event, Reporter},
};

use super::{Archive, Verdict, print};
use crate::cli::{self, ModelsCommand};

pub fn run(
    command: &ModelsCommand,
    archive: &Archive,
    reporter: &dyn Reporter,
    stop: &Stop,
) -> anyhow::Result<Verdict> {
    let shelf = archive.shelf();
    match command {
        ModelsCommand::List { json } => list(&shelf, *json)?,
        ModelsCommand::Pull { names } => {
            let mut missing: Vec<String> = names.clone();
            let known = shelf.known()?;
            // What one needs comes before it.
            let needed = names.iter().filter_map(|n| known.get(n)?.needs.clone()).collect::<Vec<_>>();
            missing.splice(0..0, needed);
            missing.dedup();
            let mut all_well = true;
            for name in missing {
                let tell = |what: &str| {
                    let text = format!("{name}: {what}");
                    reporter.report(&Event::Note { text: &text });
                };
                match shelf.pull(&name, stop, &tell) {
                    Ok(model) => print(format_args!("{name} is here: {} ({})", model.about, model.license)),
                    Err(e) if e.kind() == Kind::Stopped => return Err(e.into()),
                    Err(e) => {
                        all_well = false;
                        tell_error(&name, &e);
                    }
                }
            }
            if !all_well {
                return Ok(Verdict::SomeFailed);
            }
        }
        ModelsCommand::Import { path, name, purpose, weights } => {
            let weights = match weights {
                cli::Weights::F16 => Weights::F16,
                cli::Weights::Q8 => Weights::Q8,
            };
            let model = shelf.import(path, name, *purpose, weights, stop)?;
            print(format_args!("{name} is here, for {}: {}", model.purpose.as_str(), model.digest()));
        }
        ModelsCommand::Verify { names } => return verify(&shelf, names, stop),
    }
    Ok(Verdict::Done)
}

/// A model that is known or here.
struct Row {
    name: String,
    known: Option<Known>,
    here: Option<Result<Model, Error>>,
}

impl Row {
    fn model(&self) -> Option<&Model> {
        self.here.as_ref().and_then(|here| here.as_ref().ok())
    }

    fn purpose(&self) -> &'static str {
        let known = self.known.as_ref().map(|k| k.purpose.as_str());
        known.or(self.model().map(|m| m.purpose.as_str())).unwrap_or("?")
    }

    fn about(&self) -> &str {
        let known = self.known.as_ref().map(|k| k.about.as_str());
        known.or(self.model().map(|m| m.about.as_str())).unwrap_or_default()
    }

    fn license(&self) -> &str {
        let known = self.known.as_ref().map(|k| k.license.as_str());
        known.or(self.model().map(|m| m.license.as_str())).unwrap_or_default()
    }
}

fn list(shelf: &Shelf, json: bool) -> anyhow::Result<()> {
    let (mut known, mut rows) = (shelf.known()?, Vec::new());
    for (name, model) in shelf.here()? {
        rows.push(Row { known: known.remove(&name), name, here: Some(model) });
    }
    rows.extend(known.into_iter().map(|(name, known)| Row { name, known: Some(known), here: None }));
    rows.sort_by(|a, b| (a.purpose(), &a.name).cmp(&(b.purpose(), &b.name)));
    if json {
        let each = rows.iter().map(|row| {
            serde_json::json!({
                "name": row.name,
                "use": row.purpose(),
                "about": row.about(),
                "languages": row.known.as_ref().and_then(|k| k.languages.clone()),
                "license": row.license(),
                "here": row.model().is_some(),
                "digest": row.model().map(|m| m.digest().to_string()),
                "problem": row.here.as_ref().and_then(|h| h.as_ref().err()).map(Error::one_line),
            })
        });
        print(serde_json::to_string_pretty(&each.collect::<Vec<_>>())?);
        return Ok(());
    }
    for row in &rows {
        let state = match &row.here {
            None => "-",
            Some(Ok(_)) => "here",
            Some(Err(_)) => "damaged",
        };
        print(format_args!("{:<8} {:<24} {state:<8} {} ({})", row.purpose(), row.name, row.about(), row.license()));
        if let Some(Err(e)) = &row.here {
            print(format_args!("         {}", e.one_line()));
        }
    }
    Ok(())
}

fn tell_error(name: &str, e: &Error) {
    print(format_args!("{name}: {}", e.one_line()));
    if let Some(hint) = e.hint_text() {
        print(format_args!("        hint: {hint}"));
    }
}

fn verify(shelf: &Shelf, names: &[String], stop: &Stop) -> anyhow::Result<Verdict> {
    let models = match names {
        [] => shelf.here()?,
        some => some.iter().map(|n| (n.clone(), shelf.get(n))).collect(),
    };
    let (mut sound, mut damaged) = (0, 0);
    for (name, model) in models {
        match model.and_then(|m| m.verify(stop)) {
            Ok(()) => sound += 1,
            Err(e) if e.kind() == Kind::Stopped => return Err(e.into()),
            Err(e) => {
                damaged += 1;
                tell_error(&name, &e);
            }
        }
    }
    print(format_args!("{sound} model(s) are as they came, {damaged} are not"));
    Ok(if damaged == 0 { Verdict::Done } else { Verdict::SomeFailed })
}
