"""The ground floor: what every other package may use, without torch. Common names are re-exported."""

from toolbox.utils.errors import (
    UnknownNameError,
    UserError,
    nearest,
    note,
    os_error_text,
    printable,
    torch_advice,
    warn,
)
from toolbox.utils.files import atomic_write, read_json, sha256_array, sha256_of, sync_folder, write_json
from toolbox.utils.process import one_blas_thread, outliving_readers, progress, tune_process
from toolbox.utils.registry import Registry
from toolbox.utils.signals import held_back
from toolbox.utils.temporary import alone_in, remove_abandoned, scratch_folder
from toolbox.utils.validation import schema_error

__all__ = [
    "Registry",
    "UnknownNameError",
    "UserError",
    "alone_in",
    "atomic_write",
    "held_back",
    "nearest",
    "note",
    "one_blas_thread",
    "os_error_text",
    "outliving_readers",
    "printable",
    "progress",
    "read_json",
    "remove_abandoned",
    "schema_error",
    "scratch_folder",
    "sha256_array",
    "sha256_of",
    "sync_folder",
    "torch_advice",
    "tune_process",
    "warn",
    "write_json",
]
