/* Maps the settings to x265's parameters. */
#ifndef RETAKE_X265_CONTROLS_H
#define RETAKE_X265_CONTROLS_H

#include "../bucket.h"

/* Returns the number of frames in parallel, which follows from the settings alone: the machine must not
   decide, because bytes depend on it. At a bit rate it is one, because with two the same encode by x265 3.5
   came out with other bytes now and then, on a busy machine. */
static int frame_threads(const struct retake_settings *s) {
    if (retake_by_rate(s)) return 1;
    return s->threads < 4 ? 1 : s->threads < 8 ? 2 : s->threads < 16 ? 3 : 4;
}

static int parse(const x265_api *api, x265_param *p, const char *key, const char *value, struct retake_fault *fault) {
    int result = api->param_parse(p, key, *value ? value : NULL);
    if (result == X265_PARAM_BAD_NAME) return retake_fail(fault, key, "x265 has no such option"), -1;
    if (result) return retake_fail(fault, key, "x265 does not take the value '%s'", value), -1;
    return 0;
}

static void rate_control(x265_param *p, const struct retake_settings *s) {
    const struct retake_controls *c = &s->controls;
    int64_t rate, bits;
    if (s->rate == RETAKE_LOSSLESS) {
        p->bLossless = 1;
    } else if (retake_by_rate(s) && c->ceiling < 0 && !c->base_qp) {
        p->rc.rateControlMode = X265_RC_ABR;
        p->rc.bitrate = (int)retake_kilo(s->bit_rate + 500);
    } else {
        p->rc.rateControlMode = X265_RC_CRF;
        p->rc.rfConstant = s->rate == RETAKE_QUALITY ? s->quality : c->ceiling >= 0 ? c->ceiling : 28;
    }
    if (retake_bucket(!c->limit_kept_by_caller, s, &rate, &bits)) {
        p->rc.vbvMaxBitrate = (int)retake_kilo(rate);
        p->rc.vbvBufferSize = (int)retake_kilo(bits);
        p->rc.bEnableConstVbv = 1;
        if (c->buffer_rate) p->rc.vbvBufferInit = c->buffer_initial;
        if ((c->more_before && s->rate == RETAKE_CONSTANT) || c->ceiling >= 0) p->rc.vbvBufferInit = RETAKE_NOMINAL_FULLNESS;
        if (c->more_after && s->rate == RETAKE_CONSTANT && c->frame_count > 0 && c->frame_count <= INT32_MAX) {
            p->vbvBufferEnd = RETAKE_NOMINAL_FULLNESS;
            p->totalFrames = (int)c->frame_count;
        }
    }
    if (s->rate == RETAKE_CONSTANT && !c->base_qp) {
        p->rc.bStrictCbr = p->bEmitHRDSEI = 1;
        /* The first buffering period states that it follows another stream. */
        p->bEnableHRDConcatFlag = c->more_before;
    }
    if (c->base_qp) {
        p->rc.cuTree = 0;
        p->rc.aqMode = X265_AQ_NONE;
        return;
    }
    if (c->min_qp >= 0) p->rc.qpMin = c->min_qp;
    if (c->max_qp >= 0) p->rc.qpMax = c->max_qp;
}

/* Sets which frames may refer to which. */
static void dependencies(x265_param *p, const struct retake_controls *c) {
    if (c->no_reordering || c->low_latency) p->bframes = 0;
    if (c->layers > 1) {
        /* The shim states which frames are B. */
        p->bframes = 1;
        p->bFrameAdaptive = X265_B_ADAPT_NONE;
        p->bBPyramid = 0;
        p->scenecutThreshold = 0;
        p->bEnableTemporalSubLayers = 2;
    }
    if (c->references) {
        p->maxNumReferences = c->references;
        /* Reordering needs places of its own. */
        if (c->references < 4) p->bBPyramid = 0;
        if (c->references < 3) p->bframes = 0;
    }
    p->bOpenGOP = c->open_gop;
}

static int32_t reordered(const x265_param *p) { return !p->bframes ? 0 : p->bBPyramid && p->bframes > 1 ? 2 : 1; }

/* Returns the number of frames that wait: those whose type is not decided, reordering, and the frames in
   parallel. */
static int32_t waiting(const x265_param *p) {
    if (!p->bframes && !p->lookaheadDepth && p->frameNumThreads == 1) return 0;
    return retake_max(p->lookaheadDepth, p->bframes) + p->bframes + p->frameNumThreads + 2 + reordered(p);
}

/* Gives up the tools that cost most delay for the least compression, until no more than `most` frames
   wait. */
