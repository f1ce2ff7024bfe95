//! This module feeds an input of an asset writer, from one thread.

use crate::error::ExportError;
use crate::stop::StopFlag;
use retake_asset::{AppendError, AssetWriter, AssetWriterInput, CallError, MediaSample, UsageError};
use retake_media::{Sample, Time};
use std::time::Duration;

/// The writer is waited for in steps of this length, so that a stop or a failure is noticed in between.
const PATIENCE: Duration = Duration::from_millis(50);

/// A track writer writes one track, or one that the others of its writer are fed beside.
pub(crate) struct TrackWriter {
    writer: AssetWriter,
    input: AssetWriterInput,
}

impl TrackWriter {
    /// Starts a writer that is set up, with its input and a session that starts at `start`.
    pub(crate) fn start(
        writer: AssetWriter,
        input: AssetWriterInput,
        start: Time,
    ) -> Result<Self, ExportError> {
        let (track, _) = Self::start_with(writer, input, Vec::new(), start)?;
        Ok(track)
    }

    /// The same with further inputs, which other threads may feed.
    pub(crate) fn start_with(
        writer: AssetWriter,
        input: AssetWriterInput,
        others: Vec<AssetWriterInput>,
        start: Time,
    ) -> Result<(Self, Vec<AssetWriterInput>), ExportError> {
        [&input].into_iter().chain(&others).try_for_each(|input| writer.add(input)).map_err(misused)?;
        writer.start_writing().map_err(failed)?;
        writer.start_session(start).map_err(misused)?;
        Ok((Self { writer, input }, others))
    }

    pub(crate) fn writer(&self) -> &AssetWriter {
        &self.writer
    }

    /// Writes the next sample. It waits until there is room for it.
    pub(crate) fn append(&self, sample: Sample, stop: &StopFlag) -> Result<(), ExportError> {
        append(&self.writer, &self.input, sample, stop)
    }

    /// Says that no sample follows, so that other tracks no longer wait for one.
    pub(crate) fn end(&self) -> Result<(), ExportError> {
        self.input.mark_as_finished().map_err(misused)
    }

    /// Ends the writer.
    pub(crate) fn finish(&self) -> Result<(), ExportError> {
        self.writer.finish_writing_and_wait().map_err(failed)
    }
}

/// Appends a sample to an input of a writer. It waits until there is room for it.
pub(crate) fn append(
    writer: &AssetWriter,
    input: &AssetWriterInput,
    sample: impl Into<MediaSample>,
    stop: &StopFlag,
) -> Result<(), ExportError> {
    while !input.wait_until_ready(PATIENCE) {
        stop.check()?;
        if let Some(error) = writer.error() {
            return Err(error.into());
        }
    }
    input.append(sample).map_err(|error| match error {
        AppendError::Failed(error) => error.into(),
        other => ExportError::Internal(other.to_string()),
    })
}

/// Makes the error of a wrong call of this crate, which is a defect.
pub(crate) fn misused(error: UsageError) -> ExportError {
    ExportError::Internal(error.to_string())
}

fn failed(error: CallError) -> ExportError {
    match error {
        CallError::Failed(error) => error.into(),
        CallError::Usage(error) => misused(error),
    }
}
