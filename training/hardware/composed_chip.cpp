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

/// Conversions that store a weight code in the same way have the same number, 0 or 1.
std::size_t storing(const Tile& tile, std::size_t conversion) {
  if (tile.scheme == SignedScheme::kDifferentialAfterAdc) return conversion % 2;
  return tile.scheme == SignedScheme::kOffsetColumn && conversion == tile.columns ? 1 : 0;
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

TileDraws ComposedChips::draw(const Tile& tile, std::uint64_t chip, Draws draws, TileDraws d) const {
  const std::size_t cells = tile.rows * tile.conversions;
  const bool pair = tile.scheme == SignedScheme::kDifferentialBeforeAdc,
             several = table_.inputs > 2 || changes_cells(table_);
  d.minus.clear();
  d.adc = draw_adcs(tile, chip, draws);
  std::vector<double> chip_normals(3), column_normals;
  if (draws == Draws::kFresh) {
    float shared[3];
    fill_normals({seed_, static_cast<std::uint32_t>(StreamPurpose::kTableChip), 0, 0, chip}, shared);
    std::ranges::copy(shared, chip_normals.begin());
    std::vector<float> own(3 * tile.conversions);
    fill_normals({seed_, static_cast<std::uint32_t>(StreamPurpose::kTableColumn), tile.number, 1, chip}, own);
    column_normals.assign(own.begin(), own.end());
    d.plus.resize(pair && several ? 2 * cells : cells);
    fill_normals({seed_, static_cast<std::uint32_t>(StreamPurpose::kTableCell), tile.number, 1, chip}, d.plus);
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
  if (changes_cells(table_)) d.changes = draw_cell_changes(table_, tile, seed_, chip, draws == Draws::kFresh ? 1 : 0);
  return d;
}

std::vector<float> ComposedChips::column_rows(const Tile& tile, const TileDraws& draws, const ComposedTable& composed,
                                              std::vector<float> rows) const {
  rows.resize(2 * tile.conversions * composed.bins);
  for (std::size_t c = 0; c < tile.conversions; ++c) {
    const AdcDraw adc = draws.adc.empty() ? AdcDraw{} : draws.adc[c];
    composed.of_column((draws.on[3 * c] + adc.offset) / adc.gain, adc.example,
                       std::span(rows).subspan(2 * c * composed.bins, 2 * composed.bins));
  }
  return rows;
}

std::vector<ComposedChips::CodeTerms> ComposedChips::code_terms(const Tile& tile, std::size_t conversion,
                                                                std::size_t input_level) const {
  const bool pair = tile.scheme == SignedScheme::kDifferentialBeforeAdc;
  const int largest = hardware_.largest_weight();
  std::vector<CodeTerms> all;
  for (int code = -largest; code <= largest; ++code) {
    const CellLevels levels = stored_levels(tile, hardware_, conversion, code);
    const std::size_t p = table_.kind(input_level, levels.plus), m = table_.kind(input_level, levels.minus);
    all.push_back({static_cast<float>(levels.plus) - static_cast<float>(levels.minus),
                   pair ? static_cast<float>(levels.plus + levels.minus + 2 * table_.minimum_conductance) : 1.0f,
                   static_cast<float>(table_.level[p] - (pair ? table_.level[m] : 0.0)),
                   static_cast<float>(table_.cell_sigma[p]), pair ? static_cast<float>(table_.cell_sigma[m]) : 0.0f});
  }
  return all;
}

ComposedChips::CodeWeights ComposedChips::code_weights(const Tile& tile, const TileDraws& draws,
                                                       std::size_t input_level, float pass) const {
  const bool both = !draws.minus.empty();
  const auto x = static_cast<float>(input_level);
  std::vector<CodeTerms> terms[2];
  CodeWeights w;
  w.mean.reserve(tile.conversions * (2 * static_cast<std::size_t>(hardware_.largest_weight()) + 1));
  w.plus.reserve(w.mean.capacity());
  for (std::size_t c = 0; c < tile.conversions; ++c) {
    auto& codes = terms[storing(tile, c)];
    if (codes.empty()) codes = code_terms(tile, c, input_level);
    const float gain = draws.adc.empty() ? 1.0f : draws.adc[c].gain;
    for (const CodeTerms& t : codes) {
      const float analog = t.mean + x * (draws.on[3 * c + 1] * t.stored + draws.on[3 * c + 2] * t.drive);
      w.mean.push_back(x * t.stored + pass * (analog / gain - x * t.stored));
      w.plus.push_back(pass / gain * (both ? t.spread : std::sqrt(t.spread * t.spread + t.other * t.other)));
      if (both) w.minus.push_back(-pass / gain * t.other);
    }
  }
  return w;
}

std::vector<float> ComposedChips::fold_changed(const Tile& tile, std::span<const float> codes, const TileDraws& draws,
                                               float pass, std::vector<float> weight) const {
  const bool pair = tile.scheme == SignedScheme::kDifferentialBeforeAdc;
  const double g_min = pair ? table_.minimum_conductance : 0.0;
  const std::size_t conversions = tile.conversions, cells = tile.rows * conversions;
  weight.resize((table_.inputs - 1) * cells);
  for (std::size_t at = 0; at < cells; ++at) {
    const std::size_t row = at / conversions, c = at % conversions;
    const float code = codes[(tile.first_row + row) * tile.columns + output_of(tile, c)];
    const CellLevels levels = stored_levels(tile, hardware_, c, static_cast<int>(code));
    const double stored = static_cast<double>(levels.plus) - static_cast<double>(levels.minus),
                 normal = static_cast<double>(pair ? draws.minus[at] : 0.0f);
    const ChangedCell p = plus_cell(table_, draws.changes, at, levels.plus, static_cast<double>(draws.plus[at])),
                      m = minus_cell(table_, draws.changes, at, levels.minus, normal);
    const auto wp = static_cast<double>(p.level), wm = pair ? static_cast<double>(m.level) : 0.0;
    const double drive = pair ? wp + wm + 2 * table_.minimum_conductance : 1.0;
    const double gain = draws.adc.empty() ? 1.0 : static_cast<double>(draws.adc[c].gain);
    const double columns =
        static_cast<double>(draws.on[3 * c + 1]) * (wp - wm) + static_cast<double>(draws.on[3 * c + 2]) * drive;
    for (std::size_t x = 1; x < table_.inputs; ++x) {
      const double ideal = static_cast<double>(x) * stored;
      const double analog = cell_contribution(table_, p, x, g_min) -
                            (pair ? cell_contribution(table_, m, x, g_min) : 0.0) + static_cast<double>(x) * columns;
      weight[(x - 1) * cells + at] = static_cast<float>(ideal + static_cast<double>(pass) * (analog / gain - ideal));
    }
  }
  return weight;
}

std::vector<float> ComposedChips::fold(const Tile& tile, std::span<const float> codes, const TileDraws& draws,
                                       float pass, std::vector<float> weight) const {
  if (changes_cells(table_)) return fold_changed(tile, codes, draws, pass, std::move(weight));
  const std::size_t conversions = tile.conversions, cells = tile.rows * conversions;
  const int largest = hardware_.largest_weight();
  // Where the weights of the code of a conversion begin, and which code it has.
  std::vector<std::int32_t> middle(conversions);
  std::vector<std::uint32_t> output(conversions);
  for (std::size_t c = 0; c < conversions; ++c) {
    middle[c] = static_cast<std::int32_t>(c) * (2 * largest + 1) + largest;
    output[c] = static_cast<std::uint32_t>(output_of(tile, c));
  }
  weight.resize((table_.inputs - 1) * cells);
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
