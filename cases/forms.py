"""Shape of what people type; the rules themselves stand in the services."""

from __future__ import annotations

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from django.utils.functional import cached_property

from cases import labels
from cases.findings import ZONES, Device, Effusion, Pattern, Zone, ZoneScore
from cases.lab_import import check_size
from cases.models import Case, DisagreementReason, LabResult, Patient, Priority, Review, Sex
from cases.models.findings import PATTERN_FIELDS, SCORE_FIELDS, STRUCTURED_FIELDS
from cases.services import CaseDetails, PatientDetails

NOT_SAID = "–"
"""The answer that gives none, where another one can be taken back."""


class DayInput(forms.DateInput):
    """The browser's own date picker."""

    input_type = "date"

    def __init__(self, attrs=None):
        super().__init__(attrs, format="%Y-%m-%d")


class ReviewForm(forms.Form):
    """A reader's read. Everything may be blank in a draft; what a signature needs is checked when signing."""

    version = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)
    images_shown = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)
    first_impression = forms.ChoiceField(required=False)  # a button each, see _first_impression.html
    final_label = forms.ChoiceField(required=False, widget=forms.RadioSelect)
    findings = forms.CharField(
        required=False,
        max_length=10_000,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 6, "class": "form-control", "placeholder": "What do you see?"}),
    )
    agrees_with_ai = forms.NullBooleanField(
        required=False, widget=forms.RadioSelect(choices=[("", NOT_SAID), ("True", "Agree"), ("False", "Disagree")])
    )

    def __init__(self, *args, case: Case, **kwargs):
        super().__init__(*args, **kwargs)
        choices = [(code, labels.title(code)) for code in labels.read_labels(case)]
        for name in ("first_impression", "final_label"):
            field: forms.ChoiceField = self.fields[name]  # type: ignore[assignment]
            field.choices = choices
        own = forms.fields_for_model(Review, [*STRUCTURED_FIELDS, "disagreement_reason", "disagreement_note"])
        self.fields |= own
        for name in (*SCORE_FIELDS, "effusion"):
            own[name].widget = forms.RadioSelect()
        own["effusion"].choices = [("", NOT_SAID), *Effusion.choices]
        for name in SCORE_FIELDS:
            own[name].choices = [("", NOT_SAID), *((score.value, str(score.value)) for score in ZoneScore)]
        for name in PATTERN_FIELDS:
            own[name].choices = [("", "Pattern?"), *Pattern.choices]
        own["disagreement_reason"].choices = [("", "Why?"), *DisagreementReason.choices]
        for name in (*PATTERN_FIELDS, "disagreement_reason"):
            own[name].widget.attrs["class"] = "form-select form-select-sm"
        own["disagreement_note"].widget.attrs |= {
            "class": "form-control form-control-sm",
            "placeholder": "In your words",
        }

    @classmethod
    def of(cls, case: Case, review: Review | None) -> ReviewForm:
        if review is None:
            return cls(case=case, initial={"version": 0})
        read = forms.model_to_dict(review, Review.READ_FIELDS)
        return cls(case=case, initial=read | {"version": review.draft_version})

    def clean(self):
        """``cleaned_data`` is the read; how many images it was written beside is of the page."""
        self.saw_images: int | None = self.cleaned_data.pop("images_shown", None)

    def clean_findings(self) -> str:
        """Browsers send every line with a carriage return."""
        return self.cleaned_data["findings"].replace("\r\n", "\n")

    @property
    def zones(self) -> list[tuple[Zone, forms.BoundField, forms.BoundField]]:
        return [(zone, self[f"{zone.code}_score"], self[f"{zone.code}_pattern"]) for zone in ZONES]

    @property
    def devices(self) -> list[tuple[str, forms.BoundField]]:
        return [(device.label, self[f"has_{device}"]) for device in Device]

    @property
    def first_problem(self) -> str:
        return next(str(error) for errors in self.errors.values() for error in errors)


class MacroForm(forms.Form):
    abbreviation = forms.RegexField(
        r"^/?[A-Za-z0-9_-]+\Z",
        max_length=20,
        error_messages={"invalid": "Use letters, digits, - and _ only, without a space."},
        widget=forms.TextInput(attrs={"class": "form-control", "autocomplete": "off", "spellcheck": "false"}),
    )
    text = forms.CharField(max_length=2_000, widget=forms.Textarea(attrs={"class": "form-control", "rows": 4}))

    def clean_abbreviation(self) -> str:
        """As it is typed into the findings, but for the slash before it."""
        return self.cleaned_data["abbreviation"].removeprefix("/").lower()

    def clean_text(self) -> str:
        return self.cleaned_data["text"].replace("\r\n", "\n")


class PriorityForm(forms.Form):
    priority = forms.TypedChoiceField(choices=Priority.choices, coerce=int)
    shown = forms.IntegerField(widget=forms.HiddenInput)


