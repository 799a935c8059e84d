"""Runs one query on Spark: started by `bowerbird job run NAME --engine spark`, with a JSON object on standard input.

{"sql": text, "tables": [{"name", "folder", "columns": {name: type}, "paths"}], "out": folder} -> Parquet in `out`, and the number of rows on the last line.
"""
import collections
import json
import re
import sys

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.functions import lit

request = json.load(sys.stdin)
spark = (
    SparkSession.builder.appName("bowerbird job")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.parquet.compression.codec", "zstd")
    .config("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
    # Files of an hour are small and many: a task for each to list them would take longer than to read them.
    .config("spark.sql.sources.parallelPartitionDiscovery.parallelism", "32")
    .config("spark.sql.maxPlanStringLength", "100k")
    .config("spark.ui.enabled", "false")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
for table in request["tables"]:
    # The files that the manifest names, and no other that may lie beside them.
    rows = spark.read.option("basePath", table["folder"]).option("mergeSchema", "true").parquet(*table["paths"])
    # Files that are older than a column lack it.
    for name, type_ in table["columns"].items():
        if name not in rows.columns:
            rows = rows.withColumn(name, lit(None).cast(type_))
    rows.createOrReplaceTempView(table["name"])


def rows_of(plan):
    return DataFrame(spark._jvm.org.apache.spark.sql.classic.Dataset.ofRows(spark._jsparkSession, plan), spark)


# Spark puts a WITH's table in place wherever it is named, and what that table names in it, so that work doubles at each step: of two dozen
# tables the plan alone does not fit in memory. What is named twice is worked out once, and its plan forgotten.
plan = spark._jsparkSession.sessionState().sqlParser().parsePlan(request["sql"])
if plan.getClass().getSimpleName() == "UnresolvedWith":
    named = collections.Counter(re.findall(r"UnresolvedRelation \[(\w+)\]", plan.toString()))
    tables = plan.cteRelations()
    for i in range(tables.length()):
        name = tables.apply(i)._1()
        rows = rows_of(tables.apply(i)._2().child())
        (rows.localCheckpoint() if named[name] > 1 else rows).createOrReplaceTempView(name)
    plan = plan.child()
answer = rows_of(plan)
# A file has no two columns of one name; whoever asked for such an answer reads it from left to right.
if len(set(answer.columns)) < len(answer.columns):
    answer = answer.toDF(*(f"column{i}" for i in range(len(answer.columns))))
answer.coalesce(1).write.mode("overwrite").parquet(request["out"])
print(spark.read.parquet(request["out"]).count())
