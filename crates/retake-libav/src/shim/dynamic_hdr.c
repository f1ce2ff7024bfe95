/* Writes HDR10+ metadata as the message that they came in. FFmpeg does so by itself only since 6.1. */
#include "shim.h"

#include <libavutil/hdr_dynamic_metadata.h>
#include <libavutil/mathematics.h>
#include <string.h>

typedef struct {
    uint8_t *data;
    size_t room, at; /* in bits */
} bit_writer;

static void put(bit_writer *writer, unsigned bits, int64_t value) {
    int64_t most = ((int64_t)1 << bits) - 1;
    value = value < 0 ? 0 : value > most ? most : value;
    for (unsigned bit = bits; bit--; writer->at++)
        if (writer->at < writer->room && (value >> bit & 1)) writer->data[writer->at / 8] |= (uint8_t)(0x80 >> writer->at % 8);
}

/* Writes a fraction in units of 1 / `unit`, in which it came. */
static void put_ratio(bit_writer *writer, unsigned bits, AVRational value, int64_t unit) {
    put(writer, bits, value.den > 0 ? av_rescale(value.num, unit, value.den) : 0);
}

static void put_peaks(bit_writer *writer, int present, int rows, int columns, const AVRational peaks[25][25]) {
    present = present && rows <= 25 && columns <= 25;
    put(writer, 1, present);
    if (!present) return;
    put(writer, 5, rows);
    put(writer, 5, columns);
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++) put_ratio(writer, 4, peaks[row][column], 15);
}

static void put_window(bit_writer *writer, const AVHDRPlusColorTransformParams *window) {
    const AVRational corners[] = {window->window_upper_left_corner_x, window->window_upper_left_corner_y,
                                  window->window_lower_right_corner_x, window->window_lower_right_corner_y};
    for (int i = 0; i < 4; i++) put_ratio(writer, 16, corners[i], 1);
    put(writer, 16, window->center_of_ellipse_x);
    put(writer, 16, window->center_of_ellipse_y);
    put(writer, 8, window->rotation_angle);
    put(writer, 16, window->semimajor_axis_internal_ellipse);
    put(writer, 16, window->semimajor_axis_external_ellipse);
    put(writer, 16, window->semiminor_axis_external_ellipse);
    put(writer, 1, window->overlap_process_option);
}

static void put_statistics(bit_writer *writer, const AVHDRPlusColorTransformParams *window) {
    for (int i = 0; i < 3; i++) put_ratio(writer, 17, window->maxscl[i], 100000);
    put_ratio(writer, 17, window->average_maxrgb, 100000);
    int count = FFMIN(window->num_distribution_maxrgb_percentiles, 15);
    put(writer, 4, count);
    for (int i = 0; i < count; i++) {
        put(writer, 7, window->distribution_maxrgb[i].percentage);
        put_ratio(writer, 17, window->distribution_maxrgb[i].percentile, 100000);
    }
    put_ratio(writer, 10, window->fraction_bright_pixels, 1000);
}

static void put_curve(bit_writer *writer, const AVHDRPlusColorTransformParams *window) {
    put(writer, 1, window->tone_mapping_flag);
    if (window->tone_mapping_flag) {
        int count = FFMIN(window->num_bezier_curve_anchors, 15);
        put_ratio(writer, 12, window->knee_point_x, 4095);
        put_ratio(writer, 12, window->knee_point_y, 4095);
        put(writer, 4, count);
        for (int i = 0; i < count; i++) put_ratio(writer, 10, window->bezier_curve_anchors[i], 1023);
    }
    put(writer, 1, window->color_saturation_mapping_flag);
    if (window->color_saturation_mapping_flag) put_ratio(writer, 6, window->color_saturation_weight, 8);
}

/* The syntax is that of SMPTE ST 2094-40 in CTA-861.4 and annex S of CTA-861-H: user_data_registered of ITU-T
   T.35 with provider code 60, provider oriented code 1 and application 4. */
size_t rt_frame_hdr10_plus(const AVFrame *frame, uint8_t *data, size_t size) {
    const AVFrameSideData *side = av_frame_get_side_data(frame, AV_FRAME_DATA_DYNAMIC_HDR_PLUS);
    if (!side || (size_t)side->size < sizeof(AVDynamicHDRPlus)) return 0;
    const AVDynamicHDRPlus *hdr = (const void *)side->data;
    if (hdr->num_windows < 1 || hdr->num_windows > 3) return 0;
    memset(data, 0, size);
    bit_writer writer = {data, size * 8, 0};
    put(&writer, 8, 0xB5);
    put(&writer, 16, 60);
    put(&writer, 16, 1);
    put(&writer, 8, 4);
    put(&writer, 8, hdr->application_version);
    put(&writer, 2, hdr->num_windows);
    for (int i = 1; i < hdr->num_windows; i++) put_window(&writer, &hdr->params[i]);
    put_ratio(&writer, 27, hdr->targeted_system_display_maximum_luminance, 1);
    put_peaks(&writer, hdr->targeted_system_display_actual_peak_luminance_flag,
              hdr->num_rows_targeted_system_display_actual_peak_luminance,
              hdr->num_cols_targeted_system_display_actual_peak_luminance, hdr->targeted_system_display_actual_peak_luminance);
    for (int i = 0; i < hdr->num_windows; i++) put_statistics(&writer, &hdr->params[i]);
    put_peaks(&writer, hdr->mastering_display_actual_peak_luminance_flag, hdr->num_rows_mastering_display_actual_peak_luminance,
              hdr->num_cols_mastering_display_actual_peak_luminance, hdr->mastering_display_actual_peak_luminance);
    for (int i = 0; i < hdr->num_windows; i++) put_curve(&writer, &hdr->params[i]);
    size_t bytes = (writer.at + 7) / 8;
    return bytes <= size ? bytes : 0;
}
