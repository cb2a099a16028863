//! The colors of the output, against the colors that the master was made of.

use super::*;

/// Black, white, grays, the primaries and a skin tone.
const COLORS: [[f64; 3]; 8] = [
    [0.0, 0.0, 0.0],
    [255.0, 255.0, 255.0],
    [128.0, 128.0, 128.0],
    [40.0, 40.0, 40.0],
    [230.0, 20.0, 20.0],
    [20.0, 200.0, 40.0],
    [30.0, 30.0, 220.0],
    [224.0, 172.0, 130.0],
];

/// Five equal frames of 4:2:0, the colors side by side.
fn patches(coding: Coding, (width, height): (usize, usize)) -> Vec<u8> {
    frame((width, height), |i| coding.yuv(COLORS[i]).map(|c| c.round() as u8)).repeat(5)
}

/// One frame of 4:2:0 made of eight vertical bars.
fn frame<T: Copy>((width, height): (usize, usize), color: impl Fn(usize) -> [T; 3]) -> Vec<T> {
    let plane = |w: usize, h: usize, component: usize| {
        let row: Vec<T> = (0..w).map(|x| color(x * 8 / w)[component]).collect();
        row.repeat(h)
    };
    let mut data = plane(width, height, 0);
    data.extend(plane(width / 2, height / 2, 1));
    data.extend(plane(width / 2, height / 2, 2));
    data
}

const SIZE: (usize, usize) = (256, 144);

/// Where the middle of a bar is.
fn middle(bar: usize) -> f64 {
    (bar as f64 + 0.5) / 8.0
}

/// Makes a master of [`COLORS`], renders it, and expects the same colors in it, said and coded as BT.709.
#[track_caller]
fn colors_survive(coding: Coding, size: (usize, usize), input: &str, output: &str) {
    let desk = Desk::new();
    let (w, h) = size;
    let words = format!("-f rawvideo {input} -s {w}x{h} -r 25 -i - {output}");
    desk.ffmpeg_fed(&patches(coding, size), &words);
    let out = desk.mp4(output.split_whitespace().last().unwrap());
    is_bt709(&out);
    let picture = &pictures(&out)[2];
    for (i, color) in COLORS.iter().enumerate() {
        let got = picture.rgb(middle(i), 0.5);
        let off = (0..3).map(|c| (got[c] - color[c]).abs()).fold(0.0, f64::max);
        assert!(off < 4.0, "{color:?} came out as {got:.1?}");
    }
}

#[track_caller]
fn is_bt709(path: &Path) {
    let v = stream(path, "video");
    for (what, wanted) in [
        ("codec_name", "h264"),
        ("profile", "High"),
        ("pix_fmt", "yuv420p"),
        ("color_space", "bt709"),
        ("color_primaries", "bt709"),
        ("color_transfer", "bt709"),
    ] {
        assert_eq!(v[what], wanted, "{what}");
    }
    assert!(v["color_range"].is_null() || v["color_range"] == "tv", "{v:#}");
}

const H264: &str = "-c:v libx264 -preset ultrafast -crf 2";

#[test]
fn full_range_h264_that_says_everything_comes_out_as_limited_bt709() {
    colors_survive(Coding::BT709.full(), SIZE, "-pix_fmt yuvj420p", &format!("{H264} -color_range pc {BT709} in.mp4"));
}

#[test]
fn full_range_h264_without_a_matrix_comes_out_as_limited_bt709() {
    colors_survive(Coding::BT601.full(), SIZE, "-pix_fmt yuvj420p", &format!("{H264} -color_range pc in.mp4"));
}

#[test]
fn full_range_hd_h264_without_a_matrix_is_taken_for_bt709() {
    let output = format!("{H264} -color_range pc in.mp4");
    colors_survive(Coding::BT709.full(), (1280, 720), "-pix_fmt yuvj420p", &output);
}

#[test]
fn full_range_motion_jpeg_keeps_its_colors() {
    colors_survive(Coding::BT601.full(), SIZE, "-pix_fmt yuvj420p", "-c:v mjpeg -q:v 1 in.avi");
}

#[test]
fn limited_bt709_keeps_its_colors() {
    colors_survive(Coding::BT709, SIZE, "-pix_fmt yuv420p", &format!("{H264} -color_range tv {BT709} in.mp4"));
}

#[test]
fn standard_definition_that_says_bt601_is_converted_to_bt709() {
    let tags = "-colorspace smpte170m -color_primaries smpte170m -color_trc smpte170m";
    colors_survive(Coding::BT601, SIZE, "-pix_fmt yuv420p", &format!("{H264} {tags} in.mp4"));
}

#[test]
fn standard_definition_that_says_nothing_is_taken_for_bt601() {
    colors_survive(Coding::BT601, (720, 576), "-pix_fmt yuv420p", "-c:v mpeg2video -q:v 2 in.mpg");
}

