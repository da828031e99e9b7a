/* Certificates of a CA that does not exist, made by another program (Python's cryptography), valid
 * from 2026 to 2036. Nothing needs their keys. */
#ifndef TESTS_TEST_CHAINS_H
#define TESTS_TEST_CHAINS_H

/* Issued by "Example Y1"; authority key identifier and serial number of RFC 9773 §4.1. */
#define CHAIN_LEAF                                                                                 \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIIBQDCB56ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDDApFeGFt\n"                           \
    "cGxlIFkxMB4XDTI2MDEwMTAwMDAwMFoXDTM2MDEwMTAwMDAwMFowADBZMBMGByqG\n"                           \
    "SM49AgEGCCqGSM49AwEHA0IABJMW9v69Oy596X5l1qVg/tNZkJ/YnmamQkj3kgNT\n"                           \
    "zSFUJnl1cgC7ML5WTOTt988yd2jZ18HMBgTGmD2VL2rTWNujOTA3MB8GA1UdIwQY\n"                           \
    "MBaAFGmIW2uHRkBB4bN7hHugrizeAcjUMBQGA1UdEQQNMAuCCWEuZXhhbXBsZTAK\n"                           \
    "BggqhkjOPQQDAgNIADBFAiBdukxx0MxR95bqAaHDJBl1hDr8YeCOfNOmQ19SIUuB\n"                           \
    "sgIhAIWGzaANs+x5naw8de/kaHfkPnE5lUeqq01CLpbF3w2m\n"                                           \
    "-----END CERTIFICATE-----\n"

/* "Example Y1" by "Example Root Y", and that by "Example Root X". */
#define CHAIN_Y1                                                                                   \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIIBQDCB5qADAgECAgF3MAoGCCqGSM49BAMCMBkxFzAVBgNVBAMMDkV4YW1wbGUg\n"                           \
    "Um9vdCBZMB4XDTI2MDEwMTAwMDAwMFoXDTM2MDEwMTAwMDAwMFowFTETMBEGA1UE\n"                           \
    "AwwKRXhhbXBsZSBZMTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABHsq+Hs2xj8+\n"                           \
    "sHDCCW2yjYZjjCx2EUjAqcPRLzLYtq1rLmaohpvADA56OqO/5vUtHUXeaIkjzIlp\n"                           \
    "aXXoVfnnhWCjIzAhMB8GA1UdIwQYMBaAFAAAAAAAAAAAAAAAAAAAAAAAAAAAMAoG\n"                           \
    "CCqGSM49BAMCA0kAMEYCIQDCoPIGAAY2GWM4i7MiG+dYbOnhUb3qLpe3B/F/1Yq+\n"                           \
    "NwIhAPcQfthHlgAm7dK0fJ5oPnH7zRHM9wHB3Q2kwVp0eVui\n"                                           \
    "-----END CERTIFICATE-----\n"
#define CHAIN_CROSS                                                                                \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIIBQjCB6qADAgECAgF4MAoGCCqGSM49BAMCMBkxFzAVBgNVBAMMDkV4YW1wbGUg\n"                           \
    "Um9vdCBYMB4XDTI2MDEwMTAwMDAwMFoXDTM2MDEwMTAwMDAwMFowGTEXMBUGA1UE\n"                           \
    "AwwORXhhbXBsZSBSb290IFkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAROPUs4\n"                           \
    "MDOmh5aFjzyVAB+GC1KCLiD27FQJO/B8UDl9GK9dH4PTnUbXjyd59wg3LGHKkW6v\n"                           \
    "oqrKwONG//M64YA5oyMwITAfBgNVHSMEGDAWgBQAAAAAAAAAAAAAAAAAAAAAAAAA\n"                           \
    "ADAKBggqhkjOPQQDAgNHADBEAiBpgRGcHbgp7csxrPndMq3KbJ2hqC9eC+WW3BsV\n"                           \
    "MiYDeQIgRyOmk7GJ9zpf+C0asmb754Mb8fo0gCRSMPf6cQO9VOY=\n"                                       \
    "-----END CERTIFICATE-----\n"

/* The leaf without an authority key identifier; with one that names the issuer but no key; with small
 * numbers; with a key identifier of 65 octets; with one of 64 and the largest serial number. */
#define CHAIN_BARE                                                                                 \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIIBHDCBwqADAgECAgEQMAoGCCqGSM49BAMCMBUxEzARBgNVBAMMCkV4YW1wbGUg\n"                           \
    "WTEwHhcNMjYwMTAxMDAwMDAwWhcNMzYwMTAxMDAwMDAwWjAAMFkwEwYHKoZIzj0C\n"                           \
    "AQYIKoZIzj0DAQcDQgAEkxb2/r07Ln3pfmXWpWD+01mQn9ieZqZCSPeSA1PNIVQm\n"                           \
    "eXVyALswvlZM5O33zzJ3aNnXwcwGBMaYPZUvatNY26MYMBYwFAYDVR0RBA0wC4IJ\n"                           \
    "YS5leGFtcGxlMAoGCCqGSM49BAMCA0kAMEYCIQDoOPfhdJO1vYGpqh9GI9R6Z/j2\n"                           \
    "xKXWwnJhnYTvqiKwkgIhANRQGc2ML1D4OtVPMVD0ZxCXVgcX27S6+muuPI46U/xp\n"                           \
    "-----END CERTIFICATE-----\n"
