/* Writes a film: file, header, packets, trailer. */
#include "shim.h"

#include <libavutil/dict.h>
#include <libavutil/intreadwrite.h>
#include <libavutil/mathematics.h>
#include <libavutil/mem.h>
#include <string.h>

struct rt_output {
    AVFormatContext *context;
    AVDictionary *options;
    int64_t *rescale_last; /* per track, for av_rescale_delta */
    int64_t *last;         /* per track, the last decode time */
    int header_written;
    int in_memory; /* whether rt_output_take fetches the bytes */
    int in_order;  /* whether packets are written as they come, because the caller has interleaved them */
};

AVFormatContext *rt_output_context(rt_output *output) { return output->context; }

static int open_output(const char *format, const char *url, rt_output **out) {
    *out = NULL;
    rt_output *output = av_mallocz(sizeof *output);
    if (!output) return AVERROR(ENOMEM);
    int result = avformat_alloc_output_context2(&output->context, NULL, format, url);
    if (result >= 0) {
        /* Equal input must give equal bytes, so there are no random identifiers, no versions and no clock. */
        output->context->flags |= AVFMT_FLAG_BITEXACT;
        /* Packets come in order already, and waiting for a silent track must not hold much memory. */
        output->context->max_interleave_delta = 2 * AV_TIME_BASE;
        output->in_memory = !url;
        /* A signal may interrupt the opening, and FFmpeg does not do it again. */
        do
            result = url ? avio_open2(&output->context->pb, url, AVIO_FLAG_WRITE, NULL, NULL) : avio_open_dyn_buf(&output->context->pb);
        while (result == AVERROR(EINTR));
    }
    if (result < 0) {
        rt_output_close(output);
        return result;
    }
    *out = output;
    return 0;
}

int rt_output_open(const char *format, const char *url, rt_output **out) { return open_output(format, url, out); }

int rt_output_open_memory(const char *format, rt_output **out) { return open_output(format, NULL, out); }

void rt_output_in_order(rt_output *output) { output->in_order = 1; }

static int close_bytes(rt_output *output) {
    if (!output->in_memory) {
        int result = avio_closep(&output->context->pb);
        /* A file whose closing a signal interrupted is closed, and must not be closed again. */
        return result == AVERROR(EINTR) ? 0 : result;
    }
    uint8_t *bytes = NULL;
    if (output->context->pb) avio_close_dyn_buf(output->context->pb, &bytes);
    output->context->pb = NULL;
    av_free(bytes);
    return 0;
}

int rt_output_take(rt_output *output, uint8_t **data, size_t *size) {
    *data = NULL;
    *size = 0;
    if (!output->in_memory || !output->context->pb) return AVERROR(EINVAL);
    int written = avio_close_dyn_buf(output->context->pb, data);
    output->context->pb = NULL;
    if (written > 0) *size = (size_t)written;
    int result = avio_open_dyn_buf(&output->context->pb);
    return result < 0 ? result : 0;
}

void rt_bytes_free(uint8_t *data) { av_free(data); }

int rt_output_flush(rt_output *output) {
    int result = av_write_frame(output->context, NULL);
    if (result >= 0 && output->context->pb->error < 0) result = output->context->pb->error;
    return result < 0 ? result : 0;
}

int rt_output_time_base(const rt_output *output, int stream, rt_ratio *out) {
    if (stream < 0 || (unsigned)stream >= output->context->nb_streams) return AVERROR(EINVAL);
    AVRational base = output->context->streams[stream]->time_base;
    *out = (rt_ratio){base.num, base.den};
    return 0;
}

void rt_output_close(rt_output *output) {
    if (!output) return;
    if (output->context) {
        if (output->context->pb) close_bytes(output);
        avformat_free_context(output->context);
    }
    av_dict_free(&output->options);
    av_free(output->rescale_last);
    av_free(output->last);
    av_free(output);
}

int rt_output_option(rt_output *output, const char *name, const char *value) {
    return av_dict_set(&output->options, name, value, 0);
}

