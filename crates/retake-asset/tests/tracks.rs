//! What is said of tracks besides their samples, and how they lie in the file (sections 16.3, 16.5, 17.2).
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::*;
use retake_asset::{
    AppendError, AssetWriter, AssetWriterInput, AssetWriterInputGroup, Container, MediaDataLocation, Mistake,
    TrackAssociation, WriterStatus,
};
use retake_libav::{TrackKind, probe};
use retake_media::Time;
use std::path::Path;

/// Video and sound of two seconds.
const FILM: &str =
    "-f lavfi -i testsrc2=s=160x90:r=24:d=2 -f lavfi -i sine=r=48000:d=2 -c:v libx264 -bf 2 -g 24 -c:a aac";

/// Fields of a track's header: flags, alternate group, volume, matrix, width, height.
fn headers(film: &Path) -> Vec<Vec<u8>> {
    boxes(&std::fs::read(film).unwrap(), &[b"moov", b"trak", b"tkhd"])
}

/// Two tracks, written with what `set` says of writer and inputs.
fn write(
    studio: &Studio,
    name: &str,
    tracks: &[Track],
    set: impl FnOnce(&AssetWriter, &[AssetWriterInput]),
) -> std::path::PathBuf {
    let film = studio.path(name);
    let writer = AssetWriter::new(&film, Container::from_path(&film).unwrap());
    let inputs: Vec<_> =
        tracks.iter().map(|track| AssetWriterInput::passthrough(track.format.clone())).collect();
    inputs.iter().for_each(|input| writer.add(input).unwrap());
    set(&writer, &inputs);
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();
    append_all(&inputs, tracks);
    writer.finish_writing_and_wait().unwrap();
    film
}

/// Sections 16.3 and 17.2: tags of film and tracks, language, orientation, clocks, volume, size and enabling,
/// as other programs read them.
#[test]
fn what_is_said_of_a_film_and_its_tracks() {
    let Some(studio) = Studio::open() else { return };
    let source = studio.render(FILM, "a.mp4");
    let tracks = [Track::read(&source, 0), Track::read(&source, 1)];
    // a quarter to the left
    let turned = [0, -65536, 0, 65536, 0, 0, 0, 0, 1 << 30];
    for name in ["b.mp4", "c.mov", "d.mkv"] {
        let film = write(&studio, name, &tracks, |writer, inputs| {
            writer
                .configure(|options| {
                    options.metadata =
                        vec![("title".into(), "A film".into()), ("comment".into(), "No more".into())];
                    options.movie_time_scale = 44_100;
                })
                .unwrap();
            inputs[0]
                .configure(|options| {
                    options.transform = Some(turned);
                    options.media_time_scale = 120_000;
                    options.natural_size = Some((320, 200));
                })
                .unwrap();
            inputs[1]
                .configure(|options| {
                    options.language_code = Some("fra".into());
                    options.extended_language_tag = Some("fr-CA".into());
                    options.enabled = false;
                    options.preferred_volume = Some(0.5);
                })
                .unwrap();
        });
        let tag = |what: &str| ffprobe(what, &film).concat();
        assert_eq!(tag("-show_entries format_tags=title"), "A film", "{name}");
        assert_eq!(tag("-show_entries format_tags=comment"), "No more", "{name}");
        assert_eq!(tag("-select_streams a:0 -show_entries stream_tags=language"), "fra", "{name}");
        if name == "d.mkv" {
            continue; // it has no place for the others
        }
        assert_eq!(
            tag("-select_streams v:0 -show_entries stream_side_data=rotation").trim_matches(','),
            "90",
            "{name}"
        );
        assert_eq!(tag("-select_streams v:0 -show_entries stream=time_base"), "1/120000");
        assert_eq!(tag("-select_streams v:0 -show_entries stream_disposition=default"), "1");
        assert_eq!(tag("-select_streams a:0 -show_entries stream_disposition=default"), "0");
        let bytes = std::fs::read(&film).unwrap();
        assert_eq!(number(&boxes(&bytes, &[b"moov", b"mvhd"])[0][12..16]), 44_100, "{name}");
        let elng = boxes(&bytes, &[b"moov", b"trak", b"mdia", b"elng"]);
        assert_eq!(elng, [b"\0\0\0\0fr-CA\0"], "{name}");
        let headers = headers(&film);
        assert_eq!(headers[1][36..38], [0, 128], "half the volume in {name}");
        let size = &headers[0][76..84];
        assert_eq!((number(&size[..4]), number(&size[4..])), (320 << 16, 200 << 16), "{name}");
        // this reader turns the pictures: their times are what can be compared
        let times = |film| frames(film, "v:0").into_iter().map(|frame| frame.0).collect::<Vec<_>>();
        assert_eq!(times(&film), times(&source), "{name}");
    }
}

