//! What goes through the engine, as JSON.

use retake::{ExportError, Fault, TakeTask};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use xxhash_rust::xxh3::xxh3_64;

/// An export, in words that every worker understands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportRequest {
    /// Where the film goes, below the place that all machines share.
    pub output: PathBuf,
    /// What is asked for, in the words of whoever builds exports from them: the command's arguments.
    pub arguments: Vec<String>,
}

impl ExportRequest {
    /// The name of the object that makes this output: 16 hexadecimal digits.
    pub fn key(&self) -> String {
        format!("{:016x}", xxh3_64(self.output.as_os_str().as_encoded_bytes()))
    }
}

/// A take that can begin although its export is still looking through the film.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct EarlyTake {
    /// The invocation of the engine that makes the film.
    pub invocation: String,
    pub task: TakeTask,
}

impl EarlyTake {
    /// The name by which the engine knows that a take of an export has begun. It differs from one invocation
    /// to the next, because the engine keeps failures, too, and who asks again has mended something.
    pub(crate) fn name(invocation: &str, task: &TakeTask) -> String {
        format!("{invocation} {}", task.identity())
    }
}

/// How far an export is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Status {
    /// Where the film goes, below the place that all machines share.
    pub output: PathBuf,
    /// The invocation of the engine.
    pub invocation: String,
    /// How often it was planned. The first time takes longest, because the film is decoded.
    pub plans: u32,
    /// The takes that were asked for since the last plan.
    pub takes: u32,
    /// Those of them that are done.
    pub done: u32,
}

/// An error, as far as it can be told in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What is wrong.
    pub message: String,
    /// The stable number of the error.
    pub code: i32,
    /// Who can mend it.
    pub fault: Fault,
}

impl Failure {
    pub(crate) fn of(error: &ExportError) -> Self {
        Self { message: error.to_string(), code: error.code(), fault: error.fault() }
    }

    /// As a line, which the engine keeps as the message of an error.
    pub(crate) fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| self.message.clone())
    }

    /// Reads a line. What the engine itself says is the fault of nobody who asked.
    pub(crate) fn from_line(line: &str) -> Self {
        let code = ExportError::Internal(String::new()).code();
        let plain = || Self { message: line.to_owned(), code, fault: Fault::System };
        serde_json::from_str(line).unwrap_or_else(|_| plain())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Failure> for ExportError {
    fn from(told: Failure) -> Self {
        let Failure { message, code, fault } = told;
        Self::Worker { message, code, fault }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_survive_the_engine() {
        let failure = Failure { message: "no \"such\"\nfile".into(), code: -11800, fault: Fault::Request };
        assert_eq!(Failure::from_line(&failure.line()), failure);
        let other = Failure::from_line("[409] cancelled");
        assert_eq!((other.message.as_str(), other.fault), ("[409] cancelled", Fault::System));
    }

    #[test]
    fn an_output_has_one_object() {
        let of = |output: &str, word: &str| {
            ExportRequest { output: output.into(), arguments: vec![word.into()] }.key()
        };
        assert_eq!(of("a/out.mp4", "x"), of("a/out.mp4", "y"));
        assert_ne!(of("a/out.mp4", "x"), of("b/out.mp4", "x"));
    }
}
