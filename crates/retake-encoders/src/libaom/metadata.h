/* Writes HDR metadata into the stream (AV1, 5.8.3 and 5.8.4): once with each key frame. */
#ifndef RETAKE_LIBAOM_METADATA_H
#define RETAKE_LIBAOM_METADATA_H

static void put_16(uint8_t *to, uint32_t value) { to[0] = (uint8_t)(value >> 8), to[1] = (uint8_t)value; }

static void put_32(uint8_t *to, uint32_t value) { put_16(to, value >> 16), put_16(to + 2, value); }

/* Returns a chromaticity in 0.00002 as a fraction of 2^16. */
static uint32_t fraction(int32_t value) {
    double exact = value * 0.00002 * 65536;
    return exact < 65535 ? (uint32_t)lrint(exact) : 65535;
}

/* Returns a luminance in 0.0001 cd/m2 as a multiple of 1/`unit`. */
static uint32_t luminance(int32_t value, double unit) { return (uint32_t)fmin(rint(value * 0.0001 * unit), UINT32_MAX); }

/* Attaches the metadata of the settings to a picture. 0 done. */
static int add_metadata(aom_image_t *image, const struct retake_settings *s) {
    int failed = 0;
    if (s->has_mastering) {
        /* The settings have green, blue and red, the stream red, green and blue; white is the last of both.
         */
        static const int ORDER[] = {4, 5, 0, 1, 2, 3, 6, 7};
        uint8_t payload[24];
        for (int i = 0; i < 8; i++) put_16(payload + 2 * i, fraction(s->mastering[ORDER[i]]));
        put_32(payload + 16, luminance(s->mastering[8], 256));
        put_32(payload + 20, luminance(s->mastering[9], 16384));
        failed |= aom_img_add_metadata(image, OBU_METADATA_TYPE_HDR_MDCV, payload, sizeof payload, AOM_MIF_KEY_FRAME);
    }
    if (s->has_content_light) {
        uint8_t payload[4];
        put_16(payload, (uint32_t)s->max_content);
        put_16(payload + 2, (uint32_t)s->max_frame_average);
        failed |= aom_img_add_metadata(image, OBU_METADATA_TYPE_HDR_CLL, payload, sizeof payload, AOM_MIF_KEY_FRAME);
    }
    return failed;
}

#endif
