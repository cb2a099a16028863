//! The ledger: one post for many wishes, approvals, times, limits of accounts, rules, rights.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    Desk, another,
    site::{Site, Told},
};

/// A WordPress site that keeps media and nothing else, and counts how many are on their way at once.
struct Blog {
    site: Site,
    at_once: Arc<AtomicUsize>,
}

fn blog(takes: Duration) -> Blog {
    let (now, most): (Arc<AtomicUsize>, Arc<AtomicUsize>) = (Arc::default(), Arc::default());
    let (counting, kept) = (most.clone(), std::sync::Mutex::new(Vec::<String>::new()));
    let site = Site::new(move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/wp-json/wp/v2/users/me") => {
            Told::json(200, &json!({"name": "E", "capabilities": {"upload_files": true}}))
        }
        ("GET", "/wp-json/wp/v2/media") => {
            let kept = kept.lock().unwrap();
            let found = kept.iter().position(|slug| *slug == asked.query["slug"]);
            let shown = found.map(|i| json!({"id": i + 1, "source_url": "https://x/y"}));
            Told::json(200, &json!(shown.into_iter().collect::<Vec<_>>()))
        }
        ("POST", "/wp-json/wp/v2/media") => {
            counting.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(takes);
            let mut kept = kept.lock().unwrap();
            kept.push(asked.query["slug"].clone());
            now.fetch_sub(1, Ordering::SeqCst);
            Told::json(201, &json!({"id": kept.len(), "source_url": "https://x/y"}))
        }
        ("DELETE", _) => Told::json(200, &json!({"deleted": true})),
        other => panic!("{other:?}"),
    });
    Blog { site, at_once: most }
}

impl Blog {
    fn posts(&self) -> usize {
        self.site.count("POST", "/wp-json/wp/v2/media")
    }

    fn yaml(&self, more: &str) -> String {
        format!(
            "channels:\n  blog:\n    to: {{ wordpress: {{ site: \"{}\" }} }}\n    account: main\n    send: [web_720p, thumb_300]\n{more}",
            self.site.url
        )
    }
}

fn run(desk: &Desk, words: &[&str]) -> crate::harness::Ran {
    command(desk, words).output().unwrap().into()
}

fn command(desk: &Desk, words: &[&str]) -> std::process::Command {
    let mut command = desk.command(words);
    command.env("DAMCTL_SECRET_MAIN_USER", "e").env("DAMCTL_SECRET_MAIN_PASSWORD", "p");
    command
}

#[test]
fn a_hundred_publishers_of_the_same_thing_make_one_post() {
    let blog = blog(Duration::from_millis(300));
    let desk = Desk::new(&blog.yaml(""));
    let children: Vec<_> = (0..100)
        .map(|_| {
            let mut command = command(&desk, &["publish", &desk.asset, "--to", "blog"]);
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap()
        })
        .collect();
    let codes: Vec<_> = children.into_iter().map(|mut child| child.wait().unwrap().code().unwrap()).collect();
    assert!(codes.iter().all(|code| *code == 0), "{codes:?}");
    assert_eq!(blog.posts(), 1);
    assert_eq!(desk.states(), ["published"]);
}

