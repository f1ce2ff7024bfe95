//! Turned and mirrored pictures are compared pixel by pixel.

use proptest::prelude::*;
use retake_media::{
    Attachment, Attachments, CleanAperture, Colour, PixelBuffer, PixelBufferAttributes, PixelFormat,
    Rational, Rotation, RotationOptions, TransferError, WritableBuffer, rotate,
};

fn buffer(format: PixelFormat, width: u32, height: u32) -> WritableBuffer {
    WritableBuffer::create(&PixelBufferAttributes::of(format, width, height)).expect("a size and a format")
}

fn random(format: PixelFormat, width: u32, height: u32, mut seed: u32) -> PixelBuffer {
    let mut buffer = buffer(format, width, height);
    for plane in 0..format.planes() {
        for byte in buffer.plane_mut(plane) {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = (seed >> 24) as u8;
        }
    }
    buffer.freeze()
}

fn turned(source: &PixelBuffer, options: RotationOptions) -> Result<PixelBuffer, TransferError> {
    let swapped = matches!(options.rotation, Rotation::Clockwise | Rotation::CounterClockwise);
    let (width, height) = (source.width(), source.height());
    let (width, height) = if swapped { (height, width) } else { (width, height) };
    let mut destination = buffer(source.format(), width, height);
    rotate(source, &mut destination, &options).map(|()| destination.freeze())
}

/// Returns the bytes of one pixel: luma and the shared chroma, or the whole.
fn pixel(picture: &PixelBuffer, x: u32, y: u32) -> Vec<u8> {
    let format = picture.format();
    let (across, down) = format.chroma_block().unwrap_or((1, 1));
    if matches!(format, PixelFormat::Uyvy | PixelFormat::Yuyv) {
        let place = &picture.row(0, y as usize)[4 * (x / 2) as usize..][..4];
        let first = usize::from(format == PixelFormat::Uyvy);
        return vec![place[first + 2 * (x % 2) as usize], place[1 - first], place[3 - first]];
    }
    if format == PixelFormat::V210 {
        let row = picture.row(0, y as usize);
        let sample = |number: u32| {
            let word = &row[4 * (number / 3) as usize..][..4];
            u32::from_le_bytes(word.try_into().expect("a word has four bytes")) >> (10 * (number % 3)) & 1023
        };
        let chroma = x / 2 * 4;
        return [2 * x + 1, chroma, chroma + 2].into_iter().flat_map(|n| sample(n).to_le_bytes()).collect();
    }
    (0..format.planes())
        .flat_map(|plane| {
            let (x, y) = if plane == 0 { (x, y) } else { (x / across, y / down) };
            let size = format.row_bytes(1, plane);
            picture.row(plane, y as usize)[x as usize * size..][..size].to_vec()
        })
        .collect()
}

fn any_rotation() -> impl Strategy<Value = Rotation> {
    use Rotation::{Clockwise, CounterClockwise, Half, None};
    prop::sample::select(vec![None, Clockwise, Half, CounterClockwise])
}

proptest! {
    /// Spec 13, rotation: each pixel lies where a turn, and then the flips, take it.
    #[test]
    fn pixels_go_where_they_should(
        format in prop::sample::select(PixelFormat::ALL.to_vec()),
        rotation in any_rotation(),
        flips: (bool, bool),
        (width, height) in (1_u32..14, 1_u32..14),
        seed: u32,
    ) {
        let source = random(format, width, height, seed);
        let options = RotationOptions { rotation, flip_horizontal: flips.0, flip_vertical: flips.1 };
        let made = match turned(&source, options) {
            Ok(made) => made,
            Err(error) => {
                // A refusal is right only where chroma stands in the way.
                prop_assert_eq!(error.code(), -12914);
                let (across, down) = format.chroma_block().unwrap_or((1, 1));
                prop_assert!(across != down || width % across != 0 || height % down != 0);
                return Ok(());
            }
        };
        for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
            let (mut to_x, mut to_y) = match rotation {
                Rotation::None => (x, y),
                Rotation::Clockwise => (height - 1 - y, x),
                Rotation::Half => (width - 1 - x, height - 1 - y),
                Rotation::CounterClockwise => (y, width - 1 - x),
            };
            if flips.0 {
                to_x = made.width() - 1 - to_x;
            }
            if flips.1 {
                to_y = made.height() - 1 - to_y;
            }
            prop_assert_eq!(pixel(&source, x, y), pixel(&made, to_x, to_y));
        }
    }
}

/// Pictures that do not fit are refused with -12914: for their sizes, their formats, or chroma that other
/// pixels would share.
#[test]
fn what_cannot_be_turned_is_refused() {
    let quarter = RotationOptions { rotation: Rotation::Clockwise, ..RotationOptions::default() };
    let code = |source: PixelFormat, size: (u32, u32), mut to: WritableBuffer, options| {
        rotate(&random(source, size.0, size.1, 1), &mut to, &options).err().map(|error| error.code())
    };
    use PixelFormat::{Bgra, I420, Nv12, Nv16};
    assert_eq!(code(Nv12, (8, 4), buffer(Nv12, 4, 8), quarter), None);
    assert_eq!(code(Nv12, (8, 4), buffer(Nv12, 8, 4), quarter), Some(-12914));
    assert_eq!(code(Nv12, (8, 4), buffer(I420, 4, 8), quarter), Some(-12914));
    assert_eq!(code(Nv16, (8, 4), buffer(Nv16, 4, 8), quarter), Some(-12914));
    assert_eq!(code(Bgra, (7, 3), buffer(Bgra, 3, 7), quarter), None);
    // The odd row is counted backwards, the odd column is not.
    assert_eq!(code(Nv12, (7, 4), buffer(Nv12, 4, 7), quarter), None);
    assert_eq!(code(Nv12, (8, 3), buffer(Nv12, 3, 8), quarter), Some(-12914));
}

/// Attachments that state a direction turn with the picture.
#[test]
fn attachments_turn_along() {
    let number = |n| Rational::new(n, 1);
    let aperture = CleanAperture {
        width: number(6),
        height: number(2),
        horizontal_offset: number(1),
        vertical_offset: number(-1),
    };
    let colour = Colour { matrix: 9, chroma_location: 1, ..Colour::default() };
    let attachments = Attachments::NONE
        .with(Attachment::Colour(colour))
        .with(Attachment::PixelAspectRatio(Rational::new(4, 3)))
        .with(Attachment::CleanAperture(aperture));
    let source = random(PixelFormat::Nv12, 8, 4, 1).with_attachments(attachments);
    let told = |rotation| {
        let made = turned(&source, RotationOptions { rotation, ..RotationOptions::default() }).unwrap();
        let attachments = made.attachments();
        (attachments.pixel_aspect_ratio(), attachments.clean_aperture(), attachments.colour())
    };
    assert_eq!(told(Rotation::None), (Some(Rational::new(4, 3)), Some(aperture), Some(colour)));
    // A quarter turn takes 1 to the right and 1 up to 1 down and 1 to the right.
    let expected = CleanAperture {
        width: number(2),
        height: number(6),
        horizontal_offset: number(1),
        vertical_offset: number(1),
    };
    let unknown = Colour { chroma_location: 0, ..colour };
    assert_eq!(told(Rotation::Clockwise), (Some(Rational::new(3, 4)), Some(expected), Some(unknown)));
}
