//! One input as its writer's state knows it: by its number. What the client set up, what it brought, and what
//! is to be done for it.

use super::passes::{PassMachine, Shape};
use super::readiness::Readiness;
use crate::types::error::Mistake;
use crate::types::media::{MediaSample, MediaType};
use crate::types::options::{InputOptions, MediaDataLocation};
use retake_libav::TrackFormat;
use retake_media::{Time, TimeRange};
use std::collections::VecDeque;

/// The number of a track in its writer, in the order in which inputs were added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TrackId(usize);

impl TrackId {
    pub(crate) const fn new(index: usize) -> Self {
        Self(index)
    }

    pub(crate) const fn index(self) -> usize {
        self.0
    }
}

/// Where the samples of a track come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrackSource {
    /// The client.
    Samples,
    /// An encoder, of pictures.
    Pictures,
    /// An encoder, of sound.
    Sound,
    /// An encoder, of captions.
    Captions,
    /// An encoder, of timed metadata.
    Metadata,
}

impl TrackSource {
    /// What it takes instead of something else.
    pub(crate) const fn wrong_media(self) -> Mistake {
        match self {
            Self::Samples => Mistake::SAMPLES,
            Self::Pictures => Mistake::PICTURES,
            Self::Sound => Mistake::SOUND,
            Self::Captions => Mistake::CAPTIONS,
            Self::Metadata => Mistake::METADATA,
        }
    }
}

/// What a client appends by, where it is not the input itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AppendMode {
    Adaptor,
    SampleReceiver,
    PixelBufferReceiver,
    SoundReceiver,
    CaptionAdaptor,
    CaptionReceiver,
    MetadataAdaptor,
    MetadataReceiver,
}

/// What is set up of a track before its writer starts.
#[derive(Debug, Clone)]
pub(crate) struct TrackSetup {
    pub(crate) source: TrackSource,
    pub(crate) media_type: MediaType,
    /// What comes out of it, as far as that is known.
    pub(crate) format: Option<TrackFormat>,
    pub(crate) options: InputOptions,
    /// Set once.
    pub(crate) mode: Option<AppendMode>,
    /// Its group decides whether its track is enabled.
    pub(crate) grouped: bool,
    /// Whether its encoder takes several passes, once that was opened.
    pub(crate) takes_passes: Option<bool>,
}

impl TrackSetup {
    pub(crate) fn new(source: TrackSource, media_type: MediaType, format: Option<TrackFormat>) -> Self {
        let (options, mode, grouped, takes_passes) = (InputOptions::default(), None, false, None);
        Self { source, media_type, format, options, mode, grouped, takes_passes }
    }

    /// Whether an encoder of the writer makes the samples.
    pub(crate) fn encodes(&self) -> bool {
        self.source != TrackSource::Samples
    }

    /// Whether the first sample is to say the format of the track (AI-1).
    pub(crate) fn is_unhinted(&self) -> bool {
        !self.encodes() && self.format.is_none()
    }

    /// Whether several passes can be had. Before its encoder was opened, the switch decides (AM-3).
    pub(crate) fn can_perform_multiple_passes(&self) -> bool {
        self.options.multi_pass && self.encodes() && self.takes_passes.unwrap_or(true)
    }

    /// Changes options, all at once or not at all.
    pub(crate) fn configure(&mut self, options: InputOptions) -> Result<(), Mistake> {
        options.check()?;
        if self.grouped && options.enabled != self.options.enabled {
            return Err(Mistake::BadValue("the group of the input decides whether its track is enabled"));
        }
        self.options = options;
        Ok(())
    }

    /// Makes something the only one that appends.
    pub(crate) fn set_mode(&mut self, mode: AppendMode) -> Result<(), Mistake> {
        match self.mode {
            Some(_) => Err(Mistake::Adapted),
            None => {
                self.mode = Some(mode);
                Ok(())
            }
        }
    }

    /// Whether this could append to it.
    pub(crate) fn fits(&self, mode: AppendMode) -> bool {
        match self.source {
            TrackSource::Samples => mode == AppendMode::SampleReceiver,
            TrackSource::Pictures => matches!(mode, AppendMode::Adaptor | AppendMode::PixelBufferReceiver),
            TrackSource::Sound => mode == AppendMode::SoundReceiver,
            TrackSource::Captions => {
                matches!(mode, AppendMode::CaptionAdaptor | AppendMode::CaptionReceiver)
            }
            TrackSource::Metadata => {
                matches!(mode, AppendMode::MetadataAdaptor | AppendMode::MetadataReceiver)
            }
        }
    }

    /// A sample that says its format says that of the track.
    pub(crate) fn check_format(&self, sample: &MediaSample) -> Result<(), Mistake> {
        match (&sample.format, &self.format) {
            (Some(format), Some(TrackFormat::Video(own))) if **format == *own => Ok(()),
            // the first sample decides, where nothing was said before
            (Some(_), None) => Ok(()),
            (None, None) => {
                Err(Mistake::WrongMedia("samples that say their format: it was made without one"))
            }
            (Some(_), _) => Err(Mistake::WrongMedia("samples of the format that it was made with")),
            (None, Some(own)) if !sample.is_marker() => {
                own.refuses(&sample.sample.data).map_or(Ok(()), |what| Err(Mistake::WrongMedia(what)))
            }
            (None, _) => Ok(()),
        }
    }
}

