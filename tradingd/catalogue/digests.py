"""Digests of files as they are, and of columns whatever the file that holds them."""

import hashlib
from pathlib import Path

import numpy as np
import polars as pl


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_sha256(frame: pl.DataFrame) -> str:
    """Of each column in order: its name, type, a bit per row for those that are there, and the values, little-endian.

    An absent value counts as 0, the highest bit of the first byte is the first row's.
    """
    digest = hashlib.sha256()
    for column in frame.iter_columns():
        digest.update(f"{column.name} {column.dtype} {len(column)}\n".encode())
        digest.update(np.packbits(column.is_not_null().to_numpy()).tobytes())
        values = column.fill_null(0).to_numpy()
        digest.update(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).data)
    return digest.hexdigest()
