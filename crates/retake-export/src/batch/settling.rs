//! Which files have stopped growing.

use super::search::FoundFile;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

/// What changes when a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Growth {
    pub(crate) bytes: u64,
    pub(crate) modified: Option<SystemTime>,
}

/// Remembers how files looked, and tells once of each that it has not changed for a while. One that changes
/// later is told again. The clock is the caller's.
#[derive(Debug)]
pub(crate) struct Settling {
    settle: Duration,
    known: BTreeMap<PathBuf, Known>,
}

#[derive(Debug)]
struct Known {
    growth: Growth,
    since: Instant,
    told: bool,
}

impl Settling {
    pub(crate) fn new(settle: Duration) -> Self {
        Self { settle, known: BTreeMap::new() }
    }

    /// Looks at all the files that there are now, and returns those that have settled since the last look.
    /// What is not among them any more is forgotten.
    pub(crate) fn look(&mut self, now: Instant, files: Vec<FoundFile>) -> Vec<FoundFile> {
        let mut before = std::mem::take(&mut self.known);
        let mut settled = Vec::new();
        for file in files {
            let new = Known { growth: file.growth, since: now, told: false };
            let mut known =
                before.remove(&file.path).filter(|known| known.growth == file.growth).unwrap_or(new);
            let told = known.told;
            known.told |= now.saturating_duration_since(known.since) >= self.settle;
            let settles = known.told && !told;
            self.known.insert(file.path.clone(), known);
            if settles {
                settled.push(file);
            }
        }
        settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_once_when_it_has_stopped_growing() {
        let (start, mut settling) = (Instant::now(), Settling::new(Duration::from_secs(10)));
        let mut told = |second: u64, files: &[(&str, u64, u64)]| -> Vec<String> {
            let files = files.iter().map(|&(path, bytes, modified)| FoundFile {
                path: path.into(),
                below: PathBuf::new(),
                growth: Growth {
                    bytes,
                    modified: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(modified)),
                },
            });
            let settled = settling.look(start + Duration::from_secs(second), files.collect());
            settled.into_iter().map(|file| file.path.to_str().unwrap().to_owned()).collect()
        };
        let none = [""; 0];
        assert_eq!(told(0, &[("a", 1, 1)]), none);
        assert_eq!(told(9, &[("a", 1, 1), ("b", 1, 1)]), none);
        assert_eq!(told(10, &[("a", 1, 1), ("b", 2, 1)]), ["a"], "b has grown");
        assert_eq!(told(19, &[("a", 1, 1), ("b", 2, 1)]), none, "a is told once");
        assert_eq!(told(20, &[("a", 1, 1), ("b", 2, 2)]), none, "b was written again, as long as before");
        assert_eq!(told(30, &[("a", 5, 1), ("b", 2, 2)]), ["b"]);
        assert_eq!(told(40, &[("a", 5, 1), ("b", 2, 2)]), ["a"], "another film under the name");
        // one that was away is a new one
        assert_eq!(told(41, &[]), none);
        assert_eq!(told(42, &[("a", 5, 1)]), none);
        assert_eq!(told(52, &[("a", 5, 1)]), ["a"]);
    }

    #[test]
    fn without_a_time_to_settle_files_are_told_at_once() {
        let growth = Growth { bytes: 1, modified: None };
        let file = FoundFile { path: "a".into(), below: PathBuf::new(), growth };
        let mut settling = Settling::new(Duration::ZERO);
        assert_eq!(settling.look(Instant::now(), vec![file.clone()]).len(), 1);
        assert_eq!(settling.look(Instant::now(), vec![file]).len(), 0);
    }
}
