//! Puts texts that are shown at once one after the other.
//!
//! Other formats give each text its own time. A track of MP4 is a row of samples, each of which takes the
//! place of the one before, so where several texts are shown at once, one sample must hold them all.

use retake_media::style_records;

/// A sample, and the time for which it is shown: on a clock of ticks, or in exact times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownText<T> {
    /// When it appears.
    pub from: T,
    /// When it goes.
    pub until: T,
    /// The sample, in the form of MP4.
    pub data: Vec<u8>,
}

/// Takes samples of MP4 text in the order of their times, and gives such that do not overlap.
#[derive(Debug)]
pub struct TextRow<T> {
    /// The texts that are shown from `cursor` on, the newest first, and when they are over.
    shown: Vec<(T, Vec<u8>)>,
    /// When the newest of them appeared, or the last sample ended.
    cursor: Option<T>,
    joined: u64,
}

impl<T> Default for TextRow<T> {
    fn default() -> Self {
        Self { shown: Vec::new(), cursor: None, joined: 0 }
    }
}

impl<T: Copy + Ord> TextRow<T> {
    /// Takes the next text, which is shown from a time, not before that of the last text, until a later one.
    /// Returns what is shown before it.
    pub fn push(&mut self, from: T, until: T, data: &[u8]) -> Vec<ShownText<T>> {
        let mut before = self.over_at(from);
        if !self.shown.is_empty() {
            self.joined += 1;
            before.extend(self.show_until(from));
        }
        self.cursor = Some(from);
        self.shown.insert(0, (until, data.to_vec()));
        before
    }

    /// Returns whether a text that begins at a time can be shown with those that are shown then: a sample
    /// holds 65535 bytes.
    pub fn has_room(&self, from: T, data: &[u8]) -> bool {
        let others = self.shown.iter().filter(|(until, _)| *until > from).map(|(_, data)| data.as_slice());
        let lengths = others.chain([data]).map(|data| split(data).0.len() + 1);
        lengths.sum::<usize>() <= usize::from(u16::MAX) + 1
    }

    /// Returns what is over at a time, before which no further text begins.
    pub fn over_at(&mut self, time: T) -> Vec<ShownText<T>> {
        let mut samples = Vec::new();
        while let Some(end) = self.shown.iter().map(|(end, _)| *end).min().filter(|&end| end <= time) {
            samples.extend(self.show_until(end));
            self.shown.retain(|(over, _)| *over > end);
        }
        samples
    }

    /// Returns how many texts began while others were shown.
    pub fn joined(&self) -> u64 {
        self.joined
    }

    fn show_until(&mut self, end: T) -> Option<ShownText<T>> {
        let from = self.cursor.replace(end)?;
        (end > from).then(|| ShownText { from, until: end, data: join(&self.shown) })
    }
}

/// Returns one sample that shows several below each other, the first on top, as players place texts that come
/// while others stand at the bottom. Its styles are those of all; other boxes speak of one text alone.
fn join<T>(texts: &[(T, Vec<u8>)]) -> Vec<u8> {
    if let [(_, only)] = texts {
        return only.clone();
    }
    let (mut all, mut styles) = (Vec::new(), Vec::new());
    for (_, data) in texts {
        let (text, boxes) = split(data);
        if all.len() + usize::from(!all.is_empty()) + text.len() > usize::from(u16::MAX) {
            break; // the length has no room for more
        }
        if !all.is_empty() {
            all.push(b'\n');
        }
        let before = characters(&all);
        styles.extend(style_records(boxes).map(|mut style| {
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

    fn texts(samples: &[ShownText<i64>]) -> Vec<(i64, i64, String)> {
        let text = |data: &[u8]| String::from_utf8(split(data).0.to_vec()).unwrap();
        samples.iter().map(|s| (s.from, s.until, text(&s.data))).collect()
    }

    #[test]
    fn texts_that_are_shown_at_once_are_one_sample() {
        let mut row = TextRow::default();
        let mut made = row.push(100, 1500, &sample("sign", None));
        made.extend(row.push(500, 800, &sample("talk", None)));
        made.extend(row.push(2000, 2100, &sample("later", None)));
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
        assert_eq!(row.over_at(40), [ShownText { from: 0, until: 40, data }]);
    }

    #[test]
    fn styles_move_with_their_characters() {
        let row = [(0, sample("né", Some([0, 2]))), (0, sample("old", Some([1, 2])))];
        let joined = join(&row);
        let (text, boxes) = split(&joined);
        assert_eq!(text, "né\nold".as_bytes());
        let places: Vec<[u8; 4]> =
            style_records(boxes).map(|style| [style[0], style[1], style[2], style[3]]).collect();
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
