//! Refuses options in the encoders' own words that would take control from Retake.

/// Option names that belong to Retake, each with advice what to use instead.
pub(crate) type Refused = &'static [(&'static str, &'static str)];

/// Returns why an option must not be given; `None` if it may.
pub(crate) fn refusal(refused: Refused, key: &str) -> Option<&'static str> {
    let key = normalise(key);
    let bare = key.strip_prefix("no-").or_else(|| key.strip_prefix("no")).unwrap_or(&key);
    refused.iter().find(|(name, _)| *name == key || *name == bare).map(|(_, reason)| *reason)
}

/// Returns whether an option of this name is among those that are given.
pub(crate) fn is_set(options: &[(String, String)], name: &str) -> bool {
    options.iter().any(|(key, _)| normalise(key) == name)
}

/// Normalises a name, because the encoders take `_` for `-`.
fn normalise(key: &str) -> String {
    key.trim().trim_start_matches("--").replace('_', "-")
}

/// Reasons that more than one encoder gives.
pub(crate) mod reason {
    pub(crate) const THREADS: &str =
        "threads are part of the settings, because bytes depend on them: set the number of threads instead";
    pub(crate) const DETERMINISM: &str = "equal settings would no longer give equal bytes";
    pub(crate) const STREAM: &str = "the form of the stream is fixed, so that takes can be joined";
    pub(crate) const CLOSED: &str =
        "takes need closed groups of pictures, so that each can be replaced alone";
    pub(crate) const RATE: &str = "set the quality or the average bit rate instead";
    pub(crate) const LIMIT: &str = "set the limit of the data rate instead";
    pub(crate) const DELAY: &str =
        "how many frames are held back is a setting of its own: bound the delay of a session instead";
    pub(crate) const KEYS: &str = "set the maximum key frame interval instead";
    pub(crate) const INPUT: &str =
        "it follows from the source: size, rate, depth and colour are settings of their own";
    pub(crate) const PASSES: &str = "passes are planned by Retake";
    pub(crate) const FILES: &str = "an encode writes no files of its own";
    pub(crate) const PRESET: &str = "set the preset instead";
    pub(crate) const RECONSTRUCT: &str = "ask for reconstructed pictures instead";
    pub(crate) const LOG: &str = "the library is kept silent";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_does_not_get_past() {
        const REFUSED: Refused = &[("repeat-headers", "no"), ("threads", "no")];
        for key in ["repeat-headers", "repeat_headers", "no-repeat-headers", "norepeat_headers", "--threads"]
        {
            assert!(refusal(REFUSED, key).is_some(), "{key}");
        }
        assert_eq!(refusal(REFUSED, "me"), None);
    }
}
