//! Decides which tags of a source are still true in a new file.

use crate::container::Container;

/// Tags that describe the file they were read from: its brands, its writer, its sizes. They are compared
/// without case.
const OF_THE_FILE: [&str; 9] = [
    "major_brand",
    "minor_version",
    "compatible_brands",
    "encoder",
    "encoding_tool",
    "encoder_settings",
    "encoded_library_settings",
    "writing_application",
    "duration",
];

/// Statistics that Matroska writers leave with each track, also with a language behind a dash.
const STATISTICS: [&str; 11] = [
    "bps",
    "duration",
    "number_of_frames",
    "number_of_bytes",
    "_statistics_writing_app",
    "_statistics_writing_date_utc",
    "_statistics_tags",
    "source_id",
    "bitrate",
    "variant_bitrate",
    "segmentuid",
];

/// Tags that describe how a video was encoded, and are wrong once it is encoded anew.
const OF_THE_ENCODING: [&str; 9] = [
    "encoder",
    "encoder_options",
    "encoder_settings",
    "encoding_settings",
    "encoding_params",
    "encoded_library_settings",
    "writing_library",
    "alpha_mode",
    "enc_key_id",
];

/// Returns whether a tag of the film goes into a new file: it does not speak of the file that it was read
/// from, such as its writer and its sizes.
pub fn keeps_for_film(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !OF_THE_FILE.contains(&name.as_str()) && !is_statistic(&name)
}

/// Returns whether a tag of a track goes into the new file.
pub(crate) fn keeps_for_track(name: &str, container: Container, encoded_anew: bool) -> bool {
    let name = name.to_ascii_lowercase();
    // These are names of boxes, which other containers cannot hold.
    let of_boxes = name == "vendor_id" || (name == "handler_name" && !container.is_iso());
    // These are names of attached files, which ISO files have none of.
    let of_boxes = of_boxes || (container.is_iso() && ["filename", "mimetype"].contains(&name.as_str()));
    let outdated = encoded_anew && OF_THE_ENCODING.contains(&name.as_str());
    !(is_statistic(&name) || of_boxes || outdated)
}

fn is_statistic(name: &str) -> bool {
    let base = name.split_once('-').map_or(name, |(base, _)| base);
    STATISTICS.contains(&base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_speaks_of_the_old_file_stays_there() {
        for name in ["major_brand", "ENCODER", "NUMBER_OF_BYTES-eng", "BPS", "DURATION"] {
            assert!(!keeps_for_film(name), "{name}");
        }
        for name in ["BPS-eng", "_STATISTICS_TAGS", "vendor_id"] {
            assert!(!keeps_for_track(name, Container::Mp4, false), "{name}");
        }
        assert!(!keeps_for_track("encoder", Container::Mkv, true));
        assert!(!keeps_for_track("ALPHA_MODE", Container::WebM, true));
        assert!(keeps_for_track("ENCODER", Container::Mkv, false));
        assert!(!keeps_for_track("handler_name", Container::Mkv, false));
        assert!(keeps_for_track("language", Container::Mp4, true));
        assert!(keeps_for_film("title") && keeps_for_film("creation_time"));
    }
}
