// io: dsm, the operator's shell command: operator commands to dsmd, and the tools that need none.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>

#include "channel/dasd_image.h"
#include "datamover/verify.h"
#include "serializer/storage_display.h"
#include "service/adopt.h"
#include "service/command_server.h"
#include "service/compose.h"
#include "service/hercules_config.h"
#include "service/query.h"

namespace afterimage {
namespace {

constexpr const char* kUsage =
    R"(Usage: dsm [--config FILE] [--site NAME] COMMAND
  dsm 'F DSM,XQUERY'             an operator command (HELP lists them) to the dsmd of the site; ends with its return code
  dsm check                      checks the configuration; every mistake with its line and remedy
  dsm adopt HERCULES.CNF [--output DIR] [--plex NAME] [--session NAME] [--system NAME] [--host HOST:PORT] [--peer-host HOST:PORT]
                                 reads a Hercules configuration, writes the XML of a plex that mirrors its volumes, says what to do next
  dsm verify IMAGE IMAGE         compares two images as volumes (records up to the end of each track); dsmd need not run
  dsm image PATH                 what a CKD image is: geometry, volser, whether it is fenced
  dsm recovery-config [SESSION] [--system NAME] [--from HERCULES.CNF] [--output FILE] [--loadparm TEXT]
                                 writes the Hercules configuration of the recovery site (hercules-SYSTEM.cnf in the site's directory, or FILE;
                                 - is standard output) and says how to start it
  dsm storage display|remove     common storage of the plex, also when its dsmd is dead
The environment variables AFTERIMAGE_CONFIG and AFTERIMAGE_SITE may stand for the options. With one site whose dsmd runs on this machine,
--site may be left out. Return codes: 0 done, 4 done with a warning (verify: not equal), 8 refused, 16 failed.
)";

constexpr int kCommandLimit_s = 900;

struct Invocation {
  std::map<std::string, std::string> options;
  std::vector<std::string> words;
  std::string option(const std::string& name) const {
    const auto found = options.find(name);
    return found == options.end() ? std::string() : found->second;
  }
};

int fail(const Status& status) {
  std::cerr << "dsm: " << status.text() << "\n";
  return status.return_code();
}
int fail(const std::string& text) { return fail(Status::error(text)); }

Result<Invocation> read_arguments(int argc, char** argv) {
  Invocation invocation;
  if (const char* value = std::getenv("AFTERIMAGE_CONFIG")) invocation.options["config"] = value;
  if (const char* value = std::getenv("AFTERIMAGE_SITE")) invocation.options["site"] = value;
  static const std::vector<std::string> known = {"config", "site",    "output", "from", "loadparm",
                                                 "plex",   "session", "system", "host", "peer-host"};
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (!word.starts_with("--")) {
      invocation.words.push_back(word);
      continue;
    }
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
    if (name == "help" || name == "version") {
      invocation.words.insert(invocation.words.begin(), word);
      continue;
    }
    if (std::find(known.begin(), known.end(), name) == known.end())
      return failed<Invocation>(Status::error("option --" + name + " is not known; dsm --help lists what there is."));
    if (equals != std::string::npos) {
      invocation.options[name] = word.substr(equals + 1);
      continue;
    }
    if (i + 1 == argc) return failed<Invocation>(Status::error("option " + word + " needs a value."));
    invocation.options[name] = argv[++i];
  }
  return result_of(std::move(invocation));
}

Result<Config> configuration(const Invocation& invocation) {
  if (invocation.option("config").empty())
    return failed<Config>(Status::error("which configuration? Give --config FILE or set AFTERIMAGE_CONFIG."));
  ConfigLoad loaded = load_config(invocation.option("config"));
  if (loaded.good()) return result_of(std::move(loaded.config));
  std::string all =
      "the configuration has " + std::to_string(loaded.errors.size()) + (loaded.errors.size() == 1 ? " mistake:" : " mistakes:");
  for (const auto& error : loaded.errors) all += "\n  " + error;
  return failed<Config>(Status::error(all));
}

