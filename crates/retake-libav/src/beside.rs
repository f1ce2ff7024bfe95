//! What goes into a film from other files than the one that its pictures come from: sound, subtitles,
//! chapters, a cover.

use crate::access::{Access, Bytes, FileState};
use crate::container::Container;
use crate::error::MediaError;
use crate::failure::Failure;
use crate::film::{FilmInfo, TrackInfo, TrackKind, TrackSamples, WrongTimes, time_to_ticks};
use crate::input::Input;
use crate::marks::{TrackMark, TrackMarks};
use crate::output::{Output, Stamps};
use crate::probe::{name, start_of, track};
use retake_media::{Caption, Rational, Time};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// So many failures in a row, with no success between them, end the counting of a file's samples.
const PATIENCE: u32 = 64;

/// No file of subtitles or pictures that is meant for a film is larger, and one that is must not fill the
/// memory.
const LARGEST: u64 = 64 << 20;

/// The mark of a track that is one picture for the film, in FFmpeg's bits.
const ATTACHED_PICTURE: i32 = 0x400;

/// The ticks a second of chapters: as fine as any file says it.
const CHAPTER_TICKS: i32 = 1_000_000;

/// What goes into a film from other files.
#[derive(Debug, Clone, Default)]
pub(crate) struct Beside {
    /// Tracks of sound and of subtitles, in the order in which they were added.
    pub(crate) tracks: Vec<TrackFile>,
    /// The chapters in place of those of the film, on the clock of the film, whose start is zero.
    pub(crate) chapters: Option<Vec<Caption>>,
    pub(crate) cover: Option<CoverFile>,
}

/// A track that is in another file than the film.
#[derive(Debug, Clone)]
pub(crate) struct TrackFile {
    path: PathBuf,
    access: Access,
    state: Option<FileState>,
    /// FFmpeg's names of the container.
    container: String,
    /// The number of the track in its file.
    inside: u32,
    /// The track, with its number in the film that it was added to.
    track: TrackInfo,
}

/// Where a track is that is in another file than the film.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BesideFile {
    /// The name of the file.
    pub(crate) name: String,
    /// When the file begins on its own clock. It is the instant at which the film begins.
    pub(crate) start: Time,
}

impl TrackFile {
    /// Describes a track of an open file.
    fn new(path: &Path, access: &Access, input: &Input, track: TrackInfo, start: Time) -> Self {
        let own = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Self {
            path: path.into(),
            access: access.clone(),
            state: input.state(),
            container: name(input.film().format),
            inside: track.index,
            track: TrackInfo { beside: Some(BesideFile { name: own, start }), ..track },
        }
    }

    /// Returns the file as a film of no pictures, on the clock of another one and cut where that is.
    pub(crate) fn on_clock_of(&self, film: &FilmInfo, marks: TrackMarks) -> FilmInfo {
        let track = TrackInfo { index: self.inside, marks, ..self.track.clone() };
        let mut file = film.clone();
        (file.path, file.access, file.state) = (self.path.clone(), self.access.clone(), self.state.clone());
        (file.tracks, file.beside, file.container) = (vec![track], Arc::default(), self.container.clone());
        (file.breaks, file.wrong, file.looked_further) =
            (Arc::default(), WrongTimes::default().into(), false);
        file.seekable = true;
        file
    }
}

/// A file of subtitles as text that was looked at: SubRip, ASS or WebVTT.
#[derive(Debug, Clone)]
pub struct SubtitleFile(TrackFile);

