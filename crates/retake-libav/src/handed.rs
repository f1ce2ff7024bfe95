//! Compares what was handed to a container's writer with what it wrote, because writers drop what they do not
//! know without a word.

use crate::access::Access;
use crate::container::Container;
use crate::error::MediaError;
use crate::failure::Failure;
use crate::film::{TrackInfo, TrackKind};
use crate::input::Input;
use crate::muxer::FinishedFilm;
use crate::note::Note;
use crate::output::Output;
use crate::tags::{keeps_for_film, keeps_for_track};
use std::path::Path;

/// The mark of a track that is shown without being asked for.
pub(crate) const DEFAULT: i32 = 1;

/// The marks of tracks, as FFmpeg numbers and people call them.
const MARKS: [(i32, &str); 9] = [
    (DEFAULT, "default"),
    (2, "dubbed"),
    (4, "original"),
    (8, "comment"),
    (16, "lyrics"),
    (32, "karaoke"),
    (64, "forced"),
    (128, "hearing impaired"),
    (256, "visual impaired"),
];

/// What of a source was handed to a writer.
#[derive(Debug, Default)]
pub(crate) struct Handed {
    film_tags: Vec<(String, String)>,
    track_tags: Vec<(u32, String, String)>,
    /// The tracks that are copied, their marks, and their numbers in the new file.
    pub(crate) tracks: Vec<(TrackInfo, i32, u32)>,
}

impl Handed {
    /// Copies the tags of a film that are still true of the new one.
    pub(crate) fn copy_film_tags(&mut self, input: &Input, output: &mut Output) -> Result<(), Failure> {
        for (name, value) in input.tags(None).into_iter().filter(|(name, _)| keeps_for_film(name)) {
            output.tag(None, &name, &value)?;
            self.film_tags.push((name, value));
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
            if keeps_for_track(&name, container, encoded_anew) {
                output.tag(Some(to), &name, &value)?;
                self.track_tags.push((from, name, value));
            }
        }
        Ok(())
    }

    /// Reads the film that was written, and returns what is not in it as it was handed over.
    pub(crate) fn compare(self, path: &Path, container: Container) -> Result<FinishedFilm, MediaError> {
        let Self { film_tags, track_tags, tracks } = self;
        if film_tags.is_empty() && track_tags.is_empty() && tracks.is_empty() {
            return Ok(FinishedFilm::default());
        }
        let film = Input::open(path, &Access::new())?;
        let streams = film.film().streams as u32;
        let of_film = film.tags(None);
        let of_tracks: Vec<(String, String)> =
            (0..streams).flat_map(|stream| film.tags(Some(stream))).collect();
        let lost_tags = film_tags.into_iter().filter(|tag| !is_among(tag, &of_film)).collect();
        let (mut notes, mut shown_unasked) = (Vec::new(), Vec::new());
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
        for (track, marks, number) in tracks.into_iter().filter(|(_, _, number)| *number < streams) {
            let written = film.stream(number).disposition;
            if track.kind == TrackKind::Subtitle && written & !marks & DEFAULT != 0 {
                shown_unasked.push(number);
            }
            let lost = MARKS.iter().filter(|(mark, _)| marks & mark != 0 && written & mark == 0);
            let lost: Vec<&str> = lost.map(|(_, name)| *name).collect();
            if !lost.is_empty() {
                let lost = lost.join(", ");
                let text = format!("{track}: its mark as {lost} cannot be written to {container}");
                notes.push(Note { track: Some(track.index), text });
            }
        }
        Ok(FinishedFilm { notes, lost_tags, shown_unasked })
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
