"Checks of chapter 1: data. In each `wrong_…`, the misconception that the message names, and an answer that has it."
from checks import *

def _table(*rows, columns=('user', 'movie', 'rating')): return pd.DataFrame(list(rows), columns=list(columns))

def check_density(density):
    "How many cells would a full table of these users and films have? Count each user and each film once."
    t = _table((5, 10, 1), (5, 20, 4), (9, 10, 5), (9, 40, 3), (9, 20, 2))
    yield same(density(t), 5/6, 'two users, three films and five ratings fill five of six cells', {
        'this is the share of the holes, one minus the density': 1/6,
        'ids are names, not counts: the largest id says nothing about how many users or films there are': 5/(9*40),
        'the cells of a table are rows times columns, not rows plus columns': 1})
    yield same(density(t.head(2)), 1, 'a full table has density 1')

wrong_density = {
    'share of the holes': lambda ratings: 1 - len(ratings)/(ratings.user.nunique()*ratings.movie.nunique()),
    'ids are names': lambda ratings: len(ratings)/(ratings.user.max()*ratings.movie.max()),
    'not rows plus columns': lambda ratings: len(ratings)/(ratings.user.nunique() + ratings.movie.nunique()),
}

def check_best_titles(best_titles):
    "Group by title, take mean and count together, and leave out what has too few ratings before you sort."
    t = _table(*[(u, o, r) for o,stars in dict(A=[5], B=[4, 5], C=[4, 4, 4], D=[1, 3, 1, 2]).items() for u,r in enumerate(stars)], columns=('user', 'title', 'rating'))
    got = best_titles(t, n=2, at_least=1)
    yield same(list(got.index), ['A', 'B'], 'the highest mean comes first', {
        'these are the titles with the most ratings; asked for is the highest mean': ['D', 'C']})
    yield same(list(best_titles(t, n=2, at_least=2).index), ['B', 'C'], 'titles with fewer ratings than `at_least` make room for others', {
        'at least 2 includes 2: use >=, not >': ['C', 'D'],
        'you took the best n first and left some out afterwards: the list is too short': ['B'],
        'these are the titles with the most ratings; asked for is the highest mean': ['D', 'C']})
    yield same(got.iloc[:1].tolist(), [5.], 'the values are means')

wrong_best_titles = {
    'the most ratings': lambda ratings, n=5, at_least=1: ratings.groupby('title').rating.agg(['mean', 'count']).nlargest(n, 'count')['mean'],
    'at least 2 includes 2': lambda ratings, n=5, at_least=1: ratings.groupby('title').rating.agg(['mean', 'count']).query('count>@at_least or @at_least==1')['mean'].nlargest(n),
    'the best n first': lambda ratings, n=5, at_least=1: ratings.groupby('title').rating.agg(['mean', 'count']).nlargest(n, 'mean').query('count>=@at_least')['mean'],
}

def check_mse_of_means(mse_of_means):
    "`map` gives NaN for a user who is not in training. What do we know about them? Only the mean of all."
    train = _table((1, 1, 1), (1, 2, 3), (1, 3, 2), (2, 1, 5), (2, 2, 5))      # mean 3.2, own means 2 and 5
    valid = _table((1, 4, 2), (2, 3, 4), (3, 1, 4))
    a, b = mse_of_means(train, valid)
    yield same(a, (1.2**2 + .8**2 + .8**2)/3, 'the mean of all comes from the training ratings', {
        'a mean taken from the validation ratings has seen the answers': np.var([2, 4, 4]),
        'every rating counts once: the mean of the two users\' means is another number': (1.5**2 + .5**2 + .5**2)/3})
    yield same(b, (0 + 1 + .8**2)/3, 'a user who is not in training gets the mean of all', {
        'users who are not in training were dropped (the mean of a column skips NaN): they need a prediction, too': 1/2})

def _wrong_means(mean=None, fill=True):
    def mse_of_means(train, valid):
        mu, own = mean(train, valid) if mean else train.rating.mean(), train.groupby('user').rating.mean()
        pred = valid.user.map(own)
        return ((valid.rating - mu)**2).mean(), ((valid.rating - (pred.fillna(train.rating.mean()) if fill else pred))**2).mean()
    return mse_of_means

wrong_mse_of_means = {
    'has seen the answers': _wrong_means(lambda train, valid: valid.rating.mean()),
    'every rating counts once': _wrong_means(lambda train, valid: train.groupby('user').rating.mean().mean()),
    'were dropped': _wrong_means(fill=False),
}
