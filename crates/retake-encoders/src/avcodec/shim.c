/* Any encoder of libavcodec, by its name. What is written here of a single encoder is how it is asked; what
   it does is found out by trial (trial.rs). */
#include "../shim.h"
#include <libavcodec/avcodec.h>
#include <libavcodec/bsf.h>
#include <libavutil/hwcontext.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <math.h>

/* The order is that of CODECS in mod.rs. */
static const enum AVCodecID CODECS[] = {
    AV_CODEC_ID_H264, AV_CODEC_ID_HEVC, AV_CODEC_ID_AV1, AV_CODEC_ID_VP9,
    AV_CODEC_ID_VVC, AV_CODEC_ID_MPEG4, AV_CODEC_ID_MPEG2VIDEO, AV_CODEC_ID_PRORES,
};
#define CODEC_COUNT ((int32_t)(sizeof CODECS / sizeof *CODECS))

/* What is decoded to, by depth over 8 and chroma. */
static const enum AVPixelFormat PLANAR[2][4] = {
    {AV_PIX_FMT_GRAY8, AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUV444P},
    {AV_PIX_FMT_GRAY10LE, AV_PIX_FMT_YUV420P10LE, AV_PIX_FMT_YUV422P10LE, AV_PIX_FMT_YUV444P10LE},
};
/* Pairs of Cb and Cr, which is all that hardware takes as a rule. */
static const enum AVPixelFormat PAIRED[2][4] = {
    {AV_PIX_FMT_NONE, AV_PIX_FMT_NV12, AV_PIX_FMT_NV16, AV_PIX_FMT_NONE},
    {AV_PIX_FMT_NONE, AV_PIX_FMT_P010LE, AV_PIX_FMT_NONE, AV_PIX_FMT_NONE},
};

/* Frames that a trial of the delay sends at most, and how many it sends after the first sample. */
#define MOST_DELAY 400
#define SETTLED 32

struct encoder {
    AVCodecContext *encoder, *decoder;
    AVBufferRef *device;
    AVBSFContext *plain; /* Annex B of samples with lengths */
    AVPacket *packet;
    AVFrame *frame, *picture;
    enum AVPixelFormat sent, decoded;
    int32_t interval, since_key, is_intra, no_reordering;
    int64_t last;
    int encoder_ended, decoder_flushed;
    struct waiting {
        struct waiting *next;
        AVPacket *packet;
    } *first, **end; /* packets that came while a frame was sent */
    uint8_t *headers;
    size_t headers_size;
};

static const char *error_text(int code) {
    static _Thread_local char text[AV_ERROR_MAX_STRING_SIZE];
    av_strerror(code, text, sizeof text);
    return text;
}

static const char *version(void) {
    static char text[32];
    unsigned number = avcodec_version();
    snprintf(text, sizeof text, "%u.%u.%u", AV_VERSION_MAJOR(number), AV_VERSION_MINOR(number), AV_VERSION_MICRO(number));
    return text;
}

const char *retake_avcodec_licence(void) { return avcodec_license(); }

static const enum AVPixelFormat *pixel_formats(const AVCodec *codec) {
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(61, 13, 100)
    const void *list = NULL;
    return avcodec_get_supported_config(NULL, codec, AV_CODEC_CONFIG_PIX_FORMAT, 0, &list, NULL) < 0 ? NULL : list;
#else
    return codec->pix_fmts;
#endif
}

static const AVRational *frame_rates(const AVCodec *codec) {
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(61, 13, 100)
    const void *list = NULL;
    return avcodec_get_supported_config(NULL, codec, AV_CODEC_CONFIG_FRAME_RATE, 0, &list, NULL) < 0 ? NULL : list;
#else
    return codec->supported_framerates;
#endif
}

static int takes(const AVCodec *codec, enum AVPixelFormat wanted) {
    const enum AVPixelFormat *format = pixel_formats(codec);
    for (; format && *format != AV_PIX_FMT_NONE; format++)
        if (*format == wanted) return 1;
    return 0;
}

/* Returns how frames are put into the memory of a device, where an encoder takes no others. */
static const AVCodecHWConfig *device_of(const AVCodec *codec) {
    const AVCodecHWConfig *config;
    for (int i = 0; (config = avcodec_get_hw_config(codec, i)); i++)
        if (config->methods & AV_CODEC_HW_CONFIG_METHOD_HW_FRAMES_CTX) return config;
    return NULL;
}

/* Returns the format in which frames are handed over; planes stay planes where the encoder takes them so. */
static enum AVPixelFormat format_for(const AVCodec *codec, int32_t chroma, int32_t depth) {
    enum AVPixelFormat planar = PLANAR[depth > 8][chroma], paired = PAIRED[depth > 8][chroma];
    if (takes(codec, planar)) return planar;
    if (paired != AV_PIX_FMT_NONE && takes(codec, paired)) return paired;
    int device_only = device_of(codec) && pixel_formats(codec) && pixel_formats(codec)[0] == device_of(codec)->pix_fmt;
    return device_only ? paired : AV_PIX_FMT_NONE;
}

