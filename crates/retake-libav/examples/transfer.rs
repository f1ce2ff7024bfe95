//! Compares transfers between pictures of 1080 rows, by this crate and by libswscale alone, in CPU time and
//! exactness, for docs/pixel-transfer.md: `cargo run --release -p retake-libav --example transfer`.
#![allow(unsafe_code)]

use PixelFormat::{Bgra, I010, I420, I420Full, Nv12, P010};
use retake_libav::PictureTransfer;
use retake_media::{
    Attachment, Attachments, Colour, Downsampling, PixelBuffer, PixelBufferAttributes, PixelFormat,
    PixelTransfer, Range, TransferOptions, WritableBuffer,
};
use std::ffi::{CStr, c_int, c_void};
use std::ptr::{null, null_mut};

unsafe extern "C" {
    fn av_get_pix_fmt(name: *const i8) -> c_int;
    fn sws_getContext(
        from_width: c_int,
        from_height: c_int,
        from_format: c_int,
        to_width: c_int,
        to_height: c_int,
        to_format: c_int,
        flags: c_int,
        from_filter: *mut c_void,
        to_filter: *mut c_void,
        parameters: *const f64,
    ) -> *mut c_void;
    fn sws_getCoefficients(matrix: c_int) -> *const c_int;
    fn sws_setColorspaceDetails(
        context: *mut c_void,
        from: *const c_int,
        from_range: c_int,
        to: *const c_int,
        to_range: c_int,
        brightness: c_int,
        contrast: c_int,
        saturation: c_int,
    ) -> c_int;
    fn sws_scale(
        context: *mut c_void,
        from: *const *const u8,
        from_stride: *const c_int,
        y: c_int,
        height: c_int,
        to: *const *mut u8,
        to_stride: *const c_int,
    ) -> c_int;
    fn sws_freeContext(context: *mut c_void);
}

const SIZE: (u32, u32) = (1920, 1080);
const SMALL: (u32, u32) = (1280, 720);
/// The flags are `SWS_BICUBIC | SWS_FULL_CHR_H_INT | SWS_ACCURATE_RND | SWS_BITEXACT`.
const FLAGS: c_int = 4 | 0x2000 | 0x40000 | 0x80000;

struct Case {
    what: &'static str,
    from: PixelFormat,
    to: PixelFormat,
    size: (u32, u32),
    matrices: (u8, u8),
}

fn main() {
    let case = |what, from, to| Case { what, from, to, size: SIZE, matrices: (1, 1) };
    let cases = [
        case("420v to y420", Nv12, I420),
        case("y420 to 420v", I420, Nv12),
        case("x420 to I010", P010, I010),
        case("y420 to I010", I420, I010),
        case("I010 to y420", I010, I420),
        case("y420 to f420", I420, I420Full),
        case("BGRA to y420", Bgra, I420),
        case("420v to BGRA", Nv12, Bgra),
        Case { matrices: (6, 1), ..case("y420 to y420, BT.601 to BT.709", I420, I420) },
        Case { size: SMALL, ..case("y420 to y420, to 1280×720", I420, I420) },
        Case { size: SMALL, ..case("420v to y420, to 1280×720", Nv12, I420) },
        Case { size: SMALL, ..case("BGRA to y420, to 1280×720", Bgra, I420) },
    ];
    println!(
        "| transfer | retake ms | swscale ms | samples that differ | by at most |\n|---|---|---|---|---|"
    );
    for case in &cases {
        let source = picture(case);
        let (ours, our_time) = timed(|to| transfer(&source, case, to), case);
        let scaler = Swscale::new(case);
        let (theirs, their_time) = timed(|to| scaler.run(&source, to), case);
        let (differing, most) = compare(&ours, &theirs);
        let Case { what, .. } = case;
        println!("| {what} | {our_time:.2} | {their_time:.2} | {:.2} % | {most} |", 100.0 * differing);
    }
    light();
}

/// Measures primaries and transfer functions, which libswscale does not convert.
fn light() {
    println!("\n| transfer of light | retake ms |\n|---|---|");
    for (what, format, from, to) in [
        ("y420, BT.601 to BT.709 primaries", I420, [6, 6, 6], [1, 1, 1]),
        ("I010, PQ to BT.709", I010, [9, 16, 9], [1, 1, 1]),
        ("I010, HLG to PQ", I010, [9, 18, 9], [9, 16, 9]),
    ] {
        let case = Case { what, from: format, to: format, size: SIZE, matrices: (from[2], to[2]) };
        let colour = Colour { primaries: from[0], transfer: from[1], matrix: from[2], ..Colour::default() };
        let source = picture(&case).with_attachments(Attachments::NONE.with(Attachment::Colour(colour)));
        let options = TransferOptions {
            downsampling: Downsampling::Average,
            destination_primaries: Some(to[0]),
            destination_transfer: Some(to[1]),
            destination_matrix: Some(to[2]),
            ..TransferOptions::default()
        };
        let mut transfer = PictureTransfer::new();
        let run = |to: &mut WritableBuffer| {
            transfer.transfer(&source, to, &options).expect("all cases are supported");
        };
        println!("| {what} | {:.2} |", timed(run, &case).1);
    }
}

