//! What frames bring beside their pictures: closed captions, HDR10+, Dolby Vision. Read back by FFmpeg.

use crate::common::{HEIGHT, Pull, WIDTH, elementary, encode, encoders, fast_preset, ffmpeg, render_as};
use crate::film::film;
use retake::asset::{AssetReader, Container};
use retake::pixel::AttachmentKey;
use retake::property::{HdrMetadataInsertionMode, Property, PropertyKey};
use retake::session::CompressionSession;
use retake::source::ReaderOptions;
use retake::{
    Attachment, Attachments, Codec, Colour, EncoderInfo, PixelBuffer, PixelFormat, Range, SampleBuffer,
    SourceFrame, Time,
};
use retake_testing::side_data::{captions, hdr10_plus, rpu};
use std::path::Path;
use std::process::Command;

const COUNT: usize = 18;

const PQ: Colour = Colour {
    primaries: 9,
    transfer: 16,
    matrix: 9,
    range: Range::Limited,
    range_known: true,
    chroma_location: 1,
};

/// Pictures of ten bits where the encoder has them, each with all three kinds of side data.
fn frames(info: &EncoderInfo, colour: Colour, profile: u8) -> Vec<PixelBuffer> {
    let deep = info.formats.contains(&PixelFormat::I010);
    let format = if deep { PixelFormat::I010 } else { PixelFormat::I420 };
    let attach = |(index, picture): (usize, PixelBuffer)| {
        let known = Attachments::default()
            .with(Attachment::Colour(colour))
            .with(Attachment::Captions(captions(index).into()))
            .with(Attachment::Hdr10Plus(hdr10_plus(index).into()))
            .with(Attachment::DolbyVisionRpu(rpu(profile, index).into()));
        picture.with_attachments(known)
    };
    render_as(format, WIDTH, HEIGHT, COUNT, 7, 4).into_iter().enumerate().map(attach).collect()
}

fn session(info: &EncoderInfo, properties: &[Property]) -> Pull {
    let made = CompressionSession::builder(&retake::encoders(), WIDTH, HEIGHT, info.codec)
        .encoder(info.name)
        .build_pull()
        .unwrap();
    let usual = [Property::EncoderPreset(fast_preset(info).to_owned()), Property::ThreadCount(2)];
    made.0.set_all(&usual).unwrap();
    made.0.set_all(properties).unwrap();
    made
}

/// What FFmpeg finds beside the pictures of a file: captions, HDR10+ and Dolby Vision of each, in order.
fn found(path: &Path) -> Vec<[Option<Vec<u8>>; 3]> {
    let reader = AssetReader::open(path).unwrap();
    let options = ReaderOptions { format: reader.film().video.format, threads: 1 };
    let mut pictures = reader.pictures(options);
    let mut all = Vec::new();
    while let Some(picture) = pictures.next().unwrap() {
        let known = picture.picture.attachments();
        let own = [known.captions(), known.hdr10_plus(), known.dolby_vision_rpu()];
        all.push(own.map(|data| data.map(|data| data.to_vec())));
    }
    all
}

/// How often the `ffprobe` program lists a kind of side data of frames.
fn listed(path: &Path, kind: &str) -> usize {
    let arguments = ["-v", "error", "-select_streams", "v:0", "-show_frames", "-of", "default"];
    let output = Command::new("ffprobe").args(arguments).arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().matches(&format!("side_data_type={kind}")).count()
}

/// The samples in a file of their own, and what is found in it.
fn read_back(samples: &[(usize, SampleBuffer)], judge: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let samples: Vec<_> = samples.iter().map(|(_, buffer)| buffer).collect();
    let (stream, name) = elementary(&samples[0].format, &samples);
    let path = folder.path().join(format!("film.{name}"));
    std::fs::write(&path, stream).unwrap();
    judge(&path);
}

