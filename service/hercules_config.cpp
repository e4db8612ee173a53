// io: see hercules_config.h.
#include "service/hercules_config.h"

#include <strings.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>

#include "channel/ckd_types.h"
#include "datamover/posix_file.h"
#include "service/config_values.h"
#include "service/hercules_config_reader.h"

namespace afterimage {
namespace {

constexpr std::size_t kMaxStatement = 1023;

bool begins_with_word(const std::string& text, const char* word) {
  return strncasecmp(text.c_str(), word, std::char_traits<char>::length(word)) == 0;
}

// Options that fit the primary's image only: the secondary is a plain, writable CKD image.
bool option_goes(const std::string& option) {
  if (begins_with_word(option, "sf=")) return true;
  for (const char* word : {"readonly", "rdonly", "ro", "fakewrite", "fakewrt", "fw"})
    if (strcasecmp(option.c_str(), word) == 0) return true;
  return false;
}

bool is_fba(const std::string& type) {
  static const std::set<std::string> kTypes = {"0671", "3310", "3370", "9313", "9332", "9335", "9336"};
  return kTypes.contains(type);
}

std::string quoted_argument(const std::string& argument) {
  const bool plain = !argument.empty() && argument.find_first_of(" \t'\"") == std::string::npos && argument[0] != '#';
  return plain ? argument : "\"" + argument + "\"";
}

class Maker {
 public:
  Maker(const SessionConfig& session, const SystemConfig& system, const RecoveryConfigRequest& request)
      : session_(session), system_(system), request_(request) {}

  Result<RecoveryConfig> make() {
    out_ << "# Hercules configuration of the recovery site: session " << session_.name << ", system " << system_.name << " at site "
         << session_.secondary << ".\n# Start it only after XRECOVER has completed: Hercules refuses images that are not recovered.\n";
    Status made = Status::ok();
    const std::string from = source(made);
    if (!made) return failed<RecoveryConfig>(made);
    made = from.empty() ? write_standard() : copy(from);
    if (made) made = write_remaining();
    if (!made) return failed<RecoveryConfig>(made);
    result_.text = out_.str();
    const std::filesystem::path output = std::filesystem::absolute(request_.output_path).lexically_normal();
    std::error_code error;
    if (!from.empty() && std::filesystem::equivalent(from, output, error))
      return failed<RecoveryConfig>(
          Status::error(output.string() + " is the configuration to start from: name another file with --output."));
    result_.path = output.string();
    if (copied_units_)
      note("Readers, printers, tapes and consoles were copied as they were: files they name are sought in " +
           output.parent_path().string() + " unless their paths are absolute.");
    result_.command = "cd " + shell_word(output.parent_path().string()) + " && hercules -f " + shell_word(output.filename().string());
    return result_of(std::move(result_));
  }

