//! From the decoder's tracks to the sound that an output asks for: which tracks, laid side by side or mixed, with how
//! many channels. What is simply the first track goes the straight way, untouched by any of this.
//!
//! Mixing down is ITU-R BS.775-3, Annex 4, table 2, all turned down by the largest sum that one output channel can get, so
//! that nothing clips; the low-frequency channel is left out, as 7.1.2 of that text has it.

use std::collections::{BTreeMap, BTreeSet};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_audio as gst_audio;
use gstreamer_audio::AudioChannelPosition as Position;

use super::{
    around::{self, Meetings},
    audio::{self, Peak},
    brand::Beds,
    graph::{cannot_build, caps, chain, make, queue},
    level,
    run::Pulse,
    source::Source,
};
use crate::{
    error::{Error, Result},
    media::{Mixed, loudness::Level},
    model::MediaFacts,
    profile::{Downmix, Mono, Pick, Sound},
};

/// −3 dB.
const HALF_POWER: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// The tracks of a master that a sound is made of, counted from 0, or why it cannot be.
pub(super) fn tracks(facts: &MediaFacts, sound: &Sound) -> Result<Vec<usize>> {
    match sound.tracks.of(&facts.audio) {
        Some((_, tracks)) => Ok(tracks),
        None => {
            let described = facts.audio.iter().enumerate().map(|(i, a)| {
                let language = a.language.as_deref().map(|l| format!("{l}, ")).unwrap_or_default();
                format!("{} ({language}{})", i + 1, channels(a.channels))
            });
            let there = described.collect::<Vec<_>>().join(", ");
            Err(Error::unsupported(format!("it has no sound track '{}': it has {there}", sound.tracks))
                .hint("a list, such as 'track: [spa, 1]', takes the first that is there"))
        }
    }
}

fn channels(count: u32) -> String {
    format!("{count} channel{}", if count == 1 { "" } else { "s" })
}

/// How many channels an output of this sound has.
pub(super) fn channels_of(facts: &MediaFacts, sound: &Sound) -> u32 {
    let Some((pick, tracks)) = sound.tracks.of(&facts.audio) else { return 0 };
    let coming: u32 = tracks.iter().map(|t| facts.audio.get(*t).map_or(0, |a| a.channels)).sum();
    match sound.channels {
        Some(most @ 2..) if *pick == Pick::All && tracks.len() > 1 => most.min(2),
        Some(2..) if coming == 1 && sound.mono == Mono::Stereo => 2,
        Some(most) => most.min(coming),
        None => coming,
    }
}

/// What is done to the tracks, in words; none when it is the first of one track as it is.
pub(super) fn in_words(facts: &MediaFacts, sound: &Sound) -> Option<String> {
    let (pick, tracks) = sound.tracks.of(&facts.audio)?;
    let coming: u32 = tracks.iter().map(|t| facts.audio.get(*t).map_or(0, |a| a.channels)).sum();
    let wanted = channels_of(facts, sound);
    let which = match (pick, tracks.as_slice()) {
        (Pick::Together(_), _) => format!("tracks {pick} side by side"),
        (Pick::All, several) if several.len() > 1 => format!("all {} tracks", several.len()),
        (_, [one, ..]) => {
            let language = facts.audio.get(*one).and_then(|a| a.language.clone());
            let language = language.map(|l| format!(" ({l})")).unwrap_or_default();
            format!("track {} of {}{language}", one + 1, facts.audio.len())
        }
        _ => return None,
    };
    let rule = match (sound.downmix, pick) {
        (_, Pick::All) if tracks.len() > 1 => "odd tracks left, even tracks right",
        (Downmix::Itu, _) => "ITU-R BS.775",
        (Downmix::Full, _) => "full",
    };
    let mixed = match coming.cmp(&wanted) {
        std::cmp::Ordering::Greater => format!(", {} mixed down to {wanted}: {rule}", channels(coming)),
        _ if coming < wanted => ", one channel on left and right at -3 dB".to_owned(),
        _ => String::new(),
    };
    (facts.audio.len() > 1 || !mixed.is_empty()).then(|| which + &mixed)
}

