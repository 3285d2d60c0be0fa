# Writes OUTPUT, a source file that holds every *.yaml of FOLDER and of FOLDER/tests.
file(GLOB packs RELATIVE "${FOLDER}" "${FOLDER}/*.yaml" "${FOLDER}/tests/*.yaml")
list(SORT packs)
set(rows "")
foreach(name IN LISTS packs)
  file(READ "${FOLDER}/${name}" text)
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
