//! The tree's shape, held by reading it: which floor may use which, and through which one door heavy crates come in.

use std::{collections::BTreeMap, fs, path::Path};

/// Floors from the ground up. A module uses those below it, and none beside or above.
const FLOORS: &[&[&str]] = &[
    &["error"],
    &["digest", "stop", "block", "crash", "spool"],
    &["onnx", "pace", "secret"],
    &["model"],
    &["profile", "store", "subtitle"],
    &["catalog", "channel", "meaning", "media", "models", "names", "speech", "vision"],
    &["work", "search"],
    &[
        "ingest",
        "receive",
        "transcode",
        "enrich",
        "index",
        "tend",
        "keep",
        "export",
        "fanout",
        "feed",
        "compose",
        "publish",
    ],
    &["serve"],
];

/// Crates and the folders that alone may name them.
const DOORS: &[(&str, &[&str])] = &[
    ("rusqlite", &["catalog"]),
    ("refinery", &["catalog"]),
    ("postgres", &["catalog"]),
    ("r2d2", &["catalog/postgres"]),
    ("rustls", &["catalog/postgres", "channel/ftp", "serve"]),
    ("gstreamer", &["media/gst"]),
    ("gstreamer_video", &["media/gst"]),
    ("ebur128", &["media/loudness"]),
    ("turbojpeg", &["media/image"]),
    ("libwebp_sys", &["media/image"]),
    ("hayro_jpeg2000", &["media/image"]),
    ("image", &["media/image"]),
    ("ort", &["onnx"]),
    ("tokenizers", &["meaning"]),
    ("rmpv", &["names"]),
    ("fancy_regex", &["names"]),
    ("tantivy", &["search"]),
    ("frostem", &["search", "names/topics"]),
    ("axum", &["serve"]),
    ("axum_server", &["serve"]),
    ("governor", &["serve/guard"]),
    ("jsonwebtoken", &["serve/oidc"]),
    ("utoipa", &["serve"]),
    ("tower_http", &["serve"]),
    ("tokio", &["block", "serve", "store/s3", "feed/nats", "channel"]),
    (
        "reqwest",
        &[
            "feed/webhook",
            "index/bulk",
            "serve/oidc",
            "media/speech/http",
            "models/fetch",
            "export/fetch",
            "channel/http",
            "secret/vault",
        ],
    ),
    ("oauth2", &["channel/oauth"]),
    ("russh", &["channel/sftp"]),
    ("russh_sftp", &["channel/sftp"]),
    ("suppaftp", &["channel/ftp"]),
    ("aes_gcm", &["secret/file"]),
    ("async_nats", &["feed/nats"]),
    ("hmac", &["digest"]),
    ("aws_sdk_s3", &["store/s3"]),
    ("aws_config", &["store/s3"]),
    ("aws_runtime", &["store/s3"]),
    ("aws_sigv4", &["store/s3"]),
    ("aws_credential_types", &["store/s3"]),
    ("aws_smithy_http_client", &["store/s3"]),
    ("whisper_rs", &["speech/whisper", "speech/spoken"]),
    ("zip", &["models/unpack"]),
    ("tar", &["models/unpack"]),
    ("landlock", &["media/sandbox"]),
    ("walkdir", &["ingest", "store"]),
    ("ignore", &["ingest"]),
    ("minijinja", &["fanout", "compose/fill", "publish/words"]),
    ("sha2", &["digest"]),
    ("sha1", &["digest"]),
    ("md5", &["digest", "store/s3"]),
    ("quick_xml", &["export"]),
    ("ed25519_dalek", &["tend/certificate"]),
    ("clap", &["bin"]),
    ("indicatif", &["bin"]),
    ("anyhow", &["bin"]),
];

fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files =
        walkdir::WalkDir::new(&root).into_iter().flatten().filter(|e| e.path().extension().is_some_and(|x| x == "rs"));
    let each = |e: walkdir::DirEntry| {
        let name = e.path().strip_prefix(&root).unwrap().display().to_string();
        // Tests inside a module may use what they like.
        let text = fs::read_to_string(e.path()).unwrap();
        let text = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
        (name, text)
    };
    files.map(each).filter(|(name, _)| !name.ends_with("tests.rs") && !name.ends_with("samples.rs")).collect()
}

fn code(text: &str) -> String {
    text.lines().map(|l| l.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Names that follow `prefix`, including those in a braced list.
fn named(code: &str, prefix: &str) -> Vec<String> {
    let word = |s: &str| s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        let Some(list) = rest.strip_prefix('{') else {
            found.push(word(rest));
            continue;
        };
        let (mut depth, mut item) = (0, String::new());
        for c in list.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => found.push(word(std::mem::take(&mut item).trim())),
                _ if depth == 0 => item.push(c),
                _ => {}
            }
        }
        found.push(word(item.trim()));
    }
    found
}

#[test]
fn modules_use_only_floors_below() {
    let floor = |module: &str| FLOORS.iter().position(|f| f.contains(&module));
    let mut wrong = Vec::new();
    for (file, text) in sources().iter().filter(|(f, _)| !f.starts_with("bin/") && *f != "lib.rs") {
        let module = file.split(['/', '.']).next().unwrap();
        let own = floor(module).unwrap_or_else(|| panic!("{module} stands on no floor: give it one"));
        for used in named(&code(text), "crate::").iter().filter(|u| *u != module) {
            match floor(used) {
                Some(theirs) if theirs < own => {}
                Some(_) => wrong.push(format!("{file} uses {used}, which is not below it")),
                None => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn heavy_crates_come_in_through_one_door() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let code = code(&text);
        for (name, doors) in DOORS {
            let uses = [
                format!("use {name}::"),
                format!("use {name} as"),
                format!(" {name}::"),
                format!("({name}::"),
                format!("<{name}::"),
            ];
            let is_path = |needle: &String| code.contains(needle.as_str());
            // `image::` is a module of ours as well.
            let uses: Vec<&String> = if *name == "image" { uses[..1].iter().collect() } else { uses.iter().collect() };
            if uses.into_iter().any(is_path) && !doors.iter().any(|d| file.starts_with(d)) {
                wrong.push(format!("{file} names {name}, whose door is {doors:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_is_a_bag_of_everything() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let too_long: Vec<String> = walkdir::WalkDir::new(root.join("src"))
        .into_iter()
        .flatten()
        .filter(|e| e.file_type().is_file())
        .map(|e| (e.path().display().to_string(), fs::read_to_string(e.path()).map_or(0, |t| t.lines().count())))
        .filter(|(_, lines)| *lines > 700)
        .map(|(file, lines)| format!("{file}: {lines} lines"))
        .collect();
    assert!(too_long.is_empty(), "{}", too_long.join("\n"));
}
