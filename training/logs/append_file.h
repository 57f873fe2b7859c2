#pragma once

#include <filesystem>
#include <string_view>

namespace errata::training {

/// A file that records are appended to, each in one write, so that a crash leaves whole records and at most one torn
/// one. Errors of every member: the file can't be written (environment, E601).
class AppendFile {
 public:
  /// Makes the file and its folder if need be.
  explicit AppendFile(std::filesystem::path path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  void append(std::string_view record);
  /// Forces everything to the disk.
  void sync();

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// Puts a file of these contents in place of whatever is there, whole or not at all.
void replace_file(const std::filesystem::path& path, std::string_view contents);

}  // namespace errata::training
