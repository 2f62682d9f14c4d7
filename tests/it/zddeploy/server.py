"""A service as a site of zddeploy has it: it writes its pid and its port, and answers its version.

The file `mode` beside it says what is wrong with it.
"""

import os
import signal
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
        if self.path == "/slow":
            time.sleep(1)
        status = 503 if MODE == "ill" else 200
        body = VERSION.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


VERSION = read("version")
MODE = read("mode")
if MODE == "mute":
    time.sleep(100)
if MODE == "slow":
    time.sleep(3)
if MODE == "stale":
    # As an earlier process with this pid left it.
    write("%d.port" % os.getpid(), read("stale"))
    os.utime("%d.port" % os.getpid(), (0, 0))
    write("web.pid", os.getpid())
    time.sleep(2)
ThreadingHTTPServer.daemon_threads = False
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
write("web.pid", os.getpid())
write("port", server.server_address[1])
if MODE != "portless":
    write("%d.port" % os.getpid(), server.server_address[1])
if MODE == "dies":
    print("out of luck", flush=True)
    os._exit(3)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
