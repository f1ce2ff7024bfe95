/* Opens a film and reads its packets. */
#include "shim.h"

#include <libavutil/avstring.h>
#include <libavutil/dict.h>
#include <libavutil/display.h>
#include <libavutil/mem.h>
#include <string.h>

typedef struct kept {
    struct kept *next;
    AVPacket *packet;
} kept;

struct rt_input {
    AVFormatContext *context;
    kept *first, *last; /* packets that are given out again */
    int recording, replaying;
};

AVFormatContext *rt_context(rt_input *input) { return input->context; }

int rt_open(const char *url, rt_input **out) {
    *out = NULL;
    rt_input *input = av_mallocz(sizeof *input);
    if (!input) return AVERROR(ENOMEM);
    AVDictionary *options = NULL;
    /* A film may name other files (playlists); it must reach none outside this machine. */
    av_dict_set(&options, "protocol_whitelist", "file,pipe,crypto,data,subfile,concat", 0);
    int result = avformat_open_input(&input->context, url, NULL, &options);
    av_dict_free(&options);
    if (result >= 0) result = avformat_find_stream_info(input->context, NULL);
    if (result < 0) {
        rt_close(input);
        return result;
    }
    *out = input;
    return 0;
}

static void drop_kept(rt_input *input) {
    while (input->first) {
        kept *next = input->first->next;
        av_packet_free(&input->first->packet);
        av_free(input->first);
        input->first = next;
    }
    input->last = NULL;
}

void rt_close(rt_input *input) {
    if (!input) return;
    drop_kept(input);
    avformat_close_input(&input->context);
    av_free(input);
}

void rt_film_of(rt_input *input, rt_film *out) {
    const AVFormatContext *context = input->context;
    memset(out, 0, sizeof *out);
    out->format = context->iformat->name;
    const AVDictionaryEntry *title = av_dict_get(context->metadata, "title", NULL, 0);
    out->title = title ? title->value : NULL;
    out->duration = context->duration;
    out->size = context->pb ? avio_size(context->pb) : -1;
    out->seekable = context->pb && (context->pb->seekable & AVIO_SEEKABLE_NORMAL);
    out->streams = (int32_t)context->nb_streams;
    out->chapters = (int32_t)context->nb_chapters;
    out->live_times = !!(context->iformat->flags & AVFMT_TS_DISCONT);
}

static const char *tag(const AVDictionary *tags, const char *name) {
    const AVDictionaryEntry *entry = av_dict_get(tags, name, NULL, 0);
    return entry ? entry->value : NULL;
}

static void describe_video(AVFormatContext *context, AVStream *stream, rt_stream *out) {
    const AVCodecParameters *par = stream->codecpar;
    AVRational rate = av_guess_frame_rate(context, stream, NULL);
    AVRational aspect = av_guess_sample_aspect_ratio(context, stream, NULL);
    out->frame_rate = (rt_ratio){rate.num, rate.den};
    out->aspect = (rt_ratio){aspect.num, aspect.den};
    out->width = par->width;
    out->height = par->height;
    out->field_order = par->field_order;
    out->colour = (rt_colour){par->color_primaries, par->color_trc, par->color_space, par->color_range, par->chroma_location};
    rt_describe_pixels(par->format, &out->pixels);
    rt_hdr_from(&out->hdr, rt_side_data(stream, AV_PKT_DATA_MASTERING_DISPLAY_METADATA),
                rt_side_data(stream, AV_PKT_DATA_CONTENT_LIGHT_LEVEL));
    const uint8_t *matrix = rt_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX);
    if (matrix) {
        memcpy(out->matrix, matrix, sizeof out->matrix);
        out->has_matrix = 1;
        out->rotation = av_display_rotation_get(out->matrix);
    }
    out->dolby_vision = rt_side_data(stream, AV_PKT_DATA_DOVI_CONF) != NULL;
}

