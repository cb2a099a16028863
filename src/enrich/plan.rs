//! Wanted minus known, as data.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::means::Means;
use crate::{
    catalog::{AssetRow, Catalog, Described, Knowledge, Learned, Wanted},
    digest::Digest,
    error::Result,
    meaning,
    model::{AssetId, Description, FindingKind, Master, MediaKind, Role, Stage},
    profile::{LearnSpeech, Profile, SpeechTracks},
};

/// Kinds of findings that names are.
pub(super) const NAMED: [FindingKind; 4] =
    [FindingKind::Person, FindingKind::Place, FindingKind::Organization, FindingKind::Keyword];

/// Something that is to be learned of a master.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Its asset.
    pub asset: AssetId,
    /// What to call it.
    pub title: String,
    /// What: `speech`, `text`, …
    pub what: Vec<&'static str>,
    /// The job.
    pub wanted: Wanted,
}

/// What there is to do.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// What is not known yet.
    pub wishes: Vec<Wish>,
    /// How many sets of findings are known.
    pub present: usize,
    /// Assets of which something is to be learned, of masters that are to be restored first.
    pub archived: Vec<AssetId>,
    /// What is planned and drained together.
    pub scope: String,
}

/// A rendition that is looked at and listened to in its master's place, if it is there: (entry, recipe).
type Proxy = (String, Digest);

/// The instructions of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) asset: AssetId,
    pub(super) master: Digest,
    pub(super) what: What,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) proxies: Vec<Proxy>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    /// What is said, by this recipe.
    Hear(Digest),
    /// What is doubted of what a recipe heard in a track, by another model.
    Again { of: Digest, track: u32, with: Digest, spec: LearnSpeech },
    /// What is to be seen, by these.
    See { text: Option<Digest>, objects: Option<Digest>, looks: Option<Digest> },
    /// Names, by this, of whatever words there are then.
    Name(Digest),
    /// Topics, in the same way.
    Topics(Digest),
    /// What it means, by this, of whatever words there are then.
    Mean(Digest),
}

/// Subtracts what is known from what can be learned, for all assets or just `only`. What has a problem that was found when it was
/// ingested is left alone.
pub fn plan(catalog: &Catalog, profile: &Profile, means: &Means, only: &[AssetId]) -> Result<Plan> {
    let mut plan = Plan { scope: scope(means, only), ..Plan::default() };
    let proxies = proxies(profile);
    let (has_archived, stand_ins) = (catalog.has_archived()?, means.stand_ins());
    let mut look = |page: &[AssetRow]| -> Result<()> {
        let shown = page.iter().flat_map(|row| row.masters.iter().filter(|m| m.role.is_shown()).map(|m| m.digest));
        let shown: Vec<Digest> = shown.collect();
        let archived = if has_archived { catalog.archived_among(&shown)? } else { HashMap::new() };
        let known = catalog.knowledge_of(&shown, &stand_ins)?;
        let reads_words = means.names.is_some() || means.topics.is_some() || means.meaning.is_some();
        for row in page {
            let said = match reads_words {
                true => catalog.described(row.asset.id)?,
                false => Described { revision: 0, description: Description::default() },
            };
            for master in row.masters.iter().filter(|m| m.role.is_shown() && m.facts.problem.is_none()) {
                let none = Knowledge::default();
                let known = known.get(&master.digest).unwrap_or(&none);
                let is_archived = archived.get(&master.digest).is_some_and(|a| !a.is_readable());
                let mut is_away = is_archived;
                if is_away && row.asset.kind != MediaKind::Image {
                    // What is looked at and listened to is a rendition, where there is one.
                    let of_kind = proxies.get(&row.asset.kind).into_iter().flatten();
                    let there = of_kind.map(|(entry, recipe)| catalog.rendition(&master.digest, entry, recipe));
                    is_away = there.collect::<Result<Vec<_>>>()?.iter().all(Option::is_none);
                }
                subtract(&mut plan, means, &proxies, &Case { row, master, known, said: &said, is_archived, is_away });
            }
        }
        Ok(())
    };
    // What waits to take a place is known by then.
    for waits in catalog.pending(None)?.iter().filter(|p| only.is_empty() || only.contains(&p.asset)) {
        if let Some(row) = catalog.generation(waits.asset, waits.generation)? {
            let main = row.masters.into_iter().filter(|m| m.digest == waits.master).collect();
            look(&[AssetRow { masters: main, ..row }])?;
        }
    }
    if only.is_empty() {
        const PAGE: i64 = 500;
        let mut after = None;
        loop {
            let page = catalog.assets_page(after, PAGE, None)?;
            let Some(last) = page.last() else { break };
            after = Some(last.asset.id);
            look(&page)?;
        }
    } else {
        only.iter().try_for_each(|id| look(&[catalog.asset(*id)?]))?;
    }
    Ok(plan)
}

