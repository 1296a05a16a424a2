"""What is for workers of another version is told from what is damaged, and from what this version can do."""

import pytest

from service.contract.train.resolved import spec_sha256
from tests.worker.foreign import OTHERS, WHOLE
from worker.specification import NotUnderstoodError, check_understood


def test_one_of_this_version_is_understood() -> None:
    check_understood(WHOLE, spec_sha256(WHOLE))


@pytest.mark.parametrize(
    ("how", "said"),
    list(
        zip(
            OTHERS,
            ("its kind is not known here", "not read here: training/later", "not read here: limits"),
            strict=True,
        )
    ),
)
def test_one_of_another_version_is_not(how: str, said: str) -> None:
    with pytest.raises(NotUnderstoodError) as refusal:
        check_understood(OTHERS[how], spec_sha256(OTHERS[how]))
    assert str(refusal.value) == said


@pytest.mark.parametrize("how", OTHERS)
def test_a_damaged_one_is_left_to_the_executor_to_fail_over(how: str) -> None:
    check_understood(OTHERS[how], spec_sha256(WHOLE))
