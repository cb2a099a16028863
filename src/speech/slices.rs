//! Where a recording is cut: into slices that one look of the recognizer takes in, each around what somebody says, none through
//! a word.

use super::RATE;

/// Longest slice, in samples: Whisper looks at 30 s at a time, and what is longer costs a whole look more.
pub(super) const LONGEST: usize = 28 * RATE;
/// Silence within a slice, in samples, below which it is one.
const PAUSE: usize = 2 * RATE;
/// What is heard around a voice, in samples: its first sound is often softer than what is taken for voice.
const AROUND: usize = RATE / 10;

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

    /// Number of samples that both have.
    pub(super) fn common(self, other: Span) -> usize {
        self.within(other).map_or(0, Span::length)
    }
}

/// Joins voices to slices. `voices` are in order, none over another; all are within `end` samples. What is too long for one is cut
/// at its longest pause, as sentences end there.
pub(super) fn slices(voices: &[Span], end: usize) -> Vec<Span> {
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
        let wide = Span { from, to: last.to }.wide(Span { from: 0, to: end });
        // Two slices may share a short pause, and no more.
        let after = slices.last().map_or(0, |before: &Span| before.to.min(from));
        push(&mut slices, Span { from: wide.from.max(after), to: wide.to });
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

/// A voice that never pauses is cut where it must be.
fn push(slices: &mut Vec<Span>, mut span: Span) {
    while span.length() > LONGEST {
        slices.push(Span { from: span.from, to: span.from + LONGEST });
        span.from += LONGEST;
    }
    if span.length() > 0 {
        slices.push(span);
    }
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

    #[test]
    fn voices_near_each_other_are_one_slice_and_none_is_too_long() {
        let cut = slices(&[span(1.0, 3.0), span(4.0, 6.0), span(20.0, 40.0), span(40.5, 50.0)], 60 * RATE);
        assert_eq!(cut, [span(0.9, 6.1), span(19.9, 40.1), span(40.4, 50.1)]);
        let pauses = slices(&[span(0.0, 10.0), span(10.1, 20.0), span(20.8, 25.0), span(25.2, 40.0)], 60 * RATE);
        assert_eq!(pauses, [span(0.0, 20.1), span(20.7, 40.1)], "it is cut at the longest pause");
        let long = slices(&[span(0.0, 70.0)], 70 * RATE);
        assert_eq!(long.len(), 3);
        assert!(long.iter().all(|s| s.length() <= LONGEST), "{long:?}");
        assert_eq!(long.iter().map(|s| s.length()).sum::<usize>(), 70 * RATE);
        assert_eq!(slices(&[], RATE), []);
        assert_eq!(slices(&[span(0.0, 1.0)], RATE), [span(0.0, 1.0)], "not before the start, not behind the end");
    }
}
