#include "training/logs/append_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <fstream>

#include "core/error.h"

namespace errata::training {

namespace {

[[noreturn]] void cannot_write(const std::filesystem::path& path) {
  throw Error(ExitStatus::kEnvironment, "E601", fmt::format("cannot write {}", path.string()),
              "check that the folder exists, is writable and that the disk is not full");
}

void make_parent(const std::filesystem::path& path) {
  std::error_code ignored;  // what cannot be made shows when the file is opened
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), ignored);
}

}  // namespace

AppendFile::AppendFile(std::filesystem::path path) : path_(std::move(path)) {
  make_parent(path_);
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0) cannot_write(path_);
}

AppendFile::~AppendFile() { ::close(descriptor_); }

void AppendFile::append(std::string_view record) {
  if (::write(descriptor_, record.data(), record.size()) != static_cast<ssize_t>(record.size())) cannot_write(path_);
}

void AppendFile::sync() {
  if (::fsync(descriptor_) != 0) cannot_write(path_);
}

void replace_file(const std::filesystem::path& path, std::string_view contents) {
  make_parent(path);
  std::filesystem::path part = path;
  part += ".part";
  std::ofstream file(part, std::ios::binary | std::ios::trunc);
  file.write(contents.data(), static_cast<std::streamsize>(contents.size()));
  file.close();
  std::error_code failure;
  if (file) std::filesystem::rename(part, path, failure);
  if (!file || failure) cannot_write(path);
}

}  // namespace errata::training
