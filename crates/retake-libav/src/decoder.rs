//! Decodes video, and gives out the frames as pictures, converted where necessary.
#![allow(unsafe_code)]

use crate::failure::{Failure, attempt, attempt_quickly, text};
use crate::ffi::{self, RawFrame};
use crate::input::{Input, Packet, known};
use retake_media::{
    Attachment, Attachments, PixelBuffer, PixelFormat, PixelStorage, dolby_vision_profile, dolby_vision_rpu,
};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// A decoder of one track.
pub(crate) struct Decoder(NonNull<ffi::RtDecoder>);

// SAFETY: a codec context is used by one thread at a time, because all calls take `&mut`; it is not bound to
// one thread.
unsafe impl Send for Decoder {}

impl Decoder {
    /// Opens a decoder with `threads` threads of its own; 0 takes one per processor.
    pub(crate) fn open(input: &Input, stream: u32, threads: u32) -> Result<Self, Failure> {
        let mut decoder = ptr::null_mut();
        let threads = threads.min(64) as i32;
        // SAFETY: the decoder copies what it needs from the input, and does not outlive this call's borrow by
        // reference.
        attempt(|| unsafe { ffi::rt_decoder_open(input.as_ptr(), stream as i32, threads, &mut decoder) })?;
        Ok(Self(NonNull::new(decoder).expect("an opened decoder has an address")))
    }

    /// Gives the decoder a packet, or the end. `Ok(false)` means that frames must be received first.
    pub(crate) fn send(&mut self, packet: Option<&Packet>) -> Result<bool, Failure> {
        let packet = packet.map_or(ptr::null_mut(), Packet::as_ptr);
        // SAFETY: the pointer is null or a live packet, of which the decoder takes a reference of its own.
        match attempt_quickly(|| unsafe { ffi::rt_decoder_send(self.0.as_ptr(), packet) }) {
            Ok(_) => Ok(true),
            Err(failure) if failure.is_again() => Ok(false),
            Err(failure) if failure.is_end() => Ok(true),
            Err(failure) => Err(failure),
        }
    }

    /// Returns the next frame in presentation order.
    pub(crate) fn receive(&mut self) -> Result<Received, Failure> {
        let mut out = MaybeUninit::uninit();
        // SAFETY: the shim fills the whole struct; on success its frame is ours.
        match attempt_quickly(|| unsafe { ffi::rt_decoder_receive(self.0.as_ptr(), out.as_mut_ptr()) }) {
            Ok(_) => Ok(Received::Frame(Decoded(Box::new(unsafe { out.assume_init() })))),
            Err(failure) if failure.is_again() => Ok(Received::NotYet),
            Err(failure) if failure.is_end() => Ok(Received::End),
            Err(failure) => Err(failure),
        }
    }

    /// Returns how many errors in the stream decoding has met so far, also those that it concealed.
    pub(crate) fn complaints(&self) -> u64 {
        // SAFETY: the call only reads.
        unsafe { ffi::rt_decoder_complaints(self.0.as_ptr()) }.unsigned_abs()
    }

    /// Forgets everything, as must happen before another stream begins.
    pub(crate) fn renew(&mut self) {
        // SAFETY: the decoder is ours.
        unsafe { ffi::rt_decoder_renew(self.0.as_ptr()) };
    }

    /// Forgets all pictures, as must happen after a seek.
    pub(crate) fn flush(&mut self) {
        // SAFETY: the decoder is ours.
        unsafe { ffi::rt_decoder_flush(self.0.as_ptr()) };
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the decoder is ours, and this is its last use; frames that are still alive hold their
        // memory themselves.
        unsafe { ffi::rt_decoder_close(self.0.as_ptr()) };
    }
}

/// The answer of a decoder.
pub(crate) enum Received {
    /// The decoder gave out a frame.
    Frame(Decoded),
    /// The decoder gives out no frame before the next packet.
    NotYet,
    /// All frames were given out.
    End,
}

/// A decoded frame that is kept alive: its pixels belong to it, and go back to the decoder's pool when it is
/// dropped.
pub(crate) struct Decoded(Box<RawFrame>);

