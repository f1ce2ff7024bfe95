/* Takes reconstructed pictures from the library, also while a call into it waits.

   The library keeps finished pictures in a pool that they leave only when they are asked for. Its
   threads stop where the pool is full, while two calls wait for them: the one that takes a frame, until
   a frame inside is done, and the one that gives out a packet. So whoever waits there without taking
   pictures may wait for ever: it is enough that one thread of the library is not run for as long as the
   others finish a pool of pictures behind its frame. 1.4 has room for 25 with two threads and no
   look-ahead. So while such a call waits, a thread of the shim takes the pictures out. To ask for packets
   again and again in place of waiting would not do, because frames cannot be sent without waiting. */
#ifndef RETAKE_SVT_PICTURES_H
#define RETAKE_SVT_PICTURES_H

#include <pthread.h>
#include <time.h>

/* How long a call waits before a picture is taken out beside it, and then from one to the next. Where
   the pool is full sooner, the library only rests for as long. */
#define RETAKE_BESIDE_NS 20000000L

struct recon {
    struct recon *next;
    EbErrorType result; /* of the call that was to give it */
    EbBufferHeaderType header;
    uint8_t bytes[];
};

/* Everything but `thread`, `runs` and `taken` belongs to who holds the lock. */
struct pictures {
    pthread_t thread;
    int runs; /* whether there is a thread */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int waits; /* whether a call waits for the library */
    int idle;  /* whether the thread sleeps until one does */
    int ends;  /* whether the thread is to end */
    struct recon *first, **last, *spare;
    struct recon *taken; /* what was handed out last */
    size_t room;         /* bytes of a picture as the library may write it */
    struct copy *library;
    EbComponentType *svt;
};

/* Takes one picture out, if one is ready. There are no more of them than frames inside, and frames are
   sent by who takes pictures. */
static void take_out(struct pictures *p) {
    struct recon *recon = p->spare;
    p->spare = NULL;
    if (!recon && !(recon = malloc(sizeof *recon + p->room))) return; /* there may be room later */
    memset(recon, 0, sizeof *recon);
    recon->header.size = sizeof recon->header;
    recon->header.p_buffer = recon->bytes;
    recon->header.n_alloc_len = (uint32_t)p->room;
    recon->result = p->library->svt_av1_get_recon(p->svt, &recon->header);
    int end = recon->header.flags & EB_BUFFERFLAG_EOS && recon->header.n_filled_len == 0;
    if (recon->result == EB_NoErrorEmptyQueue || (recon->result == EB_ErrorNone && end)) {
        p->spare = recon;
        return;
    }
    *p->last = recon;
    p->last = &recon->next;
}

static void *take_out_beside(void *handle) {
    struct pictures *p = handle;
    pthread_mutex_lock(&p->lock);
    while (!p->ends) {
        if (!p->waits) {
            p->idle = 1;
            pthread_cond_wait(&p->changed, &p->lock);
            p->idle = 0;
            continue;
        }
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += RETAKE_BESIDE_NS;
        if (until.tv_nsec >= 1000000000L) until.tv_sec++, until.tv_nsec -= 1000000000L;
        pthread_cond_timedwait(&p->changed, &p->lock, &until);
        if (p->waits) take_out(p);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Begins to take pictures of up to `room` bytes from an encode. */
static int begin_pictures(struct pictures *p, struct copy *library, EbComponentType *svt, size_t room, struct retake_fault *fault) {
    *p = (struct pictures){.library = library, .svt = svt, .room = room, .last = &p->first};
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    int failed = pthread_create(&p->thread, NULL, take_out_beside, p);
    if (failed) return retake_fail(fault, "", "no thread could be started: %s", strerror(failed)), -1;
    p->runs = 1;
    return 0;
}

/* Says that a call is to wait for the library, or that it did. */
static void set_waiting(struct pictures *p, int waits) {
    if (!p->runs) return;
    pthread_mutex_lock(&p->lock);
    p->waits = waits;
    /* When a call has ended, the thread finds that out by itself, and nobody has to wake it for each frame.
     */
    if (waits && p->idle) pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

/* Returns the next picture; NULL if there is none yet. It is valid until this function is called again. */
static struct recon *next_picture(struct pictures *p) {
    pthread_mutex_lock(&p->lock);
    if (p->spare) free(p->taken);
    else p->spare = p->taken;
    if (!p->first) take_out(p);
    p->taken = p->first;
    if (p->taken && !(p->first = p->taken->next)) p->last = &p->first;
    pthread_mutex_unlock(&p->lock);
    return p->taken;
}

/* Must be called before the library forgets the encode. */
static void end_pictures(struct pictures *p) {
    if (!p->runs) return;
    pthread_mutex_lock(&p->lock);
    p->ends = 1;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->changed);
    for (struct recon *next; p->first; p->first = next) next = p->first->next, free(p->first);
    free(p->spare);
    free(p->taken);
    p->runs = 0;
}

#endif
