"Models that fit themselves, ALS and BayesianMF: units, unknown rows, Ctrl-C, odd ids and sizes, settings, memory"
import subprocess, sys

import numpy as np, pandas as pd, pytest, torch
from hypothesis import given, settings, strategies as st
from scipy import sparse
from common import root
from collab_lesson import als
from collab_lesson.als import *
from collab_lesson.bayesian import *
from collab_lesson.collab_learner import load, save
from collab_lesson.dot_product import predict
from collab_lesson.ranking import evaluate, recommend
from collab_lesson.ratings import *
from collab_lesson.training import fit

frame = synthetic_ratings(40, 60, 800, seed=1).rename(columns={'movie': 'item'})
frame['time'] = 1_600_000_000 + np.arange(800)*900
ratings = Ratings(frame, time='time')
train, valid = ratings.split()

def quick(kind, **kw): return ALS(3, reg=2, n_epochs=4, **kw) if kind=='ALS' else BayesianMF(3, n_sweeps=12, burn=4, **kw)
both = pytest.mark.parametrize('kind', ['ALS', 'BayesianMF'])

def like(r, values): # the same pairs, rated otherwise
    res = r[:]
    res.values = np.asarray(values, np.float32)
    return res
def pairs(r): return torch.from_numpy(np.stack([r.users, r.items], 1)).long()


# units

@both
@pytest.mark.parametrize('a,b', [(10, 0), (.125, 0), (3, -7), (1000, 500)])
def test_predictions_follow_the_scale(kind, a, b):
    more = dict(windows=(86400,)) if kind=='BayesianMF' else {}
    before = fit(quick(kind, **more), train, valid=valid)
    after = fit(quick(kind, **more), like(train, train.values*a+b), valid=like(valid, valid.values*a+b))
    x = pairs(valid)
    close = dict(rtol=1e-3, atol=a*(1e-3 if kind=='ALS' else .03)) # a chain amplifies rounding a little
    assert torch.allclose(after.model(x), before.model(x)*a+b, **close)
    assert abs(after.valid_loss/(a*a*before.valid_loss)-1)<.02
    if kind=='ALS': assert np.allclose(after.losses, before.losses*a*a, rtol=1e-3)
    else:
        assert np.allclose(after.epochs.noise_sd, before.epochs.noise_sd*a, rtol=.05)
        (mean, *spread), (old_mean, *old_spread) = (o.model.moments(x, valid.times) for o in (after, before))
        assert torch.allclose(mean, old_mean*a+b, **close)
        for new,old in zip(spread, old_spread): assert torch.allclose(new, old*a*a, rtol=.2)
        assert (old_mean-before.model.moments(x)[0]).abs().max()>.1 # times do something

@both
def test_the_range_is_that_of_the_ratings(kind):
    model = quick(kind)
    for scale in ((-10,10), (0,1)): # a second fit takes it anew
        lo,hi = scale
        r = like(train, np.r_[lo, hi, np.linspace(lo, hi, len(train)-2)])
        x = pairs(r)
        score = fit(model, r).model(x)
        assert model.y_range==scale and score.min()>=lo and score.max()<=hi
    with pytest.raises(ValueError, match=r'Ratings go from 1 to 5, beyond y_range=\(2, 4\)'): fit(quick(kind, y_range=(2,4)), like(train, np.arange(len(train))%5+1))
    assert fit(quick(kind, y_range=None), train).model.y_range is None

@both
def test_equal_ratings(kind):
    run = fit(quick(kind), like(train, np.full(len(train), 3.)), valid=like(valid, np.full(len(valid), 3.)))
    assert abs(run.model(pairs(valid))-3).max()<.5 and run.valid_loss<.1 and run.model.y_range==(2,4)
    if kind=='ALS': assert (run.model(pairs(valid))==3).all()

@both
def test_counts_with_a_long_tail(kind):
    "A bare LinAlgError on play counts"
    counts = like(train, np.floor(np.exp(np.random.default_rng(0).normal(3, 2.5, len(train)))))
    run = fit(quick(kind), counts, valid=counts)
    assert np.isfinite(run.valid_loss) and run.model(pairs(counts)).isfinite().all()


