//! What tests of several modules need: an encoder without a library, a film without a container, and a job of
//! both.

use crate::event::{Outcome, StopReason, Summary};
use crate::job::identity::RequestIdentity;
use crate::job::request::{Request, Target};
use crate::job::{Began, Job};
use crate::objects::{Existing, Object, ObjectFacts, ObjectStore, Objects};
use crate::stop::StopFlag;
use retake_compression::encoder::{
    ControlSupport, EncodedFrame, Encoder, EncoderError, EncoderFactory, EncoderInfo, EncoderSettings,
    FrameOptions, Output, Preset, QualityScale, RateControl,
};
use retake_media::{
    Codec, FormatDescription, PixelBuffer, PixelBufferAttributes, PixelFormat, Sample, SampleKind, Time,
    WritableBuffer,
};
use retake_quality::MetricKind;
use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// A summary of nothing in particular.
pub(crate) fn summary_of(film: &Path) -> Summary {
    Summary {
        output: film.to_owned(),
        frames: 1,
        seconds: 1.0,
        file_bytes: 8,
        video_bytes: 4,
        outcome: Outcome::Satisfied,
        missed: Vec::new(),
        stopped_because: StopReason::Satisfied,
        passes: Vec::new(),
        quality: None,
        cpu_seconds: 0.1,
        wall_seconds: 0.2,
        efforts: Vec::new(),
        sound: Vec::new(),
        variants: Vec::new(),
        notes: Vec::new(),
    }
}

/// An encoder that rounds samples of luma: the more, the coarser its quality. Options that it does not know
/// are refused when it is opened, but `panic`, which panics when the first frame comes.
struct Rounding {
    info: EncoderInfo,
    /// It keeps everything until it is told that nothing more comes, whatever it says of its delay.
    keeps_all: bool,
}

/// The encoder of these tests.
pub(crate) fn factory() -> Arc<dyn EncoderFactory> {
    rounding(false)
}

/// The same encoder, but it holds back all frames of an encode, which is more than it says.
pub(crate) fn factory_that_keeps_all() -> Arc<dyn EncoderFactory> {
    rounding(true)
}

fn rounding(keeps_all: bool) -> Arc<dyn EncoderFactory> {
    let info = EncoderInfo {
        name: "rounding",
        codec: Codec::H264,
        version: "1".into(),
        formats: vec![PixelFormat::I420],
        presets: vec![Preset { name: "only".into() }],
        default_preset: "only",
        quality: QualityScale { min: 0.0, max: 51.0, step: 1.0, usual: 23.0 },
        reconstructs: true,
        steers: false,
        reorders: false,
        licence: "MIT",
        controls: ControlSupport::default(),
    };
    Arc::new(Rounding { info, keeps_all })
}

impl EncoderFactory for Rounding {
    fn info(&self) -> &EncoderInfo {
        &self.info
    }

    fn memory(&self, _: &EncoderSettings) -> u64 {
        0
    }

    fn delay(&self, _: &EncoderSettings) -> u32 {
        1
    }

    fn open(&self, settings: &EncoderSettings) -> Result<Box<dyn Encoder>, EncoderError> {
        let panics = settings.options.iter().any(|(key, _)| key == "panic");
        if let Some((key, _)) = settings.options.iter().find(|(key, _)| key != "panic") {
            let (setting, reason) = (key.clone(), "is not known".to_owned());
            return Err(EncoderError::Settings { encoder: "rounding", setting, reason });
        }
        let step = match settings.rate {
            RateControl::Quality(quality) => 1 + (quality / 4.0) as u8,
            _ => 1,
        };
        let (width, height) = (settings.width, settings.height);
        let format = FormatDescription {
            colour: settings.colour,
            pixel_aspect_ratio: settings.pixel_aspect_ratio,
            ..FormatDescription::video(Codec::H264, width, height)
        };
        Ok(Box::new(RoundingEncode {
            format,
            step,
            panics,
            keeps_all: self.keeps_all,
            reconstructs: settings.reconstruct,
            sent: 0,
            out: VecDeque::new(),
            finished: false,
        }))
    }
}

