//! Reads the keys of a track of timed metadata (`mebx` of ISO/IEC 14496-12, 12.9.4, and of the QuickTime File
//! Format), because libavformat gives out the samples of such a track and skips its description.

use retake_media::{MetadataFormat, MetadataKey, MetadataType};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

/// The largest table of sample descriptions that is read, in bytes. It is held in memory.
const MOST_TABLE: u64 = 1 << 20;

/// The most boxes that are looked at on the way. An index has a few dozen for each track.
const MOST_BOXES: u32 = 1 << 16;

/// One box: its kind, and where its content lies.
struct Part {
    kind: [u8; 4],
    content: Range<u64>,
}

/// Walks the boxes of a file.
struct Walk<'a, R> {
    bytes: &'a mut R,
    left: u32,
    interrupted: &'a dyn Fn() -> bool,
}

/// Returns the keys of the track with this number in an ISO file. `None` if there is no such track, if its
/// description is damaged or too large, or if it has what a [`MetadataFormat`] cannot say: keys or types of
/// other name spaces than the usual ones, data for setting up a reader, or more than one description.
///
/// # Errors
/// Fails if the bytes cannot be read, and with [`io::ErrorKind::Interrupted`] when it is to end.
pub(crate) fn read<R: Read + Seek>(
    bytes: &mut R,
    track: u32,
    interrupted: &dyn Fn() -> bool,
) -> io::Result<Option<MetadataFormat>> {
    let end = bytes.seek(SeekFrom::End(0))?;
    let mut walk = Walk { bytes, left: MOST_BOXES, interrupted };
    // the first index is the one that libavformat takes
    let Some(movie) = walk.find(0..end, b"moov")? else { return Ok(None) };
    let mut rest = movie;
    while let Some(part) = walk.next(&mut rest)? {
        if part.kind != *b"trak" || walk.track_number(part.content.clone())? != Some(track) {
            continue;
        }
        let mut content = part.content;
        for kind in [b"mdia", b"minf", b"stbl", b"stsd"] {
            match walk.find(content, kind)? {
                Some(found) => content = found,
                None => return Ok(None),
            }
        }
        return Ok(walk.content(content, MOST_TABLE)?.and_then(|table| format(&table)));
    }
    Ok(None)
}

impl<R: Read + Seek> Walk<'_, R> {
    /// Returns the next box of a range, which begins behind it then; `None` at its end, where lengths do not
    /// add up, and when too many were looked at.
    fn next(&mut self, range: &mut Range<u64>) -> io::Result<Option<Part>> {
        if (self.interrupted)() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let room = range.end.saturating_sub(range.start);
        let Some(left) = self.left.checked_sub(1).filter(|_| room >= 8) else { return Ok(None) };
        self.left = left;
        self.bytes.seek(SeekFrom::Start(range.start))?;
        let mut head = [0; 16];
        let length = if room >= 16 { 16 } else { 8 };
        self.bytes.read_exact(&mut head[..length])?;
        let [size, kind, long @ ..] = words(head);
        let (head, size) = match u32::from_be_bytes(size) {
            0 => (8, room),
            1 => (16, u64::from(u32::from_be_bytes(long[0])) << 32 | u64::from(u32::from_be_bytes(long[1]))),
            size => (8, u64::from(size)),
        };
        if size < head || size > room {
            return Ok(None);
        }
        let start = range.start;
        range.start += size;
        Ok(Some(Part { kind, content: start + head..start + size }))
    }

    /// Returns the content of the first box of a kind.
    fn find(&mut self, mut range: Range<u64>, kind: &[u8; 4]) -> io::Result<Option<Range<u64>>> {
        while let Some(part) = self.next(&mut range)? {
            if part.kind == *kind {
                return Ok(Some(part.content));
            }
        }
        Ok(None)
    }

    fn content(&mut self, range: Range<u64>, most: u64) -> io::Result<Option<Vec<u8>>> {
        let length = range.end - range.start;
        if length > most {
            return Ok(None);
        }
        self.bytes.seek(SeekFrom::Start(range.start))?;
        let mut content = Vec::new();
        (&mut *self.bytes).take(length).read_to_end(&mut content)?;
        Ok(Some(content))
    }

    fn track_number(&mut self, track: Range<u64>) -> io::Result<Option<u32>> {
        let Some(header) = self.find(track, b"tkhd")? else { return Ok(None) };
        let header = self.content(header.start..header.end.min(header.start + 24), 24)?;
        // behind version and flags lie two times, which have 64 bits each in version 1
        Ok(header.and_then(|header| word(&header, if header.first() == Some(&1) { 20 } else { 12 })))
    }
}

