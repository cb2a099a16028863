//! Shows where a text matches: the words marked, the rest escaped for HTML.

use std::collections::HashSet;

use super::words::{Morphology, STEM, composed, words};

/// Longest excerpt in characters.
const LONGEST: usize = 240;

/// Marks the words that have one of the terms.
pub(super) struct Marker<'a> {
    terms: &'a HashSet<String>,
    morphology: &'a mut Morphology,
    /// Whether a term begins with this ASCII letter.
    initials: [bool; 128],
}

impl<'a> Marker<'a> {
    pub(super) fn new(terms: &'a HashSet<String>, morphology: &'a mut Morphology) -> Self {
        let mut initials = [false; 128];
        for term in terms {
            let first = term.trim_start_matches(STEM).bytes().next();
            first.and_then(|b| initials.get_mut(usize::from(b))).into_iter().for_each(|is| *is = true);
        }
        Self { terms, morphology, initials }
    }

    fn is_meant(&mut self, word: &str) -> bool {
        // Nearly all words are told apart by their first letter: what is stemmed loses its end alone.
        if let [first, rest @ ..] = word.as_bytes()
            && first.is_ascii_alphabetic()
            && rest.iter().all(u8::is_ascii_lowercase)
            && !self.initials[usize::from(first.to_ascii_lowercase())]
        {
            return false;
        }
        let forms = self.morphology.known(word);
        let stems = forms.stems.iter().map(|(stem, _)| stem);
        self.terms.contains(&forms.exact) || forms.also.iter().chain(stems).any(|term| self.terms.contains(term))
    }

    /// An excerpt around the first place that matches, `<b>` around its words; and how many of them it has.
    pub(super) fn excerpt(&mut self, text: &str) -> (String, usize) {
        let text = composed(text);
        let marks: Vec<(usize, usize)> =
            words(&text).filter(|(_, word)| self.is_meant(word)).map(|(at, word)| (at, at + word.len())).collect();
        let (from, to) = window(&text, marks.first().map_or(0, |(at, _)| *at));
        let mut html = String::new();
        if from > 0 {
            html.push('…');
        }
        let (mut at, mut count) = (from, 0);
        for (begin, end) in marks.into_iter().filter(|(begin, end)| *begin >= from && *end <= to) {
            escape(&text[at..begin], &mut html);
            html.push_str("<b>");
            escape(&text[begin..end], &mut html);
            html.push_str("</b>");
            (at, count) = (end, count + 1);
        }
        escape(&text[at..to], &mut html);
        if to < text.len() {
            html.push('…');
        }
        (html, count)
    }
}

/// The stretch of a text that is shown around a place, cut between words.
fn window(text: &str, around: usize) -> (usize, usize) {
    let count = |text: &str| text.chars().count();
    if count(text) <= LONGEST {
        return (0, text.len());
    }
    let back = text[..around].char_indices().rev().nth(LONGEST / 4).map_or(0, |(at, _)| at);
    let from = match back {
        0 => 0,
        back => text[back..around].find(' ').map_or(around, |space| back + space + 1),
    };
    let far = text[from..].char_indices().nth(LONGEST).map_or(text.len(), |(at, _)| from + at);
    let to = match far == text.len() {
        true => far,
        false => text[from..far].rfind(' ').map(|space| from + space).filter(|to| *to > around).unwrap_or(far),
    };
    (from, to)
}

fn escape(text: &str, html: &mut String) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_marked_whatever_their_form_and_nothing_else_is_html() {
        let mut morphology = Morphology::default();
        let terms = morphology.asked("canción").marks().collect();
        let mut marker = Marker::new(&terms, &mut morphology);
        let (html, count) = marker.excerpt("<b>Canciones</b> & 'una' canción");
        assert_eq!(html, "&lt;b&gt;<b>Canciones</b>&lt;/b&gt; &amp; &#39;una&#39; <b>canción</b>");
        assert_eq!(count, 2);
        let long = format!("{} canción {}", "palabra ".repeat(100), "otra ".repeat(100));
        let (html, _) = marker.excerpt(&long);
        assert!(html.starts_with("…palabra") && html.ends_with('…') && html.contains("<b>canción</b>"), "{html}");
        assert!(html.chars().count() < 300);
        // A word longer than what is shown, of letters of several bytes.
        marker.excerpt(&"ñ".repeat(1000));
        marker.excerpt(&format!("{} canción", "ñ".repeat(1000)));
    }
}
