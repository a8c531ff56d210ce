"Checks of chapter 20: sequences."
from checks import *
from collab_lesson.ratings import Ratings
from collab_lesson.sequences import histories

def check_shrunk_step(shrunk_step):
    "β imaginary steps are added: to all steps from this film, and to those towards A as many as A's share says."
    got = shrunk_step(3, 4, .01, 10)
    yield same(got, 3.1/14, 'counts, shrunk to popularity', {
        'this is the plain share of the steps: the imaginary ones are missing': 3/4,
        'the imaginary steps are missing below: they are steps from this film, too': 3.1/4,
        'all imaginary steps lead to A: only its share of them does': 13/14,
        'the imaginary steps are missing above: some of them lead to A': 3/14})
    if near(got, 3.1/14): yield same(shrunk_step(0, 0, .2, 10), .2, 'a film that was never left: popularity alone')

wrong_shrunk_step = {
    'this is the plain share': lambda count, total, share, beta: count/total,
    'missing below': lambda count, total, share, beta: (count+beta*share)/total,
    'all imaginary steps lead to A': lambda count, total, share, beta: (count+beta)/(total+beta),
}

def _three():
    "Histories of three users, whose rows are in no order"
    rows = [(2, 5, 40), (1, 7, 3), (1, 5, 1), (3, 9, 90), (2, 7, 20), (1, 9, 2), (2, 9, 10), (3, 6, 95), (2, 6, 30)]
    return Ratings(pd.DataFrame([(u, i, 1 + t%5, t) for u,i,t in rows], columns=['user', 'item', 'rating', 't']), time='t')

def check_turned_around(turned_around):
    "The order comes from the times: what is larger for a later rating has to be smaller now. `_like(slice(None), times=…)` gives a copy with other times."
    r, untouched = _three(), _three()
    got = turned_around(r)
    told = lambda o: [[int(i) for i in a] for a in np.split(histories(o)[1], histories(o)[0][1:-1])]
    want = [o[::-1] for o in told(untouched)]
    why = f'the histories are {told(got)}, not {want}'
    if told(got) == told(untouched): why = 'only the rows are in another order: `histories` goes by the times, and these are the old ones'
    elif told(got) == told(untouched._like(slice(None), times=untouched.times[::-1])): why = 'the times are those of other ratings now, of other users even: this mixes the order and does not reverse it'
    yield told(got) == want, 'everybody\'s last item is the first', why
    yield near(r.times, untouched.times), 'the ratings that you were given are as they were', 'the ratings that you were given have been turned, too: nothing that runs later knows the true order'

def _wrong_turn(ratings):
    ratings.times *= -1
    return ratings

wrong_turned_around = {
    'only the rows are in another order': lambda ratings: ratings[np.arange(len(ratings))[::-1]],
    'the times are those of other ratings': lambda ratings: ratings._like(slice(None), times=ratings.times[::-1]),
    'have been turned, too': _wrong_turn,
}

def check_mixed(mixed):
    "Standardize along the items, so that each user has mean 0 and standard deviation 1 in both models; only then weigh them."
    g = torch.Generator().manual_seed(0)
    a = torch.randn(3, 6, generator=g)*torch.tensor([[1.], [5.], [.2]]) + 2
    b = torch.randn(3, 6, generator=g)*torch.tensor([[30.], [1.], [9.]]) - 7
    unit = lambda z, axis=1: (z-z.mean(axis, keepdim=True))/z.std(axis, keepdim=True)
    lists = lambda z: unit(torch.as_tensor(z))  # a list stays the same if all scores of a user are stretched or moved
    yield same(lists(mixed(a, b, .25)), lists(.75*unit(a)+.25*unit(b)), 'both models count as much as their weights say, for each user', {
        'the scores are not standardized: the model with the larger numbers decides': lists(.75*a+.25*b),
        'this standardizes each item over the users: a popular item is no better than a rare one then, so go along the items': lists(.75*unit(a, 0)+.25*unit(b, 0)),
        'this standardizes the whole table: users whose scores spread little are hardly heard': lists(.75*unit(a, (0, 1))+.25*unit(b, (0, 1))),
        'the weights are exchanged: `w` belongs to the second model': lists(.25*unit(a)+.75*unit(b))})

def _wrong_mix(axis=1, swap=False):
    def mixed(a, b, w):
        if swap: a, b = b, a
        if axis is not None: a, b = ((z-z.mean(axis, keepdim=True))/z.std(axis, keepdim=True) for z in (a, b))
        return (1-w)*a + w*b
    return mixed

wrong_mixed = {
    'the scores are not standardized': _wrong_mix(axis=None),
    'go along the items': _wrong_mix(axis=0),
    'the weights are exchanged': _wrong_mix(swap=True),
}
