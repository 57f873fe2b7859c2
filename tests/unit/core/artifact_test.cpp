#include "core/artifact.h"

#include <gtest/gtest.h>

#include "core/version.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"

namespace errata {
namespace {

using testing::expect_error;
using testing::TemporaryFolder;

Provenance example() {
  return {.format = "behavioral",
          .major_version = 3,
          .minor_version = 4,
          .inputs = {{"netlist", "abc"}, {"characterization", "def"}},
          .config = "array.rows = 8\narray.x = \"a b\"\n",
          .seed = 9007199254740993ULL};
}

void write(const std::filesystem::path& path, const Provenance& p) {
  Hdf5Writer file(path);
  write_provenance(file, p);
  file.commit();
}

TEST(Provenance, RoundTrip) {
  const TemporaryFolder folder;
  write(folder / "a.h5", example());
  const Hdf5Reader file(folder / "a.h5");
  const Provenance p = read_provenance(file, "behavioral", 3);
  EXPECT_EQ(p.format, "behavioral");
  EXPECT_EQ(p.minor_version, 4);
  EXPECT_EQ(p.config, example().config);
  EXPECT_EQ(p.seed, example().seed);
  ASSERT_EQ(p.inputs.size(), 2u);
  EXPECT_EQ(p.inputs[1].role, "characterization");
  EXPECT_EQ(p.inputs[1].sha256, "def");
  EXPECT_EQ(p.fingerprint(), example().fingerprint());
  EXPECT_EQ(stored_fingerprint(folder / "a.h5"), example().fingerprint());
  EXPECT_EQ(file.text("/", "errata_version"), kVersion);
  EXPECT_EQ(file.integer("/", "complete"), 1);
}

TEST(Provenance, FingerprintChangesWithEveryPart) {
  const std::string base = example().fingerprint();
  EXPECT_EQ(base, example().fingerprint());
  EXPECT_EQ(base.size(), 64u);
  for (const auto& change : std::vector<std::function<void(Provenance&)>>{
           [](Provenance& p) { p.format = "x"; }, [](Provenance& p) { ++p.major_version; },
           [](Provenance& p) { ++p.minor_version; }, [](Provenance& p) { p.inputs[0].sha256 = "x"; },
           [](Provenance& p) { p.inputs.pop_back(); }, [](Provenance& p) { p.config += "x"; },
           [](Provenance& p) { ++p.seed; }}) {
    Provenance p = example();
    change(p);
    EXPECT_NE(p.fingerprint(), base);
  }
}

TEST(ReadProvenance, RefusesForeignFilesAndOtherVersions) {
  const TemporaryFolder folder;
  write(folder / "a.h5", example());
  const Hdf5Reader file(folder / "a.h5");
  const auto wrong_format =
      expect_error(ExitStatus::kArtifact, "E405", [&] { read_provenance(file, "error_table", 3); });
  EXPECT_NE(wrong_format.find("is a 'behavioral' file; a 'error_table' file is needed"), std::string::npos);
  const auto wrong_major = expect_error(ExitStatus::kArtifact, "E405", [&] { read_provenance(file, "behavioral", 2); });
  EXPECT_NE(wrong_major.find("has format version 3.4; this errata reads 2.x"), std::string::npos);

  Hdf5Writer foreign(folder / "b.h5");
  foreign.write_scalar("/x", 1, "1");
  foreign.commit();
  const Hdf5Reader other(folder / "b.h5");
  expect_error(ExitStatus::kArtifact, "E405", [&] { read_provenance(other, "behavioral", 3); });
}

TEST(ReadProvenance, AcceptsAnotherMinorVersion) {
  const TemporaryFolder folder;
  Provenance p = example();
  p.minor_version = 99;
  write(folder / "a.h5", p);
  const Hdf5Reader file(folder / "a.h5");
  EXPECT_EQ(read_provenance(file, "behavioral", 3).minor_version, 99);
}

TEST(StoredFingerprint, IsEmptyWithoutAUsableFile) {
  const TemporaryFolder folder;
  EXPECT_EQ(stored_fingerprint(folder / "missing.h5"), "");
  EXPECT_EQ(stored_fingerprint(folder.write("text.h5", "hello")), "");
  EXPECT_EQ(stored_fingerprint(folder.path()), "");
  Hdf5Writer incomplete(folder / "b.h5");
  incomplete.attribute("/", "fingerprint", std::string_view("abc"));
  incomplete.commit();
  EXPECT_EQ(stored_fingerprint(folder / "b.h5"), "");  // not marked complete
}

}  // namespace
}  // namespace errata
