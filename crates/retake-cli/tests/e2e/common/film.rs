//! Films rendered by the `ffmpeg` program.

use super::run::{Run, Running, command};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// How the names of records end.
pub(crate) const RECORDS: &str = ".retake.json";

/// The folder of one test, removed at its end. All commands run in it.
pub(crate) struct Studio(TempDir);

impl Studio {
    /// An empty folder; `None`, with a visible word, if there is no `ffmpeg` program.
    pub(crate) fn empty() -> Option<Self> {
        let there = |program| {
            Command::new(program).arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
        };
        if !(there("ffmpeg") && there("ffprobe")) {
            eprintln!("SKIPPED: the ffmpeg and ffprobe programs are needed");
            return None;
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("studios");
        fs::create_dir_all(&folder).unwrap();
        Some(Self(TempDir::new_in(folder).unwrap()))
    }

    /// A folder with `film.mkv`: nine seconds in eight scenes at 24 frames per second, 320×180, with
    /// reordered frames, sound, subtitles, chapters and tags.
    pub(crate) fn open() -> Option<Self> {
        let studio = Self::empty()?;
        fs::hard_link(film(), studio.path("film.mkv")).unwrap();
        Some(studio)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The names in the folder, without those of records, which lie beside every finished film.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let mut names = self.all_names();
        names.retain(|name| !name.ends_with(RECORDS));
        names
    }

    /// All names in the folder.
    pub(crate) fn all_names(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Renders a film with `ffmpeg ARGUMENTS name`; arguments are split at spaces.
    pub(crate) fn render(&self, arguments: &str, name: &str) -> PathBuf {
        ffmpeg(self.0.path(), &format!("{arguments} {name}"));
        self.path(name)
    }

    /// Runs `retake` in the folder; arguments are split at spaces.
    pub(crate) fn retake(&self, arguments: &str) -> Run {
        Run::of(command(self.0.path(), arguments).output().unwrap())
    }

    /// Whether a film has the attribute by which it is known again, as Python sees it: not all file systems
    /// have such.
    pub(crate) fn has_stamp(&self, name: &str) -> bool {
        const LOOK: &str =
            "import os, sys; sys.exit('user.retake.finished' not in os.listxattr(sys.argv[1]))";
        let look =
            Command::new("python3").args(["-c", LOOK]).arg(self.path(name)).stderr(Stdio::null()).status();
        look.is_ok_and(|status| status.success())
    }

    /// Runs `retake encode`, which must succeed.
    pub(crate) fn encode(&self, arguments: &str) -> Run {
        let run = self.retake(&format!("encode {arguments} --json"));
        assert_eq!(run.code, 0, "retake encode {arguments}: {run:?}");
        run
    }

    /// Starts `retake encode ARGUMENTS --json`.
    pub(crate) fn start(&self, arguments: &str) -> Running {
        Running::start(command(self.0.path(), &format!("encode {arguments} --json")))
    }

    /// A command that runs `retake ARGUMENTS` in the folder.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        command(self.0.path(), arguments)
    }
}

/// Runs `ffmpeg` in a folder and gives what it wrote to standard output.
pub(crate) fn ffmpeg(folder: &Path, arguments: &str) -> Vec<u8> {
    try_ffmpeg(folder, &arguments.split_whitespace().collect::<Vec<_>>())
        .unwrap_or_else(|error| panic!("ffmpeg {arguments}: {error}"))
}

fn try_ffmpeg(folder: &Path, arguments: &[&str]) -> Result<Vec<u8>, String> {
    let run = Command::new("ffmpeg")
        .current_dir(folder)
        .args(["-nostdin", "-hide_banner", "-v", "error", "-y", "-threads", "1"])
        .args(arguments)
        .output()
        .unwrap();
    if run.status.success() { Ok(run.stdout) } else { Err(String::from_utf8_lossy(&run.stderr).into_owned()) }
}

const SUBTITLES: &str =
    "1\n00:00:00,500 --> 00:00:02,000\nThe first take\n\n2\n00:00:04,000 --> 00:00:06,000\nOnce more\n";

const TAGS: &str = ";FFMETADATA1\ntitle=Rushes\nartist=Crew\n\
[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=4000\ntitle=Morning\n\
[CHAPTER]\nTIMEBASE=1/1000\nSTART=4000\nEND=9000\ntitle=Evening\n";

/// The scenes: a generator, its filters, and how many frames.
const SCENES: [(&str, &str, u32); 8] = [
    ("testsrc2=s=320x180:r=24", "noise=alls=12:allf=t:all_seed=7", 30),
    ("mandelbrot=s=320x180:r=24:start_scale=0.02:end_scale=0.002:end_pts=80", "null", 24),
    ("smptehdbars=s=320x180:r=24", "TEXT,fade=out:12:24", 36),
    ("cellauto=s=320x180:r=24:rule=110:random_seed=3", "boxblur=1", 24),
    (
        "life=s=320x180:r=24:ratio=0.1:random_seed=5:life_color=#40e060:death_color=#a03030:mold=10",
        "boxblur=2",
        36,
    ),
    ("testsrc=s=320x180:r=24", "hue=h=90,fade=in:0:12", 24),
    ("color=c=#607080:s=320x180:r=24", "noise=alls=12:allf=t:all_seed=9", 18),
    ("mandelbrot=s=320x180:r=24:start_scale=1:end_scale=0.5:end_pts=60", "hue=s=0.3", 24),
];

/// Frames in the film.
pub(crate) const FRAMES: u64 = 216;

/// The film, rendered by the first test that needs it.
fn film() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("film-3");
    fs::create_dir_all(&folder).unwrap();
    let film = folder.join("film.mkv");
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    if film.exists() {
        return film;
    }
    fs::write(folder.join("subtitles.srt"), SUBTITLES).unwrap();
    fs::write(folder.join("tags.txt"), TAGS).unwrap();
    let text = "drawtext=text=Retake:x=10+6*n:y=60:fontsize=48:fontcolor=white";
    // a build without fonts has no text, one without x264 a plainer source
    let with = |text, codec: &[&str]| render(&folder, text, codec);
    const X264: [&str; 8] = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "10", "-bf", "3"];
    const MPEG4: [&str; 6] = ["-c:v", "mpeg4", "-q:v", "2", "-bf", "2"];
    with(text, &X264).or_else(|_| with("null", &X264)).or_else(|_| with("null", &MPEG4)).unwrap();
    // Sound without a container states no priming, which newer programs would tell the container of. What is
    // shown begins when the first packet of sound, which is priming, has been heard.
    let sound = "-f lavfi -i sine=frequency=330:duration=9.3:sample_rate=48000,volume=0.5 -c:a aac -b:a 96k";
    ffmpeg(&folder, &format!("{sound} sound.aac"));
    ffmpeg(
        &folder,
        "-itsoffset 0.021 -i pictures.mkv -i sound.aac -itsoffset 0.021 -i subtitles.srt -i tags.txt \
         -map 0:v -map 1:a -map 2:s -map_metadata 3 -map_chapters 3 \
         -c copy -c:s srt -metadata:s:a:0 language=fra unfinished.mkv",
    );
    fs::rename(folder.join("unfinished.mkv"), &film).unwrap();
    film
}

/// Renders the pictures.
fn render(folder: &Path, text: &str, codec: &[&str]) -> Result<Vec<u8>, String> {
    let mut graph = String::new();
    let mut arguments: Vec<&str> = Vec::new();
    for (number, (source, filters, frames)) in SCENES.iter().enumerate() {
        arguments.extend(["-f", "lavfi", "-i", source]);
        let filters = filters.replace("TEXT", text);
        graph += &format!(
            "[{number}:v]{filters},setsar=1,format=yuv420p,trim=end_frame={frames},setpts=N/24/TB[s{number}];"
        );
    }
    for number in 0..SCENES.len() {
        graph += &format!("[s{number}]");
    }
    graph += &format!("concat=n={}[v]", SCENES.len());
    arguments.extend(["-filter_complex", &graph, "-map", "[v]"]);
    arguments.extend(codec);
    arguments.push("pictures.mkv");
    try_ffmpeg(folder, &arguments)
}
