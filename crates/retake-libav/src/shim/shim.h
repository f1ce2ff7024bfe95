/* This is the whole border between Rust and FFmpeg: flat structs of ours in and out, so that no layout of
   FFmpeg's is known outside src/shim. src/ffi.rs mirrors this file; both must be changed together.

   Functions return 0 (or a positive count) for success and an AVERROR code for failure. Pointers to text stay
   valid until the object that they were got from is closed, or changed. */
#ifndef RETAKE_SHIM_H
#define RETAKE_SHIM_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avutil.h>
#include <stddef.h>
#include <stdint.h>

#define RT_UNKNOWN INT64_MIN /* The number of an unknown time, which equals AV_NOPTS_VALUE. */

#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 30, 100)
#define RT_CODED_SIDE_DATA 1 /* Side data of a stream lies in its codec parameters. */
#else
#define RT_CODED_SIDE_DATA 0
#endif

/* Facts that come with a picture beside its samples. */
enum {
    RT_CAPTIONS = 1,
    RT_HDR10_PLUS = 2,
    RT_DOLBY_VISION = 4,
    RT_STEREO = 8,
    RT_ACTIVE_FORMAT = 16,
    RT_TIMECODE = 32,
    RT_COLOUR_PROFILE = 64,
    RT_SPHERICAL = 128,
};

enum { RT_VIDEO, RT_AUDIO, RT_SUBTITLE, RT_DATA, RT_ATTACHMENT };
enum {
    RT_PICTURE_I420,
    RT_PICTURE_I010,
    RT_PICTURE_I422,
    RT_PICTURE_I210,
    RT_PICTURE_I444,
    RT_PICTURE_I410,
    RT_PICTURE_Y8,
    RT_PICTURE_Y10
};
enum { RT_PLANAR_420, RT_PLANAR_422, RT_PLANAR_444, RT_PLANAR_GRAY, RT_PLANAR_420_10, RT_PLANAR_422_10, RT_PLANAR_444_10, RT_PLANAR_GRAY_10, RT_PLANAR_444_16, RT_PLANAR_GRAY_16 };

typedef struct {
    int32_t num, den;
} rt_ratio;

/* H.273 code points; range is 0 unknown, 1 limited, 2 full; chroma location is as AVChromaLocation. */
typedef struct {
    int32_t primaries, transfer, matrix, range, chroma_location;
} rt_colour;

/* HDR10 metadata in the integer units of H.265. */
typedef struct {
    int32_t has_mastering, has_light;
    uint16_t primaries_gbr[3][2], white_point[2];
    uint32_t max_luminance, min_luminance;
    uint16_t max_content, max_average;
} rt_hdr;

/* A pixel format, by the properties that matter here. */
typedef struct {
    const char *name;
    int32_t depth;             /* bits of the deepest component */
    int32_t chroma_w, chroma_h; /* log2 of subsampling */
    int32_t rgb, gray, alpha;
    int32_t ours;              /* RT_PICTURE_* if its first planes are laid out so, else -1 */
    int32_t convertible;       /* whether swscale can read it */
} rt_pixels;

typedef struct {
    const char *format, *title;
    int64_t duration; /* in microseconds */
    int64_t size;     /* in bytes, or negative */
    int32_t streams, chapters, seekable, live_times;
    int32_t states_duration; /* whether the container itself states its duration */
} rt_film;

typedef struct {
    int32_t kind, codec_id, cover, chapter_track, text_subtitle, decodable;
    int32_t dolby_vision;  /* the profile, or negative where its number is not known; 0 for none */
    int32_t encrypted; /* whether its samples are */
    const char *codec, *language, *title;
    rt_ratio time_base, frame_rate, aspect;
    int32_t states_aspect; /* whether `aspect` is the container's word, which players prefer */
    int64_t start, duration, frames, listed; /* `listed` is the number of samples in the container's index */

    int32_t width, height, sample_rate, channels, padding, field_order, has_matrix;
    int32_t matrix[9];
    double rotation; /* degrees, counter-clockwise, as av_display_rotation_get returns them */
    rt_colour colour;
    rt_hdr hdr;
    rt_pixels pixels;
    int64_t last_byte; /* end of the last sample that the container's index lists, or 0 */
    const uint8_t *extradata;
    size_t extradata_size;
    int32_t disposition;
    int32_t id; /* the number that the container has for the track */
} rt_stream;

