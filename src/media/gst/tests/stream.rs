//! Ladders for streaming: one set of segments, played by ffmpeg from both of their lists.

use super::{
    sound::click,
    tracks::{levels, mono_tracks},
    *,
};

fn ladder() -> Entry {
    let rung = |name: &str, height: u32, bitrate: &str| json!({"name": name, "max_height": height, "video": {"bitrate": bitrate, "preset": "superfast", "keyframe_interval": "1s"}});
    let rungs = [rung("large", 240, "800k"), rung("same", 240, "700k"), rung("small", 120, "200k")];
    entry("web", json!({"stream": {"segment": "2s", "rungs": rungs, "audio": {"rate": 48000}}}))
}

/// One rung, and what else is asked for.
fn small(more: Value) -> Entry {
    let rung = json!({"name": "small", "max_height": 120, "video": {"bitrate": "200k", "preset": "superfast", "keyframe_interval": "1s"}});
    let mut stream = json!({"segment": "2s", "rungs": [rung]});
    stream.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    entry("web", json!({"stream": stream}))
}

/// Times of packets of a stream's pictures, and whether each is a keyframe.
fn packets(playlist: &Path) -> Vec<(f64, bool)> {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time,flags", "-of", "csv=p=0"]);
    let text = String::from_utf8(fed(
        {
            command.arg(playlist);
            command
        },
        &[],
    ))
    .unwrap();
    let mut all: Vec<(f64, bool)> = text
        .lines()
        .map(|line| {
            let (time, flags) = line.split_once(',').unwrap();
            (time.parse().unwrap(), flags.starts_with('K'))
        })
        .collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all
}

/// A clip of this many seconds with a click, and another video filter.
fn clip(desk: &Desk, seconds: u32, rate: &str, words: &str) {
    super::sound::click_file(desk, "click.wav", f64::from(seconds), &[3.0]);
    desk.ffmpeg(&format!(
        "-f lavfi -i testsrc2=s=320x240:r={rate}:d={seconds} -i click.wav -map 0:v -map 1:a {words} -c:v libx264 -c:a pcm_s16le in.mov"
    ));
}

#[test]
fn every_rung_can_be_changed_at_the_same_moments_and_both_lists_play_to_the_end_in_sync() {
    let desk = Desk::new();
    clip(&desk, 7, "30000/1001", "");
    let made = desk.render("in.mov", &[ladder()]);
    let rendered = made.rendered("web");
    let facts = accepted(&desk, "in.mov", &ladder(), rendered);
    assert_eq!(facts.audio[0].codec, "aac");
    // Of two rungs of one size the last is made.
    assert!(rendered.files.iter().all(|f| !f.contains(".large.")), "{:?}", rendered.files);
    assert_eq!(rendered.files[..2], ["web.m3u8", "web.mpd"]);
    let frames = (7.0_f64 * 30_000.0 / 1001.0).ceil() as usize;
    let [same, small] = ["same", "small"].map(|rung| packets(&desk.path(&format!("web.{rung}.m3u8"))));
    assert_eq!((same.len(), small.len()), (frames, frames));
    assert!(same.iter().zip(&small).all(|(a, b)| (a.0 - b.0).abs() < 0.0005 && a.1 == b.1), "keyframes differ");
    let keys: Vec<f64> = small.iter().filter(|(_, is_key)| *is_key).map(|(time, _)| *time - small[0].0).collect();
    assert_eq!(keys.len(), 7);
    assert!(keys.windows(2).all(|k| (k[1] - k[0] - 1.001).abs() < 0.001), "{keys:?}");
    for list in ["web.m3u8", "web.mpd"] {
        for rung in ["v:0", "v:1"] {
            let mut command = Command::new("ffmpeg");
            command.args(["-v", "error", "-i"]).arg(desk.path(list)).args(["-map", &format!("0:{rung}")]);
            command.args(["-fps_mode", "passthrough", "-f", "framemd5", "-"]);
            let text = String::from_utf8(fed(command, &[])).unwrap();
            let count = text.lines().filter(|line| !line.starts_with('#')).count();
            assert_eq!(count, frames, "{list} {rung}");
        }
        // The first picture is shown when the first sample is heard, though it is decoded ahead.
        let mut command = Command::new("ffprobe");
        command.args(["-v", "error", "-select_streams", "v:0", "-show_entries", "frame=pts_time", "-of", "csv=p=0"]);
        command.args(["-read_intervals", "%+#1"]).arg(desk.path(list));
        let first = String::from_utf8(fed(command, &[])).unwrap();
        assert!(first.starts_with("0.000000"), "{list}: the first picture is shown at {first}");
        let at = click(&desk.path(list));
        assert!((at - 3.0).abs() < 0.002, "{list}: the click of 3 s is heard at {at:.4} s");
    }
    // Each keyframe stands by itself where the list of keyframes says.
    let list = std::fs::read_to_string(desk.path("web.small.iframes.m3u8")).unwrap();
    let ranges: Vec<&str> = list.lines().filter_map(|l| l.strip_prefix("#EXT-X-BYTERANGE:")).collect();
    assert_eq!(ranges.len(), 7);
    let (length, at) = ranges[1].split_once('@').unwrap();
    let (length, at): (usize, usize) = (length.parse().unwrap(), at.parse().unwrap());
    let segment = std::fs::read(desk.path("web.small.00001.m4s")).unwrap();
    let mut alone = std::fs::read(desk.path("web.small.init.mp4")).unwrap();
    alone.extend(&segment[at..at + length]);
    std::fs::write(desk.path("alone.mp4"), alone).unwrap();
    desk.ffmpeg("-i alone.mp4 -frames:v 1 alone.png");
    let masters = std::fs::read_to_string(desk.path("web.m3u8")).unwrap();
    assert!(masters.contains("RESOLUTION=160x120,FRAME-RATE=29.970,AUDIO=\"sound\""), "{masters}");
}

