//! The Rust side of `shim/shim.h`; both must be changed together.
#![allow(unsafe_code, missing_docs)]

use std::ffi::{c_char, c_int, c_void};

/// The number of an unknown time; it must equal `RT_UNKNOWN`.
pub(crate) const UNKNOWN: i64 = i64::MIN;

/// These numbers must equal `RT_PICTURE_*`.
pub(crate) const I420: i32 = 0;
pub(crate) const I010: i32 = 1;
pub(crate) const I422: i32 = 2;
pub(crate) const I210: i32 = 3;
pub(crate) const I444: i32 = 4;
pub(crate) const I410: i32 = 5;
pub(crate) const Y8: i32 = 6;
pub(crate) const Y10: i32 = 7;

/// These numbers must equal `RT_SAMPLES_*`.
pub(crate) const S16: i32 = 0;
pub(crate) const S32: i32 = 1;
pub(crate) const F32: i32 = 2;

pub(crate) const VIDEO: i32 = 0;
pub(crate) const AUDIO: i32 = 1;
pub(crate) const SUBTITLE: i32 = 2;
pub(crate) const ATTACHMENT: i32 = 4;

/// These numbers must equal `RT_CAPTIONS` and those that follow it.
pub(crate) const CAPTIONS: u32 = 1;
pub(crate) const HDR10_PLUS: u32 = 2;
pub(crate) const DOLBY_VISION: u32 = 4;
pub(crate) const STEREO: u32 = 8;
pub(crate) const ACTIVE_FORMAT: u32 = 16;
pub(crate) const TIMECODE: u32 = 32;
pub(crate) const COLOUR_PROFILE: u32 = 64;
pub(crate) const SPHERICAL: u32 = 128;

/// Declares objects of FFmpeg or of the shims, which are known by their address only.
macro_rules! opaque {
    ($($name:ident),*) => {$(
        #[repr(C)]
        pub(crate) struct $name {
            _private: [u8; 0],
        }
    )*};
}
opaque!(
    AVPacket,
    AVFrame,
    RtInput,
    RtDecoder,
    RtScaler,
    RtResizer,
    RtOutput,
    RtSubtitles,
    RtBitmaps,
    RtSound,
    RtConverter,
    RtPcm,
    RtGraph
);

/// The callbacks through which the shims reach the bytes of a film.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct RawAccess {
    pub(crate) owner: *mut c_void,
    pub(crate) references: c_int,
    pub(crate) interrupted: unsafe extern "C" fn(*mut c_void) -> c_int,
    pub(crate) open: unsafe extern "C" fn(*mut c_void, *const c_char, *mut *mut c_void) -> c_int,
    pub(crate) read: unsafe extern "C" fn(*mut c_void, *mut u8, c_int) -> c_int,
    pub(crate) seek: unsafe extern "C" fn(*mut c_void, i64, c_int) -> i64,
    pub(crate) close: unsafe extern "C" fn(*mut c_void),
}

