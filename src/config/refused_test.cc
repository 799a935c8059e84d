// Every value that is refused: one problem, on the right line and key, saying what would be accepted.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "config/config.h"

namespace bowerbird::config {
namespace {

using testing::HasSubstr;

struct Refused {
  const char* name;
  const char* text;  ///< the offending line is the last one
  const char* key;
  const char* found;
  const char* expected;
};
void PrintTo(const Refused& refused, std::ostream* out) { *out << refused.text; }

void ExpectOne(const std::vector<Problem>& problems, const Refused& refused) {
  std::string all;
  for (const Problem& problem : problems) all += problem.ToString() + "\n";
  ASSERT_EQ(problems.size(), 1u) << all;
  const std::string text = refused.text;
  EXPECT_EQ(problems[0].line, 1 + std::count(text.begin(), text.end(), '\n')) << all;
  EXPECT_EQ(problems[0].key, refused.key);
  EXPECT_THAT(problems[0].found, HasSubstr(refused.found));
  EXPECT_THAT(problems[0].expected, HasSubstr(refused.expected));
}

class RefusedTest : public testing::TestWithParam<Refused> {};
TEST_P(RefusedTest, WithOneProblemOnTheLastLine) { ExpectOne(Parse(GetParam().text, "x").problems, GetParam()); }

class ServerRefusedTest : public testing::TestWithParam<Refused> {};
TEST_P(ServerRefusedTest, WithOneProblemOnTheLastLine) {
  ExpectOne(ParseServer(GetParam().text, "x").problems, GetParam());
}

const auto kName = [](const auto& info) { return std::string(info.param.name); };

INSTANTIATE_TEST_SUITE_P(
    Settings, RefusedTest,
    testing::Values(
        Refused{"unknown_section", "[surface]", "surface", "unknown key \"surface\"", "did you mean \"surfaces\"?"},
        Refused{"segment_type", "[segment]\n\"Order Placed\" = \"purchas\"", "segment.\"Order Placed\"", "\"purchas\"",
                "did you mean \"purchase\"?"},
        Refused{"segment_identify", "[segment]\n\"Signed Up\" = \"identify\"", "segment.\"Signed Up\"", "\"identify\"",
                "another event type"},
        Refused{"segment_not_text", "[segment]\nx = 3", "segment.x", "integer 3", "a string"},
        Refused{"section_not_a_table", "collect = 3", "collect", "integer 3", "a table, [collect]"},
        Refused{"app_name", "[app]\nname = \"a b\"", "app.name", "\"a b\"", "letters, digits"},
        Refused{"app_name_empty", "[app]\nname = \"\"", "app.name", "string \"\"", "1 to 64 bytes"},
        Refused{"partitions_range", "[app]\npartitions = 0", "app.partitions", "integer 0", "from 1 to 4096"},
        Refused{"partitions_power", "[app]\npartitions = 48", "app.partitions", "integer 48", "a power of two"},
        Refused{"age_negative", "[collect]\nage_max = \"-1d\"", "collect.age_max", "\"-1d\"", "a duration"},
        Refused{"age_date", "[collect]\nage_max = 2026-11-21", "collect.age_max", "a date", "a duration"},
        Refused{"late", "[collect]\nlate = \"drop\"", "collect.late", "\"drop\"", "accept, reject"},
        Refused{"future_max", "[collect]\nfuture_max = \"2000d\"", "collect.future_max", "\"2000d\"", "to \"365d\""},
        Refused{"future", "[collect]\nfuture = true", "collect.future", "true", "clamp, reject"},
        Refused{"batch", "[collect]\nbatch_events_max = 1.5", "collect.batch_events_max", "number 1.5", "an integer"},
        Refused{"body", "[collect]\nbody_bytes_max = 1", "collect.body_bytes_max", "integer 1", "from 1024"},
        Refused{"id_bytes", "[collect]\nid_bytes_max = 257", "collect.id_bytes_max", "257", "from 1 to 256"},
        Refused{"attributes_max", "[collect]\nattributes_max = -1", "collect.attributes_max", "-1", "from 0"},
        Refused{"attribute_bytes", "[collect]\nattribute_bytes_max = 0", "collect.attribute_bytes_max", "0", "from 1"},
        Refused{"text_bytes", "[collect]\ntext_bytes_max = []", "collect.text_bytes_max", "a list", "an integer"},
        Refused{"retention_short", "[log]\nretention = \"5m\"", "log.retention", "less than an hour",
                "at least \"1h\""},
        Refused{"topic_retention_short", "[log.topic_retention]\nserved = \"5m\"", "log.topic_retention.served",
                "less than an hour", "at least \"1h\""},
        Refused{"topic_retention_unknown", "[log.topic_retention]\nserve = \"5d\"", "log.topic_retention.serve",
                "unknown key", "served"},
        Refused{"forget_interval", "[forget]\ninterval = \"1s\"", "forget.interval", "\"1s\"", "from \"1m\""},
        Refused{"traffic_agents", "[traffic]\nagents = \"bot\"", "traffic.agents", "\"bot\"", "a list of strings"},
        Refused{"traffic_agent_empty", "[traffic]\nagents = [\"\"]", "traffic.agents", "\"\"", "1 to 64 bytes"},
        Refused{"traffic_rate", "[traffic]\nrate = 1e3", "traffic.rate", "number 1000", "an integer"},
        Refused{"traffic_rate_held", "state.sequence_max = 200\ntraffic = {enabled = true}", "traffic.rate", "300",
                "0 to 199"},
        Refused{"traffic_entropy", "[traffic]\nentropy = -1", "traffic.entropy", "-1", "from 0 to 8"},
        Refused{"traffic_entropy_actions", "state.sequence_max = 40\ntraffic = {enabled = true, rate = 0}",
                "traffic.entropy_actions", "64", "16 to 40"},
        Refused{"traffic_mark", "[traffic]\nmark_for = \"1s\"", "traffic.mark_for", "\"1s\"", "from \"1m\""},
        Refused{"retention_negative", "[log]\nretention = \"-90d\"", "log.retention", "\"-90d\"", "from \"0s\""},
        Refused{"log_kind", "[log]\nkind = \"pulsar\"", "log.kind", "\"pulsar\"", "embedded, kafka"},
        Refused{"log_brokers_missing", "log.kind = \"kafka\"", "log.brokers", "nothing", "host:port"},
        Refused{"log_brokers_empty", "[log]\nkind = \"kafka\"\nbrokers = []", "log.brokers", "a list of 0",
                "1 to 64 strings"},
        Refused{"log_broker", "[log]\nkind = \"kafka\"\nbrokers = [\"a:1\", \"kafka\"]", "log.brokers[1]", "\"kafka\"",
                "host:port"},
        Refused{"log_broker_port", "[log]\nkind = \"kafka\"\nbrokers = [\"a:70000\"]", "log.brokers[0]", "\"a:70000\"",
                "host:port"},
        Refused{"log_broker_list", "[log]\nkind = \"kafka\"\nbrokers = [\"a:1,b:1\"]", "log.brokers[0]", "\"a:1,b:1\"",
                "host:port"},
        Refused{"log_embedded", "[log]\nbrokers = [\"a:1\"]", "log.brokers", "a key of kind \"kafka\"",
                "kind = \"kafka\""},
        Refused{"log_prefix", "[log]\nkind = \"kafka\"\nbrokers = [\"a:1\"]\ntopic_prefix = \"a/b\"",
                "log.topic_prefix", "\"a/b\"", "letters, digits"},
        Refused{"log_replication", "[log]\nkind = \"kafka\"\nbrokers = [\"a:1\"]\nreplication = 0", "log.replication",
                "0", "from 1 to 100"},
        Refused{"log_client", "[log]\nkind = \"kafka\"\nbrokers = [\"a:1\"]\n[log.client]\n\"acks\" = \"1\"",
                "log.client.acks", "\"acks\"", "security.protocol"},
        Refused{"log_client_bare",
                "[log]\nkind = \"kafka\"\nbrokers = [\"a:1\"]\n[log.client]\nsecurity.protocol = \"ssl\"",
                "log.client.security", "\"security\"", "in quotes"},
        Refused{"log_secret",
                "[log]\nkind = \"kafka\"\nbrokers = [\"a:1\"]\n[log.client]\n\"sasl.password\" = \"hunter2\"",
                "log.client.\"sasl.password\"", "a secret", "log.password_file"},
        Refused{"sequence", "[state]\nsequence_max = 70000", "state.sequence_max", "70000", "to 65535"},
        Refused{"prints", "[state]\ndedupe_prints = 0", "state.dedupe_prints", "0", "from 1"},
        Refused{"dedupe_window", "[state]\ndedupe_window = \"1s\"", "state.dedupe_window", "\"1s\"", "from \"1m\""},
        Refused{"read_your_writes", "[state]\nread_your_writes = \"1m\"", "state.read_your_writes", "\"1m\"",
                "to \"10s\""},
        Refused{"cache", "[state]\ncache_bytes = 1024", "state.cache_bytes", "1024", "from 1048576"},
        Refused{"flush", "[state]\nflush_interval = \"0s\"", "state.flush_interval", "\"0s\"", "from \"10ms\""},
        Refused{"bucket", "[state]\nitem_bucket = \"1s\"", "state.item_bucket", "\"1s\"", "from \"1m\""},
        Refused{"buckets", "[state]\nitem_buckets_max = 0", "state.item_buckets_max", "0", "from 1"},
        Refused{"table_interval", "[state]\nitem_table_interval = \"2h\"", "state.item_table_interval", "\"2h\"",
                "to \"1h\""},
        Refused{"affinity_half_life", "[state]\naffinity_half_life = -1", "state.affinity_half_life", "integer -1",
                "a duration"},
        Refused{"affinity_top", "[state]\naffinity_top = 0", "state.affinity_top", "0", "from 1 to 1024"},
        Refused{"interval", "[pipeline]\ninterval = \"10ms\"", "pipeline.interval", "less than a second",
                "at least \"1s\""},
        Refused{"factors", "[pipeline]\nfactors = 0", "pipeline.factors", "0", "from 1 to 4096"},
        Refused{"epochs", "[pipeline]\nepochs = 1001", "pipeline.epochs", "1001", "from 1 to 1000"},
        Refused{"regularization", "[pipeline]\nregularization = -0.1", "pipeline.regularization", "-0.1",
                "from 0 to 1000"},
        Refused{"unobserved", "[pipeline]\nunobserved_weight = nan", "pipeline.unobserved_weight", "nan",
                "from 0 to 1000"},
        Refused{"co_half_life", "[pipeline]\nco_occurrence_half_life = \"0s\"", "pipeline.co_occurrence_half_life",
                "\"0s\"", "from \"1m\""},
        Refused{"snapshots", "[pipeline]\nsnapshots_kept = 0", "pipeline.snapshots_kept", "0", "from 1"},
        Refused{"l2_sample", "[served]\nl2_sample = 1.5", "served.l2_sample", "1.5", "a number from 0 to 1"},
        Refused{"union_sample", "[served]\nunion_sample = -0.01", "served.union_sample", "-0.01",
                "a number from 0 to 1"},
        Refused{"unknown_key", "[served]\nl2_smaple = 1", "served.l2_smaple", "unknown key",
                "did you mean \"l2_sample\"?"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Events, RefusedTest,
    testing::Values(
        Refused{"not_a_table", "[events]\nview = 1", "events.view", "integer 1", "a table, [events.view]"},
        Refused{"name", "[events.\"a b\"]", "events.\"a b\"", "the name \"a b\"", "letters, digits"},
        Refused{"weight", "[events.view]\nweight = 2000", "events.view.weight", "integer 2000", "from 0 to 1000"},
        Refused{"weight_negative", "[events.view]\nweight = -1", "events.view.weight", "-1", "from 0 to 1000"},
        Refused{"weight_infinite", "[events.view]\nweight = inf", "events.view.weight", "inf", "from 0 to 1000"},
        Refused{"weight_of_neutral", "[events.view]\npolarity = \"neutral\"\nweight = 1", "events.view.weight", "1",
                "0, because"},
        Refused{"weight_of_impression", "[events.impression]\nweight = 0.1", "events.impression.weight", "0.1",
                "0, because"},
        Refused{"polarity", "[events.view]\npolarity = \"good\"", "events.view.polarity", "\"good\"",
                "positive, negative, neutral"},
        Refused{"item", "[events.view]\nitem = \"always\"", "events.view.item", "\"always\"",
                "required, optional, none"},
        Refused{"code_range", "[events.view]\ncode = 9", "events.view.code", "9", "from 16 to 255"},
        Refused{"code_twice", "[events.a]\ncode = 20\n[events.b]\ncode = 20", "events.b.code", "20", "\"a\" has it"},
        Refused{"code_of_built_in", "[events.click]\ncode = 20", "events.click.code", "unknown key \"code\"",
                "built-in event type \"click\""},
        Refused{"polarity_of_built_in", "[events.hide]\npolarity = \"positive\"", "events.hide.polarity", "unknown key",
                "weight"},
        Refused{"value_zero_alone", "[events.r]\nvalue_zero = 0", "events.r.value_zero", "0", "to differ"},
        Refused{"values_equal", "[events.r]\nvalue_zero = 3\nvalue_one = 3", "events.r.value_one", "3", "to differ"},
        Refused{"value_type", "[events.r]\nvalue_one = \"5\"", "events.r.value_one", "string \"5\"", "a number"},
        Refused{"attribute_type", "[events.r.attributes]\na = \"int\"", "events.r.attributes.a", "\"int\"",
                "bool, number, string"},
        Refused{"attribute_stamp", "[events.r]\nattributes = { a = { type = \"bool\", stamp = true } }",
                "events.r.attributes.a.stamp", "unknown key", "a key of an attribute: type"},
        Refused{"attributes_list", "[events.r]\nattributes = [\"a\"]", "events.r.attributes", "a list", "a table"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Attributes, RefusedTest,
    testing::Values(
        Refused{"domains_type", "[items]\ndomains = \"ad\"", "items.domains", "\"ad\"", "a list of strings"},
        Refused{"domains_empty", "[items]\ndomains = []", "items.domains", "0 names", "1 to 64"},
        Refused{"domain_twice", "[items]\ndomains = [\"ad\", \"ad\"]", "items.domains[1]", "a second \"ad\"", "once"},
        Refused{"domain_type", "[items]\ndomains = [\"ad\", 1]", "items.domains[1]", "integer 1", "a string"},
        Refused{"domain_name", "[items]\ndomains = [\"an ad\"]", "items.domains[0]", "\"an ad\"", "letters"},
        Refused{"category", "[items]\ncategory = \"section\"", "items.category", "\"section\"", "categories, domain"},
        Refused{"type", "[items.attributes]\na = \"strin\"", "items.attributes.a", "\"strin\"",
                "did you mean \"string\"?"},
        Refused{"type_number", "[items.attributes]\na = 3", "items.attributes.a", "integer 3", "bool, number"},
        Refused{"type_missing", "[items.attributes]\na = {}", "items.attributes.a.type", "nothing", "a type: bool"},
        Refused{"type_in_table", "[items.attributes]\na = { type = 3 }", "items.attributes.a.type", "integer 3",
                "bool, number"},
        Refused{"stamp", "[items.attributes]\na = { type = \"bool\", stamp = 1 }", "items.attributes.a.stamp", "1",
                "true or false"},
        Refused{"embedding", "[items.attributes]\na = { embedding = 0 }", "items.attributes.a.embedding", "0",
                "from 1 to 4096"},
        Refused{"embedding_type", "[items.attributes]\na = { embedding = 8, type = \"number\" }",
                "items.attributes.a.type", "unknown key", "a key of an embedding: embedding"},
        Refused{"built_in", "[items.attributes]\nprice = \"number\"", "items.attributes.price", "the name \"price\"",
                "built in (number)"},
        Refused{"word", "[items.attributes]\nnow = \"time\"", "items.attributes.now", "the name \"now\"",
                "no word of the expression language"},
        Refused{"name", "[items.attributes]\na-b = \"time\"", "items.attributes.a-b", "the name \"a-b\"",
                "letters, digits or '_'"},
        Refused{"user_type", "[users.attributes]\na = \"x\"", "users.attributes.a", "\"x\"", "bool, number"},
        Refused{"user_stamp", "[users.attributes]\na = { type = \"bool\", stamp = true }", "users.attributes.a.stamp",
                "unknown key", "type"},
        Refused{"users_key", "[users]\nname = 1", "users.name", "unknown key", "attributes"},
        Refused{"broken_attribute_is_told_once",
                "[surfaces.home]\nfilter = \"size > 3\"\n[items.attributes]\nsize = \"nmber\"", "items.attributes.size",
                "\"nmber\"", "did you mean \"number\"?"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Signals, RefusedTest,
    testing::Values(
        Refused{"no_kind", "[signals.a]", "signals.a.kind", "nothing", "last_n, count"},
        Refused{"kind", "[signals.a]\non = [\"x\"]\nkind = \"sum\"", "signals.a.kind", "\"sum\"", "decayed_sum"},
        Refused{"event", "[signals.a]\nkind = \"last_n\"\non = [\"clik\"]", "signals.a.on[0]", "\"clik\"",
                "did you mean \"click\"?"},
        Refused{"no_events", "[signals.a]\nkind = \"last_n\"\non = []", "signals.a.on", "an empty list",
                "at least one"},
        Refused{"on_type", "[signals.a]\nkind = \"last_n\"\non = \"click\"", "signals.a.on", "\"click\"",
                "a list of strings"},
        Refused{"half_life_negative", "[signals.a]\nkind = \"decayed_sum\"\non = [\"click\"]\nhalf_life = -1",
                "signals.a.half_life", "-1", "a duration"},
        Refused{"half_life_of_count",
                "[signals.a]\nkind = \"count\"\non = [\"click\"]\nwindow = \"1d\"\nhalf_life = \"1d\"",
                "signals.a.half_life", "unknown key", "a signal of kind \"count\""},
        Refused{"of_type",
                "[signals.a]\nkind = \"decayed_sum\"\non = [\"click\"]\nhalf_life = \"1d\"\nof = \"event.query\"",
                "signals.a.of", "\"event.query\", which is string", "of type number"},
        Refused{"of_unknown", "[signals.a]\nkind = \"distinct\"\non = [\"click\"]\nof = \"item.creator\"",
                "signals.a.of", "\"item.creator\"", "a declared item attribute"},
        Refused{"of_event", "[signals.a]\nkind = \"ratio\"\non = [\"click\"]\nof = \"buy\"", "signals.a.of", "\"buy\"",
                "event type"},
        Refused{"by", "[signals.a]\nkind = \"last_n\"\non = [\"click\"]\nby = \"event.value\"", "signals.a.by",
                "which is number", "string or strings"},
        Refused{"by_nothing", "[signals.a]\nkind = \"last_n\"\non = [\"click\"]\nby = \"color\"", "signals.a.by",
                "\"color\"", "event.FIELD"},
        Refused{"top", "[signals.a]\nkind = \"last_n\"\non = [\"click\"]\nby = \"event.type\"\ntop = 0",
                "signals.a.top", "0", "from 1"},
        Refused{"n", "[signals.a]\nkind = \"last_n\"\non = [\"click\"]\nn = 1001", "signals.a.n", "1001",
                "from 1 to 1000"},
        Refused{"n_of_all_keys",
                "[signals.a]\nkind = \"last_n\"\non = [\"click\"]\nby = \"event.type\"\nn = 1000\ntop = 32",
                "signals.a.top", "32 times an n of 1000", "at most 10000"},
        Refused{"top_without_keys", "[signals.a]\nkind = \"time_since\"\non = [\"click\"]\ntop = 3", "signals.a.top",
                "unknown key", "by, description, kind, on, owner, per, where"},
        Refused{
            "window_and_half_life",
            "[signals.a]\nkind = \"top_k\"\nof = \"item.id\"\non = [\"click\"]\nhalf_life = \"1d\"\nwindow = \"1d\"",
            "signals.a.window", "beside a half_life", "one of the two"},
        Refused{"window_of_distinct",
                "[signals.a]\nkind = \"distinct\"\nof = \"item.id\"\non = [\"click\"]\nwindow = \"1d\"",
                "signals.a.window", "unknown key", "a signal of kind \"distinct\""},
        Refused{"of_events", "[signals.a]\nkind = \"ratio\"\non = [\"click\"]\nof = [\"save\", \"buy\"]",
                "signals.a.of[1]", "\"buy\"", "event type"},
        Refused{"prior_alone", "[signals.a]\nkind = \"ratio\"\non = [\"click\"]\nof = \"save\"\nprior = 0.5",
                "signals.a.prior", "without a weight", "prior_weight"},
        Refused{"prior_weight_alone",
                "[signals.a]\nkind = \"ratio\"\non = [\"click\"]\nof = \"save\"\nprior_weight = 5",
                "signals.a.prior_weight", "of no prior", "a prior beside it"},
        Refused{"prior_of_count", "[signals.a]\nkind = \"count\"\non = [\"click\"]\nwindow = \"1d\"\nprior = 1",
                "signals.a.prior", "unknown key", "a signal of kind \"count\""},
        Refused{"per", "[signals.a]\nkind = \"time_since\"\non = [\"click\"]\nper = \"session\"", "signals.a.per",
                "\"session\"", "user, item"},
        Refused{"of_nothing_per_item", "signals.a = { per = \"item\", kind = \"last_n\", on = [\"click\"] }",
                "signals.a.of", "nothing", "event.surface"},
        Refused{"last_users", "[signals.a]\nper = \"item\"\nkind = \"last_n\"\non = [\"click\"]\nof = \"event.user\"",
                "signals.a.of", "\"event.user\" of kind \"last_n\"", "distinct"},
        Refused{"top_users", "[signals.a]\nper = \"item\"\nkind = \"top_k\"\non = [\"click\"]\nof = \"event.user\"",
                "signals.a.of", "\"event.user\" of kind \"top_k\"", "distinct"},
        Refused{"users_of_a_user", "[signals.a]\nkind = \"distinct\"\non = [\"click\"]\nof = \"event.user\"",
                "signals.a.of", "of a signal per user", "per = \"item\""},
        Refused{"by_user", "[signals.a]\nper = \"item\"\nkind = \"time_since\"\non = [\"click\"]\nby = \"event.user\"",
                "signals.a.by", "\"event.user\"", "event.FIELD"},
        Refused{"where_user",
                "[signals.a]\nper = \"item\"\nkind = \"time_since\"\non = [\"click\"]\nwhere = \"event.user == 'ann'\"",
                "signals.a.where", "event.user", "event."},
        Refused{"segment_of_items",
                "[signals.a]\nper = \"item\"\nkind = \"time_since\"\non = [\"click\"]\n[segments.s]\nwhere = "
                "\"signals.a > 3\"",
                "segments.s.where", "signals.a", "lifecycle"},
        Refused{"where", "[signals.a]\nkind = \"time_since\"\non = [\"click\"]\nwhere = \"item.color == 'red'\"",
                "signals.a.where", "item.color", "event."},
        Refused{"where_type", "[signals.a]\nkind = \"time_since\"\non = [\"click\"]\nwhere = \"event.surface > 3\"",
                "signals.a.where", "3", "a string in quotes"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Recipes, RefusedTest,
    testing::Values(
        Refused{"generator_kind", "[generators.a]\nkind = \"neural\"", "generators.a.kind", "\"neural\"",
                "ials, co_occurrence"},
        Refused{"generator_no_kind", "[generators.a]", "generators.a.kind", "nothing", "\"ials\""},
        Refused{"generator_count", "[generators.fresh]\ncount = 0", "generators.fresh.count", "0", "from 1 to 10000"},
        Refused{"generator_half_life", "[generators.trending]\nhalf_life = -1", "generators.trending.half_life", "-1",
                "a duration"},
        Refused{"generator_window", "[generators.fresh]\nwindow = \"0s\"", "generators.fresh.window", "\"0s\"",
                "from \"1s\""},
        Refused{"generator_seeds", "[generators.because]\nseeds = 1001", "generators.because.seeds", "1001", "to 1000"},
        Refused{"generator_key_of_another_kind", "[generators.for_you]\nwindow = \"1d\"", "generators.for_you.window",
                "unknown key", "a generator of kind \"ials\": count, kind"},
        Refused{"generators_as_list", "[[generators]]", "generators", "a list", "a table"},
        Refused{"objective_no_event", "[objectives.a]", "objectives.a.event", "nothing", "an event type"},
        Refused{"objective_event", "[objectives.a]\nevent = \"buy\"", "objectives.a.event", "\"buy\"", "click"},
        Refused{"objective_on_event", "[objectives.a]\non = [\"buy\"]", "objectives.a.on[0]", "\"buy\"", "click"},
        Refused{"objective_on_empty", "[objectives.a]\non = []", "objectives.a.on", "an empty list", "at least one"},
        Refused{"objective_both", "[objectives.a]\non = [\"save\"]\nevent = \"click\"", "objectives.a.event",
                "an event beside `on`", "with one type"},
        Refused{"objective_where", "[objectives.a]\nevent = \"click\"\nwhere = \"event.dwell > 1\"",
                "objectives.a.where", "event.dwell", ""},
        Refused{"objective_window", "[objectives.a]\nevent = \"click\"\nwindow = \"366d\"", "objectives.a.window",
                "366d", "to \"365d\""},
        Refused{"objective_weight", "[objectives.a]\nevent = \"click\"\nweight = 2000", "objectives.a.weight", "2000",
                "from -1000 to 1000"},
        Refused{"surface_no_generators", "[surfaces.mail]", "surfaces.mail.generators", "nothing",
                "a list of generators"},
        Refused{"surface_empty_generators", "[surfaces.home]\ngenerators = []", "surfaces.home.generators",
                "an empty list", "at least one"},
        Refused{"surface_generator", "[surfaces.home]\ngenerators = [\"frehs\"]", "surfaces.home.generators[0]",
                "\"frehs\"", "did you mean \"fresh\"?"},
        Refused{"surface_generator_twice", "[surfaces.home]\ngenerators = [\"fresh\", \"fresh\"]",
                "surfaces.home.generators[1]", "a second", "once"},
        Refused{"similar_without_item", "[surfaces.home]\ngenerators = [\"similar\"]", "surfaces.home.generators[0]",
                "\"similar\"", "needs_item = true"},
        Refused{"needs_item", "[surfaces.home]\nneeds_item = \"yes\"", "surfaces.home.needs_item", "\"yes\"",
                "true or false"},
        Refused{"weight_of_stranger", "[surfaces.home]\nweights = { popular = 1 }", "surfaces.home.weights.popular",
                "\"popular\"", "a generator of this surface"},
        Refused{"weight_range", "[surfaces.home]\nweights = { fresh = 1001 }", "surfaces.home.weights.fresh", "1001",
                "from 0 to 1000"},
        Refused{"candidates", "[surfaces.home]\ncandidates_max = 0", "surfaces.home.candidates_max", "0", "from 1"},
        Refused{"seen", "[surfaces.home]\nseen = \"never\"", "surfaces.home.seen", "\"never\"",
                "exclude, demote, allow"},
        Refused{"seen_window", "[surfaces.home]\nseen_window = 7", "surfaces.home.seen_window", "7", "a duration"},
        Refused{"seen_factor", "[surfaces.home]\nseen_factor = 2", "surfaces.home.seen_factor", "2", "from 0 to 1"},
        Refused{"explore", "[surfaces.home]\nexplore = 1.01", "surfaces.home.explore", "1.01", "from 0 to 1"},
        Refused{"temperature", "[surfaces.home]\ntemperature = 0", "surfaces.home.temperature", "0",
                "above 0, at most 100"},
        Refused{"diversity", "[surfaces.home]\ndiversity = -1", "surfaces.home.diversity", "-1", "from 0 to 1"},
        Refused{"category_cap", "[surfaces.home]\ncategory_cap = -1", "surfaces.home.category_cap", "-1",
                "from 0 to 1000"},
        Refused{"filter", "[surfaces.home]\nfilter = \"pirce > 3\"", "surfaces.home.filter",
                "'pirce' at 1 of \"pirce > 3\"", "did you mean 'price'?"},
        Refused{"filter_type", "[surfaces.home]\nfilter = true", "surfaces.home.filter", "true", "a string"},
        Refused{"filter_empty", "[surfaces.home]\nfilter = \"\"", "surfaces.home.filter", "\"\"", "1 to 4096 bytes"}),
    kName);

// The key is looked at where the rule's table begins when it is missing, so those rules are written in one line.
INSTANTIATE_TEST_SUITE_P(
    Rules, RefusedTest,
    testing::Values(
        Refused{"not_tables", "[surfaces.home]\nrules = [1]", "surfaces.home.rules", "a list",
                "tables, [[surfaces.home.rules]]"},
        Refused{"no_name", "[surfaces.home]\nrules = [{ kind = \"bury\", when = \"available\", factor = 0 }]",
                "surfaces.home.rules[0].name", "nothing", "a name"},
        Refused{"no_kind", "[surfaces.home]\nrules = [{ name = \"a\" }]", "surfaces.home.rules[0].kind", "nothing",
                "\"boost\""},
        Refused{"kind", "[surfaces.home]\nrules = [{ name = \"a\", kind = \"drop\" }]", "surfaces.home.rules[0].kind",
                "\"drop\"", "boost, bury, pin"},
        Refused{"name", "[surfaces.home]\nrules = [{ name = \"a b\", kind = \"pin\", item = \"x\", position = 1 }]",
                "surfaces.home.rules[0].name", "\"a b\"", "letters"},
        Refused{"boost_factor",
                "[[surfaces.home.rules]]\nname = \"a\"\nkind = \"boost\"\nwhen = \"available\"\nfactor = 1",
                "surfaces.home.rules[0].factor", "1", "above 1, at most 1000"},
        Refused{"bury_factor",
                "[[surfaces.home.rules]]\nname = \"a\"\nkind = \"bury\"\nwhen = \"available\"\nfactor = 1",
                "surfaces.home.rules[0].factor", "1", "from 0 and below 1"},
        Refused{"no_factor", "[surfaces.home]\nrules = [{ name = \"a\", kind = \"bury\", when = \"available\" }]",
                "surfaces.home.rules[0].factor", "nothing", "below 1"},
        Refused{"no_when", "[surfaces.home]\nrules = [{ name = \"a\", kind = \"bury\", factor = 0 }]",
                "surfaces.home.rules[0].when", "nothing", "an expression"},
        Refused{"when", "[[surfaces.home.rules]]\nname = \"a\"\nkind = \"bury\"\nfactor = 0\nwhen = \"price\"",
                "surfaces.home.rules[0].when", "the end of the text at 6", "after 'price'"},
        Refused{
            "boost_with_item",
            "[[surfaces.home.rules]]\nname = \"a\"\nkind = \"boost\"\nfactor = 2\nwhen = \"available\"\nitem = \"x\"",
            "surfaces.home.rules[0].item", "unknown key", "a key of a boost"},
        Refused{"pin_item", "[surfaces.home]\nrules = [{ name = \"a\", kind = \"pin\", position = 1 }]",
                "surfaces.home.rules[0].item", "nothing", "an item's id"},
        Refused{"pin_position", "[[surfaces.home.rules]]\nname = \"a\"\nkind = \"pin\"\nitem = \"x\"\nposition = 0",
                "surfaces.home.rules[0].position", "0", "from 1 to 1000"},
        Refused{"name_twice",
                "[[surfaces.home.rules]]\nname = \"a\"\nkind = \"pin\"\nitem = \"x\"\nposition = 1\n"
                "[[surfaces.home.rules]]\nkind = \"pin\"\nitem = \"x\"\nposition = 2\nname = \"a\"",
                "surfaces.home.rules[1].name", "a second \"a\"", "under its own name"},
        Refused{"position_twice",
                "[[surfaces.home.rules]]\nname = \"a\"\nkind = \"pin\"\nitem = \"x\"\nposition = 1\n"
                "[[surfaces.home.rules]]\nname = \"b\"\nkind = \"pin\"\nitem = \"y\"\nposition = 1",
                "surfaces.home.rules[1].position", "position 1", "one pin a position"}),
    kName);

INSTANTIATE_TEST_SUITE_P(
    Server, ServerRefusedTest,
    testing::Values(
        Refused{"section", "[servr]", "servr", "unknown key", "did you mean \"server\"?"},
        Refused{"key", "[server]\nports = 1", "server.ports", "unknown key", "did you mean \"port\"?"},
        Refused{"listen", "[server]\nlisten = \"localhost\"", "server.listen", "\"localhost\"", "an IP address"},
        Refused{"port", "[server]\nport = 70000", "server.port", "70000", "from 0 to 65535"},
        Refused{"grpc_port", "[server]\ngrpc_port = -1", "server.grpc_port", "-1", "from 0 to 65535"},
        Refused{"grpc_listen", "[server]\ngrpc_listen = \"here\"", "server.grpc_listen", "\"here\"", "an IP address"},
        Refused{"threads", "[server]\nthreads = 0", "server.threads", "0", "from 1"},
        Refused{"open", "[server]\nopen_on_loopback = 1", "server.open_on_loopback", "1", "true or false"},
        Refused{"drain", "[server]\ndrain = 10", "server.drain", "10", "a duration"},
        Refused{"request", "[server]\nrequest_max = \"1us\"", "server.request_max", "1us", "from \"10ms\""},
        Refused{"connections", "[server]\nconnections_max = 0", "server.connections_max", "0", "from 1"},
        Refused{"intake", "[server]\nintake_bytes_max = 1", "server.intake_bytes_max", "1", "from 1048576"},
        Refused{"origin", "[server]\nallowed_origins = [\"https://x.example/path\"]", "server.allowed_origins[0]",
                "\"https://x.example/path\"", "without a path"},
        Refused{"level", "[server]\nlog_level = \"loud\"", "server.log_level", "\"loud\"", "trace, debug"}),
    kName);

TEST(RefusedTest, TextsBeyondTheBounds) {
  EXPECT_THAT(Parse(std::string((1 << 20) + 1, '\n'), "x").problems.at(0).expected, HasSubstr("at most 1048576 bytes"));
  std::string deep = "a";
  for (int i = 0; i < 100'000; ++i) deep += ".a";
  const ParseResult dotted = Parse("\n" + deep + " = 1", "x");
  EXPECT_EQ(dotted.problems.at(0).line, 2u);
  EXPECT_THAT(dotted.problems.at(0).expected, HasSubstr("at most 128 on a line"));
  EXPECT_FALSE(Parse("a = " + std::string(100'000, '['), "x").problems.empty());
  // The deepest that is let through: dotted keys in inline tables in lists.
  std::string nested = "a", closing;
  for (int i = 0; i < 127; ++i) nested += ".a";
  const std::string key = nested;
  nested = "[" + key + "]\n";
  for (int i = 0; i < 7; ++i) {
    nested += key + " = [{" + (i == 6 ? "a = 1" : "");
    closing += "}]";
    nested += i == 6 ? "" : "\n";
  }
  EXPECT_FALSE(Parse(nested + closing, "x").problems.empty());
  std::string duplicates;
  for (int i = 0; i < 200; ++i) duplicates += "a = 1\n";
  EXPECT_GT(Parse(duplicates, "x").problems.size(), 64u);
}

TEST(RefusedTest, MoreThingsThanTheirBound) {
  std::string events, attributes = "[items.attributes]\n";
  for (int i = 0; i < 241; ++i) events += fmt::format("[events.e{}]\n", i);
  for (int i = 0; i < 257; ++i) attributes += fmt::format("a{} = \"bool\"\n", i);
  EXPECT_THAT(Parse(events, "x").problems.at(0).expected, HasSubstr("at most 240 declared types"));
  EXPECT_THAT(Parse(attributes, "x").problems.at(0).expected, HasSubstr("at most 256"));
}

INSTANTIATE_TEST_SUITE_P(
    Features, RefusedTest,
    testing::Values(Refused{"feature_of_no_table", "[surfaces.home.features]\nials = 1", "surfaces.home.features.ials",
                            "ials", "item.features.TABLE.COLUMN"},
                    Refused{"feature_attribute", "[surfaces.home.features]\nprice = 1", "surfaces.home.features.price",
                            "an attribute", "item.features.TABLE.COLUMN"},
                    Refused{"feature_weight", "[surfaces.home.features]\n\"item.features.a.b\" = \"x\"",
                            "surfaces.home.features.\"item.features.a.b\"", "string \"x\"", "a number"},
                    Refused{"feature_twice",
                            "[surfaces.home.features]\n\"dot(user.features.a.v,item.features.b.v)\" = 1\n"
                            "\"dot(user.features.a.v, item.features.b.v)\" = 1",
                            "surfaces.home.features.\"dot(user.features.a.v, item.features.b.v)\"", "a second",
                            "each number once"},
                    Refused{"filter_product",
                            "[surfaces.home]\nfilter = \"dot(user.features.a.v, item.features.b.v) > 1\"",
                            "surfaces.home.filter", "dot(user.features.a.v,item.features.b.v)",
                            "products of vectors are for rules"},
                    Refused{"segment_of_items", "[segments.a]\nwhere = \"item.features.a.b > 1\"", "segments.a.where",
                            "item.features.a.b", "user.features.TABLE.COLUMN"}),
    kName);

}  // namespace
}  // namespace bowerbird::config
