//! Files that others send: what was announced becomes an asset once, or fails with its reason and leaves nothing behind.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    ops::Range,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use damctl::{
    catalog::{Catalog, FakeClock, SqliteDb},
    digest::Digest,
    error::{Error, Kind, Result},
    media::child::ChildProcess,
    model::{Area, Arrival, ArrivalState, AssetId, Key},
    receive::{Announced, Presigned, Receive, SCOPE, presign, wanted},
    spool::Spool,
    stop::Stop,
    store::{Arrived, Committed, Deposit, Found, MemoryStore, Staged, Store, Upload, ocfl},
    work::{Drain, Event, Reporter, Silent, Summary, Until, drain},
};

use crate::harness::{self, Archive, damctl as program, picture, scratch};

/// A memory store to which files are sent by [`send`](Doorstep::send).
#[derive(Clone, Default)]
struct Doorstep {
    store: MemoryStore,
    sent: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    given_up: Arc<Mutex<Vec<String>>>,
}

impl Doorstep {
    fn send(&self, arrival: &Arrival, bytes: &[u8]) {
        self.sent.lock().unwrap().insert(arrival.upload.clone(), bytes.to_vec());
    }
}

impl Store for Doorstep {
    fn stage(&self, prefix: &Key) -> Result<Box<dyn Deposit>> {
        self.store.stage(prefix)
    }

    fn commit(&self, deposits: Vec<Staged>) -> Result<Vec<Committed>> {
        self.store.commit(deposits)
    }

    fn put(&self, key: &Key, bytes: &[u8]) -> Result<Committed> {
        self.store.put(key, bytes)
    }

    fn restore(&self, key: &Key, size: u64, from: &mut dyn Read) -> Result<()> {
        self.store.restore(key, size, from)
    }

    fn rewrite(&self, key: &Key, bytes: &[u8]) -> Result<()> {
        self.store.rewrite(key, bytes)
    }

    fn open(&self, key: &Key, range: Option<Range<u64>>) -> Result<Box<dyn Read + Send>> {
        self.store.open(key, range)
    }

    fn size(&self, key: &Key) -> Result<Option<u64>> {
        self.store.size(key)
    }

    fn list(&self, prefix: &Key) -> Result<Vec<Key>> {
        self.store.list(prefix)
    }

    fn each_object(&self, area: Area, each: &mut dyn FnMut(Found) -> Result<()>) -> Result<()> {
        self.store.each_object(area, each)
    }

    fn remove(&self, prefix: &Key) -> Result<()> {
        self.store.remove(prefix)
    }

    fn local_path(&self, _: &Key) -> Option<PathBuf> {
        None
    }

    fn begin_presigned(&self, key: &Key, size: u64, _: Duration) -> Result<Option<(Upload, Vec<String>)>> {
        let upload = Upload { id: format!("to {key}"), part_bytes: size, parts: Vec::new(), checksum: None };
        Ok(Some((upload, vec![format!("http://door/{key}")])))
    }

    fn receive(&self, key: &Key, upload: &Upload, size: u64) -> Result<Arrived> {
        if self.given_up.lock().unwrap().contains(&upload.id) {
            return Err(Error::not_found(format!("the upload to {key} has been given up")));
        }
        match self.sent.lock().unwrap().get(&upload.id) {
            Some(bytes) if bytes.len() as u64 == size => {
                self.store.put(key, bytes)?;
                Ok(Arrived::Here { bytes: size })
            }
            sent => Ok(Arrived::Missing { bytes: sent.map_or(0, |b| b.len() as u64) }),
        }
    }

    fn abort_upload(&self, _: &Key, id: &str) -> Result<()> {
        self.given_up.lock().unwrap().push(id.to_owned());
        Ok(())
    }
}

struct Gate {
    catalog: Catalog,
    clock: Arc<FakeClock>,
    door: Doorstep,
    dir: tempfile::TempDir,
}

const DAY: Duration = Duration::from_secs(24 * 3600);
const HOUR_MS: i64 = 3600 * 1000;

impl Gate {
    fn new() -> Self {
        let dir = scratch();
        let clock = Arc::new(FakeClock::at(1_000_000_000_000));
        let db = SqliteDb::open(&dir.path().join("catalog.sqlite"), clock.clone()).unwrap();
        Self { catalog: Catalog::new(Arc::new(db)), clock, door: Doorstep::default(), dir }
    }

