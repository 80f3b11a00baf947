"""The databases of TPC-H and TPC-DS as SQLite, with the keys of their specifications declared.

    python tpc.py h|ds OUT.sqlite [--scale S]

The rows are made by the package tpcgen-cli (requirements-tpc.txt), without anything to download. Columns of
whole numbers are INTEGER, of numbers REAL, of days DATE, all others TEXT; columns without an empty cell, and those of
primary keys, are NOT NULL. What each table is keyed by, and what its columns refer to, is told below.
"""

import argparse
import csv
import re
import sqlite3
import subprocess
import sysconfig
import tempfile
from pathlib import Path

ROWS = 50_000  # at a time
DAY = re.compile(r"\d{4}-\d\d-\d\d$")
WHOLE = re.compile(r"-?(0|[1-9]\d*)$")
NUMBER = re.compile(r"-?\d*\.?\d+$")

# For each table its primary key, and for each foreign key the columns and the table that they refer to.
H = {
    "region": (["r_regionkey"], []),
    "nation": (["n_nationkey"], [("n_regionkey", "region")]),
    "supplier": (["s_suppkey"], [("s_nationkey", "nation")]),
    "part": (["p_partkey"], []),
    "partsupp": (["ps_partkey", "ps_suppkey"], [("ps_partkey", "part"), ("ps_suppkey", "supplier")]),
    "customer": (["c_custkey"], [("c_nationkey", "nation")]),
    "orders": (["o_orderkey"], [("o_custkey", "customer")]),
    "lineitem": (
        ["l_orderkey", "l_linenumber"],
        [("l_orderkey", "orders"), ("l_partkey, l_suppkey", "partsupp")],
    ),
}

SALES = {"store": "ss_item_sk, ss_ticket_number", "catalog": "cs_item_sk, cs_order_number", "web": "ws_item_sk, ws_order_number"}
DS = [
    ("date_dim", "d_date_sk"),
    ("time_dim", "t_time_sk"),
    ("income_band", "ib_income_band_sk"),
    ("reason", "r_reason_sk"),
    ("ship_mode", "sm_ship_mode_sk"),
    ("warehouse", "w_warehouse_sk"),
    ("item", "i_item_sk"),
    ("customer_demographics", "cd_demo_sk"),
    ("household_demographics", "hd_demo_sk"),
    ("customer_address", "ca_address_sk"),
    ("customer", "c_customer_sk"),
    ("store", "s_store_sk"),
    ("call_center", "cc_call_center_sk"),
    ("catalog_page", "cp_catalog_page_sk"),
    ("web_site", "web_site_sk"),
    ("web_page", "wp_web_page_sk"),
    ("promotion", "p_promo_sk"),
    ("inventory", "inv_date_sk, inv_item_sk, inv_warehouse_sk"),
    ("store_sales", SALES["store"]),
    ("store_returns", "sr_item_sk, sr_ticket_number"),
    ("catalog_sales", SALES["catalog"]),
    ("catalog_returns", "cr_item_sk, cr_order_number"),
    ("web_sales", SALES["web"]),
    ("web_returns", "wr_item_sk, wr_order_number"),
]
# What a surrogate key of TPC-DS refers to is told by the end of its name.
ENDS = {
    "date_sk": "date_dim",
    "time_sk": "time_dim",
    "income_band_sk": "income_band",
    "reason_sk": "reason",
    "ship_mode_sk": "ship_mode",
    "warehouse_sk": "warehouse",
    "item_sk": "item",
    "cdemo_sk": "customer_demographics",
    "hdemo_sk": "household_demographics",
    "addr_sk": "customer_address",
    "customer_sk": "customer",
    "store_sk": "store",
    "call_center_sk": "call_center",
    "catalog_page_sk": "catalog_page",
    "web_site_sk": "web_site",
    "web_page_sk": "web_page",
    "promo_sk": "promotion",
}


