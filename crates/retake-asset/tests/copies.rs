//! Films that are written with the other tracks of a source hold the same frames at the same times, and
//! everything else that their source held.
#![allow(clippy::unwrap_used)] // a test's panic is its answer

#[path = "../../retake-libav/tests/common/mod.rs"]
mod common;

use common::{Studio, Takes, ffmpeg, ffprobe, read_all};
use retake_asset::{
    AssetWriter, AssetWriterInput, CallError, Mistake, OtherTracks, TrackFormat, WriterError, WriterOptions,
};
use retake_libav::{Container, probe};
use retake_media::{ContentLight, MasteringDisplay, Time};
use std::path::Path;
use std::time::Duration;

/// Writes the samples of a film's video beside copies of its other tracks; answers the notes.
fn write(takes: &Takes, to: &Path, change: impl Fn(&mut WriterOptions)) -> Result<Vec<String>, CallError> {
    let _ = std::fs::remove_file(to);
    let writer = AssetWriter::new(to, Container::from_path(to).unwrap());
    writer.configure(|options| {
        options.fast_start = true;
        options.other_tracks = Some(takes.info.clone().into());
        change(options);
    })?;
    let input = AssetWriterInput::passthrough(TrackFormat::Video(takes.format.clone()));
    input.configure(|options| {
        options.frame_rate = Some(takes.info.video.frame_rate);
        options.transform = takes.info.video.display_matrix;
        options.metadata = vec![("encoder".into(), "Retake test".into())];
    })?;
    writer.add(&input)?;
    writer.start_writing()?;
    writer.start_session(takes.info.start)?;
    for sample in &takes.samples {
        if !input.wait_until_ready(Duration::from_secs(120)) || input.append(sample.clone()).is_err() {
            break; // finishing says why
        }
    }
    writer.finish_writing_and_wait()?;
    Ok(writer.notes())
}

fn rewrap(from: &Path, to: &Path) -> Vec<String> {
    write(&Takes::of(from), to, |_| ()).unwrap()
}

/// Video and audio, eight seconds, B frames, AAC with priming.
const FILM: &str = "-f lavfi -i testsrc2=s=160x90:r=24000/1001:d=8 -f lavfi -i sine=r=48000:d=8.2 -c:v libx264 -bf 3 -g 48 -c:a aac";

fn frames(path: &Path) -> Vec<u64> {
    read_all(path, |frame| frame.hash())
}

/// Times of a film's first video frame and of all packets of a track, in exact seconds.
fn packet_times(path: &Path, track: &str) -> Vec<Time> {
    let base = ffprobe(&format!("-select_streams {track} -show_entries stream=time_base"), path).remove(0);
    let (num, den) = base.split_once('/').unwrap();
    let (num, den): (i64, i32) = (num.parse().unwrap(), den.parse().unwrap());
    let packets = ffprobe(&format!("-select_streams {track} -show_entries packet=pts"), path);
    packets.iter().map(|pts| Time::new(pts.parse::<i64>().unwrap() * num, den)).collect()
}

fn video_times(path: &Path) -> Vec<Time> {
    let mut times = packet_times(path, "v:0");
    times.sort();
    times
}

/// Frame for frame and packet for packet, relative to the first frame: how far the times of two films are
/// apart at most, in seconds.
fn drift(a: &Path, b: &Path) -> f64 {
    let (video_a, video_b) = (video_times(a), video_times(b));
    let (audio_a, audio_b) = (packet_times(a, "a:0"), packet_times(b, "a:0"));
    assert_eq!((video_a.len(), audio_a.len()), (video_b.len(), audio_b.len()));
    let distance = |(x, y): (&Time, &Time)| ((*x - video_a[0]) - (*y - video_b[0])).seconds().abs();
    video_a.iter().zip(&video_b).chain(audio_a.iter().zip(&audio_b)).map(distance).fold(0.0, f64::max)
}

fn packets(path: &Path, track: &str) -> String {
    let map = format!("0:{track}");
    let out = ffmpeg(&["-i", path.to_str().unwrap(), "-map", &map, "-c", "copy", "-f", "framehash", "-"]);
    let text = String::from_utf8(out).unwrap();
    // stream, dts, pts, duration, size, hash of the bytes, then side data
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(',').nth(5).unwrap()).collect()
}

