//! From a request to a job: everything that can be decided, and refused, before the first frame is decoded.

pub(crate) mod additions;
pub(crate) mod chapters;
pub(crate) mod folder;
pub(crate) mod grain;
pub(crate) mod identity;
pub(crate) mod ladder;
pub(crate) mod objects;
pub(crate) mod plan;
pub(crate) mod preset;
pub(crate) mod properties;
pub(crate) mod request;
pub(crate) mod settings;
pub(crate) mod source;
pub(crate) mod stamp;
pub(crate) mod tracks;

use crate::clock::process_cpu;
use crate::error::{ExportError, RequestError};
use crate::index::FilmMap;
use crate::index::journal::Journal;
use crate::index::ranges::{RangePlan, Ranges};
use crate::index::scout::ScoutPlan;
use crate::index::units::{Cuts, shortest_scene};
use crate::objects::object_address;
use crate::output::target::{JobOutput, OutputKind};
use crate::records::Records;
use crate::records::place::RecordsTarget;
use crate::scorers::{STRIDE, TakeScorer};
use crate::sound::plan::{Becomes, SoundPlan};
use crate::stop::StopFlag;
use crate::take::identity::named;
use crate::worker::RunOn;
use crate::worker::root::SharedRoot;
use folder::{Earlier, JobDescription, JobFolder, SourceFacts};
use identity::{RequestIdentity, source_identity};
use objects::JobObjects;
use plan::{budget, cores, first_pass, objective, streams, unit_rule};
use request::{Goal, Request};
use retake_compression::parallel::half_of_memory;
use retake_compression::planner::curve::Family;
use retake_libav::{FilmInfo, ReaderOptions, TrackKind, TrackMark, is_pipe};
use retake_quality::{MetricKind, Pooling};
use settings::make_acceptable;
use source::{frames, look_at, probe_pipe, reader_options};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

/// A job that is ready to run. As long as the value lives, its folder is this process's.
pub(crate) struct Job {
    pub request: Request,
    pub identity: RequestIdentity,
    pub folder: JobFolder,
    /// The objects of the job, where takes travel through a store.
    pub objects: Option<JobObjects>,
    pub output: JobOutput,
    /// The source, or the copy of standard input.
    pub source: FilmInfo,
    pub reader: ReaderOptions,
    /// The source with what goes into the film beside its pictures: the tracks that are not left out, with
    /// the marks that they get.
    pub others: FilmInfo,
    /// What becomes of its sound.
    pub sound: SoundPlan,
    /// Where units are cut, if that is known from another variant of the same stream.
    pub cuts: OnceLock<Arc<Cuts>>,
    pub description: JobDescription,
    pub family: Family,
    pub scout: ScoutPlan,
    /// Whether the scout hands its frames on to takes of this process.
    pub hands_on: bool,
    /// How the film is divided among several scouts.
    pub ranges: RangePlan,
    /// The processors of this machine that the program may use.
    pub cores: u64,
    /// Takes at once.
    pub jobs: u32,
    /// The bytes of memory for each, where takes run in processes of their own.
    pub share: u64,
    /// The bytes that all of the work is estimated to need.
    pub memory: u64,
    /// Every how many frames one is scored.
    pub stride: u32,
    /// Plain sentences about what of the source cannot be kept.
    pub notes: Vec<String>,
    /// Where the records of the job are kept.
    pub records: Option<RecordsTarget>,
    pub began: Began,
    /// The CPU seconds that other processes have spent for this job.
    elsewhere: Mutex<f64>,
}

/// When a run began, and the CPU seconds of the process then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Began {
    wall: Instant,
    cpu: f64,
}

impl Began {
    pub(crate) fn now() -> Self {
        Self { wall: Instant::now(), cpu: process_cpu() }
    }

    /// CPU seconds of the process, and seconds, since then.
    pub(crate) fn elapsed(self) -> (f64, f64) {
        (process_cpu() - self.cpu, self.wall.elapsed().as_secs_f64())
    }
}