impl SubtitleFile {
    /// Looks at a file, whose times count from the start of the film.
    ///
    /// # Errors
    /// Returns [`MediaError::NotSubtitles`] for a file of anything else, [`MediaError::Encoding`] for one
    /// that is neither UTF-8 nor, with a mark of the order of its bytes, UTF-16, and those of
    /// [`probe`](crate::probe()).
    pub fn open(path: &Path, access: &Access) -> Result<Self, MediaError> {
        let bytes = read_small(path, access)?;
        if !is_unicode(&bytes) {
            let line = 1 + valid(&bytes).iter().filter(|byte| **byte == b'\n').count();
            return Err(MediaError::Encoding { file: path.into(), line });
        }
        let input = Input::open(path, access)?;
        let refused = |holds: String| MediaError::NotSubtitles { file: path.into(), holds };
        let found = (0..input.film().streams as u32).map(|index| track(index, &input.stream(index)));
        let found: Vec<TrackInfo> = found.collect();
        let [only] = &found[..] else {
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            return Err(refused(if found.is_empty() { "nothing".into() } else { found.join(", ") }));
        };
        let is_plain = only.kind == TrackKind::Subtitle && only.text;
        if !is_plain || !matches!(name(input.film().format).as_str(), "srt" | "ass" | "webvtt") {
            return Err(refused(only.to_string()));
        }
        let counted = count(path, access, 0)?;
        if counted.count == 0 {
            return Err(refused("no text".into()));
        }
        let track =
            TrackInfo { marks: TrackMarks::default(), samples: Some(counted), title: None, ..only.clone() };
        Ok(Self(TrackFile::new(path, access, &input, track, Time::ZERO)))
    }

    /// Says the language of the texts, as a code of ISO 639 or a tag of BCP 47.
    pub fn set_language(&mut self, language: Option<String>) {
        self.0.track.language = language;
    }

    /// Names the track, for people who choose one.
    pub fn set_title(&mut self, title: Option<String>) {
        self.0.track.title = title;
    }

    /// Returns the file as a film of no pictures, on the clock of another one and cut where that is.
    pub(crate) fn on_clock_of(&self, film: &FilmInfo) -> FilmInfo {
        self.0.on_clock_of(film, TrackMarks::default())
    }
}

/// A track of sound in a file of its own, or in another film, that was looked at.
#[derive(Debug, Clone)]
pub struct SoundFile {
    file: TrackFile,
    others: usize,
}

impl SoundFile {
    /// Looks at a file. Of several tracks of sound the first that is marked as default is taken, else the
    /// first. The instant at which the file begins, its pictures included if it has any, is that at which
    /// the film begins, so that a delay of the sound is kept.
    ///
    /// # Errors
    /// Returns [`MediaError::NoSound`] for a file that holds none, [`MediaError::Encrypted`], and those of
    /// [`probe`](crate::probe()).
    pub fn open(path: &Path, access: &Access) -> Result<Self, MediaError> {
        let input = Input::open(path, access)?;
        let streams = input.film().streams as u32;
        let all: Vec<TrackInfo> = (0..streams).map(|index| track(index, &input.stream(index))).collect();
        let sounds: Vec<&TrackInfo> = all.iter().filter(|track| track.kind == TrackKind::Audio).collect();
        let default = sounds.iter().find(|track| track.marks.has(TrackMark::Default));
        let Some(sound) = default.or(sounds.first()) else {
            let holds: Vec<String> = all.iter().map(ToString::to_string).collect();
            let holds = if holds.is_empty() { "nothing".into() } else { holds.join(", ") };
            return Err(MediaError::NoSound { file: path.into(), holds });
        };
        if input.film().seekable == 0 {
            return Err(MediaError::NotSeekable { file: path.into() });
        }
        if input.stream(sound.index).encrypted != 0 {
            return Err(MediaError::Encrypted { file: path.into() });
        }
        let start = (0..streams).filter_map(|index| start_of(&input.stream(index))).min();
        let counted = count(path, access, sound.index)?;
        if counted.count == 0 {
            return Err(MediaError::NoSound {
                file: path.into(),
                holds: format!("{sound} without a sample"),
            });
        }
        // Which track is the default of the film is for the film to say.
        let mut marks = sound.marks;
        marks.set(TrackMark::Default, false);
        let track = TrackInfo { marks, samples: Some(counted), ..(*sound).clone() };
        let file = TrackFile::new(path, access, &input, track, start.unwrap_or(Time::ZERO));
        Ok(Self { file, others: sounds.len() - 1 })
    }

