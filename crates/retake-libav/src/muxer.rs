//! Writes films: compressed samples of several tracks, and copies of others.

use crate::beside::write_chapters;
use crate::closed_captions;
use crate::container::{Container, Plan};
use crate::copier::Copier;
use crate::error::MediaError;
use crate::failure::Failure;
use crate::film::{FilmInfo, TrackInfo, TrackKind};
use crate::handed::Handed;
use crate::input::Input;
use crate::marks::{TrackMark, TrackMarks};
use crate::note::Note;
use crate::output::{Output, Stamps};
use crate::track_format::TrackFormat;
use crate::video::{NewVideo, add_video};
use retake_media::{Rational, TextFormat, Time};
use std::path::{Path, PathBuf};

/// Chooses how the film is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MuxerKind {
    /// The film is one whole, so an ISO file ends with its index. It must go to a file.
    Whole,
    /// The film is a row of ISO fragments, each ended by [`Muxer::flush`]. They go to memory, for
    /// [`Muxer::take`].
    Fragments {
        /// The number of the first fragment.
        first: u32,
    },
}

/// One track to be written.
#[derive(Debug, Clone, Copy)]
pub struct MuxerTrack<'a> {
    /// The content of the track.
    pub format: &'a TrackFormat,
    /// The ticks a second that the track should have; ISO files may double them. Audio in ISO files always
    /// ticks by its sample rate.
    pub timescale: u32,
    /// The average frame rate of video, if known.
    pub frame_rate: Option<Rational>,
    /// The matrix by which the picture must be turned or mirrored, as in ISO files.
    pub display_matrix: Option<[i32; 9]>,
    /// The language as three letters of ISO 639-2.
    pub language: Option<&'a str>,
    /// The tags of the track.
    pub tags: &'a [(String, String)],
    /// The number of a track of sound in the film that is copied from, which this one is written for: it
    /// takes that track's place among the copied ones, its tags, its language and its marks.
    pub stands_for: Option<u32>,
}

/// Describes a film that is to be written.
#[derive(Debug, Clone, Copy)]
pub struct MuxerSettings<'a> {
    /// The kind of file.
    pub container: Container,
    /// The layout of the file.
    pub kind: MuxerKind,
    /// The file to write, which is emptied first. It is only a name for messages where the film goes to
    /// memory.
    pub path: &'a Path,
    /// All tracks.
    pub tracks: &'a [MuxerTrack<'a>],
    /// The tags of the film.
    pub tags: &'a [(String, String)],
    /// The ticks a second of the whole film, in ISO files.
    pub movie_timescale: u32,
    /// A film whose other tracks, chapters and tags are copied, behind the tracks above, by
    /// [`Muxer::copy_until`]; and the time that is taken off theirs. It is allowed only with
    /// [`MuxerKind::Whole`]. Of a film that was cut to a range, they are cut, too: sound in ISO files to the
    /// sample; in Matroska, which cannot hide the beginning of a packet, it begins with the first packet that
    /// begins in the range.
    pub copy_from: Option<(&'a FilmInfo, Time)>,
}

/// One sample as it is stored. Its times are in ticks of [`Muxer::time_base`].
#[derive(Debug, Clone, Copy)]
pub struct MuxerSample<'a> {
    /// The time at which it is shown.
    pub pts: i64,
    /// The time at which it is decoded; it must not be after it is shown, and must be after the sample
    /// before.
    pub dts: i64,
    /// The time for which it lasts; it counts for the last sample of a track or fragment.
    pub duration: i64,
    /// Whether decoding can start here.
    pub sync: bool,
    /// Whether no other sample depends on it.
    pub disposable: bool,
    /// The payload.
    pub data: &'a [u8],
}

/// Writes compressed samples of several tracks, in exactly the order they come in. It has no policy: its user
/// must interleave the tracks and choose the times.
///
/// A track of [`TextFormat::QuickTimeText`] is a track in ISO files. In Matroska its samples become the
/// chapters of the film, in place of those of a film that is copied: each lasts as long as its sample says,
/// and one without a text is none.
pub struct Muxer {
    path: PathBuf,
    output: Output,
    places: Vec<Place>,
    chapters: Vec<Chapter>,
    /// That of the film which is copied from, and those of files beside it.
    copiers: Vec<Copier>,
    container: Container,
    handed: Handed,
}

