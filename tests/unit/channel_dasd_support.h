// io: temporary directories and DASD images made by Hercules's own dasdinit, for the tests of images and configurations.
#pragma once

#include <cppunit/extensions/HelperMacros.h>
#include <sys/wait.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace afterimage::testing {

using Bytes = std::vector<std::uint8_t>;

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "afterimage-test-XXXXXX").string();
    CPPUNIT_ASSERT(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Runs a shell command in the test's words; its output is kept out of the test's unless it fails.
inline int run_command(const std::string& command) {
  const int status = std::system((command + " >/dev/null 2>&1").c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

inline std::string make_image(const TemporaryDirectory& directory, const std::string& name, const std::string& type,
                              const std::string& volser, unsigned cylinders, const std::string& options = "") {
  const std::string path = directory / name;
  const std::string command = "dasdinit " + options + " '" + path + "' " + type + " " + volser + " " + std::to_string(cylinders);
  CPPUNIT_ASSERT_EQUAL_MESSAGE(command, 0, run_command(command));
  return path;
}

inline Bytes read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  CPPUNIT_ASSERT_MESSAGE(path, file.good());
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

inline void write_file(const std::string& path, const Bytes& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  CPPUNIT_ASSERT_MESSAGE(path, file.good());
}

inline void write_text(const std::string& path, const std::string& text) { write_file(path, Bytes(text.begin(), text.end())); }

// Cuts a single-file volume into files of at most `cylinders_each` cylinders, as dasdinit does above 2 GiB: first.ckd -> first_1.ckd,
// first_2.ckd ... At least 2 each: high cylinder 0 would mean "the last file". Returns the first file's path.
inline std::string split_image(const std::string& image, std::uint32_t cylinders_each) {
  const Bytes whole = read_file(image);
  const auto le = [&](std::size_t at) {
    return static_cast<std::uint32_t>(whole[at] | (whole[at + 1] << 8) | (whole[at + 2] << 16)) |
           (static_cast<std::uint32_t>(whole[at + 3]) << 24);
  };
  const std::size_t cylinder_bytes = std::size_t{le(8)} * le(12);
  const auto cylinders = static_cast<std::uint32_t>((whole.size() - 512) / cylinder_bytes);
  const std::string stem = image.substr(0, image.rfind('.'));
  std::uint8_t sequence = 0;
  for (std::uint32_t first = 0; first < cylinders; first += cylinders_each) {
    ++sequence;
    const std::uint32_t end = std::min(cylinders, first + cylinders_each);
    Bytes part(whole.begin(), whole.begin() + 512);
    part[17] = sequence;
    const std::uint32_t high = end == cylinders ? 0 : end - 1;
    part[18] = static_cast<std::uint8_t>(high);
    part[19] = static_cast<std::uint8_t>(high >> 8);
    const auto from = whole.begin() + 512 + static_cast<std::ptrdiff_t>(first * cylinder_bytes);
    part.insert(part.end(), from, from + static_cast<std::ptrdiff_t>((end - first) * cylinder_bytes));
    const char digit = static_cast<char>(sequence <= 9 ? '0' + sequence : 'A' - 10 + sequence);
    write_file(stem + "_" + digit + ".ckd", part);
  }
  std::filesystem::remove(image);
  return stem + "_1.ckd";
}

}  // namespace afterimage::testing
