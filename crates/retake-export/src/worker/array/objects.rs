//! Arrays whose files are objects of a store: what the export puts there for its workers, and brings from
//! there into its own job folder, where all else finds it as if workers had written it there.

use super::{ArrayId, Said, TaskReport};
use crate::error::ExportError;
use crate::job::Job;
use crate::job::folder::{ARRAYS, TAKES};
use crate::job::objects::{Fetched, JobObjects, MOST_TEXT, StoredIndex, run_of};
use crate::objects::Existing;
use crate::own_folder::Folder;
use crate::stop::StopFlag;
use crate::take::store;
use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

/// How often the store is asked what workers have put there: each listing costs a request.
const PACE: Duration = Duration::from_secs(1);
/// How long the store may fail to answer. A call has its own time, after which it fails.
const SILENCE: Duration = Duration::from_secs(60);

/// What an export has in the store, and what it knows of it.
pub(crate) struct ArrayObjects {
    objects: JobObjects,
    /// The job folder of the export, its takes, and its arrays.
    job: Folder,
    takes: Folder,
    arrays: Folder,
    /// What tells this run from others of the same job.
    run: String,
    /// The description and what is known of the source, as they were written into the job folder.
    described: Vec<(String, Vec<u8>)>,
    /// Whether something of it may be missing there.
    is_stale: bool,
    /// The bytes of the index that are there.
    published: u64,
    /// When it was looked for what workers put there, and when that was answered.
    looked: Option<Instant>,
    answered: Option<Instant>,
}

impl ArrayObjects {
    /// Those of a job; `None` where its takes do not travel through a store.
    pub(crate) fn of(job: &Job) -> Result<Option<Self>, ExportError> {
        let Some(objects) = job.objects.clone() else { return Ok(None) };
        let run = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
        let described = job.folder.described()?;
        Ok(Some(Self {
            objects,
            job: job.folder.folder().clone(),
            takes: job.folder.takes()?,
            arrays: job.folder.arrays()?,
            run: format!("{run:016x}"),
            described,
            is_stale: true,
            published: 0,
            looked: None,
            answered: None,
        }))
    }

    /// The same; calls end when this flag is raised.
    pub(super) fn until(self, stop: &StopFlag) -> Self {
        Self { objects: self.objects.until(stop), ..self }
    }

    /// The names of the files of arrays that earlier runs left.
    pub(super) fn names(&self) -> Result<Vec<String>, ExportError> {
        self.objects.names(ARRAYS).map_err(|error| self.objects.refused(&error))
    }

    /// Removes what earlier runs left, and begins this one: the job's description first.
    pub(super) fn begin(&mut self, earlier: &[String]) -> Result<(), ExportError> {
        let is_its = |name: &&String| super::is_name(name) || run_of(name).is_some();
        let left: Vec<String> =
            earlier.iter().filter(is_its).map(|name| format!("{ARRAYS}/{name}")).collect();
        let began = self.objects.describe(&self.described).and_then(|()| self.objects.remove(&left));
        let began = began.and_then(|()| self.objects.remove_other_blocks(&self.run));
        let began = began.and_then(|()| self.objects.put(&self.mark(), b"", Existing::Replace));
        began.map_err(|error| self.objects.refused(&error))?;
        self.is_stale = false;
        Ok(())
    }

    /// The object by which another run that takes the job over is noticed.
    fn mark(&self) -> String {
        format!("{ARRAYS}/{}.run", self.run)
    }

    /// Something was lost that workers need, or may have been: all of it is put there again.
    pub(super) fn distrust(&mut self) {
        self.is_stale = true;
    }

    /// Puts in place what the workers of an array need besides its file.
    pub(super) fn publish(&mut self) -> Result<StoredIndex, ExportError> {
        let published = self.put_what_is_new();
        let bytes = published.map_err(|error| self.objects.failed("", "putting the job in place", error))?;
        Ok(StoredIndex { run: self.run.clone(), bytes })
    }

    fn put_what_is_new(&mut self) -> io::Result<u64> {
        if self.is_stale {
            self.objects.describe(&self.described)?;
            self.objects.put(&self.mark(), b"", Existing::Replace)?;
            self.published = 0;
        }
        self.published = self.objects.put_blocks(&self.run, self.published, &self.job)?;
        self.is_stale = false;
        Ok(self.published)
    }

