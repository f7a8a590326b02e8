from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('recognizer', '0009_packed_alone'),
    ]

    operations = [
        migrations.CreateModel(
            name='Erasure',
            fields=[
                ('submission_id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('erased_at', models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.AddField(
            model_name='trainingrun',
            name='request_id',
            field=models.CharField(blank=True, db_default='', default='', max_length=64),
        ),
    ]