static const AVOption *option_of(const AVCodec *codec, const char *key) {
    return codec->priv_class ? av_opt_find((void *)&codec->priv_class, key, NULL, 0, AV_OPT_SEARCH_FAKE_OBJ) : NULL;
}

static int is_float(const AVOption *option) { return option->type == AV_OPT_TYPE_FLOAT || option->type == AV_OPT_TYPE_DOUBLE; }

static void add_preset(struct retake_avcodec *a, const char *name) {
    size_t used = strlen(a->presets);
    if (used + strlen(name) + 2 < sizeof a->presets) snprintf(a->presets + used, sizeof a->presets - used, "%s\n", name);
}

/* The option that trades speed for compression has another name with each library. */
static void find_presets(const AVCodec *codec, struct retake_avcodec *a) {
    static const char *const KEYS[] = {"preset", "cpu-used", "speed"};
    static const char *const WORDS[] = {"placebo", "veryslow", "slower", "slow", "medium", "fast", "faster", "veryfast", "superfast", "ultrafast"};
    const AVOption *option = NULL;
    for (size_t i = 0; !option && i < sizeof KEYS / sizeof *KEYS; i++) option = option_of(codec, KEYS[i]);
    if (option && option->type == AV_OPT_TYPE_STRING) {
        /* The only encoders whose presets are free text are those of x264 and x265. */
        snprintf(a->preset_key, sizeof a->preset_key, "%s", option->name);
        for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) add_preset(a, WORDS[i]);
        snprintf(a->default_preset, sizeof a->default_preset, "medium");
        return;
    }
    int named = 0;
    if (option && option->unit) {
        const AVOption *value = NULL;
        while ((value = av_opt_next(&codec->priv_class, value))) {
            if (value->type != AV_OPT_TYPE_CONST || !value->unit || strcmp(value->unit, option->unit)) continue;
            add_preset(a, value->name);
            if (!named || value->default_val.i64 == option->default_val.i64)
                snprintf(a->default_preset, sizeof a->default_preset, "%s", value->name);
            named = 1;
        }
    }
    if (option && !named && (option->type == AV_OPT_TYPE_INT || option->type == AV_OPT_TYPE_INT64)) {
        int low = (int)fmax(option->min, 0), high = (int)fmin(option->max, 15);
        /* Real-time modes of libvpx and libaom are numbers above these. */
        if (!strcmp(option->name, "cpu-used") && high > 8) high = 8;
        for (int i = low; i <= high; i++) {
            char number[16];
            snprintf(number, sizeof number, "%d", i);
            add_preset(a, number);
        }
        /* Defaults of libraries are made for references, not for films: two thirds of the way is usual. */
        snprintf(a->default_preset, sizeof a->default_preset, "%d", (low + 2 * high) / 3);
        named = high >= low;
    }
    if (named) {
        snprintf(a->preset_key, sizeof a->preset_key, "%s", option->name);
    } else {
        add_preset(a, "default");
        snprintf(a->default_preset, sizeof a->default_preset, "default");
    }
}

static int is_h26x(int32_t codec) { return codec <= 1; }

/* Describes an encoder, and the place-th way in which it may take a constant quality. Returns 1, 0 where
   there are no more ways, -1 where there is no such encoder. */
int32_t retake_avcodec_describe(const char *name, int32_t place, struct retake_avcodec *a, struct retake_fault *fault) {
    const AVCodec *codec = avcodec_find_encoder_by_name(name);
    memset(a, 0, sizeof *a);
    if (!codec || codec->type != AVMEDIA_TYPE_VIDEO) {
        retake_fail(fault, "", "the linked libavcodec has no video encoder of this name");
        return -1;
    }
    while (a->codec < CODEC_COUNT && CODECS[a->codec] != codec->id) a->codec++;
    if (a->codec == CODEC_COUNT) {
        retake_fail(fault, "", "films of %s are not made: of H.264, HEVC, AV1, VP9, VVC, MPEG-4, MPEG-2 and ProRes they are",
                    avcodec_get_name(codec->id));
        return -1;
    }
    snprintf(a->name, sizeof a->name, "%s", codec->name);
    const AVCodecDescriptor *descriptor = avcodec_descriptor_get(codec->id);
    a->is_intra = descriptor && descriptor->props & AV_CODEC_PROP_INTRA_ONLY;
    find_presets(codec, a);
    static const char *const KEYS[] = {"crf", "cq", "qp"};
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
        const AVOption *option = option_of(codec, KEYS[i]);
        if (!option || place-- > 0) continue;
        a->knob = RETAKE_KNOB_OPTION;
        snprintf(a->key, sizeof a->key, "%s", KEYS[i]);
        a->min = fmax(option->min, 0);
        a->max = option->max > 255 ? (is_h26x(a->codec) ? 51 : 63) : option->max;
        /* 0 means lossless, which is another stream, or that the encoder chooses. */
        if (a->min == 0) a->min = 1;
        a->step = is_float(option) ? 0.25 : 1;
        a->usual = is_h26x(a->codec) ? 24 : a->min + (a->max - a->min) / 2;
        return 1;
    }
    if (place > 1) return 0;
    /* A scale of the generic option: in units of lambda where a flag says so (most), or plain (Quick Sync).
     */
    a->knob = place == 0 ? RETAKE_KNOB_QSCALE : RETAKE_KNOB_GLOBAL;
    a->step = 1;
    int in_percent = strstr(name, "videotoolbox") != NULL;
    a->min = a->codec == 5 || a->codec == 6 ? 2 : 1;
    a->max = in_percent ? 100 : is_h26x(a->codec) ? 51 : a->codec == 2 || a->codec == 3 ? 255 : a->codec == 7 ? 64 : 31;
    a->usual = a->codec == 5 || a->codec == 6 ? 4 : a->codec == 7 ? 8 : is_h26x(a->codec) && !in_percent ? 25 : (a->min + a->max) / 2;
    return 1;
}