    /// Puts the file of an array in place.
    pub(super) fn put(&self, array: &ArrayId, text: &[u8]) -> Result<(), ExportError> {
        let name = format!("{ARRAYS}/{}", array.file());
        let put = self.objects.put(&name, text, Existing::Keep);
        put.map_err(|error| self.objects.failed(&name, "putting an array of takes in place", error))
    }

    /// Removes the files of arrays. What workers put there is removed as it is brought.
    pub(super) fn forget(&self, arrays: &BTreeSet<ArrayId>) {
        let names: Vec<String> = arrays.iter().map(|array| format!("{ARRAYS}/{}", array.file())).collect();
        // what cannot be removed only takes space, until the job is done
        let _ = self.objects.for_cleanup().remove(&names);
    }

    /// Something has ended: it is worth looking what it left.
    pub(super) fn look_soon(&mut self) {
        self.looked = None;
    }

    /// Whether it is time to look what workers have put in place.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.looked.is_none_or(|looked| now.duration_since(looked) >= PACE)
    }

    /// Brings what workers have put in place.
    ///
    /// # Errors
    /// [`ExportError::File`] where the store refuses it, or has not answered for a minute, and
    /// [`RequestError::JobFolderBusy`](crate::RequestError::JobFolderBusy) when another run has taken the job
    /// over.
    pub(super) fn bring(&mut self, now: Instant, known: &BTreeSet<ArrayId>) -> Result<(), ExportError> {
        self.looked = Some(now);
        match self.bring_all(known) {
            Ok(true) => {
                self.answered = Some(now);
                Ok(())
            }
            Ok(false) => Err(self.objects.taken_over()),
            Err(error) => {
                let since = *self.answered.get_or_insert(now);
                let for_good = [io::ErrorKind::PermissionDenied, io::ErrorKind::NotFound];
                if for_good.contains(&error.kind()) || now.duration_since(since) > SILENCE {
                    return Err(self.objects.failed(ARRAYS, "looking for what workers made", error));
                }
                Ok(())
            }
        }
    }

    /// Returns whether the job is still this run's.
    fn bring_all(&mut self, known: &BTreeSet<ArrayId>) -> io::Result<bool> {
        let mut names = self.objects.names(ARRAYS)?;
        let is_ours = |name: &String| run_of(name) == Some(&self.run);
        if !names.iter().any(is_ours) {
            if names.iter().any(|name| run_of(name).is_some()) {
                return Ok(false);
            }
            self.is_stale = true;
        }
        // in the order in which they were handed over
        names.sort_unstable();
        let mut others = Vec::new();
        for name in &names {
            match ArrayId::of(name) {
                Some((array, Some(index))) if known.contains(&array) && name.ends_with(".json") => {
                    self.bring_one(&array, index)?;
                }
                // of an array that is over: a worker was late, or ran twice
                Some((array, _)) if !known.contains(&array) => others.push(format!("{ARRAYS}/{name}")),
                _ => {}
            }
        }
        self.objects.remove(&others)?;
        Ok(true)
    }

    /// Brings what a worker said, and before it what it speaks of, if it is there.
    pub(super) fn bring_one(&self, array: &ArrayId, index: u32) -> io::Result<()> {
        let name = array.report(index);
        let object = format!("{ARRAYS}/{name}");
        let text = match self.objects.bytes(&object, MOST_TEXT) {
            Ok(None) => return Ok(()),
            Ok(Some(text)) => text,
            // it cannot be what a worker wrote, and an empty report says that it cannot be read
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut done_with = vec![object];
        match serde_json::from_slice::<TaskReport>(&text).map(|report| report.said) {
            Ok(Said::Done(take)) => {
                let take = store::name_of(&take.description);
                if self.objects.fetch_take(&take, &self.takes)? == Fetched::Damaged {
                    // without it the take is not there, and is run again
                    done_with.push(format!("{TAKES}/{take}"));
                }
            }
            Ok(Said::Read) => {
                let range = array.range(index);
                let object = format!("{ARRAYS}/{range}");
                if let Some(file) = self.objects.fetch(&object, &self.arrays)? {
                    file.persist(&range)?;
                }
                done_with.push(object);
            }
            Ok(Said::Failed(_) | Said::Unable(_)) | Err(_) => {}
        }
        self.arrays.write_whole(&name, &text)?;
        self.objects.remove(&done_with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::RequestError;
    use crate::testing::{MemoryStore, job};
    use crate::worker::array::ArrayNames;
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    const JOB: &str = "retake-0123456789abcdef0123456789abcdef";

    fn run(store: &Arc<MemoryStore>, folder: &Path) -> (Job, ArrayObjects) {
        let mut job = job(folder, |_| ());
        job.folder.note_source(&job.source_facts()).unwrap();
        job.objects = Some(JobObjects::at(store.clone(), "s3://films/jobs", JOB, &StopFlag::new()));
        let objects = ArrayObjects::of(&job).unwrap().unwrap();
        (job, objects)
    }

    fn names(store: &MemoryStore) -> Vec<String> {
        let prefix = format!("s3://films/jobs/{JOB}/");
        store.objects().keys().filter_map(|key| key.strip_prefix(&prefix)).map(str::to_owned).collect()
    }

    /// The run that comes last has the job; one whose mark was lost by chance goes on, and puts it there
    /// again with all else.
    #[test]
    fn the_run_that_comes_last_has_the_job() {
        let place = tempfile::tempdir().unwrap();
        let store = Arc::<MemoryStore>::default();
        for name in ["one", "two"] {
            std::fs::create_dir(place.path().join(name)).unwrap();
        }
        let (_, mut one) = run(&store, &place.path().join("one"));
        one.begin(&one.names().unwrap()).unwrap();
        let (now, known) = (Instant::now(), BTreeSet::new());
        let later = |seconds| now + Duration::from_secs(seconds);
        one.bring(now, &known).unwrap();
        store.objects().retain(|key, _| !key.ends_with(".run") && !key.ends_with("job.json"));
        one.bring(later(2), &known).unwrap();
        one.publish().unwrap();
        assert!(names(&store).contains(&one.mark()) && names(&store).contains(&"job.json".into()));
        let (_, mut two) = run(&store, &place.path().join("two"));
        two.begin(&two.names().unwrap()).unwrap();
        let taken = one.bring(later(4), &known);
        assert!(matches!(taken, Err(ExportError::Request(RequestError::JobFolderBusy { .. }))), "{taken:?}");
        two.bring(later(4), &known).unwrap();
    }

    /// A store that is away is asked again for a minute, and then the export ends with its words.
    #[test]
    fn a_store_that_does_not_answer_is_waited_for_a_minute() {
        let place = tempfile::tempdir().unwrap();
        let store = Arc::<MemoryStore>::default();
        let (_, mut objects) = run(&store, place.path());
        objects.begin(&[]).unwrap();
        let (now, known) = (Instant::now(), BTreeSet::new());
        let mut at = |second| objects.bring(now + Duration::from_secs(second), &known);
        at(0).unwrap();
        store.is_away.store(true, Ordering::Relaxed);
        (1..=60).for_each(|second| at(second).unwrap());
        store.is_away.store(false, Ordering::Relaxed);
        at(61).unwrap();
        store.is_away.store(true, Ordering::Relaxed);
        (62..=121).for_each(|second| at(second).unwrap());
        let words = at(122).unwrap_err().to_string();
        assert!(words.contains("the store is away") && words.contains(JOB), "{words}");
    }

    /// What belongs to no array that is open is removed, and so is what an earlier run left; what is none of
    /// ours stays.
    #[test]
    fn what_came_too_late_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let store = Arc::<MemoryStore>::default();
        let (_, mut objects) = run(&store, place.path());
        let (open, over) = (ArrayNames::new().next(), ArrayNames::new().next());
        let put = |name: String| {
            store.objects().insert(format!("s3://films/jobs/{JOB}/arrays/{name}"), b"{}".to_vec());
        };
        [over.file(), over.report(1), "holiday.txt".into(), "fedcba9876543210.run".into()]
            .into_iter()
            .for_each(put);
        objects.begin(&objects.names().unwrap()).unwrap();
        let is_left = |objects: &ArrayObjects| {
            let arrays = names(&store).into_iter().filter(|name| name.starts_with("arrays/"));
            arrays.filter(|name| *name != objects.mark()).collect::<Vec<_>>()
        };
        assert_eq!(is_left(&objects), ["arrays/holiday.txt"]);
        [open.file(), over.report(2), over.range(2)].into_iter().for_each(put);
        put(open.report(3));
        objects.bring(Instant::now(), &BTreeSet::from([open.clone()])).unwrap();
        let wanted = [format!("arrays/{}", open.file()), "arrays/holiday.txt".into()];
        assert_eq!(is_left(&objects).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(wanted));
        // what a worker said is in the folder now, as if it had been written there, even if it is nonsense
        assert!(objects.arrays.read(&open.report(3)).is_ok());
    }
}
