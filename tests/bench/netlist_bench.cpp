// Time to read large netlists, all of it and only what one cell needs. usage: errata_netlist_bench
#include <fmt/format.h>

#include <ctime>

#include "circuit/netlist/netlist.h"
#include "tests/support/temporary_folder.h"

namespace {

/// Blocks of 32 lines: two bins of a model, a parameter that needs the one before, a subcircuit of transistors and an
/// instance of the block before.
std::string netlist(int lines) {
  std::string text = "title\n";
  for (int k = 0; 32 * k < lines; ++k) {
    for (int bin = 1; bin <= 2; ++bin)
      text += fmt::format(".model n{}.{} nmos level=54 version=4.8 lmin={} lmax={}\n+ vth0=0.4 lpe0=0\n", k, bin,
                          bin == 1 ? "40n" : "1u", bin == 1 ? "1u" : "10u");
    text += k == 0 ? ".param p0=100n\n" : fmt::format(".param p{}={{p{}*1.01+1n}}\n", k, k - 1);
    text += fmt::format(".subckt c{} bl wl sl vdd w=1u l=45n\n", k);
    for (int j = 0; j < 20; ++j)
      text += fmt::format("m{0} n{0} wl n{1} 0 n{2} w={{w*2+p{2}}} l={{l}} ad='w*70n'\n", j, j + 1, k);
    text += "r0 n0 bl 1k\nr1 n20 sl 1k\n";
    text += k % 15 == 0 ? "r2 n3 n4 1k\n" : fmt::format("x1 n3 wl n4 vdd c{} w={{w}}\n", k - 1);
    text += fmt::format(".ends c{}\n\n", k);
  }
  return text;
}

double seconds(const std::filesystem::path& path, const errata::circuit::NetlistOptions& options, std::size_t& kept) {
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const std::clock_t begin = std::clock();
    kept = errata::circuit::read_netlist(path, options).statements.size();
    best = std::min(best, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
  }
  return best;
}

}  // namespace

int main() {
  const errata::testing::TemporaryFolder folder;
  for (const int lines : {10000, 100000}) {
    const auto path = folder.write("top.cir", netlist(lines));
    for (const char* root : {"", "c100"}) {
      std::size_t kept = 0;
      errata::circuit::NetlistOptions options;
      if (*root != '\0') options.roots = {root};
      const double time = seconds(path, options, kept);
      fmt::print("{:>7} lines, {:<12} {:>6} statements kept, {:.3f} s CPU (best of 5)\n", lines,
                 *root == '\0' ? "everything" : "cell c100", kept, time);
    }
  }
}
