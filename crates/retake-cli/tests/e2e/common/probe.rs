//! Independent evidence: what `ffprobe` and `ffmpeg` see in a film.

use std::path::Path;
use std::process::Command;

/// Runs `ffprobe` and gives its lines, as comma separated values.
pub(crate) fn probe(film: &Path, arguments: &str) -> Vec<String> {
    let run = Command::new("ffprobe")
        .args(["-v", "error", "-of", "csv=p=0"])
        .args(arguments.split_whitespace())
        .arg(film)
        .output()
        .unwrap();
    assert!(run.status.success(), "ffprobe {arguments}: {}", String::from_utf8_lossy(&run.stderr));
    let text = String::from_utf8_lossy(&run.stdout);
    text.lines().map(|line| line.trim_end_matches(',').to_owned()).filter(|line| !line.is_empty()).collect()
}

/// Hashes of the packets of the first track of a kind (`v`, `a`, `s`).
pub(crate) fn packet_hashes(film: &Path, kind: &str) -> Vec<String> {
    probe(
        film,
        &format!("-select_streams {kind}:0 -show_packets -show_data_hash md5 -show_entries packet=data_hash"),
    )
}

/// Bytes and number of the video packets.
pub(crate) fn video_bytes(film: &Path) -> (u64, u64) {
    let sizes = probe(film, "-select_streams v:0 -show_entries packet=size");
    (
        sizes.iter().map(|size| size.split(',').next().unwrap().parse::<u64>().unwrap()).sum(),
        sizes.len() as u64,
    )
}

/// When each sample of the first video track is decoded, in seconds, and its bytes.
fn packets(film: &Path) -> Vec<(f64, u64)> {
    let lines = probe(film, "-select_streams v:0 -show_entries packet=dts_time,size");
    let packet = |line: &String| {
        let mut fields = line.split(',');
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    lines.iter().map(|line| packet(line).unwrap()).collect()
}

/// The kilobits a second of the fullest two seconds of a film, by the decode times of its samples.
pub(crate) fn fullest(film: &Path) -> f64 {
    let mut samples = packets(film);
    samples.sort_by(|a, b| a.0.total_cmp(&b.0));
    let window = |from: usize| {
        let inside = samples[from..].iter().take_while(|sample| sample.0 < samples[from].0 + 2.0 - 1e-4);
        inside.map(|sample| sample.1).sum::<u64>() as f64 * 8.0 / 2000.0
    };
    (0..samples.len()).map(window).fold(0.0, f64::max)
}

/// Hashes of all pictures, as the `ffmpeg` program decodes them.
pub(crate) fn picture_hashes(film: &Path) -> Vec<String> {
    let folder = film.parent().unwrap();
    let name = film.file_name().unwrap().to_str().unwrap();
    let out = super::ffmpeg(folder, &format!("-i {name} -map 0:v:0 -fps_mode passthrough -f framemd5 -"));
    let text = String::from_utf8(out).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

/// The times at which frames of the first video track are shown, as fractions of a second: ticks, and ticks
/// per second.
pub(crate) fn frame_times(film: &Path) -> (Vec<i64>, (i64, i64)) {
    let base = probe(film, "-select_streams v:0 -show_entries stream=time_base");
    let base = base[0].split_once('/').unwrap();
    let times = probe(film, "-select_streams v:0 -show_entries frame=best_effort_timestamp");
    let times = times.iter().map(|time| time.split(',').next().unwrap().parse().unwrap()).collect();
    (times, (base.0.parse().unwrap(), base.1.parse().unwrap()))
}

/// Whether a number is in a range, with words for when it is not.
pub(crate) fn between(what: &str, value: f64, least: f64, most: f64) {
    assert!((least..=most).contains(&value), "{what}: {value} is not within {least} and {most}");
}

/// The PSNR of each pair of pictures that a graph of `ffmpeg` gives to its filter `psnr`. Input 0 is the
/// film, input 1 its source; the graph ends with `psnr=stats_file=-` and whatever options that has.
pub(crate) fn psnr(folder: &Path, film: &str, source: &str, graph: &str) -> Vec<f64> {
    let out = super::ffmpeg(folder, &format!("-i {film} -i {source} -lavfi {graph} -f null -"));
    let text = String::from_utf8(out).unwrap();
    let value = |line: &str| {
        let value = line.split("psnr_avg:").nth(1)?.split(' ').next()?;
        Some(if value == "inf" { 100.0 } else { value.parse().unwrap() })
    };
    text.lines().filter_map(value).collect()
}
