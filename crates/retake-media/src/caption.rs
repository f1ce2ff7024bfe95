//! Texts that are shown for a while, and the forms in which containers hold them.

use crate::TimeRange;
use std::ops::Range;

/// The largest length of a text in bytes, because ISO files count it in 16 bits.
const MOST_BYTES: usize = u16::MAX as usize;

/// A text, and the time for which it is shown.
#[doc(alias = "AVCaption")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caption {
    /// The text, its lines ended by `\n`: at most 65535 bytes, none of which is zero.
    pub text: String,
    /// The time for which it is shown: a numeric start, and a duration above zero.
    #[doc(alias = "timeRange")]
    pub range: TimeRange,
    /// How runs of its characters are drawn, where not plainly: ascending, none of which overlap. Default:
    /// none.
    pub styles: Vec<TextStyle>,
}

/// How a run of characters is drawn. Colours and fonts are the player's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TextStyle {
    /// The characters, by their numbers in the text from 0, as `char`s of Rust.
    pub characters: Range<u16>,
    /// In a heavy face. Default: no.
    #[doc(alias = "AVCaptionFontWeight")]
    pub bold: bool,
    /// In a slanted face. Default: no.
    #[doc(alias = "AVCaptionFontStyle")]
    pub italic: bool,
    /// With a line below. Default: no.
    #[doc(alias = "AVCaptionDecoration")]
    pub underline: bool,
}

impl TextStyle {
    fn faces(&self) -> [bool; 3] {
        [self.bold, self.italic, self.underline]
    }

    fn new(characters: Range<u16>, [bold, italic, underline]: [bool; 3]) -> Self {
        Self { characters, bold, italic, underline }
    }
}

impl Caption {
    /// Makes a caption without styles.
    #[doc(alias = "initWithText:timeRange:")]
    pub fn new(text: impl Into<String>, range: TimeRange) -> Self {
        Self { text: text.into(), range, styles: Vec::new() }
    }

    /// Returns whether containers can hold its text and its styles: at most 65535 bytes, none of which is
    /// zero; runs of at least one character that is there, in order and apart.
    pub fn is_storable(&self) -> bool {
        let length = self.text.chars().count();
        let apart = |pair: &[TextStyle]| pair[0].characters.end <= pair[1].characters.start;
        let inside =
            |style: &TextStyle| !style.characters.is_empty() && usize::from(style.characters.end) <= length;
        self.text.len() <= MOST_BYTES
            && !self.text.contains('\0')
            && self.styles.iter().all(inside)
            && self.styles.windows(2).all(apart)
    }
}

/// The form of the samples of a track of text.
#[doc(alias = "CMTextFormatDescription")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TextFormat {
    /// `tx3g` of 3GPP TS 26.245 (FFmpeg: `mov_text`), the subtitles of MP4 and QuickTime: a length of 16
    /// bits, the text, and boxes of styles.
    #[doc(alias = "kCMTextFormatType_3GText")]
    TimedText,
    /// `text` of QuickTime, such as the names of chapters: a length of 16 bits, the text, and boxes.
    #[doc(alias = "kCMTextFormatType_QTText")]
    QuickTimeText,
    /// SubRip, the plain subtitles of Matroska. What looks like a tag (`<i>`) is one, because the form has no
    /// way to say otherwise.
    SubRip,
    /// WebVTT, the subtitles of WebM.
    WebVtt,
}

impl TextFormat {
    /// Returns a text as the payload of a sample. An empty text shows nothing.
    pub fn payload(self, text: &str) -> Vec<u8> {
        match self {
            Self::TimedText => behind_length(text),
            Self::QuickTimeText => {
                let mut payload = behind_length(text);
                if !text.is_empty() {
                    // QuickTime takes a text for Mac Roman unless this box names the encoding, 0x100 for
                    // UTF-8.
                    payload.extend(*b"\0\0\0\x0Cencd\0\0\x01\0");
                }
                payload
            }
            Self::SubRip => text.into(),
            Self::WebVtt => without_empty_lines(escape(text)).into_bytes(),
        }
    }

