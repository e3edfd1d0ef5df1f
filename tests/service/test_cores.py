import os
from pathlib import Path

import pytest

from service.cores import Allotment, allot, usable_cores
from service.settings import read_settings

AFFINITY = float(len(os.sched_getaffinity(0)))


@pytest.mark.parametrize(
    ("content", "cores"),
    [
        ("max 100000\n", AFFINITY),
        ("50000 100000\n", min(AFFINITY, 0.5)),
        ("6400000 100000\n", AFFINITY),
        ("", AFFINITY),
        ("nonsense\n", AFFINITY),
    ],
)
def test_the_quota_of_the_cgroup_counts_where_it_is_less(
    tmp_path: Path, content: str, cores: float
) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(content)
    assert usable_cores(file) == cores


def test_without_a_cgroup_the_affinity_counts(tmp_path: Path) -> None:
    assert usable_cores(tmp_path / "missing") == AFFINITY


@pytest.mark.parametrize(
    ("cores", "allotment"),
    [
        (0.5, Allotment(1, 1, 1)),
        (1.0, Allotment(1, 1, 1)),
        (2.0, Allotment(1, 2, 1)),
        (3.9, Allotment(1, 3, 1)),
        (8.0, Allotment(1, 8, 1)),
        (32.0, Allotment(4, 32, 1)),
    ],
)
def test_on_a_cpu_every_core_has_a_worker(cores: float, allotment: Allotment) -> None:
    assert allot(read_settings([]), cores) == allotment


def test_a_cuda_device_has_one_worker() -> None:
    assert allot(read_settings(["--device=cuda"]), 16.0) == Allotment(1, 1, 1)


def test_each_number_can_be_set_by_hand() -> None:
    settings = read_settings(["--api-servers=3", "--workers=5", "--threads=2"])
    assert allot(settings, 1.0) == Allotment(3, 5, 2)
