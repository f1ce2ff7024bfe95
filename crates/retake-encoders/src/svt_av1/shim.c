/* Puts SVT-AV1 behind the table of shim.h. */
#define _GNU_SOURCE
#include "../shim.h"

#include <EbSvtAv1Enc.h>
#ifdef __linux__
#include <dirent.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/types.h>
#endif

#ifndef SVT_AV1_CHECK_VERSION
#error "SVT-AV1 is older than 1.0"
#endif

#include "copies.h"
#include "pictures.h"

/* Without look-ahead (prediction structure 1) svt_av1_enc_get_packet waits for a packet from 2.0 on, whatever
   it is asked, and for ever where no frame is inside. Each frame comes out by itself then, while earlier
   generations need the next one. */
#if SVT_AV1_CHECK_VERSION(2, 0, 0)
#define RETAKE_WAITS_WITHOUT_LOOK_AHEAD 1
#else
#define RETAKE_WAITS_WITHOUT_LOOK_AHEAD 0
#endif

struct encoder {
    struct copy *library;
    EbComponentType *svt;
    EbBufferHeaderType *packet; /* owned by the library, must be released */
    EbSvtAv1EncConfiguration *config;
    uint8_t *headers;
    size_t headers_size;
    struct pictures pictures;
    int32_t width, height, bytes; /* bytes of a sample */
    int started, flushing, ended, reconstruct; /* `ended` is set when the library said so */
    int forces;           /* whether key frames can be forced */
    int32_t layers;
    int waits;            /* whether the library waits for a packet each time that it is asked for one */
    int32_t most;         /* number of frames that may be held back; -1 any number */
    int64_t sent, out;
    int64_t next_key, key_interval;
    int64_t own_interval; /* after how many frames the library codes a key frame by itself; 0 never */
};

static const char *version(void) { return svt_av1_get_version(); }

/* The library refuses all chroma but 4:2:0, whatever its enumeration lists. */
static int32_t codes(int32_t chroma, int32_t depth) { return chroma == 1 && (depth == 8 || depth == 10); }

static int set(EbSvtAv1EncConfiguration *config, const char *key, const char *value) {
    /* The parser reads nothing but its arguments, so any copy will do. */
    return svt_av1_enc_parse_parameter(config, key, value) == EB_ErrorNone ? 0 : -1;
}

static int set_number(EbSvtAv1EncConfiguration *config, const char *key, double value) {
    char text[32];
    snprintf(text, sizeof text, "%.6g", value);
    return set(config, key, text);
}

static int hdr(EbSvtAv1EncConfiguration *config, const struct retake_settings *s) {
    char text[256];
    int failed = 0;
    if (s->has_mastering) {
        double m[10];
        for (int i = 0; i < 10; i++) m[i] = s->mastering[i] * (i < 8 ? 0.00002 : 0.0001);
        snprintf(text, sizeof text, "G(%.5f,%.5f)B(%.5f,%.5f)R(%.5f,%.5f)WP(%.5f,%.5f)L(%.4f,%.4f)", m[0], m[1], m[2], m[3], m[4],
                 m[5], m[6], m[7], m[8], m[9]);
        failed |= set(config, "mastering-display", text);
    }
    if (s->has_content_light) {
        snprintf(text, sizeof text, "%d,%d", s->max_content, s->max_frame_average);
        failed |= set(config, "content-light", text);
    }
#if !SVT_AV1_CHECK_VERSION(2, 0, 0)
    config->high_dynamic_range_input = s->has_mastering || s->has_content_light;
#endif
    return failed;
}

/* Returns the library's own default: about five seconds, in whole mini-groups of 32. */
static int32_t key_interval(const struct retake_settings *s) {
    if (s->key_interval) return s->key_interval;
    int64_t groups = (5 * (int64_t)s->fps_num / s->fps_den + 31) / 32;
    return 32 * (int32_t)(groups < 1 ? 1 : groups > 8 ? 8 : groups);
}

/* The frames that the library looks ahead at most where nothing says how many: two mini-groups of 32. */
enum { USUAL_LOOK_AHEAD = 64 };

/* Returns the mini-group of 32 and the look-ahead, with room for the pictures that are in the pipeline. */
static int32_t usual_delay(const struct retake_settings *s) {
    return 100 + s->threads + retake_max(s->controls.look_ahead - USUAL_LOOK_AHEAD, 0);
}

