//! With what is learned on this machine: the models of a profile's wishes, and the recipes that they make.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use super::{
    fits::understands,
    question::{Detects, Tools},
};
use crate::{
    digest::Digest,
    error::{Error, Kind, Result},
    meaning,
    model::{FindingKind, Source},
    models::{Model, Shelf, Use},
    names::Topics,
    profile::{Fallback, LearnMeaning, LearnNames, LearnObjects, LearnSpeech, LearnText, LearnTopics, Learning},
    stop::Stop,
    vision::tesseract,
};

/// How texts and hashes are made by us: a change of them is a change of recipes.
const HEARING: &str = "speech/3";
const READING: &str = "text/1";
const SEEING: &str = "objects/1";
const NAMING: &str = "names/1";
const SORTING: &str = "topics/2";
const LOOKING: &str = "looks/2";
/// The model that ONNX models run in.
const RUNTIME: &str = "onnxruntime";
/// No model: the program of that name.
pub(super) const TESSERACT: &str = "tesseract";

/// A wish and what fulfils it.
#[derive(Clone, Debug)]
pub(super) struct Fulfilled<T> {
    pub(super) spec: T,
    /// Digest of models and settings.
    pub(super) recipe: Digest,
    /// Who finds it.
    pub(super) source: Source,
    /// The models' folders or files.
    pub(super) models: Vec<PathBuf>,
    /// The model of the profile in whose place it stands on this machine.
    pub(super) instead_of: Option<String>,
}

/// What can be learned here.
#[derive(Clone, Debug, Default)]
pub struct Means {
    pub(super) speech: Option<Fulfilled<LearnSpeech>>,
    pub(super) text: Option<Fulfilled<LearnText>>,
    pub(super) objects: Option<Fulfilled<LearnObjects>>,
    pub(super) names: Option<Fulfilled<LearnNames>>,
    pub(super) topics: Option<Fulfilled<LearnTopics>>,
    /// The list of topics.
    pub(super) list: Option<Arc<Topics>>,
    pub(super) looks: Option<Digest>,
    pub(super) meaning: Option<Fulfilled<LearnMeaning>>,
    runtime: Option<PathBuf>,
    shelf: Option<Shelf>,
    how: How,
    /// What is wanted, whatever of it this machine plans with.
    wanted: Learning,
    /// Models that jobs name and this machine does not plan with: they are read to their ends once.
    others: Arc<Mutex<BTreeMap<String, Fulfilled<LearnSpeech>>>>,
    /// Tesseract, for jobs that name it where this machine has a model.
    print: Arc<OnceLock<Option<Fulfilled<LearnText>>>>,
}

/// How sure of its models somebody has to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Care {
    /// They are there.
    #[default]
    Here,
    /// They are what they were when they came, and models as far as their outline tells.
    All,
}

/// How means are looked for, and for which machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct How {
    /// How sure of its models somebody has to be.
    pub care: Care,
    /// Whether whoever will do the work has a graphics processor. It chooses among the profile's models of speech.
    pub has_gpu: bool,
}

/// What is wanted and cannot be learned here, or not as it is wanted.
#[derive(Debug)]
pub struct Lacking {
    /// What: `speech`, `text`, …
    pub what: &'static str,
    /// Why, and what helps.
    pub why: Error,
    /// What takes its place here.
    pub instead: Option<String>,
}