typedef struct {
    rt_ratio time_base;
    int64_t start, end; /* in ticks; `end` is AV_NOPTS_VALUE where nobody knows it */
    const char *title;
} rt_chapter;

typedef struct {
    AVPacket *packet;
    int64_t pts, dts, duration, position;
    const uint8_t *data;
    size_t size;
    int32_t stream, key, corrupt, discard, encrypted, alpha;
} rt_packet;

typedef struct {
    AVFrame *frame;
    int64_t pts, duration;
    const uint8_t *data[3];
    int32_t stride[3];
    int32_t width, height, key;
    int32_t interlaced; /* 1 top field first, 2 bottom field first, 0 whole frames */
    int32_t damaged, format;
    uint32_t extras; /* RT_CAPTIONS and so on */
    const uint8_t *captions, *rpu; /* of the frame; NULL for none */
    size_t captions_size, rpu_size;
    int32_t has_matrix;
    int32_t matrix[9];
    double rotation; /* as in rt_stream */
    rt_ratio aspect;
    rt_colour colour;
    rt_hdr hdr;
    rt_pixels pixels;
} rt_frame;

/* Audio as codec parameters have it; `layout` is a channel mask, or 0 for the usual one of so many
   channels. */
typedef struct {
    const char *codec;
    int32_t sample_rate, channels, frame_size, block_align, bits_per_sample, padding;
    uint64_t layout;
    int64_t bit_rate;
    const uint8_t *config;
    size_t config_size;
} rt_audio;

/* How the bytes of a film are reached. All calls return an AVERROR code for a failure. */
typedef struct {
    void *owner;        /* the first argument of `interrupted` and `open` */
    int32_t references; /* whether a list that is named as one may name other files */
    int (*interrupted)(void *owner);
    int (*open)(void *owner, const char *name, void **bytes);
    int (*read)(void *bytes, uint8_t *buffer, int size); /* 0 is the end */
    int64_t (*seek)(void *bytes, int64_t offset, int whence); /* `whence` -1 asks for the length */
    void (*close)(void *bytes);
} rt_access;

typedef struct rt_input rt_input;
typedef struct rt_decoder rt_decoder;
typedef struct rt_scaler rt_scaler;
typedef struct rt_resizer rt_resizer;
typedef struct rt_output rt_output;
typedef struct rt_subtitles rt_subtitles;
typedef struct rt_bitmaps rt_bitmaps;
typedef struct rt_sound rt_sound;
typedef struct rt_converter rt_converter;
typedef struct rt_pcm rt_pcm;
typedef struct rt_graph rt_graph;

/* These functions are in common.c. */
void rt_setup(void);
/* Says which counter this thread's reading concerns, NULL for none; returns the one before. */
void *rt_reads(void *complaints);
const char *rt_last_message(void); /* The message of this thread; empty if there was none since rt_forget. */
void rt_forget(void);
void rt_say(const char *message); /* Sets the message. */
void rt_error_text(int code, char *text, size_t size);
int rt_errno(int code); /* The operating system's error number in the code, or 0. */
int rt_is_end(int code);
int rt_is_again(int code);
void rt_version(int32_t out[3]);
void rt_describe_pixels(int format, rt_pixels *out);
/* Returns FFmpeg's number of RT_PICTURE_*. */
int rt_pixel_format(int picture);
void rt_hdr_from(rt_hdr *hdr, const uint8_t *mastering, const uint8_t *light);
const uint8_t *rt_side_data(const AVStream *stream, enum AVPacketSideDataType type);

/* The shape of pixels, or 0/1 where a picture of this size would have no row or column in it, so that players
   and encoders take it for none. */
AVRational rt_aspect(AVRational aspect, int width, int height);

