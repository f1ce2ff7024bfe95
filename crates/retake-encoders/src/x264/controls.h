/* Maps the settings to x264's parameters. */
#ifndef RETAKE_X264_CONTROLS_H
#define RETAKE_X264_CONTROLS_H

#include "../bucket.h"

/* Returns the number at which x264's scale for 8 bit begins, because x264 counts quantizers of deeper samples
   from further up. */
static int32_t qp_offset(int32_t depth) { return 6 * (depth - 8); }

static void rate_control(x264_param_t *p, const struct retake_settings *s) {
    const struct retake_controls *c = &s->controls;
    int64_t rate, bits;
    if (s->rate == RETAKE_LOSSLESS) {
        p->rc.i_rc_method = X264_RC_CQP;
        p->rc.i_qp_constant = 0;
    } else if (retake_by_rate(s) && c->ceiling < 0 && !c->base_qp) {
        p->rc.i_rc_method = X264_RC_ABR;
        p->rc.i_bitrate = (int)retake_kilo(s->bit_rate + 500);
    } else {
        p->rc.i_rc_method = X264_RC_CRF;
        p->rc.f_rf_constant = (float)(s->rate == RETAKE_QUALITY ? s->quality : c->ceiling >= 0 ? c->ceiling : 23);
    }
    if (retake_bucket(!c->limit_kept_by_caller, s, &rate, &bits)) {
        p->rc.i_vbv_max_bitrate = (int)retake_kilo(rate);
        p->rc.i_vbv_buffer_size = (int)retake_kilo(bits);
        if (c->buffer_rate) p->rc.f_vbv_buffer_init = (float)c->buffer_initial;
        if ((c->more_before && s->rate == RETAKE_CONSTANT) || c->ceiling >= 0) p->rc.f_vbv_buffer_init = RETAKE_NOMINAL_FULLNESS;
    }
    if (s->rate == RETAKE_CONSTANT && !c->base_qp) p->i_nal_hrd = X264_NAL_HRD_CBR;
    if (c->base_qp) {
        p->rc.b_mb_tree = 0;
        p->rc.i_aq_mode = X264_AQ_NONE;
        return;
    }
    if (c->min_qp >= 0) p->rc.i_qp_min = c->min_qp + qp_offset(s->bit_depth);
    if (c->max_qp >= 0) p->rc.i_qp_max = c->max_qp + qp_offset(s->bit_depth);
}

/* Sets which frames may refer to which. */
static void dependencies(x264_param_t *p, const struct retake_controls *c) {
    if (c->no_reordering || c->low_latency) p->i_bframe = 0;
    if (c->layers > 1) {
        /* The shim states which frames are B. */
        p->i_bframe = 1;
        p->i_bframe_adaptive = X264_B_ADAPT_NONE;
        p->i_bframe_pyramid = X264_B_PYRAMID_NONE;
        p->i_scenecut_threshold = 0;
    }
    if (c->references) {
        p->i_frame_reference = c->references;
        /* Reordering needs places of its own. */
        if (c->references < 4) p->i_bframe_pyramid = X264_B_PYRAMID_NONE;
        if (c->references < 2) p->i_bframe = 0;
    }
    p->b_open_gop = c->open_gop;
}

/* Returns the level of that number; the last one, whose number is 0, where there is none. */
static const x264_level_t *level_of(int32_t number) {
    const x264_level_t *level = x264_levels;
    while (level->level_idc && level->level_idc != number) level++;
    return level;
}

static int64_t blocks_of(const struct retake_settings *s) { return ((s->width + 15) / 16) * (int64_t)((s->height + 15) / 16); }

/* Returns the number of pictures of this size that a level holds. */
static int32_t places_of(const x264_level_t *level, int64_t blocks) { return retake_min((int32_t)(level->dpb / blocks), 16); }

/* Keeps old frames for receivers that lose newer ones. x264 has no long-term references; it can be told which
   frames are lost, and goes on from those before them, as long as the decoded picture buffer holds them. Each
   frame refers to one other only, which is the last that is not lost, so that a frame behind a loss needs the
   acknowledged one alone. Where no level is asked for, the buffer is that of 5.1 at most, because decoders of
   higher levels are rare. */
