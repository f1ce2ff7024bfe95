/* Adds the tracks of a film that is being written: its video, copies of others, attachments, chapters. */
#include "shim.h"

#include <libavutil/dict.h>
#include <libavutil/display.h>
#include <libavutil/dovi_meta.h>
#include <libavutil/mastering_display_metadata.h>
#include <libavutil/mathematics.h>
#include <libavutil/mem.h>
#include <string.h>

int rt_track_add_side_data(AVStream *stream, enum AVPacketSideDataType type, const void *data, size_t size) {
    void *copy = av_memdup(data, size);
    if (!copy) return AVERROR(ENOMEM);
#if RT_CODED_SIDE_DATA
    AVCodecParameters *par = stream->codecpar;
    if (!av_packet_side_data_add(&par->coded_side_data, &par->nb_coded_side_data, type, copy, size, 0)) {
        av_free(copy);
        return AVERROR(ENOMEM);
    }
    return 0;
#else
    int result = av_stream_add_side_data(stream, type, copy, size);
    if (result < 0) av_free(copy);
    return result;
#endif
}

static int set_extradata(AVCodecParameters *par, const uint8_t *data, size_t size) {
    if (size > INT_MAX - AV_INPUT_BUFFER_PADDING_SIZE) return AVERROR(EINVAL);
    av_freep(&par->extradata);
    par->extradata_size = 0;
    if (!size) return 0;
    par->extradata = av_mallocz(size + AV_INPUT_BUFFER_PADDING_SIZE);
    if (!par->extradata) return AVERROR(ENOMEM);
    memcpy(par->extradata, data, size);
    par->extradata_size = (int)size;
    return 0;
}

static int add_hdr(AVStream *stream, const rt_hdr *hdr) {
    int result = 0;
    if (hdr->has_mastering) {
        /* H.265 orders green, blue, red; FFmpeg orders red, green, blue. */
        static const int to_rgb[3] = {2, 0, 1};
        AVMasteringDisplayMetadata *made = av_mastering_display_metadata_alloc();
        if (!made) return AVERROR(ENOMEM);
        for (int i = 0; i < 3; i++)
            for (int axis = 0; axis < 2; axis++)
                made->display_primaries[i][axis] = (AVRational){hdr->primaries_gbr[to_rgb[i]][axis], 50000};
        for (int axis = 0; axis < 2; axis++) made->white_point[axis] = (AVRational){hdr->white_point[axis], 50000};
        made->max_luminance = (AVRational){(int)FFMIN(hdr->max_luminance, INT_MAX), 10000};
        made->min_luminance = (AVRational){(int)FFMIN(hdr->min_luminance, INT_MAX), 10000};
        made->has_primaries = made->has_luminance = 1;
        result = rt_track_add_side_data(stream, AV_PKT_DATA_MASTERING_DISPLAY_METADATA, made, sizeof *made);
        av_free(made);
    }
    if (result >= 0 && hdr->has_light) {
        AVContentLightMetadata *made = av_content_light_metadata_alloc(NULL);
        if (!made) return AVERROR(ENOMEM);
        made->MaxCLL = hdr->max_content;
        made->MaxFALL = hdr->max_average;
        result = rt_track_add_side_data(stream, AV_PKT_DATA_CONTENT_LIGHT_LEVEL, made, sizeof *made);
        av_free(made);
    }
    return result;
}

static int add_dolby_vision(AVStream *stream, const rt_video *video) {
    size_t size;
    AVDOVIDecoderConfigurationRecord *made = av_dovi_alloc(&size);
    if (!made) return AVERROR(ENOMEM);
    made->dv_version_major = 1;
    made->dv_profile = (uint8_t)video->dolby_vision;
    made->dv_level = (uint8_t)video->dolby_vision_level;
    made->dv_bl_signal_compatibility_id = (uint8_t)video->dolby_vision_compatibility;
    made->rpu_present_flag = made->bl_present_flag = 1;
    int result = rt_track_add_side_data(stream, AV_PKT_DATA_DOVI_CONF, made, size);
    av_free(made);
    return result;
}

static enum AVFieldOrder field_order(int32_t fields) {
    switch (fields) {
    case 1: return AV_FIELD_TT;
    case 6: return AV_FIELD_BB;
    case 9: return AV_FIELD_TB;
    case 14: return AV_FIELD_BT;
    default: return AV_FIELD_PROGRESSIVE;
    }
}

