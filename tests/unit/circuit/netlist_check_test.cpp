#include <gtest/gtest.h>

#include "tests/support/netlist_text.h"

namespace errata::circuit {
namespace {

using testing::in_cell;
using testing::problem;
using testing::problems;
using testing::read_text;
using testing::warnings;
using Texts = std::vector<std::string>;
const Texts kNone = {"no problem"};

TEST(E204, UndefinedParameters) {
  EXPECT_EQ(problems(in_cell("r1 a b {rr}\nr2 a b 'ss*2'\nm1 a b 0 0 n w=ww\nr3 a b r=1k*tt\nv1 a b uu\n.model n nmos "
                             "vto=vv\n")),
            (Texts{"E204 3", "E204 4", "E204 5", "E204 6", "E204 7", "E204 8"}));
  const auto d = problem(".param width=1u\n" + in_cell("r1 a b {widht*2}\n"));
  EXPECT_EQ(d.hint, "did you mean 'width'?");
  EXPECT_EQ(d.position.column, 9);
  EXPECT_EQ(d.excerpt, "r1 a b {widht*2}");
  const auto indented = problem(".param width=1u\n" + in_cell("\t r1 a b {widht*2} $ remark\n"));
  EXPECT_EQ(indented.position.column, 11);
  EXPECT_EQ(indented.excerpt, "  r1 a b {widht*2}");  // the caret stands below it
}

TEST(E204, KnownNamesNumbersAndFunctionsAreNoParameters) {
  EXPECT_EQ(problems(".param a=1 b = {a*2e-3} c='a+b'\n.func sq(x) {x*x}\n.param cube(x)='x*x*x'\n" +
                     in_cell("r1 a b {sq(a)+max(b, c)+cube(2)}\nr2 a b {1.5e-9+0.4u*2meg+a}\nr3 a b {temper*1}\n"
                             "b1 a b v={v(a,b)*a+i(v1)+time+temper+pi}\nv1 a b 0\nr4 a b '2.5K*a' tc1=-1m\n"
                             "b2 a b i = v(a)*e * {c} tc1=0\ng1 a b cur='v(a)*pi*a'\nr5 a b {a>b ? 1k : 2k}\n"
                             "m1 a b 0 0 n w=a l=+1u as='-b' off\n.model n nmos level=1 vto={-a} kp=1e-4\n")),
            kNone);
  EXPECT_EQ(problems(in_cell("r1 a b {w/l}\n", ".subckt cell a b params: w=1u l=2u")), kNone);
  EXPECT_EQ(problems(".subckt s a b w=1u\nr1 a b {w}\n.ends\n" + in_cell("x1 a b s w={3*2}\n")), kNone);
}

TEST(E204, ConstantsExistInBehaviouralSourcesOnly) {
  EXPECT_EQ(problems(in_cell("r1 a b {pi*1k}\n")), (Texts{"E204 3"}));
  EXPECT_EQ(problems(in_cell("r1 a b r='pi*v(a)*1k'\nb1 a b i=pi\n")), kNone);
}

TEST(E204, FunctionsThatNgspiceDoesNotHave) {
  EXPECT_EQ(problems(in_cell("r1 a b {if(1,2,3)}\nr2 a b {sign(1,2)}\n")), (Texts{"E204 3", "E204 4"}));
  EXPECT_EQ(problems(in_cell("r1 a b {if(1,2,3)+stp(1)}\n"), {.compatibility = "psa"}), kNone);
}

TEST(E204, ParametersAreSeenThroughTheInstancesAbove) {
  // ngspice looks in the subcircuit, then in those that instantiate it, then at the top.
  const std::string leaf = ".subckt leaf a b\nr1 a b {k}\n.ends\n.subckt mid a b\nx1 a b leaf\n.ends\n";
  EXPECT_EQ(problems(leaf + in_cell("x1 a b mid\n")), (Texts{"E204 3"}));
  EXPECT_EQ(problems(leaf + in_cell("x1 a b mid\n", ".subckt cell a b k=1")), kNone);
  EXPECT_EQ(problems(leaf + in_cell(".param k=1\nx1 a b mid\n")), kNone);
  EXPECT_EQ(problems(leaf + ".subckt stranger a b k=1\nr1 a b {k}\n.ends\n" + in_cell("x1 a b mid\n")),
            (Texts{"E204 3"}));
  EXPECT_EQ(problems(".subckt leaf a b\nr1 a b {k*m}\n.ends\n" + in_cell("x1 a b leaf m=2\n.param k=1\n")), kNone);
}

TEST(E206, WordsThatNgspiceLeavesOutOfAValue) {
  EXPECT_EQ(problems(".param a=1\n.param b = a * 1k\n"), (Texts{"E206 3"}));  // read as b=a
  EXPECT_EQ(problems(".param a = 1. + (temper / 27. - 1.) * 2\n"), kNone);    // that one is read whole
  EXPECT_EQ(problems(".param a=1, b=2\n.param c= {a * 2} d='b + 1' , e=max(a, b)\n"), kNone);
}

TEST(E205, UnknownModels) {
  EXPECT_EQ(
      problems(in_cell("m1 a b 0 0 nfet w=1u\nd1 a b dio\nq1 a b 0 bjt\nq2 a b 0 0 bjt\ns1 a b a b swi\nj1 a b 0 jf\n"
                       "r1 a b rmod w=1u\n")),
      (Texts{"E205 3", "E205 4", "E205 5", "E205 6", "E205 7", "E205 8", "E205 9"}));
  EXPECT_EQ(problem(".model nfet nmos\n" + in_cell("m1 a b 0 0 nfte\n")).hint, "did you mean 'nfet'?");
  EXPECT_EQ(problems(".model bjt npn\n" + in_cell("q1 a b 0 bjt\nq2 a b 0 0 bjt\nq3 a b 0 bjt 2\nq4 a b 0 0 0 bjt\n")),
            kNone);  // with a substrate and a thermal node
}

TEST(E205, ASubcircuitIsNoModel) {
  const auto d = problem(".subckt nfet d g s b\nr1 d s 1\n.ends\n" + in_cell("m1 a b 0 0 nfet w=1u\n"));
  EXPECT_EQ(d.hint, "'nfet' is a subcircuit: let the element's name begin with x");
}

TEST(E205, BinnedModelsHaveNumbers) {
  EXPECT_EQ(problems(".model nfet.0 nmos lmin=1u\n.model nfet.12 nmos lmin=2u\n" + in_cell("m1 a b 0 0 nfet\n")),
            kNone);
  EXPECT_EQ(problems(".model nfet.x nmos\n" + in_cell("m1 a b 0 0 nfet\n")), (Texts{"E205 4"}));
  EXPECT_EQ(problems(".model nfet_rf.0 nmos\n" + in_cell("m1 a b 0 0 nfet\n")), (Texts{"E205 4"}));
}

TEST(E205, ModelsBelongToTheSubcircuitThatHoldsThem) {
  const std::string other = ".subckt other a b\n.model inner nmos\nm1 a b 0 0 inner\n.ends\n";
  EXPECT_EQ(problems(other + in_cell("m1 a b 0 0 inner\n")), (Texts{"E205 7"}));
  EXPECT_EQ(problems(in_cell(".model inner nmos\n.subckt deep a b\nm1 a b 0 0 inner\n.ends\nx1 a b deep\n")), kNone);
}

TEST(E205, AHintNamesTheSectionThatHasIt) {
  const testing::TemporaryFolder folder;
  folder.write("m.lib", ".lib tt\n.param x=1\n.endl\n.lib rf\n.model nfet.1 nmos\n.subckt balun a b\n.ends\n.endl\n");
  const auto top = folder.write("a.cir", "title\n.lib m.lib tt\n" + in_cell("m1 a b 0 0 nfet\nx1 a b balun\n"));
  const auto d = testing::diagnostics_of([&] { read_netlist(top, {}); });
  ASSERT_EQ(d.size(), 2u);
  for (const auto& one : d) EXPECT_NE(one.hint.find("section 'rf' of"), std::string::npos) << one.hint;
}

TEST(E202, UnknownSubcircuits) {
  EXPECT_EQ(problems(in_cell("x1 a b ding\nx2 a b other params: w=1\nx3 a b third w = 2\n")),
            (Texts{"E202 3", "E202 4", "E202 5"}));
  EXPECT_EQ(problem(in_cell("x1 a b cel\n")).hint, "did you mean 'cell'?");
  // A nested one is seen inside only.
  EXPECT_EQ(problems(".subckt o a b\n.subckt in a b\nr1 a b 1\n.ends\nx1 a b in\n.ends\n" + in_cell("x1 a b in\n")),
            (Texts{"E202 9"}));
}

TEST(E231, WrongConnections) {
  EXPECT_EQ(problems(".model n nmos\n.model d d\n.subckt s p q\nr1 p q 1\n.ends\n" +
                     in_cell("x1 a s\nx2 a b b s\nm1 a b 0 n\nm2 a b\nd1 a d\nr1 a\nq1\ns1 a b a\nx3\n")),
            (Texts{"E231 8", "E231 9", "E231 10", "E231 11", "E231 12", "E231 13", "E231 14", "E231 15", "E231 16"}));
  EXPECT_EQ(problem(".subckt s p q\nr1 p q 1\n.ends\n" + in_cell("x1 a s\n")).hint, "its pins: p q");
  EXPECT_EQ(problems(".model n nmos\n.subckt s p q\nr1 (p q) 1\n.ends\n" +
                     in_cell("x1 (a b) s\nx2 a,b s\nm1 (a, b, 0, 0) n\ns1 a b (a,0) sw1\n.model sw1 sw vt=0.5\n")),
            kNone);
}

TEST(E231, ControllingSourcesStandInTheSameSubcircuit) {
  EXPECT_EQ(problems("v9 a 0 1\n" + in_cell("f1 a b v1 2\nh1 q 0 v9 2\nrq q 0 1\nb1 a b i=i(vv)+i(v1)\nw1 a b v2 sx\n"
                                            ".model sx csw\nk1 l1 l2 0.9\nl1 a b 1n\nv1 q 0 0\n")),
            (Texts{"E231 5", "E231 7", "E231 8", "E231 10"}));
  EXPECT_EQ(problem(in_cell("f1 a b vsens 2\nvsense a b 0\n")).hint, "did you mean 'vsense'?");
}

TEST(E232, SubcircuitsInACircle) {
  EXPECT_EQ(problems(in_cell("x1 a b cell\n")), (Texts{"E232 3"}));
  EXPECT_EQ(problems(".subckt p a b\nx1 a b q\n.ends\n.subckt q a b\nx1 a b p\n.ends\n"), (Texts{"E232 6"}));
  std::string chain = ".subckt c0 a\nr1 a 0 1\n.ends\n";
  const auto add = [&](int i) {
    chain += ".subckt c" + std::to_string(i) + " a\nx1 a c" + std::to_string(i - 1) + "\n.ends\n";
  };
  for (int i = 1; i <= 18; ++i) add(i);
  EXPECT_EQ(problems(chain), kNone);
  add(19);
  EXPECT_EQ(problems(chain), (Texts{"E232 59"}));
  for (int i = 20; i < 3000; ++i) add(i);
  EXPECT_EQ(problems(chain).size(), 1u);
}

TEST(E233, TwoElementsOfOneName) {
  EXPECT_EQ(problems(in_cell("r1 a b 1\nR1 a b 2\n")), (Texts{"E233 4"}));
  EXPECT_EQ(problems(in_cell(".if (k==1)\nr1 a b 1\n.else\nr1 a b 2\n.endif\n", ".subckt cell a b k=1")), kNone);
}

TEST(E209, UnbalancedSubcircuits) {
  EXPECT_EQ(problems(".subckt a x y\nr1 x y 1k\n"), (Texts{"E209 2"}));
  EXPECT_EQ(problems(".param a=1\n.ends\n"), (Texts{"E209 3"}));
  EXPECT_EQ(problems(".subckt\n.ends\n"), (Texts{"E209 2"}));
  EXPECT_EQ(warnings(read_text(".subckt a x y\nr1 x y 1k\n.ends b\n")), (Texts{"W221 4"}));
}

TEST(E206, ModelsThatDebiansNgspiceLacks) {
  for (const std::string card :
       {"nmos level=72", "nmos (level = 69 version=103)", "pmos LEVEL=77", "nmos level=53", "nmos level=54 version=4.9",
        "nmos level=54 version=4", "nmos level=49 version=3.4", "npn level=6", "psp103va", "numos", "nmos level=60"}) {
    const std::string device = card.starts_with("npn") ? "q1 a b 0 m\n" : "m1 a b 0 0 m\n";
    EXPECT_EQ(problems(".model m " + card + "\n" + in_cell(device)), (Texts{"E206 2"})) << card;
    EXPECT_EQ(problems(".model m " + card + "\n" + in_cell("r1 a b 1\n")), kNone) << card;  // nobody uses it
  }
  for (const std::string card : {"nmos level=54 version=4.82", "nmos level=14", "nmos level=49 version=3.24", "nmos",
                                 "nmos level=73 version=2.2", "nmos level=4.9e1", "pmos level=57", "nmos level=68"})
    EXPECT_EQ(problems(".model m " + card + "\n" + in_cell("m1 a b 0 0 m\n")), kNone) << card;
  // PSPICE numbers its levels in another way.
  EXPECT_EQ(problems(".model m nmos level=7\n" + in_cell("m1 a b 0 0 m\n"), {.compatibility = "psa"}), kNone);
  EXPECT_EQ(problems(".model m nmos level=5\n" + in_cell("m1 a b 0 0 m\n"), {.compatibility = "psa"}),
            (Texts{"E206 2"}));
  EXPECT_EQ(problems(".model m numos\n" + in_cell("m1 a b 0 0 m\n"), {.trust = true}), kNone);
}

TEST(E206, LettersBeyondAsciiInNames) {
  // Two nodes of such names are one node in ngspice.
  EXPECT_EQ(problems(in_cell("r1 a \xc3\xa9 1\nr2 \xc3\xa8 b 1\n")), (Texts{"E206 3", "E206 4"}));
  EXPECT_EQ(problems(".param w\xc3\xa9=1\n" + in_cell("r1 a b 1\n")), (Texts{"E206 2"}));
}

TEST(E231, AVdmosHasThreeNodes) {
  EXPECT_EQ(problems(".model v vdmos nchan vto=1 mfg=International_Rectifier\n" + in_cell("m1 a b 0 v\n")), kNone);
  EXPECT_EQ(problems(".model v nmos\n" + in_cell("m1 a b 0 v\n")), (Texts{"E231 4"}));
}

TEST(E206, ElementsThatDebiansNgspiceLacks) {
  EXPECT_EQ(problems(in_cell("n1 a b rram\n")), (Texts{"E206 3"}));
  EXPECT_EQ(problems(in_cell("1x a b\n")), (Texts{"E206 3"}));
  EXPECT_EQ(problems(in_cell("r1 a b 1\n", ".subckt cell a b optional: dpwr=0")), (Texts{"E206 2"}));
}

TEST(E206, MultipliersThatNgspiceMisreads) {
  const auto with = [](const std::string& inner, const std::string& mode) {
    return problems(".subckt s p q\n" + inner + ".ends\n" + in_cell("x1 a b s m=2\n"), {.compatibility = mode});
  };
  EXPECT_EQ(with("r1 p q 1k\n", ""), kNone);
  EXPECT_EQ(with("r1 p q 1k m=3\n", ""), (Texts{"E206 6"}));  // 2 instead of 6
  EXPECT_EQ(with("r1 p q 1k m=3\n", "hs"), kNone);
  EXPECT_EQ(with("b1 p q i=v(p,q)\n", "hs"), (Texts{"E206 6"}));  // the source is not multiplied
  EXPECT_EQ(with("e1 p q p q 2\nr1 p q 1k\n", "hs"), kNone);
  EXPECT_EQ(
      problems(".subckt t p q\nr1 p q 1k m=2\n.ends\n.subckt s p q\nx1 p q t\n.ends\n" + in_cell("x1 a b s m=2\n")),
      (Texts{"E206 9"}));
  EXPECT_EQ(problems(".subckt s p q m=1\nr1 p q {1k/m} m=1\n.ends\n" + in_cell("x1 a b s m=2\n")), kNone);  // its own
}

TEST(E206, PinsThatNgspiceTakesForSomethingElse) {
  EXPECT_EQ(problems(".subckt s p gnd\nr1 p gnd 1k\n.ends\n" + in_cell("x1 a b s\n")), (Texts{"E206 6"}));
  EXPECT_EQ(problems(".subckt s p gnd\nr1 p gnd 1k\n.ends\n" + in_cell("x1 a 0 s\n")), kNone);
  EXPECT_EQ(problems(".global vdd!\n.subckt s p vdd!\nr1 p vdd! 1k\n.ends\n" + in_cell("x1 a b s\n")),
            (Texts{"E206 7"}));
  EXPECT_EQ(problems(".global vdd!\n.subckt s p vdd!\nr1 p vdd! 1k\n.ends\n" + in_cell("x1 a vdd! s\n")), kNone);
}

TEST(E206, ValuesInTheNotationOfDrawings) {
  EXPECT_EQ(problems(in_cell("r1 a b 4k7\nc1 a b 2p2\n")), (Texts{"E206 3", "E206 4"}));  // ngspice reads 4k and 2p
  EXPECT_EQ(problems(in_cell("r1 a b 4k7\n"), {.compatibility = "lta"}), kNone);
  EXPECT_EQ(problems(in_cell("r1 a b 4.7k\nr2 a b 1e3\nr3 a b 1kohm\nr4 a b {2}\n")), kNone);
}

TEST(W225, ParametersThatGoNowhere) {
  const auto n = read_text(".subckt s p q width=1\nr1 p q {width}\n.ends\n" + in_cell("x1 a b s widht=2\n"));
  ASSERT_EQ(warnings(n), (Texts{"W225 6"}));
  EXPECT_EQ(n.warnings[0].hint, "did you mean 'width'?");
  // Without any parameter of its own ngspice gives up.
  EXPECT_EQ(problems(".subckt s p q\nr1 p q 1\n.ends\n" + in_cell("x1 a b s w=2\n")), (Texts{"E204 6"}));
}

TEST(W223, NodesThatNothingHolds) {
  const auto of = [](const std::string& body) {
    return warnings(read_text(".model n nmos\n.global vdd!\n" + in_cell(body)));
  };
  EXPECT_EQ(of("r1 a midd 1\nr2 mid b 1\nr3 mid b 1\n"), (Texts{"W223 5"}));
  EXPECT_EQ(of("m1 a g b 0 n\nm2 a g b 0 n\n"), (Texts{"W223 5"}));  // gates only
  EXPECT_EQ(of("c1 a p 1f\nc2 p b 1f\n"), (Texts{"W223 5"}));        // capacitors only
  EXPECT_EQ(of("c1 a p 1f\ni1 p b 1f\n"), (Texts{"W223 5"}));
  EXPECT_EQ(of("b1 a b i=v(typo)\n"), (Texts{"W223 5"}));          // read, never driven
  EXPECT_EQ(of("r1 a gnd! 1\nr2 gnd! b 1\n"), (Texts{"W223 5"}));  // not ground in ngspice
  EXPECT_EQ(of("r1 a vdd! 1\nr2 a gnd 1\nr3 a 0 1\n"), Texts{});   // global and ground
  EXPECT_EQ(of("m1 a g b 0 n\nr1 g b 1\nc1 a b 1f\n"), Texts{});
  EXPECT_EQ(of("v1 a p 0\nr1 p b 1\nh1 q 0 v1 1\nb1 a b i=v(q)\n"), Texts{});
}

TEST(W223, LooksThroughInstances) {
  const std::string library =
      ".model n nmos\n.subckt gate g\nm1 0 g 0 0 n\n.ends\n.subckt drain d\nm1 d 0 0 0 n\n.ends\n.subckt none p\nr1 0 "
      "0 "
      "1\n.ends\n";
  EXPECT_EQ(warnings(read_text(library + in_cell("x1 n1 gate\nx2 n1 gate\nr1 a b 1\n"))), (Texts{"W223 13"}));
  EXPECT_EQ(warnings(read_text(library + in_cell("x1 n1 gate\nx2 n1 drain\nr1 a b 1\n"))), Texts{});
  EXPECT_EQ(warnings(read_text(library + in_cell("x1 n1 none\nx2 n1 drain\nr1 a b 1\n"))), (Texts{"W223 13"}));
}

TEST(Netlist, ReportsAllProblemsAtOnceInTheOrderOfTheFile) {
  EXPECT_EQ(problems(".subckt a x y\nr1 x y {nope}\nm1 x y 0 0 nomodel\nx1 x y nosub\n.frob\n"),
            (Texts{"E209 2", "E204 3", "E205 4", "E202 5", "E206 6"}));
}

TEST(Netlist, WarnsOfOneKindTwentyTimes) {
  std::string body;
  for (int i = 0; i < 50; ++i) body += "r" + std::to_string(i) + " a n" + std::to_string(i) + " 1\n";
  const auto n = read_text(in_cell(body));
  ASSERT_EQ(n.warnings.size(), 20u);
  EXPECT_NE(n.warnings.back().message.find("(and 30 more warnings W223)"), std::string::npos);
}

TEST(Netlist, CountsWhatIsReportedAgainAndAgain) {
  std::string body;
  for (int i = 0; i < 50; ++i) body += "m" + std::to_string(i) + " a b 0 0 nomodel\n";
  const auto d = testing::diagnostics_of([&] { read_text(in_cell(body)); });
  ASSERT_EQ(d.size(), 3u);
  EXPECT_NE(d[2].message.find("(and 47 times more)"), std::string::npos) << d[2].message;
}

}  // namespace
}  // namespace errata::circuit
