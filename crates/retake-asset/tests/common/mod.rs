//! What all tests share: films rendered by the `ffmpeg` program, tracks read from them, and `ffprobe`'s word
//! on what was written.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)] // each test file uses its part

pub mod scripted;

use retake_asset::{
    AppendError, AssetWriter, AssetWriterInput, MediaSample, Mistake, PixelBufferAdaptor, SerialQueue,
    TrackFormat, UsageError,
};
use retake_compression::encoder::{EncoderInfo, Registry};
use retake_compression::property::Property;
use retake_libav::{TrackReader, probe};
use retake_media::{
    AudioFormat, Codec, FormatDescription, PixelBuffer, PixelBufferPool, PixelFormat, Sample, SampleKind,
    Time, TimeRange,
};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Longer than anything here takes; no test depends on how long it really is.
pub const LONG: Duration = Duration::from_secs(120);

/// A folder for the films of one test; removed at its end.
pub struct Studio(TempDir);

impl Studio {
    /// `None`, with a visible word, if there is no `ffmpeg` program.
    pub fn open() -> Option<Self> {
        let there = |program| {
            Command::new(program).arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
        };
        if there("ffmpeg") && there("ffprobe") {
            return Some(Self::empty());
        }
        eprintln!("SKIPPED: the ffmpeg and ffprobe programs are needed");
        None
    }

    /// A folder for what needs no programs.
    pub fn empty() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Names of all files there are.
    pub fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Renders a film with `ffmpeg ARGUMENTS name`; arguments are split at spaces.
    pub fn render(&self, arguments: &str, name: &str) -> PathBuf {
        let path = self.path(name);
        let mut words: Vec<&str> = arguments.split_whitespace().collect();
        words.push(path.to_str().unwrap());
        ffmpeg(&words);
        path
    }
}

/// Runs `ffmpeg` and gives what it wrote to standard output.
pub fn ffmpeg(arguments: &[&str]) -> String {
    let run = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-v", "error", "-y", "-threads", "1"])
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && said.is_empty(), "ffmpeg {arguments:?}: {said}");
    String::from_utf8(run.stdout).unwrap()
}

/// Runs `ffprobe` and gives its lines.
pub fn ffprobe(arguments: &str, film: &Path) -> Vec<String> {
    let run = Command::new("ffprobe")
        .args(["-v", "error", "-of", "csv=p=0"])
        .args(arguments.split_whitespace())
        .arg(film)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && said.is_empty(), "ffprobe {arguments}: {said}");
    let text = String::from_utf8_lossy(&run.stdout);
    text.lines().map(|line| line.trim_end_matches(',').to_owned()).filter(|line| !line.is_empty()).collect()
}

/// Hashes of all decoded frames of a track that are shown, with their times in seconds to the microsecond.
pub fn frames(film: &Path, track: &str) -> Vec<(i64, String)> {
    let map = format!("0:{track}");
    let film = film.to_str().unwrap();
    let list =
        ffmpeg(&["-i", film, "-map", &map, "-fps_mode", "passthrough", "-copyts", "-f", "framemd5", "-"]);
    let base = list.lines().find_map(|line| line.strip_prefix("#tb 0: ")).unwrap();
    let (num, den) = base.split_once('/').unwrap();
    let (num, den): (i64, i64) = (num.parse().unwrap(), den.parse().unwrap());
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    let parts = lines.map(|line| line.split(',').map(str::trim).collect::<Vec<_>>());
    parts
        .map(|parts| (parts[2].parse::<i64>().unwrap() * num * 1_000_000 / den, parts[5].to_owned()))
        .collect()
}

/// One track of a film, in memory.
#[derive(Clone)]
pub struct Track {
    pub format: TrackFormat,
    pub samples: Vec<Sample>,
}

