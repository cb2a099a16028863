//! What objects are called: the names of COCO's classes in English and Spanish, and those of a user's own file.

use std::{collections::HashMap, fs::File, io::Read, path::Path};

use crate::error::{Doing, Error, Result};

/// COCO's 80 classes in their order, in English and Spanish.
const COCO: &str = include_str!("coco.csv");
/// Largest file of labels.
const LARGEST: u64 = 1 << 20;

/// What labels are called instead.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labels(HashMap<String, String>);

impl Labels {
    /// COCO's labels in a language (BCP 47): Spanish, or as they are for any other.
    pub fn in_language(tag: &str) -> Self {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        let is_spanish = primary.eq_ignore_ascii_case("es") || primary.eq_ignore_ascii_case("spa");
        Self(coco().filter(|_| is_spanish).map(|(english, spanish)| (english.to_owned(), spanish.to_owned())).collect())
    }

    /// These, and before them those of a user's file: a model's label, a comma, and what it is called here, one a line. A label
    /// that is called nothing is left out. What begins with `#` is a remark.
    pub fn with(mut self, path: &Path) -> Result<Self> {
        let mut text = String::new();
        let file = File::open(path).doing(|| format!("cannot open the labels {}", path.display()))?;
        file.take(LARGEST).read_to_string(&mut text).doing(|| format!("cannot read the labels {}", path.display()))?;
        for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
        {
            let (label, name) = line.split_once(',').ok_or_else(|| {
                Error::invalid(format!("line {} of {} is no pair of labels", n + 1, path.display()))
                    .hint("a model's label, a comma, and what it is called here, as in: cell phone,móvil")
            })?;
            self.0.insert(label.trim().to_owned(), name.trim().to_owned());
        }
        Ok(self)
    }

    /// What a model's label is called; none where it is called nothing.
    pub fn name<'a>(&'a self, label: &'a str) -> Option<&'a str> {
        let name = self.0.get(label).map_or(label, String::as_str);
        (!name.is_empty()).then_some(name)
    }
}

/// COCO's classes, English first.
pub(super) fn coco() -> impl Iterator<Item = (&'static str, &'static str)> {
    COCO.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(','))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_in_the_archives_language_and_in_the_users_words() {
        assert_eq!(coco().count(), 80);
        assert_eq!(
            (coco().next(), coco().last()),
            (Some(("person", "persona")), Some(("toothbrush", "cepillo de dientes")))
        );
        assert!(coco().all(|(english, spanish)| !english.is_empty() && !spanish.is_empty() && !spanish.contains(',')));
        let spanish = Labels::in_language("es-MX");
        assert_eq!(spanish.name("cup"), Some("taza"));
        assert_eq!(Labels::in_language("en").name("cup"), Some("cup"));

        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "# ours\ncell phone, móvil\n\nperson,\n").unwrap();
        let own = spanish.clone().with(file.path()).unwrap();
        assert_eq!((own.name("cell phone"), own.name("person"), own.name("dog")), (Some("móvil"), None, Some("perro")));
        std::fs::write(&file, "dog").unwrap();
        assert!(spanish.with(file.path()).is_err());
    }
}
