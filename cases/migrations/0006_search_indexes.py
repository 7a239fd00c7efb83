"""What the worklist's search reads, and what PostgreSQL does not guess: a reader signs cases of one facility only.

SQLite, of an evaluation's size, does without: it has neither such indexes nor such statistics.
"""

from django.db import migrations

INDEXES = {
    "patient_family_name_parts": "cases_patient USING gin (UPPER(family_name) gin_trgm_ops)",
    "patient_given_name_parts": "cases_patient USING gin (UPPER(given_name) gin_trgm_ops)",
    "patient_record_number_start": "cases_patient (facility_id, UPPER(medical_record_number) text_pattern_ops)",
    "case_accession_start": "cases_case (facility_id, UPPER(accession_number) text_pattern_ops)",
}
STATISTICS = "case_signed_by_in_facility"


def create(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        for name, columns in INDEXES.items():
            schema_editor.execute(f"CREATE INDEX {name} ON {columns}")
        schema_editor.execute(
            f"CREATE STATISTICS {STATISTICS} (dependencies) ON facility_id, signed_by_id FROM cases_case"
        )


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for name in INDEXES:
            schema_editor.execute(f"DROP INDEX {name}")
        schema_editor.execute(f"DROP STATISTICS {STATISTICS}")


class Migration(migrations.Migration):
    dependencies = [("cases", "0005_signed_by_of_signed_cases")]

    operations = [migrations.RunPython(create, drop)]
