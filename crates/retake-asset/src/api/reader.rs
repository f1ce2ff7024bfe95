use crate::types::error::{Mistake, UsageError};
use retake_libav::{
    Access, FilmInfo, Frame, FrameIndex, FrameReader, MediaError, RangeReader, ReaderOptions, SeekTrust,
    TrackFormat, TrackReader, VideoTrack, probe_with,
};
use retake_media::{Attachment, Attachments, Colour, PixelBuffer, Rational, Sample, Time, TimeRange};
use std::collections::VecDeque;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Reads a film: its pictures, or the samples of a track as they are stored.
#[doc(alias = "AVAssetReader")]
#[derive(Debug)]
pub struct AssetReader {
    film: FilmInfo,
}

impl AssetReader {
    /// Looks at a film, and opens nothing else.
    ///
    /// # Errors
    /// Those of [`open_with`](Self::open_with).
    #[doc(alias = "initWithAsset:error:")]
    pub fn open(file: &Path) -> Result<Self, MediaError> {
        Self::open_with(file, &Access::new())
    }

    /// Looks at a film of which more than itself may be opened, or whose waits can be ended.
    ///
    /// # Errors
    /// Those of [`probe_with`].
    pub fn open_with(file: &Path, access: &Access) -> Result<Self, MediaError> {
        Ok(Self { film: probe_with(file, access)? })
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
        let index = FrameIndex::new(self.film.video.time_base);
        let position = Position::Start;
        ReaderOutput::new(Pictures {
            film: self.film.clone(),
            known: known(&self.film.video),
            options,
            position,
            index,
            learns: false,
            trust: SeekTrust::new(),
        })
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

    /// Said before anything is read, if there will be a [`rewind`](Self::rewind).
    fn expect_rewind(&mut self) {}

    /// The next one, from the start at first; `None` after the last.
    ///
    /// # Errors
    /// Those of the readers of `retake-libav`.
    fn next(&mut self) -> Result<Option<Self::Item>, MediaError>;

    /// Begins again, after the last: everything in these ranges comes next, and what lies outside may come as
    /// well.
    fn rewind(&mut self, ranges: &[TimeRange]);

    /// When it is shown.
    fn time(item: &Self::Item) -> Time;
}

/// One picture and its time.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The picture, with what the film says of it attached: colours, the shape of pixels, fields, HDR10
    /// metadata, and how it is turned for display.
    pub picture: PixelBuffer,
    /// When it is shown.
    pub pts: Time,
    /// How long, where the source says.
    pub duration: Option<Time>,
}

/// What a film says of its pictures, so that whoever encodes them need not be told: colours, the shape of
/// pixels, fields, HDR10 metadata, and how they are turned for display.
fn known(video: &VideoTrack) -> Attachments {
    let square = Rational::new(1, 1);
    let said = [
        (video.colour != Colour::default()).then_some(Attachment::Colour(video.colour)),
        (video.pixel_aspect_ratio != square)
            .then_some(Attachment::PixelAspectRatio(video.pixel_aspect_ratio)),
        video.fields.map(Attachment::Fields),
        video.mastering_display.map(Attachment::MasteringDisplay),
        video.content_light.map(Attachment::ContentLight),
        video.display_matrix.map(Attachment::DisplayMatrix),
    ];
    said.into_iter().flatten().fold(Attachments::default(), Attachments::with)
}

/// Decodes pictures: all of them from the start, then exact ranges, each picture checked against what it was
/// the first time.
pub struct Pictures {
    film: FilmInfo,
    /// What the film says of all of them.
    known: Attachments,
    options: ReaderOptions,
    position: Position,
    /// What was there the first time, if it is to be read again.
    index: FrameIndex,
    learns: bool,
    trust: Arc<SeekTrust>,
}

/// Where the pictures come from.
enum Position {
    Start,
    Linear(Box<FrameReader>),
    End,
    /// Numbers of the frames that come next, and the reader of the first of them.
    Ranges(Arc<FrameIndex>, VecDeque<Range<u64>>, Option<Box<RangeReader>>),
}

