# cmake -DINPUT=file -DOUTPUT=file.cc -DNAME=Function -P embed.cmake: a C++ function that returns a text file's bytes.
file(READ ${INPUT} text)
string(LENGTH "${text}" length)
set(chunks "")
# String literals have a length limit on some compilers; pieces are joined by the compiler.
set(position 0)
while(position LESS length)
  string(SUBSTRING "${text}" ${position} 8000 chunk)
  string(APPEND chunks "R\"bowerbird(${chunk})bowerbird\"\n")
  math(EXPR position "${position} + 8000")
endwhile()
file(WRITE ${OUTPUT} "#include <string_view>\nnamespace bowerbird::server {\nstd::string_view ${NAME}();\nstd::string_view ${NAME}() {\n  static constexpr std::string_view kText = ${chunks};\n  return kText;\n}\n}  // namespace bowerbird::server\n")
