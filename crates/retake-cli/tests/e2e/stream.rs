//! Streams for HTTP Live Streaming: `retake encode … -o stream.m3u8`.

use crate::common::{
    FRAMES, Seen, Studio, encoders, fast, ffmpeg, frame_times, packet_hashes, picture_hashes, probe, psnr,
};
use m3u8_rs::{MasterPlaylist, MediaPlaylist};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Rounding of `EXTINF` to microseconds.
const MICROSECOND: f64 = 1.1e-6;

fn master(studio: &Studio, name: &str) -> MasterPlaylist {
    m3u8_rs::parse_master_playlist(&studio.read(name)).unwrap().1
}

fn media(path: &Path) -> MediaPlaylist {
    m3u8_rs::parse_media_playlist(&fs::read(path).unwrap()).unwrap().1
}

/// A film of the initialization segment and one media segment, or a part of it, as a program that knows no
/// playlists reads it.
fn alone(studio: &Studio, folder: &Path, segment: &str, bytes: Option<u64>) -> PathBuf {
    let mut film = fs::read(folder.join("init.mp4")).unwrap();
    let segment = fs::read(folder.join(segment)).unwrap();
    film.extend(&segment[..bytes.map_or(segment.len(), |bytes| bytes as usize)]);
    let path = studio.path("alone.mp4");
    fs::write(&path, film).unwrap();
    path
}

/// When the packets of a film are shown, in seconds, in order.
fn shown(film: &Path) -> Vec<f64> {
    let times = probe(film, "-show_entries packet=pts_time");
    let mut times: Vec<f64> =
        times.iter().map(|time| time.split(',').next().unwrap().parse().unwrap()).collect();
    times.sort_by(f64::total_cmp);
    times
}

/// The stream holds the very pictures and sound of a film that is made with the same settings, at the same
/// times; its sound is the source's, and as far from the pictures as there. What it cannot hold is said.
#[test]
fn a_stream_is_the_film() {
    let Some(studio) = Studio::open() else { return };
    let flags = format!("{} --metric psnr -q 36", fast());
    let run = studio.encode(&format!("film.mkv -o out.m3u8 {flags}"));
    studio.encode(&format!("film.mkv -o out.mp4 {flags}"));
    assert_eq!(
        studio.names(),
        ["film.mkv", "out.m3u8", "out.media", "out.mp4"].map(str::to_owned).into(),
        "nothing is left over"
    );
    let (stream, film) = (studio.path("out.m3u8"), studio.path("out.mp4"));
    assert!(picture_hashes(&stream) == picture_hashes(&film));
    assert_eq!(picture_hashes(&stream).len() as u64, FRAMES);
    assert!(packet_hashes(&stream, "a") == packet_hashes(&studio.path("film.mkv"), "a"));
    let ((a, (p, q)), (b, (r, s))) = (frame_times(&film), frame_times(&stream));
    for (frame, (x, y)) in a.iter().zip(&b).enumerate() {
        assert_eq!((x - a[0]) * p * s, (y - b[0]) * r * q, "frame {frame}");
    }
    let distance = |film: &Path| {
        let first = |kind| {
            let times = probe(film, &format!("-select_streams {kind}:0 -show_entries packet=pts_time"));
            times.iter().map(|t| t.split(',').next().unwrap().parse().unwrap()).fold(f64::MAX, f64::min)
        };
        first("a") - first("v")
    };
    assert!((distance(&stream) - distance(&film)).abs() < 0.0005, "sound and pictures are as far apart");
    let notes = run.notes();
    for what in ["chapters", "tags (title"] {
        assert!(notes.iter().any(|note| note.contains(what) && note.contains("stream")), "{notes:?}");
    }
    let bytes: u64 = ["out.media/video", "out.media/sound-1", "out.media/subtitles-1"]
        .iter()
        .flat_map(|folder| fs::read_dir(studio.path(folder)).unwrap())
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    let lists = ["out.m3u8", "out.media/manifest.mpd"].map(|name| studio.read(name).len() as u64);
    assert_eq!(run.summary()["file_bytes"], bytes + lists.iter().sum::<u64>());
}

