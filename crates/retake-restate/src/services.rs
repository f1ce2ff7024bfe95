//! The two services, as the engine calls them.

use crate::client::Engine;
use crate::messages::{EarlyTake, ExportRequest, Failure, Status};
use restate_sdk::prelude::*;
use retake::{
    ExportBuilder, ExportError, RequestError, Step, StopFlag, Summary, TakeDone, TakeTask, WorkerTools,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// How often a step or a take is tried that failed for reasons that may go away, before it is told.
const MOST_ATTEMPTS: u32 = 4;

const HOW_FAR: &str = "status";

/// Builds an export from a request, with all paths below the folder that all machines share.
type Build = Box<dyn Fn(&ExportRequest) -> Result<ExportBuilder, ExportError> + Send + Sync>;

/// What a worker has, and what it does apart from the engine.
pub struct Site {
    /// The folder that all machines share, as this one sees it, or an address in the store of the tools.
    pub root: PathBuf,
    /// What this worker brings along.
    pub tools: WorkerTools,
    /// Builds an export from a request, with the same store.
    pub build: Build,
    /// Takes and steps that run at once.
    pub at_once: usize,
    /// The engine, as this worker reaches it. With it, takes begin while a step still looks through the film;
    /// without, when it has.
    pub engine: Option<Engine>,
}

/// A site at work.
pub(crate) struct Work {
    site: Site,
    room: Semaphore,
    /// Nothing new is begun.
    draining: AtomicBool,
    stop: StopFlag,
}

impl Work {
    pub(crate) fn new(site: Site) -> Self {
        let room = Semaphore::new(site.at_once.max(1));
        Self { site, room, draining: AtomicBool::new(false), stop: StopFlag::new() }
    }

    /// Begins nothing new, and waits for what runs.
    pub(crate) async fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        // who has all the room knows that nobody else runs anything
        let all = u32::try_from(self.site.at_once.max(1)).unwrap_or(u32::MAX);
        let _ = self.room.acquire_many(all).await;
        self.room.close();
    }

    /// Runs something when there is room for it, on a thread where it may wait.
    async fn run<R: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> R + Send + 'static,
    ) -> Result<R, HandlerError> {
        let gone = || HandlerError::from(std::io::Error::other("this worker is about to end"));
        let _room = self.room.acquire().await.map_err(|_| gone())?;
        if self.draining.load(Ordering::Acquire) {
            return Err(gone());
        }
        let this = self.clone();
        Ok(spawn_blocking(move || work(&this)).await?)
    }

    /// Goes the step with this number of an export, from 1.
    fn step(&self, request: &ExportRequest, invocation: &str, number: u32) -> Result<Step, HandlerError> {
        let early = EarlyTakes::of(self.site.engine.as_ref(), request, invocation);
        let step = (self.site.build)(request)
            .map(|export| if number > 1 { export.follows_a_step() } else { export })
            .and_then(|export| export.stop(&self.stop).step_and_begin(&|task| early.begin(task)));
        step.map_err(|error| {
            let again = match &error {
                // another worker that has not noticed yet that it lost the job
                ExportError::Request(RequestError::JobFolderBusy { .. }) => true,
                ExportError::Stopped => false,
                error => error.fault() == retake::Fault::System,
            };
            if !again && early.any() {
                // They are of no use, because the film cannot be made. Where they cannot be told, they end by
                // themselves, and all that is lost is what they take until then.
                let _ = self.stop_job(request);
            }
            told(&error, again)
        })
    }

    fn take(&self, task: &TakeTask) -> Result<TakeDone, HandlerError> {
        retake::run_take(&self.site.root, task, &self.site.tools, &self.stop).map_err(|failure| {
            let again = failure.may_do_elsewhere && !matches!(*failure.error, ExportError::Stopped);
            let mut failed = Failure::of(&failure.error);
            failed.message = format!("{} on {}: {}", task.range(), failure.machine, failed.message);
            failed_with(&failed, again)
        })
    }

    /// Has all takes of a job given up: not when there is room, because what takes the room is to end.
    async fn give_up(self: Arc<Self>, request: ExportRequest) -> Result<(), HandlerError> {
        spawn_blocking(move || self.stop_job(&request)).await?
    }

    fn stop_job(&self, request: &ExportRequest) -> Result<(), HandlerError> {
        let export = (self.site.build)(request).map_err(|error| told(&error, false))?;
        export.give_up().map_err(|error| told(&error, true))
    }
}

/// Has takes begin while a step looks through the film.
struct EarlyTakes<'a> {
    /// Where to ask for them, if anywhere.
    engine: Option<&'a Engine>,
    key: String,
    invocation: &'a str,
    begun: AtomicBool,
    refused: AtomicBool,
}

impl<'a> EarlyTakes<'a> {
    fn of(engine: Option<&'a Engine>, request: &ExportRequest, invocation: &'a str) -> Self {
        let (begun, refused) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { engine, key: request.key(), invocation, begun, refused }
    }

    /// An engine that does not answer is asked no more, because every attempt may take seconds. Nothing is
    /// lost with that: all takes are asked for again when the step has ended.
    fn begin(&self, task: &TakeTask) {
        let Some(engine) = self.engine.filter(|_| !self.refused.load(Ordering::Relaxed)) else { return };
        let take = EarlyTake { invocation: self.invocation.to_owned(), task: task.clone() };
        match engine.begin(&self.key, &take) {
            Ok(()) => self.begun.store(true, Ordering::Relaxed),
            Err(_) => self.refused.store(true, Ordering::Relaxed),
        }
    }

    fn any(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }
}

fn told(error: &ExportError, again: bool) -> HandlerError {
    failed_with(&Failure::of(error), again)
}