impl Means {
    /// Finds the models of what is wanted. What lacks one is given with the reason, and the rest goes on.
    ///
    /// With [`Care::All`] models are read to their ends first: what a damaged one finds, or finds not, would count as known.
    pub fn find(wanted: &Learning, shelf: &Shelf, how: How, stop: &Stop) -> Result<(Self, Vec<Lacking>)> {
        let mut means = Self { shelf: Some(shelf.clone()), how, wanted: wanted.clone(), ..Self::default() };
        let mut lacking = Vec::new();
        let mut take = |what: &'static str, found: Result<()>| match found {
            Ok(()) => Ok(()),
            Err(why) if matches!(why.kind(), Kind::NotFound | Kind::Corrupt | Kind::Unsupported | Kind::Invalid) => {
                lacking.push(Lacking { what, why, instead: None });
                Ok(())
            }
            Err(e) => Err(e),
        };
        let named = |name: &str, purpose: Use| named(shelf, name, purpose, how.care, stop);
        if let Some(spec) = &wanted.speech {
            take(
                "speech",
                || -> Result<()> {
                    let own = spec.on(how.has_gpu);
                    understands(&own, &shelf.known()?)?;
                    let found = hearing(shelf, &own, how.care, stop)?;
                    let instead_of = (found.spec.model != spec.model).then(|| spec.model.clone());
                    means.speech = Some(Fulfilled { instead_of, ..found });
                    Ok(())
                }(),
            )?;
        }
        let mut runtime = None;
        let mut missing = None;
        if let Some(spec) = &wanted.text {
            let mut by_model = || -> Result<Fulfilled<LearnText>> {
                built("text", cfg!(feature = "onnx"), "onnx")?;
                let (model, library) = (named(&spec.model, Use::Text)?, named(RUNTIME, Use::Runtime)?);
                runtime = Some(library.file());
                Fulfilled::new(READING, spec.clone(), &[&model], vec![model.dir.clone()])
            };
            let found = match spec.model.as_str() {
                TESSERACT => in_print(spec, stop),
                // One that is damaged is an error: it was wanted, and it is here.
                _ => by_model().or_else(|why| match (why.kind(), spec.fallback) {
                    (Kind::NotFound | Kind::Unsupported, Fallback::Tesseract) => match in_print(spec, stop) {
                        Ok(found) => {
                            let version = found.source.version.as_deref().unwrap_or_default();
                            missing = Some((why, format!("Tesseract {version}")));
                            Ok(Fulfilled { instead_of: Some(spec.model.clone()), ..found })
                        }
                        Err(_) => Err(why),
                    },
                    _ => Err(why),
                }),
            };
            take("text", found.map(|found| means.text = Some(found)))?;
        }
        if let Some(spec) = &wanted.objects {
            take(
                "objects",
                || -> Result<()> {
                    built("objects", cfg!(feature = "onnx"), "onnx")?;
                    let (model, library) = (named(&spec.model, Use::Objects)?, named(RUNTIME, Use::Runtime)?);
                    runtime = Some(library.file());
                    means.objects = Some(Fulfilled::new(SEEING, spec.clone(), &[&model], vec![model.file()])?);
                    Ok(())
                }(),
            )?;
        }
        if let Some(spec) = &wanted.names {
            take(
                "names",
                || -> Result<()> {
                    built("names", cfg!(feature = "names"), "names")?;
                    let models = spec.models.iter().map(|name| named(name, Use::Names)).collect::<Result<Vec<_>>>()?;
                    let dirs = models.iter().map(|m| m.dir.clone()).collect();
                    means.names = Some(Fulfilled::new(NAMING, spec.clone(), &models.iter().collect::<Vec<_>>(), dirs)?);
                    Ok(())
                }(),
            )?;
        }
        if let Some(spec) = &wanted.topics {
            let list = Topics::new(spec)?;
            let mut found = Fulfilled::new(SORTING, spec.clone(), &[], Vec::new())?;
            let version = list.digest().to_string();
            found.recipe = Digest::of_fields(&[found.recipe.to_string(), version.clone()]);
            found.source = Source { name: "topics".to_owned(), version: Some(version), ..found.source };
            (means.topics, means.list) = (Some(found), Some(Arc::new(list)));
        }
        if let Some(spec) = &wanted.meaning {
            take(
                "meaning",
                || -> Result<()> {
                    built("meaning", cfg!(feature = "onnx"), "onnx")?;
                    let (model, library) = (named(&spec.model, Use::Meaning)?, named(RUNTIME, Use::Runtime)?);
                    runtime = Some(library.file());
                    means.meaning =
                        Some(Fulfilled::new(meaning::VERSION, spec.clone(), &[&model], vec![model.dir.clone()])?);
                    Ok(())
                }(),
            )?;
        }
        if let Some((why, instead)) = missing {
            lacking.push(Lacking { what: "text", why, instead: Some(instead) });
        }
        means.looks = wanted.looks.as_ref().map(|_| Digest::of_fields(&[LOOKING]));
        means.runtime = runtime;
        Ok((means, lacking))
    }

    /// What can be learned here and with what, in words.
    pub fn told(&self) -> Vec<(&'static str, String)> {
        let seen = |called: String| format!("{called}, {}", crate::vision::RUNS_ON);
        let all = [
            ("speech", self.speech.as_ref().map(|m| format!("{}, {}", m.called(), crate::speech::runs_on()))),
            // Tesseract, which has no model, runs on processors whatever there is.
            ("text", self.text.as_ref().map(|m| if m.models.is_empty() { m.called() } else { seen(m.called()) })),
            ("objects", self.objects.as_ref().map(|m| seen(m.called()))),
            ("names", self.names.as_ref().map(Fulfilled::called)),
            ("topics", self.list.as_ref().map(|list| format!("a list of {}, needs no model", list.len()))),
            ("meaning", self.meaning.as_ref().map(|m| seen(m.called()))),
            ("looks", self.looks.map(|_| "needs no model".to_owned())),
        ];
        all.into_iter().filter_map(|(what, found)| Some((what, found?))).collect()
    }

    /// What hears by this recipe, if it is here: what this machine plans with, or the other of the profile's models. Whoever
    /// planned has decided which of them.
    pub(super) fn hearing_by(&self, recipe: &Digest, stop: &Stop) -> Option<Fulfilled<LearnSpeech>> {
        let is_it = |means: &Fulfilled<LearnSpeech>| means.recipe == *recipe;
        if let Some(own) = self.speech.as_ref().filter(|own| is_it(own)) {
            return Some(own.clone());
        }
        let wanted = self.wanted.speech.as_ref().filter(|wanted| wanted.without_gpu.is_some())?;
        self.second(&wanted.on(!self.how.has_gpu), stop).ok().filter(is_it)
    }

    /// What reads by this recipe, in the same way.
    pub(super) fn reading_by(&self, recipe: &Digest, stop: &Stop) -> Option<Fulfilled<LearnText>> {
        let is_it = |means: &&Fulfilled<LearnText>| means.recipe == *recipe;
        let other = || {
            let wanted = self.wanted.text.as_ref().filter(|wanted| wanted.fallback == Fallback::Tesseract)?;
            self.print.get_or_init(|| in_print(wanted, stop).ok()).as_ref()
        };
        self.text.as_ref().filter(is_it).or_else(|| other().filter(is_it)).cloned()
    }

    /// Kinds of findings that this machine finds with what stands in another model's place.
    pub(super) fn stand_ins(&self) -> Vec<FindingKind> {
        let speech = self.speech.as_ref().and_then(|m| m.instead_of.as_ref()).map(|_| FindingKind::Speech);
        let text = self.text.as_ref().and_then(|m| m.instead_of.as_ref()).map(|_| FindingKind::Text);
        speech.into_iter().chain(text).collect()
    }

    /// With what something is heard again: any model of speech that is here.
    pub(super) fn second(&self, spec: &LearnSpeech, stop: &Stop) -> Result<Fulfilled<LearnSpeech>> {
        let shelf = self.shelf.as_ref().ok_or_else(|| Error::internal("nobody said where models are"))?;
        let key = serde_json::to_string(spec).unwrap_or_default();
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = others.get(&key) {
            return Ok(known.clone());
        }
        // Who has read these to their ends need not do it for each setting.
        let is_new = !others.values().any(|o| o.spec.model == spec.model && o.spec.voice == spec.voice);
        let care = if is_new { self.how.care } else { Care::Here };
        let second = hearing(shelf, spec, care, stop)?;
        others.insert(key, second.clone());
        Ok(second)
    }

    /// What sees: always with all models that are here, so that one child serves all.
    pub(super) fn eyes(&self, threads: usize) -> Tools {
        let objects = self.objects.as_ref().and_then(|o| {
            let threshold = (o.spec.threshold * 1000.0).round() as u32;
            Some(Detects { model: o.models.first()?.clone(), threshold, labels: o.spec.labels.clone() })
        });
        let text = self.text.as_ref().and_then(|t| t.models.first().cloned());
        Tools::Eyes { runtime: self.runtime.clone(), text, objects, threads }
    }

    /// What tells what texts mean.
    pub(super) fn reader(&self, threads: usize) -> Option<Tools> {
        let model = self.meaning.as_ref()?.models.first()?.clone();
        Some(Tools::Meaning { runtime: self.runtime.clone()?, model, threads })
    }

    /// What looks for names.
    pub(super) fn namer(&self) -> Option<Tools> {
        Some(Tools::Names { models: self.names.as_ref()?.models.clone() })
    }
}

