//! Writes subtitles as Blu-ray discs have them (PGS), in a file as FFmpeg reads it (`.sup`).

/// A box of two halves: the left one opaque, the right one as opaque as [`Shown::alpha`] says.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// When it appears and goes, in seconds.
    pub from: f64,
    /// When it goes; `None` if only the next one tells.
    pub until: Option<f64>,
    /// The place of its upper left sample, and its even width, and its height.
    pub place: (u16, u16, u16, u16),
    /// Y, Cb and Cr of both halves, in limited range.
    pub colours: [[u8; 3]; 2],
    /// How opaque the right half is, up to 255.
    pub alpha: u8,
}

/// Returns a file with a canvas of a size, on which all of these are shown, in their order. It begins with an
/// empty set at zero, because FFmpeg's tools take the first time of a file for its start.
pub fn sup((width, height): (u16, u16), shown: &[Shown]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut number = 0;
    let mut composition = |time: f64, objects: &[u8], file: &mut Vec<u8>| {
        let mut body = Vec::new();
        body.extend([width.to_be_bytes(), height.to_be_bytes()].concat());
        body.push(0x10);
        body.extend(u16::to_be_bytes(number));
        // The start of an epoch, without a change of the palette alone, and with the first palette.
        body.extend([0x80, 0, 0, u8::from(!objects.is_empty())]);
        body.extend(objects);
        segment(time, 0x16, &body, file);
        number += 1;
    };
    composition(0.0, &[], &mut file);
    segment(0.0, 0x80, &[], &mut file);
    for Shown { from, until, place: (x, y, w, h), colours, alpha } in shown {
        let objects = [&[0, 1, 0, 0][..], &x.to_be_bytes(), &y.to_be_bytes()].concat();
        composition(*from, &objects, &mut file);
        let window = [x, y, w, h].map(|value| value.to_be_bytes()).concat();
        segment(*from, 0x17, &[&[1, 0][..], &window].concat(), &mut file);
        let entry = |id: u8, [luma, blue, red]: [u8; 3], alpha: u8| [id, luma, red, blue, alpha];
        let palette = [entry(1, colours[0], 255), entry(2, colours[1], *alpha)].concat();
        segment(*from, 0x14, &[&[0, 0][..], &palette].concat(), &mut file);
        let run = |colour: u8| {
            let [high, low] = (w / 2).to_be_bytes();
            [0, 0xC0 | high, low, colour]
        };
        let row = [&run(1)[..], &run(2), &[0, 0]].concat();
        let runs = row.repeat(usize::from(*h));
        let length = runs.len() as u32 + 4;
        let head = [&[0, 1, 0, 0xC0][..], &length.to_be_bytes()[1..], &w.to_be_bytes(), &h.to_be_bytes()];
        segment(*from, 0x15, &[head.concat(), runs].concat(), &mut file);
        segment(*from, 0x80, &[], &mut file);
        if let Some(until) = until {
            composition(*until, &[], &mut file);
            segment(*until, 0x80, &[], &mut file);
        }
    }
    file
}

fn segment(time: f64, kind: u8, body: &[u8], file: &mut Vec<u8>) {
    file.extend(b"PG");
    file.extend(((time * 90_000.0).round() as u32).to_be_bytes());
    file.extend([0; 4]);
    file.push(kind);
    file.extend((body.len() as u16).to_be_bytes());
    file.extend(body);
}