/// What playlists say is so, by another parser and another demuxer: every segment begins with a sync frame
/// and lasts as long as it says, none is longer than the target or faster than the bandwidth, and pieces of
/// the list of sync frames are decoded by themselves.
#[test]
fn playlists_say_what_is_there() {
    let Some(studio) = Studio::open() else { return };
    let all = encoders().iter().map(|encoder| (encoder, format!("{} --crf 40", encoder.flags)));
    for (encoder, flags) in all {
        studio.encode(&format!("film.mkv -o out.m3u8 {flags} --overwrite"));
        let master = master(&studio, "out.m3u8");
        assert!(master.independent_segments && master.version.unwrap() >= 6);
        let [variant, sync_frames] = &master.variants[..] else { panic!("{master:?}") };
        assert!(!variant.is_i_frame && sync_frames.is_i_frame);
        let resolution = variant.resolution.unwrap();
        assert_eq!((resolution.width, resolution.height, variant.frame_rate), (320, 180, Some(24.0)));
        let codecs = variant.codecs.as_deref().unwrap();
        let start = match encoder.codec.as_str() {
            "h264" => "avc1.",
            "hevc" => "hvc1.1.",
            "av1" => "av01.0.",
            _ => "vp09.00.",
        };
        assert!(codecs.starts_with(start) && codecs.ends_with(",mp4a.40.2"), "{codecs}");
        if encoder.codec == "h264" {
            let film = alone(&studio, &studio.path("out.media/video"), "00001.m4s", None);
            let level: u32 = probe(&film, "-show_entries stream=level")[0].parse().unwrap();
            assert!(codecs.contains(&format!("{level:02X},")), "{codecs}: level {level}");
        }
        let [sound, texts] = &master.alternatives[..] else { panic!("{master:?}") };
        assert_eq!(texts.group_id, "subtitles");
        assert_eq!((sound.language.as_deref(), sound.default), (Some("fr"), true));
        assert!(!texts.default);

        let mut rate = 0.0;
        for uri in [&variant.uri, sound.uri.as_ref().unwrap()] {
            let (path, video) = (studio.path(uri), *uri == variant.uri);
            let (list, folder) = (media(&path), path.parent().unwrap().to_owned());
            assert!(list.end_list && list.segments.len() > 1, "{list:?}");
            let mut expected: f64 = 0.0;
            let mut fastest: f64 = 0.0;
            for (number, segment) in list.segments.iter().enumerate() {
                let seconds = f64::from(segment.duration);
                assert!(
                    segment.duration.round() as u64 <= list.target_duration && (!video || seconds <= 6.0)
                );
                let film = alone(&studio, &folder, &segment.uri, None);
                let times = shown(&film);
                if video {
                    let key = probe(&film, "-select_streams v -show_entries packet=flags");
                    assert!(key[0].starts_with('K'), "segment {number} begins with a sync frame");
                }
                if number > 0 {
                    assert!((times[0] - expected).abs() < 0.0005, "segment {number} begins at {expected}");
                }
                expected = times[0] + seconds;
                let size = fs::metadata(folder.join(&segment.uri)).unwrap().len();
                fastest = fastest.max(size as f64 * 8.0 / seconds);
                if number + 1 == list.segments.len() {
                    let frame = times[1] - times[0];
                    assert!((times[times.len() - 1] + frame - expected).abs() < frame / 2.0 + MICROSECOND);
                }
            }
            rate += fastest;
        }
        assert!(variant.bandwidth as f64 >= rate * 0.999 && variant.average_bandwidth.unwrap() > 0);
        first_frames(&studio, &sync_frames.uri, &variant.uri);
    }
}

/// Each piece of the list of sync frames is one picture to a program that has no more than it: the picture
/// that is shown when the piece begins.
fn first_frames(studio: &Studio, uri: &str, pictures: &str) {
    let all = picture_hashes(&studio.path(pictures));
    let (times, (num, den)) = frame_times(&studio.path(pictures));
    let (path, list) = (studio.path(uri), media(&studio.path(uri)));
    assert!(list.i_frames_only);
    let mut begins = 0.0;
    for segment in &list.segments {
        let range = segment.byte_range.as_ref().unwrap();
        assert_eq!(range.offset, Some(0));
        let folder = path.parent().unwrap();
        let film = alone(studio, folder, &segment.uri, Some(range.length));
        let decoded = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "quiet", "-i"])
            .arg(&film)
            .args(["-fps_mode", "passthrough", "-f", "framemd5", "-"])
            .output()
            .unwrap();
        let text = String::from_utf8(decoded.stdout).unwrap();
        let frames: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let [frame] = frames[..] else { panic!("{}: not one frame: {text}", segment.uri) };
        let hash = frame.rsplit(',').next().unwrap().trim();
        let shown = |ticks: &i64| (ticks - times[0]) as f64 * num as f64 / den as f64;
        let place = times.iter().position(|ticks| (shown(ticks) - begins).abs() < 0.002);
        let place = place.unwrap_or_else(|| panic!("{}: no picture is shown at {begins}", segment.uri));
        assert_eq!(hash, all[place], "{}: another picture than that at {begins}", segment.uri);
        begins += f64::from(segment.duration);
    }
}

/// The cues of a file of subtitles as `ffprobe` reads them: milliseconds of the appearance and of the end,
/// less those at which the clock begins; in the order of the file.
fn cues(file: &Path, zero: f64) -> Vec<(i64, i64)> {
    let packets = probe(file, "-show_entries packet=pts_time,duration_time");
    let ms = |seconds: f64| (seconds * 1000.0).round() as i64;
    let read = |packet: &String| {
        let fields: Vec<f64> = packet.split(',').map(|field| field.parse().unwrap()).collect();
        (ms(fields[0] - zero), ms(fields[0] + fields[1] - zero))
    };
    packets.iter().map(read).collect()
}

