/* Maps the settings to libaom's configuration. */
#ifndef RETAKE_LIBAOM_CONTROLS_H
#define RETAKE_LIBAOM_CONTROLS_H

#define MAX_CONTROLS 32
#define MAX_OPTIONS 64

struct control {
    int id, value;
};

/* The input of the library: a configuration, and what must follow when it is open. */
struct parameters {
    aom_codec_enc_cfg_t cfg;
    struct control control[MAX_CONTROLS];
    int controls;
    struct retake_option option[MAX_OPTIONS]; /* those that the library reads itself */
    int options;
    int64_t ticks; /* the duration of a frame, in units of the time base */
};

/* The options of the library's own parser that change neither what takes need nor write files. It checks
   their values. */
static const char *const OPTIONS[] = {
    "aq-mode", "arnr-maxframes", "arnr-strength", "auto-alt-ref", "auto-intra-tools-off", "cdf-update-mode",
    "coeff-cost-upd-freq", "delta-lf-mode", "deltaq-mode", "deltaq-strength", "disable-trellis-quant", "dist-metric",
    "dv-cost-upd-freq", "enable-1to4-partitions", "enable-ab-partitions", "enable-angle-delta", "enable-cdef",
    "enable-cfl-intra", "enable-chroma-deltaq", "enable-diagonal-intra", "enable-diff-wtd-comp",
    "enable-directional-intra", "enable-dist-wtd-comp", "enable-dual-filter", "enable-filter-intra",
    "enable-flip-idtx", "enable-global-motion", "enable-interinter-wedge", "enable-interintra-comp",
    "enable-interintra-wedge", "enable-intra-edge-filter", "enable-intrabc", "enable-keyframe-filtering",
    "enable-masked-comp", "enable-obmc", "enable-onesided-comp", "enable-overlay", "enable-paeth-intra",
    "enable-palette", "enable-qm", "enable-rect-partitions", "enable-rect-tx", "enable-ref-frame-mvs",
    "enable-restoration", "enable-smooth-interintra", "enable-smooth-intra", "enable-tpl-model",
    "enable-tx-size-search", "enable-tx64", "enable-warped-motion", "gf-max-pyr-height", "gf-min-pyr-height",
    "loopfilter-control", "max-gf-interval", "max-inter-rate", "max-intra-rate", "max-partition-size",
    "max-reference-frames", "min-gf-interval", "min-partition-size", "mode-cost-upd-freq", "mv-cost-upd-freq",
    "noise-sensitivity", "qm-max", "qm-min", "quant-b-adapt", "reduced-reference-set", "reduced-tx-type-set",
    "sb-size", "sharpness", "static-thresh", "tile-columns", "tile-rows", "tune", "tune-content",
    "vbr-corpus-complexity-lap",
};

/* The options that are fields of the configuration, with the names that aomenc uses. */
static const struct {
    const char *key;
    size_t field;
    int min, max;
} FIELDS[] = {
    {"bias-pct", offsetof(aom_codec_enc_cfg_t, rc_2pass_vbr_bias_pct), 0, 100},
    {"lag-in-frames", offsetof(aom_codec_enc_cfg_t, g_lag_in_frames), 0, MOST_LAG},
    {"max-q", offsetof(aom_codec_enc_cfg_t, rc_max_quantizer), 0, 63},
    {"maxsection-pct", offsetof(aom_codec_enc_cfg_t, rc_2pass_vbr_maxsection_pct), 0, 100000},
    {"min-q", offsetof(aom_codec_enc_cfg_t, rc_min_quantizer), 0, 63},
    {"minsection-pct", offsetof(aom_codec_enc_cfg_t, rc_2pass_vbr_minsection_pct), 0, 100},
    {"overshoot-pct", offsetof(aom_codec_enc_cfg_t, rc_overshoot_pct), 0, 100},
    {"undershoot-pct", offsetof(aom_codec_enc_cfg_t, rc_undershoot_pct), 0, 100},
};

