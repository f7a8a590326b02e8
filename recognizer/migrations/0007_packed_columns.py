from django.db import migrations, models

from recognizer.models.fields import ProbabilitiesField, StrokesField


class Migration(migrations.Migration):
    dependencies = [("recognizer", "0006_tally_by_model")]

    operations = [
        migrations.RemoveConstraint("submission", "submission_strokes_or_picture"),
        migrations.AddField("submission", "packed", StrokesField(null=True)),
        migrations.AddField("prediction", "packed", ProbabilitiesField(null=True)),
        # On the way back the column is empty until 0008 has filled it.
        migrations.AlterField(
            "prediction", "probabilities", models.JSONField(null=True)
        ),
    ]