Result<const SiteConfig*> site_of(const Config& config, const Invocation& invocation) {
  const std::string name = invocation.option("site");
  if (!name.empty()) {
    const SiteConfig* site = config.site(name);
    if (site != nullptr) return result_of(site);
    return failed<const SiteConfig*>(
        Status::error(config.path + " has no site " + name + "; use one of its <site name=\"...\"> elements."));
  }
  const SiteConfig* only = nullptr;
  for (const SiteConfig& site : config.sites) {
    if (!std::filesystem::exists(command_socket_path(site))) continue;
    if (only != nullptr)
      return failed<const SiteConfig*>(Status::error("dsmd runs here for " + only->name + " and " + site.name + ": give --site NAME."));
    only = &site;
  }
  if (only == nullptr)
    return failed<const SiteConfig*>(
        Status::error("no dsmd of " + config.path + " runs on this machine. Start one (dsmd --config FILE --site NAME)."));
  return result_of(only);
}

int operator_command(const Invocation& invocation) {
  std::string line;
  for (const auto& word : invocation.words) line += (line.empty() ? "" : " ") + word;
  if (line.find('\n') != std::string::npos) return fail("a command is one line.");
  auto config = configuration(invocation);
  if (!config.good()) return fail(config.status);
  auto site = site_of(config.value, invocation);
  if (!site.good()) return fail(site.status);
  auto answer = ask_command_socket(command_socket_path(*site.value), line, kCommandLimit_s);
  if (!answer.good()) return fail(answer.status);
  for (const auto& text : answer.value.lines) std::cout << text << "\n";
  return answer.value.return_code;
}

int check_configuration(const Invocation& invocation) {
  auto config = configuration(invocation);
  if (!config.good()) return fail(config.status);
  std::size_t volumes = 0;
  for (const auto& session : config.value.sessions) volumes += session.volumes.size();
  std::cout << config.value.path << ": plex " << config.value.plex << ", " << config.value.sites.size() << " sites, " << volumes
            << " volumes, no mistakes\n";
  return 0;
}

int verify(const Invocation& invocation) {
  if (invocation.words.size() != 3)
    return fail("verify compares two closed images: dsm verify IMAGE IMAGE. For a running session enter dsm 'F DSM,VERIFY session'.");
  auto result = verify_images(invocation.words[1], invocation.words[2], 20);
  if (!result.good()) return fail(result.status);
  for (const auto& line : verify_lines(result.value)) std::cout << line << "\n";
  return result.value.equal() ? 0 : 4;
}

int describe_image(const Invocation& invocation) {
  if (invocation.words.size() != 2) return fail("image needs one path: dsm image PATH.");
  auto image = DasdImage::open(invocation.words[1], OpenFor::kRead);
  if (!image.good()) return fail(image.status);
  const Geometry& geometry = image.value->geometry();
  char type[8];
  std::snprintf(type, sizeof type, "%04X", geometry.device_type);
  std::cout << invocation.words[1] << ": " << type << ", " << geometry.cylinders << " cylinders, " << geometry.heads << " heads, "
            << geometry.track_bytes << " bytes a track";
  if (image.value->kind() == ImageKind::kCompressed) std::cout << ", compressed (CCKD)";
  if (image.value->fenced()) std::cout << ", FENCED: an unrecovered secondary volume, Hercules refuses it until XRECOVER";
  if (auto volser = image.value->volser(); volser.good() && !volser.value.empty()) std::cout << ", volser " << volser.value;
  std::cout << "\n";
  return 0;
}

int storage(const Invocation& invocation) {
  const std::string what = invocation.words.size() == 2 ? invocation.words[1] : std::string();
  if (what != "display" && what != "remove") return fail("storage takes display or remove: dsm --config FILE storage display.");
  auto config = configuration(invocation);
  if (!config.good()) return fail(config.status);
  const std::string segment = segment_of(config.value);
  auto opened = CommonStorage::open(segment);
  if (!opened.good() && what == "remove" && opened.status.return_code() == 4) {
    std::cout << "There is no common storage " << segment << ": nothing to remove.\n";
    return 0;
  }
  if (!opened.good()) return fail(opened.status);
  const StorageFacts facts = storage_display(*opened.value);
  if (what == "display") {
    for (const auto& line : storage_lines(*opened.value)) std::cout << line << "\n";
    return 0;
  }
  if (facts.mover_alive)
    return fail("common storage of plex " + config.value.plex + " is in use by dsmd (process " + std::to_string(facts.mover_pid) +
                "). Stop it first (P DSM).");
  for (const auto& system : facts.systems) {
    if (system.alive)
      return fail("common storage of plex " + config.value.plex + " is in use by Hercules system " + system.name + " (process " +
                  std::to_string(system.pid) + "). Stop it first.");
  }
  CommonStorage::remove(segment);
  std::cout << "Common storage of plex " << config.value.plex
            << " is removed; a session that was in it must be started anew with COMPARE(YES).\n";
  return 0;
}

