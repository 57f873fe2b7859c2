"""Draws from a table, in the order of operations of errormodel/table/table_sample.cpp: the same bits for the same seed."""

import numpy as np

from . import streams
from .streams import RandomStream


def cholesky_factor(c):
    """Lower factor of a positive semi-definite matrix; a direction without variance stays 0."""
    l = np.zeros((3, 3))
    for i in range(3):
        for j in range(i + 1):
            total = c[i, j]
            for k in range(j):
                total = total - l[i, k] * l[j, k]
            if i == j:
                l[i, i] = np.sqrt(total) if total > 0 else 0.0
            else:
                l[i, j] = total / l[j, j] if l[j, j] > 0 else 0.0
    return l


def static_coefficients(table, seed, chip, column):
    """Coefficients of (C + K) phi on [1, y, a] of one column of one chip."""
    lc, lk = cholesky_factor(table.chip), cholesky_factor(table.column)
    nc = RandomStream(seed, streams.TABLE_CHIP, 0, 0, chip).normal(3)
    nk = RandomStream(seed, streams.TABLE_COLUMN, column, 0, chip).normal(3)
    on = np.zeros(3)
    for i in range(3):
        theta = 0.0
        for j in range(i + 1):
            theta = theta + (lc[i, j] * nc[j] + lk[i, j] * nk[j])
        on = on + theta * table.basis[i]
    return on


class StaticColumn:
    """The frozen part of one column: weight [inputs - 1][rows] to y_s, drive [rows] to a, offset of y_s."""

    def __init__(self, weight, drive, offset):
        self.weight, self.drive, self.offset = weight, drive, offset

    def state(self, x):
        """Static state y_s and second axis a of input levels x [..., rows]."""
        x = np.asarray(x, np.int64)
        y_s = np.full(x.shape[:-1], self.offset)
        for level in range(1, len(self.weight) + 1):
            y_s = y_s + (x == level) @ self.weight[level - 1]
        return y_s, x @ self.drive


class CellDraws:
    """The frozen random numbers of a column's cells, [rows][plus, minus]; they do not depend on what is stored."""

    def __init__(self, table, rows, seed, chip, column):
        stream = lambda purpose: RandomStream(seed, purpose, column, 0, chip)
        self.spread = stream(streams.TABLE_CELL).normal(2 * rows).reshape(rows, 2)
        self.fault = self.drift = None
        if table.stuck_lowest > 0.0 or table.stuck_highest > 0.0:
            self.fault = stream(streams.TABLE_FAULT).uniform(2 * rows).reshape(rows, 2)
        if table.drift_exponent is not None and table.elapsed > table.drift_reference:
            self.drift = stream(streams.TABLE_DRIFT).normal(2 * rows).reshape(rows, 2)

    def held(self, table, stored, side):
        """Levels that the cells hold which should hold `stored`."""
        stored = np.asarray(stored, np.int64)
        if self.fault is None:
            return stored
        u = self.fault[:, side]
        return np.where(u < table.stuck_lowest, 0, np.where(u >= 1.0 - table.stuck_highest, table.levels - 1, stored))

    def contribution(self, table, held, side, x, g_min):
        """What the cells add to y_s at input level x."""
        g = table.level[x - 1][held] + table.cell_sigma[x - 1][held] * self.spread[:, side]
        if self.drift is None:
            return g
        exponent = table.drift_exponent[held] + table.drift_spread[held] * self.drift[:, side]
        age = streams.portable_log(np.array([table.elapsed / table.drift_reference]))[0]
        loss = streams.portable_exp(-exponent * age) - 1.0
        return np.where(loss == 0.0, g, g + (g + x * g_min) * loss)


def draw_static_column(table, plus, minus, seed, chip, column):
    rows = len(plus)
    on = static_coefficients(table, seed, chip, column)
    cells = CellDraws(table, rows, seed, chip, column)
    p = cells.held(table, plus, 0)
    pair = minus is not None
    m = cells.held(table, minus, 1) if pair else np.zeros(rows, np.int64)
    g_min = table.minimum_conductance if pair else 0.0
    drive = p.astype(float) + m + 2 * table.minimum_conductance if pair else np.ones(rows)
    gain = on[1] * (p - m).astype(float) + on[2] * drive
    weight = np.empty((table.inputs - 1, rows))
    for x in range(1, table.inputs):
        w = cells.contribution(table, p, 0, x, g_min)
        if pair:
            w = w - cells.contribution(table, m, 1, x, g_min)
        weight[x - 1] = w + x * gain
    return StaticColumn(weight, drive, on[0])


