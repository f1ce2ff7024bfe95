//! The table of pixel formats: code, range, planes and depth of each.

use crate::{Colour, Range};
use serde::{Deserialize, Serialize};
use std::fmt;

/// States how the samples of a picture lie in memory. Samples of more than 8 bits are little-endian pairs of
/// bytes.
///
/// # Range
/// As at Apple, a format code can state which sample values are used: `420v` and `420f` differ in nothing
/// else. [`PixelFormat::range`] returns that statement; where there is one, it overrides
/// [`Colour`](crate::Colour) ([`Colour::in_format`](crate::Colour::in_format) makes the two agree). The
/// planar formats of decoders (`I…` without `Full`) state nothing: [`Colour::range`](crate::Colour::range)
/// decides, and is limited where it is not known. So a picture in [`PixelFormat::I420Full`] equals one in
/// [`PixelFormat::I420`] whose colour has full range.
#[doc(alias = "CVPixelFormat")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PixelFormat {
    /// `y420` is 4:2:0 in three planes Y, Cb, Cr with one byte a sample; the colour states the range.
    #[doc(alias = "kCVPixelFormatType_420YpCbCr8Planar")]
    I420,
    /// `f420` is [`PixelFormat::I420`] in full range.
    #[doc(alias = "kCVPixelFormatType_420YpCbCr8PlanarFullRange")]
    I420Full,
    /// `I010` (a code of our own) is 4:2:0 in three planes, with ten bits in the low end of two bytes; the
    /// colour states the range.
    I010,
    /// `I422` (our own) is 4:2:2 in three planes with one byte a sample; the colour states the range.
    I422,
    /// `I210` (our own) is 4:2:2 in three planes, with ten bits in the low end of two bytes; the colour
    /// states the range.
    I210,
    /// `I444` (our own) is 4:4:4 in three planes with one byte a sample; the colour states the range.
    I444,
    /// `I410` (our own) is 4:4:4 in three planes, with ten bits in the low end of two bytes; the colour
    /// states the range.
    I410,
    /// `420v` is 4:2:0 in a plane of Y and one of Cb, Cr pairs, with one byte a sample, in limited range.
    #[doc(alias = "kCVPixelFormatType_420YpCbCr8BiPlanarVideoRange")]
    Nv12,
    /// `420f` is [`PixelFormat::Nv12`] in full range.
    #[doc(alias = "kCVPixelFormatType_420YpCbCr8BiPlanarFullRange")]
    Nv12Full,
    /// `422v` is 4:2:2 in a plane of Y and one of Cb, Cr pairs, with one byte a sample, in limited range.
    #[doc(alias = "kCVPixelFormatType_422YpCbCr8BiPlanarVideoRange")]
    Nv16,
    /// `422f` is [`PixelFormat::Nv16`] in full range.
    #[doc(alias = "kCVPixelFormatType_422YpCbCr8BiPlanarFullRange")]
    Nv16Full,
    /// `444v` is 4:4:4 in a plane of Y and one of Cb, Cr pairs, with one byte a sample, in limited range.
    #[doc(alias = "kCVPixelFormatType_444YpCbCr8BiPlanarVideoRange")]
    Nv24,
    /// `444f` is [`PixelFormat::Nv24`] in full range.
    #[doc(alias = "kCVPixelFormatType_444YpCbCr8BiPlanarFullRange")]
    Nv24Full,
    /// `x420` is 4:2:0 in a plane of Y and one of Cb, Cr pairs, in limited range. Its ten bits lie in the
    /// *high* end of two bytes (value × 64); the low six bits are written as zero, and ignored when read.
    #[doc(alias = "kCVPixelFormatType_420YpCbCr10BiPlanarVideoRange")]
    P010,
    /// `xf20` is [`PixelFormat::P010`] in full range.
    #[doc(alias = "kCVPixelFormatType_420YpCbCr10BiPlanarFullRange")]
    P010Full,
    /// `x422` is 4:2:2 laid out like [`PixelFormat::P010`], in limited range.
    #[doc(alias = "kCVPixelFormatType_422YpCbCr10BiPlanarVideoRange")]
    P210,
    /// `xf22` is [`PixelFormat::P210`] in full range.
    #[doc(alias = "kCVPixelFormatType_422YpCbCr10BiPlanarFullRange")]
    P210Full,
    /// `x444` is 4:4:4 laid out like [`PixelFormat::P010`], in limited range.
    #[doc(alias = "kCVPixelFormatType_444YpCbCr10BiPlanarVideoRange")]
    P410,
    /// `xf44` is [`PixelFormat::P410`] in full range.
    #[doc(alias = "kCVPixelFormatType_444YpCbCr10BiPlanarFullRange")]
    P410Full,
    /// `2vuy` is 4:2:2 in one plane of Cb, Y, Cr, Y for each two pixels, in limited range.
    #[doc(alias = "kCVPixelFormatType_422YpCbCr8")]
    Uyvy,
    /// `yuvs` is 4:2:2 in one plane of Y, Cb, Y, Cr for each two pixels, in limited range.
    #[doc(alias = "kCVPixelFormatType_422YpCbCr8_yuvs")]
    Yuyv,
    /// `v210` is 4:2:2 of ten bits in one plane, in limited range. Sixteen bytes hold six pixels: four
    /// little-endian words of three samples each, the first in the lowest bits, in the order Cb, Y, Cr, Y.
    /// Rows are whole groups of 48 pixels, 128 bytes each; what belongs to no pixel is written as zero.
    #[doc(alias = "kCVPixelFormatType_422YpCbCr10")]
    V210,
    /// `I416` (our own) is 4:4:4 in three planes, with sixteen bits in two bytes; the colour states the
    /// range.
    I416,
    /// `b64a` is one plane of alpha, red, green, blue, with sixteen bits in two bytes, the higher one first,
    /// in full range.
    #[doc(alias = "kCVPixelFormatType_64ARGB")]
    Argb64,
    /// `l64r` is one plane of red, green, blue, alpha, with sixteen bits in two bytes, the lower one first,
    /// in full range.
    #[doc(alias = "kCVPixelFormatType_64RGBALE")]
    Rgba64,
    /// `b48r` is one plane of red, green, blue, with sixteen bits in two bytes, the higher one first, in full
    /// range.
    #[doc(alias = "kCVPixelFormatType_48RGB")]
    Rgb48,
    /// `BGRA` is one plane of blue, green, red, alpha, in full range.
    #[doc(alias = "kCVPixelFormatType_32BGRA")]
    Bgra,
    /// This format is one plane of alpha, red, green, blue, in full range. Apple's code is the number 32;
    /// `ARGB` is understood, too.
    #[doc(alias = "kCVPixelFormatType_32ARGB")]
    Argb,
    /// `RGBA` is one plane of red, green, blue, alpha, in full range.
    #[doc(alias = "kCVPixelFormatType_32RGBA")]
    Rgba,
    /// `L008` is one plane of one byte a pixel, in full range.
    #[doc(alias = "kCVPixelFormatType_OneComponent8")]
    Gray8,
    /// `L010` is one plane of ten bits in the *high* end of two bytes a pixel, in full range.
    #[doc(alias = "kCVPixelFormatType_OneComponent10")]
    Gray10,
    /// `L016` is one plane of two bytes a pixel, in full range.
    #[doc(alias = "kCVPixelFormatType_OneComponent16")]
    Gray16,
    /// `Y800` (our own) is luma alone with one byte a sample; the colour states the range.
    Y8,
    /// `Y10 ` (our own) is luma alone, with ten bits in the low end of two bytes; the colour states the
    /// range.
    Y10,
}

