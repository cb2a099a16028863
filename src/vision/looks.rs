//! How a picture looks: a hash that near duplicates have in common, and the colors that it is made of.

use std::f32::consts::PI;

use super::Picture;

/// Sides of the picture that is hashed, and of the block of its frequencies that makes the hash.
const SIDE: usize = 32;
const BLOCK: usize = 8;
/// The longer side of the picture whose colors are told.
const SMALL: u32 = 64;
/// Most colors of a picture, and the least share of one.
const COLORS: usize = 5;
const LEAST: f32 = 0.04;
/// Colors that are nearer than this in OKLab are one.
const SAME: f32 = 0.06;
const ROUNDS: usize = 16;

/// A perceptual hash of 64 bits (Zauner's pHash of 2010): the signs of the 8 by 8 lowest frequencies, those that do not change
/// along an axis left out, of the picture in gray at 32 by 32, against their median.
///
/// Scaling, compression, and changes of brightness or contrast flip a few bits; a mirrored or a turned picture is another one. A picture of one color is 0.
pub fn hash(picture: &Picture<'_>) -> u64 {
    let rgb = picture.scaled(SIDE as u32, SIDE as u32);
    let gray: Vec<f32> = rgb
        .as_chunks::<3>()
        .0
        .iter()
        .map(|[r, g, b]| 0.299 * f32::from(*r) + 0.587 * f32::from(*g) + 0.114 * f32::from(*b))
        .collect();
    let wave = |frequency: usize, at: usize| (PI * frequency as f32 * (2 * at + 1) as f32 / (2 * SIDE) as f32).cos();
    let waves: Vec<[f32; SIDE]> = (1..=BLOCK).map(|frequency| std::array::from_fn(|at| wave(frequency, at))).collect();
    // Along the rows, then down the columns.
    let rows: Vec<Vec<f32>> = gray
        .chunks_exact(SIDE)
        .map(|row| waves.iter().map(|wave| row.iter().zip(wave).map(|(a, b)| a * b).sum()).collect())
        .collect();
    let all: Vec<f32> = waves
        .iter()
        .flat_map(|wave| {
            let rows = &rows;
            (0..BLOCK).map(move |x| rows.iter().zip(wave).map(|(row, b)| row[x] * b).sum::<f32>())
        })
        .collect();
    let mut sorted = all.clone();
    sorted.sort_by(f32::total_cmp);
    let median = (sorted[all.len() / 2 - 1] + sorted[all.len() / 2]) / 2.0;
    // Rounding is no frequency.
    const NOTHING: f32 = 1e-2;
    all.iter().enumerate().fold(0, |hash, (n, value)| hash | u64::from(*value > median + NOTHING) << n)
}

/// In how many of 64 bits two hashes differ. Of eight photographs, copies that were made half as large, brighter by a fifth or
/// strongly compressed differed in 2 at most, those that were cropped by 3 % a side in 8 to 14, and different ones in 24 or more.
pub fn distance(a: u64, b: u64) -> u32 {
    (a ^ b).count_ones()
}

/// A color that a picture is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Color {
    /// sRGB.
    pub rgb: [u8; 3],
    /// The share of the picture's pixels that are nearest to it.
    pub share: f32,
    /// What it is called in English.
    pub english: &'static str,
    /// And in Spanish.
    pub spanish: &'static str,
}

/// The colors of a picture, five at most, the one with the largest share first: k-means in OKLab, where distances are as they
/// are seen. Each has a share of 4 % at least.
pub fn colors(picture: &Picture<'_>) -> Vec<Color> {
    let longer = picture.width.max(picture.height);
    let side = |n: u32| (u64::from(n) * u64::from(SMALL.min(longer)) / u64::from(longer)) as u32;
    let rgb = picture.scaled(side(picture.width).max(1), side(picture.height).max(1));
    let pixels: Vec<[f32; 3]> = rgb.as_chunks::<3>().0.iter().map(|rgb| oklab(*rgb)).collect();
    let mut means = first_means(&pixels);
    let mut groups = vec![0; pixels.len()];
    for _ in 0..ROUNDS {
        groups = pixels.iter().map(|pixel| nearest(&means, pixel)).collect();
        let mut sums = vec![([0.0; 3], 0u32); means.len()];
        for (pixel, group) in pixels.iter().zip(&groups) {
            let (sum, count) = &mut sums[*group];
            sum.iter_mut().zip(pixel).for_each(|(sum, v)| *sum += v);
            *count += 1;
        }
        for (mean, (sum, count)) in means.iter_mut().zip(sums).filter(|(_, (_, count))| *count > 0) {
            *mean = sum.map(|v| v / count as f32);
        }
    }
    let mut shares = vec![0.0f32; means.len()];
    groups.iter().for_each(|group| shares[*group] += 1.0 / pixels.len() as f32);
    let mut all = joined(means.into_iter().zip(shares).collect());
    all.retain(|(_, share)| *share >= LEAST);
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all.into_iter().map(|(mean, share)| named(mean, share)).collect()
}

