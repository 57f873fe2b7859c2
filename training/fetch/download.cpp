#include "training/fetch/download.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <thread>

#include "core/sha256.h"
#include "core/version.h"

namespace errata::training {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

[[noreturn]] void cannot_write(const fs::path& path, int error) {
  throw Error(ExitStatus::kEnvironment, "E601",
              fmt::format("cannot write {}: {}", path.string(), std::generic_category().message(error)),
              "check that the folder is writable and that the disk is not full");
}

/// The bytes so far, TARGET.part, locked against a second download of the same file.
class PartFile {
 public:
  explicit PartFile(const fs::path& target) : path_(target) {
    path_ += ".part";
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (descriptor_ < 0) cannot_write(path_, errno);
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
    ::close(descriptor_);
    throw Error(ExitStatus::kEnvironment, "E605", fmt::format("another process is downloading {}", target.string()),
                "wait until it has ended");
  }
  ~PartFile() { ::close(descriptor_); }
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  const fs::path& path() const { return path_; }
  std::uint64_t size() const {
    const off_t end = ::lseek(descriptor_, 0, SEEK_END);
    return end > 0 ? static_cast<std::uint64_t>(end) : 0;
  }
  bool append(const char* bytes, std::size_t count) {
    while (count > 0) {
      const ssize_t written = ::write(descriptor_, bytes, count);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      bytes += written;
      count -= static_cast<std::size_t>(written);
    }
    return true;
  }
  void clear() {
    if (::ftruncate(descriptor_, 0) != 0) cannot_write(path_, errno);
  }
  void move_to(const fs::path& target) {
    std::error_code failure;
    if (::fsync(descriptor_) != 0) cannot_write(path_, errno);
    fs::rename(path_, target, failure);
    if (failure) cannot_write(target, failure.value());
  }

 private:
  fs::path path_;
  int descriptor_ = -1;
};

// Statuses of HTTP.
constexpr long kWhole = 200, kPart = 206, kRequestTimeout = 408, kRangeNotSatisfiable = 416, kTooManyRequests = 429,
               kServerError = 500;

/// What one attempt came to.
struct Attempt {
  CURLcode code = CURLE_OK;
  long status = 0;  ///< of HTTP
  std::string message;
  bool too_long = false, stalled = false;
  bool length_known = false;  ///< the server had announced how much it sends
  int disk_error = 0;         ///< errno of a failed write
};

/// One request to the server, from the end of the part file on.
class Transfer {
 public:
  Transfer(const DownloadRequest& request, const RunContext& context, PartFile& part)
      : request_(request),
        context_(context),
        part_(part),
        start_(part.size()),
        name_(request.target.filename().string()),
        curl_(curl_easy_init(), curl_easy_cleanup) {
    if (!curl_) throw Error(ExitStatus::kEnvironment, "E605", "libcurl cannot be set up", "run `errata doctor`");
  }

  Attempt run() {
    CURL* curl = curl_.get();
    const bool safe = request_.address.starts_with("https:");
    curl_easy_setopt(curl, CURLOPT_URL, request_.address.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, safe ? "https" : "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, fmt::format("errata/{}", kVersion).c_str());
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request_.stall_seconds * 1000.0));
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message_);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Transfer::take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &Transfer::tell);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, this);
    if (start_ > 0) curl_easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(start_));
    attempt_.code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &attempt_.status);
    curl_off_t announced = -1;
    curl_easy_getinfo(curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
    attempt_.length_known = announced >= 0;
    if (attempt_.stalled)
      attempt_.message = fmt::format("nothing came for {:g} s", request_.stall_seconds);
    else
      attempt_.message = message_[0] != '\0' ? message_ : curl_easy_strerror(attempt_.code);
    return attempt_;
  }

 private:
  static std::size_t take(char* bytes, std::size_t, std::size_t count, void* self) {
    auto& me = *static_cast<Transfer*>(self);
    long status = 0;
    curl_easy_getinfo(me.curl_.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status != kWhole && status != kPart) return count;  // a page that tells of an error
    me.received_ += count;
    me.attempt_.too_long = me.start_ + me.received_ > me.request_.bytes;
    if (me.attempt_.too_long) return 0;
    if (me.part_.append(bytes, count)) return count;
    me.attempt_.disk_error = errno;
    return 0;
  }

  static int tell(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& me = *static_cast<Transfer*>(self);
    if (me.context_.cancelled()) return 1;
    const auto now = Clock::now();
    if (me.received_ != me.told_) me.last_news_ = now;
    me.told_ = me.received_;
    me.attempt_.stalled = std::chrono::duration<double>(now - me.last_news_).count() > me.request_.stall_seconds;
    if (me.attempt_.stalled) return 1;
    me.context_.progress(me.name_, me.start_ + me.received_, me.request_.bytes);
    return 0;
  }

  const DownloadRequest& request_;
  const RunContext& context_;
  PartFile& part_;
  std::uint64_t start_, received_ = 0, told_ = 0;
  Clock::time_point last_news_ = Clock::now();
  std::string name_;
  std::unique_ptr<CURL, void (*)(CURL*)> curl_;
  char message_[CURL_ERROR_SIZE] = {};
  Attempt attempt_;
};