/// What is told of an output's sound.
pub(super) fn told(facts: &MediaFacts, sound: &Sound, level: Option<&Level>) -> Option<Mixed> {
    let leveled =
        level.map(|l| crate::media::Leveled { gain_db: l.gain, expected_lufs: l.expected, note: l.note.clone() });
    match (in_words(facts, sound), leveled) {
        (None, None) => None,
        (words, leveled) => Some(Mixed { tracks: words.unwrap_or_else(|| "track 1".to_owned()), leveled }),
    }
}

/// A track as decoded.
struct Head {
    tee: gst::Element,
    peak: Peak,
    positions: Vec<Position>,
    rate: u32,
}

/// All tracks that are needed.
pub(super) struct Heads {
    tracks: BTreeMap<usize, Head>,
    beds: Beds,
    /// Where clips that come after films wait for their end.
    pub(super) meetings: Meetings,
}

impl Heads {
    pub(super) fn build(source: &Source, facts: &MediaFacts, pulse: &Pulse, beds: Beds) -> Result<Self> {
        let mut heads = BTreeMap::new();
        for (number, from) in &source.sounds {
            let (tee, peak) = audio::head(source.live.pipeline(), from, pulse, source.sounds.len() > 1)?;
            let info = from.current_caps().and_then(|c| gst_audio::AudioInfo::from_caps(&c).ok());
            let rate = info.as_ref().map_or(48_000, gst_audio::AudioInfo::rate);
            heads.insert(*number, Head { tee, peak, positions: positions(info.as_ref()), rate });
        }
        for number in (0..facts.audio.len()).filter(|n| facts.audio[*n].is_silence()) {
            let length = gst::ClockTime::from_mseconds(facts.duration_ms.unwrap_or(0));
            let tee = audio::silence(source.live.pipeline(), length)?;
            heads.insert(number, Head { tee, peak: Peak::default(), positions: positions_of(2), rate: 48_000 });
        }
        Ok(Self { tracks: heads, beds, meetings: Meetings::default() })
    }

    fn head(&self, number: usize) -> Result<&Head> {
        self.tracks
            .get(&number)
            .ok_or_else(|| Error::corrupt(format!("its sound track {} cannot be decoded", number + 1)))
    }

    /// The loudest sample of the tracks that a sound is made of.
    pub(super) fn peak(&self, tracks: &[usize]) -> Option<f64> {
        tracks.iter().filter_map(|t| self.tracks.get(t)).map(|h| h.peak.dbfs()).reduce(f64::max)
    }

    /// Where the branch of an output begins, and its elements up to samples of the wanted kind. `format` is GStreamer's
    /// word for them; empty: what the encoder likes.
    pub(super) fn prepare(
        &self,
        pipeline: &gst::Pipeline,
        facts: &MediaFacts,
        sound: &Sound,
        format: &str,
        level: Option<&Level>,
    ) -> Result<Prepared> {
        let (pick, tracks) =
            sound.tracks.of(&facts.audio).ok_or_else(|| Error::internal("tracks that are not there"))?;
        let (from, coming, rate, beside) = match (pick, tracks.as_slice()) {
            (_, []) => return Err(Error::unsupported("the recording has no sound")),
            (_, [one]) => {
                let head = self.head(*one)?;
                (head.tee.clone(), head.positions.clone(), head.rate, Vec::new())
            }
            (pick, several) => self.assemble(pipeline, pick, several, sound)?,
        };
        let rate = sound.rate.unwrap_or(rate);
        let matrix = match (coming.len(), sound.channels) {
            (1, Some(2..)) if sound.mono == Mono::Stereo => Some(vec![vec![HALF_POWER]; 2]),
            (count, Some(most)) if count > most as usize && sound.downmix == Downmix::Itu => mixed_down(&coming, most),
            _ => None,
        };
        // Gains, mixers and filters work on floats.
        let is_changed = level.is_some() || sound.bed.is_some() || sound.around.is_some();
        let counted = if is_changed { "F32LE" } else { format };
        let mut before = match matrix {
            Some(matrix) => mixing(&coming, &matrix, rate, counted)?,
            None => audio::prepared(counted, sound.channels, rate)?,
        };
        if let Some(bed) = &sound.bed {
            before.push(self.beds.mixing(bed, facts, rate)?);
        }
        if let Some(around) = &sound.around {
            before.push(around::sounds(around, rate, &self.beds, &self.meetings)?);
        }
        if let Some(level) = level {
            before.push(level::turn(level)?);
        }
        if is_changed {
            before.push(make("audioconvert", &[])?);
            let format = if format.is_empty() { String::new() } else { format!(",format={format}") };
            before.push(caps(&format!("audio/x-raw,layout=interleaved{format}"))?);
        }
        Ok(Prepared { from, before, beside })
    }