/* Returns whether fewer frames may be held back than the library does by itself. */
static int bounds_delay(const struct retake_settings *s) {
    return s->controls.low_latency || (s->controls.max_delay >= 0 && s->controls.max_delay < usual_delay(s));
}

/* Returns the only quantizer that the bounds leave an average rate; -1 where they leave more. */
static int32_t only_quantizer(const struct retake_settings *s) {
    int32_t least = retake_max(s->controls.min_qp, 1), most = s->controls.max_qp >= 0 ? s->controls.max_qp : 63;
    return s->rate == RETAKE_AVERAGE && least >= most ? most : -1;
}

/* The highest rate that the library takes, in bits a second. */
enum { HIGHEST_RATE = 100000000 };

/* Sets the bit rate that is controlled. Control reckons with whole frames a second, and 2.3 divides by them,
   which ends the process where there are none. So a film with less than one frame a second is told as one of
   one, with as many bits for each of its frames. Nothing else depends on the frame rate: the stream does not
   state it, and the shim says how far key frames lie apart. */
static void set_bit_rate(EbSvtAv1EncConfiguration *config, const struct retake_settings *s) {
    config->target_bit_rate = (uint32_t)s->bit_rate;
    if (s->fps_num >= s->fps_den) return;
    double rate = (double)s->bit_rate * s->fps_den / s->fps_num;
    config->target_bit_rate = rate < HIGHEST_RATE ? (uint32_t)rate : HIGHEST_RATE;
    config->frame_rate_numerator = config->frame_rate_denominator = 1;
}

static int configure(EbSvtAv1EncConfiguration *config, const struct retake_settings *s, struct retake_fault *fault) {
    config->enc_mode = (int8_t)atoi(s->preset);
    config->source_width = (uint32_t)s->width;
    config->source_height = (uint32_t)s->height;
    config->frame_rate_numerator = (uint32_t)s->fps_num;
    config->frame_rate_denominator = (uint32_t)s->fps_den;
    config->encoder_bit_depth = (uint32_t)s->bit_depth;
    config->encoder_color_format = EB_YUV420;
    config->profile = MAIN_PROFILE;
    config->color_primaries = s->primaries;
    config->transfer_characteristics = s->transfer;
    config->matrix_coefficients = s->matrix;
    config->color_range = s->range == 1;
    config->chroma_sample_position = s->chroma_location == 1   ? EB_CSP_VERTICAL
                                     : s->chroma_location == 3 ? EB_CSP_COLOCATED
                                                               : EB_CSP_UNKNOWN;
    if (hdr(config, s)) return retake_fail(fault, "HDR metadata", "the library does not take these values"), -1;

    const struct retake_controls *c = &s->controls;
    /* With a bounded delay, frames are predicted from earlier ones alone, so that each comes out when the
       next one goes in. No key frame can be forced then, and an average must be kept by the mode for constant
       rates. */
    int low_delay = bounds_delay(s);
    if (low_delay) config->pred_structure = 1;
    if (c->look_ahead >= 0) config->look_ahead_distance = (uint32_t)c->look_ahead;
    if (c->low_latency) config->scene_change_detection = 0;
#if SVT_AV1_CHECK_VERSION(3, 1, 0)
    config->rtc = c->low_latency != 0;
#endif
    /* 1.4 has its own number of layers with a bounded delay. Nothing refers to the highest one, which is
       every second frame. */
    if (c->layers > 1) config->hierarchical_levels = 1;
    if (only_quantizer(s) >= 0) {
        /* The library requires that the least quantizer is less than the greatest. Where they are equal no
           rate is left to control: every frame has this quantizer. */
        config->rate_control_mode = SVT_AV1_RC_MODE_CQP_OR_CRF;
        config->enable_adaptive_quantization = 0;
        config->qp = (uint32_t)only_quantizer(s);
        config->use_fixed_qindex_offsets = 1;
    } else if (s->rate == RETAKE_AVERAGE) {
        config->rate_control_mode = low_delay ? SVT_AV1_RC_MODE_CBR : SVT_AV1_RC_MODE_VBR;
        set_bit_rate(config, s);
        if (c->max_qp >= 0) config->max_qp_allowed = (uint32_t)c->max_qp;
        if (c->min_qp >= 0) config->min_qp_allowed = (uint32_t)c->min_qp;
    } else if (set_number(config, "crf", s->quality)) {
        return retake_fail(fault, "quality", "the library does not take a CRF of %g", s->quality), -1;
    }
    /* With forced key frames, 1.4 forgets its own interval where it is short, so the shim counts. Where no
       key frame can be forced, the library counts itself. */
    int forces = s->rate != RETAKE_AVERAGE && !low_delay;
    config->force_key_frames = forces;
    config->intra_period_length = !forces || s->key_interval > 32 ? key_interval(s) - 1 : 255;
    /* There is one sync frame, and then predicted frames for ever. */
    if (c->low_latency && !s->key_interval) config->intra_period_length = -1;

    if (c->film_grain) {
        if (set_number(config, "film-grain", c->film_grain))
            return retake_fail(fault, "film_grain", "the library does not take level %d", (int)c->film_grain), -1;
        /* The first generations always denoise, and do not know this word for it; later ones would code the
           grain and synthesise it once more. */
        (void)set(config, "film-grain-denoise", "1");
    }
    for (size_t i = 0; i < s->option_count; i++)
        if (set(config, s->options[i].key, s->options[i].value))
            return retake_fail(fault, s->options[i].key, "SVT-AV1 has no such option, or does not take the value '%s'",
                               s->options[i].value), -1;

    if (c->level) config->level = (uint32_t)c->level;
    if (c->no_spatial_adaptation) config->enable_adaptive_quantization = 0;

    /* The contract requires closed groups, exact forced key frames, and as many threads as the settings
       say. */
    config->intra_refresh_type = SVT_AV1_KF_REFRESH;
    config->recon_enabled = s->reconstruct != 0;
    /* The library's bit rate control looks at whatever happens to be finished: with two threads, 1.4 gives
       other bytes at every second run. */
    int32_t threads = s->rate == RETAKE_AVERAGE ? 1 : s->threads;
#if !SVT_AV1_CHECK_VERSION(3, 0, 0)
    config->logical_processors = (uint32_t)threads;
#else
    config->level_of_parallelism = (uint32_t)(threads > 6 ? 6 : threads);
#endif
    return 0;
}

