//! Subtitles that are made of pictures, and when each is shown.
//!
//! When a picture goes is often known from a later packet alone, and what a packet shows may depend on many
//! before it. So the track is decoded once from its start, and what is shown is kept as runs of equal
//! samples, as such tracks have it themselves, so that every frame of the film is drawn alike wherever
//! reading begins. An index of packets, which would be smaller, would have each reader of a range seek and
//! decode in the track beside the film, and believe of each seek that it led to the same picture.

use super::FilterError;
use crate::bitmaps::{Bitmap, BitmapDecoder, BitmapSet};
use crate::error::MediaError;
use crate::film::{FilmInfo, TrackInfo, time_to_ticks};
use crate::input::Input;
use crate::source::{Lead, Source};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use retake_media::{Rational, Time};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// So many bytes of runs are no subtitles of one film.
const MOST: usize = 64 << 20;
/// So many pictures and colours are none either.
const MOST_PICTURES: usize = 1 << 16;
const MOST_COLOURS: usize = 1 << 21;
/// What has no end, and nothing behind it, is shown so long, in seconds.
const LAST: i64 = 5;
/// A canvas of DVB that is not described (ETSI EN 300 743, 7.2.1).
const DVB: (u32, u32) = (720, 576);

/// The pictures of a track.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PictureCues {
    /// The seconds of a tick of their times.
    base: Rational,
    /// In the order of their times, which do not overlap.
    cues: Vec<PictureCue>,
    /// The runs of all pictures, one after the other.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    runs: Vec<u8>,
}

/// What is shown for a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PictureCue {
    /// On the clock of the graph, in ticks; half open.
    from: i64,
    until: i64,
    /// The size that places are meant on.
    pub(super) canvas: (u32, u32),
    pictures: Vec<Packed>,
}

/// A picture by its runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Packed {
    x: i32,
    y: i32,
    width: u32,
    height: u32,
    /// The colours up to the last one that is used.
    palette: Vec<u32>,
    /// Where its runs are.
    start: usize,
    end: usize,
}

/// What was read of a track.
pub(super) struct ReadCues {
    pub(super) cues: PictureCues,
    /// The packets that could not be decoded, or not wholly.
    pub(super) damaged: u64,
}

/// Reads a track of pictures, with times that count from `origin` on the clock of the film.
pub(super) fn read(film: &FilmInfo, track: &TrackInfo, origin: Time) -> Result<ReadCues, MediaError> {
    let file = film.path.clone();
    let refuse = |detail: String| {
        let source = FilterError::Texts { detail };
        MediaError::Filter { file: file.clone(), source }
    };
    // What is shown at the beginning of a part may have appeared before it.
    let whole = FilmInfo { window: None, ..film.clone() };
    let input = Input::open_again(&whole)?;
    let decoder = BitmapDecoder::open(&input, track.index);
    let mut decoder = decoder.map_err(|failure| refuse(failure.message().to_owned()))?;
    let mut source = Source::new(&whole, input, vec![track.clone()], Lead::Nothing);
    let base = track.time_base;
    let ticks = |time: Time| time_to_ticks(time, base).unwrap_or(0);
    let origin = ticks(origin);
    let mut cues = PictureCues { base, cues: Vec::new(), runs: Vec::new() };
    let usual = match track.codec.as_str() {
        "dvb_subtitle" => DVB,
        _ => (film.unfiltered().width, film.unfiltered().height),
    };
    let (mut damaged, mut colours) = (0, 0_usize);
    while let Some(taken) = source.next(Time::POSITIVE_INFINITY)? {
        let before = decoder.complaints();
        let decoded = decoder.decode(&taken.packet);
        damaged += u64::from(decoded.is_err() || decoder.complaints() > before);
        // What cannot be read of a damaged packet is left out, and the rest of the film is worth more.
        let Ok(Some(set)) = decoded else { continue };
        let moved = taken.stamps.pts - taken.packet.pts().unwrap_or(taken.stamps.pts);
        let BitmapSet { micros, begins, ends, canvas, bitmaps } = set;
        let shown = micros.map_or(taken.stamps.pts - moved, |micros| ticks(Time::new(micros, 1_000_000)));
        let at = |millis: i64| {
            let shown = shown.saturating_add(ticks(Time::new(millis, 1000)));
            shown.saturating_add(moved).saturating_sub(origin)
        };
        cues.show(at(begins), ends.map(at), canvas.unwrap_or(usual), &bitmaps);
        colours += cues.cues.last().map_or(0, |cue| cue.pictures.iter().map(|it| it.palette.len()).sum());
        if cues.runs.len() > MOST || cues.cues.len() > MOST_PICTURES || colours > MOST_COLOURS {
            return Err(refuse("there are more than 64 MiB of pictures".into()));
        }
    }
    cues.finish(ticks(Time::new(LAST, 1)));
    Ok(ReadCues { cues, damaged })
}

