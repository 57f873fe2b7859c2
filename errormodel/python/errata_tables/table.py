"""The table of one operating point and how it is read from its file."""

import copy

import h5py
import numpy as np

from .sampling import ReadSequence, draw_static_column, sample_conversions

_MAJOR = 1
_LARGEST_SCORE = 4.0
PLAIN_BASIS = np.eye(3)


class TableError(ValueError):
    """The file is no error table, is damaged, or is of another major version."""


class OutOfRange(ValueError):
    """The table says nothing about what is asked for."""


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


class Table:
    """The error model of one conversion at one operating point; attributes are named as in docs/formats/error-table.md.

    All values are in MAC units; kelvin, volts, seconds. Shapes: level, cell_sigma [inputs - 1][levels]; mu, slope,
    dynamic_sigma, support_count [y][a]; source_variance [sources][y][a]; basis, chip, column [3][3].
    """

    differential = property(lambda self: self.signed_scheme == "differential_before_adc")

    @property
    def adc_step(self):
        return (2.0 if self.differential else 1.0) * self.adc_range / 2**self.adc_bits

    def surface(self, nodes, y, a):
        """Bilinear value of node values [y][a], constant beyond the axes."""
        return sum_of_nodes(np.ravel(nodes), *self.locate(y, a))

    def locate(self, y, a):
        """The four nodes around points and their weights."""
        ny, na = len(self.y_axis), len(self.a_axis)
        ty = (y - self.y_axis[0]) / (self.y_axis[-1] - self.y_axis[0]) * (ny - 1)
        ta = (a - self.a_axis[0]) / (self.a_axis[-1] - self.a_axis[0]) * (na - 1)
        cy, ca = np.clip(ty, 0.0, ny - 1.0), np.clip(ta, 0.0, na - 1.0)
        i, j = np.minimum(cy.astype(np.int64), ny - 2), np.minimum(ca.astype(np.int64), na - 2)
        fy, fa = cy - i, ca - j
        corner = i * na + j
        return ((corner, corner + 1, corner + na, corner + na + 1),
                ((1 - fy) * (1 - fa), (1 - fy) * fa, fy * (1 - fa), fy * fa))

    def mean_shift(self, y, a):
        """mu at a static state."""
        return self.surface(self.mu, *np.broadcast_arrays(*map(_reals, (y, a))))

    def read_sigma(self, y, a):
        """sigma_D at a static state."""
        return self.surface(self.dynamic_sigma, *np.broadcast_arrays(*map(_reals, (y, a))))

    def dynamic_error(self, normal):
        """Standardised dynamic error of standard normals: themselves, or through the quantile table."""
        q = self.dynamic_quantiles
        if q is None:
            return normal
        at = 0.5 * (normal / _LARGEST_SCORE + 1.0) * (len(q) - 1.0)
        k = np.clip(np.floor(at), 0.0, len(q) - 2.0).astype(np.int64)
        return q[k] + (at - k) * (q[k + 1] - q[k])

    def ideal(self, plus, minus, x):
        """Ideal y and second axis a of input levels x [..., rows] on stored levels; `minus` None: single-ended."""
        x = _reals(x)
        if minus is None:
            return x @ _reals(plus), x.sum(axis=-1)
        return x @ (_reals(plus) - _reals(minus)), x @ (_reals(plus) + _reals(minus) + 2.0 * self.minimum_conductance)

    def static_column(self, plus, minus=None, *, seed, chip, column):
        """What is frozen of one physical column of one chip: the same bits as errata's draw_static_column."""
        if (minus is not None) != self.differential:
            raise ValueError("a differential column has plus and minus levels, a single-ended one plus only")
        return draw_static_column(self, plus, minus, seed, chip, column)

    def read_sequence(self, *, seed, chip, column):
        """Successive reads of one column, every noise source with its memory; the same bits as errata's."""
        return ReadSequence(self, seed, chip, column)

    def sample(self, y, a, seed, chip, column):
        """Analog values of conversions of which only ideal y and a are known; C and K as frozen for (seed, chip, column)."""
        y, a = np.broadcast_arrays(*map(_reals, (y, a)))
        return sample_conversions(self, np.atleast_1d(y), np.atleast_1d(a), seed, chip, column).reshape(y.shape)

    def code(self, value):
        """Codes of the ideal ADC: nearest step, ties away from zero, clipped."""
        low = -(2 ** (self.adc_bits - 1)) if self.differential else 0
        scaled = np.clip(_reals(value) / self.adc_step, low, low + 2**self.adc_bits - 1)
        return (np.sign(scaled) * np.floor(np.abs(scaled) + 0.5)).astype(np.int64)


