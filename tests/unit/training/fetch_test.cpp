// Downloads against a server that the test starts itself on 127.0.0.1.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "core/random_stream.h"
#include "core/sha256.h"
#include "tests/support/expect_error.h"
#include "tests/support/http_server.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"
#include "training/data/idx_loader.h"
#include "training/fetch/data_fetch.h"
#include "training/fetch/download.h"
#include "training/fetch/unpack.h"

namespace errata::training {
namespace {

using errata::testing::bytes_of;
using errata::testing::expect_error;
using errata::testing::HttpServer;
using errata::testing::TemporaryFolder;
using Fault = HttpServer::Fault;

std::string random_bytes(std::size_t count, std::uint64_t seed) {
  RandomStream stream(seed, StreamPurpose::kTest);
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(stream.below(256));
  return bytes;
}

class Download : public ::testing::Test {
 protected:
  DownloadRequest request(const HttpServer& server) {
    DownloadRequest r;
    r.address = server.address() + "file";
    r.sha256 = sha256(contents_);
    r.bytes = contents_.size();
    r.target = target();
    r.retry_seconds = 0.001;
    r.stall_seconds = 2.0;
    return r;
  }
  std::filesystem::path target() const { return folder_ / "file"; }
  std::filesystem::path part() const { return folder_ / "file.part"; }
  void expect_done() const {
    EXPECT_EQ(sha256(bytes_of(target())), sha256(contents_));
    EXPECT_FALSE(std::filesystem::exists(part()));
  }
  void expect_nothing() const { EXPECT_FALSE(std::filesystem::exists(target())); }

