/* The CAA records of the domain as a file, one per line, for the next start: until the store is there
 * the domain must not look as if anybody might issue for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certs_priv.h"
#include "lib/file_sys.h"
#include "lib/mem.h"

#define FILE_MAX ((size_t)ZONE_CAA_MAX * CERTS_CAA_TEXT)

static char *path_of(const struct app *a)
{
    struct str path = {.text = NULL};
    str_appendf(&path, "%s/caa", a->state_dir);
    return path.text;
}

void certs_caa_load(struct certs *c)
{
    char *path = path_of(c->app);
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct err_info why = {.text = ""};
    enum err e = file_read(path, FILE_MAX, &bytes, &len, &why);
    if (e == ERR_OK) {
        char *rest = (char *)bytes;
        for (char *line = strsep(&rest, "\n"); line != NULL && c->caa_count < ZONE_CAA_MAX;
             line = strsep(&rest, "\n")) {
            if (line[0] != '\0' && strlen(line) < CERTS_CAA_TEXT) {
                snprintf(c->caa[c->caa_count++], CERTS_CAA_TEXT, "%s", line);
            }
        }
    } else if (e != ERR_NOTFOUND) {
        LOG_WARN("certs", "no CAA until the store is there", LOG_S("reason", why.text));
    }
    free(bytes);
    free(path);
}

struct save {
    struct loop_work work;
    struct certs *c; /* borrowed: waits for us */
    char *path;      /* owned */
    struct str text; /* owned */
    struct err_info why;
    enum err e;
};

static void write_file(struct loop_work *work)
{
    struct save *s = (struct save *)work;
    s->e =
        file_replace(s->path, s->text.text != NULL ? s->text.text : "", s->text.len, 0640, &s->why);
}

static void on_written(struct loop_work *work)
{
    struct save *s = (struct save *)work;
    struct certs *c = s->c;
    if (s->e != ERR_OK) {
        LOG_WARN("certs", "the CAA records are not kept for the next start",
                 LOG_S("reason", s->why.text));
    }
    str_free(&s->text);
    free(s->path);
    free(s);
    c->caa_saving = false;
    if (c->app->stopping) {
        app_continue_stop(c->app);
    } else if (c->caa_unsaved) {
        certs_caa_save(c);
    }
}

void certs_caa_save(struct certs *c)
{
    c->caa_unsaved = c->caa_saving;
    if (c->caa_saving) {
        return;
    }
    struct save *s = mem_xalloc(sizeof *s);
    c->caa_saving = true;
    s->c = c;
    s->path = path_of(c->app);
    for (size_t i = 0; i < c->caa_count; i++) {
        str_appendf(&s->text, "%s\n", c->caa[i]);
    }
    s->work.work = write_file;
    s->work.done = on_written;
    loop_offload(&c->app->loop, &s->work);
}
