#include "training/data/data_catalogue.h"

#include <fmt/format.h>

#include "core/diagnostic.h"
#include "training/data/cifar_loader.h"
#include "training/data/data_file.h"
#include "training/data/glyphs.h"
#include "training/data/idx_loader.h"

namespace errata::training {

namespace {

namespace fs = std::filesystem;

DataSetEntry glyphs() {
  return {"glyphs",
          DataSetFormat::kBuiltIn,
          "made digits, for first runs and tests",
          "part of errata",
          "none needed",
          "",
          {},
          {},
          {}};
}

std::vector<std::string> mnist_files() {
  return {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};
}

DataSetEntry mnist() {
  const std::string site = "https://yann.lecun.com/exdb/mnist/";
  return {
      "mnist",
      DataSetFormat::kIdx,
      "handwritten digits",
      "commonly given as CC BY-SA 3.0",
      "LeCun, Bottou, Bengio and Haffner 1998, Gradient-based learning applied to document recognition",
      site,
      mnist_files(),
      {{site + "train-images-idx3-ubyte.gz", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        9912422},
       {site + "train-labels-idx1-ubyte.gz", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28881},
       {site + "t10k-images-idx3-ubyte.gz", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        1648877},
       {site + "t10k-labels-idx1-ubyte.gz", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4542}},
      {}};
}

DataSetEntry fashion_mnist() {
  const std::string site = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/";
  return {
      "fashion-mnist",
      DataSetFormat::kIdx,
      "pictures of clothes",
      "MIT, Zalando SE",
      "Xiao, Rasul and Vollgraf 2017, Fashion-MNIST, arXiv:1708.07747",
      "https://github.com/zalandoresearch/fashion-mnist",
      mnist_files(),
      {{site + "train-images-idx3-ubyte.gz", "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        26421880},
       {site + "train-labels-idx1-ubyte.gz", "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29515},
       {site + "t10k-images-idx3-ubyte.gz", "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        4422102},
       {site + "t10k-labels-idx1-ubyte.gz", "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5148}},
      {}};
}

DataSetEntry emnist() {
  const std::vector<std::string> files = {
      "emnist-letters-train-images-idx3-ubyte", "emnist-letters-train-labels-idx1-ubyte",
      "emnist-letters-test-images-idx3-ubyte", "emnist-letters-test-labels-idx1-ubyte"};
  std::vector<std::string> members;
  for (const auto& file : files) members.push_back(file + ".gz");
  return {"emnist",
          DataSetFormat::kIdx,
          "handwritten letters (the letters split)",
          "derived from NIST Special Database 19",
          "Cohen, Afshar, Tapson and van Schaik 2017, EMNIST: an extension of MNIST to handwritten letters",
          "https://www.nist.gov/itl/products-and-services/emnist-dataset",
          files,
          {{"https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",
            "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e", 561753746}},
          members};
}

DataSetEntry cifar10() {
  const std::vector<std::string> files = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                          "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"};
  std::vector<std::string> members = files;
  members.emplace_back("batches.meta.txt");
  return {"cifar-10",
          DataSetFormat::kCifar,
          "small colour photographs",
          "none stated",
          "Krizhevsky 2009, Learning multiple layers of features from tiny images",
          "https://www.cs.toronto.edu/~kriz/cifar.html",
          files,
          {{"https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd", 170052171}},
          members};
}

void count_idx(FoundDataSet& found) {
  const auto train = idx_sizes(found.files[0]), test = idx_sizes(found.files[2]);
  if (train.size() != 3 || test.size() != 3) {
    found.problem =
        fmt::format("{} does not hold images", (train.size() != 3 ? found.files[0] : found.files[2]).string());
    return;
  }
  found.train_images = train[0];
  found.test_images = test[0];
  found.shape = {train[1], train[2], 1};
}

void count_cifar(FoundDataSet& found) {
  for (std::size_t i = 0; i < found.files.size(); ++i) {
    const std::uint64_t bytes = claimed_bytes(found.files[i]);
    if (bytes == 0 || bytes % kCifarRecordBytes != 0) {
      found.problem = fmt::format("{} is not of whole records", found.files[i].string());
      return;
    }
    (i + 1 == found.files.size() ? found.test_images : found.train_images) += bytes / kCifarRecordBytes;
  }
  found.shape = kCifarShape;
}

}  // namespace

std::span<const DataSetEntry> data_catalogue() {
  static const std::vector<DataSetEntry> all = {glyphs(), mnist(), fashion_mnist(), emnist(), cifar10()};
  return all;
}

const DataSetEntry& data_set_entry(std::string_view name) {
  std::vector<std::string> names;
  for (const auto& entry : data_catalogue()) {
    if (entry.name == name) return entry;
    names.push_back(entry.name);
  }
  const std::string near = nearest_name(name, names);
  throw Error(ExitStatus::kInvalidProject, "E511",
              fmt::format("no data set is called '{}'; known: {}", name, fmt::join(names, ", ")),
              near.empty() ? "" : fmt::format("did you mean '{}'?", near));
}

FoundDataSet find_data_set(const DataSetEntry& entry, const fs::path& root) {
  FoundDataSet found;
  for (const auto& name : entry.files) {
    if (const auto file = find_data_file(root / entry.name / name))
      found.files.push_back(*file);
    else
      found.missing.push_back(name);
  }
  if (entry.format == DataSetFormat::kBuiltIn) {
    found.train_images = GlyphOptions{}.train_images;
    found.test_images = GlyphOptions{}.test_images;
    found.shape = kGlyphShape;
  }
  if (!found.missing.empty() || entry.format == DataSetFormat::kBuiltIn) return found;
  try {
    entry.format == DataSetFormat::kIdx ? count_idx(found) : count_cifar(found);
  } catch (const Error& failure) {
    found.problem = failure.what();
  }
  if (!found.problem.empty()) found.train_images = found.test_images = 0;
  return found;
}

}  // namespace errata::training
