"""Sends alerts, for ever. Two of it would send each one twice."""

import fcntl
import signal
import time

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from hc.models import Alert


class Command(BaseCommand):
    def handle(self, *args, **options):
        lock = open(settings.SHARED / "db" / "alerts.lock", "w")
        log = open(settings.SHARED / "db" / "alerts.log", "a", buffering=1)
        release = settings.BASE_DIR.name
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            log.write(f"{release} twice\n")
            raise CommandError("another one runs")
        self.goes_on = True
        signal.signal(signal.SIGTERM, self.end)
        log.write(f"{release} begin\n")
        while self.goes_on:
            # What it began, it finishes: TERM is looked at between two rounds.
            Alert.objects.order_by("made_at")[:100].count()
            time.sleep(0.5)
        log.write(f"{release} end\n")

    def end(self, number, frame):
        self.goes_on = False