#[test]
fn iso_files_keep_every_tick() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(FILM, "a.mp4");
    for name in ["b.mp4", "b.mov"] {
        let copy = studio.path(name);
        let notes = rewrap(&film, &copy);
        assert!(notes.is_empty(), "{notes:?}");
        assert_eq!(frames(&copy), frames(&film));
        assert_eq!(video_times(&copy), video_times(&film));
        assert_eq!(packet_times(&copy, "a:0"), packet_times(&film, "a:0"), "priming and sync");
        assert!(packets(&copy, "a:0") == packets(&film, "a:0"));
        let (ours, theirs) = (probe(&copy).unwrap(), probe(&film).unwrap());
        assert_eq!(ours.video.time_base, theirs.video.time_base);
        assert!((ours.duration.unwrap() - theirs.duration.unwrap()).abs() < 0.002, "{:?}", ours.duration);
        let durations = |path: &Path| read_all(path, |frame| frame.duration);
        assert_eq!(durations(&copy), durations(&film));
    }
}

#[test]
fn matroska_keeps_sync_to_the_millisecond() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(FILM, "a.mp4");
    let copy = studio.path("b.mkv");
    assert!(rewrap(&film, &copy).is_empty());
    assert_eq!(frames(&copy), frames(&film));
    assert!(drift(&film, &copy) <= 0.0011, "{}", drift(&film, &copy));
    assert!(packets(&copy, "a:0") == packets(&film, "a:0"));
    // and back
    let again = studio.path("c.mp4");
    rewrap(&copy, &again);
    assert_eq!(frames(&again), frames(&film));
    assert!(drift(&film, &again) <= 0.0021, "{}", drift(&film, &again));
}

#[test]
fn webm_holds_vp9_and_av1_with_opus() {
    let Some(studio) = Studio::open() else { return };
    let source = "-f lavfi -i testsrc2=s=160x90:r=25:d=2 -f lavfi -i sine=r=48000:d=2 -c:a libopus";
    for (name, codec) in
        [("a.webm", "libvpx-vp9 -cpu-used 8 -lag-in-frames 10"), ("b.mkv", "libaom-av1 -cpu-used 8")]
    {
        let film = studio.render(&format!("{source} -c:v {codec}"), name);
        for target in ["out.webm", "out.mp4", "out.mkv"] {
            let copy = studio.path(target);
            let notes = rewrap(&film, &copy);
            assert!(notes.is_empty(), "{notes:?}");
            assert_eq!(frames(&copy), frames(&film), "{name} to {target}");
            assert!(drift(&film, &copy) <= 0.0011, "{name} to {target}: {}", drift(&film, &copy));
        }
    }
}

#[test]
fn hevc_is_tagged_for_all_players() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(
        "-f lavfi -i testsrc2=s=160x90:r=25:d=1 -c:v libx265 -x265-params log-level=none:pools=1",
        "a.mkv",
    );
    let copy = studio.path("b.mp4");
    rewrap(&film, &copy);
    assert_eq!(frames(&copy), frames(&film));
    assert_eq!(ffprobe("-show_entries stream=codec_tag_string", &copy), ["hvc1"]);
}

#[test]
fn variable_frame_rates_keep_every_tick() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(
        "-f lavfi -i testsrc2=s=160x90:r=30000/1001:d=6 -vf select='gt(mod(n*n,7),1)' -fps_mode vfr -c:v libx264 -bf 2 -video_track_timescale 90000",
        "v.mp4",
    );
    let copy = studio.path("c.mp4");
    rewrap(&film, &copy);
    // the only track starts later than zero: what is copied starts at zero
    let theirs = video_times(&film);
    let theirs: Vec<Time> = theirs.iter().map(|&time| time - theirs[0]).collect();
    assert_eq!(video_times(&copy), theirs);
    assert_eq!(frames(&copy), frames(&film));
}

