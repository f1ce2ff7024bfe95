//! The command, and what it says.

use super::processes::signal;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub(crate) fn command(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_retake"));
    command.current_dir(folder).args(arguments.split_whitespace()).stdin(Stdio::null());
    command
}

/// A run of the command that has ended.
#[derive(Debug)]
pub(crate) struct Run {
    /// The exit code; -1 after a signal.
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Run {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The events, each a line of valid JSON.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.out.lines().map(event).collect()
    }

    /// The summary that ends a successful run.
    pub(crate) fn summary(&self) -> Value {
        let last = self.events().pop().unwrap();
        assert_eq!(last["event"], "finished", "{self:?}");
        last
    }

    /// The sentences about what could not be kept, from the start and from the end.
    pub(crate) fn notes(&self) -> Vec<String> {
        let events = self.events();
        let notes = events.iter().filter_map(|event| event["notes"].as_array()).flatten();
        notes.map(|note| note.as_str().unwrap().to_owned()).collect()
    }

    /// A failure: this exit code, and one line that holds all these words.
    pub(crate) fn refused(&self, code: i32, words: &[&str]) {
        let lines: Vec<&str> = self.err.lines().collect();
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(lines.len(), 1, "one line is enough: {self:?}");
        assert!(lines[0].starts_with("retake: "), "{self:?}");
        assert!(!self.err.contains("panicked"), "{self:?}");
        for word in words {
            assert!(lines[0].contains(word), "no '{word}' in: {self:?}");
        }
    }
}

fn event(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON: {line}: {error}"))
}

/// A moment of an encode, told by its events.
pub(crate) type Moment<'a> = &'a mut dyn FnMut(&Value) -> bool;

/// A run of `retake encode … --json` that is going on. Ended when dropped.
pub(crate) struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
    pub events: Vec<Value>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out, events: Vec::new() }
    }

    /// Reads events up to the moment; false if the run ended before.
    pub(crate) fn until(&mut self, moment: Moment) -> bool {
        while let Some(event) = self.next() {
            let there = moment(&event);
            self.events.push(event);
            if there {
                return true;
            }
        }
        false
    }

    fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        // a run that was killed may leave half a line
        line.ends_with('\n').then(|| event(&line))
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits for the end, and gives the exit code, all that was said on standard error, and how long it took.
    pub(crate) fn end(mut self) -> (Run, Vec<Value>, Duration) {
        let began = Instant::now();
        while let Some(event) = self.next() {
            self.events.push(event);
        }
        let mut err = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        (Run { code, out: String::new(), err }, std::mem::take(&mut self.events), began.elapsed())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An encoder of this build.
#[derive(Debug, Clone)]
pub(crate) struct EncoderInfo {
    pub name: String,
    pub version: String,
    pub codec: String,
    /// FFmpeg's name of the coding format.
    pub ffmpeg: &'static str,
    /// Flags that choose the encoder, and a preset that is nearly the fastest.
    pub flags: String,
    pub ten_bit: bool,
}

/// The encoders of this build. libaom is left out, because it would take as long as all others together:
/// [`with_slow_ones`] has it.
pub(crate) fn encoders() -> &'static [EncoderInfo] {
    static QUICK: OnceLock<Vec<EncoderInfo>> = OnceLock::new();
    QUICK
        .get_or_init(|| with_slow_ones().iter().filter(|encoder| encoder.name != "libaom").cloned().collect())
}

/// All encoders of this build.
pub(crate) fn with_slow_ones() -> &'static [EncoderInfo] {
    static ALL: OnceLock<Vec<EncoderInfo>> = OnceLock::new();
    ALL.get_or_init(|| {
        let run = |arguments: &str| Run::of(command(Path::new("."), arguments).output().unwrap());
        let list: Value = serde_json::from_str(&run("encoders --json").out).unwrap();
        let list = list["encoders"].as_array().unwrap();
        let all = list.iter().map(|info| {
            let name = info["name"].as_str().unwrap();
            let codec = info["codec"].as_str().unwrap();
            let presets = info["presets"].as_array().unwrap();
            let preset = presets[presets.len().saturating_sub(2)]["name"].as_str().unwrap();
            EncoderInfo {
                name: name.to_owned(),
                version: info["version"].as_str().unwrap().to_owned(),
                codec: codec.to_owned(),
                ffmpeg: ["h264", "hevc", "av1", "vp9"].into_iter().find(|known| *known == codec).unwrap(),
                flags: format!("-e {name} -p {preset}"),
                ten_bit: run(&format!("encoders {name}")).out.contains("10 bit"),
            }
        });
        all.collect()
    })
}

/// Flags that choose a fast encoder: x264 where this build has it.
pub(crate) fn fast() -> &'static str {
    let all = encoders();
    let x264 = all.iter().find(|encoder| encoder.name == "x264");
    &x264.or(all.first()).expect("a build without encoders cannot be tested").flags
}
