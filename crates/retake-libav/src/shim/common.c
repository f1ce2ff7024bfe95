/* Messages, error codes, pixel formats and side data, which all shims need. */
#include "shim.h"

#include <errno.h>
#include <stdatomic.h>
#include <libavutil/imgutils.h>
#include <libavutil/log.h>
#include <libavutil/mastering_display_metadata.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char last_message[512];

/* What counts the complaints of the input that this thread reads from; NULL while it reads from none. */
static _Thread_local atomic_llong *reading;

void *rt_reads(void *complaints) {
    void *before = reading;
    reading = complaints;
    return before;
}

/* Films that were cut between open groups of pictures name references that are no longer there. Where a
   picture needs one of them, another message tells of it. */
static int is_bookkeeping(const char *format) {
    return !strncmp(format, "mmco:", 5) || !strncmp(format, "number of reference frames", 26);
}

/* From 7.1 on, encoders list behind a reason what they would have taken: "Supported sample rates:", and a
   line that begins with spaces for each. The reason is what was said before. */
static int is_list(const char *format) {
    size_t length = strlen(format);
    return !strncmp(format, "  ", 2) || (length >= 2 && !strcmp(format + length - 2, ":\n"));
}

/* From 6 on, graphs of filters say at the end which of their steps failed ("Error creating filters"), behind
   the reason. */
static int is_step(const char *format) { return !strncmp(format, "Error ", 6) && strstr(format, " filters"); }

/* FFmpeg stays silent; the worst of its messages in this thread is kept for the error that may follow. */
static void keep_message(void *context, int level, const char *format, va_list arguments) {
    const AVClass *class = context ? *(const AVClass **)context : NULL;
    /* Decoders conceal damage and tell of it in messages alone, so those of our own inputs and decoders are
       counted. */
    if (class && level <= AV_LOG_ERROR && !is_bookkeeping(format)) {
        void *counter = class == avcodec_get_class() ? ((AVCodecContext *)context)->opaque
                        : class == avformat_get_class() ? ((AVFormatContext *)context)->opaque
                                                        : NULL;
        if (counter) atomic_fetch_add((atomic_llong *)counter, 1);
    } else if (reading && !strncmp(format, "Truncating packet of size", 25)) {
        /* The bytes end within a sample: they warn of it themselves, and know nothing of the input. */
        atomic_fetch_add(reading, 1);
    }
    static _Thread_local int last_level = AV_LOG_QUIET;
    if (level > AV_LOG_WARNING || is_list(format)) return;
    if (last_message[0] && (level > last_level || is_step(format))) return;
    last_level = level;
    vsnprintf(last_message, sizeof last_message, format, arguments);
    size_t length = strlen(last_message);
    while (length && (last_message[length - 1] == '\n' || last_message[length - 1] == ' ' || last_message[length - 1] == '.'))
        last_message[--length] = 0;
}

void rt_setup(void) { av_log_set_callback(keep_message); }

const char *rt_last_message(void) { return last_message; }

void rt_say(const char *message) { snprintf(last_message, sizeof last_message, "%s", message); }

void rt_forget(void) { last_message[0] = 0; }

void rt_error_text(int code, char *text, size_t size) {
    if (size && av_strerror(code, text, size) < 0) snprintf(text, size, "error %d", code);
}

int rt_errno(int code) {
    int number = AVUNERROR(code);
    /* FFmpeg's own codes are four letters, far above any error number. */
    return number > 0 && number < 4096 ? number : 0;
}

int rt_is_end(int code) { return code == AVERROR_EOF; }

int rt_is_again(int code) { return code == AVERROR(EAGAIN); }

void rt_version(int32_t out[3]) {
    out[0] = (int32_t)avformat_version();
    out[1] = (int32_t)avcodec_version();
    out[2] = (int32_t)avutil_version();
}

