//! What the catalog does in a second: claims against many, the cost of a lease, and a plan with nothing to do.
//!
//! ```text
//! cargo bench --bench catalog -- [URL [CONNECTIONS]] [--assets 1000000]
//! ```
//! With the address of an empty PostgreSQL database it measures that one too, its 64 claimers with a connection each unless
//! fewer are said. With a number of assets it plans so many that have all six of their renditions: writing a million of them
//! takes some minutes, and 8 GB below `BENCH_DIR`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement fails by panicking, and prints what it found"
)]

use std::{
    collections::HashSet,
    sync::Mutex,
    time::{Duration, Instant},
};

use damctl::{
    catalog::{Catalog, Facts, PostgresConfig, Wanted},
    digest::Digest,
    model::{Asset, AssetId, Master, MediaFacts, MediaKind, Rendition, RenditionFile, Role, Stage},
    profile::Profile,
    transcode,
};

fn wanted(n: usize) -> Vec<Wanted> {
    let each = |i| Wanted {
        stage: Stage::Transcode,
        scope: String::new(),
        subject: format!("asset {i:06}"),
        recipe: "r".to_owned(),
        task: serde_json::json!({"master": i}),
        priority: 0,
    };
    (0..n).map(each).collect()
}

/// All jobs claimed by so many at once, each by one only.
fn contention(name: &str, catalog: &Catalog, claimers: usize, jobs: usize) {
    let began = Instant::now();
    let wanted = wanted(jobs);
    catalog.enqueue(&wanted).unwrap();
    println!("{name}: {:.0} jobs a second enqueued", jobs as f64 / began.elapsed().as_secs_f64());
    let claimed = Mutex::new(Vec::with_capacity(jobs));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for worker in 0..claimers {
            let (catalog, claimed) = (&catalog, &claimed);
            scope.spawn(move || {
                while let Some(lease) = catalog.claim(Stage::Transcode, "", &format!("w{worker}"), 3_600_000).unwrap() {
                    claimed.lock().unwrap().push(lease.job.id);
                }
            });
        }
    });
    let took = began.elapsed();
    let claimed = claimed.into_inner().unwrap();
    assert_eq!((claimed.len(), claimed.iter().collect::<HashSet<_>>().len()), (jobs, jobs));
    println!(
        "{name}: {claimers} claimers, {jobs} jobs, each once: {:.0} claims a second",
        jobs as f64 / took.as_secs_f64()
    );
}

/// What claiming and settling a job of nothing costs.
fn overhead(name: &str, catalog: &Catalog, jobs: usize) {
    catalog.enqueue(&wanted(jobs)).unwrap();
    let began = Instant::now();
    let mut done = 0;
    while let Some(lease) = catalog.claim(Stage::Transcode, "", "w", 60_000).unwrap() {
        catalog.heartbeat(&[&lease], 60_000).unwrap();
        catalog.settle(&lease, &Facts::default(), None).unwrap();
        done += 1;
    }
    assert_eq!(done, jobs);
    let each: Duration = began.elapsed() / jobs as u32;
    println!("{name}: claim, heartbeat and settle: {:.2} ms a job", each.as_secs_f64() * 1000.0);
}

const SIX: &str = "
video:
  proxy: { mp4: { max_height: 1080, video: { codec: h264, bitrate: 1M } } }
  web: { mp4: { max_height: 720, video: { codec: h264, bitrate: 1M } } }
  low: { mp4: { max_height: 360, video: { codec: h264, bitrate: 1M } } }
  early: { jpeg: { max_width: 320, at: 10% } }
  late: { jpeg: { max_width: 320, at: 90% } }
  large: { webp: { max_width: 1280, at: 50% } }
";