#[test]
fn a_film_of_even_keyframes_is_what_a_rung_of_its_settings_is_made_together_or_alone() {
    let film = |name: &str, more: Value| {
        let mut video = json!({"bitrate": "200k", "preset": "superfast", "keyframe_interval": "1s"});
        video.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        entry(name, json!({"mp4": {"max_height": 120, "video": video, "audio": {}}}))
    };
    let all = [film("even", json!({"keyframes": "even"})), film("cuts", json!({})), small(json!({"audio": {}}))];
    let desk = Desk::new();
    clip(&desk, 4, "25", "-vf negate=enable='gte(t,1.6)'");
    let made = desk.render("in.mov", &all);
    for entry in &all {
        let rendered = made.rendered(&entry.name);
        assert_eq!(rendered.frames, 100);
        accepted(&desk, "in.mov", entry, rendered);
    }
    let keyframes = |file: &str| -> Vec<f64> {
        packets(&desk.path(file)).into_iter().filter(|(_, key)| *key).map(|(time, _)| time).collect()
    };
    assert_eq!(keyframes("even.mp4"), [0.0, 1.0, 2.0, 3.0]);
    assert!(keyframes("cuts.mp4").contains(&1.6), "{:?}", keyframes("cuts.mp4"));
    let together = sums(&desk.path("even.mp4"), "0:v");
    assert_eq!(together, sums(&desk.path("web.small.m3u8"), "0:v"));
    assert_ne!(together, sums(&desk.path("cuts.mp4"), "0:v"));
    // x264 with a bound on its buffer shares bits out by how far its threads have come, so that no two encodes need be the
    // same to the byte; with what settings it encodes, it writes into the stream.
    let settings = || {
        let film = std::fs::read(desk.path("even.mp4")).unwrap();
        let at = film.windows(10).position(|w| w == b" options: ").unwrap();
        String::from_utf8(film[at..].iter().copied().take_while(|b| *b != 0).collect()).unwrap()
    };
    let beside = settings();
    assert!(beside.contains("keyint=25 ") && beside.contains("scenecut=0 "), "{beside}");
    std::fs::remove_file(desk.path("even.mp4")).unwrap();
    let rendered = desk.render("in.mov", &all[..1]);
    accepted(&desk, "in.mov", &all[0], rendered.rendered("even"));
    assert_eq!((settings(), keyframes("even.mp4")), (beside, vec![0.0, 1.0, 2.0, 3.0]));
}

#[test]
fn frames_that_come_unevenly_are_cut_at_the_same_moments_too() {
    let desk = Desk::new();
    clip(&desk, 6, "60", "-vf select='if(between(n,60,240),not(mod(n,6)),1)' -vsync vfr");
    assert!(facts(&desk.path("in.mov")).video.unwrap().variable_rate);
    let made = desk.render("in.mov", &[ladder()]);
    accepted(&desk, "in.mov", &ladder(), made.rendered("web"));
    let [same, small] = ["same", "small"].map(|rung| packets(&desk.path(&format!("web.{rung}.m3u8"))));
    assert_eq!(same, small);
}

