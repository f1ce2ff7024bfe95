//! This module finishes the index of a whole film by hand.

use super::description::Description;
use super::edit::{Edit, edit_box, edits};
use super::entry;
use super::tree::{Node, put_u32, u32_at, u64_at};
use crate::state::timeline::Extent;
use retake_libav::language_code;

/// The index must state these facts of one track.
#[derive(Debug, Clone)]
pub(crate) struct TrackFinish {
    /// The extent of the samples that were stored.
    pub(crate) extent: Extent,
    /// The muxer was told to decode earlier than the samples say by this much.
    pub(crate) lead: i64,
    /// The end of the session, in ticks of the track from its start.
    pub(crate) end: Option<i64>,
    /// The further fields of the header.
    pub(crate) header: TrackHeader,
}

/// These are fields of a track's header.
#[derive(Debug, Clone, Default)]
pub(crate) struct TrackHeader {
    /// True if what the muxer wrote of marks and groups must stay.
    pub(crate) as_copied: bool,
    pub(crate) enabled: bool,
    pub(crate) alternate_group: u16,
    pub(crate) volume: Option<f32>,
    /// The width and the height.
    pub(crate) size: Option<(u16, u16)>,
    /// Three small letters of ISO 639-2.
    pub(crate) language_code: Option<String>,
    pub(crate) language_tag: Option<String>,
    /// Of video, the boxes of its description.
    pub(crate) entry: Vec<Node>,
    /// Of text, timecodes and metadata, the description of the track.
    pub(crate) description: Option<Description>,
    /// The kinds of references to other tracks, and the numbers of those tracks.
    pub(crate) references: Vec<([u8; 4], u32)>,
}

/// What the index must say of tracks that are copied, by their numbers in the file, counted from 0.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Copied<'a> {
    /// These must not be shown unasked.
    pub(crate) disabled: &'a [u32],
    /// These are in languages, which are codes or tags.
    pub(crate) languages: &'a [(u32, String)],
}

/// Finishes the index. Tracks are numbered from 1 in the order of `tracks`; those without samples are not in
/// the index, and those that are copied are `None`, or come behind. Returns `None` if the index is not as
/// libavformat writes it.
pub(crate) fn finish(
    moov: &mut Node,
    tracks: &[Option<TrackFinish>],
    copied: &Copied<'_>,
    length: Option<u64>,
) -> Option<()> {
    let movie_scale = header_scale(moov.find(&[b"mvhd"])?)?;
    let mut longest = length.unwrap_or(0);
    for trak in moov.children_mut()?.iter_mut().filter(|child| child.kind == *b"trak") {
        let number = (track_number(trak)? as usize).checked_sub(1)?;
        longest = longest.max(match tracks.get(number) {
            Some(Some(track)) => finish_track(trak, track, movie_scale)?,
            // the track is a copy, or holds the names of chapters, so the muxer's duration is right
            _ => {
                if copied.disabled.contains(&(number as u32)) {
                    *trak.find_mut(&[b"tkhd"])?.fields_mut()?.get_mut(3)? &= !1;
                }
                track_duration(trak)?
            }
        });
        // one that stands for a track of the copied film has the language of that
        if let Some((_, language)) = copied.languages.iter().find(|(of, _)| *of as usize == number) {
            set_language(trak.find_mut(&[b"mdia", b"mdhd"])?, &language_code(language)?)?;
            if language.contains('-') {
                set_language_tag(trak, language)?;
            }
        }
    }
    set_duration(moov.find_mut(&[b"mvhd"])?, 16, longest)
}

/// Returns how long a track is shown, in ticks of the film.
fn track_duration(trak: &Node) -> Option<u64> {
    let fields = trak.find(&[b"tkhd"])?.as_fields();
    if fields.first()? & 1 == 1 { u64_at(fields, 28) } else { u32_at(fields, 20).map(u64::from) }
}

