// io: see adopt.h.
#include "service/adopt.h"

#include <fcntl.h>
#include <strings.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>

#include "channel/ckd_types.h"
#include "channel/dasd_image.h"
#include "service/adopt_volser.h"
#include "service/config_values.h"
#include "service/hercules_config_reader.h"

namespace afterimage {
namespace {

bool same_word(const std::string& a, const char* b) { return strcasecmp(a.c_str(), b) == 0; }

// The kinds of other devices whose contents a mirror would be expected to hold; readers, printers and consoles are not worth a line.
const char* kept_elsewhere(const std::string& type) {
  static const std::set<std::string> kFba = {"0671", "3310", "3370", "9313", "9332", "9335", "9336"};
  static const std::set<std::string> kTape = {"3410", "3411", "3420", "3422", "3430", "3480", "3490", "3590", "8809", "9347", "9348"};
  if (kFba.contains(type)) return "an FBA disk; only CKD volumes are mirrored";
  if (kTape.contains(type)) return "a tape; only CKD volumes are mirrored";
  return nullptr;
}

bool is_loopback(const std::string& host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

// The script for test certificates: where an installation has it, or the source tree around the build folder; else as the tree names it.
std::string test_authority_script() {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  for (const char* place : {"../share/afterimage/samples/make-test-ca.sh", "../../samples/make-test-ca.sh"}) {
    const std::filesystem::path script = (folder / place).lexically_normal();
    if (std::filesystem::exists(script, error)) return script.string();
  }
  return "samples/make-test-ca.sh";
}

class Adoption {
 public:
  explicit Adoption(const AdoptRequest& request) : request_(request) {}

  Result<AdoptReport> run() {
    if (Status formed = check_request(); !formed) return failed<AdoptReport>(formed);
    const auto read = read_hercules_config(request_.hercules);
    if (!read.good()) return failed<AdoptReport>(read.status);
    file_ = read.value;
    report_.notes = file_.notes;
    propose_sites();
    for (const HerculesStatement& statement : file_.statements)
      for (const HerculesDevice& device : statement.devices) take(device);
    if (session().volumes.empty())
      return failed<AdoptReport>(Status::error("No device of " + request_.hercules + " can be mirrored" + first_reason() +
                                               ": correct the configuration, or name another."));
    enlarge_ring();
    report_.xml = write_config(report_.config);
    const ConfigLoad check = parse_config(report_.xml, report_.config.path);
    if (!check.good()) return failed<AdoptReport>(Status::error("The proposed configuration is not valid: " + check.errors.front()));
    write_next_steps();
    return result_of(std::move(report_));
  }

 private:
  SessionConfig& session() { return report_.config.sessions[0]; }

  std::string first_reason() const {
    return report_.not_mirrored.empty() ? std::string(" because it has no CKD device") : " (" + report_.not_mirrored.front() + ")";
  }

  Status check_request() const {
    const std::pair<const char*, const std::string*> names[] = {{"plex", &request_.plex},
                                                                {"session", &request_.session},
                                                                {"system", &request_.system},
                                                                {"primary site", &request_.primary},
                                                                {"secondary site", &request_.secondary}};
    for (const auto& [what, name] : names)
      if (!is_name(*name))
        return Status::error("The " + std::string(what) + " name " + *name +
                             " is not valid: it has 1 to 8 characters of A-Z 0-9 @ # $, the first not a digit.");
    if (request_.primary == request_.secondary) return Status::error("Both sites are named " + request_.primary + ": name two.");
    for (const std::string* listen : {&request_.primary_listen, &request_.secondary_listen})
      if (!parse_host_port(*listen))
        return Status::error("The address " + *listen + " is not valid: write host:port, such as 192.0.2.7:7101.");
    return Status::ok();
  }

  SiteConfig propose_site(const std::string& name, const std::string& listen) const {
    const auto address = parse_host_port(listen);
    SiteConfig site;
    site.name = name;
    site.lu = name + ".DSMLU";
    site.host = address->host;
    site.port = address->port;
    std::string folder = name;
    std::ranges::transform(folder, folder.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    site.directory = report_.config.directory + "/" + folder;
    site.certificate = certificates() + "/" + site.lu + ".crt.pem";
    site.key = certificates() + "/" + site.lu + ".key.pem";
    site.authority = certificates() + "/ca.crt.pem";
    return site;
  }
  std::string certificates() const { return report_.config.directory + "/certificates"; }

  void propose_sites() {
    Config& config = report_.config;
    config.directory = std::filesystem::absolute(request_.output).lexically_normal().string();
    while (config.directory.size() > 1 && config.directory.back() == '/') config.directory.pop_back();
    config.path = config.directory + "/afterimage.xml";
    config.plex = request_.plex;
    config.sites = {propose_site(request_.primary, request_.primary_listen), propose_site(request_.secondary, request_.secondary_listen)};
    config.systems = {{request_.system, request_.primary, file_.path}};
    SessionConfig session;
    session.name = request_.session;
    session.primary = request_.primary;
    session.secondary = request_.secondary;
    // Freezing is final: a link that is down for seconds would cost a copy of all volumes. Who wants it says so.
    session.failure.action = LossAction::kNone;
    config.sessions = {session};
    images_ = request_.secondary_images.empty() ? config.sites[1].directory
                                                : std::filesystem::absolute(request_.secondary_images).lexically_normal().string();
  }

  void leave_out(const HerculesDevice& device, const std::string& reason) {
    const std::string subsystem = device.channel_subsystem == 0 ? "" : std::to_string(device.channel_subsystem) + ":";
    const std::string image = device.arguments.empty() ? "" : " " + device.arguments[0];
    report_.not_mirrored.push_back(subsystem + device_number_text(device.number) + " " + device.type + image + ": " + reason);
  }

  // Why a CKD device cannot be mirrored whatever its image holds; "" = it can.
  std::string obstacle(const HerculesDevice& device) const {
    if (device.channel_subsystem != 0) return "it is in another channel subsystem than 0";
    if (device.arguments.empty()) return "its statement names no image";
    for (std::size_t i = 1; i < device.arguments.size(); ++i) {
      const std::string& option = device.arguments[i];
      for (const char* word : {"readonly", "rdonly", "ro"})
        if (same_word(option, word)) return "it is read-only (" + option + "), so nothing is written to it";
      for (const char* word : {"fakewrite", "fakewrt", "fw"})
        if (same_word(option, word)) return "its writes are not kept (" + option + ")";
    }
    std::error_code error;
    if (!std::filesystem::exists(file_.resolve(device.arguments[0]), error))
      return "there is no such image (it may be served by another Hercules, which must then be mirrored there)";
    return {};
  }

  static std::string shadow_of(const HerculesDevice& device) {
    for (const std::string& option : device.arguments)
      if (strncasecmp(option.c_str(), "sf=", 3) == 0) return option.substr(option.size() > 3 && option[3] == '"' ? 4 : 3);
    return {};
  }

  void take(const HerculesDevice& device) {
    const CkdType* type = ckd_type_by_name(device.type);
    if (type == nullptr) {
      if (const char* reason = kept_elsewhere(device.type)) leave_out(device, reason);
      return;
    }
    if (const std::string reason = obstacle(device); !reason.empty()) return leave_out(device, reason);
    const std::string image = file_.resolve(device.arguments[0]);
    std::string shadow = shadow_of(device);
    if (!shadow.empty()) shadow = file_.resolve(shadow);
    const auto label = read_image_label(image, shadow);
    if (!label.good()) return leave_out(device, label.status.text());
    if (!is_volser(label.value.volser))
      return leave_out(device, label.value.volser.empty()
                                   ? "it has no standard volume label; label it first"
                                   : "its volser " + label.value.volser + " has other characters than A-Z 0-9 @ # $ -");
    if (const auto [first, inserted] = volsers_.emplace(label.value.volser, device.number); !inserted)
      return leave_out(device, "its volser " + label.value.volser + " is that of device " + device_number_text(first->second) +
                                   " too; a volser names one volume");
    propose_volume(device, *type, image, label.value, shadow);
  }

  void propose_volume(const HerculesDevice& device, const CkdType& type, const std::string& image, const ImageLabel& label,
                      const std::string& shadow) {
    VolumeConfig volume;
    volume.volser = volume.secondary_volser = label.volser;
    volume.system = request_.system;
    volume.device = device.number;
    volume.type = type.type;
    volume.image = image;
    volume.secondary_image = secondary_path(image, label);
    session().volumes.push_back(volume);
    report_.mirrored.push_back(device_number_text(device.number) + " " + device.type + " " + label.volser + " " + device.arguments[0]);
    copies_.push_back(copy_command(volume, label, shadow));
    if (label.compressed)
      report_.notes.push_back("Volume " + label.volser +
                              " is compressed here; its secondary is a plain CKD image and needs the volume's full size on disk.");
  }

  // The image's own name in the secondary's folder; a second image of that name gets its volser before it.
  std::string secondary_path(const std::string& image, const ImageLabel& label) {
    const std::string name = std::filesystem::path(image).filename().string();
    std::string path = images_ + "/" + name;
    if (!secondary_paths_.insert(path).second) {
      path = images_ + "/" + label.volser + "." + name;
      secondary_paths_.insert(path);
    }
    return path;
  }

  static std::string shell_word(const std::string& text) {
    if (text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-:") == std::string::npos) return text;
    std::string word = "'";
    for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return word + "'";
  }

  static std::string copy_command(const VolumeConfig& volume, const ImageLabel& label, const std::string& shadow) {
    if (label.compressed)
      return "cckd2ckd -r -lfs " + shell_word(volume.image) + (shadow.empty() ? "" : " " + shell_word("sf=" + shadow)) + " " +
             shell_word(volume.secondary_image);
    const auto image = DasdImage::open(volume.image, OpenFor::kRead);
    if (!image.good() || image.value->files().size() == 1)
      return "cp " + shell_word(volume.image) + " " + shell_word(volume.secondary_image);
    std::string command = "cp";
    for (const std::string& file : image.value->files()) command += " " + shell_word(file);
    return command + " " + shell_word(std::filesystem::path(volume.secondary_image).parent_path().string() + "/");
  }

  void enlarge_ring() {
    StorageConfig& storage = report_.config.storage;
    const std::uint64_t needed = 2 * session().volumes.size() * std::uint64_t{storage.chunk_bytes};
    while (storage.ring_bytes < needed && storage.ring_bytes < kMaxRingBytes) storage.ring_bytes *= 2;
    while (journal_least_bytes(session().journal) < storage.ring_bytes / 4 * 5) session().journal.bytes *= 2;
  }

  void write_next_steps() {
    const Config& c = report_.config;
    const SiteConfig &primary = c.sites[0], &secondary = c.sites[1];
    const std::string xml = shell_word(c.path);
    std::vector<std::string>& steps = report_.next_steps;
    if (is_loopback(secondary.host))
      report_.notes.push_back(
          "Both sites are proposed on this machine. For two machines give --host HOST:PORT and --peer-host HOST:PORT, and take "
          "afterimage.xml, the images, and of the certificates the authority's and the site's own to the other one, at the same paths.");
    steps.push_back("Add to " + request_.hercules + " before the first device statement:");
    steps.push_back("  LDMOD dsmchan");
    steps.push_back("  DSM PLEX " + c.plex + " SYSTEM " + request_.system);
    steps.push_back("With the guest down, copy the volumes to site " + secondary.name + " (they must be equal at the start):");
    steps.push_back("  mkdir -p " + shell_word(images_));
    for (const std::string& copy : copies_) steps.push_back("  " + copy);
    steps.push_back(
        "Make the sites' directories, and certificates for the LUs (a test authority; use your own for production). The script is in "
        "samples/ "
        "of the source tree, and in share/afterimage/samples where Afterimage is installed:");
    steps.push_back("  mkdir -p " + shell_word(primary.directory) + " " + shell_word(secondary.directory));
    steps.push_back("  " + shell_word(test_authority_script()) + " " + shell_word(certificates()) + " " + primary.lu + " " + secondary.lu);
    steps.push_back(
        "Start the data movers (each stays in the foreground: a shell of its own, or the systemd unit), the secondary site first, then "
        "Hercules. "
        "At one site dsmd and Hercules run as the same user:");
    steps.push_back("  dsmd --config " + xml + " --site " + secondary.name);
    steps.push_back("  dsmd --config " + xml + " --site " + primary.name);
    steps.push_back("  hercules -f " + shell_word(request_.hercules));
    steps.push_back("When Hercules has said DSMC011I for each volume, start the session; all are to be DUP in the end:");
    steps.push_back("  dsm --config " + xml + " --site " + primary.name + " 'F DSM,XSTART " + session().name + " COMPARE(YES)'");
    steps.push_back("  dsm --config " + xml + " --site " + primary.name + " 'F DSM,XQUERY " + session().name + "'");
  }

  const AdoptRequest& request_;
  HerculesFile file_;
  AdoptReport report_;
  std::string images_;
  std::map<std::string, std::uint16_t> volsers_;
  std::set<std::string> secondary_paths_;
  std::vector<std::string> copies_;
};

}  // namespace

Result<AdoptReport> adopt_hercules(const AdoptRequest& request) { return Adoption(request).run(); }

Status save_adopted(const AdoptReport& report) {
  const std::string& path = report.config.path;
  const auto cannot = [&](const std::string& what) {
    return Status::error(path + " cannot be written (" + what + "): choose another folder with --output.");
  };
  std::error_code error;
  std::filesystem::create_directories(report.config.directory, error);
  if (error) return cannot(error.message());
  const std::string part = path + ".new";
  const int fd = open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return cannot(std::strerror(errno));
  const ssize_t n = write(fd, report.xml.data(), report.xml.size());
  const bool whole = n == static_cast<ssize_t>(report.xml.size()) && fsync(fd) == 0;
  const int reason = n < 0 || errno != 0 ? errno : ENOSPC;
  close(fd);
  // link() refuses an existing file; the name appears with the whole text or not at all.
  const bool placed = whole && link(part.c_str(), path.c_str()) == 0;
  const int link_reason = errno;
  unlink(part.c_str());
  if (placed) return Status::ok();
  if (!whole) return cannot(std::strerror(reason));
  if (link_reason == EEXIST)
    return Status::error(path + " exists already and is not replaced: choose another folder with --output, or remove it.");
  return cannot(std::strerror(link_reason));
}

}  // namespace afterimage
