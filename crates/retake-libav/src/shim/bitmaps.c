/* Decodes subtitles that are made of pictures. */
#include "shim.h"

#include <libavutil/mem.h>
#include <stdatomic.h>
#include <string.h>

struct rt_bitmaps {
    AVCodecContext *context;
    AVSubtitle shown; /* what was decoded last */
    atomic_llong complaints; /* counted by the log callback */
};

int rt_bitmaps_open(rt_input *input, int index, rt_bitmaps **out) {
    *out = NULL;
    AVFormatContext *format = rt_context(input);
    if (index < 0 || (unsigned)index >= format->nb_streams) return AVERROR(EINVAL);
    const AVStream *stream = format->streams[index];
    const AVCodec *codec = avcodec_find_decoder(stream->codecpar->codec_id);
    if (!codec) return AVERROR_DECODER_NOT_FOUND;
    rt_bitmaps *bitmaps = av_mallocz(sizeof *bitmaps);
    if (!bitmaps) return AVERROR(ENOMEM);
    int result = AVERROR(ENOMEM);
    bitmaps->context = avcodec_alloc_context3(codec);
    if (bitmaps->context) result = avcodec_parameters_to_context(bitmaps->context, stream->codecpar);
    if (result >= 0) {
        bitmaps->context->pkt_timebase = stream->time_base;
        bitmaps->context->opaque = &bitmaps->complaints;
        /* The size that a track claims must not size an allocation. */
        bitmaps->context->max_pixels = 8192LL * 8192;
        result = avcodec_open2(bitmaps->context, codec, NULL);
    }
    if (result < 0) {
        rt_bitmaps_close(bitmaps);
        return result;
    }
    *out = bitmaps;
    return 0;
}

void rt_bitmaps_close(rt_bitmaps *bitmaps) {
    if (!bitmaps) return;
    avsubtitle_free(&bitmaps->shown);
    avcodec_free_context(&bitmaps->context);
    av_free(bitmaps);
}

int rt_bitmaps_decode(rt_bitmaps *bitmaps, const AVPacket *packet, rt_bitmap_set *out) {
    memset(out, 0, sizeof *out);
    avsubtitle_free(&bitmaps->shown);
    memset(&bitmaps->shown, 0, sizeof bitmaps->shown);
    int got = 0;
    int result = avcodec_decode_subtitle2(bitmaps->context, &bitmaps->shown, &got, (AVPacket *)packet);
    if (result < 0 || !got) return result < 0 ? result : 0;
    out->pts = bitmaps->shown.pts;
    out->begins = bitmaps->shown.start_display_time;
    out->ends = bitmaps->shown.end_display_time == UINT32_MAX ? 0 : bitmaps->shown.end_display_time;
    out->count = (int32_t)bitmaps->shown.num_rects;
    out->width = bitmaps->context->width;
    out->height = bitmaps->context->height;
    return 1;
}

int64_t rt_bitmaps_complaints(rt_bitmaps *bitmaps) { return atomic_load(&bitmaps->complaints); }

int rt_bitmap_of(const rt_bitmaps *bitmaps, int index, rt_bitmap *out) {
    memset(out, 0, sizeof *out);
    if (index < 0 || (unsigned)index >= bitmaps->shown.num_rects) return AVERROR(EINVAL);
    const AVSubtitleRect *rect = bitmaps->shown.rects[index];
    if (rect->type != SUBTITLE_BITMAP || !rect->data[0] || !rect->data[1]) return 0;
    if (rect->w <= 0 || rect->h <= 0 || rect->linesize[0] < rect->w) return 0;
    out->x = rect->x;
    out->y = rect->y;
    out->width = rect->w;
    out->height = rect->h;
    out->stride = rect->linesize[0];
    out->indices = rect->data[0];
    memcpy(out->palette, rect->data[1], sizeof out->palette);
    return 1;
}
