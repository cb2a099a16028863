//! What is doubted of what was heard, heard again with another model: just these stretches. What is trusted more than before takes
//! its place, and says which model heard it; the rest stays as it is.

use std::collections::HashSet;

use super::{
    means::{Fulfilled, Means},
    plan::{Plan, Task, What, Wish, proxies, wanted},
    question::Stretch,
    run::LEFT_TO_OTHERS,
};
use crate::{
    catalog::{AssetRow, Catalog},
    digest::Digest,
    error::{Error, Result},
    model::{Again, AssetId, Finding, FindingKind, Findings, Master, Role},
    profile::{LearnSpeech, Profile},
    stop::Stop,
};

/// What is heard around what is doubted, in milliseconds: where a word begins is not told to the millisecond.
const AROUND: u64 = 200;
/// Between two doubtful lines, in milliseconds, below which they are heard as one.
const NEAR: u64 = 1_000;

/// Plans what is doubted and was not heard by this model yet, of all assets or just `only`. What a person brought is left alone.
///
/// Everything but the model is as the profile had it when it was heard; the model that tells voices is the profile's of now.
pub fn plan_again(
    catalog: &Catalog,
    profile: &Profile,
    means: &Means,
    model: &str,
    only: &[AssetId],
    stop: &Stop,
) -> Result<Plan> {
    let mut fields = vec!["again".to_owned(), model.to_owned()];
    fields.extend(only.iter().map(ToString::to_string));
    let mut plan = Plan { scope: Digest::of_fields(&fields).short(), ..Plan::default() };
    let voice = profile.learning.speech.as_ref().map_or_else(|| LearnSpeech::default().voice, |s| s.voice.clone());
    // That the model is here is told before anything is looked for.
    means.second(&LearnSpeech { model: model.to_owned(), voice: voice.clone(), ..LearnSpeech::default() }, stop)?;
    let proxies = proxies(profile);
    let mut look = |row: &AssetRow| -> Result<()> {
        let heard = |m: &&Master| m.role.is_shown() && m.facts.problem.is_none() && !m.facts.audio.is_empty();
        for master in row.masters.iter().filter(heard) {
            for set in catalog.findings_of(&[master.digest])? {
                let is_doubted = set.kind == FindingKind::Speech && set.items.iter().any(|f| !f.doubts.is_empty());
                if set.source.by_hand || !is_doubted {
                    continue;
                }
                let was = as_heard(&set, model, &voice);
                // What is heard again is not translated; that the first was makes it no other model.
                let spec = LearnSpeech { translate: false, ..was.clone() };
                let (first, second) = (means.second(&was, stop)?.recipe, means.second(&spec, stop)?);
                let before = set.source.again.as_ref();
                let is_known = before.is_some_and(|a| a.of == first || a.by.contains(&second.recipe));
                if set.recipe == first || is_known {
                    plan.present += 1;
                    continue;
                }
                if catalog.archived_among(&[master.digest])?.values().any(|a| !a.is_readable()) {
                    plan.archived.push(row.asset.id);
                    continue;
                }
                let title = if master.role == Role::Main { row.asset.title.clone() } else { master.name.clone() };
                let identity =
                    vec![set.recipe.to_string(), second.recipe.to_string(), set.track.to_string(), "again".to_owned()];
                let what = What::Again { of: set.recipe, track: set.track, with: second.recipe, spec };
                let proxies = proxies.get(&row.asset.kind).cloned().unwrap_or_default();
                let task = Task { asset: row.asset.id, master: master.digest, what, proxies };
                let subject = format!("{title} ({}), what is doubted", row.asset.id);
                let wanted = wanted(&task, subject, identity, &plan.scope);
                plan.wishes.push(Wish { asset: row.asset.id, title, what: vec!["doubtful speech"], wanted });
            }
        }
        Ok(())
    };
    if !only.is_empty() {
        let mut seen = HashSet::new();
        only.iter().filter(|id| seen.insert(**id)).try_for_each(|id| look(&catalog.asset(*id)?))?;
        return Ok(plan);
    }
    const PAGE: i64 = 500;
    let mut after = None;
    loop {
        let page = catalog.assets_page(after, PAGE, None)?;
        let Some(last) = page.last() else { return Ok(plan) };
        after = Some(last.asset.id);
        page.iter().try_for_each(&mut look)?;
    }
}

/// How this was heard, but with another model.
fn as_heard(set: &Findings, model: &str, voice: &str) -> LearnSpeech {
    let known = set.source.parameters.clone().and_then(|p| serde_json::from_value::<LearnSpeech>(p).ok());
    LearnSpeech { model: model.to_owned(), voice: voice.to_owned(), ..known.unwrap_or_default() }
}

