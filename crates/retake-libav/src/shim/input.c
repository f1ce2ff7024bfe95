/* Opens a film and reads its packets. */
#include "shim.h"

#include <libavutil/avstring.h>
#include <libavutil/dict.h>
#include <libavutil/dovi_meta.h>
#include <libavutil/display.h>
#include <libavutil/mem.h>
#include <stdatomic.h>
#include <string.h>

typedef struct kept {
    struct kept *next;
    AVPacket *packet;
} kept;

struct rt_input {
    /* Must be the first member, because the log callback counts where `opaque` of a context points to, which
       is this struct. */
    atomic_llong complaints;
    AVFormatContext *context;
    AVIOContext *bytes; /* of the film itself */
    rt_access access;
    kept *first, *last; /* packets that are given out again */
    int recording, replaying;
    /* Why bytes could not be read, once that happened. Demuxers skip what they did not get, and go on. */
    int failed;
};

AVFormatContext *rt_context(rt_input *input) { return input->context; }

#define REFUSED_UNKNOWN FFERRTAG('R', 'T', 'U', 'N')
#define REFUSED_REFERENCES FFERRTAG('R', 'T', 'R', 'F')
#define REFUSED_ENDLESS FFERRTAG('R', 'T', 'E', 'N')

int rt_refusal(int code) {
    switch (code) {
    case REFUSED_UNKNOWN: return RT_REFUSED_UNKNOWN;
    case REFUSED_REFERENCES: return RT_REFUSED_REFERENCES;
    case REFUSED_ENDLESS: return RT_REFUSED_ENDLESS;
    case AVERROR_EXIT: return RT_REFUSED_INTERRUPTED;
    default: return 0;
    }
}

/* Formats whose demuxers read the bytes that they are given and open nothing. A format that is missing here
   is not read: those that open other files or devices (image2, vobsub, dvdvideo, sdp, rtp and the like), that
   are texts drawn as pictures (tty, bintext), and that are recognised by their name alone. */
#define CONTAINERS \
    "matroska,webm,mov,mp4,avi,mpegts,mpeg,mpegvideo,asf,asf_o,flv,live_flv,kux,mxf,gxf,lxf,ogg,nut,nsv,nuv,rm,ivr,wtv,dv," \
    "yuv4mpegpipe,ivf,obu,av1,h261,h263,h264,hevc,vvc,evc,apv,m4v,vc1,vc1test,dirac,dnxhd,cavsvideo,avs2,avs3,mjpeg,mpjpeg,smjpeg," \
    "ffmetadata,swf,webvtt,srt,ass,pmp,pva,ty,dhav,ifv,mtv,mvi,msf,kvag,xmv,imgc,mlv,cine,ser,filmstrip,moflex,mods,vividas,vivo,nc,r3d,iss," \
    "aac,ac3,eac3,aiff,amr,amrnb,amrwb,ape,au,caf,dts,dtshd,flac,loas,mp3,mpc,mpc8,mlp,oma,qcp,tak,truehd,tta,w64,wav,wv,xwma," \
    "4xm,alias_pix,anm,apc,avr,avs,bethsoftvid,bfi,bink,bmv,c93,cdxl,cdg,dsicin,dxa,ea,ea_cdata,film_cpk,flic,frm,gdv,hnm,idcin," \
    "iff,ingenient,ipmovie,ipu,iv8,jv,lmlm4,luodat,lvf,mgsts,mm,mv,paf,psxstr,rl2,roq,rpl,rsd,sdx,sga,siff,smk,smush,sunrast_pipe," \
    "thp,tiertexseq,tmv,usm,vmd,wc3movie,wsvqa,wve,xa,yop," \
    "gif,apng,bmp_pipe,cri_pipe,dds_pipe,dpx_pipe,exr_pipe,gem_pipe,gif_pipe,hdr_pipe,j2k_pipe,jpeg_pipe,jpegls_pipe,jpegxl_pipe," \
    "jpegxl_anim,pam_pipe,pbm_pipe,pcx_pipe,pfm_pipe,pgm_pipe,pgmyuv_pipe,pgx_pipe,phm_pipe,photocd_pipe,pictor_pipe,png_pipe," \
    "ppm_pipe,psd_pipe,qdraw_pipe,qoi_pipe,sgi_pipe,tiff_pipe,vbn_pipe,webp_pipe,xbm_pipe,xpm_pipe,xwd_pipe"

