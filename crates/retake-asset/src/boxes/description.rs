//! This module describes tracks of text, timecodes, timed metadata and closed captions, because libavformat
//! writes them as data of no known kind: their handler, their media header, and the entry in the table of
//! sample descriptions.

use super::tree::Node;
use retake_libav::{Container, TrackFormat};
use retake_media::{MetadataFormat, MetadataKey, TextFormat, TimecodeFormat};

/// The font of texts, which players replace by their own. With this one and its size FFmpeg takes a text for
/// one without a style.
const FONT: &[u8] = b"Arial";

/// The counters of timecodes begin anew after 24 hours.
const WRAPS: u32 = 2;

/// The counters of timecodes leave numbers out.
const DROPS: u32 = 1;

/// A description takes the place of what the muxer wrote of a track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    /// The kind of media, as the handler names it.
    handler: [u8; 4],
    /// The media header.
    header: Node,
    /// The one entry of the table of sample descriptions.
    entry: Node,
}

impl Description {
    /// Describes a track in an ISO file; `None` if the muxer does so, and in other files.
    pub(crate) fn of(format: &TrackFormat, container: Container) -> Option<Self> {
        if !container.is_iso() {
            return None;
        }
        let quick_time = container == Container::Mov;
        let null = || Node::fields(b"nmhd", vec![0; 4]);
        Some(match format {
            TrackFormat::Text(TextFormat::TimedText) => {
                Self { handler: *b"sbtl", header: null(), entry: timed_text() }
            }
            TrackFormat::Text(TextFormat::QuickTimeText) => {
                // the matrix of the identity
                let text = Node::fields(b"text", numbers(&[0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 1 << 30]));
                Self { handler: *b"text", header: base(vec![text]), entry: quick_time_text() }
            }
            TrackFormat::Timecode(format) => {
                let header = if quick_time { base(vec![timecode_header()]) } else { null() };
                Self { handler: *b"tmcd", header, entry: timecode(format) }
            }
            TrackFormat::ClosedCaptions => {
                Self { handler: *b"clcp", header: base(Vec::new()), entry: entry(b"c608", &[]) }
            }
            TrackFormat::Metadata(format) => {
                let header = if quick_time { base(Vec::new()) } else { null() };
                Self { handler: *b"meta", header, entry: metadata(format)? }
            }
            _ => return None,
        })
    }

    /// Puts the description in place of the muxer's. Returns `None` if the track is not as libavformat writes
    /// one of data.
    pub(crate) fn apply(&self, trak: &mut Node) -> Option<()> {
        let media = trak.find_mut(&[b"mdia"])?;
        // behind version, flags and the type of the component
        media.find_mut(&[b"hdlr"])?.fields_mut()?.get_mut(8..12)?.copy_from_slice(&self.handler);
        let parts = media.find_mut(&[b"minf"])?.children_mut()?;
        *parts.iter_mut().find(|part| part.kind == *b"gmhd")? = self.header.clone();
        let table = media.find_mut(&[b"minf", b"stbl", b"stsd"])?.fields_mut()?;
        *table = vec![0, 0, 0, 0, 0, 0, 0, 1];
        self.entry.write(table);
        Some(())
    }
}

fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// Makes an entry: what all entries begin with, and its own fields.
fn entry(kind: &[u8; 4], fields: &[u8]) -> Node {
    Node::fields(kind, [&[0, 0, 0, 0, 0, 0, 0, 1], fields].concat())
}

/// Makes the media header of QuickTime for media that is neither video nor sound.
fn base(parts: Vec<Node>) -> Node {
    // version, flags, the usual mode of copying, half of each colour, balance, and two bytes of nothing
    let usual = vec![0, 0, 0, 0, 0, 0x40, 0x80, 0, 0x80, 0, 0x80, 0, 0, 0, 0, 0];
    Node::parent(b"gmhd", [vec![Node::fields(b"gmin", usual)], parts].concat())
}

/// Makes `tx3g` (3GPP TS 26.245, 5.16): white text in the middle below, without a box of its own.
fn timed_text() -> Node {
    let mut fields = vec![0; 4];
    // centred, at the bottom; a background that cannot be seen; the box of the whole picture
    fields.extend([1, 0xFF, 0, 0, 0, 0]);
    fields.extend([0; 8]);
    // for all characters: font 1, plain, of 16 points, white
    fields.extend([0, 0, 0, 0, 0, 1, 0, 16, 0xFF, 0xFF, 0xFF, 0xFF]);
    let fonts = [&[0, 1, 0, 1, FONT.len() as u8], FONT].concat();
    Node::fields(b"ftab", fonts).write(&mut fields);
    entry(b"tx3g", &fields)
}

