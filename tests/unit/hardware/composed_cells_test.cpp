#include "training/hardware/composed_cells.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/statistical.h"
#include "tests/support/synthetic_table.h"
#include "training/hardware/composed_chip.h"

namespace errata::training {
namespace {

errormodel::ErrorTable aged_table() {
  auto table = testing::synthetic_table();
  table.drift = {1.0, {0.02, 0.03, 0.03, 0.04}, {0.005, 0.005, 0.01, 0.01}};
  table.elapsed_seconds = 1e4;
  table.faults = {0.05, 0.1};
  return table;
}

/// 20 rows and 7 outputs of weights −3 … 3.
struct Layer {
  Layer() {
    for (std::size_t k = 0; k < 140; ++k) codes.push_back(static_cast<float>(static_cast<int>(k * 5 % 7) - 3));
    tile.rows = 20;
    tile.columns = tile.conversions = 7;
    tile.first_column = 11;
  }
  Tile tile;
  std::vector<float> codes;
};

TEST(CellChanges, AChipOfEvaluationIsThatOfTheTablesOwnDraws) {
  const auto table = aged_table();
  const Layer layer;
  const HardwareOptions hardware{20, 4, 3, 4, table.adc};
  const ComposedChips chips(table, hardware, 3);
  const auto draws = chips.draw(layer.tile, 5, ComposedChips::Draws::kEvaluation);
  const auto weight = chips.fold(layer.tile, layer.codes, draws, 1.0f);
  for (std::size_t c = 0; c < 7; ++c) {
    std::vector<std::uint8_t> plus, minus;
    for (std::size_t j = 0; j < 20; ++j) {
      const auto code = static_cast<int>(layer.codes[j * 7 + c]);
      plus.push_back(static_cast<std::uint8_t>(std::max(code, 0)));
      minus.push_back(static_cast<std::uint8_t>(std::max(-code, 0)));
    }
    const auto expected = errormodel::draw_static_column(table, 3, 5, 11 + c, plus, minus);
    for (std::size_t j = 0; j < 20; ++j) EXPECT_NEAR(weight[j * 7 + c], expected.weight[j], 2e-5);  // normals in fp32
  }
}

TEST(CellChanges, FreshChipsHaveTheRates) {
  const auto table = aged_table();
  Tile tile;
  tile.rows = 128;
  tile.columns = tile.conversions = 100;
  const CellChanges changes = draw_cell_changes(table, tile, 1, 1'000'000, 1);
  double lowest = 0, highest = 0, sum = 0, square = 0;
  const double cells = 2.0 * static_cast<double>(changes.plus_stuck.size());
  for (const auto* line : {&changes.plus_stuck, &changes.minus_stuck})
    for (const Stuck stuck : *line) {
      lowest += stuck == Stuck::kLowest;
      highest += stuck == Stuck::kHighest;
    }
  for (const auto* line : {&changes.plus_exponent, &changes.minus_exponent})
    for (const float normal : *line) {
      sum += static_cast<double>(normal);
      square += static_cast<double>(normal) * static_cast<double>(normal);
    }
  // Each false alarm 1e-5; standard errors of shares, of a mean and of a variance.
  EXPECT_TRUE(testing::agrees(lowest / cells, 0.05, std::sqrt(0.05 * 0.95 / cells), 1e-5));
  EXPECT_TRUE(testing::agrees(highest / cells, 0.1, std::sqrt(0.1 * 0.9 / cells), 1e-5));
  EXPECT_TRUE(testing::agrees(sum / cells, 0.0, std::sqrt(1.0 / cells), 1e-5));
  EXPECT_TRUE(testing::agrees(square / cells, 1.0, std::sqrt(2.0 / cells), 1e-5));
}

}  // namespace
}  // namespace errata::training
