use crate::error::{Mistake, UsageError};
use retake_libav::{FilmInfo, FrameReader, MediaError, ReaderOptions, TrackFormat, TrackReader, probe};
use retake_media::{PixelBuffer, Sample, Time, TimeRange};
use std::path::Path;

/// Reads a film: its pictures, or the samples of a track as they are stored.
#[doc(alias = "AVAssetReader")]
#[derive(Debug)]
pub struct AssetReader {
    film: FilmInfo,
}

impl AssetReader {
    /// Looks at a film.
    ///
    /// # Errors
    /// Those of [`probe`].
    pub fn open(file: &Path) -> Result<Self, MediaError> {
        Ok(Self { film: probe(file)? })
    }

    /// What the film is made of.
    pub fn film(&self) -> &FilmInfo {
        &self.film
    }

    /// What a track is made of: the format of an input that its samples are passed through to.
    ///
    /// # Errors
    /// [`MediaError::NoDecoder`] for a track that is neither video nor sound, or of an unknown codec.
    #[doc(alias = "formatDescriptions")]
    pub fn track_format(&self, track: u32) -> Result<TrackFormat, MediaError> {
        Ok(TrackReader::open(&self.film, track)?.format().clone())
    }

    /// An output of the video's pictures, decoded.
    #[doc(alias = "AVAssetReaderTrackOutput")]
    pub fn pictures(&self, options: ReaderOptions) -> ReaderOutput<Pictures> {
        ReaderOutput::new(Pictures { film: self.film.clone(), options, reader: None })
    }

    /// An output of the samples of a track, by its number in the file, as they are stored.
    pub fn samples(&self, track: u32) -> ReaderOutput<Samples> {
        ReaderOutput::new(Samples { film: self.film.clone(), track, reader: None })
    }
}

/// What an output reads from: something that can begin again.
pub trait OutputSource {
    /// What comes out.
    type Item;

    /// The next one, from the start after [`rewind`](Self::rewind) and at first; `None` after the last.
    ///
    /// # Errors
    /// Those of the readers of `retake-libav`.
    fn next(&mut self) -> Result<Option<Self::Item>, MediaError>;

    /// Begins again.
    fn rewind(&mut self);

    /// When it is shown.
    fn time(item: &Self::Item) -> Time;
}

/// One picture and its time.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The picture.
    pub picture: PixelBuffer,
    /// When it is shown.
    pub pts: Time,
    /// How long; [`Time::INVALID`] where the source does not say.
    pub duration: Time,
}

/// Decodes pictures.
pub struct Pictures {
    film: FilmInfo,
    options: ReaderOptions,
    reader: Option<FrameReader>,
}

impl OutputSource for Pictures {
    type Item = Picture;

    fn next(&mut self) -> Result<Option<Picture>, MediaError> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => none.insert(FrameReader::open(&self.film, self.options)?),
        };
        let video = &self.film.video;
        Ok(reader.next()?.map(|frame| Picture {
            pts: video.time(frame.pts),
            duration: if frame.duration > 0 { video.time(frame.duration) } else { Time::INVALID },
            picture: frame.picture,
        }))
    }

    fn rewind(&mut self) {
        self.reader = None;
    }

    fn time(item: &Picture) -> Time {
        item.pts
    }
}

/// Reads samples.
pub struct Samples {
    film: FilmInfo,
    track: u32,
    reader: Option<TrackReader>,
}

impl OutputSource for Samples {
    type Item = Sample;

    fn next(&mut self) -> Result<Option<Sample>, MediaError> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => none.insert(TrackReader::open(&self.film, self.track)?),
        };
        reader.next()
    }

    fn rewind(&mut self) {
        self.reader = None;
    }

    fn time(item: &Sample) -> Time {
        item.pts
    }
}

/// Where an output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    Reading,
    /// All of this configuration was read.
    Exhausted,
    /// There is no other configuration.
    Final,
    Failed,
}

/// Gives out what one track holds, from the start to the end; with random access, then again what is asked for, as the passes of a writer's
/// input need it: read until `None`, end the pass, [`reset_for_reading`](Self::reset_for_reading) with the ranges of the next.
///
/// Ranges are read from the start of the film, and what is outside is left out: that is exact with every film, which seeking is not.
#[doc(alias = "AVAssetReaderOutput")]
pub struct ReaderOutput<S> {
    source: S,
    random_access: bool,
    state: State,
    /// All there is, until something else is asked for.
    ranges: Option<Vec<TimeRange>>,
}

