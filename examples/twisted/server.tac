"""A tiny site that says which version of it answers."""

import os
from pathlib import Path

from twisted.application import service
from twisted.internet import reactor
from twisted.web import resource, server

VERSION = Path("VERSION").read_bytes()


class Hello(resource.Resource):
    isLeaf = True

    def render_GET(self, request):
        wait = int(request.args.get(b"ms", [b"0"])[0]) / 1000
        reactor.callLater(wait, self.answer, request)
        return server.NOT_DONE_YET

    def answer(self, request):
        request.write(VERSION)
        request.finish()


class Web(service.Service):
    def startService(self):
        super().startService()
        self.port = reactor.listenTCP(0, server.Site(Hello()), interface="127.0.0.1")
        # twistd writes the pid; this tells zdd the port.
        Path(f"{os.getpid()}.port").write_text(f"{self.port.getHost().port}\n")

    def stopService(self):
        super().stopService()
        return self.port.stopListening()


application = service.Application("hello")
Web().setServiceParent(application)
