//! Recorded hashes: they guard bytes while code moves.
//!
//! A recording is a JSON file beside the test that owns it. It says on which kind of processor, and with
//! which version of the encoder, each hash was recorded, because the same code gives other bytes elsewhere:
//! scores are floating point sums whose order follows the vector width, and encoders change from version to
//! version. A case that was recorded under other conditions is skipped, visibly, instead of compared.
//!
//! `./dev golden --record` sets `RETAKE_GOLDEN=record`, which writes the files anew. A commit that changes
//! one names the cases that changed, and why.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_128;

/// A recording, and what the test at hand found so far.
#[derive(Debug)]
pub struct Golden {
    path: PathBuf,
    recording: bool,
    recorded: File,
    found: File,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct File {
    /// The vector extensions of the processor that it was recorded on.
    processor: String,
    cases: BTreeMap<String, Case>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Case {
    /// What the bytes depend on besides our own code: versions of libraries, or the hash of a source.
    made_with: String,
    hash: String,
}

impl Golden {
    /// Opens the recording `name` in the folder `tests/golden` of the crate that lies in `manifest_dir`.
    ///
    /// # Panics
    /// When the recording is there and cannot be read: a test without its evidence must fail.
    pub fn open(manifest_dir: &str, name: &str) -> Self {
        let path = Path::new(manifest_dir).join("tests/golden").join(format!("{name}.json"));
        let recording = std::env::var("RETAKE_GOLDEN").is_ok_and(|word| word == "record");
        let recorded = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .unwrap_or_else(|error| panic!("{}: not a recording: {error}", path.display())),
            Err(_) if recording => File::default(),
            Err(error) => panic!("{}: {error}", path.display()),
        };
        let found = File { processor: processor(), cases: BTreeMap::new() };
        Self { path, recording, recorded, found }
    }

    /// Notes the hash of a case. `made_with` names all that the bytes depend on besides our own code.
    pub fn case(&mut self, name: &str, made_with: &str, bytes: &[u8]) {
        let case = Case { made_with: made_with.to_owned(), hash: hash(bytes) };
        assert!(self.found.cases.insert(name.to_owned(), case).is_none(), "{name}: noted twice");
    }

    /// Compares all that was noted with the recording, or writes it anew.
    ///
    /// # Panics
    /// When a case has another hash than recorded under the same conditions, when a case was never recorded,
    /// and when a recorded one was not noted although everything else could be compared.
    pub fn compare(self) {
        let Self { path, recording, recorded, found } = self;
        if recording {
            let folder = path.parent().expect("the path was made by joining a folder and a name");
            std::fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
            let mut text = serde_json::to_string_pretty(&found).expect("maps of text are JSON");
            text.push('\n');
            std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            return;
        }
        if recorded.processor != found.processor {
            eprintln!(
                "SKIPPED: {} was recorded on a processor with '{}', this one has '{}'",
                path.display(),
                recorded.processor,
                found.processor
            );
            return;
        }
        let mut wrong = String::new();
        for (name, case) in &found.cases {
            match recorded.cases.get(name) {
                Some(known) if known.made_with != case.made_with => {
                    eprintln!(
                        "SKIPPED: {name} was recorded with {}, here is {}",
                        known.made_with, case.made_with
                    );
                }
                Some(known) if known.hash == case.hash => {}
                Some(known) => writeln!(wrong, "{name}: {} was recorded, {} found", known.hash, case.hash)
                    .expect("text grows in memory"),
                None => writeln!(wrong, "{name}: was never recorded").expect("text grows in memory"),
            }
        }
        for name in recorded.cases.keys().filter(|name| !found.cases.contains_key(*name)) {
            eprintln!("SKIPPED: {name} was recorded, and cannot be made here");
        }
        assert!(wrong.is_empty(), "{}: other bytes than recorded:\n{wrong}", path.display());
    }
}

/// The 128 bits of XXH3 in hexadecimal.
pub fn hash(bytes: &[u8]) -> String {
    format!("{:032x}", xxh3_128(bytes))
}

/// The vector extensions that encoders and metrics choose their code by.
fn processor() -> String {
    #[cfg(target_arch = "x86_64")]
    {
        let known = [
            ("sse4.2", std::arch::is_x86_feature_detected!("sse4.2")),
            ("avx2", std::arch::is_x86_feature_detected!("avx2")),
            ("avx512bw", std::arch::is_x86_feature_detected!("avx512bw")),
            ("avx512vbmi", std::arch::is_x86_feature_detected!("avx512vbmi")),
        ];
        let names: Vec<&str> = known.iter().filter(|(_, there)| *there).map(|(name, _)| *name).collect();
        format!("x86_64 {}", names.join(" "))
    }
    #[cfg(not(target_arch = "x86_64"))]
    std::env::consts::ARCH.to_owned()
}
