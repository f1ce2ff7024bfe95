//! Moves packets from a demuxer to a decoder, across damage.

use crate::decoder::{Decoded, Decoder, Received};
use crate::error::MediaError;
use crate::failure::Failure;
use crate::finding::{FindingKind, Findings};
use crate::input::{Input, Packet};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;

/// So many failures in a row, with no success between them, end a film, because an error may repeat for ever.
pub(crate) const PATIENCE: u32 = 64;

/// Moves packets from a demuxer to a decoder until a frame comes out, and carries on after damage.
pub(crate) struct Pump {
    stream: u32,
    /// The seconds a tick, and the time at which the film starts, in seconds.
    clock: (f64, f64),
    damaged: u64,
    complaint: String,
    at_end: bool,
    /// Whether everything but sync samples is left out.
    sync_only: bool,
    pub(crate) findings: Findings,
    /// Whether there was a sync sample.
    started: bool,
    /// The samples that were given to the decoder since the first sync sample, and the frames that came out.
    samples: u64,
    frames: u64,
    refused: u64,
    /// The errors that the decoder has told of, as far as they were looked at.
    complaints: u64,
    /// Whether a sample was damaged since the last frame came out.
    suspect: bool,
    /// The first sample of another recording, which waits for the frames of the one before.
    held: Option<Packet>,
    /// Whether samples were encrypted, so that nothing can come of them.
    pub(crate) encrypted: bool,
    /// The time of the last sample, in seconds of the film.
    time: f64,
}

/// What a pump has counted up to some place.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Counted {
    samples: u64,
    frames: u64,
    refused: u64,
    /// The time of the last sample, in seconds of the film.
    pub(crate) time: f64,
}

impl Counted {
    /// Counts on from what another pump had counted at a place where this one had counted something else.
    pub(crate) fn count_on(&mut self, there: Self, here: Self) {
        let on = |own: u64, there: u64, here: u64| own.saturating_sub(here).saturating_add(there);
        self.samples = on(self.samples, there.samples, here.samples);
        self.frames = on(self.frames, there.frames, here.frames);
        self.refused = on(self.refused, there.refused, here.refused);
    }
}

