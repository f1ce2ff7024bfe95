//! Adds a video track to a film that is being written.

use crate::container::Container;
use crate::decoder::code;
use crate::failure::{Failure, c_text};
use crate::ffi::{self, Ratio, RawColour, RawHdr, RawVideo};
use crate::note::Note;
use crate::output::Output;
use retake_media::{
    ChromaSubsampling, Codec, Colour, DolbyVision, FieldDetail, FormatDescription, PixelFormat, Range,
    Rational,
};

/// The value of `FF_LEVEL_UNKNOWN` and `FF_PROFILE_UNKNOWN`.
const UNKNOWN: i32 = -99;

/// A video track that is to be written.
#[derive(Clone, Copy)]
pub(crate) struct NewVideo<'a> {
    pub(crate) container: Container,
    pub(crate) format: &'a FormatDescription,
    pub(crate) time_base: Rational,
    pub(crate) frame_rate: Rational,
    pub(crate) display_matrix: Option<[i32; 9]>,
    pub(crate) disposition: i32,
    pub(crate) encoder: &'a str,
}

/// Adds the video track to an output, with everything that players must know before the first sample.
pub(crate) fn add_video(
    settings: NewVideo<'_>,
    output: &mut Output,
    notes: &mut Vec<Note>,
) -> Result<u32, Failure> {
    let NewVideo { format, container, disposition, .. } = settings;
    let codec = c_text(descriptor(format.codec));
    let encoder = c_text(settings.encoder);
    let vp9 = (format.codec == Codec::Vp9).then(|| Vp9::read(&format.config)).flatten();
    // The writer makes vpcC from the parameters; elsewhere a VP9 track has no record.
    let config = match format.codec {
        Codec::Vp9 | Codec::ProRes => &[],
        _ => format.config.as_slice(),
    };
    let (profile, level) = vp9.as_ref().map_or((UNKNOWN, UNKNOWN), |vp9| (vp9.profile, vp9.level));
    let coded = vp9.map_or_else(|| pictures(format), |vp9| vp9.pictures);
    let picture = coded.and_then(code).unwrap_or(ffi::I420);
    let aspect =
        if format.pixel_aspect_ratio.is_positive() { format.pixel_aspect_ratio } else { Rational::new(1, 1) };
    let dolby_level = DolbyVision::level(format.width, format.height, settings.frame_rate.to_f64());
    // libavformat has no place for the record in QuickTime, and a film beyond all levels has none.
    let dolby_vision = format.dolby_vision.zip(dolby_level).filter(|_| container != Container::Mov);
    let track = output.video(&RawVideo {
        codec: codec.as_ptr(),
        width: format.width as i32,
        height: format.height as i32,
        picture,
        timescale: 0,
        level,
        profile,
        tag: tag(format, container),
        time_base: ratio(settings.time_base),
        frame_rate: ratio(settings.frame_rate),
        aspect: ratio(aspect),
        config: config.as_ptr(),
        config_size: config.len(),
        colour: colour(&format.colour),
        hdr: hdr(format),
        has_matrix: i32::from(settings.display_matrix.is_some()),
        matrix: settings.display_matrix.unwrap_or_default(),
        disposition,
        fields: fields(format),
        dolby_vision: dolby_vision.map_or(0, |(known, _)| known.profile.into()),
        dolby_vision_level: dolby_vision.map_or(0, |(_, level)| level.into()),
        dolby_vision_compatibility: dolby_vision.map_or(0, |(known, _)| known.compatibility.into()),
        encoder: encoder.as_ptr(),
    })?;
    if settings.display_matrix.is_some_and(|matrix| matrix != IDENTITY) && !keeps_rotation(container) {
        let text = format!("the rotation of the picture cannot be written to {container} by this FFmpeg");
        notes.push(Note {
            track: None,
            text: format!("{text}: players will show it as it was filmed; MP4 keeps it"),
        });
    }
    let mut lost = |what: &str, keeps: &str| {
        let text = format!("{what} cannot be written to {container}: {keeps} keeps it");
        notes.push(Note { track: None, text });
    };
    if format.icc_profile.is_some() && !container.is_iso() {
        lost("the colour profile of the picture", "MP4");
    }
    if format.dolby_vision.is_some() && dolby_vision.is_none() {
        lost("the configuration of Dolby Vision", "MP4 at a usual size and rate");
    }
    // BT.470's two gammas have names in the tags of all containers.
    if format.gamma.is_some() && container != Container::Mov && !matches!(format.colour.transfer, 4 | 5) {
        lost("the gamma level of the picture", "MOV");
    }
    Ok(track)
}

/// Returns the sample entry code of a track; 0 where FFmpeg's own choice is right.
fn tag(format: &FormatDescription, container: Container) -> u32 {
    let code = match format.codec {
        Codec::Hevc if container.is_iso() => format.codec.four_cc(),
        // The profile is nowhere else, and FFmpeg makes the private data of Matroska of it, too.
        Codec::ProRes => format.config.first_chunk().copied().unwrap_or(format.codec.four_cc()),
        _ => return 0,
    };
    u32::from_le_bytes(code)
}

/// Returns the name that FFmpeg knows a codec by.
const fn descriptor(codec: Codec) -> &'static str {
    match codec {
        Codec::Mpeg2 => "mpeg2video",
        _ => codec.name(),
    }
}

const IDENTITY: [i32; 9] = [1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30];