/// AW-3: properties that cannot be.
#[test]
fn properties_that_cannot_be() {
    let writer = AssetWriter::new("nowhere.mp4", Container::Mp4);
    assert!(writer.configure(|options| options.movie_time_scale = u32::MAX).is_err());
    assert!(writer.configure(|options| options.initial_movie_fragment_sequence_number = 0).is_err());
    assert!(writer.configure(|options| options.movie_fragment_interval = Some(Time::ZERO)).is_err());
    assert!(
        writer
            .configure(|options| options.preferred_output_segment_interval = Some(Time::new(-1, 1)))
            .is_err()
    );
    let input = AssetWriterInput::passthrough(audio_format());
    let before = input.options();
    for code in ["e", "engl", "EN1"] {
        assert!(input.configure(|options| options.language_code = Some(code.into())).is_err(), "{code}");
    }
    for tag in ["", "en-", "en_GB", "far-too-long-a-word-x-abcdefghi"] {
        assert!(
            input.configure(|options| options.extended_language_tag = Some(tag.into())).is_err(),
            "{tag}"
        );
    }
    assert!(input.configure(|options| options.media_time_scale = 10_000_001).is_err());
    assert!(input.configure(|options| options.preferred_volume = Some(f32::NAN)).is_err());
    assert_eq!(input.options(), before);
}

/// Section 16.5: alternatives of each other are one alternate group, of which the default is enabled; what a
/// group cannot be is refused.
#[test]
fn groups_of_inputs() {
    let Some(studio) = Studio::open() else { return };
    let source = studio.render(FILM, "a.mp4");
    let (video, sound) = (Track::read(&source, 0), Track::read(&source, 1));
    let tracks = [video, sound.clone(), sound.clone(), sound];
    let film = write(&studio, "b.mp4", &tracks, |writer, inputs| {
        let group = |inputs: &[AssetWriterInput], default: &AssetWriterInput| {
            AssetWriterInputGroup::new(inputs.to_vec(), Some(default.clone())).map_err(|error| error.mistake)
        };
        assert!(matches!(group(&inputs[1..2], &inputs[1]), Err(Mistake::BadValue(_))));
        assert!(matches!(group(&inputs[1..3], &inputs[3]), Err(Mistake::BadValue(_))));
        assert!(matches!(
            group(&[inputs[1].clone(), inputs[1].clone()], &inputs[1]),
            Err(Mistake::BadValue(_))
        ));
        let mixed = group(&inputs[..2], &inputs[0]).unwrap();
        assert!(!writer.can_add_group(&mixed));
        assert!(matches!(writer.add_group(&mixed).unwrap_err().mistake, Mistake::CannotAdd(_)));
        let strangers = [(); 2].map(|()| AssetWriterInput::passthrough(audio_format()));
        let strangers = group(&strangers, &strangers[0]).unwrap();
        assert_eq!(writer.add_group(&strangers).unwrap_err().mistake, Mistake::NotAttached);
        let languages = group(&inputs[1..3], &inputs[2]).unwrap();
        assert!(writer.can_add_group(&languages));
        writer.add_group(&languages).unwrap();
        let again = group(&inputs[2..], &inputs[2]).unwrap();
        assert!(matches!(writer.add_group(&again).unwrap_err().mistake, Mistake::CannotAdd(_)));
        assert_eq!(writer.input_groups().len(), 1);
        assert_eq!(writer.input_groups()[0].default_input(), Some(&inputs[2]));
        assert!(!inputs[1].options().enabled && inputs[2].options().enabled);
        assert!(matches!(
            inputs[1].configure(|options| options.enabled = true).unwrap_err().mistake,
            Mistake::BadValue(_)
        ));
        inputs[1].configure(|options| options.language_code = Some("deu".into())).unwrap();
        let other = AssetWriter::new("nowhere.mkv", Container::Mkv);
        assert!(!other.can_add_group(&languages));
    });
    let headers = headers(&film);
    let groups: Vec<u32> = headers.iter().map(|header| number(&header[34..36])).collect();
    assert_eq!(groups, [0, 1, 1, 0]);
    let enabled: Vec<bool> = headers.iter().map(|header| header[3] & 1 == 1).collect();
    assert_eq!(enabled, [true, false, true, true]);
}

