/* Scores drawn pictures with a libvmaf of the system, and ends with 0 where the scores are those of the
 * pinned version. build.rs runs it before it takes such a library: one without its models, or with other
 * scores, is not taken. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <libvmaf/libvmaf.h>

int retake_vmaf_open(VmafContext **context, int plain);
int retake_vmaf_close(VmafContext *context);
int retake_vmaf_use(VmafContext *context, const char *extractor);
int retake_vmaf_picture(unsigned width, unsigned height, unsigned depth, VmafPicture **picture, void **rows,
                        ptrdiff_t *stride);
int retake_vmaf_read(VmafContext *context, VmafPicture *reference, VmafPicture *scored, unsigned index);
int retake_vmaf_difference(VmafContext *context, double *value, unsigned index);
int retake_vmaf_import(VmafContext *context, const char *name, double value, unsigned index);
int retake_vmaf_score(VmafContext *context, VmafModel *model, double *value, unsigned index);
int retake_vmaf_load(VmafModel **model, const char *version);

enum { FRAMES = 3 };

struct film { unsigned width, height, depth; int plain; double scores[FRAMES]; };

/* What the pinned version says; the last frame has no score before the end of a film. */
static const struct film films[] = {
    { 640, 360, 8, 0, { 73.635945, 84.193007 } },
    { 320, 180, 8, 1, { 72.706087, 84.369861 } },
    { 640, 360, 10, 0, { 73.635945, 84.193007 } },
};

/* Draws waves that move, and on the scored picture coarser steps and noise. */
static VmafPicture *draw(const struct film *film, unsigned frame, int scored)
{
    VmafPicture *picture;
    void *rows;
    ptrdiff_t stride;
    uint32_t noise = 1 + frame;
    if (retake_vmaf_picture(film->width, film->height, film->depth, &picture, &rows, &stride))
        return NULL;
    for (unsigned y = 0; y < film->height; y++)
        for (unsigned x = 0; x < film->width; x++) {
            unsigned a = (x + 5 * frame) & 63, b = (y + 2 * frame) & 31;
            unsigned value = 40 + (a < 32 ? a : 63 - a) * 3 + (b < 16 ? b : 31 - b) * 4 + ((x * y) >> 5 & 15);
            noise = noise * 1664525u + 1013904223u;
            if (scored)
                value = (value & ~15u) + (noise >> 27);
            value <<= film->depth - 8;
            if (film->depth > 8)
                ((uint16_t *)((uint8_t *)rows + y * stride))[x] = value;
            else
                ((uint8_t *)rows + y * stride)[x] = value;
        }
    return picture;
}

static int check(const struct film *film, int tell)
{
    VmafContext *motion, *detail;
    VmafModel *model;
    double differences[FRAMES];
    if (retake_vmaf_load(&model, "vmaf_v0.6.1")) {
        puts("it has no built-in model vmaf_v0.6.1");
        return 1;
    }
    int code = retake_vmaf_open(&motion, 0) || retake_vmaf_open(&detail, film->plain)
        || retake_vmaf_use(motion, "motion") || retake_vmaf_use(detail, "vif") || retake_vmaf_use(detail, "adm");
    for (unsigned frame = 0; frame < FRAMES && !code; frame++) {
        VmafPicture *pictures[4];
        for (int i = 0; i < 4 && !code; i++)
            code = !(pictures[i] = draw(film, frame, i & 1));
        code = code || retake_vmaf_read(motion, pictures[0], pictures[1], frame)
            || retake_vmaf_read(detail, pictures[2], pictures[3], frame)
            || retake_vmaf_difference(motion, &differences[frame], frame);
    }
    for (unsigned frame = 0; frame + 1 < FRAMES && !code; frame++) {
        double score = 0, motion2 = fmin(differences[frame], differences[frame + 1]);
        code = retake_vmaf_import(detail, "VMAF_integer_feature_motion2_score", motion2, frame)
            || retake_vmaf_score(detail, model, &score, frame);
        if (tell && !code)
            printf("%ux%u, %u bits, frame %u: %.6f\n", film->width, film->height, film->depth, frame, score);
        else if (!code && fabs(score - film->scores[frame]) > 2e-5) {
            printf("it scores %.6f where the pinned version scores %.6f\n", score, film->scores[frame]);
            return 1;
        }
    }
    if (code)
        puts("it refuses a call that scores need");
    return code;
}

int main(int count, char **words)
{
    int tell = count > 1 && !strcmp(words[1], "--tell");
    for (unsigned i = 0; i < sizeof films / sizeof *films; i++)
        if (check(&films[i], tell))
            return 1;
    return 0;
}
