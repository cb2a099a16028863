//! Films in segments: the packets of a stretch as they are kept between the job that encodes it and the one that joins all
//! of them, and how stretches must meet.
//!
//! A segment is two files: its packets one after the other as the muxer is to get them, and a list that says what each is. No
//! container, for the times of a container are rounded, and a joined film has those of one that was made as a whole.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufReader, Read, Write},
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Doing, Error, Result};

/// The part of films that an order is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Part {
    /// The pictures of a stretch: of each output its packets, and the list of them.
    Segment(Stretch),
    /// Each output out of its segments: the lists of them, in order, by its entry's name. Their packets lie beside them.
    /// Nothing but sound is encoded.
    Join(BTreeMap<String, Vec<PathBuf>>),
}

impl Part {
    /// The lists that films are joined of.
    pub fn lists(&self) -> impl Iterator<Item = &Path> {
        let films = match self {
            Part::Segment(_) => None,
            Part::Join(films) => Some(films),
        };
        films.into_iter().flat_map(BTreeMap::values).flatten().map(PathBuf::as_path)
    }
}

/// A stretch of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stretch {
    /// Frames from here on are its, in nanoseconds of the recording.
    pub from_ns: u64,
    /// Frames before this are its. Left out: all to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ns: Option<u64>,
}

/// Names of the files of a segment: the list and the packets. The first is the one to open.
pub fn files(entry: &str) -> [(String, &'static str); 2] {
    [(format!("{entry}.segment.json"), "application/json"), (packets_of(entry), "application/octet-stream")]
}

/// Where the packets of a list are.
pub(crate) fn packets_beside(list: &Path) -> PathBuf {
    let name = list.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    list.with_file_name(packets_of(name.strip_suffix(".segment.json").unwrap_or_default()))
}

fn packets_of(entry: &str) -> String {
    format!("{entry}.segment.packets")
}

/// Most bytes of one packet: more than any encoder makes of one frame, and less than hurts.
const LARGEST: u32 = 256 << 20;

/// One packet. Times are in nanoseconds of the recording; that of decoding may lie before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub(crate) struct Packet {
    pub(crate) bytes: u32,
    pub(crate) pts: i64,
    pub(crate) dts: i64,
    pub(crate) duration: Option<u64>,
    pub(crate) is_key: bool,
}

/// A packet as it is written: there are many.
type Row = (u32, i64, i64, Option<u64>, bool);

impl From<Row> for Packet {
    fn from((bytes, pts, dts, duration, is_key): Row) -> Self {
        Self { bytes, pts, dts, duration, is_key }
    }
}

impl From<Packet> for Row {
    fn from(p: Packet) -> Self {
        (p.bytes, p.pts, p.dts, p.duration, p.is_key)
    }
}

/// What the packets of a segment are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Segment {
    /// Their type, as GStreamer writes it.
    pub(crate) caps: String,
    /// The decoder's configuration (ISO/IEC 14496-15) as hexadecimal digits. None: it is among the packets, which are a
    /// stream of bytes.
    pub(crate) configuration: Option<String>,
    /// What encoded them.
    pub(crate) encoder: String,
    pub(crate) size: (u32, u32),
    /// Time of the last frame before the first one that is its.
    pub(crate) before: Option<i64>,
    /// Time of the first frame after the last one that is its.
    pub(crate) after: Option<i64>,
    pub(crate) packets: Vec<Packet>,
}

impl Segment {
    /// Reads a list.
    pub(crate) fn read(list: &Path) -> Result<Self> {
        let file = File::open(list).doing(|| format!("cannot read {}", list.display()))?;
        let segment: Self = serde_json::from_reader(BufReader::new(file))
            .map_err(|e| Error::corrupt("the list of a segment's packets cannot be read").because(e))?;
        match segment.packets.first() {
            None => Err(Error::corrupt("a segment has no packets")),
            Some(first) if !first.is_key => Err(Error::corrupt("a segment does not begin with a keyframe")),
            _ if segment.packets.iter().any(|p| p.bytes > LARGEST) => Err(Error::corrupt("a packet is too large")),
            _ => Ok(segment),
        }
    }

    /// Writes the list of an entry's segment.
    #[cfg(feature = "gst")]
    pub(crate) fn write(&self, out_dir: &Path, entry: &str) -> Result<()> {
        let [(list, _), _] = files(entry);
        let path = out_dir.join(list);
        let text = serde_json::to_vec(self).map_err(|e| Error::internal("cannot write a list").because(e))?;
        std::fs::write(&path, text).doing(|| format!("cannot write {}", path.display()))
    }