/// The end of what stays until something else is shown.
const OPEN: i64 = i64::MAX;

impl PictureCues {
    /// Takes what is shown from a time on, in place of all that was.
    fn show(&mut self, from: i64, until: Option<i64>, canvas: (u32, u32), bitmaps: &[Bitmap]) {
        // One that goes back in time takes the place of all that begins later.
        while self.cues.last().is_some_and(|last| last.from >= from) {
            self.cues.pop();
        }
        if let Some(last) = self.cues.last_mut() {
            last.until = last.until.min(from);
        }
        let pictures: Vec<Packed> =
            bitmaps.iter().filter_map(|bitmap| pack(bitmap, &mut self.runs)).collect();
        if !pictures.is_empty() {
            self.cues.push(PictureCue { from, until: until.unwrap_or(OPEN), canvas, pictures });
        }
    }

    /// Ends what has no end, and forgets what is over before the film begins.
    fn finish(&mut self, last: i64) {
        for cue in self.cues.iter_mut().filter(|cue| cue.until == OPEN) {
            cue.until = cue.from.saturating_add(last);
        }
        self.cues.retain(|cue| cue.until > 0 && cue.until > cue.from);
    }

    /// Returns the bytes that they take.
    pub(super) fn bytes(&self) -> u64 {
        let pictures = self.cues.iter().flat_map(|cue| &cue.pictures);
        let described = pictures.map(|packed| size_of::<Packed>() + 4 * packed.palette.len());
        (self.runs.len() + described.sum::<usize>() + self.cues.len() * size_of::<PictureCue>()) as u64
    }

    /// Returns how many pictures there are.
    pub(super) fn len(&self) -> usize {
        self.cues.len()
    }

    /// Returns the number of what is shown at a time on the clock of the graph, in ticks of `base`.
    pub(super) fn at(&self, time: i64, base: Rational) -> Option<usize> {
        // Compared as fractions, because the two clocks have other ticks.
        let scaled = |ticks: i64, of: Rational, other: Rational| {
            i128::from(ticks) * i128::from(of.num) * i128::from(other.den)
        };
        let time = scaled(time, base, self.base);
        let own = |ticks: i64| scaled(ticks, self.base, base);
        let behind = self.cues.partition_point(|cue| own(cue.from) <= time);
        let number = behind.checked_sub(1)?;
        (time < own(self.cues[number].until)).then_some(number)
    }

    /// Returns one of them.
    pub(super) fn cue(&self, number: usize) -> &PictureCue {
        &self.cues[number]
    }

    /// Unpacks the pictures of one of them; what is damaged of it is left out.
    pub(super) fn bitmaps(&self, number: usize) -> impl Iterator<Item = Bitmap> {
        self.cues[number].pictures.iter().filter_map(|packed| {
            let runs = self.runs.get(packed.start..packed.end)?;
            unpack(packed, runs)
        })
    }
}

/// Packs a picture behind the runs of others; `None` if nothing of it can be seen.
fn pack(bitmap: &Bitmap, runs: &mut Vec<u8>) -> Option<Packed> {
    let seen = bitmap.indices.iter().any(|&index| bitmap.palette[usize::from(index)] >> 24 != 0);
    let highest = usize::from(bitmap.indices.iter().copied().max()?);
    if !seen {
        return None;
    }
    let start = runs.len();
    for run in bitmap.indices.chunk_by(|a, b| a == b) {
        let (index, mut length) = (run[0], run.len());
        // A few samples are shorter as they are; a zero announces a run.
        if index != 0 && length < 3 {
            runs.extend_from_slice(run);
            continue;
        }
        runs.push(0);
        while length >= 0x80 {
            runs.push(length as u8 | 0x80);
            length >>= 7;
        }
        runs.extend([length as u8, index]);
    }
    let Bitmap { x, y, width, height, palette, .. } = bitmap;
    let (x, y, width, height) = (*x, *y, *width, *height);
    Some(Packed { x, y, width, height, palette: palette[..=highest].to_vec(), start, end: runs.len() })
}