    /// Adds several tracks up, each in the channels that are its.
    fn assemble(
        &self,
        pipeline: &gst::Pipeline,
        pick: &Pick,
        tracks: &[usize],
        sound: &Sound,
    ) -> Result<(gst::Element, Vec<Position>, u32, Vec<gst::Element>)> {
        let heads: Vec<&Head> = tracks.iter().map(|t| self.head(*t)).collect::<Result<_>>()?;
        let rate = heads[0].rate;
        let matrices = match (pick, sound.channels) {
            (Pick::All, Some(most)) => scaled_sum(&heads, most.min(2)),
            _ => side_by_side(&heads),
        };
        let count = matrices[0].len();
        let layout = positions_of(count as u32);
        let mask = mask(&layout);
        let mixed = format!("audio/x-raw,format=F32LE,layout=interleaved,rate={rate},channels={count}{mask}");
        // It is an aggregator: it waits for all of its inputs and fills their holes.
        let (mixer, out) = (make("audiomixer", &[])?, caps(&mixed)?);
        chain(pipeline, &[mixer.clone(), out.clone()])?;
        let mut beside = vec![mixer.clone(), out.clone()];
        for (head, matrix) in heads.iter().zip(&matrices) {
            let mut elements = vec![head.tee.clone()];
            elements.extend(mixing(&head.positions, matrix, rate, "F32LE")?);
            elements.extend([labeled(&layout)?, queue(0)?]);
            chain(pipeline, &elements)?;
            let last = elements[elements.len() - 1].clone();
            last.link_pads(Some("src"), &mixer, Some("sink_%u")).map_err(|e| cannot_build(&e))?;
            beside.extend(elements.split_off(1));
        }
        Ok((out, layout, rate, beside))
    }
}

/// The beginning of an output's branch.
pub(super) struct Prepared {
    /// Already in the pipeline.
    pub(super) from: gst::Element,
    /// To be chained after it, in this order.
    pub(super) before: Vec<gst::Element>,
    /// Others that serve this output alone.
    pub(super) beside: Vec<gst::Element>,
}

/// The numbers of all tracks that these sounds need.
pub(super) fn needed<'a>(facts: &MediaFacts, sounds: impl Iterator<Item = &'a Sound>) -> BTreeSet<usize> {
    let is_there = |track: &usize| facts.audio.get(*track).is_some_and(|a| !a.is_silence());
    sounds.filter_map(|s| s.tracks.of(&facts.audio)).flat_map(|(_, tracks)| tracks).filter(is_there).collect()
}

/// Rows of weights: for each channel that goes out, one for each that comes in.
type Matrix = Vec<Vec<f32>>;

