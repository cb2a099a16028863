//! The best frame, sheets of small pictures, and scenes.

use super::{still::AS_VIDEO, *};

/// Films of scenes, by ffmpeg: each is a source, its color turned by so many degrees, and seconds.
fn film(desk: &Desk, scenes: &[(&str, u32, f64)], coding: &str) {
    let input = |(source, ..): &(&str, u32, f64)| {
        let joint = if source.contains('=') { ':' } else { '=' };
        format!("-f lavfi -i {source}{joint}s=320x180:r=25 ")
    };
    let inputs: String = scenes.iter().map(input).collect();
    let cut = |(i, (_, hue, seconds)): (usize, &(&str, u32, f64))| {
        format!("[{i}:v]trim=duration={seconds},hue=h={hue},format=yuv420p[v{i}];")
    };
    let turned: String = scenes.iter().enumerate().map(cut).collect();
    let joined: String = (0..scenes.len()).map(|i| format!("[v{i}]")).collect();
    desk.ffmpeg(&format!(
        "{inputs}-filter_complex {turned}{joined}concat=n={}:v=1[out] -map [out] {coding} {BT709} in.mp4",
        scenes.len()
    ));
}

fn json_of(desk: &Desk, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(desk.path(name)).unwrap()).unwrap()
}

/// When ffmpeg sees cuts, in seconds.
fn cuts_of_ffmpeg(desk: &Desk, threshold: f64) -> Vec<f64> {
    let mut command = Command::new("ffmpeg");
    let filter = format!("select='gt(scene,{threshold})',showinfo");
    command.args(["-hide_banner", "-nostdin", "-i"]).arg(desk.path("in.mp4")).args(["-vf", &filter, "-f", "null", "-"]);
    let out = command.output().unwrap();
    let log = String::from_utf8_lossy(&out.stderr).into_owned();
    let times = log.lines().filter(|l| l.contains("Parsed_showinfo")).filter_map(|l| l.split("pts_time:").nth(1));
    times.filter_map(|t| t.split_whitespace().next()?.parse().ok()).collect()
}

#[test]
fn scenes_begin_where_ffmpeg_sees_cuts() {
    let desk = Desk::new();
    film(
        &desk,
        &[
            ("testsrc2", 0, 2.0),
            ("smptebars", 0, 1.2),
            ("mandelbrot", 0, 2.0),
            ("color=white", 0, 1.0),
            ("testsrc", 90, 1.8),
        ],
        "-c:v libx264 -preset veryfast -g 100",
    );
    let wanted = entry("cuts", json!({"scenes": {"max_width": 160}}));
    let made = desk.render("in.mp4", &[wanted.clone(), mp4("video")]);
    let rendered = made.rendered("cuts");
    accepted(&desk, "in.mp4", &wanted, rendered);
    let list = json_of(&desk, "cuts.json");
    let begins: Vec<f64> =
        list["scenes"].as_array().unwrap().iter().map(|s| s["from_ms"].as_f64().unwrap() / 1000.0).collect();
    let mut expected = vec![0.0];
    expected.extend(cuts_of_ffmpeg(&desk, 0.3));
    assert_eq!(expected.len(), 5, "{expected:?}");
    assert_eq!(begins.len(), expected.len(), "{begins:?} {expected:?}");
    assert!(begins.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 0.021), "{begins:?} {expected:?}");
    // Each picture is the first of its scene.
    for (i, from) in begins.iter().enumerate() {
        let got = &shown(&desk.path(&format!("cuts.{:03}.jpg", i + 1)), (160, 90), AS_VIDEO)[0];
        let wanted =
            &shown(&desk.path("in.mp4"), (160, 90), "scale=160:90:flags=bicubic")[(from * 25.0).round() as usize];
        assert!(psnr(got, wanted) > 26.0, "{i}: {}", psnr(got, wanted));
    }
}

#[test]
fn of_more_scenes_than_wanted_the_hardest_cuts_stay() {
    let desk = Desk::new();
    let scenes = [
        ("color=black", 0, 1.0),
        ("color=white", 0, 1.0),
        ("color=gray", 0, 1.0),
        ("color=white", 0, 1.0),
        ("color=black", 0, 1.0),
    ];
    film(&desk, &scenes, "-c:v libx264 -preset veryfast -g 100");
    let wanted = entry("cuts", json!({"scenes": {"most": 3}}));
    let made = desk.render("in.mp4", std::slice::from_ref(&wanted));
    accepted(&desk, "in.mp4", &wanted, made.rendered("cuts"));
    let list = json_of(&desk, "cuts.json");
    let from = |i: usize| list["scenes"][i]["from_ms"].as_u64().unwrap();
    assert_eq!([from(0), from(1), from(2)], [0, 1000, 4000], "{list:#}");
}

