"""How static files are stored once they are collected."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Puts hashes into the names by which JavaScript modules import each other too.

    So each file's name stands for its content and for all that it imports: a browser
    that keeps files for good never mixes those of two builds.
    """

    support_js_module_import_aggregation = True
