#include "errormodel/estimation/estimation_record.h"

#include "core/error.h"
#include "core/hdf5_file.h"

namespace errata::errormodel {

namespace {

using Real = std::span<const double>;
constexpr std::size_t kNumbers = 6;  // of a trial

MemoryKind memory_kind(const std::string& name) {
  if (name == "ar1") return MemoryKind::kAutoregressive;
  return name == "one_over_f" ? MemoryKind::kOneOverF : MemoryKind::kNone;
}

const char* name_of(MemoryKind kind) {
  if (kind == MemoryKind::kAutoregressive) return "ar1";
  return kind == MemoryKind::kOneOverF ? "one_over_f" : "none";
}

}  // namespace

void save_record(Hdf5Writer& f, const std::string& group, const EstimationRecord& r) {
  std::vector<double> level;
  for (const Interval& i : r.level) level.insert(level.end(), {i.estimate, i.low, i.high});
  f.write(group + "/level_interval", Real(level), {r.level.size(), 3}, "MAC unit");
  const double sigma[3] = {r.read_sigma.estimate, r.read_sigma.low, r.read_sigma.high};
  f.write(group + "/read_sigma_interval", Real(sigma), {3}, "MAC unit");
  const ReadMemory& m = r.memory;
  const double memory[6] = {m.share,       m.correlation, static_cast<double>(m.octaves), m.lag_one.estimate,
                            m.lag_one.low, m.lag_one.high};
  f.write(group + "/memory", Real(memory), {6}, "1");
  f.attribute(group + "/memory", "kind", std::string_view(name_of(m.kind)));
  f.attribute(
      group + "/memory", "columns",
      std::string_view("share of sigma_D^2, correlation of successive reads of that share, octaves; correlation "
                       "of successive reads of the whole, low, high"));
  f.write(group + "/variogram", Real(m.variogram), {m.variogram.size()}, "MAC unit^2");
  std::vector<std::string> terms, names, reasons;
  std::vector<double> numbers;
  for (const CovariateTrial& t : r.covariates) {
    terms.push_back(t.term);
    names.push_back(t.covariate);
    reasons.push_back(t.reason);
    numbers.insert(numbers.end(),
                   {t.kept ? 1.0 : 0.0, t.explained, t.inflation, t.error_without, t.error_with, t.standard_error});
  }
  f.write_strings(group + "/covariate_terms", terms);
  f.write_strings(group + "/covariate_names", names);
  f.write_strings(group + "/covariate_reasons", reasons);
  f.write(group + "/covariates", Real(numbers), {names.size(), kNumbers}, "1");
  f.attribute(group + "/covariates", "columns",
              std::string_view("kept, share of variance explained, variance inflation factor, error of transfer "
                               "without, with, standard error of the difference"));
}

EstimationRecord load_record(const Hdf5Reader& f, const std::string& group) {
  EstimationRecord r;
  if (!f.has(group)) return r;  // made by hand, or before 0.1
  const auto level = f.doubles(group + "/level_interval");
  for (std::size_t i = 0; i + 3 <= level.size(); i += 3) r.level.push_back({level[i], level[i + 1], level[i + 2]});
  const auto sigma = f.doubles(group + "/read_sigma_interval", {3});
  r.read_sigma = {sigma[0], sigma[1], sigma[2]};
  const auto m = f.doubles(group + "/memory", {6});
  r.memory.kind = memory_kind(f.text(group + "/memory", "kind"));
  r.memory.share = m[0];
  r.memory.correlation = m[1];
  if (!(m[2] >= 0.0 && m[2] <= 64.0))
    throw Error(ExitStatus::kArtifact, "E403", f.path().string() + ": " + group + "/memory");
  r.memory.octaves = static_cast<int>(m[2]);
  r.memory.lag_one = {m[3], m[4], m[5]};
  r.memory.variogram = f.doubles(group + "/variogram");
  const auto terms = f.strings(group + "/covariate_terms"), names = f.strings(group + "/covariate_names"),
             reasons = f.strings(group + "/covariate_reasons");
  const auto numbers = f.doubles(group + "/covariates", {names.size(), kNumbers});
  if (terms.size() != names.size() || reasons.size() != names.size())
    throw Error(ExitStatus::kArtifact, "E403", f.path().string() + ": " + group + "/covariates");
  for (std::size_t k = 0; k < names.size(); ++k) {
    const double* n = numbers.data() + kNumbers * k;
    r.covariates.push_back({.term = terms[k],
                            .covariate = names[k],
                            .kept = n[0] != 0.0,
                            .reason = reasons[k],
                            .explained = n[1],
                            .inflation = n[2],
                            .error_without = n[3],
                            .error_with = n[4],
                            .standard_error = n[5]});
  }
  return r;
}

}  // namespace errata::errormodel
