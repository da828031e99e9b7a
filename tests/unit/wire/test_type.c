/* Record types by name and number. */
#include "dnsd/wire/type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void names_and_numbers(void **state)
{
    static const struct {
        const char *text;
        uint16_t type;
        const char *written;
    } rows[] = {
        {"A", 1, "A"},
        {"a", 1, "A"},
        {"AAAA", 28, "AAAA"},
        {"cname", 5, "CNAME"},
        {"TxT", 16, "TXT"},
        {"HTTPS", 65, "HTTPS"},
        {"svcb", 64, "SVCB"},
        {"CAA", 257, "CAA"},
        {"uri", 256, "URI"},
        {"TYPE1", 1, "A"},
        {"type0", 0, "TYPE0"},
        {"TYPE65280", 65280, "TYPE65280"},
        {"TYPE65535", 65535, "TYPE65535"},
        {"naptr", 35, "NAPTR"},
        {"sshfp", 44, "SSHFP"},
        {"any", 255, "ANY"},
        {"nxname", 128, "NXNAME"},
        {"nsec3param", 51, "NSEC3PARAM"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint16_t type = 9999;
        char text[WIRE_TYPE_TEXT_MAX];
        assert_true(wire_type_from_text(rows[i].text, &type));
        assert_int_equal(type, rows[i].type);
        wire_type_to_text(type, text);
        assert_string_equal(text, rows[i].written);
    }
}

static void what_is_no_type(void **state)
{
    static const char *const texts[] = {"",
                                        "AA",
                                        "TYPE",
                                        "TYPE-1",
                                        "TYPE65536",
                                        "TYPE 1",
                                        "TYPE1x",
                                        "TYP1",
                                        "IN",
                                        "A ",
                                        "TYPE99999999999999999999",
                                        "constructor",
                                        "\xc3\xa4"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint16_t type = 9999;
        assert_false(wire_type_from_text(texts[i], &type));
        assert_int_equal(type, 9999);
    }
}

static void every_number_has_its_text(void **state)
{
    (void)state;
    for (unsigned type = 0; type <= UINT16_MAX; type++) {
        char text[WIRE_TYPE_TEXT_MAX];
        uint16_t again = 0;
        wire_type_to_text((uint16_t)type, text);
        assert_true(wire_type_from_text(text, &again));
        assert_int_equal(again, type);
    }
}

/* RFC 6895 §3.1 */
static void which_hold_data(void **state)
{
    (void)state;
    for (unsigned type = 0; type <= UINT16_MAX; type++) {
        bool data = type != 0 && type != 41 && (type < 128 || type > 255);
        assert_int_equal(wire_type_is_data((uint16_t)type), data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_numbers),
        cmocka_unit_test(what_is_no_type),
        cmocka_unit_test(every_number_has_its_text),
        cmocka_unit_test(which_hold_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
