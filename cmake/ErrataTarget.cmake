# Compile settings that every errata target shares.
add_library(errata_settings INTERFACE)
target_include_directories(errata_settings INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
target_compile_options(errata_settings INTERFACE
  -Wall -Wextra -Wno-missing-field-initializers -Wshadow
  -Wno-restrict  # false alarms of g++ 12 on string concatenation (GCC bug 105651)
  # a*b+c must not be contracted: results stay the same for every vector width.
  -ffp-contract=off)
# Where OpenMP is on, Eigen would split its products by the number of threads, and their rounding with them.
target_compile_definitions(errata_settings INTERFACE EIGEN_DONT_PARALLELIZE)
if(ERRATA_WARNINGS_AS_ERRORS)
  target_compile_options(errata_settings INTERFACE -Werror)
endif()
if(ERRATA_SANITIZE)
  target_compile_options(errata_settings INTERFACE -fsanitize=${ERRATA_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(errata_settings INTERFACE -fsanitize=${ERRATA_SANITIZE})
endif()

# errata_tier(NAME SOURCES... ) makes the static library of one tier folder from all of its sources.
function(errata_tier name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_library(errata_${name} STATIC ${sources})
  target_link_libraries(errata_${name} PUBLIC errata_settings ${ARGN})
endfunction()