    /// Returns a caption as the payload of a sample. [`QuickTimeText`](Self::QuickTimeText) has no styles.
    pub fn sample(self, caption: &Caption) -> Vec<u8> {
        let styles = caption.styles.iter().filter(|style| style.faces() != [false; 3]);
        match self {
            Self::TimedText => {
                let mut payload = self.payload(&caption.text);
                let records: Vec<_> = styles.flat_map(style_record).collect();
                // A text has no more characters than a box can count.
                let count = (records.len() / STYLE_RECORD) as u16;
                if count > 0 {
                    payload.extend((records.len() as u32 + 10).to_be_bytes());
                    payload.extend(*b"styl");
                    payload.extend(count.to_be_bytes());
                    payload.extend(records);
                }
                payload
            }
            Self::QuickTimeText => self.payload(&caption.text),
            Self::SubRip | Self::WebVtt => {
                let escaped = |run: &[char]| {
                    let run: String = run.iter().collect();
                    if self == Self::WebVtt { escape(&run) } else { run }
                };
                let characters: Vec<char> = caption.text.chars().collect();
                let (mut text, mut at) = (String::new(), 0);
                for style in styles {
                    let [from, to] = [style.characters.start, style.characters.end].map(usize::from);
                    let (Some(before), Some(run)) = (characters.get(at..from), characters.get(from..to))
                    else {
                        continue; // it is not storable, which callers ask before
                    };
                    let tags =
                        TAGS.into_iter().zip(style.faces()).filter(|(_, has)| *has).map(|(tag, _)| tag);
                    text += &escaped(before);
                    tags.clone().for_each(|tag| text += &format!("<{tag}>"));
                    text += &escaped(run);
                    tags.rev().for_each(|tag| text += &format!("</{tag}>"));
                    at = to;
                }
                text += &escaped(&characters[at..]);
                if self == Self::WebVtt { without_empty_lines(text) } else { text }.into_bytes()
            }
        }
    }

    /// Returns the caption of a sample: its text, and which of it is bold, italic or underlined. Other styles
    /// are left out; other tags of SubRip and WebVTT are in the text as they are written. Styles that break
    /// their format's rules, because they overlap or are not of this text, are left out.
    pub fn caption(self, payload: &[u8], range: TimeRange) -> Caption {
        let mut caption = Caption::new(String::new(), range);
        match self {
            Self::TimedText => {
                caption.text = self.text(payload);
                let length = caption.text.chars().count();
                for (characters, faces) in styled_runs(payload) {
                    if usize::from(characters.end) <= length {
                        push_style(&mut caption.styles, characters, faces);
                    }
                }
            }
            Self::QuickTimeText => caption.text = self.text(payload),
            Self::SubRip | Self::WebVtt => {
                let written = String::from_utf8_lossy(payload);
                let (mut rest, mut depths, mut at) = (&*written, [0_usize; 3], 0_usize);
                while let Some(first) = rest.chars().next() {
                    if let Some((face, opens, length)) = tag(rest) {
                        depths[face] = if opens { depths[face] + 1 } else { depths[face].saturating_sub(1) };
                        rest = &rest[length..];
                        continue;
                    }
                    let entity =
                        ENTITIES.iter().find(|(name, _)| self == Self::WebVtt && rest.starts_with(name));
                    let (length, character) = entity
                        .map_or((first.len_utf8(), first), |(name, character)| (name.len(), *character));
                    caption.text.push(character);
                    if let (Ok(start), Ok(end)) = (u16::try_from(at), u16::try_from(at + 1)) {
                        push_style(&mut caption.styles, start..end, depths.map(|depth| depth > 0));
                    }
                    rest = &rest[length..];
                    at += 1;
                }
            }
        }
        caption
    }

    /// Returns the text of a sample, without styles; bytes that are no UTF-8 are replaced. Tags of SubRip and
    /// WebVTT are returned as they are written.
    pub fn text(self, payload: &[u8]) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match self {
            Self::TimedText | Self::QuickTimeText => match payload.split_first_chunk::<2>() {
                Some((length, rest)) => {
                    text(&rest[..rest.len().min(usize::from(u16::from_be_bytes(*length)))])
                }
                None => String::new(),
            },
            Self::SubRip => text(payload),
            Self::WebVtt => text(payload).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"),
        }
    }
}

/// The tags of bold, italic and underlined text in SubRip and WebVTT, in the order of [`TextStyle::faces`].
const TAGS: [&str; 3] = ["b", "i", "u"];

/// What characters that could begin something else are written as in WebVTT.
const ENTITIES: [(&str, char); 3] = [("&lt;", '<'), ("&gt;", '>'), ("&amp;", '&')];

/// The bytes of a record of `styl`: first and last character, font, faces, size, and colour.
const STYLE_RECORD: usize = 12;

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// An empty line would end the cue.
fn without_empty_lines(mut lines: String) -> String {
    while lines.contains("\n\n") {
        lines = lines.replace("\n\n", "\n \n");
    }
    lines
}