/// Where the samples of a track go.
#[derive(Clone, Copy)]
struct Place {
    /// The number of the track in the file; `None` if its samples become chapters.
    stream: Option<u32>,
    time_base: Rational,
    coding: Coding,
}

/// How the payload of samples lies in the file.
#[derive(Clone, Copy)]
enum Coding {
    AsIs,
    ClosedCaptions,
}

/// A chapter that is written at the end of the file.
struct Chapter {
    time_base: Rational,
    start: i64,
    end: i64,
    title: String,
}

/// What is to be told of a film that was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FinishedFilm {
    /// The packets that had to be repaired or left out, and the facts about tracks that the container cannot
    /// hold.
    pub notes: Vec<Note>,
    /// The tags of the copied film, by name and value, that FFmpeg did not write. The caller must write them
    /// in another way, or tell people.
    pub lost_tags: Vec<(String, String)>,
    /// The tracks that are shown without being asked for, as FFmpeg wrote them, and are not in the source:
    /// their numbers in the file, from 0.
    pub shown_unasked: Vec<u32>,
    /// The languages of copied tracks of an ISO file, as codes of ISO 639 or tags of BCP 47 that have a
    /// [`language_code`](crate::language_code()), by the numbers of these tracks in the file, from 0. FFmpeg
    /// writes some of the codes alone, so that the caller must write them all.
    pub languages: Vec<(u32, String)>,
}

