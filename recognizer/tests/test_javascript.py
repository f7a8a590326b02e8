"""The page's modules that need no browser, by Node's own test runner."""

import shutil
import subprocess
from pathlib import Path

import playwright

HERE = Path(__file__).parent


def node() -> str:
    """Return a Node: the machine's, else the one that Playwright brings along."""
    own = Path(playwright.__file__).parent / "driver" / "node"
    return shutil.which("node") or str(own)


class TestModules:
    def test_pass_their_own_tests(self) -> None:
        tests = sorted(str(path) for path in (HERE / "js").glob("*.test.mjs"))

        done = subprocess.run(
            [node(), "--test", *tests], capture_output=True, text=True, check=False
        )

        assert len(tests) >= 4
        assert done.returncode == 0, done.stdout
