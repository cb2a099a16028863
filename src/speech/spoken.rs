//! In which language each piece of a slice is spoken, by looks of Whisper at its parts.

use whisper_rs::{WhisperContext, WhisperState, get_lang_max_id};

use super::{
    RATE,
    languages::{BRIEF, Shares, TELLING, Tongue, is_sure, parts, pieces, together},
    slices::Span,
    whisper::{POSITIONS, SHORTEST, failed, quiet},
};
use crate::{error::Result, model::Finding};

/// The language of something is told by so much of it, in samples, at most.
const TOLD_BY: usize = 10 * RATE;

/// A piece of less voice, in samples, may be in another of several languages than it is told.
const SURE: usize = 4 * RATE;

/// A block of a sound.
pub(super) struct Heard<'a> {
    pub(super) samples: &'a [f32],
    /// Where it begins in the sound, in samples.
    pub(super) base: usize,
    pub(super) voices: &'a [Span],
}

impl Heard<'_> {
    pub(super) fn voices_within(&self, span: Span) -> Vec<Span> {
        self.voices.iter().filter_map(|voice| voice.within(span)).collect()
    }

    /// What is looked at by itself for its language. A voice without a pause may change it, and a look goes no further.
    pub(super) fn parts(&self, slice: Span) -> Vec<Span> {
        let parts = parts(&self.voices_within(slice), TELLING);
        parts.into_iter().flat_map(|part| part.stretches(TOLD_BY)).collect()
    }

    /// Of which samples a line is.
    pub(super) fn span(&self, f: &Finding) -> Span {
        let at = |ms: u64| (ms as usize * RATE / 1000).saturating_sub(self.base);
        Span { from: at(f.from_ms), to: at(f.to_ms) }
    }

    /// Whether most of a line is in there.
    pub(super) fn is_in(&self, span: Span, f: &Finding) -> bool {
        let line = self.span(f);
        2 * span.common(line) > line.length()
    }

    /// Whether there is too little voice to tell which of several languages it is in.
    pub(super) fn is_brief(&self, piece: Span) -> bool {
        self.voices.iter().map(|voice| voice.common(piece)).sum::<usize>() < SURE
    }
}

/// Tells languages by what a state makes of a sound.
trait Tells {
    /// By a look at the first ten seconds. It is a third of a whole look.
    fn look(&mut self, model: &WhisperContext, samples: &[f32]) -> Result<Shares>;

    /// By what the encoder looked at last, to write it down. It is a step of the decoder, as each part of a word takes one.
    fn looked(&mut self, model: &WhisperContext) -> Result<Shares>;
}

impl Tells for WhisperState {
    fn look(&mut self, model: &WhisperContext, samples: &[f32]) -> Result<Shares> {
        let mut samples = samples[..samples.len().min(TOLD_BY)].to_vec();
        samples.resize(samples.len().max(SHORTEST), 0.0);
        // How far a state looks is set by what it is to write down: of a tenth of a second it writes nothing.
        let mut how = quiet("en");
        how.set_audio_ctx((samples.len() * POSITIONS / (30 * RATE)).next_multiple_of(64) as i32);
        how.set_duration_ms(100);
        self.full(how, &samples).map_err(failed)?;
        self.encode(0, 1).map_err(failed)?;
        self.looked(model)
    }

    fn looked(&mut self, model: &WhisperContext) -> Result<Shares> {
        self.decode(&[model.token_sot()], 0, 1).map_err(failed)?;
        let logits = self.get_logits().map_err(failed)?;
        let of = |l: i32| logits.get(model.token_lang(l) as usize).copied().unwrap_or(f32::MIN);
        Ok(Shares((0..languages_of(model)).map(of).collect()))
    }
}

/// How many languages a model knows, as the size of its vocabulary tells. Where it knows fewer than this program, the marks of the
/// others are other marks.
pub(super) fn languages_of(model: &WhisperContext) -> i32 {
    (model.n_vocab() - 51_766).clamp(1, get_lang_max_id() + 1)
}

