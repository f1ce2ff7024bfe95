//! Compares scores with those of FFmpeg's filters, on real pictures.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Ffmpeg, Shape, ffmpeg};
use retake_media::{PixelBuffer, PixelFormat};
use retake_quality::{MetricKind, Pooling, Scorer, ScorerSettings, Scores, available};
use retake_testing::clip;

/// A source and its encode, as raw files `source.yuv` and `film.yuv` for FFmpeg, and as pictures.
struct Pair {
    folder: tempfile::TempDir,
    ffmpeg: Ffmpeg,
    shape: Shape,
    source: Vec<PixelBuffer>,
    film: Vec<PixelBuffer>,
}

const FRAMES: usize = 48;

impl Pair {
    /// Takes 48 frames of a clip from a cut on (the first of them is the last of the shot before), in a size
    /// and format.
    fn new(format: PixelFormat, width: u32, height: u32) -> Option<Self> {
        let (clip, ffmpeg) = (clip("bbb-1080p24.mp4")?, ffmpeg()?);
        let folder = tempfile::tempdir().unwrap();
        let name = Self::name(format);
        let filter = format!(
            "trim=start_frame=284,setpts=PTS-STARTPTS,scale={width}:{height}:flags=bicubic,format={name}"
        );
        let frames = FRAMES.to_string();
        let raw = ["-f", "rawvideo", "-pix_fmt", name];
        let clip = clip.to_str().unwrap();
        let args = [&["-i", clip, "-an", "-vf", &filter, "-frames:v", &frames], &raw[..], &["source.yuv"]];
        ffmpeg.run(folder.path(), &args.concat());
        let shape = Shape::new(format, width, height);
        let size = format!("{width}x{height}");
        let input = ["-f", "rawvideo", "-pix_fmt", name, "-s", &size, "-r", "24", "-i"];
        let x264 = ["-c:v", "libx264", "-crf", "30", "-threads", "1", "film.mkv"];
        ffmpeg.run(folder.path(), &[&input[..], &["source.yuv"], &x264].concat());
        ffmpeg.run(folder.path(), &[&["-i", "film.mkv"], &raw[..], &["film.yuv"]].concat());
        let read = |name| shape.unpack(&std::fs::read(folder.path().join(name)).unwrap());
        let (source, film) = (read("source.yuv"), read("film.yuv"));
        assert_eq!((source.len(), film.len()), (FRAMES, FRAMES));
        Some(Self { folder, ffmpeg, shape, source, film })
    }

    fn name(format: PixelFormat) -> &'static str {
        match format {
            PixelFormat::I420 => "yuv420p",
            PixelFormat::I422 => "yuv422p",
            PixelFormat::I410 => "yuv444p10le",
            _ => "yuv420p10le",
        }
    }

    /// Runs a filter of two inputs (film, source) that writes a log, and returns the log.
    fn filter(&self, rate: &str, filter: &str, log: &str) -> String {
        let size = format!("{}x{}", self.shape.width, self.shape.height);
        let raw =
            ["-f", "rawvideo", "-pix_fmt", Self::name(self.shape.format), "-s", &size, "-r", rate, "-i"];
        let tail = ["-lavfi", filter, "-f", "null", "-"];
        self.ffmpeg
            .run(self.folder.path(), &[&raw[..], &["film.yuv"], &raw, &["source.yuv"], &tail].concat());
        std::fs::read_to_string(self.folder.path().join(log)).unwrap()
    }

    fn settings(&self, metric: MetricKind, rate: f64) -> ScorerSettings {
        ScorerSettings::new(metric, self.shape.width, self.shape.height, self.shape.format, rate)
    }

    fn score(&self, settings: &ScorerSettings) -> Scores {
        let mut scorer = Scorer::new(settings).unwrap();
        for (reference, picture) in self.source.iter().zip(&self.film) {
            scorer.push(reference, picture).unwrap();
        }
        scorer.finish().unwrap()
    }
}

/// Returns the numbers after `key` in a log, one a frame.
fn numbers(log: &str, key: &str) -> Vec<f64> {
    let number = |rest: &str| {
        let end = rest.find(|c: char| !"0123456789.-+einfa".contains(c)).unwrap_or(rest.len());
        rest[..end].parse().ok()
    };
    log.match_indices(key).filter_map(|(at, _)| number(log[at + key.len()..].trim_start())).collect()
}

fn assert_close(ours: &[f64], theirs: &[f64], tolerance: f64, what: &str) {
    assert_eq!((ours.len(), theirs.len()), (FRAMES, FRAMES), "{what}");
    for (frame, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        assert!((ours - theirs).abs() <= tolerance, "{what}, frame {frame}: {ours} here, {theirs} there");
    }
}

