/* Encodes sound: frames of interleaved samples in, packets out. */
#include "shim.h"

#include <libavutil/avstring.h>
#include <libavutil/channel_layout.h>
#include <libavutil/dict.h>
#include <libavutil/mem.h>
#include <math.h>
#include <string.h>

struct rt_sound {
    AVCodecContext *encoder;
    AVFrame *frame;
    int frame_size;
};

/* Opens the encoder with one of the layouts of samples. Only opening shows which one it takes, because the
   lists of supported layouts have moved about in FFmpeg. */
static int open_as(rt_sound *sound, const AVCodec *codec, enum AVSampleFormat format, const rt_sound_settings *settings) {
    AVCodecContext *encoder = sound->encoder = avcodec_alloc_context3(codec);
    if (!encoder) return AVERROR(ENOMEM);
    encoder->sample_fmt = format;
    encoder->sample_rate = settings->rate;
    encoder->time_base = (AVRational){1, settings->rate};
    encoder->thread_count = 1;
    int result = 0;
    if (settings->layout) result = av_channel_layout_from_mask(&encoder->ch_layout, settings->layout);
    else av_channel_layout_default(&encoder->ch_layout, settings->channels);
    if (settings->bit_rate > 0) encoder->bit_rate = settings->bit_rate;
    if (settings->bit_depth > 16) encoder->bits_per_raw_sample = settings->bit_depth;
    /* Global headers put the data that decoders need beside the samples, and equal input must give equal
       bytes. */
    encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
    AVDictionary *options = NULL;
    if (result >= 0 && settings->option) result = av_dict_set(&options, settings->option, settings->value, 0);
    if (result >= 0) result = avcodec_open2(encoder, codec, &options);
    av_dict_free(&options);
    if (result < 0) avcodec_free_context(&sound->encoder);
    return result;
}

int rt_sound_open(const rt_sound_settings *settings, rt_sound **out) {
    static const enum AVSampleFormat floats[] = {AV_SAMPLE_FMT_FLTP, AV_SAMPLE_FMT_FLT}, words[] = {AV_SAMPLE_FMT_S16P, AV_SAMPLE_FMT_S16},
                                     longs[] = {AV_SAMPLE_FMT_S32P, AV_SAMPLE_FMT_S32};
    /* Uncompressed sound has packets of any length; this one is short against everything that waits. */
    enum { UNCOMPRESSED_FRAME = 1024 };
    *out = NULL;
    const AVCodec *codec = avcodec_find_encoder_by_name(settings->encoder);
    if (!codec || codec->type != AVMEDIA_TYPE_AUDIO) return AVERROR_ENCODER_NOT_FOUND;
    if (settings->rate <= 0 || (settings->channels <= 0 && !settings->layout)) return AVERROR(EINVAL);
    rt_sound *sound = av_mallocz(sizeof *sound);
    if (!sound) return AVERROR(ENOMEM);
    const enum AVSampleFormat *formats = !settings->bit_depth ? floats : settings->bit_depth > 16 ? longs : words;
    int result = open_as(sound, codec, formats[0], settings);
    if (result < 0) {
        /* Where it was not the layout that was refused, the other one would hide the reason. */
        char reason[512];
        av_strlcpy(reason, rt_last_message(), sizeof reason);
        rt_forget();
        result = open_as(sound, codec, formats[1], settings);
        if (result < 0 && *reason && !strstr(reason, "ample format")) rt_say(reason);
    }
    if (result >= 0) {
        sound->frame_size = sound->encoder->frame_size;
        if (codec->capabilities & AV_CODEC_CAP_VARIABLE_FRAME_SIZE) sound->frame_size = UNCOMPRESSED_FRAME;
        if (sound->frame_size <= 0) result = AVERROR(ENOSYS);
    }
    if (result >= 0) {
        sound->frame = av_frame_alloc();
        result = sound->frame ? 0 : AVERROR(ENOMEM);
    }
    if (result < 0) {
        rt_sound_close(sound);
        return result;
    }
    *out = sound;
    return 0;
}

void rt_sound_close(rt_sound *sound) {
    if (!sound) return;
    avcodec_free_context(&sound->encoder);
    av_frame_free(&sound->frame);
    av_free(sound);
}

