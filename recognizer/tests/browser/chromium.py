"""The browser of the browser tests: found, or brought where the machine allows.

python -m recognizer.tests.browser.chromium     # bring it if there is none
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS = (
    "--no-sandbox",  # so that it runs as root, as in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_HELP = (
    "The browser tests need Chromium and could not bring it: install your system's "
    "package chromium, or run .venv/bin/playwright install chromium."
)


def launch(playwright: Playwright) -> Browser:
    """Start a headless Chromium; raises RuntimeError that says what to install."""
    path = _found(playwright)
    if path is None:
        raise RuntimeError(_HELP)
    return playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)


def _found(playwright: Playwright) -> str | None:
    for name in _NAMES:
        if path := shutil.which(name):
            return path
    own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def _bring() -> None:
    """Install Debian's package where we may, else Playwright's own build."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]
        for command in (["apt-get", "update", "-qq"], [*install, "chromium"]):
            if subprocess.run(
                command, stdout=subprocess.DEVNULL, check=False
            ).returncode:
                break
        else:
            return
    subprocess.run(
        [sys.executable, "-m", "playwright", "install", "chromium"], check=False
    )


def main() -> None:
    """Bring a browser if there is none."""
    with sync_playwright() as playwright:
        if _found(playwright) is None:
            sys.stdout.write("Bringing Chromium for the browser tests ...\n")
            _bring()
        if _found(playwright) is None:
            sys.exit(_HELP)


if __name__ == "__main__":
    main()
