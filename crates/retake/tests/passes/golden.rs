//! Bytes of sessions in one and in several passes, compared with recorded ones.

use super::objectives::run;
use super::{at_rate, film, send, session, storage};
use crate::common;
use retake::SampleBuffer;
use retake::property::{DataRateLimit, Property, PropertyKey};
use retake::session::PassOptions;
use retake_testing::Golden;

#[test]
fn golden_x264_sessions() {
    compare("x264");
}

#[test]
fn golden_x265_sessions() {
    compare("x265");
}

#[test]
fn golden_svt_av1_sessions() {
    compare("svt-av1");
}

#[test]
fn golden_vp9_sessions() {
    compare("vp9");
}

/// Sessions of one encoder. They are tests of their own, so that they run beside each other.
fn compare(encoder: &str) {
    let mut golden = Golden::open(env!("CARGO_MANIFEST_DIR"), &format!("sessions-{encoder}"));
    let frames = film();
    for info in common::encoders().into_iter().filter(|info| info.name == encoder) {
        let made_with = format!("{} {}", info.name, info.version);
        let mut note = |what: &str, samples: &[SampleBuffer]| {
            golden.case(&format!("{} {what}", info.name), &made_with, &common::flat(samples));
        };
        let pull = common::session(&info);
        pull.0.set(Property::Quality(0.6)).unwrap();
        note("quality", &send(&pull, &frames, None));
        note("rate", &send(&at_rate(&info), &frames, None));
        let pull = at_rate(&info);
        pull.0.set(Property::DataRateLimits(vec![DataRateLimit { bytes: 40_000, seconds: 1.0 }])).unwrap();
        note("limit", &send(&pull, &frames, None));

        let (pull, _storage) = session(&info, PassOptions::default());
        note("rate in passes", &run(&pull, &frames).1);
        let pull = common::session(&info);
        if common::has(&pull, PropertyKey::QualityFloor) {
            let floor = [
                Property::MaxKeyFrameInterval(24),
                Property::MultiPassStorage(storage()),
                Property::QualityMetric("psnr".to_owned()),
                Property::QualityFloor(33.0),
                Property::QualityTolerance(0.5),
            ];
            pull.0.set_all(&floor).unwrap();
            note("floor in passes", &run(&pull, &frames).1);
        }
        let (pull, _storage) = session(&info, PassOptions::default());
        pull.0.set(Property::DataRateLimits(vec![DataRateLimit { bytes: 40_000, seconds: 1.0 }])).unwrap();
        note("limit in passes", &run(&pull, &frames).1);
    }
    golden.compare();
}
