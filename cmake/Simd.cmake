# SPDX-License-Identifier: Apache-2.0
# src/backend/fast/simd_*.c are compiled once for each level of the x86-64 instruction set, with SSTI_SIMD_LEVEL set to
# the level's word, which the sources put into the names of what they define; the backend picks a level when it runs.
# On other machines there is the baseline only. src/deploy/kernel_*.c likewise, with SSTI_KERNEL_LEVEL.
file(GLOB simd_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/backend/fast/simd_*.c)

# The ceiling measurement wants multiply-adds, on which no result depends; and products, whose last bits differ between
# levels as oneDNN's do.
set_source_files_properties(${PROJECT_SOURCE_DIR}/src/backend/fast/simd_ceiling.c
  ${PROJECT_SOURCE_DIR}/src/backend/fast/simd_few_rows.c ${PROJECT_SOURCE_DIR}/src/backend/fast/simd_winograd.c
  PROPERTIES COMPILE_OPTIONS -ffp-contract=fast)

function(spikestill_add_simd_level level flags)
  add_library(spikestill_simd_${level} OBJECT ${simd_sources})
  target_link_libraries(spikestill_simd_${level} PUBLIC spikestill_flags spikestill_dependencies)
  target_compile_definitions(spikestill_simd_${level} PRIVATE SSTI_SIMD_LEVEL=${level})
  # Neither of the two changes a result; without them gcc does not vectorise square roots and selections.
  target_compile_options(spikestill_simd_${level} PRIVATE
    $<$<NOT:$<CONFIG:Debug>>:-O3> -fno-math-errno -fno-trapping-math ${flags})
  set(library_objects ${library_objects} $<TARGET_OBJECTS:spikestill_simd_${level}> PARENT_SCOPE)
endfunction()

if(simd_sources)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
    spikestill_add_simd_level(baseline -march=x86-64)
    spikestill_add_simd_level(v3 -march=x86-64-v3)
    spikestill_add_simd_level(v4 "-march=x86-64-v4;-mprefer-vector-width=512")
  else()
    spikestill_add_simd_level(baseline "")
  endif()
endif()

file(GLOB kernel_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/deploy/kernel_*.c)

function(spikestill_add_kernel_level level flags)
  add_library(spikestill_kernel_${level} OBJECT ${kernel_sources})
  target_link_libraries(spikestill_kernel_${level} PUBLIC spikestill_flags)
  target_compile_definitions(spikestill_kernel_${level} PRIVATE SSTI_KERNEL_LEVEL=${level})
  target_compile_options(spikestill_kernel_${level} PRIVATE $<$<NOT:$<CONFIG:Debug>>:-O3> ${flags})
  set(library_objects ${library_objects} $<TARGET_OBJECTS:spikestill_kernel_${level}> PARENT_SCOPE)
endfunction()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  spikestill_add_kernel_level(plain -march=x86-64)
  spikestill_add_kernel_level(avx2 -march=x86-64-v3)
  set(newest "-march=x86-64-v4;-mavx512vpopcntdq;-mavx512bitalg;-mavx512vnni;-mavx512vbmi;-mavx512vbmi2")
  spikestill_add_kernel_level(avx512 "${newest};-mprefer-vector-width=512")
else()
  spikestill_add_kernel_level(plain "")
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
    spikestill_add_kernel_level(neon -DSSTI_KERNEL_NEON)
  endif()
endif()