  std::string contents_ = random_bytes(300000, 1);
  TemporaryFolder folder_;
};

TEST_F(Download, PutsTheWholeFileInPlace) {
  const HttpServer server({{"file", contents_}});
  std::uint64_t last = 0;
  RunContext context;
  context.progress = [&](auto, auto done, auto total) {
    EXPECT_EQ(total, contents_.size());
    last = done;
  };
  EXPECT_EQ(download(request(server), context), DownloadOutcome::kDownloaded);
  expect_done();
  EXPECT_EQ(last, contents_.size());
  EXPECT_EQ(download(request(server), context), DownloadOutcome::kAlreadyThere);
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(Download, GoesOnWhereATransferBrokeOff) {
  const HttpServer server({{"file", contents_}}, {Fault::kBreakOff, Fault::kBreakOff});
  download(request(server), {});
  expect_done();
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[1].first_byte, contents_.size() / 2);
  EXPECT_EQ(requests[2].first_byte, contents_.size() / 2 + contents_.size() / 4);
}

TEST_F(Download, GoesOnInALaterRun) {
  folder_.write("file.part", contents_.substr(0, 1000));
  const HttpServer server({{"file", contents_}});
  download(request(server), {});
  expect_done();
  EXPECT_EQ(server.requests().at(0).first_byte, 1000u);
}

TEST_F(Download, AWholePartFileNeedsNoServer) {
  folder_.write("file.part", contents_);
  const HttpServer server({});
  download(request(server), {});
  expect_done();
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(Download, AServerWithoutRangesSendsEverythingAnew) {
  folder_.write("file.part", contents_.substr(0, 1000));
  const HttpServer server({{"file", contents_}}, {Fault::kIgnoreRange});
  download(request(server), {});
  expect_done();
}

TEST_F(Download, AnOldPartOfAnotherFileIsThrownAway) {
  for (const std::string& old :
       {random_bytes(1000, 2), random_bytes(contents_.size(), 2), random_bytes(contents_.size() + 1, 2)}) {
    folder_.write("file.part", old);
    const HttpServer server({{"file", contents_}});
    download(request(server), {});
    expect_done();
    std::filesystem::remove(target());
  }
}

TEST_F(Download, TriesABusyServerAgain) {
  const HttpServer server({{"file", contents_}}, {Fault::kBusy, Fault::kBusy, Fault::kNoLength, Fault::kRedirect});
  std::vector<std::string> notes;
  RunContext context;
  context.note = [&](std::string_view note) { notes.emplace_back(note); };
  download(request(server), context);
  expect_done();
  ASSERT_EQ(notes.size(), 3u);
  EXPECT_NE(notes[0].find("503"), std::string::npos) << notes[0];
}

TEST_F(Download, GoesOnAfterAStall) {
  const HttpServer server({{"file", contents_}}, {Fault::kStall});
  DownloadRequest r = request(server);
  r.stall_seconds = 1.0;
  download(r, {});
  expect_done();
  EXPECT_EQ(server.requests().at(1).first_byte, contents_.size() / 2);
}

TEST_F(Download, GivesUpAfterItsAttempts) {
  const HttpServer server({{"file", contents_}}, {Fault::kBusy, Fault::kBusy, Fault::kBusy, Fault::kBusy});
  DownloadRequest r = request(server);
  r.attempts = 3;
  const std::string message = expect_error(ExitStatus::kEnvironment, "E605", [&] { download(r, {}); });
  EXPECT_NE(message.find("3 attempts"), std::string::npos) << message;
  EXPECT_EQ(server.requests().size(), 3u);
  expect_nothing();
}

TEST_F(Download, ARefusalIsNotTriedAgain) {
  const HttpServer server({}, {Fault::kForbidden});
  const std::string message = expect_error(ExitStatus::kEnvironment, "E605", [&] { download(request(server), {}); });
  EXPECT_NE(message.find("403"), std::string::npos) << message;
  expect_error(ExitStatus::kEnvironment, "E605", [&] { download(request(server), {}); });  // 404
  EXPECT_EQ(server.requests().size(), 2u);
  expect_nothing();
}

TEST_F(Download, NoServerIsAnError) {
  DownloadRequest r;
  {
    const HttpServer server({});
    r = request(server);
  }
  r.attempts = 2;
  expect_error(ExitStatus::kEnvironment, "E605", [&] { download(r, {}); });
  r.address = "ftp://127.0.0.1/file";
  expect_error(ExitStatus::kEnvironment, "E605", [&] { download(r, {}); });
  r.address = "file://" + folder_.write("other", contents_).string();
  expect_error(ExitStatus::kEnvironment, "E605", [&] { download(r, {}); });
  expect_nothing();
}

TEST_F(Download, OtherBytesAreRefused) {
  std::string flipped = contents_;
  flipped[12345] = static_cast<char>(flipped[12345] ^ 1);
  for (const std::string& other : {flipped, contents_ + "x", contents_.substr(1), std::string()}) {
    const HttpServer server({{"file", other}});
    expect_error(ExitStatus::kArtifact, "E404", [&] { download(request(server), {}); });
    expect_nothing();
  }
  // Nothing of it stays behind to spoil the next try.
  const HttpServer server({{"file", contents_}});
  download(request(server), {});
  expect_done();
}

TEST_F(Download, AnEndlessFileIsStoppedEarly) {
  const HttpServer server({{"file", std::string(64u << 20, 'x')}});
  expect_error(ExitStatus::kArtifact, "E404", [&] { download(request(server), {}); });
  EXPECT_LE(std::filesystem::exists(part()) ? std::filesystem::file_size(part()) : 0, contents_.size());
}

TEST_F(Download, CancellingKeepsWhatIsThere) {
  const HttpServer server({{"file", contents_}}, {Fault::kBreakOff, Fault::kBusy});
  bool stop = false;
  RunContext context;
  context.note = [&](std::string_view) { stop = true; };
  context.cancelled = [&] { return stop; };
  expect_error(ExitStatus::kInterrupted, "E130", [&] { download(request(server), context); });
  expect_nothing();
  EXPECT_EQ(bytes_of(part()), contents_.substr(0, contents_.size() / 2));
}

TEST_F(Download, AFolderThatIsMissingIsAnError) {
  const HttpServer server({{"file", contents_}});
  DownloadRequest r = request(server);
  r.target = folder_ / "missing" / "file";
  expect_error(ExitStatus::kEnvironment, "E601", [&] { download(r, {}); });
}

// ---- archives, made with the system's own tar and Python's zip as outside writers where they are at hand ----

class Unpack : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_.write("in/set/a.bin", random_bytes(50000, 3));
    folder_.write("in/set/b.bin", "short");
    folder_.write("in/set/unwanted", "unwanted");
    std::filesystem::create_directories(folder_ / "out");
    ASSERT_EQ(errata::testing::run_shell("tar -C " + (folder_ / "in").string() + " -czf " + archive().string() + " set")
                  .status,
              0);
  }
  std::filesystem::path archive() const { return folder_ / "set.tar.gz"; }
  void run(std::uint64_t largest = 1 << 20) { unpack(archive(), names_, folder_ / "out", largest, {}); }

