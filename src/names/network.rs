//! The layers of spaCy's networks: products with a matrix, maxout, layer norm.

use super::pack::Array;

/// Outputs that are computed side by side, and inputs that share what was read of the matrix.
const LANES: usize = 16;
const ROWS: usize = 4;

/// A product with a matrix, and a bias.
pub(super) struct Dense {
    /// A block of [`LANES`] outputs after the other; in a block, an input after the other.
    weights: Vec<[f32; LANES]>,
    bias: Vec<[f32; LANES]>,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
}

impl Dense {
    /// Of a matrix whose last size is the inputs, all others being outputs; without a bias it is zero. None where the
    /// bias is not of the outputs' size.
    pub(super) fn new(matrix: &Array, bias: Option<&Array>) -> Option<Self> {
        let inputs = *matrix.shape.last()?;
        let outputs = matrix.data.len() / inputs;
        if bias.is_some_and(|b| b.data.len() != outputs) {
            return None;
        }
        let blocks = outputs.div_ceil(LANES);
        let mut all =
            Self { weights: vec![[0.0; LANES]; blocks * inputs], bias: vec![[0.0; LANES]; blocks], inputs, outputs };
        for (output, row) in matrix.data.chunks_exact(inputs).enumerate() {
            let (block, lane) = (output / LANES, output % LANES);
            for (input, weight) in row.iter().enumerate() {
                all.weights[block * inputs + input][lane] = *weight;
            }
        }
        for (output, value) in bias.iter().flat_map(|b| &b.data).enumerate() {
            all.bias[output / LANES][output % LANES] = *value;
        }
        Some(all)
    }

    /// The outputs of `count` inputs, one row after the other. An input begins `step` numbers behind the one before it, so
    /// that they may overlap.
    pub(super) fn run(&self, x: &[f32], step: usize, count: usize) -> Vec<f32> {
        let mut out = vec![0.0; count * self.outputs];
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has just been found to have what this is compiled for.
            unsafe { self.run_on_avx2(x, step, count, &mut out) };
            return out;
        }
        self.run_on::<false>(x, step, count, &mut out);
        out
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn run_on_avx2(&self, x: &[f32], step: usize, count: usize, out: &mut [f32]) {
        self.run_on::<true>(x, step, count, out);
    }

    #[inline(always)]
    fn run_on<const FUSED: bool>(&self, x: &[f32], step: usize, count: usize, out: &mut [f32]) {
        for (block, (weights, bias)) in self.weights.chunks_exact(self.inputs).zip(&self.bias).enumerate() {
            let mut row = 0;
            while row < count {
                if row + ROWS <= count {
                    let rows: [&[f32]; ROWS] = std::array::from_fn(|r| &x[(row + r) * step..][..self.inputs]);
                    self.put(out, block, row, product::<FUSED, ROWS>(weights, bias, rows));
                    row += ROWS;
                } else {
                    let rows = [&x[row * step..][..self.inputs]];
                    self.put(out, block, row, product::<FUSED, 1>(weights, bias, rows));
                    row += 1;
                }
            }
        }
    }

    #[inline(always)]
    fn put<const N: usize>(&self, out: &mut [f32], block: usize, row: usize, sums: [[f32; LANES]; N]) {
        let width = LANES.min(self.outputs - block * LANES);
        for (n, sums) in sums.iter().enumerate() {
            out[(row + n) * self.outputs + block * LANES..][..width].copy_from_slice(&sums[..width]);
        }
    }
}

#[inline(always)]
fn product<const FUSED: bool, const N: usize>(
    weights: &[[f32; LANES]],
    bias: &[f32; LANES],
    rows: [&[f32]; N],
) -> [[f32; LANES]; N] {
    let mut sums = [*bias; N];
    for (input, weights) in weights.iter().enumerate() {
        for (sums, row) in sums.iter_mut().zip(&rows) {
            let x = row[input];
            for (sum, weight) in sums.iter_mut().zip(weights) {
                // Without the instruction a fused product is a call of a function.
                *sum = if FUSED { x.mul_add(*weight, *sum) } else { x * weight + *sum };
            }
        }
    }
    sums
}