static void long_term(x264_param_t *p, const struct retake_settings *s) {
    const struct retake_controls *c = &s->controls;
    if (!c->long_term) return;
    int32_t places = retake_max(places_of(level_of(c->level ? c->level : 51), blocks_of(s)), 1);
    p->i_frame_reference = 1;
    p->i_dpb_size = c->references ? retake_min(places, c->references) : places;
}

/* Returns the highest of the levels that allow fields. */
static const x264_level_t *highest_with_fields(void) {
    const x264_level_t *found = NULL;
    for (const x264_level_t *level = x264_levels; level->level_idc; level++)
        if (!level->frame_only) found = level;
    return found;
}

/* Sets up fields: each macroblock pair is coded as rows of a frame or of two fields, whichever costs less. */
static int fields(x264_param_t *p, const struct retake_settings *s, struct retake_fault *fault) {
    if (!s->controls.fields) return 0;
    const x264_level_t *level = highest_with_fields();
    int64_t blocks = ((s->width + 15) / 16) * (int64_t)((s->height + 31) / 32 * 2);
    if (!level || blocks > level->frame_size || blocks * s->fps_num > (int64_t)level->mbps * s->fps_den)
        return retake_fail(fault, "fields", "H.264 has no level for two fields of %dx%d at this frame rate", s->width, s->height), -1;
    p->b_interlaced = 1;
    p->b_tff = s->controls.fields == 1;
    p->b_pic_struct = 1;
    /* Slow presets have more references than a level with fields holds. */
    int32_t places = places_of(level, blocks);
    if (s->controls.references > places)
        return retake_fail(fault, "references", "the highest level with fields, %d.%d, holds %d pictures of %dx%d", level->level_idc / 10,
                           level->level_idc % 10, places, s->width, s->height), -1;
    p->i_frame_reference = retake_min(p->i_frame_reference, places);
    return 0;
}

/* Returns the number of frames that wait: those whose type is not decided, the threads, reordering, and one
   whose duration is not known yet. */
static int32_t waiting(const x264_param_t *p) {
    int32_t undecided = p->i_bframe_adaptive == X264_B_ADAPT_TRELLIS && p->i_bframe ? 4 * retake_max(p->i_bframe, 3) : p->i_bframe;
    if (p->rc.b_mb_tree || p->rc.i_vbv_buffer_size) undecided = retake_max(undecided, p->rc.i_lookahead);
    int32_t reordered = !p->i_bframe ? 0 : p->i_bframe_pyramid ? 2 : 1;
    return undecided + (p->b_sliced_threads ? 0 : p->i_threads - 1) + p->b_vfr_input + reordered;
}

/* Gives up the tools that cost most delay for the least compression, until no more than `most` frames
   wait. */
static void bound_delay(x264_param_t *p, int32_t most) {
    if (most < 0 || waiting(p) <= most) return;
    if (p->i_threads > 1 && most < p->i_threads + 8) p->b_sliced_threads = 1;
    if (most == 0) p->b_vfr_input = 0;
    if (waiting(p) > most && p->i_bframe_adaptive == X264_B_ADAPT_TRELLIS) p->i_bframe_adaptive = X264_B_ADAPT_FAST;
    if (waiting(p) > most) {
        int32_t others = waiting(p) - retake_max(p->i_bframe, p->rc.b_mb_tree || p->rc.i_vbv_buffer_size ? p->rc.i_lookahead : 0);
        p->rc.i_lookahead = retake_max(most - others, 0);
    }
    if (waiting(p) > most) p->i_bframe_pyramid = X264_B_PYRAMID_NONE;
    while (waiting(p) > most && p->i_bframe > 0) p->i_bframe--;
    if (p->rc.i_lookahead == 0) p->rc.b_mb_tree = 0;
}

