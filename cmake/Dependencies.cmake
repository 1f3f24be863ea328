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

set(SPIKESTILL_HAS_CURL FALSE)
if(SPIKESTILL_DOWNLOAD)
  find_package(CURL)
  if(CURL_FOUND)
    set(SPIKESTILL_HAS_CURL TRUE)
    target_link_libraries(spikestill_dependencies INTERFACE CURL::libcurl)
  else()
    message(STATUS "libcurl is not there: `spikestill data get` will say that it is not built in")
  endif()
endif()
