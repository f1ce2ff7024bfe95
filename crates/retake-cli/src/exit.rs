//! Errors as one line and an exit code.

use retake::{ExportError, MediaError, MediaErrorKind};
use std::process::ExitCode;

/// The user can mend it: wrong input, contradictory options.
pub(crate) const USAGE: u8 = 2;
/// Done, but the objective was not met everywhere.
pub(crate) const UNMET: u8 = 3;
/// Stopped by a signal.
const STOPPED: u8 = 130;

/// A mistake in the request that only this layer can notice.
#[derive(Debug)]
pub(crate) struct Usage(pub String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// A signal stopped something that leaves nothing to carry on with.
#[derive(Debug)]
pub(crate) struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stopped")
    }
}

impl std::error::Error for Stopped {}

/// What clap has to say about a mistake, in one line.
pub(crate) fn one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let mistake = text.lines().take_while(|line| !line.trim().is_empty()).map(str::trim);
    let mistake = mistake.collect::<Vec<_>>().join(" ");
    format!("{} (see `retake --help`, `retake encode --help`)", mistake.trim_start_matches("error: "))
}

/// Prints an error and gives its exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    // the texts of the library's errors name their causes themselves
    eprintln!("retake: {error}");
    ExitCode::from(code(error))
}

fn code(error: &anyhow::Error) -> u8 {
    if error.is::<Usage>() {
        return USAGE;
    }
    if error.is::<Stopped>() {
        return STOPPED;
    }
    match error.downcast_ref::<ExportError>() {
        Some(ExportError::Request(_)) => USAGE,
        Some(ExportError::Stopped) => STOPPED,
        Some(ExportError::Media(MediaError::Open { .. })) => USAGE,
        Some(ExportError::Media(media)) => match media.kind() {
            MediaErrorKind::BadInput | MediaErrorKind::Unsupported => USAGE,
            MediaErrorKind::Io | MediaErrorKind::Internal => 1,
        },
        Some(ExportError::Encoder { source, .. }) if source.code() == -12902 => USAGE,
        _ => 1,
    }
}
