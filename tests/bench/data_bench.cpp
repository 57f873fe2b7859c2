// How fast images come: filling batches (no files needed), and reading the data sets of $ERRATA_DATA.
#include <benchmark/benchmark.h>

#include <cstdlib>

#include "core/random_stream.h"
#include "training/data/batch_loader.h"
#include "training/data/data_catalogue.h"

namespace errata::training {
namespace {

ImageSet noise(std::size_t count, ImageShape shape) {
  RandomStream stream(1, StreamPurpose::kTest);
  ImageSet set;
  set.labels.resize(count);
  set.pixels.resize(count * shape.size());
  for (std::uint8_t& pixel : set.pixels) pixel = static_cast<std::uint8_t>(stream.below(256));
  return set;
}

/// Batches of 64 images of 32×32, 3 channels: plain, cropped, flipped, normalised.
void fill(benchmark::State& state, Augmentation augmentation, bool normalized) {
  const ImageShape shape{32, 32, 3};
  const ImageSet set = noise(6400, shape);
  const auto order = shuffled_order(set.count(), 1, 0);
  BatchRequest request{{}, 1, 0, augmentation, {}};
  if (normalized) request.normalization = standard_normalization(set, shape.channels);
  Batch batch;
  for (auto _ : state)
    for (std::size_t first = 0; first < set.count(); first += 64) {
      request.images = std::span(order).subspan(first, 64);
      fill_batch(set, shape, request, batch);
      benchmark::DoNotOptimize(batch.images.data());
    }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * set.count()));
}
BENCHMARK_CAPTURE(fill, plain, Augmentation{}, false);
BENCHMARK_CAPTURE(fill, crop_and_flip, Augmentation{4, true}, false);
BENCHMARK_CAPTURE(fill, crop_flip_normalised, Augmentation{4, true}, true);

/// The same through the loader; what the caller waits for when it does nothing else.
void load_ahead(benchmark::State& state) {
  const ImageShape shape{32, 32, 3};
  const ImageSet set = noise(6400, shape);
  BatchLoaderOptions options;
  options.augmentation = {4, true};
  options.ahead = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    BatchLoader loader(set, shape, options);
    while (const LoadedBatch* loaded = loader.next()) benchmark::DoNotOptimize(loaded->batch.images.data());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * set.count()));
}
BENCHMARK(load_ahead)->Arg(0)->Arg(2)->UseRealTime();

void read_files(benchmark::State& state, const std::string& name) {
  const char* root = std::getenv("ERRATA_DATA");
  if (root == nullptr || !find_data_set(data_set_entry(name), root).missing.empty()) {
    state.SkipWithError("ERRATA_DATA does not hold it");
    return;
  }
  std::size_t images = 0;
  for (auto _ : state) {
    const DataSet data = load_data_set(name, {.root = root});
    images = data.train.count() + data.test.count();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * images));
}
BENCHMARK_CAPTURE(read_files, mnist, std::string("mnist"))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(read_files, cifar_10, std::string("cifar-10"))->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace errata::training

BENCHMARK_MAIN();
