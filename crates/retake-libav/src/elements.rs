//! The elements of Matroska and WebM files, as far as they show damage.
//!
//! Where libavformat meets something that is no element, or a block that cannot be one, it looks for the next
//! cluster and says nothing, so that seconds of film would be lost in silence. So the clusters are walked
//! here, beside its reading: only heads of elements are read, whose pages it has just had.

use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};

const HEAD: u32 = 0x1a45_dfa3;
const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1f43_b675;
const VOID: u32 = 0xec;
const CHECKSUM: u32 = 0xbf;
const SIMPLE_BLOCK: u32 = 0xa3;
const GROUP: u32 = 0xa0;
const BLOCK: u32 = 0xa1;
/// What a segment holds besides clusters (RFC 9559): the seek head, facts, tracks, cues, attachments,
/// chapters and tags.
const LEVEL_1: [u32; 8] =
    [CLUSTER, 0x114d_9b74, 0x1549_a966, 0x1654_ae6b, 0x1c53_bb6b, 0x1941_a469, 0x1043_a770, 0x1254_c367];
/// The numbers that a cluster holds: its time, its place and the size of the one before.
const NUMBERS: [u32; 3] = [0xe7, 0xa7, 0xab];
/// What a cluster may hold besides: silent tracks, and blocks that are encrypted as a whole.
const RARE: [u32; 2] = [0x5854, 0xaf];

/// Heads are read by so many bytes at once, because what follows them is skipped.
const READ: usize = 512;

/// Why a walk cannot go on.
enum Trouble {
    /// What is there cannot be what a writer wrote.
    Damage,
    /// The system cannot read.
    Unreadable(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::UnexpectedEof { Self::Damage } else { Self::Unreadable(error) }
    }
}

/// What an element begins with; no size means that it ends where one of its parent's kind begins.
struct Head {
    id: u32,
    size: Option<u64>,
}

/// Walks the clusters of a file in its order.
pub(crate) struct Elements<R> {
    bytes: BufReader<R>,
    at: u64,
    /// The length of the file.
    length: u64,
    /// The end of the segment, once it has begun, and of the cluster; `None` in it where it is not stated.
    segment: Option<Option<u64>>,
    cluster: Option<Option<u64>>,
    /// The next cluster is looked for, behind damage.
    lost: bool,
    over: bool,
}

impl<R: Read + Seek> Elements<R> {
    pub(crate) fn new(mut bytes: R) -> io::Result<Self> {
        let length = bytes.seek(SeekFrom::End(0))?;
        bytes.rewind()?;
        let bytes = BufReader::with_capacity(READ, bytes);
        Ok(Self { bytes, at: 0, length, segment: None, cluster: None, lost: false, over: false })
    }

    /// Walks on to a byte, and returns in how many places there was damage.
    pub(crate) fn walk(&mut self, until: u64) -> io::Result<u64> {
        let mut places = 0;
        while !self.over && self.at < until {
            let step = if self.lost { self.look_for_cluster(until) } else { self.step() };
            match step {
                Ok(()) => {}
                Err(Trouble::Unreadable(error)) => return Err(error),
                Err(Trouble::Damage) => {
                    places += 1;
                    (self.lost, self.cluster) = (true, None);
                    // Without a segment it is no such file.
                    self.over = self.segment.is_none() || self.at >= self.length;
                }
            }
        }
        Ok(places)
    }

