//! How fast an index is built and asked, on a made-up archive with the words of a language in their usual frequencies
//! (Zipf), beside the full-text search of SQLite and of PostgreSQL over the same texts.
//!
//! ```text
//! cargo bench --bench search -- [--moments 10000000] [--queries 1000] [--words /usr/share/dict/spanish] [--dir DIR]
//!     [--peers] [--rate 200 --seconds 30]
//! ```
//! An index in DIR stays, and is asked again by the next run. With a rate the endpoint is asked as well (feature `serve`): so
//! many requests a second, whether or not the ones before are answered.
//! PostgreSQL's is measured where `DAMCTL_TEST_POSTGRES` names a server.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "it is a program that prints what it measures")]

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use damctl::{
    model::{AssetId, Description, FindingKind, MediaKind},
    search::{self, Card, Document, Match, Moment, Question, Searcher, Technical, Writer},
};

/// The program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Moments of an asset, on average.
const MOMENTS: usize = 10;
/// Assets that are made and written at a time.
const CHUNK: usize = 20_000;

struct Args {
    moments: usize,
    queries: usize,
    words: PathBuf,
    peers: bool,
    dir: Option<PathBuf>,
    rate: u32,
    seconds: u32,
}

fn args() -> Args {
    let words = "/usr/share/dict/spanish".into();
    let mut args = Args { moments: 1_000_000, queries: 1000, words, peers: false, dir: None, rate: 0, seconds: 30 };
    let mut given = std::env::args().skip(1);
    while let Some(flag) = given.next() {
        match flag.as_str() {
            "--moments" => args.moments = given.next().unwrap().parse().unwrap(),
            "--queries" => args.queries = given.next().unwrap().parse().unwrap(),
            "--words" => args.words = given.next().unwrap().into(),
            "--dir" => args.dir = Some(given.next().unwrap().into()),
            "--rate" => args.rate = given.next().unwrap().parse().unwrap(),
            "--seconds" => args.seconds = given.next().unwrap().parse().unwrap(),
            "--peers" => args.peers = true,
            _ => {}
        }
    }
    args
}

/// A generator of numbers that every run has the same of (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The words of a language, the frequent ones often: the n-th with a weight of 1/n.
struct Language {
    words: Vec<String>,
    sums: Vec<f64>,
}

impl Language {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_else(|e| {
            panic!("{}: {e} (Debian's package wspanish has it)", path.display());
        });
        let mut words: Vec<String> = text.lines().filter(|w| !w.is_empty()).map(str::to_owned).collect();
        // In no order that means anything, but in the same one each time.
        let mut dice = Dice(7);
        for n in (1..words.len()).rev() {
            words.swap(n, dice.below(n + 1));
        }
        words.truncate(60_000);
        let mut sum = 0.0;
        let sums = (1..=words.len())
            .map(|n| {
                sum += 1.0 / n as f64;
                sum
            })
            .collect();
        Self { words, sums }
    }

    fn word(&self, dice: &mut Dice) -> &str {
        let at = dice.share() * self.sums.last().unwrap();
        &self.words[self.sums.partition_point(|sum| *sum < at).min(self.words.len() - 1)]
    }

    fn text(&self, dice: &mut Dice, words: usize) -> String {
        (0..words).map(|_| self.word(dice)).collect::<Vec<_>>().join(" ")
    }
}

const COLLECTIONS: [&str; 8] =
    ["Noticias", "Deportes", "Cultura", "Archivo", "Entrevistas", "Documentales", "Música", "Cine"];

