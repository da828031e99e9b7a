"""Proven: what people point at these ports works. curl by HTTP/1.1 and HTTP/2, a browser's engine, kdig
and dnsperf over TLS, Prometheus' own checker, nginx in front as a reverse proxy, testssl.sh and
`openssl s_client` for protocols and suites."""
import base64
import hashlib
import json
import os
import re
import subprocess

import pytest

import harness
import web
from harness import DOMAIN

BROWSER_S = 60
USER = "anna-of-the-tests"


def run(*argv, expect=0, deadline_s=60, input=None, **more):
    done = subprocess.run([harness.package_program(argv[0]), *argv[1:]], capture_output=True,
                          text=True, errors="replace", timeout=deadline_s, check=False,
                          **({"input": input} if input is not None
                             else {"stdin": subprocess.DEVNULL}), **more)
    assert expect is None or done.returncode == expect, \
        f"{argv}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def authority():
    return web.Authority()


@pytest.fixture(scope="module")
def dnsd(authority, started):
    made = web.web_dnsd()
    authority.issue(web.NAMES + ("127.0.0.1",)).install(made.tls_folder)
    started(made)
    made.process.wait_log(r"http: listening .*transport=https")
    made.rows({"dns-record/www": {"a": ["192.0.2.80"]}})
    return made


@pytest.fixture(scope="module")
def plain(started):
    """The same behind somebody else's TLS."""
    made = web.web_dnsd(tls=False, dot=False)
    started(made)
    return made


def url(dnsd, path, scheme="https"):
    return f"{scheme}://localhost:{dnsd.config['http']['port']}{path}"


# ---- curl ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.1", "2"])
def test_curl(dnsd, authority, version):
    def ask(*arguments):
        out = web.curl("--cacert", authority.ca, "--http" + version, "-w",
                       "\n%{http_version} %{http_code} %{content_type}", *arguments)
        body, status = out.rsplit("\n", 1)
        return body, status

    user = f"{USER}-{version.replace('.', '-')}"
    body, status = ask(url(dnsd, "/healthz"))
    assert (json.loads(body), status) == ({"status": "ok"}, f"{version} 200 application/json")
    body, status = ask("-X", "PUT", "-H", "Authorization: Bearer " + web.ADMIN_KEY,
                       url(dnsd, f"/system/admin/users/{user}"))
    assert status.startswith(f"{version} 201 "), (body, status)
    assert json.loads(body)["user"]["core"]["id"] == "core-a"
    body, status = ask(url(dnsd, f"/reg/cores?username={user}"))
    assert json.loads(body) == {"core": {"url": f"https://core-a.{DOMAIN}/"}}
    body, status = ask("-d", json.dumps({"subdomain": "by-curl", "records": {"a": ["192.0.2.7"]}}),
                       "-H", "Content-Type: application/json",
                       "-H", "Authorization: " + web.ADMIN_KEY, url(dnsd, "/reg/records"))
    assert status == f"{version} 200 application/json", (body, status)
    # A body of several frames, sent in chunks, without a length.
    body, status = ask("-H", "Transfer-Encoding: chunked", "-H", "Content-Type: application/json",
                       "-H", "Authorization: " + web.ADMIN_KEY, "-d",
                       json.dumps({"subdomain": "by-curl",
                                   "records": {"txt": ["x" * 200 for _ in range(90)]}}),
                       url(dnsd, "/reg/records"))
    assert status in (f"{version} 200 application/json", f"{version} 400 application/json"), body
    # Both on one connection.
    out = web.curl("--cacert", authority.ca, "--http" + version, "-w", "%{num_connects} ",
                   "-o", "/dev/null", url(dnsd, "/healthz"), "-o", "/dev/null", url(dnsd, "/readyz"))
    assert out == "1 0 "


def test_curl_head_and_errors(dnsd, authority):
    for version in ("1.1", "2"):
        def status(*arguments):
            return web.curl("--cacert", authority.ca, "--http" + version, "-o", "/dev/null", "-w",
                            "%{http_code}", *arguments)

        assert status("-I", url(dnsd, "/healthz")) == "200"
        assert status(url(dnsd, "/nothing")) == "404"
        assert status("-X", "DELETE", url(dnsd, "/healthz")) == "405"
        assert status(url(dnsd, "/system/admin/cores")) == "401"


# ---- a browser -----------------------------------------------------------------------------------


