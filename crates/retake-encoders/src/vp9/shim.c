/* libvpx's VP9 behind the table of shim.h. */
#include "../shim.h"

#include <limits.h>
#include <math.h>
#include <vpx/vp8cx.h>
#include <vpx/vp8dx.h>
#include <vpx/vpx_decoder.h>
#include <vpx/vpx_encoder.h>

#define MAX_CONTROLS 64

struct control {
    const char *key; /* of the option; NULL for what the settings say */
    int id, value;
};

/* What the library is told: a configuration, and controls that follow when it is open. */
struct parameters {
    vpx_codec_enc_cfg_t cfg;
    struct control control[MAX_CONTROLS];
    int controls;
    int64_t ticks; /* of a frame, in units of the time base */
    unsigned long deadline;
};

/* A copy of a packet: the library's own go with the next call. */
struct packet {
    struct packet *next;
    struct retake_event_data event;
    uint8_t data[];
};

struct encoder {
    vpx_codec_ctx_t vpx, decoder;
    int open, decoder_open;
    int32_t width, height, bytes; /* bytes a sample */
    int average, quality;
    int64_t ticks;
    unsigned long deadline;
    int flushing;
    struct packet *first, **last; /* that nobody has fetched yet */
    struct packet *fetched;
    int has_picture;
    const vpx_image_t *recon; /* of the packet fetched last; the decoder owns it */
};

static const char *version(void) { return vpx_codec_version_str(); }

static int32_t has_depth(int32_t depth) {
    return depth == 8 || (depth == 10 && (vpx_codec_get_caps(vpx_codec_vp9_cx()) & VPX_CODEC_CAP_HIGHBITDEPTH));
}

/* Words that stand for numbers. */
struct word {
    const char *word;
    int value;
};

static const struct word TUNE[] = {{"psnr", VP8_TUNE_PSNR}, {"ssim", VP8_TUNE_SSIM}, {NULL, 0}};
static const struct word CONTENT[] = {
    {"default", VP9E_CONTENT_DEFAULT}, {"screen", VP9E_CONTENT_SCREEN}, {"film", VP9E_CONTENT_FILM}, {NULL, 0}};

enum { IN_CFG = -1 };

/* The options, named as vpxenc does. A row is of a control, or of a field of the configuration. */
static const struct {
    const char *key;
    int id;
    size_t field;
    int min, max;
    const struct word *words;
} OPTIONS[] = {
    {"alt-ref-aq", VP9E_SET_ALT_REF_AQ, 0, 0, 1, NULL},
    {"aq-mode", VP9E_SET_AQ_MODE, 0, 0, 4, NULL},
    {"arnr-maxframes", VP8E_SET_ARNR_MAXFRAMES, 0, 0, 15, NULL},
    {"arnr-strength", VP8E_SET_ARNR_STRENGTH, 0, 0, 6, NULL},
    {"auto-alt-ref", VP8E_SET_ENABLEAUTOALTREF, 0, 0, 6, NULL},
    {"enable-tpl", VP9E_SET_TPL, 0, 0, 1, NULL},
    {"frame-boost", VP9E_SET_FRAME_PERIODIC_BOOST, 0, 0, 1, NULL},
    {"frame-parallel", VP9E_SET_FRAME_PARALLEL_DECODING, 0, 0, 1, NULL},
    {"max-gf-interval", VP9E_SET_MAX_GF_INTERVAL, 0, 0, 24, NULL},
    {"max-inter-rate", VP9E_SET_MAX_INTER_BITRATE_PCT, 0, 0, 10000, NULL},
    {"max-intra-rate", VP8E_SET_MAX_INTRA_BITRATE_PCT, 0, 0, 10000, NULL},
    {"min-gf-interval", VP9E_SET_MIN_GF_INTERVAL, 0, 0, 24, NULL},
    {"noise-sensitivity", VP9E_SET_NOISE_SENSITIVITY, 0, 0, 6, NULL},
    {"sharpness", VP8E_SET_SHARPNESS, 0, 0, 7, NULL},
    {"static-thresh", VP8E_SET_STATIC_THRESHOLD, 0, 0, 1000000, NULL},
    {"tile-columns", VP9E_SET_TILE_COLUMNS, 0, 0, 6, NULL},
    {"tile-rows", VP9E_SET_TILE_ROWS, 0, 0, 2, NULL},
    {"tune", VP8E_SET_TUNING, 0, 0, 1, TUNE},
    {"tune-content", VP9E_SET_TUNE_CONTENT, 0, 0, 2, CONTENT},
    {"bias-pct", IN_CFG, offsetof(vpx_codec_enc_cfg_t, rc_2pass_vbr_bias_pct), 0, 100, NULL},
    {"lag-in-frames", IN_CFG, offsetof(vpx_codec_enc_cfg_t, g_lag_in_frames), 0, 25, NULL},
    {"max-q", IN_CFG, offsetof(vpx_codec_enc_cfg_t, rc_max_quantizer), 0, 63, NULL},
    {"maxsection-pct", IN_CFG, offsetof(vpx_codec_enc_cfg_t, rc_2pass_vbr_maxsection_pct), 0, 100000, NULL},
    {"min-q", IN_CFG, offsetof(vpx_codec_enc_cfg_t, rc_min_quantizer), 0, 63, NULL},
    {"minsection-pct", IN_CFG, offsetof(vpx_codec_enc_cfg_t, rc_2pass_vbr_minsection_pct), 0, 100, NULL},
    {"overshoot-pct", IN_CFG, offsetof(vpx_codec_enc_cfg_t, rc_overshoot_pct), 0, 100, NULL},
    {"undershoot-pct", IN_CFG, offsetof(vpx_codec_enc_cfg_t, rc_undershoot_pct), 0, 100, NULL},
};

