//! Attachments state facts about a picture that its samples do not.

use crate::{CleanAperture, Colour, ContentLight, MasteringDisplay, Rational};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One fact about a picture.
#[derive(Debug, Clone, PartialEq)]
pub enum Attachment {
    /// The colour tags of the samples.
    #[doc(alias = "kCVImageBufferColorPrimariesKey")]
    #[doc(alias = "kCVImageBufferTransferFunctionKey")]
    #[doc(alias = "kCVImageBufferYCbCrMatrixKey")]
    Colour(Colour),
    /// The width of a pixel divided by its height.
    #[doc(alias = "kCVImageBufferPixelAspectRatioKey")]
    PixelAspectRatio(Rational),
    /// The part of the picture that is meant to be seen.
    #[doc(alias = "kCVImageBufferCleanApertureKey")]
    CleanAperture(CleanAperture),
    /// The way in which fields are woven into the picture.
    #[doc(alias = "kCVImageBufferFieldCountKey")]
    #[doc(alias = "kCVImageBufferFieldDetailKey")]
    Fields(Fields),
    /// The display that the film was mastered on (HDR10).
    #[doc(alias = "kCVImageBufferMasteringDisplayColorVolumeKey")]
    MasteringDisplay(MasteringDisplay),
    /// The light level of the film (HDR10).
    #[doc(alias = "kCVImageBufferContentLightLevelInfoKey")]
    ContentLight(ContentLight),
    /// Whether colours are multiplied with alpha already.
    #[doc(alias = "kCVImageBufferAlphaChannelModeKey")]
    AlphaMode(AlphaMode),
    /// The rotation or mirroring of the picture for display: nine numbers as in ISO base media files, the
    /// first six in 16.16, the last three in 2.30.
    #[doc(alias = "preferredTransform")]
    DisplayMatrix([i32; 9]),
    /// The closed captions that come with the frame (CEA-608, CEA-708): `cc_data` of ATSC A/53 part 4, 6.2.3,
    /// three bytes for each `cc_data_pkt`.
    #[doc(alias = "A53")]
    Captions(Arc<[u8]>),
    /// The dynamic metadata of HDR10+ (SMPTE ST 2094-40): a whole message of ITU-T T.35, from the country
    /// code `0xB5` on.
    #[doc(alias = "ST 2094-40")]
    Hdr10Plus(Arc<[u8]>),
    /// The dynamic metadata of Dolby Vision: an RPU as in a NAL unit of type 62, without the unit's header
    /// and its emulation prevention, from the prefix `0x19` to the trailing `0x80`.
    #[doc(alias = "RPU")]
    DolbyVisionRpu(Arc<[u8]>),
    /// Any other fact, under a name of the client's. It propagates like the others, and is not interpreted.
    Other(String, AttachmentValue),
}

/// The key that an [`Attachment`] is found by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // the variants are those of `Attachment`
pub enum AttachmentKey {
    Colour,
    PixelAspectRatio,
    CleanAperture,
    Fields,
    MasteringDisplay,
    ContentLight,
    AlphaMode,
    DisplayMatrix,
    Captions,
    Hdr10Plus,
    DolbyVisionRpu,
    Other(String),
}

/// A value that only the client interprets.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // the names say it
pub enum AttachmentValue {
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    Data(Vec<u8>),
}

/// States whether an attachment goes along when a picture is made from another.
#[doc(alias = "CVAttachmentMode")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttachmentMode {
    /// The attachment is about this buffer only.
    #[doc(alias = "kCVAttachmentMode_ShouldNotPropagate")]
    DoNotPropagate = 0,
    /// The attachment is about the picture, so it goes along.
    #[doc(alias = "kCVAttachmentMode_ShouldPropagate")]
    Propagate = 1,
}

/// States whether colours are multiplied with alpha.
#[doc(alias = "kVTCompressionPropertyKey_AlphaChannelMode")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AlphaMode {
    /// Colours are not multiplied with alpha.
    #[doc(alias = "kCVImageBufferAlphaChannelMode_StraightAlpha")]
    Straight,
    /// Colours are multiplied with alpha.
    #[doc(alias = "kCVImageBufferAlphaChannelMode_PremultipliedAlpha")]
    Premultiplied,
}

/// States how a picture is made of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fields {
    /// The number of fields: 1 is progressive, 2 interlaced.
    #[doc(alias = "kVTCompressionPropertyKey_FieldCount")]
    pub count: u8,
    /// The arrangement of the two fields, if it is known.
    pub detail: Option<FieldDetail>,
}