/* Formats that name other files, and how the names of such files end. */
static const struct {
    const char *format, *endings;
} lists[] = {{"hls", "m3u8,m3u"}, {"dash", "mpd"}, {"concat", "ffconcat,concat"}};

static int interrupted(void *input) {
    const rt_access *access = &((rt_input *)input)->access;
    return access->interrupted(access->owner);
}

typedef struct {
    rt_input *input;
    void *bytes;
} reading;

static int read_bytes(void *opaque, uint8_t *buffer, int size) {
    reading *from = opaque;
    if (interrupted(from->input)) return AVERROR_EXIT;
    int count = from->input->access.read(from->bytes, buffer, size);
    if (count < 0 && interrupted(from->input)) return AVERROR_EXIT;
    if (count < 0 && count != AVERROR(EAGAIN)) from->input->failed = count;
    return count ? count : AVERROR_EOF;
}

static int64_t seek_bytes(void *opaque, int64_t offset, int whence) {
    reading *from = opaque;
    whence &= ~AVSEEK_FORCE;
    return from->input->access.seek(from->bytes, offset, whence == AVSEEK_SIZE ? -1 : whence);
}

static void close_bytes(rt_input *input, AVIOContext *context) {
    if (!context) return;
    reading *from = context->opaque;
    input->access.close(from->bytes);
    av_free(from);
    av_freep(&context->buffer);
    avio_context_free(&context);
}

/* The bytes are the context's from here on, also where there is none. */
static AVIOContext *context_of(rt_input *input, void *bytes, int seekable) {
    enum { BUFFER = 1 << 15 };
    reading *from = av_mallocz(sizeof *from);
    uint8_t *buffer = av_malloc(BUFFER);
    AVIOContext *context = NULL;
    if (from && buffer) context = avio_alloc_context(buffer, BUFFER, 0, from, read_bytes, NULL, seekable ? seek_bytes : NULL);
    if (!context) {
        input->access.close(bytes);
        av_free(from);
        av_free(buffer);
        return NULL;
    }
    *from = (reading){input, bytes};
    return context;
}

/* Every file that a demuxer wants beside the film comes through here. */
static int open_other(AVFormatContext *context, AVIOContext **out, const char *name, int flags, AVDictionary **options) {
    (void)options;
    rt_input *input = context->opaque;
    void *bytes = NULL;
    if (!input->access.references || flags & AVIO_FLAG_WRITE) return AVERROR(EPERM);
    int result = input->access.open(input->access.owner, name, &bytes);
    if (result < 0) return result;
    *out = context_of(input, bytes, 1);
    return *out ? 0 : AVERROR(ENOMEM);
}

static int close_other(AVFormatContext *context, AVIOContext *bytes) {
    /* The demuxer of DASH closes here what it has opened itself. */
    if (bytes && bytes->read_packet != read_bytes) return avio_close(bytes);
    close_bytes(context->opaque, bytes);
    return 0;
}

static int refused(int code, const AVInputFormat *format) {
    rt_say(format->name);
    return code;
}

