use crate::error::ExportError;
use crate::objects::{ObjectStore, Objects};
use retake_libav::Access;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A request to stop, from any thread. Cheap to clone; all clones are one flag.
#[derive(Debug, Clone, Default)]
pub struct StopFlag {
    raised: Arc<AtomicBool>,
    parent: Option<Arc<AtomicBool>>,
}

impl StopFlag {
    /// A flag that is not raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks everything that looks at this flag to stop soon.
    pub fn raise(&self) {
        self.raised.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked.
    pub fn is_raised(&self) -> bool {
        let raised = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        raised(&self.raised) || self.parent.as_deref().is_some_and(raised)
    }

    /// A flag that is up whenever this one is, and can be raised alone.
    pub(crate) fn child(&self) -> Self {
        Self { raised: Arc::default(), parent: Some(self.raised.clone()) }
    }

    /// Waits for sources end when this flag is raised; `references` are for playlists, and `objects` opens
    /// what is no file.
    pub(crate) fn access(&self, references: bool, objects: Option<&Arc<dyn ObjectStore>>) -> Access {
        let flag = self.clone();
        let objects = objects.map(|objects| objects.clone() as Arc<dyn Objects>);
        Access::new().references(references).objects(objects).interrupt(move || flag.is_raised())
    }

    pub(crate) fn check(&self) -> Result<(), ExportError> {
        if self.is_raised() { Err(ExportError::Stopped) } else { Ok(()) }
    }
}
