/* What a leaf says of itself, and whether it is about a name. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tls_priv.h"

#define NAME_MAX_LEN 253 /* RFC 1035 §2.3.4, as text */
#define ISSUER_MAX   255

static char fold(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

/* The address that TEXT is, in the one form that names have. */
static bool as_address(const char *text, char out[INET6_ADDRSTRLEN])
{
    uint8_t octets[16];
    for (size_t i = 0; i < 2; i++) {
        int family = i == 0 ? AF_INET : AF_INET6;
        if (inet_pton(family, text, octets) == 1) {
            return inet_ntop(family, octets, out, INET6_ADDRSTRLEN) != NULL;
        }
    }
    return false;
}

/* ---- names --------------------------------------------------------------------------------- */

/* A host name or a wildcard, to lower case. What is none is refused rather than left out: a name with
 * a NUL or a line's end in it is a trap for whoever shows it. */
static bool copy_dns(const ASN1_STRING *s, char out[NAME_MAX_LEN + 1])
{
    const unsigned char *from = ASN1_STRING_get0_data(s);
    int len = ASN1_STRING_length(s);
    char address[INET6_ADDRSTRLEN];
    if (len < 1 || len > NAME_MAX_LEN) {
        return false;
    }
    for (int i = 0; i < len; i++) {
        char c = fold((char)from[i]);
        bool inside = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                      (c != '\0' && strchr("-_*", c) != NULL);
        bool between = c == '.' && i > 0 && out[i - 1] != '.' && i + 1 < len;
        if (!inside && !between) {
            return false;
        }
        out[i] = c;
    }
    out[len] = '\0';
    return !as_address(out, address); /* an address is not a DNS name (RFC 9525 §3.1) */
}

static bool copy_address(const ASN1_OCTET_STRING *s, char out[NAME_MAX_LEN + 1])
{
    int len = ASN1_STRING_length(s);
    int family = len == 4 ? AF_INET : AF_INET6;
    return (len == 4 || len == 16) &&
           inet_ntop(family, ASN1_STRING_get0_data(s), out, NAME_MAX_LEN + 1) != NULL;
}

static enum err add_name(struct tls_pair *p, const char *name, struct err_info *info)
{
    if (p->info.names_count == TLS_PAIR_NAMES_MAX) {
        return err_set(info, ERR_LIMIT, "the certificate has more than %d names",
                       TLS_PAIR_NAMES_MAX);
    }
    char *copy = OPENSSL_strdup(name);
    if (copy == NULL) {
        return tls_error(info, ERR_NOMEM, "cannot keep a name");
    }
    p->names[p->info.names_count++] = copy;
    return ERR_OK;
}

static enum err read_names(struct tls_pair *p, const GENERAL_NAMES *all, struct err_info *info)
{
    char name[NAME_MAX_LEN + 1];
    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(all, i);
        bool readable = true;
        if (g->type == GEN_DNS) {
            readable = copy_dns(g->d.dNSName, name);
        } else if (g->type == GEN_IPADD) {
            readable = copy_address(g->d.iPAddress, name);
        } else {
            continue;
        }
        if (!readable) {
            return err_set(info, ERR_MALFORMED, "name %d of the certificate is none", i + 1);
        }
        enum err e = add_name(p, name, info);
        if (e != ERR_OK) {
            return e;
        }
    }
    return p->info.names_count > 0
               ? ERR_OK
               : err_set(info, ERR_MALFORMED, "the certificate names no host (subjectAltName)");
}

static enum err take_names(struct tls_pair *p, struct err_info *info)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(p->leaf, NID_subject_alt_name, NULL, NULL);
    bool no_memory = false;
    enum err e;
    if (all == NULL) {
        tls_error_take(&no_memory);
    }
    p->names = no_memory ? NULL : OPENSSL_zalloc(TLS_PAIR_NAMES_MAX * sizeof p->names[0]);
    if (p->names == NULL) {
        ERR_clear_error();
        e = err_set(info, ERR_NOMEM, "no memory for the certificate's names");
    } else {
        e = read_names(p, all, info); /* of none, too: counts nothing */
    }
    GENERAL_NAMES_free(all);
    p->info.names = (const char *const *)p->names;
    return e;
}

