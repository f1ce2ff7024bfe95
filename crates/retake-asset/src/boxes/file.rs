//! This module puts the finished index into the file: at its old place, or in front.

use super::movie::shift_positions;
use super::tree::{Node, u32_at, u64_at};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// A larger index is refused, because this crate did not write it.
const MOST_INDEX: u64 = 1 << 32;

/// The layout of a film tells where its index begins, which must be its last box.
pub(crate) struct Layout {
    /// This is the length of the first box, `ftyp`.
    pub(crate) head: u64,
    /// `moov` begins here.
    pub(crate) index_at: u64,
    /// This is the index.
    pub(crate) moov: Node,
}

/// Reads the index of a film that ends with it.
pub(crate) fn read_index(file: &mut File) -> io::Result<Layout> {
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the index of the film is damaged");
    let end = file.seek(SeekFrom::End(0))?;
    let (mut at, mut head) = (0, 0);
    while at < end {
        file.seek(SeekFrom::Start(at))?;
        let mut bytes = [0; 16];
        let long = end - at >= 16;
        file.read_exact(&mut bytes[..if long { 16 } else { 8 }])?;
        let size = match u32_at(&bytes, 0) {
            Some(0) => end - at,
            Some(1) => u64_at(&bytes, 8).ok_or_else(damaged)?,
            size => size.map(u64::from).ok_or_else(damaged)?,
        };
        if size < 8 || size > end - at {
            return Err(damaged());
        }
        if at == 0 {
            head = size;
        }
        if bytes[4..8] == *b"moov" {
            if at + size != end || size > MOST_INDEX {
                return Err(damaged());
            }
            let mut index = Vec::new();
            file.seek(SeekFrom::Start(at))?;
            file.take(size).read_to_end(&mut index)?;
            let moov = Node::parse(&index).and_then(|mut nodes| nodes.pop()).ok_or_else(damaged)?;
            return Ok(Layout { head, index_at: at, moov });
        }
        at += size;
    }
    Err(damaged())
}

/// Writes the index over the old one.
pub(crate) fn replace_index(file: &mut File, layout: &Layout) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(layout.moov.size());
    layout.moov.write(&mut bytes);
    file.set_len(layout.index_at)?;
    file.seek(SeekFrom::Start(layout.index_at))?;
    file.write_all(&bytes)
}

/// Writes the film to another file with the index in front, so that it plays while it is downloaded.
pub(crate) fn index_in_front(file: &mut File, layout: &mut Layout, out: &mut File) -> io::Result<()> {
    let odd = || io::Error::new(io::ErrorKind::InvalidData, "the index of the film has no positions");
    // the index may grow by at most its own length when its positions become long
    let long = layout.index_at + 2 * layout.moov.size() as u64 > u64::from(u32::MAX);
    shift_positions(&mut layout.moov, 0, long).ok_or_else(odd)?;
    let shift = layout.moov.size() as u64;
    shift_positions(&mut layout.moov, shift, long).ok_or_else(odd)?;
    let mut bytes = Vec::with_capacity(layout.moov.size());
    layout.moov.write(&mut bytes);
    file.seek(SeekFrom::Start(0))?;
    copy(file, out, layout.head)?;
    out.write_all(&bytes)?;
    copy(file, out, layout.index_at - layout.head)
}

/// Copies so many bytes from where both files stand. The standard library asks the system to do it, and does
/// not ask again when a signal interrupts that.
fn copy(from: &mut File, to: &mut File, bytes: u64) -> io::Result<()> {
    let end = from.stream_position()?.saturating_add(bytes);
    loop {
        let left = end.saturating_sub(from.stream_position()?);
        match io::copy(&mut Read::take(&mut *from, left), to) {
            Ok(copied) if copied == left => return Ok(()),
            Ok(_) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
