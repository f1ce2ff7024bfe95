//! Any bytes as a Matroska file: its elements are walked to their end, and the steps of the walk do not
//! matter.

use retake_libav::fuzzing::damaged_places;

pub fn run(data: &[u8]) {
    let whole = damaged_places(data, data.len().max(1));
    let whole = whole.expect("memory can be read");
    for step in [1, 7, 64] {
        let places = damaged_places(data, step).expect("memory can be read");
        assert_eq!(places, whole, "steps of {step} bytes");
    }
}

/// An element with a size of one byte.
fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
    [id, &[0x80 | content.len() as u8], content].concat()
}

pub fn seeds() -> Vec<Vec<u8>> {
    let head = element(&[0x1a, 0x45, 0xdf, 0xa3], &[0x42, 0x86, 0x81, 1]);
    let plain = element(&[0xa3], &[0x81, 0, 0, 0x80, 7, 7, 7]);
    let laced = element(&[0xa3], &[0x81, 0, 0, 0x82, 1, 2, 7, 7, 7]);
    let group = element(&[0xa0], &element(&[0xa1], &[0x81, 0, 0, 0, 9]));
    let cluster = element(&[0x1f, 0x43, 0xb6, 0x75], &[element(&[0xe7], &[0]), plain, laced, group].concat());
    let clusters = [cluster.clone(), element(&[0xec], &[0; 5]), cluster.clone()].concat();
    let finished = [head.clone(), element(&[0x18, 0x53, 0x80, 0x67], &clusters)].concat();
    let unknown = [&[0x18, 0x53, 0x80, 0x67, 0x01][..], &[0xff; 7]].concat();
    let live = [head, unknown, cluster.clone(), cluster].concat();
    for seed in [&finished, &live] {
        assert_eq!(damaged_places(seed, 1).ok(), Some(0), "a seed is valid");
    }
    vec![finished, live]
}
