"""Which passwords are good enough, and how they are hashed."""

from django.contrib.auth.hashers import Argon2PasswordHasher
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _


class SmallArgon2PasswordHasher(Argon2PasswordHasher):
    """Argon2id with OWASP's recommended 19 MiB and two passes.

    Django's default of 100 MiB and eight threads for each sign-in would let a few
    callers overload a small machine. This hash takes about as long as reading a photo.
    """

    time_cost = 2
    memory_cost = 19 * 1024  # KiB
    parallelism = 1


class SiteWordsValidator:
    """Refuses a password that is too short without the words of this site.

    They are what somebody tries first who guesses passwords of this site alone.
    """

    WORDS = (
        *("digitsite", "digits", "digit", "drawing", "password"),
        *("ziffern", "ziffer", "zeichnung", "passwort", "kennwort"),
    )
    SHORTEST = 8

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        """Raise ValidationError if too little is left."""
        rest = password.lower()
        for word in self.WORDS:
            rest = rest.replace(word, "")
        if rest != password.lower() and len(rest) < self.SHORTEST:
            raise ValidationError(self.get_help_text(), code="site_word")

    def get_help_text(self) -> str:
        """Return the rule in words."""
        return _("Your password needs more than a word of this site.")
