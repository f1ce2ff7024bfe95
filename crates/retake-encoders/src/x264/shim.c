/* Puts x264 behind the table of shim.h. */
#include "../shim.h"

#include <x264.h>

#include "controls.h"

/* Frames that the receiver may acknowledge. All but the newest have left the decoded picture buffer, which
   holds 16 at most. */
enum { REMEMBERED = 16 };

struct long_term {
    int32_t places; /* how many frames the decoded picture buffer holds; 0 no long-term references */
    uint64_t tokens;
    int64_t index[REMEMBERED]; /* of the frame with a token, by the token */
    int64_t last_key, acknowledged; /* indices of frames; -1 none */
};

struct encoder {
    x264_t *x264;
    int32_t width, height, bytes; /* bytes of a sample */
    int reconstruct, flushing;
    struct retake_settings settings; /* the numbers that it was opened with */
    int64_t key_interval, last_key;  /* with layers the shim decides about types */
    struct long_term long_term;
    /* of the frames that were begun and are not out, because with threads x264 reports another frame than the
       one that it gives */
    int32_t qps[256];
    uint32_t qps_in, qps_out;
    int has_sample, has_picture; /* whether the last encode call left these */
    struct retake_event_data sample;
    x264_picture_t recon; /* points into x264's own frame, which the next encode call may reuse */
};

static const char *version(void) { return X264_POINTVER; }

static int32_t codes(int32_t chroma, int32_t depth) {
    /* 0 means that all are inside. The library has a number for chroma; x264_bit_depth of older builds is
       gone. */
    if (x264_chroma_format && x264_chroma_format != CSP[chroma]) return 0;
    return X264_BIT_DEPTH == 0 ? depth == 8 || depth == 10 : depth == X264_BIT_DEPTH;
}

static int32_t delay(const struct retake_settings *s) {
    x264_param_t p;
    struct retake_fault ignored;
    int32_t frames = 0;
    if (parameters(&p, s, &ignored) == 0) {
        int lookahead = p.rc.b_mb_tree || p.rc.i_vbv_buffer_size ? p.rc.i_lookahead : 0;
        frames = (lookahead > p.i_bframe ? lookahead : p.i_bframe) + p.i_threads + 2 + p.i_bframe / 4;
        if (s->controls.low_latency) frames = 0;
        if (s->controls.max_delay >= 0) frames = retake_min(frames, s->controls.max_delay);
    }
    x264_param_cleanup(&p);
    return frames;
}

/* Chooses the level. x264 lets it depend on the average bit rate, too. Takes of one film differ in that, and
   their headers must not: the level is the one that constant quality would get, unless a limit or a buffer
   was asked for. Where the caller keeps to the limit, it is the one that it has under the limit. */
static int fix_level(x264_param_t *p, const struct retake_settings *s) {
    const int by_caller = s->controls.limit_kept_by_caller, asked_for = s->limit_rate || s->controls.buffer_rate;
    if (p->i_level_idc > 0 || !(by_caller || (p->rc.i_rc_method == X264_RC_ABR && !asked_for))) return 0;
    x264_param_t probe = *p; /* x264 copies the strings that it keeps. */
    int64_t rate, bits;
    probe.rc.i_vbv_max_bitrate = probe.rc.i_vbv_buffer_size = 0;
    if (by_caller && retake_bucket(1, s, &rate, &bits)) {
        probe.rc.i_vbv_max_bitrate = (int)retake_kilo(rate);
        probe.rc.i_vbv_buffer_size = (int)retake_kilo(bits);
    }
    probe.rc.i_rc_method = X264_RC_CRF;
    probe.rc.f_rf_constant = 23;
    probe.i_threads = 1;
    probe.rc.i_lookahead = 0;
    x264_t *encoder = x264_encoder_open(&probe);
    if (!encoder) return -1;
    x264_encoder_parameters(encoder, &probe);
    p->i_level_idc = probe.i_level_idc;
    x264_encoder_close(encoder);
    return 0;
}