/// An asset with everything that the profile wants of it.
fn complete(n: usize, profile: &Profile) -> (Asset, Master, Vec<Rendition>) {
    let name = format!("CLIP_{n:07}.mov");
    let (id, digest) = (AssetId::derived(&[&name]), Digest::of(&name));
    let facts = MediaFacts::bare(MediaKind::Video, "video/quicktime");
    let master = Master {
        asset: id,
        generation: 1,
        role: Role::Main,
        name: name.clone(),
        digest,
        bytes: 1_000_000,
        fingerprint: None,
        key: format!("masters/{id}/{name}").parse().unwrap(),
        facts: facts.clone(),
    };
    let each = |entry: &damctl::profile::Entry| Rendition {
        asset: id,
        master: digest,
        entry: entry.name.clone(),
        recipe: entry.recipe(),
        prefix: format!("renditions/{id}/{}", entry.name).parse().unwrap(),
        files: vec![RenditionFile {
            name: format!("{}.mp4", entry.name),
            digest: Digest::of(&entry.name),
            bytes: 1000,
            mime: "video/mp4".to_owned(),
        }],
        facts: facts.clone(),
    };
    let renditions = profile.wanted(MediaKind::Video).iter().map(each).collect();
    (Asset { id, kind: MediaKind::Video, title: name, collection: None, created_at: n as i64 }, master, renditions)
}

/// The most memory that this process had, in MB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// A plan of so many assets, with nothing to do. The catalog is written by another process, so that the memory is the plan's.
fn plan(dir: &std::path::Path, assets: usize) {
    const CHUNK: usize = 1000;
    let profile = Profile::parse(SIX, "six").unwrap();
    let catalog = dir.join("plan");
    if std::env::args().any(|a| a == "--write") {
        let catalog = Catalog::open_sqlite(&catalog).unwrap();
        catalog.enqueue(&wanted(assets.div_ceil(CHUNK))).unwrap();
        for chunk in 0..assets.div_ceil(CHUNK) {
            let mut facts = Facts::default();
            for n in chunk * CHUNK..((chunk + 1) * CHUNK).min(assets) {
                let (asset, master, renditions) = complete(n, &profile);
                facts.assets.push((asset, vec![master]));
                facts.renditions.extend(renditions);
            }
            let lease = catalog.claim(Stage::Transcode, "", "w", 3_600_000).unwrap().unwrap();
            catalog.settle(&lease, &facts, None).unwrap();
        }
        return;
    }
    let program = std::env::current_exe().unwrap();
    let mut writer = std::process::Command::new(program);
    writer.args(["--write", "--assets", &assets.to_string()]).env("BENCH_PLAN", dir);
    assert!(writer.status().unwrap().success());
    let catalog = Catalog::open_sqlite(&catalog).unwrap();
    for _ in 0..3 {
        let began = Instant::now();
        let plan = transcode::plan(&catalog, &profile, &[]).unwrap();
        let took = began.elapsed();
        assert_eq!((plan.masters.len(), plan.present), (0, assets * 6));
        println!("sqlite: {assets} assets with 6 renditions planned in {:.2} s, {} MB", took.as_secs_f64(), peak());
    }
}

fn main() {
    let assets = std::env::args().skip_while(|a| a != "--assets").nth(1).map(|n| n.parse().unwrap());
    if let (Some(dir), Some(assets)) = (std::env::var_os("BENCH_PLAN"), assets) {
        return plan(dir.as_ref(), assets);
    }
    let url = std::env::args().find(|a| a.starts_with("postgres"));
    let dir = tempfile::tempdir_in(std::env::var_os("BENCH_DIR").unwrap_or_else(|| "target".into())).unwrap();
    let sqlite = |name: &str| Catalog::open_sqlite(&dir.path().join(name)).unwrap();
    if let Some(assets) = assets {
        return plan(dir.path(), assets);
    }
    overhead("sqlite", &sqlite("overhead"), 5_000);
    contention("sqlite", &sqlite("contention"), 8, 20_000);
    if let Some(url) = url {
        let server =
            |connections| Catalog::open_postgres(&PostgresConfig { connections, ..PostgresConfig::new(&url) }).unwrap();
        overhead("postgresql", &server(2), 5_000);
        let connections = std::env::args().find_map(|a| a.parse().ok()).unwrap_or(64);
        contention(&format!("postgresql, {connections} connections"), &server(connections), 64, 100_000);
    }
}