#[test]
fn pictures_without_sound_are_a_ladder_of_pictures() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i testsrc2=s=320x240:r=25:d=3 -c:v libx264 in.mp4");
    let made = desk.render("in.mp4", &[ladder(), mp4("out")]);
    let facts = accepted(&desk, "in.mp4", &ladder(), made.rendered("web"));
    accepted(&desk, "in.mp4", &mp4("out"), made.rendered("out"));
    assert!(facts.audio.is_empty());
    let master = std::fs::read_to_string(desk.path("web.m3u8")).unwrap();
    assert!(!master.contains("AUDIO") && !master.contains("mp4a"), "{master}");
}

#[test]
fn a_ladder_with_a_segment_that_is_gone_short_or_damaged_is_refused() {
    let desk = Desk::new();
    clip(&desk, 5, "25", "");
    let made = desk.render("in.mov", &[ladder()]);
    let rendered = made.rendered("web");
    let judge = || {
        let facts = facts(&desk.path("in.mov"));
        judge(&desk, &facts, &ladder(), rendered).map(drop)
    };
    judge().unwrap();
    let segment = desk.path("web.small.00002.m4s");
    let whole = std::fs::read(&segment).unwrap();
    let refused = |bytes: Option<&[u8]>| {
        match bytes {
            Some(bytes) => std::fs::write(&segment, bytes).unwrap(),
            None => std::fs::remove_file(&segment).unwrap(),
        }
        assert_eq!(judge().unwrap_err().kind(), Kind::Internal);
    };
    refused(None);
    refused(Some(&[]));
    refused(Some(&whole[..whole.len() / 2]));
    let mut damaged = whole.clone();
    (whole.len() / 3..whole.len()).step_by(211).for_each(|at| damaged[at] ^= 0x55);
    refused(Some(&damaged));
    std::fs::write(&segment, &whole).unwrap();
    judge().unwrap();
}

#[test]
fn whoever_watches_can_choose_a_sound_track_in_both_lists() {
    let desk = Desk::new();
    mono_tracks(&desk, &["eng", "spa", "deu"], "-c:v libx264 -c:a pcm_s16le in.mov");
    let choices = json!({"audio": [
        {"name": "Español", "track": "spa"},
        {"name": "日本語", "track": "jpn", "optional": true},
        {"name": "Original <raw> & more", "language": "en-GB", "track": 1, "loudness": {"target": "-30 LUFS"}},
    ]});
    let entry = small(choices);
    let made = desk.render("in.mov", std::slice::from_ref(&entry));
    let facts = accepted(&desk, "in.mov", &entry, made.rendered("web"));
    let languages: Vec<Option<&str>> = facts.audio.iter().map(|a| a.language.as_deref()).collect();
    assert_eq!(languages, [Some("es"), Some("en-GB")]);
    assert!((facts.audio[1].loudness.unwrap().integrated_lufs + 30.0).abs() < 1.0);
    // One is of 500 Hz as it was, the other of 400 Hz and turned down; what the master lacks is not there.
    let [spanish, original] = ["sound", "sound_3"].map(|sound| levels(&desk.path(&format!("web.{sound}.m3u8")), 0, 2));
    assert!(spanish[0] < 0.005 && spanish[1] > 0.28, "{spanish:.3?}");
    assert!(original[1] < 0.005 && (0.02..0.1).contains(&original[0]), "{original:.3?}");
    let master = std::fs::read_to_string(desk.path("web.m3u8")).unwrap();
    let groups: Vec<&str> = master.lines().filter(|l| l.starts_with("#EXT-X-MEDIA:")).collect();
    assert_eq!(
        groups,
        [
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"Español\",LANGUAGE=\"es\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"1\",URI=\"web.sound.m3u8\"",
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"Original <raw> & more\",LANGUAGE=\"en-GB\",DEFAULT=NO,AUTOSELECT=YES,CHANNELS=\"1\",URI=\"web.sound_3.m3u8\"",
        ]
    );
    for list in ["web.m3u8", "web.mpd"] {
        let mut command = Command::new("ffprobe");
        command.args([
            "-v",
            "error",
            "-select_streams",
            "a",
            "-show_entries",
            "stream_tags=language",
            "-of",
            "csv=p=0",
        ]);
        command.arg(desk.path(list));
        let mut found: Vec<String> =
            String::from_utf8(fed(command, &[])).unwrap().lines().map(|l| l.trim_end_matches(',').to_owned()).collect();
        found.dedup();
        assert_eq!(found.len(), 2, "{list}: {found:?}");
        assert_eq!(found, ["es", "en-GB"], "{list}");
    }
    let error = desk.render("in.mov", &[small(json!({"audio": [{"name": "日本語", "track": "jpn"}]}))]);
    let error = error.results["web"].as_ref().unwrap_err().to_string();
    assert_eq!(error, "it has no sound track 'jpn': it has 1 (eng, 1 channel), 2 (spa, 1 channel), 3 (1 channel)");
}