static void close_encoder(void *handle) {
    struct encoder *e = handle;
    avcodec_free_context(&e->encoder);
    avcodec_free_context(&e->decoder);
    av_bsf_free(&e->plain);
    while (e->first) {
        struct waiting *next = e->first->next;
        av_packet_free(&e->first->packet);
        free(e->first);
        e->first = next;
    }
    av_packet_free(&e->packet);
    av_frame_free(&e->frame);
    av_frame_free(&e->picture);
    av_buffer_unref(&e->device);
    av_free(e->headers);
    free(e);
}

static int set_option(AVCodecContext *context, const char *key, const char *value, struct retake_fault *fault) {
    void *target = NULL;
    const AVOption *option = av_opt_find2(context, key, NULL, 0, AV_OPT_SEARCH_CHILDREN, &target);
    if (!option || option->type == AV_OPT_TYPE_CONST) return retake_fail(fault, key, "is no option of %s", context->codec->name), -1;
    int text = option->type == AV_OPT_TYPE_STRING || option->type == AV_OPT_TYPE_DICT || option->type == AV_OPT_TYPE_BINARY;
    if (text && strcmp(key, "tune") && strcmp(key, "profile") && strcmp(key, "level"))
        return retake_fail(fault, key, "cannot be given: it is free text, in which an encoder may be told to write files or to undo what takes need"), -1;
    int result = av_opt_set(target, option->name, value, 0);
    if (result < 0) return retake_fail(fault, key, "%s does not take '%s': %s", context->codec->name, value, error_text(result)), -1;
    return 0;
}

/* Sets options of ours where the encoder has them. */
static void prefer(AVCodecContext *context, const char *key, const char *value) {
    if (context->priv_data && option_of(context->codec, key)) av_opt_set(context->priv_data, key, value, 0);
}

/* Sets the quality; the scale of ours is better where it is lower. */
static int set_knob(AVCodecContext *context, const struct retake_avcodec *a, double quality, struct retake_fault *fault) {
    double value = a->inverted ? a->min + a->max - quality : quality;
    char text[32];
    switch (a->knob) {
    case RETAKE_KNOB_OPTION:
        snprintf(text, sizeof text, "%g", value);
        if (!strcmp(a->key, "cq")) prefer(context, "rc", "vbr");
        if (!strcmp(a->key, "qp")) prefer(context, "rc", "constqp"), prefer(context, "rc_mode", "CQP");
        if (av_opt_set(context->priv_data, a->key, text, 0) < 0)
            return retake_fail(fault, "quality", "%s does not take %s %s", context->codec->name, a->key, text), -1;
        break;
    case RETAKE_KNOB_QSCALE:
        context->flags |= AV_CODEC_FLAG_QSCALE;
        context->global_quality = (int)lrint(value * FF_QP2LAMBDA);
        break;
    case RETAKE_KNOB_GLOBAL: context->global_quality = (int)lrint(value); break;
    default: return retake_fail(fault, "quality", "%s has no constant quality", context->codec->name), -1;
    }
    context->bit_rate = 0;
    return 0;
}

static int upload_to(struct encoder *e, const AVCodec *codec, const struct retake_settings *s) {
    const AVCodecHWConfig *config = device_of(codec);
    int result = av_hwdevice_ctx_create(&e->device, config->device_type, NULL, NULL, 0);
    if (result < 0) return result;
    AVBufferRef *frames = av_hwframe_ctx_alloc(e->device);
    if (!frames) return AVERROR(ENOMEM);
    AVHWFramesContext *context = (AVHWFramesContext *)frames->data;
    context->format = config->pix_fmt;
    context->sw_format = e->sent;
    context->width = s->width;
    context->height = s->height;
    context->initial_pool_size = 32;
    result = av_hwframe_ctx_init(frames);
    if (result < 0) return av_buffer_unref(&frames), result;
    e->encoder->hw_frames_ctx = frames;
    e->encoder->pix_fmt = config->pix_fmt;
    return 0;
}

static int is_number(int32_t value) { return value > 0 && value != 2; }

