#include "circuit/netlist.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/random_stream.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"

namespace errata::circuit {
namespace {

using testing::diagnostics_of;
using testing::TemporaryFolder;
using Texts = std::vector<std::string>;

Texts texts(const Netlist& netlist) {
  Texts all;
  for (const auto& s : netlist.statements) all.push_back(s.text);
  return all;
}

/// Reads text as the top file of a netlist; a title line is put before it, so line 2 is the text's first.
Netlist read(const std::string& text, const NetlistOptions& options = {}) {
  const TemporaryFolder folder;
  return read_netlist(folder.write("top.cir", "title\n" + text), options);
}

/// "code line" of every problem.
Texts problems(const std::string& text, const NetlistOptions& options = {}) {
  Texts all;
  for (const auto& d : diagnostics_of([&] { read(text, options); }))
    all.push_back(d.code + " " + std::to_string(d.position.line));
  return all;
}

TEST(Netlist, FirstLineIsATitleUnlessItIsADotStatement) {
  const TemporaryFolder folder;
  EXPECT_EQ(texts(read_netlist(folder.write("a.cir", "r1 a b 1k\nr2 a b 1k\n"), {})), (Texts{"r2 a b 1k"}));
  EXPECT_EQ(texts(read_netlist(folder.write("b.cir", ".param x=1\nr2 a b {x}\n"), {})),
            (Texts{".param x=1", "r2 a b {x}"}));
  EXPECT_TRUE(texts(read_netlist(folder.write("c.cir", ""), {})).empty());
}

TEST(Netlist, JoinsContinuationsOverCommentsAndBlankLines) {
  const auto n = read("r1 a\n+ b\n\n* remark\n+ 1k\nr2 c d 2k\n");
  EXPECT_EQ(texts(n), (Texts{"r1 a  b  1k", "r2 c d 2k"}));
  EXPECT_EQ(n.statements[0].position.line, 2);
  EXPECT_EQ(n.statements[1].position.line, 7);
}

TEST(Netlist, CutsCommentsTabsAndCarriageReturns) {
  EXPECT_EQ(texts(read("* whole line\r\n\tr1\ta b 1k ; rest\r\nr2 a b 1k $ rest\r\nr3 a b 1k // rest\r\n   * "
                       "indented\r\n$ dollar\r\n")),
            (Texts{"r1\ta b 1k", "r2 a b 1k", "r3 a b 1k"}));
  EXPECT_EQ(texts(read("r1 a$b c 1k\n")), (Texts{"r1 a$b c 1k"}));  // a dollar inside a name is no comment
}

TEST(Netlist, NamesHaveNoCase) {
  const auto n = read(
      ".PARAM Wide=1u\n.MODEL NFet NMOS level=1\n.SubCkt CELL Bl WL params: L=1u\nM1 Bl WL 0 0 nfet W={WIDE} "
      "l={l}\n.ENDS Cell\nX1 a b cell\n");
  ASSERT_TRUE(n.subcircuits.contains("cell"));
  EXPECT_EQ(n.subcircuits.at("cell").pins, (Texts{"bl", "wl"}));
  EXPECT_TRUE(n.subcircuits.at("cell").devices.contains("m1"));
  EXPECT_EQ(n.subcircuits.at("cell").position.line, 4);
}

TEST(Netlist, InlinesIncludesRelativeToTheFileThatNamesThem) {
  const TemporaryFolder folder;
  folder.write("sub dir/deeper/c.inc", "r3 a b 3k\n");
  folder.write("sub dir/b.inc", "r2 a b 2k\n.INCLUDE deeper/c.inc\n");
  const auto top = folder.write("a.cir", "title\n.include 'sub dir/b.inc'\n.inc \"sub dir/b.inc\"\n.incl " +
                                             (folder / "plain.inc").string() + "\n");
  folder.write("plain.inc", "r4 a b 4k\n");
  const auto n = read_netlist(top, {});
  EXPECT_EQ(texts(n), (Texts{"r2 a b 2k", "r3 a b 3k", "r2 a b 2k", "r3 a b 3k",
                             "r4 a b 4k"}));  // an included first line is no title
  EXPECT_EQ(n.statements[1].position.file, (folder / "sub dir/deeper/c.inc").string());
  EXPECT_EQ(n.statements[1].position.line, 1);
}

TEST(Netlist, TakesOnlyTheNamedLibrarySection) {
  const TemporaryFolder folder;
  folder.write("models.lib",
               "* corners\n.lib TT\n.param v=1\n.endl TT\n.lib ff\n.param v=2\n.lib 'models.lib' common\n.endl\n"
               ".lib common\n.param shared=7\n.endl\n");
  const auto with = [&](const std::string& line) {
    return read_netlist(folder.write("a.cir", "title\n" + line + "\n"), {});
  };
  EXPECT_EQ(texts(with(".lib models.lib tt")), (Texts{".param v=1"}));
  EXPECT_EQ(texts(with(".LIB \"models.lib\" FF")), (Texts{".param v=2", ".param shared=7"}));
  EXPECT_TRUE(texts(with(".include models.lib")).empty());  // sections that nobody asked for
  const auto missing = diagnostics_of([&] { with(".lib models.lib sf"); });
  ASSERT_EQ(missing.size(), 1u);
  EXPECT_EQ(missing[0].code, "E201");
  EXPECT_NE(missing[0].message.find("no section 'sf'"), std::string::npos);
  const auto open = diagnostics_of([&] { with(".lib models.lib"); });  // no section: the rest of the file would vanish
  ASSERT_EQ(open.size(), 1u);
  EXPECT_EQ(open[0].code, "E201");
}

TEST(E201, MissingFilesAreAllReported) {
  EXPECT_EQ(problems(".include nowhere.inc\nr1 a b 1k\n.include\n.lib gone.lib tt\n"),
            (Texts{"E201 2", "E201 4", "E201 5"}));
  const auto top = diagnostics_of([] { read_netlist("/no/such/netlist.cir", {}); });
  ASSERT_EQ(top.size(), 1u);
  EXPECT_EQ(top[0].code, "E201");
  EXPECT_NE(top[0].message.find("/no/such/netlist.cir"), std::string::npos);
}

TEST(E201, WhatIsNoFileIsNotRead) {
  const TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  for (const std::string& path : {folder.path().string(), (folder / "pipe").string(), std::string("/dev/zero")}) {
    const auto d = diagnostics_of([&] { read_netlist(folder.write("a.cir", "title\n.include " + path + "\n"), {}); });
    ASSERT_EQ(d.size(), 1u) << path;
    EXPECT_EQ(d[0].code, "E201");
  }
}

TEST(E201, IncludesThatNeverEndAreReportedAndEnd) {
  const TemporaryFolder folder;
  const auto self = folder.write(
      "self.cir", "title\n.include self.cir\n.include ./self.cir\n.include '" + (folder / "self.cir").string() + "'\n");
  EXPECT_EQ(diagnostics_of([&] { read_netlist(self, {}); }).size(), 3u);
  // Thirty files that each include the next one twice would be 2^30 readings.
  for (int i = 0; i < 30; ++i) {
    const std::string next = "f" + std::to_string(i + 1) + ".inc";
    folder.write("f" + std::to_string(i) + ".inc", ".include " + next + "\n.include " + next + "\n");
  }
  folder.write("f30.inc", "r1 a b 1k\n");
  const auto bomb = diagnostics_of([&] { read_netlist(folder / "f0.inc", {}); });
  ASSERT_EQ(bomb.size(), 1u);
  EXPECT_EQ(bomb[0].code, "E201");
}

TEST(W210, ControlBlocksAreDropped) {
  for (const std::string word : {".control", ".CONTROL", ".controlx"}) {  // ngspice looks at the first letters only
    const auto n = read("r1 a b 1k\n" + word +
                        "\nshell touch /tmp/errata-was-here\necho hi > /tmp/errata-was-here\n.endc\nr2 a b 2k\n");
    EXPECT_EQ(texts(n), (Texts{"r1 a b 1k", "r2 a b 2k"}));
    ASSERT_EQ(n.warnings.size(), 1u);
    EXPECT_EQ(n.warnings[0].code, "W210");
    EXPECT_EQ(n.warnings[0].severity, Diagnostic::Severity::kWarning);
    EXPECT_EQ(n.warnings[0].position.line, 3);
  }
  EXPECT_EQ(texts(read("r1 a b 1k\n.control\nquit\n", {.trust = true})),
            (Texts{"r1 a b 1k"}));  // trust does not let it pass
}

TEST(Netlist, DropsAnalysesAndOutputs) {
  EXPECT_EQ(texts(read(".op\n.TRAN 1n 1u\n.dc v1 0 1 0.1\n.noise v(a) v1 dec 1 1 10\n.print dc v(a)\n.save v(a)\n.meas "
                       "tran x max v(a)\n"
                       "r1 a b 1k\n.end\n")),
            (Texts{"r1 a b 1k"}));
}

TEST(E206, RefusedStatements) {
  EXPECT_EQ(problems(".hdl foo.va\n.protect\n.model m nmos level = 72\nn1 a b c d model\n.temp 85\n.csparam "
                     "x={1}\n.csparams y={1}\n"),
            (Texts{"E206 2", "E206 3", "E206 4", "E206 5", "E206 6", "E206 7", "E206 8"}));
  EXPECT_EQ(problems("shell rm -rf /\nwrdata out v(a)\nsource other.cir\n"), (Texts{"E206 2", "E206 3", "E206 4"}));
  EXPECT_NO_THROW(read(".csparam x={1}\n", {.trust = true}));
  EXPECT_EQ(problems(".hdl foo.va\n", {.trust = true}), (Texts{"E206 2"}));  // trust adds no feature to ngspice
  EXPECT_NO_THROW(read(".model m nmos level=54\n"));
}

TEST(E204, UndefinedParameters) {
  EXPECT_EQ(problems("r1 a b {rr}\nr2 a b 'ss*2'\n"), (Texts{"E204 2", "E204 3"}));
  const auto d = diagnostics_of([] { read(".param width=1u\nr1 a b {widht*2}\n"); });
  ASSERT_EQ(d.size(), 1u);
  EXPECT_EQ(d[0].hint, "did you mean 'width'?");
}

TEST(E204, KnownNamesNumbersAndFunctionsAreNoParameters) {
  EXPECT_NO_THROW(
      read(".param a=1 b = {a*2e-3} c='a+b'\n.func sq(x) {x*x}\nr1 p q {sq(a)+max(b, c)}\n"
           "r2 p q {1.5e-9+0.4u*2meg+a}\nb1 p q v={v(p,q)*a+i(v1)+time+temper+pi}\nv1 p q 0\n"));
  EXPECT_NO_THROW(read(".subckt s a b params: w=1u l=2u\nr1 a b {w/l}\n.ends\n"));
  EXPECT_NO_THROW(read(".subckt s a b w=1u\nr1 a b {w}\n.ends\nx1 p q s w={3*2}\n"));
}

TEST(E205, UnknownModels) {
  EXPECT_EQ(problems("m1 d g s b nfet w=1u\nd1 a b dio\nq1 c b e bjt\nq2 c b e s bjt\n"),
            (Texts{"E205 2", "E205 3", "E205 4", "E205 5"}));
  const auto d = diagnostics_of([] { read(".model nfet nmos\nm1 d g s b nfte\n"); });
  ASSERT_EQ(d.size(), 1u);
  EXPECT_EQ(d[0].hint, "did you mean 'nfet'?");
  EXPECT_NO_THROW(read(".model nfet.1 nmos lmin=1u\n.model nfet.2 nmos lmin=2u\nm1 d g s b nfet\n"));  // binned
  EXPECT_NO_THROW(read(".model bjt npn\nq1 c b e bjt\nq2 c b e s bjt\nq3 c b e s bjt 2\n"));  // with a substrate node
}

TEST(E202, UnknownSubcircuits) {
  EXPECT_EQ(problems("x1 a b cell\nx2 a b other params: w=1\nx3 a b third w = 2\n"),
            (Texts{"E202 2", "E202 3", "E202 4"}));
}

TEST(E209, UnbalancedSubcircuits) {
  EXPECT_EQ(problems(".subckt a x y\nr1 x y 1k\n"), (Texts{"E209 2"}));
  EXPECT_EQ(problems("r1 x y 1k\n.ends\n"), (Texts{"E209 3"}));
}

TEST(Netlist, NestsSubcircuits) {
  const auto n = read(
      ".subckt outer a b params: p=1\n.subckt inner c d params: q=2\nr1 c d {p*q}\n.ends inner\nx1 a b inner\nr2 a b "
      "{p}\n.ends\n");
  EXPECT_TRUE(n.subcircuits.contains("outer"));
  ASSERT_TRUE(n.subcircuits.contains("inner"));
  EXPECT_TRUE(n.subcircuits.at("inner").devices.contains("r1"));
  EXPECT_TRUE(n.subcircuits.at("outer").devices.contains("r2"));
  EXPECT_FALSE(n.subcircuits.at("outer").devices.contains("r1"));
}

TEST(Netlist, ReportsAllProblemsAtOnce) {
  EXPECT_EQ(problems(".subckt a x y\nr1 x y {nope}\nm1 a b c d nomodel\nx1 q r nosub\n"),
            (Texts{"E204 3", "E209 2", "E205 4", "E202 5"}));
}

TEST(Netlist, HashFollowsTheStatementsOnly) {
  const std::string base = read("r1 a b 1k\n").sha256;
  EXPECT_EQ(base.size(), 64u);
  EXPECT_EQ(base, read("* remark\n\nr1 a b 1k ; rest\n").sha256);
  EXPECT_NE(base, read("r1 a b 2k\n").sha256);
}

TEST(Netlist, SurvivesHostileText) {
  const std::string seed_text =
      ".param a=1\n.subckt c x y params: w=1u\nr1 x y {a*w}\n.ends\nx1 p q c w='a'\n.lib 'l' tt\n.control\n.endc\n+ "
      "b=2\n";
  const TemporaryFolder folder;
  for (std::uint64_t i = 0; i < 3000; ++i) {
    RandomStream stream(15, StreamPurpose::kTest, i);
    std::string text = seed_text;
    for (int k = 0; k < 4; ++k) text[stream.below(text.size())] = static_cast<char>(stream.below(256));
    text.resize(stream.below(text.size() + 1));
    try {
      read_netlist(folder.write("a.cir", text), {});
    } catch (const ProjectError&) {
    } catch (const std::exception& e) {
      ADD_FAILURE() << e.what() << "\n" << text;
    }
  }
}

TEST(WordsOf, KeepsBracesAndQuotesTogether) {
  EXPECT_EQ(words_of("m1 a\tb  w={x + 1} l='y + 2' \"a b\""),
            (Texts{"m1", "a", "b", "w={x + 1}", "l='y + 2'", "\"a b\""}));
  EXPECT_TRUE(words_of("  \t ").empty());
}

}  // namespace
}  // namespace errata::circuit