/* Finds the demuxer, and refuses those that open other files unless that is allowed and the name says so. */
static int choose(rt_input *input, const char *path, const AVInputFormat **format, int *list) {
    /* A name must not decide but by its ending: with patterns in it, it would stand for many files. */
    const char *ending = strrchr(path, '.');
    char name[32] = "film";
    if (ending && strlen(ending) < 16 && !strpbrk(ending, "/%*?[{")) av_strlcat(name, ending, sizeof name);
    *list = 0;
    int result = av_probe_input_buffer2(input->bytes, format, name, NULL, 0, 0);
    if (result >= 0 && !strcmp((*format)->name, "image2"))
        /* One picture is read by the demuxer of its kind, and image2 would open it by its name. */
        result = av_probe_input_buffer2(input->bytes, format, "film", NULL, 0, 0);
    /* From 6.0 on, playlists of HLS are known under names of playlists alone, and taken for what else the
       name says. What lists other files has to be known by its content. */
    const AVInputFormat *listed = NULL;
    if ((result >= 0 || result == AVERROR_INVALIDDATA) && av_probe_input_buffer2(input->bytes, &listed, "film.m3u8", NULL, 0, 0) >= 0 &&
        !strcmp(listed->name, "hls"))
        *format = listed, result = 0;
    if (result < 0) return result;
    if (av_match_list((*format)->name, CONTAINERS, ',')) return 0;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (!strcmp((*format)->name, lists[i].format)) {
            if (!input->access.references) return refused(REFUSED_REFERENCES, *format);
            *list = 1;
            return av_match_ext(name, lists[i].endings) ? 0 : refused(REFUSED_UNKNOWN, *format);
        }
    return refused(REFUSED_UNKNOWN, *format);
}

/* Looks into the film as far as usual, or for so many bytes; then what was read is read again, and would
   otherwise be kept in memory. */
static int describe(rt_input *input, int64_t depth) {
    AVFormatContext *context = input->context;
    if (depth > 0) {
        context->flags |= AVFMT_FLAG_NOBUFFER;
        context->probesize = depth;
        context->max_analyze_duration = INT64_MAX / 4;
    }
    int result = avformat_find_stream_info(context, NULL);
    context->flags &= ~AVFMT_FLAG_NOBUFFER;
    if (result >= 0 && depth > 0) result = av_seek_frame(context, -1, 0, AVSEEK_FLAG_BYTE);
    return result;
}

static int open_input(rt_input *input, const char *path, int64_t depth) {
    const AVInputFormat *format = NULL;
    int list = 0, result = choose(input, path, &format, &list);
    if (result < 0) return result;
    input->context = avformat_alloc_context();
    if (!input->context) return AVERROR(ENOMEM);
    input->context->opaque = input;
    input->context->pb = input->bytes;
    input->context->io_open = open_other;
    input->context->io_close2 = close_other;
    input->context->interrupt_callback = (AVIOInterruptCB){interrupted, input};
    AVDictionary *options = NULL;
    /* Demuxers within demuxers have an io_open of FFmpeg's own, so that these lists bind them, too. */
    av_dict_set(&options, "protocol_whitelist", "file", 0);
    av_dict_set(&options, "format_whitelist", list ? CONTAINERS ",hls,dash,concat" : CONTAINERS, 0);
    /* What HLS names is resolved by open_other, where no character of a name means anything. The others open
       their files themselves, and must know the place. */
    const char *ending = strrchr(path, '.');
    char name[32] = "film";
    if (list) av_strlcat(name, ending, sizeof name);
    result = avformat_open_input(&input->context, list && strcmp(format->name, "hls") ? path : name, format, &options);
    av_dict_free(&options);
    if (result < 0) return result;
    /* The demuxers of live streams would wait for more, for ever; concat joins what is there. */
    if (list && strcmp(format->name, "concat") && input->context->duration == AV_NOPTS_VALUE) {
        return refused(REFUSED_ENDLESS, format);
    }
    result = describe(input, depth);
    return result < 0 ? result : interrupted(input) ? AVERROR_EXIT : input->failed;
}

