#include "core/sha256.h"

#include <gtest/gtest.h>

#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"

namespace errata {
namespace {

TEST(Sha256, GivesThePublishedExamples) {  // FIPS 180-4, appendix B
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Sha256, OfAFileEqualsThatOfItsBytes) {
  const testing::TemporaryFolder folder;
  const std::string bytes(200001, '\0');  // longer than the reading buffer, and not a multiple of it
  EXPECT_EQ(sha256_of_file(folder.write("file", bytes)), sha256(bytes));
  testing::expect_error(ExitStatus::kArtifact, "E401", [&] { sha256_of_file(folder / "missing"); });
}

}  // namespace
}  // namespace errata
