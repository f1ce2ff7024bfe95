/* Decodes packets of sound to interleaved samples of one format, rate and layout. */
#include "shim.h"

#include <libavutil/channel_layout.h>
#include <libavutil/mathematics.h>
#include <libavutil/mem.h>
#include <libswresample/swresample.h>
#include <stdatomic.h>
#include <string.h>

struct rt_pcm {
    AVCodecContext *decoder;
    AVFrame *frame, *ahead; /* the one that is converted, and the one that was received last */
    rt_converter *converter;
    atomic_llong complaints; /* counted by the log callback */
};

struct rt_converter {
    SwrContext *context;
    enum AVSampleFormat format, from_format;
    AVChannelLayout layout, from_layout;
    int rate, from_rate;
    uint8_t *made;
    size_t capacity;
};

static enum AVSampleFormat format_of(int format) {
    switch (format) {
    case RT_SAMPLES_S16: return AV_SAMPLE_FMT_S16;
    case RT_SAMPLES_S32: return AV_SAMPLE_FMT_S32;
    default: return AV_SAMPLE_FMT_FLT;
    }
}

/* The usual layout of so many channels, or the one of a mask. */
static int layout_of(AVChannelLayout *out, uint64_t mask, int channels) {
    memset(out, 0, sizeof *out);
    if (mask) return av_channel_layout_from_mask(out, mask);
    if (channels <= 0) return AVERROR(EINVAL);
    av_channel_layout_default(out, channels);
    return 0;
}

int rt_converter_open(int format, int rate, int channels, uint64_t layout, rt_converter **out) {
    *out = NULL;
    if (rate <= 0) return AVERROR(EINVAL);
    rt_converter *converter = av_mallocz(sizeof *converter);
    if (!converter) return AVERROR(ENOMEM);
    converter->format = format_of(format);
    converter->rate = rate;
    int result = layout_of(&converter->layout, layout, channels);
    if (result < 0) {
        rt_converter_close(converter);
        return result;
    }
    *out = converter;
    return 0;
}

void rt_converter_close(rt_converter *converter) {
    if (!converter) return;
    swr_free(&converter->context);
    av_channel_layout_uninit(&converter->layout);
    av_channel_layout_uninit(&converter->from_layout);
    av_free(converter->made);
    av_free(converter);
}

void rt_converter_of(const rt_converter *converter, rt_audio *out) {
    memset(out, 0, sizeof *out);
    out->sample_rate = converter->rate;
    out->channels = converter->layout.nb_channels;
    out->layout = converter->layout.order == AV_CHANNEL_ORDER_NATIVE ? converter->layout.u.mask : 0;
}

/* Begins a stretch of sound of this kind. What the stretch before has left must have been drained. */
static int begin(rt_converter *converter, enum AVSampleFormat format, int rate, const AVChannelLayout *layout) {
    AVChannelLayout from = {0};
    /* A rate that a file claims must not size an allocation; real ones are 48 times another at most. */
    if (rate <= 0 || converter->rate / rate > 64) return AVERROR(EINVAL);
    int result = layout->order == AV_CHANNEL_ORDER_UNSPEC ? layout_of(&from, 0, layout->nb_channels)
                                                          : av_channel_layout_copy(&from, layout);
    swr_free(&converter->context);
    if (result >= 0) result = swr_alloc_set_opts2(&converter->context, &converter->layout, converter->format, converter->rate, &from, format, rate, 0, NULL);
    if (result >= 0) result = swr_init(converter->context);
    if (result >= 0) {
        converter->from_format = format;
        converter->from_rate = rate;
        av_channel_layout_uninit(&converter->from_layout);
        result = av_channel_layout_copy(&converter->from_layout, layout);
    }
    av_channel_layout_uninit(&from);
    if (result < 0) swr_free(&converter->context);
    return result;
}

/* Converts `count` samples of each channel, or what is still inside where `planes` is NULL. */
static int convert(rt_converter *converter, const uint8_t **planes, int count, const uint8_t **data, int *samples) {
    *data = NULL;
    *samples = 0;
    if (!converter->context) return planes ? AVERROR(EINVAL) : 0;
    int most = swr_get_out_samples(converter->context, count);
    if (most < 0) return most;
    size_t step = (size_t)av_get_bytes_per_sample(converter->format) * converter->layout.nb_channels;
    /* Resampling of an end makes a little more than it announces. */
    size_t wanted = ((size_t)most + 256) * step;
    if (wanted > converter->capacity) {
        av_free(converter->made);
        converter->made = av_malloc(wanted);
        converter->capacity = converter->made ? wanted : 0;
        if (!converter->made) return AVERROR(ENOMEM);
    }
    uint8_t *made[1] = {converter->made};
    int result = swr_convert(converter->context, made, most + 256, planes, count);
    if (result < 0) return result;
    *data = converter->made;
    *samples = result;
    return 0;
}

int rt_converter_drain(rt_converter *converter, const uint8_t **data, int *samples) {
    int result = convert(converter, NULL, 0, data, samples);
    swr_free(&converter->context);
    return result;
}

int rt_converter_floats(rt_converter *converter, const float *from, int count, int rate, int channels, uint64_t mask, const uint8_t **data,
                        int *samples) {
    if (!converter->context) {
        AVChannelLayout layout;
        int result = layout_of(&layout, mask, channels);
        if (result >= 0) result = begin(converter, AV_SAMPLE_FMT_FLT, rate, &layout);
        av_channel_layout_uninit(&layout);
        if (result < 0) return result;
    }
    const uint8_t *planes[1] = {(const uint8_t *)from};
    return convert(converter, planes, count, data, samples);
}

