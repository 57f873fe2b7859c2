"""Compares errata_tables with draws that errata's own sampler wrote. Exit status 77: a package is missing."""

import sys
from pathlib import Path

try:
    import h5py
    import numpy as np
except ImportError as missing:
    print(missing)
    sys.exit(77)

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "errormodel/python"))
import errata_tables  # noqa: E402
from errata_tables import streams  # noqa: E402


def same_bits(name, ours, theirs):
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    different = ours.view(np.uint64) != theirs.view(np.uint64)
    assert not different.any(), f"{name}: {different.sum()} of {different.size} differ, first {ours[different][0]!r} " \
        f"for {theirs[different][0]!r}"


def check_streams(f):
    stream = streams.RandomStream(f.attrs["seed"], 17, 3, 5, 7)
    same_bits("normals", stream.normal(len(f["normals"])), f["normals"][:])
    same_bits("logarithms", streams.portable_log(f["positive"][:]), f["logarithms"][:])
    same_bits("exponentials", streams.portable_exp(f["real"][:]), f["exponentials"][:])


def check_columns(table, f):
    for name in f["columns"]:
        g = f["columns"][name]
        seed, chip, column = (int(g.attrs[k]) for k in ("seed", "chip", "column"))
        minus = g["minus"][:] if "minus" in g else None
        s = table.static_column(g["plus"][:], minus, seed=seed, chip=chip, column=column)
        same_bits(name + " weight", s.weight, g["weight"][:])
        same_bits(name + " drive", s.drive, g["drive"][:])
        same_bits(name + " offset", s.offset, g["offset"][()])
        reads = table.read_sequence(seed=seed, chip=chip, column=column)
        same_bits(name + " reads", [reads.next(y, a) for y, a in zip(g["state"][:], g["axis"][:])], g["reads"][:])
        same_bits(name + " sample", table.sample(g["state"][:], g["axis"][:], seed, chip, column), g["sample"][:])


def check_distribution(table, f):
    """Moments and quantiles over chips of another set of chips than errata drew.

    2 x 1500 independent chips: means within 5 standard errors, quantiles within what 5 standard errors of their rank
    allow. False alarm below 1e-5 for all.
    """
    y, a, theirs = float(f.attrs["y"]), float(f.attrs["a"]), f["distribution"][:]
    ours = np.array([table.sample(y, a, 12, 50000 + chip, 0) for chip in range(len(theirs))])
    n = len(theirs)
    error = np.sqrt(2.0 / n) * theirs.std()
    assert abs(ours.mean() - theirs.mean()) < 5 * error, (ours.mean(), theirs.mean())
    fourth = ((theirs - theirs.mean())**4).mean() / theirs.var()**2
    relative = np.sqrt(2.0 * (fourth - 1.0) / n)
    assert abs(ours.var() / theirs.var() - 1.0) < 5 * relative, (ours.var(), theirs.var())
    for p in (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99):
        reach = 5 * np.sqrt(2.0 * p * (1 - p) / n)
        low, high = np.quantile(theirs, [max(0.0, p - reach), min(1.0, p + reach)])
        assert low <= np.quantile(ours, p) <= high, (p, low, np.quantile(ours, p), high)


def check_interpolation(folder, f):
    t = errata_tables.load(folder / "points.h5", temperature=float(f.attrs["temperature"]), time_since_programming=100.0)
    for name in ("level", "mu", "slope", "chip", "column", "cell_sigma", "dynamic_sigma", "source_variance",
                 "source_memory", "dynamic_quantiles", "drift_exponent"):
        theirs = f["interpolated/" + name][:].reshape(np.shape(getattr(t, name)))
        assert np.allclose(getattr(t, name), theirs, rtol=1e-12, atol=1e-14), name
    assert t.elapsed == 100.0
    for wrong in ({"temperature": 500.0}, {"corner": "ss"}, {"supply": 2.0}):
        try:
            errata_tables.load(folder / "points.h5", **wrong)
        except errata_tables.OutOfRange:
            continue
        raise AssertionError(f"{wrong} was accepted")


def check_refusals(folder):
    for name in ("reference.h5", "text.h5"):
        try:
            errata_tables.load(folder / name)
        except errata_tables.TableError as problem:
            assert name in str(problem), problem
            continue
        raise AssertionError(f"{name} was accepted")


folder = Path(sys.argv[1])
with h5py.File(folder / "reference.h5") as reference:
    check_streams(reference)
    check_interpolation(folder, reference)
    for kind in ("pair", "single"):
        tables = errata_tables.load(folder / f"{kind}.h5", time_since_programming=float(reference[kind].attrs["elapsed"]))
        check_columns(tables, reference[kind])
        check_distribution(tables, reference[kind])
check_refusals(folder)
print("the same draws")
