//! Text in print by Tesseract's program, which needs no model of ours: for pages and as what is left where no model is.
//!
//! It gets a picture on its standard input and tells words with their places on its standard output. It is run without a
//! shell, in a group of processes of its own that is ended when somebody asks to stop or when it takes too long.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{
    Picture, area,
    text::{LEAST, Line, SMALLEST, in_order},
};
use crate::{
    digest::{Digest, Hasher},
    error::{Doing, Error, Kind, Result},
    stop::Stop,
};

/// The program, as it is looked for.
const PROGRAM: &str = "tesseract";
/// Spanish and English.
pub const LANGUAGES: &str = "spa+eng";
/// How long it may take to say what it has, and to read a picture.
const ASKED: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(60);
/// Most that it may say, in bytes: a page of a newspaper takes 500 KB.
const LONGEST: u64 = 16 << 20;
/// What of a complaint is told.
const COMPLAINT: usize = 500;
/// What it gets of the environment.
const KEPT: [&str; 6] = ["PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "TESSDATA_PREFIX"];

/// Reads text by Tesseract.
#[derive(Clone, Debug)]
pub struct Reader {
    program: PathBuf,
    languages: String,
    version: String,
    data: Option<Digest>,
}

impl Reader {
    /// Asks the program of this path, or that of the search path, for its version and languages, as `spa+eng`. One that is
    /// missing or lacks a language is `Unsupported`.
    pub fn find(program: Option<&Path>, languages: &str, stop: &Stop) -> Result<Self> {
        let program = program.unwrap_or(Path::new(PROGRAM)).to_owned();
        // A name that begins with a dash would be an option.
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphanumeric())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/'))
        };
        if !languages.split('+').all(is_name) {
            return Err(Error::invalid(format!("'{languages}' are no languages of Tesseract"))
                .hint("a language, or several joined by +, such as spa+eng"));
        }
        let version = run(Command::new(&program).arg("--version"), None, ASKED, stop)?;
        let version = version.lines().next().and_then(|line| line.split_whitespace().nth(1)).unwrap_or("?").to_owned();
        let list = run(Command::new(&program).arg("--list-langs"), None, ASKED, stop)?;
        let missing: Vec<&str> = languages.split('+').filter(|l| !list.lines().any(|has| has.trim() == *l)).collect();
        if !missing.is_empty() {
            let packages: Vec<String> =
                missing.iter().map(|l| format!("tesseract-ocr-{}", l.replace('_', "-"))).collect();
            return Err(Error::unsupported(format!("Tesseract has no {}", missing.join(", ")))
                .hint(format!("install {}", packages.join(" "))));
        }
        let data = folder(&list).map(|folder| trained(&folder, languages)).transpose()?;
        Ok(Self { program, languages: languages.to_owned(), version, data })
    }

    /// Digest of what it knows of its languages, where it tells where that is.
    pub fn data(&self) -> Option<Digest> {
        self.data
    }

    /// Its version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The lines of a picture, in the order in which they are read.
    pub fn read(&self, picture: &Picture<'_>, stop: &Stop) -> Result<Vec<Line>> {
        if picture.width.min(picture.height) < SMALLEST {
            return Ok(Vec::new());
        }
        let mut command = Command::new(&self.program);
        command.args(["stdin", "stdout", "-l", &self.languages, "--psm", "3", "tsv"]);
        let said = run(&mut command, Some(picture), PATIENCE, stop)?;
        Ok(in_order(lines(&said, picture.width as f32, picture.height as f32)))
    }
}

/// Where it says that its languages lie, before it lists them.
fn folder(list: &str) -> Option<PathBuf> {
    let (_, rest) = list.lines().next()?.split_once('"')?;
    Some(rest.rsplit_once('"')?.0.into())
}

fn trained(folder: &Path, languages: &str) -> Result<Digest> {
    let each = languages.split('+').map(|language| {
        let path = folder.join(format!("{language}.traineddata"));
        let file = File::open(&path).doing(|| format!("cannot open {}", path.display()))?;
        Hasher::read_all(file, |_| Ok(())).map(|(digest, _)| digest.to_string())
    });
    Ok(Digest::of_fields(&each.collect::<Result<Vec<_>>>()?))
}

/// The lines of what Tesseract tells: words, one a row, each with the numbers of its page, block, paragraph and line, its place
/// in pixels and how sure it is in percent.
fn lines(tsv: &str, width: f32, height: f32) -> Vec<Line> {
    const WORD: &str = "5";
    struct Words {
        text: String,
        sure: Vec<f32>,
        edges: [f32; 4],
    }
    let mut all: BTreeMap<[u32; 4], Words> = BTreeMap::new();
    for row in tsv.lines() {
        let cells: Vec<&str> = row.splitn(12, '\t').collect();
        let [WORD, ref place @ .., _, left, top, wide, high, sure, text] = cells[..] else { continue };
        let number = |cell: &str| cell.parse::<f32>().ok().filter(|n| n.is_finite());
        let place: Option<Vec<u32>> = place.iter().map(|n| n.parse().ok()).collect();
        let place = place.and_then(|p| <[u32; 4]>::try_from(p).ok());
        let numbers = (number(left), number(top), number(wide), number(high), number(sure));
        let (Some(place), (Some(left), Some(top), Some(wide), Some(high), Some(sure))) = (place, numbers) else {
            continue;
        };
        let text = text.trim();
        if text.is_empty() || sure < 0.0 {
            continue;
        }
        let edges = [left, top, left + wide, top + high];
        let line = all.entry(place).or_insert(Words { text: String::new(), sure: Vec::new(), edges });
        if !line.text.is_empty() {
            line.text.push(' ');
        }
        line.text.push_str(text);
        line.sure.push((sure / 100.0).clamp(0.0, 1.0));
        let [l, t, r, b] = line.edges;
        line.edges = [l.min(edges[0]), t.min(edges[1]), r.max(edges[2]), b.max(edges[3])];
    }
    let line = |words: Words| {
        let score = words.sure.iter().sum::<f32>() / words.sure.len() as f32;
        let [left, top, right, bottom] = words.edges;
        let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
        let area = area(left, top, right, bottom, width, height);
        (score >= LEAST).then_some(Line { text: words.text, score, corners, area })
    };
    all.into_values().filter_map(line).collect()
}

