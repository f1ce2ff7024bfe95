/* Chooses the pictures that a frame may refer to, where that is not the library's choice: for temporal layers
   and long-term references.

   Long term: the golden and the alternative reference are two places that frames are stored in and that no
   frame overwrites by itself. A stored frame has a token. Once the receiver has acknowledged it, frames may
   refer to it, and one that must be independent of everything else refers to it alone. The place that was
   acknowledged last is kept until another one is. */
#ifndef RETAKE_VP9_REFERENCES_H
#define RETAKE_VP9_REFERENCES_H

enum { PLACES = 2, STORE_AGAIN = 8, GIVE_UP = 60 };

static const vpx_enc_frame_flags_t NO_REFERENCE[PLACES] = {VP8_EFLAG_NO_REF_GF, VP8_EFLAG_NO_REF_ARF};
static const vpx_enc_frame_flags_t NO_UPDATE[PLACES] = {VP8_EFLAG_NO_UPD_GF, VP8_EFLAG_NO_UPD_ARF};

struct place {
    uint64_t token; /* 0: the frame cannot be acknowledged */
    int acknowledged;
    int64_t index; /* the index of the frame */
};

struct references {
    int layers, long_term;
    struct place place[PLACES];
    int kept; /* the place that was acknowledged last; -1 none */
    uint64_t tokens;
    int64_t last_key, last_stored;
};

/* The decision about one frame. */
struct decision {
    vpx_enc_frame_flags_t flags;
    uint64_t token;
    int32_t layer;
};

static void acknowledge(struct references *r, const struct retake_frame *frame) {
    for (size_t i = 0; i < frame->acknowledged_count; i++)
        for (int k = 0; k < PLACES; k++) {
            struct place *place = &r->place[k];
            if (!place->token || place->token != frame->acknowledged[i] || place->acknowledged) continue;
            place->acknowledged = 1;
            if (r->kept < 0 || r->place[r->kept].token < place->token) r->kept = k;
        }
}

/* Decides about a key frame, which is in all places. It counts as stored in the first. */
static struct decision key_frame(struct references *r, int64_t index) {
    struct decision d = {.flags = VPX_EFLAG_FORCE_KF};
    r->last_key = r->last_stored = index;
    r->kept = -1;
    memset(r->place, 0, sizeof r->place);
    if (r->long_term) r->place[0] = (struct place){.token = d.token = ++r->tokens, .index = index};
    return d;
}

/* Returns a place where a frame can be stored without loss of one that is kept or waits for its
   acknowledgement; -1 if there is none. */
static int free_place(const struct references *r, int64_t index) {
    if (index - r->last_stored < STORE_AGAIN) return -1;
    for (int k = 0; k < PLACES; k++) {
        const struct place *place = &r->place[k];
        int waits = place->token && !place->acknowledged && index - place->index < GIVE_UP;
        if (k != r->kept && !waits) return k;
    }
    return -1;
}

static struct decision decide(struct references *r, const struct retake_frame *frame) {
    struct decision d = {0};
    int64_t index = frame->index;
    if (r->long_term) acknowledge(r, frame);
    if (frame->force_key || (r->long_term && frame->refresh && r->kept < 0)) return key_frame(r, index);
    if (r->layers > 1 && (index - r->last_key) % 2) {
        d.layer = 1;
        d.flags = VP8_EFLAG_NO_UPD_LAST | VP8_EFLAG_NO_UPD_GF | VP8_EFLAG_NO_UPD_ARF | VP8_EFLAG_NO_UPD_ENTROPY;
    }
    if (!r->long_term) return d;
    int store = d.layer ? -1 : free_place(r, index);
    for (int k = 0; k < PLACES; k++) {
        if (k != r->kept) d.flags |= NO_REFERENCE[k];
        if (k != store) d.flags |= NO_UPDATE[k];
    }
    if (frame->refresh) d.flags |= VP8_EFLAG_NO_REF_LAST;
    if (store >= 0) {
        r->place[store] = (struct place){.token = d.token = ++r->tokens, .index = index};
        r->last_stored = index;
        d.flags |= store ? VP8_EFLAG_FORCE_ARF : VP8_EFLAG_FORCE_GF;
    }
    return d;
}

#endif
