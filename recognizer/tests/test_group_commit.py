"""Group commit: nothing is lost, and each caller gets its own error."""

import fcntl
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from unittest.mock import patch

import pytest
from django.conf import LazySettings, settings
from django.db import OperationalError, connection, transaction

from recognizer.drawings.group_commit import GroupCommit


class Disk:
    """Stores numbers slowly, negative ones not at all."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.has_begun = threading.Event()
        self.may_end = threading.Event()

    def store_all(self, numbers: Sequence[int]) -> None:
        self.has_begun.set()
        assert self.may_end.wait(10)
        if any(number < 0 for number in numbers):
            raise ValueError("negative")
        self.groups.append(sorted(numbers))


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.mark.usefixtures("prepared_again")
@pytest.mark.django_db(transaction=True)
class TestGroupCommit:
    def test_writes_together_what_came_while_another_wrote(self, disk: Disk) -> None:
        commits = GroupCommit(disk.store_all)
        with ThreadPoolExecutor() as threads:
            first = threads.submit(commits.store, 0)
            assert disk.has_begun.wait(10)
            others = [threads.submit(commits.store, number) for number in (1, 2, 3)]
            while len(commits._waiting) < 3:
                pass
            disk.may_end.set()

            for one in (first, *others):
                one.result(timeout=10)

        assert disk.groups == [[0], [1, 2, 3]]

    def test_gives_an_error_to_whom_it_belongs_and_stores_the_others(
        self, disk: Disk
    ) -> None:
        commits = GroupCommit(disk.store_all)
        with ThreadPoolExecutor() as threads:
            first = threads.submit(commits.store, 0)
            assert disk.has_begun.wait(10)
            good, bad = (
                threads.submit(commits.store, 1),
                threads.submit(commits.store, -1),
            )
            while len(commits._waiting) < 2:
                pass
            disk.may_end.set()

            first.result(timeout=10)
            good.result(timeout=10)
            with pytest.raises(ValueError, match="negative"):
                bad.result(timeout=10)

        assert sorted(disk.groups) == [[0], [1]]

    def test_loses_none_of_a_thousand(self, disk: Disk) -> None:
        disk.may_end.set()
        commits = GroupCommit(disk.store_all)

        with ThreadPoolExecutor(16) as threads:
            list(threads.map(commits.store, range(1000), timeout=60))

        assert sorted(chain.from_iterable(disk.groups)) == list(range(1000))

    @pytest.mark.sqlite  # whose lock it is
    def test_goes_on_after_a_turn_that_could_not_be_had(
        self, disk: Disk, settings: LazySettings
    ) -> None:
        disk.may_end.set()
        commits = GroupCommit(disk.store_all)
        good = settings.DIGITSITE_VAR
        settings.DIGITSITE_VAR = good / "nowhere"

        with pytest.raises(FileNotFoundError):
            commits.store(1)
        settings.DIGITSITE_VAR = good
        commits.store(2)

        assert disk.groups == [[2]]

    @pytest.mark.sqlite  # whose lock it is
    def test_waits_for_another_process(self, disk: Disk) -> None:
        disk.may_end.set()
        commits = GroupCommit(disk.store_all)
        with ThreadPoolExecutor() as threads:
            with (settings.DIGITSITE_VAR / "writing.lock").open("a") as another:
                fcntl.flock(another, fcntl.LOCK_EX)
                waiting = [threads.submit(commits.store, number) for number in (1, 2)]
                with pytest.raises(TimeoutError):
                    waiting[0].result(timeout=0.1)
            for one in waiting:
                one.result(timeout=10)

        assert disk.groups == [[1, 2]]

    @pytest.mark.sqlite  # whose lock it is
    def test_waits_no_longer_than_the_database_would(
        self, disk: Disk, settings: LazySettings
    ) -> None:
        disk.may_end.set()
        commits = GroupCommit(disk.store_all)
        options = settings.DATABASES["default"]["OPTIONS"]
        with (
            patch.dict(options, timeout=0.05),
            (settings.DIGITSITE_VAR / "writing.lock").open("a") as another,
        ):
            fcntl.flock(another, fcntl.LOCK_EX)
            with pytest.raises(OperationalError):
                commits.store(1)
        commits.store(2)

        assert disk.groups == [[2]]

    def test_inside_of_a_transaction_belongs_to_it(self, disk: Disk) -> None:
        disk.may_end.set()
        in_a_transaction = []

        def note(numbers: Sequence[int]) -> None:
            in_a_transaction.append(connection.in_atomic_block)
            disk.store_all(numbers)

        with transaction.atomic():
            GroupCommit(note).store(1)

        assert in_a_transaction == [True]