int adopt(const Invocation& invocation) {
  if (invocation.words.size() != 2) return fail("adopt needs one Hercules configuration: dsm adopt hercules.cnf [--output DIR].");
  AdoptRequest request;
  request.hercules = invocation.words[1];
  const std::map<std::string, std::string*> settable = {{"output", &request.output},       {"plex", &request.plex},
                                                        {"session", &request.session},     {"system", &request.system},
                                                        {"host", &request.primary_listen}, {"peer-host", &request.secondary_listen}};
  for (const auto& [name, into] : settable) {
    if (!invocation.option(name).empty()) *into = invocation.option(name);
  }
  auto report = adopt_hercules(request);
  if (!report.good()) return fail(report.status);
  if (Status saved = save_adopted(report.value); !saved) return fail(saved);
  const auto section = [](const char* title, const std::vector<std::string>& lines) {
    if (!lines.empty()) std::cout << title << "\n";
    for (const auto& line : lines) std::cout << "  " << line << "\n";
  };
  std::cout << report.value.config.path << " is written.\n";
  section("Mirrored:", report.value.mirrored);
  section("Not mirrored:", report.value.not_mirrored);
  section("Notes:", report.value.notes);
  section("Next:", report.value.next_steps);
  return 0;
}

int recovery_config(const Invocation& invocation) {
  auto config = configuration(invocation);
  if (!config.good()) return fail(config.status);
  RecoveryConfigRequest request;
  if (invocation.words.size() > 2)
    return fail("recovery-config takes one session: dsm recovery-config SESSION [--from HERCULES.CNF] [--output FILE].");
  if (invocation.words.size() == 2) request.session = invocation.words[1];
  request.system = invocation.option("system");
  request.from = invocation.option("from");
  request.loadparm = invocation.option("loadparm");
  const std::string output = invocation.option("output");
  const bool to_standard_output = output == "-";
  request.output_path = to_standard_output ? std::string() : output;
  auto made = make_recovery_config(config.value, request);
  if (!made.good()) return fail(made.status);
  if (to_standard_output) {
    std::cout << made.value.text;
  } else if (Status written = save_recovery_config(made.value, output.empty()); !written) {
    return fail(written);
  }
  // The configuration itself may be on standard output: what a person reads goes beside it.
  std::ostream& people = to_standard_output ? std::cerr : std::cout;
  for (const auto& note : made.value.notes) people << note << "\n";
  if (to_standard_output) return people << "Put it into a file, and start it with: hercules -f FILE\n", 0;
  people << made.value.path << " is written. Start it with: " << made.value.command << "\n";
  return 0;
}

int dispatch(int argc, char** argv) {
  auto read = read_arguments(argc, argv);
  if (!read.good()) return fail(read.status);
  const Invocation& invocation = read.value;
  if (invocation.words.empty()) {
    std::cerr << kUsage;
    return 8;
  }
  const std::string& verb = invocation.words.front();
  if (verb == "--help" || verb == "help") return std::cout << kUsage, 0;
  if (verb == "--version") return std::cout << "dsm (Afterimage) " << AFTERIMAGE_VERSION << "\n", 0;
  if (verb == "check") return check_configuration(invocation);
  if (verb == "verify") return verify(invocation);
  if (verb == "image") return describe_image(invocation);
  if (verb == "storage") return storage(invocation);
  if (verb == "adopt") return adopt(invocation);
  if (verb == "recovery-config") return recovery_config(invocation);
  return operator_command(invocation);
}

}  // namespace
}  // namespace afterimage

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return afterimage::dispatch(argc, argv);
  } catch (const std::exception& failure) {
    std::cerr << "dsm: " << failure.what() << "\n";
    return 16;
  }
}
