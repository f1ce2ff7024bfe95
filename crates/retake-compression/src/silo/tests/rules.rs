//! These tests check rules that need a file, a thread or a callback.

use super::super::{ExistingSilo, FrameSilo, SiloError};
use super::{at, format, sample};
use crate::journal::Journal;
use retake_media::{SampleAttachments, SampleBuffer, Time, TimeRange};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn range(start: i64, end: i64) -> TimeRange {
    TimeRange::between(Time::new(start, 1), Time::new(end, 1))
}

fn keys(silo: &FrameSilo, range: impl Into<Option<TimeRange>>) -> Vec<i64> {
    silo.samples(range).unwrap().map(|sample| sample.unwrap().sample.dts.value()).collect()
}

fn ten() -> FrameSilo {
    let silo = FrameSilo::temporary(range(0, 10)).unwrap();
    (0..10).for_each(|second| silo.add(&at(second)).unwrap());
    silo
}

/// FS-1, FS-3, resolution 44: files are created, kept and deleted as they must be; a file that is not a silo
/// is never touched.
#[test]
fn files_of_silos() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.silo");
    let create = |existing| FrameSilo::create(&path, None, existing);
    let silo = create(ExistingSilo::Refuse).unwrap();
    silo.add(&at(1)).unwrap();
    assert!(path.exists());
    assert!(matches!(create(ExistingSilo::Empty), Err(SiloError::File { .. })), "it is in use");
    drop(silo);
    assert!(!path.exists(), "a new file goes with its silo");

    std::fs::write(&path, b"a letter").unwrap();
    for existing in [ExistingSilo::Refuse, ExistingSilo::Empty] {
        assert_eq!(create(existing).err().unwrap().code(), -12902);
    }
    assert!(FrameSilo::open(&path, None).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), b"a letter");

    std::fs::write(&path, b"").unwrap();
    let silo = create(ExistingSilo::Refuse).unwrap();
    silo.add(&at(1)).unwrap();
    drop(silo);
    assert_eq!(create(ExistingSilo::Refuse).err().unwrap().code(), -12902, "a silo is not emptied unasked");
    let silo = FrameSilo::open(&path, None).unwrap();
    assert_eq!(keys(&silo, None), [1], "a file that was there before stays, and can be opened");
    drop(silo);
    let silo = create(ExistingSilo::Empty).unwrap();
    assert!(keys(&silo, None).is_empty());
    drop(silo);
    assert!(path.exists());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// A silo of another version of the format is not read, and the error names the version; it can be emptied as
/// any silo can.
#[test]
fn another_version_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.silo");
    Journal::create(std::fs::File::create(&path).unwrap(), b'S', 1).unwrap();
    let error = FrameSilo::open(&path, None).err().unwrap();
    assert!(matches!(error, SiloError::File { .. }) && error.to_string().contains("version 1"), "{error}");
    let create = |existing| FrameSilo::create(&path, None, existing);
    let error = create(ExistingSilo::Refuse).err().unwrap();
    assert!(error.code() == -12902 && error.to_string().contains("there is a frame silo already"), "{error}");
    create(ExistingSilo::Empty).unwrap().add(&at(1)).unwrap();
    assert_eq!(keys(&FrameSilo::open(&path, None).unwrap(), None), [1]);
}

