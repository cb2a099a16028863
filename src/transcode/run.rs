//! Does transcode jobs: one child process a master, one rendition an accepted output.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
};

use super::{
    Transcode,
    film::{Share, segment_of, then},
    plan::Task,
    words,
};
use crate::{
    catalog::Facts,
    digest::{Digest, Hasher},
    error::{Doing, Error, Kind, Result},
    media::{
        Order, Rendered, Report,
        speech::Speaker,
        split::{self, Part},
    },
    model::{Area, Key, Master, MediaFacts, Rendition, RenditionFile, Stage, job::Failure},
    profile::{Brand, Entry, Piece},
    store::{self, Staged},
    work::{Amount, Attempt, Done, Event, StageRun},
};

impl StageRun for Transcode<'_> {
    fn stage(&self) -> Stage {
        Stage::Transcode
    }

    fn run(&self, attempt: &Attempt<'_>) -> Result<Done> {
        let task: Task = attempt.task()?;
        let master = self
            .catalog
            .master_by_digest(&task.master)?
            .ok_or_else(|| Error::not_found(format!("master {} is not in the catalog any more", task.master)))?;
        if let Some(problem) = &master.facts.problem {
            return Err(Error::corrupt(problem.clone()));
        }
        // An earlier attempt may have made some of them.
        let present = self.catalog.present_entries(&task.master)?;
        let is_present = |name: &str, entry: &Entry| present.contains(&(name.to_owned(), entry.recipe()));
        let is_due = |entry: &&Entry| match &task.share {
            Some(Share::Segment { number, of, .. }) => !is_present(&segment_of(&entry.name, *number, *of), entry),
            _ => true,
        };
        let wanted: Vec<Entry> = task.entries.iter().filter(|e| !is_present(&e.name, e)).cloned().collect();
        let then = match &task.share {
            Some(Share::Segment { of, subject, .. }) => then((task.asset, task.master), &wanted, *of, subject),
            _ => Vec::new(),
        };
        let entries: Vec<Entry> = wanted.iter().filter(is_due).cloned().collect();
        if entries.is_empty() {
            return Ok(Facts { then, ..Facts::default() }.into());
        }
        let dir = self.spool.dir("transcode")?;
        let entries = self.worded(&task.master, entries, dir.path())?;
        // One that was changed since is another recipe, which the next plan has.
        entries.iter().filter_map(|e| e.brand.as_ref()).flat_map(Brand::pieces).try_for_each(Piece::check)?;
        let (entries, mute) = self.narrated(entries, attempt)?;
        let out_dir = dir.path().join("out");
        fs::create_dir(&out_dir).doing(|| format!("cannot make {}", out_dir.display()))?;
        let input = store::fetch(self.store, &master.key, dir.path().join("master"))?;
        let part = match &task.share {
            None => None,
            Some(Share::Segment { stretch, .. }) => Some(Part::Segment(*stretch)),
            Some(Share::Join(of)) => Some(self.segments(&master, &entries, *of, dir.path())?),
        };
        // A large master takes its time to come.
        entries.iter().filter_map(|e| e.brand.as_ref()).flat_map(Brand::pieces).try_for_each(Piece::check)?;
        let limits = self.limits.for_length(master.facts.duration_ms.unwrap_or(0));
        let facts = Some(master.facts.clone());
        let order = Order { input, facts, reads: Vec::new(), outputs: entries, out_dir, limits, part };
        let mut outcomes = if order.outputs.is_empty() { Outcomes::default() } else { self.render(attempt, &order)? };
        outcomes.failed.extend(mute.failed);
        let mut done = self.keep(attempt, &master, &order, task.share.as_ref(), outcomes)?;
        done.facts.then = then;
        Ok(done)
    }
}

/// What came of an order: accepted outputs, and failures by entry.
#[derive(Default)]
struct Outcomes {
    accepted: Vec<(Rendered, MediaFacts)>,
    failed: Vec<(String, Failure)>,
}

