//! The kinds of file that films are written to, and the tracks that each can hold.

use crate::error::MediaError;
use crate::film::{TrackInfo, TrackKind};
use crate::output::{can_hold, can_hold_named, notes_delay};
use crate::track_format::TrackFormat;
use retake_media::{AudioFormat, Codec, TextFormat};
use std::fmt;
use std::path::Path;

/// A kind of file that films are written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Container {
    /// MPEG-4 part 14: `.mp4`, `.m4v`.
    Mp4,
    /// QuickTime: `.mov`.
    Mov,
    /// Matroska: `.mkv`.
    Mkv,
    /// The part of Matroska for the web: `.webm`.
    WebM,
}

/// Decides how a track of the source is treated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Its packets are copied.
    Copy,
    /// Its text is written in this form.
    Convert(&'static str),
    /// It becomes a file inside the film.
    Attach,
    /// It is left out, and a note must tell people why.
    LeaveOut(String),
    /// It is left out without a note, because nothing is lost with it.
    Ignore,
}

impl Container {
    /// All containers.
    pub const ALL: [Self; 4] = [Self::Mp4, Self::Mov, Self::Mkv, Self::WebM];

    /// Returns the container that a file name ends in.
    ///
    /// # Errors
    /// Returns [`MediaError::UnknownContainer`], which lists the known endings.
    pub fn from_path(path: &Path) -> Result<Self, MediaError> {
        let ending =
            path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
        match ending.as_str() {
            "mp4" | "m4v" => Ok(Self::Mp4),
            "mov" | "qt" => Ok(Self::Mov),
            "mkv" => Ok(Self::Mkv),
            "webm" => Ok(Self::WebM),
            _ => Err(MediaError::UnknownContainer { file: path.into() }),
        }
    }

