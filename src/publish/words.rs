//! Templates: what is said with a publication, what its files are called, where they go.

use std::path::Path;

use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::{Value, json};

use super::beside;
use crate::{
    channel::Sidecar,
    error::{Doing, Error, Result},
    model::{Asset, Description, Publication, Rights, Words},
    profile::channels::{Outlet, Text},
};

/// Steps that a template may take.
const FUEL: u64 = 1_000_000;
/// The longest template file.
const LONGEST: u64 = 1 << 20;

/// Templates that are filled with what is known of one publication.
pub(super) struct Filled {
    values: Value,
    /// The same with nothing in it that could leave a folder.
    safe: Value,
}

impl Filled {
    /// With an asset, what people say of it, and what is sent: `file` has name, bytes, sha256, mime, duration_ms, timecode.
    /// `rights` are those that hold, its collection's too.
    pub(super) fn new(p: &Publication, asset: &Asset, said: &Description, rights: &Rights, file: Value) -> Self {
        let id = asset.id.to_string();
        let stem =
            Path::new(&asset.title).file_stem().map_or_else(|| asset.title.clone(), |s| s.to_string_lossy().into());
        let values = json!({
            "id": id, "short": id[..8], "marker": p.id.marker(), "generation": p.generation, "channel": p.channel,
            "entry": p.entry, "kind": asset.kind, "collection": asset.collection.clone().unwrap_or_default(),
            "title": asset.title, "stem": stem, "text": said.text.clone().unwrap_or_default(),
            "program": said.program.clone().unwrap_or_default(), "category": said.category.clone().unwrap_or_default(),
            "tags": said.tags, "people": said.people, "places": said.places, "organizations": said.organizations,
            "date": said.date.clone().unwrap_or_default(), "rights": rights, "file": file,
        });
        let safe = harmless(&values);
        Self { values, safe }
    }

    /// With something for every name: what can be filled with it asks for nothing that is never there.
    pub(super) fn sample() -> Self {
        let file = json!({"name": "a.mp4", "bytes": 1, "sha256": "0".repeat(64), "mime": "video/mp4", "duration_ms": 1,
            "timecode": "10:00:00:00"});
        let rights = json!({"license": "CC BY 4.0", "embargo_until": "2026-01-01", "expires": "2036-01-01",
            "territories": ["ES"], "consent": "given"});
        let mut values = json!({"id": "0198c1f2-0000-8000-8000-000000000000", "short": "0198c1f2", "generation": 1,
            "kind": "video", "date": "2026-01-01", "rights": rights, "file": file});
        for name in ["marker", "channel", "entry", "collection", "title", "stem", "text", "program", "category"] {
            values[name] = name.into();
        }
        for name in ["tags", "people", "places", "organizations"] {
            values[name] = json!([name]);
        }
        let safe = harmless(&values);
        Self { values, safe }
    }

    /// Whether all templates of a channel can be filled; `dir` is where its file lies.
    ///
    /// Errors: `Invalid`, with the template.
    pub(super) fn check(&self, outlet: &Outlet, dir: &Path) -> Result<()> {
        self.words(&outlet.text, &Description::default(), &Words::default())?;
        self.path(&outlet.name)?;
        outlet.to.path().map(|template| self.path(template)).transpose()?;
        self.sidecars(outlet, dir).map(drop)
    }

    /// A template's text.
    ///
    /// Errors: `Invalid`, with the template.
    pub(super) fn text(&self, template: &str) -> Result<String> {
        fill(template, "a template", AutoEscape::None, &self.values)
    }

    /// A path, whose values cannot leave the folder that the template names.
    pub(super) fn path(&self, template: &str) -> Result<String> {
        let path = fill(template, "a path", AutoEscape::None, &self.safe)?;
        match path.split('/').any(|part| part == "..") || path.chars().any(char::is_control) {
            true => Err(Error::invalid(format!("'{template}' leads out of its folder: {path}"))),
            false => Ok(path),
        }
    }