  TemporaryFolder folder_;
  std::vector<std::string> names_{"a.bin", "b.bin"};
};

TEST_F(Unpack, TakesTheNamedFilesOut) {
  run();
  EXPECT_EQ(bytes_of(folder_ / "out/a.bin"), bytes_of(folder_ / "in/set/a.bin"));
  EXPECT_EQ(bytes_of(folder_ / "out/b.bin"), "short");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out/unwanted"));
}

TEST_F(Unpack, WhatIsWrongIsAnError) {
  expect_error(ExitStatus::kArtifact, "E404", [&] { run(1000); });  // a bomb
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "out"));
  names_.push_back("c.bin");
  const std::string message = expect_error(ExitStatus::kArtifact, "E404", [&] { run(); });
  EXPECT_NE(message.find("c.bin"), std::string::npos);
  expect_error(ExitStatus::kArtifact, "E404", [&] { unpack(folder_ / "nothing", names_, folder_ / "out", 1000, {}); });
}

TEST_F(Unpack, LinksArePassedOver) {
  std::filesystem::remove(folder_ / "in/set/b.bin");
  std::filesystem::create_symlink("/etc/passwd", folder_ / "in/set/b.bin");
  ASSERT_EQ(
      errata::testing::run_shell("tar -C " + (folder_ / "in").string() + " -czf " + archive().string() + " set").status,
      0);
  expect_error(ExitStatus::kArtifact, "E404", [&] { run(); });
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::symlink_status(folder_ / "out/b.bin")));
}

TEST_F(Unpack, DamagedArchivesNeverCrash) {
  const std::string good = bytes_of(archive());
  RandomStream stream(7, StreamPurpose::kTest);
  for (int round = 0; round < 100; ++round) {
    std::string bad = good;
    if (round % 2 == 0) bad.resize(stream.below(good.size()));
    for (int flips = 0; flips < 3 && !bad.empty(); ++flips)
      bad[stream.below(bad.size())] = static_cast<char>(stream.below(256));
    folder_.write("set.tar.gz", bad);
    try {
      run();
    } catch (const Error& failure) {
      EXPECT_EQ(failure.code(), "E404") << failure.what();
    }
    EXPECT_FALSE(std::filesystem::exists(folder_ / "out/a.bin.part"));
  }
}

// ---- whole data sets ----

RemoteFile remote(const std::string& name, const std::string& contents) {
  return {"https://example.invalid/path/" + name, sha256(contents), contents.size()};
}

TEST(FetchDataSet, FetchesFiles) {
  const TemporaryFolder folder;
  DataSetEntry entry{.name = "tiny", .format = DataSetFormat::kIdx, .files = {"one", "two"}};
  entry.remote = {remote("one.gz", "first"), remote("two.gz", "second")};
  const HttpServer server(HttpServer::Files{{"one.gz", "first"}, {"two.gz", "second"}});
  const FetchOptions options{folder / "root", server.address(), 2, 0.001};
  EXPECT_EQ(fetch_data_set(entry, options, {}), (std::vector<std::string>{"one.gz", "two.gz"}));
  EXPECT_EQ(bytes_of(folder / "root/tiny/two.gz"), "second");
  EXPECT_TRUE(fetch_data_set(entry, options, {}).empty());
  std::filesystem::remove(folder / "root/tiny/two.gz");
  EXPECT_EQ(fetch_data_set(entry, options, {}), std::vector<std::string>{"two.gz"});
  EXPECT_EQ(server.requests().size(), 3u);
}

