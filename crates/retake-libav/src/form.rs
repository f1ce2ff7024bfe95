//! The form of pictures: what holds for all frames of a film, although its source may change on the way.

use crate::ffi::RawFrame;
use crate::film::VideoTrack;
use crate::finding::FindingKind;
use crate::probe::{colour, fields, ratio};
use crate::transfer::PictureTransfer;
use retake_media::{
    Attachment, Attachments, Colour, Fields, PixelBuffer, PixelBufferAttributes, PixelTransfer, Range,
    Rational, ScalingMode, TransferError, TransferOptions, WritableBuffer,
};
use serde::{Deserialize, Serialize};

/// The form of a film, or of one of its frames.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Form {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) colour: Colour,
    pub(crate) aspect: Rational,
    pub(crate) fields: Option<Fields>,
    pub(crate) matrix: Option<[i32; 9]>,
    /// Whether the aspect ratio is the container's word, whatever frames state.
    pub(crate) states_aspect: bool,
    pub(crate) pictures_state_fields: bool,
    pub(crate) pictures_state_range: bool,
    pub(crate) pictures_state_colour: bool,
}

/// What a frame says beside its picture, as far as anything is told of it. Some of it is said once and holds
/// for all frames that follow, so that a reader that begins later may not hear of it.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct FrameFacts {
    pub(crate) extras: u32,
    pub(crate) form: Option<Form>,
}

impl Form {
    pub(crate) fn of(video: &VideoTrack) -> Self {
        Self {
            width: video.width,
            height: video.height,
            colour: video.colour,
            aspect: video.pixel_aspect_ratio,
            fields: video.fields,
            matrix: video.display_matrix,
            states_aspect: video.states_aspect,
            pictures_state_fields: video.pictures_state_fields,
            pictures_state_range: video.pictures_state_range,
            pictures_state_colour: video.pictures_state_colour,
        }
    }

    /// Returns the form of a frame of this film. What a frame does not state is as in the film.
    pub(crate) fn of_frame(&self, raw: &RawFrame) -> Self {
        let film = &self.colour;
        let own = colour(raw.colour, raw.colour, &raw.pixels, raw.height);
        let (light, unknown) = (|transfer: u8| matches!(transfer, 16 | 18), |code: u8| code == 2);
        let states = !unknown(own.primaries) || !unknown(own.transfer) || !unknown(own.matrix);
        // Players take pictures that state nothing for BT.709. Among pictures that state the high dynamic
        // range of the film that is another colour, and what a container states holds for all.
        let plain = light(film.transfer) && self.pictures_state_colour && !states && raw.pixels.rgb == 0;
        let own = match plain {
            true => Colour { primaries: 1, transfer: 1, matrix: 1, ..own },
            false => own,
        };
        // The other way round it cannot be kept as if it were none.
        let differs = light(own.transfer) && unknown(film.transfer);
        let known = |own: u8, film: u8, none: u8| match own == none || film == none && !differs {
            true => film,
            false => own,
        };
        let colour = Colour {
            primaries: known(own.primaries, film.primaries, 2),
            transfer: known(own.transfer, film.transfer, 2),
            // Red, green and blue become what the film has.
            matrix: if raw.pixels.rgb != 0 { film.matrix } else { known(own.matrix, film.matrix, 2) },
            range: if own.range_known || self.pictures_state_range { own.range } else { film.range },
            range_known: true,
            chroma_location: known(own.chroma_location, film.chroma_location, 0),
        };
        let aspect = Some(ratio(raw.aspect)).filter(|aspect| aspect.is_positive() && !self.states_aspect);
        Self {
            width: raw.width.unsigned_abs(),
            height: raw.height.unsigned_abs(),
            colour,
            aspect: aspect.unwrap_or(self.aspect),
            fields: match raw.interlaced {
                0 if !self.pictures_state_fields => self.fields,
                order => fields(order, 0),
            },
            matrix: (raw.has_matrix != 0).then_some(raw.matrix).or(self.matrix),
            ..*self
        }
    }

