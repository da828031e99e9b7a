/* The keys of session tickets. OpenSSL encrypts with AES-256-CBC and then authenticates with
 * HMAC-SHA256 (RFC 5077 §4), with what it is given here. */
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "tls_priv.h"

bool tls_ticket_keys_init(struct tls_context *c, const struct tls_context *previous)
{
    struct tls_ticket_key *own = &c->keys[0];
    if (RAND_bytes(own->name, sizeof own->name) != 1 ||
        RAND_priv_bytes(own->aes, sizeof own->aes) != 1 ||
        RAND_priv_bytes(own->mac, sizeof own->mac) != 1) {
        return false;
    }
    c->keys_count = 1;
    if (previous != NULL) {
        c->keys[c->keys_count++] = previous->keys[0];
    }
    return true;
}

static bool set_mac(EVP_MAC_CTX *mac, struct tls_ticket_key *key)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int seal(struct tls_ticket_key *key, unsigned char *name, unsigned char *iv,
                EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    memcpy(name, key->name, sizeof key->name);
    return RAND_bytes(iv, 16) == 1 &&
                   EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv) == 1 &&
                   set_mac(mac, key)
               ? 1
               : -1;
}

int tls_ticket_key_cb(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                      EVP_MAC_CTX *mac, int sealing)
{
    struct tls_context *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (sealing != 0) {
        return seal(&c->keys[0], name, iv, cipher, mac);
    }
    for (size_t i = 0; i < c->keys_count; i++) {
        struct tls_ticket_key *key = &c->keys[i];
        if (memcmp(name, key->name, sizeof key->name) == 0) {
            if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv) != 1 ||
                !set_mac(mac, key)) {
                return -1;
            }
            return i == 0 ? 1 : 2; /* 2: taken, and a new ticket is due */
        }
    }
    return 0; /* nobody's that we know: a full handshake */
}
