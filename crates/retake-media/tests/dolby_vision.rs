//! Metadata of Dolby Vision come from files: whatever they hold is read without a panic, and never grows.

use proptest::prelude::*;
use retake_media::{dolby_vision_profile, dolby_vision_rpu};

proptest! {
    /// [HD-4]: bytes of any kind, also such that begin as metadata do, have a profile or none.
    #[test]
    fn any_bytes_have_a_profile_or_none(
        head in prop::sample::select(vec![vec![], vec![25], vec![25, 8, 9, 8, 64, 97, 54, 80]]),
        rest in prop::collection::vec(prop_oneof![Just(0_u8), Just(3), Just(255), any::<u8>()], 0..200),
    ) {
        let bytes = [head, rest].concat();
        let plain = dolby_vision_rpu(&bytes);
        prop_assert!(plain.len() <= bytes.len());
        prop_assert!(dolby_vision_profile(&plain).is_none_or(|profile| [4, 5, 7, 8].contains(&profile)));
    }
}
