//! Words that are spoken: a program or an HTTP endpoint makes a WAV of a text. This is done by the process that starts the
//! renderer, for that one has no network, and no program of anybody's.
//!
//! What comes back is not trusted: it is bounded in time and size, read as linear PCM, and written anew.

mod wav;

#[cfg(feature = "tts")]
mod http;

use std::{
    fs,
    io::{Read, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::{
    digest::{Digest, Hasher},
    error::{Doing, Error, Kind, Result},
    profile::{Brand, Entry, Narration, Piece, Tts},
    stop::Stop,
};

/// How long one text may take.
const PATIENCE: Duration = Duration::from_secs(600);
/// What a WAV may be large: an hour and a half at 48 kHz, two channels of 16 bits.
const LARGEST: u64 = 1 << 30;
/// Longest script, in bytes.
const SCRIPT: u64 = 100_000;
/// The end of what a program complained that is kept for messages.
const COMPLAINT: usize = 2 << 10;

/// What a program that speaks gets of the environment.
const KEPT: [&str; 9] = [
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "XDG_DATA_HOME",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
];

/// A spoken text.
#[derive(Clone, Debug, PartialEq)]
pub struct Spoken {
    /// A WAV of linear PCM.
    pub path: PathBuf,
    /// How long it is, in milliseconds.
    pub duration_ms: u64,
}

/// Who has texts spoken, each once: the files are kept in a folder, under a digest of the words and of what speaks them.
pub struct Speaker<'a> {
    /// An existing folder, or one that can be made.
    pub dir: PathBuf,
    /// When to give up.
    pub stop: &'a Stop,
}

impl Speaker<'_> {
    /// Has what an entry's brand narrates spoken, and puts the file in the words' place.
    ///
    /// Errors: `Unsupported` when the program is not here, `Invalid` when what comes back is no speech, `Unavailable` when
    /// nobody answers, or not in time.
    pub fn narrate(&self, entry: &mut Entry) -> Result<()> {
        let narration = entry.brand.as_mut().and_then(|brand: &mut Brand| brand.narration.as_mut());
        let Some(narration) = narration.filter(|n| n.is_silent()) else { return Ok(()) };
        let spoken = self.narration(narration).map_err(|e| e.within("the brand's narration"))?;
        let file = fs::File::open(&spoken.path).doing(|| format!("cannot read {}", spoken.path.display()))?;
        let (sha256, _) = Hasher::read_all(file, |_| Ok(()))?;
        narration.file = Some(Piece { path: spoken.path, sha256: Some(sha256) });
        Ok(())
    }

    fn narration(&self, narration: &Narration) -> Result<Spoken> {
        let tts = narration.tts.as_ref().ok_or_else(|| Error::invalid("nobody is named who speaks it"))?;
        let text = match (&narration.text, &narration.script) {
            (Some(text), _) => text.clone(),
            (None, Some(script)) => script_text(&script.path)?,
            (None, None) => return Err(Error::invalid("there are no words")),
        };
        self.speak(tts, &text, narration.language.as_deref())
    }

    /// Has a text spoken, unless it was.
    pub fn speak(&self, tts: &Tts, text: &str, language: Option<&str>) -> Result<Spoken> {
        self.stop.check()?;
        let who = serde_json::to_string(tts).unwrap_or_default();
        let name = Digest::of_fields(&["speech/1", &who, text, language.unwrap_or_default()]);
        let path = self.dir.join(format!("{name}.wav"));
        if !path.is_file() {
            fs::create_dir_all(&self.dir).doing(|| format!("cannot make {}", self.dir.display()))?;
            let dir = tempfile::tempdir_in(&self.dir).doing(|| format!("cannot write in {}", self.dir.display()))?;
            let raw = dir.path().join("speech");
            let in_language = |word: &String| word.replace("{language}", language.unwrap_or("en"));
            match &tts.url {
                Some(url) => post(&in_language(url), text, language, &raw, self.stop)?,
                None => {
                    let words: Vec<String> = tts.command.iter().map(in_language).collect();
                    run(&words, text, dir.path(), &raw, self.stop)?;
                }
            }
            let whole = dir.path().join("whole");
            wav::rewrite(&raw, &whole)?;
            fs::rename(&whole, &path).doing(|| format!("cannot write {}", path.display()))?;
        }
        Ok(Spoken { duration_ms: wav::duration_ms(&path)?, path })
    }
}

