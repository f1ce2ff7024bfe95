//! Words that properties take, each with its name on the wire.

use super::PropertyValue;
use retake_media::ChromaSubsampling;

/// Writes an enumeration whose variants have names on the wire.
macro_rules! enumeration {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $wire:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// All of them, in the order in which they are listed to people.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $wire,)* }
            }

            /// The one of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }

            pub(crate) fn names() -> Vec<String> {
                Self::ALL.iter().map(|one| one.name().to_owned()).collect()
            }

        }

        impl From<$name> for PropertyValue {
            fn from(value: $name) -> Self {
                value.name().into()
            }
        }
    };
}

/// Code points of ITU-T H.273.
macro_rules! code_points {
    ($name:ident: $($variant:ident = $code:literal),* $(,)?) => {
        impl $name {
            /// The code point of ITU-T H.273, as [`Colour`](retake_media::Colour) keeps it.
            pub const fn code_point(self) -> u8 {
                match self { $(Self::$variant => $code,)* }
            }

            /// The one with that code point, if it has a name here.
            pub fn from_code_point(code: u8) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.code_point() == code)
            }
        }
    };
}

enumeration! {
    /// The primaries that colours are mixed of.
    #[doc(alias = "kCVImageBufferColorPrimariesKey")]
    ColorPrimaries {
        /// BT.709: high definition.
        Bt709 = "ITU_R_709_2",
        /// EBU 3213: PAL.
        Ebu3213 = "EBU_3213",
        /// SMPTE C: NTSC.
        SmpteC = "SMPTE_C",
        /// DCI P3 with the theatre's white.
        DciP3 = "DCI_P3",
        /// P3 with daylight white.
        P3D65 = "P3_D65",
        /// BT.2020: ultra high definition.
        Bt2020 = "ITU_R_2020",
    }
}

code_points!(ColorPrimaries: Bt709 = 1, Ebu3213 = 5, SmpteC = 6, DciP3 = 11, P3D65 = 12, Bt2020 = 9);

enumeration! {
    /// How light becomes sample values.
    #[doc(alias = "kCVImageBufferTransferFunctionKey")]
    TransferFunction {
        /// BT.709.
        Bt709 = "ITU_R_709_2",
        /// SMPTE 240M.
        Smpte240M = "SMPTE_240M_1995",
        /// Linear light.
        Linear = "Linear",
        /// sRGB.
        Srgb = "IEC_sRGB",
        /// BT.2020; the same curve as BT.709.
        Bt2020 = "ITU_R_2020",
        /// SMPTE ST 2084, PQ: HDR10.
        Pq = "SMPTE_ST_2084_PQ",
        /// SMPTE ST 428-1: digital cinema.
        SmpteSt428 = "SMPTE_ST_428_1",
        /// BT.2100 HLG.
        Hlg = "ITU_R_2100_HLG",
    }
}

code_points!(
    TransferFunction: Bt709 = 1, Smpte240M = 7, Linear = 8, Srgb = 13, Bt2020 = 14, Pq = 16, SmpteSt428 = 17, Hlg = 18
);

enumeration! {
    /// How red, green and blue become luma and chroma.
    #[doc(alias = "kCVImageBufferYCbCrMatrixKey")]
    YCbCrMatrix {
        /// BT.709.
        Bt709 = "ITU_R_709_2",
        /// BT.601.
        Bt601 = "ITU_R_601_4",
        /// SMPTE 240M.
        Smpte240M = "SMPTE_240M_1995",
        /// BT.2020, not constant luminance.
        Bt2020 = "ITU_R_2020",
    }
}

code_points!(YCbCrMatrix: Bt709 = 1, Bt601 = 6, Smpte240M = 7, Bt2020 = 9);

enumeration! {
    /// How symbols of H.264 are written.
    H264EntropyMode {
        /// Variable-length codes: faster, about a tenth larger.
        #[doc(alias = "kVTH264EntropyMode_CAVLC")]
        Cavlc = "CAVLC",
        /// Arithmetic coding; not with Baseline.
        #[doc(alias = "kVTH264EntropyMode_CABAC")]
        Cabac = "CABAC",
    }
}

enumeration! {
    /// How many pixels share a sample of chroma in the stream.
    OutputChroma {
        /// As many as in the first picture, or the nearest that encoder and profile have, finer rather than
        /// coarser.
        Source = "Source",
        /// Luma alone.
        Monochrome = "4:0:0",
        /// Two by two.
        Yuv420 = "4:2:0",
        /// Two of a row.
        Yuv422 = "4:2:2",
        /// Each has its own.
        Yuv444 = "4:4:4",
    }
}

impl OutputChroma {
    /// Returns the subsampling that is meant; `None` for the source's.
    pub fn subsampling(self) -> Option<ChromaSubsampling> {
        match self {
            Self::Source => None,
            Self::Monochrome => Some(ChromaSubsampling::Monochrome),
            Self::Yuv420 => Some(ChromaSubsampling::Yuv420),
            Self::Yuv422 => Some(ChromaSubsampling::Yuv422),
            Self::Yuv444 => Some(ChromaSubsampling::Yuv444),
        }
    }
}

enumeration! {
    /// Which HDR metadata goes into the stream.
    HdrMetadataInsertionMode {
        /// None of any kind.
        #[doc(alias = "kVTHDRMetadataInsertionMode_None")]
        None = "None",
        /// What is known and fits the colours of the output.
        #[doc(alias = "kVTHDRMetadataInsertionMode_Auto")]
        Auto = "Auto",
        /// What is known, and colours that keep pictures of standard range as they look. No session takes it,
        /// because no colour service is there that could do so (HD-3).
        #[doc(alias = "kVTHDRMetadataInsertionMode_RequestSDRRangePreservation")]
        RequestSdrRangePreservation = "RequestSDRRangePreservation",
    }
}
