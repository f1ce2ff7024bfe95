//! Whether a written film is what was encoded.

use super::Film;
use crate::error::ExportError;
use crate::index::FilmMap;
use crate::stop::StopFlag;
use retake_libav::{
    ErrorKind, FilmInfo, FrameReader, ReaderOptions, SampleReader, probe_video, time_to_ticks,
};
use retake_media::Sample;
use std::path::Path;

/// The number of the encoded video in a film: copies of others, which may be larger, stand behind it.
const ENCODED: u32 = 0;

/// Frames between two reports of progress.
const EVERY: u64 = 64;

impl Film<'_> {
    /// Reads the written film, or the playlist of its pictures, and compares it with what was indexed and
    /// encoded. `verified` is told how many frames were compared.
    pub(crate) fn verify(
        &self,
        path: &Path,
        stop: &StopFlag,
        verified: &dyn Fn(u64),
    ) -> Result<(), ExportError> {
        let verified = if self.takes.iter().all(|take| take.record.pictures.is_some()) {
            self.verify_pictures(path, stop, verified)
        } else {
            self.verify_samples(path, stop, verified)
        };
        verified.map_err(of_written)
    }

    /// Decodes the written film and compares it with what was indexed and encoded: the number of frames,
    /// their times, and every picture. So the scores that were measured in the takes are scores of this file.
    fn verify_pictures(
        &self,
        path: &Path,
        stop: &StopFlag,
        verified: &dyn Fn(u64),
    ) -> Result<(), ExportError> {
        let film = probe_video(path, &stop.access(true, None), Some(ENCODED))?;
        let format = self.job.description.settings.format;
        let options = ReaderOptions { format, threads: self.job.jobs.min(8) };
        let mut reader = FrameReader::open(&film, options)?;
        let mut hashes = self.takes.iter().filter_map(|take| take.record.pictures.as_ref()).flatten();
        let mut times = Times::new(&self.map, &film);
        while let Some(frame) = reader.next()? {
            stop.check()?;
            times.next(frame.pts)?;
            if hashes.next() != Some(&frame.hash()) {
                let what = format!("frame {} decodes to another picture than was encoded", frame.index);
                let shown = self.takes.iter().find(|take| take.record.range.end > frame.index);
                return Err(match shown {
                    Some(take) => self.store.disowned(&take.description, what),
                    None => ExportError::Verification(what),
                });
            }
            if times.frames.is_multiple_of(EVERY) {
                verified(times.frames);
            }
        }
        times.end()
    }

    /// Where the encoder was not asked what a decoder will see: compares every sample of the written film,
    /// byte for byte, with the take that it comes from, and all times, and decodes every sync frame. Decoding
    /// all would cost a twentieth of the encode.
    fn verify_samples(
        &self,
        path: &Path,
        stop: &StopFlag,
        verified: &dyn Fn(u64),
    ) -> Result<(), ExportError> {
        let film = probe_video(path, &stop.access(true, None), Some(ENCODED))?;
        let mut samples = SampleReader::open(&film)?;
        // Of H.264 with one reference picture libavformat calls every I picture a sync sample, whatever the
        // file says. Decoding can start there, so that it is no damage.
        let infers = film.video.codec == "h264";
        let (mut shown, mut syncs) = (Vec::new(), 0u64);
        let mut encoded = self.samples()?;
        while let Some(expected) = encoded.next()? {
            stop.check()?;
            let found = samples.next()?;
            let marked = |found: &Sample| found.is_sync() == expected.is_sync() || infers && found.is_sync();
            let found = found.filter(|found| found.data == expected.data && marked(found));
            let found = found.ok_or_else(|| {
                ExportError::Verification(format!("sample {} is not the one that was encoded", shown.len()))
            })?;
            let pts = time_to_ticks(found.pts, film.video.time_base);
            shown.push(
                pts.ok_or_else(|| ExportError::Verification(format!("sample {} has no time", shown.len())))?,
            );
            syncs += u64::from(found.is_sync());
            let count = shown.len() as u64;
            if count.is_multiple_of(EVERY) {
                verified(count);
            }
        }
        if samples.next()?.is_some() {
            return Err(ExportError::Verification("it has more samples than were encoded".into()));
        }
        shown.sort_unstable();
        let mut times = Times::new(&self.map, &film);
        shown.into_iter().try_for_each(|pts| times.next(pts))?;
        times.end()?;
        let format = self.job.description.settings.format;
        let options = ReaderOptions { format, threads: self.job.reader.threads };
        let mut reader = FrameReader::open(&film, options)?;
        reader.sync_frames_only();
        let mut decoded = 0;
        while reader.next()?.is_some() {
            stop.check()?;
            decoded += 1;
        }
        if (decoded, reader.damaged()) == (syncs, 0) {
            return Ok(());
        }
        Err(ExportError::Verification(format!(
            "of {syncs} sync frames {decoded} decode, {} with damage",
            reader.damaged()
        )))
    }
}

