#include "verification/verdict.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "verification/yield.h"

namespace errata::verification {

namespace {
using Real = std::span<const double>;

std::vector<double> flat(const Interval& i) { return {i.estimate, i.low, i.high}; }
Interval interval(const std::vector<double>& v, std::size_t at) { return {v.at(at), v.at(at + 1), v.at(at + 2)}; }
}  // namespace

std::string_view to_string(Color color) {
  switch (color) {
    case Color::kGreen:
      return "green";
    case Color::kInconclusive:
      return "inconclusive";
    case Color::kRed:
      return "red";
  }
  return "?";
}

Color judge(const Interval& i, double low, double high) {
  if (i.low >= low && i.high <= high) return Color::kGreen;
  if (i.high < low || i.low > high) return Color::kRed;
  return Color::kInconclusive;
}

Color overall(const std::vector<Check>& checks) {
  Color worst = Color::kGreen;
  for (const auto& c : checks) worst = std::max(worst, c.color);
  return worst;
}

const AccuracyRow* Verification::find(std::string_view arm, std::string_view hardware) const {
  for (const auto& row : accuracy)
    if (row.arm == arm && row.hardware == hardware) return &row;
  return nullptr;
}

void Verification::save(const std::filesystem::path& path) const {
  Hdf5Writer f(path);
  write_provenance(f, provenance);
  f.attribute("/", "quick", std::int64_t{quick});
  f.attribute("/", "verdict", to_string(overall(checks)));
  f.attribute("/checks", "count", static_cast<std::int64_t>(checks.size()));
  for (std::size_t i = 0; i < checks.size(); ++i) {
    const auto& c = checks[i];
    const std::string at = fmt::format("/checks/{:03}", i);
    const double values[] = {c.value.estimate, c.value.low, c.value.high, c.low, c.high};
    f.write(at + "/value", Real(values), {5}, c.unit.empty() ? "1" : c.unit);
    f.attribute(at, "columns",
                std::string_view("estimate, interval low, interval high, tolerance low, tolerance high"));
    f.attribute(at, "level", std::int64_t{c.level});
    f.attribute(at, "name", std::string_view(c.name));
    f.attribute(at, "color", to_string(c.color));
    f.attribute(at, "advice", std::string_view(c.advice));
    f.attribute(at, "data", std::string_view(c.data));
  }
  f.attribute("/accuracy", "count", static_cast<std::int64_t>(accuracy.size()));
  for (std::size_t i = 0; i < accuracy.size(); ++i) {
    const auto& r = accuracy[i];
    const std::string at = fmt::format("/accuracy/{:03}", i);
    f.write(at + "/by_chip", Real(r.accuracy), {r.accuracy.size()}, "%");
    const double values[] = {r.mean.estimate, r.mean.low, r.mean.high, r.spread, r.percentile10};
    f.write(at + "/summary", Real(values), {5}, "%");
    std::vector<double> yield;
    for (const YieldPoint& y : yield_curve(r.accuracy))
      yield.insert(yield.end(), {y.accuracy, y.fraction.estimate, y.fraction.low, y.fraction.high});
    f.write(at + "/yield", Real(yield), {yield.size() / 4, 4}, "see columns");
    f.attribute(at + "/yield", "columns",
                std::string_view("accuracy %, fraction of chips at or above it, 95 % interval low, high"));
    f.attribute(at, "columns", std::string_view("mean, interval low, interval high, spread, percentile 10"));
    f.attribute(at, "arm", std::string_view(r.arm));
    f.attribute(at, "hardware", std::string_view(r.hardware));
    f.attribute(at, "images", static_cast<std::int64_t>(r.images));
  }
  std::vector<double> rows;
  for (const auto& l : layers) {
    for (const auto* i : {&l.observed_change, &l.predicted_change, &l.observed_magnitude, &l.predicted_magnitude}) {
      const auto v = flat(*i);
      rows.insert(rows.end(), v.begin(), v.end());
    }
    rows.insert(rows.end(), {l.observed_large, l.predicted_large, l.out_of_support});
  }
  f.write("/layers/error_rates", Real(rows), {layers.size(), 15}, "see columns");
  f.attribute(
      "/layers", "columns",
      std::string_view(
          "P(code != ideal) observed, low, high, predicted, low, high; mean |dcode| in ADC steps observed, low, "
          "high, predicted, low, high; P(|dcode| > 2) observed, predicted; out of support"));
  rows.clear();
  for (const auto& b : bins)
    rows.insert(rows.end(), {b.y_low, b.y_high, b.share, b.model_mean, b.table_mean, b.model_sigma, b.table_sigma,
                             b.distance, b.allowed});
  f.write("/bins/comparison", Real(rows), {bins.size(), 9}, "see columns");
  f.attribute("/bins", "columns",
              std::string_view(
                  "y low, y high, share, model mean, table mean, model sigma, table sigma, Wasserstein-1, allowed"));
  f.write("/replay/model", Real(replay_model), {replay_model.size()}, "MAC unit");
  f.write("/replay/circuit", Real(replay_circuit), {replay_circuit.size()}, "MAC unit");
  for (const Evidence& e : evidence) {
    f.write("/evidence/" + e.name, Real(e.values), e.shape, e.unit);
    f.attribute("/evidence/" + e.name, "columns", std::string_view(e.columns));
  }
  f.commit();
}

Verification Verification::load(const std::filesystem::path& path) {
  const Hdf5Reader f(path);
  Verification v;
  v.provenance = read_provenance(f, kFormat, kMajor);
  v.quick = f.integer("/", "quick") != 0;
  const auto count = [&](const char* group) {
    const std::int64_t n = f.integer(group, "count");
    if (n < 0 || n > 100000) throw Error(ExitStatus::kArtifact, "E403", fmt::format("{}: {} entries", group, n));
    return static_cast<std::size_t>(n);
  };
  for (std::size_t i = 0; i < count("/checks"); ++i) {
    const std::string at = fmt::format("/checks/{:03}", i);
    const auto d = f.doubles(at + "/value", {5});
    Check c;
    c.value = interval(d, 0);
    c.low = d[3];
    c.high = d[4];
    c.unit = f.units(at + "/value");
    c.level = static_cast<int>(f.integer(at, "level"));
    c.name = f.text(at, "name");
    c.advice = f.text(at, "advice");
    if (f.has_attribute(at, "data")) c.data = f.text(at, "data");
    const std::string color = f.text(at, "color");
    c.color = color == "green" ? Color::kGreen : color == "red" ? Color::kRed : Color::kInconclusive;
    v.checks.push_back(std::move(c));
  }
  for (std::size_t i = 0; i < count("/accuracy"); ++i) {
    const std::string at = fmt::format("/accuracy/{:03}", i);
    AccuracyRow r;
    r.accuracy = f.doubles(at + "/by_chip");
    const auto d = f.doubles(at + "/summary", {5});
    r.mean = interval(d, 0);
    r.spread = d[3];
    r.percentile10 = d[4];
    r.arm = f.text(at, "arm");
    r.hardware = f.text(at, "hardware");
    r.images = static_cast<std::size_t>(f.integer(at, "images"));
    v.accuracy.push_back(std::move(r));
  }
  const auto rows = f.doubles("/layers/error_rates");
  for (std::size_t i = 0; i + 15 <= rows.size(); i += 15)
    v.layers.push_back({i / 15, interval(rows, i), interval(rows, i + 3), interval(rows, i + 6), interval(rows, i + 9),
                        rows[i + 12], rows[i + 13], rows[i + 14]});
  const auto bins = f.doubles("/bins/comparison");
  for (std::size_t i = 0; i + 9 <= bins.size(); i += 9)
    v.bins.push_back({bins[i], bins[i + 1], bins[i + 2], bins[i + 3], bins[i + 4], bins[i + 5], bins[i + 6],
                      bins[i + 7], bins[i + 8]});
  v.replay_model = f.doubles("/replay/model");
  v.replay_circuit = f.doubles("/replay/circuit");
  if (f.has("/evidence"))
    for (const std::string& name : f.children("/evidence")) {
      const std::string at = "/evidence/" + name;
      v.evidence.push_back({name, f.shape(at), f.doubles(at), f.units(at), f.text(at, "columns")});
    }
  return v;
}

std::string verification_report(const Verification& v) {
  std::string text;
  if (!v.accuracy.empty()) {
    text += "accuracy, mean over chips with 95 % interval\n";
    for (const auto& r : v.accuracy)
      text += fmt::format(
          "  {:<12} on {:<11} {:6.2f} % [{:.2f}, {:.2f}]  spread {:.2f}  10th percentile {:.2f}  ({} chips x {} "
          "images)\n",
          r.arm, r.hardware, r.mean.estimate, r.mean.low, r.mean.high, r.spread, r.percentile10, r.accuracy.size(),
          r.images);
  }
  if (!v.layers.empty()) text += "layers on the network's own operands, model against table\n";
  for (const auto& l : v.layers)
    text += fmt::format(
        "  layer {:<3} P(code != ideal) {:.4f} by table {:.4f}  mean |dcode| {:.4f} by table {:.4f}  out of support "
        "{:.2f} %\n",
        l.layer, l.observed_change.estimate, l.predicted_change.estimate, l.observed_magnitude.estimate,
        l.predicted_magnitude.estimate, 100 * l.out_of_support);
  text += "checks\n";
  for (const auto& c : v.checks) {
    text += fmt::format("  level {}  {:<13} {:<58} {:.4g} [{:.4g}, {:.4g}] {} in [{:.4g}, {:.4g}]\n", c.level,
                        to_string(c.color), c.name, c.value.estimate, c.value.low, c.value.high, c.unit, c.low, c.high);
    if (c.color != Color::kGreen && !c.advice.empty()) text += fmt::format("           {}\n", c.advice);
  }
  text += fmt::format("verdict: {}{}\n", to_string(overall(v.checks)),
                      v.quick ? " (quick: fewer than 100 chips or 500 images)" : "");
  return text;
}

}  // namespace errata::verification