/// Subtitles of the source and of files beside it are renditions of WebVTT: all cues, at the same distance
/// from the pictures as in the source, each in every segment that it touches, and with what the master
/// playlist says of them.
#[test]
fn subtitles_are_renditions() {
    let Some(studio) = Studio::open() else { return };
    let long = "WEBVTT\n\n00:00:00.200 --> 00:00:08.800 line:0 align:start\n<b>Über</b> <v Ada>alles</v>\n\n\
                00:00:03.000 --> 00:00:03.500\nzwei\nZeilen\n\n00:00:14.000 --> 00:00:15.000\nspät\n";
    fs::write(studio.path("long.vtt"), long).unwrap();
    let marks = "--forced 3 --default 3 --default subtitles+de";
    let added = format!("--add-subtitles long.vtt:en-GB:Signs --add-subtitles long.vtt:de {marks}");
    for (source, flags) in [("film.mkv", ""), ("film.mkv", " --from 24f --to 120f")] {
        let run = studio.encode(&format!("{source} -o out.m3u8 {} -y --crf 40 {added}{flags}", fast()));
        assert!(!run.notes().iter().any(|note| note.contains("subtitle")), "{:?}", run.notes());
        let master = master(&studio, "out.m3u8");
        let texts: Vec<_> = master
            .alternatives
            .iter()
            .filter(|media| media.media_type == m3u8_rs::AlternativeMediaType::Subtitles)
            .collect();
        let said: Vec<_> = texts
            .iter()
            .map(|text| (text.name.as_str(), text.language.as_deref(), text.default, text.forced))
            .collect();
        let expected = [
            ("Subtitles", None, false, false),
            ("Signs", Some("en-GB"), false, true),
            ("de", Some("de"), true, false),
        ];
        assert_eq!(said, expected);
        assert!(texts.iter().all(|text| text.autoselect));
        assert_eq!(master.variants[0].subtitles.as_deref(), Some("subtitles"));

        let (stream, pictures) = (studio.path("out.m3u8"), studio.path("out.media/video/index.m3u8"));
        let first = shown(&pictures)[0];
        studio.render("-i film.mkv -map 0:s -c copy", "own.srt");
        // the pictures of the source begin at 21 ms, and its 25th is shown a second later
        let cut = if flags.is_empty() { (0, i64::MAX) } else { (1000 + 21, 5000 + 21) };
        let zero = if flags.is_empty() { first - 0.021 } else { first };
        for (number, source) in ["own.srt", "long.vtt", "long.vtt"].iter().enumerate() {
            let all: Vec<(i64, i64)> = cues(&studio.path(source), 0.0)
                .iter()
                .filter(|cue| cue.0 < cut.1 && cue.1 > cut.0)
                .map(|cue| (cue.0.max(cut.0) - cut.0, cue.1.min(cut.1) - cut.0))
                .collect();
            assert!(!all.is_empty());
            let uri = texts[number].uri.as_ref().unwrap();
            let (list, folder) = (media(&studio.path(uri)), studio.path(uri).parent().unwrap().to_owned());
            let of_pictures = media(&pictures);
            let aligned = list.segments.iter().zip(&of_pictures.segments);
            assert!(
                list.segments.len() >= of_pictures.segments.len()
                    && of_pictures.segments.len() > 1 - usize::from(!flags.is_empty())
            );
            // the end of the last frame is that of a container that counts milliseconds
            let near = |one: f32, other: f32| (one - other).abs() < 0.002;
            assert!(list.end_list && aligned.clone().all(|(one, other)| near(one.duration, other.duration)));
            let mut begins = first;
            for (index, segment) in list.segments.iter().enumerate() {
                let ends = begins + f64::from(segment.duration);
                let (from, to) =
                    (((begins - zero) * 1000.0).round() as i64, ((ends - zero) * 1000.0).round() as i64);
                let (is_first, is_last) = (index == 0, index + 1 == list.segments.len());
                let touched = |cue: &&(i64, i64)| (is_last || cue.0 < to) && (is_first || cue.1 > from);
                let expected: Vec<(i64, i64)> = all.iter().filter(touched).copied().collect();
                let file = folder.join(&segment.uri);
                let found = if expected.is_empty() { Vec::new() } else { cues(&file, zero) };
                assert_eq!(found, expected, "{source}, segment {index}: {from} to {to}");
                let text = fs::read_to_string(&file).unwrap();
                assert!(text.starts_with("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n"));
                assert_eq!(text.matches(" --> ").count(), expected.len(), "{text}");
                if *source == "long.vtt" && expected.first().is_some_and(|cue| cue.1 - cue.0 > 3500) {
                    let whole = "line:0 align:start\n<b>Über</b> <v Ada>alles</v>\n";
                    assert!(text.contains(whole), "{text}");
                }
                begins = ends;
            }
            // the program puts the segments together by the master playlist itself
            let joined = format!("-strict experimental -i out.m3u8 -map 0:s:{number} -c copy -copyts");
            studio.render(&joined, "joined.vtt");
            // to it a cue that is in two segments is two
            let mut joined = cues(&studio.path("joined.vtt"), zero);
            joined.sort_unstable();
            joined.dedup();
            assert_eq!(joined, all, "{source} in {}", stream.display());
        }
    }
}

/// The values of an attribute in a manifest, in order.
fn attributes<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let begin = format!(" {name}=\"");
    text.split(&begin).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

