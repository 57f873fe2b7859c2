#include "behavioral/line/floating_line.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>

#include "behavioral/line/charge_balance.h"
#include "behavioral/model.h"
#include "core/quantity.h"
#include "core/random_stream.h"
#include "tests/support/expect_error.h"
#include "tests/support/noise_sums.h"
#include "tests/support/random_line.h"
#include "tests/support/temporary_folder.h"

namespace errata::behavioral {
namespace {

using testing::expect_error;
using testing::noise_sums;
using testing::random_inputs;
using testing::TemporaryFolder;

constexpr double kLineFarads = 20e-15, kPrechargeVolts = 1.0, kRange = 4.0, kKelvin = 300.0;
const double kThermalEnergy = kBoltzmannJoulesPerKelvin * kKelvin;

// --- The spline -----------------------------------------------------------------------------------------------------

TEST(SplineDerivatives, AreExactForCubicsOnUnevenNodes) {
  for (const std::vector<double>& x :
       {std::vector<double>{0.2, 0.35, 0.4, 0.8, 0.81, 1.1}, {0, 1, 2, 5}, {-3, -1, 0.5, 0.75, 2}}) {
    const auto derivatives = spline_derivatives(x);
    const std::size_t n = x.size();
    ASSERT_EQ(derivatives.size(), n * n);
    for (std::size_t i = 0; i < n; ++i) {
      double sum = 0.0, scale = 0.0;
      for (std::size_t k = 0; k < n; ++k) {
        const double y = 2 - x[k] + 3 * x[k] * x[k] - 0.7 * x[k] * x[k] * x[k];
        sum += derivatives[i * n + k] * y;
        scale += std::fabs(derivatives[i * n + k] * y);
      }
      EXPECT_NEAR(sum, -1 + 6 * x[i] - 2.1 * x[i] * x[i], 1e-12 * scale) << x[i];
    }
  }
}

TEST(ChargeBalance, ItsWeightsAndCurvesAreItsSplines) {
  const ChargeBalance balance({0.2, 0.35, 0.4, 0.8, 0.81, 1.1}, 20e-15, 1.0, 0.0);
  const std::vector<double> drawn = {3.0, 2.5, 2.7, -1.0, 0.5, 0.1};
  std::vector<double> volts, values;
  for (double v = 0.0; v < 1.3; v += 0.01) volts.push_back(v);  // on both sides of the nodes, too
  volts.insert(volts.end(), {0.2, 0.4, 0.81, 1.1});
  values.resize(volts.size());
  ChargeCurve(balance, drawn).evaluate(volts, values);
  for (std::size_t i = 0; i < volts.size(); ++i) {
    const double value = balance.value(drawn, volts[i]), slope = balance.slope(drawn, volts[i]);
    const auto weights = balance.weights(volts[i]);
    double by_weights = 0.0, slope_by_weights = 0.0, size = 0.0;
    for (std::size_t f = 0; f < drawn.size(); ++f) {
      by_weights += weights.value[f] * drawn[f];
      slope_by_weights += weights.slope[f] * drawn[f];
      size += std::fabs(weights.value[f] * drawn[f]) + std::fabs(weights.slope[f] * drawn[f]);
    }
    EXPECT_NEAR(values[i], value, 1e-12 * size) << volts[i];
    EXPECT_NEAR(by_weights, value, 1e-12 * size) << volts[i];
    EXPECT_NEAR(slope_by_weights, slope, 1e-12 * size) << volts[i];
  }
}

// --- Lines made by hand ---------------------------------------------------------------------------------------------

/// Charge that a cell draws, in coulomb: input, stored level, end voltage, unit draw (at most linear in it).
using Charge = std::function<double(double x, std::size_t level, double volts, double z)>;

/// The family that knows `charge` at `nodes`, two stored levels.
FloatingLine family_of(const std::vector<double>& nodes, const Charge& charge) {
  FloatingLine f;
  f.terms = 1;
  f.end_volts = nodes;
  f.mismatch_range = kRange;
  f.exponents = {0, 1};
  for (const double x : {0.0, 1.0})
    for (std::size_t level = 0; level < 2; ++level)
      for (const double volts : nodes) {
        const double nominal = charge(x, level, volts, 0);
        f.charge_coulombs.insert(f.charge_coulombs.end(), {nominal, charge(x, level, volts, kRange) - nominal});
      }
  f.thermal_square_coulombs.assign(4, 0.0);
  return f;
}

BehavioralModel model_of(FloatingLine family, std::size_t rows = 64) {
  BehavioralModel m;
  m.provenance = {
      .format = BehavioralModel::kFormat, .major_version = BehavioralModel::kMajor, .config = "x = 1\n", .seed = 3};
  m.array = {.rows = rows,
             .read = circuit::ReadMode::kDischarge,
             .temperature_kelvin = kKelvin,
             .bandwidth_hertz = 1e9,
             .precharge_volts = kPrechargeVolts,
             .line_farads = kLineFarads,
             .pulse_seconds = 0.5e-9};
  m.mismatch = {{.name = "cell", .device = "m1", .parameter = "delvto", .sigma = {0.03}},
                {.name = "offset",
                 .scope = MismatchScope::kColumn,
                 .device = "sense",
                 .parameter = "offset_voltage",
                 .sigma = {5e-3}},
                {.name = "precharge",
                 .scope = MismatchScope::kChip,
                 .device = "precharge",
                 .parameter = "voltage",
                 .sigma = {10e-3}}};
  m.cell_terms = {0};
  m.family = std::make_shared<FloatingLine>(std::move(family));
  m.fit_quality = {1, 0.1, 0.2, 0.3, 0.4, 5, 0.6};
  m.transfer = {1e-3, -0.02};
  return m;
}

std::vector<std::uint8_t> random_levels(std::size_t rows, std::uint64_t which) {
  RandomStream stream(23, StreamPurpose::kTest, which);
  std::vector<std::uint8_t> levels(rows);
  for (auto& level : levels) level = static_cast<std::uint8_t>(stream.below(2));
  return levels;
}

/// Reads random lines of `m`, each with its own draws, and compares with `expected`, which gets the input, stored level
/// and draw of every row and returns the end voltage on an ideal periphery.
struct Row {
  double x;
  std::size_t level;
  double z;
};
void expect_voltages(const BehavioralModel& m, double tolerance,
                     const std::function<double(const std::vector<Row>&)>& expected) {
  constexpr std::size_t kReads = 20;
  const std::size_t rows = m.array.rows;
  double lowest = 9, highest = -9;
  for (std::uint64_t which = 0; which < 10; ++which) {
    const LineId id{which / 2, which};
    const auto levels = random_levels(rows, which);
    const auto inputs = random_inputs(rows, kReads, which);
    std::vector<double> volts(kReads);
    m.prepare(3, id, levels)->read(inputs, rows, volts);
    const double shift = 5e-3 * unit_draw(3, m.mismatch[1], 1, id, 0) + 10e-3 * unit_draw(3, m.mismatch[2], 2, id, 0);
    for (std::size_t r = 0; r < kReads; ++r) {
      std::vector<Row> cells;
      for (std::size_t j = 0; j < rows; ++j)
        cells.push_back({inputs[r * rows + j] != 0 ? 1.0 : 0.0, levels[j], unit_draw(3, m.mismatch[0], 0, id, j)});
      EXPECT_NEAR(volts[r] - shift, expected(cells), tolerance) << which << " " << r;
      lowest = std::min(lowest, volts[r]);
      highest = std::max(highest, volts[r]);
    }
  }
  EXPECT_GT(highest - lowest, 0.05);  // the reads differ
}

const std::vector<double> kUnevenNodes = {0.25, 0.4, 0.45, 0.7, 0.9, 1.0};

TEST(FloatingLineRead, OfLinearCapacitorsIsChargeRedistribution) {
  const auto farads = [](double z) { return 0.5e-15 * (1 + 0.05 * z); };
  const auto pulled = [](double x, std::size_t level, double z) {
    return x * (level == 1 ? 0.8e-15 : 0.1e-15) * (1 + 0.08 * z);
  };
  const BehavioralModel m = model_of(family_of(kUnevenNodes, [&](double x, std::size_t level, double volts, double z) {
    return farads(z) * (volts - kPrechargeVolts) + pulled(x, level, z);
  }));
  // 64 rows of at most 1 fC are summed in fp32: some 1e-8 of 64 fC on 50 fF.
  expect_voltages(m, 1e-6, [&](const std::vector<Row>& cells) {
    double load = kLineFarads, charge = 0.0;
    for (const Row& c : cells) {
      load += farads(c.z);
      charge += pulled(c.x, c.level, c.z);
    }
    return kPrechargeVolts - charge / load;
  });
}

TEST(FloatingLineRead, OfConstantCurrentsIsTheirCharge) {
  const auto charge = [](double x, std::size_t level, double, double z) {
    return (x == 0 ? 0.01e-15 : level == 1 ? 0.3e-15 : 0.05e-15) * (1 + 0.05 * z);
  };
  expect_voltages(model_of(family_of(kUnevenNodes, charge)), 1e-6, [&](const std::vector<Row>& cells) {
    double sum = 0.0;
    for (const Row& c : cells) sum += charge(c.x, c.level, 0, c.z);
    return kPrechargeVolts - sum / kLineFarads;
  });
}

TEST(FloatingLineRead, OfCubicChargesBalancesThem) {
  // A cubic is what the spline holds exactly: the end voltage is a root of the balance.
  const auto charge = [](double x, std::size_t level, double v, double z) {
    return x * (level == 1 ? 0.4e-15 : 0.1e-15) * (0.3 + 0.7 * v * v * v) * (1 + 0.05 * z);
  };
  expect_voltages(model_of(family_of(kUnevenNodes, charge)), 1e-6, [&](const std::vector<Row>& cells) {
    double low = 0.0, high = 1.0;
    for (int step = 0; step < 60; ++step) {
      const double middle = 0.5 * (low + high);
      double left = kLineFarads * (middle - kPrechargeVolts);
      for (const Row& c : cells) left += charge(c.x, c.level, middle, c.z);
      (left > 0 ? high : low) = middle;
    }
    return low;
  });
}

TEST(FloatingLineRead, IsStraightOutsideTheNodes) {
  // Pulled far below the lowest node, or pushed far above the highest, by charges that are cubic in the voltage.
  for (const bool falls : {true, false}) {
    const std::vector<double> nodes =
        falls ? std::vector<double>{0.6, 0.65, 0.8, 0.9, 1.0} : std::vector<double>{1.0, 1.1, 1.2, 1.35, 1.4};
    const auto cubic = [falls](double v) {
      return falls ? 64e-15 * (0.3 + 0.7 * v * v * v) : -64e-15 * (0.3 + 0.7 * std::pow(2 - v, 3));
    };
    const BehavioralModel m =
        model_of(family_of(nodes, [&](double x, std::size_t, double v, double) { return x * cubic(v); }), 1);
    const std::vector<std::uint8_t> level = {1}, input = {1};
    std::vector<double> volts(1);
    m.prepare_nominal(level)->read(input, 1, volts);
    const double at = falls ? 0.6 : 1.4, slope = 64e-15 * 2.1 * 0.36;  // 3 · 0.7 · 0.6²
    // C (V − 1) + q(at) + slope (V − at) = 0
    const double expected = (kLineFarads - cubic(at) + slope * at) / (kLineFarads + slope);
    EXPECT_NEAR(volts[0], expected, 1e-6);
    EXPECT_GT(falls ? at - expected : expected - at, 0.1);
  }
}

/// Cells like a transistor that saturates: less charge where the line ends low, leakage when the row is not active.
Charge saturating() {
  return [](double x, std::size_t level, double v, double z) {
    const double full = (level == 1 ? 0.3e-15 : 0.03e-15) * (1 + 0.06 * z);
    return (x == 0 ? 0.01 : 1.0) * full * (1 - std::exp(-v / 0.25)) + 0.05e-15 * (v - kPrechargeVolts);
  };
}

BehavioralModel saturating_model(std::size_t rows = 64) {
  FloatingLine family = family_of(kUnevenNodes, saturating());
  family.thermal_square_coulombs = {1e-36, 1e-36, 2e-35, 1e-34};  // shot noise of 0.3 fC is 1e-34 C²
  BehavioralModel m = model_of(std::move(family), rows);
  m.noise = {{.name = "rtn", .sigma = {0.1, 0.04}}, {.name = "comparator", .cell_relative = false, .sigma = {1e-3}}};
  return m;
}

TEST(FloatingLineRead, InBatchesIsThatOfSingleReads) {
  constexpr std::size_t kReads = 37, kStride = 70;  // two blocks and a part; more between inputs than rows
  const BehavioralModel m = saturating_model();
  const auto line = m.prepare(3, {5, 6}, random_levels(64, 1));
  EXPECT_EQ(line->rows(), 64u);
  const auto inputs = random_inputs(kStride, kReads, 2);
  std::vector<double> together(kReads), one(1);
  line->read(inputs, kStride, together);
  for (std::size_t r = 0; r < kReads; ++r) {
    line->read(std::span(inputs).subspan(r * kStride, 64), 64, one);
    EXPECT_EQ(one[0], together[r]) << r;
  }
  std::vector<double> nothing;
  line->read({}, 64, nothing);
}

// --- Noise ----------------------------------------------------------------------------------------------------------

TEST(FloatingLineNoise, OfALineAloneIsKtOverC) {
  BehavioralModel m = model_of(family_of(kUnevenNodes, [](double, std::size_t, double, double) { return 0.0; }));
  m.noise = {{.name = "rtn", .sigma = {0.1, 0.04}}, {.name = "comparator", .cell_relative = false, .sigma = {2e-3}}};
  const auto inputs = random_inputs(64, 1, 1);
  const auto v = m.prepare(3, {1, 2}, random_levels(64, 1))->noise_variances(inputs.data());
  ASSERT_EQ(v.size(), 3u);
  EXPECT_NEAR(v[0] / (kThermalEnergy / kLineFarads), 1, 1e-9);
  EXPECT_EQ(v[1], 0);
  EXPECT_DOUBLE_EQ(v[2], 4e-6);
  EXPECT_EQ(m.noise_names(), (std::vector<std::string>{"thermal", "rtn", "comparator"}));
}

TEST(FloatingLineNoise, OfKnownCellsIsTheirSum) {
  // 0.5 fF and constant charges: everything that hangs on the line shares it.
  FloatingLine family = family_of(kUnevenNodes, [](double x, std::size_t level, double volts, double) {
    return 0.5e-15 * (volts - kPrechargeVolts) + x * (level == 1 ? 0.4e-15 : 0.2e-15);
  });
  family.thermal_square_coulombs = {1e-36, 2e-36, 3e-35, 4e-35};
  BehavioralModel m = model_of(std::move(family), 8);
  m.noise = {{.name = "rtn", .sigma = {0.1, 0.04}}};
  const std::vector<std::uint8_t> levels = {0, 1, 1, 0, 1, 0, 0, 1}, inputs = {1, 1, 0, 0, 1, 0, 1, 0};
  const auto v = m.prepare_nominal(levels)->noise_variances(inputs.data());
  const double load = kLineFarads + 8 * 0.5e-15;
  double thermal = kThermalEnergy * load, relative = 0.0;
  for (std::size_t j = 0; j < 8; ++j) {
    thermal += std::vector<double>{1e-36, 2e-36, 3e-35, 4e-35}[inputs[j] * 2 + levels[j]];
    if (inputs[j] != 0) relative += std::pow(levels[j] == 1 ? 0.04 * 0.4e-15 : 0.1 * 0.2e-15, 2);
  }
  EXPECT_NEAR(v[0] / (thermal / (load * load)), 1, 1e-9);
  EXPECT_NEAR(v[1] / (relative / (load * load)), 1, 1e-9);
}

TEST(FloatingLineNoise, ByItsSumsIsCloseToTheSolvedOne) {
  const Charge capacitors = [](double x, std::size_t level, double volts, double z) {
    return 0.5e-15 * (1 + 0.03 * z) * (volts - kPrechargeVolts) + x * (level == 1 ? 0.8e-15 : 0.1e-15);
  };
  BehavioralModel charge = saturating_model();
  FloatingLine family = family_of(kUnevenNodes, capacitors);
  family.thermal_square_coulombs = {1e-36, 1e-36, 2e-35, 1e-34};
  charge.family = std::make_shared<FloatingLine>(family);
  for (BehavioralModel m : {saturating_model(), charge})
    for (const double comparator : {1e-3, 0.0}) {
      m.noise[1].sigma = {comparator};
      for (std::uint64_t which = 0; which < 6; ++which) {
        const auto line = m.prepare(3, {which, 6}, random_levels(64, which));
        auto inputs = random_inputs(64, 20, which);
        std::fill(inputs.begin(), inputs.begin() + 64, 0);  // one read without any active row
        std::fill(inputs.end() - 64, inputs.end(), 1);      // and one with all
        std::vector<double> output(20);
        line->read(inputs, 64, output);
        for (std::size_t r = 0; r < 20; ++r) {
          const std::uint8_t* x = inputs.data() + 64 * r;
          double expected = 0;
          for (const double v : line->noise_variances(x)) expected += v;
          // What the header promises.
          EXPECT_NEAR(std::sqrt(line->read_variance(output[r], noise_sums(*line, x)) / expected), 1, 0.05)
              << which << " " << r << " " << output[r];
        }
        testing::expect_variances_in_bulk(*line, inputs, output);
      }
    }
}

// --- The reset switch -----------------------------------------------------------------------------------------------

/// A switch of 1.5 fF with one draw: it takes 2 fC (1 + 0.1 z) from a line of 20 fF, 3 fC from one of 40 fF.
constexpr double kSwitchFarads = 1.5e-15;
void add_switch(FloatingLine& f) {
  f.switch_load_farads = kSwitchFarads;
  f.switch_terms = 1;
  f.switch_farads = {20e-15, 40e-15};
  f.switch_exponents = {0, 1};
  f.switch_coulombs = {-2e-15, -0.2e-15 * kRange, -3e-15, -0.3e-15 * kRange};
}

TEST(SwitchCharge, IsLinearInOneOverTheLoad) {
  FloatingLine f;
  f.mismatch_range = kRange;
  add_switch(f);
  const std::vector<double> nominal = {0.0}, high = {1.0}, beyond = {99.0};
  EXPECT_NEAR(f.switch_charge(20e-15, nominal), -2e-15, 1e-27);
  EXPECT_NEAR(f.switch_charge(40e-15, nominal), -3e-15, 1e-27);
  EXPECT_NEAR(f.switch_charge(80e-15 / 3, nominal), -2.5e-15, 1e-27);  // half way between 1/20 and 1/40
  EXPECT_NEAR(f.switch_charge(20e-15, high), -2.2e-15, 1e-27);
  EXPECT_NEAR(f.switch_charge(20e-15, beyond), -2.8e-15, 1e-27);  // the fit knows no more than 4 sigma
  EXPECT_NEAR(f.switch_charge(10e-15, nominal), -2e-15, 1e-27);   // nor other loads
  EXPECT_NEAR(f.switch_charge(90e-15, nominal), -3e-15, 1e-27);
}

TEST(FloatingLineRead, StartsFromWhatTheSwitchLeaves) {
  FloatingLine family = family_of(kUnevenNodes, [](double x, std::size_t, double, double) { return x * 0.1e-15; });
  add_switch(family);
  BehavioralModel m = model_of(std::move(family));
  m.mismatch.push_back({.name = "switch",
                        .scope = MismatchScope::kColumn,
                        .device = "switch.m1",
                        .parameter = "delvto",
                        .sigma = {0.01}});
  expect_voltages(m, 1e-6, [&, which = 0](const std::vector<Row>& cells) mutable {
    const auto line = static_cast<std::uint64_t>(which++ / 20);
    // Injected charge at the line's own load of 21.5 fF, linear in 1 / C between 20 fF and 40 fF.
    const double load = kLineFarads + kSwitchFarads, share = (1 / load - 1 / 20e-15) / (1 / 40e-15 - 1 / 20e-15);
    double charge = (2e-15 + 1e-15 * share) * (1 + 0.1 * unit_draw(3, m.mismatch[3], 3, {line / 2, line}, 0));
    for (const Row& c : cells) charge += c.x * 0.1e-15;
    return kPrechargeVolts - charge / load;
  });
}

// --- Files ----------------------------------------------------------------------------------------------------------

BehavioralModel model_with_switch() {
  FloatingLine family = family_of(kUnevenNodes, saturating());
  add_switch(family);
  BehavioralModel m = model_of(std::move(family));
  m.noise = {{.name = "comparator", .cell_relative = false, .sigma = {1e-3}}};
  m.mismatch.push_back({.name = "switch",
                        .scope = MismatchScope::kColumn,
                        .device = "switch.m1",
                        .parameter = "delvto",
                        .sigma = {0.01}});
  return m;
}

TEST(FloatingLineFile, RoundTripsBitForBit) {
  const TemporaryFolder folder;
  for (const BehavioralModel& m : {saturating_model(), model_with_switch()}) {
    m.save(folder / "m.h5");
    const BehavioralModel back = BehavioralModel::load(folder / "m.h5");
    EXPECT_EQ(back.family->name(), "floating_line");
    EXPECT_EQ(back.array.read, circuit::ReadMode::kDischarge);
    EXPECT_EQ(back.transfer.unit, m.transfer.unit);
    const auto levels = random_levels(64, 5);
    const auto inputs = random_inputs(64, 20, 5);
    const auto before = m.prepare(9, {1, 2}, levels), after = back.prepare(9, {1, 2}, levels);
    std::vector<double> a(20), b(20);
    before->read(inputs, 64, a);
    after->read(inputs, 64, b);
    EXPECT_EQ(a, b);
    EXPECT_EQ(before->noise_variances(inputs.data()), after->noise_variances(inputs.data()));
    EXPECT_EQ(before->row_noise(3, 1), after->row_noise(3, 1));
  }
}

TEST(FloatingLineFile, WithoutMismatchRoundTrips) {
  const TemporaryFolder folder;
  FloatingLine family;
  family.end_volts = kUnevenNodes;
  family.degree = 0;
  for (const double x : {0.0, 1.0})
    for (std::size_t level = 0; level < 2; ++level)
      for (const double v : kUnevenNodes) family.charge_coulombs.push_back(saturating()(x, level, v, 0));
  family.thermal_square_coulombs.assign(4, 1e-36);
  BehavioralModel m = model_of(std::move(family));
  m.mismatch.clear();
  m.cell_terms.clear();
  m.save(folder / "m.h5");
  const BehavioralModel back = BehavioralModel::load(folder / "m.h5");
  const std::vector<std::uint8_t> levels(64, 1), inputs(64, 1);
  std::vector<double> a(1), b(1), reference(1);
  m.prepare(1, {0, 0}, levels)->read(inputs, 64, a);
  back.prepare(1, {0, 0}, levels)->read(inputs, 64, b);
  saturating_model().prepare_nominal(levels)->read(inputs, 64, reference);
  EXPECT_EQ(a, b);
  EXPECT_NEAR(a[0], reference[0], 1e-9);
}

/// A family under another name.
class Renamed final : public ColumnFamily {
 public:
  Renamed(std::shared_ptr<const ColumnFamily> family, std::string name)
      : family_(std::move(family)), name_(std::move(name)) {}
  std::string name() const override { return name_; }
  std::size_t levels() const override { return family_->levels(); }
  std::size_t input_levels() const override { return family_->input_levels(); }
  std::unique_ptr<Line> line(const LineConditions& c) const override { return family_->line(c); }
  void save(Hdf5Writer& file) const override { family_->save(file); }

