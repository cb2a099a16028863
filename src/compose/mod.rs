//! Clips by template: scenes of films, pictures and words, a voice that is made of a text, its captions, and what a brand puts on
//! films, as one MP4 with a thumbnail. [`make`] is the entry; [`Job`] and [`Template`] are what people write.
//!
//! Scenes become a [`Reel`](crate::media::reel::Reel), which the renderer takes for a recording: limits, loudness, brands and the
//! gate are the same as of any rendition. No catalog is needed.

mod captions;
mod fill;
mod job;
mod plan;

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;

use self::plan::{Plan, Wish};
pub use self::{
    captions::Cue,
    fill::Field,
    job::{Captions, Job, Kind, Parameter, Scene, Size, Sound, Template},
};
use crate::{
    digest::{Digest, Hasher},
    error::{Doing, Error, Result},
    media::{
        Limits, Order, Rendered, Report,
        child::ChildProcess,
        speech::{self, Speaker},
    },
    model::MediaFacts,
    profile::Entry,
    spool::Spool,
    stop::Stop,
};

const HINT: &str = "docs/render.md has every key, examples/clip/quote.yaml is a job that runs";

/// What a clip is made with.
pub struct Desk<'a> {
    /// What decodes and encodes.
    pub child: &'a ChildProcess,
    /// Scratch, best on the disk of what is made.
    pub spool: &'a Spool,
    /// What the child may use.
    pub limits: Limits,
    /// Who speaks.
    pub speaker: Speaker<'a>,
    /// Where the master of an asset is, by its id.
    pub asset: &'a dyn Fn(&str) -> Result<PathBuf>,
    /// When to give up.
    pub stop: &'a Stop,
}

impl Desk<'_> {
    fn measure(&self, path: &Path) -> Result<MediaFacts> {
        plan::measure(path, self)
    }
}

/// What is to be made, or was.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Told {
    /// What kind of clip.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Width and height.
    pub size: (u32, u32),
    /// Frames a second, numerator and denominator.
    pub rate: (u32, u32),
    /// How long it is, with the brand's clips around it once it is made.
    pub duration_ms: u64,
    /// What is seen, and when.
    pub scenes: Vec<ToldScene>,
    /// Captions, counted from the clip's start.
    pub captions: Vec<Cue>,
    /// What was written; of a plan, nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<ToldFile>,
    /// What the clip is, as it was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<MediaFacts>,
}

/// A scene of a clip.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToldScene {
    /// What it shows, in words.
    pub shows: String,
    /// When it begins.
    pub from_ms: u64,
    /// When it ends.
    pub to_ms: u64,
    /// What is said in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
}

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToldFile {
    /// Where it is.
    pub path: PathBuf,
    /// SHA-256 of what it holds.
    pub sha256: Digest,
    /// How much that is.
    pub bytes: u64,
}

/// What a job would make, without making it: nothing is spoken, so scenes that are as long as their words count as usual.
pub fn preview(job: &Path, desk: &Desk<'_>) -> Result<Told> {
    Ok(told(&Wish::read(job)?.plan(job, desk, false)?))
}

/// Makes what a job asks for. Its files appear in their folder once all are complete, the clip last; what was there under their
/// names is replaced.
///
/// `each` hears of progress, 0 to 1.
///
/// Errors: `Invalid` and `NotFound` for what is wrong with the job, its template or inputs, with file, line and column;
/// those of [`Speaker::speak`] and of [`ChildProcess::run`].
pub fn make(job: &Path, out: Option<&Path>, desk: &Desk<'_>, each: &mut dyn FnMut(f64)) -> Result<Told> {
    let mut plan = Wish::read(job)?.plan(job, desk, true)?;
    if let Some(out) = out {
        plan.out = out.to_owned();
    }
    let dir = desk.spool.dir("clip")?;
    let cues = plan.cues();
    let voice = voice(&plan, dir.path())?;
    let words = match plan.captions {
        Captions::Burned if !cues.is_empty() => {
            // The film's own time: what comes before it is not counted.
            let path = dir.path().join("burned.srt");
            fs::write(&path, captions::subrip(&cues, 0)).doing(|| "cannot write captions")?;
            Some(path)
        }
        _ => None,
    };
    plan.complete(voice, words)?;
    let made = dir.path().join("made");
    fs::create_dir(&made).doing(|| format!("cannot make {}", made.display()))?;
    let (film, mut facts) = render(&plan, &made, desk, &mut |done| each(0.9 * done))?;
    // When it was made is the only one of its facts that the next time would be another.
    facts.tags.remove("creation_time");
    let duration_ms = film.duration_ms;
    let thumbnail = thumbnail(&plan, &made, desk)?;
    each(0.97);

    let mut files = vec![(thumbnail, format!("{}.jpg", plan.name))];
    if plan.captions != Captions::None && !cues.is_empty() {
        for (name, text) in
            [("vtt", captions::webvtt(&cues, plan.lead_ms)), ("srt", captions::subrip(&cues, plan.lead_ms))]
        {
            let path = made.join(format!("captions.{name}"));
            fs::write(&path, text).doing(|| format!("cannot write {}", path.display()))?;
            files.push((path, format!("{}.{name}", plan.name)));
        }
    }
    files.push((made.join("clip.mp4"), format!("{}.mp4", plan.name)));
    let files = place(files, &plan.out, desk.stop)?;
    each(1.0);
    Ok(Told { duration_ms, files, facts: Some(facts), ..told(&plan) })
}

