"""Examples for the API's description."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample

_PATIENT = {
    "medical_record_number": "MRN-00042",
    "family_name": "Example",
    "given_name": "Kim",
    "birth_date": "1961-05-17",
    "sex": "F",
}
_CASE = {"accession_number": "ACC-2026-0815", "indication": "Cough, fever for 3 days", "priority": "urgent"}
_ITEMS = [
    {
        "position": 0,
        "file_name": "pa.dcm",
        "outcome": "accepted",
        "outcome_label": "Accepted",
        "case": "0b5c1f8e-6a0e-4b9a-9a53-3d7a4c0c9b11",
        "radiograph": "5f0c8a52-0a6b-43d4-8d9c-f7f2b8a0a3c2",
        "problem": None,
    },
    {
        "position": 1,
        "file_name": "lateral.dcm",
        "outcome": "rejected",
        "outcome_label": "Rejected",
        "case": None,
        "radiograph": None,
        "problem": {
            "type": "about:blank",
            "title": "The file is empty.",
            "status": 400,
            "detail": "The file is empty. Export the image again from its source and send the new file.",
            "code": "file_empty",
            "remedy": "Export the image again from its source and send the new file.",
        },
    },
]

PATIENT = OpenApiExample("A patient", _PATIENT, request_only=True)
LAB_RESULT = OpenApiExample(
    "A positive RT-PCR", {"kind": "rt_pcr", "result": "positive", "collected_on": "2026-03-02"}, request_only=True
)
CASE = OpenApiExample(
    "Of a known patient", {"patient": "3b0b7a0e-4d0f-4f0e-8f0c-1a2b3c4d5e6f", **_CASE}, request_only=True
)
CASE_WITH_PATIENT = OpenApiExample(
    "Patient and case at once", {"patient_details": _PATIENT, **_CASE}, request_only=True
)
ITEMS = OpenApiExample("One accepted, one refused", {"items": _ITEMS}, response_only=True, status_codes=["202"])
BATCH = OpenApiExample(
    "One accepted, one refused",
    {
        "uid": "9d7c1c54-0f3e-4a27-8f1b-63a6f5b1d9e0",
        "url": "https://cxr.example.org/api/v1/batches/9d7c1c54-0f3e-4a27-8f1b-63a6f5b1d9e0/",
        "submitted_at": "2026-03-02T10:15:00Z",
        "items": _ITEMS,
    },
    response_only=True,
    status_codes=["202"],
)
