"""A generator of whole databases with its defaults: learns a SQLite file, writes a new one.

    python database_peer.py sdv|mostlyai SOURCE.sqlite NEW.sqlite [--limit MINUTES] [--train MINUTES]

What is told of the source is what its catalogue has: keys, and which columns hold dates. `--train` is the time that
each model of mostlyai may take; without it, its own defaults say when to stop. Tables of the new file have the columns
of the source and no conditions, so that every row can be judged. The last line printed is JSON: the name and version
of the library, the seconds of training and of sampling, the peak of memory in megabytes, and notes on what was left out;
or "refused" with the reason, where the library does not take the database or is not done within the limit.
"""

import argparse
import importlib.metadata
import json
import os
import re
import resource
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import warnings
from pathlib import Path

import pandas as pd
import psutil

DATES = {r"\d{4}-\d\d-\d\d$": "%Y-%m-%d", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$": "%Y-%m-%d %H:%M:%S"}
MILLIS = (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$", "%Y-%m-%d %H:%M:%S.%f")


class Source:
    """The tables of a database with their keys, as the catalogue has them."""

    def __init__(self, path):
        database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        database.text_factory = lambda text: text.decode("utf-8", "replace")
        ask = lambda sql, *values: database.execute(sql, values).fetchall()
        names = ask("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid")
        self.tables, self.primary, self.foreign, self.required = {}, {}, {}, {}
        self.formats, self.whole, self.types = {}, {}, {}
        for (name,) in names:
            columns = ask("SELECT name, type, \"notnull\", pk FROM pragma_table_info(?)", name)
            self.types[name] = {column: kind for column, kind, _, _ in columns}
            self.required[name] = {column for column, _, required, _ in columns if required}
            self.primary[name] = [c for c, _, _, pk in sorted(columns, key=lambda c: c[3]) if pk]
            keys = {}
            for key, parent, own, theirs in ask('SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(?)', name):
                keys.setdefault(key, (parent, [], []))[1].append(own)
                keys[key][2].append(theirs)
            self.foreign[name] = [keys[key] for key in sorted(keys, reverse=True)]
            self.tables[name] = self.typed(name, pd.read_sql_query(f'SELECT * FROM "{name}"', database))
        for name, keys in self.foreign.items():
            for at, (parent, own, theirs) in enumerate(keys):
                if None in theirs:
                    keys[at] = (parent, own, self.primary[parent])

    def typed(self, name, table):
        """Whole numbers as such even where some are missing, dates as dates."""
        self.formats[name], self.whole[name] = {}, set()
        for column in table:
            cells = table[column].dropna()
            if pd.api.types.is_numeric_dtype(cells) and len(cells):
                if (cells % 1 == 0).all():
                    self.whole[name].add(column)
                    table[column] = table[column].astype("Int64")
                continue
            texts = cells.map(lambda cell: isinstance(cell, str))
            if not len(cells) or not texts.all():
                continue
            for shape, form in [*DATES.items(), MILLIS]:
                if all(re.match(shape, cell) for cell in cells):
                    try:
                        table[column] = pd.to_datetime(table[column], format=form)
                        self.formats[name][column] = form
                    except (ValueError, OverflowError):
                        pass
                    break
        return table

    def cells(self, name, table):
        """Rows of new cells, spelled as those of the source."""
        columns = list(self.tables[name])
        spelled = []
        for column in columns:
            cells = table[column].astype(object) if column in table else pd.Series([None] * len(table), dtype=object)
            form = self.formats[name].get(column)
            if form:
                cells = pd.to_datetime(cells, errors="coerce").dt.strftime(form)
                cells = cells.str[:-3] if form == MILLIS[1] else cells
            cells = cells.astype(object).where(cells.notna(), None)
            spelled.append([self.cell(name, column, cell) for cell in cells])
        return list(zip(*spelled))

    def cell(self, name, column, cell):
        if cell is None or isinstance(cell, (str, bytes)):
            return cell
        if column in self.whole[name]:
            return int(round(float(cell)))
        return float(cell) if isinstance(cell, (int, float)) or hasattr(cell, "dtype") else str(cell)

    def write(self, path, tables):
        Path(path).unlink(missing_ok=True)
        database = sqlite3.connect(path)
        quoted = lambda name: '"' + name.replace('"', '""') + '"'
        for name in self.tables:
            if name not in tables:
                continue
            kinds = ", ".join(f"{quoted(column)} {kind}" for column, kind in self.types[name].items())
            database.execute(f"CREATE TABLE {quoted(name)} ({kinds})")
            marks = ", ".join("?" * len(self.types[name]))
            database.executemany(f"INSERT INTO {quoted(name)} VALUES ({marks})", self.cells(name, tables[name]))
        database.commit()


def learn_sdv(source, options, notes):
    from sdv.metadata import Metadata
    from sdv.multi_table import HMASynthesizer

    metadata = Metadata.detect_from_dataframes(source.tables, infer_keys=None)
    for name in source.tables:
        for column, form in source.formats[name].items():
            metadata.update_column(column, name, sdtype="datetime", datetime_format=form)
        keys = [key[0] if len(key) == 1 else key for key in [source.primary[name]] if key]
        for columns in keys + [own[0] if len(own) == 1 else own for _, own, _ in source.foreign[name]]:
            for column in [columns] if isinstance(columns, str) else columns:
                metadata.update_column(column, name, sdtype="id")
        for key in keys:
            metadata.set_primary_key(key, name)
    one = lambda columns: columns[0] if len(columns) == 1 else columns
    for name, keys in source.foreign.items():
        for parent, own, theirs in keys:
            metadata.add_relationship(parent, name, one(theirs), one(own))
    model = HMASynthesizer(metadata, verbose=False)
    model.fit(source.tables)
    return model.sample_scale


def learn_mostlyai(source, options, notes):
    from mostlyai.sdk import MostlyAI

    mostly = MostlyAI(local=True, local_dir=options.folder, quiet=True)
    context, tables = {}, []

    def above(name):
        while name is not None:
            yield name
            name = context.get(name)

    for name, table in source.tables.items():
        primary, keys = source.primary[name], []
        for parent, own, theirs in source.foreign[name]:
            if len(own) > 1 or source.primary[parent] != theirs:
                notes.append(f"{name}: the key {', '.join(own)} is left out, since a key is one column")
                continue
            # Rows of one parent are learned together with it: the first key that makes no circle.
            is_context = name not in context and own[0] in source.required[name] and name not in above(parent)
            if is_context:
                context[name] = parent
            keys.append({"column": own[0], "referenced_table": parent, "is_context": is_context})
        # A table without a context by a key that may be missing.
        if name not in context:
            for key in keys:
                if name not in above(key["referenced_table"]):
                    key["is_context"], context[name] = True, key["referenced_table"]
                    break
        config = {"name": name, "data": table, "foreign_keys": keys}
        if len(primary) == 1 and primary[0] not in {key["column"] for key in keys}:
            config["primary_key"] = primary[0]
        elif primary:
            notes.append(f"{name}: its primary key {', '.join(primary)} is not told, since a key is one column")
        # Its reports are left out: they take time, and change nothing.
        config["tabular_model_configuration"] = {"enable_model_report": False}
        if options.train:
            config["tabular_model_configuration"]["max_training_time"] = options.train
        tables.append(config)
    generator = mostly.train(config={"name": "peer", "tables": tables}, progress_bar=False)

    def sample():
        data = mostly.generate(generator, progress_bar=False).data()
        return data if isinstance(data, dict) else {tables[0]["name"]: data}

    return sample


PEERS = {"sdv": ("sdv", learn_sdv), "mostlyai": ("mostlyai", learn_mostlyai)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("source")
    parser.add_argument("new")
    parser.add_argument("--limit", type=float, default=60, help="minutes in all")
    parser.add_argument("--train", type=float, help="minutes for each model")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    os.environ |= {"OMP_NUM_THREADS": str(options.threads), "PYTHONWARNINGS": "ignore"}
    package, learn = PEERS[options.peer]
    said = {"name": f"{package} {importlib.metadata.version(package)}"}

    def late(*_):
        raise TimeoutError(f"not done in {options.limit:g} minutes")

    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, options.limit * 60)
    notes, start = [], time.perf_counter()
    options.folder = tempfile.mkdtemp(prefix="peer-")
    try:
        source = Source(options.source)
        sample = learn(source, options, notes)
        trained = time.perf_counter()
        tables = sample()
        done = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, 0)
        source.write(options.new, tables)
        usage = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        said |= {"train_secs": round(trained - start, 1), "sample_secs": round(done - trained, 1)}
        said |= {"peak_mb": max(usage) / 1000, "notes": notes}
    except Exception as error:  # whatever a library says of what it does not take is the result
        said |= {"refused": f"{type(error).__name__}: {error}".strip()[:600], "notes": notes}
        said |= {"secs": round(time.perf_counter() - start, 1)}
    print(json.dumps(said))
    sys.stdout.flush()
    # Servers and workers that the libraries started would go on.
    for child in psutil.Process().children(recursive=True):
        child.kill()
    shutil.rmtree(options.folder, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main()
