//! What a text means, as a direction: texts that mean the same point nearly the same way, whatever their words and language.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::digest::Digest;

/// Most numbers of a vector that is read.
const MOST: usize = 4096;

/// A direction: numbers of eight bits, and what to multiply them with so that their length is 1. Written as base64 of the
/// factor (a little-endian float of 32 bits) and a byte for each number.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector {
    scale: f32,
    values: Vec<i8>,
}

impl Vector {
    /// The direction of these numbers; none where they have no length, or one is none.
    pub fn of(numbers: &[f32]) -> Option<Self> {
        let length = numbers.iter().map(|n| n * n).sum::<f32>().sqrt();
        let largest = numbers.iter().fold(0.0_f32, |most, n| most.max(n.abs()));
        if !length.is_normal() || !largest.is_normal() || numbers.len() > MOST {
            return None;
        }
        let values = numbers.iter().map(|n| (n / largest * f32::from(i8::MAX)).round() as i8).collect();
        Some(Self { scale: largest / f32::from(i8::MAX) / length, values })
    }

    /// Of what [`bytes`](Self::bytes) has written.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (scale, values) = bytes.split_first_chunk()?;
        let scale = f32::from_le_bytes(*scale);
        let is_one = scale.is_normal() && !values.is_empty() && values.len() <= MOST;
        is_one.then(|| Self { scale, values: values.iter().map(|b| *b as i8).collect() })
    }

    /// As it is kept.
    pub fn bytes(&self) -> Vec<u8> {
        let values = self.values.iter().map(|v| *v as u8);
        self.scale.to_le_bytes().into_iter().chain(values).collect()
    }

    /// How many numbers it has.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether it has none, which no vector is.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The cosine of the angle between it and another, as that is kept: 1 for the same direction. Of one with other numbers it
    /// is -1.
    pub fn likeness(&self, kept: &[u8]) -> f32 {
        match kept.split_first_chunk() {
            Some((scale, values)) if values.len() == self.values.len() => {
                f32::from_le_bytes(*scale) * self.scale * product(&self.values, values) as f32
            }
            _ => -1.0,
        }
    }
}

/// The sum of products of signed bytes.
fn product(a: &[i8], b: &[u8]) -> i32 {
    a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b as i8)).sum()
}

impl Serialize for Vector {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(self.bytes()))
    }
}

impl<'de> Deserialize<'de> for Vector {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = STANDARD.decode(text).map_err(D::Error::custom)?;
        Self::read(&bytes).ok_or_else(|| D::Error::custom("it is no vector"))
    }
}

/// What the passages of a master mean.
#[derive(Clone, Debug, PartialEq)]
pub struct MeaningOf {
    /// The master.
    pub master: Digest,
    /// The model, and how it was asked: only vectors of one recipe can be compared.
    pub recipe: Digest,
    /// Of which words.
    pub words: Digest,
    /// A vector for each passage.
    pub vectors: Vec<Vector>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likeness_is_the_cosine_within_what_eight_bits_lose() {
        let numbers = |seed: u32| -> Vec<f32> {
            (0..384)
                .scan(seed, |s, _| {
                    *s = s.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    Some((*s >> 8) as f32 / (1 << 23) as f32 - 1.0)
                })
                .collect()
        };
        let (a, b) = (numbers(1), numbers(2));
        let b: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a * 3.0 + b).collect();
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let cosine = dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt();
        let (a, b) = (Vector::of(&a).unwrap(), Vector::of(&b).unwrap());
        assert!((a.likeness(&b.bytes()) - cosine).abs() < 2e-3, "{} {cosine}", a.likeness(&b.bytes()));
        assert!((a.likeness(&a.bytes()) - 1.0).abs() < 2e-3);
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let vector = Vector::of(&[0.5, -1.0, 0.0]).unwrap();
        let json = serde_json::to_string(&vector).unwrap();
        assert_eq!(serde_json::from_str::<Vector>(&json).unwrap(), vector);
        assert!(
            Vector::of(&[0.0, 0.0]).is_none() && Vector::of(&[1.0, f32::NAN]).is_none() && Vector::of(&[]).is_none()
        );
        for wrong in ["\"\"", "\"AAAA\"", "\"AAAAAAE=\"", "\"no base64\""] {
            assert!(serde_json::from_str::<Vector>(wrong).is_err(), "{wrong}");
        }
        assert_eq!(vector.likeness(&Vector::of(&[1.0]).unwrap().bytes()), -1.0);
    }
}