// SAFETY: the frame is a counted reference to memory that is only read from here on. Decoders do not write to
// a frame after they gave it out: where they need to (painting on the previous frame) they take a copy while
// another reference is alive. The counts are atomic, the pools behind them are locked, and they outlive their
// decoder.
unsafe impl Send for Decoded {}
// SAFETY: the argument above holds here, too; shared references only read.
unsafe impl Sync for Decoded {}

impl Decoded {
    /// Takes over a frame that a shim gave out.
    ///
    /// # Safety
    /// The frame must be nobody else's.
    pub(crate) unsafe fn owned(raw: RawFrame) -> Self {
        Self(Box::new(raw))
    }

    pub(crate) fn raw(&self) -> &RawFrame {
        &self.0
    }

    /// Returns what comes with the frame alone, beside its picture: captions and dynamic HDR metadata. The
    /// metadata of Dolby Vision are those of profile 8 only, because those of others do not belong to this
    /// picture alone.
    pub(crate) fn side_data(&self) -> Attachments {
        let raw = &self.0;
        let mut found = Attachments::default();
        if raw.extras & (ffi::CAPTIONS | ffi::HDR10_PLUS | ffi::DOLBY_VISION) == 0 {
            return found;
        }
        // SAFETY: the pointers are null, or to so many bytes that live as long as the frame.
        let (captions, rpu) =
            unsafe { (bytes(raw.captions, raw.captions_size), bytes(raw.rpu, raw.rpu_size)) };
        let mut message = [0; LONGEST_HDR10_PLUS];
        // SAFETY: the frame is alive and only read; the shim writes within the size that it is given.
        let length = unsafe { ffi::rt_frame_hdr10_plus(raw.frame, message.as_mut_ptr(), message.len()) };
        if !captions.is_empty() {
            found = found.with(Attachment::Captions(captions.into()));
        }
        if length > 0 {
            found = found.with(Attachment::Hdr10Plus(message[..length].into()));
        }
        let rpu = dolby_vision_rpu(rpu);
        if dolby_vision_profile(&rpu) == Some(8) {
            found = found.with(Attachment::DolbyVisionRpu(rpu.into()));
        }
        found
    }

    /// Returns the profile of Dolby Vision that the frame's metadata are made for.
    pub(crate) fn dolby_vision(&self) -> Option<u8> {
        // SAFETY: the pointer is null, or to so many bytes that live as long as the frame.
        let rpu = unsafe { bytes(self.0.rpu, self.0.rpu_size) };
        if rpu.is_empty() { None } else { dolby_vision_profile(&dolby_vision_rpu(rpu)) }
    }

    pub(crate) fn pts(&self) -> Option<i64> {
        known(self.0.pts)
    }

    pub(crate) fn pixels(&self) -> String {
        // SAFETY: the name is a constant text of FFmpeg's.
        unsafe { text(self.0.pixels.name) }.unwrap_or_default()
    }

    /// Returns the frame as a picture without a copy, if it is laid out as this format requires; else gives
    /// it back.
    pub(crate) fn into_picture(
        self,
        format: PixelFormat,
        width: u32,
        height: u32,
    ) -> Result<PixelBuffer, Self> {
        let raw = &self.0;
        let fits = holds(raw.pixels.ours, format)
            && raw.width == width as i32
            && raw.height == height as i32
            && (0..format.planes()).all(|plane| {
                let (samples, _) = format.plane_size(width, height, plane);
                !raw.data[plane].is_null()
                    && usize::try_from(raw.stride[plane])
                        .is_ok_and(|stride| stride >= samples as usize * format.bytes_per_sample())
            });
        if !fits {
            return Err(self);
        }
        let strides =
            [0, 1, 2].map(|plane| if plane < format.planes() { raw.stride[plane] as usize } else { 0 });
        let lengths = [0, 1, 2].map(|plane| {
            let (samples, rows) = format.plane_size(width, height, plane);
            strides[plane] * (rows as usize).saturating_sub(1) + samples as usize * format.bytes_per_sample()
        });
        Ok(PixelBuffer::new(format, width, height, strides, Arc::new(DecodedPlanes { frame: self, lengths })))
    }
}

impl Drop for Decoded {
    fn drop(&mut self) {
        // SAFETY: the frame is ours, and this is its last use.
        unsafe { ffi::rt_frame_free(self.0.frame) };
    }
}

