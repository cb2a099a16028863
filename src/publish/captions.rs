//! What is said, as the subtitles of a publication: a person's words before a model's.

use crate::{
    catalog::{AssetRow, Catalog},
    error::Result,
    model::{Findings, Master, Publication},
    subtitle,
};

/// Subtitles in one language.
pub(super) struct Spoken {
    /// BCP 47.
    pub(super) language: String,
    /// WebVTT.
    pub(super) text: String,
}

/// The subtitles of what is said in an asset, one for each language that is wanted. `None` where nothing is known of what
/// is said.
pub(super) fn spoken(
    catalog: &Catalog,
    p: &Publication,
    row: &AssetRow,
    wanted: &[String],
) -> Result<Option<Vec<Spoken>>> {
    let (mut all, mut is_known) = (Vec::<Spoken>::new(), false);
    if wanted.is_empty() {
        return Ok(Some(all));
    }
    for master in row.masters.iter().filter(|m| m.role.is_shown()) {
        // What was begun is gone on with in the words that it was begun with.
        let before = p.session.as_ref().and(p.tried_at);
        let found = catalog.said_at(&master.digest, before)?;
        is_known |= !found.is_empty();
        for said in &found {
            let Some(language) = said.language.clone() else { continue };
            let is_wanted = wanted.iter().any(|wanted| is_same_language(wanted, &language));
            if is_wanted
                && !all.iter().any(|s| s.language == language)
                && let Some(text) = text(said, master)
            {
                all.push(Spoken { language, text });
            }
        }
    }
    Ok(is_known.then_some(all))
}

fn text(said: &Findings, master: &Master) -> Option<String> {
    let cues = subtitle::captions(said, master.facts.duration_ms);
    (!cues.is_empty()).then(|| subtitle::vtt(&cues, subtitle::note(said).as_deref()))
}

/// Whether `es` is asked for and `es-419` there, or the other way round.
pub(super) fn is_same_language(wanted: &str, there: &str) -> bool {
    let first = |tag: &str| tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
    first(wanted) == first(there)
}