def keys_of_ds(table, primary, columns):
    """The foreign keys of a table of TPC-DS."""
    keys = []
    for column in columns:
        if column == primary:
            continue
        end = max((end for end in ENDS if column.endswith("_" + end)), key=len, default=None)
        if end:
            keys.append((column, ENDS[end]))
    channel, _, kind = table.partition("_")
    if kind == "returns":
        keys.append((primary, f"{channel}_sales"))
    return keys


def kind_of(seen):
    """The type of a column by all of its different cells."""
    seen = seen - {""}
    if not seen:
        return "TEXT"
    if all(WHOLE.match(cell) for cell in seen):
        return "INTEGER"
    if all(NUMBER.match(cell) and not (cell[0] == "0" and cell[1:2].isdigit()) for cell in seen):
        return "REAL"
    return "DATE" if all(DAY.match(cell) for cell in seen) else "TEXT"


def described(path):
    """The names and the types of columns, and whether they have empty cells; by the first rows for types."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        names = next(rows)
        seen, empty = [set() for _ in names], [False] * len(names)
        for at, row in enumerate(rows):
            for column, cell in enumerate(row):
                if at < ROWS or at % 97 == 0:
                    seen[column].add(cell)
                if cell == "":
                    empty[column] = True
    return names, [kind_of(cells) for cells in seen], empty


def create(table, path, primary, keys):
    names, kinds, empty = described(path)
    parts = []
    for name, kind, hole in zip(names, kinds, empty):
        if primary == [name] and kind == "INTEGER":
            parts.append(f"{name} INTEGER PRIMARY KEY")
        else:
            parts.append(f"{name} {kind}{'' if hole and name not in primary else ' NOT NULL'}")
    if len(primary) > 1:
        parts.append(f"PRIMARY KEY ({', '.join(primary)})")
    for columns, parent, theirs in keys:
        parts.append(f"FOREIGN KEY ({columns}) REFERENCES {parent} ({theirs})")
    return f"CREATE TABLE {table} (\n  " + ",\n  ".join(parts) + "\n)"


def insert(database, table, path):
    with open(path, newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        marks = ", ".join("?" * len(next(rows)))
        cells = ([cell if cell != "" else None for cell in row] for row in rows)
        database.executemany(f"INSERT INTO {table} VALUES ({marks})", cells)
    database.commit()


def header(path):
    with open(path, newline="", encoding="utf-8") as file:
        return next(csv.reader(file))


def schema(which, folder):
    """Tables, parents first: name, primary key, foreign keys as (columns, parent, its columns)."""
    if which == "h":
        primary = {table: ", ".join(key) for table, (key, _) in H.items()}
        for table, (key, keys) in H.items():
            yield table, key, [(columns, parent, primary[parent]) for columns, parent in keys]
        return
    primary = dict(DS)
    for table, key in DS:
        keys = keys_of_ds(table, key, header(folder / f"{table}.csv"))
        yield table, key.split(", "), [(columns, parent, primary[parent]) for columns, parent in keys]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=["h", "ds"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--scale", default="0.01")
    options = parser.parse_args()
    tool = Path(sysconfig.get_path("scripts")) / "tpcgen-cli"
    half = options.out.with_name(options.out.name + ".tmp")
    half.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=options.out.parent) as folder:
        subprocess.run([tool, "tpc" + options.which, "csv", "-s", options.scale, "-o", folder], check=True)
        database = sqlite3.connect(half)
        for table, primary, keys in schema(options.which, Path(folder)):
            path = Path(folder) / f"{table}.csv"
            database.execute(create(table, path, primary, keys))
            insert(database, table, path)
            rows = database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
            print(f"{table}: {rows:,} rows, {len(keys)} foreign keys")
        orphans = database.execute("SELECT COUNT(*) FROM pragma_foreign_key_check").fetchone()[0]
        print(f"rows that break a key: {orphans:,}")
        database.close()
    half.replace(options.out)


if __name__ == "__main__":
    main()