/// What has to be known of a floor whose metric nobody chose, where it is not the one that most builds have.
fn usual_metric(request: &Request) -> Option<String> {
    let metric = request.metric;
    let usual = !request.asks_metric && metric != MetricKind::Vmaf;
    let Goal::Floor { floor, .. } = request.target().goal() else { return None };
    usual.then(|| {
        let alike = if floor == metric.default_floor() {
            format!(", which takes about as many bits as VMAF {}", MetricKind::Vmaf.default_floor())
        } else {
            String::new()
        };
        format!("VMAF is not in this build: every unit is held to {} {floor}{alike}", metric.name())
    })
}

impl Job {
    /// Decides all that can be decided, and takes the job folder. A request that is refused leaves nothing
    /// behind.
    pub(crate) fn prepare(
        request: &Request,
        identity: RequestIdentity,
        began: Began,
        stop: &StopFlag,
    ) -> Result<Self, ExportError> {
        Self::prepare_beside(request, identity, began, None, stop)
    }

    /// The same for another variant of a stream, whose units are cut where those of the `first` one are.
    pub(crate) fn prepare_beside(
        request: &Request,
        identity: RequestIdentity,
        began: Began,
        first: Option<&JobDescription>,
        stop: &StopFlag,
    ) -> Result<Self, ExportError> {
        request.check()?;
        let info = request.encoder.info();
        let output = JobOutput::of(request, stop)?;
        settings::check(request)?;
        let earlier = match (request.restart, request.follows_a_step) {
            (true, _) => Earlier::Forget,
            (false, true) => Earlier::Follow,
            (false, false) => Earlier::Keep,
        };
        let open_folder = || JobFolder::open(&request.work_dir(), earlier);
        let access = stop.access(request.references, request.objects.as_ref());
        let part = request.part();
        // the folder is looked at late, so that a refused request touches nothing; what comes through a pipe
        // has to be kept somewhere
        let (spool, film) = if is_pipe(&request.input)? {
            let folder = open_folder()?;
            let film = probe_pipe(&request.input, &part, &folder, &access, stop)?;
            (Some(folder), film)
        } else {
            (None, look_at(&request.input, &part, &access, stop)?)
        };

        output.check_times(&film)?;
        request.tracks.check(&film).map_err(RequestError::Tracks)?;
        let mut whole = film.clone();
        // first, because numbers of added tracks must not depend on which others are left out
        let mut added = request.additions.add_to(&mut whole, &stop.access(false, None))?;
        let sound = SoundPlan::of(request, &whole, output.kind())?;
        let others = others(request, whole, &sound)?;
        let mut reduced = Vec::new();
        let mut settings = settings::settings(request, &film, &mut reduced)?;
        let lost = film.findings.iter().filter(|finding| !settings::keeps(info, &settings, finding.kind));
        let mut notes: Vec<String> = lost.map(ToString::to_string).collect();
        notes.append(&mut reduced);
        notes.append(&mut added);
        notes.extend(usual_metric(request));
        settings.controls.film_grain = grain::level(request, &film, &mut notes, stop)?;
        let format = settings.format;
        let objective = objective(request, &film)?;
        let memory = request.memory.unwrap_or_else(half_of_memory);
        let goal = request.target().goal();
        let rule = match (&request.again, first) {
            (Some(again), _) => again.job.rule,
            (None, Some(first)) => first.rule,
            (None, None) => unit_rule(&film, goal, output.kind() == OutputKind::Stream),
        };
        settings.controls.first_pass = first_pass(request, &settings, rule);
        let settings = make_acceptable(&*request.encoder, settings, &mut notes)?;
        if settings.reconstruct {
            // a metric may need larger pictures, or be left out of this build
            TakeScorer::open(&settings, film.unscaled_size(), request.metric, request.pool, 1)
                .map_err(RequestError::Metric)?;
        }
        let family = Family::of(info.name, request.metric.name(), info.quality);
        let budget = budget(request, &film, &family, &settings, rule, memory)?;

        let mut folder = match spool {
            Some(folder) => folder,
            None => open_folder()?,
        };
        if request.run_on.is_elsewhere() {
            request.run_on.check()?;
            if request.filters.graph.is_some() {
                return Err(RequestError::GraphElsewhere.into());
            }
            if film.burned_texts().is_some() {
                return Err(RequestError::BurnElsewhere.into());
            }
        }
        let objects = JobObjects::of(request, &identity, stop)?;
        match &objects {
            Some(objects) => prepare_objects(objects, request, &folder, &film)?,
            None if request.run_on.is_elsewhere() => {
                SharedRoot::of(request.shared_root.as_deref(), &[folder.path(), &film.path])?;
            }
            None => {}
        }
        let output = output.for_job(folder.path());
        output.try_out(stop)?;
        let records = RecordsTarget::of(request);
        let source = source_identity(&film)?;
        records.iter().try_for_each(|records| records.check(request, &source))?;
        let measured = request.target().is_measured();
        let wanted = JobDescription {
            source,
            encoder: named(info),
            settings,
            objective,
            metric: measured.then(|| request.metric.name().to_owned()),
            metric_library: request.metric.other_library().filter(|_| measured),
            pool: measured.then(|| request.pool.name().to_owned()),
            max_bit_rate: request.max_bit_rate,
            again: identity.again.clone(),
            cuts: first.map(|first| first.source.clone()),
            rule,
        };
        // before the folder is the job's, so that a refused request leaves nothing behind
        if let Some(again) = &request.again {
            again.fit(&wanted)?;
        }
        let description = folder.claim(wanted)?;
        let reader = reader_options(&film, format);
        let ranges = Ranges::new(&film, reader, budget.ranges, None).memory();
        let job = Self {
            identity,
            output,
            folder,
            objects,
            reader,
            family,
            scout: ScoutPlan {
                rule,
                shortest: shortest_scene(film.video.frame_rate.to_f64()),
                streaming: streams(request),
                permits: budget.permits,
            },
            hands_on: budget.hands_on,
            ranges: budget.ranges,
            cores: cores(),
            jobs: budget.jobs,
            share: budget.share,
            memory: budget.estimate.saturating_add(ranges),
            // of every third frame the mean of all can be told; of the worst ones nothing
            stride: if request.pool == Pooling::Mean { STRIDE } else { 1 },
            source: film,
            others,
            sound,
            cuts: OnceLock::new(),
            description,
            notes,
            records,
            began,
            elsewhere: Mutex::new(0.0),
            request: request.clone(),
        };
        if let Some(takes) = request.again.as_ref().and_then(|again| again.takes.as_deref()) {
            job.folder.adopt_takes(takes)?;
        }
        if job.records.is_some() {
            job.folder.note_records(&Records::begin(&job).to_text()?)?;
        }
        Ok(job)
    }

