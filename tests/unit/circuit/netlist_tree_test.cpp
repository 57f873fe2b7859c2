#include <gtest/gtest.h>

#include <cmath>

#include "circuit/campaign/campaign.h"
#include "tests/support/netlist_text.h"

namespace errata::circuit {
namespace {

using testing::in_cell;
using testing::read_text;
using Texts = std::vector<std::string>;

const char* const kTree =
    ".model top nmos level=1\n.subckt leaf a b\nr1 a b 1k\nm1 a b 0 0 top w=1u l=1u\n.ends\n"
    ".subckt outer a b\n.subckt nested a b\nr1 a n 1k\nm2 n b 0 0 own w=1u l=1u\n.model own nmos level=1\n"
    ".subckt deep a b\nr9 a b 1k\nx1 a b leaf\n.ends\nx4 a b deep\n.ends\nx7 a b nested\nx8 a b leaf\n.ends\n"
    ".subckt cell a b\nd1 a b dio\n.model dio d\nx1 a b outer\nx2 a q leaf\nrq q b 1k\n.ends\n";

Texts paths(const std::vector<LeafDevice>& leaves) {
  Texts all;
  for (const auto& leaf : leaves) all.push_back(leaf.path + " " + leaf.type + " " + leaf.model);
  return all;
}

TEST(LeafDevices, GoThroughTheWholeTree) {
  EXPECT_EQ(paths(leaf_devices(read_text(kTree), "cell")),
            (Texts{"d1 d dio", "rq r ", "x1.x7.m2 m own", "x1.x7.r1 r ", "x1.x7.x4.r9 r ", "x1.x7.x4.x1.m1 m top",
                   "x1.x7.x4.x1.r1 r ", "x1.x8.m1 m top", "x1.x8.r1 r ", "x2.m1 m top", "x2.r1 r "}));
  EXPECT_TRUE(leaf_devices(read_text(kTree), "nothing").empty());
}

TEST(LeafDevices, OfTooManyAreRefused) {
  // 100^4 leaves in four levels of a hundred instances each.
  std::string text = ".subckt l0 a\nr1 a 0 1\n.ends\n";
  for (int level = 1; level <= 4; ++level) {
    text += ".subckt l" + std::to_string(level) + " a\n";
    for (int i = 0; i < 100; ++i) text += "x" + std::to_string(i) + " a l" + std::to_string(level - 1) + "\n";
    text += ".ends\n";
  }
  const Netlist n = read_text(text);
  EXPECT_EQ(leaf_devices(n, "l2").size(), 10000u);
  testing::expect_error(ExitStatus::kInvalidProject, "E234", [&] { leaf_devices(n, "l4"); });
  EXPECT_NE(find_device(n, "l4", "x99.x0.x50.x1.r1"), nullptr);
}

TEST(FindDevice, FollowsAPath) {
  const Netlist n = read_text(kTree);
  ASSERT_NE(find_device(n, "cell", "x1.x7.m2"), nullptr);
  EXPECT_EQ(find_device(n, "cell", "x1.x7.m2")->model, "own");
  EXPECT_EQ(find_device(n, "cell", "x1.x7.m2")->nodes, (Texts{"n", "b", "0", "0"}));
  EXPECT_EQ(find_device(n, "cell", "x1.x7.m2")->position.line, 10);
  EXPECT_EQ(find_device(n, "cell", "x2")->subcircuit, "leaf");
  for (const char* path : {"x3.r1", "x1.r1", "x1.x7", "", ".", "x1.", "x1..r1", "d1.r1"})
    EXPECT_EQ(find_device(n, "cell", path) != nullptr, std::string(path) == "x1.x7") << path;
}

TEST(HasNode, FollowsAPath) {
  const Netlist n = read_text(kTree);
  for (const char* path : {"q", "a", "x1.x7.n", "x2.a"}) EXPECT_TRUE(has_node(n, "cell", path)) << path;
  for (const char* path : {"n", "x1.n", "x9.n", "", "x1."}) EXPECT_FALSE(has_node(n, "cell", path)) << path;
  EXPECT_EQ(n.subcircuits.at("cell").nodes, (std::set<std::string>{"q"}));
  EXPECT_EQ(n.subcircuits.at("outer.nested").models, (std::set<std::string>{"own"}));
}

TEST(HasNode, TakesDotsInNames) {
  const Netlist n = read_text(in_cell("r1 a net.1 1k\nr.2 net.1 b 1k\n"));
  EXPECT_TRUE(has_node(n, "cell", "net.1"));
  EXPECT_NE(find_device(n, "cell", "r.2"), nullptr);
}

TEST(ExpandedName, IsThatOfNgspice) {
  const Netlist n = read_text(kTree);
  EXPECT_EQ(expanded_device_name(n, "cell", "x3", "d1"), "d.x3.d1");
  EXPECT_EQ(expanded_device_name(n, "cell", "x3", "x2.r1"), "r.x3.x2.r1");
  EXPECT_EQ(expanded_device_name(n, "cell", "x3", "x1.x7.r1"), "r.x3.x1.r.x7.r1");
  EXPECT_EQ(expanded_model_name(n, "cell", "x3", "dio"), "x3:dio");
  EXPECT_EQ(expanded_model_name(n, "cell", "x3", "x1.x7.own"), "x3.x1:x7:own");
}

TEST(ExpandedName, ReachesEveryDeviceInTheRealNgspice) {
  const Netlist n = read_text(kTree);
  Deck deck{.name = "tree", .lines = {"title"}};
  for (const auto& s : n.statements) deck.lines.push_back(s.text);
  for (const char* line : {"v1 in 0 1", "x5 in 0 cell", ".end"}) deck.lines.push_back(line);
  deck.positions.resize(deck.lines.size());
  std::vector<std::string> parameters;
  for (const auto& leaf : leaf_devices(n, "cell"))
    if (leaf.type != 'd')
      parameters.push_back("@" + expanded_device_name(n, "cell", "x5", leaf.path) +
                           (leaf.type == 'm' ? "[w]" : "[resistance]"));
  ASSERT_EQ(parameters.size(), 10u);
  for (const double value : nominal_values(deck, parameters, RunContext{}))  // E208 for a name it does not know
    EXPECT_TRUE(std::fabs(value / 1e3 - 1) < 1e-9 || std::fabs(value / 1e-6 - 1) < 1e-9) << value;
  // And models can be altered by their names.
  deck.slots = {{SlotKind::kModel, expanded_model_name(n, "cell", "x5", "x1.x7.own") + " vto"},
                {SlotKind::kModel, expanded_model_name(n, "cell", "x5", "dio") + " is"}};
  deck.outputs = {{"v1#branch", 1.0}};
  const auto result = run_campaign({deck}, {{.slots = {0.7, 1e-14}}}, {.retries = 0}, {}, {}, RunContext{});
  EXPECT_EQ(result.points[0].status, PointStatus::kOk) << result.points[0].log;
}

}  // namespace
}  // namespace errata::circuit