    /// What is said, where a person's own words come first.
    pub(super) fn words(&self, text: &Text, said: &Description, own: &Words) -> Result<Words> {
        let or = |own: &str, template: &str| match own.is_empty() {
            true => self.text(template).map(|text| text.trim().to_owned()),
            false => Ok(own.to_owned()),
        };
        let maybe = |own: &Option<String>, template: &Option<String>| match (own, template) {
            (Some(own), _) => Ok(Some(own.clone())),
            (None, Some(template)) => self.text(template).map(Some),
            (None, None) => Ok(None),
        };
        Ok(Words {
            title: or(&own.title, &text.title)?,
            description: or(&own.description, &text.description)?,
            tags: match (own.tags.is_empty(), text.tags) {
                (false, _) => own.tags.clone(),
                (true, true) => said.tags.clone(),
                (true, false) => Vec::new(),
            },
            privacy: maybe(&own.privacy, &text.privacy)?,
            category: maybe(&own.category, &text.category)?,
            language: maybe(&own.language, &text.language)?,
        })
    }

    /// The files that are written for it.
    pub(super) fn sidecars(&self, outlet: &Outlet, dir: &Path) -> Result<Vec<Sidecar>> {
        let each = outlet.sidecars.iter().map(|companion| {
            let path = beside(dir, &companion.template);
            let doing = || format!("cannot read the template {}", path.display());
            if std::fs::metadata(&path).doing(doing)?.len() > LONGEST {
                return Err(Error::invalid(format!("{} is too large for a template", path.display())));
            }
            let template = std::fs::read_to_string(&path).doing(doing)?;
            let name = self.path(&companion.name)?;
            let (escape, mime) = match Path::new(&name).extension().and_then(|e| e.to_str()) {
                Some("xml") => (AutoEscape::Html, "application/xml"),
                Some("json") => (AutoEscape::None, "application/json"),
                _ => (AutoEscape::None, "text/plain; charset=utf-8"),
            };
            let bytes = fill(&template, &path.display().to_string(), escape, &self.values)?.into_bytes();
            if mime == "application/json"
                && let Err(e) = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes)
            {
                return Err(Error::invalid(format!("{}: what it makes is not JSON: {e}", path.display()))
                    .hint("{{ title | json }} writes a value with its quotes"));
            }
            Ok(Sidecar { name, mime: mime.to_owned(), bytes })
        });
        each.collect()
    }
}

fn fill(template: &str, origin: &str, escape: AutoEscape, values: &Value) -> Result<String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(move |_| escape.clone());
    // A value as JSON writes it, which stays so in files of every kind.
    let json = |value: minijinja::Value| -> std::result::Result<minijinja::Value, minijinja::Error> {
        let text = serde_json::to_string(&value)
            .map_err(|e| minijinja::Error::new(minijinja::ErrorKind::BadSerialization, e.to_string()))?;
        Ok(minijinja::Value::from_safe_string(text))
    };
    environment.add_filter("json", json);
    // What a template asks for must end.
    environment.set_recursion_limit(50);
    environment.set_fuel(Some(FUEL));
    let wrong = |e: minijinja::Error| Error::invalid(format!("{origin} cannot be filled: {e}"));
    let template = environment.template_from_str(template).map_err(wrong)?;
    template.render(minijinja::value::Serde(values)).map_err(wrong)
}

/// Texts without what separates folders, or hides a file.
fn harmless(value: &Value) -> Value {
    match value {
        Value::String(text) => {
            let text: String =
                text.chars().map(|c| if c.is_control() || matches!(c, '/' | '\\' | ':') { '_' } else { c }).collect();
            Value::String(text.trim_start_matches('.').trim().to_owned())
        }
        Value::Array(all) => Value::Array(all.iter().map(harmless).collect()),
        Value::Object(all) => Value::Object(all.iter().map(|(k, v)| (k.clone(), harmless(v))).collect()),
        other => other.clone(),
    }
}
