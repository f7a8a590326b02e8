"""The groups of staff and what their members may do."""

from django.contrib.auth.models import Group, Permission

ROLES = {
    "Reviewers": ("add_label", "view_submission"),
    "Administrators": (
        "add_label",
        "view_submission",
        "view_snapshot",
        "add_snapshot",
        "view_trainingrun",
        "add_trainingrun",
        "change_trainingrun",
        "view_modelversion",
        "change_modelversion",
        "view_gatereport",
        "view_auditentry",
        "view_webhook",
        "add_webhook",
        "change_webhook",
        "delete_webhook",
    ),
}
"""The permissions of each group."""


def prepare_roles() -> None:
    """Make the groups that are missing; existing ones keep their permissions."""
    for name, codenames in ROLES.items():
        group, is_new = Group.objects.get_or_create(name=name)
        if is_new:
            group.permissions.set(
                Permission.objects.filter(
                    content_type__app_label="recognizer", codename__in=codenames
                )
            )
