//! What a bag leaves for others to fetch (RFC 8493 §2.2.3). Whoever wrote its fetch.txt may want us to knock at doors of our own
//! network, to fill the disk, or to write elsewhere: addresses, sizes and places are all held against what they may be.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::Duration,
};

use reqwest::Url;
use rustix::fs::{FlockOperation, OFlags, RenameFlags};

use super::validate::{Fault, Fetch, Looked};
use crate::{
    block,
    digest::{Digest, Sum},
    error::{Doing, Error, Kind, Result},
    stop::Stop,
};

/// As much as is fetched of a file whose size nobody tells.
const LARGEST: u64 = 16 << 30;
/// How often a file is gone on with after a connection broke, and nothing has come since.
const TRIES: u32 = 4;
/// How often an address may send elsewhere.
const ELSEWHERE: u32 = 5;
/// Silence after which a connection counts as broken.
const SILENCE: Duration = Duration::from_secs(30);

/// What was fetched.
#[derive(Debug, Default)]
pub struct Fetched {
    /// Files that have come.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What could not be had, or was not what it should be; of a bag that is invalid otherwise, why.
    pub faults: Vec<Fault>,
}

/// Fetches what fetch.txt names and is not here. Each file is under its name once its digests are those of the manifests; one
/// that has come in part is gone on with by the next call. Addresses that are not public are fetched from `hosts` alone.
///
/// Errors: `Conflict` when another run is at it. What goes wrong with a file is a fault.
pub fn fetch(bag: &Path, hosts: &[String], stop: &Stop, tell: &dyn Fn(&str)) -> Result<Fetched> {
    let looked = Looked::at(bag, stop)?;
    let lock = File::open(&looked.root).doing(|| format!("cannot open {}", bag.display()))?;
    if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Err(Error::new(Kind::Conflict, format!("another run fetches for {}", bag.display())));
    }
    // What is wrong only as long as files are missing.
    let is_other = |f: &&Fault| !matches!(f.code, "not-fetched" | "payload-oxum");
    let mut done =
        Fetched { faults: looked.found.faults.iter().filter(is_other).cloned().collect(), ..Fetched::default() };
    if !done.faults.is_empty() {
        return Ok(done);
    }
    let missing: Vec<_> = looked.fetch.iter().filter(|(path, _)| !looked.tree.contains_key(*path)).collect();
    for (at, (path, fetch)) in missing.iter().enumerate() {
        stop.check()?;
        tell(&format!("fetching {path} ({} of {})", at + 1, missing.len()));
        match one(&looked, path, fetch, hosts, stop) {
            Ok(bytes) => (done.files, done.bytes) = (done.files + 1, done.bytes + bytes),
            Err(e) => {
                let code = match e.kind() {
                    Kind::Corrupt => "checksum",
                    Kind::Unavailable => "not-fetched",
                    Kind::Invalid | Kind::NotFound | Kind::Unsupported => "address",
                    _ => return Err(e),
                };
                done.faults.push(Fault { path: (*path).clone(), code, detail: e.one_line() });
            }
        }
    }
    Ok(done)
}

/// A profile, or whatever else is small, from an address.
pub fn document(url: &str, hosts: &[String], stop: &Stop) -> Result<Vec<u8>> {
    const MOST: u64 = 1 << 20;
    let mut text = Vec::new();
    get(url, 0, hosts, stop, &mut |answer| match answer {
        Came::Begin(_) => Ok(()),
        Came::Bytes(bytes) if (text.len() + bytes.len()) as u64 > MOST => {
            Err(Error::invalid(format!("it has more than {MOST} bytes")))
        }
        Came::Bytes(bytes) => {
            text.extend_from_slice(bytes);
            Ok(())
        }
    })?;
    Ok(text)
}

fn one(looked: &Looked, path: &str, fetch: &Fetch, hosts: &[String], stop: &Stop) -> Result<u64> {
    // Beside the payload: half a file there would be one that no manifest names.
    let part = looked.root.join(format!(".damctl-fetch-{}", Digest::of(path).short()));
    let most = fetch.bytes.unwrap_or(LARGEST);
    let mut tries = 0;
    loop {
        let had = size(&part);
        match some(&part, had, most, &fetch.url, hosts, stop) {
            Ok(()) => break,
            Err(e) if e.kind() == Kind::Unavailable => {
                tries = if size(&part) > had { 0 } else { tries + 1 };
                if tries >= TRIES {
                    return Err(e);
                }
                (0..2u32 << tries).try_for_each(|_| {
                    std::thread::sleep(Duration::from_millis(100));
                    stop.check()
                })?;
            }
            Err(e) => return Err(e),
        }
    }
    crate::crash::point("export.fetched");
    let (bytes, wrong) = (size(&part), differs(looked, path, &part, stop)?);
    let wrong = wrong.or_else(|| {
        let said = fetch.bytes.filter(|said| *said != bytes)?;
        Some(format!("{bytes} bytes came, fetch.txt says {said}"))
    });
    if let Some(why) = wrong {
        fs::remove_file(&part).doing(|| format!("cannot remove {}", part.display()))?;
        return Err(Error::corrupt(why));
    }
    place(&looked.root, path, &part)?;
    Ok(bytes)
}

