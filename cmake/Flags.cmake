# SPDX-License-Identifier: Apache-2.0
# How everything here is compiled. Two interface targets: the warnings, for the program too, and the rest.
add_library(spikestill_warnings INTERFACE)
target_compile_options(spikestill_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wdouble-promotion -Wstrict-prototypes -Wmissing-prototypes -Wvla
  -Wundef -Wcast-qual -Wpointer-arith $<$<BOOL:${SPIKESTILL_WERROR}>:-Werror>)
target_compile_definitions(spikestill_warnings INTERFACE _GNU_SOURCE)

# No a*b+c is fused unless the code asks for it: the same source gives the same bits on every compiler and level.
target_compile_options(spikestill_warnings INTERFACE -ffp-contract=off)

if(SPIKESTILL_SANITIZE)
  target_compile_options(spikestill_warnings INTERFACE
    -fsanitize=${SPIKESTILL_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -O1)
  target_link_options(spikestill_warnings INTERFACE -fsanitize=${SPIKESTILL_SANITIZE})
endif()
if(SPIKESTILL_COVERAGE)
  target_compile_options(spikestill_warnings INTERFACE --coverage)
  target_link_options(spikestill_warnings INTERFACE --coverage)
endif()

add_library(spikestill_flags INTERFACE)
target_link_libraries(spikestill_flags INTERFACE spikestill_warnings)
target_include_directories(spikestill_flags INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
