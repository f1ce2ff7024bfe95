//! Segments for streams (section 20).
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::*;
use retake_asset::{
    AssetWriter, AssetWriterInput, CallError, Mistake, SegmentKind, SegmentProfile, SegmentReport,
    TrackFormat, WriterError,
};
use retake_media::{Sample, Time};
use std::sync::{Arc, Mutex};

/// Six seconds with a sync sample a second, B frames, AAC with priming.
const FILM: &str = "-f lavfi -i testsrc2=s=160x90:r=24:d=6 -f lavfi -i sine=r=48000:d=6 -c:v libx264 -bf 3 -g 24 -sc_threshold 0 -c:a aac";

type Segments = Vec<(Vec<u8>, SegmentReport)>;
type Collected = Arc<Mutex<Segments>>;

fn collector(profile: SegmentProfile) -> (AssetWriter, Collected) {
    let collected: Collected = Arc::default();
    let keep = collected.clone();
    let writer = AssetWriter::segments(profile, move |data: Vec<u8>, report: &SegmentReport| {
        keep.lock().unwrap().push((data, report.clone()));
    });
    (writer, collected)
}

/// A37, SG-2, SG-3, SG-6, SG-9: the initialization segment comes first and once; segments begin with the
/// first sync sample at or after each multiple of the interval; what the reports say of bytes and times is
/// so; the stream decodes to the film.
#[test]
fn a37_segments_begin_at_multiples_with_sync_samples() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(FILM, "a.mp4");
    for interval in [Time::new(2, 1), Time::new(3, 2)] {
        let tracks = [Track::read(&film, 0), Track::read(&film, 1)];
        let (writer, collected) = collector(SegmentProfile::AppleHls);
        writer
            .configure(|options| {
                options.preferred_output_segment_interval = Some(interval);
                options.initial_segment_start_time = Some(Time::ZERO);
            })
            .unwrap();
        let inputs: Vec<_> =
            tracks.iter().map(|track| AssetWriterInput::passthrough(track.format.clone())).collect();
        inputs.iter().for_each(|input| writer.add(input).unwrap());
        writer.start_writing().unwrap();
        writer.start_session(Time::ZERO).unwrap();
        append_all(&inputs, &tracks);
        writer.finish_writing_and_wait().unwrap();
        let collected = collected.lock().unwrap();

        assert_eq!(collected[0].1.kind, SegmentKind::Initialization);
        assert_eq!(&collected[0].0[4..8], b"ftyp");
        // the reference: walk the sync samples
        let sync = |sample: &&Sample| sample.is_sync();
        let (mut boundary, mut expected) = (Time::ZERO, Vec::new());
        for sample in tracks[0].samples.iter().filter(sync) {
            if sample.pts >= boundary {
                expected.push(sample.pts);
                while boundary <= sample.pts {
                    boundary += interval;
                }
            }
        }
        let firsts = collected[1..].iter().map(|(data, report)| {
            assert_eq!((report.kind, &data[4..8]), (SegmentKind::Separable, b"styp".as_slice()));
            let video = &report.tracks[0];
            let first = video.first_video_sample.unwrap();
            assert!(first.is_sync && first.presentation_time == video.earliest_presentation_time);
            let sample =
                tracks[0].samples.iter().find(|sample| sample.pts == first.presentation_time).unwrap();
            let bytes = &data[first.offset as usize..(first.offset + first.length) as usize];
            assert_eq!(bytes, sample.data, "SG-6");
            assert!(report.tracks[1].first_video_sample.is_none());
            first.presentation_time
        });
        assert_eq!(firsts.collect::<Vec<_>>(), expected);
        let ends = collected[1..].windows(2).map(|pair| {
            let video = &pair[0].1.tracks[0];
            let end = video.earliest_presentation_time + video.duration;
            (end, pair[1].1.tracks[0].earliest_presentation_time)
        });
        assert!(ends.into_iter().all(|(end, next)| end == next));

        let stream = studio.path("stream.mp4");
        let bytes: Vec<u8> = collected.iter().flat_map(|(data, _)| data.clone()).collect();
        std::fs::write(&stream, bytes).unwrap();
        let (all, got) = (frames(&film, "v:0"), frames(&stream, "v:0"));
        let hashes = |list: &[(i64, String)]| list.iter().map(|frame| frame.1.clone()).collect::<Vec<_>>();
        assert_eq!(hashes(&got), hashes(&all));
        let distance = got[0].0 - all[0].0;
        assert!(got.iter().zip(&all).all(|(a, b)| (a.0 - b.0 - distance).abs() <= 1));
    }
}