/* Returns x264's name of a profile. Its Baseline has none of what Constrained Baseline lacks. */
static const char *library_profile(const char *name) {
    return !strcmp(name, "constrained-baseline") ? "baseline"
           : !strcmp(name, "constrained-high")   ? "high"
           : !strcmp(name, "high444-predictive") ? "high444"
                                                 : name;
}

static const int CSP[] = {X264_CSP_I400, X264_CSP_I420, X264_CSP_I422, X264_CSP_I444};

static int profile_and_level(x264_param_t *p, const struct retake_settings *s, struct retake_fault *fault) {
    const struct retake_controls *c = &s->controls;
    if (c->cabac >= 0) p->b_cabac = c->cabac;
    if (c->profile) {
        /* Constrained High is High without B frames and fields. */
        if (!strcmp(c->profile, "constrained-high")) p->i_bframe = 0;
        if (x264_param_apply_profile(p, library_profile(c->profile)) < 0)
            return retake_fail(fault, "profile", "'%s' does not fit the other settings", c->profile), -1;
        /* x264 signals the tools in use, so at least one tool of the profile must be. */
        if (!strcmp(library_profile(c->profile), "high")) p->analyse.b_transform_8x8 = 1;
        if (!strcmp(c->profile, "main") && !p->b_cabac && !p->i_bframe && !p->analyse.i_weighted_pred)
            p->analyse.i_weighted_pred = X264_WEIGHTP_SIMPLE;
    }
    if (c->cabac >= 0 && p->b_cabac != c->cabac)
        return retake_fail(fault, "cabac", "the %s profile has no arithmetic coding", c->profile), -1;
    if (c->layers > 1 && !p->i_bframe)
        return retake_fail(fault, "temporal_layers",
                           "x264's second layer is of B frames: allow reordering and a delay of 4 frames, and a profile that has them"), -1;
    if (!c->level) return 0;
    const x264_level_t *level = level_of(c->level);
    int64_t blocks = blocks_of(s);
    if (blocks > level->frame_size || blocks * s->fps_num > (int64_t)level->mbps * s->fps_den)
        return retake_fail(fault, "level", "%d.%d is too low for %dx%d at this frame rate", c->level / 10, c->level % 10, s->width,
                           s->height), -1;
    if (c->fields && level->frame_only)
        return retake_fail(fault, "level", "%d.%d has no fields: choose one from 2.1 to 4.1", c->level / 10, c->level % 10), -1;
    int32_t places = places_of(level, blocks);
    if (c->references > places)
        return retake_fail(fault, "references", "level %d.%d holds %d pictures of %dx%d", c->level / 10, c->level % 10, places, s->width,
                           s->height), -1;
    p->i_level_idc = c->level;
    p->i_frame_reference = retake_min(p->i_frame_reference, places);
    if (places < 4) p->i_bframe_pyramid = X264_B_PYRAMID_NONE;
    if (places < 2) p->i_bframe = 0;
    return 0;
}

static int controls(x264_param_t *p, const struct retake_settings *s, struct retake_fault *fault) {
    const struct retake_controls *c = &s->controls;
    rate_control(p, s);
    /* Threads look at the bits that the others have written so far, those of slices too, so the bytes would
       depend on which runs when. */
    if (p->rc.i_vbv_buffer_size && !c->low_latency) p->i_threads = 1;
    dependencies(p, c);
    if (fields(p, s, fault) < 0) return -1;
    if (c->look_ahead >= 0) p->rc.i_lookahead = c->look_ahead;
    if (c->look_ahead == 0) p->rc.b_mb_tree = 0;
    if (c->low_latency) {
        /* There is one sync frame, and then predicted frames for ever. */
        p->rc.i_lookahead = p->rc.b_mb_tree = 0;
        p->i_scenecut_threshold = 0;
        if (!s->key_interval) p->i_keyint_max = X264_KEYINT_MAX_INFINITE;
    }
    long_term(p, s);
    if (c->no_spatial_adaptation) p->rc.i_aq_mode = X264_AQ_NONE;
    if (c->slice_bytes) p->i_slice_max_size = c->slice_bytes;
    bound_delay(p, c->low_latency ? 0 : c->max_delay);
    return profile_and_level(p, s, fault);
}

