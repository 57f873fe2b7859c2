#include "training/hardware/composed_chip.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/random_stream.h"
#include "training/hardware/fast_normal.h"

namespace errata::training {

namespace {

using errormodel::ErrorTable;

/// Examples of bent ADCs that columns draw from, at every offset and gain: σ of what bends is right to 13 %.
constexpr std::size_t kAdcExamples = 64;
/// Chip that the examples belong to; no other use has its number.
constexpr std::uint64_t kExampleChip = std::numeric_limits<std::uint64_t>::max();

std::vector<float> fast_normals(std::uint64_t seed, StreamPurpose purpose, std::uint64_t tile, std::uint64_t chip,
                                std::size_t count) {
  std::vector<float> normals(count);
  fill_normals({seed, static_cast<std::uint32_t>(purpose), tile, 1, chip}, normals);
  return normals;
}

}  // namespace

ComposedChips::ComposedChips(const ErrorTable& table, const HardwareOptions& hardware, std::uint64_t seed)
    : table_(table),
      hardware_(hardware),
      seed_(seed),
      chip_factor_(ErrorTable::factor(table.chip)),
      column_factor_(ErrorTable::factor(table.column)) {
  // Constant part of (C + K)·φ: variance of the coefficient that multiplies 1.
  double variance = 0.0;
  for (int p = 0; p < 3; ++p)
    for (int q = 0; q < 3; ++q)
      variance += table.basis[3 * p] * table.basis[3 * q] * (table.chip[3 * p + q] + table.column[3 * p + q]);
  offset_sigma_ = std::hypot(std::sqrt(std::max(0.0, variance)), hardware.adc.offset_sigma * hardware.adc.step());
}

std::vector<std::vector<double>> ComposedChips::adc_examples() const {
  std::vector<std::vector<double>> examples;
  AdcOptions bent = hardware_.adc;
  bent.offset_sigma = bent.gain_sigma = 0.0;
  const auto straight = ideal_transitions(bent);
  for (std::uint64_t k = 0; bent.element_sigma > 0 && examples.size() < kAdcExamples; ++k) {
    examples.push_back(adc_transitions(bent, seed_, kExampleChip, k));
    // Its mirror image is as likely; with both the examples are straight on average.
    auto mirrored = examples.back();
    for (std::size_t t = 0; t < mirrored.size(); ++t) mirrored[t] = 2.0 * straight[t] - mirrored[t];
    std::ranges::sort(mirrored);
    examples.push_back(std::move(mirrored));
  }
  return examples;
}

/// `column_normals` three for each conversion.
std::vector<float> ComposedChips::column_terms(std::span<const double> chip_normals,
                                               std::span<const double> column_normals) const {
  std::vector<float> on;
  for (std::size_t c = 0; c < column_normals.size(); c += 3) {
    double theta[3] = {0, 0, 0};
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t j = 0; j <= i; ++j)
        theta[i] += chip_factor_[3 * i + j] * chip_normals[j] + column_factor_[3 * i + j] * column_normals[c + j];
    for (std::size_t k = 0; k < 3; ++k) {
      double sum = 0.0;
      for (std::size_t i = 0; i < 3; ++i) sum += theta[i] * table_.basis[3 * i + k];
      on.push_back(static_cast<float>(sum));
    }
  }
  return on;
}

std::vector<AdcDraw> ComposedChips::draw_adcs(const Tile& tile, std::uint64_t chip, Draws draws) const {
  const AdcOptions& adc = hardware_.adc;
  std::vector<AdcDraw> all;
  if (!adc.has_static_errors()) return all;
  AdcDraw draw;
  std::uint64_t of = std::numeric_limits<std::uint64_t>::max();
  for (std::size_t c = 0; c < tile.conversions; ++c) {
    const std::uint64_t number = (tile.first_column + c) / hardware_.columns_per_adc;
    if (number != of) {
      // The stream begins as adc_transitions() takes it: offset, gain. A later transition is a lower value.
      RandomStream random(seed_, StreamPurpose::kAdc, number, draws == Draws::kFresh ? 1 : 0, chip);
      draw.offset = static_cast<float>(-adc.offset_sigma * random.normal() * adc.step());
      draw.gain = static_cast<float>(1.0 + adc.gain_sigma * random.normal());
      draw.example = adc.element_sigma > 0 ? static_cast<std::uint32_t>(random.below(kAdcExamples)) : 0;
      of = number;
    }
    all.push_back(draw);
  }
  return all;
}