/* Returns the number of frames that may be held back; -1 any number. */
static int32_t most_held(const struct retake_settings *s) {
    return s->controls.low_latency ? 1 : s->controls.max_delay;
}

static int32_t delay(const struct retake_settings *s) { return bounds_delay(s) ? retake_min(most_held(s), 2) : usual_delay(s); }

static void abandon(void *handle);

static void close_encoder(void *handle) {
    struct encoder *e = handle;
    abandon(e);
    if (e->packet) e->library->svt_av1_enc_release_out_buffer(&e->packet);
    if (e->svt) {
        end_pictures(&e->pictures);
        if (e->started) e->library->svt_av1_enc_deinit(e->svt);
        e->library->svt_av1_enc_deinit_handle(e->svt);
    }
    if (e->library) e->library->busy = 0;
    free(e->headers);
    free(e->config);
    free(e);
}

/* The priority of who calls the library, and the threads of the process, before a call. */
struct before {
    int known, policy;
#ifdef __linux__
    struct sched_param own;
    pid_t *threads;
    size_t count;
#endif
};

#ifdef __linux__
/* The threads of the process. The list is to be freed; NULL where they are not known. */
static pid_t *list_threads(size_t *count) {
    pid_t *list = NULL;
    size_t room = 0;
    DIR *tasks = opendir("/proc/self/task");
    *count = 0;
    for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
        pid_t thread = (pid_t)atoi(entry->d_name);
        if (thread <= 0) continue;
        if (*count == room) {
            pid_t *larger = realloc(list, (room += 64) * sizeof *list);
            if (!larger) break;
            list = larger;
        }
        list[(*count)++] = thread;
    }
    if (tasks) closedir(tasks);
    return list;
}

static void look(struct before *before) {
    before->known = !pthread_getschedparam(pthread_self(), &before->policy, &before->own);
    before->threads = list_threads(&before->count);
}

/* Run by root, the library gives its threads, and who calls it, a real-time priority, under which nothing
   else on the machine runs: neither what decodes frames for them, nor who waits for the signal that is to end
   them. They get the usual priority back; those that were there before keep theirs. */
static void step_back(struct before *before) {
    if (before->known) pthread_setschedparam(pthread_self(), before->policy, &before->own);
    size_t count = 0;
    pid_t *now = before->threads ? list_threads(&count) : NULL;
    for (size_t i = 0; i < count; i++) {
        int is_new = 1;
        for (size_t k = 0; k < before->count && is_new; k++) is_new = before->threads[k] != now[i];
        struct sched_param usual = {0};
        /* what cannot be changed stays as the library wants it */
        if (is_new && sched_getscheduler(now[i]) == SCHED_FIFO) sched_setscheduler(now[i], SCHED_OTHER, &usual);
    }
    free(now);
    free(before->threads);
}
#else
static void look(struct before *before) { (void)before; }
static void step_back(struct before *before) { (void)before; }
#endif

