//! Opens a library and finds the description of its stream.

use crate::bitstream::Bitstream;
use crate::controls::crop;
use crate::headers;
use crate::library::Library;
use crate::raw::Fault;
use crate::settings::Lowered;
use crate::shim::Shim;
use retake_compression::encoder::{EncoderError, EncoderSettings};
use retake_media::{CleanAperture, Codec, FormatDescription};

/// An open library, and the facts about its stream.
pub(crate) struct Opened {
    pub(crate) shim: Shim,
    pub(crate) bitstream: Bitstream,
    pub(crate) description: FormatDescription,
}

fn refused(name: &'static str, fault: Fault) -> EncoderError {
    match fault.setting.is_empty() {
        true => EncoderError::Open { encoder: name, reason: fault.reason },
        false => EncoderError::Settings { encoder: name, setting: fault.setting, reason: fault.reason },
    }
}

/// Opens a library for the second of its own passes. The description by [`open`] remains true for the stream.
pub(crate) fn open_second(
    library: &Library,
    settings: &EncoderSettings,
    statistics: Vec<u8>,
) -> Result<Shim, EncoderError> {
    let lowered = Lowered::new(library, settings)?.second_pass(statistics);
    Shim::open(library.spec.shim, lowered.raw()).map_err(|fault| refused(library.spec.name, fault))
}

/// Opens a library, for the first of its own passes if it makes two, and asks it for its headers.
pub(crate) fn open(library: &Library, settings: &EncoderSettings) -> Result<Opened, EncoderError> {
    let (name, codec) = (library.spec.name, library.spec.codec);
    let refused = |fault| refused(name, fault);
    let mut lowered = Lowered::new(library, settings)?;
    if settings.controls.first_pass.is_some() {
        lowered = lowered.first_pass();
    }
    let mut shim = Shim::open(library.spec.shim, lowered.raw()).map_err(refused)?;
    let headers = match library.spec.dear_headers {
        true => headers::cached(name, settings, || shim.headers()),
        false => shim.headers(),
    };
    let (bitstream, config) =
        Bitstream::new(codec, &headers.map_err(refused)?, settings, library.avcodec.is_some())
            .map_err(|reason| EncoderError::Open { encoder: name, reason })?;
    let mut description = FormatDescription {
        clean_aperture: settings.controls.clean_aperture,
        fields: settings.controls.fields,
        config,
        colour: settings.colour,
        pixel_aspect_ratio: settings.pixel_aspect_ratio,
        mastering_display: settings.mastering_display,
        content_light: settings.content_light,
        dolby_vision: settings.controls.dolby_vision,
        ..FormatDescription::video(codec, settings.width, settings.height)
    };
    // An H.264 decoder gives out only the part that is left.
    if let (Codec::H264, Some([left, top, right, bottom])) = (codec, crop(settings)) {
        (description.width, description.height) =
            (settings.width - left - right, settings.height - top - bottom);
        description.clean_aperture = Some(CleanAperture::full(description.width, description.height));
    }
    Ok(Opened { shim, bitstream, description })
}