    fn announce(&self, name: &str, bytes: &[u8]) -> Arrival {
        let file = Announced {
            name: name.to_owned(),
            bytes: bytes.len() as u64,
            digest: Digest::of(bytes),
            collection: Some("desk".to_owned()),
        };
        match presign(&self.catalog, &self.door, &file, DAY).unwrap() {
            Presigned::Expected(arrival, addresses) => {
                assert_eq!(addresses.len(), 1);
                *arrival
            }
            Presigned::Present(asset) => panic!("{asset} has it"),
        }
    }

    /// One look at everything, or, with `waits`, at what is due.
    fn look(&self, waits: bool) -> Summary {
        let spool = Spool::open(&self.dir.path().join("scratch")).unwrap();
        let child = ChildProcess::new(harness::DAMCTL.into(), None);
        let stage = Receive { catalog: &self.catalog, store: &self.door, child: &child, spool: &spool, waits };
        self.catalog.enqueue(&wanted(&self.catalog).unwrap()).unwrap();
        // The clock stands still, so what is not due is not waited for.
        let until = if waits { Until::Forever } else { Until::Empty };
        let stop = Stop::new();
        let reporter = StopWhenIdle(stop.clone());
        let how = Drain { scope: SCOPE.to_owned(), workers: 1, until, ..Drain::default() };
        drain(&self.catalog, &stage, &how, if waits { &reporter } else { &Silent }, &stop).unwrap()
    }

    fn state(&self, arrival: &Arrival) -> (ArrivalState, Option<String>) {
        let now = self.catalog.arrival(arrival.asset).unwrap().unwrap();
        (now.state, now.error)
    }

    fn objects(&self, asset: AssetId) -> Vec<String> {
        let root = ocfl::object_root(asset).unwrap();
        let below = self.door.list(&root).unwrap();
        below.iter().map(|k| k.as_str()[root.as_str().len() + 1..].to_owned()).collect()
    }
}

/// Ends a drain after its first attempt.
struct StopWhenIdle(Stop);

impl Reporter for StopWhenIdle {
    fn report(&self, event: &Event<'_>) {
        if matches!(event, Event::Ended { .. }) {
            self.0.trip();
        }
    }
}

#[test]
fn what_arrives_as_announced_becomes_an_asset_that_can_be_read_without_damctl() {
    let gate = Gate::new();
    let dir = scratch();
    picture(&dir.path().join("a.png"), 1);
    let bytes = fs::read(dir.path().join("a.png")).unwrap();
    let arrival = gate.announce("harbor ñ.png", &bytes);
    assert_eq!(gate.look(false).done, 1);
    assert_eq!(gate.state(&arrival), (ArrivalState::Pending, None), "nothing has arrived");
    gate.door.send(&arrival, &bytes);
    assert_eq!(gate.look(false).done, 1);
    assert_eq!(gate.state(&arrival), (ArrivalState::Processing, None));
    let row = gate.catalog.asset(arrival.asset).unwrap();
    assert_eq!((row.asset.title.as_str(), row.asset.collection.as_deref()), ("harbor ñ.png", Some("desk")));
    let master = &row.masters[0];
    assert_eq!((master.digest, master.bytes, &master.key), (Digest::of(&bytes), bytes.len() as u64, &arrival.key));
    assert_eq!(master.fingerprint, Some(damctl::digest::fingerprint(master.bytes, &bytes, &bytes)));
    assert_eq!(master.facts.image.as_ref().map(|i| (i.width, i.height)), Some((64, 48)));
    assert_eq!(
        gate.objects(arrival.asset),
        [
            "0=ocfl_object_1.1",
            "inventory.json",
            "inventory.json.sha256",
            "v1/content/harbor%20%C3%B1.png",
            "v1/inventory.json",
            "v1/inventory.json.sha256"
        ]
    );
    let read = ocfl::Inventory::read(&gate.door, &ocfl::object_root(arrival.asset).unwrap()).unwrap().unwrap();
    assert!(read.holds(&master.digest));
    // Everything is settled: nothing is planned, and announced again it is there.
    assert_eq!(wanted(&gate.catalog).unwrap(), []);
    let file = Announced { name: "x".into(), bytes: 1, digest: Digest::of(&bytes), collection: None };
    assert_eq!(presign(&gate.catalog, &gate.door, &file, DAY).unwrap(), Presigned::Present(arrival.asset));
}

#[test]
fn other_bytes_than_announced_fail_and_are_removed() {
    let gate = Gate::new();
    let arrival = gate.announce("a.txt", b"what was announced");
    gate.door.send(&arrival, b"what was ANNOUNCED");
    let summary = gate.look(false);
    assert_eq!(summary.failed.len(), 1);
    let (state, error) = gate.state(&arrival);
    assert_eq!(state, ArrivalState::Failed);
    assert!(error.unwrap().starts_with("other bytes arrived than were announced"));
    assert_eq!(gate.objects(arrival.asset), [""; 0]);
    assert!(!gate.catalog.has_asset(arrival.asset).unwrap());
    assert_eq!(wanted(&gate.catalog).unwrap(), []);
}

