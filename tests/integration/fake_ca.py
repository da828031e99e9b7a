"""A certificate authority of the tests' own, for what a real one does too rarely to be waited for.

FakeCa is by itself a correct little ACME server (RFC 8555, RFC 9773): real TLS, real signatures
(ES256), nonces good for one use, challenges looked at, certificates really issued. It is strict
towards the client: whatever breaks the protocol is answered with a problem and remembered in
`complaints`, which a test wants empty. It remembers every request (`requests`, count(), payloads()).

What it does otherwise is said per kind of request (KINDS) by a hook in `on`: a function of the Call
that returns a Reply. call.reply() is what would be answered otherwise, so a hook may change that, put
something in its place (problem(), Reply), or let it through. first(), nth() and those below are
hooks, or make hooks of hooks. How orders come out is said by attributes, see __init__.
"""
import base64
import datetime
import email.utils
import hashlib
import http.server
import json
import os
import socket
import ssl
import threading
import time
import urllib.request

import dns.message
import dns.query
import dns.rdatatype
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import harness
import web

KINDS = ("directory", "newNonce", "newAccount", "account", "newOrder", "order", "authz", "challenge",
         "finalize", "cert", "revoke", "keyChange", "renewalInfo")
ERROR = "urn:ietf:params:acme:error:"
NOW = datetime.timezone.utc


def b64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def unb64(text):
    if not isinstance(text, str) or "=" in text:
        raise ValueError("base64url without padding (RFC 8555 §6.1)")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def thumbprint(jwk):
    """RFC 7638."""
    wanted = {key: jwk[key] for key in ("crv", "kty", "x", "y")}
    return b64(hashlib.sha256(json.dumps(wanted, sort_keys=True, separators=(",", ":")).encode()).digest())


def http_date(in_s):
    return email.utils.formatdate(time.time() + in_s, usegmt=True)


def rfc3339(at):
    return datetime.datetime.fromtimestamp(at, NOW).strftime("%Y-%m-%dT%H:%M:%SZ")


class Reply:
    """BODY: what is to be JSON, or octets. RAW: sent instead of everything, and then the end."""

    def __init__(self, status=200, body=b"", headers=None, kind="application/json", raw=None,
                 slow_s=0.0, cut=None):
        self.status, self.body, self.kind = status, body, kind
        self.headers = dict(headers or {})
        self.raw = raw          # a function of the connection's file
        self.slow_s = slow_s    # between octets of the body
        self.cut = cut          # only so many octets, though more were promised

    def octets(self):
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def problem(kind, status=400, detail=None, retry_after=None, headers=None, **more):
    """A problem document (RFC 7807). RETRY_AFTER: seconds, or any text."""
    headers = dict(headers or {})
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    body = {"type": ERROR + kind, "status": status, "detail": detail or f"the test says {kind}", **more}
    return Reply(status, body, headers, "application/problem+json")


class Refused(Exception):
    """The client broke the protocol."""

    def __init__(self, kind, detail, status=400, fault=True):
        super().__init__(detail)
        self.reply = problem(kind, status, detail)
        self.fault = fault  # the client's; a nonce may be too old through nobody's


class Call:
    """One request, as a hook sees it."""

    def __init__(self, ca, kind, method, path, number, answer):
        self.ca, self.kind, self.method, self.path = ca, kind, method, path
        self.number = number   # the how manieth of its kind, from 1
        self.payload = None    # of a signed request: JSON; "" for POST-as-GET
        self.account = None    # its URL
        self.at = time.monotonic()
        self.status = None
        self.nonce_refused = False
        self._answer = answer

    def reply(self):
        """What a correct authority answers; done once."""
        return self._answer()

    def __repr__(self):
        return f"{self.kind}#{self.number} {self.payload!r} -> {self.status}"


# ---- hooks ----------------------------------------------------------------------------------------


def always(reply):
    """REPLY: a Reply, or a function that makes one."""
    return lambda call: reply() if callable(reply) else reply


def first(count, hook):
    """HOOK for the first COUNT, then as it should be."""
    seen = []

    def run(call):
        seen.append(call)
        return hook(call) if len(seen) <= count else call.reply()

    return run


def nth(number, hook):
    """HOOK for the NUMBER-th from now on only."""
    seen = []

    def run(call):
        seen.append(call)
        return hook(call) if len(seen) == number else call.reply()

    return run