[[noreturn]] void failed(const DownloadRequest& request, const std::string& why) {
  throw Error(ExitStatus::kEnvironment, "E605", fmt::format("{}: {}", request.address, why),
              fmt::format("try again later, name another address with --from, or put the file at {} yourself",
                          request.target.string()));
}

[[noreturn]] void wrong_bytes(const DownloadRequest& request, const std::string& what) {
  throw Error(ExitStatus::kArtifact, "E404", fmt::format("{} is not the expected file: {}", request.address, what),
              fmt::format("expected {} bytes with SHA-256 {}", request.bytes, request.sha256));
}

/// Whether the same request may succeed later.
bool may_pass(const Attempt& attempt) {
  if (attempt.stalled) return true;
  if (attempt.code == CURLE_HTTP_RETURNED_ERROR)
    return attempt.status == kRequestTimeout || attempt.status == kTooManyRequests || attempt.status >= kServerError;
  constexpr CURLcode kTransient[] = {CURLE_COULDNT_CONNECT,  CURLE_PARTIAL_FILE,
                                     CURLE_OPERATION_TIMEDOUT,   CURLE_GOT_NOTHING,      CURLE_SEND_ERROR,
                                     CURLE_RECV_ERROR,           CURLE_SSL_CONNECT_ERROR};
  return std::ranges::find(kTransient, attempt.code) != std::end(kTransient);
}

void wait_before_retry(const RunContext& context, double seconds) {
  constexpr double kStep = 0.05;
  for (double waited = 0.0; waited < seconds; waited += kStep) {
    stop_if_cancelled(context);
    std::this_thread::sleep_for(std::chrono::duration<double>(std::min(kStep, seconds)));
  }
}

/// Fills the part file up to its full length.
void complete(const DownloadRequest& request, const RunContext& context, PartFile& part) {
  double wait = request.retry_seconds;
  for (int attempt = 1;; ++attempt) {
    if (part.size() > request.bytes) part.clear();
    if (part.size() == request.bytes) return;
    const bool resumed = part.size() > 0;
    const Attempt result = Transfer(request, context, part).run();
    if (result.disk_error != 0) cannot_write(part.path(), result.disk_error);
    stop_if_cancelled(context);
    const bool no_range = result.code == CURLE_RANGE_ERROR || result.status == kRangeNotSatisfiable;
    if (resumed && (no_range || result.too_long)) {  // from the beginning, then
      part.clear();
      continue;
    }
    if (result.too_long) {
      part.clear();
      wrong_bytes(request, "it is longer");
    }
    if (result.code == CURLE_OK && part.size() == request.bytes) return;
    const bool ended_early = result.code == CURLE_OK && !result.length_known;
    if (result.code == CURLE_OK && !ended_early) {
      const std::uint64_t got = part.size();
      part.clear();
      wrong_bytes(request, fmt::format("it has {} bytes", got));
    }
    const std::string why = ended_early ? "the connection ended early" : result.message;
    if (!ended_early && !may_pass(result)) failed(request, why);
    if (attempt >= request.attempts) failed(request, fmt::format("{} ({} attempts)", why, attempt));
    context.note(fmt::format("{}: {}; trying again in {:g} s", request.target.filename().string(), why, wait));
    wait_before_retry(context, wait);
    wait *= 2.0;
  }
}

}  // namespace

DownloadOutcome download(const DownloadRequest& request, const RunContext& context) {
  std::error_code ignored;
  if (fs::is_regular_file(request.target, ignored) && fs::file_size(request.target, ignored) == request.bytes &&
      sha256_of_file(request.target) == request.sha256)
    return DownloadOutcome::kAlreadyThere;
  PartFile part(request.target);
  const bool resumed = part.size() > 0;
  complete(request, context, part);
  std::string sha256 = sha256_of_file(part.path());
  if (sha256 != request.sha256 && resumed) {  // what lay there was the beginning of another file
    part.clear();
    complete(request, context, part);
    sha256 = sha256_of_file(part.path());
  }
  if (sha256 != request.sha256) {
    fs::remove(part.path(), ignored);
    wrong_bytes(request, fmt::format("its SHA-256 is {}", sha256));
  }
  part.move_to(request.target);
  return DownloadOutcome::kDownloaded;
}

}  // namespace errata::training