#[test]
fn patience_lasts_as_long_as_the_addresses_and_no_longer() {
    let gate = Gate::new();
    let arrival = gate.announce("slow.txt", b"slow");
    let mut waits = Vec::new();
    for _ in 0..12 {
        let began = gate.catalog.now().unwrap();
        let summary = gate.look(true);
        assert!(summary.failed.is_empty());
        let due = gate.catalog.open_jobs(damctl::model::Stage::Receive, SCOPE).unwrap().1.unwrap();
        waits.push(due - began);
        gate.clock.advance(due - began);
    }
    assert!(waits[0] <= 1_000 && waits[11] > 150_000 && waits[11] <= 300_000, "{waits:?}");
    assert_eq!(gate.state(&arrival).0, ArrivalState::Pending);
    // Within the last hour it comes after all; another does not.
    let never = gate.announce("never.txt", b"never");
    gate.door.send(&never, b"nev");
    gate.clock.advance(23 * HOUR_MS);
    gate.door.send(&arrival, b"slow");
    gate.look(false);
    assert_eq!(gate.state(&arrival).0, ArrivalState::Processing);
    gate.clock.advance(2 * HOUR_MS);
    assert_eq!(gate.look(false).failed[0].1.kind, Kind::NotFound);
    let why = Some("it did not come in time: 3 of 5 bytes were there".to_owned());
    assert_eq!(gate.state(&never), (ArrivalState::Failed, why));
    assert_eq!(*gate.door.given_up.lock().unwrap(), [never.upload]);
}

#[test]
fn of_two_that_announced_the_same_bytes_one_is_the_asset_and_both_are_told() {
    let gate = Gate::new();
    let (one, two) = (gate.announce("one.txt", b"the same"), gate.announce("two.txt", b"the same"));
    gate.door.send(&one, b"the same");
    gate.door.send(&two, b"the same");
    assert_eq!(gate.look(false).done, 2);
    let rows = [&one, &two].map(|a| gate.catalog.arrival(a.asset).unwrap().unwrap());
    assert!(rows.iter().all(|r| r.state == ArrivalState::Processing), "{rows:?}");
    let holders: Vec<_> = rows.iter().filter_map(|r| r.holder).collect();
    assert_eq!(holders.len(), 1);
    assert!(gate.catalog.has_asset(holders[0]).unwrap());
    let kept = [&one, &two].map(|a| gate.objects(a.asset).len());
    assert_eq!(kept.iter().sum::<usize>(), 6, "the other's objects are removed");
}

#[test]
fn of_two_reconcilers_only_the_one_with_the_lease_moves_an_arrival() {
    let gate = Gate::new();
    let arrival = gate.announce("a.txt", b"abc");
    gate.catalog.enqueue(&wanted(&gate.catalog).unwrap()).unwrap();
    let claim = |who| gate.catalog.claim(damctl::model::Stage::Receive, SCOPE, who, 60_000).unwrap();
    let late = claim("late").unwrap();
    gate.clock.advance(61_000);
    let owner = claim("owner").unwrap();
    let lost = gate.catalog.arrival_uploaded(&late, arrival.asset).unwrap_err();
    assert_eq!((lost.kind(), gate.state(&arrival).0), (Kind::LeaseLost, ArrivalState::Pending));
    gate.catalog.arrival_uploaded(&owner, arrival.asset).unwrap();
    assert_eq!(gate.state(&arrival).0, ArrivalState::Uploaded);
    // Not twice, not even by the owner.
    assert_eq!(gate.catalog.arrival_uploaded(&owner, arrival.asset).unwrap_err().kind(), Kind::LeaseLost);
}

#[test]
fn what_cannot_be_announced_is_refused() {
    let gate = Gate::new();
    let file = |name: &str, bytes| Announced { name: name.into(), bytes, digest: Digest::of(name), collection: None };
    for bad in [file("", 1), file("../a", 1), file("..", 1), file("a", 0)] {
        assert_eq!(presign(&gate.catalog, &gate.door, &bad, DAY).unwrap_err().kind(), Kind::Invalid, "{bad:?}");
    }
    let none = presign(&gate.catalog, &MemoryStore::new(), &file("a", 1), DAY).unwrap_err();
    assert_eq!(none.kind(), Kind::Unsupported);
    let archive = Archive::new();
    let digest = Digest::of("a").to_string();
    archive.run(["presign", "a", "--size", "1", "--sha256", &digest]).ends(2).says("gives no addresses");
    archive.run(["presign", "a", "--size", "1", "--sha256", "abc"]).ends(2).says("is not a SHA-256 digest");
    archive.run(["presign", "a", "--size", "1", "--sha256", &digest, "--valid", "169"]).ends(2).says("1..=168");
}

