//! Fields of an input. Every input is read to its end without failing: what is missing is zero or empty.

pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    pub(crate) fn word(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    pub(crate) fn long(&mut self) -> i64 {
        let mut bytes = [0; 8];
        let taken = self.take(8);
        bytes[..taken.len()].copy_from_slice(taken);
        i64::from_le_bytes(bytes)
    }

    /// So many bytes, or all that are left.
    pub(crate) fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Bytes behind their length.
    pub(crate) fn block(&mut self) -> &'a [u8] {
        let length = self.word().into();
        self.take(length)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Appends a block.
pub(crate) fn put_block(to: &mut Vec<u8>, block: &[u8]) {
    let block = &block[..block.len().min(usize::from(u16::MAX))];
    to.extend((block.len() as u16).to_le_bytes());
    to.extend(block);
}