# what a fit says

@given(st.integers(0, 2**32-1), st.floats(.5, 50), st.floats(.5, 20))
@settings(max_examples=20)
def test_the_objective_never_rises(seed, reg, reg_bias):
    run = fit(ALS(4, reg=reg, reg_bias=reg_bias, n_epochs=5, seed=seed), like(train, np.random.default_rng(seed).normal(size=len(train))))
    assert (np.diff(run.losses) <= 1e-5*run.losses[0]).all() and len(run.losses)==10
    assert np.allclose(run.epochs.objective, run.losses[1::2])

@both
def test_the_table_of_a_run(kind):
    run = fit(quick(kind), train, valid=valid)
    known = dict(ALS=['epoch', 'objective', 'valid_loss', 'seconds'], BayesianMF=['epoch', 'noise_sd', 'valid_loss', 'seconds'])
    assert run.epochs.columns.tolist()==known[kind] and len(run.epochs)==(4 if kind=='ALS' else 12) and not run.interrupted
    assert abs(evaluate(run.model, valid)['RMSE']**2/run.valid_loss-1)<1e-4
    assert run.unknown==valid.unknown and run.best.valid_loss==run.epochs.valid_loss.min()
    assert 'valid_loss' not in fit(quick(kind), train).epochs
    assert not list(run.model.parameters()) and 'user_factors' in run.model.state_dict()

@both
def test_one_answer_by_every_road(kind):
    model = fit(quick(kind), train).model
    users, items = torch.tensor([0,3,1,3]), torch.tensor([5,0,2])
    whole = model.block(users)
    assert whole.shape==(4, train.n_items) and torch.allclose(whole[:,items], model.block(users, items), atol=1e-5)
    assert torch.allclose(model(torch.cartesian_prod(users, items)), model.block(users, items).flatten(), atol=1e-4)
    raw, limits = model.block(users), model.y_range
    model.y_range = 2.5, 3.5
    assert torch.equal(model.block(users), raw.clamp(2.5, 3.5)) and not torch.equal(raw, raw.clamp(2.5, 3.5))
    assert torch.allclose(model(torch.cartesian_prod(users, items)), raw[:,items].flatten().clamp(2.5, 3.5), atol=1e-4)
    model.y_range = limits
    name = train.user_names[3]
    best = recommend(model, train, name, 5)
    assert torch.allclose(predict(model, train, name, best.item.tolist()), torch.tensor(best.score.to_numpy()), atol=1e-4)
    assert best.score.is_monotonic_decreasing

@both
def test_saved_and_read_back(kind, tmp_path):
    more = dict(windows=(86400,)) if kind=='BayesianMF' else {}
    model = fit(quick(kind, **more), train).model
    save(model, train, tmp_path/'m')
    again, data = load(tmp_path/'m')
    assert torch.equal(again(pairs(valid)), model(pairs(valid))) and again.y_range==model.y_range and type(again) is type(model)
    if more: assert torch.equal(again.predict_at(pairs(valid), valid.times), model.predict_at(pairs(valid), valid.times))
    assert recommend(again, data, train.user_names[3], 5).equals(recommend(model, train, train.user_names[3], 5))


# rows that nobody has, ids and sizes

def test_an_unknown_row_of_als_is_zero():
    model = fit(ALS(3), train).model
    for o in (model.user_factors, model.movie_factors, model.user_bias, model.movie_bias): assert (o[0]==0).all()
    x = torch.tensor([[0,0],[0,7],[7,0]])
    assert torch.equal(model(x), torch.stack([model.mean, model.mean+model.movie_bias[7], model.mean+model.user_bias[7]]))

def test_an_unknown_row_of_the_sampler_is_the_prior():
    "Its draws are averaged: they lie around the mean of all, and farther than those of a user with ratings"
    model = fit(BayesianMF(3, n_sweeps=220, y_range=None), ratings).model
    mean, unknown, _ = model.moments(torch.tensor([[0,5],[3,5]]))
    assert unknown[0]>2*unknown[1]
    average = model(torch.cartesian_prod(torch.arange(1, ratings.n_users), torch.tensor([5]))).mean()
    assert abs(mean[0]-average)<4*(unknown[0]/200)**.5 + .1