/// Elements that apply a matrix to sound of these positions.
fn mixing(coming: &[Position], matrix: &Matrix, rate: u32, format: &str) -> Result<Vec<gst::Element>> {
    let format = if format.is_empty() { String::new() } else { format!(",format={format}") };
    let (count, going) = (coming.len(), matrix.len());
    // A stream whose channels change on the way is first brought back to those that it began with.
    let fixed = format!("audio/x-raw,format=F32LE,layout=interleaved,channels={count}{}", mask(coming));
    let mixer = make("audioconvert", &[])?;
    let rows = matrix.iter().map(|row| gst::Array::new(row.iter().copied()));
    mixer.set_property("mix-matrix", gst::Array::new(rows));
    let mixed = format!("audio/x-raw,format=F32LE,layout=interleaved,channels={going}");
    let wanted = format!("audio/x-raw,layout=interleaved,rate={rate},channels={going}{format}");
    Ok(vec![
        queue(4)?,
        make("audioconvert", &[])?,
        caps(&fixed)?,
        mixer,
        caps(&mixed)?,
        labeled(&positions_of(going as u32))?,
        make("audiorate", &[])?,
        make("audioresample", &[])?,
        make("audioconvert", &[])?,
        caps(&wanted)?,
    ])
}

/// Says where channels belong, which they lose by a matrix.
fn labeled(layout: &[Position]) -> Result<gst::Element> {
    match mask(layout) {
        mask if mask.is_empty() => make("identity", &[]),
        mask => make("capssetter", &[("caps", &format!("audio/x-raw{mask}"))]),
    }
}

/// A mask as text of caps, which one and two channels do not need.
fn mask(layout: &[Position]) -> String {
    match Position::positions_to_mask(layout, false) {
        Ok(mask) if layout.len() > 2 => format!(",channel-mask=(bitmask){mask:#x}"),
        _ if layout.len() > 2 => ",channel-mask=(bitmask)0x0".to_owned(),
        _ => String::new(),
    }
}

/// Where channels usually belong by their number.
fn positions_of(count: u32) -> Vec<Position> {
    let mut layout = vec![Position::None; count as usize];
    let is_known = match count {
        1 => {
            layout[0] = Position::Mono;
            true
        }
        _ => {
            let mask = Position::fallback_mask(count);
            mask != 0 && Position::positions_from_mask(mask, &mut layout).is_ok()
        }
    };
    if !is_known {
        layout.fill(Position::None);
    }
    layout
}

fn positions(info: Option<&gst_audio::AudioInfo>) -> Vec<Position> {
    let Some(info) = info else { return positions_of(2) };
    match info.positions() {
        Some(said) if info.channels() > 2 && said.contains(&Position::None) => positions_of(info.channels()),
        Some(said) => said.to_vec(),
        None => positions_of(info.channels()),
    }
}

/// Weights of one channel on left and right (BS.775-3, table 2).
fn on_two(position: Position) -> [f32; 2] {
    use Position as P;
    match position {
        P::FrontLeft | P::WideLeft | P::FrontLeftOfCenter => [1.0, 0.0],
        P::FrontRight | P::WideRight | P::FrontRightOfCenter => [0.0, 1.0],
        P::FrontCenter | P::Mono => [HALF_POWER, HALF_POWER],
        P::RearLeft | P::SideLeft | P::SurroundLeft => [HALF_POWER, 0.0],
        P::RearRight | P::SideRight | P::SurroundRight => [0.0, HALF_POWER],
        P::RearCenter => [0.5, 0.5],
        _ => [0.0, 0.0],
    }
}

/// Weights on one channel: the table's mono from any.
fn on_one(position: Position) -> [f32; 1] {
    use Position as P;
    match position {
        P::FrontCenter | P::Mono => [1.0],
        P::RearLeft | P::SideLeft | P::SurroundLeft | P::RearRight | P::SideRight | P::SurroundRight => [0.5],
        P::RearCenter => [HALF_POWER],
        P::Lfe1 | P::Lfe2 => [0.0],
        other if on_two(other) == [0.0, 0.0] => [0.0],
        _ => [HALF_POWER],
    }
}