/// The bytes that HDR10+ metadata need at most: three windows, and twice 25 by 25 peaks of four bits.
const LONGEST_HDR10_PLUS: usize = 1024;

/// # Safety
/// `data` must be null, or `size` bytes from there on must be readable for `'a`.
unsafe fn bytes<'a>(data: *const u8, size: usize) -> &'a [u8] {
    if data.is_null() {
        return &[];
    }
    // SAFETY: the caller promised it.
    unsafe { std::slice::from_raw_parts(data, size) }
}

/// A frame behind a [`PixelBuffer`].
struct DecodedPlanes {
    frame: Decoded,
    lengths: [usize; 3],
}

impl PixelStorage for DecodedPlanes {
    fn plane(&self, plane: usize) -> &[u8] {
        if self.lengths[plane] == 0 {
            return &[];
        }
        // SAFETY: a plane of a decoded frame of this format has all its rows, `stride` bytes apart (checked
        // to be positive), and the length ends with the last visible sample; the memory lives as long as the
        // frame, and is not written any more.
        unsafe { std::slice::from_raw_parts(self.frame.0.data[plane], self.lengths[plane]) }
    }
}

/// Makes pictures from frames of any layout and size; it keeps tables and memory from one to the next.
pub(crate) struct Scaler(NonNull<ffi::RtScaler>);

// SAFETY: the scaler is used by one thread at a time, and not bound to one.
unsafe impl Send for Scaler {}

impl Scaler {
    pub(crate) fn open() -> Result<Self, Failure> {
        let mut scaler = ptr::null_mut();
        // SAFETY: on success the object is ours.
        attempt(|| unsafe { ffi::rt_scaler_open(&mut scaler) })?;
        Ok(Self(NonNull::new(scaler).expect("an opened scaler has an address")))
    }

    /// Returns the frame as a picture of this format and size; RGB becomes YCbCr of this H.273 `matrix`.
    pub(crate) fn convert(
        &mut self,
        frame: &Decoded,
        format: PixelFormat,
        width: u32,
        height: u32,
        matrix: u8,
    ) -> Result<PixelBuffer, Failure> {
        let mut out = MaybeUninit::uninit();
        let (w, h) = (width as i32, height as i32);
        let picture = code(format).expect("a reader was refused other formats when it was opened");
        // SAFETY: the frame is alive and only read; on success the new frame is ours.
        let made = unsafe {
            attempt(|| {
                ffi::rt_scale(
                    self.0.as_ptr(),
                    frame.0.frame,
                    picture,
                    w,
                    h,
                    i32::from(matrix),
                    out.as_mut_ptr(),
                )
            })?;
            Decoded(Box::new(out.assume_init()))
        };
        Ok(made.into_picture(format, width, height).ok().expect("a scaled frame is laid out as asked for"))
    }
}

impl Drop for Scaler {
    fn drop(&mut self) {
        // SAFETY: the scaler is ours, and this is its last use; pictures that are still alive hold their
        // memory themselves.
        unsafe { ffi::rt_scaler_close(self.0.as_ptr()) };
    }
}

/// Returns the shims' number of a format; `None` where films are not decoded to it.
pub(crate) fn code(format: PixelFormat) -> Option<i32> {
    match format {
        PixelFormat::I420 => Some(ffi::I420),
        PixelFormat::I010 => Some(ffi::I010),
        PixelFormat::I422 => Some(ffi::I422),
        PixelFormat::I210 => Some(ffi::I210),
        PixelFormat::I444 => Some(ffi::I444),
        PixelFormat::I410 => Some(ffi::I410),
        PixelFormat::Y8 => Some(ffi::Y8),
        PixelFormat::Y10 => Some(ffi::Y10),
        _ => None,
    }
}

/// Returns whether the first planes of a frame, laid out as the shims' number says, are a picture of this
/// format. Of Y, Cb and Cr the first is one of luma alone.
fn holds(ours: i32, format: PixelFormat) -> bool {
    match format {
        PixelFormat::Y8 => [ffi::Y8, ffi::I420, ffi::I422, ffi::I444].contains(&ours),
        PixelFormat::Y10 => [ffi::Y10, ffi::I010, ffi::I210, ffi::I410].contains(&ours),
        format => code(format) == Some(ours),
    }
}
