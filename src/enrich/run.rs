//! Does the jobs: fetches what is listened to and looked at, asks the crew, and gives what was found with its source.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{
    Enrich, again,
    means::Fulfilled,
    plan::{NAMED, Task, What, has_words, meant, wanted, words_recipe},
    question::{Found, Hear, HearAgain, Mean, Name, Question, See, Text},
    subtitles,
};
use crate::{
    catalog::{Facts, Knowledge, Learned, Then},
    digest::Digest,
    error::{Error, Result},
    meaning,
    model::{Finding, FindingKind, Findings, LooksOf, Master, MeaningOf, MediaFacts, Role, Source, Stage},
    profile::{Channels, LearnSpeech, SpeechTracks},
    store,
    work::{Amount, Attempt, Done, StageRun},
};

impl StageRun for Enrich<'_> {
    fn stage(&self) -> Stage {
        Stage::Enrich
    }

    fn run(&self, attempt: &Attempt<'_>) -> Result<Done> {
        let task: Task = attempt.task()?;
        let master = self
            .catalog
            .master_by_digest(&task.master)?
            .ok_or_else(|| Error::not_found(format!("master {} is not in the catalog any more", task.master)))?;
        let mut facts = match &task.what {
            What::Hear(recipe) => self.hear(attempt, &task, &master, recipe)?,
            What::Again { of, track, with, spec } => {
                self.hear_again(attempt, &task, &master, &Second { of, track: *track, with, spec })?
            }
            What::See { text, objects, looks } => self.see(attempt, &task, &master, [text, objects, looks])?,
            What::Name(recipe) => return Ok(self.name(attempt, &task, recipe)?.into()),
            What::Topics(recipe) => return Ok(self.topics(attempt, &task, recipe)?.into()),
            What::Mean(recipe) => return Ok(self.mean(attempt, &task, recipe)?.into()),
        };
        facts.then.extend(self.of_new_words(attempt, &task, &facts)?);
        Ok(facts.into())
    }
}

/// What is to be heard again: what a recipe heard in a track, by another recipe of these settings.
#[derive(Clone, Copy)]
struct Second<'a> {
    of: &'a Digest,
    track: u32,
    with: &'a Digest,
    spec: &'a LearnSpeech,
}

/// The words of an asset.
struct Words {
    /// By what something is found in just these.
    recipe: Digest,
    /// What was found by it before.
    known: Vec<Findings>,
    texts: Vec<Text>,
}

/// What is read in a master's place, or the master itself.
struct Input {
    path: PathBuf,
    facts: MediaFacts,
    _dir: tempfile::TempDir,
}

