use super::ledger::{Beginning, Passes, Start};
use super::plan::Wish;
use super::{NextPass, PassOptions};
use crate::encoder::{ControlSupport, EncoderInfo, FrameOptions, QualityScale};
use crate::property::{Environment, Property};
use crate::session::SessionError;
use crate::storage::{MultiPassStorage, StorageIdentity, StorageOptions};
use proptest::prelude::*;
use retake_media::{Codec, Sample, SampleKind, Time, TimeRange};
use std::sync::Arc;

fn info() -> EncoderInfo {
    EncoderInfo {
        name: "x264",
        codec: Codec::H264,
        version: "1".into(),
        formats: Vec::new(),
        presets: Vec::new(),
        default_preset: "",
        quality: QualityScale { min: 0.0, max: 51.0, step: 0.1, usual: 23.0 },
        reconstructs: false,
        steers: false,
        reorders: true,
        licence: "MIT",
        controls: ControlSupport::default(),
    }
}

fn info_with_limits() -> EncoderInfo {
    let mut info = info();
    info.controls.rate_limit = true;
    info
}

fn identity() -> StorageIdentity {
    StorageIdentity {
        encoder: "x264".into(),
        version: "1".into(),
        codec: Codec::H264,
        width: 64,
        height: 64,
        settings: String::new(),
    }
}

/// Passes, and what the properties say about them.
struct Session {
    passes: Passes,
    options: PassOptions,
}

fn passes(options: PassOptions) -> (Session, Arc<MultiPassStorage>) {
    let storage = MultiPassStorage::create(None, TimeRange::INVALID, &StorageOptions::default()).unwrap();
    let passes = Passes::new(storage.attach(&identity()).unwrap(), info().quality).unwrap();
    (Session { passes, options }, storage)
}

/// Ten frames a second, a sync frame every ten.
const STEP: Time = Time::new(1, 10);

fn at(frame: i64) -> Time {
    Time::new(frame, 10)
}

fn send(session: &mut Session, frame: i64, bytes: usize) -> Result<Option<Beginning>, SessionError> {
    let passes = &mut session.passes;
    passes.check(at(frame), STEP, &FrameOptions::default())?;
    let start = passes.accept(at(frame), STEP, &FrameOptions::default());
    let beginning = start.map(|Start| passes.beginning(at(frame)));
    let kind = if frame % 10 == 0 { SampleKind::Sync } else { SampleKind::Reference };
    passes.emitted(
        &Sample { data: vec![0; bytes], pts: at(frame), dts: at(frame), duration: STEP, kind },
        25.0,
    );
    Ok(beginning)
}

fn end(session: &mut Session, last: bool, rate: Option<u64>) -> Result<NextPass, SessionError> {
    let info = info();
    let PassOptions { most, request_once, whole_source } = session.options;
    let wish = Wish {
        rate,
        floor: None,
        metric: "",
        first: None,
        best: None,
        info: &info,
        pixels: 64 * 64,
        most,
        whole: whole_source,
        always: request_once,
    };
    session.passes.end(last, &wish)
}

fn begin(session: &mut Session, last: bool) -> Result<(), SessionError> {
    session.passes.begin(last, &Arc::default(), "")
}

/// Bytes a second of forty frames with a hundred bytes each.
const RATE: u64 = 8 * 1000;

