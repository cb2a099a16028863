//! `damctl ingest --bag`: refuses bags that are not valid, and says in the catalog what the others say.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::Result;
use damctl::{
    catalog::Catalog,
    export::{Fault, Incoming},
    ingest::Survey,
    stop::Stop,
    work::{Event, Reporter},
};

use super::{actor, print};
use crate::cli::IngestArgs;

/// Faults that are named of a bag; 'damctl export validate' names all.
const NAMED: usize = 50;

/// The bags of a command; none, where its places are no bags.
pub struct Bags {
    bags: Vec<Incoming>,
    is_refused: bool,
}

impl Bags {
    pub fn open(args: &IngestArgs, stop: &Stop) -> Result<Self> {
        let mut bags = Self { bags: Vec::new(), is_refused: false };
        for path in args.paths.iter().filter(|_| args.bag) {
            let bag = Incoming::open(path, stop)?;
            bags.refuse(path, bag.faults());
            bags.bags.push(bag);
        }
        Ok(bags)
    }

    /// Whether one of them is not valid: then none of them is taken in.
    pub fn are_refused(&self) -> bool {
        self.is_refused
    }

    fn refuse(&mut self, bag: &Path, faults: &[Fault]) {
        if faults.is_empty() {
            return;
        }
        self.is_refused = true;
        print(format_args!("{}: refused: it is not a valid bag", bag.display()));
        for f in faults.iter().take(NAMED) {
            print(format_args!("{:>12}{}: {} ({})", "", f.path, f.detail, f.code));
        }
        if faults.len() > NAMED {
            print(format_args!("{:>12}… and {} more ('damctl export validate' names all)", "", faults.len() - NAMED));
        }
        if faults.iter().any(|f| f.code == "not-fetched") {
            print(format_args!("hint: 'damctl export fetch {}' gets what fetch.txt names", bag.display()));
        }
    }

    /// What is surveyed: payloads, or what was named.
    pub fn places(&self, args: &IngestArgs) -> Vec<PathBuf> {
        if args.bag { self.bags.iter().map(Incoming::payload).collect() } else { args.paths.clone() }
    }

    /// Has each survey know what its files have to be, and reads what it will not read.
    pub fn check(&mut self, surveys: &mut [Survey], stop: &Stop) -> Result<()> {
        let mut all = std::mem::take(&mut self.bags);
        for (bag, survey) in all.iter_mut().zip(surveys) {
            let root = survey.drive.root.under(Path::new("/"));
            let taken: BTreeSet<PathBuf> = survey.new_sources().map(|s| s.path.under(&root)).collect();
            bag.check(&taken, stop)?;
            let place = bag.payload().parent().unwrap_or(Path::new("/")).to_owned();
            self.refuse(&place, bag.faults());
            for path in survey.promise(&|path| bag.promised(path)) {
                self.is_refused = true;
                print(format_args!(
                    "{}: refused: the archive has taken in other bytes of {path} than the bag's manifest says, and its size and \
                     times are as they were: --reread looks again",
                    place.display()
                ));
            }
        }
        self.bags = all;
        Ok(())
    }

    /// The collection that the bag of a survey names.
    pub fn collection(&self, at: usize) -> Option<&str> {
        self.bags.get(at).and_then(Incoming::collection)
    }

    /// Writes what bags say of what came with them.
    pub fn describe(&self, args: &IngestArgs, catalog: &Catalog, surveys: &[Survey]) -> Result<()> {
        for (bag, survey) in self.bags.iter().zip(surveys) {
            let root = survey.drive.root.under(Path::new("/"));
            let known = catalog.known_sightings(survey.drive.id)?;
            let known: Vec<_> = known.into_iter().map(|(path, sighting)| (path.under(&root), sighting)).collect();
            let (told, odd) = bag.describe(catalog, &known, args.collection.is_some(), &actor())?;
            odd.iter().for_each(|odd| print(format_args!("warning: {odd}")));
            if told > 0 {
                print(format_args!("{told} asset(s) have what the bag says of them"));
            }
        }
        Ok(())
    }

    /// Says of a folder that is a bag, and was not given as one, that it is.
    pub fn hint(&self, args: &IngestArgs, reporter: &dyn Reporter) {
        for path in args.paths.iter().filter(|path| !args.bag && path.join("bagit.txt").is_file()) {
            let text =
                format!("{} is a bag: --bag takes its payload alone, held against its manifests", path.display());
            reporter.report(&Event::Note { text: &text });
        }
    }
}
