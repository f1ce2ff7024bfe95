//! An encoder that does what the test tells it.

use super::{picture, video_format};
use retake_asset::{AssetWriterInput, EncoderSetup, InputEncoder, MediaSample, OpenedEncoder, WriterError};
use retake_media::{PixelBuffer, PixelBufferPool, PixelFormat, Time, TimeRange};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};

/// What the test and its encoder share.
#[derive(Default)]
pub struct Script {
    pub state: Mutex<ScriptState>,
    pub changed: Condvar,
}

#[derive(Default)]
pub struct ScriptState {
    /// What is asked for after each pass.
    pub wanted: Vec<Vec<TimeRange>>,
    /// Whether deciding takes until it is let go.
    pub thinking: bool,
    pub interrupted: bool,
    pub passes: u32,
    /// Whether the end of the media came before the end of a pass.
    pub overtaken: bool,
    /// Lets others run so often, more or less, while it works.
    pub slowness: u64,
}

impl Script {
    pub fn new(wanted: &[&[TimeRange]], thinking: bool) -> Arc<Self> {
        let wanted = wanted.iter().map(|ranges| ranges.to_vec()).collect();
        let state = ScriptState { wanted, thinking, ..ScriptState::default() };
        Arc::new(Self { state: Mutex::new(state), changed: Condvar::new() })
    }

    /// Takes its time. Answers which pass it is.
    fn work(&self) -> u32 {
        let (pass, times) = {
            let mut state = self.state.lock().unwrap();
            let times = if state.slowness > 0 { random(&mut state.slowness) % 4 } else { 0 };
            (state.passes + 1, times)
        };
        (0..times).for_each(|_| std::thread::yield_now());
        pass
    }

    pub fn change(&self, change: impl FnOnce(&mut ScriptState)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }
}

/// Keeps the newest version of each frame, and says in its bytes which one it is.
pub struct Scripted {
    script: Arc<Script>,
    able: bool,
    multi: bool,
    kept: BTreeMap<i64, u32>,
    finished: bool,
}

/// The next of a row of numbers that look like chance; a row is never at zero.
pub fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn index_of(time: Time) -> i64 {
    time.value() * 24 / i64::from(time.timescale())
}

/// What a frame looks like in a file.
pub fn mark(index: i64, version: u32) -> Vec<u8> {
    [b"frame".as_slice(), &index.to_be_bytes(), b"version", &version.to_be_bytes()].concat()
}

impl InputEncoder for Scripted {
    fn open(&mut self, setup: &EncoderSetup) -> Result<OpenedEncoder, WriterError> {
        self.multi = setup.multi_pass && self.able;
        let script = self.script.clone();
        let interrupt = Arc::new(move || script.change(|state| state.interrupted = true));
        Ok(OpenedEncoder { format: video_format(), multiple_passes: self.able, interrupt })
    }

    fn encode(&mut self, _: &PixelBuffer, pts: Time) -> Result<(), WriterError> {
        let pass = self.script.work();
        self.kept.insert(index_of(pts), pass);
        Ok(())
    }

    fn next_sample(&mut self) -> Result<Option<MediaSample>, WriterError> {
        if self.multi && !self.finished {
            return Ok(None);
        }
        Ok(self.kept.pop_first().map(|(index, version)| {
            let mut sample = picture(index);
            sample.data = mark(index, version);
            sample.into()
        }))
    }

    fn end_pass(&mut self) -> Result<Option<Vec<TimeRange>>, WriterError> {
        self.script.work();
        let mut state = self.script.state.lock().unwrap();
        state.overtaken |= self.finished;
        let mut state = self.script.changed.wait_while(state, |s| s.thinking && !s.interrupted).unwrap();
        if state.interrupted {
            return Err(WriterError::EncodeFailed { code: -12903, detail: "invalidated".into() });
        }
        state.passes += 1;
        let next = state.wanted.get(state.passes as usize - 1).cloned();
        Ok(next)
    }

    fn finish(&mut self) -> Result<(), WriterError> {
        self.finished = true;
        Ok(())
    }
}

pub fn encoding(script: &Arc<Script>, able: bool) -> AssetWriterInput {
    let (kept, finished, multi) = (BTreeMap::new(), false, false);
    let input = AssetWriterInput::encoding(Scripted { script: script.clone(), able, multi, kept, finished });
    input.configure(|options| options.multi_pass = true).unwrap();
    input
}

pub fn range(start: i64, end: i64) -> TimeRange {
    TimeRange::between(Time::new(start, 24), Time::new(end, 24))
}

pub fn blank() -> PixelBuffer {
    PixelBufferPool::new(PixelFormat::I420, 16, 16).take().freeze()
}

/// The version of each frame that is in these bytes, which have each once.
pub fn versions(bytes: &[u8], frames: i64) -> Vec<u32> {
    let head = b"frame".as_slice();
    let mut found = vec![Vec::new(); frames as usize];
    for at in (0..bytes.len()).filter(|&at| bytes[at..].starts_with(head)) {
        let word = |from: usize| bytes.get(at + from..at + from + 8).map(|bytes| bytes.try_into().unwrap());
        let Some(index) = word(5).map(i64::from_be_bytes) else { continue };
        let version = u32::from_be_bytes(bytes[at + 20..at + 24].try_into().unwrap());
        assert_eq!(bytes[at..at + 24], mark(index, version), "frame {index}");
        found[index as usize].push(version);
    }
    assert!(found.iter().all(|versions| versions.len() == 1), "{found:?}");
    found.into_iter().flatten().collect()
}
