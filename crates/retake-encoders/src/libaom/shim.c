/* Puts libaom behind the table of shim.h. */
#include "../shim.h"
#include "../aom_vpx.h"

#include <aom/aom_decoder.h>
#include <aom/aom_encoder.h>
#include <aom/aomcx.h>
#include <aom/aomdx.h>
#include <math.h>

/* The most frames that the library looks ahead (MAX_LAG_BUFFERS of its sources). */
#define MOST_LAG 48

#include "controls.h"
#include "metadata.h"

/* A copy of a packet, because the library's own go with the next call. */
struct packet {
    struct packet *next;
    struct retake_event_data event;
    uint8_t data[];
};

struct encoder {
    aom_codec_ctx_t aom, decoder;
    int open, decoder_open;
    int32_t width, height, bytes; /* bytes of a sample */
    struct retake_settings settings;  /* the numbers that it was opened with */
    struct parameters parameters;     /* what the library is opened with */
    int32_t own_values;               /* how many values of options in them are copies */
    int begun, flushing;
    struct packet *first, **last; /* packets that were not fetched yet */
    struct packet *fetched;
    uint8_t *headers;
    size_t headers_size;
    uint8_t *grey; /* the chroma of monochrome pictures, which the library copies all the same */
    int has_picture;
    const aom_image_t *recon; /* the picture of the packet fetched last; the decoder owns it */
};

static const char *version(void) { return aom_codec_version_str(); }

static int32_t codes(int32_t chroma, int32_t depth) {
    (void)chroma;
    return depth == 8 || (depth == 10 && (aom_codec_get_caps(aom_codec_av1_cx()) & AOM_CODEC_CAP_HIGHBITDEPTH));
}

static int32_t delay(const struct retake_settings *s) {
    struct parameters p;
    struct retake_fault ignored;
    if (parameters(&p, s, &ignored) < 0 || !p.cfg.g_lag_in_frames) return 0;
    return (int32_t)p.cfg.g_lag_in_frames - 1;
}

static const char *detail(aom_codec_ctx_t *context) {
    const char *text = aom_codec_error_detail(context);
    if (!text) text = aom_codec_error(context);
    return text ? text : "no reason given";
}

static void close_encoder(void *handle) {
    struct encoder *e = handle;
    if (e->open) aom_codec_destroy(&e->aom);
    if (e->decoder_open) aom_codec_destroy(&e->decoder);
    free(e->fetched);
    free(e->headers);
    free(e->grey);
    for (int32_t i = 0; i < e->own_values; i++) free((char *)e->parameters.option[i].value);
    while (e->first) {
        struct packet *packet = e->first;
        e->first = packet->next;
        free(packet);
    }
    free(e);
}

static aom_img_fmt_t image_format(const struct encoder *e) {
    static const aom_img_fmt_t FORMATS[] = {AOM_IMG_FMT_I420, AOM_IMG_FMT_I420, AOM_IMG_FMT_I422, AOM_IMG_FMT_I444};
    return FORMATS[e->settings.chroma] | (e->bytes > 1 ? AOM_IMG_FMT_HIGHBITDEPTH : 0);
}

/* Makes rows of neutral chroma, which all rows of monochrome pictures share. */
static int make_grey(struct encoder *e, struct retake_fault *fault) {
    size_t count = (size_t)(e->width + 1) / 2;
    if (!(e->grey = malloc(count * (size_t)e->bytes))) return retake_fail(fault, "", "out of memory"), -1;
    for (size_t i = 0; i < count; i++) {
        if (e->bytes == 1)
            e->grey[i] = 128;
        else
            ((uint16_t *)e->grey)[i] = 512;
    }
    return 0;
}

/* Opens the library, and has it read its own options. */
static int start(aom_codec_ctx_t *aom, const struct parameters *p, struct retake_fault *fault) {
    if (aom_codec_enc_init(aom, aom_codec_av1_cx(), &p->cfg, p->cfg.g_bit_depth > AOM_BITS_8 ? AOM_CODEC_USE_HIGHBITDEPTH : 0))
        return retake_fail(fault, "", "%s", detail(aom)), -1;
    /* What the settings say comes after the options, and so it counts. */
    for (int i = 0; i < p->options; i++) {
        const struct retake_option *given = &p->option[i];
        if (!aom_codec_set_option(aom, given->key, given->value)) continue;
        retake_fail(fault, given->key, "the library does not take '%s': %s", given->value, detail(aom));
        return aom_codec_destroy(aom), -1;
    }
    for (int i = 0; i < p->controls; i++) {
        const struct control *c = &p->control[i];
        if (!aom_codec_control(aom, c->id, c->value)) continue;
        retake_fail(fault, "", "the library does not take %d for control %d: %s", c->value, c->id, detail(aom));
        return aom_codec_destroy(aom), -1;
    }
    return 0;
}

