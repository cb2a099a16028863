//! Files to edit with: every level that was there is there again, and so are fields, colors and timecode.

use super::*;

fn mezzanine(name: &str, codec: &str, profile: &str) -> Entry {
    entry(name, json!({"mezzanine": {"codec": codec, "profile": profile, "audio": {}}}))
}

/// Luma of the first picture, as codes of 10 bits.
fn luma(path: &Path, pixels: usize) -> Vec<u16> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-i"]).arg(path).args(["-frames:v", "1", "-pix_fmt", "yuv422p10le"]);
    command.args(["-f", "rawvideo", "-"]);
    fed(command, &[]).as_chunks::<2>().0[..pixels].iter().map(|b| u16::from_le_bytes(*b)).collect()
}

/// A ramp across all levels of 10 bits, 1920 × 1080, exact.
fn ramp(desk: &Desk, name: &str, words: &str) {
    let row = |at: fn(usize) -> u16, n: usize| (0..n).flat_map(|x| at(x).to_le_bytes()).collect::<Vec<u8>>();
    let luma = row(|x| 64 + (x * 876 / 1919) as u16, 1920).repeat(1080);
    let chroma = row(|_| 512, 960).repeat(2 * 1080);
    let frame = [luma, chroma].concat();
    desk.ffmpeg_fed(
        &frame.repeat(3),
        &format!("-f rawvideo -pix_fmt yuv422p10le -s 1920x1080 -r 25 -i - {words} {BT709} -color_range tv {name}"),
    );
}

#[test]
fn ten_bits_stay_ten_bits() {
    let desk = Desk::new();
    ramp(&desk, "in.mov", "-c:v v210");
    let entries = [
        mezzanine("proxy", "prores", "proxy"),
        mezzanine("lt", "prores", "lt"),
        mezzanine("standard", "prores", "standard"),
        mezzanine("hq", "prores", "hq"),
        mezzanine("full", "prores", "4444"),
        mezzanine("dnxhd", "dnxhd", "hqx"),
        mezzanine("dnxhr", "dnxhr", "hqx"),
        mezzanine("dnxhr444", "dnxhr", "444"),
        entry("h265", json!({"mp4": {"video": {"codec": "h265", "depth": 10, "crf": 4}}})),
    ];
    let made = desk.render("in.mov", &entries);
    let wanted = luma(&desk.path("in.mov"), 1920);
    for entry in &entries {
        let name = entry.name.as_str();
        let facts = accepted(&desk, "in.mov", entry, made.rendered(name));
        assert!(facts.video.unwrap().pixel_format.contains("p1"), "{name}");
        let found = luma(&desk.path(&entry.spec.file_name(name)), 1920);
        let levels: std::collections::BTreeSet<u16> = found.iter().copied().collect();
        assert!(levels.len() > 500, "{name} has {} levels", levels.len());
        let worst = found.iter().zip(&wanted).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(worst <= 12, "{name} is off by {worst} of 1023");
    }
}