struct Case<'a> {
    row: &'a AssetRow,
    master: &'a Master,
    known: &'a Knowledge,
    said: &'a Described,
    /// Whether it cannot be read itself.
    is_archived: bool,
    /// Whether there is nothing of it that can be read.
    is_away: bool,
}

fn subtract(plan: &mut Plan, means: &Means, proxies: &HashMap<MediaKind, Vec<Proxy>>, case: &Case<'_>) {
    let Case { row, master, known, said, is_archived, is_away } = case;
    let facts = &master.facts;
    let proxies = proxies.get(&row.asset.kind).cloned().unwrap_or_default();
    let is_known = |kind: FindingKind, track: u32, recipe: &Digest| {
        let same = |l: &&Learned| l.kind == kind && l.track == track;
        // No model overwrites a person; and what is known and does not count is made to count again.
        known
            .learned
            .iter()
            .filter(same)
            .any(|l| l.active && (l.recipe == *recipe || l.first == Some(*recipe) || l.by_hand))
    };
    // What stands in a model's place here takes nothing away that the model itself has found elsewhere.
    let stays = |kind: FindingKind, track: u32, instead_of: &Option<String>| {
        let its = |l: &&Learned| l.active && l.kind == kind && l.track == track;
        instead_of.as_ref().is_some_and(|model| known.learned.iter().filter(its).any(|l| l.is_by(model)))
    };
    let mut add = |what: Vec<&'static str>, kinds: &str, task: What, identity: Vec<String>| {
        // What a file says of itself stands in no rendition.
        let wants_master = matches!(task, What::See { looks: Some(_), .. });
        let is_of_words = matches!(task, What::Name(_) | What::Topics(_) | What::Mean(_));
        if (*is_away || (*is_archived && wants_master)) && !is_of_words {
            plan.archived.push(row.asset.id);
            return;
        }
        let title = if master.role == Role::Main { row.asset.title.clone() } else { master.name.clone() };
        let task = Task { asset: row.asset.id, master: master.digest, what: task, proxies: proxies.clone() };
        let subject = format!("{title} ({}), {kinds}", row.asset.id);
        let wanted = wanted(&task, subject, identity, &plan.scope);
        plan.wishes.push(Wish { asset: row.asset.id, title, what, wanted });
    };
    if let Some(speech) = means.speech.as_ref().filter(|_| !facts.audio.is_empty()) {
        let tracks = match speech.spec.tracks {
            SpeechTracks::First => 1,
            SpeechTracks::All => facts.audio.len() as u32,
        };
        let is_heard = |track| {
            let kind = FindingKind::Speech;
            is_known(kind, track, &speech.recipe) || stays(kind, track, &speech.instead_of)
        };
        match (1..=tracks).all(is_heard) {
            true => plan.present += 1,
            false => add(vec!["speech"], "what is said", What::Hear(speech.recipe), vec![speech.recipe.to_string()]),
        }
    }
    if has_pictures(row.asset.kind, master) {
        let text = means.text.as_ref().map(|m| m.recipe);
        let objects = means.objects.as_ref().map(|m| m.recipe);
        let looks = means.looks;
        let lacks = |kind, recipe: Option<Digest>| recipe.filter(|r| !is_known(kind, 0, r));
        let is_read = means.text.as_ref().is_some_and(|m| stays(FindingKind::Text, 0, &m.instead_of));
        let missing = What::See {
            text: lacks(FindingKind::Text, text).filter(|_| !is_read),
            objects: lacks(FindingKind::Object, objects),
            looks: looks.filter(|r| known.looks != Some(*r)),
        };
        let wanted = [("text", text), ("objects", objects), ("looks", looks)];
        if let What::See { text: t, objects: o, looks: l } = &missing {
            let is_missing = [t.is_some(), o.is_some(), l.is_some()];
            let names = wanted.iter().zip(is_missing).filter(|(_, is)| *is).map(|((name, _), _)| *name);
            let names: Vec<&'static str> = names.collect();
            plan.present += wanted.iter().filter(|(_, r)| r.is_some()).count() - names.len();
            if !names.is_empty() {
                // Of all that is wanted, so that what failed for good is not tried again until somebody asks for it.
                let identity = wanted.iter().map(|(name, r)| format!("{name}={r:?}")).collect();
                add(names, "what is to be seen", missing, identity);
            }
        }
    }
    for wish in means.of_words().filter(|_| has_words(known, said.revision)) {
        let recipe = words_recipe(wish.recipe, known, said.revision);
        match wish.kinds.iter().all(|kind| is_known(*kind, 0, &recipe)) {
            true => plan.present += 1,
            false => add(vec![wish.what], wish.subject, wish.task, vec![recipe.to_string()]),
        }
    }
    if let Some(meaning) = means.meaning.as_ref().filter(|_| master.role == Role::Main)
        && let Some(words) = meant(known, &row.asset.title, said)
    {
        match known.meaning == Some((meaning.recipe, words)) {
            true => plan.present += 1,
            false => {
                let identity = vec![meaning.recipe.to_string(), words.to_string()];
                add(vec!["meaning"], "what it means", What::Mean(meaning.recipe), identity);
            }
        }
    }
}

