//! What changes on the way through a source is converted, and what a film cannot keep of it is said.

use crate::common::{Studio, between, encoders, fast, ffmpeg, frame_times, probe};
use retake_testing::side_data::{captions, escaped, hdr10_plus, message_unit, rpu, with_units};
use std::fs;

/// Joins recordings byte by byte.
fn join(studio: &Studio, parts: &[&str], name: &str) {
    let joined: Vec<u8> = parts.iter().flat_map(|part| studio.read(part)).collect();
    fs::write(studio.path(name), joined).unwrap();
}

fn entry(studio: &Studio, film: &str, entries: &str) -> String {
    probe(&studio.path(film), &format!("-select_streams v:0 -show_entries {entries}")).join(" ")
}

fn said(notes: &[String], words: &[&str]) -> bool {
    notes.iter().any(|note| words.iter().all(|word| note.contains(word)))
}

/// Red, green and blue in the middle of each picture, by the matrices of H.273.
fn colours(studio: &Studio, film: &str) -> Vec<[i32; 3]> {
    let about = entry(studio, film, "stream=color_range,color_space");
    let (red, blue) = if about.contains("bt709") { (0.2126, 0.0722) } else { (0.299, 0.114) };
    let ((black, luma), chroma) =
        if about.contains("pc") { ((0.0, 255.0), 255.0) } else { ((16.0, 219.0), 224.0) };
    let crop = "-map 0:v -vf crop=2:2 -fps_mode passthrough -f rawvideo -";
    let pictures = ffmpeg(&studio.path(""), &format!("-i {film} {crop}"));
    let see = |picture: &[u8]| {
        let y = (f64::from(picture[0]) - black) / luma;
        let [u, v] = [picture[4], picture[5]].map(|value| (f64::from(value) - 128.0) / chroma);
        let (r, b) = (y + 2.0 * (1.0 - red) * v, y + 2.0 * (1.0 - blue) * u);
        let g = (y - red * r - blue * b) / (1.0 - red - blue);
        [r, g, b].map(|value| (value * 255.0).round() as i32)
    };
    pictures.chunks_exact(6).map(see).collect()
}

fn has_x264() -> bool {
    encoders().iter().any(|encoder| encoder.name == "x264")
}

/// The size of the film is one that shrinks no picture, whichever comes first, and the others keep their
/// shape.
#[test]
fn sizes_that_change() {
    let Some(studio) = Studio::empty() else { return };
    studio.render("-f lavfi -i color=red:s=160x90:r=25:d=1 -c:v mpeg2video", "small.ts");
    studio.render("-f lavfi -i color=red:s=320x240:r=25:d=3 -c:v mpeg2video", "large.ts");
    for (parts, name) in [(["small.ts", "large.ts"], "up"), (["large.ts", "small.ts"], "down")] {
        join(&studio, &parts, &format!("{name}.ts"));
        let run = studio.encode(&format!("{name}.ts -o {name}.mkv {} --metric psnr -q 30", fast()));
        let film = format!("{name}.mkv");
        assert_eq!(entry(&studio, &film, "stream=width,height"), "320,240");
        assert!(said(&run.notes(), &["25 frames of another size", "160×90", "320×240"]), "{:?}", run.notes());
        let folder = studio.path("");
        // Above the small picture, which is wider, there is a bar.
        let bar = "-map 0:v -vf crop=2:2:100:8,format=rgb24 -fps_mode passthrough -f rawvideo -";
        let out = ffmpeg(&folder, &format!("-i {film} {bar}"));
        let dark = out.chunks_exact(12).filter(|picture| picture[0] < 40).count();
        assert_eq!(dark, 25, "{name}");
    }
}

/// The same colour looks the same in each half, whatever range and matrix it comes in.
#[test]
fn ranges_and_matrices_that_change() {
    let Some(studio) = Studio::empty() else { return };
    if !has_x264() {
        return eprintln!("SKIPPED: x264 is needed");
    }
    let part = |scale: &str, tags: &str, name: &str| {
        let source = "-f lavfi -i color=0xA04060:s=160x96:r=25:d=1";
        let coded = "-c:v libx264 -preset ultrafast -qp 1 -bf 0";
        studio.render(&format!("{source} -vf scale={scale},format=yuv420p {tags} {coded}"), name);
    };
    let bt709 = "-colorspace bt709 -color_primaries bt709 -color_trc bt709";
    part("out_color_matrix=bt709:out_range=tv", &format!("{bt709} -color_range tv"), "tv.ts");
    part("out_color_matrix=bt709:out_range=pc", &format!("{bt709} -color_range pc"), "pc.ts");
    // Limited range is often not stated.
    part("out_color_matrix=bt709:out_range=tv", bt709, "unknown.ts");
    part(
        "out_color_matrix=bt601:out_range=tv",
        "-colorspace smpte170m -color_primaries bt709 -color_trc bt709 -color_range tv",
        "sd.ts",
    );
    let orders = [
        ["tv.ts", "pc.ts"],
        ["pc.ts", "tv.ts"],
        ["tv.ts", "sd.ts"],
        ["unknown.ts", "pc.ts"],
        ["pc.ts", "unknown.ts"],
    ];
    for (number, parts) in orders.iter().enumerate() {
        join(&studio, parts, &format!("{number}.ts"));
        let run = studio.encode(&format!("{number}.ts -o {number}.mkv {} --crf 4", fast()));
        let found = colours(&studio, &format!("{number}.mkv"));
        let wanted: Vec<[i32; 3]> = parts.iter().flat_map(|part| colours(&studio, part)).collect();
        assert_eq!((found.len(), wanted.len()), (50, 50));
        for (found, wanted) in found.iter().zip(&wanted) {
            let near = found.iter().zip(wanted).all(|(a, b)| (a - b).abs() <= 3);
            assert!(near, "{parts:?}: {found:?}, and {wanted:?} in the source");
        }
        let what = if parts.contains(&"pc.ts") { "range" } else { "colour" };
        assert!(said(&run.notes(), &["25 frames", what]), "{parts:?}: {:?}", run.notes());
    }
}

/// Whole frames at first, and then two fields each.
#[test]
fn fields_that_begin_later() {
    let Some(studio) = Studio::empty() else { return };
    studio.render("-f lavfi -i testsrc2=s=352x288:r=25:d=1 -c:v mpeg2video", "whole.ts");
    studio.render(
        "-f lavfi -i testsrc2=s=352x288:r=50:d=3,tinterlace=interleave_top,setfield=tff -c:v mpeg2video -flags +ildct+ilme",
        "fields.ts",
    );
    join(&studio, &["whole.ts", "fields.ts"], "film.ts");
    for encoder in encoders() {
        let name = format!("{}.mkv", encoder.name);
        let run = studio.encode(&format!("film.ts -o {name} {} --crf 40", encoder.flags));
        let fields = probe(&studio.path(&name), "-select_streams v -show_entries frame=interlaced_frame");
        let kept = fields.iter().filter(|field| field.starts_with('1')).count();
        if encoder.name == "x264" {
            assert!(kept >= 75, "{kept}");
        }
        assert!(said(&run.notes(), &["interlaced"]), "{name}: {:?}", run.notes());
    }
}