impl Enrich<'_> {
    fn hear(&self, attempt: &Attempt<'_>, task: &Task, master: &Master, recipe: &Digest) -> Result<Facts> {
        let means = &self.means.hearing_by(recipe, &attempt.stop).ok_or_else(changed)?;
        let tools = means.ears().ok_or_else(changed)?;
        let spec = &means.spec;
        let tracks = match spec.tracks {
            SpeechTracks::First => 1,
            SpeechTracks::All => master.facts.audio.len(),
        };
        // What was heard before, and other settings have taken the place of, counts again.
        let heard = self.catalog.findings_by(&task.master, recipe)?;
        let kinds = if spec.translate { 2 } else { 1 };
        if heard.len() == tracks * kinds {
            return self.said(task, master, heard);
        }
        // A proxy has one track, and its channels may be mixed.
        let is_simple =
            spec.channels == Channels::Mixed && (spec.tracks == SpeechTracks::First || master.facts.audio.len() == 1);
        let input = self.input(task, master, is_simple)?;
        let question = Question::Hear(self.wish(spec, &input));
        let began = Instant::now();
        let answered = self.ask(attempt, &tools, &question, &input.facts)?;
        let heard = answered.found.into_iter().map(|found| findings(task.master, means, found, began));
        self.said(task, master, heard.collect())
    }

    /// Hears again what is doubted of what was heard.
    fn hear_again(&self, attempt: &Attempt<'_>, task: &Task, master: &Master, second: &Second<'_>) -> Result<Facts> {
        let Second { of, track, with, spec } = *second;
        let means = self.means.second(spec, &attempt.stop).map_err(|e| again::gone().because(e))?;
        if means.recipe != *with {
            return Err(again::gone());
        }
        let its = |f: &Findings| f.kind == FindingKind::Speech && f.track == track;
        let before = self.catalog.findings_by(&task.master, &again::recipe(of, with))?;
        if let Some(heard) = before.into_iter().find(its) {
            return self.said(task, master, vec![heard]);
        }
        // What was taken back meanwhile is not heard again.
        let Some(first) = self.catalog.findings_by(&task.master, of)?.into_iter().find(its) else {
            return Ok(Facts::default());
        };
        let is_simple = spec.channels == Channels::Mixed && master.facts.audio.len() == 1;
        let input = self.input(task, master, is_simple || (spec.channels == Channels::Mixed && track == 1))?;
        let hear = self.wish(spec, &input);
        let question = Question::Again(HearAgain { hear, track, stretches: again::stretches(&first.items) });
        let tools = means.ears().ok_or_else(again::gone)?;
        let began = Instant::now();
        let answered = self.ask(attempt, &tools, &question, &input.facts)?;
        let heard: Vec<Finding> = answered.found.into_iter().flat_map(|found| found.items).collect();
        let mut improved = again::improved(&first, &heard, &means);
        improved.language = common_language(&improved.items);
        improved.source.took_ms = u64::try_from(began.elapsed().as_millis()).ok();
        self.said(task, master, vec![improved])
    }

    /// What is said, with its subtitles beside it.
    fn said(&self, task: &Task, master: &Master, heard: Vec<Findings>) -> Result<Facts> {
        let (mut facts, mut staged) = (Facts::default(), Vec::new());
        for said in heard {
            if let Some((deposit, rendition)) = subtitles::write(self.store, self.spool, master, &said)? {
                staged.push(deposit);
                facts.renditions.push(rendition);
            }
            facts.findings.push((task.asset, said));
        }
        crate::crash::point("enrich.before-commit");
        self.store.commit(staged)?;
        Ok(facts)
    }

    fn see(
        &self,
        attempt: &Attempt<'_>,
        task: &Task,
        master: &Master,
        [text, objects, looks]: [&Option<Digest>; 3],
    ) -> Result<Facts> {
        let of_text = text.as_ref().and_then(|recipe| self.means.reading_by(recipe, &attempt.stop));
        let of_text = of_text.as_ref();
        let of_objects = self.means.objects.as_ref().filter(|m| Some(m.recipe) == *objects);
        if text.is_some() != of_text.is_some() || objects.is_some() != of_objects.is_some() {
            return Err(changed());
        }
        let mut facts = Facts::default();
        let mut before = |recipe: Option<Digest>| -> Result<bool> {
            let Some(recipe) = recipe else { return Ok(false) };
            let known = self.catalog.findings_by(&task.master, &recipe)?;
            let is_known = !known.is_empty();
            facts.findings.extend(known.into_iter().map(|f| (task.asset, f)));
            Ok(is_known)
        };
        let of_text = if before(of_text.map(|m| m.recipe))? { None } else { of_text };
        let of_objects = if before(of_objects.map(|m| m.recipe))? { None } else { of_objects };
        if of_text.is_none() && of_objects.is_none() && looks.is_none() {
            return Ok(facts);
        }
        let input = self.input(task, master, true)?;
        let question = Question::See(See {
            input: input.path.clone(),
            facts: input.facts.clone(),
            text: of_text.map(|m| m.spec.clone()),
            objects: of_objects.map(|m| m.spec.clone()),
            looks: looks.is_some(),
        });
        let began = Instant::now();
        let answered = self.ask(attempt, &self.means.eyes(self.at_a_time), &question, &input.facts)?;
        for found in answered.found {
            let findings = match found.kind {
                FindingKind::Text => of_text.map(|m| findings(task.master, m, found, began)),
                FindingKind::Object => of_objects.map(|m| findings(task.master, m, found, began)),
                _ => None,
            };
            facts.findings.extend(findings.map(|f| (task.asset, f)));
        }
        if let (Some(recipe), Some(mut looks)) = (looks, answered.looks) {
            looks.has_credentials = super::credentials::has_credentials(self.store, &master.key, &master.facts.mime)?;
            facts.looks.push((task.asset, LooksOf { master: task.master, recipe: *recipe, looks }));
        }
        Ok(facts)
    }

    fn name(&self, attempt: &Attempt<'_>, task: &Task, recipe: &Digest) -> Result<Facts> {
        let means = self.means.names.as_ref().filter(|m| m.recipe == *recipe).ok_or_else(changed)?;
        let tools = self.means.namer().ok_or_else(changed)?;
        let Words { recipe, known, texts } = self.words(task, means.recipe)?;
        if known.len() == NAMED.len() {
            return Ok(Facts { findings: known.into_iter().map(|f| (task.asset, f)).collect(), ..Facts::default() });
        }
        let began = Instant::now();
        let question = Question::Name(Name { texts, keywords: means.spec.keywords });
        let answered = self.crew.ask(&tools, &question, 0, &attempt.stop, &mut |_| ())?;
        let mut facts = Facts::default();
        for kind in NAMED {
            let items = answered.found.iter().filter(|f| f.kind == kind).flat_map(|f| f.items.clone()).collect();
            let found = findings(task.master, means, Found { kind, track: 0, items }, began);
            facts.findings.push((task.asset, Findings { recipe, ..found }));
        }
        Ok(facts)
    }

    /// What it is about, by a list: that takes no model, and no child.
    fn topics(&self, attempt: &Attempt<'_>, task: &Task, recipe: &Digest) -> Result<Facts> {
        let means = self.means.topics.as_ref().filter(|m| m.recipe == *recipe).ok_or_else(changed)?;
        let list = self.means.list.as_ref().ok_or_else(changed)?;
        let Words { recipe, mut known, texts } = self.words(task, means.recipe)?;
        if known.is_empty() {
            let began = Instant::now();
            let items = list.told(texts.iter().map(|t| (t.text.as_str(), t.language.as_deref())), &attempt.stop)?;
            let found = findings(task.master, means, Found { kind: FindingKind::Topic, track: 0, items }, began);
            known.push(Findings { recipe, ..found });
        }
        Ok(Facts { findings: known.into_iter().map(|f| (task.asset, f)).collect(), ..Facts::default() })
    }

    /// The words of an asset, and what is known of them by a recipe. What is to be doubted is none of them.
    fn words(&self, task: &Task, recipe: Digest) -> Result<Words> {
        let known = self.catalog.knowledge_of(&[task.master], &[])?.remove(&task.master).unwrap_or_default();
        let described = self.catalog.described(task.asset)?;
        let recipe = words_recipe(recipe, &known, described.revision);
        let known = self.catalog.findings_by(&task.master, &recipe)?;
        let mut texts = Vec::new();
        if described.revision > 0 {
            let title = self.catalog.asset(task.asset)?.asset.title;
            let said = &described.description;
            let written = [Some(title), said.text.clone()].into_iter().flatten();
            texts.extend(written.map(|text| Text { text, language: None, span_ms: None }));
        }
        for set in self.catalog.findings_of(&[task.master])? {
            if matches!(set.kind, FindingKind::Speech | FindingKind::Text) {
                let trusted = set.items.into_iter().filter(|f| f.doubts.is_empty());
                texts.extend(trusted.map(|f| Text {
                    span_ms: Some((f.from_ms, f.to_ms)),
                    language: f.language.or(set.language.clone()),
                    text: f.text,
                }));
            }
        }
        Ok(Words { recipe, known, texts })
    }

    /// Names and topics are looked for again once there are other words, and what these mean.
    fn of_new_words(&self, attempt: &Attempt<'_>, task: &Task, facts: &Facts) -> Result<Vec<Then>> {
        let mut all = Vec::new();
        if self.means.of_words().next().is_none() && self.means.meaning.is_none() {
            return Ok(all);
        }
        let mut known: Knowledge =
            self.catalog.knowledge_of(&[task.master], &[])?.remove(&task.master).unwrap_or_default();
        for (_, found) in &facts.findings {
            let is_same = |l: &Learned| l.kind == found.kind && l.track == found.track;
            known.learned.retain(|l| !is_same(l) || l.by_hand);
            if !known.learned.iter().any(|l| is_same(l) && l.active) {
                let (kind, track, recipe) = (found.kind, found.track, found.recipe);
                let is_empty = found.items.is_empty();
                known.learned.push(Learned {
                    kind,
                    track,
                    recipe,
                    first: None,
                    by: None,
                    by_hand: false,
                    active: true,
                    is_empty,
                });
            }
        }
        let said = self.catalog.described(task.asset)?;
        let title = attempt.job.subject.rsplit_once(", ").map_or(attempt.job.subject.as_str(), |(title, _)| title);
        let mut follow = |what: What, about: &str, identity: Vec<String>| {
            let next = Task { what, proxies: Vec::new(), ..task.clone() };
            let wanted = wanted(&next, format!("{title}, {about}"), identity, "");
            all.push(Then { once: Vec::new(), wanted });
        };
        for wish in self.means.of_words().filter(|_| has_words(&known, said.revision)) {
            let recipe = words_recipe(wish.recipe, &known, said.revision);
            follow(wish.task, wish.subject, vec![recipe.to_string()]);
        }
        if let Some(meaning) = &self.means.meaning {
            let row = self.catalog.asset(task.asset)?;
            let is_main = row.masters.iter().any(|m| m.role == Role::Main && m.digest == task.master);
            let words = meant(&known, &row.asset.title, &said).filter(|_| is_main);
            if let Some(words) = words.filter(|words| known.meaning != Some((meaning.recipe, *words))) {
                let identity = vec![meaning.recipe.to_string(), words.to_string()];
                follow(What::Mean(meaning.recipe), "what it means", identity);
            }
        }
        Ok(all)
    }

    /// Tells what the passages of an asset mean.
    fn mean(&self, attempt: &Attempt<'_>, task: &Task, recipe: &Digest) -> Result<Facts> {
        let means = self.means.meaning.as_ref().filter(|m| m.recipe == *recipe).ok_or_else(changed)?;
        let tools = self.means.reader(self.at_a_time).ok_or_else(changed)?;
        // Before the words themselves: what comes in between makes a plan of its own.
        let known = self.catalog.knowledge_of(&[task.master], &[])?.remove(&task.master).unwrap_or_default();
        let said = self.catalog.described(task.asset)?;
        let title = self.catalog.asset(task.asset)?.asset.title;
        let Some(words) = meant(&known, &title, &said).filter(|w| known.meaning != Some((means.recipe, *w))) else {
            return Ok(Facts::default());
        };
        let found = self.catalog.findings_of(&[task.master])?;
        let texts = meaning::passages(&title, &said.description, &found).into_iter().map(|p| p.text).collect();
        let question = Question::Mean(Mean { texts, role: meaning::Role::Passage });
        let mut progress = |done| attempt.tick(Amount::Share(done));
        let vectors = self.crew.ask(&tools, &question, 0, &attempt.stop, &mut progress)?.vectors;
        let of = MeaningOf { master: task.master, recipe: means.recipe, words, vectors };
        Ok(Facts { meanings: vec![(task.asset, of)], ..Facts::default() })
    }

    fn ask(
        &self,
        attempt: &Attempt<'_>,
        tools: &super::question::Tools,
        question: &Question,
        facts: &MediaFacts,
    ) -> Result<super::crew::Answered> {
        let length = facts.duration_ms.unwrap_or(0);
        let mut progress = |done| attempt.tick(Amount::Share(done));
        self.crew.ask(tools, question, length, &attempt.stop, &mut progress)
    }

    /// What is asked of who listens to an input.
    fn wish(&self, spec: &LearnSpeech, input: &Input) -> Hear {
        Hear {
            input: input.path.clone(),
            facts: input.facts.clone(),
            languages: spec.languages.clone(),
            tracks: spec.tracks,
            channels: spec.channels,
            words: spec.words,
            translate: spec.translate,
            at_a_time: self.at_a_time,
        }
    }

    /// The smallest file that will do, as a file.
    fn input(&self, task: &Task, master: &Master, may_be_proxy: bool) -> Result<Input> {
        let dir = self.spool.dir("enrich")?;
        for (entry, recipe) in task.proxies.iter().filter(|_| may_be_proxy) {
            let Some(rendition) = self.catalog.rendition(&task.master, entry, recipe)? else { continue };
            // Its times are to be the master's.
            let length = |facts: &MediaFacts| facts.duration_ms.unwrap_or(0);
            let is_whole = length(&rendition.facts).abs_diff(length(&master.facts)) < 500;
            let has_all = rendition.facts.audio.is_empty() == master.facts.audio.is_empty();
            if is_whole && has_all {
                let path = store::fetch(self.store, &rendition.main_key()?, dir.path().join("proxy"))?;
                return Ok(Input { path, facts: rendition.facts, _dir: dir });
            }
        }
        let path = store::fetch(self.store, &master.key, dir.path().join("master"))?;
        Ok(Input { path, facts: master.facts.clone(), _dir: dir })
    }
}