def change(**members):
    """The correct answer with other members; a function is called with the old value, None removes."""

    def run(call):
        reply = call.reply()
        for key, value in members.items():
            new = value(reply.body.get(key)) if callable(value) else value
            if new is None:
                reply.body.pop(key, None)
            else:
                reply.body[key] = new
        return reply

    return run


def without_header(name):
    def run(call):
        reply = call.reply()
        reply.headers.pop(name, None)
        return reply

    return run


def html(status=502):
    return always(lambda: Reply(status, b"<!DOCTYPE html><html><body><h1>Bad Gateway</h1>\x00\x1b[31m"
                                        b"</body></html>", kind="text/html"))


def truncated(call):
    """JSON that ends in the middle; the length is right."""
    reply = call.reply()
    reply.body = reply.octets()[:-7]
    return reply


def broken_off(call):
    """The connection ends before the body does."""
    reply = call.reply()
    reply.cut = len(reply.octets()) // 2
    return reply


def huge(octets=10 * 1024 * 1024):
    return always(lambda: Reply(200, b'{"status":"' + b"x" * octets + b'"}'))


def slow_loris(step_s=0.5):
    """One octet after the other."""

    def run(call):
        reply = call.reply()
        reply.slow_s = step_s
        return reply

    return run


def redirect(to):
    return always(lambda: Reply(302, b"", {"Location": to}))


# ---- the authority ---------------------------------------------------------------------------------


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address, handler, context):
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)
        self.context = context

    def finish_request(self, request, client_address):
        """On the connection's own thread: who does not shake hands holds up nobody."""
        request.settimeout(30)
        try:
            request = self.context.wrap_socket(request, server_side=True)
        except OSError:
            return
        try:
            self.RequestHandlerClass(request, client_address, self)
        finally:
            try:
                request.close()
            except OSError:
                pass

    def handle_error(self, request, client_address):
        pass  # a client that went away


