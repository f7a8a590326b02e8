from bisect import bisect_right
from collections import Counter

from django.db import migrations

SURE_FROM = (0.0, 0.5, 0.7, 0.9, 0.95, 0.99)


def tally(apps, schema_editor):
    """Count once, by model, the labels that were given before this was kept."""
    shown = apps.get_model("recognizer", "Prediction").objects.filter(
        role="shown", submission__label_digit__isnull=False
    )
    counts = Counter()
    for digest, digit, probabilities, confidence in shown.values_list(
        "model_version__digest",
        "submission__label_digit",
        "probabilities",
        "confidence",
    ).iterator():
        read = max(range(10), key=probabilities.__getitem__)
        band = bisect_right(SURE_FROM, confidence) - 1
        counts[f"model:{digest[:12]}:{digit}:{read}"] += 1
        counts[f"model:{digest[:12]}:sure:{band}:{int(read == digit)}"] += 1
    model = apps.get_model("recognizer", "Tally")
    model.objects.bulk_create(
        [model(name=name, count=count) for name, count in counts.items()],
        batch_size=500,
    )


def forget(apps, schema_editor):
    """Drop these numbers; the rows they were counted from stay."""
    model = apps.get_model("recognizer", "Tally")
    model.objects.filter(name__gte="model:", name__lt="model:~").delete()


class Migration(migrations.Migration):
    dependencies = [("recognizer", "0005_order_and_tally_what_is_there")]

    operations = [migrations.RunPython(tally, forget)]
