#include "circuit/netlist/netlist_expression.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "circuit/campaign/campaign.h"
#include "core/random_stream.h"

namespace errata::circuit {
namespace {

std::optional<double> value(std::string_view expression, const std::map<std::string, std::string>& parameters = {},
                            std::string_view mode = "") {
  return evaluate_expression(
      expression,
      [&](const std::string& name) -> std::optional<std::string> {
        const auto found = parameters.find(name);
        return found == parameters.end() ? std::nullopt : std::optional(found->second);
      },
      dialect_of(mode));
}

TEST(EvaluateExpression, KnowsOperatorsAndTheirOrder) {
  EXPECT_EQ(value("1+2*3-4/2"), 5);
  EXPECT_EQ(value("(1+2)*3"), 9);
  EXPECT_EQ(value("2**3**1"), 8);
  EXPECT_EQ(value("-2+3"), 1);
  EXPECT_EQ(value("7%4"), 3);
  EXPECT_EQ(value("1<2 && 3>=3 || 0"), 1);
  EXPECT_EQ(value("1==2 || !0"), 1);
  EXPECT_EQ(value("(2=2)+(2=3)"), 1);
  EXPECT_EQ(value("1!=2 ? 5 : 6"), 5);
  EXPECT_EQ(value("0 ? 5 : 1 ? 6 : 7"), 6);
  EXPECT_EQ(value("'max(1, 2, 3)'"), 3);
  EXPECT_EQ(value("{ min(4,int(3.9)) }"), 3);
}

TEST(EvaluateExpression, KnowsNumbersAndParameters) {
  EXPECT_DOUBLE_EQ(*value("1.5meg + 2k + 3m"), 1502000.003);
  EXPECT_DOUBLE_EQ(*value("45n*1e9"), 45);
  EXPECT_DOUBLE_EQ(*value("1e-3*2"), 2e-3);
  EXPECT_EQ(value("a*2", {{"a", "'b+1'"}, {"b", "{2}"}}), 6);
  EXPECT_EQ(value("A", {{"a", "3"}}), 3);
}

TEST(EvaluateExpression, GivesUpWhereItCannotKnow) {
  for (const char* text :
       {"", "a", "f(1)", "1+", "(1", "1)", "1 2", "a(", "\"tt\"", "1/0", "1?2", "v(a)", "sqrt(1,2)", "."})
    EXPECT_EQ(value(text), std::nullopt) << text;
  EXPECT_EQ(value("a", {{"a", "b"}, {"b", "a"}}), std::nullopt);
  EXPECT_EQ(value(std::string(100000, '(')), std::nullopt);
  std::map<std::string, std::string> chain;
  for (int i = 0; i < 1000; ++i) chain["p" + std::to_string(i)] = "p" + std::to_string(i + 1);
  EXPECT_EQ(value("p0", chain), std::nullopt);
}

TEST(EvaluateExpression, AgreesWithNgspice) {
  // Random expressions as the resistance of a deck; powers differ between the modes.
  for (const char* mode : {"", "hs", "lt"}) {
    std::vector<Deck> decks;
    std::vector<double> expected;
    for (std::uint64_t k = 0; decks.size() < 60; ++k) {
      RandomStream stream(3, StreamPurpose::kTest, k);
      const auto atom = [&] {
        static const char* const kAtoms[] = {"a",     "b",       "3",        "1.5k",     "2m",
                                             "(a-b)", "sqrt(b)", "max(a,b)", "abs(a-7)", "(a>b)"};
        return std::string(kAtoms[stream.below(10)]);
      };
      std::string text = atom();
      for (int i = 0; i < 4; ++i) {
        static const char* const kOperators[] = {"+", "-", "*", "/", "**", "<", "==", "&&"};
        text += kOperators[stream.below(8)] + atom();
      }
      if (k % 3 == 0) text = "(" + text + ")>1 ? " + atom() + "+1 : " + atom() + "*2";
      const auto mine = value(text, {{"a", "2"}, {"b", "'a*2.5'"}}, mode);
      if (!mine || std::fabs(*mine) < 1e-6 || std::fabs(*mine) > 1e9) continue;
      Deck deck{.name = text,
                .lines = {"title", ".param a=2", ".param b='a*2.5'", "i1 0 n 1", "r1 n 0 {" + text + "}", ".end"}};
      deck.positions.resize(deck.lines.size());
      deck.outputs = {{"n", 1.0}};
      deck.compatibility = mode;
      decks.push_back(deck);
      expected.push_back(*mine);
    }
    std::vector<SimulationPoint> points;
    for (std::size_t i = 0; i < decks.size(); ++i) points.push_back({.deck = i});
    const auto result = run_campaign(decks, points, {.retries = 0, .tolerated_failures = 1}, {}, {}, RunContext{});
    for (std::size_t i = 0; i < decks.size(); ++i) {
      ASSERT_FALSE(result.points[i].values.empty()) << decks[i].name << "\n" << result.points[i].log;
      // ngspice writes a value with ten digits into the line.
      EXPECT_NEAR(result.points[i].values[0] / expected[i], 1, 1e-8) << mode << " " << decks[i].name;
    }
  }
}

TEST(SpiceNumber, KnowsSuffixesAndUnits) {
  const std::map<std::string, double> numbers = {{"1", 1},         {"-2.5", -2.5},   {".5", 0.5},  {"1e-9", 1e-9},
                                                 {"3meg", 3e6},    {"3MEGohm", 3e6}, {"1m", 1e-3}, {"2u", 2e-6},
                                                 {"7pF", 7e-12},   {"4kohm", 4e3},   {"9T", 9e12}, {"1ohm", 1},
                                                 {"100fF", 1e-13}, {"6g", 6e9},      {"4.9e1", 49}};
  for (const auto& [text, expected] : numbers) EXPECT_DOUBLE_EQ(spice_number(text).value_or(NAN), expected) << text;
  for (const char* text : {"", "a", "1+2", "1k5", "nan", "inf", "-", "{1}", "1_"})
    EXPECT_EQ(spice_number(text), std::nullopt) << text;
}

}  // namespace
}  // namespace errata::circuit