static void put(struct parameters *p, int id, int value) {
    if (p->controls < MAX_CONTROLS) p->control[p->controls++] = (struct control){id, value};
}

/* Returns the library's own spelling of the key; NULL if the option is not one that it may be given. */
static const char *own_key(const char *key) {
    for (size_t i = 0; i < sizeof OPTIONS / sizeof *OPTIONS; i++)
        if (retake_same_key(key, OPTIONS[i])) return OPTIONS[i];
    return NULL;
}

static int option(struct parameters *p, const struct retake_option *given, struct retake_fault *fault) {
    const char *key = given->key, *value = given->value;
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++) {
        if (!retake_same_key(key, FIELDS[i].key)) continue;
        char *end;
        long number = strtol(value, &end, 10);
        if (!*value || *end || number < FIELDS[i].min || number > FIELDS[i].max)
            return retake_fail(fault, key, "'%s' is not a number from %d to %d", value, FIELDS[i].min, FIELDS[i].max), -1;
        *(unsigned int *)((char *)&p->cfg + FIELDS[i].field) = (unsigned int)number;
        return 0;
    }
    const char *own = own_key(key);
    if (!own) return retake_fail(fault, key, "libaom has no such option, or it is not one that takes can have"), -1;
    if (p->options == MAX_OPTIONS) return retake_fail(fault, key, "there are more than %d options", MAX_OPTIONS), -1;
    p->option[p->options++] = (struct retake_option){own, value};
    return 0;
}

static int is_given(const struct parameters *p, const char *key) {
    for (int i = 0; i < p->options; i++)
        if (!strcmp(p->option[i].key, key)) return 1;
    return 0;
}

static void time_base(struct parameters *p, const struct retake_settings *s) {
    int64_t num, den, ticks = retake_time_base(s, &num, &den);
    p->ticks = ticks;
    p->cfg.g_timebase = (struct aom_rational){(int)num, (int)den};
}

/* The most that a key frame takes at an average rate, in percent of a frame's even share. Without a bound
   ten seconds took 1.2 times their rate, because the first of them takes twice its share; with 400 they
   take 1.1 times theirs. Behind samples of another encode a second across the join holds 1.25 times what
   others hold with 400, and at most 1.07 times with 200. Frames that are encoded twice, as with other
   libraries, would teach nothing: behind them another encode begins. */
enum { ELSEWHERE = 400, BEHIND_OTHERS = 200 };

static void rate_control(struct parameters *p, const struct retake_settings *s) {
    aom_codec_enc_cfg_t *cfg = &p->cfg;
    const struct retake_controls *c = &s->controls;
    if (s->rate == RETAKE_LOSSLESS) put(p, AV1E_SET_LOSSLESS, 1);
    if (c->min_qp >= 0) cfg->rc_min_quantizer = (unsigned int)c->min_qp;
    if (c->max_qp >= 0) cfg->rc_max_quantizer = (unsigned int)c->max_qp;
    if (s->rate == RETAKE_AVERAGE) {
        /* The mode for constant rates, with its buffer of six seconds, keeps an average. The one for variable
           rates spends on credit of a film that it takes to be long: of ten seconds, the first take two to
           four times their share, and all of them 1.25 to 1.6 times theirs (3.6). But only that one keeps
           quantizers within bounds: the other ends the process where its quantizer is outside of them. */
        int bounded = cfg->rc_min_quantizer > 0 || cfg->rc_max_quantizer < 63;
        cfg->rc_end_usage = bounded ? AOM_VBR : AOM_CBR;
        cfg->rc_target_bitrate = retake_kilobits(s->bit_rate);
        put(p, AOME_SET_MAX_INTRA_BITRATE_PCT, s->controls.more_before ? BEHIND_OTHERS : ELSEWHERE);
    } else {
        cfg->rc_end_usage = AOM_Q;
        put(p, AOME_SET_CQ_LEVEL, s->rate == RETAKE_QUALITY ? (int)lrint(s->quality) : 0);
    }
}

