//! Pictures looked at by real engines: models and ONNX Runtime are looked for in `target/test-models` or in what
//! `DAMCTL_TEST_MODELS` names, Tesseract where programs are.

use std::{fs, path::Path, process::Command};

use damctl::{
    error::Kind,
    stop::Stop,
    vision::{
        Picture, Runtime, looks,
        objects::{Detector, Labels, Settings},
        tesseract,
        text::{self, Reader},
    },
};

use crate::harness::{models, repository};

/// What is read in the tests: letters of Spanish, signs, numbers.
const PAGE: [&str; 4] = [
    "Un murciélago añoraba a su querido cachorro.",
    "¿Cuánto costó la excursión a Logroño?",
    "Precio: 1.234,56 € (IVA incluido)",
    "Teléfono 91 555 01 23, martes y jueves",
];

struct Pixels(image::RgbImage);

impl Pixels {
    fn open(path: &Path) -> Self {
        Self(image::open(path).unwrap().to_rgb8())
    }

    fn picture(&self) -> Picture<'_> {
        Picture::new(self.0.width(), self.0.height(), self.0.as_raw()).unwrap()
    }
}

fn runtime() -> Option<Runtime> {
    Some(Runtime::open(Some(&models("onnxruntime")?)).unwrap())
}

fn reader() -> Option<Reader> {
    let folder = models("pp-ocr-v6-small")?;
    let file = |name: &str| folder.join(format!("{name}.onnx"));
    Some(Reader::load(&runtime()?, &file("det"), &file("rec"), &text::Settings::default()).unwrap())
}

fn detector(labels: Labels) -> Option<Detector> {
    let model = models("centernet-coco")?.join("model.onnx");
    Some(Detector::load(&runtime()?, &model, Settings { labels, ..Settings::default() }).unwrap())
}

fn convert(args: &[&str], to: &Path) {
    let made = Command::new("convert").args(args).arg(to).status().unwrap();
    assert!(made.success());
}

/// A page in print.
fn page(dir: &Path) -> Pixels {
    let to = dir.join("page.png");
    let text = PAGE.join("\n");
    let font = ["-size", "1000x320", "xc:white", "-font", "DejaVu-Serif", "-pointsize", "36", "-fill", "black"];
    convert(&[&font[..], &["-annotate", "+40+70", &text]].concat(), &to);
    Pixels::open(&to)
}

fn texts(lines: &[text::Line]) -> Vec<&str> {
    lines.iter().map(|l| l.text.as_str()).collect()
}