#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) struct Ratio {
    pub(crate) num: i32,
    pub(crate) den: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) struct RawColour {
    pub(crate) primaries: i32,
    pub(crate) transfer: i32,
    pub(crate) matrix: i32,
    pub(crate) range: i32,
    pub(crate) chroma_location: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct RawHdr {
    pub(crate) has_mastering: i32,
    pub(crate) has_light: i32,
    pub(crate) primaries_gbr: [[u16; 2]; 3],
    pub(crate) white_point: [u16; 2],
    pub(crate) max_luminance: u32,
    pub(crate) min_luminance: u32,
    pub(crate) max_content: u16,
    pub(crate) max_average: u16,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct RawPixels {
    pub(crate) name: *const c_char,
    pub(crate) depth: i32,
    pub(crate) chroma_w: i32,
    pub(crate) chroma_h: i32,
    pub(crate) rgb: i32,
    pub(crate) gray: i32,
    pub(crate) alpha: i32,
    pub(crate) ours: i32,
    pub(crate) convertible: i32,
}

#[repr(C)]
pub(crate) struct RawFilm {
    pub(crate) format: *const c_char,
    pub(crate) title: *const c_char,
    pub(crate) duration: i64,
    pub(crate) size: i64,
    pub(crate) streams: i32,
    pub(crate) chapters: i32,
    pub(crate) seekable: i32,
    pub(crate) live_times: i32,
    pub(crate) states_duration: i32,
}

#[repr(C)]
pub(crate) struct RawStream {
    pub(crate) kind: i32,
    pub(crate) codec_id: i32,
    pub(crate) cover: i32,
    pub(crate) chapter_track: i32,
    pub(crate) text_subtitle: i32,
    pub(crate) decodable: i32,
    pub(crate) dolby_vision: i32,
    pub(crate) encrypted: i32,
    pub(crate) codec: *const c_char,
    pub(crate) language: *const c_char,
    pub(crate) title: *const c_char,
    pub(crate) time_base: Ratio,
    pub(crate) frame_rate: Ratio,
    pub(crate) aspect: Ratio,
    pub(crate) states_aspect: i32,
    pub(crate) start: i64,
    pub(crate) duration: i64,
    pub(crate) frames: i64,
    pub(crate) listed: i64,
    pub(crate) width: i32,
    pub(crate) height: i32,
    pub(crate) sample_rate: i32,
    pub(crate) channels: i32,
    pub(crate) padding: i32,
    pub(crate) field_order: i32,
    pub(crate) has_matrix: i32,
    pub(crate) matrix: [i32; 9],
    pub(crate) rotation: f64,
    pub(crate) colour: RawColour,
    pub(crate) hdr: RawHdr,
    pub(crate) pixels: RawPixels,
    pub(crate) last_byte: i64,
    pub(crate) extradata: *const u8,
    pub(crate) extradata_size: usize,
    pub(crate) disposition: i32,
    pub(crate) id: i32,
}

#[repr(C)]
pub(crate) struct RawChapter {
    pub(crate) time_base: Ratio,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) title: *const c_char,
}

#[repr(C)]
pub(crate) struct RawPacket {
    pub(crate) packet: *mut AVPacket,
    pub(crate) pts: i64,
    pub(crate) dts: i64,
    pub(crate) duration: i64,
    pub(crate) position: i64,
    pub(crate) data: *const u8,
    pub(crate) size: usize,
    pub(crate) stream: i32,
    pub(crate) key: i32,
    pub(crate) corrupt: i32,
    pub(crate) discard: i32,
    pub(crate) encrypted: i32,
    pub(crate) alpha: i32,
}

#[repr(C)]
pub(crate) struct RawFrame {
    pub(crate) frame: *mut AVFrame,
    pub(crate) pts: i64,
    pub(crate) duration: i64,
    pub(crate) data: [*const u8; 3],
    pub(crate) stride: [i32; 3],
    pub(crate) width: i32,
    pub(crate) height: i32,
    pub(crate) key: i32,
    pub(crate) interlaced: i32,
    pub(crate) damaged: i32,
    pub(crate) format: i32,
    pub(crate) extras: u32,
    pub(crate) captions: *const u8,
    pub(crate) rpu: *const u8,
    pub(crate) captions_size: usize,
    pub(crate) rpu_size: usize,
    pub(crate) has_matrix: i32,
    pub(crate) matrix: [i32; 9],
    pub(crate) rotation: f64,
    pub(crate) aspect: Ratio,
    pub(crate) colour: RawColour,
    pub(crate) hdr: RawHdr,
    pub(crate) pixels: RawPixels,
}

#[repr(C)]
pub(crate) struct RawBitmapSet {
    pub(crate) pts: i64,
    pub(crate) begins: u32,
    pub(crate) ends: u32,
    pub(crate) count: i32,
    pub(crate) width: i32,
    pub(crate) height: i32,
}

#[repr(C)]
pub(crate) struct RawBitmap {
    pub(crate) x: i32,
    pub(crate) y: i32,
    pub(crate) width: i32,
    pub(crate) height: i32,
    pub(crate) stride: i32,
    pub(crate) indices: *const u8,
    pub(crate) palette: [u32; 256],
}

#[repr(C)]
pub(crate) struct RawVideo {
    pub(crate) codec: *const c_char,
    pub(crate) width: i32,
    pub(crate) height: i32,
    pub(crate) picture: i32,
    pub(crate) timescale: i32,
    pub(crate) level: i32,
    pub(crate) profile: i32,
    pub(crate) tag: u32,
    pub(crate) time_base: Ratio,
    pub(crate) frame_rate: Ratio,
    pub(crate) aspect: Ratio,
    pub(crate) config: *const u8,
    pub(crate) config_size: usize,
    pub(crate) colour: RawColour,
    pub(crate) hdr: RawHdr,
    pub(crate) has_matrix: i32,
    pub(crate) matrix: [i32; 9],
    pub(crate) disposition: i32,
    pub(crate) fields: i32,
    pub(crate) dolby_vision: i32,
    pub(crate) dolby_vision_level: i32,
    pub(crate) dolby_vision_compatibility: i32,
    pub(crate) encoder: *const c_char,
}

#[repr(C)]
pub(crate) struct RawSoundSettings {
    pub(crate) encoder: *const c_char,
    pub(crate) rate: i32,
    pub(crate) channels: i32,
    pub(crate) bit_depth: i32,
    pub(crate) layout: u64,
    pub(crate) bit_rate: i64,
    pub(crate) option: *const c_char,
    pub(crate) value: *const c_char,
}

#[repr(C)]
pub(crate) struct RawSoundFrame {
    pub(crate) pts: i64,
    pub(crate) duration: i64,
    pub(crate) samples: i32,
    pub(crate) rate: i32,
    pub(crate) damaged: i32,
}

#[repr(C)]
pub(crate) struct RawAudio {
    pub(crate) codec: *const c_char,
    pub(crate) sample_rate: i32,
    pub(crate) channels: i32,
    pub(crate) frame_size: i32,
    pub(crate) block_align: i32,
    pub(crate) bits_per_sample: i32,
    pub(crate) padding: i32,
    pub(crate) layout: u64,
    pub(crate) bit_rate: i64,
    pub(crate) config: *const u8,
    pub(crate) config_size: usize,
}

#[repr(C)]
pub(crate) struct RawPlanes {
    pub(crate) data: [*mut u8; 3],
    pub(crate) stride: [i32; 3],
    pub(crate) width: i32,
    pub(crate) height: i32,
}

#[repr(C)]
pub(crate) struct RawGraphInput {
    pub(crate) picture: i32,
    pub(crate) width: i32,
    pub(crate) height: i32,
    pub(crate) time_base: Ratio,
    pub(crate) frame_rate: Ratio,
    pub(crate) aspect: Ratio,
    pub(crate) colour: RawColour,
}

#[repr(C)]
pub(crate) struct RawGraphOutput {
    pub(crate) width: i32,
    pub(crate) height: i32,
    pub(crate) time_base: Ratio,
    pub(crate) frame_rate: Ratio,
    pub(crate) aspect: Ratio,
}

unsafe extern "C" {
    pub(crate) fn rt_setup();
    pub(crate) fn rt_last_message() -> *const c_char;
    pub(crate) fn rt_forget();
    pub(crate) fn rt_error_text(code: c_int, text: *mut c_char, size: usize);
    pub(crate) fn rt_errno(code: c_int) -> c_int;
    pub(crate) fn rt_is_end(code: c_int) -> c_int;
    pub(crate) fn rt_is_again(code: c_int) -> c_int;
    pub(crate) fn rt_version(out: *mut i32);

    pub(crate) fn rt_refusal(code: c_int) -> c_int;
    pub(crate) fn rt_open(
        access: *const RawAccess,
        bytes: *mut c_void,
        seekable: c_int,
        path: *const c_char,
        depth: i64,
        out: *mut *mut RtInput,
    ) -> c_int;
    pub(crate) fn rt_audio_of(input: *mut RtInput, index: c_int, out: *mut RawAudio) -> c_int;
    pub(crate) fn rt_sound_samples(input: *mut RtInput, index: c_int, bytes: c_int) -> c_int;
    pub(crate) fn rt_close(input: *mut RtInput);
    pub(crate) fn rt_film_of(input: *mut RtInput, out: *mut RawFilm);
    pub(crate) fn rt_stream_of(input: *mut RtInput, index: c_int, out: *mut RawStream) -> c_int;
    pub(crate) fn rt_chapter_of(input: *mut RtInput, index: c_int, out: *mut RawChapter) -> c_int;
    pub(crate) fn rt_select(input: *mut RtInput, wanted: *const u8, count: c_int) -> c_int;
    pub(crate) fn rt_read(input: *mut RtInput, out: *mut RawPacket) -> c_int;
    pub(crate) fn rt_packet_shift(packet: *mut RawPacket, ticks: i64);
    pub(crate) fn rt_packet_untime(packet: *mut RawPacket);
    pub(crate) fn rt_packet_undecode(packet: *mut RawPacket);
    pub(crate) fn rt_packet_unlast(packet: *mut RawPacket);
    pub(crate) fn rt_complaints(input: *mut RtInput) -> i64;
    pub(crate) fn rt_packet_cue_settings(packet: *const AVPacket, size: *mut usize) -> *const u8;
    pub(crate) fn rt_packet_free(packet: *mut AVPacket);
    pub(crate) fn rt_cover(
        input: *mut RtInput,
        stream: c_int,
        data: *mut *const u8,
        size: *mut usize,
    ) -> c_int;
    pub(crate) fn rt_seek(input: *mut RtInput, stream: c_int, time: i64) -> c_int;
    pub(crate) fn rt_share_programme(input: *mut RtInput, one: c_int, other: c_int) -> c_int;
    pub(crate) fn rt_lacks_descriptions(input: *mut RtInput) -> c_int;
    pub(crate) fn rt_record(input: *mut RtInput);
    pub(crate) fn rt_replay(input: *mut RtInput);
    pub(crate) fn rt_empty_samples(input: *mut RtInput, stream: c_int) -> i64;
    pub(crate) fn rt_position(input: *mut RtInput) -> i64;
    pub(crate) fn rt_input_tag(
        input: *mut RtInput,
        stream: c_int,
        number: c_int,
        name: *mut *const c_char,
        value: *mut *const c_char,
    ) -> c_int;

    pub(crate) fn rt_decoder_open(
        input: *mut RtInput,
        stream: c_int,
        threads: c_int,
        out: *mut *mut RtDecoder,
    ) -> c_int;
    pub(crate) fn rt_decoder_close(decoder: *mut RtDecoder);
    pub(crate) fn rt_decoder_send(decoder: *mut RtDecoder, packet: *mut AVPacket) -> c_int;
    pub(crate) fn rt_decoder_receive(decoder: *mut RtDecoder, out: *mut RawFrame) -> c_int;
    pub(crate) fn rt_decoder_complaints(decoder: *mut RtDecoder) -> i64;
    pub(crate) fn rt_decoder_renew(decoder: *mut RtDecoder);
    pub(crate) fn rt_decoder_flush(decoder: *mut RtDecoder);
    pub(crate) fn rt_frame_free(frame: *mut AVFrame);
    pub(crate) fn rt_frame_hdr10_plus(frame: *const AVFrame, data: *mut u8, size: usize) -> usize;

    pub(crate) fn rt_scaler_open(out: *mut *mut RtScaler) -> c_int;
    pub(crate) fn rt_scaler_close(scaler: *mut RtScaler);
    pub(crate) fn rt_scale(
        scaler: *mut RtScaler,
        from: *const AVFrame,
        picture: c_int,
        width: c_int,
        height: c_int,
        matrix: c_int,
        out: *mut RawFrame,
    ) -> c_int;

    pub(crate) fn rt_resizer_open(out: *mut *mut RtResizer) -> c_int;
    pub(crate) fn rt_resizer_close(resizer: *mut RtResizer);
    pub(crate) fn rt_resize(
        resizer: *mut RtResizer,
        planar: c_int,
        location: c_int,
        from: *const RawPlanes,
        to: *const RawPlanes,
    ) -> c_int;

    pub(crate) fn rt_graph_open(
        input: *const RawGraphInput,
        parts: *const *const c_char,
        count: c_int,
        refused: *mut c_int,
        out: *mut *mut RtGraph,
    ) -> c_int;
    pub(crate) fn rt_graph_close(graph: *mut RtGraph);
    pub(crate) fn rt_graph_has(filter: *const c_char) -> c_int;
    pub(crate) fn rt_graph_output_of(graph: *const RtGraph, out: *mut RawGraphOutput);
    pub(crate) fn rt_graph_send(
        graph: *mut RtGraph,
        planes: *const RawPlanes,
        picture: c_int,
        colour: *const RawColour,
        fields: c_int,
        pts: i64,
    ) -> c_int;
    pub(crate) fn rt_graph_end(graph: *mut RtGraph, pts: i64) -> c_int;
    pub(crate) fn rt_graph_receive(graph: *mut RtGraph, out: *mut RawFrame) -> c_int;

    pub(crate) fn rt_jpeg(
        planes: *const RawPlanes,
        quantizer: c_int,
        out: *mut u8,
        room: usize,
        size: *mut usize,
    ) -> c_int;

    pub(crate) fn rt_output_open(format: *const c_char, url: *const c_char, out: *mut *mut RtOutput)
    -> c_int;
    pub(crate) fn rt_output_open_memory(format: *const c_char, out: *mut *mut RtOutput) -> c_int;
    pub(crate) fn rt_output_in_order(output: *mut RtOutput);
    pub(crate) fn rt_output_take(output: *mut RtOutput, data: *mut *mut u8, size: *mut usize) -> c_int;
    pub(crate) fn rt_bytes_free(data: *mut u8);
    pub(crate) fn rt_output_flush(output: *mut RtOutput) -> c_int;
    pub(crate) fn rt_output_time_base(output: *const RtOutput, stream: c_int, out: *mut Ratio) -> c_int;
    pub(crate) fn rt_output_audio(output: *mut RtOutput, audio: *const RawAudio, time_base: Ratio) -> c_int;
    pub(crate) fn rt_output_mark(output: *mut RtOutput, stream: c_int, marks: c_int) -> c_int;
    pub(crate) fn rt_output_timed(output: *mut RtOutput, codec: *const c_char, time_base: Ratio) -> c_int;
    pub(crate) fn rt_output_close(output: *mut RtOutput);
    pub(crate) fn rt_output_option(output: *mut RtOutput, name: *const c_char, value: *const c_char)
    -> c_int;
    pub(crate) fn rt_output_tag(
        output: *mut RtOutput,
        stream: c_int,
        name: *const c_char,
        value: *const c_char,
    ) -> c_int;
    pub(crate) fn rt_output_video(output: *mut RtOutput, video: *const RawVideo) -> c_int;
    pub(crate) fn rt_output_can_hold(format: *const c_char, codec_id: c_int) -> c_int;
    pub(crate) fn rt_output_can_hold_named(format: *const c_char, codec: *const c_char) -> c_int;
    pub(crate) fn rt_output_copy(output: *mut RtOutput, input: *mut RtInput, stream: c_int) -> c_int;
    pub(crate) fn rt_output_attach(
        output: *mut RtOutput,
        name: *const c_char,
        mime: *const c_char,
        data: *const u8,
        size: usize,
    ) -> c_int;
    pub(crate) fn rt_output_chapters(
        output: *mut RtOutput,
        input: *mut RtInput,
        shift_num: i64,
        shift_den: i64,
        end_num: i64,
        end_den: i64,
    ) -> c_int;
    pub(crate) fn rt_output_chapter(
        output: *mut RtOutput,
        base: Ratio,
        start: i64,
        end: i64,
        title: *const c_char,
    ) -> c_int;
    pub(crate) fn rt_output_header(output: *mut RtOutput) -> c_int;
    pub(crate) fn rt_output_write(
        output: *mut RtOutput,
        stream: c_int,
        time_base: Ratio,
        pts: i64,
        dts: i64,
        duration: i64,
        key: c_int,
        disposable: c_int,
        data: *const u8,
        size: usize,
    ) -> c_int;
    pub(crate) fn rt_output_packet(
        output: *mut RtOutput,
        stream: c_int,
        time_base: Ratio,
        packet: *const AVPacket,
        pts: i64,
        dts: i64,
        duration: i64,
        cut: i64,
    ) -> c_int;
    pub(crate) fn rt_output_finish(output: *mut RtOutput) -> c_int;
    pub(crate) fn rt_output_bytes(output: *const RtOutput) -> i64;

    pub(crate) fn rt_sound_open(settings: *const RawSoundSettings, out: *mut *mut RtSound) -> c_int;
    pub(crate) fn rt_sound_close(sound: *mut RtSound);
    pub(crate) fn rt_sound_of(sound: *const RtSound, out: *mut RawAudio);
    pub(crate) fn rt_sound_send(sound: *mut RtSound, samples: *const f32, count: c_int, pts: i64) -> c_int;
    pub(crate) fn rt_sound_receive(sound: *mut RtSound, out: *mut RawPacket) -> c_int;

    pub(crate) fn rt_converter_open(
        format: c_int,
        rate: c_int,
        channels: c_int,
        layout: u64,
        out: *mut *mut RtConverter,
    ) -> c_int;
    pub(crate) fn rt_converter_close(converter: *mut RtConverter);
    pub(crate) fn rt_converter_floats(
        converter: *mut RtConverter,
        from: *const f32,
        count: c_int,
        rate: c_int,
        channels: c_int,
        layout: u64,
        data: *mut *const u8,
        samples: *mut c_int,
    ) -> c_int;
    pub(crate) fn rt_converter_drain(
        converter: *mut RtConverter,
        data: *mut *const u8,
        samples: *mut c_int,
    ) -> c_int;

    pub(crate) fn rt_pcm_open(
        input: *mut RtInput,
        stream: c_int,
        format: c_int,
        rate: c_int,
        channels: c_int,
        layout: u64,
        out: *mut *mut RtPcm,
    ) -> c_int;
    pub(crate) fn rt_pcm_close(pcm: *mut RtPcm);
    pub(crate) fn rt_pcm_of(pcm: *const RtPcm, out: *mut RawAudio);
    pub(crate) fn rt_pcm_send(pcm: *mut RtPcm, packet: *mut AVPacket) -> c_int;
    pub(crate) fn rt_pcm_receive(pcm: *mut RtPcm, out: *mut RawSoundFrame) -> c_int;
    pub(crate) fn rt_pcm_advance(pcm: *mut RtPcm) -> c_int;
    pub(crate) fn rt_pcm_flush(pcm: *mut RtPcm);
    pub(crate) fn rt_pcm_convert(
        pcm: *mut RtPcm,
        skip: c_int,
        count: c_int,
        data: *mut *const u8,
        samples: *mut c_int,
    ) -> c_int;
    pub(crate) fn rt_pcm_drain(pcm: *mut RtPcm, data: *mut *const u8, samples: *mut c_int) -> c_int;
    pub(crate) fn rt_pcm_complaints(pcm: *mut RtPcm) -> i64;

    pub(crate) fn rt_bitmaps_open(input: *mut RtInput, stream: c_int, out: *mut *mut RtBitmaps) -> c_int;
    pub(crate) fn rt_bitmaps_close(bitmaps: *mut RtBitmaps);
    pub(crate) fn rt_bitmaps_decode(
        bitmaps: *mut RtBitmaps,
        packet: *const AVPacket,
        out: *mut RawBitmapSet,
    ) -> c_int;
    pub(crate) fn rt_bitmaps_complaints(bitmaps: *mut RtBitmaps) -> i64;
    pub(crate) fn rt_bitmap_of(bitmaps: *const RtBitmaps, index: c_int, out: *mut RawBitmap) -> c_int;

    pub(crate) fn rt_subtitles_open(
        input: *mut RtInput,
        stream: c_int,
        codec: *const c_char,
        output: *mut RtOutput,
        out: *mut *mut RtSubtitles,
    ) -> c_int;
    pub(crate) fn rt_subtitles_close(subtitles: *mut RtSubtitles);
    pub(crate) fn rt_subtitles_track(subtitles: *const RtSubtitles) -> c_int;
    pub(crate) fn rt_subtitles_convert(
        subtitles: *mut RtSubtitles,
        packet: *const AVPacket,
        out: *mut RawPacket,
    ) -> c_int;
}
