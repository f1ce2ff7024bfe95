/* Gives each encode that runs at the same time a copy of SVT-AV1.

   The library keeps tables (wedge masks, block geometry) in static memory, and every opening clears and
   builds them anew, while other encodes read them: with 1.4 that ends in a crash within seconds where encodes
   come and go in parallel, or in an encode that silently uses the geometry of another preset. A lock cannot
   help, because the library's own threads go on working. So each encode gets a copy of the library to itself:
   the linked one, or further ones, loaded from an anonymous file. Copies are used again and never unloaded.

   All of this must run under the lock that Rust holds around opening and closing. */
#ifndef RETAKE_SVT_COPIES_H
#define RETAKE_SVT_COPIES_H

#define RETAKE_SVT_FUNCTIONS(X)                                                                                                          \
    X(svt_av1_enc_init_handle)                                                                                                           \
    X(svt_av1_enc_set_parameter)                                                                                                         \
    X(svt_av1_enc_parse_parameter)                                                                                                       \
    X(svt_av1_enc_init)                                                                                                                  \
    X(svt_av1_enc_send_picture)                                                                                                          \
    X(svt_av1_enc_get_packet)                                                                                                            \
    X(svt_av1_enc_release_out_buffer)                                                                                                    \
    X(svt_av1_get_recon)                                                                                                                 \
    X(svt_av1_enc_deinit)                                                                                                                \
    X(svt_av1_enc_deinit_handle)

struct copy {
#define RETAKE_MEMBER(name) __typeof__(&name) name;
    RETAKE_SVT_FUNCTIONS(RETAKE_MEMBER)
#undef RETAKE_MEMBER
    int busy;
    struct copy *next;
};

#define RETAKE_LINKED(name) .name = name,
static struct copy linked_copy = {RETAKE_SVT_FUNCTIONS(RETAKE_LINKED).busy = 0, .next = NULL};
#undef RETAKE_LINKED

#ifdef __linux__
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || !defined(RTLD_DEEPBIND)
/* The sanitizer forbids this flag; the library's tables are private to each copy anyway. */
#define RETAKE_BIND 0
#else
#define RETAKE_BIND RTLD_DEEPBIND
#endif

/* Makes an anonymous file with the bytes of the linked library. */
static int copy_library_file(struct retake_fault *fault) {
    Dl_info info;
    struct stat status;
    if (!dladdr((void *)svt_av1_enc_init, &info) || !info.dli_fname)
        return retake_fail(fault, "", "the file of the SVT-AV1 library was not found"), -1;
    int from = open(info.dli_fname, O_RDONLY | O_CLOEXEC), to = memfd_create("libSvtAv1Enc", MFD_CLOEXEC), failed = 1;
    if (from >= 0 && to >= 0 && fstat(from, &status) == 0) {
        off_t rest = status.st_size;
        while (rest > 0) {
            ssize_t sent = sendfile(to, from, NULL, (size_t)rest);
            if (sent <= 0) break;
            rest -= sent;
        }
        failed = rest != 0;
    }
    if (from >= 0) close(from);
    if (!failed) return to;
    if (to >= 0) close(to);
    return retake_fail(fault, "", "%s could not be copied", info.dli_fname), -1;
}

static int load_copy(struct copy *copy, struct retake_fault *fault) {
    char path[64];
    int file = copy_library_file(fault);
    if (file < 0) return -1;
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RETAKE_BIND);
    /* The file stays open on purpose, because the loader takes a path that it has seen before for the library
       that it loaded then. */
    if (!library) {
        close(file);
        retake_fail(fault, "", "SVT-AV1 shares memory between encodes, and no copy of it could be loaded: run one encode at a time (%s)",
                    dlerror());
        return -1;
    }
    int missing = 0;
#define RETAKE_LOAD(name) missing |= !(copy->name = (__typeof__(&name))dlsym(library, #name));
    RETAKE_SVT_FUNCTIONS(RETAKE_LOAD)
#undef RETAKE_LOAD
    if (missing) return retake_fail(fault, "", "a copy of the SVT-AV1 library lacks functions"), -1;
    for (struct copy *other = &linked_copy; other; other = other->next)
        if (other->svt_av1_enc_init == copy->svt_av1_enc_init)
            return retake_fail(fault, "", "SVT-AV1 shares memory between encodes, and the loader gave the same copy twice"), -1;
    return 0;
}
#else
static int load_copy(struct copy *copy, struct retake_fault *fault) {
    (void)copy;
    return retake_fail(fault, "", "SVT-AV1 shares memory between encodes: run one encode at a time"), -1;
}
#endif

static struct copy *take_copy(struct retake_fault *fault) {
    struct copy *copy = &linked_copy;
    while (copy->busy && copy->next) copy = copy->next;
    if (copy->busy) {
        struct copy *fresh = calloc(1, sizeof *fresh);
        if (!fresh) return retake_fail(fault, "", "out of memory"), NULL;
        if (load_copy(fresh, fault)) return free(fresh), NULL;
        copy = copy->next = fresh;
    }
    copy->busy = 1;
    return copy;
}

#endif