fn document(n: usize, language: &Language) -> Document {
    let mut dice = Dice(n as u64 * 7919 + 1);
    let asset = AssetId::derived(&["bench", &n.to_string()]);
    let title = format!("{}_{:04}-{:02}_{n}.mov", language.text(&mut dice, 2).replace(' ', "_"), 2000 + n % 25, n % 12);
    let name = |dice: &mut Dice| format!("{} {}", language.word(dice), language.word(dice));
    let kinds = [FindingKind::Speech, FindingKind::Speech, FindingKind::Speech, FindingKind::Text, FindingKind::Object];
    let moments = (0..MOMENTS)
        .map(|m| {
            let kind = kinds[m % kinds.len()];
            let words = match kind {
                FindingKind::Speech => 8 + dice.below(8),
                FindingKind::Text => 4,
                _ => 1,
            };
            let from_ms = m as u64 * 5000;
            let text = language.text(&mut dice, words);
            Moment {
                kind,
                from_ms,
                to_ms: from_ms + 4000,
                text,
                code: None,
                speaker: None,
                area: None,
                trust: Some(0.9),
                doubts: Vec::new(),
            }
        })
        .collect();
    let card = Card {
        collection: Some(COLLECTIONS[n % COLLECTIONS.len()].to_owned()),
        description: Description {
            text: Some(language.text(&mut dice, 12)),
            tags: vec![language.word(&mut dice).to_owned()],
            people: vec![name(&mut dice)],
            ..Description::default()
        },
        paths: vec![format!("ARCHIVO_{:02}/{title}", n % 40)],
        technical: Technical {
            bytes: 1_000_000 + n as u64,
            duration_ms: Some(50_000),
            size: Some((1920, 1080)),
            codec: Some("prores".into()),
            rate: Some((25, 1)),
            channels: Some(2),
            ..Technical::default()
        },
        created_at: 1_700_000_000_000 + n as i64,
        recorded_at: Some(946_684_800_000 + (n as i64 % 9000) * 86_400_000),
        ..Card::bare(asset, MediaKind::Video, title)
    };
    Document { card, moments, meaning: None }
}

struct Ask {
    words: String,
    by: Match,
    facets: Vec<String>,
}

/// What editors ask: one to three words, all or any of them, phrases, fields and ranges, with and without counts.
fn questions(count: usize, language: &Language, assets: usize) -> Vec<Ask> {
    let mut dice = Dice(99);
    (0..count)
        .map(|n| {
            let words = |dice: &mut Dice, n: usize| language.text(dice, n);
            let (mut by, mut facets) = (Match::All, Vec::new());
            let text = match n % 10 {
                0 | 1 => words(&mut dice, 1),
                2 | 3 => words(&mut dice, 2),
                4 => words(&mut dice, 3),
                5 => {
                    by = Match::Any;
                    words(&mut dice, 2 + n % 2)
                }
                6 => {
                    // Words that stand side by side somewhere.
                    let document = document(dice.below(assets), language);
                    let said = document.moments[0].text.split(' ').take(2).collect::<Vec<_>>().join(" ");
                    format!("\"{said}\"")
                }
                7 => format!("{} kind:video date:2005..2015", words(&mut dice, 1)),
                8 => format!(
                    "{} collection:{}",
                    words(&mut dice, 1),
                    COLLECTIONS[n / 10 % COLLECTIONS.len()].to_lowercase()
                ),
                _ => {
                    facets = vec!["collection".to_owned(), "people".to_owned()];
                    words(&mut dice, 2)
                }
            };
            Ask { words: text, by, facets }
        })
        .collect()
}

/// Percentiles of times.
fn percentile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    times[((times.len() as f64 * share) as usize).min(times.len() - 1)]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn tell(what: &str, times: &mut [Duration]) -> f64 {
    let (p50, p90, p99) = (percentile(times, 0.5), percentile(times, 0.9), percentile(times, 0.99));
    println!(
        "{what}: p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, most {:.1} ms",
        ms(p50),
        ms(p90),
        ms(p99),
        ms(*times.last().unwrap())
    );
    ms(p99)
}

/// Processor time of this process so far: where others work as well, it tells more than the clock.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields.iter().skip(11).take(2).filter_map(|t| t.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// The same to the nanosecond, of this thread or of all.
fn cpu_of_thread() -> Duration {
    const CLOCK_THREAD_CPUTIME_ID: i32 = 3;
    cpu_by(CLOCK_THREAD_CPUTIME_ID)
}

fn cpu_of_all() -> Duration {
    const CLOCK_PROCESS_CPUTIME_ID: i32 = 2;
    cpu_by(CLOCK_PROCESS_CPUTIME_ID)
}

fn cpu_by(clock: i32) -> Duration {
    #[repr(C)]
    struct Time {
        seconds: i64,
        nanoseconds: i64,
    }
    unsafe extern "C" {
        fn clock_gettime(clock: i32, time: *mut Time) -> i32;
    }
    let mut time = Time { seconds: 0, nanoseconds: 0 };
    // SAFETY: on 64-bit Linux the C library's `timespec` is these two numbers, and it lives until the call has ended.
    unsafe { clock_gettime(clock, &raw mut time) };
    Duration::new(time.seconds as u64, time.nanoseconds as u32)
}

fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|l| l.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).unwrap_or(0) / 1024
}

fn main() {
    let args = args();
    let language = Language::read(&args.words);
    let temp = tempfile::tempdir().unwrap();
    let dir = args.dir.clone().unwrap_or_else(|| temp.path().to_owned());
    let assets = args.moments / MOMENTS;
    println!("{assets} assets, {} moments, {} words", args.moments, language.words.len());

    if search::current(&dir).unwrap().is_none() {
        std::fs::create_dir_all(&dir).unwrap();
        // Made beforehand: what is measured is the index.
        let begin = Instant::now();
        let index = search::beside(&dir, 1).unwrap();
        let mut made = Duration::ZERO;
        let writer = Writer::open(&dir, &index.id, 0, 2).unwrap();
        let mut spent = Duration::ZERO;
        for chunk in 0..assets.div_ceil(CHUNK) {
            let (making, worked) = (Instant::now(), cpu_of_thread());
            let range = chunk * CHUNK..((chunk + 1) * CHUNK).min(assets);
            let documents: Vec<Document> = range.map(|n| document(n, &language)).collect();
            // The writer's threads go on meanwhile with what is in their queue: by the clock, less was written without it.
            made += making.elapsed();
            spent += cpu_of_thread() - worked;
            writer.replace(&documents, &[]).unwrap();
        }
        writer.commit().unwrap();
        let (written, worked) = (begin.elapsed(), cpu() - spent);
        writer.settle().unwrap();
        let all = begin.elapsed();
        println!(
            "  processor time: {:.1} s to write ({:.0} moments a second and core), {:.1} s in all",
            worked.as_secs_f64(),
            args.moments as f64 / worked.as_secs_f64(),
            (cpu() - spent).as_secs_f64()
        );
        search::switch(&dir, &index).unwrap();
        let rate = |time: Duration| args.moments as f64 / time.as_secs_f64();
        println!(
            "built in {:.1} s ({:.1} s of it made the texts): {:.0} moments a second, {:.0} without making them; merged after {:.1} s; resident {} MB",
            written.as_secs_f64(),
            made.as_secs_f64(),
            rate(written),
            rate(written.saturating_sub(made)),
            all.as_secs_f64(),
            resident()
        );
    }
    let bytes: u64 = walk(&dir);
    println!("{:.0} MB on disk, {:.0} bytes a moment", bytes as f64 / 1e6, bytes as f64 / args.moments as f64);

    let searcher = Searcher::new(&dir);
    let asked = questions(args.queries, &language, assets);
    let ask = |ask: &Ask| {
        searcher
            .search(&Question { words: &ask.words, by: ask.by, facets: &ask.facets, limit: 20, ..Question::default() })
            .unwrap()
    };
    let (mut hits, mut spots) = (0, 0);
    let (mut times, mut worked): (Vec<Duration>, Vec<Duration>) = (Vec::new(), Vec::new());
    let mut kinds: Vec<Vec<Duration>> = vec![Vec::new(); 10];
    let mut first: Vec<Vec<AssetId>> = Vec::new();
    let mut others = Vec::new();
    for round in 0..2 {
        times.clear();
        worked.clear();
        kinds.iter_mut().for_each(Vec::clear);
        for (n, question) in asked.iter().enumerate() {
            let (begin, before) = (Instant::now(), cpu_of_all());
            let answer = ask(question);
            let (time, work) = (begin.elapsed(), cpu_of_all() - before);
            times.push(time);
            worked.push(work);
            kinds[n % 10].push(time);
            let found = answer.hits.iter().map(|h| h.card.asset).collect::<Vec<_>>();
            match first.get(n) {
                None => first.push(found),
                Some(before) if *before != found => others.push((n, found)),
                Some(_) => {}
            }
            if round == 1 {
                hits += answer.hits.len();
                spots += answer.hits.iter().map(|h| h.moments.len()).sum::<usize>();
            }
        }
        tell(if round == 0 { "first round " } else { "second round" }, &mut times);
        tell("  processor time", &mut worked);
    }
    let names = [
        "one word",
        "one word",
        "two words",
        "two words",
        "three words",
        "any of them",
        "a phrase",
        "a word and dates",
        "a word and a collection",
        "two words and counts",
    ];
    for (name, times) in names.iter().zip(&mut kinds) {
        tell(&format!("  {name}"), times);
    }
    println!("{} questions with other hits in the second round", others.len());
    for (n, found) in others.iter().take(3) {
        let differ = first[*n].iter().zip(found).position(|(a, b)| a != b).unwrap_or_default();
        println!("  {} at {differ}: {:?} {:?}", asked[*n].words, first[*n].get(differ), found.get(differ));
    }
    println!("{hits} hits, {spots} moments; resident {} MB", resident());
    let mut sorted: Vec<(Duration, &Ask)> = asked
        .iter()
        .map(|q| {
            let b = Instant::now();
            ask(q);
            (b.elapsed(), q)
        })
        .collect();
    sorted.sort_by_key(|(t, _)| std::cmp::Reverse(*t));
    for (time, q) in sorted.iter().take(5) {
        println!("  slowest: {:.1} ms {}", ms(*time), q.words);
    }
    // Where others work as well, the clock tells of them: processor time is compared.
    let p99 = percentile(&mut worked, 0.99);
    #[cfg(feature = "serve")]
    if args.rate > 0 {
        drop(searcher);
        http::ask(&dir, assets, &asked, args.rate, args.seconds);
    }
    if args.peers {
        peers(&language, assets, &asked, p99);
    }
}

