//! Renditions as programs see them that had no part in making them: MediaInfo, ExifTool, and parsers of HLS and DASH.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::harness::{command, repository, scratch, tool};

/// Renders, and has each output accepted.
fn rendered(dir: &Path, input: &str, outputs: &Value) {
    let order = json!({"input": dir.join(input), "out_dir": dir, "outputs": outputs});
    let mut child = command(["render"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(order.to_string().as_bytes()).unwrap();
    let said = String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned();
    assert_eq!(said.matches("\"event\":\"accepted\"").count(), outputs.as_array().unwrap().len(), "{said}");
}

fn ffmpeg(dir: &Path, words: &str) {
    let words = words.split_whitespace();
    let out = Command::new("ffmpeg").current_dir(dir).args(["-v", "error", "-nostdin"]).args(words).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// What MediaInfo says of a file's first track of a kind, in its own words.
fn mediainfo(file: &Path, kind: &str) -> Value {
    let said: Value = serde_json::from_str(&tool("mediainfo", ["--Output=JSON", file.to_str().unwrap()])).unwrap();
    let tracks = said["media"]["track"].as_array().unwrap();
    tracks.iter().find(|t| t["@type"] == kind).cloned().unwrap_or_else(|| panic!("no {kind} in {said:#}"))
}

#[track_caller]
fn says(track: &Value, what: &[(&str, &str)]) {
    for (key, value) in what {
        assert_eq!(track[key], *value, "{key} of {track:#}");
    }
}

#[test]
fn mediainfo_finds_codecs_colors_frames_and_timecode_as_they_were_asked_for() {
    let dir = scratch();
    ffmpeg(
        dir.path(),
        "-f lavfi -i testsrc2=s=640x360:r=25:d=4 -f lavfi -i sine=400:r=48000:d=4 -timecode 10:00:00:00 -c:v libx264 -pix_fmt \
         yuv420p -color_primaries bt709 -color_trc bt709 -colorspace bt709 -c:a pcm_s16le in.mov",
    );
    let film = json!({"video": {"bitrate": "800k", "preset": "superfast"}, "audio": {}});
    let webm = json!({"video": {"codec": "vp9", "bitrate": "800k"}, "audio": {}});
    let outputs = json!([
        {"name": "a", "spec": {"mp4": film}},
        {"name": "b", "spec": {"fmp4": film}},
        {"name": "c", "spec": {"mov": film}},
        {"name": "d", "spec": {"ts": film}},
        {"name": "e", "spec": {"webm": webm}},
        {"name": "f", "spec": {"mezzanine": {"profile": "hq"}}},
    ]);
    rendered(dir.path(), "in.mov", &outputs);
    let of = |name: &str, kind: &str| mediainfo(&dir.path().join(name), kind);
    for name in ["a.mp4", "b.mp4", "c.mov", "d.ts", "e.webm", "f.mov"] {
        let video = of(name, "Video");
        says(&video, &[("Width", "640"), ("Height", "360"), ("FrameRate", "25.000"), ("FrameCount", "100")]);
        let seconds: f64 = video["Duration"].as_str().unwrap().parse().unwrap();
        assert!((seconds - 4.0).abs() < 0.005, "{name}: {seconds}");
        let colors = ["colour_primaries", "transfer_characteristics", "matrix_coefficients"];
        says(&video, &colors.map(|key| (key, "BT.709")));
        match name {
            "e.webm" => {
                says(&video, &[("Format", "VP9"), ("colour_range", "Limited")]);
                says(&of(name, "Audio"), &[("Format", "Opus"), ("SamplingRate", "48000")]);
            }
            "f.mov" => {
                let prores = [("Format", "ProRes"), ("Format_Profile", "422 HQ"), ("ChromaSubsampling", "4:2:2")];
                says(&video, &prores);
            }
            _ => {
                let web = [("Format", "AVC"), ("Format_Profile", "High"), ("ChromaSubsampling", "4:2:0")];
                says(
                    &video,
                    &[&web[..], &[("BitDepth", "8"), ("ScanType", "Progressive"), ("colour_range", "Limited")]]
                        .concat(),
                );
                let sound = [("Format", "AAC"), ("Format_AdditionalFeatures", "LC"), ("Channels", "1")];
                says(&of(name, "Audio"), &[&sound[..], &[("SamplingRate", "48000")]].concat());
            }
        }
    }
    for name in ["c.mov", "f.mov"] {
        says(&of(name, "Other"), &[("Format", "QuickTime TC"), ("TimeCode_FirstFrame", "10:00:00:00")]);
    }
    says(&of("d.ts", "General"), &[("Format", "MPEG-TS")]);
    says(&of("a.mp4", "General"), &[("IsStreamable", "Yes")]);
}

#[test]
fn mediainfo_finds_hdr10_where_it_was_kept_and_none_where_it_was_toned_down() {
    let dir = scratch();
    ffmpeg(
        dir.path(),
        "-f lavfi -i testsrc2=s=640x360:r=25:d=1 -vf \
         format=yuv420p10le,setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc -c:v libx265 -preset ultrafast \
         -x265-params log-level=none:hdr10=1:master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400 \
         -tag:v hvc1 in.mp4",
    );
    let kept = json!({"codec": "h265", "depth": 10, "hdr": "keep", "crf": 28, "preset": "superfast"});
    let outputs = json!([
        {"name": "hdr", "spec": {"mp4": {"video": kept}}},
        {"name": "sdr", "spec": {"mp4": {"video": {"bitrate": "800k", "preset": "superfast"}}}},
    ]);
    rendered(dir.path(), "in.mp4", &outputs);
    let hdr = mediainfo(&dir.path().join("hdr.mp4"), "Video");
    says(&hdr, &[("Format", "HEVC"), ("BitDepth", "10"), ("HDR_Format", "SMPTE ST 2086")]);
    says(
        &hdr,
        &[("colour_primaries", "BT.2020"), ("transfer_characteristics", "PQ"), ("HDR_Format_Compatibility", "HDR10")],
    );
    assert!(
        hdr["MaxCLL"].as_str().unwrap().starts_with("1000 cd")
            && hdr["MaxFALL"].as_str().unwrap().starts_with("400 cd")
    );
    let sdr = mediainfo(&dir.path().join("sdr.mp4"), "Video");
    says(
        &sdr,
        &[("Format", "AVC"), ("BitDepth", "8"), ("colour_primaries", "BT.709"), ("transfer_characteristics", "BT.709")],
    );
    assert!(sdr["HDR_Format"].is_null() && sdr["MaxCLL"].is_null(), "{sdr:#}");
}

#[test]
fn exiftool_finds_pictures_upright_and_nothing_of_who_took_them_where() {
    let dir = scratch();
    let photo = dir.path().join("in.jpg");
    let photo = photo.to_str().unwrap();
    tool("convert", ["-size", "400x300", "gradient:red-blue", "-quality", "95", photo]);
    let private = [
        "-q",
        "-overwrite_original",
        "-Orientation#=6",
        "-GPSLatitude=40.4168",
        "-GPSLatitudeRef=N",
        "-GPSLongitude=3.7038",
        "-GPSLongitudeRef=W",
        "-Artist=A person",
        "-XMP:Creator=A person",
        "-IPTC:City=Madrid",
        "-SerialNumber=12345",
    ];
    tool("exiftool", private.iter().chain(&[photo]));
    let kinds = ["jpeg", "webp", "png", "avif", "jxl"];
    let outputs: Vec<Value> = kinds.iter().map(|k| json!({"name": k, "spec": {*k: {"max_width": 200}}})).collect();
    rendered(dir.path(), "in.jpg", &outputs.into());
    let all = |file: &str| -> Value {
        let file = dir.path().join(file);
        let said = tool("exiftool", ["-json", "-G1", "-a", file.to_str().unwrap()]);
        serde_json::from_str::<Value>(&said).unwrap()[0].take()
    };
    // What there is to be lost.
    let master = all("in.jpg");
    assert!(!master["GPS:GPSLatitude"].is_null() && !master["IFD0:Orientation"].is_null(), "{master:#}");
    for file in ["jpeg.jpg", "webp.webp", "png.png", "avif.avif", "jxl.jxl"] {
        let told = all(file);
        assert_eq!(told["Composite:ImageSize"], "200x267", "{file}: {told:#}");
        let keys = told.as_object().unwrap().keys();
        let groups = ["GPS", "IFD0", "ExifIFD", "IPTC", "XMP-", "MakerNotes"];
        let private: Vec<&String> = keys.filter(|key| groups.iter().any(|group| key.starts_with(group))).collect();
        assert!(private.is_empty(), "{file}: {private:?}");
        assert!(!told.to_string().contains("person") && !told.to_string().contains("Madrid"), "{file}: {told:#}");
    }
    // Its colors are said where the format has a word for them; without one, they are sRGB to whoever looks.
    assert_eq!(all("avif.avif")["QuickTime:TransferCharacteristics"], "sRGB or sYCC");
}

#[test]
fn parsers_of_others_read_every_list_of_a_stream_without_a_complaint() {
    if !repository("target/test-tools/node_modules/mpd-parser").exists() {
        eprintln!("skipped: no parsers of HLS and DASH ('scripts/setup test' brings them)");
        return;
    }
    let dir = scratch();
    ffmpeg(
        dir.path(),
        "-f lavfi -i testsrc2=s=320x180:r=25:d=7 -f lavfi -i sine=400:d=7 -f lavfi -i sine=900:d=7 -map 0 -map 1 -map 2 -c:v libx264 \
         -c:a flac in.mkv",
    );
    let rung = |name: &str, height: u32| json!({"name": name, "max_height": height, "video": {"bitrate": "300k", "preset": "superfast", "keyframe_interval": "1s"}});
    let stream = json!({"segment": "2s", "mpeg_ts": true, "rungs": [rung("large", 180), rung("small", 90)],
        "audio": [{"name": "A", "track": 1, "language": "en"}, {"name": "B & C", "track": 2, "language": "es"}]});
    let mut sealed = stream.clone();
    sealed["encryption"] = json!("aes128");
    let outputs = json!([{"name": "web", "spec": {"stream": stream}}, {"name": "sealed", "spec": {"stream": sealed}}]);
    rendered(dir.path(), "in.mkv", &outputs);
    let lists: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path()).collect();
    let is_list = |path: &&std::path::PathBuf| path.extension().is_some_and(|e| e == "m3u8" || e == "mpd");
    let mut node = Command::new("node");
    node.arg(repository("tests/browser/lists.mjs")).args(lists.iter().filter(is_list));
    let out = node.output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    let told: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told.len(), lists.iter().filter(is_list).count(), "{said}{}", String::from_utf8_lossy(&out.stderr));
    for list in &told {
        assert_eq!(list["complaints"], json!([]), "{list}");
        if let Some(seconds) = list["seconds"].as_f64() {
            assert!((seconds - 7.0).abs() < 0.03, "{list}");
        }
    }
    let of = |name: &str| told.iter().find(|list| list["file"] == name).unwrap();
    for name in ["web.m3u8", "web.ts.m3u8"] {
        assert_eq!((&of(name)["variants"], &of(name)["keyframes"]), (&json!(2), &json!(2)), "{}", of(name));
        assert_eq!(of(name)["sounds"], json!(["A", "B & C"]));
    }
    assert_eq!((&of("sealed.m3u8")["keyframes"], &of("sealed.ts.m3u8")["keyframes"]), (&json!(0), &json!(0)));
    assert_eq!(of("web.small.m3u8")["segments"], json!([[2, 2, 2, 1]]));
    assert_eq!(of("web.ts.small.m3u8")["segments"], of("web.small.m3u8")["segments"]);
    assert_eq!(of("web.sound.m3u8")["segments"][0].as_array().unwrap().len(), 4);
    assert_eq!(of("web.mpd")["segments"], json!([[2, 2, 2, 1], [2, 2, 2, 1]]));
    assert_eq!(of("web.ts.large.iframes.m3u8")["ranges"], 7);
    assert_eq!(of("web.mpd")["sounds"], json!(["A", "B & C"]));
}