/// Media on its way into an encoder, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    /// A picture.
    Picture { time: Time, shape: Shape },
    /// A stretch of sound; `sample` is how long one sample is.
    Sound { time: Time, length: Time, sample: Time },
    /// A text. Of subtitles, several may be shown at once.
    Caption { range: TimeRange, overlaps: bool },
    /// A group of metadata; one without a duration holds until the next.
    Group { range: TimeRange },
}

impl Media {
    pub(crate) fn time(&self) -> Time {
        match *self {
            Self::Picture { time, .. } | Self::Sound { time, .. } => time,
            Self::Caption { range, .. } | Self::Group { range } => range.start,
        }
    }
}

/// What takes long with the encoder of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrackTask {
    /// End a pass, and find out what the next is to bring.
    EndPass,
    /// Give the interleaver all that the encoder holds.
    Drain,
}

/// One track of a writer.
#[derive(Debug)]
pub(crate) struct TrackState {
    pub(crate) setup: TrackSetup,
    pub(crate) readiness: Readiness,
    pub(crate) passes: PassMachine,
    /// The decode time of the last sample, the time of the last picture of this pass, or the end of the
    /// sound; of text and metadata, the earliest time that the next may have.
    pub(crate) last: Option<Time>,
    /// When the last text or group of metadata began.
    began: Option<Time>,
    pub(crate) appended: u64,
    /// What is to be done one after the other, so that an input that is told to end ends after the pass that
    /// is being ended, not instead of it.
    pub(super) tasks: VecDeque<TrackTask>,
    /// Whether somebody does the tasks, and looks for more before it stops.
    pub(super) worked_on: bool,
}

impl TrackState {
    pub(crate) fn new(setup: TrackSetup) -> Self {
        Self {
            setup,
            readiness: Readiness::default(),
            passes: PassMachine::new(),
            last: None,
            began: None,
            appended: 0,
            tasks: VecDeque::new(),
            worked_on: false,
        }
    }

    /// Whether all other tracks wait until this one is finished.
    pub(super) fn comes_first(&self) -> bool {
        let first = self.setup.options.media_data_location == MediaDataLocation::BeforeMainNotInterleaved;
        first || self.passes.is_multiple()
    }

    /// Whether this can come next (AD-4, AM-20); sound where the last stretch ended, within a sample.
    pub(super) fn admits(&self, media: &Media) -> Result<(), Mistake> {
        match *media {
            Media::Picture { time, shape } => {
                if self.last.is_some_and(|last| time <= last) {
                    return Err(Mistake::TimeGoesBack(time));
                }
                self.passes.admits_picture(time, shape, self.last)
            }
            Media::Sound { time, sample, .. } => {
                self.passes.admits(time)?;
                match self.last {
                    Some(end) if time + sample <= end => Err(Mistake::TimeGoesBack(time)),
                    Some(end) if time >= end + sample => Err(Mistake::SoundGap(end)),
                    _ => Ok(()),
                }
            }
            Media::Caption { range, overlaps } => self.admits_range(range, overlaps),
            Media::Group { range } => self.admits_range(range, false),
        }
    }

    /// Whether what holds for a while can come next: for a positive time or, if it ends with the next, for
    /// none that is said.
    fn admits_range(&self, range: TimeRange, overlaps: bool) -> Result<(), Mistake> {
        let TimeRange { start, duration } = range;
        self.passes.admits(start)?;
        let open = duration == Time::INVALID && self.setup.source == TrackSource::Metadata;
        if !open && (!duration.is_numeric() || duration <= Time::ZERO) {
            return Err(Mistake::BadTime(duration));
        }
        if self.began.is_some_and(|began| start < began || start == began && !overlaps) {
            return Err(Mistake::TimeGoesBack(start));
        }
        if self.last.is_some_and(|last| start < last) {
            return Err(Mistake::Overlaps(start));
        }
        Ok(())
    }

    /// Takes note of what came.
    pub(super) fn took(&mut self, media: &Media) {
        self.appended += 1;
        self.last = Some(match *media {
            Media::Picture { time, shape } => {
                self.passes.took(time, shape);
                if self.appended == 1 && self.setup.options.transform.is_none() {
                    // What the client says of the track has precedence over what pictures say of themselves.
                    self.setup.options.transform = shape.display_matrix;
                }
                time
            }
            Media::Sound { time, length, .. } => self.last.unwrap_or(time) + length,
            Media::Caption { range, overlaps: true } => {
                self.began = Some(range.start);
                range.start
            }
            Media::Caption { range, .. } | Media::Group { range } => {
                self.began = Some(range.start);
                if range.duration.is_numeric() { range.end() } else { range.start }
            }
        });
    }
}
