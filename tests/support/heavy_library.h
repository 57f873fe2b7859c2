#pragma once

#include <fmt/format.h>

#include <array>
#include <string>
#include <vector>

namespace errata::testing {

/// A generic process library as heavy as a foundry's: the subcircuits `nfet` and `pfet` (d g s b, w l mult) hold
/// `bins` binned BSIM4 models each, 92 parameters to a model, every one an expression of global parameters, of the
/// corner and of the instance's size. ngspice evaluates all bins of a subcircuit again for each of its instances.
inline std::string heavy_library(int bins) {
  constexpr int kGlobals = 200, kBinsOfLength = 10;
  std::string text = "* generic binned library\n.param corner=1\n.param pv0=0\n";
  for (int k = 1; k < kGlobals; ++k) text += fmt::format(".param pv{}={{0.001*{}+pv{}*0.01}}\n", k, k % 7, k - 1);
  const std::vector<std::array<const char*, 2>> values = {
      {"toxe", "1.2e-9"},  {"toxp", "1.0e-9"},  {"u0", "0.03"},    {"k1", "0.4"},       {"k2", "0.0"},
      {"voff", "-0.13"},   {"nfactor", "1.5"},  {"eta0", "0.006"}, {"pclm", "0.1"},     {"ndep", "3e18"},
      {"vsat", "1.5e5"},   {"ua", "6e-10"},     {"ub", "1e-18"},   {"keta", "0.04"},    {"dsub", "0.1"},
      {"pdiblc1", "1e-3"}, {"pdiblc2", "1e-3"}, {"rdsw", "150"},   {"cgso", "1.1e-10"}, {"cgdo", "1.1e-10"},
      {"minv", "0.05"},    {"at", "33000"},     {"ags", "1e-20"},  {"a0", "1"},         {"kt1", "-0.11"},
      {"kt2", "0.022"},    {"b0", "0"},         {"cit", "0"}};
  const std::vector<const char*> sized = {"vth0", "k1", "k2",  "voff", "nfactor", "eta0", "pclm",
                                          "vsat", "ua", "ub",  "u0",   "keta",    "dsub", "pdiblc1",
                                          "rdsw", "a0", "ags", "kt1",  "kt2",     "at",   "pdiblc2"};
  for (const char type : {'n', 'p'}) {
    text += fmt::format(".subckt {0}fet d g s b w=1u l=45n mult=1\nm1 d g s b {0}ch w={{w}} l={{l}}\n", type);
    for (int b = 0; b < bins; ++b) {
      const int width = b / kBinsOfLength, length = b % kBinsOfLength;
      text += fmt::format(".model {0}ch.{1} {0}mos level=54 version=4.8 lpe0=0 lpeb=0 rdsmod=0 rgatemod=0 rbodymod=0\n",
                          type, b + 1);
      text += fmt::format("+ lmin={:.6g} lmax={:.6g} wmin={:.6g} wmax={:.6g}\n", 45e-9 * (1 + 0.5 * length),
                          45e-9 * (1.5 + 0.5 * length), 90e-9 * (1 + width), 90e-9 * (2 + width));
      int count = 0;
      const auto add = [&](const std::string& name, const char* value) {
        text += fmt::format("{}{}={{{}*(1+0.01*pv{}*(corner-1))+1e-30*pv{}/sqrt(l*w*mult*1e12)+1e-31*(w/l-1)*pv{}}}{}",
                            count % 2 == 0 ? "+ " : " ", name, value, (b + count) % kGlobals,
                            (7 * b + count) % kGlobals, (3 * b + 2 * count) % kGlobals, count % 2 == 0 ? "" : "\n");
        ++count;
      };
      add("vth0", type == 'n' ? "0.4" : "-0.4");
      for (const auto& [name, value] : values) add(name, value);
      for (const char* name : sized)
        for (const char* by : {"l", "w", "p"}) add(std::string(by) + name, "0");
      if (count % 2 == 1) text += "\n";
    }
    text += ".ends\n";
  }
  return text;
}

}  // namespace errata::testing
