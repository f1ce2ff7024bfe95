//! Puts texts that are shown at once one after the other.
//!
//! Other formats give each text its own time. A track of MP4 is a row of samples, each of which takes the
//! place of the one before, so where several texts are shown at once, one sample must hold them all.

/// A sample, and the time for which it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShownText {
    pub(crate) pts: i64,
    pub(crate) duration: i64,
    pub(crate) data: Vec<u8>,
}

/// Takes samples of MP4 text in the order of their times, and gives such that do not overlap.
#[derive(Debug, Default)]
pub(crate) struct TextRow {
    /// The texts that are shown from `cursor` on, the newest first, and when they are over.
    shown: Vec<(i64, Vec<u8>)>,
    cursor: i64,
    joined: u64,
}

impl TextRow {
    /// Takes the next text, and returns what is shown before it.
    pub(crate) fn push(&mut self, pts: i64, duration: i64, data: &[u8]) -> Vec<ShownText> {
        let mut before = self.over_at(pts);
        if !self.shown.is_empty() {
            self.joined += 1;
            before.extend(self.show_until(pts));
        }
        self.cursor = pts;
        self.shown.insert(0, (pts.saturating_add(duration.max(1)), data.to_vec()));
        before
    }

    /// Returns what is over at a time, before which no further text begins.
    pub(crate) fn over_at(&mut self, time: i64) -> Vec<ShownText> {
        let mut samples = Vec::new();
        while let Some(end) = self.shown.iter().map(|(end, _)| *end).min().filter(|&end| end <= time) {
            samples.extend(self.show_until(end));
            self.shown.retain(|(over, _)| *over > end);
        }
        samples
    }

    /// Returns how many texts began while others were shown.
    pub(crate) fn joined(&self) -> u64 {
        self.joined
    }

    fn show_until(&mut self, end: i64) -> Option<ShownText> {
        let (pts, duration) = (self.cursor, end - self.cursor);
        self.cursor = end;
        (duration > 0).then(|| ShownText { pts, duration, data: join(&self.shown) })
    }
}

/// Returns one sample that shows several below each other, the first on top, as players place texts that come
/// while others stand at the bottom. Its styles are those of all; other boxes speak of one text alone.
fn join(texts: &[(i64, Vec<u8>)]) -> Vec<u8> {
    if let [(_, only)] = texts {
        return only.clone();
    }
    let (mut all, mut styles) = (Vec::new(), Vec::new());
    for (_, data) in texts {
        let (text, boxes) = split(data);
        if all.len() + text.len() >= usize::from(u16::MAX) {
            break; // the length has no room for more
        }
        if !all.is_empty() {
            all.push(b'\n');
        }
        let before = characters(&all);
        styles.extend(styles_of(boxes).map(|mut style| {
            for at in [0, 2] {
                let moved = u16::from_be_bytes([style[at], style[at + 1]]).saturating_add(before);
                style[at..at + 2].copy_from_slice(&moved.to_be_bytes());
            }
            style
        }));
        all.extend_from_slice(text);
    }
    let mut sample = (all.len() as u16).to_be_bytes().to_vec();
    sample.extend(all);
    styles.truncate(usize::from(u16::MAX));
    if !styles.is_empty() {
        sample.extend((10 + 12 * styles.len() as u32).to_be_bytes());
        sample.extend(b"styl");
        sample.extend((styles.len() as u16).to_be_bytes());
        sample.extend(styles.concat());
    }
    sample
}

/// Returns the text of a sample, and the boxes behind it.
fn split(data: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = data.split_at(data.len().min(2));
    let length = length.try_into().map_or(0, |bytes| usize::from(u16::from_be_bytes(bytes)));
    rest.split_at(length.min(rest.len()))
}

/// Returns the records of all boxes of styles: first and last character, font, face, size and colour.
fn styles_of(mut boxes: &[u8]) -> impl Iterator<Item = [u8; 12]> + '_ {
    let mut records: &[u8] = &[];
    while let Some((head, _)) = boxes.split_first_chunk::<8>() {
        let size = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let Some(content) = boxes.get(8..size) else { break };
        if head[4..] == *b"styl" {
            records = content.get(2..).unwrap_or_default();
        }
        boxes = &boxes[size..];
    }
    records.chunks_exact(12).filter_map(|record| record.try_into().ok())
}

/// Counts the characters of a text, by which styles are placed.
fn characters(text: &[u8]) -> u16 {
    let starts = text.iter().filter(|&&byte| byte & 0xC0 != 0x80).count();
    u16::try_from(starts).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(text: &str, style: Option<[u16; 2]>) -> Vec<u8> {
        let mut data = (text.len() as u16).to_be_bytes().to_vec();
        data.extend(text.bytes());
        if let Some([first, last]) = style {
            data.extend(22_u32.to_be_bytes());
            data.extend(b"styl\0\x01");
            data.extend([first.to_be_bytes(), last.to_be_bytes()].concat());
            data.extend([0, 1, 2, 18, 255, 255, 255, 255]);
        }
        data
    }

    fn texts(samples: &[ShownText]) -> Vec<(i64, i64, String)> {
        let text = |data: &[u8]| String::from_utf8(split(data).0.to_vec()).unwrap();
        samples.iter().map(|s| (s.pts, s.pts + s.duration, text(&s.data))).collect()
    }

    #[test]
    fn texts_that_are_shown_at_once_are_one_sample() {
        let mut row = TextRow::default();
        let mut made = row.push(100, 1400, &sample("sign", None));
        made.extend(row.push(500, 300, &sample("talk", None)));
        made.extend(row.push(2000, 100, &sample("later", None)));
        made.extend(row.over_at(i64::MAX));
        let expected =
            [(100, 500, "sign"), (500, 800, "talk\nsign"), (800, 1500, "sign"), (2000, 2100, "later")];
        assert_eq!(texts(&made), expected.map(|(from, to, text)| (from, to, text.to_owned())));
        assert_eq!(row.joined(), 1);
    }

    #[test]
    fn a_text_alone_stays_as_it_is_and_comes_when_it_is_over() {
        let mut row = TextRow::default();
        let data = [sample("alone", Some([0, 3])), b"\0\0\0\x08blnk".to_vec()].concat();
        assert!(row.push(0, 40, &data).is_empty() && row.over_at(39).is_empty());
        assert_eq!(row.over_at(40), [ShownText { pts: 0, duration: 40, data }]);
    }

    #[test]
    fn styles_move_with_their_characters() {
        let row = [(0, sample("né", Some([0, 2]))), (0, sample("old", Some([1, 2])))];
        let joined = join(&row);
        let (text, boxes) = split(&joined);
        assert_eq!(text, "né\nold".as_bytes());
        let places: Vec<[u8; 4]> =
            styles_of(boxes).map(|style| [style[0], style[1], style[2], style[3]]).collect();
        assert_eq!(places, [[0, 0, 0, 2], [0, 4, 0, 5]]);
        assert_eq!(boxes.len(), 10 + 24);
    }

    #[test]
    fn damaged_samples_are_no_panic() {
        for data in [&b""[..], b"\0", b"\0\x09ab", b"\0\0\0\0\0\x09styl", b"\0\x01a\0\0\0\x03styl"] {
            let row = [(0, data.to_vec()), (0, data.to_vec())];
            assert!(split(&join(&row)).0.len() <= 6);
        }
    }
}
