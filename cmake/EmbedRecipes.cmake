# SPDX-License-Identifier: Apache-2.0
# The quick start's recipes as C strings, so that the installed program needs no files beside it.
set(embedded_recipes "// Made from recipes/quickstart_*.yaml by cmake/EmbedRecipes.cmake.\n")
file(GLOB quickstart_recipes CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/recipes/quickstart_*.yaml)
foreach(recipe ${quickstart_recipes})
  get_filename_component(name ${recipe} NAME_WE)
  file(READ ${recipe} text)
  string(REPLACE "\\" "\\\\" text "${text}")
  string(REPLACE "\"" "\\\"" text "${text}")
  string(REPLACE "\n" "\\n\"\n  \"" text "${text}")
  string(APPEND embedded_recipes "static const char embedded_${name}[] =\n  \"${text}\";\n")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${recipe})
endforeach()
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/embedded_recipes.h CONTENT "${embedded_recipes}" @ONLY)