    /// Returns whether frames of the other form must be converted to be frames of this film.
    pub(crate) fn needs_transfer(&self, other: &Self) -> bool {
        self.resizes(other) || self.reshapes(other) || self.changes_range(other) || self.changes_colour(other)
    }

    fn resizes(&self, other: &Self) -> bool {
        (self.width, self.height) != (other.width, other.height)
    }

    fn reshapes(&self, other: &Self) -> bool {
        let cross = |a: Rational, b: Rational| i64::from(a.num) * i64::from(b.den);
        cross(self.aspect, other.aspect) != cross(other.aspect, self.aspect)
    }

    fn changes_range(&self, other: &Self) -> bool {
        self.colour.range != other.colour.range
    }

    fn changes_colour(&self, other: &Self) -> bool {
        let codes = |colour: &Colour| (colour.primaries, colour.transfer, matrix(colour.matrix));
        codes(&self.colour) != codes(&other.colour)
    }

    /// Names the ways in which a frame differs from the film.
    pub(crate) fn differences(&self, frame: &Self) -> Vec<(FindingKind, String)> {
        let mut found = Vec::new();
        if self.resizes(frame) {
            let detail = format!("{}×{} became {}×{}", frame.width, frame.height, self.width, self.height);
            found.push((FindingKind::Size, detail));
        } else if self.reshapes(frame) {
            found.push((FindingKind::Shape, format!("{} became {}", frame.aspect, self.aspect)));
        }
        if self.changes_range(frame) {
            let name = |range| if range == Range::Full { "full range" } else { "limited range" };
            let detail = format!("{} became {}", name(frame.colour.range), name(self.colour.range));
            found.push((FindingKind::Range, detail));
        }
        if self.changes_colour(frame) {
            let codes = |c: &Colour| format!("{}/{}/{}", c.primaries, c.transfer, c.matrix);
            let detail = format!(
                "{} became {} (codes of H.273 for primaries, transfer and matrix)",
                codes(&frame.colour),
                codes(&self.colour)
            );
            found.push((FindingKind::Colour, detail));
        }
        if self.fields.and_then(Fields::top_first) != frame.fields.and_then(Fields::top_first) {
            let detail = match (self.fields, frame.fields) {
                (None, _) => "their two fields (interlaced) are coded as whole frames, as the film is",
                (_, None) => "they are whole, and coded as two fields (interlaced), as the film is",
                _ => "their fields come in the other order than the film's",
            };
            found.push((FindingKind::Fields, detail.to_owned()));
        }
        if self.matrix != frame.matrix {
            found.push((FindingKind::Rotation, String::new()));
        }
        found
    }

    /// Returns what a picture of this form says about itself in a transfer.
    pub(crate) fn attachments(&self) -> Attachments {
        let colour = Colour { range_known: true, ..self.colour };
        Attachments::default()
            .with(Attachment::Colour(colour))
            .with(Attachment::PixelAspectRatio(self.aspect))
    }

    /// Converts a picture to this form, with bars where its shape is another one.
    pub(crate) fn transfer(
        &self,
        transfer: &mut PictureTransfer,
        source: &PixelBuffer,
    ) -> Result<PixelBuffer, TransferError> {
        let mut attributes = PixelBufferAttributes::of(source.format(), self.width, self.height);
        attributes.attachments = self.attachments();
        let mut made = WritableBuffer::create(&attributes).map_err(|_| TransferError::OutOfMemory)?;
        let options = TransferOptions {
            scaling_mode: ScalingMode::Letterbox,
            destination_pixel_aspect_ratio: Some(self.aspect),
            ..TransferOptions::default()
        };
        transfer.transfer(source, &mut made, &options)?;
        Ok(made.freeze().with_attachments(Attachments::default()))
    }
}

/// Returns one code for the two of BT.601's matrix.
fn matrix(code: u8) -> u8 {
    if code == 5 { 6 } else { code }
}