impl Fulfilled<LearnSpeech> {
    /// What hears.
    pub(super) fn ears(&self) -> Option<Tools> {
        let [model, voice] = self.models.as_slice() else { return None };
        Some(Tools::Ears { model: model.clone(), voice: voice.clone() })
    }
}

impl<T: serde::Serialize + Clone> Fulfilled<T> {
    fn new(version: &str, spec: T, models: &[&Model], paths: Vec<PathBuf>) -> Result<Self> {
        let unwritten = |e| Error::internal("cannot write what is wanted").because(e);
        let mut parameters = serde_json::to_value(&spec).map_err(unwritten)?;
        // Models and lists are told by what they are, not by what they are called here, nor by what else would have done.
        if let Some(map) = parameters.as_object_mut() {
            ["model", "voice", "models", "fallback", "own"].into_iter().for_each(|key| drop(map.remove(key)));
        }
        let digests: Vec<String> = models.iter().map(|m| m.digest().to_string()).collect();
        let fields = [vec![version.to_owned(), parameters.to_string()], digests.clone()].concat();
        let names: Vec<&str> = models.iter().map(|m| m.name.as_str()).collect();
        let source = Source {
            name: names.join(" + "),
            version: digests.first().cloned(),
            by_hand: false,
            parameters: Some(parameters),
            took_ms: None,
            again: None,
        };
        Ok(Self { spec, recipe: Digest::of_fields(&fields), source, models: paths, instead_of: None })
    }
}

