# Writes OUTPUT, a source file that holds every *.yaml of FOLDER.
file(GLOB packs "${FOLDER}/*.yaml")
list(SORT packs)
set(rows "")
foreach(pack IN LISTS packs)
  get_filename_component(name "${pack}" NAME)
  file(READ "${pack}" text)
  string(APPEND rows "    {\"${name}\", R\"packfile(${text})packfile\"},\n")
endforeach()
file(WRITE "${OUTPUT}" "// Made from policies/packs/ by embed_packs.cmake.
#include \"policies/packs.h\"

namespace carnet::policies {

const std::vector<SourceFile>& PackFiles() {
  static const auto& files = *new std::vector<SourceFile>{
${rows}  };
  return files;
}

}  // namespace carnet::policies
")
