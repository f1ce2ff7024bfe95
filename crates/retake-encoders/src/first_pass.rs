//! The library's own first pass: it analyses all frames before it codes the first of them
//! (`Controls::first_pass`). The frames are kept meanwhile, and sent again one by one as samples are
//! requested, so that no more pictures wait inside the library than in a single pass.

use retake_compression::encoder::FrameOptions;
use retake_media::PixelBuffer;
use std::collections::VecDeque;

pub(crate) struct FirstPass {
    most: u32,
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
        Self { most, kept: VecDeque::new(), next: None, flushed: false }
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
