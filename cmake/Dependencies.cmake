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

# The classes of ONNX's files; the definitions are those that Debian's library was built with.
find_package(Protobuf REQUIRED)
find_library(ERRATA_ONNX_PROTO_LIBRARY onnx_proto REQUIRED)
find_path(ERRATA_ONNX_INCLUDE onnx/onnx-ml.pb.h REQUIRED)
add_library(errata_onnx INTERFACE)
target_include_directories(errata_onnx SYSTEM INTERFACE ${ERRATA_ONNX_INCLUDE} ${Protobuf_INCLUDE_DIRS})
target_compile_definitions(errata_onnx INTERFACE ONNX_ML=1 ONNX_NAMESPACE=onnx)
target_link_libraries(errata_onnx INTERFACE ${ERRATA_ONNX_PROTO_LIBRARY} ${Protobuf_LIBRARIES})
