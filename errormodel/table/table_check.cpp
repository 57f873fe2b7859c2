// What no table can hold: tested when one is written and when one is read.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "errormodel/error_table.h"

namespace errata::errormodel {

namespace {

bool all_finite(std::span<const double> values) {
  return std::ranges::all_of(values, [](double v) { return std::isfinite(v); });
}
bool any_below(std::span<const double> values, double limit) {
  return std::ranges::any_of(values, [limit](double v) { return v < limit; });
}

class Check {
 public:
  explicit Check(const ErrorTable& table) : t_(table) {}

  std::string run() {
    header();
    axes();
    if (fault_.empty()) terms();
    if (fault_.empty()) dynamic();
    if (fault_.empty()) support();
    if (fault_.empty()) marginal_view();
    return fault_;
  }

 private:
  void require(bool holds, std::string what) {
    if (!holds && fault_.empty()) fault_ = std::move(what);
  }
  void numbers(std::span<const double> values, std::size_t count, const char* name, double least = -1e300) {
    require(values.size() == count, fmt::format("{} has {} values, expected {}", name, values.size(), count));
    require(all_finite(values), fmt::format("{} holds a value that is not finite", name));
    require(!any_below(values, least), fmt::format("{} holds a value below {}", name, least));
  }
  void optional(std::span<const double> values, std::size_t count, const char* name, double least = -1e300) {
    if (!values.empty()) numbers(values, count, name, least);
  }
  void intervals(const std::vector<Interval>& all, std::size_t count, const char* name) {
    require(all.size() == count, fmt::format("{} has {} entries, expected {}", name, all.size(), count));
    for (const auto& i : all)
      require(std::isfinite(i.estimate) && std::isfinite(i.low) && std::isfinite(i.high) && i.low <= i.high,
              fmt::format("{} holds an interval [{}, {}]", name, i.low, i.high));
  }

  void header() {
    require(t_.rows >= 1 && t_.rows <= 4096, fmt::format("{} rows", t_.rows));
    require(t_.levels >= 2 && t_.levels <= 256, fmt::format("{} stored levels", t_.levels));
    require(t_.inputs >= 2 && t_.inputs <= 256, fmt::format("{} input levels", t_.inputs));
    require(std::ranges::find(kSignedSchemeNames, std::string_view(t_.signed_scheme)) != std::end(kSignedSchemeNames),
            fmt::format("no signed scheme is called '{}'", t_.signed_scheme));
    require(std::isfinite(t_.offset) && std::isfinite(t_.unit) && t_.unit != 0.0, "the transfer line has no slope");
    require(std::isfinite(t_.minimum_conductance) && t_.minimum_conductance >= 0.0, "minimum_conductance is negative");
    require(std::isfinite(t_.temperature_kelvin) && t_.temperature_kelvin > 0.0,
            fmt::format("a temperature of {} K", t_.temperature_kelvin));
    require(std::isfinite(t_.supply_volts), "the supply voltage is not finite");
    const AdcOptions& a = t_.adc;
    require(a.bits >= 1 && a.bits <= 16, fmt::format("an ADC of {} bits", a.bits));
    require(std::isfinite(a.range) && a.range > 0.0, fmt::format("an ADC range of {}", a.range));
    require(a.bipolar == t_.differential(), "the ADC's polarity does not fit the signed scheme");
    for (const double sigma : {a.offset_sigma, a.gain_sigma, a.element_sigma, a.noise_sigma})
      require(std::isfinite(sigma) && sigma >= 0.0, "a negative spread of the ADC");
  }

  void axes() {
    const SurfaceAxes& x = t_.axes;
    require(x.y_points >= 2 && x.y_points <= 4096 && x.a_points >= 2 && x.a_points <= 4096,
            fmt::format("axes of {} and {} nodes", x.y_points, x.a_points));
    require(all_finite({{x.y_low, x.y_high, x.a_low, x.a_high}}) && x.y_low < x.y_high && x.a_low < x.a_high,
            "an axis does not ascend");
  }