/// Puts spoken texts together in one file, each at its time in milliseconds, and none over another.
pub fn join(parts: &[(u64, PathBuf)], to: &Path) -> Result<()> {
    wav::join(parts, to)
}

fn script_text(path: &Path) -> Result<String> {
    let doing = || format!("cannot read the script {}", path.display());
    if fs::metadata(path).doing(doing)?.len() > SCRIPT {
        return Err(Error::invalid(format!("{}: it has more than {} kB", doing(), SCRIPT / 1000)));
    }
    let text = fs::read_to_string(path).doing(doing)?;
    match text.trim().is_empty() {
        true => Err(Error::invalid(format!("{}: there are no words in it", doing()))),
        false => Ok(text),
    }
}

#[cfg(feature = "tts")]
fn post(url: &str, text: &str, language: Option<&str>, to: &Path, stop: &Stop) -> Result<()> {
    http::post(url, text, language, to, stop)
}

#[cfg(not(feature = "tts"))]
fn post(_: &str, _: &str, _: Option<&str>, _: &Path, _: &Stop) -> Result<()> {
    Err(Error::unsupported("speech by an address is not in this build").hint("build it with the feature 'tts'"))
}

/// A program and all that it started, which end when this does.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.0.id() as i32) {
            kill_process_group(pid, Signal::KILL).ok();
        }
        self.0.wait().ok();
    }
}

