//! Properties that are hints: what an encoder is opened with because of them.

use crate::common::{STEP, at, render};
use crate::recorder::recording;
use retake::Rational;
use retake::SourceFrame;
use retake::property::Property;
use retake::session::FrameCountMismatch;
use retake_compression::encoder::EncoderSettings;

/// What an encode is opened with under these properties.
pub(crate) fn opened(properties: &[Property]) -> EncoderSettings {
    let (session, _outcomes, log) = recording(|_, _, _| 100, (176, 144), None);
    session.set_all(properties).unwrap();
    session.encode(SourceFrame::new(&render(1, 9, 4)[0], at(0)).duration(STEP), 0).unwrap();
    session.complete_frames().unwrap();
    log.lock().unwrap().opened.last().unwrap().clone()
}

/// 5.5, 5.6, G-1: each hint arrives where it has its effect: threads, preset, frame rate of rate control,
/// number of frames.
#[test]
fn hints_arrive() {
    let cores = std::thread::available_parallelism().unwrap().get().min(8) as u32;
    assert_eq!(opened(&[]).threads, cores);
    assert_eq!(opened(&[Property::ThreadCount(3)]).threads, 3);
    assert_eq!(opened(&[Property::MaximizePowerEfficiency(true)]).threads, 1);
    let both = [Property::MaximizePowerEfficiency(true), Property::RealTime(true)];
    assert_eq!(opened(&both).threads, cores, "real time has precedence");

    // from the usual one, half or three quarters of four steps
    assert_eq!(opened(&[]).preset, "");
    assert_eq!(opened(&[Property::RealTime(true)]).preset, "2");
    assert_eq!(opened(&[Property::PrioritizeEncodingSpeedOverQuality(true)]).preset, "3");
    assert_eq!(opened(&[Property::PrioritizeEncodingSpeedOverQuality(false)]).preset, "slow");
    assert_eq!(opened(&[Property::EncoderPreset("usual".into()), Property::RealTime(true)]).preset, "usual");

    assert_eq!(opened(&[]).frame_rate, Rational::new(24, 1), "that of the first frame");
    assert_eq!(opened(&[Property::ExpectedFrameRate(29.97)]).frame_rate, Rational::new(30000, 1001));
    assert_eq!(opened(&[Property::SourceFrameCount(77)]).controls.frame_count, 77);
    assert_eq!(opened(&[Property::ExpectedDuration(3.0)]).controls.frame_count, 72);
    let both = [Property::ExpectedDuration(3.0), Property::SourceFrameCount(77)];
    assert_eq!(opened(&both).controls.frame_count, 77);
    assert!(opened(&[Property::MoreFramesBeforeStart(true)]).controls.more_before);
    assert!(opened(&[Property::MoreFramesAfterEnd(true)]).controls.more_after);
    let options = vec![("a".to_owned(), "b".to_owned())];
    assert_eq!(opened(&[Property::EncoderOptions(options.clone())]).options, options);
}

/// 5.6, MaximumRealTimeFrameRate: many frames a second ask for a faster preset.
#[test]
fn many_frames_a_second_ask_for_speed() {
    let preset = |rate| opened(&[Property::RealTime(true), Property::MaximumRealTimeFrameRate(rate)]).preset;
    assert_eq!([preset(60.0), preset(61.0)], ["2", "3"]);
}

/// PA-14, resolution 7: another number of frames than was told is no error, and can be asked for; one that
/// was right, or was never told, cannot.
#[test]
fn pa14_other_frames_than_were_told() {
    let came = |told: Option<u64>, frames: usize| {
        let (session, outcomes, _) = recording(|_, _, _| 100, (176, 144), None);
        session.set_all(&told.map(Property::SourceFrameCount).into_iter().collect::<Vec<_>>()).unwrap();
        let mut seen = Vec::new();
        for (index, picture) in render(frames, 9, 4).iter().enumerate() {
            session.encode(SourceFrame::new(picture, at(index)).duration(STEP), index).unwrap();
            seen.push(session.frame_count_mismatch().is_some());
        }
        session.complete_frames_until(at(0)).unwrap();
        seen.push(session.frame_count_mismatch().is_some());
        session.complete_frames().unwrap();
        let complete = session.frame_count_mismatch();
        session.invalidate();
        assert_eq!(session.frame_count_mismatch(), complete);
        assert_eq!(outcomes.filter(|outcome| outcome.result.is_ok()).count(), frames);
        (seen, complete)
    };
    let mismatch = |told, came| Some(FrameCountMismatch { told, came });
    assert_eq!(came(Some(4), 3), (vec![false; 4], mismatch(4, 3)), "fewer only when no more are to come");
    assert_eq!(came(Some(2), 3), (vec![false, false, true, true], mismatch(2, 3)));
    for told in [None, Some(0), Some(3)] {
        assert_eq!(came(told, 3), (vec![false; 4], None));
    }
}
