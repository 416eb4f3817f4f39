"""XGBoost and LightGBM for bench/models: one JSON request a line on standard input, one JSON answer a line."""
import json
import os
import sys
import time

import lightgbm as lgb
import numpy as np
import xgboost as xgb

sets = {}
models = {}


def read(folder, name, width):
    rows = np.fromfile(os.path.join(folder, name + ".rows"), dtype=np.float32).reshape(-1, width)
    labels = np.fromfile(os.path.join(folder, name + ".labels"), dtype=np.float64)
    return rows, labels


def timed(work):
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, (time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000


def train_xgboost(rows, labels, p):
    parameters = {
        "objective": "binary:logistic" if p["kind"] == "logistic" else "reg:squarederror",
        "tree_method": "hist",
        "max_depth": p["depth"],
        "eta": p["learningRate"],
        "lambda": p["lambda"],
        "min_child_weight": p["minChildWeight"],
        "max_bin": 255,
        "subsample": p["rowSample"],
        "colsample_bytree": p["columnSample"],
        "nthread": p["threads"],
        "seed": p["seed"],
        "verbosity": 0,
    }
    return xgb.train(parameters, xgb.DMatrix(rows, label=labels, nthread=p["threads"]), p["trees"])


def train_lightgbm(rows, labels, p):
    parameters = {
        "objective": "binary" if p["kind"] == "logistic" else "regression",
        "num_leaves": 2 ** p["depth"],
        "max_depth": p["depth"],
        "learning_rate": p["learningRate"],
        "lambda_l2": p["lambda"],
        "min_sum_hessian_in_leaf": p["minChildWeight"],
        "min_data_in_leaf": 1,
        "max_bin": 255,
        "bagging_fraction": p["rowSample"],
        "bagging_freq": 1 if p["rowSample"] < 1 else 0,
        "feature_fraction": p["columnSample"],
        "num_threads": p["threads"],
        "force_col_wise": True,
        "seed": p["seed"],
        "verbose": -1,
        "feature_pre_filter": False,
    }
    return lgb.train(parameters, lgb.Dataset(rows, label=labels, params=parameters), p["trees"])


def answer(request):
    what = request["do"]
    if what == "versions":
        return {"xgboost": xgb.__version__, "lightgbm": lgb.__version__}
    if what == "load":
        sets[request["name"]] = read(request["folder"], request["name"], request["width"])
        return {}
    if what == "train":
        rows, labels = sets[request["name"]]
        train = train_xgboost if request["peer"] == "xgboost" else train_lightgbm
        models[request["peer"]], wall, cpu = timed(lambda: train(rows, labels, request["parameters"]))
        return {"wall": wall, "cpu": cpu}
    if what == "score":
        rows, _ = sets[request["name"]]
        model = models[request["peer"]]
        scores = model.predict(xgb.DMatrix(rows) if request["peer"] == "xgboost" else rows)
        return {"scores": [float(score) for score in scores]}
    if what == "predict":
        rows, _ = sets[request["name"]]
        size, rounds = request["size"], request["rounds"]
        model = models["xgboost"]
        model.set_param({"nthread": 1})
        batches = [np.ascontiguousarray(rows[(i * size * 7) % (len(rows) - size):][:size]) for i in range(rounds)]
        times = []
        for batch in batches:
            start = time.perf_counter()
            model.inplace_predict(batch)
            times.append((time.perf_counter() - start) * 1e6)
        return {"times": times}
    raise ValueError(what)


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