int rt_stream_of(rt_input *input, int index, rt_stream *out) {
    memset(out, 0, sizeof *out);
    AVFormatContext *context = input->context;
    if (index < 0 || (unsigned)index >= context->nb_streams) return AVERROR(EINVAL);
    AVStream *stream = context->streams[index];
    const AVCodecParameters *par = stream->codecpar;
    switch (par->codec_type) {
    case AVMEDIA_TYPE_VIDEO: out->kind = RT_VIDEO; break;
    case AVMEDIA_TYPE_AUDIO: out->kind = RT_AUDIO; break;
    case AVMEDIA_TYPE_SUBTITLE: out->kind = RT_SUBTITLE; break;
    case AVMEDIA_TYPE_ATTACHMENT: out->kind = RT_ATTACHMENT; break;
    default: out->kind = RT_DATA; break;
    }
    const AVCodecDescriptor *codec = avcodec_descriptor_get(par->codec_id);
    out->codec = codec ? codec->name : "unknown";
    out->text_subtitle = codec && (codec->props & AV_CODEC_PROP_TEXT_SUB);
    out->codec_id = par->codec_id;
    out->decodable = avcodec_find_decoder(par->codec_id) != NULL;
    out->cover = !!(stream->disposition & AV_DISPOSITION_ATTACHED_PIC);
    /* Only the mov demuxer turns a track off, and only the one that holds chapter names. */
    out->chapter_track = out->kind == RT_DATA && stream->discard == AVDISCARD_ALL && context->nb_chapters > 0;
    out->language = tag(stream->metadata, "language");
    out->title = tag(stream->metadata, out->kind == RT_ATTACHMENT ? "filename" : "title");
    out->time_base = (rt_ratio){stream->time_base.num, stream->time_base.den};
    out->start = stream->start_time;
    out->duration = stream->duration;
    out->frames = stream->nb_frames;
    out->disposition = stream->disposition;
    out->extradata = par->extradata;
    out->extradata_size = par->extradata_size > 0 ? (size_t)par->extradata_size : 0;
    if (out->kind == RT_AUDIO) {
        out->sample_rate = par->sample_rate;
        out->channels = par->ch_layout.nb_channels;
        out->padding = par->initial_padding;
    }
    if (out->kind == RT_VIDEO) describe_video(context, stream, out);
    int entries = avformat_index_get_entries_count(stream);
    const AVIndexEntry *last = entries > 0 ? avformat_index_get_entry(stream, entries - 1) : NULL;
    /* Only the mov demuxer knows every sample from the start. */
    if (last && av_match_name("mp4", context->iformat->name)) out->last_byte = last->pos + last->size;
    return 0;
}

int rt_audio_of(rt_input *input, int index, rt_audio *out) {
    memset(out, 0, sizeof *out);
    AVFormatContext *context = input->context;
    if (index < 0 || (unsigned)index >= context->nb_streams) return AVERROR(EINVAL);
    const AVCodecParameters *par = context->streams[index]->codecpar;
    if (par->codec_type != AVMEDIA_TYPE_AUDIO) return AVERROR(EINVAL);
    const AVCodecDescriptor *codec = avcodec_descriptor_get(par->codec_id);
    out->codec = codec ? codec->name : "unknown";
    out->sample_rate = par->sample_rate;
    out->channels = par->ch_layout.nb_channels;
    out->layout = par->ch_layout.order == AV_CHANNEL_ORDER_NATIVE ? par->ch_layout.u.mask : 0;
    out->frame_size = par->frame_size;
    out->block_align = par->block_align;
    out->bits_per_sample = par->bits_per_coded_sample;
    out->padding = par->initial_padding;
    out->bit_rate = par->bit_rate;
    out->config = par->extradata;
    out->config_size = par->extradata_size > 0 ? (size_t)par->extradata_size : 0;
    return 0;
}

int rt_sound_samples(rt_input *input, int index, int bytes) {
    AVFormatContext *context = input->context;
    if (index < 0 || (unsigned)index >= context->nb_streams) return 0;
    AVCodecParameters *par = context->streams[index]->codecpar;
    if (par->codec_type != AVMEDIA_TYPE_AUDIO) return 0;
    int samples = av_get_audio_frame_duration2(par, bytes);
    return samples > 0 ? samples : par->frame_size;
}