#[test]
fn a_sprite_shows_each_part_of_the_recording() {
    let desk = Desk::new();
    // Frame n is a gray of 30 + 2 n, in long groups of pictures.
    let frames: Vec<u8> =
        (0..100).flat_map(|n| [30 + 2 * n as u8; 160 * 96].into_iter().chain([128; 160 * 96 / 2])).collect();
    let coding = "-c:v libx264 -preset veryfast -g 250 -sc_threshold 0";
    desk.ffmpeg_fed(
        &frames,
        &format!("-f rawvideo -pix_fmt yuv420p -s 160x96 -r 25 -i - -crf 1 {BT709} {coding} in.mp4"),
    );
    for (name, format, mime) in [("sheets", "jpeg", "jpg"), ("small", "webp", "webp")] {
        let spec = json!({"tile_width": 40, "columns": 2, "rows": 2, "count": 6, "format": format, "quality": 95});
        let wanted = entry(name, json!({ "sprite": spec }));
        let made = desk.render("in.mp4", &[wanted.clone(), mp4("video")]);
        let rendered = made.rendered(name);
        assert_eq!(rendered.files, [format!("{name}.vtt"), format!("{name}.001.{mime}"), format!("{name}.002.{mime}")]);
        accepted(&desk, "in.mp4", &wanted, rendered);
        for i in 0..6 {
            let sheet = desk.path(&format!("{name}.00{}.{mime}", i / 4 + 1));
            let (left, top) = (i % 2 * 40, i % 4 / 2 * 24);
            let crop =
                format!("format=gbrp,crop=40:24:{left}:{top},scale=out_color_matrix=bt709:out_range=tv,format=yuv420p");
            let luma = shown(&sheet, (40, 24), &crop)[0].brightness();
            // The middle of a sixth of four seconds, in frames of 40 ms.
            let frame = (((i * 2 + 1) * 4000 / 12) / 40) as f64;
            assert!(((luma - 30.0) / 2.0 - frame).abs() < 1.2, "{name} {i}: {} is not {frame}", (luma - 30.0) / 2.0);
        }
    }
}

#[test]
fn a_sprite_of_a_recording_cut_short_is_refused() {
    let desk = Desk::new();
    desk.ffmpeg(&format!(
        "-f lavfi -i testsrc2=s=320x180:r=25:d=20 -c:v libx264 -crf 20 -movflags +faststart {BT709} in.mp4"
    ));
    let bytes = std::fs::read(desk.path("in.mp4")).unwrap();
    std::fs::write(desk.path("cut.mp4"), &bytes[..bytes.len() / 2]).unwrap();
    let wanted = entry("sheets", json!({"sprite": {"interval": "2s"}}));
    let made = desk.render("cut.mp4", &[wanted]);
    assert_eq!(made.failed(), Some(crate::error::Kind::Corrupt));
}

/// Black, a fade out of it, one color, noise out of focus, a sharp picture, and the end in white.
fn with_one_good_scene(desk: &Desk, coding: &str) {
    let parts = [
        ("color=black:s=320x180:r=25:d=3", "null"),
        ("testsrc2=s=320x180:r=25:d=3", "fade=in:0:75"),
        ("color=0x707070:s=320x180:r=25:d=3", "null"),
        ("mandelbrot=s=320x180:r=25", "trim=duration=3,gblur=sigma=12"),
        ("mandelbrot=s=320x180:r=25", "trim=duration=3"),
        ("color=white:s=320x180:r=25:d=3", "null"),
    ];
    let inputs: String = parts.iter().map(|(source, _)| format!("-f lavfi -i {source} ")).collect();
    let turned: String = parts
        .iter()
        .enumerate()
        .map(|(i, (_, f))| format!("[{i}:v]{f},format=yuv420p,setpts=PTS-STARTPTS[v{i}];"))
        .collect();
    let joined: String = (0..parts.len()).map(|i| format!("[v{i}]")).collect();
    desk.ffmpeg(&format!(
        "{inputs}-filter_complex {turned}{joined}concat=n=6:v=1[out] -map [out] {coding} {BT709} in.mp4"
    ));
}

#[test]
fn the_best_frame_is_sharp_and_no_fade_and_always_the_same() {
    for coding in ["-c:v libx264 -preset veryfast -g 12", "-c:v libx264 -preset veryfast -g 1000 -sc_threshold 0"] {
        let desk = Desk::new();
        with_one_good_scene(&desk, coding);
        let best = |name| entry(name, json!({"jpeg": {"at": "best", "quality": 95}}));
        desk.render("in.mp4", &[best("alone")]).rendered("alone");
        let small = entry("small", json!({"webp": {"at": "best", "max_width": 160}}));
        let made = desk.render("in.mp4", &[best("beside"), mp4("video"), small]);
        assert_eq!((made.rendered("beside").size, made.rendered("small").size), ((320, 180), (160, 90)));
        accepted(&desk, "in.mp4", &best("beside"), made.rendered("beside"));
        let read = |name| std::fs::read(desk.path(name)).unwrap();
        assert!(read("alone.jpg") == read("beside.jpg"), "the frame depends on what else is made");
        let got = &shown(&desk.path("alone.jpg"), (320, 180), AS_VIDEO)[0];
        let all = shown(&desk.path("in.mp4"), (320, 180), "null");
        let closest = (0..all.len()).max_by(|a, b| psnr(got, &all[*a]).total_cmp(&psnr(got, &all[*b]))).unwrap();
        assert!((300..375).contains(&closest), "frame {closest} was taken");
    }
}