/// What a command says, which gets a picture to read.
fn run(command: &mut Command, picture: Option<&Picture<'_>>, patience: Duration, stop: &Stop) -> Result<String> {
    stop.check()?;
    command.env_clear();
    command.envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    // Its threads wait for each other more than they help.
    command.env("OMP_THREAD_LIMIT", "1");
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|e| {
        let name = command.get_program().display();
        Error::unsupported(format!("{name} cannot be run"))
            .because(e)
            .hint("install tesseract-ocr and tesseract-ocr-spa, or set where Tesseract is")
    })?;
    let mut running = Running(child);
    let (input, output, complaint) = (running.0.stdin.take(), running.0.stdout.take(), running.0.stderr.take());
    thread::scope(|scope| {
        scope.spawn(move || {
            if let (Some(mut input), Some(picture)) = (input, picture) {
                // PPM, which has no compression to compute. One that does not read its picture to the end says why.
                let head = format!("P6\n{} {}\n255\n", picture.width, picture.height);
                input.write_all(head.as_bytes()).and_then(|()| input.write_all(picture.rgb)).ok();
            }
        });
        let said = scope.spawn(move || read(output));
        let complained = scope.spawn(move || read(complaint));
        let status = running.wait(patience, stop);
        // Whoever it left behind would keep the pipes open.
        drop(running);
        let said = said.join().unwrap_or_default();
        let complained = complained.join().unwrap_or_default();
        let status = status?;
        if status.success() && said.len() as u64 <= LONGEST {
            return Ok(String::from_utf8_lossy(&said).into_owned());
        }
        let complained = String::from_utf8_lossy(&complained).trim().to_owned();
        let told: String = complained.chars().take(COMPLAINT).collect();
        Err(Error::new(Kind::Invalid, format!("Tesseract failed ({status})")).because(told))
    })
}

fn read(pipe: Option<impl Read>) -> Vec<u8> {
    let mut all = Vec::new();
    if let Some(mut pipe) = pipe {
        // What came before an error is told.
        pipe.by_ref().take(LONGEST + 1).read_to_end(&mut all).ok();
    }
    all
}

/// A running command and all that it started, which end with this.
struct Running(Child);

impl Running {
    fn wait(&mut self, patience: Duration, stop: &Stop) -> Result<std::process::ExitStatus> {
        let began = Instant::now();
        loop {
            match self.0.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) => {}
                Err(e) => return Err(crate::error::io("cannot wait for Tesseract", e)),
            }
            stop.check()?;
            if began.elapsed() > patience {
                return Err(Error::unavailable(format!("Tesseract took more than {} s", patience.as_secs())));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = Pid::from_raw(self.0.id() as i32) {
            kill_process_group(group, Signal::KILL).ok();
        }
        self.0.wait().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_lines() {
        let tsv = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n\
                   1\t1\t0\t0\t0\t0\t0\t0\t200\t100\t-1\t\n\
                   5\t1\t1\t1\t1\t1\t20\t10\t40\t20\t96.5\tBuenas\n\
                   5\t1\t1\t1\t1\t2\t70\t12\t50\t18\t91.5\tnoches.\n\
                   5\t1\t1\t1\t2\t1\t20\t60\t40\t20\t12.0\t|~\n\
                   5\t1\t1\t1\t3\t1\t20\t60\t40\t20\t95\t \n\
                   5\tx\n";
        let found = lines(tsv, 200.0, 100.0);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].text.as_str(), found[0].corners[2]), ("Buenas noches.", (120.0, 30.0)));
        assert!((found[0].score - 0.94).abs() < 1e-6 && (found[0].area[3] - 0.2).abs() < 1e-6);
    }

    #[test]
    fn what_is_not_there_cannot_be_used_and_what_hangs_is_ended() {
        let stop = Stop::new();
        let none = Reader::find(Some(Path::new("/nowhere/tesseract")), LANGUAGES, &stop).unwrap_err();
        assert!(none.kind() == Kind::Unsupported && none.hint_text().is_some_and(|h| h.contains("tesseract-ocr")));
        assert_eq!(Reader::find(None, "-c x", &stop).unwrap_err().kind(), Kind::Invalid);

        // It leaves a child behind that holds its pipes.
        let mut shell = Command::new("sh");
        let began = Instant::now();
        let late = run(shell.args(["-c", "sleep 60 & sleep 60"]), None, Duration::from_millis(200), &stop).unwrap_err();
        assert_eq!(late.kind(), Kind::Unavailable);
        let mut shell = Command::new("sh");
        let left = run(shell.args(["-c", "sleep 60 & echo said"]), None, ASKED, &stop).unwrap();
        assert!(left == "said\n" && began.elapsed() < Duration::from_secs(20));
    }
}
