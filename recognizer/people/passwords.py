"""How passwords are kept."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class SmallArgon2PasswordHasher(Argon2PasswordHasher):
    """Argon2id with the memory that OWASP names as enough: 19 MiB, two passes.

    Django's own 100 MiB and eight threads for each sign-in would let a handful of
    callers use up a small machine; this takes about as long as one reading of a photo.
    """

    time_cost = 2
    memory_cost = 19 * 1024  # KiB
    parallelism = 1
