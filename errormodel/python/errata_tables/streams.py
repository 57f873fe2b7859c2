"""errata's random streams in double precision, bit for bit (docs/formats/random-streams.md).

Only + - * / sqrt and bit operations, in the order in which core/random_stream.cpp has them.
"""

import numpy as np

TABLE_CHIP, TABLE_COLUMN, TABLE_CELL = 7, 8, 9
ADC, TABLE_DRIFT, TABLE_FAULT, TABLE_READ, TABLE_SAMPLE = 21, 24, 25, 26, 27

_MASK = (1 << 64) - 1


class RandomStream:
    """The stream of (seed, purpose, a, b, c); every method takes the next words of it."""

    def __init__(self, seed, purpose, a=0, b=0, c=0):
        counter = ((int(a) & _MASK) << 64) + ((int(b) & _MASK) << 128) + ((int(c) & _MASK) << 192)
        # NumPy counts up before it makes a block; errata's first block is number 0.
        self._philox = np.random.Philox(counter=(counter - 1) % (1 << 256), key=(int(seed) & _MASK) + (purpose << 64))

    def bits(self, count):
        return self._philox.random_raw(count)

    def uniform(self, count):
        words = (self.bits(count) >> np.uint64(11)).astype(np.float64)
        return np.minimum((words + 0.5) * 2.0**-53, 1.0 - 2.0**-53)

    def normal(self, count):
        return inverse_normal(self.uniform(count))


def _horner(coefficients, x):
    total = np.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        total = total * x + c
    return total


def portable_log(x):
    """Natural logarithm of positive normal numbers."""
    bits = np.asarray(x, np.float64).view(np.uint64)
    exponent = (bits >> np.uint64(52)).astype(np.int64) - 1023
    m = ((bits & np.uint64(0xFFFFFFFFFFFFF)) | np.uint64(0x3FF0000000000000)).view(np.float64)
    high = m > 1.4142135623730951
    m = np.where(high, m * 0.5, m)
    exponent = (exponent + high).astype(np.float64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    total = np.full_like(z, 1.0 / 23.0)
    for k in range(10, -1, -1):
        total = total * z + 1.0 / (2 * k + 1)
    return exponent * float.fromhex("0x1.62e42fefa39efp-1") + (
        2.0 * s * total + exponent * float.fromhex("0x1.abc9e3b39803fp-56"))


def portable_exp(x):
    """Exponential function; beyond +-700 the value at the end."""
    x = np.clip(np.asarray(x, np.float64), -700.0, 700.0)
    whole = np.floor(x / 0.6931471805599453 + 0.5)
    r = (x - whole * float.fromhex("0x1.62e42fee00000p-1")) - whole * float.fromhex("0x1.a39ef35793c76p-33")
    total = np.ones_like(r)
    for k in range(14, 0, -1):
        total = 1.0 + total * r / k
    exponent = (whole.astype(np.int64) + 1023).astype(np.uint64) << np.uint64(52)
    return total * exponent.view(np.float64)


_A = [3.3871328727963666080e0, 1.3314166789178437745e+2, 1.9715909503065514427e+3, 1.3731693765509461125e+4,
      4.5921953931549871457e+4, 6.7265770927008700853e+4, 3.3430575583588128105e+4, 2.5090809287301226727e+3]
_B = [1.0, 4.2313330701600911252e+1, 6.8718700749205790830e+2, 5.3941960214247511077e+3, 2.1213794301586595867e+4,
      3.9307895800092710610e+4, 2.8729085735721942674e+4, 5.2264952788528545610e+3]
_C = [1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
      1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4]
_D = [1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
      1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9]
_E = [6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
      2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7]
_F = [1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2, 7.86869131145613259100e-4,
      1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15]


def inverse_normal(p):
    """Inverse of the standard normal distribution function, 0 < p < 1 (Wichura 1988, AS 241)."""
    p = np.atleast_1d(np.asarray(p, np.float64))
    q = p - 0.5
    middle = np.abs(q) <= 0.425
    r = 0.180625 - q * q
    inner = q * _horner(_A, r) / _horner(_B, r)
    tail = np.where(q < 0.0, p, 1.0 - p)
    r = np.sqrt(-portable_log(np.where(middle, 0.05, tail)))
    near = r <= 5.0
    at = np.where(near, r - 1.6, r - 5.0)
    outer = np.where(near, _horner(_C, at) / _horner(_D, at), _horner(_E, at) / _horner(_F, at))
    return np.where(middle, inner, np.where(q < 0.0, -outer, outer))
