"""An issuer that does what it is told: HTTPS (or plain HTTP) on loopback, one behaviour after the other, the
last one for all that follow. What it was sent is kept."""
import http.server
import json
import os
import socket
import ssl
import struct
import threading

import harness

MEMBERS = [{"id": "core-a", "url": None, "hosting": None, "available": True},
           {"id": "core-b", "url": None, "hosting": None, "available": False}]


def good(ident="core-b"):
    return json.dumps({"ok": True, "coreId": ident,
                       "cluster": {"cores": MEMBERS, "lscIps": ["127.0.0.9"]}}).encode()


def answer(status, body=b"", **headers):
    """A behaviour: that status and body."""
    def behave(handler):
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)
    return behave


OK = answer(200, good())


def lost(handler):
    """Heard, but the answer does not arrive."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True


def garbage(handler):
    handler.wfile.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
    handler.close_connection = True


def huge(handler):
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(64):
            handler.wfile.write(b" " * 65536)
    except OSError:
        pass
    handler.close_connection = True


class Issuer:
    """CERT, KEY: PEM; None: plain HTTP."""

    def __init__(self, pair, *behaviours):
        self.behaviours = list(behaviours) or [OK]
        self.requests = []
        self.connections = 0
        self.released = threading.Event()  # for behaviours that hang
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                issuer.requests.append((self.path, dict(self.headers), body))
                left = issuer.behaviours
                (left.pop(0) if len(left) > 1 else left[0])(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self):
                issuer.connections += 1
                return super().get_request()

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        if pair:
            folder = harness.temp_folder()
            path = os.path.join(folder, "pair.pem")
            with open(path, "w", encoding="ascii") as out:
                out.write(pair[0] + pair[1])
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(path)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
        self.url = f"{'https' if pair else 'http'}://127.0.0.1:{self.port}/system/admin/cores/ack"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def stop(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
