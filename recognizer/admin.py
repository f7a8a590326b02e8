"""Where Django looks for the admin's pages: each noun registers its own."""

from recognizer.desk import learning, people, submissions

__all__ = ["learning", "people", "submissions"]