fn finish_track(trak: &mut Node, track: &TrackFinish, movie_scale: u32) -> Option<u64> {
    let scale = header_scale(trak.find(&[b"mdia", b"mdhd"])?)?;
    let media = u64::try_from(track.extent.media).ok()?;
    set_duration(trak.find_mut(&[b"mdia", b"mdhd"])?, 16, media)?;
    let edits = edits(&track.extent, scale, movie_scale, track.end);
    let whole = [Edit {
        duration: (u128::from(media) * u128::from(movie_scale) / u128::from(scale.max(1))) as u64,
        media: None,
    }];
    let shown = if edits.is_empty() { &whole[..] } else { &edits };
    let duration = shown.iter().map(|edit| edit.duration).sum();
    set_duration(trak.find_mut(&[b"tkhd"])?, 20, duration)?;
    set_edits(trak, &edits)?;
    set_header(trak, &track.header)?;
    let offsets = trak.find_mut(&[b"mdia", b"minf", b"stbl"])?;
    shift_composition(offsets, track.lead - track.extent.reorder)?;
    Some(duration)
}

/// Replaces the edit list; an empty one removes it.
pub(crate) fn set_edits(trak: &mut Node, edits: &[Edit]) -> Option<()> {
    let children = trak.children_mut()?;
    children.retain(|child| child.kind != *b"edts");
    if !edits.is_empty() {
        let behind_header = children.iter().position(|child| child.kind == *b"tkhd")? + 1;
        children.insert(behind_header, edit_box(edits));
    }
    Some(())
}

/// Returns the number of a track in this file.
pub(crate) fn track_number(trak: &Node) -> Option<u32> {
    let fields = trak.find(&[b"tkhd"])?.as_fields();
    u32_at(fields, if fields.first()? & 1 == 1 { 20 } else { 12 })
}

/// Returns the ticks a second of `mvhd` or `mdhd`.
pub(crate) fn header_scale(header: &Node) -> Option<u32> {
    let fields = header.as_fields();
    u32_at(fields, if fields.first()? & 1 == 1 { 20 } else { 12 })
}

/// Writes the duration into a header whose short form has it at `at`. If it does not fit, the header takes
/// the long form.
fn set_duration(header: &mut Node, at: usize, duration: u64) -> Option<()> {
    let fields = header.fields_mut()?;
    let long_at = at + 8; // two longer times before it
    if *fields.first()? == 0 {
        if let Ok(short) = u32::try_from(duration) {
            return put_u32(fields, at, short);
        }
        let mut long = vec![1];
        long.extend(fields.get(1..4)?);
        for time in [4, 8] {
            long.extend(u64::from(u32_at(fields, time)?).to_be_bytes());
        }
        long.extend(fields.get(12..at)?);
        long.extend(duration.to_be_bytes());
        long.extend(fields.get(at + 4..)?);
        *fields = long;
        return Some(());
    }
    fields.get_mut(long_at..long_at + 8)?.copy_from_slice(&duration.to_be_bytes());
    Some(())
}

pub(crate) fn set_header(trak: &mut Node, header: &TrackHeader) -> Option<()> {
    let fields = trak.find_mut(&[b"tkhd"])?.fields_mut()?;
    // behind the duration come 8 reserved bytes, layer, alternate group and volume
    let group = if fields.first()? & 1 == 1 { 46 } else { 34 };
    if !header.as_copied {
        let enabled = fields.get_mut(3)?;
        *enabled = *enabled & !1 | u8::from(header.enabled);
        fields.get_mut(group..group + 2)?.copy_from_slice(&header.alternate_group.to_be_bytes());
    }
    if let Some(volume) = header.volume {
        let fixed = (volume.clamp(0.0, 127.0) * 256.0) as u16;
        fields.get_mut(group + 2..group + 4)?.copy_from_slice(&fixed.to_be_bytes());
    }
    if let Some((width, height)) = header.size {
        // the size is in fixed point, at the end
        let at = fields.len().checked_sub(8)?;
        put_u32(fields, at, u32::from(width) << 16)?;
        put_u32(fields, at + 4, u32::from(height) << 16)?;
    }
    set_references(trak, &header.references)?;
    entry::add(trak.find_mut(&[b"mdia", b"minf", b"stbl", b"stsd"])?.fields_mut()?, &header.entry)?;
    if let Some(description) = &header.description {
        description.apply(trak)?;
    }
    if let Some(code) = &header.language_code {
        set_language(trak.find_mut(&[b"mdia", b"mdhd"])?, code)?;
    }
    match &header.language_tag {
        Some(tag) => set_language_tag(trak, tag),
        None => Some(()),
    }
}