TEST(FetchDataSet, FetchesAndUnpacksAnArchive) {
  const TemporaryFolder folder;
  folder.write("in/cifar-10-batches-bin/one.bin", "first");
  folder.write("in/cifar-10-batches-bin/readme.html", "text");
  ASSERT_EQ(errata::testing::run_shell("tar -C " + (folder / "in").string() + " -czf " +
                                       (folder / "set.tar.gz").string() + " cifar-10-batches-bin")
                .status,
            0);
  const std::string archive = bytes_of(folder / "set.tar.gz");
  DataSetEntry entry{.name = "tiny", .format = DataSetFormat::kCifar, .files = {"one.bin"}};
  entry.remote = {remote("set.tar.gz", archive)};
  entry.members = {"one.bin"};
  const HttpServer server({{"set.tar.gz", archive}}, {Fault::kBreakOff});
  const FetchOptions options{folder / "root", server.address(), 2, 0.001};
  EXPECT_EQ(fetch_data_set(entry, options, {}), std::vector<std::string>{"one.bin"});
  EXPECT_EQ(bytes_of(folder / "root/tiny/one.bin"), "first");
  EXPECT_FALSE(std::filesystem::exists(folder / "root/tiny/set.tar.gz"));
  EXPECT_TRUE(fetch_data_set(entry, options, {}).empty());
  EXPECT_EQ(server.requests().size(), 2u);
}

/// A zip file of one stored member, written by hand after PKWARE's APPNOTE.
std::string zip_of(const std::string& name, const std::string& contents, std::uint32_t crc) {
  const auto little = [](std::uint64_t value, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 255);
    return text;
  };
  const std::string common = little(20, 2) + little(0, 2) + little(0, 2) + little(0, 4) + little(crc, 4) +
                             little(contents.size(), 4) + little(contents.size(), 4) + little(name.size(), 2) +
                             little(0, 2);
  const std::string local = "PK\3\4" + common + name + contents;
  const std::string central = "PK\1\2" + little(20, 2) + common + little(0, 2) + little(0, 2) + little(0, 2) +
                              little(0, 4) + little(0, 4) + name;
  return local + central + "PK\5\6" + little(0, 2) + little(0, 2) + little(1, 2) + little(1, 2) +
         little(central.size(), 4) + little(local.size(), 4) + little(0, 2);
}

TEST(FetchDataSet, ReadsZipArchives) {
  const TemporaryFolder folder;
  constexpr std::uint32_t kCheck = 0xcbf43926;  // CRC-32 of "123456789", its published check value
  const std::vector<std::string> names{"letters.gz"};
  unpack(folder.write("good.zip", zip_of("gzip/letters.gz", "123456789", kCheck)), names, folder.path(), 100, {});
  EXPECT_EQ(bytes_of(folder / "letters.gz"), "123456789");
  std::filesystem::remove(folder / "letters.gz");
  const auto bad = folder.write("bad.zip", zip_of("gzip/letters.gz", "123456780", kCheck));
  expect_error(ExitStatus::kArtifact, "E404", [&] { unpack(bad, names, folder.path(), 100, {}); });
  EXPECT_FALSE(std::filesystem::exists(folder / "letters.gz"));
}

TEST(FetchDataSet, UsageErrors) {
  const TemporaryFolder folder;
  FetchOptions options{folder.path(), "", 1, 0.001};
  expect_error(ExitStatus::kUsage, "E102", [&] { fetch_data_set(data_set_entry("glyphs"), options, {}); });
  options.base_address = "/a/folder";
  expect_error(ExitStatus::kUsage, "E102", [&] { fetch_data_set(data_set_entry("mnist"), options, {}); });
  options.root = folder.write("blocked", "") / "below";
  options.base_address = "http://127.0.0.1:1";
  expect_error(ExitStatus::kEnvironment, "E601", [&] { fetch_data_set(data_set_entry("mnist"), options, {}); });
}

}  // namespace
}  // namespace errata::training
