/* Decodes packets to pictures. */
#include "shim.h"

#include <libavutil/mem.h>
#include <libavutil/display.h>
#include <libavutil/opt.h>
#include <stdatomic.h>
#include <string.h>

struct rt_decoder {
    AVCodecContext *context;
    atomic_llong complaints; /* counted by the log callback, in any thread of the decoder */
};

int rt_decoder_open(rt_input *input, int index, int threads, rt_decoder **out) {
    *out = NULL;
    AVFormatContext *format = rt_context(input);
    if (index < 0 || (unsigned)index >= format->nb_streams) return AVERROR(EINVAL);
    const AVStream *stream = format->streams[index];
    const AVCodec *codec = avcodec_find_decoder(stream->codecpar->codec_id);
    if (!codec) return AVERROR_DECODER_NOT_FOUND;
    rt_decoder *decoder = av_mallocz(sizeof *decoder);
    if (!decoder) return AVERROR(ENOMEM);
    int result = AVERROR(ENOMEM);
    decoder->context = avcodec_alloc_context3(codec);
    if (decoder->context) result = avcodec_parameters_to_context(decoder->context, stream->codecpar);
    if (result >= 0) {
        decoder->context->pkt_timebase = stream->time_base;
        decoder->context->thread_count = threads;
        decoder->context->opaque = &decoder->complaints;
        /* The size that a file claims must not size an allocation. */
        decoder->context->max_pixels = 16384LL * 16384;
        result = avcodec_open2(decoder->context, codec, NULL);
    }
    if (result < 0) {
        rt_decoder_close(decoder);
        return result;
    }
    *out = decoder;
    return 0;
}

void rt_decoder_close(rt_decoder *decoder) {
    if (!decoder) return;
    avcodec_free_context(&decoder->context);
    av_free(decoder);
}

int rt_decoder_send(rt_decoder *decoder, AVPacket *packet) { return avcodec_send_packet(decoder->context, packet); }

static const uint8_t *frame_side_data(const AVFrame *frame, enum AVFrameSideDataType type) {
    const AVFrameSideData *data = av_frame_get_side_data(frame, type);
    return data ? data->data : NULL;
}

static uint32_t extra_of(enum AVFrameSideDataType type) {
    switch (type) {
    case AV_FRAME_DATA_A53_CC: return RT_CAPTIONS;
    case AV_FRAME_DATA_DYNAMIC_HDR_PLUS: return RT_HDR10_PLUS;
    case AV_FRAME_DATA_DOVI_RPU_BUFFER:
    case AV_FRAME_DATA_DOVI_METADATA: return RT_DOLBY_VISION;
    case AV_FRAME_DATA_STEREO3D: return RT_STEREO;
    case AV_FRAME_DATA_AFD: return RT_ACTIVE_FORMAT;
    case AV_FRAME_DATA_S12M_TIMECODE: return RT_TIMECODE;
    case AV_FRAME_DATA_ICC_PROFILE: return RT_COLOUR_PROFILE;
    case AV_FRAME_DATA_SPHERICAL: return RT_SPHERICAL;
    default: return 0;
    }
}

void rt_frame_describe(AVFrame *frame, rt_frame *out) {
    memset(out, 0, sizeof *out);
    out->frame = frame;
    out->pts = frame->best_effort_timestamp;
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
    out->duration = frame->duration;
#else
    out->duration = frame->pkt_duration;
#endif
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
    out->key = !!(frame->flags & AV_FRAME_FLAG_KEY);
    if (frame->flags & AV_FRAME_FLAG_INTERLACED) out->interlaced = frame->flags & AV_FRAME_FLAG_TOP_FIELD_FIRST ? 1 : 2;
#else
    out->key = frame->key_frame;
    if (frame->interlaced_frame) out->interlaced = frame->top_field_first ? 1 : 2;
#endif
    out->damaged = (frame->flags & AV_FRAME_FLAG_CORRUPT) || frame->decode_error_flags;
    for (int i = 0; i < 3; i++) {
        out->data[i] = frame->data[i];
        out->stride[i] = frame->linesize[i];
    }
    out->width = frame->width;
    out->height = frame->height;
    out->format = frame->format;
    AVRational aspect = rt_aspect(frame->sample_aspect_ratio, frame->width, frame->height);
    out->aspect = (rt_ratio){aspect.num, aspect.den};
    out->colour = (rt_colour){frame->color_primaries, frame->color_trc, frame->colorspace, frame->color_range, frame->chroma_location};
    rt_describe_pixels(frame->format, &out->pixels);
    rt_hdr_from(&out->hdr, frame_side_data(frame, AV_FRAME_DATA_MASTERING_DISPLAY_METADATA),
                frame_side_data(frame, AV_FRAME_DATA_CONTENT_LIGHT_LEVEL));
    for (int i = 0; i < frame->nb_side_data; i++) out->extras |= extra_of(frame->side_data[i]->type);
    const AVFrameSideData *captions = av_frame_get_side_data(frame, AV_FRAME_DATA_A53_CC);
    if (captions) out->captions = captions->data, out->captions_size = (size_t)captions->size;
    const AVFrameSideData *rpu = av_frame_get_side_data(frame, AV_FRAME_DATA_DOVI_RPU_BUFFER);
    if (rpu) out->rpu = rpu->data, out->rpu_size = (size_t)rpu->size;
    const uint8_t *matrix = frame_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX);
    if (matrix) {
        memcpy(out->matrix, matrix, sizeof out->matrix);
        out->has_matrix = 1;
        out->rotation = av_display_rotation_get(out->matrix);
    }
}

int rt_decoder_receive(rt_decoder *decoder, rt_frame *out) {
    memset(out, 0, sizeof *out);
    AVFrame *frame = av_frame_alloc();
    if (!frame) return AVERROR(ENOMEM);
    int result = avcodec_receive_frame(decoder->context, frame);
    if (result < 0) {
        av_frame_free(&frame);
        return result;
    }
    rt_frame_describe(frame, out);
    return 0;
}

void rt_decoder_flush(rt_decoder *decoder) { avcodec_flush_buffers(decoder->context); }

void rt_decoder_renew(rt_decoder *decoder) {
    AVCodecContext *old = decoder->context, *new = avcodec_alloc_context3(old->codec);
    AVCodecParameters *par = avcodec_parameters_alloc();
    int result = new && par ? avcodec_parameters_from_context(par, old) : AVERROR(ENOMEM);
    if (result >= 0) {
        /* Decoders keep the range of the last stream that stated one, and a format that is named after it. */
        par->color_range = AVCOL_RANGE_UNSPECIFIED;
        par->format = AV_PIX_FMT_NONE;
        result = avcodec_parameters_to_context(new, par);
    }
    if (result >= 0) {
        new->pkt_timebase = old->pkt_timebase;
        new->thread_count = old->thread_count;
        new->opaque = old->opaque;
        new->max_pixels = old->max_pixels;
        result = avcodec_open2(new, old->codec, NULL);
    }
    avcodec_parameters_free(&par);
    if (result < 0) {
        avcodec_free_context(&new);
        avcodec_flush_buffers(old);
        return;
    }
    avcodec_free_context(&decoder->context);
    decoder->context = new;
}

int64_t rt_decoder_complaints(rt_decoder *decoder) { return atomic_load(&decoder->complaints); }

void rt_frame_free(AVFrame *frame) { av_frame_free(&frame); }
