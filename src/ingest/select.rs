//! Which paths of a drive are to be taken in: patterns in the syntax of gitignore(5), and lists of files.

use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::{
    digest::Digest,
    error::{Error, Result},
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
        if let Some(odd) = only.iter().flatten().find(|p| p.components().any(|c| c == std::path::Component::ParentDir))
        {
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

    /// The paths to begin at, below `start`.
    pub(super) fn starts(&self, start: &Path) -> Vec<PathBuf> {
        match &self.only {
            // An empty name would add a slash.
            None => vec![start.to_owned()],
            Some(only) => only.iter().map(|p| start.join(p.strip_prefix("/").unwrap_or(p))).collect(),
        }
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
