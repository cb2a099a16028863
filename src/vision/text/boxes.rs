//! Where lines of text are in a map of how likely each pixel is text: connected pixels, and the smallest rectangle around them.

/// A pixel is text when it is likelier than this, and a rectangle is a line when its pixels are on average.
const PIXEL: f32 = 0.3;
const LINE: f32 = 0.5;
/// Lines that are thinner are none, in pixels of the map.
const THINNEST: f32 = 3.0;
/// What the detector leaves away around a line, as a share of its area by its circumference: it was taught so.
const GROWTH: f32 = 1.6;
/// Most lines of a picture: noise has more.
const MOST: usize = 1000;

/// A rectangle that may be turned: its corners clockwise from the one that is on the left on top.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Quad(pub(super) [(f32, f32); 4]);

impl Quad {
    /// Along the text.
    pub(super) fn width(&self) -> f32 {
        distance(self.0[0], self.0[1])
    }

    /// Across it.
    pub(super) fn height(&self) -> f32 {
        distance(self.0[0], self.0[3])
    }

    /// The same with the text that went down going to the right.
    pub(super) fn turned(&self) -> Self {
        let [a, b, c, d] = self.0;
        Self([b, c, d, a])
    }

    pub(super) fn scaled(&self, x: f32, y: f32) -> Self {
        Self(self.0.map(|p| (p.0 * x, p.1 * y)))
    }
}

fn distance(a: (f32, f32), b: (f32, f32)) -> f32 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

/// Pixels side by side: a row, the first and the last of them.
#[derive(Clone, Copy, Debug)]
struct Run {
    y: usize,
    from: usize,
    to: usize,
}

/// The lines in a map of this width.
pub(super) fn find(map: &[f32], width: usize) -> Vec<Quad> {
    let around = components(map, width).into_iter().take(MOST).filter_map(|runs| smallest_around(&runs));
    around.filter(|found| found.likelihood(map, width) >= LINE).map(|found| found.grown()).collect()
}

/// A rectangle: where its upper edge runs to, and how far its edges are along that and across it.
#[derive(Clone, Copy, Debug)]
struct Rectangle {
    direction: (f32, f32),
    along: (f32, f32),
    across: (f32, f32),
}

impl Rectangle {
    fn width(&self) -> f32 {
        self.along.1 - self.along.0
    }

    fn height(&self) -> f32 {
        self.across.1 - self.across.0
    }

    /// How likely text is in it, on average of some ten thousand of its pixels at most.
    fn likelihood(&self, map: &[f32], width: usize) -> f32 {
        const LOOKS: f32 = 100.0;
        let steps = |length: f32| length.clamp(1.0, LOOKS) as usize;
        let (columns, rows) = (steps(self.width()), steps(self.height()));
        let mut sum = 0.0;
        for n in 0..columns * rows {
            let along = self.along.0 + ((n % columns) as f32 + 0.5) / columns as f32 * self.width();
            let across = self.across.0 + ((n / columns) as f32 + 0.5) / rows as f32 * self.height();
            let (x, y) = self.point(along, across);
            let (x, y) = ((x.round().max(0.0) as usize).min(width - 1), y.round().max(0.0) as usize);
            sum += map.get(y * width + x).copied().unwrap_or_default();
        }
        sum / (columns * rows) as f32
    }

    fn point(&self, along: f32, across: f32) -> (f32, f32) {
        let (x, y) = self.direction;
        (along * x - across * y, along * y + across * x)
    }

    fn grown(&self) -> Quad {
        let (width, height) = (self.width(), self.height());
        let grown = width * height * GROWTH / (2.0 * (width + height));
        let (left, right) = (self.along.0 - grown, self.along.1 + grown);
        let (top, bottom) = (self.across.0 - grown, self.across.1 + grown);
        Quad([self.point(left, top), self.point(right, top), self.point(right, bottom), self.point(left, bottom)])
    }
}

/// Groups of likely pixels and those beside them that touch, each from the top.
fn components(map: &[f32], width: usize) -> Vec<Vec<Run>> {
    let rows: Vec<&[f32]> = map.chunks_exact(width).collect();
    let mut runs: Vec<Run> = Vec::new();
    let mut parents: Vec<usize> = Vec::new();
    let mut above = 0..0;
    for y in 0..rows.len() {
        let near = &rows[y.saturating_sub(1)..rows.len().min(y + 2)];
        let is_on = |x: usize| {
            let columns = x.saturating_sub(1)..width.min(x + 2);
            near.iter().any(|row| row[columns.clone()].iter().any(|p| *p > PIXEL))
        };
        let first = runs.len();
        let mut x = 0;
        while x < width {
            let from = x;
            while x < width && is_on(x) {
                x += 1;
            }
            if x > from {
                let run = Run { y, from, to: x - 1 };
                let n = runs.len();
                parents.push(n);
                for other in above.clone() {
                    if runs[other].from <= run.to + 1 && run.from <= runs[other].to + 1 {
                        let (a, b) = (root(&mut parents, other), root(&mut parents, n));
                        parents[a.max(b)] = a.min(b);
                    }
                }
                runs.push(run);
            }
            x += 1;
        }
        above = first..runs.len();
    }
    let mut groups: Vec<Vec<Run>> = Vec::new();
    let mut place = vec![usize::MAX; runs.len()];
    for (n, run) in runs.iter().enumerate() {
        let root = root(&mut parents, n);
        if place[root] == usize::MAX {
            place[root] = groups.len();
            groups.push(Vec::new());
        }
        groups[place[root]].push(*run);
    }
    groups
}