/// Writes a language as a tag of BCP 47 beside the code in the header of the media.
fn set_language_tag(trak: &mut Node, tag: &str) -> Option<()> {
    let children = trak.find_mut(&[b"mdia"])?.children_mut()?;
    children.retain(|child| child.kind != *b"elng");
    let behind_header = children.iter().position(|child| child.kind == *b"mdhd")? + 1;
    let fields = [&[0; 4], tag.as_bytes(), &[0]].concat();
    children.insert(behind_header, Node::fields(b"elng", fields));
    Some(())
}

/// Writes the language into `mdhd`, as ISO/IEC 14496-12 has it, and the QuickTime File Format beside its own
/// numbers: libavformat writes those alone to QuickTime files, and drops languages that have none.
fn set_language(header: &mut Node, code: &str) -> Option<()> {
    let letter = |code: u16, letter: u8| Some(code << 5 | u16::from(letter.checked_sub(0x60)?) & 0x1F);
    let packed = code.bytes().try_fold(0, letter)?;
    let fields = header.fields_mut()?;
    let at = if *fields.first()? & 1 == 1 { 32 } else { 20 };
    fields.get_mut(at..at + 2)?.copy_from_slice(&packed.to_be_bytes());
    Some(())
}

/// Adds references to other tracks; those of one kind go into one box.
fn set_references(trak: &mut Node, references: &[([u8; 4], u32)]) -> Option<()> {
    let mut kinds: Vec<Node> = Vec::new();
    for (kind, track) in references {
        let known = kinds.iter().position(|node| node.kind == *kind);
        let known = known.unwrap_or_else(|| {
            kinds.push(Node::fields(kind, Vec::new()));
            kinds.len() - 1
        });
        kinds[known].fields_mut()?.extend(track.to_be_bytes());
    }
    if !kinds.is_empty() {
        let children = trak.children_mut()?;
        // they stand behind the edit list, if there is one
        let media = children.iter().position(|child| child.kind == *b"mdia")?;
        children.insert(media, Node::parent(b"tref", kinds));
    }
    Some(())
}

/// Takes `shift` ticks off all composition offsets, and drops the table if all become zero.
fn shift_composition(table: &mut Node, shift: i64) -> Option<()> {
    let children = table.children_mut()?;
    let Some(position) = children.iter().position(|child| child.kind == *b"ctts") else {
        return (shift == 0).then_some(());
    };
    let fields = children[position].fields_mut()?;
    let mut nothing_left = true;
    for entry in fields.get_mut(8..)?.chunks_exact_mut(8) {
        let offset = i64::from(u32_at(entry, 4)?) - shift;
        nothing_left &= offset == 0;
        put_u32(entry, 4, u32::try_from(offset).ok()?)?;
    }
    if nothing_left {
        children.remove(position);
    }
    Some(())
}

/// Moves all positions of media by `shift` bytes; with `long` they take 64 bits each. Returns `None` if there
/// is no such table, or if a position does not fit.
pub(crate) fn shift_positions(moov: &mut Node, shift: u64, long: bool) -> Option<()> {
    for trak in moov.children_mut()?.iter_mut().filter(|child| child.kind == *b"trak") {
        let tables = trak.find_mut(&[b"mdia", b"minf", b"stbl"])?.children_mut()?;
        let table = tables.iter_mut().find(|table| table.kind == *b"stco" || table.kind == *b"co64")?;
        let positions: Vec<u64> = positions(table)?.map(|position| position + shift).collect();
        let mut fields = vec![0; 4];
        fields.extend((positions.len() as u32).to_be_bytes());
        for position in positions {
            match long {
                true => fields.extend(position.to_be_bytes()),
                false => fields.extend(u32::try_from(position).ok()?.to_be_bytes()),
            }
        }
        *table = Node::fields(if long { b"co64" } else { b"stco" }, fields);
    }
    Some(())
}

/// Iterates over all positions of media of a `stco` or `co64` box.
fn positions(table: &Node) -> Option<impl Iterator<Item = u64>> {
    let (fields, long) = (table.as_fields().get(8..)?, table.kind == *b"co64");
    let width = if long { 8 } else { 4 };
    Some(fields.chunks_exact(width).map(move |entry| match long {
        true => u64_at(entry, 0).unwrap_or(0),
        false => u32_at(entry, 0).map_or(0, u64::from),
    }))
}
