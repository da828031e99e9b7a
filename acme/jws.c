#include "jws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "lib/base64.h"
#include "lib/digest.h"
#include "lib/str.h"

#define COORDINATE_TEXT BASE64_ROOM(CERT_KEY_COORDINATE)
#define JWK_MAX         (64 + 2 * COORDINATE_TEXT)
#define HMAC_KEY_MIN    16 /* octets; half of what HS256 asks for (RFC 7518 §3.2): CAs hand out less */
#define HMAC_KEY_MAX    1024 /* characters */

static enum err no_memory(struct err_info *info)
{
    return err_set(info, ERR_NOMEM, "no memory to sign a request");
}

/* ---- the key ------------------------------------------------------------------------------- */

struct point {
    char x[COORDINATE_TEXT], y[COORDINATE_TEXT];
};

static enum err point_of(const struct cert_key *key, struct point *p, struct err_info *info)
{
    uint8_t x[CERT_KEY_COORDINATE], y[CERT_KEY_COORDINATE];
    enum err e = cert_key_public(key, x, y, info);
    if (e == ERR_OK) {
        base64url_encode(x, sizeof x, p->x);
        base64url_encode(y, sizeof y, p->y);
    }
    return e;
}

/* Members in the order of their names and no spaces: RFC 7638 §3.3 hashes exactly this. */
static enum err write_jwk(const struct cert_key *key, char out[JWK_MAX], struct err_info *info)
{
    struct point p;
    enum err e = point_of(key, &p, info);
    if (e == ERR_OK) {
        snprintf(out, JWK_MAX, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", p.x,
                 p.y);
    }
    return e;
}

enum err jws_jwk(const struct cert_key *key, char **out, struct err_info *info)
{
    char text[JWK_MAX];
    enum err e = write_jwk(key, text, info);
    if (e != ERR_OK) {
        return e;
    }
    *out = strdup(text);
    return *out != NULL ? ERR_OK : no_memory(info);
}

enum err jws_thumbprint(const struct cert_key *key, char out[JWS_THUMBPRINT], struct err_info *info)
{
    char text[JWK_MAX];
    uint8_t digest[DIGEST_SHA256_LEN];
    enum err e = write_jwk(key, text, info);
    if (e == ERR_OK && (e = digest_sha256(text, strlen(text), digest)) != ERR_OK) {
        err_set(info, e, "no SHA-256 for a thumbprint");
    }
    if (e == ERR_OK) {
        base64url_encode(digest, sizeof digest, out);
    }
    return e;
}

/* ---- the signature ------------------------------------------------------------------------- */

/* One of them signs. */
struct signer {
    const struct cert_key *key;
    const struct digest_hmac *mac;
};

static enum err sign(const struct signer *s, const char *input, char *out, struct err_info *info)
{
    uint8_t signature[CERT_KEY_SIGNATURE];
    size_t len = DIGEST_SHA256_LEN;
    enum err e = ERR_OK;
    if (s->key != NULL) {
        len = CERT_KEY_SIGNATURE;
        e = cert_key_sign(s->key, input, strlen(input), signature, info);
    } else {
        digest_hmac(s->mac, input, strlen(input), signature);
    }
    if (e == ERR_OK) {
        base64url_encode(signature, len, out);
    }
    return e;
}

/* RFC 7515 §7.2.2, the flattened form. Nothing in it but base64url, so nothing needs an escape. */
static enum err flatten(const char *head, const char *payload, const struct signer *s, char **out,
                        struct err_info *info)
{
    static const char form[] = "{\"protected\":\"%.*s\",\"payload\":\"%s\",\"signature\":\"%s\"}";
    char signature[BASE64_ROOM(CERT_KEY_SIGNATURE)];
    size_t head_len = strlen(head), payload_len = strlen(payload);
    size_t input_room = BASE64_ROOM(head_len) + BASE64_ROOM(payload_len);
    size_t room = input_room + sizeof signature + sizeof form;
    char *input = malloc(input_room), *text = malloc(room);
    enum err e = input != NULL && text != NULL ? ERR_OK : no_memory(info);
    if (e == ERR_OK) { /* RFC 7515 §5.1: what is signed has a dot between the two */
        size_t at = base64url_encode(head, head_len, input);
        input[at] = '.';
        base64url_encode(payload, payload_len, input + at + 1);
        e = sign(s, input, signature, info);
        if (e == ERR_OK) {
            snprintf(text, room, form, (int)at, input, input + at + 1, signature);
        }
    }
    free(input);
    if (e != ERR_OK) {
        free(text);
        return e;
    }
    *out = text;
    return ERR_OK;
}

/* As text, the caller's to free; NULL: no memory. In two passes: json_dumps() grows its text on the
 * way and, if that fails while it writes a member's name, leaves the name out and goes on. */
static char *dump(const json_t *head)
{
    size_t len = json_dumpb(head, NULL, 0, JSON_COMPACT);
    char *text = len > 0 ? malloc(len + 1) : NULL;
    if (text != NULL && json_dumpb(head, text, len, JSON_COMPACT) == len) {
        text[len] = '\0';
        return text;
    }
    free(text);
    return NULL;
}