#[test]
fn a_spanish_page_and_a_caption_over_a_photograph_are_read_to_the_letter() {
    let (Some(mut reader), Some(photos), stop) = (reader(), models("photos"), Stop::new()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let page = page(dir.path());
    let read = reader.read(&page.picture(), &stop).unwrap();
    assert_eq!(texts(&read), PAGE);
    assert!(
        read.windows(2).all(|pair| pair[0].area[1] < pair[1].area[1]) && read.iter().all(|l| l.score > 0.9),
        "{read:?}"
    );
    let [left, top, width, height] = read[0].area;
    assert!((left - 0.04).abs() < 0.02 && top < 0.15 && width > 0.7 && height < 0.25, "{read:?}");

    // White letters with a thin edge over chrome and spokes, the lower one tilted.
    let over = dir.path().join("over.png");
    let photo = photos.join("motorcycle_left.png");
    let letters =
        ["-font", "DejaVu-Sans-Bold", "-pointsize", "44", "-fill", "white", "-stroke", "black", "-strokewidth", "2"];
    let photo = [photo.to_str().unwrap(), "-resize", "1280x"];
    let words =
        ["-annotate", "+60+80", "María Núñez, lingüista", "-annotate", "8x8+60+560", "«Así funciona el corazón»"];
    convert(&[&photo[..], &letters[..], &words[..]].concat(), &over);
    let read = reader.read(&Pixels::open(&over).picture(), &stop).unwrap();
    for said in ["María Núñez, lingüista", "«Así funciona el corazón»"] {
        assert!(texts(&read).contains(&said), "{read:?}");
    }

    let stopped = Stop::new();
    stopped.trip();
    assert_eq!(reader.read(&page.picture(), &stopped).unwrap_err().kind(), Kind::Stopped);
}

#[test]
fn a_spanish_page_is_read_by_tesseract() {
    let stop = Stop::new();
    let reader = match tesseract::Reader::find(None, tesseract::LANGUAGES, &stop) {
        Ok(reader) => reader,
        Err(e) => return eprintln!("skipped: {e}"),
    };
    assert!(reader.version().starts_with(|c: char| c.is_ascii_digit()), "{}", reader.version());
    let dir = tempfile::tempdir().unwrap();
    let read = reader.read(&page(dir.path()).picture(), &stop).unwrap();
    assert_eq!(texts(&read), PAGE);
    assert!(read.iter().all(|l| l.score > 0.8), "{read:?}");
    // Nothing to read, and next to no picture.
    for (width, height) in [(300, 200), (1, 1), (3, 2000)] {
        let gray = Pixels(image::RgbImage::from_pixel(width, height, image::Rgb([90, 90, 90])));
        assert!(reader.read(&gray.picture(), &stop).unwrap().is_empty(), "{width}x{height}");
    }
    let unknown = tesseract::Reader::find(None, "spa+xyz", &stop).unwrap_err();
    assert!(
        unknown.kind() == Kind::Unsupported && unknown.hint_text() == Some("install tesseract-ocr-xyz"),
        "{unknown:?}"
    );
}

#[test]
fn objects_are_found_in_photographs_and_named_in_the_archives_language() {
    let (Some(mut detector), Some(photos)) = (detector(Labels::in_language("es")), models("photos")) else { return };
    for (photo, label, [left, top, width, height]) in [
        ("astronaut.png", "persona", [0.0, 0.0, 0.7, 1.0]),
        ("coffee.png", "taza", [0.28, 0.05, 0.41, 0.6]),
        ("motorcycle_left.png", "motocicleta", [0.15, 0.1, 0.75, 0.8]),
    ] {
        let found = detector.detect(&Pixels::open(&photos.join(photo)).picture()).unwrap();
        let best = found.first().unwrap_or_else(|| panic!("nothing in {photo}"));
        assert_eq!(best.label, label, "{photo}: {found:?}");
        let near = best.area.iter().zip([left, top, width, height]).all(|(a, b)| (a - b).abs() < 0.1);
        assert!(near && found.iter().filter(|o| o.label == label).count() == 1, "{photo}: {found:?}");
    }
    let gray = Pixels(image::RgbImage::from_pixel(640, 360, image::Rgb([90, 90, 90])));
    assert!(detector.detect(&gray.picture()).unwrap().is_empty());
}

#[test]
fn a_real_yolo_export_is_told_by_what_it_gives() {
    let (Some(runtime), Some(model), Some(photos)) = (runtime(), models("nudenet"), models("photos")) else { return };
    let mut detector = Detector::load(&runtime, &model.join("model.onnx"), Settings::default()).unwrap();
    assert_eq!((detector.classes().len(), detector.classes()[0].as_str()), (18, "FEMALE_GENITALIA_COVERED"));
    let found = detector.detect(&Pixels::open(&photos.join("astronaut.png")).picture()).unwrap();
    let face = found.iter().find(|o| o.label == "FACE_FEMALE").unwrap_or_else(|| panic!("{found:?}"));
    let middle = (face.area[0] + face.area[2] / 2.0, face.area[1] + face.area[3] / 2.0);
    assert!((middle.0 - 0.44).abs() < 0.05 && (middle.1 - 0.22).abs() < 0.08, "{face:?}");
}

#[test]
fn next_to_no_picture_has_nothing_in_it() {
    let (Some(mut reader), Some(mut detector)) = (reader(), detector(Labels::default())) else { return };
    assert_eq!(Picture::new(0, 0, &[]).unwrap_err().kind(), Kind::Invalid);
    for (width, height) in [(1, 1), (1, 5000), (5000, 9), (7, 7)] {
        let gray = Pixels(image::RgbImage::from_pixel(width, height, image::Rgb([200, 0, 0])));
        assert!(reader.read(&gray.picture(), &Stop::new()).unwrap().is_empty(), "{width}x{height}");
        detector.detect(&gray.picture()).unwrap();
        assert_eq!(looks::colors(&gray.picture())[0].english, "red");
    }
}

#[test]
fn another_model_is_told_from_the_one_that_is_expected() {
    let (Some(runtime), Some(ocr), Some(objects)) = (runtime(), models("pp-ocr-v6-small"), models("centernet-coco"))
    else {
        return;
    };
    let (det, rec) = (ocr.join("det.onnx"), ocr.join("rec.onnx"));
    let usual = text::Settings::default();
    let center = objects.join("model.onnx");
    let swapped = Reader::load(&runtime, &rec, &det, &usual).unwrap_err();
    let text = Reader::load(&runtime, &det, &center, &usual).unwrap_err();
    let object = Detector::load(&runtime, &rec, Settings::default()).unwrap_err();
    for error in [&swapped, &text, &object] {
        assert_eq!(error.kind(), Kind::Invalid, "{error:?}");
    }
    assert!(
        text.to_string().contains("[any, 3, 48, any]") && text.to_string().contains("images floats [1, 3, 512, 512]"),
        "{text}"
    );
    assert!(object.to_string().contains("floats [1, 100, 6]"), "{object}");

    // Half of one, none of one, and no file.
    let dir = tempfile::tempdir().unwrap();
    let broken = dir.path().join("broken.onnx");
    let whole = fs::read(&det).unwrap();
    for bytes in [&whole[..whole.len() / 2], b"", b"GIF89a"] {
        fs::write(&broken, bytes).unwrap();
        let error = Reader::load(&runtime, &broken, &rec, &usual).unwrap_err();
        assert!(error.kind() == Kind::Corrupt && error.to_string().contains("broken.onnx"), "{error:?}");
    }
    let missing = Detector::load(&runtime, &dir.path().join("none.onnx"), Settings::default()).unwrap_err();
    assert_eq!(missing.kind(), Kind::NotFound);
}

#[test]
fn a_runtime_that_is_none_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let fake = dir.path().join("libonnxruntime.so");
    fs::write(&fake, "no library").unwrap();
    for library in [
        fake.as_path(),
        dir.path(),
        Path::new("/nowhere/libonnxruntime.so"),
        Path::new("/lib/x86_64-linux-gnu/libc.so.6"),
    ] {
        let Err(error) = Runtime::open(Some(library)) else {
            return eprintln!("skipped: another test of this process has loaded one");
        };
        assert!(
            error.kind() == Kind::Unsupported && error.hint_text().is_some_and(|h| h.contains("ONNX Runtime")),
            "{error:?}"
        );
    }
}

