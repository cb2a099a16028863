//! Lists: digests as `sha256sum` writes and checks them, the catalog as a table, one asset as plain JSON.

use serde_json::{Value, json};

use super::{format, time};
use crate::{
    catalog::{AssetRow, Catalog},
    error::{Error, Result},
    model::{Area, AssetId, FindingKind},
    subtitle,
};

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// RFC 4180, with a head.
    Csv,
    /// An object a line.
    Json,
}

/// A line of `sha256sum`'s: names with a backslash or a line's end are escaped, and the line says so, as GNU does it.
pub fn sum_line(digest: &str, name: &str) -> String {
    match name.contains(['\\', '\n', '\r']) {
        true => format!("\\{digest}  {}", name.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r")),
        false => format!("{digest}  {name}"),
    }
}

/// Calls `each` with a line for every object of an area, its name being the path below the store's folder. Of masters, those
/// of all generations when no collection is named.
pub fn sums(
    catalog: &Catalog,
    area: Area,
    collection: Option<&str>,
    each: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<u64> {
    let mut count = 0;
    let mut line = |digest: String, name: &str| {
        count += 1;
        each(&sum_line(&digest, name))
    };
    match (area, collection) {
        (Area::Masters, None) => {
            let mut after = String::new();
            loop {
                let page = catalog.masters_page(&after, 1000)?;
                let Some(last) = page.last() else { break };
                after = last.digest.to_string();
                page.iter().try_for_each(|m| line(m.digest.to_string(), m.key.as_str()))?;
            }
        }
        (Area::Masters, Some(collection)) => {
            for asset in catalog.assets_in(collection)? {
                catalog.masters_of(asset)?.iter().try_for_each(|m| line(m.digest.to_string(), m.key.as_str()))?;
            }
        }
        (Area::Renditions, _) => catalog.each_asset(|row| {
            if collection.is_some() && row.asset.collection.as_deref() != collection {
                return Ok(());
            }
            for r in catalog.renditions_of(row.asset.id)? {
                for file in &r.files {
                    line(file.digest.to_string(), r.prefix.join(&file.name)?.as_str())?;
                }
            }
            Ok(())
        })?,
        (Area::Delivery, _) => return Err(Error::unsupported("the catalog has no list of what is in delivery")),
    }
    Ok(count)
}

const COLUMNS: [&str; 15] = [
    "id",
    "title",
    "collection",
    "kind",
    "created",
    "duration_ms",
    "bytes",
    "sha256",
    "mime",
    "masters",
    "renditions",
    "license",
    "embargo_until",
    "rights_expire",
    "description",
];

/// Calls `each` with a line for every asset, after a head where the form has one.
pub fn table(catalog: &Catalog, form: Form, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
    if form == Form::Csv {
        each(&format!("{}\r", COLUMNS.join(",")))?;
    }
    catalog.each_asset(|row| {
        let mut said = catalog.described(row.asset.id)?.description;
        // As it holds, by its collection, too.
        said.rights = catalog.rights_of(row.asset.id)?.map(|(_, rights)| rights).unwrap_or_default();
        let renditions = catalog.renditions_of(row.asset.id)?.len();
        let main = row.masters.first();
        let bytes: u64 = row.masters.iter().map(|m| m.bytes).sum();
        let value = json!({
            "id": row.asset.id, "title": row.asset.title, "collection": row.asset.collection, "kind": row.asset.kind,
            "created": time(row.asset.created_at), "duration_ms": main.and_then(|m| m.facts.duration_ms),
            "bytes": bytes, "sha256": main.map(|m| m.digest), "mime": main.map(|m| &m.facts.mime),
            "masters": row.masters.len(), "renditions": renditions, "license": said.rights.license,
            "embargo_until": said.rights.embargo_until, "rights_expire": said.rights.expires, "description": said.text,
        });
        match form {
            Form::Json => each(&value.to_string()),
            Form::Csv => each(&format!("{}\r", COLUMNS.map(|c| field(&value[c])).join(","))),
        }
    })
}

/// A field by RFC 4180. What a spreadsheet would take for a formula gets an apostrophe before it, and is text then.
fn field(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

/// What the archive has of an asset: each generation's masters, the active renditions, and what is said as captions.
pub fn manifest(catalog: &Catalog, asset: AssetId) -> Result<Value> {
    let missing = || Error::not_found(format!("there is no asset {asset}"));
    let record = catalog.records(&[asset])?.remove(&asset).ok_or_else(missing)?;
    let (AssetRow { masters, .. }, formats) = (catalog.asset(asset)?, format::formats()?);
    let mut generations: Vec<Value> = Vec::new();
    let mut numbers: Vec<u32> = record.members.iter().map(|m| m.generation).collect();
    numbers.dedup();
    for number in numbers {
        let files = record.members.iter().filter(|m| m.generation == number).filter_map(|m| {
            let o = record.masters.iter().find(|o| o.digest == m.digest)?;
            Some(json!({
                "name": m.name, "role": m.role, "sha256": o.digest, "bytes": o.bytes, "key": o.key,
                "mime": o.facts.mime, "puid": format::identify(&formats, &o.facts).map(|f| &f.puid),
                "duration_ms": o.facts.duration_ms,
            }))
        });
        let files: Vec<Value> = files.collect();
        generations.push(json!({"generation": number, "active": number == record.generation, "masters": files}));
    }
    let renditions: Vec<Value> = catalog
        .renditions_of(asset)?
        .iter()
        .map(|r| {
            let file = |f: &crate::model::RenditionFile| -> Result<Value> {
                Ok(json!({"key": r.prefix.join(&f.name)?, "sha256": f.digest, "bytes": f.bytes, "mime": f.mime}))
            };
            let files = r.files.iter().map(file).collect::<Result<Vec<_>>>()?;
            Ok(json!({"entry": r.entry, "recipe": r.recipe, "master": r.master, "files": files}))
        })
        .collect::<Result<_>>()?;
    let digests: Vec<_> = masters.iter().map(|m| m.digest).collect();
    let mut captions = Vec::new();
    for said in catalog.findings_of(&digests)?.iter().filter(|f| f.kind == FindingKind::Speech) {
        let length_ms = masters.iter().find(|m| m.digest == said.master).and_then(|m| m.facts.duration_ms);
        let vtt = subtitle::vtt(&subtitle::captions(said, length_ms), None);
        captions.push(json!({"master": said.master, "track": said.track, "language": said.language, "vtt": vtt}));
    }
    Ok(json!({
        "asset": record.asset, "description": record.said.map(|s| s.fields), "generations": generations,
        "renditions": renditions, "captions": captions,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_and_no_spreadsheet_computes_them() {
        assert_eq!(field(&json!("a \"b\", c\nd")), "\"a \"\"b\"\", c\nd\"");
        assert_eq!(field(&json!("=HYPERLINK(\"x\")")), "\"'=HYPERLINK(\"\"x\"\")\"");
        assert_eq!((field(&json!(-3)), field(&Value::Null)), ("-3".to_owned(), String::new()));
        assert_eq!(sum_line("d", "a\\b\nc"), "\\d  a\\\\b\\nc");
    }
}
