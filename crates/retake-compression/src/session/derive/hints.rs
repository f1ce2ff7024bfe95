use super::colour::encoded_colour;
use crate::property::{PropertyKey, Values};
use retake_media::{
    CleanAperture, Colour, ContentLight, Fields, MasteringDisplay, PixelBuffer, PixelFormat, Rational, Time,
    dolby_vision_profile,
};

/// What the first frame says about all of them. It counts where the properties say nothing (EF-9), because a
/// client that tagged its pictures must not have to repeat the tags. The default is that of a session that
/// has seen no frame yet.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Hints {
    /// How the pictures lie in memory; `None` leaves the choice to the encoder.
    pub format: Option<PixelFormat>,
    /// The colour tags of the stream, see [`Hints::of`].
    pub colour: Colour,
    /// Width of a pixel over its height. Default: 1:1.
    pub pixel_aspect_ratio: Rational,
    /// The part of the picture that is meant to be seen, and the width and height of the picture that it is
    /// part of, in pixels.
    pub clean_aperture: Option<(CleanAperture, (u32, u32))>,
    /// The fields of the picture, and the width and height of the picture that is made of them, in pixels.
    pub fields: Option<(Fields, (u32, u32))>,
    /// HDR10 mastering display.
    pub mastering_display: Option<MasteringDisplay>,
    /// HDR10 content light level.
    pub content_light: Option<ContentLight>,
    /// Whether frames bring Dolby Vision metadata of profile 8. Default: false.
    pub dolby_vision: bool,
    /// How long the first frame is shown: the frame rate follows from it. Default: not known.
    pub duration: Time,
    /// Whether frames bring quantizers of their own.
    pub base_qp: bool,
    /// Whether a frame said all this. Default: false.
    pub from_frame: bool,
}

impl Hints {
    /// What a frame says about itself. Colours that are red, green and blue become the tags of what they are
    /// converted to. `base_qp` is whether the frame came with a quantizer.
    pub fn of(picture: &PixelBuffer, duration: Time, base_qp: bool) -> Self {
        let known = picture.attachments();
        let size = (picture.width(), picture.height());
        Self {
            format: Some(picture.format()),
            colour: encoded_colour(picture),
            pixel_aspect_ratio: known.pixel_aspect_ratio().unwrap_or(Rational::new(1, 1)),
            clean_aperture: known.clean_aperture().map(|aperture| (aperture, size)),
            fields: known.fields().map(|fields| (fields, size)),
            mastering_display: known.mastering_display(),
            content_light: known.content_light(),
            dolby_vision: known.dolby_vision_rpu().is_some_and(|rpu| dolby_vision_profile(&rpu) == Some(8)),
            duration,
            base_qp,
            from_frame: true,
        }
    }
}

impl Default for Hints {
    fn default() -> Self {
        Self {
            format: None,
            colour: Colour::default(),
            pixel_aspect_ratio: Rational::new(1, 1),
            clean_aperture: None,
            fields: None,
            mastering_display: None,
            content_light: None,
            dolby_vision: false,
            duration: Time::INVALID,
            base_qp: false,
            from_frame: false,
        }
    }
}

/// What a picture says of itself that a stream can say only once, and what it brings for itself alone. Unlike
/// [`Hints`], it knows what the picture leaves open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::session) struct Said {
    colour: Colour,
    pixel_aspect_ratio: Option<Rational>,
    clean_aperture: Option<CleanAperture>,
    fields: Option<Fields>,
    mastering_display: Option<MasteringDisplay>,
    content_light: Option<ContentLight>,
    /// Its width and height.
    pub(super) size: (u32, u32),
    /// Whether it brings closed captions.
    pub(super) captions: bool,
    /// Whether it brings metadata of HDR10+.
    pub(super) hdr10_plus: bool,
    /// Whether it brings metadata of Dolby Vision.
    pub(super) dolby_vision: bool,
}

impl Said {
    pub(in crate::session) fn of(picture: &PixelBuffer) -> Self {
        let known = picture.attachments();
        // Matrix and range of red, green and blue are those of the conversion.
        let colour = match picture.format().is_rgb() {
            true => Colour { matrix: 2, range_known: false, ..picture.colour() },
            false => picture.colour(),
        };
        Self {
            colour,
            pixel_aspect_ratio: known.pixel_aspect_ratio(),
            clean_aperture: known.clean_aperture(),
            fields: known.fields(),
            mastering_display: known.mastering_display(),
            content_light: known.content_light(),
            size: (picture.width(), picture.height()),
            captions: known.captions().is_some_and(|packets| !packets.is_empty()),
            hdr10_plus: known.hdr10_plus().is_some_and(|message| !message.is_empty()),
            dolby_vision: known.dolby_vision_rpu().is_some_and(|rpu| !rpu.is_empty()),
        }
    }

    /// Whether this picture says something that the first picture, which the stream follows, did not say or
    /// says otherwise. What a property says in its place counts for all pictures, and is no difference.
    pub(in crate::session) fn departs_from(&self, first: &Self, values: &Values) -> bool {
        fn differs<V: PartialEq>(said: Option<V>, first: Option<V>) -> bool {
            said.is_some() && said != first
        }
        let unset = |keys: &[PropertyKey]| !keys.iter().any(|key| values.has(*key));
        let code = |code: u8| (code != 2).then_some(code);
        let (own, other) = (self.colour, first.colour);
        unset(&[PropertyKey::ColorPrimaries]) && differs(code(own.primaries), code(other.primaries))
            || unset(&[PropertyKey::TransferFunction, PropertyKey::GammaLevel])
                && differs(code(own.transfer), code(other.transfer))
            || unset(&[PropertyKey::YCbCrMatrix]) && differs(code(own.matrix), code(other.matrix))
            // What does not state its range is taken for limited.
            || own.range_known && own.range != other.range
            || unset(&[PropertyKey::PixelAspectRatio])
                && differs(self.pixel_aspect_ratio, first.pixel_aspect_ratio)
            || unset(&[PropertyKey::CleanAperture]) && differs(self.clean_aperture, first.clean_aperture)
            || unset(&[PropertyKey::FieldCount]) && differs(self.fields, first.fields)
            || unset(&[PropertyKey::MasteringDisplayColorVolume])
                && differs(self.mastering_display, first.mastering_display)
            || unset(&[PropertyKey::ContentLightLevelInfo])
                && differs(self.content_light, first.content_light)
    }
}
