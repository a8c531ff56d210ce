"Checks of chapter 14: ranking."
from checks import *
from itertools import product

def check_two_stages(two_stages):
    "Hide what is seen, take the n best of the first model, and copy the second model's scores at these places into a table of -inf."
    first, second = torch.tensor([[5., 4., 3., 2., 1.]]), torch.tensor([[1., 2., 3., 4., 9.]])
    no = -torch.inf
    yield same(two_stages(first, second, torch.tensor([[True, False, False, False, False]]), n=2), torch.tensor([[no, 2., 3., no, no]]), 'the first model chooses, the second orders', {
        'films that the person has seen take places among the n: hide them before you choose': torch.tensor([[1., 2., no, no, no]]),
        'the stages are exchanged: here the second model chooses': torch.tensor([[no, no, no, 2., 1.]]),
        'films that were not chosen keep their scores: they have to be -inf': torch.tensor([[no, 2., 3., 4., 9.]])})

def _wrong_stages(hide=True, swap=False, choose=True):
    def two_stages(first, second, seen, n=20):
        if swap: first, second = second, first
        if not choose: return second.masked_fill(seen, -torch.inf)
        top = (first.masked_fill(seen, -torch.inf) if hide else first).topk(n).indices
        return torch.full_like(first, -torch.inf).scatter(1, top, second.gather(1, top))
    return two_stages

wrong_two_stages = {
    'hide them before you choose': _wrong_stages(hide=False),
    'stages are exchanged': _wrong_stages(swap=True),
    'have to be -inf': _wrong_stages(choose=False),
}

def check_discount(discount):
    "The power lies on the popularity alone. Whatever has been watched by nobody would be divided by zero."
    got = discount(torch.tensor([4., 4., 4.]), torch.tensor([0., 3., 15.]), power=.5)
    yield same(got[1:], torch.tensor([2., 1.]), 'a film watched 15 times loses three quarters of its score at power .5', {
        'the whole popularity divides: the power is left out': torch.tensor([1., .25]),
        'popular films gain: divide, do not multiply': torch.tensor([8., 16.])})
    yield same(got[0], 4., 'a film that nobody has watched keeps its score', {
        'a film that nobody has watched gets an infinite score, and with it a place in every list: add one to each count': torch.inf})

wrong_discount = {
    'power is left out': lambda scores, counts, power=.3: scores/(1+counts),
    'do not multiply': lambda scores, counts, power=.3: scores*(1+counts)**power,
    'an infinite score': lambda scores, counts, power=.3: scores/counts**power,
}

def check_dropout_cost(dropout_cost):
    "The mean of a square is the square of the mean plus the variance. An entry that is kept with probability 1-p and divided by it has variance p/(1-p)."
    X, B, p = torch.tensor([[1., 0., 1.], [1., 1., 0.]]), torch.tensor([[0., .5, -1.], [.2, 0., 2.], [1., -.3, 0.]]), .2
    mean = 0
    for o in product((0, 1), repeat=6):
        M = torch.tensor(o).view(2, 3).float()
        mean = mean + (1-p)**M.sum()*p**(6-M.sum())*((X - (M*X)@B/(1-p))**2).sum()
    ridge = lambda factor, axis: ((X-X@B)**2).sum() + factor*((X*X).sum(0)*(B*B).sum(axis)).sum()
    yield same(dropout_cost(X, B, p), mean, 'the mean over all 64 masks', {
        'the factor is p/(1-p), not p: what is kept is divided by 1-p': ridge(p, 1),
        'the ridge of an item lies on its row of B, by which it explains others, not on its column': ridge(p/(1-p), 0),
        'the factor is upside down: no dropout means no ridge': ridge((1-p)/p, 1)})

def _wrong_cost(factor, axis=1): return lambda X, B, p: ((X-X@B)**2).sum() + factor(p)*((X*X).sum(0)*(B*B).sum(axis)).sum()

wrong_dropout_cost = {
    'p/(1-p), not p': _wrong_cost(lambda p: p),
    'not on its column': _wrong_cost(lambda p: p/(1-p), 0),
    'upside down': _wrong_cost(lambda p: (1-p)/p),
}
