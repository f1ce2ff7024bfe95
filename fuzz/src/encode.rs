//! Any bytes as a film that is encoded, within little memory: there is a film afterwards, or an error whose
//! cause is the input, and nothing else beside them.

use retake::{Export, ExportError, MediaError, MediaErrorKind, RunError, Target};
use std::fs;

/// So little that no claim of a head about the size of pictures costs time, and enough for small ones.
const MEMORY: u64 = 192 << 20;

pub fn run(data: &[u8]) {
    encodes(data);
}

/// Returns whether a film came out, or there is no encoder.
fn encodes(data: &[u8]) -> bool {
    let registry = retake::encoders();
    let encoder = registry
        .by_name("x264")
        .or_else(|| registry.encoders().next().and_then(|info| registry.by_name(info.name)));
    let Some(encoder) = encoder else { return true };
    let fastest = encoder.info().presets.last().map(|preset| preset.name.to_owned());
    let place = tempfile::tempdir().expect("the folder for temporary files can be written to");
    let (input, output) = (place.path().join("input"), place.path().join("output.mp4"));
    fs::write(&input, data).expect("a folder of its own can be written to");
    let mut export =
        Export::builder(&input, &output, encoder).target(Target::plain_at(45.0)).memory(MEMORY).jobs(1);
    if let Some(preset) = fastest {
        export = export.encoder_preset(preset);
    }
    let error = match export.build().run() {
        Ok(summary) => {
            assert!(summary.frames > 0 && output.exists(), "{summary:?}");
            assert_eq!(fs::read_dir(place.path()).map_or(0, Iterator::count), 2, "something is left over");
            return true;
        }
        Err(RunError::Failed(error)) => error,
        Err(error) => panic!("{error}"),
    };
    assert!(!output.exists(), "a film in spite of {error}");
    match &error {
        // demuxers say of damage that reading failed, too
        ExportError::Request(_)
        | ExportError::Encoder { .. }
        | ExportError::Media(MediaError::Open { .. }) => {}
        ExportError::Media(error)
            if matches!(error.kind(), MediaErrorKind::BadInput | MediaErrorKind::Unsupported) => {}
        _ => panic!("{error:?}"),
    }
    false
}

pub fn seeds() -> Vec<Vec<u8>> {
    let films: [&[u8]; 3] = [
        include_bytes!("../seeds/encode/film.mkv"),
        include_bytes!("../seeds/encode/film.mp4"),
        include_bytes!("../seeds/encode/film.ts"),
    ];
    assert!(films.iter().all(|film| encodes(film)), "a seed is valid");
    films.map(<[u8]>::to_vec).to_vec()
}