impl<T> Fulfilled<T> {
    /// Who finds it, and in whose place.
    fn called(&self) -> String {
        match (&self.instead_of, self.source.name.as_str()) {
            (Some(other), name) => format!("{name} in the place of {other}"),
            (None, name) => name.to_owned(),
        }
    }
}

/// What hears as is wanted.
fn hearing(shelf: &Shelf, spec: &LearnSpeech, care: Care, stop: &Stop) -> Result<Fulfilled<LearnSpeech>> {
    built("speech", cfg!(all(feature = "whisper", feature = "gst")), "whisper")?;
    let model = named(shelf, &spec.model, Use::Speech, care, stop)?;
    let voice = named(shelf, &spec.voice, Use::Voice, care, stop)?;
    let models = vec![model.file(), voice.file()];
    Fulfilled::new(HEARING, spec.clone(), &[&model, &voice], models)
}

/// What reads print as is wanted, without a model.
fn in_print(spec: &LearnText, stop: &Stop) -> Result<Fulfilled<LearnText>> {
    let reader = tesseract::Reader::find(None, &spec.languages, stop)?;
    let (version, data) = (reader.version().to_owned(), reader.data().map(|data| data.to_string()));
    let spec = LearnText { model: TESSERACT.to_owned(), ..spec.clone() };
    let mut found = Fulfilled::new(READING, spec, &[], Vec::new())?;
    found.recipe = Digest::of_fields(&[found.recipe.to_string(), version.clone(), data.unwrap_or_default()]);
    found.source = Source { name: TESSERACT.to_owned(), version: Some(version), ..found.source };
    Ok(found)
}

fn named(shelf: &Shelf, name: &str, purpose: Use, care: Care, stop: &Stop) -> Result<Model> {
    let model = shelf.get(name)?;
    model.purpose.must_be(purpose, name)?;
    if care == Care::All {
        model.verify(stop)?;
        model.check()?;
    }
    Ok(model)
}

fn built(what: &str, is: bool, feature: &str) -> Result<()> {
    match is {
        true => Ok(()),
        false => Err(Error::unsupported(format!("this program was built without what finds {what}"))
            .hint(format!("build it with the feature '{feature}'"))),
    }
}

/// What can be looked for alone: a key of the section `enrich`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learned {
    /// What is said, and that in English.
    Speech,
    /// What can be read.
    Text,
    /// What is to be seen.
    Objects,
    /// Who and what is named in the words that are there, and keywords.
    Names,
    /// What these words are about.
    Topics,
    /// What they mean.
    Meaning,
    /// How pictures look.
    Looks,
}

impl std::str::FromStr for Learned {
    type Err = Error;

    /// A key of the section, or a kind of findings, which stands for the key that finds it.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "objects" => return Ok(Self::Objects),
            "names" => return Ok(Self::Names),
            "topics" => return Ok(Self::Topics),
            "meaning" => return Ok(Self::Meaning),
            "looks" => return Ok(Self::Looks),
            _ => {}
        }
        let kind: FindingKind = text.parse().map_err(|_| {
            let keys = "speech, text, objects, names, topics, meaning, looks";
            let kinds = FindingKind::ALL.map(FindingKind::as_str).join(", ");
            Error::invalid(format!("'{text}' cannot be looked for: expected one of {keys}, or of {kinds}"))
        })?;
        Ok(match kind {
            FindingKind::Speech | FindingKind::Translation => Self::Speech,
            FindingKind::Text => Self::Text,
            FindingKind::Object => Self::Objects,
            FindingKind::Person | FindingKind::Place | FindingKind::Organization | FindingKind::Keyword => Self::Names,
            FindingKind::Topic => Self::Topics,
        })
    }
}

/// Drops all wishes but these; none given: all stay.
pub fn narrowed(wanted: &Learning, only: &[Learned]) -> Learning {
    let has = |learned: Learned| only.is_empty() || only.contains(&learned);
    let Learning { speech, text, objects, names, topics, looks, meaning } = wanted.clone();
    Learning {
        speech: speech.filter(|_| has(Learned::Speech)),
        text: text.filter(|_| has(Learned::Text)),
        objects: objects.filter(|_| has(Learned::Objects)),
        names: names.filter(|_| has(Learned::Names)),
        topics: topics.filter(|_| has(Learned::Topics)),
        looks: looks.filter(|_| has(Learned::Looks)),
        meaning: meaning.filter(|_| has(Learned::Meaning)),
    }
}