static void put(struct parameters *p, const char *key, int id, int value) {
    for (int i = 0; i < p->controls; i++)
        if (p->control[i].id == id) {
            p->control[i] = (struct control){key, id, value};
            return;
        }
    if (p->controls < MAX_CONTROLS) p->control[p->controls++] = (struct control){key, id, value};
}

/* Keys may be spelt with `_` for `-`. */
static int same_key(const char *a, const char *b) {
    while (*a && (*a == *b || (*a == '_' && *b == '-'))) a++, b++;
    return !*a && !*b;
}

static int option(struct parameters *p, const char *key, const char *value, struct retake_fault *fault) {
    for (size_t i = 0; i < sizeof OPTIONS / sizeof *OPTIONS; i++) {
        if (!same_key(key, OPTIONS[i].key)) continue;
        char *end;
        long number = strtol(value, &end, 10);
        int good = *value && !*end;
        for (const struct word *word = OPTIONS[i].words; word && word->word && !good; word++)
            if (!strcmp(value, word->word)) good = 1, number = word->value;
        if (!good || number < OPTIONS[i].min || number > OPTIONS[i].max)
            return retake_fail(fault, key, "'%s' is not a number from %d to %d%s", value, OPTIONS[i].min, OPTIONS[i].max,
                               OPTIONS[i].words == TUNE      ? ", psnr or ssim"
                               : OPTIONS[i].words == CONTENT ? ", default, screen or film"
                                                             : ""),
                   -1;
        if (OPTIONS[i].id == IN_CFG)
            *(unsigned int *)((char *)&p->cfg + OPTIONS[i].field) = (unsigned int)number;
        else
            put(p, key, OPTIONS[i].id, (int)number);
        return 0;
    }
    return retake_fail(fault, key, "VP9 has no such option"), -1;
}

/* The eight values of the VP9 header stand for matrix coefficients. */
static int colour_space(const struct retake_settings *s) {
    switch (s->matrix) {
    case 1: return VPX_CS_BT_709;
    case 5: return VPX_CS_BT_601;
    case 6: return VPX_CS_SMPTE_170;
    case 7: return VPX_CS_SMPTE_240;
    case 9:
    case 10: return VPX_CS_BT_2020;
    default: return VPX_CS_UNKNOWN;
    }
}

/* Frame times are indices times `ticks`. The library wants a time base of at most a second, with numbers below 10^9, and takes the
 * frame rate from the ticks. */
static void time_base(struct parameters *p, const struct retake_settings *s) {
    int64_t num = s->fps_den, den = s->fps_num, ticks = 1;
    if (den > 1000000 * num) num = 1, den = 1000000; /* the library's own clock is not finer */
    if (num > den) ticks = (num + den - 1) / den, den *= ticks;
    while (den > 1000000000) num = num > 1 ? num / 2 : 1, den /= 2;
    p->ticks = ticks;
    p->cfg.g_timebase = (struct vpx_rational){(int)num, (int)den};
    /* a deadline that is shorter than a frame would mean the real-time mode */
    double frame = 1e6 * (double)num * (double)ticks / (double)den;
    p->deadline = VPX_DL_GOOD_QUALITY;
    if (2 * frame > (double)p->deadline) p->deadline = 2 * frame < ULONG_MAX / 2.0 ? (unsigned long)(2 * frame) : ULONG_MAX / 2;
}

