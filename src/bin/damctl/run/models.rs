//! `damctl models`: what learns, by name.

use anyhow::Result;
use damctl::{
    error::{Error, Kind},
    models::{Known, Model, Shelf, Weights},
    stop::Stop,
    work::{Event, Reporter},
};

use super::{Archive, Verdict, print};
use crate::cli::{self, ModelsCommand};

pub fn run(command: &ModelsCommand, archive: &Archive, reporter: &dyn Reporter, stop: &Stop) -> Result<Verdict> {
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

fn list(shelf: &Shelf, json: bool) -> Result<()> {
    let known = shelf.known()?;
    let mut rows: Vec<(String, &str, Option<Known>, Option<Result<Model, Error>>)> = Vec::new();
    let mut here = shelf.here()?;
    for (name, k) in &known {
        let is_here = here.iter().position(|(n, _)| n == name).map(|at| here.swap_remove(at).1);
        rows.push((name.clone(), k.purpose.as_str(), Some(k.clone()), is_here));
    }
    for (name, model) in here {
        let purpose = model.as_ref().map_or("?", |m| m.purpose.as_str());
        rows.push((name, purpose, None, Some(model)));
    }
    rows.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
    if json {
        let each = rows.iter().map(|(name, purpose, known, here)| {
            let model = here.as_ref().and_then(|h| h.as_ref().ok());
            serde_json::json!({
                "name": name,
                "use": purpose,
                "about": known.as_ref().map(|k| k.about.clone()).or_else(|| model.map(|m| m.about.clone())),
                "languages": known.as_ref().and_then(|k| k.languages.clone()),
                "license": known.as_ref().map(|k| k.license.clone()).or_else(|| model.map(|m| m.license.clone())),
                "here": model.is_some(),
                "digest": model.map(|m| m.digest().to_string()),
                "problem": here.as_ref().and_then(|h| h.as_ref().err()).map(Error::one_line),
            })
        });
        print(serde_json::to_string_pretty(&each.collect::<Vec<_>>())?);
        return Ok(());
    }
    for (name, purpose, known, here) in rows {
        let state = match &here {
            None => "-",
            Some(Ok(_)) => "here",
            Some(Err(_)) => "damaged",
        };
        let model = here.as_ref().and_then(|h| h.as_ref().ok());
        let about = known.as_ref().map(|k| k.about.clone()).or_else(|| model.map(|m| m.about.clone())).unwrap_or_default();
        let license = known.as_ref().map(|k| k.license.as_str()).or(model.map(|m| m.license.as_str())).unwrap_or_default();
        print(format_args!("{purpose:<8} {name:<24} {state:<8} {about} ({license})"));
        if let Some(Err(e)) = here {
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

fn verify(shelf: &Shelf, names: &[String], stop: &Stop) -> Result<Verdict> {
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
