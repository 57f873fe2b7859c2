#include "training/data/batches.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/random_stream.h"
#include "tests/support/statistical.h"
#include "training/data/batch_loader.h"

namespace errata::training {
namespace {

/// Images of random bytes.
ImageSet noise(std::size_t count, ImageShape shape) {
  RandomStream stream(21, StreamPurpose::kTest);
  ImageSet set;
  for (std::size_t i = 0; i < count * shape.size(); ++i)
    set.pixels.push_back(static_cast<std::uint8_t>(stream.below(256)));
  for (std::size_t i = 0; i < count; ++i) set.labels.push_back(static_cast<std::uint8_t>(i % 10));
  return set;
}

std::vector<std::uint32_t> all_of(const ImageSet& set) {
  std::vector<std::uint32_t> numbers(set.count());
  std::iota(numbers.begin(), numbers.end(), 0u);
  return numbers;
}

/// Pads by N black pixels, flips and crops, pixel by pixel as the words say.
float reference(const ImageSet& set, ImageShape shape, const BatchRequest& request, std::uint32_t image, std::size_t y,
                std::size_t x, std::size_t c) {
  RandomStream stream(request.seed, StreamPurpose::kAugmentation, image, request.epoch);
  const std::size_t pad = request.augmentation.shift_pixels;
  const std::size_t down = stream.below(2 * pad + 1), right = stream.below(2 * pad + 1);
  const bool flip = (stream.bits() >> 63) == 1 && request.augmentation.flip;
  // The crop begins at (2·pad − down, 2·pad − right) of the padded image.
  const std::size_t padded_y = y + 2 * pad - down, padded_x = x + 2 * pad - right;
  std::uint8_t byte = 0;
  if (padded_y >= pad && padded_y < pad + shape.height && padded_x >= pad && padded_x < pad + shape.width) {
    const std::size_t column = flip ? shape.width - 1 - (padded_x - pad) : padded_x - pad;
    byte = set.pixels[image * shape.size() + ((padded_y - pad) * shape.width + column) * shape.channels + c];
  }
  const float plain = static_cast<float>(byte) / 255.0f;
  if (request.normalization.empty()) return plain;
  return (plain - request.normalization.mean[c]) / request.normalization.deviation[c];
}

TEST(Batches, AgreeWithAPlainReference) {
  for (const ImageShape shape : {ImageShape{5, 7, 1}, ImageShape{6, 4, 3}, ImageShape{3, 3, 2}}) {
    const ImageSet set = noise(20, shape);
    const auto numbers = all_of(set);
    for (const Augmentation augmentation :
         {Augmentation{}, Augmentation{2, false}, Augmentation{0, true}, Augmentation{2, true}, Augmentation{9, true}})
      for (const bool normalized : {false, true}) {
        BatchRequest request{numbers, 3, 4, augmentation, {}};
        if (normalized) request.normalization = standard_normalization(set, shape.channels);
        Batch batch;
        fill_batch(set, shape, request, batch);
        EXPECT_EQ(batch.labels, set.labels);
        for (std::uint32_t i = 0; i < set.count(); ++i)
          for (std::size_t y = 0; y < shape.height; ++y)
            for (std::size_t x = 0; x < shape.width; ++x)
              for (std::size_t c = 0; c < shape.channels; ++c)
                ASSERT_EQ(batch.images.image(i)[(y * shape.width + x) * shape.channels + c],
                          reference(set, shape, request, i, y, x, c))
                    << i << " " << y << " " << x << " " << c;
      }
  }
}

TEST(Batches, FlippingLeavesTheShiftsAsTheyWere) {
  const ImageShape shape{8, 8, 1};
  const ImageSet set = noise(1, shape);
  const std::vector<std::uint32_t> first{0};
  Batch shifted, both;
  std::size_t flips = 0;
  constexpr std::uint64_t kEpochs = 2000;
  for (std::uint64_t epoch = 0; epoch < kEpochs; ++epoch) {
    fill_batch(set, shape, {first, 1, epoch, {2, false}, {}}, shifted);
    fill_batch(set, shape, {first, 1, epoch, {2, true}, {}}, both);
    const bool same = std::ranges::equal(shifted.images.values(), both.images.values());
    flips += same ? 0 : 1;
  }
  // A flipped image of noise never looks like the one that is not flipped.
  EXPECT_TRUE(errata::testing::agrees(static_cast<double>(flips), kEpochs / 2.0, std::sqrt(kEpochs / 4.0), 1e-6));
}

TEST(InputNormalization, IsMeanAndDeviationOfEachChannel) {
  ImageSet set;
  set.pixels = {0, 10, 7, 255, 20, 7};  // two pixels of three channels
  set.labels = {0};
  const InputNormalization standard = standard_normalization(set, 3);
  EXPECT_FLOAT_EQ(standard.mean[0], 0.5f);
  EXPECT_FLOAT_EQ(standard.deviation[0], 0.5f);
  EXPECT_FLOAT_EQ(standard.mean[1], 15.0f / 255.0f);
  EXPECT_FLOAT_EQ(standard.deviation[1], 5.0f / 255.0f);
  EXPECT_EQ(standard.deviation[2], 1.0f);
  const InputNormalization scale = scale_normalization(set, 3);
  EXPECT_EQ(scale.mean, std::vector<float>(3, 0.0f));
  EXPECT_EQ(scale.deviation, standard.deviation);
}

TEST(InputNormalization, NormalisedImagesHaveMean0AndDeviation1) {
  const ImageShape shape{16, 16, 3};
  const ImageSet set = noise(50, shape);
  const auto numbers = all_of(set);
  Batch batch;
  fill_batch(set, shape, {numbers, 1, 0, {}, standard_normalization(set, 3)}, batch);
  double sum[3] = {}, squares[3] = {};
  const auto values = batch.images.values();
  for (std::size_t i = 0; i < values.size(); ++i) {
    sum[i % 3] += values[i];
    squares[i % 3] += double{values[i]} * values[i];
  }
  // float carries 24 bits; sums of 12,800 values in double add nothing to that.
  for (int c = 0; c < 3; ++c) {
    EXPECT_NEAR(sum[c] / 12800.0, 0.0, 1e-6);
    EXPECT_NEAR(squares[c] / 12800.0, 1.0, 1e-5);
  }
}

std::vector<float> bytes_of(BatchLoader& loader, std::vector<std::uint64_t>& places) {
  std::vector<float> all;
  while (const LoadedBatch* loaded = loader.next()) {
    all.insert(all.end(), loaded->batch.images.values().begin(), loaded->batch.images.values().end());
    all.insert(all.end(), loaded->batch.labels.begin(), loaded->batch.labels.end());
    places.insert(places.end(), {loaded->epoch, loaded->number, loaded->first_image, loaded->batch.labels.size()});
  }
  return all;
}

class Loader : public ::testing::Test {
 protected:
  Loader() {
    options_.seed = 8;
    options_.batch_size = 10;
    options_.epochs = 3;
    options_.augmentation = {2, true};
  }
  const ImageShape shape_{8, 8, 3};
  const ImageSet set_ = noise(47, shape_);
  BatchLoaderOptions options_;
};

TEST_F(Loader, GivesTheSameBytesHoweverFarItWorksAhead) {
  // What a training without a loader does.
  std::vector<float> expected;
  std::vector<std::uint64_t> expected_places;
  for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
    const auto order = shuffled_order(47, 8, epoch);
    for (std::size_t first = 0; first < 47; first += 10) {
      Batch batch;
      const std::size_t count = std::min<std::size_t>(10, 47 - first);
      fill_batch(set_, shape_, {std::span(order).subspan(first, count), 8, epoch, {2, true}, {}}, batch);
      expected.insert(expected.end(), batch.images.values().begin(), batch.images.values().end());
      expected.insert(expected.end(), batch.labels.begin(), batch.labels.end());
      expected_places.insert(expected_places.end(), {epoch, first / 10, first, count});
    }
  }
  for (const std::size_t ahead : {0, 1, 2, 7, 100}) {
    options_.ahead = ahead;
    BatchLoader loader(set_, shape_, options_);
    std::vector<std::uint64_t> places;
    EXPECT_EQ(bytes_of(loader, places), expected) << ahead;
    EXPECT_EQ(places, expected_places) << ahead;
    EXPECT_EQ(loader.next(), nullptr);
    EXPECT_EQ(loader.next(), nullptr);
  }
}

TEST_F(Loader, GoesOnFromAnyPlace) {
  std::vector<std::uint64_t> places;
  BatchLoader whole(set_, shape_, options_);
  const auto all = bytes_of(whole, places);
  const std::size_t per_image = shape_.size() + 1;
  for (const auto& [epoch, batch, images] : {std::tuple<std::uint64_t, std::uint64_t, std::size_t>{0, 0, 0},
                                             {1, 3, 47 + 30},
                                             {1, 5, 2 * 47},
                                             {2, 4, 2 * 47 + 40},
                                             {3, 0, 3 * 47}}) {
    options_.first_epoch = epoch;
    options_.first_batch = batch;
    BatchLoader loader(set_, shape_, options_);
    const auto rest = bytes_of(loader, places);
    EXPECT_TRUE(std::ranges::equal(rest, std::span(all).subspan(images * per_image))) << epoch << " " << batch;
  }
}

TEST_F(Loader, CanBeLeftAtAnyTime) {
  for (std::size_t taken = 0; taken < 8; ++taken)
    for (const std::size_t ahead : {1, 3}) {
      options_.ahead = ahead;
      BatchLoader loader(set_, shape_, options_);
      for (std::size_t i = 0; i < taken; ++i) ASSERT_NE(loader.next(), nullptr);
    }
}

TEST_F(Loader, AnEmptySetHasNoBatches) {
  const ImageSet empty;
  options_.epochs = 1000000;
  EXPECT_EQ(BatchLoader(empty, shape_, options_).next(), nullptr);
}

TEST_F(Loader, ThrowsWhatGoesWrongInTheBackground) {
  for (const std::size_t ahead : {0, 2}) {
    options_.ahead = ahead;
    // A batch of such images is larger than what 48-bit addresses reach.
    BatchLoader loader(set_, {std::size_t{1} << 22, std::size_t{1} << 20, 3}, options_);
    EXPECT_THROW(loader.next(), std::bad_alloc);
    EXPECT_THROW(loader.next(), std::bad_alloc);
  }
}

}  // namespace
}  // namespace errata::training