impl Muxer {
    /// Creates the file, or the memory in its place, and writes the head. The notes name properties that the
    /// container cannot express.
    ///
    /// # Errors
    /// Returns [`MediaError::CannotHold`] (see [`Container::can_hold_track`]), [`MediaError::Write`] if the
    /// system cannot write, [`MediaError::Mux`] if FFmpeg refuses a track, and those of
    /// [`probe`](crate::probe()) if the film that is copied from cannot be opened again.
    pub fn create(settings: &MuxerSettings<'_>) -> Result<(Self, Vec<Note>), MediaError> {
        let MuxerSettings { container, kind, path, tracks, .. } = *settings;
        let refused =
            |failure: Failure| MediaError::write(path, 0, "the head of the file cannot be written", &failure);
        let to_file = kind == MuxerKind::Whole;
        let opened = match to_file {
            true => Output::create(container.muxer(), path),
            false => Output::in_memory(container.muxer()),
        };
        let mut output = opened.map_err(refused)?;
        output.in_order();
        let (mut notes, mut handed) = (Vec::new(), Handed::default());
        let source = match settings.copy_from {
            Some((info, start)) => open_source(info, &mut notes)?.map(|input| (info, input, start)),
            None => None,
        };
        let has_chapters = tracks.iter().any(|track| container.makes_chapters(track.format));
        if let Some((info, input, start)) = &source {
            handed.tag_film(&info.tags, &mut output).map_err(refused)?;
            if has_chapters && info.chapters > 0 {
                let text = "the chapters of the copied film are left out, because the film has others".into();
                notes.push(Note { track: None, text });
            }
            if start.is_numeric()
                && !has_chapters
                && let Some(chapters) = &info.beside.chapters
            {
                write_chapters(info, chapters, *start, &mut output).map_err(refused)?;
            } else if start.is_numeric() && !has_chapters {
                let end = info.window.as_ref().and_then(|window| window.end);
                let end = end.map_or(Time::POSITIVE_INFINITY, |end| info.unfiltered().time(end));
                output.chapters(input, *start, end).map_err(refused)?;
            }
        }
        for (name, value) in settings.tags {
            output.tag(None, name, value).map_err(refused)?;
        }
        let mut first = source.as_ref().map(|(info, input, _)| {
            let mut marks = TrackMarks::of(input.stream(info.video.index).disposition);
            if info.unfiltered().chosen {
                marks.set(TrackMark::Default, true);
            }
            (input, info.video.index, marks)
        });
        // Those that stand for tracks of the source are added in their places, by the copier.
        let listed = |track: &MuxerTrack<'_>| {
            let number = track.stands_for?;
            let (info, ..) = source.as_ref()?;
            info.tracks.iter().any(|other| other.index == number).then_some(number)
        };
        let replaced: Vec<Option<u32>> = tracks.iter().map(listed).collect();
        let mut streams = Vec::new();
        for (track, replaced) in tracks.iter().zip(&replaced) {
            let mut like = None;
            if replaced.is_some() {
                streams.push(None);
                continue;
            }
            match track.format {
                TrackFormat::Video(format) => {
                    container.check(format.codec)?;
                    like = first.take();
                }
                format if format.is_described_by_caller() => container.check_track(format)?,
                _ => {}
            }
            if container.makes_chapters(track.format) {
                if let Some(language) = track.language.filter(|language| *language != "und") {
                    let text = format!("the language of chapters ({language}) is not written to {container}");
                    notes.push(Note { track: None, text });
                }
                streams.push(None);
                continue;
            }
            let added = add_track(container, track, like, &mut output, &mut handed, &mut notes);
            streams.push(Some(added.map_err(refused)?));
        }
        // Where marks were changed, no others may be added to them.
        let changed = |info: &FilmInfo, input: &Input| {
            let own =
                |track: &TrackInfo| if track.is_beside() { 0 } else { input.stream(track.index).disposition };
            let mut marked = info.tracks.iter().filter(|track| track.kind != TrackKind::Cover);
            marked.any(|track| track.marks.dispositions() != own(track))
        };
        let marked = source.as_ref().is_some_and(|(info, input, _)| changed(info, input));
        let (mut copiers, mut cover) = (Vec::new(), None);
        if let Some((info, input, start)) = source {
            let mut replace = |number: u32, output: &mut Output, notes: &mut Vec<Note>| {
                let Some(place) = replaced.iter().position(|of| *of == Some(number)) else {
                    return Ok(None);
                };
                let added =
                    add_track(container, &tracks[place], None, output, &mut Handed::default(), notes)?;
                streams[place] = Some(added);
                Ok(Some(added))
            };
            let own: Vec<TrackInfo> =
                info.tracks.iter().filter(|track| !track.is_beside()).cloned().collect();
            let to = (&mut output, &mut handed, &mut notes);
            let copier = Copier::open(info, &own, input, container, start, to, &mut replace);
            copiers.push(copier.map_err(refused)?);
            for (number, file) in info.tracks_beside() {
                let input = Input::open_again(&file)?;
                let to = (&mut output, &mut handed, &mut notes);
                // The track has another number in its file than in the film, by which inputs name it.
                let replace = |_, output: &mut _, notes: &mut _| replace(number, output, notes);
                let copier = Copier::open(&file, &file.tracks, input, container, start, to, replace);
                copiers.push(copier.map_err(refused)?);
            }
            if let Some(file) = info.cover_beside() {
                match container.plan(file.track()) {
                    Plan::LeaveOut(text) => notes.push(Note { track: None, text }),
                    _ => cover = file.add(container, &mut output)?.map(|track| (file, track)),
                }
            }
        }
        options(settings, marked, &mut output).map_err(refused)?;
        output.header().map_err(refused)?;
        if let Some((cover, track)) = cover {
            cover.write(track, &mut output).map_err(refused)?;
        }
        let place = |(track, stream): (&MuxerTrack<'_>, Option<u32>)| {
            let time_base = match stream {
                Some(stream) => output.time_base(stream)?,
                None => time_base_of(track),
            };
            let coding = match track.format {
                TrackFormat::ClosedCaptions => Coding::ClosedCaptions,
                _ => Coding::AsIs,
            };
            Ok(Place { stream, time_base, coding })
        };
        let places = tracks.iter().zip(streams).map(place).collect::<Result<_, _>>().map_err(refused)?;
        let chapters = Vec::new();
        Ok((Self { path: path.into(), output, places, chapters, copiers, container, handed }, notes))
    }

    /// Returns the seconds a tick of a track.
    ///
    /// # Panics
    /// Panics if there is no such track.
    pub fn time_base(&self, track: usize) -> Rational {
        self.places[track].time_base
    }

    /// Returns the number of a track in the file, from 0; `None` for one whose samples become chapters.
    ///
    /// # Panics
    /// Panics if there is no such track.
    pub fn number(&self, track: usize) -> Option<u32> {
        self.places[track].stream
    }

    /// Writes a sample.
    ///
    /// # Errors
    /// Returns [`MediaError::Write`] or [`MediaError::Mux`]; the file written so far is useless then.
    ///
    /// # Panics
    /// Panics if there is no such track.
    pub fn write(&mut self, track: usize, sample: MuxerSample<'_>) -> Result<(), MediaError> {
        let Place { stream, time_base, coding } = self.places[track];
        let MuxerSample { pts, dts, duration, sync, disposable, data } = sample;
        let Some(stream) = stream else {
            let title = TextFormat::QuickTimeText.text(data);
            if !title.is_empty() {
                let end = pts.saturating_add(duration);
                self.chapters.push(Chapter { time_base, start: pts, end, title });
            }
            return Ok(());
        };
        let atoms = match coding {
            Coding::AsIs => None,
            Coding::ClosedCaptions => {
                let what = "closed captions of a track are packets of CEA-608";
                let refused = || MediaError::Mux {
                    file: self.path.clone(),
                    what: "a sample cannot be written".into(),
                    detail: what.into(),
                };
                Some(closed_captions::atoms(data).ok_or_else(refused)?)
            }
        };
        let data = atoms.as_deref().unwrap_or(data);
        let stamps = Stamps { pts, dts, duration };
        let written = self.output.write(stream, time_base, stamps, sync, disposable, data);
        written.map_err(|failure| self.error("a sample cannot be written", &failure))
    }

    /// Copies the packets that are decoded before or at a time, on the clock of the film that is copied from.
    ///
    /// # Errors
    /// Fails like [`Muxer::write`]; returns [`MediaError::Read`] of a copied track.
    pub fn copy_until(&mut self, time: Time) -> Result<(), MediaError> {
        self.copiers.iter_mut().try_for_each(|copier| copier.advance(time, &self.path, &mut self.output))
    }

    /// Ends a fragment, so that [`Muxer::take`] returns everything written so far.
    ///
    /// # Errors
    /// Fails like [`Muxer::write`].
    pub fn flush(&mut self) -> Result<(), MediaError> {
        self.output.flush().map_err(|failure| self.error("a fragment cannot be written", &failure))
    }

    /// Returns the bytes since the last call, of a muxer that writes to memory; the caller owns them.
    ///
    /// # Errors
    /// Returns [`MediaError::Mux`] if memory ran out, or if this one writes to a file.
    pub fn take(&mut self) -> Result<Vec<u8>, MediaError> {
        self.output.take().map_err(|failure| self.error("a fragment cannot be fetched", &failure))
    }

    /// Returns how many bytes were written; the number has no meaning in memory.
    pub fn bytes(&self) -> u64 {
        self.output.bytes()
    }

    /// Copies the remaining packets, writes the index and closes the file, without waiting for the disk. What
    /// was copied is compared with what is in the file then.
    ///
    /// # Errors
    /// Fails like [`Muxer::copy_until`].
    pub fn finish(mut self) -> Result<FinishedFilm, MediaError> {
        self.copy_until(Time::POSITIVE_INFINITY)?;
        let Self { path, mut output, chapters, copiers, container, handed, .. } = self;
        let bytes = output.bytes();
        let failed = |failure| MediaError::write(&path, bytes, "the file cannot be completed", &failure);
        for Chapter { time_base, start, end, title } in &chapters {
            output.chapter(*time_base, *start, *end, title).map_err(failed)?;
        }
        output.finish().map_err(failed)?;
        let mut notes: Vec<Note> = copiers.iter().flat_map(Copier::notes).collect();
        let mut finished = handed.compare(&path, container)?;
        notes.append(&mut finished.notes);
        Ok(FinishedFilm { notes, ..finished })
    }

    fn error(&self, what: &str, failure: &Failure) -> MediaError {
        MediaError::write(&self.path, self.output.bytes(), what, failure)
    }
}

