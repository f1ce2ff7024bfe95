//! Makes encoders of a library: the entry of the registry.

use crate::driver::Driver;
use crate::library::{Library, Spec};
use crate::settings::Lowered;
use crate::warm_up;
use retake_compression::encoder::{Encoder, EncoderError, EncoderFactory, EncoderInfo, EncoderSettings};
use std::sync::Arc;

/// An encoder library as the registry holds it.
pub(crate) struct Factory {
    library: Arc<Library>,
}

impl Factory {
    pub(crate) fn new(spec: Spec) -> Self {
        Self { library: Arc::new(Library::new(spec)) }
    }

    /// Returns the number of frames that wait in the library.
    fn inside(&self, settings: &EncoderSettings) -> u32 {
        let shim = self.library.spec.shim;
        Lowered::new(&self.library, settings).map_or(0, |lowered| shim.delay(lowered.raw()))
    }
}

/// Returns the number of frames that are kept before the library codes the first of them.
fn kept(library: &Library, settings: &EncoderSettings) -> u32 {
    settings.controls.first_pass.unwrap_or_else(|| warm_up::lengths(library, settings).kept)
}

impl EncoderFactory for Factory {
    fn info(&self) -> &EncoderInfo {
        &self.library.info
    }

    fn memory(&self, settings: &EncoderSettings) -> u64 {
        let picture = settings.format.picture_bytes(settings.width, settings.height);
        let kept = u64::from(kept(&self.library, settings));
        (self.library.spec.memory)(settings, self.inside(settings)) + kept * picture
    }

    fn delay(&self, settings: &EncoderSettings) -> u32 {
        self.inside(settings) + kept(&self.library, settings)
    }

    fn useful_threads(&self, settings: &EncoderSettings) -> u32 {
        (self.library.spec.parallelism)(settings).clamp(1, settings.threads.max(1))
    }

    fn key_frame_interval(&self, settings: &EncoderSettings) -> u32 {
        self.library.key_frame_interval(settings)
    }

    fn open(&self, settings: &EncoderSettings) -> Result<Box<dyn Encoder>, EncoderError> {
        Ok(Box::new(Driver::open(Arc::clone(&self.library), settings)?))
    }
}
