//! Decodes a film from start to end, and holds the part that range readers share.

use crate::clock::Clock;
use crate::decoder::{Decoded, Decoder, Scaler, code};
use crate::entry::EntryPoint;
use crate::error::MediaError;
use crate::film::{FilmInfo, time_to_ticks};
use crate::filters::{FilterError, FilterStage, FilteredPicture, FromStage};
use crate::finding::{Finding, FindingKind};
use crate::form::{Form, FrameFacts};
use crate::frame::{Frame, Pictures};
use crate::input::Input;
use crate::progress::{ReaderProgress, ReaderState};
use crate::pump::Pump;
use crate::transfer::PictureTransfer;
use crate::window::Window;
use retake_media::{Fields, PixelBuffer, PixelFormat, Time};
use std::path::PathBuf;
use std::sync::Arc;

/// Chooses format and threads of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReaderOptions {
    /// The format of the pictures, one of those that [`PixelFormat::planar`] returns;
    /// [`VideoTrack::format`](crate::VideoTrack::format) keeps most and costs least.
    pub format: PixelFormat,
    /// The number of threads of the decoder; 0 takes one per processor.
    pub threads: u32,
}

/// Gives out all frames of a film, from the first, or from the one at a time, to the last.
pub struct FrameReader {
    decoding: Decoding,
    index: u64,
    /// The frame that was decoded to find out where a seek has led.
    first: Option<StampedFrame>,
    /// The time before which frames are not given out, in ticks.
    from: Option<i64>,
    /// What is known of the film already.
    surveyed: Vec<Finding>,
}

/// How far before an entry point it is looked for, in seconds: some containers are sought in by the times at
/// which samples are decoded.
const ENTRY_SEEKS: [i64; 3] = [0, 1, 10];

/// How far before a place a film is looked for a frame that decoding can start at, in seconds. Where none of
/// these leads before the place, the film is decoded from its start.
const SEEKS: [i64; 4] = [0, 2, 10, 60];

impl FrameReader {
    /// Opens a film at its first frame, or at the first one of the range that it was cut to.
    ///
    /// # Errors
    /// Returns [`MediaError::NotSeekable`] for the second reader of a pipe; else fails like
    /// [`probe`](crate::probe()).
    pub fn open(info: &FilmInfo, options: ReaderOptions) -> Result<Self, MediaError> {
        let decoding = Decoding::open(info, options)?;
        Ok(Self { decoding, index: 0, first: None, from: None, surveyed: info.findings.clone() })
    }

    /// Opens a film at a time: the first frame is the first that is shown at `start` or later. Decoding
    /// begins at a sync frame that is shown at `start` or before, which is looked at to know that a seek has
    /// led there; where seeking cannot be relied on, at the start of the film.
    ///
    /// # Errors
    /// Fails like [`FrameReader::open`], and, as there, only reads on later.
    pub fn open_at(info: &FilmInfo, options: ReaderOptions, start: Time) -> Result<Self, MediaError> {
        let base = info.video.time_base;
        let near = time_to_ticks(start, base).map(|near| near.saturating_sub(1)..=near.saturating_add(1));
        let from = near.and_then(|mut ticks| ticks.find(|tick| info.video.time(*tick) >= start));
        let Some(from) = from else { return Self::open(info, options) };
        let second = time_to_ticks(Time::new(1, 1), base).unwrap_or(i64::MAX);
        // What filters remember has to be that of earlier pictures.
        let early = info.memory_of_filters();
        // Times behind a break of the clock follow from all samples before them.
        let seeks = if info.seekable && info.breaks.is_empty() { &SEEKS[..] } else { &[] };
        for before in seeks {
            let place = from.saturating_sub(before.saturating_mul(second)).saturating_sub(early);
            if place <= 0 {
                break;
            }
            let mut reader = Self::open(info, options)?;
            if !reader.decoding.seek_within(place)? {
                break;
            }
            while let Some(frame) = reader.decoding.next(0)? {
                // Frames before the first sync frame may have been decoded without what they refer to.
                match frame.stated {
                    Some(pts) if pts <= from && !frame.sync => {}
                    Some(pts) if pts <= from => {
                        (reader.first, reader.from) = (Some(frame), Some(from));
                        return Ok(reader);
                    }
                    _ => break,
                }
            }
        }
        Ok(Self { from: Some(from), ..Self::open(info, options)? })
    }