class ReadSequence:
    """Successive reads of one column of one chip."""

    def __init__(self, table, seed, chip, column):
        self._table = table
        sources = max(1, len(table.source_names))
        self._streams = [RandomStream(seed, streams.TABLE_READ, column, s, chip) for s in range(sources)]
        self._state = [0.0] * sources
        self._first = True

    def next(self, y_s, a):
        """Analog value of the next read at a static state, MAC units."""
        t = self._table
        y_s, a = np.asarray(y_s, np.float64), np.asarray(a, np.float64)
        total = variance = np.float64(0.0)
        for s in range(len(self._state)):
            memory = 0.0 if self._first or t.source_memory is None else t.source_memory[s]
            fresh = self._streams[s].normal(1)[0]
            self._state[s] = memory * self._state[s] + np.sqrt(1.0 - memory * memory) * fresh
            if not t.source_names:
                break
            own = t.surface(t.source_variance[s], y_s, a)
            total = total + np.sqrt(own) * self._state[s]
            variance = variance + own
        self._first = False
        standard = total / np.sqrt(variance) if variance > 0.0 else self._state[0]
        return y_s + t.surface(t.mu, y_s, a) + t.surface(t.dynamic_sigma, y_s, a) * t.dynamic_error(standard)


def sample_conversions(table, y, a, seed, chip, column):
    if table.marginal_shift is None or table.marginal_cell_variance is None:
        raise ValueError("the table has no marginal view, so it says nothing without a pattern")
    on = static_coefficients(table, seed, chip, column)
    normal = RandomStream(seed, streams.TABLE_SAMPLE, column, 0, chip).normal(2 * y.size).reshape(-1, 2)
    y, a = y.ravel(), a.ravel()
    cells = np.sqrt(table.surface(table.marginal_cell_variance, y, a)) * normal[:, 0]
    fixed = on[0] + on[1] * y + on[2] * a
    y_s = y + table.surface(table.marginal_shift, y, a) + fixed + cells
    return y_s + table.surface(table.mu, y_s, a) + table.surface(table.dynamic_sigma, y_s, a) * table.dynamic_error(
        normal[:, 1])


def draw_adc_transitions(table, seed, chip, number):
    """core/readout.cpp in the same order of operations."""
    random, codes = RandomStream(seed, streams.ADC, number, 0, chip), 2**table.adc_bits
    offset, gain = random.normal(2)
    offset, gain, k = table.adc_offset_sigma * offset, 1.0 + table.adc_gain_sigma * gain, np.arange(1.0, codes)
    if table.adc_kind == "sar":
        units = 2.0 ** np.arange(table.adc_bits)
        t = _sar_transitions(units + table.adc_element_sigma * np.sqrt(units) * random.normal(table.adc_bits))
    elif table.adc_kind == "flash":
        t = np.sort(k + table.adc_element_sigma * random.normal(codes - 1))
    else:
        bow, x = table.adc_element_sigma * random.normal(1)[0], k / codes
        t = np.sort(k + 4.0 * bow * x * (1.0 - x))
    t = (t + table.lowest_code - 0.5) * gain + offset
    return t[::-1] if gain < 0.0 else t


def _sar_transitions(weight):
    """Levels of the capacitor array; a level beyond the one that the search asked before is never reached."""
    codes = 2 ** len(weight)
    level, code = np.zeros(codes), np.arange(codes)
    for b, w in enumerate(weight):
        level = level + np.where((code >> b) & 1, w, 0.0)

    def limit(first, count, low, high):
        if count < 2:
            return
        middle = first + count // 2
        level[middle] = min(max(level[middle], low), high)
        limit(first, count // 2, low, level[middle])
        limit(middle, count // 2, level[middle], high)

    limit(0, codes, -1e300, 1e300)
    return level[1:]
