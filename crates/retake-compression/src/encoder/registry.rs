//! This module lists the encoders, the converter and the metrics of a build, so that this crate needs no
//! library by name.

use super::{EncoderFactory, EncoderInfo};
use crate::scorer::SharedScorers;
use retake_media::{Codec, PixelTransfer};
use std::sync::Arc;

/// A maker of converters of pictures; each session that needs a converter gets its own.
pub type TransferMaker = Arc<dyn Fn() -> Box<dyn PixelTransfer> + Send + Sync>;

/// A registry holds the encoders of this build, and facts about those that it lacks.
#[derive(Clone, Default)]
pub struct Registry {
    present: Vec<Arc<dyn EncoderFactory>>,
    missing: Vec<MissingEncoder>,
    transfer: Option<TransferMaker>,
    scorers: Option<SharedScorers>,
}

/// An encoder that Retake knows and this build does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingEncoder {
    /// Its short name.
    pub name: &'static str,
    /// The codec that it would write.
    pub codec: Codec,
    /// The way to get it.
    pub remedy: &'static str,
}

impl Registry {
    /// Makes a registry without encoders.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an encoder. Of two for one codec, the first added is the default.
    pub fn add(&mut self, factory: Arc<dyn EncoderFactory>) {
        self.present.push(factory);
    }

    /// Notes that an encoder is not in this build.
    pub fn add_missing(&mut self, missing: MissingEncoder) {
        self.missing.push(missing);
    }

    /// Lets sessions convert pictures that their encoder does not take as they are.
    pub fn set_transfer(&mut self, maker: TransferMaker) {
        self.transfer = Some(maker);
    }

    /// Returns the maker of converters. With `None`, every picture must fit its encoder.
    pub fn transfer(&self) -> Option<&TransferMaker> {
        self.transfer.as_ref()
    }

    /// Lets sessions of several passes score the frames that they encode.
    pub fn set_scorers(&mut self, scorers: SharedScorers) {
        self.scorers = Some(scorers);
    }

    /// Returns the metrics. With `None`, sessions know only the bytes of takes.
    pub fn scorers(&self) -> Option<&SharedScorers> {
        self.scorers.as_ref()
    }

    /// Returns all encoders.
    #[doc(alias = "VTCopyVideoEncoderList")]
    pub fn encoders(&self) -> impl Iterator<Item = &EncoderInfo> {
        self.present.iter().map(|factory| factory.info())
    }

    /// Returns the encoders that this build lacks.
    pub fn missing(&self) -> &[MissingEncoder] {
        &self.missing
    }

    /// Returns the encoder of that name.
    pub fn by_name(&self, name: &str) -> Option<Arc<dyn EncoderFactory>> {
        self.present.iter().find(|factory| factory.info().name == name).cloned()
    }

    /// Returns the default encoder of a codec.
    pub fn by_codec(&self, codec: Codec) -> Option<Arc<dyn EncoderFactory>> {
        self.present.iter().find(|factory| factory.info().codec == codec).cloned()
    }
}
