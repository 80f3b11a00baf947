"""The metrics of tables in Python, for comparison with those of Mintage.

    python tables_check.py REAL.csv NEW.csv [--holdout H.csv] [--test T.csv --label COLUMN] [--categories A,B]

prints one line of JSON. Shapes, trends and C2ST come from SDMetrics, trees from XGBoost with its
defaults; alpha-precision and beta-recall are written out as in synthcity's "naive" variant, and the
distance to the closest record as in the tabpc benchmark: numbers standardised by the real ones, L1,
and 2 for each category that differs. Columns of numbers are numbers unless they are named as
categories, all others categories. C2ST is also taken against the rows held out, with as many new ones.
"""

import argparse
import json
import time
import warnings

import numpy as np
import pandas as pd
from sdmetrics.reports.single_table import QualityReport
from sdmetrics.single_table import LogisticDetection
from sdmetrics.single_table.detection.sklearn import ScikitLearnClassifierDetectionMetric
from sklearn.metrics import f1_score, r2_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import OneHotEncoder
from xgboost import XGBClassifier, XGBRegressor


class XGBoostDetection(ScikitLearnClassifierDetectionMetric):
    name = "XGBoost Detection"

    @staticmethod
    def _get_classifier():
        return XGBClassifier(eval_metric="logloss", enable_categorical=True, random_state=0)


def read(path, categories=()):
    table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    for column in categories:
        table[column] = table[column].map(str)
    return table


def columns_of(table):
    numbers = [c for c in table if pd.api.types.is_numeric_dtype(table[c])]
    return numbers, [c for c in table if c not in numbers]


def metadata_of(table):
    numbers, _ = columns_of(table)
    kind = lambda c: "numerical" if c in numbers else "categorical"
    return {"columns": {c: {"sdtype": kind(c)} for c in table}}


def quality(real, new):
    report = QualityReport()
    report.generate(real, new, metadata_of(real), verbose=False)
    shape, trend = report.get_properties()["Score"]
    return {"shape": shape, "trend": trend}


def detection(real, new):
    tests = {"c2st_xgb": XGBoostDetection, "c2st_lr": LogisticDetection}
    # SDMetrics refuses categories that the real table lacks.
    _, categories = columns_of(real)
    known = np.logical_and.reduce([new[c].isin(real[c]) for c in categories])
    data = dict(real_data=real, synthetic_data=new[known], metadata=metadata_of(real))
    return {name: test.compute(**data) for name, test in tests.items()}


def one_hot(real, tables):
    """Numbers between 0 and 1 over the real range, categories as 0 and 1."""
    numbers, categories = columns_of(real)
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(real[categories].astype(str))
    low, span = real[numbers].min(), (real[numbers].max() - real[numbers].min()).replace(0, 1)
    scaled = lambda t: ((t[numbers] - low) / span).to_numpy()
    return [np.hstack([scaled(t), encoder.transform(t[categories].astype(str))]) for t in tables]


def alpha_beta(real, new, steps=30):
    n = min(len(real), len(new))
    x, y = one_hot(real[:n], [real[:n], new[:n]])
    alphas = np.linspace(0, 1, steps)
    length = lambda a: np.sqrt((a**2).sum(axis=1))
    radii = np.quantile(length(x - x.mean(axis=0)), alphas)
    to_centre = length(y - x.mean(axis=0))
    own = NearestNeighbors(n_neighbors=2).fit(x).kneighbors(x)[0][:, 1]
    other, at = (a[:, 0] for a in NearestNeighbors(n_neighbors=1).fit(y).kneighbors(x))
    closest = length(y[at] - y.mean(axis=0))
    inner = np.quantile(closest, alphas)
    precision = [(to_centre <= r).mean() for r in radii]
    recall = [((other <= own) & (closest <= r)).mean() for r in inner]
    score = lambda curve: 1 - np.abs(alphas - curve).sum() / alphas.sum()
    return {"alpha_precision": score(precision), "beta_recall": score(recall)}