    /// Other processes have spent so many CPU seconds more.
    pub(crate) fn add_cpu(&self, seconds: f64) {
        // a sum is whole whatever a panicking holder was doing
        *self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner) += seconds;
    }

    /// CPU seconds that other processes have spent.
    pub(crate) fn cpu_elsewhere(&self) -> f64 {
        *self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// CPU seconds of all processes, and seconds, since the run began.
    pub(crate) fn elapsed(&self) -> (f64, f64) {
        let (cpu, wall) = self.began.elapsed();
        (cpu + *self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner), wall)
    }

    /// The place that all machines share: it holds the job and the source.
    pub(crate) fn shared_root(&self) -> Result<SharedRoot, ExportError> {
        if let Some(objects) = &self.objects {
            return objects.shared_root();
        }
        let holds = [self.folder.path(), &self.source.path];
        SharedRoot::of(self.request.shared_root.as_deref(), &holds)
    }

    /// What workers in other processes must know of the source.
    pub(crate) fn source_facts(&self) -> SourceFacts {
        SourceFacts {
            program: folder::PROGRAM.to_owned(),
            film: self.source.facts(),
            format: self.reader.format,
            threads: self.reader.threads,
            references: self.request.references,
        }
    }

    /// Opens the index of the source, with what of it is known.
    pub(crate) fn index(&self) -> Result<(Journal, FilmMap), ExportError> {
        let (file, path) = self.folder.index()?;
        Journal::open(file, &path, &self.description.subject(), self.source.video.time_base)
    }

    /// Bits a pixel of a film whose samples take `bytes`, as far as the container says how many frames there
    /// are.
    pub(crate) fn bits_per_pixel(&self, bytes: u64) -> f64 {
        let video = &self.source.video;
        let pixels = frames(&self.source) as f64 * f64::from(video.width) * f64::from(video.height);
        bytes as f64 * 8.0 / pixels.max(1.0)
    }
}