proptest! {
    /// A16, MP-5, MP-6, MP-7, MP-8, MP-9, MP-13, MP-15, MP-17: calls in any order answer as a plain table of states does, and a
    /// refused call changes nothing.
    #[test]
    fn a16_every_order_of_calls(calls in prop::collection::vec(0..6u8, 1..14)) {
        #[derive(Clone, Copy, PartialEq)]
        enum State { Before, Open(bool), Between, Over }
        let (mut passes, _storage) = passes(PassOptions::default());
        let (mut state, mut count, mut asked) = (State::Before, 0, false);
        for call in calls {
            let (found, expected) = match call {
                0 | 1 => {
                    let legal = matches!(state, State::Before | State::Between);
                    if legal {
                        (state, count) = (State::Open(call == 1), count + 1);
                    }
                    (begin(&mut passes, call == 1).is_ok(), legal)
                }
                2 | 3 => {
                    let open = matches!(state, State::Open(_));
                    let ended = end(&mut passes, call == 3, None);
                    if let State::Open(promised) = state {
                        state = if call == 3 || promised { State::Over } else { State::Between };
                        asked = false;
                    }
                    prop_assert!(ended.is_err() || ended == Ok(NextPass::Finished));
                    (ended.is_ok(), open)
                }
                // frames of a first pass are free to come; those of another have to be known
                4 => (send(&mut passes, 0, 9).is_ok(), matches!(state, State::Open(_)) && (count == 1)),
                _ => (passes.passes.ranges().is_ok(), asked),
            };
            if call == 4 && count == 1 && found {
                // one frame is enough: the same again would be another source
                return Ok(());
            }
            prop_assert_eq!(found, expected);
        }
    }

    /// MP-17, MP-18, MP-19, MP-20, MP-22, MP-23, MP-24, MP-30, MP-32, MP-34: whatever the first pass took, ranges are whole units, each begins an encode of its own, what
    /// does not belong to them is refused, and the passes end.
    #[test]
    fn ranges_are_whole_units(bytes in prop::collection::vec(20usize..400, 4..12), options in any::<bool>(), answer in 0.7f64..1.4) {
        let frames = bytes.len() as i64 * 10;
        let (mut passes, _storage) = passes(PassOptions { whole_source: options, ..PassOptions::default() });
        begin(&mut passes, false).unwrap();
        for frame in 0..frames {
            let start = send(&mut passes, frame, bytes[frame as usize / 10]).unwrap();
            prop_assert_eq!(start, (frame == 0).then(Beginning::default));
        }
        let mut next = end(&mut passes, false, Some(RATE)).unwrap();
        let mut count = 1;
        while let NextPass::Requested(ranges) = next {
            prop_assert_eq!(passes.passes.ranges().unwrap(), ranges.clone());
            prop_assert_eq!(passes.passes.ranges().unwrap(), ranges.clone(), "MP-17: as often as it is asked for");
            prop_assert!(!ranges.is_empty() && ranges.iter().all(|range| range.is_numeric() && range.duration > Time::ZERO));
            prop_assert!(ranges.windows(2).all(|pair| pair[0].end() < pair[1].start));
            let on_unit = |time: Time| time.convert_scale(10).value() % 10 == 0;
            prop_assert!(ranges.iter().all(|range| on_unit(range.start) && on_unit(range.end())));
            prop_assert!(!options || ranges.len() == 1 && ranges[0] == TimeRange::new(at(0), at(frames)));
            begin(&mut passes, false).unwrap();
            for frame in 0..frames {
                let inside = ranges.iter().any(|range| range.contains(at(frame)));
                match send(&mut passes, frame, (bytes[frame as usize / 10] as f64 * answer) as usize) {
                    Ok(start) => {
                        prop_assert!(inside);
                        prop_assert_eq!(start.is_some(), frame % 10 == 0);
                        prop_assert!(start.is_none_or(|start| start.quality.is_some()));
                    }
                    Err(error) => prop_assert!(!inside && error.code() == -12902),
                }
            }
            prop_assert_eq!(passes.passes.ranges().unwrap(), ranges, "MP-19: through the whole pass");
            prop_assert_eq!(passes.passes.check(at(frames), STEP, &FrameOptions::default()).unwrap_err().code(), -12902);
            next = end(&mut passes, false, Some(RATE)).unwrap();
            count += 1;
        }
        prop_assert!(count <= 5);
        prop_assert!(passes.passes.ranges().is_err());
    }
}

/// MP-13, MP-14: where the client says that it is the last pass, nothing is asked for.
#[test]
fn the_last_pass_is_the_last() {
    for (promised, last) in [(true, false), (false, true)] {
        let (mut passes, _storage) = passes(PassOptions::default());
        begin(&mut passes, promised).unwrap();
        (0..40).for_each(|frame| assert!(send(&mut passes, frame, 900).is_ok()));
        assert_eq!(end(&mut passes, last, Some(RATE)), Ok(NextPass::Finished));
        assert_eq!(begin(&mut passes, false).unwrap_err().code(), -12902);
        assert_eq!(passes.passes.ranges().unwrap_err().code(), -12902);
    }
}

/// MP-23, MP-24, MP-29: a pass in which frames are missing fails, and is over; so does a frame that is not the one of the first pass.
#[test]
fn frames_have_to_be_those_of_the_first_pass() {
    let (mut passes, _storage) = passes(PassOptions { whole_source: true, ..PassOptions::default() });
    begin(&mut passes, false).unwrap();
    (0..40).for_each(|frame| assert!(send(&mut passes, frame, 900).is_ok()));
    assert!(matches!(end(&mut passes, false, Some(RATE)), Ok(NextPass::Requested(_))));
    begin(&mut passes, false).unwrap();
    let forced = FrameOptions { force_key_frame: true, ..FrameOptions::default() };
    assert_eq!(passes.passes.check(at(0), STEP, &forced).unwrap_err().code(), -12902);
    assert_eq!(passes.passes.check(at(0), at(2), &FrameOptions::default()).unwrap_err().code(), -12902);
    assert_eq!(
        passes.passes.check(Time::new(1, 20), STEP, &FrameOptions::default()).unwrap_err().code(),
        -12902
    );
    (0..39).for_each(|frame| assert!(send(&mut passes, frame, 900).is_ok()));
    assert_eq!(end(&mut passes, false, Some(RATE)).unwrap_err().code(), -12902);
    assert_eq!(begin(&mut passes, false).unwrap_err().code(), -12902);
}

