//! Standard input, kept in the job folder: passes need to see the film more than once.

use crate::error::ExportError;
use crate::stop::StopFlag;
use crossbeam_channel::{RecvTimeoutError, bounded};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

const PIECE: usize = 1 << 20;

/// Copies standard input into the folder and gives the path of the copy.
pub(crate) fn standard_input(folder: &Path, stop: &StopFlag) -> Result<PathBuf, ExportError> {
    let path = folder.join("input");
    let fail = |doing| ExportError::file(&path, doing);
    let mut file = tempfile::Builder::new()
        .prefix("unfinished-")
        .tempfile_in(folder)
        .map_err(fail("keeping standard input"))?;
    // reading a pipe cannot be interrupted: it is left to a thread that may stay behind when the user stops
    let (sender, pieces) = bounded::<io::Result<Vec<u8>>>(4);
    let read = move || {
        let mut input = io::stdin().lock();
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            let result = Read::by_ref(&mut input).take(PIECE as u64).read_to_end(&mut piece);
            let ended = !matches!(result, Ok(bytes) if bytes > 0);
            if sender.send(result.map(|_| piece)).is_err() || ended {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("standard input".into())
        .spawn(read)
        .map_err(fail("reading standard input"))?;
    let mut bytes = 0;
    loop {
        stop.check()?;
        match pieces.recv_timeout(Duration::from_millis(50)) {
            Ok(piece) => {
                let piece = piece.map_err(fail("reading standard input"))?;
                file.write_all(&piece).map_err(fail("keeping standard input"))?;
                bytes += piece.len();
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if bytes == 0 {
        return Err(ExportError::Request(
            "standard input is empty: pipe a film into it, as in `... | retake encode - -o film.mp4`".into(),
        ));
    }
    file.persist(&path).map_err(|error| fail("naming")(error.error))?;
    Ok(path)
}