fn root(parents: &mut [usize], mut n: usize) -> usize {
    while parents[n] != n {
        parents[n] = parents[parents[n]];
        n = parents[n];
    }
    n
}

/// The smallest rectangle around these pixels; none where it is too thin.
fn smallest_around(runs: &[Run]) -> Option<Rectangle> {
    let points = runs.iter().flat_map(|r| [(r.from as f32, r.y as f32), (r.to as f32, r.y as f32)]);
    let hull = hull(points.collect());
    // One of its sides lies on a side of the hull; upright goes first among equals.
    let sides = hull.iter().zip(hull.iter().cycle().skip(1)).map(|(a, b)| (b.0 - a.0, b.1 - a.1));
    let mut best: Option<Rectangle> = None;
    for (x, y) in [(1.0, 0.0)].into_iter().chain(sides) {
        let length = x.hypot(y);
        if length == 0.0 {
            continue;
        }
        // To the right, as text is read, be it only a little.
        let (x, y) = if x.abs() >= y.abs() { (x / length, y / length) } else { (y / length, -x / length) };
        let (x, y) = if x < 0.0 { (-x, -y) } else { (x, y) };
        let edges = |of: fn(&(f32, f32), f32, f32) -> f32| {
            hull.iter().map(|p| of(p, x, y)).fold((f32::MAX, f32::MIN), |(low, high), n| (low.min(n), high.max(n)))
        };
        let around = Rectangle {
            direction: (x, y),
            along: edges(|p, x, y| p.0 * x + p.1 * y),
            across: edges(|p, x, y| p.1 * x - p.0 * y),
        };
        if best.is_none_or(|best| around.width() * around.height() < best.width() * best.height()) {
            best = Some(around);
        }
    }
    best.filter(|best| best.width().min(best.height()) >= THINNEST)
}

/// The convex hull, by Andrew's monotone chain.
fn hull(mut points: Vec<(f32, f32)>) -> Vec<(f32, f32)> {
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    points.dedup();
    if points.len() < 3 {
        return points;
    }
    let half = |points: &mut dyn Iterator<Item = (f32, f32)>| {
        let mut chain: Vec<(f32, f32)> = Vec::new();
        for p in points {
            while let [.., a, b] = chain[..]
                && (b.0 - a.0) * (p.1 - a.1) - (b.1 - a.1) * (p.0 - a.0) <= 0.0
            {
                chain.pop();
            }
            chain.push(p);
        }
        chain.pop();
        chain
    };
    let mut all = half(&mut points.iter().copied());
    all.extend(half(&mut points.iter().rev().copied()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(width: usize, height: usize, is_text: impl Fn(f32, f32) -> bool) -> Vec<f32> {
        let value = |n: usize| if is_text((n % width) as f32, (n / width) as f32) { 0.9 } else { 0.1 };
        (0..width * height).map(value).collect()
    }

    #[test]
    fn a_line_is_the_rectangle_around_its_pixels() {
        let map = map(100, 60, |x, y| (20.0..80.0).contains(&x) && (20.0..30.0).contains(&y));
        let found = find(&map, 100);
        // Sixty by ten, one more to each side, and what the detector leaves away.
        let grown = 61.0 * 11.0 * GROWTH / (2.0 * 72.0);
        let [a, _, c, _] = found[0].0;
        assert_eq!(found.len(), 1);
        assert!((a.0 - (19.0 - grown)).abs() < 0.01 && (a.1 - (19.0 - grown)).abs() < 0.01, "{a:?}");
        assert!((c.0 - (80.0 + grown)).abs() < 0.01 && (c.1 - (30.0 + grown)).abs() < 0.01, "{c:?}");
    }

    #[test]
    fn a_tilted_line_is_told_with_its_angle_and_two_lines_are_two() {
        let (sin, cos) = 0.3f32.sin_cos();
        let band = |x: f32, y: f32, from: f32| {
            let (along, across) = (x * cos + y * sin, y * cos - x * sin);
            (40.0..160.0).contains(&along) && (from..from + 16.0).contains(&across)
        };
        let map = map(220, 200, |x, y| band(x, y, 10.0) || band(x, y, 60.0));
        let found = find(&map, 220);
        assert_eq!(found.len(), 2);
        for quad in found {
            let [a, b, ..] = quad.0;
            assert!(((b.1 - a.1).atan2(b.0 - a.0) - 0.3).abs() < 0.02, "{quad:?}");
            assert!(quad.width() > 3.0 * quad.height(), "{quad:?}");
        }
    }

    #[test]
    fn noise_and_nothing_are_no_lines() {
        assert!(find(&[0.0; 64], 8).is_empty());
        assert!(find(&[0.4; 64], 8).is_empty(), "likely, but not on average");
        let dots = map(300, 300, |x, y| x % 4.0 == 0.0 && y % 4.0 == 0.0);
        assert!(find(&dots, 300).len() <= MOST);
        assert_eq!(find(&[1.0; 64 * 64], 64).len(), 1);
    }
}