/// How probable each language is in these parts of a slice.
pub(super) fn looked_at(
    (model, state): (&WhisperContext, &mut WhisperState),
    heard: &Heard<'_>,
    slice: Span,
    parts: Vec<Span>,
    alive: &dyn Fn() -> Result<()>,
) -> Result<Vec<(Span, Shares)>> {
    let look = |part: Span| {
        alive()?;
        let wide = part.wide(slice);
        Ok((part, state.look(model, &heard.samples[wide.from..wide.to])?))
    };
    parts.into_iter().map(look).collect()
}

/// In which language a slice is that was written down in the one that is expected, and looked at last for that, in one window or in
/// several; and looks at all of its parts, or none where all that was written is sure.
pub(super) fn doubted(
    (model, state): (&WhisperContext, &mut WhisperState),
    heard: &Heard<'_>,
    slice: Span,
    (said, windows): (&[Finding], usize),
    (first, expected): (Tongue, &[i32]),
    alive: &dyn Fn() -> Result<()>,
) -> Result<(Tongue, Vec<(Span, Shares)>)> {
    let mut is_disputed = !state.looked(model)?.allow(first.language);
    // The last of several windows was the end of the slice alone.
    if windows > 1 && !is_disputed {
        is_disputed = !state.look(model, &heard.samples[slice.from..slice.to])?.allow(first.language);
    }
    let is_doubtful = |part: &Span| is_disputed || !is_sure(&heard.voices_within(*part), said, heard.base);
    let (doubtful, sure): (Vec<Span>, Vec<Span>) = heard.parts(slice).into_iter().partition(is_doubtful);
    let mut looks = looked_at((model, state), heard, slice, doubtful, alive)?;
    let whole = if is_disputed { together(&looks).told(expected) } else { first };
    let is_other = |(_, shares): &(Span, Shares)| !shares.told_within(whole, expected).is_written_as(first);
    if !looks.iter().any(is_other) {
        return Ok((whole, Vec::new()));
    }
    // Where languages change, Whisper may have changed with them: what is sure is in any of them.
    looks.extend(looked_at((model, state), heard, slice, sure, alive)?);
    looks.sort_by_key(|(part, _)| part.from);
    Ok((whole, looks))
}

/// What of a slice is in which language.
pub(super) struct Pieces {
    pub(super) all: Vec<(Span, Tongue)>,
    /// The short voices that are in another than the part they are in.
    pub(super) moved: Vec<Span>,
}

/// In which language each piece of a slice is spoken that was written down in the first of these, and is in the second as a whole.
pub(super) fn spoken(
    (model, state): (&WhisperContext, &mut WhisperState),
    heard: &Heard<'_>,
    slice: Span,
    looks: Vec<(Span, Shares)>,
    (first, whole, expected): (Tongue, Tongue, &[i32]),
    alive: &dyn Fn() -> Result<()>,
) -> Result<Pieces> {
    let written = Tongue { foreign: None, ..first };
    if looks.iter().all(|(_, shares)| shares.told_within(whole, expected).is_written_as(written)) {
        return Ok(Pieces { all: vec![(slice, written)], moved: Vec::new() });
    }
    let mut all: Vec<Tongue> = Vec::new();
    for (i, (part, shares)) in looks.iter().enumerate() {
        // A voice without a pause goes on as it was, if it may be, and so does what was foreign.
        let goes_on = |before: &usize| looks[*before].0.to == part.from || all[*before].foreign.is_some();
        let before = i.checked_sub(1).filter(goes_on).map_or(whole, |before| all[before]);
        all.push(shares.told_within(before, expected));
    }
    if all.iter().all(|tongue| tongue.is_written_as(all[0])) {
        return Ok(Pieces { all: vec![(slice, all[0])], moved: Vec::new() });
    }
    // A short voice beside the border may belong to the other side.
    let (mut told, mut moved) = (Vec::new(), Vec::new());
    for ((part, _), tongue) in looks.iter().zip(&all) {
        let brief = parts(&heard.voices_within(*part), BRIEF);
        if brief.len() == 1 {
            told.push((brief[0], *tongue));
            continue;
        }
        for (piece, shares) in looked_at((model, state), heard, slice, brief, alive)? {
            let nearest = shares.nearest(*tongue, &all);
            if !nearest.is_written_as(*tongue) {
                moved.push(piece);
            }
            told.push((piece, nearest));
        }
    }
    told.sort_by_key(|(part, _)| part.from);
    Ok(Pieces { all: pieces(&told, slice), moved })
}