impl Transcode<'_> {
    /// Entries with the words of their master as a file. Those whose words have changed since are left to the next plan.
    fn worded(&self, master: &Digest, entries: Vec<Entry>, dir: &Path) -> Result<Vec<Entry>> {
        if !entries.iter().any(Entry::needs_words) {
            return Ok(entries);
        }
        let found = self.catalog.findings_of(&[*master])?;
        let length_ms = self.catalog.master_by_digest(master)?.and_then(|m| m.facts.duration_ms);
        let each = entries.iter().map(|entry| words::written(entry, (&found, length_ms), dir));
        Ok(each.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    /// Has narrations spoken; entries whose voice is not to be had are given with the reason. What is spoken is kept for as
    /// long as this process lives, for other masters have the same.
    fn narrated(&self, entries: Vec<Entry>, attempt: &Attempt<'_>) -> Result<(Vec<Entry>, Outcomes)> {
        let speaker = Speaker { dir: self.spool.path().join("speech"), stop: &attempt.stop };
        let (mut narrated, mut mute) = (Vec::new(), Outcomes::default());
        for mut entry in entries {
            match speaker.narrate(&mut entry) {
                Ok(()) => narrated.push(entry),
                Err(e) if matches!(e.kind(), Kind::Stopped | Kind::Paused) => return Err(e),
                Err(e) => mute.failed.push((entry.name, Failure::from(&e))),
            }
        }
        Ok((narrated, mute))
    }

    /// The segments of films as files.
    fn segments(&self, master: &Master, entries: &[Entry], of: usize, dir: &Path) -> Result<Part> {
        let mut films = BTreeMap::new();
        for entry in entries {
            let mut lists = Vec::new();
            for number in 0..of {
                let name = segment_of(&entry.name, number, of);
                let segment = self.catalog.rendition(&master.digest, &name, &entry.recipe())?;
                let segment = segment.ok_or_else(|| {
                    Error::not_found(format!("segment {} of {} is gone", number + 1, entry.name))
                        .hint("run 'damctl transcode' again: it is made anew")
                })?;
                let dir = dir.join(&name);
                fs::create_dir(&dir).doing(|| format!("cannot make {}", dir.display()))?;
                let fetch = |file: &RenditionFile| {
                    let path = store::fetch(self.store, &segment.prefix.join(&file.name)?, dir.join(&file.name))?;
                    // Its frames are not decoded again.
                    let opened = File::open(&path).doing(|| format!("cannot read {}", path.display()))?;
                    match Hasher::read_all(opened, |_| Ok(()))?.0 == file.digest {
                        true => Ok(path),
                        false => Err(Error::corrupt(format!("segment {} of {} is damaged", number + 1, entry.name))
                            .hint("'damctl verify --drop' removes it, and the next run makes it anew")),
                    }
                };
                let files = segment.files.iter().map(fetch).collect::<Result<Vec<_>>>()?;
                lists.extend(files.into_iter().next());
            }
            films.insert(entry.name.clone(), lists);
        }
        Ok(Part::Join(films))
    }

    fn render(&self, attempt: &Attempt<'_>, order: &Order) -> Result<Outcomes> {
        let mut outcomes = Outcomes::default();
        let mut whole: Option<Failure> = None;
        let ended = self.child.run(order, &attempt.stop, &mut |report| match report {
            Report::Progress { done } => attempt.tick(Amount::Share(done)),
            Report::Accepted { rendered, facts } => outcomes.accepted.push((*rendered, facts)),
            Report::Failed { output: Some(output), failure } => outcomes.failed.push((output, failure)),
            Report::Failed { output: None, failure } => whole = Some(failure),
            Report::Probed { .. } => {}
        });
        let whole = match ended {
            Ok(()) => whole,
            Err(e) if matches!(e.kind(), Kind::Stopped | Kind::Paused) => return Err(e),
            Err(e) => Some(Failure::from(&e)),
        };
        // What one lacks room for, the next master does, too.
        let told = outcomes.failed.iter().map(|(_, failure)| failure).chain(&whole);
        if let Some(paused) = told.into_iter().find(|f| f.kind == Kind::Paused) {
            return Err(Error::from(paused.clone()));
        }
        // Every output has an outcome, also when the child died before it could say.
        for entry in &order.outputs {
            let told = outcomes.accepted.iter().any(|(r, _)| r.output == entry.name)
                || outcomes.failed.iter().any(|(n, _)| *n == entry.name);
            if !told {
                let silent = || Failure {
                    kind: Kind::Internal,
                    message: "the renderer did not say what became of it".to_owned(),
                    hint: None,
                    code: None,
                };
                outcomes.failed.push((entry.name.clone(), whole.clone().unwrap_or_else(silent)));
            }
        }
        Ok(outcomes)
    }

    /// Puts accepted outputs into the store, and refused ones into quarantine.
    fn keep(
        &self,
        attempt: &Attempt<'_>,
        master: &Master,
        order: &Order,
        share: Option<&Share>,
        outcomes: Outcomes,
    ) -> Result<Done> {
        let mut facts = Facts::default();
        let of = outcomes.accepted.len() + outcomes.failed.len();
        let mut staged: Vec<Staged> = Vec::new();
        for (rendered, measured) in outcomes.accepted {
            // The child names what it made; only what was ordered counts.
            let Some(entry) = order.outputs.iter().find(|e| e.name == rendered.output) else { continue };
            let (deposit, rendition) = self.deposit(master, entry, share, &rendered, measured, &order.out_dir)?;
            staged.push(deposit);
            match share {
                Some(Share::Segment { .. }) => facts.segments.push(rendition),
                _ => facts.renditions.push(rendition),
            }
        }
        crate::crash::point("transcode.before-commit");
        self.store.commit(staged)?;
        crate::crash::point("transcode.after-commit");
        for r in facts.renditions.iter().chain(&facts.segments) {
            let what = format!("{} {}", attempt.job.subject, r.entry);
            attempt.reporter.report(&Event::Item { what: &what, outcome: "rendered", detail: None });
        }
        for (entry, failure) in &outcomes.failed {
            self.quarantine(attempt, order, entry, failure);
            let what = format!("{} {entry}", attempt.job.subject);
            attempt.reporter.report(&Event::Item { what: &what, outcome: "failed", detail: Some(&failure.message) });
        }
        Ok(Done { facts, failure: summarize(outcomes.failed, of) })
    }

    fn deposit(
        &self,
        master: &Master,
        entry: &Entry,
        share: Option<&Share>,
        rendered: &Rendered,
        facts: MediaFacts,
        out_dir: &Path,
    ) -> Result<(Staged, Rendition)> {
        let recipe = entry.recipe();
        let mut files = Vec::new();
        for name in &rendered.files {
            if name.contains('/') || name.starts_with('.') {
                return Err(Error::internal(format!("the renderer named an output '{name}'")));
            }
            let of_segment = split::files(&entry.name).into_iter().find(|(file, _)| file == name);
            let mime = of_segment.map_or_else(|| entry.spec.mime_of(&entry.name, name), |(_, mime)| mime);
            let path = out_dir.join(name);
            let file = File::open(&path).doing(|| format!("cannot read {}", path.display()))?;
            let (digest, bytes) = Hasher::read_all(file, |_| Ok(()))?;
            files.push(RenditionFile { name: name.clone(), digest, bytes, mime: mime.to_owned() });
        }
        let tree: Vec<String> = files.iter().flat_map(|f| [f.name.clone(), f.digest.to_string()]).collect();
        let name = match share {
            Some(Share::Segment { number, of, .. }) => segment_of(&entry.name, *number, *of),
            _ => entry.name.clone(),
        };
        let segment = name.strip_prefix(&entry.name).unwrap_or_default().replace('@', "-");
        let tree = Digest::of_fields(&tree).short();
        let version = format!("{}@{}{segment}-{tree}", entry.name, recipe.short());
        let (asset, digest) = (master.asset.to_string(), master.digest.to_string());
        let prefix = Key::new(Area::Renditions, &[master.facts.kind.as_str(), &asset, &digest, &version])?;
        let mut deposit = self.store.stage(&prefix)?;
        for name in &rendered.files {
            deposit.adopt(name, &out_dir.join(name))?;
        }
        let rendition =
            Rendition { asset: master.asset, master: master.digest, entry: name, recipe, prefix, files, facts };
        Ok((deposit.finish()?, rendition))
    }

    /// Keeps a refused output for whoever wants to know why. That it cannot be kept is no reason to fail.
    fn quarantine(&self, attempt: &Attempt<'_>, order: &Order, entry: &str, failure: &Failure) {
        // What was cut off was judged by nobody.
        if !matches!(failure.kind, Kind::Internal | Kind::Corrupt) {
            return;
        }
        let Some(spec) = order.outputs.iter().find(|e| e.name == entry) else { return };
        let names = spec.spec.files(entry).into_iter().chain(split::files(entry)).map(|(name, _)| name);
        let names: Vec<String> = names.filter(|name| order.out_dir.join(name).is_file()).collect();
        if names.is_empty() {
            return;
        }
        let dir = self.quarantine.join(format!("{}-{}", &attempt.job.id.to_string()[..12], attempt.job.attempt));
        let reason = format!("{}\n{}\n", attempt.job.subject, failure.message);
        let keep = |name: &String| {
            let (from, to) = (order.out_dir.join(name), dir.join(name));
            fs::rename(&from, &to).or_else(|_| fs::copy(&from, &to).map(drop))
        };
        let kept = fs::create_dir_all(&dir)
            .and_then(|()| names.iter().try_for_each(keep))
            .and_then(|()| fs::write(dir.join(format!("{entry}.reason.txt")), reason));
        let text = match kept {
            Ok(()) => format!("the refused output is kept in {}", dir.display()),
            Err(e) => format!("the refused output could not be kept: {e}"),
        };
        attempt.reporter.report(&Event::Note { text: &text });
    }
}

/// One failure for a job of which some outputs failed. What may succeed later decides whether the job is tried again.
fn summarize(failed: Vec<(String, Failure)>, of: usize) -> Option<Error> {
    let of_kind = |is: &dyn Fn(Kind) -> bool| failed.iter().find(|(_, f)| is(f.kind));
    let worst = of_kind(&|k| k.is_retryable()).or(of_kind(&|k| k == Kind::OutOfMemory)).or(failed.first())?;
    let (kind, hint) = (worst.1.kind, worst.1.hint.clone());
    let same = failed.len() > 1 && failed.iter().all(|(_, f)| f.message == failed[0].1.message);
    let list = match same {
        true => failed[0].1.message.clone(),
        false => failed.iter().map(|(name, f)| format!("{name}: {}", f.message)).collect::<Vec<_>>().join("; "),
    };
    let e = Error::new(kind, format!("{} of {of} renditions failed: {list}", failed.len()));
    Some(match hint {
        Some(hint) => e.hint(hint),
        None => e,
    })
}
