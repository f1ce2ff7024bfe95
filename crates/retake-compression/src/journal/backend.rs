//! This module is the contract of the storage below a journal.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

/// A backend stores the bytes of a [`Journal`](super::Journal). A file is one; tests use others that crash,
/// fill up or flip bits.
pub trait Backend: Send {
    /// Returns the number of bytes.
    ///
    /// # Errors
    /// It returns the backend's own errors.
    fn length(&self) -> io::Result<u64>;

    /// Fills `buffer` with the bytes from `offset` on.
    ///
    /// # Errors
    /// It returns the backend's own errors, and `UnexpectedEof` if the backend ends before the buffer is
    /// full.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Adds bytes at the end. If it fails, any number of them may have been added.
    ///
    /// # Errors
    /// It returns the backend's own errors.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Cuts off everything from `length` on.
    ///
    /// # Errors
    /// It returns the backend's own errors.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Waits until all appended bytes would survive a power failure.
    ///
    /// # Errors
    /// It returns the backend's own errors.
    fn sync(&mut self) -> io::Result<()>;
}

impl Backend for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    #[cfg(unix)]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
        while !buffer.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(self, buffer, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    buffer = &mut buffer[count..];
                    offset += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.seek(SeekFrom::End(0))?;
        self.write_all(bytes)
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
