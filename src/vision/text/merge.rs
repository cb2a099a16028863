//! A caption that stands over many frames is one finding.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::Line;
use crate::{
    model::Finding,
    vision::{Area, GAP, overlap},
};

/// Readings are of one caption when they share this much of their letters, and their places this much of their areas.
const SAME_TEXT: f32 = 0.75;
const SAME_PLACE: f32 = 0.4;
/// Letters of a line that are compared.
const COMPARED: usize = 200;

/// A caption that is followed from frame to frame.
struct Caption {
    from_ms: u64,
    to_ms: u64,
    frame: usize,
    /// As it was read last, for comparing.
    letters: Vec<char>,
    area: Area,
    best: Line,
}

/// The findings of the lines of frames, which are in order of time: a caption that stands in several is one, with the time of
/// its first and its last frame, its surest reading and where that was. It may be missing in one frame in between.
pub fn merge(frames: &[(u64, Vec<Line>)]) -> Vec<Finding> {
    let mut gone: Vec<Caption> = Vec::new();
    let mut shown: Vec<Caption> = Vec::new();
    for (frame, (at_ms, lines)) in frames.iter().enumerate() {
        let (still, over) = shown.into_iter().partition(|c: &Caption| frame - c.frame <= GAP);
        shown = still;
        gone.extend::<Vec<Caption>>(over);
        for line in lines {
            let letters = letters(&line.text);
            // What was seen in this frame is another line of it.
            let known = shown.iter_mut().find(|c| {
                c.frame != frame
                    && overlap(&c.area, &line.area) >= SAME_PLACE
                    && alike(&c.letters, &letters) >= SAME_TEXT
            });
            match known {
                Some(caption) => {
                    (caption.to_ms, caption.frame, caption.area) = (*at_ms, frame, line.area);
                    caption.letters = letters;
                    if line.score > caption.best.score {
                        caption.best = line.clone();
                    }
                }
                None => shown.push(Caption {
                    from_ms: *at_ms,
                    to_ms: *at_ms,
                    frame,
                    letters,
                    area: line.area,
                    best: line.clone(),
                }),
            }
        }
    }
    gone.extend(shown);
    // What came at once stays in the order in which it is read.
    gone.sort_by_key(|caption| caption.from_ms);
    let finding = |caption: Caption| Finding {
        from_ms: caption.from_ms,
        to_ms: caption.to_ms,
        text: caption.best.text,
        area: Some(caption.best.area),
        trust: Some(caption.best.score),
        ..Finding::default()
    };
    gone.into_iter().map(finding).collect()
}

/// Small letters without accents: what differs from frame to frame by mistake.
fn letters(text: &str) -> Vec<char> {
    let plain = text.nfd().filter(|c| !is_combining_mark(*c) && !c.is_whitespace());
    plain.flat_map(char::to_lowercase).take(COMPARED).collect()
}

/// Which share of the longer text stays when one is made the other.
fn alike(a: &[char], b: &[char]) -> f32 {
    // A result, a rate, a score: what differs in a digit is another.
    let digits = |text: &[char]| text.iter().copied().filter(|c| c.is_numeric()).collect::<String>();
    if digits(a) != digits(b) {
        return 0.0;
    }
    let longer = a.len().max(b.len());
    if longer == 0 {
        return 1.0;
    }
    if (a.len().min(b.len()) as f32) < SAME_TEXT * longer as f32 {
        return 0.0;
    }
    1.0 - distance(a, b) as f32 / longer as f32
}

/// Letters to put in, take out or change (Levenshtein).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (diagonal + usize::from(x != y)).min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, score: f32, area: Area) -> Line {
        Line { text: text.into(), score, corners: [(0.0, 0.0); 4], area }
    }

    #[test]
    fn a_caption_over_many_frames_is_one_finding_in_its_best_reading() {
        let low = [0.1, 0.8, 0.5, 0.1];
        let high = [0.1, 0.1, 0.5, 0.1];
        let frames = vec![
            (0, vec![]),
            (1000, vec![line("JUAN PEREZ", 0.8, low), line("EN DIRECTO", 0.9, high)]),
            (2000, vec![line("JUAN PÉREZ", 0.95, [0.11, 0.8, 0.5, 0.1])]),
            (3000, vec![line("JUAN PEPEZ", 0.7, low), line("EN DIRECTO", 0.8, high)]),
            (4000, vec![line("MARIA LOPEZ", 0.9, low)]),
            (5000, vec![]),
            (6000, vec![]),
            (7000, vec![line("MARÍA LÓPEZ", 0.9, low)]),
        ];
        let told: Vec<_> = merge(&frames).into_iter().map(|f| (f.text, f.from_ms, f.to_ms, f.trust)).collect();
        let is = |text: &str, from, to, trust| (text.to_owned(), from, to, Some(trust));
        assert_eq!(
            told,
            [
                is("JUAN PÉREZ", 1000, 3000, 0.95),
                is("EN DIRECTO", 1000, 3000, 0.9),
                is("MARIA LOPEZ", 4000, 4000, 0.9),
                is("MARÍA LÓPEZ", 7000, 7000, 0.9),
            ]
        );
    }

    #[test]
    fn a_result_that_changes_in_its_place_is_another() {
        let place = [0.1, 0.8, 0.5, 0.1];
        let frames = ["Resultado 48 por ciento", "Resultado 51 por ciento"].map(|t| line(t, 0.99, place));
        let [first, second] = frames;
        let found = merge(&[(0, vec![first.clone()]), (2000, vec![first]), (4000, vec![second])]);
        let told: Vec<_> = found.iter().map(|f| (f.text.as_str(), f.from_ms, f.to_ms)).collect();
        assert_eq!(told, [("Resultado 48 por ciento", 0, 2000), ("Resultado 51 por ciento", 4000, 4000)]);
    }

    #[test]
    fn the_same_words_at_two_places_are_two() {
        let two = vec![line("SÍ", 0.9, [0.1, 0.1, 0.2, 0.1]), line("SÍ", 0.9, [0.1, 0.2, 0.2, 0.1])];
        assert_eq!(merge(&[(0, two.clone()), (1000, two)]).len(), 2);
        assert!(merge(&[]).is_empty());
        assert_eq!(distance(&letters("canción"), &letters("cancion")), 0);
        assert_eq!(distance(&letters("kitten"), &letters("sitting")), 3);
    }
}