/// Two and a half seconds of pictures in one track, flushed where the test says.
fn flushed(at: &[i64]) -> (Result<(), CallError>, Segments) {
    let (writer, collected) = collector(SegmentProfile::Cmaf);
    writer.configure(|options| options.preferred_output_segment_interval = Some(Time::INDEFINITE)).unwrap();
    let input = AssetWriterInput::passthrough(video_format());
    writer.add(&input).unwrap();
    let other = AssetWriterInput::passthrough(audio_format());
    assert!(!writer.can_add(&other), "SG-8");
    assert!(matches!(writer.flush_segment().unwrap_err().mistake, Mistake::Status { .. }));
    writer.start_writing().unwrap();
    assert_eq!(writer.flush_segment().unwrap_err().mistake, Mistake::NoSession);
    writer.start_session(Time::ZERO).unwrap();
    for index in 0..60 {
        if at.contains(&index) {
            writer.flush_segment().unwrap();
        }
        if !input.wait_until_ready(LONG) || input.append(picture(index)).is_err() {
            break; // it has failed
        }
    }
    let ended = writer.finish_writing_and_wait();
    let collected = collected.lock().unwrap().clone();
    (ended, collected)
}

/// A37, SG-4: with an indefinite interval the client ends segments, and the next sample has to be a sync
/// sample: else -11876.
#[test]
fn a37_segments_that_the_client_ends() {
    let (ended, segments) = flushed(&[0, 24, 36]);
    ended.unwrap();
    let starts: Vec<Time> =
        segments[1..].iter().map(|(_, report)| report.tracks[0].earliest_presentation_time).collect();
    assert_eq!(starts, [Time::ZERO, Time::new(24, 24), Time::new(36, 24)]);

    let (ended, segments) = flushed(&[24, 30]);
    let Err(CallError::Failed(error)) = ended else { panic!("{ended:?}") };
    assert!(matches!(error, WriterError::NoSyncAtSegmentStart { time } if time == Time::new(30, 24)));
    assert_eq!((error.code(), segments.len()), (-11876, 2));
}

/// SG-8: a stream of CMAF has one track and says so in its brands; one for HLS may have several. Every
/// fragment of both says when it is decoded.
#[test]
fn profiles_differ_in_brands_and_tracks() {
    let inputs = |profile: SegmentProfile, formats: &[TrackFormat]| {
        let (writer, collected) = collector(profile);
        let indefinite = Some(Time::INDEFINITE);
        writer.configure(|options| options.preferred_output_segment_interval = indefinite).unwrap();
        let inputs: Vec<_> = formats.iter().cloned().map(AssetWriterInput::passthrough).collect();
        let added: Vec<bool> = inputs.iter().map(|input| writer.add(input).is_ok()).collect();
        (writer, collected, inputs, added)
    };
    let both = [video_format(), audio_format()];
    let (writer, _, _, added) = inputs(SegmentProfile::Cmaf, &both);
    assert_eq!(added, [true, false], "one track a stream");
    drop(writer);
    for (profile, formats, major, brands, own) in [
        (SegmentProfile::Cmaf, &both[..1], *b"cmfc", [*b"cmfc", *b"iso6"], *b"cmfs"),
        (SegmentProfile::AppleHls, &both[..], *b"iso6", [*b"hlsf", *b"mp41"], *b"msdh"),
    ] {
        let (writer, collected, inputs, added) = inputs(profile, formats);
        assert!(added.iter().all(|added| *added), "{profile:?}");
        writer.start_writing().unwrap();
        writer.start_session(Time::ZERO).unwrap();
        for index in 0..36 {
            if index == 24 {
                writer.flush_segment().unwrap();
            }
            append(&inputs[0], picture(index));
            // 46.875 packets of sound in a second
            for packet in (index * 2..index * 2 + 2).filter(|packet| *packet < 70) {
                inputs.get(1).into_iter().for_each(|input| append(input, sound(packet)));
            }
        }
        writer.finish_writing_and_wait().unwrap();
        let collected = collected.lock().unwrap();
        let ftyp = boxes(&collected[0].0, &[b"ftyp"]).remove(0);
        assert_eq!(ftyp[..4], major, "{profile:?}");
        let named = |brand: &[u8; 4]| ftyp[8..].chunks(4).any(|other| other == brand);
        assert!(brands.iter().all(named), "{profile:?}: {ftyp:?}");
        assert_eq!(boxes(&collected[0].0, &[b"moov", b"trak"]).len(), formats.len());
        assert_eq!(collected.len(), 3, "{profile:?}");
        for (data, _) in &collected[1..] {
            assert_eq!(boxes(data, &[b"styp"]).remove(0)[..4], own, "{profile:?}");
            let fragments = boxes(data, &[b"moof", b"traf"]).len();
            assert_eq!(fragments % formats.len(), 0, "{profile:?}");
            assert_eq!(boxes(data, &[b"moof", b"traf", b"tfdt"]).len(), fragments, "{profile:?}");
        }
    }
}

