//! What an export and a worker say to each other: one line of JSON for each message.

use crate::error::{ExportError, Fault};
use crate::take::finished::FinishedTake;
use retake_compression::take::TakeDescription;
use serde::{Deserialize, Serialize};

/// What a worker is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ToWorker {
    /// Run this take. The next one follows when this one has ended.
    Run(TakeDescription),
}

/// What a worker tells.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FromWorker {
    /// It waits for a take.
    Ready {
        /// Its encoder, with the library's version, as descriptions name it.
        encoder: String,
    },
    /// So many more frames went into the encoder.
    Encoded(u64),
    /// The take is in the store.
    Done(Box<FinishedTake>),
    /// The take cannot be run.
    Failed(WorkerError),
}

/// An error, as far as it can be told in a line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WorkerError {
    message: String,
    code: i32,
    fault: Fault,
}

impl From<&ExportError> for WorkerError {
    fn from(error: &ExportError) -> Self {
        Self { message: error.to_string(), code: error.code(), fault: error.fault() }
    }
}

impl From<WorkerError> for ExportError {
    fn from(told: WorkerError) -> Self {
        let WorkerError { message, code, fault } = told;
        Self::Worker { message, code, fault }
    }
}