    /// Times of the first and of the last frame.
    pub(crate) fn span(&self) -> (i64, i64) {
        let times = || self.packets.iter().map(|p| p.pts);
        (times().min().unwrap_or(0), times().max().unwrap_or(0))
    }

    /// Writes the packets as a stream of bytes (H.264, H.265, Annex B), which a decoder takes that knows of no container.
    pub(crate) fn write_stream(&self, packets: Reader, to: &mut dyn Write) -> Result<()> {
        let broken = || Error::corrupt("a packet cannot be taken apart");
        let written = |e: std::io::Error| Error::unavailable("cannot write a segment's stream").because(e);
        let Some(configuration) = &self.configuration else {
            return packets.each(self, &mut |_, bytes| to.write_all(bytes).map_err(written));
        };
        let configuration = unhex(configuration).ok_or_else(broken)?;
        let sets = parameter_sets(&configuration).ok_or_else(broken)?;
        let mut unit = |bytes: &[u8]| to.write_all(&[0, 0, 0, 1]).and_then(|()| to.write_all(bytes)).map_err(written);
        sets.iter().try_for_each(|set| unit(set))?;
        packets.each(self, &mut |_, bytes| units(bytes).ok_or_else(broken)?.into_iter().try_for_each(&mut unit))
    }
}

/// Reads packets one after the other.
pub(crate) struct Reader(BufReader<File>);

impl Reader {
    /// Those of this list.
    pub(crate) fn beside(list: &Path) -> Result<Self> {
        let path = packets_beside(list);
        let file = File::open(&path).doing(|| format!("cannot read {}", path.display()))?;
        Ok(Self(BufReader::with_capacity(1 << 20, file)))
    }

    /// Hands over all packets of a segment. Errors: `Corrupt` when the file is shorter or longer than the list says, and
    /// what `take` returns.
    pub(crate) fn each(mut self, of: &Segment, take: &mut dyn FnMut(&Packet, &[u8]) -> Result<()>) -> Result<()> {
        let mut bytes = Vec::new();
        for packet in &of.packets {
            bytes.resize(packet.bytes as usize, 0);
            let read = self.0.read_exact(&mut bytes);
            read.map_err(|e| Error::corrupt("a segment's packets are not all there").because(e))?;
            take(packet, &bytes)?;
        }
        match self.0.read(&mut [0]) {
            Ok(0) => Ok(()),
            _ => Err(Error::corrupt("a segment has more packets than its list says")),
        }
    }
}

/// Whether these segments, in this order, are a film: of one type, each frame in one of them and none left out.
///
/// When a segment was made, the last frame before it and the first one after it were seen, too: what one takes for its
/// neighbor must be the neighbor's own.
pub(crate) fn meet(segments: &[Segment]) -> Result<()> {
    let refused = |at: usize, why: &str| {
        Err(Error::corrupt(format!("segments {} and {} do not meet: {why}", at + 1, at + 2))
            .hint("leave split_over out, so that this master is rendered as a whole"))
    };
    let is_open = |neighbor: Option<Option<i64>>| neighbor.is_none_or(|n| n.is_some());
    if is_open(segments.first().map(|s| s.before)) || is_open(segments.last().map(|s| s.after)) {
        return Err(Error::corrupt("the segments do not make a whole film"));
    }
    for (at, pair) in segments.windows(2).enumerate() {
        let [one, next] = pair else { continue };
        let (last, first) = (one.span().1, next.span().0);
        let is_of_one_type = one.caps == next.caps && one.size == next.size && one.configuration == next.configuration;
        match (one.after, next.before) {
            _ if !is_of_one_type => return refused(at, "they are coded differently"),
            (Some(after), _) if after != first => return refused(at, "a frame between them is not where it should be"),
            (_, Some(before)) if before != last => return refused(at, "a frame between them is missing"),
            (None, None) => return refused(at, "nothing is known of what is between them"),
            _ if last >= first => return refused(at, "they overlap"),
            _ => {}
        }
    }
    let mut decoded = segments.iter().flat_map(|s| &s.packets).map(|p| p.dts);
    match decoded.next().is_some_and(|first| decoded.try_fold(first, |last, dts| (dts > last).then_some(dts)).is_some())
    {
        true => Ok(()),
        false => Err(Error::corrupt("the packets of the segments are not in the order of their decoding")),
    }
}

#[cfg(feature = "gst")]
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pair = |p: &[u8]| u8::from_str_radix(std::str::from_utf8(p).ok()?, 16).ok();
    text.len().is_multiple_of(2).then(|| text.as_bytes().chunks(2).map(pair).collect()).flatten()
}