def sum_of_nodes(nodes, index, weight):
    return weight[0] * nodes[index[0]] + weight[1] * nodes[index[1]] + weight[2] * nodes[index[2]] + weight[3] * nodes[
        index[3]]


def _reals(values):
    return np.asarray(values, np.float64)


def _read_point(file, name):
    op, t = file[name], Table()
    t.rows, t.levels, t.inputs = (int(file["array"].attrs[k]) for k in ("rows", "levels", "inputs"))
    t.signed_scheme = _text(file["array"].attrs["signed_scheme"])
    t.operands = _text(file.attrs["operands"])
    t.minimum_conductance = float(op.attrs.get("minimum_conductance", file["array/minimum_conductance"][()]))
    t.offset, t.unit = float(file["transfer/offset"][()]), float(file["transfer/unit"][()])
    t.output_unit = _text(file["transfer/unit"].attrs["units"])
    t.temperature, t.supply = float(op.attrs["temperature"]), float(op.attrs.get("supply", 0.0))
    t.corner = _text(op.attrs.get("corner", ""))
    t.adc_bits, t.adc_range = int(file["adc"].attrs["bits"]), float(file["adc/range"][()])
    t.adc_kind = ("sar", "flash", "ramp")[int(file["adc"].attrs["kind"])]
    for key in ("offset_sigma", "gain_sigma", "element_sigma", "noise_sigma"):
        setattr(t, "adc_" + key, float(file["adc/" + key][()]))
    t.y_axis, t.a_axis = file["axes/y"][:], file["axes/a"][:]
    t.level, t.mu, t.slope = op["det/level"][:], op["det/mu"][:], op["det/dmu_dy"][:]
    t.basis, t.chip, t.column = op["static/basis"][:], op["static/chip"][:], op["static/column"][:]
    t.cell_sigma = op["static/cell"][:]
    t.cells_separated = bool(op["static"].attrs.get("cells_separated", 1))
    t.dynamic_sigma, t.source_variance = op["dynamic/sigma"][:], op["dynamic/sources"][:]
    t.source_names = [_text(n) for n in op["dynamic/source_names"][:]]
    t.source_memory = op["dynamic/corr"][:] if "dynamic/corr" in op else None
    t.dynamic_quantiles = op["dynamic/quantiles"][:] if "dynamic/quantiles" in op else None
    t.support_count = op["support/count"][:]
    for key in ("marginal_shift", "marginal_cell_variance"):
        setattr(t, key, op["code/" + key][:] if "code/" + key in op else None)
    t.drift_exponent = t.drift_spread = None
    t.drift_reference, t.elapsed = 1.0, 0.0
    if "drift" in op:
        t.drift_exponent, t.drift_spread = op["drift/exponent"][:], op["drift/exponent_sigma"][:]
        t.drift_reference = float(op["drift/reference_time"][()])
    t.stuck_lowest, t.stuck_highest = (
        float(op["faults/" + k][()]) if "faults" in op else 0.0 for k in ("lowest", "highest"))
    return t


def load_points(path):
    """Every operating point of a file, the nominal one first."""
    try:
        with h5py.File(path, "r") as file:
            found = _text(file.attrs.get("errata_format", ""))
            if found != "error_table":
                raise TableError(f"{path} is no error table" + (f" but a file of kind '{found}'" if found else ""))
            version = [int(v) for v in file.attrs["format_version"]]
            if version[0] != _MAJOR:
                raise TableError(f"{path} has format {version[0]}.{version[1]}; this package reads {_MAJOR}.x")
            count = sum(name.startswith("op[") for name in file)
            return [_read_point(file, f"op[{k}]") for k in range(count)]
    except (KeyError, OSError) as problem:
        if isinstance(problem, FileNotFoundError):
            raise
        raise TableError(f"{path} is damaged or no error table: {problem}") from problem