    /// Walks to the end, unless a cluster is still looked for, because that would read all that is left.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        let mut places = 0;
        while !self.over && !self.lost {
            places += self.walk(self.at.saturating_add(1))?;
        }
        Ok(places)
    }

    /// Takes the next element, or ends what is over.
    fn step(&mut self) -> Result<(), Trouble> {
        let Some(segment) = self.segment else { return self.enter() };
        if let Some(end) = self.cluster
            && end.is_some_and(|end| self.at >= end)
        {
            self.cluster = None;
        }
        // What lies behind the segment is none of the film.
        if segment.is_some_and(|end| self.at >= end) || segment.is_none() && self.at >= self.length {
            self.over = true;
            return Ok(());
        }
        let (start, end) = (self.at, self.cluster.flatten().or(segment).unwrap_or(self.length));
        let head = self.head()?;
        if self.cluster == Some(None) && LEVEL_1.contains(&head.id) {
            self.cluster = None;
            return self.go(start);
        }
        let Head { id, size } = head;
        if self.cluster.is_none() && id == CLUSTER {
            let own = size.map(|size| self.at.saturating_add(size));
            self.cluster = Some(own);
            return if own > Some(end) { Err(Trouble::Damage) } else { Ok(()) };
        }
        let size = size.ok_or(Trouble::Damage)?;
        let next = self.at.saturating_add(size);
        let known = match (id, self.cluster) {
            (VOID, _) => true,
            (CHECKSUM, _) => size == 4,
            (_, None) => LEVEL_1.contains(&id),
            (SIMPLE_BLOCK, _) => next <= end && self.is_block(size)?,
            (GROUP, _) => next <= end && self.is_group(next)?,
            (_, Some(_)) => NUMBERS.contains(&id) && size <= 8 || RARE.contains(&id),
        };
        if !known || next > end || next > self.length {
            return Err(Trouble::Damage);
        }
        self.go(next)
    }

    /// Comes to the content of the segment.
    fn enter(&mut self) -> Result<(), Trouble> {
        let Head { id, size } = self.head()?;
        match (id, size) {
            (HEAD | VOID, Some(size)) => self.go(self.at.saturating_add(size).min(self.length)),
            (SEGMENT, _) => {
                self.segment = Some(size.map(|size| self.at.saturating_add(size)));
                Ok(())
            }
            _ => Err(Trouble::Damage),
        }
    }

    /// Says whether what follows is a block, whose frames are as long together as it is.
    fn is_block(&mut self, size: u64) -> Result<bool, Trouble> {
        let end = self.at.saturating_add(size);
        self.number(true)?;
        let (_time, flags) = ([self.byte()?, self.byte()?], self.byte()?);
        let lacing = flags >> 1 & 3;
        if lacing == 0 || self.at > end {
            return Ok(self.at <= end);
        }
        let more = u64::from(self.byte()?);
        let mut sum = 0u64;
        match lacing {
            1 => {
                for _ in 0..more {
                    while self.at < end {
                        let part = self.byte()?;
                        sum = sum.saturating_add(u64::from(part));
                        if part < 255 {
                            break;
                        }
                    }
                }
            }
            // Frames of one size.
            2 => return Ok(self.at <= end && (end - self.at).is_multiple_of(more + 1)),
            _ => {
                let mut last = 0;
                for number in 0..more {
                    let (value, length) = self.number(false)?;
                    // The first size is stated, and of the others only how they differ from the one before.
                    let bias = if number == 0 { 0 } else { (1i64 << (7 * length - 1)) - 1 };
                    last += i64::try_from(value).map_err(|_| Trouble::Damage)? - bias;
                    sum = sum.saturating_add(u64::try_from(last).map_err(|_| Trouble::Damage)?);
                }
            }
        }
        Ok(self.at.saturating_add(sum) <= end)
    }

    /// Says whether what follows is a group, which has a block.
    fn is_group(&mut self, end: u64) -> Result<bool, Trouble> {
        let mut has_block = false;
        while self.at < end {
            let Head { id, size } = self.head()?;
            let size = size.ok_or(Trouble::Damage)?;
            let next = self.at.saturating_add(size);
            if next > end || id == BLOCK && !self.is_block(size)? {
                return Ok(false);
            }
            has_block |= id == BLOCK;
            self.go(next)?;
        }
        Ok(has_block)
    }

    /// Looks for a cluster up to a byte.
    fn look_for_cluster(&mut self, until: u64) -> Result<(), Trouble> {
        let mut last = 0u32;
        while self.at < until.saturating_add(3).min(self.length) {
            last = last << 8 | u32::from(self.byte()?);
            if last == CLUSTER {
                self.lost = false;
                return self.go(self.at - 4);
            }
        }
        self.over = self.at >= self.length;
        // Half of the mark may lie before the byte.
        if !self.over { self.go(self.at - 3) } else { Ok(()) }
    }

    fn head(&mut self) -> Result<Head, Trouble> {
        let first = self.byte()?;
        let length = first.leading_zeros();
        if length > 3 {
            return Err(Trouble::Damage);
        }
        let mut id = u32::from(first);
        for _ in 0..length {
            id = id << 8 | u32::from(self.byte()?);
        }
        let (size, length) = self.number(false)?;
        Ok(Head { id, size: Some(size).filter(|&size| size != (1 << (7 * length)) - 1) })
    }

    /// Reads a number that states its own length, and returns both. A number of a track is never 0.
    fn number(&mut self, positive: bool) -> Result<(u64, u32), Trouble> {
        let first = self.byte()?;
        let length = first.leading_zeros() + 1;
        if length > 8 {
            return Err(Trouble::Damage);
        }
        let mut value = u64::from(first) & (0xff >> length);
        for _ in 1..length {
            value = value << 8 | u64::from(self.byte()?);
        }
        if positive && value == 0 { Err(Trouble::Damage) } else { Ok((value, length)) }
    }

    fn byte(&mut self) -> Result<u8, Trouble> {
        let mut byte = [0];
        self.bytes.read_exact(&mut byte)?;
        self.at += 1;
        Ok(byte[0])
    }

    fn go(&mut self, to: u64) -> Result<(), Trouble> {
        let by = i64::try_from(to).unwrap_or(i64::MAX) - i64::try_from(self.at).unwrap_or(i64::MAX);
        self.bytes.seek_relative(by)?;
        self.at = to;
        Ok(())
    }
}

