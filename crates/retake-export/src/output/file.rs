//! This module makes a film as one file: it joins the chosen takes and writes them beside the sound that is
//! encoded, and beside the tracks that are copied.

use super::track::{TrackWriter, append, misused};
use super::{Output, Written, size};
use crate::error::ExportError;
use crate::film::Film;
use crate::sound::encode::{EncodedSound, lead};
use crate::stop::StopFlag;
use retake_asset::{
    AssetWriter, AssetWriterInput, Container, InputOptions, SoundSamples, TrackFormat, WriterOptions,
};
use retake_media::Time;
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
        let sounds = Sounds::open(film, self.container, stop)?;
        let writer = AssetWriter::new(&path, self.container);
        let set_up = |options: &mut WriterOptions| {
            options.fast_start = true;
            options.metadata = vec![("encoding_tool".into(), encoder.clone())];
            options.other_tracks = Some(film.job.others.clone().into());
        };
        writer.configure(set_up).map_err(misused)?;
        let input = AssetWriterInput::passthrough(TrackFormat::Video(samples.format.clone()));
        let set_up = |options: &mut InputOptions| {
            options.frame_rate = Some(source.video.frame_rate);
            options.transform = source.video.display_matrix;
            options.metadata = vec![("encoder".into(), encoder.clone())];
        };
        input.configure(set_up).map_err(misused)?;
        let (track, inputs) =
            TrackWriter::start_with(writer, input, sounds.inputs()?, source.start - sounds.late)?;
        let mut pictures = |stop: &StopFlag| {
            while let Some(sample) = samples.next()? {
                stop.check()?;
                track.append(sample, stop)?;
            }
            track.end()
        };
        let mut notes = sounds.write(track.writer(), &inputs, &mut pictures, stop)?;
        track.finish()?;
        notes.extend(track.writer().notes());
        Ok(Written { bytes: size(&path)?, film: path.clone(), media: None, pictures: vec![path], notes })
    }
}

/// The tracks of sound that are encoded while the film is written.
struct Sounds<'a> {
    tracks: Vec<EncodedSound<'a>>,
    /// The film begins this much later, so that what primes decoders lies in front of it.
    late: Time,
}

impl<'a> Sounds<'a> {
    fn open(film: &'a Film<'_>, container: Container, stop: &StopFlag) -> Result<Self, ExportError> {
        let (plan, source) = (&film.job.sound, &film.job.others);
        let (mut tracks, mut late) = (Vec::new(), Time::ZERO);
        for (track, encoding) in plan.encoded() {
            let format = SoundSamples::open(&encoding.settings)?.format().clone();
            let (lead, later) = lead(container, &format);
            late = late.max(later);
            tracks.push(EncodedSound::open(source, (track, encoding), plan, lead, stop)?);
        }
        Ok(Self { tracks, late })
    }

    /// The inputs of a writer for all of them.
    fn inputs(&self) -> Result<Vec<AssetWriterInput>, ExportError> {
        let input = |sound: &EncodedSound<'_>| {
            let input = AssetWriterInput::passthrough(TrackFormat::Audio(sound.format().clone()));
            let place = |options: &mut InputOptions| options.stands_for = Some(sound.track.index);
            input.configure(place).map_err(misused).map(|()| input)
        };
        self.tracks.iter().map(input).collect()
    }

    /// Encodes all of them, each on a thread of its own, while `pictures` feeds the writer on this one. The
    /// writer holds up who runs ahead of the others. Where one of them fails, the others stop.
    fn write(
        self,
        writer: &AssetWriter,
        inputs: &[AssetWriterInput],
        pictures: &mut dyn FnMut(&StopFlag) -> Result<(), ExportError>,
        stop: &StopFlag,
    ) -> Result<Vec<String>, ExportError> {
        let all = stop.child();
        let end_all = |error: ExportError| {
            all.raise();
            error
        };
        let feed = |mut sound: EncodedSound<'a>, input: &AssetWriterInput| {
            let mut any = false;
            while let Some(sample) = sound.next(&all)? {
                append(writer, input, sample, &all)?;
                any = true;
            }
            input.mark_as_finished().map_err(misused)?;
            let mut notes = sound.notes();
            if !any {
                notes.push(format!("{} holds no sound: left out", sound.track));
            }
            Ok(notes)
        };
        let (feed, end_all) = (&feed, &end_all);
        let results = std::thread::scope(|scope| {
            let feeders: Vec<_> = self
                .tracks
                .into_iter()
                .zip(inputs)
                .map(|(sound, input)| scope.spawn(move || feed(sound, input).map_err(end_all)))
                .collect();
            let mut results = vec![pictures(&all).map_err(end_all).map(|()| Vec::new())];
            let panicked = |_| Err(ExportError::Internal("encoding sound panicked".into()));
            results.extend(feeders.into_iter().map(|feeder| feeder.join().unwrap_or_else(panicked)));
            results
        });
        let (mut notes, mut failures) = (Vec::new(), Vec::new());
        for result in results {
            match result {
                Ok(told) => notes.extend(told),
                Err(error) => failures.push(error),
            }
        }
        // who was stopped for the sake of another says nothing
        failures.into_iter().min_by_key(ExportError::is_consequence).map_or(Ok(notes), Err)
    }
}
