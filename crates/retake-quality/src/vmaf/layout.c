/* Proves at compile time that sys.rs declares the same as libvmaf's headers. This code never runs. */
#include <libvmaf/libvmaf.h>
#include <stddef.h>

#define SAME(what) _Static_assert(what, #what)

struct configuration { unsigned log_level, n_threads, n_subsample; uint64_t cpumask, gpumask; };
SAME(sizeof(struct configuration) == sizeof(VmafConfiguration));
SAME(offsetof(struct configuration, n_subsample) == offsetof(VmafConfiguration, n_subsample));
SAME(offsetof(struct configuration, cpumask) == offsetof(VmafConfiguration, cpumask));
SAME(offsetof(struct configuration, gpumask) == offsetof(VmafConfiguration, gpumask));
SAME(VMAF_LOG_LEVEL_NONE == 0);

struct model_config { const char *name; uint64_t flags; };
SAME(sizeof(struct model_config) == sizeof(VmafModelConfig));
SAME(offsetof(struct model_config, flags) == offsetof(VmafModelConfig, flags));

struct picture {
    unsigned pix_fmt, bpc, w[3], h[3];
    ptrdiff_t stride[3];
    void *data[3], *reference, *private;
};
SAME(sizeof(struct picture) == sizeof(VmafPicture));
SAME(offsetof(struct picture, bpc) == offsetof(VmafPicture, bpc));
SAME(offsetof(struct picture, w) == offsetof(VmafPicture, w));
SAME(offsetof(struct picture, h) == offsetof(VmafPicture, h));
SAME(offsetof(struct picture, stride) == offsetof(VmafPicture, stride));
SAME(offsetof(struct picture, data) == offsetof(VmafPicture, data));
SAME(offsetof(struct picture, reference) == offsetof(VmafPicture, ref));
SAME(offsetof(struct picture, private) == offsetof(VmafPicture, priv));
SAME(VMAF_PIX_FMT_YUV400P == 4);

struct picture_configuration { unsigned w, h, bpc, pix_fmt, pic_cnt; };
SAME(sizeof(struct picture_configuration) == sizeof(VmafPictureConfiguration));
SAME(offsetof(struct picture_configuration, bpc) == offsetof(VmafPictureConfiguration, pic_params.bpc));
SAME(offsetof(struct picture_configuration, pix_fmt) == offsetof(VmafPictureConfiguration, pic_params.pix_fmt));
SAME(offsetof(struct picture_configuration, pic_cnt) == offsetof(VmafPictureConfiguration, pic_cnt));

/* These are the functions as sys.rs declares them. */
int (*const init)(VmafContext **, VmafConfiguration) = vmaf_init;
int (*const close_context)(VmafContext *) = vmaf_close;
int (*const use_feature)(VmafContext *, const char *, VmafFeatureDictionary *) = vmaf_use_feature;
int (*const import)(VmafContext *, const char *, double, unsigned) = vmaf_import_feature_score;
int (*const preallocate)(VmafContext *, VmafPictureConfiguration) = vmaf_preallocate_pictures;
int (*const fetch)(VmafContext *, VmafPicture *) = vmaf_fetch_preallocated_picture;
int (*const unref)(VmafPicture *) = vmaf_picture_unref;
int (*const read_pictures)(VmafContext *, VmafPicture *, VmafPicture *, unsigned) = vmaf_read_pictures;
int (*const feature_score)(VmafContext *, const char *, double *, unsigned) = vmaf_feature_score_at_index;
int (*const score)(VmafContext *, VmafModel *, double *, unsigned) = vmaf_score_at_index;
int (*const load)(VmafModel **, VmafModelConfig *, const char *) = vmaf_model_load;
void (*const destroy)(VmafModel *) = vmaf_model_destroy;
