//! Attributes state what a client or an encoder requires of pixel buffers; this module merges the
//! requirements of several into one.

use super::{AttachmentValue, Attachments, PixelBufferError, PixelFormat};
use std::collections::BTreeMap;

/// The largest width and height of a picture.
pub(crate) const MAX_SIZE: u32 = 32768;
/// The largest alignment of rows and of planes, in bytes.
const MAX_ALIGNMENT: usize = 65536;

/// States requirements on pixel buffers. The default requires nothing.
#[doc(alias = "pixelBufferAttributes")]
#[doc(alias = "sourceImageBufferAttributes")]
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PixelBufferAttributes {
    /// The acceptable formats, the preferred one first; an empty list accepts any.
    #[doc(alias = "kCVPixelBufferPixelFormatTypeKey")]
    pub formats: Vec<PixelFormat>,
    /// The width in pixels, 1 to 32768; `None` accepts any.
    #[doc(alias = "kCVPixelBufferWidthKey")]
    pub width: Option<u32>,
    /// The height in pixels, 1 to 32768; `None` accepts any.
    #[doc(alias = "kCVPixelBufferHeightKey")]
    pub height: Option<u32>,
    /// The memory around the picture.
    pub extended: ExtendedPixels,
    /// The number of bytes, 1 to 65536, that the distance of two rows must be a multiple of; `None` stands
    /// for a fast one (64).
    #[doc(alias = "kCVPixelBufferBytesPerRowAlignmentKey")]
    pub row_alignment: Option<usize>,
    /// The number of bytes, 1 to 65536, that the address of each plane must be a multiple of; `None` stands
    /// for a fast one (64).
    #[doc(alias = "kCVPixelBufferPlaneAlignmentKey")]
    pub plane_alignment: Option<usize>,
    /// The attachments that a fresh buffer has.
    #[doc(alias = "kCVBufferPropagatedAttachmentsKey")]
    #[doc(alias = "kCVBufferNonPropagatedAttachmentsKey")]
    pub attachments: Attachments,
    /// Any other requirement, under the client's names (`IOSurfaceProperties`, `MetalCompatibility` …). It is
    /// kept and given back, and has no effect.
    #[doc(alias = "kCVPixelBufferIOSurfacePropertiesKey")]
    #[doc(alias = "kCVPixelBufferMetalCompatibilityKey")]
    pub preserved: BTreeMap<String, AttachmentValue>,
}

/// States how many pixels of memory there must be at least on each side of a picture, for code that reads or
/// writes beyond its edges.
#[doc(alias = "kCVPixelBufferExtendedPixelsLeftKey")]
#[doc(alias = "kCVPixelBufferExtendedPixelsTopKey")]
#[doc(alias = "kCVPixelBufferExtendedPixelsRightKey")]
#[doc(alias = "kCVPixelBufferExtendedPixelsBottomKey")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(missing_docs)] // the names say it
pub struct ExtendedPixels {
    pub left: u32,
    pub top: u32,
    pub right: u32,
    pub bottom: u32,
}

impl PixelBufferAttributes {
    /// Requires pictures of one format and size.
    pub fn of(format: PixelFormat, width: u32, height: u32) -> Self {
        Self { formats: vec![format], width: Some(width), height: Some(height), ..Self::default() }
    }

    /// Returns the attributes that meet all of these. Formats are those that all accept, in the order of the
    /// first who names any; a planar format that states no range accepts the one that does
    /// ([`PixelFormat::with_range`]), and the result states it. Sizes must be equal, alignments become their
    /// least common multiple, extended pixels the largest; attachments and preserved entries are joined, and
    /// must be equal where two have the same name.
    ///
    /// # Errors
    /// Returns [`PixelBufferError::InvalidPixelFormat`], [`InvalidSize`](PixelBufferError::InvalidSize) or
    /// [`InvalidAttributes`](PixelBufferError::InvalidAttributes), depending on where the requirements
    /// disagree.
    #[doc(alias = "CVPixelBufferCreateResolvedAttributesDictionary")]
    pub fn resolve(all: &[&Self]) -> Result<Self, PixelBufferError> {
        all.iter().try_fold(Self::default(), |merged, next| merged.merge(next))
    }

