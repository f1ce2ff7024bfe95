//! Places a part of the source in the destination.

use super::view::Rect;
use retake_media::{
    CleanAperture, PixelBuffer, PixelFormat, Rational, ScalingMode, TransferError, TransferOptions,
    WritableBuffer, greatest_common_divisor,
};

/// The part of the source that is shown, and the part of the destination that shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placement {
    pub(super) from: Rect,
    pub(super) to: Rect,
}

/// Left, top, width and height in pixels.
type Span = [f64; 4];

pub(super) fn place(
    source: &PixelBuffer,
    destination: &WritableBuffer,
    options: &TransferOptions,
) -> Result<Placement, TransferError> {
    let from_size = (source.width(), source.height());
    let to_size = (destination.width(), destination.height());
    if options.scaling_mode == ScalingMode::Normal {
        return Ok(Placement {
            from: Rect::whole(from_size.0, from_size.1),
            to: Rect::whole(to_size.0, to_size.1),
        });
    }
    let mut from = aperture("source's", source.attachments().clean_aperture(), from_size)?;
    let mut to = aperture("destination's", options.destination_clean_aperture, to_size)?;
    let from_shape = shape("source's", source.attachments().pixel_aspect_ratio())?;
    let to_shape = options.destination_pixel_aspect_ratio;
    let to_shape = shape("destination's", to_shape)?.unwrap_or(from_shape.unwrap_or(1.0));
    // The source's pixels are as wide as they are high when measured in the destination's pixels.
    let stretch = from_shape.unwrap_or(1.0) / to_shape;
    match options.scaling_mode {
        ScalingMode::Letterbox => to = within(to, from[2] * stretch / from[3]),
        ScalingMode::Trim => from = within(from, to[2] / (to[3] * stretch)),
        ScalingMode::Normal | ScalingMode::CropSourceToCleanAperture => {}
    }
    Ok(Placement {
        from: snap(from, from_size, source.format()),
        to: snap(to, to_size, destination.format()),
    })
}

fn aperture(whose: &str, aperture: Option<CleanAperture>, size: (u32, u32)) -> Result<Span, TransferError> {
    let aperture = aperture.unwrap_or(CleanAperture::full(size.0, size.1));
    aperture.rectangle(size.0, size.1).ok_or_else(|| {
        let (width, height) = size;
        TransferError::Parameter(format!("the {whose} clean aperture does not lie within {width}×{height}"))
    })
}

fn shape(whose: &str, ratio: Option<Rational>) -> Result<Option<f64>, TransferError> {
    match ratio {
        Some(ratio) if !ratio.is_positive() => {
            Err(TransferError::Parameter(format!("the {whose} pixel aspect ratio is {ratio}")))
        }
        ratio => Ok(ratio.map(Rational::to_f64)),
    }
}

/// Returns the largest part in the middle of `outer` whose width is `ratio` times its height.
fn within([left, top, width, height]: Span, ratio: f64) -> Span {
    if width > height * ratio {
        let narrow = height * ratio;
        [left + (width - narrow) / 2.0, top, narrow, height]
    } else {
        let low = width / ratio;
        [left, top + (height - low) / 2.0, width, low]
    }
}

/// Returns the nearest whole pixels; where pixels share chroma, whole blocks of them, but for the last column
/// and row.
fn snap([left, top, width, height]: Span, whole: (u32, u32), format: PixelFormat) -> Rect {
    let block = format.chroma_block().unwrap_or((1, 1));
    let edges = |start: f64, length: f64, whole: u32, block: u32| {
        let nearest = |edge: f64| (edge / f64::from(block)).round().max(0.0) as u32 * block;
        let last = (whole - 1) / block * block;
        let start_at = nearest(start).min(last);
        let end =
            if start + length > f64::from(whole) - 0.5 { whole } else { nearest(start + length).min(whole) };
        (start_at, end.max(start_at + 1).max((start_at + block).min(whole)) - start_at)
    };
    let (x, width) = edges(left, width, whole.0, block.0);
    let (y, height) = edges(top, height, whole.1, block.1);
    Rect { x, y, width, height }
}

/// Returns the shape of the result: its pixel aspect ratio and clean aperture.
pub(super) fn describe(
    source: &PixelBuffer,
    destination: &WritableBuffer,
    options: &TransferOptions,
) -> (Option<Rational>, Option<CleanAperture>) {
    let (ratio, aperture) =
        (source.attachments().pixel_aspect_ratio(), source.attachments().clean_aperture());
    match options.scaling_mode {
        ScalingMode::Normal => {
            let x = [destination.width(), source.width()];
            let y = [destination.height(), source.height()];
            let [width, height] = [x, y].map(|[to, from]| reduced(to.into(), from.into()));
            // Pixels get as much narrower as there are more of them.
            let stretch = reduced(u64::from(x[1]) * u64::from(y[0]), u64::from(x[0]) * u64::from(y[1]));
            let ratio = match ratio {
                Some(ratio) if ratio.is_positive() => Some(times(ratio, stretch)),
                _ if stretch.num != stretch.den => Some(stretch),
                _ => ratio,
            };
            let aperture = aperture.map(|aperture| CleanAperture {
                width: times(aperture.width, width),
                height: times(aperture.height, height),
                horizontal_offset: times(aperture.horizontal_offset, width),
                vertical_offset: times(aperture.vertical_offset, height),
            });
            (ratio, aperture)
        }
        ScalingMode::CropSourceToCleanAperture => {
            let square = ratio.map(|_| Rational::new(1, 1));
            (options.destination_pixel_aspect_ratio.or(square), options.destination_clean_aperture)
        }
        ScalingMode::Letterbox | ScalingMode::Trim => {
            (options.destination_pixel_aspect_ratio.or(ratio), options.destination_clean_aperture)
        }
    }
}

fn times(a: Rational, b: Rational) -> Rational {
    let product = |a: i32, b: i32| i64::from(a) * i64::from(b);
    let (num, den) = (product(a.num, b.num), product(a.den, b.den));
    let reduced = reduced(num.unsigned_abs(), den.unsigned_abs());
    Rational::new(if (num < 0) != (den < 0) { -reduced.num } else { reduced.num }, reduced.den)
}

/// Returns the fraction in lowest terms, and in as many bits as there are.
fn reduced(num: u64, den: u64) -> Rational {
    // no divisor of a number is greater than the number
    let common = greatest_common_divisor(num.into(), den.into()) as u64;
    let (mut num, mut den) = (num / common, den / common);
    while num > i32::MAX as u64 || den > i32::MAX as u64 {
        (num, den) = (num / 2, den / 2);
    }
    Rational::new(num as i32, den as i32)
}