/// SG-1: an interval that is a number needs a start that is one; and segments that end by themselves are not
/// ended by the client.
#[test]
fn segments_of_an_interval_need_a_start() {
    let (writer, _) = collector(SegmentProfile::AppleHls);
    writer.configure(|options| options.preferred_output_segment_interval = Some(Time::new(2, 1))).unwrap();
    writer.add(&AssetWriterInput::passthrough(video_format())).unwrap();
    assert!(matches!(writer.start_writing(), Err(CallError::Usage(_))));
    writer.configure(|options| options.initial_segment_start_time = Some(Time::ZERO)).unwrap();
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();
    assert_eq!(writer.flush_segment().unwrap_err().mistake, Mistake::NotByClient);
}

/// A delegate that panics ends the writer, and nobody waits for ever.
#[test]
fn a_delegate_that_panics_ends_the_writer() {
    let writer = AssetWriter::segments(SegmentProfile::AppleHls, |_: Vec<u8>, _: &SegmentReport| {
        panic!("by the test")
    });
    let input = AssetWriterInput::passthrough(video_format());
    writer.add(&input).unwrap();
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();
    for index in 0..20 {
        append(&input, picture(index));
    }
    assert!(matches!(writer.finish_writing_and_wait(), Err(CallError::Failed(WriterError::Panicked(_)))));
}

/// The segments of a part of a film, by a writer that knows nothing of the other parts.
fn part(
    tracks: &[Track; 2],
    from: Time,
    to: Time,
    number: u32,
    delay: Option<Time>,
) -> Result<Segments, CallError> {
    let (writer, collected) = collector(SegmentProfile::AppleHls);
    writer
        .configure(|options| {
            options.produces_combinable_fragments = true;
            options.initial_movie_fragment_sequence_number = number;
            options.preferred_output_segment_interval = Some(Time::new(1, 1));
            options.initial_segment_start_time = Some(from);
        })
        .unwrap();
    let inputs = tracks.each_ref().map(|track| AssetWriterInput::passthrough(track.format.clone()));
    inputs.iter().for_each(|input| writer.add(input).unwrap());
    inputs[0]
        .configure(|options| {
            (options.media_time_scale, options.reorder_delay) = (24_000, delay);
        })
        .unwrap();
    writer.start_writing()?;
    writer.start_session(Time::ZERO).unwrap();
    // a part begins with a sync sample, before which all that is shown earlier was decoded
    let inside = tracks.each_ref().map(|track| {
        let cut = |time: Time| {
            let found = track.samples.iter().position(|sample| sample.is_sync() && sample.pts >= time);
            found.unwrap_or(track.samples.len())
        };
        let begin = if from == Time::ZERO { 0 } else { cut(from) };
        Track { format: track.format.clone(), samples: track.samples[begin..cut(to)].to_vec() }
    });
    std::thread::scope(|scope| {
        for (input, track) in inputs.iter().zip(&inside) {
            // a writer that has failed takes no more
            scope.spawn(move || {
                let mut samples = track.samples.iter();
                while let Some(sample) = samples.next().filter(|_| input.wait_until_ready(LONG)) {
                    if input.append(sample.clone()).is_err() {
                        break;
                    }
                }
                let _ = input.mark_as_finished();
            });
        }
    });
    writer.finish_writing_and_wait()?;
    let collected = collected.lock().unwrap().clone();
    Ok(collected)
}

