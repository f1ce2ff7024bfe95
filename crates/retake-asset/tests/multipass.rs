//! Several passes with real encoders: what is encoded again, what is kept meanwhile, and what is in the film
//! at the end (section 18).
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::*;
use retake_asset::{
    AssetWriter, AssetWriterInput, Container, PixelBufferAdaptor, SegmentProfile, SegmentReport,
    VideoSettings, WriterStatus,
};
use retake_compression::encoder::EncoderInfo;
use retake_compression::property::Property;
use retake_compression::session::SourceFrame;
use retake_compression::session::{CompressionSession, NextPass, PassOptions};
use retake_compression::silo::FrameSilo;
use retake_compression::storage::{MultiPassStorage, StorageOptions};
use retake_media::{PixelBufferAttributes, PixelFormat, Time, TimeRange};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

const FRAMES: i64 = 120;
/// Bits a second that encoders do not meet at once.
const RATE: u64 = 240_000;

fn time(index: i64) -> Time {
    Time::new(index, 24)
}

fn times() -> Arc<[Time]> {
    (0..FRAMES).map(time).collect()
}

fn settings(info: &EncoderInfo) -> VideoSettings {
    let mut settings = VideoSettings::new(info.codec, 176, 144);
    settings.specification.encoder = Some(info.name.to_owned());
    settings.properties = vec![
        fast(info),
        Property::AverageBitRate(RATE),
        Property::MaxKeyFrameInterval(24),
        Property::ExpectedFrameRate(24.0),
    ];
    settings
}

fn encoders() -> Vec<EncoderInfo> {
    // libaom would take as long as all others together, and nothing here is its own affair
    let encoders: Vec<_> = registry().encoders().filter(|info| info.name != "libaom").cloned().collect();
    if encoders.is_empty() {
        eprintln!("SKIPPED: no encoder is built");
    }
    encoders
}

struct Set {
    writer: AssetWriter,
    input: AssetWriterInput,
    adaptor: Arc<PixelBufferAdaptor>,
}

/// A writer in its session, of one input that encodes in several passes, with a folder of its own for
/// temporary files.
fn set(studio: &Studio, name: &str, info: &EncoderInfo) -> Set {
    let folder = studio.path("temporary");
    std::fs::create_dir_all(&folder).unwrap();
    let writer = AssetWriter::new(studio.path(name), Container::from_path(Path::new(name)).unwrap());
    writer.configure(|options| options.directory_for_temporary_files = Some(folder)).unwrap();
    let input = AssetWriterInput::video(&settings(info), &registry()).unwrap();
    assert!(!input.can_perform_multiple_passes(), "AM-1: only where it is asked for");
    input.configure(|options| options.multi_pass = true).unwrap();
    assert!(input.can_perform_multiple_passes(), "AM-3: from the moment on at which it is asked for");
    let attributes = PixelBufferAttributes::of(PixelFormat::I420, 176, 144);
    let adaptor = Arc::new(PixelBufferAdaptor::new(&input, Some(attributes)).unwrap());
    writer.add(&input).unwrap();
    Set { writer, input, adaptor }
}

impl Set {
    fn start(&self) {
        self.writer.start_writing().unwrap();
        self.writer.start_session(Time::ZERO).unwrap();
        assert!(self.input.can_perform_multiple_passes());
    }

    /// Appends by the usual loop. Of each pass the test hears; it goes on with `most` passes.
    fn run(&self, most: usize) -> Receiver<Option<Vec<TimeRange>>> {
        let (tell, told) = channel();
        let mut seen = 0;
        answer_passes(
            &self.input,
            self.adaptor.clone(),
            times(),
            |index| scene(index as i64, 176, 144),
            move |pass| {
                // the test may have heard enough
                let _ = tell.send(pass.map(<[TimeRange]>::to_vec));
                seen += 1;
                seen <= most
            },
        );
        told
    }
}

/// Files without a name that this process has open in a folder: what the temporary ones of passes are.
fn open_in(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return 0 };
    let links = entries.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
    links.filter(|file| file.starts_with(folder)).count()
}

