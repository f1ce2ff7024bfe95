//! The frame silo holds the newest sample of every frame, whatever pass it came from, in decode order and in
//! a file.
//!
//! A client of several passes adds each sample as it comes out of the session. Before a later pass it must
//! tell the silo the time ranges of that pass: the silo removes the samples in them, and then takes only
//! samples in them. At the end the silo hands out all samples in decode order, for a writer.
//!
//! Samples are stored in a [`journal`](crate::journal); each takes forty bytes of memory (its decode time and
//! its location). The space of removed samples is given back between passes.

mod coding;
mod core;
mod entries;
mod error;
mod ranges;
mod samples;
mod snapshot;

#[cfg(test)]
mod tests;

pub use error::SiloError;
pub use samples::Samples;

use self::core::{Core, Failure, KIND, VERSION};
use crate::journal::backing_file::BackingFile;
use crate::journal::{Journal, OtherVersion};
use retake_media::{SampleBuffer, TimeRange};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

/// The file is rewritten only when at least this many bytes of samples are no longer in the silo.
const WORTH_REBUILDING: u64 = 1 << 25;

/// The client chooses what to do about a file that exists at a new silo's path already. An empty file is
/// always used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExistingSilo {
    /// The silo is not created.
    #[default]
    Refuse,
    /// The file is emptied if it is a silo; any other file is refused.
    Empty,
}

/// A silo merges the samples of several passes: it is an ordered collection keyed by decode time, in a file.
///
/// All calls take `&self` and may come from several threads, so that one adds while another reads. Dropping a
/// silo deletes its file, unless the file existed before the silo.
#[doc(alias = "VTFrameSilo")]
pub struct FrameSilo {
    state: Mutex<State>,
    backing: BackingFile,
}

struct State {
    core: Core<File>,
    /// These threads are in a callback of [`FrameSilo::for_each`], where they must not change the silo.
    callbacks: Vec<ThreadId>,
    /// This is the number of readers. Locations must not change while there are any.
    readers: usize,
}

impl FrameSilo {
    /// Creates a silo in a temporary file that other processes can neither read nor find, in the system's
    /// folder of such files. The first pass measures its progress by `time_range`, which restricts
    /// nothing; with `None` it has no measure.
    ///
    /// # Errors
    /// [`SiloError::File`].
    #[doc(alias = "VTFrameSiloCreate")]
    pub fn temporary(time_range: impl Into<Option<TimeRange>>) -> Result<Self, SiloError> {
        Self::begin(None, None, time_range.into(), ExistingSilo::Refuse)
    }

    /// Creates a silo as [`FrameSilo::temporary`] does, but in the client's folder, because the samples of a
    /// long film may need more room than `/tmp` has.
    ///
    /// # Errors
    /// [`SiloError::File`].
    pub fn temporary_in(folder: &Path, time_range: impl Into<Option<TimeRange>>) -> Result<Self, SiloError> {
        Self::begin(None, Some(folder), time_range.into(), ExistingSilo::Refuse)
    }

    /// Creates a silo in a file at `path`. The file is deleted with the silo unless it existed before.
    ///
    /// # Errors
    /// [`SiloError::Occupied`] for a file that exists and must not be emptied; [`SiloError::File`].
    #[doc(alias = "VTFrameSiloCreate")]
    pub fn create(
        path: &Path,
        time_range: impl Into<Option<TimeRange>>,
        existing: ExistingSilo,
    ) -> Result<Self, SiloError> {
        Self::begin(Some(path), None, time_range.into(), existing)
    }

