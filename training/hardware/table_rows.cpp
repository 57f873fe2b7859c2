#include <algorithm>
#include <cmath>
#include <utility>

#include "core/random_stream.h"
#include "training/hardware/row_plan.h"
#include "training/hardware/table_conversion.h"

namespace errata::training {

namespace {

/// A slice among the columns of its rows.
struct SliceColumns {
  std::size_t first = 0;
  float weight = 0;  ///< MAC units of one code of the first digit
};

class TableRows final : public PreparedRows {
 public:
  TableRows(RowPlan plan, std::span<const Tile> slices, const HardwareOptions& hardware, std::uint64_t seed,
            std::uint64_t chip)
      : plan_(std::move(plan)),
        scheme_(slices.front().scheme),
        rows_(slices.front().rows),
        outputs_(slices.front().columns),
        number_(slices.front().number),
        seed_(seed),
        chip_(chip) {
    std::size_t first = 0;
    for (const Tile& tile : slices) {
      slices_.push_back({first, static_cast<float>(hardware.adc.step() * tile.slice_weight)});
      first += tile.conversions;
    }
    const int places =
        (1 << (static_cast<int>(plan_.digits) * plan_.bits)) - 1;  // Σ of the digits' weights · (2^bits − 1)
    first_code_sum_ = static_cast<float>(plan_.first_code * (places / ((1 << plan_.bits) - 1)));
  }

  void add(const CodePatches& patches, std::span<float> product) const override {
    // So many places of sums stay in the second-level cache while one block of columns after the other reads them.
    constexpr std::size_t kPlacesAtOnce = 1 << 14;
    const std::size_t at_once = std::max<std::size_t>(1, kPlacesAtOnce / (plan_.groups * plan_.digits)),
                      stride = plan_.blocks * RowPlan::kBlock;
    PackedReads packed;
    std::vector<std::uint16_t> sums(std::min(at_once, patches.positions) * stride);
    for (std::size_t image = 0; image < patches.images; ++image) {
      const NormalBlock name{seed_, static_cast<std::uint32_t>(StreamPurpose::kDynamicRead), number_,
                             patches.first_image + image, chip_};
      const ReadWords words(name), tails(tail_of(name));
      for (std::size_t first = 0; first < patches.positions; first += at_once) {
        const std::size_t count = std::min(at_once, patches.positions - first), at = image * patches.positions + first;
        pack_reads(plan_, patches.codes.subspan(at * rows_, count * rows_), rows_, packed);
        const RowReads reads{packed.places.data(), packed.activity.data(), count, first};
        for (std::size_t b = 0; b < plan_.blocks; ++b)
          row_block(plan_, b, reads, words, tails, sums.data() + b * RowPlan::kBlock, stride);
        for (std::size_t k = 0; k < count; ++k)
          add_outputs(sums.data() + k * stride, product.data() + (at + k) * outputs_);
      }
    }
  }

 private:
  static NormalBlock tail_of(NormalBlock name) {
    name.purpose = static_cast<std::uint32_t>(StreamPurpose::kDynamicReadTail);
    return name;
  }

  /// As add_outputs() of a tile, for the sums over all digits of all slices.
  void add_outputs(const std::uint16_t* sums, float* out) const {
    for (const SliceColumns& slice : slices_) {
      const std::uint16_t* s = sums + slice.first;
      const auto value = [&](std::size_t c) { return static_cast<float>(s[c]); };
      switch (scheme_) {
        case SignedScheme::kDifferentialBeforeAdc:
          for (std::size_t c = 0; c < outputs_; ++c) out[c] += slice.weight * (value(c) + first_code_sum_);
          break;
        case SignedScheme::kDifferentialAfterAdc:
          for (std::size_t c = 0; c < outputs_; ++c) out[c] += slice.weight * (value(2 * c) - value(2 * c + 1));
          break;
        case SignedScheme::kOffsetColumn: {
          const float reference = value(outputs_);
          for (std::size_t c = 0; c < outputs_; ++c) out[c] += slice.weight * (value(c) - reference);
          break;
        }
      }
    }
  }

  RowPlan plan_;
  SignedScheme scheme_;
  std::size_t rows_, outputs_;
  std::uint64_t number_, seed_, chip_;
  std::vector<SliceColumns> slices_;
  float first_code_sum_ = 0;  ///< what the codes below the plan's first one come to over all digits
};

}  // namespace

std::unique_ptr<PreparedRows> TableConversion::prepare_rows(std::span<const Tile> slices,
                                                            const HardwareOptions& hardware, std::uint64_t seed,
                                                            std::uint64_t chip) const {
  auto plan = make_row_plan(table_, slices, hardware, seed, chip);
  if (!plan) return nullptr;
  return std::make_unique<TableRows>(std::move(*plan), slices, hardware, seed, chip);
}

}  // namespace errata::training
