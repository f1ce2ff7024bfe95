//! An export as a session: set up, run once, watched and cancelled from any thread. What runs is [`export`].

use crate::error::ExportError;
use crate::event::{Event, Summary};
use crate::export::export;
use crate::intent::ExportPreset;
use crate::progress::Progress;
use crate::request::{Request, Target};
use crate::stop::StopFlag;
use retake_compression::encoder::EncoderFactory;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use xxhash_rust::xxh3::xxh3_64;

/// Passes that an export may make where several are allowed and nobody says how many.
const USUAL_PASSES: u32 = 5;

/// Where an export is in its life.
#[doc(alias = "AVAssetExportSessionStatus")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExportStatus {
    /// Not started: it can be changed.
    Unknown,
    /// At work.
    Exporting,
    /// The film is in place.
    Completed,
    /// It failed. What was finished is kept, and the same export carries on from there.
    Failed,
    /// It was cancelled. What was finished is kept, too.
    Cancelled,
}

/// A property was set, or the export started, after it had been started. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an export is set up before it starts, and starts once")]
pub struct AlreadyStarted;

type Teller = Box<dyn Fn(&Event) + Send + Sync>;

/// One film made from another: the whole way, from decoding the source to the verified output.
///
/// Handles are shared: all clones are the same export. It runs once.
///
/// ```no_run
/// # use retake_export::{Export, ExportPreset};
/// # fn run(encoder: std::sync::Arc<dyn retake_compression::encoder::EncoderFactory>) -> Result<(), Box<dyn std::error::Error>> {
/// // one of `retake::encoders()`
/// let export = Export::builder("film.mkv", "film.mp4", encoder)
///     .preset(ExportPreset::Viewing)
///     .can_perform_multiple_passes_over_source_media_data(true)
///     .build();
/// let summary = export.run()?;
/// println!("{} bytes", summary.file_bytes);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "AVAssetExportSession")]
#[derive(Clone)]
pub struct Export(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    stop: StopFlag,
    tell: Option<Teller>,
}

struct State {
    request: Request,
    /// Allowed at all, and how many then.
    passes: (bool, u32),
    temporary: Option<PathBuf>,
    status: ExportStatus,
    progress: Progress,
}

impl Export {
    /// An export of `input` to `output`, whose extension decides what is made: see [`Request::output`].
    #[doc(alias = "initWithAsset:presetName:")]
    pub fn builder(
        input: impl Into<PathBuf>,
        output: impl Into<PathBuf>,
        encoder: Arc<dyn EncoderFactory>,
    ) -> ExportBuilder {
        ExportBuilder {
            request: Request::new(input, output, encoder),
            wanted: Wanted::Preset(ExportPreset::default()),
            multiple: false,
            passes: USUAL_PASSES,
            temporary: None,
            tell: None,
        }
    }

    /// Runs it to its end, on this thread.
    ///
    /// # Errors
    /// [`RunError::AlreadyStarted`] for a second run. [`RunError::Failed`] with what [`export`] says; [`ExportError::Stopped`] when it was cancelled.
    #[doc(alias = "exportToURL:asFileType:")]
    pub fn run(&self) -> Result<Summary, RunError> {
        let request = self.begin()?;
        Ok(self.work(&request)?)
    }

    /// Runs it on a thread of its own. `completion` is called there, once, whatever happens.
    ///
    /// # Errors
    /// [`RunError::AlreadyStarted`]; [`RunError::Failed`] where there is no thread to be had. The completion is not called then.
    #[doc(alias = "exportAsynchronouslyWithCompletionHandler:")]
    pub fn start(
        &self,
        completion: impl FnOnce(Result<Summary, ExportError>) + Send + 'static,
    ) -> Result<(), RunError> {
        let (request, export) = (self.begin()?, self.clone());
        let work = move || completion(export.work(&request));
        let spawned = thread::Builder::new().name("retake export".into()).spawn(work);
        spawned.map(drop).map_err(|source| {
            self.lock().status = ExportStatus::Failed;
            ExportError::file("export", "starting its thread")(source).into()
        })
    }

    /// Asks it to stop. It does within moments, and keeps what is finished: the same export, built again, carries on. One that has not started
    /// never will.
    #[doc(alias = "cancelExport")]
    pub fn cancel(&self) {
        self.0.stop.raise();
        let mut state = self.lock();
        if state.status == ExportStatus::Unknown {
            state.status = ExportStatus::Cancelled;
        }
    }

    /// Where it is in its life.
    pub fn status(&self) -> ExportStatus {
        self.lock().status
    }

    /// How much is done, from 0 to 1. It never goes back. How many passes there will be is not known before, so that it slows down with each.
    pub fn progress(&self) -> f32 {
        self.lock().progress.value()
    }

    /// Where the output goes.
    #[doc(alias = "outputURL")]
    pub fn output(&self) -> PathBuf {
        self.lock().request.output.clone()
    }

    /// Whether ranges of the source may be read and encoded again where that brings the film nearer to what is wanted.
    #[doc(alias = "canPerformMultiplePassesOverSourceMediaData")]
    pub fn can_perform_multiple_passes_over_source_media_data(&self) -> bool {
        self.lock().passes.0
    }

    /// Allows or forbids further passes. The export itself finds out whether they are of use.
    ///
    /// # Errors
    /// [`AlreadyStarted`].
    pub fn set_can_perform_multiple_passes_over_source_media_data(
        &self,
        allowed: bool,
    ) -> Result<(), AlreadyStarted> {
        self.change(|state| state.passes.0 = allowed)
    }

