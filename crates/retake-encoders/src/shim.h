/* The one table of functions over flat structures that every encoder shim offers to Rust. No type of an
   encoder library passes through. The Rust side is src/shim.rs; both files must say the same. */
#ifndef RETAKE_SHIM_H
#define RETAKE_SHIM_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct retake_option {
    const char *key;
    const char *value;
};

enum retake_rate { RETAKE_QUALITY = 0, RETAKE_AVERAGE = 1, RETAKE_CONSTANT = 2, RETAKE_LOSSLESS = 3 };

/* The library's own passes. The first gives no samples, and its statistics at the end; the second can be
   asked for its delay before it has any. */
enum retake_pass { RETAKE_ONLY_PASS = 0, RETAKE_FIRST_PASS = 1, RETAKE_SECOND_PASS = 2 };

/* The controls of a session. Every value in brackets leaves the choice to the encoder; Rust has refused the
   controls that the encoder's list lacks. */
struct retake_controls {
    int32_t no_reordering, open_gop;
    int32_t references;                        /* (0) */
    int32_t look_ahead;                        /* frames (-1) */
    int32_t max_delay;                         /* frames (-1) */
    int32_t low_latency;
    int32_t min_qp, max_qp;                    /* on the encoder's scale for 8 bit (-1) */
    int32_t no_spatial_adaptation, spatial_adaptation;
    int32_t base_qp;                           /* every frame must bring one */
    int32_t level;                             /* times ten (0) */
    int32_t cabac;                             /* (-1) */
    int32_t slice_bytes;                       /* (0) */
    int32_t layers;                            /* 1: one for all frames */
    int32_t long_term;
    int32_t more_before, more_after;
    int32_t fields;                            /* 1 top field first, 2 bottom field first; 0 whole frames */
    int32_t film_grain;                        /* level of the library (0) */
    int32_t crop[4];                           /* off left, top, right, bottom; whole blocks of chroma (0) */
    int32_t limit_kept_by_caller;              /* the limit decides the level alone */
    int64_t frame_count;                       /* (0) */
    int64_t buffer_rate, buffer_bits;          /* bits per second, bits (0) */
    double buffer_initial;                     /* 0 to 1; with buffer_rate only */
    double ceiling;                            /* quality that an average rate does not exceed (-1) */
    double base_share;                         /* of the base layer in the rate (-1) */
    const char *profile;                       /* (NULL) */
};

/* The ways in which an encoder of libavcodec takes a constant quality, and what else is known of one. */
enum retake_knob { RETAKE_NO_KNOB = 0, RETAKE_KNOB_OPTION = 1, RETAKE_KNOB_QSCALE = 2, RETAKE_KNOB_GLOBAL = 3 };

struct retake_avcodec {
    char name[64];
    char key[32];                              /* the option of RETAKE_KNOB_OPTION */
    char preset_key[32];                       /* the option that presets are values of; empty: none */
    char default_preset[32];
    char presets[1024];                        /* one a line, the slowest first */
    int32_t codec;                             /* as the Rust side counts them */
    int32_t knob;
    int32_t inverted;                          /* larger numbers of the library are better */
    int32_t is_intra;                          /* every frame is a key frame */
    double min, max, step, usual;
};

/* All strings and arrays are borrowed for the length of one call. */
struct retake_settings {
    int32_t width, height, bit_depth;
    int32_t chroma;                            /* 0 is 4:0:0, 1 4:2:0, 2 4:2:2, 3 4:4:4 */
    int32_t pairs;                             /* chroma is pairs of Cb and Cr in plane 1; 8 bit only */
    int32_t fps_num, fps_den;
    int32_t sar_num, sar_den;                  /* 0:0 unknown */
    int32_t primaries, transfer, matrix;       /* H.273; 2 unspecified */
    int32_t range;                             /* 0 limited, 1 full, -1 not known */
    int32_t chroma_location;                   /* H.273 type plus one; 0 unknown */
    int32_t has_mastering, has_content_light;
    /* Gx Gy Bx By Rx Ry Wx Wy in 0.00002; max, min luminance in 0.0001 cd/m2 */
    int32_t mastering[10];
    int32_t max_content, max_frame_average;
    int32_t rate;                              /* enum retake_rate */
    int32_t key_interval;                      /* 0: the encoder's default; 1: every frame is a key frame */
    int32_t threads, reconstruct;
    double quality;
    int64_t bit_rate;                          /* bits per second */
    int64_t limit_rate, limit_window;          /* bits per second, bits; 0 no limit */
    const char *preset;
    const struct retake_option *options;
    size_t option_count;
    int32_t pass;                              /* enum retake_pass */
    const uint8_t *statistics;                 /* of the first pass, for the second */
    size_t statistics_size;
    struct retake_controls controls;
    const struct retake_avcodec *avcodec;      /* of encoders of libavcodec only */
};

/* New values for some that a running encode was opened with; (-1) leaves the old one. */
struct retake_change {
    int64_t bit_rate, limit_rate, limit_window;
    double quality;
    int32_t min_qp, max_qp;
};

/* The reason why a call failed. An empty `setting` means that no single setting is to blame. */
struct retake_fault {
    char setting[64];
    char reason[256];
};