impl<S: OutputSource> ReaderOutput<S> {
    fn new(source: S) -> Self {
        Self { source, random_access: false, state: State::Before, ranges: None }
    }

    /// Whether the output can be read again. Default: no.
    pub fn supports_random_access(&self) -> bool {
        self.random_access
    }

    /// Says whether the output is to be read again.
    ///
    /// # Errors
    /// Once reading has begun (RD-1).
    #[doc(alias = "supportsRandomAccess")]
    pub fn set_supports_random_access(&mut self, random_access: bool) -> Result<(), UsageError> {
        if self.state != State::Before {
            return Err(wrong("set_supports_random_access", "reading has begun"));
        }
        self.random_access = random_access;
        Ok(())
    }

    /// The next one, in the order of the track; `None` when all that was asked for was read, and after an error.
    ///
    /// # Errors
    /// Those of the readers of `retake-libav`; nothing more comes afterwards.
    #[doc(alias = "copyNextSampleBuffer")]
    #[allow(clippy::should_implement_trait)] // an iterator would have to say what comes after an error
    pub fn next(&mut self) -> Result<Option<S::Item>, MediaError> {
        match self.state {
            State::Before => self.state = State::Reading,
            State::Reading => {}
            State::Exhausted | State::Final | State::Failed => return Ok(None),
        }
        loop {
            match self.source.next() {
                Ok(Some(item)) if self.wants(S::time(&item)) => return Ok(Some(item)),
                Ok(Some(_)) => {}
                Ok(None) => {
                    self.state = if self.random_access { State::Exhausted } else { State::Final };
                    return Ok(None);
                }
                Err(error) => {
                    self.state = State::Failed;
                    return Err(error);
                }
            }
        }
    }

    /// Reads these ranges next: ascending by their starts, none before the end of the one before; each as far as the film has it. The everything
    /// of a first pass will do, and stands for all that there is.
    ///
    /// # Errors
    /// Without random access, before all of the present configuration was read, after it was marked as final, and for ranges that are not so
    /// (RD-2). After a failure it is accepted, and the next thing read is `None`.
    #[doc(alias = "resetForReadingTimeRanges:")]
    pub fn reset_for_reading(&mut self, ranges: &[TimeRange]) -> Result<(), UsageError> {
        const CALL: &str = "reset_for_reading";
        if !self.random_access {
            return Err(wrong(CALL, "the output has no random access: set it before reading"));
        }
        match self.state {
            State::Failed => return Ok(()),
            State::Exhausted => {}
            State::Before | State::Reading => {
                return Err(wrong(CALL, "not all was read yet: read until there is no more"));
            }
            State::Final => return Err(wrong(CALL, "the configuration was marked as final")),
        }
        let usable = |range: &TimeRange| {
            let length = range.duration.is_numeric() || range.duration == Time::POSITIVE_INFINITY;
            range.is_valid() && range.start.is_numeric() && length
        };
        let in_order = |pair: &[TimeRange]| pair[0].end() <= pair[1].start && pair[0].start < pair[1].start;
        if !ranges.iter().all(usable) || !ranges.windows(2).all(in_order) {
            return Err(wrong(CALL, "ranges have to be numbers, ascending and apart"));
        }
        self.ranges = Some(ranges.to_vec());
        self.source.rewind();
        self.state = State::Reading;
        Ok(())
    }

    /// Says that nothing will be read again (RD-3). Once more is nothing.
    ///
    /// # Errors
    /// Without random access, and before all of the present configuration was read.
    #[doc(alias = "markConfigurationAsFinal")]
    pub fn mark_configuration_as_final(&mut self) -> Result<(), UsageError> {
        const CALL: &str = "mark_configuration_as_final";
        if !self.random_access {
            return Err(wrong(CALL, "the output has no random access"));
        }
        match self.state {
            State::Exhausted | State::Final => self.state = State::Final,
            State::Failed => {}
            State::Before | State::Reading => return Err(wrong(CALL, "not all was read yet")),
        }
        Ok(())
    }

    /// Whether nothing more will come, whatever is called.
    pub fn is_completed(&self) -> bool {
        matches!(self.state, State::Final | State::Failed)
    }

    fn wants(&self, time: Time) -> bool {
        let holds = |range: &TimeRange| *range == TimeRange::EVERYTHING || range.contains(time);
        self.ranges.as_ref().is_none_or(|ranges| ranges.iter().any(holds))
    }
}

fn wrong(call: &'static str, what: &'static str) -> UsageError {
    UsageError { call, mistake: Mistake::BadValue(what) }
}
