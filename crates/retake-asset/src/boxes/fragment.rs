//! This module puts fragments, as libavformat writes them, on the session's time line.

use super::edit::Edit;
use super::movie::{TrackHeader, set_edits, set_header, track_number};
use super::tree::{Node, head, put_u32, u32_at, u64_at};

/// A placement tells how the times of one track are moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Placement {
    /// The decode time of the track's first sample, in ticks from the start of the session. The muxer counts
    /// from there.
    pub(crate) first: i64,
    /// The start of the session lies here in the media, in ticks.
    pub(crate) zero: i64,
    /// Every sample is shown at least this much later than decoded, in ticks.
    pub(crate) reorder: i64,
    /// The muxer was told that it is this much later, in ticks.
    pub(crate) lead: i64,
}

/// A piece tells where a sample lies in a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// The track, counted from 0.
    pub(crate) track: usize,
    /// The offset of its bytes, counted from the start of the run of boxes.
    pub(crate) offset: u64,
    /// The number of its bytes.
    pub(crate) length: u32,
}

/// The parts of a fragment are the boxes before the first media, and the media.
pub(crate) struct Parts {
    /// `ftyp` and `moov`, if they are present.
    pub(crate) head: Vec<u8>,
    /// Pairs of `moof` and `mdat`.
    pub(crate) media: Vec<u8>,
}

/// Splits the muxer's output. Returns `None` if its boxes are inconsistent.
pub(crate) fn split(mut bytes: &[u8]) -> Option<Parts> {
    let mut parts = Parts { head: Vec::new(), media: Vec::new() };
    while !bytes.is_empty() {
        let (kind, _, size) = head(bytes)?;
        match &kind {
            b"ftyp" | b"moov" => parts.head.extend_from_slice(&bytes[..size]),
            b"moof" | b"mdat" => parts.media.extend_from_slice(&bytes[..size]),
            // an index of segments is left out, because it would be wrong once times are moved, and no reader
            // needs it
            _ => {}
        }
        bytes = &bytes[size..];
    }
    Some(parts)
}

/// A head holds the facts that the beginning of a film in fragments must state.
pub(crate) struct Head<'a> {
    pub(crate) headers: &'a [TrackHeader],
    /// Each track's media is entered here, if there are edits.
    pub(crate) placements: Option<&'a [Placement]>,
    /// The duration of the whole in ticks of the film, if it is known.
    pub(crate) duration: Option<u64>,
    /// The brands of the file, if they differ from the muxer's.
    pub(crate) brands: Option<&'a [&'a [u8; 4]]>,
}

/// Finishes `ftyp` and `moov`. Returns `None` if they are not as libavformat writes them.
pub(crate) fn finish_head(bytes: &[u8], head: &Head<'_>) -> Option<Vec<u8>> {
    let mut nodes = Node::parse(bytes)?;
    let mut out = Vec::with_capacity(bytes.len() + 256);
    for node in &mut nodes {
        if node.kind == *b"ftyp"
            && let Some(brands) = head.brands
        {
            *node = type_box(b"ftyp", brands);
        }
        if node.kind == *b"moov" {
            for trak in node.children_mut()?.iter_mut().filter(|child| child.kind == *b"trak") {
                let track = (track_number(trak)? as usize).checked_sub(1)?;
                set_header(trak, head.headers.get(track)?)?;
                let zero =
                    head.placements.map_or(0, |placements| placements.get(track).map_or(0, |p| p.zero));
                // a duration of zero means: to the end, whenever that is
                let edits = [Edit { duration: 0, media: Some(zero) }];
                set_edits(trak, if zero == 0 { &[] } else { &edits })?;
            }
            if let Some(duration) = head.duration {
                let fields = [&[1, 0, 0, 0], duration.to_be_bytes().as_slice()].concat();
                node.find_mut(&[b"mvex"])?.children_mut()?.insert(0, Node::fields(b"mehd", fields));
            }
        }
        node.write(&mut out);
    }
    Some(out)
}

/// Makes `ftyp` or `styp` with these brands; the first of them is the major one.
pub(crate) fn type_box(kind: &[u8; 4], brands: &[&[u8; 4]]) -> Node {
    let mut fields = brands.first().map_or_else(Vec::new, |major| major.to_vec());
    fields.extend([0; 4]);
    brands.iter().for_each(|brand| fields.extend(**brand));
    Node::fields(kind, fields)
}

