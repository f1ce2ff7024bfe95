//! Times of variable frame rate films survive to the tick, and sound stays where it was.

use crate::common::{Studio, between, fast, frame_times, probe};
use std::fs;
use std::path::Path;

/// A film with irregular times, whose sound begins later than its pictures.
fn irregular(studio: &Studio) {
    studio.render(
        "-f lavfi -i testsrc2=s=160x90:r=25:d=4 -itsoffset 0.37 -f lavfi -i sine=d=3:sample_rate=48000 \
         -filter_complex [0:v]settb=1/1000,setpts=N*40+mod(N*N*7\\,31)[v] -map [v] -map 1:a \
         -fps_mode passthrough -enc_time_base 1:1000 -c:v mpeg4 -bf 2 -q:v 3 -c:a aac",
        "irregular.mkv",
    );
}

/// Seconds after the first picture at which each packet of the sound is heard.
fn sound(film: &Path) -> Vec<f64> {
    let (pictures, base) = frame_times(film);
    let first = pictures[0] as f64 * base.0 as f64 / base.1 as f64;
    let times = probe(film, "-select_streams a:0 -show_entries packet=pts_time");
    times.iter().map(|time| time.split(',').next().unwrap().parse::<f64>().unwrap() - first).collect()
}

/// Compares exactly: `a` ticks of `p/q` seconds with `b` ticks of `r/s` seconds, from the first frame on.
fn same_times(source: &Path, film: &Path) {
    let ((a, (p, q)), (b, (r, s))) = (frame_times(source), frame_times(film));
    assert_eq!(a.len(), b.len());
    for (frame, (x, y)) in a.iter().zip(&b).enumerate() {
        assert_eq!((x - a[0]) * p * s, (y - b[0]) * r * q, "frame {frame} of {}", film.display());
    }
}

#[test]
fn irregular_times_survive_to_the_tick() {
    let Some(studio) = Studio::empty() else { return };
    irregular(&studio);
    let source = studio.path("irregular.mkv");
    let (times, _) = frame_times(&source);
    let steps: std::collections::BTreeSet<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(times.len() == 100 && steps.len() > 10, "irregular indeed: {times:?}");
    for encoder in crate::common::encoders() {
        for container in ["mp4", "mkv"] {
            let name = format!("{}.{container}", encoder.name);
            studio.encode(&format!("irregular.mkv -o {name} {} --crf 40", encoder.flags));
            same_times(&source, &studio.path(&name));
        }
    }
}

#[test]
fn sound_stays_where_it_was() {
    let Some(studio) = Studio::empty() else { return };
    irregular(&studio);
    let expected = sound(&studio.path("irregular.mkv"));
    between("the sound begins late", expected[0], 0.3, 0.4);
    for container in ["mp4", "mkv"] {
        let name = format!("out.{container}");
        studio.encode(&format!("irregular.mkv -o {name} {} --crf 40", fast()));
        let found = sound(&studio.path(&name));
        assert_eq!(found.len(), expected.len());
        for (packet, (a, b)) in expected.iter().zip(&found).enumerate() {
            // the source's clock has milliseconds
            between(&format!("{container}: packet {packet} of the sound"), b - a, -0.0011, 0.0011);
        }
    }
}

/// A film whose clock does not begin at zero: pictures and sound stay together.
#[test]
fn a_film_that_begins_late() {
    let Some(studio) = Studio::open() else { return };
    studio.render("-i film.mkv -map 0:v -map 0:a -c copy -output_ts_offset 7.5", "late.mkv");
    let expected = sound(&studio.path("late.mkv"));
    for container in ["mp4", "mkv"] {
        let name = format!("out.{container}");
        studio.encode(&format!("late.mkv -o {name} {} --crf 40", fast()));
        same_times(&studio.path("late.mkv"), &studio.path(&name));
        let found = sound(&studio.path(&name));
        assert_eq!(found.len(), expected.len());
        between(&format!("{container}: the sound moved"), found[10] - expected[10], -0.0011, 0.0011);
    }
}

