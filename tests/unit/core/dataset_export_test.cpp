// Exports of whole files, read back by an outside reader where there is one.
#include "core/dataset_export.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/expect_error.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace errata {
namespace {

using errata::testing::expect_error;
using errata::testing::TemporaryFolder;

std::filesystem::path example(const TemporaryFolder& folder, double last) {
  const auto path = folder / "x.h5";
  Hdf5Writer f(path);
  const std::vector<double> reals{0.1, 1e300, -2.5e-17, 3, 4, last};
  const std::vector<float> floats{0.25f, 0.1f};
  const std::vector<std::int64_t> integers{-7, std::int64_t{1} << 60};
  const std::vector<std::uint8_t> bytes{0, 255, 3};
  f.write("/a/reals", std::span<const double>(reals), {2, 3}, "V");
  f.write("/a/floats", std::span<const float>(floats), {2}, "1");
  f.write("/a/integers", std::span<const std::int64_t>(integers), {2}, "1");
  f.write("/bytes", std::span<const std::uint8_t>(bytes), {3, 1}, "1");
  f.write_scalar("/scalar", 2.0 / 3.0, "A");
  const std::vector<std::string> names{"plain", "with \"quotes\", comma", "µ"};
  f.write_strings("/names", names);
  f.attribute("/", "title", std::string_view("two\nlines"));
  f.attribute("/a", "count", std::int64_t{42});
  f.attribute("/a", "temperature", 300.15);
  f.commit();
  return path;
}

TEST(DatasetExport, CsvHasIndicesAndUnits) {
  const TemporaryFolder folder;
  const Hdf5Reader file(example(folder, 5));
  EXPECT_EQ(dataset_csv(file, "/a/reals"),
            "index0,index1,value [V]\n0,0,0.1\n0,1,1e+300\n0,2,-2.5e-17\n1,0,3\n1,1,4\n1,2,5\n");
  EXPECT_EQ(dataset_csv(file, "/names"), "index0,value\n0,\"plain\"\n1,\"with \"\"quotes\"\", comma\"\n2,\"µ\"\n");
  EXPECT_EQ(dataset_csv(file, "/scalar"), "value [A]\n0.6666666666666666\n");
  EXPECT_EQ(dataset_names(file),
            (std::vector<std::string>{"/a/floats", "/a/integers", "/a/reals", "/bytes", "/names", "/scalar"}));
}

TEST(DatasetExport, JsonAndNpzHoldTheSameNumbersAsTheFile) {
  const TemporaryFolder folder;
  const auto path = example(folder, 5);
  write_whole_file(folder / "x.json", file_json(Hdf5Reader(path)));
  write_whole_file(folder / "x.npz", file_npz(Hdf5Reader(path)));
  const auto script = folder.write("compare.py", R"(
import json, sys
import h5py, numpy as np
folder = sys.argv[1]
f = h5py.File(folder + "/x.h5")
tree = json.load(open(folder + "/x.json"))
npz = np.load(folder + "/x.npz")
seen = []
def visit(name, item):
    if not isinstance(item, h5py.Dataset):
        return
    seen.append(name)
    node = tree
    for part in name.split("/"):
        node = node[part]
    value = item[()]
    assert node["shape"] == list(item.shape), name
    if value.dtype.kind in "OS":
        texts = [t.decode() for t in value]
        assert node["values"] == texts, name
        assert [t.decode() for t in npz[name]] == texts, name
        return
    assert np.array_equal(np.array(node["values"], dtype=value.dtype), value), name
    assert np.array_equal(npz[name], value) and npz[name].shape == value.shape, name
    units = item.attrs["units"]
    assert node["units"] == (units if isinstance(units, str) else units.decode()), name
f.visititems(visit)
assert len(seen) == 6, seen
assert tree["@title"] == "two\nlines" and npz["@title"].item().decode() == "two\nlines"
assert tree["a"]["@count"] == 42 and tree["a"]["@temperature"] == 300.15
assert npz.zip.testzip() is None
)");
  const auto result = testing::run_shell("/usr/bin/python3 " + script.string() + " " + folder.path().string());
  EXPECT_EQ(result.status, 0) << result.output;
}

TEST(DatasetExport, JsonHasNoWordForWhatIsNotFinite) {
  const TemporaryFolder folder;
  const Hdf5Reader file(example(folder, NAN));
  expect_error(ExitStatus::kArtifact, "E408", [&] { file_json(file); });
  EXPECT_NO_THROW(file_npz(file));
}

TEST(DatasetExport, AFolderThatIsNotThereIsAnEnvironmentError) {
  expect_error(ExitStatus::kEnvironment, "E601", [] { write_whole_file("/nowhere/at/all.csv", "x"); });
}

}  // namespace
}  // namespace errata