static int parameters(x264_param_t *p, const struct retake_settings *s, struct retake_fault *fault) {
    const char *tune = retake_option_value(s, "tune"), *profile = retake_option_value(s, "profile");
    if (x264_param_default_preset(p, s->preset, NULL) < 0)
        return retake_fail(fault, "preset", "'%s' is not a preset of x264", s->preset), -1;
    if (tune && x264_param_default_preset(p, s->preset, tune) < 0)
        return retake_fail(fault, "tune", "'%s' is not a tune of x264", tune), -1;
    p->i_log_level = X264_LOG_NONE;

    for (size_t i = 0; i < s->option_count; i++) {
        const char *key = s->options[i].key, *value = s->options[i].value;
        if (!strcmp(key, "tune") || !strcmp(key, "profile")) continue;
        int result = x264_param_parse(p, key, *value ? value : NULL);
        if (result == X264_PARAM_BAD_NAME) return retake_fail(fault, key, "x264 has no such option"), -1;
        if (result) return retake_fail(fault, key, "x264 does not take the value '%s'", value), -1;
    }

    p->i_width = s->width;
    p->i_height = s->height;
    p->i_bitdepth = s->bit_depth;
    p->i_csp = CSP[s->chroma];
    /* Ticks are frame indices: the rate control sees a constant rate, and the headers do not claim a fixed
       one. */
    p->b_vfr_input = 1;
    p->i_fps_num = p->i_timebase_den = s->fps_num;
    p->i_fps_den = p->i_timebase_num = s->fps_den;
    p->vui.i_sar_width = s->sar_num;
    p->vui.i_sar_height = s->sar_den;
    p->vui.i_colorprim = s->primaries;
    p->vui.i_transfer = s->transfer;
    p->vui.i_colmatrix = s->matrix;
    if (s->range >= 0) p->vui.b_fullrange = s->range;
    p->vui.i_chroma_loc = s->chroma_location > 0 ? s->chroma_location - 1 : 0;
#if X264_BUILD >= 164
    if (s->has_mastering) {
        const int32_t *m = s->mastering;
        p->mastering_display.b_mastering_display = 1;
        p->mastering_display.i_green_x = m[0], p->mastering_display.i_green_y = m[1];
        p->mastering_display.i_blue_x = m[2], p->mastering_display.i_blue_y = m[3];
        p->mastering_display.i_red_x = m[4], p->mastering_display.i_red_y = m[5];
        p->mastering_display.i_white_x = m[6], p->mastering_display.i_white_y = m[7];
        p->mastering_display.i_display_max = m[8], p->mastering_display.i_display_min = m[9];
    }
    if (s->has_content_light) {
        p->content_light_level.b_cll = 1;
        p->content_light_level.i_max_cll = s->max_content;
        p->content_light_level.i_max_fall = s->max_frame_average;
    }
#endif

    const int32_t *crop = s->controls.crop;
    p->crop_rect.i_left = crop[0], p->crop_rect.i_top = crop[1], p->crop_rect.i_right = crop[2], p->crop_rect.i_bottom = crop[3];

    if (s->key_interval) p->i_keyint_max = s->key_interval;

    /* The contract requires equal headers, length-prefixed units, and equal bytes at every repetition. */
    p->i_threads = s->threads;
    p->b_sliced_threads = 0;
    p->i_sync_lookahead = 0;
    p->b_deterministic = 1;
    p->b_cpu_independent = 1;
    p->b_intra_refresh = 0;
    p->b_stitchable = 1;
    p->b_repeat_headers = 0;
    p->b_annexb = 0;
    p->b_aud = 0;
    p->b_opencl = 0;
    p->b_full_recon = s->reconstruct != 0;
    if (controls(p, s, fault) < 0) return -1;
    if (profile && x264_param_apply_profile(p, profile) < 0)
        return retake_fail(fault, "profile", "x264 does not know '%s', or it does not fit the other settings", profile), -1;
    return 0;
}

#endif