/// Section 17.2: associations are references of one track to another; what is no association is refused; both
/// tracks have to be there.
#[test]
fn associations_of_tracks() {
    let Some(studio) = Studio::open() else { return };
    let source = studio.render(FILM, "a.mp4");
    let (video, sound) = (Track::read(&source, 0), Track::read(&source, 1));
    let tracks = [video, sound.clone(), sound];
    for fragments in [false, true] {
        let film = write(&studio, if fragments { "b.mp4" } else { "c.mov" }, &tracks, |writer, inputs| {
            use TrackAssociation::*;
            if fragments {
                writer.configure(|options| options.movie_fragment_interval = Some(Time::new(1, 1))).unwrap();
            }
            assert!(inputs[1].can_add_track_association(&inputs[2], AudioFallback));
            inputs[1].add_track_association(&inputs[2], AudioFallback).unwrap();
            inputs[1].add_track_association(&inputs[0], SelectionFollower).unwrap();
            inputs[1].add_track_association(&inputs[2], SelectionFollower).unwrap();
            inputs[2].add_track_association(&inputs[1], SelectionFollower).unwrap();
            assert!(!inputs[1].can_add_track_association(&inputs[2], AudioFallback), "it is there already");
            for (from, to, kind) in [(0, 1, AudioFallback), (0, 1, ChapterList), (1, 1, SelectionFollower)] {
                assert!(inputs[from].add_track_association(&inputs[to], kind).is_err());
            }
        });
        let bytes = std::fs::read(&film).unwrap();
        let references = |kind| -> Vec<Vec<u32>> {
            let found = boxes(&bytes, &[b"moov", b"trak", b"tref", kind]);
            found.iter().map(|tracks| tracks.chunks(4).map(number).collect()).collect()
        };
        assert_eq!(references(b"fall"), [[3]]);
        assert_eq!(references(b"folw"), [vec![1, 3], vec![2]]);
        assert_eq!(frames(&film, "a:0"), frames(&source, "a:0"));
    }

    let writer = AssetWriter::new(studio.path("d.mp4"), Container::Mp4);
    let [input, absent] = [(); 2].map(|()| AssetWriterInput::passthrough(audio_format()));
    writer.add(&input).unwrap();
    input.add_track_association(&absent, TrackAssociation::AudioFallback).unwrap();
    assert!(writer.start_writing().is_err());
    assert_eq!((writer.status(), writer.error().unwrap().code()), (WriterStatus::Failed, -11875));
    assert!(input.add_track_association(&absent, TrackAssociation::SelectionFollower).is_err());
}

/// A picture of each chapter: another program takes such a track for what it is.
#[test]
fn a_chapter_track_of_pictures() {
    let Some(studio) = Studio::open() else { return };
    let source = studio.render(FILM, "a.mp4");
    let video = Track::read(&source, 0);
    let film = write(&studio, "b.mp4", &[video.clone(), video], |_, inputs| {
        inputs[0].add_track_association(&inputs[1], TrackAssociation::ChapterList).unwrap();
        inputs[1].configure(|options| options.enabled = false).unwrap();
    });
    let info = probe(&film).unwrap();
    assert!(info.tracks.iter().all(|track| track.kind != TrackKind::Audio));
    let references = boxes(&std::fs::read(&film).unwrap(), &[b"moov", b"trak", b"tref", b"chap"]);
    assert_eq!(references, [[0, 0, 0, 2]]);
    // as FFmpeg has it, its samples are pictures of chapters
    assert_eq!(ffprobe("-select_streams 1 -show_entries stream_disposition=timed_thumbnails", &film), ["1"]);
}

fn positions(film: &Path, track: &str) -> Vec<u64> {
    let lines = ffprobe(&format!("-select_streams {track} -show_entries packet=pos"), film);
    lines.iter().map(|line| line.parse().unwrap()).collect()
}

