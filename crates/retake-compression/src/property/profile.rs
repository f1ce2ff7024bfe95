//! Names of profiles and levels on the wire, made of what an encoder says it has.

use crate::encoder::{EncoderInfo, ProfileSupport};
use retake_media::Codec;

const AUTO: &str = "AutoLevel";

/// What a name of ProfileLevel asks of the encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProfileLevel<'a> {
    /// The encoder's own name, and the pictures that it is for.
    pub(crate) profile: &'a ProfileSupport,
    /// Times ten; none is left to the encoder.
    pub(crate) level: Option<u32>,
}

/// All names that the encoder takes: `H264_High_4_1`, `HEVC_Main10_AutoLevel` …
pub(crate) fn names(info: &EncoderInfo) -> Vec<String> {
    let levels = || info.controls.levels.iter().copied().map(Some).chain([None]);
    info.controls
        .profiles
        .iter()
        .flat_map(|profile| levels().map(move |level| name(info.codec, profile.name, level)))
        .collect()
}

/// What a name stands for, if the encoder takes it.
pub(crate) fn parse<'a>(info: &'a EncoderInfo, wanted: &str) -> Option<ProfileLevel<'a>> {
    let levels = || info.controls.levels.iter().copied().map(Some).chain([None]);
    info.controls.profiles.iter().find_map(|profile| {
        let level = levels().find(|&level| name(info.codec, profile.name, level) == wanted)?;
        Some(ProfileLevel { profile, level })
    })
}

/// Returns the value of ProfileLevel that asks for a profile of an encoder of this codec, and for a level,
/// times ten; `None` leaves the level to the encoder.
pub fn profile_level_name(codec: Codec, profile: &ProfileSupport, level: Option<u32>) -> String {
    name(codec, profile.name, level)
}

fn name(codec: Codec, profile: &str, level: Option<u32>) -> String {
    let codec = match codec {
        Codec::H264 => "H264",
        Codec::Hevc => "HEVC",
        Codec::Av1 => "AV1",
        Codec::Vp9 => "VP9",
        Codec::Vvc => "VVC",
        Codec::Mpeg4 => "MP4V",
        Codec::Mpeg2 => "MPEG2",
        Codec::ProRes => "ProRes",
    };
    // main422-10 becomes Main42210, as the original has it
    let profile: String = profile.split('-').map(capitalised).collect();
    match level {
        Some(level) => format!("{codec}_{profile}_{}_{}", level / 10, level % 10),
        None => format!("{codec}_{profile}_{AUTO}"),
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|letter| letter.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_original() {
        assert_eq!(name(Codec::H264, "high", Some(41)), "H264_High_4_1");
        assert_eq!(name(Codec::H264, "baseline", None), "H264_Baseline_AutoLevel");
        assert_eq!(name(Codec::Hevc, "main10", None), "HEVC_Main10_AutoLevel");
        assert_eq!(name(Codec::Hevc, "main422-10", None), "HEVC_Main42210_AutoLevel");
        assert_eq!(name(Codec::Hevc, "monochrome10", None), "HEVC_Monochrome10_AutoLevel");
        assert_eq!(name(Codec::H264, "constrained-high", None), "H264_ConstrainedHigh_AutoLevel");
    }
}