static int parameters(struct parameters *p, const struct retake_settings *s, struct retake_fault *fault) {
    memset(p, 0, sizeof *p);
    vpx_codec_enc_cfg_t *cfg = &p->cfg;
    if (vpx_codec_enc_config_default(vpx_codec_vp9_cx(), cfg, 0))
        return retake_fail(fault, "", "the library has no VP9 encoder inside"), -1;

    /* libvpx looks ahead, and places hidden frames, in the second of two passes only: in one pass every lag gives equal bytes */
    cfg->g_lag_in_frames = 0;
    put(p, NULL, VP8E_SET_ENABLEAUTOALTREF, 1);
    /* by width only: equal pictures and settings give equal bytes with any number of threads */
    put(p, NULL, VP9E_SET_TILE_COLUMNS, s->width >= 2560 ? 3 : s->width >= 1280 ? 2 : s->width >= 640 ? 1 : 0);
    put(p, NULL, VP9E_SET_TILE_ROWS, 0);
    put(p, NULL, VP9E_SET_FRAME_PARALLEL_DECODING, 0);

    for (size_t i = 0; i < s->option_count; i++)
        if (option(p, s->options[i].key, s->options[i].value, fault) < 0) return -1;

    cfg->g_w = (unsigned int)s->width;
    cfg->g_h = (unsigned int)s->height;
    cfg->g_profile = s->bit_depth > 8 ? 2 : 0;
    cfg->g_bit_depth = s->bit_depth > 8 ? VPX_BITS_10 : VPX_BITS_8;
    cfg->g_input_bit_depth = (unsigned int)s->bit_depth;
    time_base(p, s);
    cfg->g_pass = VPX_RC_ONE_PASS;
    cfg->g_threads = (unsigned int)(s->threads < 64 ? s->threads : 64);
    cfg->g_error_resilient = 0;
    cfg->rc_dropframe_thresh = 0;
    cfg->rc_resize_allowed = 0;
    cfg->kf_mode = VPX_KF_AUTO;
    cfg->kf_min_dist = 0;
    cfg->kf_max_dist = s->key_interval ? (unsigned int)s->key_interval : 9999;
    if (cfg->rc_min_quantizer > cfg->rc_max_quantizer)
        return retake_fail(fault, "min-q", "%u is above the max-q of %u", cfg->rc_min_quantizer, cfg->rc_max_quantizer), -1;
    if (s->rate == RETAKE_AVERAGE) {
        int64_t kilo = retake_kilo(s->bit_rate + 500);
        cfg->rc_end_usage = VPX_VBR;
        cfg->rc_target_bitrate = (unsigned int)(kilo < 2000000 ? kilo : 2000000);
    } else {
        cfg->rc_end_usage = VPX_Q;
        cfg->rc_target_bitrate = 0;
        put(p, NULL, VP8E_SET_CQ_LEVEL, (int)lrint(s->quality));
    }
    put(p, NULL, VP8E_SET_CPUUSED, atoi(s->preset));
    put(p, NULL, VP9E_SET_ROW_MT, 0);
    put(p, NULL, VP9E_SET_COLOR_SPACE, colour_space(s));
    put(p, NULL, VP9E_SET_COLOR_RANGE, s->range == 1 ? VPX_CR_FULL_RANGE : VPX_CR_STUDIO_RANGE);
    return 0;
}

static int32_t delay(const struct retake_settings *s) {
    struct parameters p;
    struct retake_fault ignored;
    return parameters(&p, s, &ignored) == 0 ? (int32_t)p.cfg.g_lag_in_frames : 0;
}

static const char *detail(vpx_codec_ctx_t *context) {
    const char *text = vpx_codec_error_detail(context);
    if (!text) text = vpx_codec_error(context);
    return text ? text : "no reason given";
}

