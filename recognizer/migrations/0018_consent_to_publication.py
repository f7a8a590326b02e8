from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('recognizer', '0017_imports'),
    ]

    operations = [
        migrations.AddField(
            model_name='visitor',
            name='may_publish',
            field=models.BooleanField(db_default=False, default=False, verbose_name='drawings may be published'),
        ),
        migrations.AlterField(
            model_name='auditentry',
            name='action',
            field=models.CharField(choices=[('label', 'labelled'), ('undo', 'withdrew a label'), ('snapshot', 'created a snapshot'), ('train', 'started a training'), ('cancel', 'cancelled a training'), ('promote', 'promoted a model'), ('override', 'promoted a model without a passed gate'), ('erase', 'deleted'), ('roll_back', 'rolled back to an earlier model'), ('factor', 'removed a lost second factor'), ('freeze', 'froze a benchmark')], max_length=9, verbose_name='action'),
        ),
    ]
