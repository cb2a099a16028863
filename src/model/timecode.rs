//! Counting frames as labels, by SMPTE ST 12-1: `HH:MM:SS:FF`, with `;` before the frames where numbers are dropped.

use super::Timecode;

/// How labels are given to frames at one rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counting {
    /// Frames a second, numerator and denominator.
    rate: (u32, u32),
    /// Labels a second.
    nominal: u64,
    /// Labels that are left out at the beginning of each minute but every tenth; 0 where none are.
    dropped: u64,
}

impl Counting {
    /// Counting at a rate of frames; labels are dropped only at the rates that have a rule for it (29.97 and 59.94). None
    /// for a rate that is no film's.
    pub fn new(rate: (u32, u32), drop_frame: bool) -> Option<Self> {
        let (n, d) = (u64::from(rate.0), u64::from(rate.1));
        let nominal = (n + d / 2).checked_div(d)?;
        if !(1..=240).contains(&nominal) {
            return None;
        }
        let drops = drop_frame && d == 1001 && nominal.is_multiple_of(30);
        Some(Self { rate, nominal, dropped: if drops { nominal / 15 } else { 0 } })
    }

    /// The frame that is shown at a time after the first one.
    pub fn frame_at(&self, ms: u64) -> u64 {
        // A time that was cut to whole milliseconds means the last frame that begins within that millisecond or before.
        let (n, d) = (u128::from(self.rate.0), u128::from(self.rate.1) * 1000);
        u64::try_from(((u128::from(ms) + 1) * n).div_ceil(d).saturating_sub(1)).unwrap_or(u64::MAX)
    }

    /// The label of a frame, counted from midnight. A day has an end: labels begin anew after it.
    pub fn label(&self, frame: u64) -> String {
        let per_ten = self.nominal * 600 - 9 * self.dropped;
        let per_minute = self.nominal * 60 - self.dropped;
        let frame = frame % (per_ten * 144);
        let (tens, rest) = (frame / per_ten, frame % per_ten);
        let skipped = match rest.checked_sub(self.nominal * 60) {
            Some(after) if self.dropped > 0 => self.dropped * (1 + after / per_minute),
            _ => 0,
        };
        let n = frame + 9 * self.dropped * tens + skipped;
        let (frames, seconds) = (n % self.nominal, n / self.nominal);
        let mark = if self.dropped > 0 { ';' } else { ':' };
        format!("{:02}:{:02}:{:02}{mark}{frames:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }

    /// The frame that has this label, counted from midnight; none for a text that is no label at this rate.
    pub fn frame(&self, label: &str) -> Option<u64> {
        let mut parts = label.trim().split([':', ';', '.']).map(|part| part.parse::<u64>().ok());
        let mut next = || parts.next().flatten();
        let (hours, minutes, seconds, frames) = (next()?, next()?, next()?, next()?);
        if hours > 23 || minutes > 59 || seconds > 59 || frames >= self.nominal {
            return None;
        }
        let whole = hours * 60 + minutes;
        let counted = (whole * 60 + seconds) * self.nominal + frames;
        counted.checked_sub(self.dropped * (whole - whole / 10))
    }
}

impl Timecode {
    /// The timecode at a time after the beginning of the recording that has this one as its first.
    pub fn after(&self, rate: (u32, u32), ms: u64) -> Option<String> {
        let counting = Counting::new(rate, self.drop_frame)?;
        Some(counting.label(counting.frame(&self.value)? + counting.frame_at(ms)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropped_labels_keep_up_with_the_clock() {
        let ntsc = Counting::new((30_000, 1001), true).unwrap();
        // The examples of SMPTE ST 12-1: numbers 0 and 1 are left out at the minute, not at the tenth.
        assert_eq!(ntsc.label(1799), "00:00:59;29");
        assert_eq!(ntsc.label(1800), "00:01:00;02");
        assert_eq!(ntsc.label(17_982), "00:10:00;00");
        assert_eq!(ntsc.label(107_892), "01:00:00;00");
        let fast = Counting::new((60_000, 1001), true).unwrap();
        assert_eq!(fast.label(3600), "00:01:00;04");
        for frame in [0, 1, 1799, 1800, 17_981, 17_982, 107_891, 2_589_407] {
            assert_eq!(ntsc.frame(&ntsc.label(frame)), Some(frame));
            assert_eq!(fast.frame(&fast.label(frame)), Some(frame));
        }
    }

    #[test]
    fn a_moment_has_the_timecode_of_its_frame() {
        let first = Timecode { value: "09:59:58:12".into(), drop_frame: false, source: "stream".into() };
        assert_eq!(first.after((25, 1), 520).unwrap(), "09:59:59:00");
        assert_eq!(first.after((25, 1), 1_519).unwrap(), "09:59:59:24");
        assert_eq!(first.after((25, 1), 1_520).unwrap(), "10:00:00:00");
        // The second frame of 29.97 begins at 33.37 ms.
        let ntsc = Counting::new((30_000, 1001), false).unwrap();
        assert_eq!((ntsc.frame_at(32), ntsc.frame_at(33), ntsc.frame_at(0)), (0, 1, 0));
        assert_eq!(first.after((0, 1), 0), None);
        // Past midnight.
        let late = Timecode { value: "23:59:59:24".into(), ..first };
        assert_eq!(late.after((25, 1), 40).unwrap(), "00:00:00:00");
    }
}
