//! Samples of a session as a film, written by the asset writer and looked at by another reader.

use crate::common::at;
use retake::SampleBuffer;
use retake::asset::{AssetWriter, AssetWriterInput, Container, TrackFormat};
use std::process::Command;
use std::time::Duration;

/// A film, what `ffprobe` says of its streams and its first frame, and what the writer could not keep.
pub(crate) struct Film {
    pub(crate) bytes: Vec<u8>,
    pub(crate) said: String,
    pub(crate) notes: Vec<String>,
}

/// The samples as a film.
pub(crate) fn film(samples: &[(usize, SampleBuffer)], container: Container) -> Film {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film").with_extension(container.name().to_lowercase());
    let writer = AssetWriter::new(&path, container);
    let format = TrackFormat::Video((*samples[0].1.format).clone());
    let input = AssetWriterInput::passthrough(format);
    writer.add(&input).unwrap();
    writer.start_writing().unwrap();
    writer.start_session(at(0)).unwrap();
    for (_, buffer) in samples {
        assert!(input.wait_until_ready(Duration::from_secs(60)));
        input.append(buffer.clone()).unwrap();
    }
    input.mark_as_finished().unwrap();
    writer.finish_writing_and_wait().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-show_streams", "-show_frames", "-read_intervals", "%+#1", "-of", "default"])
        .arg(&path)
        .output()
        .map_or_else(|_| String::new(), |output| String::from_utf8(output.stdout).unwrap());
    Film { bytes, said: output, notes: writer.notes() }
}

/// The fields of the first box of a name behind which these bytes follow; none if there is none in the file.
pub(crate) fn box_fields(film: &[u8], name: &[u8; 4], begins: &[u8]) -> Option<Vec<u8>> {
    let at = film.windows(4 + begins.len()).position(|window| window == [name, begins].concat())?;
    let length = u32::from_be_bytes(film[at - 4..at].try_into().unwrap()) as usize;
    Some(film[at + 4..at - 4 + length].to_vec())
}