/// An error that the engine tries again, or one that it keeps.
fn failed_with(failure: &Failure, again: bool) -> HandlerError {
    if again {
        std::io::Error::other(failure.line()).into()
    } else {
        TerminalError::new(failure.line()).into()
    }
}

fn patience() -> RunRetryPolicy {
    RunRetryPolicy::new()
        .initial_delay(Duration::from_secs(1))
        .exponentiation_factor(3.0)
        .max_delay(Duration::from_secs(30))
        .max_attempts(MOST_ATTEMPTS)
}

/// Runs takes.
pub(crate) struct RetakeTakes(pub(crate) Arc<Work>);

// a take may be longer than any time that somebody would think of, and nothing is heard of it meanwhile
#[restate_sdk::service(
    client_visibility = "pub(crate)",
    inactivity_timeout = "1 day",
    abort_timeout = "1 day",
    journal_retention = "1 hour",
    idempotency_retention = "1 hour",
    invocation_retry_policy(
        initial_interval = "500ms",
        factor = 2.0,
        max_interval = "10s",
        max_attempts = 30,
        on_max_attempts = "kill"
    )
)]
impl RetakeTakes {
    #[handler(ingress_private)]
    async fn run(&self, context: Context<'_>, task: Json<TakeTask>) -> Result<Json<TakeDone>, HandlerError> {
        let (work, task) = (self.0.clone(), task.into_inner());
        let take = move || async move { work.run(move |work| work.take(&task)).await?.map(Json) };
        Ok(context.run(take).retry_policy(patience()).name("take").await?)
    }
}

/// Makes films.
pub(crate) struct RetakeExport(pub(crate) Arc<Work>);

#[restate_sdk::object(
    client_visibility = "pub(crate)",
    inactivity_timeout = "1 day",
    abort_timeout = "1 day",
    journal_retention = "1 day",
    invocation_retry_policy(
        initial_interval = "500ms",
        factor = 2.0,
        max_interval = "10s",
        max_attempts = 1000,
        on_max_attempts = "kill"
    )
)]
impl RetakeExport {
    /// Makes a film. What was made before for the same request is found and kept.
    #[handler]
    async fn run(
        &self,
        context: ObjectContext<'_>,
        request: Json<ExportRequest>,
    ) -> Result<Json<Summary>, HandlerError> {
        let request = request.into_inner();
        let invocation = context.invocation_id().to_owned();
        let mut status = Status { output: request.output.clone(), invocation, ..Status::default() };
        context.set("request", Json(request.clone()));
        loop {
            status = Status { plans: status.plans + 1, takes: 0, done: 0, ..status };
            context.set(HOW_FAR, Json(status.clone()));
            let (work, asked, name) = (self.0.clone(), request.clone(), status.invocation.clone());
            let number = status.plans;
            let step = move |work: &Work| work.step(&asked, &name, number);
            let plan = move || async move { work.run(step).await?.map(Json) };
            let step = context.run(plan).retry_policy(patience()).name("plan").await?;
            let tasks = match step.into_inner() {
                Step::Finished(summary) => return Ok(Json(*summary)),
                Step::Takes(tasks) => tasks,
            };
            status.takes = u32::try_from(tasks.len()).unwrap_or(u32::MAX);
            context.set(HOW_FAR, Json(status.clone()));
            let mut takes = DurableFuturesUnordered::new();
            for task in tasks {
                // one that has begun is not begun again
                let name = EarlyTake::name(&status.invocation, &task);
                let take = context.service_client::<RetakeTakesClient>().run(Json(task));
                takes.push(take.idempotency_key(name).call());
            }
            while let Some((_, take)) = takes.next().await? {
                if let Err(error) = take {
                    // the others are of no use, because one of them cannot be run
                    let work = self.0.clone();
                    let stop = context.run(move || work.give_up(request));
                    stop.retry_policy(patience()).name("stop").await?;
                    return Err(error.into());
                }
                status.done += 1;
                context.set(HOW_FAR, Json(status.clone()));
            }
        }
    }

    /// Begins a take before the export asks for it, which then finds it begun. What comes late, when the
    /// export has ended or begun anew, is left alone.
    #[handler]
    async fn begin(
        &self,
        context: SharedObjectContext<'_>,
        take: Json<EarlyTake>,
    ) -> Result<(), HandlerError> {
        let EarlyTake { invocation, task } = take.into_inner();
        let status = context.get::<Json<Status>>(HOW_FAR).await?.map(Json::into_inner);
        if status.is_some_and(|status| status.invocation == invocation) {
            let name = EarlyTake::name(&invocation, &task);
            context.service_client::<RetakeTakesClient>().run(Json(task)).idempotency_key(name).send();
        }
        Ok(())
    }

    /// How far it is; nothing where nobody asked for this output.
    #[handler]
    async fn status(&self, context: SharedObjectContext<'_>) -> Result<Json<Option<Status>>, HandlerError> {
        Ok(Json(context.get::<Json<Status>>(HOW_FAR).await?.map(Json::into_inner)))
    }

    /// Gives it up. All finished takes are kept.
    #[handler]
    async fn cancel(&self, context: SharedObjectContext<'_>) -> Result<(), HandlerError> {
        let status = context.get::<Json<Status>>(HOW_FAR).await?.map(Json::into_inner);
        let request = context.get::<Json<ExportRequest>>("request").await?.map(Json::into_inner);
        let (Some(status), Some(request)) = (status, request) else {
            return Err(TerminalError::new_with_code(404, "there is no such export").into());
        };
        context.invocation_handle(status.invocation).cancel();
        let work = self.0.clone();
        Ok(context.run(move || work.give_up(request)).retry_policy(patience()).name("stop").await?)
    }
}
