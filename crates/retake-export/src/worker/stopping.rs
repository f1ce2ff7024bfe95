//! How all who work on a job, on whatever machine, are told to give up what they do.

use crate::error::ExportError;
use crate::job::folder::VisitedFolder;
use crate::job::identity::RequestIdentity;
use crate::job::objects::JobObjects;
use crate::job::properties;
use crate::job::request::Request;
use crate::stop::StopFlag;
use crossbeam_channel::RecvTimeoutError;
use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// How often it is looked whether the job was given up: in a folder, and in a store, where each look is a
/// request that costs.
const PACE: Duration = Duration::from_millis(250);
const PACE_OF_STORES: Duration = Duration::from_millis(500);

/// Where it stands that a job was given up.
pub(crate) enum JobPlace {
    /// In its folder.
    Folder(PathBuf),
    /// Among its objects.
    Objects(JobObjects),
}

impl JobPlace {
    /// That of the job that a request is for.
    pub(crate) fn of(request: &Request, stop: &StopFlag) -> Result<Self, ExportError> {
        let request = &properties::resolve(request)?;
        let objects = JobObjects::of(request, &RequestIdentity::of(request), stop)?;
        Ok(objects.map_or_else(|| Self::Folder(request.work_dir()), Self::Objects))
    }

    /// Has all who work on the job give it up, until it is carried on. Where there is no job, nothing
    /// happens.
    pub(crate) fn give_up(&self) -> Result<(), ExportError> {
        match self {
            Self::Folder(folder) => match VisitedFolder::open(folder) {
                Ok(folder) => folder.stop(),
                Err(ExportError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
            },
            Self::Objects(objects) => {
                objects.give_up().map_err(|error| objects.failed("", "giving the job up", error))
            }
        }
    }

    pub(crate) fn is_given_up(&self) -> bool {
        match self {
            Self::Folder(folder) => VisitedFolder::open(folder).is_ok_and(|folder| folder.is_stopping()),
            Self::Objects(objects) => objects.is_given_up(),
        }
    }
}

/// What it means that a job was given up before the work on it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Earlier {
    /// The work has no use, and ends: it is a take of that job.
    Counts,
    /// The work carries the job on, and takes the mark away: not at once, but when it has looked at the
    /// source, which may last for minutes. Until then the mark is not meant for it.
    CarriedOn,
}

/// Does something that ends when `stop` is raised, or when the job is given up.
pub(crate) fn until_given_up<R>(
    place: &JobPlace,
    stop: &StopFlag,
    earlier: Earlier,
    work: impl FnOnce(&StopFlag) -> R,
) -> Result<R, ExportError> {
    let stop = stop.child();
    let mut old = earlier == Earlier::CarriedOn && place.is_given_up();
    let pace = if matches!(place, JobPlace::Folder(_)) { PACE } else { PACE_OF_STORES };
    let (ended, end) = crossbeam_channel::bounded::<()>(0);
    thread::scope(|scope| {
        let watch = || {
            // nothing is ever sent: the other end goes away when the work has ended
            while end.recv_timeout(pace) == Err(RecvTimeoutError::Timeout) {
                match place.is_given_up() {
                    true if !old => stop.raise(),
                    given_up => old = given_up,
                }
            }
        };
        let spawned = thread::Builder::new().name("watch".into()).spawn_scoped(scope, watch);
        spawned.map_err(|error| ExportError::Internal(format!("no thread could be started: {error}")))?;
        let done = work(&stop);
        drop(ended);
        Ok(done)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::folder::STOPPING;
    use crate::testing::job;

    /// Who carries a job on that was given up goes on until it is given up again, however long it takes until
    /// the mark is gone. A take ends at once.
    #[test]
    fn an_earlier_giving_up_ends_takes_alone() {
        let folder = tempfile::tempdir().unwrap();
        let job = job(folder.path(), |_| ());
        let place = JobPlace::Folder(job.folder.path().to_owned());
        place.give_up().unwrap();
        let waits = |stop: &StopFlag, paces: u32| {
            (0..paces).any(|_| {
                thread::sleep(PACE);
                stop.is_raised()
            })
        };
        let ended = until_given_up(&place, &StopFlag::new(), Earlier::Counts, |stop| waits(stop, 1000));
        assert!(ended.unwrap(), "a take went on");
        let carried_on = until_given_up(&place, &StopFlag::new(), Earlier::CarriedOn, |stop| {
            let ended = waits(stop, 4);
            std::fs::remove_file(job.folder.path().join(STOPPING)).unwrap();
            waits(stop, 4);
            place.give_up().unwrap();
            (ended, waits(stop, 1000))
        });
        assert_eq!(carried_on.unwrap(), (false, true));
    }
}
