"""A service as a site of zddeploy has it: it writes its pid and its port, and answers its version.

The file `mode` beside it says what is wrong with it; `api.mode` with the service `api` alone.
"""

import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HERE = os.path.dirname(os.path.abspath(__file__))


def read(name):
    with open(os.path.join(HERE, name)) as file:
        return file.read().strip()


def write(name, text):
    with open(os.path.join(HERE, name), "w") as file:
        file.write(str(text))


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/slow/"):
            time.sleep(int(self.path[len("/slow/"):]))
        status = 503 if MODE == "ill" else 200
        body = VERSION.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


NAME = sys.argv[1] if len(sys.argv) > 1 else "web"
VERSION = read("version")
MODE = read(NAME + ".mode" if os.path.exists(os.path.join(HERE, NAME + ".mode")) else "mode")
write("started", VERSION)
if MODE == "mute":
    time.sleep(100)
if MODE in ("slow", "late"):
    time.sleep(3)
if MODE == "late":
    sys.exit("too late")
if MODE == "stale":
    # As an earlier process with this pid left it.
    write("%d.port" % os.getpid(), read("stale"))
    os.utime("%d.port" % os.getpid(), (0, 0))
    write(NAME + ".pid", os.getpid())
    time.sleep(2)
ThreadingHTTPServer.daemon_threads = False
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
write(NAME + ".pid", os.getpid())
write("port", server.server_address[1])
if MODE != "portless":
    write("%d.port" % os.getpid(), server.server_address[1])
if MODE == "faints":
    time.sleep(1)
if MODE in ("dies", "faints"):
    print("out of luck", flush=True)
    os._exit(3)
if MODE == "deaf":
    heard = []
    while True:
        heard.append(server.socket.accept())
if MODE == "fragile":
    # A master whose workers die of their first request, and that begins another one each time.
    while True:
        if os.fork() == 0:
            server.socket.accept()
            os._exit(1)
        os.wait()
if MODE == "short-lived":
    threading.Timer(2, lambda: os._exit(3)).start()
if MODE == "abrupt":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
else:
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
