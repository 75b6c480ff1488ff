# Tables written from folders: adding a file adds an entry, nobody edits a list.

# skip_table(<out var> <table symbol> <struct> <entry prefix> <header> <name...>): a C file with `const struct S *const table[]`, NULL-terminated.
function(skip_table out table struct prefix header)
  set(text "/* Written by CMake from the source tree; do not edit. */\n#include \"${header}\"\n\n")
  set(rows "")
  foreach(name ${ARGN})
    string(APPEND text "extern const struct ${struct} ${prefix}${name};\n")
    string(APPEND rows "\t&${prefix}${name},\n")
  endforeach()
  string(APPEND text "\nconst struct ${struct} *const ${table}[] = {\n${rows}\t0,\n};\n")
  set(file ${CMAKE_CURRENT_BINARY_DIR}/tables/${table}.c)
  file(CONFIGURE OUTPUT ${file} CONTENT "${text}" @ONLY)
  set(${out} ${file} PARENT_SCOPE)
endfunction()

# skip_stems(<out> <glob...>): sorted file names without folder and extension.
function(skip_stems out)
  file(GLOB files CONFIGURE_DEPENDS ${ARGN})
  set(stems "")
  foreach(file ${files})
    get_filename_component(stem ${file} NAME_WE)
    list(APPEND stems ${stem})
  endforeach()
  list(SORT stems)
  set(${out} ${stems} PARENT_SCOPE)
endfunction()

# skip_embed(<out var> <symbol> <base folder> <glob...>): a C file with `const struct skip_embedded symbol[]` of { path relative to base, text }.
function(skip_embed out symbol base)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS ${ARGN})
  list(SORT files)
  set(file ${CMAKE_CURRENT_BINARY_DIR}/tables/${symbol}.c)
  add_custom_command(
    OUTPUT ${file}
    COMMAND ${CMAKE_COMMAND} -DOUT=${file} -DSYMBOL=${symbol} -DBASE=${base} "-DFILES=${files}" -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    DEPENDS ${files} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
    VERBATIM)
  set(${out} ${file} PARENT_SCOPE)
endfunction()