/// Broadcast starts its clock anywhere, carries AAC with headers of its own, and its audio need not start
/// with the video.
#[test]
fn offsets_between_tracks_survive() {
    let Some(studio) = Studio::open() else { return };
    let inputs = |delay: &str| {
        format!(
            "{delay} -f lavfi -i testsrc2=s=160x90:r=25:d=3 -f lavfi -i sine=r=48000:d=3 -map 0 -map 1 -c:v libx264 -bf 2 -c:a aac"
        )
    };
    for (case, delay) in ["", "-itsoffset 0.5", "-itsoffset -0.3"].into_iter().enumerate() {
        for ending in ["ts", "mkv", "mp4"] {
            let film = studio.render(&inputs(delay), &format!("{case}.{ending}"));
            for target in ["mp4", "mkv"] {
                let copy = studio.path(&format!("{case}-{ending}-to.{target}"));
                rewrap(&film, &copy);
                assert_eq!(frames(&copy), frames(&film));
                let apart = drift(&film, &copy);
                assert!(apart <= 0.0021, "{case} {ending} to {target}: {apart}");
            }
        }
    }
}

#[test]
fn a_later_start_is_kept_to_the_tick() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(
        "-itsoffset 0.5003 -f lavfi -i testsrc2=s=160x90:r=30000/1001:d=3 -f lavfi -i sine=r=44100:d=3 -map 0 -map 1 -c:v libx264 -bf 2 -c:a aac -video_track_timescale 30000",
        "a.mp4",
    );
    let copy = studio.path("b.mp4");
    rewrap(&film, &copy);
    assert!(drift(&film, &copy) < 0.000_03, "{}", drift(&film, &copy));
}

