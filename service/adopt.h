// io: from an existing Hercules configuration to a proposed Afterimage configuration: finds the CKD devices, reads their volsers from the
// images, proposes sites, LUs, session and secondary paths, and says what to do next. Starts Hercules's cckd2ckd for the labels of
// compressed images; changes nothing. Threads: one at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "serializer/status.h"
#include "service/config.h"

namespace afterimage {

struct AdoptRequest {
  std::string hercules;           // the Hercules configuration
  std::string output = "mirror";  // folder for afterimage.xml, certificates and both sites' directories
  std::string plex = "DSMPLEX", session = "MIRROR", system = "SYSA", primary = "SITEA", secondary = "SITEB";
  std::string primary_listen = "127.0.0.1:7101", secondary_listen = "127.0.0.1:7102";
  std::string secondary_images;  // folder of the secondary's images; "" = the secondary site's directory below `output`
};

struct AdoptReport {
  Config config;
  std::string xml;                        // of `config`, which is to stand at config.path
  std::vector<std::string> mirrored;      // one line per volume: "0A80 3390 PRIM01 dasd/prim01.ckd"
  std::vector<std::string> not_mirrored;  // one line per other disk or tape, with the reason
  std::vector<std::string> notes;         // sentences
  std::vector<std::string> next_steps;    // what to add to the Hercules configuration, and the commands that come next, in order
};

// Refused with one sentence: an unreadable configuration, no volume that can be mirrored, names or addresses without their form.
Result<AdoptReport> adopt_hercules(const AdoptRequest& request);

// Writes the XML to config.path, making its folder; refuses to replace a file that is there. Nothing is left half written.
Status save_adopted(const AdoptReport& report);

}  // namespace afterimage