/// The manifest of DASH names the very segments of the playlists: the `ffmpeg` program comes by it to the
/// same pictures and sound at the same times, and every time in it is that of the segment's first sample,
/// exactly.
#[test]
fn the_manifest_of_dash_is_the_same_stream() {
    let Some(studio) = Studio::open() else { return };
    fs::write(studio.path("long.vtt"), "WEBVTT\n\n00:00:00.200 --> 00:00:08.800\nR&D <i>all</i>\n").unwrap();
    let named = "--add-subtitles long.vtt:de:<R&D> --forced 3";
    // two kinds of time stamps: milliseconds of Matroska, and frames of 1001/24000 seconds
    studio.render(
        "-f lavfi -i testsrc2=s=320x180:r=24000/1001:d=9 -f lavfi -i sine=d=9 -c:v libx264 -crf 12 -c:a aac",
        "film.mp4",
    );
    for (source, flags) in [("film.mkv", named), ("film.mp4", "")] {
        studio.encode(&format!("{source} -o out.m3u8 -y {} --crf 40 {flags}", fast()));
        let manifest = studio.path("out.media/manifest.mpd");
        // the program has to be told that it may open files of subtitles, and looks in the folder that it is
        // in
        let read = |map: &str| {
            let hashes = |folder: &str, input: &str| {
                let hashes = format!("{input} -map {map} -copyts -f framehash -hash md5 -");
                let text = String::from_utf8(ffmpeg(&studio.path(folder), &hashes)).unwrap();
                text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
            };
            [hashes("out.media", "-allowed_extensions ALL -i manifest.mpd"), hashes("", "-i out.m3u8")]
        };
        let [pictures, of_stream] = read("0:v:0 -fps_mode passthrough");
        assert_eq!(pictures.len() as u64, FRAMES);
        assert!(pictures == of_stream, "{source}: {:?} {:?}", pictures.first(), of_stream.first());
        let [sound, of_stream] = read("0:a:0 -c copy");
        assert!(
            !sound.is_empty() && sound == of_stream,
            "{source}: {:?} {:?}",
            sound.first(),
            of_stream.first()
        );
        let text = fs::read_to_string(&manifest).unwrap();
        let parsed = Command::new("python3")
            .args(["-c", "import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])"])
            .arg(&manifest)
            .status();
        assert!(parsed.is_ok_and(|status| status.success()), "{text}");
        let codecs = master(&studio, "out.m3u8").variants[0].codecs.clone().unwrap();
        assert_eq!(attributes(&text, "codecs").join(","), codecs);
        let mut zero = Vec::new();
        for (folder, part) in ["video", "sound-1"].iter().zip(text.split("<SegmentTemplate").skip(1)) {
            let part = part.split("</SegmentTemplate>").next().unwrap();
            let number = |name: &str| attributes(part, name)[0].parse::<i64>().unwrap();
            let scale = number("timescale") as f64;
            zero.push(number("presentationTimeOffset") as f64 / scale);
            let (mut at, mut segment) = (0, 0);
            for entry in part.split("<S ").skip(1) {
                let entry = format!(" {}", entry.split("/>").next().unwrap());
                let value =
                    |name: &str| attributes(&entry, name).first().map(|text| text.parse::<i64>().unwrap());
                at = value("t").unwrap_or(at);
                for _ in 0..=value("r").unwrap_or(0) {
                    segment += 1;
                    let alone = alone(
                        &studio,
                        &studio.path(&format!("out.media/{folder}")),
                        &format!("{segment:05}.m4s"),
                        None,
                    );
                    assert!(
                        (shown(&alone)[0] - at as f64 / scale).abs() < 1e-6,
                        "{folder}: {segment} at {at}: {part}"
                    );
                    at += value("d").unwrap();
                }
            }
            let list = media(&studio.path(&format!("out.media/{folder}/index.m3u8")));
            assert_eq!(segment, list.segments.len());
        }
        // both have one clock, on which the film begins at one time
        assert!((zero[0] - zero[1]).abs() < 1e-9 && zero[0] >= 1.0, "{zero:?}");
        let languages = if flags.is_empty() { vec![] } else { vec!["fr", "de"] };
        assert_eq!(attributes(&text, "lang"), languages, "{text}");
        if !flags.is_empty() {
            assert!(
                text.contains("<Label>&lt;R&amp;D&gt;</Label>") && text.contains("forced-subtitle"),
                "{text}"
            );
            let whole = cues(&studio.path("out.media/subtitles-2/whole.vtt"), 0.0);
            assert_eq!(whole, [(200, 8800)], "on the clock of the film");
        }
    }
}

/// GStreamer plays the stream, and sees every picture and every sample of sound when FFmpeg does.
#[test]
fn another_player_agrees() {
    let Some(studio) = Studio::open() else { return };
    studio.encode(&format!("film.mkv -o out.m3u8 {} --crf 40", fast()));
    let mut first = Vec::new();
    for (folder, count) in [("video", FRAMES as usize), ("sound-1", 0)] {
        let playlist = studio.path(&format!("out.media/{folder}/index.m3u8"));
        let Some(seen) = Seen::in_film("hlsdemux ! qtdemux", &playlist, &[]) else { return };
        let mut times: Vec<i64> = seen.video.iter().chain(&seen.sound).map(|sample| sample.pts).collect();
        times.sort_unstable();
        let expected = shown(&playlist);
        assert_eq!(times.len(), expected.len());
        assert!(count == 0 || times.len() == count);
        for (sample, (time, expected)) in times.iter().zip(expected).enumerate() {
            assert!((*time as f64 / 1e9 - expected).abs() < 2e-6, "{folder}: sample {sample}");
        }
        first.push(times[0]);
    }
    // 1024 samples of priming, which the source tells in milliseconds
    assert!((first[0] - first[1] - 21_000_000).abs() < 1_000_000, "{first:?}");

    // By the manifest of DASH it sees the same samples, as early as the period begins behind zero. It reads
    // the one that comes first of pictures and sound.
    let manifest = studio.path("out.media/manifest.mpd");
    let Some(seen) = Seen::in_film("dashdemux ! qtdemux", &manifest, &[]) else { return };
    let folder = if seen.video.is_empty() { "sound-1" } else { "video" };
    let mut times: Vec<i64> = seen.video.iter().chain(&seen.sound).map(|sample| sample.pts).collect();
    times.sort_unstable();
    let expected = shown(&studio.path(&format!("out.media/{folder}/index.m3u8")));
    assert!(!times.is_empty() && times.len() == expected.len(), "{folder}: {}", times.len());
    for (sample, (time, expected)) in times.iter().zip(expected).enumerate() {
        assert!((*time as f64 / 1e9 - (expected - 1.0)).abs() < 2e-6, "{folder}: sample {sample} at {time}");
    }
}

