"Chapter 15: splits, intervals over users, search for settings, and the sealed part."
import json, subprocess, sys

import numpy as np, pandas as pd, pytest, torch
from common import root
from hypothesis import given, settings, strategies as st
from collab_lesson.evaluation import (bootstrap_users, break_ties, per_user, sealed_seed, sealed_split, sittings,
                                      split_facts, tune)
from collab_lesson.ranking import EASE, ItemCosine, Popularity, evaluate
from collab_lesson.ratings import Ratings, synthetic_ratings
from collab_lesson.training import fit

sys.path.insert(0, str(root/'benchmarks'))
import sealed

kinds = 'random', 'user', 'last', 'time'

@pytest.fixture(scope='module')
def ratings(): return Ratings(synthetic_ratings(60, 80, 1500, seed=9), item='movie', time='timestamp')

@pytest.mark.parametrize('by', kinds)
@pytest.mark.parametrize('make', [Popularity, ItemCosine, EASE])
def test_the_mean_over_users_is_what_evaluate_reports(ratings, by, make):
    train, test = ratings.split(by=by)
    model = fit(make(), train).model
    columns = ['precision', 'recall', 'nDCG']
    each = per_user(model, test, k=5)
    assert np.allclose(each[columns].mean(), evaluate(model, test, k=5)[columns])
    assert each.rated.sum()==(test.users>0).sum() and set(each.index)<=set(train.user_names.index)

def test_lists_that_are_shorter_than_k():
    df = pd.DataFrame(dict(user=[1,1,1,2,2,2], item=list('abcabd'), rating=3))
    train, test = Ratings(df).split(by=([0,1,2,3,5], [4]))
    each = per_user(fit(Popularity(), train).model, test, k=4) # user 2 has two items left
    assert each.index.tolist()==[2] and each.recall.item()==1 and .6<each.nDCG.item()<=1

@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 5000)), min_size=1, max_size=30))
@settings(max_examples=50, deadline=None)
def test_sittings_are_runs_without_a_long_break(rows):
    df = pd.DataFrame(rows, columns=['user', 'time']).assign(item=range(len(rows)), rating=1)
    number = sittings(Ratings(df, time='time'), gap=600)
    for _,o in df.assign(number=number).sort_values(['user', 'time'], kind='stable').groupby('user'):
        new = np.diff(o.time)>600
        assert ((np.diff(o.number)!=0)==new).all()
    assert df.assign(number=number).groupby('number').user.nunique().max()==1
    assert set(number)==set(range(number.max()+1))

@pytest.mark.parametrize('by', kinds)
def test_facts_are_shares(ratings, by):
    facts = split_facts(ratings.split(by=by)[1])
    assert facts.iloc[2:].between(0, 1).all()
    if by!='random': assert facts['training has a newer one by the user']==0
    if by=='time': assert facts['training has a newer one by anybody']==0

def test_facts_need_no_times():
    r = Ratings(synthetic_ratings(20, 20, 100), item='movie')
    assert len(split_facts(r.split()[1]))==4

def test_a_paired_interval_is_narrower_than_two_of_single_means():
    rng = np.random.default_rng(0)
    user = rng.normal(size=200) # how hard each user is
    df = pd.DataFrame(dict(a=user+.1*rng.normal(size=200), b=user+.1*rng.normal(size=200)))
    df['a-b'] = df.a-df.b
    res = bootstrap_users(df)
    width = res.high-res.low
    assert width['a-b']<.3*width['a'] and (res.low<=res['mean']).all() and (res['mean']<=res.high).all()

def test_totals_and_counts_give_a_mean_over_ratings():
    totals, counts = np.array([2., 30., 4.]), np.array([1, 10, 4])
    assert bootstrap_users(totals, counts)['mean'].item()==pytest.approx(36/15)
    one = bootstrap_users(counts*3., counts) # the same for every rating: no spread
    assert one.low.item()==one.high.item()==pytest.approx(3)

