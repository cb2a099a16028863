//! `damctl catalog`: the catalog as a whole.

use std::path::Path;

use anyhow::Result;
use damctl::{catalog::Catalog, error::Error, keep, model::Key, stop::Stop};

use super::{Archive, Verdict, print};
use crate::cli::CatalogCommand;

pub fn run(command: &CatalogCommand, archive: &Archive, stop: &Stop) -> Result<Verdict> {
    match command {
        CatalogCommand::Copy { from, to } => copy(from, to, archive),
        CatalogCommand::Backup { file } => {
            let catalog = archive.catalog()?;
            let seal = catalog.seal_events()?;
            catalog.back_up(file)?;
            let bytes = std::fs::metadata(file)?.len();
            let seal = seal.map(|s| format!(", sealed at {s}")).unwrap_or_default();
            print(format_args!("{}: {bytes} bytes{seal}", file.display()));
            Ok(Verdict::Done)
        }
        CatalogCommand::Restore { file } => {
            let restored = archive.catalog()?.restore_from(file)?;
            let rows: u64 = restored.rows.iter().map(|(_, rows)| *rows).sum();
            print(format_args!("{rows} rows restored and compared; 'damctl verify' compares with the store"));
            Ok(Verdict::Done)
        }
        CatalogCommand::Rebuild { from_store: _ } => rebuild(archive, stop),
        CatalogCommand::Record => {
            let written = keep::record(&archive.catalog()?, &*archive.store()?, stop)?;
            print(format_args!("{written} record(s) written"));
            Ok(Verdict::Done)
        }
    }
}

fn rebuild(archive: &Archive, stop: &Stop) -> Result<Verdict> {
    let (catalog, store, spool, child) = (archive.catalog()?, archive.store()?, archive.spool()?, archive.child()?);
    let measure = keep::Measure { child: &child, spool: &spool };
    let each = &mut |key: &Key, what: &str| print(format_args!("{key}: {what}"));
    let of = keep::rebuild(&catalog, &*store, &measure, stop, each)?;
    print(format_args!(
        "{} asset(s) by their records, {} by their bytes alone; {} master(s) and {} rendition(s) are there, {} rendition(s) \
         are to be made again; {} finding(s)",
        of.recorded, of.bare, of.masters, of.renditions, of.lost, of.findings
    ));
    Ok(if of.findings == 0 { Verdict::Done } else { Verdict::SomeFailed })
}

fn copy(from: &str, to: &str, archive: &Archive) -> Result<Verdict> {
    let real = |place: &str| std::fs::canonicalize(place).unwrap_or_else(|_| place.into());
    if real(from) == real(to) {
        return Err(Error::invalid("FROM and TO are the same catalog").into());
    }
    let is_server = |place: &str| place.starts_with("postgres://") || place.starts_with("postgresql://");
    if !is_server(from) && !Path::new(from).is_file() {
        return Err(Error::not_found(format!("there is no catalog {from}")).into());
    }
    let open = |place: &str| -> Result<Catalog> {
        if !is_server(place) {
            return Ok(Catalog::open_sqlite(Path::new(place))?);
        }
        #[cfg(feature = "postgres")]
        {
            use damctl::catalog::PostgresConfig;
            if PostgresConfig::has_password(place) {
                return Err(Error::invalid("an address on the command line holds a password")
                    .hint("others can read it there: give it in PGPASSWORD or a PGPASSFILE")
                    .into());
            }
            Ok(Catalog::open_postgres(&archive.settings.postgres(place)?)?)
        }
        #[cfg(not(feature = "postgres"))]
        {
            let _ = archive;
            Err(Error::unsupported("this program was built without PostgreSQL ('postgres')").into())
        }
    };
    let copied = open(from)?.copy_to(&open(to)?)?;
    for (table, rows) in &copied.rows {
        print(format_args!("{table:<12} {rows:>10}"));
    }
    print(format_args!("copied and compared row by row; to use it, set 'catalog' in damctl.yaml"));
    Ok(Verdict::Done)
}
