"""JPEG, PNG, and files that are neither."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from functools import cache

import numpy as np
from PIL import ExifTags, Image, PngImagePlugin

from cases.intake.errors import Reason
from cases.intake.limits import MAX_BYTES
from cases.tests.catalogue.kinds import Kind, accepted, refused
from cases.tests.files import gradient, image_file, jpeg, png, png_header, png_of, png_rows

SECRET = "Somebody's name"  # what no preview may hold
END = (b"IEND", b"")
_UNDO = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's numbers of the inverse transpositions, by orientation


def zip_archive(name: str = "../../evil.txt", *, link: bool = False) -> bytes:
    """An archive of one entry that leads out of its folder, by its name or as a symbolic link."""
    entry = zipfile.ZipInfo(name)
    if link:
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(entry, "/etc/passwd")
    return buffer.getvalue()


def animated_png() -> bytes:
    frames = [Image.fromarray(gradient()), Image.fromarray(255 - gradient())]
    return png(frames[0], save_all=True, append_images=frames[1:])


def with_damaged_crc() -> bytes:
    data = bytearray(png())
    data[data.index(b"IDAT") - 4 + 8 + 20] ^= 0xFF
    return bytes(data)


def headless_jpeg(rows: int, columns: int) -> bytes:
    """A whole JPEG whose frame header claims another size."""
    data = bytearray(jpeg())
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = rows.to_bytes(2) + columns.to_bytes(2)
    return bytes(data)


@cache
def zeros(number: int) -> bytes:
    """So many zero bytes, compressed."""
    deflater = zlib.compressobj(9)
    block = bytes(1 << 20)
    blocks, rest = divmod(number, len(block))
    return b"".join([*(deflater.compress(block) for _ in range(blocks)), deflater.compress(bytes(rest))]) + (
        deflater.flush()
    )


def turned(orientation: int) -> bytes:
    """The gradient, stored so that its EXIF orientation turns it upright."""
    upright = Image.fromarray(gradient())
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return png(upright if orientation == 1 else upright.transpose(_UNDO[orientation]), exif=exif)


def with_place_and_name() -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = SECRET
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    return jpeg(exif=exif, comment=SECRET.encode())


def with_text_bomb() -> bytes:
    return png_of(png_header(64, 96), (b"zTXt", b"bomb\0\0" + zeros(200_000_000)), (b"IDAT", png_rows(gradient())), END)


def with_note() -> bytes:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", SECRET)
    return png(pnginfo=notes)


def half_clear() -> bytes:
    pixels = np.full((64, 64, 4), 200, np.uint8)
    pixels[:32, :, 3] = 0
    return png(pixels)


_UNSUPPORTED = {
    "one byte": lambda: b"\xff",
    "text": lambda: b"not an image at all",
    "html": lambda: b"<!DOCTYPE html><script>alert(1)</script>",
    "svg": lambda: b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "gif": lambda: image_file("GIF"),
    "webp": lambda: image_file("WEBP"),
    "tiff": lambda: image_file("TIFF"),
    "bmp": lambda: image_file("BMP"),
    "jpeg 2000": lambda: image_file("JPEG2000"),
    "pdf": lambda: image_file("PDF"),
    "eps": lambda: image_file("EPS"),
    "zip with traversal": zip_archive,
    "zip with a symbolic link": lambda: zip_archive("chest.png", link=True),
    "gzip": lambda: b"\x1f\x8b\x08" + bytes(64),
    "program": lambda: b"\x7fELF" + bytes(64),
    "zeros": lambda: bytes(4096),
    "jpeg with a broken segment": lambda: jpeg()[:2] + b"\x00\x01" + jpeg()[2:],
}
_TRUNCATED = {
    "jpeg signature alone": lambda: b"\xff\xd8\xff",
    "truncated jpeg": lambda: jpeg()[:-40],
    "jpeg without its end marker": lambda: jpeg()[:-2],
    "png signature alone": lambda: b"\x89PNG\r\n\x1a\n",
    "truncated png": lambda: png()[:-60],
    "png with missing rows": lambda: png_of(png_header(64, 96), (b"IDAT", png_rows(gradient()[:50])), END),
}
_DAMAGED = {
    "jpeg without its quantisation tables": lambda: jpeg().replace(b"\xff\xdb", b"\xff\xe9"),
    "png with a bad checksum": with_damaged_crc,
    "png with surplus rows": lambda: png_of(
        png_header(64, 96), (b"IDAT", png_rows(np.vstack([gradient(), gradient()]))), END
    ),
    "png that inflates without end": lambda: png_of(png_header(64, 96), (b"IDAT", zeros(200_000_000)), END),
    "png with an impossible colour type": lambda: png_of(png_header(64, 96, colour_type=5), END),
}
_TRAILING = {
    "jpeg and zip": lambda: jpeg() + zip_archive(),
    "jpeg and html": lambda: jpeg() + b"<html></html>",
    "two jpegs": lambda: jpeg() + jpeg(),
    "png and zip": lambda: png() + zip_archive(),
}
_TOO_MANY_PIXELS = {
    "jpeg header of 65535 x 65535": lambda: headless_jpeg(65535, 65535),
    "png of 144 megapixels": lambda: png_of(png_header(12_000, 12_000, bit_depth=1), (b"IDAT", zeros(18_012_000)), END),
}
_TOO_SMALL = {
    "jpeg of no height": lambda: headless_jpeg(0, 64),
    "a strip of 1 x 20000": lambda: png(np.zeros((20_000, 1), np.uint8)),
    "below the smallest size": lambda: png(gradient(31, 64)),
}
_ACCEPTED = {
    "plain jpeg": accepted(jpeg, name="chest.jpg", content_type="image/jpeg"),
    "plain png": accepted(png),
    "png named jpg": accepted(lambda: png(gradient(96, 65)), name="chest.jpg", content_type="image/jpeg"),
    "wrong content type": accepted(lambda: png(gradient(96, 66)), content_type="text/html; charset=hex"),
    "progressive jpeg": accepted(lambda: jpeg(progressive=True)),
    "jpeg with zero padding": accepted(lambda: jpeg() + bytes(512), twin="plain jpeg"),
    "palette png": accepted(lambda: png(Image.fromarray(gradient()).convert("P")), twin="plain png"),
    "grey stored as colour": accepted(lambda: png(np.repeat(gradient()[..., None], 3, axis=2)), twin="plain png"),
    "png with transparency": accepted(half_clear),
    "16-bit png": accepted(lambda: png(gradient().astype(np.uint16) * 257), twin="plain png"),
    "constant image": accepted(lambda: png(np.full((64, 64), 7, np.uint8))),
    "place and name in exif": accepted(with_place_and_name, twin="plain jpeg"),
    "damaged exif": accepted(lambda: jpeg(exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff" + bytes(40)), twin="plain jpeg"),
    "broken colour profile": accepted(lambda: png(icc_profile=b"not a profile"), twin="plain png"),
    "text chunk that inflates without end": accepted(with_text_bomb, twin="plain png"),
    "text chunk with a name": accepted(with_note, twin="plain png"),
    **{
        f"exif orientation {number}": accepted(lambda number=number: turned(number), twin="plain png")
        for number in range(1, 9)
    },
}


IMAGES: dict[str, Kind] = {
    "empty": refused(lambda: b"", Reason.EMPTY_FILE),
    "over the size cap": refused(lambda: b"\xff\xd8\xff" + bytes(MAX_BYTES), Reason.TOO_LARGE),
    **{name: refused(make, Reason.UNSUPPORTED_TYPE, name="chest.jpg") for name, make in _UNSUPPORTED.items()},
    **{name: refused(make, Reason.TRUNCATED) for name, make in _TRUNCATED.items()},
    **{name: refused(make, Reason.DAMAGED) for name, make in _DAMAGED.items()},
    **{name: refused(make, Reason.TRAILING_DATA) for name, make in _TRAILING.items()},
    **{name: refused(make, Reason.TOO_MANY_PIXELS) for name, make in _TOO_MANY_PIXELS.items()},
    **{name: refused(make, Reason.TOO_SMALL) for name, make in _TOO_SMALL.items()},
    "animated png": refused(animated_png, Reason.ANIMATED),
    "cmyk jpeg": refused(lambda: jpeg(Image.new("CMYK", (64, 64))), Reason.CMYK),
    "black and white png": refused(lambda: png(Image.new("1", (64, 64))), Reason.ONE_BIT),
    **_ACCEPTED,
}