/// The matrix to at most so many channels; none when no rule is known, as for channels without a place, and for 6.
fn mixed_down(coming: &[Position], most: u32) -> Option<Matrix> {
    let weights: Vec<Vec<f32>> = match most {
        1 => coming.iter().map(|p| on_one(*p).to_vec()).collect(),
        2 => coming.iter().map(|p| on_two(*p).to_vec()).collect(),
        _ => return None,
    };
    let rows: Matrix = (0..most as usize).map(|row| weights.iter().map(|w| w[row]).collect()).collect();
    let largest = rows.iter().map(|row: &Vec<f32>| row.iter().sum::<f32>()).fold(0.0, f32::max);
    (largest > 0.0).then(|| rows.iter().map(|row| row.iter().map(|w| w / largest.max(1.0)).collect()).collect())
}

/// Every channel of every track as one of the output.
fn side_by_side(heads: &[&Head]) -> Vec<Matrix> {
    let count = heads.iter().map(|h| h.positions.len()).sum();
    let mut first = 0;
    let mut own = |head: &&Head| {
        let coming = head.positions.len();
        let weight = |row: usize, column: usize| f32::from(u8::from(row == first + column));
        let matrix: Matrix = (0..count).map(|row| (0..coming).map(|column| weight(row, column)).collect()).collect();
        first += coming;
        matrix
    };
    heads.iter().map(&mut own).collect()
}

/// All tracks in one or two channels. Where all have one channel, the first, third and so on are left, the second, fourth
/// and so on right, and one that is left over is both; other tracks are mixed down each by itself.
fn scaled_sum(heads: &[&Head], most: u32) -> Vec<Matrix> {
    let are_mono = heads.iter().all(|h| h.positions.len() == 1);
    let is_alone = |i: usize| i + 1 == heads.len() && i.is_multiple_of(2);
    let rows = |i: usize, head: &Head| -> Matrix {
        match most {
            1 => mixed_down(&head.positions, 1).unwrap_or_else(|| vec![vec![1.0; head.positions.len()]]),
            _ if are_mono && is_alone(i) => vec![vec![HALF_POWER]; 2],
            _ if are_mono && i.is_multiple_of(2) => vec![vec![1.0], vec![0.0]],
            _ if are_mono => vec![vec![0.0], vec![1.0]],
            _ => mixed_down(&head.positions, 2).unwrap_or_else(|| {
                // Without places: odd ones left, even ones right.
                let side = |row: usize| (0..head.positions.len()).map(move |c| f32::from(u8::from(c % 2 == row)));
                vec![side(0).collect(), side(1).collect()]
            }),
        }
    };
    let matrices: Vec<Matrix> = heads.iter().enumerate().map(|(i, head)| rows(i, head)).collect();
    let sum = |row: usize| matrices.iter().map(|m| m[row].iter().sum::<f32>()).sum::<f32>();
    let largest = (0..most as usize).map(sum).fold(1.0, f32::max);
    matrices
        .into_iter()
        .map(|m| m.into_iter().map(|row| row.into_iter().map(|w| w / largest).collect()).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_channels_become_two_by_the_tables_weights() {
        gst::init().unwrap();
        let matrix = mixed_down(&positions_of(6), 2).unwrap();
        let scale = 1.0 / (1.0 + 2.0 * HALF_POWER);
        let near = |got: &[f32], wanted: [f32; 6]| got.iter().zip(wanted).all(|(g, w)| (g - w * scale).abs() < 1e-6);
        // Left, right, center, low, left and right behind.
        assert!(near(&matrix[0], [1.0, 0.0, HALF_POWER, 0.0, HALF_POWER, 0.0]), "{matrix:?}");
        assert!(near(&matrix[1], [0.0, 1.0, HALF_POWER, 0.0, 0.0, HALF_POWER]), "{matrix:?}");
        assert_eq!(mixed_down(&[Position::FrontLeft, Position::FrontRight], 1).unwrap(), [[0.5, 0.5]]);
        assert_eq!(mixed_down(&[Position::None; 8], 2), None);
    }
}
