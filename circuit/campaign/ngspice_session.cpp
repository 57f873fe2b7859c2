// The one source that includes sharedspice.h. See docs/design/ngspice.md for why each call is as it is.
#include "circuit/campaign/ngspice_session.h"

#include <fmt/format.h>
#include <ngspice/sharedspice.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "circuit/campaign/inline_regions.h"
#include "circuit/campaign/log_excerpt.h"
#include "circuit/campaign/measure.h"
#include "core/error.h"

namespace errata::circuit {

namespace {

bool any_of(const std::string& log, std::initializer_list<const char*> patterns) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const char* p) { return log.find(p) != std::string::npos; });
}

/// What ngspice shall keep of an analysis; without it every node of every row, a fifth of a column's time.
std::string save_line(const Deck& deck) {
  constexpr std::string_view kBranch = "#branch";
  std::string line = ".save onoise_spectrum onoise_total";
  for (const Output& output : deck.outputs)
    for (const std::string& vector : {output.vector, output.minus})
      if (vector.ends_with(kBranch))
        line += fmt::format(" i({})", vector.substr(0, vector.size() - kBranch.size()));
      else if (!vector.empty())
        line += fmt::format(" v({})", vector);
  return line;
}

}  // namespace

class NgspiceSession::Library {
 public:
  Library() {
    // The library reads ./.spiceinit before the user's own; a user's settings would change results.
    std::ofstream settings(".spiceinit");
    if (!(settings << "* errata: keeps a personal .spiceinit away\n").flush())
      throw Error(ExitStatus::kEnvironment, "E601", "cannot write .spiceinit into the worker's folder");
    // Only a sweep needs to be told of every point, but a session serves all decks of a campaign.
    ngSpice_Init(on_text, nullptr, on_exit, on_point, on_vectors, on_background, this);
    int id = 0;
    ngSpice_Init_Sync(on_voltage, nullptr, nullptr, &id, this);
    command("set num_threads=1");  // the default of 2 costs up to 25x and deadlocks after fork
    one_thread_regions_run_inline();
    command("optran 1 1 1 0 0 0");  // the transient rescue invents answers
  }

  PointResult simulate(const std::vector<Deck>& decks, const SimulationPoint& point) {
    if (auto failure = failure_to_load(decks, point.deck)) return *failure;
    PointResult result;
    log_.clear();
    if (!alter(decks[point.deck], point.slots)) {
      result.status = PointStatus::kFailed;
      result.log = relevant_lines(log_);
      return result;
    }
    const Deck& deck = decks[point.deck];
    if (point.analysis == Analysis::kSweep) return sweep(decks, point);
    bool ok = run(deck, point, result);
    const std::string first_log = log_;
    for (const Remedy remedy : {Remedy::kNodeset, Remedy::kMoreSteps, Remedy::kGear, Remedy::kLooser}) {
      if (ok || poisoned_) break;
      ok = apply(remedy, deck, point) && run(deck, point, result);
      loaded_ = -1;  // its options and starting values are not the deck's any more
      if (ok) result.remedy = remedy;
    }
    if (!ok) log_ = first_log;
    const bool suspect = result.remedy != Remedy::kNone || has_warning();
    if (!ok) result.values.clear();  // some outputs may have been read before one was missing
    result.status = !ok ? PointStatus::kFailed : suspect ? PointStatus::kSuspect : PointStatus::kOk;
    if (result.status != PointStatus::kOk) result.log = relevant_lines(log_);
    return result;
  }

  std::optional<PointResult> failure_to_load(const std::vector<Deck>& decks, std::size_t deck) {
    if (loaded_ == static_cast<std::ptrdiff_t>(deck) || load(decks[deck], deck)) return std::nullopt;
    const std::string lines = relevant_lines(log_);
    return PointResult{.status = PointStatus::kLoadFailed, .log = lines.empty() ? log_.substr(0, 2000) : lines};
  }

