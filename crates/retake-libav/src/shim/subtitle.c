/* Writes text subtitles anew in the form that another container needs. */
#include "shim.h"

#include <libavutil/mem.h>
#include <string.h>

enum { MOST_TEXT = 1 << 20 };

struct rt_subtitles {
    AVCodecContext *decoder, *encoder;
    AVPacket *packet;
    AVRational time_base; /* of the source track */
    int track;
};

static int open_decoder(rt_subtitles *subtitles, const AVStream *stream) {
    const AVCodec *codec = avcodec_find_decoder(stream->codecpar->codec_id);
    if (!codec) return AVERROR_DECODER_NOT_FOUND;
    subtitles->decoder = avcodec_alloc_context3(codec);
    if (!subtitles->decoder) return AVERROR(ENOMEM);
    int result = avcodec_parameters_to_context(subtitles->decoder, stream->codecpar);
    if (result < 0) return result;
    subtitles->decoder->pkt_timebase = stream->time_base;
    return avcodec_open2(subtitles->decoder, codec, NULL);
}

static int open_encoder(rt_subtitles *subtitles, const char *name) {
    const AVCodec *codec = avcodec_find_encoder_by_name(name);
    if (!codec) return AVERROR_ENCODER_NOT_FOUND;
    AVCodecContext *encoder = subtitles->encoder = avcodec_alloc_context3(codec);
    if (!encoder) return AVERROR(ENOMEM);
    encoder->time_base = (AVRational){1, 1000};
    const AVCodecContext *decoder = subtitles->decoder;
    if (decoder->subtitle_header && decoder->subtitle_header_size > 0) {
        encoder->subtitle_header = av_mallocz((size_t)decoder->subtitle_header_size + 1);
        if (!encoder->subtitle_header) return AVERROR(ENOMEM);
        memcpy(encoder->subtitle_header, decoder->subtitle_header, (size_t)decoder->subtitle_header_size);
        encoder->subtitle_header_size = decoder->subtitle_header_size;
    }
    return avcodec_open2(encoder, codec, NULL);
}

int rt_subtitles_open(rt_input *input, int index, const char *codec, rt_output *output, rt_subtitles **out) {
    *out = NULL;
    AVFormatContext *from = rt_context(input);
    if (index < 0 || (unsigned)index >= from->nb_streams) return AVERROR(EINVAL);
    rt_subtitles *subtitles = av_mallocz(sizeof *subtitles);
    if (!subtitles) return AVERROR(ENOMEM);
    const AVStream *source = from->streams[index];
    subtitles->time_base = source->time_base;
    subtitles->packet = av_packet_alloc();
    int result = subtitles->packet ? open_decoder(subtitles, source) : AVERROR(ENOMEM);
    if (result >= 0) result = open_encoder(subtitles, codec);
    if (result >= 0) {
        AVStream *stream = avformat_new_stream(rt_output_context(output), NULL);
        result = stream ? avcodec_parameters_from_context(stream->codecpar, subtitles->encoder) : AVERROR(ENOMEM);
        if (result >= 0) {
            stream->time_base = (AVRational){1, 1000};
            stream->disposition = source->disposition;
            subtitles->track = stream->index;
        }
    }
    if (result < 0) {
        rt_subtitles_close(subtitles);
        return result;
    }
    *out = subtitles;
    return 0;
}

void rt_subtitles_close(rt_subtitles *subtitles) {
    if (!subtitles) return;
    avcodec_free_context(&subtitles->decoder);
    avcodec_free_context(&subtitles->encoder);
    av_packet_free(&subtitles->packet);
    av_free(subtitles);
}

int rt_subtitles_track(const rt_subtitles *subtitles) { return subtitles->track; }

int rt_subtitles_convert(rt_subtitles *subtitles, const AVPacket *packet, rt_packet *out) {
    memset(out, 0, sizeof *out);
    AVSubtitle text = {0};
    int got = 0;
    int result = avcodec_decode_subtitle2(subtitles->decoder, &text, &got, (AVPacket *)packet);
    if (result < 0 || !got) return result < 0 ? result : 0;
    /* The decoder may state when the text appears and goes, in milliseconds after the packet. */
    int64_t show = text.start_display_time, hide = text.end_display_time;
    text.start_display_time = 0;
    text.end_display_time = hide > show && hide != UINT32_MAX ? (uint32_t)(hide - show) : 0;
    av_packet_unref(subtitles->packet);
    result = text.num_rects ? av_new_packet(subtitles->packet, MOST_TEXT) : 0;
    if (result >= 0 && text.num_rects)
        result = avcodec_encode_subtitle(subtitles->encoder, subtitles->packet->data, MOST_TEXT, &text);
    uint32_t shown = text.end_display_time;
    int rects = (int)text.num_rects;
    avsubtitle_free(&text);
    if (result <= 0 || !rects) return result < 0 ? result : 0;
    av_shrink_packet(subtitles->packet, result);
    AVRational milliseconds = {1, 1000};
    out->packet = subtitles->packet;
    out->pts = out->dts = packet->pts == AV_NOPTS_VALUE ? packet->pts : packet->pts + av_rescale_q(show, milliseconds, subtitles->time_base);
    out->duration = shown ? av_rescale_q(shown, milliseconds, subtitles->time_base) : packet->duration;
    out->data = subtitles->packet->data;
    out->size = (size_t)subtitles->packet->size;
    out->key = 1;
    return 1;
}