/* These functions are in input.c. */
/* What rt_refusal returns: why the shims, and not FFmpeg, refused; 0 if they did not. */
enum { RT_REFUSED_UNKNOWN = 1, RT_REFUSED_REFERENCES, RT_REFUSED_ENDLESS, RT_REFUSED_INTERRUPTED };
int rt_refusal(int code);
/* Opens a film of these bytes, which are the input's from here on, also where this fails. The path only tells
   its kind, and where a list of other files lies. The message of a refusal is the name of the kind. */
int rt_open(const rt_access *access, void *bytes, int seekable, const char *path, int64_t depth, rt_input **out);
void rt_close(rt_input *input);
void rt_film_of(rt_input *input, rt_film *out);
int rt_stream_of(rt_input *input, int index, rt_stream *out);
/* Fills in a chapter; AVERROR(EINVAL) if there is none of this number. The title lives as long as the input.
 */
int rt_chapter_of(rt_input *input, int index, rt_chapter *out);
/* Texts and bytes live as those of rt_stream_of. */
int rt_audio_of(rt_input *input, int index, rt_audio *out);
/* The samples in a packet; 0 or less where they are not known. */
int rt_sound_samples(rt_input *input, int index, int bytes);
int rt_select(rt_input *input, const uint8_t *wanted, int count);
int rt_read(rt_input *input, rt_packet *out);
void rt_packet_shift(rt_packet *packet, int64_t ticks); /* Moves its times. */
void rt_packet_untime(rt_packet *packet); /* Forgets when it is shown. */
void rt_packet_undecode(rt_packet *packet); /* Forgets when it is decoded. */
void rt_packet_unlast(rt_packet *packet); /* Forgets how long it is shown. */
/* Returns the errors in the container that reading met so far. */
int64_t rt_complaints(rt_input *input);
/* Gives where a text of WebVTT is placed; NULL for nowhere. */
const uint8_t *rt_packet_cue_settings(const AVPacket *packet, size_t *size);
void rt_packet_free(AVPacket *packet);
/* Gives the picture of a cover track. */
int rt_cover(rt_input *input, int stream, const uint8_t **data, size_t *size);
int rt_seek(rt_input *input, int stream, int64_t time);
/* Whether both tracks are of one programme, or one of them is of none. */
int rt_share_programme(rt_input *input, int one, int other);
/* Whether a track of a broadcast is known by its number alone, because it begins late. */
int rt_lacks_descriptions(rt_input *input);
void rt_record(rt_input *input); /* Keeps a copy of the packets that rt_read gives from here on. */
void rt_replay(rt_input *input);                 /* Stops that, and gives the copies again. */
int64_t rt_empty_samples(rt_input *input, int index); /* How many samples of an AVI file hold nothing. */
int64_t rt_position(rt_input *input);
AVFormatContext *rt_context(rt_input *input);    /* Only the other shims may call this. */

/* These functions are in decode.c. */
int rt_decoder_open(rt_input *input, int stream, int threads, rt_decoder **out);
void rt_decoder_close(rt_decoder *decoder);
/* NULL is the end. The packet stays the caller's. */
int rt_decoder_send(rt_decoder *decoder, AVPacket *packet);
int rt_decoder_receive(rt_decoder *decoder, rt_frame *out);
void rt_decoder_flush(rt_decoder *decoder);
void rt_decoder_renew(rt_decoder *decoder); /* Flushes, before another stream of the same kind begins. */
int64_t rt_decoder_complaints(rt_decoder *decoder); /* The errors in the stream that decoding met so far. */
void rt_frame_free(AVFrame *frame);
void rt_frame_describe(AVFrame *frame, rt_frame *out);

/* This function is in dynamic_hdr.c. It writes the HDR10+ metadata of a frame as a message of ITU-T T.35, and
   returns its length; 0 for none, and where it would be longer than `size`. */
size_t rt_frame_hdr10_plus(const AVFrame *frame, uint8_t *data, size_t size);

/* These functions are in scale.c. */
int rt_scaler_open(rt_scaler **out);
void rt_scaler_close(rt_scaler *scaler);
/* Makes a new frame of RT_PICTURE_* `picture`, `width` x `height`. `matrix` is the H.273 matrix to make of
   RGB. */
