//! Pictures made smaller or larger with a triangle of weights, in memory that only what comes out of it takes: pictures may be of
//! any proportions.

/// What is seen of a line of pixels by each pixel that is made of it: where it begins, and the weights from there on.
struct Taps(Vec<(usize, Vec<f32>)>);

impl Taps {
    fn new(from: usize, to: usize) -> Self {
        let ratio = from as f32 / to as f32;
        let reach = ratio.max(1.0);
        let tap = |n: usize| {
            let middle = (n as f32 + 0.5) * ratio - 0.5;
            let first = (middle - reach).ceil().max(0.0) as usize;
            let first = first.min(from - 1);
            let last = ((middle + reach).floor().max(0.0) as usize).clamp(first, from - 1);
            let mut weights: Vec<f32> =
                (first..=last).map(|at| (1.0 - (at as f32 - middle).abs() / reach).max(0.0)).collect();
            let sum: f32 = weights.iter().sum();
            match sum > 0.0 {
                true => weights.iter_mut().for_each(|w| *w /= sum),
                // Of an edge only the pixel on it is seen.
                false => weights = vec![1.0],
            }
            (first, weights)
        };
        Self((0..to).map(tap).collect())
    }
}

/// RGB of a size made that of another one. No size is 0.
pub(super) fn scaled(rgb: &[u8], (width, height): (usize, usize), (wide, high): (usize, usize)) -> Vec<u8> {
    if (width, height) == (wide, high) {
        return rgb.to_vec();
    }
    let (across, down) = (Taps::new(width, wide), Taps::new(height, high));
    let mut sums = vec![0.0f32; wide * high * 3];
    let mut line = vec![0.0f32; wide * 3];
    // Rows that are made end in the order in which they begin.
    let mut from = 0;
    for (y, row) in rgb.chunks_exact(width * 3).enumerate() {
        while from < high && down.0[from].0 + down.0[from].1.len() <= y {
            from += 1;
        }
        let rows = down.0[from..].iter().take_while(|(first, _)| *first <= y);
        let seen: Vec<(usize, f32)> =
            rows.enumerate().filter_map(|(n, (first, weights))| Some((from + n, *weights.get(y - first)?))).collect();
        if seen.is_empty() {
            continue;
        }
        for (out, (first, weights)) in line.as_chunks_mut::<3>().0.iter_mut().zip(&across.0) {
            let pixels = row[first * 3..].as_chunks::<3>().0;
            *out = weights.iter().zip(pixels).fold([0.0; 3], |[r, g, b], (w, pixel)| {
                [r + w * f32::from(pixel[0]), g + w * f32::from(pixel[1]), b + w * f32::from(pixel[2])]
            });
        }
        for (out, weight) in seen {
            sums[out * wide * 3..][..wide * 3].iter_mut().zip(&line).for_each(|(sum, v)| *sum += v * weight);
        }
    }
    sums.into_iter().map(|sum| (sum + 0.5) as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_scaled_as_the_image_crate_scales_them() {
        let (width, height) = (97, 61);
        let rgb: Vec<u8> = (0..width * height * 3).map(|n| (n * 7919 % 251) as u8).collect();
        let whole = image::RgbImage::from_raw(width as u32, height as u32, rgb.clone()).unwrap();
        for (wide, high) in [(40, 20), (97, 130), (300, 61), (1, 1), (200, 7)] {
            let filter = image::imageops::FilterType::Triangle;
            let theirs = image::imageops::resize(&whole, wide as u32, high as u32, filter).into_raw();
            let ours = scaled(&rgb, (width, height), (wide, high));
            let most = ours.iter().zip(&theirs).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(ours.len() == theirs.len() && most <= Some(2), "{wide}x{high}: {most:?}");
        }
    }

    #[test]
    fn a_picture_of_one_row_takes_no_more_than_it_makes() {
        let rgb = vec![200; 3 << 16];
        assert!(scaled(&rgb, (1 << 16, 1), (64, 64)).iter().all(|v| *v == 200));
        assert!(scaled(&rgb, (1, 1 << 16), (64, 64)).iter().all(|v| *v == 200));
        assert_eq!(scaled(&[1, 2, 3], (1, 1), (2, 1)), [1, 2, 3, 1, 2, 3]);
    }
}