#[test]
fn the_names_of_codec_and_profile_are_those_that_editors_look_for() {
    let desk = Desk::new();
    desk.ffmpeg(&format!(
        "-f lavfi -i testsrc2=s=1280x720:r=25:d=0.2 -f lavfi -i sine=r=48000:d=0.2 -ac 6 \
        -pix_fmt yuv420p -c:v libx264 {BT709} -c:a pcm_s16le in.mov"
    ));
    let cases = [
        ("prores", "proxy", "apco", "Proxy", "yuv422p10le"),
        ("prores", "lt", "apcs", "LT", "yuv422p10le"),
        ("prores", "standard", "apcn", "Standard", "yuv422p10le"),
        ("prores", "hq", "apch", "HQ", "yuv422p10le"),
        ("prores", "4444", "ap4h", "4444", "yuv444p12le"),
        ("dnxhd", "sq", "AVdn", "DNXHD", "yuv422p"),
        ("dnxhd", "hq", "AVdn", "DNXHD", "yuv422p"),
        ("dnxhd", "hqx", "AVdn", "DNXHD", "yuv422p10le"),
        ("dnxhr", "lb", "AVdh", "DNXHR LB", "yuv422p"),
        ("dnxhr", "sq", "AVdh", "DNXHR SQ", "yuv422p"),
        ("dnxhr", "hq", "AVdh", "DNXHR HQ", "yuv422p"),
    ];
    let name = |codec: &str, profile: &str| format!("{codec}_{profile}");
    let entries: Vec<Entry> = cases.iter().map(|(c, p, ..)| mezzanine(&name(c, p), c, p)).collect();
    let made = desk.render("in.mov", &entries);
    for ((codec, profile, tag, spoken, pixels), entry) in cases.iter().zip(&entries) {
        let rendered = made.rendered(&name(codec, profile));
        let facts = accepted(&desk, "in.mov", entry, rendered);
        let found = stream(&desk.path(&entry.spec.file_name(&entry.name)), "video");
        assert_eq!((&found["codec_tag_string"], &found["profile"]), (&json!(tag), &json!(spoken)));
        assert_eq!((&found["pix_fmt"], counted(&found)), (&json!(pixels), 5));
        assert_eq!(found["color_space"], "bt709");
        let audio = &facts.audio[0];
        assert_eq!((audio.codec.as_str(), audio.channels, audio.bits), ("pcm_s24be", 6, 24));
    }
}

#[test]
fn colors_are_kept_and_full_range_becomes_limited() {
    let desk = Desk::new();
    let of = |colors: &str, range: &str, name: &str| {
        desk.ffmpeg(&format!(
            "-f lavfi -i color=gray:s=320x240:r=25:d=0.2 -vf scale=out_range={range},format=yuv420p10le -c:v ffv1 \
             {colors} -color_range {range} {name}"
        ));
    };
    of("-colorspace bt2020nc -color_primaries bt2020 -color_trc smpte2084", "tv", "pq.mkv");
    of("-colorspace bt2020nc -color_primaries bt2020 -color_trc arib-std-b67", "tv", "hlg.mkv");
    of("-colorspace smpte170m -color_primaries smpte170m -color_trc smpte170m", "tv", "sd.mkv");
    of(BT709, "pc", "full.mkv");
    let entry = mezzanine("out", "prores", "hq");
    for (master, wanted) in [
        ("pq.mkv", ["bt2020nc", "bt2020", "smpte2084"]),
        ("hlg.mkv", ["bt2020nc", "bt2020", "arib-std-b67"]),
        ("sd.mkv", ["smpte170m", "smpte170m", "smpte170m"]),
        ("full.mkv", ["bt709", "bt709", "bt709"]),
    ] {
        let before = luma(&desk.path(master), 100)[50];
        let made = desk.render(master, std::slice::from_ref(&entry));
        accepted(&desk, master, &entry, made.rendered("out"));
        let found = stream(&desk.path("out.mov"), "video");
        let told =
            ["color_space", "color_primaries", "color_transfer"].map(|key| found[key].as_str().unwrap_or("none"));
        assert_eq!(told, wanted, "{master}");
        let after = luma(&desk.path("out.mov"), 100)[50];
        // ffmpeg, too, makes it limited where it is read.
        assert!(before.abs_diff(after) <= 2, "{master}: {before} became {after}");
        let range = facts(&desk.path(master)).video.unwrap().range;
        assert_eq!(range == crate::model::Range::Full, master == "full.mkv");
    }
}

