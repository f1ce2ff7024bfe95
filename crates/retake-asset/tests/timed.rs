//! Inputs of text, timecodes and timed metadata, and what their tracks are to others (AI-1, AD-5, AD-6,
//! section 17.2).
#![allow(clippy::unwrap_used)] // a test's panic is its answer

mod common;

use common::*;
use retake_asset::{
    AppendError, AssetReader, AssetWriter, AssetWriterInput, CaptionAdaptor, Container, MediaDataLocation,
    MediaType, MetadataAdaptor, Mistake, SegmentProfile, TrackAssociation, TrackFormat, UsageError,
    WriterStatus,
};
use retake_libav::MediaError;
use retake_media::{
    Caption, MetadataFormat, MetadataItem, MetadataKey, MetadataType, MetadataValue, Rational, Sample,
    TextStyle, Time, TimeRange, Timecode, TimecodeFormat, TimedMetadataGroup,
};
use std::path::{Path, PathBuf};

/// Video of six seconds.
const FILM: &str = "-f lavfi -i testsrc2=s=160x90:r=24:d=6 -c:v libx264 -bf 2 -g 24";

fn ms(milliseconds: i64) -> Time {
    Time::new(milliseconds, 1000)
}

fn between(from: i64, until: i64) -> TimeRange {
    TimeRange::between(ms(from), ms(until))
}

fn caption(from: i64, until: i64, text: &str) -> Caption {
    Caption::new(text, between(from, until))
}

/// Appends as soon as the input is ready.
fn append_caption(adaptor: &CaptionAdaptor, caption: Caption) {
    assert!(adaptor.input().wait_until_ready(LONG), "never ready");
    adaptor.append(caption).unwrap();
}

/// Ends an input that video does not wait for, appends the video, and finishes.
fn finish(writer: &AssetWriter, video: &AssetWriterInput, track: &Track) {
    for sample in &track.samples {
        assert!(video.wait_until_ready(LONG), "{:?}", writer.error());
        append(video, sample.clone());
    }
    video.mark_as_finished().unwrap();
    writer.finish_writing_and_wait().unwrap();
}

/// A film of video and these subtitles.
fn write_subtitles(studio: &Studio, name: &str, video: &Track, start: Time, captions: &[Caption]) -> PathBuf {
    let film = studio.path(name);
    let writer = AssetWriter::new(&film, Container::from_path(&film).unwrap());
    let inputs = [AssetWriterInput::passthrough(video.format.clone()), AssetWriterInput::subtitles()];
    inputs.iter().for_each(|input| writer.add(input).unwrap());
    inputs[1].configure(|options| options.language_code = Some("deu".into())).unwrap();
    let adaptor = CaptionAdaptor::new(&inputs[1]).unwrap();
    writer.start_writing().unwrap();
    writer.start_session(start).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            captions.iter().for_each(|caption| append_caption(&adaptor, caption.clone()));
            inputs[1].mark_as_finished().unwrap();
        });
        finish(&writer, &inputs[0], video);
    });
    film
}

/// What the `ffmpeg` program makes of the first subtitles: SubRip, without the numbers.
fn subrip(film: &Path) -> Vec<(String, String)> {
    let list = ffmpeg(&["-i", film.to_str().unwrap(), "-map", "0:s:0", "-f", "srt", "-"]);
    let cues = list.trim().split("\n\n").map(|cue| cue.lines().skip(1).collect::<Vec<_>>());
    let cues = cues.filter(|lines| lines.len() > 1);
    cues.map(|lines| (lines[0].replace(" --> ", "-").replace("00:00:0", ""), lines[1..].join("/"))).collect()
}

fn cues(cues: &[(&str, &str)]) -> Vec<(String, String)> {
    cues.iter().map(|(time, text)| ((*time).to_owned(), (*text).to_owned())).collect()
}

/// The samples of a track of an ISO file, by its tables: how many ticks each lasts, and its bytes.
fn samples(film: &Path, track: usize) -> Vec<(u32, Vec<u8>)> {
    let file = std::fs::read(film).unwrap();
    let tracks = boxes(&file, &[b"moov", b"trak"]);
    let table = |kind| boxes(&tracks[track], &[b"mdia", b"minf", b"stbl", kind])[0].clone();
    let words = |bytes: &[u8]| bytes.chunks(4).map(number).collect::<Vec<u32>>();
    let durations = words(&table(b"stts")[8..]);
    let durations = durations.chunks(2).flat_map(|run| std::iter::repeat_n(run[1], run[0] as usize));
    let sizes = words(&table(b"stsz")[4..]);
    let sizes = match sizes[0] {
        0 => sizes[2..].to_vec(),
        size => vec![size; sizes[1] as usize],
    };
    let chunks = words(&table(b"stco")[8..]);
    let runs = words(&table(b"stsc")[8..]);
    let mut sizes = sizes.into_iter();
    let mut found = Vec::new();
    for (index, chunk) in chunks.into_iter().enumerate() {
        let run = runs.chunks(3).rev().find(|run| run[0] as usize <= index + 1).unwrap();
        let mut at = chunk as usize;
        for size in sizes.by_ref().take(run[1] as usize) {
            found.push(file[at..at + size as usize].to_vec());
            at += size as usize;
        }
    }
    assert_eq!(sizes.next(), None);
    let durations: Vec<u32> = durations.collect();
    assert_eq!(durations.len(), found.len());
    durations.into_iter().zip(found).collect()
}

/// AD-5, section 17.2: subtitles are shown at their times in every container, in its own form, with their
/// language; there is a sample without text between two of them in ISO files, and no other.
#[test]
fn subtitles_are_shown_at_their_times() {
    let Some(studio) = Studio::open() else { return };
    let video = Track::read(&studio.render(FILM, "a.mp4"), 0);
    let web = "-f lavfi -i testsrc2=s=160x90:r=24:d=6 -c:v libvpx-vp9 -deadline realtime -cpu-used 8";
    let web = Track::read(&studio.render(web, "a.webm"), 0);
    let captions =
        [caption(500, 1500, "Grüße"), caption(1500, 2000, "two\nlines"), caption(3250, 4125, "1 < 2 & 3")];
    for (name, codec, video) in [
        ("b.mp4", "mov_text", &video),
        ("c.mov", "mov_text", &video),
        ("d.mkv", "subrip", &video),
        ("e.webm", "webvtt", &web),
    ] {
        let film = write_subtitles(&studio, name, video, Time::ZERO, &captions);
        let stream = ffprobe("-select_streams s -show_entries stream=codec_name:stream_tags=language", &film);
        assert_eq!(stream, [format!("{codec},deu")], "{name}");
        let expected =
            cues(&[("0,500-1,500", "Grüße"), ("1,500-2,000", "two/lines"), ("3,250-4,125", "1 < 2 & 3")]);
        assert_eq!(subrip(&film), expected, "{name}");
        if Container::from_path(&film).unwrap().is_iso() {
            let scale = number(
                &boxes(&std::fs::read(&film).unwrap(), &[b"moov", b"trak", b"mdia", b"mdhd"])[1][12..16],
            );
            let stored = samples(&film, 1);
            let lasting: Vec<_> =
                stored.iter().map(|(ticks, data)| (ticks * 1000 / scale, &data[2..])).collect();
            let text = |text: &'static str| text.as_bytes();
            let all = [
                (500, text("")),
                (1000, text("Grüße")),
                (500, text("two\nlines")),
                (1250, text("")),
                (875, text("1 < 2 & 3")),
                (0, text("")),
            ];
            assert_eq!(lasting, all, "{name}");
        }
    }
}