#[test]
fn a_file_is_sent_to_a_bucket_by_its_addresses_alone() {
    let Some(endpoint) = harness::s3_endpoint() else { return };
    let archive = Archive::new();
    let settings = format!("store: s3://suite/{}\ns3_endpoint: {endpoint}\ns3_part_size: 5\n", uuid::Uuid::now_v7());
    fs::write(archive.root().join("damctl.yaml"), settings).unwrap();
    program(["init".as_ref(), archive.root().as_os_str()]).ends(0);
    let film = fs::read(harness::drive().join("2019 harbor/harbor_master.mov")).unwrap();
    let presign = |name: &str, bytes: &[u8]| {
        let (size, digest) = (bytes.len().to_string(), Digest::of(bytes).to_string());
        archive.json(["presign", name, "--size", &size, "--sha256", &digest, "--json", "--collection", "desk"])
    };
    let told = presign("harbor.mov", &film);
    let parts = told["parts"].as_array().unwrap().clone();
    assert_eq!(parts.len(), film.len().div_ceil(5 << 20));
    let put = |part: &serde_json::Value, film: &[u8]| {
        let (offset, bytes) = (part["offset"].as_u64().unwrap() as usize, part["bytes"].as_u64().unwrap() as usize);
        assert_eq!(harness::http("PUT", part["url"].as_str().unwrap(), &film[offset..offset + bytes]).0, 200);
    };
    parts[1..].iter().for_each(|part| put(part, &film));
    archive.run(["receive"]).ends(0).says("1 pending");
    // What is awaited is nobody's to give up.
    archive.run(["collect", "--days", "0", "--yes"]).ends(0).says("nothing to do");
    put(&parts[0], &film);
    archive.run(["receive"]).ends(0).says("1 processing");
    let id = told["asset"].as_str().unwrap();
    assert_eq!(archive.rows("SELECT id, kind, collection FROM assets"), [format!("{id}|video|desk")]);
    archive.run(["verify"]).ends(0).says("1 sound, 0 not");
    assert_eq!(presign("again.mov", &film)["state"], "present");
    archive.run(["transcode"]).ends(0);
    archive.run(["status"]).ends(0).says("arrivals   ready");
    // A wrong byte.
    let wrong = presign("wrong.mov", b"five!");
    put(&wrong["parts"][0], b"FIVE!");
    archive.run(["receive"]).ends(1).says("failed: wrong.mov: other bytes arrived than were announced").says("presign");
    archive.run(["receive"]).ends(0).says("1 failed").says("1 ready");
    archive.run(["verify"]).ends(0).says(" 0 not");
    assert_eq!(archive.rows("SELECT COUNT(*) FROM jobs WHERE stage = 'receive' AND state = 'leased'"), ["0"]);
}

#[test]
fn a_watching_receiver_sees_what_comes_and_ends_when_it_is_asked() {
    let Some(endpoint) = harness::s3_endpoint() else { return };
    let archive = Archive::new();
    let settings = format!("store: s3://suite/{}\ns3_endpoint: {endpoint}\n", uuid::Uuid::now_v7());
    fs::write(archive.root().join("damctl.yaml"), settings).unwrap();
    program(["init".as_ref(), archive.root().as_os_str()]).ends(0);
    let watch = || {
        let mut command = archive.command(["receive", "--watch"]);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    let both = [watch(), watch()];
    let digest = Digest::of("words").to_string();
    let told = archive.json(["presign", "a.txt", "--size", "5", "--sha256", &digest, "--json"]);
    assert_eq!(harness::http("PUT", told["parts"][0]["url"].as_str().unwrap(), b"words").0, 200);
    let began = std::time::Instant::now();
    while archive.rows("SELECT state FROM arrivals") != ["ready"] {
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", archive.rows("SELECT * FROM arrivals"));
        std::thread::sleep(Duration::from_millis(100));
    }
    for child in both {
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).unwrap();
        let out = harness::Ran::from(child.wait_with_output().unwrap());
        out.ends(143);
    }
    assert_eq!(archive.rows("SELECT COUNT(*) FROM events WHERE kind IN ('arrival.uploaded', 'asset.stored')"), ["2"]);
}
