//! Reads pipes on a thread of its own, because neither the opening nor the reading of a pipe can be
//! interrupted.

use crate::access::Access;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// Bytes that are read at once.
const PIECE: usize = 1 << 20;
/// How often a waiting reader asks whether it must end.
const PATIENCE: Duration = Duration::from_millis(50);

/// Reads standard input (`-`) or a pipe with a name, from its start to its end, so that a wait for it can be
/// ended. The thread that really reads may stay behind then, until the pipe moves.
pub struct PipeReader {
    path: PathBuf,
    access: Access,
    pieces: Option<Receiver<io::Result<Vec<u8>>>>,
    piece: Vec<u8>,
    read: usize,
}

impl PipeReader {
    /// Opens a pipe. Nothing is read, nor waited for, before the first call of [`Read::read`], which returns
    /// the errors of opening, too.
    pub fn open(path: &Path, access: Access) -> Self {
        Self { path: path.into(), access, pieces: None, piece: Vec::new(), read: 0 }
    }

    fn pieces(&mut self) -> io::Result<&Receiver<io::Result<Vec<u8>>>> {
        if self.pieces.is_none() {
            let (sender, pieces) = sync_channel(4);
            let path = self.path.clone();
            thread::Builder::new().name("pipe".into()).spawn(move || pump(&path, &sender))?;
            self.pieces = Some(pieces);
        }
        Ok(self.pieces.as_ref().expect("it was set above"))
    }
}

impl Read for PipeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.piece.len() {
            if self.access.is_interrupted() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "reading was stopped"));
            }
            match self.pieces()?.recv_timeout(PATIENCE) {
                Ok(piece) => (self.piece, self.read) = (piece?, 0),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
        let count = buffer.len().min(self.piece.len() - self.read);
        buffer[..count].copy_from_slice(&self.piece[self.read..self.read + count]);
        self.read += count;
        Ok(count)
    }
}

/// Sends what comes through the pipe, until it ends or nobody listens any more.
fn pump(path: &Path, sender: &SyncSender<io::Result<Vec<u8>>>) {
    let mut input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        match File::open(path) {
            Ok(file) => Box::new(file),
            Err(error) => return drop(sender.send(Err(error))),
        }
    };
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        let result = Read::by_ref(&mut input).take(PIECE as u64).read_to_end(&mut piece);
        let ended = !matches!(result, Ok(bytes) if bytes > 0);
        if sender.send(result.map(|_| piece)).is_err() || ended {
            return;
        }
    }
}