/// Returns whether the container can be written with a rotation; FFmpeg does so for Matroska since version
/// 7.0 (libavformat 61).
fn keeps_rotation(container: Container) -> bool {
    let [format, ..] = crate::failure::library_versions();
    let major = format.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    container.is_iso() || major >= 61
}

/// The content of a `vpcC` record.
#[derive(Debug, PartialEq, Eq)]
struct Vp9 {
    profile: i32,
    level: i32,
    pictures: Option<PixelFormat>,
}

impl Vp9 {
    /// Reads the record, with or without the version and flags of its box.
    fn read(config: &[u8]) -> Option<Self> {
        let fields = if config.len() >= 12 && config[..4] == [1, 0, 0, 0] { &config[4..] } else { config };
        let (&profile, &level, &packed) = (fields.first()?, fields.get(1)?, fields.get(2)?);
        let chroma = match packed >> 1 & 7 {
            2 => ChromaSubsampling::Yuv422,
            3 => ChromaSubsampling::Yuv444,
            _ => ChromaSubsampling::Yuv420,
        };
        let pictures = PixelFormat::planar(chroma, u32::from(packed >> 4));
        Some(Self { profile: profile.into(), level: level.into(), pictures })
    }
}

/// Returns the pictures of a stream, as its configuration record states them (ISO/IEC 14496-15, 5.3.3.1 and
/// 8.3.3.1; AV1 in ISOBMFF, 2.3.3). `None` for a record that cannot be read.
fn pictures(format: &FormatDescription) -> Option<PixelFormat> {
    let config = &format.config;
    let at = |index: usize| config.get(index).copied();
    let idc = |idc: u8| ChromaSubsampling::ALL[usize::from(idc & 3)];
    match format.codec {
        Codec::Hevc => PixelFormat::planar(idc(at(16)?), 8 + u32::from(at(17)? & 7)),
        Codec::Av1 => {
            let flags = at(2)?;
            let depth = if flags & 0x40 != 0 { 10 } else { 8 };
            let chroma = match (flags & 0x10 != 0, flags & 0x08 != 0, flags & 0x04 != 0) {
                (true, ..) => ChromaSubsampling::Monochrome,
                (_, true, true) => ChromaSubsampling::Yuv420,
                (_, true, false) => ChromaSubsampling::Yuv422,
                (_, false, _) => ChromaSubsampling::Yuv444,
            };
            PixelFormat::planar(chroma, depth)
        }
        Codec::H264 => {
            // Chroma and depths stand behind one SPS and one PPS, and are missing for the profiles below
            // High.
            let length = |index: usize| Some(usize::from(u16::from_be_bytes([at(index)?, at(index + 1)?])));
            let pps = 8 + length(6)? + 1;
            let facts = pps + 2 + length(pps)?;
            match (at(facts), at(facts + 1)) {
                (Some(chroma), Some(depth)) => PixelFormat::planar(idc(chroma), 8 + u32::from(depth & 7)),
                _ => Some(PixelFormat::I420),
            }
        }
        Codec::Vp9 | Codec::Vvc | Codec::Mpeg4 | Codec::Mpeg2 | Codec::ProRes => None,
    }
}

/// Returns how two fields are arranged: rows alternate, unless the description states otherwise.
fn fields(format: &FormatDescription) -> i32 {
    let two = format.fields.filter(|fields| fields.count == 2);
    two.map_or(0, |fields| fields.detail.unwrap_or(FieldDetail::SpatialFirstLineEarly).code().into())
}

fn ratio(ratio: Rational) -> Ratio {
    Ratio { num: ratio.num, den: ratio.den }
}

fn colour(colour: &Colour) -> RawColour {
    let range = match (colour.range_known, colour.range) {
        (false, _) => 0,
        (true, Range::Limited) => 1,
        (true, Range::Full) => 2,
    };
    RawColour {
        primaries: colour.primaries.into(),
        transfer: colour.transfer.into(),
        matrix: colour.matrix.into(),
        range,
        chroma_location: colour.chroma_location.into(),
    }
}

fn hdr(format: &FormatDescription) -> RawHdr {
    let mut hdr = RawHdr::default();
    if let Some(mastering) = format.mastering_display {
        hdr.has_mastering = 1;
        hdr.primaries_gbr = mastering.primaries_gbr;
        hdr.white_point = mastering.white_point;
        hdr.max_luminance = mastering.max_luminance;
        hdr.min_luminance = mastering.min_luminance;
    }
    if let Some(light) = format.content_light {
        hdr.has_light = 1;
        hdr.max_content = light.max_content;
        hdr.max_average = light.max_frame_average;
    }
    hdr
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vp9_record_is_read_with_and_without_its_box_head() {
        let fields = [2, 31, 0xA2, 9, 16, 9, 0, 0];
        let expected = Some(Vp9 { profile: 2, level: 31, pictures: Some(PixelFormat::I010) });
        assert_eq!(Vp9::read(&fields), expected);
        assert_eq!(Vp9::read(&[&[1, 0, 0, 0], &fields[..]].concat()), expected);
        assert_eq!(Vp9::read(&[1]), None);
        let wide = Vp9::read(&[1, 31, 0x86, 2, 2, 2, 0, 0]).and_then(|vp9| vp9.pictures);
        assert_eq!(wide, Some(PixelFormat::I444));
    }
}
