"""Records of uploaded data sets in Redis: the only code that knows how they are kept.

Every change is one Lua script, as in the job store. A record's key is the hash of its content, so that creating it
again finds it there.
"""

from service.datasets.store.store import DatasetStore, TooManyDatasets, UploadLate, decode, fields_of

__all__ = ["DatasetStore", "TooManyDatasets", "UploadLate", "decode", "fields_of"]
