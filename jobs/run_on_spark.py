"""Runs one query on Spark: started by `bowerbird job run NAME --engine spark`, with a JSON object on standard input.

{"sql": text, "tables": [{"name", "folder", "columns": {name: type}, "paths"}], "out": folder} -> Parquet in `out`, and the number of rows on the last line.
"""
import json
import sys

from pyspark.sql import SparkSession
from pyspark.sql.functions import lit

request = json.load(sys.stdin)
spark = (
    SparkSession.builder.appName("bowerbird job")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.parquet.compression.codec", "zstd")
    .config("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
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
spark.sql(request["sql"]).coalesce(1).write.mode("overwrite").parquet(request["out"])
print(spark.read.parquet(request["out"]).count())