@both
def test_ratings_of_the_unknown_are_left_out(kind):
    odd = train[:]
    odd.users = np.where(np.arange(len(odd))<50, 0, odd.users)
    a, b = fit(quick(kind), odd).model, fit(quick(kind), odd[50:]).model
    x = pairs(valid)
    assert torch.equal(a(x), b(x))
    with pytest.raises(ValueError, match='nothing to learn from'): fit(quick(kind), odd[:50])
    with pytest.raises(ValueError, match='nothing to learn from'): fit(quick(kind), odd[:0])

@both
@pytest.mark.parametrize('ids', [lambda s: 'é' + s.astype(str), lambda s: s + 10**9, lambda s: s.astype('category'), lambda s: s.astype('uint32')])
def test_ids_of_any_kind(kind, ids):
    "Raw ids were taken for row numbers: ten digits made tables of gigabytes"
    r = Ratings(frame.assign(user=ids(frame.user), item=ids(frame.item)))
    run = fit(quick(kind), r)
    assert len(run.model.user_factors)==r.n_users<=41
    best = recommend(run.model, r, r.user_names[7], 3)
    assert best.user.tolist()==[r.user_names[7]]*3 and best.item.isin(r.item_names.index).all()

@both
@pytest.mark.parametrize('rows', [frame.user==frame.user[0], frame.item==frame.item[0], frame.index==0])
def test_one_user_one_item_one_rating(kind, rows):
    r = Ratings(frame[rows])
    run = fit(quick(kind), r)
    assert run.model(pairs(r)).isfinite().all() and run.model.block(torch.tensor([0,1])).isfinite().all()

@both
def test_what_a_fit_refuses(kind):
    with pytest.raises(TypeError, match='takes `Ratings` .rows of users and items, ratings, times.'): quick(kind).fit(frame)
    with pytest.raises(ValueError, match='number their users differently'): fit(quick(kind), train, valid=Ratings(frame[frame.user!=3]))
    with pytest.raises(RuntimeError, match='has not seen ratings yet'): predict(quick(kind), train, 3, 5)
    with pytest.raises(RuntimeError, match='has not seen ratings yet'): quick(kind)(pairs(valid))
    with pytest.raises(IndexError, match='user row 99 does not exist'): fit(quick(kind), train).model(torch.tensor([[99,1]]))


# settings

def test_numbers_of_numpy_are_numbers():
    a = fit(ALS(np.int64(3), reg=np.float32(10), n_epochs=np.int64(2), seed=np.int64(3), chunk=np.int32(7)), train).model
    b = fit(ALS(3, reg=10, n_epochs=2, seed=3), train).model
    assert torch.allclose(a(pairs(valid)), b(pairs(valid)), atol=1e-5) and type(a.seed) is type(a.n_epochs) is int
    fit(BayesianMF(np.int64(3), n_sweeps=np.int64(3), burn=np.int64(1), thin=np.int8(1), seed=np.uint8(3), windows=np.array([60])), train)

@pytest.mark.parametrize('cls,bad', [(ALS, dict(n_factors=True)), (ALS, dict(n_epochs=0)), (ALS, dict(reg=float('nan'))), (ALS, dict(reg='12')), (ALS, dict(reg_bias=-1)),
    (ALS, dict(init_sd=0)), (ALS, dict(seed=True)), (ALS, dict(seed=-1)), (ALS, dict(seed=1.5)), (ALS, dict(y_range=(5,1))), (ALS, dict(y_range='all')), (ALS, dict(chunk=0)),
    (BayesianMF, dict(n_sweeps=True)), (BayesianMF, dict(burn=True)), (BayesianMF, dict(burn=200)), (BayesianMF, dict(burn=-1)), (BayesianMF, dict(thin=0)), (BayesianMF, dict(noise_df=0)),
    (BayesianMF, dict(noise_df=True)), (BayesianMF, dict(windows=(0,))), (BayesianMF, dict(windows=(60,'day'))), (BayesianMF, dict(seed=True)), (BayesianMF, dict(max_rows=0))])