struct RoundingEncode {
    format: FormatDescription,
    step: u8,
    panics: bool,
    keeps_all: bool,
    reconstructs: bool,
    sent: u64,
    out: VecDeque<Output>,
    finished: bool,
}

impl Encoder for RoundingEncode {
    fn format(&self) -> &FormatDescription {
        &self.format
    }

    fn send(
        &mut self,
        picture: &PixelBuffer,
        pts: Time,
        duration: Time,
        _: FrameOptions,
    ) -> Result<(), EncoderError> {
        assert!(!self.panics, "as it was asked to");
        let attributes = PixelBufferAttributes::of(PixelFormat::I420, picture.width(), picture.height());
        let mut rounded = WritableBuffer::create(&attributes).unwrap();
        let mut data = Vec::new();
        for plane in 0..3 {
            let rows = if plane == 0 { picture.height() } else { picture.height() / 2 } as usize;
            for row in 0..rows {
                rounded.row_mut(plane, row).copy_from_slice(picture.row(plane, row));
                if plane == 0 {
                    rounded.row_mut(plane, row).iter_mut().for_each(|sample| *sample -= *sample % self.step);
                    data.extend(rounded.row_mut(plane, row).iter().step_by(usize::from(self.step) * 8));
                }
            }
        }
        let picture = rounded.freeze();
        let kind = if self.sent == 0 { SampleKind::Sync } else { SampleKind::Reference };
        let sample = Sample { data, pts, dts: pts, duration, kind };
        let frame = EncodedFrame { sample, index: self.sent, qp: 0.0, error: None, token: None, layer: 0 };
        self.out.push_back(Output::Frame(frame));
        if self.reconstructs {
            self.out.push_back(Output::Picture { index: self.sent, picture });
        }
        self.sent += 1;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), EncoderError> {
        self.finished = true;
        Ok(())
    }

    fn receive(&mut self) -> Result<Output, EncoderError> {
        let rest = if self.finished { Output::End } else { Output::Pending };
        if self.keeps_all && !self.finished {
            return Ok(rest);
        }
        Ok(self.out.pop_front().unwrap_or(rest))
    }
}

/// Frames of the film of these tests.
pub(crate) const FRAMES: u64 = 72;

/// Three scenes of noise that grows coarser, in a format without a library: YUV4MPEG2.
pub(crate) fn film(folder: &Path) -> PathBuf {
    let (width, height) = (128usize, 96usize);
    let mut film = format!("YUV4MPEG2 W{width} H{height} F24:1 Ip A1:1 C420\n").into_bytes();
    let mut random = 1u32;
    for frame in 0..FRAMES as usize {
        film.extend(b"FRAME\n");
        let cell = 1 << (frame / 24 * 2);
        let noise: Vec<u8> = (0..width * height)
            .map(|_| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (random >> 24) as u8
            })
            .collect();
        for row in 0..height {
            for column in 0..width {
                let place = row / cell * cell * width + column / cell * cell;
                film.push(((column + frame) as u8 / 2).saturating_add(noise[place] / 3).max(16));
            }
        }
        film.extend(vec![(100 + frame / 24 * 20) as u8; width * height / 4]);
        film.extend(vec![128u8; width * height / 4]);
    }
    let path = folder.join("source.y4m");
    fs::write(&path, film).unwrap();
    path
}

/// A job of that film and that encoder in a folder, for a floor that takes a second pass.
pub(crate) fn job(folder: &Path, change: impl FnOnce(&mut Request)) -> Job {
    let mut request = Request::new(film(folder), folder.join("out.mp4"), factory());
    request.metric = MetricKind::Psnr;
    request.target = Some(Target::floor(40.0).unwrap().tolerance(0.5).unwrap());
    request.multi_pass = true;
    request.jobs = Some(2);
    change(&mut request);
    let identity = RequestIdentity::of(&request);
    Job::prepare(&request, identity, Began::now(), &StopFlag::new()).unwrap()
}

/// A folder for films that the `ffmpeg` program renders, which is removed at the end of a test.
pub(crate) struct Studio(tempfile::TempDir);

