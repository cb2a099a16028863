//! What the files of a package are called at a place, and the order in which they appear there.

use super::{Item, Package};
use crate::{
    digest::Digest,
    error::{Error, Result},
    model::Key,
};

/// A file of a package.
#[derive(Clone, Copy)]
pub(super) struct Named<'a> {
    /// Its name; may hold several segments.
    pub(super) name: &'a str,
    /// Size in bytes.
    pub(super) bytes: u64,
    /// SHA-256.
    pub(super) digest: Digest,
    /// Media type.
    pub(super) mime: &'a str,
    /// Where it is in the store.
    pub(super) key: Option<&'a Key>,
    /// What it says, if it is in no store.
    pub(super) written: &'a [u8],
}

/// Segments, captions and the picture, then what is opened, when all that it names is there; sidecars last.
///
/// Errors: `Invalid` for a package of nothing, or with one name twice.
pub(super) fn in_order<'a>(package: &'a Package<'_>) -> Result<Vec<Named<'a>>> {
    let Some((first, others)) = package.media.split_first() else {
        return Err(Error::invalid("there is nothing to send"));
    };
    let stored = |item: &'a Item| Named {
        name: &item.name,
        bytes: item.bytes,
        digest: item.digest,
        mime: &item.mime,
        key: Some(&item.key).filter(|key| package.source.written(key).is_none()),
        written: package.source.written(&item.key).unwrap_or_default(),
    };
    let stored = others.iter().chain(&package.captions).chain(&package.thumbnail).chain([first]).map(stored);
    let written = package.sidecars.iter().map(|sidecar| Named {
        name: &sidecar.name,
        bytes: sidecar.bytes.len() as u64,
        digest: Digest::of(&sidecar.bytes),
        mime: &sidecar.mime,
        key: None,
        written: &sidecar.bytes,
    });
    let all: Vec<Named<'a>> = stored.chain(written).collect();
    let mut names: Vec<&str> = all.iter().map(|file| file.name).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::invalid(format!("two files of one publication are to be called '{}'", pair[0]))),
        None => Ok(all),
    }
}

/// A path below a folder, of names that mean nothing but themselves.
///
/// Errors: `Invalid` for what would lead elsewhere or break a command.
pub(super) fn inside(folder: &str, name: &str) -> Result<String> {
    let is_bad = |segment: &str| segment == ".." || segment == "." || segment.chars().any(char::is_control);
    if folder.split('/').chain(name.split('/')).any(is_bad) || name.split('/').any(str::is_empty) {
        return Err(Error::invalid(format!("'{folder}/{name}' cannot be the path of a file at a place"))
            .hint("no segment may be empty, '.' or '..', or hold control characters"));
    }
    Ok(if folder.is_empty() { name.to_owned() } else { format!("{}/{name}", folder.trim_end_matches('/')) })
}

/// An address below another, each segment written as addresses write it (RFC 3986, 2.3).
pub(super) fn below(url: &str, name: &str) -> Result<String> {
    let name = inside("", name)?;
    let write = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    Ok(format!("{url}/{}", name.bytes().map(write).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_nowhere_but_below_its_folder() {
        let good = [("in", "a.mp4", "in/a.mp4"), ("/in/", "seg/1.m4s", "/in/seg/1.m4s"), ("", "a b.mp4", "a b.mp4")];
        for (folder, name, path) in good {
            assert_eq!(inside(folder, name).unwrap(), path);
        }
        for (folder, name) in
            [("in", "../a"), ("../in", "a"), ("in", ""), ("in", "/a"), ("in", "a\r\nDELE b"), ("a/./b", "c")]
        {
            assert!(inside(folder, name).is_err(), "{folder} {name}");
        }
    }
}