static void set_colour(AVCodecContext *context, const struct retake_settings *s) {
    context->color_primaries = is_number(s->primaries) ? (enum AVColorPrimaries)s->primaries : AVCOL_PRI_UNSPECIFIED;
    context->color_trc = is_number(s->transfer) ? (enum AVColorTransferCharacteristic)s->transfer : AVCOL_TRC_UNSPECIFIED;
    context->colorspace = s->matrix != 2 ? (enum AVColorSpace)s->matrix : AVCOL_SPC_UNSPECIFIED;
    context->color_range = s->range < 0 ? AVCOL_RANGE_UNSPECIFIED : s->range ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    context->chroma_sample_location = (enum AVChromaLocation)s->chroma_location;
}

static int open_decoder(struct encoder *e, struct retake_fault *fault) {
    const AVCodecContext *from = e->encoder;
    const AVCodec *codec = avcodec_find_decoder(from->codec_id);
    if (!codec) return retake_fail(fault, "", "libavcodec has no decoder of %s, whose pictures would be judged", avcodec_get_name(from->codec_id)), -1;
    AVCodecContext *context = e->decoder = avcodec_alloc_context3(codec);
    if (!context) return retake_fail(fault, "", "out of memory"), -1;
    context->log_level_offset = 100;
    context->thread_count = 1;
    context->pkt_timebase = from->time_base;
    context->width = from->width;
    context->height = from->height;
    context->codec_tag = from->codec_tag;
    if (e->headers_size) {
        context->extradata = av_mallocz(e->headers_size + AV_INPUT_BUFFER_PADDING_SIZE);
        if (!context->extradata) return retake_fail(fault, "", "out of memory"), -1;
        memcpy(context->extradata, e->headers, e->headers_size);
        context->extradata_size = (int)e->headers_size;
    }
    int result = avcodec_open2(context, codec, NULL);
    if (result < 0) return retake_fail(fault, "", "the decoder of libavcodec does not open: %s", error_text(result)), -1;
    return 0;
}

static int keep_headers(struct encoder *e, const uint8_t *data, size_t size) {
    e->headers = av_memdup(data, size);
    e->headers_size = e->headers ? size : 0;
    return e->headers ? 0 : -1;
}

/* Brings the headers into the form of a stream: records of ISO files are what VideoToolbox gives. */
static int find_headers(struct encoder *e, int32_t codec, struct retake_fault *fault) {
    AVCodecContext *context = e->encoder;
    const uint8_t *data = context->extradata;
    size_t size = (size_t)context->extradata_size;
    if (codec == 7) {
        uint8_t tag[4];
        for (int i = 0; i < 4; i++) tag[i] = (uint8_t)(context->codec_tag >> 8 * i);
        return keep_headers(e, tag, context->codec_tag ? 4 : 0);
    }
    if (size > 4 && codec == 2 && data[0] == 0x81) return keep_headers(e, data + 4, size - 4);
    if (size > 4 && is_h26x(codec) && data[0] == 1) {
        const AVBitStreamFilter *filter = av_bsf_get_by_name(codec == 0 ? "h264_mp4toannexb" : "hevc_mp4toannexb");
        int result = filter ? av_bsf_alloc(filter, &e->plain) : AVERROR_BSF_NOT_FOUND;
        if (result >= 0) result = avcodec_parameters_from_context(e->plain->par_in, context);
        if (result >= 0) result = av_bsf_init(e->plain);
        if (result < 0) return retake_fail(fault, "", "its headers cannot be read: %s", error_text(result)), -1;
        return keep_headers(e, e->plain->par_out->extradata, (size_t)e->plain->par_out->extradata_size);
    }
    return size ? keep_headers(e, data, size) : 0;
}

