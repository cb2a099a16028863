//! A job and its template, filled and measured: which scene shows what for how long. All that can be wrong with them is told
//! here, before anything is rendered.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
};

use super::{
    Desk, HINT,
    captions::{self, Cue},
    fill::{Field, Fill},
    job::{Captions, Job, Kind, Scene, Size, Template},
};
use crate::{
    error::{Doing, Error, Result},
    media::{
        self,
        reel::{self, Reel, Shows},
        sniff,
        speech::Spoken,
    },
    model::{MediaFacts, MediaKind},
    profile::{
        AudioTrack, Brand, Caption, Entry, Film, Fit, FrameRate, Gain, Interval, Narration, Piece, Position, Spec,
        Subtitles, VideoTrack,
    },
};

/// How long a scene of a picture is, when nobody says, in milliseconds.
const USUAL: u64 = 4000;
/// What is left after the last word of such a scene.
const BREATH: u64 = 500;
/// Longest clip: the times of texts go no further.
const LONGEST: u64 = 3600 * 1000;

/// What is to be made.
pub(super) struct Plan {
    pub(super) kind: Kind,
    pub(super) reel: Reel,
    /// The clip's pictures and sound; it still lacks what is made on the way (speech, burned-in captions).
    pub(super) entry: Entry,
    pub(super) lines: Vec<Line>,
    pub(super) captions: Captions,
    pub(super) thumbnail: Position,
    /// How long the brand's clip before it is.
    pub(super) lead_ms: u64,
    pub(super) out: PathBuf,
    pub(super) name: String,
    /// What each scene shows, in words.
    pub(super) shown: Vec<String>,
    duck: Gain,
    caption_style: crate::profile::Style,
}

/// Words that are spoken.
pub(super) struct Line {
    pub(super) text: String,
    /// In frames from the clip's start.
    pub(super) begins: u64,
    pub(super) spoken: Option<Spoken>,
}

/// What was read of a job.
pub(super) struct Wish {
    pub(super) job: Job,
    pub(super) template: Template,
    pub(super) fill: Fill,
    /// Where its paths begin.
    folder: PathBuf,
    template_folder: PathBuf,
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).doing(|| format!("cannot read {}", path.display()))?;
    serde_saphyr::from_str(&text).map_err(|e| {
        let place = e.location().map(|l| format!(":{}:{}", l.line(), l.column())).unwrap_or_default();
        let message = e.without_snippet().to_string();
        let message = message.split(" at line ").next().unwrap_or_default().trim().to_owned();
        Error::invalid(format!("{}{place}: {message}", path.display())).hint(HINT)
    })
}

fn folder(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path).doing(|| format!("cannot find {}", path.display()))?;
    Ok(path.parent().unwrap_or(Path::new("/")).to_owned())
}

