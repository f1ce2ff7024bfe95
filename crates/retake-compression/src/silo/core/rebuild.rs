//! This module gives back the space of samples that are no longer in a silo.

use super::{Core, KIND, VERSION};
use crate::journal::{Backend, Journal};
use crate::silo::coding::Event;
use crate::silo::entries::{Entries, Entry};
use retake_media::Time;
use std::io;

impl<B: Backend> Core<B> {
    /// Tells whether rewriting the file, without the removed samples, is worth while.
    pub(in crate::silo) fn is_wasteful(&self, least: u64) -> bool {
        self.before.is_none() && self.dead >= least && self.dead >= self.live
    }

    /// Writes the same silo to a new backend, without the removed samples.
    pub(in crate::silo) fn rebuilt<C: Backend>(&self, backend: C) -> io::Result<Core<C>> {
        let mut new = Core::new(Journal::create(backend, KIND, VERSION)?, self.lasting, None);
        new.hint = self.hint.clone();
        for format in &self.formats {
            new.format(format)?;
        }
        new.copy(self, &self.older)?;
        if let Some(ranges) = &self.pass.ranges {
            new.settle();
            new.note(&Event::Pass(ranges.as_slice().to_vec()));
        }
        new.pass = self.pass.clone();
        new.copy(self, &self.newer)?;
        new.pass = self.pass.clone();
        new.keep()?;
        Ok(new)
    }

    fn copy<A: Backend>(&mut self, from: &Core<A>, entries: &Entries) -> io::Result<()> {
        for Entry { key, location } in entries.iter() {
            self.commit_if_due()?;
            let record = from.journal.read(location)?;
            let location = self.journal.append(record.kind, &[&record.payload])?;
            self.insert(Entry { key, location }, Time::INVALID);
            self.note(&Event::Sample(key, location));
        }
        Ok(())
    }
}
