/* How much of the heap is in use now, whoever counts it: the C library or a sanitizer. */
#ifndef TESTS_MEMORY_H
#define TESTS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __has_feature
#define TESTS_HAVE_FEATURE(x) __has_feature(x)
#else
#define TESTS_HAVE_FEATURE(x) 0
#endif
#if defined(__SANITIZE_THREAD__) || TESTS_HAVE_FEATURE(thread_sanitizer)
#define TESTS_THREAD_SANITIZED 1 /* ten times slower than the others */
#else
#define TESTS_THREAD_SANITIZED 0
#endif
#if TESTS_THREAD_SANITIZED || defined(__SANITIZE_ADDRESS__) || TESTS_HAVE_FEATURE(address_sanitizer)
#define TESTS_SANITIZED 1
#else
#define TESTS_SANITIZED 0
#endif

size_t memory_in_use(void);

#endif
