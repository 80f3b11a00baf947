"""The accuracy of a new baseball database by mostlyai-qa, as MOSTLY AI reports it of its own models.

    python baseball_qa.py REAL.sqlite NEW.sqlite

Each season table is a sequence of its player, whose columns are the context; the table of players is judged alone.
Samples are as large as the SDK takes them: 100,000 rows for accuracy, 10,000 for embeddings, 1,000 rows a player.
Prints one line of JSON: for each table the overall accuracy (the mean of univariate, bivariate and coherence), its
parts and what a second sample of real players would reach; "accuracy" is the mean of the two tables of seasons.
"""

import argparse
import json
import sqlite3
import tempfile
import time
import warnings

import pandas as pd
from mostlyai import qa

DATES = ["birthDate", "deathDate"]
SEASONS = ["batting", "fielding"]
KEY, FOREIGN = "id", "players_id"
PARTS = ["overall", "univariate", "bivariate", "trivariate", "coherence", "overall_max"]


def read(path, types=None):
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    tables = {}
    for name in ["players", *SEASONS]:
        # Without the column that says of new rows what made them.
        columns = ", ".join(f'"{column}"' for column in types[name]) if types else "*"
        table = pd.read_sql_query(f"SELECT {columns} FROM {name}", database)
        for column in table:
            if column in DATES:
                table[column] = pd.to_datetime(table[column], errors="coerce")
            elif types:
                # Kinds are those of the real tables.
                kind = types[name][column].dtype
                table[column] = pd.to_numeric(table[column]) if kind == "Int64" else table[column]
                table[column] = table[column].astype(kind)
            else:
                numbers = pd.api.types.is_numeric_dtype(table[column])
                table[column] = table[column].astype("Int64" if numbers else "string[pyarrow]")
        tables[name] = table
    for name in SEASONS:
        place = tables[name].groupby(FOREIGN).cumcount()
        tables[name] = tables[name][place < 1000].reset_index(drop=True)
    return tables


def accuracy(real, new, table):
    seasons = table in SEASONS
    alone = lambda tables: tables["players"].drop(columns=[KEY])
    context = {}
    if seasons:
        context = {
            "trn_ctx_data": real["players"],
            "syn_ctx_data": new["players"],
            "ctx_primary_key": KEY,
            "tgt_context_key": FOREIGN,
        }
    with tempfile.TemporaryDirectory() as folder:
        _, metrics = qa.report(
            trn_tgt_data=real[table] if seasons else alone(real),
            syn_tgt_data=new[table] if seasons else alone(new),
            report_path=f"{folder}/report.html",
            max_sample_size_accuracy=100_000,
            max_sample_size_embeddings=10_000,
            **context,
        )
    found = {part: getattr(metrics.accuracy, part) for part in PARTS}
    return {part: round(value, 4) for part, value in found.items() if value is not None}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("real")
    parser.add_argument("new")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    start = time.perf_counter()
    real = read(options.real)
    new = read(options.new, real)
    found = {table: accuracy(real, new, table) for table in ["players", *SEASONS]}
    mean = sum(found[table]["overall"] for table in SEASONS) / len(SEASONS)
    print(json.dumps({**found, "accuracy": round(mean, 4), "secs": round(time.perf_counter() - start, 1)}))


if __name__ == "__main__":
    main()