/// AW-7: all of a track before the others, which wait for it; and a track that nobody waits for.
#[test]
fn where_samples_lie() {
    let Some(studio) = Studio::open() else { return };
    let source = studio.render(FILM, "a.mp4");
    let tracks = [Track::read(&source, 0), Track::read(&source, 1)];
    let film = write(&studio, "b.mp4", &tracks, |_, inputs| {
        inputs[1]
            .configure(|options| options.media_data_location = MediaDataLocation::BeforeMainNotInterleaved)
            .unwrap();
    });
    let (pictures, sounds) = (positions(&film, "v:0"), positions(&film, "a:0"));
    assert!(sounds.last().unwrap() < pictures.first().unwrap());
    for track in ["v:0", "a:0"] {
        assert_eq!(frames(&film, track), frames(&source, track));
    }
    let plain = write(&studio, "c.mp4", &tracks, |_, _| ());
    let (pictures, sounds) = (positions(&plain, "v:0"), positions(&plain, "a:0"));
    assert!(sounds[0] < pictures[24] && pictures[24] < sounds[60], "AW-4: {pictures:?} {sounds:?}");

    // nobody waits for the sound: all pictures go in before the first of it, on one thread
    let sparse = studio.path("d.mp4");
    let writer = AssetWriter::new(&sparse, Container::Mp4);
    let inputs: Vec<_> =
        tracks.iter().map(|track| AssetWriterInput::passthrough(track.format.clone())).collect();
    inputs.iter().for_each(|input| writer.add(input).unwrap());
    inputs[1]
        .configure(|options| options.media_data_location = MediaDataLocation::SparselyInterleaved)
        .unwrap();
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();
    for (input, track) in inputs.iter().zip(&tracks) {
        track.samples.iter().for_each(|sample| append(input, sample.clone()));
        input.mark_as_finished().unwrap();
    }
    writer.finish_writing_and_wait().unwrap();
    for track in ["v:0", "a:0"] {
        assert_eq!(frames(&sparse, track), frames(&source, track));
    }
}

/// Section 17.2, preferredMediaChunkDuration: the pictures lie in stretches of that time, and the sound
/// between them; nothing is lost or moved in time.
#[test]
fn chunks_are_as_long_as_is_preferred() {
    let Some(studio) = Studio::open() else { return };
    let source = studio.render(&FILM.replace("d=2", "d=6"), "a.mp4");
    let tracks = [Track::read(&source, 0), Track::read(&source, 1)];
    let stretches = |film: &Path| {
        let mut all: Vec<(u64, usize)> = ["v:0", "a:0"]
            .iter()
            .enumerate()
            .flat_map(|(track, name)| positions(film, name).into_iter().map(move |place| (place, track)))
            .collect();
        all.sort_unstable();
        let of_pictures = |run: &&[(u64, usize)]| run[0].1 == 0;
        all.chunk_by(|a, b| a.1 == b.1).filter(of_pictures).map(<[_]>::len).collect::<Vec<usize>>()
    };
    // a second and a half is more than inputs run ahead of each other by themselves
    let film = write(&studio, "b.mp4", &tracks, |_, inputs| {
        let chunk = Some(Time::new(3, 2));
        inputs[0].configure(|options| options.preferred_media_chunk_duration = chunk).unwrap();
    });
    // A sample is stored when the next one has told how long it lasts: the first stretch is one shorter.
    assert_eq!(stretches(&film), [35, 36, 36, 36, 1]);
    let bytes = std::fs::read(&film).unwrap();
    let offsets = boxes(&bytes, &[b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stco"]);
    assert_eq!(number(&offsets[0][4..8]), 5, "chunks in the index");
    let plain = write(&studio, "c.mp4", &tracks, |_, _| ());
    assert!(stretches(&plain).len() > 70, "sample by sample");
    for track in ["v:0", "a:0"] {
        assert_eq!(frames(&film, track), frames(&source, track));
    }
    let input = AssetWriterInput::passthrough(audio_format());
    for chunk in [Time::ZERO, Time::POSITIVE_INFINITY, Time::new(61, 1)] {
        assert!(input.configure(|options| options.preferred_media_chunk_duration = Some(chunk)).is_err());
    }
}

/// Section 17.2: of inputs in real time, one that brings nothing holds up no other; what cannot be kept is
/// for the client to drop.
#[test]
fn inputs_in_real_time_wait_for_nobody() {
    let studio = Studio::empty();
    let writer = AssetWriter::new(studio.path("a.mp4"), Container::Mp4);
    let [pictures, sounds] = [video_format(), audio_format()].map(AssetWriterInput::passthrough);
    for input in [&pictures, &sounds] {
        input.configure(|options| options.real_time = true).unwrap();
        writer.add(input).unwrap();
    }
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();
    // sound does not come at all
    let mut taken = 0;
    for index in 0..24 * 20 {
        assert!(pictures.wait_until_ready(LONG), "held up at {index}");
        match pictures.append(picture(index)) {
            Ok(()) => taken += 1,
            Err(AppendError::NotReady(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    writer.finish_writing_and_wait().unwrap();
    assert_eq!(taken, 24 * 20);
    let bytes = std::fs::read(studio.path("a.mp4")).unwrap();
    let sizes = boxes(&bytes, &[b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsz"]);
    assert_eq!(number(&sizes[0][8..12]), taken);
}
