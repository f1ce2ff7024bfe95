//! This module makes edit lists, which place a track's media on the film's time line.

use super::tree::Node;
use crate::state::timeline::Extent;

/// An edit is one entry of an edit list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Edit {
    /// This is the duration in ticks of the film.
    pub(crate) duration: u64,
    /// The media begins here, in ticks of the track; `None` shows no media.
    pub(crate) media: Option<i64>,
}

/// Returns the edits that place a track. `scale` is the ticks a second of the track, `movie` those of the
/// film; `end` is the end of the session, in ticks of the track from its start. The list is empty if the
/// media is shown just as it is.
pub(crate) fn edits(extent: &Extent, scale: u32, movie: u32, end: Option<i64>) -> Vec<Edit> {
    let in_movie = |ticks: i64| {
        let (ticks, scale, movie) = (i128::from(ticks.max(0)), i128::from(scale.max(1)), i128::from(movie));
        u64::try_from((ticks * movie + scale / 2) / scale).unwrap_or(u64::MAX)
    };
    let end = end.map_or(extent.end, |end| end.min(extent.end));
    let start = extent.start.max(0);
    // the media's own zero is the first decode time, and all is shown later than decoded by the depth of
    // reordering
    let media = start + extent.reorder - extent.first;
    let mut edits = Vec::new();
    if start > 0 {
        edits.push(Edit { duration: in_movie(start.min(end)), media: None });
    }
    if end > start {
        edits.push(Edit { duration: in_movie(end) - in_movie(start), media: Some(media) });
    } else if edits.is_empty() {
        edits.push(Edit { duration: 0, media: None });
    }
    match edits[..] {
        [Edit { media: Some(0), duration }] if duration == in_movie(extent.media) => Vec::new(),
        _ => edits,
    }
}

/// Makes the box. It has long fields only where short ones are too small.
pub(crate) fn edit_box(edits: &[Edit]) -> Node {
    let long = edits.iter().any(|edit| {
        u32::try_from(edit.duration).is_err() || edit.media.is_some_and(|media| i32::try_from(media).is_err())
    });
    let mut fields = vec![u8::from(long), 0, 0, 0];
    fields.extend((edits.len() as u32).to_be_bytes());
    for edit in edits {
        let media = edit.media.unwrap_or(-1);
        if long {
            fields.extend(edit.duration.to_be_bytes());
            fields.extend(media.to_be_bytes());
        } else {
            fields.extend((edit.duration as u32).to_be_bytes());
            fields.extend((media as i32).to_be_bytes());
        }
        fields.extend([0, 1, 0, 0]); // normal speed
    }
    Node::parent(b"edts", vec![Node::fields(b"elst", fields)])
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Extent = Extent { first: 0, reorder: 0, start: 0, end: 1000, media: 1000 };

    /// Section 16.2: media before the start of the session is edited out, media that begins later is led by
    /// an empty edit, and media behind the session's end is edited out.
    #[test]
    fn sessions_become_edits() {
        let edits = |extent: Extent, end| super::edits(&extent, 1000, 2000, end);
        let shown = |duration, media| Edit { duration, media: Some(media) };
        let empty = |duration| Edit { duration, media: None };
        assert_eq!(edits(PLAIN, None), []);
        assert_eq!(edits(Extent { first: -100, start: -100, ..PLAIN }, None), [shown(2000, 100)]);
        assert_eq!(edits(Extent { first: 50, start: 50, ..PLAIN }, None), [empty(100), shown(1900, 0)]);
        assert_eq!(edits(PLAIN, Some(400)), [shown(800, 0)]);
        assert_eq!(edits(Extent { reorder: 80, ..PLAIN }, None), [shown(2000, 80)]);
        // because of priming, 21 ticks are decoded before any sound is heard
        assert_eq!(edits(Extent { start: 21, ..PLAIN }, None), [empty(42), shown(1958, 21)]);
        assert_eq!(edits(Extent { first: 50, start: 50, ..PLAIN }, Some(20)), [empty(40)]);
        assert_eq!(edits(Extent { first: -900, start: -900, end: -100, ..PLAIN }, None), [empty(0)]);
    }
}