static int start(struct encoder *e, const struct retake_settings *s, struct retake_fault *fault) {
    const struct retake_avcodec *a = s->avcodec;
    const AVCodec *codec = a ? avcodec_find_encoder_by_name(a->name) : NULL;
    if (!codec) return retake_fail(fault, "", "the linked libavcodec has no such encoder"), -1;
    e->decoded = PLANAR[s->bit_depth > 8][s->chroma];
    e->sent = format_for(codec, s->chroma, s->bit_depth);
    if (e->sent == AV_PIX_FMT_NONE) return retake_fail(fault, "format", "%s does not take it", codec->name), -1;
    AVCodecContext *context = e->encoder = avcodec_alloc_context3(codec);
    e->packet = av_packet_alloc();
    e->frame = av_frame_alloc();
    e->picture = av_frame_alloc();
    if (!context || !e->packet || !e->frame || !e->picture) return retake_fail(fault, "", "out of memory"), -1;
    context->log_level_offset = 100;
    context->width = s->width;
    context->height = s->height;
    context->pix_fmt = e->sent;
    /* Frames are numbered, so that one of them is a tick; rate control alone sees how long it is. */
    AVRational rate = {s->fps_num, s->fps_den};
    av_reduce(&rate.num, &rate.den, rate.num, rate.den, 65535);
    const AVRational *rates = frame_rates(codec);
    if (rates && rates->num) rate = rates[av_find_nearest_q_idx(rate, rates)];
    context->framerate = rate;
    context->time_base = av_inv_q(rate);
    if (s->sar_num > 0) context->sample_aspect_ratio = (AVRational){s->sar_num, s->sar_den};
    set_colour(context, s);
    context->thread_count = s->threads;
    context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_CLOSED_GOP | AV_CODEC_FLAG_BITEXACT;
    /* A level that is left open may follow the rate, and headers must not. */
    if (a->codec == 0 && s->controls.level > 0) context->level = s->controls.level;
    if (s->controls.no_reordering) context->max_b_frames = 0;
    /* The longest that encoders of MPEG-2 and MPEG-4 take; key frames are counted here. */
    e->interval = s->key_interval ? s->key_interval : 250;
    context->gop_size = retake_min(e->interval, 600);
    e->is_intra = a->is_intra;
    e->no_reordering = s->controls.no_reordering;
    e->last = -1;
    prefer(context, "forced-idr", "1");
    prefer(context, "forced_idr", "1");
    /* x265 opens groups, and prints, unless it is told in its own words. */
    prefer(context, "x265-params", "open-gop=0:log-level=none");
    /* The parameter sets of x264 follow the quality unless its streams are to be joined, and its bytes differ
       from thread to thread unless all that depends on the processor is left out. */
    prefer(context, "x264-params", "stitchable=1:cpu-independent=1");
    /* These encoders close groups only where no scene begins one. */
    if (a->codec == 5 || a->codec == 6) prefer(context, "sc_threshold", "1000000000");
    if (a->preset_key[0] && av_opt_set(context->priv_data, a->preset_key, s->preset, 0) < 0)
        return retake_fail(fault, "preset", "%s does not take '%s'", codec->name, s->preset), -1;
    if (s->rate == RETAKE_AVERAGE) {
        context->bit_rate = s->bit_rate;
        /* Encoders of MPEG-2 and MPEG-4 may be off by so much while they run. */
        context->bit_rate_tolerance = (int)(s->bit_rate > INT_MAX / 4 ? INT_MAX : s->bit_rate * 4);
    } else if (set_knob(context, a, s->quality, fault) < 0) {
        return -1;
    }
    for (size_t i = 0; i < s->option_count; i++)
        if (set_option(context, s->options[i].key, s->options[i].value, fault) < 0) return -1;
    int result = av_pix_fmt_desc_get(e->sent) && !takes(codec, e->sent) ? upload_to(e, codec, s) : 0;
    if (result < 0) return retake_fail(fault, "", "its device cannot be used: %s", error_text(result)), -1;
    result = avcodec_open2(context, codec, NULL);
    if (result < 0)
        return retake_fail(fault, "", "libavcodec does not open it with these settings (size, frame rate, options): %s", error_text(result)), -1;
    return find_headers(e, a->codec, fault);
}

static int first_headers(struct encoder *e, const struct retake_settings *s, struct retake_fault *fault);

static void *open_encoder(const struct retake_settings *s, struct retake_fault *fault) {
    struct encoder *e = calloc(1, sizeof *e);
    if (!e) return retake_fail(fault, "", "out of memory"), NULL;
    e->end = &e->first;
    if (start(e, s, fault) < 0 || first_headers(e, s, fault) < 0 || (s->reconstruct && open_decoder(e, fault) < 0))
        return close_encoder(e), NULL;
    return e;
}

static int32_t headers(void *handle, const uint8_t **data, size_t *size, struct retake_fault *fault) {
    struct encoder *e = handle;
    (void)fault;
    *data = e->headers;
    *size = e->headers_size;
    return 0;
}

/* Copies rows of Cb and Cr into pairs. Samples of P010 stand in the upper bits. */
static void pair(uint8_t *to, ptrdiff_t stride, const struct retake_frame *frame, int32_t width, int32_t rows, int deep) {
    for (int32_t y = 0; y < rows; y++) {
        const uint8_t *blue = frame->plane[1] + y * frame->stride[1], *red = frame->plane[2] + y * frame->stride[2];
        uint8_t *row = to + y * stride;
        for (int32_t x = 0; x < width; x++) {
            if (deep) {
                uint16_t pair[2] = {(uint16_t)((blue[2 * x] | blue[2 * x + 1] << 8) << 6), (uint16_t)((red[2 * x] | red[2 * x + 1] << 8) << 6)};
                memcpy(row + 4 * x, pair, 4);
            } else {
                row[2 * x] = blue[x];
                row[2 * x + 1] = red[x];
            }
        }
    }
}

