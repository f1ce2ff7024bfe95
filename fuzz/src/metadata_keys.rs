//! Any bytes as an ISO file with a track of timed metadata: its keys are read or refused, and can be written
//! for another film then.

use retake_libav::fuzzing::metadata_keys;
use retake_media::MetadataFormat;

/// The number of the track that is looked for.
const TRACK: u32 = 7;

pub fn run(data: &[u8]) {
    let Some(format) = metadata_keys(data, TRACK).expect("memory can be read") else { return };
    let keys = format.numbered_keys().map(|(number, key)| (number, key.clone())).collect();
    assert_eq!(MetadataFormat::numbered(keys), Ok(format), "what was read is a description");
}

fn part(kind: &[u8; 4], content: &[&[u8]]) -> Vec<u8> {
    let content = content.concat();
    [&(content.len() as u32 + 8).to_be_bytes()[..], kind, &content].concat()
}

pub fn seeds() -> Vec<Vec<u8>> {
    let key = |number: u32, name: &[u8], code: u32| {
        let kind = [&[0; 4][..], &code.to_be_bytes()].concat();
        let language = part(b"loca", &[b"de\0"]);
        part(&number.to_be_bytes(), &[&part(b"keyd", &[b"mdta", name]), &part(b"dtyp", &[&kind]), &language])
    };
    let keys = part(b"keys", &[&key(1, b"pulse", 74), &key(9, b"place", 80)]);
    let table =
        part(b"stsd", &[&[0, 0, 0, 0, 0, 0, 0, 1], &part(b"mebx", &[&[0, 0, 0, 0, 0, 0, 0, 1], &keys])]);
    let media = part(b"mdia", &[&part(b"minf", &[&part(b"stbl", &[&table])])]);
    let track = |header: &[u8]| part(b"trak", &[&part(b"tkhd", &[header]), &media]);
    let number = TRACK.to_be_bytes();
    let (short, long) = ([&[0; 12][..], &number].concat(), [&[1][..], &[0; 19], &number].concat());
    let film = |header: &[u8]| [part(b"ftyp", &[b"qt  "]), part(b"moov", &[&track(header)])].concat();
    let seeds = vec![film(&short), film(&long)];
    assert!(seeds.iter().all(|seed| matches!(metadata_keys(seed, TRACK), Ok(Some(_)))), "a seed is valid");
    seeds
}