int rt_output_tag(rt_output *output, int stream, const char *name, const char *value) {
    AVFormatContext *context = output->context;
    if (stream >= 0 && (unsigned)stream >= context->nb_streams) return AVERROR(EINVAL);
    return av_dict_set(stream < 0 ? &context->metadata : &context->streams[stream]->metadata, name, value, 0);
}

int rt_output_can_hold(const char *name, int codec_id) {
    const AVOutputFormat *format = av_guess_format(name, NULL, NULL);
    return format ? avformat_query_codec(format, codec_id, FF_COMPLIANCE_NORMAL) : AVERROR_MUXER_NOT_FOUND;
}

int rt_output_can_hold_named(const char *format, const char *codec) {
    const AVCodecDescriptor *found = avcodec_descriptor_get_by_name(codec);
    return found ? rt_output_can_hold(format, found->id) : 0;
}

int rt_output_header(rt_output *output) {
    output->rescale_last = av_calloc(output->context->nb_streams + 1, sizeof *output->rescale_last);
    output->last = av_calloc(output->context->nb_streams + 1, sizeof *output->last);
    if (!output->rescale_last || !output->last) return AVERROR(ENOMEM);
    for (unsigned i = 0; i < output->context->nb_streams; i++) output->rescale_last[i] = output->last[i] = AV_NOPTS_VALUE;
    /* FLAC, Opus and TrueHD in ISO files are published mappings that older versions call experimental. */
    output->context->strict_std_compliance = FF_COMPLIANCE_EXPERIMENTAL;
    int result = avformat_write_header(output->context, &output->options);
    if (result >= 0 && output->context->pb->error < 0) result = output->context->pb->error;
    if (result >= 0) output->header_written = 1;
    return result < 0 ? result : 0;
}

static int write_and_free(rt_output *output, AVPacket *packet) {
    int result = output->in_order ? av_write_frame(output->context, packet) : av_interleaved_write_frame(output->context, packet);
    if (result >= 0 && output->context->pb->error < 0) result = output->context->pb->error;
    av_packet_free(&packet);
    return result < 0 ? result : 0;
}

static int64_t rescaled(int64_t time, AVRational from, AVRational to) {
    return time == AV_NOPTS_VALUE ? time : av_rescale_q_rnd(time, from, to, AV_ROUND_NEAR_INF | AV_ROUND_PASS_MINMAX);
}

static int is_matroska(const rt_output *output) {
    const char *format = output->context->oformat->name;
    return !strncmp(format, "matroska", 8) || !strcmp(format, "webm");
}

/* Up to FFmpeg 5.1, reading Matroska takes an offset off Opus times that writing does not add again. */
static int64_t opus_delay(const rt_output *output, const AVStream *stream) {
#if LIBAVFORMAT_VERSION_INT < AV_VERSION_INT(59, 31, 100)
    const AVCodecParameters *par = stream->codecpar;
    if (par->codec_id == AV_CODEC_ID_OPUS && is_matroska(output)) return av_rescale_q(par->initial_padding, (AVRational){1, 48000}, stream->time_base);
#endif
    (void)output;
    (void)stream;
    return 0;
}

int rt_output_write(rt_output *output, int stream, rt_ratio base, int64_t pts, int64_t dts, int64_t duration, int key, int disposable,
                    const uint8_t *data, size_t size) {
    if (stream < 0 || (unsigned)stream >= output->context->nb_streams || size > INT_MAX - AV_INPUT_BUFFER_PADDING_SIZE)
        return AVERROR(EINVAL);
    AVRational from = {base.num, base.den}, to = output->context->streams[stream]->time_base;
    AVPacket *packet = av_packet_alloc();
    if (!packet) return AVERROR(ENOMEM);
    int result = av_new_packet(packet, (int)size);
    if (result < 0) {
        av_packet_free(&packet);
        return result;
    }
    if (size) memcpy(packet->data, data, size);
    packet->stream_index = stream;
    const int64_t delay = opus_delay(output, output->context->streams[stream]);
    packet->pts = rescaled(pts, from, to) + delay;
    packet->dts = rescaled(dts, from, to) + delay;
    packet->duration = rescaled(duration, from, to);
    if (key) packet->flags |= AV_PKT_FLAG_KEY;
    if (disposable) packet->flags |= AV_PKT_FLAG_DISPOSABLE;
    return write_and_free(output, packet);
}