def load(path, temperature=None, supply=None, corner=None, time_since_programming=None):
    """A table at an operating point: kelvin, volts, corner's name, seconds; what is None is that of the nominal point.

    Between stored points it is interpolated as errata does; outside of them OutOfRange is raised.
    """
    points = load_points(path)
    first = points[0]
    corner = first.corner if corner is None else corner
    points = [p for p in points if p.corner == corner]
    if not points:
        raise OutOfRange(f"the table has no corner '{corner}'")
    volts = first.supply if supply is None else supply
    kelvin = first.temperature if temperature is None else temperature
    low, high, weight = _bracket([p.supply for p in points], volts, "supply voltage")
    table = _interpolate(_at_temperature(points, low, kelvin), _at_temperature(points, high, kelvin), weight)
    if time_since_programming is not None:
        if table.drift_exponent is None:
            raise OutOfRange("the table has no drift terms")
        table.elapsed = float(time_since_programming)
    return table


def _close(a, b):
    return abs(a - b) <= 1e-9 * max(abs(a), abs(b))


def _bracket(values, wanted, what):
    values = sorted(set(values))
    for k, value in enumerate(values):
        if _close(value, wanted):
            return value, value, 0.0
        if k > 0 and values[k - 1] < wanted < value:
            return values[k - 1], value, (wanted - values[k - 1]) / (value - values[k - 1])
    raise OutOfRange(f"the table says nothing about a {what} of {wanted:g}; it covers {values[0]:g} to {values[-1]:g}")


def _at_temperature(points, supply, kelvin):
    points = [p for p in points if _close(p.supply, supply)]
    low, high, weight = _bracket([p.temperature for p in points], kelvin, "temperature")
    find = lambda value: next(p for p in points if _close(p.temperature, value))
    return _interpolate(find(low), find(high), weight)


def _linear(a, b, w):
    return None if a is None or b is None else (1.0 - w) * a + w * b


def _geometric(a, b, w):
    both = (a > 0.0) & (b > 0.0)
    return np.where(both, np.exp(_linear(np.log(np.where(both, a, 1.0)), np.log(np.where(both, b, 1.0)), w)),
                    _linear(a, b, w))


def _in_basis(table, basis):
    """C and K on another basis; on the plain one where that basis cannot express them."""
    if np.array_equal(table.basis, basis):
        return table
    m = table.basis @ np.linalg.pinv(basis)
    if np.abs(m @ basis - table.basis).max() > 1e-9 * np.abs(table.basis).max():
        basis, m = PLAIN_BASIS, table.basis
    t = copy.copy(table)
    t.basis, t.chip, t.column = basis, m.T @ table.chip @ m, m.T @ table.column @ m
    return t


def _interpolate(a, b, w):
    if w <= 0.0 or a is b:
        return copy.copy(a)
    b = _in_basis(b, a.basis)
    if not np.array_equal(a.basis, b.basis):
        a = _in_basis(a, b.basis)
    t = copy.copy(a)
    for key in ("temperature", "supply", "minimum_conductance", "level", "mu", "slope", "chip", "column", "marginal_shift",
                "marginal_cell_variance", "stuck_lowest", "stuck_highest", "drift_exponent", "drift_spread"):
        setattr(t, key, _linear(getattr(a, key), getattr(b, key), w))
    for key in ("cell_sigma", "dynamic_sigma", "source_variance", "drift_reference"):
        setattr(t, key, _geometric(np.asarray(getattr(a, key)), np.asarray(getattr(b, key)), w))
    total = t.source_variance.sum(axis=0)
    t.source_variance = t.source_variance * np.where(total > 0.0, t.dynamic_sigma**2 / np.where(total > 0, total, 1), 1.0)
    t.support_count = np.minimum(a.support_count, b.support_count)
    if a.source_memory is not None or b.source_memory is not None:
        none = np.zeros(len(t.source_names))
        pick = lambda p: none if p.source_memory is None else p.source_memory
        t.source_memory = _linear(pick(a), pick(b), w)
    if a.dynamic_quantiles is not None or b.dynamic_quantiles is not None:
        size = max(len(p.dynamic_quantiles) for p in (a, b) if p.dynamic_quantiles is not None)
        scores = _LARGEST_SCORE * (2.0 * np.arange(size) / (size - 1) - 1.0)
        t.dynamic_quantiles = _standardised(t, _linear(a.dynamic_error(scores), b.dynamic_error(scores), w))
    return t


def _standardised(table, quantiles):
    table.dynamic_quantiles = quantiles
    z = 16.0 * ((np.arange(4000) + 0.5) / 4000 - 0.5)
    p = np.exp(-0.5 * z * z)
    e = table.dynamic_error(z)
    mean = (p * e).sum() / p.sum()
    return (quantiles - mean) / np.sqrt((p * e * e).sum() / p.sum() - mean * mean)