impl Wish {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let mut job: Job = parse(path)?;
        let job_folder = folder(path)?;
        let (origin, template, template_folder) = match (&job.template, job.inline.take()) {
            (Some(file), None) => {
                let file = job_folder.join(file);
                let template: Template = parse(&file)?;
                (file.display().to_string(), template, folder(&file)?)
            }
            (None, Some(inline)) => (path.display().to_string(), inline, job_folder.clone()),
            _ => {
                let why = format!("{}: expected either 'template', a file, or 'inline', a template", path.display());
                return Err(Error::invalid(why).hint(HINT));
            }
        };
        let wrong = |why: String| Error::invalid(format!("{}: {why}", path.display())).hint(HINT);
        if let Some(unknown) = job.parameters.keys().find(|name| !template.parameters.contains_key(*name)) {
            let known: Vec<&str> = template.parameters.keys().map(String::as_str).collect();
            return Err(wrong(format!("the template has no parameter '{unknown}': it has {}", list(&known))));
        }
        let mut values = BTreeMap::new();
        for (name, parameter) in &template.parameters {
            let value = job.parameters.get(name).or(parameter.default.as_ref());
            let about = parameter.about.as_ref().map(|about| format!(" ({about})")).unwrap_or_default();
            let value = value.ok_or_else(|| wrong(format!("the parameter '{name}'{about} is not given")))?;
            values.insert(name.clone(), value.clone());
        }
        let fill = Fill::new(origin, values);
        Ok(Self { job, template, fill, folder: job_folder, template_folder })
    }

    /// Fills and measures all; has nothing spoken yet where `speaks` is false, so that lengths may be guesses.
    pub(super) fn plan(&self, path: &Path, desk: &Desk<'_>, speaks: bool) -> Result<Plan> {
        let (template, fill) = (&self.template, &self.fill);
        let Size(width, height) = fill.maybe(&template.size)?.unwrap_or(Size(1920, 1080));
        let rate = match fill.maybe(&template.frame_rate)?.unwrap_or(FrameRate::Even(25, 1)) {
            FrameRate::Even(n, d) => (n, d),
            _ => return Err(Error::invalid("frame_rate: expected frames a second such as 25").hint(HINT)),
        };
        let mut plan = Plan {
            kind: template.kind,
            reel: Reel { size: (width, height), rate, scenes: Vec::new() },
            entry: self.entry((width, height))?,
            lines: Vec::new(),
            captions: fill.maybe(&template.captions)?.unwrap_or_default(),
            thumbnail: fill.maybe(&template.thumbnail)?.unwrap_or(Position::Millis(1000)),
            lead_ms: 0,
            out: self.folder.join(self.job.out.clone().unwrap_or_default()),
            name: self.name(path)?,
            shown: Vec::new(),
            duck: fill.maybe(&template.duck)?.unwrap_or(Gain(-100)),
            caption_style: fill.maybe(&template.caption_style)?.unwrap_or_default(),
        };
        if template.scenes.is_empty() {
            return Err(Error::invalid("the template has no scenes").hint(HINT));
        }
        let mut measured = BTreeMap::new();
        for scene in &template.scenes {
            self.scene(scene, &mut plan, &mut measured, desk, speaks)?;
        }
        self.is_of_its_kind(&plan)?;
        if plan.reel.time_ms(plan.reel.frames()) > LONGEST {
            return Err(Error::invalid(format!("the clip is longer than {} min", LONGEST / 60_000)));
        }
        if let Some(intro) = plan.entry.brand.as_ref().and_then(|b| b.intro.as_ref()) {
            let frames = media::clip_frames(&desk.measure(&intro.file.path)?, rate);
            plan.lead_ms = plan.reel.time_ms(frames);
        }
        let texts = self.job.texts.iter().map(|text| fill.get(text)).collect::<Result<Vec<Caption>>>()?;
        plan.brand().texts.extend(texts);
        if plan.captions == Captions::Burned && plan.brand().subtitles.is_some() {
            return Err(Error::invalid(
                "the brand has subtitles of its own: captions can be put beside, not burned in",
            )
            .hint("leave 'captions: burned' out, or the brand's 'subtitles'"));
        }
        if !plan.lines.is_empty() && plan.brand().narration.is_some() {
            return Err(Error::invalid("the brand has a narration of its own, and scenes say something")
                .hint("leave one of the two out"));
        }
        plan.entry.check(MediaKind::Video).map_err(|why| Error::invalid(why).hint(HINT))?;
        Ok(plan)
    }

    fn name(&self, path: &Path) -> Result<String> {
        let stem = || path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let name = self.job.name.clone().unwrap_or_else(stem);
        let is_sound = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
        match !name.is_empty() && name.len() <= 100 && !name.starts_with(['.', '-']) && name.chars().all(is_sound) {
            true => Ok(name),
            false => {
                Err(Error::invalid(format!("'{name}' is no name for files: expected letters, digits, - _ . and space")))
            }
        }
    }

    /// The clip as an entry of a profile.
    fn entry(&self, (width, height): (u32, u32)) -> Result<Entry> {
        let (template, fill) = (&self.template, &self.fill);
        // 3.5 bits a pixel and second: 7 Mbit/s for 1080p.
        let usual =
            serde_json::json!({ "bitrate": (width * height * 7 / 2).max(500_000).to_string(), "preset": "fast" });
        let video: VideoTrack = match fill.maybe(&template.video)? {
            Some(video) => video,
            None => serde_json::from_value(usual).map_err(|e| Error::internal("no usual picture").because(e))?,
        };
        let usual = serde_json::json!({ "bitrate": "192k", "loudness": { "target": "-16 LUFS" } });
        let audio: AudioTrack = match fill.maybe(&template.audio)? {
            Some(audio) => audio,
            None => serde_json::from_value(usual).map_err(|e| Error::internal("no usual sound").because(e))?,
        };
        let film =
            Film { max_width: None, max_height: None, video, audio: Some(audio), frame_rate: None, background: None };
        let mut brand = match &template.brand {
            Some(field) => {
                let path = self.template_folder.join(fill.get(field)?);
                let brand = Brand::load(&path).map_err(|e| fill.wrong(field, &e.one_line()))?;
                if brand.subtitles.as_ref().is_some_and(|s| s.transcript.is_some()) {
                    let why = "its subtitles are a master's own words, and a clip has none: expected a 'file'";
                    return Err(fill.wrong(field, why));
                }
                brand
            }
            None => Brand::default(),
        };
        if let Some(field) = &template.logo {
            brand.logo = Some(fill.get(field)?);
            brand
                .place(|b| b.logo.as_mut().map(|l| &mut l.file), &self.template_folder)
                .map_err(|e| fill.wrong(field, &e.one_line()))?;
        }
        if let Some(field) = &template.music {
            brand.music = Some(fill.get(field)?);
            brand
                .place(|b| b.music.as_mut().map(|m| &mut m.file), &self.template_folder)
                .map_err(|e| fill.wrong(field, &e.one_line()))?;
        }
        Ok(Entry { name: "clip".to_owned(), spec: Spec::Mp4(film), brand: Some(brand), when: None, split_over: None })
    }

    fn scene(
        &self,
        scene: &Scene,
        plan: &mut Plan,
        measured: &mut BTreeMap<PathBuf, MediaFacts>,
        desk: &Desk<'_>,
        speaks: bool,
    ) -> Result<()> {
        let (template, fill) = (&self.template, &self.fill);
        let begins = plan.reel.frames();
        let duration = fill.maybe(&scene.duration)?.map(|i: Interval| u64::from(i.0));
        let say = fill.maybe(&scene.say)?.filter(|text: &String| !text.trim().is_empty());
        let spoken = match (&say, &scene.say) {
            (Some(text), Some(field)) => {
                let tts = template
                    .tts
                    .as_ref()
                    .ok_or_else(|| fill.wrong(field, "what speaks these words? the template has no 'tts'"))?;
                let (tts, language) =
                    (fill.get(tts)?, fill.maybe(&template.language)?.unwrap_or_else(|| "en".to_owned()));
                crate::profile::check_language(&language)
                    .and_then(|()| tts.check())
                    .map_err(|why| fill.wrong(field, &why))?;
                match speaks {
                    true => {
                        Some(desk.speaker.speak(&tts, text, Some(&language)).map_err(|e| e.within(fill.place(field)))?)
                    }
                    false => None,
                }
            }
            _ => None,
        };
        let words_ms = spoken.as_ref().map(|s| s.duration_ms);
        let (shows, length) = match (&scene.film, &scene.picture) {
            (Some(field), Some(_)) => return Err(fill.wrong(field, "a scene shows a film or a picture, not both")),
            (Some(field), None) => {
                let path = self.input(field, desk)?;
                let facts = self.measured(field, &path, measured, desk)?;
                if facts.kind != MediaKind::Video || facts.video.is_none() {
                    return Err(fill.wrong(field, &format!("{} is no film", path.display())));
                }
                let whole = facts.duration_ms.unwrap_or(0);
                let place = |field: &Option<Field<Position>>| -> Result<Option<u64>> {
                    let Some(field) = field else { return Ok(None) };
                    match fill.get(field)? {
                        // What is beyond the end is told below.
                        Position::Millis(ms) => Ok(Some(u64::from(ms))),
                        share @ Position::Permille(_) => Ok(share.in_millis(whole)),
                        Position::Best => Err(fill.wrong(field, "expected a place such as 12.5s or 10%")),
                    }
                };
                let from = place(&scene.from)?.unwrap_or(0);
                let to = place(&scene.to)?.or(duration.map(|d| from + d)).unwrap_or(whole);
                if from >= to || to > whole + 100 {
                    let why = format!("{from} to {to} ms is asked for of a film of {whole} ms");
                    let places = [scene.to.as_ref().map(Field::at), scene.from.as_ref().map(Field::at)];
                    let at = places.into_iter().flatten().chain(scene.duration.as_ref().map(Field::at)).next();
                    return Err(fill.wrong_at(at.unwrap_or(field.at()), &why));
                }
                let sound = fill.maybe(&scene.sound)?.unwrap_or_default().0;
                plan.shown.push(format!("{} from {} s to {} s", path.display(), seconds(from), seconds(to)));
                (Shows::Film { path, facts: Box::new(facts), from_ms: from, sound }, to - from)
            }
            (None, picture) => {
                if let Some(field) = scene.from.as_ref().or(scene.to.as_ref()) {
                    return Err(fill.wrong(field, "only a film has 'from' and 'to': a picture has a 'duration'"));
                }
                let shows = match picture {
                    Some(field) => {
                        let path = self.input(field, desk)?;
                        let facts = self.measured(field, &path, measured, desk)?;
                        if facts.kind != MediaKind::Image {
                            return Err(fill.wrong(field, &format!("{} is no still picture", path.display())));
                        }
                        plan.shown.push(path.display().to_string());
                        Shows::Picture { path }
                    }
                    None => {
                        plan.shown.push("the background".to_owned());
                        Shows::Card
                    }
                };
                let usual = words_ms.map_or(USUAL, |words| words + BREATH);
                (shows, duration.unwrap_or(usual))
            }
        };
        if let (Some(words), Some(field)) = (words_ms.filter(|words| *words > length), &scene.say) {
            let why = format!("its words take {} s to speak, and it is {} s long", seconds(words), seconds(length));
            return Err(fill.wrong(field, &why));
        }
        let (n, d) = plan.reel.rate;
        let frames = ((length * u64::from(n) + 500 * u64::from(d)) / (1000 * u64::from(d))).max(1);
        let background = match fill.maybe(&scene.background)? {
            Some(color) => Some(color),
            None => fill.maybe(&template.background)?,
        };
        let fit = match fill.maybe(&scene.fit)? {
            Some(fit) => fit,
            None => fill.maybe(&template.fit)?.unwrap_or(Fit::Contain),
        };
        let logo = match &scene.logo {
            Some(field) => {
                let mut brand = Brand { logo: Some(fill.get(field)?), ..Brand::default() };
                brand
                    .place(|b| b.logo.as_mut().map(|l| &mut l.file), &self.template_folder)
                    .map_err(|e| fill.wrong(field, &e.one_line()))?;
                brand.logo
            }
            None => None,
        };
        plan.reel.scenes.push(reel::Scene {
            shows,
            frames,
            fit,
            background: background.map_or([0; 3], |color| color.rgb()),
            logo,
        });
        let (at, end) = (plan.reel.time_ms(begins), plan.reel.time_ms(begins + frames));
        for field in &scene.texts {
            let caption: Caption = fill.get(field)?;
            let moved =
                within_scene(caption, at, end).ok_or_else(|| fill.wrong(field, "the text comes after its scene"))?;
            plan.brand().texts.push(moved);
        }
        if let Some(text) = say {
            plan.lines.push(Line { text, begins, spoken });
        }
        Ok(())
    }

    /// Where an input is.
    fn input(&self, field: &Field<String>, desk: &Desk<'_>) -> Result<PathBuf> {
        let name = self.fill.get(field)?;
        let path = match self.job.inputs.get(&name) {
            Some(given) => match given.strip_prefix("asset:") {
                Some(id) => (desk.asset)(id)
                    .map_err(|e| self.fill.wrong(field, &format!("the input '{name}': {}", e.one_line())))?,
                None => self.folder.join(given),
            },
            None if name.starts_with("./") || name.starts_with("../") => self.template_folder.join(&name),
            None => {
                let known: Vec<&str> = self.job.inputs.keys().map(String::as_str).collect();
                let why = format!("there is no input '{name}': the job has {}", list(&known));
                return Err(self.fill.wrong(field, &why));
            }
        };
        match path.is_file() {
            true => Ok(path),
            false => {
                let gone = Error::not_found(format!("the input '{name}' is not there: {}", path.display()));
                Err(gone.within(self.fill.place(field)).hint("paths are from the job's folder"))
            }
        }
    }

    fn measured(
        &self,
        field: &Field<String>,
        path: &Path,
        known: &mut BTreeMap<PathBuf, MediaFacts>,
        desk: &Desk<'_>,
    ) -> Result<MediaFacts> {
        if let Some(facts) = known.get(path) {
            return Ok(facts.clone());
        }
        let within = |e: Error| e.within(self.fill.place(field));
        let facts = desk.measure(path).map_err(within)?;
        if let Some(problem) = &facts.problem {
            return Err(within(Error::corrupt(format!("{} is damaged: {problem}", path.display()))));
        }
        known.insert(path.to_owned(), facts.clone());
        Ok(facts)
    }

    fn is_of_its_kind(&self, plan: &Plan) -> Result<()> {
        let has_film = plan.reel.scenes.iter().any(|scene| matches!(scene.shows, Shows::Film { .. }));
        let wrong = |why: &str| Err(Error::invalid(why.to_owned()).hint(HINT));
        match self.template.kind {
            Kind::Clip if !has_film => wrong("type: a 'clip' shows a film in one scene at least"),
            Kind::Slideshow if has_film => wrong("type: a 'slideshow' shows still pictures: of films, make a 'clip'"),
            Kind::Quote if self.template.scenes.iter().any(|s| s.texts.is_empty() && s.say.is_none()) => {
                wrong("type: each scene of a 'quote' has 'texts' or 'say'")
            }
            _ => Ok(()),
        }
    }
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