/* Marks samples at the end of a packet of sound that are not heard, beside those at its start. */
static int mark_unheard(AVPacket *packet, int64_t samples) {
    size_t size = 0;
    uint8_t *skip = av_packet_get_side_data(packet, AV_PKT_DATA_SKIP_SAMPLES, &size);
    if (!skip || size < 10) {
        skip = av_packet_new_side_data(packet, AV_PKT_DATA_SKIP_SAMPLES, 10);
        if (!skip) return AVERROR(ENOMEM);
        memset(skip, 0, 10);
    }
    AV_WL32(skip + 4, (uint32_t)FFMIN(samples, UINT32_MAX));
    return 0;
}

int rt_output_packet(rt_output *output, int index, rt_ratio base, const AVPacket *from, int64_t pts, int64_t dts, int64_t duration,
                     int64_t cut) {
    if (index < 0 || (unsigned)index >= output->context->nb_streams) return AVERROR(EINVAL);
    const AVStream *stream = output->context->streams[index];
    AVCodecParameters *par = stream->codecpar;
    AVRational source = {base.num, base.den}, to = stream->time_base;
    AVPacket *packet = av_packet_clone(from);
    if (!packet) return AVERROR(ENOMEM);
    packet->stream_index = index;
    packet->pos = -1;
    packet->duration = rescaled(duration, source, to);
    size_t size = 0;
    const uint8_t *skip = av_packet_get_side_data(packet, AV_PKT_DATA_SKIP_SAMPLES, &size);
    if (cut > 0) {
        /* The duration is that of what is left. */
        if (par->codec_type == AVMEDIA_TYPE_AUDIO && par->sample_rate > 0 && is_matroska(output)) {
            int result = mark_unheard(packet, rescaled(cut, source, (AVRational){1, par->sample_rate}));
            if (result < 0) {
                av_packet_free(&packet);
                return result;
            }
        }
    } else if (skip && size >= 8 && par->sample_rate > 0 && !is_matroska(output)) {
        /* Only Matroska has a field for samples that are not heard, so elsewhere the last packet lasts less
           long. */
        int64_t unheard = rescaled(AV_RL32(skip + 4), (AVRational){1, par->sample_rate}, to);
        if (unheard > 0 && unheard < packet->duration) packet->duration -= unheard;
    }
    packet->pts = rescaled(pts, source, to);
    packet->dts = rescaled(dts, source, to);
    if (par->codec_type == AVMEDIA_TYPE_AUDIO && par->sample_rate > 0) {
        /* Coarse times (Matroska's milliseconds) are smoothed by the known length of the packets. */
        int samples = av_get_audio_frame_duration2(par, packet->size);
        if (!samples) samples = par->frame_size;
        AVRational rate = {1, par->sample_rate};
        packet->dts = av_rescale_delta(source, dts, rate, samples, &output->rescale_last[index], to);
        packet->pts = packet->dts;
    }
    int64_t delay = opus_delay(output, stream);
    packet->dts += delay;
    packet->pts += delay;
    /* Times must not go back (nor stand still, in some containers) after rounding either. */
    int64_t least = output->last[index] + !(output->context->oformat->flags & AVFMT_TS_NONSTRICT);
    int repaired = output->last[index] != AV_NOPTS_VALUE && packet->dts < least;
    if (repaired) {
        packet->dts = least;
        if (packet->pts < least) packet->pts = least;
    }
    output->last[index] = packet->dts;
    int result = write_and_free(output, packet);
    return result < 0 ? result : repaired;
}

int rt_output_finish(rt_output *output) {
    int result = av_write_trailer(output->context);
    if (result >= 0 && output->context->pb->error < 0) result = output->context->pb->error;
    int closed = output->in_memory ? 0 : close_bytes(output);
    return result < 0 ? result : closed;
}

int64_t rt_output_bytes(const rt_output *output) { return output->context->pb ? avio_tell(output->context->pb) : 0; }