/// The units of a packet, each after its length in four bytes.
fn units(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut units = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (unit, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        units.push(unit);
        bytes = rest;
    }
    bytes.is_empty().then_some(units)
}

/// The parameter sets of a decoder's configuration: `avcC` (ISO/IEC 14496-15, 5.3.3.1), whose fifth byte begins with six
/// bits that are set, or `hvcC` (8.3.3.1), which has flags there that no profile of ours sets.
fn parameter_sets(configuration: &[u8]) -> Option<Vec<&[u8]>> {
    let mut at = 0_usize;
    let mut take = |count: usize| {
        let part = configuration.get(at..at.checked_add(count)?)?;
        at += count;
        Some(part)
    };
    let number = |bytes: &[u8]| bytes.iter().fold(0, |n, b| n << 8 | usize::from(*b));
    let mut sets = Vec::new();
    let head = take(5)?;
    // Lengths of units must be of four bytes, as both encoders have them.
    if head[4] & 0b1111_1100 == 0b1111_1100 {
        if head[4] != 0xff {
            return None;
        }
        for mask in [0x1f, 0xff] {
            for _ in 0..number(take(1)?) & mask {
                let length = number(take(2)?);
                sets.push(take(length)?);
            }
        }
        return Some(sets);
    }
    if take(17)?[16] & 3 != 3 {
        return None;
    }
    for _ in 0..number(take(1)?) {
        take(1)?;
        for _ in 0..number(take(2)?) {
            let length = number(take(2)?);
            sets.push(take(length)?);
        }
    }
    Some(sets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(before: Option<i64>, times: &[i64], after: Option<i64>) -> Segment {
        let packet =
            |(i, pts): (usize, &i64)| Packet { bytes: 1, pts: *pts, dts: *pts, duration: None, is_key: i == 0 };
        Segment {
            caps: "video/x-h264".to_owned(),
            configuration: None,
            encoder: "x264enc".to_owned(),
            size: (64, 64),
            before,
            after,
            packets: times.iter().enumerate().map(packet).collect(),
        }
    }

    #[test]
    fn segments_meet_where_each_saw_the_others_frames() {
        let told = |segments: &[Segment]| meet(segments).map_or_else(|e| e.one_line(), |()| "they meet".to_owned());
        let one = || segment(None, &[0, 40, 80], Some(120));
        assert_eq!(told(&[one(), segment(Some(80), &[120, 160], None)]), "they meet");
        assert_eq!(told(&[one(), segment(None, &[120, 160], None)]), "they meet");
        for (next, why) in [
            (segment(Some(80), &[160], None), "not where it should be"),
            (segment(Some(120), &[120], None), "is missing"),
            (segment(Some(80), &[80, 120], None), "not where it should be"),
            (Segment { size: (64, 32), ..segment(Some(80), &[120], None) }, "coded differently"),
        ] {
            assert!(told(&[one(), next]).contains(why), "{why}");
        }
        assert!(told(&[one()]).contains("whole film") && told(&[]).contains("whole film"));
        assert!(told(&[segment(Some(-40), &[0], None)]).contains("whole film"));
        let blind = [segment(None, &[0, 40], None), segment(None, &[80], None)];
        assert!(told(&blind).contains("nothing is known"));
        let mut late = segment(Some(80), &[120, 160], None);
        late.packets[0].dts = 70;
        assert!(told(&[one(), late]).contains("order of their decoding"));
    }

    #[test]
    fn a_packet_whose_lengths_lie_is_not_taken_apart() {
        assert_eq!(units(&[0, 0, 0, 2, 7, 8, 0, 0, 0, 1, 9]), Some(vec![&[7, 8][..], &[9]]));
        assert_eq!(units(&[0, 0, 0, 3, 7, 8]), None);
        assert_eq!(units(&[0, 0, 0]), None);
        assert_eq!(units(&[0xff; 9]), None);
        assert_eq!(parameter_sets(&[1, 100, 0, 30, 0xff, 0xe1, 0, 2, 7, 7, 1, 0, 1, 8]), Some(vec![&[7, 7][..], &[8]]));
        assert_eq!(parameter_sets(&[1, 100, 0, 30, 0xff, 0xe1, 0, 200, 7]), None);
        assert_eq!(parameter_sets(&[1; 22]), None);
        assert_eq!(unhex("0aff"), Some(vec![10, 255]));
        assert_eq!((unhex("0af"), unhex("0g")), (None, None));
    }
}