def test_browser(dnsd, authority):
    """Chromium renders what it got: over HTTP/2, with a certificate it was told to believe by its key."""
    key = run("openssl", "x509", "-in", os.path.join(dnsd.tls_folder, "fullchain.pem"), "-noout",
              "-pubkey")
    der = base64.b64decode("".join(key.strip().splitlines()[1:-1]))
    pin = base64.b64encode(hashlib.sha256(der).digest()).decode()
    folder = harness.temp_folder()
    page = run("chromium", "--headless", "--no-sandbox", "--disable-gpu",
               "--disable-dev-shm-usage", "--user-data-dir=" + folder,
               "--ignore-certificate-errors-spki-list=" + pin, "--dump-dom",
               url(dnsd, "/readyz"), deadline_s=BROWSER_S, env=dict(os.environ, HOME=folder))
    assert '{"status":"ready"}' in re.sub(r"\s", "", page), page
    with web.Web(dnsd, authority.trust) as client:
        text = client.get("/metrics").body.decode()
    assert re.search(r'dnsd_http_requests_total\{route="readyz",status="200"\} \d+', text), text


# ---- DNS over TLS --------------------------------------------------------------------------------


def test_kdig(dnsd, authority):
    port = str(dnsd.config["http"]["dotPort"])
    out = run("kdig", "@127.0.0.1", "-p", port, "+tls-ca=" + authority.ca,
              "+tls-hostname=" + DOMAIN, "+padding=128", "+timeout=5", f"www.{DOMAIN}", "A")
    assert "TLS session (TLS1.3)" in out and "status: NOERROR" in out, out
    assert re.search(rf"www\.{re.escape(DOMAIN)}\.\s+300\s+IN\s+A\s+192\.0\.2\.80", out), out
    size = int(re.search(r"Received (\d+) B", out).group(1))
    assert size % 468 == 0, f"padded to {size}"  # RFC 8467 §4.1
    # Another name asked for than is in the certificate is answered too (RFC 9539), if not believed.
    out = run("kdig", "@127.0.0.1", "-p", port, "+tls", "+tls-sni=somewhere.else.example",
              f"www.{DOMAIN}", "A")
    assert "192.0.2.80" in out, out
    before = tls_connections(dnsd, authority)
    out = run("kdig", "@127.0.0.1", "-p", port, "+tls-ca=" + authority.ca, "+keepopen",
              "+tls-hostname=" + DOMAIN, "-q", f"www.{DOMAIN}", "-q", f"nobody.{DOMAIN}")
    assert out.count("status: NOERROR") == 1 and out.count("status: NXDOMAIN") == 1, out
    assert tls_connections(dnsd, authority) == before + 1  # both on one


def tls_connections(dnsd, authority):
    with web.Web(dnsd, authority.trust, key="") as client:
        text = client.get("/metrics").body.decode()
    return int(re.search(r'dnsd_connections_accepted_total\{listener="dns_tls"\} (\d+)', text).group(1))


def test_dnsperf(dnsd):
    folder = harness.temp_folder()
    path = os.path.join(folder, "queries")
    with open(path, "w", encoding="ascii") as f:
        f.write("".join(f"www.{DOMAIN} A\ncore-a.{DOMAIN} AAAA\nnobody-{i}.{DOMAIN} A\n"
                        for i in range(100)))
    out = run("dnsperf", "-m", "dot", "-s", "127.0.0.1", "-p", str(dnsd.config["http"]["dotPort"]),
              "-d", path, "-n", "20", "-c", "20", "-q", "200", "-t", "20")
    print(out)
    sent, done, lost = (int(re.search(rf"Queries {what}:\s+(\d+)", out).group(1))
                        for what in ("sent", "completed", "lost"))
    assert (sent, done, lost) == (6000, 6000, 0)


# ---- Prometheus ----------------------------------------------------------------------------------


def test_promtool(dnsd, authority):
    with web.Web(dnsd, authority.trust, key="") as client:
        answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    out = run("promtool", "check", "metrics", input=answer.body.decode())
    assert out == "", out


# ---- protocols and suites -------------------------------------------------------------------------

BAD_SUITES = ("AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA",
              "ECDHE-RSA-AES128-SHA")


