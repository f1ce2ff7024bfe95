/* Puts libvpx's VP9 behind the table of shim.h. */
#include "../shim.h"
#include "../aom_vpx.h"

#include <limits.h>
#include <math.h>
#include <vpx/vp8cx.h>
#include <vpx/vp8dx.h>
#include <vpx/vpx_decoder.h>
#include <vpx/vpx_encoder.h>

#include "controls.h"
#include "references.h"

/* A copy of a packet, because the library's own go with the next call. */
struct packet {
    struct packet *next;
    struct retake_event_data event;
    uint8_t data[];
};

struct encoder {
    vpx_codec_ctx_t vpx, decoder;
    int open, decoder_open;
    int32_t width, height, bytes; /* bytes of a sample */
    int by_rate, base_qp, quality;
    vpx_codec_enc_cfg_t cfg; /* the current configuration */
    struct retake_settings settings; /* the numbers that it was opened with */
    struct references references;
    int64_t ticks;
    unsigned long deadline;
    int flushing;
    struct packet *first, **last; /* packets that were not fetched yet */
    struct packet *fetched;
    int has_picture;
    struct statistics {
        uint8_t *data;
        size_t size, room;
    } statistics; /* of the first pass, for the second; the library reads them as it goes */
    struct {
        int kept;    /* whether there is one: of an average rate in one pass */
        int begun;   /* whether frames count; warm_up.rs has some encoded before */
        double owed; /* bits that the rate had for the frames that came out, and that they did not take */
    } account;
    const vpx_image_t *recon; /* the picture of the packet fetched last; the decoder owns it */
};

static const char *version(void) { return vpx_codec_version_str(); }

static int32_t codes(int32_t chroma, int32_t depth) {
    /* VP9 has no monochrome pictures. */
    if (!chroma) return 0;
    return depth == 8 || (depth == 10 && (vpx_codec_get_caps(vpx_codec_vp9_cx()) & VPX_CODEC_CAP_HIGHBITDEPTH));
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
    free(e->statistics.data);
    while (e->first) {
        struct packet *packet = e->first;
        e->first = packet->next;
        free(packet);
    }
    free(e);
}

static int keep_statistics(struct encoder *e, const void *data, size_t size, struct retake_fault *fault) {
    struct statistics *s = &e->statistics;
    if (!size) return 0;
    if (size > s->room - s->size) {
        size_t room = 2 * s->room + size;
        uint8_t *more = realloc(s->data, room);
        if (!more) return retake_fail(fault, "", "out of memory"), -1;
        s->data = more;
        s->room = room;
    }
    memcpy(s->data + s->size, data, size);
    s->size += size;
    return 0;
}