/// Two recordings; the sound of the first ends a second before its picture.
#[test]
fn a_break_of_the_clock_moves_all_tracks_together() {
    let Some(studio) = Studio::empty() else { return };
    for (sound, name) in [(2, "a.ts"), (3, "b.ts")] {
        studio.render(
            &format!(
                "-f lavfi -i testsrc2=s=160x96:r=25:d=3 -f lavfi -i sine=d={sound}:r=48000 -c:v mpeg2video -bf 0 -c:a ac3"
            ),
            name,
        );
    }
    join(&studio, &["a.ts", "b.ts"], "film.ts");
    let run = studio.encode(&format!("film.ts -o out.mkv {} --crf 40", fast()));
    assert!(said(&run.notes(), &["clock", "1 place"]), "{:?}", run.notes());
    let times = |kind: &str| -> Vec<f64> {
        let lines =
            probe(&studio.path("out.mkv"), &format!("-select_streams {kind} -show_entries packet=pts_time"));
        let mut times: Vec<f64> =
            lines.iter().map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
        times.sort_by(f64::total_cmp);
        times
    };
    let (pictures, sound) = (times("v"), times("a"));
    assert_eq!(pictures.len(), 150);
    let silence = sound.windows(2).max_by(|a, b| (a[1] - a[0]).total_cmp(&(b[1] - b[0]))).unwrap();
    between("the last sound of the first part", silence[0] - pictures[0], 1.9, 2.0);
    between("the first sound of the second part", silence[1] - pictures[75], -0.06, 0.06);
}

/// The kinds of streams in a transport stream.
const SOUND: u8 = 0xc0;
const PICTURES: u8 = 0xe0;

/// Where the head of a sample of a transport stream says when it is shown, and when it is decoded.
const SHOWN: usize = 9;
const DECODED: usize = 14;

/// Adds ticks to the times at which some samples of a transport stream are shown or decoded, by their numbers
/// among all of their kind that say so. Returns how many did.
fn restamp(film: &mut [u8], kind: u8, which: usize, samples: std::ops::Range<usize>, ticks: u64) -> usize {
    let heads = film.chunks_mut(188).filter(|packet| packet[1] & 0x40 != 0).filter_map(|packet| {
        // behind the header and what may be stuffed into it: start code, kind, flags, time
        let adaptation = if packet[3] & 0x20 != 0 { usize::from(packet[4]) + 1 } else { 0 };
        packet.get_mut(4 + adaptation..)
    });
    let says = if which == SHOWN { 0x80 } else { 0xc0 };
    let of_kind = |head: &&mut [u8]| head.starts_with(&[0, 0, 1, kind]) && head[7] & says == says;
    let mut count = 0;
    for head in heads.filter(of_kind).skip(samples.start).take(samples.len()) {
        count += 1;
        let head = &mut head[which..];
        let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|at| u64::from(head[at]));
        let time = ((a >> 1 & 7) << 30 | b << 22 | c >> 1 << 15 | d << 7 | e >> 1) + ticks;
        let bits = |shift: u64| (time >> shift) as u8;
        head[0] = head[0] & 0xf1 | (bits(30) & 7) << 1;
        (head[1], head[2]) = (bits(22), bits(14) | 1);
        (head[3], head[4]) = (bits(7), bits(0) << 1 | 1);
    }
    count
}

/// Some sounds say that they are heard a day later. They are put where they belong, and nothing else moves.
#[test]
fn a_wrong_clock_of_some_sounds_moves_no_others() {
    let Some(studio) = Studio::empty() else { return };
    studio.render(
        "-f lavfi -i testsrc2=s=160x96:r=25:d=3 -f lavfi -i sine=d=3:r=48000 -c:v mpeg2video -c:a aac -pes_payload_size 0",
        "film.ts",
    );
    for (name, ticks) in [("day.ts", 90_000 * 88_000), ("minute.ts", 90_000 * 60)] {
        let mut film = studio.read("film.ts");
        assert_eq!(restamp(&mut film, SOUND, SHOWN, 20..30, ticks), 10);
        fs::write(studio.path(name), film).unwrap();
        for output in ["out.mkv", "out.m3u8"] {
            let run = studio.encode(&format!("{name} -o {output} -y {} --crf 40", fast()));
            assert!(said(&run.notes(), &["clock", "1 place"]), "{name}, {ticks}: {:?}", run.notes());
            let lines = probe(&studio.path(output), "-select_streams a -show_entries packet=pts_time");
            let times: Vec<f64> =
                lines.iter().map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
            let steps = times.windows(2).map(|pair| pair[1] - pair[0]);
            assert!(times.len() >= 124, "{name} in {output}: {} sounds", times.len());
            assert!(
                steps.into_iter().all(|step| (0.02..0.03).contains(&step)),
                "{name} in {output}: {times:?}"
            );
        }
    }
}

/// One frame says that it is shown half a day after it is decoded. It is shown in its place, which is told.
#[test]
fn a_frame_that_is_shown_half_a_day_later() {
    let Some(studio) = Studio::empty() else { return };
    studio.render("-f lavfi -i testsrc2=s=160x96:r=25:d=3 -c:v mpeg2video -bf 2", "film.ts");
    let mut film = studio.read("film.ts");
    assert_eq!(restamp(&mut film, PICTURES, SHOWN, 40..41, 1 << 32), 1);
    fs::write(studio.path("film.ts"), film).unwrap();
    for output in ["out.mkv", "out.mp4", "out.m3u8"] {
        let run = studio.encode(&format!("film.ts -o {output} {} --crf 40", fast()));
        between("seconds", run.summary()["seconds"].as_f64().unwrap(), 2.9, 3.1);
        assert!(said(&run.notes(), &["1 frame", "times", "repaired"]), "{output}: {:?}", run.notes());
    }
}

/// One stamp of one frame is wrong, whichever of the two and by however much: no frame is lost, no other one
/// moves, and the film is as long as it is.
#[test]
fn a_wrong_stamp_of_one_frame_moves_no_other() {
    let Some(studio) = Studio::empty() else { return };
    let sound = "-f lavfi -i sine=r=48000:d=3 -c:a mp2";
    // Frames that others refer to have two stamps, and those between them one.
    let moments = [(DECODED, 9), (SHOWN, 20), (SHOWN, 21), (SHOWN, 22)];
    // 2^33 ticks is where these clocks begin anew.
    let wrong = [1 << 32, 90_000 * 7, 90_000, (1 << 33) - 90_000];
    for codec in ["mpeg2video -bf 2", "libx264 -bf 2"] {
        studio.render(&format!("-f lavfi -i testsrc2=s=160x96:r=25:d=3 {sound} -c:v {codec}"), "film.ts");
        for ((which, frame), ticks) in
            moments.into_iter().flat_map(|moment| wrong.map(|ticks| (moment, ticks)))
        {
            let case = format!("{codec}, {which}, frame {frame}, {ticks}");
            let mut film = studio.read("film.ts");
            assert_eq!(restamp(&mut film, PICTURES, which, frame..frame + 1, ticks), 1, "{case}");
            fs::write(studio.path("wrong.ts"), film).unwrap();
            let run = studio.encode(&format!("wrong.ts -o out.mkv -y {} --crf 40", fast()));
            assert_eq!(run.summary()["frames"], 75, "{case}: {:?}", run.notes());
            let shown = probe(&studio.path("out.mkv"), "-select_streams v -show_entries packet=pts_time");
            let mut times: Vec<f64> =
                shown.iter().map(|line| line.trim_end_matches(',').parse().unwrap()).collect();
            times.sort_by(f64::total_cmp);
            let misplaced =
                |(frame, time): (usize, &f64)| (time - times[0] - frame as f64 / 25.0).abs() > 0.011;
            // A time that is no later than others may be held back for may be true until the others come.
            let most = if which == SHOWN && ticks == 90_000 { 26 } else { 1 };
            let moved = times.iter().enumerate().filter(|&place| misplaced(place)).count();
            assert!(moved <= most && !misplaced((74, &times[74])), "{case}: {times:?}");
        }
    }
}

