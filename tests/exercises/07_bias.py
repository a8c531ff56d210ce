"Checks of chapter 7: bias."
from checks import *

def check_choose_damping(choose_damping):
    "Two parts of the training ratings: fit on the larger, square the errors on the other, and take the damping with the lowest mean."
    calls = []
    def baseline(inner, damping):
        calls.append([inner])
        def predict(df):
            calls[-1].append(df)
            return df.rating.to_numpy() + {0: np.where(np.arange(len(df))%2, 1., -1.), 5: .5, 100: .8}[damping]
        return predict
    train = pd.DataFrame(dict(user=np.arange(100)%10, title=np.arange(100)//10, rating=3.), index=np.arange(1000, 1100))
    got = choose_damping(train, (0, 5, 100), baseline)
    inner, held = calls[0][0], calls[0][1]
    apart = not set(inner.index) & set(held.index) if len(inner) < 100 else False
    yield apart, 'the errors are measured on ratings that the fit has not seen', 'the errors are measured on ratings that the fit has seen: there, the least damping always looks best'
    yield not apart or len(inner) > len(held), 'the larger part is for fitting', 'the parts are exchanged: a fit on the smaller part needs more damping than one on all ratings'
    yield same(got, 5, 'the damping with the lowest mean squared error', {'errors of both signs cancel in a mean: square them first': 0})

def _wrong_choice(held_out=True, exchanged=False, square=True):
    def choose_damping(train, values, baseline):
        from collab_lesson.ratings import split_ratings
        a, b = split_ratings(train, seed=1)
        if exchanged: a, b = b, a
        inner, held = (train.iloc[a], train.iloc[b]) if held_out else (train, train)
        error = lambda d: baseline(inner, damping=d)(held) - held.rating
        return min(values, key=lambda d: (error(d)**2).mean() if square else error(d).mean()**2)
    return choose_damping

wrong_choose_damping = {
    'that the fit has seen: there': _wrong_choice(held_out=False),
    'parts are exchanged': _wrong_choice(exchanged=True),
    'of both signs cancel': _wrong_choice(square=False),
}

def check_stop_early(stop_early):
    "The inner loss chooses; then one more run, on all training ratings, gives the loss to report."
    losses = dict(inner={1: .9, 2: .8, 3: .85}, full={1: .88, 2: .83, 3: .81})
    yield same(stop_early(lambda data, n: losses[data][n], 'inner', 'full', (1, 2, 3)), (2, .83), 'chosen on the inner part, reported on the other', {
        'the number of epochs was chosen by the loss that is reported: that loss is too low then': (3, .81),
        'the loss that chose is reported: take a new run on all training ratings': (2, .8),
        'this is the number of epochs with the highest loss': (1, .88)})

wrong_stop_early = {
    'chosen by the loss that is reported': lambda train_for, inner, full, candidates: (n := min(candidates, key=lambda n: train_for(full, n)), train_for(full, n)),
    'the loss that chose is reported': lambda train_for, inner, full, candidates: (n := min(candidates, key=lambda n: train_for(inner, n)), train_for(inner, n)),
    'with the highest loss': lambda train_for, inner, full, candidates: (n := max(candidates, key=lambda n: train_for(inner, n)), train_for(full, n)),
}

def check_alternate(alternate):
    "Each step is a damped mean: the sum of what the other biases leave, divided by λ plus the number of ratings."
    t = pd.DataFrame([(1, 'A', 5), (1, 'B', 4), (2, 'A', 4), (2, 'C', 1), (3, 'A', 5), (3, 'B', 2), (3, 'C', 1)], columns=['user', 'title', 'rating'])
    bi, bu = alternate(t, 100, lam=1)
    left = t.rating - t.rating.mean() - t.title.map(bi) - t.user.map(bu)
    users, items = left.groupby(t.user).sum(), left.groupby(t.title).sum()
    fine = near(users, bu.reindex(users.index))
    yield fine, 'each user\'s bias is the damped mean of what the items leave', (
        'λ is left out: these are plain means' if near(users, 0*users) else 'a user\'s bias explains what the items leave, not the whole deviation from the mean')
    yield not fine or near(items, bi.reindex(items.index)), 'each item\'s bias is the damped mean of what the users leave', 'the users\' biases do not flow back: compute the items again, from what the users leave'

def _wrong_alternate(back=True, damp=True, left=True):
    def alternate(train, n, lam=5):
        d = train.rating - train.rating.mean()
        damped = lambda resid, by: resid.groupby(by).sum()/(lam*damp + by.value_counts())
        bu = pd.Series(0., train.user.unique())
        for _ in range(n if back else 1):
            bi = damped(d - train.user.map(bu)*left, train.title)
            bu = damped(d - train.title.map(bi)*left, train.user)
        return bi, bu
    return alternate

wrong_alternate = {
    'do not flow back': _wrong_alternate(back=False),
    'λ is left out': _wrong_alternate(damp=False),
    'not the whole deviation': _wrong_alternate(left=False),
}
