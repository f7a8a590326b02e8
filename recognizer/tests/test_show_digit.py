"""Digits in the terminal, as the site reads them."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from mlcore.reading.specimens import specimens
from recognizer.drawings.feedback import give_feedback
from recognizer.models import ModelVersion, Submission
from recognizer.tests.learning import make_person, submit


def show_digit(*told: str) -> str:
    out = StringIO()
    call_command("show_digit", *told, stdout=out)
    return out.getvalue()


@pytest.fixture
def submission(active_model: ModelVersion) -> Submission:
    return submit(make_person(), specimens()[0].strokes)


class TestShowDigit:
    def test_of_mnist_names_label_and_model(self, active_model: ModelVersion) -> None:
        said = show_digit("test", "0")

        assert f"MNIST test 0, labelled 7, read by {active_model}" in said
        assert "read as 7" in said
        assert max(map(len, said.splitlines())) <= 80

    def test_of_a_submission_reads_as_was_shown(self, submission: Submission) -> None:
        give_feedback(submission=submission, verdict="wrong", digit=3)

        said = show_digit("submission", str(submission.pk))

        assert f"read as {submission.shown_digit}" in said
        assert ", 3" in said.replace("\n", " ")
        assert max(map(len, said.splitlines())) <= 80

    @pytest.mark.parametrize(
        ("told", "said"),
        [
            (("test", "10000"), "counted from 0 to 9,999"),
            (("train", "x"), "belongs after train, not 'x'"),
            (("file", "/nowhere.png"), "No such file"),
            (("submission", "7"), "There is no submission 7"),
            (
                ("submission", "01a20aab-e832-7642-880c-5b3a15f35f22"),
                "There is no submission 01a20aab",
            ),
            (("picture", "x"), "invalid choice: 'picture'"),
        ],
    )
    def test_says_in_one_sentence_what_is_wrong(
        self, told: tuple[str, str], said: str, active_model: ModelVersion
    ) -> None:
        with pytest.raises(CommandError, match=said) as error:
            show_digit(*told)

        assert "\n" not in str(error.value)

    def test_without_a_model_names_the_way_out(self, no_model: None) -> None:
        with pytest.raises(CommandError, match=r"Run manage\.py migrate"):
            show_digit("test", "0")

    def test_of_a_folder_is_no_picture(
        self, active_model: ModelVersion, tmp_path: Path
    ) -> None:
        with pytest.raises(CommandError, match="Is a directory"):
            show_digit("file", str(tmp_path))
