use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

/// What a [`Journal`](super::Journal) needs of the thing that it is kept in. A file is one; a crash, a full
/// disk and a flipped bit are others.
pub trait Backend: Send {
    /// How many bytes there are.
    ///
    /// # Errors
    /// Those of the backend.
    fn length(&self) -> io::Result<u64>;

    /// Fills `buffer` with the bytes from `offset` on.
    ///
    /// # Errors
    /// Those of the backend; `UnexpectedEof` where it ends before the buffer is full.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Adds bytes at the end. Where it fails, any number of them may have been added.
    ///
    /// # Errors
    /// Those of the backend.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Cuts off everything from `length` on.
    ///
    /// # Errors
    /// Those of the backend.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Waits until everything appended so far would survive a power failure.
    ///
    /// # Errors
    /// Those of the backend.
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
