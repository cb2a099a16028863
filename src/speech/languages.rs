//! Which language is spoken where in a slice: what was written down of it says where that is sure, and the rest is looked at by itself.

use super::{RATE, doubt::UNSURE, slices::Span, whisper::name};
use crate::model::Finding;

/// Voices shorter than this, in samples, tell too little of their language where it may be any.
pub(super) const TELLING: usize = 5 * RATE / 2;
/// The same where it is one of those that are spoken around them.
pub(super) const BRIEF: usize = RATE;
/// Less than this part of the probability of what is most probable of all, the language is probably none of those that are
/// asked for. Near relatives (Spanish and Galician) share theirs.
const OTHER: f32 = 0.2;
/// Two languages that have so much of the probability together are both spoken.
const SHARED: f32 = 0.9;
/// Fewer bytes of text for a second of voice leave out some of what is said.
const SCANT: f32 = 8.0;
/// So much voice, in samples, has to be there before its text can be scant.
const ENOUGH: usize = 2 * RATE;

/// How probable each language is, by its number: logarithms, or these and a number that is the same for all.
pub(super) struct Shares(pub(super) Vec<f32>);

impl Shares {
    fn of(&self, language: i32) -> f32 {
        self.0.get(language as usize).copied().unwrap_or(f32::MIN)
    }

    fn most(&self, among: impl Iterator<Item = i32>) -> i32 {
        among.max_by(|a, b| self.of(*a).total_cmp(&self.of(*b))).unwrap_or(0)
    }

    /// The most probable of the languages that are asked for, of all that are spoken where none is; and the most probable of all where
    /// none of them comes near to it.
    pub(super) fn told(&self, among: &[i32]) -> Tongue {
        let all = 0..self.0.len() as i32;
        let best = self.most(all.clone());
        let language = match among.is_empty() {
            true => self.most(all.filter(|language| !is_dead(*language))),
            false => self.most(among.iter().copied()),
        };
        Tongue { language, foreign: self.is_far(language, best).then_some(best) }
    }

    /// The same of a part of something: as that is, if it may be.
    pub(super) fn told_within(&self, whole: Tongue, among: &[i32]) -> Tongue {
        match self.told(&[whole.spoken()]).foreign {
            None => whole,
            Some(_) => self.told(among),
        }
    }

    /// Which of these a short piece of a part is. What is foreign stays so, unless another is far more probable.
    pub(super) fn nearest(&self, part: Tongue, among: &[Tongue]) -> Tongue {
        let of = |tongue: &Tongue| self.of(tongue.spoken());
        let best = among.iter().copied().max_by(|a, b| of(a).total_cmp(&of(b)));
        let may_go = |best: &Tongue| part.foreign.is_none() || self.is_far(part.spoken(), best.spoken());
        best.filter(may_go).unwrap_or(part)
    }

    /// How probable a language is, 0 to 1.
    fn share(&self, language: i32) -> f32 {
        let most = self.0.iter().copied().fold(f32::MIN, f32::max);
        (self.of(language) - most).exp() / self.0.iter().map(|of| (of - most).exp()).sum::<f32>()
    }

    /// Whether all of it may be in this language: no other is far more probable, and it does not share all of it with one other. Of
    /// speech that is hard to tell many have a share.
    pub(super) fn allow(&self, language: i32) -> bool {
        let second = self.most((0..self.0.len() as i32).filter(|other| *other != language));
        let is_shared = second != language && !self.is_far(second, language);
        let is_all = self.share(language) + self.share(second) >= SHARED;
        !(is_shared && is_all) && self.told(&[language]).foreign.is_none()
    }

    fn is_far(&self, language: i32, best: i32) -> bool {
        self.of(language) - self.of(best) < OTHER.ln()
    }
}

/// In which language something is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tongue {
    pub(super) language: i32,
    /// The one that is probably spoken, where that is none of those that are expected.
    pub(super) foreign: Option<i32>,
}

impl Tongue {
    fn spoken(self) -> i32 {
        self.foreign.unwrap_or(self.language)
    }

    /// Which foreign language it is does not matter: that is often told as a near relative.
    pub(super) fn is_written_as(self, other: Self) -> bool {
        (self.language, self.foreign.is_some()) == (other.language, other.foreign.is_some())
    }
}

/// Latin and Sanskrit: what Whisper takes for them is nearly always something else.
fn is_dead(language: i32) -> bool {
    matches!(name(language), "la" | "sa")
}

/// How probable each language is in all of these together, by how long they are.
pub(super) fn together(looks: &[(Span, Shares)]) -> Shares {
    let number = looks.first().map_or(0, |(_, shares)| shares.0.len() as i32);
    let time = |l: i32| looks.iter().map(|(span, shares)| span.length() as f32 * shares.share(l)).sum::<f32>();
    Shares((0..number).map(|l| time(l).ln()).collect())
}