/* Starts the library with e->config. */
static int start(struct encoder *e, struct retake_fault *fault) {
    EbErrorType result = e->library->svt_av1_enc_set_parameter(e->svt, e->config);
    if (result != EB_ErrorNone)
        return retake_fail(fault, "", "the library refused these settings (0x%x); SVT_LOG=1 in the environment makes it say why",
                           (unsigned)result), -1;
    struct before before;
    look(&before);
    result = e->library->svt_av1_enc_init(e->svt);
    step_back(&before);
    if (result != EB_ErrorNone)
        return retake_fail(fault, "", "svt_av1_enc_init returned 0x%x; the usual cause is too little memory", (unsigned)result), -1;
    e->started = 1;
    return 0;
}

/* Makes a handle, with the library's default settings in e->config. */
static struct encoder *prepare(struct retake_fault *fault) {
    struct encoder *e = calloc(1, sizeof *e);
    if (!e) return retake_fail(fault, "", "out of memory"), NULL;
    e->most = -1;
    if (!(e->config = calloc(1, sizeof *e->config))) return free(e), retake_fail(fault, "", "out of memory"), NULL;
    if (!(e->library = take_copy(fault))) return close_encoder(e), NULL;
    struct before before;
    look(&before);
#if SVT_AV1_CHECK_VERSION(3, 0, 0)
    EbErrorType result = e->library->svt_av1_enc_init_handle(&e->svt, e->config);
#else
    EbErrorType result = e->library->svt_av1_enc_init_handle(&e->svt, NULL, e->config);
#endif
    step_back(&before);
    if (result == EB_ErrorNone) return e;
    retake_fail(fault, "", "svt_av1_enc_init_handle returned 0x%x", (unsigned)result);
    e->svt = NULL;
    return close_encoder(e), NULL;
}

static size_t recon_size(const struct encoder *e) {
    size_t chroma = (size_t)((e->width + 1) / 2) * ((e->height + 1) / 2);
    return ((size_t)e->width * e->height + 2 * chroma) * e->bytes;
}

static void *open_encoder(const struct retake_settings *s, struct retake_fault *fault) {
    struct encoder *e = prepare(fault);
    if (!e) return NULL;
    e->width = s->width;
    e->height = s->height;
    e->bytes = s->bit_depth > 8 ? 2 : 1;
    e->reconstruct = s->reconstruct;
    e->forces = s->rate != RETAKE_AVERAGE && !bounds_delay(s);
    e->layers = s->controls.layers;
    e->waits = RETAKE_WAITS_WITHOUT_LOOK_AHEAD && bounds_delay(s);
    /* Where outputs are only asked for when they are due, none should be due later than it need be. */
    e->most = e->waits ? delay(s) : most_held(s);
    e->key_interval = key_interval(s);
    e->own_interval = e->forces || (s->controls.low_latency && !s->key_interval) ? 0 : e->key_interval;
    if (configure(e->config, s, fault) || start(e, fault)) return close_encoder(e), NULL;
    /* Rows of the library's own copy are not always as tight as they should be, so this leaves room. */
    if (e->reconstruct && begin_pictures(&e->pictures, e->library, e->svt, recon_size(e) * 2 + 4096, fault))
        return close_encoder(e), NULL;
    return e;
}

static int32_t receive(void *handle, struct retake_event_data *event, struct retake_fault *fault);
static int send_grey(struct encoder *e, struct retake_fault *fault);
static int32_t send(void *handle, const struct retake_frame *frame, struct retake_fault *fault);

/* Encodes one grey picture, as coarsely as possible, for the headers. svt_av1_enc_stream_header describes
   tools that the library only decides on with the first picture, so its sequence header is not the one in the
   stream. The decision depends on size, depth and preset, and neither on the picture nor on the rate
   (tested). */