    /// Opens a film at an entry point: the first frame is the first that is shown at [`EntryPoint::from`] or
    /// later. `None` where seeking does not lead there. Whether its frames are those of a reader that comes
    /// from the start must be found out by comparison; [`ReaderProgress::follow`] tells what belongs to that.
    ///
    /// # Errors
    /// Fails like [`FrameReader::open`], and, as there, only reads on later.
    pub fn open_entry(
        info: &FilmInfo,
        options: ReaderOptions,
        entry: &EntryPoint,
    ) -> Result<Option<Self>, MediaError> {
        let second = time_to_ticks(Time::new(1, 1), info.video.time_base).unwrap_or(i64::MAX);
        for before in ENTRY_SEEKS {
            let mut decoding = Decoding::open_at_start(info, options)?;
            let place = entry.from.saturating_sub(second.saturating_mul(before));
            if !decoding.seek_to_sync(place, entry.from)? {
                continue;
            }
            let window = info.window.clone();
            decoding.window = window.map(|window| Opening { window, again: None, ended: false });
            let surveyed = info.findings.clone();
            return Ok(Some(Self { decoding, index: 0, first: None, from: Some(entry.from), surveyed }));
        }
        Ok(None)
    }

    /// Keeps what is found in each of the ranges between entry points apart, so that what several readers
    /// find can be put together. Must be called before the first frame is asked for.
    pub fn divide(&mut self, entries: &[EntryPoint]) {
        let places = entries.iter().map(|entry| self.decoding.pump.seconds(entry.at)).collect();
        self.decoding.pump.findings.divide(places);
    }

    /// Returns what the frame that was given out last says beside its picture.
    pub fn facts(&self) -> FrameFacts {
        self.decoding.facts
    }

    /// Returns how far this reader is, and what it has found on its way.
    pub fn progress(&self) -> ReaderProgress {
        ReaderProgress {
            state: ReaderState { clock: self.decoding.clock.state(), counted: self.decoding.pump.counted() },
            findings: self.decoding.pump.findings.clone(),
            index: self.index,
        }
    }

    /// Takes over what another reader of the same film, which stands where this one does, has counted and
    /// found on its way: as if this one had come that way.
    pub fn go_on_from(&mut self, progress: ReaderProgress) {
        let ReaderProgress { state, findings, index } = progress;
        self.decoding.pump.go_on_from(state.counted);
        self.decoding.pump.findings = findings;
        self.index = index;
    }

    /// Returns the next frame; `None` after the last.
    ///
    /// # Errors
    /// Returns [`MediaError::Read`] if the system cannot read on, [`MediaError::NoFrames`] if the film ends
    /// without a single frame, [`MediaError::Convert`] if a picture has a layout that cannot be converted,
    /// [`MediaError::SourceChanged`] if the file was written while it was read.
    /// Damaged parts are no error: they count as [`FrameReader::damaged`].
    #[allow(clippy::should_implement_trait)] // an iterator would have to define the item after an error
    pub fn next(&mut self) -> Result<Option<Frame>, MediaError> {
        let frame = loop {
            let Some(frame) = self.decoded()? else { return Ok(None) };
            if self.from.is_none_or(|from| frame.pts >= from) {
                break frame;
            }
        };
        let StampedFrame { pts, duration, sync, .. } = frame;
        let Pictures { picture, unscaled } = self.decoding.pictures(frame.content, self.index)?;
        let index = self.index;
        self.index += 1;
        Ok(Some(Frame { index, pts, duration, sync, picture, unscaled }))
    }

