#include "cli/report/report.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "behavioral/line/current_mode.h"
#include "behavioral/line/floating_line.h"
#include "behavioral/model.h"
#include "circuit/characterization.h"
#include "errormodel/error_table.h"
#include "tests/unit/report/xml_checker.h"
#include "verification/verdict.h"

namespace errata::report {
namespace {

using testing::XmlChecker;

const double kNan = std::nan(""), kInfinity = std::numeric_limits<double>::infinity();
const std::string kHostile = "<script>alert(\"1\" & '2')</script>";
const std::string kHash(64, 'c');

circuit::Characterization example_characterization() {
  circuit::Characterization c;
  c.provenance = {.format = "characterization",
                  .inputs = {{"netlist", kHash}},
                  .config = "circuit.cell = " + kHostile + "\n",
                  .seed = 5};
  c.simulator = "ngspice-39 " + kHostile;
  c.array.clamp_volts = 0.2;
  c.mismatch = {{.name = kHostile, .device = "m1", .parameter = "delvto", .sigma = {0.01, kNan}}};
  auto& s = c.cell;
  s.input_levels_volts = {0, 1};
  s.weight_levels = {1e5, 5e4};
  s.bit_line_volts = {0.1, 0.2, 0.3};
  s.source_line_volts = {0};
  s.cell_terms = {0};
  s.mismatch_points = {0, 1, -1};
  for (std::size_t i = 0; i < 2 * 2 * 3 * 3; ++i)
    s.current_amperes.push_back(i == 20 ? kNan : 1e-6 * static_cast<double>(1 + i % 7));
  return c;
}

behavioral::BehavioralModel example_model() {
  behavioral::BehavioralModel m;
  m.provenance = {.format = "behavioral", .inputs = {{"characterization", kHash}}, .seed = 5};
  auto family = std::make_shared<behavioral::CurrentMode>();
  behavioral::CellModel& cell = family->cell;
  cell.levels = 2;
  cell.terms = 1;
  cell.degree = 1;
  cell.exponents = behavioral::CellModel::full_basis(2, 1);
  cell.coefficients.assign(2 * 2 * cell.monomials(), -11.0);
  m.family = family;
  m.fit_quality = {1, 0.1, 0.2, 0.1, 0.2, 3, kNan, 2, 0.01, 0.02, 0.01, 0.02, 30, 0.1};
  m.chosen = 1;
  m.parameters = {{kHostile, kHostile, {1, 0.5, 1.5}, 30, true},
                  {kHostile, "bit^2", {2, -kInfinity, kInfinity}, kNan, false}};
  auto& v = m.validation;
  v.rms = 0.01, v.rms_low = 0.009, v.rms_high = 0.012, v.noise_ratio = kNan, v.unit = 3e-6, v.passed = true;
  for (int i = -50; i < 50; ++i) {
    v.mac.push_back(i);
    v.circuit_error.push_back(-1e-4 * i * i);
    v.model_error.push_back(-1.01e-4 * i * i);
    v.residual.push_back(i == 3 ? kNan : 1e-6 * i * i);
  }
  return m;
}

errormodel::ErrorTable example_table() {
  errormodel::ErrorTable t;
  t.provenance = {.format = "error_table", .inputs = {{"behavioral", kHash}}, .seed = 5};
  t.levels = 2;
  t.adc = {.bits = 3, .range = 4};
  t.axes = {-4, 4, 0, 10, 3, 2};
  t.level = {0, 1.02};
  t.mu = {-1, -0.5, 0, 0, 0.5, 1};
  t.dynamic_sigma = {0.1, 0.2, 0.1, 0.2, 0.1, 0.2};
  t.support_count = {100, 3, 100, 100, kNan, 0};
  t.cell_sigma = {0.01, 0.1};
  t.cell_interval = {{0.0001, -0.0001, 0.0002}, {0.01, 0.009, 0.012}};
  t.chip_interval = {{0.01, -0.01, 0.03}, {}, {}, {0.02, 0.01, 0.03}, {}, {0.0, -0.01, 0.01}};
  t.column_interval = t.chip_interval;
  t.source_names = {kHostile, "rtn"};
  t.source_variance = {1e-6, 1e-6, 1e-6, 1e-6, 1e-6, 1e-6, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01};
  t.code_pmf.assign(64, 1.0 / 8);  // a row that the design never reached
  for (std::size_t row = 1; row < 8; ++row)
    for (std::size_t code = 0; code < 8; ++code) t.code_pmf[row * 8 + code] = row == code ? 1.0 : 0.0;
  return t;
}

verification::Verification example_verification() {
  using verification::Color;
  verification::Verification v;
  v.provenance = {.format = "verification", .inputs = {{kHostile, kHash}}, .seed = 5};
  v.checks = {{1, "first", {0.1, 0.05, 0.2}, 0, 1, "MAC unit", Color::kGreen, ""},
              {5, kHostile, {0.1, -kInfinity, 0.2}, -kInfinity, 1, "points", Color::kGreen, ""},
              {9, "not a number", {kNan, kNan, kNan}, 0, kInfinity, "1", Color::kGreen, ""}};
  v.accuracy = {{"ideal", "ideal", 600, {98.0}, {98, 98, 98}, 0, 98},
                {"ideal", "behavioral", 600, {90, 92, 91, 93, 94, kNan}, {92, 90, 94}, 1.5, 90.4},
                {"error_aware", "behavioral", 600, {97, 97.2, 96.8, 97, 97.5}, {97.1, 96.9, 97.3}, 0.3, 96.8},
                {kHostile, "behavioral", 600, {}, {kNan, kNan, kNan}, kNan, kNan}};
  v.layers = {{0, {0.2, 0.19, 0.21}, {0.2, 0.19, 0.22}, {0.3, 0.29, 0.31}, {0.3, 0.28, 0.32}, 0.01, 0.01, 0},
              {1, {kNan, kNan, kNan}, {0.3, 0.2, 0.4}, {kNan, 0, 0}, {0.1, 0.1, 0.1}, kNan, 0, 1}};
  v.bins = {{-4, 0, 0.5, 0.1, 0.11, 0.5, 0.52, 0.02, 0.1}, {0, 4, 0.5, -0.1, -0.09, 0.5, kNan, 0.02, 0.1}};
  v.replay_model = {1, 2, 3};
  v.replay_circuit = {1.01, 2.01, kNan};
  return v;
}

struct Example {
  circuit::Characterization characterization = example_characterization();
  behavioral::BehavioralModel model = example_model();
  errormodel::ErrorTable table = example_table();
  verification::Verification verification = example_verification();
  ReportInput input() const {
    return {kHostile,
            &characterization,
            &model,
            &table,
            &verification,
            {{"ideal", {1, 2}, {0.5, kNan}, {90, 95}}, {kHostile, {1}, {0.4}, {93}}},
            {{"Ceres", "polynomial", {{"a0", {0.1, 0.05, 0.15}}, {"a5", {0, 0, 0}}}, 0.5, true},
             {"trainer", kHostile, {{kHostile, {kNan, kNan, kNan}}}, kNan, false}},
            {{"27 degC", {0.01, 0.008, 0.012}, 0.03, 0.02, true}, {kHostile, {kNan, kNan, kNan}, kNan, kNan, false}}};
  }
};

std::size_t count_of(const std::string& text, std::string_view part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

/// Words as a reader would meet them: "nan" or "inf" as a word or as a coordinate.
bool prints_nan(std::string_view html) {
  const auto letter = [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; };
  for (const std::string_view word : {"nan", "NaN", "NAN", "inf", "Inf"})
    for (auto at = html.find(word); at != std::string_view::npos; at = html.find(word, at + 1))
      if (!letter(html[at + word.size()]) && (at == 0 || !letter(html[at - 1]) || html[at - 1] == 'M')) return true;
  return false;
}

TEST(Report, IsWellFormedAsAWholeAndPictureByPicture) {
  const Example example;
  const std::string html = render_report(example.input());
  EXPECT_EQ(XmlChecker::fault(html), "");
  std::size_t pictures = 0;
  for (auto at = html.find("<svg"); at != std::string::npos; at = html.find("<svg", at + 1), ++pictures) {
    const auto end = html.find("</svg>", at);
    ASSERT_NE(end, std::string::npos);
    EXPECT_EQ(XmlChecker::fault(std::string_view(html).substr(at, end + 6 - at)), "");
  }
  EXPECT_GE(pictures, 20u);
  EXPECT_EQ(count_of(html, "<figcaption>"), count_of(html, "<figure>"));
}

TEST(Report, EscapesEveryText) {
  const Example example;
  const std::string html = render_report(example.input());
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_NE(html.find("&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)&lt;/script&gt;"), std::string::npos);
}

TEST(Report, HasEveryParameterTheCurvesAndTheOperatingPoints) {
  const Example example;
  const std::string html = render_report(example.input());
  for (const char* part : {"2 parameters of the chosen fit", "not determined by the data", "do not determine 1 of them",
                           "bit^2", "1.0 [0.5, 1.5]", "a0 = 0.10", "(did not converge)", "✓ 27 degC", "✗ "})
    EXPECT_NE(html.find(part), std::string::npos) << part;
}

TEST(Report, PrintsNoNan) {
  const Example example;
  const std::string html = render_report(example.input());
  const auto body = html.find("<body>");
  EXPECT_FALSE(prints_nan(std::string_view(html).substr(body)));
  EXPECT_NE(html.find("n/a"), std::string::npos);
}

TEST(Report, IsAPureFunctionAndSelfContained) {
  const Example a, b;
  const std::string html = render_report(a.input());
  EXPECT_EQ(html, render_report(b.input()));
  for (const char* outside : {"src=", "<link", "@import", "href=\"http", "url(http", "/tmp/", "/work/"})
    EXPECT_EQ(html.find(outside), std::string::npos) << outside;
}

TEST(Report, WithoutAnyStageSaysSo) {
  const std::string html = render_report({.project = "new"});
  EXPECT_EQ(XmlChecker::fault(html), "");
  EXPECT_NE(html.find("No verdict yet"), std::string::npos);
  for (const char* stage : {"characterize", "fit", "compile", "train", "verify"})
    EXPECT_NE(html.find("<code>errata " + std::string(stage) + "</code>"), std::string::npos) << stage;
  EXPECT_EQ(html.find("<svg"), std::string::npos);
}

TEST(Report, EveryStageMayBeMissingAlone) {
  const Example example;
  for (int missing = 0; missing < 5; ++missing) {
    ReportInput in = example.input();
    if (missing == 0) in.characterization = nullptr;
    if (missing == 1) in.model = nullptr;
    if (missing == 2) in.table = nullptr;
    if (missing == 3) in.verification = nullptr;
    if (missing == 4) in.curves.clear();
    const std::string html = render_report(in);
    EXPECT_EQ(XmlChecker::fault(html), "") << missing;
    EXPECT_NE(html.find("This stage has not run yet"), std::string::npos) << missing;
  }
}

TEST(Report, OfATransientReadShowsTheChargeInItsOwnUnits) {
  Example example;
  auto& c = example.characterization;
  c.array.read = circuit::ReadMode::kDischarge;
  c.array.line_farads = 22e-15;
  c.array.precharge_volts = 0.9;
  c.array.pulse_seconds = 0.5e-9;
  c.cell.current_amperes.clear();
  c.charge.final_volts = {0.9, 0.6, kNan, 0.3};
  for (std::size_t i = 0; i < 2 * 2 * 3 * 4; ++i)
    c.charge.charge_coulombs.push_back(i == 13 ? kNan : 1e-15 * static_cast<double>(1 + i % 7));
  example.model.array = c.array;
  example.model.family = std::make_shared<behavioral::FloatingLine>();
  example.model.validation.unit = 12e-3;
  example.table.output_unit = "V";
  example.table.unit = -12e-3;  // more drive, less voltage
  const std::string html = render_report(example.input());
  EXPECT_EQ(XmlChecker::fault(html), "");
  EXPECT_FALSE(prints_nan(std::string_view(html).substr(html.find("<body>"))));
  for (const char* text : {"charge drawn [fC]", "end voltage of the bit line [mV]", "22\u00a0fF", "precharged to",
                           "word-line pulse", "12\u00a0mV"})
    EXPECT_NE(html.find(text), std::string::npos) << text;
  EXPECT_EQ(html.find("-12\u00a0mV"), std::string::npos);
  for (const char* text : {"rows, clamp", "Cell current", "thermal noise, model"})
    EXPECT_EQ(html.find(text), std::string::npos) << text;
  // A characterisation that holds no charges says so.
  c.charge = {};
  const std::string bare = render_report(example.input());
  EXPECT_EQ(XmlChecker::fault(bare), "");
  EXPECT_NE(bare.find("holds no measurements of the cell"), std::string::npos);
}

TEST(Report, ArtefactsWithoutContentDoNoHarm) {
  const circuit::Characterization characterization;
  const behavioral::BehavioralModel model;
  const errormodel::ErrorTable table;
  const verification::Verification verification;
  const std::string html =
      render_report({"bare", &characterization, &model, &table, &verification, {{"ideal", {}, {}, {}}}});
  EXPECT_EQ(XmlChecker::fault(html), "");
  EXPECT_NE(html.find("The verification holds no check"), std::string::npos);  // and is not called green
  EXPECT_EQ(html.find("class=\"verdict green\""), std::string::npos);
}

TEST(Report, VerdictFollowsTheWorstCheck) {
  using verification::Color;
  Example example;
  const auto word = [&] {
    const std::string html = render_report(example.input());
    const auto at = html.find("<div class=\"verdict ") + 20;
    return html.substr(at, html.find('"', at) - at);
  };
  EXPECT_EQ(word(), "green");
  example.verification.checks[0].color = Color::kInconclusive;
  EXPECT_EQ(word(), "inconclusive");
  example.verification.checks[1].color = Color::kRed;
  example.verification.checks[1].advice = "train longer & more";
  EXPECT_EQ(word(), "red");
  EXPECT_NE(render_report(example.input()).find("train longer &amp; more"), std::string::npos);
}

TEST(Report, LabelsAQuickRun) {
  Example example;
  EXPECT_EQ(render_report(example.input()).find("Quick run"), std::string::npos);
  example.verification.quick = true;
  EXPECT_NE(render_report(example.input()).find("Quick run"), std::string::npos);
}

TEST(Report, TellsWhatTrainingWonBack) {
  Example example;  // 98 ideal, 92 not adapted, 97.1 adapted: 5.1 of 6.0 points
  EXPECT_NE(render_report(example.input()).find("wins back 5.10 of them (85\u00a0%)"), std::string::npos);
  example.verification.accuracy[2].mean.estimate = 91;
  EXPECT_NE(render_report(example.input()).find("loses a further 1.00"), std::string::npos);
}

}  // namespace
}  // namespace errata::report