/// A text of a scene, counted from the clip's start; none, where it would come after the scene.
fn within_scene(mut caption: Caption, at: u64, end: u64) -> Option<Caption> {
    let interval = |ms: u64| u32::try_from(ms).ok().filter(|ms| *ms > 0).map(Interval);
    let from = at + caption.from.map_or(0, |i| u64::from(i.0));
    let to = caption.to.map_or(end, |i| at + u64::from(i.0)).min(end);
    if from >= to {
        return None;
    }
    (caption.from, caption.to) = (interval(from), interval(to));
    Some(caption)
}

impl Plan {
    pub(super) fn brand(&mut self) -> &mut Brand {
        self.entry.brand.get_or_insert_default()
    }

    /// The captions of all that is spoken, counted from the first scene's start.
    pub(super) fn cues(&self) -> Vec<Cue> {
        let of = |line: &Line| {
            let from = self.reel.time_ms(line.begins);
            let length = line.spoken.as_ref().map_or(0, |s| s.duration_ms);
            captions::cues(&line.text, from, from + length)
        };
        self.lines.iter().flat_map(of).collect()
    }

    /// Puts what was made on the way into the brand: the voice, and captions that become part of the picture.
    pub(super) fn complete(&mut self, voice: Option<PathBuf>, words: Option<PathBuf>) -> Result<()> {
        let (duck, style) = (self.duck, self.caption_style.clone());
        if let Some(path) = voice {
            self.brand().narration = Some(Narration::of_file(Piece::known(path)?, duck));
        }
        if let Some(path) = words {
            self.brand().subtitles = Some(Subtitles { file: Some(Piece::known(path)?), transcript: None, style });
        }
        self.entry.check(MediaKind::Video).map_err(Error::invalid)
    }
}

/// What a file is.
pub(super) fn measure(path: &Path, desk: &Desk<'_>) -> Result<MediaFacts> {
    let doing = || format!("cannot read {}", path.display());
    let mut head = Vec::new();
    let file = std::fs::File::open(path).doing(doing)?;
    file.take(sniff::HEAD as u64).read_to_end(&mut head).doing(doing)?;
    media::measure(path, &head, desk.child, desk.spool, desk.stop)
}
