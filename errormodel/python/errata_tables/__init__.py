"""Reads errata's error tables (error_table.h5) and draws from them: the same chips and the same distribution as errata.

    import errata_tables
    table = errata_tables.load("error_table.h5", temperature=330.0)
    v = table.sample(y, a, seed=1, chip=0, column=5)             # ideal values known, patterns not
    column = table.static_column(plus, minus, seed=1, chip=0, column=5)
    reads = table.read_sequence(seed=1, chip=0, column=5)
    v = reads.next(*column.state(x))                             # one conversion, MAC units, before the ADC

`ErrorInjection` is a PyTorch module around a product; it needs python3-torch, the rest NumPy and h5py.
docs/formats/error-table.md describes the file and the generative formula, docs/guide/2-model.md shows the package at work.
"""

from .streams import RandomStream
from .table import OutOfRange, Table, TableError, load, load_points
from .sampling import ReadSequence, StaticColumn

__all__ = ["ErrorInjection", "OutOfRange", "RandomStream", "ReadSequence", "StaticColumn", "Table", "TableError", "load",
           "load_points"]


def __getattr__(name):
    if name == "ErrorInjection":  # PyTorch takes a second to import, so only who asks for it waits
        from .injection import ErrorInjection

        return ErrorInjection
    raise AttributeError(f"module 'errata_tables' has no attribute '{name}'")
