//! Two independent readers agree on the films that are made: FFmpeg and GStreamer.

use crate::common::{FRAMES, Seen, Studio, encoders, fast, frame_times, probe};

/// Nanoseconds of a number of ticks.
fn nanoseconds(ticks: i64, (num, den): (i64, i64)) -> i64 {
    (i128::from(ticks) * i128::from(num) * 1_000_000_000 / i128::from(den)) as i64
}

fn demuxer(container: &str) -> &'static str {
    if ["mp4", "mov"].contains(&container) { "qtdemux" } else { "matroskademux" }
}

/// In every container, and from every encoder, pictures come at the same times, in the same order of
/// decoding, with the same sync frames; the length is the film's; and a seek comes out at a sync frame
/// before.
#[test]
fn pictures_seeks_and_lengths() {
    let Some(studio) = Studio::open() else { return };
    let mut left = vec!["mov", "mkv", "webm"];
    for encoder in encoders() {
        let h26 = ["h264", "hevc"].contains(&encoder.codec.as_str());
        let fits = |container: &str| !(container == "mov" && !h26 || container == "webm" && h26);
        // every encoder in MP4, and each other container once
        let mut containers = vec!["mp4"];
        if let Some(other) = left.iter().position(|container| fits(container)) {
            containers.push(left.remove(other));
        }
        for container in containers {
            let name = format!("{}.{container}", encoder.name);
            studio.encode(&format!(
                "film.mkv -o {name} {} --metric psnr -q 15 --tolerance 80 --passes 1",
                encoder.flags
            ));
            let film = studio.path(&name);
            let Some(seen) = Seen::in_film(demuxer(container), &film, &[2.9, 7.3, 0.0]) else { return };
            let (times, base) = frame_times(&film);
            let iso = demuxer(container) == "qtdemux";
            let expected: Vec<i64> = times.iter().map(|ticks| nanoseconds(*ticks, base)).collect();
            let shown = seen.shown();
            assert_eq!(shown.len() as u64, FRAMES, "{name}");
            for (frame, (a, b)) in shown.iter().zip(&expected).enumerate() {
                assert!(a.abs_diff(*b) <= 1, "{name}: frame {frame} at {a} and {b}");
            }
            let packets = probe(&film, "-select_streams v:0 -show_entries packet=flags,size");
            let packets: Vec<_> = packets.iter().map(|packet| packet.split_once(',').unwrap()).collect();
            for (sample, (size, flags)) in seen.video.iter().zip(packets) {
                assert_eq!(sample.bytes, size.parse::<u64>().unwrap(), "{name}");
                // superframes and open refreshes are no matter here: units begin with what both call a sync
                // frame
                assert!(!flags.starts_with('K') || sample.sync, "{name}");
            }
            let decoded: Vec<i64> = seen.video.iter().filter_map(|sample| sample.dts).collect();
            assert!(
                decoded.windows(2).all(|pair| pair[0] < pair[1]) && (!iso || decoded.len() as u64 == FRAMES)
            );
            for sample in &seen.video {
                assert!(sample.dts.is_none_or(|dts| dts <= sample.pts), "{name}: {sample:?}");
            }
            let length = FRAMES as i64 * 1_000_000_000 / 24;
            // sound goes on a little, by its last packet and where a container has no edits, by its first
            assert!((0..600_000_000).contains(&(seen.duration - length)), "{name}: {}", seen.duration);
            let syncs: Vec<i64> =
                seen.video.iter().filter(|sample| sample.sync).map(|sample| sample.pts).collect();
            for (second, (came_out, sync)) in [2.9, 7.3, 0.0].into_iter().zip(&seen.seeks) {
                // a player may go back farther than to the last one: it looks at sound, too
                let before = |time: &&i64| **time <= (second * 1e9) as i64 || **time == syncs[0];
                let found = syncs.iter().filter(before).any(|time| came_out.abs_diff(*time) <= 1);
                assert!(*sync && found, "{name}: {second} → {came_out}");
            }
        }
    }
}

/// Sound is where it was, to the sample: what comes before the first picture is edited out, and what begins
/// late begins late.
#[test]
fn sound_is_where_it_was() {
    let Some(studio) = Studio::open() else { return };
    // in MP4, priming is known to the sample
    studio.render("-i film.mkv -map 0:v -map 0:a -c:v copy -c:a aac", "primed.mp4");
    studio.render("-i film.mkv -itsoffset 0.5 -i film.mkv -map 0:v -map 1:a -c:v copy -c:a aac", "late.mp4");
    for source in ["primed", "late"] {
        let name = format!("{source}.mp4");
        let Some(before) = Seen::in_film("qtdemux", &studio.path(&name), &[]) else { return };
        for container in ["mp4", "mov", "mkv"] {
            let name = format!("{source}.out.{container}");
            studio.encode(&format!("{source}.mp4 -o {name} {} --crf 45", fast()));
            let Some(after) = Seen::in_film(demuxer(container), &studio.path(&name), &[]) else { return };
            // a last packet that an edit list hides altogether is not read by FFmpeg
            assert!(before.sound.len() - after.sound.len() <= 1, "{name}: {}", after.sound.len());
            let distance = |seen: &Seen| seen.sound[10].pts - seen.shown()[10];
            // Matroska has milliseconds, on both sides
            let tolerance = if container == "mkv" { 1_000_000 } else { 25_000 };
            let moved = distance(&after) - distance(&before);
            assert!(moved.abs() <= tolerance, "{name}: the sound moved by {moved} ns");
        }
    }
}
