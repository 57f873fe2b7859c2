// Netlists in the style of others through the real ngspice: the number must be that of a deck written by hand.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>

#include "circuit/campaign/campaign.h"
#include "circuit/deck/compose.h"
#include "circuit/deck/deck.h"
#include "circuit/netlist/netlist_text.h"
#include "tests/support/netlist_text.h"

namespace errata::circuit {
namespace {

using testing::TemporaryFolder;

/// Current into `bl` of the cell between ideal sources, as errata composes and simulates it.
double cell_current(const Netlist& netlist, const std::string& compatibility, double word = 1.0, double bit = 0.5,
                    const std::vector<CellSlot>& slots = {{}}, const std::vector<double>& values = {}) {
  DeckOptions options;
  options.subcircuit = "cell";
  options.word_line_pin = "wl";
  options.bit_line_pin = "bl";
  options.source_line_pin = "sl";
  options.supply_pin = "vdd!";
  options.supply_volts = 1.2;
  options.compatibility = inlined_compatibility(compatibility);
  options.storage.kind = Storage::Kind::kPinVoltage;
  options.storage.pin = "store";
  Deck deck = compose_cell(netlist, options, slots);
  SimulationPoint point{.slots = {word, bit, 0.0, 0.0}};
  point.slots.insert(point.slots.end(), values.begin(), values.end());
  const auto result = run_campaign({deck}, {point}, {.retries = 0, .tolerated_failures = 1.0}, {}, {}, RunContext{});
  EXPECT_EQ(result.points[0].status, PointStatus::kOk) << result.points[0].log;
  return result.points[0].values.empty() ? std::nan("") : result.points[0].values[0];
}

/// The same circuit written flat and plain, between the same sources.
double hand_current(std::vector<std::string> lines, double word = 1.0, double bit = 0.5) {
  std::vector<std::string> deck = {"by hand",
                                   ".options temp=27 tnom=27 reltol=1e-6 abstol=1e-15 vntol=1e-9",
                                   "vwl wl 0 " + std::to_string(word),
                                   "vclamp bl 0 " + std::to_string(bit),
                                   "vsl sl 0 0",
                                   "vdd vdd 0 1.2"};
  deck.insert(deck.end(), lines.begin(), lines.end());
  deck.push_back(".end");
  Deck d{.name = "by hand", .lines = deck};
  d.positions.resize(deck.size());
  const auto result = run_campaign({d}, {{}}, {.retries = 0, .tolerated_failures = 1.0}, {}, {}, RunContext{});
  EXPECT_EQ(result.points[0].status, PointStatus::kOk) << result.points[0].log;
  return result.points[0].values.empty() ? std::nan("") : result.points[0].values[0];
}

struct Style {
  const char* name;
  const char* compatibility;
  const char* netlist;  ///< after a title line
  std::vector<std::string> by_hand;
};

const char* const kModel = ".model n nmos level=54 version=4.8 lpe0=0 lpeb=0 toxe=1.8n vth0=0.35";

const std::vector<Style>& styles() {
  static const std::vector<Style> all = {
      {"ParametersAndExpressions",
       "",
       ".param base = 1k k='base * 2' unit={k/2+1e-9*0}\n.func twice(x) {2*x}\n.PARAMS choice=3\n"
       ".subckt cell bl wl sl params: scale=2 off=0\nr1 bl mid {twice(unit)*scale}\nR2 mid sl R='choice>2 ? k : 1meg' "
       "M='1+off'\nrl wl 0 1meg\n.ends cell\n",
       {"r1 bl mid 4k", "r2 mid sl 2k"}},
      {"ContinuationsAndComments",
       "",
       "* lines\r\n.subckt cell bl wl\r\n* between\r\n\r\n+ sl $ more\r\n; remark\r\nr1\tbl\r\n+ mid ; first\r\n//"
       " second\r\n+\t3k\r\nr2 mid sl \\\\\r\n1k\r\nrl wl 0 1meg // load\r\n.ENDS",
       {"r1 bl sl 4k"}},
      {"NestedDefinitions",
       "",
       ".subckt unit p q r=9k\nr1 p q {r}\n.ends\n.subckt cell bl wl sl k=2k\n.subckt unit p q r=1k\nr1 p m "
       "{r}\n.subckt "
       "deep p q\nr1 p q {k}\n.ends deep\nx1 m q deep\n.ends unit\nx1 bl mid unit\nx2 mid sl unit r='k/2'\nrl wl 0 "
       "1meg\n.ends\n",
       {"r1 bl sl 6k"}},
      {"NamesOfAllKinds",
       "",
       ".global GND! vss\n.subckt inv/2 in<0> out[1] r=1k\nr!1 in<0> net.1 {r}\nr2 net.1 a/b 1k\nr3 a/b a#c-d 1k\nr4 "
       "a#c-d out[1] 1k\n.ends\n.subckt cell BL WL SL\nXI0<0> bl sl / inv/2\nXI1 (BL SL) inv/2 r=3k\nrl wl GND 1meg\n"
       ".ends\n",
       {"r1 bl sl 4k", "r2 bl sl 6k"}},
      {"MultiplierOnInstances",
       "",
       ".subckt u p q\nr1 p q 1k\nm1 p g q 0 n w=1u l=0.1u\nvg g 0 1\n.model n nmos level=1 vto=0.4 kp=200u\n.ends\n"
       ".subckt cell bl wl sl\nx1 bl sl u m=3\nrl wl 0 1meg m=2\n.ends\n",
       {"r1 bl sl 1k m=3", "m1 bl g sl 0 n w=1u l=0.1u m=3", "vg g 0 1", ".model n nmos level=1 vto=0.4 kp=200u"}},
      {"HspiceMultipliers",
       "hs",
       ".subckt u p q\nr1 p q 1k m=2\n.ends\n.subckt cell bl wl sl\nx1 bl sl u m=3\nrl wl 0 1meg\n.ends\n",
       {"r1 bl sl 1k m=6"}},
      {"HspicePowers",
       "hsa",
       ".param neg='(-2)**3' \n.subckt cell bl wl sl params: k=1\nr1 bl sl 'k*(10+neg)*1k'\nrl wl 0 1meg\n.ends\n",
       {"r1 bl sl 2k"}},
      {"BinnedModels",
       "hs",
       ".options scale=1e-6 post=2 probe\n.model n.0 nmos level=54 version=4.8 lpe0=0 lpeb=0 toxe=1.8n vth0=0.35 "
       "lmin=4e-8\n+ lmax=2e-7 wmin=1e-7 wmax=1e-5\n.model n.1 nmos level=54 version=4.8 lpe0=0 lpeb=0 toxe=1.8n "
       "vth0=0.7 lmin=2e-7 lmax=1e-5 wmin=1e-7 wmax=1e-5\n.subckt nfet d g s b w=1 l=1 nf=1\nmmain d g s b n w='w/nf' "
       "l=l m=nf\n.ends\n.subckt cell bl wl sl\nxm1 bl wl sl 0 nfet w=2 l=0.1 nf=2\n.ends\n",
       {kModel, "m1 bl wl sl 0 n w=1u l=0.1u m=2"}},
      {"BinnedModelsInsideASubcircuit",
       "",
       ".option scale=1.0u\n.subckt nfet d g s b params: w=1 l=1 mult=1\n.param slope='0.02' mc_switch=0\nmmain d g s "
       "b "
       "n__model l = {l} w = {w} m = {mult} delvto={mc_switch*slope*agauss(0,1,1)}\n.model n__model.0 nmos level=54 "
       "version = 4.8\n+ lmin = 4.0e-08 lmax = 2.0e-07 wmin = 1e-07 wmax = 1.0e-05\n+ lpe0=0 lpeb=0 toxe=1.8n vth0 = "
       "{0.35+agauss(0,1.0,1)*slope}\n.model n__model.1 nmos level=54 version=4.8 lmin=2.0e-07 lmax=1 wmin=1e-7 "
       "wmax=1e-5 vth0=0.7\n.ends\n.subckt cell bl wl sl\nx1 bl wl sl 0 nfet w=1 l=0.1 mult=3\n.ends\n",
       {kModel, "m1 bl wl sl 0 n w=1u l=0.1u m=3"}},
      {"ReferenceTemperature",
       "",
       ".option tnom=100\n.subckt cell bl wl sl\n.model rm r tc1=0.01\nr1 bl sl rm r=1k\nrl wl 0 1meg\n.ends\n",
       {"r1 bl sl 0.27k"}},  // 1 + 0.01·(27 − 100)
      {"GlobalNodes",
       "",
       ".global vdd! gnd\n.subckt cell bl wl sl\nr1 bl vdd! 1k\nx1 bl tie\nrl wl gnd 1meg\n.ends\n.subckt tie a\nr1 a "
       "vdd! "
       "2k\nr2 a gnd 1k\n.ends\n",
       {"r1 bl vdd 1k", "r2 bl vdd 2k", "r3 bl 0 1k"}},
      {"ConditionsAtTheTop",
       "",
       ".param process=2\n.if (process == 1)\n.param res=1k\n.subckt u a b\nr1 a b {res}\n.ends\n.else\n.param "
       "res=5k\n.if (process==3)\n.param res=7k\n.endif\n.subckt u a b\nr1 a b '2*res'\n.ends\n.endif\n.subckt cell bl "
       "wl "
       "sl\nx1 bl sl u\nrl wl 0 1meg\n.ends\n",
       {"r1 bl sl 10k"}},
      {"ConditionsOfInstances",
       "",
       ".subckt u a b sel=1\n.if (sel==1)\nr1 a b 1k\n.elseif 'sel==2'\nr1 a b 3k\n.else\nr1 a b 9k\n.endif\n.ends\n"
       ".subckt cell bl wl sl\nx1 bl sl u\nx2 bl sl u sel=2\nx3 bl sl u sel=7\nrl wl 0 1meg\n.ends\n",
       {"r1 bl sl 1k", "r2 bl sl 3k", "r3 bl sl 9k"}},
      {"BehaviouralSources",
       "",
       ".param gain=2\n.subckt cell bl wl sl vt=0.5\nb1 bl sl i = gain*1e-3*V(bl,sl)^2 + {vt*1e-6}\ne1 e 0 "
       "vol='v(bl)*2'\nre "
       "e sl 1k\ng1 bl sl cur='V(e)*1m'\ng2 bl sl value={v(wl)*1e-4}\nf1 bl sl v1 0.5\nv1 q 0 1\nrq q 0 1k\ne2 e2 0 "
       "poly(2) "
       "(bl,0) (wl,0) 0 1 1\nr2 bl e2 1k\n.ends\n",
       {"b1 bl sl i = 2*1e-3*v(bl,sl)^2 + 0.5e-6", "g1 bl sl bl 0 2m", "g2 bl sl wl 0 1e-4", "f1 bl sl v1 0.5",
        "v1 q 0 1", "rq q 0 1k", "g3 bl 0 0 wl 1m"}},
      {"SwitchesAndDiodes",
       "",
       ".model sx sw(ron=1k roff=1g vt=0.5 vh=0)\n.model dx d(is=1e-15 n=1.2)\n.subckt cell bl wl sl\ns1 bl m wl 0 "
       "sx\nd1 m "
       "sl dx area=2\n.ends\n",
       {"r1 bl m 1k", "d1 m sl dx area=2", ".model dx d(is=1e-15 n=1.2)"}},
      {"CodeModels",
       "",
       ".subckt cell bl wl sl\na1 %v(wl) %i(bl) amp\na2 wl %id(bl sl) amp\n.model amp gain(gain=1m)\nr1 bl sl "
       "1k\n.ends\n",
       {"g1 bl 0 wl 0 2m", "r1 bl sl 1k"}},
      {"Pspice",
       "ps",
       ".func relu(x) {IF(x>0, x, 0)}\n.SUBCKT CELL BL WL SL PARAMS: R=1k\nR1 BL $N_1 {R*if(R>500,2,3)}\nR2 $N_1 SL "
       "{relu(-1)+1k}\nG1 BL SL VALUE={V(WL)*LIMIT(V(BL),0,0.1)*1m}\n.model rm RES(R=2)\nRL WL 0 1MEG\n.ENDS CELL\n",
       {"r1 bl sl 3k", "g1 bl sl wl 0 0.1m"}},
      {"Ltspice",
       "lt",
       ".subckt cell bl wl sl\nR1 bl sl 4k7\nR2 bl sl 10k noiseless\nRl wl 0 1Meg\n.ends\n.backanno\n.step param x 1 2 "
       "1\n",
       {"r1 bl sl 4.7k", "r2 bl sl 10k"}},
      {"TestBenchAround",
       "",
       ".param vdd=1.2\nVDD vdd 0 {vdd}\nX0 b w s cell\nVB b 0 1\nVW w 0 PULSE(0 1 0 1n 1n 5n 10n)\n.ic v(b)=0\n"
       ".subckt cell bl wl sl\nr1 bl sl 1k\nrl wl 0 1meg\n.ends\n.tran 1n 10n sweep monte=10\n.measure tran x find "
       "v(b) at=1n\n"
       ".temp 85\n.options reltol=0.1 temp=85\n.control\nrun\nplot v(b)\n.endc\n.alter\n.temp 125\n.end\n",
       {"r1 bl sl 1k"}},
      {"NamesThatAreParametersToo",
       "",
       ".param unit=2k\n.subckt unit a b k=1\nr1 a b {unit*k}\n.ends\n.subckt cell bl wl sl\nx1 bl sl unit k=2\nrl wl "
       "0 "
       "1meg\n.ends\n",
       {"r1 bl sl 4k"}},
      {"DefinedTwice",
       "",
       ".subckt u a b\nr1 a b 1k\n.ends\n.model rm r rsh=100\n.subckt u a b\nr1 a b 2k\n.ends\n.model rm r rsh=500\n"
       ".subckt cell bl wl sl\nx1 bl m u\nr2 m sl rm l=10u w=1u\nrl wl 0 1meg\n.ends\n",
       {"r1 bl sl 2k"}},
  };
  return all;
}

class NetlistInNgspice : public ::testing::TestWithParam<Style> {};

TEST_P(NetlistInNgspice, GivesTheNumberOfADeckByHand) {
  const Style& style = GetParam();
  for (const bool prune : {true, false}) {
    NetlistOptions options{.compatibility = inlined_compatibility(style.compatibility)};
    if (prune) options.roots = {"cell"};
    const Netlist netlist = testing::read_text(style.netlist, options);
    const double foreign = cell_current(netlist, style.compatibility), by_hand = hand_current(style.by_hand);
    ASSERT_TRUE(std::isfinite(foreign) && by_hand != 0);
    EXPECT_NEAR(foreign / by_hand, 1, 2e-6) << prune;  // two solutions of one circuit, each to reltol = 1e-6
  }
}

INSTANTIATE_TEST_SUITE_P(Styles, NetlistInNgspice, ::testing::ValuesIn(styles()),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(ForeignNetlist, LibrariesWithSectionsAndCorners) {
  const TemporaryFolder folder;
  folder.write("pdk/models.lib",
               "* corners\n.LIB TT\n.param dvt=0\n.lib 'models.lib' core\n.ENDL TT\n.lib ss\n.param dvt='0.05'\n.lib "
               "\"models.lib\" core\n.endl\n.lib core\n.param vt='0.35+dvt'\n.inc 'core/n.inc'\n.endl core\n.lib fin\n"
               ".model fin nmos level=72\n.endl\n");
  folder.write("pdk/core/n.inc",
               ".model n nmos level=54 version=4.8 lpe0=0 lpeb=0 toxe=1.8n vth0=vt\n.model nz nmos level=69 vth0=vt\n");
  const auto top = folder.write("cell.sp",
                                "* top\n.LIB \"pdk/models.lib\" tt\n.subckt cell bl wl sl\nm1 bl wl sl 0 n "
                                "w=1u l=0.1u\n.ends");
  const auto current = [&](const std::string& corner) {
    return cell_current(read_netlist(top, {.corner = corner, .roots = {"cell"}}), "");
  };
  const std::string slow = std::string(kModel).replace(std::string(kModel).find("0.35"), 4, "0.4");
  EXPECT_NEAR(current("") / hand_current({kModel, "m1 bl wl sl 0 n w=1u l=0.1u"}), 1, 2e-6);
  EXPECT_NEAR(current("SS") / hand_current({slow, "m1 bl wl sl 0 n w=1u l=0.1u"}), 1, 2e-6);
  EXPECT_GT(current("") / current("ss"), 1.05);  // so that the two can be told apart
}

TEST(ForeignNetlist, DevicesDeepInsideAreReached) {
  const Netlist netlist = testing::read_text(
      ".subckt unit p q\nr1 p q 1k\n.ends\n.subckt pair p q\nx1 p m unit\nx2 m q unit\n.ends\n.subckt cell bl wl "
      "sl\nx1 bl "
      "sl pair\nrl wl 0 1meg\n.ends\n");
  std::vector<CellSlot> slots = {{}};
  for (const auto& leaf : leaf_devices(netlist, "cell")) slots.push_back({leaf.path, "resistance"});
  ASSERT_EQ(slots.size(), 4u);  // rl, x1.x1.r1, x1.x2.r1
  EXPECT_NEAR(cell_current(netlist, "", 1, 0.5, slots, {1e6, 2e3, 3e3}) / (0.5 / 5e3), 1, 1e-9);
}

TEST(ForeignNetlist, EveryRandomFunctionWouldHaveMovedTheResult) {
  // What W222 is for: ngspice draws at each load, in each worker anew.
  for (const char* f : {"agauss(1k,100,3)", "gauss(1k,0.1,3)", "aunif(1k,100)", "unif(1k,0.1)", "limit(1k,100)"}) {
    EXPECT_GT(std::fabs(hand_current({std::string(".param r=") + f, "r1 bl sl {r}"}) / 5e-4 - 1), 1e-6) << f;
    const Netlist netlist = testing::read_text(std::string(".param r=") + f +
                                               "\n.subckt cell bl wl sl\nr1 bl sl {r}\nrl wl 0 1meg\n.ends\n");
    EXPECT_NEAR(cell_current(netlist, "") / 5e-4, 1, 1e-9) << f;
  }
}

TEST(ForeignNetlist, RunsCommandsOnlyWhereItIsTrusted) {
  // ngspice reads these lines in lower case, so a temporary folder's name will not do.
  const auto mark = std::filesystem::temp_directory_path() / ("errata-trust-" + std::to_string(::getpid()));
  const std::string text = ".control\npre_shell touch " + mark.string() +
                           "\nquit\n.endc\n.subckt cell bl wl sl\nr1 bl sl 1k\nrl wl 0 1meg\n.ends\n*# shell touch " +
                           mark.string() + "\n";
  EXPECT_NEAR(cell_current(testing::read_text(text), "") / 5e-4, 1, 1e-9);
  EXPECT_FALSE(std::filesystem::exists(mark));
  EXPECT_NEAR(cell_current(testing::read_text(text, {.trust = true}), "") / 5e-4, 1, 1e-9);
  EXPECT_TRUE(std::filesystem::exists(mark));
  std::filesystem::remove(mark);
}

}  // namespace
}  // namespace errata::circuit
