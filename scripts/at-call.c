/* Runs a program, counts the calls into the system that concern files over all of its threads, and does
 * something at one of them. The strace program counts for each thread alone, so it cannot come to every call
 * of a program with several.
 *
 * usage: at-call LOG NUMBER ACTION PROGRAM [ARGUMENT...]
 *
 * ACTION is `kill`, which ends the program as it enters the call, or a number of an error, which the call
 * then has without having been made. LOG gets a line for each call up to there: its name, and for calls with
 * a path the path. With NUMBER 0 nothing is done, and LOG gets all calls. The exit code is the program's, 137
 * after a kill, 126 where nothing can be traced.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __x86_64__
int main(void) {
    fputs("at-call: only x86-64 is known here\n", stderr);
    return 126;
}
#else

/* The calls, and which argument is a path (0: none). */
static const struct call {
    const char *name;
    int number, path;
} calls[] = {
    {"open", SYS_open, 1},
    {"openat", SYS_openat, 2},
    {"close", SYS_close, 0},
    {"read", SYS_read, 0},
    {"pread64", SYS_pread64, 0},
    {"readv", SYS_readv, 0},
    {"write", SYS_write, 0},
    {"pwrite64", SYS_pwrite64, 0},
    {"writev", SYS_writev, 0},
    {"copy_file_range", SYS_copy_file_range, 0},
    {"lseek", SYS_lseek, 0},
    {"fsync", SYS_fsync, 0},
    {"fdatasync", SYS_fdatasync, 0},
    {"ftruncate", SYS_ftruncate, 0},
    {"flock", SYS_flock, 0},
    {"getdents64", SYS_getdents64, 0},
    {"newfstatat", SYS_newfstatat, 2},
    {"statx", SYS_statx, 2},
    {"readlink", SYS_readlink, 1},
    {"chmod", SYS_chmod, 1},
    {"fchmod", SYS_fchmod, 0},
    {"fchmodat", SYS_fchmodat, 2},
    {"mkdir", SYS_mkdir, 1},
    {"mkdirat", SYS_mkdirat, 2},
    {"rmdir", SYS_rmdir, 1},
    {"rename", SYS_rename, 1},
    {"renameat", SYS_renameat, 2},
    {"renameat2", SYS_renameat2, 2},
    {"link", SYS_link, 1},
    {"linkat", SYS_linkat, 2},
    {"unlink", SYS_unlink, 1},
    {"unlinkat", SYS_unlinkat, 2},
};
enum { CALLS = sizeof calls / sizeof *calls };

static int fail(const char *what) {
    fprintf(stderr, "at-call: %s: %s\n", what, strerror(errno));
    return 126;
}

/* Lets the tracer see these calls alone, so that all others take no time. */
static int filter(void) {
    struct sock_filter code[CALLS + 3];
    code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int i = 0; i < CALLS; i++)
        code[i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i].number, CALLS - i, 0);
    code[CALLS + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[CALLS + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    struct sock_fprog program = {.len = CALLS + 3, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* Reads a text of the program; what cannot be read is empty. */
static void text_at(pid_t thread, unsigned long address, char *text, size_t size) {
    size_t length = 0;
    while (length + sizeof(long) < size) {
        errno = 0;
        long word = ptrace(PTRACE_PEEKDATA, thread, address + length, 0);
        if (errno != 0)
            break;
        memcpy(text + length, &word, sizeof word);
        length += sizeof word;
        if (memchr(&word, 0, sizeof word) != NULL)
            return;
    }
    text[length] = 0;
}

int main(int argc, char **argv) {
    if (argc < 5) {
        fputs("usage: at-call LOG NUMBER ACTION PROGRAM [ARGUMENT...]\n", stderr);
        return 126;
    }
    FILE *log = fopen(argv[1], "we");
    if (log == NULL)
        return fail(argv[1]);
    long number = atol(argv[2]), seen = 0;
    int error = strcmp(argv[3], "kill") == 0 ? 0 : atoi(argv[3]);
    pid_t child = fork();
    if (child < 0)
        return fail("fork");
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
            _exit(fail("ptrace"));
        raise(SIGSTOP);
        if (filter() < 0)
            _exit(fail("seccomp"));
        execv(argv[4], argv + 4);
        _exit(fail(argv[4]));
    }
    int status;
    if (waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status))
        return WIFEXITED(status) ? WEXITSTATUS(status) : 126;
    long options = PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC |
                   PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SETOPTIONS, child, 0, options) < 0)
        return fail("ptrace");
    ptrace(PTRACE_CONT, child, 0, 0);
    for (;;) {
        pid_t thread = waitpid(-1, &status, __WALL);
        if (thread < 0)
            return fail("waitpid");
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (thread != child)
                continue;
            fclose(log);
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        int signal = WSTOPSIG(status), event = status >> 16;
        if (event == PTRACE_EVENT_SECCOMP) {
            struct user_regs_struct registers;
            /* A thread that has just been killed by another has none. */
            if (ptrace(PTRACE_GETREGS, thread, 0, &registers) == 0) {
                const struct call *call = calls;
                while (call < calls + CALLS - 1 && call->number != (int)registers.orig_rax)
                    call++;
                char path[4096] = "";
                if (call->path == 1)
                    text_at(thread, registers.rdi, path, sizeof path);
                else if (call->path == 2)
                    text_at(thread, registers.rsi, path, sizeof path);
                seen++;
                fprintf(log, "%s %s\n", call->name, path);
                if (seen == number && error == 0) {
                    fflush(log);
                    kill(child, SIGKILL);
                    continue;
                }
                if (seen == number) {
                    /* Call -1 is none, and leaves the result as it is. */
                    registers.orig_rax = -1;
                    registers.rax = -error;
                    ptrace(PTRACE_SETREGS, thread, 0, &registers);
                }
            }
            signal = 0;
        } else if (event != 0 || signal == SIGSTOP || signal == SIGTRAP) {
            /* A new thread or program stops once. */
            signal = 0;
        }
        ptrace(PTRACE_CONT, thread, 0, signal);
    }
}
#endif
