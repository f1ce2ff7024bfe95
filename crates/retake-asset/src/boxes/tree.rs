//! This module holds ISO boxes in memory, as far as the index of a film must be changed.

/// A box has either fields or children.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) kind: [u8; 4],
    pub(crate) content: Content,
}

/// This is the content of a box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    Fields(Vec<u8>),
    Children(Vec<Node>),
}

/// Only these boxes are parsed. All others are carried as they are.
const PARENTS: [&[u8; 4]; 9] =
    [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"mvex", b"moof", b"traf"];

impl Node {
    pub(crate) fn fields(kind: &[u8; 4], fields: Vec<u8>) -> Self {
        Self { kind: *kind, content: Content::Fields(fields) }
    }

    pub(crate) fn parent(kind: &[u8; 4], children: Vec<Self>) -> Self {
        Self { kind: *kind, content: Content::Children(children) }
    }

    /// Parses all boxes of a run of bytes. Returns `None` if their lengths are inconsistent.
    pub(crate) fn parse(mut bytes: &[u8]) -> Option<Vec<Self>> {
        let mut nodes = Vec::new();
        while !bytes.is_empty() {
            let (kind, head, size) = head(bytes)?;
            let body = bytes.get(head..size)?;
            let content = match PARENTS.contains(&&kind) {
                true => Content::Children(Self::parse(body)?),
                false => Content::Fields(body.to_vec()),
            };
            nodes.push(Self { kind, content });
            bytes = &bytes[size..];
        }
        Some(nodes)
    }

    /// Writes the box with its head to `out`. Boxes of 4 GiB and more have a long head.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let size = self.size();
        match u32::try_from(size) {
            Ok(size) => {
                out.extend(size.to_be_bytes());
                out.extend(self.kind);
            }
            Err(_) => {
                out.extend(1_u32.to_be_bytes());
                out.extend(self.kind);
                out.extend((size as u64).to_be_bytes());
            }
        }
        match &self.content {
            Content::Fields(fields) => out.extend_from_slice(fields),
            Content::Children(children) => children.iter().for_each(|child| child.write(out)),
        }
    }

    pub(crate) fn size(&self) -> usize {
        let body = match &self.content {
            Content::Fields(fields) => fields.len(),
            Content::Children(children) => children.iter().map(Self::size).sum(),
        };
        if body + 8 > u32::MAX as usize { body + 16 } else { body + 8 }
    }

    pub(crate) fn children(&self) -> &[Self] {
        match &self.content {
            Content::Children(children) => children,
            Content::Fields(_) => &[],
        }
    }

    pub(crate) fn children_mut(&mut self) -> Option<&mut Vec<Self>> {
        match &mut self.content {
            Content::Children(children) => Some(children),
            Content::Fields(_) => None,
        }
    }

    /// Returns the box at the end of a path of kinds below this one.
    pub(crate) fn find(&self, path: &[&[u8; 4]]) -> Option<&Self> {
        path.iter().try_fold(self, |node, kind| node.children().iter().find(|child| child.kind == **kind))
    }

    pub(crate) fn find_mut(&mut self, path: &[&[u8; 4]]) -> Option<&mut Self> {
        path.iter()
            .try_fold(self, |node, kind| node.children_mut()?.iter_mut().find(|child| child.kind == **kind))
    }

    pub(crate) fn as_fields(&self) -> &[u8] {
        match &self.content {
            Content::Fields(fields) => fields,
            Content::Children(_) => &[],
        }
    }

    pub(crate) fn fields_mut(&mut self) -> Option<&mut Vec<u8>> {
        match &mut self.content {
            Content::Fields(fields) => Some(fields),
            Content::Children(_) => None,
        }
    }
}

/// Returns the kind, the length of the head and the length of the whole of the box that some bytes begin
/// with.
pub(crate) fn head(bytes: &[u8]) -> Option<([u8; 4], usize, usize)> {
    let kind: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
    let (head, size) = match u32_at(bytes, 0)? {
        0 => (8, bytes.len()),
        1 => (16, usize::try_from(u64_at(bytes, 8)?).ok()?),
        size => (8, size as usize),
    };
    (size >= head && size <= bytes.len()).then_some((kind, head, size))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

pub(crate) fn put_u32(bytes: &mut [u8], at: usize, value: u32) -> Option<()> {
    bytes.get_mut(at..at.checked_add(4)?)?.copy_from_slice(&value.to_be_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tree() -> impl Strategy<Value = Node> {
        let leaf = (
            prop::sample::select(vec![*b"free", *b"mvhd", *b"stco"]),
            prop::collection::vec(any::<u8>(), 0..20),
        )
            .prop_map(|(kind, fields)| Node::fields(&kind, fields));
        leaf.prop_recursive(3, 20, 4, |inner| {
            (prop::sample::select(vec![*b"moov", *b"trak", *b"edts"]), prop::collection::vec(inner, 0..4))
                .prop_map(|(kind, children)| Node::parent(&kind, children))
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(node in tree()) {
            let mut bytes = Vec::new();
            node.write(&mut bytes);
            prop_assert_eq!(bytes.len(), node.size());
            prop_assert_eq!(Node::parse(&bytes), Some(vec![node]));
        }

        #[test]
        fn any_bytes_are_refused_or_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Node::parse(&bytes);
        }
    }
}