    fn begin(
        path: Option<&Path>,
        folder: Option<&Path>,
        time_range: Option<TimeRange>,
        existing: ExistingSilo,
    ) -> Result<Self, SiloError> {
        let fail = |doing| file_error(path.map(Path::to_owned), doing);
        let (backing, file) = BackingFile::open(path, folder, false).map_err(fail("creating it"))?;
        if let Some(path) = path.filter(|_| backing.existed()) {
            let empty = file.metadata().map_err(fail("looking at it"))?.len() == 0;
            let silo = file.try_clone().and_then(|file| Journal::open(file, KIND, VERSION));
            let reason = match silo {
                Err(error) if !empty && error.kind() != io::ErrorKind::InvalidData => {
                    return Err(fail("reading it")(error));
                }
                // a silo of another version may be emptied as any silo may
                Err(error) if !empty && !OtherVersion::is_cause_of(&error) => {
                    Some("there is a file already, and it is not a frame silo: choose another path")
                }
                _ if !empty && existing == ExistingSilo::Refuse => {
                    Some("there is a frame silo already: open it, have it emptied, or choose another path")
                }
                _ => None,
            };
            if let Some(reason) = reason {
                return Err(SiloError::Occupied { path: path.to_owned(), reason });
            }
        }
        let core = Core::create(file, backing.is_lasting(), time_range).map_err(fail("creating it"))?;
        Ok(Self::new(core, backing))
    }

    /// Opens the silo in a file that an earlier process left, in the state of its last
    /// [sync](FrameSilo::sync) or a little later. A replacement that was not committed is abandoned. The file
    /// is never deleted. This is an extension: Apple's silos cannot be opened again.
    ///
    /// # Errors
    /// [`SiloError::File`], also for a file that is damaged or no silo, and for one that is in use.
    pub fn open(path: &Path, time_range: impl Into<Option<TimeRange>>) -> Result<Self, SiloError> {
        let fail = |doing| file_error(Some(path.to_owned()), doing);
        std::fs::metadata(path).map_err(fail("opening it"))?;
        let (backing, file) = BackingFile::open(Some(path), None, true).map_err(fail("opening it"))?;
        let core = Core::open(file, time_range.into()).map_err(fail("opening it"))?;
        Ok(Self::new(core, backing))
    }

    fn new(core: Core<File>, backing: BackingFile) -> Self {
        Self { state: Mutex::new(State { core, callbacks: Vec::new(), readers: 0 }), backing }
    }

    /// Adds a sample. Its decode time (its presentation time, if it has no decode time) must be above that of
    /// the sample added last in this pass, and in one of the pass's ranges, if it has any. A sample of an
    /// earlier pass with an equal time is replaced. The silo copies the sample into its file.
    ///
    /// # Errors
    /// [`SiloError::TimeStamp`]; [`SiloError::Parameter`] for a sample without data, and from inside
    /// [`FrameSilo::for_each`]; [`SiloError::File`]. The silo is as it was then.
    #[doc(alias = "VTFrameSiloAddSampleBuffer")]
    pub fn add(&self, sample: &SampleBuffer) -> Result<(), SiloError> {
        self.change("adding a sample", |core| core.add(sample))
    }

    /// Begins the next pass: removes every sample in the ranges, and from now on takes only samples in them.
    /// Ranges must be numeric and ascending, and must not overlap; they may touch or be empty, and there may
    /// be none. Removal is final, so a client that may give up a pass must use
    /// [`FrameSilo::begin_replacement`].
    ///
    /// # Errors
    /// [`SiloError::TimeRange`]; [`SiloError::Parameter`] from inside [`FrameSilo::for_each`] and during a
    /// replacement; [`SiloError::File`]. The silo is as it was then.
    #[doc(alias = "VTFrameSiloSetTimeRangesForNextPass")]
    pub fn set_time_ranges_for_next_pass(&self, ranges: &[TimeRange]) -> Result<(), SiloError> {
        self.change("beginning a pass", |core| core.begin_pass(ranges))?;
        self.reclaim();
        Ok(())
    }

    /// Begins the next pass as [`FrameSilo::set_time_ranges_for_next_pass`] does, but keeps the samples in
    /// the ranges, and hands them out, until [`FrameSilo::commit_replacement`]. So a pass that is given up,
    /// or whose process dies, leaves no hole. This is an extension.
    ///
    /// # Errors
    /// It fails as [`FrameSilo::set_time_ranges_for_next_pass`] does.
    pub fn begin_replacement(&self, ranges: &[TimeRange]) -> Result<(), SiloError> {
        self.change("beginning a replacement", |core| core.begin_replacement(ranges))
    }