/// The tag that a text begins with: the face, whether it begins, and the length of the tag.
fn tag(text: &str) -> Option<(usize, bool, usize)> {
    let inner = text.strip_prefix('<')?;
    let (opens, name) = inner.strip_prefix('/').map_or((true, inner), |name| (false, name));
    let is_named = |tag: &&str| name.strip_prefix(*tag).is_some_and(|rest| rest.starts_with('>'));
    let face = TAGS.iter().position(is_named)?;
    Some((face, opens, if opens { 3 } else { 4 }))
}

/// A record of `styl` (3GPP TS 26.245, 5.17.1.1): font 1 in 16 points, white, as the track's description has
/// it for all characters.
fn style_record(style: &TextStyle) -> [u8; STYLE_RECORD] {
    let [start, end] = [style.characters.start, style.characters.end].map(u16::to_be_bytes);
    let faces = style.faces().into_iter().rev().fold(0, |all, has| all << 1 | u8::from(has));
    [start[0], start[1], end[0], end[1], 0, 1, faces, 16, 0xFF, 0xFF, 0xFF, 0xFF]
}

/// Returns the records of the last box of styles (`styl`, 3GPP TS 26.245, 5.17.1.1) among the boxes behind
/// the text of a sample: first character and the one behind the last, font, face, size and colour. What is
/// damaged ends them.
pub fn style_records(mut boxes: &[u8]) -> impl Iterator<Item = [u8; STYLE_RECORD]> + '_ {
    let mut records: &[u8] = &[];
    while let Some((head, _)) = boxes.split_first_chunk::<8>() {
        let size = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let Some(content) = boxes.get(8..size) else { break };
        if head[4..] == *b"styl" {
            records = content.get(2..).unwrap_or_default();
        }
        boxes = &boxes[size..];
    }
    records.chunks_exact(STYLE_RECORD).filter_map(|record| record.try_into().ok())
}

/// The runs and faces of the records of styles behind the text of a sample.
fn styled_runs(payload: &[u8]) -> Vec<(Range<u16>, [bool; 3])> {
    let length = payload.first_chunk::<2>().map_or(0, |length| usize::from(u16::from_be_bytes(*length)));
    let records = style_records(payload.get(2 + length..).unwrap_or_default());
    let run = |record: [u8; STYLE_RECORD]| {
        let number = |at: usize| u16::from_be_bytes([record[at], record[at + 1]]);
        (number(0)..number(2), [0, 1, 2].map(|bit| record[6] >> bit & 1 == 1))
    };
    records.map(run).collect()
}

/// Adds a run, to the one before it if that is drawn alike and ends where it begins.
fn push_style(styles: &mut Vec<TextStyle>, characters: Range<u16>, faces: [bool; 3]) {
    let end = styles.last().map_or(0, |last| last.characters.end);
    if characters.is_empty() || characters.start < end || faces == [false; 3] {
        return;
    }
    match styles.last_mut() {
        Some(last) if last.faces() == faces && last.characters.end == characters.start => {
            last.characters.end = characters.end;
        }
        _ => styles.push(TextStyle::new(characters, faces)),
    }
}

