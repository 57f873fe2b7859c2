#include "core/hdf5_file.h"

#include <gtest/gtest.h>
#include <hdf5.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <limits>

#include "core/random_stream.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"

namespace errata {
namespace {

using testing::bytes_of;
using testing::expect_error;
using testing::TemporaryFolder;
using Real = std::span<const double>;

std::vector<double> ramp(std::size_t n) {
  std::vector<double> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = 0.1 * static_cast<double>(i);
  return values;
}

void write_example(const std::filesystem::path& path) {
  Hdf5Writer file(path);
  file.write("/small/doubles", Real(ramp(6)), {2, 3}, "V");
  file.write("/big/doubles", Real(ramp(20000)), {100, 200}, "A");  // compressed
  const std::vector<float> f = {1.5f, -2.5f};
  file.write("/small/floats", std::span<const float>(f), {2}, "1");
  const std::vector<std::int64_t> i = {-1, std::numeric_limits<std::int64_t>::max()};
  file.write("/small/integers", std::span<const std::int64_t>(i), {2}, "1");
  const std::vector<std::int32_t> i32 = {-7};
  file.write("/small/integers32", std::span<const std::int32_t>(i32), {1}, "1");
  const std::vector<std::uint8_t> b = {0, 255, 3};
  file.write("/small/bytes", std::span<const std::uint8_t>(b), {3}, "1");
  const std::vector<std::string> s = {"", "one", "zwei µ"};
  file.write_strings("/small/strings", s);
  file.write("/small/empty", Real(), {0, 3}, "V");
  file.write_scalar("/small/scalar", 1.0 / 3, "Ohm");
  file.attribute("/", "title", std::string_view("a title"));
  file.attribute("/", "nothing", std::string_view(""));
  file.attribute("/small", "count", std::int64_t{-5});
  file.attribute("/made/on/the/way", "ratio", 0.1);
  const std::int64_t version[] = {1, 2};
  file.attribute("/", "version", std::span<const std::int64_t>(version));
  file.commit();
}

TEST(Hdf5File, RoundTripIsExact) {
  const TemporaryFolder folder;
  const auto path = folder / "file.h5";
  write_example(path);
  const Hdf5Reader file(path);
  EXPECT_EQ(file.doubles("/small/doubles", {2, 3}), ramp(6));
  EXPECT_EQ(file.doubles("/big/doubles"), ramp(20000));
  EXPECT_EQ(file.shape("/big/doubles"), (Shape{100, 200}));
  EXPECT_EQ(file.floats("small/floats"), (std::vector<float>{1.5f, -2.5f}));
  EXPECT_EQ(file.integers("/small/integers"),
            (std::vector<std::int64_t>{-1, std::numeric_limits<std::int64_t>::max()}));
  EXPECT_EQ(file.integers("/small/integers32"), std::vector<std::int64_t>{-7});
  EXPECT_EQ(file.bytes("/small/bytes"), (std::vector<std::uint8_t>{0, 255, 3}));
  EXPECT_EQ(file.strings("/small/strings"), (std::vector<std::string>{"", "one", "zwei µ"}));
  EXPECT_TRUE(file.doubles("/small/empty", {0, 3}).empty());
  EXPECT_EQ(file.scalar("/small/scalar"), 1.0 / 3);
  EXPECT_EQ(file.units("/small/scalar"), "Ohm");
  EXPECT_EQ(file.text("/", "title"), "a title");
  EXPECT_EQ(file.text("/", "nothing"), "");
  EXPECT_EQ(file.integer("/small", "count"), -5);
  EXPECT_EQ(file.real("/made/on/the/way", "ratio"), 0.1);
  EXPECT_EQ(file.integer_list("/", "version"), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(file.children("/"), (std::vector<std::string>{"big", "made", "small"}));
  EXPECT_TRUE(file.is_group("/small"));
  EXPECT_FALSE(file.is_group("/small/bytes"));
  EXPECT_TRUE(file.has("/made/on"));
  EXPECT_FALSE(file.has("/made/off/way"));
  EXPECT_EQ(file.attributes("/").at("version"), "1.2");
  EXPECT_EQ(file.attributes("/").at("title"), "a title");
}

TEST(Hdf5File, IsReadAlikeByH5py) {
  const TemporaryFolder folder;
  const auto path = folder / "file.h5";
  write_example(path);
  if (std::system("/usr/bin/python3 -c 'import h5py' 2>/dev/null") != 0)
    GTEST_SKIP() << "python3-h5py is not installed";
  folder.write("read.py",
               "import h5py, sys\nf = h5py.File(sys.argv[1])\n"
               "assert f['small/doubles'].shape == (2, 3) and f['small/doubles'].attrs['units'] == b'V'\n"
               "assert f['big/doubles'][99, 199] == 0.1 * 19999\n"
               "assert list(f['small/bytes']) == [0, 255, 3]\nassert f['small/scalar'][()] == 1 / 3\n"
               "assert [s.decode() for s in f['small/strings']] == ['', 'one', 'zwei \\u00b5']\n"
               "assert f.attrs['title'] == b'a title' and list(f.attrs['version']) == [1, 2]\n");
  EXPECT_EQ(std::system(("/usr/bin/python3 " + (folder / "read.py").string() + " " + path.string()).c_str()), 0);
}

TEST(Hdf5File, TwoIdenticalWritesGiveTheSameBytes) {
  const TemporaryFolder folder;
  write_example(folder / "a.h5");
  write_example(folder / "b.h5");
  ASSERT_FALSE(bytes_of(folder / "a.h5").empty());
  EXPECT_TRUE(bytes_of(folder / "a.h5") == bytes_of(folder / "b.h5"));
}

TEST(Hdf5Writer, LeavesNothingWithoutCommit) {
  const TemporaryFolder folder;
  { Hdf5Writer(folder / "file.h5").write_scalar("/x", 1, "1"); }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Hdf5Writer, KeepsTheOldFileUntilCommit) {
  const TemporaryFolder folder;
  const auto path = folder / "deep/er/file.h5";  // missing folders are made
  write_example(path);
  const std::string old = bytes_of(path);
  {
    Hdf5Writer file(path);
    file.write_scalar("/x", 1, "1");
    EXPECT_TRUE(bytes_of(path) == old);
  }
  EXPECT_TRUE(bytes_of(path) == old);
  Hdf5Writer file(path);
  file.write_scalar("/x", 1, "1");
  file.commit();
  EXPECT_EQ(Hdf5Reader(path).scalar("/x"), 1);
  EXPECT_FALSE(std::filesystem::exists(path.string() + ".part"));
}

TEST(Hdf5Writer, NamesWhatItCannotWrite) {
  const TemporaryFolder folder;
  const auto file =
      folder.write("file", "");  // root ignores permissions, so a path below a file stands for a read-only folder
  for (const auto& path : {file / "below.h5", std::filesystem::path("/proc/errata/x.h5")})
    EXPECT_NE(expect_error(ExitStatus::kEnvironment, "E601", [&] { Hdf5Writer w(path); }).find(path.string()),
              std::string::npos);
  expect_error(ExitStatus::kEnvironment, "E601", [&] {
    std::filesystem::create_directory(folder / "taken.h5");
    Hdf5Writer w(folder / "taken.h5");  // the rename must fail
    w.write_scalar("/x", 1, "1");
    w.commit();
  });
  EXPECT_FALSE(std::filesystem::exists(folder / "taken.h5.part"));
}

TEST(Hdf5Writer, ReportsAFullDisk) {
  // A limit on the file's size stands for a full disk; only this test's own child process has it.
  const TemporaryFolder folder;
  const auto fill_the_disk = [&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1 << 14, 1 << 14};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    int status = 1;
    try {
      Hdf5Writer w(folder / "file.h5");
      std::vector<double> noise(100000);
      RandomStream stream(1, StreamPurpose::kTest);
      for (double& v : noise) v = stream.uniform();
      w.write("/x", Real(noise), {noise.size()}, "1");
      w.commit();
    } catch (const Error& e) {
      status = e.code() == "E601" && !std::filesystem::exists(folder / "file.h5") ? 0 : 2;
    }
    std::_Exit(status);
  };
  EXPECT_EXIT(fill_the_disk(), ::testing::ExitedWithCode(0), "");
}

TEST(Hdf5Writer, ShapeMustFitTheValues) {
  const TemporaryFolder folder;
  Hdf5Writer w(folder / "file.h5");
  expect_error(ExitStatus::kBug, "E700", [&] { w.write("/x", Real(ramp(5)), {2, 3}, "1"); });
  expect_error(ExitStatus::kBug, "E700", [&] { w.attribute("/", "long", std::string_view(std::string(70000, 'x'))); });
}

TEST(Hdf5Reader, MissingForeignAndTruncatedFiles) {
  const TemporaryFolder folder;
  expect_error(ExitStatus::kArtifact, "E401", [&] { Hdf5Reader r(folder / "missing.h5"); });
  expect_error(ExitStatus::kArtifact, "E402", [&] { Hdf5Reader r(folder.write("text.h5", "hello")); });
  expect_error(ExitStatus::kArtifact, "E402", [&] { Hdf5Reader r(folder.write("empty.h5", "")); });
  expect_error(ExitStatus::kArtifact, "E402", [&] { Hdf5Reader r(folder.path()); });
  write_example(folder / "file.h5");
  const std::string whole = bytes_of(folder / "file.h5");
  for (std::size_t size = 0; size < whole.size(); size += whole.size() / 50)
    expect_error(ExitStatus::kArtifact, "E402", [&] { Hdf5Reader r(folder.write("cut.h5", whole.substr(0, size))); });
}

/// Reads everything there is; every problem must be an Error of status artefact.
void read_everything(const std::filesystem::path& path) {
  const Hdf5Reader file(path);
  const auto visit = [&](const auto& self, const std::string& at) -> void {
    file.attributes(at);
    if (!file.is_group(at)) {
      try {
        file.doubles(at);
      } catch (const Error&) {
        file.strings(at);
      }
      return;
    }
    for (const auto& child : file.children(at)) self(self, at == "/" ? "/" + child : at + "/" + child);
  };
  visit(visit, "/");
}

TEST(Hdf5Reader, FlippedBytesAreReportedOrHarmless) {
  // HDF5 itself may be killed by a hostile file, so each damaged copy is read in a child of this process.
  const TemporaryFolder folder;
  write_example(folder / "file.h5");
  const std::string whole = bytes_of(folder / "file.h5");
  const auto read_damaged = [&] {
    RandomStream stream(14, StreamPurpose::kTest);
    for (int i = 0; i < 400; ++i) {
      std::string damaged = whole;
      const std::size_t head = std::min<std::size_t>(8192, damaged.size());
      for (int k = 0; k < 3; ++k) damaged[stream.below(head)] ^= static_cast<char>(1 + stream.below(255));
      try {
        read_everything(folder.write("damaged.h5", damaged));
      } catch (const Error& e) {
        if (e.status() != ExitStatus::kArtifact) std::_Exit(2);
      }
    }
    std::_Exit(0);
  };
  EXPECT_EXIT(read_damaged(), ::testing::ExitedWithCode(0), "");
}

TEST(Hdf5Reader, WrongNamesTypesAndShapes) {
  const TemporaryFolder folder;
  write_example(folder / "file.h5");
  const Hdf5Reader file(folder / "file.h5");
  const auto damaged = [](auto&& action) { return expect_error(ExitStatus::kArtifact, "E403", action); };
  EXPECT_NE(damaged([&] { file.doubles("/no/such"); }).find("/no/such"), std::string::npos);
  EXPECT_NE(damaged([&] {
              file.doubles("/small/doubles", {3, 2});
            }).find("has shape [2,3], expected [3,2]"),
            std::string::npos);
  damaged([&] { file.doubles("/small"); });
  damaged([&] { file.doubles("/small/strings"); });
  damaged([&] { file.strings("/small/doubles"); });
  damaged([&] { file.scalar("/small/doubles"); });
  damaged([&] { file.text("/", "version"); });
  damaged([&] { file.text("/", "no_such"); });
  damaged([&] { file.integer("/", "version"); });
  damaged([&] { file.integer("/", "title"); });
  damaged([&] { file.real("/", "title"); });
  damaged([&] { file.children("/small/doubles"); });
  damaged([&] { file.attributes("/no/such"); });
}

/// A file made with the plain C library: what no writer of errata's would make.
class HostileFile {
 public:
  explicit HostileFile(const std::filesystem::path& path)
      : file_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {}
  ~HostileFile() { H5Fclose(file_); }
  /// A chunked dataset that claims `shape` and stores nothing.
  void claim(const char* name, hid_t type, std::vector<hsize_t> shape) {
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    const std::vector<hsize_t> chunk(shape.size(), 1);
    H5Pset_chunk(properties, static_cast<int>(chunk.size()), chunk.data());
    const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
    const hid_t dataset = H5Dcreate2(file_, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    if (dataset >= 0) H5Dclose(dataset);
    H5Sclose(space);
    H5Pclose(properties);
  }
  void text_list(const char* name, std::size_t count) {
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, 8);
    const hsize_t sizes[] = {count};
    const hid_t space = H5Screate_simple(1, sizes, nullptr);
    const hid_t attribute = H5Acreate2(file_, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    const std::string data(8 * count, 'x');
    H5Awrite(attribute, type, data.data());
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
  }

 private:
  hid_t file_;
};

TEST(Hdf5Reader, RefusesHostileSizesBeforeTakingMemory) {
  const TemporaryFolder folder;
  const auto path = folder / "hostile.h5";
  {
    HostileFile file(path);
    file.claim("terabytes", H5T_NATIVE_DOUBLE, {hsize_t{1} << 40});
    file.claim("overflow", H5T_NATIVE_DOUBLE, {hsize_t{1} << 32, hsize_t{1} << 32, 2});
    const hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, 1000);
    file.claim("texts", text, {hsize_t{1} << 40});
    file.claim("wrapped", text, {hsize_t{1} << 32, (hsize_t{1} << 32) + 1});
    H5Tclose(text);
    file.text_list("texts", 4000);  // an array where one text is expected: 32 kB into 8 bytes
  }
  const Hdf5Reader file(path);
  const auto refused = [](auto&& action) { expect_error(ExitStatus::kArtifact, "E403", action); };
  refused([&] { file.doubles("/terabytes"); });
  refused([&] { file.doubles("/overflow"); });
  refused([&] { file.strings("/texts"); });
  refused([&] { file.strings("/wrapped"); });
  refused([&] { file.text("/", "texts"); });
  refused([&] { file.attributes("/"); });
}

TEST(Hdf5File, HoldsSeveralOfAKindBelowGroups) {
  const TemporaryFolder folder;
  Hdf5Writer file(folder / "f.h5");
  const auto write = [&](double value) {
    file.write_scalar("/a/value", value, "V");
    file.attribute("/", "value", value);
    file.attribute("/a", "value", value);
    file.write_strings("names", std::vector<std::string>{"x"});
  };
  write(1.0);
  file.enter("/op[1]");
  write(2.0);
  file.commit();
  const Hdf5Reader root(folder / "f.h5"), below(folder / "f.h5", "/op[1]");
  EXPECT_EQ(root.scalar("/a/value"), 1.0);
  EXPECT_EQ(root.real("/", "value"), 1.0);
  EXPECT_EQ(root.scalar("/op[1]/a/value"), 2.0);
  EXPECT_EQ(below.scalar("/a/value"), 2.0);
  EXPECT_EQ(below.real("/", "value"), 2.0);
  EXPECT_EQ(below.real("/a", "value"), 2.0);
  EXPECT_EQ(below.strings("names").size(), 1u);
  EXPECT_TRUE(below.has("/a"));
  EXPECT_FALSE(below.has("/op[1]"));
  EXPECT_EQ(below.children("/"), (std::vector<std::string>{"a", "names"}));
}

}  // namespace
}  // namespace errata
