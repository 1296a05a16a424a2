"""Uploads that are to be refused: what each is, how it comes, and the code of its refusal."""

from __future__ import annotations

import json
import os
import pickle
from typing import Any

import numpy as np
import safetensors.numpy

from service.contract.values.limits import LIMITS
from tests.support.uploads import (
    CSV,
    NPZ,
    PARQUET,
    SAFETENSORS,
    X,
    Y,
    bomb,
    header_of,
    many_arrays,
    npy_header,
    npz,
    parquet,
    safetensors_file,
    tensor,
    zipped,
)


class Evil:
    """What unpickling would run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch /tmp/deeplimit-was-unpickled",)


def object_npz() -> bytes:
    body = npy_header(header_of("(1,)", "'|O'")) + pickle.dumps(Evil())
    return zipped({"inputs.npy": body, "targets.npy": npy_header(header_of("(1,)")) + bytes(8)})


def with_nan(value: float) -> np.ndarray[Any, Any]:
    array = X.copy()
    array[1, 1] = value
    return array


INPUTS = npy_header(header_of("(1, 1)")) + bytes(8)
TARGETS = npy_header(header_of("(1,)")) + bytes(8)
NUMBER = tensor([1, 1], 0, 8)
GOOD_PARQUET = parquet({"a": np.arange(100.0), "y": np.arange(100.0)})
BAD: list[tuple[str, bytes, str, str]] = [
    ("csv ragged", b"a,b\n1,2\n3\n", CSV, "ragged"),
    ("csv text", b"a,b\n1,2\nx,3\n", CSV, "not_a_number"),
    ("csv underscore", b"a,b\n1_0,2\n", CSV, "not_a_number"),
    ("csv semicolons", b"a;b;y\n1;2;0\n", CSV, "wrong_separator"),
    ("csv decimal commas", b"a;b;y\n1,5;2,5;0\n", CSV, "wrong_separator"),
    ("csv decimal commas without header", b"1,5;2,5;0\n", CSV, "wrong_separator"),
    ("csv tabs", b"a\tb\ty\n1\t2\t0\n", CSV, "wrong_separator"),
    ("csv with a semicolon in a name", b"a;x,b\n1,2\nz,0\n", CSV, "not_a_number"),
    ("csv Arabic digits", "a,b\n١,2\n".encode(), CSV, "not_a_number"),
    ("csv Arabic digits first", "١,٢,٣\n1,2,3\n".encode(), CSV, "not_a_number"),
    ("csv Arabic digits as targets", "a,b\n1,٠\n2,١\n".encode(), CSV, "not_a_number"),
    ("csv no-break space", "a,b\n\u00a01,2\n".encode(), CSV, "not_a_number"),
    ("csv control in name", b"a\x1b[31m,b\n1,2\n", CSV, "control_character"),
    ("csv control in label", b"a,b\n1,x\n2,\x1b[31my\n", CSV, "control_character"),
    ("csv missing", b"a,b\n1,2\n,3\n", CSV, "missing_value"),
    ("csv missing target", b"a,b\n1,x\n2,\n", CSV, "missing_value"),
    ("csv measurements with text among them", b"a,b\n1,2.5\n2,x\n3,2.75\n", CSV, "not_a_number"),
    ("csv nan", b"a,b\n1,2\nnan,3\n", CSV, "missing_value"),
    ("csv infinite", b"a,b\n1,2\n1e400,3\n", CSV, "not_finite"),
    ("csv too large", b"a,b\n1,2\n1e300,3\n", CSV, "too_large"),
    ("csv header alone", b"a,b\n", CSV, "empty"),
    ("csv blank", b"\n\n", CSV, "empty"),
    ("csv newlines", b"\n" * 2**22, CSV, "too_many_samples"),
    ("csv newlines below a row", b"a,b\n1,2,3\n" + b"\n" * 2**22, CSV, "too_many_samples"),
    ("csv one column", b"a\n1\n2\n", CSV, "no_inputs"),
    ("csv in Latin-1", b"a,b\n1,\xe9\n", CSV, "wrong_encoding"),
    ("csv nul", b"a,b\n1,\0\n", CSV, "malformed"),
    ("csv long cell", b"a,b\n1," + b"x" * 2000 + b"\n", CSV, "label_too_long"),
    ("csv long line", b"1," * 2**20 + b"1\n", CSV, "malformed"),
    ("csv wide", b",".join([b"1"] * 5200) + b"\n", CSV, "too_many_features"),
    ("csv quotes", b'a,b\n1,"2\n', CSV, "malformed"),
    ("csv is npz", npz(inputs=X, targets=Y), CSV, "malformed"),
    ("csv many rows", b"1,2\n" * (LIMITS.samples + 1), CSV, "too_many_samples"),
    ("npz pickle", object_npz(), NPZ, "pickle_refused"),
    ("npz bare pickle", pickle.dumps({"inputs": [1]}), NPZ, "malformed"),
    ("npz bomb", bomb(), NPZ, "unpacks_too_large"),
    (
        "npz 745 GB",
        zipped({"inputs.npy": npy_header(header_of("(100000000000,)")), "targets.npy": TARGETS}),
        NPZ,
        "lies_about_size",
    ),
    (
        "npz overflow",
        zipped({"inputs.npy": npy_header(header_of("(4294967296, 4294967296)")), "targets.npy": TARGETS}),
        NPZ,
        "lies_about_size",
    ),
    (
        "npz negative",
        zipped({"inputs.npy": npy_header(header_of("(-1, 1)")), "targets.npy": TARGETS}),
        NPZ,
        "malformed",
    ),
    (
        "npz boolean in shape",
        zipped({"inputs.npy": npy_header(header_of("(True, 1)")) + bytes(8), "targets.npy": TARGETS}),
        NPZ,
        "malformed",
    ),
    (
        "npz object in a field",
        zipped({"inputs.npy": npy_header(header_of("(1,)", "[('a', 'O')]")) + bytes(8), "targets.npy": TARGETS}),
        NPZ,
        "pickle_refused",
    ),
    (
        "npz type that is none",
        zipped({"inputs.npy": npy_header(header_of("(1, 1)", "'<f1'")) + bytes(1), "targets.npy": TARGETS}),
        NPZ,
        "malformed",
    ),
    (
        "npz unknown version",
        zipped({"inputs.npy": npy_header(header_of("(1, 1)"), 4) + bytes(8), "targets.npy": TARGETS}),
        NPZ,
        "malformed",
    ),
    (
        "npz header without end",
        zipped({"inputs.npy": npy_header("{'descr': ("), "targets.npy": TARGETS}),
        NPZ,
        "malformed",
    ),
    (
        "npz empty entry",
        zipped({"inputs.npy": b"", "targets.npy": TARGETS}),
        NPZ,
        "malformed",
    ),
    (
        "npz long header",
        zipped({"inputs.npy": npy_header("{" + " " * 100_000, 2), "targets.npy": TARGETS}),
        NPZ,
        "lies_about_size",
    ),
    (
        "npz header claims 4 GB",
        zipped({"inputs.npy": b"\x93NUMPY\x02\x00\xff\xff\xff\xff", "targets.npy": TARGETS}),
        NPZ,
        "lies_about_size",
    ),
    (
        "npz header is code",
        zipped({"inputs.npy": npy_header("__import__('os').abort()"), "targets.npy": TARGETS}),
        NPZ,
        "malformed",
    ),
    (
        "npz header nests",
        zipped({"inputs.npy": npy_header("(" * 4000 + ")" * 4000), "targets.npy": TARGETS}),
        NPZ,
        "malformed",
    ),
    (
        "npz structured",
        zipped({"inputs.npy": npy_header(header_of("(1,)", "[('a', '<f8')]")) + bytes(8), "targets.npy": TARGETS}),
        NPZ,
        "wrong_dtype",
    ),
    ("npz text", npz(inputs=np.array([["a"]]), targets=np.array([1])), NPZ, "wrong_dtype"),
    ("npz complex", npz(inputs=X.astype(complex), targets=Y), NPZ, "wrong_dtype"),
    ("npz bytes as targets", npz(inputs=X, targets=Y.astype("S")), NPZ, "wrong_dtype"),
    (
        "npz array twice",
        zipped({"inputs.npy": INPUTS, "inputz.npy": INPUTS, "targets.npy": TARGETS}).replace(b"inputz", b"inputs"),
        NPZ,
        "malformed",
    ),
    ("npz not arrays", zipped({"inputs.txt": b"1"}), NPZ, "malformed"),
    ("npz many entries", zipped({f"{k}.npy": INPUTS for k in range(1001)}), NPZ, "too_many_arrays"),
    ("npz bzip2", zipped({"inputs.npy": INPUTS, "targets.npy": TARGETS}, 12), NPZ, "malformed"),
    ("npz cut off", npz(inputs=X, targets=Y)[:-30], NPZ, "malformed"),
    (
        "npz damaged",
        npz(inputs=np.random.default_rng(0).normal(size=(99, 2)), targets=np.zeros(99)).replace(
            b"\x00\x00", b"\x01\x00", 40
        ),
        NPZ,
        "malformed",
    ),
    ("npz without inputs", npz(targets=Y), NPZ, "arrays_missing"),
    ("npz without targets", npz(inputs=X), NPZ, "arrays_missing"),
    ("npz flat", npz(inputs=Y, targets=Y), NPZ, "wrong_shape"),
    ("npz deep targets", npz(inputs=X, targets=X[:, :, None]), NPZ, "wrong_shape"),
    ("npz lengths", npz(inputs=X, targets=Y[:2]), NPZ, "length_mismatch"),
    ("npz empty", npz(inputs=X[:0], targets=Y[:0]), NPZ, "empty"),
    ("npz nan", npz(inputs=with_nan(np.nan), targets=Y), NPZ, "missing_value"),
    ("npz infinite", npz(inputs=with_nan(-np.inf), targets=Y), NPZ, "not_finite"),
    ("npz nan targets", npz(inputs=X, targets=np.array([0, 1, np.nan])), NPZ, "missing_value"),
    ("npz weights K", npz(K=np.ones((4, 2, 3)), b=np.ones((4, 2))), NPZ, "wrong_shape"),
    ("npz weights b", npz(K=np.ones((4, 2, 2)), b=np.ones((3, 2))), NPZ, "wrong_shape"),
    ("npz one layer", npz(K=np.ones((1, 2, 2)), b=np.ones((1, 2))), NPZ, "too_few"),
    (
        "npz coefficients",
        npz(K=np.ones((4, 2, 2)), b=np.ones((4, 2)), deeplimit=np.array('{"basis": {"family": "legendre"}}')),
        NPZ,
        "wrong_shape",
    ),
    (
        "safetensors 745 GB",
        safetensors_file({"inputs": tensor([10**11, 1], 0, 8 * 10**11), "targets": tensor([1], 0, 8)}),
        SAFETENSORS,
        "lies_about_size",
    ),
    ("safetensors length", safetensors_file({}, length=2**63), SAFETENSORS, "lies_about_size"),
    ("safetensors short", b"abc", SAFETENSORS, "lies_about_size"),
    ("safetensors shape", safetensors_file({"inputs": tensor([2, 2], 0, 8)}, bytes(8)), SAFETENSORS, "lies_about_size"),
    (
        "safetensors overlap",
        safetensors_file({"inputs": tensor([1, 1], 0, 8), "targets": tensor([1], 0, 8)}, bytes(8)),
        SAFETENSORS,
        "lies_about_size",
    ),
    ("safetensors tail", safetensors_file({"inputs": tensor([1, 1], 0, 8)}, bytes(16)), SAFETENSORS, "lies_about_size"),
    (
        "safetensors float8",
        safetensors_file({"inputs": tensor([1, 1], 0, 1, "F8_E4M3"), "targets": tensor([1], 1, 9)}, bytes(9)),
        SAFETENSORS,
        "wrong_dtype",
    ),
    (
        "safetensors complex",
        safetensors_file({"inputs": NUMBER, "targets": tensor([1], 8, 16, "C64")}, bytes(16)),
        SAFETENSORS,
        "wrong_dtype",
    ),
    ("safetensors type", safetensors_file({"inputs": tensor([1, 1], 0, 8, "F1")}, bytes(8)), SAFETENSORS, "malformed"),
    (
        "safetensors bfloat16 cut off",
        safetensors_file({"inputs": tensor([2, 2], 0, 8, "BF16")}, bytes(4)),
        SAFETENSORS,
        "lies_about_size",
    ),
    (
        "safetensors gap",
        safetensors_file({"inputs": NUMBER, "targets": tensor([1], 16, 24)}, bytes(24)),
        SAFETENSORS,
        "lies_about_size",
    ),
    (
        "safetensors overflow",
        safetensors_file({"inputs": tensor([2**32, 2**32], 0, 0)}),
        SAFETENSORS,
        "lies_about_size",
    ),
    (
        "safetensors backwards",
        safetensors_file({"inputs": tensor([1, 1], 8, 0)}, bytes(8)),
        SAFETENSORS,
        "lies_about_size",
    ),
    (
        "safetensors long header",
        safetensors_file({"inputs": NUMBER, "__metadata__": {"a": "b" * 2**20}}, bytes(8)),
        SAFETENSORS,
        "lies_about_size",
    ),
    ("safetensors many arrays", many_arrays(1001), SAFETENSORS, "too_many_arrays"),
    (
        "safetensors array twice",
        safetensors_file(b'{"inputs": %s, "inputs": %s}' % ((json.dumps(NUMBER).encode(),) * 2), bytes(8)),
        SAFETENSORS,
        "malformed",
    ),
    (
        "safetensors array twice by an escape",
        safetensors_file(b'{"inputs": %s, "\\u0069nputs": %s}' % ((json.dumps(NUMBER).encode(),) * 2), bytes(8)),
        SAFETENSORS,
        "malformed",
    ),
    (
        "safetensors note twice",
        safetensors_file(
            b'{"inputs": %s, "__metadata__": {"deeplimit": "", "deeplimit": ""}}' % json.dumps(NUMBER).encode(),
            bytes(8),
        ),
        SAFETENSORS,
        "malformed",
    ),
    (
        "safetensors metadata",
        safetensors_file({"__metadata__": [], "inputs": NUMBER}, bytes(8)),
        SAFETENSORS,
        "malformed",
    ),
    ("safetensors Latin-1", safetensors_file(b'{"\xe9": {}}'), SAFETENSORS, "malformed"),
    (
        "safetensors coefficients",
        safetensors.numpy.save({"K": np.ones((4, 2, 2)), "b": np.ones((4, 2))}, {"deeplimit": '{"basis": {}}'}),
        SAFETENSORS,
        "wrong_shape",
    ),
    ("safetensors not JSON", safetensors_file(b"{"), SAFETENSORS, "malformed"),
    ("safetensors nests", safetensors_file(b"[" * 100_000), SAFETENSORS, "malformed"),
    ("safetensors list", safetensors_file([]), SAFETENSORS, "malformed"),
    ("safetensors entry", safetensors_file({"inputs": 1}), SAFETENSORS, "malformed"),
    ("safetensors negative", safetensors_file({"inputs": tensor([-1, -1], 0, 8)}, bytes(8)), SAFETENSORS, "malformed"),
    (
        "safetensors nan",
        safetensors.numpy.save({"inputs": with_nan(np.nan), "targets": Y}),
        SAFETENSORS,
        "missing_value",
    ),
    ("parquet cut off", GOOD_PARQUET[:-20], PARQUET, "malformed"),
    ("parquet middle gone", GOOD_PARQUET[:100] + GOOD_PARQUET[300:], PARQUET, "malformed"),
    ("parquet zeros", b"PAR1" + bytes(100) + b"\x40\0\0\0PAR1", PARQUET, "malformed"),
    ("parquet footer", b"PAR1" + bytes(100) + b"\xff\xff\xff\xffPAR1", PARQUET, "lies_about_size"),
    ("parquet is csv", b"a,b\n1,2\n", PARQUET, "malformed"),
    ("parquet control in name", parquet({"a\x01": [1.0, 2.0], "y": [1, 2]}), PARQUET, "control_character"),
    ("parquet missing", parquet({"a": [1.0, None], "y": [1, 2]}), PARQUET, "missing_value"),
    ("parquet nan", parquet({"a": [1.0, float("nan")], "y": [1, 2]}), PARQUET, "missing_value"),
    ("parquet text", parquet({"a": ["x", "z"], "y": [1, 2]}), PARQUET, "wrong_dtype"),
    ("parquet nested", parquet({"a": [[1.0], [2.0]], "y": [1, 2]}), PARQUET, "wrong_dtype"),
    ("parquet struct", parquet({"a": [{"u": 1, "v": 2}] * 2, "y": [1, 2]}), PARQUET, "wrong_dtype"),
    ("parquet empty", parquet({"a": np.zeros(0), "y": np.zeros(0)}), PARQUET, "empty"),
    ("parquet bomb", parquet({"a": np.zeros(10**7), "y": np.zeros(10**7)}), PARQUET, "too_many_samples"),
]
