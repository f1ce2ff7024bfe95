//! Moves packets from a demuxer to a decoder, across damage.

use crate::decoder::{Decoded, Decoder, Received};
use crate::error::MediaError;
use crate::failure::Failure;
use crate::input::Input;
use std::path::Path;
use std::time::Duration;

/// So many failures in a row, with no success between them, end a film, because an error may repeat for ever.
const PATIENCE: u32 = 64;

/// Moves packets from a demuxer to a decoder until a frame comes out, and carries on after damage.
pub(crate) struct Pump {
    stream: u32,
    damaged: u64,
    complaint: String,
    at_end: bool,
    /// Whether everything but sync samples is left out.
    sync_only: bool,
}

impl Pump {
    pub(crate) fn new(stream: u32) -> Self {
        Self { stream, damaged: 0, complaint: String::new(), at_end: false, sync_only: false }
    }

    /// Decodes only sync samples from here on.
    pub(crate) fn sync_only(&mut self) {
        self.sync_only = true;
    }

    /// Returns how many packets or frames were damaged so far.
    pub(crate) fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Returns the last complaint of demuxer or decoder, for an error that says that no frame came out.
    pub(crate) fn complaint(&self) -> String {
        if self.complaint.is_empty() { "the track holds no frames".into() } else { self.complaint.clone() }
    }

    /// Starts anew, as must happen after a seek.
    pub(crate) fn restart(&mut self, decoder: &mut Decoder) {
        decoder.flush();
        self.at_end = false;
    }

    /// Returns the next frame; `None` at the end. An error is one of reading; damage only counts.
    pub(crate) fn next(
        &mut self,
        input: &mut Input,
        decoder: &mut Decoder,
    ) -> Result<Option<Decoded>, Failure> {
        let mut failures = 0;
        loop {
            match decoder.receive() {
                Ok(Received::Frame(frame)) => {
                    self.damaged += u64::from(frame.raw().damaged != 0);
                    return Ok(Some(frame));
                }
                Ok(Received::End) => return Ok(None),
                Ok(Received::NotYet) if self.at_end => return Ok(None),
                Ok(Received::NotYet) => self.feed(input, decoder)?,
                Err(failure) => {
                    self.note(&failure);
                    failures += 1;
                    if failures > PATIENCE && self.at_end {
                        return Ok(None);
                    }
                    if !self.at_end {
                        self.feed(input, decoder)?;
                    }
                }
            }
        }
    }

    /// Gives the decoder one packet, or the end.
    fn feed(&mut self, input: &mut Input, decoder: &mut Decoder) -> Result<(), Failure> {
        let mut failures = 0;
        let packet = loop {
            match input.read() {
                Ok(Some(packet))
                    if packet.stream() != self.stream || (self.sync_only && !packet.is_key()) => {}
                Ok(packet) => break packet,
                Err(failure) if failure.is_again() => std::thread::sleep(Duration::from_millis(2)),
                Err(failure) if failure.is_final() => return Err(failure),
                Err(failure) => {
                    self.note(&failure);
                    failures += 1;
                    if failures > PATIENCE {
                        break None;
                    }
                }
            }
        };
        self.at_end |= packet.is_none();
        if let Err(failure) = decoder.send(packet.as_ref()) {
            self.note(&failure);
        }
        Ok(())
    }

    fn note(&mut self, failure: &Failure) {
        self.damaged += 1;
        self.complaint = failure.message().to_owned();
    }

    pub(crate) fn read_error(&self, file: &Path, frame: u64, input: &Input, failure: &Failure) -> MediaError {
        MediaError::read(file, frame, input.position(), failure)
    }
}
