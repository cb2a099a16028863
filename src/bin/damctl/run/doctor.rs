//! `damctl doctor`: what is here, what each missing thing costs, and how to get it.

use std::path::Path;

use anyhow::Result;
use damctl::{
    enrich::{How, Means},
    error::{Error, Kind},
    speech,
    stop::Stop,
    tend::{self, Check},
};

use super::{Archive, Verdict, print};
use crate::{cli::DoctorArgs, settings::Settings};

pub fn run(args: &DoctorArgs, archive: Option<&Path>) -> Result<Verdict> {
    let mut checks = tend::doctor();
    match Settings::resolve(archive, &[]) {
        Ok(settings) => {
            let archive = Archive::new(settings, &Stop::new());
            checks.extend(store(&archive, args.probe)?);
            checks.extend(learning(&archive)?);
            checks.push(secrets(&archive));
        }
        // It is run before there is an archive, too.
        Err(e) if e.kind() == Kind::NotFound && archive.is_none() && !args.probe => {}
        Err(e) => return Err(e.into()),
    }
    let mut sound = true;
    for check in checks {
        match &check.found {
            Some(found) => print(format_args!("here     {}: {found}", check.what)),
            None => {
                sound &= !check.needed;
                print(format_args!("missing  {}: {}", check.what, check.cost));
                print(format_args!("         to get it: {}", check.get));
            }
        }
    }
    Ok(if sound { Verdict::Done } else { Verdict::SomeFailed })
}

/// Whether the place of secrets can be opened.
fn secrets(archive: &Archive) -> Check {
    let what = "secrets of accounts".to_owned();
    let opened = archive.settings.secrets().and_then(|secrets| Ok((secrets.place(), secrets.names()?.len())));
    match opened {
        Ok((place, accounts)) => {
            let found = Some(format!("{place}, of {accounts} account(s)"));
            Check { what, found, cost: String::new(), get: String::new(), needed: false }
        }
        Err(e) => {
            let get = e.hint_text().unwrap_or("docs/publish.md tells how to set 'secrets'").to_owned();
            Check { what, found: None, cost: format!("nothing can be published: {}", e.one_line()), get, needed: false }
        }
    }
}

/// With what the archive's profile can be learned from here.
fn learning(archive: &Archive) -> Result<Vec<Check>> {
    let how = How { has_gpu: speech::has_gpu(), ..How::default() };
    let (means, lacking) = Means::find(&archive.profile()?.learning, &archive.shelf(), how, &Stop::new())?;
    let better = |what: &str| {
        let stands_in = lacking.iter().find(|l| l.what == what && l.instead.is_some());
        stands_in.and_then(|l| Some(format!("; for more than print: {}", l.why.hint_text()?))).unwrap_or_default()
    };
    let here = means.told().into_iter().map(|(what, found)| Check {
        what: format!("to learn {what}"),
        found: Some(found + &better(what)),
        cost: String::new(),
        get: String::new(),
        needed: false,
    });
    let missing = lacking.iter().filter(|l| l.instead.is_none()).map(|l| Check {
        what: format!("to learn {}", l.what),
        found: None,
        cost: l.why.one_line(),
        get: l.why.hint_text().unwrap_or("see docs/enrich.md").to_owned(),
        needed: false,
    });
    Ok(here.chain(missing).collect())
}

/// The archive's store, when it is in buckets: whether it answers, and what it was found to do.
#[cfg(feature = "s3")]
fn store(archive: &Archive, again: bool) -> Result<Option<Check>> {
    if archive.settings.bucket("store")?.is_none() {
        return no_endpoint(again);
    }
    let catalog = archive.catalog()?;
    let looked = archive.buckets().and_then(|store| {
        let place = store.place();
        if again {
            catalog.keep_abilities(&place, &store.probe()?)?;
        }
        let found = catalog.abilities(&place)?.map_or("it lets us read only".to_owned(), |(abilities, at)| {
            let at = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
            format!("{abilities} (found out {at:.0})")
        });
        Ok((place, found))
    });
    Ok(Some(match looked {
        Ok((place, found)) => {
            Check { what: place, found: Some(found), cost: String::new(), get: String::new(), needed: true }
        }
        Err(e) => {
            let (cost, hint) = match e.downcast_ref::<Error>() {
                Some(e) => (e.one_line(), e.hint_text()),
                None => (e.to_string(), None),
            };
            let get = hint.unwrap_or("correct the settings of the store").to_owned();
            Check { what: "the store".to_owned(), found: None, cost, get, needed: true }
        }
    }))
}

#[cfg(not(feature = "s3"))]
fn store(_: &Archive, again: bool) -> Result<Option<Check>> {
    no_endpoint(again)
}

fn no_endpoint(again: bool) -> Result<Option<Check>> {
    match again {
        true => Err(Error::invalid("the archive's store is a folder: there is nothing to find out").into()),
        false => Ok(None),
    }
}