 private:
  std::shared_ptr<const ColumnFamily> family_;
  std::string name_;
};

TEST(FloatingLineFile, RefusesWhatContradictsItself) {
  const TemporaryFolder folder;
  const std::vector<std::pair<const char*, std::function<void(FloatingLine&)>>> damages = {
      {"descending end voltages", [](FloatingLine& f) { std::swap(f.end_volts[1], f.end_volts[2]); }},
      {"an end voltage twice", [](FloatingLine& f) { f.end_volts[1] = f.end_volts[2]; }},
      {"an end voltage that is no number", [](FloatingLine& f) { f.end_volts[5] = std::nan(""); }},
      {"three end voltages",
       [](FloatingLine& f) {
         f.end_volts.resize(3);
         f.charge_coulombs.resize(2 * 2 * 3 * 2);
       }},
      {"more end voltages than the family takes",
       [](FloatingLine& f) {
         f.end_volts.clear();
         for (int i = 0; i < 33; ++i) f.end_volts.push_back(0.01 * i);
         f.charge_coulombs.resize(2 * 2 * 33 * 2);
       }},
      {"one stored level",
       [](FloatingLine& f) {
         f.stored_levels = 1;
         f.charge_coulombs.resize(2 * 1 * 6 * 2);
         f.thermal_square_coulombs.resize(2);
       }},
      {"no mismatch range", [](FloatingLine& f) { f.mismatch_range = 0; }},
      {"a mismatch range that is no number", [](FloatingLine& f) { f.mismatch_range = std::nan(""); }},
      {"exponent above the degree", [](FloatingLine& f) { f.exponents[1] = 2; }},
      {"degree 9", [](FloatingLine& f) { f.degree = 9; }},
      {"exponents of two terms",
       [](FloatingLine& f) {
         f.terms = 2;
         f.exponents = {0, 0, 1, 0, 0, 1, 1, 1};
         f.charge_coulombs.resize(2 * 2 * 6 * 4);
       }},
      {"one load of the switch",
       [](FloatingLine& f) {
         f.switch_farads.resize(1);
         f.switch_coulombs.resize(2);
       }},
      {"descending loads", [](FloatingLine& f) { std::swap(f.switch_farads[0], f.switch_farads[1]); }},
  };
  for (const auto& [what, damage] : damages) {
    SCOPED_TRACE(what);
    BehavioralModel m = model_with_switch();
    FloatingLine family = dynamic_cast<const FloatingLine&>(*m.family);
    damage(family);
    m.family = std::make_shared<FloatingLine>(family);
    m.save(folder / "m.h5");
    expect_error(ExitStatus::kArtifact, "E403", [&] { BehavioralModel::load(folder / "m.h5"); });
  }
}

TEST(FloatingLineFile, RefusesASwitchWithMoreTermsThanTheChipHas) {
  const TemporaryFolder folder;
  BehavioralModel m = model_with_switch();
  FloatingLine family = dynamic_cast<const FloatingLine&>(*m.family);
  family.switch_terms = 2;
  family.switch_exponents = {0, 0, 1, 0, 0, 1};
  family.switch_coulombs.resize(2 * 3);
  m.family = std::make_shared<FloatingLine>(family);
  m.save(folder / "m.h5");
  expect_error(ExitStatus::kArtifact, "E403", [&] { BehavioralModel::load(folder / "m.h5"); });
}

TEST(FloatingLineFile, RefusesFamiliesThatItDoesNotKnowOrThatDoNotFit) {
  const TemporaryFolder folder;
  for (const char* name : {"mystery", "automatic", "current_mode", ""}) {
    SCOPED_TRACE(name);
    BehavioralModel m = model_with_switch();
    m.family = std::make_shared<Renamed>(m.family, name);
    m.save(folder / "m.h5");
    expect_error(ExitStatus::kArtifact, "E403", [&] { BehavioralModel::load(folder / "m.h5"); });
  }
  BehavioralModel m = model_with_switch();
  m.array.read = circuit::ReadMode::kCurrent;
  m.save(folder / "m.h5");
  expect_error(ExitStatus::kArtifact, "E403", [&] { BehavioralModel::load(folder / "m.h5"); });
}

TEST(Families, AreFoundByNameOrByWhatWasMeasured) {
  using circuit::ReadMode;
  EXPECT_EQ(find_family("automatic", {.read = ReadMode::kCurrent})->name, "current_mode");
  EXPECT_EQ(find_family("automatic", {.read = ReadMode::kDischarge})->name, "floating_line");
  EXPECT_EQ(find_family("automatic", {.read = ReadMode::kCharge})->name, "floating_line");
  EXPECT_EQ(find_family("floating_line", {.read = ReadMode::kCharge})->name, "floating_line");
  for (const ReadMode read : {ReadMode::kCurrent, ReadMode::kDischarge, ReadMode::kCharge})
    EXPECT_EQ(find_family("automatic", {.read = read, .cell = false})->name, "black_box");
  EXPECT_EQ(find_family("mystery", {.read = ReadMode::kCharge}), nullptr);
}

// --- The fit --------------------------------------------------------------------------------------------------------

/// Charge of a cell with two draws.
using TwoDraws = std::function<double(double x, std::size_t level, double volts, double z0, double z1)>;

/// A characterisation laid out as characterize lays it out, with charges by formula.
/// End voltages fall, as a discharge gives them.
circuit::Characterization measured(const TwoDraws& charge,
                                   std::vector<double> end_volts = {1.0, 0.96, 0.9, 0.81, 0.7, 0.6, 0.45, 0.3}) {
  circuit::Characterization c;
  c.array = model_of({}).array;
  c.mismatch = {{.name = "a", .device = "m1", .parameter = "delvto", .sigma = {0.03}},
                {.name = "b", .device = "m2", .parameter = "delvto", .sigma = {0.03}}};
  c.cell.input_levels_volts = {0, 1};
  c.cell.weight_levels = {0, 1};
  c.cell.bit_line_volts = {1, 0.5};
  c.cell.source_line_volts = {0};
  c.cell.cell_terms = {0, 1};
  c.cell.mismatch_points = {0, 0};
  RandomStream stream(24, StreamPurpose::kTest);
  for (int i = 0; i < 2 * 80; ++i) c.cell.mismatch_points.push_back(8 * stream.uniform() - 4);
  c.cell.noise_square_amperes = {1e-20, 2e-20, 3e-18, 4e-18};
  c.charge.final_volts = std::move(end_volts);
  for (const double x : {0.0, 1.0})
    for (std::size_t level = 0; level < 2; ++level)
      for (std::size_t m = 0; m < c.cell.mismatch_count(); ++m)
        for (const double v : c.charge.final_volts)
          c.charge.charge_coulombs.push_back(
              charge(x, level, v, c.cell.mismatch_points[2 * m], c.cell.mismatch_points[2 * m + 1]));
  return c;
}

/// Largest difference between the fitted family and the formula at its nodes, relative to the largest charge.
double largest_error(const FloatingLine& f, const TwoDraws& charge) {
  RandomStream stream(25, StreamPurpose::kTest);
  double largest = 0.0, scale = 0.0;
  std::vector<double> found(f.end_volts.size());
  for (int i = 0; i < 100; ++i) {
    const std::vector<double> z = {8 * stream.uniform() - 4, 8 * stream.uniform() - 4};
    for (const std::size_t x : {0, 1})
      for (const std::size_t level : {0, 1}) {
        f.cell_charge(x, level, f.monomials(z), found);
        for (std::size_t k = 0; k < found.size(); ++k) {
          const double expected = charge(static_cast<double>(x), level, f.end_volts[k], z[0], z[1]);
          largest = std::max(largest, std::fabs(found[k] - expected));
          scale = std::max(scale, std::fabs(expected));
        }
      }
  }
  return largest / scale;
}

const FloatingLine& family_of(const FamilyFit& fit) { return dynamic_cast<const FloatingLine&>(*fit.family); }

double scale_of(double x, std::size_t level, double volts) {
  return (x == 0 ? 0.01e-15 : 0.3e-15) * (level == 0 ? 0.2 : 1.0) * (1 - std::exp(-volts / 0.25));
}

TEST(FitFloatingLine, RecoversChargesOfEachDegree) {
  const std::vector<std::pair<int, TwoDraws>> cells = {
      {1, [](double x, std::size_t l, double v, double a,
             double b) { return scale_of(x, l, v) * (1 + 0.06 * a - 0.02 * b); }},
      {2, [](double x, std::size_t l, double v, double a,
             double b) { return scale_of(x, l, v) * (1 + 0.06 * a - 0.02 * b + 0.005 * a * b * v); }},
      {3, [](double x, std::size_t l, double v, double a, double b) {
         return scale_of(x, l, v) * (1 + 0.06 * a - 0.02 * b + 0.002 * a * a * b);
       }}};
  for (const auto& [degree, cell] : cells) {
    const auto data = measured(cell);
    const FamilyFit fit = fit_floating_line(data);
    const FloatingLine& f = family_of(fit);
    EXPECT_EQ(f.degree, degree);
    EXPECT_EQ(fit.tried[fit.chosen].degree, degree);
    EXPECT_LT(fit.tried[fit.chosen].held_out_maximum, 1e-9);
    EXPECT_LT(largest_error(f, cell), 1e-9);
    EXPECT_EQ(f.end_volts, std::vector<double>(data.charge.final_volts.rbegin(), data.charge.final_volts.rend()));
    for (std::size_t k = 0; k < 4; ++k)
      EXPECT_DOUBLE_EQ(f.thermal_square_coulombs[k], data.cell.noise_square_amperes[k] * 0.25e-18);
  }
}

TEST(FitFloatingLine, OfAnExponentialTakesAHighDegreeAndSaysItsError) {
  const TwoDraws cell = [](double x, std::size_t l, double v, double a, double b) {
    return scale_of(x, l, v) * std::exp(0.1 * a - 0.05 * b);
  };
  const FamilyFit fit = fit_floating_line(measured(cell));
  EXPECT_GE(family_of(fit).degree, 3);
  ASSERT_GE(fit.tried.size(), 3u);
  EXPECT_LT(fit.tried[2].held_out_rms, 0.1 * fit.tried[0].held_out_rms);
  EXPECT_LT(fit.tried[fit.chosen].held_out_rms, 1e-2);
  // Held out and fresh points are alike.
  EXPECT_LT(largest_error(family_of(fit), cell), 3 * fit.tried[fit.chosen].held_out_maximum);
  // Noise of the measurements does not raise the degree: it is worth a fifth of the error or not taken.
  auto noisy = measured([](double x, std::size_t l, double v, double a, double b) {
    return scale_of(x, l, v) * (1 + 0.06 * a - 0.02 * b);
  });
  RandomStream stream(26, StreamPurpose::kTest);
  for (double& q : noisy.charge.charge_coulombs) q += 1e-18 * stream.normal();
  EXPECT_EQ(family_of(fit_floating_line(noisy)).degree, 1);
}

TEST(FitFloatingLine, LeavesToleratedFailuresAndEqualVoltagesOut) {
  const TwoDraws cell = [](double x, std::size_t l, double v, double a, double b) {
    return scale_of(x, l, v) * (1 + 0.06 * a - 0.02 * b);
  };
  auto data = measured(cell, {1.0, 0.9, 0.8, 0.8 - 1e-6, 0.6, 0.4, std::nan(""), 0.3});  // two tell the same
  for (std::size_t i = 3; i < data.charge.charge_coulombs.size(); i += 41)
    data.charge.charge_coulombs[i] = std::nan("");
  const FamilyFit fit = fit_floating_line(data);
  EXPECT_EQ(family_of(fit).end_volts, (std::vector<double>{0.3, 0.4, 0.6, 0.8 - 1e-6, 0.9, 1.0}));
  EXPECT_LT(largest_error(family_of(fit), cell), 1e-9);
}

TEST(FitFloatingLine, OfASwitchRecoversItsCharge) {
  auto data = measured([](double x, std::size_t l, double v, double, double) { return scale_of(x, l, v); });
  data.charge.switch_farads = {20e-15, 40e-15, 80e-15};
  data.charge.switch_terms = {1};
  data.charge.switch_points = {0, -4, -2, -1, 1, 2, 4};
  // The open switch itself is 1.5 fF on the line.
  constexpr double kSwitch = 1.5e-15;
  const auto charge = [](double farads, double z) { return -1e-15 * (1 + 0.1 * z + 0.01 * z * z) - 1e-29 / farads; };
  for (const double farads : data.charge.switch_farads) {
    for (const double z : data.charge.switch_points)
      data.charge.switch_volts.push_back(kPrechargeVolts + charge(farads, z) / (farads + kSwitch));
    data.charge.switch_probe_volts.push_back(kPrechargeVolts + charge(farads, 0) / (farads + kSwitch) +
                                             0.5 * 0.1 * farads / (farads + kSwitch));
  }
  const FamilyFit fit = fit_floating_line(data);
  const FloatingLine& f = family_of(fit);
  for (const double farads : {20e-15, 25e-15, 40e-15, 70e-15, 80e-15})
    for (const double z : {-3.5, 0.0, 1.3}) {
      const std::vector<double> draws = {z};
      EXPECT_NEAR(f.switch_charge(farads, draws), charge(farads, z), 1e-9 * 1e-15) << farads << " " << z;
    }
  EXPECT_NEAR(f.switch_load_farads, kSwitch, 1e-9 * kSwitch);
}

TEST(FitFloatingLine, NeedsALineThatMoves) {
  const TwoDraws cell = [](double x, std::size_t l, double v, double, double) { return scale_of(x, l, v); };
  auto still = measured(cell);
  for (double& v : still.charge.final_volts) v = kPrechargeVolts;
  const auto message = expect_error(ExitStatus::kComputation, "E502", [&] { fit_floating_line(still); });
  EXPECT_NE(message.find("1 different voltages"), std::string::npos) << message;
  auto lost = measured(cell);
  for (double& v : lost.charge.final_volts) v = std::nan("");
  expect_error(ExitStatus::kComputation, "E502", [&] { fit_floating_line(lost); });
  auto failed = measured(cell);
  for (double& q : failed.charge.charge_coulombs) q = std::nan("");
  expect_error(ExitStatus::kComputation, "E504", [&] { fit_floating_line(failed); });
}

TEST(FitFloatingLine, IntervalsOfItsParametersCoverAsOftenAsTheySay) {
  const TwoDraws cell = [](double x, std::size_t l, double v, double a, double b) {
    return scale_of(x, l, v) * (1 + 0.06 * a - 0.02 * b);
  };
  const auto exact = measured(cell);
  const FamilyFit truth = fit_floating_line(exact);
  ASSERT_EQ(truth.parameters.size(), 2u * 2u * 8u * 3u);
  EXPECT_EQ(truth.parameters[0].name, "1");
  EXPECT_EQ(truth.parameters[1].name, "b");
  EXPECT_EQ(truth.parameters[2].name, "a");
  EXPECT_EQ(truth.parameters[0].regression, "input 0, level 0, end at 0.3 V, fC");
  EXPECT_NEAR(truth.parameters[0].interval.estimate, scale_of(0, 0, 0.3) * 1e15, 1e-12);
  // 30 cells of 32 regressions: misses of a parameter are binomial(960, 5 %), mean 48, σ 6.75. Fewer than 20 or more
  // than 80 have a probability of 6e-6.
  std::vector<int> misses(3, 0);
  for (std::uint64_t n = 0; n < 30; ++n) {
    auto noisy = exact;
    RandomStream stream(27, StreamPurpose::kTest, n);
    for (double& q : noisy.charge.charge_coulombs) q += 1e-18 * stream.normal();
    const FamilyFit fit = fit_floating_line(noisy);
    ASSERT_EQ(family_of(fit).degree, 1);
    for (std::size_t k = 0; k < fit.parameters.size(); ++k)
      misses[k % 3] += fit.parameters[k].interval.contains(truth.parameters[k].interval.estimate) ? 0 : 1;
  }
  for (const int m : misses) {
    EXPECT_GE(m, 20);
    EXPECT_LE(m, 80);
  }
}

}  // namespace
}  // namespace errata::behavioral