/// FS-4, FS-5, FS-6, FS-10, FS-12, FS-13, FS-21, FS-23: each mistake has its number and changes nothing.
#[test]
fn mistakes_have_their_numbers() {
    let silo = FrameSilo::temporary(TimeRange::EVERYTHING).unwrap();
    silo.add(&at(3)).unwrap();
    let code = |result: Result<(), SiloError>| result.unwrap_err().code();
    assert_eq!(code(silo.add(&at(3))), -12215);
    assert_eq!(code(silo.add(&at(2))), -12215);
    let nowhere = sample(Time::INVALID, Time::INDEFINITE, b"x");
    assert_eq!(code(silo.add(&nowhere)), -12215);
    assert_eq!(code(silo.add(&sample(Time::new(9, 1), Time::new(9, 1), b""))), -12902);
    assert_eq!(code(silo.progress_of_current_pass().map(|_| ())), -12216);
    assert_eq!(code(silo.samples(TimeRange::EVERYTHING).map(|_| ())), -12216);
    assert_eq!(code(silo.set_time_ranges_for_next_pass(&[range(0, 2), range(1, 3)])), -12216);
    assert_eq!(code(silo.set_time_ranges_for_next_pass(&[range(2, 3), range(0, 1)])), -12216);
    assert_eq!(code(silo.set_time_ranges_for_next_pass(&[TimeRange::EVERYTHING])), -12216);
    assert_eq!(keys(&silo, None), [3]);
    silo.set_time_ranges_for_next_pass(&[range(3, 4)]).unwrap();
    assert_eq!(code(silo.add(&at(4))), -12215, "the end is outside");
    assert!(keys(&silo, None).is_empty());
    // FS-4: without a decode time the presentation time counts
    silo.add(&sample(Time::INVALID, Time::new(7, 2), b"x")).unwrap();
    assert_eq!(keys(&silo, range(3, 4)).len(), 1);
}

/// A21: each mistake of a client gets its error and changes nothing.
#[test]
fn a21_client_mistakes_change_nothing() {
    // the client overwrote decode times by presentation times, with B frames: I0 P3 B1 B2 come in decode
    // order
    let silo = FrameSilo::temporary(range(0, 4)).unwrap();
    let mut refused = Vec::new();
    for pts in [0, 3, 1, 2] {
        refused.extend(silo.add(&at(pts)).err().map(|error| (pts, error.code())));
    }
    assert_eq!(refused, [(1, -12215), (2, -12215)]);
    assert_eq!(keys(&silo, None), [0, 3]);
    // the client built ranges from start and end instead of start and duration: the first is too long and
    // meets the second
    let silo = ten();
    let wrong = |start: i64, end: i64| TimeRange::new(Time::new(start, 1), Time::new(end, 1));
    let error = silo.set_time_ranges_for_next_pass(&[wrong(2, 4), wrong(5, 7)]).unwrap_err();
    assert_eq!(error.code(), -12216);
    assert_eq!(keys(&silo, None).len(), 10);
    assert_eq!(silo.progress_of_current_pass().unwrap(), 1.0);
    // the client set no ranges before the second pass, so its samples are below the last one of the first
    assert_eq!(silo.add(&at(2)).unwrap_err().code(), -12215);
    assert_eq!(keys(&silo, None), (0..10).collect::<Vec<_>>());
}

/// FS-15, FS-17, FS-18, FS-20: passes may have no range, a range without samples, or an empty range.
#[test]
fn unusual_passes() {
    let silo = ten();
    silo.set_time_ranges_for_next_pass(&[]).unwrap();
    assert_eq!((silo.progress_of_current_pass().unwrap(), keys(&silo, None).len()), (1.0, 10));
    assert_eq!(silo.add(&at(20)).unwrap_err().code(), -12215);
    silo.set_time_ranges_for_next_pass(&[range(3, 3)]).unwrap();
    assert_eq!((silo.progress_of_current_pass().unwrap(), keys(&silo, None).len()), (1.0, 10));
    silo.set_time_ranges_for_next_pass(&[range(2, 4), range(4, 6), range(8, 9)]).unwrap();
    silo.add(&at(5)).unwrap();
    assert_eq!(silo.progress_of_current_pass().unwrap(), 0.8);
    silo.set_time_ranges_for_next_pass(&[range(0, 1)]).unwrap();
    assert_eq!(silo.progress_of_current_pass().unwrap(), 0.0);
    assert_eq!(keys(&silo, None), [1, 5, 6, 7, 9]);
}

