use retake_compression::parallel::{FrameReading, FrameSource, SourceError};
use retake_compression::session::SourceFrame;
use retake_compression::units::FrameRange;
use retake_libav::{
    FilmInfo, Finding, FrameEntry, FrameIndex, FrameReader, MediaError, RangeReader, ReaderOptions,
    SeekTrust, probe, survey, ticks_to_time,
};
use retake_media::{PixelFormat, Time};
use std::path::Path;
use std::sync::Arc;

/// The pictures of a film, by exact ranges: what sessions that share a source read from.
pub struct FilmSource {
    film: FilmInfo,
    index: Arc<FrameIndex>,
    options: ReaderOptions,
    trust: Arc<SeekTrust>,
    findings: Vec<Finding>,
}

impl FilmSource {
    /// Decodes a film once, to learn which frames it has; they are read as `format`, or as they are without
    /// one. Ranges are checked against that, so that no seek leads to other frames. Keeps some twenty bytes a
    /// frame.
    ///
    /// # Errors
    /// Those of `probe` and of decoding; [`MediaError::NotSeekable`] for a pipe.
    pub fn open(path: &Path, format: Option<PixelFormat>) -> Result<Self, MediaError> {
        let film = survey(probe(path)?, &|| false)?;
        if !film.seekable {
            return Err(MediaError::NotSeekable { file: film.path });
        }
        let options = ReaderOptions { format: format.unwrap_or(film.video.format), threads: 1 };
        let mut index = FrameIndex::new(film.video.time_base);
        let mut reader = FrameReader::open(&film, options)?;
        while let Some(frame) = reader.next()? {
            index.frames.push(FrameEntry::from(&frame));
        }
        let findings = reader.findings();
        Ok(Self { film, index: Arc::new(index), options, trust: SeekTrust::new(), findings })
    }

    /// What has to be told of the film: damage, frames that are converted, facts that its pictures lose.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What the film is made of.
    pub fn film(&self) -> &FilmInfo {
        &self.film
    }
}

impl FrameSource for FilmSource {
    fn frame_count(&self) -> u64 {
        self.index.frames.len() as u64
    }

    fn duration(&self) -> Option<Time> {
        let (first, last) = self.index.frames.first().zip(self.index.frames.last())?;
        let ticks = last.pts.saturating_add(last.duration).saturating_sub(first.pts);
        Some(ticks_to_time(ticks, self.index.time_base))
    }

    fn open(&self, range: FrameRange) -> Result<FrameReading<'_>, SourceError> {
        let FrameRange { start, end } = range;
        let (index, trust) = (self.index.clone(), self.trust.clone());
        let mut reader = RangeReader::open(&self.film, index, start..end, self.options, trust)?;
        Ok(Box::new(std::iter::from_fn(move || {
            let frame = reader.next().map_err(SourceError::from).transpose()?;
            let time = |ticks| self.film.video.time(ticks);
            Some(frame.map(|frame| {
                let duration = Some(frame.duration).filter(|&ticks| ticks != 0).map(time);
                let picture = self.film.video.attach_to(frame.picture);
                SourceFrame::new(&picture, time(frame.pts)).duration(duration)
            }))
        })))
    }
}
