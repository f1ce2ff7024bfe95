//! This module writes tags that libavformat has no box for, as QuickTime does: by names of any kind.

use super::tree::Node;
use retake_libav::Container;

/// The values are text in UTF-8.
const UTF8: [u8; 4] = [0, 0, 0, 1];

/// Adds tags of the film to its index, beside those that the muxer wrote.
pub(crate) fn add(moov: &mut Node, container: Container, tags: &[(String, String)]) -> Option<()> {
    let children = moov.children_mut()?;
    if tags.is_empty() {
        return Some(());
    }
    let handler = [&[0; 8][..], b"mdta", &[0; 13]].concat();
    let mut keys = [[0; 4], (tags.len() as u32).to_be_bytes()].concat();
    let mut values = Vec::new();
    for (number, (name, value)) in (1_u32..).zip(tags) {
        Node::fields(b"mdta", name.clone().into_bytes()).write(&mut keys);
        let data = Node::fields(b"data", [&UTF8[..], &[0; 4], value.as_bytes()].concat());
        Node::parent(&number.to_be_bytes(), vec![data]).write(&mut values);
    }
    // ISO gives this box a version and flags, which QuickTime's own does not have.
    let mut content = if container == Container::Mov { Vec::new() } else { vec![0; 4] };
    for (kind, fields) in [(b"hdlr", handler), (b"keys", keys), (b"ilst", values)] {
        Node::fields(kind, fields).write(&mut content);
    }
    children.push(Node::fields(b"meta", content));
    Some(())
}