/* Takes HEAD; NULL: no memory. */
static enum err finish(json_t *head, const char *payload, const struct signer *s, char **out,
                       struct err_info *info)
{
    char *text = head != NULL ? dump(head) : NULL;
    enum err e = text != NULL ? flatten(text, payload, s, out, info) : no_memory(info);
    free(text);
    json_decref(head);
    return e;
}

static bool is_utf8(const char *text)
{
    size_t n = 1;
    for (; n > 0 && *text != '\0'; text += n) {
        n = str_utf8_len((const unsigned char *)text);
    }
    return n > 0;
}

/* Jansson takes no other, and would not say whether it was that or memory. */
static enum err check_text(const char *text, const char *what, struct err_info *info)
{
    return text == NULL || is_utf8(text)
               ? ERR_OK
               : err_set(info, ERR_MALFORMED, "the %s is not UTF-8 and cannot be signed", what);
}

/* One by one: json_pack()'s optional members are left out, too, if there is no memory for them. */
static json_t *head_of(const struct jws_request *r, const struct point *p)
{
    json_t *head = json_pack("{s:s}", "alg", "ES256");
    json_t *jwk = r->kid == NULL ? json_pack("{s:s, s:s, s:s, s:s}", "crv", "P-256", "kty", "EC",
                                             "x", p->x, "y", p->y)
                                 : NULL;
    bool ok = r->kid == NULL ? json_object_set_new(head, "jwk", jwk) == 0
                             : json_object_set_new(head, "kid", json_string(r->kid)) == 0;
    if (r->nonce != NULL) {
        ok = ok && json_object_set_new(head, "nonce", json_string(r->nonce)) == 0;
    }
    ok = ok && json_object_set_new(head, "url", json_string(r->url)) == 0;
    if (!ok) {
        json_decref(head);
        return NULL;
    }
    return head;
}

enum err jws_sign(const struct jws_request *r, char **out, struct err_info *info)
{
    const struct signer s = {.key = r->key};
    struct point p = {.x = ""};
    enum err e = check_text(r->kid, "account's URL", info);
    e = e == ERR_OK ? check_text(r->nonce, "nonce", info) : e;
    e = e == ERR_OK ? check_text(r->url, "URL", info) : e;
    if (e == ERR_OK && r->kid == NULL) {
        e = point_of(r->key, &p, info);
    }
    return e == ERR_OK ? finish(head_of(r, &p), r->payload != NULL ? r->payload : "", &s, out, info)
                       : e;
}

/* ---- external account binding -------------------------------------------------------------- */

/* OCTETS has room for HMAC_KEY_MAX characters' worth. INFO does not show the key. */
static enum err read_hmac_key(const char *text, uint8_t *octets, size_t *len, struct err_info *info)
{
    size_t text_len = strlen(text);
    if (text_len > HMAC_KEY_MAX) {
        return err_set(info, ERR_MALFORMED,
                       "the HMAC key of the external account binding is longer than %d characters",
                       HMAC_KEY_MAX);
    }
    if (strpbrk(text, "+/") != NULL) {
        return err_set(info, ERR_MALFORMED,
                       "the HMAC key of the external account binding is in standard base64: write "
                       "'-' for each '+' and '_' for each '/' (base64url, RFC 4648 §5)");
    }
    if (!base64url_decode(text, text_len, octets, len)) {
        return err_set(info, ERR_MALFORMED,
                       "the HMAC key of the external account binding is not base64url (RFC 4648 "
                       "§5): copy it whole, without spaces, as the CA shows it");
    }
    if (*len < HMAC_KEY_MIN) {
        return err_set(info, ERR_MALFORMED,
                       "the HMAC key of the external account binding has %zu octets; CAs give %d "
                       "and more, so it may have been cut",
                       *len, HMAC_KEY_MIN);
    }
    return ERR_OK;
}

enum err jws_bind(const struct cert_key *key, const char *kid, const char *hmac_key,
                  const char *url, char **out, struct err_info *info)
{
    uint8_t octets[HMAC_KEY_MAX / 4 * 3 + 3];
    struct digest_hmac mac;
    char jwk[JWK_MAX];
    size_t len = 0;
    enum err e = check_text(kid, "external account binding's kid", info);
    e = e == ERR_OK ? check_text(url, "URL", info) : e;
    e = e == ERR_OK ? read_hmac_key(hmac_key, octets, &len, info) : e;
    e = e == ERR_OK ? write_jwk(key, jwk, info) : e;
    if (e == ERR_OK) {
        const struct signer s = {.mac = &mac};
        digest_hmac_init(&mac, octets, len);
        e = finish(json_pack("{s:s, s:s, s:s}", "alg", "HS256", "kid", kid, "url", url), jwk, &s,
                   out, info);
        explicit_bzero(&mac, sizeof mac);
    }
    explicit_bzero(octets, sizeof octets);
    return e;
}
