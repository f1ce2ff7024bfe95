//! Compares what was handed to a container's writer with what it wrote, because writers drop what they do not
//! know without a word.

use crate::access::Access;
use crate::container::Container;
use crate::error::MediaError;
use crate::failure::Failure;
use crate::film::{TrackInfo, TrackKind};
use crate::input::Input;
use crate::languages::language_code;
use crate::marks::{TrackMark, TrackMarks};
use crate::muxer::FinishedFilm;
use crate::note::Note;
use crate::output::Output;
use crate::tags::keeps_for_track;
use std::path::Path;

/// What of a source was handed to a writer.
#[derive(Debug, Default)]
pub(crate) struct Handed {
    film_tags: Vec<(String, String)>,
    track_tags: Vec<(u32, String, String)>,
    /// The tracks that are copied, and their numbers in the new file.
    pub(crate) tracks: Vec<(TrackInfo, u32)>,
    /// The languages of tracks of ISO files, by their numbers in the new file.
    languages: Vec<(u32, String)>,
    notes: Vec<Note>,
}

impl Handed {
    /// Gives a new film its tags.
    pub(crate) fn tag_film(&mut self, tags: &[(String, String)], output: &mut Output) -> Result<(), Failure> {
        for (name, value) in tags {
            output.tag(None, name, value)?;
            self.film_tags.push((name.clone(), value.clone()));
        }
        Ok(())
    }

    /// Gives a track of another file the language and the name that somebody said.
    pub(crate) fn name_track(
        &mut self,
        track: &TrackInfo,
        output: &mut Output,
        to: u32,
        container: Container,
    ) -> Result<(), Failure> {
        if let Some(language) = &track.language {
            if container.is_iso() {
                self.set_language(language, track.index, output, to, container)?;
            } else {
                // Matroska has codes of three letters, too, and tags for what they do not say.
                let code = if language.contains('-') { None } else { language_code(language) };
                output.tag(Some(to), "language", code.as_ref().unwrap_or(language))?;
            }
        }
        if let Some(title) = &track.title {
            output.tag(Some(to), "title", title)?;
            self.track_tags.push((track.index, "title".to_owned(), title.clone()));
        }
        Ok(())
    }

    /// Copies the tags of a track that are still true in the new file.
    pub(crate) fn copy_tags(
        &mut self,
        input: &Input,
        from: u32,
        output: &mut Output,
        to: u32,
        container: Container,
        encoded_anew: bool,
    ) -> Result<(), Failure> {
        for (name, value) in input.tags(Some(from)) {
            if !keeps_for_track(&name, container, encoded_anew) {
                continue;
            }
            if container.is_iso() && name.eq_ignore_ascii_case("language") {
                self.set_language(&value, from, output, to, container)?;
                continue;
            }
            output.tag(Some(to), &name, &value)?;
            self.track_tags.push((from, name, value));
        }
        Ok(())
    }

    /// Gives a track of an ISO file its language. Such a track has a code of three letters. FFmpeg drops what
    /// is none, and in QuickTime files many codes; what is dropped, and what no code says, the caller writes.
    fn set_language(
        &mut self,
        language: &str,
        from: u32,
        output: &mut Output,
        to: u32,
        container: Container,
    ) -> Result<(), Failure> {
        if matches!(language, "" | "und") {
            return Ok(());
        }
        let Some(code) = language_code(language) else {
            let text = format!("the language {language} of track {from} cannot be written to {container}");
            self.notes.push(Note { track: Some(from), text });
            return Ok(());
        };
        output.tag(Some(to), "language", &code)?;
        self.languages.push((to, language.to_owned()));
        Ok(())
    }

    /// Reads the film that was written, and returns what is not in it as it was handed over.
    pub(crate) fn compare(self, path: &Path, container: Container) -> Result<FinishedFilm, MediaError> {
        let Self { film_tags, track_tags, tracks, languages, mut notes } = self;
        if film_tags.is_empty() && track_tags.is_empty() && tracks.is_empty() {
            return Ok(FinishedFilm { notes, languages, ..FinishedFilm::default() });
        }
        let film = Input::open(path, &Access::new())?;
        let streams = film.film().streams as u32;
        let of_film = film.tags(None);
        let of_tracks: Vec<(String, String)> =
            (0..streams).flat_map(|stream| film.tags(Some(stream))).collect();
        let lost_tags = film_tags.into_iter().filter(|tag| !is_among(tag, &of_film)).collect();
        let mut shown_unasked = Vec::new();
        for (track, name, value) in track_tags {
            let tag = (name, value);
            // The name of a track is written (`udta/name`), and read by newer FFmpegs alone.
            if container.is_iso() && tag.0.eq_ignore_ascii_case("title") {
                continue;
            }
            // Who encoded a copied track is a word about a file, not about what is in it.
            if !is_among(&tag, &of_tracks) && !tag.0.eq_ignore_ascii_case("encoder") {
                let (name, value) = tag;
                let text =
                    format!("the tag {name}={value} of track {track} cannot be written to {container}");
                notes.push(Note { track: Some(track), text });
            }
        }
        for (track, number) in tracks.into_iter().filter(|(_, number)| *number < streams) {
            let written = TrackMarks::of(film.stream(number).disposition);
            let unasked = written.without(track.marks).any(|mark| mark == TrackMark::Default);
            if track.kind == TrackKind::Subtitle && unasked {
                shown_unasked.push(number);
            }
            let lost: Vec<&str> = track.marks.without(written).map(TrackMark::name).collect();
            if !lost.is_empty() {
                let lost = lost.join(", ");
                let text = format!("{track}: its mark as {lost} cannot be written to {container}");
                notes.push(Note { track: Some(track.index), text });
            }
        }
        Ok(FinishedFilm { notes, lost_tags, shown_unasked, languages })
    }
}

/// Returns whether a tag was written, maybe under the container's own name for it.
fn is_among((name, value): &(String, String), written: &[(String, String)]) -> bool {
    // Writers give times in other words, and languages and the like as codes.
    let same_name = |other: &str| other.eq_ignore_ascii_case(name);
    let by_name = ["creation_time", "language", "handler_name"].iter().any(|known| same_name(known));
    written.iter().any(|(other, found)| found == value || (by_name && same_name(other)))
        || value.is_empty()
        || (name.eq_ignore_ascii_case("language") && value == "und")
}