class FakeCa:
    """DNS: (address, port) to look DNS-01 up at; HTTP_PORT: where HTTP-01 is asked, at 127.0.0.1; what
    there is no way to look at is believed."""

    def __init__(self, address="127.0.0.1", port=None, dns=None, http_port=None, chain=1):
        self.address = address
        self.dns, self.http_port = dns, http_port
        self.on = {}                  # kind: hook
        self.complaints = []
        self.requests = []
        self.lock = threading.RLock()

        # How orders come out.
        self.types = ["dns-01", "http-01", "tls-alpn-01"]  # offered; more of them by on["authz"]
        self.start_status = None      # "ready", "valid": what a new order is at once
        self.processing = 0           # how often an order that was finalized is still "processing"
        self.retry_after = None       # of orders that are not done
        self.reuse = False            # an authorization that is valid is used again
        self.profiles = {}            # name: description
        self.lifetime_s = 90 * 86400
        self.backdate_s = 3600
        self.window = None            # (start, end) in seconds from now; None: by lifetime
        self.caa_identities = ["fake.example"]
        self.terms = "https://fake.example/terms/1"
        self.eab = {}                 # kid: base64url key; then it is required
        self.make = self.issue        # (names, public key) -> PEM of leaf and what follows

        self._nonces = set()
        self._counts = {}
        self._accounts, self._by_key = {}, {}
        self._orders, self._authz, self._certs = {}, {}, {}
        self._serials = []
        self._next = 0

        authority = web.Authority()
        self.ca_file = authority.ca
        self.trust = authority.trust
        pair = authority.issue(["localhost", address])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)
        self._chain = chain
        self._make_root()
        self.port = port or harness.free_port(address)
        self.base = f"https://{address}:{self.port}"
        self.url = self.base + "/directory"
        self._server = _Server((address, self.port), self._handler(), context)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def start(self):
        self._thread.start()
        return self

    def stop(self):
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()

    # -- what a test asks --

    def count(self, kind):
        """Requests of that kind, those answered with badNonce left out."""
        with self.lock:
            return len([r for r in self.requests if r.kind == kind and not r.nonce_refused])

    def counts(self):
        return {kind: self.count(kind) for kind in KINDS if self.count(kind)}

    def payloads(self, kind):
        with self.lock:
            return [r.payload for r in self.requests if r.kind == kind]

    def issued(self):
        with self.lock:
            return list(self._serials)

    def accounts(self):
        """Their URLs."""
        return list(self._accounts)

    def forget_accounts(self):
        """They have never been: accountDoesNotExist."""
        with self.lock:
            self._accounts.clear()
            self._by_key.clear()

    # -- certificates --

    def _make_root(self):
        def name(text):
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        def sign(subject, key, issuer, issuer_key, depth):
            now = datetime.datetime.now(NOW)
            return (x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer))
                    .public_key(key.public_key()).serial_number(x509.random_serial_number())
                    .not_valid_before(now - datetime.timedelta(days=1))
                    .not_valid_after(now + datetime.timedelta(days=365))
                    .add_extension(x509.BasicConstraints(ca=True, path_length=depth), True)
                    .add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False,
                                                 False), True)
                    .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
                    .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                        issuer_key.public_key()), False)
                    .sign(issuer_key, hashes.SHA256()))

        key = ec.generate_private_key(ec.SECP256R1())
        self.root = sign("fake root", key, "fake root", key, None)
        self._between = []
        above = "fake root"
        for number in range(self._chain):
            own, called = ec.generate_private_key(ec.SECP256R1()), f"fake intermediate {number + 1}"
            self._between.insert(0, sign(called, own, above, key, self._chain - 1 - number))
            key, above = own, called
        self._signer, self._signer_name = key, name(above)
        self.root_file = os.path.join(harness.temp_folder(), "root.pem")
        with open(self.root_file, "w", encoding="ascii") as out:
            out.write(pem(self.root))

    def roots(self):
        return [pem(self.root)]

    def issue(self, names, public_key, not_before=None, not_after=None):
        """PEM of a leaf with what follows it; times in seconds since the epoch."""
        begin = not_before if not_before is not None else time.time() - self.backdate_s
        end = not_after if not_after is not None else begin + self.lifetime_s
        leaf = (x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(self._signer_name)
                .public_key(public_key).serial_number(x509.random_serial_number())
                .not_valid_before(datetime.datetime.fromtimestamp(begin, NOW).replace(tzinfo=None))
                .not_valid_after(datetime.datetime.fromtimestamp(end, NOW).replace(tzinfo=None))
                .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), True)
                .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
                .add_extension(x509.KeyUsage(True, False, False, False, False, False, False, False,
                                             False), True)
                .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False)
                .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    self._signer.public_key()), False)
                .sign(self._signer, hashes.SHA256()))
        with self.lock:
            self._serials.append(f"{leaf.serial_number:x}")
        return pem(leaf) + "".join(pem(c) for c in self._between)

    # -- HTTP --

    def _handler(self):
        ca = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                self.answer("HEAD")

            def do_GET(self):
                self.answer("GET")

            def do_POST(self):
                self.answer("POST")

            def answer(self, method):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                reply = ca._serve(method, self.path, self.headers, body)
                if reply.raw:
                    reply.raw(self.wfile)
                    self.close_connection = True
                    return
                octets = reply.octets()
                self.send_response_only(reply.status)
                self.send_header("Date", self.date_time_string())
                for key, value in reply.headers.items():
                    for one in value if isinstance(value, list) else [value]:
                        self.send_header(key, one)
                if octets or method != "HEAD":
                    self.send_header("Content-Type", reply.kind)
                self.send_header("Content-Length", str(len(octets)))
                self.end_headers()
                if method == "HEAD":
                    return
                if reply.cut is not None:
                    self.wfile.write(octets[:reply.cut])
                    self.close_connection = True
                elif reply.slow_s:
                    for i in range(len(octets)):
                        self.wfile.write(octets[i:i + 1])
                        self.wfile.flush()
                        time.sleep(reply.slow_s)
                else:
                    self.wfile.write(octets)

        return Handler

    def _kind(self, path):
        word = path.split("?")[0].split("/")[1]
        return word if word in KINDS else None

    def nonce(self):
        with self.lock:
            self._next += 1
            made = b64(os.urandom(12)) + str(self._next)
            self._nonces.add(made)
            return made

    def _serve(self, method, path, headers, body):
        kind = self._kind(path)
        if not kind:
            return problem("malformed", 404, "no such place")
        with self.lock:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            call = Call(self, kind, method, path, self._counts[kind], None)
            self.requests.append(call)
        try:
            signed = method == "POST"
            if not headers.get("User-Agent"):
                raise Refused("malformed", "a request without User-Agent (RFC 8555 §6.1)")
            if signed:
                self._verify(call, headers, body)
            elif kind not in ("directory", "newNonce", "renewalInfo"):
                raise Refused("malformed", f"{kind} wants POST (RFC 8555 §6.3)", 405)
            done = []

            def answer():
                if not done:
                    with self.lock:
                        done.append(getattr(self, "_do_" + kind)(call))
                return done[0]

            call._answer = answer
            hook = self.on.get(kind)
            reply = hook(call) if hook else call.reply()
        except Refused as refused:
            reply = refused.reply
            if refused.fault:
                with self.lock:
                    self.complaints.append(f"{method} {path}: {refused}")
        call.status = reply.status
        if kind == "newNonce" or method == "POST":
            reply.headers.setdefault("Replay-Nonce", self.nonce())
        if kind != "directory":
            link = reply.headers.get("Link", [])
            reply.headers["Link"] = ([link] if isinstance(link, str) else list(link)) + \
                [f'<{self.url}>;rel="index"']
        return reply

    # -- signatures (RFC 8555 §6.2) --

    def _verify(self, call, headers, body):
        if headers.get("Content-Type") != "application/jose+json":
            raise Refused("malformed", "Content-Type is not application/jose+json", 415)
        try:
            jws = json.loads(body)
            head = json.loads(unb64(jws["protected"]))
            payload = unb64(jws["payload"])
            signature = unb64(jws["signature"])
        except (ValueError, KeyError, TypeError) as e:
            raise Refused("malformed", f"no JWS: {e!r}") from e
        if set(jws) != {"protected", "payload", "signature"}:
            raise Refused("malformed", f"members {sorted(jws)}")
        if head.get("url") != self.base + call.path:
            raise Refused("unauthorized", f"url {head.get('url')} is not {self.base + call.path}", 401)
        if head.get("alg") != "ES256":
            raise Refused("badSignatureAlgorithm", str(head.get("alg")))
        if ("jwk" in head) == ("kid" in head):
            raise Refused("malformed", "exactly one of jwk and kid (RFC 8555 §6.2)")
        with self.lock:
            fresh = head.get("nonce") in self._nonces
            self._nonces.discard(head.get("nonce"))
        if not fresh:
            call.nonce_refused = True
            raise Refused("badNonce", "a nonce that is not ours, or was used")
        wants_jwk = call.kind == "newAccount"
        if ("jwk" in head) != wants_jwk and call.kind != "revoke":
            raise Refused("malformed", f"{call.kind} with {'jwk' if 'jwk' in head else 'kid'}")
        if "jwk" in head:
            jwk = head["jwk"]
        else:
            account = self._accounts.get(head["kid"])
            if account is None:
                call.payload = json.loads(payload) if payload else ""
                raise Refused("accountDoesNotExist", "no such account", fault=False)
            jwk, call.account = account["jwk"], head["kid"]
        try:
            numbers = ec.EllipticCurvePublicNumbers(
                int.from_bytes(unb64(jwk["x"]), "big"), int.from_bytes(unb64(jwk["y"]), "big"),
                ec.SECP256R1())
            if len(signature) != 64:
                raise ValueError("a signature of 64 octets (RFC 7518 §3.4)")
            raw = utils.encode_dss_signature(int.from_bytes(signature[:32], "big"),
                                             int.from_bytes(signature[32:], "big"))
            numbers.public_key().verify(raw, f"{jws['protected']}.{jws['payload']}".encode(),
                                        ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, ValueError, KeyError) as e:
            raise Refused("malformed", f"the signature is not good: {e!r}", 403) from e
        call.jwk = jwk
        try:
            call.payload = json.loads(payload) if payload else ""
        except ValueError as e:
            raise Refused("malformed", "a payload that is no JSON") from e
        as_get = call.kind in ("order", "authz", "cert")
        deactivates = call.kind == "authz" and call.payload and call.payload.get("status") == "deactivated"
        if as_get and call.payload != "" and not deactivates:
            raise Refused("malformed", f"POST-as-GET with a payload {payload[:40]!r} (RFC 8555 §6.3)")

    # -- what is done (RFC 8555 §7) --

    def _do_directory(self, call):
        meta = {"termsOfService": self.terms, "website": "https://fake.example",
                "caaIdentities": self.caa_identities}
        if self.eab:
            meta["externalAccountRequired"] = True
        if self.profiles:
            meta["profiles"] = self.profiles
        return Reply(200, {**{kind: f"{self.base}/{kind}" for kind in
                              ("newNonce", "newAccount", "newOrder", "keyChange", "renewalInfo")},
                           "revokeCert": self.base + "/revoke", "meta": meta})

    def _do_newNonce(self, call):
        return Reply(200 if call.method == "HEAD" else 204)

    def _do_newAccount(self, call):
        print_ = thumbprint(call.jwk)
        url = self._by_key.get(print_)
        if url:
            return Reply(200, self._account(url), {"Location": url})
        if call.payload.get("onlyReturnExisting"):
            return problem("accountDoesNotExist", 400)
        if not call.payload.get("termsOfServiceAgreed"):
            raise Refused("userActionRequired", "the terms are not agreed to", 403)
        if self.eab and "externalAccountBinding" not in call.payload:
            return problem("externalAccountRequired", 403)
        url = f"{self.base}/account/{b64(os.urandom(6))}"
        self._accounts[url] = {"jwk": call.jwk, "contact": call.payload.get("contact", [])}
        self._by_key[print_] = url
        return Reply(201, self._account(url), {"Location": url})

    def _account(self, url):
        return {"status": "valid", "contact": self._accounts[url]["contact"], "orders": url + "/orders"}

    def _do_account(self, call):
        return Reply(200, self._account(call.account))

    def _do_keyChange(self, call):
        return problem("malformed", 501, "not here")

    def _do_revoke(self, call):
        return Reply(200)

    def _do_newOrder(self, call):
        payload = call.payload
        names = [i["value"] for i in payload["identifiers"]]
        if len(set(names)) != len(names) or any(n != n.lower() for n in names):
            raise Refused("malformed", f"names {names}")
        if "profile" in payload and payload["profile"] not in self.profiles:
            return problem("invalidProfile", 400)
        ident = b64(os.urandom(6))
        order = {"url": f"{self.base}/order/{ident}", "names": names, "status": "pending",
                 "authz": [], "polls": 0, "cert": None, "account": call.account,
                 "profile": payload.get("profile"), "replaces": payload.get("replaces")}
        for name in names:
            order["authz"].append(self._authorization(name, call.account))
        if self.start_status:
            order["status"] = self.start_status
            for url in order["authz"]:
                self._authz[url]["status"] = "valid"
            if self.start_status == "valid":
                key = ec.generate_private_key(ec.SECP256R1())  # of somebody else's: nobody here has it
                self._complete(order, key.public_key())
        self._settle(order)
        self._orders[ident] = order
        return Reply(201, self._order(order), {"Location": order["url"]})

    def _authorization(self, name, account):
        plain = name[2:] if name.startswith("*.") else name
        if self.reuse:
            for url, a in self._authz.items():
                if (a["name"], a["wildcard"], a["status"], a["account"]) == \
                        (plain, plain != name, "valid", account):
                    return url
        url = f"{self.base}/authz/{b64(os.urandom(6))}"
        a = {"name": plain, "wildcard": plain != name, "status": "pending", "account": account,
             "challenges": []}
        for kind in self.types if plain == name else ["dns-01"]:
            a["challenges"].append({"type": kind, "status": "pending", "token": b64(os.urandom(24)),
                                    "url": f"{self.base}/challenge/{b64(os.urandom(6))}"})
        self._authz[url] = a
        return url

    def _settle(self, order):
        """An order's status follows from its authorizations'."""
        if order["status"] == "pending":
            all_ = [self._authz[url]["status"] for url in order["authz"]]
            if "invalid" in all_ or "deactivated" in all_:
                order["status"] = "invalid"
            elif all(s == "valid" for s in all_):
                order["status"] = "ready"

    def _order(self, order):
        self._settle(order)
        out = {"status": order["status"], "expires": rfc3339(time.time() + 3600),
               "identifiers": [{"type": "dns", "value": n} for n in order["names"]],
               "authorizations": order["authz"],
               "finalize": order["url"].replace("/order/", "/finalize/")}
        if order["profile"]:
            out["profile"] = order["profile"]
        if order["status"] == "valid":
            out["certificate"] = order["cert"]
        if order["status"] == "invalid":
            out["error"] = {"type": ERROR + "unauthorized", "detail": "an authorization failed"}
        return out

    def _find(self, call, table):
        found = table.get(call.path.split("/")[2])
        if not found:
            raise Refused("malformed", f"no {call.path}", 404)
        return found

    def _do_order(self, call):
        order = self._find(call, self._orders)
        if order["status"] == "processing":
            order["polls"] += 1
            if order["polls"] > self.processing:
                order["status"] = "valid"
        headers = {}
        if self.retry_after is not None and order["status"] not in ("valid", "invalid"):
            headers["Retry-After"] = str(self.retry_after)
        return Reply(200, self._order(order), headers)

    def _do_finalize(self, call):
        order = self._find(call, self._orders)
        self._settle(order)
        if order["status"] != "ready":
            return problem("orderNotReady", 403, f"the order is {order['status']}")
        csr = x509.load_der_x509_csr(unb64(call.payload["csr"]))
        if not csr.is_signature_valid:
            raise Refused("badCSR", "its signature is not good")
        if len(list(csr.subject)):
            raise Refused("badCSR", f"a subject: {csr.subject}")
        names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value \
            .get_values_for_type(x509.DNSName)
        if sorted(names) != sorted(order["names"]):
            raise Refused("badCSR", f"for {names}, not {order['names']}")
        self._complete(order, csr.public_key())
        order["status"] = "processing" if self.processing else "valid"
        headers = {"Location": order["url"]}
        if self.retry_after is not None and self.processing:
            headers["Retry-After"] = str(self.retry_after)
        return Reply(200, self._order(order), headers)

    def _complete(self, order, public_key):
        ident = b64(os.urandom(6))
        self._certs[ident] = self.make(order["names"], public_key)
        order["cert"] = f"{self.base}/cert/{ident}"

    def _do_cert(self, call):
        return Reply(200, self._find(call, self._certs).encode(),
                     kind="application/pem-certificate-chain")

    def _do_authz(self, call):
        url = self.base + call.path
        if url not in self._authz:
            raise Refused("malformed", "no such authorization", 404)
        if call.payload:
            self._authz[url]["status"] = "deactivated"
        return Reply(200, self._authz_object(url))

    def _authz_object(self, url):
        a = self._authz[url]
        out = {"status": a["status"], "expires": rfc3339(time.time() + 3600),
               "identifier": {"type": "dns", "value": a["name"]},
               "challenges": json.loads(json.dumps(a["challenges"]))}
        if a["wildcard"]:
            out["wildcard"] = True
        return out

    def _do_challenge(self, call):
        url = self.base + call.path
        for where, a in self._authz.items():
            for challenge in a["challenges"]:
                if challenge["url"] == url:
                    if call.payload == {}:
                        self._validate(a, challenge, call)
                    return Reply(200, dict(challenge), {"Link": f'<{where}>;rel="up"'})
        raise Refused("malformed", "no such challenge", 404)

    # -- validation: at once, before the answer --

    def _validate(self, a, challenge, call):
        if a["status"] != "pending":
            return
        key = challenge["token"] + "." + thumbprint(self._accounts[call.account]["jwk"])
        trouble = None
        if challenge["type"] == "dns-01" and self.dns:
            trouble = self._look_dns(a["name"], b64(hashlib.sha256(key.encode()).digest()))
        elif challenge["type"] == "http-01" and self.http_port:
            trouble = self._look_http(a["name"], challenge["token"], key)
        challenge["status"] = a["status"] = "invalid" if trouble else "valid"
        if trouble:
            challenge["error"] = {"type": ERROR + "unauthorized", "detail": trouble, "status": 403}

    def _look_dns(self, name, wanted):
        message = dns.message.make_query(f"_acme-challenge.{name}.", "TXT")
        try:
            reply = dns.query.tcp(message, self.dns[0], 5, self.dns[1])
        except (OSError, dns.exception.DNSException) as e:
            return f"no answer about TXT: {e!r}"
        got = [b"".join(r.strings).decode() for rrset in reply.answer
               if rrset.rdtype == dns.rdatatype.TXT for r in rrset]
        return None if wanted in got else f"TXT of _acme-challenge.{name} is {got}"

    def _look_http(self, name, token, wanted):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.http_port}/.well-known/acme-challenge/{token}", headers={"Host": name})
        try:
            with urllib.request.urlopen(request, timeout=5) as reply:
                got = reply.read(1000).decode().rstrip()
        except OSError as e:
            return f"no answer by HTTP: {e!r}"
        return None if got == wanted else f"{got!r} by HTTP"

    # -- renewal information (RFC 9773 §4) --

    def _do_renewalInfo(self, call):
        now = time.time()
        start, end = self.window or (self.lifetime_s * 0.66 - self.backdate_s,
                                     self.lifetime_s * 0.7 - self.backdate_s)
        return Reply(200, {"suggestedWindow": {"start": rfc3339(now + start), "end": rfc3339(now + end)}},
                     {"Retry-After": "21600"})


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def foreign_key(ca):
    """For `make`: a certificate of somebody else's key."""
    return lambda names, _: ca.issue(names, ec.generate_private_key(ec.SECP256R1()).public_key())


def other_names(ca, *others):
    return lambda names, key: ca.issue(list(others), key)


def expired(ca):
    return lambda names, key: ca.issue(names, key, time.time() - 7 * 86400, time.time() - 86400)