    /// Says the language, as a code of ISO 639 or a tag of BCP 47, in place of what the file says.
    pub fn set_language(&mut self, language: impl Into<String>) {
        self.file.track.language = Some(language.into());
    }

    /// Names the track, for people who choose one, in place of what the file says.
    pub fn set_title(&mut self, title: impl Into<String>) {
        self.file.track.title = Some(title.into());
    }

    /// Returns the number of the track in its file, and how many other tracks of sound that has.
    pub fn place(&self) -> (u32, usize) {
        (self.file.inside, self.others)
    }
}

/// Counts the samples of a track by reading all of a file. What is damaged is counted as far as it is read,
/// because it is copied so far, too.
fn count(path: &Path, access: &Access, stream: u32) -> Result<TrackSamples, MediaError> {
    let (mut counted, mut input) = (TrackSamples::default(), Input::open(path, access)?);
    input.select(|index| index == stream);
    let mut failures = 0;
    while failures <= PATIENCE {
        match input.read() {
            Ok(Some(packet)) if packet.stream() == stream => {
                counted.bytes += packet.data().len() as u64;
                counted.count += 1;
                failures = 0;
            }
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(failure) if failure.is_again() => std::thread::sleep(Duration::from_millis(2)),
            Err(failure) if failure.is_final() => return Err(MediaError::read(path, 0, -1, &failure)),
            Err(_) => failures += 1,
        }
    }
    Ok(counted)
}

/// A picture that stands for a film: JPEG or PNG.
#[derive(Debug, Clone)]
pub struct CoverFile {
    path: PathBuf,
    access: Access,
    state: Option<FileState>,
    track: TrackInfo,
    bytes: Arc<[u8]>,
}

impl CoverFile {
    /// Looks at a picture.
    ///
    /// # Errors
    /// Returns [`MediaError::NotACover`] for a file of anything else, and those of [`probe`](crate::probe()).
    pub fn open(path: &Path, access: &Access) -> Result<Self, MediaError> {
        let bytes = read_small(path, access)?;
        let input = Input::open(path, access)?;
        let raw = input.stream(0);
        let found = track(0, &raw);
        let is_picture = input.film().streams == 1
            && matches!(name(input.film().format).as_str(), "jpeg_pipe" | "png_pipe")
            && matches!(found.codec.as_str(), "mjpeg" | "png")
            && raw.width > 0
            && raw.height > 0;
        if !is_picture {
            return Err(MediaError::NotACover { file: path.into() });
        }
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let (marks, beside) =
            (TrackMarks::of(ATTACHED_PICTURE), Some(BesideFile { name, start: Time::ZERO }));
        let track = TrackInfo { kind: TrackKind::Cover, marks, beside, ..found };
        Ok(Self {
            path: path.into(),
            access: access.clone(),
            state: input.state(),
            track,
            bytes: bytes.into(),
        })
    }

    /// Adds the picture to a film whose head is not written yet. In MP4 its bytes are written behind the
    /// head, to the track that is returned; Matroska has it as a file.
    pub(crate) fn add(&self, container: Container, output: &mut Output) -> Result<Option<u32>, MediaError> {
        let failed =
            |failure: Failure| MediaError::write(&self.path, 0, "the cover cannot be written", &failure);
        let jpeg = self.track.codec == "mjpeg";
        let (name, mime) = if jpeg { ("cover.jpg", "image/jpeg") } else { ("cover.png", "image/png") };
        if !container.is_iso() {
            return output.attach(name, mime, &self.bytes).map(|_| None).map_err(failed);
        }
        let input = Input::open(&self.path, &self.access)?;
        if input.state() != self.state {
            return Err(MediaError::SourceChanged { file: self.path.clone(), frame: 0 });
        }
        let number = output.copy(&input, 0).map_err(failed)?;
        output.mark(number, ATTACHED_PICTURE).map_err(failed)?;
        Ok(Some(number))
    }

