import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from mlcore import paths
from mlcore.judging import evaluate, judge
from mlcore.judging.changes import CHANGES
from mlcore.judging.scenes import EMPTY, SCENES
from mlcore.reading.inference import Recogniser
from mlcore.training.data import Mnist


@pytest.mark.long
class TestCommand:
    @pytest.fixture
    def var(self, tmp_path: Path) -> Path:
        return tmp_path / "var"

    @pytest.fixture(autouse=True)
    def few_digits(
        self, mnist: Mnist, var: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        few = mnist.test.take(np.arange(30))
        monkeypatch.setattr(
            evaluate, "load_mnist", lambda: Mnist(mnist.train, mnist.validation, few)
        )
        monkeypatch.setattr(judge, "IN_SCENES", 2)
        monkeypatch.delenv("PEN_DIR", raising=False)
        monkeypatch.delenv("PICTURES_DIR", raising=False)
        monkeypatch.setenv("DIGITSITE_VAR", str(var))
        monkeypatch.setattr(sys, "argv", ["evaluate"])

    def test_prints_one_line_per_set(
        self, starter: Recogniser, capsys: pytest.CaptureFixture[str]
    ) -> None:
        evaluate.main()

        said = capsys.readouterr().out
        rows = dict(re.findall(r"^\| (.+?) \| ([^|]+?) \|", said, re.M))
        assert said.startswith(f"Bundle {starter.bundle.short_digest}\n")
        assert rows["MNIST test, as pixels"] == "30"
        assert rows["MNIST test, as 280x280 PNG"] == "30"
        assert {*CHANGES, *SCENES, *EMPTY} <= set(rows)
        assert rows["2 digits in a row"] == "2"
        assert "PEN_DIR names no folder of pen drawings" in said
        assert "PICTURES_DIR names no folder of real pictures" in said

    def test_writes_a_report_with_its_pictures(
        self, var: Path, starter: Recogniser
    ) -> None:
        evaluate.main()

        folder = var / "reports" / starter.bundle.short_digest
        report = (folder / "report.md").read_text()
        pictures = re.findall(r"!\[.+\]\((.+\.png)\)", report)
        assert sorted(pictures) == sorted(path.name for path in folder.glob("*.png"))
        assert {"confusion.png", "mistakes.png", "scenes.png"} <= set(pictures)
        found = json.loads((folder / "evaluation.json").read_text())
        assert found["bundle"] == starter.bundle.digest
        assert found["digits"]["MNIST test, as pixels"]["digits"] == 30

    def test_judges_the_bundle_it_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "argv", ["evaluate", "--bundle", str(tmp_path)])

        with pytest.raises(ValueError, match="is not a bundle"):
            evaluate.main()

    def test_judges_the_bundle_that_the_environment_names(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BUNDLE", str(tmp_path))

        assert paths.bundle_folder() == tmp_path
        with pytest.raises(ValueError, match="is not a bundle"):
            evaluate.main()