/// The stretches that are doubted, by time, none over another of the same speaker.
pub(super) fn stretches(items: &[Finding]) -> Vec<Stretch> {
    let mut all: Vec<Stretch> = Vec::new();
    let mut speakers: Vec<Option<&String>> = items.iter().map(|f| f.speaker.as_ref()).collect();
    speakers.sort();
    speakers.dedup();
    for speaker in speakers {
        let its: Vec<&Finding> = items.iter().filter(|f| f.speaker.as_ref() == speaker).collect();
        let mut before = 0;
        for (i, f) in its.iter().enumerate() {
            let next = its.get(i + 1).map_or(u64::MAX, |next| next.from_ms);
            if f.doubts.is_empty() {
                before = before.max(f.to_ms);
                continue;
            }
            let (from, to) = (f.from_ms.saturating_sub(AROUND).max(before), (f.to_ms + AROUND).min(next.max(f.to_ms)));
            let is_next = i > 0 && !its[i - 1].doubts.is_empty() && f.from_ms < its[i - 1].to_ms + NEAR;
            match all.last_mut().filter(|_| is_next) {
                Some(last) => last.to_ms = last.to_ms.max(to),
                None => all.push(Stretch {
                    from_ms: from,
                    to_ms: to.max(from + 1),
                    speaker: speaker.cloned(),
                    language: f.language.clone(),
                }),
            }
            before = before.max(to);
        }
    }
    all.sort_by_key(|s| (s.from_ms, s.to_ms));
    all
}

impl Stretch {
    /// Whether something was said in it.
    pub(super) fn has(&self, f: &Finding) -> bool {
        let middle = f.from_ms + f.to_ms.saturating_sub(f.from_ms) / 2;
        f.speaker == self.speaker && (self.from_ms..=self.to_ms).contains(&middle)
    }
}

/// The set with what was heard again in the place of what was doubted, wherever it is trusted more.
pub(super) fn improved(set: &Findings, heard: &[Finding], second: &Fulfilled<LearnSpeech>) -> Findings {
    let mut items: Vec<Finding> = set.items.clone();
    let mut is_better = false;
    for stretch in stretches(&set.items) {
        let is_old = |f: &&Finding| !f.doubts.is_empty() && stretch.has(f);
        let new: Vec<Finding> = heard.iter().filter(|f| stretch.has(f)).cloned().collect();
        let (was, is) = (trust(set.items.iter().filter(is_old)), trust(new.iter()));
        if is.is_some() && is > was {
            is_better = true;
            items.retain(|f| f.doubts.is_empty() || !stretch.has(f));
            items.extend(new.into_iter().map(|f| Finding { model: Some(second.spec.model.clone()), ..f }));
        }
    }
    items.sort_by_key(|f| (f.from_ms, f.to_ms));
    let mut source = set.source.clone();
    let again = source.again.get_or_insert_with(|| Again { of: set.recipe, by: Vec::new() });
    again.by.push(second.recipe);
    if is_better {
        source.name = format!("{}, then {}", source.name, second.spec.model);
    }
    Findings { recipe: recipe(&set.recipe, &second.recipe), source, items, ..set.clone() }
}

/// What is heard again is other words.
pub(super) fn recipe(of: &Digest, with: &Digest) -> Digest {
    Digest::of_fields(&["again".to_owned(), of.to_string(), with.to_string()])
}

/// The mean trust over the time; none of nothing.
fn trust<'a>(items: impl Iterator<Item = &'a Finding>) -> Option<f64> {
    let (mut sum, mut time) = (0.0, 0.0);
    for f in items {
        let ms = f.to_ms.saturating_sub(f.from_ms).max(1) as f64;
        sum += f64::from(f.trust.unwrap_or(0.0)) * ms;
        time += ms;
    }
    (time > 0.0).then(|| sum / time)
}

pub(super) fn gone() -> Error {
    Error::paused("the model that this was planned with is not what it was, or is not here")
        .hint("'damctl models list' tells what is here; 'damctl enrich --again doubtful --with MODEL' plans with that")
        .after(LEFT_TO_OTHERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(from_ms: u64, to_ms: u64, trust: f32, speaker: Option<&str>) -> Finding {
        let doubts = if trust <= 0.3 { vec!["guessed".to_owned()] } else { Vec::new() };
        let speaker = speaker.map(str::to_owned);
        Finding { from_ms, to_ms, trust: Some(trust), doubts, speaker, text: "x".to_owned(), ..Finding::default() }
    }

    #[test]
    fn only_what_is_doubted_is_heard_again_and_never_into_what_is_not() {
        let spans = |items: &[Finding]| stretches(items).iter().map(|s| (s.from_ms, s.to_ms)).collect::<Vec<_>>();
        let good = line(0, 5_000, 0.9, None);
        assert_eq!(spans(std::slice::from_ref(&good)), []);
        let two = [good.clone(), line(5_050, 7_000, 0.2, None), line(7_500, 9_000, 0.2, None)];
        assert_eq!(spans(&two), [(5_000, 9_200)]);
        let apart = [line(0, 1_000, 0.2, None), line(4_000, 5_000, 0.2, None), line(5_100, 6_000, 0.9, None)];
        assert_eq!(spans(&apart), [(0, 1_200), (3_800, 5_100)]);
        let both = [line(0, 1_000, 0.2, Some("channel 1")), line(500, 1_500, 0.9, Some("channel 2"))];
        assert_eq!(spans(&both), [(0, 1_200)]);
    }
}