  PointResult parameter_values(const Deck& deck, const std::vector<std::string>& parameters) {
    if (auto failure = failure_to_load({deck}, 0)) return *failure;
    PointResult result;
    command(deck.transient.empty() ? "op" : deck.transient);  // some values exist only after a set-up
    for (const auto& p : parameters) {
      std::string name = p;
      const pvector_info found = ngGet_Vec_Info(name.data());
      const bool known = found != nullptr && found->v_realdata != nullptr && found->v_length > 0;
      result.values.push_back(known ? found->v_realdata[found->v_length - 1] : std::nan(""));
    }
    result.status = PointStatus::kOk;
    return result;
  }

  bool poisoned() const { return poisoned_; }
  const std::string& log() const { return log_; }

  bool command(const std::string& text) {
    constexpr std::size_t kLongest = 1000;  // ngspice cuts at 1024 silently
    if (text.size() > kLongest) return false;
    std::string copy = text;
    return ngSpice_Command(copy.data()) == 0 && !poisoned_;
  }

 private:
  static int on_text(char* text, int, void* self) {
    auto& log = static_cast<Library*>(self)->log_;
    constexpr std::size_t kLongest = 1 << 20;
    if (log.size() < kLongest) log.append(text).push_back('\n');
    return 0;
  }
  static int on_exit(int, NG_BOOL, NG_BOOL, int, void* self) {
    static_cast<Library*>(self)->poisoned_ = true;
    return 0;
  }
  static int on_background(NG_BOOL, int, void*) { return 0; }
  static int on_vectors(pvecinfoall, int, void*) { return 0; }

  /// ngspice asks for the voltage of an EXTERNAL source.
  static int on_voltage(double* volts, double, char* name, int, void* self) {
    const auto& library = *static_cast<Library*>(self);
    if (library.sweep_ == nullptr) return 0;
    const auto& sources = library.sweep_->sources;
    const auto at = static_cast<std::size_t>(std::ranges::find(sources, name) - sources.begin());
    if (at < sources.size() && library.bias_ < library.sweep_->count())
      *volts = library.sweep_->values[library.bias_ * sources.size() + at];
    return 0;
  }

  /// ngspice has solved a bias of a sweep.
  static int on_point(pvecvaluesall values, int, int, void* self) {
    auto& library = *static_cast<Library*>(self);
    if (library.sweep_ == nullptr) return 0;
    for (const Output& output : *library.sweep_outputs_) {
      double found = std::nan("");
      for (int i = 0; i < values->veccount; ++i)
        if (output.vector == values->vecsa[i]->name) found = output.factor * values->vecsa[i]->creal;
      library.swept_.push_back(found);
    }
    ++library.bias_;
    return 0;
  }

  /// One dc analysis over all biases of the deck; what it loses is solved bias by bias.
  PointResult sweep(const std::vector<Deck>& decks, const SimulationPoint& point) {
    const Deck& deck = decks[point.deck];
    const std::size_t wanted = deck.sweep.count() * deck.outputs.size();
    sweep_ = &deck.sweep;
    sweep_outputs_ = &deck.outputs;
    bias_ = 0;
    swept_.clear();
    const bool ran = !analyse(fmt::format("dc verrata_index 0 {} 1", deck.sweep.count() - 1)).empty();
    sweep_ = nullptr;
    command("destroy all");
    if (++runs_ % 64 == 0) ngSpice_Command(nullptr);
    const bool finite = std::ranges::all_of(swept_, [](double v) { return std::isfinite(v); });
    if (ran && finite && !has_warning() && swept_.size() == wanted) return {PointStatus::kOk, swept_, {}};
    return bias_by_bias(decks, point);
  }