impl Track {
    /// Video comes with decode times by rule T-2, as sessions give them.
    pub fn read(film: &Path, number: u32) -> Self {
        let info = probe(film).unwrap();
        let mut reader = TrackReader::open(&info, number).unwrap();
        let mut samples: Vec<Sample> = std::iter::from_fn(|| reader.next().unwrap()).collect();
        if number == info.video.index {
            let mut times: Vec<_> = samples.iter().map(|sample| sample.pts).collect();
            times.sort();
            samples.iter_mut().zip(times).for_each(|(sample, time)| sample.dts = time);
        }
        Self { format: reader.format().clone(), samples }
    }
}

/// A format for samples that no decoder will see.
pub fn video_format() -> TrackFormat {
    TrackFormat::Video(FormatDescription {
        // profile, level, no parameter sets
        config: vec![1, 100, 0, 10, 0xFF, 0xE0, 0],
        ..FormatDescription::video(Codec::H264, 64, 48)
    })
}

/// Sound whose samples nobody will decode.
pub fn audio_format() -> TrackFormat {
    TrackFormat::Audio(AudioFormat {
        frame_size: 1024,
        config: vec![0x11, 0x90],
        ..AudioFormat::new("aac", 48_000, 2)
    })
}

/// A sample of a few bytes: number `index` at 24 a second, sync every 12.
pub fn picture(index: i64) -> Sample {
    let time = Time::new(index, 24);
    Sample {
        data: vec![0, 0, 0, 2, 9, index as u8],
        pts: time,
        dts: time,
        duration: Time::new(1, 24),
        kind: if index % 12 == 0 { SampleKind::Sync } else { SampleKind::Reference },
    }
}

/// A packet of sound: number `index`, 1024 samples at 48 kHz.
pub fn sound(index: i64) -> Sample {
    let time = Time::new(index * 1024, 48_000);
    Sample {
        data: vec![1, 2, 3, index as u8],
        pts: time,
        dts: time,
        duration: Time::new(1024, 48_000),
        kind: SampleKind::Sync,
    }
}

/// Appends as soon as the input is ready.
pub fn append(input: &AssetWriterInput, sample: impl Into<MediaSample>) {
    assert!(input.wait_until_ready(LONG), "never ready");
    match input.append(sample) {
        Ok(()) => {}
        Err(AppendError::NotReady(_)) => panic!("ready, and then not"),
        Err(error) => panic!("{error}"),
    }
}

/// Appends all tracks, from a thread for each.
pub fn append_all(inputs: &[AssetWriterInput], tracks: &[Track]) {
    std::thread::scope(|scope| {
        for (input, track) in inputs.iter().zip(tracks) {
            scope.spawn(move || {
                for sample in &track.samples {
                    append(input, sample.clone());
                }
                input.mark_as_finished().unwrap();
            });
        }
    });
}

/// A writer that has started, with inputs for these formats.
pub fn started(file: &Path, formats: &[TrackFormat]) -> (AssetWriter, Vec<AssetWriterInput>) {
    let container = retake_asset::Container::from_path(file).unwrap();
    let writer = AssetWriter::new(file, container);
    let inputs: Vec<_> = formats.iter().cloned().map(AssetWriterInput::passthrough).collect();
    inputs.iter().for_each(|input| writer.add(input).unwrap());
    writer.start_writing().unwrap();
    (writer, inputs)
}

/// The encoders of this build, with conversion of pictures.
pub fn registry() -> Registry {
    let mut registry = retake_encoders::registry();
    registry.set_transfer(Arc::new(|| Box::new(retake_libav::PictureTransfer::new())));
    registry
}

/// A fast preset, but one with reordering where the encoder has it.
pub fn fast(info: &EncoderInfo) -> Property {
    Property::EncoderPreset(
        match info.name {
            "x264" | "x265" => "veryfast",
            "svt-av1" => "8",
            "libaom" => "6",
            _ => "5",
        }
        .to_owned(),
    )
}

