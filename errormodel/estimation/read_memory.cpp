#include "errormodel/estimation/read_memory.h"

#include <algorithm>
#include <cmath>

namespace errata::errormodel {

namespace {

constexpr std::size_t kFewestReads = 8;  // methods.md §3.3: a variogram needs them

/// ½ mean (e_r − e_{r+l})² of lags 1 … reads − 1 over the operands of one chip.
std::vector<double> variogram(const RepeatedReads& r, std::size_t chip) {
  std::vector<double> gamma(r.reads - 1, 0.0);
  const std::size_t operands = r.operands();
  for (std::size_t p = 0; p < operands; ++p) {
    const double* e = r.value.data() + (chip * operands + p) * r.reads;
    for (std::size_t lag = 1; lag < r.reads; ++lag) {
      double sum = 0.0;
      for (std::size_t k = 0; k + lag < r.reads; ++k) sum += (e[k] - e[k + lag]) * (e[k] - e[k + lag]);
      gamma[lag - 1] += 0.5 * sum / static_cast<double>((r.reads - lag) * operands);
    }
  }
  return gamma;
}

/// Correlation at a lag of a unit 1/f part: AR(1) with time constants of 1, 2, 4, … reads, equal shares.
double one_over_f(std::size_t lag, int octaves) {
  double sum = 0.0;
  for (int k = 0; k < octaves; ++k) sum += std::exp(-std::ldexp(static_cast<double>(lag), -k));
  return sum / octaves;
}

/// Slow enough that the longest time constant is at least eight times the series.
int octaves_of(std::size_t reads) { return 4 + static_cast<int>(std::ceil(std::log2(static_cast<double>(reads)))); }

/// γ(l) ≈ white + part · (1 − ρ(l)) by least squares, weights by the number of pairs, neither below zero.
struct MemoryFit {
  double white = 0.0, part = 0.0, residual = 1e300;
};

template <class Correlation>
MemoryFit fit(const std::vector<double>& gamma, const Correlation& correlation) {
  double n = 0, sh = 0, shh = 0, sg = 0, shg = 0;
  const std::size_t lags = gamma.size();
  const auto weight = [&](std::size_t lag) { return static_cast<double>(lags + 1 - lag); };
  for (std::size_t lag = 1; lag <= lags; ++lag) {
    const double h = 1.0 - correlation(lag), w = weight(lag), g = gamma[lag - 1];
    n += w, sh += w * h, shh += w * h * h, sg += w * g, shg += w * h * g;
  }
  MemoryFit f;
  const double determinant = n * shh - sh * sh;
  if (determinant > 1e-12 * n * shh) {
    f.white = (sg * shh - sh * shg) / determinant;
    f.part = (n * shg - sh * sg) / determinant;
  }
  if (f.white < 0.0) f = {0.0, shg / shh, 0.0};
  if (f.part < 0.0) f = {sg / n, 0.0, 0.0};
  f.residual = 0.0;
  for (std::size_t lag = 1; lag <= lags; ++lag) {
    const double miss = gamma[lag - 1] - f.white - f.part * (1.0 - correlation(lag));
    f.residual += weight(lag) * miss * miss;
  }
  return f;
}

/// How much more reads far apart differ than successive ones, relative: the correlation of successive reads where the
/// far ones have none.
double lag_one(const std::vector<double>& gamma) {
  const std::size_t lags = gamma.size();
  double far = 0.0, pairs = 0.0;
  for (std::size_t lag = (lags + 1) / 2; lag <= lags; ++lag) {
    far += static_cast<double>(lags + 1 - lag) * gamma[lag - 1];
    pairs += static_cast<double>(lags + 1 - lag);
  }
  far /= pairs;
  return far > 0.0 ? 1.0 - gamma[0] / far : 0.0;
}

}  // namespace

std::vector<double> read_variances(const RepeatedReads& r) {
  std::vector<double> result;
  result.reserve(r.value.size() / r.reads);
  for (std::size_t k = 0; k < r.value.size(); k += r.reads) result.push_back(variance(r.value.subspan(k, r.reads)));
  return result;
}

ReadMemory read_memory(const RepeatedReads& r) {
  ReadMemory m;
  if (r.reads < kFewestReads) return m;
  std::vector<std::vector<double>> of_chip;
  std::vector<double> sum(r.reads - 1, 0.0);
  for (std::size_t chip = 0; chip < r.chips; ++chip) {
    of_chip.push_back(variogram(r, chip));
    for (std::size_t l = 0; l < sum.size(); ++l) sum[l] += of_chip.back()[l];
  }
  const auto chips = static_cast<double>(r.chips);
  for (const double s : sum) m.variogram.push_back(s / chips);
  std::vector<double> leave_out;
  for (const auto& one : of_chip) {
    std::vector<double> rest(sum.size());
    for (std::size_t l = 0; l < sum.size(); ++l) rest[l] = (sum[l] - one[l]) / (chips - 1.0);
    leave_out.push_back(lag_one(rest));
  }
  m.lag_one = jackknife_interval(lag_one(m.variogram), leave_out, 0.95);
  if (m.lag_one.low <= 0.0) return m;
  const int octaves = octaves_of(r.reads);
  const MemoryFit flicker = fit(m.variogram, [&](std::size_t lag) { return one_over_f(lag, octaves); });
  MemoryFit best;
  constexpr int kSteps = 400;
  for (int step = 1; step < kSteps; ++step) {
    const double rho = static_cast<double>(step) / kSteps;
    const MemoryFit one = fit(m.variogram, [&](std::size_t lag) { return std::pow(rho, static_cast<double>(lag)); });
    if (one.residual >= best.residual) continue;
    best = one;
    m.correlation = rho;
  }
  m.kind = flicker.residual < best.residual ? MemoryKind::kOneOverF : MemoryKind::kAutoregressive;
  const MemoryFit& chosen = m.kind == MemoryKind::kOneOverF ? flicker : best;
  if (m.kind == MemoryKind::kOneOverF) {
    m.octaves = octaves;
    m.correlation = one_over_f(1, octaves);
  }
  const double total = chosen.white + chosen.part;
  m.share = total > 0.0 ? chosen.part / total : 0.0;
  return m;
}

double read_correlation(const ReadMemory& m, std::size_t lag) {
  if (m.kind == MemoryKind::kNone) return lag == 0 ? 1.0 : 0.0;
  if (lag == 0) return 1.0;
  if (m.kind == MemoryKind::kAutoregressive) return m.share * std::pow(m.correlation, static_cast<double>(lag));
  return m.share * one_over_f(lag, m.octaves);
}

double variance_correction(const ReadMemory& m, std::size_t reads) {
  double sum = 0.0, pairs = 0.0;
  for (std::size_t lag = 1; lag < reads; ++lag) {
    const auto weight = static_cast<double>(reads - lag);
    sum += weight * (1.0 - read_correlation(m, lag));
    pairs += weight;
  }
  return sum > 0.0 ? pairs / sum : 1.0;
}

double mean_variance(const ReadMemory& m, std::size_t reads) {
  const auto n = static_cast<double>(reads);
  double sum = n;
  for (std::size_t lag = 1; lag < reads; ++lag)
    sum += 2.0 * static_cast<double>(reads - lag) * read_correlation(m, lag);
  return sum / (n * n);
}

}  // namespace errata::errormodel