/// A written film that is no film is no fault of the source, which errors of files else are taken for.
fn of_written(error: ExportError) -> ExportError {
    match error {
        ExportError::Media(error) if error.kind() == ErrorKind::BadInput => {
            ExportError::Verification(error.to_string())
        }
        other => other,
    }
}

/// Compares the times of the film's frames, in presentation order, with the source's.
struct Times<'a> {
    map: &'a FilmMap,
    clock: Clock,
    first: Option<i64>,
    frames: u64,
}

impl<'a> Times<'a> {
    fn new(map: &'a FilmMap, film: &FilmInfo) -> Self {
        Self { map, clock: Clock::new(map, film), first: None, frames: 0 }
    }

    fn next(&mut self, pts: i64) -> Result<(), ExportError> {
        let source = &self.map.index.frames;
        let Some(entry) = source.get(self.frames as usize) else {
            return Err(ExportError::Verification(format!("it has more than {} frames", source.len())));
        };
        let first = *self.first.get_or_insert(pts);
        if !self.clock.agrees(pts - first, entry.pts - source[0].pts) {
            return Err(ExportError::Verification(format!(
                "frame {} is shown at another time than in the source",
                self.frames
            )));
        }
        self.frames += 1;
        Ok(())
    }

    fn end(&self) -> Result<(), ExportError> {
        let wanted = self.map.index.frames.len();
        if self.frames == wanted as u64 {
            return Ok(());
        }
        Err(ExportError::Verification(format!("it has {} frames instead of {wanted}", self.frames)))
    }
}

/// Compares times of the source with times of the film, whose container may round.
struct Clock {
    source: (i128, i128),
    film: (i128, i128),
}

impl Clock {
    fn new(map: &FilmMap, film: &FilmInfo) -> Self {
        let parts = |base: retake_media::Rational| (i128::from(base.num), i128::from(base.den));
        Self { source: parts(map.index.time_base), film: parts(film.video.time_base) }
    }

    /// Whether the difference is less than one tick of the film's clock: less than what rounding both ends
    /// can make.
    fn agrees(&self, film_ticks: i64, source_ticks: i64) -> bool {
        let film = i128::from(film_ticks) * self.film.0 * self.source.1;
        let source = i128::from(source_ticks) * self.source.0 * self.film.1;
        // equal to the tick where the clocks are the same; otherwise rounding may take up to one tick
        let tolerance = if self.film == self.source { 0 } else { self.film.0 * self.source.1 };
        (film - source).abs() <= tolerance
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Fault;
    use retake_libav::MediaError;

    /// Exit code 2 says that the source or the request is at fault, and 1 that this program or the machine
    /// is.
    #[test]
    fn a_written_film_that_cannot_be_read_is_no_fault_of_the_source() {
        let empty = || ExportError::Media(MediaError::Empty { file: "out.mp4".into() });
        let system = std::io::Error::other("no such device");
        let read = MediaError::Read { file: "out.mp4".into(), frame: 1, byte: 2, source: system };
        assert_eq!(empty().fault(), Fault::Request, "the test proves nothing");
        assert_eq!(of_written(empty()).fault(), Fault::System);
        assert!(matches!(of_written(empty()), ExportError::Verification(what) if what.contains("out.mp4")));
        assert!(matches!(of_written(ExportError::Media(read)), ExportError::Media(MediaError::Read { .. })));
    }
}
