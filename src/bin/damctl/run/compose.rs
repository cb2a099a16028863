//! `damctl render JOB`: a clip by a template.

use std::{
    cell::RefCell,
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::Result;
use damctl::{
    compose::{self, Desk},
    error::{Doing, Error},
    media::{Limits, speech::Speaker},
    model::AssetId,
    spool::Spool,
    stop::Stop,
    work::{Event, Reporter},
};

use super::{Archive, SCRATCH, Verdict, child, print};
use crate::cli::RenderArgs;

pub fn run(
    job: &Path,
    args: &RenderArgs,
    open: &dyn Fn() -> Result<Archive>,
    reporter: &dyn Reporter,
    stop: &Stop,
) -> Result<Verdict> {
    let scratch = std::env::temp_dir().join(SCRATCH);
    let spool = Spool::open(&scratch)?;
    let (child, archive) = (child(&scratch)?, RefCell::new(None::<Archive>));
    let asset = |id: &str| {
        let mut archive = archive.borrow_mut();
        if archive.is_none() {
            *archive = Some(open().map_err(ours)?);
        }
        let archive = archive.as_ref().ok_or_else(|| Error::internal("no archive"))?;
        master(id, archive, &spool)
    };
    let desk = Desk {
        child: &child,
        spool: &spool,
        limits: Limits::default(),
        speaker: Speaker { dir: spool.path().join("speech"), stop },
        asset: &asset,
        stop,
    };
    if args.dry_run {
        print(serde_json::to_string_pretty(&compose::preview(job, &desk)?)?);
        return Ok(Verdict::Done);
    }
    child.warm()?;
    let mut last = 0;
    let told = compose::make(job, args.out.as_deref(), &desk, &mut |done| {
        let percent = (done * 100.0) as u32;
        if percent >= last + 10 {
            last = percent;
            reporter.report(&Event::Note { text: &format!("{percent} % of {} is made", job.display()) });
        }
    })?;
    print(serde_json::to_string_pretty(&told)?);
    Ok(Verdict::Done)
}

/// The error as the library has it, where it is one of its own.
fn ours(e: anyhow::Error) -> Error {
    e.downcast::<Error>().unwrap_or_else(|e| Error::invalid(e.to_string()))
}

/// The master of an asset as a file: in place where the store is a folder, else a copy.
fn master(id: &str, archive: &Archive, spool: &Spool) -> damctl::error::Result<PathBuf> {
    let id: AssetId = id.parse()?;
    let catalog = archive.catalog().map_err(ours)?;
    catalog.must_be_readable(id)?;
    let row = catalog.asset(id)?;
    let store = archive.store().map_err(ours)?;
    let master = row.masters.iter().find(|m| m.role.is_shown());
    let master = master.ok_or_else(|| Error::not_found(format!("the asset {id} has no master that can be shown")))?;
    if let Some(path) = store.local_path(&master.key) {
        return Ok(path);
    }
    let dir = spool.path().join("masters");
    fs::create_dir_all(&dir).doing(|| format!("cannot make {}", dir.display()))?;
    let path = dir.join(master.digest.to_string());
    if !path.is_file() {
        let half = path.with_extension("part");
        let mut from = store.open(&master.key, None)?;
        let mut to = File::create(&half).doing(|| format!("cannot make {}", half.display()))?;
        std::io::copy(&mut from, &mut to).doing(|| format!("cannot fetch {}", master.key))?;
        fs::rename(&half, &path).doing(|| format!("cannot make {}", path.display()))?;
    }
    Ok(path)
}