  PointResult bias_by_bias(const std::vector<Deck>& decks, const SimulationPoint& point) {
    const BiasSweep& biases = decks[point.deck].sweep;
    PointResult all{.status = PointStatus::kOk};
    const std::size_t sources = biases.sources.size(), outputs = decks[point.deck].outputs.size();
    for (std::size_t b = 0; b < biases.count(); ++b) {
      SimulationPoint one{.deck = biases.fallback};
      one.slots.assign(biases.values.begin() + static_cast<std::ptrdiff_t>(b * sources),
                       biases.values.begin() + static_cast<std::ptrdiff_t>((b + 1) * sources));
      one.slots.insert(one.slots.end(), point.slots.begin(), point.slots.end());
      PointResult result = simulate(decks, one);
      if (result.status != PointStatus::kOk) {
        all.status = std::max(all.status, result.status);
        all.log = result.log;
      }
      result.values.resize(outputs, std::nan(""));
      all.values.insert(all.values.end(), result.values.begin(), result.values.end());
    }
    return all;
  }

  bool load(const Deck& deck, std::size_t index) {
    if (loaded_ >= 0) command("remcirc");
    loaded_ = -1;
    command(deck.compatibility.empty() ? "unset ngbehavior" : "set ngbehavior=" + deck.compatibility);
    log_.clear();
    std::vector<std::string> copies = deck.lines;
    // Near the end: messages count lines. The noise of single devices has names of its own.
    if (deck.noise_groups.empty()) copies.insert(copies.end() - 1, save_line(deck));
    std::vector<char*> lines;
    for (auto& line : copies) lines.push_back(line.data());
    lines.push_back(nullptr);
    const int rc = ngSpice_Circ(lines.data());
    if (rc != 0 || poisoned_ || any_of(log_, {"Error", "circuit not parsed", "there aren't any circuits loaded"}))
      return false;
    loaded_ = static_cast<std::ptrdiff_t>(index);
    current_.assign(deck.slots.size(), std::nan(""));
    return true;
  }

