/* Keys that everybody may know, so that what is made with them can be written down in a test. */
#ifndef TESTS_TEST_KEYS_H
#define TESTS_TEST_KEYS_H

/* RFC 7515 §A.3.1 */
#define TEST_KEY_RFC7515                                                                           \
    "-----BEGIN PRIVATE KEY-----\n"                                                                \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\n"                           \
    "H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp\n"                           \
    "7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt\n"                                   \
    "-----END PRIVATE KEY-----\n"

/* Their coordinates begin with a zero octet: x, and y. The private numbers are 6604446 and 538492. */
#define TEST_KEY_SHORT_X                                                                           \
    "-----BEGIN PRIVATE KEY-----\n"                                                                \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAAAAAAAAAAAAAAAA\n"                           \
    "AAAAAAAAAAAAAAAAAAAAAABkxp6hRANCAAQAvKnPMXRp8FWuwcie4Nb6tOI9GAuT\n"                           \
    "j1UZ0zn6/tFePiLhzv9MiPWMiJHVJ2wNfTFdIGRlPLVlKqq5xIZzJyKO\n"                                   \
    "-----END PRIVATE KEY-----\n"
#define TEST_KEY_SHORT_Y                                                                           \
    "-----BEGIN PRIVATE KEY-----\n"                                                                \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAAAAAAAAAAAAAAAA\n"                           \
    "AAAAAAAAAAAAAAAAAAAAAAAIN3yhRANCAASXqItJuklc5HrxtacH4REwfKkcwuId\n"                           \
    "0bePGy+UzZLCoACbAVnsyyUZp06maszq7cN8/o5kAEzE9cIY3FyD2Jh2\n"                                   \
    "-----END PRIVATE KEY-----\n"

#endif