fn told(plan: &Plan) -> Told {
    let mut begins = 0;
    let scenes = plan.reel.scenes.iter().zip(&plan.shown).map(|(scene, shows)| {
        let from = begins;
        begins += scene.frames;
        let says = plan.lines.iter().find(|line| line.begins == from).map(|line| line.text.clone());
        let later = |frame: u64| plan.reel.time_ms(frame) + plan.lead_ms;
        ToldScene { shows: shows.clone(), from_ms: later(from), to_ms: later(begins), says }
    });
    let scenes = scenes.collect();
    let later = |cue: Cue| Cue { from_ms: cue.from_ms + plan.lead_ms, to_ms: cue.to_ms + plan.lead_ms, ..cue };
    let is_spoken = plan.lines.iter().all(|line| line.spoken.is_some());
    Told {
        kind: plan.kind,
        size: plan.reel.size,
        rate: plan.reel.rate,
        duration_ms: plan.reel.time_ms(plan.reel.frames()),
        scenes,
        captions: if is_spoken { plan.cues().into_iter().map(later).collect() } else { Vec::new() },
        files: Vec::new(),
        facts: None,
    }
}

/// All that is spoken as one file, each text at its time; none, where nothing is.
fn voice(plan: &Plan, dir: &Path) -> Result<Option<PathBuf>> {
    let of = |line: &plan::Line| Some((plan.reel.time_ms(line.begins), line.spoken.as_ref()?.path.clone()));
    let parts: Vec<(u64, PathBuf)> = plan.lines.iter().filter_map(of).collect();
    if parts.is_empty() {
        return Ok(None);
    }
    let path = dir.join("voice.wav");
    speech::join(&parts, &path)?;
    Ok(Some(path))
}

fn render(plan: &Plan, out_dir: &Path, desk: &Desk<'_>, each: &mut dyn FnMut(f64)) -> Result<(Rendered, MediaFacts)> {
    let input = out_dir.join("reel.json");
    plan.reel.save(&input)?;
    let order = Order {
        input,
        facts: Some(plan.reel.facts()),
        reads: plan.reel.files(),
        outputs: vec![plan.entry.clone()],
        out_dir: out_dir.to_owned(),
        limits: desk.limits.for_length(plan.reel.time_ms(plan.reel.frames())),
        part: None,
    };
    one(&order, desk, each)
}

/// Has an order of one output carried out.
fn one(order: &Order, desk: &Desk<'_>, each: &mut dyn FnMut(f64)) -> Result<(Rendered, MediaFacts)> {
    let (mut accepted, mut failed) = (None, None);
    desk.child.run(order, desk.stop, &mut |report| match report {
        Report::Progress { done } => each(done),
        Report::Accepted { rendered, facts } => accepted = Some((*rendered, facts)),
        Report::Failed { failure, .. } => failed = Some(failure),
        Report::Probed { .. } => {}
    })?;
    match (accepted, failed) {
        (Some(made), None) => Ok(made),
        (_, Some(failure)) => Err(failure.into()),
        (None, None) => Err(Error::internal("the renderer did not say what became of it")),
    }
}

/// A picture of the finished clip.
fn thumbnail(plan: &Plan, out_dir: &Path, desk: &Desk<'_>) -> Result<PathBuf> {
    let at = serde_json::to_value(plan.thumbnail).map_err(|e| Error::internal("no place of a thumbnail").because(e))?;
    let entry = serde_json::json!({ "name": "thumbnail", "spec": { "jpeg": { "at": at } } });
    let entry: Entry = serde_json::from_value(entry).map_err(|e| Error::internal("no thumbnail").because(e))?;
    let order = Order {
        input: out_dir.join("clip.mp4"),
        facts: None,
        reads: Vec::new(),
        outputs: vec![entry],
        out_dir: out_dir.to_owned(),
        limits: desk.limits.clone(),
        part: None,
    };
    one(&order, desk, &mut |_| ())?;
    Ok(out_dir.join("thumbnail.jpg"))
}

/// Brings complete files to their folder, the last one last.
fn place(files: Vec<(PathBuf, String)>, out: &Path, stop: &Stop) -> Result<Vec<ToldFile>> {
    fs::create_dir_all(out).doing(|| format!("cannot make {}", out.display()))?;
    let staging = tempfile::Builder::new().prefix(".damctl-").tempdir_in(out);
    let staging = staging.doing(|| format!("cannot write in {}", out.display()))?;
    let mut staged = Vec::new();
    for (from, name) in files {
        stop.check()?;
        let to = staging.path().join(&name);
        // Scratch may be on another disk.
        fs::rename(&from, &to).or_else(|_| fs::copy(&from, &to).map(drop)).doing(|| format!("cannot write {name}"))?;
        let file = fs::File::open(&to).doing(|| format!("cannot read {}", to.display()))?;
        file.sync_all().doing(|| format!("cannot write {}", to.display()))?;
        let (sha256, bytes) = Hasher::read_all(file, |_| Ok(()))?;
        staged.push((to, ToldFile { path: out.join(name), sha256, bytes }));
    }
    stop.check()?;
    let mut told = Vec::new();
    for (from, file) in staged {
        fs::rename(&from, &file.path).doing(|| format!("cannot write {}", file.path.display()))?;
        told.push(file);
    }
    Ok(told)
}

impl Job {
    /// The JSON schema of a job's file.
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Job).to_value()
    }
}

impl Template {
    /// The JSON schema of a template's file.
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Template).to_value()
    }
}
