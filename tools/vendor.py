"""Fetch the runtime of the reader in the page into static/vendor/. Needs npm.

    python -m tools.vendor            # the release in use, to check it
    python -m tools.vendor 2.6.0      # another release

LiteRT.js is two packages; a browser needs four of their files. The library's import of
its second package has no path that a browser could follow, so that package's only
function is written in its place. Nothing else is changed, and SHA256SUMS has the digest
of each file. `sha256sum --check SHA256SUMS` in the folder compares them.
"""

import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from mlcore.paths import REPOSITORY

RELEASE = "2.5.3"
FOLDER = REPOSITORY / "static" / "vendor" / "litert"
SUMS = "SHA256SUMS"
# "compat" does without relaxed SIMD, which rounds differently on different processors.
# It takes 0.4 ms more for a reading (1.0 against 0.6, Chromium on two cores).
WASM = ("litert_wasm_compat_internal.js", "litert_wasm_compat_internal.wasm")
FILES = ("litert.js", *WASM)

_IMPORT = 'import { createWasmLib } from "@litertjs/wasm-utils";\n'
_SOURCE_MAP = re.compile(r"^//# sourceMappingURL=.*\n?", re.MULTILINE)


def fetch(release: str, into: Path) -> dict[str, bytes]:
    """Return the files of a release by name, downloaded through the folder `into`."""
    packages = {}
    for name in ("core", "wasm-utils"):
        subprocess.run(
            ["npm", "pack", "--silent", f"@litertjs/{name}@{release}"],
            cwd=into,
            check=True,
        )
        archive = into / f"litertjs-{name}-{release}.tgz"
        with tarfile.open(archive) as packed:
            packed.extractall(into / name, filter="data")
        packages[name] = into / name / "package"
    library = _plain((packages["core"] / "dist" / "index.js").read_text())
    helper = _plain((packages["wasm-utils"] / "dist" / "index.js").read_text())
    if library.count(_IMPORT) != 1:
        raise RuntimeError(f"LiteRT.js {release} imports its helper in another way.")
    helper = helper.replace("export {\n  createWasmLib\n};\n", "")
    version = f"// @litertjs/core and @litertjs/wasm-utils {release}, Apache-2.0\n"
    joined = version + library.replace(_IMPORT, helper)
    wasm = {name: (packages["core"] / "wasm" / name).read_bytes() for name in WASM}
    return {"litert.js": joined.encode(), **wasm}


def _plain(script: str) -> str:
    """Remove the link to a source map, which is not served."""
    return _SOURCE_MAP.sub("", script)


def sums(files: dict[str, bytes]) -> str:
    """Return the files' digests as `sha256sum` writes them."""
    digests = {name: hashlib.sha256(content) for name, content in files.items()}
    return "".join(f"{one.hexdigest()}  {name}\n" for name, one in digests.items())


def main() -> None:
    """Write the files of a release, and say whether they changed."""
    release = sys.argv[1] if len(sys.argv) > 1 else RELEASE
    with tempfile.TemporaryDirectory() as scratch:
        files = fetch(release, Path(scratch))
    before = (FOLDER / SUMS).read_text() if (FOLDER / SUMS).exists() else ""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (FOLDER / name).write_bytes(content)
    (FOLDER / SUMS).write_text(sums(files))
    changed = "unchanged" if sums(files) == before else "changed: note it in RELEASE"
    print(f"LiteRT.js {release} in {FOLDER.relative_to(REPOSITORY)}: {changed}")


if __name__ == "__main__":
    main()