#[test]
fn pictures_of_rgb_keep_their_colors() {
    let desk = Desk::new();
    let row = (0..256).flat_map(|x| COLORS[x / 32].map(|c| c as u8)).collect::<Vec<_>>();
    desk.ffmpeg_fed(&row.repeat(144).repeat(5), "-f rawvideo -pix_fmt rgb24 -s 256x144 -r 25 -i - -c:v png in.mov");
    let out = desk.mp4("in.mov");
    is_bt709(&out);
    for (i, color) in COLORS.iter().enumerate() {
        let got = pictures(&out)[2].rgb(middle(i), 0.5);
        assert!((0..3).all(|c| (got[c] - color[c]).abs() < 4.0), "{color:?} came out as {got:.1?}");
    }
}

#[test]
fn prores_422_of_ten_bits_becomes_a_high_profile_that_browsers_play() {
    let desk = Desk::new();
    let words = "-f rawvideo -pix_fmt yuv420p -s 256x144 -r 25 -i - -c:v prores_ks -pix_fmt yuv422p10le -profile:v 3";
    desk.ffmpeg_fed(&patches(Coding::BT709, SIZE), &format!("{words} {BT709} in.mov"));
    assert_eq!(facts(&desk.path("in.mov")).video.unwrap().bit_depth, 10);
    let out = desk.mp4("in.mov");
    is_bt709(&out);
    for (i, color) in COLORS.iter().enumerate() {
        let got = pictures(&out)[2].rgb(middle(i), 0.5);
        assert!((0..3).all(|c| (got[c] - color[c]).abs() < 4.0), "{color:?} came out as {got:.1?}");
    }
}

/// From the left: opaque red, half transparent white, and white and red that do not show at all.
#[track_caller]
fn transparent_shows_black(output: &str) {
    let desk = Desk::new();
    let seen: [[u8; 4]; 4] = [[230, 20, 20, 255], [255, 255, 255, 128], [255, 255, 255, 0], [230, 20, 20, 0]];
    let row = (0..256).flat_map(|x| seen[x / 64]).collect::<Vec<_>>();
    let words = format!("-f rawvideo -pix_fmt rgba -s 256x144 -r 25 -i - {output}");
    desk.ffmpeg_fed(&row.repeat(144).repeat(5), &words);
    let master = output.split_whitespace().last().unwrap();
    assert!(facts(&desk.path(master)).video.unwrap().alpha);
    let out = desk.mp4(master);
    is_bt709(&out);
    let wanted = [[230.0, 20.0, 20.0], [128.0; 3], [0.0; 3], [0.0; 3]];
    for (i, wanted) in wanted.iter().enumerate() {
        let got = pictures(&out)[0].rgb((i as f64 + 0.5) / 4.0, 0.5);
        assert!((0..3).all(|c| (got[c] - wanted[c]).abs() < 5.0), "{wanted:?} came out as {got:.1?}");
    }
}

#[test]
fn what_is_transparent_in_quicktime_animation_shows_black() {
    transparent_shows_black("-c:v qtrle in.mov");
}

#[test]
fn what_is_transparent_in_png_shows_black() {
    transparent_shows_black("-c:v png in.mov");
}

#[test]
fn what_is_transparent_in_prores_4444_shows_black() {
    let matrix = "-vf scale=out_color_matrix=bt709:flags=accurate_rnd+full_chroma_int";
    transparent_shows_black(&format!("{matrix} -c:v prores_ks -pix_fmt yuva444p10le -profile:v 4444 {BT709} in.mov"));
}

#[test]
fn what_is_transparent_in_vp9_shows_black() {
    let matrix = "-vf scale=out_color_matrix=bt709:flags=accurate_rnd+full_chroma_int";
    transparent_shows_black(&format!(
        "{matrix} -colorspace bt709 -c:v libvpx-vp9 -crf 4 -b:v 0 -pix_fmt yuva420p in.webm"
    ));
}

/// Light in cd/m² of eight bars: grays, and three colors that BT.709 has as well.
const LIGHT: [[f64; 3]; 8] = [
    [0.0, 0.0, 0.0],
    [5.0, 5.0, 5.0],
    [26.0, 26.0, 26.0],
    [203.0, 203.0, 203.0],
    [1000.0, 1000.0, 1000.0],
    [200.0, 100.0, 80.0],
    [90.0, 200.0, 90.0],
    [80.0, 90.0, 200.0],
];

/// SMPTE ST 2084, equation 5.2.
fn pq(nits: f64) -> f64 {
    let y = (nits / 10_000.0).powf(0.159_301_757_812_5);
    ((0.835_937_5 + 18.851_562_5 * y) / (1.0 + 18.687_5 * y)).powf(78.843_75)
}