/// A clip of 6 s with two text tracks in Spanish and German, and one without a word.
fn with_words(desk: &Desk, master: &str) {
    let srt = |name: &str, cues: &[(&str, &str, &str)]| {
        let text: Vec<String> =
            (1..).zip(cues).map(|(i, (from, to, words))| format!("{i}\n{from} --> {to}\n{words}\n\n")).collect();
        std::fs::write(desk.path(name), text.concat()).unwrap();
    };
    srt(
        "es.srt",
        &[("00:00:01,000", "00:00:02,500", "¿Qué <i>tal</i>?"), ("00:00:04,000", "00:00:05,000", "Adiós\nya")],
    );
    srt("de.srt", &[("00:00:03,040", "00:00:04,000", "Grüß Gott")]);
    srt("none.srt", &[("00:00:03,000", "00:00:03,001", " ")]);
    // AAC would begin before the pictures, and ffmpeg move them all.
    let codecs = if master.ends_with("mkv") { "-c:a flac -c:s subrip" } else { "-c:a aac -c:s mov_text" };
    desk.ffmpeg(&format!(
        "-f lavfi -i testsrc2=s=320x240:r=25:d=6 -f lavfi -i sine=d=6 -i es.srt -i de.srt -map 0 -map 1 -map 2 -map 3 -c:v \
         libx264 {codecs} -metadata:s:s:0 language=spa -metadata:s:s:1 language=ger {master}"
    ));
}

#[test]
fn text_tracks_become_webvtt_that_both_lists_name() {
    for master in ["in.mkv", "in.mp4"] {
        let desk = Desk::new();
        with_words(&desk, master);
        let words = json!([
            {"name": "Español", "track": "es"},
            {"name": "Klingon", "track": "tlh", "optional": true},
            {"name": "Deutsch", "track": ["nor", 2], "language": "de-AT"},
        ]);
        let entry = small(json!({"audio": {}, "subtitles": words}));
        let made = desk.render(master, std::slice::from_ref(&entry));
        accepted(&desk, master, &entry, made.rendered("web"));
        let text = std::fs::read_to_string(desk.path("web.text.vtt")).unwrap();
        let expected = "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n00:01.000 --> 00:02.500\n¿Qué <i>tal</i>?\n\n\
                        00:04.000 --> 00:05.000\nAdiós\nya\n\n";
        assert_eq!(text.trim_end(), expected.trim_end(), "{master}");
        let text = std::fs::read_to_string(desk.path("web.text_3.vtt")).unwrap();
        assert!(text.contains("00:03.040 --> 00:04.000\nGrüß Gott"), "{text}");
        let list = std::fs::read_to_string(desk.path("web.m3u8")).unwrap();
        let groups: Vec<&str> = list.lines().filter(|l| l.contains("TYPE=SUBTITLES")).collect();
        assert_eq!(
            groups,
            [
                "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"text\",NAME=\"Español\",LANGUAGE=\"es\",DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,URI=\"web.text.m3u8\"",
                "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"text\",NAME=\"Deutsch\",LANGUAGE=\"de-AT\",DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,URI=\"web.text_3.m3u8\"",
            ]
        );
        // ffmpeg 5.1 knows none of HLS, and reads those of DASH where it may open files of any name.
        let mut command = Command::new("ffprobe");
        command.args(["-v", "error", "-allowed_extensions", "ALL", "-show_entries", "stream=codec_name"]);
        command.args(["-of", "csv=p=0"]).arg(desk.path("web.mpd"));
        let found = String::from_utf8(fed(command, &[])).unwrap();
        assert!(["webvtt", "h264", "aac"].iter().all(|codec| found.contains(codec)), "{found}");
        let refused =
            desk.render(master, &[small(json!({"subtitles": [{"name": "Français", "track": "fr"}]})), mp4("out")]);
        let error = refused.results["web"].as_ref().unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported);
        assert_eq!(error.to_string(), "it has no text track 'fr': it has 1 (spa), 2 (ger)");
        refused.rendered("out");
    }
}

