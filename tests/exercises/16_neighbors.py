"Checks of chapter 16: neighbors."
from checks import *
from copy import deepcopy
from collab_lesson.ranking import EASE
from collab_lesson.ratings import Ratings, synthetic_ratings
from collab_lesson.training import fit

def check_weighted_guess(weighted_guess):
    "The user's own mean plus a weighted mean of deviations: the weights have to add up to 1."
    w, d = pd.Series(dict(Bo=.5, Eve=0., Cem=1.5)), pd.Series(dict(Bo=1., Cem=-1., Dee=9., Eve=3.))
    yield same(weighted_guess(3., w, d), 2.5, 'the weighted mean of three deviations, on top of the user\'s mean', {
        'every neighbor counts the same: the weights are not used': 4.,
        'this is a deviation: the user\'s own mean is missing': -.5,
        'the sum is not divided by the sum of the weights': 2.})

wrong_weighted_guess = {
    'every neighbor counts the same': lambda mean, weights, deviations: mean + deviations[weights.index].mean(),
    'this is a deviation': lambda mean, weights, deviations: (weights*deviations[weights.index]).sum()/weights.sum(),
    'is not divided': lambda mean, weights, deviations: mean + (weights*deviations[weights.index]).sum(),
}

def check_without_negative(without_negative):
    "`deepcopy` first; `clamp(min=0)` puts a floor under numbers, `clamp(max=0)` a ceiling over them."
    train = Ratings(synthetic_ratings(30, 20, 200), item='movie')
    model = fit(EASE(), train, bar=False).model
    B = model.B.clone()
    got = without_negative(model)
    yield same(got.B, B.clamp(min=0), 'negative weights are 0, the others as they were', {
        'negative weights have become positive: dislike turns into likeness': B.abs(),
        'the negative weights are left, and the others gone': B.clamp(max=0)})
    yield near(model.B, B), 'the fitted model is as it was', 'the fitted model has changed, too: with it, there is nothing to compare any more'

def _wrong_negative(f, copy=True):
    def without_negative(model):
        res = deepcopy(model) if copy else model
        res.B = f(res.B)
        return res
    return without_negative

wrong_without_negative = {
    'have become positive': _wrong_negative(torch.abs),
    'are left, and the others gone': _wrong_negative(lambda B: B.clamp(max=0)),
    'has changed, too': _wrong_negative(lambda B: B.clamp(min=0), copy=False),
}

def check_of_a_tenth(of_a_tenth):
    "`share` is the part that is held out. Split twice: first for the tenth, then within it."
    ratings = Ratings(synthetic_ratings(60, 40, 1000), item='movie')
    a, b = of_a_tenth(ratings)
    pairs = [set(zip(o.users.tolist(), o.items.tolist())) for o in (a, b)]
    yield len(a) < 500, 'a tenth of the ratings', 'these are nine tenths: `share` says how much is held out'
    yield len(b) < 500, 'the part to measure on comes from the tenth as well', 'the other nine tenths are no inner split: they belong to what must not be looked at'
    yield not {o for o in pairs[0] & pairs[1] if min(o)>0}, 'the two parts share no rating', 'the model has seen the ratings that it is measured on'

wrong_of_a_tenth = {
    'these are nine tenths': lambda ratings, seed=3: tuple(ratings.split(share=.1, seed=seed)[0].split(seed=0)),
    'are no inner split': lambda ratings, seed=3: tuple(ratings.split(share=.9, seed=seed)),
    'has seen the ratings': lambda ratings, seed=3: (ratings.split(share=.9, seed=seed)[0].split(seed=0)[0],)*2,
}