int rt_scale(rt_scaler *scaler, const AVFrame *from, int picture, int width, int height, int matrix, rt_frame *out);

/* These functions are in resize.c. */
typedef struct {
    uint8_t *data[3];
    int32_t stride[3];
    int32_t width, height;
} rt_planes;

int rt_resizer_open(rt_resizer **out);
void rt_resizer_close(rt_resizer *resizer);
/* Scales pictures of RT_PLANAR_* `planar`; chroma lies as H.273 says (type plus one), and stays there. Rows
   of `from` must be readable, and those of `to` writable, 64 bytes beyond their end. */
int rt_resize(rt_resizer *resizer, int planar, int location, const rt_planes *from, const rt_planes *to);

/* The memory of pictures, which outlives its owner as long as a picture of it is alive. All zeros is one
   without any yet. These two functions are in scale.c. */
typedef struct {
    AVBufferPool *pool;
    int bytes;
} rt_pictures;
AVFrame *rt_picture_new(rt_pictures *pictures, int format, int width, int height);
void rt_pictures_close(rt_pictures *pictures);

/* These functions are in filter.c. */
typedef struct {
    int32_t picture, width, height; /* `picture` is RT_PICTURE_* */
    rt_ratio time_base, frame_rate, aspect;
    rt_colour colour;
} rt_graph_input;

typedef struct {
    int32_t width, height;
    rt_ratio time_base, frame_rate, aspect; /* a frame rate of 0 is unknown or none */
} rt_graph_output;

/* Opens a graph of parts that follow each other, each in FFmpeg's words, and each with one video in and one
   out. `refused` is the number of the part that is at fault, or -1. */
int rt_graph_open(const rt_graph_input *in, const char *const *parts, int count, int *refused, rt_graph **out);
void rt_graph_close(rt_graph *graph);
/* Whether this FFmpeg has a filter. */
int rt_graph_has(const char *filter);
void rt_graph_output_of(const rt_graph *graph, rt_graph_output *out);
/* Copies a picture into the graph; `fields` is as rt_frame.interlaced. */
int rt_graph_send(rt_graph *graph, const rt_planes *planes, int picture, const rt_colour *colour, int fields, int64_t pts);
int rt_graph_end(rt_graph *graph, int64_t pts); /* No picture follows, and the last one is over at `pts`. */
/* Gives a picture with its time in `pts`; AVERROR(EAGAIN) asks for another one to be sent, AVERROR_EOF is the
   end. */
int rt_graph_receive(rt_graph *graph, rt_frame *out);

/* This function is in jpeg.c. It encodes a picture of 4:2:0 in full range as a file of JPEG; `quantizer` is 2
   (best) to 31. AVERROR(ENOSPC) says that the file would be larger than `room`. */
int rt_jpeg(const rt_planes *planes, int quantizer, uint8_t *out, size_t room, size_t *size);

/* These functions are in output.c and track.c. */
typedef struct {
    const char *codec;
    int32_t width, height, picture, timescale, level, profile;
    uint32_t tag; /* the sample entry code; 0: FFmpeg's own choice */
    rt_ratio time_base, frame_rate, aspect;
    const uint8_t *config;
    size_t config_size;
    rt_colour colour;
    rt_hdr hdr;
    int32_t has_matrix;
    int32_t matrix[9];
    int32_t disposition;
    int32_t fields; /* 0 for whole frames, else the numbers of QuickTime: 1, 6, 9, 14 */
    int32_t dolby_vision, dolby_vision_level, dolby_vision_compatibility; /* the profile; 0 for none */
    const char *encoder;
} rt_video;