int rt_pcm_open(rt_input *input, int index, int format, int rate, int channels, uint64_t layout, rt_pcm **out) {
    *out = NULL;
    AVFormatContext *context = rt_context(input);
    if (index < 0 || (unsigned)index >= context->nb_streams) return AVERROR(EINVAL);
    const AVStream *stream = context->streams[index];
    const AVCodecParameters *par = stream->codecpar;
    if (par->codec_type != AVMEDIA_TYPE_AUDIO) return AVERROR(EINVAL);
    const AVCodec *codec = avcodec_find_decoder(par->codec_id);
    if (!codec) return AVERROR_DECODER_NOT_FOUND;
    rt_pcm *pcm = av_mallocz(sizeof *pcm);
    if (!pcm) return AVERROR(ENOMEM);
    if (!layout && !channels) {
        channels = par->ch_layout.nb_channels;
        layout = par->ch_layout.order == AV_CHANNEL_ORDER_NATIVE ? par->ch_layout.u.mask : 0;
    }
    int result = rt_converter_open(format, rate ? rate : par->sample_rate, channels, layout, &pcm->converter);
    if (result >= 0) {
        pcm->decoder = avcodec_alloc_context3(codec);
        pcm->frame = av_frame_alloc();
        pcm->ahead = av_frame_alloc();
        result = pcm->decoder && pcm->frame && pcm->ahead ? avcodec_parameters_to_context(pcm->decoder, par) : AVERROR(ENOMEM);
    }
    if (result >= 0) {
        pcm->decoder->pkt_timebase = stream->time_base;
        pcm->decoder->thread_count = 1;
        pcm->decoder->opaque = &pcm->complaints;
        result = avcodec_open2(pcm->decoder, codec, NULL);
    }
    if (result < 0) {
        rt_pcm_close(pcm);
        return result;
    }
    *out = pcm;
    return 0;
}

void rt_pcm_close(rt_pcm *pcm) {
    if (!pcm) return;
    avcodec_free_context(&pcm->decoder);
    av_frame_free(&pcm->frame);
    av_frame_free(&pcm->ahead);
    rt_converter_close(pcm->converter);
    av_free(pcm);
}

void rt_pcm_of(const rt_pcm *pcm, rt_audio *out) {
    rt_converter_of(pcm->converter, out);
    const AVCodecContext *decoder = pcm->decoder;
    const enum AVSampleFormat format = av_get_packed_sample_fmt(decoder->sample_fmt);
    if (format == AV_SAMPLE_FMT_FLT || format == AV_SAMPLE_FMT_DBL || format == AV_SAMPLE_FMT_NONE) return;
    const int all = av_get_bytes_per_sample(format) * 8, raw = decoder->bits_per_raw_sample;
    out->bits_per_sample = raw > 0 && raw < all ? raw : all;
}

int rt_pcm_send(rt_pcm *pcm, AVPacket *packet) { return avcodec_send_packet(pcm->decoder, packet); }

int64_t rt_pcm_complaints(rt_pcm *pcm) { return atomic_load(&pcm->complaints); }

void rt_pcm_flush(rt_pcm *pcm) { avcodec_flush_buffers(pcm->decoder); }

int rt_pcm_receive(rt_pcm *pcm, rt_sound_frame *out) {
    memset(out, 0, sizeof *out);
    int result = avcodec_receive_frame(pcm->decoder, pcm->ahead);
    if (result < 0) return result;
    const AVFrame *frame = pcm->ahead;
    if (frame->nb_samples <= 0 || frame->sample_rate <= 0) return AVERROR_INVALIDDATA;
    out->pts = frame->best_effort_timestamp;
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
    out->duration = frame->duration;
#else
    out->duration = frame->pkt_duration;
#endif
    out->samples = frame->nb_samples;
    out->rate = frame->sample_rate;
    out->damaged = (frame->flags & AV_FRAME_FLAG_CORRUPT) || frame->decode_error_flags;
    return 0;
}

int rt_pcm_advance(rt_pcm *pcm) {
    const rt_converter *converter = pcm->converter;
    av_frame_unref(pcm->frame);
    av_frame_move_ref(pcm->frame, pcm->ahead);
    const AVFrame *frame = pcm->frame;
    return converter->context && (frame->sample_rate != converter->from_rate || frame->format != (int)converter->from_format ||
                                  av_channel_layout_compare(&frame->ch_layout, &converter->from_layout));
}

int rt_pcm_convert(rt_pcm *pcm, int skip, int count, const uint8_t **data, int *samples) {
    const AVFrame *frame = pcm->frame;
    rt_converter *converter = pcm->converter;
    if (skip < 0 || count < 0 || skip > frame->nb_samples - count) return AVERROR(EINVAL);
    if (!converter->context) {
        int result = begin(converter, frame->format, frame->sample_rate, &frame->ch_layout);
        if (result < 0) return result;
    }
    int channels = frame->ch_layout.nb_channels, planar = av_sample_fmt_is_planar(frame->format);
    size_t step = (size_t)av_get_bytes_per_sample(frame->format) * (planar ? 1 : channels);
    const uint8_t **planes = av_calloc((size_t)channels, sizeof *planes);
    if (!planes) return AVERROR(ENOMEM);
    for (int plane = 0; plane < (planar ? channels : 1); plane++) planes[plane] = frame->extended_data[plane] + step * skip;
    int result = convert(converter, planes, count, data, samples);
    av_free(planes);
    return result;
}

int rt_pcm_drain(rt_pcm *pcm, const uint8_t **data, int *samples) { return rt_converter_drain(pcm->converter, data, samples); }