@given(st.lists(st.lists(st.integers(0, 3), min_size=6, max_size=6), min_size=1, max_size=5), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_breaking_ties_changes_no_order(rows, seed):
    s = torch.tensor(rows).float()
    t = break_ties(s, seed)
    assert ((s[:,:,None]>s[:,None])<=(t[:,:,None]>t[:,None])).all()
    assert (t.sort(1).values==torch.arange(6.)).all()

@pytest.mark.parametrize('by', kinds)
def test_the_sealed_split_is_no_other(ratings, by):
    a, b = sealed_split(ratings, by)
    assert len(a)+len(b)==len(ratings) and b.train is a
    other = ratings.split(by=by)[1]
    assert len(b)!=len(other) or not np.array_equal(b.times, other.times)
    assert sealed.hidden_hash(b)==sealed.hidden_hash(sealed_split(ratings, by)[1])

def test_no_chapter_uses_the_seed_of_the_sealed_part():
    for p in sorted((root/'nbs').glob('*.ipynb')):
        for cell in json.loads(p.read_text(encoding='utf-8'))['cells']:
            text = ''.join(cell['source'])
            uses = [o for o in (str(sealed_seed), f'{sealed_seed:_}', 'sealed_seed') if o in text]
            assert not uses or 'def sealed_split' in text, f'{p.stem} uses {uses}'

def test_every_opening_is_in_the_log_with_its_settings():
    settings = json.loads((root/'nbs/results/sealed_settings.json').read_text(encoding='utf-8'))
    log = json.loads((root/'nbs/results/sealed_log.json').read_text(encoding='utf-8'))
    assert log[-1]['settings_sha256']==sealed.settings_hash(settings), 'settings changed: commit them, run benchmarks/sealed.py'
    for o in log:
        assert set(o['hidden_sha256'])==set(kinds) and o['hidden_sha256']==log[0]['hidden_sha256']
        assert all(r['low']<=r['mean']<=r['high'] for r in o['results'])
    assert {(o['measure'], o['model']) for o in log[-1]['results']}=={
        (m, k) for kind,m in (('lists', 'nDCG@10'), ('stars', 'RMSE')) for k in settings[kind]}

def test_settings_must_be_committed(tmp_path):
    git = lambda *args: subprocess.run(['git', *args], cwd=tmp_path, check=True, capture_output=True)
    file = tmp_path/'s.json'
    file.write_text('{}')
    assert not sealed.is_frozen(file), 'no repository'
    git('init', '-q'); git('config', 'user.email', 'a@b.c'); git('config', 'user.name', 'a')
    assert not sealed.is_frozen(file), 'not added'
    git('add', '.')
    assert not sealed.is_frozen(file), 'not committed'
    git('commit', '-qm', 'x')
    assert sealed.is_frozen(file)
    file.write_text('{"a": 1}')
    assert not sealed.is_frozen(file), 'changed'

def test_tune_is_the_same_search_every_time_and_leaves_its_data_alone(ratings):
    before = ratings.values.copy()
    space = dict(reg=[1., 10., 100., 1000.], dropout=[0., .5])
    a, b = (tune(EASE, space, ratings, n=4, k=5) for _ in range(2))
    assert a.trials.drop(columns='seconds').equals(b.trials.drop(columns='seconds'))
    assert a.best in a.settings and a.score==a.trials.score.max() and (ratings.values==before).all()
    assert len(tune(EASE, space, ratings, n=99, k=5).trials)==8, 'each setting once'

def test_tune_sees_only_the_training_part(ratings):
    train, test = ratings.split()
    seen = []
    def make(a, reg): seen.append(a); return fit(EASE(reg), a)
    tune(make, dict(reg=[1., 2.]), train)
    keys = lambda r: set(zip(*r.to_frame()[['user', 'movie']].to_numpy().T))
    for a in seen: assert keys(a)<keys(train) and not keys(a)&keys(test)
