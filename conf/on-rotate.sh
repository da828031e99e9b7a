#!/bin/sh
# A sample for letsEncrypt.onRotateScript: tells other programs of this machine that there is another
# certificate. dnsd runs it once for each, when its own ports show it; if it fails, a few times more, and
# `dnsctl status` says so with what it printed.
#
#   sudo install -m 755 conf/on-rotate.sh /etc/dnsd/on-rotate.sh
#
# It has these in its environment, a PATH of the system's folders, and nothing else:
#   PRYV_CERT_HOSTNAME   *.mc.example.com, or one host
#   PRYV_CERT_PATH       /var/lib/dnsd/tls/wildcard.mc.example.com/fullchain.pem
#   PRYV_CERT_KEYPATH    /var/lib/dnsd/tls/wildcard.mc.example.com/privkey.pem
#
# It must belong to root or to dnsd's account, be nobody else's to write, and end within 30 seconds. It runs
# as dnsd's account; under conf/dnsd.service it can neither become root (no sudo) nor change who owns a file.
set -eu
: "${PRYV_CERT_HOSTNAME:?}" "${PRYV_CERT_PATH:?}" "${PRYV_CERT_KEYPATH:?}"

# Programs that start as root, like nginx, read the two files where they are:
#   ssl_certificate     /var/lib/dnsd/tls/wildcard.mc.example.com/fullchain.pem;
#   ssl_certificate_key /var/lib/dnsd/tls/wildcard.mc.example.com/privkey.pem;
# and only have to be told. That dnsd's account may do that, and no more, is said in
# /etc/polkit-1/rules.d/50-dnsd.rules:
#   polkit.addRule(function(action, subject) {
#       if (action.id == "org.freedesktop.systemd1.manage-units" && subject.user == "dnsd" &&
#           action.lookup("unit") == "nginx.service" && action.lookup("verb") == "reload") {
#           return polkit.Result.YES;
#       }
#   });
for unit in nginx.service; do # <-- which
    systemctl reload "$unit"
done

# One that wants a single file, like HAProxy, gets a copy, replaced as a whole. Let its group own the folder:
#   sudo install -d -m 2750 -o dnsd -g haproxy /var/lib/dnsd/haproxy
folder=/var/lib/dnsd/haproxy # <--
if [ -d "$folder" ]; then
    (umask 027 && cat "$PRYV_CERT_PATH" "$PRYV_CERT_KEYPATH" >"$folder/new.pem")
    mv "$folder/new.pem" "$folder/pair.pem"
fi
