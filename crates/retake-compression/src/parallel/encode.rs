//! This module is the face of parallel encodes: it configures the sessions, runs them, and joins their
//! samples.

use super::error::ParallelError;
use super::join::{JoinReport, Joiner};
use super::part::{Common, EncodedPart, PartProgress, Running};
use super::plan::{Part, Subdivision};
use super::scenes::move_to_scenes;
use super::sessions::Sessions;
use super::source::FrameSource;
use super::worker_pool::WorkerPool;
use crate::encoder::Registry;
use crate::property::{DataRateLimit, Property, PropertyKey, key};
use crate::session::{
    CompressionSession, EncoderSpecification, PassOptions, SessionBuilder, SessionError, SharedPlan,
};
use crate::units::FrameRange;
use retake_media::{Codec, FormatDescription, SampleBuffer};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Encodes one source by several sessions side by side. Each part of the source has a session and a silo;
/// where there are several passes, the sessions share one plan of them; the parts are joined in order.
///
/// The output depends on the source, the properties and the parts, but neither on the number of sessions at
/// once nor on their order of completion (rule PA-12). So the number of threads must not depend on the
/// machine: where [`Property::ThreadCount`] is not among the properties, each session encodes with one
/// thread.
///
/// In one pass, a bit rate is a target for each part. In several it is that of the whole source: each part
/// begins with it, and what the first pass has found says which parts get more and which less of it.
///
/// Where the properties have no expected frame rate and the source knows its duration, sessions use the
/// average over the whole source, so that all parts get equal headers.
#[derive(Clone)]
pub struct ParallelEncode<'a> {
    registry: &'a Registry,
    width: u32,
    height: u32,
    codec: Codec,
    specification: EncoderSpecification,
    properties: Vec<Property>,
    subdivision: Option<Subdivision>,
    at_once: Option<u32>,
    passes: Option<PassOptions>,
    folder: Option<PathBuf>,
}

impl<'a> ParallelEncode<'a> {
    /// Makes an encode of pictures of this size in pixels with one of the encoders of `registry`. Everything
    /// else has a default.
    pub fn new(registry: &'a Registry, width: u32, height: u32, codec: Codec) -> Self {
        Self {
            registry,
            width,
            height,
            codec,
            specification: EncoderSpecification::default(),
            properties: Vec::new(),
            subdivision: None,
            at_once: None,
            passes: None,
            folder: None,
        }
    }

    /// Sets the criteria that select the encoder. Default: the first encoder for the codec.
    pub fn specification(mut self, specification: EncoderSpecification) -> Self {
        self.specification = specification;
        self
    }

    /// Sets the properties of all sessions, except those that tell a session its [place](Part::properties).
    /// Default: none.
    pub fn properties(mut self, properties: impl Into<Vec<Property>>) -> Self {
        self.properties = properties.into();
        self
    }

    /// Sets how the source may be divided. Default: as a session with these properties recommends on this
    /// machine. Equal bytes on different machines need equal parts, so a client that wants them must set
    /// this.
    pub fn subdivision(mut self, subdivision: Subdivision) -> Self {
        self.subdivision = Some(subdivision);
        self
    }

    /// Sets the number of sessions at once, at least 1. Default: as many as a session with these properties
    /// recommends on this machine. It changes no byte.
    pub fn at_once(mut self, sessions: u32) -> Self {
        self.at_once = Some(sessions);
        self
    }

    /// Encodes in several passes, with one plan for all parts and a storage for each (rule PA-15). A pass of
    /// all parts is over before the next one begins. Default: one pass.
    pub fn passes(mut self, options: PassOptions) -> Self {
        self.passes = Some(options);
        self
    }

    /// Sets the folder of temporary silos and storages. Default: the system's folder of temporary files.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Returns the division that a session with these properties recommends (rule PA-4).
    ///
    /// # Errors
    /// [`ParallelError::Session`]: there is no such encoder, or it refuses the properties.
    pub fn recommended(&self) -> Result<Subdivision, ParallelError> {
        let nothing = FrameRange::new(0, 0);
        self.ask().map_err(ParallelError::session(nothing))
    }