/// The average, then what is farthest from all that were chosen: the same for the same picture.
fn first_means(pixels: &[[f32; 3]]) -> Vec<[f32; 3]> {
    let middle = pixels.iter().fold([0.0; 3], |sum, p| std::array::from_fn(|n| sum[n] + p[n] / pixels.len() as f32));
    let mut means = vec![middle];
    while means.len() < COLORS {
        let far = |p: &[f32; 3]| means.iter().map(|mean| apart(mean, p)).fold(f32::MAX, f32::min);
        let farthest = pixels.iter().fold((0.0, None), |best, p| {
            let far = far(p);
            if far > best.0 { (far, Some(*p)) } else { best }
        });
        match farthest.1 {
            Some(pixel) => means.push(pixel),
            None => break,
        }
    }
    means
}

/// Colors that look the same are one, between them by their shares.
fn joined(mut all: Vec<([f32; 3], f32)>) -> Vec<([f32; 3], f32)> {
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut kept: Vec<([f32; 3], f32)> = Vec::new();
    for (mean, share) in all {
        match kept.iter_mut().find(|(other, _)| apart(other, &mean) < SAME * SAME) {
            Some((other, sum)) => {
                let total = *sum + share;
                if total > 0.0 {
                    *other = std::array::from_fn(|n| (other[n] * *sum + mean[n] * share) / total);
                }
                *sum = total;
            }
            None => kept.push((mean, share)),
        }
    }
    kept
}

fn nearest(means: &[[f32; 3]], pixel: &[f32; 3]) -> usize {
    let each = means.iter().enumerate().map(|(n, mean)| (n, apart(mean, pixel)));
    each.fold((0, f32::MAX), |best, next| if next.1 < best.1 { next } else { best }).0
}