 private:
  static std::string shell_word(const std::string& text) {
    if (text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-") == std::string::npos) return text;
    std::string word = "'";
    for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return word + "'";
  }

  // The configuration to copy from. One that was asked for must be there; one the <system> states may be lost with its site.
  std::string source(Status& problem) {
    std::error_code error;
    if (!request_.from.empty()) {
      if (!std::filesystem::is_regular_file(request_.from, error))
        problem = Status::error("The Hercules configuration " + request_.from +
                                " does not exist: correct the path, or leave it out for a standard one.");
      return request_.from;
    }
    if (system_.hercules.empty()) return {};
    if (std::filesystem::is_regular_file(system_.hercules, error)) return system_.hercules;
    note("The Hercules configuration " + system_.hercules + " of system " + system_.name +
         " is not at this site: a standard one was written. Add what your system needs (storage, CPUs, consoles).");
    return {};
  }

  void note(std::string text) { result_.notes.push_back(std::move(text)); }

  const VolumeConfig* volume_at(std::uint16_t device) const {
    for (const VolumeConfig& volume : session_.volumes)
      if (volume.system == system_.name && volume.device == device) return &volume;
    return nullptr;
  }

  Status write_volume(const VolumeConfig& volume, const std::vector<std::string>& options) {
    const auto statement = hercules_device_statement(volume.device, ckd_type_name(volume.type), volume.secondary_image, options);
    if (!statement.good()) return statement.status;
    out_ << statement.value << "\n";
    written_.insert(volume.device);
    return Status::ok();
  }

  Status write_standard() {
    if (request_.from.empty() && system_.hercules.empty())
      note(
          "No Hercules configuration of the primary was given: a standard one was written. Add what your system needs (storage, CPUs, "
          "consoles).");
    out_ << "ARCHMODE z/Arch\nMAINSIZE 1024\nNUMCPU 1\nCNSLPORT 3270\n";
    write_loadparm();
    out_ << "0009 3215-C / noprompt\n";
    return Status::ok();
  }

  void write_loadparm() {
    if (!request_.loadparm.empty() && !loadparm_written_) out_ << "LOADPARM " << request_.loadparm << "\n";
    loadparm_written_ = true;
  }

  Status copy(const std::string& from) {
    const auto file = read_hercules_config(from);
    if (!file.good()) return file.status;
    for (const std::string& text : file.value.notes) note(text);
    out_ << "# Copied from the configuration of the primary site; changed and left out statements are marked.\n";
    for (const HerculesStatement& statement : file.value.statements) {
      if (!statement.devices.empty()) write_loadparm();
      Status written = statement.devices.empty() ? copy_plain(statement) : copy_devices(statement);
      if (!written) return written;
    }
    write_loadparm();
    return Status::ok();
  }

  Status copy_plain(const HerculesStatement& statement) {
    if (statement.keyword_is("loadparm") && !request_.loadparm.empty()) {
      out_ << "# " << statement.text << "\n";
      write_loadparm();
    } else if (statement.keyword_is("dsm")) {
      out_ << "# " << statement.text << "   (this system is not a primary of the plex)\n";
      note("The statement DSM was left out: the recovered system is not a primary of the plex until a session is started from this site.");
    } else {
      out_ << statement.text << "\n";
    }
    return Status::ok();
  }

  Status copy_devices(const HerculesStatement& statement) {
    const bool ours = std::ranges::any_of(statement.devices, [&](const HerculesDevice& device) { return is_ours(device); });
    if (!ours && !is_disk(statement.devices[0])) {
      copied_units_ = true;
      out_ << statement.text << "\n";
      return Status::ok();
    }
    out_ << "# " << statement.text << "\n";
    for (const HerculesDevice& device : statement.devices) {
      if (!is_ours(device)) {
        note("Device " + device_number_text(device.number) + " (" + device.type +
             ") is not mirrored and was left out: its image is not at this site.");
        continue;
      }
      std::vector<std::string> options;
      for (std::size_t i = 1; i < device.arguments.size(); ++i) {
        if (!option_goes(device.arguments[i]))
          options.push_back(device.arguments[i]);
        else
          note("Option " + device.arguments[i] + " of device " + device_number_text(device.number) +
               " was left out: the recovered image is a plain, writable CKD image.");
      }
      if (Status written = write_volume(*volume_at(device.number), options); !written) return written;
    }
    return Status::ok();
  }

  bool is_ours(const HerculesDevice& device) const { return device.channel_subsystem == 0 && volume_at(device.number) != nullptr; }
  static bool is_disk(const HerculesDevice& device) { return ckd_type_by_name(device.type) != nullptr || is_fba(device.type); }

  Status write_remaining() {
    for (const VolumeConfig& volume : session_.volumes) {
      if (volume.system != system_.name || written_.contains(volume.device)) continue;
      if (Status written = write_volume(volume, {}); !written) return written;
    }
    return Status::ok();
  }

  const SessionConfig& session_;
  const SystemConfig& system_;
  const RecoveryConfigRequest& request_;
  RecoveryConfig result_;
  std::ostringstream out_;
  std::set<std::uint16_t> written_;
  bool loadparm_written_ = false, copied_units_ = false;
};

bool is_loadparm(const std::string& text) {
  return text.size() <= 8 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.';
         });
}

Result<const SystemConfig*> choose_system(const Config& config, const SessionConfig& session, const std::string& wanted) {
  using Out = const SystemConfig*;
  std::set<std::string> names;
  for (const VolumeConfig& volume : session.volumes) names.insert(volume.system);
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  if (!wanted.empty() && !names.contains(wanted))
    return failed<Out>(Status::error("System " + wanted + " has no volume in session " + session.name + ": name one of " + list + "."));
  if (wanted.empty() && names.size() != 1)
    return failed<Out>(Status::error("Session " + session.name + " has volumes of several systems: name one of " + list + "."));
  const SystemConfig* system = config.system_named(wanted.empty() ? *names.begin() : wanted);
  if (system == nullptr)
    return failed<Out>(Status::error("System " + *names.begin() + " is not defined in the configuration: add its <system>."));
  return result_of(system);
}

}  // namespace

Result<std::string> hercules_device_statement(std::uint16_t device, const std::string& type, const std::string& path,
                                              const std::vector<std::string>& options) {
  using Out = std::string;
  if (path.find('"') != Out::npos || path.find("$(") != Out::npos || path.find("${") != Out::npos)
    return failed<Out>(Status::error("Image " + path +
                                     " has a quotation mark, $( or ${ in its path, which a Hercules statement cannot carry: rename it."));
  std::string statement = device_number_text(device) + " " + type + " " + quoted_argument(path);
  for (const std::string& option : options) statement += " " + quoted_argument(option);
  if (statement.size() > kMaxStatement)
    return failed<Out>(Status::error("The statement of device " + device_number_text(device) + " would have " +
                                     std::to_string(statement.size()) + " characters, and Hercules takes " + std::to_string(kMaxStatement) +
                                     ": use a shorter path."));
  return result_of(std::move(statement));
}

Result<RecoveryConfig> make_recovery_config(const Config& config, const RecoveryConfigRequest& request) {
  using Out = RecoveryConfig;
  const SessionConfig* session =
      request.session.empty() && config.sessions.size() == 1 ? &config.sessions[0] : config.session(request.session);
  if (session == nullptr)
    return failed<Out>(Status::error("Session " + (request.session.empty() ? std::string("?") : request.session) +
                                     " is not in the configuration: name a session that is."));
  if (!is_loadparm(request.loadparm))
    return failed<Out>(Status::error("LOADPARM " + request.loadparm + " is not valid: it has 1 to 8 letters, digits and periods."));
  const auto system = choose_system(config, *session, request.system);
  if (!system.good()) return failed<Out>(system.status);
  RecoveryConfigRequest complete = request;
  if (complete.output_path.empty())
    complete.output_path = config.site(session->secondary)->directory + "/hercules-" + system.value->name + ".cnf";
  return Maker(*session, *system.value, complete).make();
}

Status save_recovery_config(const RecoveryConfig& made, bool only_new) {
  if (only_new && ::access(made.path.c_str(), F_OK) == 0)
    return Status::error(made.path + " exists already and is not replaced: use it, remove it, or name another with --output.");
  const Status written = replace_file(made.path, {reinterpret_cast<const std::uint8_t*>(made.text.data()), made.text.size()});
  if (written) return written;
  return Status::error("The Hercules configuration cannot be written: " + written.text() + " Or name another with --output.");
}

}  // namespace afterimage