fn size(part: &Path) -> u64 {
    fs::symlink_metadata(part).map_or(0, |m| m.len())
}

/// What of a manifest differs of a file that came.
fn differs(looked: &Looked, path: &str, part: &Path, stop: &Stop) -> Result<Option<String>> {
    let named: Vec<_> = looked.manifests.iter().filter_map(|(name, a, m)| Some((name, *a, m.get(path)?))).collect();
    let mut sums: Vec<Sum> = named.iter().map(|(_, a, _)| Sum::new(*a)).collect();
    let reading = || format!("cannot read {}", part.display());
    let (mut file, mut block) = (opened(part, OpenOptions::new().read(true))?, vec![0; 1 << 20]);
    loop {
        stop.check()?;
        let n = file.read(&mut block).doing(reading)?;
        if n == 0 {
            break;
        }
        sums.iter_mut().for_each(|s| s.update(&block[..n]));
    }
    file.sync_all().doing(reading)?;
    let wrong = named.iter().zip(sums).find_map(|((name, algorithm, expected), sum)| {
        let is = sum.hex();
        (is != **expected).then(|| format!("what came has the {algorithm} {is}, {name} says {expected}"))
    });
    Ok(wrong)
}

/// Opens what is a file and no link.
fn opened(part: &Path, how: &mut OpenOptions) -> Result<File> {
    let file = how.custom_flags(OFlags::NOFOLLOW.bits() as i32).open(part);
    file.doing(|| format!("cannot open {}", part.display()))
}

/// Gives a file its name, in folders that are the bag's own: none of them may be a link.
fn place(root: &Path, path: &str, part: &Path) -> Result<()> {
    let to = root.join(path);
    let mut folder = root.to_owned();
    for name in Path::new(path).parent().into_iter().flat_map(Path::components) {
        folder.push(name);
        match fs::symlink_metadata(&folder) {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return Err(Error::invalid(format!("{} is no folder", folder.display()))),
            Err(_) => fs::create_dir(&folder).doing(|| format!("cannot make {}", folder.display()))?,
        }
    }
    let named = rustix::fs::renameat_with(rustix::fs::CWD, part, rustix::fs::CWD, &to, RenameFlags::NOREPLACE);
    named.map_err(|e| crate::error::io(format!("cannot name {}", to.display()), e.into()))
}

/// What an answer brings.
enum Came<'a> {
    /// It begins at this byte.
    Begin(u64),
    Bytes(&'a [u8]),
}

/// Gets what is missing of a file, in one connection.
fn some(part: &Path, had: u64, most: u64, url: &str, hosts: &[String], stop: &Stop) -> Result<()> {
    let writing = || format!("cannot write {}", part.display());
    let mut file = opened(part, OpenOptions::new().append(true).create(true).mode(0o644))?;
    let mut has = had;
    get(url, had, hosts, stop, &mut |came| match came {
        Came::Begin(at) => {
            // One that does not know parts sends all of it.
            if at != had {
                file.set_len(0).doing(writing)?;
                has = 0;
            }
            Ok(())
        }
        Came::Bytes(bytes) => {
            has += bytes.len() as u64;
            if has > most {
                file.set_len(0).doing(writing)?;
                return Err(Error::invalid(format!("more than {most} bytes came: it is not taken")));
            }
            file.write_all(bytes).doing(writing)
        }
    })
}

