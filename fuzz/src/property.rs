//! Any text as saved properties and as the value of one: no panic, and what was read is written and read
//! again as the same.

use retake_compression::property::{PropertyKey, PropertyValue, SavedProperties};

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(saved) = serde_json::from_str::<SavedProperties>(text) {
        let again = serde_json::to_string(&saved).expect("what was read can be written");
        assert_eq!(
            serde_json::from_str::<SavedProperties>(&again).expect("what was written can be read"),
            saved
        );
        for (name, value) in &saved.0 {
            let _ = PropertyKey::from_name(name);
            look(value);
        }
    }
    if let Ok(value) = serde_json::from_str::<PropertyValue>(text) {
        look(&value);
    }
}

fn look(value: &PropertyValue) {
    let _ = (value.as_f64(), value.as_i64(), value.as_bool(), value.as_str(), value.to_string());
    if let Some(bytes) = value.to_bytes() {
        assert_eq!(PropertyValue::from_bytes(&bytes), *value);
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        r#"{"AverageBitRate": 800000, "AllowFrameReordering": true, "Quality": 0.5, "ProfileLevel": "H264_High_AutoLevel"}"#,
        r#"{"DataRateLimits": [125000, 1.0], "PixelAspectRatio": {"HorizontalSpacing": 1, "VerticalSpacing": 1}}"#,
        "[0, 255, 7]",
        "0.25",
    ];
    let known = |text: &str| {
        serde_json::from_str::<SavedProperties>(text).map(|saved| saved.0.into_keys().collect::<Vec<_>>())
    };
    for name in texts.iter().filter_map(|text| known(text).ok()).flatten() {
        assert!(PropertyKey::from_name(&name).is_some(), "no property has the name {name}");
    }
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
