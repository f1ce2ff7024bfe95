/* Encodes sound: frames of interleaved samples in, packets out. */
#include "shim.h"

#include <libavutil/channel_layout.h>
#include <libavutil/mem.h>
#include <string.h>

struct rt_sound {
    AVCodecContext *encoder;
    AVFrame *frame;
};

/* Opens the encoder with one of the two layouts of float samples. Only opening shows which one it takes,
   because the lists of supported layouts have moved about in FFmpeg. */
static int open_as(rt_sound *sound, const AVCodec *codec, enum AVSampleFormat format, int rate, int channels, int64_t bit_rate) {
    AVCodecContext *encoder = sound->encoder = avcodec_alloc_context3(codec);
    if (!encoder) return AVERROR(ENOMEM);
    encoder->sample_fmt = format;
    encoder->sample_rate = rate;
    encoder->time_base = (AVRational){1, rate};
    encoder->thread_count = 1;
    av_channel_layout_default(&encoder->ch_layout, channels);
    if (bit_rate > 0) encoder->bit_rate = bit_rate;
    /* Global headers put the data that decoders need beside the samples, and equal input must give equal
       bytes. */
    encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
    int result = avcodec_open2(encoder, codec, NULL);
    if (result < 0) avcodec_free_context(&sound->encoder);
    return result;
}

int rt_sound_open(const char *name, int rate, int channels, int64_t bit_rate, rt_sound **out) {
    *out = NULL;
    const AVCodec *codec = avcodec_find_encoder_by_name(name);
    if (!codec || codec->type != AVMEDIA_TYPE_AUDIO) return AVERROR_ENCODER_NOT_FOUND;
    if (rate <= 0 || channels <= 0) return AVERROR(EINVAL);
    rt_sound *sound = av_mallocz(sizeof *sound);
    if (!sound) return AVERROR(ENOMEM);
    int result = open_as(sound, codec, AV_SAMPLE_FMT_FLTP, rate, channels, bit_rate);
    if (result < 0) result = open_as(sound, codec, AV_SAMPLE_FMT_FLT, rate, channels, bit_rate);
    if (result >= 0 && sound->encoder->frame_size <= 0) result = AVERROR(ENOSYS);
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
    out->frame_size = encoder->frame_size;
    out->padding = encoder->initial_padding;
    out->bit_rate = encoder->bit_rate;
    out->config = encoder->extradata;
    out->config_size = encoder->extradata_size > 0 ? (size_t)encoder->extradata_size : 0;
}

int rt_sound_send(rt_sound *sound, const float *samples, int64_t pts) {
    AVCodecContext *encoder = sound->encoder;
    if (!samples) return avcodec_send_frame(encoder, NULL);
    AVFrame *frame = sound->frame;
    const int channels = encoder->ch_layout.nb_channels;
    av_frame_unref(frame);
    frame->format = encoder->sample_fmt;
    frame->nb_samples = encoder->frame_size;
    frame->sample_rate = encoder->sample_rate;
    frame->pts = pts;
    int result = av_channel_layout_copy(&frame->ch_layout, &encoder->ch_layout);
    if (result >= 0) result = av_frame_get_buffer(frame, 0);
    if (result < 0) return result;
    if (encoder->sample_fmt == AV_SAMPLE_FMT_FLTP) {
        for (int channel = 0; channel < channels; channel++) {
            float *plane = (float *)frame->extended_data[channel];
            for (int i = 0; i < frame->nb_samples; i++) plane[i] = samples[(size_t)i * channels + channel];
        }
    } else {
        memcpy(frame->extended_data[0], samples, (size_t)frame->nb_samples * channels * sizeof *samples);
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
