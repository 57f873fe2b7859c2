#include "core/random_stream.h"

#include <Random123/philox.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

namespace errata {

std::array<std::uint64_t, 4> philox_block(std::array<std::uint64_t, 4> counter, std::array<std::uint64_t, 2> key) {
  const r123::Philox4x64::ctr_type c = {{counter[0], counter[1], counter[2], counter[3]}};
  const r123::Philox4x64::key_type k = {{key[0], key[1]}};
  const auto r = r123::Philox4x64()(c, k);
  return {r[0], r[1], r[2], r[3]};
}

RandomStream::RandomStream(std::uint64_t seed, StreamPurpose purpose, std::uint64_t a, std::uint64_t b, std::uint64_t c)
    : key_{seed, static_cast<std::uint64_t>(purpose)}, counter_{0, a, b, c} {}

/// One block for a stream that wants few words; from the second time on several, whose rounds do not wait for each
/// other.
void RandomStream::make_words() {
  const unsigned wanted = made_ == 0 ? kBlockWords : kMostWords;
  for (unsigned w = 0; w < wanted; w += kBlockWords) {
    const auto block = philox_block(counter_, key_);
    std::copy(block.begin(), block.end(), words_.begin() + w);
    ++counter_[0];
  }
  next_ = 0;
  made_ = wanted;
}

double unit_interval(std::uint64_t bits) {
  constexpr double kLargest = 1.0 - 0x1.0p-53;
  const double u = (static_cast<double>(bits >> 11) + 0.5) * 0x1.0p-53;
  return u < kLargest ? u : kLargest;
}

double RandomStream::uniform() { return unit_interval(bits()); }

double RandomStream::normal() { return inverse_normal(uniform()); }

void RandomStream::shuffle(std::span<std::uint32_t> items) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
}

double portable_log(double x) {
  constexpr double kLn2High = 0x1.62e42fefa39efp-1, kLn2Low = 0x1.abc9e3b39803fp-56;
  const auto bits = std::bit_cast<std::uint64_t>(x);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0xfffffffffffffULL) | 0x3ff0000000000000ULL);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    exponent += 1;
  }
  const double s = (m - 1.0) / (m + 1.0);
  const double z = s * s;
  double sum = 1.0 / 23.0;  // log m = 2 atanh s = 2 s Σ zᵏ/(2k+1), z ≤ 0.0295
  for (int k = 10; k >= 0; --k) sum = sum * z + 1.0 / (2 * k + 1);
  return exponent * kLn2High + (2.0 * s * sum + exponent * kLn2Low);
}

double portable_exp(double x) {
  constexpr double kLn2High = 0x1.62e42fee00000p-1, kLn2Low = 0x1.a39ef35793c76p-33, kLargest = 700.0;
  x = x < -kLargest ? -kLargest : x > kLargest ? kLargest : x;
  const double whole = std::floor(x / 0.6931471805599453 + 0.5);
  const double r = (x - whole * kLn2High) - whole * kLn2Low;  // |r| ≤ 0.35
  double sum = 1.0;
  for (int k = 14; k >= 1; --k) sum = 1.0 + sum * r / k;
  const auto exponent = static_cast<std::uint64_t>(static_cast<std::int64_t>(whole) + 1023);
  return sum * std::bit_cast<double>(exponent << 52);
}

namespace {
template <std::size_t N>
double horner(const double (&c)[N], double x) {
  double sum = c[N - 1];
  for (std::size_t k = N - 1; k-- > 0;) sum = sum * x + c[k];
  return sum;
}

/// Wichura's rational function for |q| ≤ 0.425, q = p − ½.
inline double central_normal(double q) {
  static constexpr double a[] = {3.3871328727963666080e0,  1.3314166789178437745e+2, 1.9715909503065514427e+3,
                                 1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
                                 3.3430575583588128105e+4, 2.5090809287301226727e+3};
  static constexpr double b[] = {1.0,
                                 4.2313330701600911252e+1,
                                 6.8718700749205790830e+2,
                                 5.3941960214247511077e+3,
                                 2.1213794301586595867e+4,
                                 3.9307895800092710610e+4,
                                 2.8729085735721942674e+4,
                                 5.2264952788528545610e+3};
  const double r = 0.180625 - q * q;
  return q * horner(a, r) / horner(b, r);
}
constexpr double kCentral = 0.425;
}  // namespace

double inverse_normal(double p) {
  static constexpr double c[] = {1.42343711074968357734e0,  4.63033784615654529590e0, 5.76949722146069140550e0,
                                 3.64784832476320460504e0,  1.27045825245236838258e0, 2.41780725177450611770e-1,
                                 2.27238449892691845833e-2, 7.74545014278341407640e-4};
  static constexpr double d[] = {1.0,
                                 2.05319162663775882187e0,
                                 1.67638483018380384940e0,
                                 6.89767334985100004550e-1,
                                 1.48103976427480074590e-1,
                                 1.51986665636164571966e-2,
                                 5.47593808499534494600e-4,
                                 1.05075007164441684324e-9};
  static constexpr double e[] = {6.65790464350110377720e0,  5.46378491116411436990e0,  1.78482653991729133580e0,
                                 2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                 2.71155556874348757815e-5, 2.01033439929228813265e-7};
  static constexpr double f[] = {1.0,
                                 5.99832206555887937690e-1,
                                 1.36929880922735805310e-1,
                                 1.48753612908506148525e-2,
                                 7.86869131145613259100e-4,
                                 1.84631831751005468180e-5,
                                 1.42151175831644588870e-7,
                                 2.04426310338993978564e-15};
  const double q = p - 0.5;
  if (std::fabs(q) <= kCentral) return central_normal(q);
  double r = std::sqrt(-portable_log(q < 0.0 ? p : 1.0 - p));
  double value;
  if (r <= 5.0) {
    r -= 1.6;
    value = horner(c, r) / horner(d, r);
  } else {
    r -= 5.0;
    value = horner(e, r) / horner(f, r);
  }
  return q < 0.0 ? -value : value;
}

namespace {
/// In vectors; what lies outside the middle is worthless. The same operations as one at a time, hence the same bits.
__attribute__((target_clones("arch=x86-64-v3", "default"))) void central_normals(const double* p, std::size_t count,
                                                                                 double* out) {
  for (std::size_t i = 0; i < count; ++i) out[i] = central_normal(p[i] - 0.5);
}
}  // namespace

void fill_normals(const StreamSeries& s, std::size_t each, std::span<double> out) {
  constexpr std::size_t kWords = 4;
  const std::array<std::uint64_t, 2> key = {s.seed, static_cast<std::uint64_t>(s.purpose)};
  std::vector<double> uniform(out.size());
  for (std::size_t i = 0; i * each < out.size(); ++i)
    for (std::size_t first = 0; first < each; first += kWords) {
      const auto words = philox_block({first / kWords, s.a + i * s.step_a, s.b + i * s.step_b, s.c}, key);
      for (std::size_t k = 0; k < std::min(kWords, each - first); ++k)
        uniform[i * each + first + k] = unit_interval(words[k]);
    }
  central_normals(uniform.data(), uniform.size(), out.data());
  for (std::size_t i = 0; i < out.size(); ++i)
    if (!(std::fabs(uniform[i] - 0.5) <= kCentral)) out[i] = inverse_normal(uniform[i]);
}

}  // namespace errata