    fn merge(mut self, other: &Self) -> Result<Self, PixelBufferError> {
        self.formats = intersection(&self.formats, &other.formats)?;
        self.width = agreed("width", self.width, other.width)?;
        self.height = agreed("height", self.height, other.height)?;
        self.extended = self.extended.max(other.extended);
        self.row_alignment = common_multiple(self.row_alignment, other.row_alignment)?;
        self.plane_alignment = common_multiple(self.plane_alignment, other.plane_alignment)?;
        for (attachment, mode) in other.attachments.iter() {
            match self.attachments.get(&attachment.key()) {
                Some(own) if own != (attachment, mode) => return Err(contradiction(&attachment.key())),
                _ => self.attachments.set(attachment.clone(), mode),
            }
        }
        for (name, value) in &other.preserved {
            match self.preserved.get(name) {
                Some(own) if own != value => return Err(contradiction(name)),
                _ => self.preserved.insert(name.clone(), value.clone()),
            };
        }
        Ok(self)
    }

    /// Returns the format and size if both are there and have a meaning.
    pub(crate) fn shape(&self) -> Result<(PixelFormat, u32, u32), PixelBufferError> {
        let format = *self.formats.first().ok_or_else(PixelBufferError::no_format)?;
        let given = |name: &str, size: Option<u32>| {
            size.ok_or_else(|| PixelBufferError::InvalidSize(format!("the {name} is missing")))
        };
        let (width, height) = (given("width", self.width)?, given("height", self.height)?);
        check_size(width, height)?;
        Ok((format, width, height))
    }
}

/// Checks that a picture can have this size.
pub(super) fn check_size(width: u32, height: u32) -> Result<(), PixelBufferError> {
    match (width, height) {
        (1..=MAX_SIZE, 1..=MAX_SIZE) => Ok(()),
        _ => Err(PixelBufferError::InvalidSize(format!(
            "{width}×{height} is not between 1×1 and {MAX_SIZE}×{MAX_SIZE}"
        ))),
    }
}

impl ExtendedPixels {
    fn max(self, other: Self) -> Self {
        Self {
            left: self.left.max(other.left),
            top: self.top.max(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }
}

fn contradiction(what: &impl std::fmt::Debug) -> PixelBufferError {
    PixelBufferError::InvalidAttributes(format!("{what:?} is asked for in two ways"))
}

fn intersection(ours: &[PixelFormat], theirs: &[PixelFormat]) -> Result<Vec<PixelFormat>, PixelBufferError> {
    if ours.is_empty() || theirs.is_empty() {
        return Ok([ours, theirs].concat());
    }
    let mut common = Vec::new();
    for own in ours {
        let met = theirs.iter().filter_map(|other| meet(*own, *other));
        // An equal format goes before one that only shares the layout.
        if let Some(format) = met.max_by_key(|format| format == own).filter(|format| !common.contains(format))
        {
            common.push(format);
        }
    }
    match common.is_empty() {
        false => Ok(common),
        true => {
            Err(PixelBufferError::InvalidPixelFormat(format!("{ours:?} and {theirs:?} have none in common")))
        }
    }
}

/// Returns the format that is both; one that states no range stands for either range.
fn meet(a: PixelFormat, b: PixelFormat) -> Option<PixelFormat> {
    match (a.range(), b.range()) {
        _ if a == b => Some(a),
        (Some(_), None) if a.same_layout(b) => Some(a),
        (None, Some(_)) if a.same_layout(b) => Some(b),
        _ => None,
    }
}

fn agreed(name: &str, ours: Option<u32>, theirs: Option<u32>) -> Result<Option<u32>, PixelBufferError> {
    match (ours, theirs) {
        (Some(a), Some(b)) if a != b => {
            Err(PixelBufferError::InvalidSize(format!("{name} {a} and {b} are asked for")))
        }
        _ => Ok(ours.or(theirs)),
    }
}

/// Returns the alignment that serves both.
pub(crate) fn common_multiple(a: Option<usize>, b: Option<usize>) -> Result<Option<usize>, PixelBufferError> {
    let (Some(first), Some(second)) = (a, b) else { return Ok(a.or(b)) };
    let (first, second) = (alignment(first)?, alignment(second)?);
    let (mut x, mut y) = (first, second);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    // Both are at most 65536, so that the product fits even 32 bits unless it is refused.
    alignment((first / x).saturating_mul(second)).map(Some)
}

/// Checks that an alignment has a meaning.
pub(crate) fn alignment(bytes: usize) -> Result<usize, PixelBufferError> {
    match bytes {
        1..=MAX_ALIGNMENT => Ok(bytes),
        _ => Err(PixelBufferError::InvalidAttributes(format!(
            "an alignment of {bytes} bytes is not between 1 and {MAX_ALIGNMENT}"
        ))),
    }
}
