"""A matrix product under an error table, for PyTorch."""

import numpy as np
import torch

from . import streams
from .sampling import CellDraws, static_coefficients


class ErrorInjection(torch.nn.Module):
    """x @ weight as a chip computes it: tiles of the table's rows, input digits, frozen errors, noise, ADC, shift and add.

    `x` [..., rows] holds whole input codes 0 ... 2^input_bits - 1, `weight` [rows, columns] whole levels: of a
    differential table -(levels - 1) ... levels - 1, of a single-ended one 0 ... levels - 1 (the reference column is the
    caller's). The result is in units of the exact product.

    Frozen errors belong to (seed, chip, column): column c of tile k is physical column first_column + k * columns + c, and
    has the bits of errata's draw_static_column. They stay until `set_chip`, are the same for every digit and image, and
    move with the weights as these are trained. Noise is fresh from PyTorch's generator at every call, also in eval mode
    (`noise` = False: none).

    Gradients pass straight through ADC and noise to the exact product. With `slope` they are multiplied by 1 + dmu/dy where
    the conversion stood; a clipped conversion passes none.
    """

    def __init__(self, table, rows, columns, *, seed=1, chip=0, first_column=0, input_bits=1, adc=True, slope=True,
                 noise=True):
        super().__init__()
        self.table, self.rows, self.columns = table, rows, columns
        self.seed, self.first_column, self.input_bits = seed, first_column, input_bits
        self.adc, self.slope, self.noise = adc, slope, noise
        self.digit_bits = table.inputs.bit_length() - 1
        if 1 << self.digit_bits != table.inputs:
            raise ValueError(f"{table.inputs} input levels are no power of two")
        self.tiles = [slice(r, min(r + table.rows, rows)) for r in range(0, rows, table.rows)]
        for name in ("mu", "slope", "dynamic_sigma"):
            self.register_buffer("table_" + name, torch.as_tensor(getattr(table, name).ravel()), persistent=False)
        self.set_chip(chip)

    def set_chip(self, chip):
        """Goes over to another chip: draws the frozen errors of all columns."""
        self.chip, t = chip, self.table
        shape = (self.rows, self.columns, 2)
        spread, fault, drift = np.empty(shape), np.empty(shape), np.empty(shape)
        on = np.empty((len(self.tiles), self.columns, 3))
        for k, tile in enumerate(self.tiles):
            for c in range(self.columns):
                column = self.first_column + k * self.columns + c
                cells = CellDraws(t, tile.stop - tile.start, self.seed, chip, column)
                on[k, c] = static_coefficients(t, self.seed, chip, column)
                spread[tile, c] = cells.spread
                fault[tile, c] = 0.5 if cells.fault is None else cells.fault
                drift[tile, c] = 0.0 if cells.drift is None else cells.drift
        self._drifts = t.drift_exponent is not None and t.elapsed > t.drift_reference
        device = self.table_mu.device
        for name, value in (("spread", spread), ("fault", fault), ("drift", drift), ("static", on)):
            self.register_buffer("chip_" + name, torch.as_tensor(value, device=device), persistent=False)

    def _cells(self, stored, side):
        """Held levels and what the cells add to y_s at every input level [inputs - 1, rows, columns]."""
        t, u = self.table, self.chip_fault[..., side]
        held = torch.where(u < t.stuck_lowest, torch.zeros_like(stored),
                           torch.where(u >= 1.0 - t.stuck_highest, torch.full_like(stored, t.levels - 1), stored))
        on_device = lambda values: torch.as_tensor(values, dtype=torch.float64, device=held.device)
        g = on_device(t.level)[:, held] + on_device(t.cell_sigma)[:, held] * self.chip_spread[..., side]
        if self._drifts:
            exponent = on_device(t.drift_exponent)[held] + on_device(t.drift_spread)[held] * self.chip_drift[..., side]
            age = float(streams.portable_log(np.array([t.elapsed / t.drift_reference]))[0])
            g_min = t.minimum_conductance if t.differential else 0.0
            x = torch.arange(1, t.inputs, device=held.device).reshape(-1, 1, 1)
            g = g + (g + x * g_min) * torch.expm1(-exponent * age)
        return held.to(torch.float64), g

    def frozen(self, weight):
        """Weights to y_s [inputs - 1, rows, columns] and to a [rows, columns] of this chip at stored levels."""
        t, level = self.table, torch.round(weight.detach()).to(torch.int64)
        if level.abs().max() >= t.levels or (not t.differential and level.min() < 0):
            raise ValueError(f"weights are levels of cells with {t.levels} levels")
        plus, g_plus = self._cells(level.clamp(min=0), 0)
        if t.differential:
            minus, g_minus = self._cells((-level).clamp(min=0), 1)
            g_plus, signed = g_plus - g_minus, plus - minus
            drive = plus + minus + 2 * t.minimum_conductance
        else:
            signed, drive = plus, torch.ones_like(plus)
        gain = torch.empty_like(drive)
        for k, tile in enumerate(self.tiles):
            on = self.chip_static[k]
            gain[tile] = on[:, 1] * signed[tile] + on[:, 2] * drive[tile]
        x = torch.arange(1, t.inputs, device=level.device, dtype=torch.float64).reshape(-1, 1, 1)
        return g_plus + x * gain, drive

    def _locate(self, y, a):
        t = self.table
        ny, na = len(t.y_axis), len(t.a_axis)
        cy = ((y - t.y_axis[0]) / (t.y_axis[-1] - t.y_axis[0]) * (ny - 1)).clamp(0, ny - 1)
        ca = ((a - t.a_axis[0]) / (t.a_axis[-1] - t.a_axis[0]) * (na - 1)).clamp(0, na - 1)
        i, j = cy.to(torch.int64).clamp(max=ny - 2), ca.to(torch.int64).clamp(max=na - 2)
        fy, fa = cy - i, ca - j
        corner = i * na + j
        index = (corner, corner + 1, corner + na, corner + na + 1)
        weight = ((1 - fy) * (1 - fa), (1 - fy) * fa, fy * (1 - fa), fy * fa)
        return lambda nodes: sum(w * nodes[n] for n, w in zip(index, weight))

    def _dynamic_error(self, normal):
        q = self.table.dynamic_quantiles
        if q is None:
            return normal
        q = torch.as_tensor(q, dtype=normal.dtype, device=normal.device)
        at = 0.5 * (normal / 4.0 + 1.0) * (len(q) - 1)
        k = at.floor().clamp(0, len(q) - 2).to(torch.int64)
        return q[k] + (at - k) * (q[k + 1] - q[k])

    def convert(self, y_s, a):
        """One conversion at static states: its value after the ADC in MAC units, and the slope for the gradient."""
        t, at = self.table, self._locate(y_s, a)
        v = y_s + at(self.table_mu)
        if self.noise:
            v = v + at(self.table_dynamic_sigma) * self._dynamic_error(torch.randn_like(y_s))
        slope = 1.0 + at(self.table_slope) if self.slope else torch.ones_like(v)
        if not self.adc:
            return v, slope
        low = -(2 ** (t.adc_bits - 1)) if t.differential else 0
        scaled = v / t.adc_step
        inside = (scaled >= low - 0.5) & (scaled <= low + 2**t.adc_bits - 0.5)
        scaled = scaled.clamp(low, low + 2**t.adc_bits - 1)
        return torch.sign(scaled) * torch.floor(scaled.abs() + 0.5) * t.adc_step, slope * inside

    def forward(self, x, weight):
        if x.shape[-1] != self.rows or tuple(weight.shape) != (self.rows, self.columns):
            raise ValueError(f"takes inputs [..., {self.rows}] and weights [{self.rows}, {self.columns}]")
        with torch.no_grad():
            matrices, drive = self.frozen(weight)
        code = torch.round(x.detach()).to(torch.int64)
        if code.min() < 0 or code.max() >= 1 << self.input_bits:
            raise ValueError(f"inputs are whole numbers from 0 to {(1 << self.input_bits) - 1}")
        result = 0.0
        for k, tile in enumerate(self.tiles):
            for place in range(0, self.input_bits, self.digit_bits):
                result = result + self._tile_digit(x[..., tile], code[..., tile], weight[tile], matrices[:, tile],
                                                   drive[tile], k, place)
        return result.to(x.dtype)

    def _tile_digit(self, x, code, weight, matrices, drive, tile, place):
        digit = (code >> place) & ((1 << self.digit_bits) - 1)
        with torch.no_grad():
            y_s = self.chip_static[tile, :, 0].expand(*code.shape[:-1], self.columns)
            for level in range(1, self.table.inputs):
                y_s = y_s + (digit == level).to(torch.float64) @ matrices[level - 1]
            v, slope = self.convert(y_s, digit.to(torch.float64) @ drive)
        # A digit's share of the exact product carries its share of the gradient.
        scale = float(1 << place)
        share = (digit * (1 << place)).to(x.dtype) / code.clamp(min=1).to(x.dtype)
        idle = 1.0 / -(-self.input_bits // self.digit_bits)  # an input of 0 has no digits: it is shared alike
        share = torch.where(code == 0, torch.full_like(share, idle), share)
        exact = (x * share) @ weight.to(x.dtype)
        return _Inject.apply(exact, scale * v.to(exact.dtype), slope.to(exact.dtype))


class _Inject(torch.autograd.Function):
    """Replaces a value; its gradient is passed on times a slope."""

    @staticmethod
    def forward(ctx, exact, value, slope):
        ctx.save_for_backward(slope)
        return value

    @staticmethod
    def backward(ctx, gradient):
        (slope,) = ctx.saved_tensors
        return gradient * slope, None, None