class PatientForm(forms.Form):
    """A patient's details as they should be, and why they were wrong."""

    details_version = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    family_name = forms.CharField(max_length=100, required=False)
    given_name = forms.CharField(max_length=100, required=False)
    birth_date = forms.DateField(required=False, widget=DayInput)
    sex = forms.ChoiceField(choices=Sex.choices)
    reason = forms.CharField(max_length=200, widget=forms.TextInput(attrs={"placeholder": "Why they were wrong"}))

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for name in ("family_name", "given_name", "reason"):
            self.fields[name].widget.attrs["autocomplete"] = "off"

    @classmethod
    def of(cls, patient: Patient) -> PatientForm:
        return cls(initial={name: getattr(patient, name) for name in cls.base_fields if name != "reason"})

    def refuse(self, cause: str, patient: Patient) -> None:
        """Says why it was not saved. What was typed stays, now over the details that the page shows beside it."""
        self.data = dict(self.data.items(), details_version=patient.details_version)
        self.add_error(None, cause)


class LabResultForm(forms.ModelForm):
    class Meta:
        model = LabResult
        fields = ["kind", "result", "collected_on", "note"]
        widgets = {"collected_on": DayInput}

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["collected_on"].initial = timezone.localdate

    def validate_constraints(self):
        """The service answers a test entered twice with the first entry."""


class LabFileForm(forms.Form):
    """A lab's file, or the text of one that was checked before."""

    CHECK, IMPORT, REFUSED = "", "import", "refused"

    file = forms.FileField(label="File", required=False, widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}))
    content = forms.CharField(required=False, strip=False, widget=forms.HiddenInput)
    step = forms.ChoiceField(
        choices=[(CHECK, "Check"), (IMPORT, "Import"), (REFUSED, "Refused rows")],
        required=False,
        widget=forms.HiddenInput,
    )

    def clean(self):
        if not self.cleaned_data.get("file") and not self.cleaned_data.get("content") and not self.errors:
            self.add_error("file", "Choose a file.")

    @cached_property  # a file is read once
    def sent(self) -> bytes:
        """Raises FileTooLarge before more is read than may be."""
        if file := self.cleaned_data["file"]:
            check_size(file.size)
            return file.read()
        return self.cleaned_data["content"].encode()


class ManyFilesInput(forms.FileInput):
    allow_multiple_selected = True


class ManyFilesField(forms.FileField):
    widget = ManyFilesInput

    def clean(self, data, initial=None) -> list[UploadedFile]:
        """The files as they came: an empty one is refused with its own sentence by intake, like any other."""
        if not data:
            raise forms.ValidationError(self.error_messages["required"], code="required")
        return list(data)


class UploadForm(forms.Form):
    """A patient, a case and its images; with ``case``, more images of that one."""

    case = forms.ModelChoiceField(Case.objects.none(), required=False, to_field_name="uid", widget=forms.HiddenInput)
    medical_record_number = forms.CharField(max_length=64, required=False, label="Record number")
    family_name = forms.CharField(max_length=100, required=False)
    given_name = forms.CharField(max_length=100, required=False)
    birth_date = forms.DateField(required=False, widget=DayInput)
    sex = forms.ChoiceField(choices=Sex.choices, required=False, initial=Sex.UNKNOWN)
    accession_number = forms.CharField(max_length=64, required=False)
    priority = forms.TypedChoiceField(choices=Priority.choices, coerce=int, required=False, initial=Priority.ROUTINE)
    symptom_onset = forms.DateField(required=False, widget=DayInput, label="First symptoms on")
    indication = forms.CharField(
        max_length=500, required=False, widget=forms.Textarea(attrs={"rows": 2, "placeholder": "The clinical question"})
    )
    files = ManyFilesField(  # type: ignore[assignment] # the metaclass takes it off the class; form.files stays
        label="Images",
        error_messages={"required": "Choose at least one image."},
        widget=ManyFilesInput(attrs={"accept": ".jpg,.jpeg,.png,.dcm,image/jpeg,image/png,application/dicom"}),
    )

    def __init__(self, *args, user, **kwargs):
        super().__init__(*args, **kwargs)
        chosen: forms.ModelChoiceField = self.fields["case"]  # type: ignore[assignment]
        chosen.queryset = Case.objects.visible_to(user).select_related("patient")
        for name in ("medical_record_number", "family_name", "given_name", "accession_number"):
            self.fields[name].widget.attrs["autocomplete"] = "off"

    def clean_medical_record_number(self) -> str:
        number, case = self.cleaned_data["medical_record_number"], self.cleaned_data.get("case")
        if not number and not case:
            raise forms.ValidationError("The record number is needed: it says whose image this is.", code="required")
        if number and case and number != case.patient.medical_record_number:
            raise forms.ValidationError(
                "The case belongs to a patient with another record number: upload for this one separately.",
                code="patient_mismatch",
            )
        return number

    @property
    def patient(self) -> Patient | PatientDetails:
        if case := self.cleaned_data["case"]:
            return case.patient
        said = self.cleaned_data
        return PatientDetails(
            medical_record_number=said["medical_record_number"],
            family_name=said["family_name"],
            given_name=said["given_name"],
            birth_date=said["birth_date"],
            sex=said["sex"],
        )

    @property
    def target(self) -> Case | CaseDetails:
        said = self.cleaned_data
        return said["case"] or CaseDetails(
            accession_number=said["accession_number"],
            indication=said["indication"],
            priority=said["priority"] or Priority.ROUTINE,
            symptom_onset=said["symptom_onset"],
        )