void rt_describe_pixels(int format, rt_pixels *out) {
    memset(out, 0, sizeof *out);
    out->ours = -1;
    out->name = "unknown";
    const AVPixFmtDescriptor *description = av_pix_fmt_desc_get(format);
    if (!description) return;
    out->name = description->name;
    for (int i = 0; i < description->nb_components; i++)
        if (description->comp[i].depth > out->depth) out->depth = description->comp[i].depth;
    out->chroma_w = description->log2_chroma_w;
    out->chroma_h = description->log2_chroma_h;
    out->alpha = !!(description->flags & AV_PIX_FMT_FLAG_ALPHA);
    out->gray = description->nb_components < 3;
    out->rgb = !!(description->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BAYER));
    out->convertible = sws_isSupportedInput(format);
    switch (format) {
    case AV_PIX_FMT_YUV420P:
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUVA420P: out->ours = RT_PICTURE_I420; break;
    case AV_PIX_FMT_YUV420P10LE:
    case AV_PIX_FMT_YUVA420P10LE: out->ours = RT_PICTURE_I010; break;
    case AV_PIX_FMT_YUV422P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUVA422P: out->ours = RT_PICTURE_I422; break;
    case AV_PIX_FMT_YUV422P10LE:
    case AV_PIX_FMT_YUVA422P10LE: out->ours = RT_PICTURE_I210; break;
    case AV_PIX_FMT_YUV444P:
    case AV_PIX_FMT_YUVJ444P:
    case AV_PIX_FMT_YUVA444P: out->ours = RT_PICTURE_I444; break;
    case AV_PIX_FMT_YUV444P10LE:
    case AV_PIX_FMT_YUVA444P10LE: out->ours = RT_PICTURE_I410; break;
    case AV_PIX_FMT_GRAY8: out->ours = RT_PICTURE_Y8; break;
    case AV_PIX_FMT_GRAY10LE: out->ours = RT_PICTURE_Y10; break;
    default: break;
    }
}

int rt_pixel_format(int picture) {
    switch (picture) {
    case RT_PICTURE_I010: return AV_PIX_FMT_YUV420P10LE;
    case RT_PICTURE_I422: return AV_PIX_FMT_YUV422P;
    case RT_PICTURE_I210: return AV_PIX_FMT_YUV422P10LE;
    case RT_PICTURE_I444: return AV_PIX_FMT_YUV444P;
    case RT_PICTURE_I410: return AV_PIX_FMT_YUV444P10LE;
    case RT_PICTURE_Y8: return AV_PIX_FMT_GRAY8;
    case RT_PICTURE_Y10: return AV_PIX_FMT_GRAY10LE;
    default: return AV_PIX_FMT_YUV420P;
    }
}

static uint32_t scaled(AVRational value, double unit, uint32_t most) {
    double number = value.den ? value.num / (double)value.den * unit : 0;
    if (!(number > 0)) return 0;
    number = floor(number + 0.5);
    return number > most ? most : (uint32_t)number;
}

void rt_hdr_from(rt_hdr *hdr, const uint8_t *mastering_bytes, const uint8_t *light_bytes) {
    const AVMasteringDisplayMetadata *mastering = (const void *)mastering_bytes;
    const AVContentLightMetadata *light = (const void *)light_bytes;
    if (mastering && mastering->has_primaries && mastering->has_luminance) {
        /* FFmpeg orders red, green, blue; H.265 orders green, blue, red. */
        static const int from_rgb[3] = {1, 2, 0};
        hdr->has_mastering = 1;
        for (int i = 0; i < 3; i++)
            for (int axis = 0; axis < 2; axis++)
                hdr->primaries_gbr[i][axis] = scaled(mastering->display_primaries[from_rgb[i]][axis], 50000, UINT16_MAX);
        for (int axis = 0; axis < 2; axis++) hdr->white_point[axis] = scaled(mastering->white_point[axis], 50000, UINT16_MAX);
        hdr->max_luminance = scaled(mastering->max_luminance, 10000, UINT32_MAX);
        hdr->min_luminance = scaled(mastering->min_luminance, 10000, UINT32_MAX);
    }
    if (light && (light->MaxCLL || light->MaxFALL)) {
        hdr->has_light = 1;
        hdr->max_content = light->MaxCLL > UINT16_MAX ? UINT16_MAX : light->MaxCLL;
        hdr->max_average = light->MaxFALL > UINT16_MAX ? UINT16_MAX : light->MaxFALL;
    }
}

AVRational rt_aspect(AVRational aspect, int width, int height) {
    int possible = width > 0 && height > 0 && av_image_check_sar(width, height, aspect) >= 0;
    return possible ? aspect : (AVRational){0, 1};
}

const uint8_t *rt_side_data(const AVStream *stream, enum AVPacketSideDataType type) {
#if RT_CODED_SIDE_DATA
    const AVCodecParameters *par = stream->codecpar;
    const AVPacketSideData *found = av_packet_side_data_get(par->coded_side_data, par->nb_coded_side_data, type);
    return found ? found->data : NULL;
#else
    return av_stream_get_side_data(stream, type, NULL);
#endif
}
