//! One failure ends all.

use super::{Film, job};
use crate::common;
use retake::parallel::{FrameReading, FrameSource, ParallelError, SourceError};
use retake::property::Property;
use retake::{FrameRange, Time};
use std::sync::atomic::{AtomicU64, Ordering};

/// A film that cannot be read from some frame on.
struct Broken {
    film: Film,
    from: u64,
    opened: AtomicU64,
}

impl FrameSource for Broken {
    fn frame_count(&self) -> u64 {
        self.film.frame_count()
    }

    fn duration(&self) -> Option<Time> {
        self.film.duration()
    }

    fn open(&self, range: FrameRange) -> Result<FrameReading<'_>, SourceError> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let frames = (range.start..).zip(self.film.open(range)?);
        Ok(Box::new(frames.map(|(index, frame)| {
            if index >= self.from { Err(SourceError::from(format!("frame {index} is gone"))) } else { frame }
        })))
    }
}

/// PA-13: the first failure is the one that is told, whatever the others then say; what has not begun does
/// not begin.
#[test]
fn one_failure_ends_all() {
    let registry = retake::encoders();
    for info in common::encoders() {
        for (at_once, from) in [(1, 10), (4, 30), (4, 0)] {
            let source = Broken { film: Film(common::render(48, 48, 0)), from, opened: AtomicU64::new(0) };
            let result = job(&registry, &info, &[]).at_once(at_once).run(&source, &|_| true);
            let error = result.err().unwrap();
            assert!(matches!(error, ParallelError::Source { .. }), "{}: {error}", info.name);
            assert!(error.to_string().contains("is gone"), "{error}");
            if at_once == 1 {
                assert_eq!(source.opened.into_inner(), 1, "{}", info.name);
            }
        }
    }
}

/// Whoever watches may stop it.
#[test]
fn who_watches_may_stop() {
    let registry = retake::encoders();
    for info in common::encoders() {
        let film = Film(common::render(48, 48, 0));
        let result = job(&registry, &info, &[]).run(&film, &|progress| progress.sent < 5);
        assert!(matches!(result, Err(ParallelError::Stopped)), "{}", info.name);
        assert!(matches!(
            job(&registry, &info, &[]).run(&Film(Vec::new()), &|_| true),
            Err(ParallelError::NoFrames)
        ));
        let refused = job(&registry, &info, &[Property::EncoderPreset("no such preset".to_owned())]);
        let error = refused.run(&film, &|_| true).err().unwrap();
        assert!(matches!(error, ParallelError::Session { .. }) && error.code() == -12902, "{error}");
    }
}