/// The greatest of several products, with a layer norm.
pub(super) struct Maxout {
    dense: Dense,
    pieces: usize,
    gain: Vec<f32>,
    shift: Vec<f32>,
}

impl Maxout {
    /// Of a matrix of `[outputs, pieces, inputs]`, its bias, and the norm's gain and shift. None where their sizes do
    /// not belong together.
    pub(super) fn new(matrix: &Array, bias: &Array, gain: Array, shift: Array) -> Option<Self> {
        let [outputs, pieces, _] = matrix.shape[..] else { return None };
        let dense = Dense::new(matrix, Some(bias))?;
        (gain.data.len() == outputs && shift.data.len() == outputs).then_some(Self {
            dense,
            pieces,
            gain: gain.data,
            shift: shift.data,
        })
    }

    pub(super) fn inputs(&self) -> usize {
        self.dense.inputs
    }

    pub(super) fn outputs(&self) -> usize {
        self.gain.len()
    }

    /// As [`Dense::run`].
    pub(super) fn run(&self, x: &[f32], step: usize, count: usize) -> Vec<f32> {
        const EPSILON: f32 = 1e-8;
        let all = self.dense.run(x, step, count);
        let greatest = |pieces: &[f32]| pieces.iter().copied().fold(f32::MIN, f32::max);
        let mut out: Vec<f32> = all.chunks_exact(self.pieces).map(greatest).collect();
        for row in out.chunks_exact_mut(self.outputs()) {
            let n = row.len() as f32;
            let mean = row.iter().sum::<f32>() / n;
            let variance = row.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / n;
            let scale = 1.0 / (variance + EPSILON).sqrt();
            for (v, (gain, shift)) in row.iter_mut().zip(self.gain.iter().zip(&self.shift)) {
                *v = (*v - mean) * scale * gain + shift;
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(shape: &[usize]) -> Array {
        let count = shape.iter().product::<usize>();
        Array { shape: shape.to_vec(), data: (0..count).map(|n| (n * 7 % 13) as f32 / 4.0 - 1.5).collect() }
    }

    #[test]
    fn products_are_those_of_the_plain_sum_whatever_the_processor() {
        let (matrix, bias, x) = (array(&[19, 2, 5]), array(&[19, 2]), array(&[40]));
        let dense = Dense::new(&matrix, Some(&bias)).unwrap();
        // Overlapping inputs, as the windows of the network are.
        let (step, count) = (3, 11);
        let plain: Vec<f32> = (0..count)
            .flat_map(|n| {
                let x = &x.data[n * step..][..5];
                let dot = |row: &[f32]| row.iter().zip(x).map(|(a, b)| a * b).sum::<f32>();
                matrix.data.chunks(5).zip(&bias.data).map(move |(row, b)| dot(row) + b).collect::<Vec<_>>()
            })
            .collect();
        let mut portable = vec![0.0; count * 38];
        dense.run_on::<false>(&x.data, step, count, &mut portable);
        for got in [dense.run(&x.data, step, count), portable] {
            assert!(got.iter().zip(&plain).all(|(a, b)| (a - b).abs() < 1e-4), "{got:?}\n{plain:?}");
            assert_eq!(got.len(), plain.len());
        }
        assert!(Dense::new(&matrix, Some(&array(&[5]))).is_none());
    }

    #[test]
    fn a_layer_norm_leaves_no_mean_and_a_variance_of_one() {
        let ones = Array { shape: vec![6], data: vec![1.0; 6] };
        let zeros = Array { shape: vec![6], data: vec![0.0; 6] };
        let layer = Maxout::new(&array(&[6, 3, 4]), &array(&[6, 3]), ones, zeros).unwrap();
        assert_eq!((layer.inputs(), layer.outputs()), (4, 6));
        let out = layer.run(&[0.5, -1.0, 2.0, 0.25], 4, 1);
        let mean = out.iter().sum::<f32>() / 6.0;
        let variance = out.iter().map(|v| v * v).sum::<f32>() / 6.0;
        assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-4, "{out:?}");
    }
}
