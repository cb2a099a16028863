//! Trying a brand before a film needs it: whether its files are what they should be, not only whether they are there.

use std::{io::Read, path::Path};

use super::{
    Limits, Order, Report,
    brand::{Finish, script},
    child::ChildProcess,
    measure, sniff,
};
use crate::{
    error::{Doing, Error, Result},
    model::{MediaFacts, MediaKind},
    profile::{Brand, Entry},
    spool::Spool,
    stop::Stop,
};

/// The size of frames that words and tables are tried with.
const FRAME: (u32, u32) = (1280, 720);

/// What tries, and where.
pub struct Rehearsal<'a> {
    /// What decodes.
    pub child: &'a ChildProcess,
    /// Scratch.
    pub spool: &'a Spool,
    /// When to give up.
    pub stop: &'a Stop,
}

impl Rehearsal<'_> {
    /// Decodes its logo, reads its table of colors and its words, and looks for sound and pictures where they should be.
    /// What is to be spoken is not.
    pub fn of(&self, brand: &Brand) -> Result<()> {
        if let Some(logo) = &brand.logo {
            let path = &logo.file.path;
            self.decodes(path).map_err(|e| e.within(format_args!("the logo {}", path.display())))?;
        }
        // All that is read by itself; the logo was decoded where it may do no harm.
        Finish::new(&Brand { logo: None, ..brand.clone() }, FRAME)?;
        script(brand, FRAME)?;
        let music = brand.music.as_ref().map(|m| ("music", &m.file));
        let voice = brand.narration.as_ref().and_then(|n| n.file.as_ref()).map(|file| ("narration", file));
        for (what, piece) in music.into_iter().chain(voice) {
            let path = piece.path.display();
            let facts = self.measured(&piece.path).map_err(|e| e.within(format_args!("the {what} {path}")))?;
            if facts.audio.is_empty() {
                return Err(Error::invalid(format!("the {what} {path}: there is no sound in it")));
            }
        }
        let clips = [("intro", &brand.intro), ("outro", &brand.outro)];
        for (what, clip) in clips.into_iter().filter_map(|(what, clip)| Some((what, clip.as_ref()?))) {
            let path = clip.file.path.display();
            let facts = self.measured(&clip.file.path).and_then(|facts| super::clips::check(&facts));
            facts.map_err(|e| e.within(format_args!("the {what} {path}")))?;
        }
        Ok(())
    }

    fn measured(&self, path: &Path) -> Result<MediaFacts> {
        let mut head = Vec::new();
        let file = std::fs::File::open(path).doing(|| "cannot open it")?;
        file.take(sniff::HEAD as u64).read_to_end(&mut head).doing(|| "cannot read it")?;
        let facts = measure(path, &head, self.child, self.spool, self.stop)?;
        match &facts.problem {
            Some(problem) => Err(Error::invalid(problem.clone())),
            None => Ok(facts),
        }
    }

    fn decodes(&self, path: &Path) -> Result<()> {
        let facts = self.measured(path)?;
        if facts.kind != MediaKind::Image {
            return Err(Error::invalid("it is no still picture"));
        }
        let entry = serde_json::json!({ "name": "logo", "spec": { "png": { "max_width": 64 } } });
        let entry: Entry = serde_json::from_value(entry).map_err(|e| Error::internal("no picture").because(e))?;
        let dir = self.spool.dir("logo")?;
        let order = Order {
            input: path.to_owned(),
            facts: Some(facts),
            reads: Vec::new(),
            outputs: vec![entry],
            out_dir: dir.path().to_owned(),
            limits: Limits { cpu_seconds: 60, wall_seconds: 120, ..Limits::default() },
            part: None,
        };
        let mut failed = None;
        self.child.run(&order, self.stop, &mut |report| {
            if let Report::Failed { failure, .. } = report {
                failed = Some(failure);
            }
        })?;
        failed.map_or(Ok(()), |failure| Err(Error::invalid(failure.message)))
    }
}