    /// Returns the next frame as decoder and filters give it.
    fn decoded(&mut self) -> Result<Option<StampedFrame>, MediaError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let Some(frame) = self.decoding.next(self.index)? else {
            if self.index == 0 && self.from.is_none() {
                let (file, detail) = (self.decoding.file.clone(), self.decoding.pump.complaint());
                return Err(MediaError::NoFrames { file, detail });
            }
            if self.decoding.input.has_changed() {
                let file = self.decoding.file.clone();
                return Err(MediaError::SourceChanged { file, frame: self.index });
            }
            return Ok(None);
        };
        Ok(Some(frame))
    }

    /// Decodes, and counts, only sync frames from here on. This checks quickly that a film decodes at every
    /// place where decoding can start.
    pub fn sync_frames_only(&mut self) {
        self.decoding.pump.sync_only();
    }

    /// Returns how many packets or frames were damaged so far. The pictures that FFmpeg made of them were
    /// given out.
    pub fn damaged(&self) -> u64 {
        self.decoding.pump.damaged()
    }

    /// Returns how many time stamps were missing, doubled or went backwards so far, and were repaired.
    pub fn repaired(&self) -> u64 {
        self.decoding.clock.repaired()
    }

    /// Returns what was found so far, and before by [`survey`](crate::survey()): damage, frames that had to
    /// be converted, and facts beside the pictures, which frames do not keep.
    pub fn findings(&self) -> Vec<Finding> {
        self.decoding.pump.findings.with(&self.surveyed)
    }
}

/// A frame on its way to its picture, and its repaired times in ticks.
pub(crate) struct StampedFrame {
    pub(crate) content: FrameContent,
    pub(crate) pts: i64,
    pub(crate) duration: i64,
    /// The time that it states itself.
    pub(crate) stated: Option<i64>,
    pub(crate) sync: bool,
}

/// What there is of a frame before anybody has asked for its picture.
pub(crate) enum FrameContent {
    /// Pictures that nobody asks for are not converted.
    Decoded(Decoded),
    /// Filters that remember earlier pictures have seen it already.
    Filtered(Pictures),
}

/// Joins demuxer, decoder, clock and conversion, for linear and for range readers.
pub(crate) struct Decoding {
    pub(crate) file: PathBuf,
    stream: u32,
    input: Input,
    decoder: Decoder,
    pub(crate) pump: Pump,
    clock: Clock,
    /// The part of the film that is given out; `None` is all of it.
    window: Option<Opening>,
    sought: bool,
    scaler: Option<Scaler>,
    transfer: PictureTransfer,
    /// The format of pictures before filters.
    format: PixelFormat,
    film: Form,
    filters: Option<FilterStage>,
    /// What the last picture said.
    facts: FrameFacts,
}

/// A window, and the way to its first frame.
struct Opening {
    window: Arc<Window>,
    /// What the film is opened with again where seeking led to another frame than the first.
    again: Option<(Box<FilmInfo>, ReaderOptions)>,
    ended: bool,
}

impl Decoding {
    /// Opens a film at its first frame, or at that of its window.
    pub(crate) fn open(info: &FilmInfo, options: ReaderOptions) -> Result<Self, MediaError> {
        let mut decoding = Self::open_at_start(info, options)?;
        let Some(window) = info.window.clone() else { return Ok(decoding) };
        let mut sought = false;
        for (sync, latest) in window.starts() {
            sought = decoding.seek_to_sync(sync, latest)?;
            if sought {
                break;
            }
            // A failed seek may have moved something.
            decoding = Self::open_at_start(info, options)?;
        }
        let again = sought.then(|| (Box::new(info.clone()), options));
        decoding.sought = sought;
        decoding.window = Some(Opening { window, again, ended: false });
        Ok(decoding)
    }