/// Several tracks of sound are renditions of one group; the size that was asked for counts all files.
#[test]
fn several_tracks_of_sound_within_a_size() {
    let Some(studio) = Studio::open() else { return };
    studio.render(
        "-i film.mkv -f lavfi -i sine=f=880:d=12 -f lavfi -i sine=f=220:d=9 -map 0:v -map 0:a -map 1:a -map 2:a -c copy \
         -c:a:1 flac -c:a:2 pcm_s16le -metadata:s:a:1 language=deu",
        "three.mkv",
    );
    let run = studio.encode(&format!("three.mkv -o out.m3u8 {} --metric psnr -s 900k", fast()));
    assert!(run.notes().iter().any(|note| note.contains("pcm_s16le")), "{:?}", run.notes());
    let master = master(&studio, "out.m3u8");
    let sounds: Vec<_> = master.alternatives.iter().map(|sound| sound.language.as_deref()).collect();
    assert_eq!(sounds, [Some("fr"), Some("de")]);
    assert!(master.variants[0].codecs.as_deref().unwrap().ends_with(",mp4a.40.2,fLaC"));
    assert!(run.summary()["file_bytes"].as_u64().unwrap() <= 900_000);
    // sound that is longer than the pictures is cut all the same
    let long = media(&studio.path("out.media/sound-2/index.m3u8"));
    assert!(long.segments.iter().all(|segment| segment.duration < 6.2));
    let seconds: f32 = long.segments.iter().map(|segment| segment.duration).sum();
    assert!((seconds - 12.0).abs() < 0.1, "{seconds}");
}

/// What is there stays until it is to be replaced, and what is not a stream's stays for ever.
#[test]
fn what_is_there_is_kept() {
    let Some(studio) = Studio::open() else { return };
    let job = |more: &str| format!("encode film.mkv -o out.m3u8 {} --crf 45 {more}", fast());
    fs::create_dir(studio.path("out.media")).unwrap();
    fs::write(studio.path("out.media/holiday.mkv"), "dear").unwrap();
    studio.retake(&job("--overwrite")).refused(2, &["out.media", "in the way"]);
    assert_eq!(studio.read("out.media/holiday.mkv"), b"dear");
    fs::remove_file(studio.path("out.media/holiday.mkv")).unwrap();
    // an empty one may be what a killed run left
    assert_eq!(studio.retake(&job("")).code, 0);
    let before = studio.read("out.m3u8");
    // the same command would know its stream again, which `kills` tests
    studio.retake(&job("--threads 2")).refused(2, &["out.m3u8", "--overwrite"]);
    assert!(studio.read("out.m3u8") == before);
    fs::write(studio.path("out.media/video/99999.m4s"), "of another stream").unwrap();
    let run = studio.retake(&job("--overwrite"));
    assert_eq!(run.code, 0, "{run:?}");
    assert!(studio.read("out.m3u8") == before && !studio.path("out.media/video/99999.m4s").exists());
    assert_eq!(studio.names(), ["film.mkv", "out.m3u8", "out.media"].map(str::to_owned).into());
}

/// `kill -9` while the stream is written and verified: there is no playlist, and the same command comes to
/// the same files.
#[test]
fn killed_and_carried_on() {
    let Some(studio) = Studio::open() else { return };
    let job = |name: &str| format!("film.mkv -o {name}.m3u8 {} --metric psnr -q 36", fast());
    studio.encode(&job("whole"));
    let files = |name: &str| files(&studio, name);
    for moment in ["writing", "verifying"] {
        let mut running = studio.start(&job("out"));
        assert!(running.until(&mut |event| event["event"] == moment));
        running.signal("KILL");
        running.end();
        // the run may have been done before the signal came
        if !studio.path("out.m3u8").exists() {
            let run = studio.encode(&job("out"));
            let made =
                |event: &&serde_json::Value| event["event"] == "take_finished" && event["kept"] == false;
            assert_eq!(run.events().iter().filter(made).count(), 0, "all takes were kept");
        }
        assert!(files("out") == files("whole"), "the same files");
        let names = ["film.mkv", "out.m3u8", "out.media", "whole.m3u8", "whole.media"];
        assert_eq!(studio.names(), names.map(str::to_owned).into());
        fs::remove_file(studio.path("out.m3u8")).unwrap();
        fs::remove_dir_all(studio.path("out.media")).unwrap();
    }
}

/// The playlist of a stream and all files in its folder of media, by name and content. Only the names of the
/// stream are taken out of playlists.
fn files(studio: &Studio, name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let list = String::from_utf8(studio.read(&format!("{name}.m3u8"))).unwrap();
    let mut all = vec![(PathBuf::from("list"), list.replace(&format!("{name}.media"), "media").into_bytes())];
    let media = studio.path(&format!("{name}.media"));
    let mut folders = vec![media.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => all.push((path.strip_prefix(&media).unwrap().into(), fs::read(&path).unwrap())),
            }
        }
    }
    all.sort();
    all
}