struct retake_frame {
    const uint8_t *plane[3];
    ptrdiff_t stride[3]; /* bytes */
    int64_t index;
    int32_t force_key;
    int32_t base_qp; /* on the scale for 8 bit; -1 none */
    int32_t refresh; /* whether to predict from an acknowledged long-term reference alone */
    const uint64_t *acknowledged; /* tokens */
    size_t acknowledged_count;
};

enum retake_event { RETAKE_ERROR = -1, RETAKE_PENDING = 0, RETAKE_SAMPLE = 1, RETAKE_PICTURE = 2, RETAKE_END = 3 };
enum retake_kind { RETAKE_SYNC = 0, RETAKE_REFERENCE = 1, RETAKE_DISPOSABLE = 2 };

/* The output of an encode. `data` stays valid until the next call on the same handle. For a picture event
   only `index` counts. */
struct retake_event_data {
    const uint8_t *data;
    size_t size;
    int64_t index;
    int32_t kind;
    float qp;        /* on the scale for 8 bit */
    int32_t layer;
    uint64_t token;  /* of a long-term reference; 0 none */
};

struct retake_shim {
    double quality_min, quality_max, quality_step;
    int32_t preset_max; /* of numbered presets */
    const char *(*version)(void);
    /* Returns 1 if the linked library encodes pictures of this chroma, as in the settings, and bit depth. */
    int32_t (*codes)(int32_t chroma, int32_t depth);
    /* Returns the number of frames that go in before the first sample comes out; 0 also when the settings are
       refused. */
    int32_t (*delay)(const struct retake_settings *settings);
    void *(*open)(const struct retake_settings *settings, struct retake_fault *fault);
    /* Gives parameter sets, in the form the library writes them; valid until the next call. */
    int32_t (*headers)(void *handle, const uint8_t **data, size_t *size, struct retake_fault *fault);
    /* Takes a frame, whose planes are borrowed for the call only; NULL means that no more follow. 0 ok, -1
       fault. */
    int32_t (*send)(void *handle, const struct retake_frame *frame, struct retake_fault *fault);
    int32_t (*receive)(void *handle, struct retake_event_data *event, struct retake_fault *fault);
    /* Copies the picture that a RETAKE_PICTURE event announced; must come before any other call on the
       handle. */
    void (*picture)(void *handle, uint8_t *const plane[3], const ptrdiff_t stride[3]);
    /* NULL, or changes the constant quality for frames that are not coded yet. 0 ok, -1 refused. */
    int32_t (*set_quality)(void *handle, double quality);
    /* NULL, or changes the settings of frames that are not sent yet, all of them or none. 0 done, 1 the
       library cannot, -1 fault. */
    int32_t (*reconfigure)(void *handle, const struct retake_change *change, struct retake_fault *fault);
    /* NULL, or gives the statistics of a first pass, once receive has returned RETAKE_END; valid until close.
       0 ok, -1 fault. */
    int32_t (*statistics)(void *handle, const uint8_t **data, size_t *size, struct retake_fault *fault);
    /* NULL, or waits for the work that close would have to wait for, which may take as long as encoding all
       frames sent. It is called when an encode is given up, on a thread of its own, before close. */
    void (*abandon)(void *handle);
    void (*close)(void *handle);
};

__attribute__((format(printf, 3, 4))) static inline void retake_fail(struct retake_fault *fault, const char *setting,
                                                                     const char *format, ...) {
    snprintf(fault->setting, sizeof fault->setting, "%s", setting);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fault->reason, sizeof fault->reason, format, arguments);
    va_end(arguments);
}

/* Returns the value of an option that the library's own parser does not know (tune, profile); the last one
   given wins. */
static inline const char *retake_option_value(const struct retake_settings *s, const char *key) {
    const char *value = NULL;
    for (size_t i = 0; i < s->option_count; i++)
        if (!strcmp(s->options[i].key, key)) value = s->options[i].value;
    return value;
}

/* Return the samples of a row of Cb or Cr, and the rows; 0 without chroma. */
static inline int32_t retake_chroma_width(int32_t width, int32_t chroma) { return chroma == 3 ? width : chroma ? (width + 1) / 2 : 0; }
static inline int32_t retake_chroma_height(int32_t height, int32_t chroma) { return chroma == 1 ? (height + 1) / 2 : chroma ? height : 0; }

static inline void retake_copy_plane(uint8_t *to, ptrdiff_t to_stride, const uint8_t *from, ptrdiff_t from_stride,
                                     size_t row_bytes, int32_t rows) {
    for (int32_t y = 0; y < rows; y++) memcpy(to + y * to_stride, from + y * from_stride, row_bytes);
}

static inline int32_t retake_min(int32_t a, int32_t b) { return a < b ? a : b; }
static inline int32_t retake_max(int32_t a, int32_t b) { return a > b ? a : b; }

/* Returns a number of bits in thousands, as libraries take it in an int. */
static inline int32_t retake_kilo(int64_t bits) {
    int64_t kilo = bits / 1000;
    return kilo < 1 ? 1 : kilo > INT32_MAX ? INT32_MAX : (int32_t)kilo;
}

#endif