/// FS-24, FS-25, FS-27, FS-28: a callback's error ends the reading and is returned as it is; the callback
/// cannot change the silo.
#[test]
fn callbacks() {
    #[derive(Debug, PartialEq)]
    enum Mine {
        Status(i32),
        Silo(i32),
    }
    impl From<SiloError> for Mine {
        fn from(error: SiloError) -> Self {
            Self::Silo(error.code())
        }
    }
    let silo = ten();
    let here = std::thread::current().id();
    let mut seen = Vec::new();
    let status = silo.for_each(range(2, 9), |sample| {
        assert_eq!(std::thread::current().id(), here);
        seen.push(sample.sample.dts.value());
        if seen.len() == 3 { Err(Mine::Status(-77)) } else { Ok(()) }
    });
    assert_eq!((status, seen), (Err(Mine::Status(-77)), vec![2, 3, 4]));
    assert_eq!(silo.for_each(range(20, 30), |_| Err(Mine::Status(1))), Ok(()));
    let inside = silo.for_each(None, |_| {
        assert_eq!(silo.set_time_ranges_for_next_pass(&[]).unwrap_err().code(), -12902);
        silo.add(&at(99)).map_err(Mine::from)
    });
    assert_eq!(inside, Err(Mine::Silo(-12902)));
    silo.add(&at(99)).unwrap();
    assert_eq!(keys(&silo, None).len(), 11);
}

/// FS-11: one thread adds while another reads, and each reading is the silo at one moment.
#[test]
fn adding_and_reading_at_once() {
    let silo = FrameSilo::temporary(None).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (0..5000).for_each(|second| silo.add(&at(second)).unwrap());
            done.store(true, Ordering::Release);
        });
        let mut longest = 0;
        while longest < 5000 {
            let finished = done.load(Ordering::Acquire);
            let found = keys(&silo, None);
            assert!(found.iter().copied().eq(0..found.len() as i64) && found.len() >= longest);
            assert!(!finished || found.len() == 5000);
            longest = found.len();
        }
    });
}