/// States how two fields lie in compressed data and in time. In the memory of a picture their rows always
/// alternate.
#[doc(alias = "kVTCompressionPropertyKey_FieldDetail")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FieldDetail {
    /// One field is stored behind the other; the top field is the earlier one.
    #[doc(alias = "kCVImageBufferFieldDetailTemporalTopFirst")]
    TemporalTopFirst,
    /// One field is stored behind the other; the bottom field is the earlier one.
    #[doc(alias = "kCVImageBufferFieldDetailTemporalBottomFirst")]
    TemporalBottomFirst,
    /// Rows are stored alternately; the field with the first row is the earlier one.
    #[doc(alias = "kCVImageBufferFieldDetailSpatialFirstLineEarly")]
    SpatialFirstLineEarly,
    /// Rows are stored alternately; the field with the first row is the later one.
    #[doc(alias = "kCVImageBufferFieldDetailSpatialFirstLineLate")]
    SpatialFirstLineLate,
}

impl FieldDetail {
    /// Returns whether the field with the first row is the earlier one.
    pub const fn is_top_first(self) -> bool {
        matches!(self, Self::TemporalTopFirst | Self::SpatialFirstLineEarly)
    }

    /// Returns the number that QuickTime, ISO and Matroska files use for it.
    pub const fn code(self) -> u8 {
        match self {
            Self::TemporalTopFirst => 1,
            Self::TemporalBottomFirst => 6,
            Self::SpatialFirstLineEarly => 9,
            Self::SpatialFirstLineLate => 14,
        }
    }
}

impl Fields {
    /// Returns whether the top field is the earlier of two, which is assumed where the order is not known;
    /// `None` for whole frames.
    pub fn top_first(self) -> Option<bool> {
        (self.count == 2).then(|| self.detail.is_none_or(FieldDetail::is_top_first))
    }
}

impl Attachment {
    /// Returns the key that the attachment is found by.
    pub fn key(&self) -> AttachmentKey {
        match self {
            Self::Colour(_) => AttachmentKey::Colour,
            Self::PixelAspectRatio(_) => AttachmentKey::PixelAspectRatio,
            Self::CleanAperture(_) => AttachmentKey::CleanAperture,
            Self::Fields(_) => AttachmentKey::Fields,
            Self::MasteringDisplay(_) => AttachmentKey::MasteringDisplay,
            Self::ContentLight(_) => AttachmentKey::ContentLight,
            Self::AlphaMode(_) => AttachmentKey::AlphaMode,
            Self::DisplayMatrix(_) => AttachmentKey::DisplayMatrix,
            Self::Captions(_) => AttachmentKey::Captions,
            Self::Hdr10Plus(_) => AttachmentKey::Hdr10Plus,
            Self::DolbyVisionRpu(_) => AttachmentKey::DolbyVisionRpu,
            Self::Other(name, _) => AttachmentKey::Other(name.clone()),
        }
    }

    fn has_key(&self, key: &AttachmentKey) -> bool {
        match (self, key) {
            (Self::Other(name, _), AttachmentKey::Other(wanted)) => name == wanted,
            (Self::Other(..), _) | (_, AttachmentKey::Other(_)) => false,
            _ => self.key() == *key,
        }
    }
}

/// All that is known about a picture: at most one [`Attachment`] of each key. It is empty by default.
#[doc(alias = "CVBufferSetAttachments")]
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Attachments(Vec<(Attachment, AttachmentMode)>);

