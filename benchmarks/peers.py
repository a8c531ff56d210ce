"""The other libraries, each behind the interface of the book's own systems (`collab_lesson.comparison`).

A system is a function of a task, a seed and settings. It fits, and returns a function that answers: stars for the test
pairs, or a list of `k` items for every user. This file runs in the peers' environment, which lacks the book's library:
it imports nothing but NumPy and, inside each function, the peer and what the peer needs. Rows are numbered from 0.
"""
import numpy as np

def frame(t, names=('user', 'item', 'rating')):
    import pandas as pd
    return pd.DataFrame(dict(zip(names, (t.users, t.movies, t.ratings))))

def csr(rows, cols, values, shape):
    from scipy.sparse import csr_matrix
    return csr_matrix((np.asarray(values, dtype=np.float32), (rows, cols)), shape=shape)

def matrix(t, stars=False): # with stars: weights as in the book's EASE, from 3/7 for the lowest rating to 1
    (lo, hi), n = t.scale, len(t.users)
    w = 3/7 + 4/7*(t.ratings-lo)/(hi-lo) if stars and hi>lo else np.ones(n)
    return csr(t.users, t.movies, w, (t.n_users, t.n_movies))

# ---- LIBMF

def libmf(t, seed, k, nr_iters, reg, eta):
    from libmf import mf
    # its L1 penalty of .04 is on by default, and does harm
    model = mf.MF(k=k, nr_iters=nr_iters, lambda_p2=reg, lambda_q2=reg, lambda_p1=0, lambda_q1=0, eta=eta,
                  nr_threads=1, quiet=True)
    model.fit(np.stack([t.users, t.movies, t.ratings], 1).astype(np.float32))
    def answer(): # its `predict` is wrong in 0.9.2, its factors are not; rows without ratings are NaN, or missing
        P, Q = model.p_factors(), model.q_factors()
        u, i = np.minimum(t.test_users, len(P)-1), np.minimum(t.test_movies, len(Q)-1)
        got = (P[u]*Q[i]).sum(1)
        known = np.isfinite(got) & (t.test_users<len(P)) & (t.test_movies<len(Q))
        return np.where(known, got, t.ratings.mean()).clip(*t.scale)
    return answer

# ---- Surprise

def surprise(make):
    def system(t, seed, **settings):
        from surprise import Dataset, Reader
        np.random.seed(seed)
        data = Dataset.load_from_df(frame(t), Reader(rating_scale=tuple(t.scale))).build_full_trainset()
        algo = make(seed, **settings).fit(data)
        return lambda: np.array([algo.predict(u, i).est for u,i in zip(t.test_users, t.test_movies)])
    return system

def surprise_baseline(seed, **settings):
    from surprise import BaselineOnly
    return BaselineOnly(dict(method='als', **settings), verbose=False)

def surprise_svd(seed, **settings):
    from surprise import SVD
    return SVD(random_state=seed, **settings)

def surprise_svdpp(seed, **settings):
    from surprise import SVDpp
    return SVDpp(random_state=seed, cache_ratings=True, **settings)

def surprise_knn(seed, k=40, **sim):
    from surprise import KNNBaseline
    sim = dict(name='pearson_baseline', user_based=False) | sim
    return KNNBaseline(k=k, sim_options=sim, verbose=False)

# ---- cmfrec

def cmfrec_als(t, seed, side=False, **settings):
    from cmfrec import CMF
    import pandas as pd
    table = lambda name, f: pd.DataFrame(f).assign(**{name: np.arange(len(f))})
    extra = dict(U=table('UserId', t.user_features), I=table('ItemId', t.movie_features)) if side else {}
    model = CMF(method='als', nthreads=1, random_state=seed, verbose=False, **settings)
    model.fit(frame(t, ('UserId', 'ItemId', 'Rating')), **extra)
    def answer():
        got = model.predict(t.test_users, t.test_movies)
        return np.where(np.isfinite(got), got, t.ratings.mean()).clip(*t.scale)
    return answer