fn words(head: [u8; 16]) -> [[u8; 4]; 4] {
    std::array::from_fn(|part| std::array::from_fn(|byte| head[4 * part + byte]))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// Takes the first box off some bytes.
fn split(bytes: &[u8]) -> Option<([u8; 4], &[u8], &[u8])> {
    let size = word(bytes, 0)? as usize;
    let kind = bytes.get(4..8)?.try_into().ok()?;
    Some((kind, bytes.get(8..size)?, &bytes[size..]))
}

/// Reads the table of sample descriptions.
pub(crate) fn format(table: &[u8]) -> Option<MetadataFormat> {
    // version and flags, and the number of descriptions
    let (kind, entry, _) = split(table.get(8..)?)?;
    if kind != *b"mebx" || word(table, 4) != Some(1) {
        return None;
    }
    // reserved bytes, and the number of the file that the samples are in
    let mut parts = entry.get(8..)?;
    let mut keys = None;
    while let Some((kind, content, rest)) = split(parts) {
        if kind == *b"keys" {
            keys = Some(content);
        }
        parts = rest;
    }
    let mut left = keys?;
    let mut numbered = Vec::new();
    while !left.is_empty() {
        let (number, content, rest) = split(left)?;
        numbered.push((u32::from_be_bytes(number), key(content)?));
        left = rest;
    }
    MetadataFormat::numbered(numbered).ok()
}

fn key(mut parts: &[u8]) -> Option<MetadataKey> {
    let (mut name, mut data_type, mut language) = (None, None, None);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    while !parts.is_empty() {
        let (kind, content, rest) = split(parts)?;
        match &kind {
            b"keyd" => name = Some(text(content.strip_prefix(b"mdta")?)?),
            // the space of the well-known types
            b"dtyp" if word(content, 0)? == 0 => data_type = Some(MetadataType::from_code(word(content, 4)?)),
            b"loca" => language = Some(text(content.strip_suffix(&[0]).unwrap_or(content))?),
            _ => return None,
        }
        parts = rest;
    }
    Some(MetadataKey { name: name?, data_type: data_type?, language })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test's panic is its answer

    use super::*;
    use std::io::Cursor;

    fn part(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [&(content.len() as u32 + 8).to_be_bytes()[..], kind, content].concat()
    }

    fn key_box(number: u32, name: &[u8], space: u32, code: u32, more: &[u8]) -> Vec<u8> {
        let kind = [&space.to_be_bytes()[..], &code.to_be_bytes()].concat();
        part(&number.to_be_bytes(), &[part(b"keyd", name), part(b"dtyp", &kind), more.to_vec()].concat())
    }

    fn table(keys: &[Vec<u8>]) -> Vec<u8> {
        let entry = [&[0, 0, 0, 0, 0, 0, 0, 1][..], &part(b"free", &[7]), &part(b"keys", &keys.concat())];
        [&[0, 0, 0, 0, 0, 0, 0, 1][..], &part(b"mebx", &entry.concat())].concat()
    }

    /// A film with an index behind its media, and two tracks.
    fn film(table: &[u8]) -> Vec<u8> {
        let track = |header: &[u8], table: &[u8]| {
            let tables = part(b"stbl", &part(b"stsd", table));
            let media = part(b"mdia", &part(b"minf", &tables));
            part(b"trak", &[part(b"tkhd", header), media].concat())
        };
        let short = [&[0; 12][..], &[0, 0, 0, 4], &[0; 60]].concat();
        let long = [&[1][..], &[0; 19], &[0, 0, 0, 9], &[0; 60]].concat();
        let index = [part(b"mvhd", &[0; 100]), track(&short, &[0; 8]), track(&long, table)].concat();
        // media behind a head with a length of 64 bits
        let media = [&[0, 0, 0, 1][..], b"mdat", &24_u64.to_be_bytes(), &[5; 8]].concat();
        [part(b"ftyp", b"qt  "), media, part(b"moov", &index)].concat()
    }

    fn read_of(film: &[u8], track: u32) -> Option<MetadataFormat> {
        read(&mut Cursor::new(film), track, &|| false).unwrap()
    }

    /// RD-7: the keys are those of the track with the number, each by its own number, of any well-known type;
    /// what cannot be said of them is refused as a whole.
    #[test]
    fn keys_are_read_with_their_numbers() {
        let pulse = key_box(7, b"mdtacom.example.pulse", 0, 74, &[]);
        let place = key_box(2, b"mdtacom.example.place", 0, 1, &part(b"loca", b"de-AT\0"));
        let other = key_box(3, b"mdtacom.example.rect", 0, 80, &[]);
        let film = film(&table(&[pulse.clone(), place, other]));
        let format = read_of(&film, 9).unwrap();
        let place = MetadataKey {
            language: Some("de-AT".into()),
            ..MetadataKey::new("com.example.place", MetadataType::Text)
        };
        let numbered: Vec<_> = format.numbered_keys().map(|(number, key)| (number, key.clone())).collect();
        let expected = [
            (2, place),
            (3, MetadataKey::new("com.example.rect", MetadataType::Other(80))),
            (7, MetadataKey::new("com.example.pulse", MetadataType::Integer)),
        ];
        assert_eq!(numbered, expected);
        assert_eq!((read_of(&film, 4), read_of(&film, 5)), (None, None));
        let stopped = read(&mut Cursor::new(&film), 9, &|| true).unwrap_err();
        assert_eq!(stopped.kind(), io::ErrorKind::Interrupted);

        for strange in [
            key_box(1, b"udtaname", 0, 1, &[]),
            key_box(1, b"mdtaname", 1, 1, &[]),
            key_box(1, b"mdtaname", 0, 1, &part(b"setu", &[1])),
            key_box(0, b"mdtaname", 0, 1, &[]),
            [pulse.clone(), pulse.clone()].concat(),
        ] {
            assert_eq!(format_of(&[pulse.clone(), strange.clone()]), None, "{strange:?}");
        }
        assert_eq!(format_of(&[]), None);
        let two = [&[0, 0, 0, 0, 0, 0, 0, 2][..], &table(&[pulse])[8..]].concat();
        assert_eq!(super::format(&two), None, "samples of two descriptions");
    }

    fn format_of(keys: &[Vec<u8>]) -> Option<MetadataFormat> {
        super::format(&table(keys))
    }

    /// Wherever a film ends, and whatever length a box claims, reading ends without a panic.
    #[test]
    fn damaged_films_have_no_keys() {
        let whole = film(&table(&[key_box(1, b"mdtaname", 0, 1, &[])]));
        assert!(read_of(&whole, 9).is_some());
        for end in 0..whole.len() {
            assert_eq!(read_of(&whole[..end], 9), None, "{end}");
        }
        for at in 0..whole.len() {
            for byte in [0, 1, 0xFF] {
                let mut damaged = whole.clone();
                damaged[at] = byte;
                let _ = read(&mut Cursor::new(&damaged), 9, &|| false);
            }
        }
    }
}