/// FS-26: all fields are read as they were written, bit by bit; descriptions are shared.
#[test]
fn samples_come_back_whole() {
    let silo = FrameSilo::temporary(None).unwrap();
    let mut rich = sample(Time::new(-1001, 30_000).with_epoch(2), Time::from_seconds(0.1, 3), b"\0\0\0\x01e");
    rich.attachments = SampleAttachments {
        temporal_layer: 2,
        mean_squared_errors: vec![[0.1, 2.5, 1e-9]],
        trim_at_start: Some(Time::new(1, 90_000)),
        ends_previous_duration: true,
        ..SampleAttachments::default()
    };
    let mut plain = at(1);
    plain.sample.dts = plain.sample.dts.with_epoch(2);
    plain.format = format(64);
    for sample in [&rich, &plain] {
        silo.add(sample).unwrap();
    }
    let found: Vec<SampleBuffer> = silo.samples(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(found, [rich.clone(), plain]);
    assert!(found[0].sample.pts.has_been_rounded() && found[0].sample.pts.flags() == rich.sample.pts.flags());
    assert!(Arc::ptr_eq(&found[0].format, &found[1].format));
    rich.sample.dts = Time::new(9, 1).with_epoch(2);
    rich.attachments.mean_squared_errors = vec![[f64::NAN, 0.0, 0.0]];
    assert_eq!(silo.add(&rich).unwrap_err().code(), -12902);
}

/// The old samples stay until the new ones are committed, so that a pass may be given up.
#[test]
fn a_replacement_leaves_no_hole() {
    let silo = ten();
    let old: Vec<SampleBuffer> = silo.samples(None).unwrap().map(Result::unwrap).collect();
    let again = |second| {
        let mut again = at(second);
        again.sample.data = vec![7];
        again
    };
    for commit in [false, true] {
        silo.begin_replacement(&[range(3, 6)]).unwrap();
        assert_eq!(silo.set_time_ranges_for_next_pass(&[]).unwrap_err().code(), -12902);
        (3..6).for_each(|second| silo.add(&again(second)).unwrap());
        assert_eq!(silo.progress_of_current_pass().unwrap(), 1.0);
        let during: Vec<SampleBuffer> = silo.samples(None).unwrap().map(Result::unwrap).collect();
        assert_eq!(during, old);
        if commit { silo.commit_replacement().unwrap() } else { silo.abandon_replacement().unwrap() }
    }
    let new: Vec<SampleBuffer> = silo.samples(None).unwrap().map(Result::unwrap).collect();
    assert_eq!(new[3..6], [again(3), again(4), again(5)]);
    assert_eq!((&new[..3], &new[6..]), (&old[..3], &old[6..]));
    assert_eq!(silo.commit_replacement().unwrap_err().code(), -12902);
    assert_eq!(silo.abandon_replacement().unwrap_err().code(), -12902);
}

/// The space of replaced samples is given back; a running reader keeps its samples.
#[test]
fn space_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.silo");
    std::fs::write(&path, b"").unwrap();
    let silo = FrameSilo::create(&path, None, ExistingSilo::Refuse).unwrap();
    let big = |second: i64, fill: u8| {
        let mut buffer = at(second);
        buffer.sample.data = vec![fill; 1 << 20];
        buffer
    };
    (0..50).for_each(|second| silo.add(&big(second, 1)).unwrap());
    let mut largest = 0;
    for pass in 2..8 {
        let mut reader = silo.samples(None).unwrap();
        let first = reader.next().unwrap().unwrap();
        silo.set_time_ranges_for_next_pass(&[range(10, 50)]).unwrap();
        assert_eq!(
            reader.map(|sample| sample.unwrap().sample.data[0]).filter(|fill| *fill == pass - 1).count(),
            if pass == 2 { 49 } else { 40 }
        );
        assert_eq!(first.sample.data[0], 1);
        (10..50).for_each(|second| silo.add(&big(second, pass)).unwrap());
        silo.sync().unwrap();
        largest = largest.max(std::fs::metadata(&path).unwrap().len() >> 20);
        silo.set_time_ranges_for_next_pass(&[]).unwrap();
    }
    assert!(largest <= 150, "{largest} MiB for 50");
    drop(silo);
    let silo = FrameSilo::open(&path, None).unwrap();
    let fills: Vec<u8> = silo.samples(None).unwrap().map(|sample| sample.unwrap().sample.data[9]).collect();
    assert_eq!(fills, [vec![1; 10], vec![7; 40]].concat());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// A23: a million samples in order, and a tenth of them again, take at most a hundred bytes of memory each.
#[test]
fn a23_a_million_samples() {
    const COUNT: i64 = 1_000_000;
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/statm").ok()?;
        Some(status.split(' ').nth(1)?.parse::<u64>().ok()? * 4096)
    };
    let before = resident();
    let silo = FrameSilo::temporary(None).unwrap();
    let shared = format(64);
    let mut buffer = at(0);
    buffer.format = shared.clone();
    let mut add = |frame: i64, fill: u8| {
        (buffer.sample.dts, buffer.sample.pts) =
            (Time::new(frame * 1001, 30_000), Time::new(frame * 1001, 30_000));
        buffer.sample.data = vec![fill; 4];
        silo.add(&buffer).unwrap();
    };
    (0..COUNT).for_each(|frame| add(frame, 1));
    let ranges: Vec<TimeRange> = (0..1000)
        .map(|unit| TimeRange::new(Time::new(unit * 1_001_000, 30_000), Time::new(100_100, 30_000)))
        .collect();
    silo.set_time_ranges_for_next_pass(&ranges).unwrap();
    (0..COUNT).filter(|frame| frame % 1000 < 100).for_each(|frame| add(frame, 2));
    for _ in 0..2 {
        let mut expected = 0;
        for sample in silo.samples(None).unwrap() {
            let SampleBuffer { sample, format, .. } = sample.unwrap();
            assert_eq!(sample.dts.value(), expected * 1001);
            assert_eq!(sample.data[0], if expected % 1000 < 100 { 2 } else { 1 });
            assert!(Arc::ptr_eq(&format, &shared));
            expected += 1;
        }
        assert_eq!(expected, COUNT);
    }
    if let (Some(before), Some(after)) = (before, resident()) {
        let each = after.saturating_sub(before) / COUNT as u64;
        assert!(each <= 100, "{each} bytes for each sample");
        println!("{each} bytes for each sample");
    } else {
        println!("SKIPPED: the memory of a process can be read on Linux only");
    }
}
