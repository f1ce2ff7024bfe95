/* Scales planar pictures to other sizes, without any other change. */
#include "shim.h"

#include <libavutil/mem.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
#include <string.h>

/* The properties that a context is made for. */
struct key {
    int planar, location, from_width, from_height, to_width, to_height;
};

struct rt_resizer {
    struct SwsContext *context;
    struct key key;
};

int rt_resizer_open(rt_resizer **out) {
    *out = av_mallocz(sizeof **out);
    return *out ? 0 : AVERROR(ENOMEM);
}

void rt_resizer_close(rt_resizer *resizer) {
    if (!resizer) return;
    sws_freeContext(resizer->context);
    av_free(resizer);
}

static enum AVPixelFormat format_of(int planar) {
    switch (planar) {
    case RT_PLANAR_420: return AV_PIX_FMT_YUV420P;
    case RT_PLANAR_422: return AV_PIX_FMT_YUV422P;
    case RT_PLANAR_444: return AV_PIX_FMT_YUV444P;
    case RT_PLANAR_420_10: return AV_PIX_FMT_YUV420P10LE;
    case RT_PLANAR_422_10: return AV_PIX_FMT_YUV422P10LE;
    case RT_PLANAR_444_10: return AV_PIX_FMT_YUV444P10LE;
    case RT_PLANAR_444_16: return AV_PIX_FMT_YUV444P16LE;
    case RT_PLANAR_GRAY_16: return AV_PIX_FMT_GRAY16LE;
    case RT_PLANAR_GRAY_10: return AV_PIX_FMT_GRAY10LE;
    default: return AV_PIX_FMT_GRAY8;
    }
}

static int prepare(rt_resizer *resizer, struct key key) {
    if (resizer->context && !memcmp(&resizer->key, &key, sizeof key)) return 0;
    sws_freeContext(resizer->context);
    struct SwsContext *context = resizer->context = sws_alloc_context();
    if (!context) return AVERROR(ENOMEM);
    enum AVPixelFormat format = format_of(key.planar);
    /* Chroma lies between the columns or rows of luma, or on them; the offset is in 1/256 of a luma
       sample. */
    int half_x = key.planar == RT_PLANAR_420 || key.planar == RT_PLANAR_420_10 || key.planar == RT_PLANAR_422 ||
                 key.planar == RT_PLANAR_422_10;
    int half_y = key.planar == RT_PLANAR_420 || key.planar == RT_PLANAR_420_10;
    int centred = key.location == 2 || key.location == 4 || key.location == 6;
    int x = half_x && centred ? 128 : 0;
    int y = !half_y || key.location == 3 || key.location == 4 ? 0 : key.location == 5 || key.location == 6 ? 256 : 128;
    struct {
        const char *name;
        int value;
    } options[] = {
        {"srcw", key.from_width}, {"srch", key.from_height}, {"src_format", format}, {"dstw", key.to_width}, {"dsth", key.to_height},
        /* Both ranges are equal, so nothing is converted or clipped. */
        {"dst_format", format}, {"src_range", 1}, {"dst_range", 1},
        {"src_h_chr_pos", x}, {"dst_h_chr_pos", x}, {"src_v_chr_pos", y}, {"dst_v_chr_pos", y},
        {"sws_flags", SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT},
    };
    int result = 0;
    for (size_t i = 0; i < sizeof options / sizeof *options && result >= 0; i++)
        result = av_opt_set_int(context, options[i].name, options[i].value, 0);
    if (result >= 0) result = sws_init_context(context, NULL, NULL);
    if (result < 0) {
        sws_freeContext(context);
        resizer->context = NULL;
        return result;
    }
    resizer->key = key;
    return 0;
}

int rt_resize(rt_resizer *resizer, int planar, int location, const rt_planes *from, const rt_planes *to) {
    int result = prepare(resizer, (struct key){planar, location, from->width, from->height, to->width, to->height});
    if (result < 0) return result;
    const uint8_t *const source[4] = {from->data[0], from->data[1], from->data[2], NULL};
    uint8_t *const target[4] = {to->data[0], to->data[1], to->data[2], NULL};
    const int source_stride[4] = {from->stride[0], from->stride[1], from->stride[2], 0};
    const int target_stride[4] = {to->stride[0], to->stride[1], to->stride[2], 0};
    return sws_scale(resizer->context, source, source_stride, 0, from->height, target, target_stride);
}
