"""What staff note about drawings, for other staff."""

from uuid import UUID

from django.db import transaction

from recognizer.models import Comment, Submission, User

MOST_CHARACTERS = Comment.MOST_CHARACTERS


class CommentError(ValueError):
    """A comment is empty or too long."""


@transaction.atomic
def add_comment(*, submission_id: UUID, author: User, text: str) -> Comment:
    """Add a comment to a drawing.

    Raises:
        Submission.DoesNotExist: the owner has deleted it.
        CommentError: the text is empty or too long.
    """
    words = text.strip()
    if not 0 < len(words) <= MOST_CHARACTERS:
        raise CommentError
    locked = Submission.objects.filter(pk=submission_id).locked().get()
    return Comment.objects.create(submission=locked, author=author, text=words)


def delete_comment(*, comment_id: UUID, author: User) -> None:
    """Delete one's own comment; another's stays."""
    Comment.objects.filter(pk=comment_id, author=author).delete()
