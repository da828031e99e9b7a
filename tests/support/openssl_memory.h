/* OpenSSL's memory, and with it lib/tls's, that can be told to run out. */
#ifndef TESTS_OPENSSL_MEMORY_H
#define TESTS_OPENSSL_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Before anything of OpenSSL's is called. */
void openssl_memory_init(void);
/* From now on N allocations succeed, one fails, and those that follow succeed. Whether it has come to
 * that failure is told by openssl_memory_failed(), which ends it, too. */
void openssl_memory_fail_after(size_t n);
bool openssl_memory_failed(void);
/* All fail, until told otherwise. */
void openssl_memory_gone(bool gone);

#endif
