//! What a configured session recommends.

use crate::common::{self, HEIGHT, WIDTH, integer, session};
use retake::parallel::{ParallelEncode, Subdivision};
use retake::property::{Property, PropertyKey, PropertyValue};
use retake::session::{CompressionSession, EncoderSpecification};
use retake::{EncoderInfo, SampleBuffer, SourceFrame, Time};

const LIMIT: PropertyKey = PropertyKey::RecommendedParallelizationLimit;
const FRAMES: PropertyKey = PropertyKey::RecommendedParallelizedSubdivisionMinimumFrameCount;
const DURATION: PropertyKey = PropertyKey::RecommendedParallelizedSubdivisionMinimumDuration;

fn limit(info: &EncoderInfo, width: u32, height: u32, more: &[Property]) -> i64 {
    let (session, _) = CompressionSession::builder(&retake::encoders(), width, height, info.codec)
        .encoder(info.name)
        .build_pull()
        .unwrap();
    session.set_all(more).unwrap();
    integer(&session, LIMIT)
}

/// PA-4: as many sessions as have cores for the threads that are of use to each, and memory for their
/// pictures.
#[test]
fn the_limit_follows_from_threads_and_memory() {
    let cores = std::thread::available_parallelism().unwrap().get() as i64;
    for info in common::encoders() {
        let threads = |count: i64| Property::ThreadCount(count as u32);
        // D7: where nobody says how many threads a session has, sessions of one thread each are counted.
        assert_eq!(limit(&info, WIDTH, HEIGHT, &[]), cores, "{}", info.name);
        assert_eq!(limit(&info, WIDTH, HEIGHT, &[threads(1)]), cores, "{}", info.name);
        let all = limit(&info, 1280, 720, &[threads(cores)]);
        assert!((1..=cores).contains(&all), "{}: {all}", info.name);
        if info.name == "x264" {
            assert_eq!(all, 1, "x264 has use for every thread at that size");
        }
        if info.name == "vp9" {
            assert_eq!(
                limit(&info, WIDTH, HEIGHT, &[threads(cores)]),
                cores,
                "one column of tiles, one thread"
            );
        }
        assert_eq!(limit(&info, 16384, 16384, &[threads(1)]), 1, "{}: memory for one at most", info.name);
    }
}

/// A25, A26, D7, PA-1, PA-2, PA-4, PA-5, PA-6, PA-7: the documentation's example with default options: 400
/// frames in four sessions, each of which is told nothing but its place. A client that goes by the
/// recommendation has a session for each core; the samples, one session after the other, are one film.
#[test]
fn a25_the_example_of_the_documentation_with_default_options() {
    let frames = common::render(400, 200, 2);
    let cores = std::thread::available_parallelism().unwrap().get() as i64;
    for info in common::encoders() {
        assert_eq!(limit(&info, WIDTH, HEIGHT, &[]), cores, "{}", info.name);
        let mut samples = Vec::new();
        for part in Subdivision::at_most(4).parts(400, None) {
            let (session, outcomes) =
                CompressionSession::<()>::builder(&retake::encoders(), WIDTH, HEIGHT, info.codec)
                    .encoder(info.name)
                    .build_pull()
                    .unwrap();
            session.set_all(&part.properties(&session.supported_properties().unwrap())).unwrap();
            let range = part.range.start as usize..part.range.end as usize;
            for (index, frame) in range.clone().zip(&frames[range]) {
                let frame = SourceFrame::new(frame, common::at(index)).duration(common::STEP);
                session.encode(frame, ()).unwrap();
            }
            session.complete_frames().unwrap();
            assert_eq!(session.frame_count_mismatch(), None, "{}", info.name);
            let outcomes = std::iter::from_fn(|| outcomes.try_receive());
            let own: Vec<SampleBuffer> =
                outcomes.map(|outcome| outcome.into_sample().unwrap().unwrap()).collect();
            assert!(own[0].sample.is_sync(), "{}: {}", info.name, part.range);
            samples.extend(own);
        }
        assert!(samples.iter().all(|sample| sample.format == samples[0].format), "{}", info.name);
        let times = (0..400).map(common::at);
        assert!(samples.iter().map(|sample| sample.sample.dts).eq(times), "{}", info.name);
        if common::ffmpeg() {
            assert_eq!(common::decode(&samples.iter().collect::<Vec<_>>()).len(), 400, "{}", info.name);
        }
    }
}

/// PA-4: two groups of pictures, and no fewer frames than the encoder has to see before the first sample.
#[test]
fn the_minima_follow_from_intervals_and_delay() {
    for info in common::encoders() {
        let pull = session(&info);
        let (usual, minimum) = (integer(&pull.0, FRAMES), |more: &[Property]| {
            let pull = session(&info);
            pull.0.set_all(more).unwrap();
            integer(&pull.0, FRAMES)
        });
        assert!(usual >= 200, "{}: {usual}", info.name);
        assert_eq!(minimum(&[Property::MaxKeyFrameInterval(300)]), 600, "{}", info.name);
        assert_eq!(minimum(&[Property::MaxKeyFrameIntervalDuration(10.0)]).min(480), usual.min(480));
        let by_delay = minimum(&[Property::AllowTemporalCompression(false)]);
        assert!((2..200).contains(&by_delay), "{}: {by_delay}", info.name);
        // 24 frames a second, as a time in the form of a dictionary
        let Some(PropertyValue::Dictionary(duration)) = pull.0.get(DURATION).unwrap() else { panic!() };
        let part = |name: &str| duration[name].as_i64().unwrap();
        let duration = Time::new(part("value"), part("timescale") as i32);
        assert_eq!(duration, Time::new(usual, 24), "{}", info.name);
        assert_eq!((part("flags"), part("epoch")), (1, 0));
        // the helper divides as a session recommends
        let registry = retake::encoders();
        let job = ParallelEncode::new(&registry, WIDTH, HEIGHT, info.codec)
            .specification(EncoderSpecification { encoder: Some(info.name.to_owned()), ..Default::default() })
            .properties(common::usual(&info));
        let recommended = job.recommended().unwrap();
        assert_eq!((recommended.least_frames, recommended.least_duration), (usual as u64, Some(duration)));
    }
}
