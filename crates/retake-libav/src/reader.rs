//! Decodes a film from start to end, and holds the part that range readers share.

use crate::clock::Clock;
use crate::decoder::{Decoded, Decoder, Scaler, code};
use crate::error::MediaError;
use crate::film::FilmInfo;
use crate::frame::Frame;
use crate::input::Input;
use crate::pump::Pump;
use retake_media::{PixelBuffer, PixelFormat};
use std::path::PathBuf;

/// Chooses format and threads of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReaderOptions {
    /// The format of the pictures, [`PixelFormat::I420`] or [`PixelFormat::I010`];
    /// [`VideoTrack::format`](crate::VideoTrack::format) costs least.
    pub format: PixelFormat,
    /// The number of threads of the decoder; 0 takes one per processor.
    pub threads: u32,
}

/// Gives out all frames of a film, from the first to the last.
pub struct FrameReader {
    decoding: Decoding,
    clock: Clock,
    index: u64,
}

impl FrameReader {
    /// Opens a film at its first frame.
    ///
    /// # Errors
    /// Returns [`MediaError::NotSeekable`] for the second reader of a pipe; else fails like
    /// [`probe`](crate::probe()).
    pub fn open(info: &FilmInfo, options: ReaderOptions) -> Result<Self, MediaError> {
        let decoding = Decoding::open(info, options)?;
        Ok(Self { decoding, clock: Clock::new(&info.video), index: 0 })
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
        let Some(decoded) = self.decoding.next(self.index)? else {
            if self.index == 0 {
                let (file, detail) = (self.decoding.file.clone(), self.decoding.pump.complaint());
                return Err(MediaError::NoFrames { file, detail });
            }
            if self.decoding.input.has_changed() {
                let file = self.decoding.file.clone();
                return Err(MediaError::SourceChanged { file, frame: self.index });
            }
            return Ok(None);
        };
        let (pts, duration) = self.clock.stamp(decoded.pts(), decoded.raw().duration);
        let sync = decoded.raw().key != 0;
        let picture = self.decoding.picture(decoded, self.index)?;
        let index = self.index;
        self.index += 1;
        Ok(Some(Frame { index, pts, duration, sync, picture }))
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
        self.clock.repaired()
    }

    /// Returns how many frames had another size than the first, and were scaled to it.
    pub fn rescaled(&self) -> u64 {
        self.decoding.rescaled
    }
}

/// Joins demuxer, decoder and conversion, for linear and for range readers.
pub(crate) struct Decoding {
    pub(crate) file: PathBuf,
    stream: u32,
    input: Input,
    decoder: Decoder,
    pub(crate) pump: Pump,
    scaler: Option<Scaler>,
    format: PixelFormat,
    width: u32,
    height: u32,
    matrix: u8,
    rescaled: u64,
}

impl Decoding {
    pub(crate) fn open(info: &FilmInfo, options: ReaderOptions) -> Result<Self, MediaError> {
        let file = info.path.clone();
        let video = &info.video;
        if code(options.format).is_none() {
            let detail =
                format!("{:?} was asked for, and films are decoded to I420 and I010", options.format);
            return Err(MediaError::Convert { file, frame: 0, pixels: video.pixel_format.clone(), detail });
        }
        let mut input = if info.seekable {
            Input::open_again(info)?
        } else {
            info.opened.take().ok_or_else(|| MediaError::NotSeekable { file: file.clone() })?
        };
        if input.film().streams as u32 <= video.index {
            return Err(MediaError::SourceChanged { file, frame: 0 });
        }
        input.select(|index| index == video.index);
        let decoder = Decoder::open(&input, video.index, options.threads)
            .map_err(|failure| MediaError::internal(&file, "the decoder cannot be opened", &failure))?;
        Ok(Self {
            file,
            stream: video.index,
            input,
            decoder,
            pump: Pump::new(video.index),
            scaler: None,
            format: options.format,
            width: video.width,
            height: video.height,
            matrix: video.colour.matrix,
            rescaled: 0,
        })
    }

    /// Returns the next decoded frame; `frame` is its number, for errors.
    pub(crate) fn next(&mut self, frame: u64) -> Result<Option<Decoded>, MediaError> {
        self.pump
            .next(&mut self.input, &mut self.decoder)
            .map_err(|failure| self.pump.read_error(&self.file, frame, &self.input, &failure))
    }

    /// Goes to the sync sample at or before a time, as far as the container knows. It returns `false` where
    /// seeking fails.
    pub(crate) fn seek(&mut self, time: i64) -> bool {
        let done = self.input.seek(self.stream, time).is_ok();
        self.pump.restart(&mut self.decoder);
        done
    }

    /// Returns the picture of a decoded frame, converted where needed.
    pub(crate) fn picture(&mut self, decoded: Decoded, frame: u64) -> Result<PixelBuffer, MediaError> {
        let raw = decoded.raw();
        if (raw.width, raw.height) != (self.width as i32, self.height as i32) {
            self.rescaled += 1;
        }
        let decoded = match decoded.into_picture(self.format, self.width, self.height) {
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
            .convert(&decoded, self.format, self.width, self.height, self.matrix)
            .map_err(|failure| convert(failure.message().into()))
    }
}
