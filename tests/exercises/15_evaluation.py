"Checks of chapter 15: evaluation."
from checks import *
from collab_lesson.ratings import Ratings

def check_interval_width(interval_width):
    "`bootstrap_users` gives `low` and `high`; `sample` draws a share of the users."
    gains = pd.Series(np.random.default_rng(0).normal(.3, .2, 900))
    got = float(interval_width(gains, 1/9))
    want = 2*1.96*.2/10
    why = f'with 100 users of standard deviation .2 the interval is about {want:.3f} wide, and this is {got:.3f}'
    for times,message in {1/3: 'all users take part: draw the share first', 1/2: 'this is the way from the mean to one end; the interval has two ends', 10: 'this is how far users lie apart, not how sure their mean is: that shrinks with the root of their number'}.items():
        if abs(got/want/times - 1) < .2: why = message
    yield abs(got/want - 1) < .2, 'a ninth of the users, an interval three times as wide', why

def _wrong_width(f):
    def interval_width(gains, share, seed=0):
        from collab_lesson.evaluation import bootstrap_users
        return f(gains, share, lambda g: float((o := bootstrap_users(g)).high.iloc[0] - o.low.iloc[0]))
    return interval_width

wrong_interval_width = {
    'all users take part': _wrong_width(lambda g, share, width: width(g)),
    'two ends': _wrong_width(lambda g, share, width: width(g.sample(frac=share, random_state=0))/2),
    'how far users lie apart': _wrong_width(lambda g, share, width: float(np.diff(g.quantile([.025, .975]))[0])),
}

def check_tied_gain(tied_gain):
    "Each of the places from `above` to `above + tied` is equally likely."
    gain = lambda place: np.where(np.asarray(place)<10, 1/np.log2(np.asarray(place)+2.), 0)
    yield same(tied_gain(3, 4), gain(np.arange(3, 8)).mean(), 'the mean over five places', {
        'the best of the places: ties are broken in favor of the item': gain(3),
        'the worst of the places: ties are broken against the item': gain(7),
        'the gain of the mean place is less than the mean of the gains: the curve is bent': gain(5),
        'the item itself has a place, too: five places, not four': gain(np.arange(3, 7)).mean()})
    yield same(tied_gain(12, 3), 0, 'beyond the tenth place there is nothing to gain')

_wrong_gain = lambda place: float(np.where(place<10, 1/np.log2(place+2.), 0))
wrong_tied_gain = {
    'in favor of the item': lambda above, tied: _wrong_gain(above),
    'against the item': lambda above, tied: _wrong_gain(above + tied),
    'the curve is bent': lambda above, tied: _wrong_gain(above + tied/2),
}

def check_recent(recent):
    "Age in days, from the newest rating of the training part; `np.bincount` takes weights."
    day = 86400
    train = Ratings(pd.DataFrame(dict(user=[1, 2, 1, 2], item=['A', 'A', 'B', 'C'], rating=4., time=[20*day, 20*day, 10*day, 0])), time='time')
    model = recent(train, 10)
    a, b, c = (model.count[train.item_names.rows([o])].item() for o in 'ABC')
    yield same(b/a, .25, 'a rating that is one half-life old counts half', {
        'this is e to the power, which falls to .37: a half-life halves': np.exp(-1)/2,
        'the ages are in seconds: times are, and the half-life is in days': 0.,
        'the older counts the more: age runs back from the newest rating': 1.})
    yield near(a, 2) or not near(b/a, .25), 'a new one counts as 1', f'two ratings of this moment count as {a:.3g}'

def _wrong_recent(weight):
    def recent(train, days):
        from collab_lesson.ranking import Popularity
        from collab_lesson.training import fit
        model = fit(Popularity(), train, bar=False).model
        model.count = torch.from_numpy(np.bincount(train.items, weight(train.times.max() - train.times, days), train.n_items)).float()
        return model
    return recent

wrong_recent = {
    'a half-life halves': _wrong_recent(lambda age, days: np.exp(-age/86400/days)),
    'ages are in seconds': _wrong_recent(lambda age, days: .5**(age/days)),
    'counts the more': _wrong_recent(lambda age, days: .5**(-age/86400/days)),
}
