/* Maps the settings to libvpx's configuration. */
#ifndef RETAKE_VP9_CONTROLS_H
#define RETAKE_VP9_CONTROLS_H

#define MAX_CONTROLS 64

struct control {
    const char *key; /* the name of the option; NULL for a value from the settings */
    int id, value;
};

/* The input of the library: a configuration, and controls that must follow when it is open. */
struct parameters {
    vpx_codec_enc_cfg_t cfg;
    struct control control[MAX_CONTROLS];
    int controls;
    int64_t ticks; /* the duration of a frame, in units of the time base */
    unsigned long deadline;
};

/* A word that stands for a number. */
struct word {
    const char *word;
    int value;
};

static const struct word TUNE[] = {{"psnr", VP8_TUNE_PSNR}, {"ssim", VP8_TUNE_SSIM}, {NULL, 0}};
static const struct word CONTENT[] = {
    {"default", VP9E_CONTENT_DEFAULT}, {"screen", VP9E_CONTENT_SCREEN}, {"film", VP9E_CONTENT_FILM}, {NULL, 0}};

enum { IN_CFG = -1 };

/* The options, with the names that vpxenc uses. A row is of a control, or of a field of the configuration. */
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

static int option(struct parameters *p, const char *key, const char *value, struct retake_fault *fault) {
    for (size_t i = 0; i < sizeof OPTIONS / sizeof *OPTIONS; i++) {
        if (!retake_same_key(key, OPTIONS[i].key)) continue;
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

/* Returns the value of the VP9 header for matrix coefficients; it has eight. */
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

static void time_base(struct parameters *p, const struct retake_settings *s) {
    int64_t num, den, ticks = retake_time_base(s, &num, &den);
    p->ticks = ticks;
    p->cfg.g_timebase = (struct vpx_rational){(int)num, (int)den};
    /* A deadline that is shorter than a frame would mean the real-time mode. */
    double frame = 1e6 * (double)num * (double)ticks / (double)den;
    p->deadline = VPX_DL_GOOD_QUALITY;
    if (2 * frame > (double)p->deadline) p->deadline = 2 * frame < ULONG_MAX / 2.0 ? (unsigned long)(2 * frame) : ULONG_MAX / 2;
}

/* The fullness of a buffer where one encode ends and the next begins, in thousandths. */
#define NOMINAL_FULLNESS 500

static void rate_control(struct parameters *p, const struct retake_settings *s) {
    vpx_codec_enc_cfg_t *cfg = &p->cfg;
    const struct retake_controls *c = &s->controls;
    int by_rate = (s->rate == RETAKE_AVERAGE || s->rate == RETAKE_CONSTANT) && !c->base_qp;
    cfg->rc_target_bitrate = by_rate ? retake_kilobits(s->bit_rate) : 0;
    if (s->rate == RETAKE_LOSSLESS) put(p, NULL, VP9E_SET_LOSSLESS, 1);
    if (!by_rate) {
        cfg->rc_end_usage = VPX_Q;
        put(p, NULL, VP8E_SET_CQ_LEVEL, s->rate == RETAKE_QUALITY ? (int)lrint(s->quality) : s->rate == RETAKE_LOSSLESS ? 0 : 32);
    } else {
        cfg->rc_end_usage = s->rate == RETAKE_CONSTANT || c->low_latency ? VPX_CBR : VPX_VBR;
    }
    if (cfg->rc_end_usage == VPX_CBR) {
        int32_t size = s->rate == RETAKE_CONSTANT ? (int32_t)(1000.0 * (double)c->buffer_bits / (double)c->buffer_rate) : 500;
        int32_t initial = s->rate == RETAKE_CONSTANT && !c->more_before ? (int32_t)(size * c->buffer_initial) : size / 1000 * NOMINAL_FULLNESS;
        cfg->rc_buf_sz = (unsigned int)size;
        cfg->rc_buf_initial_sz = (unsigned int)initial;
        cfg->rc_buf_optimal_sz = (unsigned int)(size * NOMINAL_FULLNESS / 1000);
        cfg->rc_undershoot_pct = cfg->rc_overshoot_pct = 50;
        /* A key frame may take half of the buffer's content; the number is in percent of a frame's even
           share. */
        int64_t share = (int64_t)initial * s->fps_num / 2 / 10 / s->fps_den;
        put(p, NULL, VP8E_SET_MAX_INTRA_BITRATE_PCT, share < 100 ? 100 : share > 100000 ? 100000 : (int)share);
    }
    if (c->base_qp) return;
    if (c->min_qp >= 0) cfg->rc_min_quantizer = (unsigned int)c->min_qp;
    if (c->max_qp >= 0) cfg->rc_max_quantizer = (unsigned int)c->max_qp;
}

static void modes(struct parameters *p, const struct retake_settings *s) {
    vpx_codec_enc_cfg_t *cfg = &p->cfg;
    const struct retake_controls *c = &s->controls;
    if (c->low_latency) {
        cfg->g_lag_in_frames = 0;
        p->deadline = VPX_DL_REALTIME;
        /* Key frames are then only those that are forced. */
        if (!s->key_interval) cfg->kf_mode = VPX_KF_DISABLED;
    }
    if (c->max_delay >= 0) cfg->g_lag_in_frames = (unsigned int)retake_min((int32_t)cfg->g_lag_in_frames, c->max_delay);
    /* A frame may be missing, so nothing but pictures may pass from one to the next. */
    if (c->layers > 1 || c->long_term) cfg->g_error_resilient = VPX_ERROR_RESILIENT_DEFAULT;
    if (c->level) put(p, NULL, VP9E_SET_TARGET_LEVEL, c->level);
    if (c->no_spatial_adaptation) put(p, NULL, VP9E_SET_AQ_MODE, 0);
    /* Segments would not be lossless, and a frame that brings its quantizer has it everywhere. */
    if (c->spatial_adaptation && s->rate != RETAKE_LOSSLESS && !c->base_qp) put(p, NULL, VP9E_SET_AQ_MODE, 1);
}

static int parameters(struct parameters *p, const struct retake_settings *s, struct retake_fault *fault) {
    memset(p, 0, sizeof *p);
    vpx_codec_enc_cfg_t *cfg = &p->cfg;
    if (vpx_codec_enc_config_default(vpx_codec_vp9_cx(), cfg, 0))
        return retake_fail(fault, "", "the library has no VP9 encoder inside"), -1;

    /* libvpx looks ahead, and places hidden frames, in the second of two passes only: in one pass every lag
       gives equal bytes. */
    if (s->pass == RETAKE_ONLY_PASS) cfg->g_lag_in_frames = 0;
    put(p, NULL, VP8E_SET_ENABLEAUTOALTREF, 1);
    /* The number depends on the width only, so that equal pictures and settings give equal bytes with any
       number of threads. */
    put(p, NULL, VP9E_SET_TILE_COLUMNS, s->width >= 2560 ? 3 : s->width >= 1280 ? 2 : s->width >= 640 ? 1 : 0);
    put(p, NULL, VP9E_SET_TILE_ROWS, 0);
    put(p, NULL, VP9E_SET_FRAME_PARALLEL_DECODING, 0);

    for (size_t i = 0; i < s->option_count; i++)
        if (option(p, s->options[i].key, s->options[i].value, fault) < 0) return -1;

    cfg->g_w = (unsigned int)s->width;
    cfg->g_h = (unsigned int)s->height;
    cfg->g_profile = (s->bit_depth > 8 ? 2 : 0) + (s->chroma > 1);
    cfg->g_bit_depth = s->bit_depth > 8 ? VPX_BITS_10 : VPX_BITS_8;
    cfg->g_input_bit_depth = (unsigned int)s->bit_depth;
    time_base(p, s);
    cfg->g_pass = s->pass == RETAKE_FIRST_PASS    ? VPX_RC_FIRST_PASS
                  : s->pass == RETAKE_SECOND_PASS ? VPX_RC_LAST_PASS
                                                  : VPX_RC_ONE_PASS;
    cfg->g_threads = (unsigned int)(s->threads < 64 ? s->threads : 64);
    cfg->g_error_resilient = 0;
    cfg->rc_dropframe_thresh = 0;
    cfg->rc_resize_allowed = 0;
    cfg->kf_mode = VPX_KF_AUTO;
    cfg->kf_min_dist = 0;
    cfg->kf_max_dist = s->key_interval ? (unsigned int)s->key_interval : 9999;
    rate_control(p, s);
    modes(p, s);
    if (cfg->rc_min_quantizer > cfg->rc_max_quantizer)
        return retake_fail(fault, "min-q", "%u is above the max-q of %u", cfg->rc_min_quantizer, cfg->rc_max_quantizer), -1;
    put(p, NULL, VP8E_SET_CPUUSED, atoi(s->preset));
    put(p, NULL, VP9E_SET_ROW_MT, 0);
    put(p, NULL, VP9E_SET_COLOR_SPACE, colour_space(s));
    put(p, NULL, VP9E_SET_COLOR_RANGE, s->range == 1 ? VPX_CR_FULL_RANGE : VPX_CR_STUDIO_RANGE);
    return 0;
}

#endif