/// The square of a distance.
fn apart(a: &[f32; 3], b: &[f32; 3]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// Colors that have a name: sRGB, English, Spanish. A name may have several.
const NAMES: [([u8; 3], &str, &str); 31] = [
    ([0, 0, 0], "black", "negro"),
    ([24, 24, 24], "black", "negro"),
    ([70, 70, 70], "dark gray", "gris oscuro"),
    ([128, 128, 128], "gray", "gris"),
    ([195, 195, 195], "light gray", "gris claro"),
    ([255, 255, 255], "white", "blanco"),
    ([240, 240, 238], "white", "blanco"),
    ([210, 20, 30], "red", "rojo"),
    ([120, 15, 25], "dark red", "granate"),
    ([255, 130, 20], "orange", "naranja"),
    ([250, 220, 40], "yellow", "amarillo"),
    ([215, 170, 60], "ocher", "ocre"),
    ([115, 70, 35], "brown", "marrón"),
    ([60, 40, 25], "dark brown", "marrón oscuro"),
    ([170, 125, 85], "light brown", "marrón claro"),
    ([225, 205, 170], "beige", "beis"),
    ([230, 180, 150], "skin", "carne"),
    ([60, 160, 60], "green", "verde"),
    ([25, 75, 35], "dark green", "verde oscuro"),
    ([150, 210, 130], "light green", "verde claro"),
    ([105, 110, 50], "olive", "verde oliva"),
    ([40, 165, 165], "turquoise", "turquesa"),
    ([120, 215, 215], "light turquoise", "turquesa claro"),
    ([40, 90, 200], "blue", "azul"),
    ([20, 30, 85], "dark blue", "azul oscuro"),
    ([140, 185, 235], "light blue", "azul claro"),
    ([95, 120, 150], "gray-blue", "azul grisáceo"),
    ([120, 50, 160], "purple", "morado"),
    ([190, 155, 215], "lilac", "lila"),
    ([235, 70, 150], "pink", "rosa"),
    ([250, 190, 205], "light pink", "rosa claro"),
];

fn named(mean: [f32; 3], share: f32) -> Color {
    let near = |rgb: [u8; 3]| apart(&oklab(rgb), &mean);
    let best = NAMES.iter().fold(NAMES[0], |best, next| if near(next.0) < near(best.0) { *next } else { best });
    Color { rgb: srgb(mean), share, english: best.1, spanish: best.2 }
}

/// sRGB as OKLab: <https://bottosson.github.io/posts/oklab/>.
fn oklab(rgb: [u8; 3]) -> [f32; 3] {
    let [r, g, b] = rgb.map(|v| {
        let v = f32::from(v) / 255.0;
        if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    });
    let l = (0.412_221_47 * r + 0.536_332_54 * g + 0.051_445_993 * b).cbrt();
    let m = (0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b).cbrt();
    let s = (0.088_302_46 * r + 0.281_718_84 * g + 0.629_978_7 * b).cbrt();
    [
        0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
        1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
        0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
    ]
}

fn srgb([l, a, b]: [f32; 3]) -> [u8; 3] {
    let cube = |v: f32| v * v * v;
    let (l, m, s) = (
        cube(l + 0.396_337_78 * a + 0.215_803_76 * b),
        cube(l - 0.105_561_346 * a - 0.063_854_17 * b),
        cube(l - 0.089_484_18 * a - 1.291_485_5 * b),
    );
    let linear = [
        4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s,
        -1.268_438 * l + 2.609_757_4 * m - 0.341_319_4 * s,
        -0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s,
    ];
    linear.map(|v| {
        let v = if v <= 0.003_130_8 { v * 12.92 } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
        (v * 255.0).round().clamp(0.0, 255.0) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two discs over a ramp.
    fn scene(width: u32, height: u32, brightness: f32, is_mirrored: bool) -> Vec<u8> {
        let pixel = |n: u32| {
            let (x, y) = ((n % width) as f32 / width as f32, (n / width) as f32 / height as f32);
            let x = if is_mirrored { 1.0 - x } else { x };
            let disc = |cx: f32, cy: f32, r: f32| (x - cx).hypot(y - cy) < r;
            let color = match () {
                () if disc(0.3, 0.4, 0.2) => [200.0, 40.0, 40.0],
                () if disc(0.8, 0.7, 0.15) => [30.0, 60.0, 180.0],
                () => [120.0 * y, 60.0 + 100.0 * x * y, 90.0],
            };
            color.map(|v| (v * brightness).clamp(0.0, 255.0) as u8)
        };
        (0..width * height).flat_map(pixel).collect()
    }

    fn of(width: u32, height: u32, rgb: &[u8]) -> u64 {
        hash(&Picture::new(width, height, rgb).unwrap())
    }

    #[test]
    fn near_duplicates_have_near_hashes() {
        let whole = of(640, 480, &scene(640, 480, 1.0, false));
        let smaller = of(160, 120, &scene(160, 120, 1.0, false));
        let brighter = of(640, 480, &scene(640, 480, 1.2, false));
        let mirrored = of(640, 480, &scene(640, 480, 1.0, true));
        assert!(distance(whole, smaller) <= 3 && distance(whole, brighter) <= 6, "{whole:x} {smaller:x} {brighter:x}");
        assert!(distance(whole, mirrored) >= 16, "{whole:x} {mirrored:x}");
        assert_eq!((of(1, 1, &[9, 9, 9]), of(50, 40, &[200; 6000])), (0, 0));
    }

    #[test]
    fn a_picture_is_told_by_its_colors() {
        // Half of Spain's flag is red.
        let flag: Vec<u8> = (0..90 * 120)
            .flat_map(|n| if (30..90).contains(&(n / 90)) { [250, 200, 10] } else { [200, 10, 30] })
            .collect();
        let told: Vec<_> = colors(&Picture::new(90, 120, &flag).unwrap())
            .into_iter()
            .map(|c| (c.english, c.spanish, (c.share * 10.0).round()))
            .collect();
        assert_eq!(told, [("red", "rojo", 5.0), ("yellow", "amarillo", 5.0)]);
        let one = colors(&Picture::new(1, 1, &[250, 250, 250]).unwrap());
        assert_eq!((one.len(), one[0].english, one[0].rgb, one[0].share), (1, "white", [250, 250, 250], 1.0));
        // As wide as no picture is.
        assert_eq!(colors(&Picture::new(1 << 20, 1, &vec![0; 3 << 20]).unwrap())[0].spanish, "negro");
    }

    #[test]
    fn colors_come_back_from_oklab() {
        for rgb in [[0, 0, 0], [255, 255, 255], [255, 0, 0], [12, 200, 77]] {
            let back = srgb(oklab(rgb));
            assert!(back.iter().zip(rgb).all(|(a, b)| a.abs_diff(b) <= 1), "{rgb:?} {back:?}");
        }
    }
}
