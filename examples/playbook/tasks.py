"""What is done beside the requests: by celery, with a directory as its queue."""

import os
import time

from celery import Celery

from app import HERE, count

# Beside `current`, whichever release runs: jobs outlive the release that ordered them.
QUEUE = os.environ["QUEUE_DIR"]

celery = Celery("tasks", broker="filesystem://")
celery.conf.broker_transport_options = {
    "data_folder_in": QUEUE,
    "data_folder_out": QUEUE,
    "control_folder": os.path.join(QUEUE, "control"),
    "polling_interval": 0.2,
}
# A worker that ends gives back what it has not begun; it should not have much of that.
celery.conf.worker_prefetch_multiplier = 1


@celery.task
def report(name, seconds):
    number = count()
    time.sleep(seconds)
    # Renamed when it is whole.
    path = HERE / "uploads" / f"{name}.txt"
    path.with_suffix(".part").write_text(f"{number} notes, counted by {HERE.name}\n")
    path.with_suffix(".part").rename(path)
