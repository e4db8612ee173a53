// io: runs a fuzz target without libFuzzer: files of inputs, then seeded mutations of them. The same seed gives the same inputs.
//   fuzz_X [--corpus FOLDER] [--runs N] [--seed S] [--dictionary FILE] [--artifacts FOLDER] [--limit SECONDS]
//          [--canary NAME] [FILE ...]
// An input that ends the process, or that takes longer than the limit, is written to the artifacts' folder, and the command that repeats it
// is printed. --canary switches on a planted bug (variant `proof`): the target must then fail.
#include <fcntl.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "tests/canary/canary_names.h"
#include "tests/fuzz/fuzz_check.h"

namespace {

using afterimage::fuzz::Bytes;

constexpr std::size_t kMostBytes = 4096;

// For the signal handler.
const std::uint8_t* current = nullptr;
std::size_t current_size = 0;
char artifact[4096] = "", program[4096] = "";

void say(const char* text) { (void)!::write(2, text, std::strlen(text)); }

// Only calls that are safe inside a signal handler.
void on_signal(int number) {
  const int fd = ::open(artifact, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd >= 0 && current != nullptr) (void)!::write(fd, current, current_size);
  say(number == SIGALRM ? "fuzz: the input takes too long\n" : "fuzz: the input ended the process\n");
  say("fuzz: repeat with: ");
  say(program);
  say(" ");
  say(artifact);
  say("\n");
  ::_exit(number == SIGALRM ? 70 : 77);
}

struct Options {
  std::vector<std::string> files;
  std::string corpus, dictionary, artifacts = ".", canary;
  std::uint64_t runs = 0, seed = 1;
  unsigned limit_s = 10;
};

[[noreturn]] void usage(const std::string& wrong) {
  std::fprintf(stderr,
               "fuzz: %s. Use [--corpus FOLDER] [--runs N] [--seed S] [--dictionary FILE] [--artifacts FOLDER] [--limit SECONDS] "
               "[--canary NAME] [FILE ...].\n",
               wrong.c_str());
  std::exit(8);
}

Options options_of(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (!word.starts_with("--")) {
      options.files.push_back(word);
      continue;
    }
    if (++i == argc) usage(word + " needs a value");
    const std::string value = argv[i];
    if (word == "--corpus")
      options.corpus = value;
    else if (word == "--dictionary")
      options.dictionary = value;
    else if (word == "--artifacts")
      options.artifacts = value;
    else if (word == "--canary")
      options.canary = value;
    else if (word == "--runs")
      options.runs = std::stoull(value);
    else if (word == "--seed")
      options.seed = std::stoull(value);
    else if (word == "--limit")
      options.limit_s = static_cast<unsigned>(std::stoul(value));
    else
      usage("unknown option " + word);
  }
  return options;
}

Bytes bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) usage("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// In the order of their names, so that a seed means the same everywhere.
std::vector<std::string> files_of(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.is_regular_file()) paths.push_back(entry.path().string());
  if (error || paths.empty()) usage("there are no files in " + folder);
  std::sort(paths.begin(), paths.end());
  return paths;
}

// Lines "word" or name="word" with \" \\ and \xHH, as libFuzzer has them.
std::vector<Bytes> words_of(const std::string& path) {
  std::vector<Bytes> words;
  if (path.empty()) return words;
  std::ifstream file(path);
  if (!file) usage("cannot read " + path);
  for (std::string line; std::getline(file, line);) {
    const std::size_t open = line.find('"'), close = line.rfind('"');
    if (line.starts_with('#') || open == std::string::npos || close <= open) continue;
    Bytes word;
    for (std::size_t i = open + 1; i < close; ++i) {
      if (line[i] == '\\' && line[i + 1] == 'x') {
        word.push_back(static_cast<std::uint8_t>(std::stoul(line.substr(i + 2, 2), nullptr, 16)));
        i += 3;
      } else {
        if (line[i] == '\\') ++i;
        word.push_back(static_cast<std::uint8_t>(line[i]));
      }
    }
    words.push_back(word);
  }
  return words;
}

class Mutator {
 public:
  Mutator(std::uint64_t seed, const std::vector<Bytes>& corpus, const std::vector<Bytes>& words)
      : random_(seed), corpus_(corpus), words_(words) {}

