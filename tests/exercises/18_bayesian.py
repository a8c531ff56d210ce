"Checks of chapter 18: the Bayesian view."
from checks import *
from collab_lesson.ratings import Ratings, synthetic_ratings

def check_interval_width(interval_width):
    "Add to each draw a random number with the noise of that draw; then take the quantiles .1 and .9 over the draws."
    g = torch.Generator().manual_seed(0)
    f = 3.5 + torch.randn(4000, 20, generator=g)
    got = torch.as_tensor(interval_width(f, torch.full((4000, 20), 4.)))
    yield got.shape == (20,), 'a width for each pair', f'the widths have shape {tuple(got.shape)}, and (20,) is needed: quantiles go over the draws'
    w, why = got.mean().item(), ''
    for width,message in {2*1.2816: 'this is how sure the mean is; ratings scatter around it, so add the noise', 2*1.2816*17**.5: 'the noise is a variance: its root is the standard deviation', 2*.8416*5**.5: 'between the quantiles .2 and .8 lie 60 %, not 80'}.items():
        if abs(w/width-1) < .06: why = message
    yield abs(w/(2*1.2816*5**.5) - 1) < .06, 'an interval for 80 % of the ratings', why or f'the width is {w:.2f}; with variances 1 and 4 it has to be near {2*1.2816*5**.5:.2f}'

def _wrong_interval(root=True, add=True, q=.1):
    def interval_width(f, noise):
        y = f + torch.randn(f.shape, generator=torch.Generator().manual_seed(1))*(noise.sqrt() if root else noise) if add else f
        return y.quantile(1-q, dim=0) - y.quantile(q, dim=0)
    return interval_width

wrong_interval_width = {
    'so add the noise': _wrong_interval(add=False),
    'the noise is a variance': _wrong_interval(root=False),
    'not 80': _wrong_interval(q=.2),
}

def check_winners(winners):
    "Hide row 0 and what is seen in every draw, and take the best of each draw for itself."
    score = torch.tensor([[9., 8., 3., 2., 0.], [9., 8., 0., 3., 2.], [9., 8., 0., 1., 2.9]])
    yield same(winners(score, torch.tensor([1])), torch.tensor([2, 3, 4]), 'each draw has its own favorite', {
        'this is the favorite of the mean over all draws: Thompson sampling asks one draw at a time': torch.tensor([3, 3, 3]),
        'what the user has seen already wins': torch.tensor([1, 1, 1]),
        'row 0 is nobody\'s item, and cannot be recommended': torch.tensor([0, 0, 0])})

def _wrong_winners(hide=(0,), seen_too=True, mean=False):
    def winners(score, seen):
        s = score.clone()
        s[:,list(hide)] = -torch.inf
        if seen_too: s[:,seen] = -torch.inf
        return (s.mean(0, keepdim=True).expand_as(s) if mean else s).argmax(1)
    return winners

wrong_winners = {
    'mean over all draws': _wrong_winners(mean=True),
    'has seen already wins': _wrong_winners(seen_too=False),
    'nobody\'s item': _wrong_winners(hide=()),
}

def check_steadiness(steadiness):
    "Mean over the draws, then the root; then the correlation over the users who have rated enough."
    noise = torch.tensor([[1., 4., 9., .25, 1.], [3., 4., 7., .75, 9.]])
    mse, count = torch.tensor([2.5, 3., 10., .3, .1]), torch.tensor([30, 20, 25, 40, 3])
    sd, on = noise.mean(0).sqrt(), torch.tensor([True, True, True, True, False])
    r = lambda a, b, k=on: np.corrcoef(a[k], b[k])[0,1]
    every = torch.ones(5, dtype=bool)
    yield same(float(steadiness(noise, mse, count)), r(sd, mse.sqrt()), 'the correlation of standard deviation and error, over users with at least 20 ratings', {
        'users with few ratings take part: their error on training says little': r(sd, mse.sqrt(), every),
        'a variance is compared with a mean squared error: take the root of both, as one outlier rules otherwise': r(noise.mean(0), mse),
        'a precision is one over a variance: where the error is large it is small': r(1/sd, mse.sqrt())})

wrong_steadiness = {
    'few ratings take part': lambda noise, mse, count: float(np.corrcoef(noise.mean(0).sqrt(), mse.sqrt())[0,1]),
    'take the root of both': lambda noise, mse, count: float(np.corrcoef(noise.mean(0)[count>=20], mse[count>=20])[0,1]),
    'a precision is': lambda noise, mse, count: float(np.corrcoef(1/noise.mean(0).sqrt()[count>=20], mse.sqrt()[count>=20])[0,1]),
}

def check_rmse_by_size(rmse_by_size):
    "A new model for each number of factors; its `Run` has the mean squared error on the validation part."
    df = synthetic_ratings(20, 30, 300)
    train, valid = Ratings(df, item='movie').split()
    got = rmse_by_size(train, valid, (1, 4), 25)
    yield same(list(got), [1, 4], 'a number for each size')
    yield got[1] != got[4], 'each size has a model of its own', 'all sizes give the same number: hand the size on to the model'
    from collab_lesson.bayesian import BayesianMF
    from collab_lesson.training import fit
    mse = fit(BayesianMF(4, n_sweeps=25), train, valid=valid, bar=False).valid_loss
    seen = fit(BayesianMF(4, n_sweeps=25), train, valid=train, bar=False).valid_loss**.5
    ok, right, why = same(got[4], mse**.5, 'the root mean squared error of the validation part', {
        'this is the mean squared error: take its root': mse, 'this is the error on the training part: it falls with every factor': seen})
    yield ok or got[1] == got[4], right, why

def _wrong_sizes(power=.5, given=True, seen=False):
    def rmse_by_size(train, valid, sizes, n_sweeps=60):
        from collab_lesson.bayesian import BayesianMF
        from collab_lesson.training import fit
        return {k: fit(BayesianMF(k if given else 10, n_sweeps=n_sweeps), train, valid=train if seen else valid, bar=False).valid_loss**power for k in sizes}
    return rmse_by_size

wrong_rmse_by_size = {
    'take its root': _wrong_sizes(power=1),
    'hand the size on': _wrong_sizes(given=False),
    'error on the training part': _wrong_sizes(seen=True),
}
