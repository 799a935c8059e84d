#include "collect/declared_agents.h"

#include <string>

#include "gtest/gtest.h"

namespace bowerbird::collect {
namespace {

config::Traffic Enabled() {
  config::Traffic traffic;
  traffic.enabled = true;
  return traffic;
}

TEST(DeclaredAgentsTest, FindsWhoSaysWhatItIs) {
  const DeclaredAgents agents(Enabled());
  for (const char* text : {
           "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
           "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
           "Mozilla/5.0 (compatible; YandexBot/3.0)",
           "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0 Safari/537.36",
           "facebookexternalhit/1.1",
           "Sogou web spider/4.0",
           "BAIDUSPIDER",
           "Mozilla/5.0 (Linux; Android 7.0;) (compatible; PetalBot;+https://webmaster.petalsearch.com/site/petalbot)",
       }) {
    EXPECT_NE(agents.Find(text), "") << text;
  }
}

TEST(DeclaredAgentsTest, FindsNoPerson) {
  const DeclaredAgents agents(Enabled());
  for (const char* text : {
           "",
           "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 "
           "Safari/537.36",
           "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Mobile "
           "Safari/604.1",
           // A phone of the maker Cubot.
           "Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/96.0 Mobile",
           // A product's own backend.
           "python-requests/2.32.3",
           "Java-http-client/17.0.2",
           "curl/8.5.0",
           "grpc-c++/1.51.1 grpc-c/29.0.0 (linux; chttp2)",
       }) {
    EXPECT_EQ(agents.Find(text), "") << text;
  }
}

TEST(DeclaredAgentsTest, FindsNobodyWhereTheRulesAreOff) {
  EXPECT_EQ(DeclaredAgents(config::Traffic()).Find("Googlebot/2.1"), "");
  config::Traffic none = Enabled();
  none.agents.clear();
  EXPECT_EQ(DeclaredAgents(none).Find("Googlebot/2.1"), "");
}

TEST(DeclaredAgentsTest, LooksAtTheBeginningOfALongText) {
  const DeclaredAgents agents(Enabled());
  EXPECT_EQ(agents.Find(std::string(DeclaredAgents::kBytesMax - 4, 'x').append("bot/")), "bot/");
  EXPECT_EQ(agents.Find(std::string(DeclaredAgents::kBytesMax - 3, 'x').append("bot/")), "");
}

}  // namespace
}  // namespace bowerbird::collect
