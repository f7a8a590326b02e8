"""Writes that share a transaction: none is lost, and each gets its own error."""

import fcntl
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest
from django.conf import LazySettings, settings
from django.db import OperationalError, connection, transaction

from recognizer.api.errors import is_fault
from recognizer.drawings.group_commit import GroupedWrites


class Disk:
    """Writes numbers slowly, negative ones not at all."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.has_begun = threading.Event()
        self.may_end = threading.Event()

    def write_all(self, numbers: Sequence[int]) -> None:
        self.has_begun.set()
        assert self.may_end.wait(10)
        if any(number < 0 for number in numbers):
            raise ValueError("negative")
        self.groups.append(sorted(numbers))


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.mark.django_db(transaction=True)
class TestGroupedWrites:
    def test_writes_together_what_came_while_another_wrote(self, disk: Disk) -> None:
        writes = GroupedWrites(disk.write_all)
        with ThreadPoolExecutor() as threads:
            first = threads.submit(writes.write, 0)
            assert disk.has_begun.wait(10)
            others = [threads.submit(writes.write, number) for number in (1, 2, 3)]
            while len(writes._waiting) < 3:
                pass
            disk.may_end.set()

            for one in (first, *others):
                one.result(timeout=10)

        assert disk.groups == [[0], [1, 2, 3]]

    def test_gives_an_error_to_whom_it_belongs_and_stores_the_others(
        self, disk: Disk
    ) -> None:
        writes = GroupedWrites(disk.write_all)
        with ThreadPoolExecutor() as threads:
            first = threads.submit(writes.write, 0)
            assert disk.has_begun.wait(10)
            good, bad = (
                threads.submit(writes.write, 1),
                threads.submit(writes.write, -1),
            )
            while len(writes._waiting) < 2:
                pass
            disk.may_end.set()

            first.result(timeout=10)
            good.result(timeout=10)
            with pytest.raises(ValueError, match="negative"):
                bad.result(timeout=10)

        assert sorted(disk.groups) == [[0], [1]]

    def test_loses_none_of_a_thousand(self, disk: Disk) -> None:
        disk.may_end.set()
        writes = GroupedWrites(disk.write_all)

        with ThreadPoolExecutor(16) as threads:
            list(threads.map(writes.write, range(1000), timeout=60))

        assert sorted(chain.from_iterable(disk.groups)) == list(range(1000))

    @pytest.mark.sqlite  # whose lock it is
    def test_goes_on_after_a_turn_that_could_not_be_had(
        self, disk: Disk, settings: LazySettings
    ) -> None:
        disk.may_end.set()
        writes = GroupedWrites(disk.write_all)
        good = settings.DIGITSITE_VAR
        settings.DIGITSITE_VAR = good / "nowhere"

        with pytest.raises(FileNotFoundError):
            writes.write(1)
        settings.DIGITSITE_VAR = good
        writes.write(2)

        assert disk.groups == [[2]]

    @pytest.mark.sqlite  # whose lock it is
    def test_waits_for_another_process_for_so_long_only(
        self, disk: Disk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        disk.may_end.set()
        writes = GroupedWrites(disk.write_all)
        with (settings.DIGITSITE_VAR / "writing.lock").open("a") as another:
            fcntl.flock(another, fcntl.LOCK_EX)
            with monkeypatch.context() as patch:
                patch.setitem(settings.DATABASES["default"]["OPTIONS"], "timeout", 0.01)
                with pytest.raises(OperationalError, match="locked") as failed:
                    writes.write(1)
        writes.write(2)  # who gave up keeps nobody out

        assert is_fault(failed.value)  # so it is a 503
        assert disk.groups == [[2]]

    def test_inside_of_a_transaction_belongs_to_it(self, disk: Disk) -> None:
        disk.may_end.set()
        in_a_transaction = []

        def note(numbers: Sequence[int]) -> None:
            in_a_transaction.append(connection.in_atomic_block)
            disk.write_all(numbers)

        with transaction.atomic():
            GroupedWrites(note).write(1)

        assert in_a_transaction == [True]