/// The same pictures with that kind of side data alone; their colours stay.
fn only(frames: &[PixelBuffer], kinds: &[AttachmentKey]) -> Vec<PixelBuffer> {
    let strip = |picture: &PixelBuffer| {
        let mut known = picture.attachments().clone();
        let all = [AttachmentKey::Captions, AttachmentKey::Hdr10Plus, AttachmentKey::DolbyVisionRpu];
        all.iter().filter(|key| !kinds.contains(key)).for_each(|key| drop(known.remove(key)));
        picture.clone().with_attachments(known)
    };
    frames.iter().map(strip).collect()
}

fn data(samples: &[(usize, SampleBuffer)]) -> Vec<&[u8]> {
    samples.iter().map(|(_, buffer)| buffer.sample.data.as_slice()).collect()
}

/// [EF-9], [HD-4]: what frames bring beside their pictures is in the samples of the very frames, byte for
/// byte, with reordering, hidden pictures and every length; where `PreserveDynamicHDRMetadata` is false, or
/// in mode None [HD-1], dynamic metadata change nothing at all, and captions are there.
#[test]
fn side_data_of_frames_are_in_their_samples() {
    for info in encoders().iter().filter(|info| info.controls.captions) {
        let (name, controls) = (info.name, &info.controls);
        let frames = frames(info, PQ, 8);
        let run = |properties: &[Property], kinds: &[AttachmentKey]| {
            encode(&session(info, properties), &only(&frames, kinds), &[])
        };
        let all = [AttachmentKey::Captions, AttachmentKey::Hdr10Plus, AttachmentKey::DolbyVisionRpu];
        let supported = session(info, &[]).0.supported_properties().unwrap();
        assert_eq!(supported.contains_key(&PropertyKey::PreserveDynamicHDRMetadata), controls.hdr10_plus);

        let captioned: Vec<_> = (0..COUNT).map(|index| [Some(captions(index)), None, None]).collect();
        let spoken = run(&[], &all[..1]);
        read_back(&spoken, |path| {
            // dav1d before 1.2 gives what stands before a frame that is shown again to the one after it.
            if info.codec != Codec::Av1 {
                assert_eq!(found(path), captioned, "{name}");
            }
            if ffmpeg() {
                let least = if info.codec == Codec::Av1 { 1 } else { COUNT };
                assert!(listed(path, "ATSC A53 Part 4 Closed Captions") >= least, "{name}");
            }
        });
        let kept = run(&[], &all);
        assert_eq!(kept[0].1.format.dolby_vision.is_some(), controls.dolby_vision, "{name}");
        if !controls.hdr10_plus {
            assert_eq!(data(&kept), data(&spoken), "{name}");
            continue;
        }
        if info.codec == Codec::Av1 {
            // FFmpeg reads HDR10+ of AV1 from version 6 on only, and dav1d gave out one message of a frame:
            // so messages are looked for themselves. Each stands in the sample of its own frame alone.
            for (index, buffer) in &kept {
                let places = |message: &[u8]| {
                    buffer.sample.data.windows(message.len()).filter(|bytes| *bytes == message).count()
                };
                for other in 0..COUNT {
                    let wanted = usize::from(other == *index);
                    assert_eq!(places(&hdr10_plus(other)), wanted, "{name} {index} {other}");
                    let packets = captions(other);
                    let message = [&[0x40 | (packets.len() / 3) as u8, 0xFF], &packets[..], &[0xFF]].concat();
                    assert_eq!(places(&message), wanted, "{name} {index} {other}");
                }
            }
        }
        if info.codec == Codec::Hevc {
            read_back(&kept, |path| {
                let expected = |index| [Some(captions(index)), Some(hdr10_plus(index)), Some(rpu(8, index))];
                assert_eq!(found(path), (0..COUNT).map(expected).collect::<Vec<_>>(), "{name}");
                if ffmpeg() {
                    assert_eq!(listed(path, "HDR Dynamic Metadata SMPTE2094-40"), COUNT, "{name}");
                    assert_eq!(listed(path, "Dolby Vision RPU Data"), COUNT, "{name}");
                }
            });
        }
        let plain = run(&[], &[]);
        for property in [
            Property::PreserveDynamicHDRMetadata(false),
            Property::HDRMetadataInsertionMode(HdrMetadataInsertionMode::None),
        ] {
            let left = run(std::slice::from_ref(&property), &all[1..]);
            assert_eq!(left[0].1.format, plain[0].1.format, "{name}: {property:?}");
            assert_eq!(data(&left), data(&plain), "{name}: {property:?}");
            assert_eq!(data(&run(&[property], &all)), data(&spoken), "{name}");
        }
    }
}

