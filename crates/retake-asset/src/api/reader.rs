use crate::types::error::{Mistake, UsageError};
use retake_libav::{
    Access, FilmInfo, Frame, FrameIndex, FrameReader, MediaError, PcmBlock, PcmDescription, PcmOptions,
    PcmReader, RangeReader, ReaderOptions, SeekTrust, TrackFormat, TrackReader, probe_with,
};
use retake_media::{
    Caption, MetadataFormat, PixelBuffer, Sample, TextFormat, Time, TimeRange, TimedMetadataGroup,
};
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Reads a film: its pictures and its sound decoded, its captions and timed metadata, or the samples of a
/// track as they are stored.
///
/// There may be any number of outputs, of the same track too. Each reads the film by itself, at its own pace,
/// and may be used in a thread of its own.
#[doc(alias = "AVAssetReader")]
#[derive(Debug)]
pub struct AssetReader {
    film: FilmInfo,
    range: TimeRange,
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
        Ok(Self { film: probe_with(file, access)?, range: TimeRange::EVERYTHING })
    }

    /// What the film is made of.
    pub fn film(&self) -> &FilmInfo {
        &self.film
    }

    /// What outputs read: the whole film, unless something else was set.
    pub fn time_range(&self) -> TimeRange {
        self.range
    }

    /// Has outputs that are made from now on read a part of the film, on the clock of its tracks:
    ///
    /// * pictures that are shown at the start of the range or later, and before its end;
    /// * decoded sound from the start to the end of the range, exact to the sample, whatever packets it lies
    ///   in;
    /// * of samples as they are stored those of the range, those that must be decoded before them, from a
    ///   sync sample on, and those that lie between in decode order. A session of a writer that starts where
    ///   the range does hides what comes before.
    ///
    /// Ranges that an output is asked for [again](ReaderOutput::reset_for_reading) take the place of this
    /// one. [`TimeRange::EVERYTHING`], which is the default, stands for the whole film, also where it begins
    /// before zero.
    ///
    /// # Errors
    /// [`Mistake::BadValue`] for a range whose start is not a number, or whose duration is none and not
    /// infinite.
    #[doc(alias = "timeRange")]
    pub fn set_time_range(&mut self, range: TimeRange) -> Result<(), UsageError> {
        if !is_usable(&range) {
            return Err(wrong("set_time_range", "a range has a start, and a length that may be infinite"));
        }
        self.range = range;
        Ok(())
    }

    /// What a track is made of: the format of an input that its samples are passed through to.
    ///
    /// # Errors
    /// [`MediaError::NoDecoder`] for a track that is neither video, sound, text, timecodes nor timed
    /// metadata, or of an unknown codec; and for metadata with keys that a
    /// [`MetadataFormat`](retake_media::MetadataFormat) cannot say.
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
            range: self.range,
            options,
            position,
            index,
            index_end: Time::POSITIVE_INFINITY,
            learns: false,
            trust: SeekTrust::new(),
        })
    }

    /// An output of the samples of a track, by its number in the file, as they are stored.
    pub fn samples(&self, track: u32) -> ReaderOutput<Samples> {
        let (film, range) = (self.film.clone(), self.range);
        ReaderOutput::new(Samples { film, track, range, reader: None })
    }

    /// An output of the captions of a track of subtitles, by its number in the film, with what of them is
    /// bold, italic or underlined. Those that an ISO file shows at once are one.
    ///
    /// # Errors
    /// [`MediaError::NoDecoder`] for a track of anything else, or whose subtitles are pictures; else those of
    /// [`TrackReader::open`].
    #[doc(alias = "AVAssetReaderOutputCaptionAdaptor")]
    pub fn captions(&self, track: u32) -> Result<ReaderOutput<Captions>, MediaError> {
        let format = match self.track_format(track)? {
            TrackFormat::Text(format) => format,
            _ => {
                let codec = format!("track {track}, which has no text");
                return Err(MediaError::NoDecoder { file: self.film.path.clone(), codec });
            }
        };
        let (film, range) = (self.film.clone(), self.range);
        let samples = Samples { film, track, range, reader: None };
        Ok(ReaderOutput::new(Captions { samples, format }))
    }

    /// The chapters of the film, whatever its time range, each with its name and the time for which it lasts:
    /// those that the container lists, and of ISO files those of a track of names that the video refers to.
    ///
    /// # Errors
    /// Those of [`probe_with`], because the film is opened again, and [`MediaError::SourceChanged`].
    #[doc(alias = "chapterMetadataGroupsBestMatchingPreferredLanguages:")]
    pub fn chapters(&self) -> Result<Vec<Caption>, MediaError> {
        retake_libav::chapters(&self.film)
    }

    /// An output of the groups of a track of timed metadata (`mebx` of ISO files), by its number in the film.
    /// What lies between two groups is none. Of a range come the groups that begin in it, and the one that
    /// holds where it starts.
    ///
    /// A sample whose items are damaged ends the output with [`MediaError::Read`].
    ///
    /// # Errors
    /// [`MediaError::NoDecoder`] for a track of anything else, and as [`track_format`](Self::track_format);
    /// else those of [`TrackReader::open`].
    #[doc(alias = "AVAssetReaderOutputMetadataAdaptor")]
    pub fn timed_metadata(&self, track: u32) -> Result<ReaderOutput<MetadataGroups>, MediaError> {
        let format = match self.track_format(track)? {
            TrackFormat::Metadata(format) => format,
            _ => {
                let codec = format!("track {track}, which has no timed metadata");
                return Err(MediaError::NoDecoder { file: self.film.path.clone(), codec });
            }
        };
        let (film, range) = (self.film.clone(), self.range);
        let samples = Samples { film, track, range, reader: None };
        Ok(ReaderOutput::new(MetadataGroups { samples, format, count: 0 }))
    }

    /// An output of a track of sound, by its number in the film, decoded to interleaved samples. What the
    /// encoder has added at both ends is left out, as far as the film tells of it.
    ///
    /// # Errors
    /// Those of [`PcmReader::open`]: the track is opened at once, so that
    /// [`ReaderOutput::description`] is known before anything is read.
    #[doc(alias = "AVAssetReaderTrackOutput")]
    #[doc(alias = "AVAssetReaderAudioMixOutput")]
    pub fn sound(&self, track: u32, options: PcmOptions) -> Result<ReaderOutput<Sound>, MediaError> {
        let description = PcmReader::open(&self.film, track, options)?.description();
        let (film, range) = (self.film.clone(), self.range);
        let source =
            Sound { film, track, options, range, description, wanted: None, reader: None, damaged: 0 };
        Ok(ReaderOutput::new(source))
    }
}

