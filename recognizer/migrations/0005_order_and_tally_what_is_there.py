from collections import Counter

from django.db import migrations


def derive(apps, schema_editor):
    """Derive once what older rows lack: places in the queue, numbers, promotion."""
    submissions = apps.get_model("recognizer", "Submission").objects
    predictions = apps.get_model("recognizer", "Prediction").objects
    versions = apps.get_model("recognizer", "ModelVersion").objects
    counts = Counter()
    shown = predictions.filter(role="shown").select_related("submission")
    for reading in shown.iterator(chunk_size=500):
        submission = reading.submission
        pointer = submission.pointer or "unknown"
        counts[f"day:{submission.created_at:%Y-%m-%d}"] += 1
        counts[f"confidence:{min(int(reading.confidence * 20), 19)}"] += 1
        counts[f"pointer:{pointer}"] += 1
        if submission.refusal:
            counts[f"refusal:{submission.refusal}"] += 1
            counts[f"pointer_refused:{pointer}"] += 1
        if submission.label_digit is not None:
            likeliest = max(range(10), key=reading.probabilities.__getitem__)
            counts[f"read:{submission.label_digit}:{likeliest}"] += 1
            counts[f"pointer_named:{pointer}"] += 1
            counts[f"pointer_right:{pointer}"] += likeliest == submission.label_digit
        if submission.label_digit is None and not submission.rejection:
            submissions.filter(pk=submission.pk).update(
                review_priority=priority(submission, reading)
            )
    tally = apps.get_model("recognizer", "Tally")
    tally.objects.bulk_create(
        [tally(name=name, count=count) for name, count in counts.items() if count],
        batch_size=500,
    )
    for version in versions.filter(stage__in=["active", "retired"]):
        versions.filter(pk=version.pk).update(promoted_at=version.created_at)


def priority(submission, reading):
    """As recognizer.drawings.priority had it when this was written."""
    second, first = sorted(reading.probabilities)[-2:]
    margin = first - second
    if submission.verdict in ("wrong", "not_a_digit"):
        return 3.0 + reading.confidence
    if submission.refusal == "blank":
        return 0.0
    if margin < 0.5:
        return 2.0 + 1 - margin
    if reading.digitness < 0.5:
        return 1.0 + 1 - reading.digitness
    return 0.0 + 1 - margin


def forget(apps, schema_editor):
    """Drop the numbers; the columns go with the schema."""
    tallies = apps.get_model("recognizer", "Tally").objects
    for start in ("day:", "confidence:", "pointer", "refusal:", "read:", "ink:"):
        tallies.filter(name__startswith=start).delete()


class Migration(migrations.Migration):
    dependencies = [("recognizer", "0004_review_and_learning")]

    operations = [migrations.RunPython(derive, forget)]
