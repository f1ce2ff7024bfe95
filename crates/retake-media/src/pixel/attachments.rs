//! What is said about a picture beside its samples.

use crate::{CleanAperture, Colour, ContentLight, MasteringDisplay, Rational};
use serde::{Deserialize, Serialize};

/// Something that is known about a picture.
#[derive(Debug, Clone, PartialEq)]
pub enum Attachment {
    /// How its samples are to be seen.
    #[doc(alias = "kCVImageBufferColorPrimariesKey")]
    #[doc(alias = "kCVImageBufferTransferFunctionKey")]
    #[doc(alias = "kCVImageBufferYCbCrMatrixKey")]
    Colour(Colour),
    /// Width of a pixel over its height.
    #[doc(alias = "kCVImageBufferPixelAspectRatioKey")]
    PixelAspectRatio(Rational),
    /// The part that is meant to be seen.
    #[doc(alias = "kCVImageBufferCleanApertureKey")]
    CleanAperture(CleanAperture),
    /// How fields are woven into the picture.
    #[doc(alias = "kCVImageBufferFieldCountKey")]
    #[doc(alias = "kCVImageBufferFieldDetailKey")]
    Fields(Fields),
    /// HDR10: the display that the film was mastered on.
    #[doc(alias = "kCVImageBufferMasteringDisplayColorVolumeKey")]
    MasteringDisplay(MasteringDisplay),
    /// HDR10: how light the film is.
    #[doc(alias = "kCVImageBufferContentLightLevelInfoKey")]
    ContentLight(ContentLight),
    /// Whether colours are multiplied with alpha already.
    #[doc(alias = "kCVImageBufferAlphaChannelModeKey")]
    AlphaMode(AlphaMode),
    /// Anything else, under a name of the client's. It goes along, and is not looked at.
    Other(String, AttachmentValue),
}

/// By what an [`Attachment`] is found.
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
    Other(String),
}

/// A value of a client's own.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // the names say it
pub enum AttachmentValue {
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    Data(Vec<u8>),
}

/// Whether an attachment goes along when a picture is made from another.
#[doc(alias = "CVAttachmentMode")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttachmentMode {
    /// It is about this buffer only.
    #[doc(alias = "kCVAttachmentMode_ShouldNotPropagate")]
    DoNotPropagate = 0,
    /// It is about the picture, and goes along.
    #[doc(alias = "kCVAttachmentMode_ShouldPropagate")]
    Propagate = 1,
}

/// Whether colours are multiplied with alpha.
#[doc(alias = "kVTCompressionPropertyKey_AlphaChannelMode")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AlphaMode {
    /// They are not.
    #[doc(alias = "kCVImageBufferAlphaChannelMode_StraightAlpha")]
    Straight,
    /// They are.
    #[doc(alias = "kCVImageBufferAlphaChannelMode_PremultipliedAlpha")]
    Premultiplied,
}

/// How a picture is made of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fields {
    /// 1 progressive, 2 interlaced.
    #[doc(alias = "kVTCompressionPropertyKey_FieldCount")]
    pub count: u8,
    /// How the two fields are arranged, if it is known.
    pub detail: Option<FieldDetail>,
}

/// How two fields lie in compressed data and in time. In the memory of a picture, their rows alternate.
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
    /// Whether the field with the first row is the earlier one.
    pub const fn is_top_first(self) -> bool {
        matches!(self, Self::TemporalTopFirst | Self::SpatialFirstLineEarly)
    }

    /// The number that QuickTime, ISO and Matroska files have for it.
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
    /// Two fields; top field first where nobody says which is earlier. None: whole frames.
    pub fn top_first(self) -> Option<bool> {
        (self.count == 2).then(|| self.detail.is_none_or(FieldDetail::is_top_first))
    }
}

