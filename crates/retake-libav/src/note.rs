//! Notes tell people in which ways a written film differs from its source.

use std::fmt;

/// One difference of the new file, in a plain sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The track of the source, if the note is about one.
    pub track: Option<u32>,
    /// The sentence, without a full stop.
    pub text: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