static void fill(const struct encoder *e, AVFrame *to, const struct retake_frame *frame) {
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(e->sent);
    int deep = d->comp[0].depth > 8, paired = e->sent != e->decoded;
    int32_t width = to->width, height = to->height;
    int32_t across = AV_CEIL_RSHIFT(width, d->log2_chroma_w), down = AV_CEIL_RSHIFT(height, d->log2_chroma_h);
    retake_copy_plane(to->data[0], to->linesize[0], frame->plane[0], frame->stride[0], (size_t)width << deep, height);
    if (paired && deep)
        for (int32_t y = 0; y < height; y++) {
            uint16_t *row = (uint16_t *)(to->data[0] + (ptrdiff_t)y * to->linesize[0]);
            for (int32_t x = 0; x < width; x++) row[x] = (uint16_t)(row[x] << 6);
        }
    if (d->nb_components == 1) return;
    if (paired) {
        pair(to->data[1], to->linesize[1], frame, across, down, deep);
        return;
    }
    for (int i = 1; i < 3; i++) retake_copy_plane(to->data[i], to->linesize[i], frame->plane[i], frame->stride[i], (size_t)across << deep, down);
}

/* Keeps a packet that is ready, because an encoder may take no frame before it is fetched. */
static int put_by(struct encoder *e) {
    struct waiting *waiting = calloc(1, sizeof *waiting);
    if (!waiting) return AVERROR(ENOMEM);
    waiting->packet = av_packet_alloc();
    int result = waiting->packet ? avcodec_receive_packet(e->encoder, waiting->packet) : AVERROR(ENOMEM);
    if (result < 0) {
        av_packet_free(&waiting->packet);
        free(waiting);
        return result;
    }
    *e->end = waiting;
    e->end = &waiting->next;
    return 0;
}

static int give(struct encoder *e, const AVFrame *frame) {
    int result;
    while ((result = avcodec_send_frame(e->encoder, frame)) == AVERROR(EAGAIN))
        if ((result = put_by(e)) < 0) return result;
    return result;
}

/* Fetches what an encoder has ready, the oldest first. */
static int take_packet(struct encoder *e) {
    struct waiting *waiting = e->first;
    if (!waiting) return avcodec_receive_packet(e->encoder, e->packet);
    av_packet_move_ref(e->packet, waiting->packet);
    e->first = waiting->next;
    if (!e->first) e->end = &e->first;
    av_packet_free(&waiting->packet);
    free(waiting);
    return 0;
}

static int submit(struct encoder *e, AVFrame *frame, int64_t index, int key) {
    frame->pts = index;
    frame->sample_aspect_ratio = e->encoder->sample_aspect_ratio;
    frame->color_primaries = e->encoder->color_primaries;
    frame->color_trc = e->encoder->color_trc;
    frame->colorspace = e->encoder->colorspace;
    frame->color_range = e->encoder->color_range;
    frame->chroma_location = e->encoder->chroma_sample_location;
    frame->pict_type = key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    /* Where quality is a number of frames, it is looked for there. */
    frame->quality = e->encoder->global_quality;
    if (!e->encoder->hw_frames_ctx) return give(e, frame);
    AVFrame *there = av_frame_alloc();
    if (!there) return AVERROR(ENOMEM);
    int result = av_hwframe_get_buffer(e->encoder->hw_frames_ctx, there, 0);
    if (result >= 0) result = av_hwframe_transfer_data(there, frame, 0);
    if (result >= 0) result = av_frame_copy_props(there, frame);
    if (result >= 0) result = give(e, there);
    av_frame_free(&there);
    return result;
}

static int32_t send(void *handle, const struct retake_frame *frame, struct retake_fault *fault) {
    struct encoder *e = handle;
    int result;
    if (!frame) {
        result = give(e, NULL);
    } else {
        AVFrame *to = e->frame;
        av_frame_unref(to);
        to->format = e->sent;
        to->width = e->encoder->width;
        to->height = e->encoder->height;
        result = av_frame_get_buffer(to, 0);
        if (result >= 0) {
            fill(e, to, frame);
            int key = frame->force_key || frame->index == 0 || e->since_key >= e->interval;
            e->since_key = key ? 1 : e->since_key + 1;
            result = submit(e, to, frame->index, key);
        }
    }
    if (result < 0) return retake_fail(fault, "", "avcodec_send_frame: %s", error_text(result)), -1;
    return 0;
}

/* Fetches a decoded picture: 1 there is one, 0 not yet or no more, -1 fault. */
static int decoded(struct encoder *e, struct retake_fault *fault) {
    int result = avcodec_receive_frame(e->decoder, e->picture);
    if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return 0;
    if (result < 0) return retake_fail(fault, "", "libavcodec cannot decode what its encoder wrote: %s", error_text(result)), -1;
    int format = e->picture->format == AV_PIX_FMT_YUVJ420P ? AV_PIX_FMT_YUV420P : e->picture->format;
    if (format != (int)e->decoded || e->picture->width != e->encoder->width || e->picture->height != e->encoder->height)
        return retake_fail(fault, "", "what it wrote is decoded as pictures of another form (%s %d×%d)",
                           av_get_pix_fmt_name(e->picture->format), e->picture->width, e->picture->height),
               -1;
    return 1;
}

