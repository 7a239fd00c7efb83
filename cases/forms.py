"""Shape of what people type; the rules themselves stand in the services."""

from __future__ import annotations

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone

from cases import labels
from cases.lab_import import check_size
from cases.models import Case, LabResult, Patient, Priority, Review, Sex
from cases.services import CaseDetails, PatientDetails


class DayInput(forms.DateInput):
    """The browser's own date picker."""

    input_type = "date"

    def __init__(self, attrs=None):
        super().__init__(attrs, format="%Y-%m-%d")


class ReviewForm(forms.Form):
    """A reader's read. Everything may be blank in a draft; what a signature needs is checked when signing."""

    first_impression = forms.ChoiceField(required=False)  # a button each, see _first_impression.html
    final_label = forms.ChoiceField(required=False, widget=forms.RadioSelect)
    findings = forms.CharField(
        required=False,
        max_length=10_000,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 6, "class": "form-control", "placeholder": "What do you see?"}),
    )

    def __init__(self, *args, case: Case, **kwargs):
        super().__init__(*args, **kwargs)
        choices = [(code, labels.title(code)) for code in labels.read_labels(case)]
        for name in ("first_impression", "final_label"):
            field: forms.ChoiceField = self.fields[name]  # type: ignore[assignment]
            field.choices = choices

    @classmethod
    def of(cls, case: Case, review: Review | None) -> ReviewForm:
        if review is None:
            return cls(case=case)
        return cls(case=case, initial={name: getattr(review, name) for name in cls.base_fields})


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

    @property
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
        number = self.cleaned_data["medical_record_number"]
        if not number and not self.cleaned_data.get("case"):
            raise forms.ValidationError("The record number is needed: it says whose image this is.", code="required")
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