impl Attachment {
    /// By what it is found.
    pub fn key(&self) -> AttachmentKey {
        match self {
            Self::Colour(_) => AttachmentKey::Colour,
            Self::PixelAspectRatio(_) => AttachmentKey::PixelAspectRatio,
            Self::CleanAperture(_) => AttachmentKey::CleanAperture,
            Self::Fields(_) => AttachmentKey::Fields,
            Self::MasteringDisplay(_) => AttachmentKey::MasteringDisplay,
            Self::ContentLight(_) => AttachmentKey::ContentLight,
            Self::AlphaMode(_) => AttachmentKey::AlphaMode,
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

/// What is known about a picture: at most one [`Attachment`] of each key. Empty by default.
#[doc(alias = "CVBufferSetAttachments")]
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Attachments(Vec<(Attachment, AttachmentMode)>);

/// Getters of the attachments that have a type of their own.
macro_rules! typed {
    ($($(#[$doc:meta])* $name:ident: $variant:ident -> $type:ty;)*) => {
        $($(#[$doc])*
        pub fn $name(&self) -> Option<$type> {
            self.0.iter().find_map(|(attachment, _)| match attachment {
                Attachment::$variant(value) => Some(*value),
                _ => None,
            })
        })*
    };
}

impl Attachments {
    /// Nothing.
    pub const NONE: Self = Self(Vec::new());

    typed! {
        /// [`Attachment::Colour`], as it was attached: see [`PixelBuffer::colour`](crate::PixelBuffer::colour) for what holds.
        colour: Colour -> Colour;
        /// [`Attachment::PixelAspectRatio`].
        pixel_aspect_ratio: PixelAspectRatio -> Rational;
        /// [`Attachment::CleanAperture`].
        clean_aperture: CleanAperture -> CleanAperture;
        /// [`Attachment::Fields`].
        fields: Fields -> Fields;
        /// [`Attachment::MasteringDisplay`].
        mastering_display: MasteringDisplay -> MasteringDisplay;
        /// [`Attachment::ContentLight`].
        content_light: ContentLight -> ContentLight;
        /// [`Attachment::AlphaMode`].
        alpha_mode: AlphaMode -> AlphaMode;
    }

    /// Attaches something, in place of what had the same key.
    #[doc(alias = "CVBufferSetAttachment")]
    pub fn set(&mut self, attachment: Attachment, mode: AttachmentMode) {
        let key = attachment.key();
        match self.0.iter_mut().find(|(old, _)| old.has_key(&key)) {
            Some(entry) => *entry = (attachment, mode),
            None => self.0.push((attachment, mode)),
        }
    }

    /// The same as [`Attachments::set`] for what goes along with the picture, in a chain of calls.
    #[must_use]
    pub fn with(mut self, attachment: Attachment) -> Self {
        self.set(attachment, AttachmentMode::Propagate);
        self
    }

    /// What is attached under a key, and whether it goes along.
    #[doc(alias = "CVBufferCopyAttachment")]
    pub fn get(&self, key: &AttachmentKey) -> Option<(&Attachment, AttachmentMode)> {
        self.iter().find(|(attachment, _)| attachment.has_key(key))
    }

    /// Takes away what is attached under a key.
    #[doc(alias = "CVBufferRemoveAttachment")]
    pub fn remove(&mut self, key: &AttachmentKey) -> Option<Attachment> {
        let found = self.0.iter().position(|(attachment, _)| attachment.has_key(key))?;
        Some(self.0.remove(found).0)
    }

    /// Takes away everything.
    #[doc(alias = "CVBufferRemoveAllAttachments")]
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// All attachments, in the order in which their keys were first set.
    pub fn iter(&self) -> impl Iterator<Item = (&Attachment, AttachmentMode)> {
        self.0.iter().map(|(attachment, mode)| (attachment, *mode))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Attaches what goes along with a picture that was made from one with these; it replaces what has the same keys.
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

    /// Spec 12.1, attachments: one for each key, and only those that propagate go along.
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

    /// A name of the client's is never mistaken for a key of ours.
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
