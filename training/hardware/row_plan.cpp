#include "training/hardware/row_plan.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "training/layers/vector_clones.h"

namespace errata::training {

namespace {

using errormodel::ErrorTable;
using errormodel::StaticColumn;

constexpr std::size_t kBlock = RowPlan::kBlock, kCombinations = RowPlan::kCombinations;
constexpr int kFewestTicks = 48;
constexpr std::size_t kMostRows = 1000;  // pack_bits()

bool fits_in_sixteen_bits(const ErrorTable& t, const Tile& tile, const HardwareOptions& h) {
  const auto any_noise = [](double sigma) { return sigma > 0.0; };
  return !tile.differential() && tile.rows <= kMostRows && !h.adc.has_static_errors() && h.adc.noise_sigma == 0.0 &&
         t.dynamic_quantiles.empty() && std::ranges::any_of(t.dynamic_sigma, any_noise) && h.dac_bits <= 4 &&
         t.inputs == h.input_levels() && h.adc.bits + static_cast<int>(h.digits()) * h.dac_bits <= 16;
}

struct Reach {
  double low = 0, high = 0;
};

/// Smallest and largest y_s over all inputs and columns.
Reach reach_of(std::span<const StaticColumn> columns, std::size_t rows) {
  Reach all{1e300, -1e300};
  for (const StaticColumn& c : columns) {
    Reach own{c.offset, c.offset};
    for (std::size_t j = 0; j < rows; ++j) {
      double low = 0.0, high = 0.0;
      for (std::size_t k = j; k < c.weight.size(); k += rows) {
        low = std::min(low, c.weight[k]);
        high = std::max(high, c.weight[k]);
      }
      own.low += low;
      own.high += high;
    }
    all = {std::min(all.low, own.low), std::max(all.high, own.high)};
  }
  return all;
}

/// Makes a plan step by step; `ticks` to a MAC unit, `centre` in ticks.
class Planner {
 public:
  Planner(const ErrorTable& table, std::span<const Tile> slices, const HardwareOptions& hardware)
      : t_(table),
        h_(hardware),
        rows_(slices.front().rows),
        rows_per_group_(4 / static_cast<std::size_t>(hardware.dac_bits)) {
    plan_.bits = hardware.dac_bits;
    plan_.digits = hardware.digits();
    plan_.quads = (plan_.digits + RowPlan::kReads - 1) / RowPlan::kReads;
    plan_.groups = (rows_ + rows_per_group_ - 1) / rows_per_group_;
  }

  std::optional<RowPlan> make(std::span<const StaticColumn> columns) {
    plan_.columns = columns.size();
    plan_.blocks = (columns.size() + kBlock - 1) / kBlock;
    const Reach reach = reach_of(columns, rows_);
    if (!find_bins(reach) || !choose_ticks(reach) || !set_codes()) return std::nullopt;
    set_places();
    fill_surfaces();
    fill_sums(columns);
    return std::move(plan_);
  }

 private:
  /// As many ticks to an ADC step as 16 bits can have for all that a conversion may become; odd, so that codes
  /// begin between two ticks and rounding does not favour one; and such that they come from one multiplication.
  bool choose_ticks(const Reach& reach) {
    const double sigma = *std::ranges::max_element(t_.dynamic_sigma), step = h_.adc.step();
    const double end = t_.axes.y_at(first_point_ + bins_);
    const double low = std::min(reach.low + std::min(0.0, *std::ranges::min_element(t_.mu)) - 8 * sigma,
                                t_.axes.y_at(first_point_)),
                 high = std::max(reach.high + std::max(0.0, *std::ranges::max_element(t_.mu)) + 8 * sigma, end);
    constexpr double kSpan = 65000.0, kLargest = 32000.0;  // room for roundings of the sums
    const double most = std::min({kSpan * step / (high - low), kLargest * step / (8 * sigma), 4096.0});
    for (int s = (static_cast<int>(most) - 1) | 1; s >= kFewestTicks; s -= 2) {
      const int power = static_cast<int>(std::bit_width(static_cast<unsigned>(s))) - 1;
      const std::int64_t whole = std::int64_t{1} << (16 + power), scale = (whole + s - 1) / s;
      if (scale * s - whole > (std::int64_t{1} << power)) continue;  // not exact for all of 16 bits
      adc_step_ = s;
      plan_.code_shift = power;
      plan_.code_scale = static_cast<std::uint16_t>(scale);
      ticks_ = s / step;
      centre_ = std::round(0.5 * (low + high) * ticks_);
      return true;
    }
    return false;
  }

