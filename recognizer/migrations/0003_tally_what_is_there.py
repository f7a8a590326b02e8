from collections import Counter
from datetime import timedelta

from django.db import migrations
from django.db.models import Count
from django.utils import timezone


def tally(apps, schema_editor):
    """Count once what was stored before anybody kept count; no label is there yet."""
    submissions = apps.get_model("recognizer", "Submission").objects
    counts = Counter()
    by_digit = submissions.values_list("shown_digit").annotate(Count("pk")).order_by()
    for digit, number in by_digit:
        counts["refused" if digit is None else f"digit:{digit}"] = number
    since = timezone.now() - timedelta(days=1)
    recent = submissions.filter(created_at__gte=since).values_list("created_at")
    for (created_at,) in recent.iterator():
        counts[f"minute:{created_at:%Y-%m-%dT%H:%M}"] += 1
    apps.get_model("recognizer", "Tally").objects.bulk_create(
        [
            apps.get_model("recognizer", "Tally")(name=name, count=count)
            for name, count in counts.items()
        ],
        batch_size=500,
    )


def forget(apps, schema_editor):
    """Drop the numbers; the rows they were counted from stay."""
    apps.get_model("recognizer", "Tally").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("recognizer", "0002_labels_tokens_keys_and_tallies")]

    operations = [migrations.RunPython(tally, forget)]
