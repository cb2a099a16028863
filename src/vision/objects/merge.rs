//! A label that is seen in many frames is one finding.

use std::collections::BTreeMap;

use super::Object;
use crate::{model::Finding, vision::GAP};

/// The findings of the objects of frames, which are in order of time: a label that is seen in several frames is one, with the
/// time of the first and the last, and the surest of its objects. It may be missing in one frame in between.
pub fn merge(frames: &[(u64, Vec<Object>)]) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    // For each label, the frame in which it was last seen and its finding.
    let mut last: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (frame, (at_ms, objects)) in frames.iter().enumerate() {
        for object in objects {
            let known = last.get(object.label.as_str()).filter(|(seen, _)| frame - seen <= GAP).map(|(_, n)| *n);
            let n = known.unwrap_or(found.len());
            if known.is_none() {
                found.push(Finding {
                    from_ms: *at_ms,
                    to_ms: *at_ms,
                    text: object.label.clone(),
                    area: None,
                    trust: None,
                    ..Finding::default()
                });
            }
            let finding = &mut found[n];
            finding.to_ms = *at_ms;
            if finding.trust.is_none_or(|best| object.score > best) {
                (finding.trust, finding.area) = (Some(object.score), Some(object.area));
            }
            last.insert(&object.label, (frame, n));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_in_many_frames_is_one_finding_with_its_best_place() {
        let seen = |label: &str, score, left| Object { label: label.into(), score, area: [left, 0.0, 0.1, 0.1] };
        let frames = vec![
            (0, vec![seen("perro", 0.5, 0.1), seen("taza", 0.4, 0.0)]),
            (2000, vec![]),
            (4000, vec![seen("perro", 0.9, 0.2), seen("perro", 0.4, 0.7)]),
            (6000, vec![]),
            (8000, vec![]),
            (10_000, vec![seen("perro", 0.6, 0.3)]),
        ];
        let told: Vec<_> =
            merge(&frames).into_iter().map(|f| (f.text, f.from_ms, f.to_ms, f.trust, f.area.unwrap()[0])).collect();
        assert_eq!(
            told,
            [
                ("perro".to_owned(), 0, 4000, Some(0.9), 0.2),
                ("taza".into(), 0, 0, Some(0.4), 0.0),
                ("perro".into(), 10_000, 10_000, Some(0.6), 0.3),
            ]
        );
    }
}
