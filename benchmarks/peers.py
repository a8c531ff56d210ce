"""The other libraries, each behind the interface of the book's own systems (`collab_lesson.comparison`).

A system is a function of a task and a seed. It fits, and returns a function that answers: stars for the test pairs, or
a list of `k` movies for every user. This file runs in the peers' environment, which lacks the book's library: it
imports nothing but NumPy and, inside each function, the peer and what the peer needs.
"""
import numpy as np

def frame(t, names=('user', 'item', 'rating')):
    import pandas as pd
    return pd.DataFrame(dict(zip(names, (t.users, t.movies, t.ratings))))

def csr(rows, cols, values, shape):
    from scipy.sparse import csr_matrix
    return csr_matrix((np.asarray(values, dtype=np.float32), (rows, cols)), shape=shape)

def matrix(t, stars=False): # weights as in the book's EASE: five stars count 1, one star 3/7
    return csr(t.users, t.movies, (t.ratings+2)/7 if stars else np.ones(len(t.users)), (t.n_users, t.n_movies))

# ---- Surprise

def surprise(make):
    def system(t, seed, **settings):
        from surprise import Dataset, Reader
        np.random.seed(seed)
        data = Dataset.load_from_df(frame(t), Reader(rating_scale=(1,5))).build_full_trainset()
        algo = make(seed, **settings).fit(data)
        return lambda: np.array([algo.predict(u, i).est for u,i in zip(t.test_users, t.test_movies)])
    return system

def surprise_baseline(seed, reg_u, reg_i, n_epochs):
    from surprise import BaselineOnly
    return BaselineOnly(dict(method='als', reg_u=reg_u, reg_i=reg_i, n_epochs=n_epochs), verbose=False)

def surprise_svd(seed, **settings):
    from surprise import SVD
    return SVD(random_state=seed, **settings)

def surprise_svdpp(seed, **settings):
    from surprise import SVDpp
    return SVDpp(random_state=seed, cache_ratings=True, **settings)

def surprise_knn(seed, k, shrinkage, min_support):
    from surprise import KNNBaseline
    return KNNBaseline(k=k, sim_options=dict(name='pearson_baseline', user_based=False, shrinkage=shrinkage, min_support=min_support), verbose=False)

# ---- cmfrec

def cmfrec_als(t, seed, **settings):
    from cmfrec import CMF
    model = CMF(method='als', nthreads=1, random_state=seed, verbose=False, **settings).fit(frame(t, ('UserId', 'ItemId', 'Rating')))
    return lambda: np.clip(model.predict(t.test_users, t.test_movies), 1, 5)

def cmfrec_implicit(t, seed, stars, **settings):
    from cmfrec import CMF_implicit
    df, seen = frame(t, ('UserId', 'ItemId', 'Value')), matrix(t)
    df['Value'] = (df.Value+2)/7 if stars else 1.
    model = CMF_implicit(nthreads=1, random_state=seed, verbose=False, **settings).fit(df)
    def top():
        known = {*df.UserId}
        res = np.full((t.n_users, t.k), -1)
        for u in known: res[u] = model.topN(u, n=t.k, exclude=seen[u].indices)
        return res
    return top

# ---- myFM

def one_hot(x, n): return csr(np.arange(len(x)), x, np.ones(len(x)), (len(x), n))

