/* plan.c: from what the store holds to what a file wants. */
#include "tools/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lib/mem.h"

static struct wire_name apex;

static int setup(void **state)
{
    (void)state;
    return wire_name_from_text("mc.example.com.", NULL, &apex, NULL) == ERR_OK ? 0 : 1;
}

static void fill(struct record_set *set, const char *address)
{
    assert_int_equal(record_add_text(set, TYPE_A, -1, address, &apex, 300, NULL), ERR_OK);
}

/* Rows and wishes are written as "name=last octet" words. */
static void rows_of(const char *const *words, struct rows *out)
{
    *out = (struct rows){.items = mem_xalloc(8 * sizeof *out->items)};
    for (; words[out->count] != NULL; out->count++) {
        struct row *row = &out->items[out->count];
        const char *equals = strchr(words[out->count], '=');
        row->name = mem_xstrdup(words[out->count]);
        row->name[equals - words[out->count]] = '\0';
        row->key = mem_xstrdup(row->name);
        row->json = mem_xstrdup(equals);
        row->usable = true;
        row->problems = equals[1] == '!';
        fill(&row->set, equals + 1 + row->problems);
    }
}

static void wishes_of(const char *const *words, struct wishes *out)
{
    *out = (struct wishes){.count = 0};
    for (size_t i = 0; words[i] != NULL; i++) {
        const char *equals = strchr(words[i], '=');
        char *name = mem_xstrdup(words[i]);
        struct wire_name owner;
        name[equals - words[i]] = '\0';
        assert_int_equal(wire_name_from_text(name, &apex, &owner, NULL), ERR_OK);
        fill(&wishes_add(out, name, &owner)->set, equals + 1);
        free(name);
    }
    wishes_sort(out);
}

struct example {
    const char *rows[5];
    const char *wishes[5];
    bool replace;
    const char *line;
    const char *changes; /* name, expect -> value; in order */
};

static void check(const struct example *ex)
{
    struct rows rows;
    struct wishes wishes;
    struct plan plan;
    struct str text = {.text = NULL};
    struct str said = {.text = NULL};
    size_t count;
    rows_of(ex->rows, &rows);
    wishes_of(ex->wishes, &wishes);
    plan_compare(&rows, &wishes, ex->replace, &plan);
    plan_line(&plan, &text);
    assert_string_equal(text.text, ex->line);
    struct store_record_change *changes = plan_changes(&plan, &apex, &count);
    for (size_t i = 0; i < count; i++) {
        str_appendf(&said, "%s %s>%s ", changes[i].name,
                    changes[i].expect != NULL ? changes[i].expect : "",
                    changes[i].value != NULL ? changes[i].value : "");
    }
    assert_string_equal(said.text != NULL ? said.text : "", ex->changes);
    plan_changes_free(changes, count);
    plan_free(&plan);
    wishes_free(&wishes);
    rows_free(&rows);
    str_free(&text);
    str_free(&said);
}

static void every_row_gets_its_step(void **state)
{
    static const struct example examples[] = {
        {{NULL}, {NULL}, true, "Plan: +0 added, ~0 updated, =0 unchanged, -0 removed", ""},
        {{NULL},
         {"b=192.0.2.1", "a=192.0.2.2"},
         false,
         "Plan: +2 added, ~0 updated, =0 unchanged, -0 removed",
         "a >{\"a\":[\"192.0.2.2\"]} b >{\"a\":[\"192.0.2.1\"]} "},
        {{"a=192.0.2.1", "b=192.0.2.2", "d=192.0.2.4"},
         {"b=192.0.2.9", "c=192.0.2.3", "d=192.0.2.4"},
         false,
         "Plan: +1 added, ~1 updated, =1 unchanged, -0 removed",
         "b =192.0.2.2>{\"a\":[\"192.0.2.9\"]} c >{\"a\":[\"192.0.2.3\"]} "},
        {{"a=192.0.2.1", "b=192.0.2.2", "d=192.0.2.4"},
         {"b=192.0.2.9", "c=192.0.2.3", "d=192.0.2.4"},
         true,
         "Plan: +1 added, ~1 updated, =1 unchanged, -1 removed",
         "a =192.0.2.1> b =192.0.2.2>{\"a\":[\"192.0.2.9\"]} c >{\"a\":[\"192.0.2.3\"]} "},
        {{"a=192.0.2.1", "b=192.0.2.2"},
         {NULL},
         true,
         "Plan: +0 added, ~0 updated, =0 unchanged, -2 removed",
         "a =192.0.2.1> b =192.0.2.2> "},
        /* a row with values that cannot be served is put right */
        {{"a=!192.0.2.1"},
         {"a=192.0.2.1"},
         false,
         "Plan: +0 added, ~1 updated, =0 unchanged, -0 removed",
         "a =!192.0.2.1>{\"a\":[\"192.0.2.1\"]} "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        check(&examples[i]);
    }
}

static void a_row_keeps_the_name_that_another_program_gave_it(void **state)
{
    struct rows rows;
    struct wishes wishes;
    struct plan plan;
    size_t count;
    (void)state;
    rows_of((const char *[]){"upper=192.0.2.1", NULL}, &rows);
    memcpy(rows.items[0].name, "UPPER", 5);
    wishes_of((const char *[]){"upper=192.0.2.2", NULL}, &wishes);
    plan_compare(&rows, &wishes, true, &plan);
    struct store_record_change *changes = plan_changes(&plan, &apex, &count);
    assert_int_equal(count, 1);
    assert_string_equal(changes[0].name, "UPPER");
    plan_changes_free(changes, count);
    plan_free(&plan);
    wishes_free(&wishes);
    rows_free(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_row_gets_its_step, setup),
        cmocka_unit_test_setup(a_row_keeps_the_name_that_another_program_gave_it, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