#[test]
fn encrypted_segments_are_played_by_the_key_beside_them_and_by_no_other() {
    let desk = Desk::new();
    clip(&desk, 5, "25", "");
    let entry = small(json!({"audio": {}, "encryption": "aes128"}));
    let made = desk.render("in.mov", std::slice::from_ref(&entry));
    let rendered = made.rendered("web");
    accepted(&desk, "in.mov", &entry, rendered);
    assert!(rendered.files.iter().all(|f| !f.ends_with(".mpd") && !f.contains("iframes")), "{:?}", rendered.files);
    let frames = |list: &str| {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-allowed_extensions", "ALL", "-i"]).arg(desk.path(list));
        command.args(["-map", "0:v?", "-map", "0:a?", "-f", "framemd5", "-"]);
        let out = command.output().unwrap();
        String::from_utf8(out.stdout).unwrap().lines().filter(|l| l.starts_with("0,")).count()
    };
    assert_eq!(frames("web.m3u8"), 125);
    let list = std::fs::read_to_string(desk.path("web.small.m3u8")).unwrap();
    let vectors: std::collections::BTreeSet<&str> =
        list.lines().filter_map(|l| Some(l.split_once(",IV=0x")?.1)).collect();
    assert_eq!(vectors.len(), 3, "{list}");
    // openssl undoes it to a segment as it would be without.
    let key = std::fs::read(desk.path("web.key")).unwrap();
    let hex: String = key.iter().map(|b| format!("{b:02x}")).collect();
    let first = list.lines().find_map(|l| Some(l.split_once(",IV=0x")?.1)).unwrap();
    let mut command = Command::new("openssl");
    command.args(["enc", "-d", "-aes-128-cbc", "-K", &hex, "-iv", first, "-in"]).arg(desk.path("web.small.00001.m4s"));
    if let Ok(out) = command.output() {
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        assert_eq!(&out.stdout[4..8], b"moof");
    }
    let other = entry.clone();
    let again = desk.render("in.mov", std::slice::from_ref(&other));
    again.rendered("web");
    assert_ne!(std::fs::read(desk.path("web.key")).unwrap(), key, "a key of two renditions");
    std::fs::write(desk.path("web.key"), key).unwrap();
    assert_eq!(frames("web.m3u8"), 0, "another key opens it");
}

/// Frames of a list as ffmpeg decodes them: the sum of each.
fn sums(path: &Path, map: &str) -> Vec<String> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-xerror"]);
    if path.extension().is_some_and(|e| e == "m3u8") {
        command.args(["-allowed_extensions", "ALL"]);
    }
    command.arg("-i").arg(path).args(["-map", map, "-fps_mode", "passthrough", "-f", "framemd5", "-"]);
    let text = String::from_utf8(fed(command, &[])).unwrap();
    text.lines().filter(|l| !l.starts_with('#')).map(|l| l.rsplit(',').next().unwrap().to_owned()).collect()
}