/// BT.2100-2 table 5, of scene light; the display's gamma of 1.2 is undone for gray alone.
fn hlg(nits: f64) -> f64 {
    let e = (nits / 1000.0).powf(1.0 / 1.2);
    let a = 0.178_832_77_f64;
    if e <= 1.0 / 12.0 { (3.0 * e).sqrt() } else { a * (12.0 * e - (1.0 - 4.0 * a)).ln() + 0.5 - a * (4.0 * a).ln() }
}

/// Renders a master of [`LIGHT`] and compares with the tone mapping of ffmpeg, which is the same curve of Hable's on the
/// largest component, but without this one's exposure: mid tones may differ by a tenth, not more.
#[track_caller]
fn is_tone_mapped(signal: fn(f64) -> f64, output: &str) {
    let desk = Desk::new();
    let bars = frame((256, 144), |i| {
        let [y, u, v] = Coding::BT2020.yuv(LIGHT[i].map(|n| 255.0 * signal(n)));
        [y, u, v].map(|c| (c * 4.0).round() as u16)
    });
    let raw: Vec<u8> = bars.iter().flat_map(|c| c.to_le_bytes()).collect();
    let words = format!("-f rawvideo -pix_fmt yuv420p10le -s 256x144 -r 25 -i - {output}");
    desk.ffmpeg_fed(&raw.repeat(5), &words);
    let master = output.split_whitespace().last().unwrap();
    assert!(facts(&desk.path(master)).video.unwrap().is_hdr());
    let out = desk.mp4(master);
    is_bt709(&out);
    let reference = "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0:peak=10,\
                     zscale=t=bt709:m=bt709:r=tv,format=yuv420p";
    let theirs = &shown(&desk.path(master), SIZE, reference)[2];
    let ours = &pictures(&out)[2];
    let at = |p: &Picture, i: usize| p.at(middle(i), 0.5);
    let (ours, theirs): (Vec<_>, Vec<_>) = (0..8).map(|i| (at(ours, i), at(theirs, i))).unzip();
    println!("{ours:.0?}\n{theirs:.0?}");
    assert!((ours[0][0] - 16.0).abs() < 2.0, "black is {:?}", ours[0]);
    assert!(ours[4][0] > 225.0, "the brightest is {:?}", ours[4]);
    for pair in ours[..5].windows(2) {
        assert!(pair[1][0] > pair[0][0] + 5.0, "grays fall together: {ours:.0?}");
    }
    for gray in &ours[..5] {
        assert!((gray[1] - 128.0).abs() < 2.0 && (gray[2] - 128.0).abs() < 2.0, "a gray is colored: {gray:.1?}");
    }
    let saturation = |c: [f64; 3]| (c[1] - 128.0).hypot(c[2] - 128.0);
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert!((ours[0] - theirs[0]).abs() < 22.0, "luma is {ours:.0?} beside {theirs:.0?}");
        if saturation(*theirs) > 20.0 {
            let share = saturation(*ours) / saturation(*theirs);
            assert!((0.8..1.4).contains(&share), "saturation is {ours:.0?} beside {theirs:.0?}");
        }
    }
}

#[test]
fn hdr10_is_tone_mapped() {
    is_tone_mapped(
        pq,
        "-c:v libx265 -preset ultrafast -crf 4 -x265-params
         log-level=error:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:range=limited in.mp4",
    );
}

#[test]
fn hlg_is_tone_mapped() {
    is_tone_mapped(
        hlg,
        "-c:v libx264 -preset ultrafast -crf 4 -color_range tv -colorspace bt2020nc -color_primaries bt2020
         -color_trc arib-std-b67 in.mp4",
    );
}

#[test]
fn pictures_of_bt601_in_any_sampling_keep_their_colors() {
    let desk = Desk::new();
    for (format, codec) in [
        ("yuv422p", "-c:v mpeg2video -q:v 1"),
        ("yuv422p10le", "-c:v prores_ks"),
        ("yuv444p", "-c:v ffv1 -level 1"),
        ("yuv420p10le", "-c:v libx264 -qp 4"),
    ] {
        let frame = |yuv: [f64; 3]| {
            let planar: Vec<u8> = yuv.iter().flat_map(|c| [c.round() as u8].repeat(160 * 96)).collect();
            planar
        };
        let green = [30.0, 200.0, 60.0];
        let frames = frame(Coding::BT601.yuv(green)).repeat(10);
        desk.ffmpeg_fed(
            &frames,
            &format!("-f rawvideo -pix_fmt yuv444p -s 160x96 -r 25 -i - {codec} -pix_fmt {format} in.mov"),
        );
        desk.mp4("in.mov");
        let got = pictures(&desk.path("out.mp4"))[5].rgb(0.5, 0.5);
        assert!((0..3).all(|c| (got[c] - green[c]).abs() < 6.0), "{format}: {got:.1?}");
    }
}