/// AD-5: what is bold, italic or underlined is so in every container, as another program reads it, and comes
/// back; of subtitles that an ISO file shows at once, each keeps its own.
#[test]
fn styles_are_those_of_the_containers() {
    let Some(studio) = Studio::open() else { return };
    let video = Track::read(&studio.render(FILM, "a.mp4"), 0);
    let web = "-f lavfi -i testsrc2=s=160x90:r=24:d=6 -c:v libvpx-vp9 -deadline realtime -cpu-used 8";
    let web = Track::read(&studio.render(web, "a.webm"), 0);
    let style = |characters, bold, italic, underline| TextStyle { characters, bold, italic, underline };
    let styled = |from, until, text: &str, styles: &[TextStyle]| Caption {
        styles: styles.to_vec(),
        ..caption(from, until, text)
    };
    let first =
        styled(0, 1000, "Grüße an alle", &[style(0..5, true, false, false), style(9..13, false, true, true)]);
    let second = styled(2000, 4000, "sign", &[style(0..4, false, true, false)]);
    let third = styled(3000, 4000, "talk", &[style(1..2, true, false, false)]);
    for (name, video) in [("b.mp4", &video), ("c.mov", &video), ("d.mkv", &video), ("e.webm", &web)] {
        let captions = [first.clone(), second.clone(), third.clone()];
        let film = write_subtitles(&studio, name, video, Time::ZERO, &captions);
        let shown = subrip(&film);
        let said: Vec<&str> = shown.iter().map(|(_, text)| text.as_str()).collect();
        let reader = AssetReader::open(&film).unwrap();
        let mut output = reader.captions(1).unwrap();
        let read: Vec<Caption> = std::iter::from_fn(|| output.next().unwrap()).collect();
        let iso = Container::from_path(&film).unwrap().is_iso();
        if iso {
            let sign = Caption { range: between(2000, 3000), ..second.clone() };
            let both = [style(1..2, true, false, false), style(5..9, false, true, false)];
            assert_eq!(read, [first.clone(), sign, styled(3000, 4000, "talk\nsign", &both)], "{name}");
        } else {
            assert_eq!(read, captions, "{name}");
        }
        // FFmpeg writes the tags of a run in an order of its own
        let greeting = said[0].replace("<u><i>", "<i><u>").replace("</i></u>", "</u></i>");
        assert_eq!(greeting, "<b>Grüße</b> an <i><u>alle</u></i>", "{name}");
        let expected = if iso { "t<b>a</b>lk/<i>sign</i>" } else { "t<b>a</b>lk" };
        assert_eq!((said[1], said[2]), ("<i>sign</i>", expected), "{name}");
    }
}

/// AD-5: subtitles that are shown at once are one sample in ISO files, the newest on top, and stand each for
/// itself in Matroska.
#[test]
fn subtitles_may_be_shown_at_once() {
    let Some(studio) = Studio::open() else { return };
    let video = Track::read(&studio.render(FILM, "a.mp4"), 0);
    let captions = [caption(0, 3000, "sign"), caption(1000, 2000, "talk"), caption(1000, 2500, "talk too")];
    let film = write_subtitles(&studio, "b.mp4", &video, Time::ZERO, &captions);
    let expected = [
        ("0,000-1,000", "sign"),
        ("1,000-2,000", "talk too/talk/sign"),
        ("2,000-2,500", "talk too/sign"),
        ("2,500-3,000", "sign"),
    ];
    assert_eq!(subrip(&film), cues(&expected));
    let film = write_subtitles(&studio, "c.mkv", &video, Time::ZERO, &captions);
    let expected = [("0,000-3,000", "sign"), ("1,000-2,000", "talk"), ("1,000-2,500", "talk too")];
    assert_eq!(subrip(&film), cues(&expected));
}

/// Section 16.2: a session that starts later moves subtitles with the pictures, and cuts one that is shown
/// at its start.
#[test]
fn subtitles_move_with_the_session() {
    let Some(studio) = Studio::open() else { return };
    let video = Track::read(&studio.render(FILM, "a.mp4"), 0);
    let captions = [caption(500, 1500, "cut"), caption(2000, 3000, "whole")];
    let film = write_subtitles(&studio, "b.mp4", &video, ms(1000), &captions);
    assert_eq!(subrip(&film), cues(&[("0,000-0,500", "cut"), ("1,000-2,000", "whole")]));
}

/// The tracks that each track of a film refers to, by a kind of reference.
fn references(film: &Path, kind: &[u8; 4]) -> Vec<Vec<u32>> {
    let tracks = boxes(&std::fs::read(film).unwrap(), &[b"moov", b"trak"]);
    let of = |track: &Vec<u8>| boxes(track, &[b"tref", kind]).concat().chunks(4).map(number).collect();
    tracks.iter().map(of).collect()
}

/// Section 17.2: the names of chapters are a track of text that the video refers to, and another program
/// reads them as chapters.
#[test]
fn names_of_chapters_are_a_track_of_text() {
    let Some(studio) = Studio::open() else { return };
    let video = Track::read(&studio.render(FILM, "a.mp4"), 0);
    for name in ["b.mp4", "c.mov"] {
        let film = studio.path(name);
        let writer = AssetWriter::new(&film, Container::from_path(&film).unwrap());
        let pictures = AssetWriterInput::passthrough(video.format.clone());
        let chapters = AssetWriterInput::text();
        let adaptor = CaptionAdaptor::new(&chapters).unwrap();
        assert_eq!((chapters.media_type(), adaptor.input()), (MediaType::Text, &chapters));
        [&pictures, &chapters].into_iter().for_each(|input| writer.add(input).unwrap());
        assert!(pictures.can_add_track_association(&chapters, TrackAssociation::ChapterList));
        pictures.add_track_association(&chapters, TrackAssociation::ChapterList).unwrap();
        chapters.configure(|options| options.enabled = false).unwrap();
        writer.start_writing().unwrap();
        writer.start_session(Time::ZERO).unwrap();
        for (from, until, text) in [(0, 2500, "Anfang"), (2500, 4000, "Mitte ☂"), (4000, 6000, "Ende")] {
            append_caption(&adaptor, caption(from, until, text));
        }
        let styles = vec![TextStyle { characters: 0..1, bold: true, ..TextStyle::default() }];
        let styled = Caption { styles, ..caption(6000, 7000, "x") };
        assert!(matches!(mistake(adaptor.append(styled).unwrap_err()), Mistake::BadValue(_)));
        let overlapping = adaptor.append(caption(5000, 7000, "too early")).unwrap_err();
        assert!(matches!(mistake(overlapping), Mistake::Overlaps(time) if time == ms(5000)));
        chapters.mark_as_finished().unwrap();
        finish(&writer, &pictures, &video);
        assert_eq!(references(&film, b"chap"), [vec![2], vec![]], "{name}");
        assert_eq!(
            chapters_of(&film),
            ["0.0,2.500000,Anfang", "2.500000,4.0,Mitte ☂", "4.0,6.0,Ende"],
            "{name}"
        );
        let read = [caption(0, 2500, "Anfang"), caption(2500, 4000, "Mitte ☂"), caption(4000, 6000, "Ende")];
        assert_eq!(AssetReader::open(&film).unwrap().chapters().unwrap(), read, "RD-7, {name}");
    }
}

