/* Memory that each thread has for itself: what a kernel needs for the length of a call and what is too large for a
   stack. A thread has 64 KiB of that in all where somebody asked for it (threading.stack_size), 128 KiB with musl.

   No kernel calls Python, so no thread meets its own memory in use. A compiler cannot know that no other pointer leads
   there, as it does of the stack: functions get it as a restricted argument, and loops that need more than one array of
   it stay on the stack (with everything here, comparing with local thresholds took 1.1 to 1.9 times as long). */
#ifndef GILFREE_SCRATCH_H
#define GILFREE_SCRATCH_H

#if defined(_MSC_VER) && !defined(__clang__)
#define GILFREE_PER_THREAD static __declspec(thread)
#define GILFREE_RESTRICT __restrict
#define GILFREE_APART static __declspec(noinline)
#else
#define GILFREE_PER_THREAD static __thread __attribute__((aligned(64)))
#define GILFREE_RESTRICT restrict
#define GILFREE_APART static __attribute__((noinline))
#endif

#endif