/* ---- the rest ------------------------------------------------------------------------------ */

void tls_hex(const uint8_t *octets, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        *out++ = digits[octets[i] >> 4];
        *out++ = digits[octets[i] & 15];
    }
    *out = '\0';
}

bool tls_time_ms(const ASN1_TIME *when, int64_t *out)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(when, &tm) != 1) {
        return false;
    }
    *out = (int64_t)timegm(&tm) * 1000;
    return true;
}

bool tls_serial(const X509 *x, char out[2 * TLS_SERIAL_MAX + 1])
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
    if (ASN1_STRING_length(serial) > TLS_SERIAL_MAX) {
        return false;
    }
    tls_hex(ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial), out);
    return true;
}

/* In the order and with the commas of RFC 4514, ASCII only. A longer one is cut. */
static enum err take_issuer(struct tls_pair *p, struct err_info *info)
{
    static const unsigned long form = (XN_FLAG_RFC2253 & ~XN_FLAG_SEP_MASK) | XN_FLAG_SEP_CPLUS_SPC;
    BIO *text = BIO_new(BIO_s_mem());
    char *bytes = NULL;
    if (text != NULL && X509_NAME_print_ex(text, X509_get_issuer_name(p->leaf), 0, form) >= 0) {
        long len = BIO_get_mem_data(text, &bytes);
        p->issuer = OPENSSL_strndup(len > 0 ? bytes : "", len < ISSUER_MAX ? len : ISSUER_MAX);
    }
    BIO_free(text);
    p->info.issuer = p->issuer;
    return p->issuer != NULL ? ERR_OK
                             : tls_error(info, ERR_MALFORMED, "the issuer's name cannot be read");
}

enum err tls_pair_describe(struct tls_pair *p, struct err_info *info)
{
    p->info.key = p->key_text;
    if (!tls_serial(p->leaf, p->info.serial)) {
        return err_set(info, ERR_MALFORMED, "the certificate's serial number is too long");
    }
    if (!tls_time_ms(X509_get0_notBefore(p->leaf), &p->info.not_before_ms) ||
        !tls_time_ms(X509_get0_notAfter(p->leaf), &p->info.not_after_ms)) {
        return tls_error(info, ERR_MALFORMED, "the certificate's dates cannot be read");
    }
    if (X509_digest(p->leaf, EVP_sha256(), p->digest, NULL) != 1) {
        return tls_error(info, ERR_NOMEM, "cannot hash the certificate");
    }
    tls_hex(p->digest, sizeof p->digest, p->info.sha256);
    p->info.self_signed = X509_self_signed(p->leaf, 1) == 1;
    ERR_clear_error();
    enum err e = take_issuer(p, info);
    return e == ERR_OK ? take_names(p, info) : e;
}

/* ---- covering ------------------------------------------------------------------------------ */

/* RFC 9525 §6.3: the star is the whole first label, and stands for exactly one. */
static bool is_under(const char *pattern, const char *name)
{
    const char *dot = strchr(name, '.');
    return strncmp(pattern, "*.", 2) == 0 && dot != NULL && dot != name &&
           strcmp(pattern + 1, dot) == 0;
}

bool tls_pair_covers(const struct tls_pair *p, const char *name)
{
    char folded[NAME_MAX_LEN + 1], address[INET6_ADDRSTRLEN];
    size_t len = strlen(name);
    len -= len > 1 && name[len - 1] == '.';
    if (len > NAME_MAX_LEN) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        folded[i] = fold(name[i]);
    }
    folded[len] = '\0';
    bool is_address = as_address(folded, address);
    for (size_t i = 0; i < p->info.names_count; i++) {
        if (strcmp(p->names[i], is_address ? address : folded) == 0 ||
            (!is_address && is_under(p->names[i], folded))) {
            return true;
        }
    }
    return false;
}
