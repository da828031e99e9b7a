/* A new user finds a core: counted, compared and written in one statement.
 *
 *     write ── changed a row ──> where (read it back) ──> placed
 *       ^ └─── changed none ───> why ──> taken, name, none
 *       └── no reason any more ───┘
 *
 * The engines carry out one write after the other, so what the statement has counted is true when
 * it writes, on any number of cores. The statement cannot tell what it chose, nor why it wrote
 * nothing. Both are read afterwards, when somebody else may have been there: then what is found is
 * told, as if the user had been moved just before; only a user who is gone again is an error. A
 * reason that is gone is none: the statement is carried out again.
 *
 * It counts by walking over a core's stretch of the index dnsd_user_core: about 60 ns a user (see
 * schema.c on why nobody keeps counters). */
#include "store.h"

#include "keys.h"
#include "op.h"

#define TRIES 3 /* to give up needs as many others who come between write and read each time */

#define USER_KEY  "'" KEY_USER "' || ?1"
#define NAME_KEYS "('" KEY_CORE "' || ?2, '" KEY_RECORD "' || ?2)" /* of nothing, if it is NULL */
#define CORE_KEY  "'" KEY_CORE "' || ?3"

#define IS_FREE                                                                                    \
    "NOT EXISTS (SELECT 1 FROM keyValue WHERE key = " USER_KEY ")"                                 \
    " AND NOT EXISTS (SELECT 1 FROM keyValue WHERE key IN " NAME_KEYS ")"

#define CORE_ID "substr(c.key, length('" KEY_CORE "') + 1)"

/* The cores that store_cores_list() would call available: those of rows it can read, but for what
 * only a JSON parser sees. CASE, because it alone keeps json_each() from text that is no JSON. */
#define IS_AVAILABLE                                                                               \
    "c.key > '" KEY_CORE "' AND CASE WHEN json_valid(c.value) THEN"                                \
    " json_type(c.value) = 'object' AND NOT EXISTS (SELECT 1 FROM json_each(c.value) AS m"         \
    " WHERE CASE WHEN m.key = 'available' THEN m.type NOT IN ('true', 'null')"                     \
    " WHEN m.key IN ('url', 'ip', 'ipv6', 'cname', 'hosting')"                                     \
    " THEN m.type NOT IN ('text', 'null') ELSE 0 END) ELSE 0 END"
#define FROM_CORES "FROM keyValue AS c WHERE " IS_CORE("c.key") " AND " IS_AVAILABLE
#define USERS_OF_CORE                                                                              \
    "(SELECT count(*) FROM keyValue AS u WHERE " IS_USER("u.key") " AND u.value = " CORE_ID ")"

static const char PLACE_SQL[] =
    "INSERT INTO keyValue(key, value) SELECT " USER_KEY ", " CORE_ID " " FROM_CORES " AND " IS_FREE
    " ORDER BY " USERS_OF_CORE ", c.key LIMIT 1";
static const char PLACE_ON_SQL[] =
    "INSERT INTO keyValue(key, value) SELECT " USER_KEY ", ?3"
    " WHERE EXISTS (SELECT 1 FROM keyValue WHERE key = " CORE_KEY ") AND " IS_FREE;
static const char WHERE_SQL[] = "SELECT value FROM keyValue WHERE key = " USER_KEY;

/* In the order in which reasons are told. */
#define WHY                                                                                        \
    "SELECT (SELECT value FROM keyValue WHERE key = " USER_KEY "),"                                \
    " EXISTS (SELECT 1 FROM keyValue WHERE key IN " NAME_KEYS "),"
static const char WHY_SQL[] = WHY " EXISTS (SELECT 1 " FROM_CORES ")";
static const char WHY_ON_SQL[] = WHY " EXISTS (SELECT 1 FROM keyValue WHERE key = " CORE_KEY ")";
enum { WHY_CORE, WHY_NAME, WHY_ROOM };

struct place_op {
    struct op op;
    struct backend_value values[3]; /* name, label and core, in op.pool */
    size_t count;                   /* of them: without the core if there is a choice */
    unsigned tries;
    store_place_cb *cb;
    void *ctx; /* borrowed */
};

