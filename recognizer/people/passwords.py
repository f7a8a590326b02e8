"""Password hashing."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class SmallArgon2PasswordHasher(Argon2PasswordHasher):
    """Argon2id with OWASP's recommended 19 MiB and two passes.

    Django's default of 100 MiB and eight threads for each sign-in would let a few
    callers overload a small machine. This hash takes about as long as reading a photo.
    """

    time_cost = 2
    memory_cost = 19 * 1024  # KiB
    parallelism = 1
