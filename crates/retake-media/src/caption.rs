//! Texts that are shown for a while, and the forms in which containers hold them.

use crate::TimeRange;

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
}

impl Caption {
    /// Makes a caption.
    #[doc(alias = "initWithText:timeRange:")]
    pub fn new(text: impl Into<String>, range: TimeRange) -> Self {
        Self { text: text.into(), range }
    }

    /// Returns whether containers can hold its text: at most 65535 bytes, none of which is zero.
    pub fn is_storable(&self) -> bool {
        self.text.len() <= MOST_BYTES && !self.text.contains('\0')
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
            Self::WebVtt => {
                // An empty line would end the cue.
                let mut lines = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                while lines.contains("\n\n") {
                    lines = lines.replace("\n\n", "\n \n");
                }
                lines.into_bytes()
            }
        }
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

    proptest! {
        /// AD-5: every text without empty lines comes back.
        #[test]
        fn texts_come_back(text in "[^\0\n]{0,50}(\n[^\0\n]{1,20})?") {
            for format in ALL {
                prop_assert_eq!(format.text(&format.payload(&text)), &text[..]);
            }
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..50)) {
            ALL.iter().for_each(|format| drop(format.text(&bytes)));
        }
    }
}