/// The same passes without a writer, as the session and a silo make them: payloads in decode order.
fn by_hand(info: &EncoderInfo, most: usize) -> Vec<Vec<u8>> {
    let registry = registry();
    let builder = CompressionSession::<()>::builder(&registry, 176, 144, info.codec).encoder(info.name);
    let (session, outcomes) = builder.build_pull().unwrap();
    session.set_all(&settings(info).properties).unwrap();
    let storage = MultiPassStorage::create(None, &StorageOptions::default()).unwrap();
    session.set_multi_pass_storage(Some(&storage), PassOptions::default()).unwrap();
    let silo = FrameSilo::temporary(None).unwrap();
    let mut wanted: Arc<[TimeRange]> = [TimeRange::EVERYTHING].into();
    for pass in 1.. {
        session.begin_pass().unwrap();
        let inside = |index: &i64| pass == 1 || wanted.iter().any(|range| range.contains(time(*index)));
        for index in (0..FRAMES).filter(inside) {
            let picture = scene(index, 176, 144);
            session.encode(SourceFrame::new(&picture, time(index)), ()).unwrap();
        }
        let next = session.end_pass().unwrap();
        while let Some(outcome) = outcomes.try_receive() {
            silo.add(&outcome.into_sample().unwrap().unwrap()).unwrap();
        }
        match next {
            NextPass::Requested(ranges) if pass < most => wanted = ranges,
            _ => break,
        }
        silo.set_time_ranges_for_next_pass(&wanted).unwrap();
    }
    let samples = silo.samples(None).unwrap();
    samples.map(|sample| sample.unwrap().sample.data).collect()
}

/// The film has each frame once, at its time, and another program decodes them all.
fn assert_whole(film: &Path, what: &str) {
    let expected: Vec<i64> = (0..FRAMES).map(|index| index * 1_000_000 / 24).collect();
    let got: Vec<i64> = frames(film, "v:0").into_iter().map(|frame| frame.0).collect();
    assert_eq!(got.len(), expected.len(), "{what}");
    assert!(got.iter().zip(&expected).all(|(got, expected)| (got - expected).abs() <= 1), "{what}: {got:?}");
}

/// AM-3, AM-4, AM-5, AM-6, AM-8, AM-9, AM-10, AM-15, AM-20, MP-16 with every encoder, whether the client goes
/// through all passes, or stops after the first: the film holds what the session and a silo come to without a
/// writer, sample for sample, and another program decodes it whole. Samples of earlier passes wait in the
/// folder for temporary files, which are gone at the end.
#[test]
fn passes_of_real_encoders() {
    let Some(studio) = Studio::open() else { return };
    for info in encoders() {
        let mut asks = true;
        for (most, name) in [(9, "all.mp4"), (1, "one.mp4")] {
            if !asks {
                continue; // it would be the same film
            }
            let name = format!("{}-{name}", info.name);
            let set = set(&studio, &name, &info);
            set.start();
            let told = set.run(most);
            assert_eq!(told.recv_timeout(LONG).unwrap(), Some(vec![TimeRange::EVERYTHING]));
            let mut again = Vec::new();
            while let Some(ranges) = told.recv_timeout(LONG).unwrap() {
                if cfg!(target_os = "linux") {
                    assert!(open_in(&studio.path("temporary")) > 0, "AM-15");
                }
                assert!(ranges.windows(2).all(|pair| pair[0].end() <= pair[1].start), "AM-5: {ranges:?}");
                again.push(ranges);
                if again.len() == most {
                    break; // it marked the input as finished
                }
            }
            assert!(!studio.path(&name).exists());
            set.writer.finish_writing_and_wait().unwrap();
            assert_eq!(
                open_in(&studio.path("temporary")),
                0,
                "also while its input is there: {:?}",
                set.input
            );
            assert!(std::fs::read_dir(studio.path("temporary")).unwrap().next().is_none());
            let film = studio.path(&name);
            assert_whole(&film, &name);
            let stored: Vec<_> =
                Track::read(&film, 0).samples.into_iter().map(|sample| sample.data).collect();
            assert!(stored == by_hand(&info, most), "{name}");
            println!("{name}: {} further passes", again.len());
            asks = !again.is_empty();
            if most > 1 {
                let parts = |ranges: &Vec<TimeRange>| {
                    let inside = |index: &i64| ranges.iter().any(|range| range.contains(time(*index)));
                    (0..FRAMES).filter(inside).count() < FRAMES as usize
                };
                assert!(again.iter().any(parts), "{name}: {again:?}");
            }
        }
    }
}

