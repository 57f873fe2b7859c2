"""The PyTorch module of errata_tables against its NumPy sampler. Exit status 77: a package is missing."""

import sys
from pathlib import Path

try:
    import numpy as np
    import torch
except ImportError as missing:
    print(missing)
    sys.exit(77)

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "errormodel/python"))
import errata_tables  # noqa: E402

torch.manual_seed(1)
torch.set_num_threads(1)


def weights(table, rows, columns):
    low = 1 - table.levels if table.differential else 0
    return torch.randint(low, table.levels, (rows, columns)).double()


def branches(table, weight):
    w = weight.numpy().astype(int)
    return (np.maximum(w, 0), np.maximum(-w, 0)) if table.differential else (w, None)


def check_frozen(table):
    """Columns have the static part that the sampler draws, tile by tile, and keep it until the chip changes."""
    rows, columns = table.rows + 5, 3
    layer = errata_tables.ErrorInjection(table, rows, columns, seed=4, chip=9, first_column=20)
    weight = weights(table, rows, columns)
    plus, minus = branches(table, weight)
    matrices, drive = layer.frozen(weight)
    for k, tile in enumerate((slice(0, table.rows), slice(table.rows, rows))):
        for c in range(columns):
            s = table.static_column(plus[tile, c], None if minus is None else minus[tile, c], seed=4, chip=9,
                                    column=20 + k * columns + c)
            # torch.expm1 stands for the sampler's own exponential where cells drift; else the bits are the same.
            assert np.allclose(matrices[:, tile, c].numpy(), s.weight, rtol=1e-12, atol=1e-14)
            assert np.array_equal(drive[tile, c].numpy(), s.drive)
            assert layer.chip_static[k, c, 0].item() == s.offset
    layer.set_chip(10)
    assert not torch.equal(layer.frozen(weight)[0], matrices)
    layer.set_chip(9)
    assert torch.equal(layer.frozen(weight)[0], matrices)


def check_forward(table):
    """Without noise and ADC: shift and add over digits of the sampler's means. The bound is rounding."""
    rows, columns, bits = table.rows, 4, 4
    layer = errata_tables.ErrorInjection(table, rows, columns, seed=2, chip=3, input_bits=bits, adc=False, noise=False)
    weight, x = weights(table, rows, columns), torch.randint(0, 2**bits, (6, rows)).double()
    plus, minus = branches(table, weight)
    digit_bits = table.inputs.bit_length() - 1
    expected = np.zeros((6, columns))
    for c in range(columns):
        s = table.static_column(plus[:, c], None if minus is None else minus[:, c], seed=2, chip=3, column=c)
        for place in range(0, bits, digit_bits):
            y_s, a = s.state((x.numpy().astype(int) >> place) & (table.inputs - 1))
            expected[:, c] += 2**place * (y_s + table.mean_shift(y_s, a))
    assert np.allclose(layer(x, weight).numpy(), expected, rtol=1e-10, atol=1e-9)
    exact = errata_tables.ErrorInjection(without_errors(table), rows, columns, input_bits=bits, adc=False)
    assert np.allclose(exact(x, weight).numpy(), (x @ weight).numpy(), atol=1e-9)


def without_errors(table):
    import copy
    t = copy.copy(table)
    level = np.arange(t.levels, dtype=float)
    t.level = np.arange(1, t.inputs).reshape(-1, 1) * level
    for name in ("mu", "slope", "chip", "column", "cell_sigma", "dynamic_sigma"):
        setattr(t, name, np.zeros_like(getattr(t, name)))
    t.stuck_lowest = t.stuck_highest = t.elapsed = 0.0
    return t


