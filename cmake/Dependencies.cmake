# Everything comes from Debian 12 (scripts/install-deps); nothing is downloaded at build time.
find_package(PkgConfig REQUIRED)
find_package(Eigen3 3.4 REQUIRED NO_MODULE)
find_package(Ceres 2.1 REQUIRED)
find_package(HDF5 1.10 REQUIRED COMPONENTS C)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(Boost 1.74 REQUIRED COMPONENTS program_options)
find_package(spdlog REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(ZLIB REQUIRED)
pkg_check_modules(NGSPICE REQUIRED IMPORTED_TARGET ngspice)
pkg_check_modules(TOMLPP REQUIRED IMPORTED_TARGET tomlplusplus)

add_library(errata_hdf5 INTERFACE)
target_include_directories(errata_hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
target_link_libraries(errata_hdf5 INTERFACE ${HDF5_C_LIBRARIES})

# Debian's own dnnl-config asks for OpenCL development files that errata does not need.
find_library(ERRATA_DNNL_LIBRARY dnnl REQUIRED)
find_path(ERRATA_DNNL_INCLUDE dnnl.hpp REQUIRED)
add_library(errata_dnnl INTERFACE)
target_include_directories(errata_dnnl SYSTEM INTERFACE ${ERRATA_DNNL_INCLUDE})
target_link_libraries(errata_dnnl INTERFACE ${ERRATA_DNNL_LIBRARY})

# CHOLMOD's supernodal module is under the GPL: NOTICE says what that means for a binary.
if(ERRATA_WITH_CHOLMOD)
  find_library(ERRATA_CHOLMOD_LIBRARY cholmod REQUIRED)
  find_path(ERRATA_CHOLMOD_INCLUDE cholmod.h PATH_SUFFIXES suitesparse REQUIRED)
  add_library(errata_cholmod INTERFACE)
  target_include_directories(errata_cholmod SYSTEM INTERFACE ${ERRATA_CHOLMOD_INCLUDE})
  target_link_libraries(errata_cholmod INTERFACE ${ERRATA_CHOLMOD_LIBRARY})
endif()