void rt_sound_of(const rt_sound *sound, rt_audio *out) {
    memset(out, 0, sizeof *out);
    const AVCodecContext *encoder = sound->encoder;
    const AVCodecDescriptor *codec = avcodec_descriptor_get(encoder->codec_id);
    out->codec = codec ? codec->name : "unknown";
    out->sample_rate = encoder->sample_rate;
    out->channels = encoder->ch_layout.nb_channels;
    out->layout = encoder->ch_layout.order == AV_CHANNEL_ORDER_NATIVE ? encoder->ch_layout.u.mask : 0;
    out->frame_size = sound->frame_size;
    out->padding = encoder->initial_padding;
    out->bit_rate = encoder->bit_rate;
    if (codec && codec->props & AV_CODEC_PROP_LOSSLESS) {
        out->bits_per_sample = encoder->bits_per_coded_sample ? encoder->bits_per_coded_sample : encoder->bits_per_raw_sample;
        if (!out->bits_per_sample) out->bits_per_sample = 16;
    }
    if (av_get_bits_per_sample(encoder->codec_id))
        out->block_align = av_get_bits_per_sample(encoder->codec_id) / 8 * encoder->ch_layout.nb_channels;
    out->config = encoder->extradata;
    out->config_size = encoder->extradata_size > 0 ? (size_t)encoder->extradata_size : 0;
}

/* Writes one sample in the encoder's form. Numbers beyond full scale are cut. */
static void put_sample(uint8_t *to, enum AVSampleFormat format, float sample) {
    switch (av_get_packed_sample_fmt(format)) {
    case AV_SAMPLE_FMT_S16: {
        int16_t number = (int16_t)av_clip_int16((int)lrint(av_clipd(sample, -2, 2) * 32768));
        memcpy(to, &number, sizeof number);
        break;
    }
    case AV_SAMPLE_FMT_S32: {
        /* 24 bits are what floats hold, and what no encoder here exceeds. */
        int32_t number = av_clip((int)lrint(av_clipd(sample, -2, 2) * 8388608), -8388608, 8388607) * 256;
        memcpy(to, &number, sizeof number);
        break;
    }
    default: memcpy(to, &sample, sizeof sample); break;
    }
}

int rt_sound_send(rt_sound *sound, const float *samples, int count, int64_t pts) {
    AVCodecContext *encoder = sound->encoder;
    if (!samples) return avcodec_send_frame(encoder, NULL);
    if (count <= 0 || count > sound->frame_size) return AVERROR(EINVAL);
    AVFrame *frame = sound->frame;
    const int channels = encoder->ch_layout.nb_channels;
    av_frame_unref(frame);
    frame->format = encoder->sample_fmt;
    frame->nb_samples = count;
    frame->sample_rate = encoder->sample_rate;
    frame->pts = pts;
    int result = av_channel_layout_copy(&frame->ch_layout, &encoder->ch_layout);
    if (result >= 0) result = av_frame_get_buffer(frame, 0);
    if (result < 0) return result;
    const size_t width = (size_t)av_get_bytes_per_sample(encoder->sample_fmt);
    const int planar = av_sample_fmt_is_planar(encoder->sample_fmt);
    for (int channel = 0; channel < channels; channel++) {
        uint8_t *to = planar ? frame->extended_data[channel] : frame->extended_data[0] + width * channel;
        const size_t step = planar ? width : width * channels;
        for (int i = 0; i < count; i++) put_sample(to + step * i, encoder->sample_fmt, samples[(size_t)i * channels + channel]);
    }
    return avcodec_send_frame(encoder, frame);
}

int rt_sound_receive(rt_sound *sound, rt_packet *out) {
    memset(out, 0, sizeof *out);
    AVPacket *packet = av_packet_alloc();
    if (!packet) return AVERROR(ENOMEM);
    int result = avcodec_receive_packet(sound->encoder, packet);
    if (result < 0) {
        av_packet_free(&packet);
        return result;
    }
    out->packet = packet;
    out->pts = packet->pts;
    out->dts = packet->dts;
    out->duration = packet->duration;
    out->data = packet->data;
    out->size = packet->size > 0 ? (size_t)packet->size : 0;
    return 0;
}