/* Checks that the level has fields. A rate or a buffer may need one that has none: x264 opens all the same,
   and the stream would break the standard. */
static int level_has_fields(x264_t *encoder) {
    x264_param_t p;
    x264_encoder_parameters(encoder, &p);
    for (const x264_level_t *level = x264_levels; level->level_idc; level++)
        if (level->level_idc == p.i_level_idc) return !level->frame_only;
    return 0;
}

static void close_encoder(void *handle) {
    struct encoder *e = handle;
    if (e->x264) x264_encoder_close(e->x264);
    free(e);
}

static void *open_encoder(const struct retake_settings *s, struct retake_fault *fault) {
    struct encoder *e = calloc(1, sizeof *e);
    x264_param_t p;
    if (!e) return retake_fail(fault, "", "out of memory"), NULL;
    int failed = parameters(&p, s, fault);
    if (!failed) {
        if (fix_level(&p, s) == 0) e->x264 = x264_encoder_open(&p);
        if (!e->x264) {
            failed = -1;
            retake_fail(fault, "", "the library refused a %dx%d encode with these settings; leave out options one by one to find the cause",
                        s->width, s->height);
        }
    }
    if (!failed && s->controls.fields && !level_has_fields(e->x264)) {
        failed = -1;
        retake_fail(fault, "fields", "this rate needs a level that has no fields: lower the rate, the limit or the buffer");
    }
    x264_param_cleanup(&p);
    if (failed) return close_encoder(e), NULL;
    e->width = s->width;
    e->height = s->height;
    e->bytes = s->bit_depth > 8 ? 2 : 1;
    e->reconstruct = s->reconstruct;
    e->settings = *s;
    e->settings.preset = e->settings.controls.profile = NULL;
    e->settings.options = NULL;
    e->settings.option_count = 0;
    e->key_interval = p.i_keyint_max;
    e->long_term = (struct long_term){.places = s->controls.long_term ? p.i_dpb_size : 0, .acknowledged = -1};
    return e;
}

static int32_t headers(void *handle, const uint8_t **data, size_t *size, struct retake_fault *fault) {
    struct encoder *e = handle;
    x264_nal_t *nals;
    int count;
    int bytes = x264_encoder_headers(e->x264, &nals, &count);
    if (bytes <= 0) return retake_fail(fault, "", "the library gave no headers"), -1;
    *data = nals[0].p_payload;
    *size = (size_t)bytes;
    return 0;
}

/* Returns the token of a frame that is coded. A sync frame ends what was acknowledged before it. */
static uint64_t token(struct long_term *l, int64_t index, int key) {
    if (!l->places) return 0;
    if (key) l->last_key = index, l->acknowledged = -1;
    l->index[++l->tokens % REMEMBERED] = index;
    return l->tokens;
}

static void acknowledge(struct long_term *l, const struct retake_frame *frame) {
    for (size_t i = 0; i < frame->acknowledged_count; i++) {
        uint64_t known = frame->acknowledged[i];
        if (!known || known > l->tokens || l->tokens - known >= REMEMBERED) continue;
        int64_t index = l->index[known % REMEMBERED];
        if (index >= l->last_key && index > l->acknowledged) l->acknowledged = index;
    }
}

/* Makes the next frame independent of all that is newer than the frame acknowledged last. Returns 0 where
   that takes a sync frame. */
static int refresh(struct encoder *e, int64_t index) {
    const struct long_term *l = &e->long_term;
    if (l->acknowledged < 0 || index - l->acknowledged > l->places) return 0;
    return x264_encoder_invalidate_reference(e->x264, l->acknowledged + 1) == 0;
}

