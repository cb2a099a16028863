//! Words that end up in scripts and manifests: checked when they are given, quoted when they are written.

use std::{fmt, str::FromStr};

use crate::{
    error::{Error, Result},
    model::Stage,
};

/// Declares a word: what is allowed in it, in code and in words.
macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $what:literal, $is_sound:expr, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
        pub struct $name(String);

        impl $name {
            /// As text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                let is_sound: fn(&str) -> bool = $is_sound;
                match is_sound(text) {
                    true => Ok(Self(text.to_owned())),
                    false => Err(Error::invalid(format!(concat!("'{}' is no ", $what, ": expected ", $expected), text.escape_debug()))),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

fn all(text: &str, longest: usize, allowed: fn(u8) -> bool) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(allowed)
}

fn is_slurm_name(text: &str) -> bool {
    all(text, 64, |b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)) && !text.starts_with('-')
}

fn is_label(text: &str) -> bool {
    all(text, 63, |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_number(text: &str) -> bool {
    all(text, 10, |b| b.is_ascii_digit())
}

fn is_gpus(text: &str) -> bool {
    text.split_once(':').map_or(is_number(text), |(model, count)| is_slurm_name(model) && is_number(count))
}

fn is_dependency(text: &str) -> bool {
    let (kind, job) = text.split_once(':').unwrap_or(("afterany", text));
    let job = job.split_once('_').map_or(is_number(job), |(job, task)| is_number(job) && is_number(task));
    ["after", "afterany", "afterok", "afternotok", "aftercorr"].contains(&kind) && job
}

word!(
    /// A name of Slurm's: an account, a QOS.
    SlurmName, "name of Slurm's", is_slurm_name, "letters, digits, '_', '-' and '.'"
);
word!(
    /// One or several partitions.
    Partition, "partition", |text| text.split(',').all(is_slurm_name),
    "names of letters, digits, '_', '-' and '.', with commas between them"
);
word!(
    /// Graphics processors, perhaps of one model.
    Gpus, "number of GPUs", is_gpus, "a number such as 1, or MODEL:NUMBER"
);
word!(
    /// A job that has to come first.
    Dependency, "job to wait for", is_dependency,
    "a job's id, perhaps after afterok:, afterany:, aftercorr:, afternotok: or after:"
);
word!(
    /// A name of an object of Kubernetes.
    Label, "name of an object of Kubernetes", is_label,
    "at most 63 lower-case letters, digits and '-', a letter or digit at both ends"
);
word!(
    /// A container image.
    Image, "container image",
    |text| all(text, 512, |b| b.is_ascii_alphanumeric() || b"._-/:@".contains(&b)) && text.as_bytes()[0].is_ascii_alphanumeric(),
    "a reference such as REGISTRY/damctl:0.1.0"
);

/// Where the tasks of a stage, or of all, may run: `STAGE=NAME`, or `NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagePartition {
    /// The stage; none for all.
    pub stage: Option<Stage>,
    /// Where.
    pub partition: Partition,
}

impl FromStr for StagePartition {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (stage, name) = text.split_once('=').map_or((None, text), |(stage, name)| (Some(stage), name));
        Ok(Self { stage: stage.map(str::parse).transpose()?, partition: name.parse()? })
    }
}

impl StagePartition {
    /// The partition of a stage: its own, else that of all; of several, the last.
    pub fn of(all: &[Self], stage: Stage) -> Option<&Partition> {
        let of = |wanted: Option<Stage>| all.iter().rfind(|p| p.stage == wanted);
        of(Some(stage)).or_else(|| of(None)).map(|p| &p.partition)
    }
}

impl Dependency {
    /// As Slurm wants it. Of a job that is only named, the end is awaited, whatever it is: what could be done is gone on with.
    pub fn written(&self) -> String {
        if self.0.contains(':') { self.0.clone() } else { format!("afterany:{}", self.0) }
    }
}

/// An amount of memory or disk, in MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Mebibytes(pub u64);