/// NTSC's 30000/1001 and a clock as fine as a camera's stay exact in MP4.
#[test]
fn exact_frame_rates() {
    let Some(studio) = Studio::empty() else { return };
    for rate in ["30000/1001", "24000/1001", "60", "25"] {
        studio.render(
            &format!("-f lavfi -i testsrc2=s=160x90:r={rate}:d=2 -c:v mpeg4 -bf 2 -q:v 5"),
            "source.mp4",
        );
        studio.encode(&format!("source.mp4 -o out.mp4 {} --crf 40 --overwrite", fast()));
        same_times(&studio.path("source.mp4"), &studio.path("out.mp4"));
        let found = probe(&studio.path("out.mp4"), "-select_streams v -show_entries stream=avg_frame_rate");
        let expected = if rate.contains('/') { rate.to_owned() } else { format!("{rate}/1") };
        assert_eq!(found, [expected]);
    }
}

/// Matroska counts milliseconds: frames that are closer are refused before the work, and MP4 holds them.
#[test]
fn frames_that_are_too_close_for_matroska_are_refused() {
    let Some(studio) = Studio::empty() else { return };
    studio.render("-f lavfi -i testsrc2=s=64x64:r=1500:d=0.02 -c:v libx264 -bf 2", "film.mp4");
    let before = studio.names();
    let job = |output: &str| format!("encode film.mp4 -o {output} {} --crf 40 --json", fast());
    studio.retake(&job("out.mkv")).refused(2, &["out.mkv", "0.6667 ms apart", ".mp4"]);
    assert_eq!(studio.names(), before);
    let run = studio.retake(&job("out.mp4"));
    assert_eq!((run.code, run.summary()["frames"].as_u64()), (0, Some(30)), "{run:?}");
    studio.render("-f lavfi -i testsrc2=s=64x64:r=1000:d=0.02 -c:v libx264 -bf 2", "film.mp4");
    let run = studio.retake(&job("out.mkv"));
    assert_eq!(run.code, 0, "{run:?}");
}

/// The head of a damaged film states a clock with which frames are days or less than a microsecond apart:
/// both are refused before the work, whatever the container.
#[test]
fn clocks_that_cannot_be_are_refused() {
    let Some(studio) = Studio::empty() else { return };
    studio.render("-f lavfi -i testsrc2=s=64x64:r=25:d=1 -c:v libvpx -b:v 100k -cpu-used 8", "film.ivf");
    // rate and scale lie behind 16 bytes (IVF)
    for (rate, scale, what) in [(25u32, 8_388_609u32, "hours apart"), (100_000_000, 1, "ms apart")] {
        let mut film = studio.read("film.ivf");
        film[16..20].copy_from_slice(&rate.to_le_bytes());
        film[20..24].copy_from_slice(&scale.to_le_bytes());
        fs::write(studio.path("damaged.ivf"), film).unwrap();
        let before = studio.names();
        for output in ["out.mp4", "out.mkv", "out.m3u8"] {
            let run = studio.retake(&format!("encode damaged.ivf -o {output} {} --crf 40", fast()));
            run.refused(2, &[what]);
            assert_eq!(studio.names(), before, "{output}");
        }
    }
}

/// One stamp of a program stream is damaged, whichever it is: the picture has its place from those around it,
/// and no frame comes hours late.
#[test]
fn a_damaged_stamp_of_a_program_stream_moves_nothing() {
    let Some(studio) = Studio::empty() else { return };
    let sound = "-f lavfi -i sine=r=48000:d=1 -c:a mp2";
    studio
        .render(&format!("-f lavfi -i testsrc2=s=64x64:r=25:d=1 {sound} -c:v mpeg2video -bf 0"), "film.mpg");
    let film = studio.read("film.mpg");
    // Behind the mark and the length of a packet of video comes its time, whose third highest bit is 6.6
    // hours (ISO 11172-1); another one is 25 minutes.
    let stamped = |at: &usize| {
        film[*at..].starts_with(&[0, 0, 1, 0xe0]) && film[at + 6] >> 4 == 2 + (film[at + 6] >> 4 & 1)
    };
    let packets: Vec<usize> = (0..film.len() - 7).filter(stamped).collect();
    assert!(packets.len() > 9, "{packets:?}");
    for (at, (byte, bit)) in packets.iter().flat_map(|&at| [(at, (6, 4)), (at, (7, 0x20))]) {
        let mut damaged = film.clone();
        damaged[at + byte] ^= bit;
        fs::write(studio.path("damaged.mpg"), damaged).unwrap();
        let run = studio.encode(&format!("damaged.mpg -o out.mp4 -y {} --crf 40", fast()));
        assert_eq!(run.summary()["frames"], 25, "{at}: {run:?}");
        between("the length of the film", run.summary()["seconds"].as_f64().unwrap(), 0.9, 1.3);
    }
}

