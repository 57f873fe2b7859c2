#include <fmt/format.h>
#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <thread>

#include "cli/command.h"
#include "core/version.h"

namespace errata::cli {

namespace {

volatile std::sig_atomic_t interrupts = 0;

/// First Ctrl-C: stop after the running item. Second: at once.
void on_interrupt(int) {
  interrupts = interrupts + 1;
  if (interrupts > 1) ::_exit(static_cast<int>(ExitStatus::kInterrupted));
}

namespace po = boost::program_options;

po::options_description options(Invocation& i, std::vector<std::string>& sets) {
  po::options_description all;
  auto add = all.add_options();
  add("help,h", "");
  add("version", "");
  add("json", po::bool_switch(&i.json));
  add("quiet", po::bool_switch(&i.quiet));
  add("jobs", po::value<int>(&i.jobs));
  add("seed", po::value<std::int64_t>());
  add("set", po::value<std::vector<std::string>>(&sets)->composing());
  add("data-dir", po::value<std::filesystem::path>(&i.data_dir));
  add("force", po::bool_switch(&i.force));
  add("accept", po::bool_switch(&i.accept));
  add("keep-going", po::bool_switch(&i.keep_going));
  add("trust-netlist", po::bool_switch(&i.trust_netlist));
  add("out", po::value<std::filesystem::path>(&i.out));
  add("from", po::value<std::string>(&i.from));
  add("to", po::value<std::string>(&i.to));
  add("template", po::value<std::string>(&i.name));
  add("arm", po::value<std::string>(&i.name));
  add("format", po::value<std::string>(&i.format));
  add("dataset", po::value<std::string>(&i.dataset));
  add("from-csv", po::value<std::filesystem::path>(&i.from_csv));
  add("operating-points", po::bool_switch(&i.operating_points));
  add("hardware", po::value<std::string>(&i.hardware));
  add("chips", po::value<std::size_t>(&i.chips));
  add("images", po::value<std::size_t>(&i.images));
  add("capture-operands", po::value<std::filesystem::path>(&i.capture));
  add("positional", po::value<std::vector<std::string>>());
  return all;
}

constexpr std::string_view kCommon[] = {"help", "version", "json",     "quiet",        "jobs",
                                        "seed", "set",     "data-dir", "trust-netlist"};

[[noreturn]] void usage(const std::string& message, const std::string& hint) {
  throw Error(ExitStatus::kUsage, "E103", message, hint);
}

std::string suggestion(const std::string& name, const std::vector<std::string>& known) {
  const std::string near = nearest_name(name, known);
  return near.empty() ? "see `errata help`" : fmt::format("did you mean '{}'?", near);
}

const Command& find_command(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& c : commands()) {
    if (c.name == name) return c;
    names.emplace_back(c.name);
  }
  usage(fmt::format("unknown command '{}'", name), suggestion(name, names));
}

void check_options(const po::variables_map& given, const Command& command) {
  for (const auto& [name, value] : given) {
    if (value.defaulted() || name == "positional") continue;
    if (value.value().type() == typeid(bool) && !value.as<bool>()) continue;
    const bool known = std::ranges::find(kCommon, name) != std::end(kCommon) ||
                       std::ranges::find(command.options, name) != command.options.end();
    if (!known)
      usage(fmt::format("`errata {}` takes no --{}", command.name, name),
            fmt::format("see `errata help {}`", command.name));
  }
}

Invocation parse(int argc, char** argv) {
  Invocation i;
  i.jobs = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  std::vector<std::string> sets;
  const auto description = options(i, sets);
  po::positional_options_description positional;
  positional.add("positional", -1);
  po::variables_map given;
  try {
    namespace style = po::command_line_style;
    po::store(po::command_line_parser(argc, argv)
                  .options(description)
                  .positional(positional)
                  .style(style::unix_style & ~style::allow_guessing)
                  .run(),
              given);
    po::notify(given);
  } catch (const po::unknown_option& e) {
    std::vector<std::string> known;
    for (const auto& o : description.options())
      if (o->long_name() != "positional") known.push_back(o->long_name());
    std::string name = e.get_option_name();
    name.erase(0, name.find_first_not_of('-'));
    const std::string near = nearest_name(name, known);
    usage(fmt::format("unknown option '{}'", e.get_option_name()),
          near.empty() ? "see `errata help`" : fmt::format("did you mean '--{}'?", near));
  } catch (const std::exception& e) {
    usage(e.what(), "see `errata help`");
  }
  if (given.count("positional")) i.arguments = given["positional"].as<std::vector<std::string>>();
  if (given.count("version")) {
    i.command = "--version";
    return i;
  }
  if (i.arguments.empty()) {
    i.command = "help";
    return i;
  }
  i.command = i.arguments[0];
  i.arguments.erase(i.arguments.begin());
  if (given.count("help")) {
    i.arguments = {find_command(i.command).name == "help" ? std::string() : i.command};
    i.command = "help";
  }
  check_options(given, find_command(i.command));
  if (given.count("seed")) {
    const auto seed = given["seed"].as<std::int64_t>();
    if (seed < 0) usage(fmt::format("--seed {} is negative", seed), "a seed is a whole number from 0");
    i.seed = static_cast<std::uint64_t>(seed);
  }
  if (i.jobs < 1 || i.jobs > 1024) usage(fmt::format("--jobs {} is not between 1 and 1024", i.jobs), "");
  for (const auto& text : sets) {
    const auto equals = text.find('=');
    if (equals == std::string::npos) usage(fmt::format("--set {} has no '='", text), "write --set section.key=value");
    i.overrides.push_back({text.substr(0, equals), text.substr(equals + 1)});
  }
  return i;
}

int run(int argc, char** argv) {
  std::unique_ptr<Output> out = std::make_unique<Output>(false, false);
  ExitStatus status = ExitStatus::kOk;
  try {
    const Invocation invocation = parse(argc, argv);
    if (invocation.command == "--version") {
      fmt::print("errata {}\n", kVersion);
      return 0;
    }
    out = std::make_unique<Output>(invocation.json, invocation.quiet);
    omp_set_num_threads(invocation.jobs);
    Session session{invocation, *out, {}};
    session.context.jobs = invocation.jobs;
    session.context.cancelled = [] { return interrupts > 0; };
    session.context.progress = [&](auto what, auto done, auto total) { out->progress(what, done, total); };
    session.context.warn = [&](const Diagnostic& d) { out->warn(d); };
    session.context.note = [&](std::string_view text) { out->note(text); };
    status = find_command(invocation.command).run(session);
  } catch (const Error& e) {
    out->error(e);
    status = e.status();
  } catch (const std::bad_alloc&) {
    out->error(Error(ExitStatus::kEnvironment, "E604", "out of memory", "use fewer --jobs or a smaller design"));
    status = ExitStatus::kEnvironment;
  } catch (const std::exception& e) {
    out->error(Error(ExitStatus::kBug, "E700", fmt::format("internal error: {}", e.what()),
                     "please report it with the command and the project"));
    status = ExitStatus::kBug;
  }
  out->finish(status);
  return static_cast<int>(status);
}

}  // namespace

}  // namespace errata::cli

int main(int argc, char** argv) {
  // libgomp spins while it waits, which costs many times the work wherever another process wants the core too. It reads
  // its policy once, when it is loaded, so the program starts itself anew with the policy set.
  std::error_code failure;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (!failure && std::getenv("OMP_WAIT_POLICY") == nullptr && ::setenv("OMP_WAIT_POLICY", "passive", 1) == 0)
    ::execv(program.c_str(), argv);
  std::signal(SIGINT, errata::cli::on_interrupt);
  std::signal(SIGTERM, errata::cli::on_interrupt);
  return errata::cli::run(argc, argv);
}
