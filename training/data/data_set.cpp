#include "training/data/data_set.h"

#include <fmt/format.h>

#include "core/error.h"
#include "training/data/cifar_loader.h"
#include "training/data/data_catalogue.h"
#include "training/data/glyphs.h"
#include "training/data/idx_loader.h"
#include "training/shards.h"

namespace errata::training {

namespace {

void keep_first(ImageSet& set, std::size_t count, std::size_t image_size) {
  if (count == 0 || count >= set.count()) return;
  set.labels.resize(count);
  set.pixels.resize(count * image_size);
}

DataSet load_idx(const DataSetEntry& entry, const DataSetOptions& options) {
  const auto folder = options.root / entry.name;
  const IdxLayout layout =
      entry.name == "emnist" ? IdxLayout{.transposed = true, .first_label = 1, .classes = 26} : IdxLayout{};
  IdxImages parts[2];  // training, test
  for_each_shard(2, options.threads, [&](std::size_t i) {
    parts[i] = load_idx_images(folder / entry.files[2 * i], folder / entry.files[2 * i + 1], layout);
  });
  if (!(parts[0].shape == parts[1].shape))
    throw Error(ExitStatus::kArtifact, "E404",
                fmt::format("{}: training and test images have different sizes", folder.string()));
  return {entry.name, parts[0].shape, layout.classes, std::move(parts[0].set), std::move(parts[1].set)};
}

DataSet load_cifar10(const DataSetEntry& entry, const DataSetOptions& options) {
  std::vector<std::filesystem::path> files;
  for (const auto& file : entry.files) files.push_back(options.root / entry.name / file);
  DataSet data{entry.name, kCifarShape, kCifarClasses, {}, {}};
  data.train = load_cifar(std::span(files).first(files.size() - 1), options.threads);
  data.test = load_cifar(std::span(files).last(1), options.threads);
  return data;
}

DataSet glyphs_of(const DataSetOptions& options) {
  GlyphOptions glyphs;
  glyphs.seed = options.seed;
  glyphs.threads = options.threads;
  if (options.train_images > 0) glyphs.train_images = options.train_images;
  if (options.test_images > 0) glyphs.test_images = options.test_images;
  return make_glyphs(glyphs);
}

}  // namespace

DataSet load_data_set(std::string_view name, const DataSetOptions& options) {
  const DataSetEntry& entry = data_set_entry(name);
  if (entry.format == DataSetFormat::kBuiltIn) return glyphs_of(options);
  DataSet data = entry.format == DataSetFormat::kIdx ? load_idx(entry, options) : load_cifar10(entry, options);
  keep_first(data.train, options.train_images, data.shape.size());
  keep_first(data.test, options.test_images, data.shape.size());
  return data;
}

}  // namespace errata::training