TileDraws ComposedChips::draw(const Tile& tile, std::uint64_t chip, Draws draws) const {
  const std::size_t cells = tile.rows * tile.conversions;
  const bool pair = tile.scheme == SignedScheme::kDifferentialBeforeAdc, several = table_.inputs > 2;
  TileDraws d;
  d.adc = draw_adcs(tile, chip, draws);
  std::vector<double> chip_normals(3), column_normals;
  if (draws == Draws::kFresh) {
    float shared[3];
    fill_normals({seed_, static_cast<std::uint32_t>(StreamPurpose::kTableChip), 0, 0, chip}, shared);
    std::ranges::copy(shared, chip_normals.begin());
    const auto own = fast_normals(seed_, StreamPurpose::kTableColumn, tile.number, chip, 3 * tile.conversions);
    column_normals.assign(own.begin(), own.end());
    d.plus = fast_normals(seed_, StreamPurpose::kTableCell, tile.number, chip, pair && several ? 2 * cells : cells);
    if (pair && several) {
      d.minus.assign(d.plus.begin() + static_cast<std::ptrdiff_t>(cells), d.plus.end());
      d.plus.resize(cells);
    }
  } else {
    // As draw_static_column() does it.
    RandomStream shared(seed_, StreamPurpose::kTableChip, 0, 0, chip);
    for (double& n : chip_normals) n = shared.normal();
    d.plus.resize(cells);
    d.minus.resize(cells);
    for (std::size_t c = 0; c < tile.conversions; ++c) {
      RandomStream column(seed_, StreamPurpose::kTableColumn, tile.first_column + c, 0, chip);
      for (int k = 0; k < 3; ++k) column_normals.push_back(column.normal());
      RandomStream cell(seed_, StreamPurpose::kTableCell, tile.first_column + c, 0, chip);
      for (std::size_t j = 0; j < tile.rows; ++j) {
        d.plus[j * tile.conversions + c] = static_cast<float>(cell.normal());
        d.minus[j * tile.conversions + c] = static_cast<float>(cell.normal());
      }
    }
  }
  d.on = column_terms(chip_normals, column_normals);
  return d;
}

std::vector<float> ComposedChips::column_rows(const Tile& tile, const TileDraws& draws,
                                              const ComposedTable& composed) const {
  std::vector<float> rows(2 * tile.conversions * composed.bins);
  for (std::size_t c = 0; c < tile.conversions; ++c) {
    const AdcDraw adc = draws.adc.empty() ? AdcDraw{} : draws.adc[c];
    composed.of_column((draws.on[3 * c] + adc.offset) / adc.gain, adc.example,
                       std::span(rows).subspan(2 * c * composed.bins, 2 * composed.bins));
  }
  return rows;
}

ComposedChips::CodeWeights ComposedChips::code_weights(const Tile& tile, const TileDraws& draws,
                                                       std::size_t input_level, float pass) const {
  const bool pair = tile.scheme == SignedScheme::kDifferentialBeforeAdc, both = !draws.minus.empty();
  const int largest = hardware_.largest_weight();
  const auto x = static_cast<float>(input_level);
  CodeWeights w;
  for (std::size_t c = 0; c < tile.conversions; ++c) {
    const float gain = draws.adc.empty() ? 1.0f : draws.adc[c].gain;
    for (int code = -largest; code <= largest; ++code) {
      const CellLevels levels = stored_levels(tile, hardware_, c, code);
      const std::size_t p = table_.kind(input_level, levels.plus), m = table_.kind(input_level, levels.minus);
      const float stored = static_cast<float>(levels.plus) - static_cast<float>(levels.minus);
      const auto drive = pair ? static_cast<float>(levels.plus + levels.minus + 2 * table_.minimum_conductance) : 1.0f;
      const auto mean = static_cast<float>(table_.level[p] - (pair ? table_.level[m] : 0.0));
      const auto spread = static_cast<float>(table_.cell_sigma[p]),
                 other = pair ? static_cast<float>(table_.cell_sigma[m]) : 0.0f;
      const float analog = mean + x * (draws.on[3 * c + 1] * stored + draws.on[3 * c + 2] * drive);
      w.mean.push_back(x * stored + pass * (analog / gain - x * stored));
      w.plus.push_back(pass / gain * (both ? spread : std::sqrt(spread * spread + other * other)));
      if (both) w.minus.push_back(-pass / gain * other);
    }
  }
  return w;
}

std::vector<float> ComposedChips::fold(const Tile& tile, std::span<const float> codes, const TileDraws& draws,
                                       float pass) const {
  const std::size_t conversions = tile.conversions, cells = tile.rows * conversions;
  const int largest = hardware_.largest_weight();
  // Where the weights of the code of a conversion begin, and which code it has.
  std::vector<std::int32_t> middle(conversions);
  std::vector<std::uint32_t> output(conversions);
  for (std::size_t c = 0; c < conversions; ++c) {
    middle[c] = static_cast<std::int32_t>(c) * (2 * largest + 1) + largest;
    output[c] = static_cast<std::uint32_t>(output_of(tile, c));
  }
  std::vector<float> weight((table_.inputs - 1) * cells);
  for (std::size_t x = 1; x < table_.inputs; ++x) {
    const CodeWeights w = code_weights(tile, draws, x, pass);
    float* out = weight.data() + (x - 1) * cells;
    for (std::size_t j = 0, at = 0; j < tile.rows; ++j) {
      const float* code = codes.data() + (tile.first_row + j) * tile.columns;
      for (std::size_t c = 0; c < conversions; ++c, ++at) {
        const auto k = static_cast<std::size_t>(middle[c] + static_cast<std::int32_t>(code[output[c]]));
        out[at] = w.mean[k] + w.plus[k] * draws.plus[at];
        if (!draws.minus.empty()) out[at] += w.minus[k] * draws.minus[at];
      }
    }
  }
  return weight;
}

}  // namespace errata::training