impl Pump {
    /// Makes a pump of a track. Only what is found in `extent`, in seconds of the film, is noted.
    pub(crate) fn new(stream: u32, clock: (f64, f64), extent: Option<(f64, f64)>) -> Self {
        Self {
            stream,
            clock,
            damaged: 0,
            complaint: String::new(),
            at_end: false,
            sync_only: false,
            findings: Findings::within(extent),
            started: false,
            samples: 0,
            frames: 0,
            refused: 0,
            complaints: 0,
            suspect: false,
            held: None,
            encrypted: false,
            time: 0.0,
        }
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

    /// Reads up to the next sync sample of the track, with which decoding then begins. It returns `false` if
    /// there is none, or it is shown after `latest`.
    pub(crate) fn hold_sync_sample(&mut self, input: &mut Input, latest: i64) -> bool {
        loop {
            match input.read() {
                Ok(Some(packet)) if packet.stream() != self.stream || !packet.is_key() => {}
                Ok(Some(packet)) => {
                    let reached = packet.pts().is_some_and(|pts| pts <= latest);
                    self.held = Some(packet);
                    return reached;
                }
                Err(failure) if failure.is_again() => std::thread::sleep(Duration::from_millis(2)),
                Ok(None) | Err(_) => return false,
            }
        }
    }

    /// Returns a time of the track in seconds of the film.
    pub(crate) fn seconds(&self, ticks: i64) -> f64 {
        ticks as f64 * self.clock.0 - self.clock.1
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
                    self.came(&frame, decoder);
                    return Ok(Some(frame));
                }
                Ok(Received::End) if self.held.is_some() => {
                    decoder.renew();
                    self.feed(input, decoder)?;
                }
                Ok(Received::End) => return Ok(self.end(input, decoder)),
                Ok(Received::NotYet) if self.at_end => return Ok(self.end(input, decoder)),
                Ok(Received::NotYet) => self.feed(input, decoder)?,
                Err(failure) => {
                    self.refuse(&failure, decoder);
                    failures += 1;
                    if failures > PATIENCE && self.at_end {
                        return Ok(self.end(input, decoder));
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
        let held = self.held.take();
        let behind = held.is_some();
        let packet = if behind {
            held
        } else {
            loop {
                match input.read() {
                    Ok(Some(packet))
                        if packet.stream() != self.stream || (self.sync_only && !packet.is_key()) => {}
                    Ok(packet) => break packet,
                    Err(failure) if failure.is_again() => std::thread::sleep(Duration::from_millis(2)),
                    Err(failure) if failure.is_final() => return Err(failure),
                    Err(failure) => {
                        self.note(&failure);
                        let message = || failure.message().to_owned();
                        self.findings.note(FindingKind::Container, self.time, message);
                        failures += 1;
                        if failures > PATIENCE {
                            break None;
                        }
                    }
                }
            }
        };
        if !behind && packet.as_ref().is_some_and(|packet| packet.begins() && packet.is_key()) {
            // A decoder that goes straight on drops what it has not given out yet where sizes change.
            self.held = packet;
            if let Err(failure) = decoder.send(None) {
                self.refuse(&failure, decoder);
            }
            return Ok(());
        }
        self.at_end |= packet.is_none();
        if let Some(packet) = &packet {
            self.time = packet.pts().or(packet.dts()).map_or(self.time, |ticks| self.seconds(ticks));
            self.started |= packet.is_key();
            if !self.started {
                self.findings.note(FindingKind::Unstarted, self.time, String::new);
            } else if !packet.data().is_empty() && !packet.is_discarded() {
                self.samples += 1;
            }
            self.suspect |= packet.is_corrupt();
            self.encrypted |= packet.is_encrypted();
        }
        if let Err(failure) = decoder.send(packet.as_ref()) {
            self.refuse(&failure, decoder);
        }
        Ok(())
    }

    /// Counts a frame that came out.
    fn came(&mut self, frame: &Decoded, decoder: &Decoder) {
        let flagged = frame.raw().damaged != 0;
        self.damaged += u64::from(flagged);
        let complaints = decoder.complaints();
        let complained = complaints > self.complaints;
        // Where decoding began in the middle, decoders complain of pictures that nobody can decode. A sync
        // frame needs none of them, so what is wrong with it itself is damage.
        let begins = self.frames == 0 && self.findings.count(FindingKind::Unstarted) > 0;
        let begins = begins && !(flagged && frame.raw().key != 0);
        if (flagged || complained || self.suspect) && !begins {
            let time = frame.pts().map_or(self.time, |ticks| self.seconds(ticks));
            self.findings.note(FindingKind::Damaged, time, String::new);
        }
        (self.complaints, self.suspect) = (complaints, false);
        self.frames += 1;
    }

    /// Counts a sample of which no frame comes.
    fn refuse(&mut self, failure: &Failure, decoder: &Decoder) {
        self.note(failure);
        if self.started {
            self.refused += 1;
            self.findings.note(FindingKind::Lost, self.time, || failure.message().to_owned());
        }
        (self.complaints, self.suspect) = (decoder.complaints(), false);
    }

    /// Returns what was counted so far, and when the last sample was that was counted.
    pub(crate) fn counted(&self) -> Counted {
        let Self { samples, frames, refused, time, .. } = *self;
        Counted { samples, frames, refused, time }
    }

    /// Goes on counting where another pump stands, which has given its decoder the same sample last.
    pub(crate) fn go_on_from(&mut self, counted: Counted) {
        (self.samples, self.frames, self.refused) = (counted.samples, counted.frames, counted.refused);
    }

    /// Compares the frames that came out with the samples that went in.
    fn end(&mut self, input: &Input, decoder: &Decoder) -> Option<Decoded> {
        if self.suspect || decoder.complaints() > self.complaints {
            self.findings.note(FindingKind::Damaged, self.time, String::new);
        }
        (self.complaints, self.suspect) = (decoder.complaints(), false);
        let damaged = input.is_joined(self.stream)
            || [FindingKind::Lost, FindingKind::Damaged].iter().any(|&kind| self.findings.count(kind) > 0);
        let silent = self.samples.saturating_sub(self.frames + self.refused);
        // Sound films may have samples without a frame, such as the second fields of frames, so a difference
        // alone proves nothing; in a damaged film it is what the decoder gave up on, and behind a join what
        // refers to pictures before it.
        if damaged && silent > 0 && self.samples * 10 < self.frames * 19 + self.refused * 10 {
            for _ in 0..silent {
                self.findings.note(FindingKind::Lost, self.time, || "the decoder gave no frame".to_owned());
            }
            self.refused += silent;
        }
        None
    }

    fn note(&mut self, failure: &Failure) {
        self.damaged += 1;
        self.complaint = failure.message().to_owned();
    }

    pub(crate) fn read_error(&self, file: &Path, frame: u64, input: &Input, failure: &Failure) -> MediaError {
        MediaError::read(file, frame, input.position(), failure)
    }
}
