//! Bytes of four parallel parts, compared with recorded ones.

use super::{Film, job, joined};
use crate::common;
use retake::property::Property;
use retake::session::PassOptions;
use retake_testing::Golden;

#[test]
fn golden_four_parts() {
    let mut golden = Golden::open(env!("CARGO_MANIFEST_DIR"), "parts");
    let mut frames = common::render(120, 24, 6);
    frames.extend(common::render(80, 20, 40));
    let film = Film(frames);
    let registry = retake::encoders();
    for info in common::encoders() {
        for (name, passes) in [("one pass", None), ("passes", Some(PassOptions::default()))] {
            let mut job = job(&registry, &info, &[Property::AverageBitRate(240_000)]);
            if let Some(options) = passes {
                job = job.passes(options);
            }
            let parts = job.run(&film, &|_| true).unwrap();
            let flat = common::flat(&joined(&parts).0);
            golden.case(&format!("{} {name}", info.name), &format!("{} {}", info.name, info.version), &flat);
        }
    }
    golden.compare();
}