/// Some sizes are multiples of a vector and some are not.
const SHAPES: [(PixelFormat, u32, u32); 6] = [
    (PixelFormat::I420, 640, 360),
    (PixelFormat::I420, 426, 238),
    (PixelFormat::I010, 640, 360),
    (PixelFormat::I010, 358, 202),
    (PixelFormat::I422, 384, 202),
    (PixelFormat::I410, 390, 198),
];

#[test]
fn vmaf_is_that_of_ffmpeg() {
    if !available().contains(&MetricKind::Vmaf) {
        return eprintln!("SKIPPED: built without VMAF");
    }
    for (format, width, height) in SHAPES {
        // FFmpeg's libvmaf may use vector code, which is a little wrong for narrow pictures: by up to 0.11
        // where it was measured. Only one that was built without it is right there.
        let tolerance = if width < 544 { 0.15 } else { 2e-5 };
        let Some(pair) = Pair::new(format, width, height) else { return };
        let log = pair.filter("24", "libvmaf=n_threads=2:log_fmt=json:log_path=log.json", "log.json");
        let theirs = numbers(&log, "\"vmaf\":");
        let scores = pair.score(&pair.settings(MetricKind::Vmaf, 24.0)).complete().unwrap();
        assert_close(&scores, &theirs, tolerance, &format!("VMAF {format:?} {width}×{height}"));
    }
}

#[test]
fn psnr_is_that_of_ffmpeg() {
    for (format, width, height) in SHAPES {
        let Some(pair) = Pair::new(format, width, height) else { return };
        let theirs = numbers(&pair.filter("24", "psnr=stats_file=log.txt", "log.txt"), "psnr_y:");
        let scores = pair.score(&pair.settings(MetricKind::Psnr, 24.0));
        // The log has two digits behind the point.
        assert_close(&scores.psnr_y, &theirs, 0.0051, &format!("PSNR {format:?} {width}×{height}"));
        assert_eq!(scores.complete().unwrap(), scores.psnr_y);
    }
}

#[test]
fn ssim_is_that_of_ffmpeg() {
    for (format, width, height) in SHAPES {
        let Some(pair) = Pair::new(format, width, height) else { return };
        let theirs = numbers(&pair.filter("24", "ssim=stats_file=log.txt", "log.txt"), " Y:");
        let scores = pair.score(&pair.settings(MetricKind::Ssim, 24.0));
        let what = format!("SSIM {format:?} {width}×{height}");
        // FFmpeg computes in single precision and prints six digits.
        assert_close(&scores.complete().unwrap(), &theirs, 2e-6, &what);
    }
}

#[test]
fn xpsnr_is_that_of_ffmpeg() {
    // The last two are above the size from which pairs of samples are used.
    let large = [(PixelFormat::I420, 2560, 1440), (PixelFormat::I010, 2560, 1440)];
    for (format, width, height) in SHAPES.into_iter().chain([(PixelFormat::I420, 1280, 720)]).chain(large) {
        let Some(pair) = Pair::new(format, width, height) else { return };
        // How many pictures before one count is a matter of the rate alone, so large ones are made at one.
        for rate in if width > 1280 { &["24"][..] } else { &["24", "50"] } {
            // FFmpeg weighs by the activity of its first input, which must be the source.
            let log = pair.filter(rate, "[1:v][0:v]xpsnr=stats_file=log.txt", "log.txt");
            let theirs = ["y: ", "u: ", "v: "].map(|plane| {
                let mut numbers = numbers(&log, &format!("XPSNR {plane}"));
                numbers.truncate(FRAMES);
                numbers
            });
            // The planes are joined to one number a frame, as the metric's documentation defines it.
            let joined: Vec<f64> = (0..FRAMES)
                .map(|frame| {
                    let error = |plane: usize| 10_f64.powf(-theirs[plane][frame] / 10.0);
                    -10.0 * ((4.0 * error(0) + error(1) + error(2)) / 6.0).log10()
                })
                .collect();
            let scores = pair.score(&pair.settings(MetricKind::Xpsnr, rate.parse().unwrap()));
            let what = format!("XPSNR {format:?} {width}×{height} at {rate} fps");
            // Where there is no picture before, FFmpeg puts a black one, and this crate does not.
            let mut ours = scores.complete().unwrap();
            let first = if *rate == "24" { 1 } else { 2 };
            assert!(ours[0] < joined[0], "{what}");
            ours[..first].copy_from_slice(&joined[..first]);
            assert_close(&ours, &joined, 1.1e-4, &what);
        }
    }
}