def cmfrec_side(t, seed, **settings): return cmfrec_als(t, seed, side=True, **settings)

def cmfrec_implicit(t, seed, stars, **settings):
    from cmfrec import CMF_implicit
    df, seen = frame(t, ('UserId', 'ItemId', 'Value')), matrix(t)
    df['Value'] = matrix(t, stars)[df.UserId, df.ItemId].A1 if stars else 1.
    model = CMF_implicit(nthreads=1, random_state=seed, verbose=False, **settings).fit(df)
    def top():
        known = {*df.UserId}
        res = np.full((t.n_users, t.k), -1)
        for u in known:
            got = model.topN(u, n=t.k, exclude=seen[u].indices)
            res[u, :len(got)] = got
        return res
    return top

# ---- myFM

def one_hot(x, n): return csr(np.arange(len(x)), x, np.ones(len(x)), (len(x), n))

def myfm_fit(t, seed, ordinal, X, rels, groups, rank, n_iter, burn):
    "Fit; returns a function of test features that answers. `burn` is the share of the sweeps that is forgotten"
    from myfm import MyFMOrderedProbit, MyFMRegressor
    kept = max(1, n_iter-int(burn*n_iter))
    opts = dict(X_rel=rels, n_iter=n_iter, n_kept_samples=kept, group_shapes=groups)
    if ordinal:
        levels, y = np.unique(t.ratings, return_inverse=True)
        fm = MyFMOrderedProbit(rank=rank, random_seed=seed).fit(X, y, **opts)
        return lambda X, rels: fm.predict_proba(X, rels)@levels
    fm = MyFMRegressor(rank=rank, random_seed=seed).fit(X, t.ratings, **opts)
    return lambda X, rels: np.clip(fm.predict(X, rels), *t.scale)

def myfm_ids(t, seed, ordinal=False, **settings):
    from scipy.sparse import hstack
    X = lambda u,m: hstack([one_hot(u, t.n_users), one_hot(m, t.n_movies)]).tocsr()
    get = myfm_fit(t, seed, ordinal, X(t.users, t.movies), [], [t.n_users, t.n_movies], **settings)
    return lambda: get(X(t.test_users, t.test_movies), [])

