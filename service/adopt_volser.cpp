// io: see adopt_volser.h.
#include "service/adopt_volser.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "channel/dasd_image.h"

extern char** environ;

namespace afterimage {
namespace {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code error;
    std::string name = (std::filesystem::temp_directory_path(error) / "afterimage-adopt-XXXXXX").string();
    if (mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Runs a program found in PATH with nothing on its standard files; its exit status, or -1 with errno when it cannot be started.
int run_quietly(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, argv[0], &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) {
    errno = error;
    return -1;
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

Result<std::string> label_of(const std::string& path) {
  auto image = DasdImage::open(path, OpenFor::kRead);
  return image.good() ? image.value->volser() : failed<std::string>(image.status);
}

Result<std::string> compressed_label(const std::string& path, const std::string& shadow) {
  const TemporaryFolder folder;
  if (folder.path().empty())
    return failed<std::string>(
        Status::error("No temporary folder can be made to read the label of " + path + ": set TMPDIR to one that can be written."));
  const std::string copy = folder.path() + "/cylinder.ckd";
  std::vector<std::string> words = {"cckd2ckd", "-q", "-cyls", "1", path};
  if (!shadow.empty()) words.push_back("sf=" + shadow);
  words.push_back(copy);
  const int status = run_quietly(words);
  if (status < 0)
    return failed<std::string>(Status::error("The label of the compressed image " + path +
                                             " cannot be read, because cckd2ckd cannot be started (" + std::strerror(errno) +
                                             "): install Hercules."));
  std::error_code error;
  if (status != 0 || !std::filesystem::exists(copy, error))
    return failed<std::string>(
        Status::error("The label of the compressed image " + path + " cannot be read: cckd2ckd failed. Check the image with cckdcdsk."));
  return label_of(copy);
}

}  // namespace

Result<ImageLabel> read_image_label(const std::string& path, const std::string& shadow) {
  auto image = DasdImage::open(path, OpenFor::kRead);
  if (!image.good()) return failed<ImageLabel>(image.status);
  if (image.value->fenced())
    return failed<ImageLabel>(Status::error(path + " is fenced: it is the unrecovered secondary of another session. Recover it first."));
  ImageLabel label;
  label.compressed = image.value->kind() == ImageKind::kCompressed;
  image.value.reset();
  const auto volser = label.compressed ? compressed_label(path, shadow) : label_of(path);
  if (!volser.good()) return failed<ImageLabel>(volser.status);
  label.volser = volser.value;
  return result_of(std::move(label));
}

}  // namespace afterimage