def test_bad_settings_are_named(cls, bad):
    with pytest.raises(ValueError, match=next(iter(bad))): cls(**bad)

def test_no_ridge():
    "A row without ratings, row 0 is one, has the answer zero whatever the ridge"
    full = pd.DataFrame([(u, i, (7*u+3*i)%5) for u in range(12) for i in range(9)], columns=['user','item','rating'])
    model = fit(ALS(1, reg=0, reg_bias=0, n_epochs=3, y_range=None), Ratings(full)).model
    assert model.block(torch.arange(13)).isfinite().all() and (model.user_factors[0]==0).all() and model.user_bias[0]==0
    with pytest.raises(ValueError, match=r'user 0 has 9 ratings for 10 unknowns; reg=0 leaves them undetermined'): fit(ALS(9, reg=0), Ratings(full))


# Ctrl-C

def test_als_keeps_the_last_finished_sweep(monkeypatch):
    one = fit(ALS(3, n_epochs=2), train).model
    calls, real = [], als.solve_rows
    def third_sweep(*args):
        calls.append(0)
        if len(calls)==6: raise KeyboardInterrupt
        return real(*args)
    monkeypatch.setattr(als, 'solve_rows', third_sweep)
    run = fit(ALS(3, n_epochs=9), train, valid=valid)
    assert run.interrupted and len(run.epochs)==2 and len(run.losses)==4 and torch.equal(run.model(pairs(valid)), one(pairs(valid)))

def test_the_sampler_keeps_its_draws():
    def impatient(sampler, sweep):
        if sweep==6: raise KeyboardInterrupt
    run = fit(quick('BayesianMF'), train, valid=valid, callback=impatient)
    three = fit(BayesianMF(3, n_sweeps=7, burn=4), train, valid=valid)
    assert run.interrupted and len(run.epochs)==7 and len(run.model.user_draws)==3 and run.valid_loss==three.valid_loss

@both
def test_interrupted_before_anything_is_done(kind, monkeypatch):
    "The signal goes on, and a model that was fitted before is as it was"
    model = fit(quick(kind), train).model
    before, y_range = model(pairs(valid)), model.y_range
    def stop(*args, **kw): raise KeyboardInterrupt
    monkeypatch.setattr(als, 'solve_rows', stop)
    monkeypatch.setattr(Gibbs, 'sweep', stop)
    with pytest.raises(KeyboardInterrupt): fit(model, like(train, train.values*2))
    assert torch.equal(model(pairs(valid)), before) and model.y_range==y_range
    with pytest.raises(KeyboardInterrupt): fit(fresh := quick(kind), train)
    assert fresh.fitted_to is None


# side information

def test_features_dense_or_sparse():
    rng = np.random.default_rng(0)
    for f in (3, 90): # fewer and more features than users
        table = (rng.random((train.n_users, f))*(rng.random((train.n_users, f))<.3)).astype(np.float32)
        models = [fit(quick('BayesianMF'), train, user_features=o).model(pairs(valid)) for o in (table, torch.tensor(table), sparse.coo_array(table))]
        assert torch.equal(models[0], models[1]) and torch.equal(models[0], models[2])

def test_features_speak_for_those_without_ratings():
    kind = (np.arange(60)%2).astype(float)
    df = pd.DataFrame([(u, i, 1+4*kind[i]) for u in range(40) for i in range(50) if (u+i)%3], columns=['user','item','rating'])
    df = pd.concat([df, pd.DataFrame([(0, i, 3.) for i in range(50, 60)], columns=df.columns)])
    all_of_them = Ratings(df)
    r = all_of_them[:len(df)-10] # the last ten items keep their rows, without ratings
    table = table_features(pd.DataFrame(dict(kind=kind)), np.arange(60), r.item_names)
    model = fit(BayesianMF(2, n_sweeps=60), r, movie_features=table).model
    score = predict(model, r, 5, np.arange(50, 60))
    assert (score[1::2].mean()-score[::2].mean())>2