/// H.264 states for how long its frames are shown, and in this stream for months. Players go by the next
/// frame, and so does the film.
#[test]
fn a_stated_duration_that_cannot_be() {
    let Some(studio) = Studio::empty() else { return };
    studio.render(
        "-f lavfi -i testsrc2=s=160x96:r=25:d=2 -c:v libx264 -bsf:v h264_metadata=tick_rate=1/1000000000",
        "film.ts",
    );
    let stated = probe(&studio.path("film.ts"), "-select_streams v -show_entries packet=duration");
    let longest = stated
        .iter()
        .filter_map(|line| line.trim_end_matches(',').parse::<f64>().ok())
        .max_by(f64::total_cmp);
    assert!(longest.is_some_and(|ticks| ticks > 1e10), "{stated:?}");
    for output in ["out.mkv", "out.mp4", "out.m3u8"] {
        let run = studio.encode(&format!("film.ts -o {output} {} --crf 40", fast()));
        assert_eq!(run.summary()["frames"], 50, "{output}: {:?}", run.notes());
        between(output, run.summary()["seconds"].as_f64().unwrap(), 1.9, 2.1);
    }
}

/// Sound changes its rate and its channels in the middle. A track has one description, by which the rest
/// would be played at another speed: it is left out, and that is told, in films and streams.
#[test]
fn sound_that_becomes_another_is_told() {
    let Some(studio) = Studio::empty() else { return };
    let pictures = "-f lavfi -i testsrc2=s=160x96:r=25:d=2";
    for (name, rate, channels) in [("a.ts", 48_000, 2), ("b.ts", 44_100, 2), ("c.ts", 48_000, 1)] {
        let sound = format!("-f lavfi -i sine=d=2:r={rate} -ac {channels}");
        studio.render(&format!("{pictures} {sound} -c:v libx264 -bf 0 -c:a aac"), name);
    }
    for second in ["b.ts", "c.ts"] {
        let joined = [studio.read("a.ts"), studio.read(second)].concat();
        fs::write(studio.path("film.ts"), joined).unwrap();
        for output in ["out.mp4", "out.mkv", "out.m3u8"] {
            let run = studio.encode(&format!("film.ts -o {output} -y {} --crf 40", fast()));
            let told = said(&run.notes(), &["packets of another rate or number of channels", "left out"]);
            assert!(told, "{second} in {output}: {:?}", run.notes());
            let of_sound = "-select_streams a -show_entries packet=pts_time";
            let heard = probe(&studio.path(output), of_sound).len();
            assert_eq!(heard, probe(&studio.path("a.ts"), of_sound).len(), "{second} in {output}");
        }
    }
}

/// The first packet of sound is damaged so that it begins like one with a header (ADTS), which writers take
/// it for. A stream does without it, and that is told; films keep it as it is.
#[test]
fn sound_that_begins_like_a_header() {
    let Some(studio) = Studio::empty() else { return };
    studio.render(
        "-f lavfi -i testsrc2=s=160x96:r=25:d=2 -f lavfi -i sine=d=2 -c:v libx264 -bf 0 -c:a aac",
        "film.mp4",
    );
    let first = &probe(&studio.path("film.mp4"), "-select_streams a -show_entries packet=pos")[0];
    let at: usize = first.parse().unwrap();
    let mut film = studio.read("film.mp4");
    film[at..at + 2].fill(0xff);
    fs::write(studio.path("film.mp4"), film).unwrap();
    for output in ["out.m3u8", "out.mp4", "out.mkv"] {
        let run = studio.retake(&format!("encode film.mp4 -o {output} {} --crf 40 --json", fast()));
        assert!([0, 3].contains(&run.code), "{output}: {run:?}");
        let told = said(&run.notes(), &["1 packet could not be copied", "(at "]);
        assert!(told || output != "out.m3u8", "{output}: {:?}", run.notes());
    }
}

/// Behind pictures that say nothing of their colour come such of high dynamic range. Players take the first
/// for BT.709, and they are made what the film is, which is told. (In the other order FFmpeg's decoders, and
/// the players that use them, go on with what was stated.)
#[test]
fn pictures_without_colour_beside_high_dynamic_range() {
    let Some(studio) = Studio::empty() else { return };
    let source = "-f lavfi -i testsrc2=s=160x96:r=25:d=2 -c:v libx264 -bf 0";
    studio.render(source, "plain.ts");
    let tags = "-color_trc smpte2084 -color_primaries bt2020 -colorspace bt2020nc";
    // FFmpeg 7 and newer believe frames alone, and older ones the flags
    let frames = "-vf setparams=color_trc=smpte2084:color_primaries=bt2020:colorspace=bt2020nc";
    studio.render(&format!("{source} {frames} {tags}"), "light.ts");
    fs::write(studio.path("film.ts"), ["plain.ts", "light.ts"].map(|part| studio.read(part)).concat())
        .unwrap();
    let run = studio.encode(&format!("film.ts -o out.mkv -y {} --crf 20", fast()));
    assert!(said(&run.notes(), &["50 frames", "other colour"]), "{:?}", run.notes());
    // What only the container says holds for all pictures.
    studio.render(&format!("-i plain.ts -c copy {tags}"), "container.mkv");
    let run = studio.encode(&format!("container.mkv -o out.mkv -y {} --crf 20", fast()));
    assert!(!said(&run.notes(), &["colour"]), "{:?}", run.notes());
}

/// AVI files have samples that hold nothing where a frame is shown twice as long, and count them. None is
/// missing; where the file ends early, some are.
#[test]
fn samples_that_hold_nothing_are_not_missing() {
    let Some(studio) = Studio::empty() else { return };
    let every_third = "-vf select='not(eq(mod(n,3),1))' -fps_mode vfr";
    studio.render(
        &format!("-f lavfi -i testsrc2=s=160x96:r=25:d=6 {every_third} -c:v mpeg4 -vtag xvid"),
        "film.avi",
    );
    let run = studio.encode(&format!("film.avi -o out.mkv {} --crf 40", fast()));
    assert_eq!(run.summary()["frames"], 100, "{run:?}");
    assert!(!said(&run.notes(), &["incomplete"]), "{:?}", run.notes());
    let film = studio.read("film.avi");
    fs::write(studio.path("short.avi"), &film[..film.len() * 7 / 10]).unwrap();
    let run = studio.retake(&format!("encode short.avi -o short.mkv {} --crf 40 --json", fast()));
    assert!(run.code == 3 && said(&run.notes(), &["incomplete"]), "{run:?}");
}

/// A stream without times states a number of frames a second that cannot be.
#[test]
fn a_stated_frame_rate_that_cannot_be() {
    let Some(studio) = Studio::empty() else { return };
    studio.render("-f lavfi -i testsrc2=s=160x96:r=5000:d=0.01 -c:v libx264", "film.h264");
    let run = studio.encode(&format!("film.h264 -o out.mkv {} --crf 40", fast()));
    assert!(said(&run.notes(), &["frames a second", "cannot be", "25 are taken"]), "{:?}", run.notes());
    between("seconds", run.summary()["seconds"].as_f64().unwrap(), 1.9, 2.1);
}