/// Returns in how many places a file is damaged, walked in steps of so many bytes.
#[cfg(fuzzing)]
pub(crate) fn damaged_places(file: &[u8], step: usize) -> io::Result<u64> {
    let mut elements = Elements::new(io::Cursor::new(file))?;
    let mut places = 0;
    for until in (0..file.len()).step_by(step.max(1)).chain([file.len()]) {
        places += elements.walk(until as u64)?;
    }
    Ok(places + elements.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
        let size = (1u32 << 28 | content.len() as u32).to_be_bytes();
        [id, &size, content].concat()
    }

    fn block(head: [u8; 4], content: &[u8]) -> Vec<u8> {
        element(&[0xa3], &[&head, content].concat())
    }

    fn cluster(blocks: &[Vec<u8>]) -> Vec<u8> {
        let all = [&[element(&[0xe7], &[0])], blocks].concat().concat();
        element(&CLUSTER.to_be_bytes(), &all)
    }

    fn file(clusters: &[Vec<u8>]) -> Vec<u8> {
        let facts = element(&0x1549_a966u32.to_be_bytes(), &[0xec, 0x80]);
        let segment = element(&SEGMENT.to_be_bytes(), &[&[facts], clusters].concat().concat());
        [element(&HEAD.to_be_bytes(), &[0x42, 0x86, 0x81, 1]), segment].concat()
    }

    /// Walks in steps of some bytes, which must not matter.
    fn places(file: &[u8]) -> u64 {
        let counted = [1, 7, 100, file.len()].map(|step| {
            let mut elements = Elements::new(Cursor::new(file)).unwrap();
            let steps = (0..file.len()).step_by(step).chain([file.len()]);
            let places: u64 = steps.map(|until| elements.walk(until as u64).unwrap()).sum();
            places + elements.finish().unwrap()
        });
        assert_eq!(counted, [counted[0]; 4]);
        counted[0]
    }

    #[test]
    fn what_writers_write_is_whole() {
        let plain = block([0x81, 0, 0, 0x80], &[7; 30]);
        let xiph = block([0x81, 0, 0, 0x82], &[&[2u8, 255, 1, 3][..], &[7; 259 + 4]].concat());
        let fixed = block([0x81, 0, 0, 0x84], &[&[2u8][..], &[7; 9]].concat());
        // RFC 9559, 10.3.3: 800, 500 and 1000 bytes
        let ebml = block([0x81, 0, 0, 0x86], &[&[2u8, 0x43, 0x20, 0x5e, 0xd3][..], &[7; 2300]].concat());
        let group =
            element(&[0xa0], &[element(&[0xa1], &[0x81, 0, 0, 0, 9]), element(&[0x9b], &[40])].concat());
        let blocks = [plain, xiph, fixed, ebml, group];
        let mut whole = file(&[cluster(&blocks), element(&[0xec], &[0; 9]), cluster(&blocks)]);
        assert_eq!(places(&whole), 0);
        // What lies behind the segment is not looked at.
        whole.extend([0; 50]);
        assert_eq!(places(&whole), 0);
    }

    /// A stream that was never finished states no sizes.
    #[test]
    fn sizes_may_be_unknown() {
        let unknown = |id: u32| [&id.to_be_bytes()[..], &[0x01], &[0xff; 7]].concat();
        let plain = block([0x81, 0, 0, 0x80], &[7; 30]);
        let cluster = [unknown(CLUSTER), element(&[0xe7], &[0]), plain].concat();
        let head = element(&HEAD.to_be_bytes(), &[0x42, 0x86, 0x81, 1]);
        let stream = [head, unknown(SEGMENT), cluster.clone(), cluster].concat();
        assert_eq!(places(&stream), 0);
        assert_eq!(places(&stream[..stream.len() - 3]), 1);
    }

    #[test]
    fn damage_is_seen_once_for_each_cluster() {
        let plain = block([0x81, 0, 0, 0x80], &[7; 30]);
        let damaged = [
            // three bytes are no block
            element(&[0xa3], &[0x81, 0, 0]),
            // no track
            block([0x80, 0, 0, 0x80], &[7; 30]),
            // frames that are longer together than their block, or not of one size
            block([0x81, 0, 0, 0x82], &[1, 255, 255, 255, 0]),
            block([0x81, 0, 0, 0x84], &[1, 7, 7, 7]),
            block([0x81, 0, 0, 0x86], &[1, 0x43, 0x20, 7]),
            // an element that is longer than what holds it, one that no cluster holds, and none at all
            [&[0xa3, 0x1f, 0xff, 0xff, 0xff][..], &[7; 9]].concat(),
            element(&[0xa2], &[0x81, 0, 0, 0, 7]),
            element(&[0xab], &[7; 30]),
            vec![0, 0x86, 0, 0x40],
            element(&[0xa0], &element(&[0x9b], &[40])),
        ];
        for damage in damaged {
            let bad = cluster(&[plain.clone(), damage.clone(), plain.clone()]);
            let good = cluster(std::slice::from_ref(&plain));
            assert_eq!(places(&file(&[good.clone(), bad.clone(), good.clone()])), 1, "{damage:02x?}");
            assert_eq!(places(&file(&[bad.clone(), good, bad])), 2, "{damage:02x?}");
        }
    }

    #[test]
    fn a_file_that_ends_early_is_seen() {
        let whole = file(&[cluster(&[block([0x81, 0, 0, 0x80], &[7; 30])]), element(&[0xec], &[0; 9])]);
        for length in 30..whole.len() {
            assert_eq!(places(&whole[..length]), 1, "{length}");
        }
    }
}
