#include "circuit/netlist/netlist.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>

#include "core/random_stream.h"
#include "tests/support/netlist_text.h"

namespace errata::circuit {
namespace {

using testing::body_texts;
using testing::diagnostics_of;
using testing::in_cell;
using testing::problem;
using testing::problems;
using testing::read_text;
using testing::TemporaryFolder;
using testing::texts;
using testing::warnings;
using Texts = std::vector<std::string>;

TEST(Netlist, FirstLineIsATitleUnlessItIsADotStatement) {
  const TemporaryFolder folder;
  EXPECT_TRUE(texts(read_netlist(folder.write("a.cir", "r1 a b 1k\n"), {})).empty());
  EXPECT_EQ(texts(read_netlist(folder.write("b.cir", ".param x=1\n.subckt c a\nr2 a 0 {x}\n.ends"), {})),
            (Texts{".param x=1", ".subckt c a", "r2 a 0 {x}", ".ends"}));  // and no newline at the end
  EXPECT_TRUE(texts(read_netlist(folder.write("c.cir", ""), {})).empty());
  EXPECT_TRUE(texts(read_netlist(folder.write("d.cir", ".. my circuit ..\n"), {})).empty());
  EXPECT_TRUE(texts(read_netlist(folder.write("e.cir", "\n\n* a\n"), {})).empty());
}

TEST(Netlist, JoinsContinuationsOverCommentsAndBlankLines) {
  const auto n =
      read_text(in_cell("r1 a $ first node\n+ b ; second\n\n* remark\n$ remark\n  + 1k // value\nr2 a b 2k\n"));
  EXPECT_EQ(body_texts(n), (Texts{"r1 a  b  1k", "r2 a b 2k"}));
  EXPECT_EQ(n.statements[1].position.line, 3);
  EXPECT_EQ(n.statements[2].position.line, 9);
}

TEST(Netlist, JoinsLinesThatEndInABackslash) {
  EXPECT_EQ(body_texts(read_text(in_cell("r1 a b \\\\\n1k \\\\ \n\n  m=2\nr2 a b \\\n 2k\n"))),
            (Texts{"r1 a b 1k m=2", "r2 a b 2k"}));
  EXPECT_EQ(body_texts(read_text(in_cell("r1 a b 1k $ \\\\\nr2 a b 2k\n"))), (Texts{"r1 a b 1k", "r2 a b 2k"}));
}

TEST(Netlist, CutsCommentsTabsAndCarriageReturns) {
  EXPECT_EQ(
      body_texts(read_text(in_cell("* whole line\r\n\tr1\ta b 1k ; rest\r\nr2 a b 1k $ rest\r\nr3 a b 1k // rest\r\n"
                                   "   * indented\r\n$ dollar\r\n# hash\r\nr4 a b 1k,$rest\r\n"))),
      (Texts{"r1\ta b 1k", "r2 a b 1k", "r3 a b 1k", "r4 a b 1k,"}));
  EXPECT_EQ(body_texts(read_text(in_cell("r1 a$b 0 1k\nr2 a$b 0 1k\n"))), (Texts{"r1 a$b 0 1k", "r2 a$b 0 1k"}));
  const TemporaryFolder folder;  // an old Macintosh's line ends
  EXPECT_EQ(texts(read_netlist(folder.write("a.cir", "title\r.subckt c a\rr1 a 0 1k\r.ends\r"), {})),
            (Texts{".subckt c a", "r1 a 0 1k", ".ends"}));
}

TEST(Netlist, InPspiceModeADollarIsALetter) {
  EXPECT_EQ(body_texts(read_text(in_cell("r1 a $g_x 1k\nr2 $g_x b 1k\n$ comment\n"), {.compatibility = "psa"})),
            (Texts{"r1 a $g_x 1k", "r2 $g_x b 1k"}));
}

TEST(Netlist, TextBeyondAsciiMayStandInComments) {
  const auto n = read_text(
      "* gr\xfc\xdf"
      "e, \xe6\x97\xa5\n" +
      in_cell("r1 a b 1k $ \xb5 \xff\n"));
  EXPECT_EQ(body_texts(n), (Texts{"r1 a b 1k"}));
  // A micro sign is u, in Latin-1 and UTF-8.
  EXPECT_EQ(body_texts(read_text(in_cell("c1 a b 1\xb5\nc2 a b 1\xc2\xb5\nc3 a b 1\xce\xbc\n"))),
            (Texts{"c1 a b 1u", "c2 a b 1u", "c3 a b 1u"}));
  EXPECT_EQ(problems(in_cell("r\xc3\xa9 a b 1k\n")), (Texts{"E206 3"}));  // ngspice would make "r__" of it
}

TEST(E201, WhatIsNotTextIsNotRead) {
  const TemporaryFolder folder;
  for (const std::string& bytes : {std::string("\xff\xfe.\0s\0u\0b\0", 10), std::string("title\nr1 a\0 b\n", 14)}) {
    const auto d = diagnostics_of([&] { read_netlist(folder.write("a.cir", bytes), {}); });
    ASSERT_EQ(d.size(), 1u);
    EXPECT_EQ(d[0].code, "E201");
  }
  EXPECT_EQ(texts(read_netlist(folder.write("a.cir", "\xef\xbb\xbf.subckt c a\nr1 a 0 1k\n.ends\n"), {})),
            (Texts{".subckt c a", "r1 a 0 1k", ".ends"}));  // a byte order mark does not hide the first line
}

TEST(W221, LinesThatNgspiceIgnores) {
  const auto n = read_text("=====\n" + in_cell("+ r0 a b 1k\nr1 a b 1k\n") + "% note\n");
  EXPECT_EQ(warnings(n), (Texts{"W221 2", "W221 7"}));
  EXPECT_EQ(warnings(read_text("+ cont\n" + in_cell("r1 a b 1k\n"))), (Texts{"W221 1"}));
  EXPECT_EQ(problems("@here\n" + in_cell("r1 a b 1k\n")), (Texts{"E206 2"}));  // ngspice would stop reading
}

TEST(Netlist, NamesHaveNoCase) {
  const auto n = read_text(
      ".PARAM Wide=1u\n.MODEL NFet NMOS level=1\n.SubCkt CELL Bl WL params: L=1u\nM1 Bl WL 0 0 nfet W={WIDE} "
      "l={l}\n.ENDS Cell\nX1 a b cell\n");
  ASSERT_TRUE(n.subcircuits.contains("cell"));
  EXPECT_EQ(n.subcircuits.at("cell").pins, (Texts{"bl", "wl"}));
  EXPECT_TRUE(n.subcircuits.at("cell").devices.contains("m1"));
  EXPECT_EQ(n.subcircuits.at("cell").devices.at("m1").model, "nfet");
  EXPECT_EQ(n.subcircuits.at("cell").position.line, 4);
}

TEST(Netlist, WritesWhatNgspiceTakes) {
  // ngspice 39 loses parameters of .macro, takes "params:" for a subcircuit in HSPICE mode, and "/" for a node.
  EXPECT_EQ(
      texts(read_text(".macro inner p q PARAMS: r=1k\nr1 p q {r}\n.eom\n" + in_cell("x1 a b / inner params: r=2k\n"))),
      (Texts{".subckt inner p q   r=1k", "r1 p q {r}", ".ends", ".subckt cell a b", "x1 a b inner   r=2k", ".ends"}));
}

TEST(Netlist, InlinesIncludesRelativeToTheFileThatNamesThem) {
  const TemporaryFolder folder;
  folder.write("sub dir/deeper/c.inc", "r3 a b 3k\n");
  folder.write("sub dir/b.inc", "r2 a b 2k\n.INCLUDE deeper/c.inc\n.inc plain.inc\n");
  folder.write("plain.inc", "r4 a b 4k\n");
  const auto top = folder.write("a.cir", "title\n.subckt c a b\n.include 'sub dir/b.inc' $ comment\n.incl \"" +
                                             folder.path().string() + "//plain.inc" + "\" ; not // a comment\n.ends\n");
  const auto n = diagnostics_of([&] { read_netlist(top, {}); });  // r4 comes twice
  ASSERT_EQ(n.size(), 1u);
  EXPECT_EQ(n[0].code, "E233");
  EXPECT_EQ(n[0].position.file, folder.path().string() + "//plain.inc");
  folder.write("a.cir", "title\n.subckt c a b\n.include 'sub dir/b.inc'\n.ends\n");
  const auto once = read_netlist(top, {});
  EXPECT_EQ(body_texts(once), (Texts{"r2 a b 2k", "r3 a b 3k", "r4 a b 4k"}));  // an included first line is no title
  EXPECT_EQ(once.statements[2].position.file, (folder / "sub dir/deeper/c.inc").string());
  EXPECT_EQ(once.statements[2].position.line, 1);
  EXPECT_EQ(once.statements[3].position.file, (folder / "plain.inc").string());  // beside the top file
}

TEST(Netlist, SearchesWhereHspiceWould) {
  const TemporaryFolder folder;
  folder.write("pdk/models.lib", ".lib tt\n.param a=1\n.inc deeper/x.inc\n.endl\n");
  folder.write("lib/deeper/x.inc", ".param b=1\n");
  EXPECT_EQ(texts(read_netlist(folder.write("a.cir",
                                            "title\n.option search='pdk' post\n.option search=\"lib\"\n"
                                            ".lib models.lib tt\n"),
                               {})),
            (Texts{".param a=1", ".param b=1"}));
}

TEST(E201, TheHintKnowsAnotherCase) {
  const TemporaryFolder folder;
  folder.write("sub/Models.LIB", ".param a=1\n");
  const auto d = diagnostics_of([&] { read_netlist(folder.write("a.cir", "title\n.include sub/models.lib\n"), {}); });
  EXPECT_EQ(d.at(0).hint, "there is a 'Models.LIB'");
  EXPECT_EQ(texts(read_netlist(folder.write("b.cir", "title\n.include 'sub\\Models.LIB'\n"), {})),
            (Texts{".param a=1"}));  // written on Windows
}

TEST(E201, PathsAreNotExpanded) {
  EXPECT_EQ(problems(".include ~/models.lib\n.lib '$PDK/models.lib' tt\n"), (Texts{"E201 2", "E201 3"}));
}

TEST(Netlist, TakesOnlyTheNamedLibrarySection) {
  const TemporaryFolder folder;
  folder.write("models.lib",
               "* corners\n.lib TT\n.param v=1\n.endl TT\n.LIB 'ff'\n.param v=2\n.lib 'models.lib' common\n.ENDL\n"
               ".lib common\n.param shared=7\n.lib 'deeper/more.lib' all\n.endl\n");
  folder.write("deeper/more.lib", ".lib all\n.lib '../models.lib' last\n.endl\n");
  const auto with = [&](const std::string& line) {
    return read_netlist(folder.write("a.cir", "title\n" + line + "\n"), {});
  };
  folder.write("deeper/../models.lib", testing::bytes_of(folder / "models.lib") + ".lib last\n.param last=1\n.endl\n");
  EXPECT_EQ(texts(with(".lib models.lib tt")), (Texts{".param v=1"}));
  EXPECT_EQ(texts(with(".LIB \"models.lib\" FF")), (Texts{".param v=2", ".param shared=7", ".param last=1"}));
  EXPECT_TRUE(texts(with(".include models.lib")).empty());  // sections that nobody asked for
  const auto missing = diagnostics_of([&] { with(".lib models.lib sf"); });
  ASSERT_EQ(missing.size(), 1u);
  EXPECT_EQ(missing[0].code, "E201");
  EXPECT_NE(missing[0].message.find("no section 'sf'"), std::string::npos);
  EXPECT_EQ(missing[0].hint, "it has: tt, ff, common, last");
  const auto open = diagnostics_of([&] { with(".lib models.lib"); });  // no section: the rest of the file would vanish
  ASSERT_EQ(open.size(), 1u);
  EXPECT_EQ(open[0].code, "E201");
  EXPECT_EQ(open[0].position.line, 2);
}

TEST(Netlist, InPspiceAndLtspiceModeLibIncludesAFile) {
  const TemporaryFolder folder;
  folder.write("models.lib", ".param v=1\n");
  const auto top = folder.write("a.cir", "title\n.lib \"models.lib\"\n");
  for (const std::string mode : {"psa", "lta", "ltpsa"})
    EXPECT_EQ(texts(read_netlist(top, {.compatibility = mode})), (Texts{".param v=1"})) << mode;
}

TEST(Netlist, ACornerReplacesTheSectionWhereTheFileHasIt) {
  const TemporaryFolder folder;
  folder.write("models.lib", ".lib tt\n.param v=1\n.endl\n.lib ff\n.param v=2\n.endl\n");
  folder.write("other.lib", ".lib tt\n.param w=1\n.endl\n");
  const auto top = folder.write("a.cir", "title\n.lib models.lib tt\n.lib other.lib tt\n");
  EXPECT_EQ(texts(read_netlist(top, {.corner = "FF"})), (Texts{".param v=2", ".param w=1"}));
}

TEST(E201, MissingFilesAreAllReported) {
  EXPECT_EQ(problems(".include nowhere.inc\n.param a=1\n.include\n.lib gone.lib tt\n"),
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
  folder.write("f30.inc", ".param x=1\n");
  const auto bomb = diagnostics_of([&] { read_netlist(folder / "f0.inc", {}); });
  ASSERT_EQ(bomb.size(), 1u);
  EXPECT_EQ(bomb[0].code, "E201");
  for (int i = 0; i < 200; ++i)
    folder.write("g" + std::to_string(i) + ".inc", ".include g" + std::to_string(i + 1) + ".inc\n");
  const auto deep = diagnostics_of([&] { read_netlist(folder / "g0.inc", {}); });
  ASSERT_EQ(deep.size(), 1u);
  EXPECT_NE(deep[0].message.find("nested"), std::string::npos);
}

TEST(W210, ControlBlocksAreDropped) {
  for (const std::string word : {".control", ".CONTROL", ".controlx"}) {  // ngspice looks at the first letters only
    const auto n =
        read_text(in_cell("r1 a b 1k\n" + word +
                          "\nshell touch /tmp/errata-was-here\necho hi > /tmp/errata-was-here\n.endc\nr2 a b "
                          "2k\n"));
    EXPECT_EQ(body_texts(n), (Texts{"r1 a b 1k", "r2 a b 2k"}));
    ASSERT_EQ(n.warnings.size(), 1u);
    EXPECT_EQ(n.warnings[0].code, "W210");
    EXPECT_EQ(n.warnings[0].severity, Diagnostic::Severity::kWarning);
    EXPECT_EQ(n.warnings[0].position.line, 4);
  }
  EXPECT_EQ(texts(read_text(".param a=1\n.control\nquit\n", {.trust = true})),
            (Texts{".param a=1"}));  // trust does not let it pass
  EXPECT_TRUE(texts(read_text("*# shell touch /tmp/errata-was-here\n", {.trust = true})).empty());
}

TEST(W220, ElementsOutsideSubcircuitsAreATestBench) {
  const auto n = read_text("v1 bl 0 1\nm9 no such transistor exists nomodel\n" + in_cell("r1 a b 1k\n") +
                           "x1 bl 0 cell\nx2 bl 0 nothing\nc1 bl 0 {undefined}\n");
  EXPECT_EQ(texts(n), (Texts{".subckt cell a b", "r1 a b 1k", ".ends"}));
  ASSERT_EQ(warnings(n), (Texts{"W220 2"}));
  EXPECT_NE(n.warnings[0].message.find("5 elements"), std::string::npos);
}

TEST(Netlist, DropsAnalysesAndOutputs) {
  EXPECT_TRUE(texts(read_text(".op\n.TRAN 1n 1u sweep monte=30\n.dc v1 0 1 0.1\n.noise v(a) v1 dec 1 1 10\n.print dc "
                              "v(a)\n.save v(a)\n.meas tran x max v(a)\n.probe v(a)\n.step param x 1 2 3\n.backanno\n"
                              ".protect\n.unprotect\n.fft v(1)\n.end\n"))
                  .empty());
}

TEST(W221, WhatMeantSomethingIsDroppedWithAWord) {
  const auto n = read_text(
      ".temp 85\n.ic v(x)=1\n.csparam x={1}\n.data sweep a b\n1 2\n3 4\n.enddata\n.options reltol=1e-3 "
      "post=2\n.variation\n.global_variation\n.end_variation\n.param a=1\n.alter fast\n.lib 'gone.lib' ff\n.param "
      "a=2\n");
  EXPECT_EQ(texts(n), (Texts{".param a=1"}));
  EXPECT_EQ(warnings(n), (Texts{"W221 2", "W221 3", "W221 4", "W221 5", "W221 9", "W221 10", "W221 14"}));
  EXPECT_EQ(warnings(read_text(".end\n.param a=1\n.param b=1\n")), (Texts{"W221 3"}));  // ngspice reads on
  EXPECT_EQ(problems(".data x\n1 2\n"), (Texts{"E209 0"}));
}

TEST(Netlist, KeepsInitialConditionsInsideASubcircuit) {
  const std::string body = "r1 a q 1k\nc1 q b 1f\n.ic v(q)=0.5\n.nodeset v(q)=0.5\n.save v(q)\n";
  EXPECT_EQ(body_texts(read_text(in_cell(body))),
            (Texts{"r1 a q 1k", "c1 q b 1f", ".ic v(q)=0.5", ".nodeset v(q)=0.5"}));
}

TEST(Netlist, KeepsOptionsThatSayHowTheCircuitIsMeant) {
  const auto n = read_text(".option post probe scale=1u TNOM=25 ingold=2 seed=7 method = gear\n.options numdgt=7\n");
  EXPECT_EQ(texts(n), (Texts{".options scale=1u tnom=25 method=gear"}));
  EXPECT_DOUBLE_EQ(n.scale, 1e-6);
  EXPECT_TRUE(n.sets_nominal_temperature);
  EXPECT_DOUBLE_EQ(read_text(".param s=2e-6\n.option scale='s/2'\n").scale, 1e-6);
  EXPECT_EQ(read_text("").scale, 1.0);
}

TEST(E206, RefusedStatements) {
  EXPECT_EQ(problems(".connect a b\n.frobnicate\n"), (Texts{"E206 2", "E206 3"}));
  EXPECT_EQ(problems("shell rm -rf /\nwrdata out v(a)\nsource other.cir\n"), (Texts{"E206 2", "E206 3", "E206 4"}));
}

TEST(E206, SpectresSyntaxAndErratasNames) {
  EXPECT_EQ(problems("simulator lang=spectre\nsubckt cell (a b)\n"), (Texts{"E206 2", "E206 3"}));
  EXPECT_TRUE(texts(read_text("simulator lang=spice\n")).empty());
  EXPECT_EQ(problems(".param errata_level1=3\n"), (Texts{"E206 2"}));
}

TEST(W226, TrustLetsCommandsPass) {
  const TemporaryFolder folder;
  folder.write("my.cm", "");
  const auto top = folder.write("a.cir", "title\nshell ls\n.control\npre_codemodel my.cm\nshell ls\n.endc\n");
  const auto n = read_netlist(top, {.trust = true});
  EXPECT_EQ(texts(n), (Texts{".control", "pre_codemodel " + (folder / "my.cm").string(), ".endc"}));
  Texts all = warnings(n);
  ASSERT_GE(all.size(), 3u);  // and one more where the folder's name has a capital letter
  all.resize(3);
  EXPECT_EQ(all, (Texts{"W221 2", "W210 3", "W226 4"}));
  EXPECT_EQ(diagnostics_of([&] { read_netlist(top, {}); }).size(), 1u);
}

TEST(E206, WhatCannotBeReadMattersWhenSomethingIsMissing) {
  for (const std::string& text :
       {std::string(".hdl 'rram.va'\n"), std::string(".prot freelib\ngarbage\n.unprot\n"),
        std::string("$CDNENCSTART\n0fa8\n@@@\n$CDNENCFINISH\n"), std::string(".osdi x.osdi\n")}) {
    EXPECT_EQ(problems(text + in_cell("m1 a b 0 0 nmos\n")).size(), 2u) << text;
    const auto fine = read_text(text + in_cell("r1 a b 1k\n"));
    EXPECT_EQ(fine.warnings.front().code, "W221") << text;
  }
  const TemporaryFolder folder;
  folder.write("secret.lib", "* LTspice Encrypted File\n*\n* Begin:\n 5A 6B 7C\n* End 123\n");
  const auto top = folder.write("a.cir", "title\n.include secret.lib\n" + in_cell("x1 a b secret\n"));
  EXPECT_EQ(diagnostics_of([&] { read_netlist(top, {}); }).size(), 2u);
}

TEST(Conditions, AreDecidedByTopLevelParameters) {
  const std::string deck =
      ".param corner=2\n.if (corner==1)\n.param v=1\n.elseif (corner == 2 && v0>0)\n.param v=2\n.else\n.param "
      "v=3\n.endif\n";
  EXPECT_EQ(texts(read_text(".param v0=1\n" + deck)), (Texts{".param v0=1", ".param corner=2", ".param v=2"}));
  EXPECT_EQ(texts(read_text(".param v0=0\n" + deck)), (Texts{".param v0=0", ".param corner=2", ".param v=3"}));
  EXPECT_EQ(texts(read_text(".IF(1)\n.param v=1\n.ELSE\n.param v=2\n.ENDIF\n")), (Texts{".param v=1"}));
  EXPECT_EQ(texts(read_text(".if '1>2'\n.param v=1\n.endif\n")), Texts{});
}

TEST(Conditions, HideWhatIsInsideThem) {
  // ngspice 39 would read .param, .subckt and nested .if in a branch that is not taken.
  const TemporaryFolder folder;
  folder.write("m.lib", ".lib tt\n.param lib=1\n.endl\n");
  const auto top = folder.write(
      "a.cir",
      "title\n.param s=0\n.if (s)\n.include 'missing.inc'\n.if (nowhere)\n.param a=1\n.else\n.param a=2\n.endif\n"
      ".subckt c a\nr1 a 0 1k\n.ends\n.elseif (s==0)\n.if (s==1)\n.param b=1\n.else\n.lib m.lib tt\n.endif\n"
      ".endif\n.subckt c a\nr1 a 0 2k\n.ends\n");
  EXPECT_EQ(texts(read_netlist(top, {})), (Texts{".param s=0", ".param lib=1", ".subckt c a", "r1 a 0 2k", ".ends"}));
}

TEST(Conditions, OfAnInstanceAreNgspices) {
  EXPECT_EQ(body_texts(read_text(in_cell(".if 'k==1'\nr1 a b 1k\n.else\nr1 a b 2k\n.endif\n", ".subckt cell a b k=1"))),
            (Texts{".if (k==1)", "r1 a b 1k", ".else", "r1 a b 2k", ".endif"}));
  const auto inside = [](const std::string& text) {
    return problems(in_cell(".if (k==1)\n" + text + ".endif\nr1 a b 1k\n", ".subckt cell a b k=1"));
  };
  EXPECT_EQ(inside(".param z=1\n"), (Texts{"E206 4"}));
  EXPECT_EQ(inside(".include x.inc\n"), (Texts{"E206 4"}));
  EXPECT_EQ(inside(".if (k==2)\nr2 a b 1k\n.endif\n"), (Texts{"E206 4"}));
}

TEST(Conditions, ThatCannotBeComputedAreRefused) {
  // ngspice would take s from the instance of "outer".
  EXPECT_EQ(problems(".param s=1\n" + in_cell(".if (s==1)\nr1 a b 1k\n.endif\nr2 a b 1k\n") +
                     ".subckt outer a b s=2\nx1 a b cell\n.ends\n"),
            (Texts{"E206 4"}));
  EXPECT_EQ(problems(".if (nowhere==1)\n.param a=1\n.endif\n"), (Texts{"E206 2"}));
  EXPECT_EQ(problems(".param s=1\n.if (s==1)\n.param a=1\n.endif\n.param s=2\n"),
            (Texts{"E206 3"}));  // the last counts
  EXPECT_EQ(problems(".if (1)\n.param a=1\n"), (Texts{"E209 2"}));
  EXPECT_EQ(problems(".param a=1\n.endif\n.else\n"), (Texts{"E209 3", "E209 4"}));
}

TEST(W222, RandomValuesBecomeNominal) {
  const auto n =
      read_text(".param s=0 vt0=agauss(0.4, 0.01, 3) k='1+s*AGAUSS(0,1.0,1)*(2/3)'\n.func spread(x) {aunif(x, 0.1)}\n" +
                    in_cell("r1 a b 'limit(1k,gauss(100,0.1,3))'\nr2 a b {limit(1,2,3)}\n"),
                {.compatibility = "psa"});
  EXPECT_EQ(texts(n)[0], ".param s=0 vt0=(0.4) k='1+s*(0)*(2/3)'");
  EXPECT_EQ(texts(n)[1], ".func spread(x) {(x)}");
  EXPECT_EQ(texts(n)[3], "r1 a b '(1k)'");
  EXPECT_EQ(warnings(n), (Texts{"W222 2"}));
}

TEST(Netlist, NestsSubcircuits) {
  const auto n = read_text(
      ".subckt outer a b params: p=1\n.subckt inner c d params: q=2\nr1 c d {p*q}\n.ends inner\nx1 a b inner\nr2 a b "
      "{p}\n.ends\n");
  ASSERT_TRUE(n.subcircuits.contains("outer"));
  ASSERT_TRUE(n.subcircuits.contains("outer.inner"));
  EXPECT_TRUE(n.subcircuits.at("outer.inner").devices.contains("r1"));
  EXPECT_TRUE(n.subcircuits.at("outer").devices.contains("r2"));
  EXPECT_FALSE(n.subcircuits.at("outer").devices.contains("r1"));
  EXPECT_EQ(n.subcircuits.at("outer").devices.at("x1").subcircuit, "outer.inner");
}

TEST(Netlist, NestedNamesThatNgspiceConfusesAreMadeDifferent) {
  const auto n = read_text(
      ".subckt in p q r=1k\nr1 p q {r}\n.ends\n.subckt a x y\n.subckt in p q z=1 r=3k\nr1 p q {r*z}\n.ends\nx1 x y in "
      "z=2\n.ends\n.subckt b-1 x y w=1\nx1 x y in\nr1 x y {w}\n.ends\n.subckt top x y\nx1 x y a\nx2 x y b-1 "
      "w=2\n.ends\n");
  EXPECT_EQ(n.subcircuits.at("a.in").deck_name, "a_in");
  EXPECT_EQ(n.subcircuits.at("b-1").deck_name, "b_1");
  EXPECT_EQ(n.subcircuits.at("in").deck_name, "in");
  const Texts all = texts(n);
  const auto has = [&](const char* line) { return std::ranges::find(all, line) != all.end(); };
  EXPECT_TRUE(has(".subckt a_in p q z=1 r=3k"));
  EXPECT_TRUE(has("x1 x y a_in z=2"));
  EXPECT_TRUE(has("x1 x y in"));
  EXPECT_TRUE(has("x2 x y b_1 w=2"));
}

TEST(W224, TheFirstDefinitionCounts) {
  const auto n = read_text(
      ".model m r rsh=1\n.model m r rsh=2\n.model M R rsh=1\n.subckt c a\nr1 a 0 1k\n.ends\n.subckt c a\nr1 a 0 "
      "2k\n.ends\n.subckt c a\nr1 a 0 1k\n.ends\n");
  EXPECT_EQ(texts(n), (Texts{".model m r rsh=1", ".subckt c a", "r1 a 0 1k", ".ends"}));
  EXPECT_EQ(warnings(n), (Texts{"W224 3", "W224 8"}));  // not what is the same twice
}

TEST(Roots, OnlyWhatTheyNeedIsKept) {
  const std::string library =
      ".param a=1 b='a*2' unused=7\n.param c='b+1'\n.func f(x) {x*c}\n.func g(x) {x}\n.model n.1 nmos level=54 "
      "version=4.8 lmin=0 vth0=vt\n.model n.2 nmos level=54 version=4.8\n.model pch pmos level=72\n.param vt=0.4\n"
      ".subckt leaf p q\nm1 p q 0 0 n w={f(1u)} l=1u\n.ends\n.subckt other p q\nm1 p q 0 0 nomodel\nx1 p nothing\n"
      ".ends\n.global vdd!\n" +
      in_cell("x1 a b leaf\n");
  const auto n = read_text(library, {.roots = {"cell"}});
  EXPECT_EQ(texts(n),
            (Texts{".param a=1 b='a*2' unused=7", ".param c='b+1'", ".func f(x) {x*c}",
                   ".model n.1 nmos level=54 version=4.8 lmin=0 vth0=vt", ".model n.2 nmos level=54 version=4.8",
                   ".param vt=0.4", ".subckt leaf p q", "m1 p q 0 0 n w={f(1u)} l=1u", ".ends", ".global vdd!",
                   ".subckt cell a b", "x1 a b leaf", ".ends"}));
  EXPECT_TRUE(n.subcircuits.contains("other"));  // known by name
  EXPECT_EQ(problems(library, {}).size(), 2u);   // without roots everything is checked
  EXPECT_EQ(n.sha256, read_text(".model zz nmos level=1\n" + library, {.roots = {"cell"}}).sha256);
}

TEST(Netlist, HashFollowsTheStatementsOnly) {
  const std::string base = read_text(in_cell("r1 a b 1k\n")).sha256;
  EXPECT_EQ(base.size(), 64u);
  EXPECT_EQ(base, read_text(in_cell("* remark\n\nr1 a b 1k ; rest\n")).sha256);
  EXPECT_NE(base, read_text(in_cell("r1 a b 2k\n")).sha256);
}

TEST(Netlist, ReadsAHundredThousandLines) {
  // With a search through all models or parameters for each line this would take minutes (ctest's limit).
  std::string text;
  for (int i = 0; i < 5000; ++i) {
    const std::string k = std::to_string(i);
    text += ".model n" + k + ".1 nmos level=54 version=4.8\n+ vth0=0.4\n.param p" + k + "={" +
            (i == 0 ? "1" : "p" + std::to_string(i - 1)) + "*1.01}\n.subckt c" + k + " a b w=1u\n";
    for (int j = 0; j < 14; ++j) text += "m" + std::to_string(j) + " a b 0 0 n" + k + " w={w*p" + k + "} l=1u\n";
    text += "r1 a b 'p" + k + "'\n.ends\n";
  }
  const TemporaryFolder folder;
  const auto top = folder.write("a.cir", "title\n" + text);
  const auto n = read_netlist(top, {});
  EXPECT_EQ(n.subcircuits.size(), 5000u);
  EXPECT_EQ(n.statements.size(), 5000u * 19);
  const auto one = read_netlist(top, {.roots = {"c4999"}});
  EXPECT_EQ(one.statements.size(), 5000u + 1 + 17);  // all parameters, as each needs the one before
}

TEST(Netlist, SurvivesHostileText) {
  const std::string seed_text =
      ".param a=1\n.subckt c x y params: w=1u\nr1 x y {a*w}\n.if (w==1)\nm1 x y 0 0 n "
      "w='agauss(1,2,3)'\n.endif\n.ends\nx1 "
      "p q c w='a'\n.lib 'l' tt\n.control\n.endc\n.model n.1 nmos level=54\n.option scale={a}\n.macro d x\nx1 x x "
      "c\n.eom\n+ "
      "b=2\\\\\n";
  const TemporaryFolder folder;
  for (std::uint64_t i = 0; i < 1500; ++i) {
    RandomStream stream(15, StreamPurpose::kTest, i);
    std::string text = seed_text;
    for (int k = 0; k < 4; ++k) text[stream.below(text.size())] = static_cast<char>(stream.below(256));
    text.resize(stream.below(text.size() + 1));
    try {
      read_netlist(folder.write("a.cir", text), {.roots = {i % 2 == 0 ? "c" : "d"}});
    } catch (const ProjectError&) {
    } catch (const std::exception& e) {
      ADD_FAILURE() << e.what() << "\n" << text;
    }
  }
}

}  // namespace
}  // namespace errata::circuit
