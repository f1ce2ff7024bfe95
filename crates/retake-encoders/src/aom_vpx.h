/* What the shims of libaom and libvpx have in common, because one library began as the other. */
#ifndef RETAKE_AOM_VPX_H
#define RETAKE_AOM_VPX_H

#include "shim.h"

/* Compares keys, which may be spelt with `_` for `-`. */
static inline int retake_same_key(const char *a, const char *b) {
    while (*a && (*a == *b || (*a == '_' && *b == '-'))) a++, b++;
    return !*a && !*b;
}

/* Chooses the time base, num / den seconds, and returns of how many of its units a frame is: frame times
   are indices times that. The libraries require a time base of at most a second, with numbers below 10^9,
   and take the frame rate from the units of a frame. */
static inline int64_t retake_time_base(const struct retake_settings *s, int64_t *num, int64_t *den) {
    int64_t ticks = 1;
    *num = s->fps_den, *den = s->fps_num;
    if (*den > 1000000 * *num) *num = 1, *den = 1000000; /* The libraries' own clocks are not finer. */
    if (*num > *den) ticks = (*num + *den - 1) / *den, *den *= ticks;
    while (*den > 1000000000) *num = *num > 1 ? *num / 2 : 1, *den /= 2;
    return ticks;
}

/* Returns kilobits within the libraries' limit, which is lower than they can count. */
static inline unsigned int retake_kilobits(int64_t bits) {
    int64_t kilo = retake_kilo(bits + 500);
    return (unsigned int)(kilo < 2000000 ? kilo : 2000000);
}

#endif