#[test]
fn what_needs_approval_waits_for_it_and_what_has_its_time_for_that() {
    let blog = blog(Duration::ZERO);
    let desk = Desk::new(&blog.yaml("    needs_approval: true\n"));
    run(&desk, &["publish", &desk.asset, "--to", "blog"]).ends(0).says("waits for approval: damctl publish approve");
    assert_eq!((blog.posts(), desk.states()), (0, vec!["planned".to_owned()]));
    let id = desk.archive.rows("SELECT id FROM publications").remove(0);
    run(&desk, &["publish", "approve", &id[..12]]).ends(0);
    run(&desk, &["publish", "approve", &id[..12]]).ends(1).says("waits for nobody's approval");
    run(&desk, &["publish"]).ends(0).says("1 of 1 published");
    assert_eq!(blog.posts(), 1);

    desk.channels(&blog.yaml(""));
    let other = another(&desk);
    run(&desk, &["publish", &other, "--to", "blog", "--at", "2099-01-01"]).ends(0).says("scheduled for 2099-01-01");
    run(&desk, &["publish"]).ends(0);
    assert_eq!(blog.posts(), 1);
    let later = desk.archive.rows("SELECT id FROM publications WHERE state = 'planned'").remove(0);
    run(&desk, &["publish", "cancel", &later]).ends(0);
    let shown = run(&desk, &["publish", "status", "--json"]).ends(0).stdout;
    assert_eq!(shown.lines().count(), 2);
    assert!(shown.contains("\"url\":\"https://x/y\""), "{shown}");
}

#[test]
fn posts_go_out_as_fast_as_the_accounts_limits_allow_three_at_a_time() {
    let blog = blog(Duration::from_millis(100));
    // Four at once, and one more each quarter of a second.
    let desk = Desk::new(&blog.yaml("    rates: [{ name: posts, seconds: { most: 4, seconds: 1 } }]\n"));
    let pictures = desk.archive.root().join("pictures");
    std::fs::create_dir(&pictures).unwrap();
    (0..20).for_each(|i| crate::harness::picture(&pictures.join(format!("p{i}.png")), i));
    desk.archive.ingest(&pictures).0.ends(0);
    desk.archive.run(["transcode"]).ends(1);
    let assets = desk.archive.rows("SELECT id FROM assets WHERE title LIKE 'p%.png' AND LENGTH(title) < 8");
    assert_eq!(assets.len(), 20);
    let mut words = vec!["publish"];
    words.extend(assets.iter().map(String::as_str));
    words.extend(["--to", "blog"]);
    let begin = Instant::now();
    run(&desk, &words).ends(0).says("20 of 20 published");
    let took = begin.elapsed().as_secs_f64();
    // The last of them may begin after four seconds.
    assert!((3.9..20.0).contains(&took), "{took}");
    assert_eq!(blog.posts(), 20);
    assert!((1..=3).contains(&blog.at_once.load(Ordering::SeqCst)), "{:?}", blog.at_once);
}

#[test]
fn rights_decide_before_a_byte_is_sent_and_take_back_what_has_ended() {
    let blog = blog(Duration::ZERO);
    let desk = Desk::new(&blog.yaml("    territories: [ES, MX]\n"));
    let describe = |rights: serde_json::Value| {
        let fields = json!({"rights": rights}).to_string();
        let sql = "INSERT INTO descriptions (asset, revision, fields, changed_at) VALUES (?1, 1, ?2, 0)
                   ON CONFLICT (asset) DO UPDATE SET fields = excluded.fields";
        desk.archive.catalog().execute(sql, [&desk.asset, &fields]).unwrap();
    };
    let publish = || run(&desk, &["publish", &desk.asset, "--to", "blog"]);
    // What the collection says holds where the asset says nothing.
    run(&desk, &["collection", "set", "demo", "--consent", "refused"]).ends(0);
    publish().ends(1).says("those in it have refused their consent");
    run(&desk, &["collection", "set", "demo", "--consent", ""]).ends(0).says("nothing is said of it any more");
    describe(json!({"consent": "refused"}));
    publish().ends(1).says("those in it have refused their consent");
    describe(json!({"expires": "2020-01-01"}));
    publish().ends(1).says("the right to show it ended on 2020-01-01");
    describe(json!({"territories": ["ES"]}));
    publish().ends(1).says("it may be shown in ES alone, and the channel is seen in MX");
    describe(json!({"embargo_until": "2099-01-01"}));
    publish().ends(0).says("scheduled for 2099-01-01");
    assert_eq!(blog.posts(), 0);
    let id = desk.archive.rows("SELECT id FROM publications").remove(0);
    desk.archive.catalog().execute("DELETE FROM publications", []).unwrap();
    describe(json!({"territories": ["ES", "mx", "FR"]}));
    publish().ends(0).says("1 of 1 published");
    describe(json!({"expires": "2020-01-01"}));
    run(&desk, &["publish"]).ends(0);
    assert_eq!(desk.states(), ["retracted"]);
    assert_eq!(desk.archive.rows("SELECT id FROM publications"), [id]);
}