static void colour(struct parameters *p, const struct retake_settings *s) {
    put(p, AV1E_SET_COLOR_PRIMARIES, s->primaries);
    put(p, AV1E_SET_TRANSFER_CHARACTERISTICS, s->transfer);
    put(p, AV1E_SET_MATRIX_COEFFICIENTS, s->matrix);
    put(p, AV1E_SET_COLOR_RANGE, s->range == 1 ? AOM_CR_FULL_RANGE : AOM_CR_STUDIO_RANGE);
    put(p, AV1E_SET_CHROMA_SAMPLE_POSITION,
        s->chroma_location == 1   ? AOM_CSP_VERTICAL
        : s->chroma_location == 3 ? AOM_CSP_COLOCATED
                                  : AOM_CSP_UNKNOWN);
}

static int parameters(struct parameters *p, const struct retake_settings *s, struct retake_fault *fault) {
    memset(p, 0, sizeof *p);
    aom_codec_enc_cfg_t *cfg = &p->cfg;
    const struct retake_controls *c = &s->controls;
    if (aom_codec_enc_config_default(aom_codec_av1_cx(), cfg, AOM_USAGE_GOOD_QUALITY))
        return retake_fail(fault, "", "the library has no AV1 encoder inside"), -1;

    for (size_t i = 0; i < s->option_count; i++)
        if (option(p, &s->options[i], fault) < 0) return -1;
    /* Decoders have use for columns of tiles in large pictures. */
    if (!is_given(p, "tile-columns")) put(p, AV1E_SET_TILE_COLUMNS, s->width >= 2560 ? 2 : s->width >= 1280 ? 1 : 0);

    cfg->g_w = (unsigned int)s->width;
    cfg->g_h = (unsigned int)s->height;
    cfg->g_profile = s->chroma == 3 ? 1 : s->chroma == 2 ? 2 : 0;
    cfg->monochrome = s->chroma == 0;
    cfg->g_bit_depth = s->bit_depth > 8 ? AOM_BITS_10 : AOM_BITS_8;
    cfg->g_input_bit_depth = (unsigned int)s->bit_depth;
    time_base(p, s);
    /* One pass: the library makes its first pass over the frames that it looks ahead by itself. */
    cfg->g_pass = AOM_RC_ONE_PASS;
    /* Several threads give other bytes than one: where they share rows (3.6), and where they share columns of
       tiles (3.12). */
    cfg->g_threads = 1;
    cfg->g_error_resilient = 0;
    cfg->rc_dropframe_thresh = 0;
    cfg->rc_resize_mode = 0;
    cfg->rc_superres_mode = AOM_SUPERRES_NONE;
    cfg->fwd_kf_enabled = 0;
    cfg->sframe_dist = 0;
    cfg->kf_mode = AOM_KF_AUTO;
    cfg->kf_min_dist = 0;
    cfg->kf_max_dist = s->key_interval ? (unsigned int)s->key_interval : 9999;
    rate_control(p, s);
    if (c->look_ahead >= 0) cfg->g_lag_in_frames = (unsigned int)c->look_ahead;
    /* The frame that is coded next is one of those that are looked at. */
    int32_t most = c->max_delay > 0 && c->max_delay < MOST_LAG ? c->max_delay + 1 : c->max_delay;
    if (most >= 0) cfg->g_lag_in_frames = (unsigned int)retake_min((int32_t)cfg->g_lag_in_frames, most);
    if (cfg->rc_min_quantizer > cfg->rc_max_quantizer)
        return retake_fail(fault, "min-q", "%u is above the max-q of %u", cfg->rc_min_quantizer, cfg->rc_max_quantizer), -1;

    put(p, AOME_SET_CPUUSED, atoi(s->preset));
    put(p, AV1E_SET_ROW_MT, 0);
    colour(p, s);
    if (c->no_spatial_adaptation) put(p, AV1E_SET_AQ_MODE, 0);
    if (c->spatial_adaptation && s->rate != RETAKE_LOSSLESS) put(p, AV1E_SET_AQ_MODE, 1);
    return 0;
}

#endif
