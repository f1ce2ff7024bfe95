//! The library's own first pass: it looks at all frames before it codes the first of them (`Controls::first_pass`). The frames are kept
//! meanwhile, and sent again one by one as samples are asked for, so that no more pictures wait inside the library than in a single pass.

use retake_compression::encoder::FrameOptions;
use retake_media::PixelBuffer;
use std::collections::VecDeque;

pub(crate) struct FirstPass {
    most: u32,
    kept: VecDeque<(PixelBuffer, FrameOptions)>,
    /// The index of the frame that is sent next; none as long as frames are looked at.
    next: Option<u64>,
    flushed: bool,
}

/// What the library is to be told when it wants more.
pub(crate) enum Told {
    Frame(PixelBuffer, u64, FrameOptions),
    NoMore,
    /// Nothing that it has not been told.
    Nothing,
}

impl FirstPass {
    pub(crate) fn new(most: u32) -> Self {
        Self { most, kept: VecDeque::new(), next: None, flushed: false }
    }

    /// Whether frames are still looked at.
    pub(crate) fn is_looking(&self) -> bool {
        self.next.is_none()
    }

    /// Whether there is no room for another frame.
    pub(crate) fn is_full(&self) -> bool {
        self.kept.len() >= self.most as usize
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    pub(crate) fn keep(&mut self, picture: &PixelBuffer, options: FrameOptions) {
        self.kept.push_back((picture.clone(), options));
    }

    /// The second pass begins.
    pub(crate) fn begin_second(&mut self) {
        self.next = Some(0);
    }

    pub(crate) fn tell(&mut self) -> Told {
        let Some(index) = self.next else { return Told::Nothing };
        match self.kept.pop_front() {
            Some((picture, options)) => {
                self.next = Some(index + 1);
                Told::Frame(picture, index, options)
            }
            None if std::mem::replace(&mut self.flushed, true) => Told::Nothing,
            None => Told::NoMore,
        }
    }
}
