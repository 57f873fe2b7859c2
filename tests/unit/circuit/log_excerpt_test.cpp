#include "circuit/campaign/log_excerpt.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "circuit/campaign/campaign.h"
#include "circuit/deck/compose.h"
#include "tests/support/netlist_text.h"

namespace errata::circuit {
namespace {

using Texts = std::vector<std::string>;

/// The deck of a cell whose subcircuit begins in line 2 of the netlist; pins bl, wl, sl.
Deck deck_of(const std::string& netlist) {
  DeckOptions options;
  options.subcircuit = "cell";
  options.word_line_pin = "wl";
  options.bit_line_pin = "bl";
  options.source_line_pin = "sl";
  options.storage.kind = Storage::Kind::kPinVoltage;
  return compose_cell(testing::read_text(netlist), options, {{}});
}

/// What ngspice says of an operating point, or a transient, at 0.5 V.
PointResult simulated(const Deck& deck, Analysis analysis = Analysis::kOperatingPoint) {
  const SimulationPoint point{.slots = {1.0, 0.5, 0.0, 0.0}, .analysis = analysis};
  try {
    return run_campaign({deck}, {point}, {.retries = 0, .tolerated_failures = 1}, {}, {}, RunContext{}).points[0];
  } catch (const Error& e) {
    return {.status = PointStatus::kLoadFailed, .log = e.what()};
  }
}

/// "line: excerpt" of each place that the real log of the deck names.
Texts places(const std::string& netlist) {
  const Deck deck = deck_of(netlist);
  const PointResult result = simulated(deck);
  EXPECT_NE(result.status, PointStatus::kOk);
  Texts all;
  for (const auto& p : places_in_log(result.log, deck))
    all.push_back(std::to_string(p.position.line) + ": " + p.excerpt);
  if (all.empty()) {
    ADD_FAILURE() << result.log;
    all.emplace_back("none");
  }
  return all;
}

std::string cell(const std::string& body) { return ".subckt cell bl wl sl\n" + body + "rl wl 0 1meg\n.ends\n"; }

TEST(LogExcerpt, FindsAnElementThatIsRefused) {
  EXPECT_EQ(places(cell("r1 bl m 1k\nR2 m\n+ sl 1k\n+ colour=3\n")),
            (Texts{"4: R2 m  sl 1k  colour=3", "3: r1 bl m 1k"}));  // and the line of its node x1.m
  EXPECT_EQ(places(".subckt inner a b\nr1 a b 1k tint=2\n.ends\n" + cell("x1 bl sl inner\n")),
            (Texts{"3: r1 a b 1k tint=2"}));
  EXPECT_EQ(places(".subckt outer a b\n.subckt inner a b\nr1 a b 1k tint=2\n.ends\nx7 a b inner\n.ends\n" +
                   cell("x1 bl sl outer\nr1 bl sl 1k\n")),
            (Texts{"4: r1 a b 1k tint=2"}));
}

TEST(LogExcerpt, FindsALineByItsNumber) {
  EXPECT_EQ(places(".model rm r (rsh=1 kp=)\n" + cell("r1 bl sl rm l=1u w=1u\n")).front().substr(0, 2), "2:");
}

TEST(LogExcerpt, FindsTheModelOfAFatalError) {
  const auto found = places(cell("m1 bl wl sl 0 n w=1u l=1u\n.model n nmos level=54 version=4.8 toxe=-1n\n"));
  EXPECT_EQ(found, (Texts{"4: .model n nmos level=54 version=4.8 toxe=-1n", "3: m1 bl wl sl 0 n w=1u l=1u"}));
  // Outside the cell.
  EXPECT_EQ(places(".model n nmos level=54 version=4.8 toxe=-1n\n" + cell("m1 bl wl sl 0 n w=1u l=1u\n")),
            (Texts{"4: m1 bl wl sl 0 n w=1u l=1u"}));
}

TEST(LogExcerpt, FindsABranchThatIsSingular) {
  EXPECT_EQ(places(cell("va bl m 1\nvb bl m 2\nr1 m sl 1k\n")).front().substr(0, 4), "3: v");
}

TEST(LogExcerpt, FindsANodeThatFloats) {
  EXPECT_EQ(places(cell("c1 bl float 1f\nc2 float sl 1f\nr1 bl sl 1k\n")), (Texts{"3: c1 bl float 1f"}));
  EXPECT_EQ(places(".subckt inner a b\nr1 a b 1k\nc1 a q 1f\nc2 q b 1f\n.ends\n" + cell("x1 bl sl inner\n")),
            (Texts{"4: c1 a q 1f"}));
}

TEST(LogExcerpt, FindsASourceOutOfRange) {
  EXPECT_EQ(places(cell("b1 bl sl i=ln(v(bl)-3)\n")), (Texts{"3: b1 bl sl i=ln(v(bl)-3)"}));
}

TEST(LogExcerpt, FindsTheNodeWhereATransientStops) {
  Deck deck = deck_of(cell("b1 c 0 v = time > 0.5n ? (v(c) > 0.5 ? 0 : 1) : 0\nr1 c 0 1k\nr2 bl sl 1k\n"));
  deck.transient = "tran 1e-11 1e-9 0 1e-11";
  deck.stop_seconds = 1e-9;
  const auto result = simulated(deck, Analysis::kTransient);
  ASSERT_EQ(result.status, PointStatus::kFailed) << result.log;
  const auto found = places_in_log(result.log, deck);
  ASSERT_EQ(found.size(), 1u) << result.log;
  EXPECT_EQ(found[0].position.line, 3);
}

TEST(LogExcerpt, FindsAParameterThatIsUndefined) {
  // The reader finds these first; a deck can have them when a slot's parameter is missing.
  Deck deck = deck_of(cell("r1 bl sl {1k}\n"));
  deck.lines[2] = "r1 bl sl {ohms*2}";
  const auto found = places_in_log(simulated(deck).log, deck);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].position.line, 3);
  EXPECT_EQ(found[0].excerpt, "r1 bl sl {ohms*2}");
}

