"""A client for Digitsite's REST API that needs only the standard library.

from digitsite_client import Digitsite

site = Digitsite("https://digits.example.org", token="dgs_...")
print(site.read("seven.png").digit)
submission = site.submit([[(70, 70), (205, 66), (125, 225)]])
for submission in site.iter_history(feedback="wrong"):
    print(submission.id, submission.prediction.digit)
"""

from digitsite_client.client import (
    ApiError,
    Digitsite,
    Number,
    NumberDigit,
    Reading,
    Submission,
)

__all__ = ["ApiError", "Digitsite", "Number", "NumberDigit", "Reading", "Submission"]
__version__ = "0.1.0"