static int encode(struct encoder *e, x264_picture_t *input, struct retake_fault *fault) {
    x264_nal_t *nals;
    int count;
    e->has_sample = e->has_picture = 0;
    x264_picture_init(&e->recon);
    int bytes = x264_encoder_encode(e->x264, &nals, &count, input, &e->recon);
    if (bytes < 0) return retake_fail(fault, "", "x264_encoder_encode returned %d", bytes), -1;
    if (e->recon.i_qpplus1 > 0) e->qps[e->qps_in++ % 256] = e->recon.i_qpplus1 - 1;
    if (bytes == 0) return 0;
    int referenced = 0, depth = e->settings.bit_depth;
    for (int i = 0; i < count; i++) referenced |= nals[i].i_ref_idc != NAL_PRIORITY_DISPOSABLE;
    e->sample = (struct retake_event_data){
        .data = nals[0].p_payload,
        .size = (size_t)bytes,
        .index = e->recon.i_pts,
        /* A key frame that is no IDR begins an open group, and decoding can start there. */
        .kind = e->recon.b_keyframe ? RETAKE_SYNC : referenced ? RETAKE_REFERENCE : RETAKE_DISPOSABLE,
        .qp = e->qps_out != e->qps_in ? (float)(e->qps[e->qps_out++ % 256] - qp_offset(depth)) : 0,
        .layer = e->settings.controls.layers > 1 && !referenced,
        .token = token(&e->long_term, e->recon.i_pts, e->recon.b_keyframe),
    };
    e->has_sample = 1;
    e->has_picture = e->reconstruct;
    return 0;
}

static int type(struct encoder *e, const struct retake_frame *frame) {
    if (frame->force_key) return e->last_key = frame->index, X264_TYPE_IDR;
    if (e->settings.controls.layers < 2) return X264_TYPE_AUTO;
    int64_t distance = frame->index - e->last_key;
    if (distance >= e->key_interval) return e->last_key = frame->index, X264_TYPE_IDR;
    return distance % 2 ? X264_TYPE_B : X264_TYPE_P;
}

/* Sends a frame. x264 copies the planes into a frame of its own before the call returns, so that the caller's
   picture is free then. */
static int32_t send(void *handle, const struct retake_frame *frame, struct retake_fault *fault) {
    struct encoder *e = handle;
    if (!frame) {
        e->flushing = 1;
        return 0;
    }
    x264_picture_t picture;
    x264_picture_init(&picture);
    int32_t chroma = e->settings.chroma;
    picture.img.i_csp = e->settings.pairs ? (chroma == 2 ? X264_CSP_NV16 : X264_CSP_NV12)
                                          : CSP[chroma] | (e->bytes > 1 ? X264_CSP_HIGH_DEPTH : 0);
    picture.img.i_plane = e->settings.pairs ? 2 : chroma ? 3 : 1;
    for (int i = 0; i < picture.img.i_plane; i++) {
        picture.img.plane[i] = (uint8_t *)frame->plane[i];
        picture.img.i_stride[i] = (int)frame->stride[i];
    }
    picture.i_pts = frame->index;
    picture.i_type = type(e, frame);
    if (e->long_term.places) {
        acknowledge(&e->long_term, frame);
        if (frame->refresh && picture.i_type != X264_TYPE_IDR && !refresh(e, frame->index)) picture.i_type = X264_TYPE_IDR;
    }
    if (frame->base_qp >= 0) picture.i_qpplus1 = frame->base_qp + qp_offset(e->settings.bit_depth) + 1;
    return encode(e, &picture, fault);
}

static int32_t receive(void *handle, struct retake_event_data *event, struct retake_fault *fault) {
    struct encoder *e = handle;
    for (;;) {
        *event = e->sample;
        if (e->has_sample) return e->has_sample = 0, RETAKE_SAMPLE;
        if (e->has_picture) return e->has_picture = 0, RETAKE_PICTURE;
        if (!e->flushing) return RETAKE_PENDING;
        if (x264_encoder_delayed_frames(e->x264) <= 0) return RETAKE_END;
        if (encode(e, NULL, fault) < 0) return RETAKE_ERROR;
    }
}

