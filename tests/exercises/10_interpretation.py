"Checks of chapter 10: interpretation."
from checks import *

def check_agreement(agreement):
    "Row 1 belongs to `vocab[1]`. `own_mean.loc[…]` puts the means into that order."
    bias, vocab = torch.tensor([9., .1, .5, -.2, .4]), ['#na#', 7, 3, 5, 1]
    mean = pd.Series({1: 3.5, 3: 4.5, 4: 1., 5: 2.5, 7: 3.})
    right = np.corrcoef(bias[1:], mean[[7, 3, 5, 1]])[0,1]
    yield same(agreement(bias, vocab, mean), right, 'the correlation over the users of the vocabulary', {
        'row 0 belongs to nobody: the biases are one row off': np.corrcoef(bias[:-1], mean[[7, 3, 5, 1]])[0,1],
        'the means are in another order than the rows, and have users that the model does not know: look them up by name': np.corrcoef(bias[1:], mean.iloc[:4])[0,1],
        'this is a covariance; it grows with the scale': np.cov(bias[1:], mean[[7, 3, 5, 1]])[0,1]})

wrong_agreement = {
    'one row off': lambda bias, vocab, own_mean: np.corrcoef(bias[:-1], own_mean.loc[vocab[1:]])[0,1],
    'in another order': lambda bias, vocab, own_mean: np.corrcoef(bias[1:], own_mean.iloc[:len(vocab)-1])[0,1],
    'this is a covariance': lambda bias, vocab, own_mean: np.cov(bias[1:], own_mean.loc[vocab[1:]])[0,1],
}

def check_nearest_users(nearest_users):
    "Divide each row by its length; then a product with one row gives all cosines. Nobody is their own neighbor, and row 0 is nobody."
    P = torch.tensor([[1., .1], [1., 0.], [5., 4.], [1., .2], [0., 1.]])
    vocab = ['#na#', 31, 12, 27, 8]
    yield same(list(nearest_users(P, vocab, 31, 2)), [27, 12], 'the names of the users with the largest cosines, nearest first', {
        'the largest products belong to long vectors: divide by the lengths': [12, 27],
        'nobody is their own neighbor': [31, 27],
        'these are row numbers; asked for are the users\' names': [3, 2],
        'row 0 belongs to nobody': ['#na#', 27]})

def _wrong_nearest(unit=True, self_too=False, name=True):
    def nearest_users(factors, vocab, user, n=5):
        P, i = torch.nn.functional.normalize(factors) if unit else factors, list(vocab).index(user)
        s = P@P[i]
        s[0] = -torch.inf
        if not self_too: s[i] = -torch.inf
        return [vocab[j] if name else j for j in s.topk(n).indices.tolist()]
    return nearest_users

wrong_nearest_users = {
    'belong to long vectors': _wrong_nearest(unit=False),
    'their own neighbor': _wrong_nearest(self_too=True),
    'these are row numbers': _wrong_nearest(name=False),
}

def check_quarters(quarters):
    "One permutation of all rows, cut twice."
    a, b = (np.asarray(o) for o in quarters(400, 0))
    yield len(a) == len(b) == 100, 'a quarter of the rows each', f'{len(a)} and {len(b)} rows are no quarters of 400'
    twice = len(set(a)) < len(a)
    yield not twice, 'each row once', 'some rows are in a part twice: draw without replacement'
    yield twice or not set(a) & set(b), 'the two share nothing', 'the parts overlap: two draws do not know of each other'
    yield twice or set(a) & set(b) or (a.max() > 250 and b.min() < 150), 'rows from everywhere', 'the first rows and the next: the table may have an order, so shuffle'

wrong_quarters = {
    'draw without replacement': lambda n, seed=0: tuple(np.random.default_rng(seed).integers(n, size=(2, n//4))),
    'do not know of each other': lambda n, seed=0: tuple(np.random.default_rng(seed+i).permutation(n)[:n//4] for i in (0, 1)),
    'so shuffle': lambda n, seed=0: (np.arange(n//4), np.arange(n//4, n//2)),
}
