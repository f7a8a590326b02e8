from django.db import migrations

COLUMNS = (("Submission", "strokes"), ("Prediction", "probabilities"))


def pack(apps, schema_editor):
    """Write each list into the packed column beside it."""
    for model, column in COLUMNS:
        copy(apps.get_model("recognizer", model), column, "packed")


def unpack(apps, schema_editor):
    """Write each list back as JSON."""
    for model, column in COLUMNS:
        copy(apps.get_model("recognizer", model), "packed", column)


def copy(model, column, to):
    there = model.objects.filter(**{f"{column}__isnull": False})
    for pk, value in there.values_list("pk", column).iterator(chunk_size=500):
        model.objects.filter(pk=pk).update(**{to: value})


class Migration(migrations.Migration):
    dependencies = [("recognizer", "0007_packed_columns")]

    operations = [migrations.RunPython(pack, unpack)]