/// A sample says that it is larger than what is left of the file, near the end, and nothing else is wrong.
#[test]
fn a_sample_that_is_larger_than_its_file() {
    let Some(studio) = Studio::empty() else { return };
    studio
        .render("-f lavfi -i testsrc2=s=160x96:r=25:d=2 -c:v flv -flvflags no_duration_filesize", "film.flv");
    let mut film = studio.read("film.flv");
    // behind the head, tags follow with kind, size, time and stream, and their size once more at the end
    let (mut at, mut pictures) = (13, 0);
    loop {
        pictures += usize::from(film[at] == 9);
        if pictures == 46 {
            film[at + 1] = 0x81;
            break;
        }
        at += 15 + u32::from_be_bytes([0, film[at + 1], film[at + 2], film[at + 3]]) as usize;
    }
    fs::write(studio.path("film.flv"), film).unwrap();
    let run = studio.encode(&format!("film.flv -o out.mkv {} --crf 40 --accept-damage", fast()));
    assert!(said(&run.notes(), &["container is damaged"]), "{:?}", run.notes());
}

/// Sound that lost its description cannot go into ISO files, whose sample entries repeat it. The film is made
/// without it, and that is told.
#[test]
fn sound_that_lost_its_description() {
    let Some(studio) = Studio::empty() else { return };
    studio.render(
        "-f lavfi -i testsrc2=s=160x96:r=25:d=2 -f lavfi -i sine=r=48000:d=2 -c:v mpeg4 -c:a libopus",
        "film.mkv",
    );
    let mut film = studio.read("film.mkv");
    let head = film.windows(8).position(|bytes| bytes == b"OpusHead").unwrap();
    // the element of the description, its size and its content become an empty one of the same size
    assert_eq!(film[head - 3..head], [0x63, 0xa2, 0x93]);
    film[head - 3..head - 1].copy_from_slice(&[0xec, 0x94]);
    fs::write(studio.path("film.mkv"), film).unwrap();
    for output in ["out.mp4", "out.m3u8"] {
        let run = studio.encode(&format!("film.mkv -o {output} {} --crf 40", fast()));
        assert!(said(&run.notes(), &["audio track 1 (opus)", "left out", "damaged"]), "{:?}", run.notes());
    }
}

/// A recording that begins in the middle, and whose first sync frame is damaged: only this is a loss.
#[test]
fn a_first_sync_frame_that_is_damaged() {
    let Some(studio) = Studio::empty() else { return };
    studio.render("-f lavfi -i testsrc2=s=160x96:r=25:d=2 -c:v mpeg2video -g 10 -bf 0 -q:v 3", "whole.ts");
    let film = studio.read("whole.ts");
    let begins =
        |packet: &&[u8]| packet[1] & 0x40 != 0 && packet.windows(4).any(|at| at == [0, 0, 1, PICTURES]);
    let frames: Vec<usize> =
        film.chunks(188).enumerate().filter(|(_, packet)| begins(packet)).map(|(at, _)| at).collect();
    let mut cut = film[..frames[0] * 188].to_vec();
    cut.extend(&film[frames[5] * 188..]);
    fs::write(studio.path("cut.ts"), &cut).unwrap();
    let sync = (frames[10] - frames[5] + frames[0]) * 188;
    for packet in cut[sync + 188..].chunks_mut(188).take(4) {
        packet[60..64].fill(0xa5);
    }
    fs::write(studio.path("damaged.ts"), &cut).unwrap();
    for (name, code) in [("cut.ts", 0), ("damaged.ts", 3)] {
        let run = studio.retake(&format!("encode {name} -o {name}.mkv {} --crf 40 --json", fast()));
        assert_eq!(run.code, code, "{name}: {run:?}");
        assert!(said(&run.notes(), &["before the first sync frame"]), "{name}: {:?}", run.notes());
    }
}

/// A recording of a browser, whose frames come when they come, and whose container states no rate.
fn browser_recording(studio: &Studio) {
    studio.render(
        "-f lavfi -i testsrc2=s=160x96:r=15:d=6 -vf settb=1/1000,setpts=N*66+floor(random(1)*40) -fps_mode passthrough \
         -enc_time_base 1/1000 -c:v libvpx -deadline realtime -cpu-used 8 -b:v 1M",
        "stated.webm",
    );
    let mut film = studio.read("stated.webm");
    let duration = [0x23, 0xe3, 0x83, 0x84];
    // newer programs state no rate of such frames
    if let Some(at) = film.windows(4).position(|bytes| bytes == duration) {
        film[at..at + 8].copy_from_slice(&[0xec, 0x86, 0, 0, 0, 0, 0, 0]);
    }
    fs::write(studio.path("film.webm"), film).unwrap();
}

/// A guess of 1000 frames a second is no fact: limits and encoders go by the times of the frames.
#[test]
fn a_frame_rate_that_is_a_guess() {
    let Some(studio) = Studio::empty() else { return };
    browser_recording(&studio);
    for encoder in encoders() {
        let name = &encoder.name;
        let run = studio.encode(&format!("film.webm -o {name}.mkv {} --metric psnr -q 30", encoder.flags));
        assert!(said(&run.notes(), &["frames a second", "15."]), "{name}: {:?}", run.notes());
    }
    if has_x264() {
        let bytes = |limit: &str| {
            let run = studio.encode(&format!("film.webm -o out.mp4 -y {} --crf 30 {limit}", fast()));
            run.summary()["video_bytes"].as_f64().unwrap()
        };
        let free = bytes("");
        between(
            "bytes under a limit that does not bind",
            bytes("--max-bitrate 4M"),
            free * 0.95,
            free * 1.05,
        );
    }
}

/// An encoder that takes no frame rate as high as the film's gets one that it takes; the times are kept.
#[test]
fn a_frame_rate_that_is_too_high_for_an_encoder() {
    let Some(studio) = Studio::empty() else { return };
    studio.render("-f lavfi -i testsrc2=s=160x96:r=300:d=0.5 -c:v mpeg4", "film.mp4");
    for encoder in encoders() {
        let name = format!("{}.mp4", encoder.name);
        let run = studio.encode(&format!("film.mp4 -o {name} {} --crf 40", encoder.flags));
        assert_eq!(run.summary()["frames"], 150, "{name}");
        let rate = entry(&studio, &name, "stream=avg_frame_rate");
        assert_eq!(rate, "300/1", "{name}: {:?}", run.notes());
    }
}

/// Of a shape that the container states, and another one in the stream, players show the container's.
#[test]
fn the_container_states_the_shape() {
    let Some(studio) = Studio::empty() else { return };
    studio.render("-f lavfi -i testsrc2=s=352x288:r=25:d=1,setsar=1/1 -c:v mpeg2video", "square.mkv");
    for name in ["film.mkv", "film.mp4"] {
        studio.render("-i square.mkv -c copy -aspect 16:9", name);
        let run = studio.encode(&format!("{name} -o out.mp4 -y {} --crf 40", fast()));
        assert_eq!(entry(&studio, "out.mp4", "stream=sample_aspect_ratio"), "16:11", "{name}");
        let told = said(&run.notes(), &["1:1", "16:11"]) || said(&run.notes(), &["1/1", "16/11"]);
        assert!(told, "{name}: {:?}", run.notes());
    }
}

/// Pictures of another shape keep theirs.
#[test]
fn shapes_that_change() {
    let Some(studio) = Studio::empty() else { return };
    studio.render("-f lavfi -i color=red:s=352x288:r=25:d=2,setdar=16/9 -c:v mpeg2video", "wide.ts");
    studio.render("-f lavfi -i color=red:s=352x288:r=25:d=1,setdar=4/3 -c:v mpeg2video", "narrow.ts");
    join(&studio, &["wide.ts", "narrow.ts"], "film.ts");
    let run = studio.encode(&format!("film.ts -o out.mkv {} --crf 20", fast()));
    assert!(said(&run.notes(), &["25 frames of another pixel aspect ratio"]), "{:?}", run.notes());
    let folder = studio.path("");
    let out = ffmpeg(
        &folder,
        "-i out.mkv -map 0:v -vf crop=2:2:10:140,format=rgb24 -fps_mode passthrough -f rawvideo -",
    );
    assert_eq!(out.chunks_exact(12).filter(|picture| picture[0] < 40).count(), 25);
}

