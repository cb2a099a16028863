//! What is said, as files of subtitles beside the other renditions.

use std::fs;

use crate::{
    digest::Digest,
    error::{Doing, Result},
    model::{Area, FindingKind, Findings, Key, Master, MediaFacts, MediaKind, Rendition, RenditionFile},
    spool::Spool,
    store::{Staged, Store},
    subtitle,
};

/// The rendition's name; of the second track, `subtitles_2`; in English where something else is spoken, `subtitles_en`.
const ENTRY: &str = "subtitles";

fn entry(said: &Findings) -> String {
    let track = if said.track > 1 { format!("_{}", said.track) } else { String::new() };
    let language = if said.kind == FindingKind::Translation { "_en" } else { "" };
    format!("{ENTRY}{track}{language}")
}

/// Writes WebVTT and SubRip. Nothing where nobody says anything.
pub(super) fn write(
    store: &dyn Store,
    spool: &Spool,
    master: &Master,
    said: &Findings,
) -> Result<Option<(Staged, Rendition)>> {
    let captions = subtitle::captions(said, master.facts.duration_ms);
    if captions.is_empty() {
        return Ok(None);
    }
    let language = said.language.as_deref().unwrap_or("und");
    let note = subtitle::note(said);
    let entry = entry(said);
    let dir = spool.dir("subtitles")?;
    let each = [
        ("vtt", "text/vtt", subtitle::vtt(&captions, note.as_deref())),
        ("srt", "application/x-subrip", subtitle::srt(&captions)),
    ];
    let mut files = Vec::new();
    for (form, mime, text) in each {
        let name = format!("{}.{language}.{form}", if said.kind == FindingKind::Translation { &entry } else { ENTRY });
        let path = dir.path().join(&name);
        fs::write(&path, &text).doing(|| format!("cannot write {}", path.display()))?;
        files.push(RenditionFile { name, digest: Digest::of(&text), bytes: text.len() as u64, mime: mime.to_owned() });
    }
    let tree: Vec<String> = files.iter().flat_map(|f| [f.name.clone(), f.digest.to_string()]).collect();
    let version = format!("{entry}@{}-{}", said.recipe.short(), Digest::of_fields(&tree).short());
    let (asset, digest) = (master.asset.to_string(), master.digest.to_string());
    let prefix = Key::new(Area::Renditions, &[master.facts.kind.as_str(), &asset, &digest, &version])?;
    let mut deposit = store.stage(&prefix)?;
    for file in &files {
        deposit.adopt(&file.name, &dir.path().join(&file.name))?;
    }
    let facts = MediaFacts::bare(MediaKind::Sidecar, "text/vtt");
    let rendition =
        Rendition { asset: master.asset, master: master.digest, entry, recipe: said.recipe, prefix, files, facts };
    Ok(Some((deposit.finish()?, rendition)))
}