/// Several variants are one stream: each has the source's pictures in its own size, all segments begin at the
/// same times, and sound and subtitles are there once. One that is as large as the source is what it would be
/// alone; one with a rate of its own has that; one that is too large is told.
#[test]
fn a_ladder_is_several_variants() {
    let Some(studio) = Studio::open() else { return };
    let flags = format!("{} --metric psnr -q 34", fast());
    let job = format!("encode film.mkv -o out.m3u8 {flags} --ladder 90p=120k,360p,180p,134p@30 --json");
    let run = studio.retake(&job);
    let names = ["film.mkv", "out.m3u8", "out.media"].map(str::to_owned);
    assert_eq!(studio.names(), names.clone().into(), "nothing is left over");
    assert!(run.notes().iter().any(|note| note == "360p is left out: the source has 180 rows"));
    let summary = run.summary();
    let variants = summary["variants"].as_array().unwrap();
    // so short a film may miss its rate by more than is allowed, which is told of it alone
    let missed = |summary: &serde_json::Value| summary["outcome"] == "missed";
    assert_eq!(missed(&summary), missed(&variants[2]));
    assert_eq!((run.code == 3, run.code == 0), (missed(&summary), !missed(&summary)));
    let bytes: u64 = variants.iter().map(|variant| variant["video_bytes"].as_u64().unwrap()).sum();
    assert_eq!(summary["video_bytes"], bytes);

    let master = master(&studio, "out.m3u8");
    let (sync_frames, videos): (Vec<_>, Vec<_>) =
        master.variants.iter().partition(|variant| variant.is_i_frame);
    assert_eq!((videos.len(), sync_frames.len()), (3, 3));
    let kinds: Vec<_> = master.alternatives.iter().map(|media| media.group_id.as_str()).collect();
    assert_eq!(kinds, ["sound", "subtitles"]);
    let first = media(&studio.path(&videos[0].uri));
    assert!(first.segments.len() > 1);
    for (number, ((video, (width, height)), variant)) in
        videos.iter().zip([(320, 180), (238, 134), (160, 90)]).zip(variants).enumerate()
    {
        let (path, name) = (studio.path(&video.uri), format!("{height}p"));
        assert_eq!(variant["name"], name.as_str());
        assert_eq!((&variant["width"], &variant["height"]), (&width.into(), &height.into()));
        assert_eq!(video.audio.as_deref(), Some("sound"), "{name}");
        let resolution = video.resolution.unwrap();
        assert_eq!((resolution.width, resolution.height), (width, height));
        let coded = probe(&path, "-select_streams v -show_entries stream=width,height");
        assert_eq!(coded[0], format!("{width},{height}"));
        let list = media(&path);
        let lengths = |list: &MediaPlaylist| list.segments.iter().map(|one| one.duration).collect::<Vec<_>>();
        assert_eq!(lengths(&list), lengths(&first), "{name}");
        for (one, other) in list.segments.iter().zip(&first.segments) {
            let begins = |uri: &str, segment: &str| {
                let film = alone(&studio, studio.path(uri).parent().unwrap(), segment, None);
                let key = probe(&film, "-select_streams v -show_entries packet=flags");
                assert!(key[0].starts_with('K'), "{uri}: {segment} begins with a sync frame");
                shown(&film)[0]
            };
            let (one, other) = (begins(&video.uri, &one.uri), begins(&videos[0].uri, &other.uri));
            assert!((one - other).abs() < 1e-6, "{name}: {one} {other}");
        }
        first_frames(&studio, &sync_frames[number].uri, &video.uri);
        // the pictures are those of the source, scaled by another program: each is like its own, in order
        let graph = format!(
            "[1:v]scale={width}:{height}:flags=bicubic,settb=1/24,setpts=N[s];[0:v]settb=1/24,setpts=N[f];[f][s]psnr=stats_file=-"
        );
        let scores = psnr(&studio.path(""), &video.uri, "film.mkv", &graph);
        assert_eq!(scores.len() as u64, FRAMES, "{name}");
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        assert!(mean > 27.0, "{name}: {mean}");
    }
    let rate = variants[2]["video_bytes"].as_f64().unwrap() * 8.0 / 9.0;
    assert!((rate / 120_000.0 - 1.0).abs() < 0.02, "{rate}");
    let reached: Vec<(f64, f64)> = variants[..2]
        .iter()
        .map(|variant| {
            (variant["quality"]["floor"].as_f64().unwrap(), variant["quality"]["worst"].as_f64().unwrap())
        })
        .collect();
    assert!(reached[0].0 == 34.0 && reached[1].0 == 30.0, "{reached:?}");
    assert!(reached.iter().all(|(floor, worst)| worst >= floor), "{reached:?}");

    // the program comes by the manifest of DASH to the same pictures of each variant
    for (number, video) in videos.iter().enumerate() {
        let hashes = format!(
            "-allowed_extensions ALL -i manifest.mpd -map 0:v:{number} -fps_mode passthrough -f framemd5 -"
        );
        let text = String::from_utf8(ffmpeg(&studio.path("out.media"), &hashes)).unwrap();
        let found: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.rsplit(',').next().unwrap().trim())
            .collect();
        assert!(found == picture_hashes(&studio.path(&video.uri)), "{}", video.uri);
    }

    // the same command knows its stream again, and the largest variant is what it is without the others
    assert_eq!(studio.retake(&job).events().len(), 1);
    studio.encode(&format!("film.mkv -o one.m3u8 {flags}"));
    let video = |name: &str, folder: &str| -> Vec<(PathBuf, Vec<u8>)> {
        let inside =
            |(path, content): (PathBuf, Vec<u8>)| Some((path.strip_prefix(folder).ok()?.into(), content));
        files(&studio, name).into_iter().filter_map(inside).collect()
    };
    assert!(video("out", "video-180p") == video("one", "video"));
}

