//! The ears: Silero and Whisper through whisper.cpp.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperState, WhisperVadContext,
    WhisperVadContextParams, WhisperVadParams, get_lang_id, get_lang_str,
};

use super::{
    RATE, Said, Sound, Wish, doubt,
    languages::{Shares, Tongue, together},
    slices::{LONGEST, Span, slices},
    spoken::{Heard, Pieces, doubted, languages_of, looked_at, spoken},
};
use crate::{
    error::{Error, Kind, Result},
    model::{Finding, Signs, Word},
    stop::Stop,
};

/// How much is listened to before voices are looked for in it: 10 minutes, 38 MB. At the end of each, whoever listens to its last
/// slice is waited for.
const BLOCK: usize = 600 * RATE;
/// After so much of it that was decoded, it is told that somebody is at work: a block of a large master takes minutes to be read.
const DECODED: usize = 30 * RATE;
/// Positions of Whisper's encoder for a whole look of 30 s.
pub(super) const POSITIONS: usize = 1500;
/// ggml multiplies matrices fast where their sides are multiples of 64. This is as wide as it looks then, and wider than any slice.
const WHOLE: usize = POSITIONS / 64 * 64;
/// So much voice of which nothing was written, in samples, is listened to again.
const UNHEARD: usize = 3 * RATE;
/// Softer than this (-66 dBFS) is no voice.
const INAUDIBLE: f32 = 0.0005;
/// Shortest slice that Whisper takes, in samples; shorter ones are followed by silence.
pub(super) const SHORTEST: usize = RATE + RATE / 10;

/// A recognizer and what tells voices, loaded once and good for many sounds.
pub struct Ears {
    model: WhisperContext,
    voice: WhisperVadContext,
    /// One for each slice that is listened to at a time.
    states: Vec<WhisperState>,
}

fn state(model: &WhisperContext) -> Result<WhisperState> {
    model.create_state().map_err(|e| Error::new(Kind::OutOfMemory, "the model does not fit into memory").because(e))
}

impl Ears {
    /// Loads a Whisper model and a Silero model in ggml's format.
    ///
    /// Errors: `Corrupt` where a file is not what it should be. Memory that does not suffice ends the process.
    pub fn load(model: &Path, voice: &Path) -> Result<Self> {
        whisper_rs::install_logging_hooks();
        let damaged = |path: &Path| {
            Error::corrupt(format!("the model {} cannot be loaded", path.display()))
                .hint("'damctl models verify' tells whether it is as it came")
        };
        for path in [model, voice] {
            std::fs::File::open(path).map_err(|e| crate::error::io(format!("cannot open {}", path.display()), e))?;
        }
        let context = WhisperContext::new_with_params(model, WhisperContextParameters::default());
        let context = context.map_err(|e| damaged(model).because(e))?;
        let mut how = WhisperVadContextParams::new();
        how.set_n_threads(1);
        let path = voice.to_str().ok_or_else(|| Error::invalid(format!("{} is no path in UTF-8", voice.display())))?;
        let detector = WhisperVadContext::new(path, how).map_err(|e| damaged(voice).because(e))?;
        Ok(Self { model: context, voice: detector, states: Vec::new() })
    }

    /// Whether it knows more than one language.
    pub fn is_multilingual(&self) -> bool {
        self.model.is_multilingual()
    }

