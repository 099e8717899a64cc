"""What was filled into a PDF's form, page by page: fields are no part of a page's text."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from typing import Final

import pypdfium2 as pdfium
from pypdfium2 import raw

MAX_FIELDS: Final = 5_000
"""Of a page."""
MAX_UNITS: Final = 100_000
"""A longer value is left out."""
_PASSWORD: Final = 1 << 13
_HIDDEN: Final = raw.FPDF_ANNOT_FLAG_HIDDEN | raw.FPDF_ANNOT_FLAG_NOVIEW
_TICKED: Final = (raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON)


def fields(page: pdfium.PdfPage) -> Iterator[str]:
    """Each field that has a value, as `name: value`; what is hidden, or a password, is not read."""
    form = page.formenv
    if form is None:
        return
    for index in range(min(raw.FPDFPage_GetAnnotCount(page), MAX_FIELDS)):
        annotation = raw.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        try:
            value = _value(form, annotation)
            if value:
                name = _words(raw.FPDFAnnot_GetFormFieldAlternateName, form, annotation)
                name = name or _words(raw.FPDFAnnot_GetFormFieldName, form, annotation)
                yield f"{name}: {value}" if name else value
        finally:
            raw.FPDFPage_CloseAnnot(annotation)


def _value(form: pdfium.PdfFormEnv, annotation: raw.FPDF_ANNOTATION) -> str:
    widget = raw.FPDFAnnot_GetSubtype(annotation) == raw.FPDF_ANNOT_WIDGET
    if not widget or raw.FPDFAnnot_GetFlags(annotation) & _HIDDEN:
        return ""
    kind = raw.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind == raw.FPDF_FORMFIELD_LISTBOX:
        return ", ".join(_chosen(form, annotation))
    if kind in _TICKED and raw.FPDFAnnot_IsChecked(form, annotation):
        return _words(raw.FPDFAnnot_GetFormFieldExportValue, form, annotation)
    secret = raw.FPDFAnnot_GetFormFieldFlags(form, annotation) & _PASSWORD
    if kind == raw.FPDF_FORMFIELD_COMBOBOX or (kind == raw.FPDF_FORMFIELD_TEXTFIELD and not secret):
        return _words(raw.FPDFAnnot_GetFormFieldValue, form, annotation)
    return ""


def _chosen(form: pdfium.PdfFormEnv, annotation: raw.FPDF_ANNOTATION) -> Iterator[str]:
    for index in range(min(raw.FPDFAnnot_GetOptionCount(form, annotation), MAX_FIELDS)):
        if raw.FPDFAnnot_IsOptionSelected(form, annotation, index):
            yield _words(raw.FPDFAnnot_GetOptionLabel, form, annotation, index)


def _words(read: Callable[..., int], *of: object) -> str:
    """What a function of PDFium's writes, in UTF-16, into a buffer as long as it says."""
    length = read(*of, None, 0)
    if not 2 < length <= 2 * MAX_UNITS:
        return ""
    buffer = ctypes.create_string_buffer(length)
    read(*of, ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR)), length)
    return " ".join(buffer.raw[: length - 2].decode("utf-16-le", "ignore").split())