def closest(source, target, real, block=200):
    """Distance of every row of `source` to the closest row of `target`."""
    numbers, categories = columns_of(real)
    mean, spread = real[numbers].mean(), real[numbers].std(ddof=0).replace(0, 1)
    standard = lambda t: ((t[numbers] - mean) / spread).to_numpy(dtype=np.float32)
    codes = lambda t: np.stack(
        [pd.Categorical(t[c].astype(str), categories=levels[c]).codes for c in categories], axis=1
    )
    together = pd.concat([source, target])
    levels = {c: together[c].astype(str).unique() for c in categories}
    target_numbers, target_codes = standard(target), codes(target).astype(np.int16)
    found = []
    for start in range(0, len(source), block):
        part = source[start : start + block]
        total = np.zeros((len(part), len(target)), dtype=np.float32)
        for column, values in enumerate(standard(part).T):
            total += np.abs(values[:, None] - target_numbers[None, :, column])
        for column, values in enumerate(codes(part).T):
            total += 2 * (values[:, None] != target_codes[None, :, column])
        found.append(total.min(axis=1))
    return np.concatenate(found)


def privacy(real, new, holdout):
    to_train = closest(new, real, real)
    result = {"dcr_mean": to_train.mean(), "copies": (to_train == 0).mean()}
    if holdout is not None:
        n = min(len(real), len(holdout))
        to_train, to_holdout = closest(new, real[:n], real), closest(new, holdout[:n], real)
        result["dcr_share"] = (to_train < to_holdout).mean() + 0.5 * (to_train == to_holdout).mean()
    return result


def utility(train, test, label):
    numbers, categories = columns_of(train)
    features = [c for c in train if c != label]
    levels = {c: pd.concat([train[c], test[c]]).astype(str).unique() for c in categories}

    def encode(table):
        table = table.copy()
        for c in categories:
            table[c] = pd.Categorical(table[c].astype(str), categories=levels[c])
        return pd.get_dummies(table[features], columns=[c for c in categories if c != label]), table[label]

    (x, y), (x_test, y_test) = encode(train), encode(test)
    rename = {c: f"f{i}" for i, c in enumerate(x)}
    x, x_test = x.rename(columns=rename), x_test.rename(columns=rename)
    if label in numbers:
        return {"r2": r2_score(y_test, XGBRegressor().fit(x, y).predict(x_test))}
    classes = np.unique(y.cat.codes)
    model = XGBClassifier().fit(x, np.searchsorted(classes, y.cat.codes))
    chance, truth = model.predict_proba(x_test), np.searchsorted(classes, y_test.cat.codes)
    one_or_all = chance[:, 1] if len(classes) == 2 else chance
    auc = roc_auc_score(truth, one_or_all, multi_class="ovr")
    return {"auc": auc, "f1": f1_score(truth, chance.argmax(axis=1), average="macro")}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("real")
    parser.add_argument("new")
    parser.add_argument("--holdout")
    parser.add_argument("--test")
    parser.add_argument("--label")
    parser.add_argument("--categories", default="")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    categories = [column for column in options.categories.split(",") if column]
    real = read(options.real, categories)
    new = read(options.new, categories)[list(real)]
    holdout = read(options.holdout, categories)[list(real)] if options.holdout else None
    steps = [
        lambda: quality(real, new),
        lambda: detection(real, new),
        lambda: alpha_beta(real, new),
        lambda: privacy(real, new, holdout),
    ]
    if holdout is not None:
        steps.append(lambda: {"c2st_xgb_test": detection(holdout, new[: len(holdout)])["c2st_xgb"]})
    if options.test and options.label:
        test = read(options.test, categories)[list(real)]
        real_on = lambda: {f"real_{k}": v for k, v in utility(real, test, options.label).items()}
        new_on = lambda: {f"new_{k}": v for k, v in utility(new, test, options.label).items()}
        steps += [real_on, new_on]
    result, seconds = {}, []
    for step in steps:
        start = time.perf_counter()
        result.update({name: round(float(value), 5) for name, value in step().items()})
        seconds.append(round(time.perf_counter() - start, 1))
    print(json.dumps({**result, "seconds": seconds}))


if __name__ == "__main__":
    main()