def myfm_ids(t, seed, rank, n_iter):
    from myfm import MyFMRegressor
    from scipy.sparse import hstack
    X = lambda u,m: hstack([one_hot(u, t.n_users), one_hot(m, t.n_movies)]).tocsr()
    fm = MyFMRegressor(rank=rank, random_seed=seed).fit(X(t.users, t.movies), t.ratings, n_iter=n_iter, n_kept_samples=n_iter*9//10, group_shapes=[t.n_users, t.n_movies])
    return lambda: np.clip(fm.predict(X(t.test_users, t.test_movies)), 1, 5)

def myfm_side(t, seed, rank, n_iter):
    "As in the example of its authors: features, histories (each divided by the root of its length) and the day of the rating"
    from myfm import MyFMRegressor, RelationBlock
    from scipy.sparse import csr_matrix, diags, hstack, identity
    seen = matrix(t)
    def block(n, features, history):
        length = np.maximum(np.asarray(history.sum(1)).ravel(), 1)
        return hstack([identity(n), csr_matrix(features), diags(length**-.5) @ history]).tocsr()
    by_user, by_movie = block(t.n_users, t.user_features, seen), block(t.n_movies, t.movie_features, seen.T.tocsr())
    days,row = np.unique(t.times//86400, return_inverse=True)
    rels = lambda u,m: [RelationBlock(u.tolist(), by_user), RelationBlock(m.tolist(), by_movie)]
    groups = [len(days), t.n_users, t.user_features.shape[1], t.n_movies, t.n_movies, t.movie_features.shape[1], t.n_users]
    fm = MyFMRegressor(rank=rank, random_seed=seed).fit(one_hot(row, len(days)), t.ratings, X_rel=rels(t.users, t.movies),
                                                       n_iter=n_iter, n_kept_samples=n_iter*9//10, group_shapes=groups)
    def answer():
        day = t.test_times//86400
        at = np.searchsorted(days, day).clip(max=len(days)-1)
        known = days[at]==day  # a day without training ratings gets no entry
        X = csr(np.arange(len(day))[known], at[known], np.ones(known.sum()), (len(day), len(days)))
        return np.clip(fm.predict(X, rels(t.test_users, t.test_movies)), 1, 5)
    return answer

# ---- implicit

def implicit_model(where, name, seeded=True):
    def system(t, seed, stars, **settings):
        import importlib
        make = getattr(importlib.import_module(f'implicit.{where}'), name)
        if seeded: settings['random_state'] = seed
        X, model = matrix(t, stars), make(num_threads=1, **settings)
        model.fit(X, show_progress=False)
        return lambda: model.recommend(np.arange(t.n_users), X, N=t.k, filter_already_liked_items=True)[0]
    return system

# ---- LensKit

def lenskit_fit(t, scorer, seed, with_ratings):
    from lenskit.data import from_interactions_df
    from lenskit.training import TrainingOptions
    names = ('user_id', 'item_id', 'rating')
    data = from_interactions_df(frame(t, names)[list(names if with_ratings else names[:2])])
    scorer.train(data, TrainingOptions(rng=seed))
    return data

def lenskit_scores(data, scorer, u, items):
    from lenskit.data import ItemList, RecQuery
    return scorer(RecQuery(user_id=u, user_items=data.user_row(u)), ItemList(item_ids=items)).scores()

def lenskit_rating(make):
    def system(t, seed, **settings):
        from lenskit.basic import BiasScorer
        scorer, rest = make(**settings), BiasScorer(damping=5)
        data = lenskit_fit(t, scorer, seed, True)
        lenskit_fit(t, rest, seed, True) # LensKit's own fallback, for movies that the scorer cannot score
        def answer():
            res, order = np.empty(len(t.test_users)), np.argsort(t.test_users, kind='stable')
            for rows in np.split(order, np.flatnonzero(np.diff(t.test_users[order]))+1):
                u, items = int(t.test_users[rows[0]]), t.test_movies[rows]
                s = np.array(lenskit_scores(data, scorer, u, items), dtype=float)
                gap = np.isnan(s)
                if gap.any(): s[gap] = lenskit_scores(data, rest, u, items[gap])
                res[rows] = s
            return np.clip(res, 1, 5)
        return answer
    return system

def lenskit_ranking(make):
    def system(t, seed, **settings):
        scorer = make(**settings)
        data, seen = lenskit_fit(t, scorer, seed, False), matrix(t)
        items, known = np.unique(t.movies), {*t.users.tolist()}
        def top():
            res = np.full((t.n_users, t.k), -1)
            for u in known:
                s = np.nan_to_num(np.array(lenskit_scores(data, scorer, u, items), dtype=float), nan=-np.inf)
                s[np.searchsorted(items, seen[u].indices)] = -np.inf
                res[u] = items[np.argsort(-s, kind='stable')[:t.k]]
            return res
        return top
    return system

def lenskit_bias(damping):
    from lenskit.basic import BiasScorer
    return BiasScorer(damping=damping)

def lenskit_als(**settings):
    from lenskit.als import BiasedMFScorer
    return BiasedMFScorer(**settings)

def lenskit_knn(feedback):
    def make(**settings):
        from lenskit.knn import ItemKNNScorer
        return ItemKNNScorer(feedback=feedback, **settings)
    return make

def lenskit_implicit(**settings):
    from lenskit.als import ImplicitMFScorer
    return ImplicitMFScorer(**settings)

def short(system, n):
    "The same sampler, stopped early"
    return lambda t, seed, **o: system(t, seed, **{**o, 'n_iter': n})

rating_systems = {
    'Surprise BaselineOnly': surprise(surprise_baseline),
    'Surprise SVD': surprise(surprise_svd),
    'Surprise SVD++': surprise(surprise_svdpp),
    'Surprise KNNBaseline': surprise(surprise_knn),
    'cmfrec CMF': cmfrec_als,
    'myFM': myfm_ids,
    'myFM, 40 sweeps': short(myfm_ids, 40),
    'myFM, side information': myfm_side,
    'myFM, side information, 40 sweeps': short(myfm_side, 40),
    'LensKit Bias': lenskit_rating(lenskit_bias),
    'LensKit BiasedMF': lenskit_rating(lenskit_als),
    'LensKit ItemKNN': lenskit_rating(lenskit_knn('explicit')),
}

ranking_systems = {
    'implicit ALS': implicit_model('als', 'AlternatingLeastSquares'),
    'implicit BPR': implicit_model('bpr', 'BayesianPersonalizedRanking'),
    'implicit cosine': implicit_model('nearest_neighbours', 'CosineRecommender', False),
    'implicit BM25': implicit_model('nearest_neighbours', 'BM25Recommender', False),
    'cmfrec CMF_implicit': cmfrec_implicit,
    'LensKit ImplicitMF': lenskit_ranking(lenskit_implicit),
    'LensKit ItemKNN': lenskit_ranking(lenskit_knn('implicit')),
}