/// What another program says of the chapters of a film: start, end, name.
fn chapters_of(film: &Path) -> Vec<String> {
    let read = ffprobe("-show_chapters -show_entries chapter=start_time,end_time:chapter_tags=title", film);
    read.iter().map(|line| line.replace("000000", "0")).collect()
}

/// A film of video whose chapters have these names, the input of which was added first.
fn write_chapters(
    studio: &Studio,
    name: &str,
    video: &Track,
    names: &[Caption],
    set_up: impl FnOnce(&AssetWriter, &AssetWriterInput),
) -> (PathBuf, Vec<String>) {
    let film = studio.path(name);
    let writer = AssetWriter::new(&film, Container::from_path(&film).unwrap());
    let (pictures, chapters) =
        (AssetWriterInput::passthrough(video.format.clone()), AssetWriterInput::text());
    let adaptor = CaptionAdaptor::new(&chapters).unwrap();
    [&chapters, &pictures].into_iter().for_each(|input| writer.add(input).unwrap());
    pictures.add_track_association(&chapters, TrackAssociation::ChapterList).unwrap();
    set_up(&writer, &chapters);
    writer.start_writing().unwrap();
    writer.start_session(ms(1000)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            names.iter().for_each(|name| append_caption(&adaptor, name.clone()));
            chapters.mark_as_finished().unwrap();
        });
        finish(&writer, &pictures, video);
    });
    (film, writer.notes())
}