  bool set_codes() {
    const auto begin = static_cast<std::int64_t>(std::ceil((h_.adc.lowest_code() - 0.5) * adc_step_ - centre_)) +
                       32768;  // of the lowest code
    const std::int64_t skipped = begin < 0 ? -begin / adc_step_ : 0, last = h_.adc.codes() - 1 - skipped;
    if (last < 0 || begin >= 65536 - adc_step_) return false;
    plan_.below = static_cast<std::uint16_t>(std::max<std::int64_t>(begin, 0));
    plan_.above = static_cast<std::uint16_t>(begin < 0 ? -begin - skipped * adc_step_ : 0);
    plan_.highest_code = static_cast<std::uint16_t>(last);
    plan_.first_code = h_.adc.lowest_code() + static_cast<int>(skipped);
    return true;
  }

  /// Bins between the table's points, of those that the columns reach.
  bool find_bins(const Reach& reach) {
    const auto& axes = t_.axes;
    const double width = (axes.y_high - axes.y_low) / static_cast<double>(axes.y_points - 1),
                 last = static_cast<double>(axes.y_points - 1);
    first_point_ = static_cast<std::size_t>(std::clamp(std::floor((reach.low - axes.y_low) / width), 0.0, last - 1));
    const double end =
        std::clamp(std::ceil((reach.high - axes.y_low) / width), static_cast<double>(first_point_) + 1, last);
    bins_ = static_cast<std::size_t>(end) - first_point_;
    return bins_ <= 64;
  }

  void set_places() {
    plan_.sixteens = (bins_ + 15) / 16;
    const double low = t_.axes.y_at(first_point_), high = t_.axes.y_at(first_point_ + bins_);
    plan_.low = static_cast<std::uint16_t>(std::lround(low * ticks_ - centre_) + 32768);
    plan_.range = static_cast<std::uint16_t>(std::max(1L, std::lround((high - low) * ticks_)));
    plan_.place_shift = std::countl_zero(plan_.range);
    plan_.bin_bits = 15 - static_cast<int>(std::bit_width(bins_ - 1));
    // The last point falls just inside the last bin.
    const std::uint32_t whole = static_cast<std::uint32_t>(bins_) << plan_.bin_bits,
                        reached = static_cast<std::uint32_t>(plan_.range) << plan_.place_shift;
    plan_.place_scale =
        static_cast<std::uint16_t>(std::min<std::uint64_t>(((std::uint64_t{whole} << 16) - 1) / reached, 65535));
  }

  /// Rows of the surfaces at every activity, as ErrorSurfaces::at() has them.
  void fill_surfaces() {
    const auto activities = rows_ * (h_.input_levels() - 1) + 1;
    const std::size_t bins = 16 * plan_.sixteens;
    plan_.surfaces = AlignedValues<std::uint8_t>(activities * plan_.surface_size());
    for (std::size_t a = 0; a < activities; ++a) {
      const auto point = [&](std::size_t k, std::span<const double> nodes, double scale) {
        const double y = t_.axes.y_at(first_point_ + k);
        return std::lround(scale * ticks_ * errormodel::surface_value(t_.axes, nodes, y, static_cast<double>(a)));
      };
      std::uint8_t* row = plan_.surfaces.data() + a * plan_.surface_size();
      const auto put = [&](std::size_t surface, std::size_t bin, long value) {
        const auto bits = static_cast<std::uint16_t>(value);
        row[surface * 2 * bins + bin] = static_cast<std::uint8_t>(bits & 0xff);
        row[(surface * 2 + 1) * bins + bin] = static_cast<std::uint8_t>(bits >> 8);
      };
      for (std::size_t k = 0; k < bins_; ++k) {
        const long mu = point(k, t_.mu, 1.0), sigma = point(k, t_.dynamic_sigma, 8.0);
        put(0, k, mu);
        put(1, k, point(k + 1, t_.mu, 1.0) - mu);
        put(2, k, sigma);
        put(3, k, point(k + 1, t_.dynamic_sigma, 8.0) - sigma);
      }
    }
  }