#[test]
fn fields_stay_fields_or_become_frames_as_said() {
    let desk = Desk::new();
    for (order, top) in [("tff", true), ("bff", false)] {
        let master = format!("{order}.mov");
        let mode = if top { "interleave_top" } else { "interleave_bottom" };
        let flags = if top { 1 } else { 0 };
        desk.ffmpeg(&format!(
            "-f lavfi -i testsrc2=s=720x576:r=50:d=1 -vf tinterlace={mode},setfield={order},format=yuv422p10le \
             -c:v prores_ks -profile:v 3 -flags +ildct -top {flags} -colorspace smpte170m -color_primaries bt470bg \
             -color_trc bt709 {master}"
        ));
        let keep = mezzanine("keep", "prores", "hq");
        let whole = entry("whole", json!({"mezzanine": {"interlaced": "deinterlace"}}));
        let entries = [keep, whole];
        let made = desk.render(&master, &entries);
        for entry in &entries {
            accepted(&desk, &master, entry, made.rendered(&entry.name));
        }
        let field = |path: &Path| {
            let mut command = Command::new("ffprobe");
            command.args(["-v", "error", "-show_entries", "frame=interlaced_frame,top_field_first", "-of", "csv=p=0"]);
            String::from_utf8(fed(
                {
                    command.arg(path);
                    command
                },
                &[],
            ))
            .unwrap()
            .lines()
            .next()
            .unwrap()
            .to_owned()
        };
        assert_eq!(field(&desk.path("keep.mov")), field(&desk.path(&master)), "{order}");
        assert!(field(&desk.path("whole.mov")).starts_with('0'), "{order}");
        // Nothing moved between the fields.
        let (a, b) = (luma(&desk.path("keep.mov"), 720 * 576), luma(&desk.path(&master), 720 * 576));
        let off = a.iter().zip(&b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64;
        assert!(off < 3.0, "{order}: off by {off} on average");
    }
}

#[test]
fn timecode_goes_along() {
    let desk = Desk::new();
    for (rate, code) in
        [("25", "10:11:12:13"), ("30000/1001", "01:02:03;04"), ("30000/1001", "09:59:59:29"), ("24", "23:00:00:23")]
    {
        desk.ffmpeg(&format!(
            "-f lavfi -i testsrc2=s=320x240:r={rate}:d=1 -pix_fmt yuv420p -c:v libx264 {BT709} -timecode {code} in.mov"
        ));
        let film = entry("film", json!({"mov": {"video": {"bitrate": "1M"}}}));
        let entries = [mezzanine("out", "prores", "lt"), film];
        let made = desk.render("in.mov", &entries);
        for entry in &entries {
            let facts = accepted(&desk, "in.mov", entry, made.rendered(&entry.name));
            let timecode = facts.timecode.unwrap_or_else(|| panic!("{}: no timecode", entry.name));
            assert_eq!((timecode.value.as_str(), timecode.drop_frame), (code, code.contains(';')), "{}", entry.name);
        }
    }
}

#[test]
fn alpha_is_kept_by_4444_and_laid_on_a_color_by_the_others() {
    let desk = Desk::new();
    desk.ffmpeg(
        "-f lavfi -i color=red:s=320x240:r=25:d=0.2,format=yuva444p10le,geq=lum=p(X\\,Y):cb=p(X\\,Y):cr=p(X\\,Y):a='if(lt(X\\,160)\\,1023\\,0)' \
         -c:v prores_ks -profile:v 4 -pix_fmt yuva444p10le -colorspace smpte170m -color_primaries smpte170m -color_trc smpte170m in.mov",
    );
    let blue = json!({"background": "#0000ff"});
    let with = |mut spec: Value| {
        spec["background"] = blue["background"].clone();
        spec
    };
    let entries = [
        mezzanine("keep", "prores", "4444"),
        entry("flat", json!({"mezzanine": with(json!({"profile": "hq"}))})),
        entry("film", json!({"mp4": with(json!({"video": {"bitrate": "2M"}}))})),
        entry("dark", json!({"mp4": {"video": {"bitrate": "2M"}}})),
        entry("still", json!({"webp": with(json!({"at": "0s"}))})),
    ];
    let made = desk.render("in.mov", &entries);
    for entry in &entries {
        accepted(&desk, "in.mov", entry, made.rendered(&entry.name));
    }
    assert_eq!(stream(&desk.path("keep.mov"), "video")["pix_fmt"], "yuva444p12le");
    let close = |found: [f64; 3], wanted: [f64; 3], what: &str| {
        let far = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(far < 12.0, "{what}: {found:?}, not {wanted:?}");
    };
    // Of BT.601, which the films are not.
    for (file, behind) in [("film.mp4", [0.0, 0.0, 255.0]), ("flat.mov", [0.0, 0.0, 255.0]), ("dark.mp4", [0.0; 3])] {
        let picture = &shown(&desk.path(file), (320, 240), "null")[0];
        close(picture.rgb(0.25, 0.5), [255.0, 0.0, 0.0], file);
        close(picture.rgb(0.75, 0.5), behind, file);
    }
    let rgb = |x: u32| {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-i"]).arg(desk.path("still.webp"));
        command.args(["-vf", &format!("crop=2:2:{x}:100"), "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]);
        let bytes = fed(command, &[]);
        [0, 1, 2].map(|i| f64::from(bytes[i]))
    };
    close(rgb(60), [255.0, 0.0, 0.0], "still");
    close(rgb(240), [0.0, 0.0, 255.0], "still");
}

#[test]
fn what_a_codec_cannot_hold_is_told_in_words() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i testsrc2=s=320x240:r=25:d=0.2 -pix_fmt yuv420p -c:v libx264 small.mp4");
    desk.ffmpeg("-f lavfi -i testsrc2=s=1280x720:r=12:d=0.4 -pix_fmt yuv420p -c:v libx264 slow.mp4");
    desk.ffmpeg("-f lavfi -i testsrc2=s=720x576:r=25:d=0.2 -pix_fmt yuv420p -c:v libx264 -flags +ildct+ilme -x264opts tff=1 tff.mp4");
    let told = |master: &str, spec: Value| {
        let made = desk.render(master, &[entry("out", spec)]);
        let error = made.outcome.err().or_else(|| made.results.into_values().find_map(Result::err)).unwrap();
        assert_eq!(error.kind(), Kind::Unsupported, "{}", error.one_line());
        error.one_line()
    };
    let small = told("small.mp4", json!({"mezzanine": {"codec": "dnxhd"}}));
    assert!(small.contains("1920 x 1080 and 1280 x 720, and this is to become 320 x 240"), "{small}");
    let slow = told("slow.mp4", json!({"mezzanine": {"codec": "dnxhd"}}));
    assert!(slow.contains("no 12/1 frames a second"), "{slow}");
    let fields = told("tff.mp4", json!({"mezzanine": {"max_height": 288}}));
    assert!(fields.contains("fields cannot be scaled"), "{fields}");
}

#[test]
fn sound_is_linear_and_exact_at_every_depth() {
    let desk = Desk::new();
    let samples = super::sound::noise(96_000);
    desk.ffmpeg_fed(
        &samples,
        &format!("-f s24le -ar 48000 -ac 2 -i - -f lavfi -i testsrc2=s=64x64:r=25:d=1 -map 1:v -map 0:a -c:v ffv1 -c:a pcm_s24le {BT709} in.mkv"),
    );
    let of =
        |bits: u32| entry(&format!("b{bits}"), json!({"mezzanine": {"profile": "proxy", "audio": {"bits": bits}}}));
    let entries = [16, 24, 32].map(of);
    let made = desk.render("in.mkv", &entries);
    for (entry, tag) in entries.iter().zip(["twos", "in24", "in32"]) {
        accepted(&desk, "in.mkv", entry, made.rendered(&entry.name));
        let out = desk.path(&entry.spec.file_name(&entry.name));
        assert_eq!(stream(&out, "audio")["codec_tag_string"], tag);
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-i"]).arg(&out).args(["-vn", "-f", "s24le", "-"]);
        let found = fed(command, &[]);
        assert_eq!(found.len(), samples.len(), "{tag}");
        assert!(tag == "twos" || found == samples, "{tag} is not exact");
    }
}
