//! Films that players turn.

use std::path::Path;
use std::process::Command;

/// Copies the video of a film into another one, whose container says to turn it by a quarter against the
/// clock.
///
/// # Panics
/// Panics where the program can do it in neither way.
pub fn turned(from: &Path, to: &Path) {
    turned_by(from, to, 90);
}

/// As [`turned`], by any number of degrees. The `ffmpeg` program of version 5 is told so by a tag, and newer
/// ones, which ignore that, by an option that version 5 does not know.
///
/// # Panics
/// Panics where the program can do it in neither way.
pub fn turned_by(from: &Path, to: &Path, degrees: u32) {
    let copy = |before: &[&str], behind: &[&str]| {
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "quiet", "-y"]).args(before).arg("-i").arg(from);
        command.args(["-map", "0:v", "-c", "copy"]).args(behind).arg(to);
        command.status().is_ok_and(|status| status.success())
    };
    let (degrees, tag) = (degrees.to_string(), format!("rotate={degrees}"));
    let done =
        copy(&["-display_rotation:v:0", &degrees], &[]) || copy(&[], &["-metadata:s:v:0", tag.as_str()]);
    assert!(done, "the ffmpeg program does not turn {}", from.display());
}
