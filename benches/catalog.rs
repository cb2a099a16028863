//! What the catalog does in a second: claims against many, the cost of a lease, and a plan with nothing to do.
//!
//! `cargo bench --bench catalog -- [URL [CONNECTIONS]]`: with the address of an empty PostgreSQL database it measures that one
//! too, its 64 claimers with a connection each unless fewer are said.
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
    model::Stage,
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

fn main() {
    let url = std::env::args().find(|a| a.starts_with("postgres"));
    let dir = tempfile::tempdir_in(std::env::var_os("BENCH_DIR").unwrap_or_else(|| "target".into())).unwrap();
    let sqlite = |name: &str| Catalog::open_sqlite(&dir.path().join(name)).unwrap();
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
