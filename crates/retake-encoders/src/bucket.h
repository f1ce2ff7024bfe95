/* The buffer model that x264 and x265 share: the VBV buffer (bucket) that an encode must keep to. */
#ifndef RETAKE_BUCKET_H
#define RETAKE_BUCKET_H

/* The fullness of a buffer where one encode ends and the next begins. The look-ahead of both libraries tends
   to it. */
#define RETAKE_NOMINAL_FULLNESS 0.5

static int retake_by_rate(const struct retake_settings *s) { return s->rate == RETAKE_AVERAGE || s->rate == RETAKE_CONSTANT; }

/* Returns whether the encode must keep to half of the bucket. Where samples of other encodes are joined
   before or after, each encode keeps to half of it, because then any window across a join holds no more than
   the whole bucket lets through, whatever either encode does there. The full half is the nominal fullness of
   the whole. The bucket of a constant bit rate is written in the headers, so it must be the one that was
   asked for. */
static int retake_halves(const struct retake_settings *s) {
    return (s->controls.more_before || s->controls.more_after) && s->rate != RETAKE_CONSTANT;
}

/* Gives the limit if `limited`, the buffer of the settings, or the one that a mode needs, in bits per second
   and bits. False where there is none. */
static int retake_bucket(int limited, const struct retake_settings *s, int64_t *rate, int64_t *bits) {
    const int64_t limit_rate = limited ? s->limit_rate : 0;
    const struct retake_controls *c = &s->controls;
    *rate = *bits = 0;
    if (c->base_qp || s->rate == RETAKE_LOSSLESS) return 0;
    if (c->buffer_rate) {
        *rate = c->buffer_rate, *bits = c->buffer_bits;
    } else if (retake_by_rate(s) && c->low_latency) {
        /* This buffer holds little more than a frame. */
        *rate = s->bit_rate, *bits = 2 * s->bit_rate * s->fps_den / s->fps_num;
    } else if (retake_by_rate(s) && c->ceiling >= 0) {
        *rate = s->bit_rate, *bits = 2 * s->bit_rate;
    }
    if (limit_rate && (!*rate || limit_rate < *rate)) *rate = limit_rate;
    if (limit_rate && (!*bits || s->limit_window < *bits)) *bits = s->limit_window;
    if (retake_halves(s) && (limit_rate || c->buffer_rate)) *bits /= 2;
    return *rate > 0;
}

#endif
