// The one source that includes spdlog and nlohmann/json.
#include "cli/output.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace errata::cli {

namespace {
using Clock = std::chrono::steady_clock;

nlohmann::ordered_json number(double value) {
  // NaN is an error elsewhere; here it can only mean "not measured", and JSON has no word for it.
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json("not measured");
}
}  // namespace

struct Output::State {
  bool json = false, quiet = false, terminal = false;
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  std::shared_ptr<spdlog::logger> log;
  std::string task;
  Clock::time_point task_began, last_shown;
  bool bar_open = false;

  void close_bar() {
    if (bar_open) std::fputs("\r\033[K", stderr);
    bar_open = false;
  }
};

Output::Output(bool json, bool quiet) : state_(std::make_unique<State>()) {
  state_->json = json;
  state_->quiet = quiet;
  state_->terminal = ::isatty(2) != 0;
  state_->log = std::make_shared<spdlog::logger>("errata", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  state_->log->set_pattern("%v");
}

Output::~Output() = default;

void Output::line(std::string_view text) {
  if (state_->json) return;
  state_->close_bar();
  fmt::print("{}\n", text);
  std::fflush(stdout);
}

void Output::set(std::string_view key, std::string_view value) { state_->object[std::string(key)] = value; }
void Output::set(std::string_view key, double value) { state_->object[std::string(key)] = number(value); }
void Output::set(std::string_view key, std::int64_t value) { state_->object[std::string(key)] = value; }
void Output::set(std::string_view key, bool value) { state_->object[std::string(key)] = value; }
void Output::set(std::string_view key, const std::vector<std::string>& values) {
  state_->object[std::string(key)] = values;
}
void Output::set(std::string_view key, const Interval& i) {
  state_->object[std::string(key)] = {
      {"estimate", number(i.estimate)}, {"low", number(i.low)}, {"high", number(i.high)}};
}

void Output::append(std::string_view key, const std::vector<std::pair<std::string, std::string>>& texts,
                    const std::vector<std::pair<std::string, double>>& numbers) {
  nlohmann::ordered_json entry = nlohmann::ordered_json::object();
  for (const auto& [name, value] : texts) entry[name] = value;
  for (const auto& [name, value] : numbers) entry[name] = number(value);
  state_->object[std::string(key)].push_back(std::move(entry));
}

void Output::note(std::string_view text) {
  if (state_->quiet) return;
  state_->close_bar();
  state_->log->info("{}", text);
}

void Output::warn(const Diagnostic& diagnostic) {
  state_->close_bar();
  state_->log->warn("{}", format_diagnostic(diagnostic));
}

void Output::error(const Error& error) {
  state_->close_bar();
  const bool listed = dynamic_cast<const ProjectError*>(&error) != nullptr;
  state_->log->error("{}",
                     listed ? std::string(error.what()) : fmt::format("error {}: {}", error.code(), error.what()));
  if (!error.hint().empty()) state_->log->error("  {}", error.hint());
  state_->object["error"] = {{"code", error.code()}, {"message", error.what()}, {"hint", error.hint()}};
}

void Output::progress(std::string_view what, std::uint64_t done, std::uint64_t total) {
  if (state_->quiet) return;
  const auto now = Clock::now();
  if (state_->task != what) {
    state_->task = what;
    state_->task_began = state_->last_shown = now;
  }
  const auto since = now - state_->last_shown;
  if (since < (state_->terminal ? std::chrono::milliseconds(200) : std::chrono::milliseconds(30000))) return;
  state_->last_shown = now;
  const double seconds = std::chrono::duration<double>(now - state_->task_began).count();
  const double left = done > 0 ? seconds * static_cast<double>(total - done) / static_cast<double>(done) : 0.0;
  const std::string text =
      fmt::format("{}: {}/{} ({:.0f} %), {:.0f} s left", what, done, total,
                  total > 0 ? 100.0 * static_cast<double>(done) / static_cast<double>(total) : 0.0, left);
  if (!state_->terminal) {
    state_->log->info("{}", text);
    return;
  }
  const int filled = total > 0 ? static_cast<int>(24 * done / total) : 0;
  fmt::print(stderr, "\r\033[K[{:<24}] {}", std::string(static_cast<std::size_t>(filled), '#'), text);
  std::fflush(stderr);
  state_->bar_open = true;
}

void Output::finish(ExitStatus status) {
  state_->close_bar();
  if (!state_->json) return;
  state_->object["exit_status"] = static_cast<int>(status);
  fmt::print("{}\n", state_->object.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

}  // namespace errata::cli