fn walk(dir: &Path) -> u64 {
    std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| match e.file_type() {
            Ok(t) if t.is_dir() => walk(&e.path()),
            _ => e.metadata().map(|m| m.len()).unwrap_or(0),
        })
        .sum()
}

/// The same texts and the same words in SQLite's FTS5: a row a moment, joined to its asset.
fn peers(language: &Language, assets: usize, asked: &[Ask], ours: Duration) {
    let temp = tempfile::tempdir().unwrap();
    let db = rusqlite::Connection::open(temp.path().join("fts.sqlite")).unwrap();
    db.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA mmap_size=4000000000;
        CREATE TABLE assets (id INTEGER PRIMARY KEY, title TEXT, collection TEXT, recorded INTEGER);
        CREATE VIRTUAL TABLE moments USING fts5(text, asset UNINDEXED, tokenize='unicode61 remove_diacritics 2');",
    )
    .unwrap();
    let begin = Instant::now();
    db.execute_batch("BEGIN").unwrap();
    {
        let mut asset = db.prepare("INSERT INTO assets VALUES (?1, ?2, ?3, ?4)").unwrap();
        let mut moment = db.prepare("INSERT INTO moments (text, asset) VALUES (?1, ?2)").unwrap();
        for n in 0..assets {
            let d = document(n, language);
            asset.execute(rusqlite::params![n as i64, d.card.title, d.card.collection, d.card.recorded_at]).unwrap();
            for m in &d.moments {
                moment.execute(rusqlite::params![m.text, n as i64]).unwrap();
            }
        }
    }
    db.execute_batch("COMMIT").unwrap();
    println!("FTS5 built in {:.1} s", begin.elapsed().as_secs_f64());
    let mut find = db.prepare("SELECT a.title, snippet(moments, 0, '<b>', '</b>', '…', 20), bm25(moments) FROM moments JOIN assets a ON a.id = moments.asset
        WHERE moments MATCH ?1 ORDER BY bm25(moments) LIMIT 20").unwrap();
    let text = |ask: &Ask| {
        let words: Vec<String> = ask
            .words
            .split_whitespace()
            .filter(|w| !w.contains(':'))
            .map(|w| format!("\"{}\"", w.replace('"', "")))
            .collect();
        match (ask.words.starts_with('"'), ask.by) {
            (true, _) => format!("\"{}\"", ask.words.replace('"', "")),
            (_, Match::Any) => words.join(" OR "),
            _ => words.join(" "),
        }
    };
    // Of a fifth of them, for it takes its time.
    let some: Vec<&Ask> = asked.iter().take((asked.len() / 5).max(100)).collect();
    let mut times = Vec::new();
    for ask in &some {
        let begin = cpu_of_thread();
        let mut rows = find.query([text(ask)]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let _: String = row.get(1).unwrap();
        }
        times.push(cpu_of_thread() - begin);
    }
    let p99 = tell("FTS5, processor time", &mut times);
    println!("  ratio at p99: {:.0}", p99 / ms(ours));
    drop(find);
    drop(db);
    #[cfg(feature = "postgres")]
    if let Ok(url) = std::env::var("DAMCTL_TEST_POSTGRES") {
        postgres(&url, language, assets, &some, ours);
    }
}