    /// Writes the picture to its track, once the head of the film is there.
    pub(crate) fn write(&self, track: u32, output: &mut Output) -> Result<(), Failure> {
        let stamps = Stamps { pts: 0, dts: 0, duration: 0 };
        output.write(track, Rational::new(1, 1), stamps, true, false, &self.bytes)
    }

    pub(crate) fn track(&self) -> &TrackInfo {
        &self.track
    }
}

impl FilmInfo {
    /// Adds a file of subtitles to what goes into a new film beside the pictures of this one. It is the last
    /// of its tracks, with a number that no other has. Its times count from the start of the film, and it is
    /// cut where the film is. It is a track for writers alone; a reader of this film knows it not.
    pub fn add_subtitles(&mut self, file: &SubtitleFile) {
        self.add_track(&file.0);
    }

    /// Adds a track of sound of another file to what goes into a new film beside the pictures of this one,
    /// like [`FilmInfo::add_subtitles`]. The instant at which that file begins is that at which the film
    /// begins. A [`PcmReader`](crate::PcmReader) and a [`SoundReader`](crate::SoundReader) of this film know
    /// the track by its number.
    pub fn add_sound(&mut self, file: &SoundFile) {
        self.add_track(&file.file);
    }

    fn add_track(&mut self, file: &TrackFile) {
        let track = TrackInfo { index: self.next_number(), ..file.track.clone() };
        let mut beside = (*self.beside).clone();
        beside.tracks.push(TrackFile { track: track.clone(), ..file.clone() });
        self.beside = Arc::new(beside);
        self.tracks.push(track);
    }

    /// Gives a new film these chapters in place of those of this one. Their times count from the start of the
    /// film, and one without a duration lasts up to the next, or to the end. They are cut where the film is.
    pub fn set_chapters(&mut self, mut chapters: Vec<Caption>) {
        chapters.sort_by_key(|chapter| chapter.range.start);
        self.chapters = chapters.len();
        self.beside = Arc::new(Beside { chapters: Some(chapters), ..(*self.beside).clone() });
    }

    /// Gives a new film this cover in place of those of this one.
    pub fn set_cover(&mut self, cover: &CoverFile) {
        self.tracks.retain(|track| track.kind != TrackKind::Cover);
        let track = TrackInfo { index: self.next_number(), ..cover.track.clone() };
        self.tracks.push(track.clone());
        let cover = CoverFile { track, ..cover.clone() };
        self.beside = Arc::new(Beside { cover: Some(cover), ..(*self.beside).clone() });
    }

    fn next_number(&self) -> u32 {
        let numbers = self.tracks.iter().map(|track| track.index).chain([self.video.index]);
        numbers.max().unwrap_or(0).saturating_add(1)
    }

    /// Returns the files whose tracks are still among those of the film, as films on its clock, with the
    /// numbers of these tracks in this film.
    pub(crate) fn tracks_beside(&self) -> impl Iterator<Item = (u32, FilmInfo)> + '_ {
        self.beside.tracks.iter().filter_map(|file| {
            let track = self.tracks.iter().find(|track| track.index == file.track.index)?;
            Some((track.index, file.on_clock_of(self, track.marks)))
        })
    }

    /// Returns the file that a track with this number in this film is in, and its number there; `None` where
    /// that is this film's own file.
    pub(crate) fn file_beside(&self, track: u32) -> Option<(FilmInfo, u32)> {
        let (_, file) = self.tracks_beside().find(|(number, _)| *number == track)?;
        let inside = file.tracks.first()?.index;
        Some((file, inside))
    }

    /// Returns what is added to the times of a track to have them on the clock of the film.
    pub(crate) fn moves(&self, track: &TrackInfo) -> Time {
        track.beside.as_ref().map_or(Time::ZERO, |beside| self.whole_start() - beside.start)
    }

    /// Returns the cover of another file, if its track is still among those of the film.
    pub(crate) fn cover_beside(&self) -> Option<&CoverFile> {
        let cover = self.beside.cover.as_ref()?;
        self.tracks.iter().any(|track| track.index == cover.track.index).then_some(cover)
    }

    /// Returns when the whole film starts, wherever the part of it begins that is read.
    pub(crate) fn whole_start(&self) -> Time {
        self.window.as_ref().map_or(self.start, |window| window.film_start)
    }

    /// Returns when what is read of the film ends, if that is known.
    fn end(&self) -> Option<Time> {
        match self.window.as_ref().and_then(|window| window.end) {
            Some(end) => Some(self.unfiltered().time(end)),
            None => {
                let microseconds = (self.duration? * 1e6).round();
                Some(self.start + Time::new(microseconds as i64, CHAPTER_TICKS))
            }
        }
    }
}

