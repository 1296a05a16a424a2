"""``python -m worker.start``: the ``celery`` command with the app of the workers.

The command itself would look for the app in the working directory first, where a user may have a ``worker.py``.
"""

from celery.bin.celery import celery

from worker.app import app

if __name__ == "__main__":
    celery.params[0].default = app  # as Celery's own `worker_main` does, which loses the exit status
    celery.main()