int rt_open(const rt_access *access, void *bytes, int seekable, const char *path, int64_t depth, rt_input **out) {
    *out = NULL;
    rt_input *input = av_mallocz(sizeof *input);
    if (!input) {
        access->close(bytes);
        return AVERROR(ENOMEM);
    }
    input->access = *access;
    input->bytes = context_of(input, bytes, seekable);
    void *before = rt_reads(&input->complaints);
    int result = input->bytes ? open_input(input, path, depth) : AVERROR(ENOMEM);
    rt_reads(before);
    if (result < 0) {
        if (interrupted(input)) result = AVERROR_EXIT;
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
    close_bytes(input, input->bytes);
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
    out->states_duration = context->duration_estimation_method == AVFMT_DURATION_FROM_STREAM;
}

static const char *tag(const AVDictionary *tags, const char *name) {
    const AVDictionaryEntry *entry = av_dict_get(tags, name, NULL, 0);
    return entry ? entry->value : NULL;
}

static void describe_video(AVFormatContext *context, AVStream *stream, rt_stream *out) {
    const AVCodecParameters *par = stream->codecpar;
    AVRational rate = av_guess_frame_rate(context, stream, NULL);
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(60, 31, 100)
    /* Where samples have no times, the average rate of 7.1 is 25 whatever the stream states, and misleads the
       guess. The pictures come as fast as the stream itself states; of MPEG-4 this may be the rate of a clock
       that is faster than any two pictures that were seen. */
    AVRational stated = par->framerate;
    if (context->iformat->flags & AVFMT_NOTIMESTAMPS && stated.num > 0 && stated.den > 0 && av_cmp_q(stated, stream->r_frame_rate) <= 0)
        rate = stated;
#endif
    AVRational aspect = rt_aspect(av_guess_sample_aspect_ratio(context, stream, NULL), par->width, par->height);
    out->frame_rate = (rt_ratio){rate.num, rate.den};
    out->aspect = (rt_ratio){aspect.num, aspect.den};
    /* Other demuxers copy the shape of a track from its first picture. */
    static const char *const state_shapes[] = {"mov", "matroska", "avi", "asf", "mxf"};
    for (size_t i = 0; i < sizeof state_shapes / sizeof *state_shapes && stream->sample_aspect_ratio.num > 0; i++)
        if (av_match_name(state_shapes[i], context->iformat->name)) out->states_aspect = 1;
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
    const AVDOVIDecoderConfigurationRecord *dolby = (const void *)rt_side_data(stream, AV_PKT_DATA_DOVI_CONF);
    if (dolby) out->dolby_vision = dolby->dv_profile ? dolby->dv_profile : -1;
}

int rt_chapter_of(rt_input *input, int index, rt_chapter *out) {
    const AVFormatContext *context = input->context;
    if (index < 0 || (unsigned)index >= context->nb_chapters) return AVERROR(EINVAL);
    const AVChapter *chapter = context->chapters[index];
    *out = (rt_chapter){{chapter->time_base.num, chapter->time_base.den}, chapter->start, chapter->end, tag(chapter->metadata, "title")};
    return 0;
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
    /* FFmpeg has no coding formats of these two, and tells them by their codes in the file alone. */
    const char *code = par->codec_tag == MKTAG('t', 'm', 'c', 'd')   ? "tmcd"
                       : par->codec_tag == MKTAG('m', 'e', 'b', 'x') ? "mebx"
                                                                     : "unknown";
    out->codec = codec && codec->id != AV_CODEC_ID_NONE ? codec->name : code;
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
    /* The demuxer of Matroska names the key of encrypted samples in a tag. */
    out->encrypted = rt_side_data(stream, AV_PKT_DATA_ENCRYPTION_INIT_INFO) || tag(stream->metadata, "enc_key_id");
    out->disposition = stream->disposition;
    out->id = stream->id;
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
    if (last && av_match_name("mp4", context->iformat->name)) {
        out->last_byte = last->pos + last->size;
        out->listed = entries;
    }
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
    out->encrypted = av_packet_get_side_data(packet, AV_PKT_DATA_ENCRYPTION_INFO, NULL) != NULL;
    size_t size = 0;
    const uint8_t *beside = av_packet_get_side_data(packet, AV_PKT_DATA_MATROSKA_BLOCKADDITIONAL, &size);
    /* 1 is the identifier of transparency. */
    out->alpha = beside && size >= 8 && !memcmp(beside, "\0\0\0\0\0\0\0\1", 8);
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
    void *before = rt_reads(&input->complaints);
    int result = av_read_frame(input->context, packet);
    rt_reads(before);
    if (input->failed) result = input->failed;
    if (result >= 0 && input->recording) result = keep(input, packet);
    if (result < 0 && interrupted(input)) result = AVERROR_EXIT;
    if (result < 0) {
        av_packet_free(&packet);
        return result;
    }
    describe_packet(packet, out);
    return 0;
}

void rt_packet_shift(rt_packet *packet, int64_t ticks) {
    AVPacket *moved = packet->packet;
    if (moved->pts != AV_NOPTS_VALUE) packet->pts = moved->pts = av_sat_add64(moved->pts, ticks);
    if (moved->dts != AV_NOPTS_VALUE) packet->dts = moved->dts = av_sat_add64(moved->dts, ticks);
}

void rt_packet_untime(rt_packet *packet) { packet->pts = packet->packet->pts = AV_NOPTS_VALUE; }

void rt_packet_undecode(rt_packet *packet) { packet->dts = packet->packet->dts = AV_NOPTS_VALUE; }

void rt_packet_unlast(rt_packet *packet) { packet->duration = packet->packet->duration = 0; }

int64_t rt_complaints(rt_input *input) { return atomic_load(&input->complaints); }

const uint8_t *rt_packet_cue_settings(const AVPacket *packet, size_t *size) {
    return av_packet_get_side_data(packet, AV_PKT_DATA_WEBVTT_SETTINGS, size);
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

int rt_share_programme(rt_input *input, int one, int other) {
    AVFormatContext *context = input->context;
    int known[2] = {0, 0};
    for (unsigned i = 0; i < context->nb_programs; i++) {
        const AVProgram *programme = context->programs[i];
        int here[2] = {0, 0};
        for (unsigned k = 0; k < programme->nb_stream_indexes; k++) {
            here[0] |= (int)programme->stream_index[k] == one;
            here[1] |= (int)programme->stream_index[k] == other;
        }
        if (here[0] && here[1]) return 1;
        known[0] |= here[0];
        known[1] |= here[1];
    }
    return !known[0] || !known[1];
}

int rt_lacks_descriptions(rt_input *input) {
    const AVFormatContext *context = input->context;
    if (!(context->iformat->flags & AVFMT_TS_DISCONT) || !context->pb || !(context->pb->seekable & AVIO_SEEKABLE_NORMAL)) return 0;
    for (unsigned i = 0; i < context->nb_streams; i++) {
        const AVCodecParameters *par = context->streams[i]->codecpar;
        /* What no decoder knows is described nowhere. */
        if (!avcodec_find_decoder(par->codec_id)) continue;
        if (par->codec_type == AVMEDIA_TYPE_AUDIO && par->sample_rate <= 0) return 1;
        if (par->codec_type == AVMEDIA_TYPE_VIDEO && par->width <= 0) return 1;
    }
    return 0;
}

void rt_record(rt_input *input) { input->recording = 1; }

void rt_replay(rt_input *input) {
    input->recording = 0;
    input->replaying = 1;
}

int64_t rt_empty_samples(rt_input *input, int index) {
    AVFormatContext *context = input->context;
    if (index < 0 || (unsigned)index >= context->nb_streams || !av_match_name("avi", context->iformat->name)) return 0;
    AVStream *stream = context->streams[index];
    int entries = avformat_index_get_entries_count(stream);
    const AVIndexEntry *last = entries > 0 ? avformat_index_get_entry(stream, entries - 1) : NULL;
    /* The demuxer counts them in the times of the samples that it lists, if the index was read to its end. */
    int64_t counted = stream->nb_frames, reached = last ? last->timestamp + 1 : 0;
    return reached >= counted - counted / 100 - 2 && reached > entries ? reached - entries : 0;
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
