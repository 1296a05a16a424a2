"""``python -m worker.start``: the ``celery`` command with the app of the workers.

The command itself would look for the app in the working directory first, where a user may have a ``worker.py``.
"""

import sys

from worker.app import app

if __name__ == "__main__":
    app.worker_main(sys.argv[1:])