fn unpack(packed: &Packed, runs: &[u8]) -> Option<Bitmap> {
    // The sizes are those of a decoder, or come with a job from another process.
    let samples = (packed.width as usize).checked_mul(packed.height as usize)?;
    let samples = Some(samples).filter(|&samples| samples <= 1 << 26)?;
    let mut indices = Vec::new();
    let mut bytes = runs.iter().copied();
    while let Some(byte) = bytes.next() {
        let (mut length, mut index) = (1_usize, byte);
        if byte == 0 {
            length = 0;
            for shift in (0..28).step_by(7) {
                let next = bytes.next()?;
                length |= usize::from(next & 0x7F) << shift;
                if next & 0x80 == 0 {
                    break;
                }
            }
            index = bytes.next()?;
        }
        if length > samples - indices.len() {
            return None;
        }
        indices.resize(indices.len() + length, index);
    }
    let mut palette = [0; 256];
    palette.iter_mut().zip(&packed.palette).for_each(|(to, from)| *to = *from);
    let Packed { x, y, width, height, .. } = *packed;
    (indices.len() == samples).then_some(Bitmap { x, y, width, height, indices, palette })
}

fn to_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bitmap(width: u32, indices: Vec<u8>) -> Bitmap {
        let mut palette = [0; 256];
        (1..256).for_each(|index| palette[index] = 0xFF00_0000 | index as u32);
        let height = indices.len() as u32 / width;
        Bitmap { x: -3, y: 7, width, height, indices, palette }
    }

    proptest! {
        /// What was packed comes out again, in whatever runs it has.
        #[test]
        fn runs_are_the_picture(parts in prop::collection::vec((0u8..4, 1usize..400), 1..40)) {
            let indices: Vec<u8> = parts.iter().flat_map(|&(index, length)| vec![index; length]).collect();
            let whole = bitmap(1, indices);
            let mut runs = vec![9; 5];
            if let Some(packed) = pack(&whole, &mut runs) {
                let found = unpack(&packed, &runs[packed.start..packed.end]).unwrap();
                prop_assert_eq!(&found.indices, &whole.indices);
                let cut = &runs[packed.start..packed.end - 1];
                prop_assert!(unpack(&packed, cut).is_none_or(|found| found == whole));
            } else {
                prop_assert!(whole.indices.iter().all(|&index| index == 0));
            }
        }

        /// Runs of another picture are no panic and no more samples than the picture has.
        #[test]
        fn foreign_runs_are_no_panic(runs in prop::collection::vec(any::<u8>(), 0..64), width in 0u32..99999) {
            let packed = Packed { x: 0, y: 0, width, height: 9, palette: Vec::new(), start: 0, end: 0 };
            if let Some(found) = unpack(&packed, &runs) {
                prop_assert_eq!(found.indices.len(), width as usize * 9);
            }
        }
    }

    /// A picture is shown until its own end, the next picture, or an empty one; times on another clock are
    /// compared exactly.
    #[test]
    fn what_is_shown_ends_with_what_follows() {
        let mut cues = PictureCues { base: Rational::new(1, 1000), cues: Vec::new(), runs: Vec::new() };
        let one = [bitmap(2, vec![1; 4])];
        cues.show(-500, None, (720, 576), &one);
        cues.show(-100, None, (720, 576), &[]);
        cues.show(1000, Some(9000), (720, 576), &one);
        cues.show(2000, Some(2500), (720, 576), &one);
        cues.show(4000, None, (720, 576), &one);
        cues.finish(5000);
        let frame = |number: i64| cues.at(number, Rational::new(1, 24));
        let shown: Vec<Option<usize>> = [23, 24, 47, 48, 59, 60, 95, 96, 215, 216].map(frame).into();
        let expected = [None, Some(0), Some(0), Some(1), Some(1), None, None, Some(2), Some(2), None];
        assert_eq!(shown, expected);
        let written = serde_json::to_string(&cues).unwrap();
        assert_eq!(serde_json::from_str::<PictureCues>(&written).unwrap(), cues);
    }
}