/// Whether it is a range that can be read: what it says of its end may be infinite.
fn is_usable(range: &TimeRange) -> bool {
    let length = range.duration.is_numeric() || range.duration == Time::POSITIVE_INFINITY;
    range.is_valid() && range.start.is_numeric() && length
}

/// Whether it has nothing that lies at this time; everything has what lies before zero, too.
fn is_before(time: Time, range: &TimeRange) -> bool {
    *range != TimeRange::EVERYTHING && time < range.start
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
    /// metadata, and how it is turned for display; and with what it brings itself: closed captions, HDR10+,
    /// Dolby Vision of profile 8.
    pub picture: PixelBuffer,
    /// When it is shown.
    pub pts: Time,
    /// How long, where the source says.
    pub duration: Option<Time>,
}

/// Decodes pictures: all of them from the start, then exact ranges, each picture checked against what it was
/// the first time.
pub struct Pictures {
    film: FilmInfo,
    range: TimeRange,
    options: ReaderOptions,
    position: Position,
    /// What was there the first time, if it is to be read again.
    index: FrameIndex,
    /// Where the index ends, if that is not the end of the film.
    index_end: Time,
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
                    // What is read again is found by its number, so that all before it is counted.
                    let reader = match self.learns || self.range == TimeRange::EVERYTHING {
                        true => FrameReader::open(&self.film, self.options)?,
                        false => FrameReader::open_at(&self.film, self.options, self.range.start)?,
                    };
                    self.position = Position::Linear(Box::new(reader));
                }
                Position::Linear(reader) => {
                    let next = reader.next()?.filter(|frame| {
                        let time = self.film.video.time(frame.pts);
                        self.range == TimeRange::EVERYTHING || !self.range.ends_by(time)
                    });
                    match &next {
                        Some(frame) if self.learns => self.index.frames.push(frame.into()),
                        Some(_) => {}
                        None => self.position = Position::End,
                    }
                    match next {
                        Some(frame) if is_before(self.film.video.time(frame.pts), &self.range) => {}
                        next => return Ok(next),
                    }
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
            picture: video.attach_to(frame.picture),
        }))
    }

    fn expect_rewind(&mut self) {
        self.learns = true;
    }

    fn rewind(&mut self, ranges: &[TimeRange]) {
        // What is asked for takes the place of the reader's own range, which the index may end with.
        let own = std::mem::replace(&mut self.range, TimeRange::EVERYTHING);
        if own != TimeRange::EVERYTHING {
            self.index_end = own.end();
        }
        let inside = |range: &TimeRange| *range != TimeRange::EVERYTHING && range.end() <= self.index_end;
        if self.index_end != Time::POSITIVE_INFINITY && !ranges.iter().all(inside) {
            self.index = FrameIndex::new(self.film.video.time_base);
            (self.index_end, self.position) = (Time::POSITIVE_INFINITY, Position::Start);
            return;
        }
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
    range: TimeRange,
    reader: Option<TrackReader>,
}

