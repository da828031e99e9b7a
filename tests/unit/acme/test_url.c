/* URLs: what is one, who may be talked to, what a reference means. */
#include "acme/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void urls(void **state)
{
    static const struct {
        const char *url;
        bool ok, secure;
    } rows[] = {
        {"https://ca.example/directory", true, true},
        {"HTTPS://CA.example", true, true},
        {"https://ca.example:14000/dir?x=y&z=%20", true, true},
        {"https://[2001:db8::1]:443/", true, true},
        {"https://192.0.2.1?x", true, true},
        {"http://ca.example/", true, false},
        {"http://127.0.0.1:4001/dir", true, true},
        {"http://127.99.0.1/", true, true},
        {"http://[::1]:80/", true, true},
        {"http://127.0.0.1.ca.example/", true, false},
        {"http://127.1/", true, false},
        {"http://0177.0.0.1/", true, false},
        {"http://localhost/", true, false},
        {"http://128.0.0.1/", true, false},
        {"http://[::2]/", true, false},
        {"http://1270.0.0.1/", true, false},
        {"https://ca.example/.well-known/a..b/..c/x.", true, true},
        {"", false, false},
        {"https://", false, false},
        {"https:///x", false, false},
        {"ftp://ca.example/", false, false},
        {"/path", false, false},
        {"https:/ca.example/", false, false},
        {"https://good@evil.example/", false, false},
        {"https://good:x@evil.example/", false, false},
        {"https://good\\@evil.example/", false, false},
        {"https://ca.example\\.evil.example/", false, false},
        {"https://ca%2eexample/", false, false},
        {"https://c\xc3\xa4.example/", false, false},
        {"https://ca.example/\xc3\xa4", false, false},
        {"https://ca.example/a b", false, false},
        {"https://ca.example/a\nb", false, false},
        {"https://ca.example/a\x7f", false, false},
        {"https://ca.example/<x>", false, false},
        {"https://ca.example/#x", false, false},
        {"https://ca.example:/", false, false},
        {"https://ca.example:0/", false, false},
        {"https://ca.example:65536/", false, false},
        {"https://ca.example:000000443/", false, false},
        {"https://ca.example:44x/", false, false},
        {"https://ca.example:443@evil.example/", false, false},
        {"https://[2001:db8::1/", false, false},
        {"https://[2001:db8::1]x/", false, false},
        {"https://[]/", false, false},
        {"https://[fe80::1%25eth0]/", false, false},
        {"https://ca.example/a/../b", false, false},
        {"https://ca.example/a/..", false, false},
        {"https://ca.example/./b", false, false},
        {"https://ca.example/..?x", false, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (acme_url_ok(rows[i].url) != rows[i].ok ||
            acme_url_secure(rows[i].url) != rows[i].secure) {
            fail_msg("%s", rows[i].url);
        }
    }
}

static void origins(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        {"https://ca.example/dir", "https://ca.example/order/1", true},
        {"https://ca.example", "https://CA.EXAMPLE:443/x", true},
        {"http://127.0.0.1/", "http://127.0.0.1:80/x", true},
        {"https://ca.example:14000/dir", "https://ca.example:14000?x", true},
        {"https://[::1]:5/", "https://[::1]:5/x", true},
        {"https://ca.example/", "http://ca.example/", false},
        {"https://ca.example:443/", "http://ca.example:443/", false},
        {"https://ca.example/", "https://ca.example:444/", false},
        {"https://ca.example/", "https://ca.example.evil.example/", false},
        {"https://ca.example/", "https://ca.exampl/", false},
        {"https://ca.example/", "https://xa.example/", false},
        {"https://ca.example/", "https://a.example/", false},
        {"https://ca.example/", "https://ca.example@evil.example/", false},
        {"https://ca.example/", "https://ca.example:443:1/", false},
        {"https://ca.example/", "https://ca.example/../x", false},
        {"https://ca.example/", "//ca.example/", false},
        {"https://ca.example/", "", false},
        {"", "", false},
        {"x", "x", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (acme_same_origin(rows[i].a, rows[i].b) != rows[i].same ||
            acme_same_origin(rows[i].b, rows[i].a) != rows[i].same) {
            fail_msg("%s %s", rows[i].a, rows[i].b);
        }
    }
}

static void references(void **state)
{
    static const struct {
        const char *base, *ref, *out; /* NULL: none */
    } rows[] = {
        {"https://ca.example/a/b?q", "https://other.example/x", "https://other.example/x"},
        {"https://ca.example/a/b?q", "/order/1", "https://ca.example/order/1"},
        {"https://ca.example:1/a/b?q", "/", "https://ca.example:1/"},
        {"https://ca.example/a/b?q/r", "c", "https://ca.example/a/c"},
        {"https://ca.example/a/b?q/r", "?x", "https://ca.example/a/b?x"},
        {"https://ca.example", "c", "https://ca.example/c"},
        {"https://ca.example?q", "c", "https://ca.example/c"},
        {"https://ca.example", "?x", "https://ca.example?x"},
        {"https://ca.example/a", "//other.example/x", "https://other.example/x"},
        {"http://127.0.0.1/a", "//other.example/x", "http://other.example/x"},
        {"https://ca.example/a", "/x#y", "https://ca.example/x"},
        {"https://ca.example/a", "x:y", NULL},
        {"https://ca.example/a", "javascript:alert(1)", NULL},
        {"https://ca.example/a", "http:x", NULL},
        {"https://ca.example/a", "", NULL},
        {"https://ca.example/a", "#x", NULL},
        {"https://ca.example/a", "../x", NULL},
        {"https://ca.example/a", "/a b", NULL},
        {"https://ca.example/a", "//user@other.example/", NULL},
        {"nothing", "/x", NULL},
        {"nothing", "x", NULL},
    };
    char out[64];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool ok = acme_url_resolve(rows[i].base, rows[i].ref, out, sizeof out);
        if (ok != (rows[i].out != NULL)) {
            fail_msg("%s in the light of %s: %s", rows[i].ref, rows[i].base, out);
        }
        assert_string_equal(out, ok ? rows[i].out : "");
    }
    assert_true(acme_url_resolve("https://a/", "/b", out, 12));
    assert_string_equal(out, "https://a/b");
    assert_false(acme_url_resolve("https://a/", "/b", out, 11));
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls),
        cmocka_unit_test(origins),
        cmocka_unit_test(references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