/// Section 17.2: in Matroska and WebM the names of chapters are the chapters of the film, wherever the input
/// stands among the others; those of a session that starts later are cut and move with it, what lies between
/// two is no chapter, and nobody finds a track of them. A film that is copied loses its own to them, and a
/// language is not written; both is told.
#[test]
fn names_of_chapters_are_the_chapters_of_matroska() {
    let Some(studio) = Studio::open() else { return };
    let source = studio.render(FILM, "a.mp4");
    let video = Track::read(&source, 0);
    let web = "-f lavfi -i testsrc2=s=160x90:r=24:d=6 -c:v libvpx-vp9 -deadline realtime -cpu-used 8";
    let web = Track::read(&studio.render(web, "a.webm"), 0);
    let names = [
        caption(0, 500, "over before"),
        caption(500, 2500, "Anfang"),
        caption(2500, 4000, "Mitte ☂"),
        caption(5000, 6000, "Ende"),
    ];
    let expected = ["0.0,1.500000,Anfang", "1.500000,3.0,Mitte ☂", "4.0,5.0,Ende"];
    for (name, video) in [("b.mkv", &video), ("c.webm", &web)] {
        let (film, notes) = write_chapters(&studio, name, video, &names, |_, _| {});
        assert_eq!((chapters_of(&film), notes), (expected.map(str::to_owned).to_vec(), vec![]), "{name}");
        assert_eq!(ffprobe("-show_entries stream=codec_type", &film), ["video"], "{name}");
        let reader = AssetReader::open(&film).unwrap();
        assert_eq!((reader.film().chapters, reader.film().tracks.len()), (3, 0), "{name}");
        let read = [caption(0, 1500, "Anfang"), caption(1500, 3000, "Mitte ☂"), caption(4000, 5000, "Ende")];
        assert_eq!(reader.chapters().unwrap(), read, "RD-7, {name}");
        let count = ffprobe("-select_streams v -count_packets -show_entries stream=nb_read_packets", &film);
        assert_eq!(count, ["144"], "{name}");
    }

    let other = studio.path("other.txt");
    std::fs::write(&other, ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=3\ntitle=Other\n").unwrap();
    let copied = format!("-i {} -i {} -map_chapters 1 -c copy", source.display(), other.display());
    let copied = studio.render(&copied, "d.mkv");
    assert_eq!(chapters_of(&copied), ["0.0,3.0,Other"]);
    let (film, notes) = write_chapters(&studio, "e.mkv", &video, &names, |writer, chapters| {
        let info = retake_libav::probe(&copied).unwrap();
        writer.configure(|options| options.other_tracks = Some(info.into())).unwrap();
        chapters.configure(|options| options.language_code = Some("deu".into())).unwrap();
    });
    assert_eq!(chapters_of(&film), expected);
    let told = |what: &str| notes.iter().filter(|note| note.contains(what)).count();
    assert_eq!(
        (told("chapters of the copied film"), told("language of chapters (deu)")),
        (1, 1),
        "{notes:?}"
    );
}

/// Section 17.2: Matroska has one list of chapters, and texts for nothing else: others are refused, with the
/// reason, instead of being lost.
#[test]
fn texts_of_matroska_are_the_names_of_chapters_alone() {
    let Some(studio) = Studio::open() else { return };
    let writer = AssetWriter::new(studio.path("a.mkv"), Container::Mkv);
    let (pictures, chapters) = (AssetWriterInput::passthrough(video_format()), AssetWriterInput::text());
    [&pictures, &chapters].into_iter().for_each(|input| writer.add(input).unwrap());
    let Mistake::CannotAdd(why) = writer.add(&AssetWriterInput::text()).unwrap_err().mistake else {
        panic!()
    };
    assert!(why.contains("one list of chapters"), "{why}");
    let covers = AssetWriterInput::passthrough(video_format());
    writer.add(&covers).unwrap();
    assert!(!pictures.can_add_track_association(&covers, TrackAssociation::ChapterList));
    assert!(!pictures.can_add_track_association(&chapters, TrackAssociation::SelectionFollower));
    assert!(writer.start_writing().is_err());
    let error = writer.error().unwrap();
    assert_eq!(error.code(), -11875);
    assert!(error.to_string().contains("chapter list"), "{error}");

    // What was said before the inputs had a writer is looked at when it starts.
    let writer = AssetWriter::new(studio.path("b.mkv"), Container::Mkv);
    let (pictures, covers) =
        (AssetWriterInput::passthrough(video_format()), AssetWriterInput::passthrough(video_format()));
    pictures.add_track_association(&covers, TrackAssociation::ChapterList).unwrap();
    [&pictures, &covers].into_iter().for_each(|input| writer.add(input).unwrap());
    assert!(writer.start_writing().is_err());
    assert!(writer.error().unwrap().to_string().contains("no references"), "{:?}", writer.error());
}

fn mistake<T>(error: AppendError<T>) -> Mistake {
    match error {
        AppendError::Usage(error) => error.mistake,
        AppendError::NotReady(_) => panic!("not ready"),
        AppendError::Failed(error) => panic!("{error}"),
    }
}

/// Drop-frame timecodes that begin at an hour.
fn timecodes() -> TimecodeFormat {
    TimecodeFormat::new(Time::new(1001, 30_000), true).unwrap()
}

/// AI-1, section 17.2: timecodes are a track of samples that are numbers, which the video refers to; another
/// program reads the timecode of both.
#[test]
fn timecodes_are_a_track_that_video_refers_to() {
    let Some(studio) = Studio::open() else { return };
    let video = Track::read(&studio.render(FILM, "a.mp4"), 0);
    let plain = TimecodeFormat::new(Time::new(1, 24), false).unwrap();
    let start = Timecode::new(9, 59, 30, 12);
    for (name, format, expected) in [
        ("b.mov", timecodes(), "09:59:30;12"),
        ("c.mp4", timecodes(), "09:59:30;12"),
        ("d.mov", plain, "09:59:30:12"),
    ] {
        let film = studio.path(name);
        let writer = AssetWriter::new(&film, Container::from_path(&film).unwrap());
        // a tag of the same meaning must not make a second track
        writer
            .configure(|options| options.metadata = vec![("timecode".into(), "01:00:00:00".into())])
            .unwrap();
        let pictures = AssetWriterInput::passthrough(video.format.clone());
        pictures.configure(|options| options.frame_rate = Some(Rational::new(24, 1))).unwrap();
        let timecodes = AssetWriterInput::passthrough(TrackFormat::Timecode(format.clone()));
        assert_eq!(timecodes.media_type(), MediaType::Timecode);
        [&pictures, &timecodes].into_iter().for_each(|input| writer.add(input).unwrap());
        pictures.add_track_association(&timecodes, TrackAssociation::Timecode).unwrap();
        assert!(!timecodes.can_add_track_association(&pictures, TrackAssociation::Timecode));
        writer.start_writing().unwrap();
        writer.start_session(Time::ZERO).unwrap();
        let sample = format.sample(start, between(0, 6000)).unwrap();
        let wrong = Sample { data: vec![1, 2, 3], ..sample.clone() };
        assert!(matches!(mistake(timecodes.append(wrong).unwrap_err()), Mistake::WrongMedia(_)));
        append(&timecodes, sample);
        timecodes.mark_as_finished().unwrap();
        finish(&writer, &pictures, &video);
        assert_eq!(references(&film, b"tmcd"), [vec![2], vec![]], "{name}");
        let tags = ffprobe("-show_entries stream=codec_tag_string:stream_tags=timecode", &film);
        assert_eq!(tags, [format!("avc1,{expected}"), format!("tmcd,{expected}")], "{name}");
        let [(lasts, data)] = &samples(&film, 1)[..] else { panic!("{name} has more than one") };
        let scale = format.frame_duration().timescale() as u32;
        assert_eq!((*lasts, number(data)), (6 * scale, format.frame(start).unwrap()), "{name}");
    }
}

fn metadata_format() -> MetadataFormat {
    let key = |name: &str, data_type| MetadataKey::new(format!("com.example.{name}"), data_type);
    let german = MetadataKey { language: Some("de-AT".into()), ..key("place", MetadataType::Text) };
    MetadataFormat::new(vec![key("pulse", MetadataType::Integer), key("speed", MetadataType::Float), german])
        .unwrap()
}

fn item(name: &str, value: MetadataValue) -> MetadataItem {
    let language = (name == "place").then(|| "de-AT".to_owned());
    MetadataItem { language, ..MetadataItem::new(format!("com.example.{name}"), value) }
}

fn group(from: i64, until: Option<i64>, items: &[MetadataItem]) -> TimedMetadataGroup {
    let duration = until.map_or(Time::INVALID, |until| ms(until - from));
    TimedMetadataGroup::new(items.to_vec(), TimeRange::new(ms(from), duration))
}

/// AD-5, section 17.2: groups of metadata are samples of boxes, whose keys and types the track describes;
/// where nothing holds, a sample says so; a group without a duration holds until the next, or the session's
/// end; the track refers to what it describes. Read by boxes alone, and by another program.
#[test]
fn groups_of_metadata_are_samples_of_described_items() {
    let Some(studio) = Studio::open() else { return };
    let video = Track::read(&studio.render(FILM, "a.mp4"), 0);
    let groups = [
        group(-500, Some(500), &[item("pulse", MetadataValue::Integer(70))]),
        group(
            1000,
            None,
            &[item("pulse", MetadataValue::Integer(71)), item("speed", MetadataValue::Float(2.5))],
        ),
        group(1750, Some(2000), &[item("place", MetadataValue::Text("Wörgl".into()))]),
        group(2500, None, &[item("speed", MetadataValue::Float(-1.0))]),
    ];
    for (name, header) in [("b.mov", b"gmhd"), ("c.mp4", b"nmhd")] {
        let film = studio.path(name);
        let writer = AssetWriter::new(&film, Container::from_path(&film).unwrap());
        let pictures = AssetWriterInput::passthrough(video.format.clone());
        let metadata = AssetWriterInput::timed_metadata(metadata_format());
        let adaptor = MetadataAdaptor::new(&metadata).unwrap();
        assert_eq!((metadata.media_type(), adaptor.input()), (MediaType::Metadata, &metadata));
        [&pictures, &metadata].into_iter().for_each(|input| writer.add(input).unwrap());
        metadata.add_track_association(&pictures, TrackAssociation::MetadataReferent).unwrap();
        writer.start_writing().unwrap();
        writer.start_session(Time::ZERO).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for group in &groups {
                    assert!(metadata.wait_until_ready(LONG));
                    adaptor.append(group.clone()).unwrap();
                }
                metadata.mark_as_finished().unwrap();
            });
            video.samples.iter().for_each(|sample| append(&pictures, sample.clone()));
        });
        writer.end_session(ms(6000)).unwrap();
        writer.finish_writing_and_wait().unwrap();

        assert_eq!(references(&film, b"cdsc"), [vec![], vec![1]], "{name}");
        let track = &boxes(&std::fs::read(&film).unwrap(), &[b"moov", b"trak"])[1];
        assert_eq!(boxes(track, &[b"mdia", b"hdlr"])[0][8..12], *b"meta");
        assert_eq!(boxes(track, &[b"mdia", b"minf", header]).len(), 1, "{name}");
        let entry = boxes(&boxes(track, &[b"mdia", b"minf", b"stbl", b"stsd"])[0][8..], &[b"mebx"]).concat();
        let key = |number: u32| boxes(&entry[8..], &[b"keys", &number.to_be_bytes()]).concat();
        for (number, name, data_type) in [(1, "pulse", 74), (2, "speed", 24), (3, "place", 1)] {
            assert_eq!(boxes(&key(number), &[b"keyd"]), [format!("mdtacom.example.{name}").into_bytes()]);
            assert_eq!(boxes(&key(number), &[b"dtyp"]), [[0, 0, 0, 0, 0, 0, 0, data_type]]);
        }
        assert_eq!(boxes(&key(3), &[b"loca"]), [b"de-AT\0"]);

        let scale = number(&boxes(track, &[b"mdia", b"mdhd"])[0][12..16]);
        let stored = samples(&film, 1);
        let lasting: Vec<_> = stored.iter().map(|(ticks, _)| ticks * 1000 / scale).collect();
        assert_eq!(lasting, [500, 500, 750, 250, 500, 3500], "{name}");
        let value = |sample: usize, key: u32| boxes(&stored[sample].1, &[&key.to_be_bytes()]).concat();
        assert_eq!(value(0, 1), 70_i64.to_be_bytes());
        assert_eq!((value(2, 1), value(2, 2)), (71_i64.to_be_bytes().into(), 2.5_f64.to_be_bytes().into()));
        assert_eq!(value(3, 3), "Wörgl".as_bytes());
        assert_eq!(value(5, 2), (-1.0_f64).to_be_bytes());
        for nothing in [1, 4] {
            assert_eq!(stored[nothing].1, [0, 0, 0, 8, 0, 0, 0, 0]);
        }
        let packets =
            ffprobe("-select_streams 1 -show_entries stream=codec_tag_string:packet=pts_time", &film);
        let times = ["0.0", "0.5", "1.0", "1.75", "2.0", "2.5"]
            .map(|time| format!("{:.6}", time.parse::<f64>().unwrap()));
        assert_eq!(packets, [&times[..], &["mebx".to_owned()]].concat(), "{name}");

        // what another reader has no words for, ours gives out as it was appended
        let from = |group: &TimedMetadataGroup, from, until| {
            TimedMetadataGroup::new(group.items.clone(), between(from, until))
        };
        let expected = [
            from(&groups[0], 0, 500),
            from(&groups[1], 1000, 1750),
            from(&groups[2], 1750, 2000),
            from(&groups[3], 2500, 6000),
        ];
        let mut reader = AssetReader::open(&film).unwrap();
        assert_eq!(reader.track_format(1).unwrap(), TrackFormat::Metadata(metadata_format()), "RD-7, {name}");
        assert_eq!(read_groups(&reader), expected, "RD-7, {name}");
        reader.set_time_range(between(1500, 2500)).unwrap();
        assert_eq!(read_groups(&reader), expected[1..3], "RD-7, {name}: one that holds at the start, too");
        assert!(reader.timed_metadata(0).is_err() && reader.captions(1).is_err());

        let read = Track::read(&film, 1);
        let again = studio.path("again.mp4");
        let _ = std::fs::remove_file(&again);
        let (writer, inputs) = started(&again, &[video.format.clone(), read.format.clone()]);
        writer.start_session(Time::ZERO).unwrap();
        append_all(&inputs, &[video.clone(), read]);
        writer.finish_writing_and_wait().unwrap();
        assert_eq!(
            read_groups(&AssetReader::open(&again).unwrap()),
            expected,
            "RD-7, {name}: passed through"
        );
    }
}