#[test]
fn an_archive_that_is_made_of_its_store_again_posts_nothing_twice() {
    let blog = blog(Duration::ZERO);
    let desk = Desk::new(&blog.yaml(""));
    desk.archive.run(["catalog", "record"]).ends(0);
    run(&desk, &["publish", &desk.asset, "--to", "blog"]).ends(0).says("1 of 1 published");
    // The place has it, and nobody has heard of that: the last record says that it is planned.
    let other = another(&desk);
    let killed =
        command(&desk, &["publish", &other, "--to", "blog"]).env("DAMCTL_CRASH_AT", "publish.answered").output();
    assert!(!killed.unwrap().status.success());
    assert_eq!(blog.posts(), 2);
    let root = desk.archive.root();
    std::fs::rename(root.join("catalog.sqlite"), root.join("lost.sqlite")).unwrap();
    desk.archive.run(["catalog", "rebuild", "--from-store"]);
    let states = desk.archive.rows("SELECT state FROM publications ORDER BY state");
    assert_eq!(states, ["published", "unknown"]);
    let shown = run(&desk, &["publish", "status", "--json"]).ends(0).stdout;
    assert!(shown.contains("\"url\":\"https://x/y\""), "{shown}");
    run(&desk, &["publish", &desk.asset, "--to", "blog"]).ends(0);
    run(&desk, &["publish", &other, "--to", "blog"]);
    run(&desk, &["publish"]);
    assert_eq!(blog.posts(), 2);
    let unknown = desk.archive.rows("SELECT id FROM publications WHERE state = 'unknown'");
    assert_eq!(unknown.len(), 1);
}

#[test]
fn a_rule_publishes_what_it_means_once() {
    let blog = blog(Duration::ZERO);
    let desk = Desk::new(&blog.yaml("rules:\n  - { collection: fresh, kind: image, to: [blog] }\n"));
    run(&desk, &["publish"]).ends(0);
    assert_eq!(blog.posts(), 0);
    let asset = another(&desk);
    desk.archive.catalog().execute("UPDATE assets SET collection = 'fresh' WHERE id = ?1", [&asset]).unwrap();
    run(&desk, &["publish", "--dry-run"]).ends(0).says("would be published");
    run(&desk, &["publish"]).ends(0).says("1 of 1 published");
    run(&desk, &["publish"]).ends(0);
    assert_eq!(blog.posts(), 1);
}

#[test]
fn taking_back_waits_for_an_account_that_is_left_in_peace() {
    let blog = blog(Duration::ZERO);
    let desk = Desk::new(&blog.yaml(""));
    run(&desk, &["publish", &desk.asset, "--to", "blog"]).ends(0).says("1 of 1 published");
    let id = desk.archive.rows("SELECT id FROM publications").remove(0);
    let rest = (jiff::Timestamp::now().as_millisecond() + 2500).to_string();
    desk.archive.catalog().execute("UPDATE outlets SET not_before = CAST(?1 AS INTEGER)", [&rest]).unwrap();
    run(&desk, &["publish", "retract", &id]).ends(0).says("1 of 1 taken back");
    let ended = desk.archive.rows("SELECT at FROM events WHERE kind = 'publication.retracted'").remove(0);
    assert!(ended.parse::<i64>().unwrap() >= rest.parse::<i64>().unwrap(), "{ended} is before {rest}");
    assert_eq!(desk.archive.rows("SELECT not_before FROM outlets WHERE failures = 0"), ["0"]);
}

