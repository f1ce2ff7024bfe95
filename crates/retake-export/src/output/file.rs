//! This module makes a film as one file: it joins the chosen takes and writes them beside the tracks that are
//! copied.

use super::track::{TrackWriter, misused};
use super::{Output, Written, size};
use crate::error::ExportError;
use crate::film::Film;
use crate::stop::StopFlag;
use retake_asset::{AssetWriter, AssetWriterInput, Container, InputOptions, TrackFormat, WriterOptions};
use std::path::Path;

/// A film file is one file in a container.
pub(crate) struct FilmFile {
    pub container: Container,
}

impl Output for FilmFile {
    fn write(
        &self,
        film: &Film<'_>,
        folder: &Path,
        output: &Path,
        stop: &StopFlag,
    ) -> Result<Written, ExportError> {
        let path = folder.join(output.file_name().unwrap_or_default());
        let mut samples = film.samples()?;
        let (source, encoder) = (&film.job.source, &film.job.description.encoder);
        let writer = AssetWriter::new(&path, self.container);
        let set_up = |options: &mut WriterOptions| {
            options.fast_start = true;
            options.metadata = vec![("encoding_tool".into(), encoder.clone())];
            options.other_tracks = Some(source.clone().into());
        };
        writer.configure(set_up).map_err(misused)?;
        let input = AssetWriterInput::passthrough(TrackFormat::Video(samples.format.clone()));
        let set_up = |options: &mut InputOptions| {
            options.frame_rate = Some(source.video.frame_rate);
            options.transform = source.video.display_matrix;
            options.metadata = vec![("encoder".into(), encoder.clone())];
        };
        input.configure(set_up).map_err(misused)?;
        let track = TrackWriter::start(writer, input, source.start)?;
        while let Some(sample) = samples.next()? {
            stop.check()?;
            track.append(sample, stop)?;
        }
        track.finish()?;
        let notes = track.writer().notes();
        Ok(Written { bytes: size(&path)?, film: path.clone(), media: None, pictures: path, notes })
    }
}
