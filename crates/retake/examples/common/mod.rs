//! What several examples do alike: write samples into a film as they are.
#![allow(dead_code)] // each example needs a part of it

use retake::Rational;
use retake::asset::{AssetWriter, AssetWriterInput, Container, MediaSample, TrackFormat};
use retake::source::FilmInfo;
use std::error::Error;
use std::path::Path;
use std::time::Duration;

/// Every step of an example may fail; what failed says so to people.
pub(crate) type Answer<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// No input here waits for room as long as this. After that the writer has failed, and finishing says why.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Where the samples come from, which says what is written beside them.
pub(crate) enum From<'a> {
    /// A film: its sound, subtitles, chapters and tags go along.
    Film(&'a FilmInfo),
    /// The pictures of a film alone.
    Pictures(&'a FilmInfo),
    /// Pictures that were generated at this rate.
    Generated(Rational),
}

/// What a program was called with.
pub(crate) fn arguments() -> Vec<String> {
    std::env::args().skip(1).collect()
}

/// Writes samples in decode order, as they are.
pub(crate) fn write<S: Into<MediaSample>>(
    to: &Path,
    format: TrackFormat,
    samples: impl IntoIterator<Item = S>,
    from: From<'_>,
) -> Answer {
    let writer = AssetWriter::new(to, Container::from_path(to)?);
    let input = AssetWriterInput::passthrough(format);
    let mut start = retake::Time::ZERO;
    writer.configure(|options| {
        options.fast_start = true;
        if let From::Film(film) = from {
            options.other_tracks = Some(film.clone().into());
        }
    })?;
    input.configure(|options| match from {
        From::Generated(rate) => options.frame_rate = Some(rate),
        From::Film(film) | From::Pictures(film) => {
            start = film.start;
            options.frame_rate = Some(film.video.frame_rate);
            options.transform = film.video.display_matrix;
        }
    })?;
    writer.add(&input)?;
    writer.start_writing()?;
    writer.start_session(start)?;
    let mut count = 0;
    for sample in samples {
        if !input.wait_until_ready(LONG) {
            break;
        }
        input.append(sample)?;
        count += 1;
    }
    writer.finish_writing_and_wait()?;
    writer.notes().iter().for_each(|note| println!("note: {note}"));
    println!("{count} samples");
    Ok(())
}
