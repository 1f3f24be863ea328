# SPDX-License-Identifier: Apache-2.0
# The CUDA kernels compiled for the CPU, with the emulator of tests/support/cuda_emulator in place of CUDA, as the target
# spikestill_cuda_emulated: so every kernel is tested without a GPU. Needs a C++ compiler and nothing of CUDA. The objects
# of spikestill_cuda_emulated_host are the rest of the backend, but for cuDNN's and cuBLASLt's parts: a suite that has them
# too has the whole device cuda, in the place of the library's.
include(CheckLanguage)
check_language(CXX)
set(SPIKESTILL_HAS_CUDA_EMULATOR FALSE)
if(CMAKE_CXX_COMPILER)
  enable_language(CXX)
  set(SPIKESTILL_HAS_CUDA_EMULATOR TRUE)
  set(emulator_dir ${PROJECT_SOURCE_DIR}/tests/support/cuda_emulator)
  file(GLOB cuda_kernel_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/backend/cuda/*_cuda.cu)
  set_source_files_properties(${cuda_kernel_sources} PROPERTIES LANGUAGE CXX)
  add_library(spikestill_cuda_emulated STATIC EXCLUDE_FROM_ALL ${cuda_kernel_sources}
    ${emulator_dir}/emulator.cpp ${emulator_dir}/emulator_stream.cpp ${emulator_dir}/probes.cpp
    ${emulator_dir}/products_emulated.cpp)
  target_include_directories(spikestill_cuda_emulated PUBLIC ${emulator_dir}
    PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
  set_target_properties(spikestill_cuda_emulated PROPERTIES
    CXX_STANDARD 17 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF)
  target_compile_options(spikestill_cuda_emulated PRIVATE -Wall -Wextra -Wshadow -Wconversion
    -Wdouble-promotion -Wno-unknown-pragmas -ffp-contract=off $<$<BOOL:${SPIKESTILL_WERROR}>:-Werror>)
  file(GLOB cuda_host_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/backend/cuda/*.c)
  list(FILTER cuda_host_sources EXCLUDE REGEX "/cuda_(absent|libraries|conv2d|linear)\\.c$")
  add_library(spikestill_cuda_emulated_host OBJECT EXCLUDE_FROM_ALL ${cuda_host_sources})
  target_include_directories(spikestill_cuda_emulated_host BEFORE PRIVATE ${emulator_dir})
  target_link_libraries(spikestill_cuda_emulated_host PRIVATE spikestill_flags)
  if(SPIKESTILL_SANITIZE)
    target_compile_options(spikestill_cuda_emulated PRIVATE
      -fsanitize=${SPIKESTILL_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -O1)
  endif()
endif()