def check_noise(table):
    """Reads of one state: mean and sigma of 20000 draws, 5 standard errors (kurtosis up to 8); false alarm 1e-6."""
    layer = errata_tables.ErrorInjection(table, table.rows, 1, chip=1, adc=False)
    y, a, n = 5.0, 20.0, 20000
    v, slope = layer.convert(torch.full((n,), y, dtype=torch.float64), torch.full((n,), a, dtype=torch.float64))
    sigma = float(table.read_sigma(y, a))
    assert abs(v.mean().item() - y - float(table.mean_shift(y, a))) < 5 * sigma / n**0.5
    assert abs(v.std().item() / sigma - 1) < 5 * (7.0 / 4 / n)**0.5
    assert np.allclose(slope.numpy(), 1 + float(table.surface(table.slope, np.float64(y), np.float64(a))))


def check_codes(table):
    """The ADC is the sampler's."""
    layer = errata_tables.ErrorInjection(table, table.rows, 1, noise=False)
    y_s = torch.linspace(-30, 30, 999, dtype=torch.float64)
    v, slope = layer.convert(y_s, torch.full_like(y_s, 10.0))
    states = y_s.numpy()
    codes = table.code(states + table.mean_shift(states, 10.0))
    assert np.array_equal(v.numpy() / table.adc_step, codes)
    assert slope[0] == 0 and slope[-1] == 0 and slope[500] != 0


def check_gradient(table):
    """Straight through: that of the exact product; with `slope` times 1 + dmu/dy of the conversion."""
    rows, columns, bits = table.rows, 3, 2
    x = torch.randint(0, 2**bits, (4, rows)).double().requires_grad_()
    weight = weights(table, rows, columns).requires_grad_()
    plain = errata_tables.ErrorInjection(table, rows, columns, input_bits=bits, adc=False, slope=False)
    out = torch.randn(4, columns, dtype=torch.float64)
    (plain(x, weight) * out).sum().backward()
    assert torch.allclose(weight.grad, x.detach().t() @ out, atol=1e-9)
    assert torch.allclose(x.grad, out @ weight.detach().t(), atol=1e-9)
    if 1 << (table.inputs.bit_length() - 1) == 2**bits:  # one digit: one slope for each conversion
        sloped = errata_tables.ErrorInjection(table, rows, columns, input_bits=bits, adc=False, noise=False)
        matrices, drive = sloped.frozen(weight)
        digit = x.detach()
        y_s = sloped.chip_static[0, :, 0] + sum(
            (digit == k).double() @ matrices[k - 1] for k in range(1, table.inputs))
        slope = sloped.convert(y_s, digit @ drive)[1]
        weight.grad = None
        (sloped(x, weight) * out).sum().backward()
        assert torch.allclose(weight.grad, x.detach().t() @ (out * slope), atol=1e-9)


def check_training(table):
    """A layer learns through the module: the loss falls by half. Deterministic given the seeds."""
    rows = table.rows
    target = weights(table, rows, 2)
    limit = table.levels - 1
    low = -limit if table.differential else 0
    weight = torch.full((rows, 2), 0.5 if low == 0 else 0.0, dtype=torch.float64, requires_grad=True)
    layer = errata_tables.ErrorInjection(table, rows, 2, adc=False)
    optimizer, losses = torch.optim.SGD([weight], lr=0.02), []
    for step in range(120):
        layer.set_chip(1000 + step % 4)
        x = torch.randint(0, 2, (64, rows)).double()
        level = weight + (torch.round(weight.clamp(low, limit)) - weight).detach()
        loss = ((layer(x, level) - x @ target)**2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-20:]) < 0.5 * np.mean(losses[:5]), (losses[:5], losses[-5:])


def check_refusals(table):
    layer = errata_tables.ErrorInjection(table, table.rows, 2)
    good = weights(table, table.rows, 2)
    for x, weight in ((torch.full((1, table.rows), 2.0), good), (torch.zeros(1, table.rows + 1), good),
                      (torch.zeros(1, table.rows), good + 100)):
        try:
            layer(x, weight)
        except ValueError:
            continue
        raise AssertionError("accepted")


for file in sys.argv[1:]:
    for elapsed in (None, 1e5):
        table = errata_tables.load(file, time_since_programming=elapsed)
        check_frozen(table)
        check_forward(table)
    for check in (check_noise, check_codes, check_gradient, check_training, check_refusals):
        check(table)
print("the module agrees")
