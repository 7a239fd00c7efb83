from django.db import migrations, models

from portal.append_only import append_only_triggers

EVENTS = [
    ("signed_in", "signed in"),
    ("signed_out", "signed out"),
    ("sign_in_failed", "failed to sign in"),
    ("accepted_notice", "accepted the research-use notice"),
    ("listed_cases", "listed cases"),
    ("listed_patients", "listed patients"),
    ("listed_runs", "listed runs"),
    ("viewed_case", "viewed a case"),
    ("viewed_patient", "viewed a patient"),
    ("viewed_image", "viewed an image"),
    ("viewed_heatmap", "viewed a heatmap"),
    ("viewed_prediction", "viewed a prediction"),
    ("viewed_report", "viewed a report"),
    ("viewed_lab_results", "viewed lab results"),
    ("viewed_batch", "viewed a batch"),
    ("viewed_dashboard", "viewed the dashboard"),
    ("created_patient", "created a patient"),
    ("changed_patient", "changed a patient"),
    ("corrected_patient", "corrected a patient"),
    ("opened_case", "opened a case"),
    ("changed_priority", "changed a priority"),
    ("submitted_image", "submitted an image"),
    ("added_lab_result", "added a lab result"),
    ("withdrew_lab_result", "withdrew a lab result"),
    ("imported_lab_results", "imported lab results"),
    ("claimed_case", "claimed a case"),
    ("took_over_case", "took over a case"),
    ("released_case", "released a case"),
    ("reviewed_case", "saved a review"),
    ("signed_case", "signed a case"),
    ("retried_run", "retried a run"),
    ("activated_pipeline", "made a pipeline active"),
    ("viewed_audit", "viewed the audit trail"),
    ("created_token", "created a token"),
    ("revoked_token", "revoked a token"),
    ("checked_files", "checked the stored files"),
    ("made_backup", "made a backup"),
    ("restored_backup", "restored a backup"),
    ("viewed_admin", "viewed a clinical record in the admin"),
    ("administered", "changed accounts or facilities"),
    ("changed_password", "changed the own password"),
]

create, drop = append_only_triggers("audit_auditevent")


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0005_administered"),
    ]

    operations = [
        # SQLite makes the table anew for another constraint, and its triggers go with the old one.
        migrations.RunPython(drop, create),
        migrations.RemoveConstraint(
            model_name="auditevent",
            name="audit_event_is_known",
        ),
        migrations.AlterField(
            model_name="auditevent",
            name="event",
            field=models.CharField(
                choices=EVENTS,
                max_length=30,
            ),
        ),
        migrations.AddConstraint(
            model_name="auditevent",
            constraint=models.CheckConstraint(
                condition=models.Q(event__in=[code for code, _ in EVENTS]),
                name="audit_event_is_known",
            ),
        ),
        migrations.RunPython(create, drop),
    ]
