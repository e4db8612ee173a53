// io: the default handler writes the failed assertion to the error stream and ends the process.
#include "serializer/check.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace afterimage {
namespace {

void stop_process(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "DSMS901S CHECK FAILED %s AT %s:%d\n", expression, file, line);
  std::abort();
}

std::atomic<CheckHandler> current_handler{stop_process};

}  // namespace

void set_check_handler(CheckHandler handler) { current_handler.store(handler != nullptr ? handler : stop_process); }
void check_failed(const char* expression, const char* file, int line) { current_handler.load()(expression, file, line); }

}  // namespace afterimage