static int32_t headers(void *handle, const uint8_t **data, size_t *size, struct retake_fault *fault) {
    struct encoder *e = handle, *probe = NULL;
    struct retake_event_data event;
    if (!e->headers) {
        if (!(probe = prepare(fault))) return -1;
        /* 2.3 takes no rate but its default one where it controls none. */
        uint32_t usual_rate = probe->config->target_bit_rate;
        *probe->config = *e->config;
        probe->config->target_bit_rate = usual_rate;
        probe->config->rate_control_mode = SVT_AV1_RC_MODE_CQP_OR_CRF;
        probe->config->qp = 63;
        probe->config->recon_enabled = 0;
        probe->width = e->width, probe->height = e->height, probe->bytes = e->bytes, probe->key_interval = e->key_interval;
        probe->forces = e->forces;
        int32_t result = start(probe, fault) || send_grey(probe, fault) || send(probe, NULL, fault) ? RETAKE_ERROR
                                                                                                  : receive(probe, &event, fault);
        if (result == RETAKE_SAMPLE && (e->headers = malloc(event.size))) {
            memcpy(e->headers, event.data, event.size);
            e->headers_size = event.size;
        }
        close_encoder(probe);
        if (!e->headers) {
            if (result != RETAKE_ERROR) retake_fail(fault, "", "the library gave no headers");
            return -1;
        }
    }
    *data = e->headers;
    *size = e->headers_size;
    return 0;
}

/* Sends a frame. The library copies the planes before the call returns, so that the caller's picture is free
   then. */
static int32_t send(void *handle, const struct retake_frame *frame, struct retake_fault *fault) {
    struct encoder *e = handle;
    EbSvtIOFormat planes = {0};
    EbBufferHeaderType header = {0};
    header.size = sizeof header;
    header.pic_type = EB_AV1_INVALID_PICTURE;
    if (!frame) {
        if (e->flushing) return 0;
        e->flushing = 1;
        if (e->sent == 0) return 0; /* The library would not answer. */
        header.flags = EB_BUFFERFLAG_EOS;
    } else {
        planes.luma = (uint8_t *)frame->plane[0];
        planes.cb = (uint8_t *)frame->plane[1];
        planes.cr = (uint8_t *)frame->plane[2];
        planes.y_stride = (uint32_t)(frame->stride[0] / e->bytes);
        planes.cb_stride = (uint32_t)(frame->stride[1] / e->bytes);
        planes.cr_stride = (uint32_t)(frame->stride[2] / e->bytes);
#if !SVT_AV1_CHECK_VERSION(3, 0, 0)
        planes.width = (uint32_t)e->width;
        planes.height = (uint32_t)e->height;
        planes.color_fmt = EB_YUV420;
        planes.bit_depth = e->bytes > 1 ? EB_TEN_BIT : EB_EIGHT_BIT;
#endif
        header.p_buffer = (uint8_t *)&planes;
        header.n_filled_len = (uint32_t)((size_t)e->width * e->height * e->bytes * 3 / 2);
        header.pts = frame->index;
        int comes_anyway = e->own_interval && frame->index % e->own_interval == 0;
        if (frame->force_key && frame->index > 0 && !e->forces && !comes_anyway)
            return retake_fail(fault, "", "SVT-AV1 cannot force a key frame while it controls an average bit rate or its delay is bounded: "
                                          "set a quality and no bound instead, or begin another take there"), -1;
        if (e->forces && (frame->force_key || frame->index >= e->next_key)) {
            header.pic_type = EB_AV1_KEY_PICTURE;
            e->next_key = frame->index + e->key_interval;
        }
        e->sent++;
    }
    set_waiting(&e->pictures, 1);
    EbErrorType result = e->library->svt_av1_enc_send_picture(e->svt, &header);
    set_waiting(&e->pictures, 0);
    if (result != EB_ErrorNone) return retake_fail(fault, "", "svt_av1_enc_send_picture returned 0x%x", (unsigned)result), -1;
    return 0;
}

/* Returns 1 if there is a picture, which e->pictures.taken is then. */
static int receive_picture(struct encoder *e, struct retake_fault *fault) {
    struct recon *recon = next_picture(&e->pictures);
    if (!recon) return 0;
    if (recon->result != EB_ErrorNone) return retake_fail(fault, "", "svt_av1_get_recon returned 0x%x", (unsigned)recon->result), -1;
    if (recon->header.n_filled_len != recon_size(e))
        return retake_fail(fault, "", "a reconstructed picture of %u bytes where %zu were expected", recon->header.n_filled_len, recon_size(e)), -1;
    return 1;
}

