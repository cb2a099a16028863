//! The rules of a BagIt profile (BagIt Profiles 1.4), and what of them a bag does not keep.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::validate::{Looked, Named, Validated, validate};
use crate::{
    error::{Error, Result},
    stop::Stop,
};

/// The rules of a profile.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Profile {
    #[serde(rename = "BagIt-Profile-Info")]
    about: BTreeMap<String, serde_json::Value>,
    #[serde(rename = "Bag-Info")]
    info: BTreeMap<String, Label>,
    #[serde(rename = "Manifests-Required")]
    manifests_required: Vec<String>,
    #[serde(rename = "Manifests-Allowed")]
    manifests_allowed: Option<Vec<String>>,
    #[serde(rename = "Tag-Manifests-Required")]
    tag_manifests_required: Vec<String>,
    #[serde(rename = "Tag-Manifests-Allowed")]
    tag_manifests_allowed: Option<Vec<String>>,
    #[serde(rename = "Allow-Fetch.txt")]
    allows_fetch: bool,
    #[serde(rename = "Fetch.txt-Required")]
    requires_fetch: bool,
    #[serde(rename = "Data-Empty")]
    is_data_empty: bool,
    serialization: Option<String>,
    #[serde(rename = "Accept-Serialization")]
    accepted_serializations: Vec<String>,
    #[serde(rename = "Accept-BagIt-Version")]
    accepted_versions: Vec<String>,
    #[serde(rename = "Tag-Files-Required")]
    tag_files_required: Vec<String>,
    #[serde(rename = "Tag-Files-Allowed")]
    tag_files_allowed: Option<Vec<String>>,
    #[serde(rename = "Payload-Files-Required")]
    payload_files_required: Vec<String>,
    #[serde(rename = "Payload-Files-Allowed")]
    payload_files_allowed: Option<Vec<String>>,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            about: BTreeMap::new(),
            info: BTreeMap::new(),
            manifests_required: Vec::new(),
            manifests_allowed: None,
            tag_manifests_required: Vec::new(),
            tag_manifests_allowed: None,
            allows_fetch: true,
            requires_fetch: false,
            is_data_empty: false,
            serialization: None,
            accepted_serializations: Vec::new(),
            accepted_versions: Vec::new(),
            tag_files_required: Vec::new(),
            tag_files_allowed: None,
            payload_files_required: Vec::new(),
            payload_files_allowed: None,
        }
    }
}

/// What is said of a label of bag-info.txt.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct Label {
    required: bool,
    values: Vec<String>,
    repeatable: bool,
}

impl Default for Label {
    fn default() -> Self {
        Self { required: false, values: Vec::new(), repeatable: true }
    }
}

impl Profile {
    /// Reads one. Errors: `Invalid` for what is none.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let profile: Self =
            serde_json::from_slice(text).map_err(|e| Error::invalid(format!("it is no BagIt profile: {e}")))?;
        match profile.identifier() {
            Some(_) => Ok(profile),
            None => Err(Error::invalid("it is no BagIt profile: it has no BagIt-Profile-Info with an identifier")),
        }
    }

    fn identifier(&self) -> Option<&str> {
        self.about.get("BagIt-Profile-Identifier")?.as_str()
    }
}

/// The address of the profile that a bag says it follows.
pub fn profile_of(bag: &std::path::Path, stop: &Stop) -> Result<String> {
    let looked = Looked::at(bag, stop)?;
    let said = looked.says("BagIt-Profile-Identifier").next().map(str::to_owned);
    said.ok_or_else(|| Error::not_found("its bag-info.txt has no BagIt-Profile-Identifier"))
}

/// [`validate()`], and the rules of a profile. A bag that has come is a folder, whatever it was sent as.
pub fn validate_by(bag: &std::path::Path, profile: &Profile, stop: &Stop) -> Result<Validated> {
    let looked = Looked::at(bag, stop)?;
    let mut found = validate(bag, stop)?;
    hold(&looked, profile, &mut found);
    Ok(found)
}