fn read_groups(reader: &AssetReader) -> Vec<TimedMetadataGroup> {
    let mut output = reader.timed_metadata(1).unwrap();
    assert_eq!(output.format(), &metadata_format());
    std::iter::from_fn(|| output.next().unwrap()).collect()
}

/// A pair of CEA-608 with odd parity, as a packet of a field.
fn pair(field: u8, bytes: [u8; 2]) -> [u8; 3] {
    let odd = |byte: u8| if byte.count_ones().is_multiple_of(2) { byte | 0x80 } else { byte };
    [0xFC | field, odd(bytes[0]), odd(bytes[1])]
}

/// AI-1, section 17.2: closed captions are a track of QuickTime, with the pairs of each field in an atom;
/// another program shows them at their times, and our reader gives the packets back, which can be passed
/// through. Other containers, and samples that are not of CEA-608, are refused.
#[test]
fn closed_captions_are_a_track_of_quicktime() {
    let Some(studio) = Studio::open() else { return };
    let video = Track::read(&studio.render(FILM, "a.mp4"), 0);
    // loaded in the background, shown after a second, erased after three
    let load: Vec<_> = [[0x14, 0x20], [0x14, 0x70], *b"HI", *b" U"].map(|bytes| pair(0, bytes)).concat();
    let (show, erase) = (pair(0, [0x14, 0x2F]), pair(0, [0x14, 0x2C]));
    let second = pair(1, [0x15, 0x2C]);
    let sample = |from: i64, until: i64, data: &[u8]| Sample {
        data: data.to_vec(),
        pts: ms(from),
        dts: ms(from),
        duration: ms(until - from),
        kind: retake_media::SampleKind::Sync,
    };
    let captions = Track {
        format: TrackFormat::ClosedCaptions,
        samples: vec![
            sample(0, 1000, &load),
            sample(1000, 2000, &[&show[..], &second].concat()),
            sample(2000, 3000, &[]),
            sample(3000, 6000, &erase),
        ],
    };
    let pass = |name: &str, captions: &Track| {
        let film = studio.path(name);
        let (writer, inputs) = started(&film, &[video.format.clone(), captions.format.clone()]);
        assert_eq!(inputs[1].media_type(), MediaType::ClosedCaption);
        writer.start_session(Time::ZERO).unwrap();
        let wrong = sample(0, 1000, &[0xFE, 1, 2]);
        assert!(matches!(mistake(inputs[1].append(wrong).unwrap_err()), Mistake::WrongMedia(_)));
        append_all(&inputs, &[video.clone(), captions.clone()]);
        writer.finish_writing_and_wait().unwrap();
        film
    };
    let film = pass("b.mov", &captions);
    let track = &boxes(&std::fs::read(&film).unwrap(), &[b"moov", b"trak"])[1];
    assert_eq!(boxes(track, &[b"mdia", b"hdlr"])[0][8..12], *b"clcp");
    let stored: Vec<_> = samples(&film, 1).into_iter().map(|(_, data)| data).collect();
    let atom = |kind: &[u8; 4], pairs: &[u8]| [&[0, 0, 0, 8 + pairs.len() as u8][..], kind, pairs].concat();
    let pairs =
        |packets: &[u8]| packets.chunks(3).flat_map(|packet| packet[1..].to_vec()).collect::<Vec<_>>();
    let expected = [
        atom(b"cdat", &pairs(&load)),
        [atom(b"cdat", &show[1..]), atom(b"cdt2", &second[1..])].concat(),
        atom(b"cdat", &[0x80, 0x80]),
        atom(b"cdat", &erase[1..]),
    ];
    assert_eq!(stored, expected);
    assert_eq!(
        ffprobe("-select_streams s -show_entries stream=codec_name,codec_tag_string", &film),
        ["eia_608,c608"]
    );
    let shown = subrip(&film);
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!(shown[0].0, "1,000-3,000");
    assert!(shown[0].1.contains("HI U"), "{shown:?}");

    let read = Track::read(&film, 1);
    assert_eq!(read.format, TrackFormat::ClosedCaptions);
    let packets: Vec<_> = read.samples.iter().map(|sample| sample.data.clone()).collect();
    let nothing = vec![0xFC, 0x80, 0x80];
    assert_eq!(packets, [load, captions.samples[1].data.clone(), nothing, erase.to_vec()]);
    assert_eq!(samples(&pass("c.mov", &read), 1), samples(&film, 1));

    for container in [Container::Mp4, Container::Mkv, Container::WebM] {
        let writer = AssetWriter::new("nowhere", container);
        assert!(!writer.can_add(&AssetWriterInput::passthrough(TrackFormat::ClosedCaptions)), "{container}");
        assert!(!writer.available_media_types().contains(&MediaType::ClosedCaption));
    }
}

