//! Text of other encodings as UTF-8, decoded while it is read.

use std::io::{self, Read};

use encoding_rs::{CoderResult, Decoder, Encoding};

/// Bytes that are read at a time.
const BLOCK: usize = 16 << 10;

/// A reader of what another one has, as UTF-8. A byte order mark of its encoding is left out; what its encoding does not
/// have is an error of the kind `InvalidData`.
pub(super) struct Decoded<R> {
    from: R,
    decoder: Decoder,
    read: Vec<u8>,
    is_end: bool,
    decoded: Vec<u8>,
    given: usize,
}

impl<R: Read> Decoded<R> {
    pub(super) fn new(from: R, encoding: &'static Encoding) -> Self {
        let decoder = encoding.new_decoder_with_bom_removal();
        Self { from, decoder, read: Vec::new(), is_end: false, decoded: Vec::new(), given: 0 }
    }

    fn more(&mut self) -> io::Result<()> {
        let mut block = [0; BLOCK];
        let n = self.from.read(&mut block)?;
        self.is_end = n == 0;
        self.read.extend_from_slice(&block[..n]);
        // Three bytes are the most that a byte of any encoding becomes; some may be left over from before.
        self.decoded.resize(self.read.len() * 3 + 16, 0);
        let (result, used, written, had_errors) =
            self.decoder.decode_to_utf8(&self.read, &mut self.decoded, self.is_end);
        if had_errors || result == CoderResult::OutputFull {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        self.read.drain(..used);
        self.decoded.truncate(written);
        self.given = 0;
        Ok(())
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.decoded.len() {
            if self.is_end {
                return Ok(0);
            }
            self.more()?;
        }
        let left = &self.decoded[self.given..];
        let n = left.len().min(into.len());
        into[..n].copy_from_slice(&left[..n]);
        self.given += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_another_encoding_is_read_as_utf_8_in_pieces_of_any_size() {
        let text = "ñandú 🦤\n".repeat(9000);
        let utf16: Vec<u8> = ('\u{feff}'.to_string() + &text).encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut out = String::new();
        Decoded::new(utf16.as_slice(), encoding_rs::UTF_16LE).read_to_string(&mut out).unwrap();
        assert_eq!(out, text);
        let lone = Decoded::new([0x00, 0xd8, 0x41, 0x00].as_slice(), encoding_rs::UTF_16LE).read_to_string(&mut out);
        assert_eq!(lone.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