/// MP-9, MP-10, resolution 9: a pass that was not asked for is one over everything, encoded as the first; and one can be asked for always.
#[test]
fn another_pass_over_everything() {
    for request_once in [false, true] {
        let (mut passes, _storage) = passes(PassOptions { request_once, ..PassOptions::default() });
        for pass in 0..3 {
            begin(&mut passes, false).unwrap();
            for frame in 0..40 {
                let start = send(&mut passes, frame, 100).unwrap();
                assert_eq!(start, (frame == 0).then(Beginning::default));
            }
            let whole: Arc<[TimeRange]> = [TimeRange::new(at(0), at(40))].into();
            let asked = request_once && pass == 0;
            let expected = if asked { NextPass::Requested(whole) } else { NextPass::Finished };
            assert_eq!(end(&mut passes, false, None), Ok(expected));
        }
    }
}

/// MP-33, MP-30: a window across the join of two units that is above its limit has both encoded again, coarser; when it is not any more,
/// nothing is asked for.
#[test]
fn windows_above_their_limit_are_encoded_again() {
    use crate::property::{DataRateLimit, PropertyKey, Values};
    let limits = Property::DataRateLimits(vec![DataRateLimit { bytes: 1500, seconds: 1.0 }]);
    let (info, limits) = (info_with_limits(), [(PropertyKey::DataRateLimits, Some(limits.value()))]);
    let environment = Environment {
        info: &info,
        low_latency: false,
        width: 64,
        height: 64,
        transfers: false,
        metrics: &[],
    };
    let values = Arc::new(Values::default().with(&environment, &limits, false).unwrap());
    let (mut session, _storage) = passes(PassOptions::default());
    session.passes.begin(false, &values, "").unwrap();
    // the last half second of the second unit and the first of the third hold 1800 bytes
    let bytes = |frame: i64| if (15..25).contains(&frame) { 180 } else { 60 };
    for frame in 0..40 {
        send(&mut session, frame, bytes(frame)).unwrap();
    }
    let range = TimeRange::between(at(10), at(30));
    assert_eq!(end(&mut session, false, None), Ok(NextPass::Requested([range].into())));
    session.passes.begin(false, &values, "").unwrap();
    for frame in 10..30 {
        if let Some(Beginning { quality, before, .. }) =
            send(&mut session, frame, bytes(frame) * 4 / 5).unwrap()
        {
            // what came before is known to the encode: of the first unit as it was, of the second as it is now
            assert_eq!(before.len(), 10);
            assert_eq!(before[9].1, if frame == 10 { 60 } else { 144 });
            // 20.0 is what a quantizer of 25 stands for
            assert!(quality.unwrap() > 20.0);
        }
    }
    assert_eq!(end(&mut session, false, None), Ok(NextPass::Finished));
}

/// MP-25, MP-3: a session that asks a kept storage for its ranges goes on with them, with the frames of the first pass; one that does not ask begins
/// anew; other settings are refused.
#[test]
fn a_kept_storage_is_gone_on_with() {
    let ranges = |session: &mut Session| {
        begin(session, false).unwrap();
        for frame in 0..80 {
            send(session, frame, if frame < 40 { 20 } else { 200 }).unwrap();
        }
        let Ok(NextPass::Requested(ranges)) = end(session, false, Some(RATE)) else {
            panic!("nothing wanted")
        };
        ranges
    };
    for (goes_on, settings) in [(true, ""), (true, "other"), (false, "other")] {
        let (mut session, storage) = passes(PassOptions::default());
        let wanted = ranges(&mut session);
        let Session { passes, options } = session;
        drop(passes);
        let passes = Passes::new(storage.attach(&identity()).unwrap(), info().quality).unwrap();
        let mut session = Session { passes, options };
        if !goes_on {
            session.passes.begin(false, &Arc::default(), settings).unwrap();
            assert!(send(&mut session, 100, 9).is_ok(), "another source may come");
            continue;
        }
        assert_eq!(session.passes.ranges(), Ok(wanted.clone()));
        if !settings.is_empty() {
            assert_eq!(session.passes.begin(false, &Arc::default(), settings).unwrap_err().code(), -12213);
            continue;
        }
        begin(&mut session, false).unwrap();
        let mut begun = 0;
        for frame in 0..80 {
            let inside = wanted.iter().any(|range| range.contains(at(frame)));
            match send(&mut session, frame, 100) {
                Ok(beginning) => begun += usize::from(beginning.is_some_and(|one| one.quality.is_some())),
                Err(error) => assert!(!inside && error.code() == -12902),
            }
        }
        assert!(begun > 1);
        assert!(end(&mut session, false, Some(RATE)).is_ok());
    }
}

/// ST-7: a storage that is closed while a pass is open ends it with the storage's number.
#[test]
fn a_closed_storage_ends_the_passes() {
    let (mut passes, storage) = passes(PassOptions::default());
    begin(&mut passes, false).unwrap();
    send(&mut passes, 0, 9).unwrap();
    storage.close().unwrap();
    assert_eq!(send(&mut passes, 1, 9).unwrap_err().code(), -12214);
    assert_eq!(end(&mut passes, false, None).unwrap_err().code(), -12214);
    assert_eq!(begin(&mut passes, false).unwrap_err().code(), -12214);
}