/// Picture number `index` of a film of scenes of a second that cost differently: moving slopes and blocks,
/// and noise in every other scene.
pub fn scene(index: i64, width: u32, height: u32) -> PixelBuffer {
    let mut buffer = PixelBufferPool::new(PixelFormat::I420, width, height).take();
    let (index, scene) = (index as u32, index as u32 / 24);
    let mut state = index.wrapping_mul(2_654_435_761) | 1;
    let noise = [6, 30, 1, 44, 12][scene as usize % 5];
    for plane in 0..3 {
        let (columns, rows) =
            if plane == 0 { (width, height) } else { (width.div_ceil(2), height.div_ceil(2)) };
        for y in 0..rows {
            let row = buffer.row_mut(plane, y as usize);
            for x in 0..columns {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let moved = x + index * (1 + scene % 2);
                let slope = (moved * (1 + scene % 3) + y * 2 + scene * 37) / 2 % 110;
                let block = (moved / 16 + y / 16 + scene) % 3 * 30;
                row[x as usize] = (30 + slope + block + (state >> 20) % noise).min(235) as u8;
            }
        }
    }
    buffer.freeze()
}

/// An answer that may be the refusal of a writer that was cancelled meanwhile.
pub fn unless_ended(answer: Result<(), UsageError>) {
    match answer {
        Err(UsageError { mistake: Mistake::Status { .. }, .. }) => {}
        answer => answer.unwrap(),
    }
}

/// Answers every pass of an input in the way that is usual for clients (AM-13): one request for a pass, whose
/// block appends the pictures of its ranges while the input is ready, and then ends the pass; at the end of
/// all it marks the input as finished. `saw` hears of each pass, and answers whether to go on with it, or to
/// mark the input as finished instead.
pub fn answer_passes(
    input: &AssetWriterInput,
    adaptor: Arc<PixelBufferAdaptor>,
    times: Arc<[Time]>,
    picture: impl Fn(usize) -> PixelBuffer + Send + Sync + 'static,
    mut saw: impl FnMut(Option<&[TimeRange]>) -> bool + Send + 'static,
) {
    let (queue, picture) = (Arc::new(SerialQueue::new("pictures").unwrap()), Arc::new(picture));
    let own = queue.clone();
    let answer = input.respond_to_each_pass_description(queue, move |input| {
        let pass = input.current_pass_description();
        let goes_on = saw(pass.as_ref().map(|pass| pass.source_time_ranges()));
        let Some(pass) = pass.filter(|_| goes_on) else {
            return input.mark_as_finished().unwrap();
        };
        let ranges = pass.source_time_ranges();
        let inside = |index: &usize| ranges.iter().any(|range| range.contains(times[*index]));
        let mut left: Vec<usize> = (0..times.len()).filter(inside).rev().collect();
        let (adaptor, times, picture) = (adaptor.clone(), times.clone(), picture.clone());
        let requested = input.request_media_data_when_ready(own.clone(), move |input| {
            while input.is_ready_for_more_media_data() {
                match left.pop() {
                    // a writer that is cancelled or has failed takes no more
                    Some(index) => drop(adaptor.append(picture(index), times[index])),
                    None => return unless_ended(input.mark_current_pass_as_finished()),
                }
            }
        });
        unless_ended(requested);
    });
    unless_ended(answer);
}

/// Contents of all boxes at a path of kinds, found without any code of ours.
pub fn boxes(bytes: &[u8], path: &[&[u8; 4]]) -> Vec<Vec<u8>> {
    let [kind, rest @ ..] = path else { return vec![bytes.to_vec()] };
    let (mut at, mut found) = (0, Vec::new());
    while at + 8 <= bytes.len() {
        let size = match u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize {
            0 => bytes.len() - at,
            size => size,
        };
        if bytes[at + 4..at + 8] == **kind {
            found.extend(boxes(&bytes[at + 8..at + size], rest));
        }
        at += size;
    }
    found
}

pub fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}
