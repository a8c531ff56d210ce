"Checks of chapter 23: a system, a frontier, an honest search."
from checks import *

def check_blend_of(blend_of):
    "The parts are fitted when the blend is; only answers are averaged, and only when it is asked."
    fitted = []
    def part(level):
        def system(t, seed):
            fitted.append((level, seed))
            return lambda: np.array([level, level + seed], float)
        return system
    answer = blend_of(part(1), part(4))('task', 7)
    yield fitted == [(1, 7), (4, 7)], 'both parts are fitted, with the seed that the blend got', (
        'nothing was fitted before the question: fit when the system is called, or its fitting counts as answering' if not fitted
        else f'the parts got the seeds {[s for _,s in fitted]}, not the one that the blend got, 7')
    yield same(answer(), [2.5, 9.5], 'the mean of the answers', {
        'this is the sum of the answers: divide by their number': [5., 19.]})

def _late(*systems):
    def blend(t, seed): return lambda: np.mean([o(t, seed)() for o in systems], axis=0)
    return blend

def _own_seed(*systems):
    def blend(t, seed):
        parts = [o(t, n) for n,o in enumerate(systems)]
        return lambda: np.mean([o() for o in parts], axis=0)
    return blend

def _sum(*systems):
    def blend(t, seed):
        parts = [o(t, seed) for o in systems]
        return lambda: sum(o() for o in parts)
    return blend

wrong_blend_of = {'fit when the system is called': _late, 'not the one that the blend got': _own_seed, 'divide by their number': _sum}

def check_frontier(frontier):
    "Sort by cost; a point stays if its error is the lowest so far; then put the mask back into the order you were given."
    cost, error = np.array([3., 1., 2., 5., 4.]), np.array([.5, .9, .7, .2, .6])
    yield same(np.asarray(frontier(cost, error)).tolist(), [True, True, True, True, False], 'the points that no other beats', {
        'this mask is in the order of the costs: put it back into the order of the arguments': [True, True, True, False, True],
        'these are running minima in the order given: sort by cost first': [True, False, False, True, False],
        'these are the points with the highest error so far: less is better': [False, True, False, False, False]})

def _in_order(cost, error):
    e = error[cost.argsort()]
    return e == np.minimum.accumulate(e)

def _highest(cost, error):
    order, kept = cost.argsort(), np.zeros(len(cost), bool)
    kept[order] = error[order] == np.maximum.accumulate(error[order])
    return kept

wrong_frontier = {
    'put it back into the order of the arguments': _in_order,
    'sort by cost first': lambda cost, error: error == np.minimum.accumulate(error),
    'less is better': _highest,
}

def check_reported(reported):
    "The inner part chooses, the test part is looked at once, for the choice."
    yield same(reported([.93, .90, .91], [.94, .925, .92]), .925, 'the test error of the setting that the inner part chose', {
        'this is the lowest test error: then the test has chosen, and the number is too good': .92,
        'this is the inner error of the choice, which was chosen for being low: report its test error': .90,
        'this is the mean over all settings tried: a search reports one, its choice': float(np.mean([.94, .925, .92]))})

wrong_reported = {
    'then the test has chosen': lambda inner, test: min(test),
    'report its test error': lambda inner, test: min(inner),
    'a search reports one': lambda inner, test: float(np.mean(test)),
}