/// Joins voices, each to the nearer of its neighbors, until none is shorter than that.
pub(super) fn parts(voices: &[Span], shortest: usize) -> Vec<Span> {
    let mut parts = voices.to_vec();
    let is_short = |(_, part): &(usize, &Span)| part.length() < shortest;
    while let Some((i, _)) = parts.iter().enumerate().filter(is_short).min_by_key(|(_, part)| part.length()) {
        let pause = |i: usize| parts.get(i + 1).map_or(usize::MAX, |next| next.from - parts[i].to);
        let first = match i.checked_sub(1) {
            Some(before) if pause(before) <= pause(i) => before,
            _ if i + 1 < parts.len() => i,
            _ => break,
        };
        parts[first].to = parts.remove(first + 1).to;
    }
    parts
}

/// Whether what was written down of a part is so probable, and so complete, that it is in the language that is spoken. Whisper writes
/// down what is in another than it is told to as words that it is not sure of, or leaves it out.
///
/// `voices` are those of the part, and `base` is the sample that they are counted from.
pub(super) fn is_sure(voices: &[Span], lines: &[Finding], base: usize) -> bool {
    let at = |ms: u64| (ms as usize * RATE / 1000).saturating_sub(base);
    let (mut written, mut all) = (0, 0);
    for voice in voices {
        all += voice.length();
        written += lines.iter().map(|f| voice.common(Span { from: at(f.from_ms), to: at(f.to_ms) })).sum::<usize>();
    }
    let is_fine = |f: &Finding| {
        let span = Span { from: at(f.from_ms), to: at(f.to_ms) };
        let signs = f.signs.unwrap_or_default();
        let voiced = signs.voiced * span.length() as f32;
        let is_scant = voiced > ENOUGH as f32 && (f.text.len() * RATE) as f32 / voiced < SCANT;
        // What merely reaches into the part says nothing of it.
        let is_beside = voices.iter().map(|v| v.common(span)).sum::<usize>() < RATE / 4;
        is_beside || (signs.avg_logprob >= UNSURE && !is_scant)
    };
    2 * written >= all && lines.iter().all(is_fine)
}

