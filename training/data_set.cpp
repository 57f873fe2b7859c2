#include "training/data_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/error.h"
#include "training/glyphs.h"
#include "training/idx_loader.h"

namespace errata::training {

namespace {

constexpr std::array<std::string_view, 4> kNames{"glyphs", "mnist", "fashion-mnist", "emnist"};

void keep_first(ImageSet& set, std::size_t count, std::size_t image_size) {
  if (count == 0 || count >= set.count()) return;
  set.labels.resize(count);
  set.pixels.resize(count * image_size);
}

DataSet load_idx_pair(std::string_view name, const DataSetOptions& options) {
  const auto folder = options.root / std::string(name);
  const bool letters = name == "emnist";
  const std::string train = letters ? "emnist-letters-train" : "train", test = letters ? "emnist-letters-test" : "t10k";
  const IdxLayout layout = letters ? IdxLayout{.transposed = true, .first_label = 1, .classes = 26} : IdxLayout{};
  DataSet data;
  data.name = name;
  data.classes = layout.classes;
  IdxImages images =
      load_idx_images(folder / (train + "-images-idx3-ubyte"), folder / (train + "-labels-idx1-ubyte"), layout);
  data.shape = images.shape;
  data.train = std::move(images.set);
  images = load_idx_images(folder / (test + "-images-idx3-ubyte"), folder / (test + "-labels-idx1-ubyte"), layout);
  if (!(images.shape == data.shape))
    throw Error(ExitStatus::kArtifact, "E404",
                fmt::format("{}: training and test images have different sizes", folder.string()));
  data.test = std::move(images.set);
  keep_first(data.train, options.train_images, data.shape.size());
  keep_first(data.test, options.test_images, data.shape.size());
  return data;
}

}  // namespace

std::span<const std::string_view> data_set_names() { return kNames; }

DataSet load_data_set(std::string_view name, const DataSetOptions& options) {
  if (std::ranges::find(kNames, name) == kNames.end())
    throw Error(ExitStatus::kInvalidProject, "E511",
                fmt::format("no data set is called '{}'; known: {}", name, fmt::join(kNames, ", ")));
  if (name != "glyphs") return load_idx_pair(name, options);
  GlyphOptions glyphs;
  glyphs.seed = options.seed;
  glyphs.threads = options.threads;
  if (options.train_images > 0) glyphs.train_images = options.train_images;
  if (options.test_images > 0) glyphs.test_images = options.test_images;
  return make_glyphs(glyphs);
}

}  // namespace errata::training
