/* answer_query() with everything checked that is true of every answer, whatever was asked. Aborts
 * with a line on what is not: for unit tests and for the fuzzer alike.
 *
 * - Short packets and answers are not answered; everything else is.
 * - The reply reads as a message to its last octet (dns_decode.h), its id, opcode, RD and question
 * are the query's octet for octet; QR set, RA, Z, AD and CD clear.
 * - It is not larger than it may be; TC leaves nothing but an OPT record, and is UDP's only.
 * - "No such name" and "no such type" carry exactly one SOA; the first answer is the question's
 * name.
 * - At most one OPT, and only to a query that brought additional records.
 * - Padding over TLS only, if it was asked for, of zeros, to a multiple of 468 octets.
 * - In place and into another buffer give the same octets.
 */
#ifndef TESTS_ANSWER_CHECK_H
#define TESTS_ANSWER_CHECK_H

#include "dns_decode.h"
#include "dnsd/answer/answer.h"

/* The octets of the answer, 0: none; *m is the decoded reply, in memory of this module that lasts
 * until the next call. */
size_t answer_check(struct answerer *a, enum answer_transport transport, const uint8_t *in,
                    size_t len, const struct dns_message **m);

#endif