/// RD-7: a sample whose items are damaged is an error, and nothing is guessed; a film that is cut off in its
/// index, or whose keys are of another kind, has no metadata that can be read, and its samples are none.
#[test]
fn damaged_metadata_is_an_error() {
    let Some(studio) = Studio::open() else { return };
    let video = Track::read(&studio.render(FILM, "a.mp4"), 0);
    let pulse = |value| group(value * 1000, None, &[item("pulse", MetadataValue::Integer(value))]);
    let film = studio.path("b.mp4");
    let (writer, inputs) = started(&film, &[video.format.clone(), TrackFormat::Metadata(metadata_format())]);
    writer.start_session(Time::ZERO).unwrap();
    let samples = (0..6).map(|value| Sample {
        data: metadata_format().payload(&pulse(value).items).unwrap(),
        pts: ms(value * 1000),
        dts: ms(value * 1000),
        duration: ms(1000),
        kind: retake_media::SampleKind::Sync,
    });
    let metadata = Track { format: TrackFormat::Metadata(metadata_format()), samples: samples.collect() };
    append_all(&inputs, &[video, metadata]);
    writer.finish_writing_and_wait().unwrap();
    let whole = std::fs::read(&film).unwrap();
    let find = |bytes: &[u8]| whole.windows(bytes.len()).position(|window| window == bytes).unwrap();
    let change = |name: &str, at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        let path = studio.path(name);
        std::fs::write(&path, bytes).unwrap();
        AssetReader::open(&path).unwrap()
    };
    // the length of the one item of the fourth sample
    let item = [&[0, 0, 0, 16, 0, 0, 0, 1][..], &3_i64.to_be_bytes()].concat();
    let mut output = change("c.mp4", find(&item) + 3, 15).timed_metadata(1).unwrap();
    for _ in 0..3 {
        assert!(output.next().unwrap().is_some());
    }
    let error = output.next().unwrap_err();
    assert!(matches!(error, MediaError::Read { frame: 3, .. }), "{error}");
    assert!(output.next().unwrap().is_none());

    let reader = change("d.mp4", find(b"mdtacom.example.pulse"), b'x');
    assert!(matches!(reader.timed_metadata(1), Err(MediaError::NoDecoder { .. })));
}

/// AD-5, AI-4, AI-8: what cannot be appended is refused by its cause, and changes nothing.
#[test]
fn what_cannot_be_appended_is_refused() {
    let studio = Studio::empty();
    let writer = AssetWriter::new(studio.path("a.mp4"), Container::Mp4);
    let (subtitles, metadata) =
        (AssetWriterInput::subtitles(), AssetWriterInput::timed_metadata(metadata_format()));
    let captions = CaptionAdaptor::new(&subtitles).unwrap();
    let groups = MetadataAdaptor::new(&metadata).unwrap();
    assert_eq!(CaptionAdaptor::new(&subtitles).unwrap_err().mistake, Mistake::Adapted);
    assert!(matches!(CaptionAdaptor::new(&metadata).unwrap_err().mistake, Mistake::WrongMedia(_)));
    assert!(matches!(MetadataAdaptor::new(&subtitles).unwrap_err().mistake, Mistake::WrongMedia(_)));
    assert_eq!(mistake(captions.append(caption(0, 1, "")).unwrap_err()), Mistake::NotAttached);
    [&subtitles, &metadata].into_iter().for_each(|input| writer.add(input).unwrap());
    writer.start_writing().unwrap();
    assert_eq!(mistake(captions.append(caption(0, 1, "")).unwrap_err()), Mistake::NoSession);
    writer.start_session(Time::ZERO).unwrap();
    assert!(matches!(mistake(subtitles.append(picture(0)).unwrap_err()), Mistake::WrongMedia(_)));

    captions.append(caption(1000, 2000, "one")).unwrap();
    captions.append(caption(1000, 1500, "together")).unwrap();
    let refused = |caption| mistake(captions.append(caption).unwrap_err());
    assert_eq!(refused(caption(999, 3000, "back")), Mistake::TimeGoesBack(ms(999)));
    assert_eq!(refused(caption(3000, 3000, "no time")), Mistake::BadTime(Time::ZERO));
    assert!(matches!(
        refused(Caption::new("for ever", TimeRange::new(ms(3000), Time::POSITIVE_INFINITY))),
        Mistake::BadTime(_)
    ));
    assert!(matches!(
        refused(Caption::new("never", TimeRange::new(Time::INVALID, ms(1)))),
        Mistake::BadTime(_)
    ));
    assert!(matches!(refused(caption(3000, 4000, "a\0b")), Mistake::BadValue(_)));
    assert!(matches!(refused(caption(3000, 4000, &"x".repeat(65_536))), Mistake::BadValue(_)));
    let styles = vec![TextStyle { characters: 0..2, bold: true, ..TextStyle::default() }];
    let beyond = Caption { styles: styles.clone(), ..caption(3000, 4000, "a") };
    assert!(matches!(refused(beyond), Mistake::BadValue(_)));

    let pulse = [item("pulse", MetadataValue::Integer(70))];
    groups.append(group(0, Some(500), &pulse)).unwrap();
    let refused = |group| mistake(groups.append(group).unwrap_err());
    assert_eq!(refused(group(499, Some(900), &pulse)), Mistake::Overlaps(ms(499)));
    assert_eq!(refused(group(0, Some(900), &pulse)), Mistake::TimeGoesBack(ms(0)));
    assert_eq!(refused(group(500, Some(500), &pulse)), Mistake::BadTime(Time::ZERO));
    assert!(matches!(
        refused(group(500, None, &[item("pulse", MetadataValue::Float(1.0))])),
        Mistake::BadValue(_)
    ));
    assert!(matches!(
        refused(group(500, None, &[item("other", MetadataValue::Integer(1))])),
        Mistake::BadValue(_)
    ));
    groups.append(group(500, None, &pulse)).unwrap();
    assert_eq!(refused(group(500, None, &pulse)), Mistake::TimeGoesBack(ms(500)));
    groups.append(group(501, None, &pulse)).unwrap();
    assert_eq!(writer.status(), WriterStatus::Writing, "AW-2");
    subtitles.mark_as_finished().unwrap();
    assert_eq!(refused_after(&captions), Mistake::InputFinished);
    writer.cancel_writing();
}

fn refused_after(captions: &CaptionAdaptor) -> Mistake {
    mistake(captions.append(caption(9000, 9001, "late")).unwrap_err())
}