    fn ask(&self) -> Result<Subdivision, SessionError> {
        let session: CompressionSession = self.begin().on_output(drop).build()?;
        session.set_all(&self.common(None))?;
        Ok(Subdivision {
            limit: session.get(key::RecommendedParallelizationLimit)?.unwrap_or(1),
            least_frames: session.get(key::RecommendedParallelizedSubdivisionMinimumFrameCount)?.unwrap_or(1),
            least_duration: session.get(key::RecommendedParallelizedSubdivisionMinimumDuration)?,
        })
    }

    /// Returns the parts that a source is divided into: equal ones for a single pass (rule PA-3). In several,
    /// each bound between two lies at the nearest scene change, where one is within a third of a part and 250
    /// frames, for which frames around the bounds are read.
    ///
    /// # Errors
    /// It fails as [`ParallelEncode::recommended`] does, where no subdivision was set, and with
    /// [`ParallelError::Source`] where frames cannot be read.
    pub fn plan(&self, source: &dyn FrameSource) -> Result<Vec<Part>, ParallelError> {
        let subdivision = self.subdivision.map_or_else(|| self.recommended(), Ok)?;
        let mut parts = subdivision.parts(source.frame_count(), source.duration());
        if self.passes.is_some() {
            move_to_scenes(&mut parts, &subdivision, source)?;
        }
        Ok(parts)
    }

    /// Encodes all parts of a source. `progress` is called after every frame sent, from several threads; if
    /// it returns false, everything stops.
    ///
    /// # Errors
    /// Returns the first failure, which ends all sessions (rule PA-13), or [`ParallelError::Stopped`] where
    /// `progress` asked for it.
    pub fn run(
        &self,
        source: &dyn FrameSource,
        progress: &(dyn Fn(PartProgress) -> bool + Sync),
    ) -> Result<EncodedParts, ParallelError> {
        let plan = self.plan(source)?;
        if plan.is_empty() {
            return Err(ParallelError::NoFrames);
        }
        let at_once = self.at_once.map_or_else(|| self.recommended().map(|all| all.limit), Ok)?;
        let sessions = Sessions::default();
        let shared = self.passes.map(|_| SharedPlan::new(plan.len()));
        let common = Common { job: self, sessions: &sessions, source, progress, plan: shared.as_ref() };
        let stop = || sessions.stop();
        let threads = at_once.clamp(1, u32::try_from(plan.len()).unwrap_or(u32::MAX));
        let pool = WorkerPool { threads, name: "part", stop: &stop };
        let waiting = Mutex::new(plan.iter().copied().enumerate());
        let mut parts: Vec<Option<PartState<'_>>> = plan.iter().map(|_| None).collect();
        pool.run(
            || waiting.lock().ok()?.next(),
            |(_, part)| format!("the part of {}", part.range),
            |(index, part)| {
                let mut running = Running::begin(common, (index, part))?;
                running.first_pass()?;
                // a part of a single pass needs its session no longer
                Ok::<_, ParallelError>(match common.plan {
                    Some(_) => (index, PartState::Running(Box::new(running))),
                    None => (index, PartState::Encoded(Box::new(running.finish()))),
                })
            },
            |(index, part)| {
                parts[index] = Some(part);
                Ok(())
            },
        )?;
        let mut running: Vec<Option<Box<Running<'_>>>> = Vec::with_capacity(plan.len());
        let mut encoded = Vec::with_capacity(plan.len());
        for part in parts.into_iter().flatten() {
            match part {
                PartState::Running(part) => running.push(Some(part)),
                PartState::Encoded(part) => encoded.push(*part),
            }
        }
        while Self::later_pass(&pool, &mut running)? {}
        encoded.extend(running.into_iter().flatten().map(|part| part.finish()));
        let limits = self.properties.iter().find_map(|property| match property {
            Property::DataRateLimits(limits) => Some(limits.clone()),
            _ => None,
        });
        Ok(EncodedParts { parts: encoded, limits: limits.unwrap_or_default() })
    }

