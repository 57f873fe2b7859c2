#include "behavioral/line/row_sums.h"

#include <gtest/gtest.h>

#include "core/random_stream.h"
#include "tests/support/random_line.h"
#include "tests/support/vector_targets.h"

namespace errata::behavioral {
namespace {

TEST(RowSums, AddWhatTheActiveRowsGive) {
  constexpr std::size_t kRows = 29, kLevels = 3;
  for (const std::size_t count : {1u, 8u, 9u, 100u})  // narrow blocks, and wide ones that are not full
    for (const std::size_t terms : {1u, 2u, 5u, 6u, 9u, 16u}) {
      RandomStream stream(6, StreamPurpose::kTest, count, terms);
      std::vector<float> added((kLevels - 1) * kRows * terms);
      // Multiples of 1/256 below 1: their sums are exact.
      for (float& a : added) a = static_cast<float>(stream.below(256)) / 256.0f;
      const auto inputs = testing::random_inputs(kRows, count, terms, kLevels);
      const PackedInputs packed(inputs, kRows, kRows, kLevels);
      testing::for_each_vector_target([&] {
        const RowSums rows(added, terms);
        for (std::size_t block = 0; block < packed.blocks(); ++block) {
          std::vector<float> sums(terms * packed.lanes(), 0.5f);
          rows.add(packed, block, sums);
          for (std::size_t l = 0; l < packed.filled(block); ++l)
            for (std::size_t t = 0; t < terms; ++t) {
              float expected = 0.5f;
              for (std::size_t j = 0; j < kRows; ++j)
                if (const std::size_t x = inputs[(block * packed.lanes() + l) * kRows + j]; x > 0)
                  expected += added[((x - 1) * kRows + j) * terms + t];
              EXPECT_EQ(sums[t * packed.lanes() + l], expected) << count << " " << terms << " " << l << " " << t;
            }
        }
      });
    }
}

}  // namespace
}  // namespace errata::behavioral
