// `errata data`: list, make, and fetch from a server that the test starts itself.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/support/http_server.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"
#include "training/data/idx_loader.h"

namespace errata {
namespace {

using testing::bytes_of;
using testing::HttpServer;
using testing::ProgramResult;
using testing::TemporaryFolder;

void expect(const ProgramResult& r, int status, std::initializer_list<const char*> words) {
  EXPECT_EQ(r.status, status) << r.output;
  for (const char* word : words)
    EXPECT_NE(r.output.find(word), std::string::npos) << "no '" << word << "' in: " << r.output;
}

ProgramResult data(const TemporaryFolder& folder, const std::string& arguments) {
  return testing::errata("data " + arguments + " --data-dir " + folder.path().string());
}

TEST(DataCommand, ListsWhatIsThereAndWhatIsNot) {
  const TemporaryFolder folder;
  folder.write("mnist/train-images-idx3-ubyte", "a page that says not found");
  expect(data(folder, "list"), 0,
         {folder.path().c_str(), "glyphs", "built in", "incomplete", "t10k-labels-idx1-ubyte", "not found",
          "errata data fetch cifar-10", "licence", "Krizhevsky 2009"});
  expect(data(folder, "list --json"), 0, {"\"name\": \"cifar-10\"", "\"state\": \"not found\"", "\"licence\""});
}

TEST(DataCommand, MakeWritesTheGlyphsAsIdxFiles) {
  const TemporaryFolder folder;
  expect(data(folder, "make " + (folder / "glyphs").string() + " --seed 3"), 0, {"20000 training and 4000 test"});
  const auto made =
      training::load_idx_images(folder / "glyphs/t10k-images-idx3-ubyte", folder / "glyphs/t10k-labels-idx1-ubyte", {});
  const auto glyphs = training::load_data_set("glyphs", {.seed = 3, .train_images = 1});
  EXPECT_EQ(made.shape, glyphs.shape);
  EXPECT_EQ(made.set.pixels, glyphs.test.pixels);
  EXPECT_EQ(made.set.labels, glyphs.test.labels);
  folder.write("blocked", "");
  expect(data(folder, "make " + (folder / "blocked/below").string()), 6, {"E601"});
}

TEST(DataCommand, FetchRefusesWhatIsNotTheDataSet) {
  const TemporaryFolder folder;
  const HttpServer server(HttpServer::Files{{"train-images-idx3-ubyte.gz", "something else"}});
  expect(data(folder, "fetch mnist --from " + server.address()), 4, {"E404", "not the expected file", "SHA-256"});
  EXPECT_FALSE(std::filesystem::exists(folder / "mnist/train-images-idx3-ubyte.gz"));
  expect(data(folder, "fetch emnist --from " + server.address()), 6, {"E605", "gzip.zip", "404"});
  expect(data(folder, "fetch cifar-10 --from " + server.address()), 6, {"E605", "cifar-10-binary.tar.gz"});
}

TEST(DataCommand, UsageErrors) {
  const TemporaryFolder folder;
  expect(data(folder, "fetch"), 2, {"needs the name"});
  expect(data(folder, "fetch glyphs"), 2, {"built in"});
  expect(data(folder, "fetch minst"), 3, {"E511", "did you mean 'mnist'?"});
  expect(data(folder, "fetch mnist --from /some/folder"), 2, {"not an http"});
  expect(data(folder, "list --from http://127.0.0.1"), 2, {"--from"});
  expect(data(folder, "fetsh mnist"), 2, {"knows no 'fetsh'"});
}

TEST(DataCommand, FetchPutsOriginalFilesIntoTheUsersFolder) {
  const char* root = std::getenv("ERRATA_DATA");
  if (root == nullptr) GTEST_SKIP() << "ERRATA_DATA is not set";
  const auto originals = std::filesystem::path(root) / "mnist";
  HttpServer::Files files;
  for (const char* name : {"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz",
                           "t10k-labels-idx1-ubyte.gz"}) {
    if (!std::filesystem::exists(originals / name)) GTEST_SKIP() << "ERRATA_DATA holds no " << name;
    files[name] = bytes_of(originals / name);
  }
  const TemporaryFolder folder;
  const HttpServer server(files, {HttpServer::Fault::kBreakOff});
  const auto errata = [&](const std::string& arguments) {
    return testing::run_shell("unset ERRATA_DATA; export XDG_DATA_HOME=" + folder.path().string() + "; " +
                              ERRATA_PROGRAM + " data " + arguments);
  };
  expect(errata("fetch mnist --from " + server.address()), 0,
         {"60000 training and 10000 test images of 28×28", "licence", "LeCun"});
  EXPECT_EQ(server.requests().at(1).first_byte, files["train-images-idx3-ubyte.gz"].size() / 2);
  EXPECT_EQ(bytes_of(folder / "errata/mnist/t10k-labels-idx1-ubyte.gz"), files["t10k-labels-idx1-ubyte.gz"]);
  expect(errata("fetch mnist --from " + server.address()), 0, {"everything is there already"});
  expect(errata("list"), 0, {"found       60000"});
}

}  // namespace
}  // namespace errata