int rt_select(rt_input *input, const uint8_t *wanted, int count) {
    AVFormatContext *context = input->context;
    for (unsigned i = 0; i < context->nb_streams; i++)
        context->streams[i]->discard = (int)i < count && wanted[i] ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    return 0;
}

static void describe_packet(AVPacket *packet, rt_packet *out) {
    out->packet = packet;
    out->pts = packet->pts;
    out->dts = packet->dts;
    out->duration = packet->duration;
    out->position = packet->pos;
    out->data = packet->data;
    out->size = packet->size > 0 ? (size_t)packet->size : 0;
    out->stream = packet->stream_index;
    out->key = !!(packet->flags & AV_PKT_FLAG_KEY);
    out->corrupt = !!(packet->flags & AV_PKT_FLAG_CORRUPT);
    out->discard = !!(packet->flags & AV_PKT_FLAG_DISCARD);
}

static int keep(rt_input *input, const AVPacket *packet) {
    kept *entry = av_mallocz(sizeof *entry);
    if (!entry) return AVERROR(ENOMEM);
    entry->packet = av_packet_clone(packet);
    if (!entry->packet) {
        av_free(entry);
        return AVERROR(ENOMEM);
    }
    if (input->last) input->last->next = entry;
    else input->first = entry;
    input->last = entry;
    return 0;
}

int rt_read(rt_input *input, rt_packet *out) {
    memset(out, 0, sizeof *out);
    if (input->replaying && input->first) {
        kept *entry = input->first;
        input->first = entry->next;
        if (!input->first) input->last = NULL;
        describe_packet(entry->packet, out);
        av_free(entry);
        return 0;
    }
    AVPacket *packet = av_packet_alloc();
    if (!packet) return AVERROR(ENOMEM);
    int result = av_read_frame(input->context, packet);
    if (result >= 0 && input->recording) result = keep(input, packet);
    if (result < 0) {
        /* Some demuxers report the end where reading failed; the byte stream knows better. */
        if (result == AVERROR_EOF && input->context->pb && input->context->pb->error < 0 && input->context->pb->error != AVERROR_EOF)
            result = input->context->pb->error;
        av_packet_free(&packet);
        return result;
    }
    describe_packet(packet, out);
    return 0;
}

void rt_packet_free(AVPacket *packet) { av_packet_free(&packet); }

int rt_cover(rt_input *input, int index, const uint8_t **data, size_t *size) {
    AVFormatContext *context = input->context;
    if (index < 0 || (unsigned)index >= context->nb_streams) return AVERROR(EINVAL);
    const AVPacket *picture = &context->streams[index]->attached_pic;
    if (!picture->data || picture->size <= 0) return AVERROR_INVALIDDATA;
    *data = picture->data;
    *size = (size_t)picture->size;
    return 0;
}

int rt_seek(rt_input *input, int stream, int64_t time) {
    drop_kept(input);
    return av_seek_frame(input->context, stream, time, AVSEEK_FLAG_BACKWARD);
}

void rt_record(rt_input *input) { input->recording = 1; }

void rt_replay(rt_input *input) {
    input->recording = 0;
    input->replaying = 1;
}

int64_t rt_position(rt_input *input) { return input->context->pb ? avio_tell(input->context->pb) : -1; }

int rt_input_tag(rt_input *input, int stream, int number, const char **name, const char **value) {
    const AVFormatContext *context = input->context;
    if (stream >= 0 && (unsigned)stream >= context->nb_streams) return 0;
    const AVDictionary *tags = stream < 0 ? context->metadata : context->streams[stream]->metadata;
    const AVDictionaryEntry *entry = NULL;
    while ((entry = av_dict_get(tags, "", entry, AV_DICT_IGNORE_SUFFIX)))
        if (number-- == 0) {
            *name = entry->key;
            *value = entry->value;
            return 1;
        }
    return 0;
}
