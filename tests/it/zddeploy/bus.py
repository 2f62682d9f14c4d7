"""A service that speaks no HTTP: it greets whoever connects, and waits for more."""

import os
import socketserver
import sys


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 bus\r\n")
        for line in self.rfile:
            self.wfile.write(b"500 " + line)


server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
for name, number in [("%d.port" % os.getpid(), server.server_address[1]), ("bus.pid", os.getpid())]:
    with open(name, "w") as file:
        file.write(str(number))
if sys.argv[1:] == ["dies"]:
    sys.exit("out of luck")
server.serve_forever()