static float quantizer(const AVPacket *packet) {
    size_t size = 0;
    const uint8_t *data = av_packet_get_side_data(packet, AV_PKT_DATA_QUALITY_STATS, &size);
    if (!data || size < 4) return 0;
    uint32_t quality = data[0] | data[1] << 8 | data[2] << 16 | (uint32_t)data[3] << 24;
    return (float)quality / FF_QP2LAMBDA;
}

/* Fetches a packet in the form of a stream: 1 there is one, 0 not yet, 2 no more, -1 fault. */
static int coded(struct encoder *e, struct retake_fault *fault) {
    for (;;) {
        int result = e->plain ? av_bsf_receive_packet(e->plain, e->packet) : AVERROR(EAGAIN);
        if (result >= 0) return 1;
        if (result != AVERROR(EAGAIN) && result != AVERROR_EOF) break;
        result = take_packet(e);
        if (result == AVERROR(EAGAIN)) return 0;
        if (result == AVERROR_EOF) return 2;
        if (result < 0) return retake_fail(fault, "", "avcodec_receive_packet: %s", error_text(result)), -1;
        if (!e->plain) return 1;
        if (av_bsf_send_packet(e->plain, e->packet) < 0) break;
    }
    return retake_fail(fault, "", "a sample of it cannot be read"), -1;
}

static int32_t receive(void *handle, struct retake_event_data *event, struct retake_fault *fault) {
    struct encoder *e = handle;
    for (;;) {
        if (e->decoder) {
            int result = decoded(e, fault);
            if (result < 0) return RETAKE_ERROR;
            if (result) {
                event->index = e->picture->pts;
                return RETAKE_PICTURE;
            }
        }
        if (e->encoder_ended) {
            if (!e->decoder || e->decoder_flushed) return RETAKE_END;
            e->decoder_flushed = 1;
            avcodec_send_packet(e->decoder, NULL);
            continue;
        }
        av_packet_unref(e->packet);
        int result = coded(e, fault);
        if (result <= 0) return result < 0 ? RETAKE_ERROR : RETAKE_PENDING;
        if (result == 2) {
            e->encoder_ended = 1;
            continue;
        }
        AVPacket *packet = e->packet;
        if (e->no_reordering && packet->pts < e->last) return retake_fail(fault, "no_reordering", "it reorders frames all the same"), RETAKE_ERROR;
        e->last = packet->pts;
        *event = (struct retake_event_data){
            .data = packet->data,
            .size = (size_t)packet->size,
            .index = packet->pts,
            .kind = packet->flags & AV_PKT_FLAG_KEY          ? RETAKE_SYNC
                    : packet->flags & AV_PKT_FLAG_DISPOSABLE ? RETAKE_DISPOSABLE
                                                             : RETAKE_REFERENCE,
            .qp = quantizer(packet),
        };
        if (e->decoder && (result = avcodec_send_packet(e->decoder, packet)) < 0)
            return retake_fail(fault, "", "libavcodec cannot decode what its encoder wrote: %s", error_text(result)), RETAKE_ERROR;
        return RETAKE_SAMPLE;
    }
}

static void picture(void *handle, uint8_t *const plane[3], const ptrdiff_t stride[3]) {
    struct encoder *e = handle;
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(e->decoded);
    int deep = d->comp[0].depth > 8;
    for (int i = 0; i < d->nb_components; i++) {
        int32_t width = i ? AV_CEIL_RSHIFT(e->picture->width, d->log2_chroma_w) : e->picture->width;
        int32_t height = i ? AV_CEIL_RSHIFT(e->picture->height, d->log2_chroma_h) : e->picture->height;
        retake_copy_plane(plane[i], stride[i], e->picture->data[i], e->picture->linesize[i], (size_t)width << deep, height);
    }
    av_frame_unref(e->picture);
}

/* Hands over a frame in which nothing is to be seen. */
static int submit_grey(struct encoder *e, int64_t index) {
    AVFrame *frame = e->frame;
    av_frame_unref(frame);
    frame->format = e->sent;
    frame->width = e->encoder->width;
    frame->height = e->encoder->height;
    int result = av_frame_get_buffer(frame, 0);
    if (result < 0) return result;
    for (int i = 0; i < 4 && frame->buf[i]; i++) memset(frame->buf[i]->data, 1, frame->buf[i]->size);
    return submit(e, frame, index, index == 0);
}

/* Some encoders have headers only once they have coded a frame: another encode with the same settings codes
   one. */