fn time_base_of(track: &MuxerTrack<'_>) -> Rational {
    Rational::new(1, i32::try_from(track.timescale.max(1)).unwrap_or(i32::MAX))
}

/// Opens the film that is copied from again.
fn open_source(info: &FilmInfo, notes: &mut Vec<Note>) -> Result<Option<Input>, MediaError> {
    if !info.seekable {
        if !info.tracks.is_empty() {
            let text = "only the video is written: the source is a pipe, which cannot be read a second time";
            notes.push(Note { track: None, text: text.into() });
        }
        return Ok(None);
    }
    let input = Input::open_again(info)?;
    if input.film().streams as usize <= info.tracks.iter().filter(|track| !track.is_beside()).count() {
        return Err(MediaError::SourceChanged { file: info.path.clone(), frame: 0 });
    }
    Ok(Some(input))
}

fn add_track(
    container: Container,
    track: &MuxerTrack<'_>,
    like: Option<(&Input, u32, TrackMarks)>,
    output: &mut Output,
    handed: &mut Handed,
    notes: &mut Vec<Note>,
) -> Result<u32, Failure> {
    let time_base = time_base_of(track);
    let index = match track.format {
        TrackFormat::Video(format) => {
            let video = NewVideo {
                container,
                format,
                time_base,
                frame_rate: track.frame_rate.unwrap_or(Rational::new(0, 1)),
                display_matrix: track.display_matrix,
                disposition: like.map_or(0, |(.., marks)| marks.dispositions()),
                encoder: "",
            };
            let index = add_video(video, output, notes)?;
            if let Some((input, stream, _)) = like {
                handed.copy_tags(input, stream, output, index, container, true)?;
            }
            index
        }
        TrackFormat::Audio(format) => output.audio(format, time_base)?,
        TrackFormat::Text(TextFormat::SubRip) => output.timed("subrip", time_base)?,
        TrackFormat::Text(TextFormat::WebVtt) => output.timed("webvtt", time_base)?,
        TrackFormat::Text(_)
        | TrackFormat::Timecode(_)
        | TrackFormat::Metadata(_)
        | TrackFormat::ClosedCaptions => output.timed("bin_data", time_base)?,
    };
    if let Some(language) = track.language {
        output.tag(Some(index), "language", language)?;
    }
    for (name, value) in track.tags {
        output.tag(Some(index), name, value)?;
    }
    Ok(index)
}