/// The source with what goes into the film beside its pictures, of all that may.
fn others(request: &Request, mut others: FilmInfo, sound: &SoundPlan) -> Result<FilmInfo, ExportError> {
    others.tracks.retain(|track| match track.kind {
        TrackKind::Audio => *sound.becomes(track.index) != Becomes::LeftOut,
        _ => track.is_beside() || request.tracks.keeps(track),
    });
    // players, too, are to take the video that was chosen
    for track in
        others.tracks.iter_mut().filter(|track| request.video.is_some() && track.kind == TrackKind::Video)
    {
        track.marks.set(TrackMark::Default, false);
    }
    request.tracks.mark(&mut others).map_err(RequestError::Tracks)?;
    Ok(others)
}

/// Checks that all machines find the source, and brings what an earlier run left in the store.
fn prepare_objects(
    objects: &JobObjects,
    request: &Request,
    folder: &JobFolder,
    film: &FilmInfo,
) -> Result<(), ExportError> {
    if object_address(&film.path).is_none() {
        let (path, root) = (film.path.clone(), PathBuf::from(objects.root()));
        return Err(RequestError::OutsideSharedRoot { path, root }.into());
    }
    if request.run_on == RunOn::Steps {
        // who asked is somewhere else, and is to reach nothing beyond
        let root = objects.shared_root()?;
        [&film.path, &request.output].into_iter().try_for_each(|path| root.relative(path).map(drop))?;
        if !request.follows_a_step {
            // whoever gave the job up has thought better of it
            objects.carry_on().map_err(|error| objects.refused(&error))?;
        }
    }
    let brought = if request.restart { objects.remove_all() } else { objects.fetch_job(folder) };
    brought.map_err(|error| objects.refused(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::request::Target;
    use crate::testing::factory;

    /// A floor that stands for VMAF where there is none is told, in one line, and one that was chosen is not.
    #[test]
    fn a_usual_metric_that_is_not_vmaf_is_told() {
        let mut request = Request::new("in.mkv".into(), "out.mkv".into(), factory());
        let told = |request: &Request| usual_metric(request);
        for metric in [MetricKind::Vmaf, MetricKind::Xpsnr] {
            request.metric = metric;
            let floor = Target::floor(metric.default_floor()).unwrap();
            request.target = Some(floor);
            let note = told(&request);
            assert_eq!(note.is_some(), metric == MetricKind::Xpsnr, "{note:?}");
            if let Some(note) = note {
                let held = format!("xpsnr {}", metric.default_floor());
                assert!(note.contains(&held) && note.contains("VMAF 93") && !note.contains('\n'), "{note}");
            }
            request.target = Some(Target::floor(35.0).unwrap());
            assert!(told(&request).is_none_or(|note| note.contains("35") && !note.contains("93")));
            request.target = Some(Target::bit_rate(300_000).unwrap());
            assert_eq!(told(&request), None);
        }
        request.target = Some(Target::floor(MetricKind::Xpsnr.default_floor()).unwrap());
        request.asks_metric = true;
        assert_eq!(told(&request), None);
    }
}