static void bound_delay(x265_param *p, int32_t most) {
    if (most < 0 || waiting(p) <= most) return;
    if (most < 12) p->frameNumThreads = 1;
    /* The library looks at one frame more than it reorders, or at none. */
    p->bBPyramid &= most > 12;
    while (p->bframes > 0 && 2 * p->bframes + 1 + p->frameNumThreads + 2 + reordered(p) > most) p->bframes--;
    int32_t others = p->bframes + p->frameNumThreads + 2 + reordered(p);
    p->lookaheadDepth = p->bframes || most > others ? retake_max(most - others, p->bframes + 1) : 0;
    if (p->lookaheadDepth == 0) p->rc.cuTree = 0, p->frameNumThreads = 1;
}

/* Table A.8 of the standard: level times ten, samples of a picture, samples a second. */
static const struct {
    int32_t level;
    int64_t picture, second;
} LEVELS[] = {
    {10, 36864, 552960},       {20, 122880, 3686400},      {21, 245760, 7372800},      {30, 552960, 16588800},
    {31, 983040, 33177600},    {40, 2228224, 66846720},    {41, 2228224, 133693440},   {50, 8912896, 267386880},
    {51, 8912896, 534773760},  {52, 8912896, 1069547520},  {60, 35651584, 1069547520}, {61, 35651584, 2139095040},
    {62, 35651584, 4278190080},
};

/* Returns x265's name of a profile; NULL for those that follow from the pictures and that it has no name for.
 */
static const char *library_profile(const char *name) {
    return !strncmp(name, "monochrome", 10) ? NULL : !strcmp(name, "main444") ? "main444-8" : name;
}

static int profile_and_level(const x265_api *api, x265_param *p, const struct retake_settings *s, struct retake_fault *fault) {
    const struct retake_controls *c = &s->controls;
    if (c->profile) {
        const char *profile = library_profile(c->profile);
        if (profile && api->param_apply_profile(p, profile) < 0)
            return retake_fail(fault, "profile", "'%s' does not fit the other settings", c->profile), -1;
    }
    if (c->layers > 1 && !p->bframes)
        return retake_fail(fault, "temporal_layers",
                           "x265's second layer is of B frames: allow reordering, a delay of 6 frames and 3 references"), -1;
    if (!c->level) return 0;
    size_t i = 0;
    while (i + 1 < sizeof LEVELS / sizeof *LEVELS && LEVELS[i].level != c->level) i++;
    /* Coded pictures are made of whole blocks of eight. */
    int64_t samples = (int64_t)((s->width + 7) / 8 * 8) * ((s->height + 7) / 8 * 8);
    if (samples > LEVELS[i].picture || samples * s->fps_num > LEVELS[i].second * s->fps_den)
        return retake_fail(fault, "level", "%d.%d is too low for %dx%d at this frame rate", c->level / 10, c->level % 10, s->width,
                           s->height), -1;
    /* This counts the pictures that are held, without the one that is decoded. */
    int32_t places = 4 * samples <= LEVELS[i].picture       ? 15
                     : 2 * samples <= LEVELS[i].picture     ? 11
                     : 4 * samples <= 3 * LEVELS[i].picture ? 7
                                                            : 5;
    if (c->references > places)
        return retake_fail(fault, "references", "level %d.%d holds %d pictures of %dx%d", c->level / 10, c->level % 10, places, s->width,
                           s->height), -1;
    p->levelIdc = c->level;
    p->maxNumReferences = retake_min(p->maxNumReferences, places);
    return 0;
}

static int controls(const x265_api *api, x265_param *p, const struct retake_settings *s, struct retake_fault *fault) {
    const struct retake_controls *c = &s->controls;
    rate_control(p, s);
    dependencies(p, c);
    if (c->look_ahead >= 0) {
        p->lookaheadDepth = c->look_ahead;
        if (c->look_ahead <= p->bframes) p->bframes = retake_max(c->look_ahead - 1, 0);
        if (c->look_ahead == 0) p->rc.cuTree = 0;
    }
    if (c->low_latency) {
        /* There is one sync frame, and then predicted frames for ever. */
        p->lookaheadDepth = p->rc.cuTree = p->scenecutThreshold = 0;
        p->bFrameAdaptive = X265_B_ADAPT_NONE;
        p->frameNumThreads = 1;
        if (!s->key_interval) p->keyframeMax = -1;
    }
    if (c->no_spatial_adaptation) p->rc.aqMode = X265_AQ_NONE;
    bound_delay(p, c->low_latency ? 0 : c->max_delay);
    return profile_and_level(api, p, s, fault);
}

static const int CSP[] = {X265_CSP_I400, X265_CSP_I420, X265_CSP_I422, X265_CSP_I444};