#[test]
fn transport_streams_hold_the_same_pictures_and_sounds_and_every_keyframe_stands_alone() {
    let desk = Desk::new();
    desk.ffmpeg(
        "-f lavfi -i testsrc2=s=256x144:r=25:d=5 -f lavfi -i sine=400:d=5 -f lavfi -i sine=1000:d=5 -map 0 -map 1 -map 2 -c:v \
         libx264 -c:a flac -metadata:s:a:0 language=spa -metadata:s:a:1 language=eng in.mkv",
    );
    let rung = |name: &str, height: u32| json!({"name": name, "max_height": height, "video": {"bitrate": "300k", "preset": "veryfast", "keyframe_interval": "1s"}});
    let mut wish = json!({"segment": "2s", "mpeg_ts": true, "rungs": [rung("large", 144), rung("small", 72)],
        "audio": [{"name": "Español", "track": "es"}, {"name": "English", "track": "en"}]});
    let stream = entry("web", json!({"stream": wish}));
    let made = desk.render("in.mkv", std::slice::from_ref(&stream));
    let rendered = made.rendered("web");
    accepted(&desk, "in.mkv", &stream, rendered);
    assert_eq!(rendered.files[..3], ["web.m3u8", "web.mpd", "web.ts.m3u8"]);
    let of = |name: &str| desk.path(name);
    for rung in ["large", "small"] {
        let pictures = sums(&of(&format!("web.ts.{rung}.m3u8")), "0:v");
        assert_eq!(pictures, sums(&of(&format!("web.{rung}.m3u8")), "0:v"), "{rung}");
        assert!(pictures.len() > 20);
    }
    assert_eq!(sums(&of("web.ts.small.m3u8"), "0:a"), sums(&of("web.sound.m3u8"), "0:a"));
    assert_eq!(sums(&of("web.ts.sound_2.m3u8"), "0:a"), sums(&of("web.sound_2.m3u8"), "0:a"));
    let list = std::fs::read_to_string(of("web.ts.m3u8")).unwrap();
    assert!(list.starts_with("#EXTM3U\n#EXT-X-VERSION:4\n"), "{list}");
    assert!(list.contains("LANGUAGE=\"es\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"1\"\n"), "{list}");
    assert!(list.contains("CHANNELS=\"1\",URI=\"web.ts.sound_2.m3u8\""), "{list}");
    assert!(list.contains("CODECS=\"avc1.") && list.contains("URI=\"web.ts.small.iframes.m3u8\""), "{list}");
    // Any keyframe is a picture by itself, with the tables before it.
    let keys = std::fs::read_to_string(of("web.ts.large.iframes.m3u8")).unwrap();
    let keys: Vec<&str> = keys.lines().collect();
    let at = keys.iter().rposition(|l| l.starts_with("#EXT-X-BYTERANGE:")).unwrap();
    let (length, from) = keys[at]["#EXT-X-BYTERANGE:".len()..].split_once('@').unwrap();
    let (length, from): (usize, usize) = (length.parse().unwrap(), from.parse().unwrap());
    let segment = std::fs::read(of(keys[at + 1])).unwrap();
    std::fs::write(of("alone.ts"), &segment[from..from + length]).unwrap();
    assert_eq!(sums(&of("alone.ts"), "0:v").len(), 1);
    // Played through, no packet is lost or out of its turn.
    let joined: Vec<u8> = rendered
        .files
        .iter()
        .filter(|f| f.starts_with("web.ts.large.0") && f.ends_with(".ts"))
        .flat_map(|f| std::fs::read(of(f)).unwrap())
        .collect();
    let mut counts = std::collections::HashMap::new();
    for packet in joined.chunks(188) {
        let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
        let count = packet[3] & 0xf;
        let last = counts.insert(pid, count);
        assert!(last.is_none_or(|last| (last + 1) & 0xf == count), "{pid}: {count} after {last:?}");
    }
    // Sound is cut where the pictures are, to a frame of it.
    let extents = |name: &str| -> Vec<f64> {
        let list = std::fs::read_to_string(of(name)).unwrap();
        list.lines().filter_map(|l| l.strip_prefix("#EXTINF:")?.strip_suffix(',')?.parse().ok()).collect()
    };
    let (pictures, sound) = (extents("web.small.m3u8"), extents("web.sound_2.m3u8"));
    assert_eq!((pictures.len(), sound.len()), (3, 3), "{sound:?}");
    let mut apart = 0.0;
    for (picture, sound) in pictures.iter().zip(&sound) {
        apart += sound - picture;
        assert!(f64::abs(apart) < 0.022, "{pictures:?} {sound:?}");
    }
    // Encrypted by the same key, and nothing else is changed.
    wish["encryption"] = json!("aes128");
    let sealed = entry("sealed", json!({"stream": wish}));
    let made = desk.render("in.mkv", std::slice::from_ref(&sealed));
    accepted(&desk, "in.mkv", &sealed, made.rendered("sealed"));
    let files = &made.rendered("sealed").files;
    assert_eq!(files[..2], ["sealed.m3u8", "sealed.ts.m3u8"]);
    assert!(files.iter().any(|f| f == "sealed.key") && files.iter().all(|f| !f.contains("iframes")), "{files:?}");
    let sealed = std::fs::read(of("sealed.ts.small.00001.ts")).unwrap();
    assert!(
        sealed.len() % 188 != 0 && sealed.chunks(188).filter(|packet| packet[0] == 0x47).count() < sealed.len() / 188
    );
    assert_eq!(sums(&of("sealed.ts.small.m3u8"), "0:v").len(), sums(&of("web.ts.small.m3u8"), "0:v").len());
}
