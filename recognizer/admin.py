"""The admin's pages: importing these modules registers them."""

from recognizer.desk import learning, people, submissions

__all__ = ["learning", "people", "submissions"]
