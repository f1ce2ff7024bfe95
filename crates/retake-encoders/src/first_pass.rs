//! The library's own first pass: it analyses all frames before it codes the first of them
//! (`Controls::first_pass`). The frames are kept meanwhile, and sent again one by one as samples are
//! requested, so that no more pictures wait inside the library than in a single pass.
//!
//! What the library found out in its first pass depends on the frames and not on the quality, so it is given
//! to whoever keeps it for later encodes of the same frames ([`Statistics`]), and frames that come again are
//! kept without a look at them.

use retake_compression::encoder::FrameOptions;
use retake_media::PixelBuffer;
use std::collections::VecDeque;

/// What the library found out in its first pass, with what it was told of each frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Statistics {
    /// Whether a sync frame was forced at each frame.
    forced: Vec<bool>,
    /// The library's own form.
    pub(crate) library: Vec<u8>,
}

impl Statistics {
    /// Returns the form in which they are kept: the number of frames (u32, little-endian), a byte for each of
    /// them, and what the library gave.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let frames = self.forced.len() as u32;
        let forced = self.forced.iter().copied().map(u8::from);
        frames.to_le_bytes().into_iter().chain(forced).chain(self.library.iter().copied()).collect()
    }

    /// Reads that form; `None` for anything else.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (frames, rest) = bytes.split_first_chunk()?;
        let (forced, library) = rest.split_at_checked(u32::from_le_bytes(*frames) as usize)?;
        let forced = forced.iter().map(|flag| (*flag < 2).then_some(*flag == 1)).collect::<Option<_>>()?;
        let statistics = Self { forced, library: library.to_vec() };
        (!statistics.forced.is_empty() && !library.is_empty()).then_some(statistics)
    }
}

pub(crate) struct FirstPass {
    most: u32,
    /// What an earlier encode of the frames found out, if these are the same.
    offered: Option<Statistics>,
    /// What this encode found out, until somebody asks for it.
    found: Option<Statistics>,
    kept: VecDeque<(PixelBuffer, FrameOptions)>,
    /// The index of the frame that is sent next; `None` as long as frames are analysed.
    next: Option<u64>,
    flushed: bool,
}

/// The next input of the library when it wants more.
pub(crate) enum NextInput {
    Frame(PixelBuffer, u64, FrameOptions),
    NoMore,
    /// There is no input at present.
    Nothing,
}

impl FirstPass {
    pub(crate) fn new(most: u32) -> Self {
        Self { most, offered: None, found: None, kept: VecDeque::new(), next: None, flushed: false }
    }

    /// Returns whether frames are still analysed.
    pub(crate) fn is_analysing(&self) -> bool {
        self.next.is_none()
    }

    /// Returns whether there is no room for another frame.
    pub(crate) fn is_full(&self) -> bool {
        self.kept.len() >= self.most as usize
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Takes what an earlier encode of the frames found out, before the first of them comes.
    pub(crate) fn offer(&mut self, statistics: Statistics) {
        if self.kept.is_empty() && self.is_analysing() {
            self.offered = Some(statistics);
        }
    }

    /// Returns whether frames need not be looked at now: they are kept, and can be looked at later if they
    /// turn out to be others.
    pub(crate) fn has_offer(&self) -> bool {
        self.offered.is_some()
    }

    /// All frames are here. Returns what was found out about the same ones before; `None` where they were not
    /// offered, or are others.
    pub(crate) fn accept(&mut self) -> Option<Vec<u8>> {
        let same = |offered: &Statistics| {
            offered.forced.iter().copied().eq(self.kept.iter().map(|(_, options)| options.force_key_frame))
        };
        self.offered.take().filter(same).map(|statistics| statistics.library)
    }

    /// The kept frames, to look at them.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &(PixelBuffer, FrameOptions)> {
        self.kept.iter()
    }

    /// The library's first pass over the kept frames is over, and this is what it found out.
    pub(crate) fn found(&mut self, library: &[u8]) {
        let forced = self.kept.iter().map(|(_, options)| options.force_key_frame).collect();
        self.found = Some(Statistics { forced, library: library.to_vec() });
    }

    /// Returns what was found out, once.
    pub(crate) fn take_found(&mut self) -> Option<Statistics> {
        self.found.take()
    }

    pub(crate) fn keep(&mut self, picture: &PixelBuffer, options: FrameOptions) {
        self.kept.push_back((picture.clone(), options));
    }

    /// Begins the second pass.
    pub(crate) fn begin_second(&mut self) {
        self.next = Some(0);
    }

    pub(crate) fn next_input(&mut self) -> NextInput {
        let Some(index) = self.next else { return NextInput::Nothing };
        match self.kept.pop_front() {
            Some((picture, options)) => {
                self.next = Some(index + 1);
                NextInput::Frame(picture, index, options)
            }
            None if std::mem::replace(&mut self.flushed, true) => NextInput::Nothing,
            None => NextInput::NoMore,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Statistics;

    /// The kept form is read back; nothing else is taken for it, whatever its length says.
    #[test]
    fn statistics_have_one_form() {
        let statistics = Statistics { forced: vec![true, false, true], library: vec![7, 8] };
        let bytes = statistics.encode();
        assert_eq!(Statistics::decode(&bytes), Some(statistics));
        for end in 0..bytes.len() - 1 {
            assert_eq!(Statistics::decode(&bytes[..end]), None, "{end}");
        }
        for (at, value) in [(3, 255), (0, 200), (5, 2)] {
            let mut other = bytes.clone();
            other[at] = value;
            assert_eq!(Statistics::decode(&other), None, "{at}");
        }
    }
}