#[test]
fn a_turn_that_the_stream_states() {
    let Some(studio) = Studio::empty() else { return };
    if !has_x264() {
        return eprintln!("SKIPPED: x264 is needed");
    }
    let turn = "-bsf:v h264_metadata=display_orientation=insert:rotate=90";
    studio.render(
        &format!("-f lavfi -i testsrc2=s=320x180:r=25:d=1 -c:v libx264 -preset ultrafast {turn}"),
        "film.ts",
    );
    studio.encode(&format!("film.ts -o out.mp4 {} --crf 40", fast()));
    let frame = "-read_intervals %+#1 -show_entries frame_side_data=rotation";
    let expected = probe(&studio.path("film.ts"), &format!("-select_streams v {frame}")).join(" ");
    let found = probe(&studio.path("out.mp4"), "-select_streams v -show_entries stream_side_data=rotation");
    assert!(
        expected.contains("90") && found.join(" ").contains(expected.trim_matches(',')),
        "{expected}, {found:?}"
    );
}

/// Transparency beside the pictures is dropped with a word, and no tag says that it is there.
#[test]
fn transparency_beside_the_stream() {
    let Some(studio) = Studio::empty() else { return };
    studio.render(
        "-f lavfi -i testsrc2=s=160x96:r=25:d=1,format=yuva420p,colorchannelmixer=aa=0.5 -c:v libvpx-vp9 -cpu-used 8 -deadline realtime",
        "film.webm",
    );
    let run = studio.encode(&format!("film.webm -o out.mkv {} --crf 40", fast()));
    assert!(said(&run.notes(), &["transparency"]), "{:?}", run.notes());
    let tags = probe(&studio.path("out.mkv"), "-show_entries stream_tags");
    assert!(!tags.join(" ").to_lowercase().contains("alpha"), "{tags:?}");
}

/// Tags that FFmpeg has no box for are in the film all the same, beside those that it has.
#[test]
fn tags_of_any_name() {
    let Some(studio) = Studio::empty() else { return };
    let tags = "-metadata title=T -metadata DIRECTOR=Somebody -metadata IMDB=tt1 -metadata:s:v rating=good";
    studio.render(&format!("-f lavfi -i testsrc2=s=160x96:r=25:d=1 -c:v mpeg4 {tags}"), "film.mkv");
    for container in ["mp4", "mov", "mkv"] {
        if container == "mov" && !has_x264() {
            continue;
        }
        let name = format!("out.{container}");
        let run = studio.encode(&format!("film.mkv -o {name} {} --crf 40", fast()));
        let found = probe(&studio.path(&name), "-show_entries format_tags=title,DIRECTOR,IMDB").join(",");
        for value in ["T", "Somebody", "tt1"] {
            assert!(found.split(',').any(|tag| tag == value), "{container}: {found}");
        }
        let track = probe(&studio.path(&name), "-show_entries stream_tags").join(",");
        assert!(track.contains("good") || said(&run.notes(), &["RATING", "good"]), "{container}: {track}");
        assert!(!said(&run.notes(), &["DIRECTOR"]), "{:?}", run.notes());
    }
}

/// The captions of all pictures of a stream of H.264 that does not reorder, in order.
fn captions_in(stream: &[u8]) -> Vec<Vec<u8>> {
    let head = b"\xB5\x00\x31GA94\x03";
    let found = stream.windows(head.len()).enumerate().filter(|(_, bytes)| bytes == head);
    let packets = |(at, _): (usize, &[u8])| {
        let message = &stream[at + head.len()..];
        message[2..][..usize::from(message[0] & 31) * 3].to_vec()
    };
    found.map(packets).collect()
}

/// [EF-9]: captions stay with their pictures through passes, takes on two threads and all containers; what
/// has no place for them is told.
#[test]
fn captions_inside_the_pictures() {
    let Some(studio) = Studio::empty() else { return };
    if !has_x264() {
        return eprintln!("SKIPPED: x264 is needed");
    }
    let scenes = "-f lavfi -i testsrc2=s=160x96:r=25:d=1.6 -f lavfi -i mandelbrot=s=160x96:r=25 -filter_complex \
                  [1:v]trim=duration=1.6[b];[0:v][b]concat";
    let coded = "-c:v libx264 -preset ultrafast -bf 0 -x264-params slices=1 -pix_fmt yuv420p";
    studio.render(&format!("{scenes} {coded}"), "plain.h264");
    let message = |index| {
        let packets = captions(index);
        [&b"\xB5\x00\x31GA94\x03"[..], &[0x40 | (packets.len() / 3) as u8, 0xFF], &packets, &[0xFF]].concat()
    };
    let captioned = with_units(&studio.read("plain.h264"), false, |index| {
        [vec![message_unit(&[6], &message(index))], vec![]]
    });
    fs::write(studio.path("film.h264"), &captioned).unwrap();
    let expected: Vec<_> = (0..80).map(captions).collect();
    assert_eq!(captions_in(&captioned), expected);
    let listed = |name: &str| {
        let entries = "-select_streams v -show_entries frame_side_data=side_data_type";
        probe(&studio.path(name), entries).join(" ").matches("Closed Captions").count()
    };
    assert_eq!(listed("film.h264"), 80);
    let order = "--set AllowFrameReordering=false";
    for (name, how) in [
        ("plain.mp4", "--crf 40"),
        ("floor.mkv", "--metric psnr -q 36 --passes 3 --jobs 2"),
        ("stream.m3u8", "--crf 40 --jobs 2"),
    ] {
        let run = studio.encode(&format!("film.h264 -o {name} {} {order} {how}", fast()));
        assert!(!said(&run.notes(), &["captions"]), "{:?}", run.notes());
        let found = ffmpeg(
            &studio.path(""),
            &format!("-i {name} -map 0:v -c copy -bsf:v h264_mp4toannexb -f h264 -"),
        );
        assert_eq!(captions_in(&found), expected, "{name}");
        assert_eq!(listed(name), 80, "{name}");
    }
    if let Some(vp9) = encoders().iter().find(|encoder| encoder.codec == "vp9") {
        let run = studio.encode(&format!("film.h264 -o out.webm {} --crf 50", vp9.flags));
        assert!(said(&run.notes(), &["closed captions", "80 frames"]), "{:?}", run.notes());
    }
}

/// A film of ten bits in PQ, whose frames bring HDR10+ and Dolby Vision.
fn dynamic_hdr(studio: &Studio, size: &str) -> Vec<u8> {
    let colours = "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:range=limited";
    let coded = format!(
        "-c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -x265-params bframes=0:repeat-headers=1:log-level=none:{colours}"
    );
    studio.render(&format!("-f lavfi -i testsrc2=s={size}:r=25:d=1 {coded}"), "bare.hevc");
    with_units(&studio.read("bare.hevc"), true, |index| {
        let message = message_unit(&[0x4E, 1], &hdr10_plus(index));
        [vec![message], vec![escaped(&[0x7C, 1], &rpu(8, index))]]
    })
}

