/* Converts pictures of other layouts, depths and sizes to one of ours. */
#include "shim.h"

#include <libavutil/buffer.h>
#include <libavutil/imgutils.h>
#include <libavutil/mem.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <string.h>

enum { ALIGNMENT = 64 };

struct rt_scaler {
    struct SwsContext *context;
    int from_format, from_width, from_height, from_range, from_matrix, to_format, to_width, to_height, to_matrix;
    rt_pictures pictures;
};

int rt_scaler_open(rt_scaler **out) {
    *out = av_mallocz(sizeof **out);
    return *out ? 0 : AVERROR(ENOMEM);
}

void rt_scaler_close(rt_scaler *scaler) {
    if (!scaler) return;
    sws_freeContext(scaler->context);
    rt_pictures_close(&scaler->pictures);
    av_free(scaler);
}

AVFrame *rt_picture_new(rt_pictures *pictures, int format, int width, int height) {
    int bytes = av_image_get_buffer_size(format, width, height, ALIGNMENT);
    if (bytes < 0 || bytes > INT_MAX - ALIGNMENT) return NULL;
    bytes += ALIGNMENT; /* Vector code may write past the last row. */
    if (pictures->bytes != bytes) {
        av_buffer_pool_uninit(&pictures->pool);
        pictures->pool = av_buffer_pool_init(bytes, NULL);
        pictures->bytes = pictures->pool ? bytes : 0;
    }
    AVFrame *frame = av_frame_alloc();
    if (!frame) return NULL;
    if (pictures->pool) frame->buf[0] = av_buffer_pool_get(pictures->pool);
    if (!frame->buf[0] ||
        av_image_fill_arrays(frame->data, frame->linesize, frame->buf[0]->data, format, width, height, ALIGNMENT) < 0) {
        av_frame_free(&frame);
        return NULL;
    }
    frame->format = format;
    frame->width = width;
    frame->height = height;
    return frame;
}

void rt_pictures_close(rt_pictures *pictures) { av_buffer_pool_uninit(&pictures->pool); }

/* Returns the format of the same samples whose name does not state their range. */
static int without_range(int format) {
    switch (format) {
    case AV_PIX_FMT_YUVJ420P: return AV_PIX_FMT_YUV420P;
    case AV_PIX_FMT_YUVJ422P: return AV_PIX_FMT_YUV422P;
    case AV_PIX_FMT_YUVJ444P: return AV_PIX_FMT_YUV444P;
    case AV_PIX_FMT_YUVJ440P: return AV_PIX_FMT_YUV440P;
    case AV_PIX_FMT_YUVJ411P: return AV_PIX_FMT_YUV411P;
    default: return format;
    }
}

static int table_of(int matrix) {
    switch (matrix) {
    case AVCOL_SPC_BT709: return SWS_CS_ITU709;
    case AVCOL_SPC_FCC: return SWS_CS_FCC;
    case AVCOL_SPC_SMPTE240M: return SWS_CS_SMPTE240M;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL: return SWS_CS_BT2020;
    default: return SWS_CS_ITU601;
    }
}

/* Converts luma alone, of the required depth, because swscale would guess a range. */
static int from_gray(const AVFrame *from, AVFrame *to) {
    const AVPixFmtDescriptor *description = av_pix_fmt_desc_get(to->format);
    int deep = description->comp[0].depth > 8;
    int width = AV_CEIL_RSHIFT(to->width, description->log2_chroma_w), height = AV_CEIL_RSHIFT(to->height, description->log2_chroma_h);
    if (from->format != (deep ? AV_PIX_FMT_GRAY10LE : AV_PIX_FMT_GRAY8) || from->width != to->width || from->height != to->height)
        return 0;
    size_t row = (size_t)to->width << deep;
    for (int y = 0; y < to->height; y++)
        memcpy(to->data[0] + (ptrdiff_t)y * to->linesize[0], from->data[0] + (ptrdiff_t)y * from->linesize[0], row);
    for (int plane = 1; plane < 3; plane++)
        for (int y = 0; y < height; y++) {
            uint8_t *start = to->data[plane] + (ptrdiff_t)y * to->linesize[plane];
            for (int x = 0; x < width; x++)
                if (deep) start[2 * x] = 0, start[2 * x + 1] = 2; /* 512 is the neutral value of ten bits. */
                else start[x] = 128;
        }
    return 1;
}

static int prepare(rt_scaler *scaler, const AVFrame *from, int format, int width, int height, int matrix) {
    const AVPixFmtDescriptor *description = av_pix_fmt_desc_get(from->format);
    int rgb = description && (description->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BAYER));
    int full = from->color_range == AVCOL_RANGE_JPEG ||
               (from->color_range == AVCOL_RANGE_UNSPECIFIED && without_range(from->format) != from->format);
    int from_format = without_range(from->format);
    if (scaler->context && scaler->from_format == from_format && scaler->from_width == from->width &&
        scaler->from_height == from->height && scaler->from_range == full && scaler->from_matrix == (int)from->colorspace &&
        scaler->to_format == format && scaler->to_width == width && scaler->to_height == height && scaler->to_matrix == matrix)
        return 0;
    sws_freeContext(scaler->context);
    scaler->context = sws_getContext(from->width, from->height, from_format, width, height, format,
                                     SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_BITEXACT, NULL, NULL, NULL);
    if (!scaler->context) return AVERROR(EINVAL);
    scaler->from_format = from_format;
    scaler->from_width = from->width;
    scaler->from_height = from->height;
    scaler->from_range = full;
    scaler->from_matrix = from->colorspace;
    scaler->to_format = format;
    scaler->to_width = width;
    scaler->to_height = height;
    scaler->to_matrix = matrix;
    /* RGB is full range by nature and becomes limited YUV; YUV keeps range and matrix. */
    const int *to_table = sws_getCoefficients(table_of(rgb ? matrix : (int)from->colorspace));
    sws_setColorspaceDetails(scaler->context, sws_getCoefficients(table_of(from->colorspace)), rgb ? 1 : full, to_table,
                             rgb ? 0 : full, 0, 1 << 16, 1 << 16);
    return 0;
}

int rt_scale(rt_scaler *scaler, const AVFrame *from, int picture, int width, int height, int matrix, rt_frame *out) {
    memset(out, 0, sizeof *out);
    /* Luma alone is taken out of 4:2:0, because swscale takes gray for full range. */
    int format = picture == RT_PICTURE_Y8    ? AV_PIX_FMT_YUV420P
                 : picture == RT_PICTURE_Y10 ? AV_PIX_FMT_YUV420P10LE
                                             : rt_pixel_format(picture);
    AVFrame *to = rt_picture_new(&scaler->pictures, format, width, height);
    if (!to) return AVERROR(ENOMEM);
    int result = 0;
    if (!from_gray(from, to)) {
        result = prepare(scaler, from, format, width, height, matrix);
        if (result >= 0)
            result = sws_scale(scaler->context, (const uint8_t *const *)from->data, from->linesize, 0, from->height, to->data,
                               to->linesize);
    }
    if (result < 0) {
        av_frame_free(&to);
        return result;
    }
    rt_frame_describe(to, out);
    return 0;
}
