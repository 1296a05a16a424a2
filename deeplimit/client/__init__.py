"""A client of the HTTP API, for scripts, notebooks and the command line."""

from deeplimit.client.async_client import AsyncClient
from deeplimit.client.async_job import AsyncJob
from deeplimit.client.client import Client
from deeplimit.client.errors import ClientError, FieldProblem, JobFailed, ServiceError, Unreachable
from deeplimit.client.job import Job
from deeplimit.client.records import Dataset
from deeplimit.client.results import Results

__all__ = [
    "AsyncClient",
    "AsyncJob",
    "Client",
    "ClientError",
    "Dataset",
    "FieldProblem",
    "Job",
    "JobFailed",
    "Results",
    "ServiceError",
    "Unreachable",
]
