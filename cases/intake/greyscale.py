"""The DICOM grayscale chain as one table over all stored values (PS3.3 C.11.1, C.11.2; PS3.4 N.2).

Modality LUT or rescale, then VOI LUT or window, then polarity. Stored values have at most 16 bits, so the table
is exact and small, while a 40-megapixel image needs no floating-point copy of itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import apply_windowing

from cases.intake.dicom_header import DicomHeader
from cases.intake.errors import IntakeError, Reason

_MAX_LUT_ENTRIES = 1 << 16


@dataclass(frozen=True)
class Window:
    """A VOI window in modality values: everything below is black, everything above white (PS3.3 C.11.2.1.2).

    Attributes:
        centre: WindowCenter.
        width: WindowWidth.
        function: VOILUTFunction: "LINEAR", "LINEAR_EXACT" or "SIGMOID".
        name: What the header calls it, often "".
    """

    centre: float
    width: float
    function: str = "LINEAR"
    name: str = ""


def window_between(low: float, high: float) -> Window:
    """The LINEAR window that shows ``low`` just black and ``high`` just white."""
    return Window(centre=(low + high + 1) / 2, width=high - low + 1)


@dataclass(frozen=True)
class StoredValues:
    """The numbers that pixels of so many bits can hold."""

    bits: int
    signed: bool

    @property
    def lowest(self) -> int:
        return -(1 << (self.bits - 1)) if self.signed else 0

    def all(self) -> np.ndarray:
        """float64 (2**bits,): every value, in the order of the table."""
        return np.arange(self.lowest, self.lowest + (1 << self.bits), dtype=np.float64)

    def indices(self, values: np.ndarray) -> np.ndarray:
        """Positions of stored ``values`` in the table, uint16 of the same shape.

        Raises:
            IntakeError: ``image_damaged`` if a value needs more bits than announced.
        """
        shifted = values if self.lowest == 0 else values.astype(np.int32) - self.lowest
        if int(shifted.min()) < 0 or int(shifted.max()) >= 1 << self.bits:
            raise IntakeError(Reason.DAMAGED)
        return shifted.astype(np.uint16, copy=False)


def display_table(header: DicomHeader, stored: StoredValues, indices: np.ndarray, *, inverted: bool) -> np.ndarray:
    """uint8 (2**bits,) table from stored value to display grey.

    Without a VOI LUT or window the smallest pixel becomes black and the largest white; padding pixels count
    for neither and are black.

    Args:
        header: Of the image.
        stored: The range of its stored values.
        indices: Table positions of its pixels.
        inverted: Whether the smallest value is to be shown white (MONOCHROME1).

    Raises:
        IntakeError: ``dicom_header_damaged`` if a LUT or window cannot be applied.
    """
    padding = padding_range(header, stored)
    values = modality_values(header, stored.all())
    shares = _voi_shares(header, values)
    if shares is None:
        low, high = present_span(values, indices, padding)
        shares = np.clip((values - low) / (high - low), 0, 1) if high > low else np.zeros_like(values)
    if inverted:
        shares = 1 - shares
    shares[padding] = 0
    return np.rint(shares * 255).astype(np.uint8)


def present_span(values: np.ndarray, indices: np.ndarray, padding: slice) -> tuple[float, float]:
    """Smallest and largest of the table's values that the image holds; padding counts only if there is nothing else."""
    present = np.bincount(indices.ravel(), minlength=values.size) > 0
    image = present.copy()
    image[padding] = False
    held = values[image if image.any() else present]
    return float(held.min()), float(held.max())


def padding_range(header: DicomHeader, stored: StoredValues) -> slice:
    """The part of the table that means "no image here" (PS3.3 C.7.5.1.1.2); often empty."""
    value, limit = header.numbers("PixelPaddingValue")[:1], header.numbers("PixelPaddingRangeLimit")[:1]
    if not value:
        return slice(0, 0)
    bounds = value + limit
    first, last = int(min(bounds)) - stored.lowest, int(max(bounds)) - stored.lowest
    return slice(max(first, 0), max(last + 1, 0))


def modality_values(header: DicomHeader, values: np.ndarray) -> np.ndarray:
    """Stored values after the modality LUT or the rescale of the header."""
    sequence = header.items("ModalityLUTSequence")
    if sequence:
        return _through_lut(values, sequence[0], "ModalityLUTSequence")[0]
    slope, intercept = header.numbers("RescaleSlope"), header.numbers("RescaleIntercept")
    return values * slope[0] + intercept[0] if slope and intercept else values


def _voi_shares(header: DicomHeader, values: np.ndarray) -> np.ndarray | None:
    """Display shares in [0, 1] by the first VOI LUT, else the first window; None without either."""
    sequence = header.items("VOILUTSequence")
    if sequence:
        mapped, full_scale = _through_lut(values, sequence[0], "VOILUTSequence")
        return np.clip(mapped / full_scale, 0, 1)
    windows = header_windows(header)
    if not windows:
        return None
    # A data set of its own, 8 bits and without rescale: pydicom scales its result to the range it reads there.
    window = Dataset()
    window.PhotometricInterpretation, window.BitsStored, window.PixelRepresentation = "MONOCHROME2", 8, 0
    window.WindowCenter, window.WindowWidth = windows[0].centre, windows[0].width
    window.VOILUTFunction = windows[0].function
    try:
        with np.errstate(over="ignore"):  # a sigmoid far from its centre is 0
            return np.clip(apply_windowing(values, window) / 255, 0, 1)
    except ValueError as error:
        raise IntakeError(Reason.DICOM_HEADER, seen="WindowWidth or VOILUTFunction") from error


def header_windows(header: DicomHeader) -> list[Window]:
    """The windows that the header proposes, the first of which the preview uses unless there is a VOI LUT."""
    function = header.text("VOILUTFunction") or "LINEAR"
    names = header.texts("WindowCenterWidthExplanation")
    bounds = zip(header.numbers("WindowCenter"), header.numbers("WindowWidth"), strict=False)
    return [
        Window(centre, width, function, names[number] if number < len(names) else "")
        for number, (centre, width) in enumerate(bounds)
    ]


def _through_lut(values: np.ndarray, item: Dataset, name: str) -> tuple[np.ndarray, int]:
    """Values looked up in a LUT item, and the LUT's full scale.

    pydicom's own ``apply_voi`` indexes in the LUT's output type, which wraps for 8-bit LUTs of more than 256 entries.
    """
    lut = DicomHeader(item)
    descriptor = lut.numbers("LUTDescriptor")
    if len(descriptor) != 3 or not 8 <= descriptor[2] <= 16 or not 0 <= descriptor[0] < _MAX_LUT_ENTRIES:
        raise IntakeError(Reason.DICOM_HEADER, seen=name)
    entries, first, bits = int(descriptor[0]) or _MAX_LUT_ENTRIES, int(descriptor[1]), int(descriptor[2])
    table = _lut_data(lut, little_endian=item.is_little_endian is not False)
    if table.size < entries:
        raise IntakeError(Reason.DICOM_HEADER, seen=name)
    positions = np.clip(np.rint(values) - first, 0, entries - 1).astype(np.int64)
    return table[positions].astype(np.float64), (1 << bits) - 1


def _lut_data(lut: DicomHeader, *, little_endian: bool) -> np.ndarray:
    """LUTData as numbers, whether it came as US (decoded) or OW (16-bit words)."""
    data = lut.dataset.get("LUTData")
    if isinstance(data, bytes):
        return np.frombuffer(data[: len(data) // 2 * 2], dtype="<u2" if little_endian else ">u2")
    return np.asarray(lut.numbers("LUTData"), dtype=np.float64)