def myfm_side(t, seed, ordinal=False, **settings):
    "As in the example of its authors: features, histories (each divided by the root of its length) and the day of the rating"
    from myfm import RelationBlock
    from scipy.sparse import csr_matrix, diags, hstack, identity
    seen = matrix(t)
    def block(n, features, history):
        length = np.maximum(np.asarray(history.sum(1)).ravel(), 1)
        return hstack([identity(n), csr_matrix(features), diags(length**-.5) @ history]).tocsr()
    by_user, by_movie = block(t.n_users, t.user_features, seen), block(t.n_movies, t.movie_features, seen.T.tocsr())
    days,row = np.unique(t.times//86400, return_inverse=True)
    rels = lambda u,m: [RelationBlock(u.tolist(), by_user), RelationBlock(m.tolist(), by_movie)]
    groups = [len(days), t.n_users, t.user_features.shape[1], t.n_movies, t.n_movies, t.movie_features.shape[1], t.n_users]
    get = myfm_fit(t, seed, ordinal, one_hot(row, len(days)), rels(t.users, t.movies), groups, **settings)
    def answer():
        day = t.test_times//86400
        at = np.searchsorted(days, day).clip(max=len(days)-1)
        known = days[at]==day  # a day without training ratings gets no entry
        X = csr(np.arange(len(day))[known], at[known], np.ones(known.sum()), (len(day), len(days)))
        return get(X, rels(t.test_users, t.test_movies))
    return answer

def myfm_ids_ordinal(t, seed, **settings): return myfm_ids(t, seed, ordinal=True, **settings)
def myfm_side_ordinal(t, seed, **settings): return myfm_side(t, seed, ordinal=True, **settings)

# ---- implicit

def implicit_model(where, name, seeded=True):
    def system(t, seed, stars=False, **settings):
        import importlib
        make = getattr(importlib.import_module(f'implicit.{where}'), name)
        if seeded: settings['random_state'] = seed
        X, model = matrix(t, stars), make(num_threads=1, **settings)
        model.fit(X, show_progress=False)
        return lambda: model.recommend(np.arange(t.n_users), X, N=t.k, filter_already_liked_items=True)[0]
    return system

# ---- LensKit: the data set is built once for each task

def lenskit_data(t, with_ratings):
    from lenskit.data import from_interactions_df
    names = ('user_id', 'item_id', 'rating')
    return from_interactions_df(frame(t, names)[list(names if with_ratings else names[:2])])

def lenskit_scores(data, scorer, u, items):
    from lenskit.data import ItemList, RecQuery
    return scorer(RecQuery(user_id=u, user_items=data.user_row(u)), ItemList(item_ids=items)).scores()

def lenskit_rating(make):
    def system(t, seed, **settings):
        from lenskit.basic import BiasScorer
        from lenskit.training import TrainingOptions
        scorer, rest, data = make(**settings), BiasScorer(damping=5), lenskit_data(t, True)
        for o in (scorer, rest): o.train(data, TrainingOptions(rng=seed)) # the second answers where the first cannot
        def answer():
            res, order = np.empty(len(t.test_users)), np.argsort(t.test_users, kind='stable')
            for rows in np.split(order, np.flatnonzero(np.diff(t.test_users[order]))+1):
                u, items = int(t.test_users[rows[0]]), t.test_movies[rows]
                s = np.array(lenskit_scores(data, scorer, u, items), dtype=float)
                gap = np.isnan(s)
                if gap.any(): s[gap] = lenskit_scores(data, rest, u, items[gap])
                res[rows] = s
            return np.clip(res, *t.scale)
        return answer
    return system

def lenskit_ranking(make):
    def system(t, seed, **settings):
        from lenskit.training import TrainingOptions
        scorer, data, seen = make(**settings), lenskit_data(t, False), matrix(t)
        scorer.train(data, TrainingOptions(rng=seed))
        items, known = np.unique(t.movies), {*t.users.tolist()}
        def top():
            res = np.full((t.n_users, t.k), -1)
            for u in known:
                s = np.nan_to_num(np.array(lenskit_scores(data, scorer, u, items), dtype=float), nan=-np.inf)
                s[np.searchsorted(items, seen[u].indices)] = -np.inf
                best = np.argsort(-s, kind='stable')[:t.k]
                res[u, :len(best)] = np.where(s[best]>-np.inf, items[best], -1)
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

systems = {
    'LIBMF': libmf,
    'Surprise BaselineOnly': surprise(surprise_baseline),
    'Surprise SVD': surprise(surprise_svd),
    'Surprise SVD++': surprise(surprise_svdpp),
    'Surprise KNNBaseline': surprise(surprise_knn),
    'cmfrec CMF': cmfrec_als,
    'cmfrec CMF, side information': cmfrec_side,
    'myFM': myfm_ids,
    'myFM, ordinal': myfm_ids_ordinal,
    'myFM, side information': myfm_side,
    'myFM, ordinal, side information': myfm_side_ordinal,
    'LensKit Bias': lenskit_rating(lenskit_bias),
    'LensKit BiasedMF': lenskit_rating(lenskit_als),
    'LensKit ItemKNN, stars': lenskit_rating(lenskit_knn('explicit')),
    'implicit ALS': implicit_model('als', 'AlternatingLeastSquares'),
    'implicit BPR': implicit_model('bpr', 'BayesianPersonalizedRanking'),
    'implicit cosine': implicit_model('nearest_neighbours', 'CosineRecommender', False),
    'implicit BM25': implicit_model('nearest_neighbours', 'BM25Recommender', False),
    'cmfrec CMF_implicit': cmfrec_implicit,
    'LensKit ImplicitMF': lenskit_ranking(lenskit_implicit),
    'LensKit ItemKNN': lenskit_ranking(lenskit_knn('implicit')),
}