def handshake(port, *arguments):
    """The protocol and suite agreed on, or None."""
    done = subprocess.run([harness.package_program("openssl"), "s_client", "-connect",
                           f"127.0.0.1:{port}", "-servername", DOMAIN, *arguments], text=True,
                          errors="replace", capture_output=True, stdin=subprocess.DEVNULL,
                          timeout=20, check=False)
    found = re.search(r"New, (\S+), Cipher is (\S+)", done.stdout)
    return found.groups() if found and found.group(2) != "(NONE)" else None


def test_s_client_matrix(dnsd):
    for port in (dnsd.config["http"]["port"], dnsd.config["http"]["dotPort"]):
        for old in ("-tls1", "-tls1_1"):
            assert handshake(port, old, "-cipher", "ALL:@SECLEVEL=0") is None, old
        for suite in BAD_SUITES:
            assert handshake(port, "-tls1_2", "-cipher", suite + ":@SECLEVEL=0") is None, suite
        for suite in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
                      "ECDHE-ECDSA-CHACHA20-POLY1305"):
            assert handshake(port, "-tls1_2", "-cipher", suite) == ("TLSv1.2", suite)
        for suite in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                      "TLS_CHACHA20_POLY1305_SHA256"):
            assert handshake(port, "-tls1_3", "-ciphersuites", suite) == ("TLSv1.3", suite)
        for group in ("X25519", "P-256", "P-384"):
            assert handshake(port, "-groups", group), group


@pytest.mark.parametrize("which", ["port", "dotPort"])
def test_testssl(dnsd, which):
    """Nothing above LOW, but for what a test's own authority cannot have."""
    folder = harness.temp_folder()
    path = os.path.join(folder, "found.json")
    run("testssl", "--quiet", "--color", "0", "--warnings", "off", "--ip", "127.0.0.1", "-p", "-s",
        "-f", "-P", "-U", "--jsonfile", path, f"localhost:{dnsd.config['http'][which]}",
        expect=None, deadline_s=400)
    with open(path, encoding="utf-8") as f:
        found = json.load(f)
    assert len(found) > 30, found
    # DEBUG: "cannot tell which service this is", of DNS.
    bad = [one for one in found if one["severity"] not in ("OK", "INFO", "LOW", "DEBUG")]
    low = sorted(one["id"] for one in found if one["severity"] == "LOW")
    print(f"{which}: {len(found)} findings, LOW: {low}, above: {bad}")
    assert bad == []


# ---- behind nginx --------------------------------------------------------------------------------


def test_behind_nginx(plain, authority, started):
    """nginx has the certificate and port; dnsd speaks plain HTTP to it and sees who is behind it."""
    folder = harness.temp_folder()
    pair = authority.issue()
    port = harness.free_port()
    with open(os.path.join(folder, "nginx.conf"), "w", encoding="ascii") as f:
        f.write(f"""pid {folder}/pid;
daemon off;
master_process off;
error_log stderr info;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream dnsd {{ server 127.0.0.1:{plain.config['http']['port']}; keepalive 4; }}
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {pair.cert};
    ssl_certificate_key {pair.key};
    location / {{
      proxy_pass http://dnsd;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr;
    }}
  }}
}}
""")
    nginx = harness.Process([harness.package_program("nginx"), "-p", folder, "-c",
                             os.path.join(folder, "nginx.conf"), "-e", "stderr"])
    harness.until("nginx answers", lambda: _answers(port, authority), 20)
    here = f"https://localhost:{port}"
    for _ in range(3):
        assert web.curl("--cacert", authority.ca, "--http2", here + "/healthz") == '{"status":"ok"}'
    with web.Web(plain, authority.trust, port=port) as client:
        made = client.ask("PUT", "/system/admin/users/behind-nginx")
        assert made.status == 201, made
        assert client.ask("PUT", "/system/admin/users/behind-nginx").status == 409
        # Wrong keys from one address behind the proxy do not lock out another one.
        statuses = [client.get("/system/admin/cores", key="wrong").status for _ in range(30)]
        assert statuses[0] == 401 and statuses[-1] == 429, statuses
    out = web.curl("--cacert", authority.ca, "--interface", "127.0.0.2", "-o", "/dev/null", "-w",
                   "%{http_code}", "-H", "Authorization: " + web.ADMIN_KEY,
                   here + "/system/admin/cores")
    assert out == "200", "another address is not locked out"
    nginx.stop()


def _answers(port, authority):
    try:
        with web.Web(None, authority.trust, port=port) as client:
            return client.get("/healthz").status == 200
    except OSError:
        return False
