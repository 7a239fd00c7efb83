"""What the serializers of all parts share."""

from __future__ import annotations

from collections.abc import Mapping

from rest_framework import serializers


class StrictSerializer(serializers.Serializer):
    """Shape of a request: a field that nobody reads is a mistake of the sender, so it is refused."""

    def to_internal_value(self, data):
        if isinstance(data, Mapping):
            writable = {name for name, field in self.fields.items() if not field.read_only}
            if unknown := sorted(set(data) - writable):
                raise serializers.ValidationError({name: ["There is no such field."] for name in unknown})
        return super().to_internal_value(data)


def checked(shape: type[StrictSerializer], request) -> dict:
    """The body of ``request`` in this shape; raises ValidationError naming the fields that are not."""
    serializer = shape(data=request.data)
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data


class ProblemSerializer(serializers.Serializer):
    """Problem details (RFC 9457): every answer that is not 2xx or 304 looks like this."""

    type = serializers.CharField(help_text='"about:blank": the code says what kind of problem it is.')
    title = serializers.CharField(help_text="One sentence of cause.")
    status = serializers.IntegerField(help_text="The HTTP status.")
    detail = serializers.CharField(help_text="Cause and remedy, to be shown to a person.")
    code = serializers.CharField(help_text="Stable name of the problem, for programs.")
    remedy = serializers.CharField(help_text="One sentence of what to do.", allow_blank=True)
    errors = serializers.DictField(  # type: ignore[assignment] # a field of the problem, not the serializer's errors
        required=False, help_text="Messages by field, where fields are to blame."
    )


def label_of(field: str) -> serializers.CharField:
    """The word for people beside the stable code of a field with choices."""
    return serializers.CharField(source=f"get_{field}_display", read_only=True)


def address_of(view_name: str, **options) -> serializers.HyperlinkedIdentityField:
    """The object's own address."""
    return serializers.HyperlinkedIdentityField(view_name=view_name, lookup_field="uid", **options)