    /// Where files go that do not become the output by a rename: the state of the job. Beside the output if `None`.
    #[doc(alias = "directoryForTemporaryFiles")]
    pub fn directory_for_temporary_files(&self) -> Option<PathBuf> {
        self.lock().temporary.clone()
    }

    /// Puts them elsewhere. The folder has to exist when the export starts.
    ///
    /// # Errors
    /// [`AlreadyStarted`].
    pub fn set_directory_for_temporary_files(&self, folder: Option<PathBuf>) -> Result<(), AlreadyStarted> {
        self.change(|state| state.temporary = folder)
    }

    fn change(&self, change: impl FnOnce(&mut State)) -> Result<(), AlreadyStarted> {
        let mut state = self.lock();
        match state.status {
            ExportStatus::Unknown => change(&mut state),
            _ => return Err(AlreadyStarted),
        }
        Ok(())
    }

    fn begin(&self) -> Result<Request, RunError> {
        let mut state = self.lock();
        match state.status {
            ExportStatus::Unknown => state.status = ExportStatus::Exporting,
            ExportStatus::Cancelled if self.0.stop.is_raised() => return Err(ExportError::Stopped.into()),
            _ => return Err(AlreadyStarted.into()),
        }
        let mut request = state.request.clone();
        request.passes = if state.passes.0 { state.passes.1.max(1) } else { 1 };
        if let Some(folder) = &state.temporary {
            request.work_dir = Some(job_folder(folder, &request.output));
        }
        Ok(request)
    }

    fn work(&self, request: &Request) -> Result<Summary, ExportError> {
        let tell = |event: Event| {
            self.lock().progress.hear(&event);
            if let Some(tell) = &self.0.tell {
                tell(&event);
            }
        };
        let done = export(request, &self.0.stop, &tell);
        self.lock().status = match &done {
            Ok(_) => ExportStatus::Completed,
            Err(ExportError::Stopped) => ExportStatus::Cancelled,
            Err(_) => ExportStatus::Failed,
        };
        done
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // every change is whole
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        let output = &state.request.output;
        f.debug_struct("Export")
            .field("output", output)
            .field("status", &state.status)
            .finish_non_exhaustive()
    }
}

/// Why an export did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It had been started before.
    #[error(transparent)]
    AlreadyStarted(#[from] AlreadyStarted),
    /// It failed, or was cancelled.
    #[error(transparent)]
    Failed(#[from] ExportError),
}

/// The job folder of an output in another folder, where outputs of the same name may meet.
fn job_folder(folder: &Path, output: &Path) -> PathBuf {
    let whole = std::path::absolute(output).unwrap_or_else(|_| output.to_owned());
    let name = output.file_name().unwrap_or_default().to_string_lossy();
    folder.join(format!("{name}.{:08x}.retake", xxh3_64(whole.as_os_str().as_encoded_bytes()) as u32))
}

enum Wanted {
    Preset(ExportPreset),
    Target(Target),
}

/// Sets an [`Export`] up.
pub struct ExportBuilder {
    request: Request,
    wanted: Wanted,
    multiple: bool,
    passes: u32,
    temporary: Option<PathBuf>,
    tell: Option<Teller>,
}

impl ExportBuilder {
    /// How good the film has to be, by what it is for. Default: [`ExportPreset::Viewing`]. Takes the place of a target.
    #[doc(alias = "presetName")]
    #[must_use]
    pub fn preset(mut self, preset: ExportPreset) -> Self {
        self.wanted = Wanted::Preset(preset);
        self
    }

    /// What is wanted in numbers. Takes the place of a preset.
    #[doc(alias = "fileLengthLimit")]
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.wanted = Wanted::Target(target);
        self
    }

    /// Whether several passes over the source are allowed. Default: no.
    #[doc(alias = "canPerformMultiplePassesOverSourceMediaData")]
    #[must_use]
    pub fn can_perform_multiple_passes_over_source_media_data(mut self, allowed: bool) -> Self {
        self.multiple = allowed;
        self
    }

    /// How many passes there may be where several are allowed, the first one counted. At least 1. Default: 5.
    #[must_use]
    pub fn passes(mut self, passes: u32) -> Self {
        self.passes = passes;
        self
    }

    /// Where files go that do not become the output by a rename. Default: beside the output.
    #[doc(alias = "directoryForTemporaryFiles")]
    #[must_use]
    pub fn directory_for_temporary_files(mut self, folder: impl Into<PathBuf>) -> Self {
        self.temporary = Some(folder.into());
        self
    }

    /// Everything else that a [`Request`] has. Its target, passes and job folder are set by the calls here.
    #[must_use]
    pub fn configure(mut self, change: impl FnOnce(&mut Request)) -> Self {
        change(&mut self.request);
        self
    }

    /// Has every event told, from several threads. The teller must not wait for the export.
    #[must_use]
    pub fn on_event(mut self, tell: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.tell = Some(Box::new(tell));
        self
    }

    /// The export. Whether it can be done is found out when it starts.
    pub fn build(self) -> Export {
        let Self { mut request, wanted, multiple, passes, temporary, tell } = self;
        request.target = match wanted {
            Wanted::Preset(preset) => preset.target(request.metric),
            Wanted::Target(target) => target,
        };
        let state = State {
            request,
            passes: (multiple, passes),
            temporary,
            status: ExportStatus::Unknown,
            progress: Progress::default(),
        };
        Export(Arc::new(Inner { state: Mutex::new(state), stop: StopFlag::new(), tell }))
    }
}