/// Makes a picture of slopes and noise.
fn picture(case: &Case) -> PixelBuffer {
    let mut buffer = buffer(case.from, SIZE);
    let mut state = 1_u32;
    for plane in 0..case.from.planes() {
        let rows = case.from.plane_size(SIZE.0, SIZE.1, plane).1 as usize;
        for y in 0..rows {
            let row = buffer.row_mut(plane, y);
            let bytes = case.from.bytes_per_sample();
            for (x, sample) in row.chunks_exact_mut(bytes).enumerate() {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let code =
                    ((x / 8 + y / 4) % 180 + 30 + (state >> 28) as usize) << (case.from.bit_depth() - 8);
                sample.copy_from_slice(&(code << case.from.bit_shift()).to_le_bytes()[..bytes]);
            }
        }
    }
    // Chroma lies in the centre, because libswscale assumes that unless it is told otherwise.
    let colour = Colour { matrix: case.matrices.0, chroma_location: 2, ..Colour::default() };
    buffer.freeze().with_attachments(Attachments::NONE.with(Attachment::Colour(colour)))
}

fn buffer(format: PixelFormat, (width, height): (u32, u32)) -> WritableBuffer {
    WritableBuffer::create(&PixelBufferAttributes::of(format, width, height)).expect("a size and a format")
}

/// Returns the milliseconds of CPU time that this thread has taken.
#[cfg(unix)]
fn now() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// Returns milliseconds of real time, because the standard library has no CPU time.
#[cfg(not(unix))]
fn now() -> f64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed().as_secs_f64() * 1e3
}

/// Returns the result, and the milliseconds of CPU time that one takes.
fn timed(mut run: impl FnMut(&mut WritableBuffer), case: &Case) -> (PixelBuffer, f64) {
    let mut to = buffer(case.to, case.size);
    run(&mut to);
    let mut best = f64::INFINITY;
    for _ in 0..40 {
        let start = now();
        run(&mut to);
        best = best.min(now() - start);
    }
    (to.freeze(), best)
}

fn transfer(source: &PixelBuffer, case: &Case, to: &mut WritableBuffer) {
    thread_local!(static TRANSFER: std::cell::RefCell<PictureTransfer> = std::cell::RefCell::default());
    let options = TransferOptions {
        downsampling: Downsampling::Average,
        destination_matrix: Some(case.matrices.1),
        ..TransferOptions::default()
    };
    TRANSFER.with_borrow_mut(|own| own.transfer(source, to, &options)).expect("all cases are supported");
}

struct Swscale(*mut c_void);

impl Swscale {
    fn new(case: &Case) -> Self {
        let code = |format| {
            let name: &CStr = match format {
                I420 | I420Full => c"yuv420p",
                I010 => c"yuv420p10le",
                Nv12 => c"nv12",
                P010 => c"p010le",
                _ => c"bgra",
            };
            // SAFETY: the text is constant.
            unsafe { av_get_pix_fmt(name.as_ptr().cast()) }
        };
        let full = |format: PixelFormat| c_int::from(format.range() == Some(Range::Full));
        let matrix = |matrix: u8| if matrix == 1 { 1 } else { 5 };
        let size = |(width, height): (u32, u32)| (width as c_int, height as c_int);
        let ((w, h), (to_w, to_h)) = (size(SIZE), size(case.size));
        // SAFETY: all arguments are plain numbers and constant tables; the context is ours.
        unsafe {
            let (from, to) = (code(case.from), code(case.to));
            let context = sws_getContext(w, h, from, to_w, to_h, to, FLAGS, null_mut(), null_mut(), null());
            assert!(!context.is_null(), "{}", case.what);
            let (from, to) = case.matrices;
            let (from, to) = (sws_getCoefficients(matrix(from)), sws_getCoefficients(matrix(to)));
            sws_setColorspaceDetails(context, from, full(case.from), to, full(case.to), 0, 1 << 16, 1 << 16);
            Self(context)
        }
    }

    fn run(&self, from: &PixelBuffer, to: &mut WritableBuffer) {
        let source = [0, 1, 2].map(|plane| from.plane(plane).as_ptr());
        let strides = [0, 1, 2].map(|plane| from.geometry(plane).stride as c_int);
        let to_strides = [0, 1, 2].map(|plane| to.stride(plane) as c_int);
        let target = to.planes_mut().map(<[u8]>::as_mut_ptr);
        let ([a, b, c], [d, e, f], [g, h, i], [j, k, l]) = (source, strides, target, to_strides);
        let (source, strides) = ([a, b, c, null()], [d, e, f, 0]);
        let (target, to_strides) = ([g, h, i, null_mut()], [j, k, l, 0]);
        let height = from.height() as c_int;
        // SAFETY: the pictures have the formats and sizes that the context was made for.
        unsafe {
            sws_scale(
                self.0,
                source.as_ptr(),
                strides.as_ptr(),
                0,
                height,
                target.as_ptr(),
                to_strides.as_ptr(),
            )
        };
    }
}

impl Drop for Swscale {
    fn drop(&mut self) {
        // SAFETY: the context is ours, and this is its last use.
        unsafe { sws_freeContext(self.0) };
    }
}

/// Returns the share of samples that differ, and the largest difference.
fn compare(a: &PixelBuffer, b: &PixelBuffer) -> (f64, u32) {
    let (mut all, mut differing, mut most) = (0_u64, 0_u64, 0);
    let bytes = a.format().bytes_per_sample();
    let code = |sample: &[u8]| sample.iter().rev().fold(0, |code, &byte| code << 8 | u32::from(byte));
    for plane in 0..a.format().planes() {
        for (a, b) in a.rows(plane).zip(b.rows(plane)) {
            for (a, b) in a.chunks_exact(bytes).zip(b.chunks_exact(bytes)) {
                let difference = code(a).abs_diff(code(b));
                all += 1;
                differing += u64::from(difference > 0);
                most = most.max(difference);
            }
        }
    }
    (differing as f64 / all as f64, most)
}
