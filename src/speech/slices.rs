//! Where a recording is cut: into slices that one look of the recognizer takes in, each around what somebody says, and where that
//! has no pause, at its quietest.

use super::RATE;

/// Longest slice, in samples: Whisper looks at 30 s at a time, and what is longer costs a whole look more.
pub(super) const LONGEST: usize = 28 * RATE;
/// Silence within a slice, in samples, below which it is one.
const PAUSE: usize = 2 * RATE;
/// What is heard around a voice, in samples: its first sound is often softer than what is taken for voice.
const AROUND: usize = RATE / 10;

/// How far from the border of equal parts a voice without a pause may be cut, in samples.
const AWAY: usize = 7 * RATE;
/// Of so many samples it is told how loud they are.
const FRAME: usize = RATE / 50;
/// So many of these that follow each other are compared: a pause between two sentences is no shorter.
const FRAMES: usize = 8;

/// A stretch of a recording, in samples from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Span {
    pub(super) fn length(self) -> usize {
        self.to - self.from
    }

    /// It and a little around it, no further than another.
    pub(super) fn wide(self, within: Span) -> Span {
        Span { from: self.from.saturating_sub(AROUND).max(within.from), to: (self.to + AROUND).min(within.to) }
    }

    /// What of it is in another.
    pub(super) fn within(self, other: Span) -> Option<Span> {
        let (from, to) = (self.from.max(other.from), self.to.min(other.to));
        (from < to).then_some(Span { from, to })
    }

    /// It in equal stretches, none longer than that.
    pub(super) fn stretches(self, longest: usize) -> impl Iterator<Item = Span> {
        let count = self.length().div_ceil(longest).max(1);
        let border = move |n: usize| self.from + self.length() * n / count;
        (0..count).map(move |n| Span { from: border(n), to: border(n + 1) })
    }

    /// What of it is in none of the others.
    pub(super) fn without(self, others: &[Span]) -> Vec<Span> {
        let mut others: Vec<Span> = others.iter().filter_map(|other| other.within(self)).collect();
        others.sort_by_key(|other| other.from);
        let (mut rest, mut from) = (Vec::new(), self.from);
        for Span { from: next, to } in others.into_iter().chain([Span { from: self.to, to: self.to }]) {
            if from < next {
                rest.push(Span { from, to: next });
            }
            from = from.max(to);
        }
        rest
    }

    /// Number of samples that both have.
    pub(super) fn common(self, other: Span) -> usize {
        self.within(other).map_or(0, Span::length)
    }
}

/// Joins voices to slices. `voices` are in order, none over another, all within the samples. What is too long for one is cut at its
/// longest pause, as sentences end there.
pub(super) fn slices(voices: &[Span], samples: &[f32]) -> Vec<Span> {
    let mut slices = Vec::new();
    let mut rest = voices;
    while let Some(first) = rest.first() {
        let from = first.from;
        let reaches = |(i, voice): &(usize, &Span)| {
            let is_near = *i == 0 || voice.from < rest[i - 1].to + PAUSE;
            is_near && voice.to - from <= LONGEST - 2 * AROUND
        };
        let count = rest.iter().enumerate().take_while(reaches).count().max(1);
        let is_full = rest.get(count).is_some_and(|next| next.from < rest[count - 1].to + PAUSE);
        let kept = if is_full { longest_pause(&rest[..=count]) } else { count };
        let last = rest[kept - 1];
        let wide = Span { from, to: last.to }.wide(Span { from: 0, to: samples.len() });
        // Two slices may share a short pause, and no more.
        let after = slices.last().map_or(0, |before: &Span| before.to.min(from));
        push(&mut slices, Span { from: wide.from.max(after), to: wide.to }, samples);
        rest = &rest[kept..];
    }
    slices
}

/// How many of these voices come before the longest pause of their second half; all but the last where they have none.
fn longest_pause(voices: &[Span]) -> usize {
    let middle = voices[0].from + LONGEST / 2;
    let pauses = voices.windows(2).enumerate().filter(|(_, pair)| pair[0].to >= middle);
    let longest = pauses.max_by_key(|(_, pair)| pair[1].from.saturating_sub(pair[0].to));
    longest.map_or(voices.len() - 1, |(i, _)| i + 1)
}