  Bytes next() {
    Bytes bytes = corpus_.empty() ? Bytes(16) : corpus_[below(corpus_.size())];
    for (std::size_t changes = 1 + below(6); changes > 0; --changes) change(bytes);
    if (bytes.size() > kMostBytes) bytes.resize(kMostBytes);
    return bytes;
  }

 private:
  std::size_t below(std::size_t limit) { return static_cast<std::size_t>(random_() % limit); }
  std::uint8_t byte() { return static_cast<std::uint8_t>(random_()); }
  static auto at(Bytes& bytes, std::size_t offset) { return bytes.begin() + static_cast<std::ptrdiff_t>(offset); }

  void change(Bytes& bytes) {
    static constexpr std::uint8_t kInteresting[] = {0, 1, 0x7F, 0x80, 0xFF, 0xFE, 16, 64};
    const std::size_t place = bytes.empty() ? 0 : below(bytes.size());
    switch (bytes.empty() ? 4 : below(9)) {
      case 0:
        bytes[place] = static_cast<std::uint8_t>(bytes[place] ^ (1u << below(8)));
        break;
      case 1:
        bytes[place] = byte();
        break;
      case 2:
        bytes[place] = kInteresting[below(std::size(kInteresting))];
        break;
      case 3:
        bytes[place] = static_cast<std::uint8_t>(bytes[place] + below(35) - 17);
        break;
      case 4: {
        Bytes more(1 + below(16));
        for (auto& b : more) b = byte();
        bytes.insert(at(bytes, place), more.begin(), more.end());
        break;
      }
      case 5:
        bytes.erase(at(bytes, place), at(bytes, std::min(bytes.size(), place + 1 + below(24))));
        break;
      case 6: {  // a piece of itself once more
        const std::size_t from = below(bytes.size());
        const Bytes piece(at(bytes, from), at(bytes, std::min(bytes.size(), from + 1 + below(64))));
        bytes.insert(at(bytes, place), piece.begin(), piece.end());
        break;
      }
      case 7: {  // goes on as another does
        const Bytes& other = corpus_.empty() ? bytes : corpus_[below(corpus_.size())];
        if (other.empty()) break;
        const Bytes tail(other.begin() + static_cast<std::ptrdiff_t>(below(other.size())), other.end());
        bytes.resize(place);
        bytes.insert(bytes.end(), tail.begin(), tail.end());
        break;
      }
      default:
        if (!words_.empty()) {
          const Bytes& word = words_[below(words_.size())];
          bytes.insert(at(bytes, place), word.begin(), word.end());
        }
    }
  }

  std::mt19937_64 random_;
  const std::vector<Bytes>& corpus_;
  const std::vector<Bytes>& words_;
};

// One alarm for many quick inputs: it is set anew only now and then, because setting it costs more than an input.
void run(const Bytes& input, std::uint64_t number, unsigned limit_s) {
  if (number % 64 == 0) ::alarm(limit_s);
  current = input.data();
  current_size = input.size();
  LLVMFuzzerTestOneInput(input.data(), input.size());
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = options_of(argc, argv);
  std::snprintf(program, sizeof program, "%s", argv[0]);
  std::snprintf(artifact, sizeof artifact, "%s/crash-%s-%llu", options.artifacts.c_str(), std::filesystem::path(argv[0]).filename().c_str(),
                static_cast<unsigned long long>(options.seed));
  for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM}) std::signal(number, on_signal);

  if (const afterimage::Status planted = afterimage::plant(options.canary); !planted) usage(planted.text());
  std::vector<std::string> paths = options.files;
  if (!options.corpus.empty()) std::ranges::copy(files_of(options.corpus), std::back_inserter(paths));
  std::vector<Bytes> corpus;
  for (const std::string& path : paths) {
    corpus.push_back(bytes_of(path));
    run(corpus.back(), 0, options.limit_s);
  }
  const std::vector<Bytes> words = words_of(options.dictionary);
  Mutator mutator(options.seed, corpus, words);
  for (std::uint64_t i = 0; i < options.runs; ++i) run(mutator.next(), i, options.limit_s);
  std::printf("%s: %zu files, %llu mutations of seed %llu\n", std::filesystem::path(argv[0]).filename().c_str(), corpus.size(),
              static_cast<unsigned long long>(options.runs), static_cast<unsigned long long>(options.seed));
  return 0;
}