/// States how many pixels share a sample of chroma in a coded picture. The finer one is the greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ChromaSubsampling {
    /// 4:0:0: there is luma alone.
    Monochrome,
    /// 4:2:0: two by two pixels share one.
    Yuv420,
    /// 4:2:2: two pixels of a row share one.
    Yuv422,
    /// 4:4:4: each pixel has its own, as red, green and blue have.
    Yuv444,
}

impl ChromaSubsampling {
    /// Every subsampling, the coarsest first.
    pub const ALL: [Self; 4] = [Self::Monochrome, Self::Yuv420, Self::Yuv422, Self::Yuv444];

    /// Returns its usual name: `4:0:0`, `4:2:0`, `4:2:2`, `4:4:4`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Monochrome => "4:0:0",
            Self::Yuv420 => "4:2:0",
            Self::Yuv422 => "4:2:2",
            Self::Yuv444 => "4:4:4",
        }
    }

    /// Returns the number that H.264, HEVC and AV1 have for it (`chroma_format_idc`), 0 to 3.
    #[doc(alias = "chroma_format_idc")]
    pub const fn idc(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for ChromaSubsampling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Describes one plane: it has `samples` of them for each block of `across` × `down` pixels.
#[derive(Clone, Copy)]
struct Plane {
    samples: u32,
    across: u32,
    down: u32,
}

impl Plane {
    const FULL: Self = Self::of(1, 0, 0);
    const NONE: Self = Self::of(0, 0, 0);

    /// Makes a plane whose blocks have 2^`x` × 2^`y` pixels.
    const fn of(samples: u32, x: u32, y: u32) -> Self {
        Self { samples, across: 1 << x, down: 1 << y }
    }
}

/// One line of the table of formats.
struct Facts {
    code: [u8; 4],
    depth: u32,
    /// The bytes of what counts as a sample of a plane.
    bytes: usize,
    /// The number of unused bits below each sample.
    shift: u32,
    range: Option<Range>,
    planes: [Plane; 3],
}

const fn planar(code: &[u8; 4], depth: u32, x: u32, y: u32) -> Facts {
    let chroma = Plane::of(1, x, y);
    Facts {
        code: *code,
        depth,
        bytes: bytes(depth),
        shift: 0,
        range: None,
        planes: [Plane::FULL, chroma, chroma],
    }
}

const fn bi_planar(code: &[u8; 4], depth: u32, x: u32, y: u32, range: Range) -> Facts {
    let shift = if depth > 8 { 16 - depth } else { 0 };
    Facts {
        code: *code,
        depth,
        bytes: bytes(depth),
        shift,
        range: Some(range),
        planes: [Plane::FULL, Plane::of(2, x, y), Plane::NONE],
    }
}

const fn luma(code: &[u8; 4], depth: u32) -> Facts {
    Facts { bytes: bytes(depth), range: None, depth, ..packed(code, Plane::FULL, Range::Full) }
}

const fn packed(code: &[u8; 4], plane: Plane, range: Range) -> Facts {
    Facts {
        code: *code,
        depth: 8,
        bytes: 1,
        shift: 0,
        range: Some(range),
        planes: [plane, Plane::NONE, Plane::NONE],
    }
}

/// Red, green and blue of sixteen bits, perhaps with alpha.
const fn wide(code: &[u8; 4], samples: u32) -> Facts {
    Facts { depth: 16, bytes: 2, ..packed(code, Plane::of(samples, 0, 0), Range::Full) }
}

const fn bytes(depth: u32) -> usize {
    if depth > 8 { 2 } else { 1 }
}

impl PixelFormat {
    /// Every format.
    pub const ALL: [Self; 34] = [
        Self::I420,
        Self::I420Full,
        Self::I010,
        Self::I422,
        Self::I210,
        Self::I444,
        Self::I410,
        Self::Nv12,
        Self::Nv12Full,
        Self::Nv16,
        Self::Nv16Full,
        Self::Nv24,
        Self::Nv24Full,
        Self::P010,
        Self::P010Full,
        Self::P210,
        Self::P210Full,
        Self::P410,
        Self::P410Full,
        Self::Uyvy,
        Self::Yuyv,
        Self::Bgra,
        Self::Argb,
        Self::Rgba,
        Self::Gray8,
        Self::Gray10,
        Self::Gray16,
        Self::V210,
        Self::I416,
        Self::Argb64,
        Self::Rgba64,
        Self::Rgb48,
        Self::Y8,
        Self::Y10,
    ];

    const fn facts(self) -> Facts {
        use Range::{Full, Limited};
        match self {
            Self::I420 => planar(b"y420", 8, 1, 1),
            Self::I420Full => Facts { range: Some(Full), ..planar(b"f420", 8, 1, 1) },
            Self::I010 => planar(b"I010", 10, 1, 1),
            Self::I422 => planar(b"I422", 8, 1, 0),
            Self::I210 => planar(b"I210", 10, 1, 0),
            Self::I444 => planar(b"I444", 8, 0, 0),
            Self::I410 => planar(b"I410", 10, 0, 0),
            Self::Nv12 => bi_planar(b"420v", 8, 1, 1, Limited),
            Self::Nv12Full => bi_planar(b"420f", 8, 1, 1, Full),
            Self::Nv16 => bi_planar(b"422v", 8, 1, 0, Limited),
            Self::Nv16Full => bi_planar(b"422f", 8, 1, 0, Full),
            Self::Nv24 => bi_planar(b"444v", 8, 0, 0, Limited),
            Self::Nv24Full => bi_planar(b"444f", 8, 0, 0, Full),
            Self::P010 => bi_planar(b"x420", 10, 1, 1, Limited),
            Self::P010Full => bi_planar(b"xf20", 10, 1, 1, Full),
            Self::P210 => bi_planar(b"x422", 10, 1, 0, Limited),
            Self::P210Full => bi_planar(b"xf22", 10, 1, 0, Full),
            Self::P410 => bi_planar(b"x444", 10, 0, 0, Limited),
            Self::P410Full => bi_planar(b"xf44", 10, 0, 0, Full),
            Self::Uyvy => packed(b"2vuy", Plane::of(4, 1, 0), Limited),
            Self::Yuyv => packed(b"yuvs", Plane::of(4, 1, 0), Limited),
            Self::Bgra => packed(b"BGRA", Plane::of(4, 0, 0), Full),
            Self::Argb => packed(&[0, 0, 0, 32], Plane::of(4, 0, 0), Full),
            Self::Rgba => packed(b"RGBA", Plane::of(4, 0, 0), Full),
            Self::Gray8 => packed(b"L008", Plane::FULL, Full),
            Self::Gray10 => Facts { shift: 6, range: Some(Full), ..luma(b"L010", 10) },
            Self::Gray16 => Facts { range: Some(Full), ..luma(b"L016", 16) },
            Self::V210 => Facts {
                depth: 10,
                bytes: 4,
                ..packed(b"v210", Plane { samples: 32, across: 48, down: 1 }, Limited)
            },
            Self::I416 => planar(b"I416", 16, 0, 0),
            Self::Argb64 => wide(b"b64a", 4),
            Self::Rgba64 => wide(b"l64r", 4),
            Self::Rgb48 => wide(b"b48r", 3),
            Self::Y8 => luma(b"Y800", 8),
            Self::Y10 => luma(b"Y10 ", 10),
        }
    }

    /// Returns the code by which the format is known; Apple's, where there is one.
    #[doc(alias = "CVPixelBufferGetPixelFormatType")]
    pub const fn four_cc(self) -> [u8; 4] {
        self.facts().code
    }

    /// Returns the format of a code; `None` for codes that are not supported.
    pub fn from_four_cc(code: [u8; 4]) -> Option<Self> {
        let code = if code == *b"ARGB" { Self::Argb.four_cc() } else { code };
        Self::ALL.into_iter().find(|format| format.four_cc() == code)
    }

    /// Returns the range that the code states; `None` where [`Colour::range`](crate::Colour::range) decides.
    pub const fn range(self) -> Option<Range> {
        self.facts().range
    }

    /// Returns the format with the same layout for pictures of `range`, or the format itself where there is
    /// no other.
    ///
    /// An encoder that takes [`PixelFormat::I420`] takes [`PixelFormat::I420Full`] as well, if it is told
    /// that the range is full.
    pub fn with_range(self, range: Range) -> Self {
        match self.range() {
            Some(own) if own == range => self,
            None if range == Range::Limited => self,
            _ => {
                Self::ALL.into_iter().find(|other| *other != self && other.same_layout(self)).unwrap_or(self)
            }
        }
    }

    /// Returns whether the bytes of two formats lie alike, so that at most the meaning of the values differs
    /// (by their range).
    pub fn same_layout(self, other: Self) -> bool {
        const PAIRS: [(PixelFormat, PixelFormat); 8] = [
            (PixelFormat::I420, PixelFormat::I420Full),
            (PixelFormat::Nv12, PixelFormat::Nv12Full),
            (PixelFormat::Nv16, PixelFormat::Nv16Full),
            (PixelFormat::Nv24, PixelFormat::Nv24Full),
            (PixelFormat::P010, PixelFormat::P010Full),
            (PixelFormat::P210, PixelFormat::P210Full),
            (PixelFormat::P410, PixelFormat::P410Full),
            (PixelFormat::Y8, PixelFormat::Gray8),
        ];
        self == other || PAIRS.contains(&(self, other)) || PAIRS.contains(&(other, self))
    }

    /// Returns the number of bits a sample: 8, 10 or 16.
    pub const fn bit_depth(self) -> u32 {
        self.facts().depth
    }

    /// Returns the number of unused bits below a sample: 6 for bi-planar formats of ten bits and
    /// [`PixelFormat::Gray10`], else 0.
    pub const fn bit_shift(self) -> u32 {
        self.facts().shift
    }

    /// Returns the number of bytes that one sample takes in memory: 1 or 2. What counts as a sample of
    /// [`PixelFormat::V210`] is a word of 4 bytes, which has three of them.
    pub const fn bytes_per_sample(self) -> usize {
        self.facts().bytes
    }

    /// Returns the number of planes: 1 to 3.
    #[doc(alias = "CVPixelBufferGetPlaneCount")]
    pub const fn planes(self) -> usize {
        let planes = self.facts().planes;
        if planes[2].samples > 0 {
            3
        } else if planes[1].samples > 0 {
            2
        } else {
            1
        }
    }

    /// Returns whether each component has a plane of its own, with its bits in the low end, as encoders,
    /// decoders and metrics need it: Y, Cb and Cr, or luma alone.
    #[doc(alias = "CVPixelBufferIsPlanar")]
    pub const fn is_planar(self) -> bool {
        self.planes() == 3 || matches!(self, Self::Gray8 | Self::Y8 | Self::Y10)
    }

    /// Returns the format of decoders for pictures of a subsampling and a depth: planar, with the range left
    /// to the colour. `None` for depths other than 8 and 10.
    pub const fn planar(chroma: ChromaSubsampling, depth: u32) -> Option<Self> {
        Some(match (chroma, depth) {
            (ChromaSubsampling::Monochrome, 8) => Self::Y8,
            (ChromaSubsampling::Monochrome, 10) => Self::Y10,
            (ChromaSubsampling::Yuv420, 8) => Self::I420,
            (ChromaSubsampling::Yuv420, 10) => Self::I010,
            (ChromaSubsampling::Yuv422, 8) => Self::I422,
            (ChromaSubsampling::Yuv422, 10) => Self::I210,
            (ChromaSubsampling::Yuv444, 8) => Self::I444,
            (ChromaSubsampling::Yuv444, 10) => Self::I410,
            _ => return None,
        })
    }

    /// Returns how many pixels share a sample of chroma; RGB counts as 4:4:4.
    pub const fn chroma_subsampling(self) -> ChromaSubsampling {
        match self.chroma_block() {
            None => ChromaSubsampling::Monochrome,
            Some((1, _)) => ChromaSubsampling::Yuv444,
            Some((_, 1)) => ChromaSubsampling::Yuv422,
            Some(_) => ChromaSubsampling::Yuv420,
        }
    }

    /// Returns whether samples are red, green and blue, so that there is no matrix.
    pub const fn is_rgb(self) -> bool {
        matches!(self, Self::Bgra | Self::Argb | Self::Rgba | Self::Argb64 | Self::Rgba64 | Self::Rgb48)
    }

    /// Returns whether pixels carry an alpha value.
    pub const fn has_alpha(self) -> bool {
        self.is_rgb() && !matches!(self, Self::Rgb48)
    }

    /// Returns how many pixels (across, down) share a chroma sample: (1, 1) in 4:4:4 and RGB, (2, 1) in
    /// 4:2:2, (2, 2) in 4:2:0; `None` without chroma.
    pub const fn chroma_block(self) -> Option<(u32, u32)> {
        let planes = self.facts().planes;
        match self {
            Self::Gray8 | Self::Gray10 | Self::Gray16 | Self::Y8 | Self::Y10 => None,
            Self::V210 => Some((2, 1)),
            _ if self.planes() == 1 => Some((planes[0].across, planes[0].down)),
            _ => Some((planes[1].across, planes[1].down)),
        }
    }

    /// Returns samples a row and rows of a plane of a picture; odd sizes are rounded up. Samples of several
    /// kinds in one plane all count: a row of `420v` chroma has as many samples as luma, one of `BGRA` four
    /// for each pixel. It returns (0, 0) for planes that the format does not have.
    pub const fn plane_size(self, width: u32, height: u32, plane: usize) -> (u32, u32) {
        if plane >= self.planes() {
            return (0, 0);
        }
        let Plane { samples, across, down } = self.facts().planes[plane];
        (width.div_ceil(across).saturating_mul(samples), height.div_ceil(down))
    }

    /// Returns the number of bytes of one row of a plane without padding.
    pub const fn row_bytes(self, width: u32, plane: usize) -> usize {
        self.plane_size(width, 1, plane).0 as usize * self.bytes_per_sample()
    }

    /// Returns the number of bytes of a whole picture without padding.
    pub fn picture_bytes(self, width: u32, height: u32) -> u64 {
        (0..self.planes())
            .map(|plane| {
                let (w, h) = self.plane_size(width, height, plane);
                u64::from(w) * u64::from(h) * self.bytes_per_sample() as u64
            })
            .sum()
    }
}

impl Colour {
    /// Returns the same tags as they hold for samples in `format`: where its code states a range, that one is
    /// used and known.
    #[must_use]
    pub fn in_format(self, format: PixelFormat) -> Self {
        match format.range() {
            Some(range) => Self { range, range_known: true, ..self },
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec 12.1: each of Apple's codes is known by one format only.
    #[test]
    fn codes_are_unique_and_known() {
        for format in PixelFormat::ALL {
            assert_eq!(PixelFormat::from_four_cc(format.four_cc()), Some(format));
        }
        let must = [b"420v", b"420f", b"y420", b"f420", b"BGRA", b"x420", b"xf20"];
        assert!(must.into_iter().all(|code| PixelFormat::from_four_cc(*code).is_some()));
        assert_eq!(PixelFormat::from_four_cc(*b"ARGB"), Some(PixelFormat::Argb));
        assert_eq!(PixelFormat::from_four_cc(*b"v210"), Some(PixelFormat::V210));
        assert_eq!(PixelFormat::from_four_cc(*b"v216"), None);
    }

    /// The sizes were found by hand, odd ones among them.
    #[test]
    fn planes_have_the_right_sizes() {
        use PixelFormat::*;
        let planes = |format: PixelFormat| [0, 1, 2].map(|plane| format.plane_size(5, 3, plane));
        assert_eq!(planes(I420), [(5, 3), (3, 2), (3, 2)]);
        assert_eq!(planes(I422), [(5, 3), (3, 3), (3, 3)]);
        assert_eq!(planes(I444), [(5, 3), (5, 3), (5, 3)]);
        assert_eq!(planes(Nv12), [(5, 3), (6, 2), (0, 0)]);
        assert_eq!(planes(P210), [(5, 3), (6, 3), (0, 0)]);
        assert_eq!(planes(Nv24), [(5, 3), (10, 3), (0, 0)]);
        assert_eq!(planes(Uyvy), [(12, 3), (0, 0), (0, 0)]);
        assert_eq!(planes(Bgra), [(20, 3), (0, 0), (0, 0)]);
        assert_eq!(planes(Gray8), [(5, 3), (0, 0), (0, 0)]);
        assert_eq!([5, 48, 49].map(|width| V210.row_bytes(width, 0)), [128, 128, 256]);
        assert_eq!([Argb64, Rgba64, Rgb48, Gray16].map(|format| format.row_bytes(5, 0)), [40, 40, 30, 10]);
        assert_eq!((P010.row_bytes(5, 1), P010.picture_bytes(5, 3)), (12, 2 * (15 + 12)));
        assert_eq!((P010.bit_depth(), P010.bit_shift(), I010.bit_shift()), (10, 6, 0));
        assert_eq!(
            [Gray8, Bgra, Uyvy, V210, Nv12].map(PixelFormat::chroma_block),
            [None, Some((1, 1)), Some((2, 1)), Some((2, 1)), Some((2, 2))]
        );
    }

    /// Decoders, encoders and metrics have a format for each subsampling and depth.
    #[test]
    fn planar_formats_are_what_they_were_asked_for() {
        for (chroma, depth) in
            ChromaSubsampling::ALL.into_iter().flat_map(|chroma| [(chroma, 8), (chroma, 10)])
        {
            let format = PixelFormat::planar(chroma, depth).unwrap();
            assert_eq!((format.chroma_subsampling(), format.bit_depth()), (chroma, depth));
            assert!(format.is_planar() && format.range().is_none() && format.bit_shift() == 0);
        }
        assert_eq!(PixelFormat::planar(ChromaSubsampling::Yuv420, 9), None);
        let of = |format: PixelFormat| (format.chroma_subsampling().idc(), format.is_planar());
        assert_eq!(of(PixelFormat::Bgra), (3, false));
        assert_eq!(of(PixelFormat::Uyvy), (2, false));
        assert_eq!(of(PixelFormat::Nv12), (1, false));
        assert_eq!(of(PixelFormat::Gray8), (0, true));
    }

    /// Table 12.4: a code and its full-range sibling differ in nothing but the range.
    #[test]
    fn ranges_of_codes_and_colours_agree() {
        use PixelFormat::*;
        let pairs = [(I420, I420Full), (Nv12, Nv12Full), (P010, P010Full), (P410, P410Full)];
        for (limited, full) in pairs {
            assert_eq!((limited.with_range(Range::Full), full.with_range(Range::Limited)), (full, limited));
            assert_eq!((limited.with_range(Range::Limited), full.with_range(Range::Full)), (limited, full));
            assert_eq!(limited.picture_bytes(7, 9), full.picture_bytes(7, 9));
            assert_eq!(full.range(), Some(Range::Full));
        }
        assert_eq!((Y8.with_range(Range::Full), Gray8.with_range(Range::Limited)), (Gray8, Y8));
        assert_eq!((I010.with_range(Range::Full), Bgra.with_range(Range::Limited)), (I010, Bgra));

        let full = Colour { range: Range::Full, range_known: true, ..Colour::default() };
        assert_eq!(full.in_format(Nv12).range, Range::Limited);
        assert_eq!(full.in_format(I420), full);
        assert_eq!(Colour::default().in_format(I420), Colour::default());
        assert_eq!(Colour::default().in_format(I420Full), full);
    }
}
