//! Waveforms: every pair is compared with what ffmpeg decodes.

use super::{
    sound::{RATE, noise},
    *,
};

fn waveform(spec: Value) -> Entry {
    entry("w", json!({ "waveform": spec }))
}

/// Samples of 16 bits as ffmpeg decodes them, interleaved.
fn decoded(path: &Path) -> Vec<i16> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-i"]).arg(path).args(["-vn", "-map", "0:a:0", "-f", "s16le", "-"]);
    fed(command, &[]).as_chunks::<2>().0.iter().map(|b| i16::from_le_bytes(*b)).collect()
}

/// Smallest and largest of every `each` samples, channel after channel, as the published description has them.
fn pairs(samples: &[i16], channels: usize, each: usize, bits: u32) -> Vec<i64> {
    let shown = |value: i16| i64::from(if bits == 8 { value / 256 } else { value });
    let mut all = Vec::new();
    for window in samples.chunks(each * channels) {
        for channel in 0..channels {
            let one = || window.iter().skip(channel).step_by(channels);
            all.extend([shown(*one().min().unwrap()), shown(*one().max().unwrap())]);
        }
    }
    all
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn dat_of(path: &Path) -> ([i32; 6], Vec<i64>) {
    let bytes = std::fs::read(path).unwrap();
    let head: Vec<i32> = bytes[..24].as_chunks::<4>().0.iter().map(|b| i32::from_le_bytes(*b)).collect();
    let data = match head[1] {
        1 => bytes[24..].iter().map(|b| i64::from(*b as i8)).collect(),
        _ => bytes[24..].as_chunks::<2>().0.iter().map(|b| i64::from(i16::from_le_bytes(*b))).collect(),
    };
    (head.try_into().unwrap(), data)
}

#[test]
fn pairs_are_those_of_the_decoded_samples_in_both_forms_and_at_every_width() {
    let desk = Desk::new();
    let length = 3 * 44_100 + 17;
    let master: Vec<u8> = noise(2 * length).chunks(3).flat_map(|c| [c[0], c[1]]).collect();
    desk.ffmpeg_fed(&master, "-f s16le -ar 44100 -ac 2 -i - -c:a pcm_s16le in.wav");
    let heard = decoded(&desk.path("in.wav"));
    assert_eq!(heard.len(), 2 * length);
    let merged: Vec<i16> = heard.chunks(2).map(|c| ((i32::from(c[0]) + i32::from(c[1])) / 2) as i16).collect();
    for bits in [8, 16] {
        for (word, channels, samples) in [("separate", 2, &heard), ("merged", 1, &merged)] {
            let spec = json!({"samples_per_pixel": [100, 1024, 50000], "bits": bits, "channels": word});
            let entry = waveform(spec);
            let made = desk.render("in.wav", std::slice::from_ref(&entry));
            accepted(&desk, "in.wav", &entry, made.rendered("w"));
            assert_eq!(made.rendered("w").files.len(), 6);
            for each in [100, 1024, 50_000] {
                let wanted = pairs(samples, channels, each, bits);
                let count = length.div_ceil(each);
                let json = json!({"version": 2, "channels": channels, "sample_rate": 44100, "samples_per_pixel": each,
                    "bits": bits, "length": count, "data": wanted});
                assert!(json_of(&desk.path(&format!("w.{each}.json"))) == json, "{word} {bits} {each}");
                let (head, data) = dat_of(&desk.path(&format!("w.{each}.dat")));
                let flags = i32::from(bits == 8);
                assert_eq!(head, [2, flags, 44_100, each as i32, count as i32, channels as i32]);
                assert!(data == wanted, "{word} {bits} {each}");
            }
        }
    }
}

#[test]
fn the_peaks_of_a_video_begin_with_its_picture_and_cost_no_decode_of_it() {
    let desk = Desk::new();
    sound::click_file(&desk, "click.wav", 2.0, &[1.0]);
    let words = "-map 0:v -map 1:a -c:v libx264 -c:a pcm_s16le in.mov";
    desk.ffmpeg(&format!("-f lavfi -i color=s=64x64:r=25:d=3 -itsoffset 1 -i click.wav {words}"));
    let entry = waveform(json!({"samples_per_pixel": [480], "formats": ["dat"]}));
    let made = desk.render("in.mov", &[entry.clone(), mp4("film")]);
    accepted(&desk, "in.mov", &entry, made.rendered("w"));
    let (head, data) = dat_of(&desk.path("w.480.dat"));
    assert_eq!((head[2], head[4]), (RATE as i32, 300));
    let loud: Vec<usize> = (0..300).filter(|i| data[2 * i + 1] > 50).collect();
    assert_eq!(loud, [200]);
}

#[test]
fn floats_and_24_bits_are_cut_to_16() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i aevalsrc=0.7*sin(2*PI*50*t)|0.3*sin(2*PI*70*t):s=48000:d=2 -c:a pcm_s24le deep.wav");
    desk.ffmpeg("-i deep.wav -c:a pcm_f32le float.wav");
    for master in ["deep.wav", "float.wav"] {
        let entry =
            waveform(json!({"samples_per_pixel": [256], "bits": 16, "channels": "separate", "formats": ["dat"]}));
        desk.render(master, &[entry]).rendered("w");
        let (wanted, got) = (pairs(&decoded(&desk.path(master)), 2, 256, 16), dat_of(&desk.path("w.256.dat")).1);
        assert_eq!(got.len(), wanted.len());
        assert!(got.iter().zip(&wanted).all(|(a, b)| (a - b).abs() <= 1), "{master}");
    }
}

#[test]
fn a_picture_shows_where_it_is_loud_in_its_colors() {
    let desk = Desk::new();
    let quiet_then_loud = "aevalsrc=if(lt(t\\,2)\\,0\\,0.5*sin(2*PI*440*t)):s=48000:d=4";
    desk.ffmpeg(&format!("-f lavfi -i {quiet_then_loud} -c:a pcm_s16le in.wav"));
    for (format, background) in [("png", "#ffeedd"), ("webp", "none")] {
        let picture =
            json!({"format": format, "width": 400, "height": 100, "color": "#0000ff", "background": background});
        let entry = waveform(json!({"formats": [], "picture": picture}));
        let made = desk.render("in.wav", std::slice::from_ref(&entry));
        accepted(&desk, "in.wav", &entry, made.rendered("w"));
        assert_eq!(made.rendered("w").files, [format!("w.{format}")]);
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-i"]).arg(desk.path(&format!("w.{format}")));
        let rgba = fed(
            {
                command.args(["-pix_fmt", "rgba", "-f", "rawvideo", "-"]);
                command
            },
            &[],
        );
        assert_eq!(rgba.len(), 400 * 100 * 4);
        let ink = |x: usize| (0..100).filter(|y| rgba[(y * 400 + x) * 4..][..4] == [0, 0, 255, 255]).count();
        assert_eq!(ink(100), 1);
        assert!((49..=52).contains(&ink(300)), "{}", ink(300));
        let corner = if format == "png" { [0xff, 0xee, 0xdd, 0xff] } else { [0; 4] };
        assert_eq!(rgba[3], corner[3]);
        assert!(format == "webp" || rgba[..4] == corner);
    }
}
