// Reads cases, one JSON object a line, and writes what the module says to each: an array of numbers, or its error as
// text.
#include <iostream>
#include <string>

#include "base/json_writer.h"
#include "stats/methods.h"

int main() {
  using bowerbird::experiment::stats::Answer;
  using bowerbird::experiment::stats::Case;
  simdjson::dom::parser parser;
  std::string line, text;
  while (std::getline(std::cin, line)) {
    const simdjson::dom::element fields = parser.parse(line);
    const auto answer = Answer(Case(fields));
    text.clear();
    bowerbird::base::JsonWriter json(&text);
    if (answer.ok()) {
      json.BeginArray();
      for (const double number : *answer) json.Double(number);
      json.EndArray();
    } else {
      json.String(answer.status().ToString());
    }
    std::cout << text << '\n';
  }
  return 0;
}
