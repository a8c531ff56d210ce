"Checks of chapter 22: scale."
from checks import *

def check_folder_size(folder_size):
    "Look at the files: what is stored in the order of users, and what in the order of items? Times stand in one of the two."
    got = folder_size(1000, times=False), folder_size(1000, times=True)
    yield same(got, (16_000, 24_000), '16 bytes a rating, and 8 more with times', {
        'ratings are stored twice, sorted by user and sorted by item': (8_000, 16_000),
        'a time takes 8 bytes: seconds since 1970 soon need more than 31 bits': (16_000, 20_000),
        'each order has only one of the two numbers: that the other one is the same for a whole stretch is stored once a row': (24_000, 32_000),
        'times are needed in the order of users only': (16_000, 32_000),
        'times are counted even if there are none': (24_000, 24_000)})

wrong_folder_size = {
    'stored twice': lambda n, times=True: n*(8 + 8*times),
    'a time takes 8 bytes': lambda n, times=True: n*(16 + 4*times),
    'only one of the two numbers': lambda n, times=True: n*(24 + 8*times),
}

def check_n_piles(n_piles):
    "Go through the rows, and begin a pile whenever the next row does not fit on the last one."
    yield same(n_piles([6, 6, 6], 10), 3, 'no two rows of 6 fit on a pile of 10', {
        'the ratings of a row stay together, so some of a pile can stay empty: the sum, divided and rounded up, is too small': 2})
    yield same(n_piles([5, 5, 5, 5], 10), 2, 'two rows of 5 do', {
        'a pile may be full: `most` ratings are allowed': 4})
    yield same(n_piles([4, 25, 4], 10), 3, 'a row with more than `most` ratings has a pile of its own', {
        'a row with too many ratings is cut into several piles: it cannot be sorted then, and gets one': 5,
        'a row with too many ratings is left out: its ratings have to go somewhere': 1})
    yield same(n_piles([0, 7, 0, 3, 1], 10), 2, 'rows without ratings need no pile of their own', {
        'rows without ratings have got piles of their own': 4})

def _wrong_piles(full=False, cut=False):
    def n_piles(counts, most):
        piles, size = 0, most
        for n in counts:
            if n > most and cut: piles, size = piles + -(-n//most), most
            else:
                if size+n > most-full or not piles: piles, size = piles+1, 0
                size += n
        return piles
    return n_piles

wrong_n_piles = {
    'rounded up, is too small': lambda counts, most: -(-sum(counts)//most),
    'a pile may be full': _wrong_piles(full=True),
    'is cut into several piles': _wrong_piles(cut=True),
}

def check_adagrad_path(adagrad_path):
    "Add up the gradients of a batch. What a step is divided by is the root of 1 and all squares of such sums so far, this one included."
    g, lr = torch.tensor([1., 2., 5., -1., 0., 2.]), .1
    sums = torch.tensor([3., 4., 2.])
    path = lambda step: -(lr*step).cumsum(0)
    yield same(adagrad_path(g, 2, lr), path(sums/torch.tensor([10., 26., 30.]).sqrt()), 'the weight after each of three steps', {
        'this takes the mean of a batch: `fit_shards` adds up': path(sums/2/torch.tensor([3.25, 7.25, 8.25]).sqrt()),
        'this squares each rating\'s gradient by itself: `seen` gets the square of the sum': path(sums/torch.tensor([6., 32., 36.]).sqrt()),
        'each step forgets what the ones before have seen: squares are added up from the start': path(sums/(1+sums**2).sqrt()),
        'the root is missing': path(sums/torch.tensor([10., 26., 30.])),
        'a step is divided by what has been seen, its own gradient included': path(sums/torch.tensor([1., 10., 26.]).sqrt()),
        '`seen` starts at 1': path(sums/torch.tensor([9., 25., 29.]).sqrt()),
        'the weight climbs: a step goes against the gradient': -path(sums/torch.tensor([10., 26., 30.]).sqrt()),
        'these are the steps: add them up': -lr*sums/torch.tensor([10., 26., 30.]).sqrt()})

def _wrong_path(mean=False, single=False, forget=False):
    def adagrad_path(g, bs, lr):
        parts = g.view(-1, bs)
        total = parts.mean(1) if mean else parts.sum(1)
        square = parts.square().sum(1) if single else total.square()
        return -(lr*total/(1 + (square if forget else square.cumsum(0))).sqrt()).cumsum(0)
    return adagrad_path

wrong_adagrad_path = {
    'this takes the mean of a batch': _wrong_path(mean=True),
    'each rating\'s gradient by itself': _wrong_path(single=True),
    'forgets what the ones before have seen': _wrong_path(forget=True),
}