    /// Returns the name for people: `MP4`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mp4 => "MP4",
            Self::Mov => "MOV",
            Self::Mkv => "MKV",
            Self::WebM => "WebM",
        }
    }

    /// Returns FFmpeg's name of the writer.
    pub(crate) const fn muxer(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Mov => "mov",
            Self::Mkv => "matroska",
            Self::WebM => "webm",
        }
    }

    /// Returns whether the file is made of ISO boxes: times are exact to the tick, and it can start fast.
    pub const fn is_iso(self) -> bool {
        matches!(self, Self::Mp4 | Self::Mov)
    }

    /// Returns whether video of this codec can be written, and is played in this container.
    pub const fn can_hold(self, codec: Codec) -> bool {
        match self {
            Self::Mp4 => !matches!(codec, Codec::ProRes),
            // Matroska's mapping of VVC is not written by any libavformat yet.
            Self::Mkv => !matches!(codec, Codec::Vvc),
            Self::Mov => {
                matches!(codec, Codec::H264 | Codec::Hevc | Codec::Mpeg4 | Codec::Mpeg2 | Codec::ProRes)
            }
            Self::WebM => matches!(codec, Codec::Av1 | Codec::Vp9),
        }
    }

    /// Refuses video of a codec that the container cannot hold.
    pub(crate) fn check(self, codec: Codec) -> Result<(), MediaError> {
        if self.can_hold(codec) {
            return Ok(());
        }
        let remedy = match self {
            Self::WebM => "choose AV1 or VP9, or write an .mkv or .mp4 file",
            Self::Mov => "choose H.264, HEVC or ProRes, or write an .mp4 or .mkv file",
            Self::Mp4 => "write a .mov or .mkv file",
            Self::Mkv => "write an .mp4 file",
        };
        Err(MediaError::CannotHold {
            container: self.name(),
            codec: codec.name().to_ascii_uppercase(),
            remedy,
        })
    }

    /// Returns whether a track of this format can be written, and is played in this container. ISO files hold
    /// timecodes, timed metadata, and text in forms of their own; Matroska holds text as SubRip or WebVTT,
    /// and WebM as WebVTT. Texts of QuickTime, which are not shown, become the chapters of Matroska and WebM.
    /// QuickTime alone holds closed captions.
    pub fn can_hold_track(self, format: &TrackFormat) -> bool {
        match format {
            TrackFormat::Video(format) => self.can_hold(format.codec),
            TrackFormat::Audio(format) => self.can_hold_sound(&format.codec),
            TrackFormat::Text(TextFormat::SubRip) => self == Self::Mkv,
            TrackFormat::Text(TextFormat::WebVtt) => matches!(self, Self::Mkv | Self::WebM),
            TrackFormat::Text(TextFormat::QuickTimeText) => true,
            TrackFormat::ClosedCaptions => self == Self::Mov,
            TrackFormat::Text(_) | TrackFormat::Timecode(_) | TrackFormat::Metadata(_) => self.is_iso(),
        }
    }

    /// Returns whether the samples of such a track are written as chapters of the film, which has no track of
    /// them then.
    pub(crate) fn makes_chapters(self, format: &TrackFormat) -> bool {
        !self.is_iso() && matches!(format, TrackFormat::Text(TextFormat::QuickTimeText))
    }

    /// Refuses a track that the container cannot hold.
    pub(crate) fn check_track(self, format: &TrackFormat) -> Result<(), MediaError> {
        if self.can_hold_track(format) {
            return Ok(());
        }
        let codec = match format {
            TrackFormat::Text(_) => "text of this form",
            TrackFormat::Timecode(_) => "timecodes",
            TrackFormat::ClosedCaptions => "closed captions",
            _ => "timed metadata",
        };
        let remedy = match format {
            TrackFormat::Text(_) => "choose the container's own form of text",
            TrackFormat::ClosedCaptions => "write an .mov file",
            _ => "write an .mov or .mp4 file",
        };
        Err(MediaError::CannotHold { container: self.name(), codec: codec.into(), remedy })
    }

    /// Decides how a track of the source is treated in this container.
    pub(crate) fn plan(self, track: &TrackInfo) -> Plan {
        let leave_out = |why: &str| Plan::LeaveOut(format!("{track} cannot go into {self}: left out{why}"));
        let mkv_can = "; MKV can hold it";
        match track.kind {
            TrackKind::Data if track.chapter_names => Plan::Ignore,
            TrackKind::Data => {
                Plan::LeaveOut(format!("{track} is left out: only pictures, sound and text are copied"))
            }
            TrackKind::Attachment if self == Self::Mkv => Plan::Copy,
            TrackKind::Attachment => leave_out(mkv_can),
            TrackKind::Cover if self == Self::Mkv => Plan::Attach,
            // FFmpeg writes none to QuickTime files, and says nothing.
            TrackKind::Cover
                if self == Self::Mp4 && matches!(track.codec.as_str(), "mjpeg" | "png" | "bmp") =>
            {
                Plan::Copy
            }
            TrackKind::Cover => {
                leave_out(if matches!(track.codec.as_str(), "mjpeg" | "png") { mkv_can } else { "" })
            }
            TrackKind::Subtitle => match self.subtitle(track) {
                Some(plan) => plan,
                None => leave_out(if can_hold("matroska", track.codec_id) { mkv_can } else { "" }),
            },
            TrackKind::Audio | TrackKind::Video if self.holds_as_is(track) => Plan::Copy,
            TrackKind::Audio | TrackKind::Video => {
                leave_out(if can_hold("matroska", track.codec_id) { mkv_can } else { "" })
            }
        }
    }

    /// Returns whether sound of this coding format (FFmpeg's name) can be written, and is played in this
    /// container.
    pub fn can_hold_sound(self, codec: &str) -> bool {
        self.plays(codec).unwrap_or_else(|| can_hold_named(self.muxer(), codec))
    }

    /// Returns whether a film in this container says how much at the start of such a track primes the decoder
    /// and is not heard: by edits in ISO files, by a delay in Matroska, which FFmpeg writes of some formats
    /// alone. Where it does not say so, that is heard, too.
    pub fn keeps_priming(self, format: &AudioFormat) -> bool {
        self.is_iso() || format.priming == 0 || notes_delay(self.muxer(), format)
    }

    fn holds_as_is(self, track: &TrackInfo) -> bool {
        self.plays(&track.codec).unwrap_or_else(|| can_hold(self.muxer(), track.codec_id))
    }

    /// Returns whether a coding format is played in this container, where that is known better than FFmpeg
    /// does.
    fn plays(self, codec: &str) -> Option<bool> {
        match self {
            Self::WebM => Some(matches!(codec, "vorbis" | "opus" | "vp8" | "vp9" | "av1")),
            // FFmpeg writes these only as an experiment, or players do not expect them there.
            Self::Mp4 if matches!(codec, "truehd" | "mlp") || codec.starts_with("pcm_") => Some(false),
            Self::Mov if matches!(codec, "truehd" | "mlp" | "opus" | "flac" | "vorbis" | "av1" | "vp9") => {
                Some(false)
            }
            _ => None,
        }
    }

    fn subtitle(self, track: &TrackInfo) -> Option<Plan> {
        let codec = track.codec.as_str();
        match self {
            Self::Mp4 | Self::Mov if codec == "mov_text" => Some(Plan::Copy),
            Self::Mp4 | Self::Mov if track.text => Some(Plan::Convert("mov_text")),
            Self::Mp4 if codec == "dvd_subtitle" => Some(Plan::Copy),
            Self::Mp4 | Self::Mov => None,
            Self::WebM if codec == "webvtt" => Some(Plan::Copy),
            Self::WebM if track.text => Some(Plan::Convert("webvtt")),
            Self::WebM => None,
            Self::Mkv if codec != "mov_text" && can_hold("matroska", track.codec_id) => Some(Plan::Copy),
            Self::Mkv if track.text => Some(Plan::Convert("subrip")),
            Self::Mkv => None,
        }
    }
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
