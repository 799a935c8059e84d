# cmake -DROOT=folder -DLIST=file -DOUTPUT=file.cc -P embed_docs.cmake: the documents that LIST names, one a line, as DocTexts().
file(STRINGS ${LIST} paths)
set(source "#include \"mcp/doc_index.h\"\nnamespace bowerbird::mcp {\nnamespace {\nusing namespace std::string_view_literals;\nconstexpr DocText kDocuments[] = {\n")
foreach(path IN LISTS paths)
  file(READ ${ROOT}/${path} text)
  string(LENGTH "${text}" length)
  string(APPEND source "{\"${path}\",\n")
  # String literals have a length limit on some compilers; pieces are joined by the compiler.
  set(position 0)
  while(position LESS length)
    string(SUBSTRING "${text}" ${position} 8000 chunk)
    string(APPEND source "R\"bowerbird(${chunk})bowerbird\"\n")
    math(EXPR position "${position} + 8000")
  endwhile()
  # With its length: some compilers count no text this long before the program runs.
  string(APPEND source "\"\"sv},\n")
endforeach()
file(WRITE ${OUTPUT} "${source}};\n}  // namespace\nstd::span<const DocText> DocTexts() { return kDocuments; }\n}  // namespace bowerbird::mcp\n")
