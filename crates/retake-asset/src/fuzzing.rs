//! A door for fuzzing to the boxes of ISO files. It is no part of the interface: it is compiled with
//! `cfg(fuzzing)` alone.

use crate::boxes::description::Description;
use crate::boxes::fragment::{Head, Placement, finish_head, place, split};
use crate::boxes::movie::{Copied, TrackFinish, TrackHeader, finish, shift_positions};
use crate::boxes::tree::Node;
use crate::state::timeline::Extent;
use retake_libav::{Container, TrackFormat};
use retake_media::TextFormat;

/// Takes bytes apart, and changes them in all the ways in which films are changed. Says whether they are
/// boxes that films are made of.
pub fn boxes(bytes: &[u8]) -> bool {
    let Some(nodes) = Node::parse(bytes) else { return false };
    let written = |nodes: &[Node]| {
        let mut out = Vec::new();
        nodes.iter().for_each(|node| node.write(&mut out));
        assert_eq!(out.len(), nodes.iter().map(Node::size).sum::<usize>());
        out
    };
    assert_eq!(
        Node::parse(&written(&nodes)).as_ref(),
        Some(&nodes),
        "boxes that were written are read again"
    );

    let header = TrackHeader {
        as_copied: false,
        enabled: true,
        alternate_group: 1,
        volume: Some(0.5),
        size: Some((64, 48)),
        language_code: Some("deu".to_owned()),
        language_tag: Some("de-CH".to_owned()),
        entry: vec![Node::fields(b"fiel", vec![2, 1])],
        description: None,
        references: vec![(*b"chap", 2)],
    };
    let mut changed = false;
    for node in nodes.iter().filter(|node| node.kind == *b"moov") {
        let extent = Extent { first: -2, reorder: 2, start: 1, end: 60, media: 62 };
        let track = TrackFinish { extent, lead: 2, end: Some(50), header: header.clone() };
        let text = TrackFormat::Text(TextFormat::TimedText);
        let description = Description::of(&text, Container::Mp4).expect("text is described here");
        for mut trak in node.children().iter().cloned() {
            let _ = description.apply(&mut trak);
            assert!(Node::parse(&written(&[trak])).is_some(), "a track that was described adds up");
        }
        let mut moov = node.clone();
        let copied = Copied { disabled: &[2], languages: &[(1, "en-GB".to_owned())] };
        changed |= finish(&mut moov, &[Some(track), None], &copied, Some(90)).is_some();
        for long in [false, true] {
            let mut moov = moov.clone();
            let _ = shift_positions(&mut moov, 1 << 20, long);
            // fields that were put in may hold boxes, which are children when they are read
            let bytes = written(&[moov]);
            let again = Node::parse(&bytes).expect("an index that was changed adds up");
            assert_eq!(written(&again), bytes, "an index that was changed is read again");
        }
    }
    let Some(parts) = split(bytes) else { return changed };
    let placement = Placement { first: -2, zero: 2, reorder: 1, lead: 1 };
    let (headers, placements) = ([header.clone(), header], [placement; 2]);
    for brands in [None, Some(&[b"iso6", b"cmfc"][..])] {
        let duration = brands.map(|_| 90);
        let head = Head { headers: &headers, placements: Some(&placements), duration, brands };
        if let Some(head) = finish_head(&parts.head, &head) {
            assert!(Node::parse(&head).is_some(), "a head that was finished adds up");
        }
    }
    let mut media = parts.media;
    if let Some(pieces) = place(&mut media, &placements) {
        changed |= !pieces.is_empty();
        assert!(Node::parse(&media).is_some(), "fragments that were moved add up");
        assert!(pieces.iter().all(|piece| piece.track < placements.len()));
    }
    changed
}