    fn open_at_start(info: &FilmInfo, options: ReaderOptions) -> Result<Self, MediaError> {
        let file = info.path.clone();
        let video = info.unfiltered();
        if code(options.format).is_none() {
            let detail =
                format!("{:?} was asked for, and films are decoded to planar formats", options.format);
            return Err(MediaError::Convert { file, frame: 0, pixels: video.pixel_format.clone(), detail });
        }
        let mut input = if info.seekable {
            Input::open_for_video(info)?
        } else {
            info.opened.take().ok_or_else(|| MediaError::NotSeekable { file: file.clone() })?
        };
        if input.film().streams as u32 <= video.index {
            return Err(MediaError::SourceChanged { file, frame: 0 });
        }
        input.select(|index| index == video.index);
        let decoder = Decoder::open(&input, video.index, options.threads)
            .map_err(|failure| MediaError::undecodable(&file, &failure))?;
        let filters = FilterStage::open(info, options.format)
            .map_err(|source| MediaError::Filter { file: file.clone(), source })?;
        Ok(Self {
            file,
            stream: video.index,
            input,
            decoder,
            pump: Pump::new(video.index, (video.time_base.to_f64(), info.start.seconds()), info.extent()),
            clock: Clock::new(video, info.surveyed),
            window: None,
            sought: false,
            scaler: None,
            transfer: PictureTransfer::new(),
            format: if filters.is_some() { video.format } else { options.format },
            film: Form::of(video),
            filters,
            facts: FrameFacts::default(),
        })
    }

    /// Returns the next frame, of the window if there is one; `frame` is its number, for errors. Filters that
    /// remember earlier pictures have seen it.
    pub(crate) fn next(&mut self, frame: u64) -> Result<Option<StampedFrame>, MediaError> {
        if self.filters.as_ref().is_none_or(FilterStage::is_alone) {
            return self.next_decoded(frame);
        }
        loop {
            let stage = self.filters.as_mut().expect("it was there when this was decided");
            let refuse = |source| MediaError::Filter { file: self.file.clone(), source };
            match stage.receive().map_err(refuse)? {
                FromStage::Picture(FilteredPicture { pictures, pts, duration, sync }) => {
                    let (lost, shown) = (stage.lost_captions(), stage.source_ticks(pts));
                    for _ in 0..lost {
                        let time = self.pump.seconds(shown);
                        self.pump.findings.note(FindingKind::FilteredCaptions, time, String::new);
                    }
                    let (content, stated) = (FrameContent::Filtered(pictures), Some(pts));
                    return Ok(Some(StampedFrame { content, pts, duration, stated, sync }));
                }
                FromStage::NotYet => {}
                FromStage::End => return Ok(None),
            }
            match self.next_decoded(frame)? {
                Some(StampedFrame {
                    content: FrameContent::Decoded(decoded), pts, duration, sync, ..
                }) => {
                    let (picture, fields) = self.before_filters(decoded, frame)?;
                    self.filter(|stage| stage.send(&picture, fields, (pts, duration), sync))?;
                }
                Some(_) => unreachable!("decoders give out what they decoded"),
                None => self.filter(FilterStage::end)?,
            }
        }
    }

    /// Calls filters that are there.
    fn filter<T>(
        &mut self,
        call: impl FnOnce(&mut FilterStage) -> Result<T, FilterError>,
    ) -> Result<T, MediaError> {
        let stage = self.filters.as_mut().expect("who calls knows that there are filters");
        call(stage).map_err(|source| MediaError::Filter { file: self.file.clone(), source })
    }

