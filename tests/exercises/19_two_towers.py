"Checks of chapter 19: two towers."
from checks import *
from itertools import product
from torch.nn import functional as F
from collab_lesson.ranking import evaluate
from collab_lesson.ratings import Ratings, synthetic_ratings
from collab_lesson.training import fit

def check_repaired(repaired):
    "Training without correction ends at log p - log q, plus a number for each user. Put log q back, and make each user's probabilities add up to 1."
    p = torch.tensor([[.5, .3, .2], [.1, .6, .3]])
    log_q = torch.tensor([.7, .2, .1]).log()
    scores = p.log() - log_q + torch.tensor([[3.], [-1.]])
    yield same(repaired(scores, log_q), p.log(), 'the log-probabilities of each user\'s items', {
        'log q is taken off a second time: training has taken it off already, so add it': (scores-log_q).log_softmax(1),
        'this adds q itself: scores are logarithms, so add the logarithm of q': (scores+log_q.exp()).log_softmax(1),
        'the softmax runs over users: a user chooses among items': (scores+log_q).log_softmax(0),
        'these are probabilities: give their logarithms': p,
        'nothing makes the probabilities of a user add up to 1': scores+log_q})

wrong_repaired = {
    'taken off a second time': lambda scores, log_q: (scores-log_q).log_softmax(1),
    'add the logarithm of q': lambda scores, log_q: (scores+log_q.exp()).log_softmax(1),
    'a user chooses among items': lambda scores, log_q: (scores+log_q).log_softmax(0),
}

def check_ndcg_by_size(ndcg_by_size):
    "New towers for each number of factors: `fit` them on one part, `evaluate` them on the other."
    from collab_lesson.two_towers import TwoTowers
    train, valid = Ratings(synthetic_ratings(60, 50, 900), item='movie').split()
    got = ndcg_by_size(train, valid, [2, 16], 3)
    result = lambda k, part: evaluate(fit(TwoTowers(n_factors=k, n_epoch=3), part, bar=False).model, valid)
    yield same(list(got), [2, 16], 'a number for each size')
    yield got[2] != got[16], 'each size has towers of its own', 'all sizes give the same number: hand the size on to the towers'
    if got[2] == got[16]: return
    want = result(2, train)
    yield same(got[2], want.nDCG, 'the nDCG on the ratings that were held out', {
        'the towers have been trained on the ratings that they are measured on': result(2, valid).nDCG,
        'this is the recall, which does not ask how high in the list an item stands': want.recall,
        'this is the precision, which does not ask how high in the list an item stands': want.precision})

def _wrong_sizes(given=True, leak=False, metric='nDCG'):
    def ndcg_by_size(train, valid, sizes, n_epoch=3):
        from collab_lesson.two_towers import TwoTowers
        return {k: evaluate(fit(TwoTowers(n_factors=k if given else 8, n_epoch=n_epoch), valid if leak else train, bar=False).model, valid)[metric] for k in sizes}
    return ndcg_by_size

wrong_ndcg_by_size = {
    'hand the size on': _wrong_sizes(given=False),
    'trained on the ratings that they are measured on': _wrong_sizes(leak=True),
    'this is the recall': _wrong_sizes(metric='recall'),
}

def check_uniform_softmax(uniform_softmax):
    "`torch.randint` draws from all items. Put each row's own item in front of the drawn ones, `gather` their scores, and say that column 0 is the right one."
    loss = lambda scores, own: float(uniform_softmax(scores, own, 3, torch.Generator().manual_seed(0)))
    rows = torch.tensor([0, 1, 2, 3])
    equal = loss(torch.zeros(4, 6), rows)
    yield same(equal, np.log(4), 'with equal scores the own item is one of four', {
        'this is a mean of pairs, as in BPR: a softmax has the own item and all that are drawn in one sum': np.log(2),
        'this is a sum of pairs, as in BPR: a softmax has the own item and all that are drawn in one sum': 3*np.log(2),
        'the own item is not in the sum': np.log(3),
        'this is the sum over the rows: give the mean': 4*np.log(4)})
    if not near(equal, np.log(4)): return
    s, own = torch.tensor([4., 1., 0., 4., 1., -3.]), 2
    got = loss(s.expand(8000, 6), torch.full((8000,), own))
    some = lambda items: [s[[own, *o]] for o in product(items, repeat=3)]
    mean = lambda values: float(torch.stack(values).mean())
    want = [mean([o.logsumexp(0)-o[0] for o in some(items)]) for items in (range(6), (0, 1, 3, 4, 5))] # with the own item among those drawn, or without
    about = lambda values: any(abs(got/o-1)<.03 for o in values)
    why = f'the mean loss is {got:.3f}, and has to be near {want[0]:.3f}'
    if about([np.log(4)]): why = 'what is drawn comes from the batch, where popular items are: draw from all items alike'
    elif about([mean([o.logsumexp(0)-o[own] for o in some(range(6))])]): why = 'the number of the own item is no column here: the right answer stands in column 0'
    yield about(want), 'each item is drawn as often as any other', why

def _wrong_softmax(pairs=False, batch=False, column=False):
    def uniform_softmax(scores, own, n, gen):
        others = torch.randint(len(own) if batch else scores.shape[1], (len(own), n), generator=gen)
        if batch: others = own[others]
        items = torch.cat([own[:,None], others], 1)
        s = scores.gather(1, items)
        if pairs: return -F.logsigmoid(s[:,:1]-s[:,1:]).mean()
        return F.cross_entropy(s, own if column else torch.zeros_like(own))
    return uniform_softmax

wrong_uniform_softmax = {
    'a mean of pairs, as in BPR': _wrong_softmax(pairs=True),
    'draw from all items alike': _wrong_softmax(batch=True),
    'stands in column 0': _wrong_softmax(column=True),
}