/// Joins parts that follow each other and are written down in one language. Each is heard with a little of the pauses around it,
/// which two share.
pub(super) fn pieces(parts: &[(Span, Tongue)], slice: Span) -> Vec<(Span, Tongue)> {
    let mut pieces: Vec<(Span, Tongue)> = Vec::new();
    for (part, tongue) in parts {
        match pieces.last_mut() {
            Some((before, last)) if last.is_written_as(*tongue) => before.to = part.to,
            _ => pieces.push((*part, *tongue)),
        }
    }
    let borders: Vec<usize> = pieces.windows(2).map(|pair| pair[0].0.to.midpoint(pair[1].0.from)).collect();
    for (i, (piece, _)) in pieces.iter_mut().enumerate() {
        let from = i.checked_sub(1).map_or(slice.from, |before| borders[before]);
        let to = borders.get(i).copied().unwrap_or(slice.to);
        *piece = piece.wide(Span { from, to });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Signs;

    fn span(from: f64, to: f64) -> Span {
        Span { from: (from * RATE as f64) as usize, to: (to * RATE as f64) as usize }
    }

    fn shares(all: &[f32]) -> Shares {
        Shares(all.iter().map(|p| p.ln()).collect())
    }

    #[test]
    fn none_of_the_languages_that_are_expected_is_told_by_a_fifth_of_the_most_probable() {
        let shares = shares(&[0.1, 0.6, 0.13, 0.17]);
        let told = |among: &[i32]| {
            let Tongue { language, foreign } = shares.told(among);
            (language, foreign)
        };
        assert_eq!(told(&[]), (1, None));
        assert_eq!(told(&[0]), (0, Some(1)));
        assert_eq!(told(&[0, 2]), (2, None));
        assert_eq!(told(&[3, 0]), (3, None));
        let latin = (0..).find(|language| name(*language) == "la").unwrap();
        let mut mostly_latin = vec![0.01; latin as usize + 1];
        (mostly_latin[2], mostly_latin[latin as usize]) = (0.1, 0.8);
        let mostly_latin = self::shares(&mostly_latin);
        assert_eq!(mostly_latin.told(&[]), Tongue { language: 2, foreign: Some(latin) });
        assert_eq!(mostly_latin.told(&[latin]), plain(latin));
    }

    fn plain(language: i32) -> Tongue {
        Tongue { language, foreign: None }
    }

    #[test]
    fn a_part_is_as_the_whole_if_it_may_be() {
        let shares = shares(&[0.15, 0.6, 0.01, 0.02]);
        assert_eq!(shares.told_within(plain(0), &[]), plain(0));
        assert_eq!(shares.told_within(plain(2), &[]), plain(1));
        assert_eq!(shares.told_within(plain(2), &[2, 1]), plain(1));
        assert_eq!(shares.told_within(plain(2), &[2, 3]), Tongue { language: 3, foreign: Some(1) });
        let foreign = Tongue { language: 2, foreign: Some(0) };
        assert_eq!(shares.told_within(foreign, &[2, 1]), foreign);
    }

    #[test]
    fn a_short_piece_is_the_most_probable_of_what_is_around_it_and_foreign_for_longer() {
        let [spanish, foreign] = [plain(0), Tongue { language: 0, foreign: Some(1) }];
        let (near, far) = (shares(&[0.2, 0.1, 0.7]), shares(&[0.05, 0.4, 0.5]));
        assert_eq!(
            [near.nearest(spanish, &[spanish, foreign]), near.nearest(foreign, &[spanish, foreign])],
            [spanish, foreign]
        );
        assert_eq!(
            [far.nearest(spanish, &[spanish, foreign]), far.nearest(foreign, &[spanish, foreign])],
            [foreign, foreign]
        );
        assert_eq!(shares(&[0.2, 0.3, 0.5]).nearest(plain(0), &[plain(0), plain(1)]), plain(1));
    }

    #[test]
    fn what_is_told_of_parts_counts_by_their_length() {
        let looks = [(span(0.0, 2.0), shares(&[0.2, 0.1, 0.7])), (span(2.5, 10.0), shares(&[0.3, 0.6, 0.1]))];
        assert_eq!(together(&looks).told(&[]), plain(1));
        assert_eq!(together(&looks[..1]).told(&[]), plain(2));
    }

    #[test]
    fn all_may_be_in_a_language_that_does_not_share_it_with_another() {
        let spread = shares(&[0.4, 0.2, 0.1, 0.05, 0.1, 0.15]);
        assert!(spread.allow(0) && !spread.allow(3));
        assert!(!shares(&[0.6, 0.35, 0.05]).allow(0) && shares(&[0.9, 0.05, 0.05]).allow(0));
    }

    #[test]
    fn short_voices_go_with_the_nearer_of_their_neighbors() {
        let voices = [span(0.0, 4.0), span(4.3, 5.0), span(6.5, 8.0), span(8.2, 11.0)];
        assert_eq!(parts(&voices, TELLING), [span(0.0, 5.0), span(6.5, 11.0)]);
        assert_eq!(parts(&[span(0.0, 0.5), span(0.7, 1.0)], BRIEF), [span(0.0, 1.0)], "there is nobody else");
        assert_eq!(parts(&voices[1..], BRIEF), [span(4.3, 8.0), span(8.2, 11.0)]);
        assert_eq!(parts(&[span(0.0, 9.0), span(9.4, 12.0)], TELLING), [span(0.0, 9.0), span(9.4, 12.0)]);
        assert_eq!(parts(&[], BRIEF), []);
    }

    #[test]
    fn lines_are_sure_that_are_probable_and_leave_nothing_out() {
        let line = |from_ms: u64, to_ms: u64, text: &str, avg_logprob: f32| Finding {
            from_ms,
            to_ms,
            text: text.to_owned(),
            signs: Some(Signs { avg_logprob, voiced: 1.0, ..Signs::default() }),
            ..Finding::default()
        };
        let text = "Marque el número dos para bloquear la conferencia.";
        let part = [span(5.0, 7.0), span(7.3, 10.0)];
        // The block began a minute ago.
        let base = 60 * RATE;
        let before = line(60_000, 65_100, "…", -2.0);
        assert!(is_sure(&part, &[before.clone(), line(65_000, 70_000, text, -0.2)], base));
        for (lines, why) in [
            (vec![], "nothing is written"),
            (vec![before.clone()], "nothing of it is written"),
            (vec![line(65_000, 67_000, text, -0.2)], "most of it is not written"),
            (vec![line(65_000, 70_000, text, -0.7)], "it is guessed"),
            (vec![line(65_000, 67_200, text, -0.2), line(67_200, 70_000, text, -0.7)], "half of it is guessed"),
            (vec![line(65_000, 70_000, "Marque el número dos.", -0.2)], "words are left out"),
        ] {
            assert!(!is_sure(&part, &lines, base), "{why}");
        }
    }

    #[test]
    fn parts_of_one_language_are_one_piece_and_pieces_share_no_more_than_a_pause() {
        let [spanish, german] = [Tongue { language: 1, foreign: None }, Tongue { language: 1, foreign: Some(2) }];
        let slice = span(0.9, 20.1);
        let parts = [
            (span(1.0, 5.0), spanish),
            (span(5.5, 9.0), spanish),
            (span(9.1, 14.0), german),
            (span(15.0, 20.0), spanish),
        ];
        let [first, second, third] = pieces(&parts, slice)[..] else { panic!("three") };
        assert_eq!(
            (first, second, third),
            ((span(0.9, 9.05), spanish), (span(9.05, 14.1), german), (span(14.9, 20.1), spanish))
        );
        assert_eq!(pieces(&parts[..2], span(0.9, 9.1)), [(span(0.9, 9.1), spanish)]);
        let latin = Tongue { foreign: Some(3), ..german };
        assert_eq!(pieces(&[(parts[2].0, german), (parts[3].0, latin)], slice), [(span(9.0, 20.1), german)]);
    }
}
