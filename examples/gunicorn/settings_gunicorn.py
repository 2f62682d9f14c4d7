"""Any free port, and the file that tells zdd which it was."""

import os
from pathlib import Path

bind = "127.0.0.1:0"
workers = 2
pidfile = "gunicorn.pid"
errorlog = "gunicorn.log"
# Its place is the same for every gunicorn of a user: the new one would take it from the old one.
control_socket_disable = True


def when_ready(server):
    port = server.LISTENERS[0].getsockname()[1]
    Path(f"{os.getpid()}.port").write_text(f"{port}\n")