fn options(settings: &MuxerSettings<'_>, marked: bool, output: &mut Output) -> Result<(), Failure> {
    if !settings.container.is_iso() {
        // Subtitles that the source does not show unasked must not be shown unasked.
        return output.option("default_mode", if marked { "passthrough" } else { "infer_no_subs" });
    }
    // Times are written as they are given, because edit lists are the caller's work and must not be shifted
    // under it.
    output.option("avoid_negative_ts", "disabled")?;
    output.option("use_editlist", "1")?;
    output.option("movie_timescale", &settings.movie_timescale.max(1).to_string())?;
    let scales = settings.tracks.iter().filter(|track| matches!(track.format, TrackFormat::Video(_)));
    let mut scales = scales.map(|track| track.timescale);
    if let Some(first) = scales.next().filter(|&first| scales.all(|scale| scale == first)) {
        output.option("video_track_timescale", &first.to_string())?;
    }
    if settings.tracks.iter().any(|track| matches!(track.format, TrackFormat::Timecode(_))) {
        // A tag must not make a second track of timecodes.
        output.option("write_tmcd", "0")?;
    }
    if let MuxerKind::Fragments { first } = settings.kind {
        output.option("movflags", "+frag_custom+delay_moov+default_base_moof+skip_trailer")?;
        output.option("fragment_index", &first.to_string())?;
    }
    Ok(())
}
