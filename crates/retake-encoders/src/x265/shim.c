/* Puts x265 behind the table of shim.h. */
#include "../shim.h"

#include <x265.h>

#include "controls.h"

/* Builds with layers take a row of output pictures. */
#if X265_BUILD >= 210 && X265_BUILD < 213
#define RETAKE_LAYERS MAX_SCALABLE_LAYERS
#define RETAKE_OUTPUT(e) (e)->recon
#else
#define RETAKE_LAYERS 1
#define RETAKE_OUTPUT(e) (e)->recon[0]
#endif

struct encoder {
    const x265_api *api;
    x265_encoder *x265;
    x265_param *param; /* the parameters that the encoder was opened with */
    int32_t width, height, bytes; /* bytes of a sample */
    int reconstruct, flushing;
    struct retake_settings settings; /* the numbers that it was opened with */
    int64_t last_key; /* with layers the shim decides about types */
    int has_sample, has_picture; /* whether the last encode call left these */
    uint8_t *headers;
    size_t headers_size;
    struct retake_event_data sample;
    /* `recon` points into x265's own frame, which the next encode call may reuse. */
    x265_picture *input, *recon[RETAKE_LAYERS];
};

static const char *version(void) { return x265_version_str; }

/* Every build codes all kinds of chroma, and depths that are linked in. */
static int32_t codes(int32_t chroma, int32_t depth) {
    (void)chroma;
    const x265_api *api = x265_api_get(depth);
    return api && api->bit_depth == depth;
}

/* Sets the strings, only for parameters that are opened, and once. Strings go with the encoder, not with the
   parameters: builds before 3.5 free them when it closes, and newer ones keep copies of a few bytes for
   ever. */
static int strings(const x265_api *api, x265_param *p, const struct retake_settings *s, struct retake_fault *fault) {
    char text[256];
    const int32_t *m = s->mastering;
    if (s->has_mastering) {
        snprintf(text, sizeof text, "G(%d,%d)B(%d,%d)R(%d,%d)WP(%d,%d)L(%d,%d)", m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8],
                 m[9]);
        if (parse(api, p, "master-display", text, fault)) return -1;
    }
    snprintf(text, sizeof text, "%d", s->threads);
    return s->threads > 1 ? parse(api, p, "pools", text, fault) : 0;
}

static int32_t delay(const struct retake_settings *s) {
    const x265_api *api = x265_api_get(s->bit_depth);
    x265_param *p = api ? api->param_alloc() : NULL;
    struct retake_fault ignored;
    int32_t frames = 0;
    if (p && parameters(api, p, s, &ignored) == 0)
        frames = waiting(p);
    if (p) api->param_free(p);
    return frames;
}

static void close_encoder(void *handle) {
    struct encoder *e = handle;
    if (e->x265) e->api->encoder_close(e->x265);
    if (e->param) e->api->param_free(e->param);
    if (e->input) e->api->picture_free(e->input);
    for (int i = 0; i < RETAKE_LAYERS; i++)
        if (e->recon[i]) e->api->picture_free(e->recon[i]);
    free(e->headers);
    free(e);
}

/* Chooses the level. x265 lets it depend on the average bit rate, too. Takes of one film differ in that, and
   their headers must not: the level is the one that constant quality would get, unless a limit or a buffer
   was asked for. Where the caller keeps to the limit, it is the one of an encode that does. Slices do not
   depend on it, so that the headers may come from another encode. */