#[test]
fn a_rule_names_an_entry_and_a_time_and_what_it_says_is_read_before_anything_is_sent() {
    let blog = blog(Duration::ZERO);
    // Whatever day it is: a window that is open, one that opens in about an hour, and an entry that no picture has.
    let hour = |ahead: i64| {
        let then = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() + ahead * 3600).unwrap();
        then.to_string()[11..13].to_owned()
    };
    let rules = |entry: &str, from: i64, to: i64| {
        let at = format!("\"{}:00-{}:00 UTC\"", hour(from), hour(to));
        format!("rules:\n  - {{ collection: fresh, entry: {entry}, at: {at}, to: [blog] }}\n")
    };
    let desk = Desk::new(&blog.yaml(&rules("web_720p", -1, 1)));
    let asset = another(&desk);
    desk.archive.catalog().execute("UPDATE assets SET collection = 'fresh' WHERE id = ?1", [&asset]).unwrap();
    let ran = run(&desk, &["publish"]).ends(0);
    assert!(!ran.stdout.contains("refused") && blog.posts() == 0, "{ran:?}");
    desk.channels(&blog.yaml(&rules("thumb_300", 1, 2)));
    run(&desk, &["publish", "--wait", "0s"]).ends(0).says("scheduled for").says(&format!("{}:00:00 UTC", hour(1)));
    assert_eq!((blog.posts(), desk.states()), (0, vec!["planned".to_owned()]));
    let id = desk.archive.rows("SELECT id FROM publications").remove(0);
    run(&desk, &["publish", "cancel", &id]).ends(0);
    let sql = format!("SELECT asset FROM renditions WHERE entry = 'thumb_300' AND active = 1 AND asset <> '{asset}'");
    let other = desk.archive.rows(&sql).remove(0);
    desk.archive.catalog().execute("UPDATE assets SET collection = 'fresh' WHERE id = ?1", [&other]).unwrap();
    desk.channels(&blog.yaml(&rules("thumb_300", -1, 1)));
    run(&desk, &["publish"]).ends(0).says("1 of 1 published");
    assert_eq!(desk.archive.rows("SELECT entry FROM publications WHERE state = 'published'"), ["thumb_300"]);

    let file = desk.archive.root().join("channels.yaml");
    let validate = || desk.run(&["channel", "validate", file.to_str().unwrap()]);
    validate().ends(0).says("1 channel(s), 1 rule(s)");
    for (wrong, words) in [
        ("rules:\n  - { at: \"18:00 Europe/Madird\", to: [blog] }\n", "'Europe/Madird' is no zone"),
        ("rules:\n  - { at: \"Mon-Fry 18:00 UTC\", to: [blog] }\n", "'Fry' is no day"),
        ("rules:\n  - { since: yesterday, to: [blog] }\n", "a rule"),
        ("    text: { title: \"{{ titel }}\" }\n", "channel 'blog': a template cannot be filled"),
        ("    name: \"{{ stem \"\n", "channel 'blog': a path cannot be filled"),
        ("    sidecars: [{ name: a.xml, template: gone.xml }]\n", "cannot"),
    ] {
        desk.channels(&blog.yaml(wrong));
        validate().ends(2).says(words);
    }
}

#[test]
fn what_is_wrong_with_the_file_of_channels_is_told_with_its_place() {
    let desk = Desk::new("channels:\n  tube:\n    to: { youtube: {} }\n    send: []\n");
    desk.run(&["publish", "status"]).ends(2).says("channel 'tube': 'send' names no profile entry");
    desk.channels("channels:\n  tube:\n    to: { yuotube: {} }\n    send: [a]\n");
    desk.run(&["channel", "list"]).ends(2).says("yuotube").says("youtube");
    desk.channels(
        "channels:\n  tube:\n    to: { youtube: { endpoint: \"http://example.org\" } }\n    send: [web_720p]\n",
    );
    desk.run(&["channel", "check"]).ends(1).says("an endpoint that is not encrypted");
    desk.run(&["publish", &desk.asset, "--to", "nobody"]).ends(2).says("there is no channel 'nobody'");
    desk.run(&["publish", &desk.asset]).ends(2).says("to which channels?");
}