static int32_t receive(void *handle, struct retake_event_data *event, struct retake_fault *fault) {
    struct encoder *e = handle;
    if (e->packet) e->library->svt_av1_enc_release_out_buffer(&e->packet);
    e->packet = NULL;
    if (e->reconstruct && e->sent) {
        int got = receive_picture(e, fault);
        if (got < 0) return RETAKE_ERROR;
        if (got) return event->index = e->pictures.taken->header.pts, RETAKE_PICTURE;
    }
    while (!e->ended && (e->sent || !e->flushing)) {
        /* The shim waits for outputs that are due, because the library has all the input that they need. */
        int due = e->flushing || (e->most >= 0 && e->sent - e->out > e->most);
        if (e->waits && !due) return RETAKE_PENDING;
        set_waiting(&e->pictures, due);
        EbErrorType result = e->library->svt_av1_enc_get_packet(e->svt, &e->packet, (uint8_t)due);
        set_waiting(&e->pictures, 0);
        if (result == EB_NoErrorEmptyQueue) {
            e->packet = NULL;
            if (!due) return RETAKE_PENDING;
            continue;
        }
        if (result != EB_ErrorNone) return retake_fail(fault, "", "svt_av1_enc_get_packet returned 0x%x", (unsigned)result), RETAKE_ERROR;
        e->ended = (e->packet->flags & EB_BUFFERFLAG_EOS) != 0;
        if (e->packet->n_filled_len == 0) continue;
        e->out++;
        *event = (struct retake_event_data){
            .data = e->packet->p_buffer,
            .size = e->packet->n_filled_len,
            .index = e->packet->pts,
            .kind = e->packet->pic_type == EB_AV1_KEY_PICTURE       ? RETAKE_SYNC
                    : e->packet->pic_type == EB_AV1_NON_REF_PICTURE ? RETAKE_DISPOSABLE
                                                                    : RETAKE_REFERENCE,
            .qp = (float)e->packet->qp,
            .layer = e->layers > 1 && e->packet->pic_type == EB_AV1_NON_REF_PICTURE,
        };
        return RETAKE_SAMPLE;
    }
    return RETAKE_END;
}

static void picture(void *handle, uint8_t *const plane[3], const ptrdiff_t stride[3]) {
    struct encoder *e = handle;
    const uint8_t *from = e->pictures.taken->bytes;
    for (int i = 0; i < 3; i++) {
        int width = i ? (e->width + 1) / 2 : e->width, rows = i ? (e->height + 1) / 2 : e->height;
        size_t row = (size_t)width * e->bytes;
        retake_copy_plane(plane[i], stride[i], from, (ptrdiff_t)row, row, rows);
        from += row * rows;
    }
}

static int send_grey(struct encoder *e, struct retake_fault *fault) {
    ptrdiff_t row = (ptrdiff_t)e->width * e->bytes;
    uint8_t *grey = calloc((size_t)e->height, (size_t)row);
    if (!grey) return retake_fail(fault, "", "out of memory"), -1;
    struct retake_frame frame = {.plane = {grey, grey, grey}, .stride = {row, row, row}, .base_qp = -1};
    int failed = send(e, &frame, fault);
    free(grey);
    return failed;
}

/* Ends the stream of an encode that is given up. svt_av1_enc_deinit waits for the end of the stream, for ever
   if that was never announced; and an announcement without any picture before it is not answered. */
static void abandon(void *handle) {
    struct encoder *e = handle;
    struct retake_fault ignored;
    struct retake_event_data event;
    if (e->ended || !e->started) return;
    if (e->sent == 0) {
        e->flushing = 0;
        if (send_grey(e, &ignored)) return;
    }
    send(e, NULL, &ignored);
    int32_t result;
    do result = receive(e, &event, &ignored);
    while (result != RETAKE_END && result != RETAKE_ERROR);
}

/* The scale does not begin at CRF 0, because that is lossless on some generations. */
const struct retake_shim retake_svt_av1 = {
    .quality_min = 1,
#if SVT_AV1_CHECK_VERSION(4, 0, 0)
    .quality_max = 70, .quality_step = 0.25, .preset_max = 10,
#elif SVT_AV1_CHECK_VERSION(3, 0, 0)
    .quality_max = 63, .quality_step = 1, .preset_max = 10,
#else
    .quality_max = 63, .quality_step = 1, .preset_max = 13,
#endif
    .version = version, .codes = codes, .delay = delay, .open = open_encoder, .headers = headers, .send = send,
    .receive = receive, .picture = picture, .abandon = abandon, .close = close_encoder,
};
