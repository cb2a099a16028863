//! Films and streams in a real browser: every picture to the end, sound and words as chosen. It takes Chromium, Node.js and
//! packages that `scripts/setup bench` brings; without them it says what it skips.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::harness::{command, repository, scratch, tool};

/// What each play came to; none when there is no browser.
fn played(folder: &Path, plays: &Value) -> Option<Vec<Value>> {
    let chromium = std::env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned());
    if !Path::new(&chromium).exists() || !repository("target/test-tools/node_modules/hls.js").exists() {
        eprintln!("skipped: no Chromium, or no players ('scripts/setup bench' brings both)");
        return None;
    }
    let mut node = Command::new("node");
    node.arg(repository("tests/browser/play.mjs")).arg(folder).arg(plays.to_string()).env("CHROMIUM", chromium);
    let out = node.output().unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{said}{wrong}");
    Some(said.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn rendered(folder: &Path, outputs: &Value) {
    let order = json!({"input": folder.join("in.mkv"), "out_dir": folder, "outputs": outputs});
    let mut child = command(["render"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(order.to_string().as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    assert_eq!(said.matches("\"event\":\"accepted\"").count(), outputs.as_array().unwrap().len(), "{said}");
}

#[test]
fn a_browser_plays_films_and_streams_to_the_last_picture_in_sync() {
    let dir = scratch();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let srt = "1\n00:00:01,000 --> 00:00:02,500\n¿Qué tal?\n\n2\n00:00:06,000 --> 00:00:07,500\nAdiós\n";
    std::fs::write(path("es.srt"), srt).unwrap();
    // White from 3 s on for five pictures; 400 Hz in English, 1000 Hz in Spanish.
    let (words, out) = (path("es.srt"), path("in.mkv"));
    let flash = "testsrc2=s=640x360:r=25:d=8,drawbox=color=white:t=fill:enable='between(t,3,3.19)'";
    let tone = |hertz: u32| format!("aevalsrc=0.3*sin(2*PI*{hertz}*t):s=48000:d=8");
    let (english, spanish) = (tone(400), tone(1000));
    let inputs =
        ["-v", "error", "-f", "lavfi", "-i", flash, "-f", "lavfi", "-i", &english, "-f", "lavfi", "-i", &spanish];
    let maps = ["-i", &words, "-map", "0", "-map", "1", "-map", "2", "-map", "3", "-metadata:s:a:0", "language=eng"];
    let codecs =
        ["-metadata:s:a:1", "language=spa", "-metadata:s:s:0", "language=spa", "-c:v", "libx264", "-c:a", "flac"];
    tool("ffmpeg", inputs.iter().chain(&maps).chain(&codecs).chain(&[out.as_str()]));
    let rung = |name: &str, height: u32| json!({"name": name, "max_height": height, "video": {"bitrate": "800k", "keyframe_interval": "1s"}});
    let stream = json!({
        "segment": "2s", "mpeg_ts": true, "rungs": [rung("large", 360), rung("small", 120)],
        "audio": [{"name": "English", "track": "en"}, {"name": "Español", "track": "es"}],
        "subtitles": [{"name": "Español", "track": "es"}],
    });
    let mut sealed = stream.clone();
    sealed["encryption"] = json!("aes128");
    let outputs = json!([
        {"name": "film", "spec": {"mp4": {"video": {"bitrate": "1M"}, "audio": {}}}},
        {"name": "web", "spec": {"stream": stream}},
        {"name": "sealed", "spec": {"stream": sealed}},
    ]);
    rendered(dir.path(), &outputs);
    let mut plays = json!([
        {"file": "film.mp4", "by": "video"},
        {"file": "web.m3u8", "by": "hls"},
        {"file": "web.m3u8", "by": "hls", "level": 0, "sound": 1, "text": 0},
        {"file": "web.ts.m3u8", "by": "hls"},
        {"file": "web.ts.m3u8", "by": "hls", "sound": 1, "text": 0},
        {"file": "web.mpd", "by": "dash"},
        {"file": "web.mpd", "by": "dash", "level": 0, "sound": 1, "text": 0},
        {"file": "sealed.m3u8", "by": "hls", "sound": 1},
        {"file": "sealed.ts.m3u8", "by": "hls"},
    ]);
    // Within a picture's 40 ms around white's beginning and end.
    for play in plays.as_array_mut().unwrap() {
        // hls.js counts the time of transport streams from the first decoding, two pictures before it is shown.
        let ahead = if play["file"].as_str().unwrap().contains(".ts.") { 0.08 } else { 0.0 };
        play["looks"] = json!([2.98 + ahead, 3.02 + ahead, 3.18 + ahead, 3.22 + ahead]);
    }
    let Some(told) = played(dir.path(), &plays) else { return };
    for (play, told) in plays.as_array().unwrap().iter().zip(&told) {
        let mut errors: Vec<&str> = told["errors"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        // hls.js says so, and goes on, when it takes another sound than that among the pictures, which it has fetched already.
        let is_apart = play["file"] == "web.ts.m3u8" && play["sound"] == 1;
        errors.retain(|error| !(is_apart && error.contains("bufferAppendNoProgress")));
        assert!(errors.is_empty(), "{told}");
        assert_eq!(told["ended"], json!(true), "{told}");
        let looks: Vec<u64> = told["brightness"].as_array().unwrap().iter().map(|b| b.as_u64().unwrap()).collect();
        assert!(looks[0] < 220 && looks[1] > 240 && looks[2] > 240 && looks[3] < 220, "{told}");
        assert!((told["duration"].as_f64().unwrap() - 8.0).abs() < 0.1, "{told}");
        // Changing the level at once drops what DASH's player has fetched ahead.
        let is_fetched_anew = play["by"] == "dash" && !play["level"].is_null();
        let frames = told["frames"].as_u64().unwrap();
        assert!(frames >= if is_fetched_anew { 150 } else { 200 }, "{told}");
        let pitch = if play["sound"].is_null() { "400" } else { "1000" };
        let heard = told["tones"][pitch].as_u64().unwrap_or(0);
        assert!(heard > 60, "{told}");
        if !play["level"].is_null() {
            assert_eq!(told["sizes"].as_array().unwrap().last(), Some(&json!("214x120")), "{told}");
        }
        if !play["text"].is_null() {
            assert_eq!(told["cues"], json!(["¿Qué tal?", "Adiós"]), "{told}");
        }
        if play["by"] != "video" {
            assert_eq!(told["sounds"], json!([["English", "en"], ["Español", "es"]]), "{told}");
            assert_eq!(told["texts"], json!([["Español", "es"]]), "{told}");
        }
    }
}

#[test]
fn an_editor_works_with_the_page_by_mouse_and_by_keys() {
    let chromium = std::env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned());
    if !Path::new(&chromium).exists() || !repository("target/test-tools/node_modules/axe-core").exists() {
        eprintln!("skipped: no Chromium, or no axe ('scripts/setup bench' brings both)");
        return;
    }
    let (archive, _) = crate::search::archive();
    let pictures = scratch();
    let film = pictures.path().join("NOTICIERO.mov");
    let source = "-v error -f lavfi -i testsrc2=s=320x180:r=25:d=12 -f lavfi -i sine=d=12 -c:v libx264 -preset ultrafast -c:a aac";
    tool("ffmpeg", source.split_whitespace().chain([film.to_str().unwrap()]));
    archive.ingest(pictures.path()).0.ends(0);
    let profile = archive.root().join("streams.yaml");
    std::fs::write(
        &profile,
        "video:\n  web: { stream: { segment: 2s, rungs: [{ name: one, max_height: 180, video: { bitrate: 400k, keyframe_interval: 1s } }], \
         audio: {} } }\n",
    )
    .unwrap();
    archive.run(["index"]).ends(0);
    let asset = archive.json(["search", "--json", "noticiero"])["hits"][0]["asset"].as_str().unwrap().to_owned();
    archive.run(["transcode", "--profile", profile.to_str().unwrap(), "--asset", &asset]).ends(0);
    let said = pictures.path().join("said.vtt").display().to_string();
    std::fs::write(&said, "WEBVTT\n\n00:07.000 --> 00:09.000\nBuenas noches, noticiero\n").unwrap();
    archive.run(["transcript", "import", &said, "--asset", &asset, "--language", "es"]).ends(0);
    archive.run(["index"]).ends(0);
    let server = crate::serve::Server::start(&archive);
    let mut node = Command::new("node");
    node.arg(repository("tests/browser/page.mjs")).arg(format!("http://{}/", server.address)).arg("inflacion");
    let out = node.arg(pictures.path()).env("CHROMIUM", chromium).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    let seen: Value =
        serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}{}", String::from_utf8_lossy(&out.stderr)));
    assert_eq!(seen["errors"], json!([]), "{seen}");
    assert_eq!(seen["serious"], json!([]), "axe: {seen}");
    assert_eq!(seen["suggestions"], json!(["inflacion"]));
    assert_eq!(seen["narrowed"], 1, "{seen}");
    let spots = seen["spots"].as_array().unwrap();
    assert!(spots[0].as_str().unwrap().starts_with("10:00:10:00"), "{seen}");
    assert_eq!(seen["marked"], json!(["inflación", "inflación"]));
    // A moment is clicked, another is reached by a key, a line is clicked: the player is at that second.
    for (what, at) in [("second", 22.48), ("first", 10.0), ("clicked", 1.0)] {
        let time = seen[what]["time"].as_f64().unwrap();
        assert!((time - at).abs() < 0.04, "{what}: {time}, {seen}");
    }
    assert_eq!(seen["clock"], "10:00:22:12");
    assert!(seen["line"][0].as_str().unwrap().contains("bancos centrales"), "{seen}");
    assert_eq!(seen["range"], "10:00:10:00 – 10:00:11:00");
    assert_eq!((&seen["streamed"]["source"], &seen["streamed"]["width"]), (&json!("/web#t=7"), &json!(320)), "{seen}");
    let time = seen["streamed"]["time"].as_f64().unwrap();
    assert!((time - 7.0).abs() < 0.1, "{time}, {seen}");
    assert_eq!((&seen["closed"], &seen["spanish"]), (&json!(true), &json!("1 resultado")));
    let toggle = json!({"hidden": true, "asked": [null, "true", "true", null], "kept": true});
    assert_eq!(seen["toggle"], toggle);
}