#[test]
fn a_reply_that_was_lost_stays_unknown_through_other_errors_and_is_never_sent_twice() {
    let (kept, lose): (Arc<std::sync::Mutex<Vec<String>>>, Arc<AtomicUsize>) = (Arc::default(), Arc::default());
    let (inside, losing) = (kept.clone(), lose.clone());
    let site = Site::new(move |asked| {
        // 1: the reply to the posting is lost; 2: nobody is let in.
        if losing.load(Ordering::SeqCst) == 2 {
            return Told::json(401, &json!({"code": "incorrect_password", "message": "No."}));
        }
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/wp-json/wp/v2/users/me") => {
                Told::json(200, &json!({"name": "E", "capabilities": {"upload_files": true}}))
            }
            ("GET", _) => {
                let found = inside.lock().unwrap().iter().position(|slug| *slug == asked.query["slug"]);
                let shown = found.map(|i| json!({"id": i + 1, "source_url": "https://x/y"}));
                Told::json(200, &json!(shown.into_iter().collect::<Vec<_>>()))
            }
            _ => {
                inside.lock().unwrap().push(asked.query["slug"].clone());
                losing.store(2, Ordering::SeqCst);
                Told::lost()
            }
        }
    });
    let yaml = |name: &str| {
        format!(
            "channels:\n  {name}:\n    to: {{ wordpress: {{ site: \"{}\" }} }}\n    account: main\n    send: [web_720p]\n",
            site.url
        )
    };
    let desk = Desk::new(&yaml("blog"));
    run(&desk, &["publish", &desk.asset, "--to", "blog"]).ends(1).says("user or application password is wrong");
    assert_eq!(desk.states(), ["unknown"]);
    // Another name for the channel, then its old one again: it is still not known.
    desk.channels(&yaml("other"));
    run(&desk, &["publish", "reconcile"]).ends(1).says("there is no channel 'blog'");
    assert_eq!(desk.states(), ["unknown"]);
    desk.channels(&yaml("blog"));
    run(&desk, &["publish", &desk.asset, "--to", "blog"]).ends(0).says("damctl publish reconcile");
    run(&desk, &["publish", &desk.asset, "--to", "blog", "--force", "--yes"])
        .ends(1)
        .says("an earlier publication is unknown");
    lose.store(0, Ordering::SeqCst);
    run(&desk, &["publish", "reconcile"]).ends(0);
    assert_eq!((desk.states(), kept.lock().unwrap().len()), (vec!["published".to_owned()], 1));
}

#[test]
fn what_was_planned_is_what_is_sent_or_nothing() {
    let blog = blog(Duration::ZERO);
    let desk = Desk::new(&blog.yaml("    needs_approval: true\n"));
    run(&desk, &["publish", &desk.asset, "--to", "blog"]).ends(0).says("waits for approval");
    let id = desk.archive.rows("SELECT id FROM publications").remove(0);
    desk.grow("web_720p", b"other bytes than were approved");
    run(&desk, &["publish", "approve", &id]).ends(0);
    run(&desk, &["publish"]).ends(1).says("what was to be sent is not there any more");
    assert_eq!((blog.posts(), desk.states()), (0, vec!["failed".to_owned()]));
    // Asked for again, it is what is there now; and somebody approves that.
    run(&desk, &["publish", &desk.asset, "--to", "blog"]).ends(0).says("waits for approval");
    run(&desk, &["publish", "approve", &id]).ends(0);
    run(&desk, &["publish"]).ends(0);
    assert_eq!((blog.posts(), desk.states()), (1, vec!["published".to_owned()]));
}