/// [HD-2], [HD-4]: dynamic metadata go with the colours of the output. Dolby Vision is stated and written of
/// HLG and of PQ; nothing of it in standard range, in eight bits, or of a profile that one layer does not
/// make; HDR10+ with PQ alone. Each case has the colours of the frames, the profile of their metadata, what
/// is set, the compatibility that is stated, and whether HDR10+ is there.
#[test]
fn dynamic_metadata_go_with_the_colours_of_the_output() {
    let Some(info) = encoders().into_iter().find(|info| info.controls.dolby_vision) else {
        return eprintln!("SKIPPED: no encoder with Dolby Vision in this build");
    };
    let hlg = Colour { transfer: 18, ..PQ };
    let standard = Colour { primaries: 1, transfer: 1, matrix: 1, ..PQ };
    let eight = [Property::OutputBitDepth(8)];
    type Case<'a> = (&'a str, Colour, u8, &'a [Property], Option<u8>, bool);
    let cases: [Case<'_>; 6] = [
        ("HDR10", PQ, 8, &[], Some(1), true),
        ("HLG", hlg, 8, &[], Some(4), false),
        ("standard range", standard, 8, &[], None, false),
        ("eight bits", PQ, 8, &eight, None, true),
        ("two layers", PQ, 7, &[], None, true),
        ("a single layer of its own colours", PQ, 5, &[], None, true),
    ];
    for (name, colour, profile, properties, compatibility, plus) in cases {
        let samples = encode(&session(&info, properties), &frames(&info, colour, profile), &[]);
        let stated = samples[0].1.format.dolby_vision;
        assert_eq!(
            stated.map(|stated| (stated.profile, stated.compatibility)),
            compatibility.map(|id| (8, id)),
            "{name}"
        );
        read_back(&samples, |path| {
            for (index, [_, hdr10_plus, rpu]) in found(path).into_iter().enumerate() {
                assert_eq!((hdr10_plus.is_some(), rpu.is_some()), (plus, stated.is_some()), "{name} {index}");
            }
        });
    }
}

/// [HD-4]: MP4 and Matroska state the Dolby Vision of a track; QuickTime has no place for it here, and that
/// is told.
#[test]
fn containers_state_dolby_vision() {
    let Some(info) = encoders().into_iter().find(|info| info.controls.dolby_vision) else {
        return eprintln!("SKIPPED: no encoder with Dolby Vision in this build");
    };
    let samples = encode(&session(&info, &[]), &frames(&info, PQ, 8), &[]);
    for container in [Container::Mp4, Container::Mkv, Container::Mov] {
        let made = film(&samples, container);
        let states = made.said.contains("dv_profile=8")
            && made.said.contains("dv_bl_signal_compatibility_id=1")
            && made.said.contains("rpu_present_flag=1");
        let told = made.notes.iter().any(|note| note.contains("Dolby Vision"));
        assert_eq!(
            (states, told),
            (container != Container::Mov, container == Container::Mov),
            "{container:?}"
        );
    }
    let plain =
        encode(&session(&info, &[Property::PreserveDynamicHDRMetadata(false)]), &frames(&info, PQ, 8), &[]);
    assert!(!film(&plain, Container::Mp4).said.contains("dv_profile"));
}

