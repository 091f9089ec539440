/* What the heartbeat asks of the operating system: clocks, how a thread's time was spent, sleeping, atomic words.
 *
 * Linux answers everything. Elsewhere the questions about another thread's time and about voluntary context switches
 * have no cheap exact answer, and the functions say -1: unknown. */

#ifndef GILFREE_CLOCKS_H
#define GILFREE_CLOCKS_H

#include <stdint.h>

/* --- words that two threads share ------------------------------------------------------------------------------- */

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#define gilfree_get(word) _InterlockedOr64((volatile __int64 *)(word), 0)
#define gilfree_set(word, n) ((void)_InterlockedExchange64((volatile __int64 *)(word), (n)))
#else
#define gilfree_get(word) __atomic_load_n((word), __ATOMIC_SEQ_CST)
#define gilfree_set(word, n) __atomic_store_n((word), (n), __ATOMIC_SEQ_CST)
#endif

/* --- the clock, and sleep ------------------------------------------------------------------------------------------
 * One clock for both threads: nanoseconds since some fixed moment, never set back. */

#ifdef _WIN32
#include <windows.h>

static int64_t gilfree_now(void) {
    LARGE_INTEGER ticks, a_second;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&a_second);
    return (int64_t)(ticks.QuadPart / a_second.QuadPart) * 1000000000
        + (int64_t)(ticks.QuadPart % a_second.QuadPart) * 1000000000 / a_second.QuadPart;
}

static int64_t gilfree_own_cpu(void) {   /* of the calling thread; moves in steps of 15 ms here */
    FILETIME made, gone, kernel, user;
    GetThreadTimes(GetCurrentThread(), &made, &gone, &kernel, &user);
    return (((int64_t)kernel.dwHighDateTime << 32) + kernel.dwLowDateTime
        + ((int64_t)user.dwHighDateTime << 32) + user.dwLowDateTime) * 100;
}

static void gilfree_nap(int64_t ns) {
    Sleep((DWORD)((ns + 999999) / 1000000));
}

#else
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

static int64_t gilfree_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t gilfree_own_cpu(void) {   /* of the calling thread */
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void gilfree_nap(int64_t ns) {
    struct timespec left = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {}
}
#endif

/* --- how a thread's time was spent ---------------------------------------------------------------------------------
 * cpu: nanoseconds on a CPU. queued: nanoseconds ready to run, with no CPU free. sleeps: how often the calling thread
 * gave its CPU away because it had to wait. preemptions: how often it was taken away. */

#ifdef __linux__
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct { clockid_t clock; int schedstat; } gilfree_thread;

static void gilfree_thread_self(gilfree_thread *thread) {
    char path[64];
    if (pthread_getcpuclockid(pthread_self(), &thread->clock) != 0) thread->clock = (clockid_t)-1;
    snprintf(path, sizeof path, "/proc/self/task/%ld/schedstat", (long)syscall(SYS_gettid));
    thread->schedstat = open(path, O_RDONLY | O_CLOEXEC);
}

static void gilfree_thread_close(gilfree_thread *thread) {
    if (thread->schedstat >= 0) close(thread->schedstat);
    thread->schedstat = -1;
}

static int64_t gilfree_thread_cpu(const gilfree_thread *thread) {
    struct timespec t;
    if (thread->clock == (clockid_t)-1 || clock_gettime(thread->clock, &t) != 0) return -1;
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The file's first number is brought up to date only at a tick of the scheduler; the clock above always is. */
static int64_t gilfree_thread_queued(const gilfree_thread *thread) {
    char text[96], *second;
    ssize_t length = thread->schedstat < 0 ? -1 : pread(thread->schedstat, text, sizeof text - 1, 0);
    if (length <= 0) return -1;
    text[length] = 0;
    second = strchr(text, ' ');
    return second == NULL ? -1 : (int64_t)strtoll(second, NULL, 10);
}

static int64_t gilfree_sleeps(void) {
    struct rusage usage;
    return getrusage(RUSAGE_THREAD, &usage) != 0 ? -1 : (int64_t)usage.ru_nvcsw;
}

static int64_t gilfree_preemptions(void) {
    struct rusage usage;
    return getrusage(RUSAGE_THREAD, &usage) != 0 ? -1 : (int64_t)usage.ru_nivcsw;
}

#else

typedef struct { int unknown; } gilfree_thread;

static void gilfree_thread_self(gilfree_thread *thread) { thread->unknown = 1; }
static void gilfree_thread_close(gilfree_thread *thread) { thread->unknown = 1; }
static int64_t gilfree_thread_cpu(const gilfree_thread *thread) { return thread->unknown ? -1 : 0; }
static int64_t gilfree_thread_queued(const gilfree_thread *thread) { return thread->unknown ? -1 : 0; }
static int64_t gilfree_sleeps(void) { return -1; }
static int64_t gilfree_preemptions(void) { return -1; }
#endif

/* For a thread that only measures: signals are for others to handle, and a timer that is due is due now (Linux waits
 * up to 50 us more by default, to wake several sleepers at once). */
static void gilfree_quiet_thread(void) {
#ifndef _WIN32
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
#endif
#ifdef __linux__
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
#endif
}

#endif
