"Checks of chapter 22: serving."
from checks import *
from types import SimpleNamespace

def check_devices(devices):
    "Try 1, 2, 3, … devices and take the first number where the first three entries of `table_cost` fit together. What is sent is not kept."
    yield same((devices(10**9, 80e9), devices(10**9, 80e9, state=0, dense=False)), (13, 4), 'with Adam and a dense gradient, and with SGD and a gradient of the batch\'s rows', {
        'this holds the table alone: the optimizer and the gradient need room, too': (4, 4),
        'round up: what is left over needs a device as well': (12, 3),
        'a dense gradient is as large as the table': (10, 4),
        'settings are not handed on to `table_cost`': (13, 13)})
    yield same(devices(1000, 256_000, state=0, dense=False, bs=0), 1, 'a table that just fits', {
        'a table that just fits is not too large': 2})

def _wrong_devices(parts=('table', 'optimizer', 'gradient'), round=np.ceil):
    def devices(n, memory, **kw):
        from collab_lesson.serving import table_cost
        return max(1, int(round(table_cost(n, **kw)[list(parts)].sum()/memory)))
    return devices

wrong_devices = {
    'this holds the table alone': _wrong_devices(parts=('table',)),
    'what is left over needs a device': _wrong_devices(round=np.floor),
    'as large as the table': _wrong_devices(parts=('table', 'optimizer')),
}

class _Cells:
    "What `TopK` with an index does, for three users: the more cells it looks at, the more of the best it finds"
    def __init__(self): self.index = SimpleNamespace(nprobe=3)
    def search(self, users, n, exact=False):
        all_, looked_at = torch.tensor([[9, 8, 7, 6], [5, 9, 2, 1], [3, 4, 8, 9]]), 4 if exact else self.index.nprobe
        found = all_[users][:,:n].clone()
        if not exact: found = torch.where(torch.arange(found.shape[1]) < looked_at, found, -1).roll(1, 1)
        return found, found.float()

def check_nearest_cell_recall(nearest_cell_recall):
    "`top.index.nprobe` says how many cells are looked at. Search twice, the second time with `exact=True`, and give both to `recall_of`."
    yield same(nearest_cell_recall(_Cells(), torch.tensor([0, 2]), 4), .25, 'the share of the true best that lie in one cell', {
        'the index looks at as many cells as before: set `top.index.nprobe` to 1': .75,
        'both lists come from the same search: one has to look at one cell, the other one at all items': 1.,
        'the order in the list does not matter here: an item at another place is found': 0.})

def _wrong_recall(probe=True, exact=False, places=False):
    def nearest_cell_recall(top, users, n=10):
        from collab_lesson.serving import recall_of
        if probe: top.index.nprobe = 1
        found, want = top.search(users, n, exact=exact)[0], top.search(users, n, exact=True)[0]
        return (found==want).float().mean().item() if places else recall_of(found, want)
    return nearest_cell_recall

wrong_nearest_cell_recall = {
    'as many cells as before': _wrong_recall(probe=False),
    'come from the same search': _wrong_recall(exact=True),
    'an item at another place is found': _wrong_recall(places=True),
}

def check_first_too_many(first_too_many):
    "A loop that doubles the connections. Two things end it: a `p99` above the limit, and an answer that failed."
    asked = []
    def load(c, at=None): # one answer after the other, 10 ms each; some wait four times as long
        asked.append(c)
        return dict(requests=1000, errors=[503]*(c==at), n_errors=3*(c==at), a_second=100., p50=10.*c, p99=40.*c)
    got = first_too_many(load, 200)
    yield same(got, 8, 'the first number of connections at which one answer of a hundred takes too long', {
        'this is the median, which half of the callers wait longer than: one of a hundred is `p99`': 32,
        'this is the last number that went well': 4,
        'the limit is in milliseconds, as `p99` is': 1,
        'double the connections, do not add one': 6})
    yield not near(got, 8) or asked == [1, 2, 4, 8], '1, 2, 4, 8 connections were tried', f'the connections were {asked}, and should be doubled from 1'
    yield first_too_many(lambda c: load(c, 2), 1000) == 2, 'errors count as too many', 'answers that fail come quickly: whoever looks at the time alone takes them for good ones'

def _wrong_many(key='p99', errors=True, back=False):
    def first_too_many(load, limit):
        c = 1
        while True:
            res = load(c)
            if res[key] > limit or errors and res['n_errors']: return c//2 if back and not res['n_errors'] else c
            c *= 2
    return first_too_many

wrong_first_too_many = {
    'this is the median': _wrong_many(key='p50'),
    'this is the last number that went well': _wrong_many(back=True),
    'answers that fail come quickly': _wrong_many(errors=False),
}
