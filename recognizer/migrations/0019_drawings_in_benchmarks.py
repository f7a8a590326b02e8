import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('recognizer', '0018_consent_to_publication'),
    ]

    operations = [
        migrations.CreateModel(
            name='InBenchmark',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('benchmark', models.CharField(max_length=40)),
                ('drawings', models.PositiveIntegerField()),
                ('visitor', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='recognizer.visitor')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('visitor', 'benchmark'), name='visitor_once_in_a_benchmark')],
            },
        ),
    ]
