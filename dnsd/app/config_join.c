#include "config_join.h"

#include <stdlib.h>
#include <string.h>

#include "config_bootstrap.h"
#include "config_priv.h"
#include "lib/file_sys.h"
#include "lib/mem.h"

/* The operator's files without ours. */
static struct cfg *read_theirs(const char *config_path)
{
    struct cfg *cfg = cfg_new();
    config_add_files(cfg, config_main_path(config_path), "{}");
    return cfg;
}

char *config_join_tls_dir(const char *config_path)
{
    struct cfg *cfg = read_theirs(config_path);
    const struct cfg_node *node = cfg_find(cfg, "cluster.tlsDir");
    bool there = cfg_is_set(node) && node->kind == CFG_SCALAR;
    char *path = mem_xstrdup(there ? node->text : CONFIG_TLS_DIR);
    cfg_free(cfg);
    return path;
}

static const struct cfg_node *value_at(const struct cfg *cfg, const char *path)
{
    const struct cfg_node *node = cfg_find(cfg, path);
    return cfg_is_set(node) && node->kind == CFG_SCALAR ? node : NULL;
}

/* Names are the same whatever their case, and with a dot at the end. */
static bool same_name(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b);
    a_len -= a_len > 0 && a[a_len - 1] == '.';
    b_len -= b_len > 0 && b[b_len - 1] == '.';
    return a_len == b_len && strncasecmp(a, b, a_len) == 0;
}

static void check(struct cfg *cfg, const struct bundle *b, const char *override)
{
    char shown[CFG_SHOWN_MAX];
    const struct cfg_node *id = value_at(cfg, "core.id");
    const struct cfg_node *domain = value_at(cfg, "dns.domain");
    const struct cfg_node *engine = value_at(cfg, "storages.platform.engine");
    if (id != NULL && strcmp(id->text, b->node.id) != 0) {
        cfg_problem(cfg, id, "%s is not the core that the bundle is for, `%s`; take it out",
                    cfg_shown(id->text, shown), b->node.id);
    }
    if (domain != NULL && b->cluster.domain == NULL) {
        cfg_problem(cfg, domain, "the bundle is of a cluster without a domain; take it out");
    } else if (domain != NULL && !same_name(domain->text, b->cluster.domain)) {
        cfg_problem(cfg, domain, "%s is not the domain of the bundle's cluster, `%s`; take it out",
                    cfg_shown(domain->text, shown), b->cluster.domain);
    }
    /* Elsewhere ours wins. */
    if (engine != NULL && override != NULL && strcmp(engine->file, override) == 0 &&
        strcmp(engine->text, "rqlite") != 0) {
        cfg_problem(cfg, engine, "%s cannot be the engine of a core in a cluster; take it out",
                    cfg_shown(engine->text, shown));
    }
}

enum err config_join_check(const char *config_path, const struct bundle *b,
                           struct config_problems *problems)
{
    struct cfg *cfg = read_theirs(config_path);
    char *override = config_beside(config_main_path(config_path), CONFIG_OVERRIDE_FILE);
    size_t count = 0;
    if (cfg_is_whole(cfg)) { /* else config_load_with() tells */
        check(cfg, b, override);
        count = cfg_problem_count(cfg);
        cfg_problems_text(cfg, &problems->text);
    }
    problems->count += count;
    free(override);
    cfg_free(cfg);
    return count == 0 ? ERR_OK : ERR_CONFLICT;
}

char *config_join_core(const char *config_path)
{
    char *path = config_bootstrap_path(config_path);
    struct cfg *cfg = cfg_new();
    uint8_t *bytes = NULL;
    size_t len = 0;
    char *core = NULL;
    if (file_read(path, CFG_BYTES_MAX, &bytes, &len, NULL) == ERR_OK) {
        cfg_add(cfg, path, (const char *)bytes, len);
        explicit_bzero(bytes, len);
        const struct cfg_node *id = value_at(cfg, "core.id");
        core = id != NULL ? mem_xstrdup(id->text) : NULL;
    }
    free(bytes);
    free(path);
    cfg_free(cfg);
    return core;
}