/* Takes over the settings, with copies of the values that the library must be given again. */
static int configure(struct encoder *e, const struct retake_settings *s, struct retake_fault *fault) {
    if (parameters(&e->parameters, s, fault) < 0) return -1;
    for (int i = 0; i < e->parameters.options; i++) {
        if (!(e->parameters.option[i].value = strdup(e->parameters.option[i].value))) return retake_fail(fault, "", "out of memory"), -1;
        e->own_values++;
    }
    e->last = &e->first;
    e->width = s->width;
    e->height = s->height;
    e->bytes = s->bit_depth > 8 ? 2 : 1;
    e->settings = *s;
    e->settings.preset = e->settings.controls.profile = NULL;
    e->settings.options = NULL;
    e->settings.option_count = 0;
    return s->chroma == 0 ? make_grey(e, fault) : 0;
}

/* Pictures come from a decoder, because the encoder's own are those that it coded last, hidden ones as
   well. */
static int start_decoder(struct encoder *e, struct retake_fault *fault) {
    aom_codec_dec_cfg_t cfg = {.threads = 1, .w = (unsigned int)e->width, .h = (unsigned int)e->height, .allow_lowbitdepth = 1};
    if (aom_codec_dec_init(&e->decoder, aom_codec_av1_dx(), &cfg, 0))
        return retake_fail(fault, "", "the library has no AV1 decoder for reconstructed pictures: %s", detail(&e->decoder)), -1;
    e->decoder_open = 1;
    return 0;
}

static void *open_encoder(const struct retake_settings *s, struct retake_fault *fault) {
    struct encoder *e = calloc(1, sizeof *e);
    if (!e) return retake_fail(fault, "", "out of memory"), NULL;
    if (configure(e, s, fault) < 0 || start(&e->aom, &e->parameters, fault) < 0) return close_encoder(e), NULL;
    e->open = 1;
    return s->reconstruct && start_decoder(e, fault) < 0 ? close_encoder(e), NULL : e;
}

/* Keeps the packet that the library gives out for one picture, which begins with the sequence header. */
static int first_packet(struct encoder *e, aom_codec_ctx_t *aom, const aom_image_t *image, struct retake_fault *fault) {
    for (int i = 0; i < 2 && !e->headers; i++) {
        if (aom_codec_encode(aom, i ? NULL : image, 0, (unsigned long)e->parameters.ticks, 0))
            return retake_fail(fault, "", "aom_codec_encode: %s", detail(aom)), -1;
        aom_codec_iter_t iter = NULL;
        const aom_codec_cx_pkt_t *from;
        while (!e->headers && (from = aom_codec_get_cx_data(aom, &iter))) {
            if (from->kind != AOM_CODEC_CX_FRAME_PKT || !from->data.frame.sz) continue;
            if (!(e->headers = malloc(from->data.frame.sz))) return retake_fail(fault, "", "out of memory"), -1;
            memcpy(e->headers, from->data.frame.buf, from->data.frame.sz);
            e->headers_size = from->data.frame.sz;
        }
    }
    if (!e->headers) retake_fail(fault, "", "the library gave no headers");
    return e->headers ? 0 : -1;
}

/* Encodes one black picture for the headers. aom_codec_get_global_headers describes tools that the library
   only decides on with the first picture, so its sequence header is not the one in the stream. The decision
   depends neither on the picture nor on the rate (tested). */
static int32_t headers(void *handle, const uint8_t **data, size_t *size, struct retake_fault *fault) {
    struct encoder *e = handle;
    if (!e->headers) {
        aom_codec_ctx_t probe;
        if (start(&probe, &e->parameters, fault) < 0) return -1;
        aom_image_t *image = aom_img_alloc(NULL, image_format(e), (unsigned int)e->width, (unsigned int)e->height, 16);
        int failed = 1;
        if (image) {
            size_t rows[] = {(size_t)e->height, (size_t)retake_chroma_height(e->height, e->settings.chroma ? e->settings.chroma : 1)};
            for (int i = 0; i < 3; i++) memset(image->planes[i], 0, (size_t)image->stride[i] * rows[i > 0]);
            image->bit_depth = e->bytes > 1 ? 10 : 8;
            image->monochrome = e->settings.chroma == 0;
            failed = first_packet(e, &probe, image, fault);
            aom_img_free(image);
        } else {
            retake_fail(fault, "", "out of memory");
        }
        aom_codec_destroy(&probe);
        if (failed) return -1;
    }
    *data = e->headers;
    *size = e->headers_size;
    return 0;
}

/* Codes a frame, and returns the number of packets that came out. A packet is a temporal unit: hidden frames
   stand in it in front of the one that is shown. */