fn behind_length(text: &str) -> Vec<u8> {
    // A text that is too long ends at a character, and `Caption::is_storable` tells before.
    let mut end = text.len().min(MOST_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    [&(end as u16).to_be_bytes(), &text.as_bytes()[..end]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [TextFormat; 4] =
        [TextFormat::TimedText, TextFormat::QuickTimeText, TextFormat::SubRip, TextFormat::WebVtt];

    /// AD-5: the bytes are those of the formats' descriptions.
    #[test]
    fn texts_become_the_bytes_of_their_formats() {
        assert_eq!(TextFormat::TimedText.payload("né"), b"\0\x03n\xC3\xA9");
        assert_eq!(TextFormat::TimedText.payload(""), b"\0\0");
        assert_eq!(TextFormat::QuickTimeText.payload("a"), b"\0\x01a\0\0\0\x0Cencd\0\0\x01\0");
        assert_eq!(TextFormat::SubRip.payload("a\nb"), b"a\nb");
        assert_eq!(TextFormat::WebVtt.payload("1 < 2 & 3\n\n\n4"), b"1 &lt; 2 &amp; 3\n \n \n4");
    }

    /// AD-5: a caption that no container can hold is known as such.
    #[test]
    fn texts_that_are_too_long_or_have_a_zero_cannot_be_stored() {
        let caption = |text: &str| Caption::new(text, TimeRange::EVERYTHING).is_storable();
        assert!(caption(&"x".repeat(65_535)) && !caption(&"x".repeat(65_536)) && !caption("a\0b"));
    }

    fn styled(text: &str, styles: &[(Range<u16>, [bool; 3])]) -> Caption {
        let styles = styles.iter().map(|(characters, faces)| TextStyle::new(characters.clone(), *faces));
        Caption { styles: styles.collect(), ..Caption::new(text, TimeRange::EVERYTHING) }
    }

    /// AD-5: styles are records of `styl` by characters, and tags in SubRip and WebVTT; those of WebVTT stand
    /// beside characters that are written as something else. Names of chapters have none.
    #[test]
    fn styles_become_those_of_their_formats() {
        let caption = styled("é<b & c", &[(0..1, [true, false, false]), (2..5, [false, true, true])]);
        let record = |from, to, faces| [0, from, 0, to, 0, 1, faces, 16, 255, 255, 255, 255];
        let expected =
            [&b"\0\x08\xC3\xA9<b & c\0\0\0\x22styl\0\x02"[..], &record(0, 1, 1), &record(2, 5, 6)].concat();
        assert_eq!(TextFormat::TimedText.sample(&caption), expected);
        assert_eq!(TextFormat::SubRip.sample(&caption), "<b>é</b><<i><u>b &</u></i> c".as_bytes());
        assert_eq!(TextFormat::WebVtt.sample(&caption), "<b>é</b>&lt;<i><u>b &amp;</u></i> c".as_bytes());
        assert_eq!(
            TextFormat::QuickTimeText.sample(&caption),
            TextFormat::QuickTimeText.payload(&caption.text)
        );
        assert_eq!(
            TextFormat::WebVtt.caption(b"<c.red>&amp;lt;</c> <b>", TimeRange::EVERYTHING).text,
            "<c.red>&lt;</c> "
        );
    }

    /// AD-5: runs that are not of the text, out of order or empty cannot be stored; of a sample they are left
    /// out.
    #[test]
    fn styles_that_cannot_be_are_refused() {
        let (bold, italic) = ([true, false, false], [false, true, false]);
        assert!(styled("añb", &[(0..1, bold), (1..3, italic)]).is_storable());
        for wrong in [
            &[(0..4, bold)][..],
            &[(1..1, bold)],
            &[(1..3, bold), (0..1, italic)],
            &[(0..2, bold), (1..3, italic)],
        ] {
            let caption = styled("añb", wrong);
            assert!(!caption.is_storable(), "{wrong:?}");
            let read =
                TextFormat::TimedText.caption(&TextFormat::TimedText.sample(&caption), TimeRange::EVERYTHING);
            assert!(read.is_storable() && read.styles.len() < wrong.len(), "{read:?}");
        }
    }

    proptest! {
        /// AD-5: styles come back as they were.
        #[test]
        fn styles_come_back(
            text in "[a-zé☂&]{0,12}",
            runs in prop::collection::vec((1_u16..4, 0_u16..4, 1_usize..8), 0..4),
        ) {
            let length = text.chars().count() as u16;
            let mut styles: Vec<TextStyle> = Vec::new();
            let mut at = 0;
            for (gap, size, faces) in runs {
                let characters = (at + gap).min(length)..(at + gap + size).min(length);
                at = characters.end;
                push_style(&mut styles, characters, [0, 1, 2].map(|bit| faces >> bit & 1 == 1));
            }
            let caption = Caption { styles, ..Caption::new(text, TimeRange::EVERYTHING) };
            for format in [TextFormat::TimedText, TextFormat::SubRip, TextFormat::WebVtt] {
                prop_assert_eq!(&format.caption(&format.sample(&caption), TimeRange::EVERYTHING), &caption);
            }
        }

        /// AD-5: every text without empty lines comes back.
        #[test]
        fn texts_come_back(text in "[^\0\n]{0,50}(\n[^\0\n]{1,20})?") {
            for format in ALL {
                prop_assert_eq!(format.text(&format.payload(&text)), &text[..]);
            }
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..50)) {
            ALL.iter().for_each(|format| {
                drop(format.text(&bytes));
                assert!(format.caption(&bytes, TimeRange::EVERYTHING).styles.len() <= bytes.len());
            });
        }
    }
}
