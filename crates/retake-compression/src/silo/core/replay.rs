//! This module opens a silo again: it applies its events once more, without reading its samples.

use super::{Core, KIND, VERSION};
use crate::journal::{Backend, Journal};
use crate::silo::coding::Event;
use crate::silo::entries::Entry;
use crate::silo::ranges::Ranges;
use retake_media::{Time, TimeRange};
use std::io;
use std::sync::Arc;

impl<B: Backend> Core<B> {
    /// Opens a silo in the state of its last commit. A replacement that was under way is abandoned.
    pub(in crate::silo) fn open(backend: B, hint: Option<TimeRange>) -> io::Result<Self> {
        let journal = Journal::open(backend, KIND, VERSION)?;
        let mut silo = Self::new(journal, true, hint);
        let mut events = Vec::new();
        silo.journal.replay(|mut index| {
            while !index.is_empty() {
                events.push(Event::decode(&mut index).ok_or(io::ErrorKind::InvalidData)?);
            }
            Ok(())
        })?;
        for event in events {
            silo.apply(event)?;
        }
        if silo.before.is_some() {
            silo.abandon().map_err(|_| io::ErrorKind::InvalidData)?;
        }
        Ok(silo)
    }

    fn apply(&mut self, event: Event) -> io::Result<()> {
        let ranges = |ranges: &[TimeRange]| Ranges::new(ranges).map_err(|_| io::ErrorKind::InvalidData);
        match event {
            Event::Format(location) => {
                let format = serde_json::from_slice(&self.journal.read(location)?.payload)?;
                self.formats.push(Arc::new(format));
            }
            Event::Sample(key, location) => {
                self.check(key).map_err(|_| io::ErrorKind::InvalidData)?;
                self.insert(Entry { key, location }, Time::INVALID);
            }
            Event::Pass(list) => self.start_pass(ranges(&list)?),
            Event::Replacement(list) => self.start_replacement(ranges(&list)?),
            Event::Commit => self.end_replacement(),
            Event::Abandon => self.drop_replacement(),
        }
        Ok(())
    }
}
