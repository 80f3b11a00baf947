"""A generator of tables with its defaults: learns a CSV file, writes new rows.

    python table_peer.py ctgan|tvae|mostlyai TRAIN.csv NEW.csv [--rows N] [--threads N]

The last line printed is JSON: the name and version of the library, the seconds of training and of sampling,
and the peak of memory in megabytes.
"""

import argparse
import importlib.metadata
import json
import resource
import time
import warnings

import pandas as pd
import torch


def learn_ctgan(table):
    from ctgan import CTGAN

    model = CTGAN(enable_gpu=False)
    model.fit(table, [c for c in table if not pd.api.types.is_numeric_dtype(table[c])])
    return model.sample


def learn_tvae(table):
    from sdv.metadata import Metadata
    from sdv.single_table import TVAESynthesizer

    numbers = {c for c in table if pd.api.types.is_numeric_dtype(table[c])}
    kinds = {c: {"sdtype": "numerical" if c in numbers else "categorical"} for c in table}
    metadata = Metadata.load_from_dict({"tables": {"table": {"columns": kinds}}})
    model = TVAESynthesizer(metadata, enable_gpu=False)
    model.fit({"table": table})
    return lambda rows: model.sample(rows)["table"]


def learn_mostlyai(table):
    from mostlyai.engine import TabularARGN

    model = TabularARGN()
    model.fit(table)
    return lambda rows: model.sample(n_samples=rows)


PEERS = {
    "ctgan": ("ctgan", learn_ctgan),
    "tvae": ("sdv", learn_tvae),
    "mostlyai": ("mostlyai-engine", learn_mostlyai),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("train")
    parser.add_argument("new")
    parser.add_argument("--rows", type=int, default=32561)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(options.threads)
    table = pd.read_csv(options.train, keep_default_na=False, na_values=[""])
    package, learn = PEERS[options.peer]
    start = time.perf_counter()
    sample = learn(table)
    trained = time.perf_counter()
    sample(options.rows)[list(table)].to_csv(options.new, index=False)
    done = time.perf_counter()
    print(
        json.dumps({
            "name": f"{package} {importlib.metadata.version(package)} ({options.peer})",
            "train_secs": round(trained - start, 1),
            "sample_secs": round(done - trained, 1),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
        })
    )


if __name__ == "__main__":
    main()