fn get(
    address: &str,
    from: u64,
    hosts: &[String],
    stop: &Stop,
    each: &mut dyn FnMut(Came<'_>) -> Result<()>,
) -> Result<()> {
    let mut url = Url::parse(address).map_err(|_| Error::invalid("its address cannot be used"))?;
    for _ in 0..ELSEWHERE {
        let (client, host) = client(&url, hosts)?;
        let silent = |e: reqwest::Error| Error::unavailable(format!("{host} does not answer")).because(e.without_url());
        let mut request = client.get(url.clone()).header("accept-encoding", "identity");
        if from > 0 {
            request = request.header("range", format!("bytes={from}-"));
        }
        let mut answer = block::until(&|| stop.check(), async { request.send().await })?.map_err(silent)?;
        let begin = match answer.status().as_u16() {
            // All of it was here already, or what is here is too much: the digest tells.
            416 if from > 0 => return Ok(()),
            206 => {
                let text = answer.headers().get("content-range").and_then(|v| v.to_str().ok()).unwrap_or_default();
                let at =
                    text.strip_prefix("bytes ").and_then(|r| r.split('-').next()).and_then(|n| n.parse::<u64>().ok());
                match at {
                    Some(at) if at == from => from,
                    _ => return Err(Error::invalid(format!("{host} sends another part than was asked for"))),
                }
            }
            200 => 0,
            301 | 302 | 303 | 307 | 308 => {
                let to = answer.headers().get("location").and_then(|v| v.to_str().ok());
                let to = to.and_then(|to| url.join(to).ok());
                url = to.ok_or_else(|| Error::invalid(format!("{host} sends elsewhere, and does not say where")))?;
                continue;
            }
            408 | 425 | 429 | 500..=599 => {
                return Err(Error::unavailable(format!("{host} answered {}", answer.status())));
            }
            _ => return Err(Error::invalid(format!("{host} answered {}", answer.status()))),
        };
        let expected = answer.content_length();
        each(Came::Begin(begin))?;
        let mut came = 0;
        while let Some(piece) = block::until(&|| stop.check(), async { answer.chunk().await })?.map_err(silent)? {
            came += piece.len() as u64;
            each(Came::Bytes(&piece))?;
        }
        return match expected {
            Some(expected) if came < expected => Err(Error::unavailable(format!("{host} broke off"))),
            _ => Ok(()),
        };
    }
    Err(Error::invalid(format!("it is sent elsewhere more than {ELSEWHERE} times")))
}

/// A client that can reach the host of this address alone, by the addresses that it was looked at by.
fn client(url: &Url, hosts: &[String]) -> Result<(reqwest::Client, String)> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = match url.scheme() {
        "http" | "https" => url.port_or_known_default().unwrap_or(443),
        other => return Err(Error::invalid(format!("addresses that begin with '{other}:' are not fetched from"))),
    };
    let found = (host.as_str(), port).to_socket_addrs();
    let found = found.map_err(|e| Error::unavailable(format!("'{host}' is not known")).because(e))?;
    let found: Vec<SocketAddr> = found.collect();
    if !hosts.iter().any(|h| h.eq_ignore_ascii_case(&host)) && found.iter().any(|a| !is_public(a.ip())) {
        return Err(Error::invalid(format!("'{host}' is in a network of our own: --from {host} allows it")));
    }
    let builder = reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(15))
        .read_timeout(SILENCE)
        .redirect(reqwest::redirect::Policy::none())
        // Whoever goes by a proxy cannot say whom it reaches.
        .no_proxy()
        .resolve_to_addrs(&host, &found)
        .user_agent(super::AGENT.replace(' ', "/"));
    let client = builder.build().map_err(|e| Error::unavailable("cannot make an HTTP client").because(e))?;
    Ok((client, host))
}

/// Whether an address is one of the whole internet (IANA's registries of special-purpose addresses).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(a) => {
            let [first, second, third, _] = a.octets();
            let is_shared = first == 100 && second & 0xc0 == 64;
            let is_special = (first, second, third) == (192, 0, 0) || first == 198 && second & 0xfe == 18 || first == 0;
            !(a.is_private()
                || a.is_loopback()
                || a.is_link_local()
                || a.is_documentation()
                || is_shared
                || is_special
                || first >= 224)
        }
        IpAddr::V6(a) => {
            // Global unicast; of it not documentation, not what holds an address of the other kind.
            let s = a.segments();
            s[0] & 0xe000 == 0x2000 && !(s[0] == 0x2001 && (s[1] == 0xdb8 || s[1] < 0x200)) && s[0] != 0x2002
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_whole_internet_are_public() {
        let own = "127.0.0.1 10.0.0.1 172.16.3.4 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255 \
                   198.18.0.1 ::1 :: fe80::1 fd00::1 ::ffff:10.0.0.1 ff02::1 2001:db8::1 2002:7f00:1::1 64:ff9b::7f00:1";
        own.split_whitespace().for_each(|a| assert!(!is_public(a.parse().unwrap()), "{a}"));
        for a in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "100.128.0.1"] {
            assert!(is_public(a.parse().unwrap()), "{a}");
        }
    }
}