impl Samples {
    /// A reader at the first sample that is needed.
    fn open(&self) -> Result<TrackReader, MediaError> {
        let open = || TrackReader::open(&self.film, self.track);
        if self.range == TimeRange::EVERYTHING {
            return open();
        }
        // Only what follows tells which sync sample is the last, and how much lies between it and the range
        // is not bounded: so it is counted first, and read a second time, instead of being held in memory.
        let (mut reader, mut count, mut first) = (open()?, 0_u64, 0);
        while let Some(sample) = reader.next()? {
            if decoded(&sample) > self.range.start {
                break;
            }
            if sample.is_sync() && sample.pts <= self.range.start {
                first = count;
            }
            count += 1;
        }
        let mut reader = open()?;
        for _ in 0..first {
            reader.next()?;
        }
        Ok(reader)
    }
}

/// When a sample is decoded, as far as the container says.
fn decoded(sample: &Sample) -> Time {
    if sample.dts.is_numeric() { sample.dts } else { sample.pts }
}

impl OutputSource for Samples {
    type Item = Sample;

    fn next(&mut self) -> Result<Option<Sample>, MediaError> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            None => {
                let reader = self.open()?;
                self.reader.insert(reader)
            }
        };
        let next = reader.next()?;
        Ok(next.filter(|sample| self.range == TimeRange::EVERYTHING || !self.range.ends_by(decoded(sample))))
    }

    fn rewind(&mut self, _: &[TimeRange]) {
        (self.reader, self.range) = (None, TimeRange::EVERYTHING);
    }

    fn time(item: &Sample) -> Time {
        item.pts
    }
}

/// Reads captions.
pub struct Captions {
    samples: Samples,
    format: TextFormat,
}

impl OutputSource for Captions {
    type Item = Caption;

    fn next(&mut self) -> Result<Option<Caption>, MediaError> {
        while let Some(sample) = self.samples.next()? {
            let range = TimeRange::new(sample.pts, sample.duration);
            let caption = self.format.caption(&sample.data, range);
            // a sample without a text stands between two captions
            if !caption.text.is_empty() {
                return Ok(Some(caption));
            }
        }
        Ok(None)
    }

    fn rewind(&mut self, ranges: &[TimeRange]) {
        self.samples.rewind(ranges);
    }