/// [HD-3]: the mode that asks for a colour service is known by name, not listed, and refused with the reason.
#[test]
fn a_colour_service_is_refused_by_name() {
    for info in encoders() {
        let pull = session(&info, &[]);
        let key = PropertyKey::HDRMetadataInsertionMode;
        assert_eq!(pull.0.supported_properties().unwrap()[&key].list, ["None", "Auto"], "{}", info.name);
        let mode = Property::HDRMetadataInsertionMode(HdrMetadataInsertionMode::RequestSdrRangePreservation);
        let error = pull.0.set(mode).unwrap_err();
        assert!(error.to_string().contains("service"), "{}: {error}", info.name);
        assert_eq!(error.code(), -12902);
    }
}

/// [EF-9], [HD-4]: the call with a frame tells what of its side data no sample carries: Dolby Vision with
/// every encoder but those of HEVC, AV1 among them; HDR10+ where the codec has no place for it; all of it in
/// VP9. What does not go with the colours of the stream is told, too; what the client keeps out is not.
#[test]
fn side_data_that_are_lost_are_told() {
    use AttachmentKey::{Captions, DolbyVisionRpu, Hdr10Plus};
    let standard = Colour { primaries: 1, transfer: 1, matrix: 1, ..PQ };
    let none = Property::HDRMetadataInsertionMode(HdrMetadataInsertionMode::None);
    for info in encoders() {
        let (name, controls) = (info.name, &info.controls);
        let told = |colour: Colour, profile: u8, properties: &[Property], kind: &AttachmentKey| {
            let (session, _outcomes) = session(&info, properties);
            let frame = only(&frames(&info, colour, profile)[..1], std::slice::from_ref(kind)).remove(0);
            let info = session.encode(SourceFrame::new(&frame, Time::new(0, 24)), 0).unwrap();
            assert!(!info.loss.tags, "{name}");
            info.loss.side_data
        };
        let has_no_place = [
            (Captions, !controls.captions),
            (Hdr10Plus, !controls.hdr10_plus),
            (DolbyVisionRpu, info.codec != Codec::Hevc || !controls.dolby_vision),
        ];
        for (kind, lost) in has_no_place {
            assert_eq!(told(PQ, 8, &[], &kind), lost, "{name}: {kind:?}");
            assert_eq!(told(standard, 8, &[], &kind), lost || kind != Captions, "{name}: {kind:?} in SDR");
            let kept_out = told(PQ, 8, std::slice::from_ref(&none), &kind);
            assert_eq!(kept_out, lost && kind == Captions, "{name}: {kind:?} kept out");
        }
        assert!(told(PQ, 7, &[], &DolbyVisionRpu), "{name}: of two layers");

        let larger = CompressionSession::builder(&retake::encoders(), WIDTH * 2, HEIGHT * 2, info.codec)
            .encoder(info.name)
            .build_pull()
            .unwrap();
        for (index, kind, lost) in [(0, Captions, !controls.captions), (1, Hdr10Plus, true)] {
            let frame = only(&frames(&info, PQ, 8)[..1], std::slice::from_ref(&kind)).remove(0);
            let told = larger.0.encode(SourceFrame::new(&frame, Time::new(index, 24)), 0).unwrap();
            assert_eq!(told.loss.side_data, lost, "{name}: {kind:?} of another size");
        }
    }
}

/// [EF-9]: VP9 has no place for any of it, and codes the pictures all the same.
#[test]
fn codecs_without_a_place_code_the_pictures_alone() {
    let Some(info) = encoders().into_iter().find(|info| info.codec == Codec::Vp9) else { return };
    let samples = encode(&session(&info, &[]), &frames(&info, PQ, 8), &[]);
    assert_eq!((samples.len(), samples[0].1.format.dolby_vision), (COUNT, None));
}
