//! Reads compressed sound of several tracks, with exact times.

use crate::adts;
use crate::error::MediaError;
use crate::film::{FilmInfo, TrackKind, ticks_to_time, time_to_ticks};
use crate::input::Input;
use crate::note::Note;
use crate::source::{Lead, Source, SourcePacket};
use retake_media::{AudioFormat, Rational, Sample, SampleKind, Time};

/// Gives out the samples of several tracks of sound, as the container holds them, ordered by decode time.
///
/// Their times are on the clock of the film, and never go back. Where the container's clock is coarser than
/// the sound's (Matroska's milliseconds), they follow from the length of the samples, as far as the container
/// agrees. Of a film that was cut to a range, the first packet is the one that the beginning lies in.
pub struct SoundReader {
    source: Source,
    tracks: Vec<(AudioFormat, SoundClock)>,
    /// Whether the packets of a track have headers that are taken off.
    headers: Vec<bool>,
}

impl SoundReader {
    /// Opens tracks of sound, by their numbers in the film, at their first samples. A track of another file
    /// ([`FilmInfo::add_sound`]) is opened alone.
    ///
    /// # Errors
    /// Returns [`MediaError::NoDecoder`] for a track that is not sound; else fails like
    /// [`probe`](crate::probe()).
    pub fn open(info: &FilmInfo, tracks: &[u32]) -> Result<Self, MediaError> {
        if let [number] = *tracks
            && let Some((file, inside)) = info.file_beside(number)
        {
            return Self::open(&file, &[inside]);
        }
        let file = &info.path;
        let mut input = Input::open_again(info)?;
        let (mut wanted, mut clocks) = (Vec::new(), Vec::new());
        for &number in tracks {
            let sound = |track: &&crate::TrackInfo| track.index == number && track.kind == TrackKind::Audio;
            let no_sound =
                || MediaError::NoDecoder { file: file.clone(), codec: format!("track {number} as sound") };
            let track = info.tracks.iter().find(sound).ok_or_else(no_sound)?;
            let format = input.audio(number).ok_or_else(no_sound)?;
            clocks.push((format.clone(), SoundClock::new(track.time_base, format.sample_rate)));
            wanted.push(track.clone());
        }
        input.select(|index| tracks.contains(&index));
        let mut formats: Vec<_> =
            clocks.iter_mut().zip(tracks).map(|((format, _), track)| (*track, format)).collect();
        let headers = adts::find(&mut input, &mut formats);
        let headers = tracks.iter().map(|track| headers.contains(track)).collect();
        let mut source = Source::new(info, input, wanted, Lead::Overlapping);
        source.move_by(|track| time_to_ticks(info.moves(track), track.time_base).unwrap_or(0));
        Ok(Self { source, tracks: clocks, headers })
    }

    /// Returns the description of a track; `index` counts the tracks that were opened.
    ///
    /// # Panics
    /// Panics if there is no such track.
    pub fn format(&self, index: usize) -> &AudioFormat {
        &self.tracks[index].0
    }

    /// Returns what is told of the packets that were read so far: those whose times were repaired, and those
    /// that were left out.
    pub fn notes(&self) -> Vec<Note> {
        self.source.notes()
    }

    /// Returns the next sample, and the index of its track; `None` after the last.
    ///
    /// # Errors
    /// Returns [`MediaError::Read`].
    #[allow(clippy::should_implement_trait)] // an iterator would have to define the item after an error
    pub fn next(&mut self) -> Result<Option<(usize, Sample)>, MediaError> {
        let Some(SourcePacket { track, stamps, packet, .. }) = self.source.next(Time::POSITIVE_INFINITY)?
        else {
            return Ok(None);
        };
        let length = self.source.sound_samples(track, packet.data().len());
        let (time, duration) = self.tracks[track].1.place(stamps.dts, stamps.duration, length);
        let data = if self.headers[track] { adts::without_header(packet.data()) } else { packet.data() };
        let data = data.to_vec();
        Ok(Some((track, Sample { data, pts: time, dts: time, duration, kind: SampleKind::Sync })))
    }
}

/// Converts a container's times to those of the sound itself.
struct SoundClock {
    base: Rational,
    /// The seconds a sample of sound, if the container's clock is coarser.
    fine: Option<Rational>,
    /// Begin and end of the packet before, in samples of sound.
    before: Option<(i64, i64)>,
}

impl SoundClock {
    fn new(base: Rational, sample_rate: u32) -> Self {
        let fine = Rational::new(1, i32::try_from(sample_rate).unwrap_or(0));
        let coarser = i64::from(base.num) * i64::from(fine.den) > i64::from(base.den) && fine.is_positive();
        Self { base, fine: coarser.then_some(fine), before: None }
    }

    /// Returns time and duration of a packet of `length` samples, which is 0 where it is not known.
    fn place(&mut self, ticks: i64, duration: i64, length: i64) -> (Time, Time) {
        let long = |ticks: i64, base| if ticks > 0 { ticks_to_time(ticks, base) } else { Time::INVALID };
        let given = ticks_to_time(ticks, self.base);
        let Some(fine) = self.fine.filter(|_| length > 0) else {
            self.before = None;
            return (given, long(duration, self.base));
        };
        let samples = crate::time_to_ticks(given, fine).unwrap_or(0);
        // Times may be off by as much as rounding to the container's clock makes.
        let tick = crate::time_to_ticks(ticks_to_time(1, self.base), fine).unwrap_or(0);
        let place = match self.before {
            Some((_, end)) if end.abs_diff(samples) <= tick.unsigned_abs() => end,
            // A packet that was moved behind the one before it may lie where a damaged one says it is.
            Some((begin, _)) => samples.max(begin.saturating_add(1)),
            None => samples,
        };
        self.before = Some((place, place.saturating_add(length)));
        (ticks_to_time(place, fine), long(length, fine))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of 1024 samples at 48 kHz whose times were rounded to milliseconds come out at their exact
    /// places; a gap stays a gap.
    #[test]
    fn rounded_times_become_exact_again() {
        let mut clock = SoundClock::new(Rational::new(1, 1000), 48_000);
        for packet in 0..500 {
            let exact = packet * 1024;
            let rounded = (exact * 1000 + 24_000) / 48_000;
            let (time, duration) = clock.place(rounded, 21, 1024);
            assert_eq!((time, duration), (Time::new(exact, 48_000), Time::new(1024, 48_000)));
        }
        let (time, _) = clock.place(20_000, 21, 1024);
        assert_eq!(time, Time::new(20, 1));
    }

    /// Of a damaged film the times of two packets may be nearer to each other than either is long. No packet
    /// is put where another one is.
    #[test]
    fn no_two_packets_begin_at_once() {
        let mut clock = SoundClock::new(Rational::new(1, 1000), 24_000);
        let places = [0, 48, 48, 49, 95, 95, 200].map(|ticks| clock.place(ticks, 48, 1152).0);
        assert!(places.is_sorted_by(|one, next| one < next), "{places:?}");
        assert_eq!((places[1], places[6]), (Time::new(1152, 24_000), Time::new(200, 1000)));
    }

    #[test]
    fn a_clock_that_is_fine_enough_is_left_alone() {
        let mut clock = SoundClock::new(Rational::new(1, 48_000), 48_000);
        assert_eq!(clock.place(1000, 1024, 1024), (Time::new(1000, 48_000), Time::new(1024, 48_000)));
        assert_eq!(clock.place(2100, 1024, 1024).0, Time::new(2100, 48_000));
    }
}