/// Makes getters of the attachments that have a type of their own.
macro_rules! typed {
    ($($(#[$doc:meta])* $name:ident: $variant:ident -> $type:ty;)*) => {
        $($(#[$doc])*
        pub fn $name(&self) -> Option<$type> {
            self.0.iter().find_map(|(attachment, _)| match attachment {
                Attachment::$variant(value) => Some(value.clone()),
                _ => None,
            })
        })*
    };
}

impl Attachments {
    /// No attachments at all.
    pub const NONE: Self = Self(Vec::new());

    typed! {
        /// Returns [`Attachment::Colour`] as it was attached;
        /// [`PixelBuffer::colour`](crate::PixelBuffer::colour) returns the tags that hold.
        colour: Colour -> Colour;
        /// Returns [`Attachment::PixelAspectRatio`].
        pixel_aspect_ratio: PixelAspectRatio -> Rational;
        /// Returns [`Attachment::CleanAperture`].
        clean_aperture: CleanAperture -> CleanAperture;
        /// Returns [`Attachment::Fields`].
        fields: Fields -> Fields;
        /// Returns [`Attachment::MasteringDisplay`].
        mastering_display: MasteringDisplay -> MasteringDisplay;
        /// Returns [`Attachment::ContentLight`].
        content_light: ContentLight -> ContentLight;
        /// Returns [`Attachment::AlphaMode`].
        alpha_mode: AlphaMode -> AlphaMode;
        /// Returns [`Attachment::DisplayMatrix`].
        display_matrix: DisplayMatrix -> [i32; 9];
        /// Returns [`Attachment::Captions`].
        captions: Captions -> Arc<[u8]>;
        /// Returns [`Attachment::Hdr10Plus`].
        hdr10_plus: Hdr10Plus -> Arc<[u8]>;
        /// Returns [`Attachment::DolbyVisionRpu`].
        dolby_vision_rpu: DolbyVisionRpu -> Arc<[u8]>;
    }

    /// Attaches a fact, in place of the one that had the same key.
    #[doc(alias = "CVBufferSetAttachment")]
    pub fn set(&mut self, attachment: Attachment, mode: AttachmentMode) {
        let key = attachment.key();
        match self.0.iter_mut().find(|(old, _)| old.has_key(&key)) {
            Some(entry) => *entry = (attachment, mode),
            None => self.0.push((attachment, mode)),
        }
    }

    /// Attaches a fact that propagates, like [`Attachments::set`], in a chain of calls.
    #[must_use]
    pub fn with(mut self, attachment: Attachment) -> Self {
        self.set(attachment, AttachmentMode::Propagate);
        self
    }

    /// Returns the attachment under a key, and whether it propagates.
    #[doc(alias = "CVBufferCopyAttachment")]
    pub fn get(&self, key: &AttachmentKey) -> Option<(&Attachment, AttachmentMode)> {
        self.iter().find(|(attachment, _)| attachment.has_key(key))
    }

    /// Removes the attachment under a key and returns it.
    #[doc(alias = "CVBufferRemoveAttachment")]
    pub fn remove(&mut self, key: &AttachmentKey) -> Option<Attachment> {
        let found = self.0.iter().position(|(attachment, _)| attachment.has_key(key))?;
        Some(self.0.remove(found).0)
    }

    /// Removes the dynamic HDR metadata, which describe light and places of the very picture that they came
    /// with: of a picture of other colours, another size or another direction they are not true.
    pub fn remove_dynamic_hdr(&mut self) {
        self.remove(&AttachmentKey::Hdr10Plus);
        self.remove(&AttachmentKey::DolbyVisionRpu);
    }

    /// Removes all attachments.
    #[doc(alias = "CVBufferRemoveAllAttachments")]
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Iterates over all attachments, in the order in which their keys were first set.
    pub fn iter(&self) -> impl Iterator<Item = (&Attachment, AttachmentMode)> {
        self.0.iter().map(|(attachment, mode)| (attachment, *mode))
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Attaches the propagating ones to a picture that was made from the picture with these; they replace
    /// those with the same keys.
    #[doc(alias = "CVBufferPropagateAttachments")]
    pub fn propagate_to(&self, other: &mut Self) {
        for (attachment, mode) in self.iter().filter(|(_, mode)| *mode == AttachmentMode::Propagate) {
            other.set(attachment.clone(), mode);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AttachmentMode::{DoNotPropagate, Propagate};

    fn note(name: &str, value: i64) -> Attachment {
        Attachment::Other(name.to_owned(), AttachmentValue::Integer(value))
    }

    /// Spec 12.1, attachments: each key has one, and only those that propagate go along.
    #[test]
    fn only_what_propagates_goes_along() {
        let mut source = Attachments::NONE.with(Attachment::AlphaMode(AlphaMode::Straight));
        source.set(note("scene", 3), Propagate);
        source.set(note("scratch", 4), DoNotPropagate);
        source.set(Attachment::PixelAspectRatio(Rational::new(4, 3)), DoNotPropagate);
        source.set(note("scene", 5), Propagate);
        assert_eq!(source.iter().count(), 4);

        let mut made = Attachments::default();
        made.set(note("scene", 1), DoNotPropagate);
        made.set(note("own", 2), Propagate);
        source.propagate_to(&mut made);
        let expected = [(note("scene", 5), Propagate), (note("own", 2), Propagate)];
        let alpha = (Attachment::AlphaMode(AlphaMode::Straight), Propagate);
        let expected: Vec<_> = expected.into_iter().chain([alpha]).collect();
        assert_eq!(made.iter().map(|(a, m)| (a.clone(), m)).collect::<Vec<_>>(), expected);
        assert_eq!((made.alpha_mode(), made.pixel_aspect_ratio()), (Some(AlphaMode::Straight), None));
    }

    /// A name that a client chose must never be mistaken for a key of ours.
    #[test]
    fn keys_are_kept_apart() {
        let mut all = Attachments::default();
        all.set(note("Colour", 1), Propagate);
        assert_eq!((all.colour(), all.get(&AttachmentKey::Colour)), (None, None));
        assert_eq!(all.remove(&AttachmentKey::Colour), None);
        let key = AttachmentKey::Other("Colour".to_owned());
        assert_eq!(all.get(&key), Some((&note("Colour", 1), Propagate)));
        assert_eq!(all.remove(&key), Some(note("Colour", 1)));
        assert!(all.is_empty());
    }
}