static int fix_level(struct encoder *e, const struct retake_settings *s, struct retake_fault *fault) {
    const struct retake_controls *c = &s->controls;
    const int by_caller = c->limit_kept_by_caller;
    if (!by_caller && (s->rate != RETAKE_AVERAGE || s->limit_rate || c->buffer_rate)) return 0;
    struct retake_settings settings = *s;
    settings.controls.limit_kept_by_caller = 0;
    settings.rate = RETAKE_QUALITY;
    settings.quality = 28;
    settings.controls.ceiling = -1;
    int failed = 1;
    x265_nal *nals;
    uint32_t count;
    x265_param *p = e->api->param_alloc();
    x265_encoder *probe = NULL;
    if (p && parameters(e->api, p, &settings, fault) == 0 && strings(e->api, p, &settings, fault) == 0) {
        /* Blocks have quantizers of their own with adaptation, and under a buffer, which the probe does not
           have. The headers say so, and every block is read by them. */
        if (e->param->rc.vbvBufferSize > 0 && p->rc.aqMode == X265_AQ_NONE) p->rc.aqMode = X265_AQ_VARIANCE;
        if (p->rc.vbvBufferSize > 0 && e->param->rc.aqMode == X265_AQ_NONE) {
            /* The other way round: the encode has to be one of such blocks. So weak an adaptation moves none.
             */
            e->param->rc.aqMode = X265_AQ_VARIANCE;
            e->param->rc.aqStrength = 1e-4;
        }
        probe = e->api->encoder_open(p);
    }
    if (probe) {
        int bytes = e->api->encoder_headers(probe, &nals, &count);
        if (bytes > 0 && (e->headers = malloc((size_t)bytes))) {
            memcpy(e->headers, nals[0].payload, (size_t)bytes);
            e->headers_size = (size_t)bytes;
            failed = 0;
        }
        e->api->encoder_close(probe);
    }
    if (p) e->api->param_free(p);
    return failed;
}

static void *open_encoder(const struct retake_settings *s, struct retake_fault *fault) {
    struct encoder *e = calloc(1, sizeof *e);
    if (!e) return retake_fail(fault, "", "out of memory"), NULL;
    e->api = x265_api_get(s->bit_depth);
    if (!e->api) {
        retake_fail(fault, "format", "the library has no %d bit", s->bit_depth);
        return free(e), NULL;
    }
    int failed = !(e->param = e->api->param_alloc()) || !(e->input = e->api->picture_alloc());
    for (int i = 0; i < RETAKE_LAYERS; i++) failed |= !(e->recon[i] = e->api->picture_alloc());
    if (failed) retake_fail(fault, "", "out of memory");
    failed = failed || parameters(e->api, e->param, s, fault) || strings(e->api, e->param, s, fault);
    if (!failed && (fix_level(e, s, fault) || !(e->x265 = e->api->encoder_open(e->param)))) {
        failed = 1;
        retake_fail(fault, "", "the library refused a %dx%d encode with these settings; leave out options one by one to find the cause",
                    s->width, s->height);
    }
    if (failed) return close_encoder(e), NULL;
    e->width = s->width;
    e->height = s->height;
    e->bytes = s->bit_depth > 8 ? 2 : 1;
    e->reconstruct = s->reconstruct;
    e->settings = *s;
    e->settings.preset = e->settings.controls.profile = NULL;
    e->settings.options = NULL;
    e->settings.option_count = 0;
    return e;
}

static int32_t headers(void *handle, const uint8_t **data, size_t *size, struct retake_fault *fault) {
    struct encoder *e = handle;
    x265_nal *nals;
    uint32_t count;
    if (e->headers) {
        *data = e->headers;
        *size = e->headers_size;
        return 0;
    }
    int bytes = e->api->encoder_headers(e->x265, &nals, &count);
    if (bytes <= 0) return retake_fail(fault, "", "the library gave no headers"), -1;
    *data = nals[0].payload;
    *size = (size_t)bytes;
    return 0;
}

static int32_t kind(uint32_t type) {
    /* Decoding can start after a CRA, too, which begins an open group. */
    if (type == NAL_UNIT_CODED_SLICE_IDR_W_RADL || type == NAL_UNIT_CODED_SLICE_IDR_N_LP || type == NAL_UNIT_CODED_SLICE_CRA)
        return RETAKE_SYNC;
    return type < 16 && type % 2 == 0 ? RETAKE_DISPOSABLE : RETAKE_REFERENCE;
}