/// Writes chapters of another file, in a film whose times become earlier by `start`.
pub(crate) fn write_chapters(
    film: &FilmInfo,
    chapters: &[Caption],
    start: Time,
    output: &mut Output,
) -> Result<(), Failure> {
    let base = Rational::new(1, CHAPTER_TICKS);
    let end_of_film = film.end();
    for (number, chapter) in chapters.iter().enumerate() {
        let begins = film.whole_start() + chapter.range.start;
        let next = chapters.get(number + 1).map(|next| film.whole_start() + next.range.start);
        let stated =
            Some(chapter.range.duration).filter(|duration| duration.is_numeric() && *duration > Time::ZERO);
        let ends = stated.map(|duration| begins + duration).or(next).or(end_of_film).unwrap_or(begins);
        let ends = end_of_film.map_or(ends, |end| ends.min(end));
        // Those that are over where the film begins, or begin where it is over, are chapters of another part.
        if ends <= start || end_of_film.is_some_and(|end| begins >= end) {
            continue;
        }
        let ticks = |time: Time| time_to_ticks(time - start, base).unwrap_or(0).max(0);
        output.chapter(base, ticks(begins), ticks(ends), &chapter.text)?;
    }
    Ok(())
}

/// Reads the chapters of a file of FFmpeg's metadata.
///
/// # Errors
/// Returns those of [`probe`](crate::probe()) for a file that FFmpeg cannot read.
pub fn chapters_of_file(path: &Path, access: &Access) -> Result<Vec<Caption>, MediaError> {
    Ok(Input::open(path, access)?.chapters())
}

/// Reads all of a file that is meant to be small.
///
/// # Errors
/// Returns [`MediaError::Open`] for what cannot be read, and for a file of more than 64 MiB.
pub fn read_small(path: &Path, access: &Access) -> Result<Vec<u8>, MediaError> {
    let open = |source| MediaError::Open { file: path.into(), source };
    let mut bytes = Vec::new();
    match Bytes::open(path, access)? {
        Bytes::File(file) => file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(open)?,
        _ => return Err(open(io::Error::other("it must be a file of this machine"))),
    };
    if bytes.len() as u64 > LARGEST {
        return Err(open(io::Error::other("it is larger than 64 MiB, so it is not what it is taken for")));
    }
    if bytes.is_empty() {
        return Err(MediaError::Empty { file: path.into() });
    }
    Ok(bytes)
}

/// Returns whether a text is in an encoding that says itself what it is.
fn is_unicode(text: &[u8]) -> bool {
    text.starts_with(&[0xFF, 0xFE]) || text.starts_with(&[0xFE, 0xFF]) || std::str::from_utf8(text).is_ok()
}

/// Returns the beginning of a text that is UTF-8.
fn valid(text: &[u8]) -> &[u8] {
    match std::str::from_utf8(text) {
        Ok(_) => text,
        Err(error) => &text[..error.valid_up_to()],
    }
}
