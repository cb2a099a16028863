//! `damctl collection`: what may be done with the assets of a collection.

use anyhow::Result;
use damctl::{model::Rights, stop::Stop, work::Reporter};

use super::{Archive, Verdict, print};
use crate::cli::{CollectionCommand, CollectionSetArgs};

pub fn run(command: &CollectionCommand, archive: &Archive, reporter: &dyn Reporter, stop: &Stop) -> Result<Verdict> {
    match command {
        CollectionCommand::List { json } => list(*json, archive),
        CollectionCommand::Set(args) => set(args, archive, reporter, stop),
    }
}

fn list(json: bool, archive: &Archive) -> Result<Verdict> {
    for (c, assets) in archive.catalog()?.collections()? {
        if json {
            let mut value = serde_json::to_value(&c)?;
            value["assets"] = assets.into();
            print(value);
            continue;
        }
        let words = in_words(&c.rights);
        print(format_args!("{:<24} {assets:>8} asset(s)  {words}", c.name).to_string().trim_end());
    }
    Ok(Verdict::Done)
}

fn in_words(rights: &Rights) -> String {
    let countries = (!rights.territories.is_empty()).then(|| rights.territories.join(", "));
    let all = [
        ("license", &rights.license),
        ("embargo until", &rights.embargo_until),
        ("expires", &rights.expires),
        ("in", &countries),
        ("consent", &rights.consent),
    ];
    let said = all.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?)));
    said.collect::<Vec<_>>().join("; ")
}

fn set(args: &CollectionSetArgs, archive: &Archive, reporter: &dyn Reporter, stop: &Stop) -> Result<Verdict> {
    let catalog = archive.catalog()?;
    let was = catalog.collection(&args.name)?;
    let mut rights = was.rights.clone();
    let text = |given: &Option<String>, is: &mut Option<String>| {
        if let Some(given) = given {
            *is = Some(given.trim().to_owned()).filter(|text| !text.is_empty());
        }
    };
    text(&args.license, &mut rights.license);
    text(&args.embargo, &mut rights.embargo_until);
    text(&args.expires, &mut rights.expires);
    text(&args.consent, &mut rights.consent);
    if let Some(given) = &args.territory {
        let each = given.split(',').map(str::trim).filter(|t| !t.is_empty());
        rights.territories = each.map(str::to_uppercase).collect();
    }
    if rights == was.rights {
        print(format_args!("{}: nothing to change", args.name));
        return Ok(Verdict::Done);
    }
    catalog.set_collection(&args.name, &rights, Some(was.revision), "command line")?;
    super::record(&catalog, &*archive.store()?, reporter, stop);
    let assets = catalog.assets_in(&args.name)?.len();
    let words = in_words(&rights);
    let words = if words.is_empty() { "nothing is said of it any more" } else { &words };
    print(format_args!("{}: {words}; it has {assets} asset(s): 'damctl index' tells the search", args.name));
    Ok(Verdict::Done)
}