/// How long a job is left to others after this worker could not do it.
pub(super) const LEFT_TO_OTHERS: Duration = Duration::from_secs(300);

fn changed() -> Error {
    // Another machine may have them: the job is given back, and what this one can do comes first.
    Error::paused("this was planned with other models or settings than there are on this machine")
        .hint("'damctl models list' and 'damctl doctor' tell what is here; 'damctl enrich' plans with that")
        .after(LEFT_TO_OTHERS)
}

fn findings<T>(master: Digest, means: &Fulfilled<T>, found: Found, began: Instant) -> Findings {
    let Found { kind, track, items } = found;
    let took_ms = u64::try_from(began.elapsed().as_millis()).ok();
    Findings {
        master,
        kind,
        track,
        recipe: means.recipe,
        language: common_language(&items),
        source: Source { took_ms, ..means.source.clone() },
        items,
    }
}

/// The language of most of the time, where one is told.
fn common_language(items: &[Finding]) -> Option<String> {
    let mut times: std::collections::BTreeMap<&str, u64> = std::collections::BTreeMap::new();
    for f in items {
        if let Some(language) = &f.language {
            *times.entry(language).or_default() += f.to_ms.saturating_sub(f.from_ms).max(1);
        }
    }
    times.into_iter().max_by_key(|(_, ms)| *ms).map(|(language, _)| language.to_owned())
}
