#pragma once

#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/support/temporary_folder.h"

namespace errata::testing {

/// A process whose C library writes 0,5 for a half: de_DE.UTF-8, compiled into a temporary folder where the machine
/// does not have it. `active()` is false where that is not possible. The old locale comes back at the end.
class GermanLocale {
 public:
  GermanLocale() {
    ::setenv("LC_ALL", "de_DE.UTF-8", 1);
    if (std::setlocale(LC_ALL, "") == nullptr || !active()) {
      const std::string make = "localedef -i de_DE -f UTF-8 " + (folder_ / "de_DE.UTF-8").string() + " >/dev/null 2>&1";
      if (std::system(make.c_str()) < 0) return;
      ::setenv("LOCPATH", folder_.path().c_str(), 1);
      std::setlocale(LC_ALL, "");
    }
  }
  ~GermanLocale() {
    ::unsetenv("LC_ALL");
    ::unsetenv("LOCPATH");
    std::setlocale(LC_ALL, "C");
  }
  bool active() const {
    char text[16];
    std::snprintf(text, sizeof text, "%.1f", 0.5);
    return std::string(text) == "0,5";
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace errata::testing
