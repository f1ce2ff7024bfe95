//! A folder that films come into.

use super::search::{list, why_left_out};
use super::settling::Settling;
use super::{Batch, BatchError, BatchFilm, BatchRules, LeftOut, WhyLeftOut, place};
use crate::objects::ObjectStore;
use crate::stop::StopFlag;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Folders that films come into. Each film is told once, when it has stopped growing; one that changes later
/// is told again. What was made of films is remembered by the films themselves, so that a client that dies
/// and begins anew is told of all again, and finds those made that were.
#[derive(Debug)]
pub struct Watch {
    folders: Vec<PathBuf>,
    rules: BatchRules,
    settling: Settling,
    /// What films were told to become, which is no source.
    outputs: BTreeSet<PathBuf>,
}

impl Watch {
    /// Watches folders. A film is told when its size and the time of its last change have been the same for
    /// so long.
    pub fn new(folders: Vec<PathBuf>, rules: BatchRules, settle: Duration) -> Self {
        Self { folders, rules, settling: Settling::new(settle), outputs: BTreeSet::new() }
    }

    /// Looks at what there is now, and returns the films that have stopped growing since the last look, and
    /// the files that have and are none. The clock is the caller's: `now` must not be less than the last
    /// time.
    ///
    /// # Errors
    /// [`BatchError::Look`] for a folder that cannot be read, and [`BatchError::Stopped`].
    pub fn look(&mut self, now: Instant, stop: &StopFlag) -> Result<Batch, BatchError> {
        let outputs = self.rules.names.folder();
        let access = stop.access(self.rules.references, None::<&Arc<dyn ObjectStore>>);
        let mut files = Vec::new();
        for folder in &self.folders {
            let listing = list(folder, self.rules.recursive, &outputs);
            let listing = listing.map_err(|source| BatchError::Look { path: folder.clone(), source })?;
            files.extend(listing.files);
        }
        let mut batch = Batch::default();
        for file in self.settling.look(now, files) {
            let mut leave = |reason| batch.left_out.push(LeftOut { path: file.path.clone(), reason });
            if self.outputs.contains(&place(&file.path)) {
                leave(WhyLeftOut::EarlierOutput);
                continue;
            }
            match why_left_out(&file.path, &outputs, &access).map_err(|_| BatchError::Stopped)? {
                Some(reason) => leave(reason),
                None => {
                    let output = self.rules.names.output_of(&file.path, &file.below, self.rules.codec);
                    self.outputs.insert(place(&output));
                    batch.films.push(BatchFilm { input: file.path, output });
                }
            }
        }
        Ok(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::OutputNames;
    use crate::testing::film;
    use retake_media::Codec;
    use std::fs::{self, File};
    use std::io::Write;
    use std::path::Path;

    /// A film is told once, when nothing of it has changed for long enough; what is none, is still written,
    /// or comes of another one is not told.
    #[test]
    fn films_are_told_when_they_have_stopped_growing() {
        let place = tempfile::tempdir().unwrap();
        let (folder, elsewhere) = (place.path().join("in"), place.path().join("elsewhere"));
        fs::create_dir_all(folder.join("out")).unwrap();
        fs::create_dir(&elsewhere).unwrap();
        let whole = fs::read(film(&elsewhere)).unwrap();
        let rules = |output: &str| BatchRules {
            names: OutputNames::of(&folder.join(output)).unwrap().unwrap(),
            codec: Codec::H264,
            recursive: true,
            references: false,
        };
        let (start, stop) = (Instant::now(), StopFlag::new());
        let mut watch = Watch::new(vec![folder.clone()], rules("out/"), Duration::from_secs(10));
        let mut told = |second: u64| {
            let batch = watch.look(start + Duration::from_secs(second), &stop).unwrap();
            let name = |path: &Path| path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
            let films: Vec<String> = batch.films().iter().map(|film| name(&film.output)).collect();
            let left: Vec<String> = batch.left_out().iter().map(|left| name(&left.path)).collect();
            (films, left)
        };
        let none = (vec![], vec![]);
        let mut growing = File::create(folder.join("a.y4m")).unwrap();
        growing.write_all(&whole[..whole.len() / 2]).unwrap();
        fs::write(folder.join("b.y4m.part"), &whole).unwrap();
        fs::write(folder.join("out/c.y4m"), &whole).unwrap();
        fs::write(folder.join("notes"), "no film").unwrap();
        assert_eq!(told(0), none);
        growing.write_all(&whole[whole.len() / 2..]).unwrap();
        assert_eq!(told(9), none);
        assert_eq!(told(10), (vec![], vec!["notes".into()]));
        assert_eq!(told(18), none, "it grew between the first look and the second");
        assert_eq!(told(19), (vec!["out/a.mkv".into()], vec![]));
        assert_eq!(told(1000), none);
        fs::rename(folder.join("b.y4m.part"), folder.join("b.y4m")).unwrap();
        assert_eq!(told(1001), none);
        assert_eq!(told(1011), (vec!["out/b.mkv".into()], vec![]));
    }

    /// Where films go into the folder that is watched, they do not come out of it again.
    #[test]
    fn outputs_are_not_told() {
        let place = tempfile::tempdir().unwrap();
        let names = OutputNames::of(&place.path().join("{stem}-small.mkv")).unwrap().unwrap();
        let rules = BatchRules { names, codec: Codec::H264, recursive: false, references: false };
        let source = film(place.path());
        let folders = || vec![place.path().to_owned()];
        let mut watch = Watch::new(folders(), rules.clone(), Duration::ZERO);
        let mut look = || watch.look(Instant::now(), &StopFlag::new()).unwrap();
        let output = look().films()[0].output.clone();
        fs::copy(&source, &output).unwrap();
        let batch = look();
        assert_eq!(batch.films(), []);
        assert_eq!(batch.left_out(), [LeftOut { path: output.clone(), reason: WhyLeftOut::EarlierOutput }]);
        // another watch knows it by what lies beside it
        fs::write(format!("{}.retake.json", output.display()), "records").unwrap();
        let mut other = Watch::new(folders(), rules, Duration::ZERO);
        let batch = other.look(Instant::now(), &StopFlag::new()).unwrap();
        assert_eq!(batch.films().iter().map(|film| &film.input).collect::<Vec<_>>(), [&source]);
    }
}
