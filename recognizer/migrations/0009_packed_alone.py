import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

from recognizer.models.fields import ProbabilitiesField, StrokesField

HAS_STROKES = Q(
    form="strokes",
    strokes__isnull=False,
    width__isnull=False,
    height__isnull=False,
    pen_width__isnull=False,
)
HAS_NONE = Q(
    form__in=["picture", "pixels"],
    strokes__isnull=True,
    width__isnull=True,
    height__isnull=True,
    pen_width__isnull=True,
)


class Migration(migrations.Migration):
    dependencies = [("recognizer", "0008_pack_what_is_there")]

    operations = [
        migrations.RemoveField("submission", "strokes"),
        migrations.RenameField("submission", "packed", "strokes"),
        migrations.RemoveField("prediction", "probabilities"),
        migrations.RenameField("prediction", "packed", "probabilities"),
        migrations.AlterField("prediction", "probabilities", ProbabilitiesField()),
        migrations.AlterField(
            "prediction",
            "model_version",
            models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="predictions",
                to="recognizer.modelversion",
            ),
        ),
        migrations.AddConstraint(
            "submission",
            models.CheckConstraint(
                condition=HAS_STROKES | HAS_NONE,
                name="submission_strokes_or_picture",
            ),
        ),
    ]