/// Where nothing in the film says it, variants that would be cut otherwise by themselves, because other
/// things are wanted of them, are cut at the same frames all the same: the largest decides.
#[test]
fn variants_are_cut_at_the_same_frames() {
    let Some(studio) = Studio::empty() else { return };
    studio.render("-f lavfi -i testsrc2=s=320x192:r=24:d=17 -c:v libx264 -crf 12 -g 60", "long.mkv");
    let sync_frames = |name: &str| -> Vec<String> {
        let packets = probe(&studio.path(name), "-select_streams v -show_entries packet=pts_time,flags");
        packets.into_iter().filter(|packet| packet.contains(",K")).collect()
    };
    let flags = format!("{} --metric psnr", fast());
    let run = studio.retake(&format!("encode long.mkv -o out.m3u8 {flags} -q 34 --ladder 192p,96p=150k"));
    assert!([0, 3].contains(&run.code), "{run:?}");
    let (first, second) =
        (sync_frames("out.media/video-192p/index.m3u8"), sync_frames("out.media/video-96p/index.m3u8"));
    assert!(first.len() > 3 && first == second, "{first:?} {second:?}");
    let run = studio.retake(&format!("encode long.mkv -o one.m3u8 {flags} -b 150k --scale 96p"));
    assert!([0, 3].contains(&run.code), "{run:?}");
    assert!(sync_frames("one.media/video/index.m3u8") != first, "by itself it is cut otherwise");
}

/// A ladder that is killed half-way leaves no playlist, and comes to the same files: as one that runs to its
/// end, and whoever runs how many takes at once.
#[test]
fn a_killed_ladder_is_carried_on() {
    let Some(studio) = Studio::open() else { return };
    let job =
        |name: &str| format!("film.mkv -o {name}.m3u8 {} --metric psnr -q 34 --ladder 180p,90p", fast());
    studio.encode(&format!("{} --jobs 1", job("whole")));
    studio.encode(&format!("{} --jobs 2 --isolate", job("apart")));
    assert!(files(&studio, "apart") == files(&studio, "whole"), "workers make the same files");
    let moments: [&dyn Fn(&serde_json::Value) -> bool; 3] = [
        &|event| event["event"] == "take_finished",
        &|event| event["event"] == "variant_started" && event["variant"] == 2,
        &|event| event["event"] == "verifying",
    ];
    for moment in moments {
        let mut running = studio.start(&job("out"));
        assert!(running.until(&mut |event| moment(event)));
        running.signal("KILL");
        running.end();
        assert!(!studio.path("out.m3u8").exists() || studio.path("out.media").exists());
        // the run may have been done before the signal came
        let run = studio.encode(&job("out"));
        if moment(&serde_json::json!({"event": "variant_started", "variant": 2})) {
            let events = run.events();
            let second =
                events.iter().position(|event| event["event"] == "variant_started" && event["variant"] == 2);
            let before = events[..second.unwrap()].iter();
            let mut takes = before.filter(|event| event["event"] == "take_finished");
            assert!(takes.all(|take| take["kept"] == true), "all takes of the first variant were kept");
        }
        is_the_whole_ladder(&studio);
    }
}

/// A ladder that was carried on is the one that was made at once, and nothing else is there. It is removed
/// for the next time.
fn is_the_whole_ladder(studio: &Studio) {
    assert!(files(studio, "out") == files(studio, "whole"), "the same files");
    let names =
        ["apart.m3u8", "apart.media", "film.mkv", "out.m3u8", "out.media", "whole.m3u8", "whole.media"];
    assert_eq!(studio.names(), names.map(str::to_owned).into(), "nothing is left over");
    fs::remove_file(studio.path("out.m3u8")).unwrap();
    fs::remove_dir_all(studio.path("out.media")).unwrap();
}

/// The rungs that a run chose, as rows, bits per second and score.
fn rungs(events: &[serde_json::Value]) -> Vec<(u64, f64, f64)> {
    let event = events.iter().find(|event| event["event"] == "ladder_chosen").unwrap();
    let rungs = event["rungs"].as_array().unwrap().iter();
    let number = |rung: &serde_json::Value, name: &str| rung[name].as_f64().unwrap();
    rungs
        .map(|rung| (rung["rows"].as_u64().unwrap(), number(rung, "bit_rate"), number(rung, "score")))
        .collect()
}