/// Puts the fragments in `media` on the session's time line, in place, and returns where each sample lies.
pub(crate) fn place(media: &mut [u8], placements: &[Placement]) -> Option<Vec<Piece>> {
    // every sample has a byte at least, so that more samples than bytes are a lie
    let most = media.len();
    let (mut at, mut pieces) = (0, Vec::new());
    while at < media.len() {
        let (kind, head_size, size) = head(&media[at..])?;
        if kind == *b"moof" {
            let moof = &mut media[at..at + size];
            for_each(&mut moof[head_size..], b"traf", &mut |traf| {
                place_track(traf, (at as u64, most), placements, &mut pieces)
            })?;
        }
        at += size;
    }
    Some(pieces)
}

/// Calls `visit` with the body of each child of a kind.
fn for_each(
    bytes: &mut [u8],
    wanted: &[u8; 4],
    visit: &mut dyn FnMut(&mut [u8]) -> Option<()>,
) -> Option<()> {
    let mut at = 0;
    while at < bytes.len() {
        let (kind, head_size, size) = head(&bytes[at..])?;
        if kind == *wanted {
            visit(&mut bytes[at + head_size..at + size])?;
        }
        at += size;
    }
    Some(())
}

/// `moof` is where the fragment begins, and `most` how many samples there are in all.
fn place_track(
    traf: &mut [u8],
    (moof, most): (u64, usize),
    placements: &[Placement],
    pieces: &mut Vec<Piece>,
) -> Option<()> {
    let (mut track, mut usual_size) = (None, 0);
    for_each(traf, b"tfhd", &mut |fields| {
        let flags = u32_at(fields, 0)?;
        track = (u32_at(fields, 4)? as usize).checked_sub(1);
        // the skipped fields are base data offset, sample description, default duration and default size
        let before: usize = [(1, 8), (2, 4), (8, 4)]
            .iter()
            .map(|(flag, size)| if flags & flag != 0 { *size } else { 0 })
            .sum();
        if flags & 0x10 != 0 {
            usual_size = u32_at(fields, 8 + before)?;
        }
        Some(())
    })?;
    let track = track?;
    let placement = placements.get(track)?;
    for_each(traf, b"tfdt", &mut |fields| {
        let moved = |time: u64| {
            i64::try_from(time).ok()?.checked_add(placement.first + placement.zero - placement.reorder)
        };
        if *fields.first()? == 1 {
            let time = u64::try_from(moved(u64_at(fields, 4)?)?).ok()?;
            fields.get_mut(4..12)?.copy_from_slice(&time.to_be_bytes());
            return Some(());
        }
        let time = u32::try_from(moved(u32_at(fields, 4)?.into())?).ok()?;
        put_u32(fields, 4, time)
    })?;
    let mut data = None;
    for_each(traf, b"trun", &mut |fields| {
        let flags = u32_at(fields, 0)?;
        let count = u32_at(fields, 4)?;
        let mut at = 8;
        if flags & 1 != 0 {
            data = moof.checked_add_signed(i64::from(u32_at(fields, at)? as i32));
            at += 4;
        }
        at += if flags & 4 != 0 { 4 } else { 0 };
        if flags & 0x800 != 0 {
            *fields.first_mut()? = 1; // offsets have a sign
        }
        for _ in 0..count {
            at += if flags & 0x100 != 0 { 4 } else { 0 };
            let mut length = usual_size;
            if flags & 0x200 != 0 {
                length = u32_at(fields, at)?;
                at += 4;
            }
            at += if flags & 0x400 != 0 { 4 } else { 0 };
            if flags & 0x800 != 0 {
                let offset = i64::from(u32_at(fields, at)?) - placement.lead + placement.reorder;
                put_u32(fields, at, i32::try_from(offset).ok()? as u32)?;
                at += 4;
            }
            let offset = data.filter(|_| pieces.len() < most)?;
            pieces.push(Piece { track, offset, length });
            data = offset.checked_add(length.into());
        }
        Some(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run that says of itself that it has four thousand million samples without a field is refused at
    /// once.
    #[test]
    fn a_number_of_samples_is_not_believed() {
        let run = |count: u32| {
            let header = Node::fields(b"tfhd", vec![0, 0, 0, 0, 0, 0, 0, 1]);
            let trun = [&[0, 0, 0, 1], count.to_be_bytes().as_slice(), &[0, 0, 0, 0]].concat();
            let traf = Node::parent(b"traf", vec![header, Node::fields(b"trun", trun)]);
            let mut media = Vec::new();
            Node::parent(b"moof", vec![traf]).write(&mut media);
            let placement = Placement { first: 0, zero: 0, reorder: 0, lead: 0 };
            place(&mut media, &[placement]).map(|pieces| pieces.len())
        };
        assert_eq!((run(3), run(u32::MAX)), (Some(3), None));
    }
}