int rt_output_video(rt_output *output, const rt_video *video) {
    AVStream *stream = avformat_new_stream(rt_output_context(output), NULL);
    if (!stream) return AVERROR(ENOMEM);
    const AVCodecDescriptor *codec = avcodec_descriptor_get_by_name(video->codec);
    if (!codec) return AVERROR_ENCODER_NOT_FOUND;
    AVCodecParameters *par = stream->codecpar;
    par->codec_type = AVMEDIA_TYPE_VIDEO;
    par->codec_id = codec->id;
    par->codec_tag = video->tag;
    par->format = rt_pixel_format(video->picture);
    rt_pixels pixels;
    rt_describe_pixels(par->format, &pixels);
    par->bits_per_raw_sample = pixels.depth;
    par->width = video->width;
    par->height = video->height;
    par->profile = video->profile;
    par->level = video->level;
    par->color_primaries = video->colour.primaries;
    par->color_trc = video->colour.transfer;
    par->color_space = video->colour.matrix;
    par->color_range = video->colour.range;
    par->chroma_location = video->colour.chroma_location;
    par->field_order = field_order(video->fields);
    par->sample_aspect_ratio = (AVRational){video->aspect.num, video->aspect.den};
    stream->sample_aspect_ratio = par->sample_aspect_ratio;
    stream->time_base = (AVRational){video->time_base.num, video->time_base.den};
    stream->avg_frame_rate = (AVRational){video->frame_rate.num, video->frame_rate.den};
    stream->disposition = video->disposition;
    int result = set_extradata(par, video->config, video->config_size);
    if (result >= 0) result = add_hdr(stream, &video->hdr);
    if (result >= 0 && video->has_matrix)
        result = rt_track_add_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, video->matrix, sizeof video->matrix);
    if (result >= 0 && video->dolby_vision) result = add_dolby_vision(stream, video);
    if (result >= 0 && video->encoder) result = av_dict_set(&stream->metadata, "encoder", video->encoder, 0);
    return result < 0 ? result : stream->index;
}

int rt_output_audio(rt_output *output, const rt_audio *audio, rt_ratio time_base) {
    const AVCodecDescriptor *codec = avcodec_descriptor_get_by_name(audio->codec);
    if (!codec || codec->type != AVMEDIA_TYPE_AUDIO) return AVERROR_ENCODER_NOT_FOUND;
    AVStream *stream = avformat_new_stream(rt_output_context(output), NULL);
    if (!stream) return AVERROR(ENOMEM);
    AVCodecParameters *par = stream->codecpar;
    par->codec_type = AVMEDIA_TYPE_AUDIO;
    par->codec_id = codec->id;
    par->sample_rate = audio->sample_rate;
    if (audio->layout) {
        int result = av_channel_layout_from_mask(&par->ch_layout, audio->layout);
        if (result < 0) return result;
    } else {
        av_channel_layout_default(&par->ch_layout, audio->channels);
    }
    par->frame_size = audio->frame_size;
    par->block_align = audio->block_align;
    par->bits_per_coded_sample = audio->bits_per_sample;
    /* Lossless codecs have their depth in the description of the track. */
    if (codec->props & AV_CODEC_PROP_LOSSLESS) par->bits_per_raw_sample = audio->bits_per_sample;
    par->initial_padding = audio->padding;
    par->bit_rate = audio->bit_rate;
    stream->time_base = (AVRational){time_base.num, time_base.den};
    int result = set_extradata(par, audio->config, audio->config_size);
    return result < 0 ? result : stream->index;
}

int rt_output_mark(rt_output *output, int index, int marks) {
    AVFormatContext *context = rt_output_context(output);
    if (index < 0 || (unsigned)index >= context->nb_streams) return AVERROR(EINVAL);
    context->streams[index]->disposition = marks;
    return 0;
}

int rt_output_timed(rt_output *output, const char *name, rt_ratio time_base) {
    const AVCodecDescriptor *codec = avcodec_descriptor_get_by_name(name);
    if (!codec || (codec->type != AVMEDIA_TYPE_SUBTITLE && codec->type != AVMEDIA_TYPE_DATA)) return AVERROR_ENCODER_NOT_FOUND;
    AVStream *stream = avformat_new_stream(rt_output_context(output), NULL);
    if (!stream) return AVERROR(ENOMEM);
    stream->codecpar->codec_type = codec->type;
    stream->codecpar->codec_id = codec->id;
    /* The writer of MP4 knows no other data; that of QuickTime knows none, but writes what has a code. */
    if (codec->type == AVMEDIA_TYPE_DATA) stream->codecpar->codec_tag = MKTAG('g', 'p', 'm', 'd');
    stream->time_base = (AVRational){time_base.num, time_base.den};
    return stream->index;
}

/* Keeps the source's own code for a coding format where the new container knows it too. */
static uint32_t tag_for(const AVOutputFormat *format, const AVCodecParameters *par) {
    unsigned other = 0;
    if (!format->codec_tag || av_codec_get_id(format->codec_tag, par->codec_tag) == par->codec_id ||
        !av_codec_get_tag2(format->codec_tag, par->codec_id, &other))
        return par->codec_tag;
    return 0;
}