/// A33, AM-17, AM-10, AM-16: writers that are cancelled, dropped, or finished at any moment of the passes.
/// Cancelled, they leave nothing; finished, a whole film, also when the second pass is half done.
#[test]
fn a33_ends_at_any_moment_of_the_passes() {
    let Some(studio) = Studio::open() else { return };
    let Some(info) = encoders().into_iter().find(|info| info.name == "x264") else {
        eprintln!("SKIPPED: no x264 in this build");
        return;
    };
    let append = |set: &Set, indices: &mut dyn Iterator<Item = i64>| {
        for index in indices {
            assert!(set.input.wait_until_ready(LONG));
            set.adaptor.append(scene(index, 176, 144), time(index)).unwrap();
        }
    };
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Moment {
        First,
        Deciding,
        Second,
        /// All but one frame of a range of the second pass.
        Nearly,
    }
    for moment in [Moment::First, Moment::Deciding, Moment::Second, Moment::Nearly] {
        for end in ["cancel", "drop", "finish", "fail"] {
            let what = format!("{end} {moment:?}");
            let home = if end == "fail" { "moved/film.mp4" } else { "film.mp4" };
            std::fs::create_dir_all(studio.path("moved")).unwrap();
            let set = set(&studio, home, &info);
            set.start();
            if moment == Moment::First {
                append(&set, &mut (0..FRAMES - 1));
                append(&set, &mut (FRAMES - 1..FRAMES));
            } else {
                append(&set, &mut (0..FRAMES));
                set.input.mark_current_pass_as_finished().unwrap();
            }
            if matches!(moment, Moment::Second | Moment::Nearly) {
                assert!(set.input.wait_until_ready(LONG), "no second pass");
                let pass = set.input.current_pass_description().unwrap();
                let ranges = pass.source_time_ranges().to_vec();
                let inside = |index: &i64| ranges.iter().any(|range| range.contains(time(*index)));
                let all: Vec<i64> = (0..FRAMES).filter(inside).collect();
                let count = if moment == Moment::Nearly { all.len() - 1 } else { all.len() / 2 };
                append(&set, &mut all[..count].iter().copied());
            }
            match end {
                "cancel" => {
                    set.writer.cancel_writing();
                    assert_eq!(set.writer.status(), WriterStatus::Cancelled);
                }
                "drop" => drop(set.writer),
                "fail" => {
                    // where the film was to be is no folder any more
                    std::fs::remove_dir_all(studio.path("moved")).unwrap();
                    assert!(set.writer.finish_writing_and_wait().is_err(), "{what}");
                    assert_eq!(set.writer.status(), WriterStatus::Failed);
                }
                _ => {
                    set.writer.finish_writing_and_wait().unwrap();
                    assert_whole(&studio.path("film.mp4"), &what);
                    std::fs::remove_file(studio.path("film.mp4")).unwrap();
                }
            }
            // the input is still there, and holds nothing
            assert_eq!(open_in(&studio.path("temporary")), 0, "{what}");
            assert!(std::fs::read_dir(studio.path("temporary")).unwrap().next().is_none(), "{what}");
            assert!(!studio.path("film.mp4").exists() && !set.input.is_ready_for_more_media_data(), "{what}");
        }
    }
}