/// Makes `text` of QuickTime: a text that nobody draws, such as the name of a chapter.
fn quick_time_text() -> Node {
    let mut fields = numbers(&[0, 0]);
    // the colour of the background, the box, and reserved bytes; font, face, and reserved bytes; the colour
    // of the text; the name of the font, which is empty
    fields.extend([0; 6 + 8 + 8 + 4 + 3 + 6 + 1]);
    entry(b"text", &fields)
}

/// Makes `tmcd` of QuickTime.
fn timecode(format: &TimecodeFormat) -> Node {
    let duration = format.frame_duration();
    // a format has a positive duration of a frame, whose parts have 32 bits
    let (scale, value) = (duration.timescale().unsigned_abs(), u32::try_from(duration.value()).unwrap_or(1));
    let flags = WRAPS | if format.is_drop_frame() { DROPS } else { 0 };
    let mut fields = numbers(&[0, flags, scale, value]);
    fields.extend([format.frames_per_second(), 0]);
    entry(b"tmcd", &fields)
}

/// Makes the part of a media header that says how timecodes would be drawn: 12 points, black on white.
fn timecode_header() -> Node {
    let mut fields = vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0];
    fields.extend([[0; 6], [0xFF; 6]].concat());
    fields.push(FONT.len() as u8);
    fields.extend(FONT);
    Node::parent(b"tmcd", vec![Node::fields(b"tcmi", fields)])
}

/// Makes `mebx` (ISO/IEC 14496-12, 12.9.4): all keys by their numbers.
fn metadata(format: &MetadataFormat) -> Option<Node> {
    let mut keys = Vec::new();
    for (number, key) in format.numbered_keys() {
        metadata_key(number, key).write(&mut keys);
    }
    let mut fields = Vec::new();
    Node::fields(b"keys", keys).write(&mut fields);
    u32::try_from(fields.len()).ok()?;
    Some(entry(b"mebx", &fields))
}

fn metadata_key(number: u32, key: &MetadataKey) -> Node {
    let name = [b"mdta", key.name.as_bytes()].concat();
    let mut parts = vec![
        Node::fields(b"keyd", name),
        // a well-known type
        Node::fields(b"dtyp", numbers(&[0, key.data_type.code()])),
    ];
    if let Some(language) = &key.language {
        parts.push(Node::fields(b"loca", [language.as_bytes(), &[0]].concat()));
    }
    Node::parent(&number.to_be_bytes(), parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use retake_media::{MetadataType, Time};

    /// AD-5: the lengths of the fixed parts are those of the formats' descriptions.
    #[test]
    fn descriptions_have_their_lengths() {
        let length = |node: Node| node.size();
        assert_eq!(length(timed_text()), 8 + 8 + 30 + 8 + 5 + FONT.len());
        // 51 bytes of fields behind the head, and an empty name
        assert_eq!(length(quick_time_text()), 8 + 51 + 1);
        let format = TimecodeFormat::new(Time::new(1, 25), false).unwrap();
        assert_eq!(length(timecode(&format)), 34);
        let format = MetadataFormat::new(vec![MetadataKey::new("a", MetadataType::Text)]).unwrap();
        assert_eq!(length(metadata(&format).unwrap()), 16 + 8 + 8 + 13 + 16);
    }

    /// A track that the muxer wrote in another way is refused.
    #[test]
    fn only_tracks_of_data_are_described() {
        let format = TrackFormat::Text(TextFormat::TimedText);
        let description = Description::of(&format, Container::Mp4).unwrap();
        let track = |header: &[u8; 4]| {
            let tables = Node::parent(b"stbl", vec![Node::fields(b"stsd", vec![0; 24])]);
            let media = Node::parent(b"minf", vec![Node::fields(header, vec![0; 4]), tables]);
            let handler = Node::fields(b"hdlr", vec![0; 25]);
            Node::parent(b"trak", vec![Node::parent(b"mdia", vec![handler, media])])
        };
        let mut data = track(b"gmhd");
        assert_eq!(description.apply(&mut data), Some(()));
        assert_eq!(&data.find(&[b"mdia", b"hdlr"]).unwrap().as_fields()[8..12], b"sbtl");
        assert_eq!(description.apply(&mut track(b"vmhd")), None);
    }
}
