"""Names that the two sides of the queue share: Celery's task and queue, and where a job's objects lie."""

from collections.abc import Iterable
from typing import Final

TASK_HINT: Final = "deeplimit.hint"
"""Celery task that says "there may be work". It carries no job id: the job store holds the truth."""

QUEUE: Final = "deeplimit"
"""Celery queue, and so the Redis list, that hints go through."""

JOBS: Final = "jobs"
DATASETS: Final = "datasets"
"""Folders of all objects of jobs and of data sets."""

DATA: Final = "data"
FIXED: Final = "fixed"
RESULTS: Final = "results"
LOSSES: Final = "losses"
PLOTS: Final = "plots"
"""Keys of :attr:`service.contract.job.JobRecord.artifacts`."""


def parameters_key(model: str) -> str:
    """Key under ``artifacts`` of the fitted parameters of one model, such as ``parameters/discrete-64``."""
    return f"parameters/{model}"


def models_with_parameters(keys: Iterable[str]) -> tuple[str, ...]:
    """Models whose fitted parameters are among these keys of ``artifacts``."""
    prefix = parameters_key("")
    return tuple(key.removeprefix(prefix) for key in keys if key.startswith(prefix))


def network_key(index: int) -> str:
    """Key under ``artifacts`` of the weights of one network of a diagnosis, such as ``networks/0``."""
    return f"networks/{index}"


def trained_key(model: str) -> str:
    """Key under ``artifacts`` of the parameters that an evaluation was given, such as ``trained/discrete-64``."""
    return f"trained/{model}"


def output_key(output: str, model: str) -> str:
    """Key under ``artifacts`` of what an evaluation computed, such as ``predictions/discrete-64``."""
    return f"{output}/{model}"


def plot_key(plot: str, form: str) -> str:
    """Key under ``artifacts`` of one form of a plot, ``svg``, ``data`` or ``vega``: ``plots/minima.svg``."""
    return f"{PLOTS}/{plot}.{form}"


def job_prefix(job_id: str) -> str:
    """Folder of all that belongs to one job."""
    return f"{JOBS}/{job_id}"


def record_path(job_id: str) -> str:
    """Object that holds the record of a job which has ended."""
    return f"{job_prefix(job_id)}/record.json"


def data_path(job_id: str) -> str:
    """Object that holds the inline data of a job."""
    return f"{job_prefix(job_id)}/data.safetensors"


def source_path(job_id: str, key: str) -> str:
    """Object that a job was given beside its data, by its key."""
    return f"{job_prefix(job_id)}/given/{key}.safetensors"


def dataset_prefix(dataset_id: str) -> str:
    """Folder of all that belongs to one data set."""
    return f"{DATASETS}/{dataset_id}"


def checkpoints_prefix(job_id: str) -> str:
    """Folder of what attempts at a job leave for the next one."""
    return f"{job_prefix(job_id)}/checkpoints"


def checkpoint_path(job_id: str, fence: int, name: str) -> str:
    """Object that one attempt leaves for the next one."""
    return f"{checkpoints_prefix(job_id)}/{fence}-{name}"


def dataset_path(dataset_id: str, upload: str) -> str:
    """Object that holds an uploaded data set; each upload has its own, so that none can delete another's."""
    return f"{dataset_prefix(dataset_id)}/{upload}.safetensors"


def preview_path(dataset: str) -> str:
    """Object that holds the preview of the data set whose own object this is; the two are deleted together."""
    return f"{dataset.removesuffix('.safetensors')}.preview.json"


def results_prefix(job_id: str) -> str:
    """Folder of the results of all attempts at a job, each in one by its fence."""
    return f"{job_prefix(job_id)}/results"


def attempt_prefix(job_id: str, fence: int) -> str:
    """Folder of what one attempt wrote."""
    return f"{results_prefix(job_id)}/{fence}"


def dataset_record_path(dataset: str) -> str:
    """Object that holds the record of the data set whose own object this is; likewise."""
    return f"{dataset.removesuffix('.safetensors')}.record.json"


def results_path(job_id: str, fence: int, key: str = RESULTS) -> str:
    """Object that one attempt wrote under a key of ``artifacts``; the fence keeps attempts apart."""
    ending = "json" if "/" not in key else "" if key.startswith(f"{PLOTS}/") else "safetensors"
    return f"{attempt_prefix(job_id, fence)}/{key}{ending and '.' + ending}"