/// AD-5: texts of more than 65535 bytes that are shown at once fit no sample of an ISO file, and end the
/// writer instead of being lost; in Matroska each has its own.
#[test]
fn too_much_text_at_once_is_not_lost_in_silence() {
    let Some(studio) = Studio::open() else { return };
    let video = Track::read(&studio.render(FILM, "a.mp4"), 0);
    let half = "x".repeat(40_000);
    let captions = [caption(0, 2000, &half), caption(1000, 3000, &half)];
    let film = write_subtitles(&studio, "b.mkv", &video, Time::ZERO, &captions);
    assert_eq!(ffprobe("-select_streams s -show_entries packet=size", &film), ["40000", "40000"]);

    let writer = AssetWriter::new(studio.path("c.mp4"), Container::Mp4);
    let subtitles = AssetWriterInput::subtitles();
    let adaptor = CaptionAdaptor::new(&subtitles).unwrap();
    writer.add(&subtitles).unwrap();
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();
    adaptor.append(captions[0].clone()).unwrap();
    assert!(matches!(adaptor.append(captions[1].clone()), Err(AppendError::Failed(_))));
    assert!(writer.finish_writing_and_wait().is_err());
    assert_eq!(writer.error().unwrap().code(), -11883);
}

/// Section 16.2, section 17.2: what a container does not hold is refused before the writer starts, with the
/// reason.
#[test]
fn what_a_container_does_not_hold_is_refused() {
    use MediaType::*;
    let timecodes = || AssetWriterInput::passthrough(TrackFormat::Timecode(timecodes()));
    let metadata = || AssetWriterInput::timed_metadata(metadata_format());
    for container in [Container::Mkv, Container::WebM] {
        let writer = AssetWriter::new("nowhere", container);
        assert_eq!(writer.available_media_types(), [Video, Audio, Subtitle, Text]);
        assert!(!writer.can_apply(&TrackFormat::Timecode(self::timecodes())));
        for input in [timecodes(), metadata()] {
            assert!(!writer.can_add(&input), "{input:?}");
            let Mistake::CannotAdd(why) = writer.add(&input).unwrap_err().mistake else { panic!() };
            assert!(why.contains("Matroska has no tracks"), "{why}");
        }
        assert!(writer.can_add(&AssetWriterInput::subtitles()));
    }
    let writer = AssetWriter::segments(SegmentProfile::AppleHls, |_: Vec<u8>, _: &_| ());
    assert_eq!(writer.available_media_types(), [Video, Audio]);
    for input in [timecodes(), metadata(), AssetWriterInput::subtitles()] {
        assert!(matches!(writer.add(&input).unwrap_err().mistake, Mistake::CannotAdd(_)));
    }
    let writer = AssetWriter::new("nowhere", Container::Mp4);
    assert_eq!(writer.available_media_types(), [Video, Audio, Subtitle, Text, Timecode, Metadata]);
    let writer = AssetWriter::new("nowhere", Container::Mov);
    let all = [Video, Audio, Subtitle, Text, ClosedCaption, Timecode, Metadata];
    assert_eq!(writer.available_media_types(), all);
    let passthrough = |format| AssetWriterInput::passthrough(TrackFormat::Text(format));
    assert!(!writer.can_add(&passthrough(retake_media::TextFormat::SubRip)));
    assert!(writer.can_add(&passthrough(retake_media::TextFormat::TimedText)));
}

/// Section 17.2: which tracks can be what to which others, and that Matroska, which has no references, is
/// refused instead of losing them.
#[test]
fn associations_go_with_media_types_and_containers() {
    use TrackAssociation::*;
    let inputs = [
        AssetWriterInput::passthrough(video_format()),
        AssetWriterInput::passthrough(audio_format()),
        AssetWriterInput::subtitles(),
        AssetWriterInput::text(),
        AssetWriterInput::passthrough(TrackFormat::Timecode(timecodes())),
        AssetWriterInput::timed_metadata(metadata_format()),
        AssetWriterInput::subtitles(),
    ];
    let fits = |kind| -> Vec<(usize, usize)> {
        let pairs = (0..7).flat_map(|from| (0..7).map(move |to| (from, to)));
        pairs.filter(|&(from, to)| inputs[from].can_add_track_association(&inputs[to], kind)).collect()
    };
    assert_eq!(fits(Timecode), [(0, 4), (1, 4), (5, 4)]);
    assert_eq!(fits(MetadataReferent), [(5, 0), (5, 1), (5, 2), (5, 3), (5, 4), (5, 6)]);
    assert_eq!(fits(ForcedSubtitlesOnly), [(2, 6), (6, 2)]);
    assert_eq!(fits(AudioFallback), []);
    assert_eq!(fits(SelectionFollower).len(), 42);

    let Some(studio) = Studio::open() else { return };
    let video = Track::read(&studio.render(FILM, "a.mp4"), 0);
    let mkv = AssetWriter::new(studio.path("b.mkv"), Container::Mkv);
    let (pictures, subtitles) =
        (AssetWriterInput::passthrough(video.format.clone()), AssetWriterInput::subtitles());
    let forced = AssetWriterInput::subtitles();
    subtitles.add_track_association(&forced, ForcedSubtitlesOnly).unwrap();
    [&pictures, &subtitles, &forced].into_iter().for_each(|input| mkv.add(input).unwrap());
    assert!(!pictures.can_add_track_association(&subtitles, SelectionFollower));
    let UsageError { mistake, .. } =
        pictures.add_track_association(&subtitles, SelectionFollower).unwrap_err();
    assert!(matches!(mistake, Mistake::BadValue(why) if why.contains("Matroska")));
    assert!(mkv.start_writing().is_err());
    assert_eq!((mkv.status(), mkv.error().unwrap().code()), (WriterStatus::Failed, -11875));
}

/// AD-6, AD-7, AD-8, AM-14: receivers of captions and metadata, with controllers that know of one pass, on
/// one thread beside the pictures, of which nobody waits for what comes seldom.
#[test]
fn receivers_of_captions_and_metadata() {
    let Some(studio) = Studio::open() else { return };
    let video = Track::read(&studio.render(FILM, "a.mp4"), 0);
    let film = studio.path("b.mp4");
    let writer = AssetWriter::new(&film, Container::Mp4);
    let pictures = AssetWriterInput::passthrough(video.format.clone());
    let (subtitles, metadata) =
        (AssetWriterInput::subtitles(), AssetWriterInput::timed_metadata(metadata_format()));
    for input in [&subtitles, &metadata] {
        input
            .configure(|options| options.media_data_location = MediaDataLocation::SparselyInterleaved)
            .unwrap();
    }
    let video_receiver = writer.sample_receiver(&pictures).unwrap();
    assert!(writer.caption_receiver(&metadata).is_err() && writer.metadata_receiver(&subtitles).is_err());
    let (captions, mut passes) = writer.caption_receiver_requesting_multi_pass(&subtitles).unwrap();
    let (groups, mut others) = writer.metadata_receiver_requesting_multi_pass(&metadata).unwrap();
    assert_eq!(CaptionAdaptor::new(&subtitles).unwrap_err().mistake, Mistake::Adapted);
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();
    assert!(passes.pass_descriptions().is_none() && others.pass_descriptions().is_none());
    pollster::block_on(async {
        let pass = passes.next().await.unwrap().unwrap();
        assert_eq!(pass.source_time_ranges(), [TimeRange::EVERYTHING]);
        others.next().await.unwrap().unwrap();
        for sample in &video.samples {
            if sample.dts == ms(1000) {
                captions.append(caption(1000, 2000, "one")).await.unwrap();
                groups
                    .append_immediately(group(1000, None, &[item("pulse", MetadataValue::Integer(7))]))
                    .unwrap();
            }
            if sample.dts == ms(4000) {
                captions.append_immediately(caption(4000, 5000, "two")).unwrap();
                groups.append(group(4000, Some(5000), &[])).await.unwrap();
            }
            video_receiver.append(sample.clone()).await.unwrap();
        }
        video_receiver.finish().unwrap();
        // asking for the next pass ends the one pass that there is
        assert!(passes.next().await.unwrap().is_none() && others.next().await.unwrap().is_none());
        captions.finish().unwrap();
        groups.finish().unwrap();
    });
    writer.finish_writing_and_wait().unwrap();
    assert_eq!(subrip(&film), cues(&[("1,000-2,000", "one"), ("4,000-5,000", "two")]));
    let nothing = vec![0, 0, 0, 8, 0, 0, 0, 0];
    let stored: Vec<_> = samples(&film, 2).into_iter().map(|(_, data)| data).collect();
    let pulse = metadata_format().payload(&[item("pulse", MetadataValue::Integer(7))]).unwrap();
    assert_eq!(stored, [nothing.clone(), pulse, nothing]);
}