@pytest.mark.parametrize('bad,message', [(np.ones((3,2)), r'has shape \(3, 2\)'), (np.full((41,2), np.nan), '82 values that are not finite'), (np.ones(41), r'has shape \(41,\)'), (np.ones((41,0)), r'\(41, 0\)')])
def test_bad_features(bad, message):
    with pytest.raises(ValueError, match=f'user_features.*{message}'): fit(quick('BayesianMF'), train, user_features=bad)

def test_too_many_features_say_how_many():
    with pytest.raises(ValueError, match=r'eigenvectors of a 40×40 matrix.*max_rows=39 forbids it'): fit(quick('BayesianMF', implicit=True, max_rows=39), train)

def test_a_history_is_sparse_and_counts_a_pair_once():
    h = history_features([1,1,1,4], [2,2,3,3], 5, 6)
    assert h.shape==(5,7) and h.nnz==5 and np.allclose(h.toarray()[1,2:4], .5**.5) and h.toarray()[4,3]==1 and (h.toarray()[[0,2,3]]==0).all()

def test_nothing_is_users_times_items():
    "50,000 by 50,000: one such array of float32 has 10 GB"
    code = '''if True:
        import resource, numpy as np, pandas as pd, torch
        from collab_lesson.bayesian import *
        from collab_lesson.als import *
        from collab_lesson.ratings import *
        from collab_lesson.training import fit
        resource.setrlimit(resource.RLIMIT_AS, (8<<30, 8<<30))
        rng, n = np.random.default_rng(0), 50_000
        r = Ratings(pd.DataFrame(dict(user=np.r_[:n, rng.integers(0, n, n)], item=np.r_[rng.integers(0, n, n), :n], rating=rng.integers(1, 6, 2*n))))
        for model in (ALS(3, n_epochs=1), BayesianMF(3, n_sweeps=2, burn=1)): fit(model, r, bar=False); model(torch.ones(3, 2, dtype=torch.long))
        print(history_features(r.users, r.items, r.n_users, r.n_items).nnz)
        try: fit(BayesianMF(3, n_sweeps=2, burn=1, implicit=True), r)
        except ValueError as e: print(e)
    '''
    p = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=root)
    assert not p.returncode, p.stderr[-800:]
    assert 'eigenvectors of a 50,000×50,000 matrix, 37.3 GB' in p.stdout


# times

def test_times_are_used_when_there_are_windows():
    "A week in which everything is two stars better"
    late = frame.time>frame.time.median()
    r = Ratings(frame.assign(rating=frame.rating+2*late), time='time')
    a, b = r.split()
    x = pairs(b)
    kw = dict(n_sweeps=60, burn=10)
    plain, timed = (fit(BayesianMF(3, windows=o, **kw), a, valid=b) for o in ((), (7*86400,)))
    assert timed.valid_loss<plain.valid_loss
    model = timed.model
    error = lambda score: (score-torch.from_numpy(b.values)).square().mean().item()
    assert abs(error(model.predict_at(x, b.times))-timed.valid_loss)<1e-4 and error(model(x))>timed.valid_loss
    assert (model.moments(x)[1]-model.moments(x, b.times)[1]).mean()>.5 # of a time unknown
    with pytest.raises(ValueError, match=r'windows=\(\), so times tell it nothing'): plain.model.predict_at(x, b.times)
    with pytest.raises(ValueError, match='times has shape'): model.predict_at(x, b.times[:3])
    timeless = Ratings(frame)
    with pytest.raises(ValueError, match=r"need times: Ratings\(…, time="): fit(BayesianMF(windows=(60,)), timeless)
    with pytest.raises(ValueError, match='are they milliseconds'): fit(BayesianMF(windows=(1,)), Ratings(frame.assign(time=frame.time*1000), time='time'))
    without = b[:]
    without.times = None # held-out ratings without times are in no window
    assert abs(fit(BayesianMF(3, windows=(7*86400,), **kw), a, valid=without).valid_loss-error(model(x)))<1e-4