  /// Sets what differs from the values of now. A changed .param expands the deck anew, after which every altered value
  /// is the netlist's again.
  bool alter(const Deck& deck, const std::vector<double>& values) {
    bool expand = false;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!std::isfinite(values[i])) {
        log_ += fmt::format("Error: {} would become {}\n", deck.slots[i].target, values[i]);
        return false;
      }
      if (deck.slots[i].kind != SlotKind::kParameter || current_[i] == values[i]) continue;
      if (!set(deck, deck.slots[i], values[i])) return false;
      current_[i] = values[i];
      expand = true;
    }
    if (expand) {
      log_.clear();
      command("reset");
      if (poisoned_ || any_of(log_, {"Error", "error"})) return false;
      for (std::size_t i = 0; i < values.size(); ++i)
        if (deck.slots[i].kind != SlotKind::kParameter) current_[i] = std::nan("");
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (current_[i] == values[i]) continue;
      if (!set(deck, deck.slots[i], values[i])) return false;
      current_[i] = values[i];
    }
    return true;
  }

  bool set(const Deck& deck, const Slot& slot, double value) {
    log_.clear();
    return command(slot_command(deck, slot, value)) && !any_of(log_, {"Error", "error", "no such", "not found"});
  }

  /// ngspice gives a number, but not in its usual way.
  bool has_warning() const {
    return any_of(log_, {"singular matrix", "gmin stepping", "source stepping", "Transient op"});
  }

  bool run(const Deck& deck, const SimulationPoint& point, PointResult& result) {
    result.values.clear();
    const bool ok = point.analysis == Analysis::kNoise       ? noise(deck, point, result)
                    : point.analysis == Analysis::kTransient ? transient(deck, result)
                                                             : operating_point(deck, result);
    command("destroy all");                           // without it plots pile up and each run gets slower
    if (++runs_ % 64 == 0) ngSpice_Command(nullptr);  // frees the command history
    return ok;
  }

  /// Loads the deck anew with the remedy in it.
  bool apply(Remedy remedy, const Deck& deck, const SimulationPoint& point) {
    Deck changed = deck;
    const auto add = [&](const std::string& line) {
      changed.lines.insert(changed.lines.end() - 1, line);
      changed.positions.emplace_back();
    };
    if (remedy == Remedy::kNodeset) {
      const bool own = std::ranges::any_of(deck.lines, [](const std::string& l) { return l.starts_with(".nodeset"); });
      if (own) return false;
      add(fmt::format(".nodeset all={}", number_text(deck.half_supply_volts)));
    } else if (remedy == Remedy::kMoreSteps) {
      add(".options itl1=1000 itl2=500 itl4=200 gminsteps=30 srcsteps=30");
    } else if (remedy == Remedy::kGear) {
      if (point.analysis != Analysis::kTransient) return false;
      add(".options method=gear");
    } else {
      add(deck.looser_tolerances);
    }
    return load(changed, point.deck) && alter(changed, point.slots);
  }

  /// Runs an analysis that must open a new plot; the plot's name, or empty.
  std::string analyse(const std::string& text) {
    const std::string before = ngSpice_CurPlot();
    log_.clear();
    if (!command(text)) return {};
    const std::string after = ngSpice_CurPlot();
    if (after == before || any_of(log_, {"simulation(s) aborted", "Fatal error", "stderr Error"})) return {};
    return after;
  }

  std::vector<double> vector(const std::string& plot, const std::string& name) {
    std::string qualified = plot + "." + name;  // an unqualified name may be a constant of ngspice
    const pvector_info found = ngGet_Vec_Info(qualified.data());
    if (found == nullptr || found->v_realdata == nullptr || found->v_length <= 0) return {};
    return {found->v_realdata, found->v_realdata + found->v_length};
  }

  bool operating_point(const Deck& deck, PointResult& result) {
    const std::string plot = analyse("op");
    if (plot.empty()) return false;
    for (const Output& output : deck.outputs) {
      auto value = vector(plot, output.vector);
      if (value.size() != 1) return false;
      if (!output.minus.empty()) {
        const auto other = vector(plot, output.minus);
        if (other.size() != 1) return false;
        value[0] -= other[0];
      }
      if (!std::isfinite(value[0])) return false;
      result.values.push_back(output.factor * value[0]);
    }
    return true;
  }

  bool transient(const Deck& deck, PointResult& result) {
    const std::string plot = analyse(deck.transient);
    if (plot.empty()) return false;
    const auto time = vector(plot, "time");  // a run that stops early keeps what it has
    if (time.size() < 2 || std::fabs(time.back() / deck.stop_seconds - 1) > 1e-9) return false;
    for (const Output& output : deck.outputs) {
      auto value = vector(plot, output.vector);
      if (value.size() != time.size()) return false;
      if (!output.minus.empty()) {
        const auto other = vector(plot, output.minus);
        if (other.size() != time.size()) return false;
        for (std::size_t k = 0; k < value.size(); ++k) value[k] -= other[k];
      }
      const double measured = measure(output, time, value);
      if (!std::isfinite(measured)) return false;
      result.values.push_back(output.factor * measured);
    }
    return true;
  }

  bool noise(const Deck& deck, const SimulationPoint& point, PointResult& result) {
    const double decades = std::round(std::log10(point.noise_high_hertz / point.noise_low_hertz));
    // Without the 1 at the end there are no vectors of single devices.
    if (analyse(fmt::format("noise v(out) vclamp dec 4 {} {}{}",
                            number_text(point.noise_high_hertz / std::pow(10, decades)),
                            number_text(point.noise_high_hertz * (1 + 1e-9)), deck.noise_groups.empty() ? "" : " 1"))
            .empty())
      return false;
    // The spectrum's plot is the one before the integrated totals.
    const std::string totals = ngSpice_CurPlot();
    const std::string spectrum = fmt::format("noise{}", std::atoi(totals.c_str() + 5) - 1);
    const auto frequency = complex_or_real(spectrum, "frequency");
    const auto density = vector(spectrum, "onoise_spectrum");
    if (frequency.size() < 2 || frequency.size() != density.size()) return false;
    if (std::fabs(frequency.back() / point.noise_high_hertz - 1) > 1e-3) return false;
    result.values = {integrate_power(frequency, density)};
    add_noise_groups(deck, spectrum, frequency, result.values);
    return std::isfinite(result.values[0]);
  }

  /// Densities of different devices add as squares; a group of which none is there is NaN.
  void add_noise_groups(const Deck& deck, const std::string& spectrum, const std::vector<double>& frequency,
                        std::vector<double>& values) {
    values.resize(1 + deck.noise_groups.size(), std::nan(""));
    for (const NoiseDevice& device : deck.noise_devices) {
      auto density = vector(spectrum, "onoise_" + device.name);
      if (density.empty()) density = vector(spectrum, "onoise." + device.name);  // BSIM's way of naming
      if (density.size() != frequency.size()) continue;
      double& sum = values[1 + device.group];
      sum = (std::isnan(sum) ? 0.0 : sum) + integrate_power(frequency, density);
    }
  }

  std::vector<double> complex_or_real(const std::string& plot, const std::string& name) {
    std::string qualified = plot + "." + name;
    const pvector_info found = ngGet_Vec_Info(qualified.data());
    if (found == nullptr || found->v_length <= 0) return {};
    std::vector<double> values(found->v_length);
    for (int i = 0; i < found->v_length; ++i)
      values[i] = found->v_realdata != nullptr ? found->v_realdata[i] : found->v_compdata[i].cx_real;
    return values;
  }

  /// ∫ S df of an amplitude density, S a power law between neighbouring points; white down to 0 Hz below the first.
  static double integrate_power(const std::vector<double>& f, const std::vector<double>& density) {
    double sum = density[0] * density[0] * f[0];
    for (std::size_t i = 1; i < f.size(); ++i) {
      const double a = density[i - 1] * density[i - 1], b = density[i] * density[i];
      const double exponent = a > 0 && b > 0 ? std::log(b / a) / std::log(f[i] / f[i - 1]) : 0.0;
      sum += std::fabs(exponent + 1) < 1e-9 ? a * f[i - 1] * std::log(f[i] / f[i - 1])
                                            : (b * f[i] - a * f[i - 1]) / (exponent + 1);
    }
    return sum;
  }

  std::string log_;
  std::vector<double> current_;
  const BiasSweep* sweep_ = nullptr;  ///< of the analysis that is running
  const std::vector<Output>* sweep_outputs_ = nullptr;
  std::vector<double> swept_;
  std::size_t bias_ = 0;
  std::ptrdiff_t loaded_ = -1;
  std::size_t runs_ = 0;
  bool poisoned_ = false;
};

NgspiceSession::NgspiceSession() : library_(std::make_unique<Library>()) {}
NgspiceSession::~NgspiceSession() = default;

PointResult NgspiceSession::simulate(const std::vector<Deck>& decks, const SimulationPoint& point) {
  return library_->simulate(decks, point);
}

std::optional<PointResult> NgspiceSession::failure_to_load(const std::vector<Deck>& decks, std::size_t deck) {
  return library_->failure_to_load(decks, deck);
}

PointResult NgspiceSession::parameter_values(const Deck& deck, const std::vector<std::string>& parameters) {
  return library_->parameter_values(deck, parameters);
}

bool NgspiceSession::poisoned() const { return library_->poisoned(); }

std::string NgspiceSession::version() {
  library_->command("version -f");
  const std::string& log = library_->log();
  const auto at = log.find("ngspice-");
  return at == std::string::npos ? "unknown" : log.substr(at, log.find_first_of(" \n", at) - at);
}

}  // namespace errata::circuit
