use crate::event::Event;

/// Shares of the whole: the first pass, all others, writing, and verifying up to the end.
const FIRST: f32 = 0.7;
const PASSES: f32 = 0.9;
const WRITTEN: f32 = 0.92;

/// How much of an export is done, by what it tells.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress {
    value: f32,
    /// Of the film, and of the pass.
    frames: (u64, u64),
    /// Frames of the pass that are done, and the share that it began and ends at.
    done: u64,
    span: (f32, f32),
    /// The variants that are done, and how many there are; 0 where nobody said so.
    variants: (usize, usize),
}

impl Progress {
    /// From 0 to 1; never goes back.
    pub(crate) fn value(self) -> f32 {
        self.value
    }

    pub(crate) fn hear(&mut self, event: &Event) {
        let reached = match event {
            Event::VariantStarted { variant, of, .. } => {
                *self = Self { value: self.value, variants: (variant - 1, *of), ..Self::default() };
                0.0
            }
            Event::Started { frames, .. } => {
                self.frames.0 = frames.unwrap_or(0);
                0.0
            }
            // indexing runs a little ahead of the encodes, and corrects what the container promised
            Event::Indexed { frames } => {
                self.frames.0 = self.frames.0.max(*frames);
                0.0
            }
            Event::PassStarted { pass, frames, .. } => {
                self.frames.1 = frames.unwrap_or(0);
                self.done = 0;
                // nobody knows how many will follow: each gets half of what is left
                self.span = match pass {
                    1 => (0.0, FIRST),
                    _ => (self.span.1, self.span.1.max(FIRST).midpoint(PASSES)),
                };
                self.span.0
            }
            Event::Encoded { frames, .. } => {
                self.done += frames;
                self.in_pass()
            }
            Event::TakeFinished { range, kept: true, .. } => {
                self.done += range.len();
                self.in_pass()
            }
            Event::Writing { frames } => {
                self.frames.0 = *frames;
                PASSES
            }
            Event::Verifying { frames } => WRITTEN + (0.99 - WRITTEN) * share(*frames, self.frames.0),
            Event::Finished(_) => 1.0,
            _ => 0.0,
        };
        // What is written in the end is that of all variants, and counts as part of the last one's share.
        let (before, of) = self.variants;
        let reached = if of > 0 { (before as f32 + reached) / of as f32 } else { reached };
        self.value = self.value.max(reached);
    }

    fn in_pass(self) -> f32 {
        let whole = if self.frames.1 > 0 { self.frames.1 } else { self.frames.0 };
        self.span.0 + (self.span.1 - self.span.0) * share(self.done, whole)
    }
}

fn share(done: u64, whole: u64) -> f32 {
    if whole == 0 { 0.0 } else { (done as f32 / whole as f32).min(1.0) }
}