#define CHAIN_NO_KEY_ID                                                                            \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIIBRzCB76ADAgECAgEQMAoGCCqGSM49BAMCMBUxEzARBgNVBAMMCkV4YW1wbGUg\n"                           \
    "WTEwHhcNMjYwMTAxMDAwMDAwWhcNMzYwMTAxMDAwMDAwWjAAMFkwEwYHKoZIzj0C\n"                           \
    "AQYIKoZIzj0DAQcDQgAEkxb2/r07Ln3pfmXWpWD+01mQn9ieZqZCSPeSA1PNIVQm\n"                           \
    "eXVyALswvlZM5O33zzJ3aNnXwcwGBMaYPZUvatNY26NFMEMwKwYDVR0jBCQwIqEd\n"                           \
    "pBswGTEXMBUGA1UEAwwORXhhbXBsZSBSb290IFmCAXcwFAYDVR0RBA0wC4IJYS5l\n"                           \
    "eGFtcGxlMAoGCCqGSM49BAMCA0cAMEQCIAJC+UfyUYe8Aco6igQPxj5rlgnZqChu\n"                           \
    "4mOJ5h/GeCbsAiAL7xxLj7Ucdb7e1tieoBAD020DDt4KQzj4LZkQvkAw2g==\n"                               \
    "-----END CERTIFICATE-----\n"
#define CHAIN_SMALL                                                                                \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIIBKjCB0aADAgECAgF/MAoGCCqGSM49BAMCMBUxEzARBgNVBAMMCkV4YW1wbGUg\n"                           \
    "WTEwHhcNMjYwMTAxMDAwMDAwWhcNMzYwMTAxMDAwMDAwWjAAMFkwEwYHKoZIzj0C\n"                           \
    "AQYIKoZIzj0DAQcDQgAEkxb2/r07Ln3pfmXWpWD+01mQn9ieZqZCSPeSA1PNIVQm\n"                           \
    "eXVyALswvlZM5O33zzJ3aNnXwcwGBMaYPZUvatNY26MnMCUwDQYDVR0jBAYwBIAC\n"                           \
    "+/8wFAYDVR0RBA0wC4IJYS5leGFtcGxlMAoGCCqGSM49BAMCA0gAMEUCIAf8N8vB\n"                           \
    "GQcKEKmq2beCukc8ruVAyH0419yXEaoTJIMMAiEA38IHN74Q2vbkMgoi4CrGVkzG\n"                           \
    "Zs5UbXSNIVG1lzVnWOA=\n"                                                                       \
    "-----END CERTIFICATE-----\n"
#define CHAIN_LONG                                                                                 \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIIBajCCARCgAwIBAgIBfzAKBggqhkjOPQQDAjAVMRMwEQYDVQQDDApFeGFtcGxl\n"                           \
    "IFkxMB4XDTI2MDEwMTAwMDAwMFoXDTM2MDEwMTAwMDAwMFowADBZMBMGByqGSM49\n"                           \
    "AgEGCCqGSM49AwEHA0IABJMW9v69Oy596X5l1qVg/tNZkJ/YnmamQkj3kgNTzSFU\n"                           \
    "Jnl1cgC7ML5WTOTt988yd2jZ18HMBgTGmD2VL2rTWNujZjBkMEwGA1UdIwRFMEOA\n"                           \
    "QQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\n"                           \
    "AQEBAQEBAQEBAQEBAQEBAQEBMBQGA1UdEQQNMAuCCWEuZXhhbXBsZTAKBggqhkjO\n"                           \
    "PQQDAgNIADBFAiEA54JRUE36GRnx8dsw0CPl5uuU3SYzTgYDVq4ArXWcIxQCIAgH\n"                           \
    "6NKlMyeTIGaN8D6JW0z63IY4Ts3KR+UeZa13hK+C\n"                                                   \
    "-----END CERTIFICATE-----\n"
#define CHAIN_WIDE                                                                                 \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIIBezCCASKgAwIBAgIUf/////////////////////////8wCgYIKoZIzj0EAwIw\n"                           \
    "FTETMBEGA1UEAwwKRXhhbXBsZSBZMTAeFw0yNjAxMDEwMDAwMDBaFw0zNjAxMDEw\n"                           \
    "MDAwMDBaMAAwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASTFvb+vTsufel+Zdal\n"                           \
    "YP7TWZCf2J5mpkJI95IDU80hVCZ5dXIAuzC+Vkzk7ffPMndo2dfBzAYExpg9lS9q\n"                           \
    "01jbo2UwYzBLBgNVHSMERDBCgEABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\n"                           \
    "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBMBQGA1UdEQQNMAuC\n"                           \
    "CWEuZXhhbXBsZTAKBggqhkjOPQQDAgNHADBEAiAzY8B/kgU5V0ZJa4LCmB4/XLi2\n"                           \
    "wXRx77GGLBy8ODeIpgIgMznoiDi4jkDcugAunaZ7N5NTdY0cSRIjAPb85SPH58A=\n"                           \
    "-----END CERTIFICATE-----\n"

#endif
