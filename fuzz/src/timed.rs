//! Any bytes as a sample of timed metadata, or of text: they are refused, or the items that were read are
//! read again from what is written for them; a text is never longer than its sample and what replaces its
//! damaged characters.

use retake_media::{
    Caption, MetadataFormat, MetadataItem, MetadataKey, MetadataType, MetadataValue, TextFormat, TextStyle,
    TimeRange,
};

const TEXTS: [TextFormat; 4] =
    [TextFormat::TimedText, TextFormat::QuickTimeText, TextFormat::SubRip, TextFormat::WebVtt];

fn format() -> MetadataFormat {
    let keys = MetadataType::ALL.map(|kind| MetadataKey::new(format!("com.example.{kind:?}"), kind));
    MetadataFormat::new(keys.to_vec()).expect("the keys differ")
}

pub fn run(data: &[u8]) {
    for text in TEXTS {
        assert!(text.text(data).len() <= 3 * data.len(), "a character is replaced by three bytes");
        let caption = text.caption(data, TimeRange::EVERYTHING);
        let short = caption.text.len() < 1 << 16 && !caption.text.contains('\0');
        assert!(!short || caption.is_storable(), "styles that were read are those of the text");
    }
    let format = format();
    let Some(items) = format.items(data) else { return };
    let again = format.payload(&items).expect("what was read is described");
    let same = format.items(&again).expect("what was written can be read");
    // numbers that are not a number are not equal to themselves, and so their bytes are compared
    assert_eq!(format.payload(&same), Ok(again), "what was read is written again");
}

pub fn seeds() -> Vec<Vec<u8>> {
    let item =
        |value: MetadataValue| MetadataItem::new(format!("com.example.{:?}", value.data_type()), value);
    let items = [
        MetadataValue::Data(vec![1, 2]),
        MetadataValue::Text("héllo".into()),
        MetadataValue::Integer(-3),
        MetadataValue::Float(0.5),
    ];
    let payload = format().payload(&items.map(item)).expect("the items are described");
    let style = TextStyle { characters: 1..3, bold: true, italic: true, underline: false };
    let caption = Caption { styles: vec![style], ..Caption::new("a < b\nç", TimeRange::EVERYTHING) };
    let texts = TEXTS.map(|format| format.sample(&caption));
    [vec![payload, MetadataFormat::NOTHING.to_vec()], texts.to_vec()].concat()
}