    /// Replaces the samples in the ranges by those added since [`FrameSilo::begin_replacement`], all at once,
    /// also where the machine stops meanwhile. The pass goes on as an ordinary one.
    ///
    /// # Errors
    /// [`SiloError::Parameter`] if there is no replacement, and from inside [`FrameSilo::for_each`];
    /// [`SiloError::File`].
    pub fn commit_replacement(&self) -> Result<(), SiloError> {
        self.change("committing a replacement", |core| core.commit())?;
        self.sync()?;
        self.reclaim();
        Ok(())
    }

    /// Gives up the samples added since [`FrameSilo::begin_replacement`]. The silo returns to its state
    /// before that.
    ///
    /// # Errors
    /// It fails as [`FrameSilo::commit_replacement`] does.
    pub fn abandon_replacement(&self) -> Result<(), SiloError> {
        self.change("abandoning a replacement", |core| core.abandon())
    }

    /// Returns the share of this pass that has been added, from 0 to 1, by the time of the sample added last.
    /// The whole is the pass's ranges or, in a first pass without ranges, the range that the silo was created
    /// for. The share never falls within a pass.
    ///
    /// # Errors
    /// [`SiloError::NoTimeRange`] if there is no numeric range to measure by.
    #[doc(alias = "VTFrameSiloGetProgressOfCurrentPass")]
    pub fn progress_of_current_pass(&self) -> Result<f32, SiloError> {
        self.lock().core.progress()
    }

    /// Makes everything added so far survive a power failure. It does nothing for a temporary file. This is
    /// an extension.
    ///
    /// # Errors
    /// [`SiloError::File`].
    pub fn sync(&self) -> Result<(), SiloError> {
        if !self.backing.is_lasting() {
            return Ok(());
        }
        let mut state = self.lock();
        let core = &mut state.core;
        core.keep().and_then(|()| core.journal.sync()).map_err(self.fail("syncing it"))
    }

    fn change(
        &self,
        doing: &'static str,
        change: impl FnOnce(&mut Core<File>) -> Result<(), Failure>,
    ) -> Result<(), SiloError> {
        let mut state = self.lock();
        if state.callbacks.contains(&thread::current().id()) {
            return Err(SiloError::Parameter("a silo cannot be changed from inside its own callback"));
        }
        change(&mut state.core).map_err(|failure| match failure {
            Failure::Silo(error) => error,
            Failure::Io(error) => self.fail(doing)(error),
        })
    }

    /// Gives back the space of samples that are no longer in the silo. If that fails, the file stays as it
    /// is.
    fn reclaim(&self) {
        let mut state = self.lock();
        if state.readers > 0 || !state.core.is_wasteful(WORTH_REBUILDING) {
            return;
        }
        if let Ok(core) = self.rebuilt(&state.core) {
            state.core = core;
        }
    }

    fn rebuilt(&self, core: &Core<File>) -> io::Result<Core<File>> {
        let rebuilt = self.backing.rebuild()?;
        let mut new = core.rebuilt(rebuilt.file.try_clone()?)?;
        new.journal.flush()?;
        self.backing.replace(rebuilt)?;
        Ok(new)
    }

    fn fail(&self, doing: &'static str) -> impl Fn(io::Error) -> SiloError {
        file_error(self.backing.path().map(Path::to_owned), doing)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // only a defect panics while it holds the lock, and the state is whole between its steps
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn file_error(path: Option<PathBuf>, doing: &'static str) -> impl Fn(io::Error) -> SiloError {
    move |source| SiloError::File { path: path.clone(), doing, source }
}

impl Drop for FrameSilo {
    fn drop(&mut self) {
        if self.backing.is_lasting() {
            let mut state = self.lock();
            let core = &mut state.core;
            // a drop cannot report an error; clients that need to know must call `sync`
            let _ = core.keep().and_then(|()| core.journal.flush());
        }
    }
}
