"Checks of chapter 21: where the time goes."
from checks import *
import time

def check_seconds_per_call(seconds_per_call):
    "Time a row of calls together, divide by their number, and take the best of several such rows."
    calls = []
    def f():
        calls.append(0)
        time.sleep(.1 if len(calls) == 1 else .002)
    got = seconds_per_call(f, n=5, repeats=6)
    n = len(calls)
    why = f'a call takes 2 ms after the first, and this is {got*1e3:.3g} ms'
    if n < 30: why = f'{n} calls are not 5 in each of 6 repeats: one row can be hit by anything else that the machine does'
    elif got > 1: why = 'these are milliseconds or microseconds: give seconds'
    elif got > .0095: why = 'the seconds of the whole row: divide by the number of calls'
    elif got > .005: why = 'the slow first call counts in a mean: take the best of the repeats'
    yield n >= 30 and .0019 < got < .004, 'seconds for one call, once it is warm', why

def _wrong_seconds(divide=True, pick=min, unit=1):
    def seconds_per_call(f, n=100, repeats=7):
        rows = []
        for _ in range(repeats):
            start = time.perf_counter()
            for _ in range(n): f()
            rows.append(time.perf_counter() - start)
        return pick(rows)/(n if divide else 1)*unit
    return seconds_per_call

wrong_seconds_per_call = {
    'divide by the number of calls': _wrong_seconds(divide=False),
    'take the best of the repeats': _wrong_seconds(pick=lambda rows: sum(rows)/len(rows)),
    'give seconds': _wrong_seconds(unit=1e6),
}

def check_optimizer_traffic(optimizer_traffic):
    "Whole batches in an epoch, times epochs; each step reads and writes seven numbers of four bytes for each parameter."
    steps, gb = optimizer_traffic(100_000, 2048, 3, 1_000_000)
    yield same((steps, gb), (144, 144*28e6/1e9), 'steps, and gigabytes', {
        'the last batch is not full, and the loader drops it: round down': (147, 147*28e6/1e9),
        'this is one epoch': (48, 48*28e6/1e9),
        'a float32 has four bytes': (144, 144*7e6/1e9)})

wrong_optimizer_traffic = {
    'the loader drops it': lambda n_ratings, bs, n_epoch, n_params: (n_epoch*-(-n_ratings//bs), n_epoch*-(-n_ratings//bs)*n_params*28/1e9),
    'this is one epoch': lambda n_ratings, bs, n_epoch, n_params: (n_ratings//bs, n_ratings//bs*n_params*28/1e9),
    'has four bytes': lambda n_ratings, bs, n_epoch, n_params: (n_epoch*(n_ratings//bs), n_epoch*(n_ratings//bs)*n_params*7/1e9),
}