static int encode(struct encoder *e, x265_picture *input, struct retake_fault *fault) {
    x265_nal *nals;
    uint32_t count = 0;
    e->has_sample = e->has_picture = 0;
    int result = e->api->encoder_encode(e->x265, &nals, &count, input, RETAKE_OUTPUT(e));
    if (result < 0) return retake_fail(fault, "", "x265_encoder_encode returned %d", result), -1;
    if (result == 0 || count == 0) return 0;
    size_t size = 0;
    e->sample.kind = RETAKE_REFERENCE;
    for (uint32_t i = 0; i < count; i++) {
        if (nals[i].payload != nals[0].payload + size) return retake_fail(fault, "", "the units of a frame do not lie together"), -1;
        size += nals[i].sizeBytes;
        if (nals[i].type < NAL_UNIT_VPS) {
            e->sample.kind = kind(nals[i].type);
            /* The layer stands behind the length and the first byte of the unit's header. */
            e->sample.layer = nals[i].sizeBytes > 5 ? (nals[i].payload[5] & 7) - 1 : 0;
        }
    }
    e->sample.data = nals[0].payload;
    e->sample.size = size;
    e->sample.index = e->recon[0]->pts;
    e->sample.qp = (float)e->recon[0]->frameData.qp;
    e->has_sample = 1;
    e->has_picture = e->reconstruct;
    return 1;
}

static int type(struct encoder *e, const struct retake_frame *frame) {
    if (frame->force_key) return e->last_key = frame->index, X265_TYPE_IDR;
    if (e->settings.controls.layers < 2) return X265_TYPE_AUTO;
    int64_t distance = frame->index - e->last_key;
    if (e->param->keyframeMax > 0 && distance >= e->param->keyframeMax) return e->last_key = frame->index, X265_TYPE_IDR;
    return distance % 2 ? X265_TYPE_B : X265_TYPE_P;
}

/* Sends a frame. x265 copies the planes into a frame of its own before the call returns, so that the caller's
   picture is free then. */
static int32_t send(void *handle, const struct retake_frame *frame, struct retake_fault *fault) {
    struct encoder *e = handle;
    if (!frame) {
        e->flushing = 1;
        return 0;
    }
    e->api->picture_init(e->param, e->input);
    for (int i = 0; i < 3; i++) {
        e->input->planes[i] = (void *)frame->plane[i];
        e->input->stride[i] = (int)frame->stride[i];
    }
    e->input->pts = frame->index;
    /* Anything weaker than IDR would be softened when it is nearer to the last one than the shortest
       interval. */
    e->input->sliceType = type(e, frame);
    e->input->forceqp = frame->base_qp >= 0 ? frame->base_qp + 1 : X265_QP_AUTO;
    return encode(e, e->input, fault) < 0 ? -1 : 0;
}

static int32_t receive(void *handle, struct retake_event_data *event, struct retake_fault *fault) {
    struct encoder *e = handle;
    for (;;) {
        *event = e->sample;
        if (e->has_sample) return e->has_sample = 0, RETAKE_SAMPLE;
        if (e->has_picture) return e->has_picture = 0, RETAKE_PICTURE;
        if (!e->flushing) return RETAKE_PENDING;
        int result = encode(e, NULL, fault);
        if (result < 0) return RETAKE_ERROR;
        if (result == 0) return RETAKE_END;
    }
}

static void picture(void *handle, uint8_t *const plane[3], const ptrdiff_t stride[3]) {
    struct encoder *e = handle;
    int32_t chroma = e->settings.chroma;
    for (int i = 0; i < (chroma ? 3 : 1); i++) {
        size_t width = (size_t)(i ? retake_chroma_width(e->width, chroma) : e->width);
        int32_t height = i ? retake_chroma_height(e->height, chroma) : e->height;
        retake_copy_plane(plane[i], stride[i], e->recon[0]->planes[i], e->recon[0]->stride[i], width * e->bytes, height);
    }
}

/* There is no set_quality and no reconfigure, because x265_encoder_reconfig takes another quality, rate or
   buffer and reports success, and no byte changes (3.5). */
const struct retake_shim retake_x265 = {
    .quality_min = 1, .quality_max = 51, .quality_step = 0.1, .preset_max = 0, .version = version, .codes = codes,
    .delay = delay, .open = open_encoder, .headers = headers, .send = send, .receive = receive, .picture = picture,
    .close = close_encoder,
};