/// Nothing comes for hours, in all tracks: ISO files cannot say it on clocks that are fine, and Matroska can.
#[test]
fn gaps_of_hours_are_refused_where_no_clock_says_them() {
    let Some(studio) = Studio::empty() else { return };
    let source = "-f lavfi -i testsrc2=s=64x64:r=25:d=2 -f lavfi -i sine=r=48000:d=2";
    studio.render(&format!("{source} -c:v libx264 -bf 0 -g 25 -c:a aac"), "base.mkv");
    // NUT keeps the clock of 90 kHz that transport streams have.
    studio.render("-i base.mkv -map 0:v -c copy", "base.ts");
    let gap = |hours: u32, name: &str, film: &str| {
        let after = |count| format!("setts=ts='if(lt(N,{count}),TS,TS+{hours}*3600/TB)'");
        studio.render(&format!("-i {film} -c copy -bsf:v {} -bsf:a {}", after(25), after(47)), name);
    };
    // 31 bits are 12.4 hours of sound at 48 kHz, and 6.6 of pictures at 90 kHz.
    gap(15, "sound.mkv", "base.mkv");
    gap(7, "pictures.nut", "base.ts");
    // These fit, as long as no picture refers to one behind the gap.
    gap(11, "fits.mkv", "base.mkv");
    gap(6, "fits.nut", "base.ts");
    let last = |film: &str, kind: &str| {
        let times =
            probe(&studio.path(film), &format!("-select_streams {kind} -show_entries packet=pts_time"));
        times.last().and_then(|time| time.trim_end_matches(',').parse::<f64>().ok()).unwrap() / 3600.0
    };
    for (film, track) in [("sound.mkv", "track 1"), ("pictures.nut", "track 0")] {
        let before = studio.names();
        for output in ["out.mp4", "out.mov", "out.m3u8"] {
            let run = studio.retake(&format!("encode {film} -o {output} {} --crf 40", fast()));
            run.refused(2, &[track, "hours", ".mkv", "--from"]);
            assert_eq!(studio.names(), before, "{output}");
        }
        // A part of it has no gap.
        studio.encode(&format!("{film} -o part.mp4 -y {} --crf 40 --to 0.5", fast()));
    }
    for (film, output, hours) in
        [("sound.mkv", "out.mkv", 15.0), ("fits.mkv", "a.mp4", 11.0), ("fits.nut", "b.mp4", 6.0)]
    {
        studio.encode(&format!("{film} -o {output} {} --crf 40", fast()));
        let kinds = if film.ends_with("nut") { "v" } else { "va" };
        for kind in kinds.split("").filter(|kind| !kind.is_empty()) {
            between("the last sample, in hours", last(output, kind), hours, hours + 0.01);
        }
    }
}