    /// Returns the next frame as it is decoded.
    fn next_decoded(&mut self, frame: u64) -> Result<Option<StampedFrame>, MediaError> {
        if self.window.as_ref().is_some_and(|opening| opening.ended) {
            return Ok(None);
        }
        loop {
            let decoded = self
                .pump
                .next(&mut self.input, &mut self.decoder)
                .map_err(|failure| self.pump.read_error(&self.file, frame, &self.input, &failure))?;
            let Some(decoded) = decoded else {
                match self.reopen_from_start()? {
                    true => continue,
                    false => return Ok(None),
                }
            };
            let repaired = self.clock.repaired();
            let (pts, duration) = self.clock.stamp(decoded.pts(), decoded.raw().duration);
            if let Some(opening) = &mut self.window {
                let window = opening.window.clone();
                if window.is_before(pts) {
                    continue;
                }
                // The first frame is known. Another one means that seeking led astray.
                if pts != window.start && self.reopen_from_start()? {
                    continue;
                }
                let Some(opening) = &mut self.window else { continue };
                opening.again = None;
                if window.is_behind(pts) {
                    opening.ended = true;
                    return Ok(None);
                }
            }
            // Where there was no time at all, a frame follows the one before.
            if self.clock.repaired() > repaired && decoded.pts().is_some() {
                let time = self.pump.seconds(pts);
                self.pump.findings.note(FindingKind::Times, time, String::new);
            }
            let (stated, sync) = (decoded.pts(), decoded.raw().key != 0);
            let content = FrameContent::Decoded(decoded);
            return Ok(Some(StampedFrame { content, pts, duration, stated, sync }));
        }
    }

    /// Returns whether decoding began elsewhere than at the start of the film.
    pub(crate) fn has_sought(&self) -> bool {
        self.sought
    }

    /// Begins once more, now at the start of the film, if a seek led to this place and no frame of the window
    /// has come yet.
    fn reopen_from_start(&mut self) -> Result<bool, MediaError> {
        let Some(opening) = &mut self.window else { return Ok(false) };
        let Some((info, options)) = opening.again.take() else { return Ok(false) };
        let window = opening.window.clone();
        *self = Self::open_at_start(&info, options)?;
        self.window = Some(Opening { window, again: None, ended: false });
        Ok(true)
    }

    /// Goes to the sync sample at or before a time, as far as the container knows. It returns `false` where
    /// seeking fails. What the decoder gives out then is not cut to the window any more, because times alone
    /// tell frames apart.
    fn seek(&mut self, time: i64) -> Result<bool, MediaError> {
        let done = self.input.seek(self.stream, time).is_ok();
        self.pump.restart(&mut self.decoder);
        self.clock.restart();
        self.window = None;
        if self.filters.is_some() {
            self.filter(FilterStage::restart)?;
        }
        Ok(done)
    }

    /// Goes to the sync sample at or before a time of what is given out, like [`Decoding::seek`].
    pub(crate) fn seek_shown(&mut self, time: i64) -> Result<bool, MediaError> {
        let time = self.filters.as_ref().map_or(time, |stage| stage.source_ticks(time));
        self.seek(time)
    }

    /// Goes to the sync sample at or before a time like [`Decoding::seek`], and goes on to leave out what
    /// lies outside of the window. The time is one of what is given out.
    fn seek_within(&mut self, time: i64) -> Result<bool, MediaError> {
        let window = self.window.take().map(|opening| Opening { again: None, ..opening });
        let done = self.seek_shown(time)?;
        self.window = window;
        Ok(done)
    }

    /// Goes to a sync sample, or one before it, so that decoding begins with a sync sample. It returns
    /// `false` where that cannot be done, or one behind `latest` came.
    fn seek_to_sync(&mut self, time: i64, latest: i64) -> Result<bool, MediaError> {
        Ok(self.seek(time)? && self.pump.hold_sync_sample(&mut self.input, latest))
    }

    /// Returns the pictures of a frame, filtered, with the side data of the frame attached.
    pub(crate) fn pictures(&mut self, content: FrameContent, frame: u64) -> Result<Pictures, MediaError> {
        let decoded = match content {
            FrameContent::Filtered(pictures) => return Ok(pictures),
            FrameContent::Decoded(decoded) => decoded,
        };
        if self.filters.is_none() {
            let picture = self.in_the_form_of_the_film(decoded, frame)?;
            return Ok(Pictures { picture, unscaled: None });
        }
        let (picture, fields) = self.before_filters(decoded, frame)?;
        self.filter(|stage| stage.filter(&picture, fields))
    }

