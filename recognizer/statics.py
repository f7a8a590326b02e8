"""Static files over the wire: a third of their bytes."""

import gzip
import hashlib
import tempfile
import threading
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile

_TEXTS = (".css", ".js", ".mjs", ".svg", ".json", ".webmanifest")
_WORTH_BYTES = range(512, 512 * 1024)


class CompressingWhiteNoise(WhiteNoiseMiddleware):
    """WhiteNoise that gzips text files by itself, once for each content.

    WhiteNoise serves compressed files that lie beside the plain ones, which takes a
    collect step; here they lie in the data folder, made once. To look at all of them
    takes 25 ms: the first request for one of them does it, not the start.
    """

    _are_known = True
    _looking = threading.Lock()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer with a static file, or pass the request on."""
        if request.path_info.startswith(self.static_prefix):
            with self._looking:
                if not self._are_known:
                    super().add_files_from_finders()
                    self._are_known = True
        answer: HttpResponseBase = super().__call__(request)
        return answer

    def add_files_from_finders(self) -> None:
        """Put it off."""
        self._are_known = False

    def get_static_file(
        self, path: str, url: str, stat_cache: Any = None
    ) -> StaticFile:
        """Serve a file, compressed to whoever takes that."""
        plain = super().get_static_file(path, url, stat_cache)
        size = Path(path).stat().st_size
        if not path.endswith(_TEXTS) or size not in _WORTH_BYTES:
            return plain
        # what the plain file's headers say of its bytes is said anew of either form
        headers = [
            (name, value)
            for name, value in plain.alternatives[-1][2]
            if name not in ("Content-Length", "Last-Modified", "ETag")
        ]
        gzipped = str(compressed(Path(path)))
        return StaticFile(path, headers, encodings={"gzip": gzipped})


def compressed(path: Path) -> Path:
    """Return the file's gzipped content, made where it is not there yet."""
    content = path.read_bytes()
    folder = settings.DIGITSITE_VAR / "static"
    kept: Path = folder / f"{hashlib.sha256(content).hexdigest()[:32]}.gz"
    if not kept.exists():
        folder.mkdir(exist_ok=True)
        # Renamed into place: another process may look at the same moment.
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as scratch:
            scratch.write(gzip.compress(content, 9, mtime=0))
        Path(scratch.name).replace(kept)
    return kept