fn run(words: &[String], text: &str, dir: &Path, to: &Path, stop: &Stop) -> Result<()> {
    let program = words.first().cloned().unwrap_or_default();
    let mut command = Command::new(&program);
    for word in &words[1..] {
        match word.contains("{out}") {
            true => command.arg(word.replace("{out}", &to.display().to_string())),
            false => command.arg(word),
        };
    }
    let has_file = words.iter().any(|word| word.contains("{out}"));
    command.process_group(0).current_dir(dir).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // What else is in the environment (keys of buckets, words of passage) is none of its business.
    command.env_clear();
    for name in KEPT {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let started = command.spawn().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::unsupported(format!("the program '{program}' is not here"))
            .hint(format!("install it (Debian's package espeak-ng is one that speaks), or correct '{program}'")),
        _ => Error::unsupported(format!("the program '{program}' cannot be started: {e}")),
    })?;
    let mut child = Program(started);
    let (stdin, stdout, stderr) = (child.0.stdin.take(), child.0.stdout.take(), child.0.stderr.take());
    let text = text.to_owned();
    // A program that does not read its text is told by what it leaves.
    std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(text.as_bytes())));
    let complaint = std::thread::spawn(move || tail(stderr));
    let out = to.to_owned();
    let written = std::thread::spawn(move || match has_file {
        true => tail(stdout).map(|_| 0),
        false => keep(stdout, &out),
    });
    let began = Instant::now();
    let status = loop {
        stop.check()?;
        if let Some(status) = child.0.try_wait().doing(|| format!("cannot wait for '{program}'"))? {
            break status;
        }
        if began.elapsed() > PATIENCE {
            return Err(Error::unavailable(format!("'{program}' did not speak within {} s", PATIENCE.as_secs())));
        }
        let size = if has_file { fs::metadata(to).map_or(0, |m| m.len()) } else { 0 };
        if size > LARGEST || written.is_finished() && !has_file && fs::metadata(to).is_ok_and(|m| m.len() > LARGEST) {
            return Err(too_large());
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    // What it left running would hold the pipes open.
    drop(child);
    let bytes = written.join().map_err(|_| Error::internal("the reader of speech panicked"))?;
    let said = complaint.join().ok().and_then(|c| c.ok()).unwrap_or_default();
    let said = said.trim().lines().last().map(|line| format!(": {}", line.trim())).unwrap_or_default();
    if !status.success() {
        return Err(Error::new(Kind::Unsupported, format!("'{program}' did not speak ({status}){said}")));
    }
    if bytes.doing(|| "cannot keep speech")? > LARGEST {
        return Err(too_large());
    }
    Ok(())
}

fn too_large() -> Error {
    Error::invalid(format!("what was spoken has more than {} MB", LARGEST >> 20))
}

/// The end of what comes through a pipe.
fn tail(pipe: Option<impl Read>) -> std::io::Result<String> {
    let (mut kept, mut block) = (Vec::new(), [0; 4096]);
    let Some(mut pipe) = pipe else { return Ok(String::new()) };
    while let n @ 1.. = pipe.read(&mut block)? {
        kept.extend_from_slice(&block[..n]);
        let excess = kept.len().saturating_sub(COMPLAINT);
        kept.drain(..excess);
    }
    Ok(String::from_utf8_lossy(&kept).into_owned())
}

/// Writes what comes through a pipe to a file, as far as it is not too large.
fn keep(pipe: Option<impl Read>, to: &Path) -> std::io::Result<u64> {
    let mut file = fs::File::create(to)?;
    match pipe {
        Some(pipe) => std::io::copy(&mut pipe.take(LARGEST + 1), &mut file),
        None => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tts(words: &[&str]) -> Tts {
        Tts { command: words.iter().map(|w| (*w).to_owned()).collect(), url: None }
    }

    fn spoken(tts: &Tts, dir: &Path) -> Result<Spoken> {
        Speaker { dir: dir.to_owned(), stop: &Stop::new() }.speak(tts, "Good evening. This is the news.", Some("en"))
    }

    #[test]
    fn a_program_speaks_to_its_output_or_into_a_file_and_once() {
        let dir = tempfile::tempdir().unwrap();
        for words in [
            ["espeak-ng", "--stdin", "--stdout", "-v", "{language}"].as_slice(),
            &["espeak-ng", "--stdin", "-w", "{out}"],
        ] {
            let first = spoken(&tts(words), dir.path()).unwrap();
            assert!((1500..4000).contains(&first.duration_ms), "{first:?}");
            let made = fs::metadata(&first.path).unwrap().modified().unwrap();
            assert_eq!(spoken(&tts(words), dir.path()).unwrap(), first);
            assert_eq!(fs::metadata(&first.path).unwrap().modified().unwrap(), made);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_does_not_speak_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let told = |words: &[&str]| {
            let e = spoken(&tts(words), dir.path()).unwrap_err();
            (e.kind(), format!("{} ({})", e.one_line(), e.hint_text().unwrap_or_default()))
        };
        let (kind, gone) = told(&["no-such-voice"]);
        assert_eq!(kind, Kind::Unsupported);
        assert!(gone.contains("'no-such-voice' is not here") && gone.contains("install it"), "{gone}");
        let (_, failed) = told(&["sh", "-c", "echo my voice is gone >&2; exit 3"]);
        assert!(failed.contains("did not speak") && failed.contains("my voice is gone"), "{failed}");
        let (_, kept) =
            told(&["sh", "-c", "test -z \"$CARGO_MANIFEST_DIR\" && test -n \"$PATH\" && echo good >&2; exit 3"]);
        assert!(kept.contains("good"), "{kept}");
        let (_, mute) = told(&["true"]);
        assert!(mute.contains("no WAV"), "{mute}");
        let (_, text) = told(&["cat"]);
        assert!(text.contains("no WAV"), "{text}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