/// The words whose meaning is asked for; none of what nobody has said or found anything of.
pub(super) fn meant(known: &Knowledge, title: &str, said: &Described) -> Option<Digest> {
    let sets = known.sets(&meaning::KINDS);
    (said.revision > 0 || !sets.is_empty()).then(|| meaning::words(title, &said.description, &sets))
}

/// The job of a task.
pub(super) fn wanted(task: &Task, subject: String, identity: Vec<String>, scope: &str) -> Wanted {
    let kind = match task.what {
        What::Hear(_) | What::Again { .. } => "hear",
        What::See { .. } => "see",
        What::Name(_) => "name",
        What::Topics(_) => "topics",
        What::Mean(_) => "mean",
    };
    let fields = [vec![kind.to_owned(), task.master.to_string()], identity].concat();
    Wanted {
        stage: Stage::Enrich,
        scope: scope.to_owned(),
        subject,
        recipe: Digest::of_fields(&fields).to_string(),
        task: serde_json::to_value(task).unwrap_or_default(),
        priority: 0,
    }
}

fn has_pictures(kind: MediaKind, master: &Master) -> bool {
    match kind {
        MediaKind::Image | MediaKind::Animation => master.facts.image.is_some(),
        MediaKind::Video => master.facts.video.is_some(),
        _ => false,
    }
}

/// Kinds of findings that have words.
const WORDS: [FindingKind; 2] = [FindingKind::Speech, FindingKind::Text];

pub(super) fn has_words(known: &Knowledge, revision: i64) -> bool {
    revision > 0 || !known.sets(&WORDS).is_empty()
}

/// What is looked for in words.
pub(super) struct OfWords {
    pub(super) what: &'static str,
    pub(super) subject: &'static str,
    pub(super) kinds: &'static [FindingKind],
    pub(super) recipe: Digest,
    pub(super) task: What,
}

impl Means {
    /// What is looked for in words here.
    pub(super) fn of_words(&self) -> impl Iterator<Item = OfWords> {
        let names = self.names.as_ref().map(|m| OfWords {
            what: "names",
            subject: "who is named",
            kinds: &NAMED,
            recipe: m.recipe,
            task: What::Name(m.recipe),
        });
        let topics = self.topics.as_ref().map(|m| OfWords {
            what: "topics",
            subject: "what it is about",
            kinds: &[FindingKind::Topic],
            recipe: m.recipe,
            task: What::Topics(m.recipe),
        });
        names.into_iter().chain(topics)
    }
}

/// The recipe of names and topics: models, settings, and in which words they are looked for.
pub(super) fn words_recipe(of: Digest, known: &Knowledge, revision: i64) -> Digest {
    let mut fields = known.sets(&WORDS);
    fields.extend([of.to_string(), revision.to_string()]);
    Digest::of_fields(&fields)
}

/// Entries that show and sound as their master does, those of less than 480 lines excepted: text would be lost.
pub(super) fn proxies(profile: &Profile) -> HashMap<MediaKind, Vec<Proxy>> {
    let of = |kind: MediaKind| {
        let entries = profile.wanted(kind).iter().filter(|e| e.is_proxy());
        (kind, entries.map(|e| (e.name.clone(), e.recipe())).collect())
    };
    [of(MediaKind::Video)].into()
}

fn scope(means: &Means, only: &[AssetId]) -> String {
    let recipes = [
        means.speech.as_ref().map(|m| m.recipe),
        means.text.as_ref().map(|m| m.recipe),
        means.objects.as_ref().map(|m| m.recipe),
        means.names.as_ref().map(|m| m.recipe),
        means.looks,
    ];
    let mut fields: Vec<String> = recipes.iter().map(|r| format!("{r:?}")).collect();
    fields.extend(means.topics.as_ref().map(|m| format!("topics {}", m.recipe)));
    fields.extend(means.meaning.as_ref().map(|m| format!("meaning {}", m.recipe)));
    fields.extend(only.iter().map(ToString::to_string));
    Digest::of_fields(&fields).short()
}
