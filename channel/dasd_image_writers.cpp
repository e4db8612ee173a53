// io: reads /proc; see dasd_image_writers.h.
#include "channel/dasd_image_writers.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

namespace afterimage {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

bool all_digits(const char* text) {
  if (*text == '\0') return false;
  for (; *text != '\0'; ++text)
    if (std::isdigit(static_cast<unsigned char>(*text)) == 0) return false;
  return true;
}

bool descriptor_writes(const std::string& process, const char* descriptor) {
  std::ifstream info(process + "/fdinfo/" + descriptor);
  std::string word;
  while (info >> word)
    if (word == "flags:" && info >> word) return (std::strtoul(word.c_str(), nullptr, 8) & O_ACCMODE) != O_RDONLY;
  return false;
}

bool process_writes(const std::string& process, std::uint64_t device, std::uint64_t inode) {
  const Directory descriptors(opendir((process + "/fd").c_str()));
  if (descriptors == nullptr) return false;
  while (const dirent* entry = readdir(descriptors.get())) {
    if (!all_digits(entry->d_name)) continue;
    struct stat status {};
    if (fstatat(dirfd(descriptors.get()), entry->d_name, &status, 0) != 0) continue;
    if (status.st_dev == device && status.st_ino == inode && descriptor_writes(process, entry->d_name)) return true;
  }
  return false;
}

}  // namespace

FileWriter find_other_writer(std::uint64_t device, std::uint64_t inode) {
  const Directory processes(opendir("/proc"));
  if (processes == nullptr) return {};
  const auto self = static_cast<std::uint64_t>(getpid());
  while (const dirent* entry = readdir(processes.get())) {
    if (!all_digits(entry->d_name)) continue;
    const std::uint64_t pid = std::strtoull(entry->d_name, nullptr, 10);
    const std::string process = std::string("/proc/") + entry->d_name;
    if (pid == self || !process_writes(process, device, inode)) continue;
    FileWriter writer;
    writer.pid = pid;
    std::ifstream name(process + "/comm");
    std::getline(name, writer.command);
    return writer;
  }
  return {};
}

}  // namespace afterimage
