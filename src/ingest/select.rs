//! Which paths of a drive are to be taken in: patterns in the syntax of gitignore(5), and lists of files.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::{
    digest::Digest,
    error::{Error, Result},
    model::RawPath,
};

/// What of a drive is looked at. The default is all of it.
#[derive(Default)]
pub struct Selection {
    exclude: Option<Gitignore>,
    include: Option<Gitignore>,
    /// Paths below the one that is surveyed, if only these.
    only: Option<Vec<PathBuf>>,
    identity: Option<String>,
    own: Vec<PathBuf>,
    again: bool,
}

impl Selection {
    /// What matches none of `exclude` and, if there are any, one of `include`; of `only`, if it is given, and what lies
    /// below it.
    ///
    /// Errors: `Invalid` for a pattern that cannot be read, and for a path of `only` that leads elsewhere.
    pub fn new(exclude: &[String], include: &[String], only: Option<Vec<PathBuf>>) -> Result<Self> {
        let leads_elsewhere = |p: &Path| p.components().any(|c| c == std::path::Component::ParentDir);
        let is_odd = |p: &&PathBuf| leads_elsewhere(p) || printed(p).is_some_and(|p| leads_elsewhere(&p));
        if let Some(odd) = only.iter().flatten().find(is_odd) {
            return Err(Error::invalid(format!("the list of files names {}, which leads elsewhere", odd.display())));
        }
        let mut fields: Vec<Vec<u8>> = Vec::new();
        let tagged = |tag: &[u8], texts: &[String]| -> Vec<Vec<u8>> {
            texts.iter().map(|t| [tag, t.as_bytes()].concat()).collect()
        };
        fields.extend(tagged(b"-", exclude));
        fields.extend(tagged(b"+", include));
        if let Some(only) = &only {
            fields.extend(only.iter().map(|p| [b"=", p.as_os_str().as_encoded_bytes()].concat()));
        }
        let identity = (!fields.is_empty()).then(|| Digest::of_fields(&fields).short());
        Ok(Self { exclude: patterns(exclude)?, include: patterns(include)?, only, identity, ..Self::default() })
    }

    /// Leaves out `own`: folders and files of the archive itself, which may lie on the drive that it takes in.
    pub fn without(self, own: Vec<PathBuf>) -> Self {
        Self { own, ..self }
    }

    /// Takes what is in the archive for read no more: it is to be read again, and held against what is recorded.
    pub fn again(self, again: bool) -> Self {
        Self { again, ..self }
    }

    pub(super) fn is_own(&self, path: &Path) -> bool {
        self.own.iter().any(|own| own == path)
    }

    pub(super) fn is_again(&self) -> bool {
        self.again
    }

    /// Tells this selection from others; none for all of a drive.
    pub(super) fn identity(&self) -> Option<&str> {
        self.identity.as_deref()
    }

    /// Whether nothing is left out by it.
    pub(super) fn is_all(&self) -> bool {
        self.identity.is_none()
    }

    /// The paths to begin at, below `start`; and names of the list under which nothing is there.
    pub(super) fn starts(&self, start: &Path) -> (Vec<PathBuf>, Vec<RawPath>) {
        // An empty name would add a slash.
        let Some(only) = &self.only else { return (vec![start.to_owned()], Vec::new()) };
        let (mut starts, mut absent) = (Vec::new(), Vec::new());
        for name in only {
            // As it is on the drive, or as damctl prints it.
            let readings = [Some(name.clone()), printed(name)].into_iter().flatten();
            let found = readings.map(|name| start.join(name.strip_prefix("/").unwrap_or(&name)));
            match found.into_iter().find(|path| is_there(start, path)) {
                Some(path) => starts.push(path),
                None => absent.push(RawPath::new(name)),
            }
        }
        (starts, absent)
    }

    /// Why a path (below the drive's root) is left out, if it is.
    pub(super) fn leaves_out(&self, path: &Path, is_dir: bool) -> Option<String> {
        let matched = |patterns: &Gitignore| match patterns.matched(path, is_dir) {
            ignore::Match::Ignore(glob) => Some(glob.original().to_owned()),
            _ => None,
        };
        if let Some(pattern) = self.exclude.as_ref().and_then(matched) {
            let below = if is_dir { ", with all that is in it" } else { "" };
            return Some(format!("left out by --exclude '{pattern}'{below}"));
        }
        // A folder may hold what is asked for.
        let include = self.include.as_ref().filter(|_| !is_dir)?;
        let is_included = path.ancestors().enumerate().any(|(up, p)| include.matched(p, up > 0).is_ignore());
        (!is_included).then(|| "no --include asks for it".to_owned())
    }
}

/// The name that damctl prints so, if it is another one.
fn printed(name: &Path) -> Option<PathBuf> {
    let read: RawPath = name.to_str()?.parse().ok()?;
    Some(read.under(Path::new(""))).filter(|read| read != name)
}

/// Whether something is at a path below `start`, without a link on the way there. What cannot be looked at is there: the
/// walk tells why.
fn is_there(start: &Path, path: &Path) -> bool {
    let is_link = |p: &Path| p.symlink_metadata().is_ok_and(|m| m.is_symlink());
    let above = path.ancestors().skip(1).take_while(|p| p.starts_with(start) && *p != start);
    let is_absent = |e: std::io::Error| matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
    !above.into_iter().any(is_link) && !path.symlink_metadata().err().is_some_and(is_absent)
}

fn patterns(globs: &[String]) -> Result<Option<Gitignore>> {
    if globs.is_empty() {
        return Ok(None);
    }
    let wrong = |glob: &str, e: ignore::Error| {
        Error::invalid(format!("the pattern '{glob}' cannot be read"))
            .because(e)
            .hint("the syntax is that of .gitignore")
    };
    let mut builder = GitignoreBuilder::new("");
    for glob in globs {
        builder.add_line(None, glob).map_err(|e| wrong(glob, e))?;
    }
    builder.build().map(Some).map_err(|e| wrong("", e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn patterns_are_those_of_gitignore() {
        let selection = Selection::new(&strings(&["*.tmp", "cache/", "!keep.tmp"]), &[], None).unwrap();
        let is_out = |path: &str, is_dir| selection.leaves_out(Path::new(path), is_dir).is_some();
        assert!(is_out("a/b.tmp", false) && is_out("x/cache", true));
        assert!(!is_out("keep.tmp", false) && !is_out("cache", false) && !is_out("a.mov", false));
        assert!(Selection::new(&strings(&["{a"]), &[], None).is_err());
    }

    #[test]
    fn what_is_included_is_so_with_all_below_it() {
        let selection = Selection::new(&strings(&["*.wav"]), &strings(&["*.mov", "day 2/"]), None).unwrap();
        let is_out = |path: &str| selection.leaves_out(Path::new(path), false).is_some();
        assert!(!is_out("a/b.mov") && !is_out("day 2/x/y.jpg"));
        assert!(is_out("a/b.jpg") && is_out("day 2/b.wav"));
        assert_eq!(selection.leaves_out(Path::new("a"), true), None);
    }
}