int rt_output_open(const char *format, const char *url, rt_output **out);
/* Writes no file; rt_output_take fetches the bytes. */
int rt_output_open_memory(const char *format, rt_output **out);
/* Writes packets as they come, because they are interleaved already. */
void rt_output_in_order(rt_output *output);
/* Gives all bytes since the last call; they are the caller's, who must free them by rt_bytes_free. */
int rt_output_take(rt_output *output, uint8_t **data, size_t *size);
void rt_bytes_free(uint8_t *data);
int rt_output_flush(rt_output *output); /* Ends a fragment, where the container has such. */
/* Gives the time base in force after rt_output_header. */
int rt_output_time_base(const rt_output *output, int stream, rt_ratio *out);
void rt_output_close(rt_output *output); /* Closes without a trailer, so that the file stays half a file. */
int rt_output_option(rt_output *output, const char *name, const char *value);
/* Stream -1 is the film. */
int rt_output_tag(rt_output *output, int stream, const char *name, const char *value);
int rt_output_video(rt_output *output, const rt_video *video);
int rt_output_audio(rt_output *output, const rt_audio *audio, rt_ratio time_base);
/* A track of text or data, by its coding format alone. */
int rt_output_mark(rt_output *output, int stream, int marks); /* As AV_DISPOSITION_* have it. */
int rt_output_timed(rt_output *output, const char *codec, rt_ratio time_base);
/* 1 means yes, 0 no, negative that it cannot be told. */
int rt_output_can_hold(const char *format, int codec_id);
int rt_output_can_hold_named(const char *format, const char *codec);
/* These return the index of the new track. */
int rt_output_copy(rt_output *output, rt_input *input, int stream);
int rt_output_attach(rt_output *output, const char *name, const char *type, const uint8_t *data, size_t size);
/* Copies the chapters behind shift_num / shift_den seconds, by which they become earlier, and before
   end_num / end_den seconds, which is no limit if end_den is 0. Those that reach over one of the two are
   cut there. */
int rt_output_chapters(rt_output *output, rt_input *input, int64_t shift_num, int64_t shift_den, int64_t end_num, int64_t end_den);
/* Adds a chapter, with times in ticks of `base`. The muxer of Matroska writes those that are added behind the
   head at the end of the file, unless the head had some. */
int rt_output_chapter(rt_output *output, rt_ratio base, int64_t start, int64_t end, const char *title);
int rt_output_header(rt_output *output);
int rt_output_write(rt_output *output, int stream, rt_ratio time_base, int64_t pts, int64_t dts, int64_t duration, int key, int disposable,
                    const uint8_t *data, size_t size);
/* Writes a packet that was read from an input, with new times (ticks of `time_base`). The packet stays the
   caller's. `cut` ticks behind its duration are not to be seen or heard. It returns 1 if the times had to be
   moved, to go on from the packet before. */
int rt_output_packet(rt_output *output, int stream, rt_ratio time_base, const AVPacket *packet, int64_t pts, int64_t dts, int64_t duration,
                     int64_t cut);
int rt_output_finish(rt_output *output);
int64_t rt_output_bytes(const rt_output *output);
AVFormatContext *rt_output_context(rt_output *output);
int rt_track_add_side_data(AVStream *stream, enum AVPacketSideDataType type, const void *data, size_t size);
/* Returns 1 while there is one. */
int rt_input_tag(rt_input *input, int stream, int number, const char **name, const char **value);

/* These functions are in subtitle.c. */
int rt_subtitles_open(rt_input *input, int stream, const char *codec, rt_output *output, rt_subtitles **out);
void rt_subtitles_close(rt_subtitles *subtitles);
int rt_subtitles_track(const rt_subtitles *subtitles);
/* Times are in ticks of the source track. It returns 1 if a packet came out (its data is valid until the next
   call), 0 if not. */
int rt_subtitles_convert(rt_subtitles *subtitles, const AVPacket *packet, rt_packet *out);

/* These functions are in bitmaps.c. */
/* All that is shown from a time on. */
typedef struct {
    int64_t pts;           /* in microseconds; the least number if it is not known */
    uint32_t begins, ends; /* in milliseconds after that; `ends` is 0 if it is not known */
    int32_t count, width, height;
} rt_bitmap_set;

typedef struct {
    int32_t x, y, width, height, stride;
    const uint8_t *indices; /* valid until the next packet is decoded */
    uint32_t palette[256];  /* alpha in the highest bits, then red, green and blue */
} rt_bitmap;

