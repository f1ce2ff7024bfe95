/* Runs pictures through a graph of libavfilter. */
#include "shim.h"

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/imgutils.h>
#include <libavutil/mem.h>
#include <stdio.h>
#include <string.h>

struct rt_graph {
    AVFilterGraph *graph;
    AVFilterContext *source, *sink;
    AVRational aspect; /* of the pictures that are sent */
    rt_pictures from, copies;
};

/* The end of what is linked so far. */
struct end {
    AVFilterContext *filter;
    unsigned pad;
};

/* Links one part of the chain behind what is linked so far. */
static int append(AVFilterGraph *graph, const char *text, struct end *end) {
    AVFilterInOut *inputs = NULL, *outputs = NULL;
    int result = avfilter_graph_parse2(graph, text, &inputs, &outputs);
    if (result >= 0) {
        int one = inputs && !inputs->next && outputs && !outputs->next &&
                  avfilter_pad_get_type(inputs->filter_ctx->input_pads, inputs->pad_idx) == AVMEDIA_TYPE_VIDEO &&
                  avfilter_pad_get_type(outputs->filter_ctx->output_pads, outputs->pad_idx) == AVMEDIA_TYPE_VIDEO;
        if (one) {
            result = avfilter_link(end->filter, end->pad, inputs->filter_ctx, (unsigned)inputs->pad_idx);
            *end = (struct end){outputs->filter_ctx, (unsigned)outputs->pad_idx};
        } else {
            rt_say("it does not take one video and give out one");
            result = AVERROR(EINVAL);
        }
    }
    avfilter_inout_free(&inputs);
    avfilter_inout_free(&outputs);
    return result;
}

static int make_source(rt_graph *graph, const rt_graph_input *in) {
    const AVFilter *buffer = avfilter_get_by_name("buffer");
    char text[512];
    int length = snprintf(text, sizeof text, "video_size=%dx%d:pix_fmt=%d:time_base=%d/%d:frame_rate=%d/%d:pixel_aspect=%d/%d", in->width,
                          in->height, rt_pixel_format(in->picture), in->time_base.num, in->time_base.den, in->frame_rate.num,
                          in->frame_rate.den, in->aspect.num, in->aspect.den);
#if LIBAVFILTER_VERSION_INT >= AV_VERSION_INT(9, 16, 100)
    length += snprintf(text + length, sizeof text - (size_t)length, ":colorspace=%d:range=%d", in->colour.matrix, in->colour.range);
#endif
    if (length >= (int)sizeof text || !buffer) return AVERROR(EINVAL);
    return avfilter_graph_create_filter(&graph->source, buffer, "in", text, NULL, graph->graph);
}

int rt_graph_open(const rt_graph_input *in, const char *const *parts, int count, int *refused, rt_graph **out) {
    *out = NULL;
    *refused = -1;
    rt_graph *graph = av_mallocz(sizeof *graph);
    if (!graph) return AVERROR(ENOMEM);
    int result = AVERROR(ENOMEM);
    graph->aspect = (AVRational){in->aspect.num, in->aspect.den};
    graph->graph = avfilter_graph_alloc();
    if (!graph->graph) goto fail;
    /* Slices of a picture may differ at their ends, so that the number of processors would be in the film. */
    graph->graph->nb_threads = 1;
    graph->graph->scale_sws_opts = av_strdup("flags=bicubic+accurate_rnd+full_chroma_int+bitexact");
    if (!graph->graph->scale_sws_opts) goto fail;
    if ((result = make_source(graph, in)) < 0) goto fail;
    struct end end = {graph->source, 0};
    for (int part = 0; part < count; part++)
        if ((result = append(graph->graph, parts[part], &end)) < 0) {
            *refused = part;
            goto fail;
        }
    const AVFilter *sink = avfilter_get_by_name("buffersink");
    result = sink ? avfilter_graph_create_filter(&graph->sink, sink, "out", NULL, NULL, graph->graph) : AVERROR_FILTER_NOT_FOUND;
    if (result >= 0) result = avfilter_link(end.filter, end.pad, graph->sink, 0);
    if (result >= 0) result = avfilter_graph_config(graph->graph, NULL);
    if (result < 0) goto fail;
    *out = graph;
    return 0;
fail:
    rt_graph_close(graph);
    return result;
}