#[test]
fn everything_else_comes_along() {
    let Some(studio) = Studio::open() else { return };
    std::fs::write(
        studio.path("s.srt"),
        "1\n00:00:01,000 --> 00:00:02,500\nHello <i>there</i>\n\n2\n00:00:04,000 --> 00:00:05,000\nBye\n",
    )
    .unwrap();
    std::fs::write(studio.path("font.ttf"), b"not really a font").unwrap();
    std::fs::write(studio.path("chapters.txt"), ";FFMETADATA1\ntitle=The Film\nartist=Somebody\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=3000\ntitle=One\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=3000\nEND=8000\ntitle=Two\n").unwrap();
    let path = |name| studio.path(name).display().to_string();
    let film = studio.render(
        &format!(
            "{} -i {} -i {} -map 0 -map 1 -map 1 -map 2 -map_metadata 3 -map_chapters 3 -c:s srt -attach {} -metadata:s:t mimetype=font/ttf -metadata:s:a:0 language=ger -metadata:s:a:1 language=fre -metadata:s:a:1 title=Doublage -disposition:a:0 0 -disposition:a:1 default -metadata:s:s language=eng -metadata:s:a:0 BPS=77 -metadata:s:v ENCODER_OPTIONS=crf=1",
            FILM.split_once(" -c:v").unwrap().0,
            path("s.srt"),
            path("chapters.txt"),
            path("font.ttf"),
        ),
        "a.mkv",
    );
    for target in ["b.mkv", "b.mp4", "b.mov"] {
        let copy = studio.path(target);
        let notes = rewrap(&film, &copy);
        let info = probe(&copy).unwrap();
        let tracks: Vec<_> = info.tracks.iter().map(|t| (t.codec.as_str(), t.language.as_deref())).collect();
        let expected = match target {
            "b.mkv" => vec![
                ("vorbis", Some("ger")),
                ("vorbis", Some("fre")),
                ("subrip", Some("eng")),
                ("unknown", None),
            ],
            _ => vec![],
        };
        if target == "b.mkv" {
            assert_eq!(tracks, expected);
            assert!(notes.is_empty(), "{notes:?}");
            assert_eq!(info.tracks[1].title.as_deref(), Some("Doublage"));
        } else {
            assert!(tracks.contains(&("mov_text", Some("eng"))), "{tracks:?}");
            assert!(
                notes.iter().any(|note| note.contains("attachment track 4 (font.ttf) cannot go into")),
                "{notes:?}"
            );
            assert!(notes.iter().any(|note| note.contains("is written as mov_text")), "{notes:?}");
        }
        assert_eq!(info.chapters, 2, "{target}");
        assert_eq!(ffprobe("-show_entries chapter=start_time", &copy), ["0.000000", "3.000000"]);
        assert_eq!(ffprobe("-show_entries chapter_tags=title", &copy), ["One", "Two"]);
        assert_eq!(ffprobe("-show_entries format_tags=title", &copy), ["The Film"]);
        assert_eq!(ffprobe("-show_entries format_tags=artist", &copy), ["Somebody"]);
        let subtitles = |film: &Path| {
            let out = ffmpeg(&["-i", film.to_str().unwrap(), "-map", "0:s:0", "-f", "srt", "-"]);
            String::from_utf8(out).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(subtitles(&copy), subtitles(&film), "{target}");
        assert_eq!(subtitles(&copy).len(), 8);
        let tags = ffprobe("-show_entries stream_tags:format_tags", &copy).join(" ");
        assert!(!tags.contains("77") && !tags.contains("crf=1"), "{tags}");
        if target == "b.mkv" {
            assert!(tags.contains("Retake test"), "{tags}");
            let default = ffprobe("-select_streams a -show_entries stream_disposition=default", &copy);
            assert_eq!(default, ["0", "1"]);
        }
    }
}

#[test]
fn covers_come_along() {
    let Some(studio) = Studio::open() else { return };
    let cover = studio.render("-f lavfi -i testsrc2=s=64x64 -frames:v 1", "c.png");
    let plain = studio.render(FILM, "p.mp4");
    let film = studio.render(
        &format!(
            "-i {} -i {} -map 0 -map 1 -c copy -disposition:v:1 attached_pic",
            plain.display(),
            cover.display()
        ),
        "a.mp4",
    );
    let mut from = film;
    for target in ["b.mkv", "c.mp4", "d.mkv"] {
        let copy = studio.path(target);
        let notes = rewrap(&from, &copy);
        assert!(notes.is_empty(), "{notes:?}");
        let info = probe(&copy).unwrap();
        assert!(
            info.tracks.iter().any(|track| track.to_string().starts_with("cover picture")),
            "{target}: {:?}",
            info.tracks
        );
        assert_eq!((info.video.width, info.video.height), (160, 90));
        from = copy;
    }
}

#[test]
fn what_cannot_be_held_is_named() {
    let Some(studio) = Studio::open() else { return };
    let source = "-f lavfi -i testsrc2=s=160x90:r=25:d=1 -f lavfi -i sine=r=48000:d=1";
    let h264 = studio.render(&format!("{source} -c:v libx264 -c:a pcm_s24le"), "a.mkv");
    assert_eq!(
        rewrap(&h264, &studio.path("a.mp4")),
        ["audio track 1 (pcm_s24le) cannot go into MP4: left out; MKV can hold it"]
    );
    assert!(rewrap(&h264, &studio.path("a.mov")).is_empty(), "QuickTime holds PCM");
    let truehd = studio.render(&format!("{source} -c:v libx264 -c:a truehd -strict -2"), "t.mkv");
    assert_eq!(
        rewrap(&truehd, &studio.path("t.mp4")),
        ["audio track 1 (truehd) cannot go into MP4: left out; MKV can hold it"]
    );
    let mp3 = studio.render(&format!("{source} -c:v libvpx-vp9 -cpu-used 8 -c:a libmp3lame"), "m.mkv");
    assert_eq!(
        rewrap(&mp3, &studio.path("m.webm")),
        ["audio track 1 (mp3) cannot go into WebM: left out; MKV can hold it"]
    );
    let webm = studio.path("h.webm");
    let Err(CallError::Usage(refusal)) = write(&Takes::of(&h264), &webm, |_| ()) else { panic!("written") };
    assert!(matches!(refusal.mistake, Mistake::CannotAdd(_)), "{refusal}");
    assert!(!webm.exists(), "a refusal leaves nothing behind");
}

#[test]
fn a_fast_start_is_one() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(FILM, "a.mp4");
    let takes = Takes::of(&film);
    let order = |fast_start| {
        let path = studio.path("b.mp4");
        write(&takes, &path, |options| options.fast_start = fast_start).unwrap();
        let bytes = std::fs::read(path).unwrap();
        let place = |name: &[u8; 4]| bytes.windows(4).position(|window| window == name).unwrap();
        place(b"moov") < place(b"mdat")
    };
    assert!(order(true));
    assert!(!order(false));
}

#[test]
fn equal_samples_give_equal_bytes() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(FILM, "a.mp4");
    for names in [["a1.mp4", "a2.mp4"], ["a1.mkv", "a2.mkv"]] {
        let [one, two] = names.map(|name| {
            rewrap(&film, &studio.path(name));
            std::fs::read(studio.path(name)).unwrap()
        });
        assert!(one == two, "{names:?}");
    }
}