    /// Makes the next pass over the parts that the plan asks again; false where it asks none.
    fn later_pass<'r>(
        pool: &WorkerPool<'_>,
        parts: &mut [Option<Box<Running<'r>>>],
    ) -> Result<bool, ParallelError> {
        let mut asked = Vec::new();
        for place in &mut *parts {
            let Some(mut part) = place.take() else { continue };
            match part.next_pass()? {
                Some(ranges) => asked.push((part, ranges)),
                None => *place = Some(part),
            }
        }
        if asked.is_empty() {
            return Ok(false);
        }
        let waiting = Mutex::new(asked.into_iter());
        pool.run(
            || waiting.lock().ok()?.next(),
            |(part, _)| format!("the part of {}", part.part().range),
            |(mut part, ranges)| {
                part.later_pass(&ranges)?;
                Ok::<_, ParallelError>(part)
            },
            |part| {
                let index = part.index();
                parts[index] = Some(part);
                Ok(())
            },
        )?;
        Ok(true)
    }

    pub(super) fn begin(&self) -> SessionBuilder<'_> {
        CompressionSession::builder(self.registry, self.width, self.height, self.codec)
            .specification(self.specification.clone())
    }

    /// Returns the properties that every session gets.
    fn common(&self, source: Option<&dyn FrameSource>) -> Vec<Property> {
        let mut properties = self.properties.clone();
        let lacks = |key| !self.properties.iter().any(|property| property.key() == key);
        if lacks(PropertyKey::ThreadCount) {
            properties.push(Property::ThreadCount(1));
        }
        if let Some(source) = source.filter(|_| lacks(PropertyKey::ExpectedFrameRate))
            && let Some(duration) = source.duration()
        {
            let rate = source.frame_count() as f64 / duration.seconds();
            if rate.is_finite() && (0.001..=1000.0).contains(&rate) {
                properties.push(Property::ExpectedFrameRate(rate));
            }
        }
        properties
    }

    /// Configures the session of a part.
    pub(super) fn configure(
        &self,
        session: &CompressionSession,
        part: &Part,
        source: &dyn FrameSource,
    ) -> Result<(), SessionError> {
        let place = part.properties(&session.supported_properties()?);
        session.set_all(&[self.common(Some(source)), place].concat())
    }

    pub(super) fn pass_options(&self) -> Option<PassOptions> {
        self.passes
    }

    pub(super) fn folder_of_files(&self) -> Option<&Path> {
        self.folder.as_deref()
    }
}

/// What has come of the first pass over a part.
enum PartState<'a> {
    /// Others may follow.
    Running(Box<Running<'a>>),
    Encoded(Box<EncodedPart>),
}

/// The encoded parts of a source.
pub struct EncodedParts {
    parts: Vec<EncodedPart>,
    limits: Vec<DataRateLimit>,
}

impl EncodedParts {
    /// Returns the parts in their order.
    pub fn parts(&self) -> &[EncodedPart] {
        &self.parts
    }

    /// Hands out the samples of all parts in decode order, as those of one film (rule PA-10). It can be
    /// repeated.
    ///
    /// # Errors
    /// Fails with [`ParallelError::Join`] where the parts do not make one film, with [`ParallelError::Silo`]
    /// where a sample cannot be read, and with the errors of `each`.
    pub fn join<E: From<ParallelError>>(
        &self,
        mut each: impl FnMut(SampleBuffer) -> Result<(), E>,
    ) -> Result<JoinReport, E> {
        let mut joiner = Joiner::new(self.limits.clone());
        let joined = |error| E::from(ParallelError::Join(error));
        for EncodedPart { part, silo, .. } in &self.parts {
            let fail = ParallelError::silo(part.range);
            let mut format: Option<Arc<FormatDescription>> = None;
            for sample in silo.samples(None).map_err(&fail)? {
                let mut buffer = sample.map_err(&fail)?;
                // comparing pointers suffices, because a silo shares one description among all samples that
                // have an equal one
                if !format.as_ref().is_some_and(|format| Arc::ptr_eq(format, &buffer.format)) {
                    joiner.format(&buffer.format, format.is_none()).map_err(joined)?;
                    format = Some(buffer.format.clone());
                }
                joiner.sample(&mut buffer.sample).map_err(joined)?;
                each(buffer)?;
            }
        }
        joiner.finish().map_err(joined)
    }
}