impl Studio {
    /// Opens a folder; `None`, with a visible word, if there is no `ffmpeg` program.
    pub(crate) fn open() -> Option<Self> {
        let mut there = Command::new("ffmpeg");
        there.arg("-version").stdout(Stdio::null()).stderr(Stdio::null());
        if there.status().is_ok() {
            return Some(Self(tempfile::tempdir().unwrap()));
        }
        eprintln!("SKIPPED: the ffmpeg program is needed");
        None
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Renders a film with `ffmpeg ARGUMENTS name`; arguments are split at spaces.
    pub(crate) fn render(&self, arguments: &str, name: &str) -> PathBuf {
        self.try_render(arguments, name).unwrap_or_else(|| panic!("ffmpeg {arguments} {name}"))
    }

    /// Renders a film; `None`, with a visible word, if this `ffmpeg` cannot.
    pub(crate) fn try_render(&self, arguments: &str, name: &str) -> Option<PathBuf> {
        let path = self.path(name);
        let run = Command::new("ffmpeg")
            .args(["-nostdin", "-hide_banner", "-v", "error", "-y", "-threads", "1"])
            .args(arguments.split_whitespace())
            .arg(&path)
            .output()
            .unwrap();
        if run.status.success() {
            return Some(path);
        }
        eprintln!("SKIPPED: {name}: {}", String::from_utf8_lossy(&run.stderr));
        None
    }
}

/// A store of objects in memory, which can be out of reach.
#[derive(Debug, Default)]
pub(crate) struct MemoryStore {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    pub is_away: AtomicBool,
}

struct MemoryObject(Vec<u8>);

impl MemoryStore {
    /// What is there, by addresses.
    pub(crate) fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.objects.lock().unwrap()
    }

    fn ask(&self) -> io::Result<MutexGuard<'_, BTreeMap<String, Vec<u8>>>> {
        if self.is_away.load(Ordering::Relaxed) {
            return Err(io::Error::other("the store is away"));
        }
        Ok(self.objects())
    }
}

impl Object for MemoryObject {
    fn length(&self) -> u64 {
        self.0.len() as u64
    }

    fn identity(&self) -> &str {
        "one"
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8], _: &dyn Fn() -> bool) -> io::Result<usize> {
        let rest = &self.0[(offset as usize).min(self.0.len())..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

impl Objects for MemoryStore {
    fn open(&self, address: &str, _: &dyn Fn() -> bool) -> io::Result<Box<dyn Object>> {
        let found = self.ask()?.get(address).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(MemoryObject(found)))
    }

    fn memory(&self, _: u64) -> u64 {
        0
    }
}

impl ObjectStore for MemoryStore {
    fn look(&self, address: &str, _: &dyn Fn() -> bool) -> io::Result<Option<ObjectFacts>> {
        let facts =
            |bytes: &Vec<u8>| ObjectFacts { length: bytes.len() as u64, identity: "one".into(), note: None };
        Ok(self.ask()?.get(address).map(facts))
    }

    fn try_out(&self, _: &str, _: &dyn Fn() -> bool) -> io::Result<()> {
        self.ask().map(drop)
    }

    fn list(&self, address: &str, _: usize, _: &dyn Fn() -> bool) -> io::Result<Vec<String>> {
        let below = format!("{}/", address.trim_end_matches('/'));
        let objects = self.ask()?;
        Ok(objects.keys().filter_map(|key| key.strip_prefix(&below)).map(str::to_owned).collect())
    }

    fn remove(&self, address: &str, names: &[String], _: &dyn Fn() -> bool) -> io::Result<()> {
        let mut objects = self.ask()?;
        names.iter().for_each(|name| drop(objects.remove(&format!("{address}/{name}"))));
        Ok(())
    }

    fn put(&self, address: &str, bytes: Vec<u8>, existing: Existing, _: &dyn Fn() -> bool) -> io::Result<()> {
        let mut objects = self.ask()?;
        if existing == Existing::Keep && objects.contains_key(address) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        objects.insert(address.to_owned(), bytes);
        Ok(())
    }

    fn put_file(
        &self,
        address: &str,
        file: &Path,
        _: Option<&str>,
        existing: Existing,
        interrupted: &dyn Fn() -> bool,
    ) -> io::Result<()> {
        self.put(address, fs::read(file)?, existing, interrupted)
    }
}