int rt_bitmaps_open(rt_input *input, int stream, rt_bitmaps **out);
void rt_bitmaps_close(rt_bitmaps *bitmaps);
/* It returns 1 if something is shown, or goes, from here on; 0 if nothing changes yet. */
int rt_bitmaps_decode(rt_bitmaps *bitmaps, const AVPacket *packet, rt_bitmap_set *out);
int64_t rt_bitmaps_complaints(rt_bitmaps *bitmaps); /* The errors that decoding met so far. */
/* It returns 1 if there is such a picture, and its struct is filled. */
int rt_bitmap_of(const rt_bitmaps *bitmaps, int index, rt_bitmap *out);

/* These functions are in sound.c. */
typedef struct {
    const char *encoder;
    int32_t rate, channels, bit_depth; /* 16 or 24 bits are taken as integers, 0 as floats */
    uint64_t layout;                   /* a channel mask, or 0 for the usual one of so many channels */
    int64_t bit_rate;                  /* 0 leaves it to the encoder */
    const char *option, *value;        /* one option of the encoder's own, or NULL */
} rt_sound_settings;

int rt_sound_open(const rt_sound_settings *settings, rt_sound **out);
void rt_sound_close(rt_sound *sound);
void rt_sound_of(const rt_sound *sound, rt_audio *out); /* Texts and bytes live as long as the encoder. */
/* Takes `count` samples of each channel, one of each after the other: as many as rt_audio.frame_size says,
   and fewer in the last call alone; NULL is the end. */
int rt_sound_send(rt_sound *sound, const float *samples, int count, int64_t pts);
int rt_sound_receive(rt_sound *sound, rt_packet *out);

/* These functions are in pcm.c. */
enum { RT_SAMPLES_S16, RT_SAMPLES_S32, RT_SAMPLES_F32 };

/* A decoded piece of sound, in the decoder's own rate. */
typedef struct {
    int64_t pts, duration; /* in ticks of the track */
    int32_t samples, rate; /* of each channel */
    int32_t damaged;
} rt_sound_frame;

/* Makes interleaved samples of RT_SAMPLES_* `format`. `layout` is a channel mask, or 0 for the usual one of
   so many channels. Bytes that a converter gives are valid until its next call. */
int rt_converter_open(int format, int rate, int channels, uint64_t layout, rt_converter **out);
void rt_converter_close(rt_converter *converter);
void rt_converter_of(const rt_converter *converter, rt_audio *out); /* Rate, channels and layout alone. */
/* Converts `count` interleaved floats of each channel. */
int rt_converter_floats(rt_converter *converter, const float *from, int count, int rate, int channels, uint64_t layout, const uint8_t **data,
                        int *samples);
/* Gives what resampling still holds, and ends the stretch of sound. */
int rt_converter_drain(rt_converter *converter, const uint8_t **data, int *samples);

/* Rate 0, and both channels and layout 0, keep those of the track. */
int rt_pcm_open(rt_input *input, int stream, int format, int rate, int channels, uint64_t layout, rt_pcm **out);
void rt_pcm_close(rt_pcm *pcm);
/* Rate, channels, layout, and the bits of a decoded sample: 0 for floats. */
void rt_pcm_of(const rt_pcm *pcm, rt_audio *out);
int rt_pcm_send(rt_pcm *pcm, AVPacket *packet);   /* NULL is the end. The packet stays the caller's. */
int rt_pcm_receive(rt_pcm *pcm, rt_sound_frame *out);
/* Makes the frame that was received last the one that is converted. It returns 1 if it has another rate,
   format or layout than what was converted so far, which must be drained first. */
int rt_pcm_advance(rt_pcm *pcm);
void rt_pcm_flush(rt_pcm *pcm); /* Must be called after a seek. */
/* Converts `count` samples of the frame from `skip` on. */
int rt_pcm_convert(rt_pcm *pcm, int skip, int count, const uint8_t **data, int *samples);
int rt_pcm_drain(rt_pcm *pcm, const uint8_t **data, int *samples);
int64_t rt_pcm_complaints(rt_pcm *pcm);

#endif