static int encode(struct encoder *e, const aom_image_t *image, int64_t index, struct retake_fault *fault) {
    int64_t ticks = e->parameters.ticks;
    if (aom_codec_encode(&e->aom, image, index * ticks, (unsigned long)ticks, 0))
        return retake_fail(fault, "", "aom_codec_encode: %s", detail(&e->aom)), -1;
    int quantizer = 0, count = 0;
    aom_codec_control(&e->aom, AOME_GET_LAST_QUANTIZER_64, &quantizer);
    aom_codec_iter_t iter = NULL;
    const aom_codec_cx_pkt_t *from;
    while ((from = aom_codec_get_cx_data(&e->aom, &iter))) {
        if (from->kind != AOM_CODEC_CX_FRAME_PKT || !from->data.frame.sz) continue;
        struct packet *packet = malloc(sizeof *packet + from->data.frame.sz);
        if (!packet) return retake_fail(fault, "", "out of memory"), -1;
        memcpy(packet->data, from->data.frame.buf, from->data.frame.sz);
        packet->next = NULL;
        packet->event = (struct retake_event_data){
            .data = packet->data,
            .size = from->data.frame.sz,
            .index = from->data.frame.pts / ticks,
            .kind = from->data.frame.flags & AOM_FRAME_IS_KEY ? RETAKE_SYNC : RETAKE_REFERENCE,
            .qp = (float)quantizer,
        };
        *e->last = packet;
        e->last = &packet->next;
        count++;
    }
    return count;
}

/* Begins another encode of the library, after all frames of this one came out. A key frame that is forced by
   the library's flag is followed by another key frame, and perhaps by more further on (3.6: it finds the flag
   of the frame itself when it looks for the next one). A new encode begins with a key frame that closes the
   group before it, and codes what follows as a take of it would. */
static int begin_again(struct encoder *e, struct retake_fault *fault) {
    int count;
    do count = encode(e, NULL, 0, fault);
    while (count > 0);
    if (count < 0) return -1;
    e->open = 0;
    aom_codec_destroy(&e->aom);
    if (start(&e->aom, &e->parameters, fault) < 0) return -1;
    e->open = 1;
    return 0;
}

/* Sends a frame; libaom copies the planes into its look-ahead before the call returns. */
static int32_t send(void *handle, const struct retake_frame *frame, struct retake_fault *fault) {
    struct encoder *e = handle;
    if (!frame) {
        e->flushing = 1;
        return 0;
    }
    aom_image_t image;
    if (!aom_img_wrap(&image, image_format(e), (unsigned int)e->width, (unsigned int)e->height, 1, (unsigned char *)frame->plane[0]))
        return retake_fail(fault, "", "aom_img_wrap refused the picture"), -1;
    image.bit_depth = e->bytes > 1 ? 10 : 8;
    image.monochrome = e->settings.chroma == 0;
    for (int i = 0; i < 3; i++) {
        image.planes[i] = i && e->grey ? e->grey : (unsigned char *)frame->plane[i];
        image.stride[i] = i && e->grey ? 0 : (int)frame->stride[i];
    }
    if (add_metadata(&image, &e->settings)) {
        aom_img_remove_metadata(&image);
        return retake_fail(fault, "", "out of memory"), -1;
    }
    int count = frame->force_key && e->begun ? begin_again(e, fault) : 0;
    e->begun = 1;
    if (count >= 0) count = encode(e, &image, frame->index, fault);
    aom_img_remove_metadata(&image);
    return count < 0 ? -1 : 0;
}

static int decode(struct encoder *e, const struct packet *packet, struct retake_fault *fault) {
    if (aom_codec_decode(&e->decoder, packet->data, packet->event.size, NULL))
        return retake_fail(fault, "", "the library cannot decode its own frame: %s", detail(&e->decoder)), -1;
    aom_codec_iter_t iter = NULL;
    e->recon = aom_codec_get_frame(&e->decoder, &iter);
    if (!e->recon || (int32_t)e->recon->d_w != e->width || (int32_t)e->recon->d_h != e->height || e->recon->fmt != image_format(e))
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
        int count = encode(e, NULL, 0, fault);
        if (count <= 0) return count < 0 ? RETAKE_ERROR : RETAKE_END;
    }
    free(e->fetched);
    e->fetched = e->first;
    e->first = e->fetched->next;
    if (!e->first) e->last = &e->first;
    *event = e->fetched->event;
    return e->decoder_open && decode(e, e->fetched, fault) < 0 ? RETAKE_ERROR : RETAKE_SAMPLE;
}

static void picture(void *handle, uint8_t *const plane[3], const ptrdiff_t stride[3]) {
    struct encoder *e = handle;
    int32_t chroma = e->settings.chroma;
    for (int i = 0; i < (chroma ? 3 : 1); i++) {
        int32_t width = i ? retake_chroma_width(e->width, chroma) : e->width;
        int32_t height = i ? retake_chroma_height(e->height, chroma) : e->height;
        retake_copy_plane(plane[i], stride[i], e->recon->planes[i], e->recon->stride[i], (size_t)width * e->bytes, height);
    }
}

/* The scale does not begin at level 0, because that would be lossless coding. Presets above 6 are 6 where
   nothing has to be real-time. */
const struct retake_shim retake_libaom = {
    .quality_min = 1, .quality_max = 63, .quality_step = 1, .preset_max = 6, .version = version, .codes = codes,
    .delay = delay, .open = open_encoder, .headers = headers, .send = send, .receive = receive, .picture = picture,
    .close = close_encoder,
};