/// Sampled frames score the same as when all do, the phases make up the whole, and a take that is shown its
/// surroundings scores the same as in the whole film.
#[test]
fn samples_and_takes_are_parts_of_the_whole() {
    let Some(pair) = Pair::new(PixelFormat::I420, 426, 238) else { return };
    for metric in available() {
        let whole = pair.score(&pair.settings(metric, 24.0));
        for stride in [2, 3, 5] {
            let settings = |phase| ScorerSettings { stride, phase, ..pair.settings(metric, 24.0) };
            let phase = |phase| pair.score(&settings(phase));
            let mut scores = phase(0);
            for (frame, score) in scores.frames.iter().enumerate() {
                let scored = metric == MetricKind::Psnr || settings(0).samples(frame);
                let expected = scored.then(|| whole.frames[frame].unwrap());
                assert_eq!(*score, expected, "{metric}, frame {frame}, stride {stride}");
            }
            for next in 1..stride {
                let next = phase(next);
                let (truth, estimate) = (whole.estimate(Pooling::Mean), next.estimate(Pooling::Mean));
                let far = (estimate.value - truth.value).abs();
                let what = format!("{metric}, stride {stride}: {estimate:?} for {truth:?}");
                // A sample cannot reveal a single frame that is unlike all others, such as the first after a
                // cut.
                assert!(far <= 3.0 * estimate.standard_error + 0.5 * metric.unit(), "{what}");
                scores.merge(&next).unwrap();
            }
            assert_eq!(scores, whole, "{metric}, stride {stride}");
        }
        let mut scorer = Scorer::new(&pair.settings(metric, 24.0)).unwrap();
        scorer.lead_in(&pair.source[9]).unwrap();
        for frame in 10..20 {
            scorer.push(&pair.source[frame], &pair.film[frame]).unwrap();
        }
        let take = scorer.finish_before(&pair.source[20]).unwrap();
        assert_eq!(take.frames, whole.frames[10..20], "{metric}");
        assert_eq!(take.motion, whole.motion.get(10..20).unwrap_or_default(), "{metric}");
    }
}

/// Draws the luma that `src/vmaf/check.c` draws.
fn drawn(shape: &Shape, frame: u32, scored: bool) -> PixelBuffer {
    let (depth, mut noise) = (shape.format.bit_depth(), 1 + frame);
    let mut bytes = Vec::new();
    for y in 0..shape.height {
        for x in 0..shape.width {
            let (a, b) = ((x + 5 * frame) & 63, (y + 2 * frame) & 31);
            let mut value = 40 + a.min(63 - a) * 3 + b.min(31 - b) * 4 + ((x * y) >> 5 & 15);
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if scored {
                value = (value & !15) + (noise >> 27);
            }
            let sample = (value << (depth - 8)) as u16;
            bytes.extend_from_slice(&sample.to_le_bytes()[..shape.format.bytes_per_sample()]);
        }
    }
    bytes.resize(bytes.len() * 3 / 2, 128);
    shape.unpack(&bytes).remove(0)
}

/// A library of the system is taken where it scores what the build script expects, so that this has to be
/// what the library in this build scores, too.
#[test]
fn vmaf_is_what_libraries_are_checked_for() {
    if !available().contains(&MetricKind::Vmaf) {
        return eprintln!("SKIPPED: built without VMAF");
    }
    let check = include_str!("../src/vmaf/check.c");
    let table = check.split_once("films[] = {").unwrap().1.split_once("};").unwrap().0;
    let rows: Vec<Vec<f64>> = table
        .lines()
        .map(|row| row.split([' ', ',', '{', '}']).filter_map(|word| word.parse().ok()).collect())
        .filter(|row: &Vec<f64>| !row.is_empty())
        .collect();
    assert_eq!(rows.len(), 3);
    for row in rows {
        let &[width, height, depth, _, first, second] = &row[..] else { panic!("{row:?}") };
        let format = if depth > 8.0 { PixelFormat::I010 } else { PixelFormat::I420 };
        let shape = Shape::new(format, width as u32, height as u32);
        let settings = ScorerSettings::new(MetricKind::Vmaf, shape.width, shape.height, format, 24.0);
        let mut scorer = Scorer::new(&settings).unwrap();
        for frame in 0..3 {
            scorer.push(&drawn(&shape, frame, false), &drawn(&shape, frame, true)).unwrap();
        }
        let scores = scorer.finish().unwrap().complete().unwrap();
        for (ours, expected) in scores.iter().zip([first, second]) {
            assert!((ours - expected).abs() < 2e-6, "{row:?}: {scores:?}");
        }
    }
    let library = MetricKind::Vmaf.library().unwrap();
    assert!(library.strip_prefix("libvmaf ").is_some_and(|version| version.starts_with(char::is_numeric)));
}