static void close_encoder(void *handle) {
    struct encoder *e = handle;
    if (e->open) vpx_codec_destroy(&e->vpx);
    if (e->decoder_open) vpx_codec_destroy(&e->decoder);
    free(e->fetched);
    while (e->first) {
        struct packet *packet = e->first;
        e->first = packet->next;
        free(packet);
    }
    free(e);
}

static int start(struct encoder *e, const struct retake_settings *s, struct retake_fault *fault) {
    struct parameters p;
    if (parameters(&p, s, fault) < 0) return -1;
    if (vpx_codec_enc_init(&e->vpx, vpx_codec_vp9_cx(), &p.cfg, s->bit_depth > 8 ? VPX_CODEC_USE_HIGHBITDEPTH : 0))
        return retake_fail(fault, "", "%s", detail(&e->vpx)), -1;
    e->open = 1;
    for (int i = 0; i < p.controls; i++) {
        const struct control *c = &p.control[i];
        if (vpx_codec_control_(&e->vpx, c->id, c->value))
            return retake_fail(fault, c->key ? c->key : "", "the library does not take %d: %s", c->value, detail(&e->vpx)), -1;
    }
    if (s->reconstruct) {
        /* the pictures are what a decoder sees: libvpx's encoder offers only the last one of several that it coded in one call */
        vpx_codec_dec_cfg_t cfg = {.threads = 1, .w = p.cfg.g_w, .h = p.cfg.g_h};
        if (vpx_codec_dec_init(&e->decoder, vpx_codec_vp9_dx(), &cfg, 0))
            return retake_fail(fault, "", "the library has no VP9 decoder for reconstructed pictures: %s", detail(&e->decoder)), -1;
        e->decoder_open = 1;
    }
    e->last = &e->first;
    e->width = s->width;
    e->height = s->height;
    e->bytes = s->bit_depth > 8 ? 2 : 1;
    e->average = s->rate == RETAKE_AVERAGE;
    e->quality = (int)lrint(s->quality);
    e->ticks = p.ticks;
    e->deadline = p.deadline;
    return 0;
}

static void *open_encoder(const struct retake_settings *s, struct retake_fault *fault) {
    struct encoder *e = calloc(1, sizeof *e);
    if (!e) return retake_fail(fault, "", "out of memory"), NULL;
    if (start(e, s, fault) < 0) return close_encoder(e), NULL;
    return e;
}

/* VP9 has none: what a container says about the stream follows from the settings. */
static int32_t headers(void *handle, const uint8_t **data, size_t *size, struct retake_fault *fault) {
    (void)handle, (void)fault;
    *data = NULL;
    *size = 0;
    return 0;
}

/* A frame may go unless others are coded from it: the flag is about the last frame of a superframe only. */
static int disposable(const vpx_codec_cx_pkt_t *packet) {
    const uint8_t *data = packet->data.frame.buf;
    return (packet->data.frame.flags & VPX_FRAME_IS_DROPPABLE) && (data[packet->data.frame.sz - 1] & 0xe0) != 0xc0;
}

/* Codes; returns the number of packets that came out. libvpx puts hidden frames in front of the next shown one, into one packet. */
static int encode(struct encoder *e, const vpx_image_t *image, int64_t index, int force_key, struct retake_fault *fault) {
    if (vpx_codec_encode(&e->vpx, image, index * e->ticks, (unsigned long)e->ticks, force_key ? VPX_EFLAG_FORCE_KF : 0,
                         e->deadline))
        return retake_fail(fault, "", "vpx_codec_encode: %s", detail(&e->vpx)), -1;
    int quantizer = 0, count = 0;
    vpx_codec_control_(&e->vpx, VP8E_GET_LAST_QUANTIZER_64, &quantizer);
    vpx_codec_iter_t iter = NULL;
    const vpx_codec_cx_pkt_t *from;
    while ((from = vpx_codec_get_cx_data(&e->vpx, &iter))) {
        if (from->kind != VPX_CODEC_CX_FRAME_PKT || !from->data.frame.sz) continue;
        struct packet *packet = malloc(sizeof *packet + from->data.frame.sz);
        if (!packet) return retake_fail(fault, "", "out of memory"), -1;
        memcpy(packet->data, from->data.frame.buf, from->data.frame.sz);
        packet->next = NULL;
        packet->event = (struct retake_event_data){
            .data = packet->data,
            .size = from->data.frame.sz,
            .index = from->data.frame.pts / e->ticks,
            .kind = from->data.frame.flags & VPX_FRAME_IS_KEY ? RETAKE_SYNC : disposable(from) ? RETAKE_DISPOSABLE : RETAKE_REFERENCE,
            /* at the end one call codes several frames, and the library tells about the last one only */
            .qp = image ? (float)quantizer : 0,
        };
        *e->last = packet;
        e->last = &packet->next;
        count++;
    }
    return count;
}