    /// Returns the picture of a decoded frame as filters take it, and its fields. Dynamic HDR metadata are
    /// left out, because they are true of the picture before filters alone.
    fn before_filters(
        &mut self,
        decoded: Decoded,
        frame: u64,
    ) -> Result<(PixelBuffer, Option<Fields>), MediaError> {
        let fields = self.film.of_frame(decoded.raw()).fields;
        let time = decoded.pts().map_or(0.0, |ticks| self.pump.seconds(ticks));
        let picture = self.in_the_form_of_the_film(decoded, frame)?;
        let mut beside = picture.attachments().clone();
        if beside.hdr10_plus().is_none() && beside.dolby_vision_rpu().is_none() {
            return Ok((picture, fields));
        }
        self.pump.findings.note(FindingKind::ConvertedMetadata, time, String::new);
        beside.remove_dynamic_hdr();
        Ok((picture.with_attachments(beside), fields))
    }

    /// Returns the picture of a decoded frame, in the form of the film before filters, with the side data of
    /// the frame attached.
    fn in_the_form_of_the_film(&mut self, decoded: Decoded, frame: u64) -> Result<PixelBuffer, MediaError> {
        let form = self.film.of_frame(decoded.raw());
        self.facts = FrameFacts { extras: decoded.raw().extras, form: Some(form) };
        let time = decoded.pts().map_or(0.0, |ticks| self.pump.seconds(ticks));
        let findings = &mut self.pump.findings;
        findings.note_extras(decoded.raw().extras, time);
        for (kind, detail) in self.film.differences(&form) {
            findings.note(kind, time, || detail);
        }
        let mut beside = decoded.side_data();
        let (width, height) = (form.width, form.height);
        let picture = self.in_its_own_form(decoded, &form, frame)?;
        if !self.film.needs_transfer(&form) {
            return Ok(picture.with_attachments(beside));
        }
        if beside.hdr10_plus().is_some() || beside.dolby_vision_rpu().is_some() {
            self.pump.findings.note(FindingKind::ConvertedMetadata, time, String::new);
            beside.remove_dynamic_hdr();
        }
        let refuse = |detail: String| MediaError::Convert {
            file: self.file.clone(),
            frame,
            pixels: format!("{width}×{height}"),
            detail,
        };
        let source = picture.with_attachments(form.attachments());
        match self.film.transfer(&mut self.transfer, &source) {
            Ok(picture) => Ok(picture.with_attachments(beside)),
            // What has no conversion keeps its values, because a wrong guess would be no better.
            Err(error) => {
                self.pump.findings.note(FindingKind::ForeignColour, time, || error.to_string());
                let kept = Form { colour: self.film.colour, ..form };
                let source = source.with_attachments(kept.attachments());
                let converted = self.film.transfer(&mut self.transfer, &source);
                let converted = converted.map_err(|error| refuse(error.to_string()))?;
                Ok(converted.with_attachments(beside))
            }
        }
    }

    /// Returns the picture of a decoded frame in its own size and colours, converted to the reader's format.
    fn in_its_own_form(
        &mut self,
        decoded: Decoded,
        form: &Form,
        frame: u64,
    ) -> Result<PixelBuffer, MediaError> {
        let decoded = match decoded.into_picture(self.format, form.width, form.height) {
            Ok(picture) => return Ok(picture),
            Err(decoded) => decoded,
        };
        let convert = |detail: String| MediaError::Convert {
            file: self.file.clone(),
            frame,
            pixels: decoded.pixels(),
            detail,
        };
        if decoded.raw().pixels.convertible == 0 {
            return Err(convert("its layout is not known to the scaler".into()));
        }
        let scaler = match &mut self.scaler {
            Some(scaler) => scaler,
            none => none.insert(Scaler::open().map_err(|failure| convert(failure.message().into()))?),
        };
        scaler
            .convert(&decoded, self.format, form.width, form.height, self.film.colour.matrix)
            .map_err(|failure| convert(failure.message().into()))
    }
}
