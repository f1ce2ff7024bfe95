//! The attachments of the result describe it truly.

use crate::pictures::{buffer, random, transfer};
use retake_libav::PictureTransfer;
use retake_media::{
    AlphaMode, Attachment, AttachmentMode, AttachmentValue, Attachments, CleanAperture, Colour, ContentLight,
    Downsampling, PixelFormat, PixelTransfer, Range, Rational, ScalingMode, TransferOptions,
};

fn note(name: &str) -> Attachment {
    Attachment::Other(name.to_owned(), AttachmentValue::Bool(true))
}

/// Spec 13: the destination's attachments are replaced; those of the source that do not concern the
/// conversion go along, if they propagate.
#[test]
fn attachments_are_replaced() {
    let light = ContentLight { max_content: 1000, max_frame_average: 400 };
    let colour = Colour { primaries: 9, transfer: 16, matrix: 9, chroma_location: 3, ..Colour::default() };
    let mut attachments = Attachments::NONE
        .with(Attachment::Colour(colour))
        .with(Attachment::ContentLight(light))
        .with(Attachment::AlphaMode(AlphaMode::Straight))
        .with(note("scene"));
    attachments.set(note("scratch"), AttachmentMode::DoNotPropagate);
    let source = random(PixelFormat::P010, 16, 8, 1).with_attachments(attachments);
    let mut destination = buffer(PixelFormat::Nv12Full, 16, 8);
    destination.attachments_mut().set(note("old"), AttachmentMode::Propagate);
    PictureTransfer::new().transfer(&source, &mut destination, &TransferOptions::default()).unwrap();

    let expected = Attachments::NONE
        .with(Attachment::ContentLight(light))
        .with(note("scene"))
        .with(Attachment::Colour(Colour { range: Range::Full, range_known: true, ..colour }));
    assert_eq!(*destination.attachments(), expected);
}

/// The matrix that was used is named, also where the source does not know its own; RGB remembers it for the
/// way back.
#[test]
fn the_matrix_is_named() {
    let matrix = |from, to, size| {
        let made = transfer(&random(from, size, size, 1), to, (size, size), &TransferOptions::default());
        made.unwrap().colour().matrix
    };
    assert_eq!(matrix(PixelFormat::Nv12, PixelFormat::I420, 16), 2);
    assert_eq!(matrix(PixelFormat::Nv12, PixelFormat::Bgra, 16), 6);
    assert_eq!(matrix(PixelFormat::Bgra, PixelFormat::Nv12, 720), 1);
    let rgb = transfer(
        &random(PixelFormat::Nv12, 16, 16, 1),
        PixelFormat::Bgra,
        (16, 720),
        &TransferOptions::default(),
    );
    let back = transfer(&rgb.unwrap(), PixelFormat::Nv12, (16, 720), &TransferOptions::default()).unwrap();
    assert_eq!(back.colour().matrix, 6);
    assert_eq!((back.colour().range, back.colour().range_known), (Range::Limited, true));
}

/// The location of chroma follows the downsampling.
#[test]
fn chroma_locations_follow_the_downsampling() {
    let location = |from, to, own, downsampling| {
        let colour = Colour { chroma_location: own, ..Colour::default() };
        let source = crate::pictures::tagged(random(from, 16, 8, 1), colour);
        let options = TransferOptions { downsampling, ..TransferOptions::default() };
        transfer(&source, to, (16, 8), &options).unwrap().colour().chroma_location
    };
    use Downsampling::{Average, Decimate};
    use PixelFormat::{Bgra, I422, I444, Nv12};
    assert_eq!(location(Bgra, Nv12, 0, Decimate), 3);
    assert_eq!(location(I444, Nv12, 0, Average), 2);
    assert_eq!(location(I422, Nv12, 1, Average), 1);
    assert_eq!(location(I422, Nv12, 1, Decimate), 3);
    assert_eq!(location(Nv12, PixelFormat::P010, 5, Decimate), 5);
    assert_eq!(location(Nv12, Bgra, 5, Decimate), 0);
}

/// A stretched picture states by the shape of its pixels that it looks as before; other modes state what the
/// options say.
#[test]
fn the_shape_is_told() {
    let aperture = |width, height| CleanAperture::full(width, height);
    let ratio = Rational::new(4, 3);
    let source = random(PixelFormat::Nv12, 96, 64, 1).with_attachments(
        Attachments::NONE
            .with(Attachment::PixelAspectRatio(ratio))
            .with(Attachment::CleanAperture(aperture(90, 60))),
    );
    let shape = |size, options: TransferOptions| {
        let made = transfer(&source, PixelFormat::Nv12, size, &options).unwrap();
        (made.attachments().pixel_aspect_ratio(), made.attachments().clean_aperture())
    };
    let normal = TransferOptions::default();
    assert_eq!(shape((48, 32), normal), (Some(ratio), Some(aperture(45, 30))));
    assert_eq!(shape((128, 64), normal).0, Some(Rational::new(1, 1)));
    let letterbox = TransferOptions { scaling_mode: ScalingMode::Letterbox, ..normal };
    assert_eq!(shape((64, 64), letterbox), (Some(ratio), None));
    let square = TransferOptions {
        destination_pixel_aspect_ratio: Some(Rational::new(1, 1)),
        destination_clean_aperture: Some(aperture(60, 60)),
        ..letterbox
    };
    assert_eq!(shape((64, 64), square), (Some(Rational::new(1, 1)), Some(aperture(60, 60))));
    let crop = TransferOptions { scaling_mode: ScalingMode::CropSourceToCleanAperture, ..normal };
    assert_eq!(shape((64, 64), crop), (Some(Rational::new(1, 1)), None));
}