impl FromStr for Mebibytes {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = text.strip_suffix("iB").unwrap_or(text.trim_end_matches('i'));
        let (digits, unit) = match number.char_indices().last() {
            Some((at, 'M' | 'm')) => (&number[..at], 1),
            Some((at, 'G' | 'g')) => (&number[..at], 1 << 10),
            Some((at, 'T' | 't')) => (&number[..at], 1 << 20),
            _ => ("", 0),
        };
        match digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)) {
            Some(mebibytes @ 512..=16_777_216) => Ok(Self(mebibytes)),
            _ => Err(Error::invalid(format!(
                "'{}' is no amount: expected one such as 8G, 512M at least",
                text.escape_debug()
            ))),
        }
    }
}

/// A word of a shell's command: as it is where nothing in it means anything, else in single quotes.
pub(super) fn shell(word: &str) -> String {
    match all(word, usize::MAX, |b| b.is_ascii_alphanumeric() || b"_-./:=,@%+".contains(&b)) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// A path as a word of a script. No line of it may end in the middle of the path.
pub(super) fn path(path: &std::path::Path) -> Result<String> {
    match path.to_str() {
        Some(text) if !text.chars().any(char::is_control) => Ok(text.to_owned()),
        _ => Err(Error::invalid(format!("{} cannot be written into a script", path.display()))
            .hint("its name is no UTF-8 text, or has control characters: rename it")),
    }
}

/// A text as a scalar of YAML, whatever is in it: a string of JSON is one.
pub(super) fn yaml(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_words_are_refused_where_they_are_given() {
        for wrong in ["; rm -rf /", "", "-x", "a b", "a\nb", "$(id)", "a,,b", "`id`", "a\0", "ü"] {
            assert!(wrong.parse::<Partition>().is_err(), "{wrong:?}");
            assert!(wrong.parse::<SlurmName>().is_err(), "{wrong:?}");
            assert!(wrong.parse::<Label>().is_err(), "{wrong:?}");
            assert!(wrong.parse::<Image>().is_err(), "{wrong:?}");
            assert!(wrong.parse::<Gpus>().is_err(), "{wrong:?}");
            assert!(wrong.parse::<Dependency>().is_err(), "{wrong:?}");
            assert!(wrong.parse::<Mebibytes>().is_err(), "{wrong:?}");
        }
        let told = "; rm -rf /\n".parse::<Partition>().unwrap_err().to_string();
        assert_eq!(
            told,
            "'; rm -rf /\\n' is no partition: expected names of letters, digits, '_', '-' and '.', with commas between them"
        );
        for wrong in ["Upper", "a.b", "a-", "-a"] {
            assert!(wrong.parse::<Label>().is_err(), "{wrong}");
        }
        for wrong in ["8", "8K", "0G", "G", "-1G", "99999999999999999999G", "64T"] {
            assert!(wrong.parse::<Mebibytes>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn usual_words_are_taken() {
        assert!("long,short_2".parse::<Partition>().is_ok());
        assert!("a100:2".parse::<Gpus>().is_ok() && "1".parse::<Gpus>().is_ok());
        assert_eq!("17_3".parse::<Dependency>().unwrap().written(), "afterany:17_3");
        assert_eq!("afterok:17".parse::<Dependency>().unwrap().written(), "afterok:17");
        assert!("registry:5000/news/damctl@sha256:0af1".parse::<Image>().is_ok());
        for (text, mebibytes) in [("8G", 8192), ("8Gi", 8192), ("8GiB", 8192), ("512M", 512), ("1t", 1 << 20)] {
            assert_eq!(text.parse::<Mebibytes>().unwrap().0, mebibytes, "{text}");
        }
    }

    #[test]
    fn quoted_words_come_out_of_shell_and_yaml_as_they_went_in() {
        for text in ["plain/path", "two words", "it's", "$(id) `id` \"x\" \\", "; rm -rf / #", "ü: {a}"] {
            let out =
                std::process::Command::new("sh").arg("-c").arg(format!("printf %s {}", shell(text))).output().unwrap();
            assert_eq!(String::from_utf8(out.stdout).unwrap(), text);
            assert_eq!(serde_saphyr::from_str::<String>(&yaml(text)).unwrap(), text);
        }
        assert!(path(std::path::Path::new("/a\n#SBATCH --x")).is_err());
    }
}
