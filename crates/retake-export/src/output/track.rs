//! This module feeds an asset writer that has one input, from one thread.

use crate::error::ExportError;
use crate::stop::StopFlag;
use retake_asset::{AppendError, AssetWriter, AssetWriterInput, CallError, UsageError};
use retake_media::{Sample, Time};
use std::time::Duration;

/// The writer is waited for in steps of this length, so that a stop or a failure is noticed in between.
const PATIENCE: Duration = Duration::from_millis(50);

/// A track writer writes one track.
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
        writer.add(&input).map_err(misused)?;
        writer.start_writing().map_err(failed)?;
        writer.start_session(start).map_err(misused)?;
        Ok(Self { writer, input })
    }

    pub(crate) fn writer(&self) -> &AssetWriter {
        &self.writer
    }

    /// Writes the next sample. It waits until there is room for it.
    pub(crate) fn append(&self, sample: Sample, stop: &StopFlag) -> Result<(), ExportError> {
        while !self.input.wait_until_ready(PATIENCE) {
            stop.check()?;
            if let Some(error) = self.writer.error() {
                return Err(error.into());
            }
        }
        self.input.append(sample).map_err(|error| match error {
            AppendError::Failed(error) => error.into(),
            other => ExportError::Internal(other.to_string()),
        })
    }

    /// Ends the track.
    pub(crate) fn finish(&self) -> Result<(), ExportError> {
        self.writer.finish_writing_and_wait().map_err(failed)
    }
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
