//! A track of sound, decoded and put on the clock of the film.

use retake_libav::{FilmInfo, MediaError, PcmBlock, PcmOptions, PcmReader, time_to_ticks};
use retake_media::{Rational, Time};

/// Silence comes in pieces of so many samples of each channel.
const PIECE: i64 = 1 << 14;

/// Gives out sound without a hole from the start of the film on: where the source has none, before its first
/// sample and in gaps, it is silence of exactly that length. What lies outside of the part of the film that
/// is read is cut off, to the sample.
///
/// A sample of the source is never more than half a sample from its place, also where the film does not begin
/// at one.
pub(crate) struct PlacedSound {
    reader: PcmReader,
    start: Time,
    end: Time,
    rate: i32,
    channels: usize,
    /// The place of the next sample, from the start of the film; silence leads up to that if it is negative.
    next: i64,
    waiting: Option<Placed>,
    over: bool,
    /// The samples of silence in gaps behind the first sample of the source.
    silence: i64,
    began: bool,
}

struct Placed {
    place: i64,
    samples: Vec<f32>,
}

impl PlacedSound {
    /// Opens a track as this many samples a second and these channels, so many samples before the start of
    /// the film.
    pub(crate) fn open(
        film: &FilmInfo,
        track: u32,
        options: PcmOptions,
        lead: u32,
    ) -> Result<Self, MediaError> {
        let reader = PcmReader::open_at(film, track, options, film.start)?;
        let description = reader.description();
        let length = film.time_range().map_or(Time::POSITIVE_INFINITY, |range| range.duration);
        let end = if length.is_numeric() { film.start + length } else { Time::POSITIVE_INFINITY };
        Ok(Self {
            reader,
            start: film.start,
            end,
            rate: i32::try_from(description.sample_rate).unwrap_or(i32::MAX),
            channels: (description.channels as usize).max(1),
            next: -i64::from(lead),
            waiting: None,
            over: false,
            silence: 0,
            began: false,
        })
    }

    /// The time of the sample that comes next.
    pub(crate) fn time(&self) -> Time {
        self.start + Time::new(self.next, self.rate)
    }

    /// How many packets or pieces of the source were damaged so far.
    pub(crate) fn damaged(&self) -> u64 {
        self.reader.damaged()
    }

    /// The seconds of silence in gaps of the source, behind its first sample.
    pub(crate) fn silence(&self) -> f64 {
        Time::new(self.silence, self.rate).seconds()
    }

    /// Returns samples, one of each channel after the other, the first at [`time`](Self::time); `None` after
    /// the last. They are numbers.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<f32>>, MediaError> {
        loop {
            if let Some(Placed { place, .. }) = &self.waiting {
                let gap = place - self.next;
                if gap > 0 {
                    let count = gap.min(PIECE);
                    self.silence += if self.began { count } else { 0 };
                    self.next += count;
                    return Ok(Some(vec![0.0; count as usize * self.channels]));
                }
                let Some(Placed { mut samples, .. }) = self.waiting.take() else { continue };
                // stretches of sound may meet by a sample less, because each begins at a whole one
                let known = usize::try_from(-gap).unwrap_or(usize::MAX).saturating_mul(self.channels);
                samples.drain(..known.min(samples.len()));
                if samples.is_empty() {
                    continue;
                }
                self.began = true;
                self.next += (samples.len() / self.channels) as i64;
                return Ok(Some(samples));
            }
            if self.over {
                return Ok(None);
            }
            match self.reader.next()? {
                Some(block) if self.end <= block.pts => self.over = true,
                Some(block) => self.waiting = self.place(block),
                None => self.over = true,
            }
        }
    }

    fn place(&self, block: PcmBlock) -> Option<Placed> {
        let block = block.between(self.start, self.end)?;
        let place = time_to_ticks(block.pts - self.start, Rational::new(1, self.rate))?;
        let mut samples = block.samples.into_f32();
        for sample in &mut samples {
            // a damaged file may hold what is no number, and encoders refuse that
            if !sample.is_finite() {
                *sample = 0.0;
            }
        }
        Some(Placed { place, samples })
    }
}