/// Section 16.3: a film in fragments has the same tracks, and is playable up to its last fragment.
#[test]
fn films_in_fragments_have_such_tracks() {
    let Some(studio) = Studio::open() else { return };
    let video = Track::read(&studio.render(FILM, "a.mp4"), 0);
    let film = studio.path("b.mov");
    let writer = AssetWriter::new(&film, Container::Mov);
    writer.configure(|options| options.movie_fragment_interval = Some(ms(1000))).unwrap();
    let pictures = AssetWriterInput::passthrough(video.format.clone());
    let subtitles = AssetWriterInput::subtitles();
    let timecodes = AssetWriterInput::passthrough(TrackFormat::Timecode(timecodes()));
    let metadata = AssetWriterInput::timed_metadata(metadata_format());
    let (captions, groups) =
        (CaptionAdaptor::new(&subtitles).unwrap(), MetadataAdaptor::new(&metadata).unwrap());
    [&pictures, &subtitles, &timecodes, &metadata].into_iter().for_each(|input| writer.add(input).unwrap());
    pictures.add_track_association(&timecodes, TrackAssociation::Timecode).unwrap();
    writer.start_writing().unwrap();
    writer.start_session(Time::ZERO).unwrap();
    for (from, until, text) in [(500, 1500, "one"), (2000, 2500, "two")] {
        append_caption(&captions, caption(from, until, text));
    }
    append(&timecodes, self::timecodes().sample(Timecode::new(1, 0, 0, 0), between(0, 6000)).unwrap());
    groups.append(group(0, Some(1000), &[item("pulse", MetadataValue::Integer(1))])).unwrap();
    for input in [&subtitles, &timecodes, &metadata] {
        input.mark_as_finished().unwrap();
    }
    for sample in &video.samples {
        append(&pictures, sample.clone());
    }
    // a fragment is written when the next begins, and none of six seconds can be kept back by then
    let unfinished = || {
        let name = studio.files().into_iter().find(|name| name.contains("unfinished"))?;
        let bytes = std::fs::read(studio.path(&name)).ok()?;
        (boxes_at_top(&bytes) >= 3).then_some(bytes)
    };
    let bytes = loop {
        match unfinished() {
            Some(bytes) => break bytes,
            None => std::thread::yield_now(),
        }
    };
    let copy = studio.path("copy.mov");
    std::fs::write(&copy, bytes).unwrap();
    let described = |film: &Path| ffprobe("-show_entries stream=codec_tag_string:stream_tags=timecode", film);
    let all = ["avc1,01:00:00;00", "tx3g", "tmcd,01:00:00;00", "mebx"];
    let kinds = |lines: Vec<String>| {
        lines.into_iter().map(|line| line.split(',').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(described(&copy)), kinds(all.map(str::to_owned).to_vec()));
    writer.finish_writing_and_wait().unwrap();
    assert_eq!(described(&film), all);
    assert_eq!(subrip(&film), cues(&[("0,500-1,500", "one"), ("2,000-2,500", "two")]));
}

/// How many fragments a file has, as far as they are whole.
fn boxes_at_top(bytes: &[u8]) -> usize {
    let (mut at, mut media) = (0, 0);
    while at + 8 <= bytes.len() {
        let size = number(&bytes[at..at + 4]) as usize;
        if size < 8 || at + size > bytes.len() {
            break;
        }
        media += usize::from(bytes[at + 4..at + 8] == *b"mdat");
        at += size;
    }
    media
}

/// AD-5, RD-5: an asset reader gives captions and timecodes back, and what it reads of both can be passed
/// through to another film, in every part of it.
#[test]
fn captions_and_timecodes_are_read_back_and_passed_through() {
    let Some(studio) = Studio::open() else { return };
    let video = Track::read(&studio.render(FILM, "a.mp4"), 0);
    let captions = [caption(500, 1500, "one"), caption(1500, 2000, "two"), caption(3000, 4000, "three")];
    let mut films = Vec::new();
    for name in ["b.mp4", "c.mkv"] {
        let film = write_subtitles(&studio, name, &video, Time::ZERO, &captions);
        let reader = AssetReader::open(&film).unwrap();
        let mut output = reader.captions(1).unwrap();
        let read: Vec<Caption> = std::iter::from_fn(|| output.next().unwrap()).collect();
        assert_eq!(read, captions, "{name}");
        let mut part = AssetReader::open(&film).unwrap();
        part.set_time_range(between(1600, 3500)).unwrap();
        let mut output = part.captions(1).unwrap();
        let read: Vec<Caption> = std::iter::from_fn(|| output.next().unwrap()).collect();
        assert_eq!(read, captions[1..], "{name}");
        assert!(reader.captions(0).is_err());
        films.push(film);
    }

    let format = timecodes();
    let start = Timecode::new(9, 59, 59, 29);
    let sample = format.sample(start, between(0, 6000)).unwrap();
    let pass = |name: &str, tracks: &[Track]| {
        let film = studio.path(name);
        let formats: Vec<_> = tracks.iter().map(|track| track.format.clone()).collect();
        let (writer, inputs) = started(&film, &formats);
        writer.start_session(Time::ZERO).unwrap();
        append_all(&inputs, tracks);
        writer.finish_writing_and_wait().unwrap();
        film
    };
    let counted = Track { format: TrackFormat::Timecode(format.clone()), samples: vec![sample] };
    let text = Track::read(&films[0], 1);
    let film = pass("d.mov", &[video.clone(), text, counted]);
    assert_eq!(subrip(&film), subrip(&films[0]));
    let (text, counted) = (Track::read(&film, 1), Track::read(&film, 2));
    assert_eq!(counted.format, TrackFormat::Timecode(format.clone()));
    assert_eq!(format.timecode_of(&counted.samples[0]), Some(start));
    let again = pass("e.mov", &[video, text, counted]);
    assert_eq!((samples(&again, 1), samples(&again, 2)), (samples(&film, 1), samples(&film, 2)));
}
