"""How long `implicit` takes to its best recall@20 on a LightGCN split: one JSON object a line, for bench_ials --peers.

usage: implicit_ials.py FOLDER. Conjugate gradient, two threads; after every third epoch all items are ranked, train masked (not timed).
alpha and regularization are the best of a small grid picked on the test part: a generous bar.
"""
import io
import json
import os
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np
import scipy.sparse as sp
import zstandard
from implicit.als import AlternatingLeastSquares

SETTINGS = {64: dict(alpha=40, regularization=1), 128: dict(alpha=40, regularization=100)}
EPOCHS = 12


def read(path):
    users, items = [], []
    with open(path, "rb") as file:
        for line in io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), "utf-8"):
            numbers = [int(n) for n in line.split()]
            users += [numbers[0]] * (len(numbers) - 1)
            items += numbers[1:]
    return np.array(users), np.array(items)


def rank(user_factors, item_factors, train, wanted):
    """recall@20, and the share of users with a hit among ten (HR@10)."""
    total, hits = 0.0, 0
    users = sorted(wanted)
    for begin in range(0, len(users), 512):
        block = users[begin:begin + 512]
        scores = user_factors[block] @ item_factors.T
        for row, user in enumerate(block):
            scores[row, train.indices[train.indptr[user]:train.indptr[user + 1]]] = -np.inf
        top = np.argpartition(-scores, 20, axis=1)[:, :20]
        for row, user in enumerate(block):
            total += len(wanted[user].intersection(top[row].tolist())) / len(wanted[user])
            ten = sorted(top[row].tolist(), key=lambda item: -scores[row, item])[:10]
            hits += not wanted[user].isdisjoint(ten)
    return total / len(users), hits / len(users)


def main():
    folder = sys.argv[1]
    users, items = read(folder + "/train.txt.zst")
    test_users, test_items = read(folder + "/test.txt.zst")
    shape = (max(users.max(), test_users.max()) + 1, max(items.max(), test_items.max()) + 1)
    train = sp.csr_matrix((np.ones(len(users), dtype=np.float32), (users, items)), shape=shape)
    train.sum_duplicates()
    train.data[:] = 1
    wanted = {}
    for user, item in zip(test_users.tolist(), test_items.tolist()):
        wanted.setdefault(user, set()).add(item)
    for factors, settings in SETTINGS.items():
        best, best_s, hit_rate, spent, seconds = 0.0, 0.0, 0.0, 0.0, []
        model = AlternatingLeastSquares(factors=factors, iterations=EPOCHS, num_threads=2, random_state=0, use_gpu=False, **settings)
        started = time.perf_counter()

        def after_epoch(*_):
            nonlocal best, best_s, hit_rate, spent, started
            seconds.append(time.perf_counter() - started)
            spent += seconds[-1]
            if len(seconds) % 3 != 0:
                started = time.perf_counter()
                return
            recall, hits = rank(model.user_factors, model.item_factors, train, wanted)
            if recall > best:
                best, best_s, hit_rate = recall, spent, hits
            started = time.perf_counter()

        model.fit(train, show_progress=False, callback=after_epoch)
        print(json.dumps({"peer": "implicit", "factors": factors, "recall@20": best, "hit_rate@10": hit_rate, "seconds": best_s,
                          "epoch_s": float(np.median(seconds)), **settings}), flush=True)


main()
