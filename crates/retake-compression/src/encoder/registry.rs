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
    families: Vec<EncoderFamily>,
    transfer: Option<TransferMaker>,
    scorers: Option<SharedScorers>,
}

/// Encoders that are not listed, because what they can is found out when one of them is asked for.
#[derive(Clone, Copy)]
pub struct EncoderFamily {
    /// What their names begin with, such as `avcodec:`.
    pub prefix: &'static str,
    /// What they are, in words.
    pub about: &'static str,
    /// Finds the encoder of a name without the prefix, or says in words why it cannot be had. It is called
    /// for every question, so that it has to keep what it found out.
    pub find: fn(&str) -> Result<Arc<dyn EncoderFactory>, String>,
}

/// The reason why a registry gives no encoder for a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoSuchEncoder {
    /// Retake knows it, and this build does not have it.
    #[error("is not in this build: {remedy}")]
    Missing {
        /// The way to get it.
        remedy: &'static str,
    },
    /// It is of a family, and cannot be used.
    #[error("cannot be used: {reason}")]
    Unusable {
        /// What it lacks.
        reason: String,
    },
    /// Nothing has this name.
    #[error("is unknown: this build has {}", names.join(", "))]
    Unknown {
        /// The names that there are, and what names of families begin with.
        names: Vec<String>,
    },
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

    /// Adds a family of encoders, which are found by name alone.
    pub fn add_family(&mut self, family: EncoderFamily) {
        self.families.push(family);
    }

    /// Returns the families.
    pub fn families(&self) -> &[EncoderFamily] {
        &self.families
    }

    /// Returns the encoder of that name. One of a family is tried out when it is asked for the first time,
    /// which takes seconds with slow ones.
    ///
    /// # Errors
    /// [`NoSuchEncoder`] says why there is none.
    pub fn find(&self, name: &str) -> Result<Arc<dyn EncoderFactory>, NoSuchEncoder> {
        if let Some(factory) = self.present.iter().find(|factory| factory.info().name == name) {
            return Ok(factory.clone());
        }
        for family in &self.families {
            if let Some(rest) = name.strip_prefix(family.prefix) {
                return (family.find)(rest).map_err(|reason| NoSuchEncoder::Unusable { reason });
            }
        }
        if let Some(missing) = self.missing.iter().find(|missing| missing.name == name) {
            return Err(NoSuchEncoder::Missing { remedy: missing.remedy });
        }
        let families = self.families.iter().map(|family| format!("{}NAME", family.prefix));
        let names = self.encoders().map(|info| info.name.to_owned()).chain(families).collect();
        Err(NoSuchEncoder::Unknown { names })
    }

    /// Returns the encoder of that name, as [`find`](Self::find) does.
    pub fn by_name(&self, name: &str) -> Option<Arc<dyn EncoderFactory>> {
        self.find(name).ok()
    }

    /// Returns the default encoder of a codec.
    pub fn by_codec(&self, codec: Codec) -> Option<Arc<dyn EncoderFactory>> {
        self.present.iter().find(|factory| factory.info().codec == codec).cloned()
    }
}