static int start(struct encoder *e, const struct retake_settings *s, struct retake_fault *fault) {
    struct parameters p;
    if (parameters(&p, s, fault) < 0) return -1;
    if (s->pass == RETAKE_SECOND_PASS) {
        if (keep_statistics(e, s->statistics, s->statistics_size, fault) < 0) return -1;
        p.cfg.rc_twopass_stats_in = (vpx_fixed_buf_t){e->statistics.data, e->statistics.size};
    }
    if (vpx_codec_enc_init(&e->vpx, vpx_codec_vp9_cx(), &p.cfg, s->bit_depth > 8 ? VPX_CODEC_USE_HIGHBITDEPTH : 0))
        return retake_fail(fault, "", "%s", detail(&e->vpx)), -1;
    e->open = 1;
    for (int i = 0; i < p.controls; i++) {
        const struct control *c = &p.control[i];
        if (vpx_codec_control_(&e->vpx, c->id, c->value))
            return retake_fail(fault, c->key ? c->key : "", "the library does not take %d: %s", c->value, detail(&e->vpx)), -1;
    }
    if (s->reconstruct && s->pass != RETAKE_FIRST_PASS) {
        /* Pictures come from a decoder, because libvpx's encoder offers only the last one of several that it
           coded in one call. */
        vpx_codec_dec_cfg_t cfg = {.threads = 1, .w = p.cfg.g_w, .h = p.cfg.g_h};
        if (vpx_codec_dec_init(&e->decoder, vpx_codec_vp9_dx(), &cfg, 0))
            return retake_fail(fault, "", "the library has no VP9 decoder for reconstructed pictures: %s", detail(&e->decoder)), -1;
        e->decoder_open = 1;
    }
    e->last = &e->first;
    e->width = s->width;
    e->height = s->height;
    e->bytes = s->bit_depth > 8 ? 2 : 1;
    e->by_rate = p.cfg.rc_end_usage != VPX_Q || s->rate == RETAKE_LOSSLESS || s->controls.base_qp;
    e->cfg = p.cfg;
    e->settings = *s;
    e->settings.preset = e->settings.controls.profile = NULL;
    e->settings.options = NULL;
    e->settings.option_count = 0;
    e->references = (struct references){.layers = s->controls.layers, .long_term = s->controls.long_term, .kept = -1};
    e->quality = (int)lrint(s->quality);
    e->account.kept = p.cfg.rc_end_usage == VPX_VBR && s->pass == RETAKE_ONLY_PASS;
    e->account.begun = !s->controls.more_before;
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

/* Gives no headers, because VP9 has none: the container's record follows from the settings. */
static int32_t headers(void *handle, const uint8_t **data, size_t *size, struct retake_fault *fault) {
    (void)handle, (void)fault;
    *data = NULL;
    *size = 0;
    return 0;
}

/* Returns whether a frame may be dropped, which is so unless others are coded from it. The library's flag is
   about the last frame of a superframe only. */
static int disposable(const vpx_codec_cx_pkt_t *packet) {
    const uint8_t *data = packet->data.frame.buf;
    return (packet->data.frame.flags & VPX_FRAME_IS_DROPPABLE) && (data[packet->data.frame.sz - 1] & 0xe0) != 0xc0;
}

/* What an account owes, either way, is to be made good within so many seconds; and no more than they have is
   owed, because a long scene that needs little must not be paid back by one that gets far too much. */
#define ACCOUNT_SECONDS 5.0

static void pay(struct encoder *e, size_t bytes) {
    double rate = (double)e->settings.bit_rate, most = rate * ACCOUNT_SECONDS;
    double owed = e->account.owed + rate * e->settings.fps_den / e->settings.fps_num - 8.0 * (double)bytes;
    e->account.owed = fmin(fmax(owed, -most), most);
}

/* Codes a frame, and returns the number of packets that came out. libvpx puts hidden frames in front of the
   next shown one, into one packet. */
static int encode(struct encoder *e, const vpx_image_t *image, int64_t index, struct decision decision, struct retake_fault *fault) {
    if (vpx_codec_encode(&e->vpx, image, index * e->ticks, (unsigned long)e->ticks, decision.flags, e->deadline))
        return retake_fail(fault, "", "vpx_codec_encode: %s", detail(&e->vpx)), -1;
    int quantizer = 0, count = 0;
    vpx_codec_control_(&e->vpx, VP8E_GET_LAST_QUANTIZER_64, &quantizer);
    vpx_codec_iter_t iter = NULL;
    const vpx_codec_cx_pkt_t *from;
    while ((from = vpx_codec_get_cx_data(&e->vpx, &iter))) {
        if (from->kind == VPX_CODEC_STATS_PKT &&
            keep_statistics(e, from->data.twopass_stats.buf, from->data.twopass_stats.sz, fault) < 0)
            return -1;
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
            /* At the end one call codes several frames, and the library reports the last one only. */
            .qp = image ? (float)quantizer : 0,
            .layer = decision.layer,
            .token = decision.token,
        };
        *e->last = packet;
        e->last = &packet->next;
        pay(e, from->data.frame.sz);
        count++;
    }
    return count;
}

static int configure(struct encoder *e, const vpx_codec_enc_cfg_t *cfg, struct retake_fault *fault) {
    if (vpx_codec_enc_config_set(&e->vpx, cfg)) return retake_fail(fault, "", "vpx_codec_enc_config_set: %s", detail(&e->vpx)), -1;
    e->cfg = *cfg;
    return 0;
}

/* Moves the rate that the library aims at by what is owed. In one pass it keeps no account itself: its first
   second takes more than twice its share, and all that follow stay a tenth above or below theirs. */
static int settle(struct encoder *e, struct retake_fault *fault) {
    if (!e->account.kept) return 0;
    double rate = (double)e->settings.bit_rate, now = 1000.0 * e->cfg.rc_target_bitrate;
    double aim = fmax(rate + e->account.owed / ACCOUNT_SECONDS, rate / 2);
    /* Each change is work for the library, so that small ones wait. */
    if (fabs(aim - now) < now / 50) return 0;
    vpx_codec_enc_cfg_t cfg = e->cfg;
    cfg.rc_target_bitrate = retake_kilobits((int64_t)aim);
    return configure(e, &cfg, fault);
}

static int bounds(struct encoder *e, int32_t min, int32_t max, struct retake_fault *fault) {
    vpx_codec_enc_cfg_t cfg = e->cfg;
    cfg.rc_min_quantizer = (unsigned int)min;
    cfg.rc_max_quantizer = (unsigned int)max;
    return configure(e, &cfg, fault);
}

static vpx_img_fmt_t image_format(const struct encoder *e) {
    static const vpx_img_fmt_t FORMATS[] = {VPX_IMG_FMT_NONE, VPX_IMG_FMT_I420, VPX_IMG_FMT_I422, VPX_IMG_FMT_I444};
    return FORMATS[e->settings.chroma] | (e->bytes > 1 ? VPX_IMG_FMT_HIGHBITDEPTH : 0);
}

