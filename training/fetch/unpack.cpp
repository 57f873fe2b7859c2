#include "training/fetch/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <vector>

namespace errata::training {

namespace {

namespace fs = std::filesystem;

/// Members of an archive, front to back.
class Archive {
 public:
  explicit Archive(const fs::path& path) : path_(path), archive_(archive_read_new(), archive_read_free) {
    constexpr std::size_t kBlock = 1 << 16;
    archive_read_support_format_tar(archive_.get());
    archive_read_support_format_zip(archive_.get());
    archive_read_support_filter_gzip(archive_.get());
    check(archive_read_open_filename(archive_.get(), path.c_str(), kBlock));
  }

  /// Goes to the next regular file; false at the end.
  bool next() {
    for (;;) {
      const int status = archive_read_next_header(archive_.get(), &entry_);
      if (status == ARCHIVE_EOF) return false;
      check(status);
      if (archive_entry_filetype(entry_) == AE_IFREG && archive_entry_hardlink(entry_) == nullptr) return true;
    }
  }
  /// Its name without folders.
  std::string name() const {
    const char* path = archive_entry_pathname(entry_);
    return path == nullptr ? std::string() : fs::path(path).filename().string();
  }
  /// Its next bytes; 0 at its end.
  std::size_t read(std::span<char> out) {
    const la_ssize_t got = archive_read_data(archive_.get(), out.data(), out.size());
    if (got < 0) check(static_cast<int>(got));
    return static_cast<std::size_t>(got);
  }

  [[noreturn]] void damaged(std::string_view what) const {
    throw Error(ExitStatus::kArtifact, "E404", fmt::format("{}: {}", path_.string(), what),
                "delete the file and fetch the data set again");
  }

 private:
  void check(int status) const {
    if (status == ARCHIVE_OK) return;
    const char* text = archive_error_string(archive_.get());
    damaged(fmt::format("cannot be unpacked: {}", text == nullptr ? "unknown reason" : text));
  }

  fs::path path_;
  std::unique_ptr<archive, int (*)(archive*)> archive_;
  archive_entry* entry_ = nullptr;
};

/// A file under a name of its own that is gone unless it was moved into place.
class PartFile {
 public:
  explicit PartFile(const fs::path& target) : target_(target), path_(target) {
    path_ += ".part";
    file_.open(path_, std::ios::binary | std::ios::trunc);
  }
  ~PartFile() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  void write(std::span<const char> bytes) { file_.write(bytes.data(), static_cast<std::streamsize>(bytes.size())); }
  void commit() {
    file_.close();
    std::error_code failure;
    if (file_) fs::rename(path_, target_, failure);
    if (!file_ || failure)
      throw Error(ExitStatus::kEnvironment, "E601", fmt::format("cannot write {}", target_.string()),
                  "check that the folder is writable and that the disk is not full");
  }

 private:
  fs::path target_, path_;
  std::ofstream file_;
};

void write_member(Archive& archive, const fs::path& target, std::uint64_t largest_bytes, const RunContext& context) {
  PartFile file(target);
  std::vector<char> buffer(std::size_t{1} << 20);
  std::uint64_t bytes = 0;
  while (const std::size_t got = archive.read(buffer)) {
    stop_if_cancelled(context);
    bytes += got;
    if (bytes > largest_bytes)
      archive.damaged(fmt::format("{} is larger than {} bytes", target.filename().string(), largest_bytes));
    file.write(std::span(buffer).first(got));
  }
  file.commit();
}

}  // namespace

void unpack(const fs::path& path, std::span<const std::string> names, const fs::path& folder,
            std::uint64_t largest_bytes, const RunContext& context) {
  Archive archive(path);
  std::vector<std::string> missing(names.begin(), names.end());
  while (!missing.empty() && archive.next()) {
    const auto wanted = std::ranges::find(missing, archive.name());
    stop_if_cancelled(context);
    if (wanted == missing.end()) continue;
    write_member(archive, folder / *wanted, largest_bytes, context);
    missing.erase(wanted);
  }
  if (!missing.empty()) archive.damaged(fmt::format("does not hold {}", fmt::join(missing, ", ")));
}

}  // namespace errata::training