static int first_headers(struct encoder *e, const struct retake_settings *s, struct retake_fault *fault) {
    if (e->headers_size || s->avcodec->codec > 2) return 0;
    struct encoder *other = calloc(1, sizeof *other);
    if (!other) return retake_fail(fault, "", "out of memory"), -1;
    other->end = &other->first;
    AVBSFContext *extract = NULL;
    const AVBitStreamFilter *filter = av_bsf_get_by_name("extract_extradata");
    int result = start(other, s, fault);
    if (result < 0) return close_encoder(other), -1;
    result = submit_grey(other, 0);
    if (result >= 0) result = give(other, NULL);
    if (result >= 0 && coded(other, fault) != 1) result = AVERROR_INVALIDDATA;
    if (result >= 0) result = filter ? av_bsf_alloc(filter, &extract) : AVERROR_BSF_NOT_FOUND;
    if (result >= 0) result = avcodec_parameters_from_context(extract->par_in, other->encoder);
    if (result >= 0) result = av_bsf_init(extract);
    if (result >= 0) result = av_bsf_send_packet(extract, other->packet);
    if (result >= 0) result = av_bsf_receive_packet(extract, other->packet);
    size_t size = 0;
    const uint8_t *found = result < 0 ? NULL : av_packet_get_side_data(other->packet, AV_PKT_DATA_NEW_EXTRADATA, &size);
    if (found) keep_headers(e, found, size);
    av_bsf_free(&extract);
    close_encoder(other);
    if (!e->headers_size) return retake_fail(fault, "", "it gives no headers"), -1;
    return 0;
}

/* Which formats there are is found out by encoding in them. */
static int32_t codes(int32_t chroma, int32_t depth) { return (void)chroma, (void)depth, 0; }

/* Encodes small grey frames with these settings, until it is clear how many stay inside. */
static int32_t delay(const struct retake_settings *settings) {
    struct retake_settings s = *settings;
    struct retake_fault ignored;
    s.width = 256;
    s.height = 160;
    s.reconstruct = 0;
    struct encoder *e = open_encoder(&s, &ignored);
    if (!e) return 0;
    int32_t inside = 0, most = 0, first = 0;
    for (int32_t sent = 0; sent < MOST_DELAY && (!first || sent < first + SETTLED); sent++) {
        if (submit_grey(e, sent) < 0) break;
        inside++;
        while (coded(e, &ignored) == 1) {
            av_packet_unref(e->packet);
            inside--;
            if (!first) first = sent + 1;
        }
        most = retake_max(most, inside);
    }
    close_encoder(e);
    return most;
}

/* Decodes samples that follow each other, and gives the hash of each picture by the number of its frame. */
int32_t retake_avcodec_decode(const char *name, const uint8_t *headers, size_t headers_size, const uint8_t *const *data, const size_t *size,
                              const int64_t *index, size_t count, uint64_t *hash, size_t hashes) {
    const AVCodec *encoder = avcodec_find_encoder_by_name(name);
    const AVCodec *codec = encoder ? avcodec_find_decoder(encoder->id) : NULL;
    AVCodecContext *context = codec ? avcodec_alloc_context3(codec) : NULL;
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    int32_t found = 0;
    if (!context || !packet || !frame) goto end;
    context->log_level_offset = 100;
    context->thread_count = 1;
    context->pkt_timebase = (AVRational){1, 25};
    if (encoder->id == AV_CODEC_ID_PRORES && headers_size >= 4) {
        context->codec_tag = headers[0] | headers[1] << 8 | headers[2] << 16 | (unsigned)headers[3] << 24;
    } else if (headers_size) {
        context->extradata = av_mallocz(headers_size + AV_INPUT_BUFFER_PADDING_SIZE);
        if (!context->extradata) goto end;
        memcpy(context->extradata, headers, headers_size);
        context->extradata_size = (int)headers_size;
    }
    if (avcodec_open2(context, codec, NULL) < 0) goto end;
    for (size_t i = 0; i <= count; i++) {
        av_packet_unref(packet);
        if (i < count) {
            if (av_new_packet(packet, (int)size[i]) < 0) break;
            memcpy(packet->data, data[i], size[i]);
            packet->pts = index[i];
            if (i == 0) packet->flags |= AV_PKT_FLAG_KEY;
        }
        if (avcodec_send_packet(context, i < count ? packet : NULL) < 0) break;
        while (avcodec_receive_frame(context, frame) >= 0) {
            const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(frame->format);
            uint64_t sum = 0xcbf29ce484222325u;
            for (int plane = 0; plane < d->nb_components; plane++) {
                int32_t width = plane ? AV_CEIL_RSHIFT(frame->width, d->log2_chroma_w) : frame->width;
                int32_t height = plane ? AV_CEIL_RSHIFT(frame->height, d->log2_chroma_h) : frame->height;
                for (int32_t y = 0; y < height; y++)
                    for (int32_t x = 0; x < width << (d->comp[0].depth > 8); x++)
                        sum = (sum ^ frame->data[plane][(ptrdiff_t)y * frame->linesize[plane] + x]) * 0x100000001b3u;
            }
            if (frame->pts >= 0 && (size_t)frame->pts < hashes) hash[frame->pts] = sum, found++;
        }
    }
end:
    avcodec_free_context(&context);
    av_packet_free(&packet);
    av_frame_free(&frame);
    return found;
}

const struct retake_shim retake_avcodec_shim = {
    .quality_min = 0, .quality_max = 0, .quality_step = 1, .version = version, .codes = codes, .delay = delay,
    .open = open_encoder, .headers = headers, .send = send, .receive = receive, .picture = picture, .close = close_encoder,
};
