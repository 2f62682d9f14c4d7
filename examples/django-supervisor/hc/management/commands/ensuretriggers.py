"""Makes the triggers that keep the number of alerts. It may be run as often as one likes."""

from django.core.management.base import BaseCommand
from django.db import connection, transaction

STATEMENTS = [
    "CREATE TABLE IF NOT EXISTS hc_total (alerts integer NOT NULL)",
    "DROP TRIGGER IF EXISTS hc_alert_made",
    "DROP TRIGGER IF EXISTS hc_alert_gone",
    "CREATE TRIGGER hc_alert_made AFTER INSERT ON hc_alert "
    "BEGIN UPDATE hc_total SET alerts = alerts + 1; END",
    "CREATE TRIGGER hc_alert_gone AFTER DELETE ON hc_alert "
    "BEGIN UPDATE hc_total SET alerts = alerts - 1; END",
    "DELETE FROM hc_total",
    "INSERT INTO hc_total SELECT count(*) FROM hc_alert",
]


class Command(BaseCommand):
    help = "Makes the triggers that keep the number of alerts."

    def handle(self, *args, **options):
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in STATEMENTS:
                cursor.execute(statement)