/// A voice that never pauses is cut where it is quietest, near the border of equal parts. That is between words where there is any
/// pause; of a word that is cut, both sides are lost.
fn push(slices: &mut Vec<Span>, mut span: Span, samples: &[f32]) {
    while span.length() > LONGEST {
        let border = span.from + span.length() / span.length().div_ceil(LONGEST);
        let to = quietest(samples, Span { from: border - AWAY, to: (border + AWAY).min(span.from + LONGEST) });
        slices.push(Span { to, ..span });
        span.from = to;
    }
    if span.length() > 0 {
        slices.push(span);
    }
}

/// The middle of where it is quietest.
fn quietest(samples: &[f32], within: Span) -> usize {
    let frames = samples[within.from..within.to].chunks_exact(FRAME);
    let loud: Vec<f32> = frames.map(|frame| frame.iter().map(|s| s.abs()).sum()).collect();
    let sums = loud.windows(FRAMES).map(|frames| frames.iter().sum::<f32>());
    let (first, _) = sums.enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b)).unwrap_or_default();
    within.from + (first + FRAMES / 2) * FRAME
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: f64, to: f64) -> Span {
        Span { from: (from * RATE as f64) as usize, to: (to * RATE as f64) as usize }
    }

    #[test]
    fn what_is_too_long_is_cut_into_equal_stretches() {
        let of = |from: f64, to: f64| span(from, to).stretches(10 * RATE).collect::<Vec<_>>();
        assert_eq!(of(1.0, 22.0), [span(1.0, 8.0), span(8.0, 15.0), span(15.0, 22.0)]);
        assert_eq!((of(2.0, 12.0), of(3.0, 3.0)), (vec![span(2.0, 12.0)], vec![span(3.0, 3.0)]));
    }

    /// A noise of so many seconds.
    fn noise(seconds: usize) -> Vec<f32> {
        (0..seconds * RATE).map(|i| if i % 2 == 0 { 0.5 } else { -0.5 }).collect()
    }

    #[test]
    fn what_others_do_not_cover_is_told_in_order() {
        let all = span(1.0, 10.0);
        let others = [span(6.0, 7.0), span(0.0, 2.0), span(6.5, 8.0), span(9.0, 12.0), span(20.0, 21.0)];
        assert_eq!(all.without(&others), [span(2.0, 6.0), span(8.0, 9.0)]);
        assert_eq!((all.without(&[]), all.without(&[span(0.0, 30.0)])), (vec![all], vec![]));
    }

    #[test]
    fn voices_near_each_other_are_one_slice_and_none_is_too_long() {
        let sound = noise(60);
        let cut = slices(&[span(1.0, 3.0), span(4.0, 6.0), span(20.0, 40.0), span(40.5, 50.0)], &sound);
        assert_eq!(cut, [span(0.9, 6.1), span(19.9, 40.1), span(40.4, 50.1)]);
        let pauses = slices(&[span(0.0, 10.0), span(10.1, 20.0), span(20.8, 25.0), span(25.2, 40.0)], &sound);
        assert_eq!(pauses, [span(0.0, 20.1), span(20.7, 40.1)], "it is cut at the longest pause");
        assert_eq!(slices(&[], &sound), []);
        assert_eq!(slices(&[span(0.0, 1.0)], &noise(1)), [span(0.0, 1.0)], "not before the start, not behind the end");
    }

    #[test]
    fn a_voice_without_a_pause_is_cut_between_words() {
        let mut sound = noise(84);
        let even = slices(&[span(0.0, 84.0)], &sound);
        assert!(even.iter().all(|s| s.length() <= LONGEST) && even.len() <= 5, "{even:?}");
        assert_eq!(even.windows(2).filter(|pair| pair[0].to != pair[1].from).count(), 0, "{even:?}");
        assert_eq!(even.iter().map(|s| s.length()).sum::<usize>(), 84 * RATE);
        // What is quieter for a fifth of a second, and less than it for less.
        for (from, to, by) in [(24.0, 24.2, 0.1), (26.0, 26.05, 0.0), (48.0, 48.2, 0.1)] {
            let pause = span(from, to);
            sound[pause.from..pause.to].iter_mut().for_each(|s| *s *= by);
        }
        let cut = slices(&[span(0.0, 84.0)], &sound);
        for (slice, (from, to)) in cut.iter().zip([(24.0, 24.2), (48.0, 48.2)]) {
            assert!(span(from, to).common(Span { from: slice.to - 1, to: slice.to }) == 1, "{cut:?}");
        }
    }
}
