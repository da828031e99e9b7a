/* Addresses of servers, from text and back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "dnsd/probe/address.h"

static void texts(void **state)
{
    static const char *const rows[][2] = {
        {"192.0.2.1", "192.0.2.1:53"},
        {"192.0.2.1:5353", "192.0.2.1:5353"},
        {"2001:db8::1", "[2001:db8::1]:53"},
        {"[2001:db8::1]", "[2001:db8::1]:53"},
        {"[2001:DB8::1]:65535", "[2001:db8::1]:65535"},
        {"::1", "[::1]:53"},
        {"", NULL},
        {"localhost", NULL},
        {"192.0.2.1:", NULL},
        {"192.0.2.1:0", NULL},
        {"192.0.2.1:65536", NULL},
        {"192.0.2.1:5x", NULL},
        {"192.0.2", NULL},
        {"192.0.2.1 ", NULL},
        {"[192.0.2.1]:53", NULL},
        {"[2001:db8::1", NULL},
        {"[2001:db8::1]53", NULL},
        {"[]", NULL},
        {"[]:53", NULL},
        {"2001:db8::1::", NULL},
        {"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sockaddr_storage a;
        struct err_info info;
        char text[ADDRESS_TEXT_MAX];
        enum err e = address_read(rows[i][0], 53, &a, &info);
        if ((e == ERR_OK) != (rows[i][1] != NULL)) {
            fail_msg("%s: %s", rows[i][0], err_text(e));
        }
        if (e == ERR_OK) {
            address_to_text(&a, text);
            assert_string_equal(text, rows[i][1]);
        }
    }
}

static void octets(void **state)
{
    struct sockaddr_storage a, b;
    (void)state;
    assert_true(address_of((const uint8_t *)"\300\0\2\1", 4, 53, &a));
    assert_int_equal(address_read("192.0.2.1", 53, &b, NULL), ERR_OK);
    assert_true(address_equal(&a, &b));
    address_set_port(&b, 54);
    assert_false(address_equal(&a, &b));
    assert_true(address_of((const uint8_t *)"\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1", 16, 53, &a));
    assert_false(address_equal(&a, &b));
    assert_int_equal(address_read("[2001:db8::1]:53", 9, &b, NULL), ERR_OK);
    assert_true(address_equal(&a, &b));
    assert_false(address_of((const uint8_t *)"\300\0\2\1\1", 5, 53, &a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts), cmocka_unit_test(octets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