fn hold(bag: &Looked, profile: &Profile, found: &mut Validated) {
    const INFO: &str = "bag-info.txt";
    let version = bag.found.version.as_deref().unwrap_or("?");
    if !profile.accepted_versions.is_empty() && !profile.accepted_versions.iter().any(|v| v == version) {
        let what = format!("version {version}: the profile accepts {}", profile.accepted_versions.join(", "));
        found.fault("bagit.txt", "profile-version", what);
    }
    // The specification has every bag that follows a profile say so.
    let identifier = profile.identifier().unwrap_or_default();
    if !bag.says("BagIt-Profile-Identifier").any(|said| said == identifier) {
        found.fault(INFO, "profile-identifier", format!("it does not say BagIt-Profile-Identifier: {identifier}"));
    }
    for (label, rule) in &profile.info {
        let values: Vec<&str> = bag.says(label).collect();
        if rule.required && values.is_empty() {
            found.fault(INFO, "profile-label-missing", format!("it has no {label}"));
        }
        if !rule.repeatable && values.len() > 1 {
            found.fault(INFO, "profile-label-repeated", format!("it has {label} {} times", values.len()));
        }
        for value in values.iter().filter(|v| !rule.values.is_empty() && !rule.values.iter().any(|known| known == *v)) {
            let what = format!(
                "{label} is '{}', and has to be one of {}",
                super::validate::shown(value),
                rule.values.join(", ")
            );
            found.fault(INFO, "profile-label-value", what);
        }
    }
    let has = |all: &[Named], name: &str| all.iter().any(|(_, a, _)| a.as_str() == normal(name));
    let kinds = [
        ("manifest", &bag.manifests, &profile.manifests_required, &profile.manifests_allowed),
        ("tagmanifest", &bag.tags, &profile.tag_manifests_required, &profile.tag_manifests_allowed),
    ];
    for (kind, are, required, allowed) in kinds {
        for name in required.iter().filter(|name| !has(are, name)) {
            let file = format!("{kind}-{}.txt", normal(name));
            found.fault(file, "profile-manifest-missing", "the profile requires it");
        }
        for (file, algorithm, _) in are.iter() {
            let is_allowed = |all: &Vec<String>| all.iter().any(|name| normal(name) == algorithm.as_str());
            if allowed.as_ref().is_some_and(|all| !is_allowed(all)) {
                found.fault(file, "profile-manifest-other", "the profile does not allow its algorithm");
            }
        }
    }
    let has_fetch = bag.tree.contains_key("fetch.txt");
    if has_fetch && !profile.allows_fetch {
        found.fault("fetch.txt", "profile-fetch", "the profile does not allow it");
    }
    if !has_fetch && profile.requires_fetch {
        found.fault("fetch.txt", "profile-fetch", "the profile requires it");
    }
    if profile.serialization.as_deref() == Some("required") {
        let how = match profile.accepted_serializations.is_empty() {
            true => String::new(),
            false => format!(" ({})", profile.accepted_serializations.join(", ")),
        };
        found.warn("", "profile-serialization", format!("the profile wants it as one file{how}: it is a folder here"));
    }
    files(bag, profile, found);
}

/// Files that have to be there, and those that may.
fn files(bag: &Looked, profile: &Profile, found: &mut Validated) {
    let (payload, tags): (Vec<&str>, Vec<&str>) =
        bag.tree.keys().map(String::as_str).partition(|p| p.starts_with("data/"));
    let is_there = |pattern: &str| match pattern.strip_suffix('/') {
        Some(_) => bag.tree.keys().any(|p| p.starts_with(pattern)),
        None => bag.tree.contains_key(pattern) || bag.fetch.contains_key(pattern),
    };
    for path in profile.tag_files_required.iter().filter(|p| !is_there(p)) {
        found.fault(path, "profile-file-missing", "the profile requires this tag file");
    }
    for path in profile.payload_files_required.iter().filter(|p| !is_there(p)) {
        found.fault(path, "profile-file-missing", "the profile requires this payload file");
    }
    // What BagIt itself has is no matter of the profile's.
    let is_own = |p: &str| {
        matches!(p, "bagit.txt" | "bag-info.txt" | "fetch.txt")
            || !p.contains('/') && p.ends_with(".txt") && (p.starts_with("manifest-") || p.starts_with("tagmanifest-"))
    };
    let lists = [(tags, &profile.tag_files_allowed), (payload.clone(), &profile.payload_files_allowed)];
    for (are, allowed) in lists {
        let Some(allowed) = allowed else { continue };
        for path in are.into_iter().filter(|p| !is_own(p) && !allowed.iter().any(|pattern| matches(pattern, p))) {
            found.fault(path, "profile-file-other", "the profile does not allow it");
        }
    }
    let is_nothing = payload.is_empty() || payload.len() == 1 && bag.found.bytes == 0;
    if profile.is_data_empty && !is_nothing {
        found.fault("data", "profile-data", "the profile wants no payload: one empty file at most");
    }
}

fn normal(algorithm: &str) -> String {
    algorithm.to_ascii_lowercase().replace('-', "")
}

/// Whether a path is what a pattern of a profile means: `*` is any number of characters and `?` one, folders' `/` among them.
fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<char>, Vec<char>) = (pattern.chars().collect(), path.chars().collect());
    let (mut p, mut s, mut star) = (0, 0, None);
    while s < path.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, s));
                p += 1;
            }
            Some(c) if *c == '?' || *c == path[s] => (p, s) = (p + 1, s + 1),
            // The last star takes one more.
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, s) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_mean_what_a_shell_means_by_them() {
        for (pattern, path, is) in [
            ("*", "a/b.txt", true),
            ("metadata/*.xml", "metadata/x/premis.xml", true),
            ("metadata/*.xml", "metadata/premis.txt", false),
            ("m?ts.xml", "mets.xml", true),
            ("a*b*c", "aXXbYYbc", true),
            ("a*b*c", "aXXbYYb", false),
            ("a", "ab", false),
        ] {
            assert_eq!(matches(pattern, path), is, "{pattern} {path}");
        }
    }
}