  /// Sums of each group, rounded once; the columns' offsets stand in the first.
  void fill_sums(std::span<const StaticColumn> columns) {
    plan_.sums = AlignedValues<std::int16_t>(plan_.blocks * plan_.block_size());
    const std::size_t levels = h_.input_levels();
    for (std::size_t c = 0; c < columns.size(); ++c)
      for (std::size_t g = 0; g < plan_.groups; ++g) {
        std::array<double, kCombinations> sum{};
        sum[0] = g == 0 ? columns[c].offset - centre_ / ticks_ : 0.0;
        // Row k of the group stands at digit k of the combination: what is below it is there already.
        for (std::size_t k = 0, below = 1; k < rows_per_group_ && below * levels <= kCombinations; ++k, below *= levels)
          for (std::size_t x = 1; x < levels; ++x) {
            const std::size_t row = g * rows_per_group_ + k;
            const double weight = row < rows_ ? columns[c].weight[(x - 1) * rows_ + row] : 0.0;
            for (std::size_t rest = 0; rest < below; ++rest) sum[x * below + rest] = sum[rest] + weight;
          }
        std::int16_t* to =
            plan_.sums.data() + c / kBlock * plan_.block_size() + g * kCombinations * kBlock + c % kBlock;
        for (std::size_t k = 0; k < kCombinations; ++k)
          to[k * kBlock] = static_cast<std::int16_t>(std::lround(sum[k] * ticks_));
      }
  }

  const ErrorTable& t_;
  const HardwareOptions& h_;
  std::size_t rows_, rows_per_group_;
  RowPlan plan_;
  int adc_step_ = 0;
  double ticks_ = 1, centre_ = 0;
  std::size_t first_point_ = 0, bins_ = 1;
};

/// One digit of one-bit inputs of whole groups of four rows, four codes to a word.
ERRATA_VECTOR_CLONES std::uint32_t pack_bits(const std::uint32_t* codes, std::size_t groups, int digit,
                                             std::uint16_t* places) {
  std::uint32_t active = 0;
  for (std::size_t g = 0; g < groups; ++g) {
    const std::uint32_t bits = (codes[g] >> digit) & 0x01010101u;
    active += bits;  // at most 2⁸ groups: no byte overflows
    // Brings bit 8k to bit 24 + k; a combination takes 2 · kBlock = 2⁶ bytes.
    places[g] = static_cast<std::uint16_t>((bits * 0x01020408u) >> 24 << 6);
  }
  return active;
}

}  // namespace

std::optional<RowPlan> make_row_plan(const ErrorTable& table, std::span<const Tile> slices,
                                     const HardwareOptions& hardware, std::uint64_t seed, std::uint64_t chip) {
  if (!fits_in_sixteen_bits(table, slices.front(), hardware)) return std::nullopt;
  std::vector<StaticColumn> columns;
  for (const Tile& tile : slices)
    for (std::size_t c = 0; c < tile.conversions; ++c)
      columns.push_back(draw_static_column(table, seed, chip, tile.first_column + c, tile.plus_of(c), {}));
  return Planner(table, slices, hardware).make(columns);
}

void pack_reads(const RowPlan& plan, std::span<const std::uint8_t> codes, std::size_t rows, PackedReads& packed) {
  const std::size_t positions = codes.size() / rows, rows_per_group = 4 / static_cast<std::size_t>(plan.bits);
  packed.places.resize(positions * plan.digits * plan.groups);
  packed.activity.resize(positions * plan.digits);
  std::vector<std::uint8_t> padded(plan.groups * rows_per_group, 0);
  std::vector<std::uint32_t> words(plan.groups);
  const int levels = 1 << plan.bits;
  for (std::size_t k = 0; k < positions; ++k) {
    std::copy_n(codes.data() + k * rows, rows, padded.data());
    if (plan.bits == 1) std::memcpy(words.data(), padded.data(), padded.size());
    for (std::size_t d = 0; d < plan.digits; ++d) {
      const std::size_t read = k * plan.digits + d;
      std::uint16_t* places = packed.places.data() + read * plan.groups;
      const int shift = static_cast<int>(d) * plan.bits;
      if (plan.bits == 1) {
        const std::uint32_t active = pack_bits(words.data(), plan.groups, shift, places);
        packed.activity[read] =
            static_cast<std::uint16_t>((active & 0xff) + (active >> 8 & 0xff) + (active >> 16 & 0xff) + (active >> 24));
        continue;
      }
      std::uint32_t activity = 0;
      for (std::size_t g = 0; g < plan.groups; ++g) {
        std::uint32_t combination = 0;
        for (std::size_t r = 0; r < rows_per_group; ++r) {
          const std::uint32_t x = (static_cast<std::uint32_t>(padded[g * rows_per_group + r]) >> shift) &
                                  static_cast<std::uint32_t>(levels - 1);
          combination |= x << (r * static_cast<std::size_t>(plan.bits));
          activity += x;
        }
        places[g] = static_cast<std::uint16_t>(combination * 2 * kBlock);
      }
      packed.activity[read] = static_cast<std::uint16_t>(activity);
    }
  }
}

}  // namespace errata::training
