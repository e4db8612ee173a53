// io: dsmd, the started task: the data movers of one site. Runs in the foreground (a service manager or a shell looks after it),
// says DSMM100I when it is ready, stops cleanly on SIGTERM, SIGINT or P DSM.
#include <sys/resource.h>
#include <sys/stat.h>

#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>

#include "datamover/posix_file.h"
#include "jcl/message_catalogue.h"
#include "serializer/check.h"
#include "service/asio_host.h"
#include "service/command_processor.h"
#include "service/command_server.h"
#include "service/compose.h"
#include "service/hard_copy.h"

namespace afterimage {
namespace {

constexpr const char* kUsage =
    "Usage: dsmd --config FILE --site NAME\n"
    "Runs the data movers of site NAME as FILE (XML, see docs/CONFIGURATION.md) describes them, in the foreground.\n"
    "The environment variables AFTERIMAGE_CONFIG and AFTERIMAGE_SITE may stand for the options.\n";

struct Arguments {
  std::string config, site;
};

Result<Arguments> parse_arguments(int argc, char** argv) {
  Arguments arguments;
  if (const char* value = std::getenv("AFTERIMAGE_CONFIG")) arguments.config = value;
  if (const char* value = std::getenv("AFTERIMAGE_SITE")) arguments.site = value;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--help") {
      std::cout << kUsage;
      std::exit(0);
    }
    if (word == "--version") {
      std::cout << "dsmd (Afterimage) " << AFTERIMAGE_VERSION << "\n";
      std::exit(0);
    }
    std::string* into = word == "--config" ? &arguments.config : word == "--site" ? &arguments.site : nullptr;
    if (into == nullptr) return failed<Arguments>(Status::error("Option '" + word + "' is not known. " + kUsage));
    if (i + 1 == argc) return failed<Arguments>(Status::error("Option " + word + " needs a value. " + kUsage));
    *into = argv[++i];
  }
  if (arguments.config.empty() || arguments.site.empty())
    return failed<Arguments>(Status::error(std::string("Both --config and --site are needed. ") + kUsage));
  return result_of(std::move(arguments));
}

// In dsmd a broken invariant ends the process: the restart recovers from journal and common storage.
void on_check_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "%s\n", message("DSMM199S", {expression, file, std::to_string(line)}).c_str());
  std::abort();
}

// A core dump would hold guests' data and keys.
void forbid_core_dumps() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
}

int run(int argc, char** argv) {
  auto arguments = parse_arguments(argc, argv);
  if (!arguments.good()) {
    std::cerr << arguments.status.text() << "\n";
    return arguments.status.return_code();
  }
  const ConfigLoad loaded = load_config(arguments.value.config);
  if (!loaded.good()) {
    for (const auto& error : loaded.errors) std::cerr << message("DSMM191E", {error}) << "\n";
    return 8;
  }
  const Config& config = loaded.config;
  const SiteConfig* site = config.site(arguments.value.site);
  if (site == nullptr) {
    std::cerr << message("DSMM191E",
                         {config.path + " has no site " + arguments.value.site + ": use one of its <site name=\"...\"> elements."})
              << "\n";
    return 8;
  }
  std::error_code error;
  // A new directory's own name is made durable before anything in it is promised; if that fails, so does what follows.
  if (std::filesystem::create_directories(site->directory, error))
    (void)sync_directory(std::filesystem::path(site->directory).parent_path().string());
  HardCopy log;
  boost::asio::io_context io;
  const auto say = [&log](const std::string& line) { log.write(line); };
  const auto refuse = [&say](const Status& status) {
    say(message("DSMM192E", {status.text()}));
    return status.return_code();
  };
  if (Status opened = log.open(site->directory + "/dsmd.log"); !opened) return refuse(opened);

  AsioHost host(io);
  CommandProcessor processor(host, config, *site, say);
  CommandServer server(io, command_socket_path(*site),
                       [&processor](const std::string& line, Respond respond) { processor.execute(line, std::move(respond)); });
  if (Status started = server.start(); !started) return refuse(started);
  if (Status started = processor.start(); !started) return refuse(started);

  boost::asio::signal_set signals(io, SIGTERM, SIGINT);
  const auto stop = [&](const std::string& why) {
    say(message("DSMM190I", {site->name, why}));
    server.stop();
    processor.stop();
    signals.cancel();
    io.stop();
  };
  processor.on_stop([&stop] { stop("P DSM"); });
  signals.async_wait([&stop](const boost::system::error_code& failed_wait, int number) {
    if (!failed_wait) stop(number == SIGTERM ? "SIGTERM" : "SIGINT");
  });
  say(message("DSMM100I", {site->name, AFTERIMAGE_VERSION}));
  io.run();
  return 0;
}

}  // namespace
}  // namespace afterimage

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  afterimage::forbid_core_dumps();
  afterimage::set_check_handler(&afterimage::on_check_failed);
  try {
    return afterimage::run(argc, argv);
  } catch (const std::exception& failure) {
    std::cerr << "DSMM199S DSMD ENDED: " << failure.what() << "\n";
    return 16;
  }
}