/* libvpx copies the planes into its look-ahead before the call returns. */
static int32_t send(void *handle, const struct retake_frame *frame, struct retake_fault *fault) {
    struct encoder *e = handle;
    if (!frame) {
        e->flushing = 1;
        return 0;
    }
    vpx_image_t image;
    vpx_img_fmt_t format = e->bytes > 1 ? VPX_IMG_FMT_I42016 : VPX_IMG_FMT_I420;
    if (!vpx_img_wrap(&image, format, (unsigned int)e->width, (unsigned int)e->height, 1, (unsigned char *)frame->plane[0]))
        return retake_fail(fault, "", "vpx_img_wrap refused the picture"), -1;
    if (e->bytes > 1) image.bit_depth = 10;
    for (int i = 0; i < 3; i++) {
        image.planes[i] = (unsigned char *)frame->plane[i];
        image.stride[i] = (int)frame->stride[i];
    }
    return encode(e, &image, frame->index, frame->force_key, fault) < 0 ? -1 : 0;
}

static int decode(struct encoder *e, const struct packet *packet, struct retake_fault *fault) {
    if (vpx_codec_decode(&e->decoder, packet->data, (unsigned int)packet->event.size, NULL, 0))
        return retake_fail(fault, "", "the library cannot decode its own frame: %s", detail(&e->decoder)), -1;
    vpx_codec_iter_t iter = NULL;
    e->recon = vpx_codec_get_frame(&e->decoder, &iter);
    if (!e->recon || (int32_t)e->recon->d_w != e->width || (int32_t)e->recon->d_h != e->height ||
        !(e->recon->fmt & VPX_IMG_FMT_HIGHBITDEPTH) != (e->bytes == 1))
        return retake_fail(fault, "", "the library's decoder gave no picture, or one of another form"), -1;
    e->has_picture = 1;
    return 0;
}

static int32_t receive(void *handle, struct retake_event_data *event, struct retake_fault *fault) {
    struct encoder *e = handle;
    if (e->has_picture) {
        event->index = e->fetched->event.index;
        e->has_picture = 0;
        return RETAKE_PICTURE;
    }
    if (!e->first) {
        if (!e->flushing) return RETAKE_PENDING;
        int count = encode(e, NULL, 0, 0, fault);
        if (count <= 0) return count < 0 ? RETAKE_ERROR : RETAKE_END;
    }
    free(e->fetched);
    e->fetched = e->first;
    e->first = e->fetched->next;
    if (!e->first) e->last = &e->first;
    *event = e->fetched->event;
    return e->decoder_open && decode(e, e->fetched, fault) < 0 ? RETAKE_ERROR : RETAKE_SAMPLE;
}

/* libvpx decides about a frame's quantizer when it codes it, after the look-ahead: so this reaches the very next frame. */
static int32_t set_quality(void *handle, double quality) {
    struct encoder *e = handle;
    if (e->average || !(quality >= 1 && quality <= 63)) return -1;
    int level = (int)lrint(quality);
    if (level == e->quality) return 0;
    if (vpx_codec_control_(&e->vpx, VP8E_SET_CQ_LEVEL, level)) return -1;
    e->quality = level;
    return 0;
}

static void picture(void *handle, uint8_t *const plane[3], const ptrdiff_t stride[3]) {
    struct encoder *e = handle;
    for (int i = 0; i < 3; i++) {
        int32_t width = i ? (e->width + 1) / 2 : e->width, height = i ? (e->height + 1) / 2 : e->height;
        retake_copy_plane(plane[i], stride[i], e->recon->planes[i], e->recon->stride[i], (size_t)width * e->bytes, height);
    }
}

/* Level 0 would be lossless coding. */
const struct retake_shim retake_vp9 = {
    .quality_min = 1, .quality_max = 63, .quality_step = 1, .preset_max = 5, .version = version, .has_depth = has_depth,
    .delay = delay, .open = open_encoder, .headers = headers, .send = send, .receive = receive, .picture = picture,
    .set_quality = set_quality, .close = close_encoder,
};