  void terms() {
    const std::size_t nodes = t_.axes.size(), kinds = t_.kinds();
    numbers(t_.level, kinds, "det/level");
    numbers(t_.mu, nodes, "det/mu");
    numbers(t_.slope, nodes, "det/dmu_dy");
    numbers(t_.basis, 9, "static/basis");
    require(is_semidefinite(t_.chip), "static/chip is no covariance: not symmetric or not positive semi-definite");
    require(is_semidefinite(t_.column), "static/column is no covariance: not symmetric or not positive semi-definite");
    numbers(t_.cell_sigma, kinds, "static/cell", 0.0);
    intervals(t_.chip_interval, 6, "static/chip_interval");
    intervals(t_.column_interval, 6, "static/column_interval");
    intervals(t_.cell_interval, kinds, "static/cell_interval");
    const DriftTerms& d = t_.drift;
    if (d.present()) {
      numbers(d.exponent, t_.levels, "drift/exponent");
      numbers(d.exponent_sigma, t_.levels, "drift/exponent_sigma", 0.0);
      require(std::isfinite(d.reference_seconds) && d.reference_seconds > 0.0, "drift/reference_time is not positive");
    }
    const FaultRates& f = t_.faults;
    require(f.lowest >= 0.0 && f.highest >= 0.0 && f.lowest + f.highest <= 1.0,
            fmt::format("stuck cells with probabilities {} and {}", f.lowest, f.highest));
  }

  void dynamic() {
    const std::size_t nodes = t_.axes.size(), sources = t_.source_names.size();
    require(sources <= 64, fmt::format("{} sources of noise", sources));
    numbers(t_.dynamic_sigma, nodes, "dynamic/sigma", 0.0);
    numbers(t_.source_variance, sources * nodes, "dynamic/sources", 0.0);
    if (!fault_.empty()) return;
    for (std::size_t n = 0; n < nodes && sources > 0; ++n) {
      double sum = 0.0;
      for (std::size_t s = 0; s < sources; ++s) sum += t_.source_variance[s * nodes + n];
      const double square = t_.dynamic_sigma[n] * t_.dynamic_sigma[n];
      require(std::fabs(sum - square) <= 1e-6 * square + 1e-12, "dynamic/sources do not add up to dynamic/sigma");
    }
    optional(t_.source_memory, sources, "dynamic/corr", 0.0);
    require(std::ranges::all_of(t_.source_memory, [](double m) { return m < 1.0; }), "dynamic/corr holds 1 or more");
    quantiles();
  }

  /// Mean and variance of a piecewise linear function of a standard normal, by the midpoint rule.
  void quantiles() {
    const auto& q = t_.dynamic_quantiles;
    if (q.empty()) return;
    require(q.size() >= 3 && q.size() <= 1025 && all_finite(q) && std::ranges::is_sorted(q),
            "dynamic/quantiles do not ascend");
    if (!fault_.empty()) return;
    double mass = 0, mean = 0, square = 0;
    constexpr int kSteps = 4000;
    for (int k = 0; k < kSteps; ++k) {
      const double z = 8.0 * ((k + 0.5) / kSteps - 0.5) * 2.0, p = std::exp(-0.5 * z * z), e = t_.dynamic_error(z);
      mass += p;
      mean += p * e;
      square += p * e * e;
    }
    mean /= mass;
    require(std::fabs(mean) < 0.02 && std::fabs(square / mass - mean * mean - 1.0) < 0.02,
            "dynamic/quantiles are not those of a standardised error");
  }

  void support() {
    const std::size_t nodes = t_.axes.size();
    numbers(t_.support_count, nodes, "support/count", 0.0);
    numbers(t_.support_error, nodes, "support/se", 0.0);
    require(std::isfinite(t_.residual_sigma) && t_.residual_sigma >= 0.0, "validation/residual_sigma is negative");
  }

  void marginal_view() {
    const std::size_t codes = std::size_t{1} << t_.adc.bits;
    optional(t_.marginal_shift, t_.axes.size(), "code/marginal_shift");
    optional(t_.marginal_cell_variance, t_.axes.size(), "code/marginal_cell_variance", 0.0);
    if (t_.code_pmf.empty()) return;
    numbers(t_.code_pmf, codes * codes, "code/pmf", -1e-9);
    for (std::size_t row = 0; row < codes && fault_.empty(); ++row) {
      double sum = 0.0;
      for (std::size_t code = 0; code < codes; ++code) sum += t_.code_pmf[row * codes + code];
      require(std::fabs(sum - 1.0) < 1e-4, "a row of code/pmf does not add up to 1");
    }
  }

  const ErrorTable& t_;
  std::string fault_;
};

}  // namespace

std::string table_fault(const ErrorTable& table) { return Check(table).run(); }

}  // namespace errata::errormodel
