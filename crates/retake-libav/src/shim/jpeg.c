/* Encodes a picture as a file of JPEG. */
#include "shim.h"

#include <libavutil/frame.h>
#include <string.h>

int rt_jpeg(const rt_planes *planes, int quantizer, uint8_t *out, size_t room, size_t *size) {
    *size = 0;
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    if (!codec) return AVERROR_ENCODER_NOT_FOUND;
    AVCodecContext *encoder = avcodec_alloc_context3(codec);
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    int result = encoder && frame && packet ? 0 : AVERROR(ENOMEM);
    if (result >= 0) {
        encoder->width = planes->width;
        encoder->height = planes->height;
        /* Files of JPEG have full range and the matrix of BT.601; the name of the format says so to every
           generation of FFmpeg. */
        encoder->pix_fmt = AV_PIX_FMT_YUVJ420P;
        encoder->color_range = AVCOL_RANGE_JPEG;
        encoder->time_base = (AVRational){1, 25};
        encoder->thread_count = 1;
        encoder->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
        encoder->global_quality = FF_QP2LAMBDA * quantizer;
        result = avcodec_open2(encoder, codec, NULL);
    }
    if (result >= 0) {
        frame->format = encoder->pix_fmt;
        frame->width = planes->width;
        frame->height = planes->height;
        frame->color_range = AVCOL_RANGE_JPEG;
        frame->quality = encoder->global_quality;
        result = av_frame_get_buffer(frame, 0);
    }
    if (result >= 0) {
        /* The encoder may read beyond the end of a row, where the caller's picture has no room. */
        for (int plane = 0; plane < 3; plane++) {
            const int width = plane ? (planes->width + 1) / 2 : planes->width, height = plane ? (planes->height + 1) / 2 : planes->height;
            for (int y = 0; y < height; y++)
                memcpy(frame->data[plane] + (ptrdiff_t)y * frame->linesize[plane],
                       (const uint8_t *)planes->data[plane] + (ptrdiff_t)y * planes->stride[plane], (size_t)width);
        }
        result = avcodec_send_frame(encoder, frame);
    }
    if (result >= 0) result = avcodec_send_frame(encoder, NULL);
    if (result >= 0) result = avcodec_receive_packet(encoder, packet);
    if (result >= 0 && (size_t)packet->size > room) result = AVERROR(ENOSPC);
    if (result >= 0) {
        *size = (size_t)packet->size;
        memcpy(out, packet->data, *size);
    }
    av_packet_free(&packet);
    av_frame_free(&frame);
    avcodec_free_context(&encoder);
    return result;
}