/// Edits of a track of an MP4 film whose boxes come last: how long in milliseconds, from which tick of the
/// track (-1: nothing is shown).
fn edit(film: &mut Vec<u8>, track: usize, edits: &[(u32, i32)]) {
    let find = |film: &[u8], from: usize, kind: &[u8; 4], number: usize| {
        let at = film[from..].windows(4).enumerate().filter(|(_, four)| four == kind).nth(number);
        from + at.expect("the box is there").0 - 4
    };
    let moov = find(film, 0, b"moov", 0);
    let trak = find(film, moov, b"trak", track);
    let (edts, elst) = (find(film, trak, b"edts", 0), find(film, trak, b"elst", 0));
    let size = |film: &[u8], at: usize| u32::from_be_bytes(film[at..at + 4].try_into().unwrap());
    assert_eq!(moov + size(film, moov) as usize, film.len(), "no place in the file moves");
    let before = size(film, elst);
    let mut list = [[0; 4], (edits.len() as u32).to_be_bytes()].concat();
    for (length, start) in edits {
        list.extend([length.to_be_bytes(), start.to_be_bytes(), 0x1_0000_u32.to_be_bytes()].concat());
    }
    let after = list.len() as u32 + 8;
    for at in [moov, trak, edts, elst] {
        let grown = size(film, at) + after - before;
        film[at..at + 4].copy_from_slice(&grown.to_be_bytes());
    }
    film.splice(elst + 8..elst + before as usize, list);
}

/// A film that was cut by edit lists alone is decoded further than it is shown, and then back: that is no
/// jump of its clock. What is hidden between two parts is heard in no container. A track may begin before
/// another one whose samples come first in the file.
#[test]
fn edits_are_played_as_players_do() {
    let Some(studio) = Studio::empty() else { return };
    let render = |distance: u32| {
        let film = format!("{distance}.mp4");
        studio.render(
            &format!(
                "-f lavfi -i testsrc2=s=160x90:r=25:d=4 -f lavfi -i sine=d=4:sample_rate=44100 -c:v libx264 \
                 -g {distance} -bf 2 -c:a aac -video_track_timescale 12800 -bitexact"
            ),
            &film,
        );
        studio.read(&film)
    };
    // FFmpeg itself shows one picture twice where it goes back between two sync frames
    let (whole, in_seconds) = (render(12), render(25));
    // what begins at a tick of a second, behind the pictures and the sound that come before all
    let (picture, sound_at) = (|second: i32| second * 12_800 + 1024, |second: i32| second * 44_100 + 1024);
    let cases = [
        ("cut", vec![0, 2], true),
        ("swapped", vec![2, 0], true),
        ("twice", vec![0, 0], true),
        ("pictures", vec![0, 2], false),
    ];
    let heard = |film: &Path| {
        let packets = probe(film, "-select_streams a:0 -show_entries packet=pts_time,flags");
        let packets = packets.iter().filter(|packet| !packet.contains('D'));
        let times = packets.map(|packet| packet.split(',').next().unwrap().parse::<f64>().unwrap());
        times.collect::<Vec<_>>()
    };
    let played = |name: &str| {
        let source = studio.path(&format!("{name}.mp4"));
        for container in ["mp4", "mkv"] {
            let output = format!("{name}-out.{container}");
            let run = studio.encode(&format!("{name}.mp4 -o {output} {} --crf 40", fast()));
            assert_eq!(run.notes(), [""; 0], "{name}");
            same_times(&source, &studio.path(&output));
            let (expected, found) = (heard(&source), heard(&studio.path(&output)));
            // Matroska has no list that hides what primes the decoder
            assert!(
                found.len().abs_diff(expected.len()) <= 1,
                "{output}: {} of {}",
                found.len(),
                expected.len()
            );
            let ends = |times: &[f64]| times.last().copied().unwrap();
            between(&output, ends(&found), ends(&expected) - 0.03, ends(&expected) + 0.03);
        }
    };
    for (name, parts, of_sound) in cases {
        let mut film = if parts == [0, 2] { whole.clone() } else { in_seconds.clone() };
        edit(&mut film, 0, &parts.iter().map(|&second| (1000, picture(second))).collect::<Vec<_>>());
        if of_sound {
            edit(&mut film, 1, &parts.iter().map(|&second| (1000, sound_at(second))).collect::<Vec<_>>());
        }
        fs::write(studio.path(&format!("{name}.mp4")), film).unwrap();
        played(name);
    }
    let mut film = whole;
    edit(&mut film, 0, &[(1000, -1), (2000, picture(0))]);
    fs::write(studio.path("late.mp4"), film).unwrap();
    played("late");
}