TEST(LogExcerpt, FindsAnInstanceWithTheWrongPins) {
  Deck deck = deck_of(".subckt inner a b\nr1 a b 1k\n.ends\n" + cell("x1 bl sl inner\n"));
  std::ranges::replace(deck.lines, std::string("x1 bl sl inner"), std::string("x1 bl inner"));
  const auto found = places_in_log(simulated(deck).log, deck);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].position.line, 6);
}

TEST(LogExcerpt, LeavesOutWhatErrataWroteItself) {
  const Deck deck = deck_of(cell("r1 bl sl 1k\n"));
  EXPECT_TRUE(places_in_log("Warning: singular matrix:  check node vclamp#branch\nhout out 0 vclamp 1\nno word x1.q of "
                            "it, 4.8, x9.q, m.x1.m9, :, ., x1., .x1",
                            deck)
                  .empty());
  EXPECT_TRUE(places_in_log("", deck).empty());
  EXPECT_TRUE(places_in_log("Error on line 999999999999999999999 or its substitute", deck).empty());
  EXPECT_TRUE(places_in_log("Error on line 0", Deck{}).empty());
}

TEST(LogExcerpt, RelevantLinesKeepWhatTheyQuoteAndNoRepetitions) {
  EXPECT_EQ(
      relevant_lines("stdout Circuit: x\nstderr Error on line:\nstderr r.x1.r1 a b 1k c=3\nstderr unknown parameter "
                     "(c)\nstdout fine\nstderr Error: circuit not parsed.\nstderr Error: circuit not parsed.\n"),
      "stderr Error on line:\nstderr r.x1.r1 a b 1k c=3\nstderr unknown parameter (c)\nstderr Error: circuit not "
      "parsed.\n");
  std::string noise;
  for (int i = 0; i < 1000; ++i)
    noise += "stderr Trying gmin = 1e-3 Warning: Further gmin increment\nstderr Error " + std::to_string(i) + "\n";
  EXPECT_LT(relevant_lines(noise).size(), 2400u);
  EXPECT_EQ(relevant_lines(noise).find("gmin"), std::string::npos);
}

TEST(E207, QuotesTheUsersLine) {
  const Deck deck = deck_of(cell("r1 bl sl 1k colour=3\n"));
  try {
    run_campaign({deck}, {{.slots = {1, 1, 0, 0}}}, {.retries = 0}, {}, {}, RunContext{});
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), "E207");
    EXPECT_NE(std::string(e.what()).find("top.cir:3: r1 bl sl 1k colour=3"), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("unknown parameter (colour)"), std::string::npos) << e.what();
  }
}

TEST(E501, QuotesTheUsersLine) {
  const Deck deck = deck_of(cell("b1 bl sl i=ln(v(bl)-3)\n"));
  try {
    run_campaign({deck}, {{.slots = {1, 1, 0, 0}}}, {.retries = 0, .tolerated_failures = 0}, {}, {}, RunContext{});
    ADD_FAILURE();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), "E501");
    EXPECT_NE(std::string(e.what()).find("top.cir:3: b1 bl sl i=ln(v(bl)-3)"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace errata::circuit