void rt_graph_close(rt_graph *graph) {
    if (!graph) return;
    avfilter_graph_free(&graph->graph);
    rt_pictures_close(&graph->from);
    rt_pictures_close(&graph->copies);
    av_free(graph);
}

int rt_graph_has(const char *filter) { return avfilter_get_by_name(filter) != NULL; }

void rt_graph_output_of(const rt_graph *graph, rt_graph_output *out) {
    AVRational base = av_buffersink_get_time_base(graph->sink), rate = av_buffersink_get_frame_rate(graph->sink),
               aspect = av_buffersink_get_sample_aspect_ratio(graph->sink);
    out->width = av_buffersink_get_w(graph->sink);
    out->height = av_buffersink_get_h(graph->sink);
    out->time_base = (rt_ratio){base.num, base.den};
    out->frame_rate = (rt_ratio){rate.num, rate.den};
    aspect = rt_aspect(aspect, out->width, out->height);
    out->aspect = (rt_ratio){aspect.num, aspect.den};
}

int rt_graph_send(rt_graph *graph, const rt_planes *planes, int picture, const rt_colour *colour, int fields, int64_t pts) {
    int format = rt_pixel_format(picture);
    AVFrame *frame = rt_picture_new(&graph->from, format, planes->width, planes->height);
    if (!frame) return AVERROR(ENOMEM);
    av_image_copy(frame->data, frame->linesize, (const uint8_t *[4]){planes->data[0], planes->data[1], planes->data[2], NULL},
                  (const int[4]){planes->stride[0], planes->stride[1], planes->stride[2], 0}, format, planes->width, planes->height);
    frame->pts = pts;
    frame->color_primaries = (enum AVColorPrimaries)colour->primaries;
    frame->color_trc = (enum AVColorTransferCharacteristic)colour->transfer;
    frame->colorspace = (enum AVColorSpace)colour->matrix;
    frame->color_range = (enum AVColorRange)colour->range;
    frame->chroma_location = (enum AVChromaLocation)colour->chroma_location;
    frame->sample_aspect_ratio = graph->aspect;
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
    if (fields) frame->flags |= AV_FRAME_FLAG_INTERLACED | (fields == 1 ? AV_FRAME_FLAG_TOP_FIELD_FIRST : 0);
#else
    frame->interlaced_frame = fields != 0;
    frame->top_field_first = fields == 1;
#endif
    int result = av_buffersrc_add_frame(graph->source, frame);
    av_frame_free(&frame);
    return result;
}

int rt_graph_end(rt_graph *graph, int64_t pts) { return av_buffersrc_close(graph->source, pts, 0); }

int rt_graph_receive(rt_graph *graph, rt_frame *out) {
    memset(out, 0, sizeof *out);
    AVFrame *frame = av_frame_alloc();
    if (!frame) return AVERROR(ENOMEM);
    int result = av_buffersink_get_frame(graph->sink, frame);
    /* Filters that turn a picture over may only say that its rows go upwards. */
    if (result >= 0 && (frame->linesize[0] < 0 || frame->linesize[1] < 0 || frame->linesize[2] < 0)) {
        AVFrame *copy = rt_picture_new(&graph->copies, frame->format, frame->width, frame->height);
        result = copy ? av_frame_copy_props(copy, frame) : AVERROR(ENOMEM);
        if (result >= 0)
            av_image_copy(copy->data, copy->linesize, (const uint8_t **)frame->data, frame->linesize, frame->format, frame->width,
                          frame->height);
        av_frame_free(&frame);
        frame = copy;
    }
    if (result < 0) {
        av_frame_free(&frame);
        return result;
    }
    rt_frame_describe(frame, out);
    out->pts = frame->pts;
    return 0;
}
