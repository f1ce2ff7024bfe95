//! This module adds boxes to the description of a track's samples, behind those of a `VisualSampleEntry`,
//! because libavformat does not write them.

use super::tree::{Node, put_u32, u32_at};
use retake_libav::Container;
use retake_media::{CleanAperture, FieldDetail, Fields, FormatDescription, IccProfile};

/// Head and fields of a `VisualSampleEntry` (ISO/IEC 14496-12, 12.1.3.2).
const ENTRY: usize = 8 + 78;

/// Makes the boxes for a description of video.
pub(crate) fn boxes(format: &FormatDescription, container: Container) -> Vec<Node> {
    let gamma = format.gamma.filter(|_| container == Container::Mov);
    let found = [
        format.clean_aperture.as_ref().map(aperture),
        format.fields.map(fields),
        format.icc_profile.as_ref().map(profile),
        gamma.map(gama),
    ];
    found.into_iter().flatten().collect()
}

/// Makes `clap` (ISO/IEC 14496-12, 12.1.4).
fn aperture(aperture: &CleanAperture) -> Node {
    let parts = [aperture.width, aperture.height, aperture.horizontal_offset, aperture.vertical_offset]
        .map(|part| [part.num, part.den]);
    Node::fields(b"clap", parts.as_flattened().iter().flat_map(|number| number.to_be_bytes()).collect())
}

/// Makes `fiel` of QuickTime: the number of fields and their order. Rows alternate where no order is given.
fn fields(fields: Fields) -> Node {
    let detail = match fields.count {
        2 => fields.detail.unwrap_or(FieldDetail::SpatialFirstLineEarly).code(),
        _ => 0,
    };
    Node::fields(b"fiel", vec![fields.count, detail])
}

/// Makes `colr` with a profile (ISO/IEC 14496-12, 12.1.5), beside the one with tags.
fn profile(profile: &IccProfile) -> Node {
    Node::fields(b"colr", [b"prof", profile.as_bytes()].concat())
}

/// Makes `gama` of QuickTime, in fixed point.
fn gama(gamma: f64) -> Node {
    // `as` saturates, so that no number is too large
    Node::fields(b"gama", ((gamma * 65536.0).round() as u32).to_be_bytes().to_vec())
}

/// Puts boxes into the one entry of a table of sample descriptions, where they replace those of the same
/// kind; tags and profile of colour are two boxes of one kind. Returns `None` if the table is not as
/// libavformat writes it.
pub(crate) fn add(table: &mut Vec<u8>, boxes: &[Node]) -> Option<()> {
    if boxes.is_empty() {
        return Some(());
    }
    // the entry stands behind version, flags and the number of entries
    let size = u32_at(table, 8)? as usize;
    if u32_at(table, 4)? != 1 || size + 8 != table.len() {
        return None;
    }
    let mut inside = Node::parse(table.get(8 + ENTRY..)?)?;
    inside.retain(|old| old.kind == *b"colr" || boxes.iter().all(|new| new.kind != old.kind));
    table.truncate(8 + ENTRY);
    inside.iter().chain(boxes).for_each(|child| child.write(table));
    let size = u32::try_from(table.len() - 8).ok()?;
    put_u32(table, 8, size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Makes a table of one entry with these boxes inside.
    fn table(inside: &[Node]) -> Vec<u8> {
        let mut table = vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        table.extend(b"avc1");
        table.extend([7; ENTRY - 8]);
        inside.iter().for_each(|node| node.write(&mut table));
        let size = table.len() as u32 - 8;
        put_u32(&mut table, 8, size).unwrap();
        table
    }

    /// Boxes of one kind are replaced, tags of colour stay beside a profile, and the entry's length is right.
    #[test]
    fn boxes_are_put_in_place_of_old_ones() {
        let node = |kind: &[u8; 4], fields: &[u8]| Node::fields(kind, fields.to_vec());
        let old = [node(b"avcC", &[1, 2]), node(b"colr", b"nclx"), node(b"fiel", &[1, 0])];
        let new = [node(b"fiel", &[2, 9]), node(b"colr", b"prof")];
        let mut made = table(&old);
        add(&mut made, &new).unwrap();
        assert_eq!(made, table(&[&old[..2], &new[..]].concat()));
        let mut kept = table(&old);
        add(&mut kept, &[]).unwrap();
        assert_eq!(kept, table(&old));
    }

    proptest! {
        #[test]
        fn any_table_is_refused_or_taken_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = bytes;
            let _ = add(&mut bytes, &[Node::fields(b"fiel", vec![2, 9])]);
        }
    }
}