/* Sends a frame; libvpx copies the planes into its look-ahead before the call returns. */
static int32_t send(void *handle, const struct retake_frame *frame, struct retake_fault *fault) {
    struct encoder *e = handle;
    if (!frame) {
        e->flushing = 1;
        return 0;
    }
    if (frame->base_qp >= 0 && bounds(e, frame->base_qp, frame->base_qp, fault) < 0) return -1;
    vpx_image_t image;
    vpx_img_fmt_t format = e->settings.pairs ? VPX_IMG_FMT_NV12 : image_format(e);
    if (!vpx_img_wrap(&image, format, (unsigned int)e->width, (unsigned int)e->height, 1, (unsigned char *)frame->plane[0]))
        return retake_fail(fault, "", "vpx_img_wrap refused the picture"), -1;
    if (e->bytes > 1) image.bit_depth = 10;
    for (int i = 0; i < 3; i++) {
        image.planes[i] = (unsigned char *)frame->plane[i];
        image.stride[i] = (int)frame->stride[i];
    }
    if (e->settings.pairs) {
        image.planes[VPX_PLANE_V] = image.planes[VPX_PLANE_U] + 1;
        image.stride[VPX_PLANE_V] = image.stride[VPX_PLANE_U];
    }
    if (frame->force_key && frame->index > 0 && !e->account.begun) e->account.begun = 1, e->account.owed = 0;
    if (settle(e, fault) < 0) return -1;
    return encode(e, &image, frame->index, decide(&e->references, frame), fault) < 0 ? -1 : 0;
}

static int decode(struct encoder *e, const struct packet *packet, struct retake_fault *fault) {
    if (vpx_codec_decode(&e->decoder, packet->data, (unsigned int)packet->event.size, NULL, 0))
        return retake_fail(fault, "", "the library cannot decode its own frame: %s", detail(&e->decoder)), -1;
    vpx_codec_iter_t iter = NULL;
    e->recon = vpx_codec_get_frame(&e->decoder, &iter);
    if (!e->recon || (int32_t)e->recon->d_w != e->width || (int32_t)e->recon->d_h != e->height ||
        e->recon->fmt != image_format(e))
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
        int count = encode(e, NULL, 0, (struct decision){0}, fault);
        if (count <= 0) return count < 0 ? RETAKE_ERROR : RETAKE_END;
    }
    free(e->fetched);
    e->fetched = e->first;
    e->first = e->fetched->next;
    if (!e->first) e->last = &e->first;
    *event = e->fetched->event;
    return e->decoder_open && decode(e, e->fetched, fault) < 0 ? RETAKE_ERROR : RETAKE_SAMPLE;
}

/* Sets the quality. libvpx decides about a frame's quantizer when it codes it, after the look-ahead, so this
   reaches the very next frame. */
static int32_t set_quality(void *handle, double quality) {
    struct encoder *e = handle;
    if (e->by_rate || !(quality >= 1 && quality <= 63)) return -1;
    int level = (int)lrint(quality);
    if (level == e->quality) return 0;
    if (vpx_codec_control_(&e->vpx, VP8E_SET_CQ_LEVEL, level)) return -1;
    e->quality = level;
    return 0;
}

static int32_t reconfigure(void *handle, const struct retake_change *change, struct retake_fault *fault) {
    struct encoder *e = handle;
    vpx_codec_enc_cfg_t cfg = e->cfg;
    if (change->quality >= 0 && set_quality(e, change->quality)) return 1;
    if (change->bit_rate >= 0) {
        cfg.rc_target_bitrate = retake_kilobits(change->bit_rate);
        e->settings.bit_rate = change->bit_rate;
        e->account.owed = 0;
    }
    if (change->min_qp >= 0) cfg.rc_min_quantizer = (unsigned int)change->min_qp;
    if (change->max_qp >= 0) cfg.rc_max_quantizer = (unsigned int)change->max_qp;
    return configure(e, &cfg, fault);
}

static int32_t statistics(void *handle, const uint8_t **data, size_t *size, struct retake_fault *fault) {
    struct encoder *e = handle;
    (void)fault;
    *data = e->statistics.data;
    *size = e->statistics.size;
    return 0;
}

static void picture(void *handle, uint8_t *const plane[3], const ptrdiff_t stride[3]) {
    struct encoder *e = handle;
    int32_t chroma = e->settings.chroma;
    for (int i = 0; i < 3; i++) {
        int32_t width = i ? retake_chroma_width(e->width, chroma) : e->width;
        int32_t height = i ? retake_chroma_height(e->height, chroma) : e->height;
        retake_copy_plane(plane[i], stride[i], e->recon->planes[i], e->recon->stride[i], (size_t)width * e->bytes, height);
    }
}

/* The scale does not begin at level 0, because that would be lossless coding. */
const struct retake_shim retake_vp9 = {
    .quality_min = 1, .quality_max = 63, .quality_step = 1, .preset_max = 5, .version = version, .codes = codes,
    .delay = delay, .open = open_encoder, .headers = headers, .send = send, .receive = receive, .picture = picture,
    .set_quality = set_quality, .reconfigure = reconfigure, .statistics = statistics, .close = close_encoder,
};
