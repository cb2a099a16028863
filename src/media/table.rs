//! A table from Y'CbCr to Y'CbCr, applied to 4:2:0 in place: for every change of colors that is no matrix.

use rayon::prelude::*;

const LUMA: usize = 65;
const CHROMA: usize = 33;

/// Values at points of 10-bit Y'CbCr, all codes from 0 to 1023.
pub(crate) struct Table(Vec<[f32; 3]>);

impl Table {
    /// From a function of 10-bit codes.
    pub(crate) fn new(map: impl Fn([f64; 3]) -> [f64; 3] + Sync) -> Self {
        let code = |i: usize, n: usize| i as f64 / (n - 1) as f64 * 1023.0;
        let columns = (0..CHROMA * CHROMA).into_par_iter().flat_map_iter(|uv| {
            let (u, v, map) = (code(uv / CHROMA, CHROMA), code(uv % CHROMA, CHROMA), &map);
            (0..LUMA).map(move |iy| map([code(iy, LUMA), u, v]).map(|x| x as f32))
        });
        Self(columns.collect())
    }

    /// Maps planes of 8 bits: each with its stride.
    pub(crate) fn map_8_bits(&self, width: usize, luma: (&mut [u8], usize), chroma: [(&mut [u8], usize); 2]) {
        self.map::<1>(width, luma, chroma);
    }

    /// Maps planes of 10 bits, little endian: each with its stride in bytes.
    pub(crate) fn map_10_bits(&self, width: usize, luma: (&mut [u8], usize), chroma: [(&mut [u8], usize); 2]) {
        self.map::<2>(width, luma, chroma);
    }

    fn map<const BYTES: usize>(
        &self,
        width: usize,
        (luma, stride): (&mut [u8], usize),
        [(u, u_stride), (v, v_stride)]: [(&mut [u8], usize); 2],
    ) {
        let rows = luma.par_chunks_mut(2 * stride).zip(u.par_chunks_mut(u_stride)).zip(v.par_chunks_mut(v_stride));
        rows.for_each(|((luma, u), v)| {
            let (upper, lower) = luma.split_at_mut(stride.min(luma.len()));
            self.map_rows::<BYTES>(width, upper, lower, u, v);
        });
    }

    /// Two rows of luma and the one of chroma between them.
    fn map_rows<const BYTES: usize>(
        &self,
        width: usize,
        upper: &mut [u8],
        lower: &mut [u8],
        u: &mut [u8],
        v: &mut [u8],
    ) {
        let pairs = upper.chunks_exact_mut(2 * BYTES).zip(lower.chunks_exact_mut(2 * BYTES));
        let chroma = u.chunks_exact_mut(BYTES).zip(v.chunks_exact_mut(BYTES));
        for ((upper, lower), (u, v)) in pairs.zip(chroma).take(width / 2) {
            let square = self.square(get::<BYTES>(u), get::<BYTES>(v));
            let mut sum = 0.0;
            for y in upper.chunks_exact_mut(BYTES).chain(lower.chunks_exact_mut(BYTES)) {
                let code = get::<BYTES>(y);
                sum += code;
                put::<BYTES>(y, square.at(code, 0));
            }
            put::<BYTES>(u, square.at(sum / 4.0, 1));
            put::<BYTES>(v, square.at(sum / 4.0, 2));
        }
    }

    fn square(&self, u: f32, v: f32) -> Square<'_> {
        let step = (CHROMA - 1) as f32 / 1023.0;
        let (u, v) = (u * step, v * step);
        let (iu, iv) = ((u as usize).min(CHROMA - 2), (v as usize).min(CHROMA - 2));
        let (fu, fv) = (u - iu as f32, v - iv as f32);
        let column = |iu: usize, iv: usize| &self.0[(iu * CHROMA + iv) * LUMA..][..LUMA];
        Square {
            columns: [column(iu, iv), column(iu, iv + 1), column(iu + 1, iv), column(iu + 1, iv + 1)],
            weights: [(1.0 - fu) * (1.0 - fv), (1.0 - fu) * fv, fu * (1.0 - fv), fu * fv],
        }
    }
}

/// The four columns of the table around a pair of chroma values.
struct Square<'a> {
    columns: [&'a [[f32; 3]]; 4],
    weights: [f32; 4],
}

impl Square<'_> {
    fn at(&self, luma: f32, component: usize) -> f32 {
        let y = luma * ((LUMA - 1) as f32 / 1023.0);
        let iy = (y as usize).min(LUMA - 2);
        let fy = y - iy as f32;
        self.columns.iter().zip(self.weights).fold(0.0, |sum, (column, weight)| {
            let (a, b) = (column[iy][component], column[iy + 1][component]);
            sum + weight * (a + (b - a) * fy)
        })
    }
}

/// A code of so many bytes, as one of 10 bits.
fn get<const BYTES: usize>(bytes: &[u8]) -> f32 {
    match BYTES {
        1 => f32::from(bytes[0]) * 4.0,
        _ => f32::from(u16::from_le_bytes([bytes[0], bytes[1]]).min(1023)),
    }
}

fn put<const BYTES: usize>(bytes: &mut [u8], code: f32) {
    match BYTES {
        1 => bytes[0] = ((code / 4.0 + 0.5) as u16).min(255) as u8,
        _ => bytes.copy_from_slice(&((code + 0.5) as u16).min(1023).to_le_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_nothing_gives_back_every_code() {
        let table = Table::new(|color| color);
        let before: Vec<u8> = (0..=255).collect();
        let (mut luma, mut u, mut v) = (before.clone(), vec![90_u8; 64], (100..164).collect::<Vec<u8>>());
        table.map_8_bits(16, (&mut luma, 16), [(&mut u, 8), (&mut v, 8)]);
        assert_eq!((luma, u, v), (before, vec![90; 64], (100..164).collect()));
        let codes: Vec<u8> = (0..64_u16).flat_map(|i| (i * 16).to_le_bytes()).collect();
        let (mut luma, mut u, mut v) = (codes.clone(), vec![1_u8; 32], vec![2_u8; 32]);
        table.map_10_bits(8, (&mut luma, 16), [(&mut u, 8), (&mut v, 8)]);
        assert_eq!((luma, u, v), (codes, vec![1; 32], vec![2; 32]));
    }
}