/// The rungs of an automatic ladder follow the film: where small pictures lose nothing, they are shown at
/// scores at which a detailed film has the size of the source. All fall in size, rate and score, and another
/// program scores each variant, scaled back to the source's size, near what was expected.
#[test]
fn an_automatic_ladder_follows_the_film() {
    let Some(studio) = Studio::open() else { return };
    studio.render("-i film.mkv -an -vf gblur=sigma=4 -c:v libx264 -crf 8", "soft.mkv");
    let mut smaller = Vec::new();
    for film in ["film", "soft"] {
        let flags = format!("{} --metric psnr -q 36", fast());
        let run = studio.retake(&format!("encode {film}.mkv -o {film}.m3u8 {flags} --ladder auto --json"));
        assert!([0, 3].contains(&run.code), "{run:?}");
        let rungs = rungs(&run.events());
        assert!((1..=6).contains(&rungs.len()), "{film}: {rungs:?}");
        for pair in rungs.windows(2) {
            let falls = pair[0].0 >= pair[1].0 && pair[0].1 > 1.4 * pair[1].1 && pair[0].2 > pair[1].2;
            assert!(falls, "{film}: {rungs:?}");
        }
        let summary = run.summary();
        let variants = summary["variants"].as_array().unwrap();
        assert_eq!(variants.len(), rungs.len());
        for (variant, (rows, rate, score)) in variants.iter().zip(&rungs) {
            let (name, list) = (
                &variant["name"],
                format!("{film}.media/video-{}/index.m3u8", variant["name"].as_str().unwrap()),
            );
            assert_eq!(
                (&variant["height"], &variant["expected"]["score"]),
                (&(*rows).into(), &(*score).into())
            );
            let graph = "[0:v]scale=320:180:flags=bicubic,settb=1/24,setpts=N[f];[1:v]settb=1/24,setpts=N[s];[f][s]psnr=stats_file=-";
            let scores = psnr(&studio.path(""), &list, &format!("{film}.mkv"), graph);
            assert_eq!(scores.len() as u64, FRAMES, "{film} {name}");
            let mean = scores.iter().sum::<f64>() / scores.len() as f64;
            // Two samples of a second speak for nine seconds, and rates are planned over all of them, which
            // makes films better rather than worse than samples of one quality.
            assert!((-2.5..6.0).contains(&(mean - score)), "{film} {name}: {mean} for {score} at {rate}");
            if variant["expected"]["to_floor"] == true {
                assert!(variant["quality"]["worst"].as_f64().unwrap() >= 36.0, "{variant}");
            } else {
                let got = variant["video_bytes"].as_f64().unwrap() * 8.0 / 9.0;
                assert!((got / rate - 1.0).abs() < 0.05, "{film} {name}: {got} for {rate}");
            }
        }
        let below = rungs.iter().find(|rung| rung.0 < 180).map_or(0.0, |rung| rung.2);
        smaller.push(below);
    }
    assert!(smaller[1] > smaller[0] + 3.0, "small pictures look best up to {smaller:?}");
}

/// An automatic ladder that is killed has the same rungs and files: as one that runs to its end, and whoever
/// runs how many takes at once. Rungs that were kept are not chosen again.
#[test]
fn a_killed_automatic_ladder_has_the_same_rungs() {
    let Some(studio) = Studio::open() else { return };
    let job = |name: &str| format!("film.mkv -o {name}.m3u8 {} --metric psnr -q 34 --ladder auto:3", fast());
    let run = |name: &str, more: &str| studio.retake(&format!("encode {} {more} --json", job(name)));
    let whole = run("whole", "--jobs 1");
    let expected = rungs(&whole.events());
    assert!((2..=3).contains(&expected.len()), "{expected:?}");
    assert_eq!(rungs(&run("apart", "--jobs 2 --isolate").events()), expected);
    assert!(files(&studio, "apart") == files(&studio, "whole"), "workers make the same files");
    let moments: [&dyn Fn(&serde_json::Value) -> bool; 2] =
        [&|event| event["event"] == "choosing_ladder", &|event| {
            event["event"] == "variant_started" && event["variant"] == 2
        }];
    for (number, moment) in moments.into_iter().enumerate() {
        let mut running = studio.start(&job("out"));
        assert!(running.until(&mut |event| moment(event)));
        running.signal("KILL");
        running.end();
        assert!(!studio.path("out.m3u8").exists());
        let again = run("out", "");
        let events = again.events();
        assert_eq!(rungs(&events), expected);
        let chosen = events.iter().filter(|event| event["event"] == "choosing_ladder").count();
        assert_eq!(chosen, 1 - number, "what was kept is not chosen again");
        is_the_whole_ladder(&studio);
    }
}

/// A ladder that cannot be made is refused in one line, and leaves nothing behind.
#[test]
fn wrong_ladders_are_refused() {
    let Some(studio) = Studio::open() else { return };
    for (flags, words) in [
        ("-o out.m3u8 --ladder 720", ["--ladder", "'720' is no rung"]),
        ("-o out.m3u8 --ladder 180p,91p", ["--ladder", "'91p' is no rung"]),
        ("-o out.m3u8 --ladder 180p@0", ["--ladder", "'180p@0' is no rung"]),
        ("-o out.m3u8 --ladder 180p=1X", ["--ladder", "'180p=1X' is no rung"]),
        ("-o out.m3u8 --ladder 90p,180p,90p@30", ["--ladder", "90p is there twice"]),
        ("-o out.m3u8 --ladder 360p,720p", ["--ladder", "more rows than the source, which has 180"]),
        ("-o out.m3u8 --ladder 180p -s 1M", ["--ladder", "a size is that of one film"]),
        ("-o out.m3u8 --ladder 180p,90p=1M -b 1M", ["--ladder", "give each its own"]),
        ("-o out.m3u8 --ladder 180p,90p@2000", ["2000", "scale"]),
        ("-o out.m3u8 --ladder 180p --keep-takes", ["--ladder", "takes that are kept"]),
        ("-o out.mp4 --ladder 180p", ["--ladder", "only a stream"]),
        ("-o out.mp4 --ladder auto", ["--ladder", "only a stream"]),
        ("-o out.m3u8 --ladder auto:0", ["--ladder", "'auto:0' is no ladder"]),
        ("-o out.m3u8 --ladder auto,180p", ["--ladder", "'auto,180p' is no ladder"]),
        ("-o out.m3u8 --ladder auto -b 1M", ["--ladder", "ask for a floor"]),
        ("-o out.m3u8 --ladder auto --crf 30", ["--ladder", "ask for a floor"]),
    ] {
        studio.retake(&format!("encode film.mkv {} {flags}", fast())).refused(2, &words);
        assert_eq!(studio.names(), ["film.mkv".to_owned()].into(), "{flags}");
    }
    let scaled = format!("encode film.mkv -o out.m3u8 {} --ladder 90p --scale 90p", fast());
    assert_eq!(studio.retake(&scaled).code, 2);
}
