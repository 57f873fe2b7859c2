#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/method_targets.h"

/// The results of §4.2's grid in a CSV: one line for each point, appended when it is done, so that a run that was
/// interrupted goes on. Its first line says with what they were made.
namespace errata::testing {

/// Percent of the test images.
struct GridResult {
  DevicePoint point;
  double floating = 0.0, ideal = 0.0, naive = 0.0, adapted = 0.0;
  double loss() const { return floating - adapted; }
};

inline constexpr const char* kGridColumns =
    "magnitude_bits,input_bits,r,nu,rho,float_percent,ideal_percent,naive_percent,adapted_percent";

inline std::string grid_line(const GridResult& r) {
  const DevicePoint& p = r.point;
  return fmt::format("{},{},{:g},{:g},{:g},{:.2f},{:.2f},{:.2f},{:.2f}", p.magnitude_bits, p.input_bits, p.ratio,
                     p.nonlinearity, p.asymmetry, r.floating, r.ideal, r.naive, r.adapted);
}

/// A line that is cut off (the run was killed while writing it) or of another kind has no result.
inline std::vector<GridResult> grid_results(const std::string& text) {
  std::vector<GridResult> results;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line) && !lines.eof();) {
    GridResult r;
    DevicePoint& p = r.point;
    const int fields =
        std::sscanf(line.c_str(), "%d,%d,%lf,%lf,%lf,%lf,%lf,%lf,%lf", &p.magnitude_bits, &p.input_bits, &p.ratio,
                    &p.nonlinearity, &p.asymmetry, &r.floating, &r.ideal, &r.naive, &r.adapted);
    if (fields == 9) results.push_back(r);
  }
  return results;
}

inline std::string text_of(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

class GridFile {
 public:
  /// Begins the file, or goes on with it; a file of other `settings` (one line) is refused.
  GridFile(std::filesystem::path path, const std::string& settings) : path_(std::move(path)) {
    const std::string head = fmt::format("# {}\n{}\n", settings, kGridColumns);
    const std::string text = text_of(path_);
    if (!text.empty() && !text.starts_with(head))
      throw std::runtime_error(fmt::format("{} is of another run; need '# {}'", path_.string(), settings));
    done_ = grid_results(text);
    // Written anew, so that a line that was cut off goes away.
    std::ofstream out(path_);
    out << head;
    for (const GridResult& r : done_) out << grid_line(r) << '\n';
  }

  bool has(const DevicePoint& point) const {
    return std::ranges::any_of(done_, [&](const GridResult& r) { return r.point == point; });
  }
  const std::vector<GridResult>& results() const { return done_; }

  void append(const GridResult& result) {
    done_.push_back(result);
    std::ofstream out(path_, std::ios::app);
    out << grid_line(result) << '\n';
    if (!out.flush()) throw std::runtime_error(fmt::format("cannot write {}", path_.string()));
  }

 private:
  std::filesystem::path path_;
  std::vector<GridResult> done_;
};

/// Markdown: for each bits, inputs and r the ranges over ν and ρ, then every point that misses `allowed` and the number
/// of those that were not run.
inline std::string grid_table(const std::vector<GridResult>& results, double allowed) {
  std::map<std::tuple<int, int, double>, std::vector<GridResult>> groups;
  for (const GridResult& r : results) groups[{r.point.magnitude_bits, r.point.input_bits, r.point.ratio}].push_back(r);
  std::string text =
      "| magnitude bits | inputs | r | exact levels % | naive % | adapted % | largest loss | within |\n"
      "|---|---|---|---|---|---|---|---|\n";
  std::size_t met = 0;
  std::string missed;
  for (const auto& [key, group] : groups) {
    const auto range = [&](double GridResult::*member) {
      const auto [low, high] = std::ranges::minmax(group, {}, member);
      return fmt::format("{:.2f} to {:.2f}", low.*member, high.*member);
    };
    const auto within = std::ranges::count_if(group, [&](const GridResult& r) { return r.loss() <= allowed; });
    met += static_cast<std::size_t>(within);
    double largest = -100.0;
    for (const GridResult& r : group) {
      largest = std::max(largest, r.loss());
      if (r.loss() > allowed)
        missed += fmt::format("| {} | {} | {:g} | {:g} | {:g} | {:.2f} | {:.2f} | {:.2f} | {:.2f} |\n",
                              r.point.magnitude_bits, r.point.input_bits, r.point.ratio, r.point.nonlinearity,
                              r.point.asymmetry, r.ideal, r.naive, r.adapted, r.loss());
    }
    text += fmt::format("| {} | {} | {:g} | {:.2f} | {} | {} | {:.2f} | {} of {} |\n", std::get<0>(key),
                        std::get<1>(key), std::get<2>(key), group[0].ideal, range(&GridResult::naive),
                        range(&GridResult::adapted), largest, within, group.size());
  }
  text += fmt::format("\n{} of {} points within {} points of floating point; {} of {} not run.\n", met, results.size(),
                      allowed, device_grid().size() - results.size(), device_grid().size());
  if (missed.empty()) return text;
  return text +
         "\n| magnitude bits | inputs | r | ν | ρ | exact levels % | naive % | adapted % | loss |\n"
         "|---|---|---|---|---|---|---|---|---|\n" +
         missed;
}

}  // namespace errata::testing