#[test]
fn a_model_of_tensorflow_js_is_converted_to_the_same_file_each_time() {
    let (Some(runtime), Some(source), Some(photos)) = (runtime(), models("centernet-tfjs"), models("photos")) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let converted = |source: &Path, to: &str| {
        let to = dir.path().join(to);
        let script = repository("scripts/tfjs-to-onnx");
        let run = Command::new(script).arg(source).arg(&to).arg("tower_0/detections").output().unwrap();
        (run.status.success(), String::from_utf8(run.stderr).unwrap(), to)
    };
    let model = source.join("centernet.json");
    let (first, why, to) = converted(&model, "a.onnx");
    if why.contains("No module named 'numpy'") {
        return eprintln!("skipped: python3 has no NumPy");
    }
    let (second, _, again) = converted(&model, "b.onnx");
    assert!(first && second, "{why}");
    assert_eq!(fs::read(&to).unwrap(), fs::read(again).unwrap());
    let mut detector = Detector::load(&runtime, &to, Settings::default()).unwrap();
    let found = detector.detect(&Pixels::open(&photos.join("motorcycle_left.png")).picture()).unwrap();
    assert_eq!(found[0].label, "motorcycle", "{found:?}");

    // Weights that end too early.
    fs::copy(&model, dir.path().join("centernet.json")).unwrap();
    let weights = fs::read(source.join("centernet.bin")).unwrap();
    fs::write(dir.path().join("centernet.bin"), &weights[..weights.len() / 2]).unwrap();
    let (done, why, to) = converted(&dir.path().join("centernet.json"), "c.onnx");
    assert!(!done && why.contains("the weights end before") && !to.exists(), "{why}");
}
