//! Films as sources of parallel sessions.

use crate::common::{self, decode};
use retake::SourceFrame;
use retake::parallel::{FilmSource, FrameSource, ParallelEncode, ParallelError, Subdivision};
use retake::property::Property;
use retake::{FrameRange, Time};
use retake_testing::side_data::{captions, message_unit, with_units};
use std::process::Command;

/// Every range gives the frames that the whole gives, in whatever order ranges are read; and parts of the
/// film make a film.
#[test]
fn a_film_is_read_by_exact_ranges() {
    if !common::ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mkv");
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=176x144:r=25"])
        .args(["-frames:v", "60", "-g", "13", "-bf", "2", "-c:v", "mpeg4", "-q:v", "3"])
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    let source = FilmSource::open(&path, None).unwrap();
    let read = |start, end| {
        let frames = source.open(FrameRange::new(start, end)).unwrap();
        frames.collect::<Result<Vec<SourceFrame>, _>>().unwrap()
    };
    let whole = read(0, 60);
    assert_eq!((source.frame_count(), source.duration().map(|time| time.seconds().round())), (60, Some(2.0)));
    for (start, end) in [(41, 60), (0, 17), (17, 41), (59, 60)] {
        let part = read(start, end);
        assert_eq!(part.len() as u64, end - start);
        for (frame, expected) in part.iter().zip(&whole[start as usize..]) {
            assert_eq!((frame.pts, frame.duration), (expected.pts, expected.duration));
            assert!((0..3).all(|plane| frame.picture.rows(plane).eq(expected.picture.rows(plane))));
        }
    }
    assert!(source.open(FrameRange::new(0, 61)).is_err());

    let registry = retake::encoders();
    let info = common::encoders().into_iter().next().expect("an encoder is built");
    let job = ParallelEncode::new(&registry, 176, 144, info.codec)
        .properties([Property::EncoderPreset(common::fast_preset(&info).to_owned())])
        .subdivision(Subdivision::at_most(3));
    let parts = job.run(&source, &|_| true).unwrap();
    let mut samples = Vec::new();
    let report = parts.join(|sample| {
        samples.push(sample);
        Ok::<_, ParallelError>(())
    });
    assert_eq!(report.unwrap().parts, 3);
    assert!(samples.iter().map(|sample| sample.sample.dts).eq(whole.iter().map(|frame| frame.pts)));
    assert_eq!(decode(&samples.iter().collect::<Vec<_>>()).len(), 60);
    assert!(samples[0].sample.pts >= Time::ZERO);
}

/// [EF-9]: what the frames of a film bring, and what the film says of all of them, is in every part: captions
/// in the samples of their frames, colours in the description.
#[test]
fn parts_of_a_film_have_what_its_frames_bring() {
    let Some(info) = common::encoders().into_iter().find(|info| info.name == "x264") else { return };
    if !common::ffmpeg() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=176x144:r=25", "-frames:v", "60"])
        .args(["-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "13"])
        .args(["-x264-params", "slices=1:colorprim=bt709:transfer=bt709:colormatrix=bt709", "plain.h264"])
        .current_dir(folder.path())
        .status()
        .unwrap();
    if !made.success() {
        return eprintln!("SKIPPED: this ffmpeg has no libx264");
    }
    let head = b"\xB5\x00\x31GA94\x03";
    let message = |index| {
        let packets = captions(index);
        [&head[..], &[0x40 | (packets.len() / 3) as u8, 0xFF], &packets, &[0xFF]].concat()
    };
    let plain = std::fs::read(folder.path().join("plain.h264")).unwrap();
    let path = folder.path().join("film.h264");
    let film = with_units(&plain, false, |index| [vec![message_unit(&[6], &message(index))], vec![]]);
    std::fs::write(&path, film).unwrap();

    let source = FilmSource::open(&path, None).unwrap();
    let registry = retake::encoders();
    let job = ParallelEncode::new(&registry, 176, 144, info.codec)
        .properties([Property::EncoderPreset(common::fast_preset(&info).to_owned())])
        .subdivision(Subdivision::at_most(3));
    let mut samples = Vec::new();
    let report = job.run(&source, &|_| true).unwrap().join(|sample| {
        samples.push(sample);
        Ok::<_, ParallelError>(())
    });
    assert_eq!(report.unwrap().parts, 3);
    samples.sort_by_key(|sample| sample.sample.pts);
    assert_eq!(samples.len(), 60);
    for (index, sample) in samples.iter().enumerate() {
        let data = &sample.sample.data;
        assert_eq!(data.windows(head.len()).filter(|bytes| bytes == head).count(), 1, "{index}");
        let message = message(index);
        assert!(data.windows(message.len()).any(|bytes| bytes == message), "{index}");
        assert_eq!(sample.format.colour.primaries, 1, "{index}");
    }
}