    fn time(item: &Caption) -> Time {
        item.range.start
    }
}

/// Reads groups of timed metadata.
pub struct MetadataGroups {
    samples: Samples,
    format: MetadataFormat,
    /// How many samples were read.
    count: u64,
}

impl ReaderOutput<MetadataGroups> {
    /// The keys of all items, as the track describes them.
    pub fn format(&self) -> &MetadataFormat {
        &self.source.format
    }
}

impl OutputSource for MetadataGroups {
    type Item = TimedMetadataGroup;

    fn next(&mut self) -> Result<Option<TimedMetadataGroup>, MediaError> {
        while let Some(sample) = self.samples.next()? {
            let Some(items) = self.format.items(&sample.data) else {
                let what = "the items of a sample of timed metadata are damaged";
                let source = io::Error::new(io::ErrorKind::InvalidData, what);
                let file = self.samples.film.path.clone();
                return Err(MediaError::Read { file, frame: self.count, byte: 0, source });
            };
            self.count += 1;
            // a sample without items stands between two groups
            if !items.is_empty() {
                let range = TimeRange::new(sample.pts, sample.duration);
                return Ok(Some(TimedMetadataGroup::new(items, range)));
            }
        }
        Ok(None)
    }

    fn rewind(&mut self, ranges: &[TimeRange]) {
        self.count = 0;
        self.samples.rewind(ranges);
    }

    fn time(item: &TimedMetadataGroup) -> Time {
        item.range.start
    }
}

/// Decodes sound.
pub struct Sound {
    film: FilmInfo,
    track: u32,
    options: PcmOptions,
    range: TimeRange,
    description: PcmDescription,
    /// What is left to read of what was asked for again, from the last to the first.
    wanted: Option<Vec<TimeRange>>,
    reader: Option<PcmReader>,
    /// How many pieces of sound the readers before this one found damaged.
    damaged: u64,
}

impl Sound {
    /// The range that is read now.
    fn current(&self) -> Option<TimeRange> {
        match &self.wanted {
            None => Some(self.range),
            Some(wanted) => wanted.last().copied(),
        }
    }

    fn close(&mut self) {
        self.damaged += self.reader.take().map_or(0, |reader| reader.damaged());
    }
}

impl ReaderOutput<Sound> {
    /// What the samples are: their form, their rate, and the channels.
    pub fn description(&self) -> PcmDescription {
        self.source.description
    }

    /// How many pieces of sound were damaged so far. What is lost by that is a gap in the times.
    pub fn damaged(&self) -> u64 {
        self.source.damaged + self.source.reader.as_ref().map_or(0, PcmReader::damaged)
    }
}

impl OutputSource for Sound {
    type Item = PcmBlock;

    fn next(&mut self) -> Result<Option<PcmBlock>, MediaError> {
        while let Some(range) = self.current() {
            let whole = range == TimeRange::EVERYTHING;
            let reader = match &mut self.reader {
                Some(reader) => reader,
                none if whole => none.insert(PcmReader::open(&self.film, self.track, self.options)?),
                none => none.insert(PcmReader::open_at(&self.film, self.track, self.options, range.start)?),
            };
            match reader.next()? {
                Some(block) if whole => return Ok(Some(block)),
                Some(block) if !range.ends_by(block.pts) => {
                    if let Some(block) = block.between(range.start, range.end()) {
                        return Ok(Some(block));
                    }
                }
                _ => {
                    self.close();
                    // Without a list there is one range alone.
                    self.wanted.get_or_insert_default().pop();
                }
            }
        }
        Ok(None)
    }

    fn rewind(&mut self, ranges: &[TimeRange]) {
        self.close();
        self.wanted = Some(ranges.iter().rev().copied().collect());
    }

    fn time(item: &PcmBlock) -> Time {
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
        let in_order = |pair: &[TimeRange]| pair[0].end() <= pair[1].start && pair[0].start < pair[1].start;
        if !ranges.iter().all(is_usable) || !ranges.windows(2).all(in_order) {
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