impl Pictures {
    fn next_frame(&mut self) -> Result<Option<Frame>, MediaError> {
        loop {
            match &mut self.position {
                Position::Start => {
                    let reader = FrameReader::open(&self.film, self.options)?;
                    self.position = Position::Linear(Box::new(reader));
                }
                Position::Linear(reader) => {
                    let next = reader.next()?;
                    match &next {
                        Some(frame) if self.learns => self.index.frames.push(frame.into()),
                        Some(_) => {}
                        None => self.position = Position::End,
                    }
                    return Ok(next);
                }
                Position::Ranges(_, _, Some(reader)) => match reader.next()? {
                    Some(frame) => return Ok(Some(frame)),
                    None => self.leave_range(),
                },
                Position::Ranges(index, ranges, none) => {
                    let Some(range) = ranges.pop_front() else { return Ok(None) };
                    let (index, trust) = (index.clone(), self.trust.clone());
                    *none = Some(Box::new(RangeReader::open(&self.film, index, range, self.options, trust)?));
                }
                Position::End => return Ok(None),
            }
        }
    }

    fn leave_range(&mut self) {
        if let Position::Ranges(_, _, reader) = &mut self.position {
            *reader = None;
        }
    }
}

impl OutputSource for Pictures {
    type Item = Picture;

    fn next(&mut self) -> Result<Option<Picture>, MediaError> {
        let next = self.next_frame()?;
        let video = &self.film.video;
        Ok(next.map(|frame| Picture {
            pts: video.time(frame.pts),
            duration: (frame.duration > 0).then(|| video.time(frame.duration)),
            picture: frame.picture.with_attachments(self.known.clone()),
        }))
    }

    fn expect_rewind(&mut self) {
        self.learns = true;
    }

    fn rewind(&mut self, ranges: &[TimeRange]) {
        let index = match std::mem::replace(&mut self.position, Position::Start) {
            Position::Ranges(index, ..) => index,
            Position::End => {
                Arc::new(std::mem::replace(&mut self.index, FrameIndex::new(self.film.video.time_base)))
            }
            // nothing that can be relied on is known: from the start
            Position::Start | Position::Linear(_) => return,
        };
        let time = |frame: u64| self.film.video.time(index.frames[frame as usize].pts);
        let count = index.frames.len() as u64;
        let find = |before: &dyn Fn(Time) -> bool| {
            let (mut low, mut high) = (0, count);
            while low < high {
                let middle = low + (high - low) / 2;
                if before(time(middle)) { low = middle + 1 } else { high = middle }
            }
            low
        };
        let frames = ranges.iter().map(|range| match *range == TimeRange::EVERYTHING {
            true => 0..count,
            false => find(&|time| time < range.start)..find(&|time| !range.ends_by(time)),
        });
        let frames = frames.filter(|frames| !frames.is_empty()).collect();
        self.position = Position::Ranges(index, frames, None);
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

    fn rewind(&mut self, _: &[TimeRange]) {
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

/// Gives out what one track holds, from the start to the end; with random access, then again what is asked
/// for, as the passes of a writer's input need it: read until `None`, end the pass,
/// [`reset_for_reading`](Self::reset_for_reading) with the ranges of the next.
///
/// Pictures are read by seeking, and checked against those that were read first; where a film decodes to
/// others after a seek, it is decoded from the start. Samples are read from the start, and those outside are
/// left out.
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

    /// The next one, in the order of the track; `None` when all that was asked for was read, and after an
    /// error.
    ///
    /// # Errors
    /// Those of the readers of `retake-libav`; nothing more comes afterwards.
    #[doc(alias = "copyNextSampleBuffer")]
    #[allow(clippy::should_implement_trait)] // an iterator would have to say what comes after an error
    pub fn next(&mut self) -> Result<Option<S::Item>, MediaError> {
        match self.state {
            State::Before => {
                self.state = State::Reading;
                if self.random_access {
                    self.source.expect_rewind();
                }
            }
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

    /// Reads these ranges next: ascending by their starts, none before the end of the one before; each as far
    /// as the film has it. The everything of a first pass will do, and stands for all that there is.
    ///
    /// # Errors
    /// Without random access, before all of the present configuration was read, after it was marked as final,
    /// and for ranges that are not so (RD-2). After a failure it is accepted, and the next thing read is
    /// `None`.
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
        self.source.rewind(ranges);
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
    #[doc(alias = "AVAssetReaderStatusCompleted")]
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
