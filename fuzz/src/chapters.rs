//! Any text as a file of chapters: what is taken for one has times that ascend, and reads the same again.

use retake_export::fuzzing;

pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(chapters) = fuzzing::chapters(&text) else { return };
    assert!(!chapters.is_empty());
    assert!(chapters.windows(2).all(|pair| pair[0].0 < pair[1].0), "{chapters:?}");
    let written: String = chapters
        .iter()
        .map(|(nanoseconds, name)| {
            let (seconds, fraction) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
            let (minutes, seconds) = (seconds / 60, seconds % 60);
            format!("{}:{:02}:{seconds:02}.{fraction:09} {name}\n", minutes / 60, minutes % 60)
        })
        .collect();
    assert_eq!(fuzzing::chapters(&written), Ok(chapters), "{written:?}");
}

pub fn seeds() -> Vec<Vec<u8>> {
    let texts = [
        "0:00 One\n\n01:05.5\tTwo = words\n1:00:00,500\n",
        "CHAPTER01=00:00:00.000\r\nCHAPTER01NAME=One\r\nCHAPTER02=00:05:00.000\r\nCHAPTER02NAME=Two\r\n",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}