/* Sets the quality. x264 decides about a frame's quantizer when it codes it, after the look-ahead, so this
   reaches the very next frame. */
static int32_t set_quality(void *handle, double quality) {
    struct encoder *e = handle;
    x264_param_t p;
    x264_encoder_parameters(e->x264, &p);
    if (p.rc.i_rc_method != X264_RC_CRF) return -1;
    p.rc.f_rf_constant = (float)quality;
    return x264_encoder_reconfig(e->x264, &p) < 0 ? -1 : 0;
}

/* Changes a running encode. x264 cannot change quantizer bounds on the way, and takes another average only
   where that is the rate of a buffer. The buffer of a constant bit rate is written in the headers, so it must
   stay. */
static int32_t reconfigure(void *handle, const struct retake_change *change, struct retake_fault *fault) {
    struct encoder *e = handle;
    struct retake_settings next = e->settings;
    x264_param_t p;
    if (next.rate == RETAKE_CONSTANT || change->min_qp >= 0 || change->max_qp >= 0) return 1;
    if (change->bit_rate >= 0) next.bit_rate = change->bit_rate;
    if (change->limit_rate >= 0) next.limit_rate = change->limit_rate, next.limit_window = change->limit_window;
    if (change->quality >= 0) next.quality = change->quality;
    x264_encoder_parameters(e->x264, &p);
    if (change->bit_rate >= 0 && p.rc.i_vbv_max_bitrate != retake_kilo(e->settings.bit_rate)) return 1;
    rate_control(&p, &next);
    if (x264_encoder_reconfig(e->x264, &p) < 0) return retake_fail(fault, "", "x264_encoder_reconfig failed"), -1;
    e->settings = next;
    return 0;
}

/* Copies the picture, in which x264 keeps chroma as pairs of Cb and Cr, but for 4:4:4. */
static void picture(void *handle, uint8_t *const plane[3], const ptrdiff_t stride[3]) {
    struct encoder *e = handle;
    const x264_image_t *img = &e->recon.img;
    int32_t chroma = e->settings.chroma;
    int width = retake_chroma_width(e->width, chroma), height = retake_chroma_height(e->height, chroma);
    retake_copy_plane(plane[0], stride[0], img->plane[0], img->i_stride[0], (size_t)e->width * e->bytes, e->height);
    for (int i = 1; chroma == 3 && i < 3; i++)
        retake_copy_plane(plane[i], stride[i], img->plane[i], img->i_stride[i], (size_t)width * e->bytes, height);
    for (int y = 0; chroma < 3 && y < height; y++) {
        const uint8_t *pairs = img->plane[1] + (ptrdiff_t)y * img->i_stride[1];
        uint8_t *cb = plane[1] + y * stride[1], *cr = plane[2] + y * stride[2];
        if (e->bytes == 1) {
            for (int x = 0; x < width; x++) cb[x] = pairs[2 * x], cr[x] = pairs[2 * x + 1];
        } else {
            const uint16_t *wide = (const uint16_t *)pairs;
            uint16_t *wide_cb = (uint16_t *)cb, *wide_cr = (uint16_t *)cr;
            for (int x = 0; x < width; x++) wide_cb[x] = wide[2 * x], wide_cr[x] = wide[2 * x + 1];
        }
    }
}

/* The scale begins at 1, because constant quality below would be lossless coding, with another profile in the
   headers. */
const struct retake_shim retake_x264 = {
    .quality_min = 1, .quality_max = 51, .quality_step = 0.1, .preset_max = 0, .version = version, .codes = codes,
    .delay = delay, .open = open_encoder, .headers = headers, .send = send, .receive = receive, .picture = picture,
    .set_quality = set_quality, .reconfigure = reconfigure, .close = close_encoder,
};