#[test]
fn hdr_and_colour_reach_the_container() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render(
        "-f lavfi -i testsrc2=s=160x90:r=25:d=1 \
         -vf setsar=4/3,setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc:range=tv \
         -pix_fmt yuv420p10le -c:v libx265 -x265-params log-level=none:pools=1 \
         -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc -color_range tv",
        "a.mkv",
    );
    let mut takes = Takes::of(&film);
    let mastering = MasteringDisplay {
        primaries_gbr: [[13_250, 34_500], [7_500, 3_000], [34_000, 16_000]],
        white_point: [15_635, 16_450],
        max_luminance: 10_000_000,
        min_luminance: 50,
    };
    takes.format.mastering_display = Some(mastering);
    takes.format.content_light = Some(ContentLight { max_content: 1000, max_frame_average: 400 });
    for name in ["b.mp4", "b.mkv"] {
        let copy = studio.path(name);
        write(&takes, &copy, |_| ()).unwrap();
        let facts = ffprobe(
            "-show_entries stream=color_range,color_space,color_transfer,color_primaries,sample_aspect_ratio",
            &copy,
        );
        assert_eq!(facts, ["4:3,tv,bt2020nc,smpte2084,bt2020"], "{name}");
        let side = ffprobe("-show_entries stream_side_data", &copy).join("\n");
        for word in ["Mastering display metadata", "Content light level metadata,1000,400"] {
            assert!(side.contains(word), "{name}: no {word} in {side}");
        }
        let video = probe(&copy).unwrap().video;
        assert_eq!(video.mastering_display, Some(mastering));
        assert_eq!(video.content_light, takes.format.content_light);
    }
    let bytes = std::fs::read(studio.path("b.mp4")).unwrap();
    for name in [b"nclx", b"mdcv", b"clli", b"pasp", b"hvcC"] {
        assert!(bytes.windows(4).any(|window| window == name), "{}", String::from_utf8_lossy(name));
    }
}

#[test]
fn rotation_reaches_the_container() {
    let Some(studio) = Studio::open() else { return };
    let plain = studio.render("-f lavfi -i testsrc2=s=64x48:r=25:d=0.4 -c:v libx264", "p.mp4");
    let film = studio.path("r.mp4");
    retake_testing::turned(&plain, &film);
    assert_eq!(probe(&film).unwrap().video.rotation, 270);
    let copy = studio.path("b.mp4");
    assert!(rewrap(&film, &copy).is_empty());
    assert_eq!(probe(&copy).unwrap().video.display_matrix, probe(&film).unwrap().video.display_matrix);
    let copy = studio.path("b.mkv");
    let notes = rewrap(&film, &copy);
    let kept = probe(&copy).unwrap().video.rotation == probe(&film).unwrap().video.rotation;
    assert_eq!(kept, notes.is_empty(), "either it is kept, or people are told: {notes:?}");
}

/// Where the tracks of another film cannot go, they are refused before anything is written; and a source that
/// is gone is told.
#[test]
fn what_cannot_be_copied_into_is_refused() {
    let Some(studio) = Studio::open() else { return };
    let film = studio.render("-f lavfi -i testsrc2=s=64x48:r=25:d=1 -c:v libx264 -bf 3", "a.mp4");
    let out = studio.path("b.mp4");
    let takes = Takes::of(&film);
    let fragments = |options: &mut WriterOptions| options.movie_fragment_interval = Some(Time::new(1, 1));
    assert!(
        matches!(write(&takes, &out, fragments), Err(CallError::Usage(error)) if matches!(error.mistake, Mistake::BadValue(_)))
    );
    let writer = AssetWriter::segments(retake_asset::SegmentProfile::Cmaf, |_: Vec<u8>, _: &_| ());
    writer.configure(|options| options.other_tracks = Some(OtherTracks::of_file(&film).unwrap())).unwrap();
    writer.add(&AssetWriterInput::passthrough(TrackFormat::Video(takes.format.clone()))).unwrap();
    assert!(matches!(writer.start_writing(), Err(CallError::Failed(WriterError::Misconfigured(_)))));
    assert!(OtherTracks::of_file(&studio.path("nowhere.mp4")).is_err());
    std::fs::remove_file(&film).unwrap();
    assert!(matches!(write(&takes, &out, |_| ()), Err(CallError::Failed(WriterError::Media(_)))));
    assert!(!out.exists());
}