int rt_output_copy(rt_output *output, rt_input *input, int index) {
    AVFormatContext *from = rt_context(input), *context = rt_output_context(output);
    if (index < 0 || (unsigned)index >= from->nb_streams) return AVERROR(EINVAL);
    const AVStream *source = from->streams[index];
    AVStream *stream = avformat_new_stream(context, NULL);
    if (!stream) return AVERROR(ENOMEM);
    int result = avcodec_parameters_copy(stream->codecpar, source->codecpar);
    if (result < 0) return result;
    stream->codecpar->codec_tag = tag_for(context->oformat, source->codecpar);
    if (source->codecpar->codec_type == AVMEDIA_TYPE_AUDIO &&
        (source->codecpar->codec_id == AV_CODEC_ID_AC3 || source->codecpar->codec_id == AV_CODEC_ID_MP3))
        stream->codecpar->block_align = 0; /* This number has no meaning outside AVI and WAV. */
    stream->disposition = source->disposition;
    stream->time_base = source->time_base;
    stream->sample_aspect_ratio = source->sample_aspect_ratio;
    stream->avg_frame_rate = source->avg_frame_rate;
#if !RT_CODED_SIDE_DATA
    for (int i = 0; i < source->nb_side_data && result >= 0; i++)
        result = rt_track_add_side_data(stream, source->side_data[i].type, source->side_data[i].data, source->side_data[i].size);
#endif
    return result < 0 ? result : stream->index;
}

int rt_output_attach(rt_output *output, const char *name, const char *type, const uint8_t *data, size_t size) {
    AVStream *stream = avformat_new_stream(rt_output_context(output), NULL);
    if (!stream) return AVERROR(ENOMEM);
    stream->codecpar->codec_type = AVMEDIA_TYPE_ATTACHMENT;
    stream->codecpar->codec_id = AV_CODEC_ID_BIN_DATA;
    int result = set_extradata(stream->codecpar, data, size);
    if (result >= 0) result = av_dict_set(&stream->metadata, "filename", name, 0);
    if (result >= 0) result = av_dict_set(&stream->metadata, "mimetype", type, 0);
    return result < 0 ? result : stream->index;
}

int rt_output_chapters(rt_output *output, rt_input *input, int64_t shift_num, int64_t shift_den, int64_t end_num, int64_t end_den) {
    AVFormatContext *from = rt_context(input), *context = rt_output_context(output);
    if (!from->nb_chapters) return 0;
    context->chapters = av_calloc(from->nb_chapters, sizeof *context->chapters);
    if (!context->chapters) return AVERROR(ENOMEM);
    for (unsigned i = 0; i < from->nb_chapters; i++) {
        const AVChapter *source = from->chapters[i];
        /* Dividing start by time_base stays exact for the time bases that demuxers use; den / num fits int
           there. */
        int64_t shift = av_rescale_rnd(shift_num, source->time_base.den, shift_den * source->time_base.num, AV_ROUND_NEAR_INF);
        int64_t end = INT64_MAX;
        if (end_den) end = av_rescale_rnd(end_num, source->time_base.den, end_den * source->time_base.num, AV_ROUND_NEAR_INF);
        if (source->end != AV_NOPTS_VALUE && source->end <= shift) continue;
        if (source->start >= end) continue;
        AVChapter *chapter = av_mallocz(sizeof *chapter);
        if (!chapter) return AVERROR(ENOMEM);
        chapter->id = source->id;
        chapter->time_base = source->time_base;
        chapter->start = FFMAX(source->start - shift, 0);
        chapter->end = source->end == AV_NOPTS_VALUE ? chapter->start : FFMIN(source->end, end) - shift;
        context->chapters[context->nb_chapters++] = chapter;
        int result = av_dict_copy(&chapter->metadata, source->metadata, 0);
        if (result < 0) return result;
    }
    return (int)context->nb_chapters;
}

int rt_output_chapter(rt_output *output, rt_ratio base, int64_t start, int64_t end, const char *title) {
    AVFormatContext *context = rt_output_context(output);
    AVChapter **chapters = av_realloc_array(context->chapters, context->nb_chapters + 1, sizeof *chapters);
    if (!chapters) return AVERROR(ENOMEM);
    context->chapters = chapters;
    AVChapter *chapter = av_mallocz(sizeof *chapter);
    if (!chapter) return AVERROR(ENOMEM);
    chapter->id = context->nb_chapters + 1;
    chapter->time_base = (AVRational){base.num, base.den};
    chapter->start = start;
    chapter->end = end;
    chapters[context->nb_chapters++] = chapter;
    return av_dict_set(&chapter->metadata, "title", title, 0);
}
