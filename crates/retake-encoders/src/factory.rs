//! Makes encoders of a library: the entry of the registry.

use crate::driver::Driver;
use crate::library::{Library, Spec};
use crate::settings::Lowered;
use crate::warm_up;
use retake_compression::encoder::{
    Encoder, EncoderError, EncoderFactory, EncoderInfo, EncoderSettings, RateControl,
};
use std::sync::{Arc, Mutex, PoisonError};

/// An encoder library as the registry holds it.
pub(crate) struct Factory {
    library: Arc<Library>,
    /// Delays that were found out by trial, by what they depend on.
    delays: Mutex<Vec<(EncoderSettings, u32)>>,
}

/// Jobs have one group of settings, and perhaps one for looks, so few delays suffice.
const KEPT: usize = 16;

impl Factory {
    pub(crate) fn new(spec: Spec) -> Self {
        Self::of(Arc::new(Library::new(spec)))
    }

    pub(crate) fn of(library: Arc<Library>) -> Self {
        Self { library, delays: Mutex::new(Vec::new()) }
    }

    /// Returns the number of frames that wait in the library.
    fn inside(&self, settings: &EncoderSettings) -> u32 {
        let shim = self.library.spec.shim;
        let ask =
            |settings| Lowered::new(&self.library, settings).map_or(0, |lowered| shim.delay(lowered.raw()));
        if self.library.avcodec.is_none() {
            return ask(settings);
        }
        // A trial costs an encode, and neither the quality nor the size is known to change its answer.
        let rate = match settings.rate {
            RateControl::Quality(_) => RateControl::Quality(self.library.info.quality.usual),
            _ => RateControl::AverageBitRate(1_000_000),
        };
        let (width, height) = (256, 160);
        let key = EncoderSettings { rate, width, height, reconstruct: false, ..settings.clone() };
        let mut delays = self.delays.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, delay)) = delays.iter().find(|(known, _)| *known == key) {
            return *delay;
        }
        let delay = ask(&key);
        if delays.len() == KEPT {
            delays.remove(0);
        }
        delays.push((key, delay));
        delay
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
        if let Some(most) = settings.controls.max_delay.filter(|_| self.library.avcodec.is_some()) {
            let least = self.library.info.controls.least_delay;
            let delay = if most < least { least } else { self.inside(settings) };
            if delay > most {
                return Err(EncoderError::Settings {
                    encoder: self.library.info.name,
                    setting: "max_delay".to_owned(),
                    reason: format!("it holds back {delay} frames with these settings, not {most} or fewer"),
                });
            }
        }
        Ok(Box::new(Driver::open(Arc::clone(&self.library), settings)?))
    }
}
