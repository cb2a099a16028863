//! What is beside pictures of another shape, made of themselves: enlarged until it fills, blurred and darker.

/// Points across and down that are left of a picture: what an eye takes for a strong blur.
const POINTS: (usize, usize) = (20, 20);
/// Samples that a point is the mean of, across and down.
const SAMPLES: usize = 8;
/// How much of its brightness is left.
const DIM: f32 = 0.6;

/// A plane of a picture.
pub(crate) struct Plane<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) stride: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// The backdrop of one plane, as few points.
pub(crate) struct Backdrop {
    points: Vec<f32>,
    size: (usize, usize),
}

impl Backdrop {
    /// For a plane of this size. `neutral` is what it becomes darker towards: black of luma, 128 of colors.
    pub(crate) fn of(plane: &Plane<'_>, size: (usize, usize), neutral: f32) -> Self {
        let (width, height) = (plane.width as f32, plane.height as f32);
        // The part of the picture that fills, in its middle.
        let scale = (size.0 as f32 / width).max(size.1 as f32 / height);
        let (across, down) = (size.0 as f32 / scale, size.1 as f32 / scale);
        let (left, top) = ((width - across) / 2.0, (height - down) / 2.0);
        let (columns, rows) = (POINTS.0 * SAMPLES, POINTS.1 * SAMPLES);
        let mut points = vec![0.0; POINTS.0 * POINTS.1];
        for y in 0..rows {
            let row = (top + (y as f32 + 0.5) * down / rows as f32) as usize;
            let line = &plane.data[row.min(plane.height - 1) * plane.stride..];
            for x in 0..columns {
                let column = (left + (x as f32 + 0.5) * across / columns as f32) as usize;
                points[y / SAMPLES * POINTS.0 + x / SAMPLES] += f32::from(line[column.min(plane.width - 1)]);
            }
        }
        let share = 1.0 / (SAMPLES * SAMPLES) as f32;
        points.iter_mut().for_each(|p| *p = neutral + (*p * share - neutral) * DIM);
        Self { points: smooth(&smooth(&points)), size }
    }

    /// Writes a part of one of its rows.
    pub(crate) fn write(&self, row: usize, from: usize, line: &mut [u8]) {
        let place = |at: usize, side: usize, count: usize| {
            let at = ((at as f32 + 0.5) * count as f32 / side as f32 - 0.5).clamp(0.0, (count - 1) as f32);
            let low = (at as usize).min(count - 2);
            (low, at - low as f32)
        };
        let (y, down) = place(row, self.size.1, POINTS.1);
        for (i, sample) in line.iter_mut().enumerate() {
            let (x, right) = place(from + i, self.size.0, POINTS.0);
            let at = |dx: usize, dy: usize| self.points[(y + dy) * POINTS.0 + x + dx];
            let upper = at(0, 0) + (at(1, 0) - at(0, 0)) * right;
            let lower = at(0, 1) + (at(1, 1) - at(0, 1)) * right;
            *sample = (upper + (lower - upper) * down).round() as u8;
        }
    }
}

/// The mean of each point and those around it.
fn smooth(points: &[f32]) -> Vec<f32> {
    let (width, height) = POINTS;
    let near = |at: usize, side: usize| at.saturating_sub(1)..(at + 2).min(side);
    let of = |i: usize| {
        let (xs, ys) = (near(i % width, width), near(i / width, height));
        let count = (xs.len() * ys.len()) as f32;
        ys.flat_map(|y| xs.clone().map(move |x| y * width + x)).map(|i| points[i]).sum::<f32>() / count
    };
    (0..points.len()).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_the_colors_of_what_fills_it_without_edges_and_darker() {
        // Dark on the left, bright on the right, wider than what it fills.
        let data: Vec<u8> = (0..90 * 160).map(|i| if i % 160 < 80 { 66 } else { 216 }).collect();
        let plane = Plane { data: &data, stride: 160, width: 160, height: 90 };
        let backdrop = Backdrop::of(&plane, (90, 160), 16.0);
        let mut line = [0; 90];
        backdrop.write(10, 0, &mut line);
        assert_eq!((line[2], line[87]), (46, 136));
        assert!(line.windows(2).all(|w| w[0] <= w[1] && w[1] - w[0] < 12), "{line:?}");
        let mut part = [0; 30];
        backdrop.write(10, 60, &mut part);
        assert_eq!(part, line[60..]);
    }
}
