/* Calls libvmaf for ffi.rs. Structures of libvmaf differ between its generations (2.3 to 3.2), so none of
 * them is laid out in Rust: what passes between the two are opaque pointers and plain numbers. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <libvmaf/libvmaf.h>

/* Opens an instance that starts no thread. A plain one lets extractors use no vector instructions. */
int retake_vmaf_open(VmafContext **context, int plain)
{
    VmafConfiguration configuration = {
        .log_level = VMAF_LOG_LEVEL_NONE,
        .n_subsample = 1,
        .cpumask = plain ? UINT32_MAX : 0,
    };
    return vmaf_init(context, configuration);
}

int retake_vmaf_close(VmafContext *context)
{
    return vmaf_close(context);
}

int retake_vmaf_use(VmafContext *context, const char *extractor)
{
    return vmaf_use_feature(context, extractor, NULL);
}

/* Allocates a picture of luma alone, and tells where its rows go. The pool of pictures that version 3.2 has
 * is not used, because no earlier one has it. */
int retake_vmaf_picture(unsigned width, unsigned height, unsigned depth, VmafPicture **picture, void **rows,
                        ptrdiff_t *stride)
{
    VmafPicture *made = calloc(1, sizeof *made);
    if (!made)
        return -ENOMEM;
    int code = vmaf_picture_alloc(made, VMAF_PIX_FMT_YUV400P, depth, width, height);
    if (code) {
        free(made);
        return code;
    }
    *picture = made;
    *rows = made->data[0];
    *stride = made->stride[0];
    return 0;
}

void retake_vmaf_release(VmafPicture *picture)
{
    /* libvmaf blanks those that it has taken over. */
    if (picture->ref)
        vmaf_picture_unref(picture);
    free(picture);
}

/* Runs the extractors on two pictures, and takes both over, whatever comes of it. */
int retake_vmaf_read(VmafContext *context, VmafPicture *reference, VmafPicture *scored, unsigned index)
{
    int code = vmaf_read_pictures(context, reference, scored, index);
    retake_vmaf_release(reference);
    retake_vmaf_release(scored);
    return code;
}

/* Tells by how much a reference differs from the one before, which had another name before version 3.2. */
int retake_vmaf_difference(VmafContext *context, double *value, unsigned index)
{
    const char *names[] = { "VMAF_integer_feature_motion_sad_score", "VMAF_integer_feature_motion_score" };
    int code = vmaf_feature_score_at_index(context, names[0], value, index);
    return code ? vmaf_feature_score_at_index(context, names[1], value, index) : 0;
}

int retake_vmaf_feature(VmafContext *context, const char *name, double *value, unsigned index)
{
    return vmaf_feature_score_at_index(context, name, value, index);
}

int retake_vmaf_import(VmafContext *context, const char *name, double value, unsigned index)
{
    return vmaf_import_feature_score(context, name, value, index);
}

int retake_vmaf_score(VmafContext *context, VmafModel *model, double *value, unsigned index)
{
    return vmaf_score_at_index(context, model, value, index);
}

int retake_vmaf_load(VmafModel **model, const char *version)
{
    VmafModelConfig configuration = { 0 };
    return vmaf_model_load(model, &configuration, version);
}

void retake_vmaf_unload(VmafModel *model)
{
    vmaf_model_destroy(model);
}

const char *retake_vmaf_version(void)
{
    return vmaf_version();
}
