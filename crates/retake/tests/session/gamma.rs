//! Gamma and colour profiles: what the description and the file say of colours beside the tags.

use crate::common::{encode, encoders, ffmpeg, render, session};
use crate::film::{Film, box_fields, film};
use retake::asset::Container;
use retake::property::{Property, PropertyKey, PropertyValue, TransferFunction};
use retake::{Codec, EncoderInfo, IccProfile, SampleBuffer};

/// A profile of a length, as far as a container looks at it.
pub(crate) fn profile(length: usize) -> IccProfile {
    let mut bytes: Vec<u8> = (0..length).map(|index| index as u8).collect();
    bytes[..4].copy_from_slice(&(length as u32).to_be_bytes());
    bytes[12..24].copy_from_slice(b"mntrRGB XYZ ");
    bytes[36..40].copy_from_slice(b"acsp");
    IccProfile::new(bytes).unwrap()
}

fn coded(info: &EncoderInfo, properties: &[Property]) -> Vec<(usize, SampleBuffer)> {
    let pull = session(info);
    pull.0.set_all(properties).unwrap();
    encode(&pull, &render(4, 99, 6), &[])
}

fn payloads(samples: &[(usize, SampleBuffer)]) -> Vec<&[u8]> {
    samples.iter().map(|(_, buffer)| buffer.sample.data.as_slice()).collect()
}

fn containers(codec: Codec) -> &'static [Container] {
    match codec {
        // QuickTime has neither
        Codec::Av1 | Codec::Vp9 => &[Container::Mp4, Container::Mkv],
        _ => &[Container::Mp4, Container::Mov, Container::Mkv],
    }
}

/// 5.8, ICCProfile: the description has it, `colr` of MP4 and MOV holds it to the byte beside the one with
/// tags, and another reader finds it; no sample changes.
#[test]
fn profiles_are_in_the_description_and_the_file() {
    use retake::property::{ColorPrimaries, YCbCrMatrix};
    let tags = [
        Property::ColorPrimaries(ColorPrimaries::Bt709),
        Property::TransferFunction(TransferFunction::Bt709),
        Property::YCbCrMatrix(YCbCrMatrix::Bt709),
    ];
    for info in encoders() {
        let plain = coded(&info, &tags);
        for length in [300, 70_001] {
            let profile = profile(length);
            let samples = coded(&info, &[&tags[..], &[Property::ICCProfile(profile.clone())]].concat());
            assert_eq!(samples[0].1.format.icc_profile, Some(profile.clone()));
            assert_eq!(payloads(&samples), payloads(&plain), "{}", info.name);
            for &container in containers(info.codec) {
                let Film { bytes, said: stream, notes } = film(&samples, container);
                let found = box_fields(&bytes, b"colr", b"prof");
                let expected = container.is_iso().then(|| [b"prof", profile.as_bytes()].concat());
                assert!(found == expected, "{} in {container}", info.name);
                let lost = notes.iter().any(|note| note.contains("colour profile") && note.contains("MP4"));
                assert_eq!(lost, !container.is_iso(), "{container}: {notes:?}");
                let tagged =
                    [b"nclx", b"nclc"].iter().any(|kind| box_fields(&bytes, b"colr", *kind).is_some());
                assert_eq!(tagged, container.is_iso(), "{} in {container}", info.name);
                if ffmpeg() {
                    assert_eq!(stream.contains("ICC Profile"), container.is_iso(), "{container}: {stream}");
                    assert!(stream.contains("color_primaries=bt709"), "{container}: {stream}");
                }
            }
        }
    }
}

/// 5.8, ICCProfile: what is no profile is refused, however long it is, and the refusal stays short.
#[test]
fn what_is_no_profile_is_refused() {
    for info in encoders() {
        let (session, _outcomes) = session(&info);
        let long = PropertyValue::from_bytes(&vec![7; IccProfile::LARGEST + 1]);
        for value in [PropertyValue::from_bytes(&[]), PropertyValue::from_bytes(&[1; 200]), long] {
            let error = session.set_named("ICCProfile", Some(value)).unwrap_err();
            assert_eq!(error.code(), -12902);
            assert!(error.to_string().len() < 200, "{error}");
        }
        assert_eq!(session.get(PropertyKey::ICCProfile).unwrap(), None);
    }
}

/// 5.8, GammaLevel: the description has it, and no sample of a picture changes. 2.2 and 2.8 have names in the
/// tags of every file, and `gama` of MOV holds any.
#[test]
fn gamma_is_in_the_description_and_the_file() {
    for info in encoders() {
        for (gamma, named) in [(2.2, Some("bt470m")), (2.8, Some("bt470bg")), (1.8, None)] {
            let samples = coded(&info, &[Property::GammaLevel(gamma)]);
            let format = &samples[0].1.format;
            assert_eq!(format.gamma, Some(gamma));
            assert_eq!(
                format.colour.transfer,
                if gamma == 2.2 {
                    4
                } else if gamma == 2.8 {
                    5
                } else {
                    2
                }
            );
            for &container in containers(info.codec) {
                let Film { bytes, said: stream, notes } = film(&samples, container);
                let fixed = ((gamma * 65536.0).round() as u32).to_be_bytes().to_vec();
                let found = box_fields(&bytes, b"gama", &[]);
                assert_eq!(
                    found,
                    (container == Container::Mov).then_some(fixed),
                    "{} {container}",
                    info.name
                );
                let kept = named.is_some() || container == Container::Mov;
                assert_eq!(notes.iter().all(|note| !note.contains("gamma")), kept, "{container}: {notes:?}");
                if let Some(name) = named.filter(|_| ffmpeg() && info.codec != Codec::Vp9) {
                    assert!(stream.contains(&format!("color_transfer={name}")), "{container}: {stream}");
                }
            }
        }
    }
}