/// AM-15: a folder for temporary files that is not there is told when the writer starts.
#[test]
fn a_folder_for_temporary_files_has_to_be_there() {
    let studio = Studio::empty();
    let Some(info) = encoders().into_iter().next() else { return };
    let set = set(&studio, "film.mp4", &info);
    set.writer
        .configure(|options| options.directory_for_temporary_files = Some(studio.path("nowhere")))
        .unwrap();
    let error = set.writer.start_writing().unwrap_err();
    assert_eq!(set.writer.status(), WriterStatus::Failed, "{error}");
    assert!(error.to_string().contains("nowhere"), "{error}");
}

/// AM-3: a session whose properties do not go with passes makes one, and says so once the writer has started;
/// what is asked of it then is answered at once.
#[test]
fn properties_that_do_not_go_with_passes() {
    let Some(studio) = Studio::open() else { return };
    let registry = registry();
    for info in encoders() {
        let mut settings = settings(&info);
        settings.properties = vec![fast(&info), Property::Quality(0.5), Property::AllowOpenGOP(true)];
        // not every encoder has them
        let Ok(input) = AssetWriterInput::video(&settings, &registry) else { continue };
        input.configure(|options| options.multi_pass = true).unwrap();
        let adaptor = Arc::new(PixelBufferAdaptor::new(&input, None).unwrap());
        let writer = AssetWriter::new(studio.path(&format!("{}.mp4", info.name)), Container::Mp4);
        writer.add(&input).unwrap();
        let set = Set { writer, input, adaptor };
        set.writer.start_writing().unwrap();
        set.writer.start_session(Time::ZERO).unwrap();
        assert!(!set.input.can_perform_multiple_passes(), "{}", info.name);
        let told = set.run(9);
        assert_eq!(told.recv_timeout(LONG).unwrap(), Some(vec![TimeRange::EVERYTHING]));
        assert_eq!(told.recv_timeout(LONG).unwrap(), None);
        set.writer.finish_writing_and_wait().unwrap();
        assert_whole(&studio.path(&format!("{}.mp4", info.name)), info.name);
    }
}

/// SG-3, AM-19: an input that encodes is told where segments begin, in one pass and in several; then they
/// come after the last.
#[test]
fn segments_of_an_encode_begin_at_their_boundaries() {
    let Some(info) = encoders().into_iter().find(|info| info.name == "x264") else {
        eprintln!("SKIPPED: no x264 in this build");
        return;
    };
    for multi_pass in [false, true] {
        let starts: Arc<Mutex<Vec<Time>>> = Arc::default();
        let keep = starts.clone();
        let writer =
            AssetWriter::segments(SegmentProfile::Cmaf, move |_: Vec<u8>, report: &SegmentReport| {
                let tracks = report.tracks.iter();
                let mut starts = keep.lock().unwrap();
                starts.extend(tracks.map(|track| {
                    assert!(track.first_video_sample.unwrap().is_sync, "SG-5");
                    track.earliest_presentation_time
                }));
            });
        writer
            .configure(|options| {
                options.preferred_output_segment_interval = Some(Time::new(13, 24));
                options.initial_segment_start_time = Some(Time::ZERO);
            })
            .unwrap();
        let mut settings = settings(&info);
        settings.properties.push(Property::MaxKeyFrameInterval(1000));
        let input = AssetWriterInput::video(&settings, &registry()).unwrap();
        input.configure(|options| options.multi_pass = multi_pass).unwrap();
        let adaptor = Arc::new(PixelBufferAdaptor::new(&input, None).unwrap());
        writer.add(&input).unwrap();
        let set = Set { writer, input, adaptor };
        set.writer.start_writing().unwrap();
        set.writer.start_session(Time::ZERO).unwrap();
        let told = set.run(9);
        while told.recv_timeout(LONG).unwrap().is_some() {
            assert!(!multi_pass || starts.lock().unwrap().is_empty(), "resolution 31");
        }
        set.writer.finish_writing_and_wait().unwrap();
        let expected: Vec<Time> = (0..FRAMES).step_by(13).map(time).collect();
        assert_eq!(*starts.lock().unwrap(), expected, "several passes: {multi_pass}");
    }
}
