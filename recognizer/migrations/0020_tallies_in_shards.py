from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('recognizer', '0019_drawings_in_benchmarks'),
    ]

    operations = [
        migrations.AlterField(
            model_name='tally',
            name='name',
            field=models.CharField(max_length=36, primary_key=True, serialize=False),
        ),
    ]