    /// Listens to all of a sound. `progress` is told up to which millisecond it has been listened to.
    ///
    /// Errors: `Invalid` for languages that the model does not know, and where one that knows English alone is to translate.
    pub fn hear(
        &mut self,
        sound: &mut dyn Sound,
        wish: &Wish,
        stop: &Stop,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<Said> {
        let languages = self.languages(wish)?;
        let (mut start, mut all) = (0_usize, Said::default());
        // Room for a block and what comes with its last samples: one that grows by itself takes twice as much.
        let mut buffer = Vec::<f32>::with_capacity(BLOCK + DECODED);
        loop {
            stop.check()?;
            let (mut is_end, mut told) = (false, buffer.len());
            while buffer.len() < BLOCK {
                match sound.next()? {
                    Some(samples) => {
                        buffer.extend(samples);
                        if buffer.len() - told >= DECODED {
                            told = buffer.len();
                            progress((start * 1000 / RATE) as u64);
                        }
                    }
                    None => {
                        is_end = true;
                        break;
                    }
                }
            }
            let voices = self.voices(&buffer)?;
            let mut cut = slices(&voices, &buffer);
            // What reaches to the end of the block may go on in the next.
            let mut keep = buffer.len();
            if !is_end {
                keep = match cut.last() {
                    Some(last) if last.to + 2 * RATE > buffer.len() && last.length() <= LONGEST => last.from,
                    Some(last) => last.to,
                    None => buffer.len().saturating_sub(RATE / 2),
                };
                cut.retain(|slice| slice.from < keep);
                // It cannot be all of it, or there would be no end.
                if keep == 0 {
                    keep = buffer.len();
                }
            }
            let base = start;
            let heard = Heard { samples: &buffer, base, voices: &voices };
            all.extend(self.transcribe(&heard, &cut, (wish, &languages), stop, progress)?);
            buffer.drain(..keep);
            start += keep;
            progress((start * 1000 / RATE) as u64);
            if is_end {
                break;
            }
        }
        for found in [&mut all.said, &mut all.english] {
            found.sort_by_key(|f| (f.from_ms, f.to_ms));
            doubt::judge_all(found);
        }
        Ok(all)
    }

    /// The model's numbers of the languages that are asked for; none: any.
    fn languages(&self, wish: &Wish) -> Result<Vec<i32>> {
        let is_known = |l: &String| l.bytes().all(|b| b.is_ascii_lowercase()) && !l.is_empty();
        let number = |l: &String| {
            is_known(l).then(|| get_lang_id(l)).flatten().ok_or_else(|| {
                Error::invalid(format!("'{l}' is no language that speech recognizers know"))
                    .hint("two letters (ISO 639-1), such as es or en")
            })
        };
        let numbers = wish.languages.iter().map(number).collect::<Result<Vec<_>>>()?;
        let all = languages_of(&self.model);
        if let Some((name, _)) = wish.languages.iter().zip(&numbers).find(|(_, n)| self.is_multilingual() && **n >= all)
        {
            return Err(Error::invalid(format!("the model knows {all} languages, and '{name}' is none of them"))
                .hint("whisper-large-v3-turbo knows it"));
        }
        match self.is_multilingual() {
            true => Ok(numbers),
            false if wish.translate => Err(Error::invalid("the model knows English alone, and cannot translate")
                .hint("take one that can, such as whisper-base or whisper-small, or leave 'translate' out")),
            false => {
                let english = get_lang_id("en").unwrap_or(0);
                if !numbers.is_empty() && !numbers.contains(&english) {
                    return Err(Error::invalid("the model knows English alone, which is not among the languages")
                        .hint("take a model of more languages, or none of the languages"));
                }
                Ok(vec![english])
            }
        }
    }

    fn voices(&mut self, samples: &[f32]) -> Result<Vec<Span>> {
        let mut how = WhisperVadParams::default();
        how.set_max_speech_duration((LONGEST / RATE - 1) as f32);
        // What nobody could hear need not be looked into.
        if samples.len() < RATE / 10 || samples.iter().all(|s| s.abs() < INAUDIBLE) {
            return Ok(Vec::new());
        }
        let failed = |e| Error::internal("voices cannot be looked for").because(e);
        let spans = self.voice.segments_from_samples(how, samples).map_err(failed)?;
        let sample = |centiseconds: f32| ((centiseconds.max(0.0) * (RATE / 100) as f32) as usize).min(samples.len());
        let spans = spans.map(|s| Span { from: sample(s.start), to: sample(s.end) });
        Ok(spans.filter(|s| s.to > s.from).collect())
    }

    fn transcribe(
        &mut self,
        heard: &Heard<'_>,
        cut: &[Span],
        (wish, languages): (&Wish, &[i32]),
        stop: &Stop,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<Said> {
        // Silence needs nobody who listens, nor the memory that it takes.
        if cut.is_empty() {
            return Ok(Said::default());
        }
        let at_a_time = wish.at_a_time.clamp(1, cut.len());
        while self.states.len() < at_a_time {
            self.states.push(state(&self.model)?);
        }
        let (next, found) = (AtomicUsize::new(0), Mutex::new(Said::default()));
        let told = Mutex::new((progress, 0));
        // The longest first, so that all of them end at about the same time.
        let mut order: Vec<Span> = cut.to_vec();
        order.sort_by_key(|slice| std::cmp::Reverse(slice.length()));
        let all: usize = order.iter().map(|slice| slice.length()).sum();
        let reached = |done: usize| {
            let share = done as f64 / all.max(1) as f64;
            ((heard.base as f64 + share * heard.samples.len() as f64) * 1000.0 / RATE as f64) as u64
        };
        let model = &self.model;
        let listen = |state: &mut WhisperState| -> Result<()> {
            loop {
                stop.check()?;
                let Some(slice) = order.get(next.fetch_add(1, Ordering::Relaxed)) else { return Ok(()) };
                // One of several languages is looked at and written down many times.
                let alive = || {
                    let (progress, done) = &mut *told.lock().unwrap_or_else(PoisonError::into_inner);
                    progress(reached(*done));
                    stop.check()
                };
                let said = one((model, state), heard, *slice, (wish, languages), &alive)?;
                found.lock().unwrap_or_else(PoisonError::into_inner).extend(said);
                let (progress, done) = &mut *told.lock().unwrap_or_else(PoisonError::into_inner);
                *done += slice.length();
                progress(reached(*done));
            }
        };
        let listen = &listen;
        std::thread::scope(|scope| {
            let all: Vec<_> = self.states[..at_a_time].iter_mut().map(|s| scope.spawn(move || listen(s))).collect();
            let panicked = |_| Err(Error::internal("who listens panicked"));
            all.into_iter().map(|t| t.join().unwrap_or_else(panicked)).collect::<Result<Vec<()>>>()
        })?;
        Ok(found.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Said {
    fn extend(&mut self, more: Self) {
        self.said.extend(more.said);
        self.english.extend(more.english);
    }
}

/// Transcribes one slice, each piece of it in its language, and translates it where that is wanted. `alive` is told between the
/// steps, and ends them with its error.
fn one(
    (model, state): (&WhisperContext, &mut WhisperState),
    heard: &Heard<'_>,
    slice: Span,
    (wish, expected): (&Wish, &[i32]),
    alive: &dyn Fn() -> Result<()>,
) -> Result<Said> {
    let mut looks = match *expected {
        [_] => Vec::new(),
        // What is in one language is often written down in another as well, and looks fine.
        _ => looked_at((model, state), heard, slice, heard.parts(slice), alive)?,
    };
    let first = match *expected {
        [language] => Tongue { language, foreign: None },
        _ => together(&looks).told(expected),
    };
    let itself = Into::Itself { words: wish.words };
    let (mut said, windows) = Decode { heard, slice, spoken: name(first.language) }.counted(state, itself)?;
    let mut whole = first;
    if let [_] = expected
        && model.is_multilingual()
    {
        (whole, looks) = doubted((model, state), heard, slice, (&said, windows), (first, expected), alive)?;
    }
    // Where any may be spoken, two that share a part may both be wrong.
    let is_shared = |(_, shares): &&(Span, Shares)| expected.is_empty() && !shares.allow(shares.told(&[]).language);
    let mut unsure: Vec<Span> = looks.iter().filter(is_shared).map(|(part, _)| *part).collect();
    let Pieces { all: pieces, moved } = spoken((model, state), heard, slice, looks, (first, whole, expected), alive)?;
    if expected.len() != 1 {
        unsure.extend(moved);
    }
    let is_written_anew = |tongue: &Tongue| pieces.len() > 1 || tongue.language != first.language;
    let before = if pieces.iter().any(|(_, tongue)| is_written_anew(tongue)) { said.clone() } else { Vec::new() };
    let mut all = Said::default();
    for (piece, tongue) in &pieces {
        let mut decode = Decode { heard, slice: *piece, spoken: name(tongue.language) };
        alive()?;
        if is_written_anew(tongue) {
            said = decode.by(state, itself)?;
        }
        // Of another language a model often makes nothing but a mark. That somebody spoke is not to be lost.
        if let Some(foreign) = tongue.foreign.filter(|_| said.is_empty()) {
            decode.spoken = name(foreign);
            said = decode.by(state, itself)?;
        }
        said.extend(decode.again(state, itself, &said, alive)?);
        let is_english = decode.spoken == "en";
        let mut english = Vec::new();
        if wish.translate && !is_english {
            english = decode.by(state, Into::English)?;
            english.extend(decode.again(state, Into::English, &english, alive)?);
        }
        // Whisper writes down any language in any other.
        if expected.is_empty() {
            said.iter_mut().chain(&mut english).for_each(doubt::improbable);
        }
        let is_doubtful =
            tongue.foreign.is_some() || (pieces.len() > 1 && expected.len() != 1 && heard.is_brief(*piece));
        if is_doubtful {
            said.iter_mut().chain(&mut english).for_each(doubt::language);
        }
        if wish.translate && is_english {
            english = said.iter().map(|f| Finding { words: Vec::new(), ..f.clone() }).collect();
        }
        all.extend(Said { said: std::mem::take(&mut said), english });
    }
    // Of several languages, it is not sure in which one a short voice is that has not that of the part it is in.
    let is_unsure = |f: &Finding| unsure.iter().any(|span| heard.is_in(*span, f));
    all.said.iter_mut().chain(&mut all.english).filter(|f| is_unsure(f)).for_each(doubt::language);
    // Of a short piece a model may make nothing: what it made of it with all around it is not to be lost.
    let is_lost = |f: &Finding| {
        let middle = f.from_ms.midpoint(f.to_ms);
        all.said.iter().all(|now| !(now.from_ms..=now.to_ms).contains(&middle))
    };
    let mut lost: Vec<Finding> = before.into_iter().filter(is_lost).collect();
    lost.iter_mut().for_each(doubt::language);
    all.said.extend(lost);
    Ok(all)
}

pub(super) fn name(language: i32) -> &'static str {
    get_lang_str(language).unwrap_or("en")
}

pub(super) fn failed(e: whisper_rs::WhisperError) -> Error {
    Error::corrupt("the recognizer failed on this sound").because(e)
}

/// What is written down of what is said.
#[derive(Clone, Copy)]
enum Into {
    /// What is said, and the times of words if they are wanted.
    Itself { words: bool },
    /// That in English. Its words are in another order than they are said in: they have no times.
    English,
}

/// A slice that is written down.
struct Decode<'a> {
    heard: &'a Heard<'a>,
    slice: Span,
    spoken: &'static str,
}

impl Decode<'_> {
    fn by(&self, state: &mut WhisperState, into: Into) -> Result<Vec<Finding>> {
        self.counted(state, into).map(|(found, _)| found)
    }

    /// What is said where there are voices and nothing was written of them, listened to once more by themselves and as widely as
    /// possible: a model may end early.
    fn again(
        &self,
        state: &mut WhisperState,
        into: Into,
        said: &[Finding],
        alive: &dyn Fn() -> Result<()>,
    ) -> Result<Vec<Finding>> {
        let Self { heard, slice, spoken } = *self;
        let lines: Vec<Span> = said.iter().map(|f| heard.span(f)).collect();
        let mut more = Vec::new();
        for gap in slice.without(&lines) {
            if heard.voices.iter().map(|voice| voice.common(gap)).sum::<usize>() < UNHEARD {
                continue;
            }
            alive()?;
            let (mut found, _) = Decode { heard, slice: gap, spoken }.looking(WHOLE, state, into)?;
            found.iter_mut().for_each(doubt::improbable);
            more.extend(found);
        }
        Ok(more)
    }

    /// What is said, and in how many windows it was looked at: where a model ends early, the rest is one of its own.
    fn counted(&self, state: &mut WhisperState, into: Into) -> Result<(Vec<Finding>, usize)> {
        self.looking(positions(self.slice.length()), state, into)
    }

    fn looking(&self, wide: usize, state: &mut WhisperState, into: Into) -> Result<(Vec<Finding>, usize)> {
        let Self { heard, slice, spoken: name } = *self;
        let mut samples = heard.samples[slice.from..slice.to].to_vec();
        samples.resize(samples.len().max(SHORTEST), 0.0);
        let (has_words, language) = match into {
            Into::Itself { words } => (words, name),
            Into::English => (false, "en"),
        };
        let mut how = quiet(name);
        how.set_translate(matches!(into, Into::English));
        how.set_token_timestamps(has_words);
        how.set_audio_ctx(wide as i32);
        let told = Arc::new(AtomicUsize::new(0));
        let count = told.clone();
        // Told before each window, and once at the end. The binding never frees it: some bytes a slice.
        how.set_progress_callback_safe(move |_: i32| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        state.full(how, &samples).map_err(failed)?;
        let windows = told.load(Ordering::Relaxed).saturating_sub(1);
        let mut found = Vec::new();
        for segment in state.as_iter() {
            let text = segment.to_str_lossy().map_err(failed)?;
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let sample =
                |centiseconds: i64| slice.from + (centiseconds.max(0) as usize * RATE / 100).min(slice.length());
            let span = Span { from: sample(segment.start_timestamp()), to: sample(segment.end_timestamp()) };
            if text.is_empty() || span.to <= span.from || is_noise(&text) {
                continue;
            }
            let ms = |at: usize| ((heard.base + at) * 1000 / RATE) as u64;
            let tokens: Vec<_> = (0..segment.n_tokens()).filter_map(|i| segment.get_token(i)).collect();
            // Those above are no text: times and marks.
            let end = 50_256;
            let text_tokens = tokens.iter().filter(|t| t.token_id() < end);
            let log: Vec<f64> = text_tokens.clone().map(|t| f64::from(t.token_data().plog)).collect();
            let mut words = Vec::new();
            if has_words {
                for token in text_tokens {
                    let data = token.token_data();
                    let bytes = token.to_bytes().unwrap_or_default();
                    let (from, to) = (ms(sample(data.t0)), ms(sample(data.t1)));
                    spell(&mut words, bytes, from, to, data.p);
                }
            }
            let voiced: usize = heard.voices.iter().map(|v| v.common(span)).sum();
            let signs = Signs {
                // What is infinite cannot be written as JSON.
                avg_logprob: ((log.iter().sum::<f64>() / log.len().max(1) as f64) as f32).max(-100.0),
                no_speech_prob: segment.no_speech_probability(),
                compression_ratio: 1.0,
                voiced: voiced as f32 / span.length().max(1) as f32,
            };
            let mut f = Finding {
                from_ms: ms(span.from),
                to_ms: ms(span.to),
                text,
                language: Some(language.to_owned()),
                words: finished(words),
                ..Finding::default()
            };
            doubt::judge(&mut f, signs);
            found.push(f);
        }
        Ok((found, windows))
    }
}

/// How something is written down on one core: the most probable, by itself, and nothing is printed.
pub(super) fn quiet(language: &'static str) -> FullParams<'static, 'static> {
    let mut how = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
    how.set_n_threads(1);
    how.set_language(Some(language));
    how.set_no_context(true);
    how.set_print_progress(false);
    how.set_print_realtime(false);
    how.set_print_timestamps(false);
    how.set_print_special(false);
    how
}

/// How many of the encoder's positions a slice fills, and a few more: with none to spare, words are said again.
fn positions(samples: usize) -> usize {
    let filled = samples.clamp(SHORTEST, LONGEST) * POSITIONS / (30 * RATE);
    (filled + POSITIONS / 20).next_multiple_of(64).min(WHOLE)
}

/// What is no word: "[Música]", "(applause)", "♪".
fn is_noise(text: &str) -> bool {
    let inner = text.trim_matches(|c: char| !c.is_alphanumeric() && !"[]()*♪".contains(c));
    let is_within = |open: char, close: char| {
        let within = inner.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        within.is_some_and(|mark| !mark.contains([open, close]))
    };
    is_within('[', ']') || is_within('(', ')') || is_within('*', '*') || !text.chars().any(char::is_alphanumeric)
}

/// A word in the making: tokens are parts of words, and of letters.
struct Spelled {
    bytes: Vec<u8>,
    from_ms: u64,
    to_ms: u64,
    least: f32,
}

fn spell(words: &mut Vec<Spelled>, bytes: &[u8], from_ms: u64, to_ms: u64, p: f32) {
    match words.last_mut() {
        Some(word) if !bytes.starts_with(b" ") => {
            word.bytes.extend(bytes);
            word.to_ms = word.to_ms.max(to_ms);
            word.least = word.least.min(p);
        }
        _ => words.push(Spelled { bytes: bytes.to_vec(), from_ms, to_ms, least: p }),
    }
}

fn finished(words: Vec<Spelled>) -> Vec<Word> {
    let each = |w: Spelled| {
        let text = String::from_utf8_lossy(&w.bytes).trim().to_owned();
        Word { from_ms: w.from_ms, to_ms: w.to_ms.max(w.from_ms), text, trust: Some(w.least) }
    };
    words.into_iter().map(each).filter(|w| !w.text.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use whisper_rs::get_lang_max_id;

    use super::*;

    #[test]
    fn profiles_may_name_the_languages_that_whisper_knows_and_no_others() {
        let mut known: Vec<&str> = (0..=get_lang_max_id()).filter_map(get_lang_str).collect();
        known.sort_unstable();
        assert_eq!(known.join(" "), crate::profile::SPOKEN);
    }

    struct Quiet(usize);

    impl Sound for Quiet {
        fn next(&mut self) -> Result<Option<Vec<f32>>> {
            self.0 = self.0.saturating_sub(1);
            Ok((self.0 > 0).then(|| vec![0.0; RATE]))
        }
    }

    #[test]
    fn nobody_is_made_to_listen_to_silence() {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/target/test-models");
        let all = std::env::var_os("DAMCTL_TEST_MODELS").map_or_else(|| here.into(), std::path::PathBuf::from);
        let file = |name: &str| all.join(name).join("model.bin");
        let (model, voice) = (file("whisper-tiny.en"), file("silero-vad"));
        if !model.is_file() || !voice.is_file() {
            eprintln!("skipped: {} is not here", model.display());
            return;
        }
        let mut ears = Ears::load(&model, &voice).unwrap();
        let said = ears.hear(&mut Quiet(700), &Wish::default(), &Stop::new(), &mut |_| ()).unwrap();
        assert_eq!((said, ears.states.len()), (Said::default(), 0));
    }

    #[test]
    fn marks_of_noise_are_no_words() {
        for noise in ["[Música]", "(applause)", " ♪ ", "*laughs*", "...", "[BLANK_AUDIO]."] {
            assert!(is_noise(noise), "{noise}");
        }
        for said in ["(sic) dijo", "El 5", "[uno] y [dos]", "Hola."] {
            assert!(!is_noise(said), "{said}");
        }
    }

    #[test]
    fn words_are_put_together_from_parts_of_letters() {
        let mut words = Vec::new();
        for (bytes, from, to) in
            [(&b" a\xc3"[..], 0, 100), (b"\xb1o", 100, 200), (b" nuevo", 200, 400), (b".", 400, 410)]
        {
            spell(&mut words, bytes, from, to, 0.9);
        }
        let words = finished(words);
        let told: Vec<_> = words.iter().map(|w| (w.text.as_str(), w.from_ms, w.to_ms)).collect();
        assert_eq!(told, [("año", 0, 200), ("nuevo.", 200, 410)]);
    }

    #[test]
    fn the_encoder_looks_no_further_than_there_is_sound() {
        assert_eq!(positions(LONGEST), 1472);
        assert_eq!(positions(10 * RATE) % 64, 0);
        assert!((575..=640).contains(&positions(10 * RATE)), "{}", positions(10 * RATE));
    }
}
