//! A folder that films come into.

use super::search::{list, why_left_out};
use super::settling::Settling;
use super::{Batch, BatchError, BatchFilm, BatchRules, LeftOut, WhyLeftOut, place};
use crate::objects::ObjectStore;
use crate::stop::StopFlag;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Folders that films come into. Each film is told once, when it has stopped growing; one that changes later
/// is told again. What was made of films is remembered by the films themselves, so that a client that dies
/// and begins anew is told of all again, and finds those made that were.
#[derive(Debug)]
pub struct Watch {
    folders: Vec<PathBuf>,
    rules: BatchRules,
    settling: Settling,
    /// What films were told to become, which is no source.
    outputs: BTreeSet<PathBuf>,
}

impl Watch {
    /// Watches folders. A film is told when its size and the time of its last change have been the same for
    /// so long.
    pub fn new(folders: Vec<PathBuf>, rules: BatchRules, settle: Duration) -> Self {
        Self { folders, rules, settling: Settling::new(settle), outputs: BTreeSet::new() }
    }

    /// Looks at what there is now, and returns the films that have stopped growing since the last look, and
    /// the files that have and are none. The clock is the caller's: `now` must not be less than the last
    /// time.
    ///
    /// # Errors
    /// [`BatchError::Look`] for a folder that cannot be read, and [`BatchError::Stopped`].
    pub fn look(&mut self, now: Instant, stop: &StopFlag) -> Result<Batch, BatchError> {
        let outputs = self.rules.names.folder();
        let access = stop.access(self.rules.references, None::<&Arc<dyn ObjectStore>>);
        let mut files = Vec::new();
        for folder in &self.folders {
            let listing = list(folder, self.rules.recursive, &outputs);
            let listing = listing.map_err(|source| BatchError::Look { path: folder.clone(), source })?;
            files.extend(listing.files);
        }
        let mut batch = Batch::default();
        for file in self.settling.look(now, files) {
            let mut leave = |reason| batch.left_out.push(LeftOut { path: file.path.clone(), reason });
            if self.outputs.contains(&place(&file.path)) {
                leave(WhyLeftOut::EarlierOutput);
                continue;
            }
            match why_left_out(&file.path, &outputs, &access).map_err(|_| BatchError::Stopped)? {
                Some(reason) => leave(reason),
                None => {
                    let output = self.rules.names.output_of(&file.path, &file.below, self.rules.codec);
                    self.outputs.insert(place(&output));
                    batch.films.push(BatchFilm { input: file.path, output });
                }
            }
        }
        Ok(batch)
    }
}