/// [SG-11] Segments of several writers, each of which has a part of a film and knows nothing of the others,
/// are one stream behind the head of any of them: another program shows all pictures at their times, and
/// hears all packets. What cannot be combined is refused by its reason.
#[test]
fn fragments_of_several_writers_are_one_stream() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(FILM, "a.mp4");
    let mut tracks = [Track::read(&film, 0), Track::read(&film, 1)];
    if let TrackFormat::Audio(sound) = &mut tracks[1].format {
        sound.priming = 1024; // which the reader knows of by the times alone
    }
    let depth = tracks[0].samples.iter().map(|sample| sample.dts - sample.pts).max();
    let (cut, end) = (Time::new(3, 1), Time::new(99, 1));
    let first = part(&tracks, Time::ZERO, cut, 1, depth).unwrap();
    let second = part(&tracks, cut, end, first.len() as u32, depth).unwrap();
    assert_eq!((first.len(), second.len()), (4, 4));
    assert!(first[0].0 == second[0].0, "the heads are the same");
    let numbers = |part: &Segments| -> Vec<u32> {
        let runs = part[1..].iter().flat_map(|(data, _)| boxes(data, &[b"moof", b"mfhd"]));
        runs.map(|fields| number(&fields[4..8])).collect()
    };
    assert_eq!([numbers(&first), numbers(&second)].concat(), [1, 2, 3, 4, 5, 6]);

    let stream = studio.path("stream.mp4");
    let media = first.iter().chain(&second[1..]).flat_map(|(data, _)| data.clone());
    std::fs::write(&stream, media.collect::<Vec<u8>>()).unwrap();
    let (all, got) = (frames(&film, "v:0"), frames(&stream, "v:0"));
    let hashes = |list: &[(i64, String)]| list.iter().map(|frame| frame.1.clone()).collect::<Vec<_>>();
    assert_eq!((all.len(), hashes(&got)), (144, hashes(&all)));
    let distance = got[0].0 - all[0].0;
    assert!(got.iter().zip(&all).all(|(a, b)| (a.0 - b.0 - distance).abs() <= 1));
    let packets = |film: &std::path::Path| {
        let list = ffprobe("-select_streams a:0 -show_entries packet=pts,size", film);
        let packets = list.iter().map(|line| line.split_once(',').unwrap());
        packets.map(|(pts, size)| (pts.parse::<i64>().unwrap(), size.to_owned())).collect::<Vec<_>>()
    };
    let (all, got) = (packets(&film), packets(&stream));
    let distance = got[0].0 - all[0].0;
    assert!(all.len() > 200 && got.len() == all.len());
    assert!(got.iter().zip(&all).all(|(a, b)| a.0 - b.0 == distance && a.1 == b.1));

    for (delay, reason) in [(None, "reorder_delay"), (Some(Time::ZERO), "reordered")] {
        let refused = part(&tracks, Time::ZERO, cut, 1, delay).unwrap_err().to_string();
        assert!(refused.contains(reason), "{refused}");
    }
    let film = AssetWriter::new(studio.path("b.mp4"), retake_asset::Container::Mp4);
    film.configure(|options| options.produces_combinable_fragments = true).unwrap();
    film.add(&AssetWriterInput::passthrough(audio_format())).unwrap();
    assert!(film.start_writing().unwrap_err().to_string().contains("delegate"));
}
