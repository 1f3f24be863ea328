# SPDX-License-Identifier: Apache-2.0
# The libraries that Spikestill stands on, as one interface target. scripts/setup.sh has their packages.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
pkg_check_modules(jansson REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(yaml REQUIRED IMPORTED_TARGET yaml-0.1)
find_package(OneDNN REQUIRED)

add_library(spikestill_dependencies INTERFACE)
target_link_libraries(spikestill_dependencies INTERFACE
  OneDNN::dnnl PkgConfig::yaml PkgConfig::jansson ZLIB::ZLIB Threads::Threads m)

if(SPIKESTILL_THREADS STREQUAL "openmp")
  find_package(OpenMP REQUIRED COMPONENTS C)
  target_link_libraries(spikestill_dependencies INTERFACE OpenMP::OpenMP_C)
endif()

# Downloads need three: for the transfer, for the checksum, and to unpack.
set(SPIKESTILL_HAS_DOWNLOAD FALSE)
if(SPIKESTILL_DOWNLOAD)
  find_package(CURL 7.85)
  find_package(OpenSSL COMPONENTS Crypto)
  find_package(LibArchive)
  if(CURL_FOUND AND OPENSSL_FOUND AND LibArchive_FOUND)
    set(SPIKESTILL_HAS_DOWNLOAD TRUE)
    target_link_libraries(spikestill_dependencies INTERFACE CURL::libcurl OpenSSL::Crypto LibArchive::LibArchive)
    target_compile_definitions(spikestill_dependencies INTERFACE SPIKESTILL_HAS_DOWNLOAD)
  else()
    message(STATUS "libcurl, libcrypto or libarchive is not there: `spikestill data get` will say that it is not built in")
  endif()
endif()

# Picture files need two.
set(SPIKESTILL_HAS_PICTURES FALSE)
if(SPIKESTILL_PICTURES)
  find_package(JPEG)
  find_package(PNG)
  if(JPEG_FOUND AND PNG_FOUND)
    set(SPIKESTILL_HAS_PICTURES TRUE)
    target_link_libraries(spikestill_dependencies INTERFACE JPEG::JPEG PNG::PNG)
    target_compile_definitions(spikestill_dependencies INTERFACE SPIKESTILL_HAS_PICTURES)
  else()
    message(STATUS "libjpeg or libpng is not there: picture folders and `spikestill data show` will say so")
  endif()
endif()