static void finish(struct place_op *o, enum err e, const struct err_info *info,
                   enum store_placed how, const char *core)
{
    struct store_user user = {.name = o->values[0].text, .core = core};
    o->cb(o->ctx, e, info, how, e == ERR_OK ? &user : NULL);
    op_free(&o->op);
}

/* The user has been placed, or at least was: an error here must not say that nothing happened. */
static void on_where(struct op *op, enum err e, const struct err_info *info,
                     const struct backend_reply *reply)
{
    struct place_op *o = (struct place_op *)op;
    const char *name = o->values[0].text;
    const char *core = NULL;
    struct err_info why = {.text = ""};
    if (e != ERR_OK) {
        why = *info;
        e = err_prefix(&why, ERR_TIMEOUT,
                       "%.100s: was put on a core, but which cannot be read: ", name);
    } else if (reply->stale && op->query.level == BACKEND_LOCAL) {
        op_read(op, WHERE_SQL, BACKEND_LATEST, o->values, 1); /* this node may not have it yet */
        return;
    } else if (reply->rows == 0) {
        e = err_set(&why, ERR_CONFLICT,
                    "%s: was put on a core, and removed by somebody else at once", name);
    } else {
        core = backend_text(&reply->cells[0]);
    }
    finish(o, e, &why, STORE_PLACED, core);
}

static void place(struct place_op *o);

static void on_why(struct op *op, enum err e, const struct err_info *info,
                   const struct backend_reply *reply)
{
    struct place_op *o = (struct place_op *)op;
    const char *core = e == ERR_OK ? backend_text(&reply->cells[WHY_CORE]) : NULL;
    if (e != ERR_OK) {
        finish(o, e, info, STORE_PLACE_NONE, NULL);
    } else if (core != NULL) {
        finish(o, ERR_OK, NULL, STORE_PLACE_TAKEN, core);
    } else if (backend_number(&reply->cells[WHY_NAME]) != 0) {
        finish(o, ERR_OK, NULL, STORE_PLACE_NAME, NULL);
    } else if (backend_number(&reply->cells[WHY_ROOM]) == 0) {
        finish(o, ERR_OK, NULL, STORE_PLACE_NONE, NULL);
    } else if (o->tries < TRIES) {
        place(o);
    } else {
        e = err_set(&op->info, ERR_CONFLICT, "%s: others keep changing what is in its way",
                    o->values[0].text);
        finish(o, e, &op->info, STORE_PLACE_NONE, NULL);
    }
}

static void on_placed(struct op *op, enum err e, const struct err_info *info,
                      const struct backend_reply *reply)
{
    struct place_op *o = (struct place_op *)op;
    bool chosen = o->count == 3;
    (void)reply;
    if (e == ERR_CONFLICT) {
        op->end = on_why;
        op_read(op, chosen ? WHY_ON_SQL : WHY_SQL, BACKEND_LATEST, o->values, o->count);
    } else if (e == ERR_OK && !chosen) {
        op->end = on_where;
        op_read(op, WHERE_SQL, BACKEND_LOCAL, o->values, 1);
    } else {
        finish(o, e, info, STORE_PLACED, chosen ? o->values[2].text : NULL);
    }
}

static void place(struct place_op *o)
{
    o->tries++;
    o->op.end = on_placed;
    op_write(&o->op, o->count == 3 ? PLACE_ON_SQL : PLACE_SQL, true, o->values, o->count);
}

void store_user_place(struct store *s, const struct store_place *p, store_place_cb *cb, void *ctx)
{
    struct place_op *o = op_new(s, sizeof *o, on_placed);
    struct pool *pool = &o->op.pool;
    o->cb = cb;
    o->ctx = ctx;
    o->count = 2;
    op_check_name(&o->op, KEY_USER, p->name);
    o->values[0] = OP_TEXT(pool_text(pool, p->name));
    if (p->label != NULL) {
        op_check_name(&o->op, KEY_RECORD, p->label); /* the longer of the two prefixes */
        o->values[1] = OP_TEXT(pool_text(pool, p->label));
    }
    if (p->core != NULL) {
        op_check_name(&o->op, KEY_CORE, p->core);
        o->values[o->count++] = OP_TEXT(pool_text(pool, p->core));
    }
    place(o);
}
