// Status: the value every fallible operation returns. A failure is one sentence a person can act on.
// Thread safety: a value type. Nothing here throws.
#pragma once

#include <string>
#include <utility>

namespace afterimage {

// Return codes follow the habit of MVS job steps: 0 good, 4 warning, 8 refused or failed, 12 severe, 16 terminating.
enum class Severity : unsigned char { kGood = 0, kWarning = 4, kError = 8, kSevere = 12, kTerminal = 16 };

class [[nodiscard]] Status {
 public:
  Status() = default;
  static Status ok() { return {}; }
  // `text` is a whole sentence: what is wrong, where, and what to do next. No message id: the caller that shows it adds one.
  static Status error(std::string text, Severity severity = Severity::kError) { return {severity, std::move(text)}; }

  bool good() const { return severity_ == Severity::kGood; }
  explicit operator bool() const { return good(); }
  Severity severity() const { return severity_; }
  int return_code() const { return static_cast<int>(severity_); }
  const std::string& text() const { return text_; }

 private:
  Status(Severity severity, std::string text) : severity_(severity), text_(std::move(text)) {}
  Severity severity_ = Severity::kGood;
  std::string text_;
};

// A value or the reason there is none. `value` may be touched only when `status.good()`.
template <typename T>
struct [[nodiscard]] Result {
  Status status;
  T value{};
  bool good() const { return status.good(); }
};

template <typename T>
Result<T> result_of(T value) {
  return {Status::ok(), std::move(value)};
}
template <typename T>
Result<T> failed(Status status) {
  return {std::move(status), T{}};
}

}  // namespace afterimage
