//! Colour: the tags of a stream, its HDR metadata, and what of both only the description can hold.

use super::{Hints, Said, structure};
use crate::encoder::is_light_of_pq;
use crate::property::{Environment, HdrMetadataInsertionMode, Values, set_value};
use retake_media::{
    Colour, ContentLight, DolbyVision, FormatDescription, MasteringDisplay, PixelBuffer, Range,
};

/// The tags of a stream of pictures like this one. Red, green and blue become BT.709 in limited range unless
/// the picture says which matrix, because that is what the conversion makes of them; all other pictures keep
/// their tags.
pub(super) fn encoded_colour(picture: &PixelBuffer) -> Colour {
    let colour = picture.colour();
    if !picture.format().is_rgb() {
        return colour;
    }
    let matrix = if matches!(colour.matrix, 0 | 2) { 1 } else { colour.matrix };
    Colour { matrix, range: Range::Limited, range_known: true, ..colour }
}

/// The tags to signal: those of the properties, and those of the source where no property says anything.
pub(super) fn colour(values: &Values, source: Colour) -> Colour {
    Colour {
        primaries: set_value!(values, ColorPrimaries).map_or(source.primaries, |one| one.code_point()),
        transfer: match (set_value!(values, TransferFunction), set_value!(values, GammaLevel)) {
            (Some(function), _) => function.code_point(),
            (None, Some(&gamma)) => gamma_code_point(gamma),
            (None, None) => source.transfer,
        },
        matrix: set_value!(values, YCbCrMatrix).map_or(source.matrix, |one| one.code_point()),
        ..source
    }
}

/// H.273 names two gammas. Of all others only a container can tell, so the stream says "unspecified".
fn gamma_code_point(gamma: f64) -> u8 {
    let named = [(2.2, 4), (2.8, 5)].into_iter().find(|(known, _)| (gamma - known).abs() < 1e-6);
    named.map_or(2, |(_, code)| code)
}

/// The transfer functions, by their code points, of streams that static HDR metadata describes: that of a
/// stream which does not say its own may be one of them.
const HDR_TRANSFERS: [u8; 3] = [2, 16, 18];

/// Whether the client turned off HDR metadata of any kind (HD-1).
fn inserts_nothing(values: &Values) -> bool {
    set_value!(values, HDRMetadataInsertionMode) == Some(&HdrMetadataInsertionMode::None)
}

/// Whether dynamic HDR metadata that frames bring are carried through (HD-4). They are unless somebody says
/// otherwise, because nothing here would make others in their place.
pub(super) fn keeps_dynamic_hdr(values: &Values) -> bool {
    !inserts_nothing(values) && set_value!(values, PreserveDynamicHDRMetadata) != Some(&false)
}

/// What the output can state of Dolby Vision: something where frames bring metadata, the encoder carries
/// them, and its picture alone is HDR of ten bits.
pub(super) fn dolby_vision(
    environment: &Environment<'_>,
    values: &Values,
    hints: &Hints,
) -> Option<DolbyVision> {
    let carried = hints.dolby_vision && environment.info.controls.dolby_vision && keeps_dynamic_hdr(values);
    let format = structure::format(environment, values, hints).ok().filter(|_| carried)?;
    DolbyVision::of_hevc(colour(values, hints.colour)).filter(|_| format.bit_depth() == 10)
}

/// Whether a picture brings side data that no sample will carry, and that the client did not turn off.
pub(in crate::session) fn loses_side_data(
    environment: &Environment<'_>,
    values: &Values,
    hints: &Hints,
    said: &Said,
) -> bool {
    let support = &environment.info.controls;
    let plus = || support.hdr10_plus && is_light_of_pq(colour(values, hints.colour).transfer);
    // of a picture that is scaled they describe places that are no longer there
    let scaled = said.size != (environment.width, environment.height);
    let dynamic = || {
        scaled && (said.hdr10_plus || said.dolby_vision)
            || said.hdr10_plus && !plus()
            || said.dolby_vision && dolby_vision(environment, values, hints).is_none()
    };
    said.captions && !support.captions || keeps_dynamic_hdr(values) && dynamic()
}

/// The HDR10 metadata to signal: none where the client turned its insertion off, or where the output is of
/// standard range (HD-2).
pub(super) fn hdr(values: &Values, hints: &Hints) -> (Option<MasteringDisplay>, Option<ContentLight>) {
    if inserts_nothing(values) || !HDR_TRANSFERS.contains(&colour(values, hints.colour).transfer) {
        return (None, None);
    }
    let display = set_value!(values, MasteringDisplayColorVolume).copied().or(hints.mastering_display);
    let light = set_value!(values, ContentLightLevelInfo).copied().or(hints.content_light);
    (display, light)
}

/// An encoder's description with what only containers can say.
pub(in crate::session) fn described(values: &Values, format: &FormatDescription) -> FormatDescription {
    FormatDescription {
        gamma: set_value!(values, GammaLevel).copied(),
        icc_profile: set_value!(values, ICCProfile).cloned(),
        ..format.clone()
    }
}