/// And in PostgreSQL's `tsvector`, with a GIN index.
#[cfg(feature = "postgres")]
fn postgres(url: &str, language: &Language, assets: usize, asked: &[&Ask], ours: Duration) {
    use std::io::Write;
    let mut db = postgres::Client::connect(url, postgres::NoTls).unwrap();
    db.batch_execute("DROP SCHEMA IF EXISTS bench_search CASCADE; CREATE SCHEMA bench_search; SET search_path = bench_search;
        CREATE UNLOGGED TABLE assets (id BIGINT PRIMARY KEY, title TEXT);
        CREATE UNLOGGED TABLE moments (asset BIGINT, text TEXT, words TSVECTOR GENERATED ALWAYS AS (to_tsvector('spanish', text)) STORED)").unwrap();
    let begin = Instant::now();
    let mut copy = db.copy_in("COPY moments (asset, text) FROM STDIN").unwrap();
    for n in 0..assets {
        for m in document(n, language).moments {
            writeln!(copy, "{n}\t{}", m.text).unwrap();
        }
    }
    copy.finish().unwrap();
    let mut copy = db.copy_in("COPY assets (id, title) FROM STDIN").unwrap();
    for n in 0..assets {
        writeln!(copy, "{n}\t{}", document(n, language).card.title).unwrap();
    }
    copy.finish().unwrap();
    db.batch_execute("CREATE INDEX ON moments USING gin (words); ANALYZE").unwrap();
    println!("PostgreSQL built in {:.1} s", begin.elapsed().as_secs_f64());
    let find = db
        .prepare("SELECT a.title, ts_headline('spanish', m.text, q), ts_rank(m.words, q) FROM moments m JOIN assets a ON a.id = m.asset,
                  to_tsquery('spanish', $1) q WHERE m.words @@ q ORDER BY ts_rank(m.words, q) DESC LIMIT 20")
        .unwrap();
    let mut times = Vec::new();
    for ask in asked {
        let words: Vec<String> =
            ask.words.split_whitespace().filter(|w| !w.contains(':')).map(|w| w.replace('"', "")).collect();
        let text = match (ask.words.starts_with('"'), ask.by) {
            (true, _) => words.join(" <-> "),
            (_, Match::Any) => words.join(" | "),
            _ => words.join(" & "),
        };
        let begin = Instant::now();
        let rows = db.query(&find, &[&text]).unwrap();
        times.push(begin.elapsed());
        drop(rows);
    }
    let p99 = tell("PostgreSQL", &mut times);
    println!("  ratio at p99: {:.0}", p99 / ms(ours));
    db.batch_execute("DROP SCHEMA bench_search CASCADE").unwrap();
}

/// The endpoint, asked over sockets at a steady rate.
#[cfg(feature = "serve")]
mod http {
    use std::{
        io::{BufRead, BufReader, Read, Write},
        net::TcpStream,
        path::Path,
        sync::{
            Arc, Mutex,
            atomic::{AtomicUsize, Ordering},
        },
        time::{Duration, Instant},
    };

    use damctl::{
        catalog::Catalog,
        digest::Digest,
        enrich::Sense,
        model::{AssetId, Grade, Token},
        models::Shelf,
        search::{Match, Searcher},
        serve::{Archive, Server, Terms},
        stop::Stop,
        store::MemoryStore,
    };

    use super::{Ask, COLLECTIONS, resident, tell};

    /// Callers, for each has its own limit; and connections.
    const CALLERS: usize = 8;
    const CONNECTIONS: usize = 32;

    fn catalog(dir: &Path, assets: usize) -> Catalog {
        let file = dir.join(format!("catalog-{assets}.sqlite"));
        let is_new = !file.exists();
        let catalog = Catalog::open_sqlite(&file).unwrap();
        if is_new {
            let mut db = rusqlite::Connection::open(&file).unwrap();
            let tx = db.transaction().unwrap();
            let sql = "INSERT INTO assets (id, kind, title, collection, generation, created_at) VALUES (?1, 'video', ?1, ?2, 1, 0)";
            let mut insert = tx.prepare(sql).unwrap();
            for n in 0..assets {
                let id = AssetId::derived(&["bench", &n.to_string()]).to_string();
                insert.execute(rusqlite::params![id, COLLECTIONS[n % COLLECTIONS.len()]]).unwrap();
            }
            drop(insert);
            tx.commit().unwrap();
        }
        for n in 0..CALLERS {
            let (name, id) = (format!("caller {n}"), format!("bench{n}"));
            let (collections, expires_at, revoked_at) = (None, None, None);
            let token = Token {
                id,
                name,
                grade: Grade::Viewer,
                collections,
                territory: None,
                expires_at,
                revoked_at,
                created_at: 0,
            };
            // It is there from an earlier run.
            catalog.keep_token(&token, &Digest::of(secret(n).as_bytes())).ok();
        }
        catalog
    }

    fn secret(caller: usize) -> String {
        format!("{}bench{caller}", Token::PREFIX)
    }

    fn path(ask: &Ask) -> String {
        let words: String = ask.words.bytes().map(|b| format!("%{b:02X}")).collect();
        let any = if ask.by == Match::Any { "&any=true" } else { "" };
        format!("/api/v1/search?q={words}{any}&facets={}", ask.facets.join(","))
    }

    pub(super) fn ask(dir: &Path, assets: usize, asked: &[Ask], rate: u32, seconds: u32) {
        let catalog = catalog(dir, assets);
        let server = Server::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = server.address().unwrap();
        let sense = Arc::new(Sense::new(None, Shelf::new(dir)));
        let archive = Archive {
            catalog,
            store: Arc::new(MemoryStore::new()),
            searcher: Searcher::new(dir),
            channels: None,
            sense,
        };
        let stop = Stop::new();
        let stopped = stop.clone();
        let served = std::thread::spawn(move || server.run(archive, &Terms::default(), &stopped).unwrap());
        let paths: Vec<String> = asked.iter().map(path).collect();
        let count = (rate * seconds) as usize;
        // Beforehand, so that the index is open, and what is worked out once for each of its pieces is there.
        for (n, path) in paths.iter().take(50).enumerate() {
            get(&mut connect(address), path, n);
        }
        let (next, begin) = (AtomicUsize::new(0), Instant::now());
        let times = Mutex::new((Vec::with_capacity(count), 0));
        std::thread::scope(|scope| {
            for _ in 0..CONNECTIONS {
                scope.spawn(|| {
                    let mut connection = connect(address);
                    loop {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        if n >= count {
                            return;
                        }
                        let due = begin + Duration::from_secs_f64(n as f64 / f64::from(rate));
                        std::thread::sleep(due.saturating_duration_since(Instant::now()));
                        let status = get(&mut connection, &paths[n % paths.len()], n);
                        // From when it was due: what waits for a connection waits, too.
                        let mut times = times.lock().unwrap();
                        times.0.push(due.elapsed());
                        times.1 += usize::from(status != 200);
                    }
                });
            }
        });
        let took = begin.elapsed();
        stop.trip();
        let (mut times, others) = times.into_inner().unwrap();
        tell(&format!("HTTP at {rate} requests a second"), &mut times);
        println!(
            "  {count} answers in {:.1} s, {others} of them other than 200; resident {} MB",
            took.as_secs_f64(),
            resident()
        );
        served.join().unwrap();
    }

    fn connect(address: std::net::SocketAddr) -> BufReader<TcpStream> {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        BufReader::new(stream)
    }

    /// Asks and reads the whole answer.
    fn get(connection: &mut BufReader<TcpStream>, path: &str, n: usize) -> u16 {
        let secret = secret(n % CALLERS);
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n\r\n");
        connection.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut status, mut length) = (0, 0);
        for line in connection.by_ref().lines() {
            let line = line.unwrap().to_ascii_lowercase();
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest[..3].parse().unwrap();
            }
            if let Some(n) = line.strip_prefix("content-length: ") {
                length = n.parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        connection.read_exact(&mut body).unwrap();
        status
    }
}
