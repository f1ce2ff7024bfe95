//! Opens the parsers of the libraries' output to fuzzing. It is no part of the interface, because it is
//! compiled with `cfg(fuzzing)` alone.

use crate::bitstream::Bitstream;
use retake_compression::encoder::{EncoderSettings, RateControl};
use retake_media::{Codec, Colour, PixelFormat, Rational};

/// Returns the configuration record that headers become, and the sample that a payload becomes; `None` for a
/// payload that cannot be read.
///
/// # Errors
/// Returns the defect of the headers as text.
pub fn headers_and_payload(
    codec: u8,
    headers: &[u8],
    payload: &[u8],
) -> Result<(Vec<u8>, Option<Vec<u8>>), String> {
    let settings = EncoderSettings {
        width: 64,
        height: 64,
        format: PixelFormat::I420,
        frame_rate: Rational::new(25, 1),
        colour: Colour::default(),
        pixel_aspect_ratio: Rational::new(1, 1),
        mastering_display: None,
        content_light: None,
        preset: String::new(),
        rate: RateControl::Quality(30.0),
        limit: None,
        max_key_frame_interval: 0,
        threads: 1,
        reconstruct: false,
        controls: Default::default(),
        options: Vec::new(),
    };
    let codec = Codec::ALL[usize::from(codec) % Codec::ALL.len()];
    let (bitstream, config) = Bitstream::new(codec, headers, &settings, false)?;
    let sample = bitstream.sample(payload, true, None);
    // Sync samples differ from others only by the units put in front of them, and that cannot fail.
    assert_eq!(sample.is_ok(), bitstream.sample(payload, false, None).is_ok());
    Ok((config, sample.ok()))
}