static int parameters(const x265_api *api, x265_param *p, const struct retake_settings *s, struct retake_fault *fault) {
    const char *tune = retake_option_value(s, "tune"), *profile = retake_option_value(s, "profile");
    if (api->param_default_preset(p, s->preset, NULL) < 0)
        return retake_fail(fault, "preset", "'%s' is not a preset of x265", s->preset), -1;
    if (tune && api->param_default_preset(p, s->preset, tune) < 0)
        return retake_fail(fault, "tune", "'%s' is not a tune of x265", tune), -1;
    p->logLevel = X265_LOG_NONE;

    for (size_t i = 0; i < s->option_count; i++) {
        const char *key = s->options[i].key;
        if (!strcmp(key, "tune") || !strcmp(key, "profile")) continue;
        if (parse(api, p, key, s->options[i].value, fault)) return -1;
    }

    p->sourceWidth = s->width;
    p->sourceHeight = s->height;
    /* The library requires pictures that hold one of the largest blocks. */
    while (p->maxCUSize > 16 && retake_min(s->width, s->height) < (int32_t)p->maxCUSize) p->maxCUSize /= 2;
    if (p->maxTUSize > p->maxCUSize) p->maxTUSize = p->maxCUSize;
    p->internalBitDepth = s->bit_depth;
    p->internalCsp = CSP[s->chroma];
    p->fpsNum = (uint32_t)s->fps_num;
    p->fpsDenom = (uint32_t)s->fps_den;
    if (s->sar_num == 1 && s->sar_den == 1) {
        p->vui.aspectRatioIdc = 1;
    } else if (s->sar_num) {
        p->vui.aspectRatioIdc = X265_EXTENDED_SAR;
        p->vui.sarWidth = s->sar_num;
        p->vui.sarHeight = s->sar_den;
    }
    int described = s->primaries != 2 || s->transfer != 2 || s->matrix != 2;
    p->vui.colorPrimaries = s->primaries;
    p->vui.transferCharacteristics = s->transfer;
    p->vui.matrixCoeffs = s->matrix;
    p->vui.bEnableColorDescriptionPresentFlag = described;
    p->vui.bEnableVideoSignalTypePresentFlag = described || s->range >= 0;
    p->vui.bEnableVideoFullRangeFlag = s->range > 0;
    if (s->chroma_location > 0) {
        p->vui.bEnableChromaLocInfoPresentFlag = 1;
        p->vui.chromaSampleLocTypeTopField = p->vui.chromaSampleLocTypeBottomField = s->chroma_location - 1;
    }
    if (s->has_content_light) {
        p->maxCLL = (uint16_t)s->max_content;
        p->maxFALL = (uint16_t)s->max_frame_average;
    }
#if X265_BUILD >= 188
    p->bEmitCLL = s->has_content_light;
    p->bEmitHDR10SEI = s->has_mastering || s->has_content_light;
#else
    p->bEmitHDRSEI = s->has_mastering || s->has_content_light;
#endif

    const int32_t *crop = s->controls.crop;
    if (crop[0] || crop[1] || crop[2] || crop[3]) {
        /* The numbers are in blocks of chroma. The library has no name for the conformance window, which is
           that of the whole picture. */
        p->vui.bEnableDefaultDisplayWindowFlag = 1;
        int32_t across = s->chroma == 1 || s->chroma == 2 ? 2 : 1, down = s->chroma == 1 ? 2 : 1;
        p->vui.defDispWinLeftOffset = crop[0] / across, p->vui.defDispWinTopOffset = crop[1] / down;
        p->vui.defDispWinRightOffset = crop[2] / across, p->vui.defDispWinBottomOffset = crop[3] / down;
    }

    if (s->key_interval) p->keyframeMax = s->key_interval;

    /* The contract requires equal headers, length-prefixed units, and equal bytes at every repetition. */
    /* With neither of these two there is no pool of threads. */
    p->bEnableWavefront = s->threads > 1;
    if (s->threads == 1) p->lookaheadSlices = 0;
    p->frameNumThreads = frame_threads(s);
    p->lookaheadThreads = 0;
    p->bIntraRefresh = 0;
    p->radl = 0;
    p->bRepeatHeaders = 0;
    p->bAnnexB = 0;
    p->bEnableAccessUnitDelimiters = 0;
    p->bEmitHRDSEI = 0;
    p->bEmitInfoSEI = 0;
    p->bEmitIDRRecoverySEI = 0;
    p->decodedPictureHashSEI = 0;
    p->bEnableTemporalSubLayers = 0;
    p->bOptQpPPS = 0;
    p->bOptRefListLengthPPS = 0;
    p->bMultiPassOptRPS = 0;
    p->bEnablePsnr = p->bEnableSsim = 0;
    if (controls(api, p, s, fault)) return -1;
    if (profile && api->param_apply_profile(p, profile) < 0)
        return retake_fail(fault, "profile", "x265 does not know '%s', or it does not fit the other settings", profile), -1;
    return 0;
}

#endif