/// [HD-4]: dynamic HDR metadata are the same in the new film, frame by frame, as FFmpeg reads them; the
/// container states Dolby Vision. What an encoder has no place for is told with the number of frames.
#[test]
fn dynamic_metadata_of_frames() {
    let Some(studio) = Studio::empty() else { return };
    let Some(x265) = encoders().iter().find(|encoder| encoder.name == "x265" && encoder.ten_bit) else {
        return eprintln!("SKIPPED: x265 of ten bits is needed");
    };
    fs::write(studio.path("film.hevc"), dynamic_hdr(&studio, "160x96")).unwrap();
    // with words around each, because newer programs put all of a frame into one line of plain values
    let details = |name: &str| {
        let all = probe(&studio.path(name), "-of default -select_streams v:0 -show_entries frame_side_data");
        let all = all.join("\n");
        let each = all.split("[SIDE_DATA]").skip(1).map(|side| side.split("[/SIDE_DATA]").next().unwrap());
        each.filter(|side| side.contains("SMPTE2094-40") || side.contains("RPU"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let source = details("film.hevc");
    let count = |lines: &[String], kind: &str| lines.iter().filter(|line| line.contains(kind)).count();
    assert_eq!((count(&source, "SMPTE2094-40"), count(&source, "Dolby Vision")), (25, 25), "{source:?}");
    let rpus = |name: &str| {
        let copy = format!("-i {name} -map 0:v -c copy -bsf:v hevc_mp4toannexb -f hevc -");
        let stream = ffmpeg(&studio.path(""), &copy);
        let once = |index: &usize| {
            let unit = escaped(&[0, 0, 1, 0x7C, 1], &rpu(8, *index));
            stream.windows(unit.len()).filter(|bytes| *bytes == unit).count() == 1
        };
        (0..25).filter(once).count()
    };
    let record = |name: &str| {
        let entries =
            "-select_streams v:0 -show_entries stream_side_data=dv_profile,dv_bl_signal_compatibility_id";
        probe(&studio.path(name), entries).join(" ")
    };
    let told = |notes: &[String], what: &str| said(notes, &[what, "25 frames"]);
    for name in ["out.mp4", "out.mkv"] {
        let run = studio.encode(&format!("film.hevc -o {name} {} --crf 40", x265.flags));
        assert_eq!(details(name), source, "{name}");
        assert_eq!(rpus(name), 25, "{name}");
        assert_eq!(record(name), "8,1", "{name}");
        assert!(!said(&run.notes(), &["dynamic metadata"]), "{:?}", run.notes());
    }
    let run = studio.encode(&format!(
        "film.hevc -o left.mp4 {} --crf 40 --set PreserveDynamicHDRMetadata=false",
        x265.flags
    ));
    assert!(told(&run.notes(), "HDR10+") && told(&run.notes(), "Dolby Vision"), "{:?}", run.notes());
    assert_eq!((details("left.mp4").len(), record("left.mp4")), (0, String::new()));
    for encoder in encoders().iter().filter(|encoder| encoder.name != "x265") {
        let run = studio.encode(&format!("film.hevc -o other.mkv -y {} --crf 45", encoder.flags));
        assert_eq!(told(&run.notes(), "HDR10+"), encoder.name != "svt-av1", "{:?}", run.notes());
        assert!(told(&run.notes(), "Dolby Vision"), "{:?}", run.notes());
    }
    // Where pictures are scaled, what was said of their places and light is left out and told.
    let small = dynamic_hdr(&studio, "96x64");
    fs::write(studio.path("both.hevc"), [small, studio.read("film.hevc")].concat()).unwrap();
    let run = studio.encode(&format!("both.hevc -o out.mp4 -y {} --crf 40", x265.flags));
    assert!(said(&run.notes(), &["dynamic HDR metadata of 25 frames", "converted"]), "{:?}", run.notes());
    // FFmpeg repeats metadata for frames that have none, so messages are counted.
    let stream = ffmpeg(&studio.path(""), "-i out.mp4 -map 0:v -c copy -bsf:v hevc_mp4toannexb -f hevc -");
    assert_eq!(stream.windows(6).filter(|bytes| *bytes == b"\xB5\x00\x3C\x00\x01\x04").count(), 25);
}

/// A rotation that changes on the way is told with the number of frames; the first one holds.
#[test]
fn a_rotation_that_changes() {
    let Some(studio) = Studio::empty() else { return };
    if !has_x264() {
        return eprintln!("SKIPPED: x264 is needed");
    }
    studio.render("-f lavfi -i testsrc2=s=160x96:r=25:d=1 -c:v libx264 -preset ultrafast", "plain.h264");
    for turn in [90, 180] {
        // The filter puts the message before sync frames alone, and one is in each part.
        let turned = format!("-c copy -bsf:v h264_metadata=display_orientation=insert:rotate={turn}");
        studio.render(&format!("-i plain.h264 {turned}"), &format!("{turn}.h264"));
    }
    join(&studio, &["90.h264", "180.h264"], "film.h264");
    let run = studio.encode(&format!("film.h264 -o out.mp4 {} --crf 40", fast()));
    assert!(said(&run.notes(), &["1 frame must be turned in another way", "lost"]), "{:?}", run.notes());
    let found = probe(&studio.path("out.mp4"), "-select_streams v -show_entries stream_side_data=rotation");
    assert_eq!(found.join("").trim_start_matches('-'), "90");
}

/// What nobody can see without a key is refused.
#[test]
fn an_encrypted_film() {
    let Some(studio) = Studio::empty() else { return };
    studio.render(
        "-f lavfi -i testsrc2=s=160x96:r=25:d=1 -f lavfi -i sine=d=1 -c:v mpeg4 -c:a aac",
        "clear.mp4",
    );
    let key = "-encryption_scheme cenc-aes-ctr -encryption_key 100102030405060708090a0b0c0d0e0f";
    let kid = "-encryption_kid 0f0e0d0c0b0a09080706050403020100";
    studio.render(&format!("-i clear.mp4 -c copy {key} {kid}"), "locked.mp4");
    studio.retake("encode locked.mp4 -o out.mp4").refused(2, &["locked.mp4", "encrypted"]);
    assert_eq!(studio.names().len(), 2);
}

/// Texts that are shown at once come when they should, and stay as long.
#[test]
fn subtitles_that_overlap() {
    let Some(studio) = Studio::empty() else { return };
    let texts = "1\n00:00:00,100 --> 00:00:01,500\nsign\n\n2\n00:00:00,500 --> 00:00:00,800\ntalk\n\n";
    fs::write(studio.path("s.srt"), texts).unwrap();
    studio.render(
        "-f lavfi -i testsrc2=s=160x96:r=25:d=3 -f lavfi -i sine=d=3:r=48000 -i s.srt -map 0 -map 1 -map 2 \
         -c:v mpeg4 -c:a flac -c:s ass",
        "film.mkv",
    );
    let run = studio.encode(&format!("film.mkv -o out.mp4 {} --crf 40", fast()));
    assert!(said(&run.notes(), &["1 text", "joined"]), "{:?}", run.notes());
    let out = ffmpeg(&studio.path(""), "-i out.mp4 -map 0:s -f srt -");
    let text = String::from_utf8(out).unwrap();
    let shown: Vec<Vec<&str>> = text.split("\n\n").map(|block| block.lines().skip(1).collect()).collect();
    let expected: [&[&str]; 3] = [
        &["00:00:00,100 --> 00:00:00,500", "sign"],
        &["00:00:00,500 --> 00:00:00,800", "talk", "sign"],
        &["00:00:00,800 --> 00:00:01,500", "sign"],
    ];
    assert_eq!(shown[..3], expected);
}

/// A still picture is not the film, however large it is.
#[test]
fn a_still_that_is_larger_than_the_film() {
    let Some(studio) = Studio::empty() else { return };
    studio.render("-f lavfi -i testsrc2=s=160x96:r=25:d=2 -c:v mpeg4", "film.mp4");
    studio.render("-f lavfi -i color=red:s=600x900:r=25 -frames:v 1 -c:v mpeg4", "still.mkv");
    for marks in
        ["-disposition:v:0 default -disposition:v:1 0", "-disposition:v:0 0 -disposition:v:1 default"]
    {
        for maps in ["-map 0 -map 1", "-map 1 -map 0"] {
            studio.render(&format!("-i film.mp4 -i still.mkv {maps} -c copy {marks}"), "both.mkv");
            let run = studio.encode(&format!("both.mkv -o out.mkv -y {} --crf 40", fast()));
            assert_eq!(run.summary()["frames"], 50, "{marks} {maps}");
        }
    }
}

/// The samples at the end that only fill the last packet are not heard in a container either that has no
/// field for them.
#[test]
fn the_last_samples_of_sound() {
    let Some(studio) = Studio::empty() else { return };
    let source = "-f lavfi -i testsrc2=s=160x96:r=25:d=1.31 -f lavfi -i sine=d=1.313:r=48000";
    studio.render(&format!("{source} -c:v mpeg4 -c:a libopus"), "film.mkv");
    for name in ["out.mp4", "out.mkv"] {
        studio.encode(&format!("film.mkv -o {name} {} --crf 40", fast()));
    }
    let heard = |name: &str| ffmpeg(&studio.path(""), &format!("-i {name} -map 0:a -f s16le -")).len() / 2;
    assert_eq!(heard("out.mkv"), heard("film.mkv"));
    let packets = probe(&studio.path("out.mp4"), "-select_streams a -show_entries packet=duration");
    let lasts = |packet: &String| packet.split(',').next().unwrap().parse::<u32>().unwrap();
    let (last, others) = packets.split_last().unwrap();
    assert!(lasts(last) < 960 && others[1..].iter().all(|packet| lasts(packet) == 960), "{packets:?}");
}

/// Subtitles that the source shows only when asked are not shown unasked.
#[test]
fn subtitles_that_are_not_shown_unasked() {
    let Some(studio) = Studio::empty() else { return };
    fs::write(studio.path("s.srt"), "1\n00:00:00,100 --> 00:00:00,500\ntext\n\n").unwrap();
    for (mark, shown) in [("0", "0"), ("default", "1")] {
        studio.render(
            &format!(
                "-f lavfi -i testsrc2=s=160x96:r=25:d=1 -i s.srt -map 0 -map 1 -c:v mpeg4 -c:s srt \
                 -default_mode passthrough -disposition:s:0 {mark}"
            ),
            "film.mkv",
        );
        for name in ["out.mkv", "out.mp4"] {
            studio.encode(&format!("film.mkv -o {name} -y {} --crf 40", fast()));
            let found =
                probe(&studio.path(name), "-select_streams s -show_entries stream_disposition=default");
            assert_eq!(found, [shown], "{name}");
        }
    }
}

/// Sound films are not called damaged: of films as encoders and broadcasters make them nothing is told that a
/// person would have to look after.
#[test]
fn sound_films_are_called_sound() {
    let Some(studio) = Studio::empty() else { return };
    let source = "-f lavfi -i testsrc2=s=160x96:r=25:d=2 -f lavfi -i sine=d=2:r=48000";
    let mut films = vec![
        ("mpeg2.ts", "-c:v mpeg2video -bf 2 -c:a mp2"),
        ("altref.webm", "-c:v libvpx -auto-alt-ref 1 -lag-in-frames 16 -b:v 200k -c:a libvorbis"),
        ("mjpeg.avi", "-c:v mjpeg -q:v 3 -c:a mp2"),
        ("mpeg1.mpg", "-c:v mpeg1video -c:a mp2"),
        ("flv1.flv", "-c:v flv1 -ar 44100 -c:a mp3"),
    ];
    if has_x264() {
        films.extend([
            ("open.ts", "-c:v libx264 -bf 3 -x264-params open-gop=1:keyint=20 -c:a aac"),
            ("fragments.mp4", "-c:v libx264 -c:a aac -movflags frag_keyframe+empty_moov"),
            ("raw.h264", "-an -c:v libx264 -bf 3"),
        ]);
    }
    for (name, codecs) in films {
        studio.render(&format!("{source} {codecs}"), name);
        let run = studio.encode(&format!("{name} -o out.mkv -y {} --crf 40", fast()));
        let about = ["damage", "missing", "incomplete", "repaired", "frames a second", "converted", "scaled"];
        let told = run.notes().iter().any(|note| about.iter().any(|word| note.contains(word)));
        assert!(!told, "{name}: {:?}", run.notes());
    }
    // A recording that begins between two sync frames is whole from the first of them on.
    let cut = studio.read("mpeg2.ts");
    let start = cut.len() / 3 / 188 * 188;
    fs::write(studio.path("cut.ts"), &cut[start..]).unwrap();
    let run = studio.encode(&format!("cut.ts -o out.mkv -y {} --crf 40", fast()));
    assert!(said(&run.notes(), &["before the first sync frame"]), "{:?}", run.notes());
}

/// Damage that is met while it is found out what a film holds is damage, too: with a short film, all of it
/// is.
#[test]
fn damage_at_the_head_is_told() {
    let Some(studio) = Studio::empty() else { return };
    for (name, codec) in [("film.ogv", "libtheora"), ("film.nut", "mpeg4"), ("film.flv", "flv")] {
        let film = studio.render(&format!("-f lavfi -i testsrc2=s=64x64:r=25:d=2 -c:v {codec} -q:v 4"), name);
        let whole = studio.retake(&format!("encode {name} -o whole.mp4 -y {} --crf 40 --json", fast()));
        assert_eq!((whole.code, whole.notes()), (0, vec![]), "{name}");
        let mut bytes = fs::read(&film).unwrap();
        // behind the head, so that it is still a film
        let at = bytes.len() / 2;
        bytes.drain(at..at + 900);
        fs::write(&film, bytes).unwrap();
        let run = studio.retake(&format!("encode {name} -o out.mp4 -y {} --crf 40 --json", fast()));
        assert_eq!(run.code, 3, "{name}: {run:?}");
        assert!(run.summary()["frames"].as_u64() < Some(50), "{name}: {run:?}");
    }
}

/// Sound whose description cannot be read is left out, and told; the film is worth more than that.
#[test]
fn sound_without_a_rate_is_left_out() {
    let Some(studio) = Studio::empty() else { return };
    let inputs = "-f lavfi -i testsrc2=s=64x64:r=25:d=2 -f lavfi -i sine=d=2";
    let film = studio.render(&format!("{inputs} -c:v mpeg2video -c:a mp2 -f mpegts"), "film.ts");
    // all packets of the sound are gone, which FFmpeg gives this number; the table of tracks still names it
    let bytes = fs::read(&film).unwrap();
    let sound = |packet: &&[u8]| u16::from_be_bytes([packet[1] & 0x1f, packet[2]]) == 0x101;
    let kept: Vec<u8> = bytes.chunks(188).filter(|packet| !sound(packet)).flatten().copied().collect();
    assert!(kept.len() + 10 * 188 < bytes.len());
    fs::write(&film, kept).unwrap();
    for output in ["out.mp4", "out.mkv", "out.m3u8"] {
        let run = studio.retake(&format!("encode film.ts -o {output} {} --crf 40 --json", fast()));
        assert!([0, 3].contains(&run.code), "{output}: {run:?}");
        let told = run.notes().iter().any(|note| note.contains("audio") && note.contains("left out"));
        assert!(told, "{output}: {:?}", run.notes());
        assert_eq!(run.summary()["frames"], 50);
    }
}

/// A shape of pixels under which the picture would have no row is none: players take it for none, and a film
/// that repeated it would be read in pieces.
#[test]
fn a_shape_that_makes_no_picture_is_none() {
    let Some(studio) = Studio::empty() else { return };
    let film = studio.render("-f lavfi -i testsrc2=s=64x64:r=25:d=1,setsar=4/3 -c:v mpeg4", "film.mp4");
    let mut bytes = fs::read(&film).unwrap();
    let at = bytes.windows(4).position(|four| four == b"pasp").expect("the shape has a box");
    bytes[at + 4..at + 12].copy_from_slice(&[0, 0, 2, 1, 0, 0, 0, 1]);
    // the stream states its own: pixel shapes of MPEG-4 are four bits, and this one is looked at as none
    fs::write(&film, bytes).unwrap();
    let run = studio.retake(&format!("encode film.mp4 -o out.mp4 {} --crf 40 --json", fast()));
    assert_eq!(run.code, 0, "{run:?}");
    let shape = crate::common::probe(
        &studio.path("out.mp4"),
        "-select_streams v:0 -show_entries stream=sample_aspect_ratio",
    );
    assert!(!shape[0].starts_with("513"), "{shape:?}");
    assert_eq!(crate::common::picture_hashes(&studio.path("out.mp4")).len(), 25);
}

/// Sound whose times go back by a part of a second, as where a recording lost packets: all of it is written,
/// into every kind of output.
#[test]
fn sound_whose_times_go_back_a_little_is_kept() {
    let Some(studio) = Studio::empty() else { return };
    let inputs = "-f lavfi -i testsrc2=s=64x64:r=25:d=2 -f lavfi -i sine=d=2:r=48000";
    let film = studio.render(&format!("{inputs} -c:v mpeg2video -c:a aac -f mpegts"), "film.ts");
    let mut bytes = fs::read(&film).unwrap();
    let mut headers = 0;
    for packet in bytes.chunks_exact_mut(188) {
        let (begins, sound) = (packet[1] & 0x40 != 0, [packet[1] & 0x1f, packet[2]] == [1, 1]);
        let header = if packet[3] & 0x20 != 0 { 5 + usize::from(packet[4]) } else { 4 };
        if !(begins && sound) {
            continue;
        }
        headers += 1;
        if headers % 3 == 0 {
            // the fourteen lower bits of the time lie above two marks: it becomes up to 0.18 s earlier
            packet[header + 12] = 0;
            packet[header + 13] = 1;
        }
    }
    fs::write(&film, bytes).unwrap();
    let times = probe(&film, "-select_streams a:0 -show_entries packet=pts");
    let times: Vec<i64> = times.iter().map(|time| time.split(',').next().unwrap().parse().unwrap()).collect();
    assert!(times.windows(2).any(|pair| pair[0] >= pair[1]), "{times:?}");
    for output in ["out.mkv", "out.mp4", "out.m3u8"] {
        let run = studio.retake(&format!("encode film.ts -o {output} {} --crf 40 --json", fast()));
        assert!([0, 3].contains(&run.code), "{output}: {run:?}");
        let made = if output == "out.m3u8" { "out.media/sound-1/index.m3u8" } else { output };
        let packets = probe(&studio.path(made), "-select_streams a:0 -show_entries packet=pts").len();
        assert!(packets.abs_diff(times.len()) <= 1, "{output}: {packets} of {}", times.len());
    }
}

/// A broadcast whose pictures go on in another track: what the film lacks is told, whichever of the two it
/// has.
#[test]
fn a_broadcast_that_goes_on_in_other_tracks_is_told() {
    let Some(studio) = Studio::empty() else { return };
    let render = |name: &str, source: &str, pid: &str, at: u32| {
        studio.render(
            &format!(
                "-f lavfi -i {source}=s=160x90:r=25 -f lavfi -i sine -t 3 -c:v mpeg2video -c:a mp2 \
                 -mpegts_start_pid {pid} -output_ts_offset {at}"
            ),
            name,
        );
        studio.read(name)
    };
    let (one, two) = (render("one.ts", "testsrc2", "0x100", 0), render("two.ts", "mandelbrot", "0x200", 3));
    let both = [one.as_slice(), &two].concat();
    fs::write(studio.path("both.ts"), both).unwrap();
    let run = studio.retake(&format!("encode both.ts -o both.mp4 {} --crf 40 --json", fast()));
    assert_eq!(run.code, 3, "{run:?}");
    let notes = run.notes();
    assert!(notes.iter().any(|note| note.contains("goes on with another video track")), "{notes:?}");
    assert_eq!(frame_times(&studio.path("both.mp4")).0.len(), 75);
    let run = studio.retake(&format!("encode both.ts -o a.mp4 {} --crf 40 --json --accept-damage", fast()));
    assert_eq!(run.code, 0, "{run:?}");
    // two programmes at once are no change
    studio.render("-i one.ts -i two.ts -map 0 -map 1 -c copy", "side.ts");
    let run = studio.encode(&format!("side.ts -o side.mp4 {} --crf 40", fast()));
    assert!(!run.notes().iter().any(|note| note.contains("another video track")), "{:?}", run.notes());
}

/// Each programme of a broadcast is a film of its own: the one with the largest pictures is made, on its own
/// clock, and the others are told.
#[test]
fn one_programme_of_a_broadcast_is_made() {
    let Some(studio) = Studio::empty() else { return };
    for (name, size) in [("large", "160x90"), ("small", "96x64")] {
        let source = format!("-f lavfi -i testsrc2=s={size}:r=25:d=2 -f lavfi -i sine=d=2");
        studio.render(&format!("{source} -c:v mpeg2video -c:a mp2"), &format!("{name}.ts"));
    }
    studio.render(
        "-itsoffset 3 -i large.ts -i small.ts -map 1 -map 0 -c copy -program title=small:st=0:st=1 \
         -program title=large:st=2:st=3",
        "both.ts",
    );
    let tracks = |film: &str| probe(&studio.path(film), "-show_entries stream=codec_type,start_time");
    studio.encode(&format!("large.ts -o large.mkv {} --crf 40", fast()));
    for container in ["mkv", "mp4", "m3u8"] {
        let run = studio.encode(&format!("both.ts -o both.{container} {} --crf 40", fast()));
        assert!(said(&run.notes(), &["2 tracks of other programmes"]), "{container}: {:?}", run.notes());
    }
    assert_eq!(tracks("both.mkv"), tracks("large.mkv"));
    assert_eq!(entry(&studio, "both.mp4", "stream=width"), "160");
}

/// Sound of a broadcast that begins so late that nothing of it is near the beginning is found all the same.
#[test]
fn sound_that_begins_late_is_found() {
    let Some(studio) = Studio::empty() else { return };
    for (name, flags) in [("late.ts", "-c:v mpeg2video -c:a mp2"), ("late.mpg", "-c:v mpeg2video -c:a mp2")] {
        studio.render(
            &format!(
                "-f lavfi -i testsrc2=s=640x360:r=25:d=22 -itsoffset 18 -f lavfi -i sine=d=4:sample_rate=48000 {flags} -b:v 4M -maxrate 4M -bufsize 1M"
            ),
            name,
        );
        assert!(studio.read(name).len() > 6 << 20, "the sound is not near the beginning");
        let run = studio.encode(&format!("{name} -o out.mp4 {} --crf 40 --overwrite", fast()));
        assert_eq!(run.notes(), [""; 0], "{name}");
        let sound = probe(&studio.path("out.mp4"), "-select_streams a:0 -show_entries stream=start_time");
        between(name, sound[0].trim_matches(',').parse().unwrap(), 17.9, 18.1);
    }
}
